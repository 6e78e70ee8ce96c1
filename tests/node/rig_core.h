/*
 * rig_core.h - a few nodes in one process under a virtual clock, wired in memory, with what they
 * say in the trace: the tap opens a copy of the receiver's cipher, so a transcript names every
 * message.
 *
 * One way takes 10 ms. A database answers WRITTEN at once and STORED after 5 ms, unless it is held
 * back or made to fail. Nothing here allocates but what a session or a tap needs.
 */
#ifndef TESTS_NODE_RIG_CORE_H
#define TESTS_NODE_RIG_CORE_H

#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>

#include "db.h"
#include "node/parts.h"
#include "sync/session_state.h"

enum {
    RIG_SIDES = 4,
    RIG_WIRES = 256,
    RIG_ACTIONS = 4096,
    RIG_POOL = 32 << 20,
    RIG_TRACE = 64 << 10,
    RIG_ONE_WAY_MS = 10,
    RIG_SYNC_MS = 5,
    RIG_HELD = 64,
    RIG_PORT = 1000, /* of side 0; every hundredth further one is its too */
    RIG_SILENT = 50, /* from here on in each hundred nothing answers for RIG_TIMEOUT_MS, */
    RIG_ELSE = 60,   /* and from here on somebody else does */
    RIG_REFUSES = 73,
    RIG_TIMEOUT_MS = 3000,
};
#define RIG_WALL_MS UINT64_C(1675501200000)

enum { /* what the trace shows */
    SHOW_WIRE = 1,
    SHOW_STORE = 2,
    SHOW_LIFE = 4,
    SHOW_ALL = 7,
    SHOW_DIALS = 8 /* with addresses, and what is said about them */
};

enum rig_kind {
    RIG_CONNECTED,
    RIG_DIAL_FAILED,
    RIG_DELIVER,
    RIG_CLOSED,
    RIG_STORED
};

struct rig_action {
    uint64_t at;
    enum rig_kind kind;
    int side;
    unsigned life;
    uint32_t conn, dial;
    int error;
    uint64_t store;
    uint8_t *bytes;
    size_t len;
};

struct rig_held {
    uint64_t id;
    const struct batch *batch;
};

struct rig_side {
    struct rapport_node *node;
    struct db db;
    uint8_t device_seed[32];
    unsigned life;
    int64_t clock_off_ms; /* of the wall clock */
    int store_error;      /* what the next STORE is answered with */
    bool hold_written, hold_stored, hold_loads;
    struct rig_held held[RIG_HELD]; /* stores not written yet */
    struct load loads[RIG_HELD];    /* loads not answered yet */
    size_t n_held, n_loads;
    uint64_t written, synced;
    int refused;
    unsigned n_joined;
};

/* A connection; side[1] < 0: a script sits there. */
struct rig_wire {
    int side[2];
    bool open[2];
    bool dead; /* nothing arrives any more, and nobody is told */
};

struct rig {
    struct rig_side side[RIG_SIDES];
    struct rig_wire wires[RIG_WIRES];
    struct rig_action actions[RIG_ACTIONS];
    size_t n_wires, n_actions, n_trace, used;
    uint64_t now, order;
    unsigned show;
    bool cut; /* nobody reaches anybody */
    uint8_t seed;
    size_t n_dialling[RIG_SIDES];                                       /* not answered yet */
    void (*to_script)(uint32_t conn, const uint8_t *bytes, size_t len); /* len 0: closed */
    char trace[RIG_TRACE];
    uint8_t pool[RIG_POOL];
};

static struct rig rig;

__attribute__((format(printf, 1, 2))) static inline void rig_say(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(rig.trace + rig.n_trace, sizeof rig.trace - rig.n_trace, format, ap);
    va_end(ap);
    CHECK(n >= 0 && rig.n_trace + (size_t)n < sizeof rig.trace);
    rig.n_trace += (size_t)n;
}

