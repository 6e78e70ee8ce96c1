/*
 * host.c - opening and closing a report: folder, lock, key, database, node, mirror, in this order.
 *
 * What a failed open had made is taken back (the folder .rapport of an INIT or JOIN), and nothing
 * else: a folder with files in it is never emptied.
 */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/mirror.h"
#include "host/state.h"

static int say_why(struct buf *why, int error, const char *what, const char *cause)
{
    if (why)
        buf_printf(why, "%s: %s", what, cause);
    return error;
}

/* ---- finding ---- */

/* True when path/.rapport is a folder (no symlink). */
static bool holds_report(const struct buf *path)
{
    struct buf inner = BUF_INIT;
    struct stat st;
    buf_printf(&inner, "%s/.rapport", (const char *)path->ptr);
    bool found = buf_cstr(&inner) && !lstat((char *)inner.ptr, &st) && S_ISDIR(st.st_mode);
    buf_clear(&inner);
    return found;
}

int host_find(const char *start, struct buf *dir)
{
    char *absolute = realpath(start, NULL);
    if (!absolute)
        return host_errno(errno);
    struct buf path = BUF_INIT;
    buf_append_str(&path, absolute);
    free(absolute);
    int error = buf_cstr(&path) ? RAPPORT_NOTFOUND : RAPPORT_NOMEM;
    while (error == RAPPORT_NOTFOUND && path.len > 0) {
        if (holds_report(&path)) {
            error = 0;
            break;
        }
        while (path.len > 0 && path.ptr[path.len - 1] != '/')
            path.len--;
        path.len -= path.len > 0;
        (void)buf_cstr(&path);
    }
    if (!error)
        buf_append_slice(dir, buf_slice(&path));
    buf_clear(&path);
    return error ? error : buf_error(dir);
}

/* ---- the folder ---- */

static const char damaged[] = "the database is damaged; the files of the notes are untouched: move "
                              "the folder .rapport away, then join again by a friend's ticket";

/* A report inside of another one would be notes of that, and theirs of this. */
static int refuse_nested(const struct host_config *c, struct buf *why)
{
    struct buf parent = BUF_INIT, outer = BUF_INIT;
    buf_printf(&parent, "%s/..", c->dir);
    struct stat st;
    const char *path = buf_cstr(&parent);
    if (path && stat(c->dir, &st) && errno == ENOENT) { /* not made yet: where it will stand */
        const char *slash = strrchr(c->dir, '/');
        buf_reset(&parent);
        buf_append(&parent, slash ? c->dir : ".", slash ? (size_t)(slash - c->dir) + 1 : 1);
        path = buf_cstr(&parent);
    }
    int error = path ? host_find(path, &outer) : RAPPORT_NOMEM;
    if (!error)
        say_why(why, RAPPORT_EXISTS, c->dir,
                "this is inside of another report; choose a folder elsewhere");
    buf_clear(&parent);
    buf_clear(&outer);
    return error == RAPPORT_NOMEM ? error : error ? 0 : RAPPORT_EXISTS;
}

/* Says, from errno, why there can be no report in a folder. That something on the way to it is
   missing does not make it a report that was not found. */
static int say_unmade(struct buf *why, const char *dir)
{
    int error = host_errno(errno);
    if (why)
        buf_printf(why, "%s: no report can be made there: %s", dir, strerror(errno));
    return error == RAPPORT_NOTFOUND ? RAPPORT_IO : error;
}

