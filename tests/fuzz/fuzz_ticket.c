/*
 * fuzz_ticket.c - tickets: whatever decodes encodes to one text, which decodes to the same.
 *
 * First byte: even, the rest is a ticket's text; odd, it is the bytes of a body that gets its
 * checksum and base32 here, so that mutations come past both. Held: the canonical text is within
 * the limit, equals the input but for case, blanks and prefix, and a failed call writes nothing.
 */
#include <assert.h>

#include "base/hex.h"
#include "crypto/ticket.h"
#include "rapport/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As the encoder does, whatever the bytes are. */
static void wrap(struct slice body, struct buf *text)
{
    struct buf bytes = BUF_INIT;
    uint8_t sum[4];
    hash_of(sum, sizeof sum, "rapport ticket", slice_str("1"), body);
    buf_append_slice(&bytes, body);
    buf_append(&bytes, sum, sizeof sum);
    buf_append_str(text, "rapport1");
    base32_encode(text, buf_slice(&bytes));
    buf_clear(&bytes);
}

static void check_decoded(const struct ticket *t, struct slice text, bool exact)
{
    struct ticket again;
    struct buf canonical = BUF_INIT, twice = BUF_INIT;
    assert(ticket_encode(t, &canonical) == 0);
    assert(canonical.len <= text.len && canonical.len <= TICKET_MOST_TEXT);
    assert(!exact || slice_equal(buf_slice(&canonical), text));
    assert(ticket_decode(buf_slice(&canonical), &again) == 0);
    assert(ticket_encode(&again, &twice) == 0);
    assert(slice_equal(buf_slice(&canonical), buf_slice(&twice)));
    buf_clear(&canonical);
    buf_clear(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    bool wrapped = data[0] & 1;
    struct slice input = slice_of(data + 1, size - 1);
    struct buf text = BUF_INIT;
    if (wrapped)
        wrap(input, &text);
    struct ticket t, before;
    memset(&t, 0x55, sizeof t);
    before = t;
    int error = ticket_decode(wrapped ? buf_slice(&text) : input, &t);
    if (error == 0)
        check_decoded(&t, wrapped ? buf_slice(&text) : input, wrapped);
    else
        assert(memcmp(&t, &before, sizeof t) == 0);
    buf_clear(&text);
    return 0;
}
