/*
 * message.c - decoding messages (see message.h); message_put.c writes them.
 *
 * One function per type; each reads its items through a cursor whose error sticks. Nothing is
 * allocated but msgpack-c's zone, which is gone before message_decode returns.
 */
#include "sync/message.h"

#include "rapport/error.h"

static void read_digests(struct mp_array *a, uint8_t *state, uint8_t *have)
{
    mp_bin_copy(a, state, MESSAGE_DIGEST_BYTES);
    mp_bin_copy(a, have, MESSAGE_DIGEST_BYTES);
}

static void read_address(struct mp_array *a, struct message_address *out)
{
    struct slice s = mp_bin(a, ADDRESS4_BYTES, ADDRESS6_BYTES);
    if (s.len != ADDRESS4_BYTES && s.len != ADDRESS6_BYTES) {
        mp_fail(a, RAPPORT_MALFORMED);
        return;
    }
    size_t n = s.len - sizeof out->port;
    *out = (struct message_address){.family = n == 4 ? 4 : 6};
    memcpy(out->addr, s.ptr, n);
    out->port = (uint16_t)(s.ptr[n] << 8 | s.ptr[n + 1]);
}

static size_t read_addresses(struct mp_array *a, struct message_address *out, size_t most)
{
    struct mp_array list = mp_sub(a, 0, most);
    size_t n = 0;
    while (mp_more(&list))
        read_address(&list, &out[n++]);
    return n;
}

static void read_hello(struct mp_array *a, struct message_hello *m)
{
    m->version = (uint32_t)mp_u64(a, UINT32_MAX);
    struct mp_array list = mp_sub(a, 0, HELLO_MOST_CAPABILITIES);
    while (mp_more(&list))
        m->capabilities[m->n_capabilities++] = mp_str(&list, HELLO_MOST_CAPABILITY);
    read_digests(a, m->state, m->have);
    m->wall_ms = mp_u64(a, UINT64_MAX);
    m->n_addresses = read_addresses(a, m->addresses, HELLO_MOST_ADDRESSES);
    m->n_heads = mp_u64(a, UINT64_MAX);
}

static void read_ping(struct mp_array *a, struct message_ping *m)
{
    mp_bin_copy(a, m->cookie, sizeof m->cookie);
    read_digests(a, m->state, m->have);
}

static void read_have(struct mp_array *a, struct message_have *m)
{
    struct mp_array rows = mp_sub(a, 0, HAVE_MOST_ROWS);
    while (mp_more(&rows)) {
        struct mp_array row = mp_sub(&rows, 3, 3);
        struct message_row *out = &m->rows[m->n++];
        mp_bin_copy(&row, out->log, sizeof out->log);
        out->next = mp_u64(&row, UINT64_MAX);
        out->muted = mp_u64(&row, 1) == 1;
    }
    m->more = mp_bool(a);
}

void message_read_peer(struct mp_array *a, struct message_peer *out)
{
    struct mp_array peer = mp_sub(a, 4, 4);
    mp_bin_copy(&peer, out->device, sizeof out->device);
    out->issued_ms = mp_u64(&peer, UINT64_MAX);
    out->n_addresses = read_addresses(&peer, out->addresses, PEERS_MOST_ADDRESSES);
    mp_bin_copy(&peer, out->signature, sizeof out->signature);
}

static void read_peers(struct mp_array *a, struct message_peers *m)
{
    struct mp_array peers = mp_sub(a, 0, PEERS_MOST);
    while (mp_more(&peers))
        message_read_peer(&peers, &m->peers[m->n++]);
}

static void read_deltas(struct mp_array *a, struct message_deltas *m)
{
    mp_bin_copy(a, m->log, sizeof m->log);
    m->prev = mp_bin(a, HASH_BYTES, ORIGIN_BYTES);
    if (m->prev.len != HASH_BYTES && m->prev.len != ORIGIN_BYTES)
        mp_fail(a, RAPPORT_MALFORMED);
    struct mp_array deltas = mp_sub(a, 1, DELTAS_MOST);
    while (mp_more(&deltas))
        m->deltas[m->n++] = mp_bin(&deltas, 1, DELTA_MOST_BYTES);
}

