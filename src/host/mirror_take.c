/*
 * mirror_take.c - what people did to the files: changed, made, renamed, deleted.
 *
 * All that one look at the folder finds is staged in a gathering: the edits and the records that
 * mark them as taken are one transaction, so a crash never takes a save twice nor loses one. What
 * is not sure yet (a file that shrank, a file that is gone) must stay so for MIRROR_SETTLE_MS
 * first: editors write in place and move files away and back.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/hex.h"
#include "host/merge.h"
#include "host/mirror_state.h"

void mirror_temporary(char out[64], const struct entry *e)
{
    char hex[2 * 8 + 1];
    hex_encode(hex, e->note, 8);
    (void)snprintf(out, 64, ".rapport-%s.new", hex);
}

static int read_file(struct host *h, const char *path, struct file_text *out)
{
    int dir;
    const char *name, *why = "";
    *out = (struct file_text){.text = BUF_INIT};
    int error = folder_open(h->dir_fd, path, false, &dir, &name);
    if (error)
        return error;
    error = file_read(dir, name, out, &why);
    close(dir);
    switch (error) {
    case 0:
    case RAPPORT_NOTFOUND:
        break;
    case RAPPORT_AGAIN:
        mirror_later(h->mirror, host_now() + MIRROR_SETTLE_MS);
        break;
    case RAPPORT_OUTSIDE:
        mirror_trouble(h, path, false, "%s", *why ? why : "leads out of the folder; left alone");
        break;
    case RAPPORT_LIMIT:
        mirror_trouble(h, path, false,
                       "is larger than 16 MiB and stays on this device alone; split it");
        break;
    case RAPPORT_MALFORMED:
        mirror_trouble(h, path, false,
                       "is not UTF-8 text, so nothing of it was taken; save it as UTF-8");
        break;
    default:
        mirror_trouble(h, path, false, "cannot be read: %s", rapport_strerror(error));
    }
    return error;
}

/* ---- one changed text ---- */

/* A file that was written within the clock's grain may change again and look the same: it is hashed
   again next time. */
static struct file_mark mark_for_later(const struct file_mark *mark)
{
    struct file_mark out = *mark;
    int64_t now = (int64_t)host_wall() * 1000000;
    if (mark->ctime_ns > now - 50 * 1000000)
        out.ctime_ns = 0;
    return out;
}

static void set_disk(struct entry *e, const struct file_text *f)
{
    e->disk = mark_for_later(&f->mark);
    memcpy(e->disk_hash, f->hash, sizeof e->disk_hash);
    e->crlf = f->crlf;
    e->unsettled_at = 0;
}

/* The text that the note should have, against what it has now. */
static int edit_towards(struct host *h, const struct entry *e, size_t base, struct slice text)
{
    const struct base *b = &e->bases[base];
    struct rapport_edit edit = {
        .kind = RAPPORT_EDIT_TEXT,
        .note = e->note,
        .text = text.len ? (const char *)text.ptr : "",
        .text_len = text.len,
    };
    if (b->version) {
        edit.version = (struct rapport_version){b->version, b->version_len};
        return host_edit(h, &edit);
    }
    struct buf before = BUF_INIT, merged = BUF_INIT;
    char *now = NULL;
    size_t len = 0;
    int error = base_text(h, e, base, &before);
    if (!error)
        error = host_note_text(h, e->note, &now, &len);
    if (!error)
        error = merge_texts(buf_slice(&before), text, slice_of(now, len), &merged);
    edit.text = merged.len ? (const char *)merged.ptr : "";
    edit.text_len = merged.len;
    if (!error)
        error = host_edit(h, &edit);
    free(now);
    buf_clear(&before);
    buf_clear(&merged);
    return error;
}

/* Tries the remembered text that fits and, where the history does not know it any more, older ones;
   at last the note's text as it is now, which keeps the person's text in any case. */
