/*
 * mirror.h - the report's folder as a mirror of its notes: report.md, notes/x.md, any folder.
 *
 * Left alone: private/, media/, published/, names that begin with '.', '#' or '~' or do not end in
 * ".md". Only regular files with one link are read, from directory descriptors and never through a
 * symlink. What stood at each path since the last save from there is remembered (MIRROR_MOST_BASES
 * texts); a file that an editor changed is taken in as a change against the newest of these whose
 * changes show in it. Nothing is overwritten that was not known: files are exchanged, and what
 * comes out is looked at. (docs/DESIGN section 8; reference: editors that write in place, rename
 * over, or move the old file away.)
 *
 * State is a record "local/mirror/" + note id (hex) for each note, written in one transaction with
 * the edit that it belongs to, so a crash leaves both or neither.
 */
#ifndef HOST_MIRROR_H
#define HOST_MIRROR_H

#include "host/host.h"

enum {
    MIRROR_MOST_BASES = 16,       /* remembered texts of a path */
    MIRROR_MOST_BYTES = 16 << 20, /* of one file; a larger one is refused and kept */
    MIRROR_MOST_FILES = 20000,    /* of one folder tree; further ones are named and left */
    MIRROR_MOST_DEPTH = 16,       /* of folders */
    MIRROR_SETTLE_MS = 500,       /* a file that shrank or vanished must stay so for this long */
    MIRROR_MOST_VANISHED = 5,     /* more than these and more than half: written back */
};

/*
 * Looks at every file and takes in what changed, was made, renamed or deleted; everything taken is
 * sealed and written (offline: on the disk) before it is marked as taken. Offline it waits for a
 * file that must settle, with hooks it leaves it for host_tick. A file that cannot be taken is
 * named in a notice, once, and in mirror_next_problem. Returns 0, or why nothing could be taken
 * at all (RAPPORT_IO, RAPPORT_NOMEM, the failure of the host).
 */
int mirror_take(struct host *h);

/*
 * Writes out what changed in the notes, moves renamed files, puts files of trashed notes into
 * .rapport/trash. A file with a live editor waits. A file that cannot be written stays as it was,
 * is a problem and is tried again at the next call. Returns 0, or RAPPORT_NOMEM, RAPPORT_IO.
 */
int mirror_put(struct host *h);

/* As mirror_put, but stops when that much time has passed: a daemon must not let its peers wait
   while thousands of files are synced one by one. *more: there is more to do; call it again soon.
 */
int mirror_put_for(struct host *h, rapport_time_ms budget_ms, bool *more);

/* True when mirror_put has something to do that does not wait for an editor. */
bool mirror_is_dirty(const struct host *h);

/* When a file that must settle is to be looked at again; UINT64_MAX: none. */
rapport_time_ms mirror_deadline(const struct host *h);

/* Folders that hold mirrored files or may (relative, "" is the report's folder itself), as of the
   last mirror_take, for a watcher: start with *at = 0; NULL at the end. */
const char *mirror_next_folder(const struct host *h, size_t *at);

/* What the person should know about files: start with *at = 0. `line` is one line, safe for a
   terminal. False at the end. */
struct mirror_problem {
    const char *path; /* as on disk, printable */
    const char *line;
    bool waiting; /* text of peers waits for an editor to close the file; else something is wrong */
};
/* Gives the next problem. */
bool mirror_next_problem(const struct host *h, size_t *at, struct mirror_problem *out);

/* The path (relative) of the file of a note as it stands on the disk; NULL when it has none. */
const char *mirror_path(const struct host *h, const uint8_t note[RAPPORT_NOTE_ID_BYTES]);

#endif
