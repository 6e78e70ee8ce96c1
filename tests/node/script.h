/*
 * script.h - a peer that is no node: a session that says what a test wants, or bytes that are none.
 * It accepts every key and writes down what it hears.
 */
#ifndef TESTS_NODE_SCRIPT_H
#define TESTS_NODE_SCRIPT_H

#include "rig.h"

struct script {
    struct session *s;
    uint32_t conn;
    bool closed, ready;
    size_t n_bytes; /* heard */
    size_t n_said;  /* bytes of ours, for a replay */
    uint8_t said[8192], handshake_hash[NOISE_HASH_BYTES];
    struct device_keys keys;
    struct message_ping pong, ping; /* the last ones */
    char heard[1024];
};

static struct script script;

static inline void script_flush(void)
{
    struct slice out = session_output(script.s);
    if (!out.len)
        return;
    CHECK(script.n_said + out.len <= sizeof script.said);
    memcpy(script.said + script.n_said, out.ptr, out.len);
    script.n_said += out.len;
    rig_send(script.conn, out.ptr, out.len);
    session_output_taken(script.s, out.len);
}

static inline void script_message(const struct message *m)
{
    static const char *const names[] = {
        [MESSAGE_HELLO] = "HELLO", [MESSAGE_PING] = "PING",     [MESSAGE_HAVE] = "HAVE",
        [MESSAGE_PEERS] = "PEERS", [MESSAGE_DELTAS] = "DELTAS", [MESSAGE_PONG] = "PONG",
        [MESSAGE_NEED] = "NEED",   [MESSAGE_JOIN] = "JOIN",     [MESSAGE_WELCOME] = "WELCOME",
        [MESSAGE_BYE] = "BYE"};
    size_t len = strlen(script.heard);
    if (m->type == MESSAGE_PING)
        script.ping = m->ping;
    if (m->type == MESSAGE_PONG)
        script.pong = m->ping;
    snprintf(script.heard + len, sizeof script.heard - len, "%s%s", len ? " " : "", names[m->type]);
    len = strlen(script.heard);
    if (m->type == MESSAGE_BYE)
        snprintf(script.heard + len, sizeof script.heard - len, "(%" PRIu64 ",%.*s)", m->bye.code,
                 (int)m->bye.text.len, m->bye.text.ptr);
}

static inline void script_pump(void)
{
    static struct session_event e;
    while (session_next(script.s, &e)) {
        if (e.kind == SESSION_KEY)
            (void)session_accept(script.s, rig.now);
        if (e.kind == SESSION_READY) {
            script.ready = true;
            memcpy(script.handshake_hash, e.handshake_hash, sizeof script.handshake_hash);
        }
        if (e.kind == SESSION_MESSAGE)
            script_message(&e.message);
    }
    script_flush();
}

static inline void script_take(uint32_t conn, const uint8_t *bytes, size_t len)
{
    if (conn != script.conn)
        return;
    script.closed = script.closed || len == 0;
    script.n_bytes += len;
    if (script.s && len) {
        (void)session_receive(script.s, slice_of(bytes, len), rig.now);
        script_pump();
    }
}

/* A raw connection to a side. */
static inline void script_connect(int side)
{
    session_destroy(script.s);
    script = (struct script){0};
    CHECK(rig.n_wires < RIG_WIRES);
    uint32_t w = (uint32_t)rig.n_wires++;
    rig.wires[w] = (struct rig_wire){.side = {-1, side}, .open = {true, true}};
    script.conn = 2 * w + 1;
    rig.to_script = script_take;
    rig_add(0, (struct rig_action){.kind = RIG_CONNECTED,
                                   .side = side,
                                   .life = rig.side[side].life,
                                   .conn = 2 * w + 2});
}

/* A session with this psk, by a device whose seed is 32 times `device`. */
static inline void script_dial(int side, uint8_t device, const uint8_t psk[32])
{
    uint8_t seed[32];
    script_connect(side);
    memset(seed, device, sizeof seed);
    device_keys_from_seed(&script.keys, seed);
    struct session_config config = {.dialler = true,
                                    .keys = &script.keys,
                                    .psks = (const uint8_t(*)[32])psk,
                                    .n_psks = 1,
                                    .now_ms = rig.now};
    memset(config.ephemeral, ++rig.seed, sizeof config.ephemeral);
    CHECK_EQ(session_create(&config, &script.s), 0);
    script_flush();
}

static inline const uint8_t *script_epoch_psk(int side)
{
    const struct rapport_node *n = rig.side[side].node;
    return n->epochs[n->n_epochs - 1].psk;
}

static inline void script_send(struct buf *message)
{
    CHECK_EQ(buf_error(message), 0);
    CHECK_EQ(session_send(script.s, buf_slice(message)), 0);
    buf_clear(message);
    script_flush();
}

static inline void script_raw(const void *bytes, size_t len)
{
    rig_send(script.conn, bytes, len);
}

/* Says JOIN with the ticket's invite; `proved` false: with a proof for another card. */
static inline void script_join(const char *text, bool proved)
{
    struct ticket t;
    struct device_card card;
    struct message_join join;
    struct buf encoded = BUF_INIT, out = BUF_INIT;
    uint8_t secret[SIGN_SECRET_BYTES];
    CHECK_EQ(ticket_decode(slice_str(text), &t), 0);
    CHECK_EQ(card_make(&card, &script.keys, slice_str("Eve"), RIG_WALL_MS), 0);
    card_encode(&card, &encoded);
    invite_keys(t.invite_seed, join.invite_public, secret);
    invite_prove(join.proof, secret, buf_slice(&encoded), script.handshake_hash);
    join.proof[0] ^= proved ? 0 : 1;
    join.card = buf_slice(&encoded);
    message_put_join(&out, &join);
    script_send(&out);
    buf_clear(&encoded);
}

/* The psk of a ticket. */
static inline void script_ticket_psk(const char *text, uint8_t psk[32])
{
    struct ticket t;
    uint8_t public[SIGN_PUBLIC_BYTES], secret[SIGN_SECRET_BYTES];
    CHECK_EQ(ticket_decode(slice_str(text), &t), 0);
    invite_keys(t.invite_seed, public, secret);
    invite_psk(psk, public);
}

static inline void script_ping(void)
{
    struct buf out = BUF_INIT;
    struct message_ping ping = {.cookie = "1234567"};
    message_put_ping(&out, &ping);
    script_send(&out);
}

#endif
