/*
 * test_merge.c - merging at a size where the tracker's trees have several levels: one graph taken
 * in different ways must end in one text. (That this is the right text, small graphs and traces
 * show.)
 */
#include <stdlib.h>

#include "base/buf.h"
#include "rapport/text.h"
#include "test.h"

enum {
    N_AGENTS = 3,
    N_RUNS = 6000
};

struct graph {
    struct rapport_text_run runs[N_RUNS];
    struct rapport_text_id parents[N_RUNS][N_AGENTS];
    size_t n;
};

static const uint8_t names[N_AGENTS + 1][2] = {"a", "b", "c", "d"};

/* Three people type, delete and paste at random places, each on a branch of their own after a first
 * common text; at times one takes up what the others have. */
static void make_graph(struct graph *g, struct test_rng *rng, size_t n_joins)
{
    struct rapport_text_id last[N_AGENTS];
    uint64_t seqs[N_AGENTS] = {0};
    size_t length[N_AGENTS];
    static char base[2000];
    memset(base, '.', sizeof base);
    g->runs[0] = (struct rapport_text_run){.id = {names[N_AGENTS], 1, 0},
                                           .kind = RAPPORT_TEXT_INSERT,
                                           .n_events = sizeof base,
                                           .text = base,
                                           .text_len = sizeof base};
    for (size_t i = 0; i < N_AGENTS; i++) {
        last[i] = (struct rapport_text_id){names[N_AGENTS], 1, sizeof base - 1};
        length[i] = sizeof base;
    }
    for (g->n = 1; g->n < N_RUNS; g->n++) {
        size_t who = test_rng_below(rng, N_AGENTS), n = 1 + test_rng_below(rng, 4);
        struct rapport_text_run *run = &g->runs[g->n];
        bool insert = test_rng_below(rng, 5) < 3, joins = test_rng_below(rng, N_RUNS) < n_joins;
        *run = (struct rapport_text_run){.id = {names[who], 1, seqs[who]},
                                         .parents = g->parents[g->n],
                                         .n_parents = joins ? N_AGENTS : 1,
                                         .kind = insert ? RAPPORT_TEXT_INSERT : RAPPORT_TEXT_DELETE,
                                         .pos = test_rng_below(rng, length[who] + 2),
                                         .n_events = n,
                                         .text = "wxyz",
                                         .text_len = insert ? n : 0};
        g->parents[g->n][0] = last[who];
        for (size_t i = 0; i < N_AGENTS && joins; i++)
            g->parents[g->n][i] = last[i];
        length[who] += insert ? n : 0;
        seqs[who] += n;
        last[who] = (struct rapport_text_id){names[who], 1, seqs[who] - 1};
    }
}

static void add(struct rapport_text *t, const struct rapport_text_run *run)
{
    CHECK_EQ(rapport_text_add(t, run), 0);
}

static struct rapport_text *new_text(void)
{
    struct rapport_text *t;
    CHECK_EQ(rapport_text_create(&t), 0);
    return t;
}

static void check_same(const struct rapport_text *a, const struct rapport_text *b)
{
    char *x, *y;
    size_t x_len, y_len;
    CHECK_EQ(rapport_text_copy(a, 0, SIZE_MAX, &x, &x_len), 0);
    CHECK_EQ(rapport_text_copy(b, 0, SIZE_MAX, &y, &y_len), 0);
    CHECK_BYTES(x, x_len, y, y_len);
    free(x);
    free(y);
}

/* All of it as it comes, whoever's turn it is; after `batch` runs a merge. */
static struct rapport_text *take_in_batches(const struct graph *g, size_t batch)
{
    struct rapport_text *t = new_text();
    for (size_t i = 0; i < g->n; i++) {
        add(t, &g->runs[i]);
        if ((i + 1) % batch == 0)
            CHECK_EQ(rapport_text_merge(t), 0);
    }
    CHECK_EQ(rapport_text_merge(t), 0);
    return t;
}

/* One person after the other, as far as the parents are there. */
static struct rapport_text *take_by_agent(const struct graph *g, size_t first)
{
    struct rapport_text *t = new_text();
    size_t next[N_AGENTS] = {0}, n_left = g->n - 1;
    add(t, &g->runs[0]);
    for (size_t who = first; n_left; who = (who + 1) % N_AGENTS) {
        for (size_t i = next[who]; i < g->n; next[who] = ++i) {
            if (i == 0 || g->runs[i].id.agent != names[who])
                continue;
            int error = rapport_text_add(t, &g->runs[i]);
            if (error == RAPPORT_PARENT)
                break;
            CHECK_EQ(error, 0);
            n_left--;
        }
        CHECK_EQ(rapport_text_merge(t), 0);
    }
    return t;
}

static void check_graph(size_t n_joins, uint64_t seed)
{
    struct test_rng rng = test_rng_start(seed);
    struct graph *g = malloc(sizeof *g);
    CHECK(g);
    make_graph(g, &rng, n_joins);
    struct rapport_text *t = take_in_batches(g, g->n),
                        *others[] = {take_in_batches(g, 701), take_by_agent(g, 0),
                                     take_by_agent(g, 2)};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        check_same(others[i], t);
        rapport_text_destroy(others[i]);
    }
    rapport_text_destroy(t);
    free(g);
}

TEST(long_branches, "three long branches end in one text in whatever order they come")
{
    check_graph(0, 21);
}

TEST(branches_that_meet, "branches that take each other up now and then end in one text")
{
    check_graph(40, 22);
    check_graph(600, 23);
}

TEST(one_place, "many concurrent inserts at one place stand in the order of their ids")
{
    struct rapport_text *t = new_text();
    char *text;
    size_t len;
    for (uint64_t i = 0; i < 2000; i++) {
        uint64_t seq = i * 7 % 2000; /* every number once */
        char character = (char)('a' + seq % 26);
        struct rapport_text_run run = {.id = {names[0], 1, 2 * seq},
                                       .kind = RAPPORT_TEXT_INSERT,
                                       .n_events = 1,
                                       .text = &character,
                                       .text_len = 1};
        add(t, &run);
    }
    CHECK_EQ(rapport_text_merge(t), 0);
    CHECK_EQ(rapport_text_copy(t, 0, SIZE_MAX, &text, &len), 0);
    CHECK_EQ(len, 2000);
    for (size_t i = 0; i < len; i++)
        CHECK_EQ(text[i], 'a' + i % 26);
    free(text);
    rapport_text_destroy(t);
}
