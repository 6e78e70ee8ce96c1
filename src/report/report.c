/*
 * report.c - life of a report, its notes and logs, and the lists that lead from an event to what
 * must be done after it: touched notes are merged and judged at the end of each intake, changed
 * ones wait to be shown, waiting ones need their text.
 */
#include "report/report.h"

#include <stdlib.h>

#include "rapport/error.h"
#include "report/state.h"

int report_create(uint64_t map_seed, struct report **out)
{
    struct report *r = calloc(1, sizeof *r);
    if (!r)
        return RAPPORT_NOMEM;
    r->map_seed = map_seed;
    map_init(&r->notes, NOTE_ID_BYTES, map_seed);
    map_init(&r->logs, LOG_ID_BYTES, map_seed);
    roster_init(&r->roster, map_seed);
    r->changed_end = &r->changed;
    *out = r;
    return 0;
}

static void log_destroy(struct report_log *log)
{
    map_clear(&log->numbers);
    free(log->ids);
    free(log);
}

void report_destroy(struct report *r)
{
    if (!r)
        return;
    struct note *note;
    for (size_t at = 0; (note = map_next(&r->notes, &at));)
        note_destroy(note);
    struct report_log *log;
    for (size_t at = 0; (log = map_next(&r->logs, &at));)
        log_destroy(log);
    map_clear(&r->notes);
    map_clear(&r->logs);
    roster_clear(&r->roster);
    free(r);
}

/* ---- logs ---- */

struct report_log *report_take_log(struct report *r, const uint8_t id[LOG_ID_BYTES],
                                   const uint8_t sign_public[SIGN_PUBLIC_BYTES])
{
    struct report_log *log = map_get(&r->logs, id);
    if (log)
        return log;
    log = calloc(1, sizeof *log);
    if (!log)
        return NULL;
    memcpy(log->id, id, LOG_ID_BYTES);
    memcpy(log->sign_public, sign_public, SIGN_PUBLIC_BYTES);
    map_init(&log->numbers, NOTE_ID_BYTES, r->map_seed);
    if (map_put(&r->logs, id, log) != 0) {
        log_destroy(log);
        return NULL;
    }
    r->state_dirty = true;
    return log;
}

int report_log_name(struct report_log *log, const uint8_t note[NOTE_ID_BYTES])
{
    if (map_get(&log->numbers, note))
        return 0;
    if (log->n == log->cap) {
        size_t cap = log->cap ? 2 * log->cap : 8;
        void *ids = realloc(log->ids, cap * sizeof *log->ids);
        if (!ids)
            return RAPPORT_NOMEM;
        log->ids = ids;
        log->cap = cap;
    }
    int error = map_put(&log->numbers, note, (void *)(uintptr_t)(log->n + 1));
    if (!error)
        memcpy(log->ids[log->n++], note, NOTE_ID_BYTES);
    return error;
}

void report_log_unname(struct report_log *log)
{
    map_remove(&log->numbers, log->ids[--log->n]);
}

struct note_names report_log_names(struct report_log *log)
{
    return (struct note_names){&log->numbers, log->ids, log->n};
}

/* ---- notes ---- */

struct note *report_note(const struct report *r, const uint8_t id[NOTE_ID_BYTES])
{
    return map_get(&r->notes, id);
}

struct note *report_next_note(const struct report *r, size_t *at)
{
    return map_next(&r->notes, at);
}

struct note *report_take_note(struct report *r, const uint8_t id[NOTE_ID_BYTES])
{
    struct note *note = report_note(r, id);
    if (note)
        return note;
    note = note_create(id);
    if (!note)
        return NULL;
    if (rapport_text_create(&note->text) != 0 || map_put(&r->notes, id, note) != 0) {
        note_destroy(note);
        return NULL;
    }
    note->dirty_meta = true;
    return note;
}

/* ---- lists ---- */

void report_touch(struct report *r, struct note *note)
{
    if (note->private->touched)
        return;
    note->private->touched = true;
    note->private->next_touched = r->touched;
    r->touched = note;
}