static inline void rig_forget(void)
{
    rig.n_trace = 0;
    rig.trace[0] = 0;
}

static inline uint64_t rig_wall(int side)
{
    return (uint64_t)((int64_t)(RIG_WALL_MS + rig.now) + rig.side[side].clock_off_ms);
}

static inline char rig_name(int side)
{
    return side < 0 ? 'S' : (char)('A' + side);
}

static inline void rig_add(uint64_t delay, struct rig_action a)
{
    CHECK(rig.n_actions < RIG_ACTIONS);
    a.at = rig.now + delay;
    size_t i = rig.n_actions++;
    for (; i > 0 && rig.actions[i - 1].at > a.at; i--) /* first come, first served at one time */
        rig.actions[i] = rig.actions[i - 1];
    rig.actions[i] = a;
}

/* ---- the tap ---- */

static inline void rig_tap_message(const struct message *m)
{
    switch (m->type) {
    case MESSAGE_HELLO:
        rig_say(" HELLO");
        break;
    case MESSAGE_PING:
        rig_say(" PING");
        break;
    case MESSAGE_HAVE:
        rig_say(" HAVE(%zu)", m->have.n);
        break;
    case MESSAGE_PEERS:
        rig_say(" PEERS");
        break;
    case MESSAGE_DELTAS:
        rig_say(" DELTAS(%zu)", m->deltas.n);
        break;
    case MESSAGE_PONG:
        rig_say(" PONG");
        break;
    case MESSAGE_NEED:
        rig_say(" NEED(%" PRIu64 ")", m->need.from);
        break;
    case MESSAGE_JOIN:
        rig_say(" JOIN");
        break;
    case MESSAGE_WELCOME:
        rig_say(" WELCOME");
        break;
    case MESSAGE_BYE:
        rig_say(" BYE(%" PRIu64 ",%.*s)", m->bye.code, (int)m->bye.text.len, m->bye.text.ptr);
        break;
    case MESSAGE_UNKNOWN:
        rig_say(" unknown");
        break;
    }
}

static inline void rig_tap_plain(struct slice plain)
{
    struct message *m = calloc(1, sizeof *m);
    while (m && plain.len) {
        size_t len = 0;
        CHECK_EQ(message_length(plain, &len), 0);
        CHECK_EQ(message_decode(slice_of(plain.ptr, len), m), 0);
        rig_tap_message(m);
        plain = slice_skip(plain, len);
    }
    free(m);
}

/* Shows one frame that is about to reach this side. */
static inline void rig_tap(int to, int from, uint32_t conn, const uint8_t *frame, size_t len)
{
    if (!(rig.show & SHOW_WIRE))
        return;
    const struct link *l = link_find(rig.side[to].node, conn);
    rig_say("%" PRIu64 " %c>%c", rig.now, rig_name(from), rig_name(to));
    if (!l || l->session->state != SESSION_OPEN) {
        rig_say(" %s\n", l && len == FRAME_HEADER_BYTES + HANDSHAKE_BYTES ? "noise" : "bytes");
        return;
    }
    struct cipher copy = l->session->recv;
    struct buf plain = BUF_INIT;
    if (len > FRAME_HEADER_BYTES &&
        cipher_decrypt(&copy, (struct slice){0},
                       slice_of(frame + FRAME_HEADER_BYTES, len - FRAME_HEADER_BYTES), &plain) == 0)
        rig_tap_plain(buf_slice(&plain));
    else
        rig_say(" rubbish");
    rig_say("\n");
    buf_clear(&plain);
}

/* ---- effects ---- */

static inline int rig_step(int side, struct rapport_event *e);

static inline void rig_row(void *user, const struct load_row *row)
{
    const struct rapport_event *end = user;
    struct rapport_event e = {.kind = RAPPORT_EVENT_LOADED_ROW, .load = end->load, .row = row};
    e.wall_ms = rig_wall((int)end->dial);
    rapport_node_step(rig.side[end->dial].node, rig.now, &e);
}

