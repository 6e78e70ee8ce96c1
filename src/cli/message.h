/*
 * message.h - requests and replies of host/ops.h and daemon/client.h as the verbs use them:
 * msgpack is written and read here, and turned into JSON, and nowhere else in this layer.
 */
#ifndef CLI_MESSAGE_H
#define CLI_MESSAGE_H

#include "base/mp.h"
#include "cli/cli.h"

/* A request while its arguments are put in. Errors stick in `args`. */
struct request {
    const char *op;
    struct buf args;
    size_t n;
};

/* Each adds an argument. */

/* A word of the command line; nothing when it is NULL. */
void request_str(struct request *r, const char *key, const char *value);
/* Text that is valid UTF-8. */
void request_slice(struct request *r, const char *key, struct slice text);
/* Any bytes. */
void request_bin(struct request *r, const char *key, struct slice bytes);
/* A number. */
void request_u64(struct request *r, const char *key, uint64_t value);
/* A flag; nothing when it is false. */
void request_true(struct request *r, const char *key, bool value);

/* Appends [op, {arguments}] and frees the request. Returns 0 or RAPPORT_NOMEM. */
int request_end(struct request *r, struct buf *out);

/* A decoded reply. Zero it before the first use. */
struct reply {
    struct buf bytes;
    struct mp_doc doc;
    const msgpack_object *map; /* the reply itself; NULL before reply_open */
};

/* Decodes what stands in reply->bytes. Returns 0, RAPPORT_NOMEM, or RAPPORT_MALFORMED (also when
   it is no map). */
int reply_open(struct reply *r);
/* Frees it; a zeroed one is fine. */
void reply_close(struct reply *r);

/* Says the reply's notices on stderr and, when it is not ok, its error. Returns 0 or
   the exit code. */
int reply_check(const struct cli *cli, const struct reply *r);

/* ---- values of a map ---- */

/* The value of a key, or NULL; also when `map` is none or NULL. */
const msgpack_object *value_of(const msgpack_object *map, const char *key);
/* A str or bin, borrowed; empty when there is none. */
struct slice value_str(const msgpack_object *map, const char *key);
/* A number; 0 when there is none. */
uint64_t value_u64(const msgpack_object *map, const char *key);
/* A truth; false when there is none. */
bool value_bool(const msgpack_object *map, const char *key);
/* The items of a list, *n of them; none when there is none. */
const msgpack_object *value_list(const msgpack_object *map, const char *key, size_t *n);
/* Appends the strings of a list, joined by ", ". */
void value_join(const msgpack_object *map, const char *key, struct buf *out);

/* ---- JSON ---- */

/* Appends the reply as one JSON object with "version": 1 first, without "ok" and "notices".
   Returns 0 or CLI_FAILED, having said why. */
int json_reply(struct cli *cli, const struct reply *r);
/* Appends each item of the list `key` as a line of JSON. Returns as json_reply. */
int json_lines(struct cli *cli, const struct reply *r, const char *key);

#endif
