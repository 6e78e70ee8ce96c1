/* test_sync.c - deltas between nodes: who says what in which order, and what is never said. */
#include "script.h"

TEST(node_typing, "typing is written here, sent, stored there, and acknowledged when it is stored")
{
    rig_two(SHOW_ALL);
    CHECK_EQ(rig_append(0, 'n', "two "), 0);
    rig_run(400);
    CHECK_TRACE("6100 A store 6: 1 deltas\n"
                "6100 A written 6\n"
                "6105 A stored 6\n"
                "6110 A>B DELTAS(1)\n"
                "6110 B store 4: 1 deltas\n"
                "6110 B written 4\n"
                "6115 B stored 4\n"
                "6125 B>A HAVE(1)\n");
    CHECK_STR(rig_text(1, 'n'), "one two ");
    CHECK(rig_equal(0, 1));
}

TEST(node_typing_fast, "keys typed within 40 ms go together")
{
    rig_two(SHOW_STORE);
    for (int i = 0; i < 8; i++) {
        CHECK_EQ(rig_append(0, 'n', "x"), 0);
        rig_run(10);
    }
    rig_run(100);
    CHECK_TRACE("6100 A store 6: 1 deltas\n"
                "6100 A written 6\n"
                "6105 A stored 6\n"
                "6110 B store 4: 1 deltas\n"
                "6110 B written 4\n"
                "6115 B stored 4\n"
                "6140 A store 7: 1 deltas\n"
                "6140 A written 7\n"
                "6145 A stored 7\n"
                "6150 B store 5: 1 deltas\n"
                "6150 B written 5\n"
                "6155 B stored 5\n"
                "6180 A store 8: 1 deltas\n"
                "6180 A written 8\n"
                "6185 A stored 8\n"
                "6190 B store 6: 1 deltas\n"
                "6190 B written 6\n"
                "6195 B stored 6\n");
    CHECK_STR(rig_text(1, 'n'), "one xxxxxxxx");
}

TEST(node_written_first, "what this device made is not sent before it is in the database")
{
    rig_two(SHOW_WIRE);
    rig.side[0].hold_written = true;
    CHECK_EQ(rig_append(0, 'n', "two "), 0);
    rig_run(100);
    CHECK_EQ(rig_append(0, 'n', "three "), 0);
    rig_run(100);
    CHECK_EQ(rig.side[0].n_held, 2);
    CHECK_TRACE("");
    rig_release(0, 1); /* the second is still on its way */
    rig_run(100);
    CHECK_TRACE("6310 A>B DELTAS(1)\n"
                "6325 B>A HAVE(1)\n");
    CHECK_STR(rig_text(1, 'n'), "one two ");
    rig_release(0, 1);
    rig_run(50);
    CHECK_TRACE("6310 A>B DELTAS(1)\n"
                "6325 B>A HAVE(1)\n"
                "6410 A>B DELTAS(1)\n"
                "6425 B>A HAVE(1)\n");
    CHECK_STR(rig_text(1, 'n'), "one two three ");
}

TEST(node_stored_first, "nothing is acknowledged before it is on the disk, though it is shown")
{
    rig_two(SHOW_WIRE);
    rig.side[1].hold_stored = true;
    CHECK_EQ(rig_append(0, 'n', "two "), 0);
    rig_run(4000);
    CHECK_STR(rig_text(1, 'n'), "one two ");
    CHECK(strstr(rig.trace, "B>A HAVE") == NULL);
    rig_forget();
    rig_sync(1);
    rig_run(20);
    CHECK_TRACE("10110 B>A HAVE(1)\n");
}

TEST(node_unsaved, "what was typed counts as unsaved until it is on the disk")
{
    rig_two(0);
    rig.side[0].hold_stored = true;
    CHECK_EQ(rig_append(0, 'n', "four"), 0);
    CHECK_EQ(rapport_node_unsaved(rig.side[0].node), 4);
    rig_run(100);
    CHECK_EQ(rapport_node_unsaved(rig.side[0].node), 4);
    rig_sync(0);
    CHECK_EQ(rapport_node_unsaved(rig.side[0].node), 0);
}

