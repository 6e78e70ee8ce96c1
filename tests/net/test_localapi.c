/*
 * Requests to tailscaled over real Unix sockets. The daemon is a script in the same loop: it reads
 * the request to its empty line, says what the test put there, whole or byte by byte, and closes or
 * not. Time is not waited for: uv_timer_start is looked at and made a thousand times shorter.
 */
#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/localapi.h"
#include "test.h"

enum {
    MOST_WAIT_MS =
        30000, /* of real time, for a loaded machine; a passing test never waits for it */
    TIMES_FASTER = 1000,
};

/* ---- time ---- */

static uint64_t last_limit; /* of the last timer that the code under test started */

static int true_timer_start(uv_timer_t *timer, uv_timer_cb cb, uint64_t timeout, uint64_t repeat)
{
    int (*start)(uv_timer_t *, uv_timer_cb, uint64_t, uint64_t);
    *(void **)&start = dlsym(RTLD_NEXT, "uv_timer_start");
    return start(timer, cb, timeout, repeat);
}

static bool hurry; /* for tests in which the limit is reached */

int uv_timer_start(uv_timer_t *timer, uv_timer_cb cb, uint64_t timeout, uint64_t repeat)
{
    last_limit = timeout;
    return true_timer_start(timer, cb, hurry ? timeout / TIMES_FASTER : timeout, repeat);
}

/* ---- the daemon ---- */

struct daemon {
    char dir[32], path[64];
    uv_pipe_t listener;
    uv_loop_t loop;
    struct slice says;
    bool by_byte, stays, says_first;
    struct buf heard; /* all requests */
    size_t n_conns;
    size_t n_cut; /* connections that the other side ended */
};

struct served {
    struct daemon *d;
    uv_pipe_t pipe;
    uv_shutdown_t shutdown;
    bool answered;
    char bytes[256];
};

static void on_free(uv_handle_t *handle)
{
    free(handle->data);
}

static void end_served(struct served *s)
{
    if (!uv_is_closing((uv_handle_t *)&s->pipe))
        uv_close((uv_handle_t *)&s->pipe, on_free);
}

/* So that what was said arrives before the end. */
static void on_shut(uv_shutdown_t *req, int status)
{
    (void)status;
    end_served(req->data);
}

static void say(struct served *s, const uint8_t *bytes, size_t len)
{
    uv_buf_t buf = uv_buf_init((char *)(uintptr_t)bytes, (unsigned)len);
    while (buf.len) {
        int n = uv_try_write((uv_stream_t *)&s->pipe, &buf, 1);
        if (n == UV_EPIPE || n == UV_ECONNRESET)
            return;
        if (n == UV_EAGAIN) { /* let the other side read */
            (void)uv_run(&s->d->loop, UV_RUN_NOWAIT);
            continue;
        }
        CHECK(n > 0);
        buf = uv_buf_init(buf.base + n, (unsigned)(buf.len - (size_t)n));
    }
}

static void answer(struct served *s)
{
    struct daemon *d = s->d;
    s->answered = true;
    for (size_t i = 0; d->by_byte && i < d->says.len; i++)
        say(s, d->says.ptr + i, 1);
    if (!d->by_byte)
        say(s, d->says.ptr, d->says.len);
    s->shutdown.data = s;
    if (!d->stays && uv_shutdown(&s->shutdown, (uv_stream_t *)&s->pipe, on_shut))
        end_served(s);
}

static void on_served_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct served *s = handle->data;
    (void)suggested;
    *out = uv_buf_init(s->bytes, sizeof s->bytes);
}

static void on_served_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *bytes)
{
    struct served *s = stream->data;
    if (n < 0) {
        s->d->n_cut++;
        end_served(s);
        return;
    }
    buf_append(&s->d->heard, bytes->base, (size_t)n);
    struct buf *h = &s->d->heard;
    if (!s->answered && h->len >= 4 && memcmp(h->ptr + h->len - 4, "\r\n\r\n", 4) == 0)
        answer(s);
}

