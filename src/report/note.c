/*
 * note.c - one note: its registers (path, talk), creates and deletes, its text and the runs that
 * wait for it. Everything taken here may come twice. The rule of the trash: a delete counts while
 * it covers every text event and is later than the last create or rename.
 */
#include <stdlib.h>

#include "base/reader.h"
#include "base/utf8.h"
#include "rapport/error.h"
#include "report/state.h"

int stamp_compare(const struct stamp *a, const struct stamp *b)
{
    if (a->lamport != b->lamport)
        return a->lamport < b->lamport ? -1 : 1;
    int order = memcmp(a->log, b->log, LOG_ID_BYTES);
    return order ? order : (a->event > b->event) - (a->event < b->event);
}

/* ---- life ---- */

static char *copy_str(struct slice s)
{
    char *copy = malloc(s.len + 1);
    if (!copy)
        return NULL;
    if (s.len)
        memcpy(copy, s.ptr, s.len);
    copy[s.len] = 0;
    return copy;
}

struct note *note_create(const uint8_t id[NOTE_ID_BYTES])
{
    struct note *note = calloc(1, sizeof *note);
    if (!note)
        return NULL;
    memcpy(note->id, id, NOTE_ID_BYTES);
    note->private = calloc(1, sizeof *note->private);
    note->path = copy_str(slice_str(""));
    note->shown_path = copy_str(slice_str(""));
    note->title = copy_str(slice_str("untitled"));
    if (!note->private || !note->path || !note->shown_path || !note->title) {
        note_destroy(note);
        return NULL;
    }
    note->private->stale = true;
    return note;
}

static void private_destroy(struct note_private *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n_deletes; i++)
        free(p->deletes[i].ids);
    free(p->deletes);
    free(p->creates);
    free(p->last);
    buf_clear(&p->talk);
    buf_clear(&p->inbox);
    free(p);
}

void note_destroy(struct note *note)
{
    rapport_text_destroy(note->text);
    private_destroy(note->private);
    free(note->authors);
    free(note->path);
    free(note->shown_path);
    free(note->title);
    free(note);
}

/* ---- authors ---- */

static size_t author_index(const struct note *note, const uint8_t log[LOG_ID_BYTES])
{
    for (size_t i = 0; i < note->n_authors; i++)
        if (memcmp(note->authors[i], log, LOG_ID_BYTES) == 0)
            return i;
    return SIZE_MAX;
}

bool note_last_of(const struct note *note, const uint8_t log[LOG_ID_BYTES], uint64_t *last)
{
    size_t i = author_index(note, log);
    if (i == SIZE_MAX)
        return false;
    *last = note->private->last[i];
    return true;
}

int note_reserve_author(struct note *note, const uint8_t log[LOG_ID_BYTES])
{
    struct note_private *p = note->private;
    if (note->n_authors < p->cap_authors || author_index(note, log) != SIZE_MAX)
        return 0;
    size_t cap = p->cap_authors ? 2 * p->cap_authors : 4;
    void *authors = realloc(note->authors, cap * sizeof *note->authors);
    if (!authors)
        return RAPPORT_NOMEM;
    note->authors = authors;
    void *last = realloc(p->last, cap * sizeof *p->last);
    if (!last)
        return RAPPORT_NOMEM;
    p->last = last;
    p->cap_authors = cap;
    return 0;
}

void note_set_last(struct note *note, const uint8_t log[LOG_ID_BYTES], uint64_t last)
{
    size_t i = author_index(note, log);
    if (i == SIZE_MAX) {
        i = note->n_authors++;
        memcpy(note->authors[i], log, LOG_ID_BYTES);
    }
    note->private->last[i] = last;
}

/* ---- runs of text events ---- */

void note_put_run(struct buf *out, const struct note_run *run)
{
    buf_append(out, run->id.agent, LOG_ID_BYTES);
    buf_varint(out, run->id.seq);
    buf_u8(out, run->kind == RAPPORT_TEXT_INSERT ? 0 : run->backward ? 2 : 1);
    buf_varint(out, run->what.pos);
    buf_varint(out, run->what.n);
    buf_varint(out, run->what.text.len);
    buf_append_slice(out, run->what.text);
    buf_varint(out, run->n_parents);
    for (size_t i = 0; i < run->n_parents; i++) {
        buf_append(out, run->parents[i].agent, LOG_ID_BYTES);
        buf_varint(out, run->parents[i].seq);
    }
}

static void read_id(struct reader *in, struct payload_id *out)
{
    struct slice agent = reader_bytes(in, LOG_ID_BYTES);
    if (agent.len == LOG_ID_BYTES)
        memcpy(out->agent, agent.ptr, LOG_ID_BYTES);
    out->seq = reader_varint(in, RAPPORT_TEXT_MOST_SEQ);
}

