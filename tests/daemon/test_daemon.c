/* The daemon as processes: control socket, handing over, syncing folders, ending. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mp.h"
#include "daemon/client.h"
#include "daemon/client_run.h"
#include "daemon/control.h"
#include "daemon/pack.h"
#include "test.h"

enum {
    MOST_WAIT_MS = 30000, /* bound of every wait for an event */
    LOOK_MS = 5
};

/* A person with a state folder and one report. */
struct person {
    char home[64], dir[64];
    const char *name;
    pid_t daemon;
};

static char root[] = "/tmp/rapport-daemon-XXXXXX";

static void make_root(void)
{
    memcpy(root, "/tmp/rapport-daemon-XXXXXX", sizeof root);
    CHECK(mkdtemp(root) != NULL);
    CHECK(!setenv("RAPPORT_LAN", "off", 1) && !setenv("RAPPORT_TAILNET", "off", 1));
}

static void remove_tree(const char *path)
{
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        char inner[512];
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        (void)snprintf(inner, sizeof inner, "%s/%s", path, e->d_name);
        if (unlink(inner))
            remove_tree(inner);
    }
    if (d)
        closedir(d);
    (void)rmdir(path);
}

static uint64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void look_again(uint64_t since)
{
    CHECK(now_ms() - since < MOST_WAIT_MS);
    (void)poll(NULL, 0, LOOK_MS);
}

/* ---- people ---- */

static void place(struct person *p, const char *name)
{
    *p = (struct person){.name = name};
    (void)snprintf(p->home, sizeof p->home, "%s/%s-home", root, name);
    (void)snprintf(p->dir, sizeof p->dir, "%s/%s", root, name);
}

static void init_report(struct person *p, const char *name)
{
    place(p, name);
    struct host_config config = {.dir = p->dir,
                                 .home = p->home,
                                 .start = RAPPORT_START_INIT,
                                 .title = "FOSDEM",
                                 .name = name};
    struct host *h;
    struct buf why = BUF_INIT;
    if (host_open(&config, &h, &why))
        test_fail(__FILE__, __LINE__, "%s", buf_cstr(&why));
    CHECK_EQ(host_close(h), 0);
    buf_clear(&why);
}

static pid_t run_daemon(const struct person *p, const char *dir, const char *peer)
{
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* none is left behind by a test that failed */
        const char *dirs[] = {dir}, *peers[] = {peer}, *listen[] = {"127.0.0.1:0"};
        struct daemon_config config = {.home = p->home,
                                       .dirs = dirs,
                                       .n_dirs = 1,
                                       .listen = listen,
                                       .n_listen = 1,
                                       .peers = peers,
                                       .n_peers = peer != NULL,
                                       .quiet = !getenv("RAPPORT_TEST_TALK"),
                                       .version = "test"};
        _exit(daemon_run(&config));
    }
    return child;
}

static struct client *connect_home(const struct person *p)
{
    struct client *c = NULL;
    for (uint64_t since = now_ms(); client_connect_home(p->home, &c, NULL);)
        look_again(since);
    return c;
}

static void up(struct person *p, const char *peer)
{
    p->daemon = run_daemon(p, p->dir, peer);
    struct client *c = connect_home(p);
    CHECK_EQ(client_daemon_pid(c), p->daemon);
    client_close(c);
}

