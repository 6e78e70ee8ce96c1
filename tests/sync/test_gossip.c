/* test_gossip.c - the gossip books of one node, rule by rule. */
#include <stdlib.h>

#include "rapport/error.h"
#include "sync/gossip.h"
#include "test.h"

enum {
    A = 1, /* links */
    B = 2,
    C = 3
};

static const uint8_t *id(char c)
{
    static uint8_t ids[128][LOG_ID_BYTES];
    memset(ids[(int)c], c, LOG_ID_BYTES);
    return ids[(int)c];
}

static struct gossip *books(void)
{
    struct gossip *g;
    struct rng rng;
    rng_init(&rng, (const uint8_t[32]){7});
    CHECK_EQ(gossip_create(1, &rng, &g), 0);
    return g;
}

static void peer(struct gossip *g, uint32_t link, char log, uint64_t next, bool muted, uint64_t now)
{
    struct message_row row = {.next = next, .muted = muted};
    memcpy(row.log, id(log), sizeof row.log);
    CHECK_EQ(gossip_peer_have(g, link, &row, now), 0);
}

/* Held and on the disk. */
static void ours(struct gossip *g, char log, uint64_t next, uint32_t from, uint64_t now)
{
    CHECK_EQ(gossip_our_have(g, id(log), next, false, from, now), 0);
    CHECK_EQ(gossip_our_have(g, id(log), next, true, from, now), 0);
}

/* What is sent on a link now, as text: rows "x5" or "x5-" (muted), "..." when there is more. */
static const char *rows(struct gossip *g, uint32_t link, uint64_t now)
{
    static char text[400];
    static struct message_have have;
    if (!gossip_next_rows(g, link, now, &have))
        return "none";
    size_t n = 0;
    text[0] = 0;
    for (size_t i = 0; i < have.n && i < 20; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%c%d%s", i ? " " : "",
                              have.rows[i].log[0], (int)have.rows[i].next,
                              have.rows[i].muted ? "-" : "");
    if (have.more)
        snprintf(text + n, sizeof text - n, " ...");
    return text;
}

/* The next run as text: "x5", from event 5 on. */
static const char *run(struct gossip *g, uint32_t link)
{
    static char text[40];
    struct gossip_run r;
    if (!gossip_next_run(g, link, &r))
        return "none";
    snprintf(text, sizeof text, "%c%d", r.log[0], (int)r.from);
    return text;
}

/* A link that is up, with both first vectors out of the way. */
static void up(struct gossip *g, uint32_t link, uint64_t now)
{
    CHECK_EQ(gossip_link_up(g, link, now), 0);
    rows(g, link, now);
    gossip_peer_complete(g, link, now);
}

TEST(gossip_first_rows, "a link starts with all rows, once, and an empty vector is sent too")
{
    struct gossip *g = books();
    CHECK_EQ(gossip_link_up(g, A, 0), 0);
    CHECK_STR(rows(g, A, 0), "");
    CHECK_STR(rows(g, A, 0), "none");
    ours(g, 'x', 5, GOSSIP_STORED, 0);
    ours(g, 'y', 6, GOSSIP_STORED, 0);
    CHECK_EQ(gossip_link_up(g, B, 0), 0);
    CHECK_STR(rows(g, B, 0), "x5 y6");
    CHECK_STR(rows(g, B, 0), "none");
    gossip_tell_all(g, B);
    CHECK_STR(rows(g, B, 0), "x5 y6");
    gossip_destroy(g);
}

TEST(gossip_many_rows, "a first vector past HAVE_MOST_ROWS takes several messages")
{
    struct gossip *g = books();
    static struct message_have have;
    for (size_t i = 0; i < HAVE_MOST_ROWS + 1; i++) {
        uint8_t log[LOG_ID_BYTES] = {(uint8_t)i, (uint8_t)(i >> 8)};
        CHECK_EQ(gossip_our_have(g, log, 1, true, GOSSIP_STORED, 0), 0);
    }
    CHECK_EQ(gossip_link_up(g, A, 0), 0);
    CHECK(gossip_next_rows(g, A, 0, &have));
    CHECK_EQ(have.n, HAVE_MOST_ROWS);
    CHECK(have.more);
    CHECK(gossip_next_rows(g, A, 0, &have));
    CHECK_EQ(have.n, 1);
    CHECK(!have.more);
    CHECK(!gossip_next_rows(g, A, 0, &have));
    gossip_destroy(g);
}

