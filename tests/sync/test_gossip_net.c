/*
 * test_gossip_net.c - gossip in networks: random links, delays, cuts, and nodes that die silently.
 *
 * A node is its gossip books and, per log, how far it holds it; deltas are single events. A link is
 * a pair of FIFO pipes. Time is virtual; a heap of things to happen drives it all. What is checked:
 * when the network has come to rest, every node that lives has all that anybody has whom it is
 * connected with, and the books say so.
 */
#include <stdlib.h>

#include "rapport/error.h"
#include "sync/gossip.h"
#include "test.h"

enum {
    MOST_NODES = 100,
    MOST_LOGS = 8, /* node i < n_logs writes log i */
    MOST_LINKS = 6000,
    DEAD_AFTER_MS = 18000, /* until the sessions with a node that died silently end */
    STORE_MS = 4,          /* from taken to durable, at most */
    WARM_EVENTS = 10,      /* of each log, not counted as copies */
};

enum kind {
    TIMER,
    ARRIVES,
    DURABLE,
    WRITE,
    CUT,
    JOIN,
    COMPARE,
};

enum payload {
    HAVE,
    RUN,
    NEED
};

struct pipe_message {
    enum payload payload;
    struct gossip_run run; /* RUN, NEED */
    uint64_t to;           /* RUN */
    struct message_have have;
};

struct thing {
    uint64_t at, order;
    enum kind kind;
    uint32_t node, link, log;
    uint64_t next;
    struct pipe_message *message;
};

struct end {
    uint32_t node;
    uint64_t clear_at; /* when the last message to this node arrives: pipes keep order */
};

struct pipe_link {
    struct end end[2];
    uint64_t delay_ms;
    bool up;
};

struct node {
    struct gossip *g;
    uint64_t next[MOST_LOGS];
    uint64_t timer_at;
    bool dead;
};

struct net {
    struct node nodes[MOST_NODES];
    struct pipe_link links[MOST_LINKS];
    struct thing *heap;
    size_t n_nodes, n_logs, n_links, n_things, cap_things;
    size_t lose_percent; /* runs that a node receives and forgets */
    uint64_t now, order;
    struct test_rng r;
    uint64_t written[MOST_LOGS][4096]; /* when each event was made */
    uint64_t copies, wanted;           /* events received, and how many it takes */
    uint64_t have_frames, run_frames, needs;
    uint64_t *latencies;
    size_t n_latencies, cap_latencies;
};

static void log_id(uint8_t out[LOG_ID_BYTES], uint32_t log)
{
    memset(out, (int)log + 1, LOG_ID_BYTES);
}

static uint32_t log_of(const uint8_t id[LOG_ID_BYTES])
{
    return id[0] - 1u;
}

/* The heap of what is to happen, earliest first, in order of making where times are equal. */

static bool before(const struct thing *a, const struct thing *b)
{
    return a->at < b->at || (a->at == b->at && a->order < b->order);
}

static void swap(struct thing *a, struct thing *b)
{
    struct thing t = *a;
    *a = *b;
    *b = t;
}

static void later(struct net *net, uint64_t at, struct thing thing)
{
    if (net->n_things == net->cap_things) {
        net->cap_things = net->cap_things ? net->cap_things * 2 : 256;
        net->heap = realloc(net->heap, net->cap_things * sizeof *net->heap);
    }
    thing.at = at;
    thing.order = net->order++;
    size_t i = net->n_things++;
    net->heap[i] = thing;
    for (; i > 0 && before(&net->heap[i], &net->heap[(i - 1) / 2]); i = (i - 1) / 2)
        swap(&net->heap[i], &net->heap[(i - 1) / 2]);
}

static struct thing take(struct net *net)
{
    struct thing first = net->heap[0];
    net->heap[0] = net->heap[--net->n_things];
    for (size_t i = 0;;) {
        size_t least = i;
        for (size_t c = 2 * i + 1; c <= 2 * i + 2 && c < net->n_things; c++)
            if (before(&net->heap[c], &net->heap[least]))
                least = c;
        if (least == i)
            return first;
        swap(&net->heap[i], &net->heap[least]);
        i = least;
    }
}

/* Pipes */

