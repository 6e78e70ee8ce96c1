/*
 * outline.h - report.md: front matter, the author's own text, and embeds `![[note]]` in the post's
 * order.
 *
 * An embed stands on a line of its own (blanks around it do not matter) and outside of fenced code.
 * It names a note by path ("notes/headscale.md"), path without .md or without "notes/", slug, or
 * title; a
 * "#part" or "|text" behind it is ignored. Drafting is a function of its arguments alone, whatever
 * order the notes come in, so all peers that draft from the same notes write the same bytes.
 */
#ifndef PUBLISH_OUTLINE_H
#define PUBLISH_OUTLINE_H

#include "base/arena.h"
#include "base/buf.h"

enum {
    OUTLINE_MOST_BYTES = 1 << 20, /* of report.md */
    OUTLINE_MOST_EMBEDS = 10000,
};

enum outline_kind {
    OUTLINE_TEXT,  /* whole lines of the author's own, blank lines included */
    OUTLINE_EMBED, /* one line */
};

struct outline_item {
    enum outline_kind kind;
    struct slice text;  /* the lines with their LF; of an embed, the name between the brackets */
    struct slice whole; /* the lines with their LF */
    size_t line;        /* number of its first line, from 1 */
};

/* All slices borrow from the text that was parsed; `arena` owns the items. */
struct outline {
    struct arena arena;
    struct slice front; /* front matter with its fences and LF; empty when there is none */
    struct outline_item *items;
    size_t n_items;
};

/* Parses report.md. Returns 0, RAPPORT_LIMIT or RAPPORT_NOMEM (then *out is left alone). */
int outline_parse(struct slice text, struct outline *out);
/* Frees what outline_parse made; *o is empty afterwards. */
void outline_clear(struct outline *o);

/* What drafting needs to know of a note. */
struct outline_note {
    const char *path;  /* "notes/headscale.md", unique */
    const char *title; /* may be "" */
    const char *slug;  /* may be "": then that of the path */
    const char *day;   /* conference day of its talk, "2023-02-04"; "" without a talk */
    int64_t start_min; /* of its talk, as in struct talk; INT64_MAX without one or without a time */
};

/* Finds the note that `name` (as between the brackets) means. Returns 0 with *index,
 * RAPPORT_NOTFOUND, or RAPPORT_AMBIGUOUS when two notes share a title or slug and neither path
 * fits. */
int outline_resolve(const struct outline_note *notes, size_t n, struct slice name, size_t *index);

/* Appends the name by which an embed should name a path: without ".md", and without "notes/". */
void outline_embed_name(const char *path, struct buf *out);

/*
 * Drafts or refreshes report.md into `out`. Text and hand-made order of `existing` are kept byte
 * for byte (but a missing LF at its end). Notes that it does not name are put in: those of talks by
 * (start, path) next to the embeds of neighbouring talks, the others at the end by path. Second
 * embeds of the same note are removed with their line. Embeds of no known note stay. With no embed
 * in `existing` and talks on more than one day, a heading "## Saturday 4 February" opens each day.
 * Each thing done or doubtful is one line in `problems` (may be NULL). Returns 0, RAPPORT_LIMIT or
 * RAPPORT_NOMEM.
 */
int outline_draft(const struct outline_note *notes, size_t n, struct slice existing,
                  struct buf *out, struct buf *problems);

#endif
