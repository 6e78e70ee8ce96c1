/*
 * folder.c - safe reading and writing of note files.
 *
 * A file is opened with O_NONBLOCK and O_NOFOLLOW before it is looked at, so that a FIFO that was
 * put in a note's place cannot stop us and a symlink cannot lead us out. A second hard link is
 * refused because its other name may stand outside of the folder.
 */
#include "host/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <unistd.h>

#include "base/utf8.h"
#include "host/mirror.h"
#include "host/state.h"

struct file_mark file_mark_of(const struct stat *st)
{
    return (struct file_mark){
        .ino = st->st_ino,
        .size = (uint64_t)st->st_size,
        .mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
        .ctime_ns = (int64_t)st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec,
    };
}

bool file_mark_equal(const struct file_mark *a, const struct file_mark *b, bool moved)
{
    return a->ino == b->ino && a->size == b->size && a->mtime_ns == b->mtime_ns &&
           (moved || a->ctime_ns == b->ctime_ns);
}

void text_hash(uint8_t out[TEXT_HASH_BYTES], struct slice text)
{
    static const uint8_t none[1];
    crypto_generichash(out, TEXT_HASH_BYTES, text.len ? text.ptr : none, text.len, NULL, 0);
}

/* ---- names ---- */

bool mirror_name_ok(const char *name)
{
    size_t len = strlen(name);
    return len > 3 && len <= FOLDER_MOST_NAME_BYTES && name[0] != '.' && name[0] != '#' &&
           name[0] != '~' && strcmp(name + len - 3, ".md") == 0;
}

bool mirror_folder_skipped(const char *path)
{
    static const char *const ours[] = {"private", "media", "published"};
    const char *name = strrchr(path, '/');
    name = name ? name + 1 : path;
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
        if (strcmp(path, ours[i]) == 0)
            return true;
    return name[0] == '.' || name[0] == '#' || name[0] == '~';
}

bool mirror_path_ok(const char *path)
{
    size_t len = strlen(path), start = 0;
    char folder[FOLDER_MOST_PATH_BYTES + 1];
    if (len == 0 || len > FOLDER_MOST_PATH_BYTES)
        return false;
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)path[i] < 0x20 || path[i] == 0x7f || path[i] == '\\')
            return false;
        if (path[i] != '/')
            continue;
        memcpy(folder, path, i);
        folder[i] = '\0';
        if (i == start || i - start > FOLDER_MOST_NAME_BYTES || mirror_folder_skipped(folder))
            return false;
        start = i + 1;
    }
    return mirror_name_ok(path + start);
}

/* ---- folders ---- */

static int open_part(int at, const char *part, bool make)
{
    int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(at, part, flags);
    if (fd < 0 && errno == ENOENT && make) {
        if (mkdirat(at, part, 0777) && errno != EEXIST)
            return -1;
        fd = openat(at, part, flags);
    }
    return fd;
}

int folder_open(int root, const char *path, bool make, int *dir, const char **name)
{
    int at = fcntl(root, F_DUPFD_CLOEXEC, 0);
    const char *slash;
    while (at >= 0 && (slash = strchr(path, '/'))) {
        char part[FOLDER_MOST_NAME_BYTES + 1];
        size_t len = (size_t)(slash - path);
        int next = -1;
        if (len == 0 || len > FOLDER_MOST_NAME_BYTES) {
            errno = ENOENT;
        } else {
            memcpy(part, path, len);
            part[len] = '\0';
            errno = ELOOP;
            if (strcmp(part, ".") != 0 && strcmp(part, "..") != 0)
                next = open_part(at, part, make);
        }
        int number = errno;
        struct stat st;
        /* Linux says ENOTDIR for a symlink here: tell it from a missing folder. */
        if (next < 0 && number == ENOTDIR && !fstatat(at, part, &st, AT_SYMLINK_NOFOLLOW))
            number = ELOOP;
        close(at);
        at = next;
        errno = number;
        path = slash + 1;
    }
    if (at < 0)
        return host_errno(errno);
    *dir = at;
    *name = path;
    return 0;
}

/* ---- reading ---- */

static const char *refusal(const struct stat *st)
{
    if (S_ISLNK(st->st_mode))
        return "is a symlink; rapport does not follow them, put a copy there";
    if (!S_ISREG(st->st_mode))
        return "is not a regular file; rapport leaves it alone";
    if (st->st_nlink != 1)
        return "has a second name (hard link); put a copy there";
    return NULL;
}

