/*
 * report.h - what the logs mean: notes, their paths and trash, the roster, settings. In memory,
 * pure, rebuilt from deltas at any time; the encoded state and note metas are the cache that makes
 * opening fast.
 *
 * A note's text may be absent (not loaded): its events then wait in the note's inbox and
 * report_next_unloaded names it. Local edits are made through a draft: each is applied here at once
 * exactly as it will be applied from the delta.
 *
 * What holds depends on the set of deltas applied, never on their order (as long as a delta comes
 * after its deps) and not on when notes were loaded or the cache was written and read.
 */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include "base/map.h"
#include "log/log.h"
#include "rapport/text.h"
#include "report/draft.h"
#include "report/roster.h"

struct report;

/* A note as others may read it. Owned by the report; valid until the next call that changes the
 * report. */
struct note {
    uint8_t id[NOTE_ID_BYTES];
    bool exists; /* a create event is here (events of a note may come before, then it is not shown)
                  */
    struct stamp created; /* the first create; decides who keeps a path */
    char *path;           /* as its last writer set it, without leading '/', "notes/x.md" */
    char *shown_path; /* unique among notes that are not in the trash: " -2" before the suffix for
                         the later one */
    struct stamp path_set;
    char *title; /* first heading, else first line, else the path's stem; one line, UTF-8, never
                    empty, at most 256 bytes. As of the last report_refresh_note */
    struct slice talk; /* talk_encode form; empty when none */
    struct stamp talk_set;
    bool trashed; /* a delete is here, later than the last create or rename, and no text event lies
                     outside its version */
    uint8_t text_hash[32];            /* BLAKE2b-256("rapport text") of the text; as of the last
                              report_refresh_note */
    size_t n_bytes;                   /* of the text */
    uint64_t changed_ms;              /* greatest wall-clock claim of an event, for display */
    uint8_t (*authors)[LOG_ID_BYTES]; /* logs with text events in it, in order of arrival */
    size_t n_authors;
    struct rapport_text *text;    /* NULL: not loaded */
    bool dirty_meta, dirty_text;  /* changed since report_clean */
    struct note_private *private; /* inbox, delete versions */
};

/* id of the note for a talk: BLAKE2b-128("rapport talk") over the key text that publish/schedule's
 * talk_key makes. */
void note_id_of_talk(uint8_t out[NOTE_ID_BYTES], struct slice talk_key);

/* ---- life ---- */

/* An empty report. `map_seed` should be unknown to peers. Returns 0 or RAPPORT_NOMEM. */
int report_create(uint64_t map_seed, struct report **out);
/* Frees the report with all that was borrowed from it. NULL is allowed. */
void report_destroy(struct report *r);

/* Appends the genesis record [1, card bin, random bin 32, title]; the report's id is the
   BLAKE2b-256("rapport report") of its bytes. Returns 0, RAPPORT_INVALID for a title that is empty,
   over 256 bytes or not printable on one line, or RAPPORT_NOMEM. */
int genesis_make(const struct device_card *card, const uint8_t random[32], struct slice title,
                 struct buf *out);
/* Checks the record (strict decoding, the card's signature). Returns 0 or an error. */
int genesis_check(struct slice record, struct device_card *card);
/* The id of the report that begins with this record. */
void report_id_of(uint8_t out[REPORT_ID_BYTES], struct slice genesis);

/* ---- applying deltas ---- */

/*
 * Applies the opened payload of a delta whose log belongs to `sign_public`. Returns 0 (also when
 * the author is not in the roster or the payload does not parse: then it has no effect) or
 * RAPPORT_NOMEM; then a part of it may have taken effect, and it must be applied again. Applying
 * what was applied before changes nothing. An own delta that was sealed under a greater lamport
 * than its edits were made with must be applied too: their stamps then become those that others
 * see.
 *
 * Content counts when its author was ever added (by one who was ever admin or owner): a removal
 * keeps a device out of sessions and closes its logs in the log layer, but takes no text back
 * here. Control events are held against the roster of those before them in order of stamps.
 */
int report_apply(struct report *r, const struct delta *d, const uint8_t sign_public[32],
                 struct slice plain);

/* ---- notes ---- */

/* The note with this id, in whatever state; NULL when nothing is known of it. */
struct note *report_note(const struct report *r, const uint8_t id[NOTE_ID_BYTES]);
/* Iterates in order of arrival, also notes in the trash and those that do not exist yet: start with
 * *at = 0. */
