/*
 * commit.c - writing a batch in one transaction (see store.h).
 *
 * A delta must continue one that is here, or be a log's first; whether it moves the head follows
 * from its prev: what stands on another delta than the head is another branch of a forked log, is
 * kept, and moves nothing. Heads in memory run ahead of the transaction and are forgotten when it
 * fails.
 */
#include <stdlib.h>

#include "rapport/error.h"
#include "store/internal.h"

enum {
    RECORD_MOST_KEY = 64,
    MAIN_BRANCH = 0,
    OTHER_BRANCH = 1
};

static void bind_blob(sqlite3_stmt *st, int at, const void *ptr, size_t n)
{
    sqlite3_bind_blob64(st, at, n ? ptr : "", n, SQLITE_STATIC);
}

static void bind_u64(sqlite3_stmt *st, int at, uint64_t v)
{
    sqlite3_bind_int64(st, at, (sqlite3_int64)v);
}

/* ---- deltas ---- */

/* True in *has when a delta of this log with this end and hash is in the database. */
static int find_link(struct store *s, const struct stored_log *log, uint64_t end,
                     const uint8_t *hash, bool *has)
{
    sqlite3_stmt *st = NULL;
    int error = store_statement(s, ST_HAS, &st);
    if (error)
        return error;
    sqlite3_bind_int64(st, 1, log->number);
    bind_u64(st, 2, end);
    bind_blob(st, 3, hash, HASH_BYTES);
    int code = sqlite3_step(st);
    if (code == SQLITE_ROW || code == SQLITE_DONE)
        *has = code == SQLITE_ROW;
    else
        error = store_fault(s, code, "looking for a delta");
    sqlite3_reset(st);
    return error;
}

/* Makes the log of a first delta, with that delta as its head. */
static int make_log(struct store *s, const struct batch_delta *d, struct slice prev,
                    struct stored_log **out)
{
    struct stored_log *log = calloc(1, sizeof *log);
    sqlite3_stmt *st = NULL;
    if (!log)
        return store_nomem(s);
    memcpy(log->log, d->log, LOG_ID_BYTES);
    log->number = (int64_t)s->logs.n + 1;
    if (map_put(&s->logs, log->log, log) != 0) {
        free(log);
        return store_nomem(s);
    }
    int error = store_statement(s, ST_NEW_LOG, &st);
    if (error)
        return error;
    sqlite3_bind_int64(st, 1, log->number);
    bind_blob(st, 2, d->log, LOG_ID_BYTES);
    bind_blob(st, 3, prev.ptr, prev.len);
    bind_u64(st, 4, d->end);
    bind_u64(st, 5, d->lamport);
    bind_blob(st, 6, d->hash, HASH_BYTES);
    *out = log;
    return store_step_done(s, st, "writing a log");
}

static int write_link(struct store *s, const struct stored_log *log, int branch,
                      const struct batch_delta *d)
{
    sqlite3_stmt *st = NULL;
    int error = store_statement(s, ST_NEW_LINK, &st);
    if (error)
        return error;
    sqlite3_bind_int64(st, 1, log->number);
    sqlite3_bind_int(st, 2, branch);
    bind_u64(st, 3, d->end);
    bind_blob(st, 4, d->hash, HASH_BYTES);
    bind_u64(st, 5, d->lamport);
    sqlite3_bind_int64(st, 6, s->last + 1);
    error = store_step_done(s, st, "writing a delta");
    if (!error)
        error = store_statement(s, ST_NEW_DELTA, &st);
    if (error)
        return error;
    sqlite3_bind_int64(st, 1, s->last + 1);
    bind_blob(st, 2, d->bytes.ptr, d->bytes.len);
    error = store_step_done(s, st, "writing a delta");
    s->last += !error;
    return error;
}

/* Says on which branch d belongs, making its log when it is the first. */
static int place_delta(struct store *s, const struct batch_delta *d, struct stored_log **log,
                       int *branch)
{
    struct slice prev = {0};
    bool follows = false;
    int error = delta_prev(d->bytes, &prev);
    if (error)
        return store_refuse(s, error, "a delta does not have the right form");
    if (prev.len != (d->first ? (size_t)HASH_BYTES : (size_t)ORIGIN_BYTES) || d->end <= d->first ||
        d->end > DELTA_MOST_NUMBER || (d->first > 0 && !*log))
        return store_refuse(s, RAPPORT_CHAIN, "a delta does not continue its log");
    *branch = *log && (d->first == 0 || d->first != (*log)->head.end ||
                       memcmp(prev.ptr, (*log)->head.hash, HASH_BYTES) != 0)
                  ? OTHER_BRANCH
                  : MAIN_BRANCH;
    if (!*log)
        return make_log(s, d, prev, log);
    if (*branch == MAIN_BRANCH || d->first == 0)
        return 0;
    error = find_link(s, *log, d->first, prev.ptr, &follows);
    if (!error && !follows)
        error = store_refuse(s, RAPPORT_CHAIN, "a delta does not continue its log");
    return error;
}

