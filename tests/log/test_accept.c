/*
 * test_accept.c - the door for deltas. Numbers in brackets are rows of the table of hostile inputs
 * that the layer was designed against (docs/protocol.md 2.9).
 */
#include "fixture.h"

enum {
    RUN = 6
};

/* A device with a run of RUN deltas of 1, 2, 3 ... events, and a set to put it in. */
struct scene {
    struct log_set set;
    struct author a;
    struct made made[RUN];
    struct delta run[RUN];
    struct log_outcome outcome;
};

static void scene_refresh(struct scene *s)
{
    for (size_t i = 0; i < RUN; i++)
        s->run[i] = s->made[i].d;
}

static struct scene *scene_create(void)
{
    struct scene *s = calloc(1, sizeof *s);
    CHECK(s != NULL);
    log_set_init(&s->set, report_id, 1);
    s->a = author_of(1);
    for (uint32_t i = 0; i < RUN; i++)
        s->made[i] = author_writes(&s->a, i + 1, NULL, 0, 0);
    scene_refresh(s);
    return s;
}

static void scene_destroy(struct scene *s)
{
    for (size_t i = 0; i < RUN; i++)
        made_clear(&s->made[i]);
    log_set_clear(&s->set);
    free(s);
}

static void give(struct scene *s, size_t from, size_t n)
{
    CHECK_EQ(log_accept(&s->set, s->run + from, n, &s->outcome), 0);
}

#define CHECK_OUTCOME(s, known, accepted, why)                                                     \
    do {                                                                                           \
        CHECK_EQ((s)->outcome.n_known, known);                                                     \
        CHECK_EQ((s)->outcome.n_accepted, accepted);                                               \
        CHECK_EQ((s)->outcome.stop, why);                                                          \
    } while (0)

/* The log's head is run[n - 1], and each of the n is in the index. */
static void check_holds(const struct scene *s, size_t n)
{
    const struct log *log = log_find(&s->set, s->a.id);
    if (n == 0) {
        CHECK(log == NULL);
        return;
    }
    CHECK(log != NULL);
    CHECK_EQ(log->next, s->run[n - 1].end);
    CHECK_EQ(log->lamport, s->run[n - 1].lamport);
    CHECK_BYTES(log->head, HASH_BYTES, s->run[n - 1].hash, HASH_BYTES);
    CHECK_BYTES(log->origin, ORIGIN_BYTES, s->a.origin, ORIGIN_BYTES);
    CHECK_EQ(log->n_entries, n);
    for (size_t i = 0; i < n; i++) {
        const struct log_entry *entry = log_entry_at(log, s->run[i].end);
        CHECK(entry == &log->entries[i]);
        CHECK_BYTES(entry->hash, HASH_BYTES, s->run[i].hash, HASH_BYTES);
    }
    CHECK(log_entry_at(log, s->run[n - 1].end + 1) == NULL);
    CHECK(log_entry_at(log, 2) == NULL);
}

/* Replaces delta i by one whose draft `change` altered; it stays signed and chained to i - 1. */
static void rewrite(struct scene *s, size_t i, void (*change)(struct delta_draft *))
{
    struct epoch_keys epoch = fixture_epoch();
    struct author a = author_of(1);
    if (i > 0)
        author_moves(&a, &s->run[i - 1]);
    struct delta_draft draft = draft_of(&a, &epoch);
    draft.count = (uint32_t)i + 1;
    change(&draft);
    made_clear(&s->made[i]);
    s->made[i] = made_of(&draft);
    scene_refresh(s);
}

static void other_text(struct delta_draft *t)
{
    t->plain = slice_str("something else");
}

static void longer(struct delta_draft *t)
{
    t->count += 3;
}

static void skip_number(struct delta_draft *t)
{
    t->first++;
}

static void repeat_number(struct delta_draft *t)
{
    t->first--;
}

static void lamport_up(struct delta_draft *t)
{
    t->lamport++;
}

static void lamport_down(struct delta_draft *t)
{
    t->lamport--;
}

static void lamport_huge(struct delta_draft *t)
{
    t->lamport = DELTA_MOST_NUMBER;
}

