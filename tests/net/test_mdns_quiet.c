/*
 * test_mdns_quiet.c - what a LAN gets to see: how little is said, when answers come, and that
 * nothing links one day with the next.
 */
#include "mdns_rig.h"

#define DAY_MS (24 * 3600 * 1000u)

TEST(mdns_quiet, "once connected, at most one packet in 15 minutes that answers nobody")
{
    rig_start();
    rig.quiet = true;
    rig_add('a', "x");
    rig_add('b', "x");
    rig_up('a', "192.0.2.10");
    rig_up('b', NULL);
    rig_run(50);
    rig_session('a', 'b', true);
    rig_session('b', 'a', true);
    rapport_time_ms last[2] = {0};
    uint64_t before[2] = {rig_unsolicited('a'), rig_unsolicited('b')};
    for (rapport_time_ms end = rig.now + 3 * DAY_MS; rig.now < end;) {
        rig_run(rig_next() - rig.now);
        for (char name = 'a'; name <= 'b'; name++) {
            uint64_t n = rig_unsolicited(name) - before[name - 'a'];
            if (n == 0)
                continue;
            CHECK_EQ(n, 1);
            CHECK(last[name - 'a'] == 0 || rig.now >= last[name - 'a'] + EPOCH_MS);
            last[name - 'a'] = rig.now;
            before[name - 'a'] += n;
        }
    }
    CHECK(rig.now < last[0] + 2 * EPOCH_MS); /* but that one does come */
}

TEST(mdns_alone, "alone, a day costs some 30 questions and an announcement each 15 minutes")
{
    rig_start();
    rig.quiet = true;
    rig_add('a', "x");
    rig_up('a', NULL);
    rig_run(60000);
    uint64_t before = rig_unsolicited('a');
    rig_run(DAY_MS - 15 * 60000);
    uint64_t n = rig_unsolicited('a') - before;
    printf("%u packets\n", (unsigned)n);
    CHECK(n <= 96 + 24 + 10); /* and a new label */
}

TEST(mdns_enough, "with eight friends connected nobody is asked for, whoever else there is")
{
    rig_start();
    rig_add('a', "x");
    rig_add('b', "x");
    rig_up('b', NULL);
    rig_run(100);
    mdns_set_peers(rig_host('a')->m, rig.now, MDNS_ENOUGH_PEERS);
    rig_up('a', NULL);
    buf_reset(&rig.trace);
    rig_remove('b');
    rig_run(250 * 1000);
    rig_expect("  1124 a! tell a1 120: ptr srv txt 1\n");
}

TEST(mdns_by_other_ways,
     "connected by other ways only, a new link is asked three times, then quiet")
{
    rig_start();
    rig_add('a', "x");
    mdns_set_peers(rig_host('a')->m, rig.now, 1);
    rig_up('a', NULL);
    rig_run(300 * 1000 - 1000);
    rig_expect("  1000 a! ask ptr, one-shot\n"
               "  1024 a! probe a1: srv txt 1\n"
               "  1274 a! probe a1: srv txt 1\n"
               "  1400 a! ask ptr\n"
               "  1524 a! probe a1: srv txt 1\n"
               "  1774 a! tell a1 120: ptr srv txt 1\n"
               "  2437 a! ask ptr\n"
               "  2774 a! tell a1 120: ptr srv txt 1\n"
               "  4774 a! tell a1 120: ptr srv txt 1\n"
               "  5481 a! ask ptr\n");
}

/* ---- answers ---- */

static void inject_query(char to, const char *from, uint16_t port, unsigned type, bool unicast,
                         const char *knows)
{
    struct buf b = BUF_INIT;
    struct mdns_question q = {.name = MDNS_NAME_SERVICE, .type = (uint16_t)type};
    struct mdns_heard heard = {.ttl_s = 70};
    if (knows)
        memcpy(heard.label, knows, sizeof heard.label);
    mdns_put_query(&b, &(struct mdns_query){&q, 1, &heard, knows != NULL});
    b.ptr[12 + sizeof "_rapport._tcp.local" + 1 + 2] = unicast ? 0x80 : 0;
    rig_inject(to, rig_address(from, port), &b);
}

/* a has been there for long. */
static void settled(void)
{
    rig_start();
    rig_add('a', "x");
    rig_up('a', "192.0.2.10");
    rig_run(100 * 1000);
    mdns_set_peers(rig_host('a')->m, rig.now, MDNS_ENOUGH_PEERS);
    buf_reset(&rig.trace);
}