static int edit_note(struct host *h, const struct entry *e, struct slice text)
{
    int error = RAPPORT_NOTFOUND;
    size_t i = e->n_bases ? base_choose(h, e, text) + 1 : 0;
    while (i > 0 && (error == RAPPORT_NOTFOUND || error == RAPPORT_MALFORMED ||
                     error == RAPPORT_CORRUPT || error == RAPPORT_OUTSIDE))
        error = edit_towards(h, e, --i, text);
    if (error != RAPPORT_NOTFOUND && error != RAPPORT_MALFORMED && error != RAPPORT_CORRUPT &&
        error != RAPPORT_OUTSIDE)
        return error;
    struct rapport_edit edit = {.kind = RAPPORT_EDIT_TEXT,
                                .note = e->note,
                                .text = text.len ? (const char *)text.ptr : "",
                                .text_len = text.len};
    return host_edit(h, &edit);
}

/* After a save was taken: it is the one remembered text, as a version where the note is equal to
   it, else as a text; and then the note is to be written out. */
static int remember(struct host *h, struct entry *e, const struct file_text *f)
{
    char *now;
    uint8_t *version = NULL;
    size_t len, version_len = 0;
    int error = host_note_text(h, e->note, &now, &len);
    if (error)
        return error;
    bool same = slice_equal(slice_of(now, len), buf_slice(&f->text));
    free(now);
    error = same ? host_note_version(h, e->note, &version, &version_len)
                 : base_keep(h, f->hash, buf_slice(&f->text));
    if (error)
        return error;
    entry_forget(e);
    error = entry_push(e, f->hash, version, version_len);
    free(version);
    memset(e->node_hash, 0, sizeof e->node_hash);
    e->unhashed = same;
    set_disk(e, f);
    entry_set_dirty(h->mirror, e, !same);
    entry_record(h, e);
    return error;
}

/* The node's hashes are asked for when all is taken: asking settles the paths of all notes, which
   for each of 10,000 new files would take minutes. */
int mirror_gather_end(struct host *h)
{
    struct mirror *m = h->mirror;
    struct rapport_note_info info;
    for (size_t i = 0; i < m->n_entries; i++) {
        struct entry *e = m->entries[i];
        if (!e->unhashed)
            continue;
        e->unhashed = false;
        if (rapport_node_note(h->node, e->note, &info))
            continue;
        memcpy(e->node_hash, info.text_hash, sizeof e->node_hash);
        entry_record(h, e);
    }
    return gather_end(h);
}

int mirror_merge(struct host *h, struct entry *e, const struct file_text *f)
{
    int error = edit_note(h, e, buf_slice(&f->text));
    h->gather.n_bytes += f->text.len;
    return error ? error : remember(h, e, f);
}

int mirror_merge_out(struct host *h, struct entry *e, const struct file_text *f)
{
    if (e->n_bases == 0)
        return mirror_merge(h, e, f);
    struct base written = e->bases[e->n_bases - 1];
    uint8_t *version = written.version ? malloc(written.version_len + 1) : NULL;
    if (written.version && !version)
        return RAPPORT_NOMEM;
    if (version)
        memcpy(version, written.version, written.version_len);
    int error = mirror_merge(h, e, f);
    if (!error)
        error = entry_push(e, written.hash, version, written.version_len);
    free(version);
    if (error)
        return error;
    memcpy(e->disk_hash, written.hash, sizeof e->disk_hash);
    e->disk = (struct file_mark){.size = e->disk.size}; /* looked at anew by the next take */
    entry_set_dirty(h->mirror, e, true);
    entry_record(h, e);
    return 0;
}

/* ---- a file that changed ---- */

static void wait_ms(uint64_t ms)
{
    struct timespec t = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    (void)nanosleep(&t, NULL);
}

/* True when something has looked like this for MIRROR_SETTLE_MS. Offline waits for it. */
static bool has_settled(struct host *h, struct entry *e, const struct file_mark *mark)
{
    int64_t age_ms = (int64_t)host_wall() - mark->mtime_ns / 1000000;
    if (age_ms >= MIRROR_SETTLE_MS)
        return true;
    rapport_time_ms now = host_now();
    if (e->unsettled_at == 0 || !file_mark_equal(&e->unsettled, mark, false)) {
        e->unsettled = *mark;
        e->unsettled_at = now;
    }
    uint64_t shown = now - e->unsettled_at;
    uint64_t left = MIRROR_SETTLE_MS - (age_ms > (int64_t)shown ? (uint64_t)age_ms : shown);
    if (shown >= MIRROR_SETTLE_MS)
        return true;
    if (!h->hooked)
        wait_ms(left);
    else
        mirror_later(h->mirror, now + left);
    return false;
}