static void put(struct net *net, uint32_t link, uint32_t from, const struct pipe_message *m)
{
    struct pipe_link *l = &net->links[link];
    struct end *to = &l->end[l->end[0].node == from];
    struct pipe_message *copy = malloc(sizeof *copy);
    memcpy(copy, m, sizeof *copy);
    uint64_t at = net->now + l->delay_ms + test_rng_below(&net->r, 2);
    at = at > to->clear_at ? at : to->clear_at;
    to->clear_at = at;
    later(net, at,
          (struct thing){.kind = ARRIVES, .node = to->node, .link = link, .message = copy});
}

static void send_rows(struct net *net, uint32_t node, uint32_t link)
{
    struct pipe_message m = {.payload = HAVE};
    while (gossip_next_rows(net->nodes[node].g, link, net->now, &m.have)) {
        put(net, link, node, &m);
        net->have_frames++;
    }
}

static void send_runs(struct net *net, uint32_t node, uint32_t link)
{
    struct node *n = &net->nodes[node];
    struct pipe_message m = {.payload = NEED};
    while (gossip_next_need(n->g, link, &m.run)) {
        put(net, link, node, &m);
        net->needs++;
    }
    m.payload = RUN;
    while (gossip_next_run(n->g, link, &m.run)) {
        m.to = n->next[log_of(m.run.log)];
        CHECK(m.to > m.run.from);
        put(net, link, node, &m);
        net->run_frames++;
        gossip_sent(n->g, link, m.run.log, m.to);
    }
}

/* What a driver does after each event. */
static void pump(struct net *net, uint32_t node)
{
    struct node *n = &net->nodes[node];
    gossip_tick(n->g, net->now);
    for (uint32_t i = 0; i < net->n_links; i++) {
        const struct pipe_link *l = &net->links[i];
        if (l->up && (l->end[0].node == node || l->end[1].node == node)) {
            send_runs(net, node, i);
            send_rows(net, node, i);
        }
    }
    uint64_t at = gossip_deadline(n->g);
    if (at < n->timer_at) {
        n->timer_at = at > net->now ? at : net->now + 1;
        later(net, n->timer_at, (struct thing){.kind = TIMER, .node = node});
    }
}

static void hold(struct net *net, uint32_t node, uint32_t log, uint64_t next, uint32_t from)
{
    uint8_t id[LOG_ID_BYTES];
    log_id(id, log);
    net->nodes[node].next[log] = next;
    CHECK_EQ(gossip_our_have(net->nodes[node].g, id, next, false, from, net->now), 0);
    uint64_t at = net->now + 1 + test_rng_below(&net->r, STORE_MS);
    later(net, at, (struct thing){.kind = DURABLE, .node = node, .log = log, .next = next});
}

static void latency(struct net *net, uint64_t ms)
{
    if (net->n_latencies == net->cap_latencies) {
        net->cap_latencies = net->cap_latencies ? net->cap_latencies * 2 : 1024;
        net->latencies = realloc(net->latencies, net->cap_latencies * sizeof *net->latencies);
    }
    net->latencies[net->n_latencies++] = ms;
}

static void take_run(struct net *net, struct node *n, const struct thing *thing)
{
    const struct pipe_message *m = thing->message;
    uint32_t log = log_of(m->run.log);
    for (uint64_t i = m->run.from; i < m->to; i++)
        net->copies += i >= WARM_EVENTS;
    if (m->run.from > n->next[log] || test_rng_below(&net->r, 100) < net->lose_percent)
        return;
    if (m->to <= n->next[log]) {
        gossip_duplicate(n->g, thing->link, m->run.log, m->to, net->now);
        return;
    }
    for (uint64_t i = n->next[log]; i < m->to; i++) {
        net->wanted += i >= WARM_EVENTS;
        if (i >= WARM_EVENTS)
            latency(net, net->now - net->written[log][i]);
    }
    hold(net, thing->node, log, m->to, thing->link);
}

static void arrives(struct net *net, struct node *n, const struct thing *thing)
{
    const struct pipe_message *m = thing->message;
    if (!net->links[thing->link].up || n->dead)
        return;
    switch (m->payload) {
    case HAVE:
        for (size_t i = 0; i < m->have.n; i++)
            CHECK_EQ(gossip_peer_have(n->g, thing->link, &m->have.rows[i], net->now), 0);
        if (!m->have.more)
            gossip_peer_complete(n->g, thing->link, net->now);
        break;
    case RUN:
        take_run(net, n, thing);
        break;
    case NEED:
        gossip_peer_need(n->g, thing->link, &m->run);
        break;
    }
    pump(net, thing->node);
}

