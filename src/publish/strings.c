/* strings.c - text helpers of the layer (see strings.h). */
#include "publish/strings.h"

#include <assert.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "rapport/error.h"

struct slice slice_trim(struct slice s)
{
    while (s.len && is_blank(s.ptr[0]))
        s = slice_skip(s, 1);
    while (s.len && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

struct slice slice_part(struct slice s, size_t from, size_t to)
{
    assert(from <= to && to <= s.len);
    return slice_of(s.ptr ? s.ptr + from : NULL, to - from);
}

size_t slice_find(struct slice s, const char *what)
{
    size_t n = strlen(what);
    if (n == 0)
        return 0;
    for (size_t at = 0; at < s.len && n <= s.len - at; at++) {
        const uint8_t *first = memchr(s.ptr + at, what[0], s.len - at);
        if (!first)
            break;
        at = (size_t)(first - s.ptr);
        if (n <= s.len - at && memcmp(first, what, n) == 0)
            return at;
    }
    return s.len;
}

bool slice_starts(struct slice s, const char *prefix)
{
    size_t n = strlen(prefix);
    return s.len >= n && (n == 0 || memcmp(s.ptr, prefix, n) == 0);
}

bool slice_starts_nocase(struct slice s, const char *prefix)
{
    size_t n = strlen(prefix);
    return s.len >= n && slice_equal_nocase(slice_of(s.ptr, n), slice_str(prefix));
}

bool slice_equal_nocase(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (to_lower(a.ptr[i]) != to_lower(b.ptr[i]))
            return false;
    }
    return true;
}

bool slice_contains_nocase(struct slice s, struct slice what)
{
    for (size_t i = 0; what.len <= s.len && i <= s.len - what.len; i++) {
        if (slice_equal_nocase(slice_part(s, i, i + what.len), what))
            return true;
    }
    return false;
}

bool is_unwanted(uint32_t cp)
{
    return (cp < 0x20 && cp != '\n' && cp != '\t') || (cp >= 0x7f && cp <= 0x9f) || cp == 0x061c ||
           (cp >= 0x200e && cp <= 0x200f) || (cp >= 0x202a && cp <= 0x202e) ||
           (cp >= 0x2066 && cp <= 0x2069) || cp == 0xfeff;
}

/* How much of `s` is printable ASCII with single blanks inside: nearly all of it nearly always. */
static size_t plain_prefix(struct slice s)
{
    size_t n = 0;
    while (n < s.len && s.ptr[n] < 0x7f &&
           (s.ptr[n] > ' ' || (s.ptr[n] == ' ' && n && s.ptr[n - 1] != ' ')))
        n++;
    while (n && s.ptr[n - 1] == ' ')
        n--;
    return n;
}

void put_one_line(struct buf *b, struct slice s)
{
    size_t at = plain_prefix(s);
    bool blank = false, any = at > 0;
    buf_append(b, s.ptr, at);
    while (at < s.len) {
        int32_t cp = utf8_next(s, &at);
        if (cp == 0x2028 || cp == 0x2029 || (cp >= 0 && cp < 0x80 && is_blank((uint8_t)cp))) {
            blank = true;
            continue;
        }
        if (cp >= 0 && is_unwanted((uint32_t)cp))
            continue;
        if (blank && any)
            buf_u8(b, ' ');
        utf8_put(b, cp < 0 ? 0xfffd : (uint32_t)cp);
        blank = false;
        any = true;
    }
}

void put_markdown_plain(struct buf *b, const char *text)
{
    for (; *text; text++) {
        if (strchr(MARKDOWN_MARKS, *text))
            buf_u8(b, '\\');
        buf_u8(b, (uint8_t)*text);
    }
}

const char *arena_str(struct arena *a, struct slice s)
{
    return s.len ? arena_copy(a, s.ptr, s.len) : arena_copy(a, "", 0);
}

const char *arena_buf(struct arena *a, const struct buf *b)
{
    return buf_error(b) ? NULL : arena_str(a, buf_slice(b));
}

int str_list_add(struct str_list *l, const char *str)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 8;
        const char **items = realloc(l->items, cap * sizeof *items);
        if (!items)
            return RAPPORT_NOMEM;
        l->items = items;
        l->cap = cap;
    }
    l->items[l->n++] = str;
    return 0;
}

void str_list_clear(struct str_list *l)
{
    free(l->items);
    *l = (struct str_list){0};
}

int str_list_save(const struct str_list *l, struct arena *a, const char ***out)
{
    const char **copy = NULL;
    if (l->n) {
        copy = arena_alloc(a, l->n * sizeof *copy);
        if (!copy)
            return RAPPORT_NOMEM;
        memcpy(copy, l->items, l->n * sizeof *copy);
    }
    *out = copy;
    return 0;
}

bool str_list_has(const struct str_list *l, const char *str)
{
    for (size_t i = 0; i < l->n; i++) {
        if (strcmp(l->items[i], str) == 0)
            return true;
    }
    return false;
}

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void sort_strings(const char **strings, size_t n)
{
    if (n > 1)
        qsort(strings, n, sizeof *strings, compare_strings);
}
