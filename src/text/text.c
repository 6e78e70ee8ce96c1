/*
 * text.c - the public object: typing, merging, reading (see rapport/text.h). Adding events is in
 * add.c, the stored form in stored.c.
 */
#include <assert.h>

#include "base/utf8.h"
#include "text/object.h"
#include "text/vec.h"

int rapport_text_create(struct rapport_text **out)
{
    struct rapport_text *t = calloc(1, sizeof *t);
    if (!t)
        return RAPPORT_NOMEM;
    *out = t;
    return 0;
}

void rapport_text_destroy(struct rapport_text *t)
{
    if (!t)
        return;
    history_clear(&t->history);
    rope_clear(&t->rope);
    heap_clear(&t->heap);
    free(t->changes.items);
    free(t);
}

/* Applies changes to a rope: makes all room first, so that it happens as a whole or not at all. */
static int apply_changes(struct rope *rope, const struct ops *ops, const struct changes *changes)
{
    size_t len = 0, n = 0;
    for (size_t i = 0; i < changes->n; i++) {
        const struct change *c = &changes->items[i];
        len += ops_text(ops, c->ordinal, c->n_inserted).len;
        n += c->n_inserted;
    }
    if (rope_reserve(rope, len, len != n))
        return RAPPORT_NOMEM;
    for (size_t i = 0; i < changes->n; i++) {
        const struct change *c = &changes->items[i];
        rope_delete(rope, c->pos, c->n_deleted);
        rope_insert(rope, c->pos, ops_text(ops, c->ordinal, c->n_inserted), c->n_inserted);
    }
    return 0;
}

static void drop_changes(struct rapport_text *t)
{
    t->changes.n = t->n_read = 0;
}

int rapport_text_merge(struct rapport_text *t)
{
    struct changes changes = {0};
    int error = 0;
    if (t->n_merged < history_n_events(&t->history))
        error = walk_merge(&t->history, t->n_merged, &changes);
    if (!error)
        error = apply_changes(&t->rope, &t->history.ops, &changes);
    if (error) {
        free(changes.items);
        return error;
    }
    free(t->changes.items);
    t->changes = changes;
    t->n_read = 0;
    t->n_merged = history_n_events(&t->history);
    return 0;
}

bool rapport_text_next_change(struct rapport_text *t, struct rapport_text_edit *out)
{
    while (t->n_read < t->changes.n) {
        const struct change *c = &t->changes.items[t->n_read++];
        if (!c->n_deleted && !c->n_inserted)
            continue;
        struct slice text = ops_text(&t->history.ops, c->ordinal, c->n_inserted);
        *out = (struct rapport_text_edit){c->pos, c->n_deleted, (const char *)text.ptr, text.len};
        return true;
    }
    return false;
}

/* Typing: a checked run goes to the history and the rope at once. */
static int type(struct rapport_text *t, const struct rapport_text_run *run)
{
    struct history *h = &t->history;
    struct op_piece piece;
    int error = run_check(run, &piece);
    if (!error && t->n_merged < history_n_events(h))
        error = RAPPORT_STATE;
    if (error)
        return error;
    struct slice text = slice_of(run->text, run->text_len);
    bool wide = text.len != piece.n && piece.kind == OP_INSERT;
    if (rope_reserve(&t->rope, text.len, wide))
        return RAPPORT_NOMEM;
    error = history_type(h, run, piece, (uint32_t)t->rope.n);
    if (error)
        return error;
    struct op_place place = op_place(piece, (uint32_t)t->rope.n);
    if (piece.kind == OP_INSERT)
        rope_insert(&t->rope, place.start, text, place.n);
    else
        rope_delete(&t->rope, place.start, place.n);
    t->n_merged = history_n_events(h);
    drop_changes(t);
    return 0;
}

int rapport_text_insert(struct rapport_text *t, struct rapport_text_id id, size_t pos,
                        const char *text, size_t text_len)
{
    size_t n = utf8_count(slice_of(text, text_len));
    struct rapport_text_run run = {.id = id,
                                   .kind = RAPPORT_TEXT_INSERT,
                                   .pos = pos,
                                   .n_events = n,
                                   .text = text,
                                   .text_len = text_len};
    return type(t, &run);
}

int rapport_text_delete(struct rapport_text *t, struct rapport_text_id id, size_t pos, size_t n)
{
    struct rapport_text_run run = {
        .id = id, .kind = RAPPORT_TEXT_DELETE, .pos = pos, .n_events = n};
    return type(t, &run);
}

int rapport_text_add(struct rapport_text *t, const struct rapport_text_run *run)
{
    struct op_piece piece;
    int error = run_check(run, &piece);
    if (!error)
        error = history_add(&t->history, &t->heap, run, piece);
    if (!error)
        drop_changes(t);
    return error;
}

size_t rapport_text_n_events(const struct rapport_text *t)
{
    return history_n_events(&t->history);
}

size_t rapport_text_length(const struct rapport_text *t)
{
    return t->rope.n;
}

size_t rapport_text_size(const struct rapport_text *t)
{
    return rope_size(&t->rope);
}