/* Author a writes anew from delta i on: a second history, chained and signed. */
static void fork_from(struct scene *s, size_t i, void (*change)(struct delta_draft *))
{
    rewrite(s, i, change);
    struct author a = author_of(1);
    author_moves(&a, &s->run[i]);
    for (size_t k = i + 1; k < RUN; k++) {
        made_clear(&s->made[k]);
        s->made[k] = author_writes(&a, (uint32_t)k + 1, NULL, 0, 0);
    }
    scene_refresh(s);
}

TEST(accept_run, "a good run is taken whole; again it is known; nothing at all is fine")
{
    struct scene *s = scene_create();
    give(s, 0, 0);
    CHECK_OUTCOME(s, 0, 0, LOG_ALL);
    give(s, 0, RUN);
    CHECK_OUTCOME(s, 0, RUN, LOG_ALL);
    check_holds(s, RUN);
    give(s, 0, RUN);
    CHECK_OUTCOME(s, RUN, 0, LOG_ALL);
    check_holds(s, RUN);
    scene_destroy(s);
}

TEST(accept_known_then_new, "deltas held already are counted, those behind them are taken")
{
    struct scene *s = scene_create();
    give(s, 0, 3);
    give(s, 1, RUN - 1);
    CHECK_OUTCOME(s, 2, 3, LOG_ALL);
    check_holds(s, RUN);
    scene_destroy(s);
}

TEST(accept_gap, "a run that starts behind the head changes nothing, also without any log")
{
    struct scene *s = scene_create();
    give(s, 1, 2);
    CHECK_OUTCOME(s, 0, 0, LOG_GAP);
    check_holds(s, 0);
    give(s, 0, 2);
    give(s, 3, 2);
    CHECK_OUTCOME(s, 0, 0, LOG_GAP);
    s->run[3] = s->run[4];
    give(s, 1, 3);
    CHECK_OUTCOME(s, 1, 1, LOG_GAP);
    check_holds(s, 3);
    scene_destroy(s);
}

TEST(accept_cover_middle, "a bad signature in the middle is covered by the one behind it (16)")
{
    struct scene *s = scene_create();
    made_spoil_signature(&s->made[2]);
    scene_refresh(s);
    give(s, 0, RUN);
    CHECK_OUTCOME(s, 0, RUN, LOG_ALL);
    check_holds(s, RUN);
    scene_destroy(s);
}

TEST(accept_last_bad, "with the last signatures bad the longest proven front is kept (17)")
{
    struct scene *s = scene_create();
    made_spoil_signature(&s->made[1]);
    made_spoil_signature(&s->made[4]);
    made_spoil_signature(&s->made[5]);
    scene_refresh(s);
    give(s, 0, RUN);
    CHECK_OUTCOME(s, 0, 4, LOG_INVALID);
    CHECK_EQ(s->outcome.error, RAPPORT_AUTH);
    check_holds(s, 4);
    scene_destroy(s);
}

TEST(accept_none_signed, "a run without a good signature leaves no trace, not even the log")
{
    struct scene *s = scene_create();
    for (size_t i = 0; i < RUN; i++)
        made_spoil_signature(&s->made[i]);
    scene_refresh(s);
    give(s, 0, RUN);
    CHECK_OUTCOME(s, 0, 0, LOG_INVALID);
    CHECK_EQ(s->outcome.error, RAPPORT_AUTH);
    CHECK_EQ(s->set.by_id.n, 0);
    scene_destroy(s);
}

TEST(accept_cover_only_accepted, "a delta that is invalid itself covers nothing before it")
{
    struct scene *s = scene_create();
    made_spoil_signature(&s->made[1]);
    scene_refresh(s);
    rewrite(s, 2, lamport_up);
    give(s, 0, 3);
    CHECK_OUTCOME(s, 0, 1, LOG_INVALID);
    CHECK_EQ(s->outcome.error, RAPPORT_AUTH);
    check_holds(s, 1);
    scene_destroy(s);
}

TEST(accept_same_in_any_cut, "however a run with bad signatures is cut, the result is the same")
{
    for (size_t cut = 0; cut <= RUN; cut++) {
        struct scene *s = scene_create();
        made_spoil_signature(&s->made[1]);
        made_spoil_signature(&s->made[3]);
        scene_refresh(s);
        give(s, 0, cut);
        give(s, 0, RUN);
        CHECK_EQ(s->outcome.stop, LOG_ALL);
        check_holds(s, RUN);
        scene_destroy(s);
    }
}

