/* test_post.c - report.md and notes become a post: order, headings, talks, problems. */
#include <stdlib.h>

#include "publish/post.h"
#include "rapport/error.h"
#include "small_post.h"

static struct post build(const struct post_input *in)
{
    struct post p;
    CHECK_EQ(post_build(in, &p), 0);
    return p;
}

/* A post of one note and an embed of it. */
static struct post build_one(const char *text)
{
    struct post_note note = {.path = "notes/n.md", .title = "N", .text = slice_str(text)};
    struct post_input in = {.report = slice_str("![[n]]\n"), .notes = &note, .n_notes = 1};
    return build(&in);
}

static void check_body(const char *text, const char *heading, const char *body)
{
    struct post p = build_one(text);
    CHECK_EQ(p.n_sections, 1);
    CHECK_STR(p.sections[0].heading, heading);
    CHECK_STR(p.sections[0].body, body);
    post_clear(&p);
}

TEST(small, "sections come in the outline's order with what the schedule and the notes say")
{
    struct schedule s = sample_schedule();
    struct post_note notes[3];
    struct post_input in = small_input(&s, notes);
    struct post p = build(&in);
    CHECK_STR(p.title, "Two days: a \"report\"");
    CHECK_STR(p.date, "2023-02-06T09:00:00+01:00");
    CHECK_STR(p.slug, "two-days-a-report");
    CHECK_STR(p.lang, "en");
    CHECK_EQ(p.n_sections, 5);
    CHECK_EQ(p.sections[0].kind, POST_TEXT);
    CHECK_STR(p.sections[1].heading, "Send in the chown()s");
    CHECK_STR(p.sections[1].room, "UB2.252A (Lameere)");
    CHECK_STR(p.sections[2].persons[1], "Juan Font Alonso");
    CHECK_EQ(p.sections[2].links[0].kind, TALK_LINK_VIDEO);
    CHECK_STR(p.sections[3].path, "notes/booths.md");
    CHECK_STR(p.sections[4].body, "That was all.\n");
    static const char *const tags[] = {"C++", "fosdem", "vpn"}, *const authors[] = {"Zoé", "Ada",
                                                                                    "Bob"};
    CHECK_EQ(p.n_tags, 3);
    CHECK_EQ(p.n_authors, 3);
    for (size_t i = 0; i < 3; i++) {
        CHECK_STR(p.tags[i], tags[i]);
        CHECK_STR(p.authors[i], authors[i]);
    }
    CHECK_EQ(p.n_media, 1);
    CHECK_STR(p.media[0], "media/slide one.jpg");
    CHECK_EQ(p.n_problems, 1);
    CHECK_STR(p.problems[0], "notes/booths.md has HTML; it is shown as text");
    post_clear(&p);
    schedule_clear(&s);
}

TEST(twins, "a second embed, a missing note and a note not used are named, and not in the post")
{
    struct post_note notes[] = {{.path = "notes/z.md", .text = slice_str("# Z\n")},
                                {.path = "notes/b.md", .text = slice_str("# B\n")},
                                {.path = "notes/a.md", .text = slice_str("# A\n")}};
    struct post_input in = {.report = slice_str("![[z]]\n![[gone\x1b]]\n![[notes/z.md]]\n"),
                            .notes = notes,
                            .n_notes = 3};
    static const char *const problems[] = {"![[gone␛]] names no note and was left out",
                                           "![[notes/z.md]] stands a second time and was left out",
                                           "notes/a.md is not used: no embed names it",
                                           "notes/b.md is not used: no embed names it"};
    struct post p = build(&in);
    CHECK_EQ(p.n_sections, 1);
    CHECK_EQ(p.n_problems, 4);
    for (size_t i = 0; i < 4; i++)
        CHECK_STR(p.problems[i], problems[i]);
    post_clear(&p);
}

