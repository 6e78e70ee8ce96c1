/*
 * payload.h - what stands inside a delta: the msgpack form of events, and the one walk over it.
 *
 * A content payload is an array of sections [note, [event...]]; note is a bin 16 (its id) where
 * this log names the note for the first time, which gives it the log's next small number (from 0),
 * or that number as uint. (An id that has a number already keeps it.) A control payload is an array
 * of events. Event numbers run on through the payload; each event uses as many as its row says, and
 * together they use exactly what the delta counts. Positions count code points in the text at the
 * event's parents.
 *
 *   content event           numbers  meaning
 *   [0, pos, text]          chars    insert text at pos
 *   [1, pos, n]             n        delete n code points at pos, forward
 *   [2, pos, n]             n        delete backward: pos, pos - 1, ... (Backspace); pos >= n - 1
 *   [3, [[agent, seq]...]]  0        parents of the text event 0 to 2 that follows at once,
 *                                    strictly ascending by (agent, seq); without it: this log's
 *                                    last text event in the note, or none where it has none yet.
 *                                    agent: bin 16
 *   [4, path]               1        create: the note exists from here on, at this path
 *   [5, path]               1        rename
 *   [6, [[agent, seq]...]]  1        delete: the version its author saw
 *   [7, talk]               1        talk: the array of note_talk_encode; [] removes it
 *   [8, text]               1        template: text by the pseudo-agent payload_template_agent,
 *                                    numbers from 0, no parents
 *
 *   control event           numbers  meaning
 *   [0, genesis]            1        the genesis record as bin; only event 0 of the creator's first
 *                                    log
 *   [1, card, role, invite] 1        add a device (card as bin); invite: bin 16 of its id, or empty
 *   [2, device]             1        remove a device (bin 16)
 *   [3, device, role]       1        role
 *   [5, public, uses, expires_s]
 *                           1        invite: public key, redemptions allowed (1: only at its
 *                                    issuer), 0 = never expires
 *   [6, invite]             1        revoke an invite (bin 16)
 *   [7, key, value]         1        setting, both strings
 *
 * A payload that does not parse in whole has no effect and still uses its numbers.
 */
#ifndef REPORT_PAYLOAD_H
#define REPORT_PAYLOAD_H

#include "base/map.h"
#include "base/mp.h"
#include "log/batch.h"

enum {
    PATH_MOST_BYTES = 512,
    SETTING_MOST_KEY = 64,
    SETTING_MOST_VALUE = 4096,
    TALK_MOST_BYTES = 4096,
    TEMPLATE_MOST_BYTES = 16384,
    GENESIS_MOST_BYTES = 1024,
    PARENTS_MOST = 64,
    POS_MOST = 1 << 30,         /* greatest position of an event */
    NOTE_MOST_BYTES = 16 << 20, /* text of one note */
    INVITE_MOST_USES = 255,
    PAYLOAD_MOST_ITEMS = 64 * 1024, /* msgpack values; a payload of 48 KiB cannot hold more */
};

enum content_event {
    EVENT_INSERT = 0,
    EVENT_DELETE = 1,
    EVENT_DELETE_BACKWARD = 2,
    EVENT_PARENTS = 3,
    EVENT_CREATE = 4,
    EVENT_RENAME = 5,
    EVENT_TRASH = 6,
    EVENT_TALK = 7,
    EVENT_TEMPLATE = 8,
};

enum control_event {
    CONTROL_GENESIS = 0,
    CONTROL_ADD = 1,
    CONTROL_REMOVE = 2,
    CONTROL_ROLE = 3,
    CONTROL_INVITE = 5,
    CONTROL_REVOKE = 6,
    CONTROL_SETTING = 7,
};

/* A scheduled talk as a note carries it, for ordering and headings when the schedule is not here.
 * Strings are borrowed. */
struct note_talk {
    struct slice key; /* what the id was derived from: event guid, else id, else start+room+title */
    struct slice title, day /* 2023-02-04 */, start /* 2023-02-04T10:30 local */, room, track, url;
    struct slice speakers; /* joined by "; " */
    uint32_t duration_min;
};

/* Appends the talk as the msgpack array [key, title, day, start, room, track, url, speakers,
   duration_min]; errors stick in `out`. */
void note_talk_encode(const struct note_talk *talk, struct buf *out);
/* Reads exactly that. Returns 0, RAPPORT_MALFORMED, RAPPORT_TRUNCATED, RAPPORT_LIMIT or
   RAPPORT_NOMEM; the strings are borrowed from `bytes`. */
int note_talk_decode(struct slice bytes, struct note_talk *out);

/* The name of a text event. */
struct payload_id {
    uint8_t agent[LOG_ID_BYTES];
    uint64_t seq;
};

/* The events of the text layer that one event stands for. */
struct payload_text {
    size_t pos;
    size_t n;          /* events */
    struct slice text; /* insert, template */
    bool has_parents;  /* then `ids` are they; else the default */
};

struct payload_event {
    enum delta_kind kind;
    union {
        enum content_event content;
        enum control_event control;
    } type;
    uint64_t number; /* of its first event */
    uint32_t n_numbers;
    uint8_t note[NOTE_ID_BYTES]; /* content */
    struct payload_text text;
    struct payload_id ids[PARENTS_MOST]; /* parents, or the version of a delete */
    size_t n_ids;
    struct slice value; /* path, setting's value, genesis, card, talk's fields are in `talk` */
    struct slice key;   /* of a setting */
    bool has_talk;      /* false: removed */
    struct note_talk talk;
    uint8_t id[ID_BYTES]; /* device, invite; of an add the invite, zeros for none */
    uint8_t public_key[32];
    struct device_card card; /* of an add */
    uint32_t role, n_uses;
    uint64_t expires_s;
};

/* The small numbers that one log gave to notes. */
struct note_names {
    struct map *numbers;           /* note id -> number + 1 as a pointer; may be NULL: empty */
    uint8_t (*ids)[NOTE_ID_BYTES]; /* by number */
    size_t n;
};

/* A walk over one payload that was checked in whole. Not to be moved while open. */
struct payload_walk {
    struct mp_doc doc;
    struct mp_array sections, events; /* control: events alone */
    int error;
    enum delta_kind kind;
    uint64_t first, next, end;
    const struct note_names *names;
    uint8_t (*new_ids)[NOTE_ID_BYTES]; /* named here for the first time, in order */
    size_t n_new, cap_new;
    uint8_t note[NOTE_ID_BYTES];
};

/* Checks all of `plain`, which must outlive the walk, as the payload of events `first` to
   `end` - 1, and stands before its first event. Returns 0, RAPPORT_NOMEM, or why it does not
   parse; then there is nothing to end. */
int payload_begin(struct payload_walk *w, enum delta_kind kind, uint64_t first, uint64_t end,
                  const struct note_names *names, struct slice plain);
/* Gives the next event; false at the end. */
bool payload_next(struct payload_walk *w, struct payload_event *out);
/* Frees what the walk holds; the slices of its events stay those of `plain`. */
void payload_end(struct payload_walk *w);

/* Appends one event (its parents in front where it has them); errors stick in `out`. */
void payload_put_event(struct buf *out, const struct payload_event *event);
/* Reads one control event as payload_put_event wrote it. Returns 0 or an error. */
int payload_take_control(struct slice bytes, struct payload_event *out);

/* The pseudo-agent that writes a template: BLAKE2b-128("rapport templ", note id, text). */
void payload_template_agent(uint8_t out[LOG_ID_BYTES], const uint8_t note[NOTE_ID_BYTES],
                            struct slice text);

#endif
