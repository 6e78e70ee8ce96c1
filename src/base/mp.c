/* mp.c - strict msgpack over msgpack-c (see mp.h; msgpack specification, "Formats"). */
#include "base/mp.h"

#include "base/reader.h"
#include "base/utf8.h"
#include "rapport/error.h"

/* Values still to come at each depth; the walk never recurses. */
struct mp_walk {
    struct reader r;
    uint64_t left[MP_MOST_DEPTH + 1];
    unsigned depth;
    size_t items_left;
};

static void walk_enter(struct mp_walk *w, uint64_t n)
{
    if (n > w->r.rest.len)
        reader_fail(&w->r, RAPPORT_TRUNCATED);
    else if (w->depth == MP_MOST_DEPTH)
        reader_fail(&w->r, RAPPORT_LIMIT);
    else
        w->left[++w->depth] = n;
}

/* A big-endian integer of 2^size_log2 bytes that a shorter form could not hold. */
static uint64_t walk_number(struct mp_walk *w, unsigned size_log2, uint64_t shorter_max)
{
    uint64_t v = size_log2 == 0   ? reader_u8(&w->r)
                 : size_log2 == 1 ? reader_u16be(&w->r)
                 : size_log2 == 2 ? reader_u32be(&w->r)
                                  : reader_u64be(&w->r);
    if (v <= shorter_max)
        reader_fail(&w->r, RAPPORT_MALFORMED);
    return v;
}

static void walk_str(struct mp_walk *w, uint64_t len)
{
    if (len > w->r.rest.len)
        reader_fail(&w->r, RAPPORT_TRUNCATED);
    else if (!utf8_valid(reader_bytes(&w->r, (size_t)len)))
        reader_fail(&w->r, RAPPORT_MALFORMED);
}

static void walk_bin(struct mp_walk *w, uint64_t len)
{
    if (len > w->r.rest.len)
        reader_fail(&w->r, RAPPORT_TRUNCATED);
    else
        reader_bytes(&w->r, (size_t)len);
}

/* Signed forms are minimal only when negative and below what the next shorter form reaches. */
static void walk_signed(struct mp_walk *w, unsigned size_log2)
{
    static const int64_t shorter_min[] = {-32, INT8_MIN, INT16_MIN, INT32_MIN};
    int64_t v = size_log2 == 0   ? (int8_t)reader_u8(&w->r)
                : size_log2 == 1 ? (int16_t)reader_u16be(&w->r)
                : size_log2 == 2 ? (int32_t)reader_u32be(&w->r)
                                 : (int64_t)reader_u64be(&w->r);
    if (v >= shorter_min[size_log2])
        reader_fail(&w->r, RAPPORT_MALFORMED);
}

static void walk_value(struct mp_walk *w)
{
    static const uint64_t unsigned_shorter[] = {0x7f, 0xff, 0xffff, 0xffffffff};
    uint8_t tag = reader_u8(&w->r);
    if (w->r.error || tag < 0x80 || tag >= 0xe0)
        return;
    if (tag < 0x90)
        walk_enter(w, 2u * (tag & 15u));
    else if (tag < 0xa0)
        walk_enter(w, tag & 15u);
    else if (tag < 0xc0)
        walk_str(w, tag & 31u);
    else if (tag == 0xc2 || tag == 0xc3)
        return;
    else if (tag == 0xc4)
        walk_bin(w, reader_u8(&w->r));
    else if (tag == 0xc5 || tag == 0xc6)
        walk_bin(w, walk_number(w, tag - 0xc4u, tag == 0xc5 ? 0xff : 0xffff));
    else if (tag >= 0xcc && tag <= 0xcf)
        walk_number(w, tag - 0xccu, unsigned_shorter[tag - 0xcc]);
    else if (tag >= 0xd0 && tag <= 0xd3)
        walk_signed(w, tag - 0xd0u);
    else if (tag == 0xd9)
        walk_str(w, walk_number(w, 0, 31));
    else if (tag == 0xda || tag == 0xdb)
        walk_str(w, walk_number(w, tag - 0xd9u, tag == 0xda ? 0xff : 0xffff));
    else if (tag == 0xdc || tag == 0xdd)
        walk_enter(w, walk_number(w, tag - 0xdbu, tag == 0xdc ? 15 : 0xffff));
    else if (tag == 0xde || tag == 0xdf)
        walk_enter(w, 2 * walk_number(w, tag - 0xddu, tag == 0xde ? 15 : 0xffff));
    else
        reader_fail(&w->r, RAPPORT_MALFORMED);
}