TEST(gossip_catch_up, "nothing is sent before the peer's vector is whole, then what it lacks")
{
    struct gossip *g = books();
    ours(g, 'x', 5, GOSSIP_STORED, 0);
    ours(g, 'y', 6, GOSSIP_STORED, 0);
    ours(g, 'z', 7, GOSSIP_STORED, 0);
    CHECK_EQ(gossip_link_up(g, A, 0), 0);
    peer(g, A, 'x', 2, false, 0);
    peer(g, A, 'y', 6, false, 0);
    CHECK_STR(run(g, A), "none");
    gossip_peer_complete(g, A, 0);
    CHECK_STR(run(g, A), "x2");
    CHECK_STR(run(g, A), "none"); /* one bulk run at a time */
    gossip_sent(g, A, id('x'), 4);
    CHECK_STR(run(g, A), "z0"); /* in turn */
    gossip_sent(g, A, id('z'), 7);
    CHECK_STR(run(g, A), "x4");
    gossip_sent(g, A, id('x'), 5);
    CHECK_STR(run(g, A), "none");
    gossip_destroy(g);
}

TEST(gossip_live_first, "a log on which the peer was up to date goes before all others")
{
    struct gossip *g = books();
    ours(g, 'x', 5, GOSSIP_STORED, 0);
    ours(g, 'y', 6, GOSSIP_STORED, 0);
    CHECK_EQ(gossip_link_up(g, A, 0), 0);
    peer(g, A, 'y', 6, false, 0);
    gossip_peer_complete(g, A, 0);
    CHECK_STR(run(g, A), "x0");
    ours(g, 'y', 7, GOSSIP_LOCAL, 10);
    CHECK_STR(run(g, A), "y6"); /* though a bulk run is out */
    ours(g, 'y', 8, GOSSIP_LOCAL, 11);
    CHECK_STR(run(g, A), "none"); /* y is on its way */
    gossip_sent(g, A, id('y'), 7);
    CHECK_STR(run(g, A), "y7");
    gossip_destroy(g);
}

TEST(gossip_muted_out, "a log that the peer muted is not sent until it wants it again")
{
    struct gossip *g = books();
    ours(g, 'x', 5, GOSSIP_STORED, 0);
    up(g, A, 0);
    peer(g, A, 'x', 3, true, 1);
    CHECK_STR(run(g, A), "none");
    peer(g, A, 'x', 3, false, 2);
    CHECK_STR(run(g, A), "x3");
    gossip_destroy(g);
}

TEST(gossip_not_now, "a run of which nothing could be sent rests until something changes")
{
    struct gossip *g = books();
    ours(g, 'x', 5, GOSSIP_STORED, 0);
    up(g, A, 0);
    CHECK_STR(run(g, A), "x0");
    gossip_sent(g, A, id('x'), 0);
    CHECK_STR(run(g, A), "none");
    ours(g, 'x', 6, GOSSIP_LOCAL, 1);
    CHECK_STR(run(g, A), "x0");
    gossip_destroy(g);
}

TEST(gossip_need, "a NEED sends again from where the peer says, also while a run is out")
{
    struct gossip *g = books();
    struct gossip_run need = {.from = 2};
    memcpy(need.log, id('x'), sizeof need.log);
    ours(g, 'x', 5, GOSSIP_STORED, 0);
    up(g, A, 0);
    peer(g, A, 'x', 4, true, 0);
    gossip_peer_need(g, A, &need);
    CHECK_STR(run(g, A), "x2");
    need.from = 1;
    gossip_peer_need(g, A, &need);
    gossip_sent(g, A, id('x'), 5);
    CHECK_STR(run(g, A), "x1");
    gossip_sent(g, A, id('x'), 5);
    CHECK_STR(run(g, A), "none");
    gossip_destroy(g);
}

TEST(gossip_acknowledges,
     "durable heights go back to the sender at once, then every 100 ms at most")
{
    struct gossip *g = books();
    up(g, A, 0);
    CHECK_EQ(gossip_our_have(g, id('x'), 1, false, A, 1000), 0);
    CHECK_STR(rows(g, A, 1000), "none"); /* not on the disk yet */
    CHECK_EQ(gossip_our_have(g, id('x'), 1, true, A, 1010), 0);
    CHECK_STR(rows(g, A, 1010), "x1");
    ours(g, 'x', 2, A, 1020);
    ours(g, 'x', 3, A, 1030);
    CHECK_STR(rows(g, A, 1109), "none");
    CHECK(gossip_deadline(g) == 1110);
    CHECK_STR(rows(g, A, 1110), "x3");
    CHECK(gossip_deadline(g) == GOSSIP_NEVER);
    gossip_destroy(g);
}

