/*
 * html.h - HTML out of text and Markdown, with nothing in it that could act.
 */
#ifndef PUBLISH_HTML_H
#define PUBLISH_HTML_H

#include "base/buf.h"

/* Appends text for an element or a quoted attribute: & < > " ' escaped. */
void html_put_text(struct buf *out, struct slice text);

/* Appends an address for a quoted attribute; bytes that no address may have are percent-encoded. */
void html_put_address(struct buf *out, struct slice url);

/*
 * Appends Markdown as HTML by walking the parser's tree: its own renderer is not used. Only
 * elements of a fixed list are written, without any attribute of the author's but safe addresses,
 * titles, alternative texts and list starts; what is raw HTML in the text is shown, not obeyed.
 * `prefix` (a slug) keeps the ids of footnotes apart. Returns 0, RAPPORT_LIMIT or RAPPORT_NOMEM.
 */
int html_put_markdown(struct buf *out, struct slice markdown, const char *prefix);

#endif
