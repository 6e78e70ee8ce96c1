/* test_store.c - the database: what a restart finds at any moment, and what a failed write means.
 */
#include "script.h"

TEST(node_restart,
     "at every moment the database alone, with or without its cache, gives the report")
{
    rig_two(0);
    CHECK_EQ(rig_new(0, 'm'), 0);
    static struct db moment;
    for (int i = 0; i < 30; i++) {
        CHECK_EQ(rig_append(i & 1, i % 3 ? 'n' : 'm', "word "), 0);
        rig_run(i % 5 ? 300 : 6000); /* the cache is saved now and then */
        moment = rig.side[1].db;
        struct rapport_node *before = rig.side[1].node;
        uint8_t x[RAPPORT_DIGEST_BYTES], y[RAPPORT_DIGEST_BYTES];
        CHECK_EQ(rapport_node_digest(before, x), 0);
        for (int without_cache = 0; without_cache < 2; without_cache++) {
            rig.side[3].db = moment;
            memset(rig.side[3].device_seed, 'B', 32);
            if (without_cache)
                db_drop_cache(&rig.side[3].db);
            struct rapport_node_config config = {.start = RAPPORT_START_OPEN};
            CHECK_EQ(rig_make(3, &config), 0);
            rig_drain(3);
            for (int k = 0; k < 8; k++)
                rig_event(3, RAPPORT_EVENT_TIMEOUT); /* texts are loaded one by one */
            CHECK(rapport_node_ready(rig.side[3].node));
            CHECK_EQ(rapport_node_digest(rig.side[3].node, y), 0);
            CHECK_BYTES(y, sizeof y, x, sizeof x);
            rig_stop(3);
        }
    }
}

TEST(node_store_failed,
     "a full disk ends editing; all that is here can still be read, by peers too")
{
    rig_two(0);
    CHECK_EQ(rig_new(0, 'm'), 0);
    CHECK_EQ(rig_append(0, 'm', "hidden"), 0);
    rig_run(6000);
    rig_stop(0);
    CHECK_EQ(rig_open(0), 0);
    CHECK(!report_note(rig.side[0].node->report, rig_note('m'))->text);
    CHECK_EQ(rig_append(0, 'n', "kept "), 0);
    rig_run(5000);
    rig_event(1, RAPPORT_EVENT_OFFLINE);
    rig.side[0].store_error = RAPPORT_FULL;
    CHECK_EQ(rig_append(0, 'n', "too much "), 0); /* found out when it is written */
    rig_run(100);
    CHECK_EQ(rapport_node_failure(rig.side[0].node), RAPPORT_FULL);
    CHECK_EQ(rig_append(0, 'n', "more"), RAPPORT_FULL);
    CHECK_STR(rig_text(0, 'n'), "one kept too much ");
    CHECK_STR(rig_text(0, 'm'), "hidden");
    rig_event(1, RAPPORT_EVENT_ONLINE);
    rig_stop(0);
    CHECK_EQ(rig_open(0), 0);
    rig_run(5000);
    CHECK_EQ(rig_append(0, 'n', "again "), 0);
    rig_run(30000);
    CHECK_STR(rig_text(1, 'n'), "one kept again ");
    CHECK(rig_equal(0, 1));
}

TEST(node_store_failed_serves, "a node with a full disk passes on what it has on the disk")
{
    rig_two(0);
    rig_event(1, RAPPORT_EVENT_OFFLINE);
    CHECK_EQ(rig_append(0, 'n', "two "), 0);
    rig_run(100);
    rig.side[0].store_error = RAPPORT_FULL;
    CHECK_EQ(rig_append(0, 'n', "lost "), 0);
    rig_run(100);
    CHECK_EQ(rapport_node_failure(rig.side[0].node), RAPPORT_FULL);
    rig_event(1, RAPPORT_EVENT_ONLINE);
    rig_run(5000);
    CHECK_STR(rig_text(1, 'n'), "one two ");
    rig_run(60000); /* and nobody spins */
}

TEST(node_store_failed_order, "nothing that was to be stored after a failed batch is stored")
{
    rig_two(0);
    rig.side[0].hold_written = true;
    CHECK_EQ(rig_append(0, 'n', "two "), 0);
    rig_run(100);
    struct rapport_node *a = rig.side[0].node;
    struct rapport_edit edit = {
        .kind = RAPPORT_EDIT_APPEND, .note = rig_note('n'), .text = "three ", .text_len = 6};
    struct rapport_event e = {.kind = RAPPORT_EVENT_EDIT, .edit = &edit};
    CHECK_EQ(rapport_node_step(a, rig.now, &e), 0); /* a STORE is in the queue */
    struct rapport_event failed = {
        .kind = RAPPORT_EVENT_STORE_FAILED, .store = rig.side[0].held[0].id, .error = RAPPORT_FULL};
    CHECK_EQ(rapport_node_step(a, rig.now, &failed), 0);
    struct rapport_effect effect;
    while (rapport_node_next_effect(a, &effect))
        CHECK(effect.kind != RAPPORT_EFFECT_STORE);
    struct rapport_event stored = {.kind = RAPPORT_EVENT_STORED, .store = UINT64_MAX};
    CHECK_EQ(rapport_node_step(a, rig.now, &stored), 0);
    CHECK_EQ(rapport_node_unsaved(a), 10);
}

