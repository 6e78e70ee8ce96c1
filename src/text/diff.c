/*
 * diff.c - from two texts to the edits between them (see rapport/text.h): common ends, then lines,
 * then code points inside of changed lines. A stretch of lines that has little in common with what
 * replaces it is replaced as a whole: scattered single characters that happen to match are worth
 * nothing to a merge.
 */
#include "base/utf8.h"
#include "rapport/text.h"
#include "text/myers.h"
#include "text/vec.h"

enum {
    MOST_DIFF_BYTES = 1 << 30,
    LEAST_COMMON_PART = 3 /* of the longer side, as a divisor */
};

/* One line, newline included, or the rest behind the last one. */
struct line {
    uint64_t hash;
    struct slice text;
    uint32_t index; /* in old and then new lines */
};

/* A growing list of numbers. */
struct numbers {
    uint32_t *items;
    size_t n, cap;
};

struct differ {
    struct rapport_text_edit *edits;
    size_t n_edits, cap_edits;
    struct slice old_rest, new_rest; /* from where the next edit may begin */
    size_t pos;                      /* code points of the new text before new_rest */
    struct matches lines, characters;
    struct numbers old_numbers, new_numbers; /* code points of a changed stretch */
};

static size_t common_prefix(struct slice a, struct slice b)
{
    size_t n = 0, most = a.len < b.len ? a.len : b.len;
    while (n < most && a.ptr[n] == b.ptr[n])
        n++;
    /* Not inside of a code point of either. */
    while (n > 0 &&
           ((n < a.len && (a.ptr[n] & 0xc0) == 0x80) || (n < b.len && (b.ptr[n] & 0xc0) == 0x80)))
        n--;
    return n;
}

static size_t common_suffix(struct slice a, struct slice b)
{
    size_t n = 0, most = a.len < b.len ? a.len : b.len;
    while (n < most && a.ptr[a.len - 1 - n] == b.ptr[b.len - 1 - n])
        n++;
    while (n > 0 && (a.ptr[a.len - n] & 0xc0) == 0x80)
        n--;
    return n;
}

/* The next old_len bytes of the old text are replaced by the next new_len of the new one. */
static int replace(struct differ *d, size_t old_len, size_t new_len)
{
    if (!old_len && !new_len)
        return 0;
    if (VEC_RESERVE(d->edits, d->cap_edits, d->n_edits + 1))
        return RAPPORT_NOMEM;
    d->edits[d->n_edits++] =
        (struct rapport_text_edit){d->pos, utf8_count(slice_of(d->old_rest.ptr, old_len)),
                                   (const char *)d->new_rest.ptr, new_len};
    d->pos += utf8_count(slice_of(d->new_rest.ptr, new_len));
    d->old_rest = slice_skip(d->old_rest, old_len);
    d->new_rest = slice_skip(d->new_rest, new_len);
    return 0;
}

static void keep(struct differ *d, size_t len)
{
    d->pos += utf8_count(slice_of(d->new_rest.ptr, len));
    d->old_rest = slice_skip(d->old_rest, len);
    d->new_rest = slice_skip(d->new_rest, len);
}

static int decode(struct slice text, struct numbers *out)
{
    out->n = 0;
    for (size_t at = 0; at < text.len;) {
        if (VEC_RESERVE(out->items, out->cap, out->n + 1))
            return RAPPORT_NOMEM;
        out->items[out->n++] = (uint32_t)utf8_next(text, &at);
    }
    return 0;
}

static bool is_worthwhile(const struct matches *m, size_t n_old, size_t n_new)
{
    size_t common = 0, longer = n_old > n_new ? n_old : n_new;
    for (size_t i = 0; i < m->n; i++)
        common += m->items[i].n;
    return common * LEAST_COMMON_PART >= longer;
}

/* A changed stretch of old_len and new_len bytes, by code points. */
static int diff_characters(struct differ *d, size_t old_len, size_t new_len)
{
    struct slice old_text = slice_of(d->old_rest.ptr, old_len);
    struct slice new_text = slice_of(d->new_rest.ptr, new_len);
    struct numbers *a = &d->old_numbers, *b = &d->new_numbers;
    struct matches *m = &d->characters;
    if (!old_len || !new_len)
        return replace(d, old_len, new_len);
    if (decode(old_text, a) || decode(new_text, b))
        return RAPPORT_NOMEM;
    int error = myers_match(a->items, (uint32_t)a->n, b->items, (uint32_t)b->n, m);
    if (!error && !is_worthwhile(m, a->n, b->n))
        m->n = 0;
    uint32_t at_a = 0, at_b = 0;
    for (size_t i = 0; i < m->n && !error; i++) {
        struct match part = m->items[i];
        error = replace(d, utf8_offset(d->old_rest, part.a - at_a),
                        utf8_offset(d->new_rest, part.b - at_b));
        keep(d, utf8_offset(d->new_rest, part.n));
        at_a = part.a + part.n;
        at_b = part.b + part.n;
    }
    if (error)
        return error;
    size_t old_done = (size_t)(d->old_rest.ptr - old_text.ptr);
    size_t new_done = (size_t)(d->new_rest.ptr - new_text.ptr);
    return replace(d, old_len - old_done, new_len - new_done);
}

