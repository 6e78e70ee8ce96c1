/*
 * state.h - the inside of a report, for the files of this folder alone.
 *
 * Invariants: a note that is named anywhere has an entry in `notes`. Registers hold the value with
 * the greatest stamp, `creates` and `deletes` one row for each log, so nothing here depends on the
 * order in which logs arrived. Every intake is idempotent: an event taken twice, or again after it
 * failed half-way for want of memory, has the effect of one.
 */
#ifndef REPORT_STATE_H
#define REPORT_STATE_H

#include "base/arena.h"
#include "base/reader.h"
#include "report/report.h"

/* What is known of one log: whose it is and which notes it numbered. */
struct report_log {
    uint8_t id[LOG_ID_BYTES];
    uint8_t sign_public[SIGN_PUBLIC_BYTES];
    struct map numbers;            /* note id -> number + 1 */
    uint8_t (*ids)[NOTE_ID_BYTES]; /* by number */
    size_t n, cap;
};

/* The last delete by one log. */
struct note_delete {
    struct stamp stamp;
    struct payload_id *ids; /* the version that its author saw; owned */
    size_t n_ids;
    bool judged; /* `covers` was computed from the whole text as it is known now */
    bool covers; /* no text event lies outside of the version */
    bool over;   /* all ids are known and it does not cover: it never will again */
};

/* A run of text events with its parents resolved. */
struct note_run {
    struct payload_id id;
    enum rapport_text_kind kind;
    bool backward;
    struct payload_text what;
    const struct payload_id *parents;
    size_t n_parents;
};

struct note_private {
    struct stamp *creates; /* the first create of each log */
    size_t n_creates, cap_creates;
    struct note_delete *deletes;
    size_t n_deletes, cap_deletes;
    uint64_t *last; /* by author: number of its last text event here */
    size_t cap_authors;
    struct buf talk;  /* what note->talk points into */
    struct buf inbox; /* runs that wait: all while the text is absent, else those without parents */
    bool unmerged;    /* the graph has events that the text has not */
    bool stale;       /* title and text hash are older than text or path */
    bool title_of_path; /* the text has no line to show */
    bool touched, changed, waiting;
    struct note *next_touched, *next_changed, *next_waiting, *prev_waiting;
};

/* One control event as it is kept; the roster is a function of the set of them. */
struct control {
    struct stamp stamp;
    uint8_t author[ID_BYTES];        /* device id */
    uint8_t sign[SIGN_PUBLIC_BYTES]; /* whose hash that is */
    struct buf bytes;                /* as payload_put_event wrote it; the slices point into it */
    enum control_event type;
    enum role role;
    uint8_t id[ID_BYTES];
    uint8_t public_key[32];
    uint32_t n_uses;
    uint64_t expires_s;
    struct device_card card;
    struct slice key, value;
};

struct member_entry {
    struct member member;
    bool was_admin; /* some act once made it admin or owner; never taken back */
};

struct setting {
    struct slice key, value;
};

/* What the control events come to, in order of their stamps. */
struct roster_view {
    struct arena arena;                      /* owns the entries */
    struct map by_device, by_sign, by_noise; /* struct member_entry */
    struct map invites, invites_by_key;      /* struct invite */
    struct map settings;                     /* hash of key -> struct setting */
    struct slice genesis, title;
};

struct roster {
    struct control **controls; /* ascending by stamp */
    size_t n, cap;
    uint64_t map_seed;
    struct roster_view view;
};

struct report {
    uint64_t map_seed;
    struct map notes; /* struct note, owned */
    struct map logs;  /* struct report_log, owned */
    struct roster roster;
    struct note *touched;
    struct note *changed, **changed_end;
    struct note *waiting, *waiting_end;
    bool paths_dirty, state_dirty;
};

/* Where an event comes from. */
struct origin {
    struct report_log *log;
    uint64_t lamport, wall_ms;
};

/* ---- report.c ---- */

/* The entry, made when it is new; NULL when out of memory. */
struct report_log *report_take_log(struct report *r, const uint8_t id[LOG_ID_BYTES],
                                   const uint8_t sign_public[SIGN_PUBLIC_BYTES]);
/* Gives the note the log's next number if it has none. Returns 0 or RAPPORT_NOMEM. */
int report_log_name(struct report_log *log, const uint8_t note[NOTE_ID_BYTES]);
/* Takes the last number back. */
void report_log_unname(struct report_log *log);
/* The names as a walk needs them; valid until the log names another note. */
struct note_names report_log_names(struct report_log *log);
/* The note, made (not existing yet, with an empty text) when it is new; NULL when out of memory. */
struct note *report_take_note(struct report *r, const uint8_t id[NOTE_ID_BYTES]);
/* Puts the note on the list that report_finish_touched goes through. */
void report_touch(struct report *r, struct note *note);
/* Merges, judges and reports every touched note. Returns 0 or RAPPORT_NOMEM; what is left stays
   listed. */
