/*
 * rapport/text.h - a text that several people edit at once, as a graph of events.
 *
 * Every inserted or deleted code point is one event with an id (agent bytes, number), the events it
 * was made after (its parents) and the position its author typed it at. The text follows from the
 * graph alone: whoever has the same events has the same text, in whatever order and batches they
 * came. Order among concurrent inserts is FugueMax, ties by agent bytes, then by number
 * (Eg-walker, Gentle & Kleppmann 2025).
 *
 * Positions and lengths named pos and n count Unicode code points; *_len counts bytes. Text is
 * UTF-8 without a terminating NUL. A position out of range means the same everywhere: an insert
 * past the end goes to the end, a delete past the end deletes nothing; the events exist all the
 * same. Nothing here does I/O, reads a clock or keeps globals; an object must not be used by two
 * threads at once. Functions that can fail return 0 or a negative enum rapport_error, and then
 * leave the object as it was.
 */
#ifndef RAPPORT_TEXT_H
#define RAPPORT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rapport/error.h"

enum {
    RAPPORT_TEXT_MOST_AGENT_BYTES = 32,
    RAPPORT_TEXT_MOST_AGENTS = 65535, /* that have events in one text */
    RAPPORT_TEXT_MOST_PARENTS = 256,  /* of one event */
    RAPPORT_TEXT_MOST_RUN = 1u << 26  /* events of one run */
};
/* Events of one text. */
#define RAPPORT_TEXT_MOST_EVENTS UINT32_C(0xfffffff0)
/* The greatest position that an event may be given. */
#define RAPPORT_TEXT_MOST_POS (RAPPORT_TEXT_MOST_EVENTS - RAPPORT_TEXT_MOST_RUN)
/* Bytes of all text ever inserted. */
#define RAPPORT_TEXT_MOST_BYTES UINT32_C(0xfffffff0)
/* The greatest number that an event's id may have. */
#define RAPPORT_TEXT_MOST_SEQ (UINT64_MAX / 2)

/* One text with its history. */
struct rapport_text;

/* The name of one event. `agent` is 1 to 32 opaque bytes; the numbers of one agent may have gaps,
 * and one agent may have written on two branches. */
struct rapport_text_id {
    const uint8_t *agent;
    size_t agent_len;
    uint64_t seq;
};

enum rapport_text_kind {
    RAPPORT_TEXT_INSERT = 1,
    RAPPORT_TEXT_DELETE = 2
};

/*
 * Events id.seq to id.seq + n_events - 1 of one agent. The first was made at the version `parents`
 * (n_parents 0: at the empty text), each later one right after the one before.
 * INSERT: event i inserts code point i of `text` at pos + i.
 * DELETE: every event deletes the code point at pos (Delete key); with `backward`, event i deletes
 * the one at pos - i (Backspace), so pos >= n_events - 1. `text` is not used.
 */
struct rapport_text_run {
    struct rapport_text_id id;
    const struct rapport_text_id *parents;
    size_t n_parents;
    enum rapport_text_kind kind;
    bool backward;
    size_t pos;
    size_t n_events;
    const char *text;
    size_t text_len;
};

/* A replacement: at `pos`, n_deleted code points go and `text` comes. */
struct rapport_text_edit {
    size_t pos;
    size_t n_deleted;
    const char *text;
    size_t text_len;
};

/* Makes an empty text without events. Returns 0 or RAPPORT_NOMEM. Freed by rapport_text_destroy. */
int rapport_text_create(struct rapport_text **out);
/* Frees the text and all that was borrowed from it. NULL is allowed. */
void rapport_text_destroy(struct rapport_text *t);

/*
 * Adds events to the graph; the text is unchanged until rapport_text_merge. Events that are known
 * already are skipped, also where only a part of the run is known: the first copy of an id wins,
 * whatever a second one says. Everything is copied.
 * Returns 0; RAPPORT_PARENT when a parent is not here and an event of the run is new;
 * RAPPORT_MALFORMED for text that is not UTF-8 or does not have n_events code points;
 * RAPPORT_INVALID for an empty run, a bad agent, kind or backward position, or an event among its
 * own parents; RAPPORT_LIMIT past one of the limits above; RAPPORT_NOMEM.
 */
int rapport_text_add(struct rapport_text *t, const struct rapport_text_run *run);

/*
 * Brings the text to the newest version of the graph. What changed is then read with
 * rapport_text_next_change; changes of an earlier merge that were not read are dropped. Returns 0
 * or RAPPORT_NOMEM (the text is as before, and a later call can succeed).
 */
int rapport_text_merge(struct rapport_text *t);
/* Gives the changes of the last merge in order, one a call; each position is in the text as the
 * changes before left it. Returns false after the last. out->text is borrowed until the next call
 * that adds, edits or merges; such a call also drops the changes that were not read. */
bool rapport_text_next_change(struct rapport_text *t, struct rapport_text_edit *out);

