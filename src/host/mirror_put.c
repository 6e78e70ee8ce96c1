/*
 * mirror_put.c - what changed in the notes, to the files.
 *
 * In three steps, so that a crash between any two is understood by the next take: first the records
 * say what is going to stand where (one transaction), then files are written beside, exchanged and
 * moved, then the records say that they do. What comes out of an exchange is looked at: a save that
 * came in between is merged like any other and written again. A new file never replaces one that is
 * there: that one becomes a note of its own at the next take.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/hex.h"
#include "host/mirror_state.h"

enum {
    PUT_CHUNK = 64, /* notes written between two transactions */
};

/* ---- which notes ---- */

static bool is_clean(const struct entry *e, const struct rapport_note_info *info)
{
    if (info->trashed)
        return !e->present;
    return e->present && !e->moving && e->n_bases && strcmp(e->path, info->path) == 0 &&
           memcmp(e->node_hash, info->text_hash, sizeof e->node_hash) == 0 &&
           memcmp(e->disk_hash, e->bases[e->n_bases - 1].hash, sizeof e->disk_hash) == 0;
}

/* Once in a run: whatever a crash or another program left different. */
static int check_all(struct host *h)
{
    struct mirror *m = h->mirror;
    struct rapport_note_info info;
    size_t at = 0;
    while (rapport_node_next_note(h->node, &at, &info)) {
        struct entry *e = mirror_entry(m, info.id);
        if (!e)
            return RAPPORT_NOMEM;
        entry_set_dirty(m, e, !is_clean(e, &info));
    }
    m->checked = true;
    return 0;
}

/* A change of one note's path can change how others are shown. */
static void mark_moved(struct host *h)
{
    struct rapport_note_info info;
    size_t at = 0;
    while (rapport_node_next_note(h->node, &at, &info)) {
        struct entry *e = map_get(&h->mirror->by_note, info.id);
        if (e && e->present && !info.trashed && strcmp(e->path, info.path) != 0)
            entry_set_dirty(h->mirror, e, true);
    }
}

/* ---- moving ---- */

static int move_file(struct host *h, const char *from, const char *to)
{
    int from_dir, to_dir, error;
    const char *from_name, *to_name;
    error = folder_open(h->dir_fd, from, false, &from_dir, &from_name);
    if (error)
        return error;
    error = folder_open(h->dir_fd, to, true, &to_dir, &to_name);
    if (!error) {
        error = file_move(from_dir, from_name, to_dir, to_name);
        close(to_dir);
    }
    close(from_dir);
    return error;
}

static int record_alone(struct host *h, const struct entry *e)
{
    gather_begin(h);
    entry_record(h, e);
    return gather_end(h);
}

/* The name in the trash: never one that is there already. */
static void trash_name(char out[FOLDER_MOST_PATH_BYTES + 1], const struct entry *e)
{
    const char *name = strrchr(e->path, '/');
    char hex[2 * 4 + 1];
    hex_encode(hex, e->note, 4);
    (void)snprintf(out, FOLDER_MOST_PATH_BYTES + 1, ".rapport/trash/%llu-%s-%.200s",
                   (unsigned long long)(host_wall() / 1000), hex, name ? name + 1 : e->path);
}

/* Says where the file goes, moves it, says that it is there. */
static int move_entry(struct host *h, struct entry *e, const char *to, bool trash)
{
    e->moving = strdup(to);
    if (!e->moving)
        return RAPPORT_NOMEM;
    int error = record_alone(h, e);
    if (!error)
        error = move_file(h, e->path, to);
    free(e->moving);
    e->moving = NULL;
    if (!error && trash)
        entry_forget(e);
    if (!error)
        error = entry_place(h->mirror, e, trash ? NULL : to);
    int recorded = record_alone(h, e);
    return error ? error : recorded;
}

/* The rename changed the change time alone. */
static void refresh_mark(struct host *h, struct entry *e)
{
    struct stat st;
    if (fstatat(h->dir_fd, e->path, &st, AT_SYMLINK_NOFOLLOW))
        return;
    struct file_mark now = file_mark_of(&st);
    if (file_mark_equal(&now, &e->disk, true))
        e->disk = now;
}

/* Somebody writes to e's file right now: what comes is taken first. */
static int wait_for_writer(struct host *h, const struct entry *e)
{
    mirror_trouble(h, e->path, true, "being written; newer text waits until it is closed");
    mirror_later(h->mirror, host_now() + MIRROR_SETTLE_MS);
    return RAPPORT_AGAIN;
}