TEST(node_sync_failed, "after a failed sync nothing counts as saved and nothing is acknowledged")
{
    rig_two(SHOW_WIRE);
    rig.side[1].hold_stored = true;
    CHECK_EQ(rig_append(0, 'n', "two "), 0);
    rig_run(100);
    struct rapport_event failed = {
        .kind = RAPPORT_EVENT_STORE_FAILED, .store = rig.side[1].written, .error = RAPPORT_IO};
    CHECK_EQ(rig_step(1, &failed), 0);
    rig_run(10000);
    CHECK(strstr(rig.trace, "B>A HAVE") == NULL);
    CHECK_EQ(rapport_node_failure(rig.side[1].node), RAPPORT_IO);
}

TEST(node_refused_first_edit,
     "a first edit that is refused leaves nothing that stops the next start")
{
    rig_two(0);
    rig_run(6000);
    CHECK_EQ(rig_append(1, 'n', "\xff"), RAPPORT_INVALID);
    rig_run(6000);
    rig_stop(1);
    CHECK_EQ(rig_open(1), 0);
    CHECK_EQ(rig_append(1, 'n', "two "), 0);
    rig_run(6000);
    CHECK_EQ(rapport_node_failure(rig.side[1].node), 0);
    CHECK(rig_equal(0, 1));
    CHECK_STR(rig_text(0, 'n'), "one two ");
}

TEST(node_old_copy, "who learns that peers have more of his log begins another")
{
    static struct db old;
    rig_two(0);
    CHECK_EQ(rig_append(1, 'n', "two "), 0);
    rig_run(1000);
    old = rig.side[1].db;
    CHECK_EQ(rig_append(1, 'n', "three "), 0);
    rig_run(1000);
    uint8_t before[16], after[16];
    CHECK(rapport_node_own_log(rig.side[1].node, before));
    rig_stop(1);
    rig.side[1].db = old;
    CHECK_EQ(rig_open(1), 0);
    CHECK_EQ(rig_append(1, 'n', "\xff"), RAPPORT_INVALID); /* the log is open for writing */
    rig_run(5000);
    CHECK_STR(rig_text(1, 'n'), "one two three ");
    CHECK_EQ(rig_append(1, 'n', "four "), 0);
    CHECK(rapport_node_own_log(rig.side[1].node, after));
    CHECK(memcmp(before, after, sizeof before) != 0);
    rig_run(5000);
    CHECK_EQ(rapport_node_failure(rig.side[1].node), 0);
    CHECK_STR(rig_text(0, 'n'), "one two three four ");
    CHECK(rig_equal(0, 1));
}

TEST(node_new_log, "a device that is not sure of its log continues in another, and loses nothing")
{
    rig_two(0);
    CHECK_EQ(rig_append(1, 'n', "two "), 0);
    rig_run(1000);
    uint8_t before[16], after[16];
    CHECK(rapport_node_own_log(rig.side[1].node, before));
    rig_stop(1);
    struct rapport_node_config config = {.start = RAPPORT_START_OPEN, .new_log = true};
    CHECK_EQ(rig_make(1, &config), 0);
    CHECK_EQ(rig_event(1, RAPPORT_EVENT_ONLINE), 0);
    rig_run(100);
    CHECK(!rapport_node_own_log(rig.side[1].node, after));
    CHECK_EQ(rig_append(1, 'n', "three "), 0);
    CHECK(rapport_node_own_log(rig.side[1].node, after));
    CHECK(memcmp(before, after, sizeof before) != 0);
    rig_run(5000);
    CHECK_STR(rig_text(0, 'n'), "one two three ");
    rig_stop(1);
    CHECK_EQ(rig_open(1), 0);
    CHECK(rapport_node_own_log(rig.side[1].node, before));
    CHECK_BYTES(before, sizeof before, after, sizeof after);
    CHECK(rig_equal(0, 1));
}

TEST(node_load_failed, "a database that cannot be read is told, and no question is asked for ever")
{
    rig_two(0);
    CHECK_EQ(rig_new(0, 'm'), 0);
    rig_run(6000);
    rig_stop(0);
    CHECK_EQ(rig_open(0), 0);
    rig.side[0].hold_loads = true;
    char *text = NULL;
    size_t len = 0;
    struct rapport_node *a = rig.side[0].node;
    CHECK_EQ(rapport_node_note_text(a, rig_note('m'), &text, &len), RAPPORT_AGAIN);
    rig_drain(0);
    CHECK_EQ(rig.side[0].n_loads, 1);
    struct rapport_event end = {.kind = RAPPORT_EVENT_LOADED_END,
                                .load = rig.side[0].loads[0].id,
                                .error = RAPPORT_CORRUPT};
    CHECK_EQ(rig_step(0, &end), 0);
    CHECK_EQ(rapport_node_failure(a), RAPPORT_CORRUPT);
    CHECK_EQ(rapport_node_note_text(a, rig_note('m'), &text, &len), RAPPORT_CORRUPT);
    rig_run(60000);
}
