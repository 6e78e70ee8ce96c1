/*
 * fuzz_mp.c - the msgpack gate: whatever passes mp_check is what msgpack-c decodes, in full.
 *
 * First byte: the limit of values, in steps of 4; the rest is the input. Held: what is accepted
 * decodes to at most that many values and at most MP_MOST_DEPTH deep, and written again by our
 * writer gives the same bytes (so there is one encoding of each value); the prefix form agrees with
 * the whole form.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/mp.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Writes `o` again and counts its values. */
static size_t put_again(struct buf *b, const msgpack_object *o, unsigned depth)
{
    size_t n = 1;
    switch (o->type) {
    case MSGPACK_OBJECT_BOOLEAN:
        mp_put_bool(b, o->via.boolean);
        return 1;
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        mp_put_u64(b, o->via.u64);
        return 1;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        mp_put_i64(b, o->via.i64);
        return 1;
    case MSGPACK_OBJECT_STR:
        assert(utf8_valid(slice_of(o->via.str.ptr, o->via.str.size)));
        mp_put_str(b, slice_of(o->via.str.ptr, o->via.str.size));
        return 1;
    case MSGPACK_OBJECT_BIN:
        mp_put_bin(b, o->via.bin.ptr, o->via.bin.size);
        return 1;
    case MSGPACK_OBJECT_ARRAY:
        assert(depth < MP_MOST_DEPTH);
        mp_put_array(b, o->via.array.size);
        for (uint32_t i = 0; i < o->via.array.size; i++)
            n += put_again(b, &o->via.array.ptr[i], depth + 1);
        return n;
    case MSGPACK_OBJECT_MAP:
        assert(depth < MP_MOST_DEPTH);
        mp_put_map(b, o->via.map.size);
        for (uint32_t i = 0; i < o->via.map.size; i++) {
            n += put_again(b, &o->via.map.ptr[i].key, depth + 1);
            n += put_again(b, &o->via.map.ptr[i].val, depth + 1);
        }
        return n;
    case MSGPACK_OBJECT_NIL:
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
    case MSGPACK_OBJECT_EXT:
        break;
    }
    abort(); /* a type that the gate must have refused */
}

static void check_document(struct slice bytes, size_t max_items)
{
    struct mp_doc doc;
    assert(mp_open(&doc, bytes, max_items) == 0);
    struct buf again = BUF_INIT;
    size_t n = put_again(&again, &doc.root, 0);
    assert(n <= max_items);
    assert(slice_equal(buf_slice(&again), bytes));
    assert(n == 0 || mp_check(bytes, n - 1) != 0);
    buf_clear(&again);
    mp_close(&doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    size_t max_items = 4u * data[0], len = 0;
    struct slice bytes = slice_of(data + 1, size - 1);
    int error = mp_check(bytes, max_items);
    int prefix_error = mp_check_prefix(bytes, max_items, &len);
    assert(len <= bytes.len && (len == 0) == (prefix_error != 0));
    assert((error == 0) == (prefix_error == 0 && len == bytes.len));
    if (prefix_error == 0)
        check_document(slice_of(bytes.ptr, len), max_items);
    struct mp_doc doc;
    if (error)
        assert(mp_open(&doc, bytes, max_items) == error);
    return 0;
}
