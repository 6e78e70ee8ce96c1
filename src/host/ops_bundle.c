/*
 * ops_bundle.c - bundles: the node's bytes to a file and back. A file is written beside its place,
 * brought to the disk and only then renamed, so what stands there is whole or as it was before;
 * memory is bounded by one block, however large a file is or claims to be.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "host/ops_parts.h"

enum {
    BLOCK_BYTES = 256 * 1024,
    BUNDLE_MOST_PATH = 4096,
};

static int fail_errno(struct call *c, const char *path)
{
    int number = errno;
    return call_fail(c, host_errno(number), 0, "%s: %s", path, strerror(number));
}

/* ---- members ---- */

/* Writes the name that is shown for a device; "" when it is no member's. */
static const char *name_of(struct call *c, const uint8_t device[RAPPORT_DEVICE_ID_BYTES])
{
    struct rapport_member_info m;
    size_t at = 0;
    while (rapport_node_next_member(c->h->node, &at, &m))
        if (memcmp(m.device, device, sizeof m.device) == 0) {
            const char *copy = arena_copy(&c->arena, m.name, strlen(m.name));
            return copy ? copy : "";
        }
    return "";
}

static bool is_called(const struct rapport_member_info *m, struct slice name)
{
    char hex[2 * RAPPORT_DEVICE_ID_BYTES + 1];
    hex_encode(hex, m->device, sizeof m->device);
    return slice_equal(name, slice_str(m->name)) || slice_equal(name, slice_str(hex));
}

static int find_device(struct call *c, struct slice name, uint8_t device[RAPPORT_DEVICE_ID_BYTES])
{
    struct rapport_member_info m;
    size_t at = 0, found = 0;
    while (rapport_node_next_member(c->h->node, &at, &m))
        if (!m.removed && is_called(&m, name)) {
            memcpy(device, m.device, sizeof m.device);
            found++;
        }
    if (found == 1)
        return 0;
    return call_fail(c, found ? RAPPORT_AMBIGUOUS : RAPPORT_NOTFOUND, 0,
                     found ? "%.*s has more than one device here; name one by its id: rapport "
                             "--json member ls"
                           : "nobody here is called %.*s; rapport member ls says who is in",
                     (int)(name.len < 256 ? name.len : 256), (const char *)name.ptr);
}

/* ---- a file to read ---- */

