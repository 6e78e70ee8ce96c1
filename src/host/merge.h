/*
 * merge.h - two texts that were made from one, brought together without marks: what either inserted
 * is there, what either deleted is gone, and what both did alike is done once.
 */
#ifndef HOST_MERGE_H
#define HOST_MERGE_H

#include "base/buf.h"

/* Appends the merge of `mine` and `theirs`, both made from `base`; where both insert, theirs comes
   first. All UTF-8. Returns 0, RAPPORT_MALFORMED, RAPPORT_LIMIT or RAPPORT_NOMEM. */
int merge_texts(struct slice base, struct slice mine, struct slice theirs, struct buf *out);

/* True when what leads from `before` to `after` shows in `text`: its new lines are there rather
   than its old ones, or, where neither is, most of what it inserted and deleted. Also true when
   the two are equal, false when memory runs out. */
bool change_shows(struct slice before, struct slice after, struct slice text);

#endif