void note_read_run(struct reader *in, struct payload_id *parents, struct note_run *out)
{
    read_id(in, &out->id);
    uint8_t kind = reader_u8(in);
    out->kind = kind == 0 ? RAPPORT_TEXT_INSERT : RAPPORT_TEXT_DELETE;
    out->backward = kind == 2;
    out->what.pos = reader_varint(in, POS_MOST + DELTA_MOST_EVENTS);
    out->what.n = reader_varint(in, DELTA_MOST_EVENTS);
    out->what.text = reader_bytes(in, reader_varint(in, DELTA_MOST_PAYLOAD));
    out->n_parents = reader_varint(in, PARENTS_MOST);
    if (kind > 2)
        reader_fail(in, RAPPORT_MALFORMED);
    for (size_t i = 0; i < out->n_parents && !in->error; i++)
        read_id(in, &parents[i]);
    out->parents = parents;
}

static struct rapport_text_id text_id(const struct payload_id *id)
{
    return (struct rapport_text_id){id->agent, LOG_ID_BYTES, id->seq};
}

/* Adds to the graph. Returns 0, RAPPORT_PARENT or RAPPORT_NOMEM; what the graph refuses for good
 * (its own limits) has no effect. */
static int add_to_text(struct note *note, const struct note_run *run)
{
    struct rapport_text_id parents[PARENTS_MOST];
    for (size_t i = 0; i < run->n_parents; i++)
        parents[i] = text_id(&run->parents[i]);
    struct rapport_text_run add = {
        .id = text_id(&run->id),
        .parents = parents,
        .n_parents = run->n_parents,
        .kind = run->kind,
        .backward = run->backward,
        .pos = run->what.pos,
        .n_events = run->what.n,
        .text = (const char *)run->what.text.ptr,
        .text_len = run->what.text.len,
    };
    int error = rapport_text_add(note->text, &add);
    if (error == RAPPORT_NOMEM || error == RAPPORT_PARENT)
        return error;
    note->private->unmerged = true;
    note->private->stale = true;
    note->dirty_text = true;
    return 0;
}

int note_take_run(struct note *note, const struct note_run *run)
{
    int error = note->text ? add_to_text(note, run) : RAPPORT_PARENT;
    if (error != RAPPORT_PARENT)
        return error;
    struct buf *inbox = &note->private->inbox;
    size_t before = inbox->len;
    note_put_run(inbox, run);
    error = buf_error(inbox);
    if (error) {
        inbox->len = before;
        inbox->error = 0;
    }
    return error;
}

/* One pass over what waits; what still waits goes to `left`. */
static int drain_once(struct note *note, struct buf *left, bool *progress)
{
    struct payload_id parents[PARENTS_MOST];
    struct reader in = reader_of(buf_slice(&note->private->inbox));
    *progress = false;
    while (in.rest.len && !in.error) {
        struct slice start = in.rest;
        struct note_run run;
        note_read_run(&in, parents, &run);
        int error = in.error ? 0 : add_to_text(note, &run);
        if (error == RAPPORT_PARENT)
            buf_append(left, start.ptr, start.len - in.rest.len);
        else if (error)
            return error;
        else
            *progress = true;
    }
    return buf_error(left);
}

int note_drain(struct note *note)
{
    struct note_private *p = note->private;
    bool progress = p->inbox.len > 0;
    while (progress && p->inbox.len) {
        struct buf left = BUF_INIT;
        int error = drain_once(note, &left, &progress);
        if (error) {
            buf_clear(&left);
            return error;
        }
        buf_clear(&p->inbox);
        p->inbox = left;
        note->dirty_meta = true;
    }
    return 0;
}

bool note_needs_text(const struct note *note)
{
    if (note->text)
        return false;
    if (note->private->inbox.len)
        return true;
    for (size_t i = 0; i < note->private->n_deletes; i++)
        if (!note->private->deletes[i].judged)
            return true;
    return false;
}

/* ---- trash ---- */

void note_judge(struct note *note)
{
    for (size_t i = 0; i < note->private->n_deletes; i++) {
        struct note_delete *d = &note->private->deletes[i];
        if (d->over)
            continue;
        struct rapport_text_id version[PARENTS_MOST];
        bool all_known = true;
        for (size_t j = 0; j < d->n_ids; j++) {
            version[j] = text_id(&d->ids[j]);
            all_known &= rapport_text_has(note->text, version[j]);
        }
        bool covers = rapport_text_covers(note->text, version, d->n_ids);
        note->dirty_meta |= !d->judged || covers != d->covers;
        d->judged = true;
        d->covers = covers;
        d->over = all_known && !covers;
    }
}

