/*
 * test_mdns_hostile.c - a LAN that lies: floods, false claims, addresses that lead elsewhere,
 * records that are missing. What is promised: bounded memory and talk, and friends are found all
 * the same.
 */
#include "mdns_rig.h"

/* Somebody's announcement, made by hand. */
struct fake {
    const char *label;  /* 16 characters */
    const char *groups; /* tags of these; NULL: random */
    uint16_t port;      /* 0: the usual one */
    const char *addresses[8];
    unsigned records; /* enum mdns_records; 0: all */
    bool is_goodbye;
    uint64_t older; /* tags of so many epochs ago */
};

static struct rapport_beacon beacon_of(const struct fake *f)
{
    struct rapport_beacon b = {.port = f->port ? f->port : RIG_PORT};
    memcpy(b.label, f->label, sizeof b.label);
    memcpy(b.salt, f->label, sizeof b.salt);
    memset(b.tags, 0x5a, sizeof b.tags);
    for (size_t i = 0; f->groups && f->groups[i]; i++)
        rig_tag(f->groups[i], rig_wall() / EPOCH_MS - f->older, &b, b.tags[i]);
    return b;
}

static struct buf packet_of(const struct fake *f)
{
    struct rapport_beacon b = beacon_of(f);
    struct rapport_address addresses[8];
    struct mdns_own own = {.beacon = &b, .addresses = addresses};
    struct buf out = BUF_INIT;
    for (; own.n_addresses < 8 && f->addresses[own.n_addresses]; own.n_addresses++)
        addresses[own.n_addresses] = rig_address(f->addresses[own.n_addresses], 0);
    mdns_put_response(
        &out, &own,
        &(struct mdns_response){.answers = f->records ? f->records : MDNS_HAS_INSTANCE,
                                .ttl_s = f->is_goodbye ? 0 : MDNS_TTL_S});
    return out;
}

/* It reaches a from `source`. */
static void claim(const char *source, struct fake f)
{
    struct buf b = packet_of(&f);
    rig_name((const uint8_t *)f.label, 'z');
    rig_inject('a', rig_address(source, MDNS_PORT), &b);
}

static struct mdns_stats stats_of(char name)
{
    struct mdns_stats s;
    mdns_stats(rig_host(name)->m, &s);
    return s;
}

/* a alone, with its first packets behind it. */
static void alone(void)
{
    rig_start();
    rig_add('a', "x");
    rig_up('a', "192.0.2.10");
    rig_run(20000);
    buf_reset(&rig.trace);
}

/* ---- floods ---- */

static void flood_label(unsigned n, char *label)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
    for (size_t i = 0; i < RAPPORT_LABEL_BYTES; i++, n >>= 5)
        label[i] = i < 4 ? letters[n & 31] : 'q';
    label[RAPPORT_LABEL_BYTES] = 0;
}

/* 10,000 instances, so many a second, from one machine or each from another; b comes in the midst
   of it and stays. */
static void flood(unsigned per_s, bool spoofed)
{
    rig_start();
    rig.quiet = true;
    rig_add('a', "x");
    rig_up('a', NULL);
    rig_run(5000);
    for (unsigned n = 0; n < 10000; n++) {
        char label[RAPPORT_LABEL_BYTES + 1], source[32];
        flood_label(n, label);
        snprintf(source, sizeof source, "fe80::%x:%x", spoofed ? n : 1, 0xbad);
        struct buf b = packet_of(&(struct fake){.label = label, .addresses = {source}});
        rig_inject('a', rig_address(source, MDNS_PORT), &b);
        CHECK(stats_of('a').n_instances <= MDNS_MOST_INSTANCES);
        if (n == 5000) {
            rig_add('b', "x");
            rig_up('b', NULL);
        }
        rig_run(n % per_s == 0 ? 1000 : 0);
    }
    struct mdns_stats s = stats_of('a');
    printf("%u/s: %u read, %u dropped, %u instances, %u known\n", per_s, (unsigned)s.received,
           (unsigned)s.dropped, (unsigned)s.n_instances, (unsigned)s.n_known);
    CHECK_EQ(s.n_known, 1);
    CHECK_EQ(s.n_instances, spoofed ? MDNS_MOST_INSTANCES : s.n_instances);
}

