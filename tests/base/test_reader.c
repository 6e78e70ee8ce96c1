/* test_reader.c - the bounded reader and the buffer that writes. */
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
