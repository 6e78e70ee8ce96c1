/*
 * safe.c - Markdown made safe in four steps (see safe.h): characters, tables, spans, headings. Each
 * works on text and leaves text; the parser is asked where code and headings are, and at the end
 * whether anything is left that should not be.
 */
#include "publish/safe.h"

#include <stdlib.h>

#include "base/utf8.h"
#include "publish/lines.h"
#include "publish/markdown.h"
#include "publish/spans.h"
#include "rapport/error.h"

enum {
    MOST_NESTING = 24, /* of quotes and lists at the start of a line */
    LEAST_LEVEL = 2,
    MOST_LEVEL = 6
};

/* Step 1: characters. */

/* Escapes container marks past the limit: a line of 200,000 ">" is as many nested quotes. */
static void put_line(struct buf *out, struct slice line)
{
    size_t n = 0, at = 0;
    for (; at < line.len; at++) {
        uint8_t c = line.ptr[at];
        bool mark = c == '>' || ((c == '-' || c == '*' || c == '+') && at + 1 < line.len &&
                                 (line.ptr[at + 1] == ' ' || line.ptr[at + 1] == '\t'));
        if (!mark && c != ' ' && c != '\t')
            break;
        n += mark;
        if (mark && n > MOST_NESTING)
            buf_printf(out, "&#%d;", c);
        else
            buf_u8(out, c);
    }
    buf_append_slice(out, slice_skip(line, at));
}

static void put_clean(struct buf *out, struct slice text)
{
    struct buf clean = BUF_INIT;
    for (size_t at = 0; at < text.len;) {
        size_t from = at;
        int32_t cp = utf8_next(text, &at);
        if (cp < 0)
            utf8_put(&clean, 0xfffd);
        else if (cp == '\r' && (at == text.len || text.ptr[at] != '\n'))
            buf_u8(&clean, '\n');
        else if (!is_unwanted((uint32_t)cp))
            buf_append_slice(&clean, slice_part(text, from, at));
    }
    if (clean.len && clean.ptr[clean.len - 1] != '\n')
        buf_u8(&clean, '\n');
    struct line_reader r = line_reader_of(buf_slice(&clean));
    for (struct line l; line_next(&r, &l);)
        put_line(out, l.whole);
    if (buf_error(&clean))
        out->error = buf_error(&clean);
    buf_clear(&clean);
}

/* Step 3: spans. */

static size_t count_lines(struct slice text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++)
        n += text.ptr[i] == '\n';
    return n;
}

static void mark_code(cmark_node *root, bool *is_code, size_t n_lines)
{
    cmark_iter *iter = cmark_iter_new(root);
    while (cmark_iter_next(iter) != CMARK_EVENT_DONE) {
        cmark_node *node = cmark_iter_get_node(iter);
        if (cmark_node_get_type(node) != CMARK_NODE_CODE_BLOCK)
            continue;
        int first = cmark_node_get_start_line(node), last = cmark_node_get_end_line(node);
        for (int i = first; i >= 1 && i <= last && (size_t)i <= n_lines; i++)
            is_code[i - 1] = true;
    }
    cmark_iter_free(iter);
}

static int rewrite_spans(const struct safe_input *in, struct slice text, struct buf *out,
                         struct spans_found *found)
{
    cmark_node *root;
    struct str_list labels = {0};
    size_t n_lines = count_lines(text);
    bool *is_code = calloc(n_lines + 1, sizeof *is_code);
    int error = is_code ? markdown_parse(text, &root) : RAPPORT_NOMEM;
    if (!error) {
        mark_code(root, is_code, n_lines);
        cmark_node_free(root);
        error = in->label_suffix ? spans_labels(text, found->arena, &labels) : 0;
    }
    if (!error) {
        struct spans_input spans = {text, is_code, in->label_suffix, &labels};
        spans_rewrite(&spans, out, found);
        error = found->error ? found->error : buf_error(out);
    }
    str_list_clear(&labels);
    free(is_code);
    return error;
}

/* Step 4: headings. */

/* Level of the heading that begins in a line, 0 for none; by line from 0. */
static void mark_headings(cmark_node *root, uint8_t *levels, size_t n_lines)
{
    for (cmark_node *node = cmark_node_first_child(root); node; node = cmark_node_next(node)) {
        int line = cmark_node_get_start_line(node);
        if (cmark_node_get_type(node) == CMARK_NODE_HEADING && line >= 1 && (size_t)line <= n_lines)
            levels[line - 1] = (uint8_t)cmark_node_get_heading_level(node);
    }
}

static void put_level(struct buf *out, int level, int shift)
{
    level += shift;
    level = level < LEAST_LEVEL ? LEAST_LEVEL : level > MOST_LEVEL ? MOST_LEVEL : level;
    for (int i = 0; i < level; i++)
        buf_u8(out, '#');
}

static bool is_underline(struct slice line)
{
    struct slice s = slice_trim(line);
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] != s.ptr[0])
            return false;
    }
    return s.len && (s.ptr[0] == '=' || s.ptr[0] == '-');
}