static void on_daemon_conn(uv_stream_t *listener, int status)
{
    struct daemon *d = listener->data;
    CHECK_EQ(status, 0);
    struct served *s = calloc(1, sizeof *s);
    CHECK(s);
    s->d = d;
    s->pipe.data = s;
    d->n_conns++;
    CHECK_EQ(uv_pipe_init(&d->loop, &s->pipe, 0), 0);
    s->pipe.data = s;
    CHECK_EQ(uv_accept(listener, (uv_stream_t *)&s->pipe), 0);
    if (d->says_first)
        answer(s);
    if (!uv_is_closing((uv_handle_t *)&s->pipe))
        CHECK_EQ(uv_read_start((uv_stream_t *)&s->pipe, on_served_alloc, on_served_read), 0);
}

static void daemon_open(struct daemon *d, const char *says)
{
    *d = (struct daemon){.says = says ? slice_str(says) : slice_of(NULL, 0), .stays = !says};
    (void)snprintf(d->dir, sizeof d->dir, "/tmp/rapport-test-XXXXXX");
    CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR); /* as the programs have it */
    CHECK(mkdtemp(d->dir));
    (void)snprintf(d->path, sizeof d->path, "%s/tailscaled.sock", d->dir);
    CHECK_EQ(uv_loop_init(&d->loop), 0);
    CHECK_EQ(uv_pipe_init(&d->loop, &d->listener, 0), 0);
    d->listener.data = d;
    CHECK_EQ(uv_pipe_bind(&d->listener, d->path), 0);
    CHECK_EQ(uv_listen((uv_stream_t *)&d->listener, 8, on_daemon_conn), 0);
    hurry = false;
}

static void end_handle(uv_handle_t *handle, void *user)
{
    struct daemon *d = user;
    if (uv_is_closing(handle))
        return;
    bool is_served = handle->type == UV_NAMED_PIPE && handle != (uv_handle_t *)&d->listener;
    if (is_served)
        end_served(handle->data);
    else
        uv_close(handle, NULL);
}

/* Everything is let go of: what the requests left would keep the loop from closing. */
static void daemon_close(struct daemon *d)
{
    uv_walk(&d->loop, end_handle, d);
    CHECK_EQ(uv_run(&d->loop, UV_RUN_DEFAULT), 0);
    CHECK_EQ(uv_loop_close(&d->loop), 0);
    (void)unlink(d->path);
    CHECK_EQ(rmdir(d->dir), 0);
    buf_clear(&d->heard);
}

/* ---- who asks ---- */

struct asker {
    struct localapi_request *request;
    size_t n_done, n_pieces;
    int error;
    struct localapi_head head;
    bool has_head, cancels;
    size_t cancel_at; /* with so many pieces */
    struct buf body;
    uv_pipe_t *stream;
};

static void on_done(void *user, int error, const struct localapi_head *head, struct slice body)
{
    struct asker *a = user;
    a->n_done++;
    a->error = error;
    a->has_head = head != NULL;
    if (head)
        a->head = *head;
    buf_append_slice(&a->body, body);
    if (a->cancels)
        localapi_cancel(a->request);
}

static void on_piece(void *user, int error, const struct localapi_head *head, struct slice body)
{
    struct asker *a = user;
    if (error) {
        on_done(a, error, head, body);
        return;
    }
    CHECK(head && body.len == 0 ? !a->has_head : a->has_head);
    a->has_head = true;
    a->head = *head;
    a->n_pieces++;
    buf_append_slice(&a->body, body);
    if (a->cancels && a->n_pieces == a->cancel_at) {
        localapi_cancel(a->request);
        a->n_done++;
    }
}

static void on_dialled(void *user, int error, const struct localapi_head *head, uv_pipe_t *stream,
                       struct slice glued)
{
    struct asker *a = user;
    a->stream = stream;
    on_done(a, error, head, glued);
}