TEST(mdns_answers, "a question is answered to all in 20 to 120 ms, and not again within a second")
{
    settled();
    inject_query('a', "fe80::7", MDNS_PORT, MDNS_PTR, false, NULL);
    rig_run(500);
    inject_query('a', "fe80::8", MDNS_PORT, MDNS_PTR, false, NULL);
    rig_run(1000);
    inject_query('a', "fe80::8", MDNS_PORT, MDNS_ANY, false, NULL);
    rig_run(500);
    inject_query('a', "fe80::9", MDNS_PORT, MDNS_PTR, true, NULL); /* unicast is welcome */
    rig_run(1000);
    inject_query('a', "fe80::9", MDNS_PORT, MDNS_PTR, true, NULL);
    rig_run(1000);
    inject_query('a', "fe80::9", MDNS_PORT, MDNS_SRV, false, NULL); /* the service has none */
    inject_query('a', "fe80::9", MDNS_PORT, MDNS_PTR, false,
                 (const char *)rig_host('a')->m->beacon.label);
    rig_run(1000);
    rig_expect("101057 a  tell a1 120: ptr srv txt 2\n"
               "102557 a  tell a1 120: ptr srv txt 2\n"
               "103000 a  tell a1 120: ptr srv txt 2 to fe80::9\n"
               "104081 a  tell a1 120: ptr srv txt 2\n");
}

TEST(mdns_answers_by_name, "stock tools ask for all services, then by the names of an instance")
{
    settled();
    static const struct mdns_question questions[] = {
        {.name = MDNS_NAME_ALL_SERVICES, .type = MDNS_PTR},
        {.name = MDNS_NAME_INSTANCE, .type = MDNS_SRV},
        {.name = MDNS_NAME_INSTANCE, .type = MDNS_TXT},
        {.name = MDNS_NAME_HOST, .type = MDNS_A},
        {.name = MDNS_NAME_INSTANCE, .type = MDNS_A},
        {.name = MDNS_NAME_HOST, .type = MDNS_PTR},
    };
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
        struct buf b = BUF_INIT;
        struct mdns_question q = questions[i];
        memcpy(q.label, rig_host('a')->m->beacon.label, sizeof q.label);
        mdns_put_query(&b, &(struct mdns_query){.questions = &q, .n_questions = 1});
        rig_inject('a', rig_address("fe80::7", MDNS_PORT), &b);
        rig_run(1500);
    }
    rig_expect("101057 a  \n"
               "102557 a  tell a1 120: srv txt 2\n"
               "104081 a  tell a1 120: txt srv 2\n"
               "105526 a  tell a1 120: 2\n");
}

TEST(mdns_answers_later, "where known answers go on in a second packet, the answer waits for it")
{
    settled();
    const char *label = (const char *)rig_host('a')->m->beacon.label;
    for (int round = 0; round < 2; round++) {
        struct buf b = BUF_INIT;
        struct mdns_question q = {.name = MDNS_NAME_SERVICE, .type = MDNS_PTR};
        mdns_put_query(&b, &(struct mdns_query){.questions = &q, .n_questions = 1});
        b.ptr[2] = 0x02; /* truncated */
        rig_inject('a', rig_address("fe80::7", MDNS_PORT), &b);
        rig_run(100);
        struct mdns_heard heard = {.ttl_s = 100};
        memcpy(heard.label, label, sizeof heard.label);
        mdns_put_query(&b, &(struct mdns_query){.heard = &heard, .n_heard = 1});
        rig_inject('a', rig_address(round ? "fe80::8" : "fe80::7", MDNS_PORT), &b);
        rig_run(2000);
    }
    rig_expect("103557 a  tell a1 120: ptr srv txt 2\n");
}

