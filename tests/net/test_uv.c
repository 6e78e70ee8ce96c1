/* The driver over loopback, stepped by a script instead of a node. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "net/address.h"
#include "test.h"

enum {
    MOST_WAIT_MS = 30000, /* for a loaded machine; a passing test never waits for it */
    MOST_SEEN = 64
};

/* One driver with what was said to its script. */
struct side {
    struct rapport_uv *uv;
    uv_loop_t *loop;
    size_t n[RAPPORT_EVENT_FLUSH + 1]; /* events by kind */
    uint32_t conn;                     /* of the last CONNECTED */
    int error;                         /* of the last CLOSED or DIAL_FAILED */
    uint32_t dial;
    struct rapport_address address; /* of the last CONNECTED or CANDIDATE */
    struct rapport_address listen[8];
    size_t n_listen;
    struct buf received;
    bool echo, close_on_data;
    bool gone;
    rapport_time_ms deadline;
};

static void send_bytes(struct side *s, const void *bytes, size_t len)
{
    struct rapport_effect e = {
        .kind = RAPPORT_EFFECT_SEND, .conn = s->conn, .bytes = bytes, .len = len};
    rapport_uv_effect(s->uv, &e);
}

static void close_conn(struct side *s)
{
    struct rapport_effect e = {.kind = RAPPORT_EFFECT_CLOSE, .conn = s->conn};
    rapport_uv_effect(s->uv, &e);
}

static int step(void *user, struct rapport_event *e)
{
    struct side *s = user;
    s->n[e->kind]++;
    if (e->kind == RAPPORT_EVENT_CONNECTED)
        s->conn = e->conn;
    if (e->kind == RAPPORT_EVENT_CONNECTED || e->kind == RAPPORT_EVENT_CANDIDATE)
        s->address = e->address;
    if (e->kind == RAPPORT_EVENT_CLOSED || e->kind == RAPPORT_EVENT_DIAL_FAILED)
        s->error = e->error;
    if (e->kind == RAPPORT_EVENT_CONNECTED || e->kind == RAPPORT_EVENT_DIAL_FAILED)
        s->dial = e->dial;
    for (size_t i = 0; e->kind == RAPPORT_EVENT_ONLINE && i < e->n_listen; i++)
        s->listen[i] = e->listen[i];
    if (e->kind == RAPPORT_EVENT_ONLINE)
        s->n_listen = e->n_listen;
    if (e->kind == RAPPORT_EVENT_TIMEOUT)
        s->deadline = UINT64_MAX;
    if (e->kind == RAPPORT_EVENT_RECEIVED) {
        buf_append(&s->received, e->bytes, e->len);
        s->conn = e->conn;
        if (s->echo)
            send_bytes(s, e->bytes, e->len);
        if (s->close_on_data)
            close_conn(s);
    }
    return 0;
}

static rapport_time_ms deadline(void *user)
{
    return ((struct side *)user)->deadline;
}

static void open_side(struct side *s, uv_loop_t *loop)
{
    *s = (struct side){.loop = loop, .deadline = UINT64_MAX};
    struct rapport_uv_config config = {.loop = loop, .user = s, .step = step, .deadline = deadline};
    CHECK_EQ(rapport_uv_create(&config, &s->uv), 0);
}

static void on_gone(void *user)
{
    ((struct side *)user)->gone = true;
}

static void on_guard(uv_timer_t *t)
{
    *(bool *)t->data = true;
}

/* Runs the loop until `counter` has reached `least`. */
static void run_until(uv_loop_t *loop, const size_t *counter, size_t least)
{
    bool late = false;
    uv_timer_t guard;
    CHECK_EQ(uv_timer_init(loop, &guard), 0);
    guard.data = &late;
    CHECK_EQ(uv_timer_start(&guard, on_guard, MOST_WAIT_MS, 0), 0);
    while (*counter < least && !late)
        (void)uv_run(loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&guard, NULL);
    (void)uv_run(loop, UV_RUN_NOWAIT);
    CHECK(!late);
}

