/* test_sync.c - the sync reaches the disk: through a VFS, beside commits, after checkpoints. */
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "fixture.h"

/* ---- a VFS that counts the syncs of write-ahead logs and can fail them ---- */

struct counting_file {
    sqlite3_file base;
    sqlite3_file *real;
    bool is_wal;
};

static sqlite3_vfs counting_vfs, *real_vfs;
static sqlite3_io_methods counting_methods;
static int n_wal_syncs, fail_syncs;

static sqlite3_file *real_of(sqlite3_file *f)
{
    return ((struct counting_file *)f)->real;
}

#define FORWARD(name, parameters, arguments)                                                       \
    static int counting_##name parameters                                                          \
    {                                                                                              \
        return real_of(f)->pMethods->name arguments;                                               \
    }
FORWARD(xRead, (sqlite3_file * f, void *to, int n, sqlite3_int64 at), (real_of(f), to, n, at))
FORWARD(xWrite, (sqlite3_file * f, const void *from, int n, sqlite3_int64 at),
        (real_of(f), from, n, at))
FORWARD(xTruncate, (sqlite3_file * f, sqlite3_int64 size), (real_of(f), size))
FORWARD(xFileSize, (sqlite3_file * f, sqlite3_int64 *size), (real_of(f), size))
FORWARD(xLock, (sqlite3_file * f, int level), (real_of(f), level))
FORWARD(xUnlock, (sqlite3_file * f, int level), (real_of(f), level))
FORWARD(xCheckReservedLock, (sqlite3_file * f, int *out), (real_of(f), out))
FORWARD(xFileControl, (sqlite3_file * f, int op, void *arg), (real_of(f), op, arg))
FORWARD(xSectorSize, (sqlite3_file * f), (real_of(f)))
FORWARD(xDeviceCharacteristics, (sqlite3_file * f), (real_of(f)))

static int counting_xClose(sqlite3_file *f)
{
    int code = real_of(f)->pMethods->xClose(real_of(f));
    free(real_of(f));
    return code;
}

static int counting_xSync(sqlite3_file *f, int flags)
{
    if (((struct counting_file *)f)->is_wal) {
        n_wal_syncs++;
        if (fail_syncs)
            return fail_syncs;
    }
    return real_of(f)->pMethods->xSync(real_of(f), flags);
}

static int counting_xOpen(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *out)
{
    struct counting_file *file = (struct counting_file *)f;
    (void)v;
    file->real = calloc(1, (size_t)real_vfs->szOsFile);
    file->is_wal = (flags & SQLITE_OPEN_WAL) != 0;
    int code = real_vfs->xOpen(real_vfs, name, file->real, flags, out);
    if (code != SQLITE_OK)
        free(file->real);
    else
        f->pMethods = &counting_methods;
    return code;
}

/* Version 1: without shared memory, as the simulator's. */
static void register_counting(void)
{
    if (!real_vfs) {
        real_vfs = sqlite3_vfs_find(NULL);
        counting_methods = (sqlite3_io_methods){1,
                                                counting_xClose,
                                                counting_xRead,
                                                counting_xWrite,
                                                counting_xTruncate,
                                                counting_xSync,
                                                counting_xFileSize,
                                                counting_xLock,
                                                counting_xUnlock,
                                                counting_xCheckReservedLock,
                                                counting_xFileControl,
                                                counting_xSectorSize,
                                                counting_xDeviceCharacteristics,
                                                NULL,
                                                NULL,
                                                NULL,
                                                NULL,
                                                NULL,
                                                NULL};
        counting_vfs = *real_vfs;
        counting_vfs.iVersion = 1;
        counting_vfs.szOsFile = sizeof(struct counting_file);
        counting_vfs.zName = "counting";
        counting_vfs.xOpen = counting_xOpen;
        sqlite3_vfs_register(&counting_vfs, 0);
    }
    n_wal_syncs = fail_syncs = 0;
}

