/*
 * fuzz_text.c - random graphs of events, replayed in many ways, against the plain model of
 * oracle.h.
 *
 * Each graph has 3 to 6 agents that write on any branch, with gaps in their numbers, positions and
 * lengths out of range, backward deletes and characters of 1 to 4 bytes. Each replay takes the runs
 * in another topological order, cut in other pieces, some twice, merged in other batches, with a
 * save and load in between; the text must be the model's each time, and so must the changes that
 * were reported and the text at older versions.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "bench/bench.h"
#include "bench/oracle.h"
#include "rapport/text.h"

enum {
    MOST_RUNS = 48,
    MOST_RUN_EVENTS = 6,
    MOST_PARENTS = 4,
    MOST_AGENTS = 6,
    MOST_PIECES = MOST_RUNS * MOST_RUN_EVENTS * 2,
    N_REPLAYS = 3
};

struct rng {
    uint64_t state;
};

static uint64_t rng_next(struct rng *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static size_t below(struct rng *r, size_t n)
{
    return (size_t)(rng_next(r) % n);
}

struct graph_run {
    struct rapport_text_run run;
    int first;                 /* its first event in the model */
    int parents[MOST_PARENTS]; /* events in the model */
    struct rapport_text_id ids[MOST_PARENTS];
    char text[MOST_RUN_EVENTS * 4];
};

struct random_graph {
    struct rng rng;
    struct oracle model;
    uint8_t names[MOST_AGENTS][4];
    size_t name_lens[MOST_AGENTS];
    uint64_t seqs[MOST_AGENTS];
    size_t n_agents;
    struct graph_run runs[MOST_RUNS];
    int n_runs;
    int run_of[ORACLE_EVENTS];
};

/* A piece of a run that is delivered at once. */
struct piece {
    int run;
    size_t from, n;
};

static struct rapport_text_id id_of(const struct random_graph *g, int event)
{
    const struct oracle_event *e = &g->model.events[event];
    return (struct rapport_text_id){e->agent.ptr, e->agent.len, e->seq};
}

static void choose_agents(struct random_graph *g)
{
    g->n_agents = 3 + below(&g->rng, 4);
    for (size_t i = 0; i < g->n_agents; i++) {
        g->name_lens[i] = 2 + below(&g->rng, 3);
        g->names[i][0] = (uint8_t)(below(&g->rng, 2) ? 'a' : 0xff);
        for (size_t k = 1; k < 4; k++)
            g->names[i][k] = (uint8_t)below(&g->rng, 3);
        /* The bytes need not differ by chance: the last one of the name does. */
        g->names[i][g->name_lens[i] - 1] = (uint8_t)(i + 10 * below(&g->rng, 9));
        g->seqs[i] = below(&g->rng, 4) ? 0 : rng_next(&g->rng) >> 3;
    }
}

/* Mostly the newest event of some branch, at times an old one or several. */
static size_t choose_parents(struct random_graph *g, int *parents)
{
    int n_events = g->model.n_events;
    size_t kind = below(&g->rng, 16), n = 0;
    if (n_events == 0 || kind == 0)
        return 0;
    if (kind < 6) { /* everything so far */
        struct oracle_set seen = {0};
        for (int i = n_events - 1; i >= 0; i--) {
            if (oracle_in(&seen, i))
                continue;
            if (n == MOST_PARENTS)
                return n;
            parents[n++] = i;
            for (size_t w = 0; w < ORACLE_EVENTS / 64; w++)
                seen.words[w] |= g->model.events[i].past.words[w];
        }
        return n;
    }
    size_t want = kind < 13 ? 1 : 2 + below(&g->rng, MOST_PARENTS - 1);
    while (n < want) {
        size_t back = below(&g->rng, 2) ? below(&g->rng, 12) : below(&g->rng, (size_t)n_events);
        parents[n++] = n_events - 1 - (int)(back % (size_t)n_events);
    }
    return n;
}

static void fill_past(const struct oracle *model, const int *parents, size_t n,
                      struct oracle_set *past)
{
    *past = (struct oracle_set){0};
    for (size_t i = 0; i < n; i++) {
        oracle_put(past, parents[i]);
        for (size_t w = 0; w < ORACLE_EVENTS / 64; w++)
            past->words[w] |= model->events[parents[i]].past.words[w];
    }
}