struct note *report_next_note(const struct report *r, size_t *at);
/* A note whose text is needed because events wait for it; NULL when there is none. Stays until it
 * is loaded. */
struct note *report_next_unloaded(const struct report *r);
/* Gives the stored form (empty: the note has no text yet); waiting events are applied. Returns 0,
   RAPPORT_NOMEM (then it may be called again) or RAPPORT_CORRUPT, then the note stays unloaded. */
int report_load_note(struct report *r, struct note *note, struct slice stored);
/* Forgets the text of a note that is not dirty and has nothing waiting. */
void report_unload_note(struct report *r, struct note *note);
/* Brings title and text_hash up to date with text and path, a pass over the whole text;
   report_digest and report_encode_note do it for what they give. Returns 0 or RAPPORT_NOMEM, then
   the old ones stay.
 */
int report_refresh_note(struct note *note);
/* Updates shown_path of all notes when a path changed since; called before paths are read. */
int report_settle_paths(struct report *r);
/* Next note that exists and whose text, path, title or trash state may have changed since it was
   last returned here; NULL when none. A changed shown_path is found by report_settle_paths. */
struct note *report_next_changed(struct report *r);

/*
 * ---- local edits; `log` of the draft is the author ----
 *
 * All return 0, RAPPORT_NOMEM, RAPPORT_INVALID (bad UTF-8 or a NUL, path), RAPPORT_LIMIT (text
 * over NOTE_MOST_BYTES), RAPPORT_STATE (note not loaded or not existing) or RAPPORT_PERMISSION
 * (not in the roster, or without the role). They change nothing on failure; only an edit of
 * several events that runs out of memory has made the first ones, in the report and the draft
 * alike.
 *
 * lamport must be greater than that of every delta applied so far; the delta that is sealed may
 * have a greater one, see report_apply. Notes, state and text may be saved only together with the
 * deltas of all edits so far: what the draft holds is in them already.
 */

struct edit_context {
    struct draft *draft;
    const uint8_t *sign_public; /* of this device */
    uint64_t lamport;           /* that the next delta will at least have; > 0 */
    uint64_t wall_ms;
};

/* Creates a note (RAPPORT_EXISTS when it exists and is not in the trash; one that is in the trash
   comes back, at this path). `talk` (note_talk_encode) and `template_text` (at most
   TEMPLATE_MOST_BYTES) may be empty; with a template the note must not be unloaded. */
int report_new_note(struct report *r, const struct edit_context *e, const uint8_t id[NOTE_ID_BYTES],
                    struct slice path, struct slice talk, struct slice template_text);
/* Makes the note's text at `version` (NULL: the current one; n_version 0: the empty text before
   all) into `text` by the smallest edits found, as a change against that version; what others
   wrote since stays. RAPPORT_NOTFOUND when the version is not known here. */
int report_edit_text(struct report *r, const struct edit_context *e, struct note *note,
                     const struct rapport_text_id *version, size_t n_version, struct slice text);
/* One splice at the current version, as an editor makes it; positions in code points, cut to the
   text's length. */
int report_splice(struct report *r, const struct edit_context *e, struct note *note, size_t pos,
                  size_t n_deleted, struct slice text);
/* Also brings a note back from the trash. */
int report_rename(struct report *r, const struct edit_context *e, struct note *note,
                  struct slice path);
/* Deletes the note as it is now. It must be loaded; 0 also when it is in the trash already. */
int report_trash(struct report *r, const struct edit_context *e, struct note *note);
/* A setting: key of 1 to SETTING_MOST_KEY bytes, value of at most SETTING_MOST_VALUE. */
int report_set(struct report *r, const struct edit_context *e, struct slice key,
               struct slice value);
/* Founds the report: the first event of the log, by the device whose card is in the record. */
int report_genesis(struct report *r, const struct edit_context *e, struct slice genesis);
/* Makes an invite known: 1 to INVITE_MOST_USES redemptions, 1 only at this device; 0 = never
   expires. */
int report_add_invite(struct report *r, const struct edit_context *e, const uint8_t public_key[32],
                      uint32_t n_uses, uint64_t expires_s);
/* Takes an invite back; whom it let in stays. */
int report_revoke_invite(struct report *r, const struct edit_context *e,
                         const uint8_t invite_id[16]);
