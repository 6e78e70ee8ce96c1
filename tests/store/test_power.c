/*
 * test_power.c - the disk in memory: what a power cut leaves of a file, as SQLite may expect it of
 * a real one.
 */
#include <sqlite3.h>
#include <stdlib.h>

#include "store/disk.h"
#include "test.h"

enum {
    SECTOR = 512
};

static uint64_t draws; /* bits: the answers, in turn */

static uint64_t answer(void *user, uint64_t n)
{
    (void)user;
    (void)n;
    uint64_t bit = draws & 1;
    draws >>= 1;
    return bit;
}

struct file {
    struct disk *disk;
    sqlite3_file *f;
};

static struct file file_open(void)
{
    struct file file = {0};
    CHECK_EQ(disk_create(1, &file.disk), 0);
    sqlite3_vfs *vfs = sqlite3_vfs_find(disk_name(file.disk));
    CHECK(vfs != NULL);
    file.f = calloc(1, (size_t)vfs->szOsFile);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MAIN_DB;
    CHECK_EQ(vfs->xOpen(vfs, "x", file.f, flags, &flags), SQLITE_OK);
    return file;
}

static void file_close(struct file *file)
{
    file->f->pMethods->xClose(file->f);
    free(file->f);
    disk_destroy(file->disk);
}

static void put(struct file *file, char c, size_t n, size_t at)
{
    char bytes[8 * SECTOR];
    memset(bytes, c, n);
    CHECK_EQ(file->f->pMethods->xWrite(file->f, bytes, (int)n, (sqlite3_int64)at), SQLITE_OK);
}

static char get(struct file *file, size_t at)
{
    char c = '?';
    int code = file->f->pMethods->xRead(file->f, &c, 1, (sqlite3_int64)at);
    return code == SQLITE_OK ? c : code == SQLITE_IOERR_SHORT_READ ? '-' : '!';
}

static size_t size(struct file *file)
{
    sqlite3_int64 n = -1;
    CHECK_EQ(file->f->pMethods->xFileSize(file->f, &n), SQLITE_OK);
    return (size_t)n;
}

TEST(power_synced, "what was synced survives whatever the draw says")
{
    static const uint64_t answers[] = {0, UINT64_MAX};
    for (size_t i = 0; i < 2; i++) {
        struct file file = file_open();
        put(&file, 'a', 4 * SECTOR, 0);
        CHECK_EQ(file.f->pMethods->xSync(file.f, SQLITE_SYNC_NORMAL), SQLITE_OK);
        draws = answers[i];
        disk_power_cut(file.disk, answer, NULL);
        CHECK_EQ(size(&file), 4 * SECTOR);
        CHECK(get(&file, 0) == 'a' && get(&file, 4 * SECTOR - 1) == 'a');
        file_close(&file);
    }
}

TEST(power_sectors, "each sector that was not synced survives by itself, in whole")
{
    struct file file = file_open();
    put(&file, 'a', 4 * SECTOR, 0);
    CHECK_EQ(file.f->pMethods->xSync(file.f, SQLITE_SYNC_NORMAL), SQLITE_OK);
    put(&file, 'b', 3 * SECTOR, 10); /* touches the first four */
    draws = 0x5;                     /* the first and the third survive */
    disk_power_cut(file.disk, answer, NULL);
    CHECK(get(&file, 9) == 'a' && get(&file, 10) == 'b' && get(&file, SECTOR - 1) == 'b');
    CHECK(get(&file, SECTOR) == 'a' && get(&file, 2 * SECTOR - 1) == 'a');
    CHECK(get(&file, 2 * SECTOR) == 'b' && get(&file, 3 * SECTOR) == 'a');
    file_close(&file);
}

/* Writes four sectors, syncs, cuts them to one; then the power goes. */
static struct file truncated(uint64_t answers)
{
    struct file file = file_open();
    put(&file, 'a', 4 * SECTOR, 0);
    CHECK_EQ(file.f->pMethods->xSync(file.f, SQLITE_SYNC_NORMAL), SQLITE_OK);
    CHECK_EQ(file.f->pMethods->xTruncate(file.f, SECTOR), SQLITE_OK);
    draws = answers;
    disk_power_cut(file.disk, answer, NULL);
    return file;
}

TEST(power_truncate, "a truncation that was not synced may have happened or not")
{
    struct file file = truncated(0); /* it has; no old sector comes back */
    CHECK_EQ(size(&file), SECTOR);
    put(&file, 'c', 1, 3 * SECTOR);
    CHECK_EQ(get(&file, 2 * SECTOR), 0); /* a hole, not what stood there */
    file_close(&file);
    file = truncated(0x8); /* three sectors keep their old content, and the length is old */
    CHECK_EQ(size(&file), 4 * SECTOR);
    CHECK_EQ(get(&file, 2 * SECTOR), 'a');
    file_close(&file);
}

TEST(power_full, "a full disk takes writes inside of a file and refuses those that make it longer")
{
    struct file file = file_open();
    put(&file, 'a', 2 * SECTOR, 0);
    disk_set_full(file.disk, true);
    put(&file, 'b', SECTOR, 0);
    CHECK_EQ(file.f->pMethods->xWrite(file.f, "c", 1, 2 * SECTOR), SQLITE_FULL);
    CHECK_EQ(size(&file), 2 * SECTOR);
    CHECK_EQ(file.f->pMethods->xSync(file.f, SQLITE_SYNC_NORMAL), SQLITE_OK);
    disk_set_full(file.disk, false);
    put(&file, 'c', 1, 2 * SECTOR);
    file_close(&file);
}
