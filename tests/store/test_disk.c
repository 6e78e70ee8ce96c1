/*
 * test_disk.c - a disk that is full: the batch is refused whole, what was committed stays, and with
 * space again it goes on.
 *
 * Twice: with a limit on the size of files (needs no privilege), and on a small tmpfs in a mount
 * namespace (needs user namespaces or root). Each case runs in a child of its own, which ends with
 * the number of the line that did not hold.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "fixture.h"

enum {
    CANNOT = 9999 /* the child may not do this here */
};

#define NEED(condition)                                                                            \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return __LINE__;                                                                       \
    } while (0)

/* Runs `what` in a child and fails with the line that it returned. */
static void check_in_child(int (*what)(const char *path))
{
    struct place p = place_make();
    int ends[2], line = 0;
    CHECK_EQ(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        line = what(p.path);
        _exit(write(ends[1], &line, sizeof line) == sizeof line ? 0 : 1);
    }
    close(ends[1]);
    line = -1;
    ssize_t n = read(ends[0], &line, sizeof line);
    close(ends[0]);
    waitpid(child, NULL, 0);
    place_remove(&p);
    if (n == sizeof line && line == CANNOT)
        SKIP("mounting a tmpfs in a namespace is not allowed here");
    if (n != sizeof line || line != 0)
        test_fail(__FILE__, line, "does not hold in the child");
}

static int put(struct store *s, int number, size_t len)
{
    static uint8_t value[1 << 20];
    char key[16];
    snprintf(key, sizeof key, "%d", number);
    return commit_record(s, key, slice_of(value, len));
}

static size_t count_records(struct store *s)
{
    size_t n = 0;
    struct load load = {.kind = LOAD_RECORDS};
    return store_load(s, &load, count_row, &n) == 0 ? n : SIZE_MAX;
}

/* Commits until the disk is full; *n is what was committed. Returns the line that did not hold. */
static int fill_up(struct store *s, size_t len, size_t *n)
{
    int error = 0;
    while (*n < 10000 && (error = put(s, (int)*n, len)) == 0)
        ++*n;
    NEED(error == RAPPORT_FULL);
    NEED(strstr(store_error(s), "free some space") != NULL);
    NEED(count_records(s) == *n);
    NEED(put(s, 5, len) == RAPPORT_FULL || count_records(s) >= *n);
    return 0;
}

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &limit);
}

static int with_limit(const char *path)
{
    struct store *s = NULL;
    signal(SIGXFSZ, SIG_IGN);
    NEED(store_open(path, STORE_CREATE, NULL, &s, NULL) == 0);
    size_t n = 0;
    for (rlim_t limit = 100000; limit < 3000000; limit += 271828) {
        limit_files(limit);
        int line = fill_up(s, 1000 + limit / 100, &n);
        limit_files(RLIM_INFINITY);
        if (line)
            return line;
        NEED(put(s, (int)n, 10) == 0);
        n++;
    }
    NEED(store_sync(s) == 0);
    store_close(s);
    NEED(store_open(path, STORE_OPEN, NULL, &s, NULL) == 0);
    NEED(count_records(s) == n);
    store_close(s);
    return 0;
}

TEST(disk_limit, "when a file may not grow, the batch is FULL and whole; later it goes on")
{
    check_in_child(with_limit);
}

/* Making the database itself at every size that is too small for it. */
static int create_with_limit(const char *path)
{
    struct store *s = NULL;
    int n_full = 0;
    signal(SIGXFSZ, SIG_IGN);
    for (rlim_t limit = 0;; limit += 2048) {
        limit_files(limit);
        int error = store_open(path, STORE_CREATE, NULL, &s, NULL);
        limit_files(RLIM_INFINITY);
        if (error == 0 || error == RAPPORT_EXISTS)
            break;
        NEED(s == NULL && error == RAPPORT_FULL);
        n_full++;
    }
    store_close(s);
    NEED(n_full > 2);
    NEED(store_open(path, STORE_OPEN, NULL, &s, NULL) == 0);
    NEED(put(s, 1, 100) == 0);
    store_close(s);
    return 0;
}

TEST(disk_create, "a database that finds no space while it is made can be made later")
{
    check_in_child(create_with_limit);
}

static bool write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);
    bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    close(fd);
    return done;
}

/* A tmpfs of one MiB over the folder of `path`, seen by this process alone. */
static bool mount_small(const char *path)
{
    char folder[64], map[40];
    snprintf(folder, sizeof folder, "%s", path);
    *strrchr(folder, '/') = '\0';
    if (geteuid() == 0) {
        if (unshare(CLONE_NEWNS) != 0)
            return false;
    } else {
        snprintf(map, sizeof map, "0 %d 1", (int)geteuid());
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0 ||
            !write_text("/proc/self/setgroups", "deny") || !write_text("/proc/self/uid_map", map))
            return false;
    }
    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", folder, "tmpfs", 0, "size=1m") == 0;
}

static int on_small_disk(const char *path)
{
    struct store *s = NULL;
    char ballast[80];
    static uint8_t bytes[200000];
    if (!mount_small(path))
        return CANNOT;
    snprintf(ballast, sizeof ballast, "%s-ballast", path);
    int fd = open(ballast, O_WRONLY | O_CREAT, 0600);
    NEED(fd >= 0 && write(fd, bytes, sizeof bytes) == sizeof bytes);
    close(fd);
    NEED(store_open(path, STORE_CREATE, NULL, &s, NULL) == 0);
    size_t n = 0;
    int line = fill_up(s, 3000, &n);
    if (line)
        return line;
    NEED(unlink(ballast) == 0);
    NEED(put(s, (int)n++, 10) == 0);
    NEED(store_sync(s) == 0);
    for (int round = 0; round < 3; round++) {
        store_close(s);
        NEED(store_open(path, STORE_OPEN, NULL, &s, NULL) == 0);
        NEED(count_records(s) == n);
        line = fill_up(s, 100, &n);
        if (line)
            return line;
    }
    store_close(s);
    return 0;
}

TEST(disk_small, "on a disk that is really full the same holds")
{
    check_in_child(on_small_disk);
}