static uint32_t choose_character(struct rng *r)
{
    static const uint32_t wide[] = {0xe9, 0x4e2d, 0x1f600, 0x7ff, 0xffff};
    return below(r, 8) ? 'a' + (uint32_t)below(r, 26) : wide[below(r, 5)];
}

/* A run's kind, place, length and text for a text of `length`. */
static void choose_run(struct random_graph *g, struct graph_run *r, size_t length)
{
    struct rapport_text_run *run = &r->run;
    run->n_events = 1 + below(&g->rng, below(&g->rng, 3) ? 2 : MOST_RUN_EVENTS);
    run->kind = below(&g->rng, 3) ? RAPPORT_TEXT_INSERT : RAPPORT_TEXT_DELETE;
    size_t past = below(&g->rng, 8) ? 0 : 5;
    /* Few places make many concurrent inserts at one place. */
    size_t places = below(&g->rng, 2) ? length + 1 + past : (length + past) / 3 + 1;
    run->pos = below(&g->rng, places);
    run->backward =
        run->kind == RAPPORT_TEXT_DELETE && run->pos >= run->n_events - 1 && below(&g->rng, 2);
    struct buf text = BUF_INIT;
    for (size_t i = 0; i < run->n_events; i++)
        utf8_put(&text, choose_character(&g->rng));
    if (run->kind == RAPPORT_TEXT_INSERT) {
        memcpy(r->text, text.ptr, text.len);
        run->text = r->text;
        run->text_len = text.len;
    }
    buf_clear(&text);
}

static void add_to_model(struct random_graph *g, const struct graph_run *r, struct oracle_set past)
{
    struct oracle *model = &g->model;
    struct slice text = slice_of(r->run.text, r->run.text_len);
    size_t at = 0;
    for (size_t i = 0; i < r->run.n_events; i++) {
        struct oracle_event *e = &model->events[model->n_events];
        bool insert = r->run.kind == RAPPORT_TEXT_INSERT;
        *e = (struct oracle_event){.agent = slice_of(r->run.id.agent, r->run.id.agent_len),
                                   .seq = r->run.id.seq + i,
                                   .past = past,
                                   .insert = insert,
                                   .pos = insert ? r->run.pos + i
                                                 : r->run.pos - (r->run.backward ? i : 0)};
        if (insert)
            e->character = (uint32_t)utf8_next(text, &at);
        g->run_of[model->n_events] = g->n_runs;
        oracle_put(&past, model->n_events);
        oracle_add(model);
    }
}

static void make_graph(struct random_graph *g, uint64_t seed)
{
    g->rng.state = seed;
    g->model.n_events = g->model.n_order = 0;
    g->n_runs = 0;
    choose_agents(g);
    int n_runs = 4 + (int)below(&g->rng, MOST_RUNS - 4);
    for (; g->n_runs < n_runs; g->n_runs++) {
        struct graph_run *r = &g->runs[g->n_runs];
        uint32_t text[ORACLE_EVENTS];
        struct oracle_set past;
        if (g->model.n_events + MOST_RUN_EVENTS > ORACLE_EVENTS)
            break;
        *r = (struct graph_run){.first = g->model.n_events};
        size_t n = choose_parents(g, r->parents), agent = below(&g->rng, g->n_agents);
        fill_past(&g->model, r->parents, n, &past);
        choose_run(g, r, oracle_text(&g->model, &past, text));
        g->seqs[agent] += below(&g->rng, 3) ? 0 : below(&g->rng, 1000);
        r->run.id = (struct rapport_text_id){g->names[agent], g->name_lens[agent], g->seqs[agent]};
        g->seqs[agent] += r->run.n_events;
        for (size_t i = 0; i < n; i++)
            r->ids[i] = id_of(g, r->parents[i]);
        r->run.parents = r->ids;
        r->run.n_parents = n;
        add_to_model(g, r, past);
    }
}

static struct slice model_text(const struct random_graph *g, const struct oracle_set *version,
                               struct buf *out)
{
    uint32_t text[ORACLE_EVENTS];
    size_t n = oracle_text(&g->model, version, text);
    buf_reset(out);
    for (size_t i = 0; i < n; i++)
        utf8_put(out, text[i]);
    return buf_slice(out);
}

/* One replay: the note, the text as the reported changes make it, and what was delivered. */
struct replay {
    const struct random_graph *g;
    struct rng *rng;
    struct rapport_text *t;
    struct buf shadow;
    struct oracle_set delivered;
    size_t next[MOST_RUNS]; /* events of each run that were delivered */
    const char *failure;
};

