/* pair.h - for tests of sessions: devices from small numbers, and one session made from them. */
#ifndef TESTS_SYNC_PAIR_H
#define TESTS_SYNC_PAIR_H

#include "sync/session.h"
#include "test.h"

enum {
    PAIR_DIALLER = 1, /* device numbers */
    PAIR_LISTENER = 2
};

static inline struct device_keys pair_device(uint8_t number)
{
    uint8_t seed[DEVICE_KEY_BYTES];
    struct device_keys keys;
    memset(seed, number, sizeof seed);
    device_keys_from_seed(&keys, seed);
    return keys;
}

static inline int pair_create_config(struct session_config config, uint8_t number,
                                     const char *epochs, struct session **out)
{
    static uint8_t psks[SESSION_MOST_PSKS + 1][NOISE_KEY_BYTES];
    struct device_keys keys = pair_device(number);
    config.keys = &keys;
    config.n_psks = strlen(epochs);
    config.psks = (const uint8_t(*)[NOISE_KEY_BYTES])psks;
    CHECK(config.n_psks <= SESSION_MOST_PSKS + 1);
    for (size_t i = 0; i < config.n_psks; i++)
        memset(psks[i], epochs[i], sizeof psks[i]);
    memset(config.ephemeral, 0x40 + number, sizeof config.ephemeral);
    return session_create(&config, out);
}

/* Makes a session of device `number` with the psks of these epochs ("1", "231"). */
static inline int pair_create(bool dialler, uint8_t number, const char *epochs,
                              struct session **out)
{
    return pair_create_config((struct session_config){.dialler = dialler}, number, epochs, out);
}

/* The same for a listener that remembers dials. */
static inline int pair_create_seen(uint8_t number, const char *epochs, struct session_seen *seen,
                                   struct session **out)
{
    return pair_create_config((struct session_config){.seen = seen}, number, epochs, out);
}

/* Hands all output of one session to the other. Returns what session_receive says. */
static inline int pair_pass(struct session *from, struct session *to, uint64_t now_ms)
{
    struct slice bytes = session_output(from);
    int error = bytes.len ? session_receive(to, bytes, now_ms) : 0;
    session_output_taken(from, bytes.len);
    return error;
}

/* Takes the next event and expects this kind. */
static inline struct session_event *pair_expect(struct session *s, enum session_event_kind kind)
{
    static struct session_event event;
    CHECK(session_next(s, &event));
    CHECK_EQ(event.kind, kind);
    return &event;
}

/* Two sessions that are ready, with no event left. */
static inline void pair_open(struct session **d, struct session **l)
{
    CHECK_EQ(pair_create(true, PAIR_DIALLER, "1", d), 0);
    CHECK_EQ(pair_create(false, PAIR_LISTENER, "1", l), 0);
    CHECK_EQ(pair_pass(*d, *l, 0), 0);
    CHECK_EQ(pair_pass(*l, *d, 0), 0);
    pair_expect(*d, SESSION_KEY);
    CHECK_EQ(session_accept(*d, 0), 0);
    pair_expect(*d, SESSION_READY);
    CHECK_EQ(pair_pass(*d, *l, 0), 0);
    pair_expect(*l, SESSION_KEY);
    CHECK_EQ(session_accept(*l, 0), 0);
    pair_expect(*l, SESSION_READY);
}

/* A PING whose cookie is eight times `c`. */
static inline void pair_put_ping(struct buf *b, char c)
{
    struct message_ping m;
    memset(&m, c, sizeof m);
    message_put_ping(b, &m);
}

static inline int pair_send_ping(struct session *s, char c)
{
    struct buf b = BUF_INIT;
    pair_put_ping(&b, c);
    int error = buf_error(&b) ? buf_error(&b) : session_send(s, buf_slice(&b));
    buf_clear(&b);
    return error;
}

#endif
