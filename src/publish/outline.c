/*
 * outline.c - reading report.md and drafting it (see outline.h).
 *
 * A draft works on a list of pieces: the items of the existing text in their order, between which
 * embeds are put in. An embed of a talk goes before the first talk's embed that starts later, so
 * one that was moved by hand out of its time (an honourable mention at the end) attracts nothing;
 * but behind the embed before that when both share a day, since the text above a day's first embed
 * is that day's heading.
 */
#include "publish/outline.h"

#include <stdlib.h>

#include "publish/front_matter.h"
#include "publish/lines.h"
#include "publish/schedule.h"
#include "publish/slug.h"
#include "rapport/error.h"

static bool read_embed(struct slice line, struct slice *name)
{
    struct slice s = slice_trim(line);
    if (!slice_starts(s, "![[") || s.len < 5 || s.ptr[s.len - 1] != ']' || s.ptr[s.len - 2] != ']')
        return false;
    s = slice_part(s, 3, s.len - 2);
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '[' || s.ptr[i] == ']')
            return false;
        if (s.ptr[i] == '#' || s.ptr[i] == '|') {
            s.len = i;
            break;
        }
    }
    *name = slice_trim(s);
    return name->len > 0;
}

struct item_list {
    struct outline_item *items;
    size_t n, cap;
};

static int add_item(struct item_list *l, struct outline_item item)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 16;
        struct outline_item *items = realloc(l->items, cap * sizeof *items);
        if (!items)
            return RAPPORT_NOMEM;
        l->items = items;
        l->cap = cap;
    }
    l->items[l->n++] = item;
    return 0;
}

static int read_items(struct slice text, size_t first_line, struct item_list *l)
{
    struct line_reader r = line_reader_of(text);
    struct slice name;
    size_t n_embeds = 0;
    r.number = first_line - 1;
    for (struct line line; line_next(&r, &line);) {
        int error = 0;
        struct outline_item *last = l->n ? &l->items[l->n - 1] : NULL;
        if (!line.is_code && read_embed(line.text, &name)) {
            if (n_embeds++ == OUTLINE_MOST_EMBEDS)
                return RAPPORT_LIMIT;
            error =
                add_item(l, (struct outline_item){OUTLINE_EMBED, name, line.whole, line.number});
        } else if (last && last->kind == OUTLINE_TEXT) {
            last->text.len += line.whole.len;
            last->whole.len = last->text.len;
        } else {
            error = add_item(
                l, (struct outline_item){OUTLINE_TEXT, line.whole, line.whole, line.number});
        }
        if (error)
            return error;
    }
    return 0;
}

static size_t count_lines(struct slice text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++)
        n += text.ptr[i] == '\n';
    return n;
}

int outline_parse(struct slice text, struct outline *out)
{
    struct outline o = {0};
    struct item_list l = {0};
    if (text.len > OUTLINE_MOST_BYTES)
        return RAPPORT_LIMIT;
    struct slice body = front_matter_body(text);
    o.front = slice_part(text, 0, text.len - body.len);
    int error = read_items(body, 1 + count_lines(o.front), &l);
    o.items = error ? NULL : arena_alloc(&o.arena, (l.n + 1) * sizeof *o.items);
    if (!error && !o.items)
        error = RAPPORT_NOMEM;
    if (!error && l.n)
        memcpy(o.items, l.items, l.n * sizeof *o.items);
    o.n_items = l.n;
    free(l.items);
    if (!error)
        *out = o;
    return error;
}

void outline_clear(struct outline *o)
{
    arena_clear(&o->arena);
    *o = (struct outline){0};
}

static struct slice without_md(struct slice path)
{
    if (path.len > 3 &&
        slice_equal_nocase(slice_part(path, path.len - 3, path.len), slice_str(".md")))
        path.len -= 3;
    return path;
}

static struct slice without_notes(struct slice path)
{
    return slice_starts(path, "notes/") ? slice_skip(path, 6) : path;
}

static struct slice last_part(struct slice path)
{
    for (size_t i = path.len; i > 0; i--) {
        if (path.ptr[i - 1] == '/')
            return slice_skip(path, i);
    }
    return path;
}

static bool by_path(const struct outline_note *n, struct slice name)
{
    return slice_equal(without_md(slice_str(n->path)), without_md(name));
}

static bool by_short_path(const struct outline_note *n, struct slice name)
{
    return slice_equal(without_notes(without_md(slice_str(n->path))),
                       without_notes(without_md(name)));
}

