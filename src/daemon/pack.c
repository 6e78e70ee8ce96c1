/* pack.c - see pack.h. */
#include <stdlib.h>

#include "base/utf8.h"
#include "daemon/pack.h"
#include "rapport/error.h"

/* ---- requests ---- */

static struct slice text_of(const msgpack_object *o)
{
    if (o->type == MSGPACK_OBJECT_STR)
        return slice_of(o->via.str.ptr, o->via.str.size);
    if (o->type == MSGPACK_OBJECT_BIN)
        return slice_of(o->via.bin.ptr, o->via.bin.size);
    return slice_of(NULL, 0);
}

int pack_open(struct pack_request *r, struct slice bytes)
{
    struct pack_request open = {.args = NULL};
    int error = mp_open(&open.doc, bytes, PACK_MOST_ITEMS);
    if (error)
        return error;
    const msgpack_object *root = &open.doc.root;
    const msgpack_object *items = root->via.array.ptr;
    bool well = root->type == MSGPACK_OBJECT_ARRAY && root->via.array.size >= 1 &&
                root->via.array.size <= 2 && items[0].type == MSGPACK_OBJECT_STR;
    if (well && root->via.array.size == 2) {
        well = items[1].type == MSGPACK_OBJECT_MAP;
        open.args = well ? &items[1].via.map : NULL;
    }
    if (!well) {
        mp_close(&open.doc);
        return RAPPORT_MALFORMED;
    }
    open.op = text_of(&items[0]);
    *r = open;
    return 0;
}

void pack_close(struct pack_request *r)
{
    mp_close(&r->doc);
}

int pack_open_reply(struct pack_request *r, struct slice bytes)
{
    struct pack_request open = {.args = NULL};
    int error = mp_open(&open.doc, bytes, PACK_MOST_REPLY);
    if (error)
        return error;
    if (open.doc.root.type != MSGPACK_OBJECT_MAP) {
        mp_close(&open.doc);
        return RAPPORT_MALFORMED;
    }
    *r = open;
    r->args = &r->doc.root.via.map;
    return 0;
}

struct slice pack_op(struct slice bytes)
{
    struct slice none = slice_of(NULL, 0);
    size_t len;
    if (bytes.len < 2 || (bytes.ptr[0] & 0xf0) != 0x90)
        return none;
    struct slice first = slice_skip(bytes, 1);
    if (mp_check_prefix(first, 1, &len))
        return none;
    if (first.ptr[0] >= 0xa0 && first.ptr[0] < 0xc0)
        return slice_of(first.ptr + 1, len - 1);
    return none;
}

static const msgpack_object *find(const struct pack_request *r, const char *key)
{
    for (uint32_t i = 0; r->args && i < r->args->size; i++)
        if (r->args->ptr[i].key.type == MSGPACK_OBJECT_STR &&
            slice_equal(text_of(&r->args->ptr[i].key), slice_str(key)))
            return &r->args->ptr[i].val;
    return NULL;
}

bool pack_u64(const struct pack_request *r, const char *key, uint64_t *out)
{
    const msgpack_object *o = find(r, key);
    if (!o || o->type != MSGPACK_OBJECT_POSITIVE_INTEGER)
        return false;
    *out = o->via.u64;
    return true;
}

bool pack_bool(const struct pack_request *r, const char *key)
{
    const msgpack_object *o = find(r, key);
    return o && o->type == MSGPACK_OBJECT_BOOLEAN && o->via.boolean;
}

bool pack_map(const struct pack_request *r, const char *key, struct pack_request *out)
{
    const msgpack_object *o = find(r, key);
    if (!o || o->type != MSGPACK_OBJECT_MAP)
        return false;
    *out = (struct pack_request){.args = &o->via.map};
    return true;
}

static char *copy_text(const msgpack_object *o)
{
    struct slice s = text_of(o);
    if (!s.ptr || s.len > PACK_MOST_TEXT || memchr(s.ptr, 0, s.len))
        return NULL;
    return strndup((const char *)s.ptr, s.len);
}

bool pack_text(const struct pack_request *r, const char *key, char **out)
{
    const msgpack_object *o = find(r, key);
    char *copy = o ? copy_text(o) : NULL;
    if (copy)
        *out = copy;
    return copy != NULL;
}

void pack_free_texts(char *texts[PACK_MOST_STRINGS], size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(texts[i]);
}

bool pack_texts(const struct pack_request *r, const char *key, char *out[PACK_MOST_STRINGS],
                size_t *n)
{
    const msgpack_object *o = find(r, key);
    *n = 0;
    if (!o)
        return true;
    if (o->type != MSGPACK_OBJECT_ARRAY || o->via.array.size > PACK_MOST_STRINGS)
        return false;
    for (uint32_t i = 0; i < o->via.array.size; i++) {
        out[i] = copy_text(&o->via.array.ptr[i]);
        if (!out[i]) {
            pack_free_texts(out, i);
            return false;
        }
    }
    *n = o->via.array.size;
    return true;
}

/* ---- replies ---- */

/* Takes one encoded value off `rest`; empty at the end or where it is broken. */
static struct slice next_value(struct slice *rest)
{
    size_t len;
    if (mp_check_prefix(*rest, PACK_MOST_REPLY, &len))
        return slice_of(NULL, 0);
    struct slice value = slice_of(rest->ptr, len);
    *rest = slice_skip(*rest, len);
    return value;
}

struct slice pack_value(struct slice map, const char *key)
{
    struct slice none = slice_of(NULL, 0);
    struct buf name = BUF_INIT;
    if (map.len == 0)
        return none;
    uint8_t head = map.ptr[0];
    size_t skip = (head & 0xf0) == 0x80 ? 1 : head == 0xde ? 3 : head == 0xdf ? 5 : 0;
    if (!skip || map.len < skip)
        return none;
    struct slice rest = slice_skip(map, skip), found = none;
    mp_put_cstr(&name, key);
    while (rest.len && !found.ptr) {
        struct slice k = next_value(&rest), v = next_value(&rest);
        if (!k.ptr || !v.ptr)
            break;
        if (slice_equal(k, buf_slice(&name)))
            found = v;
    }
    buf_clear(&name);
    return found;
}

void pack_put_str(struct buf *b, const char *key, const char *value)
{
    mp_put_cstr(b, key);
    mp_put_cstr(b, value);
}

void pack_put_u64(struct buf *b, const char *key, uint64_t value)
{
    mp_put_cstr(b, key);
    mp_put_u64(b, value);
}

void pack_put_bool(struct buf *b, const char *key, bool value)
{
    mp_put_cstr(b, key);
    mp_put_bool(b, value);
}

void pack_failure(struct buf *reply, int error, int exit, const char *message)
{
    struct buf safe = BUF_INIT;
    utf8_printable(&safe, slice_str(message), false);
    mp_put_map(reply, 2);
    pack_put_bool(reply, "ok", false);
    mp_put_cstr(reply, "error");
    mp_put_map(reply, 3);
    pack_put_str(reply, "code", rapport_errname(error));
    pack_put_u64(reply, "exit", (uint64_t)exit);
    mp_put_cstr(reply, "message");
    mp_put_str(reply, buf_slice(&safe));
    buf_clear(&safe);
}
