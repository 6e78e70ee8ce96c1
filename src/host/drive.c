/*
 * drive.c - drives the node: events in with the time, effects carried out.
 *
 * Batches are committed as they come. Offline one sync follows when no effect waits any more, so a
 * verb pays for one; with hooks the driver syncs when it likes. Between gather_begin and gather_end
 * batches are copied and written in one transaction together with the mirror's records: a file is
 * marked as taken by the very transaction that takes it.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/utf8.h"
#include "host/state.h"

enum {
    EDIT_MOST_TRIES = 8 /* loads that one edit may wait for */
};

static uint64_t clock_ms(clockid_t id)
{
    struct timespec t;
    (void)clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Time asleep counts: after a night every timer is due. */
rapport_time_ms host_now(void)
{
    return clock_ms(CLOCK_BOOTTIME);
}

uint64_t host_wall(void)
{
    return clock_ms(CLOCK_REALTIME);
}

/* ---- telling the person ---- */

void host_say(struct host *h, const char *format, ...)
{
    char raw[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    size_t len = n < 0 ? 0 : (size_t)n < sizeof raw ? (size_t)n : sizeof raw - 1;
    struct buf line = BUF_INIT;
    utf8_printable(&line, slice_of(raw, len), true);
    if (buf_cstr(&line) && !h->calling && h->hooked && h->hooks.notice)
        h->hooks.notice(h->hooks.user, (char *)line.ptr);
    else if (buf_cstr(&line) && h->n_notices < HOST_MOST_NOTICES)
        h->notices[h->n_notices++] = (char *)buf_detach(&line, &len);
    buf_clear(&line);
}

bool host_next_notice(struct host *h, struct buf *out)
{
    if (h->n_notices == 0)
        return false;
    buf_append_str(out, h->notices[0]);
    free(h->notices[0]);
    memmove(h->notices, h->notices + 1, --h->n_notices * sizeof h->notices[0]);
    return true;
}

void host_fail(struct host *h, int error, const char *what)
{
    if (h->failure)
        return;
    h->failure = error;
    const char *cause = store_error(h->store);
    buf_printf(&h->failure_text, "%s: %s", what, cause && *cause ? cause : rapport_strerror(error));
    if (error == RAPPORT_FULL)
        buf_append_str(&h->failure_text,
                       ", then start rapport again: files in the folder stay as they are and are "
                       "taken in then");
    (void)buf_cstr(&h->failure_text);
}

const char *host_failure(const struct host *h, int *error)
{
    int code = h->failure ? h->failure : rapport_node_failure(h->node);
    if (error)
        *error = code;
    if (!code)
        return NULL;
    return h->failure && h->failure_text.ptr ? (char *)h->failure_text.ptr : rapport_strerror(code);
}

/* ---- events ---- */

static int step(struct host *h, struct rapport_event *event)
{
    event->wall_ms = host_wall();
    return rapport_node_step(h->node, host_now(), event);
}

static void step_store(struct host *h, enum rapport_event_kind kind, uint64_t id, int error)
{
    struct rapport_event event = {.kind = kind, .store = id, .error = error};
    (void)step(h, &event);
}

/* ---- storing ---- */

/* Before the first deltas of this run: the token goes outside first, then with them. */
static void begin_run(struct host *h)
{
    if (h->last.fd >= 0 || !rapport_node_report_id(h->node, h->database.report))
        return;
    if (last_begin(&h->last, h->home, &h->database))
        host_say(h,
                 "%s/last cannot be written, so a restored backup of this report may go unnoticed",
                 h->home);
}

/* Writes a batch with the records that belong to it. */
static int commit(struct host *h, const struct batch *batch, const struct batch_record *more,
                  size_t n_more)
{
    uint8_t run[LAST_TOKEN_BYTES + RAPPORT_REPORT_ID_BYTES];
    bool begins = batch->n_deltas > 0 && h->last.fd < 0;
    if (begins)
        begin_run(h);
    begins = begins && h->last.fd >= 0;
    struct batch whole = *batch;
    size_t n = batch->n_records + n_more + begins;
    struct batch_record *records = calloc(n ? n : 1, sizeof *records);
    if (!records)
        return RAPPORT_NOMEM;
    if (batch->n_records)
        memcpy(records, batch->records, batch->n_records * sizeof *records);
    if (n_more)
        memcpy(records + batch->n_records, more, n_more * sizeof *records);
    if (begins) {
        memcpy(run, h->last.token, LAST_TOKEN_BYTES);
        memcpy(run + LAST_TOKEN_BYTES, h->database.report, RAPPORT_REPORT_ID_BYTES);
        records[n - 1] =
            (struct batch_record){slice_str("local/host/run"), slice_of(run, sizeof run)};
    }
    whole.records = records;
    whole.n_records = n;
    int error = store_commit(h->store, &whole);
    free(records);
    uint64_t arrival;
    if (!error && h->last.fd >= 0 && !store_last_arrival(h->store, &arrival))
        last_note(&h->last, arrival);
    return error;
}

static void written(struct host *h, uint64_t id)
{
    h->written = id;
    step_store(h, RAPPORT_EVENT_WRITTEN, id, 0);
    if (h->hooked && h->hooks.sync)
        h->hooks.sync(h->hooks.user, id);
}

static void store_now(struct host *h, uint64_t id, const struct batch *batch)
{
    int error = commit(h, batch, NULL, 0);
    if (!error) {
        written(h, id);
        return;
    }
    host_fail(h, error, "the database cannot be written");
    step_store(h, RAPPORT_EVENT_STORE_FAILED, id, error);
}

/* Offline: everything written goes to the disk. */
static void sync_now(struct host *h)
{
    uint64_t id = h->written;
    int error = store_sync(h->store);
    if (error)
        host_fail(h, error, "the database cannot be brought to the disk");
    host_synced(h, id, error);
}

void host_synced(struct host *h, uint64_t store_id, int error)
{
    if (store_id <= h->synced)
        return;
    h->synced = store_id;
    if (error)
        host_fail(h, error, "the database cannot be brought to the disk");
    step_store(h, error ? RAPPORT_EVENT_STORE_FAILED : RAPPORT_EVENT_STORED, store_id, error);
    host_drain(h);
}

/* ---- gathering ---- */

static struct slice keep(struct gather *g, struct slice s)
{
    if (!s.ptr || g->error)
        return s;
    s.ptr = (uint8_t *)arena_copy(&g->arena, s.ptr, s.len);
    if (!s.ptr)
        g->error = RAPPORT_NOMEM;
    g->n_bytes += s.len;
    return s;
}

static void *keep_array(struct gather *g, const void *rows, size_t n, size_t size)
{
    void *copy = n ? arena_copy(&g->arena, rows, n * size) : NULL;
    if (n && !copy)
        g->error = RAPPORT_NOMEM;
    return copy;
}

static void store_later(struct gather *g, uint64_t id, const struct batch *batch)
{
    struct gathered *kept = arena_alloc(&g->arena, sizeof *kept);
    struct batch_delta *deltas =
        keep_array(g, batch->deltas, batch->n_deltas, sizeof *batch->deltas);
    struct batch_record *records =
        keep_array(g, batch->records, batch->n_records, sizeof *batch->records);
    struct batch_note *notes = keep_array(g, batch->notes, batch->n_notes, sizeof *batch->notes);
    if (!kept)
        g->error = RAPPORT_NOMEM;
    if (g->error)
        return;
    for (size_t i = 0; i < batch->n_deltas; i++)
        deltas[i].bytes = keep(g, deltas[i].bytes);
    for (size_t i = 0; i < batch->n_records; i++) {
        records[i].key = keep(g, records[i].key);
        records[i].value = keep(g, records[i].value);
    }
    for (size_t i = 0; i < batch->n_notes; i++) {
        notes[i].meta = keep(g, notes[i].meta);
        notes[i].stored = keep(g, notes[i].stored);
    }
    *kept = (struct gathered){NULL,
                              id,
                              {deltas, batch->n_deltas, records, batch->n_records, notes,
                               batch->n_notes, batch->applied}};
    *(g->last ? &g->last->next : &g->first) = kept;
    g->last = kept;
}

void gather_begin(struct host *h)
{
    h->gather.on = true;
}

void gather_record(struct host *h, struct slice key, struct slice value)
{
    struct gather *g = &h->gather;
    if (g->n_records == g->cap_records) {
        size_t cap = g->cap_records ? 2 * g->cap_records : 64;
        struct batch_record *grown = realloc(g->records, cap * sizeof *grown);
        if (!grown) {
            g->error = RAPPORT_NOMEM;
            return;
        }
        g->records = grown;
        g->cap_records = cap;
    }
    g->records[g->n_records++] = (struct batch_record){keep(g, key), keep(g, value)};
}

/* One batch of all that was kept back. The last value of a key wins in the store. */
static int gather_commit(struct host *h)
{
    struct gather *g = &h->gather;
    struct batch all = {0};
    for (struct gathered *b = g->first; b; b = b->next) {
        all.n_deltas += b->batch.n_deltas;
        all.n_records += b->batch.n_records;
        all.n_notes += b->batch.n_notes;
    }
    struct batch_delta *deltas = arena_alloc(&g->arena, (all.n_deltas + 1) * sizeof *deltas);
    struct batch_record *records = arena_alloc(&g->arena, (all.n_records + 1) * sizeof *records);
    struct batch_note *notes = arena_alloc(&g->arena, (all.n_notes + 1) * sizeof *notes);
    if (g->error || !deltas || !records || !notes)
        return RAPPORT_NOMEM;
    /* The cache is as complete as the last batch says: earlier ones say it of less. */
    all = (struct batch){deltas, 0, records, 0, notes, 0, g->last && g->last->batch.applied};
    for (struct gathered *b = g->first; b; b = b->next) {
        for (size_t i = 0; i < b->batch.n_deltas; i++)
            deltas[all.n_deltas++] = b->batch.deltas[i];
        for (size_t i = 0; i < b->batch.n_records; i++)
            records[all.n_records++] = b->batch.records[i];
        for (size_t i = 0; i < b->batch.n_notes; i++)
            notes[all.n_notes++] = b->batch.notes[i];
    }
    return commit(h, &all, g->records, g->n_records);
}

static void gather_clear(struct gather *g)
{
    arena_clear(&g->arena);
    free(g->records);
    *g = (struct gather){.arena = ARENA_INIT};
}

int gather_end(struct host *h)
{
    struct gather *g = &h->gather;
    struct rapport_event flush = {.kind = RAPPORT_EVENT_FLUSH};
    if (!h->failure)
        (void)host_step(h, &flush);
    int error = h->failure;
    if (!error && (g->first || g->n_records || g->error))
        error = gather_commit(h);
    if (error && !h->failure)
        host_fail(h, error, "the database cannot be written");
    g->on = false;
    for (struct gathered *b = g->first; b; b = b->next) {
        if (error)
            step_store(h, RAPPORT_EVENT_STORE_FAILED, b->store, error);
        else
            written(h, b->store);
    }
    bool records_only = !error && !g->first && g->n_records;
    gather_clear(g);
    host_drain(h);
    if (records_only && !h->hooked && store_sync(h->store))
        host_fail(h, RAPPORT_IO, "the database cannot be brought to the disk");
    return h->failure;
}

/* ---- loading ---- */

struct loading {
    struct host *h;
    uint64_t id;
};

/* The host's and the mirror's records mean nothing to the node, and there is one for each note. */
static bool is_ours(struct slice key)
{
    static const char mirror[] = "local/mirror/", host[] = "local/host/";
    return (key.len > sizeof mirror - 1 && memcmp(key.ptr, mirror, sizeof mirror - 1) == 0) ||
           (key.len > sizeof host - 1 && memcmp(key.ptr, host, sizeof host - 1) == 0);
}

static int give_row(void *user, const struct load_row *row)
{
    struct loading *l = user;
    if (is_ours(row->key))
        return 0;
    struct rapport_event event = {.kind = RAPPORT_EVENT_LOADED_ROW, .load = l->id, .row = row};
    return step(l->h, &event);
}

/* While batches are kept back, the newest form of a note may be in one of them. */
static const struct batch_note *gathered_note(const struct gather *g, const uint8_t *note)
{
    const struct batch_note *found = NULL;
    for (const struct gathered *b = g->first; b; b = b->next)
        for (size_t i = 0; i < b->batch.n_notes; i++)
            if (b->batch.notes[i].stored.ptr &&
                memcmp(b->batch.notes[i].id, note, NOTE_ID_BYTES) == 0)
                found = &b->batch.notes[i];
    return found;
}

static void load_now(struct host *h, uint64_t id, const struct load *request)
{
    struct loading l = {h, id};
    struct load copy = *request;
    const struct batch_note *kept =
        copy.kind == LOAD_NOTE ? gathered_note(&h->gather, copy.note) : NULL;
    int error;
    if (kept) {
        struct load_row row = {.value = kept->stored};
        memcpy(row.note, copy.note, sizeof row.note);
        error = give_row(&l, &row);
    } else {
        error = store_load(h->store, &copy, give_row, &l);
    }
    struct rapport_event event = {.kind = RAPPORT_EVENT_LOADED_END, .load = id, .error = error};
    (void)step(h, &event);
}

/* ---- effects ---- */

static void remember_joined(struct host *h, const uint8_t device[RAPPORT_DEVICE_ID_BYTES])
{
    if (h->join == HOST_JOIN_WAITING) {
        h->join = HOST_JOIN_DONE;
        return;
    }
    size_t most = sizeof h->joined / sizeof h->joined[0];
    if (h->n_joined == most)
        memmove(h->joined, h->joined + 1, --h->n_joined * sizeof h->joined[0]);
    memcpy(h->joined[h->n_joined++], device, RAPPORT_DEVICE_ID_BYTES);
}

static void carry_out(struct host *h, const struct rapport_effect *effect)
{
    switch (effect->kind) {
    case RAPPORT_EFFECT_SEND:
    case RAPPORT_EFFECT_CLOSE:
    case RAPPORT_EFFECT_DIAL:
    case RAPPORT_EFFECT_CANCEL:
    case RAPPORT_EFFECT_TRIED:
        if (h->hooked && h->hooks.network)
            h->hooks.network(h->hooks.user, effect);
        return;
    case RAPPORT_EFFECT_STORE:
        if (h->gather.on)
            store_later(&h->gather, effect->store, effect->batch);
        else
            store_now(h, effect->store, effect->batch);
        return;
    case RAPPORT_EFFECT_LOAD:
        load_now(h, effect->load, effect->request);
        return;
    case RAPPORT_EFFECT_CHANGED:
        mirror_mark(h, effect->note);
        return;
    case RAPPORT_EFFECT_JOINED:
        remember_joined(h, effect->device);
        return;
    case RAPPORT_EFFECT_REFUSED:
        h->join = HOST_JOIN_REFUSED;
        h->join_error = effect->error;
        return;
    }
}

void host_drain(struct host *h)
{
    struct rapport_effect effect;
    do {
        while (rapport_node_next_effect(h->node, &effect))
            carry_out(h, &effect);
        if (!h->hooked && !h->gather.on && h->written > h->synced)
            sync_now(h);
    } while (!h->hooked && !h->gather.on && h->written > h->synced);
}

int host_step(struct host *h, struct rapport_event *event)
{
    int error = step(h, event);
    host_drain(h);
    for (int i = 0; i < EDIT_MOST_TRIES; i++) {
        if (error != RAPPORT_AGAIN || event->kind != RAPPORT_EVENT_EDIT)
            break;
        error = step(h, event);
        host_drain(h);
    }
    return error;
}

int host_edit(struct host *h, const struct rapport_edit *edit)
{
    struct rapport_event event = {.kind = RAPPORT_EVENT_EDIT, .edit = edit};
    return h->failure ? h->failure : host_step(h, &event);
}

/* ---- reading a note, with loading ---- */

int host_note_text(struct host *h, const uint8_t id[RAPPORT_NOTE_ID_BYTES], char **out, size_t *len)
{
    int error = rapport_node_note_text(h->node, id, out, len);
    for (int i = 0; i < EDIT_MOST_TRIES && error == RAPPORT_AGAIN; i++) {
        host_drain(h);
        error = rapport_node_note_text(h->node, id, out, len);
    }
    return error;
}

int host_note_version(struct host *h, const uint8_t id[RAPPORT_NOTE_ID_BYTES], uint8_t **out,
                      size_t *len)
{
    int error = rapport_node_note_version(h->node, id, out, len);
    for (int i = 0; i < EDIT_MOST_TRIES && error == RAPPORT_AGAIN; i++) {
        host_drain(h);
        error = rapport_node_note_version(h->node, id, out, len);
    }
    return error;
}

int host_note_at(struct host *h, const uint8_t id[RAPPORT_NOTE_ID_BYTES],
                 struct rapport_version version, char **out, size_t *len)
{
    int error = rapport_node_note_at(h->node, id, version, out, len);
    for (int i = 0; i < EDIT_MOST_TRIES && error == RAPPORT_AGAIN; i++) {
        host_drain(h);
        error = rapport_node_note_at(h->node, id, version, out, len);
    }
    return error;
}