static bool by_slug(const struct outline_note *n, struct slice name)
{
    return slice_equal_nocase(last_part(without_md(slice_str(n->path))), without_md(name)) ||
           (n->slug && *n->slug && slice_equal_nocase(slice_str(n->slug), name));
}

static bool by_title(const struct outline_note *n, struct slice name)
{
    return n->title && *n->title && slice_equal_nocase(slice_str(n->title), name);
}

int outline_resolve(const struct outline_note *notes, size_t n, struct slice name, size_t *index)
{
    bool (*const ways[])(const struct outline_note *, struct slice) = {by_path, by_short_path,
                                                                       by_slug, by_title};
    for (size_t w = 0; w < sizeof ways / sizeof ways[0]; w++) {
        size_t found = n;
        for (size_t i = 0; i < n; i++) {
            if (!ways[w](&notes[i], name))
                continue;
            if (found != n)
                return RAPPORT_AMBIGUOUS;
            found = i;
        }
        if (found != n) {
            *index = found;
            return 0;
        }
    }
    return RAPPORT_NOTFOUND;
}

void outline_embed_name(const char *path, struct buf *out)
{
    buf_append_slice(out, without_notes(without_md(slice_str(path))));
}

/* Drafting. */

struct piece {
    struct slice text;               /* existing lines with their LF; empty for a new embed */
    const struct outline_note *note; /* an embed's note */
    bool is_embed, is_new;
};

struct draft {
    const struct outline_note *notes;
    size_t n;
    const struct outline_note *
        *order; /* all notes: talks by (start, path), then the others by path */
    bool *used; /* by index in notes */
    struct piece *pieces;
    size_t n_pieces;
    struct buf *problems;
};

static bool has_talk(const struct outline_note *n)
{
    return n->day && *n->day;
}

static int compare_notes(const void *a, const void *b)
{
    const struct outline_note *x = *(const struct outline_note *const *)a;
    const struct outline_note *y = *(const struct outline_note *const *)b;
    if (has_talk(x) != has_talk(y))
        return has_talk(x) ? -1 : 1;
    if (has_talk(x) && x->start_min != y->start_min)
        return x->start_min < y->start_min ? -1 : 1;
    return strcmp(x->path, y->path);
}

static void say(struct draft *d, const char *before, struct slice name, const char *after)
{
    if (!d->problems)
        return;
    buf_append_str(d->problems, before);
    buf_append_slice(d->problems, name);
    buf_append_str(d->problems, after);
    buf_u8(d->problems, '\n');
}

static void insert_piece(struct draft *d, size_t at, struct piece p)
{
    memmove(&d->pieces[at + 1], &d->pieces[at], (d->n_pieces - at) * sizeof p);
    d->pieces[at] = p;
    d->n_pieces++;
}

/* Takes the existing items over; leaves out second embeds of a note. */
static void take_items(struct draft *d, const struct outline *o)
{
    for (size_t i = 0; i < o->n_items; i++) {
        const struct outline_item *item = &o->items[i];
        struct piece p = {.text = item->whole, .is_embed = item->kind == OUTLINE_EMBED};
        size_t index;
        int error =
            p.is_embed ? outline_resolve(d->notes, d->n, item->text, &index) : RAPPORT_NOTFOUND;
        if (p.is_embed && error == RAPPORT_NOTFOUND)
            say(d, "kept ![[", item->text, "]], but there is no such note");
        else if (p.is_embed && error == RAPPORT_AMBIGUOUS)
            say(d, "kept ![[", item->text, "]], but more than one note is called so: use its path");
        else if (p.is_embed && d->used[index]) {
            say(d, "removed the second ![[", item->text, "]]");
            continue;
        } else if (p.is_embed) {
            d->used[index] = true;
            p.note = &d->notes[index];
        }
        d->pieces[d->n_pieces++] = p;
    }
}

/* Index of the piece before which a talk's new embed belongs. */
static size_t place_of(const struct draft *d, const struct outline_note *note)
{
    size_t before = d->n_pieces, after = d->n_pieces;
    for (size_t i = 0; i < d->n_pieces && before == d->n_pieces; i++) {
        const struct outline_note *other = d->pieces[i].note;
        if (!other || !has_talk(other))
            continue;
        if (compare_notes(&other, &note) > 0)
            before = i;
        else
            after = i;
    }
    bool first_of_day =
        before != d->n_pieces && strcmp(d->pieces[before].note->day, note->day) == 0 &&
        (after == d->n_pieces || strcmp(d->pieces[after].note->day, note->day) != 0);
    if (first_of_day || after == d->n_pieces)
        return before;
    return after + 1;
}

