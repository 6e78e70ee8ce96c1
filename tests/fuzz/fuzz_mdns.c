/*
 * fuzz_mdns.c - any bytes as packets on a LAN: the reader, and an engine that hears them.
 *
 * The input as a whole goes to the reader. For the engine it is a row of packets, each behind a
 * byte that says how it comes (below) and its length in two. Every tag with an even first byte is
 * one of ours.
 *
 * Held: what the reader gives is in its bounds and nothing follows an error; the cache stays within
 * its limit; what the engine says is a packet that its own reader takes and that fits a link, and
 * there are few of them; what it finds can be dialled; it is never due again at once.
 */
#include <assert.h>
#include <stdlib.h>

#include "net/address.h"
#include "net/mdns_packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    MOST_PACKET_OUT = 1400,
    MOST_OUT = 16, /* packets and candidates after one packet came */
    BY_UNICAST = 1,
    BY_OTHER_PORT = 2,
    FROM_FAR = 4,
    FROM_US = 8,
    ON_IPV4 = 16,
    TICK_FIRST = 32,
    A_MINUTE_LATER = 64,
    SOMETHING_CHANGED = 128,
};

static rapport_time_ms now;

static size_t tags(void *user, uint64_t wall_ms, struct rapport_beacon *beacon)
{
    (void)user;
    memset(beacon->tags[0], 2 * (int)(wall_ms / 900000 % 100), sizeof beacon->tags[0]);
    return 1;
}

static bool knows(void *user, uint64_t wall_ms, const struct rapport_beacon *beacon)
{
    (void)user;
    (void)wall_ms;
    assert(beacon->port != 0);
    return beacon->tags[0][0] % 2 == 0;
}

static void check_reader(struct slice bytes)
{
    struct mdns_parser p;
    struct mdns_item item;
    size_t n = 0;
    mdns_parse_start(&p, bytes);
    for (; mdns_parse_next(&p, &item); n++) {
        assert(item.name != MDNS_NAME_OTHER && item.section <= MDNS_ADDITIONAL);
        for (size_t i = 0; item.type == MDNS_SRV && item.section && i < RAPPORT_LABEL_BYTES; i++)
            assert(item.label[i] >= '2' && item.label[i] <= 'z' && item.port);
    }
    assert(n <= bytes.len / 5 && !mdns_parse_next(&p, &item));
    assert(p.error == mdns_parse_check(bytes));
}

static void drain(struct mdns *m)
{
    struct mdns_packet packet;
    struct mdns_found found;
    struct mdns_stats stats;
    size_t n = 0;
    for (; mdns_next_packet(m, &packet); n++) {
        assert(packet.len > 0 && packet.len <= MOST_PACKET_OUT && n < MOST_OUT);
        assert(mdns_parse_check(slice_of(packet.bytes, packet.len)) == 0);
    }
    for (n = 0; mdns_next_found(m, &found); n++) {
        assert(n < 4 * MOST_OUT * MDNS_MOST_ADDRESSES && found.who && found.address.port);
        assert(!address_is_loopback(&found.address) && !address_is_unspecified(&found.address));
    }
    mdns_stats(m, &stats);
    assert(stats.n_instances <= MDNS_MOST_INSTANCES && stats.n_known <= stats.n_instances);
}

static void tick(struct mdns *m)
{
    if (mdns_deadline(m) > now && mdns_deadline(m) != UINT64_MAX)
        now = mdns_deadline(m);
    mdns_tick(m, now, now);
    drain(m);
    assert(mdns_deadline(m) > now);
}

static void change(struct mdns *m, uint8_t how)
{
    struct rapport_address peer = {.family = 6, .bytes = {0xfe, 0x80, [15] = 9}, .port = 7171};
    switch (how % 6) {
    case 0:
        mdns_restart(m, now);
        break;
    case 1:
        mdns_set_tags(m, now);
        break;
    case 2:
        mdns_set_port(m, now, how);
        break;
    case 3:
        mdns_connected(m, now, &peer, how & 8);
        break;
    case 4:
        mdns_set_peers(m, now, how & 15);
        break;
    case 5:
        mdns_link_down(m, now, 2);
        break;
    }
    drain(m);
}

static void hear(struct mdns *m, uint8_t how, struct slice bytes)
{
    struct mdns_arrival arrival = {
        .link = how & ON_IPV4 ? 2 : 1,
        .unicast = how & BY_UNICAST,
        .source = {.family = 6, .bytes = {0xfe, 0x80, [15] = 9}, .port = MDNS_PORT},
        .bytes = bytes};
    if (how & FROM_FAR)
        arrival.source.bytes[0] = 0x20;
    if (how & FROM_US)
        arrival.source.bytes[15] = 1;
    if (how & BY_OTHER_PORT)
        arrival.source.port = 40000;
    now += how & A_MINUTE_LATER ? 60000 : 20;
    if (how & TICK_FIRST)
        tick(m);
    if (how & SOMETHING_CHANGED)
        change(m, bytes.len ? bytes.ptr[0] : 0);
    mdns_receive(m, now, now, &arrival);
    drain(m);
}

static struct mdns *engine(void)
{
    struct mdns *m = NULL;
    struct mdns_config config = {.mode = MDNS_ACTIVE, .tags = tags, .knows = knows};
    if (mdns_create(&config, &m))
        abort();
    now = 1000;
    mdns_set_port(m, now, 7171);
    for (uint32_t id = 1; id <= 2; id++) {
        struct mdns_link link = {.id = id, .ifindex = 3, .family = id == 1 ? 6 : 4, .n_own = 2};
        link.own[0] = (struct rapport_address){.family = 6, .bytes = {0xfe, 0x80, [15] = 1}};
        link.own[1] = (struct rapport_address){.family = 4, .bytes = {192, 0, 2, 1}};
        link.prefix[0] = 64;
        link.prefix[1] = 24;
        mdns_link_up(m, now, &link);
    }
    drain(m);
    return m;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_reader(slice_of(data, size));
    struct mdns *m = engine();
    for (struct reader r = reader_of(slice_of(data, size)); r.rest.len > 0 && !r.error;) {
        uint8_t how = reader_u8(&r);
        size_t len = reader_u16be(&r);
        hear(m, how, reader_bytes(&r, len < r.rest.len ? len : r.rest.len));
    }
    for (int i = 0; i < 8; i++)
        tick(m);
    mdns_goodbye(m, now);
    drain(m);
    mdns_destroy(m);
    return 0;
}