static int put_in_trash(struct host *h, struct entry *e)
{
    char to[FOLDER_MOST_PATH_BYTES + 1];
    struct stat st;
    if (!e->present)
        return 0;
    if (mkdirat(h->rapport_fd, "trash", 0700) && errno != EEXIST)
        return host_errno(errno);
    if (fstatat(h->dir_fd, e->path, &st, AT_SYMLINK_NOFOLLOW))
        return RAPPORT_AGAIN;
    struct file_mark now = file_mark_of(&st);
    if (!file_mark_equal(&now, &e->disk, true))
        return RAPPORT_AGAIN; /* saved just now: the next take brings the note back */
    if (file_is_written(h->dir_fd, e->path))
        return wait_for_writer(h, e);
    trash_name(to, e);
    return move_entry(h, e, to, true);
}

/* Where another note's file stands that is on its way elsewhere itself, ours steps aside first. */
static int put_at_path(struct host *h, struct entry *e, const char *path)
{
    char aside[64], hex[2 * RAPPORT_NOTE_ID_BYTES + 1];
    int error = move_entry(h, e, path, false);
    const struct entry *other = error == RAPPORT_EXISTS ? mirror_at(h->mirror, path) : NULL;
    if (other && other->dirty && other != e) {
        hex_encode(hex, e->note, sizeof e->note);
        (void)snprintf(aside, sizeof aside, ".rapport-aside-%.16s.md", hex);
        error = move_entry(h, e, aside, false);
        return error ? error : RAPPORT_AGAIN;
    }
    if (!error)
        refresh_mark(h, e);
    return error == RAPPORT_EXISTS ? RAPPORT_AGAIN : error;
}

/* ---- writing ---- */

static mode_t mode_for(int dir, const char *name)
{
    struct stat st;
    if (!fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) && S_ISREG(st.st_mode))
        return st.st_mode & 0666;
    mode_t mask = umask(0);
    (void)umask(mask);
    return 0666 & ~mask;
}

static int mark_written(struct entry *e, int dir, const char *name)
{
    struct stat st;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
        return host_errno(errno);
    e->disk = file_mark_of(&st);
    if (e->disk.ctime_ns > ((int64_t)host_wall() - 50) * 1000000)
        e->disk.ctime_ns = 0; /* within the clock's grain: hashed again next time */
    memcpy(e->disk_hash, e->bases[e->n_bases - 1].hash, sizeof e->disk_hash);
    e->unsettled_at = 0;
    return 0;
}

/* What the exchange brought out is what was known, or it is a save that nobody has seen yet. */
static int look_at(struct host *h, struct entry *e, int dir, const char *temporary,
                   const struct file_mark *known)
{
    struct stat st;
    if (fstatat(dir, temporary, &st, AT_SYMLINK_NOFOLLOW))
        return host_errno(errno);
    struct file_mark mark = file_mark_of(&st);
    if (S_ISREG(st.st_mode) && known->ctime_ns && file_mark_equal(&mark, known, true))
        return 0;
    struct file_text f;
    const char *why;
    int error = file_read(dir, temporary, &f, &why);
    if (!error && memcmp(f.hash, e->disk_hash, sizeof f.hash) != 0) {
        gather_begin(h);
        error = mirror_merge_out(h, e, &f);
        int stored = mirror_gather_end(h);
        error = error ? error : stored;
        if (!error && h->hooked)
            error = store_sync(h->store); /* this save is going to stand nowhere else */
        if (!error)
            error = RAPPORT_AGAIN; /* to be written once more */
    }
    file_text_clear(&f);
    return error;
}

/* Without exchange: a look just before, then a rename over. */
static int rename_over(struct host *h, struct entry *e, int dir, const char *temporary,
                       const char *name)
{
    int error = look_at(h, e, dir, name, &e->disk);
    if (!error && renameat(dir, temporary, dir, name))
        error = host_errno(errno);
    if (!error)
        return mark_written(e, dir, name);
    (void)unlinkat(dir, temporary, 0);
    return error;
}

/* The file that was exchanged out is still open for writing: it goes back to where it stood. Ours
   stays beside it, for the next take, when somebody found it in between. */
static int give_back(struct host *h, struct entry *e, int dir, const char *temporary,
                     const char *name)
{
    struct file_text f;
    const char *why;
    int error = file_exchange(dir, temporary, name);
    if (error)
        return error;
    error = file_read(dir, temporary, &f, &why);
    bool ours = !error && e->n_bases && !file_is_written(dir, temporary) &&
                memcmp(f.hash, e->bases[e->n_bases - 1].hash, sizeof f.hash) == 0;
    file_text_clear(&f);
    if (ours)
        (void)unlinkat(dir, temporary, 0);
    return wait_for_writer(h, e);
}

