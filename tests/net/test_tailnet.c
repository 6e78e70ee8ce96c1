/*
 * Machines of a tailnet become candidates, and what is wrong with tailscaled is said in words: with
 * a daemon in the same loop that answers as told, and a clock that the test moves.
 */
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/tailnet_state.h"
#include "test.h"

enum {
    MOST_WAIT_MS = 30000, /* for a loaded machine; a passing test never waits for it */
    MOST_CLIENTS = 64,
    MOST_SEEN = 64
};

#define SELF(online)                                                                               \
    "\"Self\":{\"ID\":\"1\",\"HostName\":\"ada\",\"UserID\":7,\"Online\":" online                  \
    ",\"TailscaleIPs\":[\"100.64.0.1\",\"fd7a:115c:a1e0::1\"]}"
#define PEERS                                                                                      \
    "\"Peer\":{\"nodekey:2\":{\"ID\":\"2\",\"HostName\":\"bram\",\"UserID\":8,\"Online\":true,"    \
    "\"CurAddr\":\"192.0.2.1:41641\",\"Active\":true,\"Relay\":\"ams\","                           \
    "\"TailscaleIPs\":[\"100.64.0.2\"]},"                                                          \
    "\"nodekey:3\":{\"ID\":\"3\",\"HostName\":\"cleo\",\"UserID\":9,\"Online\":true,"              \
    "\"Active\":true,\"Relay\":\"fra\","                                                           \
    "\"TailscaleIPs\":[\"100.64.0.3\",\"fd7a:115c:a1e0::3\"]},"                                    \
    "\"nodekey:4\":{\"ID\":\"4\",\"HostName\":\"dora\",\"UserID\":9,\"Online\":false,"             \
    "\"TailscaleIPs\":[\"100.64.0.4\"]}}"
#define STATUS(state, tun, rest)                                                                   \
    "{\"Version\":\"1.98.10\",\"TUN\":" tun ",\"BackendState\":\"" state "\"," rest "}"
#define RUNNING STATUS("Running", "true", SELF("true") "," PEERS)

struct client {
    struct scene *scene;
    uv_pipe_t pipe;
    char in[1024];
    size_t n;
    bool open, bus;
};

/* A tailscaled, the tailnet that asks it, and what came of it. */
struct scene {
    uv_loop_t loop;
    uv_pipe_t server;
    bool serving;
    char dir[32], path[64];
    const char *status;
    unsigned http, bus_http;
    struct client clients[MOST_CLIENTS];
    size_t n_clients, n_status, n_peers, n_watch;

    struct tailnet *t;
    rapport_time_ms now;
    bool wanted, gone;
    struct rapport_address found[MOST_SEEN], lost[MOST_SEEN];
    uint64_t who[MOST_SEEN];
    size_t n_found, n_lost, n_moved;
};

