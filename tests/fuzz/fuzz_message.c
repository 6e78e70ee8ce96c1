/* fuzz_message.c - any bytes as messages one after the other, as a frame holds them. */
#include <assert.h>

#include "rapport/error.h"
#include "sync/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read as PEERS can be written, and says the same. */
static void write_again(const struct message *m)
{
    struct buf out = BUF_INIT;
    struct message again;
    if (m->type != MESSAGE_PEERS)
        return;
    message_put_peers(&out, &m->peers);
    if (!buf_error(&out)) {
        int error = message_decode(buf_slice(&out), &again);
        assert(error == RAPPORT_NOMEM || (!error && again.peers.n == m->peers.n));
        assert(error || memcmp(&again.peers, &m->peers, sizeof m->peers) == 0);
    }
    buf_clear(&out);
}

static void decode(struct slice bytes)
{
    struct message m;
    if (message_decode(bytes, &m) == 0)
        write_again(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data, size);
    size_t len = 0;
    while (message_length(rest, &len) == 0) {
        decode(slice_of(rest.ptr, len));
        rest = slice_skip(rest, len);
    }
    decode(rest);
    return 0;
}
