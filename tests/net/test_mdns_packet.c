/* Packets of multicast DNS: what we write, and what the reader takes, skips and refuses. */
#include <stdlib.h>

#include "base/hex.h"
#include "mdns_frozen.h"
#include "net/address.h"
#include "net/mdns_packet.h"
#include "test.h"

#define LABEL "abcdefghijklmnop"

enum {
    HEADER = 12,
    IN = 1
};

static struct rapport_beacon beacon(void)
{
    struct rapport_beacon b = {.port = 7171};
    memcpy(b.label, LABEL, sizeof b.label);
    for (uint8_t i = 0; i < sizeof b.salt; i++)
        b.salt[i] = (uint8_t)(i + 1);
    for (uint8_t i = 0; i < RAPPORT_TAGS; i++)
        memset(b.tags[i], 0x11 * (i + 1), sizeof b.tags[i]);
    return b;
}

static const struct rapport_beacon *the_beacon(void)
{
    static struct rapport_beacon b;
    b = beacon();
    return &b;
}

/* fe80::7, 2001:db8::7, 192.0.2.7 */
static struct mdns_own own(void)
{
    static const struct rapport_address addresses[] = {
        {.family = 6, .bytes = {0xfe, 0x80, [15] = 7}},
        {.family = 6, .bytes = {0x20, 0x01, 0x0d, 0xb8, [15] = 7}},
        {.family = 4, .bytes = {192, 0, 2, 7}},
    };
    return (struct mdns_own){the_beacon(), addresses, 3};
}

static struct buf announcement(void)
{
    struct buf b = BUF_INIT;
    struct mdns_own o = own();
    mdns_put_response(&b, &o,
                      &(struct mdns_response){.answers = MDNS_HAS_INSTANCE, .ttl_s = MDNS_TTL_S});
    return b;
}

static struct buf query(void)
{
    struct buf b = BUF_INIT;
    struct mdns_question q = {.name = MDNS_NAME_SERVICE, .type = MDNS_PTR};
    struct mdns_heard heard = {LABEL, 90};
    mdns_put_query(&b, &(struct mdns_query){&q, 1, &heard, 1});
    return b;
}

/* ---- packets by hand ---- */

/* "a.b" as a name, without its end. */
static void put_labels(struct buf *b, const char *dotted)
{
    while (*dotted) {
        size_t n = strcspn(dotted, ".");
        buf_u8(b, (uint8_t)n);
        buf_append(b, dotted, n);
        dotted += n + (dotted[n] == '.');
    }
}

static void put_name(struct buf *b, const char *dotted)
{
    put_labels(b, dotted);
    buf_u8(b, 0);
}

static void put_pointer(struct buf *b, size_t at)
{
    buf_u16be(b, (uint16_t)(0xc000 | at));
}

static struct buf packet(unsigned flags, unsigned questions, unsigned answers)
{
    struct buf b = BUF_INIT;
    buf_u16be(&b, 0);
    buf_u16be(&b, (uint16_t)flags);
    buf_u16be(&b, (uint16_t)questions);
    buf_u16be(&b, (uint16_t)answers);
    buf_u32be(&b, 0);
    return b;
}

/* Type, class, TTL and data behind a name. */
static void put_data(struct buf *b, unsigned type, const void *data, size_t len)
{
    buf_u16be(b, (uint16_t)type);
    buf_u16be(b, IN);
    buf_u32be(b, 120);
    buf_u16be(b, (uint16_t)len);
    buf_append(b, data, len);
}

/* A response with one record. */
static struct buf one(const char *name, unsigned type, const void *data, size_t len)
{
    struct buf b = packet(0x8400, 0, 1);
    put_name(&b, name);
    put_data(&b, type, data, len);
    return b;
}

/* How many items concern us; negative: what is wrong. Frees the packet. */
static int read_all(struct buf *b)
{
    uint8_t *copy = malloc(b->len ? b->len : 1); /* of its exact size, for the sanitizer */
    if (b->len)
        memcpy(copy, b->ptr, b->len);
    struct mdns_parser p;
    struct mdns_item item;
    int n = 0;
    mdns_parse_start(&p, slice_of(copy, b->len));
    while (mdns_parse_next(&p, &item))
        n++;
    int check = mdns_parse_check(slice_of(copy, b->len));
    free(copy);
    buf_clear(b);
    CHECK_EQ(check, p.error);
    return p.error ? p.error : n;
}