/* The exit code, or 256 + the signal. */
static int end_of(pid_t child)
{
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

static int stop(struct person *p, int signal)
{
    CHECK_EQ(kill(p->daemon, signal), 0);
    return end_of(p->daemon);
}

/* ---- asking ---- */

struct answer {
    struct buf bytes;
    struct pack_request map;
};

static void ask_client(struct client *c, const char *dir, struct buf *request, struct answer *a)
{
    *a = (struct answer){.bytes = BUF_INIT};
    CHECK_EQ(client_call(c, dir, buf_slice(request), MOST_WAIT_MS, &a->bytes), 0);
    CHECK_EQ(pack_open_reply(&a->map, buf_slice(&a->bytes)), 0);
    buf_clear(request);
}

/* One op with up to two arguments; a value of NULL ends them. */
static void ask(const struct person *p, const char *dir, const char *op, const char *key,
                const char *value, struct answer *a)
{
    struct buf request = BUF_INIT;
    struct client *c = connect_home(p);
    mp_put_array(&request, 2);
    mp_put_cstr(&request, op);
    mp_put_map(&request, key != NULL);
    if (key)
        pack_put_str(&request, key, value);
    ask_client(c, dir, &request, a);
    client_close(c);
}

static void forget(struct answer *a)
{
    pack_close(&a->map);
    buf_clear(&a->bytes);
}

static void check_text(const struct answer *a, const char *key, const char *expected)
{
    char *text = NULL;
    CHECK(pack_text(&a->map, key, &text));
    CHECK_STR(text, expected);
    free(text);
}

static size_t count_reports(const struct person *p)
{
    struct answer a;
    ask(p, NULL, "daemon.ping", NULL, NULL, &a);
    struct slice reports = pack_value(buf_slice(&a.bytes), "reports");
    CHECK(reports.len > 0);
    size_t n = reports.ptr[0] & 0x0f;
    forget(&a);
    return n;
}

/* Address of the first socket of the daemon's first report. */
static void listening(const struct person *p, char *out, size_t size)
{
    struct answer a;
    ask(p, NULL, "daemon.open", "dir", p->dir, &a);
    CHECK(pack_bool(&a.map, "already"));
    char *texts[PACK_MOST_STRINGS];
    size_t n;
    CHECK(pack_texts(&a.map, "listen", texts, &n) && n == 1);
    (void)snprintf(out, size, "%s", texts[0]);
    pack_free_texts(texts, n);
    forget(&a);
}

/* ---- files ---- */

static void write_file(const char *dir, const char *name, const char *text)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/notes", dir);
    CHECK(!mkdir(path, 0755) || errno == EEXIST);
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    CHECK(fd >= 0);
    CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static bool file_has(const char *dir, const char *name, const char *text)
{
    char path[256], got[4096];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_RDONLY);
    ssize_t n = fd < 0 ? 0 : read(fd, got, sizeof got - 1);
    if (fd >= 0)
        close(fd);
    got[n > 0 ? n : 0] = '\0';
    return strstr(got, text) != NULL;
}

static void wait_for_file(const char *dir, const char *name, const char *text)
{
    uint64_t since = now_ms();
    while (!file_has(dir, name, text)) {
        if (now_ms() - since >= MOST_WAIT_MS)
            test_fail(__FILE__, __LINE__, "%s/%s never got: %s", dir, name, text);
        look_again(since);
    }
}

/* ---- verbs and life ---- */

TEST(daemon_verbs, "verbs go through the socket, the lock names it, and SIGTERM ends it cleanly")
{
    struct person ada;
    struct answer a;
    make_root();
    init_report(&ada, "ada");
    up(&ada, NULL);
    ask(&ada, ada.dir, "jot", "text", "salut", &a);
    CHECK(pack_bool(&a.map, "ok"));
    forget(&a);
    ask(&ada, ada.dir, "status", NULL, NULL, &a);
    CHECK(pack_bool(&a.map, "daemon"));
    check_text(&a, "title", "FOSDEM");
    forget(&a);

    struct client *c = NULL;
    CHECK_EQ(client_connect(ada.dir, &c, NULL), 0); /* by the lock file alone */
    CHECK_EQ(client_daemon_pid(c), ada.daemon);
    client_close(c);

    struct buf socket = BUF_INIT;
    struct stat st;
    CHECK_EQ(client_socket_path(ada.home, &socket), 0);
    CHECK_EQ(stat(buf_cstr(&socket), &st), 0);
    CHECK_EQ(st.st_mode & 0777, 0600);
    CHECK_EQ(stop(&ada, SIGTERM), 0);
    CHECK(stat(buf_cstr(&socket), &st) != 0);
    CHECK_EQ(client_connect(ada.dir, &c, NULL), RAPPORT_NOTFOUND);
    CHECK_EQ(client_connect_home(ada.home, &c, NULL), RAPPORT_NOTFOUND);
    buf_clear(&socket);
    remove_tree(root);
}