static int open_folder(struct host *h, const struct host_config *c, struct buf *why)
{
    bool makes = c->start != RAPPORT_START_OPEN;
    int nested = makes ? refuse_nested(c, why) : 0;
    if (nested)
        return nested;
    if (makes && mkdir(c->dir, 0777) && errno != EEXIST)
        return say_unmade(why, c->dir);
    h->dir = realpath(c->dir, NULL);
    h->dir_fd = h->dir ? open(h->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (h->dir_fd < 0 && makes)
        return say_unmade(why, c->dir);
    if (h->dir_fd < 0)
        return say_why(why, host_errno(errno), c->dir, strerror(errno));
    if (makes && mkdirat(h->dir_fd, ".rapport", 0700) && errno != EEXIST)
        return say_unmade(why, c->dir);
    h->rapport_fd = openat(h->dir_fd, ".rapport", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (h->rapport_fd < 0)
        return say_why(why, host_errno(errno), c->dir,
                       errno == ENOENT
                           ? "there is no report in this folder; make one with: rapport "
                             "init TITLE"
                           : strerror(errno));
    return 0;
}

static int open_lock(struct host *h, struct buf *why)
{
    int64_t pid = 0;
    int error = lock_take(h->rapport_fd, &h->lock_fd, &pid);
    if (error == RAPPORT_LOCKED && why)
        buf_printf(why, "%s: process %lld has this report open", h->dir, (long long)pid);
    else if (error)
        say_why(why, error, h->dir, rapport_strerror(error));
    return error;
}

static int read_run(void *user, const struct load_row *row)
{
    struct last_database *db = user;
    db->n_records++;
    if (!slice_equal(row->key, slice_str("local/host/run")) ||
        row->value.len != LAST_TOKEN_BYTES + RAPPORT_REPORT_ID_BYTES)
        return 0;
    db->has_token = true;
    memcpy(db->token, row->value.ptr, LAST_TOKEN_BYTES);
    memcpy(db->report, row->value.ptr + LAST_TOKEN_BYTES, RAPPORT_REPORT_ID_BYTES);
    return 0;
}

static int read_database(struct host *h)
{
    struct load records = {.kind = LOAD_RECORDS, .max_bytes = LOAD_MOST_BYTES};
    int error = store_load(h->store, &records, read_run, &h->database);
    return error ? error : store_last_arrival(h->store, &h->database.arrival);
}

static int open_store(struct host *h, const struct host_config *c, struct buf *why)
{
    struct buf path = BUF_INIT;
    buf_printf(&path, "%s/.rapport/report.db", h->dir);
    if (!buf_cstr(&path))
        return RAPPORT_NOMEM;
    enum store_mode mode = c->start == RAPPORT_START_OPEN ? STORE_OPEN : STORE_CREATE;
    int error = store_open((char *)path.ptr, mode, NULL, &h->store, why);
    bool exists = error == RAPPORT_EXISTS;
    if (exists) {
        if (why)
            buf_reset(why);
        error = store_open((char *)path.ptr, STORE_OPEN, NULL, &h->store, why);
    }
    buf_clear(&path);
    if (!error)
        error = read_database(h);
    /* Not a row in it: an `init` or `join` that was cut off left it, and may be begun again. */
    bool blank = !error && h->database.n_records == 0 && h->database.arrival == 0;
    if (exists && !error && !blank)
        return say_why(why, RAPPORT_EXISTS, h->dir, "there is a report in this folder already");
    h->made = mode == STORE_CREATE && !error;
    if (mode == STORE_OPEN && (blank || error == RAPPORT_NOTFOUND)) {
        if (why)
            buf_reset(why);
        return say_why(why, RAPPORT_NOTFOUND, h->dir,
                       "making the report was cut off here; begin again with rapport init or "
                       "rapport join, the files stay");
    }
    return error;
}

/* ---- the node ---- */

static int create_node(struct host *h, const struct host_config *c, const uint8_t *key,
                       struct buf *why)
{
    struct rapport_node_config node = {
        .start = c->start,
        .device_seed = key,
        .name = h->name,
        .title = c->title,
        .ticket = c->ticket,
        .wall_ms = host_wall(),
    };
    node.new_log = c->start == RAPPORT_START_OPEN && !last_is_sure(h->home, &h->database);
    if (getrandom(node.seed, sizeof node.seed, 0) != (ssize_t)sizeof node.seed)
        return say_why(why, RAPPORT_IO, h->dir, "the system gives no random bytes");
    int error = rapport_node_create(&node, &h->node);
    sodium_memzero(node.seed, sizeof node.seed);
    if (!error)
        return 0;
    if (c->start == RAPPORT_START_JOIN)
        return say_why(why, error, "this ticket cannot be used", rapport_strerror(error));
    return say_why(why, error, c->title ? c->title : h->dir, rapport_strerror(error));
}

static int open_node(struct host *h, const struct host_config *c, struct buf *why)
{
    uint8_t key[HOST_KEY_BYTES];
    int error = home_key(h->home, key, why);
    if (!error)
        error = create_node(h, c, key, why);
    sodium_memzero(key, sizeof key);
    if (error)
        return error;
    host_drain(h);
    if (h->failure)
        return say_why(why, h->failure, h->dir, host_failure(h, NULL));
    return rapport_node_failure(h->node);
}

/* ---- open and close ---- */

static int open_home_state(struct host *h, const struct host_config *c, struct buf *why)
{
    struct buf home = BUF_INIT, name = BUF_INIT;
    int error = host_home(c->home, &home, why);
    if (!error && !buf_cstr(&home))
        error = RAPPORT_NOMEM;
    if (!error)
        error = home_name((char *)home.ptr, c->name, &name, why);
    if (!error && !buf_cstr(&name))
        error = RAPPORT_NOMEM;
    if (!error) {
        size_t len;
        h->home = (char *)buf_detach(&home, &len);
        h->name = (char *)buf_detach(&name, &len);
    }
    buf_clear(&home);
    buf_clear(&name);
    return error;
}

static int open_all(struct host *h, const struct host_config *c, struct buf *why)
{
    int error = open_home_state(h, c, why);
    if (!error)
        error = open_folder(h, c, why);
    if (!error)
        error = open_lock(h, why);
    if (!error)
        error = open_store(h, c, why);
    if (!error)
        error = mirror_create(h);
    return error ? error : open_node(h, c, why);
}

static void release(struct host *h)
{
    mirror_destroy(h);
    if (h->node)
        rapport_node_destroy(h->node);
    store_close(h->store);
    if (h->lock_fd >= 0)
        close(h->lock_fd);
    if (h->rapport_fd >= 0)
        close(h->rapport_fd);
    if (h->dir_fd >= 0)
        close(h->dir_fd);
    arena_clear(&h->gather.arena);
    free(h->gather.records);
    for (size_t i = 0; i < h->n_notices; i++)
        free(h->notices[i]);
    buf_clear(&h->failure_text);
    free(h->dir);
    free(h->home);
    free(h->name);
    free(h);
}

/* Takes back the folder .rapport of a report that never came to be. */
static void unmake(struct host *h)
{
    static const char *const names[] = {"report.db", "report.db-wal", "report.db-shm", "lock",
                                        "port"};
    store_close(h->store);
    h->store = NULL;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        (void)unlinkat(h->rapport_fd, names[i], 0);
    (void)unlinkat(h->rapport_fd, "base", AT_REMOVEDIR);
    (void)unlinkat(h->rapport_fd, "trash", AT_REMOVEDIR);
    (void)unlinkat(h->dir_fd, ".rapport", AT_REMOVEDIR);
    (void)unlinkat(h->dir_fd, "notes", AT_REMOVEDIR); /* if it is empty */
}

int host_open(const struct host_config *config, struct host **out, struct buf *why)
{
    *out = NULL;
    if (sodium_init() < 0)
        return say_why(why, RAPPORT_IO, "libsodium", "cannot start");
    struct host *h = calloc(1, sizeof *h);
    if (!h)
        return RAPPORT_NOMEM;
    h->dir_fd = h->rapport_fd = h->lock_fd = h->last.fd = -1;
    h->start = config->start;
    h->join = config->start == RAPPORT_START_JOIN ? HOST_JOIN_WAITING : HOST_JOIN_NONE;
    int error = open_all(h, config, why);
    if (error && why && why->len == 0)
        say_why(why, error, config->dir,
                error == RAPPORT_CORRUPT ? damaged : rapport_strerror(error));
    if (error) {
        if (h->made)
            unmake(h);
        last_end(&h->last, false);
        release(h);
        return error;
    }
    if (config->start != RAPPORT_START_OPEN)
        (void)mkdirat(h->dir_fd, "notes",
                      0777); /* so that an editor can save there; else made later */
    *out = h;
    return 0;
}

int host_close(struct host *h)
{
    if (!h)
        return 0;
    h->hooked = false; /* whoever had hooks has stopped: sync here */
    uint8_t id[RAPPORT_REPORT_ID_BYTES];
    bool joined = h->start != RAPPORT_START_JOIN || rapport_node_report_id(h->node, id);
    int error = joined ? host_flush(h) : 0;
    if (!joined)
        unmake(h);
    last_end(&h->last, !error);
    release(h);
    return error;
}

int host_set_socket(struct host *h, const char *path)
{
    return lock_write(h->lock_fd, path);
}

void host_set_hooks(struct host *h, const struct host_hooks *hooks)
{
    h->hooked = hooks != NULL;
    h->hooks = hooks ? *hooks : (struct host_hooks){0};
    host_drain(h);
}

void host_set_addresses(struct host *h, const struct rapport_address *addresses, size_t n)
{
    h->n_addresses = n < HOST_MOST_ADDRESSES ? n : HOST_MOST_ADDRESSES;
    if (h->n_addresses)
        memcpy(h->addresses, addresses, h->n_addresses * sizeof *addresses);
}

size_t host_addresses(const struct host *h, struct rapport_address *out, size_t most)
{
    size_t n = h->n_addresses < most ? h->n_addresses : most;
    if (n)
        memcpy(out, h->addresses, n * sizeof *out);
    return n;
}

int host_flush(struct host *h)
{
    struct rapport_event event = {.kind = RAPPORT_EVENT_FLUSH};
    if (!h->failure)
        (void)host_step(h, &event);
    int error;
    (void)host_failure(h, &error);
    return error;
}

rapport_time_ms host_deadline(const struct host *h)
{
    rapport_time_ms node = rapport_node_deadline(h->node), mirror = mirror_deadline(h);
    return node < mirror ? node : mirror;
}

void host_tick(struct host *h)
{
    struct rapport_event event = {.kind = RAPPORT_EVENT_TIMEOUT};
    (void)host_step(h, &event);
    if (mirror_deadline(h) <= host_now())
        (void)mirror_take(h);
    bool more;
    if (mirror_is_dirty(h))
        (void)mirror_put_for(h, h->hooked ? HOST_PUT_MS : UINT64_MAX, &more);
}

/* ---- asking ---- */

struct rapport_node *host_node(struct host *h)
{
    return h->node;
}

struct store *host_store(struct host *h)
{
    return h->store;
}

const char *host_dir(const struct host *h)
{
    return h->dir;
}

const char *host_home_dir(const struct host *h)
{
    return h->home;
}

const char *host_name(const struct host *h)
{
    return h->name;
}

bool host_is_online(const struct host *h)
{
    return h->hooked;
}

enum host_join host_join_state(const struct host *h, int *error)
{
    if (error)
        *error = h->join == HOST_JOIN_REFUSED ? h->join_error : 0;
    return h->join;
}

bool host_next_joined(struct host *h, uint8_t device[RAPPORT_DEVICE_ID_BYTES])
{
    if (h->n_joined == 0)
        return false;
    memcpy(device, h->joined[0], RAPPORT_DEVICE_ID_BYTES);
    memmove(h->joined, h->joined + 1, --h->n_joined * sizeof h->joined[0]);
    return true;
}
