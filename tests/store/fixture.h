/* fixture.h - databases in folders of their own, and logs to put into them. */
#ifndef TESTS_STORE_FIXTURE_H
#define TESTS_STORE_FIXTURE_H

#include <stdlib.h>
#include <unistd.h>

#include "../test.h"
#include "log/log.h"
#include "rapport/error.h"
#include "store/store.h"

static const uint8_t report_id[REPORT_ID_BYTES] = {1, 2, 3};

/* A folder under /tmp with the path of a database in it. */
struct place {
    char folder[40], path[64];
};

static inline struct place place_make(void)
{
    struct place p;
    snprintf(p.folder, sizeof p.folder, "/tmp/rapport-store-XXXXXX");
    CHECK(mkdtemp(p.folder) != NULL);
    snprintf(p.path, sizeof p.path, "%s/report.db", p.folder);
    return p;
}

static inline void place_remove(const struct place *p)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; i < 4; i++) {
        char name[80];
        snprintf(name, sizeof name, "%s%s", p->path, suffixes[i]);
        unlink(name);
    }
    rmdir(p->folder);
}

static inline struct store *open_or_fail(const char *path, enum store_mode mode)
{
    struct store *s = NULL;
    struct buf why = BUF_INIT;
    int error = store_open(path, mode, NULL, &s, &why);
    if (error)
        test_fail(__FILE__, __LINE__, "%s: %s", rapport_errname(error), buf_cstr(&why));
    buf_clear(&why);
    return s;
}

/* A log that grows: real deltas, signed and sealed. */
struct writer {
    struct device_keys keys;
    struct epoch_keys epoch;
    uint8_t origin[ORIGIN_BYTES], id[LOG_ID_BYTES], head[HASH_BYTES];
    uint64_t next, lamport;
};

static inline struct writer writer_of(uint8_t n)
{
    struct writer w = {.next = 0};
    uint8_t seed[32];
    memset(seed, n, sizeof seed);
    device_keys_from_seed(&w.keys, seed);
    epoch_from_secret(&w.epoch, seed);
    memcpy(w.origin, w.keys.sign_public, 32);
    memset(w.origin + 32, n, 16);
    log_id_of(w.id, report_id, w.origin);
    return w;
}

/* The next delta; `bytes` owns what it points into. */
static inline struct batch_delta writer_next(struct writer *w, uint32_t count, struct slice plain,
                                             struct buf *bytes)
{
    struct delta_draft draft = {
        .report_id = report_id,
        .log = w->id,
        .epoch = &w->epoch,
        .keys = &w->keys,
        .first = w->next,
        .count = count,
        .lamport = w->lamport + 1,
        .prev = w->next ? slice_of(w->head, HASH_BYTES) : slice_of(w->origin, ORIGIN_BYTES),
        .plain = plain,
    };
    struct delta d;
    CHECK_EQ(delta_make(&draft, bytes), 0);
    CHECK_EQ(delta_decode(buf_slice(bytes), report_id, &d), 0);
    struct batch_delta b = {.first = d.first, .end = d.end, .lamport = d.lamport};
    memcpy(b.log, w->id, LOG_ID_BYTES);
    memcpy(b.hash, d.hash, HASH_BYTES);
    b.bytes = buf_slice(bytes);
    w->next = d.end;
    w->lamport = d.lamport;
    memcpy(w->head, d.hash, HASH_BYTES);
    return b;
}

/* Commits one delta. */
static inline int commit_delta(struct store *s, const struct batch_delta *d)
{
    struct batch batch = {.deltas = d, .n_deltas = 1};
    return store_commit(s, &batch);
}

static inline int commit_record(struct store *s, const char *key, struct slice value)
{
    struct batch_record record = {slice_str(key), value};
    struct batch batch = {.records = &record, .n_records = 1};
    return store_commit(s, &batch);
}

/* ---- loads as text: one line per row, so that a test can show what it expects ---- */

static inline int print_row(void *user, const struct load_row *row)
{
    struct buf *out = user;
    buf_printf(out, "log %02x%02x note %02x end %llu lamport %llu arrival %llu hash %02x",
               row->log[0], row->log[1], row->note[0], (unsigned long long)row->end,
               (unsigned long long)row->lamport, (unsigned long long)row->arrival, row->hash[0]);
    buf_append_str(out, " key ");
    buf_append_slice(out, row->key);
    buf_printf(out, " value %zu", row->value.len);
    for (size_t i = 0; i < row->value.len && i < 8; i++)
        buf_printf(out, "%s%02x", i ? "" : " ", row->value.ptr[i]);
    buf_u8(out, '\n');
    return buf_error(out);
}

static inline void print_load(struct store *s, const struct load *load, struct buf *out)
{
    int error = store_load(s, load, print_row, out);
    if (error)
        test_fail(__FILE__, __LINE__, "load %d: %s", (int)load->kind, store_error(s));
}

/* Every load but one note's and one log's. */
static inline void print_all(struct store *s, struct buf *out)
{
    static const enum load_kind kinds[] = {LOAD_HEADS, LOAD_INDEX, LOAD_RECORDS, LOAD_NOTES,
                                           LOAD_ARRIVED};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct load load = {.kind = kinds[i], .max_bytes = LOAD_MOST_BYTES};
        buf_printf(out, "load %d\n", (int)kinds[i]);
        print_load(s, &load, out);
    }
}

static inline int count_row(void *user, const struct load_row *row)
{
    (void)row;
    ++*(size_t *)user;
    return 0;
}

static inline size_t count_rows(struct store *s, struct load load)
{
    size_t n = 0;
    CHECK_EQ(store_load(s, &load, count_row, &n), 0);
    return n;
}

#endif
