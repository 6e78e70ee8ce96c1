/* test_store.c - what is committed is what is loaded, also after closing and opening. */
#include <sys/stat.h>

#include "fixture.h"

enum {
    LOGS = 3,
    EACH = 5
};

/* Three logs of five deltas, taken in turns. */
struct filled {
    struct writer writers[LOGS];
    struct buf bytes[LOGS * EACH];
    struct batch_delta deltas[LOGS * EACH];
};

static struct filled *filled_make(void)
{
    struct filled *f = calloc(1, sizeof *f);
    CHECK(f != NULL);
    for (size_t i = 0; i < LOGS * EACH; i++) {
        if (i < LOGS)
            f->writers[i] = writer_of((uint8_t)(i + 1));
        f->deltas[i] =
            writer_next(&f->writers[i % LOGS], (uint32_t)i + 1, slice_str("text"), &f->bytes[i]);
    }
    return f;
}

static void filled_free(struct filled *f)
{
    for (size_t i = 0; i < LOGS * EACH; i++)
        buf_clear(&f->bytes[i]);
    free(f);
}

static void commit_filled(struct store *s, const struct filled *f)
{
    struct batch batch = {.deltas = f->deltas, .n_deltas = LOGS * EACH};
    CHECK_EQ(store_commit(s, &batch), 0);
}

/* Checks the rows of a load one by one against what was written. */
struct expect {
    const struct filled *f;
    enum load_kind kind;
    size_t log, n, start;
};

static int check_row(void *user, const struct load_row *row)
{
    struct expect *e = user;
    size_t i = e->kind == LOAD_HEADS    ? LOGS * (EACH - 1) + e->n
               : e->kind == LOAD_INDEX  ? e->n / EACH + LOGS * (e->n % EACH)
               : e->kind == LOAD_DELTAS ? e->log + LOGS * (e->start + e->n)
                                        : e->start + e->n;
    const struct batch_delta *d = &e->f->deltas[i];
    if (e->kind == LOAD_HEADS || e->kind == LOAD_INDEX) {
        CHECK_BYTES(row->log, LOG_ID_BYTES, d->log, LOG_ID_BYTES);
        CHECK_BYTES(row->hash, HASH_BYTES, d->hash, HASH_BYTES);
        CHECK_EQ(row->end, d->end);
        CHECK_EQ(row->lamport, d->lamport);
    }
    if (e->kind == LOAD_HEADS)
        CHECK_BYTES(row->value.ptr, row->value.len, e->f->writers[e->n].origin, ORIGIN_BYTES);
    if (e->kind == LOAD_DELTAS || e->kind == LOAD_ARRIVED) {
        CHECK_SLICE(row->value, d->bytes);
        CHECK_EQ(row->arrival, i + 1);
    }
    e->n++;
    return 0;
}

static size_t check_load(struct store *s, struct expect e, struct load load)
{
    load.kind = e.kind;
    CHECK_EQ(store_load(s, &load, check_row, &e), 0);
    return e.n;
}

static void check_filled(struct store *s, const struct filled *f)
{
    struct load load = {.max_bytes = LOAD_MOST_BYTES};
    uint64_t last = 0;
    CHECK_EQ(store_last_arrival(s, &last), 0);
    CHECK_EQ(last, LOGS * EACH);
    CHECK_EQ(check_load(s, (struct expect){f, LOAD_HEADS, 0, 0, 0}, load), LOGS);
    CHECK_EQ(check_load(s, (struct expect){f, LOAD_INDEX, 0, 0, 0}, load), LOGS * EACH);
    for (size_t from = 0; from <= LOGS * EACH; from++) {
        load.from = from;
        CHECK_EQ(check_load(s, (struct expect){f, LOAD_ARRIVED, 0, 0, from}, load),
                 LOGS * EACH - from);
    }
    for (size_t log = 0; log < LOGS; log++) {
        memcpy(load.log, f->deltas[log].log, LOG_ID_BYTES);
        for (size_t i = 0; i < EACH; i++) {
            const struct batch_delta *d = &f->deltas[log + LOGS * i];
            load.from = d->first;
            CHECK_EQ(check_load(s, (struct expect){f, LOAD_DELTAS, log, 0, i}, load), EACH - i);
            load.from = d->end - 1;
            CHECK_EQ(check_load(s, (struct expect){f, LOAD_DELTAS, log, 0, i}, load), EACH - i);
            load.from = d->end;
            CHECK_EQ(check_load(s, (struct expect){f, LOAD_DELTAS, log, 0, i + 1}, load),
                     EACH - i - 1);
        }
    }
}

