/*
 * fault.c - what went wrong, as a code for the program and a sentence for people.
 *
 * SQLite 3.40, "Result and Error Codes". A database is damaged where SQLite says so and where it
 * holds what we never write; the sentence then says what to do, since nothing is lost: the notes
 * are files, and every friend has the report.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "rapport/error.h"
#include "store/internal.h"

static int of_errno(int system, int otherwise)
{
    switch (system) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return RAPPORT_FULL;
    case EROFS:
        return RAPPORT_READONLY;
    case EACCES:
    case EPERM:
        return RAPPORT_PERMISSION;
    case ENOMEM:
        return RAPPORT_NOMEM;
    default:
        return otherwise;
    }
}

static int of_sqlite(int code, int system)
{
    if (code == SQLITE_IOERR_NOMEM)
        return RAPPORT_NOMEM;
    if (code == SQLITE_IOERR_CORRUPTFS)
        return RAPPORT_CORRUPT;
    switch (code & 0xff) {
    case SQLITE_NOMEM:
        return RAPPORT_NOMEM;
    case SQLITE_FULL:
        return RAPPORT_FULL;
    case SQLITE_READONLY:
        return RAPPORT_READONLY;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return RAPPORT_LOCKED;
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return RAPPORT_PERMISSION;
    case SQLITE_TOOBIG:
        return RAPPORT_LIMIT;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_CONSTRAINT: /* our statements break none, so an index disagrees with its table */
    case SQLITE_MISMATCH:
    case SQLITE_SCHEMA:
    case SQLITE_ERROR:
        return RAPPORT_CORRUPT;
    default:
        return of_errno(system, RAPPORT_IO);
    }
}

static const char *advice(int error)
{
    switch (error) {
    case RAPPORT_FULL:
        return "nothing of this step was written; free some space";
    case RAPPORT_READONLY:
    case RAPPORT_PERMISSION:
        return "check the folder's owner and permissions, and that its disk is mounted for writing";
    case RAPPORT_LOCKED:
        return "rapport is running on this folder already; use that one, or stop it";
    case RAPPORT_CORRUPT:
        return "the files in the notes folder are untouched; move the .rapport folder away, and "
               "the report can be fetched again from any friend who has it";
    case RAPPORT_IO:
        return "check the disk; nothing of this step was written";
    default:
        return NULL;
    }
}

/* "PATH: text (detail); advice". Of too long a path the front is cut, never the advice. */
static void compose(struct store *s, int error, const char *text, const char *detail)
{
    const char *what_to_do = advice(error), *path = s->path ? s->path : "the database";
    size_t len = strlen(path), most = sizeof s->fault / 3;
    snprintf(s->fault, sizeof s->fault, "%s%s: %.200s%s%.200s%s%s%s", len > most ? "..." : "",
             len > most ? path + len - most : path, text, detail ? " (" : "", detail ? detail : "",
             detail ? ")" : "", what_to_do ? "; " : "", what_to_do ? what_to_do : "");
}

static int errno_of_file(sqlite3_file *f)
{
    int system = 0;
    if (f && f->pMethods)
        f->pMethods->xFileControl(f, SQLITE_FCNTL_LAST_ERRNO, &system);
    return system;
}

/* The system's reason for a failed write: SQLite's own note of it may have been overwritten by what
   it did to clean up, its files' notes are not. */
static int system_reason(struct store *s, int code)
{
    sqlite3_file *wal = NULL, *main = NULL;
    if (!s->db)
        return 0;
    if (code != SQLITE_IOERR_WRITE)
        return sqlite3_system_errno(s->db);
    sqlite3_file_control(s->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);
    sqlite3_file_control(s->db, "main", SQLITE_FCNTL_FILE_POINTER, &main);
    int system = errno_of_file(wal);
    return system ? system : errno_of_file(main);
}

int store_fault(struct store *s, int code, const char *what)
{
    int system = system_reason(s, code);
    int error = of_sqlite(code, system);
    char detail[200];
    bool named = s->db && sqlite3_extended_errcode(s->db) == code;
    snprintf(detail, sizeof detail, "%s: %s", what,
             named ? sqlite3_errmsg(s->db) : sqlite3_errstr(code));
    compose(s, error, rapport_strerror(error), detail);
    return error;
}

int store_refuse(struct store *s, int error, const char *format, ...)
{
    char text[200];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    compose(s, error, text, NULL);
    return error;
}

int store_nomem(struct store *s)
{
    return store_refuse(s, RAPPORT_NOMEM, "%s", rapport_strerror(RAPPORT_NOMEM));
}

const char *store_error(const struct store *s)
{
    if (atomic_load(&s->sync_error))
        return "the disk did not keep what was written to it: edits since then may be lost in a "
               "power cut; check the disk, then start rapport again";
    return s->fault;
}
