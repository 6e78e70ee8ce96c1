/*
 * writer_parts.h - what several writers have in common: the Markdown body, quoting, adding a file.
 */
#ifndef PUBLISH_WRITER_PARTS_H
#define PUBLISH_WRITER_PARTS_H

#include "publish/writer.h"

/* Appends a double-quoted string that YAML and TOML read alike. */
void put_quoted(struct buf *out, const char *text);
/* Appends `["a", "b"]`. */
void put_quoted_list(struct buf *out, const char *const *strings, size_t n);
/* Appends "a, b", each through put_markdown_plain. */
void put_plain_list(struct buf *out, const char *const *strings, size_t n);

/* Appends a talk's day and time as the post shows them: "Saturday 4 February, 10:30–11:00" in a
 * post whose language is English, else "2023-02-04 10:30–11:00". */
void put_talk_time(struct buf *out, const struct post *p, const struct post_section *s);
/* The word that stands for a link of the schedule: "video", "slides", or its title. */
const char *link_word(const struct talk_link *l);

/* What a generator makes of Markdown beyond Markdown. */
struct body_style {
    void (*put_heading)(struct buf *out,
                        const struct post_section *s); /* a note's, with its line end */
    void (*put_body)(struct buf *out, struct slice body);
};
/* Appends all sections as Markdown, each ending in a blank line's distance from the next. */
void put_markdown_sections(struct buf *out, const struct post *p, const struct body_style *style);

/* Adds a file; takes the text over into the arena. Returns 0, RAPPORT_NOMEM or the text's error. */
int add_file(struct post_files *f, const char *path, const struct buf *text);

/* Plain Markdown: SLUG.md. Returns as post_write. */
int write_markdown(const struct post *p, struct post_files *out);
/* Hugo: content/posts/SLUG/index.md. Returns as post_write. */
int write_hugo(const struct post *p, struct post_files *out);
/* One web page: SLUG.html. Returns as post_write. */
int write_html(const struct post *p, struct post_files *out);

#endif