TEST(mdns_one_shots,
     "one-shot questions are answered to who is on the link, ten at once, ten a second")
{
    settled();
    inject_query('a', "198.51.100.1", 40000, MDNS_PTR, false, NULL);
    inject_query('a', "2001:db8::7", 40000, MDNS_PTR, false, NULL);
    rig_expect("");
    inject_query('a', "192.0.2.99", 40000, MDNS_PTR, false, NULL);
    rig_expect("101000 a  tell a1 10: ptr srv txt 2 to 192.0.2.99\n");
    struct mdns_stats before, after;
    mdns_stats(rig_host('a')->m, &before);
    CHECK_EQ(before.dropped, 2);
    for (int i = 0; i < 25; i++)
        inject_query('a', "fe80::7", 40000, MDNS_PTR, false, NULL);
    mdns_stats(rig_host('a')->m, &after);
    CHECK_EQ(after.sent - before.sent, 9);
    rig_run(1000);
    for (int i = 0; i < 25; i++)
        inject_query('a', "fe80::7", 40000, MDNS_PTR, false, NULL);
    mdns_stats(rig_host('a')->m, &after);
    CHECK_EQ(after.sent - before.sent, 19);
    CHECK_EQ(after.unsolicited, before.unsolicited);
}

/* ---- days ---- */

enum {
    WINDOW = 6,     /* bytes that two days may not share... */
    CORE = 3,       /* ...unless so many of them in a row belong to the protocol: what */
    STRANGERS = 24, /* some of these machines say too, */
    ENOUGH = 4,     /* at least so many */
};

/* Every run of so many bytes in some packets, ascending. */
struct windows {
    uint64_t *keys;
    size_t n;
};

