/*
 * ingest.c - deltas of others: from a DELTAS message into log, batch, report and books.
 *
 * A run that lacks a dep is parked (bounded; what falls out is asked for again by the books' stall
 * rule) and tried again when that dep's log has moved. Nothing here needs keys but delta_apply: a
 * payload that does not open is carried on.
 */
#include "node/parts.h"

#include <stdlib.h>

void decoded_clear(struct decoded *run)
{
    for (size_t i = 0; run->bytes && i < run->n; i++)
        buf_clear(&run->bytes[i]);
    free(run->bytes);
    free(run->deltas);
    *run = (struct decoded){0};
}

int decoded_reserve(struct decoded *run, size_t n)
{
    run->deltas = malloc(n * sizeof *run->deltas);
    run->bytes = calloc(n, sizeof *run->bytes);
    return run->deltas && run->bytes ? 0 : RAPPORT_NOMEM;
}

/* Puts log id and prev back and decodes; stops at the first delta that is not well formed. */
static int decode_message(const struct rapport_node *n, const struct message_deltas *m,
                          struct decoded *run)
{
    int error = decoded_reserve(run, m->n);
    struct slice prev = m->prev;
    while (!error && run->n < m->n) {
        struct buf *bytes = &run->bytes[run->n];
        error = delta_restore(m->deltas[run->n], m->log, prev, bytes);
        if (!error)
            error = delta_decode(buf_slice(bytes), n->report_id, &run->deltas[run->n]);
        if (!error) {
            prev = slice_of(run->deltas[run->n].hash, HASH_BYTES);
            run->n++;
        } else {
            buf_clear(bytes);
        }
    }
    return error;
}

static int decode_parked(const struct rapport_node *n, const struct parked *p, struct decoded *run)
{
    int error = decoded_reserve(run, LOG_RUN_MOST);
    struct slice rest = buf_slice(&p->bytes);
    while (!error && rest.len && run->n < LOG_RUN_MOST) {
        size_t len = 0;
        error = mp_check_prefix(rest, MP_MOST_ITEMS, &len);
        if (!error)
            error = delta_decode(slice_of(rest.ptr, len), n->report_id, &run->deltas[run->n]);
        if (!error) {
            rest = slice_skip(rest, len);
            run->n++;
        }
    }
    return error;
}

/* What the head of d's log now implies of other logs: exact where a dep was itself a head, else
 * only that dep. */
static int past_learn(struct rapport_node *n, const struct delta *d)
{
    if (!d->n_deps)
        return 0;
    struct have *past = map_get(&n->pasts, d->log);
    if (!past) {
        past = calloc(1, sizeof *past);
        if (!past || map_put(&n->pasts, d->log, past)) {
            free(past);
            return RAPPORT_NOMEM;
        }
    }
    int error = 0;
    for (size_t i = 0; i < d->n_deps && !error; i++) {
        error = have_raise(past, d->deps[i].log, d->deps[i].end);
        const struct log *dep = log_find(&n->logs, d->deps[i].log);
        const struct have *further = map_get(&n->pasts, d->deps[i].log);
        if (!dep || dep->next != d->deps[i].end || !further || further == past)
            continue;
        for (size_t k = 0; k < further->n && !error; k++)
            error = have_raise(past, further->rows[k].log, further->rows[k].next);
    }
    return error;
}

static void recent_drop_oldest(struct rapport_node *n)
{
    struct recent *oldest = n->recent;
    n->recent = oldest->next;
    if (!n->recent)
        n->recent_last = &n->recent;
    if (oldest->newer)
        oldest->newer->older = NULL;
    else
        map_remove(&n->recent_by_log, oldest->log);
    n->recent_bytes -= oldest->bytes.len;
    buf_clear(&oldest->bytes);
    free(oldest);
}

/* Without memory it is not kept, and a load serves it. */
static void recent_add(struct rapport_node *n, const struct delta *d)
{
    struct recent *r = calloc(1, sizeof *r);
    if (r)
        buf_append_slice(&r->bytes, d->bytes);
    struct recent *older = map_get(&n->recent_by_log, d->log);
    if (!r || buf_error(&r->bytes) || map_put(&n->recent_by_log, d->log, r)) {
        if (r)
            buf_clear(&r->bytes);
        free(r);
        return;
    }
    memcpy(r->log, d->log, sizeof r->log);
    r->first = d->first;
    r->end = d->end;
    r->older = older;
    if (older)
        older->newer = r;
    *n->recent_last = r;
    n->recent_last = &r->next;
    n->recent_bytes += r->bytes.len;
    while (n->recent_bytes > NODE_RECENT_BYTES && n->recent != r)
        recent_drop_oldest(n);
}