int mp_check_prefix(struct slice bytes, size_t max_items, size_t *len)
{
    struct mp_walk w = {.r = reader_of(bytes), .left = {1}, .items_left = max_items};
    while (!w.r.error) {
        while (w.left[w.depth] == 0 && w.depth > 0)
            w.depth--;
        if (w.left[w.depth] == 0) {
            *len = bytes.len - w.r.rest.len;
            return 0;
        }
        w.left[w.depth]--;
        if (w.items_left-- == 0)
            return RAPPORT_LIMIT;
        walk_value(&w);
    }
    return w.r.error;
}

int mp_check(struct slice bytes, size_t max_items)
{
    size_t len = 0;
    int error = mp_check_prefix(bytes, max_items, &len);
    return error ? error : len == bytes.len ? 0 : RAPPORT_MALFORMED;
}

int mp_open(struct mp_doc *doc, struct slice bytes, size_t max_items)
{
    int error = mp_check(bytes, max_items);
    if (error)
        return error;
    msgpack_zone *zone = msgpack_zone_new(MSGPACK_ZONE_CHUNK_SIZE);
    if (!zone)
        return RAPPORT_NOMEM;
    size_t off = 0;
    msgpack_object root;
    int result = msgpack_unpack((const char *)bytes.ptr, bytes.len, &off, zone, &root);
    if (result != MSGPACK_UNPACK_SUCCESS) {
        msgpack_zone_free(zone);
        return result == MSGPACK_UNPACK_NOMEM_ERROR ? RAPPORT_NOMEM : RAPPORT_MALFORMED;
    }
    doc->zone = zone;
    doc->root = root;
    return 0;
}

void mp_close(struct mp_doc *doc)
{
    if (doc->zone)
        msgpack_zone_free(doc->zone);
    doc->zone = NULL;
}

static struct mp_array array_of(const msgpack_object *o, int *error)
{
    return (struct mp_array){o->via.array.ptr, o->via.array.size, 0, error};
}

struct mp_array mp_root(const struct mp_doc *doc, int *error)
{
    *error = doc->root.type == MSGPACK_OBJECT_ARRAY ? 0 : RAPPORT_MALFORMED;
    return *error ? (struct mp_array){NULL, 0, 0, error} : array_of(&doc->root, error);
}

void mp_fail(struct mp_array *a, int error)
{
    if (!*a->error)
        *a->error = error;
}

msgpack_object_type mp_peek(const struct mp_array *a)
{
    return mp_more(a) ? a->items[a->at].type : MSGPACK_OBJECT_NIL;
}

static const msgpack_object *take(struct mp_array *a, msgpack_object_type type)
{
    if (mp_peek(a) != type) {
        mp_fail(a, RAPPORT_MALFORMED);
        return NULL;
    }
    return &a->items[a->at++];
}

uint64_t mp_u64(struct mp_array *a, uint64_t max)
{
    const msgpack_object *o = take(a, MSGPACK_OBJECT_POSITIVE_INTEGER);
    if (o && o->via.u64 > max)
        mp_fail(a, RAPPORT_LIMIT);
    return *a->error ? 0 : o->via.u64;
}

