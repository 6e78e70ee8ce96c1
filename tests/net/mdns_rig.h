/*
 * mdns_rig.h - some machines on one simulated LAN, in virtual time, and a trace of what is said and
 * found. Machines are a, b, c ...; their instances a1, a2 (the second label of a) and so on.
 *
 *     time  who  what
 *     1000  a!   ask ptr, one-shot          ! unsolicited
 *     1063  a!   probe a1: srv txt 2        records by type, number of addresses
 *     1064  b    found a1 fe80::a
 *     1100  b    tell a1 120: ptr srv txt 2
 */
#ifndef TESTS_NET_MDNS_RIG_H
#define TESTS_NET_MDNS_RIG_H

#include <arpa/inet.h>
#include <sodium/crypto_generichash.h>
#include <stdlib.h>

#include "base/buf.h"
#include "net/mdns_packet.h"
#include "net/mdns_parts.h"
#include "test.h"

enum {
    RIG_HOSTS = 4,
    RIG_LINKS = 2,
    RIG_FLIGHT_MS = 1,
    RIG_FLYING = 64,
    RIG_LABELS = 64,
    RIG_PORT = 7171,
    RIG_EPHEMERAL = 40000,
    RIG_IFINDEX = 3,
};

#define RIG_WALL_MS 1675500000000u /* 2023-02-04 08:40 UTC, the start of a tag epoch */

struct host {
    char name;
    struct mdns *m;
    const char *groups; /* one letter each; "": in none */
    bool deaf;          /* gets no multicast: 5353 is somebody else's */
    bool walled;        /* gets no unicast: a firewall */
};

struct flying {
    rapport_time_ms at;
    char from, to; /* to: 0 everybody */
    uint32_t link;
    bool one_shot; /* comes from, or goes to, the ephemeral port */
    size_t len;
    uint8_t bytes[OUT_BYTES];
};

struct label_name {
    uint8_t label[RAPPORT_LABEL_BYTES];
    char host;
    unsigned number;
};

static struct {
    struct host hosts[RIG_HOSTS];
    rapport_time_ms now;
    struct flying flying[RIG_FLYING];
    size_t n_flying;
    struct label_name labels[RIG_LABELS];
    size_t n_labels;
    struct buf trace, sent; /* sent: what a sent, each packet behind its length (2 bytes) */
    bool quiet;             /* no trace */
    enum mdns_mode mode;
    unsigned seed; /* another one: other machines */
} rig;

/* ---- tags ---- */

/* The tags that a node would make, with one letter for the key. */
static inline void rig_tag(char group, uint64_t epoch, const struct rapport_beacon *b, uint8_t *out)
{
    uint8_t in[1 + 8 + RAPPORT_SALT_BYTES + RAPPORT_LABEL_BYTES + 2] = {(uint8_t)group};
    memcpy(in + 1, &epoch, 8);
    memcpy(in + 9, b->salt, sizeof b->salt);
    memcpy(in + 9 + sizeof b->salt, b->label, sizeof b->label);
    in[sizeof in - 2] = (uint8_t)(b->port >> 8);
    in[sizeof in - 1] = (uint8_t)b->port;
    uint8_t hash[16];
    crypto_generichash(hash, sizeof hash, in, sizeof in, NULL, 0);
    memcpy(out, hash, RAPPORT_TAG_BYTES);
}

static inline size_t rig_tags(void *user, uint64_t wall_ms, struct rapport_beacon *b)
{
    const struct host *h = user;
    size_t n = strlen(h->groups);
    for (size_t i = 0; i < n; i++)
        rig_tag(h->groups[i], wall_ms / EPOCH_MS, b, b->tags[i]);
    return n;
}

static inline bool rig_knows(void *user, uint64_t wall_ms, const struct rapport_beacon *b)
{
    const struct host *h = user;
    uint8_t tag[RAPPORT_TAG_BYTES];
    for (const char *g = h->groups; *g; g++) {
        for (uint64_t e = wall_ms / EPOCH_MS - 1; e <= wall_ms / EPOCH_MS + 1; e++) {
            rig_tag(*g, e, b, tag);
            for (size_t i = 0; i < RAPPORT_TAGS; i++)
                if (memcmp(tag, b->tags[i], sizeof tag) == 0)
                    return true;
        }
    }
    return false;
}