static void on_guard(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

static void run_until(uv_loop_t *loop, const size_t *counter, size_t least)
{
    bool late = false;
    uv_timer_t guard;
    CHECK_EQ(uv_timer_init(loop, &guard), 0);
    guard.data = &late;
    CHECK_EQ(true_timer_start(&guard, on_guard, MOST_WAIT_MS, 0), 0);
    while (*counter < least && !late)
        (void)uv_run(loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&guard, NULL);
    (void)uv_run(loop, UV_RUN_NOWAIT);
    CHECK(!late);
}

/* One GET from beginning to end. */
static void get(struct daemon *d, struct asker *a, size_t most)
{
    a->request = localapi_get(&d->loop, d->path, "/localapi/v0/status", most, on_done, a);
    CHECK(a->request);
    CHECK_EQ(a->n_done, 0);
    run_until(&d->loop, &a->n_done, 1);
}

static void get_is(const char *says, bool by_byte, int error, unsigned status, const char *body)
{
    struct daemon d;
    struct asker a = {0};
    daemon_open(&d, says);
    d.by_byte = by_byte;
    get(&d, &a, 1000);
    CHECK_EQ(a.error, error);
    CHECK_EQ(a.has_head ? a.head.status : 0, status);
    CHECK_SLICE(buf_slice(&a.body), slice_str(body));
    CHECK_EQ(a.n_done, 1);
    buf_clear(&a.body);
    daemon_close(&d);
}

/* ---- GET ---- */

TEST(get, "a GET is HTTP/1.0 with tailscaled's Host, and gives head and body, also byte by byte")
{
    static const char says[] = "HTTP/1.0 200 OK\r\nTailscale-Cap: 138\r\n\r\n{\"a\":1}";
    struct daemon d;
    struct asker a = {0};
    daemon_open(&d, says);
    get(&d, &a, 1000);
    CHECK_SLICE(
        buf_slice(&d.heard),
        slice_str("GET /localapi/v0/status HTTP/1.0\r\nHost: local-tailscaled.sock\r\n\r\n"));
    CHECK_EQ(a.error, 0);
    CHECK_EQ(a.head.cap, 138);
    CHECK_SLICE(buf_slice(&a.body), slice_str("{\"a\":1}"));
    CHECK_EQ(last_limit, LOCALAPI_REQUEST_MS);
    buf_clear(&a.body);
    daemon_close(&d);
    get_is(says, true, 0, 200, "{\"a\":1}");
}

TEST(get_framing, "a body ends with its length or with the connection; one that is cut is no body")
{
    get_is("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", false, 0, 200, "hi");
    get_is("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi and more", false, 0, 200, "hi");
    get_is("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", true, 0, 200, "");
    get_is("HTTP/1.0 200 OK\r\n\r\n", false, 0, 200, "");
    get_is("HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\nhi", false, RAPPORT_CLOSED, 200, "");
    get_is("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", false,
           RAPPORT_MALFORMED, 200, "");
    get_is("HTTP/1.0 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi", false,
           RAPPORT_MALFORMED, 0, "");
}

TEST(get_length_ends, "with its length here, an answer does not wait for the connection's end")
{
    struct daemon d;
    struct asker a = {0};
    daemon_open(&d, "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno");
    d.stays = true;
    get(&d, &a, 10);
    CHECK_EQ(a.error, 0);
    CHECK_EQ(a.head.status, 404);
    CHECK_EQ(a.body.len, 2);
    buf_clear(&a.body);
    daemon_close(&d);
}

TEST(get_statuses, "whatever the status, head and body are given")
{
    static const unsigned statuses[] = {400, 401, 403, 404, 500, 502};
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        char says[64];
        (void)snprintf(says, sizeof says, "HTTP/1.0 %u Something\r\n\r\nwhy", statuses[i]);
        get_is(says, false, 0, statuses[i], "why");
    }
}