static void fail(struct replay *p, const char *why)
{
    if (!p->failure)
        p->failure = why;
}

static void shadow_edit(struct replay *p, const struct rapport_text_edit *edit)
{
    struct slice old = buf_slice(&p->shadow);
    struct buf changed = BUF_INIT;
    size_t from = utf8_offset(old, edit->pos);
    size_t to = from + utf8_offset(slice_skip(old, from), edit->n_deleted);
    buf_append(&changed, old.ptr, from);
    buf_append(&changed, edit->text, edit->text_len);
    buf_append_slice(&changed, slice_skip(old, to));
    buf_clear(&p->shadow);
    p->shadow = changed;
}

static void compare(struct replay *p)
{
    struct buf want = BUF_INIT;
    char *text = NULL;
    size_t len = 0;
    struct slice expected = model_text(p->g, &p->delivered, &want);
    if (rapport_text_copy(p->t, 0, SIZE_MAX, &text, &len))
        fail(p, "copy");
    else if (!slice_equal(slice_of(text, len), expected))
        fail(p, "text");
    else if (!slice_equal(buf_slice(&p->shadow), expected))
        fail(p, "changes");
    else if (rapport_text_length(p->t) != utf8_count(expected))
        fail(p, "length");
    free(text);
    buf_clear(&want);
}

static void merge(struct replay *p)
{
    struct rapport_text_edit edit;
    if (rapport_text_merge(p->t))
        fail(p, "merge");
    while (rapport_text_next_change(p->t, &edit))
        shadow_edit(p, &edit);
    compare(p);
}

static void save_and_load(struct replay *p)
{
    uint8_t *bytes;
    size_t len;
    struct rapport_text *loaded;
    if (rapport_text_save(p->t, &bytes, &len)) {
        fail(p, "save");
        return;
    }
    if (rapport_text_load(bytes, len, &loaded)) {
        fail(p, "load");
    } else {
        rapport_text_destroy(p->t);
        p->t = loaded;
        compare(p);
    }
    free(bytes);
}

/* The text at the version of one or two delivered events. */
static void look_back(struct replay *p)
{
    int events[2], n = 0;
    struct rapport_text_id ids[2];
    for (int tries = 0; tries < 8 && n < 2; tries++) {
        int event = (int)below(p->rng, (size_t)p->g->model.n_events);
        if (oracle_in(&p->delivered, event)) {
            ids[n] = id_of(p->g, event);
            events[n++] = event;
        }
    }
    struct oracle_set past;
    struct buf want = BUF_INIT;
    char *text = NULL;
    size_t len = 0;
    fill_past(&p->g->model, events, (size_t)n, &past);
    struct slice expected = model_text(p->g, &past, &want);
    bool before = false;
    if (rapport_text_at(p->t, ids, (size_t)n, &text, &len) ||
        !slice_equal(slice_of(text, len), expected))
        fail(p, "older version");
    if (n == 2 && (rapport_text_is_before(p->t, ids, 1, ids + 1, 1, &before) ||
                   before != (oracle_in(&p->g->model.events[events[1]].past, events[0]) ||
                              events[0] == events[1])))
        fail(p, "order of versions");
    free(text);
    buf_clear(&want);
}

static bool is_ready(const struct replay *p, int run)
{
    const struct graph_run *r = &p->g->runs[run];
    if (p->next[run] == r->run.n_events)
        return false;
    for (size_t i = 0; i < r->run.n_parents; i++)
        if (!oracle_in(&p->delivered, r->parents[i]))
            return false;
    return true;
}

/* Types the piece when it stands at the current version; false when it does not. */
static bool type(struct replay *p, const struct rapport_text_run *run)
{
    struct rapport_text_id heads[ORACLE_EVENTS];
    size_t n = rapport_text_version(p->t, heads, ORACLE_EVENTS);
    bool covers = rapport_text_covers(p->t, run->parents, run->n_parents);
    if (covers != (n == 0 || rapport_text_covers(p->t, run->parents, run->n_parents)))
        fail(p, "covers");
    if (!covers || run->backward || n > run->n_parents)
        return false;
    int error = run->kind == RAPPORT_TEXT_INSERT
                    ? rapport_text_insert(p->t, run->id, run->pos, run->text, run->text_len)
                    : rapport_text_delete(p->t, run->id, run->pos, run->n_events);
    if (error)
        fail(p, "typing");
    struct rapport_text_edit edit = {run->pos, run->n_events, "", 0};
    if (run->kind == RAPPORT_TEXT_INSERT)
        edit = (struct rapport_text_edit){run->pos, 0, run->text, run->text_len};
    shadow_edit(p, &edit);
    return true;
}

