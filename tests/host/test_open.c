/* test_open.c - opening and closing: folder, lock, key, name, and a database that is not the
   last. */
#include <sys/wait.h>

#include "folders.h"

TEST(open_init_and_again, "a report that was made opens again with its notes")
{
    struct box b;
    box_start(&b);
    DO(b.host, "new", "title", "Headscale");
    box_reopen(&b);
    CHECK_EQ(count_notes(b.host), 1);
    CHECK_NOTE(b.host, "headscale", "# Headscale\n\n");
    CHECK_FILE(in(&b, "notes/headscale.md"), "# Headscale\n\n");
    box_close(&b);
}

TEST(open_second_is_locked, "a second opener is told the pid of the first")
{
    struct box b;
    box_start(&b);
    struct host *second;
    struct buf why = BUF_INIT, socket = BUF_INIT;
    struct host_config config = {.dir = b.dir, .home = b.home, .start = RAPPORT_START_OPEN};
    CHECK_EQ(host_open(&config, &second, &why), RAPPORT_LOCKED);
    char pid[32];
    (void)snprintf(pid, sizeof pid, "process %ld ", (long)getpid());
    CHECK(strstr(buf_cstr(&why), pid) != NULL);
    int64_t holder = 0;
    CHECK_EQ(host_set_socket(b.host, "/run/rapport.sock"), 0);
    CHECK_EQ(host_lock_holder(b.dir, &holder, &socket), 0);
    CHECK_EQ(holder, getpid());
    CHECK_STR(buf_cstr(&socket), "/run/rapport.sock");
    CHECK_EQ(host_close(b.host), 0);
    b.host = NULL;
    CHECK_EQ(host_lock_holder(b.dir, &holder, NULL), RAPPORT_NOTFOUND);
    buf_clear(&why);
    buf_clear(&socket);
    box_close(&b);
}

TEST(open_refuses,
     "no report, a report twice, a bad title: each with its code, nothing left behind")
{
    struct box b;
    box_make(&b);
    struct buf why = BUF_INIT;
    struct host_config config = {.dir = b.dir, .home = b.home, .start = RAPPORT_START_OPEN};
    CHECK_EQ(host_open(&config, &b.host, &why), RAPPORT_NOTFOUND);
    CHECK_EQ(mkdir(b.dir, 0700), 0);
    CHECK_EQ(host_open(&config, &b.host, &why), RAPPORT_NOTFOUND);
    config.start = RAPPORT_START_JOIN;
    config.ticket = "rapport1notaticket";
    CHECK(host_open(&config, &b.host, &why) < 0);
    CHECK(!exists(in(&b, ".rapport")));
    box_open(&b, RAPPORT_START_INIT);
    CHECK_EQ(host_close(b.host), 0);
    b.host = NULL;
    config.start = RAPPORT_START_INIT;
    config.title = "Again";
    CHECK_EQ(host_open(&config, &b.host, &why), RAPPORT_EXISTS);
    CHECK(exists(in(&b, ".rapport/report.db")));
    buf_clear(&why);
    box_close(&b);
}

static void expect_refused(const struct box *b, enum rapport_start start, int expected,
                           const char *sentence)
{
    struct host_config config = {
        .dir = b->dir, .home = b->home, .start = start, .title = "Again", .name = "Ada"};
    struct host *h;
    struct buf why = BUF_INIT;
    CHECK_EQ(host_open(&config, &h, &why), expected);
    CHECK(h == NULL);
    if (!strstr(buf_cstr(&why), sentence))
        test_fail(__FILE__, __LINE__, "%s: no %s", buf_cstr(&why), sentence);
    buf_clear(&why);
}

TEST(open_begun_again, "an init that was cut off before it stored anything is begun again")
{
    struct box b;
    box_make(&b);
    CHECK_EQ(mkdir(b.dir, 0700), 0);
    CHECK_EQ(mkdir(in(&b, ".rapport"), 0700), 0);
    expect_refused(&b, RAPPORT_START_OPEN, RAPPORT_NOTFOUND, "cut off");
    struct store *store;
    CHECK_EQ(store_open(in(&b, ".rapport/report.db"), STORE_CREATE, NULL, &store, NULL), 0);
    store_close(store);
    expect_refused(&b, RAPPORT_START_OPEN, RAPPORT_NOTFOUND, "cut off");
    CHECK(exists(in(&b, ".rapport/report.db")));
    box_open(&b, RAPPORT_START_INIT);
    DO(b.host, "new", "title", "Headscale");
    box_reopen(&b);
    CHECK_EQ(count_notes(b.host), 1);
    box_close(&b);
}

TEST(open_damaged_stays, "making a report where a damaged one is refuses, and removes nothing")
{
    struct box b;
    box_start(&b);
    DO(b.host, "new", "title", "Headscale");
    CHECK_EQ(host_close(b.host), 0);
    b.host = NULL;
    int fd = open(in(&b, ".rapport/report.db"), O_RDWR);
    CHECK(fd >= 0);
    struct stat before, after;
    CHECK_EQ(fstat(fd, &before), 0);
    static const char junk[200] = "x";
    for (off_t at = 4096; at < before.st_size; at += 4096)
        CHECK_EQ(pwrite(fd, junk, sizeof junk, at), (ssize_t)sizeof junk);
    close(fd);
    struct host *h;
    struct host_config config = {
        .dir = b.dir, .home = b.home, .start = RAPPORT_START_INIT, .title = "Again"};
    CHECK(host_open(&config, &h, NULL) < 0);
    CHECK_EQ(stat(in(&b, ".rapport/report.db"), &after), 0);
    CHECK_EQ(after.st_size, before.st_size);
    CHECK_FILE(in(&b, "notes/headscale.md"), "# Headscale\n\n");
    expect_refused(&b, RAPPORT_START_OPEN, RAPPORT_CORRUPT, "untouched");
    box_close(&b);
}

