/*
 * receive.c - what a session says, one handler for each event and message.
 *
 * Who may talk: the key of the other side is looked up in the roster before this side shows its own
 * (dialler) or anything of the report (listener). A key that is not there gets in only by an
 * invite's psk, and then only JOIN is heard from it until it is admitted.
 */
#include "node/parts.h"

#include <sodium/utils.h>
#include <stdlib.h>

static void link_name(struct rapport_node *n, struct link *l, const struct member *m)
{
    memcpy(l->device, m->device, sizeof l->device);
    l->has_device = true;
    if (l->candidate)
        candidate_name(n, l->candidate, m->device);
}

/* Before anything of the report has come, as after a crash right behind WELCOME, the roster is
   empty and only the one is known whose key stood in the ticket. */
static bool is_inviter(const struct rapport_node *n, const uint8_t noise_public[32])
{
    return n->has_inviter && report_genesis_record(n->report).len == 0 &&
           memcmp(noise_public, n->inviter, sizeof n->inviter) == 0;
}

static bool key_is_welcome(struct rapport_node *n, struct link *l, const struct session_key *key)
{
    const struct member *m = report_member_by_noise(n->report, key->noise_public);
    memcpy(l->noise_public, key->noise_public, sizeof l->noise_public);
    if (l->role == LINK_JOINER)
        return memcmp(key->noise_public, n->ticket.inviter_noise, 32) == 0;
    if (!l->dialler && key->psk_index >= l->n_epoch_psks) {
        memcpy(l->invite, l->invites[key->psk_index - l->n_epoch_psks], sizeof l->invite);
        l->role = LINK_ISSUER;
        return true;
    }
    if (!m && is_inviter(n, key->noise_public))
        return true;
    if (!m || m->removed)
        return false;
    link_name(n, l, m);
    return true;
}

/* A second connection with a device that answers on the first: before message 3 the other side
   knows nothing of this one, so both cannot come to different minds about which one to keep. */
static bool is_connected(const struct rapport_node *n, const struct link *l)
{
    for (const struct link *other = n->links; l->dialler && other; other = other->next) {
        struct session_stats stats;
        session_stats(other->session, &stats);
        if (other != l && link_is_proven(other) &&
            memcmp(other->noise_public, l->noise_public, 32) == 0 &&
            stats.last_received_ms + SESSION_IDLE_MS > n->now)
            return true;
    }
    return false;
}

static bool on_key(struct rapport_node *n, struct link *l, const struct session_key *key)
{
    if (!key_is_welcome(n, l, key)) {
        link_end(n, l, BYE_REFUSED, RAPPORT_REFUSED);
        return false;
    }
    dials_cancel_to(n, l);
    if (is_connected(n, l)) {
        link_end(n, l, BYE_DUPLICATE, RAPPORT_EXISTS);
        return false;
    }
    l->known = true;
    session_accept(l->session, n->now);
    return true;
}

/* Which of two connections with one device stays. The dialler has looked before message 3: what it
   still has is doubted. A listener knows that too, so the older one is dead over there, unless both
   sides dialled at the same time; then both keep the one that the lower key dialled. */
static bool replaces(const struct rapport_node *n, const struct link *l, const struct link *other)
{
    bool ours_lower = memcmp(n->keys.noise_public, l->noise_public, 32) < 0;
    bool at_once = link_is_proven(other) && other->ready_at + NODE_UP_MS > n->now;
    return l->dialler || !at_once || other->dialler == l->dialler || l->dialler == ours_lower;
}

/* Returns false when `l` itself went. */
static bool end_duplicates(struct rapport_node *n, struct link *l)
{
    for (struct link *other = n->links, *next; other; other = next) {
        next = other->next;
        if (other == l || !other->ready || memcmp(other->noise_public, l->noise_public, 32) != 0)
            continue;
        if (!replaces(n, l, other)) {
            link_end(n, l, BYE_DUPLICATE, RAPPORT_EXISTS);
            return false;
        }
        link_end(n, other, BYE_DUPLICATE, RAPPORT_EXISTS);
    }
    return true;
}

static void send_join(struct rapport_node *n, struct link *l)
{
    struct buf card = BUF_INIT, out = BUF_INIT;
    uint8_t secret[SIGN_SECRET_BYTES];
    struct message_join join;
    card_encode(&n->card, &card);
    invite_keys(n->ticket.invite_seed, join.invite_public, secret);
    invite_prove(join.proof, secret, buf_slice(&card), l->handshake_hash);
    sodium_memzero(secret, sizeof secret);
    join.card = buf_slice(&card);
    message_put_join(&out, &join);
    link_message(n, l, &out);
    buf_clear(&card);
    buf_clear(&out);
}

