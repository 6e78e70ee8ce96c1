/*
 * sync.c - two real processes over loopback: a friend's fresh device catches up with a report, then
 * sees each keystroke, then both are idle.
 *
 * Three children of this process share one mapping: a builder that makes the report and ends, the
 * author that opens it and listens, the friend that joins by ticket. Times are CLOCK_MONOTONIC,
 * which both read. Bytes are those handed to the TCP sockets, of both directions; headers of TCP
 * and IP are not in them.
 *
 *   catch-up   from the friend's start (handshake included) until all texts are there, and until
 *              all of it is on its disk
 *   live       from the edit in the author's process to CHANGED with that event in the friend's;
 *              edits are LIVE_GAP_MS to twice that apart, a fast typist
 *   idle       after QUIET_MS without an edit
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/drive.h"
#include "bench/figures.h"
#include "bench/person.h"

enum {
    MOST_EDITS = 100000,
    LIVE_GAP_MS = 45,
    QUIET_MS = 3000,
    EVENTS_A_NOTE = 4000,
    GIVE_UP_S = 1800,
    KEY_BYTES = 32
};

enum stage {
    STAGE_BUILT = 1,
    STAGE_LISTENING,
    STAGE_CAUGHT_UP,
    STAGE_LIVE_DONE,
    STAGE_IDLE,
    STAGE_END,
};

/* What one process tells the others. */
struct side {
    _Atomic uint64_t sent, received, n_sends;
    _Atomic long rss_kb, peak_kb;
    uint8_t digest[RAPPORT_DIGEST_BYTES];
    _Atomic bool has_digest;
};

struct shared {
    _Atomic int stage;
    struct side author, friend;
    char directory[64], ticket[1024];
    uint8_t log[16], note[RAPPORT_NOTE_ID_BYTES];
    uint64_t events, n_notes, n_edits, idle_s, height; /* height: before the live edits */
    _Atomic uint64_t n_seen;
    double texts_ms, stored_ms;
    uint64_t catch_up_bytes, live_bytes, live_sends, idle_bytes;
    double typed_at[MOST_EDITS], seen_at[MOST_EDITS];
};

/* One of the two processes. */
struct peer {
    struct shared *shared;
    struct side *side;
    struct drive d;
    uv_loop_t loop;
    uv_check_t check;
    uv_timer_t timer;
    struct person person;
    double started, reached, next_stage_at;
    uint64_t n_typed, bytes_before, sends_before;
};

static void path_of(const struct shared *s, const char *name, char out[128])
{
    snprintf(out, 128, "%s/%s", s->directory, name);
}

static void keys_of(const struct side *side, const struct shared *s, uint8_t key[KEY_BYTES])
{
    memset(key, side == &s->author ? 'a' : 'f', KEY_BYTES);
}

/* ---- the builder ---- */

static void build(struct shared *s)
{
    char path[128];
    uint8_t key[KEY_BYTES];
    struct drive d = {0};
    struct person p;
    struct rapport_node_config config = {
        .start = RAPPORT_START_INIT, .device_seed = key, .name = "Author", .title = "Sync"};
    keys_of(&s->author, s, key);
    path_of(s, "author.db", path);
    must(drive_open(&d, path, &config), "author's database");
    must(person_init(&p, 1, (size_t)s->n_notes, s->events), "person");
    drive_person(&d, &p, s->events);
    must(drive_flush(&d), "flush");
    s->events = p.n_events;
    s->n_notes = p.n_notes;
    memcpy(s->note, p.notes[p.at].id, sizeof s->note);
    person_clear(&p);
    drive_close(&d);
    s->stage = STAGE_BUILT;
}

/* ---- both ---- */

static void tell(struct peer *p)
{
    p->side->sent = p->d.sent_bytes;
    p->side->received = p->d.received_bytes;
    p->side->n_sends = p->d.n_sends;
}

