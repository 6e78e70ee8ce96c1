/*
 * db.h - a database for tests of the node: what store/store.h promises, in plain arrays and without
 * a single allocation, so that a failing one always hits the node.
 */
#ifndef TESTS_NODE_DB_H
#define TESTS_NODE_DB_H

#include "log/batch.h"
#include "test.h"

enum {
    DB_MOST_DELTAS = 2048,
    DB_MOST_RECORDS = 32,
    DB_MOST_NOTES = 512,
    DB_BYTES = 4 << 20
};

struct db_row {
    struct slice key, value; /* records: key, value; notes: meta, stored */
    uint8_t note[NOTE_ID_BYTES];
};

struct db {
    struct batch_delta deltas[DB_MOST_DELTAS];
    struct db_row records[DB_MOST_RECORDS], notes[DB_MOST_NOTES];
    size_t n_deltas, n_records, n_notes, used;
    uint8_t bytes[DB_BYTES];
};

static inline struct slice db_keep(struct db *db, struct slice s)
{
    CHECK(db->used + s.len <= sizeof db->bytes);
    uint8_t *to = db->bytes + db->used;
    if (s.len)
        memcpy(to, s.ptr, s.len);
    db->used += s.len;
    return slice_of(to, s.len);
}

static inline bool db_has(const struct db *db, const struct batch_delta *d)
{
    for (size_t i = 0; i < db->n_deltas; i++)
        if (memcmp(db->deltas[i].hash, d->hash, HASH_BYTES) == 0)
            return true;
    return false;
}

static inline void db_put_record(struct db *db, struct slice key, struct slice value)
{
    size_t i = 0;
    while (i < db->n_records && !slice_equal(db->records[i].key, key))
        i++;
    CHECK(i < DB_MOST_RECORDS);
    if (i == db->n_records)
        db->records[db->n_records++].key = db_keep(db, key);
    db->records[i].value = db_keep(db, value);
}

static inline void db_put_note(struct db *db, const struct batch_note *note)
{
    size_t i = 0;
    while (i < db->n_notes && memcmp(db->notes[i].note, note->id, NOTE_ID_BYTES) != 0)
        i++;
    CHECK(i < DB_MOST_NOTES);
    if (i == db->n_notes) {
        memcpy(db->notes[db->n_notes++].note, note->id, NOTE_ID_BYTES);
        db->notes[i].value = slice_of("", 0);
    }
    db->notes[i].key = db_keep(db, note->meta);
    if (note->stored.ptr)
        db->notes[i].value = db_keep(db, note->stored);
}

static inline void db_commit(struct db *db, const struct batch *batch)
{
    for (size_t i = 0; i < batch->n_deltas; i++) {
        if (db_has(db, &batch->deltas[i]))
            continue;
        CHECK(db->n_deltas < DB_MOST_DELTAS);
        struct batch_delta *d = &db->deltas[db->n_deltas++];
        *d = batch->deltas[i];
        d->bytes = db_keep(db, batch->deltas[i].bytes);
    }
    for (size_t i = 0; i < batch->n_records; i++)
        db_put_record(db, batch->records[i].key, batch->records[i].value);
    for (size_t i = 0; i < batch->n_notes; i++)
        db_put_note(db, &batch->notes[i]);
    if (batch->applied) {
        uint8_t number[8] = {0};
        number[6] = (uint8_t)(db->n_deltas >> 8);
        number[7] = (uint8_t)db->n_deltas;
        db_put_record(db, slice_str("applied"), slice_of(number, sizeof number));
    }
}

/* As store_drop_cache. */
static inline void db_drop_cache(struct db *db)
{
    size_t kept = 0;
    for (size_t i = 0; i < db->n_records; i++)
        if (db->records[i].key.len > 6 && memcmp(db->records[i].key.ptr, "local/", 6) == 0)
            db->records[kept++] = db->records[i];
    db->n_records = kept;
    db->n_notes = 0;
}

typedef void (*db_each)(void *user, const struct load_row *row);

static inline struct load_row db_row_of(const struct batch_delta *d, size_t arrival)
{
    struct load_row row = {
        .end = d->end, .lamport = d->lamport, .arrival = arrival, .value = d->bytes};
    memcpy(row.log, d->log, sizeof row.log);
    memcpy(row.hash, d->hash, sizeof row.hash);
    return row;
}

static inline bool db_is_log(const struct db *db, size_t i, const uint8_t log[LOG_ID_BYTES])
{
    return memcmp(db->deltas[i].log, log, LOG_ID_BYTES) == 0;
}

static inline void db_give_heads(const struct db *db, db_each each, void *user)
{
    for (size_t i = 0; i < db->n_deltas; i++) {
        if (db->deltas[i].first != 0)
            continue;
        struct delta first;
        size_t head = i;
        for (size_t k = i; k < db->n_deltas; k++)
            if (db_is_log(db, k, db->deltas[i].log))
                head = k;
        uint8_t report[REPORT_ID_BYTES] = {0};
        for (size_t k = 0; k < db->n_records; k++)
            if (slice_equal(db->records[k].key, slice_str("local/report")))
                memcpy(report, db->records[k].value.ptr, sizeof report);
        CHECK_EQ(delta_decode(db->deltas[i].bytes, report, &first), 0);
        struct load_row row = db_row_of(&db->deltas[head], 0);
        row.value = first.prev;
        each(user, &row);
    }
}

static inline void db_give_notes(const struct db *db, const struct load *load, db_each each,
                                 void *user)
{
    for (size_t i = 0; i < db->n_notes; i++) {
        struct load_row row = {.value = db->notes[i].key};
        memcpy(row.note, db->notes[i].note, sizeof row.note);
        if (load->kind == LOAD_NOTE) {
            if (memcmp(row.note, load->note, sizeof row.note) != 0 || !db->notes[i].value.len)
                continue;
            row.value = db->notes[i].value;
        }
        each(user, &row);
    }
}

static inline void db_give_deltas(const struct db *db, const struct load *load, db_each each,
                                  void *user)
{
    size_t bytes = 0;
    for (size_t i = 0; i < db->n_deltas; i++) {
        const struct batch_delta *d = &db->deltas[i];
        bool wanted =
            load->kind == LOAD_ARRIVED
                ? i + 1 > load->from
                : load->kind == LOAD_INDEX || (db_is_log(db, i, load->log) && d->end > load->from);
        if (!wanted ||
            (load->kind != LOAD_INDEX && bytes && bytes + d->bytes.len > load->max_bytes))
            continue;
        bytes += d->bytes.len;
        struct load_row row = db_row_of(d, i + 1);
        each(user, &row);
    }
}

static inline void db_load(const struct db *db, const struct load *load, db_each each, void *user)
{
    switch (load->kind) {
    case LOAD_HEADS:
        db_give_heads(db, each, user);
        break;
    case LOAD_RECORDS:
        for (size_t i = 0; i < db->n_records; i++) {
            struct load_row row = {.key = db->records[i].key, .value = db->records[i].value};
            each(user, &row);
        }
        break;
    case LOAD_NOTES:
    case LOAD_NOTE:
        db_give_notes(db, load, each, user);
        break;
    case LOAD_INDEX:
    case LOAD_DELTAS:
    case LOAD_ARRIVED:
        db_give_deltas(db, load, each, user);
        break;
    }
}

#endif