TEST(daemon_refusals, "unknown ops, folders and requests that are none get an answer that says so")
{
    struct person ada;
    struct answer a;
    make_root();
    init_report(&ada, "ada");
    up(&ada, NULL);
    ask(&ada, NULL, "daemon.dance", NULL, NULL, &a);
    CHECK(!pack_bool(&a.map, "ok"));
    forget(&a);
    ask(&ada, "/nowhere", "ls", NULL, NULL, &a);
    CHECK(!pack_bool(&a.map, "ok"));
    forget(&a);
    ask(&ada, NULL, "daemon.open", "dir", "/nowhere", &a);
    CHECK(!pack_bool(&a.map, "ok"));
    forget(&a);
    ask(&ada, NULL, "daemon.open", "dir", "relative", &a);
    CHECK(!pack_bool(&a.map, "ok"));
    forget(&a);
    struct client *c = connect_home(&ada);
    struct buf none = BUF_INIT;
    buf_append_str(&none, "daemon.");
    ask_client(c, ada.dir, &none, &a);
    CHECK(!pack_bool(&a.map, "ok"));
    forget(&a);
    client_close(c);
    CHECK_EQ(stop(&ada, SIGINT), 0);
    remove_tree(root);
}

TEST(daemon_handover,
     "a second up hands its folder over; close gives them back; the last one ends it")
{
    struct person ada, eve;
    struct answer a;
    make_root();
    init_report(&ada, "ada");
    init_report(&eve, "eve");
    memcpy(eve.home, ada.home, sizeof eve.home); /* another report of the same person */
    up(&ada, NULL);
    CHECK_EQ(end_of(run_daemon(&ada, eve.dir, NULL)), 0);
    CHECK_EQ(count_reports(&ada), 2);
    CHECK_EQ(end_of(run_daemon(&ada, eve.dir, NULL)), 0); /* is served already: no failure */
    CHECK_EQ(count_reports(&ada), 2);
    CHECK_EQ(end_of(run_daemon(&ada, root, NULL)), 4); /* no report there */

    ask(&ada, NULL, "daemon.close", "dir", ada.dir, &a);
    CHECK(pack_bool(&a.map, "ok") && !pack_bool(&a.map, "stopping"));
    forget(&a);
    struct client *c = NULL;
    CHECK_EQ(client_connect(ada.dir, &c, NULL), RAPPORT_NOTFOUND);
    CHECK_EQ(count_reports(&ada), 1);
    ask(&ada, NULL, "daemon.close", "dir", eve.dir, &a);
    CHECK(pack_bool(&a.map, "ok") && pack_bool(&a.map, "stopping"));
    forget(&a);
    CHECK_EQ(end_of(ada.daemon), 0);
    remove_tree(root);
}

TEST(daemon_race, "of two that start at once one serves and takes the other's folder")
{
    struct person ada, eve;
    struct answer a;
    make_root();
    init_report(&ada, "ada");
    init_report(&eve, "eve");
    memcpy(eve.home, ada.home, sizeof eve.home);
    pid_t one = run_daemon(&ada, ada.dir, NULL), two = run_daemon(&ada, eve.dir, NULL);
    int status;
    pid_t ended = waitpid(-1, &status, 0); /* whoever handed over */
    CHECK(ended == one || ended == two);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK_EQ(count_reports(&ada), 2);
    ask(&ada, NULL, "daemon.stop", NULL, NULL, &a);
    forget(&a);
    CHECK_EQ(end_of(ended == one ? two : one), 0);
    remove_tree(root);
}

