/*
 * draft.c - local events in payload form (draft.h, payload.h). One piece is open: finished sections
 * in `body`, the events of the open section in `events`, and the last run of typing apart in `run`,
 * so that it can grow while it is typed. Sizes are counted as if every header had its greatest
 * length, so a piece that is thought to fit does.
 */
#include "report/draft.h"

#include <assert.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "rapport/error.h"
#include "report/state.h"

enum {
    HEAD_BYTES = 5,                                     /* an array's header at most */
    SECTION_BYTES = 1 + 2 + NOTE_ID_BYTES + HEAD_BYTES, /* header, note, header of events */
    RUN_BYTES = 1 + 1 + 5 + 5,                          /* header, kind, position, length */
};

struct draft {
    uint8_t log[LOG_ID_BYTES];
    uint64_t next;
    bool builds_on_others;
    struct draft_piece *pieces;
    size_t n, cap;
    enum delta_kind kind; /* of the open piece */
    uint64_t first;
    struct buf body, events;
    size_t n_items; /* sections in body, or control events */
    bool in_section, section_new;
    uint8_t note[NOTE_ID_BYTES];
    uint64_t number; /* of the note */
    size_t n_events; /* in the open section */
    struct {
        bool open;
        enum content_event type;
        size_t pos, n;
        struct buf text;
    } run;
};

int draft_create(const uint8_t log[LOG_ID_BYTES], uint64_t next, struct draft **out)
{
    struct draft *d = calloc(1, sizeof *d);
    if (!d)
        return RAPPORT_NOMEM;
    memcpy(d->log, log, LOG_ID_BYTES);
    d->next = d->first = next;
    *out = d;
    return 0;
}

static void free_pieces(struct draft *d)
{
    for (size_t i = 0; i < d->n; i++)
        buf_clear(&d->pieces[i].plain);
    d->n = 0;
}

void draft_destroy(struct draft *d)
{
    if (!d)
        return;
    free_pieces(d);
    free(d->pieces);
    buf_clear(&d->body);
    buf_clear(&d->events);
    buf_clear(&d->run.text);
    free(d);
}

uint64_t draft_next_event(const struct draft *d)
{
    return d->next;
}

bool draft_is_empty(const struct draft *d)
{
    return d->n == 0 && d->next == d->first;
}

bool draft_builds_on_others(const struct draft *d)
{
    uint64_t first = d->n ? d->pieces[0].first : d->first;
    return d->builds_on_others || (first == 0 && !draft_is_empty(d));
}

void draft_set_builds_on_others(struct draft *d)
{
    d->builds_on_others = true;
}

const uint8_t *draft_log(const struct draft *d)
{
    return d->log;
}

/* ---- the open piece ---- */

static size_t open_bytes(const struct draft *d)
{
    return HEAD_BYTES + d->body.len + SECTION_BYTES + d->events.len + RUN_BYTES + d->run.text.len;
}

static void write_run(struct draft *d)
{
    struct payload_event event = {.kind = DELTA_CONTENT};
    event.type.content = d->run.type;
    event.text = (struct payload_text){.pos = d->run.pos, .n = d->run.n};
    event.text.text = buf_slice(&d->run.text);
    payload_put_event(&d->events, &event);
    d->n_events++;
}

static int flush_run(struct draft *d)
{
    if (!d->run.open)
        return 0;
    if (!buf_reserve(&d->events, RUN_BYTES + d->run.text.len))
        return RAPPORT_NOMEM;
    write_run(d);
    d->run.open = false;
    buf_reset(&d->run.text);
    return 0;
}

static int close_section(struct draft *d)
{
    int error = flush_run(d);
    if (error || !d->in_section)
        return error;
    if (!buf_reserve(&d->body, SECTION_BYTES + d->events.len))
        return RAPPORT_NOMEM;
    mp_put_array(&d->body, 2);
    if (d->section_new)
        mp_put_bin(&d->body, d->note, NOTE_ID_BYTES);
    else
        mp_put_u64(&d->body, d->number);
    mp_put_array(&d->body, d->n_events);
    buf_append_slice(&d->body, buf_slice(&d->events));
    buf_reset(&d->events);
    d->n_items++;
    d->n_events = 0;
    d->in_section = false;
    return 0;
}

static int reserve_piece(struct draft *d)
{
    if (d->n < d->cap)
        return 0;
    size_t cap = d->cap ? 2 * d->cap : 4;
    void *pieces = realloc(d->pieces, cap * sizeof *d->pieces);
    if (!pieces)
        return RAPPORT_NOMEM;
    d->pieces = pieces;
    d->cap = cap;
    return 0;
}

