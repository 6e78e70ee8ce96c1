/* info.c - reading a node: notes, history, members, peers. Nothing here changes the report. */
#include "node/parts.h"

#include <sodium/utils.h>
#include <stdlib.h>

#include "base/hex.h"

/* Title and hash cost a pass over the text: they are made when somebody reads them, not with each
 * keystroke. */
static int fill_note(struct note *note, struct rapport_note_info *out)
{
    int error = report_refresh_note(note);
    if (error)
        return error;
    *out = (struct rapport_note_info){
        .path = note->shown_path ? note->shown_path : note->path,
        .title = note->title,
        .talk = note->talk.len ? note->talk.ptr : NULL,
        .talk_len = note->talk.len,
        .trashed = note->trashed,
        .loaded = note->text != NULL,
        .n_bytes = note->n_bytes,
        .changed_ms = note->changed_ms,
        .n_authors = note->n_authors,
    };
    memcpy(out->id, note->id, sizeof out->id);
    memcpy(out->text_hash, note->text_hash, sizeof out->text_hash);
    return 0;
}

bool rapport_node_next_note(struct rapport_node *n, size_t *at, struct rapport_note_info *out)
{
    if (report_settle_paths(n->report))
        return false;
    for (struct note *note; (note = report_next_note(n->report, at));)
        if (note->exists)
            return fill_note(note, out) == 0;
    return false;
}

int rapport_node_note(struct rapport_node *n, const uint8_t id[RAPPORT_NOTE_ID_BYTES],
                      struct rapport_note_info *out)
{
    struct note *note = report_note(n->report, id);
    if (!note || !note->exists)
        return RAPPORT_NOTFOUND;
    int error = report_settle_paths(n->report);
    return error ? error : fill_note(note, out);
}

/* Lends a string out until the next call. */
static const char *lend(struct rapport_node *n, struct slice s)
{
    char *copy = malloc(s.len + 1);
    if (!copy)
        return "";
    if (s.len)
        memcpy(copy, s.ptr, s.len);
    copy[s.len] = 0;
    free(n->text_out);
    n->text_out = copy;
    return copy;
}

static const char *author_name(struct rapport_node *n, const uint8_t log[LOG_ID_BYTES])
{
    const struct member *m = report_member_of_log(n->report, log);
    if (m)
        return m->card.name;
    char hex[2 * LOG_ID_BYTES + 1];
    hex_encode(hex, log, LOG_ID_BYTES);
    return lend(n, slice_str(hex));
}

const char *rapport_node_note_author(struct rapport_node *n,
                                     const uint8_t id[RAPPORT_NOTE_ID_BYTES], size_t i)
{
    const struct note *note = report_note(n->report, id);
    return note && i < note->n_authors ? author_name(n, note->authors[i]) : "";
}

/* The note with its text in memory, or why not. */
static int loaded_note(struct rapport_node *n, const uint8_t id[RAPPORT_NOTE_ID_BYTES],
                       struct note **out)
{
    struct note *note = report_note(n->report, id);
    if (!note || !note->exists)
        return RAPPORT_NOTFOUND;
    int error = note_need(n, note);
    if (error == RAPPORT_AGAIN)
        notes_load_wanted(n);
    if (!error)
        *out = note;
    return error;
}

int rapport_node_note_text(struct rapport_node *n, const uint8_t id[RAPPORT_NOTE_ID_BYTES],
                           char **out, size_t *len)
{
    struct note *note = NULL;
    int error = loaded_note(n, id, &note);
    return error ? error : rapport_text_copy(note->text, 0, SIZE_MAX, out, len);
}

int rapport_node_note_version(struct rapport_node *n, const uint8_t id[RAPPORT_NOTE_ID_BYTES],
                              uint8_t **out, size_t *len)
{
    struct note *note = NULL;
    struct rapport_text_id ids[PARENTS_MOST];
    int error = loaded_note(n, id, &note);
    if (error)
        return error;
    size_t count = rapport_text_version(note->text, ids, PARENTS_MOST);
    if (count > PARENTS_MOST)
        return RAPPORT_LIMIT;
    struct buf b = BUF_INIT;
    buf_varint(&b, count);
    for (size_t i = 0; i < count; i++) {
        buf_append(&b, ids[i].agent, ids[i].agent_len);
        buf_varint(&b, ids[i].seq);
    }
    error = buf_error(&b);
    if (error)
        buf_clear(&b);
    else
        *out = buf_detach(&b, len);
    return error;
}

int rapport_node_note_at(struct rapport_node *n, const uint8_t id[RAPPORT_NOTE_ID_BYTES],
                         struct rapport_version version, char **out, size_t *len)
{
    struct note *note = NULL;
    struct rapport_text_id ids[PARENTS_MOST];
    size_t n_ids = 0;
    int error = loaded_note(n, id, &note);
    if (!error)
        error = version_read(version, ids, PARENTS_MOST, &n_ids);
    return error ? error : rapport_text_at(note->text, ids, n_ids, out, len);
}

