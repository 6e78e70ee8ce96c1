/* test_hex.c - hex and base32 (vectors of RFC 4648 section 10). */
#include "base/hex.h"
#include "rapport/error.h"
#include "test.h"

TEST(hex_round_trip, "all byte values come back, upper case is read too")
{
    uint8_t in[256], out[256];
    char text[513];
    for (unsigned i = 0; i < 256; i++)
        in[i] = (uint8_t)i;
    hex_encode(text, in, 256);
    CHECK_EQ(strlen(text), 512);
    CHECK_BYTES(text, 8, "00010203", 8);
    CHECK_STR(text + 504, "fcfdfeff");
    CHECK_EQ(hex_decode(out, 256, slice_str(text)), 0);
    CHECK_BYTES(out, 256, in, 256);
    CHECK_EQ(hex_decode(out, 2, slice_str("aBCd")), 0);
    CHECK_BYTES(out, 2, "\xab\xcd", 2);
    hex_encode(text, in, 0);
    CHECK_STR(text, "");
    CHECK_EQ(hex_decode(out, 0, slice_str("")), 0);
}

TEST(hex_refuses,
     "every other character and every other length is malformed, and nothing is written")
{
    for (unsigned c = 0; c < 256; c++) {
        char text[2] = {'0', (char)c};
        uint8_t out = 77;
        bool is_digit = c && strchr("0123456789abcdefABCDEF", (int)c);
        CHECK_EQ(hex_decode(&out, 1, slice_of(text, 2)), is_digit ? 0 : RAPPORT_MALFORMED);
        CHECK(is_digit || out == 77);
    }
    uint8_t out[2] = {7, 7};
    CHECK_EQ(hex_decode(out, 2, slice_str("000")), RAPPORT_MALFORMED);
    CHECK_EQ(hex_decode(out, 2, slice_str("00000")), RAPPORT_MALFORMED);
    CHECK_EQ(hex_decode(out, 2, slice_str("00")), RAPPORT_MALFORMED);
    CHECK_EQ(hex_decode(out, 2, slice_str("000g")), RAPPORT_MALFORMED);
    CHECK_BYTES(out, 2, "\7\7", 2);
}

TEST(base32_vectors, "the vectors of the RFC, in lower case without padding")
{
    static const char *const cases[][2] = {
        {"", ""},
        {"f", "my"},
        {"fo", "mzxq"},
        {"foo", "mzxw6"},
        {"foob", "mzxw6yq"},
        {"fooba", "mzxw6ytb"},
        {"foobar", "mzxw6ytboi"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf text = BUF_INIT, bytes = BUF_INIT;
        base32_encode(&text, slice_str(cases[i][0]));
        CHECK_SLICE(buf_slice(&text), slice_str(cases[i][1]));
        CHECK_EQ(base32_decode(&bytes, slice_str(cases[i][1])), 0);
        CHECK_SLICE(buf_slice(&bytes), slice_str(cases[i][0]));
        buf_clear(&text);
        buf_clear(&bytes);
    }
}

TEST(base32_round_trip, "random bytes of each length come back, upper case too; one text for each")
{
    struct test_rng r = test_rng_start(1);
    struct buf text = BUF_INIT, out = BUF_INIT;
    for (size_t len = 0; len < 200; len++) {
        uint8_t in[200];
        for (size_t i = 0; i < len; i++)
            in[i] = (uint8_t)test_rng_next(&r);
        buf_reset(&text);
        buf_reset(&out);
        base32_encode(&text, slice_of(in, len));
        CHECK_EQ(text.len, (len * 8 + 4) / 5);
        for (size_t i = 0; i < text.len; i++)
            if (text.ptr[i] >= 'a' && test_rng_below(&r, 2))
                text.ptr[i] = (uint8_t)(text.ptr[i] - 0x20);
        CHECK_EQ(base32_decode(&out, buf_slice(&text)), 0);
        CHECK_BYTES(out.ptr, out.len, in, len);
    }
    buf_clear(&text);
    buf_clear(&out);
}

TEST(base32_refuses,
     "foreign characters, impossible lengths and spare bits are malformed; nothing is appended")
{
    static const char *const bad[] = {
        "a",  "aaa", "aaaaaa", "ab", "mz",       "mzxr", "mzxw7", "mzxw6yr",
        "m0", "m1",  "m8",     "m=", "my======", "m ",   "m-",    "mzxw6yt\xc3\xa9"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct buf b = BUF_INIT;
        buf_append_str(&b, "kept");
        if (base32_decode(&b, slice_str(bad[i])) != RAPPORT_MALFORMED)
            test_fail(__FILE__, __LINE__, "%s is taken", bad[i]);
        CHECK_SLICE(buf_slice(&b), slice_str("kept"));
        buf_clear(&b);
    }
    for (unsigned c = 0; c < 256; c++) {
        struct buf b = BUF_INIT;
        char text[8] = {(char)c, 'a', 'a', 'a', 'a', 'a', 'a', 'a'};
        bool is_digit =
            c && strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ234567", (int)c);
        CHECK_EQ(base32_decode(&b, slice_of(text, 8)), is_digit ? 0 : RAPPORT_MALFORMED);
        buf_clear(&b);
    }
}

TEST(base32_out_of_memory, "a growth that fails is NOMEM and appends nothing")
{
    struct buf b = BUF_INIT;
    test_fail_allocation(0);
    CHECK_EQ(base32_decode(&b, slice_str("mzxw6ytboi")), RAPPORT_NOMEM);
    CHECK_EQ(b.len, 0);
    buf_clear(&b);
}