/* A setext heading as one ATX line; reads its further lines and its underline. */
static void put_setext(struct buf *out, struct line_reader *r, struct line *l, int level, int shift)
{
    put_level(out, level, shift);
    do {
        struct slice text = slice_trim(l->text);
        buf_u8(out, ' ');
        buf_append_slice(out, text);
        if (text.len && text.ptr[text.len - 1] == '#')
            buf_append_str(out, " #"); /* or its own mark would be taken for a closing one */
    } while (line_next(r, l) && !is_underline(l->text));
    buf_u8(out, '\n');
}

static void put_headings(struct buf *out, struct slice text, const uint8_t *levels, int shift)
{
    struct line_reader r = line_reader_of(text);
    for (struct line l; line_next(&r, &l);) {
        int level;
        struct slice heading;
        if (levels[l.number - 1] == 0) {
            buf_append_slice(out, l.whole);
        } else if (line_heading(l.text, &level, &heading)) {
            put_level(out, level, shift);
            buf_append_slice(out, slice_skip(slice_trim(l.whole), (size_t)level));
            buf_u8(out, '\n');
        } else {
            put_setext(out, &r, &l, levels[l.number - 1], shift);
        }
    }
}

static int rewrite_headings(struct slice text, int shift, struct buf *out)
{
    cmark_node *root;
    size_t n_lines = count_lines(text);
    uint8_t *levels = calloc(n_lines + 1, sizeof *levels);
    int error = levels ? markdown_parse(text, &root) : RAPPORT_NOMEM;
    if (!error) {
        mark_headings(root, levels, n_lines);
        cmark_node_free(root);
        put_headings(out, text, levels, shift);
        error = buf_error(out);
    }
    free(levels);
    return error;
}

/* At the end: is it safe, and if not, whatever it looks like. */

/* Bare ftp and xmpp addresses become links by themselves, and do no harm. */
static bool is_tolerable(const char *url)
{
    struct slice s = slice_str(url ? url : "");
    return address_is_safe(s) || slice_starts_nocase(s, "ftp://") ||
           slice_starts_nocase(s, "xmpp:");
}

static bool is_safe_node(cmark_node *node)
{
    cmark_node_type type = cmark_node_get_type(node);
    if (type == CMARK_NODE_HTML_BLOCK || type == CMARK_NODE_HTML_INLINE)
        return false;
    return (type != CMARK_NODE_LINK && type != CMARK_NODE_IMAGE) ||
           is_tolerable(cmark_node_get_url(node));
}

static int check_safe(struct slice text, bool *safe)
{
    cmark_node *root;
    int error = markdown_parse(text, &root);
    if (error)
        return error;
    *safe = true;
    cmark_iter *iter = cmark_iter_new(root);
    while (*safe && cmark_iter_next(iter) != CMARK_EVENT_DONE)
        *safe = is_safe_node(cmark_iter_get_node(iter));
    cmark_iter_free(iter);
    cmark_node_free(root);
    return 0;
}

static void put_disarmed(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i], before = i ? text.ptr[i - 1] : 0;
        if (c == '<')
            buf_append_str(out, "&lt;");
        else if (before == ']' && c == '(')
            buf_append_str(out, "&#40;");
        else if (before == ']' && c == ':')
            buf_append_str(out, "&#58;");
        else
            buf_u8(out, c);
    }
}

static int put_checked(struct slice text, struct buf *out, struct safe_report *report)
{
    bool safe;
    int error = check_safe(text, &safe);
    if (error)
        return error;
    if (safe) {
        buf_append_slice(out, text);
    } else {
        report->had_html = report->had_bad_link = true;
        put_disarmed(out, text);
    }
    return buf_error(out);
}

static struct slice cut_text(const struct safe_input *in, struct safe_report *report)
{
    report->was_cut = in->text.len > in->most_bytes;
    return slice_of(in->text.ptr,
                    report->was_cut ? utf8_prefix(in->text, in->most_bytes) : in->text.len);
}

int safe_markdown(const struct safe_input *in, struct buf *out, struct arena *arena,
                  struct str_list *media, struct safe_report *report)
{
    struct buf clean = BUF_INIT, tame = BUF_INIT, spans = BUF_INIT, levels = BUF_INIT;
    struct safe_report r = {0};
    struct spans_found found = {.arena = arena, .media = media};
    put_clean(&clean, cut_text(in, &r));
    line_close_fence(buf_slice(&clean), &clean);
    r.had_large_table = markdown_tame_tables(buf_slice(&clean), &tame);
    int error = buf_error(&clean) ? buf_error(&clean) : buf_error(&tame);
    if (!error)
        error = rewrite_spans(in, buf_slice(&tame), &spans, &found);
    r.had_html = found.html;
    r.had_bad_link = found.bad_link;
    if (!error)
        error = rewrite_headings(buf_slice(&spans), in->shift, &levels);
    if (!error)
        error = put_checked(buf_slice(&levels), out, &r);
    if (!error)
        *report = r;
    buf_clear(&clean);
    buf_clear(&tame);
    buf_clear(&spans);
    buf_clear(&levels);
    return error;
}