static void close_sides(uv_loop_t *loop, struct side *sides, size_t n)
{
    for (size_t i = 0; i < n; i++)
        rapport_uv_close(sides[i].uv, on_gone, &sides[i]);
    CHECK_EQ(uv_run(loop, UV_RUN_DEFAULT), 0);
    for (size_t i = 0; i < n; i++) {
        CHECK(sides[i].gone);
        buf_clear(&sides[i].received);
    }
    CHECK_EQ(uv_loop_close(loop), 0);
}

/* a listens at `at`, b has dialled it with dial number 7. */
static void open_pair(uv_loop_t *loop, struct side *sides, const char *at)
{
    struct rapport_address address;
    CHECK_EQ(uv_loop_init(loop), 0);
    open_side(&sides[0], loop);
    open_side(&sides[1], loop);
    CHECK_EQ(rapport_address_parse(at, 0, &address), 0);
    CHECK_EQ(rapport_uv_listen(sides[0].uv, &address, 1, 0), 0);
    CHECK_EQ(rapport_uv_listening(sides[0].uv, &address, 1), 1);
    struct rapport_effect dial = {.kind = RAPPORT_EFFECT_DIAL, .dial = 7, .address = address};
    rapport_uv_effect(sides[1].uv, &dial);
    run_until(loop, &sides[1].n[RAPPORT_EVENT_CONNECTED], 1);
    run_until(loop, &sides[0].n[RAPPORT_EVENT_CONNECTED], 1);
}

static bool has_ipv6(void)
{
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in6 one = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    bool has = fd >= 0 && !bind(fd, (struct sockaddr *)&one, sizeof one);
    if (fd >= 0)
        close(fd);
    return has;
}

static void exchange(const char *at)
{
    uv_loop_t loop;
    struct side s[2];
    open_pair(&loop, s, at);
    CHECK_EQ(s[0].dial, 0);
    CHECK_EQ(s[1].dial, 7);
    CHECK(address_is_loopback(&s[0].address));
    s[0].echo = true;
    send_bytes(&s[1], "salut", 5);
    run_until(&loop, &s[1].received.len, 5);
    CHECK_SLICE(buf_slice(&s[1].received), slice_str("salut"));
    run_until(&loop, &s[1].n[RAPPORT_EVENT_DRAINED], 1);
    run_until(&loop, &s[0].n[RAPPORT_EVENT_DRAINED], 1);
    close_conn(&s[1]);
    run_until(&loop, &s[0].n[RAPPORT_EVENT_CLOSED], 1);
    CHECK_EQ(s[0].error, RAPPORT_CLOSED);
    CHECK_EQ(s[1].n[RAPPORT_EVENT_CLOSED], 0);
    CHECK_EQ(rapport_uv_n_conns(s[0].uv), 0);
    close_sides(&loop, s, 2);
}

TEST(uv_ipv6, "over IPv6 bytes go there and back, each SEND drains, a close is seen once")
{
    if (!has_ipv6())
        SKIP("this machine has no IPv6");
    exchange("[::1]:0");
}

TEST(uv_ipv4, "over IPv4 the same")
{
    exchange("127.0.0.1:0");
}

TEST(uv_dual, "a socket on every address takes IPv4, and names its peers by IPv4 addresses")
{
    uv_loop_t loop;
    struct side s[2];
    CHECK_EQ(uv_loop_init(&loop), 0);
    open_side(&s[0], &loop);
    open_side(&s[1], &loop);
    struct rapport_address at, four;
    CHECK_EQ(rapport_uv_listen(s[0].uv, NULL, 0, 0), 0);
    CHECK_EQ(rapport_uv_listening(s[0].uv, &at, 1), 1);
    CHECK(at.port != 0);
    CHECK_EQ(rapport_address_parse("127.0.0.1", at.port, &four), 0);
    struct rapport_effect dial = {.kind = RAPPORT_EFFECT_DIAL, .dial = 1, .address = four};
    rapport_uv_effect(s[1].uv, &dial);
    run_until(&loop, &s[0].n[RAPPORT_EVENT_CONNECTED], 1);
    CHECK_EQ(s[0].address.family, 4);
    close_sides(&loop, s, 2);
}