TEST(daemon_stop,
     "daemon.stop answers when the folders are closed, and the connection ends with it")
{
    struct person ada;
    struct answer a;
    struct buf request = BUF_INIT;
    make_root();
    init_report(&ada, "ada");
    up(&ada, NULL);
    struct client *c = connect_home(&ada);
    mp_put_array(&request, 1);
    mp_put_cstr(&request, "daemon.stop");
    ask_client(c, NULL, &request, &a);
    CHECK(pack_bool(&a.map, "ok"));
    forget(&a);
    CHECK_EQ(client_wait_end(c, MOST_WAIT_MS), 0);
    client_close(c);
    CHECK_EQ(end_of(ada.daemon), 0);
    remove_tree(root);
}

TEST(daemon_killed, "after kill -9 the next up replaces the stale socket and has everything")
{
    struct person ada;
    struct answer a;
    make_root();
    init_report(&ada, "ada");
    up(&ada, NULL);
    ask(&ada, ada.dir, "jot", "text", "before the crash", &a);
    CHECK(pack_bool(&a.map, "ok"));
    forget(&a);
    CHECK_EQ(stop(&ada, SIGKILL), 256 + SIGKILL);
    up(&ada, NULL);
    ask(&ada, ada.dir, "show", "note", "jots-ada", &a);
    char *text = NULL;
    CHECK(pack_text(&a.map, "text", &text));
    CHECK(strstr(text, "before the crash") != NULL);
    free(text);
    forget(&a);
    CHECK_EQ(stop(&ada, SIGTERM), 0);
    remove_tree(root);
}

TEST(daemon_usage, "an address that is none is a usage error, a folder without a report exit 4")
{
    struct person ada;
    make_root();
    place(&ada, "ada");
    CHECK_EQ(end_of(run_daemon(&ada, root, "no such host")), 2);
    CHECK_EQ(end_of(run_daemon(&ada, root, NULL)), 4);
    CHECK_EQ(end_of(run_daemon(&ada, "/nowhere", NULL)), 4);
    remove_tree(root);
}

TEST(daemon_detach, "with detach the parent ends when everything listens, and names pid and log")
{
    struct person ada;
    int out[2];
    make_root();
    init_report(&ada, "ada");
    CHECK(!pipe(out));
    pid_t child = fork();
    if (child == 0) {
        const char *dirs[] = {ada.dir}, *listen[] = {"127.0.0.1:0"};
        struct daemon_config config = {.home = ada.home,
                                       .dirs = dirs,
                                       .n_dirs = 1,
                                       .listen = listen,
                                       .n_listen = 1,
                                       .detach = true};
        (void)dup2(out[1], STDOUT_FILENO);
        close(out[0]);
        close(out[1]);
        _exit(daemon_run(&config));
    }
    close(out[1]);
    CHECK_EQ(end_of(child), 0);
    char line[256] = "", log[128];
    CHECK(read(out[0], line, sizeof line - 1) > 0);
    close(out[0]);
    long pid = 0;
    CHECK_EQ(sscanf(line, "pid %ld, log %127s", &pid, log), 2);
    struct client *c = connect_home(&ada); /* at once: it listens */
    CHECK_EQ(client_daemon_pid(c), pid);
    client_close(c);
    CHECK(file_has(ada.home, "log", "listening on 127.0.0.1:"));
    struct answer a;
    ask(&ada, NULL, "daemon.stop", NULL, NULL, &a);
    forget(&a);
    remove_tree(root);
}

/* ---- bad clients ---- */

