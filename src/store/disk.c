/*
 * disk.c - an SQLite VFS in memory (see disk.h). A file has what the process sees and what would
 * survive a power cut; xSync makes them equal. The store opens in exclusive locking mode, so there
 * is no shared memory and locks need not exist.
 */
#include "store/disk.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "rapport/error.h"

enum {
    SECTOR = 512,
    NAME_BYTES = 128,
};

struct disk_file {
    char name[NAME_BYTES];
    uint8_t *now, *durable;
    size_t len, durable_len, cap;
    uint8_t *dirty; /* per sector */
    struct disk_file *next;
};

struct disk {
    sqlite3_vfs vfs;
    char name[32];
    struct disk_file *files;
    bool full, frozen;
    uint64_t random;
};

struct open_file {
    sqlite3_file base;
    struct disk *disk;
    struct disk_file *file;
};

static struct disk_file *file_find(struct disk *d, const char *name)
{
    for (struct disk_file *f = d->files; f; f = f->next)
        if (strcmp(f->name, name) == 0)
            return f;
    return NULL;
}

static int file_room(struct disk_file *f, size_t len)
{
    if (len <= f->cap)
        return 0;
    size_t cap = f->cap ? f->cap : 64 * 1024;
    while (cap < len)
        cap *= 2;
    uint8_t *now = realloc(f->now, cap), *durable = now ? realloc(f->durable, cap) : NULL;
    if (now)
        f->now = now;
    if (durable)
        f->durable = durable;
    uint8_t *dirty = durable ? realloc(f->dirty, cap / SECTOR) : NULL;
    if (!dirty)
        return RAPPORT_NOMEM;
    f->dirty = dirty;
    memset(f->now + f->cap, 0, cap - f->cap);
    memset(f->durable + f->cap, 0, cap - f->cap);
    memset(f->dirty + f->cap / SECTOR, 0, (cap - f->cap) / SECTOR);
    f->cap = cap;
    return 0;
}

static int disk_read(sqlite3_file *base, void *out, int n, sqlite3_int64 offset)
{
    struct disk_file *f = ((struct open_file *)base)->file;
    size_t at = (size_t)offset, want = (size_t)n;
    size_t have = at < f->len ? f->len - at : 0;
    if (have > want)
        have = want;
    if (have)
        memcpy(out, f->now + at, have);
    memset((uint8_t *)out + have, 0, want - have);
    return have == want ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int disk_write(sqlite3_file *base, const void *bytes, int n, sqlite3_int64 offset)
{
    struct open_file *o = (struct open_file *)base;
    struct disk_file *f = o->file;
    size_t at = (size_t)offset, end = at + (size_t)n;
    if (o->disk->frozen)
        return SQLITE_IOERR_WRITE;
    if (o->disk->full && end > f->len)
        return SQLITE_FULL;
    if (file_room(f, end))
        return SQLITE_IOERR_NOMEM;
    memcpy(f->now + at, bytes, (size_t)n);
    if (end > f->len)
        f->len = end;
    memset(f->dirty + at / SECTOR, 1, (end - 1) / SECTOR - at / SECTOR + 1);
    return SQLITE_OK;
}

static int disk_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    struct open_file *o = (struct open_file *)base;
    struct disk_file *f = o->file;
    if (o->disk->frozen)
        return SQLITE_IOERR_TRUNCATE;
    if ((size_t)size < f->len) {
        memset(f->now + size, 0, f->len - (size_t)size);
        memset(f->dirty + (size_t)size / SECTOR, 1,
               (f->len - 1) / SECTOR - (size_t)size / SECTOR + 1);
        f->len = (size_t)size;
    }
    return SQLITE_OK;
}

static int disk_sync(sqlite3_file *base, int flags)
{
    struct open_file *o = (struct open_file *)base;
    struct disk_file *f = o->file;
    (void)flags;
    if (o->disk->frozen)
        return SQLITE_IOERR_FSYNC;
    for (size_t s = 0; s * SECTOR < f->cap; s++)
        if (f->dirty[s]) {
            memcpy(f->durable + s * SECTOR, f->now + s * SECTOR, SECTOR);
            f->dirty[s] = 0;
        }
    f->durable_len = f->len;
    return SQLITE_OK;
}

static int disk_size(sqlite3_file *base, sqlite3_int64 *size)
{
    *size = (sqlite3_int64)((struct open_file *)base)->file->len;
    return SQLITE_OK;
}

static int disk_close(sqlite3_file *base)
{
    (void)base;
    return SQLITE_OK;
}

static int disk_lock(sqlite3_file *base, int level)
{
    (void)base;
    (void)level;
    return SQLITE_OK;
}

static int disk_reserved(sqlite3_file *base, int *out)
{
    (void)base;
    *out = 0;
    return SQLITE_OK;
}

static int disk_control(sqlite3_file *base, int op, void *arg)
{
    (void)base;
    (void)op;
    (void)arg;
    return SQLITE_NOTFOUND;
}

static int disk_sector(sqlite3_file *base)
{
    (void)base;
    return SECTOR;
}

static int disk_traits(sqlite3_file *base)
{
    (void)base;
    return 0;
}

