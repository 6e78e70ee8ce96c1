/*
 * service_wait.c - waiting until peers are in step, or until a friend has come.
 *
 * In step: every connected peer has all that we have on its disk and we all that it announced, and
 * both digests are equal. Nobody is waited for who never answered a dial, but the first dials get
 * SERVICE_FIRST_DIALS_MS.
 */
#include <stdlib.h>

#include "base/hex.h"
#include "daemon/doctor.h"
#include "daemon/pack.h"
#include "daemon/service_state.h"
#include "host/mirror.h"
#include "host/ops.h"
#include "host/people.h"

struct service_wait {
    struct service_wait *next;
    enum daemon_goal goal;
    rapport_time_ms since, until;
    bool has_friend;
    uint8_t friend[RAPPORT_DEVICE_ID_BYTES];
    rapport_time_ms friend_at;
    void (*done)(void *user, struct slice reply);
    void *user;
};

/* ---- how things stand ---- */

struct standing {
    size_t n_connected, n_equal, n_first_dials;
};

static bool in_step(const struct rapport_peer_info *p)
{
    return p->state == RAPPORT_LINK_CONNECTED && p->converged && p->digest_known &&
           p->digest_equal && p->n_behind == 0;
}

static struct standing look_around(struct service *r)
{
    struct rapport_peer_info peer;
    struct standing s = {0};
    size_t at = 0;
    while (rapport_node_next_peer(host_node(r->host), &at, &peer)) {
        s.n_connected += peer.state == RAPPORT_LINK_CONNECTED;
        s.n_equal += in_step(&peer);
        s.n_first_dials += peer.last_error == 0 && (peer.state == RAPPORT_LINK_DIALLING ||
                                                    peer.state == RAPPORT_LINK_HANDSHAKE);
    }
    return s;
}

static bool is_synced(struct service *r, const struct service_wait *w, rapport_time_ms now)
{
    struct rapport_node *node = host_node(r->host);
    if (!rapport_node_ready(node) || rapport_node_unsaved(node) || mirror_is_dirty(r->host))
        return false;
    struct standing s = look_around(r);
    return s.n_connected > 0 && s.n_equal == s.n_connected &&
           (s.n_first_dials == 0 || now - w->since >= SERVICE_FIRST_DIALS_MS);
}

/* The friend has everything; or has gone again right after joining, as `rapport join` does. */
static bool friend_is_in(struct service *r, const struct service_wait *w, rapport_time_ms now)
{
    struct rapport_peer_info peer;
    size_t at = 0;
    bool here = false;
    if (!w->has_friend)
        return false;
    while (rapport_node_next_peer(host_node(r->host), &at, &peer)) {
        if (!peer.has_device || memcmp(peer.device, w->friend, sizeof w->friend) != 0)
            continue;
        here = here || peer.state == RAPPORT_LINK_CONNECTED;
        if (in_step(&peer))
            return true;
    }
    return !here && now - w->friend_at >= SERVICE_FRIEND_MS;
}

static bool everybody_is_here(struct service *r)
{
    struct people_friend friend;
    size_t at = 0;
    while (people_next_friend(r->host, &at, &friend))
        if (!friend.connected)
            return false;
    return true;
}

static bool is_reached(struct service *r, const struct service_wait *w, rapport_time_ms now)
{
    switch (w->goal) {
    case DAEMON_GOAL_SYNC:
        return is_synced(r, w, now);
    case DAEMON_GOAL_JOIN:
        return host_join_state(r->host, NULL) != HOST_JOIN_WAITING && is_synced(r, w, now);
    case DAEMON_GOAL_FRIEND:
        return friend_is_in(r, w, now);
    case DAEMON_GOAL_DOCTOR:
        return now - w->since >= SERVICE_LEAST_LOOK_MS && everybody_is_here(r);
    }
    return true;
}

/* ---- replies ---- */

static void put_peers(struct service *r, struct buf *reply)
{
    struct buf request = BUF_INIT, peers = BUF_INIT;
    mp_put_array(&request, 2);
    mp_put_cstr(&request, "peers");
    mp_put_map(&request, 0);
    struct slice rows = slice_of(NULL, 0);
    if (!buf_error(&request) && !host_call(r->host, buf_slice(&request), &peers))
        rows = pack_value(buf_slice(&peers), "peers");
    mp_put_cstr(reply, "peers");
    if (rows.len)
        buf_append_slice(reply, rows);
    else
        mp_put_array(reply, 0);
    buf_clear(&request);
    buf_clear(&peers);
}

static void reply_sync(struct service *r, const struct service_wait *w, bool reached,
                       struct buf *reply)
{
    struct buf digest = BUF_INIT;
    service_digest_text(r, &digest);
    mp_put_map(reply, 6);
    pack_put_bool(reply, "ok", true);
    pack_put_bool(reply, "converged", reached);
    mp_put_cstr(reply, "digest");
    mp_put_str(reply, buf_slice(&digest));
    put_peers(r, reply);
    pack_put_u64(reply, "connected", look_around(r).n_connected);
    pack_put_u64(reply, "waited_ms", rapport_uv_now() - w->since);
    buf_clear(&digest);
}

