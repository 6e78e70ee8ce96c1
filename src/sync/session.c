/*
 * session.c - a session's life, what it sends, what it tells and when (see session.h).
 *
 * What comes in is session_receive.c. Sending works on one frame at a time: messages collect in
 * `pending` and are sealed when it is full or when somebody asks for output, so a burst of small
 * messages costs one tag and one write.
 */
#include "sync/session.h"

#include <assert.h>
#include <sodium/utils.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "rapport/error.h"
#include "sync/session_state.h"

enum {
    OUT_KEPT_BYTES = 64 * 1024 /* more room than this is given back when all is sent */
};

static void wipe_keys(struct session *s)
{
    noise_clear(&s->noise);
    cipher_clear(&s->send);
    cipher_clear(&s->recv);
    sodium_memzero(s->noise_secret, sizeof s->noise_secret);
    sodium_memzero(s->ephemeral, sizeof s->ephemeral);
    if (s->psks)
        sodium_memzero(s->psks, s->n_psks * sizeof *s->psks);
}

void session_destroy(struct session *s)
{
    if (!s)
        return;
    wipe_keys(s);
    free(s->psks);
    frame_reader_clear(&s->reader);
    buf_clear(&s->held);
    buf_wipe(&s->plain);
    buf_wipe(&s->pending);
    buf_clear(&s->out);
    sodium_memzero(s, sizeof *s);
    free(s);
}

static int start(struct session *s, const struct session_config *config)
{
    if (config->dialler) {
        int error = session_start_noise(s, config->psks[0]);
        return error ? error : session_write_handshake(s);
    }
    s->psks = malloc(config->n_psks * sizeof *s->psks);
    if (!s->psks)
        return RAPPORT_NOMEM;
    memcpy(s->psks, config->psks, config->n_psks * sizeof *s->psks);
    s->n_psks = config->n_psks;
    return 0;
}

int session_create(const struct session_config *config, struct session **out)
{
    if (config->n_psks < 1 || config->n_psks > (config->dialler ? 1 : SESSION_MOST_PSKS))
        return RAPPORT_INVALID;
    struct session *s = calloc(1, sizeof *s);
    if (!s)
        return RAPPORT_NOMEM;
    s->dialler = config->dialler;
    s->state = config->dialler ? SESSION_READ_2 : SESSION_READ_1;
    s->now_ms = s->stats.last_received_ms = config->now_ms;
    s->timer_ms = config->now_ms + SESSION_HANDSHAKE_MS;
    s->seen = config->seen;
    memcpy(s->noise_public, config->keys->noise_public, sizeof s->noise_public);
    memcpy(s->noise_secret, config->keys->noise_secret, sizeof s->noise_secret);
    memcpy(s->ephemeral, config->ephemeral, sizeof s->ephemeral);
    int error = start(s, config);
    if (error) {
        session_destroy(s);
        return error;
    }
    *out = s;
    return 0;
}

/* Sending */

/* Seals `pending` into `out`, which has room; on failure neither changes. */
static int seal_pending(struct session *s)
{
    if (s->pending.len == 0)
        return 0;
    size_t start = s->out.len;
    frame_put_header(&s->out, s->pending.len + FRAME_TAG_BYTES);
    int error = buf_error(&s->out);
    if (!error)
        error = cipher_encrypt(&s->send, (struct slice){0}, buf_slice(&s->pending), &s->out);
    if (error) {
        s->out.len = start;
        s->out.error = 0;
        return error;
    }
    cipher_rekey_when_due(&s->send);
    buf_reset(&s->pending);
    s->stats.frames_out++;
    return 0;
}

/* Makes room for n more bytes of plaintext, and for the frame that they will be in. */
static int make_room(struct session *s, size_t n)
{
    size_t sealed = FRAME_HEADER_BYTES + s->pending.len + n + FRAME_TAG_BYTES;
    if (buf_reserve(&s->pending, n) && buf_reserve(&s->out, sealed))
        return 0;
    s->pending.error = s->out.error = 0;
    return RAPPORT_NOMEM;
}

static int queue(struct session *s, struct slice message)
{
    int error = 0;
    if (s->pending.len + message.len > SESSION_SHARED_BYTES)
        error = seal_pending(s);
    if (!error)
        error = make_room(s, message.len);
    if (!error)
        buf_append_slice(&s->pending, message);
    return error;
}