/* A save of a text that is older than what was written since: 1 when nothing is to be taken. */
static bool is_stale_save(struct entry *e, const struct file_text *f)
{
    for (size_t i = 0; i + 1 < e->n_bases; i++) {
        struct base *b = &e->bases[i];
        if (memcmp(b->hash, f->hash, sizeof b->hash) != 0 || b->stale)
            continue;
        b->stale = true;
        return true;
    }
    return false;
}

static bool was_saved_again(const struct entry *e, const struct file_text *f)
{
    for (size_t i = 0; i + 1 < e->n_bases; i++)
        if (e->bases[i].stale && memcmp(e->bases[i].hash, f->hash, sizeof f->hash) == 0)
            return true;
    return false;
}

/* Forgets all but the newest text, so that the save counts as a change against that. */
static void keep_newest(struct entry *e)
{
    while (e->n_bases > 1) {
        free(e->bases[0].version);
        memmove(&e->bases[0], &e->bases[1], --e->n_bases * sizeof e->bases[0]);
    }
}

static int take_text(struct host *h, struct entry *e, const struct file_text *f)
{
    const struct base *newest = e->n_bases ? &e->bases[e->n_bases - 1] : NULL;
    bool as_written = newest && memcmp(newest->hash, f->hash, sizeof f->hash) == 0;
    bool as_seen = e->n_bases && memcmp(e->disk_hash, f->hash, sizeof f->hash) == 0;
    if (as_written || as_seen || is_stale_save(e, f)) {
        bool stays = as_written && !e->dirty;
        set_disk(e, f);
        entry_set_dirty(h->mirror, e, !stays);
        entry_record(h, e);
        return 0;
    }
    if (was_saved_again(e, f))
        keep_newest(e);
    return mirror_merge(h, e, f);
}

/* What stands at the path is taken; false when it shrank and must settle first. */
static int take_file(struct host *h, struct entry *e, const struct file_mark *seen, bool *settled)
{
    *settled = true;
    if (seen->size < e->disk.size / 2 && !has_settled(h, e, seen)) {
        *settled = false;
        return 0;
    }
    if (seen->size < e->disk.size / 2 && h->hooked && file_is_written(h->dir_fd, e->path)) {
        mirror_later(h->mirror, host_now() + MIRROR_SETTLE_MS);
        *settled = false; /* emptied, and what is to stand there is still being written */
        return 0;
    }
    struct file_text f;
    int error = read_file(h, e->path, &f);
    if (!error && !file_mark_equal(&f.mark, seen, true) && f.mark.size < seen->size) {
        *settled = false; /* it is being written right now */
        mirror_later(h->mirror, host_now());
    } else if (!error) {
        error = take_text(h, e, &f);
    }
    file_text_clear(&f);
    bool theirs = error == RAPPORT_NOTFOUND || error == RAPPORT_AGAIN || error == RAPPORT_OUTSIDE ||
                  error == RAPPORT_LIMIT || error == RAPPORT_MALFORMED ||
                  error == RAPPORT_PERMISSION || error == RAPPORT_IO;
    return theirs && !h->failure ? 0 : error;
}

static int take_changed(struct host *h, struct entry *e, const struct found *found)
{
    bool settled;
    int error = take_file(h, e, &found->mark, &settled);
    for (int i = 0; !error && !settled && !h->hooked && i < 2; i++) {
        struct stat st;
        if (fstatat(h->dir_fd, e->path, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode))
            return 0;
        struct file_mark mark = file_mark_of(&st);
        error = take_file(h, e, &mark, &settled);
    }
    return error;
}

/* ---- a file that is new ---- */

/* Notes without a file, by the hash of their path; made once in a take, when the first new file is
   found. */
