/*
 * ops_parts.h - what the files of the verbs share: one call with its arguments and its reply, and
 * the notes of the report as a list that stays while the node is asked other things.
 */
#ifndef HOST_OPS_PARTS_H
#define HOST_OPS_PARTS_H

#include "base/arena.h"
#include "base/mp.h"
#include "host/mirror.h"
#include "host/ops.h"
#include "host/state.h"

/* A note as listed; strings in the call's arena. */
struct listed {
    uint8_t id[RAPPORT_NOTE_ID_BYTES];
    const char *path, *title;
    struct slice talk;
    bool trashed;
    size_t n_bytes, n_authors;
    uint64_t changed_ms;
};

struct call {
    struct host *h;
    struct arena arena;
    const msgpack_object_map *args;
    struct buf fields; /* key, value, ... of the reply */
    size_t n_fields;
    int error, exit; /* of a failure */
    struct buf message;
    struct buf candidates; /* of an ambiguous name: encoded rows */
    size_t n_candidates;
    struct listed *notes; /* made by call_notes */
    size_t n_notes;
    bool listed;
};

/* ---- arguments ---- */

/* Each returns false, and leaves *out, when the argument is absent or of another type. */
bool arg_str(const struct call *c, const char *key, struct slice *out);
/* A bin or a str. */
bool arg_bytes(const struct call *c, const char *key, struct slice *out);
/* An unsigned integer. */
bool arg_u64(const struct call *c, const char *key, uint64_t *out);
/* True when it is there and true. */
bool arg_bool(const struct call *c, const char *key);
/* A str as a C string in the arena; NULL when absent, empty or with a NUL in it. */
const char *arg_cstr(struct call *c, const char *key);

/* ---- reply ---- */

/* Begins a field; its value is what is put into the buffer next. */
struct buf *field(struct call *c, const char *key);
/* A field that is a string. */
void field_str(struct call *c, const char *key, const char *value);
/* A field that is a number. */
void field_u64(struct call *c, const char *key, uint64_t value);
/* A field that is true or false. */
void field_bool(struct call *c, const char *key, bool value);
/* Key and string inside a map that was begun with mp_put_map; NULL is "". */
void put_str(struct buf *b, const char *key, const char *value);
/* Key and number. */
void put_u64(struct buf *b, const char *key, uint64_t value);
/* Key and truth value. */
void put_bool(struct buf *b, const char *key, bool value);
/* Key and an id of n bytes in hex. */
void put_id(struct buf *b, const char *key, const uint8_t *id, size_t n);

/* Rows of a list whose number is not known beforehand. */
struct rows {
    struct buf buf;
    size_t n;
};
/* Ends a list: writes it as field `key` and frees it. */
void field_rows(struct call *c, const char *key, struct rows *rows);

/* ---- failing ---- */

/* Fails the call: printf message for people, made safe for a terminal. exit 0: what belongs to the
   error. Returns the error. */
int call_fail(struct call *c, int error, int exit, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* An edit failed: with the host's failure where that is the reason. */
int call_fail_edit(struct call *c, int error, const char *what);

/* ---- notes ---- */

/* Lists all notes once. Returns 0 or RAPPORT_NOMEM (the call has failed then). */
int call_notes(struct call *c);
/* Forgets the list after an edit. */
void call_notes_stale(struct call *c);
/* The note of argument "note" by the rules of ops.h; fails the call with NOTFOUND or AMBIGUOUS. */
int call_note(struct call *c, const struct listed **out);
/* The same for a given name. */
int call_note_named(struct call *c, struct slice name, const struct listed **out);
/* The listed note with that id, or NULL. */
const struct listed *call_note_of(struct call *c, const uint8_t id[RAPPORT_NOTE_ID_BYTES]);
/* Puts a NOTE. */
void put_note(struct call *c, struct buf *b, const struct listed *note);
/* Field "note" for a note as it is now (listed anew). Returns 0 or fails the call. */
int field_note(struct call *c, const uint8_t id[RAPPORT_NOTE_ID_BYTES]);
/* The note's text in the arena. Returns 0 or fails the call. */
int call_text(struct call *c, const uint8_t id[RAPPORT_NOTE_ID_BYTES], struct slice *out);
/* Field "file": the absolute path of a note's file, written out now where it can be. */
void field_file(struct call *c, const uint8_t id[RAPPORT_NOTE_ID_BYTES]);

/* What a verb wrote is on the disk when it says so. */
void call_to_disk(struct host *h);

/* Takes in and writes out until nothing changes any more. */
void host_settle(struct host *h);

/* ---- friends: ops_people.c ---- */

/* Fields "friends" and "network" of a status. */
void field_people(struct call *c);

/* ---- schedule: ops_schedule.c ---- */

struct schedule;
/* Reads .rapport/schedule.xml. Returns 0, RAPPORT_NOTFOUND or another error, without failing the
   call. */
int call_schedule(struct call *c, struct schedule *out);

/* A version as people write it ("1f0a2b3c@57", "@2", a time) of one note, as the node's bytes in
   the arena. Returns 0 or fails the call. */
int call_version(struct call *c, const struct listed *note, struct slice name,
                 struct rapport_version *out);

/* ---- the verbs ---- */

/* name, looks at the folder before and after, what it wrote is on the disk before the reply */
#define OPS(X)                                                                                     \
    X(ls, true, false)                                                                             \
    X(show, true, false)                                                                           \
    X(new, true, true)                                                                             \
    X(jot, true, true)                                                                             \
    X(edit, true, false)                                                                           \
    X(take, true, true)                                                                            \
    X(rm, true, true)                                                                              \
    X(mv, true, true)                                                                              \
    X(log, true, false)                                                                            \
    X(status, true, false)                                                                         \
    X(peers, false, false)                                                                         \
    X(members, false, false)                                                                       \
    X(invite, false, true)                                                                         \
    X(settings, false, false)                                                                      \
    X(schedule_import, false, false)                                                               \
    X(schedule_ls, true, false)                                                                    \
    X(outline, true, true)                                                                         \
    X(publish, true, false)                                                                        \
    X(flush, true, true)                                                                           \
    X(bundle_write, true, true)                                                                    \
    X(bundle_read, true, true)
#define X(name, folder, writes) int op_##name(struct call *c);
OPS(X)
#undef X

#endif