TEST(home_is_private,
     "a folder of the device key where others can write, or that is none, is refused")
{
    struct box b;
    box_start(&b);
    CHECK_EQ(host_close(b.host), 0);
    b.host = NULL;
    CHECK_EQ(chmod(b.home, 0770), 0);
    expect_refused(&b, RAPPORT_START_OPEN, RAPPORT_PERMISSION, "go-w");
    CHECK_EQ(chmod(b.home, 0755), 0);
    box_open(&b, RAPPORT_START_OPEN);
    CHECK_EQ(host_close(b.host), 0);
    b.host = NULL;
    (void)snprintf(b.home, sizeof b.home, "%s/report/.rapport/report.db", b.top);
    expect_refused(&b, RAPPORT_START_OPEN, RAPPORT_IO, "not a folder");
    box_close(&b);
}

TEST(open_find_walks_up, "the report is found from any folder inside, not from outside")
{
    struct box b;
    struct buf dir = BUF_INIT;
    box_start(&b);
    CHECK_EQ(mkdir(in(&b, "notes/deep"), 0700), 0);
    CHECK_EQ(host_find(in(&b, "notes/deep"), &dir), 0);
    CHECK_STR(buf_cstr(&dir), host_dir(b.host));
    CHECK_EQ(host_find(b.top, &dir), RAPPORT_NOTFOUND);
    buf_clear(&dir);
    box_close(&b);
}

TEST(open_refuses_nested, "a report is not made inside of another one, and nothing is left there")
{
    struct box b;
    struct buf why = BUF_INIT;
    struct host *inner = NULL;
    char dir[200];
    box_start(&b);
    (void)snprintf(dir, sizeof dir, "%s/notes/inner", b.dir);
    struct host_config config = {
        .dir = dir, .home = b.home, .start = RAPPORT_START_INIT, .title = "Inner", .name = "Ada"};
    CHECK_EQ(host_open(&config, &inner, &why), RAPPORT_EXISTS);
    CHECK(strstr(buf_cstr(&why), "inside of another report") != NULL);
    CHECK(!exists(dir));
    CHECK_EQ(mkdir(dir, 0700), 0);
    CHECK_EQ(host_open(&config, &inner, &why), RAPPORT_EXISTS);
    CHECK(!exists(in(&b, "notes/inner/.rapport")));
    buf_clear(&why);
    box_close(&b);
}

TEST(key_is_private,
     "the device key is made once, 0600 in 0700, and refused when others can read it")
{
    struct box b;
    char path[200];
    struct stat st;
    box_start(&b);
    (void)snprintf(path, sizeof path, "%s/device.key", b.home);
    CHECK_EQ(stat(path, &st), 0);
    CHECK_EQ(st.st_size, HOST_KEY_BYTES);
    CHECK_EQ(st.st_mode & 0777, 0600);
    CHECK_EQ(stat(b.home, &st), 0);
    CHECK_EQ(st.st_mode & 0777, 0700);
    CHECK_EQ(host_close(b.host), 0);
    struct buf why = BUF_INIT;
    struct host_config config = {.dir = b.dir, .home = b.home, .start = RAPPORT_START_OPEN};
    CHECK_EQ(chmod(path, 0640), 0);
    CHECK_EQ(host_open(&config, &b.host, &why), RAPPORT_PERMISSION);
    CHECK(strstr(buf_cstr(&why), "read by others") != NULL);
    CHECK_EQ(chmod(path, 0600), 0);
    CHECK_EQ(truncate(path, 31), 0);
    CHECK_EQ(host_open(&config, &b.host, &why), RAPPORT_MALFORMED);
    CHECK_EQ(unlink(path), 0);
    CHECK_EQ(symlink("/etc/hostname", path), 0);
    CHECK_EQ(host_open(&config, &b.host, &why), RAPPORT_PERMISSION);
    buf_clear(&why);
    box_close(&b);
}

static void copy_file(const char *from, const char *to)
{
    char command[1200];
    (void)snprintf(command, sizeof command, "cp %s %s", from, to);
    CHECK_EQ(system(command), 0); /* NOLINT: fixed names of the test's own folder */
}

/* The log that wrote the newest change. */
static void newest_log(struct host *h, char out[9])
{
    struct reply r = call(h, "log", (char *)NULL);
    CHECK_REPLY(&r);
    const msgpack_object *lines = at(&r.doc.root, "lines");
    CHECK(lines->via.array.size > 0);
    struct slice version = str_of(at(&lines->via.array.ptr[0], "version"));
    CHECK(version.len > 9);
    memcpy(out, version.ptr, 8);
    out[8] = '\0';
    reply_clear(&r);
}

TEST(open_restored_backup,
     "a database that was restored from a backup gets a new log, a sure one keeps its")
{
    struct box b;
    char first[9], again[9], restored[9];
    box_start(&b);
    DO(b.host, "jot", "text", "one");
    newest_log(b.host, first);
    box_reopen(&b);
    DO(b.host, "jot", "text", "two");
    newest_log(b.host, again);
    CHECK_STR(again, first);
    CHECK_EQ(host_close(b.host), 0);
    copy_file(in(&b, ".rapport/report.db"), in(&b, "backup"));
    box_open(&b, RAPPORT_START_OPEN);
    DO(b.host, "jot", "text", "three");
    CHECK_EQ(host_close(b.host), 0);
    copy_file(in(&b, "backup"), in(&b, ".rapport/report.db"));
    box_open(&b, RAPPORT_START_OPEN);
    DO(b.host, "jot", "text", "four");
    newest_log(b.host, restored);
    CHECK(strcmp(restored, first) != 0);
    box_close(&b);
}