static bool on_ready(struct rapport_node *n, struct link *l, const uint8_t hash[NOISE_HASH_BYTES])
{
    memcpy(l->handshake_hash, hash, sizeof l->handshake_hash);
    if (l->candidate)
        l->candidate->last_error = 0;
    switch (l->role) {
    case LINK_MEMBER:
        if (!end_duplicates(n, l))
            return false;
        link_greet(n, l);
        return true;
    case LINK_JOINER:
        send_join(n, l);
        l->join_by = n->now + NODE_WELCOME_MS;
        return true;
    case LINK_ISSUER:
        l->join_by = n->now + NODE_JOIN_MS;
        return true;
    }
    return true;
}

static void digests(struct rapport_node *n, uint8_t state[16], uint8_t have[16])
{
    if (!n->digest_valid) {
        struct have rows = HAVE_INIT;
        int error = have_of(&n->logs, &rows);
        if (!error)
            have_digest(&rows, n->have_digest);
        if (report_digest(n->report, &n->logs, n->state_digest) == 0)
            n->digest_valid = !error;
        have_clear(&rows);
    }
    memcpy(state, n->state_digest, 16);
    memcpy(have, n->have_digest, 16);
}

void link_greet(struct rapport_node *n, struct link *l)
{
    struct message_hello *hello = calloc(1, sizeof *hello);
    struct buf out = BUF_INIT;
    if (!hello) {
        node_fail(n, RAPPORT_NOMEM);
        return;
    }
    hello->version = MESSAGE_VERSION;
    hello->wall_ms = n->wall_ms;
    hello->n_heads = n->logs.by_id.n;
    digests(n, hello->state, hello->have);
    memcpy(l->digest_told, hello->state, sizeof l->digest_told);
    for (size_t i = 0; i < n->n_listen && hello->n_addresses < HELLO_MOST_ADDRESSES; i++) {
        if (hint_is_link_local(&n->listen[i]))
            continue;
        struct message_address *a = &hello->addresses[hello->n_addresses++];
        *a = (struct message_address){.family = n->listen[i].family, .port = n->listen[i].port};
        memcpy(a->addr, n->listen[i].bytes, sizeof a->addr);
    }
    message_put_hello(&out, hello);
    link_message(n, l, &out);
    if (gossip_link_up(n->gossip, l->conn, n->now))
        node_fail(n, RAPPORT_NOMEM);
    l->ready = true;
    l->ready_at = n->now;
    n->dials_dirty = true;
    buf_clear(&out);
    free(hello);
}

static void send_ping(struct rapport_node *n, struct link *l,
                      const uint8_t cookie[MESSAGE_COOKIE_BYTES], bool pong)
{
    struct message_ping ping = {0};
    struct buf out = BUF_INIT;
    memcpy(ping.cookie, cookie, sizeof ping.cookie);
    if (l->ready) /* not to one who has yet to be admitted */
        digests(n, ping.state, ping.have);
    memcpy(l->digest_told, ping.state, sizeof l->digest_told);
    if (pong)
        message_put_pong(&out, &ping);
    else
        message_put_ping(&out, &ping);
    link_message(n, l, &out);
    buf_clear(&out);
}

void link_tell_digest(struct rapport_node *n, struct link *l)
{
    uint8_t state[16], have[16];
    l->digest_due = false;
    digests(n, state, have);
    if (memcmp(state, l->digest_told, sizeof state) != 0)
        send_ping(n, l, (const uint8_t[MESSAGE_COOKIE_BYTES]){0}, true);
}

/* Where the books say that both are even and the digests say otherwise, all rows are told again. */
static void learn_digests(struct rapport_node *n, struct link *l, const uint8_t state[16],
                          const uint8_t have[16])
{
    uint8_t our_state[16], our_have[16];
    if (!l->ready)
        return;
    digests(n, our_state, our_have);
    if (memcmp(our_have, have, sizeof our_have) != 0 && gossip_converged(n->gossip, l->conn))
        gossip_tell_all(n->gossip, l->conn);
    memcpy(l->digest, state, sizeof l->digest);
    memcpy(l->have_digest, have, sizeof l->have_digest);
    l->digest_known = true;
}

