/*
 * mirror_scan.c - one walk over the folder: a readdir for each folder and a stat for each note
 * file.
 *
 * Only names are trusted to say what is looked at; what a thing is says the stat. Names that
 * editors leave beside an open file are remembered on the way: Vim's and nano's .x.md.swp, Emacs'
 * lock .#x.md, Kate's .x.md.kate-swp, LibreOffice's .~lock.x.md#. One whose process is gone is of
 * a crash and holds nothing up.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/utf8.h"
#include "host/mirror_state.h"

enum {
    SCAN_MOST_NAMES = 100000, /* of all kinds, in the whole tree */
};

/* One folder while it is read. */
struct walk {
    struct host *h;
    struct scan *s;
    int fd;
    const char *path; /* "" for the report's folder */
    size_t depth;
};

static int walk_folder(struct host *h, int fd, const char *path, size_t depth);

static char *join_path(struct arena *a, const char *folder, const char *name)
{
    size_t n = strlen(folder), m = strlen(name);
    char *out = arena_alloc(a, n + m + 2);
    if (!out)
        return NULL;
    memcpy(out, folder, n);
    if (n)
        out[n++] = '/';
    memcpy(out + n, name, m);
    return out;
}

/* ---- live editors ---- */

static bool is_alive(long pid)
{
    return pid <= 0 || !kill((pid_t)pid, 0) || errno != ESRCH;
}

/* Vim's swap file, which nano copies: "b0VIM" or "b0nano", the pid at 24, least byte first. */
static bool swap_is_live(int dir, const char *name)
{
    uint8_t head[28];
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, head, sizeof head);
    if (fd >= 0)
        close(fd);
    if (n != (ssize_t)sizeof head || head[0] != 'b' || head[1] != '0')
        return fd >= 0;
    return is_alive((long)((uint32_t)head[24] | (uint32_t)head[25] << 8 | (uint32_t)head[26] << 16 |
                           (uint32_t)head[27] << 24));
}

/* Emacs' lock is a symlink to "user@host.pid:boot". */
static bool lock_is_live(int dir, const char *name)
{
    char target[512];
    ssize_t n = readlinkat(dir, name, target, sizeof target - 1);
    if (n <= 0)
        return false;
    target[n] = '\0';
    const char *dot = strrchr(target, '.');
    return dot ? is_alive(strtol(dot + 1, NULL, 10)) : true;
}

/* Writes the name of the file that `name` shows to be open, "" when it shows none. */
static void opened_file(const char *name, char out[FOLDER_MOST_NAME_BYTES + 1])
{
    size_t len = strlen(name), start = 0, end = len;
    static const char office[] = ".~lock.", kate[] = ".kate-swp";
    out[0] = '\0';
    if (strncmp(name, office, sizeof office - 1) == 0 && name[len - 1] == '#') {
        start = sizeof office - 1;
        end = len - 1;
    } else if (strncmp(name, ".#", 2) == 0) {
        start = 2;
    } else if (len > sizeof kate && strcmp(name + len - (sizeof kate - 1), kate) == 0) {
        start = 1;
        end = len - (sizeof kate - 1);
    } else if (len > 5 && strncmp(name + len - 4, ".sw", 3) == 0) {
        start = 1;
        end = len - 4;
    }
    if (end <= start || end - start > FOLDER_MOST_NAME_BYTES)
        return;
    memcpy(out, name + start, end - start);
    out[end - start] = '\0';
}

static bool is_live(int dir, const char *name)
{
    if (strncmp(name, ".#", 2) == 0)
        return lock_is_live(dir, name);
    const char *dot = strrchr(name, '.');
    return !dot || strncmp(dot, ".sw", 3) != 0 || swap_is_live(dir, name);
}

/* ---- what is found ---- */

static int add_file(struct walk *w, const char *path, const struct file_mark *mark)
{
    struct scan *s = w->s;
    if (s->n_files == MIRROR_MOST_FILES) {
        s->full = true;
        return 0;
    }
    if (s->n_files == s->cap_files) {
        size_t cap = s->cap_files ? 2 * s->cap_files : 256;
        struct found *grown = realloc(s->files, cap * sizeof *grown);
        if (!grown)
            return RAPPORT_NOMEM;
        s->files = grown;
        s->cap_files = cap;
    }
    s->files[s->n_files++] = (struct found){path, *mark, false};
    return 0;
}

static int add_folder(struct scan *s, const char *path)
{
    if (s->n_folders == s->cap_folders) {
        size_t cap = s->cap_folders ? 2 * s->cap_folders : 16;
        const char **grown = realloc(s->folders, cap * sizeof(const char *));
        if (!grown)
            return RAPPORT_NOMEM;
        s->folders = grown;
        s->cap_folders = cap;
    }
    s->folders[s->n_folders++] = path;
    return 0;
}

