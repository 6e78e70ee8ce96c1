/* A request on the control socket, and an address that a person typed: no bytes may harm either. */
#include <stdlib.h>

#include "daemon/pack.h"
#include "rapport/uv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_request(struct slice bytes)
{
    struct pack_request r;
    char *text = NULL, *texts[PACK_MOST_STRINGS];
    size_t n;
    uint64_t number;
    (void)pack_op(bytes);
    (void)pack_value(bytes, "peers");
    if (pack_open(&r, bytes))
        return;
    if (pack_text(&r, "dir", &text))
        free(text);
    if (pack_texts(&r, "listen", texts, &n))
        pack_free_texts(texts, n);
    (void)pack_u64(&r, "wait_s", &number);
    pack_close(&r);
}

static void try_address(const uint8_t *data, size_t size)
{
    struct rapport_address a, again;
    char printed[RAPPORT_ADDRESS_TEXT], *text = strndup((const char *)data, size);
    if (text && !rapport_address_parse(text, 1, &a) &&
        (rapport_address_parse(rapport_address_print(&a, printed), 1, &again) ||
         again.port != a.port))
        abort();
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_request(slice_of(data, size));
    try_address(data, size);
    return 0;
}
