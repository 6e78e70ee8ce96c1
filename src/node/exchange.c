/*
 * exchange.c - addresses of friends, told on by friends, so that two who never met can dial each
 * other.
 *
 * Each device signs where it listens (an *address record*); others carry the record as it is, so
 * nobody can give a third one an address. Of each device the newest by the time that it claims is
 * held, and told to each link once: all of them when it comes up, later ones at most every
 * NODE_PEERS_MS. A record counts while its device is a member, is at most NODE_RECORD_MOST_MS old,
 * and not from the future by more than a day, or a wrong clock would freeze it.
 *
 *   record "local/addresses": array of the peers of PEERS (sync/message.h)
 */
#include "node/parts.h"

#include <stdlib.h>

static struct address_record *record_of(const struct rapport_node *n,
                                        const uint8_t device[ID_BYTES])
{
    for (size_t i = 0; i < n->n_records; i++)
        if (memcmp(n->records[i].peer.device, device, ID_BYTES) == 0)
            return &n->records[i];
    return NULL;
}

static const struct member *member_of(const struct rapport_node *n, const uint8_t device[ID_BYTES])
{
    size_t at = 0;
    for (const struct member *m; (m = report_next_member(n->report, &at));)
        if (memcmp(m->device, device, ID_BYTES) == 0)
            return m;
    return NULL;
}

/* What the device signs: the report's id, then the body. Errors stick. */
static void put_signed(const struct rapport_node *n, struct buf *out, const struct message_peer *p)
{
    buf_append(out, n->report_id, sizeof n->report_id);
    message_put_peer_body(out, p);
}

/* The place for a device's record: its own, a new one, or the oldest one's. */
static struct address_record *record_room(struct rapport_node *n, const uint8_t device[ID_BYTES])
{
    struct address_record *r = record_of(n, device);
    if (r)
        return r;
    if (!n->records)
        n->records = calloc(NODE_MOST_RECORDS, sizeof *n->records);
    if (!n->records) {
        node_fail(n, RAPPORT_NOMEM);
        return NULL;
    }
    if (n->n_records < NODE_MOST_RECORDS)
        return &n->records[n->n_records++];
    r = &n->records[0];
    for (size_t i = 1; i < n->n_records; i++)
        if (n->records[i].peer.issued_ms < r->peer.issued_ms)
            r = &n->records[i];
    return r;
}

static void keep_record(struct rapport_node *n, const struct message_peer *p, uint32_t from)
{
    struct address_record *r = record_room(n, p->device);
    if (!r)
        return;
    *r = (struct address_record){.peer = *p, .serial = ++n->last_record, .from = from};
    n->records_dirty = n->cache_dirty = true;
}

/* ---- our own ---- */

static bool same_addresses(const struct message_peer *a, const struct message_peer *b)
{
    bool same = a->n_addresses == b->n_addresses;
    for (size_t i = 0; same && i < a->n_addresses; i++)
        same = a->addresses[i].family == b->addresses[i].family &&
               a->addresses[i].port == b->addresses[i].port &&
               memcmp(a->addresses[i].addr, b->addresses[i].addr, 16) == 0;
    return same;
}

static struct message_peer own_addresses(const struct rapport_node *n)
{
    struct message_peer own = {.n_addresses = 0};
    device_id(own.device, n->keys.sign_public);
    for (size_t i = 0; i < n->n_listen && own.n_addresses < PEERS_MOST_ADDRESSES; i++) {
        const struct rapport_address *a = &n->listen[i];
        if (!hint_is_public(a))
            continue;
        struct message_address *to = &own.addresses[own.n_addresses++];
        *to = (struct message_address){.family = a->family, .port = a->port};
        memcpy(to->addr, a->bytes, a->family == 4 ? 4 : 16);
    }
    return own;
}

/* Later than the one before, unless that is so far in the future that nobody has taken it. */
static uint64_t next_issue(const struct rapport_node *n, const struct address_record *before)
{
    bool ahead = before && before->peer.issued_ms >= n->wall_ms &&
                 before->peer.issued_ms < n->wall_ms + NODE_RECORD_AHEAD_MS;
    return ahead ? before->peer.issued_ms + 1 : n->wall_ms;
}