TEST(uv_online, "ONLINE names the unspecified address first, true ports, and no link-local address")
{
    uv_loop_t loop;
    struct side s;
    CHECK_EQ(uv_loop_init(&loop), 0);
    open_side(&s, &loop);
    struct rapport_address at;
    CHECK_EQ(rapport_uv_listen(s.uv, NULL, 0, 0), 0);
    CHECK_EQ(rapport_uv_listening(s.uv, &at, 1), 1);
    CHECK_EQ(s.n[RAPPORT_EVENT_ONLINE], 0); /* not while we were called */
    run_until(&loop, &s.n[RAPPORT_EVENT_ONLINE], 1);
    CHECK(s.n_listen >= 2);
    CHECK(address_is_unspecified(&s.listen[0]));
    for (size_t i = 0; i < s.n_listen; i++) {
        CHECK_EQ(s.listen[i].port, at.port);
        CHECK(!address_is_link_local(&s.listen[i]));
    }
    close_sides(&loop, &s, 1);
}

TEST(uv_ports,
     "the named port is taken where it is free, else another; a named address must be free")
{
    uv_loop_t loop;
    struct side s[3];
    CHECK_EQ(uv_loop_init(&loop), 0);
    struct rapport_address at[3];
    for (int i = 0; i < 3; i++)
        open_side(&s[i], &loop);
    CHECK_EQ(rapport_uv_listen(s[0].uv, NULL, 0, 0), 0);
    CHECK_EQ(rapport_uv_listening(s[0].uv, &at[0], 1), 1);
    CHECK_EQ(rapport_uv_listen(s[1].uv, NULL, 0, at[0].port), 0);
    CHECK_EQ(rapport_uv_listening(s[1].uv, &at[1], 1), 1);
    CHECK(at[0].port != at[1].port);
    const struct rapport_address two[2] = {{.family = 4, .bytes = {127, 0, 0, 1}}, at[0]};
    CHECK_EQ(rapport_uv_listen(s[2].uv, two, 2, 0), RAPPORT_EXISTS);
    CHECK_EQ(rapport_uv_listening(s[2].uv, &at[2], 1), 0);
    const struct rapport_address foreign = {.family = 4, .bytes = {192, 0, 2, 1}};
    CHECK_EQ(rapport_uv_listen(s[2].uv, &foreign, 1, 0), RAPPORT_NOTFOUND);
    close_sides(&loop, s, 3);
}

static uint16_t raw_listener(int *fd, int backlog)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof in;
    *fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(*fd >= 0 && !bind(*fd, (struct sockaddr *)&in, sizeof in));
    CHECK(backlog < 0 || !listen(*fd, backlog));
    CHECK(!getsockname(*fd, (struct sockaddr *)&in, &len));
    return ntohs(in.sin_port);
}

static int raw_connect(uint16_t port, bool wait)
{
    struct sockaddr_in in = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | (wait ? 0 : SOCK_NONBLOCK), 0);
    CHECK(fd >= 0);
    int failed = connect(fd, (struct sockaddr *)&in, sizeof in);
    CHECK(!wait || !failed);
    return fd;
}