TEST(gossip_notes, "3 muted links hear of a height after 100 ms, all others after 1 s")
{
    struct gossip *g = books();
    ours(g, 'x', 1, GOSSIP_LOCAL, 0);
    for (uint32_t link = 0; link < 8; link++) {
        up(g, link, 0);
        peer(g, link, 'x', 1, link != 0, 0); /* link 0 wants the deltas */
    }
    ours(g, 'x', 2, GOSSIP_LOCAL, 2000);
    size_t n = 0;
    for (uint32_t link = 0; link < 8; link++)
        CHECK_STR(rows(g, link, 2099), "none");
    for (uint32_t link = 0; link < 8; link++)
        n += strcmp(rows(g, link, 2100), "x2-") == 0;
    CHECK_EQ(n, GOSSIP_FEW);
    for (uint32_t link = 0; link < 8; link++)
        CHECK_STR(rows(g, link, 2999), "none");
    for (uint32_t link = 0; link < 8; link++)
        n += strcmp(rows(g, link, 3000), "x2-") == 0;
    CHECK_EQ(n, 8);
    gossip_destroy(g);
}

TEST(gossip_told_later, "a peer that was sent the deltas hears the height after 3 s only")
{
    struct gossip *g = books();
    up(g, A, 0);
    CHECK_EQ(gossip_our_have(g, id('x'), 1, false, GOSSIP_LOCAL, 0), 0);
    CHECK_STR(run(g, A), "x0");
    gossip_sent(g, A, id('x'), 1);
    CHECK_EQ(gossip_our_have(g, id('x'), 1, true, GOSSIP_LOCAL, 10), 0);
    CHECK_STR(rows(g, A, 3009), "none");
    CHECK_STR(rows(g, A, 3010), "x1");
    gossip_destroy(g);
}

TEST(gossip_duplicate_mutes, "who sends what is here already is muted at once; the source is not")
{
    struct gossip *g = books();
    up(g, A, 0);
    up(g, B, 0);
    ours(g, 'x', 1, A, 1000);
    CHECK_STR(rows(g, A, 1000), "x1");
    gossip_duplicate(g, A, id('x'), 1, 1001);
    CHECK_STR(rows(g, A, 1001), "none");
    gossip_duplicate(g, B, id('x'), 1, 1001);
    CHECK_STR(rows(g, B, 1001), "x1-");
    gossip_duplicate(g, A, id('x'), 1, 1002);
    CHECK_STR(rows(g, A, 1200), "none");
    gossip_destroy(g);
}

TEST(gossip_own_log, "nobody need send us our own log")
{
    struct gossip *g = books();
    up(g, A, 0);
    ours(g, 'x', 1, GOSSIP_LOCAL, 0);
    gossip_duplicate(g, A, id('x'), 1, 1);
    CHECK_STR(rows(g, A, 1), "x1-");
    CHECK_EQ(gossip_link_up(g, B, 2), 0);
    CHECK_STR(rows(g, B, 2), "x1-");
    gossip_destroy(g);
}

TEST(gossip_new_link_muted, "a log that comes by a live link starts muted on a new one")
{
    struct gossip *g = books();
    up(g, A, 0);
    ours(g, 'x', 1, A, 0);
    ours(g, 'y', 1, GOSSIP_STORED, 0);
    CHECK_EQ(gossip_link_up(g, B, 1), 0);
    CHECK_STR(rows(g, B, 1), "x1- y1");
    gossip_destroy(g);
}

TEST(gossip_source_lost,
     "when the last eager link of a log goes, the best other is unmuted at once")
{
    struct gossip *g = books();
    up(g, A, 0);
    ours(g, 'x', 5, A, 0);
    up(g, B, 1);
    up(g, C, 1);
    peer(g, B, 'x', 3, false, 2);
    peer(g, C, 'x', 5, false, 2);
    gossip_link_down(g, A, 3);
    CHECK_STR(rows(g, B, 3), "none");
    CHECK_STR(rows(g, C, 3), "x5");
    gossip_destroy(g);
}

