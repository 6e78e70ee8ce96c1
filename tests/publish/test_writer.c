/* test_writer.c - the writers: golden files, hostile notes, determinism. */
#include <cmark-gfm.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "publish/html.h"
#include "publish/markdown.h"
#include "publish/strings.h"
#include "publish/writer.h"
#include "publish/writer_parts.h"
#include "rapport/error.h"
#include "small_post.h"

static const char *const targets[] = {"markdown", "hugo", "html"};

static struct post_files write_small(const char *target)
{
    struct schedule s = sample_schedule();
    struct post_note notes[3];
    struct post_input in = small_input(&s, notes);
    struct post p;
    struct post_files f;
    CHECK_EQ(post_build(&in, &p), 0);
    schedule_clear(&s);
    CHECK_EQ(post_write(&p, target, &f), 0);
    post_clear(&p);
    CHECK_EQ(f.n_files, 1);
    return f;
}

static void check_golden(const char *target, const char *path, const char *golden)
{
    struct post_files f = write_small(target);
    CHECK_STR(f.files[0].path, path);
    struct buf expected = read_sample(golden);
    CHECK_SLICE(f.files[0].bytes, buf_slice(&expected));
    buf_clear(&expected);
    post_files_clear(&f);
}

TEST(golden_markdown, "the small post as plain Markdown is the golden file")
{
    check_golden("markdown", "two-days-a-report.md", "tests/publish/golden/post.md");
}

TEST(golden_hugo, "the small post for Hugo is the golden file, media beside it")
{
    check_golden("hugo", "content/posts/two-days-a-report/index.md",
                 "tests/publish/golden/hugo.md");
    struct post_files f = write_small("hugo");
    CHECK_STR(f.media_dir, "content/posts/two-days-a-report/");
    post_files_clear(&f);
}

TEST(golden_html, "the small post as a web page is the golden file")
{
    check_golden("html", "two-days-a-report.html", "tests/publish/golden/post.html");
}

TEST(targets, "the table names the targets; an unknown one is not found")
{
    size_t n;
    const struct post_target *table = post_targets(&n);
    CHECK_EQ(n, 3);
    for (size_t i = 0; i < n; i++)
        CHECK_STR(table[i].name, targets[i]);
    struct post p = {.title = "T", .date = "", .lang = "en", .slug = "t", .summary = ""};
    struct post_files f;
    CHECK_EQ(post_write(&p, "word", &f), RAPPORT_NOTFOUND);
    for (size_t i = 0; i < n; i++) {
        CHECK_EQ(post_write(&p, targets[i], &f), 0);
        struct slice bytes = f.files[0].bytes;
        CHECK(bytes.len > 2 && bytes.ptr[bytes.len - 1] == '\n' &&
              bytes.ptr[bytes.len - 2] != '\n');
        post_files_clear(&f);
    }
}

TEST(quoting, "a quoted string uses only the escapes that YAML and TOML share")
{
    struct buf b = BUF_INIT;
    put_quoted(&b, "no: \"x\" \\ \n\t\x01\x7f\xe2\x80\xae\xe2\x80\xa8 č 🏷 \xff");
    CHECK_STR(buf_cstr(&b),
              "\"no: \\\"x\\\" \\\\ \\n\\t\\u0001\\u007F\\u202E\\u2028 č 🏷 \\uFFFD\"");
    buf_clear(&b);
}

