/*
 * effects.c - the queue of effects and the store jobs behind STORE effects.
 *
 * A job gathers everything to write within one step: deltas, then, when the cache is due, changed
 * notes and the state. Jobs stay in order until the disk has them, since STORED(n) means n and all
 * before it.
 */
#include "node/parts.h"

#include <stdlib.h>

struct node_effect *effect_push(struct rapport_node *n, enum rapport_effect_kind kind)
{
    struct node_effect *e = calloc(1, sizeof *e);
    if (!e) {
        node_fail(n, RAPPORT_NOMEM);
        return NULL;
    }
    e->effect.kind = kind;
    *n->effects_last = e;
    n->effects_last = &e->next;
    return e;
}

static void effect_free(struct node_effect *e)
{
    if (!e)
        return;
    buf_wipe(&e->bytes);
    free(e);
}

bool rapport_node_next_effect(struct rapport_node *n, struct rapport_effect *out)
{
    effect_free(n->given);
    struct node_effect *e = n->given = n->effects;
    if (!e)
        return false;
    n->effects = e->next;
    if (!n->effects)
        n->effects_last = &n->effects;
    if (e->effect.kind == RAPPORT_EFFECT_SEND) {
        e->effect.bytes = e->bytes.ptr;
        e->effect.len = e->bytes.len;
    }
    if (e->effect.kind == RAPPORT_EFFECT_LOAD)
        e->effect.request = &e->load;
    *out = e->effect;
    return true;
}

void stores_drop(struct rapport_node *n)
{
    n->effects_last = &n->effects;
    for (struct node_effect *e; (e = *n->effects_last);) {
        if (e->effect.kind != RAPPORT_EFFECT_STORE) {
            n->effects_last = &e->next;
            continue;
        }
        *n->effects_last = e->next;
        effect_free(e);
    }
}

void effects_clear(struct rapport_node *n)
{
    effect_free(n->given);
    n->given = NULL;
    while (n->effects) {
        struct node_effect *next = n->effects->next;
        effect_free(n->effects);
        n->effects = next;
    }
    n->effects_last = &n->effects;
}

uint64_t load_push(struct rapport_node *n, const struct load *request)
{
    struct node_effect *e = effect_push(n, RAPPORT_EFFECT_LOAD);
    if (!e)
        return 0;
    e->load = *request;
    e->load.id = e->effect.load = ++n->last_load;
    return e->effect.load;
}

/* ---- store jobs ---- */

static void job_free(struct store_job *job)
{
    buf_clear(&job->deltas);
    buf_clear(&job->records);
    buf_clear(&job->notes);
    have_clear(&job->heights);
    arena_clear(&job->memory);
    free(job);
}

void jobs_clear(struct rapport_node *n)
{
    if (n->open_job)
        job_free(n->open_job);
    n->open_job = NULL;
    while (n->jobs) {
        struct store_job *next = n->jobs->next;
        job_free(n->jobs);
        n->jobs = next;
    }
    n->jobs_last = &n->jobs;
}

static struct store_job *job_open(struct rapport_node *n)
{
    if (!n->open_job) {
        n->open_job = calloc(1, sizeof *n->open_job);
        if (n->open_job)
            n->open_job->id = ++n->last_store;
        else
            node_fail(n, RAPPORT_NOMEM);
    }
    return n->open_job;
}

static struct slice job_keep(struct store_job *job, struct slice s)
{
    return slice_of(arena_copy(&job->memory, s.ptr, s.len), s.len);
}

uint64_t job_add_delta(struct rapport_node *n, const struct delta *d)
{
    struct store_job *job = job_open(n);
    if (!job)
        return 0;
    struct batch_delta row = {
        .first = d->first, .end = d->end, .lamport = d->lamport, .bytes = job_keep(job, d->bytes)};
    memcpy(row.log, d->log, sizeof row.log);
    memcpy(row.hash, d->hash, sizeof row.hash);
    if (!row.bytes.ptr || have_raise(&job->heights, d->log, d->end))
        node_fail(n, RAPPORT_NOMEM);
    buf_append(&job->deltas, &row, sizeof row);
    return job->id;
}