TEST(mdns_flood, "10,000 false instances, from one machine or many: a friend is found and kept")
{
    flood(1000, false);
    flood(400, true);
}

TEST(mdns_flood_of_many, "where 40 machines flood a link, a friend is found with his first packets")
{
    rig_start();
    rig_add('a', "x");
    rig_up('a', NULL);
    rig_run(5000);
    buf_reset(&rig.trace);
    char label[] = "aaaaaaaaaaaaaaaa";
    for (unsigned n = 0; n < 8000; n++) { /* 4,000 a second */
        char source[32];
        snprintf(source, sizeof source, "fe80::%x:bad", n % 40 + 1);
        struct buf b = packet_of(&(struct fake){.label = label, .addresses = {source}});
        rig_inject('a', rig_address(source, MDNS_PORT), &b);
        if (n % 4 == 0)
            rig_run(1);
    }
    rig_add('b', "x");
    rig_host('b')->walled = true;
    rig_up('b', NULL);
    rig_run(60);
    CHECK(strstr(buf_cstr(&rig.trace), "a  found b1 fe80::b") != NULL);
}

TEST(mdns_flood_quiet, "a flood makes us say little: incomplete instances are asked for at a rate")
{
    alone();
    uint64_t before = rig_unsolicited('a');
    rig.quiet = true;
    for (unsigned n = 0; n < 3000; n++) {
        char label[RAPPORT_LABEL_BYTES + 1];
        flood_label(n, label);
        struct buf b = packet_of(&(struct fake){.label = label, .records = MDNS_HAS_PTR});
        rig_inject('a', rig_address("fe80::bad", MDNS_PORT), &b);
        rig_run(100);
    }
    unsigned n = (unsigned)(rig_unsolicited('a') - before);
    printf("%u packets in 5 minutes\n", n);
    CHECK(n <= DETAILS_BURST + 5 + 1 + 6);
}

TEST(mdns_rates, "512 packets a second are read on a link, 32 of a source, a few of each always")
{
    alone();
    struct mdns_stats before = stats_of('a'), after;
    char label[] = "aaaaaaaaaaaaaaaa";
    for (int i = 0; i < 40; i++) {
        struct buf b = packet_of(&(struct fake){.label = label});
        rig_inject('a', rig_address("fe80::bad", MDNS_PORT), &b);
    }
    after = stats_of('a');
    CHECK_EQ(after.received - before.received, MDNS_MOST_SOURCE_PER_S);
    CHECK_EQ(after.dropped - before.dropped, 40 - MDNS_MOST_SOURCE_PER_S);
    rig_run(2000);
    before = stats_of('a');
    for (unsigned i = 0; i < 6000; i++) {
        struct buf b = packet_of(&(struct fake){.label = label});
        struct rapport_address source = rig_address("fe80::", MDNS_PORT);
        source.bytes[14] = (uint8_t)(i >> 8);
        source.bytes[15] = (uint8_t)i;
        rig_inject('a', source, &b);
    }
    after = stats_of('a');
    CHECK_EQ(after.received - before.received, MDNS_MOST_PACKETS_PER_S + SOURCES * RESERVED_BURST);
}

TEST(mdns_full_of_friends, "a cache full of friends takes nobody else, and forgets none of them")
{
    rig_start();
    rig.quiet = true;
    rig_add('a', "x");
    rig_up('a', NULL);
    for (unsigned n = 0; n < MDNS_MOST_INSTANCES + 1; n++) {
        char label[RAPPORT_LABEL_BYTES + 1], source[32];
        flood_label(n, label);
        snprintf(source, sizeof source, "fe80::%x:1", n);
        struct buf b =
            packet_of(&(struct fake){.label = label, .groups = "x", .addresses = {source}});
        rig_inject('a', rig_address(source, MDNS_PORT), &b);
        rig_run(5);
    }
    CHECK_EQ(stats_of('a').n_known, MDNS_MOST_INSTANCES);
    CHECK_EQ(stats_of('a').n_instances, MDNS_MOST_INSTANCES);
}