static const char *const hostile[] = {
    "+++\ntitle = 'x'\n+++\n# T\n{{ .Site }} {% x %} {{< a >}} {{% b %}} {{< open\n`{{< c` {{< /* "
    "d */ >}}\n",
    "---\nno end\n# T {{< x >}} {.c onclick=x}\n## S {#id onclick=alert(1)}\n",
    "# <script>alert(1)</script>\n<script>alert(1)</script>\n\n<img src=x onerror=alert(1)> "
    "<svg/onload=x>\n",
    "# T\n[x](javascript:alert(1)) [y](java&Tab;script:x) [z](<java\nscript:x>) "
    "[w](&#x6A;avascript:x)\n",
    "# T\n[a]\n\n[a]: javascript:alert(1)\n\n- [b]\n\n  [b]: <data:text/html,x>\n\n> [c]: "
    "vbscript:x\n> [c]\n",
    "# T\n<javascript:alert(1)> <data:text/html,x> <a href='javascript:x'>y</a>\n",
    "# T\n`` ` <script>`` ` <script> `<script>\n\n\\`<script>`\n\n``<script>`\n",
    "# T\n<!-- \n```\n--> <script>\n```\n<?php ?> <!DOCTYPE x> <![CDATA[ <script> ]]>\n",
    "# T\n<div>\n    <script>\n\n</div>\n> <script\n> src=x>\n\n- <script>\n\n      <script>\n",
    "# T\n![![x](javascript:y)](javascript:z \"<script>\") "
    "[\"><script>](https://x.example/\"onclick=)\n",
    "# T\n```\"><script>\n</code></pre><script>\n```\n~~~{{< x >}}\n{{< y >}}\n",
    "# T\n|a|b|\n|-|-|\n|`|`<script>|<script>|\n",
    "# T\n[^1]: <script>\n[^\"><script>]: x\n\n[^1] [^\"><script>]\n",
    "# \xe2\x80\xae\x1b]0;x\x07\nT\xe2\x81\xa6 \x1b[2J \xc2\x9b"
    "31m\n",
};

/* True when the page has `what` in any letter case. */
static bool has(struct slice s, const char *what)
{
    return slice_contains_nocase(s, slice_str(what));
}

/* In a page each "<" begins one of the elements that the writer knows. */
static void check_elements(struct slice page)
{
    static const char *const known[] = {"!DOCTYPE html",
                                        "html",
                                        "head",
                                        "meta",
                                        "title",
                                        "style",
                                        "body",
                                        "article",
                                        "h1",
                                        "h2",
                                        "h3",
                                        "h4",
                                        "h5",
                                        "h6",
                                        "p",
                                        "time",
                                        "span",
                                        "br",
                                        "div",
                                        "em",
                                        "strong",
                                        "del",
                                        "code",
                                        "pre",
                                        "a",
                                        "img",
                                        "ul",
                                        "ol",
                                        "li",
                                        "section",
                                        "sup",
                                        "table",
                                        "thead",
                                        "tbody",
                                        "tr",
                                        "th",
                                        "td",
                                        "hr",
                                        "blockquote"};
    for (size_t i = 0; i < page.len; i++) {
        if (page.ptr[i] != '<')
            continue;
        struct slice name = slice_skip(page, i + 1);
        if (name.len && name.ptr[0] == '/')
            name = slice_skip(name, 1);
        bool good = false;
        for (size_t k = 0; k < sizeof known / sizeof known[0] && !good; k++) {
            size_t n = strlen(known[k]);
            good = slice_starts(name, known[k]) && name.len > n && strchr(" >", name.ptr[n]);
        }
        if (!good)
            test_fail(__FILE__, __LINE__, "foreign element: %.30s", (const char *)name.ptr);
    }
}

/* Markdown must have no HTML and no unsafe link however it is read. */
static void check_markdown(struct slice text)
{
    cmark_node *root;
    CHECK_EQ(markdown_parse(text, &root), 0);
    cmark_iter *iter = cmark_iter_new(root);
    while (cmark_iter_next(iter) != CMARK_EVENT_DONE) {
        cmark_node *node = cmark_iter_get_node(iter);
        cmark_node_type type = cmark_node_get_type(node);
        CHECK(type != CMARK_NODE_HTML_BLOCK && type != CMARK_NODE_HTML_INLINE);
        if (type == CMARK_NODE_LINK || type == CMARK_NODE_IMAGE)
            CHECK(address_is_safe(slice_str(cmark_node_get_url(node))));
    }
    cmark_iter_free(iter);
    cmark_node_free(root);
}

static struct slice without_front_matter(struct slice s)
{
    size_t at = slice_find(slice_skip(s, 4), "\n---\n");
    return slice_skip(s, 4 + at + 5);
}