/* Lets a device in, or in again, or gives it a new card. invite_id NULL: by no invite. */
int report_add_member(struct report *r, const struct edit_context *e,
                      const struct device_card *card, enum role role, const uint8_t invite_id[16]);
/* Shuts a device out. Everybody may leave; else it takes an admin, for an owner an owner. */
int report_remove_member(struct report *r, const struct edit_context *e, const uint8_t device[16]);
/* Changes a role; those of owners, and making one, take an owner. */
int report_set_role(struct report *r, const struct edit_context *e, const uint8_t device[16],
                    enum role role);

/* True when `path` may be a note's path: relative, no empty, "." or ".." part, no control or bidi
   character or backslash, no part that begins with '.' or has over 240 bytes, ends in ".md", at
   most PATH_MOST_BYTES, not below private/ in any letter case. */
bool path_valid(struct slice path);

/* ---- roster and settings; what they return is valid until the report changes ---- */

/* The member with this key, removed ones too; NULL when there is none. Of two that show one Noise
   key it is the one that was first. */
const struct member *report_member_by_noise(const struct report *r, const uint8_t noise_public[32]);
/* The same by the key that signs. */
const struct member *report_member_by_sign(const struct report *r, const uint8_t sign_public[32]);
/* The member whose log this is, by the deltas applied so far; NULL when unknown. */
const struct member *report_member_of_log(const struct report *r, const uint8_t log[LOG_ID_BYTES]);
/* Iterates, removed ones too, in order of stamps of their first add: start with *at = 0. */
const struct member *report_next_member(const struct report *r, size_t *at);
/* The invite with this public key, whatever became of it; NULL when there is none. */
const struct invite *report_invite(const struct report *r, const uint8_t public_key[32]);
/* Iterates in order of stamps: start with *at = 0. */
const struct invite *report_next_invite(const struct report *r, size_t *at);
/* The value of a setting, "" when it was never set. "title" is the genesis' title until set. */
struct slice report_setting(const struct report *r, const char *key);
/* The record that founded the report; empty until it was applied. */
struct slice report_genesis_record(const struct report *r);

/* ---- digest and cache ---- */

/* BLAKE2b-128("rapport digest") over the sorted heads (left out where `logs` is NULL), then each
   existing note's id, shown path, trash state, text hash and talk in order of id, settings, roster
   and invites in order of key. Returns 0, RAPPORT_AGAIN while notes wait for their text, or
   RAPPORT_NOMEM. */
int report_digest(struct report *r, const struct log_set *logs, uint8_t out[16]);

/*
 * The cache: everything but notes as one record, and each note's meta (with what waits in its
 * inbox). A note's meta and, where dirty_text, its stored form are to be written in one
 * transaction.
 */

/* Appends the record. Returns 0 or RAPPORT_NOMEM, then nothing was appended. */
int report_encode_state(const struct report *r, struct buf *out);
/* Takes a record back, into a fresh report and before its notes. Returns 0, RAPPORT_NOMEM or
   RAPPORT_CORRUPT, then nothing changed. */
int report_restore_state(struct report *r, struct slice state);
/* Appends a note's meta. Returns 0 or RAPPORT_NOMEM, then nothing was appended. */
int report_encode_note(struct note *note, struct buf *out);
/* Takes a note back, without its text. Returns 0, RAPPORT_EXISTS, RAPPORT_NOMEM or
   RAPPORT_CORRUPT, then nothing changed. */
int report_restore_note(struct report *r, const uint8_t id[NOTE_ID_BYTES], struct slice meta);
/* Next note with dirty_meta or dirty_text, NULL when none: start with *at = 0. */
struct note *report_next_dirty(const struct report *r, size_t *at);
/* True when the state record changed since report_clean. */
bool report_state_dirty(const struct report *r);
/* Marks a note as saved; NULL: the state. */
void report_clean(struct report *r, struct note *note);

/* ---- history ---- */

/* One line of `log`: what one delta did to one note (or to the roster: note zeros). */
struct report_change {
    uint8_t note[NOTE_ID_BYTES];
    uint64_t first;               /* event number */
    size_t n_inserted, n_deleted; /* code points */
    bool created, renamed, trashed, control;
};

/* Reads what an opened payload does without applying it; at most `max` rows. Returns the number of
 * rows, or an error. */
int report_describe(const struct report *r, const struct delta *d, struct slice plain,
                    struct report_change *out, size_t max);

#endif
