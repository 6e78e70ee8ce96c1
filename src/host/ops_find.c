/*
 * ops_find.c - from what a person types to a note, and from a version's name to a version.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/hex.h"
#include "host/ops_parts.h"
#include "publish/slug.h"

enum {
    FIND_MOST_CANDIDATES = 10,
    FIND_LEAST_ID_DIGITS = 4,
};

/* ---- the list ---- */

static size_t count_notes(struct host *h)
{
    struct rapport_note_info info;
    size_t at = 0, n = 0;
    while (rapport_node_next_note(h->node, &at, &info))
        n++;
    return n;
}

static int list_note(struct call *c, const struct rapport_note_info *info, struct listed *out)
{
    *out = (struct listed){
        .path = arena_copy(&c->arena, info->path, strlen(info->path)),
        .title = arena_copy(&c->arena, info->title, strlen(info->title)),
        .trashed = info->trashed,
        .n_bytes = info->n_bytes,
        .n_authors = info->n_authors,
        .changed_ms = info->changed_ms,
    };
    memcpy(out->id, info->id, sizeof out->id);
    if (info->talk_len)
        out->talk = slice_of(arena_copy(&c->arena, info->talk, info->talk_len), info->talk_len);
    return out->path && out->title && (!info->talk_len || out->talk.ptr) ? 0 : RAPPORT_NOMEM;
}

int call_notes(struct call *c)
{
    if (c->listed)
        return 0;
    size_t n = count_notes(c->h), at = 0;
    struct rapport_note_info info;
    c->n_notes = 0;
    c->notes = arena_alloc(&c->arena, (n + 1) * sizeof *c->notes);
    int error = c->notes ? 0 : RAPPORT_NOMEM;
    while (!error && c->n_notes < n && rapport_node_next_note(c->h->node, &at, &info)) {
        error = list_note(c, &info, &c->notes[c->n_notes]);
        c->n_notes += !error;
    }
    c->listed = !error;
    return error ? call_fail(c, error, 0, "%s", rapport_strerror(error)) : 0;
}

void call_notes_stale(struct call *c)
{
    c->listed = false;
}

const struct listed *call_note_of(struct call *c, const uint8_t id[RAPPORT_NOTE_ID_BYTES])
{
    if (call_notes(c))
        return NULL;
    for (size_t i = 0; i < c->n_notes; i++)
        if (memcmp(c->notes[i].id, id, RAPPORT_NOTE_ID_BYTES) == 0)
            return &c->notes[i];
    return NULL;
}

/* ---- the rules ---- */

static bool fits_path(const struct listed *n, struct slice name)
{
    struct slice path = slice_str(n->path);
    if (slice_equal(path, name))
        return true;
    struct slice bare = path;
    if (bare.len > 3)
        bare.len -= 3;
    if (slice_equal(bare, name))
        return true;
    if (path.len > 6 && memcmp(path.ptr, "notes/", 6) == 0)
        return slice_equal(slice_skip(path, 6), name) || slice_equal(slice_skip(bare, 6), name);
    return false;
}

static bool slug_is(struct slice text, struct slice name)
{
    struct buf slug = BUF_INIT;
    bool same = !slug_make(text, &slug) && slice_equal(buf_slice(&slug), name);
    buf_clear(&slug);
    return same;
}

static bool fits_slug(const struct listed *n, struct slice name)
{
    const char *slash = strrchr(n->path, '/');
    struct slice stem = slice_str(slash ? slash + 1 : n->path);
    if (stem.len > 3)
        stem.len -= 3;
    return slug_is(stem, name) || slug_is(slice_str(n->title), name);
}

static bool fits_id(const struct listed *n, struct slice name)
{
    char hex[2 * RAPPORT_NOTE_ID_BYTES + 1];
    hex_encode(hex, n->id, sizeof n->id);
    return name.len >= FIND_LEAST_ID_DIGITS && name.len < sizeof hex &&
           memcmp(hex, name.ptr, name.len) == 0;
}

static uint8_t lower(uint8_t ch)
{
    return ch >= 'A' && ch <= 'Z' ? (uint8_t)(ch + 32) : ch;
}

static bool fits_title(const struct listed *n, struct slice name)
{
    struct slice title = slice_str(n->title);
    for (size_t at = 0; name.len && at + name.len <= title.len; at++) {
        size_t i = 0;
        while (i < name.len && lower(title.ptr[at + i]) == lower(name.ptr[i]))
            i++;
        if (i == name.len)
            return true;
    }
    return false;
}