int session_send(struct session *s, struct slice message)
{
    if (s->state != SESSION_OPEN)
        return RAPPORT_STATE;
    if (message.len == 0)
        return RAPPORT_INVALID;
    if (message.len > FRAME_MOST_PLAIN)
        return RAPPORT_LIMIT;
    return queue(s, message);
}

struct slice session_output(struct session *s)
{
    int error = s->state == SESSION_OPEN ? seal_pending(s) : 0;
    if (error)
        session_fail(s, error);
    return s->out.ptr ? slice_skip(buf_slice(&s->out), s->out_at) : (struct slice){0};
}

void session_output_taken(struct session *s, size_t n)
{
    assert(n <= s->out.len - s->out_at);
    s->out_at += n;
    s->stats.bytes_out += n;
    if (s->out_at < s->out.len)
        return;
    s->out_at = 0;
    buf_reset(&s->out);
    if (s->pending.len == 0 && s->out.cap > OUT_KEPT_BYTES)
        buf_clear(&s->out);
}

size_t session_queued(const struct session *s)
{
    return s->pending.len + s->out.len - s->out_at;
}

/* The end */

/* Queues a BYE as the last thing that is said; that it cannot be said is no error any more. */
static void say_bye(struct session *s, enum bye_code code, const char *text)
{
    struct slice all = slice_str(text);
    struct message_bye bye = {.code = code,
                              .text = slice_of(text, utf8_prefix(all, BYE_MOST_TEXT))};
    struct buf b = BUF_INIT;
    message_put_bye(&b, &bye);
    if (!buf_error(&b) && queue(s, buf_slice(&b)) == 0)
        seal_pending(s);
    buf_clear(&b);
}

static void end(struct session *s, int error)
{
    if (s->state != SESSION_OPEN) {
        buf_clear(&s->out);
        s->out_at = 0;
    }
    wipe_keys(s);
    buf_reset(&s->pending);
    s->state = SESSION_ENDED;
    s->error = error;
    s->due.key = s->due.ping = false;
    s->due.closed = true;
}

int session_fail(struct session *s, int error)
{
    if (s->error)
        return s->error;
    if (s->state == SESSION_OPEN) {
        if (error == RAPPORT_VERSION)
            say_bye(s, BYE_UNSUPPORTED, "a message that this version does not know");
        else if (error == RAPPORT_TIMEOUT)
            say_bye(s, BYE_TIMEOUT, "no answer");
        else if (error == RAPPORT_MALFORMED || error == RAPPORT_TRUNCATED || error == RAPPORT_LIMIT)
            say_bye(s, BYE_MALFORMED, rapport_strerror(error));
    }
    end(s, error);
    return error;
}

void session_bye(struct session *s, enum bye_code code, const char *text)
{
    if (s->error)
        return;
    if (s->state == SESSION_OPEN)
        say_bye(s, code, text);
    s->plain_at = s->plain.len;
    s->due.ready = false;
    end(s, RAPPORT_CLOSED);
}

/* Handshake's end */

int session_open(struct session *s)
{
    int error = noise_split(&s->noise, &s->send, &s->recv, s->handshake_hash);
    if (error)
        return session_fail(s, error);
    sodium_memzero(s->noise_secret, sizeof s->noise_secret);
    sodium_memzero(s->ephemeral, sizeof s->ephemeral);
    s->state = SESSION_OPEN;
    s->stats.ready = s->due.ready = true;
    session_heard(s);
    return 0;
}

int session_accept(struct session *s, uint64_t now_ms)
{
    if (s->error)
        return s->error;
    if (s->state != SESSION_ASK_2 && s->state != SESSION_ASK_3)
        return RAPPORT_STATE;
    s->now_ms = now_ms;
    s->due.key = false;
    int error = s->state == SESSION_ASK_2 ? session_write_handshake(s) : 0;
    if (error)
        return session_fail(s, error);
    error = session_open(s);
    if (error)
        return error;
    struct buf held = s->held;
    s->held = BUF_INIT;
    error = session_take(s, buf_slice(&held));
    buf_clear(&held);
    return error;
}

/* Events */

static void put_cookie(uint8_t out[MESSAGE_COOKIE_BYTES], uint64_t number)
{
    for (int i = MESSAGE_COOKIE_BYTES; i-- > 0; number >>= 8)
        out[i] = (uint8_t)number;
}

