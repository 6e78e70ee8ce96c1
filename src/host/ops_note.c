/* ops_note.c - verbs on notes: ls, show, new, jot, edit, take, rm, mv. */
#include <stdio.h>
#include <stdlib.h>

#include "host/mirror_state.h"
#include "host/ops_parts.h"
#include "publish/schedule.h"
#include "publish/slug.h"

enum {
    NOTE_MOST_SHOWN = 80 /* bytes of a path that cannot be one, in the message */
};

/* ---- a note in a reply ---- */

static void put_authors(struct call *c, struct buf *b, const struct listed *note)
{
    mp_put_cstr(b, "authors");
    mp_put_array(b, note->n_authors);
    for (size_t i = 0; i < note->n_authors; i++)
        mp_put_cstr(b, rapport_node_note_author(c->h->node, note->id, i));
}

void put_note(struct call *c, struct buf *b, const struct listed *note)
{
    struct rapport_talk talk = {0};
    bool has_talk = note->talk.len && !rapport_talk_decode(note->talk.ptr, note->talk.len, &talk);
    const char *file = mirror_path(c->h, note->id);
    bool elsewhere = file && strcmp(file, note->path) != 0;
    mp_put_map(b, 8 + (has_talk ? 3U : 0U) + (elsewhere ? 1U : 0U));
    put_id(b, "id", note->id, sizeof note->id);
    put_str(b, "path", note->path);
    put_str(b, "title", note->title);
    put_bool(b, "talk", note->talk.len > 0);
    put_bool(b, "trashed", note->trashed);
    put_u64(b, "bytes", note->n_bytes);
    put_u64(b, "changed", note->changed_ms);
    put_authors(c, b, note);
    if (elsewhere)
        put_str(b, "file", file);
    if (has_talk) {
        put_str(b, "day", talk.day);
        put_str(b, "start", talk.start);
        put_str(b, "room", talk.room);
        rapport_talk_clear(&talk);
    }
}

int field_note(struct call *c, const uint8_t id[RAPPORT_NOTE_ID_BYTES])
{
    call_notes_stale(c);
    const struct listed *note = call_note_of(c, id);
    if (!note)
        return c->error ? c->error : call_fail(c, RAPPORT_NOTFOUND, 0, "the note is gone");
    put_note(c, field(c, "note"), note);
    return 0;
}

int call_text(struct call *c, const uint8_t id[RAPPORT_NOTE_ID_BYTES], struct slice *out)
{
    char *text;
    size_t len;
    int error = host_note_text(c->h, id, &text, &len);
    if (error)
        return call_fail(c, error, 0, "the note's text cannot be read: %s",
                         rapport_strerror(error));
    *out = slice_of(arena_copy(&c->arena, text, len), len);
    free(text);
    return out->ptr ? 0 : RAPPORT_NOMEM;
}

void field_file(struct call *c, const uint8_t id[RAPPORT_NOTE_ID_BYTES])
{
    if (mirror_is_dirty(c->h))
        host_settle(c->h);
    const char *path = mirror_path(c->h, id);
    struct buf file = BUF_INIT;
    if (path)
        buf_printf(&file, "%s/%s", c->h->dir, path);
    mp_put_str(field(c, "file"), buf_slice(&file));
    buf_clear(&file);
}

/* ---- reading ---- */

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct listed *)a)->path, ((const struct listed *)b)->path);
}

int op_ls(struct call *c)
{
    bool trash = arg_bool(c, "trash");
    struct rows rows = {.buf = BUF_INIT};
    int error = call_notes(c);
    if (error)
        return error;
    qsort(c->notes, c->n_notes, sizeof *c->notes, by_path);
    for (size_t i = 0; i < c->n_notes; i++)
        if (c->notes[i].trashed == trash) {
            put_note(c, &rows.buf, &c->notes[i]);
            rows.n++;
        }
    field_rows(c, "notes", &rows);
    return 0;
}

