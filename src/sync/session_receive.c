/*
 * session_receive.c - what comes in: handshake messages, then frames (see session.h).
 *
 *     -> psk, e          listener tries its psks in turn; none fits: closed without a word
 *     <- e, ee, s, es    dialler shows the key (SESSION_KEY) before it goes on
 *     -> s, se           listener shows the key before it says anything
 *
 * Payloads are zeros that pad each message to HANDSHAKE_BYTES; what a peer puts there is not looked
 * at. Every failure up to here is one and the same. Source: docs/protocol.md, "Wire".
 */
#include <sodium/utils.h>

#include "rapport/error.h"
#include "sync/session_state.h"

int session_start_noise(struct session *s, const uint8_t psk[NOISE_KEY_BYTES])
{
    uint8_t psks[1][NOISE_KEY_BYTES];
    memcpy(psks[0], psk, sizeof psks[0]);
    struct noise_config config = {.protocol = NOISE_RAPPORT,
                                  .initiator = s->dialler,
                                  .prologue = slice_str(SESSION_PROLOGUE),
                                  .s_private = s->noise_secret,
                                  .s_public = s->noise_public,
                                  .e_private = s->ephemeral,
                                  .psks = (const uint8_t(*)[NOISE_KEY_BYTES])psks,
                                  .n_psks = 1};
    int error = noise_init(&s->noise, &config);
    sodium_memzero(psks, sizeof psks);
    return error;
}

/* What the message that is written now is longer than its payload. */
static size_t overhead(const struct session *s)
{
    return s->state == SESSION_READ_1   ? NOISE_OVERHEAD_2
           : s->state == SESSION_READ_2 ? NOISE_OVERHEAD_1
                                        : NOISE_OVERHEAD_3;
}

int session_write_handshake(struct session *s)
{
    static const uint8_t zeros[HANDSHAKE_BYTES];
    struct slice payload = slice_of(zeros, HANDSHAKE_BYTES - overhead(s));
    size_t start = s->out.len;
    frame_put_header(&s->out, HANDSHAKE_BYTES);
    int error = buf_error(&s->out);
    if (!error)
        error = noise_write(&s->noise, payload, &s->out);
    if (error) {
        s->out.len = start;
        s->out.error = 0;
    }
    s->ping_ms = s->now_ms;
    return error;
}

static int read_handshake(struct session *s, struct slice sealed)
{
    struct buf payload = BUF_INIT;
    int error = noise_read(&s->noise, sealed, &payload);
    buf_clear(&payload);
    return error;
}

/* The psk that opens message 1 stays in s->noise. */
static int try_psks(struct session *s, struct slice sealed)
{
    int error = RAPPORT_AUTH;
    for (size_t i = 0; i < s->n_psks && error; i++) {
        error = session_start_noise(s, s->psks[i]);
        if (!error)
            error = read_handshake(s, sealed);
        if (error == RAPPORT_NOMEM)
            break;
        s->psk_index = i;
    }
    sodium_memzero(s->psks, s->n_psks * sizeof *s->psks);
    return error;
}

/* Message 1 begins with the dialler's ephemeral key. It is bound to no connection, so whoever has
   recorded one could have it answered, unreadably to him, and learn that a member listens here. */
static int refuse_seen(struct session_seen *seen, struct slice message)
{
    size_t n = seen->n < SESSION_MOST_SEEN ? seen->n : SESSION_MOST_SEEN;
    for (size_t i = 0; i < n; i++)
        if (memcmp(seen->ephemerals[i], message.ptr, SESSION_SEEN_BYTES) == 0)
            return RAPPORT_AUTH;
    memcpy(seen->ephemerals[seen->n++ % SESSION_MOST_SEEN], message.ptr, SESSION_SEEN_BYTES);
    return 0;
}