/* Opens a regular file: anything else may never end. Returns the descriptor, or -1. */
static int open_bundle(struct call *c, const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &st)) {
        (void)fail_errno(c, path);
    } else if (!S_ISREG(st.st_mode)) {
        (void)call_fail(c, RAPPORT_INVALID, 0, "%s is no file", path);
    } else {
        return fd;
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Fills a block as far as the file goes. Returns 0 or fails the call. */
static int read_block(struct call *c, int fd, const char *path, struct buf *block)
{
    buf_reset(block);
    uint8_t *room = buf_reserve(block, BLOCK_BYTES);
    if (!room)
        return RAPPORT_NOMEM;
    while (block->len < BLOCK_BYTES) {
        ssize_t n = read(fd, room + block->len, BLOCK_BYTES - block->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno(c, path);
        if (n == 0)
            break;
        block->len += (size_t)n;
    }
    return 0;
}

/* ---- write ---- */

struct writing {
    struct call *c;
    struct rapport_bundle *bundle;
    const char *file;
    char beside[BUNDLE_MOST_PATH];
    int fd;
    bool force;
    uint64_t arrival, last, n_bytes;
    size_t n_rows;
};

static int write_ready(struct writing *w)
{
    const uint8_t *bytes;
    size_t len;
    rapport_bundle_take(w->bundle, &bytes, &len);
    for (size_t at = 0; at < len;) {
        ssize_t n = write(w->fd, bytes + at, len - at);
        if (n < 0 && errno != EINTR)
            return fail_errno(w->c, w->beside);
        at += n > 0 ? (size_t)n : 0;
    }
    w->n_bytes += len;
    return 0;
}

static int put_row(void *user, const struct load_row *row)
{
    struct writing *w = user;
    w->arrival = row->arrival;
    if (row->arrival > w->last)
        return 0;
    w->n_rows++;
    return rapport_bundle_put(w->bundle, row->value.ptr, row->value.len);
}

static int write_deltas(struct writing *w)
{
    int error = store_last_arrival(w->c->h->store, &w->last);
    do {
        struct load load = {.kind = LOAD_ARRIVED, .from = w->arrival, .max_bytes = BLOCK_BYTES};
        w->n_rows = 0;
        if (!error)
            error = store_load(w->c->h->store, &load, put_row, w);
        if (!error)
            error = write_ready(w);
    } while (!error && w->n_rows > 0);
    if (!error)
        error = rapport_bundle_end(w->bundle);
    return error ? error : write_ready(w);
}

/* What the answered bundle's writer had is left out. */
static int answer(struct writing *w, const char *path, const char **whom)
{
    struct buf block = BUF_INIT;
    uint8_t device[RAPPORT_DEVICE_ID_BYTES];
    int fd = open_bundle(w->c, path);
    int error = fd < 0 ? w->c->error : RAPPORT_AGAIN;
    while (error == RAPPORT_AGAIN) {
        error = read_block(w->c, fd, path, &block);
        if (!error)
            error = rapport_bundle_reply_to(w->bundle, block.ptr, block.len);
    }
    if (fd >= 0)
        close(fd);
    buf_clear(&block);
    if (error && !w->c->error)
        error =
            call_fail(w->c, error, 65, "%s cannot be answered: %s", path, rapport_strerror(error));
    rapport_bundle_writer(w->bundle, device);
    *whom = name_of(w->c, device);
    return error;
}

static int choose(struct writing *w, const char **whom, bool *whole)
{
    struct slice name;
    uint8_t device[RAPPORT_DEVICE_ID_BYTES];
    const char *reply_to = arg_cstr(w->c, "reply_to");
    bool named = arg_str(w->c, "for", &name);
    *whole = false;
    *whom = "";
    if (reply_to && named)
        return call_fail(w->c, RAPPORT_INVALID, 0, "choose one of --for and --reply-to");
    if (reply_to)
        return answer(w, reply_to, whom);
    if (!named)
        return 0;
    int error = find_device(w->c, name, device);
    if (error)
        return error;
    *whom = name_of(w->c, device);
    error = rapport_bundle_for(w->bundle, device);
    *whole = error == RAPPORT_NOTFOUND;
    return *whole ? 0 : error;
}

/* May the file be put in its place? */
static int check_place(struct writing *w)
{
    struct stat st;
    if (lstat(w->file, &st))
        return errno == ENOENT ? 0 : fail_errno(w->c, w->file);
    if (!S_ISREG(st.st_mode))
        return call_fail(w->c, RAPPORT_EXISTS, 0, "%s is there already, and is no file", w->file);
    if (!w->force)
        return call_fail(w->c, RAPPORT_EXISTS, 0, "%s is there already; --force writes over it",
                         w->file);
    return 0;
}

static int open_beside(struct writing *w)
{
    int n = snprintf(w->beside, sizeof w->beside, "%s.XXXXXX", w->file);
    if (n < 0 || (size_t)n >= sizeof w->beside)
        return call_fail(w->c, RAPPORT_LIMIT, 0, "this path is too long");
    w->fd = mkostemp(w->beside, O_CLOEXEC);
    if (w->fd >= 0)
        return 0;
    (void)snprintf(w->beside, sizeof w->beside, "%s", w->file);
    return fail_errno(w->c, w->file);
}

/* Not every file system can refuse to replace; then a look right before must do. */
static int rename_over(struct writing *w)
{
    if (!w->force && renameat2(AT_FDCWD, w->beside, AT_FDCWD, w->file, RENAME_NOREPLACE) == 0)
        return 0;
    if (!w->force && errno != EINVAL && errno != ENOSYS)
        return fail_errno(w->c, w->file);
    int error = check_place(w);
    if (!error && rename(w->beside, w->file))
        error = fail_errno(w->c, w->file);
    return error;
}

/* The new name itself has to reach the disk; a file system that cannot sync folders is let be. */
static void sync_folder(const char *file)
{
    char folder[BUNDLE_MOST_PATH];
    const char *slash = strrchr(file, '/');
    (void)snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - file) + 1 : 1,
                   slash ? file : ".");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
}

static int write_file(struct writing *w)
{
    int error = open_beside(w);
    if (error)
        return error;
    error = write_deltas(w);
    if (!error && fsync(w->fd))
        error = fail_errno(w->c, w->beside);
    if (close(w->fd) && !error)
        error = fail_errno(w->c, w->beside);
    if (!error)
        error = rename_over(w);
    if (error)
        (void)unlink(w->beside);
    else
        sync_folder(w->file);
    return error;
}

