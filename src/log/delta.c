/*
 * delta.c - encoding, checking and sealing of one delta (layout: delta.h).
 *
 * Everything that a peer chose comes through base/mp.h with a named limit. Nothing here needs
 * another delta: chain, deps and lamport are log/accept.c's.
 */
#include "log/delta.h"

#include <assert.h>

#include "base/mp.h"
#include "base/reader.h"
#include "crypto/seal.h"
#include "rapport/error.h"

enum {
    DELTA_ITEMS = 12,
    ELIDED_ITEMS = 10,
    DEP_ITEMS = 3,
    FIXARRAY = 0x90,          /* msgpack's tag of a short array, plus its length */
    LOG_ITEM_BYTES = 2 + 16,  /* bin tag, length, bytes */
    HEAD_ITEMS_BYTES = 1 + 1, /* version and kind are one byte each */
    DEP_MOST_BYTES = 1 + 18 + 9 + 34,
    HEADER_MOST_BYTES = 2 + 18 + 10 + 9 + 3 + 9 + 9 + 50 + 3 + DELTA_MOST_DEPS * DEP_MOST_BYTES,
    MOST_ITEMS = 1 + DELTA_ITEMS + DELTA_MOST_DEPS * (1 + DEP_ITEMS),
};

_Static_assert(1 + HEADER_MOST_BYTES + 3 + DELTA_MOST_PAYLOAD + PAYLOAD_OVERHEAD + 2 + SIGN_BYTES <=
                   DELTA_MOST_BYTES,
               "every delta that keeps the single limits keeps the limit of the whole");

void log_id_of(uint8_t out[LOG_ID_BYTES], const uint8_t report_id[REPORT_ID_BYTES],
               const uint8_t origin[ORIGIN_BYTES])
{
    hash_of(out, LOG_ID_BYTES, "rapport log", slice_of(report_id, REPORT_ID_BYTES),
            slice_of(origin, ORIGIN_BYTES));
}

static void hash_delta(uint8_t out[HASH_BYTES], struct slice header, struct slice payload)
{
    uint8_t inner[HASH_BYTES];
    hash_of(inner, HASH_BYTES, "rapport payload", payload, (struct slice){0});
    hash_of(out, HASH_BYTES, "rapport delta", header, slice_of(inner, HASH_BYTES));
}

/* What the signature signs: so a delta of one report is worth nothing in another. */
struct signed_part {
    uint8_t bytes[REPORT_ID_BYTES + HASH_BYTES];
};

static struct signed_part signed_part_of(const uint8_t *report_id, const uint8_t *hash)
{
    struct signed_part p;
    memcpy(p.bytes, report_id, REPORT_ID_BYTES);
    memcpy(p.bytes + REPORT_ID_BYTES, hash, HASH_BYTES);
    return p;
}

/* ---- making ---- */

static void put_header(const struct delta_draft *t, struct buf *header)
{
    mp_put_u64(header, DELTA_VERSION);
    mp_put_u64(header, t->kind);
    mp_put_bin(header, t->log, LOG_ID_BYTES);
    mp_put_bin(header, t->epoch->id, EPOCH_ID_BYTES);
    mp_put_u64(header, t->first);
    mp_put_u64(header, t->count);
    mp_put_u64(header, t->lamport);
    mp_put_u64(header, t->wall_ms);
    mp_put_bin(header, t->prev.ptr, t->prev.len);
    mp_put_array(header, t->n_deps);
    for (size_t i = 0; i < t->n_deps; i++) {
        mp_put_array(header, DEP_ITEMS);
        mp_put_bin(header, t->deps[i].log, LOG_ID_BYTES);
        mp_put_u64(header, t->deps[i].end);
        mp_put_bin(header, t->deps[i].hash, HASH_BYTES);
    }
}

static bool draft_within_limits(const struct delta_draft *t)
{
    return t->count >= 1 && t->count <= DELTA_MOST_EVENTS && t->n_deps <= DELTA_MOST_DEPS &&
           t->plain.len <= DELTA_MOST_PAYLOAD && t->first <= DELTA_MOST_NUMBER - t->count &&
           t->lamport >= 1 && t->lamport <= DELTA_MOST_NUMBER;
}

static void assert_draft(const struct delta_draft *t)
{
    assert(t->prev.len == (t->first ? (size_t)HASH_BYTES : (size_t)ORIGIN_BYTES));
    for (size_t i = 0; i < t->n_deps; i++) {
        assert(memcmp(t->deps[i].log, t->log, LOG_ID_BYTES) != 0);
        assert(i == 0 || memcmp(t->deps[i - 1].log, t->deps[i].log, LOG_ID_BYTES) < 0);
    }
}