static void finish(struct peer *p)
{
    p->side->rss_kb = figure_rss_kb(false);
    p->side->peak_kb = figure_rss_kb(true);
    p->side->has_digest = rapport_node_digest(p->d.node, p->side->digest) == 0;
    _exit(0); /* as by a crash: nobody opens these databases again */
}

static void start(struct peer *p, const struct rapport_node_config *config, const char *database)
{
    char path[128];
    path_of(p->shared, database, path);
    must(uv_loop_init(&p->loop), "loop");
    must(drive_open(&p->d, path, config), database);
    must(drive_online(&p->d, &p->loop), "sockets");
    uv_check_init(&p->loop, &p->check);
    uv_timer_init(&p->loop, &p->timer);
    p->check.data = p->timer.data = p;
}

/* ---- the author ---- */

static void make_ticket(struct peer *p, const struct rapport_address *address)
{
    struct rapport_invite invite = {.n_uses = 1, .addresses = address, .n_addresses = 1};
    uint8_t public_key[32];
    char *text;
    invite.expires_s = (uint64_t)time(NULL) + 3600;
    rapport_node_draw_invite(p->d.node, invite.seed, public_key);
    struct rapport_edit edit = {.kind = RAPPORT_EDIT_INVITE,
                                .public_key = public_key,
                                .n_uses = 1,
                                .expires_s = invite.expires_s};
    must(drive_edit(&p->d, &edit), "invite");
    must(rapport_node_ticket(p->d.node, &invite, &text), "ticket");
    snprintf(p->shared->ticket, sizeof p->shared->ticket, "%s", text);
    free(text);
}

static uint64_t live_bytes(const struct shared *s)
{
    return s->author.sent + s->friend.sent;
}

static void type_one(struct peer *p)
{
    struct shared *s = p->shared;
    char letter = (char)('a' + person_draw(&p->person, 26));
    struct rapport_edit edit = {.kind = RAPPORT_EDIT_SPLICE, .note = s->note, .text = &letter};
    edit.text_len = 1;
    edit.pos = 3 + (size_t)p->n_typed;
    s->typed_at[p->n_typed] = figure_ms();
    must(drive_edit(&p->d, &edit), "live edit");
    p->n_typed++;
}

static void on_author_timer(uv_timer_t *timer);

static void again_in(struct peer *p, uint64_t ms)
{
    (void)uv_timer_start(&p->timer, on_author_timer, ms, 0);
}

static void begin_live(struct peer *p)
{
    struct shared *s = p->shared;
    s->catch_up_bytes = live_bytes(s);
    p->bytes_before = live_bytes(s);
    p->sends_before = s->author.n_sends + s->friend.n_sends;
    s->height = rapport_node_height(p->d.node, s->log);
}

/* The author's hand and watch: types, waits until all is seen, then is idle, then ends it. */
static void on_author_timer(uv_timer_t *timer)
{
    struct peer *p = timer->data;
    struct shared *s = p->shared;
    if (s->stage == STAGE_END)
        finish(p);
    if (s->stage == STAGE_LISTENING) {
        again_in(p, QUIET_MS);
    } else if (p->n_typed < s->n_edits) {
        if (p->n_typed == 0)
            begin_live(p);
        type_one(p);
        again_in(p, LIVE_GAP_MS + person_draw(&p->person, LIVE_GAP_MS));
    } else if (s->n_seen < s->n_edits) {
        again_in(p, 10);
    } else if (s->stage == STAGE_CAUGHT_UP) {
        s->stage = STAGE_LIVE_DONE;
        again_in(p, 500); /* the acknowledgement of the last one */
    } else if (s->stage == STAGE_LIVE_DONE) {
        s->live_bytes = live_bytes(s) - p->bytes_before;
        s->live_sends = s->author.n_sends + s->friend.n_sends - p->sends_before;
        s->stage = STAGE_IDLE;
        again_in(p, QUIET_MS);
    } else if (p->next_stage_at == 0) {
        p->bytes_before = live_bytes(s);
        p->next_stage_at = figure_ms();
        again_in(p, s->idle_s * 1000);
    } else {
        s->idle_bytes = live_bytes(s) - p->bytes_before;
        s->stage = STAGE_END;
        again_in(p, 1);
    }
}

