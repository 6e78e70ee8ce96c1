/*
 * writer_hugo.c - a leaf bundle for Hugo (checked with 0.111): content/posts/SLUG/index.md.
 *
 * Hugo reads shortcodes before Markdown, also in code, so "{{<" and "{{%" are written as commented
 * shortcodes, which Hugo prints as they were; an opening mark that nothing closes would end the
 * build and is taken apart. Attributes at the end of a heading ("{.class}") are taken apart too.
 * The date has seconds and an offset: without them Hugo read year 1.
 */
#include "publish/lines.h"
#include "publish/strings.h"
#include "publish/writer_parts.h"
#include "rapport/error.h"

enum {
    SHORTCODE_MOST_BYTES =
        512 /* further off, no closing mark is looked for: it would take quadratic time */
};

/* Length of a shortcode at the start of `s` with both marks, 0 when it is not closed or holds
 * what a comment may not hold. */
static size_t shortcode_len(struct slice s)
{
    const char *close = s.ptr[2] == '<' ? ">}}" : "%}}";
    struct slice inside = slice_skip(s, 3);
    if (inside.len > SHORTCODE_MOST_BYTES)
        inside.len = SHORTCODE_MOST_BYTES;
    size_t n = slice_find(inside, close);
    if (n == inside.len)
        return 0;
    inside = slice_part(inside, 0, n);
    bool plain = slice_find(inside, "*/") == inside.len && slice_find(inside, "/*") == inside.len &&
                 slice_find(inside, "{{") == inside.len && slice_find(inside, "\n") == inside.len;
    return plain ? 3 + n + 3 : 0;
}

/* An opening mark that nothing closes is taken apart by a joiner that nobody sees: in code,
 * where shortcodes are read too, an entity would show. */
static void put_escaped(struct buf *out, struct slice s)
{
    while (s.len) {
        size_t n = 1;
        bool opens = slice_starts(s, "{{<") || slice_starts(s, "{{%");
        size_t len = opens ? shortcode_len(s) : 0;
        if (len) {
            buf_append_slice(out, slice_part(s, 0, 3));
            buf_append_str(out, "/*");
            buf_append_slice(out, slice_part(s, 3, len - 3));
            buf_append_str(out, "*/");
            buf_append_slice(out, slice_part(s, len - 3, len));
            n = len;
        } else if (opens) {
            buf_append_str(out, "{\xe2\x81\xa0{");
            n = 2;
        } else {
            buf_u8(out, s.ptr[0]);
        }
        s = slice_skip(s, n);
    }
}

/* A heading's text must not end in "{…}". */
static void put_body_heading(struct buf *out, struct slice whole)
{
    size_t brace = whole.len;
    for (size_t i = 0; i < whole.len; i++) {
        if (whole.ptr[i] == '{')
            brace = i;
    }
    struct slice end = slice_trim(whole);
    if (brace == whole.len || end.ptr[end.len - 1] != '}') {
        put_escaped(out, whole);
        return;
    }
    for (size_t i = 0; i < whole.len; i++) {
        if (whole.ptr[i] == '{')
            buf_append_str(out, "&#123;");
        else
            buf_u8(out, whole.ptr[i]);
    }
}

static void put_body(struct buf *out, struct slice body)
{
    struct line_reader r = line_reader_of(body);
    struct slice heading;
    int level;
    for (struct line l; line_next(&r, &l);) {
        if (!l.is_code && line_heading(l.text, &level, &heading))
            put_body_heading(out, l.whole);
        else
            put_escaped(out, l.whole);
    }
}

static void put_heading(struct buf *out, const struct post_section *s)
{
    buf_append_str(out, "## ");
    for (const char *rest = s->heading; *rest;) {
        char one[] = {*rest, 0};
        if (*rest++ == '{')
            buf_append_str(out, "&#123;"); /* a backslash is not enough where attributes are read */
        else
            put_markdown_plain(out, one);
    }
    buf_printf(out, " {#%s}\n", s->anchor);
}

static void put_front_matter(struct buf *out, const struct post *p)
{
    buf_append_str(out, "---\ntitle: ");
    put_quoted(out, p->title);
    if (*p->date)
        buf_printf(out, "\ndate: %s", p->date);
    buf_append_str(out, "\nslug: ");
    put_quoted(out, p->slug);
    buf_printf(out, "\ndraft: %s", p->draft ? "true" : "false");
    if (*p->summary) {
        buf_append_str(out, "\nsummary: ");
        put_quoted(out, p->summary);
    }
    buf_append_str(out, "\ntags: ");
    put_quoted_list(out, p->tags, p->n_tags);
    buf_append_str(out, "\nauthors: ");
    put_quoted_list(out, p->authors, p->n_authors);
    buf_append_str(out, "\n---\n\n");
}

int write_hugo(const struct post *p, struct post_files *out)
{
    static const struct body_style style = {put_heading, put_body};
    struct buf text = BUF_INIT, path = BUF_INIT;
    put_front_matter(&text, p);
    put_markdown_sections(&text, p, &style);
    if (p->n_authors) {
        buf_append_str(&text, "*Notes by ");
        put_plain_list(&text, p->authors, p->n_authors);
        buf_append_str(&text, "*\n");
    } else if (!buf_error(&text)) {
        text.len--; /* the last blank line */
    }
    buf_printf(&path, "content/posts/%s/", p->slug);
    out->media_dir = buf_error(&path) ? NULL : arena_str(&out->arena, buf_slice(&path));
    buf_append_str(&path, "index.md");
    const char *name = buf_cstr(&path);
    int error = name && out->media_dir ? add_file(out, name, &text) : RAPPORT_NOMEM;
    buf_clear(&text);
    buf_clear(&path);
    return error;
}
