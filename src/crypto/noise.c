/*
 * noise.c - the Noise handshake (rev. 34): SymmetricState (5.2) and HandshakeState (5.3).
 *
 * What rapport speaks, NOISE_RAPPORT, with psk from the epoch or the invite:
 *
 *     -> psk, e              tag over the payload: a stranger without psk is refused here
 *     <- e, ee, s, es        the initiator looks the responder's key up before it goes on
 *     -> s, se
 *
 * Functions stand in the order of the specification and carry its names. Invariants: `alive` until
 * the first failure, noise_split or noise_clear; a dead state holds no secrets.
 */
#include "crypto/noise.h"

#include <assert.h>
#include <sodium/crypto_scalarmult.h>
#include <sodium/utils.h>

#include "crypto/hkdf.h"
#include "crypto/pattern.h"
#include "rapport/error.h"

_Static_assert((int)NOISE_HASH_BYTES == (int)HKDF_HASH_BYTES, "hash");
_Static_assert(NOISE_KEY_BYTES == crypto_scalarmult_BYTES, "DHLEN");

static struct slice key_slice(const uint8_t key[NOISE_KEY_BYTES])
{
    return slice_of(key, NOISE_KEY_BYTES);
}

/* SymmetricState */

/* InitializeSymmetric: our names all fit into HASHLEN, so they are padded and never hashed. */
static void initialize_symmetric(struct noise *n, const char *protocol)
{
    memcpy(n->h, protocol, strlen(protocol));
    memcpy(n->ck, n->h, sizeof n->ck);
}

/* InitializeKey on the handshake's cipher. */
static void initialize_key(struct noise *n, const uint8_t *temp_k)
{
    memcpy(n->cipher.key, temp_k, NOISE_KEY_BYTES);
    n->cipher.n = 0;
    n->cipher.has_key = true;
}

/* h = HASH(h ‖ data) */
static void mix_hash(struct noise *n, struct slice data)
{
    hkdf_hash(n->h, slice_of(n->h, sizeof n->h), data);
}

/* ck, k = HKDF(ck, input, 2) */
static void mix_key(struct noise *n, struct slice input)
{
    uint8_t out[2][NOISE_HASH_BYTES];
    hkdf(out, 2, n->ck, input);
    memcpy(n->ck, out[0], sizeof n->ck);
    initialize_key(n, out[1]);
    sodium_memzero(out, sizeof out);
}

/* ck, h, k = HKDF(ck, input, 3) */
static void mix_key_and_hash(struct noise *n, struct slice input)
{
    uint8_t out[3][NOISE_HASH_BYTES];
    hkdf(out, 3, n->ck, input);
    memcpy(n->ck, out[0], sizeof n->ck);
    mix_hash(n, slice_of(out[1], sizeof out[1]));
    initialize_key(n, out[2]);
    sodium_memzero(out, sizeof out);
}

/* EncryptAndHash: appends to `out`, which has room. Plain as long as there is no key. */
static int encrypt_and_hash(struct noise *n, struct slice plain, struct buf *out)
{
    size_t start = out->len;
    int error = 0;
    if (n->cipher.has_key)
        error = cipher_encrypt(&n->cipher, slice_of(n->h, sizeof n->h), plain, out);
    else
        buf_append_slice(out, plain);
    if (!error)
        mix_hash(n, slice_of(out->ptr + start, out->len - start));
    return error;
}

/* DecryptAndHash. */
static int decrypt_and_hash(struct noise *n, struct slice sealed, struct buf *out)
{
    int error = 0;
    if (n->cipher.has_key)
        error = cipher_decrypt(&n->cipher, slice_of(n->h, sizeof n->h), sealed, out);
    else
        buf_append_slice(out, sealed);
    if (!error)
        mix_hash(n, sealed);
    return error;
}

/* HandshakeState */

/* MixKey(DH(private, public)). The all-zero result of a low-order point says that the other side
 * has put no key of its own in: refused, as section 12.1 allows. */
static int mix_dh(struct noise *n, const uint8_t *private, const uint8_t *public)
{
    uint8_t shared[NOISE_KEY_BYTES];
    int refused = crypto_scalarmult(shared, private, public);
    if (!refused)
        mix_key(n, key_slice(shared));
    sodium_memzero(shared, sizeof shared);
    return refused ? RAPPORT_AUTH : 0;
}

/* ee, es, se, ss: the first letter is the initiator's key, the second the responder's. */
static int token_dh(struct noise *n, enum token token)
{
    bool initiator_e = token == TOKEN_EE || token == TOKEN_ES;
    bool responder_e = token == TOKEN_EE || token == TOKEN_SE;
    bool own_e = n->initiator ? initiator_e : responder_e;
    bool remote_e = n->initiator ? responder_e : initiator_e;
    return mix_dh(n, own_e ? n->e_private : n->s_private, remote_e ? n->re : n->rs);
}

