/*
 * test_session.c - sessions as transcripts in virtual time.
 *
 * A script's lines with @ are what happens ("@milliseconds who verb argument"), the lines under it
 * what comes of it. The test runs the first kind and compares the whole text. d is the dialler, l
 * the listener; bytes travel at once, in whole writes.
 *
 *     open EPOCHS      a session with these psks       accept, tick, bye
 *     send KIND...     queues messages                 raw HEX  queues one message as it stands
 *     flush            sends what is queued            pong     answers the last ping
 */
#include <ctype.h>
#include <stdlib.h>

#include "base/hex.h"
#include "rapport/error.h"
#include "sync/pair.h"

struct end {
    struct session *s;
    struct end *other;
    const char *name;
    uint8_t cookie[MESSAGE_COOKIE_BYTES];
};

struct play {
    struct end d, l;
    struct buf trace;
    uint64_t now_ms;
};

static const char *const message_names[] = {
    [MESSAGE_HELLO] = "HELLO", [MESSAGE_PING] = "PING",       [MESSAGE_HAVE] = "HAVE",
    [MESSAGE_PEERS] = "PEERS", [MESSAGE_DELTAS] = "DELTAS",   [MESSAGE_PONG] = "PONG",
    [MESSAGE_NEED] = "NEED",   [MESSAGE_JOIN] = "JOIN",       [MESSAGE_WELCOME] = "WELCOME",
    [MESSAGE_BYE] = "BYE",     [MESSAGE_UNKNOWN] = "unknown",
};

static const char *device_name(const uint8_t noise_public[NOISE_KEY_BYTES])
{
    struct device_keys d = pair_device(PAIR_DIALLER), l = pair_device(PAIR_LISTENER);
    return memcmp(noise_public, d.noise_public, NOISE_KEY_BYTES) == 0   ? "d"
           : memcmp(noise_public, l.noise_public, NOISE_KEY_BYTES) == 0 ? "l"
                                                                        : "nobody";
}

static void trace_message(struct play *p, struct end *e, const struct message *m)
{
    buf_printf(&p->trace, "  %s got %s", e->name, message_names[m->type]);
    if (m->type == MESSAGE_BYE)
        buf_printf(&p->trace, " %d %.*s", (int)m->bye.code, (int)m->bye.text.len, m->bye.text.ptr);
    if (m->type == MESSAGE_PING)
        memcpy(e->cookie, m->ping.cookie, sizeof e->cookie);
    buf_append_str(&p->trace, "\n");
}

static void trace_event(struct play *p, struct end *e, const struct session_event *event)
{
    switch (event->kind) {
    case SESSION_KEY:
        buf_printf(&p->trace, "  %s sees the key of %s, psk %zu\n", e->name,
                   device_name(event->key.noise_public), event->key.psk_index);
        break;
    case SESSION_READY:
        buf_printf(&p->trace, "  %s ready\n", e->name);
        break;
    case SESSION_MESSAGE:
        trace_message(p, e, &event->message);
        break;
    case SESSION_PING_DUE:
        buf_printf(&p->trace, "  %s ping due\n", e->name);
        memcpy(e->cookie, event->cookie, sizeof e->cookie);
        break;
    case SESSION_CLOSED:
        buf_printf(&p->trace, "  %s closed %s\n", e->name, rapport_errname(event->error));
        break;
    }
}

static void drain(struct play *p, struct end *e)
{
    struct session_event event;
    while (session_next(e->s, &event))
        trace_event(p, e, &event);
}

static void flush(struct play *p, struct end *e)
{
    struct slice bytes = session_output(e->s);
    if (bytes.len == 0)
        return;
    buf_printf(&p->trace, "  %s -> %s %zu bytes\n", e->name, e->other->name, bytes.len);
    if (e->other->s)
        session_receive(e->other->s, bytes, p->now_ms);
    session_output_taken(e->s, bytes.len);
    if (e->other->s)
        drain(p, e->other);
}

