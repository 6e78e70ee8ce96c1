/*
 * describe.c - what one delta does, read from its payload without applying it: one row for each
 * note in order of appearance, one for all control events.
 */
#include "rapport/error.h"
#include "report/state.h"

/* The row of this note, appended when it has none; NULL when there is no room. */
static struct report_change *row_of(struct report_change *rows, size_t *n, size_t max,
                                    const struct payload_event *event)
{
    for (size_t i = 0; i < *n; i++)
        if (memcmp(rows[i].note, event->note, NOTE_ID_BYTES) == 0)
            return &rows[i];
    if (*n == max)
        return NULL;
    struct report_change *row = &rows[(*n)++];
    *row = (struct report_change){.first = event->number};
    memcpy(row->note, event->note, NOTE_ID_BYTES);
    return row;
}

static void count_content(struct report_change *row, const struct payload_event *event)
{
    switch (event->type.content) {
    case EVENT_INSERT:
    case EVENT_TEMPLATE:
        row->n_inserted += event->text.n;
        return;
    case EVENT_DELETE:
    case EVENT_DELETE_BACKWARD:
        row->n_deleted += event->text.n;
        return;
    case EVENT_CREATE:
        row->created = true;
        return;
    case EVENT_RENAME:
        row->renamed = true;
        return;
    case EVENT_TRASH:
        row->trashed = true;
        return;
    case EVENT_TALK:
    case EVENT_PARENTS:
        return;
    }
}

int report_describe(const struct report *r, const struct delta *d, struct slice plain,
                    struct report_change *out, size_t max)
{
    struct report_log *log = map_get(&r->logs, d->log);
    struct note_names names = log ? report_log_names(log) : (struct note_names){0};
    struct payload_walk w;
    struct payload_event event;
    size_t n = 0;
    int error = payload_begin(&w, d->kind, d->first, d->end, &names, plain);
    if (error)
        return error;
    while (payload_next(&w, &event)) {
        struct report_change *row = row_of(out, &n, max, &event);
        if (!row)
            break;
        if (d->kind == DELTA_CONTROL)
            row->control = true;
        else
            count_content(row, &event);
    }
    error = w.error;
    payload_end(&w);
    return error ? error : (int)n;
}