static void dial_fails(uint16_t port, int error)
{
    uv_loop_t loop;
    struct side s;
    CHECK_EQ(uv_loop_init(&loop), 0);
    open_side(&s, &loop);
    struct rapport_effect dial = {.kind = RAPPORT_EFFECT_DIAL,
                                  .dial = 9,
                                  .address = {.family = 4, .bytes = {127, 0, 0, 1}, .port = port}};
    rapport_uv_effect(s.uv, &dial);
    CHECK_EQ(s.n[RAPPORT_EVENT_DIAL_FAILED], 0);
    run_until(&loop, &s.n[RAPPORT_EVENT_DIAL_FAILED], 1);
    CHECK_EQ(s.dial, 9);
    CHECK_EQ(s.error, error);
    CHECK_EQ(rapport_uv_n_conns(s.uv), 0);
    close_sides(&loop, &s, 1);
}

TEST(uv_refused, "a refused dial is told as unreachable, once, and not from within the effect")
{
    int fd;
    uint16_t port = raw_listener(&fd, -1); /* bound, so nobody else listens there */
    dial_fails(port, RAPPORT_UNREACHABLE);
    close(fd);
}

TEST(uv_no_address, "a dial to no address at all fails as invalid")
{
    dial_fails(0, RAPPORT_INVALID);
}

TEST(uv_black_hole, "a dial that nobody answers ends by the limit for near addresses")
{
    /* A full backlog makes the kernel drop what comes. */
    int fd, fill[8];
    uint16_t port = raw_listener(&fd, 0);
    for (int i = 0; i < 8; i++)
        fill[i] = raw_connect(port, false);
    dial_fails(port, RAPPORT_TIMEOUT);
    for (int i = 0; i < 8; i++)
        close(fill[i]);
    close(fd);
}

