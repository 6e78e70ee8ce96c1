/*
 * edit.c - local edits. Each becomes events that are taken here by the functions that also take
 * them from a delta, and are put into the draft; draft_prepare sees to it that the two cannot part.
 * Only typing at the current version goes past the graph's merge (rapport_text_insert), which
 * makes the same events.
 *
 * One event is atomic. A call of several that runs out of memory has done the first of them, here
 * and in the draft alike; the order is chosen so that the same call can be made again.
 */
#include <stdlib.h>

#include "base/utf8.h"
#include "rapport/error.h"
#include "report/state.h"

enum {
    CHUNK = 16000, /* bytes of text, or deletes, in one event: three fill a delta */
};

struct edit {
    struct report *r;
    const struct edit_context *e;
    struct origin from;
    struct note *note; /* NULL: control */
};

static int edit_start(struct edit *ed, struct report *r, const struct edit_context *e)
{
    int error = report_finish_touched(r);
    struct report_log *log = error ? NULL : report_take_log(r, draft_log(e->draft), e->sign_public);
    if (!log)
        return RAPPORT_NOMEM;
    *ed = (struct edit){.r = r, .e = e, .from = {log, e->lamport, e->wall_ms}};
    return 0;
}

/* Starts an edit of a note's content. */
static int edit_note(struct edit *ed, struct report *r, const struct edit_context *e,
                     struct note *note)
{
    if (!roster_may_write(&r->roster, e->sign_public))
        return RAPPORT_PERMISSION;
    int error = edit_start(ed, r, e);
    ed->note = note;
    return error;
}

/* What was taken is in the draft, so this cannot undo it: where memory lacks, the note stays listed
   and the next call goes on. */
static int edit_end(struct edit *ed)
{
    (void)report_finish_touched(ed->r);
    return 0;
}

/* ---- one event ---- */

typedef int effect(struct edit *ed, const struct payload_event *event);

static int take_content(struct edit *ed, const struct payload_event *event)
{
    return note_take_event(ed->r, ed->note, &ed->from, event);
}

static int take_control(struct edit *ed, const struct payload_event *event)
{
    bool changed;
    int error = roster_take(&ed->r->roster, &ed->from, event, &changed);
    if (!error)
        ed->r->state_dirty = true;
    return error;
}

/* The effect, once the note has a number; takes the number back when it fails. */
static int take_numbered(struct edit *ed, const struct payload_event *event, effect *take)
{
    struct report_log *log = ed->from.log;
    size_t n_before = log->n;
    int error = report_log_name(log, ed->note->id);
    if (!error)
        error = take(ed, event);
    if (error && log->n > n_before)
        report_log_unname(log);
    if (error)
        return error;
    uint64_t number = (uintptr_t)map_get(&log->numbers, ed->note->id) - 1;
    draft_enter(ed->e->draft, ed->note->id, number, log->n > n_before);
    ed->r->state_dirty |= log->n > n_before;
    return 0;
}

static bool by_others(const struct edit *ed, const struct payload_event *event)
{
    for (size_t i = 0; i < event->n_ids; i++)
        if (memcmp(event->ids[i].agent, ed->from.log->id, LOG_ID_BYTES) != 0)
            return true;
    return false;
}

static bool is_text(const struct payload_event *event)
{
    return event->kind == DELTA_CONTENT && event->type.content <= EVENT_DELETE_BACKWARD;
}

/* Takes and drafts one event whose fields but number and numbers used are set. */
static int put_event(struct edit *ed, struct payload_event *event, effect *take)
{
    struct draft *d = ed->e->draft;
    struct buf encoded = BUF_INIT;
    event->number = draft_next_event(d);
    event->n_numbers = is_text(event) ? (uint32_t)event->text.n : 1;
    payload_put_event(&encoded, event);
    int error = buf_error(&encoded);
    if (!error)
        error = draft_prepare(d, event->kind, encoded.len, event->n_numbers);
    if (!error)
        error = ed->note ? take_numbered(ed, event, take) : take(ed, event);
    if (!error) {
        if (is_text(event) && !event->text.has_parents)
            draft_put_text(d, event->type.content, &event->text);
        else
            draft_put(d, buf_slice(&encoded), event->text.has_parents ? 2 : 1, event->n_numbers);
        if (!is_text(event) || by_others(ed, event))
            draft_set_builds_on_others(d);
    }
    buf_clear(&encoded);
    return error;
}