static void writes(struct net *net, struct node *n, uint32_t log)
{
    uint64_t number = n->next[log];
    CHECK(number < sizeof net->written[0] / sizeof net->written[0][0]);
    net->written[log][number] = net->now;
    hold(net, log, log, number + 1, GOSSIP_LOCAL);
    pump(net, log);
}

static void link_up(struct net *net, uint32_t a, uint32_t b)
{
    CHECK(net->n_links < MOST_LINKS);
    uint32_t id = (uint32_t)net->n_links++;
    net->links[id] = (struct pipe_link){
        .end = {{a, 0}, {b, 0}}, .delay_ms = 1 + test_rng_below(&net->r, 8), .up = true};
    CHECK_EQ(gossip_link_up(net->nodes[a].g, id, net->now), 0);
    CHECK_EQ(gossip_link_up(net->nodes[b].g, id, net->now), 0);
    pump(net, a);
    pump(net, b);
}

static void cut(struct net *net, uint32_t link)
{
    struct pipe_link *l = &net->links[link];
    if (!l->up)
        return;
    l->up = false;
    for (size_t i = 0; i < 2; i++)
        if (!net->nodes[l->end[i].node].dead) {
            gossip_link_down(net->nodes[l->end[i].node].g, link, net->now);
            pump(net, l->end[i].node);
        }
}

/* What nodes do with the digests in PING: where they differ and the books see no reason, all is
 * told again. */
static void compare(struct net *net, uint32_t link)
{
    const struct pipe_link *l = &net->links[link];
    for (size_t i = 0; i < 2; i++) {
        const struct node *n = &net->nodes[l->end[i].node],
                          *other = &net->nodes[l->end[1 - i].node];
        if (memcmp(n->next, other->next, sizeof n->next) != 0 && gossip_converged(n->g, link)) {
            gossip_tell_all(n->g, link);
            pump(net, l->end[i].node);
        }
    }
    later(net, net->now + 6000, (struct thing){.kind = COMPARE, .link = link});
}

static void happen(struct net *net, const struct thing *thing)
{
    struct node *n = &net->nodes[thing->node];
    uint8_t id[LOG_ID_BYTES];
    switch (thing->kind) {
    case ARRIVES:
        arrives(net, n, thing);
        free(thing->message);
        return;
    case CUT:
        cut(net, thing->link);
        return;
    case TIMER:
        if (thing->at == n->timer_at)
            n->timer_at = GOSSIP_NEVER;
        break;
    case DURABLE:
        log_id(id, thing->log);
        if (!n->dead)
            CHECK_EQ(gossip_our_have(n->g, id, thing->next, true, GOSSIP_STORED, net->now), 0);
        break;
    case WRITE:
        if (!n->dead)
            writes(net, n, thing->log);
        return;
    case JOIN:
        if (!n->dead && !net->nodes[thing->link].dead)
            link_up(net, thing->node, thing->link);
        return;
    case COMPARE:
        compare(net, thing->link);
        return;
    }
    if (!n->dead)
        pump(net, thing->node);
}

static void run_until(struct net *net, uint64_t until)
{
    while (net->n_things > 0 && net->heap[0].at <= until) {
        struct thing thing = take(net);
        net->now = thing.at;
        happen(net, &thing);
    }
    net->now = until;
}

static struct net *net_create(size_t n_nodes, size_t n_logs, struct test_rng r)
{
    struct net *net = calloc(1, sizeof *net);
    net->n_nodes = n_nodes;
    net->n_logs = n_logs < n_nodes ? n_logs : n_nodes;
    net->r = r;
    for (uint32_t i = 0; i < n_nodes; i++) {
        struct rng rng;
        uint8_t seed[32] = {(uint8_t)i, (uint8_t)test_rng_next(&net->r)};
        rng_init(&rng, seed);
        CHECK_EQ(gossip_create(i, &rng, &net->nodes[i].g), 0);
        net->nodes[i].timer_at = GOSSIP_NEVER;
    }
    return net;
}

static void net_destroy(struct net *net)
{
    while (net->n_things > 0)
        free(take(net).message);
    for (size_t i = 0; i < net->n_nodes; i++)
        gossip_destroy(net->nodes[i].g);
    free(net->heap);
    free(net->latencies);
    free(net);
}

