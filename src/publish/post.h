/*
 * post.h - the post: report.md and the notes that it embeds, put together but not yet written for a
 * site.
 *
 * post_build reads everything and writes nothing: the result is the same for the same input,
 * whoever builds it. Each embed becomes a section: the note's first heading (else its title) at
 * level 2, what the talk's schedule says, and the note's text without front matter and with its
 * headings one level down. Bodies are Markdown made safe for any target (safe.h): no raw HTML, no
 * links but http, https, mailto, gemini and relative ones, no control or bidirectional characters.
 * What the author must know (twins, missing notes, notes not used, text that had to be shown as it
 * stands) is in `problems`.
 */
#ifndef PUBLISH_POST_H
#define PUBLISH_POST_H

#include "base/arena.h"
#include "base/buf.h"
#include "publish/schedule.h"

enum {
    POST_MOST_NOTES = 10000,
    POST_MOST_NOTE_BYTES =
        256 << 10, /* of one note's Markdown; a longer one is shown up to here and named */
    POST_MOST_BYTES = 8 << 20, /* of all sections together */
};

/* All strings may be NULL for "" and are borrowed for the call only. */
struct post_note {
    const char *path, *title, *slug;
    struct slice text;
    const struct talk *talk; /* NULL: no talk */
    const char *const
        *authors; /* display names, made unique by the caller, in order of first edit */
    size_t n_authors;
};

struct post_input {
    struct slice report; /* report.md */
    const struct post_note *notes;
    size_t n_notes;
    const char *title; /* when report.md names none */
    const char
        *date; /* "2023-02-06" or RFC 3339, when report.md names none; "" leaves the post undated */
    bool draft; /* marks it as a draft whatever report.md says */
};

enum post_section_kind {
    POST_TEXT, /* the author's own text of report.md */
    POST_NOTE, /* an embedded note */
};

struct post_section {
    enum post_section_kind kind;
    const char *heading; /* of a note, plain text on one line; "" for own text */
    const char *anchor;  /* of a note, a slug, unique in the post; "" for own text */
    int level;           /* of the heading: 2 */
    const char *body;    /* Markdown, whole lines; "" or ends with LF */
    const char *path;    /* of a note; "" for own text */
    bool has_talk;
    const char *day, *start, *room; /* of the talk, as in struct talk */
    int duration_min;
    const char **persons; /* speakers */
    size_t n_persons;
    struct talk_link *links; /* page, first video, first slides, then others; noise left out */
    size_t n_links;
    const char **authors; /* who wrote the note */
    size_t n_authors;
};

struct post {
    struct arena arena; /* owns everything below */
    const char *title;  /* never empty: "Report" in the worst case */
    const char *date;   /* RFC 3339 with offset, or "" */
    const char *lang;   /* BCP 47, or "en" */
    const char *slug;   /* of slug.h */
    const char *summary;
    bool draft;
    const char **tags; /* sorted, each once */
    size_t n_tags;
    const char **authors; /* report.md's authors first in their order, then contributors, sorted,
                             each once */
    size_t n_authors;
    struct post_section *sections;
    size_t n_sections;
    const char **
        media; /* "media/…" paths that bodies show or link, sorted, each once: to be copied along */
    size_t n_media;
    const char **problems; /* one sentence each */
    size_t n_problems;
};

/* Builds a post. Returns 0, RAPPORT_LIMIT or RAPPORT_NOMEM, then *out is left alone. Free with
 * post_clear. */
int post_build(const struct post_input *in, struct post *out);
/* Frees what post_build made; *p is empty afterwards. */
void post_clear(struct post *p);

#endif
