/*
 * fuzz_have.c - a have vector from a peer.
 *
 * Held: what decodes is written again as the same bytes (so there is one encoding of each vector),
 * its rows ascend, and it includes itself.
 */
#include <assert.h>

#include "log/have.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_decoded(const struct have *h, struct slice bytes)
{
    assert(h->n <= LOGS_MOST && have_includes(h, h));
    for (size_t i = 0; i < h->n; i++) {
        assert(h->rows[i].next >= 1 && h->rows[i].next <= DELTA_MOST_NUMBER);
        assert(have_get(h, h->rows[i].log) == h->rows[i].next);
    }
    struct buf again = BUF_INIT;
    mp_put_array(&again, 1);
    have_encode(h, &again);
    assert(buf_error(&again) || slice_equal(buf_slice(&again), bytes));
    buf_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mp_doc doc;
    struct have h = HAVE_INIT;
    if (mp_open(&doc, slice_of(data, size), MP_MOST_ITEMS) != 0)
        return 0;
    int error = 0;
    struct mp_array root = mp_root(&doc, &error);
    if (have_decode(&root, &h) == 0 && mp_end(&root) == 0)
        check_decoded(&h, slice_of(data, size));
    mp_close(&doc);
    have_clear(&h);
    return 0;
}