static inline void rig_answer_load(int side, const struct load *load)
{
    struct rapport_event end = {.kind = RAPPORT_EVENT_LOADED_END, .load = load->id};
    end.dial = (uint32_t)side; /* for rig_row alone */
    db_load(&rig.side[side].db, load, rig_row, &end);
    end.dial = 0;
    end.wall_ms = rig_wall(side);
    rapport_node_step(rig.side[side].node, rig.now, &end);
}

static inline void rig_write(int side, uint64_t id, const struct batch *batch)
{
    struct rig_side *s = &rig.side[side];
    struct rapport_event e = {.kind = RAPPORT_EVENT_WRITTEN, .store = id};
    e.wall_ms = rig_wall(side);
    db_commit(&s->db, batch);
    s->written = id;
    if (rig.show & SHOW_STORE)
        rig_say("%" PRIu64 " %c written %" PRIu64 "\n", rig.now, rig_name(side), id);
    rapport_node_step(s->node, rig.now, &e);
    struct rig_action a = {.kind = RIG_STORED, .side = side, .life = s->life, .store = id};
    if (!s->hold_stored)
        rig_add(RIG_SYNC_MS, a);
}

static inline void rig_store(int side, const struct rapport_effect *e)
{
    struct rig_side *s = &rig.side[side];
    if (rig.show & SHOW_STORE)
        rig_say("%" PRIu64 " %c store %" PRIu64 ": %zu deltas\n", rig.now, rig_name(side), e->store,
                e->batch->n_deltas);
    if (s->store_error) {
        struct rapport_event failed = {
            .kind = RAPPORT_EVENT_STORE_FAILED, .store = e->store, .error = s->store_error};
        rapport_node_step(s->node, rig.now, &failed);
    } else if (s->hold_written) {
        CHECK(s->n_held < RIG_HELD);
        s->held[s->n_held++] = (struct rig_held){e->store, e->batch};
    } else {
        rig_write(side, e->store, e->batch);
    }
}

/* The other end of a connection. */
static inline uint32_t rig_other(uint32_t conn)
{
    return conn & 1 ? conn + 1 : conn - 1;
}

static inline int rig_side_of(uint32_t conn)
{
    return rig.wires[(conn - 1) / 2].side[(conn - 1) & 1];
}

static inline bool *rig_is_open(uint32_t conn)
{
    return &rig.wires[(conn - 1) / 2].open[(conn - 1) & 1];
}

static inline bool rig_is_dead(uint32_t conn)
{
    return rig.wires[(conn - 1) / 2].dead;
}

/* As when a machine leaves a network: no connection of now carries anything any more. */
static inline void rig_kill_wires(void)
{
    for (size_t i = 0; i < rig.n_wires; i++)
        rig.wires[i].dead = true;
}

static inline void rig_nobody(uint32_t conn, const uint8_t *bytes, size_t len)
{
    (void)conn;
    (void)bytes;
    (void)len;
}

static inline const char *rig_where(const struct rapport_address *a)
{
    static char text[64];
    const uint8_t *b = a->bytes;
    if (a->family == 4)
        snprintf(text, sizeof text, "%u.%u.%u.%u:%u", b[0], b[1], b[2], b[3], a->port);
    else
        snprintf(text, sizeof text, "[%02x%02x:..%02x]:%u", b[0], b[1], b[15], a->port);
    return text;
}

/* Somebody else's program: takes the connection, and ends it. */
static inline void rig_dial_else(int side, const struct rapport_effect *e)
{
    struct rig_action a = {.side = side, .life = rig.side[side].life, .dial = e->dial};
    uint32_t w = (uint32_t)rig.n_wires++;
    CHECK(rig.n_wires < RIG_WIRES);
    rig.wires[w] = (struct rig_wire){.side = {side, -1}, .open = {true, true}};
    rig.to_script = rig_nobody;
    a.conn = 2 * w + 1;
    a.kind = RIG_CONNECTED;
    rig_add(RIG_ONE_WAY_MS, a);
    a.kind = RIG_CLOSED;
    rig_add(2 * RIG_ONE_WAY_MS, a);
}

