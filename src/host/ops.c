/*
 * ops.c - the table of verbs, and what every call has: checking the request, taking in the folder
 * before and writing out after, the reply.
 *
 * A request passes mp_check before msgpack-c sees it, like everything from outside: the control
 * socket belongs to this user, but so do other programs.
 */
#include "host/ops.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "base/utf8.h"
#include "host/ops_parts.h"

enum {
    OPS_MOST_ROUNDS = 4, /* of taking in and writing out in one call */
    OPS_MOST_MESSAGE = 2048,
};

struct op {
    const char *name;
    int (*run)(struct call *c);
    bool folder, writes; /* as at OPS */
};

static const struct op table[] = {
#define X(name, folder, writes) {#name, op_##name, folder, writes},
    OPS(X)
#undef X
};

static const struct op *find_op(struct slice name)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (slice_equal(name, slice_str(table[i].name)))
            return &table[i];
    return NULL;
}

bool host_has_op(struct slice op)
{
    return find_op(op) != NULL;
}

int host_exit_of(int error)
{
    switch (error) {
    case 0:
        return 0;
    case RAPPORT_INVALID:
    case RAPPORT_OUTSIDE:
        return 2;
    case RAPPORT_AMBIGUOUS:
    case RAPPORT_EXISTS:
    case RAPPORT_LOCKED:
    case RAPPORT_PERMISSION:
        return 3;
    case RAPPORT_NOTFOUND:
        return 4;
    case RAPPORT_UNREACHABLE:
    case RAPPORT_TIMEOUT:
        return 5;
    case RAPPORT_MALFORMED:
    case RAPPORT_TRUNCATED:
        return 65;
    default:
        return 1;
    }
}

/* ---- arguments ---- */

static const msgpack_object *arg(const struct call *c, const char *key)
{
    for (uint32_t i = 0; c->args && i < c->args->size; i++) {
        const msgpack_object_kv *kv = &c->args->ptr[i];
        if (kv->key.type == MSGPACK_OBJECT_STR &&
            slice_equal(slice_of(kv->key.via.str.ptr, kv->key.via.str.size), slice_str(key)))
            return &kv->val;
    }
    return NULL;
}

bool arg_str(const struct call *c, const char *key, struct slice *out)
{
    const msgpack_object *o = arg(c, key);
    if (!o || o->type != MSGPACK_OBJECT_STR)
        return false;
    *out = slice_of(o->via.str.ptr, o->via.str.size);
    return true;
}

bool arg_bytes(const struct call *c, const char *key, struct slice *out)
{
    const msgpack_object *o = arg(c, key);
    if (o && o->type == MSGPACK_OBJECT_BIN) {
        *out = slice_of(o->via.bin.ptr, o->via.bin.size);
        return true;
    }
    return arg_str(c, key, out);
}

bool arg_u64(const struct call *c, const char *key, uint64_t *out)
{
    const msgpack_object *o = arg(c, key);
    if (!o || o->type != MSGPACK_OBJECT_POSITIVE_INTEGER)
        return false;
    *out = o->via.u64;
    return true;
}

bool arg_bool(const struct call *c, const char *key)
{
    const msgpack_object *o = arg(c, key);
    return o && o->type == MSGPACK_OBJECT_BOOLEAN && o->via.boolean;
}

const char *arg_cstr(struct call *c, const char *key)
{
    struct slice s;
    if (!arg_str(c, key, &s) || s.len == 0 || memchr(s.ptr, 0, s.len))
        return NULL;
    return arena_copy(&c->arena, s.ptr, s.len);
}

/* ---- reply ---- */

struct buf *field(struct call *c, const char *key)
{
    c->n_fields++;
    mp_put_cstr(&c->fields, key);
    return &c->fields;
}

void put_str(struct buf *b, const char *key, const char *value)
{
    mp_put_cstr(b, key);
    mp_put_cstr(b, value ? value : "");
}

void put_u64(struct buf *b, const char *key, uint64_t value)
{
    mp_put_cstr(b, key);
    mp_put_u64(b, value);
}

void put_bool(struct buf *b, const char *key, bool value)
{
    mp_put_cstr(b, key);
    mp_put_bool(b, value);
}

void put_id(struct buf *b, const char *key, const uint8_t *id, size_t n)
{
    char hex[2 * RAPPORT_REPORT_ID_BYTES + 1];
    hex_encode(hex, id, n);
    put_str(b, key, hex);
}

void field_str(struct call *c, const char *key, const char *value)
{
    c->n_fields++;
    put_str(&c->fields, key, value);
}

void field_u64(struct call *c, const char *key, uint64_t value)
{
    c->n_fields++;
    put_u64(&c->fields, key, value);
}

void field_bool(struct call *c, const char *key, bool value)
{
    c->n_fields++;
    put_bool(&c->fields, key, value);
}

void field_rows(struct call *c, const char *key, struct rows *rows)
{
    mp_put_array(field(c, key), rows->n);
    buf_append_slice(&c->fields, buf_slice(&rows->buf));
    if (buf_error(&rows->buf) && !c->fields.error)
        c->fields.error = RAPPORT_NOMEM;
    buf_clear(&rows->buf);
}