TEST(node_unsent,
     "what no friend has on the disk is counted, also when he is gone and after a restart")
{
    rig_two(0);
    rig_run(1000);
    CHECK_EQ(rapport_node_unsent(rig.side[0].node), 0);
    CHECK_EQ(rig_new(0, 'x'), 0);
    rig_run(1000);
    CHECK_EQ(rapport_node_unsent(rig.side[0].node), 0);
    rig_stop(1);
    rig_run(1000);
    CHECK_EQ(rig_append(0, 'x', "four"), 0);
    rig_run(1000);
    CHECK_EQ(rapport_node_unsent(rig.side[0].node), 4);
    CHECK_EQ(rig_event(0, RAPPORT_EVENT_FLUSH), 0);
    rig_run(1000);
    rig_stop(0);
    CHECK_EQ(rig_open(0), 0);
    rig_run(1000);
    CHECK_EQ(rapport_node_unsent(rig.side[0].node), 4);
    CHECK_EQ(rig_open(1), 0);
    rig_run(40000);
    CHECK_EQ(rapport_node_unsent(rig.side[0].node), 0);
}

TEST(node_through_a_third, "two who never meet come together through a third")
{
    rig_two(0);
    char *ticket = rig_ticket(1, 1, 0);
    CHECK(ticket == NULL); /* Ben is no admin */
    ticket = rig_ticket(0, 1, 0);
    CHECK_EQ(rig_join(2, ticket), 0);
    free(ticket);
    rig_run(1000);
    rig_stop(0);
    rig_stop(2);
    CHECK_EQ(rig_append(1, 'n', "by Ben "), 0);
    rig_run(1000);
    CHECK_EQ(rig_open(2), 0);
    rig_meet(2, 1);
    rig_run(5000);
    CHECK_STR(rig_text(2, 'n'), "one by Ben ");
    CHECK_EQ(rig_append(2, 'n', "by Cleo "), 0);
    rig_run(1000);
    rig_stop(2);
    CHECK_EQ(rig_open(0), 0);
    rig_run(20000);
    CHECK_STR(rig_text(0, 'n'), "one by Ben by Cleo ");
    CHECK(rig_equal(0, 1));
}

TEST(node_concurrent, "edits made apart are all there after the meeting, on both sides alike")
{
    rig_two(0);
    rig_event(1, RAPPORT_EVENT_OFFLINE);
    CHECK_EQ(rig_append(0, 'n', "by Ada "), 0);
    CHECK_EQ(rig_append(1, 'n', "by Ben "), 0);
    CHECK_EQ(rig_new(1, 'm'), 0);
    rig_run(5000);
    CHECK(!rig_equal(0, 1));
    rig_event(1, RAPPORT_EVENT_ONLINE);
    rig_run(5000);
    CHECK(rig_equal(0, 1));
    CHECK_STR(rig_text(0, 'n'), rig_text(1, 'n'));
    CHECK(strstr(rig_text(0, 'n'), "by Ada ") && strstr(rig_text(0, 'n'), "by Ben "));
}

TEST(node_old_version, "a change against an older version keeps what came since")
{
    rig_two(0);
    uint8_t *version = NULL;
    size_t len = 0;
    char *text = NULL;
    struct rapport_node *a = rig.side[0].node;
    CHECK_EQ(rapport_node_note_version(a, rig_note('n'), &version, &len), 0);
    CHECK_EQ(rig_append(1, 'n', "two "), 0);
    rig_run(200);
    struct rapport_edit e = {.kind = RAPPORT_EDIT_TEXT,
                             .note = rig_note('n'),
                             .version = {version, len},
                             .text = "ONE one ",
                             .text_len = 8};
    CHECK_EQ(rig_edit(0, &e), 0);
    CHECK_STR(rig_text(0, 'n'), "ONE one two ");
    size_t text_len = 0;
    CHECK_EQ(rapport_node_note_at(a, rig_note('n'), e.version, &text, &text_len), 0);
    CHECK_STR(text, "one ");
    free(text);
    for (size_t i = 1; i < len; i++) { /* cut short it is no version */
        struct rapport_version cut = {version, i};
        CHECK_EQ(rapport_node_note_at(a, rig_note('n'), cut, &text, &text_len), RAPPORT_MALFORMED);
    }
    free(version);
    rig_run(1000);
    CHECK(rig_equal(0, 1));
}

/* What Ben wrote alone, at most three deltas, for a script to send. */
static size_t written_alone(struct slice out[3], uint8_t log[LOG_ID_BYTES])
{
    rig_event(1, RAPPORT_EVENT_OFFLINE);
    size_t before = rig.side[1].db.n_deltas;
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(rig_append(1, 'n', "x"), 0);
        rig_run(100);
    }
    rig_stop(1);
    struct db *db = &rig.side[1].db;
    for (size_t i = before; i < db->n_deltas; i++)
        out[i - before] = db->deltas[i].bytes;
    memcpy(log, db->deltas[before].log, LOG_ID_BYTES);
    return db->n_deltas - before;
}