static inline void rig_dial(int side, const struct rapport_effect *e)
{
    int to = ((int)e->address.port - RIG_PORT) % 100; /* a side has several addresses */
    struct rig_action a = {
        .kind = RIG_DIAL_FAILED, .side = side, .life = rig.side[side].life, .dial = e->dial};
    rig.n_dialling[side]++;
    if (rig.show & SHOW_DIALS)
        rig_say("%" PRIu64 " %c dials %s\n", rig.now, rig_name(side), rig_where(&e->address));
    if (to >= RIG_SILENT && to < RIG_ELSE) {
        a.error = RAPPORT_TIMEOUT;
        rig_add(RIG_TIMEOUT_MS, a);
        return;
    }
    if (to >= RIG_ELSE && to < RIG_REFUSES) {
        rig_dial_else(side, e);
        return;
    }
    if (rig.show & SHOW_LIFE)
        rig_say("%" PRIu64 " %c dials %c\n", rig.now, rig_name(side), rig_name(to));
    if (to < 0 || to >= RIG_SIDES || !rig.side[to].node || rig.cut) {
        rig_add(RIG_ONE_WAY_MS, a);
        return;
    }
    CHECK(rig.n_wires < RIG_WIRES);
    uint32_t w = (uint32_t)rig.n_wires++;
    rig.wires[w] = (struct rig_wire){.side = {side, to}, .open = {true, true}};
    a.kind = RIG_CONNECTED;
    a.conn = 2 * w + 1;
    rig_add(2 * RIG_ONE_WAY_MS, a);
    rig_add(RIG_ONE_WAY_MS,
            (struct rig_action){
                .kind = RIG_CONNECTED, .side = to, .life = rig.side[to].life, .conn = 2 * w + 2});
}

/* Frame by frame, so that each finds the session in the state that it will be read in. */
static inline void rig_send(uint32_t conn, const uint8_t *bytes, size_t len)
{
    uint32_t other = rig_other(conn);
    int to = rig_side_of(other);
    if (to < 0) {
        rig.to_script(other, bytes, len);
        return;
    }
    for (size_t at = 0; at < len;) {
        size_t frame = len - at > 1 ? 2u + bytes[at] * 256u + bytes[at + 1] : len - at;
        frame = frame < len - at ? frame : len - at;
        CHECK(rig.used + frame <= sizeof rig.pool);
        uint8_t *copy = rig.pool + rig.used;
        memcpy(copy, bytes + at, frame);
        rig.used += frame;
        rig_add(RIG_ONE_WAY_MS, (struct rig_action){.kind = RIG_DELIVER,
                                                    .side = to,
                                                    .life = rig.side[to].life,
                                                    .conn = other,
                                                    .bytes = copy,
                                                    .len = frame});
        at += frame;
    }
}

static inline void rig_close(uint32_t conn)
{
    uint32_t other = rig_other(conn);
    int to = rig_side_of(other);
    *rig_is_open(conn) = false;
    if (to < 0)
        rig.to_script(other, NULL, 0);
    else
        rig_add(RIG_ONE_WAY_MS,
                (struct rig_action){
                    .kind = RIG_CLOSED, .side = to, .life = rig.side[to].life, .conn = other});
}

/* The dial's answer never comes; a connection that it made is cut. */
static inline void rig_cancel(int side, uint32_t dial)
{
    if (rig.show & SHOW_DIALS)
        rig_say("%" PRIu64 " %c cancels\n", rig.now, rig_name(side));
    rig.n_dialling[side]--;
    for (size_t i = 0; i < rig.n_actions; i++) {
        struct rig_action *a = &rig.actions[i];
        if (a->side != side || a->dial != dial || a->life != rig.side[side].life)
            continue;
        a->life = 0;
        if (a->conn && *rig_is_open(a->conn) && rig_side_of(rig_other(a->conn)) >= 0)
            rig_close(a->conn);
        return;
    }
}