TEST(store_deltas, "deltas come back by every load, before and after opening again")
{
    struct place p = place_make();
    struct filled *f = filled_make();
    struct store *s = open_or_fail(p.path, STORE_CREATE);
    uint64_t last = 9;
    CHECK_EQ(store_last_arrival(s, &last), 0);
    CHECK_EQ(last, 0);
    commit_filled(s, f);
    check_filled(s, f);
    store_close(s);
    s = open_or_fail(p.path, STORE_OPEN);
    check_filled(s, f);
    store_close(s);
    filled_free(f);
    place_remove(&p);
}

TEST(store_in_memory, "a database in memory does all the same, and sync is nothing")
{
    struct filled *f = filled_make();
    struct store *s = open_or_fail(":memory:", STORE_CREATE);
    commit_filled(s, f);
    CHECK_EQ(store_sync(s), 0);
    check_filled(s, f);
    store_close(s);
    filled_free(f);
}

TEST(store_twice, "a delta that is there already is skipped, alone and among new ones")
{
    struct filled *f = filled_make();
    struct store *s = open_or_fail(":memory:", STORE_CREATE);
    struct batch some = {.deltas = f->deltas, .n_deltas = 7};
    CHECK_EQ(store_commit(s, &some), 0);
    CHECK_EQ(store_commit(s, &some), 0);
    commit_filled(s, f);
    commit_filled(s, f);
    check_filled(s, f);
    store_close(s);
    filled_free(f);
}

TEST(store_unknown_log, "a log or note that is not there has no rows")
{
    struct store *s = open_or_fail(":memory:", STORE_CREATE);
    CHECK_EQ(count_rows(s, (struct load){.kind = LOAD_DELTAS, .max_bytes = 1000}), 0);
    CHECK_EQ(count_rows(s, (struct load){.kind = LOAD_NOTE}), 0);
    CHECK_EQ(count_rows(s, (struct load){.kind = LOAD_ARRIVED, .from = UINT64_MAX}), 0);
    store_close(s);
}

TEST(store_max_bytes, "a load of deltas stops before max_bytes, but always brings one")
{
    struct writer w = writer_of(1);
    struct store *s = open_or_fail(":memory:", STORE_CREATE);
    static uint8_t text[DELTA_MOST_PAYLOAD];
    size_t len = 0;
    for (size_t i = 0; i < 40; i++) {
        struct buf bytes = BUF_INIT;
        struct batch_delta d = writer_next(&w, 1, slice_of(text, sizeof text), &bytes);
        CHECK_EQ(commit_delta(s, &d), 0);
        len = d.bytes.len;
        buf_clear(&bytes);
    }
    struct load load = {.kind = LOAD_DELTAS, .from = 1};
    memcpy(load.log, w.id, LOG_ID_BYTES);
    CHECK_EQ(count_rows(s, load), 1);
    load.max_bytes = 3 * len;
    CHECK_EQ(count_rows(s, load), 3);
    load.max_bytes = 3 * len - 1;
    CHECK_EQ(count_rows(s, load), 2);
    load.max_bytes = SIZE_MAX;
    CHECK_EQ(count_rows(s, load), LOAD_MOST_BYTES / len);
    load.kind = LOAD_ARRIVED;
    CHECK_EQ(count_rows(s, load), LOAD_MOST_BYTES / len);
    store_close(s);
}

static int stop_at_second(void *user, const struct load_row *row)
{
    (void)row;
    return ++*(size_t *)user == 2 ? 77 : 0;
}

