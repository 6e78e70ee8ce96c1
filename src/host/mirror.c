/*
 * mirror.c - the mirror's entries: in memory, as records, and what of them is asked from outside.
 *
 * A record's value is a msgpack array:
 *
 *   [1, path, moving, present, crlf, [ino, size, mtime, ctime], disk hash bin 16, node hash bin 32,
 *    [[hash bin 16, version bin (empty: in .rapport/base), at, stale]…]]
 */
#include "host/mirror.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "base/mp.h"
#include "base/utf8.h"
#include "host/mirror_state.h"

enum {
    MIRROR_RECORD = 1,
    MIRROR_MOST_VERSION_BYTES = 65536,
    MIRROR_RECORD_MOST_ITEMS = 256,
    MIRROR_MOST_PROBLEMS = 256,
    RECORD_KEY_BYTES = 13 + 2 * RAPPORT_NOTE_ID_BYTES,
};

static const char record_prefix[] = "local/mirror/";

/* ---- entries ---- */

static void path_key(uint8_t out[TEXT_HASH_BYTES], const char *path)
{
    text_hash(out, slice_str(path));
}

struct entry *mirror_entry(struct mirror *m, const uint8_t note[RAPPORT_NOTE_ID_BYTES])
{
    struct entry *e = map_get(&m->by_note, note);
    if (e)
        return e;
    if (m->n_entries == m->cap_entries) {
        size_t cap = m->cap_entries ? 2 * m->cap_entries : 64;
        struct entry **grown = realloc(m->entries, cap * sizeof(struct entry *));
        if (!grown)
            return NULL;
        m->entries = grown;
        m->cap_entries = cap;
    }
    e = calloc(1, sizeof *e);
    char *path = strdup("");
    if (!e || !path || map_put(&m->by_note, note, e)) {
        free(e);
        free(path);
        return NULL;
    }
    memcpy(e->note, note, sizeof e->note);
    e->path = path;
    m->entries[m->n_entries++] = e;
    return e;
}

struct entry *mirror_at(const struct mirror *m, const char *path)
{
    uint8_t key[TEXT_HASH_BYTES];
    path_key(key, path);
    return map_get(&m->by_path, key);
}

int entry_place(struct mirror *m, struct entry *e, const char *path)
{
    uint8_t key[TEXT_HASH_BYTES];
    char *copy = strdup(path ? path : "");
    if (!copy)
        return RAPPORT_NOMEM;
    path_key(key, copy);
    if (path && map_put(&m->by_path, key, e)) {
        free(copy);
        return RAPPORT_NOMEM;
    }
    path_key(key, e->path);
    if (strcmp(copy, e->path) != 0 && map_get(&m->by_path, key) == e)
        (void)map_remove(&m->by_path, key);
    free(e->path);
    e->path = copy;
    e->present = e->present && path;
    return 0;
}

void entry_set_dirty(struct mirror *m, struct entry *e, bool dirty)
{
    m->n_dirty += (size_t)dirty - (size_t)e->dirty;
    e->dirty = dirty;
}

void entry_forget(struct entry *e)
{
    while (e->n_bases > 0)
        entry_pop(e);
}

void entry_pop(struct entry *e)
{
    free(e->bases[--e->n_bases].version);
}

/* The last save itself stays, and the newest; of those between goes the one whose neighbours are
   nearest in time, so that what is left covers the whole time since the save. */
static void thin_out(struct entry *e)
{
    size_t gone = 1;
    uint64_t least = UINT64_MAX;
    for (size_t i = 1; i + 1 < e->n_bases; i++) {
        uint64_t gap = e->bases[i + 1].at_ms - e->bases[i - 1].at_ms;
        if (gap < least) {
            least = gap;
            gone = i;
        }
    }
    free(e->bases[gone].version);
    memmove(&e->bases[gone], &e->bases[gone + 1], (--e->n_bases - gone) * sizeof e->bases[0]);
}

int entry_push(struct entry *e, const uint8_t hash[TEXT_HASH_BYTES], const uint8_t *version,
               size_t len)
{
    struct base b = {.at_ms = host_wall()};
    memcpy(b.hash, hash, sizeof b.hash);
    if (version) {
        b.version = malloc(len ? len : 1);
        if (!b.version)
            return RAPPORT_NOMEM;
        memcpy(b.version, version, len);
        b.version_len = len;
    }
    if (e->n_bases == MIRROR_MOST_BASES)
        thin_out(e);
    e->bases[e->n_bases++] = b;
    return 0;
}

/* ---- records ---- */

static void record_key(char out[RECORD_KEY_BYTES + 1], const struct entry *e)
{
    memcpy(out, record_prefix, sizeof record_prefix - 1);
    hex_encode(out + sizeof record_prefix - 1, e->note, sizeof e->note);
}

