/*
 * safe.h - Markdown that any target may be given: what people wrote, without what could act.
 *
 * Out: valid UTF-8, LF, no controls and no bidirectional controls; no raw HTML (its "<" is shown);
 * no link and no image but safe addresses (markdown.h), others point to "#"; no table past the
 * gate; headings moved by `shift`; every code fence closed. Each step is checked by parsing the
 * result: where rewriting by place did not do (a text built to be read in two ways), every mark of
 * that kind is escaped, in code too, which looks worse and cannot fail. Text is never rendered back
 * from a tree, so the author's own writing stays.
 */
#ifndef PUBLISH_SAFE_H
#define PUBLISH_SAFE_H

#include "publish/strings.h"

struct safe_report {
    bool was_cut;         /* longer than the limit */
    bool had_large_table; /* shown as text */
    bool had_html;
    bool had_bad_link;
};

struct safe_input {
    struct slice text;
    size_t most_bytes;
    int shift; /* added to the level of each heading, then kept in 2 to 6 */
    /* Put to labels of references and footnotes, so that two texts can share a post; or NULL. */
    const char *label_suffix;
};

/*
 * Appends the safe form of in->text, empty or ending with LF. Paths of media that it links
 * ("media/x.jpg", made so from "../media/x.jpg") are added to `media`, in `arena`. Returns 0 or
 * RAPPORT_NOMEM.
 */
int safe_markdown(const struct safe_input *in, struct buf *out, struct arena *arena,
                  struct str_list *media, struct safe_report *report);

#endif