const struct recent *recent_find(const struct rapport_node *n, const uint8_t log[LOG_ID_BYTES],
                                 uint64_t from)
{
    const struct recent *r = map_get(&n->recent_by_log, log);
    while (r && r->first > from)
        r = r->older;
    return r && from < r->end ? r : NULL;
}

void delta_apply(struct rapport_node *n, const struct delta *d)
{
    const struct log *log = log_find(&n->logs, d->log);
    const struct epoch_keys *epoch = node_epoch(n, d->epoch);
    if (!log || !epoch)
        return;
    struct buf plain = BUF_INIT;
    int error = delta_open(d, epoch, &plain);
    if (!error)
        error = report_apply(n->report, d, log->origin, buf_slice(&plain));
    if (error == RAPPORT_NOMEM)
        node_fail(n, error);
    buf_wipe(&plain);
    n->cache_dirty = true;
}

void delta_taken(struct rapport_node *n, const struct delta *d, uint32_t from_link)
{
    node_changed(n);
    n->roster_moved |= d->kind == DELTA_CONTROL;
    job_add_delta(n, d);
    recent_add(n, d);
    if (past_learn(n, d))
        node_fail(n, RAPPORT_NOMEM);
    if (from_link == GOSSIP_LOCAL)
        return; /* applied when it was typed, and told to peers once it is written */
    delta_apply(n, d);
    if (gossip_our_have(n->gossip, d->log, d->end, false, from_link, n->now))
        node_fail(n, RAPPORT_NOMEM);
}

static void parked_remove(struct rapport_node *n, struct parked **at)
{
    struct parked *p = *at;
    *at = p->next;
    if (!*at)
        n->parked_last = at;
    n->n_parked--;
    n->parked_bytes -= p->bytes.len;
    buf_clear(&p->bytes);
    free(p);
}

static void park(struct rapport_node *n, const struct decoded *run, size_t from,
                 const struct delta_dep *missing)
{
    if (n->n_parked == NODE_MOST_PARKED || n->parked_bytes > NODE_MOST_PARKED_BYTES)
        return;
    struct parked *p = calloc(1, sizeof *p);
    for (size_t i = from; p && i < run->n; i++)
        buf_append_slice(&p->bytes, run->deltas[i].bytes);
    if (!p || buf_error(&p->bytes)) {
        free(p);
        return;
    }
    memcpy(p->log, run->deltas[from].log, sizeof p->log);
    p->missing = *missing;
    *n->parked_last = p;
    n->parked_last = &p->next;
    n->n_parked++;
    n->parked_bytes += p->bytes.len;
}

enum {
    EARLY_DELTAS = 10
};

/* Is this one behind the first deltas of its log? Those go everywhere before the links have
 * settled. */
static bool is_late(const struct log *log, const struct delta *d)
{
    size_t at = 0;
    while (at < log->n_entries && at <= EARLY_DELTAS && log->entries[at].end != d->end)
        at++;
    return at >= EARLY_DELTAS;
}

static void count_copies(struct rapport_node *n, const struct decoded *run,
                         const struct log_outcome *outcome)
{
    const struct log *log = log_find(&n->logs, run->deltas[0].log);
    for (size_t i = 0; log && i < outcome->n_known + outcome->n_accepted; i++) {
        bool late = is_late(log, &run->deltas[i]), taken = i >= outcome->n_known;
        n->counters.received++;
        n->counters.taken += taken;
        n->counters.received_late += late;
        n->counters.taken_late += late && taken;
    }
}

/* The run starts behind our head: what lies between is missing. */
static void ask_from_head(struct rapport_node *n, struct link *l, const uint8_t id[LOG_ID_BYTES])
{
    const struct log *log = log_find(&n->logs, id);
    struct message_need need = {.from = log ? log->next : 0};
    struct buf out = BUF_INIT;
    memcpy(need.log, id, sizeof need.log);
    message_put_need(&out, &need);
    link_message(n, l, &out);
    buf_clear(&out);
}

/* What starts behind our head waits for the delta in front of it. */
static struct delta_dep dep_before(const struct delta *d)
{
    struct delta_dep dep = {.end = d->first};
    memcpy(dep.log, d->log, sizeof dep.log);
    memcpy(dep.hash, d->prev.ptr, sizeof dep.hash);
    return dep;
}