TEST(mdns_crowded_packet, "16 instances are taken from one packet")
{
    alone();
    struct buf b = BUF_INIT;
    for (unsigned n = 0; n < 20; n++) {
        char label[RAPPORT_LABEL_BYTES + 1];
        flood_label(n, label);
        struct buf one = packet_of(&(struct fake){.label = label, .records = MDNS_HAS_PTR});
        if (n == 0)
            buf_append(&b, one.ptr, one.len);
        else /* the same, its name pointing to the first one's, its rest too */
            buf_append(&b, (uint8_t[]){0xc0, 0x0c}, 2),
                buf_append(&b, one.ptr + 12 + 21, one.len - 12 - 21);
        buf_clear(&one);
    }
    b.ptr[7] = 20;
    rig_inject('a', rig_address("fe80::bad", MDNS_PORT), &b);
    CHECK_EQ(stats_of('a').malformed, 0);
    CHECK_EQ(stats_of('a').n_instances, MOST_SIGHTINGS);
}

/* ---- claims ---- */

TEST(mdns_claims_label, "who claims our label makes us take another, but not twice a minute")
{
    alone();
    for (int i = 0; i < 3; i++) {
        char label[RAPPORT_LABEL_BYTES + 1] = {0};
        memcpy(label, rig_host('a')->m->beacon.label, RAPPORT_LABEL_BYTES);
        struct buf b =
            packet_of(&(struct fake){.label = label, .port = 666, .addresses = {"fe80::bad"}});
        rig_inject('a', rig_address("fe80::bad", MDNS_PORT), &b);
        rig_run(600);
    }
    rig_expect(" 21000 a! tell a1 0: ptr srv txt 2\n"
               " 21081 a! probe a2: srv txt 2\n"
               " 21331 a! probe a2: srv txt 2\n"
               " 21581 a! probe a2: srv txt 2\n"
               " 21831 a! tell a2 120: ptr srv txt 2\n");
    CHECK_EQ(stats_of('a').n_instances, 0);
}

TEST(mdns_claims_friend, "what is said in a friend's name counts only with a tag of ours")
{
    alone();
    const char *friend = "ffffffffffffffff";
    claim("fe80::7", (struct fake){.label = friend, .groups = "x", .addresses = {"fe80::7"}});
    rig_expect(" 21000 a  found z1 fe80::7\n");
    claim("fe80::bad", (struct fake){.label = friend, .port = 666, .addresses = {"fe80::bad"}});
    claim("fe80::bad", (struct fake){.label = friend,
                                     .port = 666,
                                     .records = MDNS_HAS_SRV | MDNS_HAS_ADDRESSES,
                                     .addresses = {"fe80::bad"}});
    claim("fe80::bad", (struct fake){.label = friend, .records = MDNS_HAS_TXT});
    rig_expect("");
    claim("fe80::7",
          (struct fake){.label = friend, .groups = "x", .port = 7172, .addresses = {"fe80::7"}});
    rig_expect(" 21000 a  lost z1 fe80::7\n"
               " 21000 a  found z1 fe80::7\n");
}

TEST(mdns_claims_addresses, "addresses are hints: the first six hold")
{
    alone();
    const char *friend = "ffffffffffffffff";
    claim("fe80::7", (struct fake){.label = friend,
                                   .groups = "x",
                                   .addresses = {"192.0.2.7", "2001:db8::7", "fe80::7"}});
    claim("fe80::bad",
          (struct fake){.label = friend,
                        .groups = "x",
                        .addresses = {"fe80::bad", "2001:db8::1", "2001:db8::2", "2001:db8::3"}});
    rig_expect(" 21000 a  found z1 fe80::7\n"
               " 21000 a  found z1 2001:db8::7\n"
               " 21000 a  found z1 192.0.2.7\n"
               " 21000 a  found z1 fe80::bad\n"
               " 21000 a  found z1 2001:db8::1\n"
               " 21000 a  found z1 2001:db8::2\n");
}

