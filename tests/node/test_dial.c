/* test_dial.c - whom a node dials, when, in which order, and what it says of those whom it tried.
 * Ports of the rig: 10xx is side x; 50 to 59 in each hundred are silent, 60 to 69 somebody else. */
#include "rig.h"

#include "base/hex.h"

static struct rapport_address at4(uint8_t a, uint8_t b, uint16_t port)
{
    return (struct rapport_address){.family = 4, .bytes = {a, b, 0, 1}, .port = port};
}

static struct rapport_address at6(uint8_t a, uint8_t b, uint16_t port)
{
    return (struct rapport_address){.family = 6, .bytes = {a, b, [15] = 1}, .port = port};
}

static int find(int side, struct rapport_address address, enum rapport_source source, uint64_t who)
{
    struct rapport_event e = {
        .kind = RAPPORT_EVENT_CANDIDATE, .address = address, .source = source, .who = who};
    return rig_step(side, &e);
}

static void lose(int side, struct rapport_address address, enum rapport_source source)
{
    struct rapport_event e = {
        .kind = RAPPORT_EVENT_CANDIDATE_LOST, .address = address, .source = source};
    CHECK_EQ(rig_step(side, &e), 0);
}

/* How many links this side has, and whether exactly one is with that device's. */
static size_t n_connected(int side)
{
    size_t at = 0, n = 0;
    struct rapport_peer_info p;
    while (rapport_node_next_peer(rig.side[side].node, &at, &p))
        n += p.state == RAPPORT_LINK_CONNECTED;
    return n;
}

static size_t n_seen(const char *what)
{
    size_t n = 0;
    for (const char *at = rig.trace; (at = strstr(at, what)); at += strlen(what))
        n++;
    return n;
}

static void alone(unsigned show)
{
    rig_start(0);
    CHECK_EQ(rig_init(0), 0);
    rig_run(9000);
    rig.show = show;
    rig_forget();
}

TEST(dial_race, "addresses of one machine are raced by rank, 250 ms apart, three at once")
{
    alone(SHOW_DIALS);
    CHECK_EQ(find(0, at4(100, 64, 1050), RAPPORT_SOURCE_LAN, 7), 0);
    rig_forget(); /* the first was dialled before the others were known */
    rig_run(4000);
    rig_forget();
    CHECK_EQ(find(0, at4(192, 0, 1050), RAPPORT_SOURCE_LAN, 8), 0);
    CHECK_EQ(find(0, at4(100, 65, 1050), RAPPORT_SOURCE_LAN, 8), 0);
    CHECK_EQ(find(0, at4(10, 0, 1050), RAPPORT_SOURCE_LAN, 8), 0);
    CHECK_EQ(find(0, at6(0x20, 1, 1050), RAPPORT_SOURCE_LAN, 8), 0);
    CHECK_EQ(find(0, at6(0xfe, 0x80, 1050), RAPPORT_SOURCE_LAN, 8), 0);
    lose(0, at4(100, 64, 1050), RAPPORT_SOURCE_LAN);
    rig_run(3999);
    CHECK_TRACE("14000 A dials 192.0.0.1:1050\n"
                "14250 A dials [fe80:..01]:1050\n"
                "14500 A dials [2001:..01]:1050\n"
                "17000 A tried 192.0.0.1:1050: no answer in time\n"
                "17000 A dials 10.0.0.1:1050\n"
                "17250 A tried [fe80:..01]:1050: no answer in time\n"
                "17250 A dials 100.65.0.1:1050\n"
                "17500 A tried [2001:..01]:1050: no answer in time\n");
}

TEST(dial_cancel, "when one address has shown a friend's key the others are cancelled")
{
    rig_two(0);
    struct rapport_node *b = rig.side[1].node;
    rig_event(0, RAPPORT_EVENT_OFFLINE);
    rig_run(100);
    candidate_remove(b, b->candidates[0]); /* he does not dial */
    rig_run(4900);
    CHECK_EQ(find(0, at6(0xfe, 0x80, 1050), RAPPORT_SOURCE_LAN, 7), 0);
    CHECK_EQ(find(0, at4(10, 1, 1001), RAPPORT_SOURCE_LAN, 7), 0);
    CHECK_EQ(find(0, at4(10, 2, 1001), RAPPORT_SOURCE_LAN, 7), 0);
    rig.show = SHOW_DIALS;
    rig_forget();
    rig_event(0, RAPPORT_EVENT_ONLINE);
    rig_run(10000);
    CHECK_TRACE("11100 A dials [fe80:..01]:1050\n"
                "11350 A dials 10.1.0.1:1001\n"
                "11390 A cancels\n"
                "11390 A tried [fe80:..01]:1050: a friend\n"
                "11390 A tried 10.1.0.1:1001: a friend\n"
                "11390 A tried 10.2.0.1:1001: a friend\n");
    CHECK_EQ(n_connected(0), 1);
    rig_forget(); /* another way to a friend who is here */
    CHECK_EQ(find(0, at4(10, 3, 1001), RAPPORT_SOURCE_TAILNET, 0), 0);
    rig_run(10000);
    CHECK_TRACE("21100 A dials 10.3.0.1:1001\n"
                "21140 A tried 10.3.0.1:1001: a friend\n");
    CHECK_EQ(n_connected(1), 1);
}