static int show_at(struct call *c, const struct listed *note, struct slice name)
{
    struct rapport_version version;
    char *text;
    size_t len;
    int error = call_version(c, note, name, &version);
    if (error)
        return error;
    error = host_note_at(c->h, note->id, version, &text, &len);
    if (error)
        return error;
    mp_put_str(field(c, "text"), slice_of(text, len));
    mp_put_str(field(c, "at"), name);
    free(text);
    return 0;
}

int op_show(struct call *c)
{
    const struct listed *note;
    struct slice at, text = {0};
    int error = call_note(c, &note);
    if (!error && arg_str(c, "at", &at) && at.len)
        error = show_at(c, note, at);
    else if (!error && !(error = call_text(c, note->id, &text)))
        mp_put_str(field(c, "text"), text);
    if (!error)
        put_note(c, field(c, "note"), note);
    return error;
}

/* ---- making ---- */

/* "notes/SLUG.md" in the arena. */
static const char *path_of_title(struct call *c, const char *title)
{
    struct buf path = BUF_INIT;
    buf_append_str(&path, "notes/");
    if (slug_make(slice_str(title), &path))
        buf_clear(&path);
    buf_append_str(&path, ".md");
    const char *out = arena_copy(&c->arena, path.ptr, path.len);
    buf_clear(&path);
    return out;
}

/* A path as people write it: "x" and "x.md" both mean x.md, "folder/" keeps the note's own name. */
static const char *path_as_written(struct call *c, const char *given, const char *own)
{
    struct buf path = BUF_INIT;
    while (strncmp(given, "./", 2) == 0)
        given += 2;
    const char *name = strrchr(own, '/');
    buf_append_str(&path, given);
    if (path.len && path.ptr[path.len - 1] == '/')
        buf_append_str(&path, name ? name + 1 : own);
    if (path.len < 3 || memcmp(path.ptr + path.len - 3, ".md", 3) != 0)
        buf_append_str(&path, ".md");
    const char *out = arena_copy(&c->arena, path.ptr, path.len);
    buf_clear(&path);
    return out;
}

struct making {
    uint8_t id[RAPPORT_NOTE_ID_BYTES];
    const char *path;
    struct slice text, talk;
};

static int make(struct call *c, const struct making *m)
{
    struct rapport_edit edit = {
        .kind = RAPPORT_EDIT_NEW,
        .note = m->id,
        .path = m->path,
        .talk = m->talk.ptr,
        .talk_len = m->talk.len,
        .text = m->text.len ? (const char *)m->text.ptr : "",
        .text_len = m->text.len,
    };
    if (!m->path || !mirror_path_ok(m->path))
        return call_fail(
            c, RAPPORT_INVALID, 2,
            "\"%.*s\" cannot be a note's path: give one inside the folder that ends in .md, "
            "without dots in front",
            NOTE_MOST_SHOWN, m->path ? m->path : "");
    int error = host_edit(c->h, &edit);
    return error ? call_fail_edit(c, error, m->path) : 0;
}

static const char *joined_persons(struct call *c, const struct talk *t)
{
    struct buf names = BUF_INIT;
    for (size_t i = 0; i < t->n_persons; i++)
        buf_printf(&names, "%s%s", i ? "; " : "", t->persons[i]);
    const char *out = arena_copy(&c->arena, names.ptr, names.len);
    buf_clear(&names);
    return out ? out : "";
}