void rapport_node_draw_note_id(struct rapport_node *n, uint8_t out[RAPPORT_NOTE_ID_BYTES])
{
    rng_bytes(&n->rng, out, RAPPORT_NOTE_ID_BYTES);
}

enum {
    DESCRIBE_MOST = 256
};

static void tell_history(struct rapport_node *n, const struct delta *d,
                         const struct report_change *c,
                         void (*each)(void *, const struct rapport_history *), void *user)
{
    struct rapport_history line = {
        .author = author_name(n, d->log),
        .first = c->first,
        .end = d->end,
        .wall_ms = d->wall_ms,
        .n_inserted = c->n_inserted,
        .n_deleted = c->n_deleted,
        .created = c->created,
        .renamed = c->renamed,
        .trashed = c->trashed,
        .control = c->control,
    };
    memcpy(line.note, c->note, sizeof line.note);
    memcpy(line.log, d->log, sizeof line.log);
    each(user, &line);
}

int rapport_node_describe(struct rapport_node *n, const uint8_t *bytes, size_t len,
                          void (*each)(void *user, const struct rapport_history *line), void *user)
{
    struct delta *d = malloc(sizeof *d);
    struct report_change *changes = malloc(DESCRIBE_MOST * sizeof *changes);
    struct buf plain = BUF_INIT;
    int error = d && changes ? delta_decode(slice_of(bytes, len), n->report_id, d) : RAPPORT_NOMEM;
    const struct epoch_keys *epoch = error ? NULL : node_epoch(n, d->epoch);
    if (!error)
        error = epoch ? delta_open(d, epoch, &plain) : RAPPORT_NOKEY;
    int count =
        error ? error : report_describe(n->report, d, buf_slice(&plain), changes, DESCRIBE_MOST);
    for (int i = 0; i < count; i++)
        tell_history(n, d, &changes[i], each, user);
    buf_wipe(&plain);
    free(changes);
    free(d);
    return count < 0 ? count : 0;
}

bool rapport_node_report_id(const struct rapport_node *n, uint8_t out[RAPPORT_REPORT_ID_BYTES])
{
    if (n->has_report)
        memcpy(out, n->report_id, RAPPORT_REPORT_ID_BYTES);
    return n->has_report;
}

const char *rapport_node_setting(struct rapport_node *n, const char *key)
{
    return lend(n, report_setting(n->report, key));
}

int rapport_node_digest(struct rapport_node *n, uint8_t out[RAPPORT_DIGEST_BYTES])
{
    return n->has_report ? report_digest(n->report, &n->logs, out) : RAPPORT_STATE;
}

bool rapport_node_own_log(const struct rapport_node *n, uint8_t out[16])
{
    if (n->has_own_log)
        memcpy(out, n->own_log, LOG_ID_BYTES);
    return n->has_own_log;
}

uint64_t rapport_node_unsent(const struct rapport_node *n)
{
    uint64_t next = n->has_own_log ? rapport_node_height(n, n->own_log) : 0;
    bool known = n->has_own_log && memcmp(n->acked_log, n->own_log, sizeof n->own_log) == 0;
    uint64_t acked = known ? n->acked : 0;
    return next > acked ? next - acked : 0;
}

uint64_t rapport_node_height(const struct rapport_node *n, const uint8_t log_id[16])
{
    const struct log *log = n->has_report ? log_find(&n->logs, log_id) : NULL;
    return log ? log->next : 0;
}

void rapport_node_counters(const struct rapport_node *n, struct rapport_counters *out)
{
    *out = n->counters;
}

static const char *role_name(enum role role)
{
    switch (role) {
    case ROLE_OWNER:
        return "owner";
    case ROLE_ADMIN:
        return "admin";
    case ROLE_MEMBER:
        return "member";
    }
    return "";
}

bool rapport_node_next_member(struct rapport_node *n, size_t *at, struct rapport_member_info *out)
{
    const struct member *m = report_next_member(n->report, at);
    if (!m)
        return false;
    *out = (struct rapport_member_info){
        .name = m->card.name, .role = role_name(m->role), .removed = m->removed};
    out->self = memcmp(m->card.sign_public, n->keys.sign_public, sizeof m->card.sign_public) == 0;
    memcpy(out->device, m->device, sizeof out->device);
    return true;
}

static const char *device_name(const struct rapport_node *n, const uint8_t device[ID_BYTES])
{
    size_t at = 0;
    for (const struct member *m; (m = report_next_member(n->report, &at));)
        if (memcmp(m->device, device, ID_BYTES) == 0)
            return m->card.name;
    return "";
}