TEST(accept_numbers, "a number that skips or repeats ends the run there (18)")
{
    struct scene *s = scene_create();
    rewrite(s, 3, skip_number);
    give(s, 0, RUN);
    CHECK_OUTCOME(s, 0, 3, LOG_GAP);
    rewrite(s, 3, repeat_number);
    give(s, 0, RUN);
    CHECK_OUTCOME(s, 3, 0, LOG_FORKED);
    check_holds(s, 3);
    scene_destroy(s);
}

TEST(accept_lamport, "a lamport that is not 1 + the greatest before it is refused (19)")
{
    void (*const changes[])(struct delta_draft *) = {lamport_up, lamport_down, lamport_huge};
    for (size_t i = 0; i < 3; i++) {
        struct scene *s = scene_create();
        rewrite(s, 3, changes[i]);
        give(s, 0, RUN);
        CHECK_OUTCOME(s, 0, 3, LOG_INVALID);
        CHECK_EQ(s->outcome.error, RAPPORT_MALFORMED);
        check_holds(s, 3);
        scene_destroy(s);
    }
}

TEST(accept_lamport_end, "after the greatest lamport nothing follows")
{
    struct scene *s = scene_create();
    give(s, 0, 1);
    struct log *log = log_find(&s->set, s->a.id);
    log->lamport = DELTA_MOST_NUMBER;
    give(s, 1, 1);
    CHECK_OUTCOME(s, 0, 0, LOG_INVALID);
    scene_destroy(s);
}

TEST(accept_missing, "a missing dep stops the run and is named; once it is here the rest is taken")
{
    struct scene *s = scene_create();
    struct author b = author_of(2), a = author_of(1);
    struct made dep = author_writes(&b, 4, NULL, 0, 0);
    struct delta_dep on_b = dep_on(&b);
    author_moves(&a, &s->run[1]);
    for (size_t i = 2; i < RUN; i++) {
        made_clear(&s->made[i]);
        s->made[i] = author_writes(&a, (uint32_t)i + 1, &on_b, i == 2, dep.d.lamport);
    }
    made_spoil_signature(&s->made[1]); /* covered only by what still waits */
    scene_refresh(s);
    give(s, 0, RUN);
    CHECK_OUTCOME(s, 0, 1, LOG_MISSING);
    CHECK_BYTES(s->outcome.missing.log, LOG_ID_BYTES, b.id, LOG_ID_BYTES);
    CHECK_EQ(s->outcome.missing.end, 4);
    check_holds(s, 1);
    struct log_outcome outcome;
    CHECK_EQ(log_accept(&s->set, &dep.d, 1, &outcome), 0);
    CHECK_EQ(outcome.n_accepted, 1);
    give(s, 0, RUN);
    CHECK_OUTCOME(s, 1, RUN - 1, LOG_ALL);
    check_holds(s, RUN);
    made_clear(&dep);
    scene_destroy(s);
}

TEST(accept_dep_hash, "a dep on the right number with another hash, or a future one, waits (21)")
{
    struct scene *s = scene_create();
    struct author b = author_of(2);
    struct made first = author_writes(&b, 4, NULL, 0, 0);
    struct log_outcome outcome;
    CHECK_EQ(log_accept(&s->set, &first.d, 1, &outcome), 0);
    struct delta_dep other = dep_on(&b), future = dep_on(&b);
    other.hash[0] ^= 1;
    future.end += 9;
    const struct delta_dep *deps[] = {&other, &future};
    for (size_t i = 0; i < 2; i++) {
        struct author a = author_of(3);
        struct made m = author_writes(&a, 1, deps[i], 1, first.d.lamport);
        CHECK_EQ(log_accept(&s->set, &m.d, 1, &outcome), 0);
        CHECK_EQ(outcome.stop, LOG_MISSING);
        CHECK_EQ(outcome.n_accepted, 0);
        CHECK(memcmp(&outcome.missing, deps[i], sizeof other) == 0);
        made_clear(&m);
    }
    CHECK_EQ(s->set.by_id.n, 1);
    made_clear(&first);
    scene_destroy(s);
}