static void add_candidate(struct call *c, const struct listed *n)
{
    if (c->n_candidates == FIND_MOST_CANDIDATES)
        return;
    c->n_candidates++;
    mp_put_map(&c->candidates, 3);
    put_id(&c->candidates, "id", n->id, sizeof n->id);
    put_str(&c->candidates, "path", n->path);
    put_str(&c->candidates, "title", n->title);
}

/* Notes in the trash are found only when no other fits. */
static size_t find_by(struct call *c, bool (*fits)(const struct listed *, struct slice),
                      struct slice name, bool trashed, const struct listed **out)
{
    size_t n = 0;
    for (size_t i = 0; i < c->n_notes; i++) {
        if (c->notes[i].trashed != trashed || !fits(&c->notes[i], name))
            continue;
        if (n++ == 0)
            *out = &c->notes[i];
    }
    if (n > 1)
        for (size_t i = 0; i < c->n_notes; i++)
            if (c->notes[i].trashed == trashed && fits(&c->notes[i], name))
                add_candidate(c, &c->notes[i]);
    return n;
}

static int fail_ambiguous(struct call *c, struct slice name, size_t n)
{
    struct buf list = BUF_INIT;
    size_t shown = 0;
    for (size_t i = 0; i < c->n_notes && shown < FIND_MOST_CANDIDATES; i++)
        if (fits_title(&c->notes[i], name) || fits_slug(&c->notes[i], name) ||
            fits_id(&c->notes[i], name)) {
            buf_printf(&list, "\n  %s", c->notes[i].path);
            shown++;
        }
    int error = call_fail(
        c, RAPPORT_AMBIGUOUS, 3, "\"%.*s\" fits %zu notes; write more of it, or the path:%s",
        (int)name.len, (const char *)name.ptr, n, buf_cstr(&list) ? (char *)list.ptr : "");
    buf_clear(&list);
    return error;
}

int call_note_named(struct call *c, struct slice name, const struct listed **out)
{
    static bool (*const rules[])(const struct listed *, struct slice) = {fits_path, fits_slug,
                                                                         fits_id, fits_title};
    int error = call_notes(c);
    if (error)
        return error;
    for (int trashed = 0; trashed < 2; trashed++)
        for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
            size_t n = find_by(c, rules[i], name, trashed, out);
            if (n == 1)
                return 0;
            if (n > 1)
                return fail_ambiguous(c, name, n);
        }
    return call_fail(c, RAPPORT_NOTFOUND, 4, "there is no note \"%.*s\"; rapport ls lists them",
                     (int)(name.len < 200 ? name.len : 200), (const char *)name.ptr);
}

int call_note(struct call *c, const struct listed **out)
{
    struct slice name;
    if (!arg_str(c, "note", &name) || name.len == 0)
        return call_fail(c, RAPPORT_INVALID, 2, "which note? Give its path, slug, title or id");
    return call_note_named(c, name, out);
}

/* ---- versions ---- */

/* One change of the note. */
struct change {
    uint8_t log[16];
    uint64_t first, end;
};

/* What a version's name asks for, and the changes that fit, oldest first. */
struct wanted {
    struct call *c;
    const uint8_t *note;
    bool by_time, by_log;
    uint64_t back, time_ms, end;
    char log[2 * 16 + 1]; /* digits given */
    struct change *changes;
    size_t n, cap;
};

static void see_line(void *user, const struct rapport_history *line)
{
    struct wanted *w = user;
    char hex[2 * 16 + 1];
    if (memcmp(line->note, w->note, RAPPORT_NOTE_ID_BYTES) != 0 || line->control)
        return;
    hex_encode(hex, line->log, sizeof line->log);
    if (w->by_log && (strncmp(hex, w->log, strlen(w->log)) != 0 || line->end != w->end))
        return;
    if (w->by_time && line->wall_ms > w->time_ms)
        return;
    if (w->n == w->cap) {
        size_t cap = w->cap ? 2 * w->cap : 64;
        struct change *grown = arena_alloc(&w->c->arena, cap * sizeof *grown);
        if (!grown)
            return;
        if (w->n)
            memcpy(grown, w->changes, w->n * sizeof *grown);
        w->changes = grown;
        w->cap = cap;
    }
    struct change *change = &w->changes[w->n++];
    memcpy(change->log, line->log, sizeof change->log);
    change->first = line->first;
    change->end = line->end;
}

