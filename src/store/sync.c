/*
 * sync.c - making commits durable, apart from making them (see store.h).
 *
 * With synchronous = NORMAL a commit ends with its frames written to the write-ahead log, not
 * synced (SQLite, "Write-Ahead Logging" 2.3). One fdatasync of that file then covers every commit
 * that ended before it, so a group of commits costs one. Why this is enough:
 *
 *   - A checkpoint syncs the log, copies, and syncs the database before the log may be written from
 *     its start again. So a commit is in the log as it is now, or in the database and synced.
 *   - In exclusive mode SQLite makes the log at the first access and keeps that very file until it
 *     closes: a checkpoint rewinds or shortens it, and never puts another file in its place. So one
 *     descriptor, opened after SQLite's first write, stays right. Shortened or rewound, what is in
 *     it is what SQLite wrote last.
 *   - The file's name must survive too: the folder is synced once, when the store is opened.
 *
 * A descriptor of our own, and not SQLite's, because SQLite's connection is busy on another thread.
 * The log carries no POSIX locks, so opening and closing it is harmless (the database file would
 * not be: see store.c). After a failed sync Linux forgets the pages that it could not write, and
 * the next sync would report success: the error therefore sticks until the store is opened anew.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "rapport/error.h"
#include "store/internal.h"

/* Syncs the folder that `path` is in. */
static int sync_folder(const char *path)
{
    char *folder = strdup(path);
    if (!folder)
        return RAPPORT_NOMEM;
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = '\0';
    int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(folder);
    /* Some file systems cannot sync a folder and say EINVAL: then its entries are durable anyway,
       or there is nothing that we could do. */
    int error = fd < 0 || (fsync(fd) != 0 && errno != EINVAL) ? RAPPORT_IO : 0;
    if (fd >= 0)
        close(fd);
    return error;
}

int store_sync_open(struct store *s)
{
    struct buf wal = BUF_INIT;
    buf_append_str(&wal, s->path);
    buf_append_str(&wal, "-wal");
    const char *name = buf_cstr(&wal);
    int error = name ? 0 : RAPPORT_NOMEM;
    if (!error) {
        s->wal_fd = open(name, O_RDONLY | O_CLOEXEC);
        error = s->wal_fd < 0 ? RAPPORT_IO : sync_folder(s->path);
    }
    if (error)
        store_refuse(s, error, "its write-ahead log cannot be opened");
    if (s->wal_fd < 0)
        s->wal_fd = SYNC_NONE;
    buf_clear(&wal);
    return error;
}

void store_sync_close(struct store *s)
{
    if (s->wal_fd >= 0)
        close(s->wal_fd);
}

/* Through SQLite's own file of the log, so that the caller's VFS sees the sync. */
static int sync_by_vfs(struct store *s)
{
    sqlite3_file *wal = NULL;
    int code = sqlite3_file_control(s->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);
    if (code == SQLITE_OK && wal && wal->pMethods)
        code = wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY);
    return code == SQLITE_OK ? 0 : code == SQLITE_FULL ? RAPPORT_FULL : RAPPORT_IO;
}

static int sync_file(int fd)
{
    int result;
    do
        result = fdatasync(fd);
    while (result != 0 && errno == EINTR);
    return result == 0 ? 0 : errno == ENOSPC || errno == EDQUOT ? RAPPORT_FULL : RAPPORT_IO;
}

int store_sync(struct store *s)
{
    int error = atomic_load(&s->sync_error);
    if (error)
        return error;
    if (s->wal_fd >= 0)
        error = sync_file(s->wal_fd);
    else if (s->wal_fd == SYNC_BY_VFS)
        error = sync_by_vfs(s);
    if (error)
        atomic_store(&s->sync_error, error);
    return error;
}