int report_finish_touched(struct report *r);
/* Puts the note on the list of report_next_changed. */
void report_mark_changed(struct report *r, struct note *note);
/* Puts the note on the list of those that need their text, or takes it off. */
void report_update_waiting(struct report *r, struct note *note);

/* ---- note.c ---- */

/* A note of which nothing is known, not loaded; NULL when out of memory. */
struct note *note_create(const uint8_t id[NOTE_ID_BYTES]);
/* Frees the note, its text and all. */
void note_destroy(struct note *note);
/* Takes one content event; its note is touched. Returns 0 or RAPPORT_NOMEM. */
int note_take_event(struct report *r, struct note *note, const struct origin *from,
                    const struct payload_event *event);
/* Adds a run of events of one agent to the text, or to what waits. Returns 0 or RAPPORT_NOMEM. */
int note_take_run(struct note *note, const struct note_run *run);
/* The number of the log's last text event here; false where it has none. */
bool note_last_of(const struct note *note, const uint8_t log[LOG_ID_BYTES], uint64_t *last);
/* Room for one more author, so that note_set_last cannot fail. */
int note_reserve_author(struct note *note, const uint8_t log[LOG_ID_BYTES]);
/* Sets the number of the log's last text event here; it becomes an author. */
void note_set_last(struct note *note, const uint8_t log[LOG_ID_BYTES], uint64_t last);
/* Adds the runs that wait, as far as their parents are here. */
int note_drain(struct note *note);
/* Judges the deletes again by the text as it is now (loaded). */
void note_judge(struct note *note);
/* Sets `created` and `exists` from the creates. */
void note_update_created(struct note *note);
/* Sets `trashed` from what was judged; true when it changed. */
bool note_update_trashed(struct note *note);
/* True when something waits for the text. */
bool note_needs_text(const struct note *note);
/* Writes one run; errors stick. */
void note_put_run(struct buf *out, const struct note_run *run);
/* Reads one run; its text points into the input, its parents into `parents` (PARENTS_MOST). */
void note_read_run(struct reader *in, struct payload_id *parents, struct note_run *out);

/* ---- title.c ---- */

/* Appends the title of a text that has one line worth showing, else nothing. */
void title_of_text(struct slice text, struct buf *out);
/* Appends the path's stem. */
void title_of_path(struct slice path, struct buf *out);

/* ---- roster.c ---- */

/* An empty roster. */
void roster_init(struct roster *roster, uint64_t map_seed);
/* Frees all of it; not usable again before roster_init. */
void roster_clear(struct roster *roster);
/* Takes one control event and computes the roster anew; *changed is false when it was known.
   Returns 0 or RAPPORT_NOMEM, then nothing changed. */
int roster_take(struct roster *roster, const struct origin *from, const struct payload_event *event,
                bool *changed);
/* Takes back a control event from the cache, in order; roster_compute must follow. Returns 0,
   RAPPORT_CORRUPT or RAPPORT_NOMEM. */
int roster_restore(struct roster *roster, const struct stamp *stamp,
                   const uint8_t sign_public[SIGN_PUBLIC_BYTES], struct slice bytes);
/* Computes the view from the events. Returns 0 or RAPPORT_NOMEM, then the old one stays. */
int roster_compute(struct roster *roster);
/* True when what this key signs counts as content: it was added, now removed or not. */
bool roster_may_write(const struct roster *roster, const uint8_t sign_public[SIGN_PUBLIC_BYTES]);
/* True when an event by this device would count now. */
bool roster_allows(const struct roster *roster, const uint8_t sign_public[SIGN_PUBLIC_BYTES],
                   const struct payload_event *event);

/* ---- genesis.c ---- */

/* The title of a record, borrowed from it. Returns 0 or an error. */
int genesis_title(struct slice record, struct slice *title);

/* ---- draft.c ---- */

/*
 * Writing goes in two steps, so that an event is in the draft exactly when it took effect here:
 * prepare (may fail, changes nothing that is visible), then the effect, then put (cannot fail).
 */

/* Makes room for one event of `bytes` and `n_numbers`; the open piece is finished first where it
   would not fit. Returns 0, RAPPORT_NOMEM, or RAPPORT_LIMIT for what fits no piece. */
int draft_prepare(struct draft *d, enum delta_kind kind, size_t bytes, uint32_t n_numbers);
/* The section that content goes to from here on; the note's number in the draft's log, named here
   for the first time or not. */
void draft_enter(struct draft *d, const uint8_t note[NOTE_ID_BYTES], uint64_t number, bool is_new);
/* Puts an encoded event, which is n_items items (two where its parents stand in front). */
void draft_put(struct draft *d, struct slice encoded, size_t n_items, uint32_t n_numbers);
/* Puts a text event without parents of its own; joins it with the one before where both are one
   run. */
void draft_put_text(struct draft *d, enum content_event type, const struct payload_text *text);
/* See draft_builds_on_others. */
void draft_set_builds_on_others(struct draft *d);
/* The log whose events the draft holds. */
const uint8_t *draft_log(const struct draft *d);

#endif
