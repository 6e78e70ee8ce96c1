/*
 * notes.c - which texts are in memory, and the cache of notes in the database.
 *
 * One text is loaded at a time; who needs one is told RAPPORT_AGAIN and asks again. Saving the
 * cache writes each changed note and declares that cache and deltas agree, so the next start
 * replays only what came after.
 */
#include "node/parts.h"

#include <stdlib.h>

static void load_note(struct rapport_node *n, const uint8_t id[NOTE_ID_BYTES])
{
    struct load request = {.kind = LOAD_NOTE};
    memcpy(request.note, id, NOTE_ID_BYTES);
    memcpy(n->note_load_id, id, NOTE_ID_BYTES);
    buf_reset(&n->note_loaded);
    n->note_load = load_push(n, &request);
}

int note_need(struct rapport_node *n, struct note *note)
{
    if (note->text)
        return 0;
    if (n->damaged)
        return n->failure;
    memcpy(n->note_want, note->id, NOTE_ID_BYTES);
    n->note_wanted = true;
    return RAPPORT_AGAIN;
}

void note_row(struct rapport_node *n, const struct load_row *row)
{
    buf_append_slice(&n->note_loaded, row->value);
}

void note_end(struct rapport_node *n, int error)
{
    n->note_load = 0;
    struct note *note = report_note(n->report, n->note_load_id);
    if (n->note_wanted && memcmp(n->note_want, n->note_load_id, NOTE_ID_BYTES) == 0)
        n->note_wanted = false;
    if (!error && note && !note->text)
        error = buf_error(&n->note_loaded);
    if (!error && note && !note->text)
        error = report_load_note(n->report, note, buf_slice(&n->note_loaded));
    if (!note || note->dirty_text || note->dirty_meta)
        node_changed(n); /* what waited was applied; reading alone changes nothing */
    if (error)
        node_fail(n, error);
    buf_clear(&n->note_loaded);
}

void notes_load_wanted(struct rapport_node *n)
{
    if (n->note_load || n->damaged)
        return;
    const struct note *waiting = report_next_unloaded(n->report);
    if (n->note_wanted)
        load_note(n, n->note_want);
    else if (waiting)
        load_note(n, waiting->id);
}

static void save_note(struct rapport_node *n, struct note *note)
{
    struct buf meta = BUF_INIT;
    uint8_t *stored = NULL;
    size_t len = 0;
    int error = report_encode_note(note, &meta);
    if (!error && note->text && note->dirty_text)
        error = rapport_text_save(note->text, &stored, &len);
    if (error)
        node_fail(n, error);
    else
        job_add_note(n, note->id, buf_slice(&meta), slice_of(stored, len));
    free(stored);
    buf_clear(&meta);
    if (!n->failure)
        report_clean(n->report, note);
}

/* Forgets texts beyond the bound, in order of arrival, so that what was used first goes first. */
static void unload_some(struct rapport_node *n)
{
    size_t loaded = 0, at = 0;
    for (struct note *note; (note = report_next_note(n->report, &at));)
        loaded += note->text != NULL;
    at = 0;
    for (struct note *note;
         loaded > NODE_LOADED_NOTES && (note = report_next_note(n->report, &at));) {
        if (!note->text || note->dirty_text)
            continue;
        report_unload_note(n->report, note);
        loaded -= note->text == NULL;
    }
}

/* Saves changed notes, NODE_CACHE_NOTES of them unless this is a flush; true when none is left. */
static bool save_notes(struct rapport_node *n)
{
    size_t at = 0, saved = 0;
    for (struct note *note; !n->failure && (note = report_next_dirty(n->report, &at)); saved++) {
        if (saved == NODE_CACHE_NOTES && !n->flush)
            return false;
        save_note(n, note);
    }
    return true;
}

/* Record "local/acked": log, then the height, 8 bytes big-endian. Written with the cache alone, so
   it may be behind: then more is said to be unsent than is. */
static void acked_save(struct rapport_node *n)
{
    if (!n->acked_dirty)
        return;
    struct buf record = BUF_INIT;
    buf_append(&record, n->acked_log, sizeof n->acked_log);
    buf_u64be(&record, n->acked);
    if (buf_error(&record))
        node_fail(n, RAPPORT_NOMEM);
    else
        job_add_record(n, "local/acked", buf_slice(&record));
    buf_clear(&record);
    n->acked_dirty = false;
}

/* A note in the cache may be ahead of "applied": replaying what it holds already changes nothing.
 */
void cache_save(struct rapport_node *n)
{
    n->cache_due = n->now + NODE_CACHE_MS;
    if (n->failure)
        return;
    node_seal(n); /* the cache must not be ahead of the deltas */
    if (!save_notes(n)) {
        n->cache_due = n->now + NODE_CACHE_AGAIN_MS;
        unload_some(n);
        return;
    }
    if (report_state_dirty(n->report) && !n->failure) {
        struct buf state = BUF_INIT;
        int error = report_encode_state(n->report, &state);
        if (error)
            node_fail(n, error);
        else
            job_add_record(n, "state", buf_slice(&state));
        buf_clear(&state);
        report_clean(n->report, NULL);
    }
    peers_save(n);
    records_save(n);
    acked_save(n);
    held_save(n);
    if (n->cache_dirty)
        job_mark_applied(n);
    n->cache_dirty = false;
    unload_some(n);
}

void notes_tell_changed(struct rapport_node *n)
{
    for (struct note *note; !n->damaged && (note = report_next_changed(n->report));) {
        struct node_effect *e = effect_push(n, RAPPORT_EFFECT_CHANGED);
        if (e)
            memcpy(e->effect.note, note->id, NOTE_ID_BYTES);
    }
}