static int raw_connect(const struct person *p)
{
    struct buf path = BUF_INIT;
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    CHECK_EQ(client_socket_path(p->home, &path), 0);
    memcpy(name.sun_path, path.ptr, path.len);
    buf_clear(&path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    CHECK_EQ(connect(fd, (struct sockaddr *)&name, sizeof name), 0);
    return fd;
}

/* Reads to the end. Returns the number of bytes. */
static size_t read_to_end(int fd)
{
    char bytes[4096];
    size_t n = 0;
    for (;;) {
        struct pollfd p = {fd, POLLIN, 0};
        CHECK_EQ(poll(&p, 1, MOST_WAIT_MS), 1);
        ssize_t got = read(fd, bytes, sizeof bytes);
        if (got <= 0)
            return n;
        n += (size_t)got;
    }
}

TEST(daemon_bad_frames, "a frame of 4 GiB, half a frame and garbage end that client and no other")
{
    struct person ada;
    make_root();
    init_report(&ada, "ada");
    up(&ada, NULL);
    int stalled = raw_connect(&ada), silent = raw_connect(&ada);
    CHECK_EQ(write(stalled, "\0\0\1\0half", 8), 8);

    int huge = raw_connect(&ada);
    CHECK_EQ(write(huge, "\xff\xff\xff\xff", 4), 4);
    CHECK(read_to_end(huge) > 4); /* says why, then closes */
    int garbage = raw_connect(&ada);
    CHECK_EQ(write(garbage, "\0\0\0\5\xdd\x0f\xff\xff\xff", 9), 9);
    CHECK(read_to_end(garbage) > 4);
    int eager = raw_connect(&ada);
    CHECK_EQ(write(eager, "\0\0\0\1\x90\0\0\0\1\x90", 10), 10);
    (void)read_to_end(eager);
    CHECK_EQ(count_reports(&ada), 1);

    CHECK_EQ(read_to_end(stalled), 0); /* after CONTROL_FRAME_MS */
    CHECK_EQ(read_to_end(silent), 0);
    CHECK_EQ(count_reports(&ada), 1);
    int fds[] = {stalled, silent, huge, garbage, eager};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
        close(fds[i]);
    CHECK_EQ(stop(&ada, SIGTERM), 0);
    remove_tree(root);
}

TEST(daemon_many_clients, "200 clients at once are all answered")
{
    struct person ada;
    make_root();
    init_report(&ada, "ada");
    up(&ada, NULL);
    int fds[200];
    struct buf frame = BUF_INIT, request = BUF_INIT, body = BUF_INIT;
    mp_put_array(&request, 1);
    mp_put_cstr(&request, "daemon.ping");
    mp_put_array(&body, 2);
    mp_put_bin(&body, "", 0);
    mp_put_bin(&body, request.ptr, request.len);
    buf_u32be(&frame, (uint32_t)body.len);
    buf_append_slice(&frame, buf_slice(&body));
    for (size_t i = 0; i < 200; i++)
        fds[i] = raw_connect(&ada);
    for (size_t i = 0; i < 200; i++)
        CHECK_EQ(write(fds[i], frame.ptr, frame.len), frame.len);
    for (size_t i = 0; i < 200; i++) {
        struct pollfd p = {fds[i], POLLIN, 0};
        uint8_t reply[8];
        CHECK_EQ(poll(&p, 1, MOST_WAIT_MS), 1);
        CHECK_EQ(read(fds[i], reply, sizeof reply), sizeof reply);
        close(fds[i]);
    }
    CHECK_EQ(stop(&ada, SIGTERM), 0);
    buf_clear(&frame);
    buf_clear(&request);
    buf_clear(&body);
    remove_tree(root);
}

TEST(daemon_other_user, "another user gets no answer, even where the file modes would let him")
{
    struct person ada;
    if (geteuid() != 0)
        SKIP("needs root to be another user");
    make_root();
    init_report(&ada, "ada");
    up(&ada, NULL);
    struct buf path = BUF_INIT;
    char run[96];
    CHECK_EQ(client_socket_path(ada.home, &path), 0);
    (void)snprintf(run, sizeof run, "%s/run", ada.home);
    CHECK(!chmod(root, 0755) && !chmod(ada.home, 0755) && !chmod(run, 0755));
    CHECK(!chmod(buf_cstr(&path), 0666));
    pid_t child = fork();
    if (child == 0) {
        struct client *c;
        (void)signal(SIGPIPE, SIG_IGN);
        if (setuid(65534))
            _exit(9);
        /* Our own client refuses the daemon of another; a raw one is refused by it. */
        int ours = client_connect_home(ada.home, &c, NULL) == 0;
        int fd = raw_connect(&ada);
        (void)!write(fd, "\0\0\0\1\x90", 5);
        _exit(ours ? 1 : read_to_end(fd) ? 2 : 0);
    }
    CHECK_EQ(end_of(child), 0);
    CHECK_EQ(count_reports(&ada), 1);
    CHECK_EQ(stop(&ada, SIGTERM), 0);
    buf_clear(&path);
    remove_tree(root);
}

TEST(daemon_long_path, "a state folder with a long path gets a socket with a short one")
{
    struct person ada;
    make_root();
    init_report(&ada, "ada");
    char home[512];
    struct buf path = BUF_INIT, again = BUF_INIT;
    int n = snprintf(home, sizeof home, "%s/", root);
    memset(home + n, 'h', 120);
    home[n + 120] = '\0';
    CHECK_EQ(client_socket_path(home, &path), 0);
    CHECK_EQ(client_socket_path(home, &again), 0);
    CHECK(path.len < sizeof(((struct sockaddr_un *)NULL)->sun_path));
    CHECK_SLICE(buf_slice(&path), buf_slice(&again));
    buf_clear(&path);
    buf_clear(&again);
    remove_tree(root);
}

/* ---- friends ---- */

static char *get_ticket(const struct person *p)
{
    struct answer a;
    char *ticket = NULL;
    ask(p, p->dir, "invite", NULL, NULL, &a);
    CHECK(pack_text(&a.map, "ticket", &ticket));
    forget(&a);
    return ticket;
}

static void join(struct person *p, const char *name, const char *ticket)
{
    place(p, name);
    const char *listen[] = {"127.0.0.1:0"};
    struct daemon_config config = {.listen = listen, .n_listen = 1};
    struct daemon_once once = {.host = {.dir = p->dir,
                                        .home = p->home,
                                        .start = RAPPORT_START_JOIN,
                                        .ticket = ticket,
                                        .name = name},
                               .goal = DAEMON_GOAL_JOIN,
                               .wait_ms = MOST_WAIT_MS};
    struct answer a = {.bytes = BUF_INIT};
    struct buf why = BUF_INIT;
    if (daemon_sync_once(&config, &once, &a.bytes, &why))
        test_fail(__FILE__, __LINE__, "%s", buf_cstr(&why));
    CHECK_EQ(pack_open_reply(&a.map, buf_slice(&a.bytes)), 0);
    CHECK(pack_bool(&a.map, "ok"));
    CHECK(pack_bool(&a.map, "converged"));
    forget(&a);
    buf_clear(&why);
}

TEST(daemon_friends,
     "a friend joins, and what an editor saves in one folder is in the other's file")
{
    struct person ada, bo;
    char at[80];
    make_root();
    init_report(&ada, "ada");
    up(&ada, NULL);
    struct answer a;
    write_file(ada.dir, "notes/headscale.md", "# Headscale\n");
    ask(&ada, ada.dir, "take", NULL, NULL, &a);
    forget(&a);
    char *ticket = get_ticket(&ada);
    join(&bo, "bo", ticket);
    free(ticket);
    CHECK(file_has(bo.dir, "notes/headscale.md", "# Headscale"));

    listening(&ada, at, sizeof at);
    up(&bo, at);
    uint64_t since = now_ms();
    write_file(ada.dir, "notes/headscale.md", "# Headscale\n\nfrom ada\n");
    wait_for_file(bo.dir, "notes/headscale.md", "from ada");
    uint64_t there = now_ms();
    write_file(bo.dir, "notes/new.md", "# New\n\nby bo\n");
    wait_for_file(ada.dir, "notes/new.md", "by bo");
    printf("from a save to the friend's file: %d ms, %d ms\n", (int)(there - since),
           (int)(now_ms() - there));

    ask(&ada, ada.dir, "sync", NULL, NULL, &a);
    CHECK(pack_bool(&a.map, "ok") && pack_bool(&a.map, "converged"));
    char *digest = NULL;
    CHECK(pack_text(&a.map, "digest", &digest));
    forget(&a);
    ask(&bo, bo.dir, "status", NULL, NULL, &a);
    check_text(&a, "digest", digest);
    free(digest);
    forget(&a);
    CHECK_EQ(stop(&ada, SIGTERM), 0);
    CHECK_EQ(stop(&bo, SIGTERM), 0);
    remove_tree(root);
}

static int write_ticket(void *user, struct host *h)
{
    struct buf request = BUF_INIT, reply = BUF_INIT;
    struct pack_request map;
    char *ticket = NULL;
    mp_put_array(&request, 2);
    mp_put_cstr(&request, "invite");
    mp_put_map(&request, 0);
    if (host_call(h, buf_slice(&request), &reply) || pack_open_reply(&map, buf_slice(&reply)) ||
        !pack_text(&map, "ticket", &ticket))
        return RAPPORT_IO;
    ssize_t n = write(*(int *)user, ticket, strlen(ticket));
    pack_close(&map);
    free(ticket);
    buf_clear(&request);
    buf_clear(&reply);
    return n > 0 ? 0 : RAPPORT_IO;
}

TEST(daemon_invite, "without daemons: one waits for a friend, the other joins, both end")
{
    struct person ada, bo;
    int pipes[2];
    make_root();
    init_report(&ada, "ada");
    CHECK(!pipe(pipes));
    pid_t child = fork();
    if (child == 0) {
        const char *listen[] = {"127.0.0.1:0"};
        struct daemon_config config = {.listen = listen, .n_listen = 1};
        struct daemon_once once = {.host = {.dir = ada.dir, .home = ada.home},
                                   .goal = DAEMON_GOAL_FRIEND,
                                   .wait_ms = MOST_WAIT_MS,
                                   .user = &pipes[1],
                                   .online = write_ticket};
        struct buf reply = BUF_INIT;
        struct pack_request map;
        char *name = NULL;
        if (daemon_sync_once(&config, &once, &reply, NULL))
            _exit(1);
        if (pack_open_reply(&map, buf_slice(&reply)) || !pack_text(&map, "name", &name))
            _exit(2);
        _exit(strcmp(name, "bo") == 0 ? 0 : 3);
    }
    char ticket[4096] = "";
    CHECK(read(pipes[0], ticket, sizeof ticket - 1) > 0);
    join(&bo, "bo", ticket);
    CHECK_EQ(end_of(child), 0);
    close(pipes[0]);
    close(pipes[1]);
    remove_tree(root);
}

TEST(daemon_alone, "a sync with nobody there ends with its time and says that nobody was connected")
{
    struct person ada;
    make_root();
    init_report(&ada, "ada");
    const char *listen[] = {"127.0.0.1:0"};
    struct daemon_config config = {.listen = listen, .n_listen = 1};
    struct daemon_once once = {
        .host = {.dir = ada.dir, .home = ada.home}, .goal = DAEMON_GOAL_SYNC, .wait_ms = 50};
    struct answer a = {.bytes = BUF_INIT};
    uint64_t connected = 9;
    CHECK_EQ(daemon_sync_once(&config, &once, &a.bytes, NULL), 0);
    CHECK_EQ(pack_open_reply(&a.map, buf_slice(&a.bytes)), 0);
    CHECK(pack_bool(&a.map, "ok") && !pack_bool(&a.map, "converged"));
    CHECK(pack_u64(&a.map, "connected", &connected) && connected == 0);
    forget(&a);
    struct client *c;
    CHECK_EQ(client_connect(ada.dir, &c, NULL), RAPPORT_NOTFOUND); /* and let go of the folder */
    remove_tree(root);
}