static void on_author_check(uv_check_t *check)
{
    tell(check->data);
}

static void be_author(struct shared *s)
{
    static struct peer p;
    uint8_t key[KEY_BYTES];
    struct rapport_node_config config = {
        .start = RAPPORT_START_OPEN, .device_seed = key, .name = "Author"};
    struct rapport_address address = {.family = 4, .bytes = {127, 0, 0, 1}};
    p.shared = s;
    p.side = &s->author;
    keys_of(p.side, s, key);
    start(&p, &config, "author.db");
    must(person_init(&p.person, 2, 1, 1), "person");
    must(rapport_uv_listen(p.d.uv, &address, 1, 0), "listen");
    (void)rapport_uv_listening(p.d.uv, &address, 1);
    make_ticket(&p, &address);
    if (!rapport_node_own_log(p.d.node, s->log))
        must(RAPPORT_STATE, "author's log");
    s->height = rapport_node_height(p.d.node, s->log);
    (void)uv_check_start(&p.check, on_author_check);
    again_in(&p, 10);
    s->stage = STAGE_LISTENING;
    (void)uv_run(&p.loop, UV_RUN_DEFAULT);
}

/* ---- the friend ---- */

static void on_friend_check(uv_check_t *check)
{
    struct peer *p = check->data;
    struct shared *s = p->shared;
    tell(p);
    if (s->stage != STAGE_LISTENING || rapport_node_height(p->d.node, s->log) < s->height ||
        !rapport_node_ready(p->d.node))
        return;
    if (s->texts_ms == 0) {
        s->texts_ms = figure_ms() - p->started;
        p->side->rss_kb = figure_rss_kb(false);
    }
    if (p->d.last_synced < p->d.last_store)
        return;
    s->stored_ms = figure_ms() - p->started;
    s->stage = STAGE_CAUGHT_UP;
}

static void on_friend_changed(void *user, const struct rapport_effect *effect)
{
    struct peer *p = user;
    struct shared *s = p->shared;
    uint64_t seen = s->n_seen;
    if (effect->kind != RAPPORT_EFFECT_CHANGED || s->stage < STAGE_CAUGHT_UP ||
        memcmp(effect->note, s->note, sizeof s->note) != 0)
        return;
    uint64_t here = rapport_node_height(p->d.node, s->log);
    double now = figure_ms();
    while (seen < s->n_edits && s->height + seen < here)
        s->seen_at[seen++] = now;
    s->n_seen = seen;
}

static void on_friend_timer(uv_timer_t *timer)
{
    struct peer *p = timer->data;
    if (p->shared->stage == STAGE_END)
        finish(p);
}

static void be_friend(struct shared *s)
{
    static struct peer p;
    uint8_t key[KEY_BYTES];
    struct rapport_node_config config = {
        .start = RAPPORT_START_JOIN, .device_seed = key, .name = "Friend", .ticket = s->ticket};
    p.shared = s;
    p.side = &s->friend;
    keys_of(p.side, s, key);
    p.started = figure_ms();
    start(&p, &config, "friend.db");
    p.d.user = &p;
    p.d.changed = on_friend_changed;
    rapport_uv_online(p.d.uv);
    (void)uv_check_start(&p.check, on_friend_check);
    (void)uv_timer_start(&p.timer, on_friend_timer, 100, 100);
    (void)uv_run(&p.loop, UV_RUN_DEFAULT);
}

/* ---- the parent ---- */

static pid_t begin(struct shared *s, void (*run)(struct shared *))
{
    pid_t child = fork();
    if (child == 0) {
        alarm(GIVE_UP_S);
        run(s);
        _exit(0);
    }
    if (child < 0)
        must(RAPPORT_IO, "fork");
    return child;
}