/* Delivers events [from, from + n) of a run, typed where that is possible and `merged`. */
static void deliver(struct replay *p, struct piece piece, bool merged)
{
    const struct graph_run *r = &p->g->runs[piece.run];
    struct rapport_text_run run = r->run;
    struct rapport_text_id before = run.id;
    run.id.seq += piece.from;
    run.n_events = piece.n;
    if (piece.from) {
        before.seq = run.id.seq - 1;
        run.parents = &before;
        run.n_parents = 1;
    }
    if (run.kind == RAPPORT_TEXT_INSERT) {
        struct slice text = slice_of(run.text, run.text_len);
        run.pos += piece.from;
        text = slice_skip(text, utf8_offset(text, piece.from));
        run.text = (const char *)text.ptr;
        run.text_len = utf8_offset(text, piece.n);
    } else if (run.backward) {
        run.pos -= piece.from;
    }
    if (!(merged && below(p->rng, 2) && type(p, &run)) && rapport_text_add(p->t, &run))
        fail(p, "add");
    for (size_t i = 0; i < piece.n; i++)
        oracle_put(&p->delivered, r->first + (int)(piece.from + i));
}

/* Delivers a random ready piece; false when there is none left. */
static bool deliver_some(struct replay *p, bool merged)
{
    int ready[MOST_RUNS], n = 0;
    for (int i = 0; i < p->g->n_runs; i++)
        if (is_ready(p, i))
            ready[n++] = i;
    if (!n)
        return false;
    int run = ready[below(p->rng, (size_t)n)];
    size_t left = p->g->runs[run].run.n_events - p->next[run];
    struct piece piece = {run, p->next[run], 1 + below(p->rng, left)};
    /* At times more than is new: what was delivered before comes once more. */
    size_t again = below(p->rng, 6) ? 0 : below(p->rng, p->next[run] + 1);
    bool twice = again > 0;
    p->next[run] += piece.n;
    piece.from -= again;
    piece.n += again;
    deliver(p, piece, merged && !twice);
    if (!below(p->rng, 12))
        deliver(p, piece, false);
    return true;
}

static const char *replay(const struct random_graph *g, struct rng *rng)
{
    struct replay p = {.g = g, .rng = rng, .shadow = BUF_INIT};
    if (rapport_text_create(&p.t))
        return "create";
    size_t batch = 1 + below(rng, below(rng, 2) ? 4 : 60);
    bool merged = true;
    while (!p.failure && deliver_some(&p, merged)) {
        merged = below(rng, batch) == 0;
        if (merged)
            merge(&p);
        if (merged && !below(rng, 16))
            save_and_load(&p);
    }
    merge(&p);
    look_back(&p);
    if (rapport_text_n_events(p.t) != (size_t)g->model.n_events)
        fail(&p, "number of events");
    rapport_text_destroy(p.t);
    buf_clear(&p.shadow);
    return p.failure;
}

static bool check_graph(struct random_graph *g, uint64_t seed)
{
    make_graph(g, seed);
    for (int i = 0; i < N_REPLAYS; i++) {
        const char *failure = replay(g, &g->rng);
        if (failure) {
            printf("graph of seed %llu: replay %d: wrong %s\n", (unsigned long long)seed, i,
                   failure);
            return false;
        }
    }
    return true;
}

int bench_fuzz_text(int argc, char **argv)
{
    unsigned long graphs = 1000, passed = 0, failed = 0;
    uint64_t seed = 1;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--graphs") == 0)
            graphs = strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0)
            seed = strtoull(argv[i + 1], NULL, 10);
        else
            argc = 0;
    }
    if (argc % 2 == 0) {
        fprintf(stderr, "usage: rapport-bench fuzz-text [--graphs N] [--seed S]\n");
        return 2;
    }
    struct random_graph *g = calloc(1, sizeof *g);
    if (!g)
        return 1;
    printf("seed %llu\n", (unsigned long long)seed);
    for (unsigned long i = 0; i < graphs; i++) {
        if (check_graph(g, seed + i))
            passed++;
        else
            failed++;
    }
    free(g);
    printf("%lu passed, %lu failed\n", passed, failed);
    return failed ? 1 : 0;
}