/* ---- the daemon ---- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct client *c = handle->data;
    (void)suggested;
    *out = uv_buf_init(c->in + c->n, (unsigned)(sizeof c->in - 1 - c->n));
}

static void say(struct client *c, const char *text)
{
    uv_buf_t buf = uv_buf_init((char *)(uintptr_t)text, (unsigned)strlen(text));
    CHECK_EQ(uv_try_write((uv_stream_t *)&c->pipe, &buf, 1), (int)strlen(text));
}

static void hang_up(struct client *c)
{
    if (c->open)
        uv_close((uv_handle_t *)&c->pipe, NULL);
    c->open = c->bus = false;
}

static void answer(struct client *c)
{
    struct scene *s = c->scene;
    char head[128];
    bool bus = strstr(c->in, "watch-ipn-bus") != NULL;
    unsigned http = bus ? s->bus_http : s->http;
    s->n_watch += bus;
    s->n_status += !bus;
    s->n_peers += !bus && !strstr(c->in, "peers=false");
    (void)snprintf(head, sizeof head,
                   "HTTP/1.0 %u X\r\nTailscale-Version: 1.98.10\r\nTailscale-Cap: 138\r\n\r\n",
                   http);
    say(c, head);
    c->bus = bus && http == 200;
    if (c->bus)
        return;
    say(c, http == 200 ? s->status : "no\n");
    hang_up(c);
}

static void on_request(uv_stream_t *stream, ssize_t n, const uv_buf_t *bytes)
{
    struct client *c = stream->data;
    (void)bytes;
    if (n < 0) {
        hang_up(c);
        return;
    }
    c->n += (size_t)n;
    c->in[c->n] = 0;
    if (strstr(c->in, "\r\n\r\n"))
        answer(c);
}

static void on_client(uv_stream_t *server, int status)
{
    struct scene *s = server->data;
    CHECK_EQ(status, 0);
    CHECK(s->n_clients < MOST_CLIENTS);
    struct client *c = &s->clients[s->n_clients++];
    *c = (struct client){.scene = s, .open = true};
    CHECK_EQ(uv_pipe_init(&s->loop, &c->pipe, 0), 0);
    c->pipe.data = c;
    CHECK_EQ(uv_accept(server, (uv_stream_t *)&c->pipe), 0);
    CHECK_EQ(uv_read_start((uv_stream_t *)&c->pipe, on_alloc, on_request), 0);
}

static void serve(struct scene *s)
{
    CHECK_EQ(uv_pipe_init(&s->loop, &s->server, 0), 0);
    s->server.data = s;
    CHECK_EQ(uv_pipe_bind(&s->server, s->path), 0);
    CHECK_EQ(uv_listen((uv_stream_t *)&s->server, 16, on_client), 0);
    s->serving = true;
}

static void end_serving(struct scene *s)
{
    for (size_t i = 0; i < s->n_clients; i++)
        hang_up(&s->clients[i]);
    if (s->serving)
        uv_close((uv_handle_t *)&s->server, NULL);
    s->serving = false;
}

static size_t n_buses(const struct scene *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n_clients; i++)
        n += s->clients[i].bus;
    return n;
}

static void ring(struct scene *s, const char *text)
{
    for (size_t i = 0; i < s->n_clients; i++)
        if (s->clients[i].bus)
            say(&s->clients[i], text);
}

/* ---- the tailnet ---- */

static bool is_wanted(void *user)
{
    return ((struct scene *)user)->wanted;
}

static void on_found(void *user, const struct rapport_address *address, uint64_t who)
{
    struct scene *s = user;
    CHECK(s->n_found < MOST_SEEN);
    s->who[s->n_found] = who;
    s->found[s->n_found++] = *address;
}

static void on_lost(void *user, const struct rapport_address *address)
{
    struct scene *s = user;
    CHECK(s->n_lost < MOST_SEEN);
    s->lost[s->n_lost++] = *address;
}

static void on_moved(void *user)
{
    ((struct scene *)user)->n_moved++;
}

static rapport_time_ms on_now(void *user)
{
    return ((struct scene *)user)->now;
}

static void on_gone(void *user)
{
    ((struct scene *)user)->gone = true;
}

static void begin(struct scene *s)
{
    *s = (struct scene){.http = 200,
                        .bus_http = 200,
                        .status = RUNNING,
                        .now = 1000000,
                        .wanted = true,
                        .dir = "/tmp/rapport-tailnet-XXXXXX"};
    CHECK(mkdtemp(s->dir) != NULL);
    (void)snprintf(s->path, sizeof s->path, "%s/sock", s->dir);
    CHECK_EQ(uv_loop_init(&s->loop), 0);
}

static struct tailnet_config config_of(struct scene *s)
{
    return (struct tailnet_config){.loop = &s->loop,
                                   .mode = TAILNET_MODE_ON,
                                   .socket = s->path,
                                   .port = RAPPORT_UV_PORT,
                                   .user = s,
                                   .wanted = is_wanted,
                                   .found = on_found,
                                   .lost = on_lost,
                                   .moved = on_moved,
                                   .now = on_now};
}

static void start(struct scene *s)
{
    const struct tailnet_config config = config_of(s);
    CHECK_EQ(tailnet_open(&config, &s->t), 0);
}

static void end(struct scene *s)
{
    end_serving(s);
    if (s->t)
        tailnet_close(s->t, on_gone, s);
    CHECK_EQ(uv_run(&s->loop, UV_RUN_DEFAULT), 0);
    CHECK(!s->t || s->gone);
    CHECK_EQ(uv_loop_close(&s->loop), 0);
    (void)unlink(s->path);
    CHECK_EQ(rmdir(s->dir), 0);
}