/* Waits for the child; true when it ended well. */
static bool ended_well(pid_t child)
{
    int status;
    return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool run_all(struct shared *s)
{
    if (!ended_well(begin(s, build)))
        return false;
    pid_t author = begin(s, be_author);
    while (s->stage < STAGE_LISTENING && waitpid(author, NULL, WNOHANG) == 0)
        usleep(1000);
    if (s->stage < STAGE_LISTENING)
        return false;
    pid_t friend = begin(s, be_friend);
    bool well = ended_well(friend);
    if (!well)
        (void)kill(author, SIGTERM);
    return ended_well(author) && well;
}

static void print(struct shared *s)
{
    static double latency[MOST_EDITS];
    for (uint64_t i = 0; i < s->n_edits; i++)
        latency[i] = s->seen_at[i] - s->typed_at[i];
    size_t n = (size_t)s->n_edits;
    double edits = n ? (double)n : 1, seconds = s->stored_ms / 1000;
    bool same = s->author.has_digest && s->friend.has_digest &&
                memcmp(s->author.digest, s->friend.digest, RAPPORT_DIGEST_BYTES) == 0;
    printf("{\"events\":%llu,\"notes\":%llu,\"catch_up_ms\":%.1f,\"stored_ms\":%.1f,"
           "\"events_per_s\":%.0f,\"mb_per_s\":%.2f,\"catch_up_bytes\":%llu,"
           "\"author_rss_kb\":%ld,\"author_peak_kb\":%ld,\"friend_rss_kb\":%ld,"
           "\"friend_peak_kb\":%ld,",
           (unsigned long long)s->events, (unsigned long long)s->n_notes, s->texts_ms, s->stored_ms,
           (double)s->events / seconds, (double)s->catch_up_bytes / 1e6 / seconds,
           (unsigned long long)s->catch_up_bytes, s->author.rss_kb, s->author.peak_kb,
           s->friend.rss_kb, s->friend.peak_kb);
    printf("\"edits\":%zu,\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"max_ms\":%.2f,"
           "\"bytes_per_keystroke\":%.1f,\"writes_per_keystroke\":%.2f,\"idle_s\":%llu,"
           "\"idle_bytes_per_s\":%.1f,\"converged\":%s}\n",
           n, figure_percentile(latency, n, 0.50), figure_percentile(latency, n, 0.99),
           figure_percentile(latency, n, 1.0), (double)s->live_bytes / edits,
           (double)s->live_sends / edits, (unsigned long long)s->idle_s,
           (double)s->idle_bytes / (s->idle_s ? (double)s->idle_s : 1), same ? "true" : "false");
}

static void clean(const struct shared *s)
{
    static const char *const names[] = {"author.db", "author.db-wal", "friend.db", "friend.db-wal"};
    char path[128];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        path_of(s, names[i], path);
        (void)unlink(path);
    }
    (void)rmdir(s->directory);
}

int bench_sync(int argc, char **argv)
{
    struct shared *s =
        mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (s == MAP_FAILED)
        return 1;
    s->events = option_number(argc, argv, "--events", 100000);
    s->n_notes = option_number(argc, argv, "--notes", 3 + s->events / EVENTS_A_NOTE);
    s->n_edits = option_number(argc, argv, "--edits", 1000);
    s->idle_s = option_number(argc, argv, "--idle", 12);
    if (s->n_edits == 0 || s->n_edits > MOST_EDITS) {
        fputs("usage: rapport-bench sync --events N [--notes N] [--edits N] [--idle S]\n", stderr);
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    snprintf(s->directory, sizeof s->directory, "/tmp/rapport-bench-XXXXXX");
    if (!mkdtemp(s->directory))
        return 1;
    bool well = run_all(s);
    if (well)
        print(s);
    else
        fputs("rapport-bench: sync: a process ended badly\n", stderr);
    clean(s);
    return well ? 0 : 1;
}
