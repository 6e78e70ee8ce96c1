/*
 * pair.h - two reports of two people in one process, connected without sockets: what one sends is
 * queued and given to the other by pair_run, in order.
 */
#ifndef PAIR_H
#define PAIR_H

#include "folders.h"

/* One effect on its way. */
struct parcel {
    struct parcel *next;
    enum rapport_effect_kind kind;
    uint32_t conn, dial;
    size_t len;
    uint8_t bytes[];
};

struct side {
    struct box box;
    struct side *other;
    struct parcel *first, **last;
    uint64_t to_sync;
    bool connected;
};

struct pair {
    struct side a, b;
};

__attribute__((unused)) static void on_network(void *user, const struct rapport_effect *e)
{
    struct side *s = user;
    struct parcel *p = calloc(1, sizeof *p + e->len);
    CHECK(p != NULL);
    p->kind = e->kind;
    p->conn = e->conn;
    p->dial = e->dial;
    p->len = e->kind == RAPPORT_EFFECT_SEND ? e->len : 0;
    if (p->len)
        memcpy(p->bytes, e->bytes, p->len);
    *s->last = p;
    s->last = &p->next;
}

__attribute__((unused)) static void on_sync(void *user, uint64_t id)
{
    struct side *s = user;
    s->to_sync = id;
}

/* Connects: the dialling side gets its answer, the other an inbound connection. */
__attribute__((unused)) static void connect_sides(struct side *from, uint32_t dial)
{
    struct rapport_event inbound = {.kind = RAPPORT_EVENT_CONNECTED, .conn = 1};
    struct rapport_event outbound = {.kind = RAPPORT_EVENT_CONNECTED, .conn = 1, .dial = dial};
    inbound.address.family = outbound.address.family = 4;
    if (from->connected) {
        struct rapport_event failed = {
            .kind = RAPPORT_EVENT_DIAL_FAILED, .dial = dial, .error = RAPPORT_UNREACHABLE};
        (void)host_step(from->box.host, &failed);
        return;
    }
    from->connected = from->other->connected = true;
    (void)host_step(from->box.host, &outbound);
    (void)host_step(from->other->box.host, &inbound);
}

__attribute__((unused)) static bool deliver_one(struct side *s)
{
    struct parcel *p = s->first;
    if (!p)
        return false;
    s->first = p->next;
    if (!s->first)
        s->last = &s->first;
    struct rapport_event event = {.conn = p->conn};
    if (p->kind == RAPPORT_EFFECT_DIAL) {
        connect_sides(s, p->dial);
    } else if (s->connected && p->kind == RAPPORT_EFFECT_SEND) {
        event.kind = RAPPORT_EVENT_RECEIVED;
        event.bytes = p->bytes;
        event.len = p->len;
        (void)host_step(s->other->box.host, &event);
        event = (struct rapport_event){.kind = RAPPORT_EVENT_DRAINED, .conn = p->conn};
        (void)host_step(s->box.host, &event);
    } else if (s->connected) {
        s->connected = s->other->connected = false;
        event.kind = RAPPORT_EVENT_CLOSED;
        (void)host_step(s->other->box.host, &event);
    }
    free(p);
    return true;
}

__attribute__((unused)) static void sync_side(struct side *s)
{
    if (!s->to_sync)
        return;
    uint64_t id = s->to_sync;
    s->to_sync = 0;
    host_synced(s->box.host, id, store_sync(host_store(s->box.host)));
}

/* Until nobody has anything to say. Files are not looked at. */
__attribute__((unused)) static void pair_run(struct pair *p)
{
    struct rapport_event flush = {.kind = RAPPORT_EVENT_FLUSH};
    for (int round = 0; round < 100; round++) {
        (void)host_step(p->a.box.host, &flush);
        (void)host_step(p->b.box.host, &flush);
        bool moved = false;
        for (int i = 0; i < 10000; i++) {
            bool a = deliver_one(&p->a), b = deliver_one(&p->b);
            sync_side(&p->a);
            sync_side(&p->b);
            if (!a && !b)
                break;
            moved = true;
        }
        if (!moved)
            return;
    }
    CHECK(!"the two still talk after 100 rounds");
}

__attribute__((unused)) static void side_online(struct side *s)
{
    struct host_hooks hooks = {.user = s, .network = on_network, .sync = on_sync};
    struct rapport_event online = {.kind = RAPPORT_EVENT_ONLINE};
    host_set_hooks(s->box.host, &hooks);
    (void)host_step(s->box.host, &online);
}

/* Ada makes the report, Bob joins; both are online and have the same. */
__attribute__((unused)) static void pair_start(struct pair *p)
{
    *p = (struct pair){0};
    p->a.other = &p->b;
    p->b.other = &p->a;
    p->a.last = &p->a.first;
    p->b.last = &p->b.first;
    box_start(&p->a.box);
    struct rapport_address address = {.family = 4, .bytes = {127, 0, 0, 1}, .port = 4000};
    host_set_addresses(p->a.box.host, &address, 1);
    struct reply r = call(p->a.box.host, "invite", (char *)NULL);
    CHECK_REPLY(&r);
    struct slice text = str_of(at(&r.doc.root, "ticket"));
    char *ticket = strndup((const char *)text.ptr, text.len);
    reply_clear(&r);
    box_make(&p->b.box);
    struct host_config config = {.dir = p->b.box.dir,
                                 .home = p->b.box.home,
                                 .start = RAPPORT_START_JOIN,
                                 .ticket = ticket,
                                 .name = "Bob"};
    CHECK_EQ(host_open(&config, &p->b.box.host, NULL), 0);
    free(ticket);
    side_online(&p->a);
    side_online(&p->b);
    pair_run(p);
    CHECK_EQ(host_join_state(p->b.box.host, NULL), HOST_JOIN_DONE);
}

__attribute__((unused)) static void pair_stop(struct pair *p)
{
    struct side *sides[] = {&p->a, &p->b};
    for (size_t i = 0; i < 2; i++) {
        host_set_hooks(sides[i]->box.host, NULL);
        box_close(&sides[i]->box);
        while (sides[i]->first) {
            struct parcel *next = sides[i]->first->next;
            free(sides[i]->first);
            sides[i]->first = next;
        }
    }
}

#endif
