/*
 * json.c - a msgpack reply as JSON (see message.h). The keys are those of host/ops.h, in their
 * order, and stay; "version" is that of this form.
 *
 * On a terminal everything but ASCII is escaped, so that no text of a peer can steer it.
 */
#include <jansson.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "cli/message.h"

enum {
    JSON_FORM = 1
};

/* JSON has no bytes: what is no UTF-8 is shown with U+FFFD. */
static json_t *of_bytes(struct slice bytes)
{
    if (utf8_valid(bytes))
        return json_stringn((const char *)bytes.ptr, bytes.len);
    struct buf shown = BUF_INIT;
    utf8_printable(&shown, bytes, false);
    json_t *string = buf_error(&shown) ? NULL : json_stringn((const char *)shown.ptr, shown.len);
    buf_clear(&shown);
    return string;
}

static json_t *of_value(const msgpack_object *o);

static json_t *of_list(const msgpack_object_array *list)
{
    json_t *array = json_array();
    for (uint32_t i = 0; array && i < list->size; i++) {
        if (json_array_append_new(array, of_value(&list->ptr[i]))) {
            json_decref(array);
            array = NULL;
        }
    }
    return array;
}

/* Adds the pairs of a map, but those about the answer itself at the top. */
static int add_pairs(json_t *object, const msgpack_object_map *map, bool top)
{
    for (uint32_t i = 0; i < map->size; i++) {
        const msgpack_object_kv *kv = &map->ptr[i];
        if (kv->key.type != MSGPACK_OBJECT_STR)
            return -1;
        struct slice key = slice_of(kv->key.via.str.ptr, kv->key.via.str.size);
        if (top && (slice_equal(key, slice_str("ok")) || slice_equal(key, slice_str("notices"))))
            continue;
        if (json_object_setn_new(object, (const char *)key.ptr, key.len, of_value(&kv->val)))
            return -1;
    }
    return 0;
}

static json_t *of_map(const msgpack_object_map *map)
{
    json_t *object = json_object();
    if (object && add_pairs(object, map, false)) {
        json_decref(object);
        object = NULL;
    }
    return object;
}

/* Depth is bounded by mp_check. */
static json_t *of_value(const msgpack_object *o)
{
    switch (o->type) {
    case MSGPACK_OBJECT_BOOLEAN:
        return json_boolean(o->via.boolean);
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        return json_integer(o->via.u64 > INT64_MAX ? INT64_MAX : (json_int_t)o->via.u64);
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        return json_integer(o->via.i64);
    case MSGPACK_OBJECT_STR:
        return of_bytes(slice_of(o->via.str.ptr, o->via.str.size));
    case MSGPACK_OBJECT_BIN:
        return of_bytes(slice_of(o->via.bin.ptr, o->via.bin.size));
    case MSGPACK_OBJECT_ARRAY:
        return of_list(&o->via.array);
    case MSGPACK_OBJECT_MAP:
        return of_map(&o->via.map);
    case MSGPACK_OBJECT_NIL:
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
    case MSGPACK_OBJECT_EXT:
        break;
    }
    return NULL;
}

/* Takes `json` over, which may be NULL. */
static int put_line(struct cli *cli, json_t *json)
{
    size_t flags = JSON_COMPACT | (cli->out_terminal ? JSON_ENSURE_ASCII : 0);
    char *text = json ? json_dumps(json, flags) : NULL;
    json_decref(json);
    if (!text)
        return cli_fail(cli, CLI_FAILED, "the answer cannot be shown as JSON");
    buf_append_str(&cli->out, text);
    buf_u8(&cli->out, '\n');
    free(text);
    return 0;
}

int json_reply(struct cli *cli, const struct reply *r)
{
    json_t *object = json_object();
    if (object && (json_object_set_new(object, "version", json_integer(JSON_FORM)) ||
                   add_pairs(object, &r->map->via.map, true))) {
        json_decref(object);
        object = NULL;
    }
    return put_line(cli, object);
}

int json_lines(struct cli *cli, const struct reply *r, const char *key)
{
    size_t n;
    const msgpack_object *rows = value_list(r->map, key, &n);
    int error = 0;
    for (size_t i = 0; i < n && !error; i++)
        error = put_line(cli, of_value(&rows[i]));
    return error;
}