static void put_kind(struct end *e, struct buf *b, const char *kind)
{
    struct message_ping ping = {{0}, {0}, {0}};
    memcpy(ping.cookie, e->cookie, sizeof ping.cookie);
    if (strcmp(kind, "hello") == 0)
        message_put_hello(b, &(struct message_hello){.version = MESSAGE_VERSION});
    else if (strcmp(kind, "ping") == 0)
        message_put_ping(b, &ping);
    else if (strcmp(kind, "pong") == 0)
        message_put_pong(b, &ping);
    else if (strcmp(kind, "have") == 0)
        message_put_have(b, &(struct message_have){.n = 0});
    else
        test_fail(__FILE__, __LINE__, "the script knows no message %s", kind);
}

static void send_kinds(struct end *e, char *kinds)
{
    for (char *kind = strtok(kinds, " "); kind; kind = strtok(NULL, " ")) {
        struct buf b = BUF_INIT;
        put_kind(e, &b, kind);
        CHECK_EQ(session_send(e->s, buf_slice(&b)), 0);
        buf_clear(&b);
    }
}

static void send_raw(struct end *e, const char *hex)
{
    uint8_t raw[256];
    size_t n = strlen(hex) / 2;
    CHECK_EQ(hex_decode(raw, n, slice_str(hex)), 0);
    CHECK_EQ(session_send(e->s, slice_of(raw, n)), 0);
}

static void act(struct play *p, struct end *e, const char *verb, char *argument)
{
    bool dialler = e == &p->d;
    if (strcmp(verb, "open") == 0)
        CHECK_EQ(pair_create(dialler, dialler ? PAIR_DIALLER : PAIR_LISTENER, argument, &e->s), 0);
    else if (strcmp(verb, "accept") == 0)
        CHECK_EQ(session_accept(e->s, p->now_ms), 0);
    else if (strcmp(verb, "tick") == 0)
        session_tick(e->s, p->now_ms);
    else if (strcmp(verb, "bye") == 0)
        session_bye(e->s, BYE_DONE, argument);
    else if (strcmp(verb, "send") == 0)
        send_kinds(e, argument);
    else if (strcmp(verb, "raw") == 0)
        send_raw(e, argument);
    else if (strcmp(verb, "gone") == 0) {
        session_destroy(e->s);
        e->s = NULL;
        return;
    } else
        CHECK(strcmp(verb, "flush") == 0);
    drain(p, e);
    if (strcmp(verb, "send") != 0 && strcmp(verb, "raw") != 0)
        flush(p, e);
}

/* Runs "@ms who verb argument". */
static void run_line(struct play *p, char *line)
{
    char *at = line + 1;
    p->now_ms = strtoull(at, &at, 10);
    struct end *e = at[1] == 'd' ? &p->d : &p->l;
    char *verb = at + 3;
    char *argument = strchr(verb, ' ');
    if (argument)
        *argument++ = 0;
    act(p, e, verb, argument ? argument : verb + strlen(verb));
}

static void run(const char *script)
{
    struct play p = {.trace = BUF_INIT};
    p.d = (struct end){.name = "d", .other = &p.l};
    p.l = (struct end){.name = "l", .other = &p.d};
    for (const char *at = script; *at; at = strchr(at, '\n') + 1) {
        char line[200];
        size_t n = (size_t)(strchr(at, '\n') - at);
        CHECK(n < sizeof line);
        memcpy(line, at, n);
        line[n] = 0;
        if (*at == '@') {
            buf_printf(&p.trace, "%s\n", line);
            run_line(&p, line);
        }
    }
    session_destroy(p.d.s);
    session_destroy(p.l.s);
    if (strcmp(buf_cstr(&p.trace), script) != 0)
        fprintf(stderr, "the trace is\n%s", buf_cstr(&p.trace));
    CHECK_STR(buf_cstr(&p.trace), script);
    buf_clear(&p.trace);
}

#define HANDSHAKE                                                                                  \
    "@0 l open 1\n"                                                                                \
    "@0 d open 1\n"                                                                                \
    "  d -> l 258 bytes\n"                                                                         \
    "@0 l flush\n"                                                                                 \
    "  l -> d 258 bytes\n"                                                                         \
    "  d sees the key of l, psk 0\n"                                                               \
    "@0 d accept\n"                                                                                \
    "  d ready\n"                                                                                  \
    "  d -> l 258 bytes\n"                                                                         \
    "  l sees the key of d, psk 0\n"                                                               \
    "@0 l accept\n"                                                                                \
    "  l ready\n"

