/*
 * message_put.c - encoding messages (see message.h for the table).
 *
 * Limits are checked before the first byte, so that a message is in the buffer whole or not at all;
 * a buffer whose error is set takes nothing.
 */
#include "rapport/error.h"
#include "sync/message.h"

/* Sets RAPPORT_LIMIT unless `fits`; true when the message may be written. */
static bool may_put(struct buf *out, bool fits)
{
    if (!fits && !out->error)
        out->error = RAPPORT_LIMIT;
    return !out->error;
}

static void put_type(struct buf *out, size_t n_items, enum message_type type)
{
    mp_put_array(out, n_items + 1);
    mp_put_u64(out, type);
}

static void put_address(struct buf *out, const struct message_address *address)
{
    uint8_t bytes[ADDRESS6_BYTES];
    size_t n = address->family == 4 ? 4 : 16;
    memcpy(bytes, address->addr, n);
    bytes[n] = (uint8_t)(address->port >> 8);
    bytes[n + 1] = (uint8_t)address->port;
    mp_put_bin(out, bytes, n + 2);
}

static void put_addresses(struct buf *out, const struct message_address *addresses, size_t n)
{
    mp_put_array(out, n);
    for (size_t i = 0; i < n; i++)
        put_address(out, &addresses[i]);
}

static bool capabilities_fit(const struct message_hello *m)
{
    bool fits = m->n_capabilities <= HELLO_MOST_CAPABILITIES;
    for (size_t i = 0; fits && i < m->n_capabilities; i++)
        fits = m->capabilities[i].len <= HELLO_MOST_CAPABILITY;
    return fits;
}

void message_put_hello(struct buf *out, const struct message_hello *m)
{
    if (!may_put(out, capabilities_fit(m) && m->n_addresses <= HELLO_MOST_ADDRESSES))
        return;
    put_type(out, 7, MESSAGE_HELLO);
    mp_put_u64(out, m->version);
    mp_put_array(out, m->n_capabilities);
    for (size_t i = 0; i < m->n_capabilities; i++)
        mp_put_str(out, m->capabilities[i]);
    mp_put_bin(out, m->state, sizeof m->state);
    mp_put_bin(out, m->have, sizeof m->have);
    mp_put_u64(out, m->wall_ms);
    put_addresses(out, m->addresses, m->n_addresses);
    mp_put_u64(out, m->n_heads);
}

static void put_ping(struct buf *out, enum message_type type, const struct message_ping *m)
{
    put_type(out, 3, type);
    mp_put_bin(out, m->cookie, sizeof m->cookie);
    mp_put_bin(out, m->state, sizeof m->state);
    mp_put_bin(out, m->have, sizeof m->have);
}

void message_put_ping(struct buf *out, const struct message_ping *m)
{
    put_ping(out, MESSAGE_PING, m);
}

void message_put_pong(struct buf *out, const struct message_ping *m)
{
    put_ping(out, MESSAGE_PONG, m);
}

void message_put_have(struct buf *out, const struct message_have *m)
{
    if (!may_put(out, m->n <= HAVE_MOST_ROWS))
        return;
    put_type(out, 2, MESSAGE_HAVE);
    mp_put_array(out, m->n);
    for (size_t i = 0; i < m->n; i++) {
        mp_put_array(out, 3);
        mp_put_bin(out, m->rows[i].log, sizeof m->rows[i].log);
        mp_put_u64(out, m->rows[i].next);
        mp_put_u64(out, m->rows[i].muted);
    }
    mp_put_bool(out, m->more);
}

static void put_peer_items(struct buf *out, const struct message_peer *p, size_t n_items)
{
    mp_put_array(out, n_items);
    mp_put_bin(out, p->device, sizeof p->device);
    mp_put_u64(out, p->issued_ms);
    put_addresses(out, p->addresses, p->n_addresses);
}

void message_put_peer_body(struct buf *out, const struct message_peer *p)
{
    if (may_put(out, p->n_addresses <= PEERS_MOST_ADDRESSES))
        put_peer_items(out, p, 3);
}

