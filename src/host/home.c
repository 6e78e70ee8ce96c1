/*
 * home.c - the user's state outside of any report: device key, name, and how far each database had
 * come.
 *
 * The key is made once: written to a file of its own under a temporary name, on the disk, then
 * renamed; a key that others can read or that is not ours is refused rather than repaired, because
 * somebody may have it already (security.md 4.1). The file of a database has lines of fixed
 * length, so that its counter is rewritten in place.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/utf8.h"
#include "host/state.h"

int host_errno(int number)
{
    switch (number) {
    case ENOMEM:
        return RAPPORT_NOMEM;
    case ENOSPC:
    case EDQUOT:
        return RAPPORT_FULL;
    case EROFS:
        return RAPPORT_READONLY;
    case EACCES:
    case EPERM:
        return RAPPORT_PERMISSION;
    case ENOENT:
    case ENOTDIR:
        return RAPPORT_NOTFOUND;
    case EEXIST:
        return RAPPORT_EXISTS;
    case ELOOP:
        return RAPPORT_OUTSIDE;
    default:
        return RAPPORT_IO;
    }
}

/* Appends a sentence about a file; returns the error. */
static int complain(struct buf *why, int error, const char *path, const char *sentence)
{
    if (why)
        buf_printf(why, "%s: %s", path, sentence);
    return error;
}

static int complain_errno(struct buf *why, const char *path)
{
    int number = errno;
    return complain(why, host_errno(number), path, strerror(number));
}

/* ---- the folder ---- */

static int home_path(const char *given, struct buf *out)
{
    const char *rapport = getenv("RAPPORT_HOME"), *xdg = getenv("XDG_DATA_HOME");
    const char *home = getenv("HOME");
    if (!given && rapport && *rapport)
        given = rapport;
    if (given)
        buf_append_str(out, given);
    else if (xdg && *xdg == '/')
        buf_printf(out, "%s/rapport", xdg);
    else if (home && *home)
        buf_printf(out, "%s/.local/share/rapport", home);
    else
        return RAPPORT_NOTFOUND;
    return buf_cstr(out) ? 0 : buf_error(out);
}

/* Makes every missing folder of an absolute or relative path, ours alone. */
static int make_folders(char *path)
{
    for (char *at = path + 1;; at++) {
        if (*at && *at != '/')
            continue;
        char kept = *at;
        *at = '\0';
        int failed = mkdir(path, 0700) && errno != EEXIST;
        *at = kept;
        if (failed)
            return host_errno(errno);
        if (!kept)
            return 0;
    }
}

/* Makes the folder, or sees to it that nobody else can put a key of his own there. */
static int check_home(char *path, struct buf *why)
{
    struct stat st;
    if (stat(path, &st)) {
        int error = make_folders(path);
        if (error && why)
            buf_printf(why, "%s: the folder for the device key cannot be made: %s", path,
                       strerror(errno));
        return error == RAPPORT_NOTFOUND ? RAPPORT_IO : error;
    }
    if (!S_ISDIR(st.st_mode))
        return complain(why, RAPPORT_IO, path,
                        "is not a folder, so the device key cannot be kept there");
    if (st.st_mode & (S_IWGRP | S_IWOTH))
        return complain(why, RAPPORT_PERMISSION, path,
                        "others can write in this folder, where the device key is kept; run chmod "
                        "go-w on it");
    return 0;
}

int host_home(const char *given, struct buf *out, struct buf *why)
{
    struct buf path = BUF_INIT;
    int error = home_path(given, &path);
    if (error == RAPPORT_NOTFOUND && why)
        buf_append_str(why, "there is no home folder to keep the device key in: set RAPPORT_HOME");
    if (!error)
        error = check_home((char *)path.ptr, why);
    if (!error)
        buf_append_slice(out, buf_slice(&path));
    buf_clear(&path);
    return error ? error : buf_error(out);
}