static int list_untracked(struct host *h)
{
    struct mirror *m = h->mirror;
    struct rapport_note_info info;
    uint8_t key[TEXT_HASH_BYTES];
    size_t at = 0;
    if (m->untracked_listed)
        return 0;
    map_clear(&m->untracked);
    m->untracked_listed = true;
    while (rapport_node_next_note(h->node, &at, &info)) {
        struct entry *e = info.trashed ? NULL : mirror_entry(m, info.id);
        if (!e || e->present)
            continue;
        text_hash(key, slice_str(info.path));
        if (map_put(&m->untracked, key, e))
            return RAPPORT_NOMEM;
    }
    return 0;
}

/* A file that says just what a note at its path says that has no file yet: they are one. */
static bool adopt(struct host *h, const char *path, const struct file_text *f)
{
    uint8_t key[TEXT_HASH_BYTES];
    text_hash(key, slice_str(path));
    struct entry *e = list_untracked(h) ? NULL : map_get(&h->mirror->untracked, key);
    char *now;
    size_t len;
    if (!e || e->present || host_note_text(h, e->note, &now, &len))
        return false;
    bool same = slice_equal(slice_of(now, len), buf_slice(&f->text));
    free(now);
    if (!same || entry_place(h->mirror, e, path))
        return false;
    e->seen = e->present = true;
    return !remember(h, e, f);
}

void report_note_id(uint8_t out[RAPPORT_NOTE_ID_BYTES])
{
    rapport_talk_note_id("report.md", out);
}

static int make_note(struct host *h, const char *path, const struct file_text *f)
{
    uint8_t id[RAPPORT_NOTE_ID_BYTES];
    struct rapport_note_info info;
    report_note_id(id);
    if (strcmp(path, "report.md") != 0 || !rapport_node_note(h->node, id, &info))
        rapport_node_draw_note_id(h->node, id);
    struct rapport_edit edit = {.kind = RAPPORT_EDIT_NEW, .note = id, .path = path, .text = ""};
    int error = host_edit(h, &edit);
    if (error == RAPPORT_INVALID || error == RAPPORT_LIMIT) {
        mirror_trouble(h, path, false, "cannot be a note's name; rename the file");
        return 0;
    }
    struct entry *e = error ? NULL : mirror_entry(h->mirror, id);
    if (error || !e || entry_place(h->mirror, e, path))
        return error ? error : RAPPORT_NOMEM;
    e->seen = e->present = true;
    return mirror_merge(h, e, f);
}

static int take_new(struct host *h, const struct found *found)
{
    if (!mirror_path_ok(found->path)) {
        mirror_trouble(h, found->path, false, "cannot be a note's name; rename the file");
        return 0;
    }
    struct file_text f;
    int error = read_file(h, found->path, &f);
    if (!error && !adopt(h, found->path, &f))
        error = make_note(h, found->path, &f);
    else if (error != RAPPORT_NOMEM)
        error = 0;
    file_text_clear(&f);
    return error ? error : h->failure;
}

/* ---- renamed and deleted ---- */

/* The vanished entry whose file this is: the same inode, else the same text. */
static struct entry *moved_from(struct host *h, const struct found *found)
{
    struct mirror *m = h->mirror;
    struct entry *by_text = NULL;
    struct file_text f = {.text = BUF_INIT};
    bool read = false, readable = false;
    for (size_t i = 0; i < m->n_entries; i++) {
        struct entry *e = m->entries[i];
        if (!e->present || e->seen)
            continue;
        if (e->disk.ino == found->mark.ino) {
            file_text_clear(&f);
            return e;
        }
        if (!read)
            readable = !read_file(h, found->path, &f);
        read = true;
        if (readable && f.text.len && memcmp(e->disk_hash, f.hash, sizeof f.hash) == 0)
            by_text = by_text ? by_text : e;
    }
    file_text_clear(&f);
    return by_text;
}

static int take_renamed(struct host *h, struct entry *e, const struct found *found)
{
    struct rapport_edit edit = {.kind = RAPPORT_EDIT_RENAME, .note = e->note, .path = found->path};
    int error = host_edit(h, &edit);
    if (error == RAPPORT_INVALID || error == RAPPORT_LIMIT) {
        mirror_trouble(h, found->path, false, "cannot be a note's name; rename the file");
        return 0;
    }
    if (!error)
        error = entry_place(h->mirror, e, found->path);
    if (error)
        return error;
    e->seen = true;
    entry_record(h, e);
    return take_changed(h, e, found);
}

