/*
 * world.c - the virtual clock and its queue, the random numbers, the trace, and the three parts of
 * a run. Nothing here depends on addresses, real time or threads.
 */
#include "sim/world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

const char *sim_fault_name(enum sim_fault fault)
{
    static const char *const names[] = {"delay",     "cut",  "stall", "partition", "corrupt",
                                        "half-open", "kill", "power", "full",      "sleep",
                                        "clock",     "roam", "lan"};
    return fault < SIM_N_FAULTS ? names[fault] : "";
}

bool has_fault(const struct world *w, enum sim_fault fault)
{
    return w->config.faults >> fault & 1;
}

static uint64_t draw_u64(struct world *w)
{
    uint64_t z = w->rng += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint64_t draw(struct world *w, uint64_t n)
{
    return draw_u64(w) % n;
}

/* -ln(u) in 1/256ths by table-free halving: exact the same on every machine, unlike log(). */
uint64_t draw_delay(struct world *w, uint64_t mean)
{
    uint64_t sum = 0, bits = draw_u64(w);
    while ((bits & 1) == 0 && sum < 20) {
        bits >>= 1;
        sum++;
    }
    uint64_t ln2 = mean * 177 / 256;
    uint64_t d = sum * ln2 + draw(w, ln2 * 2 + 1);
    return d * 7 / 9 + 1;
}

void draw_bytes(struct world *w, void *out, size_t n)
{
    uint8_t *p = out;
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)draw_u64(w);
}

void *need(struct world *w, void *p)
{
    if (!p)
        w->error = RAPPORT_NOMEM;
    return p;
}

void broken(struct world *w, const char *format, ...)
{
    if (w->result->broken[0])
        return;
    va_list ap;
    va_start(ap, format);
    vsnprintf(w->result->broken, sizeof w->result->broken, format, ap);
    va_end(ap);
    trace(w, "BROKEN %s", w->result->broken);
}

void trace(struct world *w, const char *format, ...)
{
    char line[512];
    int n = snprintf(line, sizeof line, "%10" PRIu64 " ", w->now);
    va_list ap;
    va_start(ap, format);
    int more = vsnprintf(line + n, sizeof line - (size_t)n, format, ap);
    va_end(ap);
    size_t len = strlen(line);
    (void)more;
    crypto_generichash_update(&w->trace, (const uint8_t *)line, len);
    if (w->config.trace)
        fprintf(w->config.trace, "%s\n", line);
}

/* ---- the queue: a binary heap by (at, order) ---- */

static bool before(const struct action *a, const struct action *b)
{
    return a->at < b->at || (a->at == b->at && a->order < b->order);
}

void schedule(struct world *w, uint64_t delay, struct action a)
{
    if (w->n_heap == w->cap_heap) {
        size_t cap = w->cap_heap ? 2 * w->cap_heap : 1024;
        struct action *heap = need(w, realloc(w->heap, cap * sizeof *heap));
        if (!heap) {
            free(a.bytes);
            return;
        }
        w->heap = heap;
        w->cap_heap = cap;
    }
    a.at = w->now + delay;
    a.order = ++w->order;
    size_t i = w->n_heap++;
    for (; i > 0 && before(&a, &w->heap[(i - 1) / 2]); i = (i - 1) / 2)
        w->heap[i] = w->heap[(i - 1) / 2];
    w->heap[i] = a;
}

static struct action queue_take(struct world *w)
{
    struct action first = w->heap[0], last = w->heap[--w->n_heap];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < w->n_heap; i = child) {
        if (child + 1 < w->n_heap && before(&w->heap[child + 1], &w->heap[child]))
            child++;
        if (!before(&w->heap[child], &last))
            break;
        w->heap[i] = w->heap[child];
    }
    if (w->n_heap)
        w->heap[i] = last;
    return first;
}

/* ---- one action ---- */

static void tell(struct world *w, const struct action *a, enum rapport_event_kind kind,
                 uint32_t conn)
{
    struct rapport_event e = {
        .kind = kind, .conn = conn, .dial = a->dial, .error = RAPPORT_UNREACHABLE};
    e.address = a->address;
    if (kind == RAPPORT_EVENT_CONNECTED)
        e.error = 0;
    peer_step(w, a->peer, &e);
}

static void act(struct world *w, struct action *a)
{
    struct peer *p = &w->peers[a->peer];
    bool alive = !a->life || (p->up && p->life == a->life);
    if (alive && p->asleep && a->life && a->kind != ACTION_EDIT && a->kind != ACTION_TIMER) {
        schedule(w, p->wakes_at > w->now ? p->wakes_at - w->now : 1, *a);
        a->bytes = NULL; /* it happens when the lid opens */
        return;
    }
    switch (a->kind) {
    case ACTION_TIMER:
        if (alive)
            peer_timer(w, a->peer);
        break;
    case ACTION_CONNECTED:
        if (alive && w->wires[a->wire].open[a->number & 1])
            tell(w, a, RAPPORT_EVENT_CONNECTED, (uint32_t)(2 * a->wire + (a->number & 1) + 1));
        break;
    case ACTION_DIAL_FAILED:
        if (alive)
            tell(w, a, RAPPORT_EVENT_DIAL_FAILED, 0);
        break;
    case ACTION_DELIVER:
        wire_deliver(w, a);
        break;
    case ACTION_CLOSED:
        if (alive && wire_ends(w, a->wire, (uint32_t)a->number))
            tell(w, a, RAPPORT_EVENT_CLOSED, (uint32_t)(2 * a->wire + (a->number & 1) + 1));
        break;
    case ACTION_SYNC:
        if (alive)
            peer_synced(w, a->peer, a->number);
        break;
    case ACTION_EDIT:
        if (alive)
            person_edits(w, a->peer);
        break;
    case ACTION_FAULT:
        fault_happens(w);
        break;
    case ACTION_HEAL:
        fault_heals(w, a);
        break;
    case ACTION_START:
        peer_start(w, a->peer);
        break;
    }
}