TEST(headings, "a note's first heading becomes the section's, the others follow one level below")
{
    check_body("# T\n\n## a\n\n# b\n", "T", "### a\n\n## b\n");
    check_body("T\n=\n\na\n-\n\nb *c*\nd\n===\n", "T", "### a\n\n## b *c* d\n");
    check_body("## T\n### a\n", "T", "### a\n");
    check_body("# T #\n###### six\n```\n# code\n```\n", "T", "###### six\n```\n# code\n```\n");
    check_body("Intro\n\n# T\nmore\n", "T", "Intro\n\nmore\n");
    check_body("Intro\n\n## a\n", "N", "Intro\n\n### a\n");
    check_body("---\ntitle: x\n---\ntext\n", "N", "text\n");
    check_body("# T\n\n    # code\n\n- x\n\n  ```\n  # code\n  ```\n", "T",
               "    # code\n\n- x\n\n  ```\n  # code\n  ```\n");
    check_body("", "N", "");
}

TEST(nameless, "a note without heading and title is called by its path")
{
    struct post_note note = {.path = "notes/day 1/x.md", .text = slice_str("text\n")};
    struct post_input in = {.report = slice_str("![[day 1/x]]\n"), .notes = &note, .n_notes = 1};
    struct post p = build(&in);
    CHECK_STR(p.sections[0].heading, "day 1/x");
    post_clear(&p);
}

TEST(open_ends, "what a note leaves open ends with it")
{
    check_body("# T\n~~~~\ncode\n", "T", "~~~~\ncode\n~~~~\n");
    check_body("# T\n<!-- never closed\n", "T", "&lt;!-- never closed\n");
}

TEST(safe_text,
     "HTML, unsafe links and characters that deceive are taken out of the text, code is kept")
{
    check_body("# T\n`<b>` <b> a<b List<T> 1 < 2 \\<b> <https://x.example> <a@b.example>\n", "T",
               "`<b>` &lt;b> a&lt;b List&lt;T> 1 < 2 \\<b> <https://x.example> <a@b.example>\n");
    check_body("# T\n[a](javascript:x) [b]( <JaVa&#115;cript:x> \"t\") ![c](data:image/png,x)\n",
               "T", "[a](#) [b]( # \"t\") ![c](#)\n");
    check_body(
        "# T\n[a](ok.md) [b](/x(y)) [c](mailto:a@b.example) [d](//evil.example) [e](\\\\evil)\n",
        "T", "[a](ok.md) [b](/x(y)) [c](mailto:a@b.example) [d](#) [e](#)\n");
    check_body("# T\n[a]: vbscript:x \"t\"\n[a] [^n]\n\n[^n]: javascript:x\n[^m]: why: so\n", "T",
               "[a]: # \"t\"\n[a] [^n]\n\n[^n]: #\n[^m]: why: so\n");
    check_body("# T\na\x1b[31m\xe2\x80\xae"
               "b\xff\x07\r\nc\rd\n",
               "T", "a[31mb\xef\xbf\xbd\nc\nd\n");
    check_body("# T\n```\n<b> [a](javascript:x)\n```\n", "T", "```\n<b> [a](javascript:x)\n```\n");
}

TEST(labels, "labels that two sections define are told apart")
{
    struct post_note notes[] = {
        {.path = "notes/a.md", .text = slice_str("# A\n[1] [^x]\n\n[1]: u\n[^x]: n\n")},
        {.path = "notes/b.md",
         .text = slice_str("# B\n[1] [t][1] [1][] ![1] [1](v) `[1]` [^x]\n\n[1]: w\n"
                           "[^x]: n\n")}};
    struct post_input in = {.report = slice_str("![[a]]\n![[b]]\n"), .notes = notes, .n_notes = 2};
    struct post p = build(&in);
    CHECK_STR(p.sections[0].body, "[1] [^x]\n\n[1]: u\n[^x]: n\n");
    CHECK_STR(p.sections[1].body,
              "[1][1-2] [t][1-2] [1][1-2] ![1][1-2] [1](v) `[1]` [^x-2]\n\n[1-2]: w\n"
              "[^x-2]: n\n");
    post_clear(&p);
}

