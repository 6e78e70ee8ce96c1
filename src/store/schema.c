/*
 * schema.c - the tables, and their steps from version to version.
 *
 *   logs     one row per log: its short number, id, origin, head
 *   chain    one row per delta: branch 0 is the chain that the head stands on, 1 any other history
 *            of a forked log. This is the unique index (end and hash imply first) and, because
 *            lamport stands in it too, all that LOAD_INDEX reads
 *   deltas   the bytes, by arrival: appended, never changed
 *   records, notes, texts: the cache. A note's listing and its text are apart, so that a list of
 *            ten thousand notes reads no text
 *
 * A database is ours by its application id, and whole only when its schema is word for word what
 * the steps make: a table, trigger or view that somebody put in is refused.
 */
#include <stdio.h>

#include "rapport/error.h"
#include "store/internal.h"

enum {
    APPLICATION_ID = 0x52505254 /* "RPRT" */
};

/* steps[n] leads from version n to n + 1. A step that was released is never changed. */
static const char *const steps[] = {
    "CREATE TABLE logs (number INTEGER PRIMARY KEY, log BLOB NOT NULL UNIQUE, origin BLOB NOT NULL,"
    " end INTEGER NOT NULL, lamport INTEGER NOT NULL, hash BLOB NOT NULL);"
    "CREATE TABLE chain (log INTEGER NOT NULL, branch INTEGER NOT NULL, end INTEGER NOT NULL,"
    " hash BLOB NOT NULL, lamport INTEGER NOT NULL, arrival INTEGER NOT NULL,"
    " PRIMARY KEY (log, branch, end, hash)) WITHOUT ROWID;"
    "CREATE TABLE deltas (arrival INTEGER PRIMARY KEY, bytes BLOB NOT NULL);"
    "CREATE TABLE records (key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE notes (note BLOB PRIMARY KEY NOT NULL, meta BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE texts (note BLOB PRIMARY KEY NOT NULL, stored BLOB NOT NULL);",
};

enum {
    VERSION = sizeof steps / sizeof steps[0]
};

static int execute(struct store *s, sqlite3 *db, const char *sql)
{
    int code = sqlite3_exec(db, sql, NULL, NULL, NULL);
    return code ? store_fault(s, db == s->db ? sqlite3_extended_errcode(db) : code,
                              "preparing the database")
                : 0;
}

/* The first column of the first row, as a number. */
static int query(struct store *s, const char *sql, int64_t *out)
{
    sqlite3_stmt *st = NULL;
    int code = sqlite3_prepare_v2(s->db, sql, -1, &st, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(st);
    int64_t value = code == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
    int error = code == SQLITE_ROW ? 0 : store_fault(s, code, "reading the database");
    sqlite3_finalize(st);
    if (!error)
        *out = value;
    return error;
}

/* Everything that the schema says, one line per thing. */
static int describe(struct store *s, sqlite3 *db, struct buf *out)
{
    sqlite3_stmt *st = NULL;
    int code = sqlite3_prepare_v2(
        db, "SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_schema ORDER BY 1",
        -1, &st, NULL);
    while (code == SQLITE_OK || code == SQLITE_ROW) {
        code = sqlite3_step(st);
        if (code == SQLITE_ROW) {
            buf_append_slice(out, store_column_slice(st, 0));
            buf_u8(out, '\n');
        }
    }
    int error = code == SQLITE_DONE ? buf_error(out) : store_fault(s, code, "reading the schema");
    sqlite3_finalize(st);
    return error;
}

static int run_steps(struct store *s, sqlite3 *db, int64_t from)
{
    int error = 0;
    for (int64_t v = from; v < VERSION && !error; v++)
        error = execute(s, db, steps[v]);
    return error;
}

/* Compares with what the steps make in an empty database. */
static int check_schema(struct store *s)
{
    struct buf is = BUF_INIT, expected = BUF_INIT;
    sqlite3 *model = NULL;
    int code = sqlite3_open(":memory:", &model);
    int error = code ? store_fault(s, code, "checking the schema") : 0;
    if (!error)
        error = run_steps(s, model, 0);
    if (!error)
        error = describe(s, model, &expected);
    if (!error)
        error = describe(s, s->db, &is);
    if (!error && !slice_equal(buf_slice(&is), buf_slice(&expected)))
        error = store_refuse(s, RAPPORT_CORRUPT, "its tables are not those that rapport makes");
    sqlite3_close(model);
    buf_clear(&is);
    buf_clear(&expected);
    return error;
}

static int migrate(struct store *s, int64_t from)
{
    char sql[80];
    snprintf(sql, sizeof sql, "PRAGMA application_id = %d; PRAGMA user_version = %d",
             APPLICATION_ID, VERSION);
    int error = store_run(s, ST_BEGIN, "starting a transaction");
    if (error)
        return error;
    error = run_steps(s, s->db, from);
    if (!error)
        error = execute(s, s->db, sql);
    if (!error)
        error = store_run(s, ST_COMMIT, "writing the tables");
    if (error)
        store_rollback(s);
    return error;
}

int store_identify(struct store *s, enum store_mode mode, int64_t *version)
{
    int64_t application = 0, found = 0, n_things = 0;
    int error = query(s, "PRAGMA application_id", &application);
    if (!error)
        error = query(s, "PRAGMA user_version", &found);
    if (!error)
        error = query(s, "SELECT count(*) FROM sqlite_schema", &n_things);
    if (error)
        return error;
    bool empty = application == 0 && found == 0 && n_things == 0;
    if (empty && mode == STORE_OPEN)
        return store_refuse(s, RAPPORT_NOTFOUND, "there is no report in this file yet");
    if (!empty && application != APPLICATION_ID)
        return store_refuse(s, RAPPORT_CORRUPT, "this is a database of another program");
    if (!empty && mode == STORE_CREATE)
        return store_refuse(s, RAPPORT_EXISTS, "there is a report already");
    if (found > VERSION)
        return store_refuse(s, RAPPORT_VERSION,
                            "written by a newer version of rapport (format %lld, this one knows "
                            "%d); use that one",
                            (long long)found, (int)VERSION);
    if (found < 0 || (!empty && found == 0))
        return store_refuse(s, RAPPORT_CORRUPT, "its version makes no sense");
    *version = found;
    return 0;
}

int store_schema(struct store *s, int64_t version)
{
    int error = version < VERSION ? migrate(s, version) : 0;
    return error ? error : check_schema(s);
}