struct history_walk {
    struct wanted *w;
    uint64_t arrival;
    size_t n_rows;
};

static int see_delta(void *user, const struct load_row *row)
{
    struct history_walk *walk = user;
    walk->arrival = row->arrival;
    walk->n_rows++;
    (void)rapport_node_describe(walk->w->c->h->node, row->value.ptr, row->value.len, see_line,
                                walk->w);
    return 0;
}

static int walk_history(struct wanted *w)
{
    struct history_walk walk = {w, 0, 1};
    int error = 0;
    while (!error && walk.n_rows > 0) {
        struct load load = {
            .kind = LOAD_ARRIVED, .from = walk.arrival, .max_bytes = LOAD_MOST_BYTES};
        walk.n_rows = 0;
        error = store_load(w->c->h->store, &load, see_delta, &walk);
    }
    return error;
}

static bool read_time(const char *text, uint64_t *ms)
{
    static const char *const forms[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M",
                                        "%Y-%m-%d %H:%M", "%Y-%m-%d"};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct tm t = {.tm_isdst = -1};
        const char *end = strptime(text, forms[i], &t);
        time_t at = end && !*end ? mktime(&t) : (time_t)-1;
        if (at != (time_t)-1) {
            *ms = (uint64_t)at * 1000 + 999;
            return true;
        }
    }
    return false;
}

static bool read_version_name(struct wanted *w, const char *name)
{
    const char *at = strchr(name, '@');
    char *end = NULL;
    if (!at) {
        w->by_time = true;
        return read_time(name, &w->time_ms);
    }
    uint64_t number = strtoull(at + 1, &end, 10);
    if (end == at + 1 || *end)
        return false;
    w->back = at == name ? number : 0;
    w->end = number;
    w->by_log = at != name;
    size_t digits = (size_t)(at - name);
    if (digits >= sizeof w->log || (w->by_log && digits < FIND_LEAST_ID_DIGITS))
        return false;
    memcpy(w->log, name, digits);
    return true;
}

/* A delta may touch several notes: its last event that is of this note's text is sought
   backwards. */
static int version_of(struct call *c, const struct wanted *w, size_t i, struct rapport_version *out)
{
    for (uint64_t seq = w->changes[i].end; seq-- > w->changes[i].first;) {
        struct buf b = BUF_INIT;
        char *text;
        size_t len;
        buf_varint(&b, 1);
        buf_append(&b, w->changes[i].log, 16);
        buf_varint(&b, seq);
        uint8_t *bytes = (uint8_t *)arena_copy(&c->arena, b.ptr, b.len);
        struct rapport_version version = {bytes, b.len};
        buf_clear(&b);
        if (!bytes)
            return RAPPORT_NOMEM;
        int error = host_note_at(c->h, w->note, version, &text, &len);
        if (!error) {
            free(text);
            *out = version;
            return 0;
        }
        if (error != RAPPORT_NOTFOUND)
            return error;
    }
    return RAPPORT_NOTFOUND;
}

int call_version(struct call *c, const struct listed *note, struct slice name,
                 struct rapport_version *out)
{
    struct wanted w = {.c = c, .note = note->id};
    const char *text = arena_copy(&c->arena, name.ptr, name.len);
    if (!text || !read_version_name(&w, text))
        return call_fail(
            c, text ? RAPPORT_INVALID : RAPPORT_NOMEM, 2,
            "\"%.*s\" names no version; write one as rapport log prints it, a time like "
            "2023-02-04T10:30, or @2 for two changes back",
            (int)(name.len < 80 ? name.len : 80), (const char *)name.ptr);
    int error = walk_history(&w);
    if (!error) {
        size_t i = w.n > w.back ? w.n - w.back : 0;
        error = RAPPORT_NOTFOUND;
        while (error == RAPPORT_NOTFOUND && i > 0) /* a rename has no text of its own */
            error = version_of(c, &w, --i, out);
    }
    return error
               ? call_fail(c, error, 0, "%s has no version \"%.*s\"; rapport log lists them",
                           note->path, (int)(name.len < 80 ? name.len : 80), (const char *)name.ptr)
               : 0;
}
