/*
 * spans.h - rewriting what stands inside of paragraphs: angle brackets, link destinations, labels.
 *
 * Reads inline marks from left to right as CommonMark 0.30 §6 does: a backslash takes the next mark
 * along, a code span ends at a run of as many backticks. Lines that the parser found to be code are
 * passed over.
 */
#ifndef PUBLISH_SPANS_H
#define PUBLISH_SPANS_H

#include "publish/strings.h"

struct spans_input {
    struct slice text;
    const bool *is_code; /* by line, from 0; as many as text has lines */
    const char *label_suffix;
    const struct str_list
        *labels; /* that text defines, by spans_labels; renamed when there is a suffix */
};

struct spans_found {
    struct arena *arena;
    struct str_list *media; /* "media/…" paths that links name */
    bool html, bad_link;
    int error; /* 0 or RAPPORT_NOMEM */
};

/* Appends the rewritten text: "<" that opens HTML or an unsafe autolink as "&lt;", unsafe
 * destinations as "#", media paths without "../" before them, labels with the suffix. */
void spans_rewrite(const struct spans_input *in, struct buf *out, struct spans_found *found);

/* Adds the labels of reference and footnote definitions ("1", "^a"), in lower case, each once.
 * Returns 0 or RAPPORT_NOMEM. */
int spans_labels(struct slice text, struct arena *arena, struct str_list *labels);

#endif