/* ---- what we write ---- */

static void check_frozen(struct buf b, const char *hex)
{
    char text[2 * 1024];
    CHECK(b.len * 2 < sizeof text && !buf_error(&b));
    hex_encode(text, b.ptr, b.len);
    buf_clear(&b);
    CHECK_STR(text, hex);
}

TEST(mdns_frozen, "an announcement and a question are the bytes of the protocol page")
{
    check_frozen(announcement(), FROZEN_ANNOUNCEMENT);
    check_frozen(query(), FROZEN_QUERY);
}

static void check_item(struct mdns_parser *p, enum mdns_section section, enum mdns_type type,
                       struct mdns_item *item)
{
    CHECK(mdns_parse_next(p, item));
    CHECK_EQ(item->section, section);
    CHECK_EQ(item->type, type);
    CHECK_BYTES(item->label, sizeof item->label, LABEL, RAPPORT_LABEL_BYTES);
}

/* SRV, TXT and three addresses with this TTL and cache-flush bit. */
static void check_records(struct mdns_parser *p, enum mdns_section section, uint32_t ttl_s,
                          bool flush)
{
    struct rapport_beacon b = beacon();
    struct mdns_own o = own();
    struct mdns_item item;
    check_item(p, section, MDNS_SRV, &item);
    CHECK_EQ(item.port, 7171);
    CHECK_EQ(item.flag, flush);
    check_item(p, section, MDNS_TXT, &item);
    CHECK_BYTES(item.salt, sizeof item.salt, b.salt, sizeof b.salt);
    CHECK_BYTES(item.tags, sizeof item.tags, b.tags, sizeof b.tags);
    for (size_t i = 0; i < o.n_addresses; i++) {
        check_item(p, section, o.addresses[i].family == 4 ? MDNS_A : MDNS_AAAA, &item);
        CHECK(address_equal(&item.address, &o.addresses[i]));
        CHECK_EQ(item.ttl_s, ttl_s);
        CHECK_EQ(item.flag, flush);
    }
}

TEST(mdns_round_trip, "what we write is read again: announcement, probe, question, one-shot answer")
{
    struct mdns_parser p;
    struct mdns_item item;
    struct mdns_own o = own();
    struct buf b = announcement();
    CHECK_EQ(mdns_parse_start(&p, buf_slice(&b)), 0);
    CHECK(p.is_response);
    check_item(&p, MDNS_ANSWERS, MDNS_PTR, &item);
    CHECK(!item.flag); /* others have this one too */
    check_records(&p, MDNS_ANSWERS, MDNS_TTL_S, true);
    CHECK(!mdns_parse_next(&p, &item));
    CHECK_EQ(p.error, 0);

    buf_reset(&b);
    mdns_put_probe(&b, &o);
    CHECK_EQ(mdns_parse_start(&p, buf_slice(&b)), 0);
    CHECK(!p.is_response);
    check_item(&p, MDNS_QUESTIONS, MDNS_ANY, &item);
    CHECK_EQ(item.name, MDNS_NAME_INSTANCE);
    check_item(&p, MDNS_QUESTIONS, MDNS_ANY, &item);
    CHECK_EQ(item.name, MDNS_NAME_HOST);
    check_records(&p, MDNS_AUTHORITY, MDNS_TTL_S, false);
    CHECK(!mdns_parse_next(&p, &item));

    buf_clear(&b);
    b = query();
    CHECK_EQ(mdns_parse_start(&p, buf_slice(&b)), 0);
    CHECK(mdns_parse_next(&p, &item));
    CHECK_EQ(item.name, MDNS_NAME_SERVICE);
    check_item(&p, MDNS_ANSWERS, MDNS_PTR, &item);
    CHECK_EQ(item.ttl_s, 90);

    struct mdns_question q = {.name = MDNS_NAME_SERVICE, .type = MDNS_PTR};
    buf_reset(&b);
    mdns_put_response(&b, &o,
                      &(struct mdns_response){.id = 4711,
                                              .one_shot = true,
                                              .questions = &q,
                                              .n_questions = 1,
                                              .answers = MDNS_HAS_PTR,
                                              .additional = MDNS_HAS_INSTANCE & ~MDNS_HAS_PTR,
                                              .ttl_s = MDNS_ONE_SHOT_TTL_S});
    CHECK_EQ(mdns_parse_start(&p, buf_slice(&b)), 0);
    CHECK_EQ(p.id, 4711);
    CHECK(mdns_parse_next(&p, &item));
    CHECK_EQ(item.section, MDNS_QUESTIONS);
    check_item(&p, MDNS_ANSWERS, MDNS_PTR, &item);
    check_records(&p, MDNS_ADDITIONAL, MDNS_ONE_SHOT_TTL_S, false);
    CHECK(!mdns_parse_next(&p, &item));
    CHECK_EQ(p.error, 0);
    buf_clear(&b);
}

