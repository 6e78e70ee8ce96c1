/*
 * load.c - reading (see enum load_kind in log/batch.h). Rows are handed on as SQLite steps through
 * them; nothing is gathered.
 *
 * A column that does not have the length or type that we write is damage. What is inside a delta is
 * not looked at: its reader checks hash and chain.
 */
#include "rapport/error.h"
#include "store/internal.h"

/* A load on its way: what was asked, whom to tell, how much went out. */
struct loading {
    struct store *s;
    const struct load *load;
    int (*row)(void *user, const struct load_row *row);
    void *user;
    size_t n_bytes; /* of deltas so far */
};

/* Fills a row from the statement; false when a column has the wrong form. */
typedef bool row_reader(sqlite3_stmt *st, struct load_row *row);

static bool read_head(sqlite3_stmt *st, struct load_row *row)
{
    row->value = store_column_slice(st, 2);
    return store_column(st, 1, row->log, LOG_ID_BYTES) && row->value.len == ORIGIN_BYTES &&
           store_column_u64(st, 3, &row->end) && store_column_u64(st, 4, &row->lamport) &&
           store_column(st, 5, row->hash, HASH_BYTES);
}

static bool read_entry(sqlite3_stmt *st, struct load_row *row)
{
    return store_column(st, 0, row->log, LOG_ID_BYTES) && store_column_u64(st, 1, &row->end) &&
           store_column_u64(st, 2, &row->lamport) && store_column(st, 3, row->hash, HASH_BYTES);
}

static bool read_record(sqlite3_stmt *st, struct load_row *row)
{
    row->key = store_column_slice(st, 0);
    row->value = store_column_slice(st, 1);
    return true;
}

static bool read_note(sqlite3_stmt *st, struct load_row *row)
{
    row->value = store_column_slice(st, 1);
    return store_column(st, 0, row->note, NOTE_ID_BYTES);
}

static bool read_delta(sqlite3_stmt *st, struct load_row *row)
{
    row->value = store_column_slice(st, 1);
    return store_column_u64(st, 0, &row->arrival);
}

/* True when this row no longer fits into what was asked for; one always does. */
static bool is_over(struct loading *l, const struct load_row *row)
{
    size_t most = l->load->max_bytes;
    if (l->load->kind != LOAD_DELTAS && l->load->kind != LOAD_ARRIVED)
        return false;
    if (most > LOAD_MOST_BYTES)
        most = LOAD_MOST_BYTES;
    bool over = l->n_bytes > 0 && l->n_bytes + row->value.len > most;
    l->n_bytes += row->value.len;
    return over;
}

static int stream(struct loading *l, sqlite3_stmt *st, row_reader *read)
{
    int error = 0, code = SQLITE_ROW;
    while (!error && (code = sqlite3_step(st)) == SQLITE_ROW) {
        struct load_row row = {.end = 0};
        if (!read(st, &row))
            error = store_refuse(l->s, RAPPORT_CORRUPT, "a row does not have the right form");
        else if (is_over(l, &row))
            break;
        else
            error = l->row(l->user, &row);
    }
    if (!error && code != SQLITE_ROW && code != SQLITE_DONE)
        error = store_fault(l->s, code, "reading");
    sqlite3_reset(st);
    return error;
}

int store_load(struct store *s, const struct load *load,
               int (*row)(void *user, const struct load_row *row), void *user)
{
    static const struct {
        enum statement statement;
        row_reader *read;
    } kinds[] = {
        [LOAD_HEADS] = {ST_HEADS, read_head},       [LOAD_INDEX] = {ST_INDEX, read_entry},
        [LOAD_RECORDS] = {ST_RECORDS, read_record}, [LOAD_NOTES] = {ST_METAS, read_note},
        [LOAD_NOTE] = {ST_TEXT, read_note},         [LOAD_DELTAS] = {ST_OF_LOG, read_delta},
        [LOAD_ARRIVED] = {ST_ARRIVED, read_delta},
    };
    struct loading l = {s, load, row, user, 0};
    sqlite3_stmt *st = NULL;
    int error = store_statement(s, kinds[load->kind].statement, &st);
    if (error)
        return error;
    int64_t from = load->from > INT64_MAX ? INT64_MAX : (int64_t)load->from;
    if (load->kind == LOAD_NOTE)
        sqlite3_bind_blob(st, 1, load->note, NOTE_ID_BYTES, SQLITE_STATIC);
    if (load->kind == LOAD_ARRIVED)
        sqlite3_bind_int64(st, 1, from);
    if (load->kind == LOAD_DELTAS) {
        sqlite3_bind_blob(st, 1, load->log, LOG_ID_BYTES, SQLITE_STATIC);
        sqlite3_bind_int64(st, 2, from);
    }
    return stream(&l, st, kinds[load->kind].read);
}