/* ---- addresses and names ---- */

static inline struct rapport_address rig_address(const char *text, uint16_t port)
{
    struct rapport_address a = {.family = strchr(text, ':') ? 6 : 4, .port = port};
    CHECK_EQ(inet_pton(a.family == 4 ? AF_INET : AF_INET6, text, a.bytes), 1);
    if (address_is_link_local(&a) && a.family == 6)
        a.scope = RIG_IFINDEX;
    return a;
}

/* fe80::a for a. */
static inline struct rapport_address rig_host_address(char host, uint16_t port)
{
    char text[] = "fe80::?";
    text[sizeof text - 2] = host;
    return rig_address(text, port);
}

static inline const char *rig_show(const struct rapport_address *a)
{
    static char text[INET6_ADDRSTRLEN];
    inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->bytes, text, sizeof text);
    return text;
}

/* "a2" for the second label that a showed. */
static inline const char *rig_name(const uint8_t *label, char host)
{
    static char text[16];
    unsigned number = 1;
    for (size_t i = 0; i < rig.n_labels; i++) {
        struct label_name *l = &rig.labels[i];
        if (memcmp(l->label, label, sizeof l->label) == 0) {
            snprintf(text, sizeof text, "%c%u", l->host, l->number);
            return text;
        }
        number += l->host == host;
    }
    CHECK(host && rig.n_labels < RIG_LABELS);
    struct label_name *l = &rig.labels[rig.n_labels++];
    *l = (struct label_name){.host = host, .number = number};
    memcpy(l->label, label, sizeof l->label);
    return rig_name(label, host);
}

static inline struct host *rig_host(char name)
{
    return &rig.hosts[name - 'a'];
}

/* ---- the trace ---- */

static inline void rig_describe_records(struct buf *out, struct slice packet, char host)
{
    struct mdns_parser p;
    struct mdns_item item;
    size_t n_addresses = 0;
    bool first = true;
    mdns_parse_start(&p, packet);
    while (mdns_parse_next(&p, &item)) {
        if (item.section == MDNS_QUESTIONS)
            continue;
        if (!p.is_response && item.section == MDNS_ANSWERS) {
            buf_printf(out, ", knows %s", rig_name(item.label, host));
            continue;
        }
        if (first && p.is_response)
            buf_printf(out, "tell %s %u:", rig_name(item.label, host), (unsigned)item.ttl_s);
        else if (first)
            buf_printf(out, "probe %s:", rig_name(item.label, host));
        first = false;
        if (item.type == MDNS_A || item.type == MDNS_AAAA)
            n_addresses++;
        else
            buf_append_str(out, item.type == MDNS_PTR   ? " ptr"
                                : item.type == MDNS_SRV ? " srv"
                                                        : " txt");
    }
    CHECK_EQ(p.error, 0);
    if (n_addresses)
        buf_printf(out, " %zu", n_addresses);
}

static inline void rig_describe(struct buf *out, struct slice packet, char host)
{
    struct mdns_parser p;
    struct mdns_item item;
    CHECK_EQ(mdns_parse_start(&p, packet), 0);
    bool is_probe = p.left[MDNS_AUTHORITY] > 0;
    while (!p.is_response && !is_probe && mdns_parse_next(&p, &item)) {
        if (item.section != MDNS_QUESTIONS)
            continue;
        buf_append_str(out, out->ptr[out->len - 1] == ' ' ? "ask " : ", ");
        buf_append_str(out, item.type == MDNS_PTR    ? "ptr"
                            : item.type == MDNS_SRV  ? "srv"
                            : item.type == MDNS_TXT  ? "txt"
                            : item.type == MDNS_AAAA ? "aaaa"
                                                     : "a");
        if (item.name == MDNS_NAME_INSTANCE || item.name == MDNS_NAME_HOST)
            buf_printf(out, " %s", rig_name(item.label, host));
    }
    rig_describe_records(out, packet, host);
}

static inline void rig_note(char host, bool unsolicited)
{
    if (!rig.quiet)
        buf_printf(&rig.trace, "%6u %c%c ", (unsigned)rig.now, host, unsolicited ? '!' : ' ');
}

