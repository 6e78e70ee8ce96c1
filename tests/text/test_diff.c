/* test_diff.c - edits between two texts: they always lead from one to the other, and are few. */
#include <stdlib.h>

#include "base/utf8.h"
#include "rapport/text.h"
#include "test.h"

/* Applies the edits, which must be in range and ascend, in one pass. */
static struct buf apply(struct slice old, const struct rapport_text_edit *edits, size_t n)
{
    struct buf text = BUF_INIT;
    size_t done = 0; /* code points in `text` */
    for (size_t i = 0; i < n; i++) {
        struct slice come = slice_of(edits[i].text, edits[i].text_len);
        CHECK(edits[i].pos >= done && utf8_valid(come));
        size_t kept = utf8_offset(old, edits[i].pos - done);
        CHECK_EQ(utf8_count(slice_of(old.ptr, kept)), edits[i].pos - done);
        buf_append(&text, old.ptr, kept);
        old = slice_skip(old, kept);
        size_t gone = utf8_offset(old, edits[i].n_deleted);
        CHECK_EQ(utf8_count(slice_of(old.ptr, gone)), edits[i].n_deleted);
        buf_append_slice(&text, come);
        old = slice_skip(old, gone);
        done = edits[i].pos + utf8_count(come);
    }
    buf_append_slice(&text, old);
    return text;
}

/* Checks a diff of two texts and gives the size of the edits: code points gone and come. */
static size_t check_diff(struct slice old, struct slice new, size_t *n_edits)
{
    struct rapport_text_edit *edits = NULL;
    size_t n = 0, size = 0;
    CHECK_EQ(rapport_text_diff((const char *)old.ptr, old.len, (const char *)new.ptr, new.len,
                               &edits, &n),
             0);
    struct buf text = apply(old, edits, n);
    CHECK_SLICE(buf_slice(&text), new);
    for (size_t i = 0; i < n; i++)
        size += edits[i].n_deleted + utf8_count(slice_of(edits[i].text, edits[i].text_len));
    *n_edits = n;
    buf_clear(&text);
    free(edits);
    return size;
}

TEST(small_diffs, "what is small is told with few edits")
{
    static const struct {
        const char *old, *new;
        size_t n_edits, size;
    } cases[] = {
        {"", "", 0, 0},
        {"same\n", "same\n", 0, 0},
        {"", "new", 1, 3},
        {"gone", "", 1, 4},
        {"hello", "hallo", 1, 2},
        {"caf\xc3\xa9", "caf\xc3\xa8", 1, 2},           /* they share their first byte */
        {"\xf0\x9f\x98\x80", "\xf0\x9f\x99\x80", 1, 2}, /* their last byte too */
        {"a\nb\nc\nd\n", "a\nc\nd\n", 1, 2},
        {"a\nb\nc\n", "a\nb\nnew\nc\n", 1, 4},
        {"one two three\nkept\nfour five six\n", "one 2 three\nkept\nfour 5 six\n", 2, 9},
        {"x\nthe quick fox jumps\ny\n", "z\nthe slow fox leaps\nw\n", 0, 0},
        {"abcdef", "uvwxyz", 1, 12},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n, size = check_diff(slice_str(cases[i].old), slice_str(cases[i].new), &n);
        if (!cases[i].n_edits && n)
            continue;
        CHECK_EQ(n, cases[i].n_edits);
        CHECK(size <= cases[i].size);
    }
}

static void append_random(struct buf *b, struct test_rng *rng, size_t n)
{
    static const uint32_t characters[] = {'a', 'b', '\n', ' ', 0xe9, 0xe8, 0x20ac, 0x1f600};
    for (size_t i = 0; i < n; i++)
        utf8_put(b, characters[test_rng_below(rng, 8)]);
}

TEST(random_diffs, "the edits between random texts lead from one to the other")
{
    struct test_rng rng = test_rng_start(5);
    for (int round = 0; round < 1500; round++) {
        struct buf old = BUF_INIT, new = BUF_INIT;
        size_t n, n_parts = test_rng_below(&rng, 6);
        for (size_t i = 0; i < n_parts; i++) {
            size_t before = old.len;
            append_random(&old, &rng, test_rng_below(&rng, 60));
            if (test_rng_below(&rng, 3))
                buf_append(&new, old.ptr + before, old.len - before);
            else
                append_random(&new, &rng, test_rng_below(&rng, 60));
        }
        check_diff(buf_slice(&old), buf_slice(&new), &n);
        buf_clear(&old);
        buf_clear(&new);
    }
}

TEST(great_diffs, "texts with nothing or little in common are told in bounded effort")
{
    struct test_rng rng = test_rng_start(6);
    struct buf old = BUF_INIT, new = BUF_INIT;
    size_t n;
    for (int i = 0; i < 20000; i++) {
        buf_printf(&old, "line %d of the old text\n", i);
        if (test_rng_below(&rng, 2))
            buf_printf(&new, "line %d of the old text\n", i);
        else
            append_random(&new, &rng, 12);
    }
    size_t size = check_diff(buf_slice(&old), buf_slice(&new), &n);
    CHECK(size < old.len + new.len);
    buf_reset(&old);
    buf_reset(&new);
    for (int i = 0; i < 200000; i++) {
        buf_append_str(&old, "ab");
        buf_append_str(&new, "ba" + test_rng_below(&rng, 2));
    }
    check_diff(buf_slice(&old), buf_slice(&new), &n);
    buf_clear(&old);
    buf_clear(&new);
}

TEST(bad_diffs, "text that is not UTF-8 is refused")
{
    struct rapport_text_edit *edits;
    size_t n;
    CHECK_EQ(rapport_text_diff("\xc3", 1, "a", 1, &edits, &n), RAPPORT_MALFORMED);
    CHECK_EQ(rapport_text_diff("a", 1, "\xff", 1, &edits, &n), RAPPORT_MALFORMED);
    CHECK_EQ(rapport_text_diff("a", ((size_t)1 << 30) + 1, "a", 1, &edits, &n), RAPPORT_LIMIT);
}

TEST(no_memory, "out of memory is an error")
{
    struct rapport_text_edit *edits = NULL;
    bool failed = true;
    for (long i = 0; failed; i++) {
        size_t n = 0;
        test_fail_allocation(i);
        int error = rapport_text_diff("a b c\nd\ne f g", 13, "a x c\nd\ne y g", 13, &edits, &n);
        failed = test_allocation_failed();
        test_fail_allocation(-1);
        CHECK_EQ(error, failed ? RAPPORT_NOMEM : 0);
    }
    free(edits);
}