static int compare_keys(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static bool contains(const struct windows *w, uint64_t key)
{
    return bsearch(&key, w->keys, w->n, sizeof key, compare_keys) != NULL;
}

/* Leaves what is there at least so many times, once. */
static void keep_frequent(struct windows *w, size_t least)
{
    qsort(w->keys, w->n, sizeof *w->keys, compare_keys);
    size_t kept = 0;
    for (size_t i = 0, end; i < w->n; i = end) {
        for (end = i; end < w->n && w->keys[end] == w->keys[i];)
            end++;
        if (end - i >= least)
            w->keys[kept++] = w->keys[i];
    }
    w->n = kept;
}

/* The windows of packets as they stand in rig.sent. */
static struct windows windows_of(struct slice packets, size_t len)
{
    struct windows w = {malloc((packets.len + 1) * sizeof *w.keys), 0};
    CHECK(w.keys != NULL);
    for (struct reader r = reader_of(packets); r.rest.len > 0;) {
        struct slice packet = reader_bytes(&r, reader_u16be(&r));
        CHECK_EQ(r.error, 0);
        for (size_t i = 0; i + len <= packet.len; i++) {
            uint64_t key = 0;
            for (size_t k = 0; k < len; k++)
                key = key << 8 | packet.ptr[i + k];
            w.keys[w.n++] = key;
        }
    }
    keep_frequent(&w, 1);
    return w;
}

/* A day's window that is the protocol, and a few bytes beside it. */
static bool is_protocol(const struct windows *cores, uint64_t key)
{
    for (size_t i = 0; i <= WINDOW - CORE; i++)
        if (contains(cores, key >> (8 * i) & (((uint64_t)1 << (8 * CORE)) - 1)))
            return true;
    return false;
}

/* Somebody asks in every way, so that a says everything that it ever says. */
static void provoke(void)
{
    inject_query('a', "fe80::7", MDNS_PORT, MDNS_PTR, false, NULL);
    inject_query('a', "fe80::7", 40000, MDNS_PTR, false, NULL);
    rig_run(2000);
}

/* One more hour of a's life, from 192.0.2.10; with a friend, once an invite is made in it. */
static void live_an_hour(bool invites)
{
    provoke();
    if (invites) {
        rig_host('a')->groups = rig_host('a')->groups[1] ? "x" : "xi";
        mdns_set_tags(rig_host('a')->m, rig.now);
    }
    rig_run(3600 * 1000 - 2000);
}

/* What many machines at one address say. */
static struct windows protocol(void)
{
    struct windows all = {0};
    for (unsigned seed = 1; seed <= STRANGERS; seed++) {
        rig_start();
        rig.quiet = true;
        rig.seed = seed;
        rig_add('a', "s");
        rig_up('a', "192.0.2.10");
        live_an_hour(false);
        mdns_goodbye(rig_host('a')->m, rig.now);
        rig_drain('a');
        struct windows one = windows_of(buf_slice(&rig.sent), CORE);
        all.keys = realloc(all.keys, (all.n + one.n) * sizeof *all.keys);
        CHECK(all.keys != NULL);
        memcpy(all.keys + all.n, one.keys, one.n * sizeof *one.keys);
        all.n += one.n;
        free(one.keys);
    }
    keep_frequent(&all, ENOUGH);
    return all;
}

/* Lives on until the label is another; returns what was sent under the one before, the goodbye
   included. */
static struct buf live_a_day(bool connected)
{
    struct buf day = BUF_INIT;
    uint8_t label[RAPPORT_LABEL_BYTES];
    memcpy(label, rig_host('a')->m->beacon.label, sizeof label);
    rapport_time_ms start = rig.now;
    for (unsigned hour = 0; memcmp(label, rig_host('a')->m->beacon.label, sizeof label) == 0;) {
        if (rig.now >= start + hour * 3600 * 1000) {
            provoke();
            if (++hour == 5 && connected) {
                rig_host('a')->groups = "xi"; /* an invite */
                mdns_set_tags(rig_host('a')->m, rig.now);
            }
        }
        rig_run(rig_next() - rig.now);
        CHECK(rig.now <= start + MDNS_LABEL_MS);
    }
    rig_host('a')->groups = "x";
    buf_append_slice(&day, buf_slice(&rig.sent));
    buf_reset(&rig.sent);
    return day;
}

static void check_days(bool connected)
{
    struct windows cores = protocol();
    rig_start();
    rig.quiet = true;
    rig.seed = 4711;
    rig_add('a', "x");
    if (connected)
        mdns_set_peers(rig_host('a')->m, rig.now, MDNS_ENOUGH_PEERS);
    rig_up('a', "192.0.2.10");
    rig_run(200);
    struct buf one = live_a_day(connected), two = live_a_day(connected);
    struct windows first = windows_of(buf_slice(&one), WINDOW);
    struct windows second = windows_of(buf_slice(&two), WINDOW);
    size_t shared = 0, linking = 0;
    for (size_t i = 0; i < first.n; i++) {
        bool both = contains(&second, first.keys[i]);
        shared += both;
        if (both && !is_protocol(&cores, first.keys[i])) {
            fprintf(stderr, "%012" PRIx64 " is in both days\n", first.keys[i]);
            linking++;
        }
    }
    printf("%zu and %zu bytes; %zu and %zu windows, %zu in both\n", one.len, two.len, first.n,
           second.n, shared);
    CHECK(shared > 100); /* it is the protocol that they share */
    CHECK_EQ(linking, 0);
    buf_clear(&one);
    buf_clear(&two);
    free(cores.keys);
    free(first.keys);
    free(second.keys);
}

TEST(mdns_days, "two days share nothing but the protocol and the addresses, alone and connected")
{
    check_days(false);
    check_days(true);
}

TEST(mdns_secrets, "nothing that is said holds the seed or part of it, and an hour's tags are new")
{
    rig_start();
    rig.quiet = true;
    rig_add('a', "x");
    rig_up('a', NULL);
    struct rapport_beacon before = {0};
    for (int i = 0; i < 8; i++) {
        live_an_hour(true);
        struct rapport_beacon now = rig_host('a')->m->beacon;
        for (size_t k = 0; k < RAPPORT_TAGS; k++)
            CHECK(memcmp(now.tags[k], before.tags[k], sizeof now.tags[k]) != 0);
        before = now;
    }
    struct slice sent = buf_slice(&rig.sent);
    CHECK(memmem(sent.ptr, sent.len, rig_host('a')->m->config.seed + 1, 6) == NULL);
}

TEST(mdns_unused_slots,
     "new tags within an epoch change every slot and the salt: none tells what it is")
{
    settled();
    struct rapport_beacon before = rig_host('a')->m->beacon;
    mdns_set_tags(rig_host('a')->m, rig.now); /* nothing changed */
    mdns_tick(rig_host('a')->m, rig.now, rig_wall());
    CHECK(memcmp(&before, &rig_host('a')->m->beacon, sizeof before) == 0);
    rig_host('a')->groups = "xi";
    mdns_set_tags(rig_host('a')->m, rig.now);
    mdns_tick(rig_host('a')->m, rig.now, rig_wall());
    struct rapport_beacon after = rig_host('a')->m->beacon;
    CHECK(memcmp(before.label, after.label, sizeof after.label) == 0);
    CHECK(memcmp(before.salt, after.salt, sizeof after.salt) != 0);
    for (size_t k = 0; k < RAPPORT_TAGS; k++)
        CHECK(memcmp(before.tags[k], after.tags[k], sizeof after.tags[k]) != 0);
}