static inline void rig_note_packet(char host, const struct mdns_packet *p, bool unsolicited)
{
    if (rig.quiet)
        return;
    rig_note(host, unsolicited);
    rig_describe(&rig.trace, slice_of(p->bytes, p->len), host);
    if (p->one_shot)
        buf_append_str(&rig.trace, ", one-shot");
    if (p->unicast)
        buf_printf(&rig.trace, " to %s", rig_show(&p->to));
    buf_append_str(&rig.trace, "\n");
}

/* ---- the LAN ---- */

static inline void rig_fly(char host, const struct mdns_packet *p)
{
    CHECK(rig.n_flying < RIG_FLYING && p->len <= OUT_BYTES);
    struct flying *f = &rig.flying[rig.n_flying++];
    *f = (struct flying){.at = rig.now + RIG_FLIGHT_MS,
                         .from = host,
                         .link = p->link,
                         .one_shot = p->one_shot,
                         .len = p->len};
    memcpy(f->bytes, p->bytes, p->len);
    if (p->unicast) {
        f->to = (char)p->to.bytes[15];
        f->to = (char)('a' + (f->to & 15) - 10);
        f->one_shot = p->to.port != MDNS_PORT;
    }
}

/* Takes what the engine has to say. */
static inline void rig_drain(char host)
{
    struct host *h = rig_host(host);
    struct mdns_packet p;
    struct mdns_found f;
    struct mdns_stats before, after;
    for (mdns_stats(h->m, &before); mdns_next_packet(h->m, &p); before = after) {
        mdns_stats(h->m, &after);
        rig_note_packet(host, &p, after.unsolicited > before.unsolicited);
        if (host == 'a') {
            buf_u16be(&rig.sent, (uint16_t)p.len);
            buf_append(&rig.sent, p.bytes, p.len);
        }
        rig_fly(host, &p);
    }
    while (mdns_next_found(h->m, &f)) {
        const char *who = "?";
        for (size_t i = 0; i < rig.n_labels; i++)
            if (mdns_hash(h->m, rig.labels[i].label, RAPPORT_LABEL_BYTES) == f.who)
                who = rig_name(rig.labels[i].label, 0);
        rig_note(host, false);
        if (!rig.quiet)
            buf_printf(&rig.trace, "%s %s %s\n", f.lost ? "lost" : "found", who,
                       rig_show(&f.address));
    }
}

static inline uint64_t rig_wall(void)
{
    return RIG_WALL_MS + rig.now;
}

static inline void rig_land(const struct flying *f)
{
    for (char name = 'a'; name < 'a' + RIG_HOSTS; name++) {
        struct host *h = rig_host(name);
        if (!h->m || (f->to ? f->to != name || h->walled : h->deaf))
            continue;
        uint16_t port = f->one_shot && !f->to ? RIG_EPHEMERAL : MDNS_PORT;
        struct mdns_arrival arrival = {
            .link = f->link, .unicast = f->to != 0, .source = rig_host_address(f->from, port)};
        uint8_t *copy = malloc(f->len); /* so that a sanitizer sees a read past it */
        memcpy(copy, f->bytes, f->len);
        arrival.bytes = slice_of(copy, f->len);
        mdns_receive(h->m, rig.now, rig_wall(), &arrival);
        free(copy);
        rig_drain(name);
    }
}

static inline rapport_time_ms rig_next(void)
{
    rapport_time_ms next = MDNS_NEVER;
    for (size_t i = 0; i < rig.n_flying; i++)
        next = rig.flying[i].at < next ? rig.flying[i].at : next;
    for (size_t i = 0; i < RIG_HOSTS; i++)
        if (rig.hosts[i].m && mdns_deadline(rig.hosts[i].m) < next)
            next = mdns_deadline(rig.hosts[i].m);
    return next;
}

