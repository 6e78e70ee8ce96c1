/* Whole nodes over loopback: invite, join, edit, converge, come back. */
#include <stdlib.h>
#include <unistd.h>

#include "rapport/uv.h"
#include "test.h"

enum {
    MOST_WAIT_MS = 60000
};

struct person {
    uv_loop_t *loop;
    char database[64];
    uint8_t key[32];
    struct rapport_uv_node *n;
    size_t n_changed, n_joined, n_refused;
    int error;
    bool gone;
};

static void on_effect(void *user, const struct rapport_effect *effect)
{
    struct person *p = user;
    p->n_changed += effect->kind == RAPPORT_EFFECT_CHANGED;
    p->n_joined += effect->kind == RAPPORT_EFFECT_JOINED;
    p->n_refused += effect->kind == RAPPORT_EFFECT_REFUSED;
}

static void start(struct person *p, uv_loop_t *loop, const char *dir, const char *name,
                  enum rapport_start how, const char *word)
{
    p->loop = loop;
    (void)snprintf(p->database, sizeof p->database, "%s/%s.db", dir, name);
    memset(p->key, name[0], sizeof p->key);
    struct rapport_node_config node = {
        .start = how, .device_seed = p->key, .name = name, .title = word, .ticket = word};
    struct rapport_uv_node_config config = {
        .loop = loop, .database = p->database, .node = &node, .user = p, .effect = on_effect};
    CHECK_EQ(rapport_uv_run_node(&config, &p->n), 0);
}

static void listen_on(struct person *p, const char *text, struct rapport_address *at)
{
    CHECK_EQ(rapport_address_parse(text, 0, at), 0);
    CHECK_EQ(rapport_uv_listen(rapport_uv_node_net(p->n), at, 1, 0), 0);
    CHECK_EQ(rapport_uv_listening(rapport_uv_node_net(p->n), at, 1), 1);
}

static char *invite(struct person *p, const struct rapport_address *at)
{
    struct rapport_invite invite = {.n_uses = 1, .addresses = at, .n_addresses = 1};
    uint8_t public_key[32];
    invite.expires_s = (uint64_t)time(NULL) + 3600;
    rapport_node_draw_invite(rapport_uv_node_node(p->n), invite.seed, public_key);
    struct rapport_edit edit = {.kind = RAPPORT_EDIT_INVITE,
                                .public_key = public_key,
                                .n_uses = 1,
                                .expires_s = invite.expires_s};
    struct rapport_event event = {.kind = RAPPORT_EVENT_EDIT, .edit = &edit};
    char *ticket = NULL;
    CHECK_EQ(rapport_uv_node_step(p->n, &event), 0);
    CHECK_EQ(rapport_node_ticket(rapport_uv_node_node(p->n), &invite, &ticket), 0);
    return ticket;
}

static void write_note(struct person *p, uint8_t id[RAPPORT_NOTE_ID_BYTES], const char *text)
{
    rapport_node_draw_note_id(rapport_uv_node_node(p->n), id);
    struct rapport_edit edit = {.kind = RAPPORT_EDIT_NEW,
                                .note = id,
                                .path = "notes/headscale.md",
                                .text = text,
                                .text_len = strlen(text)};
    struct rapport_event event = {.kind = RAPPORT_EVENT_EDIT, .edit = &edit};
    CHECK_EQ(rapport_uv_node_step(p->n, &event), 0);
}

static void append(struct person *p, const uint8_t *id, const char *text)
{
    struct rapport_edit edit = {
        .kind = RAPPORT_EDIT_APPEND, .note = id, .text = text, .text_len = strlen(text)};
    struct rapport_event event = {.kind = RAPPORT_EVENT_EDIT, .edit = &edit};
    CHECK_EQ(rapport_uv_node_step(p->n, &event), 0);
}

static void on_guard(uv_timer_t *t)
{
    *(bool *)t->data = true;
}

static bool has_text(struct person *p, const uint8_t *id, const char *text)
{
    char *got;
    size_t len;
    if (rapport_node_note_text(rapport_uv_node_node(p->n), id, &got, &len))
        return false;
    bool same = strcmp(got, text) == 0;
    free(got);
    return same;
}

