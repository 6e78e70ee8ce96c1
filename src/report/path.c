/*
 * path.c - which paths are allowed, and under which names notes are shown when paths clash.
 *
 * Clashes are settled over all notes at once, in order of their creation, so the names depend on
 * the set of notes alone. Parts are compared as a file system without letter case and with
 * composed Unicode would (utf8proc: NFC and full case folding, UAX 15 and Unicode 3.13). A folder
 * is shown as the first note in it spells it. What stands where a name is wanted moves the later
 * note aside: " -2" before ".md", in the part that clashes.
 */
#include <stdlib.h>
#include <utf8proc.h>

#include "base/utf8.h"
#include "crypto/hash.h"
#include "rapport/error.h"
#include "report/state.h"

enum {
    PART_MOST_BYTES = 240 /* of the 255 that file systems take: room for " -123" */
};

/* ---- validity ---- */

static bool harmful(int32_t cp)
{
    bool control = cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == '\\';
    bool separator = cp == 0x2028 || cp == 0x2029;
    bool bidi = cp == 0x61c || cp == 0x200e || cp == 0x200f || (cp >= 0x202a && cp <= 0x202e) ||
                (cp >= 0x2066 && cp <= 0x2069);
    bool invisible = cp == 0xfeff || (cp >= 0xe0000 && cp <= 0xe007f) || (cp & 0xfffe) == 0xfffe;
    return control || separator || bidi || invisible;
}

static bool ends_in_md(struct slice s)
{
    return s.len > 3 && memcmp(s.ptr + s.len - 3, ".md", 3) == 0;
}

/* The part that begins at *at, which then stands behind its '/'. */
static struct slice next_part(struct slice path, size_t *at)
{
    const uint8_t *start = path.ptr + *at;
    const uint8_t *slash = memchr(start, '/', path.len - *at);
    size_t len = slash ? (size_t)(slash - start) : path.len - *at;
    *at += len + (slash ? 1 : 0);
    return slice_of(start, len);
}

static bool is_private(struct slice part)
{
    static const char name[] = "private";
    if (part.len != sizeof name - 1)
        return false;
    for (size_t i = 0; i < part.len; i++)
        if ((part.ptr[i] | 0x20) != name[i])
            return false;
    return true;
}

bool path_valid(struct slice path)
{
    if (path.len > PATH_MOST_BYTES || !ends_in_md(path) || path.ptr[path.len - 4] == '/')
        return false;
    for (size_t at = 0; at < path.len;)
        if (harmful(utf8_next(path, &at))) /* -1, not valid, is below 0x20 too */
            return false;
    bool first = true;
    for (size_t at = 0; at < path.len; first = false) {
        struct slice part = next_part(path, &at);
        if (part.len == 0 || part.len > PART_MOST_BYTES || part.ptr[0] == '.')
            return false;
        if (first && is_private(part))
            return false;
    }
    return true;
}

/* ---- clashes ---- */

/* A name that is taken in some folder. */
struct taken {
    uint64_t id; /* of the folder, to be the parent of names in it */
    bool folder;
    const char *spelling; /* with its parents */
    uint64_t n_next;      /* the number to try when another wants this name */
    struct taken *aside;  /* of a note: the folder that stands in for one of this name */
};

struct settle {
    struct arena arena;
    struct map taken; /* hash of parent and folded name -> struct taken */
    uint64_t n;
};

/* Full case folding of the composed form. Returns 0 or RAPPORT_NOMEM. */
static int fold(struct slice part, struct buf *out)
{
    utf8proc_uint8_t *folded = NULL;
    utf8proc_ssize_t n = utf8proc_map(part.ptr, (utf8proc_ssize_t)part.len, &folded,
                                      UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD);
    if (n == UTF8PROC_ERROR_NOMEM)
        return RAPPORT_NOMEM;
    if (n < 0)
        buf_append_slice(out, part);
    else
        buf_append(out, folded, (size_t)n);
    free(folded);
    return buf_error(out);
}

static int name_key(uint64_t parent, struct slice name, uint8_t key[ID_BYTES])
{
    struct buf folded = BUF_INIT;
    int error = fold(name, &folded);
    if (!error) {
        struct hash h;
        hash_start(&h, "rapport name", NULL, 0, ID_BYTES);
        hash_add_u64(&h, parent);
        hash_add(&h, buf_slice(&folded));
        hash_end(&h, key);
    }
    buf_clear(&folded);
    return error;
}

/* Appends the part with " -n" before its ".md", or at its end. */
static void put_numbered(struct buf *out, struct slice part, uint64_t n)
{
    size_t stem = ends_in_md(part) ? part.len - 3 : part.len;
    buf_append(out, part.ptr, stem);
    buf_printf(out, " -%llu", (unsigned long long)n);
    buf_append_slice(out, slice_skip(part, stem));
}

