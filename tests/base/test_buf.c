/* test_buf.c - the growable buffer: content, growth, limits, out of memory. */
#include <stdlib.h>

#include "base/buf.h"
#include "rapport/error.h"
#include "test.h"

TEST(buf_appends, "every writer appends its bytes in order")
{
    struct buf b = BUF_INIT;
    buf_append(&b, "a", 1);
    buf_append(&b, NULL, 0);
    buf_append_slice(&b, slice_str("bc"));
    buf_append_slice(&b, (struct slice){0});
    buf_append_str(&b, "d");
    buf_printf(&b, "%03d%s", 7, "");
    buf_u8(&b, 0xff);
    buf_u16be(&b, 0x0102);
    buf_u32be(&b, 0x03040506);
    buf_u64be(&b, 0x0708090a0b0c0d0eu);
    buf_varint(&b, 300);
    CHECK_EQ(buf_error(&b), 0);
    static const char expected[] =
        "abcd007\xff\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\xac\x02";
    CHECK_SLICE(buf_slice(&b), slice_of(expected, sizeof expected - 1));
    buf_clear(&b);
}

TEST(buf_varint_bytes, "varints have the shortest length, 1 to 10 bytes, byte for byte as ever")
{
    static const struct {
        uint64_t v;
        const char *bytes;
    } cases[] = {
        {0, "\x00"},
        {1, "\x01"},
        {127, "\x7f"},
        {128, "\x80\x01"},
        {16383, "\xff\x7f"},
        {16384, "\x80\x80\x01"},
        {UINT64_MAX, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"},
    };
    struct buf b = BUF_INIT;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf_reset(&b);
        buf_varint(&b, cases[i].v);
        size_t n = cases[i].v ? strlen(cases[i].bytes) : 1;
        CHECK_BYTES(b.ptr, b.len, cases[i].bytes, n);
    }
    buf_clear(&b);
}

TEST(buf_reserve_nothing, "room for 0 bytes of an empty buffer is room, not an error")
{
    struct buf b = BUF_INIT;
    CHECK(buf_reserve(&b, 0) != NULL);
    CHECK_EQ(b.len, 0);
    buf_clear(&b);
    CHECK(b.ptr == NULL);
}

TEST(buf_limit, "a growth that no address space holds is LIMIT and keeps what was written")
{
    struct buf b = BUF_INIT;
    buf_append_str(&b, "kept");
    CHECK(buf_reserve(&b, SIZE_MAX) == NULL);
    CHECK_EQ(buf_error(&b), RAPPORT_LIMIT);
    buf_append_str(&b, "lost");
    CHECK(buf_reserve(&b, 1) == NULL);
    CHECK(buf_cstr(&b) == NULL);
    CHECK_SLICE(buf_slice(&b), slice_str("kept"));
    buf_reset(&b);
    CHECK_EQ(buf_error(&b), 0);
    buf_append_str(&b, "again");
    CHECK_SLICE(buf_slice(&b), slice_str("again"));
    buf_clear(&b);
}

TEST(buf_grows, "a million single bytes come back in order")
{
    struct buf b = BUF_INIT;
    for (size_t i = 0; i < 1000000; i++)
        buf_u8(&b, (uint8_t)(i * 7));
    CHECK_EQ(b.len, 1000000);
    for (size_t i = 0; i < b.len; i++)
        CHECK_EQ(b.ptr[i], (uint8_t)(i * 7));
    CHECK(b.cap < 2 * b.len);
    buf_clear(&b);
}

TEST(buf_large_append, "one append of any size has its room, to the byte")
{
    static uint8_t big[5000];
    for (size_t n = 1; n < sizeof big; n += 37) {
        struct buf b = BUF_INIT;
        buf_append(&b, big, 1);
        buf_append(&b, big, n);
        CHECK_EQ(b.len, n + 1);
        CHECK(b.cap >= b.len);
        buf_clear(&b);
    }
}

TEST(buf_consume_front, "consumed bytes are gone from the front, all of them too")
{
    struct buf b = BUF_INIT;
    buf_consume(&b, 0);
    buf_append_str(&b, "hello");
    buf_consume(&b, 0);
    buf_consume(&b, 2);
    CHECK_SLICE(buf_slice(&b), slice_str("llo"));
    buf_consume(&b, 3);
    CHECK_EQ(b.len, 0);
    buf_clear(&b);
}

TEST(buf_c_string, "the C string view ends in a NUL that does not count")
{
    struct buf b = BUF_INIT;
    CHECK_STR(buf_cstr(&b), "");
    buf_append_str(&b, "text");
    CHECK_STR(buf_cstr(&b), "text");
    CHECK_EQ(b.len, 4);
    buf_append_str(&b, "s");
    CHECK_STR(buf_cstr(&b), "texts");
    buf_clear(&b);
}

TEST(buf_detaches, "detached memory is the caller's, and the buffer starts afresh")
{
    struct buf b = BUF_INIT;
    size_t len = 9;
    CHECK(buf_detach(&b, &len) == NULL);
    CHECK_EQ(len, 0);
    buf_append_str(&b, "mine");
    uint8_t *mine = buf_detach(&b, &len);
    CHECK_BYTES(mine, len, "mine", 4);
    CHECK(b.ptr == NULL && b.len == 0 && b.cap == 0);
    free(mine);
}

TEST(buf_wipes, "a wiped buffer is empty and usable, an untouched one too")
{
    struct buf b = BUF_INIT;
    buf_wipe(&b);
    buf_append_str(&b, "secret");
    buf_wipe(&b);
    CHECK(b.ptr == NULL && b.len == 0 && b.cap == 0);
}

TEST(buf_out_of_memory, "whichever growth fails: NOMEM sticks and a prefix of the content stays")
{
    bool failed = true;
    for (long n = 0; failed; n++) {
        struct buf b = BUF_INIT;
        test_fail_allocation(n);
        for (unsigned i = 0; i < 500; i++)
            buf_u8(&b, (uint8_t)i);
        buf_printf(&b, "%d", 12345);
        failed = test_allocation_failed();
        test_fail_allocation(-1);
        CHECK_EQ(buf_error(&b), failed ? RAPPORT_NOMEM : 0);
        CHECK(failed || b.len == 505);
        for (size_t i = 0; i < b.len && i < 500; i++)
            CHECK_EQ(b.ptr[i], (uint8_t)i);
        CHECK(!failed || buf_cstr(&b) == NULL);
        buf_clear(&b);
    }
}