/* The peer's own words where it listens; an unspecified address means the one that we see it under.
 */
static void learn_addresses(struct rapport_node *n, struct link *l, const struct message_hello *m)
{
    static const uint8_t zeros[16];
    for (size_t i = 0; i < m->n_addresses; i++) {
        const struct message_address *a = &m->addresses[i];
        struct rapport_address address = {.family = a->family, .port = a->port};
        memcpy(address.bytes, a->addr, sizeof address.bytes);
        if (memcmp(a->addr, zeros, sizeof zeros) == 0) {
            if (l->dialler || a->family != l->address.family)
                continue;
            address = l->address;
            address.port = a->port;
        }
        struct candidate *c = candidate_add(n, &address, RAPPORT_SOURCE_PEER);
        if (!c || c->has_device || c->source != RAPPORT_SOURCE_PEER)
            continue; /* known from better sources: nobody claims another's address */
        c->keep = true;
        if (l->has_device)
            candidate_name(n, c, l->device);
        n->peers_dirty = n->cache_dirty = true;
    }
}

/* Claims may be anything: further ahead than a date can be is as good as far ahead. */
static int64_t clock_ahead(uint64_t theirs, uint64_t ours)
{
    if (theirs >= ours)
        return theirs - ours > INT64_MAX ? INT64_MAX : (int64_t)(theirs - ours);
    return ours - theirs > INT64_MAX ? -INT64_MAX : -(int64_t)(ours - theirs);
}

static bool on_hello(struct rapport_node *n, struct link *l, const struct message_hello *m)
{
    learn_digests(n, l, m->state, m->have);
    l->greeted = true;
    l->clock_ahead_ms = clock_ahead(m->wall_ms, n->wall_ms);
    if (l->candidate)
        candidate_succeeded(n, l->candidate);
    learn_addresses(n, l, m);
    return true;
}

static bool on_ping(struct rapport_node *n, struct link *l, const struct message_ping *m)
{
    learn_digests(n, l, m->state, m->have);
    send_ping(n, l, m->cookie, true);
    return true;
}

static bool on_pong(struct rapport_node *n, struct link *l, const struct message_ping *m)
{
    struct session_stats stats;
    learn_digests(n, l, m->state, m->have);
    session_stats(l->session, &stats);
    if (stats.rtt_known)
        gossip_link_rtt(n->gossip, l->conn, stats.rtt_ms);
    return true;
}

/* A row says what is on the peer's disk. Kept also when he is gone. */
static void learn_acked(struct rapport_node *n, const struct message_row *row)
{
    bool same = memcmp(n->acked_log, row->log, sizeof n->acked_log) == 0;
    if (same && row->next <= n->acked)
        return;
    memcpy(n->acked_log, row->log, sizeof n->acked_log);
    n->acked = row->next;
    n->acked_dirty = true;
}

static bool on_have(struct rapport_node *n, struct link *l, const struct message_have *m)
{
    for (size_t i = 0; i < m->n; i++) {
        if (n->has_own_log && memcmp(m->rows[i].log, n->own_log, sizeof n->own_log) == 0) {
            learn_acked(n, &m->rows[i]);
            node_doubt_log(n, m->rows[i].next);
        }
        if (l->has_device)
            held_learn(n, l->device, m->rows[i].log, m->rows[i].next);
        if (gossip_peer_have(n->gossip, l->conn, &m->rows[i], n->now) == RAPPORT_NOMEM)
            node_fail(n, RAPPORT_NOMEM);
    }
    if (!m->more)
        gossip_peer_complete(n->gossip, l->conn, n->now);
    return true;
}

static bool on_need(struct rapport_node *n, struct link *l, const struct message_need *m)
{
    struct gossip_run need = {.from = m->from};
    memcpy(need.log, m->log, sizeof need.log);
    gossip_peer_need(n->gossip, l->conn, &need);
    return true;
}

/* Did this very device come in by this invite before, so that only its WELCOME was lost? */
static bool is_admitted(const struct rapport_node *n, const struct device_card *card,
                        const struct invite *v)
{
    const struct member *m = report_member_by_sign(n->report, card->sign_public);
    return m && !m->removed && memcmp(m->invite, v->id, sizeof m->invite) == 0;
}

