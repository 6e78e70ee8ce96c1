/* test_slug.c - slugs: shape, limits, reserved names. */
#include "base/utf8.h"
#include "publish/slug.h"
#include "rapport/error.h"
#include "test.h"

static void check_slug(struct slice title, const char *expected)
{
    struct buf b = BUF_INIT;
    CHECK_EQ(slug_make(title, &b), 0);
    CHECK_STR(buf_cstr(&b), expected);
    buf_clear(&b);
}

TEST(plain,
     "letters and digits of any script are kept in lower case, runs of others become one dash")
{
    static const char *const cases[][2] = {
        {"Send in the chown()s", "send-in-the-chown-s"},
        {"  Headscale: How we… test  ", "headscale-how-we-test"},
        {"Márk Sági-KAZÁR", "márk-sági-kazár"},
        {"Kožar ŠKODA", "kožar-škoda"},
        {"ПРИВЕТ Ωmega", "привет-ωmega"},
        {"日本語 ノート", "日本語-ノート"},
        {"a\u202eb\u200bc\x1b[31m", "a-b-c-31m"},
        {"🏷 post 🏷", "post"},
        {"../../etc/passwd", "etc-passwd"},
        {"C++ & C#", "c-c"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_slug(slice_str(cases[i][0]), cases[i][1]);
}

TEST(special, "a slug is never empty, never index and never a device of Windows")
{
    check_slug(slice_str(""), "untitled");
    check_slug(slice_str("…!?"), "untitled");
    check_slug(slice_str("\xff\xfe"), "untitled");
    check_slug(slice_str("Index"), "index-1");
    check_slug(slice_str("CON"), "con-1");
    check_slug(slice_str("lpt9"), "lpt9-1");
    check_slug(slice_str("com10"), "com10");
}

TEST(length, "a slug has at most 80 bytes, cut at a dash or between code points")
{
    struct buf long_word = BUF_INIT;
    for (int i = 0; i < 60; i++)
        buf_append_str(&long_word, "é");
    struct buf b = BUF_INIT;
    slug_make(buf_slice(&long_word), &b);
    CHECK_EQ(b.len, SLUG_MOST_BYTES);
    CHECK(utf8_valid(buf_slice(&b)));
    check_slug(slice_str("devenv.sh - Fast, Declarative, Reproducible, and Composable Developer "
                         "Environments for "
                         "all"),
               "devenv-sh-fast-declarative-reproducible-and-composable-developer-environments");
    buf_clear(&b);
    buf_clear(&long_word);
}

TEST(stable, "a slug's slug is itself, for any bytes")
{
    struct test_rng rng = test_rng_start(3);
    for (int i = 0; i < 20000; i++) {
        uint8_t bytes[96];
        size_t n = test_rng_below(&rng, sizeof bytes);
        for (size_t k = 0; k < n; k++)
            bytes[k] = (uint8_t)test_rng_next(&rng);
        struct buf text = BUF_INIT, once = BUF_INIT, twice = BUF_INIT;
        for (size_t k = 0; i % 2 && k < n; k++)
            utf8_put(&text, (uint32_t)bytes[k] * 7);
        slug_make(i % 2 ? buf_slice(&text) : slice_of(bytes, n), &once);
        CHECK(once.len > 0 && once.len <= SLUG_MOST_BYTES && utf8_valid(buf_slice(&once)));
        CHECK_EQ(slug_make(buf_slice(&once), &twice), 0);
        CHECK_SLICE(buf_slice(&once), buf_slice(&twice));
        buf_clear(&text);
        buf_clear(&once);
        buf_clear(&twice);
    }
}

TEST(slug_memory, "a failed allocation gives NOMEM")
{
    for (long n = 0; n < 2; n++) {
        struct buf b = BUF_INIT;
        test_fail_allocation(n);
        int error = slug_make(slice_str("Some title"), &b);
        test_fail_allocation(-1);
        CHECK_EQ(error, RAPPORT_NOMEM);
        buf_clear(&b);
    }
}
