/* test_crash.c - killed, cut, bent: what was committed is there, or damage is told. */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "fixture.h"

enum {
    KILLS = 30,
    RECORDS_EACH = 5
};

/* One batch: a delta and some records that carry its number. */
static int commit_numbered(struct store *s, struct writer *w, uint32_t number)
{
    char keys[RECORDS_EACH][16];
    struct batch_record records[RECORDS_EACH];
    struct buf bytes = BUF_INIT;
    static uint8_t text[3000];
    struct batch_delta d = writer_next(w, 1, slice_of(text, number % sizeof text), &bytes);
    for (size_t i = 0; i < RECORDS_EACH; i++) {
        snprintf(keys[i], sizeof keys[i], "key %zu", i);
        records[i] = (struct batch_record){slice_str(keys[i]), slice_of(&number, sizeof number)};
    }
    struct batch batch = {
        .deltas = &d, .n_deltas = 1, .records = records, .n_records = RECORDS_EACH};
    int error = store_commit(s, &batch);
    buf_clear(&bytes);
    return error;
}

/* Goes on where the last one was killed: commits and then says the number, for ever. */
_Noreturn static void commit_until_killed(const char *path, int out)
{
    struct store *s = NULL;
    struct writer w = writer_of(1);
    uint64_t last = 0;
    if (store_open(path, STORE_OPEN, NULL, &s, NULL) != 0 || store_last_arrival(s, &last) != 0)
        _exit(3);
    for (uint32_t n = 1;; n++) {
        if (n <= last) { /* the same log again, without writing it */
            struct buf bytes = BUF_INIT;
            static uint8_t text[3000];
            writer_next(&w, 1, slice_of(text, n % sizeof text), &bytes);
            buf_clear(&bytes);
            continue;
        }
        if (commit_numbered(s, &w, n) != 0 || write(out, &n, sizeof n) != sizeof n)
            _exit(4);
    }
}

static int check_number(void *user, const struct load_row *row)
{
    CHECK_BYTES(row->value.ptr, row->value.len, user, sizeof(uint32_t));
    return 0;
}

/* Kills a committing child after it said `n_more` numbers; returns the last that it said. */
static uint32_t kill_after(const char *path, uint32_t n_more, useconds_t more_us)
{
    int ends[2];
    uint32_t said = 0;
    CHECK_EQ(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        commit_until_killed(path, ends[1]);
    }
    close(ends[1]);
    for (uint32_t i = 0; i < n_more; i++)
        CHECK_EQ(read(ends[0], &said, sizeof said), sizeof said);
    usleep(more_us);
    kill(child, SIGKILL);
    for (uint32_t n; read(ends[0], &n, sizeof n) == sizeof n;)
        said = n;
    close(ends[0]);
    waitpid(child, NULL, 0);
    return said;
}

TEST(crash_killed, "after kill -9 at random moments every batch that was reported is there, whole")
{
    struct test_rng rng = test_rng_start(8);
    struct place p = place_make();
    store_close(open_or_fail(p.path, STORE_CREATE));
    for (int i = 0; i < KILLS; i++) {
        uint32_t said = kill_after(p.path, 1 + (uint32_t)test_rng_below(&rng, 60),
                                   (useconds_t)test_rng_below(&rng, 400));
        struct store *s = open_or_fail(p.path, STORE_OPEN);
        uint64_t last = 0;
        CHECK_EQ(store_last_arrival(s, &last), 0);
        CHECK(last == said || last == said + 1);
        uint32_t number = (uint32_t)last;
        struct load load = {.kind = LOAD_RECORDS, .max_bytes = LOAD_MOST_BYTES};
        CHECK_EQ(store_load(s, &load, check_number, &number), 0);
        CHECK_EQ(count_rows(s, load), RECORDS_EACH);
        load.kind = LOAD_INDEX;
        CHECK_EQ(count_rows(s, load), last);
        store_close(s);
    }
    place_remove(&p);
}

/* ---- damaged files ---- */

struct file {
    uint8_t *bytes;
    size_t len;
};

static struct file read_file(const char *path)
{
    struct stat info;
    struct file f = {NULL, 0};
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0 && fstat(fd, &info) == 0);
    f.len = (size_t)info.st_size;
    f.bytes = malloc(f.len);
    CHECK(f.bytes != NULL && read(fd, f.bytes, f.len) == (ssize_t)f.len);
    close(fd);
    return f;
}