TEST(titles_and_dates, "title and date come from report.md, else its heading, else from outside")
{
    struct post_input in = {.report = slice_str("# Own *title*\n\ntext\n"),
                            .title = "Other",
                            .date = "2023-02-06",
                            .draft = true};
    struct post p = build(&in);
    CHECK_STR(p.title, "Own title");
    CHECK_STR(p.date, "2023-02-06T00:00:00+00:00");
    CHECK_STR(p.sections[0].body, "text\n");
    CHECK(p.draft);
    post_clear(&p);
    in = (struct post_input){
        .report = slice_str("text\n"), .title = "Other", .date = "2023-02-06T10:00"};
    p = build(&in);
    CHECK_STR(p.title, "Other");
    CHECK_STR(p.date, "2023-02-06T10:00:00+00:00");
    CHECK_EQ(p.n_problems, 1);
    post_clear(&p);
    in = (struct post_input){.report = slice_str(""), .date = "soon"};
    p = build(&in);
    CHECK_STR(p.title, "Report");
    CHECK_STR(p.date, "");
    CHECK_EQ(p.n_problems, 1);
    post_clear(&p);
}

TEST(anchors, "sections with one heading have different anchors")
{
    struct post_note notes[] = {{.path = "notes/a.md", .text = slice_str("# Intro\n")},
                                {.path = "notes/b.md", .text = slice_str("# Intro\n")}};
    struct post_input in = {.report = slice_str("![[a]]\n![[b]]\n"), .notes = notes, .n_notes = 2};
    struct post p = build(&in);
    CHECK_STR(p.sections[0].anchor, "intro");
    CHECK_STR(p.sections[1].anchor, "intro-2");
    post_clear(&p);
}

TEST(note_limit, "a note past the limit is cut and named; a post past the limit is refused")
{
    char *long_text = malloc(POST_MOST_NOTE_BYTES + 2);
    CHECK(long_text != NULL);
    memset(long_text, 'x', POST_MOST_NOTE_BYTES + 1);
    long_text[POST_MOST_NOTE_BYTES + 1] = 0;
    struct post p = build_one(long_text);
    CHECK_EQ(strlen(p.sections[0].body), POST_MOST_NOTE_BYTES + 1); /* with its LF */
    CHECK_EQ(p.n_problems, 1);
    post_clear(&p);
    enum {
        N = POST_MOST_BYTES / POST_MOST_NOTE_BYTES + 1
    };
    static struct post_note notes[N];
    static char paths[N][16];
    struct buf report = BUF_INIT;
    for (size_t i = 0; i < N; i++) {
        snprintf(paths[i], sizeof paths[i], "notes/%zu.md", i);
        notes[i] = (struct post_note){.path = paths[i], .text = slice_str(long_text)};
        buf_printf(&report, "![[%zu]]\n", i);
    }
    struct post_input in = {.report = buf_slice(&report), .notes = notes, .n_notes = N};
    CHECK_EQ(post_build(&in, &p), RAPPORT_LIMIT);
    in.n_notes = POST_MOST_NOTES + 1;
    CHECK_EQ(post_build(&in, &p), RAPPORT_LIMIT);
    buf_clear(&report);
    free(long_text);
}

TEST(post_memory, "each allocation of ours that fails gives NOMEM and no post")
{
    struct schedule s = sample_schedule();
    struct post_note notes[3];
    struct post_input in = small_input(&s, notes);
    long n = 0;
    for (bool reached = true; reached; n++) {
        struct post p;
        test_fail_allocation(n);
        int error = post_build(&in, &p);
        reached = test_allocation_failed();
        test_fail_allocation(-1);
        if (!error)
            post_clear(&p);
        CHECK_EQ(error, reached ? RAPPORT_NOMEM : 0);
    }
    CHECK(n > 100);
    schedule_clear(&s);
}
