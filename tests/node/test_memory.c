/*
 * test_memory.c - memory runs out at one moment, at each in turn: no crash, no loss of what was
 * saved, and the databases still make a group that agrees.
 */
#include "rig.h"

enum {
    MOST_WORDS = 8,
    CREATION_POINTS = 400 /* every allocation up to here, then every third */
};

struct word {
    int side;
    const char *text;
    bool saved;
};

static struct word words[MOST_WORDS];
static size_t n_words;
static long failing; /* which allocation, for the messages */

static bool is_well(int side)
{
    return rig.side[side].node && rapport_node_failure(rig.side[side].node) == 0;
}

/* Types a word and notes down whether it was reported as saved. */
static void type_word(int side, const char *text)
{
    struct word *w = &words[n_words++];
    *w = (struct word){side, text, false};
    if (!is_well(side) || rig_append(side, 'n', text))
        return;
    rig_run(100);
    w->saved = is_well(side) && rapport_node_unsaved(rig.side[side].node) == 0;
}

/* Addresses come, are signed and told, and a machine moves. */
static void find_each_other(void)
{
    for (int side = 0; side < 2; side++) {
        struct rapport_address address = rig_address(side), other = rig_address(1 - side);
        struct rapport_event e = {.kind = RAPPORT_EVENT_ONLINE, .listen = &address, .n_listen = 1};
        if (!rig.side[side].node)
            continue;
        (void)rig_step(side, &e);
        e = (struct rapport_event){.kind = RAPPORT_EVENT_CANDIDATE,
                                   .address = other,
                                   .source = RAPPORT_SOURCE_LAN,
                                   .who = 1};
        (void)rig_step(side, &e);
    }
    if (rig.side[1].node)
        (void)rig_event(1, RAPPORT_EVENT_MOVED);
}

/* A report, a friend who joins, both write, one starts again; whatever fails on the way. */
static void scenario(void)
{
    char *ticket = NULL;
    n_words = 0;
    if (rig_init(0) == 0) {
        (void)rig_new(0, 'n');
        type_word(0, "alpha ");
        ticket = rig_ticket(0, 9, 0);
    }
    rig_run(100);
    if (ticket && rig_join(1, ticket) == 0)
        rig_run(1000);
    find_each_other();
    type_word(1, "beta ");
    type_word(0, "gamma ");
    rig_run(6000); /* the cache is saved */
    if (rig.side[1].node && rig.side[1].n_joined) {
        rig_stop(1);
        (void)rig_open(1);
    }
    rig_run(2000);
    type_word(1, "delta ");
    type_word(0, "epsilon ");
    rig_run(2000);
    free(ticket);
}

static bool holds_report(int side)
{
    const struct db *db = &rig.side[side].db;
    for (size_t i = 0; i < db->n_records; i++)
        if (slice_equal(db->records[i].key, slice_str("local/report")))
            return true;
    return false;
}

/* Everybody starts again from what is in the database; who never got in joins again. */
static void recover(void)
{
    for (int side = 0; side < 2; side++)
        rig_stop(side);
    rig_run(100);
    if (!holds_report(0))
        return; /* the report was never made */
    CHECK_EQ(rig_open(0), 0);
    rig_run(100);
    struct rapport_note_info info;
    if (rapport_node_note(rig.side[0].node, rig_note('n'), &info))
        CHECK_EQ(rig_new(0, 'n'), 0);
    char *ticket = rig_ticket(0, 9, 0);
    CHECK(ticket != NULL);
    if (holds_report(1)) {
        CHECK_EQ(rig_open(1), 0);
        rig_meet(1, 0);
    } else {
        CHECK_EQ(rig_join(1, ticket), 0);
    }
    free(ticket);
    rig_run(30000);
    for (int side = 0; side < 2; side++)
        CHECK_EQ(rapport_node_failure(rig.side[side].node), 0);
    CHECK(rig_equal(0, 1));
    for (size_t i = 0; i < n_words; i++)
        if (words[i].saved && !strstr(rig_text(1, 'n'), words[i].text))
            test_fail(__FILE__, __LINE__, "%s was saved and is not in: %s", words[i].text,
                      rig_text(1, 'n'));
    CHECK_EQ(rig_append(1, 'n', "and on"), 0);
    rig_run(1000);
    CHECK(strstr(rig_text(0, 'n'), "and on") != NULL);
}

TEST(node_memory, "memory that runs out at any one moment costs nothing that was saved")
{
    long at = 0;
    bool reached = true;
    for (; reached; at += at < CREATION_POINTS ? 1 : 3) {
        rig_start(0);
        failing = at;
        test_fail_allocation(at);
        scenario();
        reached = test_allocation_failed();
        test_fail_allocation(-1);
        recover();
    }
    printf("%ld allocations\n", at);
    CHECK(at > CREATION_POINTS);
    for (size_t i = 0; i < n_words; i++) /* of the run in which none failed */
        CHECK(words[i].saved);
}
