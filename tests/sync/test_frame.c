/* test_frame.c - frames out of a stream, however it is cut. */
#include "sync/frame.h"

#include <stdlib.h>

#include "rapport/error.h"
#include "test.h"

/* Two handshake-sized frames, of 'a' and of 'b'. */
static void put_two(struct buf *b)
{
    for (char c = 'a'; c <= 'b'; c++) {
        frame_put_header(b, HANDSHAKE_BYTES);
        memset(buf_reserve(b, HANDSHAKE_BYTES), c, HANDSHAKE_BYTES);
        b->len += HANDSHAKE_BYTES;
    }
}

TEST(frame_any_pieces, "frames come out the same however the stream is cut in two")
{
    struct buf b = BUF_INIT;
    put_two(&b);
    for (size_t cut = 0; cut <= b.len; cut++) {
        struct frame_reader r = FRAME_READER_INIT;
        struct slice sealed, pieces[2] = {slice_of(b.ptr, cut), slice_skip(buf_slice(&b), cut)};
        uint8_t n = 0;
        for (size_t i = 0; i < 2; i++) {
            while (frame_next(&r, FRAME_HANDSHAKE, &pieces[i], &sealed) == 1) {
                CHECK_EQ(sealed.len, HANDSHAKE_BYTES);
                CHECK_EQ(sealed.ptr[0], 'a' + n);
                CHECK_EQ(sealed.ptr[HANDSHAKE_BYTES - 1], 'a' + n);
                n++;
            }
            CHECK_EQ(pieces[i].len, 0);
        }
        CHECK_EQ(n, 2);
        frame_reader_clear(&r);
    }
    buf_clear(&b);
}

TEST(frame_lengths, "each phase allows its lengths and refuses the others with the second byte")
{
    for (size_t len = 0; len <= UINT16_MAX; len++) {
        uint8_t header[2] = {(uint8_t)(len >> 8), (uint8_t)len};
        struct frame_reader r = FRAME_READER_INIT;
        struct slice sealed, in = slice_of(header, 2);
        int expected = len == HANDSHAKE_BYTES ? 0 : RAPPORT_MALFORMED;
        CHECK_EQ(frame_next(&r, FRAME_HANDSHAKE, &in, &sealed), expected);
        frame_reader_clear(&r);
        in = slice_of(header, 2);
        expected = len >= FRAME_LEAST_SEALED ? 0 : RAPPORT_MALFORMED;
        CHECK_EQ(frame_next(&r, FRAME_TRANSPORT, &in, &sealed), expected);
        frame_reader_clear(&r);
    }
}

TEST(frame_no_claims, "a claimed length alone makes nothing be kept but the two bytes")
{
    struct frame_reader r = FRAME_READER_INIT;
    struct slice sealed, in = slice_str("\xff\xff");
    CHECK_EQ(frame_next(&r, FRAME_TRANSPORT, &in, &sealed), 0);
    CHECK(r.partial.cap <= 64);
    frame_reader_clear(&r);
}

TEST(frame_in_place, "a frame that lies whole in the bytes is not copied")
{
    struct buf b = BUF_INIT;
    put_two(&b);
    struct frame_reader r = FRAME_READER_INIT;
    struct slice sealed, in = buf_slice(&b);
    CHECK_EQ(frame_next(&r, FRAME_HANDSHAKE, &in, &sealed), 1);
    CHECK(sealed.ptr == b.ptr + 2);
    CHECK(in.ptr == b.ptr + 258);
    CHECK_EQ(r.partial.cap, 0);
    buf_clear(&b);
}

TEST(frame_memory, "without memory nothing of the bytes is used, and it goes on afterwards")
{
    struct buf b = BUF_INIT;
    put_two(&b);
    struct frame_reader r = FRAME_READER_INIT;
    struct slice sealed, in = slice_of(b.ptr, 100);
    test_fail_allocation(0);
    int error = frame_next(&r, FRAME_HANDSHAKE, &in, &sealed);
    test_fail_allocation(-1);
    CHECK_EQ(error, RAPPORT_NOMEM);
    CHECK_EQ(in.len, 100);
    CHECK_EQ(frame_next(&r, FRAME_HANDSHAKE, &in, &sealed), 0);
    CHECK_EQ(in.len, 0);
    in = slice_of(b.ptr + 100, 158);
    CHECK_EQ(frame_next(&r, FRAME_HANDSHAKE, &in, &sealed), 1);
    CHECK_EQ(sealed.ptr[HANDSHAKE_BYTES - 1], 'a');
    frame_reader_clear(&r);
    buf_clear(&b);
}
