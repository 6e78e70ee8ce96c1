/*
 * title.c - the title of a note: its first heading (CommonMark 4.2 and 4.3) outside of front matter
 * and fenced code, else its first line that is not blank, else its path's stem. A light look at
 * lines, not a Markdown parser: what it takes for a heading in odd places is still a fair title.
 */
#include "base/utf8.h"
#include "report/state.h"

enum {
    TITLE_MOST_BYTES = 256
};

static struct slice next_line(struct slice *rest)
{
    const uint8_t *end = memchr(rest->ptr, '\n', rest->len);
    size_t len = end ? (size_t)(end - rest->ptr) : rest->len;
    struct slice line = slice_of(rest->ptr, len);
    *rest = slice_skip(*rest, end ? len + 1 : len);
    if (line.len && line.ptr[line.len - 1] == '\r')
        line.len--;
    return line;
}

static struct slice trim(struct slice s)
{
    while (s.len && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = slice_skip(s, 1);
    while (s.len && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

static size_t count_leading(struct slice s, uint8_t c)
{
    size_t n = 0;
    while (n < s.len && s.ptr[n] == c)
        n++;
    return n;
}

static bool line_is(struct slice line, const char *text)
{
    return slice_equal(trim(line), slice_str(text));
}

/* What follows front matter that is closed; all of the text where there is none. */
static struct slice skip_front_matter(struct slice text)
{
    struct slice rest = text;
    if (text.len == 0)
        return text;
    struct slice fence = next_line(&rest);
    bool toml = slice_equal(fence, slice_str("+++"));
    if (!toml && !slice_equal(fence, slice_str("---")))
        return text;
    while (rest.len) {
        struct slice line = next_line(&rest);
        if (toml ? line_is(line, "+++") : line_is(line, "---") || line_is(line, "..."))
            return rest;
    }
    return text;
}

/* Fenced code: the character and length of the fence that is open, 0 for none. */
struct fence {
    uint8_t c;
    size_t n;
};

/* Takes a line; true when it belongs to fenced code. */
static bool fence_take(struct fence *f, struct slice line)
{
    struct slice s = trim(line);
    bool indented = count_leading(line, ' ') > 3;
    uint8_t c = s.len ? s.ptr[0] : 0;
    size_t n = c == '`' || c == '~' ? count_leading(s, c) : 0;
    if (f->n == 0) {
        if (n >= 3 && !indented)
            *f = (struct fence){c, n};
        return f->n != 0;
    }
    if (c == f->c && n >= f->n && n == s.len && !indented)
        f->n = 0;
    return true;
}

/* The text of an ATX heading; empty when the line is none. */
static struct slice atx_heading(struct slice line)
{
    struct slice none = {0};
    if (count_leading(line, ' ') > 3)
        return none;
    struct slice s = trim(line);
    size_t level = count_leading(s, '#');
    if (level == 0 || level > 6 || (s.len > level && s.ptr[level] != ' ' && s.ptr[level] != '\t'))
        return none;
    s = trim(slice_skip(s, level));
    size_t end = s.len;
    while (end && s.ptr[end - 1] == '#')
        end--;
    if (end == 0 || s.ptr[end - 1] == ' ' || s.ptr[end - 1] == '\t')
        s.len = end;
    return trim(s);
}

static bool is_underline(struct slice line)
{
    struct slice s = trim(line);
    uint8_t c = s.len ? s.ptr[0] : 0;
    return (c == '=' || c == '-') && count_leading(s, c) == s.len && count_leading(line, ' ') < 4;
}

/* Starts a list, a quotation, a table or a break: no paragraph that an underline makes a heading.
 */
static bool is_paragraph(struct slice line)
{
    struct slice s = trim(line);
    return s.len && !strchr("#>-*+|=_", s.ptr[0]) && count_leading(line, ' ') < 4;
}

static struct slice find_line(struct slice text)
{
    struct slice first = {0}, before = {0};
    struct fence fence = {0};
    while (text.len) {
        struct slice line = next_line(&text);
        bool code = fence_take(&fence, line);
        if (!first.len && !code)
            first = trim(line);
        if (!code && atx_heading(line).len)
            return atx_heading(line);
        if (!code && is_underline(line) && is_paragraph(before))
            return trim(before);
        before = code ? (struct slice){0} : line;
    }
    return first;
}

/* "[text](address)" becomes "text", marks of emphasis and code go. */
static void strip_markup(struct slice s, struct buf *out)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.ptr[i];
        if (c == '*' || c == '`' || c == '[')
            continue;
        if (c == ']' && i + 1 < s.len && s.ptr[i + 1] == '(') {
            const uint8_t *end = memchr(s.ptr + i, ')', s.len - i);
            if (end) {
                i = (size_t)(end - s.ptr);
                continue;
            }
        }
        if (c != ']')
            buf_u8(out, c);
    }
}

static void put_title(struct slice raw, struct buf *out)
{
    struct slice line = trim(raw);
    line.len = utf8_prefix(line, TITLE_MOST_BYTES);
    struct buf shown = BUF_INIT;
    utf8_printable(&shown, line, true);
    size_t len = utf8_prefix(buf_slice(&shown), TITLE_MOST_BYTES);
    buf_append(out, shown.ptr, len);
    if (buf_error(&shown))
        out->error = buf_error(&shown);
    buf_clear(&shown);
}

void title_of_text(struct slice text, struct buf *out)
{
    struct slice line = find_line(skip_front_matter(text));
    struct buf plain = BUF_INIT;
    strip_markup(line, &plain);
    bool bare = trim(buf_slice(&plain)).len == 0 && !buf_error(&plain);
    if (buf_error(&plain))
        out->error = buf_error(&plain);
    put_title(bare ? line : buf_slice(&plain), out);
    buf_clear(&plain);
}

void title_of_path(struct slice path, struct buf *out)
{
    size_t start = path.len;
    while (start > 0 && path.ptr[start - 1] != '/')
        start--;
    struct slice name = slice_skip(path, start);
    if (name.len > 3 && memcmp(name.ptr + name.len - 3, ".md", 3) == 0)
        name.len -= 3;
    put_title(name.len ? name : slice_str("untitled"), out);
}
