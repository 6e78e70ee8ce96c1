/* note.c - what a note says of itself: title and tags (see front_matter.h). */
#include "base/utf8.h"
#include "publish/front_matter.h"
#include "publish/lines.h"
#include "rapport/error.h"

enum {
    TITLE_MOST_BYTES = 200,
    TAG_MOST_BYTES = 64
};

/* True for "===" or "---" under a line of text: a setext heading's mark. */
static bool is_underline(struct slice text)
{
    text = slice_trim(text);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != text.ptr[0] || (text.ptr[i] != '=' && text.ptr[i] != '-'))
            return false;
    }
    return text.len > 0;
}

/* The first heading's text as it stands in the source, else the first line with something on it. */
static struct slice find_title(struct slice body)
{
    struct line_reader r = line_reader_of(body);
    struct line l;
    struct slice first = {0}, before = {0}, heading;
    int level;
    while (line_next(&r, &l)) {
        if (l.is_code) {
            before = slice_of(NULL, 0);
            continue;
        }
        if (line_heading(l.text, &level, &heading) && heading.len)
            return heading;
        if (before.len && is_underline(l.text))
            return before;
        before = slice_trim(l.text);
        if (!first.len)
            first = before;
    }
    return first;
}

/* Drops the marks of inline Markdown: backslashes before punctuation, and *, _, ` that are not
 * escaped; "[text](url)" becomes "text". */
static void put_without_marks(struct buf *out, struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.ptr[i];
        bool word_inside = c == '_' && i && i + 1 < s.len && !is_blank(s.ptr[i - 1]) &&
                           (is_alpha(s.ptr[i + 1]) || is_digit(s.ptr[i + 1]));
        if (c == '\\' && i + 1 < s.len && s.ptr[i + 1] && strchr(MARKDOWN_MARKS, s.ptr[i + 1])) {
            buf_u8(out, s.ptr[++i]);
        } else if (c == ']' && i + 1 < s.len && s.ptr[i + 1] == '(') {
            while (i < s.len && s.ptr[i] != ')')
                i++;
        } else if (c == '[') {
            const uint8_t *end = memchr(s.ptr + i, ']', s.len - i);
            if (!end || end + 1 == s.ptr + s.len || end[1] != '(')
                buf_u8(out, c);
        } else if ((c != '*' && c != '`' && c != '_') || word_inside) {
            buf_u8(out, c);
        }
    }
}

int note_title(struct slice text, struct buf *out)
{
    struct buf plain = BUF_INIT, line = BUF_INIT;
    put_without_marks(&plain, find_title(front_matter_body(text)));
    put_one_line(&line, buf_slice(&plain));
    size_t n = utf8_prefix(buf_slice(&line), TITLE_MOST_BYTES);
    buf_append_slice(out, slice_trim(slice_of(line.ptr, n)));
    int error = buf_error(&plain) ? buf_error(&plain) : buf_error(&line);
    buf_clear(&plain);
    buf_clear(&line);
    return error ? error : buf_error(out);
}

static bool tag_byte(uint8_t c)
{
    return is_alpha(c) || is_digit(c) || c == '-' || c == '_' || c == '/' || c >= 0x80;
}

static int add_tag(struct str_list *tags, struct arena *arena, struct slice tag)
{
    while (tag.len && (tag.ptr[tag.len - 1] == '-' || tag.ptr[tag.len - 1] == '/'))
        tag.len--;
    if (tag.len == 0 || tag.len > TAG_MOST_BYTES || tags->n == FRONT_MATTER_MOST_ITEMS ||
        !utf8_valid(tag))
        return 0;
    const char *copy = arena_str(arena, tag);
    if (!copy)
        return RAPPORT_NOMEM;
    return str_list_has(tags, copy) ? 0 : str_list_add(tags, copy);
}

/* Skips a code span that begins at `at`; returns where it ends, or behind the backticks when
 * none does. */
static size_t skip_code(struct slice s, size_t at)
{
    size_t n = 0;
    while (at + n < s.len && s.ptr[at + n] == '`')
        n++;
    for (size_t i = at + n; i < s.len;) {
        size_t run = 0;
        while (i + run < s.len && s.ptr[i + run] == '`')
            run++;
        if (run == n)
            return i + run;
        i += run ? run : 1;
    }
    return at + n;
}

static int tags_of_line(struct slice s, struct arena *arena, struct str_list *tags)
{
    for (size_t at = 0; at < s.len;) {
        if (s.ptr[at] == '`') {
            at = skip_code(s, at);
            continue;
        }
        bool opens =
            s.ptr[at] == '#' && (at == 0 || is_blank(s.ptr[at - 1]) || s.ptr[at - 1] == '(');
        size_t end = ++at;
        if (!opens || at == s.len || !(is_alpha(s.ptr[at]) || s.ptr[at] >= 0x80))
            continue;
        while (end < s.len && tag_byte(s.ptr[end]))
            end++;
        int error = add_tag(tags, arena, slice_part(s, at, end));
        if (error)
            return error;
        at = end;
    }
    return 0;
}

static int collect_tags(const struct front_matter *m, struct arena *arena, struct str_list *tags)
{
    int error = 0;
    for (size_t i = 0; i < m->n_tags && !error; i++)
        error = add_tag(tags, arena, slice_str(m->tags[i]));
    struct line_reader r = line_reader_of(m->body);
    for (struct line l; !error && line_next(&r, &l);) {
        if (!l.is_code)
            error = tags_of_line(l.text, arena, tags);
    }
    return error;
}

int note_tags(struct slice text, struct arena *arena, const char ***tags, size_t *n_tags)
{
    struct front_matter m;
    struct str_list list = {0};
    const char **saved;
    int error = front_matter_parse(text, &m);
    if (error)
        return error;
    error = collect_tags(&m, arena, &list);
    if (!error)
        error = str_list_save(&list, arena, &saved);
    if (!error) {
        *tags = saved;
        *n_tags = list.n;
    }
    str_list_clear(&list);
    front_matter_clear(&m);
    return error;
}