/* Times between the dials to one silent or refusing address, in s rounded down, at most n. */
static void waits(size_t *out, size_t n)
{
    const char *at = rig.trace;
    uint64_t before = 0;
    for (size_t i = 0; i <= n; i++) {
        CHECK(at && *at);
        uint64_t now = strtoull(at, NULL, 10);
        if (i)
            out[i - 1] = (size_t)((now - before) / 1000);
        before = now;
        at = strstr(at, "dials");
        CHECK(at != NULL);
        at = strchr(at, '\n');
        CHECK(at != NULL);
        at++;
        while (strncmp(at + strspn(at, "0123456789"), " A dials", 8) != 0 && strchr(at, '\n'))
            at = strchr(at, '\n') + 1;
    }
}

TEST(dial_backoff, "waits double, up to 30 s for typed addresses and 60 s on the LAN")
{
    static const enum rapport_source sources[] = {RAPPORT_SOURCE_STATIC, RAPPORT_SOURCE_LAN};
    static const size_t most[] = {30, 60};
    for (int k = 0; k < 2; k++) {
        size_t waited[9];
        alone(SHOW_DIALS);
        CHECK_EQ(find(0, at4(10, 0, 1020), sources[k], 0), 0);
        rig_run(1000000);
        waits(waited, 9);
        for (size_t i = 0; i < 9; i++) {
            size_t least = (size_t)1 << i < most[k] ? (size_t)1 << i : most[k];
            CHECK(waited[i] >= least && waited[i] <= least + least / 4 + 1);
        }
    }
}

TEST(dial_fresh, "fresh reason, moving, and another listen set end every wait")
{
    alone(SHOW_DIALS);
    CHECK_EQ(find(0, at4(10, 0, 1020), RAPPORT_SOURCE_STATIC, 0), 0);
    rig_run(100000);
    rig_forget();
    CHECK_EQ(find(0, at4(10, 0, 1020), RAPPORT_SOURCE_STATIC, 0), 0);
    CHECK_EQ(n_seen("dials"), 1);
    rig_run(100);
    CHECK_EQ(rig_event(0, RAPPORT_EVENT_MOVED), 0);
    CHECK_EQ(n_seen("dials"), 2);
    rig_run(100);
    CHECK_EQ(rig_event(0, RAPPORT_EVENT_ONLINE), 0); /* nothing new */
    CHECK_EQ(n_seen("dials"), 2);
    struct rapport_address listen = at4(10, 0, 1000);
    struct rapport_event online = {.kind = RAPPORT_EVENT_ONLINE, .listen = &listen, .n_listen = 1};
    CHECK_EQ(rig_step(0, &online), 0);
    CHECK_EQ(n_seen("dials"), 3);
}

TEST(dial_again, "a session that was up is dialled again at once, and then with waits")
{
    rig_two(SHOW_DIALS);
    rig_stop(0);
    rig_run(4000);
    size_t first = strtoull(rig.trace, NULL, 10);
    CHECK(first >= 6100 && first <= 6100 + RIG_ONE_WAY_MS + NODE_AGAIN_MS);
    CHECK_EQ(n_seen("dials"), 3); /* at once, after 1 s and after 2 s more */
}

TEST(dial_lost, "what the LAN lost and never was a friend is forgotten, a friend is not")
{
    rig_two(0);
    rig_run(20000);
    CHECK_EQ(find(0, at4(10, 0, 1050), RAPPORT_SOURCE_LAN, 0), 0);
    CHECK_EQ(find(1, rig_address(0), RAPPORT_SOURCE_LAN, 0), 0);
    rig.show = SHOW_DIALS;
    rig_forget();
    lose(0, at4(10, 0, 1050), RAPPORT_SOURCE_LAN);
    CHECK_TRACE("26100 A cancels\n");
    CHECK_EQ(rig.side[0].node->n_candidates, 0);
    lose(1, rig_address(0), RAPPORT_SOURCE_LAN);
    CHECK_EQ(rig.side[1].node->n_candidates, 1);
    CHECK_EQ(n_connected(1), 1);
}