int call_fail(struct call *c, int error, int exit, const char *format, ...)
{
    char raw[OPS_MOST_MESSAGE];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    size_t len = n < 0 ? 0 : (size_t)n < sizeof raw ? (size_t)n : sizeof raw - 1;
    buf_reset(&c->message);
    utf8_printable(&c->message, slice_of(raw, len), false);
    c->error = error;
    c->exit = exit ? exit : host_exit_of(error);
    return error;
}

int call_fail_edit(struct call *c, int error, const char *what)
{
    const char *failure = host_failure(c->h, NULL);
    if (failure)
        return call_fail(c, error, 1, "%s: %s", what, failure);
    if (error == RAPPORT_LIMIT)
        return call_fail(c, error, 0, "%s: a note holds at most %d MiB", what,
                         MIRROR_MOST_BYTES >> 20);
    return call_fail(c, error, 0, "%s: %s", what, rapport_strerror(error));
}

static void put_failure(struct call *c, struct buf *b)
{
    mp_put_cstr(b, "error");
    mp_put_map(b, 3);
    put_str(b, "code", rapport_errname(c->error));
    put_u64(b, "exit", (uint64_t)c->exit);
    mp_put_cstr(b, "message");
    mp_put_str(b, buf_slice(&c->message));
}

static void put_notices(struct call *c, struct buf *b)
{
    struct rows rows = {.buf = BUF_INIT};
    struct buf line = BUF_INIT;
    while (host_next_notice(c->h, &line)) {
        mp_put_str(&rows.buf, buf_slice(&line));
        rows.n++;
        buf_reset(&line);
    }
    mp_put_cstr(b, "notices");
    mp_put_array(b, rows.n);
    buf_append_slice(b, buf_slice(&rows.buf));
    buf_clear(&rows.buf);
    buf_clear(&line);
}

static int put_reply(struct call *c, struct buf *reply)
{
    struct buf whole = BUF_INIT;
    bool ambiguous = c->error && c->n_candidates;
    mp_put_map(&whole, 2 + (c->error ? 1 + (size_t)ambiguous : c->n_fields));
    put_bool(&whole, "ok", !c->error);
    put_notices(c, &whole);
    if (c->error)
        put_failure(c, &whole);
    else
        buf_append_slice(&whole, buf_slice(&c->fields));
    if (ambiguous) {
        mp_put_cstr(&whole, "candidates");
        mp_put_array(&whole, c->n_candidates);
        buf_append_slice(&whole, buf_slice(&c->candidates));
    }
    int error = c->fields.error ? c->fields.error : buf_error(&whole);
    if (!error)
        buf_append_slice(reply, buf_slice(&whole));
    buf_clear(&whole);
    return error ? error : buf_error(reply);
}

/* ---- one call ---- */

void host_settle(struct host *h)
{
    for (int i = 0; i < OPS_MOST_ROUNDS; i++) {
        if (mirror_take(h) || mirror_put(h) || !mirror_is_dirty(h))
            return;
    }
}

void call_to_disk(struct host *h)
{
    (void)host_flush(h);
    if (h->hooked && h->written > h->synced)
        host_synced(h, h->written, store_sync(h->store));
}

static void run(struct call *c, const struct op *op)
{
    if (op->folder)
        host_settle(c->h);
    int error = op->run(c);
    if (error && !c->error)
        (void)call_fail(c, error, 0, "%s: %s", op->name, rapport_strerror(error));
    if (op->folder && mirror_is_dirty(c->h) && !mirror_put(c->h) && mirror_is_dirty(c->h))
        host_settle(c->h); /* what came out in exchange was not what was known */
    if (op->writes)
        call_to_disk(c->h);
    const char *failure = host_failure(c->h, &error);
    if (op->writes && failure && !c->error)
        (void)call_fail(c, error, 1, "%s", failure);
}

static void call_request(struct call *c, const msgpack_object *root)
{
    const msgpack_object *items = root->via.array.ptr;
    if (root->type != MSGPACK_OBJECT_ARRAY || root->via.array.size != 2 ||
        items[0].type != MSGPACK_OBJECT_STR || items[1].type != MSGPACK_OBJECT_MAP) {
        (void)call_fail(c, RAPPORT_MALFORMED, 2, "a request is [op, {arguments}]");
        return;
    }
    struct slice name = slice_of(items[0].via.str.ptr, items[0].via.str.size);
    const struct op *op = find_op(name);
    if (!op) {
        (void)call_fail(c, RAPPORT_NOTFOUND, 2,
                        "there is no verb \"%.*s\" here; another version of "
                        "rapport may be running",
                        (int)(name.len < 64 ? name.len : 64), (const char *)name.ptr);
        return;
    }
    c->args = &items[1].via.map;
    run(c, op);
}

int host_call(struct host *h, struct slice request, struct buf *reply)
{
    struct call c = {.h = h, .arena = ARENA_INIT};
    struct mp_doc doc = {0};
    h->calling = true;
    int error = request.len > OPS_MOST_REQUEST_BYTES ? RAPPORT_LIMIT
                                                     : mp_open(&doc, request, OPS_MOST_ITEMS);
    if (error)
        (void)call_fail(&c, error, 2, "this request cannot be read: %s", rapport_strerror(error));
    else
        call_request(&c, &doc.root);
    error = put_reply(&c, reply);
    h->calling = false;
    mp_close(&doc);
    buf_clear(&c.fields);
    buf_clear(&c.message);
    buf_clear(&c.candidates);
    arena_clear(&c.arena);
    return error;
}
