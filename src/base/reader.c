/* reader.c - bounded reader with a sticky error (see reader.h). */
#include "base/reader.h"

#include "rapport/error.h"

struct slice reader_bytes(struct reader *r, size_t n)
{
    if (r->error)
        return (struct slice){0};
    if (n > r->rest.len) {
        r->error = RAPPORT_TRUNCATED;
        return (struct slice){0};
    }
    struct slice s = {r->rest.ptr, n};
    r->rest = slice_skip(r->rest, n);
    return s;
}

uint8_t reader_u8(struct reader *r)
{
    struct slice s = reader_bytes(r, 1);
    return s.len ? s.ptr[0] : 0;
}

static uint64_t read_be(struct reader *r, size_t n)
{
    struct slice s = reader_bytes(r, n);
    uint64_t v = 0;
    for (size_t i = 0; i < s.len; i++)
        v = v << 8 | s.ptr[i];
    return v;
}

uint16_t reader_u16be(struct reader *r)
{
    return (uint16_t)read_be(r, 2);
}

uint32_t reader_u32be(struct reader *r)
{
    return (uint32_t)read_be(r, 4);
}

uint64_t reader_u64be(struct reader *r)
{
    return read_be(r, 8);
}

uint64_t reader_varint(struct reader *r, uint64_t max)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        uint8_t byte = reader_u8(r);
        if (r->error)
            return 0;
        if (shift == 63 && byte > 1) {
            reader_fail(r, RAPPORT_LIMIT);
            return 0;
        }
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte & 0x80)
            continue;
        if (byte == 0 && shift > 0)
            reader_fail(r, RAPPORT_MALFORMED);
        else if (v > max)
            reader_fail(r, RAPPORT_LIMIT);
        return r->error ? 0 : v;
    }
    reader_fail(r, RAPPORT_LIMIT);
    return 0;
}

struct slice reader_rest(struct reader *r)
{
    return reader_bytes(r, r->rest.len);
}

void reader_fail(struct reader *r, int error)
{
    if (!r->error)
        r->error = error;
}

int reader_end(struct reader *r)
{
    if (!r->error && r->rest.len)
        r->error = RAPPORT_MALFORMED;
    return r->error;
}
