/* test_exchange.c - addresses that a device signs and friends carry: who learns of whom, and what
 * nobody can say for another. */
#include "script.h"

#include "base/hex.h"

static void listens(int side, struct rapport_address address)
{
    struct rapport_event e = {.kind = RAPPORT_EVENT_ONLINE, .listen = &address, .n_listen = 1};
    CHECK_EQ(rig_step(side, &e), 0);
}

static size_t n_connected(int side)
{
    size_t at = 0, n = 0;
    struct rapport_peer_info p;
    while (rapport_node_next_peer(rig.side[side].node, &at, &p))
        n += p.state == RAPPORT_LINK_CONNECTED;
    return n;
}

/* B, and where `third` C, have joined at A, and nobody else has met. */
static void group(bool third)
{
    rig_two(0);
    if (third) {
        char *ticket = rig_ticket(0, 1, 0);
        CHECK_EQ(rig_join(2, ticket), 0);
        free(ticket);
        rig_run(1000);
    }
}

static const struct message_peer *held(int side, char device)
{
    uint8_t seed[32], id[ID_BYTES];
    struct device_keys keys;
    memset(seed, device, sizeof seed);
    device_keys_from_seed(&keys, seed);
    device_id(id, keys.sign_public);
    const struct rapport_node *n = rig.side[side].node;
    for (size_t i = 0; i < n->n_records; i++)
        if (memcmp(n->records[i].peer.device, id, sizeof id) == 0)
            return &n->records[i].peer;
    return NULL;
}

/* A record by the script's device, for this address of a side. */
static struct message_peer record(int side, uint64_t issued_ms)
{
    struct rapport_address a = rig_address(side);
    struct message_peer p = {.issued_ms = issued_ms, .n_addresses = 1};
    device_id(p.device, script.keys.sign_public);
    p.addresses[0] = (struct message_address){.family = 4, .port = a.port};
    memcpy(p.addresses[0].addr, a.bytes, 4);
    return p;
}

static void sign(struct message_peer *p, const uint8_t report[32])
{
    struct buf words = BUF_INIT;
    buf_append(&words, report, 32);
    message_put_peer_body(&words, p);
    CHECK_EQ(sign_make(p->signature, &script.keys, SIGN_ADDRESSES, buf_slice(&words)), 0);
    buf_clear(&words);
}

static void tell(const struct message_peer *p)
{
    static struct message_peers m;
    struct buf out = BUF_INIT;
    m.n = 1;
    m.peers[0] = *p;
    message_put_peers(&out, &m);
    script_send(&out);
    rig_run(50);
}

TEST(exchange_frozen, "an address record is what docs/protocol.md says")
{
    static const char expected[] =
        "94c410fcffda72d34b844b177295ff4a55c3b9cf000001861b95130092c412fd"
        "00000000000000000000000000000b1c03c4060a0000051c03c440827c667332"
        "2c56b509364017be9a649c888cf506630cdc194a59294ffe5adad22a8abe0417"
        "6425f52de8633344ca854e6cdc47ce50c6ec46b623d2fa71bddc03";
    static const uint8_t report[32] = {1, 2, 3, 4, 5, 6, 7, 8};
    struct message_peer p = {.issued_ms = UINT64_C(1675500000000), .n_addresses = 2};
    uint8_t seed[32];
    struct buf out = BUF_INIT;
    char hex[512];
    memset(seed, 1, sizeof seed);
    device_keys_from_seed(&script.keys, seed);
    device_id(p.device, script.keys.sign_public);
    p.addresses[0] = (struct message_address){6, {0xfd, [15] = 0x0b}, 7171};
    p.addresses[1] = (struct message_address){4, {10, 0, 0, 5}, 7171};
    sign(&p, report);
    message_put_peer(&out, &p);
    hex_encode(hex, out.ptr, out.len);
    CHECK_STR(hex, expected);
    buf_clear(&out);
}

TEST(exchange_never_met, "two who never met dial each other by what their friend passes on")
{
    group(true);
    rig.show = SHOW_DIALS;
    rig_forget();
    for (int i = 0; i < 3; i++)
        listens(i, rig_address(i));
    rig_run(10000);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(n_connected(i), 2);
    CHECK(strstr(rig.trace, "B dials 10.0.0.1:1002") || strstr(rig.trace, "C dials 10.0.0.1:1001"));
    CHECK(held(0, 'B') && held(0, 'C') && held(1, 'C') && held(2, 'B'));
}