static int write_delta(struct store *s, const struct batch_delta *d)
{
    struct stored_log *log = map_get(&s->logs, d->log);
    bool known = false;
    int branch = MAIN_BRANCH;
    int error = log && d->end <= log->head.end ? find_link(s, log, d->end, d->hash, &known) : 0;
    if (error || known)
        return error;
    error = place_delta(s, d, &log, &branch);
    if (!error && branch == OTHER_BRANCH)
        error = find_link(s, log, d->end, d->hash, &known);
    if (error || known)
        return error;
    error = write_link(s, log, branch, d);
    if (!error && branch == MAIN_BRANCH) {
        log->head.end = d->end;
        log->head.lamport = d->lamport;
        memcpy(log->head.hash, d->hash, HASH_BYTES);
        log->moved = true;
    }
    return error;
}

static int write_heads(struct store *s)
{
    size_t at = 0;
    int error = 0;
    for (struct stored_log *log; !error && (log = map_next(&s->logs, &at));) {
        sqlite3_stmt *st = NULL;
        if (!log->moved)
            continue;
        error = store_statement(s, ST_MOVE_HEAD, &st);
        if (error)
            break;
        sqlite3_bind_int64(st, 1, log->number);
        bind_u64(st, 2, log->head.end);
        bind_u64(st, 3, log->head.lamport);
        bind_blob(st, 4, log->head.hash, HASH_BYTES);
        error = store_step_done(s, st, "writing a head");
        log->moved = false;
    }
    return error;
}

static int write_deltas(struct store *s, const struct batch *b)
{
    int error = 0;
    for (size_t i = 0; i < b->n_deltas && !error; i++)
        error = write_delta(s, &b->deltas[i]);
    return error || b->n_deltas == 0 ? error : write_heads(s);
}

/* ---- records and notes ---- */

static int write_pair(struct store *s, enum statement which, struct slice key, struct slice value)
{
    sqlite3_stmt *st = NULL;
    int error = store_statement(s, which, &st);
    if (error)
        return error;
    bind_blob(st, 1, key.ptr, key.len);
    if (value.ptr) {
        int code = sqlite3_bind_blob64(st, 2, value.ptr, value.len, SQLITE_STATIC);
        if (code != SQLITE_OK)
            return store_fault(s, code, "writing a value");
    }
    return store_step_done(s, st, "writing a value");
}

static int write_records(struct store *s, const struct batch *b)
{
    int error = 0;
    for (size_t i = 0; i < b->n_records && !error; i++) {
        const struct batch_record *r = &b->records[i];
        if (r->key.len > RECORD_MOST_KEY)
            return store_refuse(s, RAPPORT_LIMIT, "a key is longer than %d bytes", RECORD_MOST_KEY);
        error = write_pair(s, r->value.ptr ? ST_PUT_RECORD : ST_DROP_RECORD, r->key, r->value);
    }
    return error;
}

static int write_notes(struct store *s, const struct batch *b)
{
    int error = 0;
    for (size_t i = 0; i < b->n_notes && !error; i++) {
        const struct batch_note *n = &b->notes[i];
        struct slice id = slice_of(n->id, NOTE_ID_BYTES);
        if (n->meta.ptr)
            error = write_pair(s, ST_PUT_META, id, n->meta);
        if (!error && n->stored.ptr)
            error = write_pair(s, ST_PUT_TEXT, id, n->stored);
    }
    return error;
}

/* The cache agrees with every delta that is here, this batch's included. */
static int write_applied(struct store *s)
{
    uint8_t last[8];
    for (size_t i = 0; i < sizeof last; i++)
        last[i] = (uint8_t)(s->last >> (56 - 8 * i));
    return write_pair(s, ST_PUT_RECORD, slice_str("applied"), slice_of(last, sizeof last));
}

/* ---- transactions ---- */

/* Ends the transaction: commits when error is 0, else rolls back. */
static int finish(struct store *s, int error)
{
    if (!error)
        error = store_run(s, ST_COMMIT, "committing");
    if (error) {
        store_rollback(s);
        store_forget_logs(s);
    }
    return error;
}

int store_commit(struct store *s, const struct batch *batch)
{
    if (batch->n_deltas == 0 && batch->n_records == 0 && batch->n_notes == 0 && !batch->applied)
        return 0;
    int error = store_need_logs(s);
    if (!error)
        error = store_run(s, ST_BEGIN, "starting a transaction");
    if (error)
        return error;
    error = write_deltas(s, batch);
    if (!error)
        error = write_records(s, batch);
    if (!error)
        error = write_notes(s, batch);
    if (!error && batch->applied)
        error = write_applied(s);
    return finish(s, error);
}

int store_drop_cache(struct store *s)
{
    static const enum statement drops[] = {ST_DROP_RECORDS, ST_DROP_METAS, ST_DROP_TEXTS};
    int error = store_run(s, ST_BEGIN, "starting a transaction");
    if (error)
        return error;
    for (size_t i = 0; i < sizeof drops / sizeof drops[0] && !error; i++)
        error = store_run(s, drops[i], "dropping the cache");
    return finish(s, error);
}
