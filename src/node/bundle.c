/*
 * bundle.c - sync by file (sync/bundle.h): reading one through the door that peers' deltas come
 * through, writing one, and remembering what others hold so that a bundle to them may be small.
 *
 * Reading gathers deltas that follow each other in one log to runs, so that a delta whose own
 * signature is bad is proven by a later one, as in a run on the wire. A run is handed over when the
 * log changes, or at a good signature when it is long. Who accepted a run ended it at a good
 * signature within LOG_RUN_MOST, so no proof is ever cut off by that.
 *
 *   record "local/held/" ‖ device in hex: a have vector (log/have.h) in an array of one
 */
#include "node/parts.h"

#include <sodium/utils.h>
#include <stdlib.h>

#include "base/hex.h"
#include "sync/bundle.h"

enum {
    RUN_ENOUGH = 32, /* deltas: then a good signature ends it */
    NOTE_CHANGES = 64,
};

struct bundle_import {
    struct bundle_reader reader;
    bool reading;
    struct delta next; /* just decoded, */
    struct buf next_bytes;
    struct decoded run; /* and those in front of it */
    struct have seen;   /* heights that the deltas of this bundle reach */
    struct rapport_bundle_info info;
};

/* ---- what others hold ---- */

static const char held_key[] = "local/held/";

static struct held *held_find(const struct rapport_node *n, const uint8_t *device)
{
    struct held *h = n->held;
    while (h && memcmp(h->device, device, ID_BYTES) != 0)
        h = h->next;
    return h;
}

static struct held *held_of(struct rapport_node *n, const uint8_t *device)
{
    struct held *h = held_find(n, device);
    if (h || n->n_held == NODE_MOST_HELD)
        return h;
    h = calloc(1, sizeof *h);
    if (!h) {
        node_fail(n, RAPPORT_NOMEM);
        return NULL;
    }
    memcpy(h->device, device, ID_BYTES);
    h->next = n->held;
    n->held = h;
    n->n_held++;
    return h;
}

void held_learn(struct rapport_node *n, const uint8_t device[ID_BYTES], const uint8_t *log,
                uint64_t next)
{
    struct held *h = held_of(n, device);
    if (!h || have_get(&h->rows, log) >= next)
        return;
    if (have_raise(&h->rows, log, next) == RAPPORT_NOMEM)
        node_fail(n, RAPPORT_NOMEM);
    h->dirty = true;
}

static void held_put(struct rapport_node *n, const struct held *h)
{
    char key[sizeof held_key + 2 * ID_BYTES];
    struct buf value = BUF_INIT;
    memcpy(key, held_key, sizeof held_key);
    hex_encode(key + sizeof held_key - 1, h->device, ID_BYTES);
    mp_put_array(&value, 1);
    have_encode(&h->rows, &value);
    if (buf_error(&value))
        node_fail(n, RAPPORT_NOMEM);
    else
        job_add_record(n, key, buf_slice(&value));
    buf_clear(&value);
}

void held_save(struct rapport_node *n)
{
    for (struct held *h = n->held; h && !n->failure; h = h->next)
        if (h->dirty) {
            held_put(n, h);
            h->dirty = false;
        }
}

/* One that cannot be read is forgotten: bundles are larger then, nothing is lost. */
static int held_decode(struct rapport_node *n, const uint8_t *device, struct slice value)
{
    struct mp_doc doc;
    struct held *h = held_of(n, device);
    if (!h)
        return n->failure;
    int error = mp_open(&doc, value, MP_MOST_ITEMS);
    if (error)
        return error == RAPPORT_NOMEM ? error : 0;
    struct mp_array root = mp_root(&doc, &error);
    (void)have_decode(&root, &h->rows);
    mp_close(&doc);
    return error == RAPPORT_NOMEM ? error : 0;
}

bool held_read(struct rapport_node *n, struct slice key, struct slice value, int *error)
{
    uint8_t device[ID_BYTES];
    size_t front = sizeof held_key - 1;
    if (key.len < front || memcmp(key.ptr, held_key, front) != 0)
        return false;
    struct slice hex = slice_skip(key, front);
    if (hex_decode(device, ID_BYTES, hex) == 0)
        *error = held_decode(n, device, value);
    return true;
}

/* ---- reading ---- */

static void import_free(struct bundle_import *b)
{
    if (!b)
        return;
    bundle_reader_clear(&b->reader);
    decoded_clear(&b->run);
    have_clear(&b->seen);
    free(b);
}

void bundles_clear(struct rapport_node *n)
{
    import_free(n->import);
    n->import = NULL;
    while (n->held) {
        struct held *next = n->held->next;
        have_clear(&n->held->rows);
        free(n->held);
        n->held = next;
    }
    n->n_held = 0;
}

