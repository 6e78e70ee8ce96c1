/*
 * apply.c - taking an opened payload. It is checked in whole first; then each event is taken by
 * the same functions that local edits use. All of them may meet an event that they know, so a
 * delta that failed half-way for want of memory is simply applied again.
 */
#include "rapport/error.h"
#include "report/state.h"

/* Only the record whose hash gave this log its id is the report's: nobody can bring another. */
static bool genesis_belongs(const struct delta *d, struct slice record)
{
    uint8_t report_id[REPORT_ID_BYTES], log[LOG_ID_BYTES];
    if (d->first != 0 || d->prev.len != ORIGIN_BYTES)
        return false;
    report_id_of(report_id, record);
    log_id_of(log, report_id, d->prev.ptr);
    return memcmp(log, d->log, LOG_ID_BYTES) == 0;
}

static int apply_control_events(struct report *r, const struct delta *d, const struct origin *from,
                                struct payload_walk *w)
{
    struct payload_event event;
    while (payload_next(w, &event)) {
        if (event.type.control == CONTROL_GENESIS && !genesis_belongs(d, event.value))
            continue;
        bool changed;
        int error = roster_take(&r->roster, from, &event, &changed);
        if (error)
            return error;
        r->state_dirty |= changed;
    }
    return w->error;
}

/* Numbers stick before events do: applied again, the ids that are known keep theirs. */
static int name_notes(struct report *r, struct report_log *log, const struct payload_walk *w)
{
    for (size_t i = 0; i < w->n_new; i++) {
        if (!report_take_note(r, w->new_ids[i]) || report_log_name(log, w->new_ids[i]) != 0)
            return RAPPORT_NOMEM;
        r->state_dirty = true;
    }
    return 0;
}

static int apply_content_events(struct report *r, const struct origin *from, struct payload_walk *w)
{
    struct payload_event event;
    while (payload_next(w, &event)) {
        struct note *note = report_take_note(r, event.note);
        int error = note ? note_take_event(r, note, from, &event) : RAPPORT_NOMEM;
        if (error)
            return error;
    }
    return w->error;
}

static int apply_content(struct report *r, const struct origin *from, struct payload_walk *w)
{
    int error = name_notes(r, from->log, w);
    if (error)
        return error;
    struct note_names names = report_log_names(from->log);
    w->names = &names;
    error = apply_content_events(r, from, w);
    return error ? error : report_finish_touched(r);
}

int report_apply(struct report *r, const struct delta *d, const uint8_t sign_public[32],
                 struct slice plain)
{
    if (d->kind == DELTA_CONTENT && !roster_may_write(&r->roster, sign_public))
        return 0;
    struct report_log *log = report_take_log(r, d->log, sign_public);
    if (!log)
        return RAPPORT_NOMEM;
    struct origin from = {log, d->lamport, d->wall_ms};
    struct note_names names = report_log_names(log);
    struct payload_walk w;
    int error = payload_begin(&w, d->kind, d->first, d->end, &names, plain);
    if (error)
        return error == RAPPORT_NOMEM ? error : 0;
    error = d->kind == DELTA_CONTROL ? apply_control_events(r, d, &from, &w)
                                     : apply_content(r, &from, &w);
    payload_end(&w);
    return error;
}