TEST(mdns_sizes, "no packet of ours passes 1,232 bytes, what every IPv6 link carries in one piece")
{
    struct mdns_question questions[MDNS_MOST_ASKED];
    struct mdns_heard heard[MDNS_MOST_HEARD];
    for (size_t i = 0; i < MDNS_MOST_ASKED; i++) {
        questions[i] = (struct mdns_question){.name = MDNS_NAME_HOST, .type = MDNS_AAAA};
        memset(questions[i].label, 'a' + (int)(i % 26), sizeof questions[i].label);
    }
    for (size_t i = 0; i < MDNS_MOST_HEARD; i++)
        memset(heard[i].label, 'a' + (int)(i % 26), sizeof heard[i].label);
    struct buf b = BUF_INIT;
    mdns_put_query(&b, &(struct mdns_query){questions, MDNS_MOST_ASKED, NULL, 0});
    CHECK(b.len <= 1232);
    CHECK_EQ(mdns_parse_check(buf_slice(&b)), 0);
    buf_reset(&b);
    questions[0] = (struct mdns_question){.name = MDNS_NAME_SERVICE, .type = MDNS_PTR};
    mdns_put_query(&b, &(struct mdns_query){questions, 1, heard, MDNS_MOST_HEARD});
    CHECK(b.len <= 1232);
    CHECK_EQ(mdns_parse_check(buf_slice(&b)), 0);
    buf_clear(&b);
}

TEST(mdns_memory, "a writer without memory says so")
{
    struct mdns_own o = own();
    bool reached = true;
    for (long at = 0; reached; at++) {
        struct buf b = BUF_INIT;
        test_fail_allocation(at);
        mdns_put_probe(&b, &o);
        reached = test_allocation_failed();
        test_fail_allocation(-1);
        CHECK_EQ(buf_error(&b), reached ? RAPPORT_NOMEM : 0);
        buf_clear(&b);
    }
}

/* ---- what is refused ---- */

TEST(mdns_truncated, "a packet that is cut off anywhere is refused, and so is one that goes on")
{
    struct buf whole = announcement();
    for (size_t n = 0; n < whole.len; n++) {
        struct buf cut = BUF_INIT;
        buf_append(&cut, whole.ptr, n);
        if (read_all(&cut) >= 0)
            test_fail(__FILE__, __LINE__, "%zu of %zu bytes were taken", n, whole.len);
    }
    buf_u8(&whole, 0);
    CHECK_EQ(read_all(&whole), RAPPORT_MALFORMED);
}

