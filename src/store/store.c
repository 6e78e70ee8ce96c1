/*
 * store.c - opening, closing, statements and the logs kept in memory (see store.h).
 *
 * Locking: locking_mode EXCLUSIVE, so one process has the database from open to close, SQLite keeps
 * the index of the write-ahead log in memory (no -shm file, works on any file system), and a second
 * opener gets RAPPORT_LOCKED at once. POSIX drops every lock of a process on a file when any of its
 * descriptors for it is closed: nobody here opens the database file beside SQLite. The write-ahead
 * log carries no locks and may be opened (sync.c).
 */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "rapport/error.h"
#include "store/internal.h"

/* Small cache: the operating system has one too. A checkpoint each 4 MiB; after a large commit the
 * write-ahead log is cut back to 16 MiB. */
static const char settings[] = "PRAGMA locking_mode = EXCLUSIVE;"
                               "PRAGMA trusted_schema = OFF;"
                               "PRAGMA cell_size_check = ON;"
                               "PRAGMA temp_store = MEMORY;"
                               "PRAGMA cache_size = -8192;"
                               "PRAGMA synchronous = NORMAL;"
                               "PRAGMA journal_size_limit = 16777216;";

static const char *const statement_sql[] = {
#define X(name, sql) [ST_##name] = sql,
    STORE_STATEMENTS(X)
#undef X
};

/* ---- statements ---- */

int store_statement(struct store *s, enum statement which, sqlite3_stmt **out)
{
    sqlite3_stmt **kept = &s->statements[which];
    if (!*kept) {
        int code = sqlite3_prepare_v3(s->db, statement_sql[which], -1, SQLITE_PREPARE_PERSISTENT,
                                      kept, NULL);
        if (code != SQLITE_OK)
            return store_fault(s, code, "preparing a statement");
    }
    sqlite3_reset(*kept);
    sqlite3_clear_bindings(*kept);
    *out = *kept;
    return 0;
}

int store_step_done(struct store *s, sqlite3_stmt *st, const char *what)
{
    int code = sqlite3_step(st);
    int error = code == SQLITE_DONE ? 0 : store_fault(s, code, what);
    sqlite3_reset(st);
    return error;
}

int store_run(struct store *s, enum statement which, const char *what)
{
    sqlite3_stmt *st = NULL;
    int error = store_statement(s, which, &st);
    return error ? error : store_step_done(s, st, what);
}

void store_rollback(struct store *s)
{
    char kept[FAULT_BYTES];
    memcpy(kept, s->fault, sizeof kept);
    if (!sqlite3_get_autocommit(s->db))
        store_run(s, ST_ROLLBACK, "rolling back");
    memcpy(s->fault, kept, sizeof kept);
}

bool store_column(sqlite3_stmt *st, int column, void *out, size_t n)
{
    if (sqlite3_column_type(st, column) != SQLITE_BLOB ||
        (size_t)sqlite3_column_bytes(st, column) != n)
        return false;
    memcpy(out, sqlite3_column_blob(st, column), n);
    return true;
}

bool store_column_u64(sqlite3_stmt *st, int column, uint64_t *out)
{
    int64_t v = sqlite3_column_int64(st, column);
    if (sqlite3_column_type(st, column) != SQLITE_INTEGER || v < 0)
        return false;
    *out = (uint64_t)v;
    return true;
}

struct slice store_column_slice(sqlite3_stmt *st, int column)
{
    const void *ptr = sqlite3_column_blob(st, column);
    return slice_of(ptr ? ptr : "", ptr ? (size_t)sqlite3_column_bytes(st, column) : 0);
}

/* ---- logs in memory ---- */

void store_forget_logs(struct store *s)
{
    size_t at = 0;
    for (void *log; (log = map_next(&s->logs, &at));)
        free(log);
    map_clear(&s->logs);
    s->logs_loaded = false;
}

/* Reads one row of HEADS. */
static int keep_log(struct store *s, sqlite3_stmt *st)
{
    struct stored_log *log = calloc(1, sizeof *log);
    uint64_t number = 0;
    if (!log)
        return store_nomem(s);
    if (!store_column_u64(st, 0, &number) || !store_column(st, 1, log->log, LOG_ID_BYTES) ||
        !store_column_u64(st, 3, &log->head.end) || !store_column_u64(st, 4, &log->head.lamport) ||
        !store_column(st, 5, log->head.hash, HASH_BYTES)) {
        free(log);
        return store_refuse(s, RAPPORT_CORRUPT, "a head does not have the right form");
    }
    log->number = (int64_t)number;
    if (map_put(&s->logs, log->log, log) != 0) {
        free(log);
        return store_nomem(s);
    }
    return 0;
}

static int read_last(struct store *s)
{
    sqlite3_stmt *st = NULL;
    int error = store_statement(s, ST_LAST, &st);
    if (error)
        return error;
    int code = sqlite3_step(st);
    if (code == SQLITE_ROW)
        s->last = sqlite3_column_int64(st, 0);
    else
        error = store_fault(s, code, "reading the last arrival");
    sqlite3_reset(st);
    return error;
}