TEST(get_garbage, "what is no HTTP, half a head, and nothing at all are told apart")
{
    get_is("\x16\x03\x01\x02", false, RAPPORT_MALFORMED, 0, "");
    get_is("HTTP/1.0 200 OK\r\nTailscale-Cap: 1", false, RAPPORT_CLOSED, 0, "");
    get_is("", false, RAPPORT_CLOSED, 0, "");
    get_is("HTTP/1.0 200 OK\r\nno colon\r\n\r\n", false, RAPPORT_MALFORMED, 0, "");
    get_is("HTTP/1.0 200 OK\r\n folded: x\r\n\r\n", false, RAPPORT_MALFORMED, 0, "");
}

/* A body of `len` bytes behind a head without a length, against a limit of `most`. */
static int get_of_length(size_t len, size_t most)
{
    struct buf says = BUF_INIT;
    struct daemon d;
    struct asker a = {0};
    buf_append_str(&says, "HTTP/1.0 200 OK\r\n\r\n");
    uint8_t *body = buf_reserve(&says, len);
    CHECK(body);
    memset(body, 'x', len);
    says.len += len;
    daemon_open(&d, "");
    d.says = buf_slice(&says);
    get(&d, &a, most);
    CHECK_EQ(a.body.len, a.error ? 0 : len);
    int error = a.error;
    buf_clear(&a.body);
    buf_clear(&says);
    daemon_close(&d);
    return error;
}

TEST(get_limits, "a body at its limit is taken, one byte more is not; heads have a limit too")
{
    CHECK_EQ(get_of_length(1000, 1000), 0);
    CHECK_EQ(get_of_length(1001, 1000), RAPPORT_LIMIT);
    CHECK_EQ(get_of_length(5 << 20, LOCALAPI_MOST_STATUS), 0);
    CHECK_EQ(get_of_length(5 << 20, LOCALAPI_MOST_WHOIS), RAPPORT_LIMIT);
    get_is("HTTP/1.0 200 OK\r\nContent-Length: 1001\r\n\r\n", false, RAPPORT_LIMIT, 200, "");
    struct buf head = BUF_INIT;
    buf_append_str(&head, "HTTP/1.0 200 OK\r\nX: ");
    for (size_t i = 0; i < LOCALAPI_MOST_HEAD; i++)
        buf_u8(&head, 'x');
    get_is(buf_cstr(&head), false, RAPPORT_LIMIT, 0, "");
    buf_clear(&head);
}

TEST(get_hangs, "a daemon that never answers, or not to the end, ends by the limit")
{
    static const char *const says[] = {NULL, "HTTP/1.0 200", "HTTP/1.0 200 OK\r\n\r\n{\"a\":"};
    for (size_t i = 0; i < sizeof says / sizeof says[0]; i++) {
        struct daemon d;
        struct asker a = {0};
        daemon_open(&d, says[i]);
        d.stays = true;
        hurry = true;
        get(&d, &a, 1000);
        CHECK_EQ(a.error, RAPPORT_TIMEOUT);
        CHECK_EQ(a.body.len, 0);
        CHECK_EQ(last_limit, LOCALAPI_REQUEST_MS);
        daemon_close(&d);
    }
}

/* ---- nobody there ---- */

static int get_at(const char *path)
{
    struct daemon d;
    struct asker a = {0};
    daemon_open(&d, NULL);
    a.request = localapi_get(&d.loop, path, "/", 10, on_done, &a);
    CHECK(a.request);
    CHECK_EQ(a.n_done, 0);
    run_until(&d.loop, &a.n_done, 1);
    CHECK(!a.has_head);
    daemon_close(&d);
    return a.error;
}