/* Replaces a file that is known. The temporary file holds the new text, and is gone afterwards
   unless it holds what a person wrote and could not be put back. */
static int replace_file(struct host *h, struct entry *e, int dir, const char *temporary,
                        const char *name)
{
    if (file_is_written(dir, name)) {
        (void)unlinkat(dir, temporary, 0);
        return wait_for_writer(h, e);
    }
    int error = file_exchange(dir, temporary, name);
    if (!error && file_is_written(dir, temporary))
        return give_back(h, e, dir, temporary, name);
    if (error == RAPPORT_STATE)
        return rename_over(h, e, dir, temporary, name);
    if (!error) {
        error = look_at(h, e, dir, temporary, &e->disk);
        /* Not to be read, or not to be stored: it goes back to where it stood. */
        if (error && error != RAPPORT_AGAIN && file_exchange(dir, temporary, name))
            return error;
        if (!error)
            error = mark_written(e, dir, name);
    }
    (void)unlinkat(dir, temporary, 0);
    return error;
}

/* A path where nothing of ours stands yet. */
static int place_file(struct entry *e, int dir, const char *temporary, const char *name)
{
    int error = file_move(dir, temporary, dir, name);
    if (error)
        (void)unlinkat(dir, temporary, 0);
    else
        error = mark_written(e, dir, name);
    e->present = e->present || !error;
    return error;
}

static int write_out(struct host *h, struct entry *e, struct slice text)
{
    char temporary[64];
    int dir;
    const char *name;
    struct buf styled = BUF_INIT;
    int error = folder_open(h->dir_fd, e->path, true, &dir, &name);
    if (error)
        return error;
    struct stat st;
    if (e->present && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW)) {
        /* Gone: the take finds out whether for good. Not even a temporary file meanwhile, which
           would make the folder look as if somebody were still saving. */
        error = errno == ENOENT ? RAPPORT_AGAIN : host_errno(errno);
        close(dir);
        return error;
    }
    mirror_temporary(temporary, e);
    file_style(&styled, text, e->crlf);
    error = buf_error(&styled);
    if (!error)
        error = file_write(dir, temporary, buf_slice(&styled), mode_for(dir, name));
    buf_clear(&styled);
    if (!error)
        error = e->present ? replace_file(h, e, dir, temporary, name)
                           : place_file(e, dir, temporary, name);
    close(dir);
    return error == RAPPORT_EXISTS || error == RAPPORT_NOTFOUND ? RAPPORT_AGAIN : error;
}

/* ---- one note ---- */

struct put {
    struct entry *e;
    char *text;
    size_t len;
    bool write;
};

static void put_trouble(struct host *h, const struct entry *e, const char *path, int error)
{
    const char *shown = e->path[0] ? e->path : path;
    switch (error) {
    case RAPPORT_FULL:
        mirror_trouble(h, shown, false, "the disk is full; it stays as it was and is tried again");
        return;
    case RAPPORT_READONLY:
    case RAPPORT_PERMISSION:
        mirror_trouble(h, shown, false, "cannot be written (%s); the text is safe in the database",
                       rapport_strerror(error));
        return;
    case RAPPORT_OUTSIDE:
        mirror_trouble(h, shown, false,
                       "a symlink or something that is no folder is in the way; move it away");
        return;
    default:
        mirror_trouble(h, shown, false, "cannot be written out: %s; tried again later",
                       rapport_strerror(error));
    }
}

/* Moves the file where it belongs; true when the text may follow. */
static bool put_place(struct host *h, struct entry *e, const char *path)
{
    int error = 0;
    if (!mirror_path_ok(path)) {
        mirror_trouble(h, path, false, "has a name that cannot be a file here; rename the note");
        entry_set_dirty(h->mirror, e, false);
        return false;
    }
    if (e->present && strcmp(e->path, path) != 0)
        error = put_at_path(h, e, path);
    else if (!e->present && (!mirror_at(h->mirror, path) || mirror_at(h->mirror, path) == e))
        error = entry_place(h->mirror, e, path);
    else if (!e->present)
        error = RAPPORT_AGAIN; /* another note's file still stands there */
    else
        return true;
    if (error && error != RAPPORT_AGAIN)
        put_trouble(h, e, path, error);
    return !error;
}