static void run_until(struct world *w, uint64_t at)
{
    while (w->n_heap && w->heap[0].at <= at && !w->error && !w->result->broken[0]) {
        struct action a = queue_take(w);
        w->now = a.at;
        w->result->events++;
        act(w, &a);
        free(a.bytes);
    }
    w->now = at;
}

/* ---- a run ---- */

static bool all_joined(const struct world *w)
{
    for (uint32_t i = 0; i < w->config.peers; i++)
        if (!w->peers[i].joined)
            return false;
    return true;
}

static void run_join(struct world *w)
{
    peer_start(w, 0);
    for (uint32_t i = 1; i < w->config.peers; i++)
        schedule(w, 100 + 20 * i, (struct action){.kind = ACTION_START, .peer = i});
    uint64_t limit = 60000 + 1000 * (uint64_t)w->config.peers;
    while (w->now < limit && !all_joined(w) && !w->error && !w->result->broken[0])
        run_until(w, w->now + 1000);
    if (!all_joined(w))
        broken(w, "not everybody could join within %" PRIu64 " s", limit / 1000);
}

static void run_edits(struct world *w)
{
    w->calm_at = w->now + (uint64_t)w->config.minutes * 60000;
    for (uint32_t i = 0; i < w->config.peers; i++)
        schedule(w, draw_delay(w, SIM_EDIT_MS),
                 (struct action){.kind = ACTION_EDIT, .peer = i, .life = w->peers[i].life});
    if (w->config.faults)
        schedule(w, draw_delay(w, SIM_FAULT_MS), (struct action){.kind = ACTION_FAULT});
    run_until(w, w->calm_at);
}

static void run_heal(struct world *w)
{
    faults_heal_all(w);
    uint64_t limit = w->now + SIM_HEAL_MS;
    while (w->now < limit && !w->result->converged && !w->error && !w->result->broken[0]) {
        run_until(w, w->now + 250);
        w->result->converged = all_equal(w);
    }
    if (!w->result->converged)
        broken(w, "no convergence within %d s after healing", SIM_HEAL_MS / 1000);
}

static uint64_t deltas_received(const struct world *w)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < w->config.peers; i++) {
        struct rapport_counters c;
        rapport_node_counters(w->peers[i].node, &c);
        sum += c.received;
    }
    return sum;
}

/* When the last bytes that are under way arrive: a stall that was long may reach past the healing.
 */
static uint64_t last_arrival(const struct world *w)
{
    uint64_t at = w->now;
    for (size_t i = 0; i < w->n_wires; i++)
        for (int side = 0; side < 2; side++)
            if (w->wires[i].queued[side] && w->wires[i].free_at[side] > at)
                at = w->wires[i].free_at[side];
    return at;
}

static void run_quiet(struct world *w)
{
    if (w->result->broken[0] || w->error)
        return;
    run_until(w, last_arrival(w) + 5000); /* acknowledgements may still be under way */
    uint64_t received = deltas_received(w);
    run_until(w, w->now + SIM_QUIET_MS);
    if (deltas_received(w) != received)
        broken(w, "%" PRIu64 " deltas travelled after convergence", deltas_received(w) - received);
    if (!w->result->broken[0])
        check_texts(w);
    check_figures(w);
}

static void world_clear(struct world *w)
{
    for (uint32_t i = 0; w->peers && i < w->config.peers; i++) {
        rapport_node_destroy(w->peers[i].node);
        store_close(w->peers[i].store);
        disk_destroy(w->peers[i].disk);
        free(w->peers[i].notes);
        free(w->peers[i].typed);
    }
    for (size_t i = 0; i < w->n_heap; i++)
        free(w->heap[i].bytes);
    free(w->peers);
    free(w->heap);
    free(w->wires);
    free(w->side);
    free(w->ticket);
    free(w->chars);
    free(w->samples);
    free(w->latencies);
}

int sim_run(const struct sim_config *config, struct sim_result *result)
{
    if (config->peers < 1 || config->peers > SIM_MOST_PEERS)
        return RAPPORT_INVALID;
    memset(result, 0, sizeof *result);
    struct world w = {
        .config = *config, .result = result, .rng = config->seed * 0x9e3779b97f4a7c15u + 1};
    crypto_generichash_init(&w.trace, NULL, 0, sizeof result->trace_hash);
    w.peers = need(&w, calloc(config->peers, sizeof *w.peers));
    w.side = need(&w, calloc(config->peers, 1));
    w.chars = need(&w, calloc(SIM_MOST_CHARS, 1));
    if (!w.error) {
        run_join(&w);
        run_edits(&w);
        run_heal(&w);
        run_quiet(&w);
    }
    result->virtual_ms = w.now;
    crypto_generichash_final(&w.trace, result->trace_hash, sizeof result->trace_hash);
    world_clear(&w);
    return w.error;
}
