/* test_open.c - opening: what is refused, with which code and which words. */
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "fixture.h"

/* Opens and expects `error`, with `words` in the sentence. */
static void check_refused(const char *path, enum store_mode mode, int error, const char *words)
{
    struct store *s = (struct store *)1;
    struct buf why = BUF_INIT;
    int is = store_open(path, mode, NULL, &s, &why);
    const char *text = buf_cstr(&why);
    if (is != error)
        test_fail(__FILE__, __LINE__, "%s: %s", rapport_errname(is), text);
    CHECK(s == NULL);
    if (!text || !strstr(text, words))
        test_fail(__FILE__, __LINE__, "'%s' is not in '%s'", words, text ? text : "");
    buf_clear(&why);
}

/* Runs SQL on the file as another program would. */
static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    CHECK_EQ(sqlite3_open(path, &db), SQLITE_OK);
    int code = sqlite3_exec(db, sql, NULL, NULL, NULL);
    if (code)
        test_fail(__FILE__, __LINE__, "%s: %s", sql, sqlite3_errmsg(db));
    sqlite3_close(db);
}

/* A database that was made, has one record and is closed. */
static struct place place_filled(void)
{
    struct place p = place_make();
    struct store *s = open_or_fail(p.path, STORE_CREATE);
    CHECK_EQ(commit_record(s, "a", slice_str("1")), 0);
    store_close(s);
    return p;
}

TEST(open_none, "there is none to open, and no folder to make one in")
{
    struct place p = place_make();
    check_refused(p.path, STORE_OPEN, RAPPORT_NOTFOUND, "no report");
    CHECK(access(p.path, F_OK) != 0);
    check_refused("/tmp/rapport-no-such-folder/x.db", STORE_CREATE, RAPPORT_IO, "No such file");
    place_remove(&p);
}

TEST(open_exists, "making one where there is one is refused and leaves it alone")
{
    struct place p = place_filled();
    check_refused(p.path, STORE_CREATE, RAPPORT_EXISTS, "already");
    struct store *s = open_or_fail(p.path, STORE_OPEN);
    CHECK_EQ(count_rows(s, (struct load){.kind = LOAD_RECORDS}), 1);
    store_close(s);
    place_remove(&p);
}

TEST(open_empty, "an empty file, left by a crash, is no report yet and can become one")
{
    struct place p = place_make();
    close(open(p.path, O_CREAT | O_WRONLY, 0600));
    check_refused(p.path, STORE_OPEN, RAPPORT_NOTFOUND, "no report");
    store_close(open_or_fail(p.path, STORE_CREATE));
    store_close(open_or_fail(p.path, STORE_OPEN));
    place_remove(&p);
}

TEST(open_newer, "a database of a newer version is refused and named so")
{
    struct place p = place_filled();
    run_sql(p.path, "PRAGMA user_version = 2");
    check_refused(p.path, STORE_OPEN, RAPPORT_VERSION, "newer version");
    run_sql(p.path, "PRAGMA user_version = 1");
    store_close(open_or_fail(p.path, STORE_OPEN));
    run_sql(p.path, "PRAGMA user_version = 0");
    check_refused(p.path, STORE_OPEN, RAPPORT_CORRUPT, "version");
    run_sql(p.path, "PRAGMA user_version = -1");
    check_refused(p.path, STORE_OPEN, RAPPORT_CORRUPT, "version");
    place_remove(&p);
}

TEST(open_foreign, "another program's database is refused and stays byte for byte as it was")
{
    struct place p = place_make();
    run_sql(p.path, "CREATE TABLE bookmarks (url); INSERT INTO bookmarks VALUES ('x')");
    uint8_t before[8192] = {0}, after[8192] = {0};
    int fd = open(p.path, O_RDONLY);
    ssize_t n = read(fd, before, sizeof before);
    close(fd);
    check_refused(p.path, STORE_OPEN, RAPPORT_CORRUPT, "another program");
    check_refused(p.path, STORE_CREATE, RAPPORT_CORRUPT, "another program");
    fd = open(p.path, O_RDONLY);
    CHECK_EQ(read(fd, after, sizeof after), n);
    close(fd);
    CHECK_BYTES(after, sizeof after, before, sizeof before);
    place_remove(&p);
}

TEST(open_foreign_schema, "a table, index or trigger that somebody put in is refused")
{
    static const char *const changes[] = {
        "CREATE TABLE extra (x)",
        "CREATE INDEX extra ON records (value)",
        "CREATE TRIGGER extra AFTER INSERT ON records BEGIN DELETE FROM deltas; END",
        "DROP TABLE texts",
        "ALTER TABLE notes ADD COLUMN x",
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        struct place p = place_filled();
        run_sql(p.path, changes[i]);
        check_refused(p.path, STORE_OPEN, RAPPORT_CORRUPT, "its tables");
        place_remove(&p);
    }
}