int draft_finish(struct draft *d)
{
    if (d->next == d->first)
        return 0;
    int error = close_section(d);
    if (!error)
        error = reserve_piece(d);
    struct buf plain = BUF_INIT;
    if (error || !buf_reserve(&plain, HEAD_BYTES + d->body.len))
        return RAPPORT_NOMEM;
    mp_put_array(&plain, d->n_items);
    buf_append_slice(&plain, buf_slice(&d->body));
    assert(plain.len <= DELTA_MOST_PAYLOAD && d->next - d->first <= DELTA_MOST_EVENTS);
    d->pieces[d->n++] =
        (struct draft_piece){d->kind, d->first, (uint32_t)(d->next - d->first), plain};
    buf_reset(&d->body);
    d->n_items = 0;
    d->first = d->next;
    return 0;
}

const struct draft_piece *draft_piece_at(const struct draft *d, size_t n)
{
    return n < d->n ? &d->pieces[n] : NULL;
}

void draft_reset(struct draft *d)
{
    assert(d->next == d->first);
    free_pieces(d);
    d->builds_on_others = false;
}

/* ---- writing ---- */

int draft_prepare(struct draft *d, enum delta_kind kind, size_t bytes, uint32_t n_numbers)
{
    size_t need = SECTION_BYTES + bytes;
    if (HEAD_BYTES + SECTION_BYTES + RUN_BYTES + need > DELTA_MOST_PAYLOAD ||
        n_numbers > DELTA_MOST_EVENTS)
        return RAPPORT_LIMIT;
    bool fits = open_bytes(d) + need <= DELTA_MOST_PAYLOAD &&
                d->next - d->first + n_numbers <= DELTA_MOST_EVENTS;
    if (!fits || kind != d->kind) {
        int error = draft_finish(d);
        if (error)
            return error;
    }
    d->kind = kind;
    /* Whatever comes: the run is flushed to events, the section to body, and the event put. */
    bool ok = buf_reserve(&d->events, open_bytes(d) + need) &&
              buf_reserve(&d->body, open_bytes(d) + need) && buf_reserve(&d->run.text, bytes);
    return ok ? 0 : RAPPORT_NOMEM;
}

void draft_enter(struct draft *d, const uint8_t note[NOTE_ID_BYTES], uint64_t number, bool is_new)
{
    if (d->in_section && memcmp(d->note, note, NOTE_ID_BYTES) == 0)
        return;
    int error = close_section(d);
    assert(!error);
    memcpy(d->note, note, NOTE_ID_BYTES);
    d->number = number;
    d->section_new = is_new;
    d->in_section = true;
}

void draft_put(struct draft *d, struct slice encoded, size_t n_items, uint32_t n_numbers)
{
    int error = flush_run(d);
    assert(!error);
    if (d->kind == DELTA_CONTROL) {
        buf_append_slice(&d->body, encoded);
        d->n_items += n_items;
    } else {
        buf_append_slice(&d->events, encoded);
        d->n_events += n_items;
    }
    d->next += n_numbers;
}

/* True when the events of `text` go on where the run stops. Deletes of one place become Backspace
   or Delete by where the next one is. */
static bool run_grows(struct draft *d, enum content_event type, const struct payload_text *text)
{
    if (!d->run.open)
        return false;
    if (type == EVENT_INSERT)
        return d->run.type == EVENT_INSERT && text->pos == d->run.pos + d->run.n;
    if (d->run.type == EVENT_INSERT)
        return false;
    if (text->pos == d->run.pos && d->run.type == EVENT_DELETE)
        return true;
    bool backward = d->run.type == EVENT_DELETE_BACKWARD || d->run.n == 1;
    if (!backward || text->n != 1 || text->pos + d->run.n != d->run.pos)
        return false;
    d->run.type = EVENT_DELETE_BACKWARD;
    return true;
}

void draft_put_text(struct draft *d, enum content_event type, const struct payload_text *text)
{
    if (run_grows(d, type, text)) {
        d->run.n += text->n;
    } else {
        int error = flush_run(d);
        assert(!error);
        d->run.open = true;
        d->run.type = type;
        d->run.pos = text->pos;
        d->run.n = text->n;
    }
    buf_append_slice(&d->run.text, text->text);
    d->next += text->n;
}