void report_mark_changed(struct report *r, struct note *note)
{
    if (note->private->changed)
        return;
    note->private->changed = true;
    note->private->next_changed = NULL;
    *r->changed_end = note;
    r->changed_end = &note->private->next_changed;
}

static struct note *pop_changed(struct report *r)
{
    struct note *note = r->changed;
    if (!note)
        return NULL;
    r->changed = note->private->next_changed;
    if (!r->changed)
        r->changed_end = &r->changed;
    note->private->changed = false;
    return note;
}

static void waiting_add(struct report *r, struct note *note)
{
    note->private->prev_waiting = r->waiting_end;
    note->private->next_waiting = NULL;
    if (r->waiting_end)
        r->waiting_end->private->next_waiting = note;
    else
        r->waiting = note;
    r->waiting_end = note;
}

static void waiting_remove(struct report *r, struct note *note)
{
    struct note *prev = note->private->prev_waiting, *next = note->private->next_waiting;
    if (prev)
        prev->private->next_waiting = next;
    else
        r->waiting = next;
    if (next)
        next->private->prev_waiting = prev;
    else
        r->waiting_end = prev;
}

void report_update_waiting(struct report *r, struct note *note)
{
    bool waiting = note_needs_text(note);
    if (waiting == note->private->waiting)
        return;
    note->private->waiting = waiting;
    if (waiting)
        waiting_add(r, note);
    else
        waiting_remove(r, note);
}

struct note *report_next_unloaded(const struct report *r)
{
    return r->waiting;
}

static int finish_text(struct note *note)
{
    struct note_private *p = note->private;
    int error = note_drain(note);
    if (!error && p->unmerged)
        error = rapport_text_merge(note->text);
    if (error)
        return error;
    p->unmerged = false;
    note->n_bytes = rapport_text_size(note->text);
    note_judge(note);
    return 0;
}

static int finish_note(struct report *r, struct note *note)
{
    int error = note->text ? finish_text(note) : 0;
    if (error)
        return error;
    if (note_update_trashed(note))
        r->paths_dirty = true;
    report_update_waiting(r, note);
    report_mark_changed(r, note);
    return 0;
}

int report_finish_touched(struct report *r)
{
    while (r->touched) {
        struct note *note = r->touched;
        int error = finish_note(r, note);
        if (error)
            return error;
        r->touched = note->private->next_touched;
        note->private->touched = false;
    }
    return 0;
}

/* ---- text on demand ---- */

int report_load_note(struct report *r, struct note *note, struct slice stored)
{
    if (!note->text) {
        struct rapport_text *text;
        int error = stored.len ? rapport_text_load(stored.ptr, stored.len, &text)
                               : rapport_text_create(&text);
        if (error)
            return error == RAPPORT_NOMEM ? error : RAPPORT_CORRUPT;
        note->text = text;
        if (note->private->waiting)
            report_touch(r, note);
    }
    return report_finish_touched(r);
}

void report_unload_note(struct report *r, struct note *note)
{
    (void)r;
    struct note_private *p = note->private;
    if (!note->text || note->dirty_meta || note->dirty_text || p->touched || p->inbox.len)
        return;
    if (p->stale && report_refresh_note(note) != 0)
        return;
    rapport_text_destroy(note->text);
    note->text = NULL;
}

struct note *report_next_changed(struct report *r)
{
    struct note *note;
    while ((note = pop_changed(r)) && !note->exists) {
    }
    return note;
}

/* ---- what is to be saved ---- */

struct note *report_next_dirty(const struct report *r, size_t *at)
{
    struct note *note;
    while ((note = map_next(&r->notes, at)))
        if (note->dirty_meta || note->dirty_text)
            return note;
    return NULL;
}

bool report_state_dirty(const struct report *r)
{
    return r->state_dirty;
}

void report_clean(struct report *r, struct note *note)
{
    if (note)
        note->dirty_meta = note->dirty_text = false;
    else
        r->state_dirty = false;
}