TEST(session_handshake, "three messages of one size, and each side sees whom it talks to")
{
    run(HANDSHAKE);
}

TEST(session_hello_with_message_3, "the dialler's first words ride with message 3 and wait there")
{
    run("@0 l open 1\n"
        "@0 d open 1\n"
        "  d -> l 258 bytes\n"
        "@0 l flush\n"
        "  l -> d 258 bytes\n"
        "  d sees the key of l, psk 0\n"
        "@0 d accept\n"
        "  d ready\n"
        "  d -> l 258 bytes\n"
        "  l sees the key of d, psk 0\n"
        "@0 d send hello have\n"
        "@0 d flush\n"
        "  d -> l 65 bytes\n"
        "@0 l accept\n"
        "  l ready\n"
        "  l got HELLO\n"
        "  l got HAVE\n");
}

TEST(session_epochs, "a listener with several epochs finds the dialler's, whichever it is")
{
    run("@0 l open 321\n"
        "@0 d open 2\n"
        "  d -> l 258 bytes\n"
        "@0 l flush\n"
        "  l -> d 258 bytes\n"
        "  d sees the key of l, psk 0\n"
        "@0 d accept\n"
        "  d ready\n"
        "  d -> l 258 bytes\n"
        "  l sees the key of d, psk 1\n");
}

TEST(session_wrong_psk, "a stranger's first message is refused without a word")
{
    run("@0 l open 123\n"
        "@0 d open 4\n"
        "  d -> l 258 bytes\n"
        "  l closed AUTH\n"
        "@0 l flush\n");
}

TEST(session_handshake_deadline, "who does not finish the handshake in 5 s is dropped silently")
{
    run("@0 l open 1\n"
        "@4999 l tick\n"
        "@5000 l tick\n"
        "  l closed TIMEOUT\n");
    run("@0 d open 1\n"
        "  d -> l 258 bytes\n"
        "@5000 d tick\n"
        "  d closed TIMEOUT\n");
}

TEST(session_ping, "6 s of silence bring a ping; its answer keeps the session alive")
{
    run(HANDSHAKE "@5999 d tick\n"
                  "@6000 d tick\n"
                  "  d ping due\n"
                  "@6000 d send ping\n"
                  "@6000 d flush\n"
                  "  d -> l 66 bytes\n"
                  "  l got PING\n"
                  "@6005 l send pong\n"
                  "@6005 l flush\n"
                  "  l -> d 66 bytes\n"
                  "  d got PONG\n"
                  "@12004 d tick\n"
                  "@12005 d tick\n"
                  "  d ping due\n"
                  "@12499 l tick\n"
                  "@12500 l tick\n"
                  "  l ping due\n");
}

TEST(session_dead, "after two pings without any answer the peer is dead, within 20 s")
{
    run(HANDSHAKE "@6000 d tick\n"
                  "  d ping due\n"
                  "@12000 d tick\n"
                  "  d ping due\n"
                  "@17999 d tick\n"
                  "@18000 d tick\n"
                  "  d closed TIMEOUT\n"
                  "  d -> l 31 bytes\n"
                  "  l got BYE 7 no answer\n"
                  "  l closed CLOSED\n");
}

TEST(session_sleep, "hours of sleep count as one missed ping, not as a dead peer")
{
    run(HANDSHAKE "@7200000 d tick\n"
                  "  d ping due\n"
                  "@7200001 d tick\n"
                  "@7205999 d tick\n"
                  "@7206000 d tick\n"
                  "  d ping due\n");
}

TEST(session_bye, "BYE comes with its code and text and ends both sides")
{
    run(HANDSHAKE "@10 d send hello\n"
                  "@10 d bye going home\n"
                  "  d closed CLOSED\n"
                  "  d -> l 75 bytes\n"
                  "  l got HELLO\n"
                  "  l got BYE 0 going home\n"
                  "  l closed CLOSED\n");
}