/*
 * Typing: makes events id.seq, id.seq + 1, ... at the current version and applies them at once.
 * The insert has one event a code point of `text` (at pos, pos + 1, ...), the delete n events that
 * are all at pos. Returns 0; RAPPORT_STATE while added events wait for rapport_text_merge;
 * RAPPORT_EXISTS when one of the ids is known; RAPPORT_LIMIT also when the current version has more
 * than RAPPORT_TEXT_MOST_PARENTS ids (then first add an event that deletes past the end and has
 * some of them as parents); RAPPORT_MALFORMED, RAPPORT_INVALID, RAPPORT_NOMEM as
 * rapport_text_add. Empty text or n = 0 is RAPPORT_INVALID.
 */
int rapport_text_insert(struct rapport_text *t, struct rapport_text_id id, size_t pos,
                        const char *text, size_t text_len);
/* Deletes; see rapport_text_insert. */
int rapport_text_delete(struct rapport_text *t, struct rapport_text_id id, size_t pos, size_t n);

/* Writes the first `max` ids of the newest version of the graph (added events included, merged or
 * not) to `out`, sorted by (agent, seq), and returns how many it has. The agents are borrowed from
 * t until it is destroyed. An empty graph has none. */
size_t rapport_text_version(const struct rapport_text *t, struct rapport_text_id *out, size_t max);
/* True when the event is in the graph. */
bool rapport_text_has(const struct rapport_text *t, struct rapport_text_id id);
/* The number of events in the graph. */
size_t rapport_text_n_events(const struct rapport_text *t);
/* True when every event of the graph is one of the n ids or in the past of one. Ids that are not
 * known here are ignored. An empty graph is covered by anything. */
bool rapport_text_covers(const struct rapport_text *t, const struct rapport_text_id *version,
                         size_t n);
/*
 * True when every event of version a (its ids and all before them) belongs to version b. An id of a
 * that is not known here counts only when it is among the ids of b; ids of b that are not known
 * here are ignored otherwise. Writes to *out; returns 0 or RAPPORT_NOMEM.
 */
int rapport_text_is_before(const struct rapport_text *t, const struct rapport_text_id *a,
                           size_t n_a, const struct rapport_text_id *b, size_t n_b, bool *out);

/* The text at an older version (n = 0: the empty text). Allocates *out (free() it, a NUL follows
 * the len bytes). Returns 0, RAPPORT_NOTFOUND for an id not known here, or RAPPORT_NOMEM. Costs a
 * replay of the history up to there. */
int rapport_text_at(const struct rapport_text *t, const struct rapport_text_id *version, size_t n,
                    char **out, size_t *len);

/* Length of the text in code points. */
size_t rapport_text_length(const struct rapport_text *t);
/* Length of the text in bytes. */
size_t rapport_text_size(const struct rapport_text *t);
/* Copies up to n code points from pos on (0 and SIZE_MAX: the whole text). Allocates *out (free()
 * it, a NUL follows the len bytes). Returns 0 or RAPPORT_NOMEM. */
int rapport_text_copy(const struct rapport_text *t, size_t pos, size_t n, char **out, size_t *len);

/* The text in two parts: `before` and then `after`. */
struct rapport_text_pieces {
    const char *before, *after;
    size_t before_len, after_len;
};
/* The text as it lies in memory, borrowed until it changes. */
void rapport_text_pieces(const struct rapport_text *t, struct rapport_text_pieces *out);

/* Writes the stored form: the text, then the history. Allocates *out (free() it). Returns 0,
 * RAPPORT_STATE while added events wait for rapport_text_merge, or RAPPORT_NOMEM. */
int rapport_text_save(const struct rapport_text *t, uint8_t **out, size_t *len);
/* Takes the text as it was stored, without a replay, and reads the history. Returns 0,
 * RAPPORT_VERSION, RAPPORT_TRUNCATED, RAPPORT_MALFORMED, RAPPORT_LIMIT or RAPPORT_NOMEM; whatever
 * the bytes are, the result is sound. Nothing is borrowed from them. */
int rapport_text_load(const uint8_t *bytes, size_t len, struct rapport_text **out);
/* Finds only the text in a stored form, borrowed from the bytes; the history is not looked at.
 * Errors as rapport_text_load. */
int rapport_text_peek(const uint8_t *bytes, size_t len, const char **text, size_t *text_len);

/*
 * The edits that make `new_text` of `old_text`, ascending, each position in the text as the edits
 * before left it: common ends cut off, then by lines, then within changed lines by code points,
 * each with a bounded effort and a coarser answer past it. Allocates *out (free() it; NULL when n
 * is 0); the texts of the edits are borrowed from new_text. Returns 0, RAPPORT_MALFORMED when
 * either text is not UTF-8, RAPPORT_LIMIT for a text of more than 1 GiB, or RAPPORT_NOMEM.
 */
int rapport_text_diff(const char *old_text, size_t old_len, const char *new_text, size_t new_len,
                      struct rapport_text_edit **out, size_t *n);

#endif
