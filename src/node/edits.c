/*
 * edits.c - what the person does: local edits into the draft, the draft into deltas.
 *
 * Lamport stamps must be the same here as at everybody who applies the delta, so an event that
 * carries one (all but text) is sealed at once, together with the heads that its author had seen.
 * Text waits for the draft's deadline; its delta names new heads only when it builds on them, or
 * every LOG_DEP_EVERY_MS.
 */
#include "node/parts.h"

#include <stdlib.h>

#include "base/reader.h"

/* The heads that a delta sealed now would name, and the lamport that it would get. */
struct plan {
    struct delta_dep deps[DELTA_MOST_DEPS];
    size_t n_deps;
    uint64_t lamport;
};

static int own_log_start(struct rapport_node *n)
{
    if (n->draft)
        return 0;
    if (!n->has_own_log) {
        memcpy(n->own_origin, n->keys.sign_public, sizeof n->keys.sign_public);
        rng_bytes(&n->rng, n->own_origin + sizeof n->keys.sign_public,
                  ORIGIN_BYTES - sizeof n->keys.sign_public);
        log_id_of(n->own_log, n->report_id, n->own_origin);
    }
    const struct log *log = log_find(&n->logs, n->own_log);
    int error = draft_create(n->own_log, log ? log->next : 0, &n->draft);
    if (error || n->has_own_log)
        return error;
    n->has_own_log = true;
    job_add_record(n, "local/log", slice_of(n->own_log, sizeof n->own_log));
    return n->failure;
}

/* True when another head that is not named yet implies this one. */
static bool is_implied(const struct rapport_node *n, const struct log *log)
{
    size_t at = 0;
    for (const struct log *other; (other = log_next(&n->logs, &at));) {
        if (other == log || other->next <= have_get(&n->named, other->id))
            continue;
        const struct have *past = map_get(&n->pasts, other->id);
        if (past && have_get(past, log->id) >= log->next)
            return true;
    }
    return false;
}

static int by_log(const void *a, const void *b)
{
    return memcmp(((const struct delta_dep *)a)->log, ((const struct delta_dep *)b)->log,
                  LOG_ID_BYTES);
}

static void plan_make(const struct rapport_node *n, bool with_deps, struct plan *plan)
{
    const struct log *own = log_find(&n->logs, n->own_log);
    plan->lamport = own ? own->lamport : 0;
    plan->n_deps = 0;
    size_t at = 0;
    for (const struct log *log;
         with_deps && plan->n_deps < DELTA_MOST_DEPS && (log = log_next(&n->logs, &at));) {
        if (log == own || log->next <= have_get(&n->named, log->id) || is_implied(n, log))
            continue;
        struct delta_dep *dep = &plan->deps[plan->n_deps++];
        memcpy(dep->log, log->id, sizeof dep->log);
        memcpy(dep->hash, log->head, sizeof dep->hash);
        dep->end = log->next;
        if (log->lamport > plan->lamport)
            plan->lamport = log->lamport;
    }
    plan->lamport++;
    qsort(plan->deps, plan->n_deps, sizeof plan->deps[0], by_log);
}

/* What was named, and all that it implies, need not be named again. */
static void plan_named(struct rapport_node *n, const struct plan *plan)
{
    int error = 0;
    for (size_t i = 0; i < plan->n_deps && !error; i++) {
        error = have_raise(&n->named, plan->deps[i].log, plan->deps[i].end);
        const struct have *past = map_get(&n->pasts, plan->deps[i].log);
        for (size_t k = 0; past && k < past->n && !error; k++)
            error = have_raise(&n->named, past->rows[k].log, past->rows[k].next);
    }
    if (error)
        node_fail(n, error);
    if (plan->n_deps)
        n->named_at = n->now;
}