int store_need_logs(struct store *s)
{
    sqlite3_stmt *st = NULL;
    if (s->logs_loaded)
        return 0;
    int error = store_statement(s, ST_HEADS, &st), code = SQLITE_DONE;
    while (!error && (code = sqlite3_step(st)) == SQLITE_ROW)
        error = keep_log(s, st);
    if (!error && code != SQLITE_DONE)
        error = store_fault(s, code, "reading the heads");
    sqlite3_reset(st);
    if (!error)
        error = read_last(s);
    if (error)
        store_forget_logs(s);
    s->logs_loaded = !error;
    return error;
}

int store_last_arrival(struct store *s, uint64_t *out)
{
    int error = store_need_logs(s);
    if (!error)
        *out = (uint64_t)s->last;
    return error;
}

/* ---- opening and closing ---- */

static bool in_memory(const char *path)
{
    return strcmp(path, ":memory:") == 0;
}

/* Makes the file, for its owner alone, before SQLite sees it: the write-ahead log takes the mode
   over. An existing file may be empty, left by a crash in between; store_schema decides. */
static int make_file(struct store *s)
{
    int fd = open(s->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0) {
        close(fd);
        return 0;
    }
    return errno == EEXIST   ? 0
           : errno == EACCES ? store_refuse(s, RAPPORT_PERMISSION, "cannot be made")
           : errno == EROFS  ? store_refuse(s, RAPPORT_READONLY, "cannot be made")
           : errno == ENOSPC ? store_refuse(s, RAPPORT_FULL, "cannot be made")
                             : store_refuse(s, RAPPORT_IO, "cannot be made: %s", strerror(errno));
}

static int check_there(struct store *s, const char *vfs)
{
    sqlite3_vfs *files = sqlite3_vfs_find(vfs);
    int there = 0;
    if (!files)
        return store_refuse(s, RAPPORT_INVALID, "no VFS has the name '%s'", vfs ? vfs : "");
    if (files->xAccess(files, s->path, SQLITE_ACCESS_EXISTS, &there) == SQLITE_OK && !there)
        return store_refuse(s, RAPPORT_NOTFOUND, "there is no report here");
    return 0;
}

static int set_journal(struct store *s)
{
    sqlite3_stmt *st = NULL;
    int code = sqlite3_prepare_v2(s->db, "PRAGMA journal_mode = WAL", -1, &st, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(st);
    int error = code == SQLITE_ROW ? 0 : store_fault(s, code, "opening the write-ahead log");
    if (!error && !in_memory(s->path) && !slice_equal(store_column_slice(st, 0), slice_str("wal")))
        error = store_refuse(s, RAPPORT_IO, "this file system cannot keep a write-ahead log");
    sqlite3_finalize(st);
    return error;
}

static int open_database(struct store *s, enum store_mode mode, const char *vfs)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX;
    if (mode == STORE_CREATE)
        flags |= SQLITE_OPEN_CREATE;
    int code = sqlite3_open_v2(s->path, &s->db, flags, vfs);
    if (code != SQLITE_OK)
        return store_fault(s, code, "opening");
    sqlite3_extended_result_codes(s->db, 1);
    sqlite3_busy_timeout(s->db, 0);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    if (sqlite3_db_readonly(s->db, "main") == 1)
        return store_refuse(s, RAPPORT_READONLY, "may not be written");
    code = sqlite3_exec(s->db, settings, NULL, NULL, NULL);
    if (code != SQLITE_OK)
        return store_fault(s, sqlite3_extended_errcode(s->db), "opening");
    int64_t version = 0;
    int error = store_identify(s, mode, &version);
    if (!error)
        error = set_journal(s);
    return error ? error : store_schema(s, version);
}

static int open_store(struct store *s, enum store_mode mode, const char *vfs)
{
    bool own_files = !vfs && !in_memory(s->path);
    int error = 0;
    if (mode == STORE_CREATE && own_files)
        error = make_file(s);
    if (mode == STORE_OPEN && !in_memory(s->path))
        error = check_there(s, vfs);
    if (!error)
        error = open_database(s, mode, vfs);
    if (!error)
        error = store_need_logs(s);
    if (error)
        return error;
    if (!own_files)
        s->wal_fd = in_memory(s->path) ? SYNC_NONE : SYNC_BY_VFS;
    return own_files ? store_sync_open(s) : 0;
}

int store_open(const char *path, enum store_mode mode, const char *vfs, struct store **out,
               struct buf *why)
{
    *out = NULL;
    struct store *s = calloc(1, sizeof *s);
    if (!s)
        return RAPPORT_NOMEM;
    map_init(&s->logs, LOG_ID_BYTES, 0);
    s->wal_fd = SYNC_NONE;
    s->path = strdup(path);
    int error = s->path ? open_store(s, mode, vfs) : RAPPORT_NOMEM;
    if (!error) {
        *out = s;
        return 0;
    }
    if (why)
        buf_append_str(why, s->fault);
    store_close(s);
    return error;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(s->statements[i]);
    store_forget_logs(s);
    sqlite3_close(s->db);
    store_sync_close(s);
    free(s->path);
    free(s);
}