static void read_need(struct mp_array *a, struct message_need *m)
{
    mp_bin_copy(a, m->log, sizeof m->log);
    m->from = mp_u64(a, UINT64_MAX);
    mp_bin_copy(a, m->hash, sizeof m->hash);
}

static void read_join(struct mp_array *a, struct message_join *m)
{
    m->card = mp_bin(a, 1, DEVICE_MOST_CARD);
    mp_bin_copy(a, m->invite_public, sizeof m->invite_public);
    mp_bin_copy(a, m->proof, sizeof m->proof);
}

static void read_welcome(struct mp_array *a, struct message_welcome *m)
{
    m->genesis = mp_bin(a, 1, WELCOME_MOST_GENESIS);
    struct mp_array secrets = mp_sub(a, 1, WELCOME_MOST_SECRETS);
    while (mp_more(&secrets))
        m->secrets[m->n_secrets++] =
            mp_bin(&secrets, MESSAGE_SECRET_BYTES, MESSAGE_SECRET_BYTES).ptr;
    m->card = mp_bin(a, 1, DEVICE_MOST_CARD);
}

static void read_bye(struct mp_array *a, struct message_bye *m)
{
    m->code = mp_u64(a, UINT64_MAX);
    m->text = mp_str(a, BYE_MOST_TEXT);
}

/* What a type number on the wire stands for. MESSAGE_UNKNOWN is itself an unknown odd type. */
static int type_of(uint64_t number, enum message_type *type)
{
    switch (number) {
    case MESSAGE_HELLO:
    case MESSAGE_PING:
    case MESSAGE_HAVE:
    case MESSAGE_PEERS:
    case MESSAGE_DELTAS:
    case MESSAGE_PONG:
    case MESSAGE_NEED:
    case MESSAGE_JOIN:
    case MESSAGE_WELCOME:
    case MESSAGE_BYE:
        *type = (enum message_type)number;
        return 0;
    default:
        *type = MESSAGE_UNKNOWN;
        return number % 2 ? 0 : RAPPORT_VERSION;
    }
}

static void read_items(struct mp_array *a, struct message *m)
{
    switch (m->type) {
    case MESSAGE_HELLO:
        read_hello(a, &m->hello);
        break;
    case MESSAGE_PING:
    case MESSAGE_PONG:
        read_ping(a, &m->ping);
        break;
    case MESSAGE_HAVE:
        read_have(a, &m->have);
        break;
    case MESSAGE_PEERS:
        read_peers(a, &m->peers);
        break;
    case MESSAGE_DELTAS:
        read_deltas(a, &m->deltas);
        break;
    case MESSAGE_NEED:
        read_need(a, &m->need);
        break;
    case MESSAGE_JOIN:
        read_join(a, &m->join);
        break;
    case MESSAGE_WELCOME:
        read_welcome(a, &m->welcome);
        break;
    case MESSAGE_BYE:
        read_bye(a, &m->bye);
        break;
    case MESSAGE_UNKNOWN:
        break;
    }
}

int message_decode(struct slice bytes, struct message *out)
{
    struct mp_doc doc;
    int error = mp_open(&doc, bytes, MESSAGE_MOST_ITEMS);
    if (error)
        return error;
    struct message m;
    memset(&m, 0, sizeof m);
    struct mp_array a = mp_root(&doc, &error);
    uint64_t number = mp_u64(&a, UINT64_MAX);
    if (!error)
        error = type_of(number, &m.type);
    if (!error)
        read_items(&a, &m);
    mp_close(&doc);
    if (!error)
        *out = m;
    return error;
}

int message_length(struct slice bytes, size_t *len)
{
    return mp_check_prefix(bytes, MESSAGE_MOST_ITEMS, len);
}