TEST(mdns_headers, "only queries and responses without error are multicast DNS")
{
    static const struct {
        unsigned flags;
        int result;
    } rows[] = {
        {0x0000, 0},
        {0x8400, 0},
        {0x0200, 0}, /* truncated: known answers go on */
        {0x87f0, 0}, /* the other bits are not looked at */
        {0x0800, RAPPORT_MALFORMED},
        {0x8403, RAPPORT_MALFORMED},
        {0xf800, RAPPORT_MALFORMED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf b = packet(rows[i].flags, 0, 0);
        CHECK_EQ(read_all(&b), rows[i].result);
    }
}

TEST(mdns_counts, "counts that promise more than there is end the packet")
{
    struct buf b = packet(0x8400, 0, 65535);
    CHECK_EQ(read_all(&b), RAPPORT_TRUNCATED);
    b = packet(0x8400, 65535, 0);
    CHECK_EQ(read_all(&b), RAPPORT_TRUNCATED);
    b = one("a.local", 99, "", 0);
    b.ptr[7] = 2;
    CHECK_EQ(read_all(&b), RAPPORT_TRUNCATED);
    b = one("a.local", 99, "xyz", 3);
    b.ptr[b.len - 4] = 4;
    CHECK_EQ(read_all(&b), RAPPORT_TRUNCATED);
}

/* A question whose name is a pointer to `at`, behind one with the name of the service. */
static struct buf pointing(size_t at)
{
    struct buf b = packet(0, 2, 0);
    put_name(&b, "_rapport._tcp.local");
    buf_u16be(&b, MDNS_PTR);
    buf_u16be(&b, IN);
    put_pointer(&b, at);
    buf_u16be(&b, MDNS_PTR);
    buf_u16be(&b, IN);
    return b;
}

TEST(mdns_pointers, "a pointer goes strictly backwards, and not into the header")
{
    size_t here = HEADER + sizeof "_rapport._tcp.local" + 1 + 4;
    struct buf b = pointing(HEADER);
    CHECK_EQ(read_all(&b), 2);
    b = pointing(HEADER - 1);
    CHECK_EQ(read_all(&b), RAPPORT_MALFORMED);
    b = pointing(here); /* itself */
    CHECK_EQ(read_all(&b), RAPPORT_MALFORMED);
    b = pointing(here + 2);
    CHECK_EQ(read_all(&b), RAPPORT_MALFORMED);
    b = pointing(0x3fff);
    CHECK_EQ(read_all(&b), RAPPORT_MALFORMED);
    b = packet(0, 1, 0); /* label "a", then a pointer to before that label: a loop */
    put_labels(&b, "a");
    put_pointer(&b, HEADER);
    buf_u16be(&b, MDNS_PTR);
    buf_u16be(&b, IN);
    CHECK_EQ(read_all(&b), RAPPORT_MALFORMED);
    b = packet(0, 1, 0); /* 10...... and 01...... are no lengths */
    buf_u8(&b, 0x80);
    buf_append(&b, "\0\0\x0c\0\x01", 5);
    CHECK_EQ(read_all(&b), RAPPORT_MALFORMED);
}

/* So many pointers to pointers, ending at the service. */
static struct buf hopping(unsigned hops)
{
    struct buf b = packet(0, hops + 1, 0);
    size_t at = HEADER;
    put_name(&b, "_rapport._tcp.local");
    for (unsigned i = 0; i <= hops; i++) {
        if (i > 0) {
            size_t next = b.len;
            put_pointer(&b, at);
            at = next;
        }
        buf_u16be(&b, MDNS_PTR);
        buf_u16be(&b, IN);
    }
    return b;
}

/* A question for a name of so many bytes. */
static struct buf long_name(size_t bytes)
{
    struct buf b = packet(0, 1, 0);
    for (size_t left = bytes - 1; left > 0;) {
        size_t n = left > 64 ? 63 : left - 1;
        buf_u8(&b, (uint8_t)n);
        for (size_t i = 0; i < n; i++)
            buf_u8(&b, 'x');
        left -= n + 1;
    }
    buf_u8(&b, 0);
    buf_u16be(&b, MDNS_PTR);
    buf_u16be(&b, IN);
    return b;
}

/* A question whose name is long only through a pointer. */
static struct buf long_by_pointer(size_t bytes)
{
    struct buf b = long_name(200);
    b.ptr[5] = 2;
    for (size_t left = bytes - 200; left > 0;) {
        size_t n = left > 64 ? 63 : left - 1;
        buf_u8(&b, (uint8_t)n);
        for (size_t i = 0; i < n; i++)
            buf_u8(&b, 'y');
        left -= n + 1;
    }
    put_pointer(&b, HEADER);
    buf_u16be(&b, MDNS_PTR);
    buf_u16be(&b, IN);
    return b;
}

/* A record of no interest that fills the packet. */
static struct buf filled(size_t bytes)
{
    struct buf b = one("x", 99, "", 0);
    size_t n = bytes - b.len;
    b.ptr[b.len - 2] = (uint8_t)(n >> 8);
    b.ptr[b.len - 1] = (uint8_t)n;
    for (size_t i = 0; i < n; i++)
        buf_u8(&b, 0);
    return b;
}

/* A TXT record of ours with a string of a later version that makes it so long. */
static struct buf txt_of(size_t bytes)
{
    uint8_t data[MDNS_MOST_TXT + 1] =
        "\x03v=1\x0ds=AQIDBAUGBwg\x2dt=EREREREREREiIiIiIiIiIjMzMzMzMzMzREREREREREQ";
    size_t used = 4 + 14 + 46;
    CHECK(bytes > used && bytes <= sizeof data);
    data[used] = (uint8_t)(bytes - used - 1);
    return one(LABEL "._rapport._tcp.local", MDNS_TXT, data, bytes);
}

TEST(mdns_limits, "each limit is reached, and one more is refused or skipped")
{
    static const struct {
        struct buf (*make)(size_t n);
        size_t most;
        int at, past;
    } rows[] = {
        {filled, MDNS_MOST_PACKET, 0, RAPPORT_LIMIT},
        {long_name, MDNS_MOST_NAME, 0, RAPPORT_MALFORMED},
        {long_by_pointer, MDNS_MOST_NAME, 0, RAPPORT_LIMIT},
        {txt_of, MDNS_MOST_TXT, 1, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf b = rows[i].make(rows[i].most);
        CHECK_EQ(read_all(&b), rows[i].at);
        b = rows[i].make(rows[i].most + 1);
        CHECK_EQ(read_all(&b), rows[i].past);
    }
    struct buf b = hopping(MDNS_MOST_HOPS);
    CHECK_EQ(read_all(&b), MDNS_MOST_HOPS + 1);
    b = hopping(MDNS_MOST_HOPS + 1);
    CHECK_EQ(read_all(&b), RAPPORT_LIMIT);
}

TEST(mdns_data, "data of the wrong length makes the packet malformed")
{
    static const struct {
        const char *name;
        unsigned type;
        const char *data;
        size_t len;
        int result;
    } rows[] = {
        {LABEL ".local", MDNS_A, "\xc0\0\x02\x01", 4, 1},
        {LABEL ".local", MDNS_A, "\xc0\0\x02", 3, RAPPORT_TRUNCATED},
        {LABEL ".local", MDNS_A, "\xc0\0\x02\x01\0", 5, RAPPORT_MALFORMED},
        {LABEL ".local", MDNS_A, "", 0, RAPPORT_TRUNCATED},
        {LABEL ".local", MDNS_AAAA, "0123456789abcdef", 16, 1},
        {LABEL ".local", MDNS_AAAA, "0123456789abcde", 15, RAPPORT_TRUNCATED},
        {LABEL ".local", MDNS_AAAA, "0123456789abcdefg", 17, RAPPORT_MALFORMED},
        {LABEL "._rapport._tcp.local", MDNS_SRV, "\0\0\0\0\x1c\x03", 6, RAPPORT_TRUNCATED},
        {LABEL "._rapport._tcp.local", MDNS_SRV, "\0\0\0\0\x1c\x03\0", 7, 0},
        {LABEL "._rapport._tcp.local", MDNS_SRV, "\0\0\0\0\x1c\x03\0\0", 8, RAPPORT_MALFORMED},
        {LABEL "._rapport._tcp.local", MDNS_SRV, "\0\0\0\0\x1c\x03\x10" LABEL "\x05local", 30, 1},
        {LABEL "._rapport._tcp.local", MDNS_SRV, "\0\0\0\0\0\0\x10" LABEL "\x05local", 30, 0},
        {LABEL "._rapport._tcp.local", MDNS_SRV, "\0\0\0\0\x1c\x03\x03joe\x05local", 17, 0},
        {LABEL "._rapport._tcp.local", MDNS_TXT, "", 0, 0},
        {LABEL "._rapport._tcp.local", MDNS_TXT, "\x04v=1", 4, RAPPORT_TRUNCATED},
        {"_rapport._tcp.local", MDNS_PTR, "", 0, RAPPORT_TRUNCATED},
        {"_rapport._tcp.local", MDNS_PTR, "\xc0\x0c", 2, 0}, /* to itself: no instance */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf b = one(rows[i].name, rows[i].type, rows[i].data, rows[i].len);
        int result = read_all(&b);
        if (result != rows[i].result)
            test_fail(__FILE__, __LINE__, "row %zu gives %d", i, result);
    }
}

/* ---- what is skipped ---- */

TEST(mdns_foreign, "other types are skipped unread, other names are skipped")
{
    struct buf b = packet(0x8400, 0, 1); /* a CNAME whose name is a loop: nobody looks */
    put_pointer(&b, HEADER);
    put_data(&b, 5, "\xc0\x0c", 2);
    CHECK_EQ(read_all(&b), 0);
    static const char *const names[] = {
        "_http._tcp.local",
        "_rapport._udp.local",
        "_rapport._tcp.example",
        "x._rapport._tcp.local",
        "abcdefghijklmno1._rapport._tcp.local", /* 1 is not in base32 */
        "abcdefghijklmno._rapport._tcp.local",
        "abcdefghijklmnopq._rapport._tcp.local",
        LABEL "._rapport._tcp.local.local",
        LABEL,
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        static const unsigned types[] = {MDNS_A, MDNS_AAAA, MDNS_PTR, MDNS_SRV, MDNS_TXT};
        for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
            b = one(names[i], types[t], "whatever", 8);
            CHECK_EQ(read_all(&b), 0);
        }
    }
    b = one("_rapport._tcp.local", MDNS_A, "1234", 4); /* the service has no address */
    CHECK_EQ(read_all(&b), 0);
    b = one(LABEL ".local", MDNS_A, "1234", 4);
    b.ptr[HEADER + 1 + 16 + 1 + 5 + 1 + 3] = 3; /* class CHAOS */
    CHECK_EQ(read_all(&b), 0);
}

TEST(mdns_case, "names are equal in any letter case")
{
    struct buf b = one("ABCDEFGHijklmnop.LOCAL", MDNS_A, "1234", 4);
    struct mdns_parser p;
    struct mdns_item item;
    mdns_parse_start(&p, buf_slice(&b));
    check_item(&p, MDNS_ANSWERS, MDNS_A, &item);
    CHECK_EQ(item.name, MDNS_NAME_HOST);
    CHECK_EQ(read_all(&b), 1);
    b = packet(0, 1, 0);
    put_name(&b, "_SERVICES._dns-sd._UDP.local");
    buf_u16be(&b, MDNS_PTR);
    buf_u16be(&b, 0x8001);
    mdns_parse_start(&p, buf_slice(&b));
    CHECK(mdns_parse_next(&p, &item));
    CHECK_EQ(item.name, MDNS_NAME_ALL_SERVICES);
    CHECK(item.flag);
    CHECK_EQ(read_all(&b), 1);
}

TEST(mdns_txt, "a TXT record of ours has v=1 first, then salt and tags of the right length")
{
#define V "\x03v=1"
#define S "\x0ds=AQIDBAUGBwg"
#define T "\x2dt=EREREREREREiIiIiIiIiIjMzMzMzMzMzREREREREREQ"
    static const struct {
        const char *data;
        int result;
    } rows[] = {
        {V S T, 1},
        {V T S, 1},
        {V "\x04x=yz" S T "\x06later!", 1},
        {V S "\x0ds=AAAAAAAAAAA" T, 1}, /* the first of a key counts: RFC 6763 §6.4 */
        {S T V, 0},
        {"\x03v=2" S T, 0},
        {"\x04v=10" S T, 0},
        {V S, 0},
        {V T, 0},
        {V "\x0es=AQIDBAUGBwgA" T, 0},
        {V "\x0cs=AQIDBAUGBw" T, 0},
        {V "\x0ds=AQIDBAUGBwh" T, 0}, /* spare bits */
        {V "\x0ds=AQIDBAUG+wg" T, 0}, /* the other base64 */
        {V "\x0eS=AQIDBAUGBwg=" T, 0},
        {V S "\x2ct=EREREREREREiIiIiIiIiIjMzMzMzMzMzRERERERERE", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf b =
            one(LABEL "._rapport._tcp.local", MDNS_TXT, rows[i].data, strlen(rows[i].data));
        int result = read_all(&b);
        if (result != rows[i].result)
            test_fail(__FILE__, __LINE__, "row %zu gives %d", i, result);
    }
}