TEST(store_load_stops, "a row function that returns non-zero ends the load with that value")
{
    struct filled *f = filled_make();
    struct store *s = open_or_fail(":memory:", STORE_CREATE);
    size_t n = 0;
    struct load load = {.kind = LOAD_INDEX};
    commit_filled(s, f);
    CHECK_EQ(store_load(s, &load, stop_at_second, &n), 77);
    CHECK_EQ(n, 2);
    check_filled(s, f);
    store_close(s);
    filled_free(f);
}

/* Two continuations of the same first delta. */
TEST(store_fork, "both branches of a fork are kept; the first one here stays the head's")
{
    struct store *s = open_or_fail(":memory:", STORE_CREATE);
    struct writer w = writer_of(1);
    struct buf b[6] = {BUF_INIT};
    struct batch_delta first = writer_next(&w, 2, slice_str("first"), &b[0]);
    struct writer other = w, anew = writer_of(1);
    struct batch_delta main_2 = writer_next(&w, 2, slice_str("main"), &b[1]);
    struct batch_delta other_2 = writer_next(&other, 1, slice_str("other"), &b[2]);
    struct batch_delta other_3 = writer_next(&other, 7, slice_str("other"), &b[3]);
    struct batch_delta main_3 = writer_next(&w, 3, slice_str("main"), &b[4]);
    struct batch_delta anew_1 = writer_next(&anew, 2, slice_str("anew"), &b[5]);
    const struct batch_delta *order[] = {&first,   &main_2, &other_2, &other_3, &other_3,
                                         &other_2, &anew_1, &anew_1,  &main_3};
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
        CHECK_EQ(commit_delta(s, order[i]), 0);
    struct load load = {.kind = LOAD_DELTAS, .max_bytes = LOAD_MOST_BYTES};
    memcpy(load.log, w.id, LOG_ID_BYTES);
    CHECK_EQ(count_rows(s, load), 3);
    load.kind = LOAD_INDEX;
    CHECK_EQ(count_rows(s, load), 3);
    load.kind = LOAD_ARRIVED;
    CHECK_EQ(count_rows(s, load), 6);
    struct log_set set;
    log_set_init(&set, report_id, 1);
    struct buf heads = BUF_INIT, expected = BUF_INIT;
    load.kind = LOAD_HEADS;
    print_load(s, &load, &heads);
    struct load_row row = {.end = main_3.end, .lamport = 3};
    memcpy(row.log, w.id, LOG_ID_BYTES);
    memcpy(row.hash, main_3.hash, HASH_BYTES);
    row.value = slice_of(w.origin, ORIGIN_BYTES);
    print_row(&expected, &row);
    CHECK_SLICE(buf_slice(&heads), buf_slice(&expected));
    log_set_clear(&set);
    for (size_t i = 0; i < 6; i++)
        buf_clear(&b[i]);
    buf_clear(&heads);
    buf_clear(&expected);
    store_close(s);
}

TEST(store_chain, "a delta that continues nothing here is refused, with all of its batch")
{
    struct filled *f = filled_make();
    struct store *s = open_or_fail(":memory:", STORE_CREATE);
    struct batch_delta gap[2] = {f->deltas[0], f->deltas[2 * LOGS]};
    struct batch batch = {.deltas = gap, .n_deltas = 2};
    CHECK_EQ(store_commit(s, &batch), RAPPORT_CHAIN);
    CHECK_EQ(commit_delta(s, &f->deltas[LOGS]), RAPPORT_CHAIN);
    CHECK(strstr(store_error(s), "does not continue") != NULL);
    CHECK_EQ(count_rows(s, (struct load){.kind = LOAD_HEADS}), 0);
    struct batch_delta rubbish = f->deltas[0];
    rubbish.bytes = slice_str("rubbish");
    CHECK_EQ(commit_delta(s, &rubbish), RAPPORT_MALFORMED);
    commit_filled(s, f);
    check_filled(s, f);
    store_close(s);
    filled_free(f);
}