static int take_message_1(struct session *s, struct slice sealed)
{
    int error = try_psks(s, sealed);
    if (!error && s->seen)
        error = refuse_seen(s->seen, sealed);
    if (!error)
        error = session_write_handshake(s);
    if (!error)
        s->state = SESSION_READ_3;
    return error;
}

/* Message 2 or 3: the other's static key came with it. */
static int take_key(struct session *s, struct slice sealed, enum session_state next)
{
    int error = read_handshake(s, sealed);
    if (error)
        return error;
    const uint8_t *key = noise_remote_static(&s->noise);
    if (memcmp(key, s->noise_public, NOISE_KEY_BYTES) == 0)
        return RAPPORT_REFUSED;
    s->stats.rtt_ms = (uint32_t)(s->now_ms - s->ping_ms);
    s->stats.rtt_known = true;
    s->state = next;
    s->due.key = true;
    return 0;
}

/* A frame is one or more whole messages. What they say is looked at when they are asked for. */
static int check_messages(struct slice rest)
{
    while (rest.len > 0) {
        size_t len = 0;
        int error = message_length(rest, &len);
        if (error)
            return error;
        rest = slice_skip(rest, len);
    }
    return 0;
}

static int take_transport(struct session *s, struct slice sealed)
{
    size_t start = s->plain.len;
    int error = cipher_decrypt(&s->recv, (struct slice){0}, sealed, &s->plain);
    if (error)
        return error;
    cipher_rekey_when_due(&s->recv);
    session_heard(s);
    error = check_messages(slice_skip(buf_slice(&s->plain), start));
    if (error)
        s->plain.len = start;
    return error;
}

static int take_frame(struct session *s, struct slice sealed)
{
    s->stats.frames_in++;
    switch (s->state) {
    case SESSION_READ_1:
        return take_message_1(s, sealed);
    case SESSION_READ_2:
        return take_key(s, sealed, SESSION_ASK_2);
    case SESSION_READ_3:
        return take_key(s, sealed, SESSION_ASK_3);
    case SESSION_OPEN:
        return take_transport(s, sealed);
    case SESSION_ASK_2:
    case SESSION_ASK_3:
    case SESSION_ENDED:
        break;
    }
    return RAPPORT_STATE;
}

static bool waits_for_accept(const struct session *s)
{
    return s->state == SESSION_ASK_2 || s->state == SESSION_ASK_3;
}

static int hold(struct session *s, struct slice bytes)
{
    if (bytes.len > SESSION_MOST_HELD - s->held.len)
        return RAPPORT_LIMIT;
    buf_append_slice(&s->held, bytes);
    return buf_error(&s->held);
}

/* Strangers learn no difference; our own trouble and meeting ourselves are for us to know. */
static int same_for_all(const struct session *s, int error)
{
    bool handshake = s->state != SESSION_OPEN;
    bool ours = error == RAPPORT_NOMEM || error == RAPPORT_REFUSED;
    return handshake && !ours ? RAPPORT_AUTH : error;
}

static int take_frames(struct session *s, struct slice bytes)
{
    while (!waits_for_accept(s)) {
        enum frame_phase phase = s->state == SESSION_OPEN ? FRAME_TRANSPORT : FRAME_HANDSHAKE;
        struct slice sealed;
        int result = frame_next(&s->reader, phase, &bytes, &sealed);
        if (result <= 0)
            return result;
        int error = take_frame(s, sealed);
        if (error)
            return error;
    }
    return hold(s, bytes);
}

int session_take(struct session *s, struct slice bytes)
{
    int error = take_frames(s, bytes);
    return error ? session_fail(s, same_for_all(s, error)) : 0;
}

int session_receive(struct session *s, struct slice bytes, uint64_t now_ms)
{
    if (s->error)
        return s->error;
    if (s->plain_at < s->plain.len)
        return RAPPORT_STATE;
    s->plain_at = 0;
    buf_reset(&s->plain);
    s->now_ms = now_ms;
    s->stats.bytes_in += bytes.len;
    return session_take(s, bytes);
}