TEST(uv_slow_reader, "DRAINED waits until less than the low water is queued, and nothing is lost")
{
    uv_loop_t loop;
    struct side s;
    CHECK_EQ(uv_loop_init(&loop), 0);
    open_side(&s, &loop);
    struct rapport_address at = {.family = 4, .bytes = {127, 0, 0, 1}};
    CHECK_EQ(rapport_uv_listen(s.uv, &at, 1, 0), 0);
    CHECK_EQ(rapport_uv_listening(s.uv, &at, 1), 1);
    int fd = raw_connect(at.port, true);
    run_until(&loop, &s.n[RAPPORT_EVENT_CONNECTED], 1);

    /* Fill it until a turn of the loop brings no DRAINED any more. */
    static uint8_t chunk[RAPPORT_HIGH_WATER];
    size_t sent = 0, drained;
    for (size_t i = 0; i < sizeof chunk; i++)
        chunk[i] = (uint8_t)(i * 7);
    do {
        drained = s.n[RAPPORT_EVENT_DRAINED];
        send_bytes(&s, chunk, sizeof chunk);
        sent += sizeof chunk;
        for (int turn = 0; turn < 3; turn++)
            (void)uv_run(&loop, UV_RUN_NOWAIT);
    } while (s.n[RAPPORT_EVENT_DRAINED] > drained);

    uint8_t in[65536];
    size_t got = 0;
    CHECK_EQ(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    while (got < sent) {
        ssize_t n = read(fd, in, sizeof in);
        for (ssize_t i = 0; i < n; i++)
            CHECK_EQ(in[i], chunk[(got + (size_t)i) % sizeof chunk]);
        got += n > 0 ? (size_t)n : 0;
        (void)uv_run(&loop, UV_RUN_NOWAIT);
    }
    run_until(&loop, &s.n[RAPPORT_EVENT_DRAINED], drained + 1);
    CHECK_EQ(s.n[RAPPORT_EVENT_CLOSED], 0);
    close(fd);
    close_sides(&loop, &s, 1);
}

TEST(uv_queue_bound, "a peer that never reads is closed once more than the bound is queued for it")
{
    uv_loop_t loop;
    struct side s;
    CHECK_EQ(uv_loop_init(&loop), 0);
    open_side(&s, &loop);
    struct rapport_address at = {.family = 4, .bytes = {127, 0, 0, 1}};
    CHECK_EQ(rapport_uv_listen(s.uv, &at, 1, 0), 0);
    CHECK_EQ(rapport_uv_listening(s.uv, &at, 1), 1);
    int fd = raw_connect(at.port, true);
    run_until(&loop, &s.n[RAPPORT_EVENT_CONNECTED], 1);
    static uint8_t chunk[1 << 20];
    for (size_t i = 0; i < 64 && s.n[RAPPORT_EVENT_CLOSED] == 0; i++) {
        send_bytes(&s, chunk, sizeof chunk);
        (void)uv_run(&loop, UV_RUN_NOWAIT);
    }
    CHECK_EQ(s.n[RAPPORT_EVENT_CLOSED], 1);
    CHECK_EQ(s.error, RAPPORT_LIMIT);
    close(fd);
    close_sides(&loop, &s, 1);
}

TEST(uv_last_words,
     "what was sent before CLOSE arrives, although the closer has not read everything")
{
    uv_loop_t loop;
    struct side s[2];
    open_pair(&loop, s, "127.0.0.1:0");
    static uint8_t noise[100000];
    send_bytes(&s[1], noise, sizeof noise); /* s[0] has not read it when it closes */
    send_bytes(&s[0], "BYE", 3);
    close_conn(&s[0]);
    run_until(&loop, &s[1].n[RAPPORT_EVENT_CLOSED], 1);
    CHECK_SLICE(buf_slice(&s[1].received), slice_str("BYE"));
    CHECK_EQ(s[1].error, RAPPORT_CLOSED);
    CHECK_EQ(s[0].received.len, 0);
    close_sides(&loop, s, 2);
}

TEST(uv_close_inside,
     "a CLOSE from within RECEIVED ends it; effects for a gone connection do nothing")
{
    uv_loop_t loop;
    struct side s[2];
    open_pair(&loop, s, "127.0.0.1:0");
    s[0].close_on_data = true;
    send_bytes(&s[1], "x", 1);
    run_until(&loop, &s[1].n[RAPPORT_EVENT_CLOSED], 1);
    CHECK_EQ(s[0].n[RAPPORT_EVENT_RECEIVED], 1);
    CHECK_EQ(s[0].n[RAPPORT_EVENT_CLOSED], 0);
    send_bytes(&s[0], "y", 1);
    close_conn(&s[0]);
    close_conn(&s[1]);
    CHECK_EQ(s[1].received.len, 0);
    close_sides(&loop, s, 2);
}

TEST(uv_deadline, "TIMEOUT comes when the deadline has come, also one set between two turns")
{
    uv_loop_t loop;
    struct side s;
    CHECK_EQ(uv_loop_init(&loop), 0);
    open_side(&s, &loop);
    s.deadline = rapport_uv_now() + 5;
    run_until(&loop, &s.n[RAPPORT_EVENT_TIMEOUT], 1);
    s.deadline = 1; /* long past */
    rapport_uv_wake(s.uv);
    run_until(&loop, &s.n[RAPPORT_EVENT_TIMEOUT], 2);
    close_sides(&loop, &s, 1);
}

TEST(uv_young, "from one source so many young connections are open at once; the next one is closed")
{
    uv_loop_t loop;
    struct side s;
    CHECK_EQ(uv_loop_init(&loop), 0);
    open_side(&s, &loop);
    struct rapport_address at = {.family = 4, .bytes = {127, 0, 0, 1}};
    CHECK_EQ(rapport_uv_listen(s.uv, &at, 1, 0), 0);
    CHECK_EQ(rapport_uv_listening(s.uv, &at, 1), 1);
    int fds[RAPPORT_UV_MOST_YOUNG_SOURCE + 1];
    for (int i = 0; i < RAPPORT_UV_MOST_YOUNG_SOURCE; i++) {
        fds[i] = raw_connect(at.port, true);
        run_until(&loop, &s.n[RAPPORT_EVENT_CONNECTED], (size_t)i + 1);
    }
    fds[RAPPORT_UV_MOST_YOUNG_SOURCE] = raw_connect(at.port, true);
    char byte;
    ssize_t n = -1;
    CHECK_EQ(fcntl(fds[RAPPORT_UV_MOST_YOUNG_SOURCE], F_SETFL, O_NONBLOCK), 0);
    for (int i = 0; i < 100000 && n < 0; i++) {
        (void)uv_run(&loop, UV_RUN_NOWAIT);
        n = read(fds[RAPPORT_UV_MOST_YOUNG_SOURCE], &byte, 1);
    }
    CHECK_EQ(n, 0);
    CHECK_EQ(s.n[RAPPORT_EVENT_CONNECTED], RAPPORT_UV_MOST_YOUNG_SOURCE);
    /* One that leaves makes room for the next. */
    close(fds[0]);
    run_until(&loop, &s.n[RAPPORT_EVENT_CLOSED], 1);
    fds[0] = raw_connect(at.port, true);
    run_until(&loop, &s.n[RAPPORT_EVENT_CONNECTED], RAPPORT_UV_MOST_YOUNG_SOURCE + 1);
    for (int i = 0; i <= RAPPORT_UV_MOST_YOUNG_SOURCE; i++)
        close(fds[i]);
    close_sides(&loop, &s, 1);
}

static size_t count_fds(void)
{
    DIR *d = opendir("/proc/self/fd");
    size_t n = 0;
    CHECK(d != NULL);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

TEST(uv_no_leak, "2,000 short connections leave no descriptor behind")
{
    uv_loop_t loop;
    struct side s;
    CHECK_EQ(uv_loop_init(&loop), 0);
    open_side(&s, &loop);
    struct rapport_address at = {.family = 4, .bytes = {127, 0, 0, 1}};
    CHECK_EQ(rapport_uv_listen(s.uv, &at, 1, 0), 0);
    CHECK_EQ(rapport_uv_listening(s.uv, &at, 1), 1);
    (void)uv_run(&loop, UV_RUN_NOWAIT);
    size_t before = count_fds();
    for (size_t i = 0; i < 2000; i++) {
        int fd = raw_connect(at.port, true);
        if (i % 2)
            CHECK_EQ(write(fd, "GET / HTTP/1.0\r\n", 16), 16);
        close(fd);
        run_until(&loop, &s.n[RAPPORT_EVENT_CLOSED], i + 1);
    }
    CHECK_EQ(s.n[RAPPORT_EVENT_CONNECTED], 2000);
    CHECK_EQ(count_fds(), before);
    close_sides(&loop, &s, 1);
}

TEST(uv_peers, "a typed peer becomes a candidate: numeric, by name, with the default port")
{
    uv_loop_t loop;
    struct side s;
    CHECK_EQ(uv_loop_init(&loop), 0);
    open_side(&s, &loop);
    CHECK_EQ(rapport_uv_peer(s.uv, "192.0.2.9"), 0);
    run_until(&loop, &s.n[RAPPORT_EVENT_CANDIDATE], 1);
    CHECK_EQ(s.address.port, RAPPORT_UV_PORT);
    CHECK_EQ(s.address.bytes[3], 9);
    CHECK_EQ(rapport_uv_peer(s.uv, "localhost:99"), 0);
    run_until(&loop, &s.n[RAPPORT_EVENT_CANDIDATE], 2);
    CHECK_EQ(s.address.port, 99);
    CHECK(address_is_loopback(&s.address));
    CHECK_EQ(rapport_uv_peer(s.uv, "192.0.2.9:0"), RAPPORT_MALFORMED);
    CHECK_EQ(rapport_uv_peer(s.uv, "no such host"), RAPPORT_MALFORMED);
    CHECK_EQ(rapport_uv_peer(s.uv, "::1::"), RAPPORT_MALFORMED);
    for (int i = 2; i < RAPPORT_UV_MOST_PEERS; i++)
        CHECK_EQ(rapport_uv_peer(s.uv, "192.0.2.9"), 0);
    CHECK_EQ(rapport_uv_peer(s.uv, "192.0.2.9"), RAPPORT_LIMIT);
    close_sides(&loop, &s, 1);
}

TEST(uv_close_busy,
     "closing while dialling, looking up and connected gives no event and leaks nothing")
{
    uv_loop_t loop;
    struct side s[2];
    open_pair(&loop, s, "127.0.0.1:0");
    int fd, fill[8];
    uint16_t port = raw_listener(&fd, 0);
    for (int i = 0; i < 8; i++)
        fill[i] = raw_connect(port, false);
    struct rapport_effect dial = {.kind = RAPPORT_EFFECT_DIAL,
                                  .dial = 8,
                                  .address = {.family = 4, .bytes = {127, 0, 0, 1}, .port = port}};
    rapport_uv_effect(s[0].uv, &dial);
    CHECK_EQ(rapport_uv_peer(s[0].uv, "localhost:1"), 0);
    size_t before = s[0].n[RAPPORT_EVENT_CANDIDATE] + s[0].n[RAPPORT_EVENT_DIAL_FAILED];
    close_sides(&loop, s, 2);
    CHECK_EQ(s[0].n[RAPPORT_EVENT_CANDIDATE] + s[0].n[RAPPORT_EVENT_DIAL_FAILED], before);
    for (int i = 0; i < 8; i++)
        close(fill[i]);
    close(fd);
}

TEST(uv_cancel, "a dial that is cancelled has no answer, whether under way or failed already")
{
    uv_loop_t loop;
    struct side s;
    int fd, fill[8];
    uint16_t port = raw_listener(&fd, 0);
    for (int i = 0; i < 8; i++)
        fill[i] = raw_connect(port, false);
    CHECK_EQ(uv_loop_init(&loop), 0);
    open_side(&s, &loop);
    struct rapport_effect e = {.kind = RAPPORT_EFFECT_DIAL,
                               .dial = 3,
                               .address = {.family = 4, .bytes = {127, 0, 0, 1}, .port = port}};
    rapport_uv_effect(s.uv, &e);
    CHECK_EQ(rapport_uv_n_conns(s.uv), 1);
    e.dial = 4;
    e.address.port = 0; /* fails at once, and is owed */
    rapport_uv_effect(s.uv, &e);
    e.dial = 5;
    rapport_uv_effect(s.uv, &e);
    e.kind = RAPPORT_EFFECT_CANCEL;
    e.dial = 3;
    rapport_uv_effect(s.uv, &e);
    e.dial = 4;
    rapport_uv_effect(s.uv, &e);
    CHECK_EQ(rapport_uv_n_conns(s.uv), 0);
    run_until(&loop, &s.n[RAPPORT_EVENT_DIAL_FAILED], 1);
    CHECK_EQ(s.dial, 5);
    (void)uv_run(&loop, UV_RUN_NOWAIT);
    CHECK_EQ(s.n[RAPPORT_EVENT_DIAL_FAILED], 1);
    close_sides(&loop, &s, 1);
    for (int i = 0; i < 8; i++)
        close(fill[i]);
    close(fd);
}

TEST(uv_resumed, "a process that was stopped and goes on says that it moved")
{
    uv_loop_t loop;
    struct side s;
    CHECK_EQ(uv_loop_init(&loop), 0);
    open_side(&s, &loop);
    rapport_uv_online(s.uv);
    run_until(&loop, &s.n[RAPPORT_EVENT_ONLINE], 1);
    CHECK_EQ(s.n[RAPPORT_EVENT_MOVED], 0);
    CHECK_EQ(raise(SIGCONT), 0);
    run_until(&loop, &s.n[RAPPORT_EVENT_MOVED], 1);
    CHECK_EQ(s.n[RAPPORT_EVENT_ONLINE], 2);
    close_sides(&loop, &s, 1);
}