TEST(gossip_graft,
     "a height that does not come in 40 ms or two round trips unmutes who announced it")
{
    struct gossip *g = books();
    up(g, A, 0);
    ours(g, 'x', 5, A, 0);
    up(g, B, 1);
    peer(g, B, 'x', 6, false, 10000);
    CHECK(gossip_deadline(g) == 10040 || gossip_deadline(g) < 10000);
    gossip_tick(g, 10039);
    CHECK_STR(rows(g, B, 10039), "none");
    gossip_tick(g, 10040);
    CHECK_STR(rows(g, B, 10040), "x5");
    ours(g, 'x', 6, B, 10050);
    gossip_duplicate(g, A, id('x'), 6, 10060);
    CHECK_STR(rows(g, A, 10060), "x6-");
    gossip_link_rtt(g, A, 300);
    peer(g, A, 'x', 7, false, 20000);
    gossip_tick(g, 20599);
    CHECK_STR(rows(g, A, 20599), "none");
    gossip_tick(g, 20600);
    CHECK_STR(rows(g, A, 20600), "x6");
    gossip_destroy(g);
}

TEST(gossip_no_graft_in_time, "a height that comes in time changes nothing")
{
    struct gossip *g = books();
    up(g, A, 0);
    ours(g, 'x', 5, A, 0);
    up(g, B, 1);
    peer(g, B, 'x', 6, false, 10000);
    ours(g, 'x', 6, A, 10030);
    gossip_tick(g, 10040);
    CHECK_STR(rows(g, B, 10040), "none");
    gossip_destroy(g);
}

TEST(gossip_two_announce, "of two eager links that announce the same one is muted before it sends")
{
    struct gossip *g = books();
    up(g, A, 0);
    up(g, B, 0);
    peer(g, A, 'x', 9, false, 1);
    peer(g, B, 'x', 9, false, 2);
    CHECK_STR(rows(g, A, 2), "none");
    CHECK_STR(rows(g, B, 2), "x0-");
    gossip_destroy(g);
}

TEST(gossip_stall,
     "3 s without a byte unmute another, and without another ask again, less and less")
{
    struct gossip *g = books();
    struct gossip_run need;
    up(g, A, 0);
    up(g, B, 0);
    peer(g, A, 'x', 9, false, 0);
    peer(g, B, 'x', 9, false, 0);
    CHECK_STR(rows(g, B, 0), "x0-");
    gossip_tick(g, 2999);
    CHECK_STR(rows(g, B, 2999), "none");
    gossip_tick(g, 3000);
    CHECK_STR(rows(g, B, 3000), "x0");
    CHECK(!gossip_next_need(g, B, &need));
    uint64_t asked[4];
    size_t n = 0;
    for (uint64_t now = 3000; now < 60000 && n < 4; now += 100) {
        gossip_tick(g, now);
        if (gossip_next_need(g, A, &need) || gossip_next_need(g, B, &need))
            asked[n++] = now;
    }
    CHECK_EQ(n, 4);
    CHECK_EQ(asked[0], 6000);
    CHECK_EQ(asked[1], 12000);
    CHECK_EQ(asked[2], 24000);
    CHECK_EQ(asked[3], 48000);
    CHECK(memcmp(need.log, id('x'), sizeof need.log) == 0);
    CHECK_EQ(need.from, 0);
    gossip_destroy(g);
}

TEST(gossip_no_stall_in_bulk, "a link that brings other logs is not taken for stalled")
{
    struct gossip *g = books();
    up(g, A, 0);
    up(g, B, 0);
    peer(g, A, 'x', 9, false, 0);
    peer(g, A, 'y', 9, false, 0);
    peer(g, B, 'x', 9, false, 0);
    CHECK_STR(rows(g, B, 0), "x0-");
    for (uint64_t now = 1000; now <= 9000; now += 1000) {
        struct gossip_counters c;
        ours(g, 'y', now / 1000, A, now);
        gossip_tick(g, now);
        gossip_counters(g, B, &c);
        CHECK_EQ(c.logs_eager_in, 1); /* y, of which B said nothing; x stays muted */
    }
    gossip_destroy(g);
}

TEST(gossip_counts, "what is unsent, unacknowledged and behind is counted, and converged is exact")
{
    struct gossip *g = books();
    struct gossip_counters c;
    ours(g, 'x', 5, GOSSIP_LOCAL, 0);
    CHECK_EQ(gossip_link_up(g, A, 0), 0);
    CHECK(!gossip_converged(g, A));
    peer(g, A, 'x', 2, false, 0);
    peer(g, A, 'y', 7, false, 0);
    gossip_peer_complete(g, A, 0);
    gossip_counters(g, A, &c);
    CHECK(c.complete);
    CHECK_EQ(c.unsent, 3);
    CHECK_EQ(c.unacknowledged, 3);
    CHECK_EQ(c.behind, 7);
    CHECK_STR(run(g, A), "x2");
    gossip_sent(g, A, id('x'), 5);
    ours(g, 'y', 7, A, 1);
    gossip_counters(g, A, &c);
    CHECK_EQ(c.unsent, 0);
    CHECK_EQ(c.unacknowledged, 3);
    CHECK_EQ(c.behind, 0);
    CHECK(!gossip_converged(g, A));
    peer(g, A, 'x', 5, false, 2);
    CHECK(gossip_converged(g, A));
    gossip_link_down(g, A, 3);
    CHECK(!gossip_converged(g, A));
    gossip_counters(g, A, &c);
    CHECK(!c.complete);
    gossip_destroy(g);
}

