/* test_graph.c - version arithmetic: published cases, and random graphs against plain sets. */
#include <jansson.h>
#include <stdlib.h>

#include "test.h"
#include "text/graph.h"

enum {
    MOST_EVENTS = 60
};

static void push(struct graph *g, const uint32_t *parents, size_t n_parents, uint32_t n)
{
    CHECK_EQ(graph_reserve(g, 1, n_parents), 0);
    graph_push(g, parents, n_parents, n);
}

/* LVs of a JSON array; returns how many. */
static size_t read_lvs(const json_t *array, uint32_t *lvs)
{
    size_t n = json_array_size(array);
    CHECK(n <= MOST_EVENTS);
    for (size_t i = 0; i < n; i++)
        lvs[i] = (uint32_t)json_integer_value(json_array_get(array, i));
    return n;
}

static void read_graph(struct graph *g, const json_t *hist)
{
    uint32_t parents[MOST_EVENTS];
    const json_t *run;
    size_t i;
    json_array_foreach(hist, i, run)
    {
        const json_t *span = json_object_get(run, "span");
        uint32_t lvs[MOST_EVENTS];
        size_t n = read_lvs(json_object_get(run, "parents"), parents);
        CHECK_EQ(read_lvs(span, lvs), 2);
        CHECK_EQ(lvs[0], g->n_events);
        push(g, parents, n, lvs[1] - lvs[0]);
    }
}

/* The events of [[start, end], ...], or of [[{start, end}, flag], ...] with this flag. */
static uint64_t events_of(const json_t *spans, const char *flag)
{
    uint64_t events = 0;
    const json_t *span;
    size_t i;
    json_array_foreach(spans, i, span)
    {
        const json_t *start = json_array_get(span, 0), *end = json_array_get(span, 1);
        if (flag && strcmp(json_string_value(end), flag) != 0)
            continue;
        if (flag) {
            end = json_object_get(start, "end");
            start = json_object_get(start, "start");
        }
        for (long long lv = json_integer_value(start); lv < json_integer_value(end); lv++)
            events |= UINT64_C(1) << lv;
    }
    return events;
}

static uint64_t events_in(const struct spans *s)
{
    uint64_t events = 0;
    for (size_t i = 0; i < s->n; i++)
        for (uint32_t lv = s->runs[i].start; lv < s->runs[i].end; lv++)
            events |= UINT64_C(1) << lv;
    return events;
}

static void check_diff(const struct graph *g, struct version a, struct version b, uint64_t want_a,
                       uint64_t want_b)
{
    struct spans only_a = {0}, only_b = {0};
    struct heap heap = {0};
    CHECK_EQ(graph_diff(g, &heap, a, b, &only_a, &only_b), 0);
    CHECK_EQ(events_in(&only_a), want_a);
    CHECK_EQ(events_in(&only_b), want_b);
    for (size_t i = 1; i < only_a.n; i++)
        CHECK(only_a.runs[i].end < only_a.runs[i - 1].start);
    spans_clear(&only_a);
    spans_clear(&only_b);
    heap_clear(&heap);
}

static void check_case(const json_t *c, const char *kind)
{
    struct graph g = GRAPH_INIT;
    struct heap heap = {0};
    uint32_t a[MOST_EVENTS], b[MOST_EVENTS];
    read_graph(&g, json_object_get(c, "hist"));
    if (strcmp(kind, "version_contains") == 0) {
        size_t n = read_lvs(json_object_get(c, "frontier"), a);
        long long target = json_integer_value(json_object_get(c, "target"));
        bool contains = true; /* the root is before everything */
        if (target >= 0)
            CHECK_EQ(graph_contains(&g, &heap, a, n, (uint32_t)target, &contains), 0);
        CHECK_EQ(contains, json_is_true(json_object_get(c, "expected")));
    } else {
        struct version va = {a, read_lvs(json_object_get(c, "a"), a)};
        struct version vb = {b, read_lvs(json_object_get(c, "b"), b)};
        const json_t *spans = json_object_get(c, "expect_spans");
        check_diff(
            &g, va, vb,
            events_of(spans ? spans : json_object_get(c, "expect_a"), spans ? "OnlyA" : NULL),
            events_of(spans ? spans : json_object_get(c, "expect_b"), spans ? "OnlyB" : NULL));
    }
    heap_clear(&heap);
    graph_clear(&g);
}