static void seal_piece(struct rapport_node *n, const struct draft_piece *piece,
                       const struct plan *plan)
{
    const struct log *own = log_find(&n->logs, n->own_log);
    struct delta_draft draft = {
        .kind = piece->kind,
        .report_id = n->report_id,
        .log = n->own_log,
        .epoch = &n->epochs[n->n_epochs - 1],
        .keys = &n->keys,
        .first = piece->first,
        .lamport = plan->lamport,
        .wall_ms = n->wall_ms,
        .count = piece->count,
        .deps = plan->deps,
        .n_deps = plan->n_deps,
        .plain = buf_slice(&piece->plain),
        .prev = own ? slice_of(own->head, sizeof own->head)
                    : slice_of(n->own_origin, sizeof n->own_origin),
    };
    struct buf bytes = BUF_INIT;
    struct delta *d = malloc(sizeof *d);
    int error = d ? delta_make(&draft, &bytes) : RAPPORT_NOMEM;
    if (!error)
        error = delta_decode(buf_slice(&bytes), n->report_id, d);
    if (!error)
        error = log_append_own(&n->logs, d);
    if (!error)
        delta_taken(n, d, GOSSIP_LOCAL);
    else
        node_fail(n, error);
    free(d);
    buf_clear(&bytes);
}

static void seal_with(struct rapport_node *n, struct plan *plan)
{
    int error = draft_finish(n->draft);
    if (error)
        node_fail(n, error);
    for (size_t i = 0; !n->failure && draft_piece_at(n->draft, i); i++) {
        seal_piece(n, draft_piece_at(n->draft, i), plan);
        plan_named(n, plan);
        plan->n_deps = 0;
        plan->lamport++;
    }
    if (!n->failure)
        draft_reset(n->draft);
    n->sealed_at = n->now;
}

static bool draft_waits(const struct rapport_node *n)
{
    return n->draft && !draft_is_empty(n->draft);
}

void node_seal(struct rapport_node *n)
{
    if (!draft_waits(n) || n->failure)
        return;
    struct plan *plan = malloc(sizeof *plan);
    if (!plan) {
        node_fail(n, RAPPORT_NOMEM);
        return;
    }
    plan_make(n, draft_builds_on_others(n->draft) || n->now >= n->named_at + LOG_DEP_EVERY_MS,
              plan);
    seal_with(n, plan);
    free(plan);
}

void node_doubt_log(struct rapport_node *n, uint64_t next)
{
    const struct log *own = log_find(&n->logs, n->own_log);
    if (!n->has_own_log || next <= (own ? own->next : 0))
        return;
    node_seal(n); /* a second history of that log, but its numbers are in our texts already */
    if (n->failure)
        return;
    draft_destroy(n->draft);
    n->draft = NULL;
    n->has_own_log = false;
    n->own_written = 0;
}

rapport_time_ms draft_deadline(const struct rapport_node *n)
{
    return draft_waits(n) ? n->sealed_at + NODE_TYPING_MS : UINT64_MAX;
}

int version_read(struct rapport_version version, struct rapport_text_id *ids, size_t max,
                 size_t *n_ids)
{
    struct reader r = reader_of(slice_of(version.bytes, version.len));
    size_t count = (size_t)reader_varint(&r, max);
    for (size_t i = 0; i < count && !r.error; i++) {
        struct slice agent = reader_bytes(&r, LOG_ID_BYTES);
        ids[i] = (struct rapport_text_id){agent.ptr, agent.len, reader_varint(&r, UINT64_MAX)};
    }
    if (reader_end(&r))
        return RAPPORT_MALFORMED;
    *n_ids = count;
    return 0;
}

static int edit_text(struct rapport_node *n, const struct rapport_edit *e,
                     const struct edit_context *context, struct note *note)
{
    struct rapport_text_id ids[PARENTS_MOST];
    size_t n_ids = 0;
    struct slice text = slice_of(e->text, e->text_len);
    switch (e->kind) {
    case RAPPORT_EDIT_TEXT:
        if (!e->version.len)
            return report_edit_text(n->report, context, note, NULL, 0, text);
        if (version_read(e->version, ids, PARENTS_MOST, &n_ids))
            return RAPPORT_MALFORMED;
        return report_edit_text(n->report, context, note, ids, n_ids, text);
    case RAPPORT_EDIT_APPEND:
        return report_splice(n->report, context, note, rapport_text_length(note->text), 0, text);
    case RAPPORT_EDIT_SPLICE:
        return report_splice(n->report, context, note, e->pos, e->n_deleted, text);
    case RAPPORT_EDIT_NEW:
    case RAPPORT_EDIT_RENAME:
    case RAPPORT_EDIT_TRASH:
    case RAPPORT_EDIT_SETTING:
    case RAPPORT_EDIT_INVITE:
        break;
    }
    return RAPPORT_INVALID;
}

