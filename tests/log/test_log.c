/* test_log.c - the log set restored from a database, and the independence from order of arrival. */
#include "fixture.h"

TEST(restore_set, "heads and entries restored give the set that was saved")
{
    struct log_set set, again;
    struct log_outcome outcome;
    struct author a = author_of(1), b = author_of(2);
    struct made m[3] = {author_writes(&a, 2, NULL, 0, 0), author_writes(&a, 3, NULL, 0, 0),
                        author_writes(&b, 5, NULL, 0, 0)};
    log_set_init(&set, report_id, 1);
    log_set_init(&again, report_id, 99);
    for (size_t i = 0; i < 3; i++)
        CHECK_EQ(log_accept(&set, &m[i].d, 1, &outcome), 0);
    size_t at = 0, at_again = 0;
    for (struct log *log; (log = log_next(&set, &at));) {
        CHECK_EQ(log_restore_head(&again, log), 0);
        for (size_t i = 0; i < log->n_entries; i++)
            CHECK_EQ(log_restore_entry(&again, log->id, &log->entries[i]), 0);
    }
    at = 0;
    for (struct log *log; (log = log_next(&set, &at));) {
        struct log *copy = log_next(&again, &at_again);
        CHECK_BYTES(copy->id, LOG_ID_BYTES, log->id, LOG_ID_BYTES);
        CHECK_EQ(copy->next, log->next);
        CHECK_EQ(copy->n_entries, log->n_entries);
        CHECK_BYTES(copy->entries, copy->n_entries * sizeof copy->entries[0], log->entries,
                    log->n_entries * sizeof log->entries[0]);
    }
    uint64_t lamport = 0;
    struct delta_dep dep = dep_on(&a);
    CHECK(log_has_dep(&again, &dep, &lamport));
    CHECK_EQ(lamport, 2);
    for (size_t i = 0; i < 3; i++)
        made_clear(&m[i]);
    log_set_clear(&set);
    log_set_clear(&again);
}

TEST(restore_head_only, "before the index is loaded the head still answers for deps and repeats")
{
    struct log_set set, again;
    struct log_outcome outcome;
    struct author a = author_of(1);
    struct made first = author_writes(&a, 2, NULL, 0, 0), second = author_writes(&a, 3, NULL, 0, 0);
    log_set_init(&set, report_id, 1);
    log_set_init(&again, report_id, 1);
    CHECK_EQ(log_accept(&set, &first.d, 1, &outcome), 0);
    CHECK_EQ(log_accept(&set, &second.d, 1, &outcome), 0);
    CHECK_EQ(log_restore_head(&again, log_find(&set, a.id)), 0);
    uint64_t lamport = 0;
    struct delta_dep dep = dep_on(&a);
    CHECK(log_has_dep(&again, &dep, &lamport));
    CHECK_EQ(lamport, 2);
    CHECK_EQ(log_accept(&again, &second.d, 1, &outcome), 0);
    CHECK_EQ(outcome.n_known, 1);
    made_clear(&first);
    made_clear(&second);
    log_set_clear(&set);
    log_set_clear(&again);
}

TEST(restore_refuses, "a head or entry that cannot be is CORRUPT and changes nothing")
{
    struct log_set set;
    struct author a = author_of(1);
    struct made m = author_writes(&a, 9, NULL, 0, 0);
    struct log head = {.next = 9, .lamport = 1};
    memcpy(head.id, a.id, LOG_ID_BYTES);
    memcpy(head.origin, a.origin, ORIGIN_BYTES);
    memcpy(head.head, a.head, HASH_BYTES);
    log_set_init(&set, report_id, 1);
    struct log wrong = head;
    wrong.origin[40] ^= 1;
    CHECK_EQ(log_restore_head(&set, &wrong), RAPPORT_CORRUPT);
    wrong = head;
    wrong.next = 0;
    CHECK_EQ(log_restore_head(&set, &wrong), RAPPORT_CORRUPT);
    struct log_entry entry = {.end = 4, .lamport = 1};
    CHECK_EQ(log_restore_entry(&set, a.id, &entry), RAPPORT_CORRUPT);
    CHECK_EQ(log_restore_head(&set, &head), 0);
    CHECK_EQ(log_restore_head(&set, &head), RAPPORT_CORRUPT);
    CHECK_EQ(log_restore_entry(&set, a.id, &entry), 0);
    entry.hash[0] ^= 1;
    CHECK_EQ(log_restore_entry(&set, a.id, &entry), RAPPORT_CORRUPT);
    entry.end = 0;
    CHECK_EQ(log_restore_entry(&set, a.id, &entry), RAPPORT_CORRUPT);
    entry.end = 9;
    CHECK_EQ(log_restore_entry(&set, a.id, &entry), RAPPORT_CORRUPT);
    entry.end = 10;
    CHECK_EQ(log_restore_entry(&set, a.id, &entry), RAPPORT_CORRUPT);
    entry.end = 9;
    memcpy(entry.hash, a.head, HASH_BYTES);
    CHECK_EQ(log_restore_entry(&set, a.id, &entry), 0);
    CHECK_EQ(set.by_id.n, 1);
    made_clear(&m);
    log_set_clear(&set);
}