bool note_update_trashed(struct note *note)
{
    bool trashed = false;
    for (size_t i = 0; i < note->private->n_deletes; i++) {
        const struct note_delete *d = &note->private->deletes[i];
        trashed |= d->judged && d->covers && stamp_compare(&d->stamp, &note->path_set) > 0;
    }
    trashed &= note->exists;
    bool changed = trashed != note->trashed;
    note->trashed = trashed;
    note->dirty_meta |= changed;
    return changed;
}

/* ---- events ---- */

static struct stamp stamp_of(const struct origin *from, const struct payload_event *event)
{
    struct stamp stamp = {.lamport = from->lamport, .event = event->number};
    memcpy(stamp.log, from->log->id, LOG_ID_BYTES);
    return stamp;
}

static bool same_event(const struct stamp *a, const struct stamp *b)
{
    return a->event == b->event && memcmp(a->log, b->log, LOG_ID_BYTES) == 0;
}

/* True when the register takes the value with this stamp. An event that comes again may have got a
 * greater lamport when it was sealed. */
static bool wins(const struct stamp *stamp, const struct stamp *set)
{
    return same_event(stamp, set) || stamp_compare(stamp, set) > 0;
}

static int set_path(struct report *r, struct note *note, const struct stamp *stamp,
                    struct slice path)
{
    if (!wins(stamp, &note->path_set))
        return 0;
    char *copy = copy_str(path);
    if (!copy)
        return RAPPORT_NOMEM;
    free(note->path);
    note->path = copy;
    note->path_set = *stamp;
    note->private->stale = true;
    r->paths_dirty = true;
    return 0;
}

void note_update_created(struct note *note)
{
    const struct note_private *p = note->private;
    if (p->n_creates == 0)
        return;
    struct stamp first = p->creates[0];
    for (size_t i = 1; i < p->n_creates; i++)
        if (stamp_compare(&p->creates[i], &first) < 0)
            first = p->creates[i];
    note->created = first;
    note->exists = true;
}

static int take_create(struct report *r, struct note *note, const struct stamp *stamp,
                       struct slice path)
{
    struct note_private *p = note->private;
    size_t i = 0;
    while (i < p->n_creates && memcmp(p->creates[i].log, stamp->log, LOG_ID_BYTES) != 0)
        i++;
    if (i == p->cap_creates) {
        size_t cap = p->cap_creates ? 2 * p->cap_creates : 2;
        void *creates = realloc(p->creates, cap * sizeof *p->creates);
        if (!creates)
            return RAPPORT_NOMEM;
        p->creates = creates;
        p->cap_creates = cap;
    }
    int error = set_path(r, note, stamp, path);
    if (error)
        return error;
    if (i == p->n_creates)
        p->creates[p->n_creates++] = *stamp;
    else if (stamp->event <= p->creates[i].event)
        p->creates[i] = *stamp;
    note_update_created(note);
    r->paths_dirty = true;
    return 0;
}

static int take_delete(struct note *note, const struct stamp *stamp,
                       const struct payload_event *event)
{
    struct note_private *p = note->private;
    size_t i = 0;
    while (i < p->n_deletes && memcmp(p->deletes[i].stamp.log, stamp->log, LOG_ID_BYTES) != 0)
        i++;
    if (i < p->n_deletes && stamp->event < p->deletes[i].stamp.event)
        return 0;
    if (i == p->cap_deletes) {
        size_t cap = p->cap_deletes ? 2 * p->cap_deletes : 2;
        void *deletes = realloc(p->deletes, cap * sizeof *p->deletes);
        if (!deletes)
            return RAPPORT_NOMEM;
        p->deletes = deletes;
        p->cap_deletes = cap;
    }
    struct payload_id *ids = malloc((event->n_ids + 1) * sizeof *ids);
    if (!ids)
        return RAPPORT_NOMEM;
    memcpy(ids, event->ids, event->n_ids * sizeof *ids);
    if (i == p->n_deletes)
        p->n_deletes++;
    else
        free(p->deletes[i].ids);
    p->deletes[i] = (struct note_delete){.stamp = *stamp, .ids = ids, .n_ids = event->n_ids};
    return 0;
}

static int take_talk(struct note *note, const struct stamp *stamp,
                     const struct payload_event *event)
{
    if (!wins(stamp, &note->talk_set))
        return 0;
    struct buf talk = BUF_INIT;
    if (event->has_talk)
        note_talk_encode(&event->talk, &talk);
    if (buf_error(&talk)) {
        buf_clear(&talk);
        return RAPPORT_NOMEM;
    }
    buf_clear(&note->private->talk);
    note->private->talk = talk;
    note->talk = buf_slice(&note->private->talk);
    note->talk_set = *stamp;
    return 0;
}