static void write_file(const char *path, const uint8_t *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
    close(fd);
}

static const enum load_kind every_kind[] = {LOAD_HEADS, LOAD_INDEX,  LOAD_RECORDS, LOAD_NOTES,
                                            LOAD_NOTE,  LOAD_DELTAS, LOAD_ARRIVED};

/* Uses everything. Returns the first error; a crash would end the test. */
static int use(const char *path, const struct writer *w)
{
    struct store *s = NULL;
    int error = store_open(path, STORE_OPEN, NULL, &s, NULL);
    size_t n = 0;
    for (size_t i = 0; !error && i < sizeof every_kind / sizeof every_kind[0]; i++) {
        struct load load = {.kind = every_kind[i], .note = {1}, .max_bytes = LOAD_MOST_BYTES};
        memcpy(load.log, w->id, LOG_ID_BYTES);
        error = store_load(s, &load, count_row, &n);
    }
    struct writer copy = *w;
    if (!error)
        error = commit_numbered(s, &copy, 1);
    if (!error)
        error = store_drop_cache(s);
    CHECK(!error || !s || strlen(store_error(s)) > 20);
    store_close(s);
    return error;
}

/* A closed database with some of everything. */
static struct writer fill(const char *path)
{
    struct store *s = open_or_fail(path, STORE_CREATE);
    struct writer w = writer_of(1);
    static uint8_t text[9000];
    for (uint32_t n = 1; n < 60; n++)
        CHECK_EQ(commit_numbered(s, &w, n * 37), 0);
    for (uint8_t i = 0; i < 40; i++) {
        struct batch_note note = {.id = {i}, .meta = slice_str("a note"), .stored = {text, 9000}};
        struct batch batch = {.notes = &note, .n_notes = 1};
        CHECK_EQ(store_commit(s, &batch), 0);
    }
    store_close(s);
    return w;
}

/* Damage may go unseen, be called damage, or (in the header) look like another or newer file. */
static bool is_told(int error)
{
    return error == 0 || error == RAPPORT_CORRUPT || error == RAPPORT_NOTFOUND ||
           error == RAPPORT_VERSION || error == RAPPORT_CHAIN || error == RAPPORT_READONLY;
}

TEST(crash_truncated, "a database cut at any page or in one works or is called damaged")
{
    struct test_rng rng = test_rng_start(21);
    struct place p = place_make();
    struct writer w = fill(p.path);
    struct file whole = read_file(p.path);
    size_t n_told = 0;
    for (size_t i = 0; i < 120; i++) {
        size_t len = i % 2 ? test_rng_below(&rng, whole.len) : i * whole.len / 120 / 4096 * 4096;
        place_remove(&p);
        CHECK_EQ(mkdir(p.folder, 0700), 0);
        write_file(p.path, whole.bytes, len);
        int error = use(p.path, &w);
        if (!is_told(error))
            test_fail(__FILE__, __LINE__, "cut at %zu: %s", len, rapport_errname(error));
        n_told += error != 0;
    }
    CHECK(n_told > 60);
    free(whole.bytes);
    place_remove(&p);
}

TEST(crash_bent, "a database with bits turned works or is called damaged, and never crashes")
{
    struct test_rng rng = test_rng_start(22);
    struct place p = place_make();
    struct writer w = fill(p.path);
    struct file whole = read_file(p.path);
    size_t n_told = 0;
    for (size_t i = 0; i < 400; i++) {
        size_t most = i % 4 == 0 ? 100 : i % 4 == 1 ? 4096 : whole.len;
        size_t at = test_rng_below(&rng, most);
        uint8_t kept = whole.bytes[at];
        whole.bytes[at] ^= (uint8_t)(1u << test_rng_below(&rng, 8));
        place_remove(&p);
        CHECK_EQ(mkdir(p.folder, 0700), 0);
        write_file(p.path, whole.bytes, whole.len);
        int error = use(p.path, &w);
        if (!is_told(error))
            test_fail(__FILE__, __LINE__, "bit at %zu: %s", at, rapport_errname(error));
        n_told += error != 0;
        whole.bytes[at] = kept;
    }
    CHECK(n_told > 20);
    free(whole.bytes);
    place_remove(&p);
}