/* The folder that the path stands in: how it looks, or false when it is gone too. */
static bool folder_mark(struct host *h, const char *path, struct file_mark *out)
{
    int dir;
    const char *name;
    struct stat st;
    if (folder_open(h->dir_fd, path, false, &dir, &name))
        return false;
    bool known = !fstat(dir, &st);
    close(dir);
    *out = file_mark_of(&st);
    return known;
}

static bool is_there(struct host *h, const char *path)
{
    struct stat st;
    return !fstatat(h->dir_fd, path, &st, AT_SYMLINK_NOFOLLOW);
}

/* Not there any more, but not the person's wish either: it is written out again. */
static int bring_back(struct host *h, struct entry *e)
{
    e->present = false;
    entry_set_dirty(h->mirror, e, true);
    entry_record(h, e);
    return 0;
}

/* True when the note says what the deleted file never said: nobody deleted that. */
static bool is_newer_than_file(struct host *h, const struct entry *e)
{
    char *now;
    size_t len;
    uint8_t hash[TEXT_HASH_BYTES];
    struct rapport_note_info info;
    if (rapport_node_note(h->node, e->note, &info) || info.trashed ||
        host_note_text(h, e->note, &now, &len))
        return false;
    text_hash(hash, slice_of(now, len));
    free(now);
    return memcmp(hash, e->disk_hash, sizeof hash) != 0;
}

static int take_deleted(struct host *h, struct entry *e)
{
    struct file_mark folder;
    bool settled = false;
    for (int i = 0; !settled; i++) {
        if (!folder_mark(h, e->path, &folder)) {
            mirror_trouble(
                h, e->path, false,
                "its whole folder is gone, so it was written out again; to delete the note: "
                "rapport rm");
            return bring_back(h, e);
        }
        settled = has_settled(h, e, &folder) || i == 2;
        if (is_there(h, e->path)) {
            mirror_later(h->mirror, host_now());
            return 0; /* it was only being saved */
        }
        if (!settled && h->hooked)
            return 0;
    }
    if (is_newer_than_file(h, e))
        return bring_back(h, e);
    struct rapport_edit edit = {.kind = RAPPORT_EDIT_TRASH, .note = e->note};
    int error = host_edit(h, &edit);
    if (error && error != RAPPORT_NOTFOUND)
        return error;
    entry_forget(e);
    error = entry_place(h->mirror, e, NULL);
    entry_set_dirty(h->mirror, e, false);
    entry_record(h, e);
    return error;
}

/* ---- what an interrupted run left ---- */

/* The file was being moved: it stands at one of the two places. */
static void finish_move(struct host *h, struct entry *e)
{
    bool arrived = is_there(h, e->moving) && !is_there(h, e->path);
    bool trashed = strncmp(e->moving, ".rapport/", 9) == 0;
    if (arrived && entry_place(h->mirror, e, trashed ? NULL : e->moving))
        return;
    if (arrived && trashed)
        entry_forget(e);
    free(e->moving);
    e->moving = NULL;
    entry_record(h, e);
}

static bool is_remembered(const struct entry *e, const struct file_text *f)
{
    for (size_t i = 0; i < e->n_bases; i++)
        if (memcmp(e->bases[i].hash, f->hash, sizeof f->hash) == 0)
            return true;
    return memcmp(e->disk_hash, f->hash, sizeof f->hash) == 0;
}

/* True when it is the front of the newest text: a write that did not end. */
static bool is_unfinished(struct host *h, const struct entry *e, const struct file_text *f)
{
    struct buf newest = BUF_INIT;
    bool front = e->n_bases && !base_text(h, e, e->n_bases - 1, &newest) &&
                 f->text.len <= newest.len &&
                 (f->text.len == 0 || memcmp(newest.ptr, f->text.ptr, f->text.len) == 0);
    buf_clear(&newest);
    return front;
}

/* A temporary file beside e's: our own writing, or a save that was exchanged out and not looked
   at. */