void message_put_peer(struct buf *out, const struct message_peer *p)
{
    if (!may_put(out, p->n_addresses <= PEERS_MOST_ADDRESSES))
        return;
    put_peer_items(out, p, 4);
    mp_put_bin(out, p->signature, sizeof p->signature);
}

static bool peers_fit(const struct message_peers *m)
{
    bool fits = m->n <= PEERS_MOST;
    for (size_t i = 0; fits && i < m->n; i++)
        fits = m->peers[i].n_addresses <= PEERS_MOST_ADDRESSES;
    return fits;
}

void message_put_peers(struct buf *out, const struct message_peers *m)
{
    if (!may_put(out, peers_fit(m)))
        return;
    put_type(out, 1, MESSAGE_PEERS);
    mp_put_array(out, m->n);
    for (size_t i = 0; i < m->n; i++)
        message_put_peer(out, &m->peers[i]);
}

bool message_deltas_fit(const struct message_deltas *m, size_t len)
{
    size_t bytes = len;
    for (size_t i = 0; i < m->n; i++)
        bytes += m->deltas[i].len;
    return m->n < DELTAS_MOST && len <= DELTA_MOST_BYTES && bytes <= DELTAS_MOST_BYTES;
}

static bool deltas_encodable(const struct message_deltas *m)
{
    size_t bytes = 0;
    bool fits = (m->prev.len == HASH_BYTES || m->prev.len == ORIGIN_BYTES) && m->n >= 1 &&
                m->n <= DELTAS_MOST;
    for (size_t i = 0; fits && i < m->n; i++) {
        bytes += m->deltas[i].len;
        fits = m->deltas[i].len >= 1 && bytes <= DELTAS_MOST_BYTES;
    }
    return fits;
}

void message_put_deltas(struct buf *out, const struct message_deltas *m)
{
    if (!may_put(out, deltas_encodable(m)))
        return;
    put_type(out, 3, MESSAGE_DELTAS);
    mp_put_bin(out, m->log, sizeof m->log);
    mp_put_bin(out, m->prev.ptr, m->prev.len);
    mp_put_array(out, m->n);
    for (size_t i = 0; i < m->n; i++)
        mp_put_bin(out, m->deltas[i].ptr, m->deltas[i].len);
}

void message_put_need(struct buf *out, const struct message_need *m)
{
    put_type(out, 3, MESSAGE_NEED);
    mp_put_bin(out, m->log, sizeof m->log);
    mp_put_u64(out, m->from);
    mp_put_bin(out, m->hash, sizeof m->hash);
}

static bool card_fits(struct slice card)
{
    return card.len >= 1 && card.len <= DEVICE_MOST_CARD;
}

void message_put_join(struct buf *out, const struct message_join *m)
{
    if (!may_put(out, card_fits(m->card)))
        return;
    put_type(out, 3, MESSAGE_JOIN);
    mp_put_bin(out, m->card.ptr, m->card.len);
    mp_put_bin(out, m->invite_public, sizeof m->invite_public);
    mp_put_bin(out, m->proof, sizeof m->proof);
}

void message_put_welcome(struct buf *out, const struct message_welcome *m)
{
    bool fits = card_fits(m->card) && m->genesis.len >= 1 &&
                m->genesis.len <= WELCOME_MOST_GENESIS && m->n_secrets >= 1 &&
                m->n_secrets <= WELCOME_MOST_SECRETS;
    if (!may_put(out, fits))
        return;
    put_type(out, 3, MESSAGE_WELCOME);
    mp_put_bin(out, m->genesis.ptr, m->genesis.len);
    mp_put_array(out, m->n_secrets);
    for (size_t i = 0; i < m->n_secrets; i++)
        mp_put_bin(out, m->secrets[i], MESSAGE_SECRET_BYTES);
    mp_put_bin(out, m->card.ptr, m->card.len);
}

void message_put_bye(struct buf *out, const struct message_bye *m)
{
    if (!may_put(out, m->text.len <= BYE_MOST_TEXT))
        return;
    put_type(out, 2, MESSAGE_BYE);
    mp_put_u64(out, m->code);
    mp_put_str(out, m->text);
}
