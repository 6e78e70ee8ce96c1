/* test_utf8.c - RFC 3629 in both directions, and text made safe for a terminal. */
#include "base/utf8.h"
#include "rapport/error.h"
#include "test.h"

static bool valid(const char *bytes)
{
    return utf8_valid(slice_str(bytes));
}

TEST(utf8_every_code_point,
     "each code point but the surrogates comes back from its bytes, and no other does")
{
    struct buf b = BUF_INIT;
    for (uint32_t cp = 0; cp < 0x110000; cp++) {
        size_t at = 0;
        buf_reset(&b);
        utf8_put(&b, cp);
        bool is_surrogate = cp >= 0xd800 && cp < 0xe000;
        CHECK_EQ(utf8_valid(buf_slice(&b)), !is_surrogate);
        CHECK_EQ(utf8_next(buf_slice(&b), &at), is_surrogate ? -1 : (int32_t)cp);
        CHECK_EQ(at, is_surrogate ? 1 : b.len);
        CHECK_EQ(b.len, cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4);
    }
    buf_clear(&b);
}

TEST(utf8_frozen_bytes, "the first and last code point of each length have the bytes of the RFC")
{
    static const struct {
        uint32_t cp;
        const char *bytes;
    } cases[] = {
        {0x7f, "\x7f"},
        {0x80, "\xc2\x80"},
        {0x7ff, "\xdf\xbf"},
        {0x800, "\xe0\xa0\x80"},
        {0xd7ff, "\xed\x9f\xbf"},
        {0xe000, "\xee\x80\x80"},
        {0xffff, "\xef\xbf\xbf"},
        {0x10000, "\xf0\x90\x80\x80"},
        {0x10ffff, "\xf4\x8f\xbf\xbf"},
    };
    struct buf b = BUF_INIT;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf_reset(&b);
        utf8_put(&b, cases[i].cp);
        CHECK_SLICE(buf_slice(&b), slice_str(cases[i].bytes));
        CHECK(valid(cases[i].bytes));
    }
    buf_clear(&b);
}

TEST(utf8_refuses,
     "overlong forms, surrogates, too large values, stray and impossible bytes are invalid")
{
    static const char *const bad[] = {
        "\x80",
        "\xbf",
        "\xc0\x80",
        "\xc0\xaf",
        "\xc1\xbf",
        "\xe0\x80\x80",
        "\xe0\x9f\xbf",
        "\xf0\x80\x80\x80",
        "\xf0\x8f\xbf\xbf",
        "\xed\xa0\x80",
        "\xed\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xf8\x88\x80\x80\x80",
        "\xfe",
        "\xff",
        "\xc3(",
        "\xe2\x82(",
        "\xf0\x9f\x98(",
        "a\xc3",
        "\xe2\x82",
        "\xf0\x9f\x98",
        "\xc3\xc3\xa9",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(!valid(bad[i]));
        size_t at = bad[i][0] == 'a';
        size_t start = at;
        CHECK_EQ(utf8_next(slice_str(bad[i]), &at), -1);
        CHECK_EQ(at, start + 1);
    }
    CHECK(utf8_valid((struct slice){0}));
    CHECK(utf8_valid(slice_of("\0", 1)));
}

/* The table of well-formed byte sequences (RFC 3629 section 4), written another way. */
static bool is_well_formed(const uint8_t *p, size_t n)
{
    if (n == 1)
        return p[0] < 0x80;
    uint8_t low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
    uint8_t high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
    size_t want = p[0] >= 0xc2 && p[0] <= 0xdf   ? 2
                  : p[0] >= 0xe0 && p[0] <= 0xef ? 3
                  : p[0] >= 0xf0 && p[0] <= 0xf4 ? 4
                                                 : 0;
    bool ok = n == want && p[1] >= low && p[1] <= high;
    for (size_t i = 2; i < n; i++)
        ok = ok && p[i] >= 0x80 && p[i] <= 0xbf;
    return ok;
}

TEST(utf8_every_lead, "for all first two bytes the verdict is that of the RFC's table")
{
    static const uint8_t tails[] = {0x00, 0x7f, 0x80, 0xbf, 0xc0};
    for (unsigned lead = 0x80; lead < 0x100; lead++) {
        for (unsigned second = 0; second < 0x100; second++) {
            for (size_t t = 0; t < sizeof tails; t++) {
                uint8_t bytes[4] = {(uint8_t)lead, (uint8_t)second, tails[t], 0x80};
                size_t n = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
                CHECK_EQ(utf8_valid(slice_of(bytes, n)), is_well_formed(bytes, n));
            }
        }
    }
}