static int edit_stamped(struct rapport_node *n, const struct rapport_edit *e,
                        const struct edit_context *context, struct note *note)
{
    struct slice path = slice_str(e->path ? e->path : ""), text = slice_of(e->text, e->text_len);
    switch (e->kind) {
    case RAPPORT_EDIT_NEW:
        return report_new_note(n->report, context, e->note, path, slice_of(e->talk, e->talk_len),
                               text);
    case RAPPORT_EDIT_RENAME:
        return report_rename(n->report, context, note, path);
    case RAPPORT_EDIT_TRASH:
        return report_trash(n->report, context, note);
    case RAPPORT_EDIT_SETTING:
        return report_set(n->report, context, slice_str(e->key), text);
    case RAPPORT_EDIT_INVITE:
        return report_add_invite(n->report, context, e->public_key, e->n_uses, e->expires_s);
    case RAPPORT_EDIT_TEXT:
    case RAPPORT_EDIT_APPEND:
    case RAPPORT_EDIT_SPLICE:
        break;
    }
    return RAPPORT_INVALID;
}

static bool is_text_edit(enum rapport_edit_kind kind)
{
    return kind == RAPPORT_EDIT_TEXT || kind == RAPPORT_EDIT_APPEND || kind == RAPPORT_EDIT_SPLICE;
}

static struct edit_context context_of(struct rapport_node *n, uint64_t lamport)
{
    return (struct edit_context){n->draft, n->keys.sign_public, lamport, n->wall_ms};
}

/* Runs `apply` as an event with a stamp: what was typed before is sealed first, the event right
 * after. */
static int stamped(struct rapport_node *n,
                   int (*apply)(struct rapport_node *, const struct edit_context *, void *),
                   void *what)
{
    int error = own_log_start(n);
    if (error)
        return error;
    node_seal(n);
    struct plan *plan = malloc(sizeof *plan);
    if (!plan || n->failure) {
        free(plan);
        return n->failure ? n->failure : RAPPORT_NOMEM;
    }
    plan_make(n, true, plan);
    struct edit_context context = context_of(n, plan->lamport);
    error = apply(n, &context, what);
    if (error && draft_waits(n))
        node_fail(n, error); /* memory ran out in the middle of an edit of several events */
    if (!error && draft_waits(n))
        seal_with(n, plan);
    free(plan);
    return error ? error : n->failure;
}

struct stamped_edit {
    const struct rapport_edit *edit;
    struct note *note;
};

static int apply_edit(struct rapport_node *n, const struct edit_context *context, void *what)
{
    const struct stamped_edit *s = what;
    return edit_stamped(n, s->edit, context, s->note);
}

int node_edit(struct rapport_node *n, const struct rapport_edit *e)
{
    if (n->failure)
        return n->failure;
    if (!node_is_member(n))
        return RAPPORT_STATE;
    bool of_note =
        is_text_edit(e->kind) || e->kind == RAPPORT_EDIT_RENAME || e->kind == RAPPORT_EDIT_TRASH;
    struct note *note = of_note ? report_note(n->report, e->note) : NULL;
    if (of_note && !note)
        return RAPPORT_NOTFOUND;
    int error = note ? note_need(n, note) : 0;
    if (error)
        return error;
    node_changed(n);
    if (!is_text_edit(e->kind))
        return stamped(n, apply_edit, &(struct stamped_edit){e, note});
    error = own_log_start(n);
    if (error)
        return error;
    struct edit_context context = context_of(n, 0);
    error = edit_text(n, e, &context, note);
    n->cache_dirty = true;
    return error;
}

static int apply_genesis(struct rapport_node *n, const struct edit_context *context, void *what)
{
    return report_genesis(n->report, context, *(struct slice *)what);
}

int node_genesis(struct rapport_node *n, struct slice genesis)
{
    return stamped(n, apply_genesis, &genesis);
}

struct admission {
    const struct device_card *card;
    uint8_t invite[ID_BYTES];
};

static int apply_admission(struct rapport_node *n, const struct edit_context *context, void *what)
{
    const struct admission *a = what;
    return report_add_member(n->report, context, a->card, ROLE_MEMBER, a->invite);
}

uint64_t node_admit(struct rapport_node *n, const struct device_card *card,
                    const uint8_t invite_public[32])
{
    struct admission a = {.card = card};
    invite_id(a.invite, invite_public);
    if (stamped(n, apply_admission, &a) || !n->open_job)
        return 0;
    return n->open_job->id;
}
