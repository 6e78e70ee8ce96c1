/*
 * message.c - writing requests, reading replies (see message.h).
 */
#include "cli/message.h"

#include "base/utf8.h"
#include "rapport/error.h"

/* ---- requests ---- */

static void put_key(struct request *r, const char *key)
{
    r->n++;
    mp_put_cstr(&r->args, key);
}

void request_slice(struct request *r, const char *key, struct slice text)
{
    put_key(r, key);
    mp_put_str(&r->args, text);
}

void request_str(struct request *r, const char *key, const char *value)
{
    if (!value)
        return;
    /* A word of the command line may be anything; what is no UTF-8 goes as bytes. */
    if (utf8_valid(slice_str(value)))
        request_slice(r, key, slice_str(value));
    else
        request_bin(r, key, slice_str(value));
}

void request_bin(struct request *r, const char *key, struct slice bytes)
{
    put_key(r, key);
    mp_put_bin(&r->args, bytes.ptr, bytes.len);
}

void request_u64(struct request *r, const char *key, uint64_t value)
{
    put_key(r, key);
    mp_put_u64(&r->args, value);
}

void request_true(struct request *r, const char *key, bool value)
{
    if (!value)
        return;
    put_key(r, key);
    mp_put_bool(&r->args, true);
}

int request_end(struct request *r, struct buf *out)
{
    mp_put_array(out, 2);
    mp_put_cstr(out, r->op);
    mp_put_map(out, r->n);
    buf_append_slice(out, buf_slice(&r->args));
    int error = buf_error(&r->args);
    buf_clear(&r->args);
    return error ? error : buf_error(out);
}

/* ---- replies ---- */

int reply_open(struct reply *r)
{
    r->map = NULL;
    int error = mp_open(&r->doc, buf_slice(&r->bytes), MP_MOST_ITEMS);
    if (error)
        return error == RAPPORT_NOMEM ? error : RAPPORT_MALFORMED;
    if (r->doc.root.type != MSGPACK_OBJECT_MAP)
        return RAPPORT_MALFORMED;
    r->map = &r->doc.root;
    return 0;
}

void reply_close(struct reply *r)
{
    mp_close(&r->doc);
    buf_clear(&r->bytes);
    *r = (struct reply){0};
}

int reply_check(const struct cli *cli, const struct reply *r)
{
    size_t n;
    const msgpack_object *notices = value_list(r->map, "notices", &n);
    for (size_t i = 0; i < n; i++)
        if (notices[i].type == MSGPACK_OBJECT_STR)
            cli_say(cli, "%.*s", (int)notices[i].via.str.size, notices[i].via.str.ptr);
    if (value_bool(r->map, "ok"))
        return 0;
    const msgpack_object *error = value_of(r->map, "error");
    struct slice message = value_str(error, "message");
    uint64_t code = value_u64(error, "exit");
    if (message.len == 0)
        message = slice_str("failed without saying why");
    cli_fail(cli, 0, "%.*s", (int)message.len, (const char *)message.ptr);
    return code > 0 && code < 256 ? (int)code : CLI_FAILED;
}

/* ---- values ---- */

const msgpack_object *value_of(const msgpack_object *map, const char *key)
{
    if (!map || map->type != MSGPACK_OBJECT_MAP)
        return NULL;
    for (uint32_t i = 0; i < map->via.map.size; i++) {
        const msgpack_object_kv *kv = &map->via.map.ptr[i];
        if (kv->key.type == MSGPACK_OBJECT_STR &&
            slice_equal(slice_of(kv->key.via.str.ptr, kv->key.via.str.size), slice_str(key)))
            return &kv->val;
    }
    return NULL;
}

struct slice value_str(const msgpack_object *map, const char *key)
{
    const msgpack_object *o = value_of(map, key);
    if (o && o->type == MSGPACK_OBJECT_STR)
        return slice_of(o->via.str.ptr, o->via.str.size);
    if (o && o->type == MSGPACK_OBJECT_BIN)
        return slice_of(o->via.bin.ptr, o->via.bin.size);
    return slice_str("");
}

uint64_t value_u64(const msgpack_object *map, const char *key)
{
    const msgpack_object *o = value_of(map, key);
    return o && o->type == MSGPACK_OBJECT_POSITIVE_INTEGER ? o->via.u64 : 0;
}

bool value_bool(const msgpack_object *map, const char *key)
{
    const msgpack_object *o = value_of(map, key);
    return o && o->type == MSGPACK_OBJECT_BOOLEAN && o->via.boolean;
}

const msgpack_object *value_list(const msgpack_object *map, const char *key, size_t *n)
{
    const msgpack_object *o = value_of(map, key);
    bool is_list = o && o->type == MSGPACK_OBJECT_ARRAY;
    *n = is_list ? o->via.array.size : 0;
    return is_list ? o->via.array.ptr : NULL;
}

void value_join(const msgpack_object *map, const char *key, struct buf *out)
{
    size_t n;
    const msgpack_object *items = value_list(map, key, &n);
    const char *between = "";
    for (size_t i = 0; i < n; i++) {
        if (items[i].type != MSGPACK_OBJECT_STR)
            continue;
        buf_append_str(out, between);
        buf_append(out, items[i].via.str.ptr, items[i].via.str.size);
        between = ", ";
    }
}