static int talk_making(struct call *c, const struct schedule *s, const struct talk *t,
                       struct making *m)
{
    struct buf key = BUF_INIT, text = BUF_INIT;
    uint8_t *bytes = NULL;
    size_t len = 0;
    int error = talk_key(s, t, &key);
    if (!error)
        error = talk_note_text(t, &text);
    if (!error && !buf_cstr(&key))
        error = RAPPORT_NOMEM;
    struct rapport_talk talk = {
        .key = (const char *)key.ptr,
        .title = t->title,
        .day = t->day,
        .start = t->start,
        .room = t->room,
        .track = t->track,
        .url = t->url,
        .speakers = joined_persons(c, t),
        .duration_min = t->duration_min > 0 ? (uint32_t)t->duration_min : 0,
    };
    if (!error)
        error = rapport_talk_encode(&talk, &bytes, &len);
    if (!error) {
        rapport_talk_note_id(talk.key, m->id);
        m->path = path_of_title(c, t->title);
        m->talk = slice_of(arena_copy(&c->arena, bytes, len), len);
        m->text = slice_of(arena_copy(&c->arena, text.ptr, text.len), text.len);
    }
    free(bytes);
    buf_clear(&key);
    buf_clear(&text);
    return error;
}

/* Fills in what a talk's note is made of. */
static int find_talk(struct call *c, const char *what, struct making *m)
{
    struct schedule s;
    const struct talk *t;
    int error = call_schedule(c, &s);
    if (error)
        return call_fail(
            c, error, error == RAPPORT_NOTFOUND ? 4 : 0,
            error == RAPPORT_NOTFOUND
                ? "there is no schedule here; get it with: curl URL | rapport schedule "
                  "import -"
                : "the schedule cannot be read; import it again");
    error = schedule_find(&s, what, &t);
    if (error == RAPPORT_AMBIGUOUS)
        (void)call_fail(c, error, 3,
                        "\"%s\" fits more than one talk; rapport schedule ls lists them", what);
    else if (error)
        (void)call_fail(c, error, 4,
                        "the schedule has no talk \"%s\"; rapport schedule ls lists them", what);
    else
        error = talk_making(c, &s, t, m);
    schedule_clear(&s);
    return error;
}

static int plan_note(struct call *c, struct making *m)
{
    const char *title = arg_cstr(c, "title"), *path = arg_cstr(c, "path");
    const char *talk = arg_cstr(c, "talk");
    if (talk) {
        int error = find_talk(c, talk, m);
        if (error)
            return error;
    } else {
        if (!title || strchr(title, '\n'))
            return call_fail(c, RAPPORT_INVALID, 2, "a new note needs a title, on one line");
        rapport_node_draw_note_id(c->h->node, m->id);
        m->path = path_of_title(c, title);
        char *text = arena_alloc(&c->arena, strlen(title) + 5);
        if (!text)
            return RAPPORT_NOMEM;
        int n = snprintf(text, strlen(title) + 5, "# %s\n\n", title);
        m->text = slice_of(text, (size_t)n);
    }
    if (path)
        m->path = path_as_written(c, path, m->path ? m->path : "");
    return 0;
}

int op_new(struct call *c)
{
    struct making m = {0};
    int error = plan_note(c, &m);
    if (error)
        return error;
    const struct listed *there = call_note_of(c, m.id);
    bool existed = there && !there->trashed;
    if (!existed)
        error = make(c, &m);
    if (!error)
        field_file(c, m.id);
    if (!error)
        error = field_note(c, m.id);
    if (!error)
        field_bool(c, "existed", existed);
    return error;
}

/* ---- writing ---- */

/* Appends `text` as lines of its own. */
static int append(struct call *c, const uint8_t *id, struct slice text)
{
    struct slice now = {0};
    int error = call_text(c, id, &now);
    if (error)
        return error;
    struct buf lines = BUF_INIT;
    if (now.len && now.ptr[now.len - 1] != '\n')
        buf_u8(&lines, '\n');
    buf_append_slice(&lines, text);
    if (text.len && text.ptr[text.len - 1] != '\n')
        buf_u8(&lines, '\n');
    struct rapport_edit edit = {.kind = RAPPORT_EDIT_APPEND, .note = id};
    edit.text = (const char *)lines.ptr;
    edit.text_len = lines.len;
    error = buf_error(&lines);
    if (!error)
        error = host_edit(c->h, &edit);
    buf_clear(&lines);
    return error ? call_fail_edit(c, error, "the text was not kept") : 0;
}

