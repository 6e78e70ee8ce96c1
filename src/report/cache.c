/*
 * cache.c - the state of a report as records, so that opening need not apply every delta again.
 * What the deltas say is all in them: notes' registers and runs that wait, the control events
 * (the roster is computed from them), the notes' numbers. Read back as strictly as what comes
 * from peers: a damaged record is RAPPORT_CORRUPT and the caller starts from the deltas.
 *
 *   state  [1, [[stamp, sign bin 32, event bin]...], [[log bin 16, sign bin 32, note ids bin]...]]
 *   note   [1, flags, path, shown path, path stamp, talk bin, talk stamp, [create stamp...],
 *           [[stamp, flags, [id...]]...], title, text hash bin 32, bytes of text, changed,
 *           [[author bin 16, last]...], runs that wait bin]
 *   stamp  [lamport, log bin 16, event]
 */
#include <stdlib.h>

#include "base/reader.h"
#include "log/log.h"
#include "rapport/error.h"
#include "report/state.h"

enum {
    CACHE_FORMAT = 1,
    STATE_ITEMS = 3,
    NOTE_ITEMS = 15,
    NOTE_TITLE_OF_PATH = 1,
    DELETE_JUDGED = 1,
    DELETE_COVERS = 2,
    DELETE_OVER = 4,
    SHOWN_PATH_MOST = 8192,
    TITLE_MOST = 1024,
};

static void put_stamp(struct buf *out, const struct stamp *s)
{
    mp_put_array(out, 3);
    mp_put_u64(out, s->lamport);
    mp_put_bin(out, s->log, LOG_ID_BYTES);
    mp_put_u64(out, s->event);
}

static void take_stamp(struct mp_array *a, struct stamp *out)
{
    struct mp_array s = mp_sub(a, 3, 3);
    out->lamport = mp_u64(&s, UINT64_MAX);
    mp_bin_copy(&s, out->log, LOG_ID_BYTES);
    out->event = mp_u64(&s, UINT64_MAX);
}

/* Whatever is wrong with what we wrote ourselves, the database is damaged. */
static int as_corrupt(int error)
{
    return error && error != RAPPORT_NOMEM ? RAPPORT_CORRUPT : error;
}

/* ---- state ---- */

static void put_controls(const struct roster *roster, struct buf *out)
{
    mp_put_array(out, roster->n);
    for (size_t i = 0; i < roster->n; i++) {
        const struct control *c = roster->controls[i];
        mp_put_array(out, 3);
        put_stamp(out, &c->stamp);
        mp_put_bin(out, c->sign, sizeof c->sign);
        mp_put_bin(out, c->bytes.ptr, c->bytes.len);
    }
}

static void put_logs(const struct map *logs, struct buf *out)
{
    const struct report_log *log;
    mp_put_array(out, logs->n);
    for (size_t at = 0; (log = map_next(logs, &at));) {
        mp_put_array(out, 3);
        mp_put_bin(out, log->id, LOG_ID_BYTES);
        mp_put_bin(out, log->sign_public, SIGN_PUBLIC_BYTES);
        mp_put_bin(out, log->ids, log->n * NOTE_ID_BYTES);
    }
}

int report_encode_state(const struct report *r, struct buf *out)
{
    size_t before = out->len;
    mp_put_array(out, STATE_ITEMS);
    mp_put_u64(out, CACHE_FORMAT);
    put_controls(&r->roster, out);
    put_logs(&r->logs, out);
    if (buf_error(out))
        out->len = before;
    return buf_error(out);
}

static int take_control(struct report *r, struct mp_array *list)
{
    struct stamp stamp = {0};
    uint8_t sign[SIGN_PUBLIC_BYTES] = {0};
    struct mp_array a = mp_sub(list, 3, 3);
    take_stamp(&a, &stamp);
    mp_bin_copy(&a, sign, sizeof sign);
    struct slice bytes = mp_bin(&a, 1, DELTA_MOST_PAYLOAD);
    int error = mp_end(&a);
    return error ? error : roster_restore(&r->roster, &stamp, sign, bytes);
}

static int take_log(struct report *r, struct mp_array *list)
{
    uint8_t id[LOG_ID_BYTES] = {0}, sign[SIGN_PUBLIC_BYTES] = {0};
    struct mp_array a = mp_sub(list, 3, 3);
    mp_bin_copy(&a, id, sizeof id);
    mp_bin_copy(&a, sign, sizeof sign);
    struct slice ids = mp_bin(&a, 0, UINT32_MAX);
    int error = mp_end(&a);
    if (error || ids.len % NOTE_ID_BYTES)
        return RAPPORT_CORRUPT;
    struct report_log *log = report_take_log(r, id, sign);
    if (!log)
        return RAPPORT_NOMEM;
    for (; ids.len && !error; ids = slice_skip(ids, NOTE_ID_BYTES))
        error = report_log_name(log, ids.ptr);
    return error;
}