static int import_start(struct rapport_node *n)
{
    struct bundle_import *b = calloc(1, sizeof *b);
    if (!b || decoded_reserve(&b->run, LOG_RUN_MOST)) {
        import_free(b);
        return RAPPORT_NOMEM;
    }
    bundle_read_start(&b->reader);
    b->reading = true;
    import_free(n->import);
    n->import = b;
    return 0;
}

static void import_head(struct rapport_node *n, struct bundle_import *b)
{
    const struct bundle_head *head = &b->reader.head;
    const uint8_t *salt = b->reader.header + BUNDLE_HEADER_BYTES - BUNDLE_SALT_BYTES;
    size_t at = 0;
    memcpy(b->info.device, head->device, ID_BYTES);
    b->info.wall_ms = head->wall_ms;
    for (const struct member *m; (m = report_next_member(n->report, &at));)
        if (memcmp(m->device, head->device, ID_BYTES) == 0)
            b->info.by_member = bundle_signed_by(head, m->card.sign_public, n->report_id, salt);
    for (size_t i = 0; b->info.by_member && i < b->reader.rows.n; i++)
        held_learn(n, head->device, b->reader.rows.rows[i].log, b->reader.rows.rows[i].next);
}

/* Moves what was not used of a run to its front. */
static void run_drop(struct decoded *run, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_clear(&run->bytes[i]);
    run->n -= n;
    memmove(run->deltas, run->deltas + n, run->n * sizeof *run->deltas);
    memmove(run->bytes, run->bytes + n, run->n * sizeof *run->bytes);
    memset(run->bytes + run->n, 0, n * sizeof *run->bytes);
}

static void count_outcome(struct bundle_import *b, const struct log_outcome *o)
{
    size_t stopped = o->n_known + o->n_accepted, rest = b->run.n - stopped;
    b->info.n_known += o->n_known;
    b->info.n_taken += o->n_accepted;
    if (o->n_accepted)
        b->info.n_taken_events += b->run.deltas[stopped - 1].end - b->run.deltas[o->n_known].first;
    if (o->stop == LOG_MISSING || o->stop == LOG_GAP) {
        b->info.n_waiting += rest;
        memcpy(b->info.waits_for, o->missing.log, sizeof b->info.waits_for);
    } else {
        b->info.n_refused += rest;
    }
}

/* Hands the run over. With `more` its tail that nothing proves yet stays. */
static void import_run(struct rapport_node *n, struct bundle_import *b, bool more)
{
    struct log_outcome o;
    uint64_t taken = n->counters.taken;
    if (b->run.n == 0)
        return;
    ingest_decoded(n, &b->run, &o);
    size_t stopped = o.n_known + o.n_accepted;
    uint64_t retried = n->counters.taken - taken - o.n_accepted; /* had been parked */
    uint64_t fewer = retried < b->info.n_waiting ? retried : b->info.n_waiting;
    b->info.n_waiting -= fewer;
    b->info.n_taken += fewer;
    if (more && stopped > 0 && o.stop == LOG_INVALID && o.error == RAPPORT_AUTH) {
        size_t whole = b->run.n;
        b->run.n = stopped;
        o.stop = LOG_ALL;
        count_outcome(b, &o);
        b->run.n = whole;
        run_drop(&b->run, stopped);
        return;
    }
    count_outcome(b, &o);
    run_drop(&b->run, b->run.n);
}

static bool run_is_long(const struct rapport_node *n, const struct decoded *run)
{
    const struct delta *last = &run->deltas[run->n - 1];
    if (run->n == LOG_RUN_MOST)
        return true;
    const struct log *log = log_find(&n->logs, last->log);
    const uint8_t *key = log ? log->origin : NULL;
    if (!key && run->deltas[0].first == 0)
        key = run->deltas[0].prev.ptr;
    return run->n >= RUN_ENOUGH && key && delta_signed_by(last, key, n->report_id);
}

/* Decodes into `next`, in memory of its own. */
static int decode_next(struct rapport_node *n, struct bundle_import *b, struct slice bytes)
{
    buf_append_slice(&b->next_bytes, bytes);
    int error = buf_error(&b->next_bytes);
    if (!error)
        error = delta_decode(buf_slice(&b->next_bytes), n->report_id, &b->next);
    if (!error && have_raise(&b->seen, b->next.log, b->next.end) == RAPPORT_NOMEM)
        error = RAPPORT_NOMEM;
    if (error)
        buf_clear(&b->next_bytes);
    return error;
}