static int read_all(int fd, size_t expected, struct buf *out)
{
    for (;;) {
        uint8_t *room = buf_reserve(out, expected > out->len ? expected - out->len + 1 : 65536);
        if (!room)
            return buf_error(out);
        ssize_t n = read(fd, room, out->cap - out->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return host_errno(errno);
        if (n == 0)
            return 0;
        out->len += (size_t)n;
        if (out->len > MIRROR_MOST_BYTES)
            return RAPPORT_LIMIT;
    }
}

/* Where most line ends are CRLF, makes all of those LF. */
static bool unstyle(struct buf *text)
{
    size_t n_lf = 0, n_crlf = 0, to = 0;
    for (size_t i = 0; i < text->len; i++) {
        n_lf += text->ptr[i] == '\n';
        n_crlf += text->ptr[i] == '\n' && i > 0 && text->ptr[i - 1] == '\r';
    }
    if (n_crlf == 0 || 2 * n_crlf <= n_lf)
        return false;
    for (size_t i = 0; i < text->len; i++)
        if (text->ptr[i] != '\r' || i + 1 == text->len || text->ptr[i + 1] != '\n')
            text->ptr[to++] = text->ptr[i];
    text->len = to;
    return true;
}

static int read_regular(int fd, struct file_text *out, const char **why)
{
    struct stat before, after;
    if (fstat(fd, &before))
        return host_errno(errno);
    *why = refusal(&before);
    if (*why)
        return RAPPORT_OUTSIDE;
    if (before.st_size > MIRROR_MOST_BYTES)
        return RAPPORT_LIMIT;
    int error = read_all(fd, (size_t)before.st_size, &out->text);
    if (error)
        return error;
    if (fstat(fd, &after))
        return host_errno(errno);
    out->mark = file_mark_of(&before);
    struct file_mark now = file_mark_of(&after);
    if (!file_mark_equal(&out->mark, &now, true) || out->text.len != now.size)
        return RAPPORT_AGAIN;
    out->mark = now;
    out->mode = after.st_mode & 0777;
    if (!utf8_valid(buf_slice(&out->text)) ||
        (out->text.len && memchr(out->text.ptr, 0, out->text.len)))
        return RAPPORT_MALFORMED;
    out->crlf = unstyle(&out->text);
    text_hash(out->hash, buf_slice(&out->text));
    return 0;
}

int file_read(int dir, const char *name, struct file_text *out, const char **why)
{
    *out = (struct file_text){.text = BUF_INIT};
    *why = "";
    struct stat st;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
        return host_errno(errno);
    *why = refusal(&st); /* before opening: opening a device can do things */
    if (*why)
        return RAPPORT_OUTSIDE;
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return host_errno(errno);
    int error = read_regular(fd, out, why);
    close(fd);
    return error;
}

/* A read lease is granted only where nobody writes (fcntl(2), F_SETLEASE). Who opens the file for
   writing in that moment waits for us, and we are told by a signal, which must be a harmless one.
 */
bool file_is_written(int dir, const char *name)
{
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return false;
    bool written =
        !fcntl(fd, F_SETSIG, SIGURG) && fcntl(fd, F_SETLEASE, F_RDLCK) && errno == EAGAIN;
    close(fd);
    return written;
}

void file_text_clear(struct file_text *f)
{
    buf_clear(&f->text);
}

/* ---- writing ---- */

void file_style(struct buf *out, struct slice text, bool crlf)
{
    if (!crlf) {
        buf_append_slice(out, text);
        return;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\n')
            buf_u8(out, '\r');
        buf_u8(out, text.ptr[i]);
    }
}

static int write_all(int fd, struct slice bytes)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return host_errno(n < 0 ? errno : ENOSPC);
        bytes = slice_skip(bytes, (size_t)n);
    }
    return 0;
}

int file_write(int dir, const char *temporary, struct slice bytes, mode_t mode)
{
    int fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return host_errno(errno);
    int error = write_all(fd, bytes);
    if (!error && (fchmod(fd, mode & 0666) || fsync(fd)))
        error = host_errno(errno);
    close(fd);
    if (error)
        (void)unlinkat(dir, temporary, 0);
    return error;
}

int file_exchange(int dir, const char *a, const char *b)
{
    if (!renameat2(dir, a, dir, b, RENAME_EXCHANGE))
        return 0;
    bool lacks = errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP;
    return lacks ? RAPPORT_STATE : host_errno(errno);
}

int file_move(int from_dir, const char *from, int to_dir, const char *to)
{
    if (!renameat2(from_dir, from, to_dir, to, RENAME_NOREPLACE))
        return 0;
    if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
        return host_errno(errno);
    if (linkat(from_dir, from, to_dir, to, 0))
        return host_errno(errno);
    return unlinkat(from_dir, from, 0) ? host_errno(errno) : 0;
}
