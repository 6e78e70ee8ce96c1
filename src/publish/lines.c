/* lines.c - lines and fences (see lines.h). */
#include "publish/lines.h"

enum {
    FENCE_LEAST = 3,
    INDENT_MOST = 3 /* one more is indented code */
};

static size_t indent_of(struct slice s)
{
    size_t n = 0;
    while (n < s.len && s.ptr[n] == ' ')
        n++;
    return n;
}

static size_t run_of(struct slice s, size_t at, uint8_t c)
{
    size_t n = at;
    while (n < s.len && s.ptr[n] == c)
        n++;
    return n - at;
}

/* Opens or closes a block; true when the line is a fence. */
static bool take_fence(struct line_reader *r, struct slice text)
{
    size_t indent = indent_of(text);
    if (indent > INDENT_MOST || indent == text.len)
        return false;
    uint8_t c = text.ptr[indent];
    size_t n = run_of(text, indent, c);
    struct slice info = slice_skip(text, indent + n);
    if ((c != '`' && c != '~') || n < FENCE_LEAST)
        return false;
    if (!r->fence) {
        if (c == '`' && info.len && memchr(info.ptr, '`', info.len))
            return false;
        r->fence = c;
        r->fence_len = n;
        return true;
    }
    if (c != r->fence || n < r->fence_len || !line_is_blank(info))
        return false;
    r->fence = 0;
    return true;
}

bool line_next(struct line_reader *r, struct line *out)
{
    if (r->rest.len == 0)
        return false;
    const uint8_t *end = memchr(r->rest.ptr, '\n', r->rest.len);
    size_t len = end ? (size_t)(end - r->rest.ptr) : r->rest.len;
    out->whole = slice_part(r->rest, 0, end ? len + 1 : len);
    out->text = slice_part(r->rest, 0, len && r->rest.ptr[len - 1] == '\r' ? len - 1 : len);
    out->number = ++r->number;
    bool inside = r->fence != 0;
    out->is_code = take_fence(r, out->text) || inside;
    r->rest = slice_skip(r->rest, out->whole.len);
    return true;
}

void line_close_fence(struct slice text, struct buf *out)
{
    struct line_reader r = line_reader_of(text);
    struct line l;
    while (line_next(&r, &l))
        ;
    if (!r.fence)
        return;
    if (text.ptr[text.len - 1] != '\n')
        buf_u8(out, '\n');
    for (size_t i = 0; i < r.fence_len; i++)
        buf_u8(out, r.fence);
    buf_u8(out, '\n');
}

bool line_heading(struct slice line, int *level, struct slice *text)
{
    size_t indent = indent_of(line);
    size_t n = run_of(line, indent, '#');
    if (indent > INDENT_MOST || n < 1 || n > 6)
        return false;
    struct slice rest = slice_skip(line, indent + n);
    if (rest.len && rest.ptr[0] != ' ' && rest.ptr[0] != '\t')
        return false;
    rest = slice_trim(rest);
    size_t end = rest.len;
    while (end && rest.ptr[end - 1] == '#')
        end--;
    if (end == 0 || rest.ptr[end - 1] == ' ' || rest.ptr[end - 1] == '\t')
        rest = slice_trim(slice_part(rest, 0, end)); /* closing marks */
    *level = (int)n;
    *text = rest;
    return true;
}
