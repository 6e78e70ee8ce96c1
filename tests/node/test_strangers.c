/* test_strangers.c - who is no member learns nothing: security.md, "Inputs and faults to try". */
#include "script.h"

static void expect_only_a_close(size_t n_bytes, uint64_t within_ms)
{
    rig_run(within_ms);
    CHECK(script.closed);
    CHECK_EQ(script.n_bytes, n_bytes);
    CHECK_STR(script.heard, "");
}

static void one(void)
{
    rig_start(0);
    CHECK_EQ(rig_init(0), 0);
    rig_run(100);
}

TEST(node_stranger_bytes, "bytes that are no handshake get a close and nothing else")
{
    static const char *const inputs[] = {"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                                         "\x16\x03\x01\x02\x00", "\x0f\x0f", "\xff\xff"};
    one();
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++) {
        script_connect(0);
        rig_run(20);
        script_raw(inputs[i], strlen(inputs[i]));
        expect_only_a_close(0, 50);
    }
    uint8_t handshake[FRAME_HEADER_BYTES + HANDSHAKE_BYTES] = {1, 0};
    struct test_rng rng = test_rng_start(1);
    for (size_t i = FRAME_HEADER_BYTES; i < sizeof handshake; i++)
        handshake[i] = (uint8_t)test_rng_next(&rng);
    script_connect(0);
    rig_run(20);
    script_raw(handshake, sizeof handshake);
    expect_only_a_close(0, 50);
}

TEST(node_stranger_silent, "who connects and says nothing, or a byte a second, is closed after 5 s")
{
    one();
    script_connect(0);
    rig_run(4900);
    CHECK(!script.closed);
    expect_only_a_close(0, 200);
    script_connect(0);
    for (int i = 0; i < 4; i++) {
        script_raw("\x01", i < 1);
        rig_run(1000);
    }
    CHECK(!script.closed);
    expect_only_a_close(0, 1100);
}

TEST(node_stranger_psk, "a psk of another report is refused at the first message")
{
    uint8_t psk[32] = {1};
    one();
    script_dial(0, 'E', psk);
    expect_only_a_close(0, 50);
}

TEST(node_stranger_key, "the right psk with a key that is not in the roster gets no transport byte")
{
    one();
    script_dial(0, 'E', script_epoch_psk(0));
    expect_only_a_close(FRAME_HEADER_BYTES + HANDSHAKE_BYTES, 100);
    size_t at = 0;
    for (struct rapport_peer_info p; rapport_node_next_peer(rig.side[0].node, &at, &p);)
        test_fail(__FILE__, __LINE__, "a peer is left");
}

TEST(node_replay, "a recorded session given again gets a close and nothing else")
{
    rig_two(0);
    uint64_t deltas = rig.side[0].db.n_deltas;
    rig_stop(1);
    rig_run(1000);
    script_dial(0, 'B', script_epoch_psk(0));
    rig_run(100);
    CHECK(script.ready);
    static uint8_t said[8192];
    size_t n_said = script.n_said;
    memcpy(said, script.said, n_said);
    CHECK(n_said >= 2 * (FRAME_HEADER_BYTES + HANDSHAKE_BYTES));
    script_connect(0);
    rig_run(20);
    script_raw(said, n_said);
    expect_only_a_close(0, 100);
    CHECK_EQ(rig.side[0].db.n_deltas, deltas);
}

TEST(node_loading, "nobody gets in while the roster is still being loaded")
{
    rig_two(0);
    uint8_t psk[32];
    memcpy(psk, script_epoch_psk(0), sizeof psk);
    rig_stop(0);
    rig.side[0].hold_loads = true;
    CHECK_EQ(rig_open(0), 0);
    rig_release_loads(0, 1); /* the epochs are here */
    script_dial(0, 'B', psk);
    expect_only_a_close(0, 100);
    rig.side[0].hold_loads = false;
    rig_release_loads(0, 1);
    rig_run(10000);
    CHECK(rig_equal(0, 1));
}

TEST(node_self, "a node that dials itself notices and does so no more")
{
    one();
    rig_forget();
    rig.show = SHOW_ALL;
    rig_meet(0, 0);
    rig_run(60000);
    CHECK_TRACE("1100 A dials A\n"
                "1130 A>A noise\n"
                "1140 A>A noise\n"
                "1140 A closes A\n");
}

TEST(node_removed, "a device is closed when it is removed, and hears no more")
{
    rig_two(SHOW_WIRE | SHOW_LIFE);
    struct rapport_node *a = rig.side[0].node;
    size_t at = 0;
    const struct member *ben = report_next_member(a->report, &at);
    ben = report_next_member(a->report, &at);
    /* There is no edit for it yet: the event as it would be made. */
    struct edit_context context = {a->draft, a->keys.sign_public, 1000, RIG_WALL_MS};
    CHECK_EQ(report_remove_member(a->report, &context, ben->device), 0);
    rig_run(50);
    CHECK(strstr(rig.trace, "A closes B") != NULL);
    CHECK(strstr(rig.trace, "A>B BYE(3,)") != NULL);
    CHECK(strstr(rig.trace, "DELTAS") == NULL);
    rig_forget();
    rig_run(60000);
    CHECK(strstr(rig.trace, "HELLO") == NULL);
    CHECK(strstr(rig.trace, "B>A noise") != NULL);
}
