/*
 * start.c - how a node comes to its report: loading it in phases, making a new one, and the
 * identity records.
 *
 * Records of the node: "local/report" (id), "local/epochs" (secrets, 32 bytes each, oldest first),
 * "local/inviter" (Noise key of whom we joined at), "local/log" (id of our own log), "local/peers"
 * (candidates.c), "local/addresses" (exchange.c), "local/acked" (notes.c), "local/held/DEVICE"
 * (bundle.c), "state" (report_encode_state), "applied" (arrival number, 8 bytes big-endian, which
 * the store sets). Those without "local/" are a cache: dropping them makes the next start replay
 * every delta.
 */
#include "node/parts.h"

#include <stdlib.h>

#include "base/reader.h"

void node_set_report(struct rapport_node *n, const uint8_t report_id[REPORT_ID_BYTES])
{
    if (n->has_report)
        return;
    memcpy(n->report_id, report_id, REPORT_ID_BYTES);
    log_set_init(&n->logs, report_id, rng_u64(&n->rng));
    n->has_report = true;
}

const struct epoch_keys *node_epoch(const struct rapport_node *n, const uint8_t id[EPOCH_ID_BYTES])
{
    for (size_t i = 0; i < n->n_epochs; i++)
        if (memcmp(n->epochs[i].id, id, EPOCH_ID_BYTES) == 0)
            return &n->epochs[i];
    return NULL;
}

int node_add_epoch(struct rapport_node *n, const uint8_t secret[EPOCH_SECRET_BYTES])
{
    for (size_t i = 0; i < n->n_epochs; i++)
        if (memcmp(n->epochs[i].secret, secret, EPOCH_SECRET_BYTES) == 0)
            return 0;
    if (n->n_epochs == NODE_MOST_EPOCHS)
        return RAPPORT_LIMIT;
    struct epoch_keys *epochs = realloc(n->epochs, (n->n_epochs + 1) * sizeof *epochs);
    if (!epochs)
        return RAPPORT_NOMEM;
    n->epochs = epochs;
    epoch_from_secret(&epochs[n->n_epochs++], secret);
    return 0;
}

void node_save_identity(struct rapport_node *n)
{
    struct buf epochs = BUF_INIT;
    for (size_t i = 0; i < n->n_epochs; i++)
        buf_append(&epochs, n->epochs[i].secret, EPOCH_SECRET_BYTES);
    if (buf_error(&epochs))
        node_fail(n, RAPPORT_NOMEM);
    job_add_record(n, "local/report", slice_of(n->report_id, sizeof n->report_id));
    job_add_record(n, "local/epochs", buf_slice(&epochs));
    if (n->has_own_log)
        job_add_record(n, "local/log", slice_of(n->own_log, sizeof n->own_log));
    if (n->has_inviter)
        job_add_record(n, "local/inviter", slice_of(n->inviter, sizeof n->inviter));
    peers_save(n);
    records_save(n);
    buf_wipe(&epochs);
}

int start_init(struct rapport_node *n, const char *title)
{
    uint8_t random[32], secret[EPOCH_SECRET_BYTES], id[REPORT_ID_BYTES];
    struct buf genesis = BUF_INIT;
    rng_bytes(&n->rng, random, sizeof random);
    rng_bytes(&n->rng, secret, sizeof secret);
    int error = genesis_make(&n->card, random, slice_str(title), &genesis);
    if (!error) {
        report_id_of(id, buf_slice(&genesis));
        node_set_report(n, id);
        error = node_add_epoch(n, secret);
    }
    if (!error) {
        n->phase = PHASE_READY;
        n->index = INDEX_DONE;
        error = node_genesis(n, buf_slice(&genesis));
    }
    if (!error) {
        node_save_identity(n);
        cache_save(n);
        job_close(n);
    }
    buf_clear(&genesis);
    volatile uint8_t *wipe = secret;
    for (size_t i = 0; i < sizeof secret; i++)
        wipe[i] = 0;
    return error ? error : n->failure;
}

void start_phase(struct rapport_node *n, enum node_phase phase)
{
    static const enum load_kind kinds[] = {LOAD_RECORDS, LOAD_HEADS, LOAD_NOTES, LOAD_ARRIVED};
    n->phase = phase;
    struct load request = {.kind = kinds[phase], .from = n->replayed, .max_bytes = LOAD_MOST_BYTES};
    n->replay_rows = 0;
    n->phase_load = load_push(n, &request);
}

void start_index(struct rapport_node *n)
{
    if (n->index != INDEX_NONE || n->phase != PHASE_READY)
        return;
    n->index = INDEX_LOADING;
    n->phase_load = load_push(n, &(struct load){.kind = LOAD_INDEX});
}

static int read_epochs(struct rapport_node *n, struct slice value)
{
    if (value.len % EPOCH_SECRET_BYTES)
        return RAPPORT_CORRUPT;
    for (size_t at = 0; at < value.len; at += EPOCH_SECRET_BYTES) {
        int error = node_add_epoch(n, value.ptr + at);
        if (error)
            return error;
    }
    return 0;
}