TEST(dial_tailnet, "a machine that only the tailnet knows is tried once, then forgotten")
{
    alone(SHOW_DIALS);
    CHECK_EQ(find(0, at4(100, 64, 1020), RAPPORT_SOURCE_TAILNET, 1), 0);
    CHECK_EQ(find(0, at4(100, 65, 1050), RAPPORT_SOURCE_TAILNET, 2), 0);
    rig_run(100000);
    CHECK_TRACE("10000 A dials 100.64.0.1:1020\n"
                "10000 A dials 100.65.0.1:1050\n"
                "10010 A tried 100.64.0.1:1020: no peer reachable\n"
                "13000 A tried 100.65.0.1:1050: no answer in time\n");
    CHECK_EQ(rig.side[0].node->n_candidates, 0);
}

TEST(dial_tailnet_ports, "where something else answers the next ports are tried, TRIED comes once")
{
    alone(SHOW_DIALS);
    CHECK_EQ(find(0, at4(100, 64, 7171), RAPPORT_SOURCE_TAILNET, 1), 0);
    rig_run(100);
    CHECK_TRACE("10000 A dials 100.64.0.1:7171\n"
                "10020 A dials 100.64.0.1:7172\n"
                "10040 A dials 100.64.0.1:7173\n"
                "10050 A tried 100.64.0.1:7171: signature or authentication tag does not verify\n");
    rig_forget();
    CHECK_EQ(find(0, at4(100, 64, 1060), RAPPORT_SOURCE_TAILNET, 1), 0);
    rig_run(100); /* not one of our ports: no next one */
    CHECK_TRACE("10100 A dials 100.64.0.1:1060\n"
                "10120 A tried 100.64.0.1:1060: signature or authentication tag does not verify\n");
    CHECK_EQ(rig.side[0].node->n_candidates, 0);
}

TEST(dial_flood, "a thousand made-up friends keep no friend waiting, and are bounded")
{
    rig_two(0);
    rig_run(10000);
    for (int i = 0; i < 1000; i++)
        (void)find(1, at4(10, (uint8_t)(i / 250), (uint16_t)(1050 + 100 * (i % 250) + 0)),
                   RAPPORT_SOURCE_LAN, 0);
    CHECK(rig.side[1].node->n_candidates <= NODE_MOST_CANDIDATES);
    CHECK_EQ(rig.n_dialling[1], NODE_MOST_STRANGERS);
    rig_stop(0);
    CHECK_EQ(rig_open(0), 0);
    rig_run(500);
    CHECK_EQ(n_connected(1), 1);
    for (int i = 0; i < 200; i++) {
        rig_run(500);
        CHECK(rig.n_dialling[1] <= NODE_MOST_STRANGERS);
    }
    for (size_t i = 0; i < rig.side[1].node->n_candidates; i++) /* everybody had a turn */
        CHECK(rig.side[1].node->candidates[i]->n_tries > 0 ||
              rig.side[1].node->candidates[i]->conn);
    /* A stranger of now finds room: one that failed gives way. */
    CHECK_EQ(find(1, at4(10, 9, 1000), RAPPORT_SOURCE_LAN, 0), 0);
}

TEST(dial_eight, "of one device the eight addresses of last success are remembered")
{
    rig_two(0);
    struct rapport_node *b = rig.side[1].node;
    const struct candidate *known = candidate_find(
        b, &(struct rapport_address){.family = 4, .bytes = {10, 0, 0, 1}, .port = RIG_PORT});
    CHECK(known && known->has_device && known->good);
    for (uint16_t i = 0; i < 20; i++) {
        struct rapport_address a = at4(10, 1, (uint16_t)(1020 + 100 * i));
        struct candidate *c = candidate_add(b, &a, RAPPORT_SOURCE_PEER);
        CHECK(c != NULL);
        candidate_name(b, c, known->device);
    }
    CHECK_EQ(b->n_candidates, NODE_MOST_ADDRESSES);
    CHECK(candidate_find(b, &known->address) == known);
}