TEST(nobody, "no socket, a file, a stale socket and a path that is too long: nobody is there")
{
    char dir[] = "/tmp/rapport-test-XXXXXX", path[64], too_long[300];
    CHECK(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/x", dir);
    CHECK_EQ(get_at(path), RAPPORT_NOTFOUND);
    FILE *f = fopen(path, "w");
    CHECK(f && fclose(f) == 0);
    CHECK_EQ(get_at(path), RAPPORT_NOTFOUND);
    CHECK_EQ(unlink(path), 0);

    uv_loop_t loop;
    uv_pipe_t left;
    CHECK_EQ(uv_loop_init(&loop), 0);
    CHECK_EQ(uv_pipe_init(&loop, &left, 0), 0);
    CHECK_EQ(uv_pipe_bind(&left, path), 0); /* bound, but nobody listens: as after a crash */
    CHECK_EQ(get_at(path), RAPPORT_NOTFOUND);
    uv_close((uv_handle_t *)&left, NULL);
    CHECK_EQ(uv_run(&loop, UV_RUN_DEFAULT), 0);
    CHECK_EQ(uv_loop_close(&loop), 0);

    memset(too_long, 'x', sizeof too_long - 1);
    too_long[0] = '/';
    too_long[sizeof too_long - 1] = 0;
    CHECK_EQ(get_at(too_long), RAPPORT_NOTFOUND);
    (void)unlink(path);
    CHECK_EQ(rmdir(dir), 0);
}

TEST(locked, "a socket that we may not use is told apart from none")
{
    struct daemon d;
    struct asker a = {0};
    daemon_open(&d, "");
    CHECK_EQ(chmod(d.path, 0600), 0);
    if (geteuid() == 0) {
        CHECK_EQ(chmod(d.dir, 0755), 0);
        CHECK_EQ(seteuid(65534), 0);
    } else {
        CHECK_EQ(chmod(d.path, 0), 0);
    }
    get(&d, &a, 10);
    if (getuid() == 0)
        CHECK_EQ(seteuid(0), 0);
    CHECK_EQ(a.error, RAPPORT_PERMISSION);
    daemon_close(&d);
}

/* ---- cancelling ---- */

TEST(cancel, "cancelled at any moment, nothing is told any more and nothing is left")
{
    static const char says[] = "HTTP/1.0 200 OK\r\n\r\nbody";
    for (int turns = 0; turns < 8; turns++) {
        struct daemon d;
        struct asker a = {0};
        daemon_open(&d, says);
        d.stays = true;
        a.request = localapi_get(&d.loop, d.path, "/", 10, on_done, &a);
        for (int i = 0; i < turns; i++)
            (void)uv_run(&d.loop, UV_RUN_NOWAIT);
        localapi_cancel(a.request);
        daemon_close(&d);
        CHECK_EQ(a.n_done, 0);
    }
    localapi_cancel(NULL);
}

TEST(cancel_inside, "cancelling from within the callback is harmless")
{
    struct daemon d;
    struct asker a = {.cancels = true};
    daemon_open(&d, "HTTP/1.0 200 OK\r\n\r\nbody");
    get(&d, &a, 10);
    CHECK_EQ(a.n_done, 1);
    buf_clear(&a.body);
    daemon_close(&d);
}

/* ---- the bus ---- */

static void watch(struct daemon *d, struct asker *a)
{
    a->request =
        localapi_watch(&d->loop, d->path, "/localapi/v0/watch-ipn-bus?mask=274", on_piece, a);
    CHECK(a->request);
}

TEST(bus, "the bus gives its head, then what comes; then silence is no timeout; its end is told")
{
    struct daemon d;
    struct asker a = {0};
    daemon_open(&d, "HTTP/1.0 200 OK\r\nTailscale-Cap: 113\r\n\r\n{\"State\":6}\n");
    d.stays = hurry = true;
    watch(&d, &a);
    run_until(&d.loop, &a.body.len, 12);
    CHECK_EQ(a.head.cap, 113);
    CHECK_EQ(a.n_pieces, 2);
    bool over = false;
    uv_timer_t later;
    CHECK_EQ(uv_timer_init(&d.loop, &later), 0);
    later.data = &over;
    CHECK_EQ(true_timer_start(&later, on_guard, 2 * LOCALAPI_REQUEST_MS / TIMES_FASTER, 0), 0);
    while (!over)
        (void)uv_run(&d.loop, UV_RUN_ONCE);
    CHECK_EQ(a.n_done, 0);
    localapi_cancel(a.request);
    buf_clear(&a.body);
    daemon_close(&d);
}

TEST(bus_ends, "a bus that ends, that is refused, that does not answer")
{
    static const struct {
        const char *says;
        int error;
        unsigned status;
    } rows[] = {
        {"HTTP/1.0 200 OK\r\n\r\n{}\n", RAPPORT_CLOSED, 200},
        {"HTTP/1.0 400 Bad Request\r\n\r\nbad mask", RAPPORT_REFUSED, 400},
        {"HTTP/1.0 404 Not Found\r\n\r\n", RAPPORT_REFUSED, 404},
        {"", RAPPORT_CLOSED, 0},
        {NULL, RAPPORT_TIMEOUT, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct daemon d;
        struct asker a = {0};
        daemon_open(&d, rows[i].says);
        hurry = !rows[i].says;
        watch(&d, &a);
        run_until(&d.loop, &a.n_done, 1);
        CHECK_EQ(a.error, rows[i].error);
        CHECK_EQ(a.head.status, rows[i].status);
        buf_clear(&a.body);
        daemon_close(&d);
    }
}

TEST(bus_cancel, "cancelled at the head or at a piece, the bus says nothing more")
{
    for (size_t at = 1; at <= 2; at++) {
        struct daemon d;
        struct asker a = {.cancels = true, .cancel_at = at};
        daemon_open(&d, "HTTP/1.0 200 OK\r\n\r\n{}\n{}\n{}\n");
        watch(&d, &a);
        run_until(&d.loop, &a.n_done, 1);
        buf_clear(&a.body);
        daemon_close(&d);
        CHECK_EQ(a.n_pieces, at);
        CHECK_EQ(a.n_done, 1);
    }
}

/* ---- dialling ---- */

static const struct rapport_address TO = {
    .family = 6, .bytes = {0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0, [15] = 2}, .port = 7171};

static void dial(struct daemon *d, struct asker *a)
{
    a->request = localapi_dial(&d->loop, d->path, &TO, on_dialled, a);
    CHECK(a->request);
    run_until(&d->loop, &a->n_done, 1);
}

static void on_stream_closed(uv_handle_t *handle)
{
    free(handle);
}

TEST(dial, "a dial asks to upgrade; the stream is ours with what came glued to the head")
{
    for (int by_byte = 0; by_byte < 2; by_byte++) {
        struct daemon d;
        struct asker a = {0};
        daemon_open(&d, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
                        "Upgrade: ts-dial\r\n\r\nhello");
        d.stays = true;
        d.by_byte = by_byte;
        dial(&d, &a);
        CHECK_SLICE(buf_slice(&d.heard),
                    slice_str("POST /localapi/v0/dial HTTP/1.1\r\nHost: local-tailscaled.sock\r\n"
                              "Connection: upgrade\r\nUpgrade: ts-dial\r\n"
                              "Dial-Host: fd7a:115c:a1e0::2\r\nDial-Port: 7171\r\n"
                              "Dial-Network: tcp\r\nContent-Length: 0\r\n\r\n"));
        CHECK_EQ(a.error, 0);
        CHECK_EQ(a.head.status, 101);
        CHECK(a.stream && !uv_is_active((uv_handle_t *)a.stream));
        if (!by_byte)
            CHECK_SLICE(buf_slice(&a.body), slice_str("hello"));
        CHECK_EQ(last_limit, LOCALAPI_DIAL_MS);
        CHECK_EQ(d.n_cut, 0); /* the request is gone and the stream still open */
        uv_close((uv_handle_t *)a.stream, on_stream_closed);
        run_until(&d.loop, &d.n_cut, 1);
        buf_clear(&a.body);
        daemon_close(&d);
    }
}

TEST(dial_answers, "what else a dial may be answered")
{
    static const struct {
        const char *says;
        int error;
        unsigned status;
    } rows[] = {
        {"HTTP/1.1 200 OK\r\nDial-Addr: 100.64.0.2:7171\r\nDial-Self: true\r\n\r\n", 0, 200},
        {"HTTP/1.1 200 OK\r\nDial-Self: true\r\n\r\n", RAPPORT_MALFORMED, 200},
        {"HTTP/1.1 200 OK\r\nDial-Addr: 100.64.0.2:7171\r\n\r\n", RAPPORT_MALFORMED, 200},
        {"HTTP/1.1 502 Bad Gateway\r\n\r\nrefused", RAPPORT_UNREACHABLE, 502},
        {"HTTP/1.1 404 Not Found\r\n\r\n", RAPPORT_REFUSED, 404},
        {"HTTP/1.1 403 Forbidden\r\n\r\n", RAPPORT_REFUSED, 403},
        {"HTTP/1.1 100 Continue\r\n\r\n", RAPPORT_REFUSED, 100},
        {"HTTP/1.1 101", RAPPORT_CLOSED, 0},
        {NULL, RAPPORT_TIMEOUT, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct daemon d;
        struct asker a = {0};
        daemon_open(&d, rows[i].says);
        hurry = !rows[i].says;
        dial(&d, &a);
        CHECK_EQ(a.error, rows[i].error);
        CHECK_EQ(a.has_head ? a.head.status : 0, rows[i].status);
        CHECK(!a.stream);
        CHECK_STR(a.head.dial_addr,
                  strstr(rows[i].says ? rows[i].says : "", "Addr") ? "100.64.0.2:7171" : "");
        buf_clear(&a.body);
        daemon_close(&d);
    }
}

TEST(dial_ends, "a connection that ends right behind its 101 is given all the same, with its end")
{
    struct daemon d;
    struct asker a = {0};
    daemon_open(&d, "HTTP/1.1 101 Switching Protocols\r\n\r\n");
    dial(&d, &a);
    CHECK_EQ(a.error, 0);
    CHECK(a.stream);
    uv_close((uv_handle_t *)a.stream, on_stream_closed);
    daemon_close(&d);
}

TEST(dial_cancel, "a dial that is cancelled gives no stream")
{
    for (int turns = 0; turns < 6; turns++) {
        struct daemon d;
        struct asker a = {0};
        daemon_open(&d, "HTTP/1.1 200 OK\r\n\r\n");
        d.stays = true;
        d.says = slice_str("HTTP/1.1 101 Sw");
        a.request = localapi_dial(&d.loop, d.path, &TO, on_dialled, &a);
        for (int i = 0; i < turns; i++)
            (void)uv_run(&d.loop, UV_RUN_NOWAIT);
        localapi_cancel(a.request);
        daemon_close(&d);
        CHECK_EQ(a.n_done, 0);
    }
}

/* ---- memory, places ---- */

TEST(no_memory, "without memory a request is not made, or ends with that error")
{
    for (long n = 0;; n++) {
        struct daemon d;
        struct asker a = {0};
        daemon_open(&d, "HTTP/1.0 200 OK\r\n\r\nbody");
        test_fail_allocation(n);
        a.request = localapi_get(&d.loop, d.path, "/", 10, on_done, &a);
        bool failed = test_allocation_failed();
        test_fail_allocation(-1);
        if (a.request)
            run_until(&d.loop, &a.n_done, 1);
        CHECK(failed ? !a.request || a.error : a.error == 0);
        buf_clear(&a.body);
        daemon_close(&d);
        if (!failed)
            break;
    }
}

TEST(path, "the setting comes first, then TS_SOCKET, then where the packages put it")
{
    struct buf path = BUF_INIT;
    CHECK_EQ(setenv("TS_SOCKET", "/b.sock", 1), 0);
    CHECK_EQ(localapi_path("/a.sock", &path), 0);
    CHECK_STR(buf_cstr(&path), "/a.sock");
    buf_reset(&path);
    CHECK_EQ(localapi_path("", &path), 0);
    CHECK_STR(buf_cstr(&path), "/b.sock");
    buf_reset(&path);
    CHECK_EQ(unsetenv("TS_SOCKET"), 0);
    CHECK_EQ(localapi_path(NULL, &path), 0);
    CHECK(path.len > 0 && path.ptr[0] == '/');
    buf_clear(&path);
}