static int add_lines(struct slice text, struct line **lines, size_t *n, size_t *cap)
{
    while (text.len) {
        const uint8_t *newline = memchr(text.ptr, '\n', text.len);
        size_t len = newline ? (size_t)(newline - text.ptr) + 1 : text.len;
        uint64_t hash = 0xcbf29ce484222325u;
        for (size_t i = 0; i < len; i++)
            hash = (hash ^ text.ptr[i]) * 0x100000001b3u;
        if (VEC_RESERVE(*lines, *cap, *n + 1))
            return RAPPORT_NOMEM;
        (*lines)[*n] = (struct line){hash, slice_of(text.ptr, len), (uint32_t)*n};
        ++*n;
        text = slice_skip(text, len);
    }
    return 0;
}

/* By hash, and only where that is equal by content: sorting is no slower on chosen collisions. */
static int compare_lines(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return slice_compare(x->text, y->text);
}

/* Gives equal lines equal numbers: numbers[i] is that of line i. Sorts the lines. */
static void number_lines(struct line *lines, size_t n, uint32_t *numbers)
{
    uint32_t number = 0;
    qsort(lines, n, sizeof *lines, compare_lines);
    for (size_t i = 0; i < n; i++) {
        if (i && compare_lines(&lines[i - 1], &lines[i]) != 0)
            number++;
        numbers[lines[i].index] = number;
    }
}

/* Bytes of the next n lines. */
static size_t length_of_lines(struct slice text, size_t n)
{
    size_t at = 0;
    while (n-- > 0) {
        const uint8_t *newline = memchr(text.ptr + at, '\n', text.len - at);
        at = newline ? (size_t)(newline - text.ptr) + 1 : text.len;
    }
    return at;
}

/* Matches the lines of what is left of both texts. */
static int match_lines(struct differ *d)
{
    struct line *lines = NULL;
    size_t n = 0, n_old = 0, cap = 0;
    int error = add_lines(d->old_rest, &lines, &n, &cap);
    n_old = n;
    if (!error)
        error = add_lines(d->new_rest, &lines, &n, &cap);
    uint32_t *numbers = error ? NULL : malloc((n + 1) * sizeof *numbers);
    if (numbers) {
        number_lines(lines, n, numbers);
        error = myers_match(numbers, (uint32_t)n_old, numbers + n_old, (uint32_t)(n - n_old),
                            &d->lines);
    } else {
        error = RAPPORT_NOMEM;
    }
    free(numbers);
    free(lines);
    return error;
}

/* The middle of the texts, where they differ. */
static int diff_lines(struct differ *d)
{
    if (!d->old_rest.len || !d->new_rest.len)
        return replace(d, d->old_rest.len, d->new_rest.len);
    int error = match_lines(d);
    uint32_t at_a = 0, at_b = 0;
    for (size_t i = 0; i < d->lines.n && !error; i++) {
        struct match part = d->lines.items[i];
        error = diff_characters(d, length_of_lines(d->old_rest, part.a - at_a),
                                length_of_lines(d->new_rest, part.b - at_b));
        keep(d, length_of_lines(d->new_rest, part.n));
        at_a = part.a + part.n;
        at_b = part.b + part.n;
    }
    return error ? error : diff_characters(d, d->old_rest.len, d->new_rest.len);
}

static void differ_clear(struct differ *d)
{
    free(d->lines.items);
    free(d->characters.items);
    free(d->old_numbers.items);
    free(d->new_numbers.items);
}

int rapport_text_diff(const char *old_text, size_t old_len, const char *new_text, size_t new_len,
                      struct rapport_text_edit **out, size_t *n)
{
    struct differ d = {.old_rest = slice_of(old_text, old_len),
                       .new_rest = slice_of(new_text, new_len)};
    if (old_len > MOST_DIFF_BYTES || new_len > MOST_DIFF_BYTES)
        return RAPPORT_LIMIT;
    if (!utf8_valid(d.old_rest) || !utf8_valid(d.new_rest))
        return RAPPORT_MALFORMED;
    keep(&d, common_prefix(d.old_rest, d.new_rest));
    size_t suffix = common_suffix(d.old_rest, d.new_rest);
    d.old_rest.len -= suffix;
    d.new_rest.len -= suffix;
    int error = diff_lines(&d);
    differ_clear(&d);
    if (error) {
        free(d.edits);
        return error;
    }
    *out = d.edits;
    *n = d.n_edits;
    return 0;
}
