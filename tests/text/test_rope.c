/* test_rope.c - the gap buffer against a plain string. */
#include <stdlib.h>

#include "base/utf8.h"
#include "rapport/error.h"
#include "test.h"
#include "text/rope.h"

/* Replaces n code points at pos by text, in a plain buffer. */
static void edit_plain(struct buf *plain, size_t pos, size_t n, struct slice text)
{
    struct buf changed = BUF_INIT;
    struct slice old = buf_slice(plain);
    size_t from = utf8_offset(old, pos), to = from + utf8_offset(slice_skip(old, from), n);
    buf_append(&changed, old.ptr, from);
    buf_append_slice(&changed, text);
    buf_append_slice(&changed, slice_skip(old, to));
    buf_clear(plain);
    *plain = changed;
}

static void check_same(const struct rope *rope, const struct buf *plain)
{
    char *text = malloc(rope_size(rope) + 1);
    CHECK(text);
    rope_read(rope, 0, rope_size(rope), text);
    CHECK_BYTES(text, rope_size(rope), plain->ptr, plain->len);
    CHECK_EQ(rope->n, utf8_count(buf_slice(plain)));
    free(text);
}

static void edit_at_random(struct test_rng *rng, bool wide, size_t most_len, int n_edits)
{
    static const uint32_t characters[] = {'a', '\n', 0xe9, 0x20ac, 0x1f600};
    struct rope rope = ROPE_INIT;
    struct buf plain = BUF_INIT, text = BUF_INIT;
    for (int i = 0; i < n_edits; i++) {
        size_t pos = test_rng_below(rng, rope.n + 3), n = test_rng_below(rng, most_len);
        size_t n_deleted = test_rng_below(rng, 3) ? 0 : test_rng_below(rng, most_len);
        buf_reset(&text);
        for (size_t k = 0; k < n; k++)
            utf8_put(&text, characters[test_rng_below(rng, wide && i > 5 ? 5 : 2)]);
        CHECK_EQ(rope_reserve(&rope, text.len, text.len != n), 0);
        rope_delete(&rope, pos, n_deleted);
        rope_insert(&rope, pos, buf_slice(&text), n);
        edit_plain(&plain, pos, n_deleted, buf_slice(&text));
        size_t at = test_rng_below(rng, rope.n + 2);
        CHECK_EQ(rope_offset(&rope, at), utf8_offset(buf_slice(&plain), at));
    }
    check_same(&rope, &plain);
    rope_clear(&rope);
    buf_clear(&plain);
    buf_clear(&text);
}

TEST(rope_edits, "random edits leave the rope as the plain string, narrow and wide, near and far")
{
    struct test_rng rng = test_rng_start(1);
    for (int i = 0; i < 40; i++) {
        edit_at_random(&rng, i % 2, 8, 300);
        edit_at_random(&rng, i % 2, 3000, 40);
    }
}

TEST(rope_out_of_range,
     "an insert past the end goes to the end, a delete past the end does nothing")
{
    struct rope rope = ROPE_INIT;
    char text[8];
    CHECK_EQ(rope_reserve(&rope, 5, true), 0);
    rope_insert(&rope, 9, slice_str("ab"), 2);
    rope_insert(&rope, 7, slice_str("\xc3\xa9"), 1);
    rope_delete(&rope, 3, 1);
    rope_delete(&rope, 1, 0);
    CHECK_EQ(rope.n, 3);
    rope_read(&rope, 0, rope_size(&rope), text);
    CHECK_BYTES(text, rope_size(&rope), "ab\xc3\xa9", 4);
    rope_delete(&rope, 2, 100);
    CHECK_EQ(rope_size(&rope), 2);
    rope_clear(&rope);
}

TEST(rope_no_memory, "a failed reserve leaves the rope as it was")
{
    struct rope rope = ROPE_INIT;
    CHECK_EQ(rope_reserve(&rope, 3, false), 0);
    rope_insert(&rope, 0, slice_str("abc"), 3);
    for (long n = 0;; n++) {
        test_fail_allocation(n);
        int error = rope_reserve(&rope, 100000, true);
        bool failed = test_allocation_failed();
        test_fail_allocation(-1);
        CHECK_EQ(rope.n, 3);
        CHECK_EQ(rope_offset(&rope, 2), 2);
        if (!failed) {
            CHECK_EQ(error, 0);
            break;
        }
        CHECK_EQ(error, RAPPORT_NOMEM);
    }
    rope_clear(&rope);
}
