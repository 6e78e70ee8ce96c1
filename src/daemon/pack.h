/*
 * pack.h - the few msgpack shapes of the control socket: a request taken apart, a reply put
 * together.
 *
 * Requests come from this user's own programs and still pass mp_check like everything from outside.
 */
#ifndef DAEMON_PACK_H
#define DAEMON_PACK_H

#include "base/mp.h"

enum {
    PACK_MOST_ITEMS = 256,    /* values in a request of the daemon's own */
    PACK_MOST_STRINGS = 8,    /* in a list argument */
    PACK_MOST_TEXT = 4096,    /* bytes of a str argument */
    PACK_MOST_REPLY = 1 << 20 /* values in a reply */
};

/* A request [op, {argument: value}], opened. */
struct pack_request {
    struct mp_doc doc;
    struct slice op;
    const msgpack_object_map *args; /* NULL: none */
};

/* Opens one. Returns 0, RAPPORT_NOMEM, or what mp_check or the shape refuses it for. Close it with
   pack_close. */
int pack_open(struct pack_request *r, struct slice bytes);
/* Frees what pack_open took. */
void pack_close(struct pack_request *r);

/* Opens a reply, to be read like the arguments of a request. The same errors. */
int pack_open_reply(struct pack_request *r, struct slice bytes);

/* The map under a key, opened in place (not to be closed); false when there is none. */
bool pack_map(const struct pack_request *r, const char *key, struct pack_request *out);

/* The op alone, without opening the arguments; empty when it is no request. */
struct slice pack_op(struct slice bytes);

/* Each returns false, and leaves *out, when the argument is absent, of another type or too large.
 */
bool pack_u64(const struct pack_request *r, const char *key, uint64_t *out);
/* The bool at `key`; false where there is none. */
bool pack_bool(const struct pack_request *r, const char *key);
/* A str or bin without a NUL in it, as an allocated C string; free() it. */
bool pack_text(const struct pack_request *r, const char *key, char **out);
/* A list of at most PACK_MOST_STRINGS texts. True also when absent (then *n is 0); false when it is
   something else. Free with pack_free_texts. */
bool pack_texts(const struct pack_request *r, const char *key, char *out[PACK_MOST_STRINGS],
                size_t *n);
/* Frees n texts of pack_texts. */
void pack_free_texts(char *texts[PACK_MOST_STRINGS], size_t n);

/* The encoded value of a key in an encoded map; empty when there is none. */
struct slice pack_value(struct slice map, const char *key);

/* "key": value, inside a map begun with mp_put_map. */
void pack_put_str(struct buf *b, const char *key, const char *value);
/* Puts a key and a number; errors stick in the buffer. */
void pack_put_u64(struct buf *b, const char *key, uint64_t value);
/* Puts a key and a bool; errors stick in the buffer. */
void pack_put_bool(struct buf *b, const char *key, bool value);

/* A whole reply that says ok false. `exit` as in CONTRACT; the message is made safe for a terminal.
 */
void pack_failure(struct buf *reply, int error, int exit, const char *message);

#endif