static struct taken *take_name(struct settle *s, const uint8_t key[ID_BYTES], bool folder,
                               const struct buf *spelling)
{
    struct taken *t = arena_alloc(&s->arena, sizeof *t);
    if (!t)
        return NULL;
    t->id = ++s->n;
    t->folder = folder;
    t->n_next = 2;
    t->spelling = arena_copy(&s->arena, spelling->ptr, spelling->len);
    return t->spelling && map_put(&s->taken, key, t) == 0 ? t : NULL;
}

/* Appends `part` to `path` (the spelling of the folder `parent`, with a '/' where it is not empty),
   moved aside where the name is taken. A folder may be shared. */
static int place_part(struct settle *s, uint64_t *parent, struct slice part, bool folder,
                      struct buf *path)
{
    size_t before = path->len;
    struct taken *first = NULL, *t;
    uint8_t key[ID_BYTES];
    buf_append_slice(path, part);
    for (;;) {
        if (buf_error(path))
            return RAPPORT_NOMEM;
        struct slice name = slice_skip(buf_slice(path), before);
        if (name_key(*parent, name, key) != 0)
            return RAPPORT_NOMEM;
        t = map_get(&s->taken, key);
        if (t && folder && !t->folder && t->aside)
            t = t->aside;
        if (!t || (folder && t->folder))
            break;
        first = first ? first : t;
        path->len = before;
        put_numbered(path, part, first->n_next++);
    }
    if (!t && !(t = take_name(s, key, folder, path)))
        return RAPPORT_NOMEM;
    if (first && folder && !first->folder)
        first->aside = t;
    path->len = 0;
    buf_append_str(path, t->spelling);
    *parent = t->id;
    return buf_error(path);
}

static int place(struct settle *s, const char *wanted, struct buf *path)
{
    struct slice all = slice_str(wanted);
    uint64_t parent = 0;
    buf_reset(path);
    for (size_t at = 0; at < all.len;) {
        struct slice part = next_part(all, &at);
        if (path->len)
            buf_u8(path, '/');
        int error = place_part(s, &parent, part, at < all.len, path);
        if (error)
            return error;
    }
    return buf_error(path);
}

static int by_creation(const void *a, const void *b)
{
    const struct note *x = *(struct note *const *)a, *y = *(struct note *const *)b;
    int order = stamp_compare(&x->created, &y->created);
    return order ? order : memcmp(x->id, y->id, NOTE_ID_BYTES);
}

/* Notes that exist, those in the trash behind the others. */
static size_t list_notes(const struct report *r, struct note **out, size_t *n_shown)
{
    size_t n = 0;
    struct note *note;
    for (size_t at = 0; (note = map_next(&r->notes, &at));)
        if (note->exists && !note->trashed)
            out[n++] = note;
    *n_shown = n;
    for (size_t at = 0; (note = map_next(&r->notes, &at));)
        if (note->exists && note->trashed)
            out[n++] = note;
    return n;
}

static int place_all(struct settle *s, struct note **notes, size_t n_shown, size_t n, char **paths)
{
    struct buf path = BUF_INIT;
    int error = 0;
    for (size_t i = 0; i < n && !error; i++) {
        error = i < n_shown ? place(s, notes[i]->path, &path) : 0;
        if (error)
            break;
        paths[i] = i < n_shown ? strndup((const char *)path.ptr, path.len) : strdup(notes[i]->path);
        error = paths[i] ? 0 : RAPPORT_NOMEM;
    }
    buf_clear(&path);
    return error;
}

static void commit_paths(struct report *r, struct note **notes, size_t n, char **paths)
{
    for (size_t i = 0; i < n; i++) {
        char *old = notes[i]->shown_path;
        notes[i]->shown_path = paths[i];
        paths[i] = old;
        if (strcmp(old, notes[i]->shown_path) == 0)
            continue;
        notes[i]->dirty_meta = true;
        report_mark_changed(r, notes[i]);
    }
    r->paths_dirty = false;
}

int report_settle_paths(struct report *r)
{
    if (!r->paths_dirty)
        return 0;
    struct settle s = {.arena = ARENA_INIT};
    map_init(&s.taken, ID_BYTES, r->map_seed);
    size_t n_shown = 0, n = 0;
    struct note **notes = calloc(r->notes.n + 1, sizeof(struct note *));
    char **paths = calloc(r->notes.n + 1, sizeof *paths);
    int error = notes && paths ? 0 : RAPPORT_NOMEM;
    if (!error) {
        n = list_notes(r, notes, &n_shown);
        qsort(notes, n_shown, sizeof(struct note *), by_creation);
        error = place_all(&s, notes, n_shown, n, paths);
    }
    if (!error)
        commit_paths(r, notes, n, paths);
    for (size_t i = 0; i < n; i++)
        free(paths[i]);
    free(paths);
    free(notes);
    map_clear(&s.taken);
    arena_clear(&s.arena);
    return error;
}