/* The bytes [from, to) of a rope with a NUL behind them. */
static int copy_rope(const struct rope *rope, size_t from, size_t to, char **out, size_t *len)
{
    char *bytes = malloc(to - from + 1);
    if (!bytes)
        return RAPPORT_NOMEM;
    rope_read(rope, from, to, bytes);
    bytes[to - from] = 0;
    *out = bytes;
    *len = to - from;
    return 0;
}

int rapport_text_copy(const struct rapport_text *t, size_t pos, size_t n, char **out, size_t *len)
{
    size_t most = pos < t->rope.n ? t->rope.n - pos : 0;
    size_t from = rope_offset(&t->rope, pos);
    size_t to = n < most ? rope_offset(&t->rope, pos + n) : rope_size(&t->rope);
    return copy_rope(&t->rope, from, to, out, len);
}

void rapport_text_pieces(const struct rapport_text *t, struct rapport_text_pieces *out)
{
    const struct rope *r = &t->rope;
    *out = (struct rapport_text_pieces){
        r->bytes, r->gap_end < r->cap ? r->bytes + r->gap_end : NULL, r->gap, r->cap - r->gap_end};
}

/* The LVs of n ids, in memory of their own; RAPPORT_NOTFOUND for an unknown one unless `skip`. */
static int find_version(const struct rapport_text *t, const struct rapport_text_id *ids, size_t n,
                        bool skip, struct heads *out)
{
    struct heads lvs = {0};
    if (VEC_RESERVE(lvs.lvs, lvs.cap, n))
        return RAPPORT_NOMEM;
    for (size_t i = 0; i < n; i++) {
        uint32_t lv = ids_find(&t->history.ids, &ids[i]);
        if (lv != LV_NONE) {
            lvs.lvs[lvs.n++] = lv;
        } else if (!skip) {
            free(lvs.lvs);
            return RAPPORT_NOTFOUND;
        }
    }
    *out = lvs;
    return 0;
}

int rapport_text_at(const struct rapport_text *t, const struct rapport_text_id *version, size_t n,
                    char **out, size_t *len)
{
    struct heads lvs;
    int error = find_version(t, version, n, false, &lvs);
    if (error)
        return error;
    struct changes changes = {0};
    struct rope rope = ROPE_INIT;
    error = walk_version(&t->history, (struct version){lvs.lvs, lvs.n}, &changes);
    if (!error)
        error = apply_changes(&rope, &t->history.ops, &changes);
    if (!error)
        error = copy_rope(&rope, 0, rope_size(&rope), out, len);
    rope_clear(&rope);
    free(changes.items);
    free(lvs.lvs);
    return error;
}

bool rapport_text_has(const struct rapport_text *t, struct rapport_text_id id)
{
    return ids_find(&t->history.ids, &id) != LV_NONE;
}

static int compare_ids(const void *a, const void *b)
{
    const struct rapport_text_id *x = a, *y = b;
    int order = slice_compare(slice_of(x->agent, x->agent_len), slice_of(y->agent, y->agent_len));
    return order ? order : (x->seq > y->seq) - (x->seq < y->seq);
}

size_t rapport_text_version(const struct rapport_text *t, struct rapport_text_id *out, size_t max)
{
    const struct heads *heads = &t->history.graph.frontier;
    if (heads->n <= max) {
        for (size_t i = 0; i < heads->n; i++)
            out[i] = ids_public(&t->history.ids, heads->lvs[i]);
        qsort(out, heads->n, sizeof *out, compare_ids);
        return heads->n;
    }
    /* Not all fit: each goes to its place among the least so far. */
    size_t n = 0;
    for (size_t i = 0; i < heads->n && max; i++) {
        struct rapport_text_id id = ids_public(&t->history.ids, heads->lvs[i]);
        if (n == max && compare_ids(&id, &out[n - 1]) > 0)
            continue;
        size_t at = n < max ? n++ : n - 1;
        for (; at && compare_ids(&id, &out[at - 1]) < 0; at--)
            out[at] = out[at - 1];
        out[at] = id;
    }
    return heads->n;
}

static bool is_among(const struct rapport_text_id *id, const struct rapport_text_id *ids, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (compare_ids(id, &ids[i]) == 0)
            return true;
    return false;
}

bool rapport_text_covers(const struct rapport_text *t, const struct rapport_text_id *version,
                         size_t n)
{
    /* Nothing comes after a head, so only the head itself covers it. */
    const struct heads *heads = &t->history.graph.frontier;
    for (size_t i = 0; i < heads->n; i++) {
        struct rapport_text_id head = ids_public(&t->history.ids, heads->lvs[i]);
        if (!is_among(&head, version, n))
            return false;
    }
    return true;
}

int rapport_text_is_before(const struct rapport_text *t, const struct rapport_text_id *a,
                           size_t n_a, const struct rapport_text_id *b, size_t n_b, bool *out)
{
    struct heads lvs;
    struct heap heap = {0};
    bool before = true;
    int error = find_version(t, b, n_b, true, &lvs);
    if (error)
        return error;
    for (size_t i = 0; i < n_a && before && !error; i++) {
        uint32_t lv = ids_find(&t->history.ids, &a[i]);
        if (lv == LV_NONE)
            before = is_among(&a[i], b, n_b);
        else
            error = graph_contains(&t->history.graph, &heap, lvs.lvs, lvs.n, lv, &before);
    }
    heap_clear(&heap);
    free(lvs.lvs);
    if (!error)
        *out = before;
    return error;
}
