/*
 * fuzz_frame.c - any bytes into a listener, a dialler and a session that is open.
 *
 * The first byte says in how large pieces the rest comes. For the open session the bytes are also
 * what the peer, which has the keys, says inside of frames: else nothing would get past the tag.
 */
#include <stdlib.h>

#include "rapport/error.h"
#include "sync/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct session *make(bool dialler, uint8_t number)
{
    static const uint8_t psk[1][NOISE_KEY_BYTES] = {{1}};
    uint8_t seed[DEVICE_KEY_BYTES] = {number};
    struct device_keys keys;
    struct session *s = NULL;
    device_keys_from_seed(&keys, seed);
    struct session_config config = {
        .dialler = dialler, .keys = &keys, .psks = psk, .n_psks = 1, .ephemeral = {number}};
    if (session_create(&config, &s))
        abort();
    return s;
}

static void drain(struct session *s)
{
    struct session_event event;
    while (session_next(s, &event))
        if (event.kind == SESSION_KEY)
            session_accept(s, 0);
}

static void pass(struct session *from, struct session *to)
{
    struct slice out = session_output(from);
    session_receive(to, out, 0);
    session_output_taken(from, out.len);
    drain(to);
}

static void feed(struct session *s, struct slice bytes, size_t piece)
{
    while (bytes.len > 0) {
        size_t n = bytes.len < piece ? bytes.len : piece;
        session_receive(s, slice_of(bytes.ptr, n), 0);
        drain(s);
        bytes = slice_skip(bytes, n);
    }
    session_destroy(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t piece = (size_t)data[0] * 4 + 1;
    struct slice bytes = slice_of(data + 1, size - 1);
    feed(make(false, 1), bytes, piece);
    feed(make(true, 1), bytes, piece);

    struct session *d = make(true, 1), *l = make(false, 2);
    pass(d, l);
    pass(l, d);
    pass(d, l);
    session_send(d, bytes);
    pass(d, l);
    session_destroy(d);
    feed(l, bytes, piece);
    return 0;
}
