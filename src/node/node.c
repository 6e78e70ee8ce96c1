/*
 * node.c - the step machine: an event in, then whatever follows from it (node_settle), effects out.
 *
 * It knows no sockets, files or clocks. The model is cowsql/raft's raft_step; see
 * include/rapport/rapport.h.
 */
#include "node/parts.h"

#include <stdlib.h>

void node_fail(struct rapport_node *n, int error)
{
    if (!n->failure)
        n->failure = error;
    n->damaged = true;
}

void node_store_failed(struct rapport_node *n, uint64_t store, int error)
{
    if (!n->failure)
        n->failure = error;
    if (!n->failed_store || store < n->failed_store)
        n->failed_store = store;
    stores_drop(n);
}

void node_changed(struct rapport_node *n)
{
    n->digest_valid = false;
    n->cache_dirty = true;
    n->changed_at = n->now;
    for (struct link *l = n->links; l; l = l->next)
        l->digest_due = true;
}

/* A card of this device with the name from the configuration. */
static int make_card(struct rapport_node *n, const struct rapport_node_config *config)
{
    struct slice name = slice_str(config->name ? config->name : "");
    int error = card_make(&n->card, &n->keys, name, config->wall_ms);
    if (!error)
        memcpy(n->name, n->card.name, sizeof n->name);
    return error;
}

static int read_ticket(struct rapport_node *n, const struct rapport_node_config *config)
{
    int error = ticket_decode(slice_str(config->ticket ? config->ticket : ""), &n->ticket);
    if (error)
        return error;
    if (n->ticket.expires_s && n->ticket.expires_s < config->wall_ms / 1000)
        return RAPPORT_EXPIRED;
    n->has_ticket = true;
    for (size_t i = 0; i < n->ticket.n_addrs; i++) {
        const struct ticket_addr *t = &n->ticket.addrs[i];
        struct rapport_address a = {.family = t->family, .port = t->port};
        memcpy(a.bytes, t->addr, sizeof a.bytes);
        struct candidate *c = candidate_add(n, &a, RAPPORT_SOURCE_TICKET);
        if (!c)
            return RAPPORT_NOMEM;
        c->who = 1; /* all are the inviter's */
        c->who_by = RAPPORT_SOURCE_TICKET;
    }
    return 0;
}

static int node_start(struct rapport_node *n, const struct rapport_node_config *config)
{
    int error = make_card(n, config);
    if (!error)
        error = report_create(rng_u64(&n->rng), &n->report);
    if (!error)
        error = gossip_create(rng_u64(&n->rng), &n->rng, &n->gossip);
    if (error)
        return error;
    switch (config->start) {
    case RAPPORT_START_OPEN:
        start_phase(n, PHASE_RECORDS);
        return n->failure;
    case RAPPORT_START_INIT:
        return start_init(n, config->title ? config->title : "");
    case RAPPORT_START_JOIN:
        n->phase = PHASE_JOINING;
        return read_ticket(n, config);
    }
    return RAPPORT_INVALID;
}

int rapport_node_create(const struct rapport_node_config *config, struct rapport_node **out)
{
    struct rapport_node *n = calloc(1, sizeof *n);
    if (!n)
        return RAPPORT_NOMEM;
    n->effects_last = &n->effects;
    n->jobs_last = &n->jobs;
    n->parked_last = &n->parked;
    n->recent_last = &n->recent;
    n->wall_ms = config->wall_ms;
    n->new_log = config->new_log;
    n->cache_due = NODE_CACHE_MS;
    rng_init(&n->rng, config->seed);
    map_init(&n->pasts, LOG_ID_BYTES, rng_u64(&n->rng));
    map_init(&n->recent_by_log, LOG_ID_BYTES, rng_u64(&n->rng));
    device_keys_from_seed(&n->keys, config->device_seed);
    int error = node_start(n, config);
    if (error) {
        rapport_node_destroy(n);
        return error;
    }
    *out = n;
    return 0;
}

static void past_free(struct map *pasts)
{
    size_t at = 0;
    for (struct have *past; (past = map_next(pasts, &at));) {
        have_clear(past);
        free(past);
    }
    map_clear(pasts);
}

void rapport_node_destroy(struct rapport_node *n)
{
    if (!n)
        return;
    links_end_all(n);
    effects_clear(n);
    jobs_clear(n);
    bundles_clear(n);
    ingest_clear(n);
    candidates_clear(n);
    exchange_clear(n);
    draft_destroy(n->draft);
    gossip_destroy(n->gossip);
    report_destroy(n->report);
    if (n->has_report)
        log_set_clear(&n->logs);
    have_clear(&n->named);
    have_clear(&n->durable);
    past_free(&n->pasts);
    map_clear(&n->recent_by_log);
    buf_clear(&n->note_loaded);
    for (size_t i = 0; i < n->n_epochs; i++)
        epoch_wipe(&n->epochs[i]);
    free(n->epochs);
    free(n->text_out);
    ticket_wipe(&n->ticket);
    device_keys_wipe(&n->keys);
    rng_wipe(&n->rng);
    free(n);
}

static bool listens_there(const struct rapport_node *n, const struct rapport_event *e)
{
    bool same = e->n_listen == n->n_listen;
    for (size_t i = 0; same && i < n->n_listen; i++)
        same = hint_same(&n->listen[i], &e->listen[i]);
    return same;
}

static void go_online(struct rapport_node *n, const struct rapport_event *e)
{
    if (!n->online || !listens_there(n, e))
        dials_restart(n);
    n->online = n->own_record_due = true;
    n->n_listen = 0;
    for (size_t i = 0; i < e->n_listen && i < NODE_MOST_LISTEN; i++)
        n->listen[n->n_listen++] = e->listen[i];
}