static int take_state(struct report *r, struct mp_array *a)
{
    int error = 0;
    if (mp_u64(a, CACHE_FORMAT) != CACHE_FORMAT)
        mp_fail(a, RAPPORT_CORRUPT);
    struct mp_array controls = mp_sub(a, 0, MP_MOST_ITEMS);
    while (mp_more(&controls) && !error)
        error = take_control(r, &controls);
    struct mp_array logs = mp_sub(a, 0, MP_MOST_ITEMS);
    while (mp_more(&logs) && !error)
        error = take_log(r, &logs);
    if (!error)
        error = mp_end(a);
    return error ? error : roster_compute(&r->roster);
}

/* Exchanges what the state record holds. */
static void swap_state(struct report *a, struct report *b)
{
    struct map logs = a->logs;
    struct roster roster = a->roster;
    a->logs = b->logs;
    a->roster = b->roster;
    b->logs = logs;
    b->roster = roster;
}

int report_restore_state(struct report *r, struct slice state)
{
    struct report *fresh;
    struct mp_doc doc;
    int error = mp_open(&doc, state, MP_MOST_ITEMS);
    if (error)
        return as_corrupt(error);
    error = report_create(r->map_seed, &fresh);
    if (!error) {
        int sticky;
        struct mp_array a = mp_root(&doc, &sticky);
        error = take_state(fresh, &a);
        if (!error)
            swap_state(r, fresh);
        report_destroy(fresh);
    }
    mp_close(&doc);
    return as_corrupt(error);
}

/* ---- notes ---- */

static void put_deletes(const struct note_private *p, struct buf *out)
{
    mp_put_array(out, p->n_deletes);
    for (size_t i = 0; i < p->n_deletes; i++) {
        const struct note_delete *d = &p->deletes[i];
        mp_put_array(out, 3);
        put_stamp(out, &d->stamp);
        mp_put_u64(out, (d->judged ? DELETE_JUDGED : 0u) | (d->covers ? DELETE_COVERS : 0u) |
                            (d->over ? DELETE_OVER : 0u));
        mp_put_array(out, d->n_ids);
        for (size_t j = 0; j < d->n_ids; j++) {
            mp_put_array(out, 2);
            mp_put_bin(out, d->ids[j].agent, LOG_ID_BYTES);
            mp_put_u64(out, d->ids[j].seq);
        }
    }
}

static void put_authors(const struct note *note, struct buf *out)
{
    mp_put_array(out, note->n_authors);
    for (size_t i = 0; i < note->n_authors; i++) {
        mp_put_array(out, 2);
        mp_put_bin(out, note->authors[i], LOG_ID_BYTES);
        mp_put_u64(out, note->private->last[i]);
    }
}

int report_encode_note(struct note *note, struct buf *out)
{
    const struct note_private *p = note->private;
    size_t before = out->len;
    int error = report_refresh_note(note);
    if (error)
        return error;
    mp_put_array(out, NOTE_ITEMS);
    mp_put_u64(out, CACHE_FORMAT);
    mp_put_u64(out, p->title_of_path ? NOTE_TITLE_OF_PATH : 0);
    mp_put_cstr(out, note->path);
    mp_put_cstr(out, note->shown_path);
    put_stamp(out, &note->path_set);
    mp_put_bin(out, note->talk.ptr, note->talk.len);
    put_stamp(out, &note->talk_set);
    mp_put_array(out, p->n_creates);
    for (size_t i = 0; i < p->n_creates; i++)
        put_stamp(out, &p->creates[i]);
    put_deletes(p, out);
    mp_put_cstr(out, note->title);
    mp_put_bin(out, note->text_hash, sizeof note->text_hash);
    mp_put_u64(out, note->n_bytes);
    mp_put_u64(out, note->changed_ms);
    put_authors(note, out);
    mp_put_bin(out, p->inbox.ptr, p->inbox.len);
    if (buf_error(out))
        out->len = before;
    return buf_error(out);
}

static void take_string(struct mp_array *a, size_t max, char **out)
{
    struct slice s = mp_str(a, max);
    if (*a->error)
        return;
    char *copy = strndup(s.len ? (const char *)s.ptr : "", s.len);
    if (!copy) {
        mp_fail(a, RAPPORT_NOMEM);
        return;
    }
    free(*out);
    *out = copy;
}

static void take_bytes(struct mp_array *a, size_t max, struct buf *out)
{
    struct slice s = mp_bin(a, 0, max);
    buf_append_slice(out, s);
    if (buf_error(out))
        mp_fail(a, RAPPORT_NOMEM);
}

static void take_creates(struct mp_array *a, struct note_private *p)
{
    struct mp_array list = mp_sub(a, 0, LOGS_MOST);
    p->creates = calloc(list.n + 1, sizeof *p->creates);
    if (!p->creates) {
        mp_fail(a, RAPPORT_NOMEM);
        return;
    }
    p->cap_creates = list.n + 1;
    while (mp_more(&list))
        take_stamp(&list, &p->creates[p->n_creates++]);
}

