/*
 * markdown.h - the one door to cmark-gfm, and what this layer calls a safe address.
 *
 * cmark-gfm 0.29.0.gfm.6 of Debian 12 takes gigabytes for some tables of a few kilobytes, so every
 * text passes markdown_tame_tables first. Its allocator aborts the process when memory ends and has
 * no way to report it (its callbacks take no context, and state of our own is forbidden here), so
 * markdown_parse asks for what a parse may need beforehand and fails cleanly while that can be
 * refused. Its extensions register in globals of the library: the first markdown_parse of a process
 * must not run in two threads at once.
 */
#ifndef PUBLISH_MARKDOWN_H
#define PUBLISH_MARKDOWN_H

#include <cmark-gfm.h>

#include "base/buf.h"

enum {
    MARKDOWN_MOST_BYTES = 2 << 20, /* of one parse; a note's limit times 6, all of it escaped */
    MARKDOWN_MOST_TABLE = 20000,   /* pipes in the widest line of a block, times its lines */
    MARKDOWN_MOST_AT_SIGNS = 1000, /* with more, bare links are left as text */
};

/* Parses Markdown with tables, strikethrough, bare links, task lists and footnotes. The tree is
 * freed with cmark_node_free. Returns 0, RAPPORT_LIMIT or RAPPORT_NOMEM. */
int markdown_parse(struct slice text, cmark_node **out);

/* Appends `text` with the pipes of too large blocks escaped, so that no parser sees a table
 * there. Returns true when there was one. */
bool markdown_tame_tables(struct slice text, struct buf *out);

/* True for an address (already decoded) that a post may link to or show: http, https, mailto,
 * gemini, or relative, which must not begin with "//" nor hold a backslash (browsers take it for
 * a slash). No controls. */
bool address_is_safe(struct slice url);

#endif
