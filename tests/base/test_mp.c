/* test_mp.c - the msgpack gate, the cursor behind it and the writer. */
#include "base/hex.h"
#include "base/mp.h"
#include "rapport/error.h"
#include "test.h"

enum {
    MOST_ITEMS = 1000
};

static uint8_t scratch[1024];

/* The bytes that hex digits stand for, in `scratch`. */
static struct slice bytes_of(const char *hex)
{
    size_t n = strlen(hex) / 2;
    CHECK(n <= sizeof scratch);
    CHECK_EQ(hex_decode(scratch, n, slice_str(hex)), 0);
    return slice_of(scratch, n);
}

static int check_hex(const char *hex)
{
    return mp_check(bytes_of(hex), MOST_ITEMS);
}

/* What msgpack-c says without the gate in front. */
static bool msgpack_c_takes(const char *hex)
{
    struct slice s = bytes_of(hex);
    msgpack_unpacked result;
    msgpack_unpacked_init(&result);
    size_t off = 0;
    msgpack_unpack_return r = msgpack_unpack_next(&result, (const char *)s.ptr, s.len, &off);
    msgpack_unpacked_destroy(&result);
    return r == MSGPACK_UNPACK_SUCCESS && off == s.len;
}

TEST(mp_accepts, "each allowed form passes at the least and the most that it may hold")
{
    static const char *const good[] = {
        "00",
        "7f",
        "e0",
        "ff",
        "c2",
        "c3",
        "cc80",
        "ccff",
        "cd0100",
        "cdffff",
        "ce00010000",
        "ceffffffff",
        "cf0000000100000000",
        "cfffffffffffffffff",
        "d0df",
        "d080",
        "d1ff7f",
        "d18000",
        "d2ffff7fff",
        "d280000000",
        "d3ffffffff7fffffff",
        "d38000000000000000",
        "a0",
        "a161",
        "c400",
        "c40100",
        "90",
        "9100",
        "80",
        "810000",
        "81a16191c2",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        if (check_hex(good[i]))
            test_fail(__FILE__, __LINE__, "%s is refused: %s", good[i],
                      rapport_strerror(check_hex(good[i])));
        CHECK(msgpack_c_takes(good[i]));
    }
}

TEST(mp_refuses_types,
     "nil, float, ext and the unused tag are malformed although msgpack-c takes them")
{
    static const char *const bad[] = {
        "c0",           "ca00000000", "cb0000000000000000", "d40100",       "d5010000",
        "d60100000000", "c70001",     "c8000001",           "c90000000001", "91c0",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_EQ(check_hex(bad[i]), RAPPORT_MALFORMED);
        CHECK(msgpack_c_takes(bad[i]));
    }
    CHECK_EQ(check_hex("c1"), RAPPORT_MALFORMED);
}

TEST(mp_refuses_long_forms, "an integer or length that a shorter form holds is malformed")
{
    static const char *const bad[] = {
        "cc7f",
        "cd00ff",
        "ce0000ffff",
        "cf00000000ffffffff",
        "d0e0",
        "d000",
        "d07f",
        "d1ff80",
        "d10000",
        "d17fff",
        "d2ffff8000",
        "d20000ffff",
        "d3ffffffff80000000",
        "d30000000100000000",
        "d90161",
        "da000161",
        "db0000000161",
        "c5000161",
        "c60000000161",
        "dc000100",
        "dd0000000100",
        "de00010000",
        "df000000010000",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (check_hex(bad[i]) != RAPPORT_MALFORMED)
            test_fail(__FILE__, __LINE__, "%s: %d", bad[i], check_hex(bad[i]));
        CHECK(msgpack_c_takes(bad[i]));
    }
}

/* `tag` with its length field, then n filler bytes; returns what mp_check says. */
static int check_filled(const char *head, size_t n, uint8_t filler)
{
    static uint8_t big[(1 << 17) + 8];
    size_t head_len = strlen(head) / 2;
    CHECK_EQ(hex_decode(big, head_len, slice_str(head)), 0);
    memset(big + head_len, filler, n);
    return mp_check(slice_of(big, head_len + n), MP_MOST_ITEMS);
}

