/* test_front_matter.c - front matter, titles and tags of notes. */
#include <stdlib.h>

#include "base/utf8.h"
#include "publish/front_matter.h"
#include "rapport/error.h"
#include "test.h"

static struct front_matter parse(const char *text)
{
    struct front_matter m;
    CHECK_EQ(front_matter_parse(slice_str(text), &m), 0);
    return m;
}

TEST(all_keys,
     "all known keys are read, unknown ones kept as they stand, the body begins behind the fence")
{
    struct front_matter m = parse("---\n"
                                  "title: \"Notes: a \\\"view\\\" \\u00e9\" # said so\n"
                                  "date: 2023-02-06\n"
                                  "slug: my-slug\n"
                                  "lang: nb\n"
                                  "summary: 'it''s short'\n"
                                  "draft: yes\n"
                                  "tags: [post, \"a, b\", '#hash', post]\n"
                                  "authors:\n"
                                  "  - Ada\n"
                                  "- \"Bob\"\n"
                                  "# a comment\n"
                                  "cover:\n"
                                  "  image: x.jpg\n"
                                  "weight: 3\n"
                                  "---\n"
                                  "Body\n");
    CHECK(m.present);
    CHECK_STR(m.title, "Notes: a \"view\" é");
    CHECK_STR(m.date, "2023-02-06");
    CHECK_STR(m.slug, "my-slug");
    CHECK_STR(m.lang, "nb");
    CHECK_STR(m.summary, "it's short");
    CHECK(m.draft);
    CHECK_EQ(m.n_tags, 3);
    CHECK_STR(m.tags[1], "a, b");
    CHECK_STR(m.tags[2], "hash");
    CHECK_EQ(m.n_authors, 2);
    CHECK_STR(m.authors[1], "Bob");
    CHECK_STR(m.unknown, "cover:\n  image: x.jpg\nweight: 3\n");
    CHECK_SLICE(m.body, slice_str("Body\n"));
    CHECK_EQ(m.body_line, 17);
    CHECK_EQ(m.n_problems, 0);
    front_matter_clear(&m);
}

TEST(bad_lines, "each line that does not parse is named, and the others still work")
{
    struct front_matter m = parse("---\n"
                                  "title: \"no end\n"
                                  "date: yesterday\n"
                                  "draft: maybe\n"
                                  "tags: [a, b\n"
                                  "just words\n"
                                  "summary: |\n"
                                  "lang: en\n"
                                  "---\n");
    static const size_t lines[] = {2, 3, 4, 5, 6, 7};
    CHECK_EQ(m.n_problems, 6);
    for (size_t i = 0; i < 6; i++)
        CHECK_EQ(m.problems[i].line, lines[i]);
    CHECK_STR(m.lang, "en");
    CHECK_STR(m.title, "");
    CHECK_STR(m.date, "");
    front_matter_clear(&m);
}

TEST(no_front_matter, "without fences, or without the second one, all is body")
{
    struct front_matter m = parse("# Title\n---\n");
    CHECK(!m.present);
    CHECK_EQ(m.body.len, 12);
    CHECK_EQ(m.n_problems, 0);
    front_matter_clear(&m);
    m = parse("---\ntitle: x\n");
    CHECK(!m.present);
    CHECK_EQ(m.n_problems, 1);
    CHECK_EQ(m.problems[0].line, 1);
    front_matter_clear(&m);
    m = parse("");
    CHECK_EQ(m.body.len, 0);
    front_matter_clear(&m);
}

TEST(limits, "front matter, lists, values and problems end at their limits")
{
    struct buf b = BUF_INIT;
    struct front_matter m;
    buf_append_str(&b, "---\ntags:\n");
    for (int i = 0; i <= FRONT_MATTER_MOST_ITEMS; i++)
        buf_printf(&b, "- t%d\n", i);
    for (int i = 0; i < FRONT_MATTER_MOST_PROBLEMS; i++)
        buf_append_str(&b, "?\n");
    buf_append_str(&b, "title: ");
    size_t title_at = b.len;
    for (int i = 0; i < FRONT_MATTER_MOST_SCALAR_BYTES; i++)
        buf_u8(&b, 'x');
    size_t len = b.len;
    buf_append_str(&b, "\n---\n");
    CHECK_EQ(front_matter_parse(buf_slice(&b), &m), 0);
    CHECK_EQ(m.n_tags, FRONT_MATTER_MOST_ITEMS);
    CHECK_EQ(m.n_problems, FRONT_MATTER_MOST_PROBLEMS);
    CHECK_EQ(strlen(m.title), FRONT_MATTER_MOST_SCALAR_BYTES);
    front_matter_clear(&m);
    b.len = len;
    buf_append_str(&b, "x\n---\n");
    CHECK_EQ(front_matter_parse(buf_slice(&b), &m), 0);
    CHECK_STR(m.title, "");
    front_matter_clear(&m);
    (void)title_at;
    buf_reset(&b);
    buf_append_str(&b, "---\n");
    for (int i = 0; i < FRONT_MATTER_MOST_BYTES / 2; i++)
        buf_append_str(&b, "\n\n");
    len = b.len;
    buf_append_str(&b, "---\n");
    CHECK_EQ(front_matter_parse(buf_slice(&b), &m), 0);
    CHECK(m.present);
    front_matter_clear(&m);
    b.len = len;
    buf_append_str(&b, "\n---\n");
    CHECK_EQ(front_matter_parse(buf_slice(&b), &m), 0);
    CHECK(!m.present);
    front_matter_clear(&m);
    buf_clear(&b);
}

