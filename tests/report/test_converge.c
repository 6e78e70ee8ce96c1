/*
 * test_converge.c - whatever devices do, in whatever order the deltas arrive, and whenever texts
 * are unloaded, the cache is saved or a device is restarted: who holds the same deltas shows the
 * same.
 */
#include "world.h"

enum {
    N_NOTES = 10,
    N_VERSIONS = 8,
};

/* A version of a note that somebody saw, to edit against. */
struct seen {
    uint8_t note;
    size_t n;
    uint8_t agents[64][LOG_ID_BYTES];
    struct rapport_text_id ids[64];
};

struct play {
    struct world w;
    struct test_rng rng;
    struct seen seen[PEERS_MOST][N_VERSIONS];
};

static const char *const paths[] = {"notes/a.md", "notes/A.md",      "notes/b.md",
                                    "report.md",  "notes/a.md/b.md", "Notes/c.md"};
static const char *const texts[] = {"hello", "é", "a longer line\n", "x", "# title\n", "日本"};

static size_t pick(struct play *t, size_t n)
{
    return test_rng_below(&t->rng, n);
}

static struct note *pick_note(struct play *t, struct peer *p, uint8_t *n)
{
    *n = (uint8_t)(1 + pick(t, N_NOTES));
    struct note *note = note_of(p, *n);
    if (note && note->exists && !note->text)
        peer_load(p, note);
    return note && note->exists ? note : NULL;
}

static void do_new(struct play *t, struct peer *p)
{
    uint8_t n = (uint8_t)(1 + pick(t, N_NOTES));
    struct edit_context e = context_of(&t->w, p);
    struct buf talk = BUF_INIT;
    struct note_talk fields = {.title = slice_str("Talk"), .duration_min = n};
    bool of_talk = n % 2;
    if (note_of(p, n) && !note_of(p, n)->text)
        peer_load(p, note_of(p, n));
    note_talk_encode(&fields, &talk);
    int error = report_new_note(p->report, &e, note_id(n), slice_str(paths[pick(t, 6)]),
                                of_talk ? buf_slice(&talk) : slice_str(""),
                                of_talk ? slice_str("# Talk\n") : slice_str(""));
    CHECK(error == 0 || error == RAPPORT_EXISTS);
    buf_clear(&talk);
}

static void do_type(struct play *t, struct peer *p)
{
    uint8_t n;
    struct note *note = pick_note(t, p, &n);
    if (!note)
        return;
    size_t length = rapport_text_length(note->text), pos = pick(t, length + 1);
    for (size_t i = 0, k = 1 + pick(t, 4); i < k; i++) {
        size_t deleted = pick(t, 3) ? 0 : pick(t, 5);
        CHECK_EQ(peer_type(&t->w, p, n, pos, deleted, deleted ? "" : texts[pick(t, 6)]), 0);
        pos += pick(t, 2);
    }
}

static void see(struct play *t, struct peer *p)
{
    struct seen *s = &t->seen[p - t->w.peers][pick(t, N_VERSIONS)];
    struct note *note = pick_note(t, p, &s->note);
    s->n = note ? rapport_text_version(note->text, s->ids, 64) : 0;
    CHECK(s->n <= 64);
    for (size_t i = 0; i < s->n; i++) {
        memcpy(s->agents[i], s->ids[i].agent, LOG_ID_BYTES);
        s->ids[i].agent = s->agents[i];
    }
}

static void do_edit_old(struct play *t, struct peer *p)
{
    const struct seen *s = &t->seen[p - t->w.peers][pick(t, N_VERSIONS)];
    struct note *note = s->n ? note_of(p, s->note) : NULL;
    if (!note)
        return;
    if (!note->text)
        peer_load(p, note);
    char *old, made[4096];
    size_t len;
    int error = rapport_text_at(note->text, s->ids, s->n, &old, &len);
    if (error == RAPPORT_NOTFOUND) /* what a restart forgot */
        return;
    CHECK_EQ(error, 0);
    struct slice rest = slice_of(old, len);
    size_t cut = utf8_offset(rest, pick(t, utf8_count(rest) + 1));
    snprintf(made, sizeof made, "%.*s%s%s", (int)(cut < 1000 ? cut : 0), old, texts[pick(t, 6)],
             pick(t, 2) ? "" : "end");
    free(old);
    struct edit_context e = context_of(&t->w, p);
    CHECK_EQ(report_edit_text(p->report, &e, note, s->ids, s->n, slice_str(made)), 0);
}

static void do_registers(struct play *t, struct peer *p)
{
    uint8_t n;
    struct note *note = pick_note(t, p, &n);
    if (!note)
        return;
    peer_seal(&t->w, p);
    if (pick(t, 2))
        CHECK_EQ(peer_rename(&t->w, p, n, paths[pick(t, 6)]), 0);
    else
        CHECK_EQ(peer_trash(&t->w, p, n), 0);
}