static void check_shortcodes(struct slice s)
{
    for (size_t i = 0; i + 4 < s.len; i++) {
        if (s.ptr[i] == '{' && s.ptr[i + 1] == '{' && (s.ptr[i + 2] == '<' || s.ptr[i + 2] == '%'))
            CHECK(s.ptr[i + 3] == '/' && s.ptr[i + 4] == '*');
    }
}

static void check_safe(const struct post *p, const char *target)
{
    struct post_files f;
    CHECK_EQ(post_write(p, target, &f), 0);
    struct slice s = f.files[0].bytes;
    CHECK(utf8_valid(s));
    for (size_t at = 0; at < s.len;)
        CHECK(!is_unwanted((uint32_t)utf8_next(s, &at)));
    if (strcmp(target, "html") == 0) {
        check_elements(s);
        CHECK(!has(s, "href=\"javascript") && !has(s, "href=\"data") &&
              !has(s, "src=\"javascript"));
        CHECK(!has(s, "<script"));
    } else if (strcmp(target, "hugo") == 0) {
        check_markdown(without_front_matter(s));
        check_shortcodes(without_front_matter(s));
    } else {
        check_markdown(s);
    }
    post_files_clear(&f);
}

static void check_hostile(const char *text)
{
    struct post_note note = {
        .path = "notes/n.md", .title = "<script>{{< x >}}", .text = slice_str(text)};
    struct post_input in = {
        .report = slice_str("![[n]]\n"), .notes = &note, .n_notes = 1, .title = "{{< <script> \"'"};
    struct post p;
    CHECK_EQ(post_build(&in, &p), 0);
    for (size_t i = 0; i < 3; i++)
        check_safe(&p, targets[i]);
    post_clear(&p);
}

TEST(hostile_notes,
     "no hostile note gets HTML, an unsafe link, a shortcode or a control into any target")
{
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++)
        check_hostile(hostile[i]);
}

TEST(hostile_mixes, "nor do random cuts and joins of hostile notes")
{
    struct test_rng rng = test_rng_start(21);
    enum {
        N = sizeof hostile / sizeof hostile[0]
    };
    for (int round = 0; round < 1500; round++) {
        struct buf b = BUF_INIT;
        for (int k = 0; k < 4; k++) {
            const char *piece = hostile[test_rng_below(&rng, N)];
            size_t from = test_rng_below(&rng, strlen(piece));
            buf_append(&b, piece + from, test_rng_below(&rng, strlen(piece) - from) + 1);
        }
        check_hostile(buf_cstr(&b));
        buf_clear(&b);
    }
}

TEST(hostile_schedule, "a schedule's texts are text in every target")
{
    const char *persons[] = {"<script>", "{{< x >}}", "*b* [l](javascript:x)"};
    struct talk_link link = {"https://x.example/%22", "](javascript:x)<script>", TALK_LINK_OTHER};
    struct talk talk = {.day = "2023-02-04",
                        .start = "2023-02-04T10:30",
                        .room = "<b>{{% r %}}",
                        .persons = persons,
                        .n_persons = 3,
                        .links = &link,
                        .n_links = 1,
                        .duration_min = 20,
                        .title = "T"};
    const char *const authors[] = {"\"; <script>", "{{< y >}}\n---\n"};
    struct post_note note = {.path = "notes/n.md",
                             .text = slice_str("# T\nx\n"),
                             .talk = &talk,
                             .authors = authors,
                             .n_authors = 2};
    struct post_input in = {.report = slice_str("![[n]]\n"), .notes = &note, .n_notes = 1};
    struct post p;
    CHECK_EQ(post_build(&in, &p), 0);
    for (size_t i = 0; i < 3; i++)
        check_safe(&p, targets[i]);
    post_clear(&p);
}

TEST(wide_table, "a table of 2,000 columns and rows is shown as text, in little memory")
{
    struct buf b = BUF_INIT, html = BUF_INIT;
    buf_append_str(&b, "# T\n");
    for (int i = 0; i < 2000; i++)
        buf_append_str(&b, "|a");
    buf_append_str(&b, "\n");
    for (int i = 0; i < 2000; i++)
        buf_append_str(&b, "|-");
    for (int i = 0; i < 2000; i++)
        buf_append_str(&b, "\n|b");
    check_hostile(buf_cstr(&b));
    CHECK_EQ(html_put_markdown(&html, buf_slice(&b), "x"), 0);
    CHECK(!has(buf_slice(&html), "<table"));
    CHECK(html.len < 200000);
    buf_clear(&b);
    buf_clear(&html);
}