TEST(open_locked, "a second opener is refused at once, in this process and in another")
{
    struct place p = place_filled();
    struct store *s = open_or_fail(p.path, STORE_OPEN);
    check_refused(p.path, STORE_OPEN, RAPPORT_LOCKED, "running");
    check_refused(p.path, STORE_CREATE, RAPPORT_LOCKED, "running");
    for (int round = 0; round < 2; round++) { /* the refused open above must not have unlocked it */
        pid_t child = fork();
        if (child == 0) {
            struct store *other = NULL;
            _exit(store_open(p.path, STORE_OPEN, NULL, &other, NULL) == RAPPORT_LOCKED ? 7 : 1);
        }
        int status = 0;
        CHECK(waitpid(child, &status, 0) == child);
        CHECK_EQ(WEXITSTATUS(status), 7);
        CHECK_EQ(commit_record(s, "b", slice_str("2")), 0);
        CHECK_EQ(store_sync(s), 0);
    }
    store_close(s);
    store_close(open_or_fail(p.path, STORE_OPEN));
    place_remove(&p);
}

/* What opening gives for somebody who is not root. */
static int open_as_nobody(const char *path)
{
    pid_t child = fork();
    if (child == 0) {
        struct store *s = NULL;
        if (geteuid() == 0 && setuid(65534) != 0)
            _exit(0);
        _exit(-store_open(path, STORE_OPEN, NULL, &s, NULL));
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status));
    return -WEXITSTATUS(status);
}

TEST(open_readonly, "a database that may not be written, or not even read, is refused as such")
{
    struct place p = place_filled();
    if (geteuid() == 0)
        CHECK_EQ(chown(p.folder, 65534, 65534) | chown(p.path, 65534, 65534), 0);
    chmod(p.path, 0400);
    CHECK_EQ(open_as_nobody(p.path), RAPPORT_READONLY);
    chmod(p.path, 0000);
    CHECK_EQ(open_as_nobody(p.path), RAPPORT_PERMISSION);
    place_remove(&p);
}

TEST(open_garbage, "a file of rubbish is damage, and the sentence says what to do")
{
    struct place p = place_make();
    FILE *f = fopen(p.path, "w");
    for (int i = 0; i < 3000; i++)
        fputs("rubbish ", f);
    fclose(f);
    check_refused(p.path, STORE_OPEN, RAPPORT_CORRUPT, p.path);
    check_refused(p.path, STORE_OPEN, RAPPORT_CORRUPT, "notes folder are untouched");
    check_refused(p.path, STORE_OPEN, RAPPORT_CORRUPT, "any friend");
    place_remove(&p);
}

TEST(open_long_path, "a path longer than the sentence is cut, the advice is not")
{
    char path[3000];
    memset(path, 'x', sizeof path);
    for (size_t i = 0; i < sizeof path; i += 100)
        path[i] = '/';
    path[sizeof path - 1] = '\0';
    check_refused(path, STORE_CREATE, RAPPORT_IO, "check the disk");
}

TEST(open_vfs_unknown, "a VFS that nobody registered is refused")
{
    struct store *s = NULL;
    CHECK(store_open("/tmp/x.db", STORE_OPEN, "no-such", &s, NULL) == RAPPORT_INVALID);
}

TEST(close_nothing, "closing NULL does nothing")
{
    store_close(NULL);
    CHECK(true);
}

TEST(open_no_memory, "each failed allocation of ours while opening and committing is NOMEM")
{
    struct place p = place_filled();
    struct writer w = writer_of(1);
    struct buf bytes = BUF_INIT;
    struct batch_delta d = writer_next(&w, 1, slice_str("x"), &bytes);
    struct batch batch = {.deltas = &d, .n_deltas = 1};
    bool failed = true;
    for (long n = 0; failed; n++) {
        struct store *s = NULL;
        test_fail_allocation(n);
        int error = store_open(p.path, STORE_OPEN, NULL, &s, NULL);
        if (!error)
            error = store_commit(s, &batch);
        failed = test_allocation_failed();
        test_fail_allocation(-1);
        CHECK_EQ(error, failed ? RAPPORT_NOMEM : 0);
        if (s)
            CHECK_EQ(count_rows(s, (struct load){.kind = LOAD_HEADS}), failed ? 0 : 1);
        store_close(s);
    }
    buf_clear(&bytes);
    place_remove(&p);
}