static void reply_friend(struct service *r, const struct service_wait *w, struct buf *reply)
{
    struct rapport_member_info member;
    char hex[2 * RAPPORT_DEVICE_ID_BYTES + 1];
    const char *name = "";
    size_t at = 0;
    while (rapport_node_next_member(host_node(r->host), &at, &member))
        if (memcmp(member.device, w->friend, sizeof w->friend) == 0)
            name = member.name;
    hex_encode(hex, w->friend, sizeof w->friend);
    mp_put_map(reply, 3);
    pack_put_bool(reply, "ok", true);
    pack_put_str(reply, "device", hex);
    pack_put_str(reply, "name", name);
}

/* Why a ticket does not let us in, and what to do. */
static const char *refusal(int error)
{
    if (error == RAPPORT_USED)
        return "this ticket was used already; ask your friend for another";
    if (error == RAPPORT_EXPIRED)
        return "this ticket is not valid any more; ask your friend for another";
    return "your friend's device does not take this ticket; ask for another";
}

static void reply_to(struct service *r, const struct service_wait *w, bool reached,
                     struct buf *reply)
{
    int error = 0;
    if (w->goal == DAEMON_GOAL_FRIEND && w->has_friend)
        reply_friend(r, w, reply);
    else if (w->goal == DAEMON_GOAL_DOCTOR)
        doctor_reply(r, &(struct doctor_about){.daemon = false}, reply);
    else if (w->goal == DAEMON_GOAL_FRIEND)
        pack_failure(reply, RAPPORT_TIMEOUT, 5, "nobody has joined yet; the ticket stays valid");
    else if (w->goal == DAEMON_GOAL_JOIN && host_join_state(r->host, &error) == HOST_JOIN_REFUSED)
        pack_failure(reply, error, 1, refusal(error));
    else if (w->goal == DAEMON_GOAL_JOIN && host_join_state(r->host, &error) == HOST_JOIN_WAITING)
        pack_failure(reply, RAPPORT_UNREACHABLE, 5,
                     "nobody who can let you in answered; ask your friend to run: rapport up");
    else
        reply_sync(r, w, reached, reply);
}

/* ---- the list ---- */

static void unlink_wait(struct service *r, struct service_wait *w)
{
    for (struct service_wait **at = &r->waits; *at; at = &(*at)->next)
        if (*at == w) {
            *at = w->next;
            r->n_waits--;
            return;
        }
}

static void answer(struct service *r, struct service_wait *w, bool reached)
{
    struct buf reply = BUF_INIT;
    unlink_wait(r, w);
    reply_to(r, w, reached, &reply);
    w->done(w->user, buf_error(&reply) ? slice_of(NULL, 0) : buf_slice(&reply));
    buf_clear(&reply);
    free(w);
}

void waits_look(struct service *r)
{
    rapport_time_ms now = rapport_uv_now();
    bool refused = host_join_state(r->host, NULL) == HOST_JOIN_REFUSED;
    struct service_wait *w = r->waits;
    while (w) {
        bool reached = is_reached(r, w, now);
        bool over = reached || now >= w->until || (refused && w->goal == DAEMON_GOAL_JOIN);
        struct service_wait *next = w->next;
        if (over)
            answer(r, w, reached);
        w = over ? r->waits : next; /* an answer may end other waits too */
    }
}

void waits_joined(struct service *r, const uint8_t device[RAPPORT_DEVICE_ID_BYTES])
{
    for (struct service_wait *w = r->waits; w; w = w->next) {
        if (w->goal != DAEMON_GOAL_FRIEND || w->has_friend)
            continue;
        w->has_friend = true;
        w->friend_at = rapport_uv_now();
        memcpy(w->friend, device, sizeof w->friend);
    }
}

void waits_end(struct service *r)
{
    rapport_time_ms now = rapport_uv_now();
    while (r->waits)
        answer(r, r->waits, is_reached(r, r->waits, now));
}

struct service_wait *service_wait(struct service *r, enum daemon_goal goal, uint64_t wait_ms,
                                  void (*done)(void *user, struct slice reply), void *user)
{
    if (r->n_waits == SERVICE_MOST_WAITS || r->closing)
        return NULL;
    struct service_wait *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->goal = goal;
    w->since = rapport_uv_now();
    w->until = wait_ms > UINT64_MAX - w->since ? UINT64_MAX : w->since + wait_ms;
    w->done = done;
    w->user = user;
    w->next = r->waits;
    r->waits = w;
    r->n_waits++;
    service_settle(r);
    (void)host_flush(r->host);
    service_touch(r);
    return w;
}

void service_wait_cancel(struct service *r, struct service_wait *w)
{
    unlink_wait(r, w);
    free(w);
}