TEST(store_records, "records are set, replaced, emptied and removed; they come in order of key")
{
    struct store *s = open_or_fail(":memory:", STORE_CREATE);
    struct buf out = BUF_INIT;
    struct load load = {.kind = LOAD_RECORDS};
    CHECK_EQ(commit_record(s, "b", slice_str("1")), 0);
    CHECK_EQ(commit_record(s, "a", slice_str("2")), 0);
    CHECK_EQ(commit_record(s, "c", slice_str("3")), 0);
    CHECK_EQ(commit_record(s, "b", slice_of("", 0)), 0);
    CHECK_EQ(commit_record(s, "c", (struct slice){0}), 0);
    CHECK_EQ(commit_record(s, "never", (struct slice){0}), 0);
    CHECK_EQ(commit_record(s, "a", slice_str("22")), 0);
    print_load(s, &load, &out);
    const char *zeros = "log 0000 note 00 end 0 lamport 0 arrival 0 hash 00";
    struct buf expected = BUF_INIT;
    buf_printf(&expected, "%s key a value 2 3232\n%s key b value 0\n", zeros, zeros);
    CHECK_SLICE(buf_slice(&out), buf_slice(&expected));
    buf_clear(&out);
    buf_clear(&expected);
    store_close(s);
}

TEST(store_applied, "a batch that says so sets the record to the newest arrival number")
{
    struct filled *f = filled_make();
    struct store *s = open_or_fail(":memory:", STORE_CREATE);
    struct buf out = BUF_INIT;
    struct batch batch = {.applied = true};
    CHECK_EQ(store_commit(s, &batch), 0);
    print_load(s, &(struct load){.kind = LOAD_RECORDS}, &out);
    CHECK(strstr(buf_cstr(&out), "key applied value 8 0000000000000000") != NULL);
    buf_reset(&out);
    batch = (struct batch){.deltas = f->deltas, .n_deltas = LOGS * EACH, .applied = true};
    CHECK_EQ(store_commit(s, &batch), 0);
    print_load(s, &(struct load){.kind = LOAD_RECORDS}, &out);
    CHECK(strstr(buf_cstr(&out), "key applied value 8 000000000000000f") != NULL);
    buf_clear(&out);
    store_close(s);
    filled_free(f);
}

TEST(store_key_limit, "a key of 64 bytes fits, one of 65 is refused with all of its batch")
{
    struct store *s = open_or_fail(":memory:", STORE_CREATE);
    uint8_t key[65] = {1};
    struct batch_record records[2] = {{slice_str("x"), slice_str("y")},
                                      {slice_of(key, 65), slice_str("y")}};
    struct batch batch = {.records = records, .n_records = 2};
    CHECK_EQ(store_commit(s, &batch), RAPPORT_LIMIT);
    CHECK_EQ(count_rows(s, (struct load){.kind = LOAD_RECORDS}), 0);
    records[1].key.len = 64;
    CHECK_EQ(store_commit(s, &batch), 0);
    CHECK_EQ(count_rows(s, (struct load){.kind = LOAD_RECORDS}), 2);
    store_close(s);
}

static int check_value(void *user, const struct load_row *row)
{
    const struct slice *expected = user;
    CHECK_SLICE(row->value, *expected);
    return 0;
}

