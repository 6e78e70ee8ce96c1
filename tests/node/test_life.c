/* test_life.c - connections in time: pings, silence, BYE, dialling again, limits. */
#include "script.h"

TEST(node_ping, "a quiet link is asked once in 6 s, by the dialler, and answers")
{
    rig_two(SHOW_ALL);
    rig_run(20000);
    rig_forget();
    rig_run(13000);
    CHECK_TRACE("31275 B>A PING\n"
                "31285 A>B PONG\n"
                "37295 B>A PING\n"
                "37305 A>B PONG\n");
}

TEST(node_dead, "a link that went silent is given up within 20 s, and dialled again")
{
    rig_two(0);
    rig_run(20000);
    rig.cut = true;
    rig.show = SHOW_LIFE;
    rig_forget();
    rig_run(19000);
    CHECK(strstr(rig.trace, "B closes A") != NULL);
    CHECK(strstr(rig.trace, "A closes B") != NULL);
    rig.cut = false;
    rig_run(40000);
    CHECK_EQ(rig_append(0, 'n', "two "), 0);
    rig_run(100);
    CHECK_STR(rig_text(1, 'n'), "one two ");
}

TEST(node_backoff, "who does not answer is dialled after 1 s, then ever later up to 30 s")
{
    rig_start(0);
    CHECK_EQ(rig_init(0), 0);
    rig.show = SHOW_LIFE;
    rig_meet(0, 1);
    rig_run(600000);
    unsigned n = 0;
    uint64_t last = 0, gap = 0;
    for (const char *at = rig.trace; (at = strstr(at, "A dials B")); at++, n++) {
        const char *line = at;
        while (line > rig.trace && line[-1] != '\n')
            line--;
        uint64_t now = strtoull(line, NULL, 10);
        gap = n ? now - last : 0;
        last = now;
        CHECK(gap <= 37510);
    }
    CHECK(n >= 18 && n <= 26);
    CHECK(gap >= 30000);
}

TEST(node_offline, "going offline says BYE; coming online dials at once")
{
    rig_two(SHOW_WIRE | SHOW_LIFE);
    rig_event(1, RAPPORT_EVENT_OFFLINE);
    rig_run(3000);
    CHECK_TRACE("6100 B closes A\n"
                "6110 B>A BYE(0,)\n"
                "6110 A closes B\n");
    rig_forget();
    rig_event(1, RAPPORT_EVENT_ONLINE);
    rig_run(45);
    CHECK_TRACE("9100 B dials A\n"
                "9130 B>A noise\n"
                "9140 A>B noise\n");
}

TEST(node_offline_dialling, "a dial that was under way when the network went is begun again")
{
    rig_two(0);
    rig_event(1, RAPPORT_EVENT_OFFLINE);
    rig_event(1, RAPPORT_EVENT_ONLINE); /* dials */
    rig_event(1, RAPPORT_EVENT_OFFLINE);
    for (size_t i = 0; i < rig.n_actions; i++)
        rig.actions[i].life = 0; /* no answer ever comes */
    rig.show = SHOW_LIFE;
    rig_forget();
    rig_event(1, RAPPORT_EVENT_ONLINE);
    CHECK_TRACE("6100 B dials A\n");
    rig_run(1000);
    CHECK_EQ(rig_append(0, 'n', "two "), 0);
    rig_run(1000);
    CHECK_STR(rig_text(1, 'n'), "one two ");
}

static size_t n_links(int side)
{
    size_t n = 0;
    for (const struct link *l = rig.side[side].node->links; l; l = l->next)
        n++;
    return n;
}

TEST(node_both_dial, "of two connections that cross both sides keep the same one")
{
    rig_two(0);
    rig_event(0, RAPPORT_EVENT_OFFLINE);
    rig_event(1, RAPPORT_EVENT_OFFLINE);
    rig_run(100);
    rig_meet(0, 1);
    rig_event(0, RAPPORT_EVENT_ONLINE);
    rig_event(1, RAPPORT_EVENT_ONLINE);
    rig_run(1000);
    CHECK_EQ(n_links(0), 1);
    CHECK_EQ(n_links(1), 1);
    CHECK_EQ(rig.side[0].node->links->dialler, !rig.side[1].node->links->dialler);
    CHECK_EQ(rig_append(0, 'n', "two "), 0);
    rig_run(100);
    CHECK_STR(rig_text(1, 'n'), "one two ");
}