static int token_psk(struct noise *n)
{
    mix_key_and_hash(n, key_slice(n->psks[n->at_psk++]));
    return 0;
}

/* A public ephemeral, ours or theirs, enters the hash, and with psks also the key (section 9.2). */
static void mix_ephemeral(struct noise *n, const uint8_t *public)
{
    mix_hash(n, key_slice(public));
    if (n->psk_mode)
        mix_key(n, key_slice(public));
}

static int write_e(struct noise *n, struct buf *out)
{
    crypto_scalarmult_base(n->e_public, n->e_private);
    buf_append(out, n->e_public, sizeof n->e_public);
    mix_ephemeral(n, n->e_public);
    return 0;
}

static int write_token(struct noise *n, enum token token, struct buf *out)
{
    switch (token) {
    case TOKEN_E:
        return write_e(n, out);
    case TOKEN_S:
        return encrypt_and_hash(n, key_slice(n->s_public), out);
    case TOKEN_EE:
    case TOKEN_ES:
    case TOKEN_SE:
    case TOKEN_SS:
        return token_dh(n, token);
    case TOKEN_PSK:
        return token_psk(n);
    case TOKEN_END:
        break;
    }
    return RAPPORT_STATE;
}

static int read_e(struct noise *n, struct slice *rest)
{
    if (rest->len < NOISE_KEY_BYTES)
        return RAPPORT_TRUNCATED;
    memcpy(n->re, rest->ptr, sizeof n->re);
    *rest = slice_skip(*rest, sizeof n->re);
    mix_ephemeral(n, n->re);
    return 0;
}

static int read_s(struct noise *n, struct slice *rest, struct buf *scratch)
{
    size_t len = NOISE_KEY_BYTES + (n->cipher.has_key ? NOISE_TAG_BYTES : 0);
    if (rest->len < len)
        return RAPPORT_TRUNCATED;
    size_t start = scratch->len;
    int error = decrypt_and_hash(n, slice_of(rest->ptr, len), scratch);
    if (error)
        return error;
    memcpy(n->rs, scratch->ptr + start, sizeof n->rs);
    n->has_rs = true;
    scratch->len = start;
    *rest = slice_skip(*rest, len);
    return 0;
}

/* `scratch` lends room behind its end for a decrypted key. */
static int read_token(struct noise *n, enum token token, struct slice *rest, struct buf *scratch)
{
    switch (token) {
    case TOKEN_E:
        return read_e(n, rest);
    case TOKEN_S:
        return read_s(n, rest, scratch);
    case TOKEN_EE:
    case TOKEN_ES:
    case TOKEN_SE:
    case TOKEN_SS:
        return token_dh(n, token);
    case TOKEN_PSK:
        return token_psk(n);
    case TOKEN_END:
        break;
    }
    return RAPPORT_STATE;
}

static bool keys_fit(const struct noise_config *c, const struct pattern *p)
{
    struct pattern_keys needs = pattern_keys(p, c->initiator);
    return needs.e == (c->e_private != NULL) && needs.s == (c->s_private != NULL) &&
           needs.s == (c->s_public != NULL) && needs.rs == (c->rs != NULL) &&
           p->n_psks == c->n_psks;
}

static void copy_key(uint8_t out[NOISE_KEY_BYTES], const uint8_t *key)
{
    if (key)
        memcpy(out, key, NOISE_KEY_BYTES);
}

static void take_config(struct noise *n, const struct noise_config *c, const struct pattern *p)
{
    memcpy(n->tokens, p->tokens, sizeof n->tokens);
    n->n_messages = p->n_messages;
    n->one_way = p->n_messages == 1;
    n->psk_mode = p->n_psks > 0;
    n->initiator = c->initiator;
    copy_key(n->e_private, c->e_private);
    copy_key(n->s_private, c->s_private);
    copy_key(n->s_public, c->s_public);
    copy_key(n->rs, c->rs);
    n->has_rs = c->rs != NULL;
    for (size_t i = 0; i < c->n_psks; i++)
        copy_key(n->psks[i], c->psks[i]);
}