TEST(restore_late, "entries that come after newer own deltas go to their places; repeats are left")
{
    struct log_set set, again;
    struct author a = author_of(1);
    struct made m[4];
    log_set_init(&set, report_id, 1);
    log_set_init(&again, report_id, 1);
    for (size_t i = 0; i < 4; i++) {
        m[i] = author_writes(&a, 2, NULL, 0, 0);
        CHECK_EQ(log_append_own(&set, &m[i].d), 0);
        if (i == 1)
            CHECK_EQ(log_restore_head(&again, log_find(&set, a.id)), 0);
        if (i >= 2)
            CHECK_EQ(log_append_own(&again, &m[i].d), 0);
    }
    const struct log *log = log_find(&set, a.id), *late = log_find(&again, a.id);
    for (size_t i = 0; i < 4; i++)
        CHECK_EQ(log_restore_entry(&again, a.id, &log->entries[i]), 0);
    CHECK_EQ(late->n_entries, 4);
    CHECK_BYTES(late->entries, 4 * sizeof late->entries[0], log->entries,
                4 * sizeof log->entries[0]);
    for (size_t i = 0; i < 4; i++)
        made_clear(&m[i]);
    log_set_clear(&set);
    log_set_clear(&again);
}

TEST(restore_no_memory, "each failed allocation while restoring is NOMEM and changes nothing")
{
    struct author a = author_of(1);
    struct log head = {.next = 9, .lamport = 1};
    memcpy(head.id, a.id, LOG_ID_BYTES);
    memcpy(head.origin, a.origin, ORIGIN_BYTES);
    bool failed = true;
    for (long n = 0; failed; n++) {
        struct log_set set;
        struct log_entry entry = {.end = 4, .lamport = 1};
        log_set_init(&set, report_id, 1);
        test_fail_allocation(n);
        int error = log_restore_head(&set, &head);
        if (error)
            CHECK_EQ(set.by_id.n, 0);
        else
            error = log_restore_entry(&set, a.id, &entry);
        failed = test_allocation_failed();
        test_fail_allocation(-1);
        CHECK_EQ(error, failed ? RAPPORT_NOMEM : 0);
        log_set_clear(&set);
    }
}

/* ---- order independence ---- */

enum {
    DEVICES = 4,
    DELTAS = 60,
    ORDERS = 150
};

/* A causal history: what each device had seen when it wrote is in the deps. */
struct history {
    struct author authors[DEVICES];
    uint64_t seen[DEVICES][DEVICES]; /* by device: end of each other log that it has named */
    struct made made[DELTAS];
    size_t by[DELTAS];
};

static void write_one(struct history *h, size_t i, struct test_rng *rng)
{
    struct delta_dep deps[DEVICES];
    size_t order[DEVICES] = {0, 1, 2, 3}, n = 0, me = test_rng_below(rng, DEVICES);
    uint64_t lamport = 0;
    for (size_t k = 0; k < DEVICES; k++) { /* ascending by log id */
        for (size_t l = k + 1; l < DEVICES; l++) {
            if (memcmp(h->authors[order[l]].id, h->authors[order[k]].id, LOG_ID_BYTES) < 0) {
                size_t swap = order[k];
                order[k] = order[l];
                order[l] = swap;
            }
        }
        const struct author *other = &h->authors[order[k]];
        if (order[k] == me || other->next == h->seen[me][order[k]] || test_rng_below(rng, 3))
            continue;
        h->seen[me][order[k]] = other->next;
        lamport = other->lamport > lamport ? other->lamport : lamport;
        deps[n++] = dep_on(other);
    }
    uint32_t count = 1 + (uint32_t)test_rng_below(rng, 40);
    h->made[i] = author_writes(&h->authors[me], count, deps, n, lamport);
    h->by[i] = me;
}

/* Offers deltas in random order, in runs of random length, until all are in. */
static void deliver(const struct history *h, struct log_set *set, struct test_rng *rng)
{
    size_t n_in = 0;
    while (n_in < DELTAS) {
        struct delta run[DELTAS];
        struct log_outcome outcome;
        size_t n = 0, start = test_rng_below(rng, DELTAS), most = 1 + test_rng_below(rng, 5);
        for (size_t i = start; i < DELTAS && n < most; i++)
            if (h->by[i] == h->by[start])
                run[n++] = h->made[i].d;
        CHECK_EQ(log_accept(set, run, n, &outcome), 0);
        CHECK(outcome.stop == LOG_ALL || outcome.stop == LOG_MISSING || outcome.stop == LOG_GAP);
        n_in += outcome.n_accepted;
    }
}

TEST(order_independent, "a random causal history gives the same heads in every order of delivery")
{
    struct test_rng rng = test_rng_start(5);
    struct history *h = calloc(1, sizeof *h);
    for (uint8_t i = 0; i < DEVICES; i++)
        h->authors[i] = author_of((uint8_t)(i + 1));
    for (size_t i = 0; i < DELTAS; i++)
        write_one(h, i, &rng);
    for (size_t order = 0; order < ORDERS; order++) {
        struct log_set set;
        log_set_init(&set, report_id, order);
        deliver(h, &set, &rng);
        for (size_t i = 0; i < DEVICES; i++) {
            const struct log *log = log_find(&set, h->authors[i].id);
            CHECK_EQ(log->next, h->authors[i].next);
            CHECK_EQ(log->lamport, h->authors[i].lamport);
            CHECK_BYTES(log->head, HASH_BYTES, h->authors[i].head, HASH_BYTES);
        }
        log_set_clear(&set);
    }
    for (size_t i = 0; i < DELTAS; i++)
        made_clear(&h->made[i]);
    free(h);
}