static int take_leftover(struct host *h, struct entry *e)
{
    char temporary[64];
    int dir;
    const char *name, *why;
    struct file_text f;
    e->leftover = false;
    mirror_temporary(temporary, e);
    if (folder_open(h->dir_fd, e->path, false, &dir, &name))
        return 0;
    if (file_is_written(dir, temporary)) {
        close(dir);
        return 0; /* seen again by the next look */
    }
    int error = file_read(dir, temporary, &f, &why);
    bool ours =
        error == RAPPORT_MALFORMED || (!error && (is_remembered(e, &f) || is_unfinished(h, e, &f)));
    if (!error && !ours)
        error = mirror_merge_out(h, e, &f);
    if (!error && !ours) {
        error = mirror_gather_end(h);
        gather_begin(h);
    }
    if (ours || !error)
        (void)unlinkat(dir, temporary, 0);
    close(dir);
    file_text_clear(&f);
    return h->failure;
}

/* ---- one look at the folder ---- */

/* A large import is written in pieces. */
static int breathe(struct host *h)
{
    if (h->gather.n_bytes < GATHER_MOST_BYTES)
        return h->gather.error;
    int error = mirror_gather_end(h);
    gather_begin(h);
    return error;
}

static int take_known(struct host *h)
{
    struct mirror *m = h->mirror;
    int error = 0;
    for (size_t i = 0; !error && i < m->n_entries; i++) {
        struct entry *e = m->entries[i];
        e->seen = e->busy = false;
        if (e->moving)
            finish_move(h, e);
        if (e->leftover)
            error = take_leftover(h, e);
    }
    for (size_t i = 0; !error && i < m->scan.n_files; i++) {
        const struct found *found = &m->scan.files[i];
        struct entry *e = mirror_at(m, found->path);
        if (!e)
            continue;
        bool written = !e->present && e->n_bases; /* recorded, and perhaps written before a crash */
        e->busy = found->busy;
        if (written) {
            struct file_text f;
            bool ours = !read_file(h, e->path, &f) && is_remembered(e, &f);
            file_text_clear(&f);
            if (!ours)
                continue; /* somebody else's file: a new one */
            e->present = true;
        }
        e->seen = true;
        if (written || !file_mark_equal(&e->disk, &found->mark, false))
            error = take_changed(h, e, found);
        if (!error)
            error = breathe(h);
    }
    return error;
}

static int take_unknown(struct host *h)
{
    struct mirror *m = h->mirror;
    int error = 0;
    for (size_t i = 0; !error && i < m->scan.n_files; i++) {
        const struct found *found = &m->scan.files[i];
        const struct entry *known = mirror_at(m, found->path);
        if (known && known->seen)
            continue;
        struct entry *from = moved_from(h, found);
        if (from && !known)
            error = take_renamed(h, from, found);
        else
            error = take_new(h, found);
        if (!error)
            error = breathe(h);
    }
    return error;
}

static int take_vanished(struct host *h)
{
    struct mirror *m = h->mirror;
    size_t n_gone = 0, n_files = 0;
    int error = 0;
    for (size_t i = 0; i < m->n_entries; i++) {
        n_files += m->entries[i]->present;
        n_gone += m->entries[i]->present && !m->entries[i]->seen;
    }
    bool many = n_gone > MIRROR_MOST_VANISHED && 2 * n_gone > n_files;
    if (many)
        mirror_trouble(
            h, ".", false,
            "%zu of %zu files are gone at once, so they were written out again; to delete "
            "notes: rapport rm",
            n_gone, n_files);
    for (size_t i = 0; !error && i < m->n_entries; i++) {
        struct entry *e = m->entries[i];
        if (e->present && !e->seen && !is_there(h, e->path))
            error = many ? bring_back(h, e) : take_deleted(h, e);
    }
    return error;
}

int mirror_take(struct host *h)
{
    int failure;
    if (host_failure(h, &failure))
        return failure;
    if (!rapport_node_ready(h->node))
        return 0;
    mirror_age_problems(h->mirror);
    h->mirror->deadline = UINT64_MAX;
    h->mirror->untracked_listed = false;
    int error = mirror_scan(h);
    if (error)
        return error;
    gather_begin(h);
    error = take_known(h);
    if (!error)
        error = take_unknown(h);
    if (!error && !h->mirror->scan.full)
        error = take_vanished(h);
    int stored = mirror_gather_end(h);
    return error ? error : stored;
}