TEST(table_gate, "the gate is pipes in the widest line times lines, up to the limit")
{
    for (size_t extra = 0; extra < 2; extra++) {
        struct buf b = BUF_INIT, out = BUF_INIT;
        size_t n_lines = MARKDOWN_MOST_TABLE / 100 + extra;
        for (size_t i = 0; i < 100; i++)
            buf_u8(&b, '|');
        for (size_t i = 0; i < n_lines - 1; i++)
            buf_append_str(&b, "\nx");
        CHECK_EQ(markdown_tame_tables(buf_slice(&b), &out), extra);
        CHECK_EQ(slice_equal(buf_slice(&b), buf_slice(&out)), !extra);
        buf_clear(&b);
        buf_clear(&out);
    }
}

TEST(at_signs, "with as many @ as the limit bare addresses are links, with more they are text")
{
    for (size_t extra = 0; extra < 2; extra++) {
        struct buf b = BUF_INIT, html = BUF_INIT;
        for (size_t i = 0; i < MARKDOWN_MOST_AT_SIGNS + extra; i++)
            buf_append_str(&b, "a@b.example ");
        CHECK_EQ(html_put_markdown(&html, buf_slice(&b), "x"), 0);
        CHECK_EQ(has(buf_slice(&html), "mailto:a@b.example"), !extra);
        CHECK(has(buf_slice(&html), "a@b.example"));
        buf_clear(&b);
        buf_clear(&html);
    }
}

TEST(open_shortcodes, "a line of 80,000 open shortcodes is taken apart in a moment")
{
    struct buf b = BUF_INIT;
    for (size_t i = 0; i < 80000; i++)
        buf_append_str(&b, "{{<");
    check_hostile(buf_cstr(&b));
    buf_clear(&b);
}

TEST(parse_limit, "a Markdown text past the limit is refused")
{
    struct buf b = BUF_INIT, html = BUF_INIT;
    while (b.len < MARKDOWN_MOST_BYTES)
        buf_append_str(&b, "xxxxxxxxxxxxxxx\n");
    CHECK_EQ(html_put_markdown(&html, buf_slice(&b), "x"), 0);
    buf_u8(&b, 'x');
    CHECK_EQ(html_put_markdown(&html, buf_slice(&b), "x"), RAPPORT_LIMIT);
    buf_clear(&b);
    buf_clear(&html);
}

TEST(deep_nesting, "a line of 100,000 quote marks or list marks becomes a few levels")
{
    static const char *const marks[] = {">", "> ", "- ", "* ", "+ ", "[", "![", "*a ", "(", "`"};
    for (size_t k = 0; k < sizeof marks / sizeof marks[0]; k++) {
        struct buf b = BUF_INIT;
        buf_append_str(&b, "# T\n");
        for (size_t i = 0; i < 20000; i++)
            buf_append_str(&b, marks[k]);
        check_hostile(buf_cstr(&b));
        buf_clear(&b);
    }
}

TEST(writer_memory, "each allocation of ours that fails gives NOMEM and no files")
{
    struct schedule s = sample_schedule();
    struct post_note notes[3];
    struct post_input in = small_input(&s, notes);
    struct post p;
    CHECK_EQ(post_build(&in, &p), 0);
    for (size_t i = 0; i < 3; i++) {
        long n = 0;
        for (bool reached = true; reached; n++) {
            struct post_files f;
            test_fail_allocation(n);
            int error = post_write(&p, targets[i], &f);
            reached = test_allocation_failed();
            test_fail_allocation(-1);
            if (!error)
                post_files_clear(&f);
            CHECK_EQ(error, reached ? RAPPORT_NOMEM : 0);
        }
        CHECK(n > 3);
    }
    post_clear(&p);
    schedule_clear(&s);
}