static void measure(struct session *s, const struct message_ping *pong)
{
    uint8_t cookie[MESSAGE_COOKIE_BYTES];
    put_cookie(cookie, s->n_pings);
    if (s->n_pings == 0 || memcmp(cookie, pong->cookie, sizeof cookie) != 0)
        return;
    s->stats.rtt_ms = (uint32_t)(s->now_ms - s->ping_ms);
    s->stats.rtt_known = true;
    s->stats.proving = false;
    session_heard(s);
}

/* Decodes the next message that is for the caller. Returns 1, 0 when there is none, or an error. */
static int next_message(struct session *s, struct message *out)
{
    while (s->plain_at < s->plain.len) {
        struct slice rest = slice_skip(buf_slice(&s->plain), s->plain_at);
        size_t len = 0;
        int error = message_length(rest, &len);
        if (!error)
            error = message_decode(slice_of(rest.ptr, len), out);
        if (error)
            return error;
        s->plain_at += len;
        if (out->type != MESSAGE_UNKNOWN)
            return 1;
    }
    return 0;
}

static bool tell_message(struct session *s, struct session_event *out)
{
    int result = next_message(s, &out->message);
    if (result < 0) {
        s->plain_at = s->plain.len;
        session_fail(s, result);
    }
    if (result <= 0)
        return false;
    out->kind = SESSION_MESSAGE;
    if (out->message.type == MESSAGE_PONG)
        measure(s, &out->message.ping);
    if (out->message.type == MESSAGE_BYE) {
        s->plain_at = s->plain.len;
        session_fail(s, RAPPORT_CLOSED);
    }
    return true;
}

/* Clears a flag and says whether it was set. */
static bool was(bool *flag)
{
    bool set = *flag;
    *flag = false;
    return set;
}

bool session_next(struct session *s, struct session_event *out)
{
    if (was(&s->due.key)) {
        out->kind = SESSION_KEY;
        out->key.psk_index = s->psk_index;
        memcpy(out->key.noise_public, noise_remote_static(&s->noise), NOISE_KEY_BYTES);
        return true;
    }
    if (was(&s->due.ready)) {
        out->kind = SESSION_READY;
        memcpy(out->handshake_hash, s->handshake_hash, sizeof out->handshake_hash);
        return true;
    }
    if (tell_message(s, out))
        return true;
    if (was(&s->due.ping)) {
        out->kind = SESSION_PING_DUE;
        put_cookie(out->cookie, s->n_pings);
        return true;
    }
    if (was(&s->due.closed)) {
        out->kind = SESSION_CLOSED;
        out->error = s->error;
        return true;
    }
    return false;
}

/* Time */

void session_heard(struct session *s)
{
    s->stats.last_received_ms = s->now_ms;
    if (s->stats.proving && s->now_ms < s->probe_ms + SESSION_STALE_MS)
        return;
    s->stats.proving = false;
    s->n_misses = 0;
    s->timer_ms = s->now_ms + SESSION_IDLE_MS + (s->dialler ? 0 : SESSION_LISTENER_MS);
}

static void ask_for_ping(struct session *s)
{
    s->n_misses++;
    s->n_pings++;
    s->ping_ms = s->now_ms;
    s->due.ping = true;
}

void session_probe(struct session *s, uint64_t now_ms, uint64_t within_ms)
{
    if (s->error)
        return;
    s->now_ms = now_ms;
    if (s->state != SESSION_OPEN) {
        s->timer_ms = s->timer_ms < now_ms + within_ms ? s->timer_ms : now_ms + within_ms;
        return;
    }
    s->stats.proving = true;
    s->probe_ms = now_ms;
    s->timer_ms = now_ms + within_ms;
    ask_for_ping(s);
}

int session_tick(struct session *s, uint64_t now_ms)
{
    if (s->error)
        return s->error;
    s->now_ms = now_ms;
    if (now_ms < s->timer_ms)
        return 0;
    if (s->state != SESSION_OPEN || s->stats.proving || s->n_misses >= SESSION_PINGS)
        return session_fail(s, RAPPORT_TIMEOUT);
    s->timer_ms = now_ms + SESSION_IDLE_MS;
    ask_for_ping(s);
    return 0;
}

uint64_t session_deadline(const struct session *s)
{
    return s->error ? SESSION_NEVER : s->timer_ms;
}

void session_stats(const struct session *s, struct session_stats *out)
{
    *out = s->stats;
}