static int check_invite(const struct rapport_node *n, const struct invite *v)
{
    const struct member *self = report_member_by_sign(n->report, n->keys.sign_public);
    if (v->revoked || v->n_used >= v->n_uses)
        return RAPPORT_USED;
    if (v->expires_s && v->expires_s < n->wall_ms / 1000)
        return RAPPORT_EXPIRED;
    bool is_issuer = self && memcmp(v->issuer, self->device, sizeof v->issuer) == 0;
    bool is_admin = self && self->role != ROLE_MEMBER;
    return (v->n_uses == 1 ? is_issuer : is_admin) ? 0 : RAPPORT_REFUSED;
}

/* *known: the device is in already. */
static int check_join(struct rapport_node *n, struct link *l, const struct message_join *m,
                      struct device_card *card, bool *known)
{
    const struct invite *v = report_invite(n->report, m->invite_public);
    if (!v || memcmp(m->invite_public, l->invite, 32) != 0)
        return RAPPORT_REFUSED;
    int error = invite_verify(m->invite_public, m->card, l->handshake_hash, m->proof);
    if (!error)
        error = card_decode(m->card, card);
    if (!error && memcmp(card->noise_public, l->noise_public, 32) != 0)
        error = RAPPORT_AUTH;
    if (error)
        return error;
    *known = is_admitted(n, card, v);
    return *known ? 0 : check_invite(n, v);
}

static const char *join_refusal(int error)
{
    switch (error) {
    case RAPPORT_USED:
        return "ticket used";
    case RAPPORT_EXPIRED:
        return "ticket expired";
    default:
        return "refused";
    }
}

static bool on_join(struct rapport_node *n, struct link *l, const struct message_join *m)
{
    struct device_card card;
    bool known = false;
    int error = l->role == LINK_ISSUER && !l->welcome_after ? check_join(n, l, m, &card, &known)
                                                            : RAPPORT_STATE;
    bool pending = n->jobs || n->open_job;
    l->join_by = 0;
    if (n->failure)
        error = n->failure; /* its roster may hold what never came to the disk */
    if (!error && known && !pending)
        return link_welcome(n, l);
    if (!error) {
        l->welcome_after = known ? n->last_store : node_admit(n, &card, m->invite_public);
        error = l->welcome_after ? 0 : RAPPORT_STATE;
    }
    if (!error)
        return true;
    if (!n->failure && error != RAPPORT_NOMEM) {
        session_bye(l->session, BYE_REFUSED, join_refusal(error));
        link_send(n, l);
    } /* else this is no word on the ticket: it may be tried again */
    link_end(n, l, BYE_REFUSED, error);
    return false;
}

bool link_welcome(struct rapport_node *n, struct link *l)
{
    const struct member *m = report_member_by_noise(n->report, l->noise_public);
    if (!m || m->removed) {
        link_end(n, l, BYE_REFUSED, RAPPORT_REFUSED);
        return false;
    }
    struct message_welcome *w = calloc(1, sizeof *w);
    struct buf card = BUF_INIT, out = BUF_INIT;
    if (!w) {
        node_fail(n, RAPPORT_NOMEM);
        return true;
    }
    card_encode(&n->card, &card);
    w->genesis = report_genesis_record(n->report);
    w->card = buf_slice(&card);
    for (size_t i = 0; i < n->n_epochs; i++)
        w->secrets[w->n_secrets++] = n->epochs[i].secret;
    message_put_welcome(&out, w);
    link_message(n, l, &out);
    buf_clear(&card);
    buf_wipe(&out);
    free(w);
    link_name(n, l, m);
    l->role = LINK_MEMBER;
    struct node_effect *e = effect_push(n, RAPPORT_EFFECT_JOINED);
    if (e)
        memcpy(e->effect.device, m->device, sizeof e->effect.device);
    link_greet(n, l);
    return true;
}

void links_end_removed(struct rapport_node *n)
{
    for (struct link *l = n->links, *next; l; l = next) {
        next = l->next;
        const struct member *m =
            l->ready ? report_member_by_noise(n->report, l->noise_public) : NULL;
        if (m && m->removed)
            link_end(n, l, BYE_REFUSED, RAPPORT_REFUSED);
    }
}