TEST(mp_length_forms,
     "each length form passes from where the shorter one ends, and is malformed below")
{
    static const struct {
        const char *head;
        size_t n;
        int error;
    } cases[] = {
        {"bf", 31, 0},        {"d91f", 31, RAPPORT_MALFORMED},           {"d920", 32, 0},
        {"d9ff", 255, 0},     {"da00ff", 255, RAPPORT_MALFORMED},        {"da0100", 256, 0},
        {"daffff", 65535, 0}, {"db0000ffff", 65535, RAPPORT_MALFORMED},  {"db00010000", 65536, 0},
        {"c4ff", 255, 0},     {"c500ff", 255, RAPPORT_MALFORMED},        {"c50100", 256, 0},
        {"c5ffff", 65535, 0}, {"c60000ffff", 65535, RAPPORT_MALFORMED},  {"c600010000", 65536, 0},
        {"9f", 15, 0},        {"dc000f", 15, RAPPORT_MALFORMED},         {"dc0010", 16, 0},
        {"dcffff", 65535, 0}, {"dd0000ffff", 65535, RAPPORT_MALFORMED},  {"dd00010000", 65536, 0},
        {"8f", 30, 0},        {"de000f", 30, RAPPORT_MALFORMED},         {"de0010", 32, 0},
        {"de7fff", 65534, 0}, {"df0000ffff", 131070, RAPPORT_MALFORMED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int error = check_filled(cases[i].head, cases[i].n, 'a');
        if (error != cases[i].error)
            test_fail(__FILE__, __LINE__, "%s with %zu: %d, expected %d", cases[i].head, cases[i].n,
                      error, cases[i].error);
    }
}

TEST(mp_refuses_bad_text, "a str that is not UTF-8 is malformed, a bin of the same bytes is fine")
{
    static const char *const bad[] = {"a180", "a2c080", "a3eda080", "a4f4908080", "a2c328", "a1ff"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_EQ(check_hex(bad[i]), RAPPORT_MALFORMED);
        CHECK(msgpack_c_takes(bad[i]));
    }
    CHECK_EQ(check_hex("c40180"), 0);
    CHECK_EQ(check_hex("c402c080"), 0);
    CHECK_EQ(check_hex("a100"), 0);
}

TEST(mp_refuses_trailing,
     "bytes behind the value are malformed, and the prefix form says where it ends")
{
    size_t len = 77;
    CHECK_EQ(check_hex("0000"), RAPPORT_MALFORMED);
    CHECK_EQ(check_hex("9100c0"), RAPPORT_MALFORMED);
    CHECK_EQ(mp_check_prefix(bytes_of("9100c0"), MOST_ITEMS, &len), 0);
    CHECK_EQ(len, 2);
    len = 77;
    CHECK_EQ(mp_check_prefix(bytes_of("91"), MOST_ITEMS, &len), RAPPORT_TRUNCATED);
    CHECK_EQ(len, 77);
}

TEST(mp_refuses_bombs,
     "a count or length beyond the bytes left is refused before anybody reserves for it")
{
    static const char *const bombs[] = {
        "ddffffffff", "dfffffffff", "dbffffffff", "c6ffffffff", "dd7fffffff0000", "dcffff",
        "deffff",     "df80000000", "9f",         "8f",         "dc001000",
    };
    for (size_t i = 0; i < sizeof bombs / sizeof *bombs; i++)
        CHECK_EQ(check_hex(bombs[i]), RAPPORT_TRUNCATED);
    CHECK_EQ(check_hex(""), RAPPORT_TRUNCATED);
}

/* Arrays in arrays, innermost empty: `depth` tags. */
static int check_depth(unsigned depth)
{
    uint8_t nested[64];
    memset(nested, 0x91, depth - 1);
    nested[depth - 1] = 0x90;
    return mp_check(slice_of(nested, depth), MOST_ITEMS);
}

TEST(mp_depth_limit, "8 arrays in one another pass, 9 are past the limit, whatever the array holds")
{
    CHECK_EQ(check_depth(1), 0);
    CHECK_EQ(check_depth(MP_MOST_DEPTH), 0);
    CHECK_EQ(check_depth(MP_MOST_DEPTH + 1), RAPPORT_LIMIT);
    CHECK_EQ(check_depth(40), RAPPORT_LIMIT);
    CHECK_EQ(check_hex("91919191919191810000"), 0);
    CHECK_EQ(check_hex("9191919191919191810000"), RAPPORT_LIMIT);
    /* depth is of what is open, not of what was */
    CHECK_EQ(check_hex("9391919191919100919191919191009191919191919100"), 0);
}

TEST(mp_items_limit, "exactly max_items values pass, the containers and map keys count")
{
    struct slice s = bytes_of("93000181a16102");
    CHECK_EQ(mp_check(s, 6), 0);
    CHECK_EQ(mp_check(s, 5), RAPPORT_LIMIT);
    CHECK_EQ(mp_check(s, 1), RAPPORT_LIMIT);
    CHECK_EQ(mp_check(s, 0), RAPPORT_LIMIT);
}

static void put_sample(struct buf *b)
{
    mp_put_array(b, 9);
    mp_put_u64(b, 300);
    mp_put_i64(b, -300);
    mp_put_bool(b, true);
    mp_put_bin(b, "\x00\xff", 2);
    mp_put_cstr(b, "h\xc3\xa9");
    mp_put_array(b, 2);
    mp_put_u64(b, 0);
    mp_put_u64(b, UINT64_MAX);
    mp_put_i64(b, INT64_MIN);
    mp_put_bool(b, false);
    mp_put_map(b, 1);
    mp_put_cstr(b, "k");
    mp_put_str(b, (struct slice){0});
}

#define SAMPLE_HEX                                                                                 \
    "99cd012cd1fed4c3c40200ffa368c3a99200cfffffffffffffffffd38000000000000000c281a16ba0"

TEST(mp_frozen_bytes, "the writer gives the shortest form of each value, byte for byte as ever")
{
    struct buf b = BUF_INIT;
    put_sample(&b);
    CHECK_EQ(buf_error(&b), 0);
    CHECK_SLICE(buf_slice(&b), bytes_of(SAMPLE_HEX));
    buf_clear(&b);
}

TEST(mp_truncated, "cut off at any length the sample is truncated, never malformed or accepted")
{
    uint8_t copy[sizeof SAMPLE_HEX];
    struct slice s = bytes_of(SAMPLE_HEX);
    for (size_t n = 0; n < s.len; n++) {
        memcpy(copy, s.ptr, n);
        CHECK_EQ(mp_check(slice_of(copy, n), MOST_ITEMS), RAPPORT_TRUNCATED);
        struct mp_doc doc;
        CHECK_EQ(mp_open(&doc, slice_of(copy, n), MOST_ITEMS), RAPPORT_TRUNCATED);
    }
}

TEST(mp_integer_forms, "integers around each power of two come back, in a form that the gate takes")
{
    struct buf b = BUF_INIT;
    for (unsigned shift = 0; shift < 64; shift++) {
        for (int d = -1; d <= 1; d++) {
            uint64_t u = (UINT64_C(1) << shift) + (uint64_t)(int64_t)d;
            int64_t i = (int64_t)-u;
            struct mp_doc doc;
            int error;
            buf_reset(&b);
            mp_put_array(&b, 2);
            mp_put_u64(&b, u);
            mp_put_i64(&b, i);
            CHECK_EQ(mp_open(&doc, buf_slice(&b), 3), 0);
            struct mp_array a = mp_root(&doc, &error);
            CHECK(mp_u64(&a, UINT64_MAX) == u);
            CHECK_EQ(mp_i64(&a), i);
            CHECK_EQ(mp_end(&a), 0);
            mp_close(&doc);
        }
    }
    buf_clear(&b);
}

static struct mp_doc doc;
static int cursor_error;

/* Opens the hex and returns a cursor on its root; mp_close(&doc) afterwards. */
static struct mp_array open_hex(const char *hex)
{
    CHECK_EQ(mp_open(&doc, bytes_of(hex), MOST_ITEMS), 0);
    return mp_root(&doc, &cursor_error);
}

TEST(mp_round_trip, "what was put comes back through the cursor")
{
    struct mp_array a = open_hex(SAMPLE_HEX);
    CHECK_EQ(mp_u64(&a, 300), 300);
    CHECK_EQ(mp_i64(&a), -300);
    CHECK(mp_bool(&a));
    uint8_t two[2];
    mp_bin_copy(&a, two, 2);
    CHECK_BYTES(two, 2, "\x00\xff", 2);
    CHECK_SLICE(mp_str(&a, 3), slice_str("h\xc3\xa9"));
    struct mp_array inner = mp_sub(&a, 2, 2);
    CHECK_EQ(mp_u64(&inner, 0), 0);
    CHECK(mp_more(&inner));
    CHECK(mp_u64(&inner, UINT64_MAX) == UINT64_MAX);
    CHECK_EQ(mp_end(&inner), 0);
    CHECK_EQ(mp_i64(&a), INT64_MIN);
    CHECK(!mp_bool(&a));
    CHECK_EQ(mp_peek(&a), MSGPACK_OBJECT_MAP);
    mp_skip(&a);
    CHECK(!mp_more(&a));
    CHECK_EQ(mp_end(&a), 0);
    mp_close(&doc);
    mp_close(&doc);
}

TEST(mp_wrong_type, "each reader given another type says malformed, and the error sticks")
{
    for (int reader = 0; reader < 6; reader++) {
        struct mp_array a = open_hex(reader == 5 ? "920000" : "929000");
        uint8_t out = 7;
        switch (reader) {
        case 0:
            CHECK_EQ(mp_u64(&a, 9), 0);
            break;
        case 1:
            CHECK_EQ(mp_i64(&a), 0);
            break;
        case 2:
            CHECK(!mp_bool(&a));
            break;
        case 3:
            mp_bin_copy(&a, &out, 1);
            CHECK_EQ(out, 7);
            break;
        case 4:
            CHECK_EQ(mp_str(&a, 9).len, 0);
            break;
        default:
            CHECK_EQ(mp_sub(&a, 0, 9).n, 0);
        }
        CHECK_EQ(cursor_error, RAPPORT_MALFORMED);
        CHECK_EQ(mp_u64(&a, 9), 0);
        CHECK_EQ(mp_peek(&a), MSGPACK_OBJECT_NIL);
        CHECK_EQ(mp_end(&a), RAPPORT_MALFORMED);
        mp_close(&doc);
    }
}

TEST(mp_bounds, "a value past the caller's bound is LIMIT, at the bound it is fine")
{
    struct mp_array a = open_hex("9405c4020000a2616192c2c3");
    CHECK_EQ(mp_u64(&a, 5), 5);
    CHECK_EQ(mp_bin(&a, 2, 2).len, 2);
    CHECK_EQ(mp_str(&a, 2).len, 2);
    struct mp_array pair = mp_sub(&a, 2, 2);
    CHECK(mp_bool(&pair) == false);
    CHECK(mp_bool(&pair) == true);
    CHECK_EQ(mp_end(&a), 0);
    mp_close(&doc);

    a = open_hex("9105");
    CHECK_EQ(mp_u64(&a, 4), 0);
    CHECK_EQ(mp_end(&a), RAPPORT_LIMIT);
    mp_close(&doc);
    for (size_t min = 1; min <= 3; min += 2) {
        a = open_hex("91c4020000");
        CHECK_EQ(mp_bin(&a, min, min).len, 0);
        CHECK_EQ(mp_end(&a), RAPPORT_LIMIT);
        mp_close(&doc);
        a = open_hex("9192c2c3");
        CHECK_EQ(mp_sub(&a, min, min).n, 0);
        CHECK_EQ(mp_end(&a), RAPPORT_LIMIT);
        mp_close(&doc);
    }
    a = open_hex("91a26161");
    CHECK_EQ(mp_str(&a, 1).len, 0);
    CHECK_EQ(mp_end(&a), RAPPORT_LIMIT);
    mp_close(&doc);
    a = open_hex("91cf8000000000000000");
    CHECK_EQ(mp_i64(&a), 0);
    CHECK_EQ(mp_end(&a), RAPPORT_LIMIT);
    mp_close(&doc);
}

TEST(mp_shared_error, "an error in an inner array stops the outer one too")
{
    struct mp_array a = open_hex("929100c2");
    struct mp_array inner = mp_sub(&a, 1, 1);
    CHECK(!mp_bool(&inner));
    CHECK(!mp_more(&a));
    CHECK(!mp_bool(&a));
    mp_fail(&a, RAPPORT_REFUSED);
    CHECK_EQ(mp_end(&a), RAPPORT_MALFORMED);
    mp_close(&doc);
}

TEST(mp_ends, "items left over, items missing and a root that is no array are malformed")
{
    struct mp_array a = open_hex("920000");
    CHECK_EQ(mp_u64(&a, 0), 0);
    CHECK_EQ(mp_end(&a), RAPPORT_MALFORMED);
    mp_close(&doc);
    a = open_hex("90");
    CHECK_EQ(mp_end(&a), 0);
    mp_skip(&a);
    CHECK_EQ(mp_end(&a), RAPPORT_MALFORMED);
    mp_close(&doc);
    a = open_hex("00");
    CHECK_EQ(cursor_error, RAPPORT_MALFORMED);
    CHECK_EQ(mp_u64(&a, 0), 0);
    mp_close(&doc);
}

/* One random value that the gate takes, and in `items` how many it is made of. */
static void put_random(struct buf *b, struct test_rng *r, unsigned depth, size_t *items)
{
    static const char text[] =
        "caf\xc3\xa9 \xf0\x9f\x98\x80 na\xc3\xafve and a tail of plain words";
    size_t n = test_rng_below(r, 20);
    ++*items;
    switch (test_rng_below(r, depth < MP_MOST_DEPTH ? 6 : 4)) {
    case 0:
        mp_put_u64(b, test_rng_next(r) >> test_rng_below(r, 64));
        break;
    case 1:
        mp_put_i64(b, (int64_t)test_rng_next(r) >> test_rng_below(r, 64));
        break;
    case 2:
        mp_put_bin(b, text, n);
        break;
    case 3:
        mp_put_str(b, slice_of(text, n < 4 ? n : sizeof text - 1));
        break;
    case 4:
        n /= depth + 1;
        mp_put_array(b, n);
        while (n--)
            put_random(b, r, depth + 1, items);
        break;
    default:
        n /= depth + 2;
        mp_put_map(b, n);
        while (n--) {
            put_random(b, r, depth + 1, items);
            mp_put_bool(b, true);
            ++*items;
        }
    }
}

TEST(mp_random,
     "random documents pass with exactly their number of items, cut anywhere they are truncated")
{
    struct test_rng r = test_rng_start(1);
    struct buf b = BUF_INIT;
    for (int round = 0; round < 500; round++) {
        size_t items = 0;
        buf_reset(&b);
        put_random(&b, &r, 0, &items);
        CHECK_EQ(mp_check(buf_slice(&b), items), 0);
        CHECK_EQ(mp_check(buf_slice(&b), items - 1), RAPPORT_LIMIT);
        size_t cut = test_rng_below(&r, b.len);
        CHECK_EQ(mp_check(slice_of(b.ptr, cut), items), RAPPORT_TRUNCATED);
        CHECK_EQ(mp_open(&doc, buf_slice(&b), items), 0);
        mp_close(&doc);
    }
    buf_clear(&b);
}

TEST(mp_out_of_memory, "writing without memory leaves NOMEM in the buffer, whichever growth fails")
{
    bool failed = true;
    for (long n = 0; failed; n++) {
        struct buf b = BUF_INIT;
        test_fail_allocation(n);
        for (int i = 0; i < 20; i++)
            put_sample(&b);
        failed = test_allocation_failed();
        test_fail_allocation(-1);
        CHECK_EQ(buf_error(&b), failed ? RAPPORT_NOMEM : 0);
        buf_clear(&b);
        CHECK(n < 100);
    }
}
