/*
 * slug.h - names for files and web addresses, made from titles.
 *
 * Lower-case letters and digits are kept (letters of any script), each run of anything else becomes
 * one
 * '-'; never at an end. At most SLUG_MOST_BYTES, cut between code points, at a '-' where one is
 * near. Never empty ("untitled"), never "index" and no name that Windows reserves ("con-1"). So a
 * slug has no dot, slash, blank, control or bidirectional character.
 */
#ifndef PUBLISH_SLUG_H
#define PUBLISH_SLUG_H

#include "base/buf.h"

enum {
    SLUG_MOST_BYTES = 80
};

/* Appends the slug of `title` (any bytes; invalid UTF-8 counts as something else). Returns 0 or
 * RAPPORT_NOMEM. A slug's slug is itself. */
int slug_make(struct slice title, struct buf *out);

#endif