TEST(store_notes, "a note's two columns are written apart; 16 MiB come back whole")
{
    struct place p = place_make();
    struct store *s = open_or_fail(p.path, STORE_CREATE);
    size_t len = 16 << 20;
    uint8_t *big = calloc(1, len);
    CHECK(big != NULL);
    for (size_t i = 0; i < len; i += 101)
        big[i] = (uint8_t)i;
    struct batch_note notes[3] = {{.id = {3}, .meta = slice_str("m3"), .stored = slice_str("s3")},
                                  {.id = {1}, .meta = slice_str("m1")},
                                  {.id = {2}, .stored = slice_of(big, len)}};
    struct batch batch = {.notes = notes, .n_notes = 3};
    CHECK_EQ(store_commit(s, &batch), 0);
    struct batch_note change = {.id = {3}, .meta = slice_str("new")};
    batch = (struct batch){.notes = &change, .n_notes = 1};
    CHECK_EQ(store_commit(s, &batch), 0);
    store_close(s);
    s = open_or_fail(p.path, STORE_OPEN);
    CHECK_EQ(count_rows(s, (struct load){.kind = LOAD_NOTES}), 2);
    struct slice expected = slice_of(big, len);
    struct load load = {.kind = LOAD_NOTE, .note = {2}};
    CHECK_EQ(count_rows(s, load), 1);
    CHECK_EQ(store_load(s, &load, check_value, &expected), 0);
    load.note[0] = 3;
    expected = slice_str("s3");
    CHECK_EQ(store_load(s, &load, check_value, &expected), 0);
    struct buf out = BUF_INIT;
    load.kind = LOAD_NOTES;
    print_load(s, &load, &out);
    const char *text = buf_cstr(&out);
    CHECK(strstr(text, "note 01") != NULL && strstr(text, "note 01") < strstr(text, "note 03"));
    CHECK(strstr(text, "value 3 6e6577") != NULL);
    buf_clear(&out);
    store_close(s);
    free(big);
    place_remove(&p);
}

TEST(store_drop_cache, "dropping the cache keeps deltas, heads and local records only")
{
    struct filled *f = filled_make();
    struct store *s = open_or_fail(":memory:", STORE_CREATE);
    struct batch_note note = {.id = {3}, .meta = slice_str("m"), .stored = slice_str("s")};
    struct batch batch = {.notes = &note, .n_notes = 1};
    commit_filled(s, f);
    CHECK_EQ(store_commit(s, &batch), 0);
    CHECK_EQ(commit_record(s, "local/log", slice_str("1")), 0);
    CHECK_EQ(commit_record(s, "local", slice_str("1")), 0);
    CHECK_EQ(commit_record(s, "applied", slice_str("1")), 0);
    CHECK_EQ(store_drop_cache(s), 0);
    CHECK_EQ(count_rows(s, (struct load){.kind = LOAD_RECORDS}), 1);
    CHECK_EQ(count_rows(s, (struct load){.kind = LOAD_NOTES}), 0);
    CHECK_EQ(count_rows(s, (struct load){.kind = LOAD_NOTE, .note = {3}}), 0);
    check_filled(s, f);
    store_close(s);
    filled_free(f);
}

TEST(store_file_mode, "the database and its log are for their owner only")
{
    struct place p = place_make();
    struct store *s = open_or_fail(p.path, STORE_CREATE);
    struct stat info;
    char wal[80];
    CHECK_EQ(commit_record(s, "a", slice_str("1")), 0);
    snprintf(wal, sizeof wal, "%s-wal", p.path);
    CHECK_EQ(stat(p.path, &info), 0);
    CHECK_EQ(info.st_mode & 0777, 0600);
    CHECK_EQ(stat(wal, &info), 0);
    CHECK_EQ(info.st_mode & 0777, 0600);
    snprintf(wal, sizeof wal, "%s-shm", p.path);
    CHECK(stat(wal, &info) != 0);
    store_close(s);
    place_remove(&p);
}

TEST(store_many_notes, "a list of 10,000 notes reads none of their texts")
{
    struct place p = place_make();
    struct store *s = open_or_fail(p.path, STORE_CREATE);
    static uint8_t text[3000], meta[100];
    static struct batch_note notes[10000];
    for (size_t i = 0; i < 10000; i++) {
        memcpy(notes[i].id, &i, sizeof i);
        notes[i].meta = slice_of(meta, sizeof meta);
        notes[i].stored = slice_of(text, sizeof text);
    }
    struct batch batch = {.notes = notes, .n_notes = 10000};
    CHECK_EQ(store_commit(s, &batch), 0);
    store_close(s);
    s = open_or_fail(p.path, STORE_OPEN);
    CHECK_EQ(count_rows(s, (struct load){.kind = LOAD_HEADS}), 0);
    CHECK_EQ(count_rows(s, (struct load){.kind = LOAD_RECORDS}), 0);
    CHECK_EQ(count_rows(s, (struct load){.kind = LOAD_NOTES}), 10000);
    store_close(s);
    place_remove(&p);
}