/* ---- text events ---- */

/* The version at which the next text event is made; `current`: it is the text's own. */
struct place {
    struct payload_id ids[RAPPORT_TEXT_MOST_PARENTS];
    size_t n;
    bool current;
};

/* Typing at the current version: no merge. */
static int take_typing(struct edit *ed, const struct payload_event *event)
{
    struct note *note = ed->note;
    struct rapport_text_id id = {ed->from.log->id, LOG_ID_BYTES, event->number};
    int error = note_reserve_author(note, ed->from.log->id);
    if (error)
        return error;
    const struct payload_text *t = &event->text;
    error =
        event->type.content == EVENT_INSERT
            ? rapport_text_insert(note->text, id, t->pos, (const char *)t->text.ptr, t->text.len)
            : rapport_text_delete(note->text, id, t->pos, t->n);
    if (error)
        return error;
    note_set_last(note, ed->from.log->id, event->number + event->n_numbers - 1);
    note->dirty_text = note->dirty_meta = note->private->stale = true;
    if (ed->from.wall_ms > note->changed_ms)
        note->changed_ms = ed->from.wall_ms;
    report_touch(ed->r, note);
    return 0;
}

static bool is_default_place(const struct edit *ed, const struct place *at)
{
    uint64_t last;
    if (!note_last_of(ed->note, ed->from.log->id, &last))
        return at->n == 0;
    return at->n == 1 && at->ids[0].seq == last &&
           memcmp(at->ids[0].agent, ed->from.log->id, LOG_ID_BYTES) == 0;
}

static void place_behind(struct place *at, const struct edit *ed)
{
    memcpy(at->ids[0].agent, ed->from.log->id, LOG_ID_BYTES);
    at->ids[0].seq = draft_next_event(ed->e->draft) - 1;
    at->n = 1;
}

/* One text event at `at`, which then stands behind it. */
static int put_text(struct edit *ed, struct place *at, enum content_event type,
                    const struct payload_text *text)
{
    struct payload_event event = {.kind = DELTA_CONTENT, .text = *text};
    event.type.content = type;
    event.text.has_parents = !is_default_place(ed, at);
    if (event.text.has_parents) {
        event.n_ids = at->n;
        memcpy(event.ids, at->ids, at->n * sizeof at->ids[0]);
    }
    int error = put_event(ed, &event, at->current ? take_typing : take_content);
    if (!error)
        place_behind(at, ed);
    return error;
}

static int compare_ids(const void *a, const void *b)
{
    const struct payload_id *x = a, *y = b;
    int order = memcmp(x->agent, y->agent, LOG_ID_BYTES);
    return order ? order : (x->seq > y->seq) - (x->seq < y->seq);
}

/* An event that deletes nothing and has the first PARENTS_MOST ids as its parents; it takes their
   place. */
static int join_ids(struct edit *ed, struct place *at)
{
    struct place joined = {.n = PARENTS_MOST};
    memcpy(joined.ids, at->ids, PARENTS_MOST * sizeof at->ids[0]);
    struct payload_text nothing = {.pos = POS_MOST, .n = 1};
    int error = put_text(ed, &joined, EVENT_DELETE, &nothing);
    if (error)
        return error;
    at->n -= PARENTS_MOST - 1;
    memmove(&at->ids[1], &at->ids[PARENTS_MOST], (at->n - 1) * sizeof at->ids[0]);
    at->ids[0] = joined.ids[0];
    qsort(at->ids, at->n, sizeof at->ids[0], compare_ids);
    return 0;
}

static size_t read_version(const struct note *note, struct place *at)
{
    struct rapport_text_id ids[RAPPORT_TEXT_MOST_PARENTS];
    size_t n = rapport_text_version(note->text, ids, RAPPORT_TEXT_MOST_PARENTS);
    at->current = true;
    at->n = n < RAPPORT_TEXT_MOST_PARENTS ? n : RAPPORT_TEXT_MOST_PARENTS;
    for (size_t i = 0; i < at->n; i++) {
        memcpy(at->ids[i].agent, ids[i].agent, LOG_ID_BYTES);
        at->ids[i].seq = ids[i].seq;
    }
    return n;
}