static void issue_own(struct rapport_node *n)
{
    struct message_peer own = own_addresses(n);
    const struct address_record *before = record_of(n, own.device);
    bool fresh = before && before->peer.issued_ms <= n->wall_ms &&
                 before->peer.issued_ms + NODE_RECORD_AGAIN_MS > n->wall_ms;
    n->own_record_due = false;
    if (fresh)
        n->own_issued_ms = before->peer.issued_ms;
    if (!own.n_addresses || (fresh && same_addresses(&own, &before->peer)))
        return;
    own.issued_ms = n->own_issued_ms = next_issue(n, before);
    struct buf words = BUF_INIT;
    put_signed(n, &words, &own);
    if (buf_error(&words))
        node_fail(n, RAPPORT_NOMEM);
    else if (!sign_make(own.signature, &n->keys, SIGN_ADDRESSES, buf_slice(&words)))
        keep_record(n, &own, 0);
    buf_clear(&words);
}

void exchange_tick(struct rapport_node *n)
{
    if (n->own_issued_ms && n->wall_ms > n->own_issued_ms + NODE_RECORD_AGAIN_MS)
        n->own_record_due = true;
    if (n->own_record_due && n->online && node_is_member(n))
        issue_own(n);
}

/* ---- of others ---- */

static bool is_timely(const struct rapport_node *n, const struct message_peer *p)
{
    uint64_t issued = p->issued_ms, wall = n->wall_ms;
    return issued <= wall ? wall - issued <= NODE_RECORD_MOST_MS
                          : issued - wall <= NODE_RECORD_AHEAD_MS;
}

/* 0 when it is a member's, newer than what is held, and signed by him. */
static int check_record(const struct rapport_node *n, const struct message_peer *p)
{
    const struct member *m = member_of(n, p->device);
    const struct address_record *held = record_of(n, p->device);
    struct buf words = BUF_INIT;
    if (!m || m->removed || !is_timely(n, p) ||
        memcmp(m->card.sign_public, n->keys.sign_public, SIGN_PUBLIC_BYTES) == 0)
        return RAPPORT_REFUSED;
    if (held && held->peer.issued_ms >= p->issued_ms)
        return RAPPORT_EXISTS;
    put_signed(n, &words, p);
    int error = buf_error(&words);
    if (!error)
        error = sign_verify(m->card.sign_public, SIGN_ADDRESSES, buf_slice(&words), p->signature);
    buf_clear(&words);
    return error;
}

static void give_candidates(struct rapport_node *n, const struct message_peer *p)
{
    for (size_t i = 0; i < p->n_addresses; i++) {
        const struct message_address *a = &p->addresses[i];
        struct rapport_address address = {.family = a->family, .port = a->port};
        memcpy(address.bytes, a->addr, sizeof address.bytes);
        struct candidate *c =
            hint_is_public(&address) ? candidate_add(n, &address, RAPPORT_SOURCE_PEER) : NULL;
        if (!c || (c->has_device && memcmp(c->device, p->device, sizeof c->device) != 0))
            continue; /* known to be another's: nobody claims that */
        candidate_name(n, c, p->device);
        candidate_fresh(n, c);
    }
}

void exchange_take(struct rapport_node *n, const struct link *l, const struct message_peers *m)
{
    for (size_t i = 0; i < m->n && !n->failure; i++) {
        int error = check_record(n, &m->peers[i]);
        if (error == RAPPORT_NOMEM)
            node_fail(n, error);
        if (error)
            continue;
        keep_record(n, &m->peers[i], l->conn);
        give_candidates(n, &m->peers[i]);
    }
}

void exchange_drop_removed(struct rapport_node *n)
{
    for (size_t i = n->n_records; i-- > 0;) {
        const struct member *m = member_of(n, n->records[i].peer.device);
        if (!m || !m->removed)
            continue;
        n->records[i] = n->records[--n->n_records];
        n->records_dirty = n->cache_dirty = true;
    }
}

