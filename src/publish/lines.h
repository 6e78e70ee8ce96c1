/*
 * lines.h - a Markdown text line by line, with the fences of code blocks kept track of.
 *
 * Sees fences that stand at the margin (up to three blanks), as CommonMark 0.30 §4.5 has them; one
 * inside of a list item or a quote is not seen. Good for finding headings, tags and embeds; what
 * must be exact asks the Markdown parser (markdown.h).
 */
#ifndef PUBLISH_LINES_H
#define PUBLISH_LINES_H

#include "publish/strings.h"

struct line_reader {
    struct slice rest;
    size_t number;    /* of the last line read, from 1 */
    uint8_t fence;    /* '`' or '~' inside of a fenced block, else 0 */
    size_t fence_len; /* of the opening fence */
};

struct line {
    struct slice text;  /* without its end (LF or CR LF) */
    struct slice whole; /* with it */
    size_t number;      /* from 1 */
    bool is_code;       /* a fence, or inside of a fenced block */
};

static inline struct line_reader line_reader_of(struct slice text)
{
    return (struct line_reader){.rest = text};
}

/* Reads the next line. False at the end. */
bool line_next(struct line_reader *r, struct line *out);

/* Appends the line that closes the fenced block that is still open at the end of `text`, if one
 * is. */
void line_close_fence(struct slice text, struct buf *out);

/* The text of an ATX heading ("## Title ##" gives "Title"), *level 1 to 6; false when `line` is
 * none. */
bool line_heading(struct slice line, int *level, struct slice *text);

/* True for a line of blanks. */
static inline bool line_is_blank(struct slice line)
{
    return slice_trim(line).len == 0;
}

#endif