/* The current version in at most PARENTS_MOST ids. */
static int place_now(struct edit *ed, struct place *at)
{
    while (read_version(ed->note, at) > PARENTS_MOST) {
        int error = join_ids(ed, at);
        if (!error)
            error = report_finish_touched(ed->r);
        if (error)
            return error;
    }
    return 0;
}

/* An older version. The ids are known. */
static int place_then(struct edit *ed, struct place *at, const struct rapport_text_id *version,
                      size_t n)
{
    at->current = false;
    at->n = n;
    for (size_t i = 0; i < n; i++) {
        memcpy(at->ids[i].agent, version[i].agent, LOG_ID_BYTES);
        at->ids[i].seq = version[i].seq;
    }
    qsort(at->ids, n, sizeof at->ids[0], compare_ids);
    while (at->n > PARENTS_MOST) {
        int error = join_ids(ed, at);
        if (error)
            return error;
    }
    return 0;
}

static int put_edit(struct edit *ed, struct place *at, const struct rapport_text_edit *edit)
{
    int error = 0;
    for (size_t left = edit->n_deleted; left && !error;) {
        struct payload_text t = {.pos = edit->pos, .n = left < CHUNK ? left : CHUNK};
        error = put_text(ed, at, EVENT_DELETE, &t);
        left -= t.n;
    }
    struct slice rest = slice_of(edit->text, edit->text_len);
    for (size_t pos = edit->pos; rest.len && !error;) {
        struct payload_text t = {.pos = pos};
        t.text = slice_of(rest.ptr, utf8_prefix(rest, CHUNK));
        t.n = utf8_count(t.text);
        error = put_text(ed, at, EVENT_INSERT, &t);
        rest = slice_skip(rest, t.text.len);
        pos += t.n;
    }
    return error;
}

static bool text_valid(struct slice text)
{
    return utf8_valid(text) && (text.len == 0 || !memchr(text.ptr, 0, text.len));
}

int report_splice(struct report *r, const struct edit_context *e, struct note *note, size_t pos,
                  size_t n_deleted, struct slice text)
{
    struct edit ed;
    struct place at;
    if (!note->text || !note->exists)
        return RAPPORT_STATE;
    if (!text_valid(text))
        return RAPPORT_INVALID;
    int error = edit_note(&ed, r, e, note);
    if (error)
        return error;
    size_t length = rapport_text_length(note->text);
    pos = pos < length ? pos : length;
    n_deleted = n_deleted < length - pos ? n_deleted : length - pos;
    if (text.len > NOTE_MOST_BYTES || rapport_text_size(note->text) + text.len > NOTE_MOST_BYTES)
        return RAPPORT_LIMIT;
    error = place_now(&ed, &at);
    struct rapport_text_edit edit = {pos, n_deleted, (const char *)text.ptr, text.len};
    if (!error)
        error = put_edit(&ed, &at, &edit);
    edit_end(&ed);
    return error;
}

/* ---- a whole text against a version ---- */

static int put_diff(struct edit *ed, struct place *at, struct slice old, struct slice text)
{
    struct rapport_text_edit *edits = NULL;
    size_t n = 0;
    int error = rapport_text_diff((const char *)old.ptr, old.len, (const char *)text.ptr, text.len,
                                  &edits, &n);
    for (size_t i = 0; i < n && !error; i++)
        error = put_edit(ed, at, &edits[i]);
    free(edits);
    return error;
}

static int edit_now(struct edit *ed, struct slice text)
{
    struct place at;
    char *old;
    size_t len;
    int error = rapport_text_copy(ed->note->text, 0, SIZE_MAX, &old, &len);
    if (error)
        return error;
    bool same = slice_equal(slice_of(old, len), text);
    error = same ? 0 : place_now(ed, &at);
    if (!error && !same)
        error = put_diff(ed, &at, slice_of(old, len), text);
    free(old);
    return error;
}

static int edit_then(struct edit *ed, const struct rapport_text_id *version, size_t n,
                     struct slice text)
{
    struct place at;
    char *old;
    size_t len;
    int error = rapport_text_at(ed->note->text, version, n, &old, &len);
    if (error)
        return error;
    bool same = slice_equal(slice_of(old, len), text);
    size_t more = text.len > len ? text.len - len : 0;
    if (rapport_text_size(ed->note->text) + more > NOTE_MOST_BYTES)
        error = RAPPORT_LIMIT;
    if (!error && !same)
        error = place_then(ed, &at, version, n);
    if (!error && !same)
        error = put_diff(ed, &at, slice_of(old, len), text);
    free(old);
    return error;
}