static int read_record(struct rapport_node *n, struct slice key, struct slice value)
{
    if (slice_equal(key, slice_str("state")))
        return report_restore_state(n->report, value);
    if (slice_equal(key, slice_str("applied"))) {
        struct reader r = reader_of(value);
        n->replayed = reader_u64be(&r);
        return reader_end(&r) ? RAPPORT_CORRUPT : 0;
    }
    if (slice_equal(key, slice_str("local/report"))) {
        if (value.len != REPORT_ID_BYTES)
            return RAPPORT_CORRUPT;
        node_set_report(n, value.ptr);
        return 0;
    }
    if (slice_equal(key, slice_str("local/epochs")))
        return read_epochs(n, value);
    if (slice_equal(key, slice_str("local/inviter")) && value.len == sizeof n->inviter) {
        memcpy(n->inviter, value.ptr, sizeof n->inviter);
        n->has_inviter = true;
    }
    if (slice_equal(key, slice_str("local/acked")) && value.len == LOG_ID_BYTES + 8) {
        struct reader r = reader_of(slice_skip(value, LOG_ID_BYTES));
        memcpy(n->acked_log, value.ptr, LOG_ID_BYTES);
        n->acked = reader_u64be(&r);
    }
    int error = 0;
    if (held_read(n, key, value, &error))
        return error;
    if (slice_equal(key, slice_str("local/peers")))
        return candidates_decode(n, value);
    if (slice_equal(key, slice_str("local/addresses")))
        return records_decode(n, value);
    if (slice_equal(key, slice_str("local/log")) && !n->new_log) {
        if (value.len != LOG_ID_BYTES)
            return RAPPORT_CORRUPT;
        memcpy(n->own_log, value.ptr, LOG_ID_BYTES);
        n->has_own_log = true;
    }
    return 0;
}

static int read_head(struct rapport_node *n, const struct load_row *row)
{
    struct log head = {.next = row->end, .lamport = row->lamport};
    if (!n->has_report || row->value.len != ORIGIN_BYTES)
        return RAPPORT_CORRUPT;
    memcpy(head.id, row->log, sizeof head.id);
    memcpy(head.origin, row->value.ptr, sizeof head.origin);
    memcpy(head.head, row->hash, sizeof head.head);
    int error = log_restore_head(&n->logs, &head);
    if (!error)
        error = have_raise(&n->durable, head.id, head.next);
    bool own = n->has_own_log && memcmp(row->log, n->own_log, sizeof n->own_log) == 0;
    uint32_t from = own ? GOSSIP_LOCAL : GOSSIP_STORED;
    if (own)
        n->own_written = row->end;
    return error ? error : gossip_our_have(n->gossip, row->log, row->end, true, from, n->now);
}

static int read_arrived(struct rapport_node *n, const struct load_row *row)
{
    struct delta *d = malloc(sizeof *d);
    if (!d)
        return RAPPORT_NOMEM;
    int error = delta_decode(row->value, n->report_id, d);
    if (!error)
        delta_apply(n, d);
    free(d);
    n->replayed = row->arrival;
    n->replay_rows++;
    return error && error != RAPPORT_NOMEM ? RAPPORT_CORRUPT : error;
}

static int read_index(struct rapport_node *n, const struct load_row *row)
{
    struct log_entry entry = {.end = row->end, .lamport = row->lamport};
    memcpy(entry.hash, row->hash, sizeof entry.hash);
    return log_restore_entry(&n->logs, row->log, &entry);
}

static int read_row(struct rapport_node *n, const struct load_row *row)
{
    switch (n->phase) {
    case PHASE_RECORDS:
        return read_record(n, row->key, row->value);
    case PHASE_HEADS:
        return read_head(n, row);
    case PHASE_NOTES:
        return report_restore_note(n->report, row->note, row->value);
    case PHASE_REPLAY:
        return read_arrived(n, row);
    case PHASE_READY:
        return read_index(n, row);
    case PHASE_JOINING:
        break;
    }
    return RAPPORT_STATE;
}

void start_row(struct rapport_node *n, const struct load_row *row)
{
    int error = n->damaged ? 0 : read_row(n, row);
    if (error)
        node_fail(n, error == RAPPORT_NOMEM ? error : RAPPORT_CORRUPT);
}

void start_end(struct rapport_node *n, int error)
{
    n->phase_load = 0;
    if (error || n->damaged)
        return;
    switch (n->phase) {
    case PHASE_RECORDS:
        if (n->has_report && n->n_epochs)
            start_phase(n, PHASE_HEADS);
        else
            node_fail(n, RAPPORT_CORRUPT);
        return;
    case PHASE_HEADS:
        if (n->has_own_log && !log_find(&n->logs, n->own_log))
            n->has_own_log = false; /* named, but nothing came to be in it */
        start_phase(n, PHASE_NOTES);
        return;
    case PHASE_NOTES:
        start_phase(n, PHASE_REPLAY);
        return;
    case PHASE_REPLAY:
        if (n->replay_rows)
            start_phase(n, PHASE_REPLAY);
        else
            n->phase = PHASE_READY;
        n->roster_moved = true; /* who was removed may stand in the records */
        return;
    case PHASE_READY:
        n->index = INDEX_DONE;
        return;
    case PHASE_JOINING:
        return;
    }
}