TEST(accept_dep_lamport, "deps raise the lamport: the greatest of all counts")
{
    struct scene *s = scene_create();
    struct author b = author_of(2);
    struct made wrong, right, first = author_writes(&b, 1, NULL, 0, 0);
    struct author again = b;
    struct delta_dep on_a = dep_on(&s->a);
    struct log_outcome outcome;
    give(s, 0, RUN);
    wrong = author_writes(&again, 1, &on_a, 1, RUN - 1);
    right = author_writes(&b, 1, &on_a, 1, RUN);
    CHECK_EQ(log_accept(&s->set, &first.d, 1, &outcome), 0);
    CHECK_EQ(log_accept(&s->set, &wrong.d, 1, &outcome), 0);
    CHECK_EQ(outcome.stop, LOG_INVALID);
    CHECK_EQ(log_accept(&s->set, &right.d, 1, &outcome), 0);
    CHECK_EQ(outcome.n_accepted, 1);
    CHECK_EQ(log_find(&s->set, b.id)->lamport, RUN + 1);
    made_clear(&first);
    made_clear(&wrong);
    made_clear(&right);
    scene_destroy(s);
}

TEST(accept_fork, "a signed second history is a fork wherever it starts, and changes nothing")
{
    void (*const changes[])(struct delta_draft *) = {other_text, longer};
    for (size_t at = 0; at < RUN; at++) {
        for (size_t c = 0; c < 2; c++) {
            struct scene *s = scene_create(), *forked = scene_create();
            give(s, 0, RUN);
            fork_from(forked, at, changes[c]);
            for (size_t i = 0; i + 1 < RUN; i++)
                made_spoil_signature(&forked->made[i]); /* the last one covers them */
            scene_refresh(forked);
            CHECK_EQ(log_accept(&s->set, forked->run, RUN, &s->outcome), 0);
            CHECK_OUTCOME(s, at, 0, LOG_FORKED);
            CHECK_EQ(s->outcome.error, RAPPORT_FORK);
            check_holds(s, RUN);
            scene_destroy(forked);
            scene_destroy(s);
        }
    }
}

TEST(accept_fork_behind, "a delta signed on top of another head than ours is a fork too")
{
    struct scene *s = scene_create(), *forked = scene_create();
    give(s, 0, 3);
    fork_from(forked, 2, other_text);
    CHECK_EQ(log_accept(&s->set, forked->run + 3, 3, &s->outcome), 0);
    CHECK_OUTCOME(s, 0, 0, LOG_FORKED);
    check_holds(s, 3);
    scene_destroy(forked);
    scene_destroy(s);
}

TEST(accept_false_accusation, "a contradiction that the author did not sign is no fork")
{
    struct scene *s = scene_create(), *forked = scene_create();
    give(s, 0, RUN);
    fork_from(forked, 2, other_text);
    for (size_t i = 0; i < RUN; i++)
        made_spoil_signature(&forked->made[i]);
    scene_refresh(forked);
    CHECK_EQ(log_accept(&s->set, forked->run, RUN, &s->outcome), 0);
    CHECK_OUTCOME(s, 2, 0, LOG_INVALID);
    CHECK_EQ(s->outcome.error, RAPPORT_AUTH);
    scene_destroy(forked);
    scene_destroy(s);
}

TEST(accept_twice_in_run, "the same delta twice in one run is the sender's fault, not a fork")
{
    struct scene *s = scene_create();
    s->run[3] = s->run[2];
    give(s, 0, 4);
    CHECK_OUTCOME(s, 0, 3, LOG_INVALID);
    CHECK_EQ(s->outcome.error, RAPPORT_CHAIN);
    scene_destroy(s);
}

TEST(accept_mixed_logs, "a delta of another log in the run ends it")
{
    struct scene *s = scene_create();
    struct author b = author_of(2);
    struct made other = author_writes(&b, 1, NULL, 0, 0);
    s->run[2] = other.d;
    give(s, 0, RUN);
    CHECK_OUTCOME(s, 0, 2, LOG_INVALID);
    CHECK_EQ(s->set.by_id.n, 1);
    made_clear(&other);
    scene_destroy(s);
}