static void insert_missing(struct draft *d)
{
    for (size_t i = 0; i < d->n; i++) {
        const struct outline_note *note = d->order[i];
        if (d->used[note - d->notes])
            continue;
        size_t at = has_talk(note) ? place_of(d, note) : d->n_pieces;
        insert_piece(d, at, (struct piece){.note = note, .is_embed = true, .is_new = true});
        say(d, "added ", slice_str(note->path), "");
    }
}

static bool more_than_one_day(const struct draft *d)
{
    const char *day = NULL;
    for (size_t i = 0; i < d->n; i++) {
        if (!has_talk(d->order[i]))
            continue;
        if (day && strcmp(day, d->order[i]->day) != 0)
            return true;
        day = d->order[i]->day;
    }
    return false;
}

/* A blank line between blocks: before an embed, and between an embed and text. */
static void separate(struct buf *out)
{
    if (out->len && out->ptr[out->len - 1] != '\n')
        buf_u8(out, '\n');
    if (out->len > 1 && out->ptr[out->len - 2] != '\n')
        buf_u8(out, '\n');
}

static void put_new_embed(const struct outline_note *note, struct buf *out)
{
    separate(out);
    buf_append_str(out, "![[");
    outline_embed_name(note->path, out);
    buf_append_str(out, "]]\n");
}

static void put_day(const char *day, struct buf *out)
{
    separate(out);
    buf_append_str(out, "## ");
    schedule_day_name(day, out);
    buf_u8(out, '\n');
}

static void put_pieces(const struct draft *d, bool with_days, struct buf *out)
{
    const char *day = "";
    for (size_t i = 0; i < d->n_pieces; i++) {
        const struct piece *p = &d->pieces[i];
        bool after_new = i > 0 && d->pieces[i - 1].is_new;
        if (with_days && p->note && has_talk(p->note) && strcmp(p->note->day, day) != 0) {
            day = p->note->day;
            put_day(day, out);
        }
        if (p->is_new) {
            put_new_embed(p->note, out);
            continue;
        }
        if (after_new && p->text.ptr[0] != '\n')
            separate(out);
        buf_append_slice(out, p->text);
        if (!p->is_embed && i + 1 < d->n_pieces && d->pieces[i + 1].is_new)
            line_close_fence(p->text, out); /* else what follows would be code */
    }
    if (out->len && out->ptr[out->len - 1] != '\n')
        buf_u8(out, '\n');
}

static int write_draft(struct draft *d, const struct outline *o, struct buf *out)
{
    bool fresh = true;
    for (size_t i = 0; i < d->n; i++)
        d->order[i] = &d->notes[i];
    if (d->n)
        qsort(d->order, d->n, sizeof(const struct outline_note *), compare_notes);
    take_items(d, o);
    for (size_t i = 0; i < d->n_pieces; i++)
        fresh &= !d->pieces[i].is_embed;
    insert_missing(d);
    struct buf text = BUF_INIT;
    buf_append_slice(&text, o->front);
    put_pieces(d, fresh && more_than_one_day(d), &text);
    int error = buf_error(&text);
    if (!error && d->problems)
        error = buf_error(d->problems);
    if (!error) {
        buf_append_slice(out, buf_slice(&text));
        error = buf_error(out);
    }
    buf_clear(&text);
    return error;
}

int outline_draft(const struct outline_note *notes, size_t n, struct slice existing,
                  struct buf *out, struct buf *problems)
{
    struct outline o;
    if (n > OUTLINE_MOST_EMBEDS)
        return RAPPORT_LIMIT;
    int error = outline_parse(existing, &o);
    if (error)
        return error;
    struct draft d = {.notes = notes, .n = n, .problems = problems};
    d.order = malloc((n + 1) * sizeof(const struct outline_note *));
    d.used = calloc(n + 1, sizeof *d.used);
    d.pieces = malloc((n + o.n_items + 1) * sizeof *d.pieces);
    error = d.order && d.used && d.pieces ? write_draft(&d, &o, out) : RAPPORT_NOMEM;
    free((void *)d.order);
    free(d.used);
    free(d.pieces);
    outline_clear(&o);
    return error;
}