TEST(dial_old_record, "the record of an older version is read, and written anew with the order")
{
    struct buf old = BUF_INIT;
    static const uint8_t zeros[16];
    rig_start(0);
    CHECK_EQ(rig_init(0), 0);
    struct rapport_node *a = rig.side[0].node;
    mp_put_array(&old, 2);
    for (uint8_t i = 0; i < 2; i++) {
        mp_put_array(&old, i ? 5 : 4);
        mp_put_u64(&old, 6);
        mp_put_bin(&old, (const uint8_t[16]){0xfd, i}, 16);
        mp_put_u64(&old, 7171);
        mp_put_bin(&old, zeros, i ? 16 : 0);
        if (i)
            mp_put_u64(&old, 41);
    }
    CHECK_EQ(buf_error(&old), 0);
    CHECK_EQ(candidates_decode(a, buf_slice(&old)), 0);
    CHECK_EQ(a->n_candidates, 2);
    CHECK(!a->candidates[0]->has_device && a->candidates[0]->good == 0);
    CHECK(a->candidates[1]->has_device && a->candidates[1]->good == 41);
    CHECK_EQ(a->last_good, 41);
    for (size_t len = 0; len < old.len; len++)
        CHECK(candidates_decode(a, slice_of(old.ptr, len)) != 0);
    CHECK_EQ(a->n_candidates, 2);
    buf_clear(&old);
}

TEST(dial_frozen_record, "the record of addresses is what docs/protocol.md says")
{
    static const char expected[] = "929506c410fd00000000000000000000000000000bcd1c03c410"
                                   "fcffda72d34b844b177295ff4a55c3b9079504c4100a000005"
                                   "000000000000000000000000cd1c03c40000";
    static const uint8_t device[ID_BYTES] = {0xfc, 0xff, 0xda, 0x72, 0xd3, 0x4b, 0x84, 0x4b,
                                             0x17, 0x72, 0x95, 0xff, 0x4a, 0x55, 0xc3, 0xb9};
    struct rapport_address six = {.family = 6, .bytes = {0xfd, [15] = 0x0b}, .port = 7171};
    struct rapport_address four = {.family = 4, .bytes = {10, 0, 0, 5}, .port = 7171};
    char hex[256];
    alone(0);
    struct rapport_node *a = rig.side[0].node;
    struct candidate *c = candidate_add(a, &six, RAPPORT_SOURCE_REMEMBERED);
    CHECK(c != NULL);
    candidate_name(a, c, device);
    a->last_good = 6;
    candidate_succeeded(a, c);
    c = candidate_add(a, &four, RAPPORT_SOURCE_REMEMBERED);
    CHECK(c != NULL);
    c->keep = true;
    CHECK_EQ(rig_event(0, RAPPORT_EVENT_FLUSH), 0);
    const struct db *db = &rig.side[0].db;
    for (size_t i = 0; i < db->n_records; i++)
        if (slice_equal(db->records[i].key, slice_str("local/peers"))) {
            CHECK(db->records[i].value.len < 128);
            hex_encode(hex, db->records[i].value.ptr, db->records[i].value.len);
            CHECK_STR(hex, expected);
            return;
        }
    test_fail(__FILE__, __LINE__, "no record");
}

TEST(dial_cancelled_late,
     "a dial that connects after it was cancelled is closed, and harms nothing")
{
    alone(0);
    CHECK_EQ(find(0, at4(10, 0, 1050), RAPPORT_SOURCE_LAN, 0), 0);
    uint32_t dial = rig.side[0].node->last_dial;
    lose(0, at4(10, 0, 1050), RAPPORT_SOURCE_LAN);
    struct rapport_event e = {.kind = RAPPORT_EVENT_CONNECTED, .conn = 99, .dial = dial};
    struct rapport_effect effect;
    CHECK_EQ(rapport_node_step(rig.side[0].node, rig.now, &e), 0);
    CHECK(rapport_node_next_effect(rig.side[0].node, &effect));
    CHECK_EQ(effect.kind, RAPPORT_EFFECT_CLOSE);
    CHECK_EQ(n_connected(0), 0);
}

/* ---- moving, and two connections at once ---- */

TEST(moved_dead, "after a move a dead session is replaced at once, on both sides")
{
    rig_two(0);
    rig_run(20000);
    rig_kill_wires();
    rig.show = SHOW_LIFE;
    rig_forget();
    CHECK_EQ(rig_event(1, RAPPORT_EVENT_MOVED), 0);
    rig_run(200);
    CHECK_EQ(n_connected(0), 1);
    CHECK_EQ(n_connected(1), 1);
    CHECK_EQ(n_seen("B dials A"), 1);
    CHECK_EQ(rig_append(0, 'n', "moved "), 0);
    rig_run(500);
    CHECK_STR(rig_text(1, 'n'), "one moved ");
}