TEST(node_two_addresses, "a second connection to one device ends before the other side knows of it")
{
    rig_two(0);
    rig_event(1, RAPPORT_EVENT_OFFLINE);
    struct rapport_event e = {.kind = RAPPORT_EVENT_CANDIDATE, .address = rig_address(0)};
    e.address.port += 100;
    CHECK_EQ(rig_step(1, &e), 0);
    rig_run(100);
    rig_forget();
    rig.show = SHOW_LIFE | SHOW_WIRE;
    rig_event(1, RAPPORT_EVENT_ONLINE);
    rig_run(55);
    CHECK_TRACE("6200 B dials A\n"
                "6200 B dials A\n"
                "6230 B>A noise\n"
                "6230 B>A noise\n"
                "6240 A>B noise\n"
                "6240 A>B noise\n"
                "6240 B closes A\n"
                "6250 B>A noise\n"
                "6250 B>A HELLO HAVE(1)\n");
    rig.show = SHOW_LIFE;
    rig_forget();
    rig_run(60000);
    CHECK_EQ(n_links(0), 1);
    CHECK_TRACE("");
}

TEST(node_most_links,
     "no more than 64 connections are dialled or held, and nobody spins over the rest")
{
    rig_start(0);
    CHECK_EQ(rig_init(0), 0);
    for (uint16_t i = 0; i < 200; i++) {
        struct rapport_event e = {.kind = RAPPORT_EVENT_CANDIDATE,
                                  .address = {.family = 4, .bytes = {10, 9}, .port = 7}};
        e.address.bytes[3] = (uint8_t)i;
        CHECK_EQ(rapport_node_step(rig.side[0].node, rig.now, &e), 0);
    }
    size_t n = 0;
    struct rapport_effect effect;
    while (rapport_node_next_effect(rig.side[0].node, &effect))
        n += effect.kind == RAPPORT_EFFECT_DIAL;
    CHECK_EQ(n, RAPPORT_MOST_LINKS);
    CHECK(rapport_node_deadline(rig.side[0].node) > rig.now);
    for (uint32_t i = 0; i < RAPPORT_MOST_LINKS + 5; i++) {
        rig.wires[rig.n_wires++] = (struct rig_wire){.side = {-1, 0}, .open = {true, true}};
        struct rapport_event e = {.kind = RAPPORT_EVENT_CONNECTED,
                                  .conn = 2 * (uint32_t)rig.n_wires};
        CHECK_EQ(rapport_node_step(rig.side[0].node, rig.now, &e), 0);
    }
    CHECK_EQ(n_links(0), RAPPORT_MOST_LINKS);
    n = 0;
    while (rapport_node_next_effect(rig.side[0].node, &effect))
        n += effect.kind == RAPPORT_EFFECT_CLOSE;
    CHECK_EQ(n, 5);
}

TEST(node_many_candidates, "the table of addresses has an end; typed ones stay in it")
{
    rig_start(0);
    CHECK_EQ(rig_init(0), 0);
    struct rapport_event e = {.kind = RAPPORT_EVENT_CANDIDATE,
                              .address = {.family = 4, .bytes = {10, 9}, .port = 7}};
    for (unsigned i = 0; i < NODE_MOST_CANDIDATES + 10; i++) {
        e.address.bytes[2] = (uint8_t)(i >> 8);
        e.address.bytes[3] = (uint8_t)i;
        CHECK_EQ(rapport_node_step(rig.side[0].node, rig.now, &e),
                 i < NODE_MOST_CANDIDATES ? 0 : RAPPORT_LIMIT);
    }
    e.address.family = 5;
    CHECK_EQ(rapport_node_step(rig.side[0].node, rig.now, &e), RAPPORT_LIMIT);
}

TEST(node_clock, "peers whose wall clocks are days off work all the same")
{
    rig_two(0);
    rig.side[1].clock_off_ms = -3 * 86400000;
    CHECK_EQ(rig_append(1, 'n', "two "), 0);
    rig_run(1000);
    rig.side[1].clock_off_ms = 3 * 86400000;
    CHECK_EQ(rig_append(1, 'n', "three "), 0);
    rig_run(1000);
    CHECK_STR(rig_text(0, 'n'), "one two three ");
    CHECK(rig_equal(0, 1));
}

TEST(node_clock_told, "how far a peer's clock is ahead of ours is known once it has said hello")
{
    struct rapport_peer_info p;
    size_t at = 0;
    rig_two(0);
    rig_event(1, RAPPORT_EVENT_OFFLINE);
    rig_run(3000);
    CHECK(!rapport_node_next_peer(rig.side[0].node, &at, &p));
    rig.side[1].clock_off_ms = -3600000;
    rig_event(1, RAPPORT_EVENT_ONLINE);
    uint64_t then = rig_wall(0);
    rig_meet(0, 1);
    rig_run(3000);
    at = 0;
    CHECK(rapport_node_next_peer(rig.side[0].node, &at, &p));
    CHECK_EQ(p.state, RAPPORT_LINK_CONNECTED);
    CHECK(p.clock_known);
    CHECK(p.clock_ahead_ms < -3599000 && p.clock_ahead_ms > -3601000);
    CHECK(p.since_wall_ms >= then && p.since_wall_ms <= rig_wall(0));
}