TEST(gossip_limits, "links, logs and heights have their limits")
{
    struct gossip *g = books();
    for (uint32_t link = 0; link < GOSSIP_MOST_LINKS; link++)
        CHECK_EQ(gossip_link_up(g, link, 0), 0);
    CHECK_EQ(gossip_link_up(g, GOSSIP_MOST_LINKS, 0), RAPPORT_LIMIT);
    CHECK_EQ(gossip_link_up(g, 0, 0), RAPPORT_EXISTS);
    for (uint32_t link = 2; link < GOSSIP_MOST_LINKS; link++)
        gossip_link_down(g, link, 0);
    struct message_row row = {.next = 1};
    for (size_t i = 0; i <= LOGS_MOST; i++) {
        memcpy(row.log, &(uint16_t){(uint16_t)i}, sizeof(uint16_t));
        CHECK_EQ(gossip_peer_have(g, 0, &row, 0), i < LOGS_MOST ? 0 : RAPPORT_LIMIT);
    }
    CHECK_EQ(gossip_our_have(g, row.log, 1, true, GOSSIP_LOCAL, 0), RAPPORT_LIMIT);
    memset(row.log, 0, sizeof row.log);
    row.next = GOSSIP_MOST_NEXT;
    CHECK_EQ(gossip_peer_have(g, 0, &row, 0), 0);
    row.next++;
    CHECK_EQ(gossip_peer_have(g, 0, &row, 0), RAPPORT_LIMIT);
    CHECK_EQ(gossip_our_have(g, row.log, row.next, false, GOSSIP_LOCAL, 0), RAPPORT_LIMIT);
    gossip_destroy(g);
}

TEST(gossip_unknown_link, "calls for a link that is not there change nothing")
{
    struct gossip *g = books();
    struct gossip_run need = {.from = 0};
    struct message_have have;
    ours(g, 'x', 5, GOSSIP_LOCAL, 0);
    peer(g, A, 'y', 5, false, 0);
    gossip_peer_complete(g, A, 0);
    gossip_peer_need(g, A, &need);
    gossip_duplicate(g, A, id('x'), 5, 0);
    gossip_sent(g, A, id('x'), 5);
    gossip_tell_all(g, A);
    gossip_link_rtt(g, A, 5);
    gossip_link_down(g, A, 0);
    CHECK(!gossip_next_rows(g, A, 0, &have));
    CHECK(!gossip_next_need(g, A, &need));
    CHECK_STR(run(g, A), "none");
    CHECK(gossip_deadline(g) == GOSSIP_NEVER);
    gossip_destroy(g);
}

/* Some of everything that allocates. */
static int some_life(struct gossip **g)
{
    struct rng rng;
    rng_init(&rng, (const uint8_t[32]){7});
    int error = gossip_create(1, &rng, g);
    error = error ? error : gossip_link_up(*g, A, 0);
    for (uint8_t i = 0; i < 40 && !error; i++)
        error = gossip_our_have(*g, (uint8_t[LOG_ID_BYTES]){i}, 1, true, GOSSIP_STORED, 0);
    for (uint32_t link = B; link < 12 && !error; link++)
        error = gossip_link_up(*g, link, 0);
    struct message_row row = {.next = 3, .log = {99}};
    return error ? error : gossip_peer_have(*g, B, &row, 0);
}

TEST(gossip_memory, "running out of memory anywhere is NOMEM, and the books stay usable")
{
    int error = RAPPORT_NOMEM;
    long n = 0;
    for (; error && n < 1000; n++) {
        struct gossip *g = NULL;
        test_fail_allocation(n);
        error = some_life(&g);
        bool failed = test_allocation_failed();
        test_fail_allocation(-1);
        CHECK_EQ(error, failed ? RAPPORT_NOMEM : 0);
        if (g) {
            up(g, 77, 0);
            ours(g, 'q', 5, GOSSIP_LOCAL, 0);
            CHECK(strcmp(run(g, 77), "none") != 0);
        }
        gossip_destroy(g);
    }
    CHECK(n > 30 && error == 0);
}