static inline void rig_effect(int side, const struct rapport_effect *e)
{
    struct rig_side *s = &rig.side[side];
    bool life = rig.show & SHOW_LIFE;
    switch (e->kind) {
    case RAPPORT_EFFECT_SEND:
        if (*rig_is_open(e->conn))
            rig_send(e->conn, e->bytes, e->len);
        return;
    case RAPPORT_EFFECT_CLOSE:
        if (life)
            rig_say("%" PRIu64 " %c closes %c\n", rig.now, rig_name(side),
                    rig_name(rig_side_of(rig_other(e->conn))));
        if (*rig_is_open(e->conn))
            rig_close(e->conn);
        return;
    case RAPPORT_EFFECT_DIAL:
        rig_dial(side, e);
        return;
    case RAPPORT_EFFECT_STORE:
        rig_store(side, e);
        return;
    case RAPPORT_EFFECT_LOAD:
        if (s->hold_loads)
            s->loads[s->n_loads++] = *e->request;
        else {
            struct load load = *e->request;
            rig_answer_load(side, &load);
        }
        return;
    case RAPPORT_EFFECT_CANCEL:
        rig_cancel(side, e->dial);
        return;
    case RAPPORT_EFFECT_TRIED:
        if (rig.show & SHOW_DIALS)
            rig_say("%" PRIu64 " %c tried %s: %s\n", rig.now, rig_name(side),
                    rig_where(&e->address), e->error ? rapport_strerror(e->error) : "a friend");
        return;
    case RAPPORT_EFFECT_CHANGED:
        return;
    case RAPPORT_EFFECT_JOINED:
        s->n_joined++;
        if (life)
            rig_say("%" PRIu64 " %c joined\n", rig.now, rig_name(side));
        return;
    case RAPPORT_EFFECT_REFUSED:
        s->refused = e->error;
        if (life)
            rig_say("%" PRIu64 " %c refused: %s\n", rig.now, rig_name(side),
                    rapport_strerror(e->error));
        return;
    }
}

static inline void rig_drain(int side)
{
    struct rapport_effect effect;
    while (rig.side[side].node && rapport_node_next_effect(rig.side[side].node, &effect))
        rig_effect(side, &effect);
}

static inline int rig_step(int side, struct rapport_event *e)
{
    e->wall_ms = rig_wall(side);
    int error = rapport_node_step(rig.side[side].node, rig.now, e);
    rig_drain(side);
    return error;
}

/* Lets `n` stores that were held back happen, oldest first. */
static inline void rig_release(int side, size_t n)
{
    struct rig_side *s = &rig.side[side];
    for (; n && s->n_held; n--) {
        struct rig_held first = s->held[0];
        memmove(s->held, s->held + 1, --s->n_held * sizeof first);
        rig_write(side, first.id, first.batch);
    }
    rig_drain(side);
}

/* The same for loads. */
static inline void rig_release_loads(int side, size_t n)
{
    struct rig_side *s = &rig.side[side];
    for (; n && s->n_loads; n--) {
        struct load first = s->loads[0];
        memmove(s->loads, s->loads + 1, --s->n_loads * sizeof first);
        rig_answer_load(side, &first);
        rig_drain(side);
    }
}

/* What was written and held back reaches the disk. */
static inline void rig_sync(int side)
{
    struct rig_side *s = &rig.side[side];
    struct rapport_event e = {.kind = RAPPORT_EVENT_STORED, .store = s->written};
    if (rig.show & SHOW_STORE)
        rig_say("%" PRIu64 " %c stored %" PRIu64 "\n", rig.now, rig_name(side), s->written);
    rig_step(side, &e);
}

/* ---- time ---- */

