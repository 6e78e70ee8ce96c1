/* Requests taken apart and replies put together: limits, truncation, frozen bytes. */
#include <stdlib.h>

#include "daemon/pack.h"
#include "rapport/error.h"
#include "test.h"

static void put_open(struct buf *b, size_t n_peers, size_t text_len)
{
    char text[PACK_MOST_TEXT + 2];
    memset(text, 'a', sizeof text);
    mp_put_array(b, 2);
    mp_put_cstr(b, "daemon.open");
    mp_put_map(b, 3);
    mp_put_cstr(b, "dir");
    mp_put_str(b, slice_of(text, text_len));
    mp_put_cstr(b, "peers");
    mp_put_array(b, n_peers);
    for (size_t i = 0; i < n_peers; i++)
        mp_put_cstr(b, "host");
    pack_put_u64(b, "wait_s", 12);
}

TEST(pack_request, "op and arguments are found; absent and mistyped ones are said to be absent")
{
    struct buf b = BUF_INIT;
    struct pack_request r;
    char *dir = NULL, *peers[PACK_MOST_STRINGS];
    size_t n = 9;
    uint64_t wait = 0;
    put_open(&b, 2, 3);
    CHECK_EQ(pack_open(&r, buf_slice(&b)), 0);
    CHECK_SLICE(r.op, slice_str("daemon.open"));
    CHECK_SLICE(pack_op(buf_slice(&b)), slice_str("daemon.open"));
    CHECK(pack_text(&r, "dir", &dir));
    CHECK_STR(dir, "aaa");
    CHECK(pack_texts(&r, "peers", peers, &n) && n == 2);
    CHECK_STR(peers[1], "host");
    pack_free_texts(peers, n);
    CHECK(pack_u64(&r, "wait_s", &wait) && wait == 12);
    CHECK(!pack_u64(&r, "dir", &wait));
    CHECK(!pack_bool(&r, "wait_s"));
    CHECK(pack_texts(&r, "listen", peers, &n) && n == 0);
    CHECK(!pack_texts(&r, "dir", peers, &n));
    free(dir);
    pack_close(&r);
    buf_clear(&b);
}

TEST(pack_limits, "texts and lists are taken up to their limits and not beyond")
{
    struct pack_request r;
    for (size_t over = 0; over < 2; over++) {
        struct buf b = BUF_INIT;
        char *dir = NULL, *peers[PACK_MOST_STRINGS];
        size_t n = 0;
        put_open(&b, PACK_MOST_STRINGS + over, PACK_MOST_TEXT + over);
        CHECK_EQ(pack_open(&r, buf_slice(&b)), 0);
        CHECK_EQ(pack_text(&r, "dir", &dir), !over);
        CHECK_EQ(pack_texts(&r, "peers", peers, &n), !over);
        CHECK_EQ(n, over ? 0 : PACK_MOST_STRINGS);
        pack_free_texts(peers, n);
        free(dir);
        pack_close(&r);
        buf_clear(&b);
    }
    struct buf many = BUF_INIT;
    mp_put_array(&many, 2);
    mp_put_cstr(&many, "x");
    mp_put_map(&many, 1);
    mp_put_cstr(&many, "list");
    mp_put_array(&many, PACK_MOST_ITEMS);
    for (size_t i = 0; i < PACK_MOST_ITEMS; i++)
        mp_put_u64(&many, i);
    CHECK_EQ(pack_open(&r, buf_slice(&many)), RAPPORT_LIMIT);
    buf_clear(&many);
}

TEST(pack_truncated, "a request cut at any length is refused, and so is a NUL in a text")
{
    struct buf b = BUF_INIT;
    struct pack_request r;
    put_open(&b, 2, 3);
    for (size_t n = 0; n < b.len; n++)
        CHECK(pack_open(&r, slice_of(b.ptr, n)) != 0);
    buf_clear(&b);
    char *dir = NULL;
    mp_put_array(&b, 2);
    mp_put_cstr(&b, "x");
    mp_put_map(&b, 1);
    mp_put_cstr(&b, "dir");
    mp_put_str(&b, slice_of("/a\0b", 4));
    CHECK_EQ(pack_open(&r, buf_slice(&b)), 0);
    CHECK(!pack_text(&r, "dir", &dir));
    pack_close(&r);
    buf_clear(&b);
}

TEST(pack_shapes, "what is no [op, {}] is refused")
{
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {{"\x90", 1},          {"\x91\x01", 2}, {"\x80", 1},
               {"\x92\xa1x\x01", 4}, {"\xa1x", 2},    {"\x93\xa1x\x80\x80", 5}};
    struct pack_request r;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK_EQ(pack_open(&r, slice_of(bad[i].bytes, bad[i].len)), RAPPORT_MALFORMED);
    CHECK_EQ(pack_op(slice_of("\x92\x01\x80", 3)).len, 0);
    CHECK_EQ(pack_op(slice_of("\x91\xa5x", 3)).len, 0);
    CHECK_EQ(pack_open_reply(&r, slice_of("\x90", 1)), RAPPORT_MALFORMED);
}

TEST(pack_failure_bytes, "a failure has these bytes; its message obeys no terminal")
{
    static const char expected[] = "\x82\xa2ok\xc2\xa5"
                                   "error\x83\xa4"
                                   "code\xa8NOTFOUND\xa4"
                                   "exit\x04\xa7message\xa5"
                                   "a\xe2\x90\x9b"
                                   "b";
    struct buf b = BUF_INIT;
    pack_failure(&b, RAPPORT_NOTFOUND, 4, "a\033b");
    CHECK_BYTES(b.ptr, b.len, expected, sizeof expected - 1);
    struct pack_request reply, error;
    char *code = NULL;
    CHECK_EQ(pack_open_reply(&reply, buf_slice(&b)), 0);
    CHECK(!pack_bool(&reply, "ok") && pack_map(&reply, "error", &error));
    CHECK(pack_text(&error, "code", &code));
    CHECK_STR(code, "NOTFOUND");
    free(code);
    pack_close(&reply);
    buf_clear(&b);
}

TEST(pack_values, "the encoded value of a key is found in maps of each size")
{
    for (size_t n = 1; n < 40; n += 13) {
        struct buf b = BUF_INIT;
        mp_put_map(&b, n);
        for (size_t i = 1; i < n; i++) {
            char key[8];
            (void)snprintf(key, sizeof key, "k%zu", i);
            pack_put_u64(&b, key, i);
        }
        pack_put_str(&b, "last", "v");
        CHECK_SLICE(pack_value(buf_slice(&b), "last"), slice_str("\xa1v"));
        CHECK_EQ(pack_value(buf_slice(&b), "none").len, 0);
        buf_clear(&b);
    }
}