TEST(mdns_addresses_refused, "addresses that lead nowhere, to us or to everybody are not taken")
{
    static const char *const bad[] = {
        "0.0.0.0", "127.0.0.1", "224.0.0.251", "255.255.255.255",  "0.1.2.3", "240.0.0.1",
        "::",      "::1",       "ff02::fb",    "::ffff:127.0.0.1", "ff05::2", "::ffff:192.0.2.1",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        alone();
        claim("fe80::7",
              (struct fake){.label = "ffffffffffffffff", .groups = "x", .addresses = {bad[i]}});
        rig_expect("");
    }
}

TEST(mdns_reflected, "a reflector's packet brings no link-local addresses of the other link")
{
    alone();
    claim("fe80::7", (struct fake){.label = "ffffffffffffffff",
                                   .groups = "x",
                                   .addresses = {"fe80::8", "169.254.1.2", "192.0.2.8"}});
    rig_expect(" 21000 a  found z1 192.0.2.8\n");
}

TEST(mdns_goodbye_again, "somebody else's goodbye for a friend is undone by his next packet")
{
    alone();
    struct fake friend = {.label = "ffffffffffffffff", .groups = "x", .addresses = {"fe80::7"}};
    claim("fe80::7", friend);
    friend.is_goodbye = true;
    claim("fe80::bad", friend);
    rig_run(500);
    friend.is_goodbye = false;
    claim("fe80::7", friend);
    rig_run(3000);
    rig_expect(" 21000 a  found z1 fe80::7\n");
}

