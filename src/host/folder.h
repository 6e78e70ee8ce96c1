/*
 * folder.h - files below the report's folder, never outside of it: every folder on the way is
 * opened by itself without following symlinks, and only regular files with one link are read
 * (security.md 4.4, mirror folder).
 */
#ifndef HOST_FOLDER_H
#define HOST_FOLDER_H

#include <sys/stat.h>

#include "base/buf.h"
#include "rapport/error.h"

enum {
    TEXT_HASH_BYTES = 16,
    FOLDER_MOST_NAME_BYTES = 255,
    FOLDER_MOST_PATH_BYTES = 1024,
};

/* By what a file is known to be unchanged. */
struct file_mark {
    uint64_t ino, size;
    int64_t mtime_ns, ctime_ns;
};

/* A text file as read: LF, whatever the file has. */
struct file_text {
    struct buf text;
    bool crlf; /* most lines end in CRLF; those are LF in `text` */
    struct file_mark mark;
    uint8_t hash[TEXT_HASH_BYTES]; /* of `text` */
    mode_t mode;
};

/* Taken from a stat. */
struct file_mark file_mark_of(const struct stat *st);
/* True when nothing shows a change; `moved`: a rename in between is none (the change time
   differs). */
bool file_mark_equal(const struct file_mark *a, const struct file_mark *b, bool moved);

/* Hash of a text, by which the mirror knows it again. */
void text_hash(uint8_t out[TEXT_HASH_BYTES], struct slice text);

/* True when the mirror may hold a file at `path`: relative, at most FOLDER_MOST_PATH_BYTES, no
   empty part, none that begins with '.', '#' or '~', none longer than a file name, no backslash
   or control character, ends in ".md", not below private/, media/ or published/. */
bool mirror_path_ok(const char *path);
/* True for a name that the mirror looks at in a folder. */
bool mirror_name_ok(const char *name);
/* True for a folder's path that is left alone. */
bool mirror_folder_skipped(const char *path);

/*
 * Opens the folder that `path`'s last part stands in, below `root`, making what is missing with
 * `make`. *name points into `path`. Returns 0 with *dir (close it), RAPPORT_NOTFOUND,
 * RAPPORT_OUTSIDE (a symlink or no folder on the way) or an error of host_errno.
 */
int folder_open(int root, const char *path, bool make, int *dir, const char **name);

/*
 * Reads a note's file. Returns 0; RAPPORT_NOTFOUND; RAPPORT_OUTSIDE (a symlink, FIFO, device or a
 * second link: `why`, a static sentence, says which); RAPPORT_LIMIT (more than MIRROR_MOST_BYTES);
 * RAPPORT_MALFORMED (no UTF-8, or a NUL); RAPPORT_AGAIN (it changes while it is read); RAPPORT_IO,
 * RAPPORT_PERMISSION, RAPPORT_NOMEM. Clear with file_text_clear, also after a failure.
 */
int file_read(int dir, const char *name, struct file_text *out, const char **why);
/* True when some process has the file open for writing, so that what it writes next would be lost
   with the file. False when that cannot be told: another user's file, or a file system without
   leases. */
bool file_is_written(int dir, const char *name);
/* Frees the text. */
void file_text_clear(struct file_text *f);

/* Appends `text` as the file has it: with CRLF where it is set. */
void file_style(struct buf *out, struct slice text, bool crlf);

/* Writes a new file under a temporary name, all on the disk: never over anything. Returns 0 or an
   error of host_errno, then there is no file. */
int file_write(int dir, const char *temporary, struct slice bytes, mode_t mode);

/* Renames within one file system: RENAME_EXCHANGE, RENAME_NOREPLACE. Where the file system lacks
   that: RAPPORT_STATE for an exchange; NOREPLACE is made of link and unlink. Returns 0,
   RAPPORT_EXISTS, RAPPORT_NOTFOUND or an error of host_errno. */
int file_exchange(int dir, const char *a, const char *b);
/* NOREPLACE, between two open folders. */
int file_move(int from_dir, const char *from, int to_dir, const char *to);

#endif