static void take_ids(struct mp_array *a, struct note_delete *d)
{
    struct mp_array list = mp_sub(a, 0, PARENTS_MOST);
    d->ids = calloc(list.n + 1, sizeof *d->ids);
    if (!d->ids)
        mp_fail(a, RAPPORT_NOMEM);
    while (mp_more(&list)) {
        struct mp_array pair = mp_sub(&list, 2, 2);
        mp_bin_copy(&pair, d->ids[d->n_ids].agent, LOG_ID_BYTES);
        d->ids[d->n_ids++].seq = mp_u64(&pair, RAPPORT_TEXT_MOST_SEQ);
    }
}

static void take_deletes(struct mp_array *a, struct note_private *p)
{
    struct mp_array list = mp_sub(a, 0, LOGS_MOST);
    p->deletes = calloc(list.n + 1, sizeof *p->deletes);
    if (!p->deletes) {
        mp_fail(a, RAPPORT_NOMEM);
        return;
    }
    p->cap_deletes = list.n + 1;
    while (mp_more(&list)) {
        struct note_delete *d = &p->deletes[p->n_deletes++];
        struct mp_array one = mp_sub(&list, 3, 3);
        take_stamp(&one, &d->stamp);
        uint64_t flags = mp_u64(&one, DELETE_JUDGED | DELETE_COVERS | DELETE_OVER);
        d->judged = flags & DELETE_JUDGED;
        d->covers = flags & DELETE_COVERS;
        d->over = flags & DELETE_OVER;
        take_ids(&one, d);
    }
}

static void take_authors(struct mp_array *a, struct note *note)
{
    struct mp_array list = mp_sub(a, 0, LOGS_MOST);
    while (mp_more(&list)) {
        uint8_t log[LOG_ID_BYTES] = {0};
        struct mp_array one = mp_sub(&list, 2, 2);
        mp_bin_copy(&one, log, sizeof log);
        uint64_t last = mp_u64(&one, RAPPORT_TEXT_MOST_SEQ);
        if (note_reserve_author(note, log) != 0)
            mp_fail(a, RAPPORT_NOMEM);
        if (!*a->error)
            note_set_last(note, log, last);
    }
}

static void check_inbox(struct mp_array *a, const struct buf *inbox)
{
    struct payload_id parents[PARENTS_MOST];
    struct note_run run;
    struct reader in = reader_of(buf_slice(inbox));
    while (in.rest.len && !in.error)
        note_read_run(&in, parents, &run);
    if (in.error)
        mp_fail(a, RAPPORT_CORRUPT);
}

static int take_note(struct mp_array *a, struct note *note)
{
    struct note_private *p = note->private;
    if (mp_u64(a, CACHE_FORMAT) != CACHE_FORMAT)
        mp_fail(a, RAPPORT_CORRUPT);
    p->title_of_path = mp_u64(a, NOTE_TITLE_OF_PATH) & NOTE_TITLE_OF_PATH;
    take_string(a, PATH_MOST_BYTES, &note->path);
    take_string(a, SHOWN_PATH_MOST, &note->shown_path);
    take_stamp(a, &note->path_set);
    take_bytes(a, 2 * TALK_MOST_BYTES, &p->talk);
    take_stamp(a, &note->talk_set);
    take_creates(a, p);
    take_deletes(a, p);
    take_string(a, TITLE_MOST, &note->title);
    mp_bin_copy(a, note->text_hash, sizeof note->text_hash);
    note->n_bytes = mp_u64(a, SIZE_MAX);
    note->changed_ms = mp_u64(a, UINT64_MAX);
    take_authors(a, note);
    take_bytes(a, UINT32_MAX, &p->inbox);
    check_inbox(a, &p->inbox);
    return mp_end(a);
}

static void settle_note(struct report *r, struct note *note)
{
    note->talk = buf_slice(&note->private->talk);
    note->private->stale = false;
    note_update_created(note);
    note_update_trashed(note);
    note->dirty_meta = false;
    report_update_waiting(r, note);
    r->paths_dirty = true;
}

int report_restore_note(struct report *r, const uint8_t id[NOTE_ID_BYTES], struct slice meta)
{
    struct mp_doc doc;
    if (report_note(r, id))
        return RAPPORT_EXISTS;
    int error = mp_open(&doc, meta, MP_MOST_ITEMS);
    if (error)
        return as_corrupt(error);
    struct note *note = note_create(id);
    if (note) {
        struct mp_array a = mp_root(&doc, &error);
        error = take_note(&a, note);
    }
    mp_close(&doc);
    if (!note)
        return RAPPORT_NOMEM;
    if (!error)
        error = map_put(&r->notes, id, note);
    if (error)
        note_destroy(note);
    else
        settle_note(r, note);
    return as_corrupt(error);
}