/* ---- telling ---- */

/* The one that came right after `serial`, or NULL. */
static const struct address_record *next_record(const struct rapport_node *n, uint64_t serial)
{
    const struct address_record *next = NULL;
    for (size_t i = 0; i < n->n_records; i++) {
        const struct address_record *r = &n->records[i];
        if (r->serial > serial && (!next || r->serial < next->serial))
            next = r;
    }
    return next;
}

static bool is_wanted(const struct rapport_node *n, const struct link *l,
                      const struct address_record *r)
{
    bool of_peer = l->has_device && memcmp(r->peer.device, l->device, sizeof l->device) == 0;
    return r->from != l->conn && !of_peer && is_timely(n, &r->peer);
}

/* Fills one message with what this link was not told yet. */
static void gather(const struct rapport_node *n, struct link *l, struct message_peers *m)
{
    m->n = 0;
    while (m->n < PEERS_MOST) {
        const struct address_record *r = next_record(n, l->peers_told);
        l->peers_told = r ? r->serial : n->last_record;
        if (!r)
            return;
        if (is_wanted(n, l, r))
            m->peers[m->n++] = r->peer;
    }
}

static void tell_records(struct rapport_node *n, struct link *l)
{
    struct message_peers *m = malloc(sizeof *m);
    struct buf out = BUF_INIT;
    bool first = l->peers_at == 0;
    if (!m) {
        node_fail(n, RAPPORT_NOMEM);
        return;
    }
    do {
        gather(n, l, m);
        if (!m->n)
            break;
        buf_reset(&out);
        message_put_peers(&out, m);
        link_message(n, l, &out);
        l->peers_at = n->now + NODE_PEERS_MS;
    } while (first && l->peers_told < n->last_record);
    buf_clear(&out);
    free(m);
}

void exchange_serve(struct rapport_node *n)
{
    for (struct link *l = n->links; l && !n->damaged; l = l->next)
        if (l->ready && l->peers_told < n->last_record && l->peers_at <= n->now)
            tell_records(n, l);
}

rapport_time_ms exchange_deadline(const struct rapport_node *n)
{
    rapport_time_ms at = UINT64_MAX;
    for (const struct link *l = n->links; l && !n->damaged; l = l->next)
        if (l->ready && l->peers_told < n->last_record && l->peers_at < at)
            at = l->peers_at;
    return at;
}

/* ---- across starts ---- */

void records_save(struct rapport_node *n)
{
    struct buf out = BUF_INIT;
    if (!n->records_dirty)
        return;
    mp_put_array(&out, n->n_records);
    for (size_t i = 0; i < n->n_records; i++)
        message_put_peer(&out, &n->records[i].peer);
    if (buf_error(&out))
        node_fail(n, RAPPORT_NOMEM);
    else
        job_add_record(n, "local/addresses", buf_slice(&out));
    buf_clear(&out);
    n->records_dirty = false;
}

/* Signatures and membership were checked before these came to the disk. */
int records_decode(struct rapport_node *n, struct slice bytes)
{
    struct mp_doc doc;
    int error = mp_open(&doc, bytes, NODE_MOST_RECORDS * (PEERS_MOST_ADDRESSES + 5) + 1);
    if (error)
        return error;
    struct mp_array rows = mp_root(&doc, &error);
    uint8_t self[ID_BYTES];
    device_id(self, n->keys.sign_public);
    while (mp_more(&rows) && !n->failure) {
        struct message_peer p = {.n_addresses = 0};
        message_read_peer(&rows, &p);
        if (error || n->n_records == NODE_MOST_RECORDS)
            break;
        keep_record(n, &p, 0);
        if (is_timely(n, &p) && memcmp(p.device, self, sizeof self) != 0)
            give_candidates(n, &p);
    }
    n->records_dirty = false;
    mp_close(&doc);
    return error ? error : n->failure;
}

void exchange_clear(struct rapport_node *n)
{
    free(n->records);
    n->records = NULL;
    n->n_records = 0;
}