static bool is_current(const struct note *note, const struct rapport_text_id *version, size_t n)
{
    struct place now;
    if (read_version(note, &now) != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (version[i].seq != now.ids[i].seq ||
            memcmp(version[i].agent, now.ids[i].agent, LOG_ID_BYTES) != 0)
            return false;
    return true;
}

static bool version_valid(const struct rapport_text_id *version, size_t n)
{
    if (n > RAPPORT_TEXT_MOST_PARENTS)
        return false;
    for (size_t i = 0; i < n; i++)
        if (version[i].agent_len != LOG_ID_BYTES)
            return false;
    return true;
}

int report_edit_text(struct report *r, const struct edit_context *e, struct note *note,
                     const struct rapport_text_id *version, size_t n_version, struct slice text)
{
    struct edit ed;
    if (!note->text || !note->exists)
        return RAPPORT_STATE;
    if (!text_valid(text) || (version && !version_valid(version, n_version)))
        return RAPPORT_INVALID;
    if (text.len > NOTE_MOST_BYTES)
        return RAPPORT_LIMIT;
    int error = edit_note(&ed, r, e, note);
    if (error)
        return error;
    if (!version || is_current(note, version, n_version))
        error = edit_now(&ed, text);
    else
        error = edit_then(&ed, version, n_version, text);
    edit_end(&ed);
    return error;
}

/* ---- registers ---- */

static int put_content(struct edit *ed, enum content_event type, struct payload_event *event)
{
    event->kind = DELTA_CONTENT;
    event->type.content = type;
    return put_event(ed, event, take_content);
}

static int put_talk(struct edit *ed, const struct note_talk *talk)
{
    struct payload_event event = {.has_talk = true, .talk = *talk};
    return put_content(ed, EVENT_TALK, &event);
}

static int put_template(struct edit *ed, struct slice text)
{
    struct payload_event event = {.text = {.n = utf8_count(text), .text = text}};
    return put_content(ed, EVENT_TEMPLATE, &event);
}

static int put_path(struct edit *ed, enum content_event type, struct slice path)
{
    struct payload_event event = {.value = path};
    return put_content(ed, type, &event);
}

/* Create comes last: until it is done there is no such note, and all of it can be done again. */
static int put_new_note(struct edit *ed, struct slice path, const struct note_talk *talk,
                        struct slice template_text)
{
    int error = talk ? put_talk(ed, talk) : 0;
    if (!error && template_text.len)
        error = put_template(ed, template_text);
    return error ? error : put_path(ed, EVENT_CREATE, path);
}

int report_new_note(struct report *r, const struct edit_context *e, const uint8_t id[NOTE_ID_BYTES],
                    struct slice path, struct slice talk, struct slice template_text)
{
    struct note_talk decoded;
    struct note *note = report_note(r, id);
    if (!path_valid(path) || !text_valid(template_text))
        return RAPPORT_INVALID;
    if (template_text.len > TEMPLATE_MOST_BYTES)
        return RAPPORT_LIMIT;
    int error = talk.len ? note_talk_decode(talk, &decoded) : 0;
    if (error)
        return error == RAPPORT_NOMEM ? error : RAPPORT_INVALID;
    if (note && note->exists && !note->trashed)
        return RAPPORT_EXISTS;
    if (note && !note->text && template_text.len)
        return RAPPORT_STATE;
    struct edit ed;
    error = edit_note(&ed, r, e, NULL);
    if (error)
        return error;
    ed.note = report_take_note(r, id);
    error = ed.note ? put_new_note(&ed, path, talk.len ? &decoded : NULL, template_text)
                    : RAPPORT_NOMEM;
    edit_end(&ed);
    return error;
}

int report_rename(struct report *r, const struct edit_context *e, struct note *note,
                  struct slice path)
{
    struct edit ed;
    if (!path_valid(path))
        return RAPPORT_INVALID;
    if (!note->exists)
        return RAPPORT_STATE;
    if (!note->trashed && slice_equal(path, slice_str(note->path)))
        return 0;
    int error = edit_note(&ed, r, e, note);
    if (error)
        return error;
    error = put_path(&ed, EVENT_RENAME, path);
    edit_end(&ed);
    return error;
}

int report_trash(struct report *r, const struct edit_context *e, struct note *note)
{
    struct edit ed;
    struct place at;
    if (!note->text || !note->exists)
        return RAPPORT_STATE;
    if (note->trashed)
        return 0;
    int error = edit_note(&ed, r, e, note);
    if (!error)
        error = place_now(&ed, &at);
    if (error)
        return error;
    struct payload_event event = {.n_ids = at.n};
    memcpy(event.ids, at.ids, at.n * sizeof at.ids[0]);
    error = put_content(&ed, EVENT_TRASH, &event);
    edit_end(&ed);
    return error;
}

/* ---- control ---- */

static int put_control(struct report *r, const struct edit_context *e, enum control_event type,
                       struct payload_event *event)
{
    struct edit ed;
    event->kind = DELTA_CONTROL;
    event->type.control = type;
    if (!roster_allows(&r->roster, e->sign_public, event))
        return RAPPORT_PERMISSION;
    int error = edit_start(&ed, r, e);
    return error ? error : put_event(&ed, event, take_control);
}

int report_genesis(struct report *r, const struct edit_context *e, struct slice genesis)
{
    struct payload_event event = {.value = genesis};
    int error = genesis_check(genesis, &event.card);
    if (error)
        return error == RAPPORT_NOMEM ? error : RAPPORT_INVALID;
    if (memcmp(event.card.sign_public, e->sign_public, SIGN_PUBLIC_BYTES) != 0)
        return RAPPORT_INVALID;
    if (draft_next_event(e->draft) != 0)
        return RAPPORT_STATE;
    return put_control(r, e, CONTROL_GENESIS, &event);
}

int report_set(struct report *r, const struct edit_context *e, struct slice key, struct slice value)
{
    struct payload_event event = {.key = key, .value = value};
    if (key.len == 0 || !text_valid(key) || !text_valid(value))
        return RAPPORT_INVALID;
    if (key.len > SETTING_MOST_KEY || value.len > SETTING_MOST_VALUE)
        return RAPPORT_LIMIT;
    return put_control(r, e, CONTROL_SETTING, &event);
}

int report_add_invite(struct report *r, const struct edit_context *e, const uint8_t public_key[32],
                      uint32_t n_uses, uint64_t expires_s)
{
    struct payload_event event = {.n_uses = n_uses, .expires_s = expires_s};
    if (n_uses == 0 || n_uses > INVITE_MOST_USES || expires_s > INT64_MAX)
        return RAPPORT_INVALID;
    memcpy(event.public_key, public_key, sizeof event.public_key);
    return put_control(r, e, CONTROL_INVITE, &event);
}

int report_revoke_invite(struct report *r, const struct edit_context *e,
                         const uint8_t invite_id[16])
{
    struct payload_event event = {0};
    memcpy(event.id, invite_id, ID_BYTES);
    return put_control(r, e, CONTROL_REVOKE, &event);
}

int report_add_member(struct report *r, const struct edit_context *e,
                      const struct device_card *card, enum role role, const uint8_t invite_id[16])
{
    struct payload_event event = {.card = *card, .role = role};
    struct buf encoded = BUF_INIT;
    card_encode(card, &encoded);
    event.value = buf_slice(&encoded);
    if (invite_id)
        memcpy(event.id, invite_id, ID_BYTES);
    int error = buf_error(&encoded);
    if (!error)
        error = put_control(r, e, CONTROL_ADD, &event);
    buf_clear(&encoded);
    return error;
}

int report_remove_member(struct report *r, const struct edit_context *e, const uint8_t device[16])
{
    struct payload_event event = {0};
    memcpy(event.id, device, ID_BYTES);
    return put_control(r, e, CONTROL_REMOVE, &event);
}

int report_set_role(struct report *r, const struct edit_context *e, const uint8_t device[16],
                    enum role role)
{
    struct payload_event event = {.role = role};
    memcpy(event.id, device, ID_BYTES);
    return put_control(r, e, CONTROL_ROLE, &event);
}
