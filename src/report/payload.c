/*
 * payload.c - the walk over a payload (payload.h). One pass checks everything and collects the
 * notes that it names for the first time; a second pass gives the events. Both are the same code,
 * so what was checked is what is given. Must not know what events mean.
 */
#include "report/payload.h"

#include <stdlib.h>

#include "rapport/error.h"
#include "report/event.h"

static void walk_start(struct payload_walk *w)
{
    w->next = w->first;
    w->sections = mp_root(&w->doc, &w->error);
    w->events = (struct mp_array){NULL, 0, 0, &w->error};
    if (w->kind == DELTA_CONTROL)
        w->events = w->sections;
}

static bool has_number(const struct payload_walk *w, const uint8_t *id)
{
    if (w->names->numbers && map_get(w->names->numbers, id))
        return true;
    for (size_t i = 0; i < w->n_new; i++)
        if (memcmp(w->new_ids[i], id, NOTE_ID_BYTES) == 0)
            return true;
    return false;
}

static int add_new_id(struct payload_walk *w, const uint8_t *id)
{
    if (w->n_new == w->cap_new) {
        size_t cap = w->cap_new ? 2 * w->cap_new : 8;
        void *grown = realloc(w->new_ids, cap * sizeof *w->new_ids);
        if (!grown)
            return RAPPORT_NOMEM;
        w->new_ids = grown;
        w->cap_new = cap;
    }
    memcpy(w->new_ids[w->n_new++], id, NOTE_ID_BYTES);
    return 0;
}

static void take_note_number(struct payload_walk *w, struct mp_array *section)
{
    uint64_t number = mp_u64(section, UINT32_MAX);
    size_t n_names = w->names->n;
    if (number < n_names)
        memcpy(w->note, w->names->ids[number], NOTE_ID_BYTES);
    else if (number - n_names < w->n_new)
        memcpy(w->note, w->new_ids[number - n_names], NOTE_ID_BYTES);
    else
        mp_fail(section, RAPPORT_MALFORMED);
}

static void take_note_id(struct payload_walk *w, struct mp_array *section)
{
    struct slice id = mp_bin(section, NOTE_ID_BYTES, NOTE_ID_BYTES);
    if (w->error)
        return;
    if (!has_number(w, id.ptr) && add_new_id(w, id.ptr) != 0)
        mp_fail(section, RAPPORT_NOMEM);
    memcpy(w->note, id.ptr, NOTE_ID_BYTES);
}

static void enter_section(struct payload_walk *w)
{
    struct mp_array section = mp_sub(&w->sections, 2, 2);
    if (mp_peek(&section) == MSGPACK_OBJECT_BIN)
        take_note_id(w, &section);
    else
        take_note_number(w, &section);
    w->events = mp_sub(&section, 1, PAYLOAD_MOST_ITEMS);
}

static void take_event(struct payload_walk *w, struct payload_event *out)
{
    memset(out, 0, offsetof(struct payload_event, ids));
    out->n_ids = 0;
    memset(&out->n_ids, 0, sizeof *out - offsetof(struct payload_event, n_ids));
    out->kind = w->kind;
    out->number = w->next;
    if (w->kind == DELTA_CONTROL) {
        event_read_control(&w->events, out);
    } else {
        memcpy(out->note, w->note, NOTE_ID_BYTES);
        event_read_content(&w->events, out);
    }
    if (out->n_numbers > w->end - w->next)
        mp_fail(&w->events, RAPPORT_MALFORMED);
    else
        w->next += out->n_numbers;
}

bool payload_next(struct payload_walk *w, struct payload_event *out)
{
    if (w->kind == DELTA_CONTENT && !mp_more(&w->events) && mp_more(&w->sections))
        enter_section(w);
    if (!mp_more(&w->events))
        return false;
    take_event(w, out);
    return !w->error;
}

static int check_all(struct payload_walk *w)
{
    struct payload_event event;
    while (payload_next(w, &event)) {
    }
    if (w->error)
        return w->error;
    return w->next == w->end ? 0 : RAPPORT_MALFORMED;
}

int payload_begin(struct payload_walk *w, enum delta_kind kind, uint64_t first, uint64_t end,
                  const struct note_names *names, struct slice plain)
{
    *w = (struct payload_walk){.kind = kind, .first = first, .end = end, .names = names};
    if (plain.len > DELTA_MOST_PAYLOAD)
        return RAPPORT_LIMIT;
    int error = mp_open(&w->doc, plain, PAYLOAD_MOST_ITEMS);
    if (error)
        return error;
    walk_start(w);
    error = check_all(w);
    if (error)
        payload_end(w);
    else
        walk_start(w);
    return error;
}

void payload_end(struct payload_walk *w)
{
    free(w->new_ids);
    w->new_ids = NULL;
    mp_close(&w->doc);
}