static void do_control(struct play *t, struct peer *p)
{
    static const char *const keys[] = {"zone", "title", "day"};
    struct edit_context e = context_of(&t->w, p);
    uint8_t key[32];
    memset(key, (int)pick(t, 5), sizeof key);
    if (pick(t, 2)) {
        CHECK_EQ(peer_set(&t->w, p, keys[pick(t, 3)], texts[pick(t, 6)]), 0);
    } else {
        int error = report_add_invite(p->report, &e, key, 1 + (uint32_t)pick(t, 3), 0);
        CHECK(error == 0 || error == RAPPORT_PERMISSION);
    }
}

static void receive_some(struct play *t, struct peer *p)
{
    for (size_t i = 0, n = pick(t, 12); i < n; i++)
        peer_receive(&t->w, p, pick(t, t->w.n_deltas));
}

static void unload_some(struct peer *p)
{
    struct note *note;
    for (size_t at = 0; (note = report_next_note(p->report, &at));)
        report_unload_note(p->report, note);
}

static void step(struct play *t)
{
    struct peer *p = &t->w.peers[pick(t, t->w.n_peers)];
    t->w.wall_ms++;
    switch (pick(t, 14)) {
    case 0:
        do_new(t, p);
        return;
    case 1:
    case 2:
    case 3:
    case 4:
        do_type(t, p);
        return;
    case 5:
        see(t, p);
        return;
    case 6:
        do_edit_old(t, p);
        return;
    case 7:
        do_registers(t, p);
        return;
    case 8:
        if (pick(t, 3) == 0)
            do_control(t, p);
        return;
    case 9:
        peer_seal(&t->w, p);
        return;
    case 10:
        peer_save(&t->w, p);
        unload_some(p);
        return;
    case 11:
        peer_seal(&t->w, p);
        peer_restart(&t->w, p);
        return;
    default:
        receive_some(t, p);
    }
}

/* Everything to everybody, each in an order of its own. */
static void deliver_all(struct play *t)
{
    for (size_t i = 0; i < t->w.n_peers; i++)
        peer_seal(&t->w, &t->w.peers[i]);
    for (size_t i = 0; i < t->w.n_peers; i++) {
        struct peer *p = &t->w.peers[i];
        for (size_t k = 0; k < 3 * t->w.n_deltas; k++)
            peer_receive(&t->w, p, pick(t, t->w.n_deltas));
        while (p->n_arrived < t->w.n_deltas)
            peer_catch_up(&t->w, p);
        peer_load_waiting(p);
    }
}

/* As somebody who joins last and starts from nothing but the deltas. */
static void check_newcomer(struct world *w)
{
    uint8_t known[16], fresh[16];
    struct peer p = {.n_applied = 0};
    CHECK_EQ(report_digest(w->peers[0].report, &w->peers[0].logs, known), 0);
    CHECK_EQ(report_create(1, &p.report), 0);
    log_set_init(&p.logs, w->report_id, 6);
    while (p.n_arrived < w->n_deltas)
        peer_catch_up(w, &p);
    CHECK_EQ(report_digest(p.report, &p.logs, fresh), 0);
    CHECK_BYTES(fresh, sizeof fresh, known, sizeof known);
    report_destroy(p.report);
    log_set_clear(&p.logs);
    free(p.arrived);
}

static void check_restored(struct world *w)
{
    uint8_t before[16], after[16];
    struct peer *p = &w->peers[w->n_peers - 1];
    CHECK_EQ(report_digest(p->report, NULL, before), 0);
    peer_save(w, p);
    peer_restart(w, p);
    CHECK_EQ(report_digest(p->report, NULL, after), 0);
    CHECK_BYTES(after, sizeof after, before, sizeof before);
}

static void play(uint64_t seed, size_t n_peers, size_t n_steps)
{
    static struct play t;
    t = (struct play){.rng = {seed}};
    world_start(&t.w, n_peers);
    for (size_t i = 0; i < n_steps; i++) {
        step(&t);
        if (i % 100 == 99) {
            deliver_all(&t);
            check_same(&t.w);
        }
    }
    deliver_all(&t);
    check_same(&t.w);
    check_newcomer(&t.w);
    check_restored(&t.w);
    world_end(&t.w);
}

TEST(converge, "devices that do anything in any order end in equal reports")
{
    struct test_rng rng = test_rng_start(20230204);
    for (size_t i = 0; i < 60; i++) {
        uint64_t seed = test_rng_next(&rng);
        size_t n_peers = 2 + i % 4;
        printf("seed %" PRIu64 ", %zu devices\n", seed, n_peers);
        play(seed, n_peers, 300);
    }
}
