/* test_merge.c - three-way merge of texts, and which text an editor had read. */
#include <stdlib.h>

#include "base/utf8.h"
#include "host/merge.h"
#include "rapport/error.h"
#include "test.h"

#define CHECK_MERGE(base, mine, theirs, expected)                                                  \
    do {                                                                                           \
        struct buf merged = BUF_INIT;                                                              \
        CHECK_EQ(merge_texts(slice_str(base), slice_str(mine), slice_str(theirs), &merged), 0);    \
        CHECK_SLICE(buf_slice(&merged), slice_str(expected));                                      \
        buf_clear(&merged);                                                                        \
    } while (0)

TEST(merge_apart, "changes at different places are both there")
{
    CHECK_MERGE("one\ntwo\nthree\n", "ONE\ntwo\nthree\n", "one\ntwo\nTHREE\n", "ONE\ntwo\nTHREE\n");
    CHECK_MERGE("one\ntwo\nthree\n", "one\nthree\n", "one\ntwo\nthree\nfour\n",
                "one\nthree\nfour\n");
    CHECK_MERGE("", "mine\n", "theirs\n", "theirs\nmine\n");
}

TEST(merge_alike, "what both did alike is done once")
{
    CHECK_MERGE("one\n", "one\ntwo\n", "one\ntwo\n", "one\ntwo\n");
    CHECK_MERGE("one\ntwo\n", "two\n", "two\n", "two\n");
    CHECK_MERGE("same\n", "same\n", "same\n", "same\n");
}

TEST(merge_code_points, "characters of several bytes stay whole")
{
    CHECK_MERGE("caf\xc3\xa9 \xf0\x9f\x92\x9a z\n", "caf\xc3\xa8 \xf0\x9f\x92\x9a z\n",
                "caf\xc3\xa9 \xf0\x9f\x92\x9a z!\n", "caf\xc3\xa8 \xf0\x9f\x92\x9a z!\n");
}

static struct slice random_text(struct test_rng *rng, char *out, size_t most)
{
    static const char *const words[] = {"a", "b\n", "\xc3\xa9", "\xf0\x9f\x92\x9a", "cd", "\n"};
    size_t len = 0, n = test_rng_below(rng, most);
    for (size_t i = 0; i < n; i++) {
        const char *word = words[test_rng_below(rng, sizeof words / sizeof words[0])];
        memcpy(out + len, word, strlen(word));
        len += strlen(word);
    }
    return slice_of(out, len);
}

TEST(merge_random, "a merge with an unchanged side is the other side, and is always valid UTF-8")
{
    struct test_rng rng = test_rng_start(7);
    char texts[3][512];
    for (int i = 0; i < 2000; i++) {
        struct slice base = random_text(&rng, texts[0], 60), mine = random_text(&rng, texts[1], 60);
        struct slice theirs = random_text(&rng, texts[2], 60);
        struct buf out = BUF_INIT;
        CHECK_EQ(merge_texts(base, mine, base, &out), 0);
        CHECK_SLICE(buf_slice(&out), mine);
        buf_reset(&out);
        CHECK_EQ(merge_texts(base, base, theirs, &out), 0);
        CHECK_SLICE(buf_slice(&out), theirs);
        buf_reset(&out);
        CHECK_EQ(merge_texts(base, mine, theirs, &out), 0);
        CHECK(utf8_valid(buf_slice(&out)));
        buf_clear(&out);
    }
}

TEST(merge_out_of_memory, "each failed allocation is an error and leaks nothing")
{
    long n = 0;
    for (bool failed = true; failed; n++) {
        struct buf out = BUF_INIT;
        test_fail_allocation(n);
        int error = merge_texts(slice_str("one\ntwo\n"), slice_str("one\n"),
                                slice_str("one\ntwo\nthree\n"), &out);
        failed = test_allocation_failed();
        test_fail_allocation(-1);
        CHECK_EQ(error, failed ? RAPPORT_NOMEM : 0);
        buf_clear(&out);
    }
    CHECK(n > 1);
}

static bool shows(const char *before, const char *after, const char *text)
{
    return change_shows(slice_str(before), slice_str(after), slice_str(text));
}

TEST(shows_lines,
     "new lines that are there show a change, old ones that still stand speak against it")
{
    CHECK(shows("a\n", "a\nBob\n", "a\nBob\nme\n"));
    CHECK(!shows("a\n", "a\nBob was here\n", "a\nAda was here\n"));
    CHECK(!shows("a\n", "a\nBob\n", "a, edited\n"));
    CHECK(shows("a\nb\n", "a\n", "a\nmore\n"));
    CHECK(!shows("a\nb\n", "a\n", "a\nb\nmore\n"));
    CHECK(shows("a\n", "a\n", "anything\n"));
}

TEST(shows_within_a_line, "within one line most of what was inserted must be there")
{
    CHECK(shows("the talk\n", "the good talk\n", "the good talk, really\n"));
    CHECK(!shows("the talk\n", "the good talk\n", "the talk, really\n"));
}