TEST(mdns_old_tags, "tags count in their epoch and the ones beside it")
{
    static const struct {
        uint64_t older;
        size_t n_known;
    } rows[] = {{0, 1}, {1, 1}, {2, 0}, {UINT64_MAX, 1}, {UINT64_MAX - 1, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        alone();
        claim("fe80::7", (struct fake){.label = "ffffffffffffffff",
                                       .groups = "x",
                                       .older = rows[i].older,
                                       .addresses = {"fe80::7"}});
        CHECK_EQ(stats_of('a').n_known, rows[i].n_known);
    }
}

TEST(mdns_tags_pass, "a candidate whose tags are too old by now is lost, unless there is a session")
{
    for (int session = 0; session < 2; session++) {
        alone();
        struct fake friend = {.label = "ffffffffffffffff", .groups = "x", .addresses = {"fe80::7"}};
        claim("fe80::7", friend);
        struct rapport_address at = rig_address("fe80::7", RIG_PORT);
        mdns_connected(rig_host('a')->m, rig.now, &at, session);
        friend.older = 2;
        for (int i = 0; i < 40; i++) { /* still heard, by a replay; its tags grow old */
            rig_run(60000);
            friend.older = (rig_wall() / EPOCH_MS) - (RIG_WALL_MS / EPOCH_MS);
            struct buf b = packet_of(&friend);
            rig_inject('a', rig_address("fe80::7", MDNS_PORT), &b);
        }
        CHECK_EQ(stats_of('a').n_known, session);
    }
}

/* ---- missing records ---- */

TEST(mdns_incomplete, "what is missing is asked for once, 200 ms later, and told when it is there")
{
    alone();
    struct fake friend = {.label = "ffffffffffffffff",
                          .groups = "x",
                          .addresses = {"fe80::7"},
                          .records = MDNS_HAS_PTR};
    claim("fe80::7", friend);
    rig_run(2000);
    friend.records = MDNS_HAS_SRV;
    claim("fe80::7", friend);
    friend.records = MDNS_HAS_TXT;
    claim("fe80::7", friend);
    rig_run(1000);
    friend.records = MDNS_HAS_ADDRESSES;
    claim("fe80::7", friend);
    rig_expect(" 21200 a! ask srv z1, txt z1, aaaa z1, a z1\n"
               " 24000 a  found z1 fe80::7\n");
}

TEST(mdns_gathered, "records that come one by one within 200 ms are not asked for")
{
    alone();
    struct fake friend = {.label = "ffffffffffffffff", .groups = "x", .addresses = {"fe80::7"}};
    for (unsigned one = MDNS_HAS_PTR; one <= MDNS_HAS_ADDRESSES; one <<= 1) {
        friend.records = one;
        claim("fe80::7", friend);
        rig_run(50);
    }
    rig_run(1000);
    rig_expect(" 21150 a  found z1 fe80::7\n");
}

/* ---- packets ---- */

TEST(mdns_refused, "bad packets, responses from other ports and off-link answers are counted only")
{
    alone();
    struct fake friend = {.label = "ffffffffffffffff", .groups = "x", .addresses = {"fe80::7"}};
    struct mdns_stats before = stats_of('a');
    struct buf b = packet_of(&friend);
    rig_inject('a', rig_address("fe80::7", 40000), &b);
    b = packet_of(&friend);
    buf_u8(&b, 0);
    rig_inject('a', rig_address("fe80::7", MDNS_PORT), &b);
    b = packet_of(&friend);
    struct mdns_arrival arrival = {.link = 1,
                                   .unicast = true,
                                   .source = rig_address("198.51.100.1", MDNS_PORT),
                                   .bytes = buf_slice(&b)};
    mdns_receive(rig_host('a')->m, rig.now, rig_wall(), &arrival);
    arrival.link = 99; /* no link of ours */
    mdns_receive(rig_host('a')->m, rig.now, rig_wall(), &arrival);
    buf_clear(&b);
    rig_drain('a');
    rig_expect("");
    struct mdns_stats after = stats_of('a');
    CHECK_EQ(after.malformed - before.malformed, 2);
    CHECK_EQ(after.dropped - before.dropped, 1);
    CHECK_EQ(after.n_instances, 0);
}

TEST(mdns_own, "our own packets, also on another link of ours, are counted and are no candidate")
{
    alone();
    struct mdns_link second = {.id = 2, .ifindex = 4, .family = 6, .n_own = 1};
    second.own[0] = rig_address("fe80::aa", 0);
    CHECK_EQ(mdns_link_up(rig_host('a')->m, rig.now, &second), 0);
    rig_drain('a');
    rig_run(2000);
    struct mdns_stats before = stats_of('a');
    struct fake own = {.groups = "x", .addresses = {"fe80::aa"}};
    char label[RAPPORT_LABEL_BYTES + 1] = {0};
    memcpy(label, rig_host('a')->m->beacon.label, RAPPORT_LABEL_BYTES);
    own.label = label;
    struct buf b = packet_of(&own);
    rig_inject('a', rig_address("fe80::aa", MDNS_PORT), &b);
    struct mdns_stats after = stats_of('a');
    CHECK_EQ(after.heard_own - before.heard_own, 1);
    CHECK_EQ(after.n_instances, 0);
    CHECK_EQ(after.last_foreign, 0);
    CHECK(memcmp(label, rig_host('a')->m->beacon.label, RAPPORT_LABEL_BYTES) == 0);
}

TEST(mdns_two_on_one, "two that run on one machine find each other, by the port")
{
    alone();
    claim("fe80::a",
          (struct fake){
              .label = "ffffffffffffffff", .groups = "x", .port = 7172, .addresses = {"fe80::a"}});
    rig_expect(" 21000 a  found z1 fe80::a\n");
    struct rapport_address other = rig_host_address('a', RIG_PORT);
    mdns_connected(rig_host('a')->m, rig.now, &other, true);
    CHECK_EQ(rig_host('a')->m->n_unconnected, 0); /* nobody else listens there */
    mdns_connected(rig_host('a')->m, rig.now, &other, false);
    claim("fe80::a", (struct fake){.label = "gggggggggggggggg",
                                   .groups = "x",
                                   .port = RIG_PORT,
                                   .addresses = {"fe80::a"}});
    mdns_connected(rig_host('a')->m, rig.now, &other, true);
    CHECK_EQ(rig_host('a')->m->n_unconnected, 1);
}