static int take_template(struct note *note, const struct payload_event *event)
{
    struct note_run run = {.kind = RAPPORT_TEXT_INSERT, .what = event->text};
    payload_template_agent(run.id.agent, note->id, event->text.text);
    return note_take_run(note, &run);
}

/* Leaves out the first k events of a run, which are known. */
static void skip_known(struct note_run *run, struct payload_id *before, size_t k)
{
    run->id.seq += k;
    run->what.n -= k;
    if (run->kind == RAPPORT_TEXT_INSERT) {
        run->what.text = slice_skip(run->what.text, utf8_offset(run->what.text, k));
        run->what.pos += k;
    } else if (run->backward) {
        run->what.pos -= k;
    }
    before->seq = run->id.seq - 1;
    run->parents = before;
    run->n_parents = 1;
}

static int take_text(struct note *note, const struct origin *from,
                     const struct payload_event *event)
{
    struct note_run run = {
        .id.seq = event->number,
        .kind = event->type.content == EVENT_INSERT ? RAPPORT_TEXT_INSERT : RAPPORT_TEXT_DELETE,
        .backward = event->type.content == EVENT_DELETE_BACKWARD,
        .what = event->text,
        .parents = event->ids,
        .n_parents = event->n_ids,
    };
    struct payload_id before;
    uint64_t last = 0, end = event->number + event->n_numbers;
    memcpy(run.id.agent, from->log->id, LOG_ID_BYTES);
    memcpy(before.agent, from->log->id, LOG_ID_BYTES);
    bool has_last = note_last_of(note, from->log->id, &last);
    if (has_last && last + 1 >= end)
        return 0;
    if (has_last && last >= event->number) {
        skip_known(&run, &before, (size_t)(last + 1 - event->number));
    } else if (!event->text.has_parents) {
        before.seq = last;
        run.parents = &before;
        run.n_parents = has_last ? 1 : 0;
    }
    int error = note_reserve_author(note, from->log->id);
    if (!error)
        error = note_take_run(note, &run);
    if (!error)
        note_set_last(note, from->log->id, end - 1);
    return error;
}

int note_take_event(struct report *r, struct note *note, const struct origin *from,
                    const struct payload_event *event)
{
    struct stamp stamp = stamp_of(from, event);
    report_touch(r, note);
    note->dirty_meta = true;
    if (from->wall_ms > note->changed_ms)
        note->changed_ms = from->wall_ms;
    switch (event->type.content) {
    case EVENT_INSERT:
    case EVENT_DELETE:
    case EVENT_DELETE_BACKWARD:
        return take_text(note, from, event);
    case EVENT_CREATE:
        return take_create(r, note, &stamp, event->value);
    case EVENT_RENAME:
        return set_path(r, note, &stamp, event->value);
    case EVENT_TRASH:
        return take_delete(note, &stamp, event);
    case EVENT_TALK:
        return take_talk(note, &stamp, event);
    case EVENT_TEMPLATE:
        return take_template(note, event);
    case EVENT_PARENTS:
        break;
    }
    return 0;
}

/* ---- what is shown ---- */

static void hash_text(struct note *note)
{
    struct rapport_text_pieces pieces;
    rapport_text_pieces(note->text, &pieces);
    struct hash h;
    hash_start(&h, "rapport text", NULL, 0, sizeof note->text_hash);
    hash_add(&h, slice_of(pieces.before, pieces.before_len));
    hash_add(&h, slice_of(pieces.after, pieces.after_len));
    hash_end(&h, note->text_hash);
}

enum {
    TITLE_LOOKS_AT = 8192 /* code points from the start of the text */
};

static int make_title(struct note *note, struct buf *title)
{
    if (note->text) {
        char *start;
        size_t len;
        int error = rapport_text_copy(note->text, 0, TITLE_LOOKS_AT, &start, &len);
        if (error)
            return error;
        title_of_text(slice_of(start, len), title);
        free(start);
        note->private->title_of_path = title->len == 0;
    }
    if (note->private->title_of_path)
        title_of_path(slice_str(note->path), title);
    return buf_cstr(title) ? 0 : RAPPORT_NOMEM;
}

int report_refresh_note(struct note *note)
{
    struct note_private *p = note->private;
    if (!p->stale || (!note->text && !p->title_of_path)) {
        p->stale &= note->text != NULL;
        return 0;
    }
    struct buf title = BUF_INIT;
    int error = make_title(note, &title);
    if (error) {
        buf_clear(&title);
        return error;
    }
    free(note->title);
    note->title = (char *)title.ptr;
    if (note->text)
        hash_text(note);
    p->stale = false;
    note->dirty_meta = true;
    return 0;
}