TEST(session_bye_early, "BYE before both sides are known says nothing")
{
    run("@0 l open 1\n"
        "@0 d open 1\n"
        "  d -> l 258 bytes\n"
        "@0 l bye busy\n"
        "  l closed CLOSED\n");
}

TEST(session_unknown_odd, "an unknown odd message is passed over, what follows is taken")
{
    run(HANDSHAKE "@10 d raw 920f05\n"
                  "@10 d send ping\n"
                  "@10 d flush\n"
                  "  d -> l 69 bytes\n"
                  "  l got PING\n");
}

TEST(session_unknown_even, "an unknown even message ends the session with BYE unsupported")
{
    run(HANDSHAKE "@10 d send hello\n"
                  "@10 d raw 920c05\n"
                  "@10 d send ping\n"
                  "@10 d flush\n"
                  "  d -> l 112 bytes\n"
                  "  l got HELLO\n"
                  "  l closed VERSION\n"
                  "@10 l flush\n"
                  "  l -> d 64 bytes\n"
                  "  d got BYE 1 a message that this version does not know\n"
                  "  d closed CLOSED\n");
}

TEST(session_malformed, "a frame that is not made of messages ends the session with BYE malformed")
{
    run(HANDSHAKE "@10 d raw 930d04\n"
                  "@10 d flush\n"
                  "  d -> l 21 bytes\n"
                  "  l closed TRUNCATED\n"
                  "@10 l flush\n"
                  "  l -> d 41 bytes\n"
                  "  d got BYE 2 data ends too early\n"
                  "  d closed CLOSED\n");
    run(HANDSHAKE "@10 d raw 930d04c400\n"
                  "@10 d flush\n"
                  "  d -> l 23 bytes\n"
                  "  l closed MALFORMED\n");
}

TEST(session_stays_closed, "a closed session takes, sends and says nothing any more")
{
    struct session *d, *l;
    pair_open(&d, &l);
    session_bye(d, BYE_DONE, "");
    session_output_taken(d, session_output(d).len);
    CHECK_EQ(session_receive(d, slice_str("x"), 1), RAPPORT_CLOSED);
    CHECK_EQ(session_tick(d, 99999), RAPPORT_CLOSED);
    CHECK_EQ(session_accept(d, 1), RAPPORT_CLOSED);
    CHECK_EQ(pair_send_ping(d, 'x'), RAPPORT_STATE);
    CHECK(session_deadline(d) == SESSION_NEVER);
    pair_expect(d, SESSION_CLOSED);
    struct session_event event;
    CHECK(!session_next(d, &event));
    session_bye(d, BYE_DONE, "");
    CHECK_EQ(session_output(d).len, 0);
    session_destroy(d);
    session_destroy(l);
}

TEST(session_channel_binding, "both sides end with the same handshake hash, others with another")
{
    uint8_t hash[3][NOISE_HASH_BYTES];
    struct session *d, *l;
    CHECK_EQ(pair_create(true, PAIR_DIALLER, "1", &d), 0);
    CHECK_EQ(pair_create(false, PAIR_LISTENER, "1", &l), 0);
    pair_pass(d, l, 0);
    pair_pass(l, d, 0);
    pair_expect(d, SESSION_KEY);
    CHECK_EQ(session_accept(d, 0), 0);
    memcpy(hash[0], pair_expect(d, SESSION_READY)->handshake_hash, NOISE_HASH_BYTES);
    pair_pass(d, l, 0);
    pair_expect(l, SESSION_KEY);
    CHECK_EQ(session_accept(l, 0), 0);
    memcpy(hash[1], pair_expect(l, SESSION_READY)->handshake_hash, NOISE_HASH_BYTES);
    CHECK_BYTES(hash[0], NOISE_HASH_BYTES, hash[1], NOISE_HASH_BYTES);
    char hex[17];
    hex_encode(hex, hash[0], 8);
    CHECK_STR(hex, "3ef5bf2addc09a38");
    session_destroy(d);
    session_destroy(l);
}