/* Takes the report that the ticket promised. */
static int take_welcome(struct rapport_node *n, struct link *l, const struct message_welcome *m)
{
    uint8_t id[REPORT_ID_BYTES], check[ID_BYTES];
    struct device_card creator;
    report_id_of(id, m->genesis);
    ticket_report_check(check, id);
    if (memcmp(check, n->ticket.report_check, sizeof check) != 0 || !m->n_secrets)
        return RAPPORT_AUTH;
    int error = genesis_check(m->genesis, &creator);
    for (size_t i = 0; i < m->n_secrets && !error; i++)
        error = node_add_epoch(n, m->secrets[i]);
    if (error)
        return error;
    node_set_report(n, id);
    n->phase = PHASE_READY;
    n->index = INDEX_DONE;
    memcpy(n->inviter, n->ticket.inviter_noise, sizeof n->inviter);
    n->has_inviter = n->peers_dirty = true;
    if (l->candidate)
        l->candidate->keep = true; /* where to go on after a crash right now */
    node_save_identity(n);
    n->cache_dirty = true;
    return n->failure;
}

static bool on_welcome(struct rapport_node *n, struct link *l, const struct message_welcome *m)
{
    int error =
        l->role == LINK_JOINER && n->phase == PHASE_JOINING ? take_welcome(n, l, m) : RAPPORT_STATE;
    if (error) {
        link_end(n, l, BYE_REFUSED, error);
        return false;
    }
    l->role = LINK_MEMBER;
    l->join_by = 0;
    struct device_card card;
    if (!card_decode(m->card, &card)) {
        device_id(l->device, card.sign_public);
        l->has_device = true;
        if (l->candidate)
            candidate_name(n, l->candidate, l->device);
    }
    struct node_effect *e = effect_push(n, RAPPORT_EFFECT_JOINED);
    if (e)
        memcpy(e->effect.device, l->device, sizeof e->effect.device);
    link_greet(n, l);
    return true;
}

/* While joining, a BYE after JOIN is the issuer's word on the ticket. */
static bool on_bye(struct rapport_node *n, struct link *l, const struct message_bye *m)
{
    if (n->phase != PHASE_JOINING || m->code != BYE_REFUSED)
        return true;
    struct node_effect *e = effect_push(n, RAPPORT_EFFECT_REFUSED);
    if (e)
        e->effect.error = slice_equal(m->text, slice_str("ticket used"))      ? RAPPORT_USED
                          : slice_equal(m->text, slice_str("ticket expired")) ? RAPPORT_EXPIRED
                                                                              : RAPPORT_REFUSED;
    (void)l;
    return true;
}

static bool on_message(struct rapport_node *n, struct link *l, const struct message *m)
{
    bool stranger = l->role != LINK_MEMBER;
    if (stranger && m->type != MESSAGE_JOIN && m->type != MESSAGE_WELCOME &&
        m->type != MESSAGE_BYE && m->type != MESSAGE_PING && m->type != MESSAGE_PONG)
        return true;
    switch (m->type) {
    case MESSAGE_HELLO:
        return on_hello(n, l, &m->hello);
    case MESSAGE_PING:
        return on_ping(n, l, &m->ping);
    case MESSAGE_PONG:
        return on_pong(n, l, &m->ping);
    case MESSAGE_HAVE:
        return on_have(n, l, &m->have);
    case MESSAGE_DELTAS:
        ingest_run(n, l, &m->deltas);
        return true;
    case MESSAGE_NEED:
        return on_need(n, l, &m->need);
    case MESSAGE_JOIN:
        return on_join(n, l, &m->join);
    case MESSAGE_WELCOME:
        return on_welcome(n, l, &m->welcome);
    case MESSAGE_BYE:
        return on_bye(n, l, &m->bye);
    case MESSAGE_PEERS:
        exchange_take(n, l, &m->peers);
        return true;
    case MESSAGE_UNKNOWN:
        return true;
    }
    return true;
}

bool link_event(struct rapport_node *n, struct link *l, const struct session_event *e)
{
    switch (e->kind) {
    case SESSION_KEY:
        return on_key(n, l, &e->key);
    case SESSION_READY:
        return on_ready(n, l, e->handshake_hash);
    case SESSION_MESSAGE:
        return on_message(n, l, &e->message);
    case SESSION_PING_DUE:
        send_ping(n, l, e->cookie, false);
        return true;
    case SESSION_CLOSED:
        if (e->error == RAPPORT_REFUSED && l->candidate)
            l->candidate->is_self = true; /* the session met its own key */
        link_end(n, l, BYE_DONE, e->error);
        return false;
    }
    return true;
}
