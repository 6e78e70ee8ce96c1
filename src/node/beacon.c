/*
 * beacon.c - the blinded tags by which members, and who holds a ticket, recognise an announcement
 * on a LAN. Whoever has no key sees random bytes that never come again: salt, label, port and the
 * quarter of an hour are all under the hash.
 *
 *   tag = BLAKE2b-64(key, salt ‖ epoch as 8 bytes ‖ label ‖ port as 2 bytes), epoch = unix / 900
 *   key = the report epoch's discovery key, or BLAKE2b-256 of an invite's psk
 *
 * A tag is a hint: a replayed one earns a connection, and then the handshake fails. See
 * docs/protocol.md, "Tags".
 */
#include "node/parts.h"

#include <sodium/utils.h>

enum {
    BEACON_KEY_BYTES = 32,
    BEACON_MOST_INVITES = 2, /* announced: the newest ones of ours that are open */
    BEACON_MOST_EPOCHS = 8,  /* recognised: a member that was away announces an old one */
    BEACON_MOST_KEYS = BEACON_MOST_EPOCHS + BEACON_MOST_INVITES,
};

struct beacon_keys {
    uint8_t keys[BEACON_MOST_KEYS][BEACON_KEY_BYTES];
    size_t n;
};

static void make_tag(uint8_t out[RAPPORT_TAG_BYTES], const uint8_t key[BEACON_KEY_BYTES],
                     uint64_t epoch, const struct rapport_beacon *b)
{
    struct hash h;
    uint8_t port[2] = {(uint8_t)(b->port >> 8), (uint8_t)b->port};
    hash_start(&h, "rapport tag", key, BEACON_KEY_BYTES, RAPPORT_TAG_BYTES);
    hash_add(&h, slice_of(b->salt, sizeof b->salt));
    hash_add_u64(&h, epoch);
    hash_add(&h, slice_of(b->label, sizeof b->label));
    hash_add(&h, slice_of(port, sizeof port));
    hash_end(&h, out);
}

static void add_epoch(const struct rapport_node *n, struct beacon_keys *k, size_t back)
{
    if (back < n->n_epochs)
        memcpy(k->keys[k->n++], n->epochs[n->n_epochs - 1 - back].discovery, BEACON_KEY_BYTES);
}

static void add_invite(struct beacon_keys *k, const uint8_t public_key[SIGN_PUBLIC_BYTES])
{
    uint8_t psk[32];
    invite_psk(psk, public_key);
    hash_keyed(k->keys[k->n++], BEACON_KEY_BYTES, "rapport inv-tag", psk, (struct slice){0},
               (struct slice){0});
    sodium_memzero(psk, sizeof psk);
}

static bool is_open(const struct invite *v, uint64_t wall_ms)
{
    return !v->revoked && v->n_used < v->n_uses &&
           (!v->expires_s || v->expires_s >= wall_ms / 1000);
}

/* The newest open invites that this device issued: its ticket names this device's key. */
static void add_own_invites(const struct rapport_node *n, struct beacon_keys *k, uint64_t wall_ms)
{
    const struct member *self = report_member_by_sign(n->report, n->keys.sign_public);
    const struct invite *newest[BEACON_MOST_INVITES] = {0};
    size_t at = 0;
    for (const struct invite *v; self && (v = report_next_invite(n->report, &at));) {
        if (!is_open(v, wall_ms) || memcmp(v->issuer, self->device, sizeof v->issuer) != 0)
            continue;
        memmove(newest + 1, newest, sizeof newest - sizeof newest[0]);
        newest[0] = v;
    }
    for (size_t i = 0; i < BEACON_MOST_INVITES && newest[i]; i++)
        add_invite(k, newest[i]->public_key);
}

static void add_ticket(const struct rapport_node *n, struct beacon_keys *k)
{
    uint8_t public[SIGN_PUBLIC_BYTES], secret[SIGN_SECRET_BYTES];
    invite_keys(n->ticket.invite_seed, public, secret);
    sodium_memzero(secret, sizeof secret);
    add_invite(k, public);
}

size_t rapport_node_tags(const struct rapport_node *n, uint64_t wall_ms,
                         struct rapport_beacon *beacon)
{
    struct beacon_keys k = {.n = 0};
    if (n->phase != PHASE_READY)
        return 0; /* nobody could be told from anybody yet */
    add_epoch(n, &k, 0);
    add_own_invites(n, &k, wall_ms);
    add_epoch(n, &k, 1);
    for (size_t i = 0; i < k.n; i++)
        make_tag(beacon->tags[i], k.keys[i], wall_ms / 1000 / RAPPORT_TAG_EPOCH_S, beacon);
    sodium_memzero(k.keys, sizeof k.keys);
    return k.n;
}

/* This tag epoch and those beside it: clocks differ, and announcements are kept for a while. */
static bool key_fits(const struct rapport_beacon *b, const uint8_t key[BEACON_KEY_BYTES],
                     uint64_t epoch)
{
    uint8_t tag[RAPPORT_TAG_BYTES];
    for (uint64_t e = epoch ? epoch - 1 : 0; e <= epoch + 1; e++) {
        make_tag(tag, key, e, b);
        for (size_t i = 0; i < RAPPORT_TAGS; i++)
            if (memcmp(tag, b->tags[i], sizeof tag) == 0)
                return true;
    }
    return false;
}

bool rapport_node_knows_beacon(const struct rapport_node *n, uint64_t wall_ms,
                               const struct rapport_beacon *beacon)
{
    struct beacon_keys k = {.n = 0};
    bool known = false;
    if (n->phase == PHASE_JOINING)
        add_ticket(n, &k);
    else
        add_own_invites(n, &k, wall_ms);
    for (size_t back = 0; back < BEACON_MOST_EPOCHS; back++)
        add_epoch(n, &k, back);
    for (size_t i = 0; i < k.n && !known; i++)
        known = key_fits(beacon, k.keys[i], wall_ms / 1000 / RAPPORT_TAG_EPOCH_S);
    sodium_memzero(&k, sizeof k);
    return known;
}

bool rapport_node_has_company(const struct rapport_node *n)
{
    size_t at = 0, others = 0;
    bool unread = n->has_inviter && report_genesis_record(n->report).len == 0;
    if (n->phase == PHASE_JOINING || unread)
        return true; /* whoever let us in, or will */
    for (const struct member *m; (m = report_next_member(n->report, &at));)
        others += !m->removed && memcmp(m->card.sign_public, n->keys.sign_public, 32) != 0;
    at = 0;
    for (const struct invite *v; (v = report_next_invite(n->report, &at));)
        others += is_open(v, n->wall_ms);
    return others > 0;
}