/* Returns 0 or RAPPORT_NOMEM; a delta that is not well formed is refused and nothing else. */
static int import_delta(struct rapport_node *n, struct bundle_import *b, struct slice bytes)
{
    struct decoded *run = &b->run;
    b->info.n_deltas++;
    int error = decode_next(n, b, bytes);
    if (error) {
        b->info.n_refused += error != RAPPORT_NOMEM;
        return error == RAPPORT_NOMEM ? error : 0;
    }
    if (run->n && memcmp(run->deltas[0].log, b->next.log, LOG_ID_BYTES) != 0)
        import_run(n, b, false);
    run->deltas[run->n] = b->next;
    run->bytes[run->n++] = b->next_bytes; /* the run owns them now */
    b->next_bytes = BUF_INIT;
    if (run_is_long(n, run))
        import_run(n, b, true);
    if (run->n == LOG_RUN_MOST)
        import_run(n, b, false); /* nothing of it is proven */
    return n->failure;
}

static int import_items(struct rapport_node *n, struct bundle_import *b)
{
    enum bundle_kind kind;
    int error = 0;
    while (!error && !(error = bundle_next(&b->reader, &kind)) && kind != BUNDLE_NONE) {
        if (kind == BUNDLE_HEAD)
            import_head(n, b);
        else
            error = import_delta(n, b, b->reader.delta);
    }
    return error;
}

/* Nothing waits when every log has come as far as the bundle reaches. */
static void import_settle(struct rapport_node *n, struct bundle_import *b)
{
    bool behind = false;
    for (size_t i = 0; i < b->seen.n && !behind; i++)
        behind = rapport_node_height(n, b->seen.rows[i].log) < b->seen.rows[i].next;
    if (!behind)
        b->info.n_waiting = 0;
}

static int import_end(struct rapport_node *n, struct bundle_import *b, int error)
{
    import_run(n, b, false);
    import_settle(n, b);
    b->reading = false;
    b->info.error = error;
    bundle_reader_clear(&b->reader);
    b->reader = (struct bundle_reader){0};
    return error;
}

static int import_bytes(struct rapport_node *n, struct bundle_import *b, struct slice in)
{
    int error = 0;
    while (!error && in.len) {
        error = bundle_read(&b->reader, n->epochs, n->n_epochs, &in);
        if (!error)
            error = import_items(n, b);
    }
    return error;
}

int bundle_receive(struct rapport_node *n, const struct rapport_event *e)
{
    if (n->phase != PHASE_READY || n->failure)
        return n->failure ? n->failure : RAPPORT_STATE;
    start_index(n);
    if (n->index != INDEX_DONE)
        return RAPPORT_AGAIN;
    int error = n->import && n->import->reading ? 0 : import_start(n);
    if (error)
        return error;
    struct bundle_import *b = n->import;
    if (e->len)
        error = import_bytes(n, b, slice_of(e->bytes, e->len));
    else {
        error = bundle_read_end(&b->reader, n->epochs, n->n_epochs);
        int last = import_items(n, b);
        error = error ? error : last;
    }
    if (error == RAPPORT_NOMEM)
        node_fail(n, error);
    return error || !e->len ? import_end(n, b, error) : 0;
}

void rapport_node_bundle(struct rapport_node *n, struct rapport_bundle_info *out)
{
    *out = n->import ? n->import->info : (struct rapport_bundle_info){0};
    out->reading = n->import && n->import->reading;
    const struct member *m = report_member_of_log(n->report, out->waits_for);
    out->waits_for_name = m ? m->card.name : "";
}

/* ---- writing ---- */

struct rapport_bundle {
    struct rapport_node *node;
    struct bundle_writer writer;
    struct bundle_reader reader; /* of the one that this answers */
    struct bundle_head head;
    struct have have, without; /* ours; what is left out */
    struct buf taken;
    bool started;
    int error;
    struct map notes; /* named by what went in */
    struct rapport_bundle_counts counts;
    struct delta delta;
};

int rapport_bundle_create(struct rapport_node *n, struct rapport_bundle **out)
{
    if (n->phase != PHASE_READY || !n->n_epochs)
        return RAPPORT_STATE;
    struct rapport_bundle *b = calloc(1, sizeof *b);
    if (!b)
        return RAPPORT_NOMEM;
    b->node = n;
    map_init(&b->notes, NOTE_ID_BYTES, rng_u64(&n->rng));
    bundle_read_start(&b->reader);
    *out = b;
    return 0;
}

void rapport_bundle_destroy(struct rapport_bundle *b)
{
    if (!b)
        return;
    bundle_writer_clear(&b->writer);
    bundle_reader_clear(&b->reader);
    have_clear(&b->have);
    have_clear(&b->without);
    buf_clear(&b->taken);
    map_clear(&b->notes);
    free(b);
}

static int without_rows(struct rapport_bundle *b, const struct have *rows)
{
    int error = 0;
    for (size_t i = 0; i < rows->n && !error; i++)
        error = have_raise(&b->without, rows->rows[i].log, rows->rows[i].next);
    return error;
}