static void loaded_row(struct rapport_node *n, const struct rapport_event *e)
{
    if (e->load == n->phase_load)
        start_row(n, e->row);
    else if (e->load == n->note_load)
        note_row(n, e->row);
    else
        for (struct link *l = n->links; l; l = l->next)
            if (l->load == e->load)
                serve_row(n, l, e->row);
}

static void loaded_end(struct rapport_node *n, const struct rapport_event *e)
{
    if (e->error)
        node_fail(n, e->error);
    if (e->load == n->phase_load)
        start_end(n, e->error);
    else if (e->load == n->note_load)
        note_end(n, e->error);
    else
        for (struct link *l = n->links; l; l = l->next)
            if (l->load == e->load)
                serve_end(n, l);
}

static void drained(struct rapport_node *n, uint32_t conn)
{
    struct link *l = link_find(n, conn);
    if (!l)
        return;
    l->blocked = false;
    l->n_sent = 0;
}

static int dispatch(struct rapport_node *n, const struct rapport_event *e)
{
    struct candidate *c;
    switch (e->kind) {
    case RAPPORT_EVENT_TIMEOUT:
        return 0;
    case RAPPORT_EVENT_ONLINE:
        go_online(n, e);
        return 0;
    case RAPPORT_EVENT_OFFLINE:
        n->online = false;
        links_end_all(n);
        dials_cancel_all(n);
        return 0;
    case RAPPORT_EVENT_CONNECTED:
        link_open(n, e);
        return 0;
    case RAPPORT_EVENT_DIAL_FAILED:
        if ((c = candidate_of_dial(n, e->dial)))
            candidate_failed(n, c, e->error, false);
        return 0;
    case RAPPORT_EVENT_RECEIVED:
        link_receive(n, e);
        return 0;
    case RAPPORT_EVENT_CLOSED:
        link_closed(n, e);
        return 0;
    case RAPPORT_EVENT_DRAINED:
        drained(n, e->conn);
        return 0;
    case RAPPORT_EVENT_WRITTEN:
        job_written(n, e->store);
        return 0;
    case RAPPORT_EVENT_STORED:
        job_stored(n, e->store);
        return 0;
    case RAPPORT_EVENT_STORE_FAILED:
        node_store_failed(n, e->store, e->error ? e->error : RAPPORT_IO);
        return 0;
    case RAPPORT_EVENT_LOADED_ROW:
        loaded_row(n, e);
        return 0;
    case RAPPORT_EVENT_LOADED_END:
        loaded_end(n, e);
        return 0;
    case RAPPORT_EVENT_CANDIDATE:
        return candidate_event(n, e);
    case RAPPORT_EVENT_CANDIDATE_LOST:
        candidate_lost(n, e);
        return 0;
    case RAPPORT_EVENT_MOVED:
        links_moved(n);
        return 0;
    case RAPPORT_EVENT_EDIT:
        return node_edit(n, e->edit);
    case RAPPORT_EVENT_BUNDLE:
        return bundle_receive(n, e);
    case RAPPORT_EVENT_FLUSH:
        n->flush = true;
        return 0;
    }
    return RAPPORT_INVALID;
}

/* Rows of a load come by the thousand and nothing can follow from one before its end. */
static bool settles(enum rapport_event_kind kind)
{
    return kind != RAPPORT_EVENT_LOADED_ROW;
}

static void node_settle(struct rapport_node *n)
{
    if (n->phase == PHASE_READY) {
        if (n->flush || draft_deadline(n) <= n->now)
            node_seal(n);
        notes_load_wanted(n);
        if (n->flush || (n->cache_dirty && n->now >= n->cache_due))
            cache_save(n);
        n->flush = false;
        notes_tell_changed(n);
    }
    job_close(n);
    if (n->roster_moved) {
        links_end_removed(n);
        candidates_drop_removed(n);
        exchange_drop_removed(n);
    }
    n->roster_moved = false;
    exchange_tick(n);
    dial_due(n);
    links_tick(n);
    links_serve(n);
    exchange_serve(n);
    links_send(n);
}

int rapport_node_step(struct rapport_node *n, rapport_time_ms now, const struct rapport_event *e)
{
    n->now = now > n->now ? now : n->now;
    n->wall_ms = e->wall_ms;
    int error = dispatch(n, e);
    if (settles(e->kind))
        node_settle(n);
    return error;
}

static rapport_time_ms earlier(rapport_time_ms a, rapport_time_ms b)
{
    return a < b ? a : b;
}

rapport_time_ms rapport_node_deadline(const struct rapport_node *n)
{
    rapport_time_ms at = links_deadline(n);
    at = earlier(at, dial_deadline(n));
    at = earlier(at, exchange_deadline(n));
    if (n->phase == PHASE_READY && !n->failure) {
        at = earlier(at, draft_deadline(n));
        if (n->cache_dirty)
            at = earlier(at, n->cache_due);
    }
    return at;
}

bool node_is_member(const struct rapport_node *n)
{
    return n->phase == PHASE_READY && report_member_by_sign(n->report, n->keys.sign_public);
}

bool rapport_node_ready(const struct rapport_node *n)
{
    return node_is_member(n) && !report_next_unloaded(n->report);
}

int rapport_node_failure(const struct rapport_node *n)
{
    return n->failure;
}

uint64_t rapport_node_unsaved(const struct rapport_node *n)
{
    if (!n->has_own_log)
        return n->draft ? draft_next_event(n->draft) : 0;
    const struct log *log = log_find(&n->logs, n->own_log);
    uint64_t made = n->draft ? draft_next_event(n->draft) : log ? log->next : 0;
    uint64_t stored = have_get(&n->durable, n->own_log);
    return made > stored ? made - stored : 0;
}
