/*
 * merge.c - three-way merge of texts and the question which text an editor had read.
 *
 * The edits of rapport_text_diff have positions in the text as the edits before left it; here
 * they are first brought to spans of the base text (bytes), which can be compared.
 */
#include "host/merge.h"

#include <stdlib.h>

#include "base/utf8.h"
#include "rapport/text.h"

/* base[from, to) becomes `text`; ascending, not touching each other but at their ends. */
struct span {
    size_t from, to;
    struct slice text;
};

struct spans {
    struct rapport_text_edit *edits; /* own the array that texts point past */
    struct span *rows;
    size_t n;
};

static void spans_clear(struct spans *s)
{
    free(s->edits);
    free(s->rows);
}

/* Byte offset of a code point further on: from `*point` at byte `*at` to `point`. */
static size_t forward(struct slice base, size_t *point, size_t *at, size_t to_point)
{
    if (to_point > *point) {
        *at += utf8_offset(slice_skip(base, *at), to_point - *point);
        *point = to_point;
    }
    return *at;
}

static int spans_between(struct slice base, struct slice text, struct spans *out)
{
    *out = (struct spans){0};
    int error = rapport_text_diff((const char *)base.ptr, base.len, (const char *)text.ptr,
                                  text.len, &out->edits, &out->n);
    if (error)
        return error;
    out->rows = calloc(out->n + 1, sizeof *out->rows);
    if (!out->rows) {
        free(out->edits);
        return RAPPORT_NOMEM;
    }
    size_t point = 0, at = 0, n_deleted = 0, n_inserted = 0;
    for (size_t i = 0; i < out->n; i++) {
        const struct rapport_text_edit *e = &out->edits[i];
        size_t from = e->pos + n_deleted - n_inserted; /* code point in the base */
        struct span *row = &out->rows[i];
        row->text = slice_of(e->text, e->text_len);
        row->from = forward(base, &point, &at, from);
        row->to = forward(base, &point, &at, from + e->n_deleted);
        n_deleted += e->n_deleted;
        n_inserted += utf8_count(row->text);
    }
    return 0;
}

static bool same_span(const struct span *a, const struct span *b)
{
    return a->from == b->from && a->to == b->to && slice_equal(a->text, b->text);
}

int merge_texts(struct slice base, struct slice mine, struct slice theirs, struct buf *out)
{
    struct spans a, b;
    int error = spans_between(base, theirs, &a);
    if (error)
        return error;
    error = spans_between(base, mine, &b);
    if (error) {
        spans_clear(&a);
        return error;
    }
    size_t at = 0, i = 0, j = 0; /* base[0, at) is done */
    while (i < a.n || j < b.n) {
        if (i < a.n && j < b.n && same_span(&a.rows[i], &b.rows[j]))
            j++;
        bool first = i < a.n && (j >= b.n || a.rows[i].from <= b.rows[j].from);
        const struct span *next = first ? &a.rows[i++] : &b.rows[j++];
        if (next->from > at) {
            buf_append(out, base.ptr + at, next->from - at);
            at = next->from;
        }
        buf_append_slice(out, next->text);
        at = next->to > at ? next->to : at;
    }
    if (at < base.len)
        buf_append(out, base.ptr + at, base.len - at);
    spans_clear(&a);
    spans_clear(&b);
    return buf_error(out);
}

/* How many bytes of [from, to) are replaced in `spans`. */
static size_t n_gone(const struct spans *spans, size_t from, size_t to)
{
    size_t n = 0;
    for (size_t i = 0; i < spans->n && spans->rows[i].from < to; i++) {
        size_t low = spans->rows[i].from > from ? spans->rows[i].from : from;
        size_t high = spans->rows[i].to < to ? spans->rows[i].to : to;
        n += high > low ? high - low : 0;
    }
    return n;
}

/* How much of a change shows, by code units: all of it, and what shows. */
static bool weigh(struct slice before, struct slice after, struct slice text, size_t *n,
                  size_t *n_shown)
{
    struct spans change, from_before, from_after;
    size_t shift_in = 0, shift_out = 0;
    if (spans_between(before, after, &change))
        return false;
    bool known = !spans_between(before, text, &from_before);
    if (known && spans_between(after, text, &from_after)) {
        spans_clear(&from_before);
        known = false;
    }
    for (size_t i = 0; known && i < change.n; i++) {
        const struct span *c = &change.rows[i];
        size_t start = c->from + shift_in - shift_out; /* of the inserted text in `after` */
        *n += c->text.len + (c->to - c->from);
        *n_shown += c->text.len - n_gone(&from_after, start, start + c->text.len);
        *n_shown += n_gone(&from_before, c->from, c->to);
        shift_in += c->text.len;
        shift_out += c->to - c->from;
    }
    if (known) {
        spans_clear(&from_before);
        spans_clear(&from_after);
    }
    spans_clear(&change);
    return known;
}

/* ---- by whole lines ---- */

struct lines {
    struct slice *rows; /* sorted, without blank ones */
    size_t n;
};

static int by_bytes(const void *a, const void *b)
{
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

static bool lines_of(struct slice text, struct lines *out)
{
    size_t most = 1;
    for (size_t i = 0; i < text.len; i++)
        most += text.ptr[i] == '\n';
    *out = (struct lines){calloc(most, sizeof *out->rows), 0};
    while (out->rows && text.len) {
        const uint8_t *end = memchr(text.ptr, '\n', text.len);
        size_t len = end ? (size_t)(end - text.ptr) : text.len;
        if (len)
            out->rows[out->n++] = slice_of(text.ptr, len);
        text = slice_skip(text, end ? len + 1 : len);
    }
    if (out->rows)
        qsort(out->rows, out->n, sizeof *out->rows, by_bytes);
    return out->rows;
}

static bool has_line(const struct lines *lines, struct slice line)
{
    return lines->n && bsearch(&line, lines->rows, lines->n, sizeof line, by_bytes);
}

/* Lines of `a` that are not in `b`, and how many of those are in `text`. */
static size_t count_only(const struct lines *a, const struct lines *b, const struct lines *text,
                         size_t *n_in_text)
{
    size_t n = 0;
    for (size_t i = 0; i < a->n; i++) {
        if (has_line(b, a->rows[i]))
            continue;
        n++;
        *n_in_text += has_line(text, a->rows[i]);
    }
    return n;
}

/*
 * Whole lines are the better witness: two people often write alike within one. A new line that is
 * there speaks for, an old one that is still there against. Only where neither is to be found (the
 * person edited that very line, or deleted it) code units decide, and then nearly all must show:
 * to bring text back that was read and deleted costs less than to delete what was never read.
 */
bool change_shows(struct slice before, struct slice after, struct slice text)
{
    struct lines old = {0}, new = {0}, now = {0};
    size_t n_for = 0, n_against = 0, n = 0, n_shown = 0, n_new = 0, n_gone_lines = 0;
    bool known = lines_of(before, &old) && lines_of(after, &new) && lines_of(text, &now);
    if (known) {
        n_new = count_only(&new, &old, &now, &n_for);
        n_gone_lines = count_only(&old, &new, &now, &n_against);
    }
    free(old.rows);
    free(new.rows);
    free(now.rows);
    if (!known)
        return false;
    if (n_for || n_against)
        return n_for >= n_against;
    if (n_new == 0 && n_gone_lines > 0)
        return true; /* only lines went, and they are gone here too */
    return weigh(before, after, text, &n, &n_shown) && 10 * n_shown >= 9 * n;
}