static void fill_link(const struct rapport_node *n, const struct link *l,
                      struct rapport_peer_info *out)
{
    struct session_stats stats;
    struct gossip_counters counters;
    uint8_t digest[16];
    session_stats(l->session, &stats);
    gossip_counters(n->gossip, l->conn, &counters);
    *out = (struct rapport_peer_info){
        .state = l->ready ? RAPPORT_LINK_CONNECTED : RAPPORT_LINK_HANDSHAKE,
        .inbound = !l->dialler,
        .has_device = l->has_device,
        .name = l->has_device ? device_name(n, l->device) : "",
        .address = l->address,
        .source = l->candidate ? l->candidate->source : RAPPORT_SOURCE_INBOUND,
        .on_lan = l->candidate && l->candidate->on_lan,
        .last_heard = stats.last_received_ms,
        .last_heard_wall_ms = l->last_heard_wall_ms,
        .since_wall_ms = l->since_wall_ms,
        .clock_known = l->greeted,
        .clock_ahead_ms = l->clock_ahead_ms,
        .rtt_ms = stats.rtt_known ? stats.rtt_ms : 0,
        .n_unacknowledged = counters.unacknowledged,
        .n_behind = counters.behind,
        .converged = l->ready && gossip_converged(n->gossip, l->conn),
        .digest_known = l->digest_known,
    };
    memcpy(out->device, l->device, sizeof out->device);
    out->digest_equal = l->digest_known && !report_digest(n->report, &n->logs, digest) &&
                        memcmp(digest, l->digest, sizeof digest) == 0;
}

static void fill_candidate(const struct rapport_node *n, const struct candidate *c,
                           struct rapport_peer_info *out)
{
    *out = (struct rapport_peer_info){
        .state = c->dial ? RAPPORT_LINK_DIALLING : RAPPORT_LINK_WAITING,
        .has_device = c->has_device,
        .name = c->has_device ? device_name(n, c->device) : "",
        .address = c->address,
        .source = c->source,
        .on_lan = c->on_lan,
        .n_tries = c->n_tries,
        .last_error = c->last_error,
        .next_try = c->next_try,
    };
    memcpy(out->device, c->device, sizeof out->device);
}

/* Links first, then candidates that are not connected. */
bool rapport_node_next_peer(struct rapport_node *n, size_t *at, struct rapport_peer_info *out)
{
    size_t i = 0;
    for (const struct link *l = n->links; l; l = l->next)
        if (i++ == *at) {
            ++*at;
            fill_link(n, l, out);
            return true;
        }
    for (size_t k = 0; k < n->n_candidates; k++) {
        const struct candidate *c = n->candidates[k];
        if (c->conn || c->is_self || i++ < *at)
            continue;
        ++*at;
        fill_candidate(n, c, out);
        return true;
    }
    return false;
}

void rapport_node_draw_invite(struct rapport_node *n, uint8_t seed[32], uint8_t public_key[32])
{
    uint8_t secret[SIGN_SECRET_BYTES];
    rng_bytes(&n->rng, seed, INVITE_SEED_BYTES);
    invite_keys(seed, public_key, secret);
    sodium_memzero(secret, sizeof secret);
}

int rapport_node_ticket(struct rapport_node *n, const struct rapport_invite *invite, char **text)
{
    if (!n->has_report || invite->n_uses < 1 || invite->n_uses > UINT8_MAX)
        return n->has_report ? RAPPORT_INVALID : RAPPORT_STATE;
    struct ticket t = {.expires_s = invite->expires_s,
                       .n_uses = (uint8_t)invite->n_uses,
                       .one_use = invite->n_uses == 1};
    ticket_report_check(t.report_check, n->report_id);
    memcpy(t.invite_seed, invite->seed, sizeof t.invite_seed);
    memcpy(t.inviter_noise, n->keys.noise_public, sizeof t.inviter_noise);
    for (size_t i = 0; i < invite->n_addresses && t.n_addrs < TICKET_MOST_ADDRS; i++) {
        struct ticket_addr *a = &t.addrs[t.n_addrs++];
        *a = (struct ticket_addr){.family = invite->addresses[i].family,
                                  .port = invite->addresses[i].port};
        memcpy(a->addr, invite->addresses[i].bytes, sizeof a->addr);
    }
    struct buf b = BUF_INIT;
    int error = ticket_encode(&t, &b);
    ticket_wipe(&t);
    if (!error && !buf_cstr(&b))
        error = RAPPORT_NOMEM;
    size_t len = 0;
    if (error)
        buf_wipe(&b);
    else
        *text = (char *)buf_detach(&b, &len);
    return error;
}

int rapport_ticket_read(const char *text, size_t len, struct rapport_ticket_info *out)
{
    struct ticket t;
    int error = ticket_decode(slice_of(text, len), &t);
    if (error)
        return error;
    *out = (struct rapport_ticket_info){
        .expires_s = t.expires_s, .n_uses = t.n_uses, .n_addresses = t.n_addrs};
    for (size_t i = 0; i < t.n_addrs; i++) {
        out->addresses[i] =
            (struct rapport_address){.family = t.addrs[i].family, .port = t.addrs[i].port};
        memcpy(out->addresses[i].bytes, t.addrs[i].addr, sizeof t.addrs[i].addr);
    }
    ticket_wipe(&t);
    return 0;
}