/* "Jots of NAME" and the path of that note, in the arena. */
static int jots_making(struct call *c, struct making *m)
{
    struct buf text = BUF_INIT, path = BUF_INIT;
    buf_printf(&text, "# Jots of %s\n\n", c->h->name);
    buf_append_str(&path, "notes/jots-");
    int error = slug_make(slice_str(c->h->name), &path);
    buf_append_str(&path, ".md");
    m->text = slice_of(arena_copy(&c->arena, text.ptr, text.len), text.len);
    m->path = arena_copy(&c->arena, path.ptr, path.len);
    if (!error && m->text.ptr && buf_cstr(&text))
        rapport_talk_note_id((const char *)text.ptr, m->id);
    error = error ? error : buf_error(&text) ? buf_error(&text) : buf_error(&path);
    buf_clear(&text);
    buf_clear(&path);
    return error || (m->text.ptr && m->path) ? error : RAPPORT_NOMEM;
}

/* The note for jots: one for each person, so that two never wait for each other's lines; its id
   comes from the name, so a person's two devices have one. A note that stands at its path is as
   good. */
static int jots_note(struct call *c, uint8_t id[RAPPORT_NOTE_ID_BYTES])
{
    struct making m = {0};
    int error = jots_making(c, &m);
    if (!error)
        error = call_notes(c);
    if (error)
        return error;
    const struct listed *there = call_note_of(c, m.id);
    for (size_t i = 0; !there && i < c->n_notes; i++)
        if (!c->notes[i].trashed && strcmp(c->notes[i].path, m.path) == 0)
            there = &c->notes[i];
    memcpy(id, there ? there->id : m.id, RAPPORT_NOTE_ID_BYTES);
    return there ? 0 : make(c, &m);
}

int op_jot(struct call *c)
{
    struct slice name, text;
    uint8_t id[RAPPORT_NOTE_ID_BYTES];
    if (!arg_str(c, "text", &text) || text.len == 0)
        return call_fail(c, RAPPORT_INVALID, 2, "jot needs some text");
    int error;
    if (arg_str(c, "note", &name) && name.len) {
        const struct listed *note;
        error = call_note_named(c, name, &note);
        if (!error)
            memcpy(id, note->id, sizeof id);
    } else {
        error = jots_note(c, id);
    }
    if (!error)
        error = append(c, id, text);
    return error ? error : field_note(c, id);
}

int op_edit(struct call *c)
{
    const struct listed *note;
    int error = call_note(c, &note);
    if (error)
        return error;
    if (!mirror_path(c->h, note->id))
        return call_fail(c, RAPPORT_STATE, 1, "%s has no file in the folder%s", note->path,
                         note->trashed ? ": it is in the trash" : "");
    field_file(c, note->id);
    put_note(c, field(c, "note"), note);
    return 0;
}

int op_take(struct call *c)
{
    (void)c;
    return 0;
}

int op_rm(struct call *c)
{
    const struct listed *note;
    int error = call_note(c, &note);
    if (error)
        return error;
    struct rapport_edit edit = {.kind = RAPPORT_EDIT_TRASH, .note = note->id};
    if (!note->trashed)
        error = host_edit(c->h, &edit);
    return error ? call_fail_edit(c, error, note->path) : field_note(c, note->id);
}

int op_mv(struct call *c)
{
    const struct listed *note;
    const char *path = arg_cstr(c, "path");
    int error = call_note(c, &note);
    if (error)
        return error;
    path = path ? path_as_written(c, path, note->path) : NULL;
    if (!path || !mirror_path_ok(path))
        return call_fail(
            c, RAPPORT_INVALID, 2,
            "\"%.*s\" cannot be a note's path: give one inside the folder that ends in "
            ".md, without dots in front",
            NOTE_MOST_SHOWN, path ? path : "");
    struct rapport_edit edit = {.kind = RAPPORT_EDIT_RENAME, .note = note->id, .path = path};
    error = host_edit(c->h, &edit);
    return error ? call_fail_edit(c, error, path) : field_note(c, note->id);
}