/* Everything that is due at this moment. */
static inline void rig_turn(void)
{
    for (size_t i = 0; i < rig.n_flying;) {
        struct flying f = rig.flying[i];
        if (f.at > rig.now) {
            i++;
            continue;
        }
        memmove(&rig.flying[i], &rig.flying[i + 1], (--rig.n_flying - i) * sizeof f);
        rig_land(&f);
    }
    for (char name = 'a'; name < 'a' + RIG_HOSTS; name++) {
        struct host *h = rig_host(name);
        if (!h->m || mdns_deadline(h->m) > rig.now)
            continue;
        mdns_tick(h->m, rig.now, rig_wall());
        rig_drain(name);
        if (mdns_deadline(h->m) <= rig.now)
            test_fail(__FILE__, __LINE__, "%c is due again at once, at %u", name,
                      (unsigned)rig.now);
    }
}

/* Lets so much time pass. */
static inline void rig_run(rapport_time_ms ms)
{
    rapport_time_ms end = rig.now + ms;
    for (rapport_time_ms next = rig_next(); next <= end; next = rig_next()) {
        rig.now = next > rig.now ? next : rig.now;
        rig_turn();
    }
    rig.now = end;
}

/* ---- machines ---- */

/* An empty LAN; the clock begins at 1000. */
static inline void rig_start(void)
{
    for (size_t i = 0; i < RIG_HOSTS; i++)
        mdns_destroy(rig.hosts[i].m);
    buf_clear(&rig.trace);
    buf_clear(&rig.sent);
    memset(&rig, 0, sizeof rig);
    rig.now = 1000;
    rig.mode = MDNS_ACTIVE;
}

/* A machine without links, in these groups, listening. */
static inline struct mdns *rig_add(char name, const char *groups)
{
    struct host *h = rig_host(name);
    *h = (struct host){.name = name, .groups = groups};
    struct mdns_config config = {.mode = rig.mode, .user = h, .tags = rig_tags, .knows = rig_knows};
    memset(config.seed, name, sizeof config.seed);
    config.seed[0] ^= (uint8_t)rig.seed;
    CHECK_EQ(mdns_create(&config, &h->m), 0);
    mdns_set_port(h->m, rig.now, RIG_PORT);
    return h->m;
}

/* The machine is gone without a word. */
static inline void rig_remove(char name)
{
    mdns_destroy(rig_host(name)->m);
    rig_host(name)->m = NULL;
}

/* Its link comes up with fe80::NAME and, if `more`, that address too. */
static inline void rig_up(char name, const char *more)
{
    struct mdns_link link = {.id = 1, .ifindex = RIG_IFINDEX, .family = 6, .n_own = 1};
    link.own[0] = rig_host_address(name, 0);
    link.prefix[0] = 64;
    if (more) {
        link.own[1] = rig_address(more, 0);
        link.prefix[1] = link.own[1].family == 4 ? 24 : 64;
        link.n_own = 2;
    }
    CHECK_EQ(mdns_link_up(rig_host(name)->m, rig.now, &link), 0);
    rig_drain(name);
}

/* A packet from somebody else reaches the machine's link 1. Frees it. */
static inline void rig_inject(char name, struct rapport_address source, struct buf *packet)
{
    struct host *h = rig_host(name);
    struct mdns_arrival arrival = {.link = 1, .source = source, .bytes = buf_slice(packet)};
    mdns_receive(h->m, rig.now, rig_wall(), &arrival);
    rig_drain(name);
    buf_clear(packet);
}

/* A session between two machines begins or ends. */
static inline void rig_session(char name, char other, bool connected)
{
    struct rapport_address a = rig_host_address(other, RIG_PORT);
    struct mdns *m = rig_host(name)->m;
    mdns_connected(m, rig.now, &a, connected);
    mdns_set_peers(m, rig.now, connected ? 1 : 0);
    rig_drain(name);
}

/* Compares the trace since the last call. */
static inline void rig_expect(const char *expected)
{
    const char *is = rig.trace.len ? buf_cstr(&rig.trace) : "";
    if (strcmp(is, expected) != 0)
        fprintf(stderr, "the trace is\n%s", is);
    CHECK_STR(is, expected);
    buf_reset(&rig.trace);
}

/* Packets of a machine that nobody asked for. */
static inline uint64_t rig_unsolicited(char name)
{
    struct mdns_stats s;
    mdns_stats(rig_host(name)->m, &s);
    return s.unsolicited;
}

#endif