/* Seals and signs under a header that is complete; appends the whole delta. */
static int put_sealed(const struct delta_draft *t, struct slice header, struct buf *sealed,
                      struct buf *out)
{
    int error = payload_seal(t->epoch, header, t->plain, sealed);
    if (error)
        return error;
    uint8_t hash[HASH_BYTES], signature[SIGN_BYTES];
    hash_delta(hash, header, buf_slice(sealed));
    struct signed_part part = signed_part_of(t->report_id, hash);
    error = sign_make(signature, t->keys, SIGN_DELTA, slice_of(part.bytes, sizeof part.bytes));
    if (error)
        return error;
    mp_put_array(out, DELTA_ITEMS);
    buf_append_slice(out, header);
    mp_put_bin(out, sealed->ptr, sealed->len);
    mp_put_bin(out, signature, sizeof signature);
    return buf_error(out);
}

int delta_make(const struct delta_draft *draft, struct buf *out)
{
    if (!draft_within_limits(draft))
        return RAPPORT_LIMIT;
    assert_draft(draft);
    size_t before = out->len;
    struct buf header = BUF_INIT, sealed = BUF_INIT;
    put_header(draft, &header);
    int error = buf_error(&header);
    if (!error)
        error = put_sealed(draft, buf_slice(&header), &sealed, out);
    if (error)
        out->len = before;
    buf_clear(&header);
    buf_clear(&sealed);
    return error;
}

/* ---- decoding ---- */

static void read_version(struct mp_array *a)
{
    uint64_t version = mp_u64(a, UINT64_MAX);
    if (version != DELTA_VERSION)
        mp_fail(a, version > DELTA_VERSION ? RAPPORT_VERSION : RAPPORT_MALFORMED);
    else if (a->n != DELTA_ITEMS)
        mp_fail(a, RAPPORT_MALFORMED);
}

static void read_numbers(struct mp_array *a, struct delta *d)
{
    d->first = mp_u64(a, DELTA_MOST_NUMBER);
    uint64_t count = mp_u64(a, DELTA_MOST_EVENTS);
    d->lamport = mp_u64(a, DELTA_MOST_NUMBER);
    d->wall_ms = mp_u64(a, UINT64_MAX);
    if (count == 0 || d->lamport == 0)
        mp_fail(a, RAPPORT_MALFORMED);
    if (d->first > DELTA_MOST_NUMBER - count)
        mp_fail(a, RAPPORT_LIMIT);
    d->end = d->first + count;
}

static void read_deps(struct mp_array *a, struct delta *d)
{
    struct mp_array deps = mp_sub(a, 0, DELTA_MOST_DEPS);
    for (d->n_deps = 0; mp_more(&deps); d->n_deps++) {
        struct delta_dep *dep = &d->deps[d->n_deps];
        struct mp_array items = mp_sub(&deps, DEP_ITEMS, DEP_ITEMS);
        mp_bin_copy(&items, dep->log, LOG_ID_BYTES);
        dep->end = mp_u64(&items, DELTA_MOST_NUMBER);
        mp_bin_copy(&items, dep->hash, HASH_BYTES);
        if (mp_end(&items) != 0)
            return;
        bool ascending = d->n_deps == 0 || memcmp(dep[-1].log, dep->log, LOG_ID_BYTES) < 0;
        if (!ascending || dep->end == 0 || memcmp(dep->log, d->log, LOG_ID_BYTES) == 0)
            mp_fail(&items, RAPPORT_MALFORMED);
    }
}

/* Bytes that msgpack puts in front of a bin of this length. */
static size_t bin_tag_len(size_t len)
{
    return len <= UINT8_MAX ? 2 : len <= UINT16_MAX ? 3 : 5;
}

static int read_delta(struct mp_array *a, struct slice bytes, struct delta *d)
{
    read_version(a);
    d->kind = (enum delta_kind)mp_u64(a, DELTA_CONTROL);
    mp_bin_copy(a, d->log, LOG_ID_BYTES);
    mp_bin_copy(a, d->epoch, EPOCH_ID_BYTES);
    read_numbers(a, d);
    size_t prev_len = d->first ? HASH_BYTES : ORIGIN_BYTES;
    d->prev = mp_bin(a, prev_len, prev_len);
    read_deps(a, d);
    d->payload = mp_bin(a, PAYLOAD_OVERHEAD, PAYLOAD_OVERHEAD + DELTA_MOST_PAYLOAD);
    d->signature = mp_bin(a, SIGN_BYTES, SIGN_BYTES);
    int error = mp_end(a);
    if (error)
        return error;
    const uint8_t *header = bytes.ptr + 1; /* behind the array's tag */
    const uint8_t *header_end = d->payload.ptr - bin_tag_len(d->payload.len);
    d->header = slice_of(header, (size_t)(header_end - header));
    d->bytes = bytes;
    return 0;
}

static bool origin_fits(const struct delta *d, const uint8_t *report_id)
{
    uint8_t id[LOG_ID_BYTES];
    if (d->first > 0)
        return true;
    log_id_of(id, report_id, d->prev.ptr);
    return memcmp(id, d->log, LOG_ID_BYTES) == 0;
}