static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = disk_close,
    .xRead = disk_read,
    .xWrite = disk_write,
    .xTruncate = disk_truncate,
    .xSync = disk_sync,
    .xFileSize = disk_size,
    .xLock = disk_lock,
    .xUnlock = disk_lock,
    .xCheckReservedLock = disk_reserved,
    .xFileControl = disk_control,
    .xSectorSize = disk_sector,
    .xDeviceCharacteristics = disk_traits,
};

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags,
                    int *out_flags)
{
    struct disk *d = vfs->pAppData;
    struct open_file *o = (struct open_file *)base;
    base->pMethods = NULL;
    if (!name)
        return SQLITE_CANTOPEN;
    struct disk_file *f = file_find(d, name);
    if (!f && !(flags & SQLITE_OPEN_CREATE))
        return SQLITE_CANTOPEN;
    if (!f) {
        f = calloc(1, sizeof *f);
        if (!f)
            return SQLITE_NOMEM;
        snprintf(f->name, sizeof f->name, "%s", name);
        f->next = d->files;
        d->files = f;
    }
    *o = (struct open_file){.base = {&methods}, .disk = d, .file = f};
    if (out_flags)
        *out_flags = flags;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    struct disk *d = vfs->pAppData;
    struct disk_file *f = file_find(d, name);
    (void)sync;
    if (d->frozen)
        return SQLITE_IOERR_DELETE;
    if (!f)
        return SQLITE_IOERR_DELETE_NOENT;
    f->len = f->durable_len = 0; /* a deletion is durable at once here */
    if (f->cap) {
        memset(f->now, 0, f->cap);
        memset(f->durable, 0, f->cap);
        memset(f->dirty, 0, f->cap / SECTOR);
    }
    f->name[0] = 0;
    return SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    (void)flags;
    *out = file_find(vfs->pAppData, name) != NULL;
    return SQLITE_OK;
}

static int vfs_path(sqlite3_vfs *vfs, const char *name, int n, char *out)
{
    (void)vfs;
    snprintf(out, (size_t)n, "%s", name);
    return SQLITE_OK;
}

static int vfs_random(sqlite3_vfs *vfs, int n, char *out)
{
    struct disk *d = vfs->pAppData;
    for (int i = 0; i < n; i++) {
        d->random = d->random * 6364136223846793005u + 1442695040888963407u;
        out[i] = (char)(d->random >> 56);
    }
    return n;
}

static int vfs_sleep(sqlite3_vfs *vfs, int us)
{
    (void)vfs;
    return us;
}

/* Nothing in the schema asks for the time. */
static int vfs_time(sqlite3_vfs *vfs, double *out)
{
    (void)vfs;
    *out = 2460000.5;
    return SQLITE_OK;
}

static int vfs_error(sqlite3_vfs *vfs, int n, char *out)
{
    (void)vfs;
    (void)n;
    (void)out;
    return 0;
}

int disk_create(uint64_t seed, struct disk **out)
{
    struct disk *d = calloc(1, sizeof *d);
    if (!d)
        return RAPPORT_NOMEM;
    d->random = seed;
    snprintf(d->name, sizeof d->name, "disk-%p", (void *)d);
    d->vfs = (sqlite3_vfs){
        .iVersion = 1,
        .szOsFile = sizeof(struct open_file),
        .mxPathname = NAME_BYTES - 1,
        .zName = d->name,
        .pAppData = d,
        .xOpen = vfs_open,
        .xDelete = vfs_delete,
        .xAccess = vfs_access,
        .xFullPathname = vfs_path,
        .xRandomness = vfs_random,
        .xSleep = vfs_sleep,
        .xCurrentTime = vfs_time,
        .xGetLastError = vfs_error,
    };
    if (sqlite3_vfs_register(&d->vfs, 0) != SQLITE_OK) {
        free(d);
        return RAPPORT_NOMEM;
    }
    *out = d;
    return 0;
}

void disk_destroy(struct disk *d)
{
    if (!d)
        return;
    sqlite3_vfs_unregister(&d->vfs);
    while (d->files) {
        struct disk_file *f = d->files;
        d->files = f->next;
        free(f->now);
        free(f->durable);
        free(f->dirty);
        free(f);
    }
    free(d);
}

const char *disk_name(const struct disk *d)
{
    return d->name;
}

void disk_set_full(struct disk *d, bool full)
{
    d->full = full;
}

void disk_set_frozen(struct disk *d, bool frozen)
{
    d->frozen = frozen;
}

static void file_power_cut(struct disk_file *f, uint64_t (*draw)(void *user, uint64_t n),
                           void *user)
{
    for (size_t s = 0; s * SECTOR < f->cap; s++) {
        if (!f->dirty[s])
            continue;
        if (draw(user, 2))
            memcpy(f->durable + s * SECTOR, f->now + s * SECTOR, SECTOR);
        f->dirty[s] = 0;
    }
    if (f->durable_len != f->len && draw(user, 2))
        f->len = f->durable_len; /* the length in the inode is old, too */
    f->durable_len = f->len;
    if (!f->cap)
        return;
    memset(f->durable + f->len, 0, f->cap - f->len); /* what lies behind the end reads as zeros */
    memcpy(f->now, f->durable, f->cap);
}

void disk_power_cut(struct disk *d, uint64_t (*draw)(void *user, uint64_t n), void *user)
{
    for (struct disk_file *f = d->files; f; f = f->next)
        file_power_cut(f, draw, user);
}