static int write_bundle(struct writing *w)
{
    const char *whom;
    bool whole;
    struct rapport_bundle_counts counts;
    int error = check_place(w);
    if (!error)
        error = choose(w, &whom, &whole);
    if (!error)
        error = write_file(w);
    if (error)
        return w->c->error ? error
                           : call_fail(w->c, error, 0, "%s was not written: %s", w->file,
                                       rapport_strerror(error));
    rapport_bundle_counts(w->bundle, &counts);
    field_str(w->c, "file", w->file);
    field_u64(w->c, "notes", counts.n_notes);
    field_u64(w->c, "deltas", counts.n_deltas);
    field_u64(w->c, "events", counts.n_events);
    field_u64(w->c, "bytes", w->n_bytes);
    field_str(w->c, "for", whom);
    field_bool(w->c, "whole", whole);
    return 0;
}

static const char *absolute_file(struct call *c)
{
    const char *file = arg_cstr(c, "file");
    if (file && file[0] == '/')
        return file;
    (void)call_fail(c, RAPPORT_INVALID, 0, "the file's absolute path is missing");
    return NULL;
}

int op_bundle_write(struct call *c)
{
    struct writing w = {.c = c, .file = absolute_file(c), .fd = -1, .force = arg_bool(c, "force")};
    if (!w.file)
        return c->error;
    call_to_disk(c->h);
    int error = rapport_bundle_create(c->h->node, &w.bundle);
    if (!error)
        error = write_bundle(&w);
    rapport_bundle_destroy(w.bundle);
    return error;
}

/* ---- read ---- */

static int give(struct host *h, const struct buf *block)
{
    struct rapport_event event = {
        .kind = RAPPORT_EVENT_BUNDLE, .bytes = block->ptr, .len = block->len};
    int error = host_step(h, &event);
    return error == RAPPORT_AGAIN ? host_step(h, &event) : error; /* the index is here now */
}

/* Returns 0 when the file came to its end, or why it did not: a failed call, or the bundle's. */
static int read_bundle(struct call *c, int fd, const char *file, struct buf *block)
{
    int error = 0;
    do {
        error = read_block(c, fd, file, block);
        if (!error)
            error = give(c->h, block);
    } while (!error && block->len);
    if (c->error) { /* the file, not the bundle: the node must not wait for the rest */
        buf_reset(block);
        (void)give(c->h, block);
    }
    return error;
}

static const char *problem_of(int error)
{
    if (error == RAPPORT_TRUNCATED)
        return "the file is cut off";
    return error == RAPPORT_VERSION ? rapport_strerror(error) : "the file is damaged";
}

/* Nothing of it could be read at all. */
static int fail_unread(struct call *c, int error, const char *file)
{
    if (error == RAPPORT_NOKEY)
        return call_fail(c, error, 65,
                         "%s: this bundle is of another report, or of an epoch that this device "
                         "does not have, or is damaged in front; nothing was taken",
                         file);
    if (error == RAPPORT_MALFORMED)
        return call_fail(c, error, 65, "%s is no bundle; nothing was taken", file);
    return call_fail(c, error, error == RAPPORT_TRUNCATED || error == RAPPORT_AUTH ? 65 : 0,
                     "%s: %s; nothing was taken", file, rapport_strerror(error));
}

static void field_info(struct call *c, const struct rapport_bundle_info *info, int error)
{
    field_str(c, "from", info->by_member ? name_of(c, info->device) : "");
    field_u64(c, "written", info->wall_ms);
    field_u64(c, "deltas", info->n_deltas);
    field_u64(c, "known", info->n_known);
    field_u64(c, "taken", info->n_taken);
    field_u64(c, "events", info->n_taken_events);
    field_u64(c, "waiting", info->n_waiting);
    field_u64(c, "refused", info->n_refused);
    field_str(c, "waits_for", info->waits_for_name);
    field_str(c, "problem", error ? problem_of(error) : "");
}

int op_bundle_read(struct call *c)
{
    struct rapport_bundle_info info;
    struct buf block = BUF_INIT;
    const char *file = absolute_file(c);
    int fd = file ? open_bundle(c, file) : -1;
    if (fd < 0)
        return c->error;
    int error = read_bundle(c, fd, file, &block);
    close(fd);
    buf_clear(&block);
    call_to_disk(c->h);
    if (c->error)
        return c->error;
    rapport_node_bundle(c->h->node, &info);
    if (error && (info.n_deltas == 0 || error == RAPPORT_NOKEY || info.error != error))
        return fail_unread(c, error, file);
    field_info(c, &info, error);
    return 0;
}
