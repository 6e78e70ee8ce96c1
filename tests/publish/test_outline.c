/* test_outline.c - reading and drafting report.md. */
#include <stdlib.h>

#include "publish/outline.h"
#include "rapport/error.h"
#include "test.h"

#define NONE INT64_MAX

static const struct outline_note five[] = {
    {"notes/headscale.md", "Headscale", "headscale", "2023-02-04", 930},
    {"notes/chowns.md", "Send in the chown()s", "chowns", "2023-02-04", 655},
    {"notes/async.md", "Async in Python", "async", "2023-02-05", 1980},
    {"notes/booths.md", "Booths", "booths", "", NONE},
    {"notes/aurae.md", "Aurae", "aurae", "2023-02-04", 720},
};

/* Drafts with the notes in the given and in the opposite order: both must give `expected`. */
static void check_draft(const struct outline_note *notes, size_t n, const char *existing,
                        const char *expected)
{
    struct outline_note turned[16];
    struct buf b = BUF_INIT;
    CHECK_EQ(outline_draft(notes, n, slice_str(existing), &b, NULL), 0);
    CHECK_SLICE(buf_slice(&b), slice_str(expected));
    for (size_t i = 0; i < n; i++)
        turned[i] = notes[n - 1 - i];
    buf_reset(&b);
    CHECK_EQ(outline_draft(turned, n, slice_str(existing), &b, NULL), 0);
    CHECK_SLICE(buf_slice(&b), slice_str(expected));
    buf_clear(&b);
}

TEST(parse, "items are the author's lines and embeds in order; embeds in code are text")
{
    struct outline o;
    CHECK_EQ(
        outline_parse(
            slice_str("---\ntitle: T\n---\n\nIntro\n\n  ![[a/b.md|shown]] \r\n```\n![[no]]\n```\n"
                      "text ![[no]]\n![[c#part]]"),
            &o),
        0);
    CHECK_SLICE(o.front, slice_str("---\ntitle: T\n---\n"));
    CHECK_EQ(o.n_items, 4);
    CHECK_SLICE(o.items[0].text, slice_str("\nIntro\n\n"));
    CHECK_EQ(o.items[0].line, 4);
    CHECK_EQ(o.items[1].kind, OUTLINE_EMBED);
    CHECK_SLICE(o.items[1].text, slice_str("a/b.md"));
    CHECK_EQ(o.items[1].line, 7);
    CHECK_SLICE(o.items[2].text, slice_str("```\n![[no]]\n```\ntext ![[no]]\n"));
    CHECK_SLICE(o.items[3].text, slice_str("c"));
    outline_clear(&o);
}

TEST(resolve, "a note is found by path, short path, slug or title, in this order")
{
    size_t i;
    CHECK_EQ(outline_resolve(five, 5, slice_str("notes/aurae.md"), &i), 0);
    CHECK_EQ(i, 4);
    CHECK_EQ(outline_resolve(five, 5, slice_str("aurae"), &i), 0);
    CHECK_EQ(outline_resolve(five, 5, slice_str("send in the CHOWN()s"), &i), 0);
    CHECK_EQ(i, 1);
    CHECK_EQ(outline_resolve(five, 5, slice_str("zzz"), &i), RAPPORT_NOTFOUND);
    const struct outline_note twins[] = {{"notes/a/x.md", "X", "", "", NONE},
                                         {"notes/b/x.md", "X", "", "", NONE}};
    CHECK_EQ(outline_resolve(twins, 2, slice_str("X"), &i), RAPPORT_AMBIGUOUS);
    CHECK_EQ(outline_resolve(twins, 2, slice_str("b/x"), &i), 0);
    CHECK_EQ(i, 1);
}

TEST(fresh, "a fresh draft has the talks by time under their days, then the other notes")
{
    check_draft(
        five, 5, "---\ntitle: T\n---\n\nHello.\n",
        "---\ntitle: T\n---\n\nHello.\n\n## Saturday 4 February\n\n![[chowns]]\n\n![[aurae]]\n\n"
        "![[headscale]]\n\n## Sunday 5 February\n\n![[async]]\n\n![[booths]]\n");
    check_draft(five, 2, "", "![[chowns]]\n\n![[headscale]]\n");
    check_draft(five, 0, "", "");
}

TEST(again, "a draft of a draft changes nothing")
{
    struct buf once = BUF_INIT, twice = BUF_INIT, problems = BUF_INIT;
    CHECK_EQ(outline_draft(five, 5, slice_str(""), &once, NULL), 0);
    CHECK_EQ(outline_draft(five, 5, buf_slice(&once), &twice, &problems), 0);
    CHECK_SLICE(buf_slice(&twice), buf_slice(&once));
    CHECK_EQ(problems.len, 0);
    buf_clear(&once);
    buf_clear(&twice);
}