static int see_folder(struct walk *w, const char *path, const char *name)
{
    if (mirror_folder_skipped(path))
        return 0;
    if (w->depth >= MIRROR_MOST_DEPTH) {
        mirror_trouble(w->h, path, false, "folders this deep are left alone");
        return 0;
    }
    int fd = openat(w->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        mirror_trouble(w->h, path, false, "cannot be read: %s", strerror(errno));
        return 0;
    }
    if (faccessat(fd, ".rapport", F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        close(fd);
        return 0; /* another report, with notes of its own */
    }
    return walk_folder(w->h, fd, path, w->depth + 1);
}

/* A temporary file of ours that an interrupted write left: its entry is looked at by the take. */
static void see_leftover(struct walk *w, const char *name)
{
    char own[64];
    const struct mirror *m = w->h->mirror;
    for (size_t i = 0; i < m->n_entries; i++) {
        struct entry *e = m->entries[i];
        mirror_temporary(own, e);
        const char *slash = strrchr(e->path, '/');
        size_t n = slash ? (size_t)(slash - e->path) : 0;
        if (strcmp(own, name) == 0 && strlen(w->path) == n && memcmp(w->path, e->path, n) == 0)
            e->leftover = true;
    }
}

static int see_name(struct walk *w, const struct dirent *d)
{
    struct stat st;
    const char *name = d->d_name;
    if (strncmp(name, ".rapport-", 9) == 0)
        see_leftover(w, name);
    bool note = mirror_name_ok(name), folder = d->d_type == DT_DIR || d->d_type == DT_UNKNOWN;
    if (name[0] == '.' || (!note && !folder))
        return 0;
    if (fstatat(w->fd, name, &st, AT_SYMLINK_NOFOLLOW))
        return 0; /* gone since */
    if (!note && !S_ISDIR(st.st_mode))
        return 0;
    if (!utf8_valid(slice_str(name))) {
        mirror_trouble(w->h, name, false, "its name is not UTF-8; rename it");
        return 0;
    }
    char *path = join_path(&w->s->arena, w->path, name);
    if (!path)
        return RAPPORT_NOMEM;
    if (S_ISDIR(st.st_mode))
        return see_folder(w, path, name);
    struct file_mark mark = file_mark_of(&st);
    return add_file(w, path, &mark);
}

/* Marks the files of this folder, found from `first` on, that an editor has open. */
static void mark_busy(struct walk *w, size_t first, const char *opened)
{
    size_t n = strlen(w->path);
    for (size_t i = first; i < w->s->n_files; i++) {
        const char *name = w->s->files[i].path + (n ? n + 1 : 0);
        if (strcmp(name, opened) == 0)
            w->s->files[i].busy = true;
    }
}

/* Second pass over the names, only when one of the first looked like an editor's. */
static void find_editors(struct walk *w, DIR *dir, size_t first)
{
    char opened[FOLDER_MOST_NAME_BYTES + 1];
    rewinddir(dir);
    for (const struct dirent *d; (d = readdir(dir));) {
        opened_file(d->d_name, opened);
        if (d->d_name[0] == '.' && opened[0] && is_live(w->fd, d->d_name))
            mark_busy(w, first, opened);
    }
}

static int walk_names(struct walk *w, DIR *dir)
{
    size_t first = w->s->n_files;
    bool editors = false;
    char opened[FOLDER_MOST_NAME_BYTES + 1];
    int error = 0;
    for (const struct dirent *d; !error && (d = readdir(dir));) {
        if (w->s->n_seen++ > SCAN_MOST_NAMES) {
            w->s->full = true;
            break;
        }
        if (d->d_name[0] == '.') {
            opened_file(d->d_name, opened);
            editors = editors || opened[0];
        }
        error = see_name(w, d);
    }
    if (!error && editors)
        find_editors(w, dir, first);
    return error;
}

static int walk_folder(struct host *h, int fd, const char *path, size_t depth)
{
    struct walk w = {h, &h->mirror->scan, fd, path, depth};
    int error = add_folder(w.s, path);
    DIR *dir = error ? NULL : fdopendir(fd);
    if (!dir) {
        close(fd);
        return error ? error : host_errno(errno);
    }
    error = walk_names(&w, dir);
    (void)closedir(dir);
    return error;
}

int mirror_scan(struct host *h)
{
    struct scan *s = &h->mirror->scan;
    arena_clear(&s->arena);
    s->n_files = s->n_folders = s->n_seen = 0;
    s->full = false;
    int fd = openat(h->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return host_errno(errno);
    int error = walk_folder(h, fd, "", 0);
    if (s->full)
        mirror_trouble(h, ".", false, "holds more than %d files; the others are left alone",
                       MIRROR_MOST_FILES);
    return error;
}
