/*
 * fuzz_delta.c - one delta from a peer, whole and in the wire form.
 *
 * Held: what decodes keeps the limits, its parts lie inside its bytes, the wire form put back gives
 * the same bytes; a log set takes nothing that is not signed.
 */
#include <assert.h>

#include "log/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t report_id[REPORT_ID_BYTES] = {1, 2, 3, 4, 5, 6, 7, 8};

static void check_inside(struct slice part, struct slice whole)
{
    assert(part.ptr >= whole.ptr && part.len <= whole.len);
    assert((size_t)(part.ptr - whole.ptr) <= whole.len - part.len);
}

static void check_decoded(const struct delta *d)
{
    assert(d->bytes.len <= DELTA_MOST_BYTES && d->n_deps <= DELTA_MOST_DEPS);
    assert(d->end > d->first && d->end - d->first <= DELTA_MOST_EVENTS);
    assert(d->end <= DELTA_MOST_NUMBER && d->lamport <= DELTA_MOST_NUMBER);
    check_inside(d->header, d->bytes);
    check_inside(d->payload, d->bytes);
    check_inside(d->signature, d->bytes);
    struct buf wire = BUF_INIT, back = BUF_INIT;
    struct slice prev;
    delta_elide(d, &wire);
    if (buf_error(&wire) == 0 && delta_restore(buf_slice(&wire), d->log, d->prev, &back) == 0)
        assert(slice_equal(buf_slice(&back), d->bytes));
    assert(delta_prev(d->bytes, &prev) == 0 && slice_equal(prev, d->prev));
    buf_clear(&wire);
    buf_clear(&back);
}

static void check_accepted(const struct delta *d)
{
    struct log_set set;
    struct log_outcome outcome;
    log_set_init(&set, report_id, 1);
    if (log_accept(&set, d, 1, &outcome) == 0 && outcome.n_accepted)
        assert(d->first == 0 && delta_signed_by(d, d->prev.ptr, report_id));
    log_set_clear(&set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t log[LOG_ID_BYTES], prev[HASH_BYTES];
    struct buf restored = BUF_INIT;
    struct slice input = slice_of(data, size), found;
    struct delta d;
    if (delta_decode(input, report_id, &d) == 0) {
        check_decoded(&d);
        check_accepted(&d);
    }
    if (delta_prev(input, &found) == 0)
        check_inside(found, input);
    if (delta_restore(input, log, slice_of(prev, sizeof prev), &restored) == 0 &&
        delta_decode(buf_slice(&restored), report_id, &d) == 0)
        check_decoded(&d);
    buf_clear(&restored);
    return 0;
}