/* Takes a decoded run, from a link or (NULL) from what was parked or a bundle. Returns true when a
   log moved. */
static bool take_run(struct rapport_node *n, struct link *l, const struct decoded *run,
                     struct log_outcome *out)
{
    struct log_outcome outcome;
    *out = (struct log_outcome){.stop = LOG_INVALID, .error = RAPPORT_LIMIT};
    if (n->has_own_log && memcmp(run->deltas[0].log, n->own_log, sizeof n->own_log) == 0)
        node_doubt_log(n, run->deltas[run->n - 1].end);
    int error = log_accept(&n->logs, run->deltas, run->n, &outcome);
    if (error == RAPPORT_NOMEM)
        node_fail(n, error);
    if (error)
        return false; /* more logs than a report may have: not taken */
    for (size_t i = 0; i < outcome.n_accepted; i++)
        delta_taken(n, &run->deltas[outcome.n_known + i], l ? l->conn : GOSSIP_STORED);
    count_copies(n, run, &outcome);
    *out = outcome;
    size_t stopped = outcome.n_known + outcome.n_accepted;
    switch (outcome.stop) {
    case LOG_ALL:
        if (l && !outcome.n_accepted)
            gossip_duplicate(n->gossip, l->conn, run->deltas[0].log, run->deltas[run->n - 1].end,
                             n->now);
        break;
    case LOG_MISSING:
        park(n, run, stopped, &outcome.missing);
        break;
    case LOG_GAP:
        if (l)
            ask_from_head(n, l, run->deltas[stopped].log);
        else {
            out->missing = dep_before(&run->deltas[stopped]);
            park(n, run, stopped, &out->missing);
        }
        break;
    case LOG_FORKED:
        break;
    case LOG_INVALID:
        if (l)
            l->refused = outcome.error;
        break;
    }
    return outcome.n_accepted > 0;
}

static bool take(struct rapport_node *n, struct link *l, const struct decoded *run)
{
    struct log_outcome outcome;
    return take_run(n, l, run, &outcome);
}

/* Has the log of the dep come that far? With another hash there it never will have: the run then
 * goes. */
static bool dep_is_settled(const struct rapport_node *n, const struct delta_dep *dep, bool *here)
{
    uint64_t lamport;
    const struct log *log = log_find(&n->logs, dep->log);
    *here = log_has_dep(&n->logs, dep, &lamport);
    return *here || (log && log->next >= dep->end);
}

/* Tries one parked run again. Returns true when a log moved. */
static bool retry_one(struct rapport_node *n, struct parked **at, bool here)
{
    struct decoded run = {0};
    struct parked taken = **at;
    (*at)->bytes = BUF_INIT; /* `taken` owns them now */
    n->parked_bytes -= taken.bytes.len;
    parked_remove(n, at);
    if (here && decode_parked(n, &taken, &run) == RAPPORT_NOMEM)
        node_fail(n, RAPPORT_NOMEM);
    bool moved = run.n && take(n, NULL, &run);
    decoded_clear(&run);
    buf_clear(&taken.bytes);
    return moved;
}

static void retry_parked(struct rapport_node *n)
{
    for (bool moved = true; moved && !n->failure;) {
        moved = false;
        for (struct parked **at = &n->parked; *at && !moved;) {
            bool here;
            if (dep_is_settled(n, &(*at)->missing, &here))
                moved = retry_one(n, at, here);
            else
                at = &(*at)->next;
        }
    }
}

void ingest_run(struct rapport_node *n, struct link *l, const struct message_deltas *m)
{
    if (n->index != INDEX_DONE || n->failure)
        return; /* asked for again by the books */
    struct decoded run = {0};
    int error = decode_message(n, m, &run);
    if (error == RAPPORT_NOMEM)
        node_fail(n, error);
    else if (error)
        l->refused = error;
    if (run.n && take(n, l, &run))
        retry_parked(n);
    decoded_clear(&run);
}

void ingest_decoded(struct rapport_node *n, const struct decoded *run, struct log_outcome *out)
{
    if (take_run(n, NULL, run, out))
        retry_parked(n);
}

void ingest_clear(struct rapport_node *n)
{
    while (n->parked)
        parked_remove(n, &n->parked);
    while (n->recent)
        recent_drop_oldest(n);
}