static int open_home(const char *home, struct buf *why)
{
    int fd = open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && why)
        buf_printf(why, "%s: the folder of the device key cannot be opened: %s", home,
                   strerror(errno));
    return fd;
}

/* Writes a whole file under a temporary name and, on the disk, renames it into place. */
static int write_file(int dir, const char *name, const void *bytes, size_t len)
{
    char temporary[96];
    (void)snprintf(temporary, sizeof temporary, "%s.%ld.new", name, (long)getpid());
    (void)unlinkat(dir, temporary, 0);
    int fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return host_errno(errno);
    ssize_t n = write(fd, bytes, len);
    int error = n == (ssize_t)len ? 0 : host_errno(n < 0 ? errno : ENOSPC);
    if (!error && fsync(fd))
        error = host_errno(errno);
    close(fd);
    if (!error && renameat(dir, temporary, dir, name))
        error = host_errno(errno);
    if (error)
        (void)unlinkat(dir, temporary, 0);
    else
        (void)fsync(dir);
    return error;
}

/* ---- the device key ---- */

/* Says why the key file cannot be trusted, or NULL. */
static const char *key_fault(const struct stat *st)
{
    if (!S_ISREG(st->st_mode))
        return "is not a regular file; move it away";
    if (st->st_uid != geteuid())
        return "belongs to another user; give it back with chown";
    if (st->st_mode & 077)
        return "can be read by others, so the key may be known to them; if it is not, run chmod "
               "600 on "
               "it, else move it away and join again";
    if (st->st_size != HOST_KEY_BYTES)
        return "is not 32 bytes long; put back a copy of it, or move it away and join again";
    return NULL;
}