TEST(accept_other_signer, "a delta that continues a log but is signed by another key is refused")
{
    struct scene *s = scene_create();
    struct author thief = s->a;
    thief.keys = author_of(2).keys;
    author_moves(&thief, &s->run[2]);
    struct made m = author_writes(&thief, 1, NULL, 0, 0);
    give(s, 0, 3);
    struct log_outcome outcome;
    CHECK_EQ(log_accept(&s->set, &m.d, 1, &outcome), 0);
    CHECK_EQ(outcome.stop, LOG_INVALID);
    CHECK_EQ(outcome.error, RAPPORT_AUTH);
    check_holds(s, 3);
    made_clear(&m);
    scene_destroy(s);
}

TEST(accept_run_limit, "LOG_RUN_MOST deltas are a run, one more is refused whole")
{
    struct log_set set;
    struct log_outcome outcome;
    struct author a = author_of(1);
    static struct made made[LOG_RUN_MOST + 1];
    static struct delta run[LOG_RUN_MOST + 1];
    for (size_t i = 0; i < LOG_RUN_MOST + 1; i++) {
        made[i] = author_writes(&a, 1, NULL, 0, 0);
        run[i] = made[i].d;
    }
    log_set_init(&set, report_id, 1);
    CHECK_EQ(log_accept(&set, run, LOG_RUN_MOST + 1, &outcome), RAPPORT_LIMIT);
    CHECK_EQ(set.by_id.n, 0);
    CHECK_EQ(log_accept(&set, run, LOG_RUN_MOST, &outcome), 0);
    CHECK_EQ(outcome.n_accepted, LOG_RUN_MOST);
    for (size_t i = 0; i < LOG_RUN_MOST + 1; i++)
        made_clear(&made[i]);
    log_set_clear(&set);
}

/* Puts a head into the set as the database would, with a number as its origin. */
static void restore_numbered(struct log_set *set, uint32_t number)
{
    struct log head = {.next = 1, .lamport = 1};
    memcpy(head.origin, &number, sizeof number);
    log_id_of(head.id, report_id, head.origin);
    CHECK_EQ(log_restore_head(set, &head), 0);
}

TEST(accept_logs_limit, "LOGS_MOST logs are held, a new one more is refused, a known one goes on")
{
    struct scene *s = scene_create();
    for (uint32_t i = 0; i < LOGS_MOST - 1; i++)
        restore_numbered(&s->set, i);
    give(s, 0, 2);
    CHECK_EQ(s->set.by_id.n, LOGS_MOST);
    struct author b = author_of(2);
    struct made m = author_writes(&b, 1, NULL, 0, 0);
    struct log_outcome outcome;
    CHECK_EQ(log_accept(&s->set, &m.d, 1, &outcome), RAPPORT_LIMIT);
    CHECK_EQ(log_append_own(&s->set, &m.d), RAPPORT_LIMIT);
    CHECK_EQ(s->set.by_id.n, LOGS_MOST);
    give(s, 2, RUN - 2);
    check_holds(s, RUN);
    made_clear(&m);
    scene_destroy(s);
}

TEST(accept_no_memory, "each failed allocation is NOMEM, the set stays, and a retry works")
{
    bool failed = true;
    for (long n = 0; failed; n++) {
        struct scene *s = scene_create();
        test_fail_allocation(n);
        int error = log_accept(&s->set, s->run, 3, &s->outcome);
        failed = test_allocation_failed();
        test_fail_allocation(-1);
        CHECK_EQ(error, failed ? RAPPORT_NOMEM : 0);
        check_holds(s, failed ? 0 : 3);
        if (failed)
            give(s, 0, 3);
        check_holds(s, 3);
        scene_destroy(s);
    }
    struct scene *s = scene_create();
    give(s, 0, 1);
    log_find(&s->set, s->a.id)->cap_entries = 1;
    test_fail_allocation(0);
    CHECK_EQ(log_accept(&s->set, s->run + 1, 3, &s->outcome), RAPPORT_NOMEM);
    test_fail_allocation(-1);
    check_holds(s, 1);
    scene_destroy(s);
}

TEST(append_own, "own deltas are appended without a signature check")
{
    struct scene *s = scene_create();
    made_spoil_signature(&s->made[0]);
    scene_refresh(s);
    for (size_t i = 0; i < RUN; i++)
        CHECK_EQ(log_append_own(&s->set, &s->run[i]), 0);
    check_holds(s, RUN);
    scene_destroy(s);
}