TEST(exchange_late, "who comes up later is told what is held of all, and kept records survive")
{
    group(true);
    rig_run(1000);
    rig_stop(1);
    for (int i = 0; i < 3; i += 2)
        listens(i, rig_address(i));
    rig_run(1000);
    rig_stop(2); /* C has said where it listens, and is gone */
    CHECK_EQ(rig_open(1), 0);
    rig_run(1000);
    CHECK(held(1, 'C') != NULL);
    rig_run(7000); /* saved */
    rig_stop(0);
    rig_stop(1);
    CHECK_EQ(rig_open(1), 0);
    CHECK(held(1, 'C') != NULL);
    CHECK_EQ(rig_open(2), 0);
    rig_run(2000);
    CHECK_EQ(n_connected(1), 1);
    CHECK_EQ(n_connected(2), 1);
}

TEST(exchange_own, "only public addresses are signed, and anew only when they change")
{
    static const struct rapport_address several[] = {
        {.family = 6, .bytes = {0}, .port = 7171},
        {.family = 4, .bytes = {127, 0, 0, 1}, .port = 7171},
        {.family = 4, .bytes = {169, 254, 0, 1}, .port = 7171},
        {.family = 6, .bytes = {0xfe, 0x80, [15] = 1}, .port = 7171, .scope = 2},
        {.family = 6, .bytes = {0xfd, [15] = 1}, .port = 7171},
        {.family = 4, .bytes = {192, 168, 1, 1}, .port = 7171},
    };
    group(false);
    struct rapport_event e = {.kind = RAPPORT_EVENT_ONLINE, .listen = several, .n_listen = 4};
    CHECK_EQ(rig_step(0, &e), 0);
    CHECK(held(0, 'A') == NULL);
    e.n_listen = 6;
    CHECK_EQ(rig_step(0, &e), 0);
    const struct message_peer *own = held(0, 'A');
    CHECK(own && own->n_addresses == 2);
    uint64_t issued = own->issued_ms;
    CHECK_EQ(issued, rig_wall(0));
    rig_run(1000);
    CHECK_EQ(rig_step(0, &e), 0);
    CHECK_EQ(held(0, 'A')->issued_ms, issued);
    e.n_listen = 5;
    CHECK_EQ(rig_step(0, &e), 0);
    CHECK_EQ(held(0, 'A')->issued_ms, rig_wall(0));
    rig.side[0].clock_off_ms = -3600000; /* set back: still newer than what is known of us */
    issued = held(0, 'A')->issued_ms;
    e.n_listen = 6;
    CHECK_EQ(rig_step(0, &e), 0);
    CHECK_EQ(held(0, 'A')->issued_ms, issued + 1);
    rig.side[0].clock_off_ms = -2 * 86400000; /* nobody with a right clock has taken that */
    e.n_listen = 5;
    CHECK_EQ(rig_step(0, &e), 0);
    CHECK_EQ(held(0, 'A')->issued_ms, rig_wall(0));
}

TEST(exchange_forged, "no record is taken that its device did not sign, for this report")
{
    group(true);
    rig_event(2, RAPPORT_EVENT_OFFLINE);
    rig_run(100);
    script_dial(0, 'C', script_epoch_psk(0));
    rig_run(100);
    const uint8_t *report = rig.side[0].node->report_id;
    uint8_t other[32] = {9};
    struct message_peer p = record(3, rig_wall(0));
    sign(&p, other); /* made for another report */
    tell(&p);
    CHECK(held(0, 'C') == NULL);
    sign(&p, report);
    p.addresses[0].port++; /* changed on the way */
    tell(&p);
    CHECK(held(0, 'C') == NULL);
    struct message_peer of_ben = record(3, rig_wall(0));
    uint8_t seed[32];
    struct device_keys ben;
    memset(seed, 'B', sizeof seed);
    device_keys_from_seed(&ben, seed);
    device_id(of_ben.device, ben.sign_public);
    sign(&of_ben, report); /* Cleo's word on Ben */
    tell(&of_ben);
    CHECK(held(0, 'B') == NULL);
    device_id(of_ben.device, (const uint8_t[32]){1}); /* on nobody */
    tell(&of_ben);
    CHECK_EQ(rig.side[0].node->n_records, 0);
    p.addresses[0].port--;
    tell(&p);
    CHECK(held(0, 'C') != NULL);
    CHECK(candidate_find(
        rig.side[0].node,
        &(struct rapport_address){.family = 4, .bytes = {10, 0, 0, 1}, .port = RIG_PORT + 3}));
    CHECK(!script.closed);
}