/* Runs until both have the text on the disk and know it of each other. */
static void run_until_text(struct person *a, struct person *b, const uint8_t *id, const char *text)
{
    bool late = false;
    uv_timer_t guard;
    CHECK_EQ(uv_timer_init(a->loop, &guard), 0);
    guard.data = &late;
    CHECK_EQ(uv_timer_start(&guard, on_guard, MOST_WAIT_MS, 0), 0);
    while (!late && !(has_text(a, id, text) && has_text(b, id, text) &&
                      rapport_node_unsaved(rapport_uv_node_node(a->n)) == 0 &&
                      rapport_node_unsaved(rapport_uv_node_node(b->n)) == 0))
        (void)uv_run(a->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&guard, NULL);
    (void)uv_run(a->loop, UV_RUN_NOWAIT);
    CHECK(!late);
}

static void on_gone(void *user, int error)
{
    struct person *p = user;
    p->gone = true;
    p->error = error;
}

static void end(struct person *p)
{
    p->gone = false;
    rapport_uv_node_close(p->n, on_gone, p);
    while (!p->gone)
        (void)uv_run(p->loop, UV_RUN_ONCE);
    CHECK_EQ(p->error, 0);
}

static void clean(const char *dir)
{
    static const char *const names[] = {"ada.db", "ada.db-wal", "ada.db-shm",
                                        "bo.db",  "bo.db-wal",  "bo.db-shm"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        (void)unlink(path);
    }
    CHECK_EQ(rmdir(dir), 0);
}

/* What both hold also after both were closed and opened again. */
static void meet(const char *listen)
{
    uv_loop_t loop;
    struct person ada = {0}, bo = {0};
    struct rapport_address at;
    uint8_t id[RAPPORT_NOTE_ID_BYTES];
    char dir[] = "/tmp/rapport-test-XXXXXX";
    CHECK(mkdtemp(dir) != NULL);
    CHECK_EQ(uv_loop_init(&loop), 0);

    start(&ada, &loop, dir, "ada", RAPPORT_START_INIT, "FOSDEM 2023");
    listen_on(&ada, listen, &at);
    write_note(&ada, id, "Headscale\n");
    char *ticket = invite(&ada, &at);
    start(&bo, &loop, dir, "bo", RAPPORT_START_JOIN, ticket);
    free(ticket);
    rapport_uv_online(rapport_uv_node_net(bo.n));
    run_until_text(&ada, &bo, id, "Headscale\n");
    CHECK_EQ(bo.n_joined, 1);
    CHECK_EQ(ada.n_joined, 1);
    append(&bo, id, "from bo\n");
    run_until_text(&ada, &bo, id, "Headscale\nfrom bo\n");
    end(&bo);

    append(&ada, id, "while bo is away\n");
    start(&bo, &loop, dir, "bo", RAPPORT_START_OPEN, NULL);
    rapport_uv_online(rapport_uv_node_net(bo.n));
    run_until_text(&ada, &bo, id, "Headscale\nfrom bo\nwhile bo is away\n");
    end(&ada);
    end(&bo);
    CHECK_EQ(uv_run(&loop, UV_RUN_DEFAULT), 0);
    CHECK_EQ(uv_loop_close(&loop), 0);
    clean(dir);
}

TEST(run_ipv4,
     "over IPv4 a friend joins by ticket, both write, and a comer-back gets what it missed")
{
    meet("127.0.0.1:0");
}

TEST(run_ipv6, "over IPv6 the same")
{
    meet("[::1]:0");
}

TEST(run_refused, "a database that is not there, or there already, is refused and nothing is left")
{
    uv_loop_t loop;
    CHECK_EQ(uv_loop_init(&loop), 0);
    uint8_t key[32] = {1};
    struct rapport_node_config node = {
        .start = RAPPORT_START_OPEN, .device_seed = key, .name = "ada", .title = "x"};
    struct rapport_uv_node_config config = {
        .loop = &loop, .database = "/tmp/rapport-no-such-folder/x.db", .node = &node};
    struct rapport_uv_node *n = NULL;
    CHECK(rapport_uv_run_node(&config, &n) != 0);
    CHECK(n == NULL);
    config.database = ":memory:";
    node.start = RAPPORT_START_INIT;
    node.title = "";
    CHECK_EQ(rapport_uv_run_node(&config, &n), RAPPORT_INVALID);
    CHECK(n == NULL);
    CHECK_EQ(uv_loop_close(&loop), 0);
}
