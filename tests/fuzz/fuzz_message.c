/* fuzz_message.c - any bytes as messages one after the other, as a frame holds them. */
#include "sync/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data, size);
    struct message m;
    size_t len = 0;
    while (message_length(rest, &len) == 0) {
        message_decode(slice_of(rest.ptr, len), &m);
        rest = slice_skip(rest, len);
    }
    message_decode(rest, &m);
    return 0;
}