TEST(exchange_time, "older records, and those from too far in past and future, are not taken")
{
    static const int64_t off[] = {-31 * INT64_C(86400000), 2 * 86400000, -1000, -1001, -999, 0};
    static const bool taken[] = {false, false, true, false, true, true};
    group(true);
    rig_event(2, RAPPORT_EVENT_OFFLINE);
    rig_run(100);
    script_dial(0, 'C', script_epoch_psk(0));
    rig_run(100);
    uint64_t now = rig_wall(0);
    for (size_t i = 0; i < sizeof off / sizeof off[0]; i++) {
        struct message_peer p = record(3, (uint64_t)((int64_t)now + off[i]));
        sign(&p, rig.side[0].node->report_id);
        tell(&p);
        const struct message_peer *r = held(0, 'C');
        CHECK_EQ(r && r->issued_ms == p.issued_ms, taken[i]);
    }
    struct message_peer end = record(3, UINT64_MAX);
    sign(&end, rig.side[0].node->report_id);
    tell(&end);
    CHECK_EQ(held(0, 'C')->issued_ms, now);
}

TEST(exchange_places, "a record sends nobody to loopback, groups, or addresses of no network")
{
    static const struct message_address places[] = {
        {4, {127, 0, 0, 1}, 80},       {4, {0, 0, 0, 0}, 80}, {4, {224, 0, 0, 251}, 80},
        {4, {169, 254, 169, 254}, 80}, {6, {[15] = 1}, 80},   {6, {0xff, 2, [15] = 0xfb}, 80}};
    group(true);
    rig_event(2, RAPPORT_EVENT_OFFLINE);
    rig_run(100);
    script_dial(0, 'C', script_epoch_psk(0));
    rig_run(100);
    size_t before = rig.side[0].node->n_candidates;
    struct message_peer p = record(3, rig_wall(0));
    p.n_addresses = sizeof places / sizeof places[0];
    CHECK_EQ(p.n_addresses, PEERS_MOST_ADDRESSES);
    memcpy(p.addresses, places, sizeof places);
    sign(&p, rig.side[0].node->report_id);
    tell(&p);
    CHECK(held(0, 'C') != NULL);
    CHECK_EQ(rig.side[0].node->n_candidates, before);
}

TEST(exchange_rate, "after the first a link is told addresses at most every 5 s")
{
    group(true);
    for (int i = 0; i < 2; i++)
        listens(i, rig_address(i));
    rig_run(10000);
    rig.show = SHOW_WIRE;
    rig_forget();
    for (int i = 0; i < 100; i++) {
        struct rapport_address a = rig_address(1);
        a.port = (uint16_t)(a.port + 100 * i);
        listens(1, a);
        rig_run(100);
    }
    rig_run(5000);
    size_t n = 0;
    for (const char *at = rig.trace; (at = strstr(at, "A>C PEERS")); at++)
        n++;
    CHECK(n >= 2 && n <= 4);
    CHECK_EQ(held(2, 'B')->issued_ms, held(1, 'B')->issued_ms);
}

TEST(exchange_removed, "what is known of a removed member is forgotten")
{
    group(true);
    for (int i = 0; i < 3; i++)
        listens(i, rig_address(i));
    rig_run(10000);
    struct rapport_node *a = rig.side[0].node;
    CHECK(held(0, 'B') != NULL);
    size_t at = 0;
    (void)report_next_member(a->report, &at);
    const struct member *ben = report_next_member(a->report, &at);
    struct edit_context context = {a->draft, a->keys.sign_public, 1000, RIG_WALL_MS};
    uint8_t device[ID_BYTES];
    memcpy(device, ben->device, sizeof device);
    CHECK_EQ(report_remove_member(a->report, &context, device), 0);
    rig_run(1000);
    for (int side = 0; side < 3; side += 2) {
        const struct rapport_node *n = rig.side[side].node;
        CHECK(held(side, 'B') == NULL);
        for (size_t i = 0; i < n->n_candidates; i++)
            CHECK(!n->candidates[i]->has_device ||
                  memcmp(n->candidates[i]->device, device, sizeof device) != 0);
    }
}

TEST(exchange_record, "the stored addresses are read back; cut at any length they are refused")
{
    struct buf b = BUF_INIT;
    static const struct message_peer p = {.device = {1}, .issued_ms = 1, .n_addresses = 0};
    rig_start(0);
    CHECK_EQ(rig_init(0), 0);
    mp_put_array(&b, NODE_MOST_RECORDS);
    for (int i = 0; i < NODE_MOST_RECORDS; i++) {
        struct message_peer each = p;
        each.device[1] = (uint8_t)i;
        message_put_peer(&b, &each);
    }
    CHECK_EQ(records_decode(rig.side[0].node, buf_slice(&b)), 0);
    CHECK_EQ(rig.side[0].node->n_records, NODE_MOST_RECORDS);
    for (size_t len = 0; len < 300; len++)
        CHECK(records_decode(rig.side[0].node, slice_of(b.ptr, len)) != 0);
    buf_clear(&b);
}
