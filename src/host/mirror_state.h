/*
 * mirror_state.h - the mirror's memory: one entry for each note, what stands on the disk for it and
 * what stood there since the last save.
 *
 * Invariants: bases[n_bases - 1] is the newest text that was written to or taken from the path;
 * `disk` and `disk_hash` describe what was last seen there, which differs from the newest base
 * between its recording and its writing, and after a stale save. A base without version is a text
 * that is in no history (a save merged with newer text); it stands in .rapport/base/HASH.
 */
#ifndef HOST_MIRROR_STATE_H
#define HOST_MIRROR_STATE_H

#include "base/map.h"
#include "host/folder.h"
#include "host/mirror.h"
#include "host/state.h"

struct base {
    uint8_t hash[TEXT_HASH_BYTES];
    uint8_t *version; /* owned; NULL: in .rapport/base */
    size_t version_len;
    uint64_t at_ms; /* wall clock when it was written or taken */
    bool stale;     /* was saved once more although newer text had been written */
};

struct entry {
    uint8_t note[RAPPORT_NOTE_ID_BYTES];
    char *path;   /* of the file, "" while it has none; owned */
    char *moving; /* NULL, or where the file is being moved to just now; owned */
    bool present; /* the file is, or was when last looked, at path */
    bool crlf;
    struct file_mark disk;
    uint8_t disk_hash[TEXT_HASH_BYTES];
    uint8_t node_hash
        [32]; /* the node's hash of the newest base; zeros when it is no text of the note */
    struct base bases[MIRROR_MOST_BASES];
    size_t n_bases;

    /* of this run only */
    bool dirty;                   /* differs from the note, or may */
    bool seen;                    /* by the scan that runs */
    bool busy;                    /* a live editor shows its file to be open */
    struct file_mark unsettled;   /* how the file looked when it was first found to have shrunk */
    rapport_time_ms unsettled_at; /* 0: it is not */
    bool unhashed;                /* node_hash is to be filled in */
    bool leftover;                /* a temporary file of it was found */
};

struct problem {
    char *path, *line;
    bool waiting, fresh; /* fresh: true as of the last take and put */
};

/* A file as the scan found it. */
struct found {
    const char *path; /* in the scan's arena */
    struct file_mark mark;
    bool busy;
};

struct scan {
    struct arena arena;
    struct found *files;
    size_t n_files, cap_files;
    const char **folders;
    size_t n_folders, cap_folders;
    size_t n_seen; /* names of all kinds */
    bool full;
};

struct mirror {
    struct entry **entries; /* owned */
    size_t n_entries, cap_entries;
    struct map by_note, by_path; /* path: its hash */
    struct map untracked;        /* notes without a file, by path, during a take */
    bool untracked_listed;
    size_t n_dirty;
    bool checked; /* all notes were held against the entries once in this run */
    rapport_time_ms deadline;
    struct scan scan; /* the last one */
    struct problem *problems;
    size_t n_problems;
};

/* ---- mirror.c ---- */

/* The entry of a note, made when there is none; NULL when out of memory. */
struct entry *mirror_entry(struct mirror *m, const uint8_t note[RAPPORT_NOTE_ID_BYTES]);
/* The entry whose file stands at path; NULL when there is none. */
struct entry *mirror_at(const struct mirror *m, const char *path);
/* Sets where the file stands or is going to (NULL: it has none). Returns 0 or RAPPORT_NOMEM. */
int entry_place(struct mirror *m, struct entry *e, const char *path);
/* Sets whether the file differs, or may, from the note. */
void entry_set_dirty(struct mirror *m, struct entry *e, bool dirty);
/* Remembers a text as the newest of its path (version NULL: only as a text). Returns 0 or NOMEM. */
int entry_push(struct entry *e, const uint8_t hash[TEXT_HASH_BYTES], const uint8_t *version,
               size_t len);
/* Forgets all remembered texts. */
void entry_forget(struct entry *e);
/* Forgets the newest. */
void entry_pop(struct entry *e);
/* Gives the entry's record to the gathering (removes it when the entry has no file). */
void entry_record(struct host *h, const struct entry *e);

/* Names a problem of a file, once; printf. `waiting` as in struct mirror_problem. */
void mirror_trouble(struct host *h, const char *path, bool waiting, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* A new round begins: forgets problems that the last one did not find again. */
void mirror_age_problems(struct mirror *m);
/* Looks at the file again at `at`. */
void mirror_later(struct mirror *m, rapport_time_ms at);

/* ---- mirror_scan.c ---- */

/* Reads the whole folder tree into m->scan. Returns 0, RAPPORT_NOMEM or an error of host_errno for
   the top folder. */
int mirror_scan(struct host *h);

/* ---- mirror_base.c ---- */

/* Reads the i-th remembered text; `out` is empty before. Returns 0, RAPPORT_NOTFOUND, ... */
int base_text(struct host *h, const struct entry *e, size_t i, struct buf *out);
/* Keeps a text in .rapport/base, on the disk. Returns 0 or an error. */
int base_keep(struct host *h, const uint8_t hash[TEXT_HASH_BYTES], struct slice text);
/* The remembered text that whoever wrote `text` most likely had read: the newest whose changes show
   in it. e->n_bases must not be 0. */
size_t base_choose(struct host *h, const struct entry *e, struct slice text);

/* ---- mirror_take.c ---- */

/* Takes `f` in as a new text of e's note against the remembered text that fits. Staged in the
   gathering that is open. Returns 0 or an error, then nothing was taken. */
int mirror_merge(struct host *h, struct entry *e, const struct file_text *f);
/* The same for a save that came out of an exchange: the newest remembered text stands at the
   path. */
int mirror_merge_out(struct host *h, struct entry *e, const struct file_text *f);
/* Ends a gathering in which something was merged. As gather_end. */
int mirror_gather_end(struct host *h);
/* The id of report.md's note: the same on every device, so that two drafts become one note. */
void report_note_id(uint8_t out[RAPPORT_NOTE_ID_BYTES]);
/* The temporary name beside a note's file. */
void mirror_temporary(char out[64], const struct entry *e);

#endif