/* Initialize: protocol name, prologue, then the pre-messages' keys, the initiator's first. */
int noise_init(struct noise *n, const struct noise_config *config)
{
    struct pattern p;
    noise_clear(n);
    if (pattern_parse(config->protocol, &p) != 0 || !keys_fit(config, &p))
        return RAPPORT_INVALID;
    take_config(n, config, &p);
    initialize_symmetric(n, config->protocol);
    mix_hash(n, config->prologue);
    if (p.initiator_pre_s)
        mix_hash(n, key_slice(n->initiator ? n->s_public : n->rs));
    if (p.responder_pre_s)
        mix_hash(n, key_slice(n->initiator ? n->rs : n->s_public));
    n->alive = true;
    return 0;
}

/* What our next message is longer than its payload. */
static size_t overhead(const struct noise *n)
{
    bool has_key = n->cipher.has_key;
    size_t len = 0;
    for (const uint8_t *t = n->tokens[n->at_message]; *t; t++) {
        if (*t == TOKEN_E)
            len += NOISE_KEY_BYTES;
        else if (*t == TOKEN_S)
            len += (size_t)NOISE_KEY_BYTES + (has_key ? NOISE_TAG_BYTES : 0);
        has_key = has_key || (*t == TOKEN_E ? n->psk_mode : *t != TOKEN_S);
    }
    return len + (has_key ? NOISE_TAG_BYTES : 0);
}

static int write_message(struct noise *n, struct slice payload, struct buf *out)
{
    int error = 0;
    for (const uint8_t *t = n->tokens[n->at_message]; *t && !error; t++)
        error = write_token(n, *t, out);
    return error ? error : encrypt_and_hash(n, payload, out);
}

static int read_message(struct noise *n, struct slice message, struct buf *payload)
{
    int error = 0;
    for (const uint8_t *t = n->tokens[n->at_message]; *t && !error; t++)
        error = read_token(n, *t, &message, payload);
    return error ? error : decrypt_and_hash(n, message, payload);
}

/* After a failure nothing stays, in the state or behind the caller's bytes. */
static int settle(struct noise *n, int error, struct buf *b, size_t start)
{
    if (!error) {
        n->at_message++;
        return 0;
    }
    sodium_memzero(b->ptr + start, b->cap - start);
    b->len = start;
    noise_clear(n);
    return error;
}

/* WriteMessage. All room is made before the first token, so that memory cannot run out between two
 * of them. */
int noise_write(struct noise *n, struct slice payload, struct buf *out)
{
    if (!noise_my_turn(n))
        return RAPPORT_STATE;
    size_t start = out->len, more = overhead(n);
    if (payload.len > NOISE_MOST_MESSAGE - more)
        return RAPPORT_LIMIT;
    if (!buf_reserve(out, more + payload.len))
        return buf_error(out);
    return settle(n, write_message(n, payload, out), out, start);
}

/* ReadMessage. */
int noise_read(struct noise *n, struct slice message, struct buf *payload)
{
    if (!n->alive || noise_done(n) || noise_my_turn(n))
        return RAPPORT_STATE;
    if (message.len > NOISE_MOST_MESSAGE)
        return RAPPORT_LIMIT;
    size_t start = payload->len;
    if (!buf_reserve(payload, message.len + NOISE_TAG_BYTES))
        return buf_error(payload);
    return settle(n, read_message(n, message, payload), payload, start);
}

bool noise_my_turn(const struct noise *n)
{
    return n->alive && n->at_message < n->n_messages && (n->at_message % 2 == 0) == n->initiator;
}

bool noise_done(const struct noise *n)
{
    return n->alive && n->at_message == n->n_messages;
}

/* Split: temp_k1, temp_k2 = HKDF(ck, "", 2); the initiator sends with the first. */
int noise_split(struct noise *n, struct cipher *send, struct cipher *recv,
                uint8_t h[NOISE_HASH_BYTES])
{
    if (!noise_done(n))
        return RAPPORT_STATE;
    uint8_t out[2][NOISE_HASH_BYTES];
    struct cipher *first = n->initiator ? send : recv;
    struct cipher *second = n->initiator ? recv : send;
    hkdf(out, 2, n->ck, (struct slice){0});
    *first = *second = (struct cipher){0};
    memcpy(first->key, out[0], sizeof first->key);
    first->has_key = true;
    if (!n->one_way) {
        memcpy(second->key, out[1], sizeof second->key);
        second->has_key = true;
    }
    memcpy(h, n->h, sizeof n->h);
    sodium_memzero(out, sizeof out);

    struct noise rest = {.has_rs = n->has_rs};
    memcpy(rest.rs, n->rs, sizeof rest.rs);
    noise_clear(n);
    *n = rest;
    return 0;
}

const uint8_t *noise_remote_static(const struct noise *n)
{
    return n->has_rs ? n->rs : NULL;
}

void noise_clear(struct noise *n)
{
    sodium_memzero(n, sizeof *n);
}
