/*
 * internal.h - what the files of the store share. Nobody else includes it.
 *
 * store.c opens, closes and runs statements; schema.c makes and checks tables; commit.c writes;
 * load.c reads; sync.c makes durable; fault.c turns SQLite's codes into ours and into sentences.
 */
#ifndef STORE_INTERNAL_H
#define STORE_INTERNAL_H

#include <sqlite3.h>
#include <stdatomic.h>

#include "base/map.h"
#include "log/log.h"
#include "store/store.h"

/* Every statement of the store, prepared at first use and kept. */
#define STORE_STATEMENTS(X)                                                                        \
    X(BEGIN, "BEGIN IMMEDIATE")                                                                    \
    X(COMMIT, "COMMIT")                                                                            \
    X(ROLLBACK, "ROLLBACK")                                                                        \
    X(HEADS, "SELECT number, log, origin, end, lamport, hash FROM logs ORDER BY number")           \
    X(LAST, "SELECT max(arrival) FROM deltas")                                                     \
    X(NEW_LOG, "INSERT INTO logs VALUES (?1, ?2, ?3, ?4, ?5, ?6)")                                 \
    X(MOVE_HEAD, "UPDATE logs SET end = ?2, lamport = ?3, hash = ?4 WHERE number = ?1")            \
    X(HAS, "SELECT 1 FROM chain WHERE log = ?1 AND branch IN (0, 1) AND end = ?2 AND hash = ?3")   \
    X(NEW_LINK, "INSERT INTO chain VALUES (?1, ?2, ?3, ?4, ?5, ?6)")                               \
    X(NEW_DELTA, "INSERT INTO deltas VALUES (?1, ?2)")                                             \
    X(PUT_RECORD, "INSERT OR REPLACE INTO records VALUES (?1, ?2)")                                \
    X(DROP_RECORD, "DELETE FROM records WHERE key = ?1")                                           \
    X(PUT_META, "INSERT OR REPLACE INTO notes VALUES (?1, ?2)")                                    \
    X(PUT_TEXT, "INSERT INTO texts VALUES (?1, ?2) ON CONFLICT (note) DO UPDATE SET stored = ?2")  \
    X(DROP_RECORDS, "DELETE FROM records WHERE substr(key, 1, 6) <> CAST('local/' AS BLOB)")       \
    X(DROP_METAS, "DELETE FROM notes")                                                             \
    X(DROP_TEXTS, "DELETE FROM texts")                                                             \
    X(INDEX, STORE_SQL_INDEX)                                                                      \
    X(RECORDS, "SELECT key, value FROM records ORDER BY key")                                      \
    X(METAS, "SELECT note, meta FROM notes ORDER BY note")                                         \
    X(TEXT, "SELECT note, stored FROM texts WHERE note = ?1")                                      \
    X(OF_LOG, STORE_SQL_OF_LOG)                                                                    \
    X(ARRIVED, "SELECT arrival, bytes FROM deltas WHERE arrival > ?1 ORDER BY arrival")

/* CROSS JOIN keeps the tables in the order written: both are one walk along the chain's key. */
#define STORE_SQL_INDEX                                                                            \
    ("SELECT logs.log, chain.end, chain.lamport, chain.hash FROM logs CROSS JOIN chain "           \
     "ON chain.log = logs.number AND chain.branch = 0 ORDER BY logs.number, chain.end")
#define STORE_SQL_OF_LOG                                                                           \
    ("SELECT chain.arrival, deltas.bytes FROM chain CROSS JOIN deltas "                            \
     "ON deltas.arrival = chain.arrival WHERE chain.branch = 0 "                                   \
     "AND chain.log = (SELECT number FROM logs WHERE log = ?1) AND chain.end > ?2 "                \
     "ORDER BY chain.end")

enum statement {
#define X(name, sql) ST_##name,
    STORE_STATEMENTS(X)
#undef X
    STATEMENTS
};

/* One log as the database has it. */
struct stored_log {
    uint8_t log[LOG_ID_BYTES];
    int64_t number; /* short name inside the database, by arrival of the first delta */
    struct log_entry head;
    bool moved; /* in the running transaction */
};

enum {
    FAULT_BYTES = 1024,
    SYNC_NONE = -1,  /* nothing to sync: a database in memory */
    SYNC_BY_VFS = -2 /* a VFS of the caller's: through SQLite's own file */
};

struct store {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    char *path;
    int wal_fd;      /* the write-ahead log, opened a second time; or SYNC_* */
    struct map logs; /* struct stored_log *, owned; valid while logs_loaded */
    int64_t last;    /* greatest arrival number; valid while logs_loaded */
    bool logs_loaded;
    char fault[FAULT_BYTES];
    _Atomic int sync_error; /* sticks: after a failed sync nobody knows what is on the disk */
};

/* ---- fault.c ---- */

/* Notes what SQLite just reported (`code`: extended) while doing `what`, and returns our code. */
int store_fault(struct store *s, int code, const char *what);
/* Notes `error` with a sentence about this file: printf with the path put in front. */
int store_refuse(struct store *s, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Notes that memory ran out; returns RAPPORT_NOMEM. */
int store_nomem(struct store *s);

/* ---- store.c ---- */

/* A cached statement, reset and without bindings. Returns 0 or an error. */
int store_statement(struct store *s, enum statement which, sqlite3_stmt **out);
/* Steps a statement that returns no rows to its end and resets it. */
int store_step_done(struct store *s, sqlite3_stmt *st, const char *what);
/* Runs a statement without parameters. */
int store_run(struct store *s, enum statement which, const char *what);
/* Rolls back what is open; the fault noted before stays. */
void store_rollback(struct store *s);
/* Loads heads and the last arrival number unless they are here. */
int store_need_logs(struct store *s);
/* Forgets them: what is in memory may be ahead of the database. */
void store_forget_logs(struct store *s);
/* A column as a blob of exactly n bytes; false when it is none. */
bool store_column(sqlite3_stmt *st, int column, void *out, size_t n);
/* A column as a number from 0; false when it is none. */
bool store_column_u64(sqlite3_stmt *st, int column, uint64_t *out);
/* A column as a slice, valid until the next step; ptr is never NULL. */
struct slice store_column_slice(sqlite3_stmt *st, int column);

/* ---- sync.c ---- */

/* Opens the write-ahead log beside SQLite, which must have made it, and syncs the folder. */
int store_sync_open(struct store *s);
/* Closes that descriptor. */
void store_sync_close(struct store *s);

/* ---- schema.c ---- */

/* Says whether the file may be opened in this mode, before anything is written to it; *version is
   that of its tables, 0 for none yet. */
int store_identify(struct store *s, enum store_mode mode, int64_t *version);
/* Brings the tables from `version` up to date and compares them with what they should be. */
int store_schema(struct store *s, int64_t version);

#endif