static bool linked(const struct net *net, uint32_t a, uint32_t b)
{
    for (size_t i = 0; i < net->n_links; i++) {
        const struct end *e = net->links[i].end;
        if (net->links[i].up &&
            ((e[0].node == a && e[1].node == b) || (e[0].node == b && e[1].node == a)))
            return true;
    }
    return false;
}

static void connect_mesh(struct net *net)
{
    for (uint32_t a = 0; a < net->n_nodes; a++)
        for (uint32_t b = 0; b < a; b++)
            link_up(net, a, b);
}

/* A ring, so that all are connected, and random links up to the degree on average. */
static void connect_degree(struct net *net, size_t degree)
{
    for (uint32_t a = 0; a < net->n_nodes; a++)
        link_up(net, a, (a + 1) % (uint32_t)net->n_nodes);
    for (size_t i = net->n_nodes; i < net->n_nodes * degree / 2; i++) {
        uint32_t a = (uint32_t)test_rng_below(&net->r, net->n_nodes);
        uint32_t b = (uint32_t)test_rng_below(&net->r, net->n_nodes);
        if (a != b && !linked(net, a, b))
            link_up(net, a, b);
    }
}

/* Each author writes `n` times, about every `mean_ms`. */
static void plan_writes(struct net *net, uint64_t from, size_t n, size_t mean_ms)
{
    for (uint32_t log = 0; log < net->n_logs; log++) {
        uint64_t at = from;
        for (size_t i = 0; i < n; i++) {
            at += 1 + test_rng_below(&net->r, 2 * mean_ms);
            later(net, at, (struct thing){.kind = WRITE, .node = log, .log = log});
        }
    }
}

static void die_silently(struct net *net, uint32_t node)
{
    net->nodes[node].dead = true;
    for (uint32_t i = 0; i < net->n_links; i++)
        if (net->links[i].up &&
            (net->links[i].end[0].node == node || net->links[i].end[1].node == node))
            later(net, net->now + DEAD_AFTER_MS, (struct thing){.kind = CUT, .link = i});
}

