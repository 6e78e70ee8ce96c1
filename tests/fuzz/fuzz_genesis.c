/*
 * fuzz_genesis.c - genesis records: what is accepted holds an authentic card, and is refused when
 * one more byte follows; a failed check writes nothing.
 */
#include <assert.h>

#include "rapport/error.h"
#include "report/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct device_card card, before;
    memset(&card, 0x55, sizeof card);
    before = card;
    struct buf longer = BUF_INIT;
    if (genesis_check(slice_of(data, size), &card) != 0) {
        assert(memcmp(&card, &before, sizeof card) == 0);
        return 0;
    }
    assert(name_valid(slice_str(card.name)));
    buf_append(&longer, data, size);
    buf_u8(&longer, 0);
    assert(genesis_check(buf_slice(&longer), &card) != 0);
    buf_clear(&longer);
    return 0;
}
