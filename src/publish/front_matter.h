/*
 * front_matter.h - the lines between `---` fences at the top of a note or of report.md.
 *
 * A subset of YAML: `key: value` with plain or quoted scalars, lists as `[a, "b"]` or as lines `-
 * a` below the key, comments. Keys known: title, date, slug, lang, summary, draft, tags, authors
 * (also author). Other keys are kept as they stand, with the lines below them that are indented or
 * begin with '-'. What does not parse is named with its line and the rest still works; nothing here
 * fails but memory. A note that opens a fence and never closes it has no front matter: it is all
 * body.
 */
#ifndef PUBLISH_FRONT_MATTER_H
#define PUBLISH_FRONT_MATTER_H

#include "base/arena.h"
#include "base/buf.h"

enum {
    FRONT_MATTER_MOST_BYTES = 16384, /* between the fences; with more it is not front matter */
    FRONT_MATTER_MOST_ITEMS = 256,   /* of one list; further ones are named as a problem */
    FRONT_MATTER_MOST_PROBLEMS = 20, /* kept; the rest is dropped */
    FRONT_MATTER_MOST_SCALAR_BYTES = 4096,
};

struct text_problem {
    size_t line; /* from 1 */
    const char *text;
};

struct front_matter {
    struct arena arena; /* owns all strings */
    bool present;
    const char *title, *date, *slug, *lang, *summary; /* "" when absent */
    bool draft;
    const char **tags, **authors;
    size_t n_tags, n_authors;
    const char *unknown; /* lines of unknown keys, each with its LF */
    struct slice body;   /* what follows the closing fence; borrowed from the text */
    size_t body_line;    /* number of the body's first line, from 1 */
    struct text_problem *problems;
    size_t n_problems;
};

/* Parses the front matter of `text`, which must outlive *out. Returns 0 (also without any) or
 * RAPPORT_NOMEM, then *out is left alone. Free with front_matter_clear. */
int front_matter_parse(struct slice text, struct front_matter *out);
/* Frees what front_matter_parse made; *m is empty afterwards. */
void front_matter_clear(struct front_matter *m);

/* What follows the front matter, without looking into it; all of `text` when there is none. */
struct slice front_matter_body(struct slice text);

/*
 * Appends a note's title: its first heading (of any level, not inside code) as plain text, else its
 * first line that is not blank, at most 200 bytes; "" for an empty note. Front matter is not looked
 * into. Returns 0 or RAPPORT_NOMEM.
 */
int note_title(struct slice text, struct buf *out);

/*
 * Lists a note's tags: front matter first, then inline `#tag` (a '#' after a blank or at the start
 * of a line, followed by a letter; then letters, digits, '-', '_', '/'), not in code, links or
 * headings' marks. Each once, in order of appearance, at most FRONT_MATTER_MOST_ITEMS, in `arena`.
 * Returns 0 or RAPPORT_NOMEM.
 */
int note_tags(struct slice text, struct arena *arena, const char ***tags, size_t *n_tags);

#endif
