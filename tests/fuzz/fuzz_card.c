/*
 * fuzz_card.c - device cards: whatever decodes shows a harmless name and has one encoding.
 *
 * First byte: even, the rest is an encoded card; odd, it is a name (then a card is made with it by
 * a fixed key and must come back). Held: a decoded card encodes to the very bytes it came from; a
 * failed call writes nothing; name_valid and card_make agree.
 */
#include <assert.h>

#include "crypto/device.h"
#include "rapport/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_bytes(struct slice bytes)
{
    struct device_card card, before;
    memset(&card, 0x55, sizeof card);
    before = card;
    if (card_decode(bytes, &card) != 0) {
        assert(memcmp(&card, &before, sizeof card) == 0);
        return;
    }
    struct buf again = BUF_INIT;
    card_encode(&card, &again);
    assert(slice_equal(buf_slice(&again), bytes));
    assert(name_valid(slice_str(card.name)));
    buf_clear(&again);
}

static void check_name(struct slice name)
{
    static const uint8_t seed[DEVICE_KEY_BYTES] = {1};
    struct device_keys keys;
    struct device_card card, back;
    device_keys_from_seed(&keys, seed);
    int error = card_make(&card, &keys, name, 1);
    assert((error == 0) == name_valid(name));
    if (error)
        return;
    struct buf bytes = BUF_INIT;
    card_encode(&card, &bytes);
    assert(bytes.len <= DEVICE_MOST_CARD);
    assert(card_decode(buf_slice(&bytes), &back) == 0);
    assert(slice_equal(slice_str(back.name), name));
    buf_clear(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] & 1)
        check_name(slice_of(data + 1, size - 1));
    else
        check_bytes(slice_of(data + 1, size - 1));
    return 0;
}