static void on_guard(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

/* Runs the loop until `counter` has reached `least` and every fetch is answered. */
static void run_until(struct scene *s, const size_t *counter, size_t least)
{
    bool late = false;
    uv_timer_t guard;
    CHECK_EQ(uv_timer_init(&s->loop, &guard), 0);
    guard.data = &late;
    CHECK_EQ(uv_timer_start(&guard, on_guard, MOST_WAIT_MS, 0), 0);
    while ((*counter < least || s->t->fetch) && !late)
        (void)uv_run(&s->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&guard, NULL);
    (void)uv_run(&s->loop, UV_RUN_NOWAIT);
    CHECK(!late);
}

/* Runs until the bus is open at both ends. */
static void run_to_bus(struct scene *s)
{
    size_t open = 0;
    for (int i = 0; i < 1000 && !open; i++) {
        (void)uv_run(&s->loop, UV_RUN_ONCE);
        open = n_buses(s);
    }
    CHECK_EQ(open, 1);
    for (int i = 0; i < 1000 && s->t->bus_http != 200; i++)
        (void)uv_run(&s->loop, UV_RUN_ONCE);
    CHECK_EQ(s->t->bus_http, 200);
}

static void move(struct scene *s, uint64_t ms)
{
    s->now += ms;
    tailnet_tick(s->t);
}

/* A fetch that is due after this long, to its end. */
static void fetch_after(struct scene *s, uint64_t ms)
{
    move(s, ms);
    CHECK(s->t->fetch != NULL);
    for (int i = 0; i < 1000 && s->t->fetch; i++)
        (void)uv_run(&s->loop, UV_RUN_ONCE);
    CHECK(s->t->fetch == NULL);
}

static struct rapport_address at(const char *text, uint16_t port)
{
    struct rapport_address address;
    CHECK_EQ(rapport_address_parse(text, port, &address), 0);
    return address;
}

static bool has_finding(const struct scene *s, const char *part)
{
    struct findings f = {0};
    bool found = false;
    tailnet_findings(s->t, &f);
    CHECK_EQ(f.error, 0);
    for (size_t i = 0; i < f.n; i++)
        found = found || strstr(f.list[i].text, part) || strstr(f.list[i].todo, part);
    if (!found)
        for (size_t i = 0; i < f.n; i++)
            printf("  %s | %s\n", f.list[i].text, f.list[i].todo);
    findings_clear(&f);
    return found;
}

/* ---- whom to try ---- */

TEST(found, "machines that are on line become candidates at our port, IPv6 first, as one machine")
{
    struct scene s;
    begin(&s);
    serve(&s);
    start(&s);
    run_until(&s, &s.n_status, 1);
    for (int i = 0; i < 5; i++)
        move(&s, PLAN_GAP_MS);
    CHECK_EQ(s.n_found, 3);
    for (size_t i = 0; i < s.n_found; i++) {
        CHECK_EQ(s.found[i].port, RAPPORT_UV_PORT);
        if (s.found[i].family == 6)
            CHECK_EQ(s.who[i], s.who[i + 1]);
    }
    CHECK_EQ(tailnet_asked(s.t), 2);
    CHECK_STR(tailnet_trouble(s.t), "");
    end(&s);
}

TEST(not_wanted, "before there is company no machine is listed; then all are, at once")
{
    struct scene s;
    begin(&s);
    s.wanted = false;
    serve(&s);
    start(&s);
    run_until(&s, &s.n_status, 1);
    move(&s, PLAN_GAP_MS);
    CHECK_EQ(s.n_peers, 0);
    CHECK_EQ(s.n_found, 0);
    CHECK(has_finding(&s, "nobody is looked for"));
    s.wanted = true;
    fetch_after(&s, 1);
    CHECK_EQ(s.n_peers, 1);
    move(&s, PLAN_GAP_MS);
    CHECK(s.n_found > 0);
    end(&s);
}

TEST(gone, "when tailscaled goes, who was given is lost and we have no address; when it is back, "
           "all is as before")
{
    struct scene s;
    struct rapport_address own[4];
    bool tun = false;
    begin(&s);
    serve(&s);
    start(&s);
    run_until(&s, &s.n_status, 1);
    move(&s, PLAN_GAP_MS);
    move(&s, PLAN_GAP_MS);
    CHECK_EQ(s.n_found, 3);
    CHECK_EQ(tailnet_own(s.t, own, 4, &tun), 2);
    CHECK_EQ(own[0].family, 6);
    CHECK(tun);
    CHECK_EQ(s.n_moved, 1);
    end_serving(&s);
    (void)unlink(s.path);
    fetch_after(&s, TAILNET_POLL_MS * 2);
    move(&s, 1);
    CHECK_EQ(s.n_lost, 3);
    CHECK_EQ(s.n_moved, 2);
    CHECK_EQ(tailnet_own(s.t, own, 4, NULL), 0);
    CHECK(!tailnet_is_running(s.t));
    CHECK(strstr(tailnet_trouble(s.t), "is not running") != NULL);
    serve(&s);
    fetch_after(&s, TAILNET_AWAY_MS);
    CHECK_EQ(s.n_moved, 3);
    CHECK(tailnet_is_running(s.t));
    CHECK_STR(tailnet_trouble(s.t), "");
    end(&s);
}

/* ---- asking ---- */

TEST(storm, "a thousand rings are one fetch, five seconds after the last one")
{
    struct scene s;
    begin(&s);
    serve(&s);
    start(&s);
    run_until(&s, &s.n_status, 1);
    run_to_bus(&s);
    static const char one[] = "{\"State\":6}\n";
    char all[1000 * (sizeof one - 1) + 1];
    for (size_t i = 0; i < 1000; i++)
        memcpy(all + i * (sizeof one - 1), one, sizeof one);
    ring(&s, all);
    for (int i = 0; i < 1000 && s.t->fetch_at > s.t->fetched + TAILNET_RING_MS; i++)
        (void)uv_run(&s.loop, UV_RUN_ONCE);
    CHECK_EQ(s.n_status, 1);
    move(&s, TAILNET_RING_MS - 1);
    CHECK(s.t->fetch == NULL);
    fetch_after(&s, 1);
    CHECK_EQ(s.n_status, 2);
    move(&s, TAILNET_RING_MS);
    CHECK(s.t->fetch == NULL);
    end(&s);
}

TEST(
    no_bus,
    "where the bus is refused the status is asked once a minute, and the bus not again for an hour")
{
    static const unsigned refusals[] = {400, 403, 404};
    for (size_t i = 0; i < 3; i++) {
        struct scene s;
        begin(&s);
        s.bus_http = refusals[i];
        serve(&s);
        start(&s);
        run_until(&s, &s.n_watch, 1);
        for (int k = 0; k < 1000 && s.t->bus; k++)
            (void)uv_run(&s.loop, UV_RUN_ONCE);
        CHECK(s.t->bus == NULL);
        move(&s, TAILNET_POLL_MS * 9 / 10 - 1);
        CHECK(s.t->fetch == NULL);
        fetch_after(&s, TAILNET_POLL_MS / 5 + 1);
        CHECK_EQ(s.n_watch, 1);
        CHECK(has_finding(&s, "polled"));
        CHECK_STR(tailnet_trouble(s.t), "");
        end(&s);
    }
}

TEST(bus_ends, "a bus that ends is opened again, later each time, and rings")
{
    struct scene s;
    begin(&s);
    serve(&s);
    start(&s);
    run_until(&s, &s.n_status, 1);
    run_to_bus(&s);
    CHECK(has_finding(&s, "heard at once"));
    for (size_t i = 0; i < s.n_clients; i++)
        if (s.clients[i].bus)
            hang_up(&s.clients[i]);
    for (int i = 0; i < 1000 && s.t->bus; i++)
        (void)uv_run(&s.loop, UV_RUN_ONCE);
    CHECK(s.t->bus == NULL);
    CHECK_EQ(s.t->bus_at, s.now + TAILNET_BUS_MS);
    CHECK_EQ(s.t->fetch_at, s.t->fetched + TAILNET_RING_MS);
    CHECK_EQ(s.t->bus_wait, 2 * TAILNET_BUS_MS);
    move(&s, TAILNET_BUS_MS);
    CHECK(s.t->bus != NULL);
    end(&s);
}

/* ---- words ---- */

TEST(states, "each state of tailscaled that keeps us from friends is said in words")
{
    static const struct {
        const char *status, *words;
    } cases[] = {
        {STATUS("NeedsLogin", "true", "\"AuthURL\":\"https://login.example/a\""),
         "open https://login.example/a"},
        {STATUS("NeedsLogin", "true", "\"AuthURL\":\"\""), "run tailscale up"},
        {STATUS("NeedsMachineAuth", "true", "\"Peer\":null"), "approve"},
        {STATUS("Stopped", "true", SELF("true") "," PEERS), "is stopped: run tailscale up"},
        {STATUS("Starting", "true", SELF("true")), "is starting"},
        {STATUS("NoState", "true", "\"Self\":null"), "is starting"},
        {STATUS("InUseOtherUser", "true", "\"Self\":null"), "another user"},
        {STATUS("Dreaming", "true", "\"Self\":null"), "unknown to rapport: Dreaming"},
        {STATUS("Running", "true", SELF("false") "," PEERS), "control server is not reachable"},
        {STATUS("Running", "true", "\"Self\":{\"ID\":\"1\",\"Online\":true,\"TailscaleIPs\":null}"),
         "no address"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene s;
        begin(&s);
        s.status = cases[i].status;
        serve(&s);
        start(&s);
        run_until(&s, &s.n_status, 1);
        if (!strstr(tailnet_trouble(s.t), cases[i].words))
            test_fail(__FILE__, __LINE__, "case %zu says \"%s\"", i, tailnet_trouble(s.t));
        CHECK(has_finding(&s, "tailscaled 1.98.10"));
        end(&s);
    }
}

TEST(starting, "Starting for a minute means that no relay is reachable")
{
    struct scene s;
    begin(&s);
    s.status = STATUS("Starting", "true", SELF("true"));
    serve(&s);
    start(&s);
    run_until(&s, &s.n_status, 1);
    move(&s, TAILNET_STARTING_MS - 1);
    CHECK(!strstr(tailnet_trouble(s.t), "no relay"));
    move(&s, 1);
    CHECK(strstr(tailnet_trouble(s.t), "no relay reachable") != NULL);
    end(&s);
}

TEST(no_daemon, "no socket where none was named is no trouble; a socket that nobody serves is")
{
    struct scene s;
    begin(&s);
    struct tailnet_config config = config_of(&s);
    CHECK_EQ(setenv("TS_SOCKET", s.path, 1), 0);
    config.socket = NULL;
    CHECK_EQ(tailnet_open(&config, &s.t), 0);
    CHECK_EQ(unsetenv("TS_SOCKET"), 0);
    for (int i = 0; i < 1000 && s.t->contact == TAILNET_UNASKED; i++)
        (void)uv_run(&s.loop, UV_RUN_ONCE);
    CHECK_STR(tailnet_trouble(s.t), "");
    CHECK(has_finding(&s, "there is no tailscaled"));

    struct sockaddr_un stale = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    memcpy(stale.sun_path, s.path, sizeof s.path);
    CHECK_EQ(bind(fd, (struct sockaddr *)&stale, sizeof stale), 0);
    CHECK_EQ(close(fd), 0);
    fetch_after(&s, TAILNET_AWAY_MS);
    CHECK(strstr(tailnet_trouble(s.t), "nobody answers") != NULL);
    CHECK(strstr(tailnet_trouble(s.t), "start tailscaled") != NULL);
    end(&s);
}

TEST(broken,
     "one answer that makes no sense changes nothing, two end what was known; 403 is said apart")
{
    struct scene s;
    begin(&s);
    serve(&s);
    start(&s);
    run_until(&s, &s.n_status, 1);
    s.status = "this is no JSON";
    fetch_after(&s, TAILNET_POLL_MS * 2);
    CHECK(tailnet_is_running(s.t));
    CHECK(strstr(tailnet_trouble(s.t), "makes no sense") != NULL);
    fetch_after(&s, TAILNET_POLL_MS * 2);
    CHECK(!tailnet_is_running(s.t));
    s.http = 403;
    fetch_after(&s, TAILNET_AWAY_MS);
    CHECK(strstr(tailnet_trouble(s.t), "does not let this user ask") != NULL);
    s.http = 200;
    s.status = RUNNING;
    fetch_after(&s, TAILNET_AWAY_MS);
    CHECK(tailnet_is_running(s.t));
    end(&s);
}

TEST(silent, "a machine without an answer is named, with the rule that the policy may lack")
{
    struct scene s;
    begin(&s);
    serve(&s);
    start(&s);
    run_until(&s, &s.n_status, 1);
    move(&s, PLAN_GAP_MS);
    move(&s, PLAN_GAP_MS);
    for (size_t i = 0; i < s.n_found; i++)
        tailnet_tried(s.t, &s.found[i],
                      s.found[i].bytes[3] == 2 ? RAPPORT_TIMEOUT : RAPPORT_UNREACHABLE);
    CHECK(has_finding(&s, "probed 2, refused 1, timed out 1"));
    CHECK(has_finding(
        &s, "no answer from bram: not running there, or the tailnet policy blocks port 7171"));
    CHECK(has_finding(&s, "\"tcp:7171\""));
    CHECK(has_finding(&s, "3 machines: 2 may be asked"));
    end(&s);
}

/* ---- asking ---- */

TEST(paths, "the path to a machine is direct, relayed, unknown, or not of the tailnet")
{
    struct scene s;
    struct tailnet_path path;
    begin(&s);
    serve(&s);
    start(&s);
    struct rapport_address address = at("100.64.9.9", 1);
    tailnet_path(s.t, &address, &path);
    CHECK_EQ(path.kind, TAILNET_PATH_NONE); /* no tailnet was met yet */
    run_until(&s, &s.n_status, 1);
    tailnet_path(s.t, &address, &path);
    CHECK_EQ(path.kind, TAILNET_PATH_UNKNOWN);
    address = at("100.64.0.2", 7171);
    tailnet_path(s.t, &address, &path);
    CHECK_EQ(path.kind, TAILNET_PATH_DIRECT);
    CHECK_STR(path.machine, "bram");
    address = at("[fd7a:115c:a1e0::3]:7171", 0);
    tailnet_path(s.t, &address, &path);
    CHECK_EQ(path.kind, TAILNET_PATH_RELAYED);
    CHECK_STR(path.relay, "fra");
    address = at("192.0.2.7", 7171);
    tailnet_path(s.t, &address, &path);
    CHECK_EQ(path.kind, TAILNET_PATH_NONE);
    end(&s);
}

TEST(userspace, "without an interface, tailnet addresses and no others need the daemon's help")
{
    struct scene s;
    struct rapport_address friend = at("100.64.0.2", 7171), other = at("192.0.2.7", 7171), own[4];
    bool tun = true;
    begin(&s);
    s.status = STATUS("Running", "false", SELF("true") "," PEERS);
    serve(&s);
    start(&s);
    CHECK(!tailnet_needs_proxy(s.t, &friend));
    run_until(&s, &s.n_status, 1);
    CHECK(tailnet_needs_proxy(s.t, &friend));
    CHECK(!tailnet_needs_proxy(s.t, &other));
    CHECK_EQ(tailnet_own(s.t, own, 4, &tun), 2);
    CHECK(!tun);
    end(&s);
}

TEST(open_fails,
     "a proxy that is none is refused, and memory that is out at any point leaves nothing")
{
    struct scene s;
    begin(&s);
    struct tailnet_config config = config_of(&s);
    config.proxy = "http://127.0.0.1:8080";
    config.tag = "tag:notes";
    CHECK_EQ(tailnet_open(&config, &s.t), RAPPORT_INVALID);
    config.proxy = "socks5://127.0.0.1:1055";
    for (long n = 0;; n++) {
        test_fail_allocation(n);
        int error = tailnet_open(&config, &s.t);
        bool failed = test_allocation_failed();
        test_fail_allocation(-1);
        CHECK_EQ(error, failed ? RAPPORT_NOMEM : 0);
        if (!failed)
            break;
        s.t = NULL;
    }
    end(&s);
}