/* Two that live and are linked hold the same, and their books say so. */
static void check_converged(const struct net *net)
{
    for (uint32_t i = 0; i < net->n_links; i++) {
        const struct pipe_link *l = &net->links[i];
        const struct node *a = &net->nodes[l->end[0].node], *b = &net->nodes[l->end[1].node];
        if (!l->up || a->dead || b->dead)
            continue;
        for (size_t log = 0; log < net->n_logs; log++)
            if (a->next[log] != b->next[log])
                test_fail(__FILE__, __LINE__,
                          "log %zu: node %u has %" PRIu64 ", node %u has %" PRIu64, log,
                          l->end[0].node, a->next[log], l->end[1].node, b->next[log]);
        if (!gossip_converged(a->g, i) || !gossip_converged(b->g, i))
            test_fail(__FILE__, __LINE__, "link %u between %u and %u is not converged", i,
                      l->end[0].node, l->end[1].node);
    }
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static uint64_t percentile(const struct net *net, size_t per_mille)
{
    return net->latencies[(net->n_latencies - 1) * per_mille / 1000];
}

static double report(struct net *net, const char *name)
{
    qsort(net->latencies, net->n_latencies, sizeof *net->latencies, compare_u64);
    double copies = (double)net->copies / (double)net->wanted;
    printf("%s: %.3f copies, p50 %" PRIu64 " p99 %" PRIu64 " last %" PRIu64 " ms, runs %" PRIu64
           ", rows %" PRIu64 ", needs %" PRIu64 "\n",
           name, copies, percentile(net, 500), percentile(net, 990), percentile(net, 1000),
           net->run_frames, net->have_frames, net->needs);
    return copies;
}

/* A network without faults: everything arrives, and how many copies it took. */
static void measure(const char *name, size_t n_nodes, size_t degree, size_t mean_ms)
{
    struct net *net = net_create(n_nodes, 5, test_rng_start(degree + 7));
    if (degree == 0)
        connect_mesh(net);
    else
        connect_degree(net, degree);
    run_until(net, 1000);
    plan_writes(net, 1000, 100, mean_ms);
    run_until(net, 1000 + 200 * mean_ms + 5000);
    check_converged(net);
    for (size_t log = 0; log < net->n_logs; log++)
        CHECK_EQ(net->nodes[n_nodes - 1].next[log], 100);
    double copies = report(net, name);
    CHECK(copies >= 1 && copies <= (double)(degree ? degree : n_nodes - 1));
    net_destroy(net);
}

TEST(gossip_mesh, "a mesh of 10 gets everything with fewer copies than flooding")
{
    measure("mesh of 10, slow", 10, 0, 500);
    measure("mesh of 10, fast", 10, 0, 40);
}

TEST(gossip_degree, "100 nodes of degree 8 get everything with fewer copies than flooding")
{
    measure("100 of degree 8", 100, 8, 250);
}

TEST(gossip_line, "a chain hands everything through, once")
{
    measure("ring of 12", 12, 2, 100);
}

TEST(gossip_late_joiner, "who joins a mesh late gets all that was written before from somebody")
{
    struct net *net = net_create(10, 5, test_rng_start(3));
    for (uint32_t a = 0; a < 9; a++)
        for (uint32_t b = 0; b < a; b++)
            link_up(net, a, b);
    plan_writes(net, 0, 200, 20);
    run_until(net, 10000);
    uint64_t copies = net->copies, wanted = net->wanted;
    for (uint32_t b = 0; b < 9; b++)
        later(net, 10000 + 20 * b, (struct thing){.kind = JOIN, .node = 9, .link = b});
    run_until(net, 16000);
    check_converged(net);
    CHECK_EQ(net->nodes[9].next[0], 200);
    printf("late joiner: %.3f copies\n",
           (double)(net->copies - copies) / (double)(net->wanted - wanted));
    net_destroy(net);
}

TEST(gossip_silent_death,
     "after a tenth of the nodes died silently the others still get everything")
{
    struct net *net = net_create(50, 5, test_rng_start(11));
    connect_degree(net, 8);
    plan_writes(net, 500, 60, 250);
    run_until(net, 8000);
    for (uint32_t i = 0; i < 5; i++)
        die_silently(net, 49 - 7 * i);
    run_until(net, 500 + 60 * 500 + 5000);
    check_converged(net);
    for (uint32_t i = 0; i < net->n_nodes; i++)
        if (!net->nodes[i].dead)
            CHECK_EQ(net->nodes[i].next[0], 60);
    report(net, "50 of degree 8, 5 die");
    net_destroy(net);
}

TEST(gossip_lossy, "runs that a node forgets (parked and dropped) are found and asked for again")
{
    struct net *net = net_create(10, 3, test_rng_start(5));
    connect_degree(net, 4);
    for (uint32_t i = 0; i < net->n_links; i++)
        later(net, 1000 + i, (struct thing){.kind = COMPARE, .link = i});
    net->lose_percent = 10;
    plan_writes(net, 500, 60, 200);
    run_until(net, 30000);
    net->lose_percent = 0;
    run_until(net, 120000);
    check_converged(net);
    CHECK(net->needs > 0);
    report(net, "10 of degree 4, runs forgotten");
    net_destroy(net);
}

/* Cuts and new links at random times, and silent deaths, while all write. */
static void random_network(struct test_rng *seed)
{
    struct test_rng r = {test_rng_next(seed)};
    size_t n = 2 + test_rng_below(&r, 19);
    struct net *net = net_create(n, 1 + test_rng_below(&r, MOST_LOGS), r);
    connect_degree(net, 2 + test_rng_below(&net->r, 7));
    size_t n_first = net->n_links;
    plan_writes(net, 0, 60, 10 + test_rng_below(&net->r, 200));
    for (size_t i = 0; i < 2 * n; i++) {
        uint32_t a = (uint32_t)test_rng_below(&net->r, n), b = (uint32_t)test_rng_below(&net->r, n);
        uint32_t link = (uint32_t)test_rng_below(&net->r, n_first + i);
        later(net, test_rng_below(&net->r, 15000), (struct thing){.kind = CUT, .link = link});
        if (a != b)
            later(net, test_rng_below(&net->r, 15000),
                  (struct thing){.kind = JOIN, .node = a, .link = b});
    }
    run_until(net, 7000);
    for (uint32_t i = 0; i < n; i++)
        if (test_rng_below(&net->r, 10) == 0)
            die_silently(net, i);
    run_until(net, 60000);
    check_converged(net);
    net_destroy(net);
}

TEST(gossip_random_networks, "whatever is cut, linked and killed, all that are connected converge")
{
    struct test_rng seed = test_rng_start(20230204);
    for (int i = 0; i < 200; i++)
        random_network(&seed);
}