TEST(sync_by_vfs,
     "with a VFS of the caller's each store_sync is one sync of the log, a commit none")
{
    struct place p = place_make();
    struct store *s = NULL;
    register_counting();
    CHECK_EQ(store_open(p.path, STORE_CREATE, "counting", &s, NULL), 0);
    CHECK_EQ(commit_record(s, "a", slice_str("1")), 0);
    int before = n_wal_syncs;
    CHECK_EQ(commit_record(s, "b", slice_str("2")), 0);
    CHECK_EQ(commit_record(s, "c", slice_str("3")), 0);
    CHECK_EQ(n_wal_syncs, before);
    CHECK_EQ(store_sync(s), 0);
    CHECK_EQ(n_wal_syncs, before + 1);
    store_close(s);
    CHECK_EQ(store_open(p.path, STORE_OPEN, "counting", &s, NULL), 0);
    CHECK_EQ(count_rows(s, (struct load){.kind = LOAD_RECORDS}), 3);
    before = n_wal_syncs;
    CHECK_EQ(store_sync(s), 0);
    CHECK_EQ(n_wal_syncs, before + 1);
    store_close(s);
    place_remove(&p);
}

TEST(sync_failure_sticks, "after one failed sync every later one fails, and the sentence says why")
{
    static const int codes[][2] = {{SQLITE_IOERR_FSYNC, RAPPORT_IO}, {SQLITE_FULL, RAPPORT_FULL}};
    for (size_t i = 0; i < 2; i++) {
        struct place p = place_make();
        struct store *s = NULL;
        register_counting();
        CHECK_EQ(store_open(p.path, STORE_CREATE, "counting", &s, NULL), 0);
        fail_syncs = codes[i][0];
        CHECK_EQ(store_sync(s), codes[i][1]);
        fail_syncs = 0;
        CHECK_EQ(store_sync(s), codes[i][1]);
        CHECK(strstr(store_error(s), "check the disk") != NULL);
        store_close(s);
        place_remove(&p);
    }
}

/* ---- the real file ---- */

/* Size of the write-ahead log and which file it is. */
static struct stat wal_stat(const struct place *p)
{
    char name[80];
    struct stat info = {0};
    snprintf(name, sizeof name, "%s-wal", p->path);
    CHECK_EQ(stat(name, &info), 0);
    return info;
}

TEST(sync_same_file, "SQLite keeps one file as its log through checkpoints and large commits")
{
    struct place p = place_make();
    struct store *s = open_or_fail(p.path, STORE_CREATE);
    static uint8_t value[1 << 20];
    ino_t inode = wal_stat(&p).st_ino;
    off_t most = 0;
    for (uint8_t i = 0; i < 60; i++) { /* a checkpoint about every fourth commit */
        char key[8];
        snprintf(key, sizeof key, "%d", i % 7);
        memset(value, i, sizeof value);
        CHECK_EQ(commit_record(s, key, slice_of(value, i == 30 ? sizeof value : 900000)), 0);
        CHECK_EQ(store_sync(s), 0);
        struct stat info = wal_stat(&p);
        CHECK(info.st_ino == inode);
        most = info.st_size > most ? info.st_size : most;
    }
    CHECK(most < 20 << 20);
    store_close(s);
    place_remove(&p);
}

static atomic_bool stop_syncing;

static void *sync_all_the_time(void *store)
{
    intptr_t n = 0;
    while (!atomic_load(&stop_syncing))
        if (store_sync(store) == 0)
            n++;
        else
            return NULL;
    return (void *)(n + 1);
}

TEST(sync_beside_commits, "another thread syncs while commits and checkpoints go on")
{
    struct place p = place_make();
    struct store *s = open_or_fail(p.path, STORE_CREATE);
    static uint8_t value[200000];
    pthread_t thread;
    void *result = NULL;
    atomic_store(&stop_syncing, false);
    CHECK_EQ(pthread_create(&thread, NULL, sync_all_the_time, s), 0);
    for (int i = 0; i < 120; i++) {
        char key[8];
        snprintf(key, sizeof key, "%d", i);
        CHECK_EQ(commit_record(s, key, slice_of(value, sizeof value)), 0);
    }
    atomic_store(&stop_syncing, true);
    CHECK_EQ(pthread_join(thread, &result), 0);
    CHECK(result != NULL);
    CHECK_EQ(count_rows(s, (struct load){.kind = LOAD_RECORDS}), 120);
    store_close(s);
    place_remove(&p);
}