static void say_delta(struct slice bytes, bool shorten)
{
    static struct message_deltas m;
    static struct delta d;
    struct buf elided = BUF_INIT, out = BUF_INIT;
    CHECK_EQ(delta_decode(bytes, rig.side[0].node->report_id, &d), 0);
    delta_elide(&d, &elided);
    memcpy(m.log, d.log, sizeof m.log);
    m.prev = d.prev;
    m.n = 1;
    m.deltas[0] = slice_of(elided.ptr, elided.len - shorten);
    message_put_deltas(&out, &m);
    script_send(&out);
    buf_clear(&elided);
}

static void say_hello(const struct message_address *address)
{
    static struct message_hello hello;
    static struct message_have have;
    struct buf out = BUF_INIT;
    hello = (struct message_hello){.version = MESSAGE_VERSION, .n_addresses = address != NULL};
    if (address)
        hello.addresses[0] = *address;
    message_put_hello(&out, &hello);
    message_put_have(&out, &have);
    script_send(&out);
}

TEST(node_gap, "a run that starts behind our head is answered by NEED at once, not parked")
{
    struct slice bytes[3];
    uint8_t log[LOG_ID_BYTES];
    rig_two(0);
    CHECK_EQ(written_alone(bytes, log), 3);
    script_dial(0, 'B', script_epoch_psk(0));
    rig_run(100);
    say_hello(NULL);
    rig_run(100);
    script.heard[0] = 0;
    say_delta(bytes[1], false);
    rig_run(20);
    CHECK_STR(script.heard, "NEED");
    say_delta(bytes[0], false);
    say_delta(bytes[1], false);
    say_delta(bytes[2], false);
    rig_run(100);
    CHECK_STR(rig_text(0, 'n'), "one xxx");
    CHECK_STR(script.heard, "NEED HAVE");
}

TEST(node_bad_delta, "a delta that is no delta ends the connection, and what came before stays")
{
    struct slice bytes[3];
    uint8_t log[LOG_ID_BYTES];
    rig_two(0);
    CHECK_EQ(written_alone(bytes, log), 3);
    script_dial(0, 'B', script_epoch_psk(0));
    rig_run(100);
    say_hello(NULL);
    say_delta(bytes[0], false);
    say_delta(bytes[1], true);
    rig_run(100);
    CHECK(script.closed);
    CHECK(strstr(script.heard, "BYE(2,") != NULL);
    CHECK_STR(rig_text(0, 'n'), "one x");
}

TEST(node_index, "until the index of deltas is loaded no peer is told what to send")
{
    rig_two(0);
    rig_stop(0);
    CHECK_EQ(rig_append(1, 'n', "two "), 0);
    rig_run(15000);
    CHECK_EQ(rig_open(0), 0); /* no connection yet: no index */
    rig.side[0].hold_loads = true;
    rig.show = SHOW_WIRE;
    rig_forget();
    rig_meet(0, 1);
    rig_run(2000);
    CHECK_EQ(rig.side[0].n_loads, 1);
    CHECK(strstr(rig.trace, "HELLO HAVE") != NULL); /* Ben has told his rows */
    CHECK(strstr(rig.trace, "DELTAS") == NULL);
    rig.side[0].hold_loads = false;
    rig_forget();
    rig_release_loads(0, 1);
    rig_run(100);
    CHECK_STR(rig_text(0, 'n'), "one two ");
    CHECK(strstr(rig.trace, "NEED") == NULL);
    CHECK(rig_equal(0, 1));
}

TEST(node_claimed_address, "nobody takes another's address by saying that he listens there")
{
    rig_two(0);
    rig_event(1, RAPPORT_EVENT_OFFLINE);
    char *ticket = rig_ticket(0, 1, 0);
    CHECK_EQ(rig_join(2, ticket), 0); /* Cleo */
    free(ticket);
    rig_meet(0, 1); /* typed by Ada: Ben is at this address */
    rig_run(1000);
    rig_event(2, RAPPORT_EVENT_OFFLINE);
    struct message_address claim = {.family = 4, .addr = {10, 0, 0, 1}, .port = RIG_PORT + 1};
    script_dial(0, 'C', script_epoch_psk(0));
    rig_run(100);
    say_hello(&claim);
    rig_run(1000);
    CHECK(!script.closed);
    rig.show = SHOW_LIFE;
    rig_forget();
    rig_run(4000);
    CHECK(strstr(rig.trace, "A dials B") != NULL);
}