static int read_key(int dir, uint8_t key[HOST_KEY_BYTES], struct buf *why)
{
    int fd = openat(dir, "device.key", O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return RAPPORT_NOTFOUND;
    if (fd < 0 && errno == ELOOP)
        return complain(why, RAPPORT_PERMISSION, "device.key", "is a symlink; move it away");
    if (fd < 0)
        return complain_errno(why, "device.key");
    struct stat st;
    int error = 0;
    if (fstat(fd, &st))
        error = complain_errno(why, "device.key");
    else if (key_fault(&st))
        error = complain(why,
                         st.st_size != HOST_KEY_BYTES && S_ISREG(st.st_mode) ? RAPPORT_MALFORMED
                                                                             : RAPPORT_PERMISSION,
                         "device.key", key_fault(&st));
    else if (read(fd, key, HOST_KEY_BYTES) != HOST_KEY_BYTES)
        error = complain(why, RAPPORT_IO, "device.key", "cannot be read");
    close(fd);
    return error;
}

/* Two programs may make the first key at once: link() lets one win, both then read the winner's. */
static int make_key(int dir, struct buf *why)
{
    uint8_t key[HOST_KEY_BYTES];
    if (getrandom(key, sizeof key, 0) != (ssize_t)sizeof key)
        return complain(why, RAPPORT_IO, "device.key", "the system gives no random bytes");
    char draft[48];
    (void)snprintf(draft, sizeof draft, "device.key.%ld", (long)getpid());
    int error = write_file(dir, draft, key, sizeof key);
    sodium_memzero(key, sizeof key);
    if (!error && linkat(dir, draft, dir, "device.key", 0) && errno != EEXIST)
        error = renameat(dir, draft, dir, "device.key") ? host_errno(errno) : 0;
    (void)unlinkat(dir, draft, 0);
    (void)fsync(dir);
    return error ? complain(why, error, "device.key", rapport_strerror(error)) : 0;
}

int home_key(const char *home, uint8_t key[HOST_KEY_BYTES], struct buf *why)
{
    int dir = open_home(home, why);
    if (dir < 0)
        return RAPPORT_IO;
    int error = read_key(dir, key, why);
    if (error == RAPPORT_NOTFOUND) {
        error = make_key(dir, why);
        if (!error)
            error = read_key(dir, key, why);
    }
    close(dir);
    return error;
}

/* ---- the name ---- */

static bool name_is_good(struct slice name)
{
    struct buf shown = BUF_INIT;
    utf8_printable(&shown, name, true);
    bool good = name.len > 0 && name.len <= HOST_MOST_NAME_BYTES && utf8_valid(name) &&
                slice_equal(buf_slice(&shown), name);
    buf_clear(&shown);
    return good;
}

static struct slice trimmed(struct slice s)
{
    while (s.len && (s.ptr[s.len - 1] == '\n' || s.ptr[s.len - 1] == ' '))
        s.len--;
    while (s.len && s.ptr[0] == ' ')
        s = slice_skip(s, 1);
    return s;
}

/* The user's full name up to the first comma, else the login, else "somebody". */
static void system_name(struct buf *out)
{
    const struct passwd *user = getpwuid(geteuid());
    struct slice full = user && user->pw_gecos ? slice_str(user->pw_gecos) : slice_of(NULL, 0);
    const uint8_t *comma = full.len ? memchr(full.ptr, ',', full.len) : NULL;
    if (comma)
        full.len = (size_t)(comma - full.ptr);
    full = trimmed(full);
    if (name_is_good(full))
        buf_append_slice(out, full);
    else if (user && name_is_good(slice_str(user->pw_name)))
        buf_append_str(out, user->pw_name);
    else
        buf_append_str(out, "somebody");
}

static bool read_name(int dir, struct buf *out)
{
    uint8_t bytes[256];
    int fd = openat(dir, "name", O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = fd < 0 ? -1 : read(fd, bytes, sizeof bytes);
    if (fd >= 0)
        close(fd);
    struct slice name = trimmed(slice_of(bytes, n > 0 ? (size_t)n : 0));
    if (!name_is_good(name))
        return false;
    buf_append_slice(out, name);
    return true;
}

int home_name(const char *home, const char *given, struct buf *out, struct buf *why)
{
    struct slice name = given ? trimmed(slice_str(given)) : slice_of(NULL, 0);
    if (name.len && !name_is_good(name))
        return complain(why, RAPPORT_INVALID, "name",
                        "a name is 1 to 64 bytes on one line; choose another with --name");
    int dir = open_home(home, why);
    if (dir < 0)
        return RAPPORT_IO;
    if (name.len) {
        buf_append_slice(out, name);
        if (faccessat(dir, "name", F_OK, AT_SYMLINK_NOFOLLOW))
            (void)write_file(dir, "name", name.ptr, name.len);
    } else if (!read_name(dir, out)) {
        system_name(out);
    }
    close(dir);
    return buf_error(out);
}

/* ---- how far a database had come ---- */

/*
 * "rapport last 1\n", then "machine", "boot", "before", "token" with 32 digits each, "arrival" with
 * 20 decimal digits, "state open" or "state done". Offsets of what is rewritten in place:
 */
enum {
    LAST_ARRIVAL_AT = 15 + 41 + 38 + 40 + 39 + 8,
    LAST_STATE_AT = LAST_ARRIVAL_AT + 21 + 6,
    LAST_BYTES = LAST_STATE_AT + 5,
};

struct last_file {
    char machine[33], boot[33], before[33], token[33], state[5];
    unsigned long long arrival;
};

/* A hash of a small file of the system, so that its id itself stands nowhere else; zeros when it
   cannot be read. */
static void system_id(const char *path, char out[33])
{
    uint8_t bytes[128] = {0}, hash[16] = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, bytes, sizeof bytes);
    if (fd >= 0)
        close(fd);
    if (n > 0)
        crypto_generichash(hash, sizeof hash, bytes, (size_t)n, NULL, 0);
    hex_encode(out, hash, sizeof hash);
}

static void last_name(char out[5 + 2 * RAPPORT_REPORT_ID_BYTES + 1], const uint8_t *report)
{
    memcpy(out, "last/", 5);
    hex_encode(out + 5, report, RAPPORT_REPORT_ID_BYTES);
}

static bool read_last(const char *home, const uint8_t *report, struct last_file *out)
{
    char name[5 + 2 * RAPPORT_REPORT_ID_BYTES + 1], text[LAST_BYTES + 1] = {0};
    last_name(name, report);
    int dir = open_home(home, NULL);
    int fd = dir < 0 ? -1 : openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = fd < 0 ? -1 : read(fd, text, LAST_BYTES);
    if (fd >= 0)
        close(fd);
    if (dir >= 0)
        close(dir);
    char arrival[21];
    if (n != LAST_BYTES ||
        sscanf(text,
               "rapport last 1\nmachine %32s\nboot %32s\nbefore %32s\ntoken %32s\narrival %20s\n"
               "state %4s",
               out->machine, out->boot, out->before, out->token, arrival, out->state) != 6)
        return false;
    out->arrival = strtoull(arrival, NULL, 10);
    return true;
}

bool last_is_sure(const char *home, const struct last_database *db)
{
    struct last_file f;
    if (!db->has_token)
        return true;
    if (!read_last(home, db->report, &f))
        return false;
    char machine[33], boot[33], token[33];
    system_id("/etc/machine-id", machine);
    system_id("/proc/sys/kernel/random/boot_id", boot);
    hex_encode(token, db->token, LAST_TOKEN_BYTES);
    if (strcmp(machine, f.machine) != 0 || db->arrival < f.arrival)
        return false;
    if (strcmp(f.state, "done") != 0 && strcmp(boot, f.boot) != 0)
        return false;
    return strcmp(token, f.token) == 0 || strcmp(token, f.before) == 0;
}

int last_begin(struct last *l, const char *home, const struct last_database *db)
{
    char name[5 + 2 * RAPPORT_REPORT_ID_BYTES + 1], machine[33], boot[33], before[33], token[33];
    last_name(name, db->report);
    uint8_t fresh[LAST_TOKEN_BYTES], old[LAST_TOKEN_BYTES] = {0};
    if (db->has_token)
        memcpy(old, db->token, sizeof old);
    if (getrandom(fresh, sizeof fresh, 0) != (ssize_t)sizeof fresh)
        return RAPPORT_IO;
    system_id("/etc/machine-id", machine);
    system_id("/proc/sys/kernel/random/boot_id", boot);
    hex_encode(before, old, sizeof old);
    hex_encode(token, fresh, sizeof fresh);
    char text[LAST_BYTES + 1];
    (void)snprintf(text, sizeof text,
                   "rapport last 1\nmachine %s\nboot %s\nbefore %s\ntoken %s\narrival %020llu\n"
                   "state open\n",
                   machine, boot, before, token, (unsigned long long)db->arrival);
    int dir = open_home(home, NULL);
    if (dir < 0)
        return RAPPORT_IO;
    int error = mkdirat(dir, "last", 0700) && errno != EEXIST ? host_errno(errno) : 0;
    if (!error)
        error = write_file(dir, name, text, LAST_BYTES);
    int fd = error ? -1 : openat(dir, name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    close(dir);
    if (fd < 0)
        return error ? error : RAPPORT_IO;
    memcpy(l->token, fresh, sizeof fresh);
    l->fd = fd;
    l->arrival = db->arrival;
    return 0;
}

void last_note(struct last *l, uint64_t arrival)
{
    if (l->fd < 0 || arrival == l->arrival)
        return;
    char digits[21];
    (void)snprintf(digits, sizeof digits, "%020llu", (unsigned long long)arrival);
    if (pwrite(l->fd, digits, 20, LAST_ARRIVAL_AT) == 20)
        l->arrival = arrival;
}

void last_end(struct last *l, bool clean)
{
    if (l->fd < 0)
        return;
    if (clean)
        (void)!pwrite(l->fd, "done", 4, LAST_STATE_AT);
    close(l->fd);
    l->fd = -1;
}
