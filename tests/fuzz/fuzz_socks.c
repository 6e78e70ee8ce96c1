/*
 * fuzz_socks.c - any bytes as what a SOCKS5 proxy says, in pieces of a size that the first byte
 * gives, and as the text that names a proxy.
 */
#include <stdlib.h>

#include "net/socks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void feed(struct slice bytes, size_t piece)
{
    const struct rapport_address to = {.family = 6, .port = 7171};
    struct socks s;
    uint8_t out[SOCKS_MOST_REQUEST];
    socks_init(&s, &to);
    int error = RAPPORT_AGAIN;
    while (bytes.len > 0 && error == RAPPORT_AGAIN) {
        size_t n = bytes.len < piece ? bytes.len : piece, used;
        error = socks_input(&s, slice_of(bytes.ptr, n), &used);
        if (used > n || socks_output(&s, out) > sizeof out)
            abort();
        bytes = slice_of(bytes.ptr + used, bytes.len - used);
    }
    if ((error == 0) != (s.state == SOCKS_OPEN))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct rapport_address address;
    char *text = malloc(size);
    if (!text)
        return 0;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    (void)socks_proxy(text, &address);
    free(text);
    feed(slice_of(data + 1, size - 1), (size_t)data[0] + 1);
    return 0;
}