static void encode(const struct entry *e, struct buf *out)
{
    mp_put_array(out, 9);
    mp_put_u64(out, MIRROR_RECORD);
    mp_put_cstr(out, e->path);
    mp_put_cstr(out, e->moving ? e->moving : "");
    mp_put_bool(out, e->present);
    mp_put_bool(out, e->crlf);
    mp_put_array(out, 4);
    mp_put_u64(out, e->disk.ino);
    mp_put_u64(out, e->disk.size);
    mp_put_i64(out, e->disk.mtime_ns);
    mp_put_i64(out, e->disk.ctime_ns);
    mp_put_bin(out, e->disk_hash, sizeof e->disk_hash);
    mp_put_bin(out, e->node_hash, sizeof e->node_hash);
    mp_put_array(out, e->n_bases);
    for (size_t i = 0; i < e->n_bases; i++) {
        const struct base *b = &e->bases[i];
        mp_put_array(out, 4);
        mp_put_bin(out, b->hash, sizeof b->hash);
        mp_put_bin(out, b->version, b->version ? b->version_len : 0);
        mp_put_u64(out, b->at_ms);
        mp_put_bool(out, b->stale);
    }
}

void entry_record(struct host *h, const struct entry *e)
{
    char key[RECORD_KEY_BYTES + 1];
    struct buf value = BUF_INIT;
    record_key(key, e);
    if (e->path[0]) {
        encode(e, &value);
        if (buf_error(&value))
            h->gather.error = RAPPORT_NOMEM;
    }
    gather_record(h, slice_str(key), buf_slice(&value));
    buf_clear(&value);
}

static char *copy_str(struct slice s)
{
    char *out = malloc(s.len + 1);
    if (out) {
        memcpy(out, s.ptr ? (const char *)s.ptr : "", s.len);
        out[s.len] = '\0';
    }
    return out;
}

static int decode_bases(struct mp_array *root, struct entry *e)
{
    struct mp_array rows = mp_sub(root, 0, MIRROR_MOST_BASES);
    while (mp_more(&rows)) {
        struct mp_array row = mp_sub(&rows, 4, 4);
        uint8_t hash[TEXT_HASH_BYTES];
        mp_bin_copy(&row, hash, sizeof hash);
        struct slice version = mp_bin(&row, 0, MIRROR_MOST_VERSION_BYTES);
        uint64_t at = mp_u64(&row, UINT64_MAX);
        bool stale = mp_bool(&row);
        if (*root->error)
            break;
        if (entry_push(e, hash, version.len ? version.ptr : NULL, version.len))
            return RAPPORT_NOMEM;
        e->bases[e->n_bases - 1].at_ms = at;
        e->bases[e->n_bases - 1].stale = stale;
    }
    return 0;
}

static int decode(struct mirror *m, struct entry *e, struct slice bytes)
{
    struct mp_doc doc = {0};
    int error = mp_open(&doc, bytes, MIRROR_RECORD_MOST_ITEMS);
    if (error)
        return error;
    struct mp_array root = mp_root(&doc, &error);
    if (mp_u64(&root, UINT64_MAX) != MIRROR_RECORD)
        mp_fail(&root, RAPPORT_VERSION);
    char *path = copy_str(mp_str(&root, FOLDER_MOST_PATH_BYTES));
    char *moving = copy_str(mp_str(&root, FOLDER_MOST_PATH_BYTES));
    bool present = mp_bool(&root);
    e->crlf = mp_bool(&root);
    struct mp_array disk = mp_sub(&root, 4, 4);
    e->disk.ino = mp_u64(&disk, UINT64_MAX);
    e->disk.size = mp_u64(&disk, UINT64_MAX);
    e->disk.mtime_ns = mp_i64(&disk);
    e->disk.ctime_ns = mp_i64(&disk);
    mp_bin_copy(&root, e->disk_hash, sizeof e->disk_hash);
    mp_bin_copy(&root, e->node_hash, sizeof e->node_hash);
    int memory = decode_bases(&root, e);
    error = mp_end(&root);
    if (!error)
        error = path && moving ? memory : RAPPORT_NOMEM;
    if (!error && path[0])
        error = entry_place(m, e, path);
    e->present = present;
    if (!error && moving[0]) {
        e->moving = moving;
        moving = NULL;
    }
    free(path);
    free(moving);
    mp_close(&doc);
    return error;
}

/* A record that cannot be read is as good as none: its file is then new, and found equal to its
   note. */
static int read_record(void *user, const struct load_row *row)
{
    struct host *h = user;
    uint8_t note[RAPPORT_NOTE_ID_BYTES];
    size_t prefix = sizeof record_prefix - 1;
    if (row->key.len != RECORD_KEY_BYTES || memcmp(row->key.ptr, record_prefix, prefix) != 0 ||
        hex_decode(note, sizeof note, slice_skip(row->key, prefix)))
        return 0;
    struct entry *e = mirror_entry(h->mirror, note);
    if (!e)
        return RAPPORT_NOMEM;
    int error = decode(h->mirror, e, row->value);
    if (error && error != RAPPORT_NOMEM) {
        entry_forget(e);
        return entry_place(h->mirror, e, NULL);
    }
    return error;
}