static inline void rig_act(const struct rig_action *a)
{
    struct rig_side *s = &rig.side[a->side];
    struct rapport_event e = {.conn = a->conn, .dial = a->dial, .store = a->store};
    if (!s->node || s->life != a->life)
        return;
    rig.n_dialling[a->side] -= a->dial != 0 && a->kind != RIG_CLOSED;
    switch (a->kind) {
    case RIG_CONNECTED:
        e.kind = RAPPORT_EVENT_CONNECTED;
        e.address = (struct rapport_address){.family = 4, .bytes = {10, 0, 0, 1}, .port = 40000};
        break;
    case RIG_DIAL_FAILED:
        e.kind = RAPPORT_EVENT_DIAL_FAILED;
        e.error = a->error ? a->error : RAPPORT_UNREACHABLE;
        break;
    case RIG_DELIVER:
        if (!*rig_is_open(a->conn) || rig.cut || rig_is_dead(a->conn))
            return;
        rig_tap(a->side, rig_side_of(rig_other(a->conn)), a->conn, a->bytes, a->len);
        e.kind = RAPPORT_EVENT_RECEIVED;
        e.bytes = a->bytes;
        e.len = a->len;
        break;
    case RIG_CLOSED:
        if (!*rig_is_open(a->conn) || rig.cut || rig_is_dead(a->conn))
            return;
        *rig_is_open(a->conn) = false;
        e.kind = RAPPORT_EVENT_CLOSED;
        e.error = RAPPORT_CLOSED;
        break;
    case RIG_STORED:
        e.kind = RAPPORT_EVENT_STORED;
        s->synced = a->store;
        if (rig.show & SHOW_STORE)
            rig_say("%" PRIu64 " %c stored %" PRIu64 "\n", rig.now, rig_name(a->side), a->store);
        break;
    }
    rig_step(a->side, &e);
    if (a->kind == RIG_DELIVER && s->node && *rig_is_open(rig_other(a->conn))) {
        int from = rig_side_of(rig_other(a->conn));
        struct rapport_event drained = {.kind = RAPPORT_EVENT_DRAINED, .conn = rig_other(a->conn)};
        if (from >= 0 && rig.side[from].node)
            rig_step(from, &drained);
    }
}

/* The side whose deadline comes first, or -1. */
static inline int rig_next_deadline(uint64_t *at)
{
    int first = -1;
    for (int i = 0; i < RIG_SIDES; i++) {
        if (!rig.side[i].node)
            continue;
        uint64_t deadline = rapport_node_deadline(rig.side[i].node);
        if (deadline < *at || (first < 0 && deadline <= *at && deadline != UINT64_MAX)) {
            *at = deadline;
            first = i;
        }
    }
    return first;
}

/* A deadline must be followed by progress: a driver would spin. */
static inline void rig_timeout(int side, unsigned *spins, uint64_t at)
{
    struct rapport_event e = {.kind = RAPPORT_EVENT_TIMEOUT};
    if (at > rig.now) {
        rig.now = at;
        *spins = 0;
    }
    if (++*spins > 64)
        test_fail(__FILE__, __LINE__, "%c spins at %" PRIu64 "\n%s", rig_name(side), rig.now,
                  rig.trace);
    rig_step(side, &e);
}

static inline void rig_run(uint64_t ms)
{
    uint64_t end = rig.now + ms;
    unsigned spins = 0;
    for (;;) {
        uint64_t at = rig.n_actions && rig.actions[0].at <= end ? rig.actions[0].at : end;
        int side = rig_next_deadline(&at);
        if (rig.n_actions && rig.actions[0].at <= at) {
            struct rig_action a = rig.actions[0];
            memmove(rig.actions, rig.actions + 1, --rig.n_actions * sizeof a);
            spins = a.at > rig.now ? 0 : spins;
            rig.now = a.at > rig.now ? a.at : rig.now;
            rig_act(&a);
        } else if (side >= 0) {
            rig_timeout(side, &spins, at);
        } else {
            break;
        }
    }
    rig.now = end;
}

#endif