void job_add_record(struct rapport_node *n, const char *key, struct slice value)
{
    struct store_job *job = job_open(n);
    if (!job)
        return;
    struct batch_record row = {job_keep(job, slice_str(key)), job_keep(job, value)};
    if (!row.key.ptr || !row.value.ptr)
        node_fail(n, RAPPORT_NOMEM);
    buf_append(&job->records, &row, sizeof row);
}

void job_add_note(struct rapport_node *n, const uint8_t id[NOTE_ID_BYTES], struct slice meta,
                  struct slice stored)
{
    struct store_job *job = job_open(n);
    if (!job)
        return;
    struct batch_note row = {.meta = job_keep(job, meta), .stored = {0}};
    if (stored.ptr)
        row.stored = job_keep(job, stored);
    if (!row.meta.ptr || (stored.ptr && !row.stored.ptr))
        node_fail(n, RAPPORT_NOMEM);
    memcpy(row.id, id, sizeof row.id);
    buf_append(&job->notes, &row, sizeof row);
}

void job_mark_applied(struct rapport_node *n)
{
    if (job_open(n))
        n->open_job->batch.applied = true;
}

void job_close(struct rapport_node *n)
{
    struct store_job *job = n->open_job;
    if (!job || n->failure)
        return;
    if (buf_error(&job->deltas) || buf_error(&job->records) || buf_error(&job->notes)) {
        node_fail(n, RAPPORT_NOMEM);
        return;
    }
    struct node_effect *e = effect_push(n, RAPPORT_EFFECT_STORE);
    if (!e)
        return;
    n->open_job = NULL;
    job->batch.deltas = (const struct batch_delta *)(const void *)job->deltas.ptr;
    job->batch.n_deltas = job->deltas.len / sizeof(struct batch_delta);
    job->batch.records = (const struct batch_record *)(const void *)job->records.ptr;
    job->batch.n_records = job->records.len / sizeof(struct batch_record);
    job->batch.notes = (const struct batch_note *)(const void *)job->notes.ptr;
    job->batch.n_notes = job->notes.len / sizeof(struct batch_note);
    e->effect.store = job->id;
    e->effect.batch = &job->batch;
    *n->jobs_last = job;
    n->jobs_last = &job->next;
}

static void tell_height(struct rapport_node *n, const struct have_row *row, bool durable)
{
    bool own = n->has_own_log && memcmp(row->log, n->own_log, sizeof n->own_log) == 0;
    uint32_t from = own ? GOSSIP_LOCAL : GOSSIP_STORED;
    if (own && row->next > n->own_written)
        n->own_written = row->next;
    if (gossip_our_have(n->gossip, row->log, row->next, durable, from, n->now))
        node_fail(n, RAPPORT_NOMEM);
}

void job_written(struct rapport_node *n, uint64_t id)
{
    for (struct store_job *job = n->jobs; job && job->id <= id; job = job->next) {
        if (job->id == n->failed_store)
            return; /* nothing that comes after it is whole */
        if (job->written)
            continue;
        job->written = true;
        for (size_t i = 0; i < job->heights.n; i++)
            tell_height(n, &job->heights.rows[i], false);
    }
}

void job_stored(struct rapport_node *n, uint64_t id)
{
    job_written(n, id);
    while (n->jobs && n->jobs->id <= id && n->jobs->id != n->failed_store) {
        struct store_job *job = n->jobs;
        n->jobs = job->next;
        if (!n->jobs)
            n->jobs_last = &n->jobs;
        for (size_t i = 0; i < job->heights.n; i++) {
            const struct have_row *row = &job->heights.rows[i];
            if (have_raise(&n->durable, row->log, row->next))
                node_fail(n, RAPPORT_NOMEM);
            tell_height(n, row, true);
        }
        links_stored(n, job->id);
        job_free(job);
    }
}
