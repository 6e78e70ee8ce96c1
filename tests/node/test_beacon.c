/* test_beacon.c - who recognises whose announcement on a LAN, and what a stranger cannot see. */
#include "rig.h"

#define WALL_S (RIG_WALL_MS / 1000)

static struct rapport_beacon beacon_of(int side, uint64_t wall_ms, size_t *n_tags)
{
    struct rapport_beacon b = {.salt = {0, 1, 2, 3, 4, 5, 6, 7}, .port = 7171};
    for (size_t i = 0; i < sizeof b.label; i++)
        b.label[i] = (uint8_t)(0x10 + i);
    *n_tags = rapport_node_tags(rig.side[side].node, wall_ms, &b);
    return b;
}

static bool knows(int side, const struct rapport_beacon *b, uint64_t wall_ms)
{
    return rapport_node_knows_beacon(rig.side[side].node, wall_ms, b);
}

TEST(beacon_frozen, "a tag is what docs/protocol.md says")
{
    static const uint8_t secret[32] = {7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
                                       7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7};
    static const uint8_t expected[] = {0x96, 0xac, 0x75, 0x32, 0x94, 0xa7, 0x61, 0xb8};
    size_t n = 0;
    rig_start(0);
    CHECK_EQ(rig_init(0), 0);
    CHECK_EQ(node_add_epoch(rig.side[0].node, secret), 0);
    struct rapport_beacon b = beacon_of(0, UINT64_C(1675500000000), &n);
    CHECK_EQ(n, 2);
    CHECK_BYTES(b.tags[0], 8, expected, 8);
}

TEST(beacon_members,
     "members know each other's tags in this quarter of an hour and those beside it")
{
    size_t n = 0;
    rig_two(0);
    struct rapport_beacon b = beacon_of(0, RIG_WALL_MS, &n);
    CHECK_EQ(n, 2); /* the epoch, and the open invite */
    for (int quarter = -1; quarter <= 1; quarter++)
        CHECK(knows(1, &b, (uint64_t)((int64_t)RIG_WALL_MS + quarter * 900000)));
    CHECK(!knows(1, &b, RIG_WALL_MS + 2 * 900000));
    CHECK(!knows(1, &b, RIG_WALL_MS - 2 * 900000));
    b = beacon_of(1, RIG_WALL_MS, &n);
    CHECK_EQ(n, 1); /* Ben issued no invite */
    CHECK(knows(0, &b, RIG_WALL_MS));
}

TEST(beacon_bound, "salt, label and port are all under the hash")
{
    size_t n = 0;
    rig_two(0);
    struct rapport_beacon b = beacon_of(0, RIG_WALL_MS, &n), other;
    for (size_t i = 0; i < sizeof b.salt + sizeof b.label; i++) {
        other = b;
        (i < sizeof b.salt ? other.salt + i : other.label + (i - sizeof b.salt))[0] ^= 1;
        CHECK(!knows(1, &other, RIG_WALL_MS));
    }
    other = b;
    other.port ^= 1;
    CHECK(!knows(1, &other, RIG_WALL_MS));
}

TEST(beacon_epochs, "the newest eight epochs are known, the newest two announced")
{
    size_t n = 0;
    struct rapport_beacon old[10];
    rig_start(0);
    CHECK_EQ(rig_init(0), 0);
    for (uint8_t i = 0; i < 10; i++) {
        uint8_t secret[32] = {i};
        CHECK_EQ(node_add_epoch(rig.side[0].node, secret), 0);
        old[i] = beacon_of(0, RIG_WALL_MS, &n);
        CHECK_EQ(n, 2);
        memset(old[i].tags[1], 0, sizeof old[i].tags[1]);
    }
    CHECK(!knows(0, &old[1], RIG_WALL_MS));
    for (int i = 2; i < 10; i++)
        CHECK(knows(0, &old[i], RIG_WALL_MS));
}

TEST(beacon_ticket, "a joiner knows the issuer by the ticket, and announces nothing")
{
    size_t n = 0;
    rig_start(0);
    CHECK_EQ(rig_init(0), 0);
    char *ticket = rig_ticket(0, 1, WALL_S + 3600);
    char *other = rig_ticket(0, 1, 0);
    rig_run(100);
    struct rapport_beacon b = beacon_of(0, RIG_WALL_MS, &n);
    CHECK_EQ(n, 3);
    rig.cut = true;
    CHECK_EQ(rig_join(1, ticket), 0);
    CHECK(knows(1, &b, RIG_WALL_MS));
    CHECK(rapport_node_has_company(rig.side[1].node));
    (void)beacon_of(1, RIG_WALL_MS, &n);
    CHECK_EQ(n, 0);
    b = beacon_of(0, RIG_WALL_MS + 7200000, &n); /* expired: only the other invite is left */
    CHECK_EQ(n, 2);
    CHECK(!knows(1, &b, RIG_WALL_MS + 7200000));
    free(ticket);
    free(other);
}

TEST(beacon_newest_invites, "of many open invites the two newest are announced")
{
    size_t n = 0;
    char *tickets[3];
    rig_start(0);
    CHECK_EQ(rig_init(0), 0);
    for (int i = 0; i < 3; i++)
        tickets[i] = rig_ticket(0, 1, 0);
    struct rapport_beacon b = beacon_of(0, RIG_WALL_MS, &n);
    CHECK_EQ(n, 3);
    rig.cut = true;
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(rig_join(1 + i, tickets[i]), 0);
        CHECK_EQ(knows(1 + i, &b, RIG_WALL_MS), i > 0);
        free(tickets[i]);
    }
}

TEST(beacon_company, "somebody alone has no company, until an invite is open or a friend is in")
{
    rig_start(0);
    CHECK_EQ(rig_init(0), 0);
    CHECK(!rapport_node_has_company(rig.side[0].node));
    char *ticket = rig_ticket(0, 1, WALL_S + 60);
    CHECK(rapport_node_has_company(rig.side[0].node));
    rig_run(120000);
    CHECK_EQ(rig_event(0, RAPPORT_EVENT_TIMEOUT), 0);
    CHECK(!rapport_node_has_company(rig.side[0].node));
    free(ticket);
    rig_two(0);
    rig_stop(1);
    CHECK(rapport_node_has_company(rig.side[0].node));
}

TEST(beacon_loading, "nothing is announced while the roster is being loaded")
{
    size_t n = 0;
    rig_two(0);
    rig_stop(0);
    rig.side[0].hold_loads = true;
    CHECK_EQ(rig_open(0), 0);
    (void)beacon_of(0, RIG_WALL_MS, &n);
    CHECK_EQ(n, 0);
}
