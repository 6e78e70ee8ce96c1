/* test_reader.c - the bounded reader. */
#include "base/buf.h"
#include "base/reader.h"
#include "rapport/error.h"
#include "test.h"

TEST(reader_error_sticks, "a read past the end sets TRUNCATED, returns 0 and moves nothing")
{
    struct reader r = reader_of(slice_str("ab"));
    CHECK_EQ(reader_u32be(&r), 0);
    CHECK_EQ(r.error, RAPPORT_TRUNCATED);
    CHECK_EQ(reader_u8(&r), 0);
    CHECK_EQ(r.rest.len, 2);
    reader_fail(&r, RAPPORT_LIMIT);
    CHECK_EQ(reader_end(&r), RAPPORT_TRUNCATED);
}

/* Reads one of each field; returns the final error. */
static int read_all(struct slice s)
{
    struct reader r = reader_of(s);
    CHECK(reader_u8(&r) == 1 || r.error);
    CHECK(reader_u16be(&r) == 0x0203 || r.error);
    CHECK(reader_u32be(&r) == 0x04050607 || r.error);
    CHECK(reader_u64be(&r) == 0x08090a0b0c0d0e0fu || r.error);
    CHECK(reader_varint(&r, 300) == 300 || r.error);
    CHECK(slice_equal(reader_bytes(&r, 3), slice_str("abc")) || r.error);
    return reader_end(&r);
}

TEST(reader_truncation,
     "fields come back in order, and cut off at any length the error is TRUNCATED")
{
    static const char bytes[] =
        "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\xac\x02"
        "abc";
    size_t n = sizeof bytes - 1;
    CHECK_EQ(read_all(slice_of(bytes, n)), 0);
    for (size_t cut = 0; cut < n; cut++)
        CHECK_EQ(read_all(slice_of(bytes, cut)), RAPPORT_TRUNCATED);
    CHECK_EQ(read_all(slice_of(bytes, n + 1)), RAPPORT_MALFORMED);
}

TEST(reader_rest_takes_all, "the rest is all that is left, also when that is nothing")
{
    struct reader r = reader_of(slice_str("abc"));
    reader_u8(&r);
    CHECK_SLICE(reader_rest(&r), slice_str("bc"));
    CHECK_EQ(reader_rest(&r).len, 0);
    CHECK_EQ(reader_end(&r), 0);
    r = reader_of((struct slice){0});
    CHECK_EQ(reader_bytes(&r, 0).len, 0);
    CHECK_EQ(reader_end(&r), 0);
}

TEST(varint_round_trip, "every power of two and its neighbours come back from a varint")
{
    struct buf b = BUF_INIT;
    for (unsigned shift = 0; shift < 64; shift++) {
        for (int d = -1; d <= 1; d++) {
            uint64_t v = (UINT64_C(1) << shift) + (uint64_t)(int64_t)d;
            buf_reset(&b);
            buf_varint(&b, v);
            struct reader r = reader_of(buf_slice(&b));
            CHECK(reader_varint(&r, UINT64_MAX) == v);
            CHECK_EQ(reader_end(&r), 0);
        }
    }
    buf_clear(&b);
}

static int varint_error(const char *bytes, size_t n, uint64_t max)
{
    struct reader r = reader_of(slice_of(bytes, n));
    uint64_t v = reader_varint(&r, max);
    CHECK(r.error == 0 || v == 0);
    return reader_end(&r);
}

TEST(varint_refuses, "long forms are malformed; past the bound or 64 bits is LIMIT")
{
    CHECK_EQ(varint_error("\x80\x00", 2, 9), RAPPORT_MALFORMED);
    CHECK_EQ(varint_error("\xff\x80\x00", 3, UINT64_MAX), RAPPORT_MALFORMED);
    CHECK_EQ(varint_error("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00", 10, UINT64_MAX),
             RAPPORT_MALFORMED);
    CHECK_EQ(varint_error("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, UINT64_MAX), 0);
    CHECK_EQ(varint_error("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10, UINT64_MAX),
             RAPPORT_LIMIT);
    CHECK_EQ(varint_error("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00", 11, UINT64_MAX),
             RAPPORT_LIMIT);
    CHECK_EQ(varint_error("\x09", 1, 9), 0);
    CHECK_EQ(varint_error("\x0a", 1, 9), RAPPORT_LIMIT);
    CHECK_EQ(varint_error("\x80", 1, 9), RAPPORT_TRUNCATED);
}

TEST(slice_order, "slices order bytewise, the shorter first on a common prefix")
{
    CHECK(slice_compare(slice_str("a"), slice_str("b")) < 0);
    CHECK(slice_compare(slice_str("ab"), slice_str("a")) > 0);
    CHECK(slice_compare(slice_str("\xff"), slice_str("a")) > 0);
    CHECK_EQ(slice_compare((struct slice){0}, slice_str("")), 0);
    CHECK(slice_equal((struct slice){0}, slice_str("")));
    CHECK(!slice_equal(slice_str("a"), slice_str("b")));
    CHECK_EQ(slice_skip((struct slice){0}, 0).len, 0);
}
