/* have.c - sorted vector of (log, next missing event) (see have.h). */
#include "log/have.h"

#include <stdlib.h>

#include "rapport/error.h"

enum {
    ROW_ITEMS = 2,
    FIRST_ROWS = 8
};

void have_clear(struct have *h)
{
    free(h->rows);
    *h = HAVE_INIT;
}

/* Index of the first row whose log is not below `log`. */
static size_t row_at(const struct have *h, const uint8_t *log)
{
    size_t low = 0, high = h->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memcmp(h->rows[middle].log, log, LOG_ID_BYTES) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool row_is(const struct have *h, size_t i, const uint8_t *log)
{
    return i < h->n && memcmp(h->rows[i].log, log, LOG_ID_BYTES) == 0;
}

static int have_room(struct have *h, size_t n)
{
    if (n > LOGS_MOST)
        return RAPPORT_LIMIT;
    if (n <= h->cap)
        return 0;
    size_t cap = h->cap * 2 > n ? h->cap * 2 : n > FIRST_ROWS ? n : FIRST_ROWS;
    struct have_row *rows = realloc(h->rows, cap * sizeof *rows);
    if (!rows)
        return RAPPORT_NOMEM;
    h->rows = rows;
    h->cap = cap;
    return 0;
}

uint64_t have_get(const struct have *h, const uint8_t log[LOG_ID_BYTES])
{
    size_t i = row_at(h, log);
    return row_is(h, i, log) ? h->rows[i].next : 0;
}

int have_raise(struct have *h, const uint8_t log[LOG_ID_BYTES], uint64_t next)
{
    size_t i = row_at(h, log);
    if (row_is(h, i, log)) {
        if (next > h->rows[i].next)
            h->rows[i].next = next;
        return 0;
    }
    if (next == 0)
        return 0;
    int error = have_room(h, h->n + 1);
    if (error)
        return error;
    memmove(&h->rows[i + 1], &h->rows[i], (h->n - i) * sizeof h->rows[0]);
    memcpy(h->rows[i].log, log, LOG_ID_BYTES);
    h->rows[i].next = next;
    h->n++;
    return 0;
}

static int compare_rows(const void *a, const void *b)
{
    return memcmp(((const struct have_row *)a)->log, ((const struct have_row *)b)->log,
                  LOG_ID_BYTES);
}

/* Takes the rows of `from`; what `h` had is freed. */
static void have_take(struct have *h, struct have *from)
{
    have_clear(h);
    *h = *from;
}

int have_of(const struct log_set *set, struct have *h)
{
    struct have fresh = HAVE_INIT;
    int error = have_room(&fresh, set->by_id.n);
    if (error)
        return error;
    size_t at = 0;
    for (const struct log *log; (log = log_next(set, &at));) {
        struct have_row *row = &fresh.rows[fresh.n++];
        memcpy(row->log, log->id, LOG_ID_BYTES);
        row->next = log->next;
    }
    if (fresh.n)
        qsort(fresh.rows, fresh.n, sizeof fresh.rows[0], compare_rows);
    have_take(h, &fresh);
    return 0;
}

void have_encode(const struct have *h, struct buf *out)
{
    mp_put_array(out, h->n);
    for (size_t i = 0; i < h->n; i++) {
        mp_put_array(out, ROW_ITEMS);
        mp_put_bin(out, h->rows[i].log, LOG_ID_BYTES);
        mp_put_u64(out, h->rows[i].next);
    }
}

static void read_row(struct mp_array *rows, struct have *h)
{
    struct have_row row = {.next = 0};
    struct mp_array items = mp_sub(rows, ROW_ITEMS, ROW_ITEMS);
    mp_bin_copy(&items, row.log, LOG_ID_BYTES);
    row.next = mp_u64(&items, DELTA_MOST_NUMBER);
    if (mp_end(&items) != 0)
        return;
    bool ascending = h->n == 0 || compare_rows(&h->rows[h->n - 1], &row) < 0;
    if (!ascending || row.next == 0)
        mp_fail(&items, RAPPORT_MALFORMED);
    else
        h->rows[h->n++] = row;
}

int have_decode(struct mp_array *a, struct have *h)
{
    struct have fresh = HAVE_INIT;
    struct mp_array rows = mp_sub(a, 0, LOGS_MOST);
    int error = have_room(&fresh, rows.n);
    if (error)
        mp_fail(a, error);
    while (mp_more(&rows))
        read_row(&rows, &fresh);
    error = *a->error;
    if (error)
        have_clear(&fresh);
    else
        have_take(h, &fresh);
    return error;
}

bool have_includes(const struct have *a, const struct have *b)
{
    size_t i = 0;
    for (size_t j = 0; j < b->n; j++) {
        while (i < a->n && compare_rows(&a->rows[i], &b->rows[j]) < 0)
            i++;
        if (!row_is(a, i, b->rows[j].log) || a->rows[i].next < b->rows[j].next)
            return false;
    }
    return true;
}

void have_digest(const struct have *h, uint8_t out[16])
{
    struct hash hash;
    hash_start(&hash, "rapport have", NULL, 0, 16);
    for (size_t i = 0; i < h->n; i++) {
        hash_add(&hash, slice_of(h->rows[i].log, LOG_ID_BYTES));
        hash_add_u64(&hash, h->rows[i].next);
    }
    hash_end(&hash, out);
}
