/* ops.c - the op column and the inserted text (see ops.h). */
#include "text/ops.h"

#include <assert.h>

#include "base/utf8.h"
#include "text/vec.h"

void ops_clear(struct ops *o)
{
    free(o->runs);
    free(o->text);
    free(o->blocks);
    *o = OPS_INIT;
}

int ops_reserve(struct ops *o, size_t n_runs, size_t text_len)
{
    if (VEC_RESERVE(o->runs, o->cap_runs, o->n_runs + n_runs) ||
        VEC_RESERVE(o->text, o->cap_text, o->text_len + text_len))
        return RAPPORT_NOMEM;
    return VEC_RESERVE(o->blocks, o->cap_blocks, o->n_blocks + text_len / OPS_BLOCK + 1);
}

void ops_push_text(struct ops *o, struct slice text, uint32_t n)
{
    if (!text.len)
        return;
    memcpy(o->text + o->text_len, text.ptr, text.len);
    uint32_t ordinal = o->n_text;
    if (n == text.len) {
        for (uint32_t next = (uint32_t)o->n_blocks * OPS_BLOCK; next < ordinal + n;
             next += OPS_BLOCK)
            o->blocks[o->n_blocks++] = (uint32_t)(o->text_len + (next - ordinal));
    } else {
        for (size_t i = 0; i < text.len; i++)
            if ((text.ptr[i] & 0xc0) != 0x80 && ordinal++ % OPS_BLOCK == 0)
                o->blocks[o->n_blocks++] = (uint32_t)(o->text_len + i);
    }
    o->text_len += text.len;
    o->n_text += n;
}

/* True when `piece` continues the last run; a single delete may still become a Backspace run. */
static bool continues(struct op *last, uint32_t last_n, struct op_piece piece)
{
    switch ((enum op_kind)last->kind) {
    case OP_INSERT:
        return piece.kind == OP_INSERT && piece.pos == last->pos + last_n;
    case OP_DELETE:
        if (piece.kind == OP_DELETE && piece.pos == last->pos)
            return true;
        if (last_n > 1 || piece.kind == OP_INSERT || piece.pos + 1 != last->pos ||
            (piece.kind == OP_DELETE && piece.n > 1))
            return false;
        last->kind = OP_BACKSPACE;
        return true;
    case OP_BACKSPACE:
        return (piece.kind == OP_BACKSPACE || (piece.kind == OP_DELETE && piece.n == 1)) &&
               piece.pos + last_n == last->pos;
    }
    return false;
}

void ops_push_run(struct ops *o, struct op_piece piece, uint32_t ordinal)
{
    if (piece.kind == OP_BACKSPACE && piece.n == 1)
        piece.kind = OP_DELETE;
    struct op *last = o->n_runs ? &o->runs[o->n_runs - 1] : NULL;
    if (!last || !continues(last, o->n_events - last->lv, piece))
        o->runs[o->n_runs++] = (struct op){o->n_events, piece.pos, ordinal, (uint32_t)piece.kind};
    o->n_events += piece.n;
}

void ops_push(struct ops *o, struct op_piece piece, struct slice text)
{
    ops_push_run(o, piece, o->n_text);
    if (piece.kind == OP_INSERT)
        ops_push_text(o, text, piece.n);
}

static uint32_t run_end(const struct ops *o, size_t run)
{
    return run + 1 < o->n_runs ? o->runs[run + 1].lv : o->n_events;
}

static size_t find_run(const struct ops *o, uint32_t lv, size_t hint)
{
    for (size_t i = hint; i < hint + 2 && i < o->n_runs; i++)
        if (o->runs[i].lv <= lv && lv < run_end(o, i))
            return i;
    size_t low = 0, high = o->n_runs;
    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;
        if (o->runs[mid].lv <= lv)
            low = mid;
        else
            high = mid;
    }
    return low;
}

struct op_piece ops_piece(const struct ops *o, uint32_t lv, uint32_t end, size_t *hint)
{
    assert(lv < end && end <= o->n_events);
    size_t i = *hint = find_run(o, lv, *hint);
    const struct op *run = &o->runs[i];
    uint32_t skip = lv - run->lv, stop = run_end(o, i);
    struct op_piece piece = {(enum op_kind)run->kind, (stop < end ? stop : end) - lv, run->pos,
                             run->ordinal};
    if (piece.kind == OP_INSERT) {
        piece.pos += skip;
        piece.ordinal += skip;
    } else if (piece.kind == OP_BACKSPACE) {
        piece.pos -= skip;
    }
    return piece;
}

static size_t text_offset(const struct ops *o, uint32_t ordinal)
{
    if (o->text_len == o->n_text || ordinal == o->n_text)
        return ordinal == o->n_text ? o->text_len : ordinal;
    size_t at = o->blocks[ordinal / OPS_BLOCK];
    struct slice rest = slice_of(o->text + at, o->text_len - at);
    return at + utf8_offset(rest, ordinal % OPS_BLOCK);
}

struct slice ops_text(const struct ops *o, uint32_t ordinal, uint32_t n)
{
    if (!n)
        return (struct slice){0};
    size_t from = text_offset(o, ordinal);
    return slice_of(o->text + from, text_offset(o, ordinal + n) - from);
}

struct op_place op_place(struct op_piece piece, uint32_t length)
{
    struct op_place place = {piece.pos < length ? piece.pos : length, piece.n};
    switch (piece.kind) {
    case OP_INSERT:
        break;
    case OP_DELETE:
        if (place.n > length - place.start)
            place.n = length - place.start;
        break;
    case OP_BACKSPACE: {
        uint32_t low = piece.pos - (piece.n - 1);
        place.start = low < length ? low : length;
        place.n = piece.pos < length ? piece.n : length - place.start;
        break;
    }
    }
    return place;
}

uint32_t op_length_after(struct op_piece piece, uint32_t length)
{
    struct op_place place = op_place(piece, length);
    return piece.kind == OP_INSERT ? length + place.n : length - place.n;
}
