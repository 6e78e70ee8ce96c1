/*
 * mp.h - msgpack, strictly: the one way in and the one way out.
 *
 * Whatever comes from outside passes mp_check first: iterative, depth <= MP_MOST_DEPTH, every
 * declared count and length at most the bytes left, minimal integers and lengths, valid UTF-8 in
 * str, no nil, float or ext, nothing trailing. Only then msgpack-c sees it (it believes declared
 * lengths: 5 bytes make it reserve gigabytes). Reading goes through a cursor over one array whose
 * error sticks: read all fields, check once with mp_end. Maps are allowed only where a format says
 * so (control requests); formats on disk and wire use arrays.
 */
#ifndef BASE_MP_H
#define BASE_MP_H

#include <msgpack.h>

#include "base/buf.h"

enum {
    MP_MOST_DEPTH = 8,
    MP_MOST_ITEMS = 1 << 20
};

/* Returns 0 when `bytes` are exactly one value by the rules above; RAPPORT_TRUNCATED, RAPPORT_LIMIT
   (depth or more than max_items values) or RAPPORT_MALFORMED. Reads nothing past the slice and
   allocates nothing. */
int mp_check(struct slice bytes, size_t max_items);

/* As mp_check for the first value in `bytes`, whatever follows; on success *len is its length in
 * bytes. */
int mp_check_prefix(struct slice bytes, size_t max_items, size_t *len);

/* A decoded value; strings and bins point into the bytes it was made from, which must outlive it.
 */
struct mp_doc {
    msgpack_zone *zone;
    msgpack_object root;
};

/* A cursor over one array. The error is shared with the cursors of arrays inside it. */
struct mp_array {
    const msgpack_object *items;
    size_t n, at;
    int *error;
};

/* Checks (at most max_items values) and decodes. Returns 0, RAPPORT_NOMEM or an error of mp_check.
 */
int mp_open(struct mp_doc *doc, struct slice bytes, size_t max_items);
/* Frees what mp_open made; a zeroed or closed document is fine. */
void mp_close(struct mp_doc *doc);

/* The root as an array; *error starts at 0, or RAPPORT_MALFORMED when the root is none. */
struct mp_array mp_root(const struct mp_doc *doc, int *error);

/*
 * Each takes the next item; wrong type or missing: RAPPORT_MALFORMED sticks, out of bounds:
 * RAPPORT_LIMIT. What is returned after an error is 0, false or empty.
 */

/* An integer of 0 to max. */
uint64_t mp_u64(struct mp_array *a, uint64_t max);
/* An integer of INT64_MIN to INT64_MAX. */
int64_t mp_i64(struct mp_array *a);
/* A boolean. */
bool mp_bool(struct mp_array *a);
/* A bin of min to max bytes, borrowed. */
struct slice mp_bin(struct mp_array *a, size_t min, size_t max);
/* A str of at most max bytes, borrowed; valid UTF-8, NUL allowed. */
struct slice mp_str(struct mp_array *a, size_t max);
/* A bin of exactly n bytes, copied to out (left alone on error). */
void mp_bin_copy(struct mp_array *a, void *out, size_t n);
/* An array of min to max items. On error the cursor returned is empty. */
struct mp_array mp_sub(struct mp_array *a, size_t min, size_t max);
/* The type of the next item without taking it; MSGPACK_OBJECT_NIL at the end or after an error. */
msgpack_object_type mp_peek(const struct mp_array *a);
/* Skips the next item, whatever it is. */
void mp_skip(struct mp_array *a);
/* True while items are left and no error stuck. */
bool mp_more(const struct mp_array *a);
/* Sets the shared error if none is set yet. */
void mp_fail(struct mp_array *a, int error);
/* Returns the error; RAPPORT_MALFORMED also when items are left over. */
int mp_end(struct mp_array *a);

/* Writing: always the shortest form; errors stick in the buffer. */

/* Begins an array; its n items are what is put next. */
void mp_put_array(struct buf *b, size_t n);
/* Begins a map; n times a key and its value follow. */
void mp_put_map(struct buf *b, size_t n);
/* An unsigned integer. */
void mp_put_u64(struct buf *b, uint64_t v);
/* A signed integer; from 0 on the same bytes as mp_put_u64. */
void mp_put_i64(struct buf *b, int64_t v);
/* A boolean. */
void mp_put_bool(struct buf *b, bool v);
/* A bin of n bytes. */
void mp_put_bin(struct buf *b, const void *ptr, size_t n);
/* A str; the caller answers for its being UTF-8, mp_check refuses anything else. */
void mp_put_str(struct buf *b, struct slice s);
/* A str from a C string. */
void mp_put_cstr(struct buf *b, const char *str);

#endif