/* Reads the note's text and remembers it as what is going to stand at the path. */
static int put_text(struct host *h, struct put *p)
{
    struct entry *e = p->e;
    struct rapport_note_info info;
    uint8_t hash[TEXT_HASH_BYTES], *version = NULL;
    size_t version_len;
    int error = host_note_text(h, e->note, &p->text, &p->len);
    if (error)
        return error;
    text_hash(hash, slice_of(p->text, p->len));
    bool newest = e->n_bases && e->bases[e->n_bases - 1].version &&
                  memcmp(e->bases[e->n_bases - 1].hash, hash, sizeof hash) == 0;
    p->write = !e->present || memcmp(e->disk_hash, hash, sizeof hash) != 0;
    if (!newest) {
        error = host_note_version(h, e->note, &version, &version_len);
        if (!error)
            error = entry_push(e, hash, version, version_len);
        free(version);
    }
    if (!error && !rapport_node_note(h->node, e->note, &info))
        memcpy(e->node_hash, info.text_hash, sizeof e->node_hash);
    return error;
}

/* Step one for one note: true when it takes part in the next steps. */
static bool put_prepare(struct host *h, struct put *p)
{
    struct entry *e = p->e;
    struct rapport_note_info info;
    char path[FOLDER_MOST_PATH_BYTES + 1];
    int error = rapport_node_note(h->node, e->note, &info);
    if (error) {
        entry_set_dirty(h->mirror, e, false); /* not made yet: CHANGED comes when it is */
        return false;
    }
    (void)snprintf(path, sizeof path, "%s", info.path);
    if (is_clean(e, &info)) {
        entry_set_dirty(h->mirror, e, false);
        return false;
    }
    if (e->busy) {
        mirror_trouble(h, e->path, true, "open in an editor; newer text waits until it is closed");
        return false;
    }
    if (info.trashed) {
        error = put_in_trash(h, e);
        if (error && error != RAPPORT_AGAIN)
            put_trouble(h, e, path, error);
        else if (!error)
            entry_set_dirty(h->mirror, e, false);
        return false;
    }
    if (!put_place(h, e, path))
        return false;
    error = put_text(h, p);
    if (error)
        put_trouble(h, e, path, error);
    return !error;
}

static void put_write(struct host *h, struct put *p)
{
    struct entry *e = p->e;
    int error = p->write ? write_out(h, e, slice_of(p->text, p->len)) : 0;
    if (!error)
        entry_set_dirty(h->mirror, e, false);
    else if (error == RAPPORT_AGAIN)
        entry_set_dirty(h->mirror, e, true); /* the next take sees what is there */
    else
        put_trouble(h, e, e->path, error);
}

static int put_chunk(struct host *h, struct put *puts, size_t n)
{
    size_t n_ready = 0;
    for (size_t i = 0; i < n; i++) {
        struct put p = {.e = puts[i].e};
        if (put_prepare(h, &p))
            puts[n_ready++] = p;
        else
            free(p.text);
    }
    gather_begin(h);
    for (size_t i = 0; i < n_ready; i++)
        entry_record(h, puts[i].e);
    int error = gather_end(h);
    for (size_t i = 0; !error && i < n_ready; i++)
        put_write(h, &puts[i]);
    gather_begin(h);
    for (size_t i = 0; !error && i < n_ready; i++)
        entry_record(h, puts[i].e);
    int stored = gather_end(h);
    for (size_t i = 0; i < n_ready; i++)
        free(puts[i].text);
    return error ? error : stored;
}

int mirror_put_for(struct host *h, rapport_time_ms budget_ms, bool *more)
{
    struct mirror *m = h->mirror;
    rapport_time_ms start = host_now();
    int error;
    *more = false;
    if (host_failure(h, &error))
        return error;
    if (!rapport_node_ready(h->node))
        return 0;
    error = m->checked ? 0 : check_all(h);
    if (!error && m->n_dirty)
        mark_moved(h);
    struct put puts[PUT_CHUNK];
    for (size_t i = 0; !error && m->n_dirty && i < m->n_entries && !*more;) {
        size_t n = 0;
        for (; i < m->n_entries && n < PUT_CHUNK; i++)
            if (m->entries[i]->dirty)
                puts[n++] = (struct put){.e = m->entries[i]};
        if (n)
            error = put_chunk(h, puts, n);
        *more = !error && i < m->n_entries && host_now() - start >= budget_ms;
    }
    return error;
}

int mirror_put(struct host *h)
{
    bool more;
    return mirror_put_for(h, UINT64_MAX, &more);
}