int rapport_bundle_for(struct rapport_bundle *b, const uint8_t device[RAPPORT_DEVICE_ID_BYTES])
{
    const struct held *h = held_find(b->node, device);
    return h && h->rows.n ? without_rows(b, &h->rows) : RAPPORT_NOTFOUND;
}

int rapport_bundle_reply_to(struct rapport_bundle *b, const uint8_t *bytes, size_t len)
{
    const struct rapport_node *n = b->node;
    struct slice in = slice_of(bytes, len);
    enum bundle_kind kind = BUNDLE_NONE;
    int error = 0;
    while (!error && in.len && kind == BUNDLE_NONE) {
        error = bundle_read(&b->reader, n->epochs, n->n_epochs, &in);
        if (!error)
            error = bundle_next(&b->reader, &kind);
    }
    if (!error && len == 0) {
        error = bundle_read_end(&b->reader, n->epochs, n->n_epochs);
        int last = bundle_next(&b->reader, &kind);
        error = kind == BUNDLE_HEAD ? 0 : error ? error : last;
    }
    if (error || kind == BUNDLE_NONE)
        return error ? error : RAPPORT_AGAIN;
    return without_rows(b, &b->reader.rows);
}

void rapport_bundle_writer(const struct rapport_bundle *b, uint8_t device[RAPPORT_DEVICE_ID_BYTES])
{
    memcpy(device, b->reader.head.device, RAPPORT_DEVICE_ID_BYTES);
}

/* The rows tell only what is on the disk: the reader takes them for an acknowledgement. */
static int bundle_begin(struct rapport_bundle *b)
{
    struct rapport_node *n = b->node;
    uint8_t salt[BUNDLE_SALT_BYTES];
    int error = 0;
    for (size_t i = 0; i < n->durable.n && !error; i++)
        error = have_raise(&b->have, n->durable.rows[i].log, n->durable.rows[i].next);
    if (error)
        return error;
    rng_bytes(&n->rng, salt, sizeof salt);
    b->head.wall_ms = n->wall_ms;
    device_id(b->head.device, n->keys.sign_public);
    have_digest(&b->have, b->head.have_digest);
    bundle_sign(&b->head, &n->keys, n->report_id, salt);
    bundle_write_start(&b->writer, &n->epochs[n->n_epochs - 1], salt);
    bundle_write_head(&b->writer, &b->head, &b->have);
    b->started = true;
    return buf_error(&b->writer.out);
}

static void count_notes(struct rapport_bundle *b)
{
    static const uint8_t zeros[NOTE_ID_BYTES];
    struct report_change changes[NOTE_CHANGES];
    const struct epoch_keys *epoch = node_epoch(b->node, b->delta.epoch);
    struct buf plain = BUF_INIT;
    int n = 0;
    if (epoch && delta_open(&b->delta, epoch, &plain) == 0)
        n = report_describe(b->node->report, &b->delta, buf_slice(&plain), changes, NOTE_CHANGES);
    for (int i = 0; i < n; i++)
        if (memcmp(changes[i].note, zeros, sizeof zeros) != 0)
            (void)map_put(&b->notes, changes[i].note, b); /* without memory it is not counted */
    buf_wipe(&plain);
}

int rapport_bundle_put(struct rapport_bundle *b, const uint8_t *bytes, size_t len)
{
    struct delta *d = &b->delta;
    if (!b->error && !b->started)
        b->error = bundle_begin(b);
    if (!b->error)
        b->error = delta_decode(slice_of(bytes, len), b->node->report_id, d);
    if (b->error || d->end <= have_get(&b->without, d->log))
        return b->error;
    bundle_write_delta(&b->writer, d->bytes);
    b->counts.n_deltas++;
    b->counts.n_events += d->end - d->first;
    count_notes(b);
    return b->error = buf_error(&b->writer.out);
}

int rapport_bundle_end(struct rapport_bundle *b)
{
    if (!b->error && !b->started)
        b->error = bundle_begin(b);
    if (!b->error)
        bundle_write_end(&b->writer);
    return b->error = b->error ? b->error : buf_error(&b->writer.out);
}

void rapport_bundle_take(struct rapport_bundle *b, const uint8_t **bytes, size_t *len)
{
    struct buf swap = b->taken;
    b->taken = b->writer.out;
    b->writer.out = swap;
    buf_reset(&b->writer.out);
    b->writer.out.error = b->error;
    *bytes = b->taken.ptr;
    *len = b->taken.len;
}

void rapport_bundle_counts(const struct rapport_bundle *b, struct rapport_bundle_counts *out)
{
    *out = b->counts;
    out->n_notes = b->notes.n;
}