static void check_file(const char *kind, size_t n_cases)
{
    char path[512];
    const char *shared = getenv("RAPPORT_SHARED");
    snprintf(path, sizeof path, "%s/traces/causal_graph/%s.json", shared ? shared : "../shared",
             kind);
    FILE *f = fopen(path, "r");
    if (!f)
        SKIP("no traces/causal_graph in the shared data");
    size_t n = 0;
    json_t *c;
    while ((c = json_loadf(f, JSON_DISABLE_EOF_CHECK, NULL))) {
        check_case(c, kind);
        json_decref(c);
        n++;
    }
    fclose(f);
    CHECK_EQ(n, n_cases);
}

TEST(published_diff, "the published cases of what only one of two versions has")
{
    check_file("diff", 14);
}

TEST(published_conflicting, "the published conflicts: what is only in a and only in b")
{
    check_file("conflicting", 26);
}

TEST(published_contains, "the published cases of what a version contains")
{
    check_file("version_contains", 61);
}

/* A random graph, and for each event the set of its past and itself. */
static void make_graph(struct test_rng *rng, struct graph *g, uint64_t *past)
{
    struct heap heap = {0};
    while (g->n_events < MOST_EVENTS - 4) {
        uint32_t parents[4], n = 1 + (uint32_t)test_rng_below(rng, 4), start = g->n_events;
        size_t n_parents = start ? test_rng_below(rng, 4) : 0;
        uint64_t before = 0;
        for (size_t i = 0; i < n_parents; i++) {
            size_t back = 1 + test_rng_below(rng, start < 12 ? start : 12);
            parents[i] = start - (uint32_t)back;
            before |= past[parents[i]];
        }
        CHECK_EQ(graph_reduce(g, &heap, parents, &n_parents), 0);
        for (size_t i = 0; i < n_parents; i++)
            for (size_t k = 0; k < n_parents; k++)
                CHECK(i == k || !(past[parents[i]] >> parents[k] & 1));
        uint64_t reduced = 0;
        for (size_t i = 0; i < n_parents; i++)
            reduced |= past[parents[i]];
        CHECK_EQ(reduced, before);
        push(g, parents, n_parents, n);
        for (uint32_t lv = start; lv < start + n; lv++)
            past[lv] = before = before | UINT64_C(1) << lv;
    }
    heap_clear(&heap);
}

static bool is_critical(const uint64_t *past, uint32_t lv, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (!(past[lv] >> i & 1) && !(past[i] >> lv & 1))
            return false;
    return true;
}

TEST(random_graphs, "reduce, contains, diff, frontier and critical events agree with plain sets")
{
    struct test_rng rng = test_rng_start(7);
    for (int round = 0; round < 400; round++) {
        struct graph g = GRAPH_INIT;
        struct heap heap = {0};
        uint64_t past[MOST_EVENTS], critical = 0, all = 0;
        make_graph(&rng, &g, past);
        for (uint32_t lv = 0; lv < g.n_events; lv++)
            critical |= (uint64_t)is_critical(past, lv, g.n_events) << lv;
        CHECK_EQ(events_in(&g.critical), critical);
        for (size_t i = 0; i < g.frontier.n; i++)
            all |= past[g.frontier.lvs[i]];
        CHECK_EQ(all, (UINT64_C(1) << g.n_events) - 1);
        for (int i = 0; i < 50; i++) {
            uint32_t v[3];
            uint64_t a, b;
            for (int k = 0; k < 3; k++)
                v[k] = (uint32_t)test_rng_below(&rng, g.n_events);
            a = past[v[0]] | past[v[1]];
            b = past[v[2]];
            check_diff(&g, (struct version){v, 2}, (struct version){v + 2, 1}, a & ~b, b & ~a);
            bool contains;
            CHECK_EQ(graph_contains(&g, &heap, v, 2, v[2], &contains), 0);
            CHECK_EQ(contains, a >> v[2] & 1);
        }
        heap_clear(&heap);
        graph_clear(&g);
    }
}