static void check_title(const char *text, const char *expected)
{
    struct buf b = BUF_INIT;
    CHECK_EQ(note_title(slice_str(text), &b), 0);
    CHECK_SLICE(buf_slice(&b), slice_str(expected));
    buf_clear(&b);
}

TEST(titles, "a note's title is its first heading without marks, else its first line")
{
    check_title("---\ntitle: other\n---\n\n## Send in the `chown()`s ##\n", "Send in the chown()s");
    check_title("first line\n\nmore\n", "first line");
    check_title("intro\n\nSetext *one*\n===\n", "Setext one");
    check_title("```\n# not this\n```\n# \\[This\\] snake_case [link](http://x)\n",
                "[This] snake_case link");
    check_title("\n\n", "");
    check_title("# a\x1b[31mb\u202e\tc\n", "a[31mb c");
}

TEST(tags, "tags come from front matter and from #words outside of code")
{
    struct arena a = ARENA_INIT;
    const char **tags;
    size_t n;
    CHECK_EQ(
        note_tags(
            slice_str(
                "---\ntags: [go, nix]\n---\n# Heading #inhead\n#go and #ebpf, (#k8s/net-) `#no` "
                "a#no #1no\n```\n#no\n```\n[x](y#no) #čeština\n"),
            &a, &tags, &n),
        0);
    static const char *const expected[] = {"go", "nix", "inhead", "ebpf", "k8s/net", "čeština"};
    CHECK_EQ(n, 6);
    for (size_t i = 0; i < n; i++)
        CHECK_STR(tags[i], expected[i]);
    arena_clear(&a);
}

TEST(any_bytes, "any bytes are front matter or body, never worse, and strings are UTF-8")
{
    static const char alphabet[] = "---\n\n:  tagsitle[],'\"\\#-x\xc3\xa9\xff|";
    struct test_rng rng = test_rng_start(5);
    for (int i = 0; i < 20000; i++) {
        char text[80] = "---\ntags: ";
        size_t n = 10 + test_rng_below(&rng, 60);
        for (size_t k = 10; k < n; k++)
            text[k] = alphabet[test_rng_below(&rng, sizeof alphabet - 1)];
        strcpy(text + n, "\n---\n");
        struct front_matter m = parse(text);
        for (size_t k = 0; k < m.n_tags; k++)
            CHECK(utf8_valid(slice_str(m.tags[k])));
        CHECK(utf8_valid(slice_str(m.title)));
        front_matter_clear(&m);
    }
}

TEST(front_matter_memory, "each allocation that fails gives NOMEM")
{
    static const char text[] = "---\ntitle: t\ntags: [a, b]\nx: y\nbad\n---\n# T #tag\n";
    long n = 0;
    for (bool reached = true; reached; n++) {
        struct front_matter m;
        test_fail_allocation(n);
        int error = front_matter_parse(slice_str(text), &m);
        reached = test_allocation_failed();
        test_fail_allocation(-1);
        CHECK_EQ(error, reached ? RAPPORT_NOMEM : 0);
        if (!error)
            front_matter_clear(&m);
    }
    for (bool reached = true; reached; n++) {
        struct arena a = ARENA_INIT;
        const char **tags;
        size_t n_tags;
        test_fail_allocation(n % 100);
        int error = note_tags(slice_str(text), &a, &tags, &n_tags);
        reached = test_allocation_failed();
        test_fail_allocation(-1);
        CHECK_EQ(error, reached ? RAPPORT_NOMEM : 0);
        arena_clear(&a);
    }
}