TEST(session_stats, "round trip, times and bytes are kept")
{
    struct session *d, *l;
    struct session_stats stats;
    pair_open(&d, &l);
    session_stats(d, &stats);
    CHECK(stats.ready && stats.rtt_known); /* the handshake took no time here */
    CHECK_EQ(stats.rtt_ms, 0);
    CHECK_EQ(session_tick(d, 6000), 0);
    struct message_ping ping = {{0}, {0}, {0}};
    memcpy(ping.cookie, pair_expect(d, SESSION_PING_DUE)->cookie, sizeof ping.cookie);
    struct buf b = BUF_INIT;
    message_put_pong(&b, &ping);
    CHECK_EQ(session_send(l, buf_slice(&b)), 0);
    buf_clear(&b);
    CHECK_EQ(pair_pass(l, d, 6123), 0);
    CHECK_EQ(pair_expect(d, SESSION_MESSAGE)->message.type, MESSAGE_PONG);
    session_stats(d, &stats);
    CHECK(stats.rtt_known);
    CHECK_EQ(stats.rtt_ms, 123);
    CHECK_EQ(stats.last_received_ms, 6123);
    CHECK_EQ(stats.bytes_in, 258 + 66);
    CHECK_EQ(stats.bytes_out, 2 * 258);
    CHECK_EQ(stats.frames_in, 2);
    session_destroy(d);
    session_destroy(l);
}

TEST(session_foreign_pong, "a PONG with another cookie measures nothing")
{
    struct session *d, *l;
    struct session_stats stats;
    pair_open(&d, &l);
    CHECK_EQ(session_tick(d, 6000), 0);
    pair_expect(d, SESSION_PING_DUE);
    struct buf b = BUF_INIT;
    message_put_pong(&b, &(struct message_ping){.cookie = "another"});
    CHECK_EQ(session_send(l, buf_slice(&b)), 0);
    buf_clear(&b);
    CHECK_EQ(pair_pass(l, d, 6123), 0);
    CHECK_EQ(pair_expect(d, SESSION_MESSAGE)->message.type, MESSAGE_PONG);
    session_stats(d, &stats);
    CHECK_EQ(stats.rtt_ms, 0);
    session_destroy(d);
    session_destroy(l);
}

/* The listener says something that the dialler gets at this time. */
static void hear(struct session *d, struct session *l, const uint8_t *cookie, uint64_t at_ms)
{
    struct message_ping pong = {.cookie = "another"};
    struct buf b = BUF_INIT;
    if (cookie)
        memcpy(pong.cookie, cookie, sizeof pong.cookie);
    message_put_pong(&b, &pong);
    CHECK_EQ(session_send(l, buf_slice(&b)), 0);
    buf_clear(&b);
    CHECK_EQ(pair_pass(l, d, at_ms), 0);
    CHECK_EQ(pair_expect(d, SESSION_MESSAGE)->message.type, MESSAGE_PONG);
}

TEST(session_probe, "after a probe only its pong, or what comes later than 300 ms, proves life")
{
    static const struct {
        bool own_cookie;
        uint64_t at_ms;
        bool proves;
    } cases[] = {{true, 10100, true}, {false, 10299, false}, {false, 10300, true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct session *d, *l;
        struct session_stats stats;
        uint8_t cookie[MESSAGE_COOKIE_BYTES];
        pair_open(&d, &l);
        session_probe(d, 10000, 2000);
        memcpy(cookie, pair_expect(d, SESSION_PING_DUE)->cookie, sizeof cookie);
        CHECK_EQ(session_deadline(d), 12000);
        hear(d, l, cases[i].own_cookie ? cookie : NULL, cases[i].at_ms);
        session_stats(d, &stats);
        CHECK_EQ(stats.proving, !cases[i].proves);
        CHECK_EQ(session_deadline(d),
                 cases[i].proves ? cases[i].at_ms + SESSION_IDLE_MS : UINT64_C(12000));
        CHECK_EQ(session_tick(d, 11999), 0);
        CHECK_EQ(session_tick(d, 12000), cases[i].proves ? 0 : RAPPORT_TIMEOUT);
        session_destroy(d);
        session_destroy(l);
    }
}