int64_t mp_i64(struct mp_array *a)
{
    if (mp_peek(a) == MSGPACK_OBJECT_POSITIVE_INTEGER)
        return (int64_t)mp_u64(a, INT64_MAX);
    const msgpack_object *o = take(a, MSGPACK_OBJECT_NEGATIVE_INTEGER);
    return o ? o->via.i64 : 0;
}

bool mp_bool(struct mp_array *a)
{
    const msgpack_object *o = take(a, MSGPACK_OBJECT_BOOLEAN);
    return o && o->via.boolean;
}

struct slice mp_bin(struct mp_array *a, size_t min, size_t max)
{
    const msgpack_object *o = take(a, MSGPACK_OBJECT_BIN);
    if (o && (o->via.bin.size < min || o->via.bin.size > max))
        mp_fail(a, RAPPORT_LIMIT);
    return *a->error ? (struct slice){0} : slice_of(o->via.bin.ptr, o->via.bin.size);
}

struct slice mp_str(struct mp_array *a, size_t max)
{
    const msgpack_object *o = take(a, MSGPACK_OBJECT_STR);
    if (o && o->via.str.size > max)
        mp_fail(a, RAPPORT_LIMIT);
    return *a->error ? (struct slice){0} : slice_of(o->via.str.ptr, o->via.str.size);
}

void mp_bin_copy(struct mp_array *a, void *out, size_t n)
{
    struct slice s = mp_bin(a, n, n);
    if (s.len == n && n)
        memcpy(out, s.ptr, n);
}

struct mp_array mp_sub(struct mp_array *a, size_t min, size_t max)
{
    const msgpack_object *o = take(a, MSGPACK_OBJECT_ARRAY);
    if (o && (o->via.array.size < min || o->via.array.size > max))
        mp_fail(a, RAPPORT_LIMIT);
    return *a->error ? (struct mp_array){NULL, 0, 0, a->error} : array_of(o, a->error);
}

void mp_skip(struct mp_array *a)
{
    if (mp_more(a))
        a->at++;
    else
        mp_fail(a, RAPPORT_MALFORMED);
}

bool mp_more(const struct mp_array *a)
{
    return !*a->error && a->at < a->n;
}

int mp_end(struct mp_array *a)
{
    if (!*a->error && a->at < a->n)
        *a->error = RAPPORT_MALFORMED;
    return *a->error;
}

static int write_to_buf(void *data, const char *bytes, size_t n)
{
    buf_append(data, bytes, n);
    return 0;
}

static msgpack_packer packer(struct buf *b)
{
    msgpack_packer p;
    msgpack_packer_init(&p, b, write_to_buf);
    return p;
}

void mp_put_array(struct buf *b, size_t n)
{
    msgpack_packer p = packer(b);
    msgpack_pack_array(&p, n);
}

void mp_put_map(struct buf *b, size_t n)
{
    msgpack_packer p = packer(b);
    msgpack_pack_map(&p, n);
}

void mp_put_u64(struct buf *b, uint64_t v)
{
    msgpack_packer p = packer(b);
    msgpack_pack_uint64(&p, v);
}

void mp_put_i64(struct buf *b, int64_t v)
{
    msgpack_packer p = packer(b);
    msgpack_pack_int64(&p, v);
}

void mp_put_bool(struct buf *b, bool v)
{
    msgpack_packer p = packer(b);
    if (v)
        msgpack_pack_true(&p);
    else
        msgpack_pack_false(&p);
}

void mp_put_bin(struct buf *b, const void *ptr, size_t n)
{
    msgpack_packer p = packer(b);
    msgpack_pack_bin(&p, n);
    buf_append(b, ptr, n);
}

void mp_put_str(struct buf *b, struct slice s)
{
    msgpack_packer p = packer(b);
    msgpack_pack_str(&p, s.len);
    buf_append_slice(b, s);
}

void mp_put_cstr(struct buf *b, const char *str)
{
    mp_put_str(b, slice_str(str));
}