TEST(hand_order,
     "hand-made order and text are kept; a missing talk goes between its neighbours in time")
{
    check_draft(five, 5,
                "Intro\n\n![[chowns]]\nafter chowns\n\n![[async|x]]\n\n## "
                "Honourable\n\n![[aurae]]\n\nBye\n",
                "Intro\n\n![[chowns]]\n\n![[headscale]]\n\nafter chowns\n\n![[async|x]]\n\n## "
                "Honourable\n\n"
                "![[aurae]]\n\nBye\n\n![[booths]]\n");
}

TEST(new_first_of_day, "a talk before the first of its day goes under that day's heading")
{
    const struct outline_note notes[] = {
        {"notes/late.md", "L", "", "2023-02-04", 900},
        {"notes/early.md", "E", "", "2023-02-05", 2000},
        {"notes/noon.md", "N", "", "2023-02-05", 2100},
        {"notes/later.md", "M", "", "2023-02-04", 1000},
    };
    check_draft(notes, 4, "## Saturday\n\n![[late]]\n\n## Sunday\n\n![[noon]]\n",
                "## Saturday\n\n![[late]]\n\n![[later]]\n\n## Sunday\n\n![[early]]\n\n![[noon]]\n");
}

TEST(twins_and_gone, "second embeds are removed, embeds of no note are kept, both are said")
{
    struct buf b = BUF_INIT, problems = BUF_INIT;
    CHECK_EQ(outline_draft(five, 2,
                           slice_str("![[headscale]]\n![[gone]]\n![[Headscale]]\n![[chowns]]\n"),
                           &b, &problems),
             0);
    CHECK_SLICE(buf_slice(&b), slice_str("![[headscale]]\n![[gone]]\n![[chowns]]\n"));
    CHECK_STR(buf_cstr(&problems), "kept ![[gone]], but there is no such note\n"
                                   "removed the second ![[Headscale]]\n");
    buf_clear(&b);
    buf_clear(&problems);
}

TEST(random_order,
     "whatever order the notes come in, the draft is the same, and names each note once")
{
    struct test_rng rng = test_rng_start(9);
    struct outline_note notes[40];
    char paths[40][24];
    struct buf first = BUF_INIT;
    for (size_t i = 0; i < 40; i++) {
        snprintf(paths[i], sizeof paths[i], "notes/n%zu.md", i);
        size_t slot = test_rng_below(&rng, 20);
        notes[i] = (struct outline_note){paths[i], "", "",
                                         slot > 15  ? ""
                                         : slot > 7 ? "2023-02-05"
                                                    : "2023-02-04",
                                         slot > 15 ? NONE : (int64_t)slot * 100};
    }
    for (int round = 0; round < 50; round++) {
        for (size_t i = 39; i > 0; i--) {
            size_t k = test_rng_below(&rng, i + 1);
            struct outline_note t = notes[i];
            notes[i] = notes[k];
            notes[k] = t;
        }
        struct buf b = BUF_INIT;
        CHECK_EQ(outline_draft(notes, 40, slice_str("Text\n"), &b, NULL), 0);
        if (round == 0)
            buf_append_slice(&first, buf_slice(&b));
        CHECK_SLICE(buf_slice(&b), buf_slice(&first));
        buf_clear(&b);
    }
    struct outline o;
    CHECK_EQ(outline_parse(buf_slice(&first), &o), 0);
    size_t n_embeds = 0;
    for (size_t i = 0; i < o.n_items; i++)
        n_embeds += o.items[i].kind == OUTLINE_EMBED;
    CHECK_EQ(n_embeds, 40);
    outline_clear(&o);
    buf_clear(&first);
}

TEST(outline_limits, "a report.md or a number of embeds past the limit is refused")
{
    struct outline o;
    struct buf b = BUF_INIT;
    for (int i = 0; i < OUTLINE_MOST_EMBEDS; i++)
        buf_append_str(&b, "![[x]]\n");
    CHECK_EQ(outline_parse(buf_slice(&b), &o), 0);
    CHECK_EQ(o.n_items, OUTLINE_MOST_EMBEDS);
    outline_clear(&o);
    buf_append_str(&b, "![[x]]\n");
    CHECK_EQ(outline_parse(buf_slice(&b), &o), RAPPORT_LIMIT);
    buf_reset(&b);
    while (b.len < OUTLINE_MOST_BYTES)
        buf_append_str(&b, "\n");
    CHECK_EQ(outline_parse(buf_slice(&b), &o), 0);
    outline_clear(&o);
    buf_append_str(&b, "\n");
    CHECK_EQ(outline_parse(buf_slice(&b), &o), RAPPORT_LIMIT);
    buf_clear(&b);
}

TEST(outline_memory, "each allocation that fails gives NOMEM and no text")
{
    long n = 0;
    for (bool reached = true; reached; n++) {
        struct buf b = BUF_INIT, problems = BUF_INIT;
        test_fail_allocation(n);
        int error = outline_draft(five, 5, slice_str("---\na: b\n---\nx\n![[async]]\n![[async]]\n"),
                                  &b, &problems);
        reached = test_allocation_failed();
        test_fail_allocation(-1);
        CHECK_EQ(error, reached ? RAPPORT_NOMEM : 0);
        CHECK(!error || b.len == 0);
        buf_clear(&b);
        buf_clear(&problems);
    }
}