/* ---- life ---- */

int mirror_create(struct host *h)
{
    struct mirror *m = calloc(1, sizeof *m);
    if (!m)
        return RAPPORT_NOMEM;
    m->deadline = UINT64_MAX;
    map_init(&m->by_note, RAPPORT_NOTE_ID_BYTES, host_now());
    map_init(&m->by_path, TEXT_HASH_BYTES, host_now());
    map_init(&m->untracked, TEXT_HASH_BYTES, host_now());
    h->mirror = m;
    struct load records = {.kind = LOAD_RECORDS, .max_bytes = LOAD_MOST_BYTES};
    return store_load(h->store, &records, read_record, h);
}

static void free_problems(struct mirror *m)
{
    for (size_t i = 0; i < m->n_problems; i++) {
        free(m->problems[i].path);
        free(m->problems[i].line);
    }
    free(m->problems);
}

void mirror_destroy(struct host *h)
{
    struct mirror *m = h->mirror;
    if (!m)
        return;
    for (size_t i = 0; i < m->n_entries; i++) {
        entry_forget(m->entries[i]);
        free(m->entries[i]->path);
        free(m->entries[i]->moving);
        free(m->entries[i]);
    }
    free(m->entries);
    map_clear(&m->by_note);
    map_clear(&m->by_path);
    map_clear(&m->untracked);
    arena_clear(&m->scan.arena);
    free(m->scan.files);
    free(m->scan.folders);
    free_problems(m);
    free(m);
    h->mirror = NULL;
}

void mirror_mark(struct host *h, const uint8_t note[RAPPORT_NOTE_ID_BYTES])
{
    struct entry *e = mirror_entry(h->mirror, note);
    if (e)
        entry_set_dirty(h->mirror, e, true);
    else
        h->mirror->checked = false; /* look at all notes again */
}

/* ---- problems ---- */

static char *printable(const char *text)
{
    struct buf b = BUF_INIT;
    utf8_printable(&b, slice_str(text), true);
    size_t len;
    return buf_cstr(&b) ? (char *)buf_detach(&b, &len) : NULL;
}

void mirror_trouble(struct host *h, const char *path, bool waiting, const char *format, ...)
{
    struct mirror *m = h->mirror;
    char raw[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    char *shown = printable(path), *line = printable(raw);
    struct problem *p = NULL;
    for (size_t i = 0; shown && line && i < m->n_problems; i++)
        if (strcmp(m->problems[i].path, shown) == 0 && strcmp(m->problems[i].line, line) == 0)
            p = &m->problems[i];
    if (!p && shown && line && m->n_problems < MIRROR_MOST_PROBLEMS) {
        struct problem *grown = realloc(m->problems, (m->n_problems + 1) * sizeof *grown);
        if (grown) {
            m->problems = grown;
            p = &grown[m->n_problems++];
            *p = (struct problem){shown, line, waiting, true};
            shown = line = NULL;
            if (!waiting)
                host_say(h, "%s: %s", path, raw);
        }
    }
    if (p)
        p->fresh = true;
    free(shown);
    free(line);
}

bool mirror_next_problem(const struct host *h, size_t *at, struct mirror_problem *out)
{
    const struct mirror *m = h->mirror;
    while (*at < m->n_problems && !m->problems[*at].fresh)
        ++*at;
    if (*at >= m->n_problems)
        return false;
    const struct problem *p = &m->problems[(*at)++];
    *out = (struct mirror_problem){p->path, p->line, p->waiting};
    return true;
}

void mirror_age_problems(struct mirror *m)
{
    size_t n = 0;
    for (size_t i = 0; i < m->n_problems; i++) {
        struct problem p = m->problems[i];
        if (!p.fresh) {
            free(p.path);
            free(p.line);
            continue;
        }
        p.fresh = false;
        m->problems[n++] = p;
    }
    m->n_problems = n;
}

/* ---- asking ---- */

bool mirror_is_dirty(const struct host *h)
{
    const struct mirror *m = h->mirror;
    if (!m->checked)
        return true;
    for (size_t i = 0; m->n_dirty > 0 && i < m->n_entries; i++)
        if (m->entries[i]->dirty && !m->entries[i]->busy)
            return true;
    return false;
}

void mirror_later(struct mirror *m, rapport_time_ms at)
{
    m->deadline = at < m->deadline ? at : m->deadline;
}

rapport_time_ms mirror_deadline(const struct host *h)
{
    return h->mirror->deadline;
}

const char *mirror_next_folder(const struct host *h, size_t *at)
{
    const struct scan *s = &h->mirror->scan;
    return *at < s->n_folders ? s->folders[(*at)++] : NULL;
}

const char *mirror_path(const struct host *h, const uint8_t note[RAPPORT_NOTE_ID_BYTES])
{
    const struct entry *e = map_get(&h->mirror->by_note, note);
    return e && e->present ? e->path : NULL;
}