TEST(moved_alive, "after a move a session that answers stays, and nothing else comes of it")
{
    rig_two(0);
    rig_run(20000);
    size_t n_wires = rig.n_wires;
    rig.show = SHOW_WIRE;
    rig_forget();
    CHECK_EQ(rig_event(1, RAPPORT_EVENT_MOVED), 0);
    rig_run(5000);
    CHECK_EQ(rig.n_wires, n_wires + 1);
    CHECK(rig.wires[n_wires - 1].open[0] && rig.wires[n_wires - 1].open[1]);
    CHECK(!rig.wires[n_wires].open[0]);
    CHECK_EQ(n_seen("HELLO"), 0);
    CHECK_EQ(n_seen("PING"), 1);
}

TEST(moved_unreachable, "what has not answered 2 s after a move is ended")
{
    rig_two(0);
    rig_run(20000);
    rig.cut = true;
    CHECK_EQ(rig_event(1, RAPPORT_EVENT_MOVED), 0);
    rig_run(NODE_PROVE_MS - 1);
    CHECK_EQ(n_connected(1), 1);
    rig_run(2);
    CHECK_EQ(n_connected(1), 0);
    rig.cut = false;
    rig_run(5000);
    CHECK_EQ(n_connected(1), 1);
    CHECK(rig_equal(0, 1));
}

TEST(moved_one_side_knows, "who lost the connection comes back though the other believes in it")
{
    for (int lost = 0; lost < 2; lost++) {
        rig_two(0);
        rig_run(20000);
        CHECK_EQ(find(0, rig_address(1), RAPPORT_SOURCE_STATIC, 0), 0); /* both can dial */
        rig_run(1000);
        uint32_t w = 0;
        while (!rig.wires[w].open[0] || !rig.wires[w].open[1])
            w++;
        uint32_t conn = 2 * w + (rig.wires[w].side[0] == lost ? 1 : 2);
        rig.wires[w].dead = true;
        *rig_is_open(conn) = false;
        struct rapport_event e = {
            .kind = RAPPORT_EVENT_CLOSED, .conn = conn, .error = RAPPORT_CLOSED};
        CHECK_EQ(rig_step(lost, &e), 0);
        rig_run(lost == 1 ? 300 : 1500);
        CHECK_EQ(n_connected(0), 1);
        CHECK_EQ(n_connected(1), 1);
        rig_run(30000);
        CHECK_EQ(n_connected(0), 1);
        CHECK(rig_equal(0, 1));
    }
}

TEST(duplicates_race, "two who dial each other at once keep one connection, the same on both sides")
{
    for (uint64_t apart = 0; apart < 100; apart += 5) {
        rig_two(0);
        rig_run(20000);
        rig_event(0, RAPPORT_EVENT_OFFLINE);
        rig_event(1, RAPPORT_EVENT_OFFLINE);
        rig_run(30000);
        size_t before = rig.n_wires;
        rig_event(0, RAPPORT_EVENT_ONLINE);
        rig_event(1, RAPPORT_EVENT_ONLINE);
        for (size_t i = 0; i < 2; i++) { /* whatever was dialled meanwhile */
            CHECK_EQ(find((int)i, rig_address(1 - (int)i), RAPPORT_SOURCE_STATIC, 0), 0);
            rig_run(apart);
        }
        rig_run(1000);
        size_t open = 0;
        for (size_t i = before; i < rig.n_wires; i++)
            open += rig.wires[i].open[0] && rig.wires[i].open[1];
        CHECK_EQ(open, 1);
        CHECK_EQ(n_connected(0), 1);
        CHECK_EQ(n_connected(1), 1);
    }
}

TEST(duplicates_never_none, "whatever dies how and when, a pair that can dial is together again")
{
    struct test_rng rng = test_rng_start(7);
    rig_two(0);
    CHECK_EQ(find(0, rig_address(1), RAPPORT_SOURCE_STATIC, 0), 0);
    for (int i = 0; i < 60; i++) {
        rig_run(test_rng_next(&rng) % 4000);
        for (size_t w = 0; w < rig.n_wires; w++)
            rig.wires[w].dead = rig.wires[w].dead || test_rng_next(&rng) % 2;
        for (int side = 0; side < 2; side++)
            if (test_rng_next(&rng) % 2)
                CHECK_EQ(rig_event(side, RAPPORT_EVENT_MOVED), 0);
        if (rig.n_wires < RIG_WIRES - 60)
            continue;
        rig_run(60000); /* no more room for wires: a new round */
        CHECK_EQ(n_connected(0), 1);
        rig_two(0);
        CHECK_EQ(find(0, rig_address(1), RAPPORT_SOURCE_STATIC, 0), 0);
    }
    rig_run(60000);
    CHECK_EQ(n_connected(0), 1);
    CHECK_EQ(n_connected(1), 1);
    CHECK(rig_equal(0, 1));
}