int delta_decode(struct slice bytes, const uint8_t report_id[REPORT_ID_BYTES], struct delta *out)
{
    if (bytes.len > DELTA_MOST_BYTES)
        return RAPPORT_LIMIT;
    struct mp_doc doc;
    int error = mp_open(&doc, bytes, MOST_ITEMS);
    if (error)
        return error;
    struct delta d;
    struct mp_array root = mp_root(&doc, &error);
    error = read_delta(&root, bytes, &d);
    mp_close(&doc);
    if (error)
        return error;
    if (!origin_fits(&d, report_id))
        return RAPPORT_MALFORMED;
    hash_delta(d.hash, d.header, d.payload);
    memcpy(out, &d, offsetof(struct delta, deps) + d.n_deps * sizeof d.deps[0]);
    return 0;
}

bool delta_signed_by(const struct delta *d, const uint8_t sign_public[32],
                     const uint8_t report_id[REPORT_ID_BYTES])
{
    struct signed_part part = signed_part_of(report_id, d->hash);
    return sign_verify(sign_public, SIGN_DELTA, slice_of(part.bytes, sizeof part.bytes),
                       d->signature.ptr) == 0;
}

int delta_open(const struct delta *d, const struct epoch_keys *epoch, struct buf *plain)
{
    if (memcmp(d->epoch, epoch->id, EPOCH_ID_BYTES) != 0)
        return RAPPORT_NOKEY;
    return payload_open(epoch, d->header, d->payload, plain);
}

/* ---- parts of encoded deltas ---- */

/* Takes n msgpack values off the front of r, whatever they are. */
static struct slice read_values(struct reader *r, size_t n)
{
    struct slice all = r->rest;
    while (n-- && !r->error) {
        size_t len = 0;
        int error = mp_check_prefix(r->rest, MOST_ITEMS, &len);
        if (error)
            reader_fail(r, error);
        reader_bytes(r, len);
    }
    return slice_of(all.ptr, all.len - r->rest.len);
}

static void read_tag(struct reader *r, size_t n_items)
{
    if (reader_u8(r) != FIXARRAY + n_items)
        reader_fail(r, RAPPORT_MALFORMED);
}

int delta_prev(struct slice bytes, struct slice *prev)
{
    struct reader r = reader_of(bytes);
    read_tag(&r, DELTA_ITEMS);
    read_values(&r, 8);
    struct slice item = read_values(&r, 1);
    if (r.error)
        return r.error;
    bool hash = item.len == 2 + HASH_BYTES, origin = item.len == 2 + ORIGIN_BYTES;
    if (item.ptr[0] != 0xc4 || (!hash && !origin))
        return RAPPORT_MALFORMED;
    *prev = slice_skip(item, 2);
    return 0;
}

void delta_elide(const struct delta *d, struct buf *out)
{
    const uint8_t *at = d->header.ptr;
    const uint8_t *behind_log = at + HEAD_ITEMS_BYTES + LOG_ITEM_BYTES;
    const uint8_t *prev = d->prev.ptr - bin_tag_len(d->prev.len);
    const uint8_t *behind_prev = d->prev.ptr + d->prev.len;
    const uint8_t *end = d->bytes.ptr + d->bytes.len;
    buf_u8(out, FIXARRAY + ELIDED_ITEMS);
    buf_append(out, at, HEAD_ITEMS_BYTES);
    buf_append(out, behind_log, (size_t)(prev - behind_log));
    buf_append(out, behind_prev, (size_t)(end - behind_prev));
}

int delta_restore(struct slice elided, const uint8_t log[LOG_ID_BYTES], struct slice prev,
                  struct buf *out)
{
    struct reader r = reader_of(elided);
    read_tag(&r, ELIDED_ITEMS);
    struct slice version_kind = read_values(&r, 2);
    struct slice epoch_to_wall = read_values(&r, 5);
    struct slice deps_to_end = read_values(&r, 3);
    int error = reader_end(&r);
    if (error)
        return error == RAPPORT_LIMIT ? RAPPORT_LIMIT : RAPPORT_MALFORMED;
    if (prev.len != HASH_BYTES && prev.len != ORIGIN_BYTES)
        return RAPPORT_MALFORMED;
    if (elided.len + LOG_ITEM_BYTES + 2 + prev.len > DELTA_MOST_BYTES)
        return RAPPORT_LIMIT;
    size_t before = out->len;
    mp_put_array(out, DELTA_ITEMS);
    buf_append_slice(out, version_kind);
    mp_put_bin(out, log, LOG_ID_BYTES);
    buf_append_slice(out, epoch_to_wall);
    mp_put_bin(out, prev.ptr, prev.len);
    buf_append_slice(out, deps_to_end);
    error = buf_error(out);
    if (error)
        out->len = before;
    return error;
}