TEST(utf8_counts, "counts and offsets are in code points, past the end is the end")
{
    struct slice s = slice_str("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z");
    static const size_t offsets[] = {0, 1, 3, 6, 10, 11, 11};
    CHECK_EQ(utf8_count(s), 5);
    CHECK_EQ(utf8_count((struct slice){0}), 0);
    for (size_t n = 0; n < 7; n++)
        CHECK_EQ(utf8_offset(s, n), offsets[n]);
    CHECK_EQ(utf8_offset(s, SIZE_MAX), 11);
}

TEST(utf8_prefixes, "a prefix of any byte length ends on a code point")
{
    struct slice s = slice_str("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    static const size_t expected[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};
    for (size_t max = 0; max < 12; max++)
        CHECK_EQ(utf8_prefix(s, max), expected[max]);
}

static void check_printable(struct slice s, bool one_line, const char *expected)
{
    struct buf b = BUF_INIT;
    utf8_printable(&b, s, one_line);
    CHECK_EQ(buf_error(&b), 0);
    CHECK_SLICE(buf_slice(&b), slice_str(expected));
    buf_clear(&b);
}

TEST(utf8_printable_forms, "controls become visible, text stays")
{
    check_printable(slice_str("caf\xc3\xa9 \xf0\x9f\x98\x80"), true,
                    "caf\xc3\xa9 \xf0\x9f\x98\x80");
    check_printable(slice_str("a\nb\tc"), false, "a\nb\tc");
    check_printable(slice_str("a\nb\tc"), true,
                    "a\xe2\x90\x8a"
                    "b\xe2\x90\x89"
                    "c");
    check_printable(slice_of("\0", 1), false, "\xe2\x90\x80");
    check_printable(slice_str("\x1b[2J"), false, "\xe2\x90\x9b[2J");
    check_printable(slice_str("\r\x7f"), false, "\xe2\x90\x8d\xe2\x90\xa1");
    check_printable(slice_str("\xc2\x9b"), false, "<U+009B>");
    check_printable(slice_str("\xe2\x80\xae"
                              "cod.exe"),
                    false, "<U+202E>cod.exe");
    check_printable(slice_str("\xe2\x80\xa8"), false, "<U+2028>");
    check_printable(slice_str("\xff"
                              "a\xe2\x82"),
                    false,
                    "\xef\xbf\xbd"
                    "a\xef\xbf\xbd\xef\xbf\xbd");
}

/* True for what a terminal or a line-wise reader could obey. */
static bool is_obeyed(int32_t cp, bool one_line)
{
    if (cp < 0x20)
        return one_line || (cp != '\n' && cp != '\t');
    return (cp >= 0x7f && cp < 0xa0) || (cp >= 0x2028 && cp <= 0x202e) ||
           (cp >= 0x2066 && cp <= 0x2069) || cp == 0x200e || cp == 0x200f || cp == 0x061c;
}

static void check_harmless(struct slice s, bool one_line)
{
    struct buf b = BUF_INIT;
    utf8_printable(&b, s, one_line);
    struct slice out = buf_slice(&b);
    CHECK(utf8_valid(out));
    for (size_t at = 0; at < out.len;)
        CHECK(!is_obeyed(utf8_next(out, &at), one_line));
    buf_clear(&b);
}

TEST(utf8_printable_is_safe,
     "no code point and no random bytes come out as something a terminal obeys")
{
    struct buf in = BUF_INIT;
    for (uint32_t cp = 0; cp < 0x110000; cp += cp < 0x3000 ? 1 : 251) {
        buf_reset(&in);
        utf8_put(&in, cp);
        check_harmless(buf_slice(&in), cp % 2);
        check_harmless(buf_slice(&in), !(cp % 2));
    }
    buf_clear(&in);
    struct test_rng r = test_rng_start(1);
    for (int round = 0; round < 5000; round++) {
        uint8_t bytes[40];
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (uint8_t)(test_rng_next(&r) >> (test_rng_below(&r, 3) ? 56 : 59));
        check_harmless(slice_of(bytes, test_rng_below(&r, sizeof bytes + 1)), round % 2);
    }
}

TEST(utf8_out_of_memory, "without memory the buffer says so")
{
    struct buf b = BUF_INIT;
    test_fail_allocation(0);
    utf8_printable(&b, slice_str("\x1b"), true);
    CHECK_EQ(buf_error(&b), RAPPORT_NOMEM);
    buf_clear(&b);
}
