/*
 * writer.h - a post as files for a target: plain Markdown, Hugo, one HTML page.
 *
 * A writer turns a struct post into paths and bytes; the caller writes them. Same post, same bytes:
 * LF, a final newline, nothing about when or where it was made. Paths are relative, made of slugs,
 * and media stand beside the post ("content/posts/SLUG/media/x.jpg" for Hugo), see `media_dir`. A
 * new target is one row in the table of writer.c and one function.
 */
#ifndef PUBLISH_WRITER_H
#define PUBLISH_WRITER_H

#include "publish/post.h"

struct post_file {
    const char *path; /* relative, '/' between parts */
    struct slice bytes;
};

struct post_files {
    struct arena arena; /* owns everything below */
    struct post_file *files;
    size_t n_files;
    const char *media_dir; /* where post.media goes: "" or a folder that ends with '/';
                              "media/x.jpg" is written below it */
};

struct post_target {
    const char *name;    /* as in `publish --to NAME` */
    const char *summary; /* for the help, one line */
    int (*write)(const struct post *p, struct post_files *out);
};

/* Returns the table of targets, *n rows, static. */
const struct post_target *post_targets(size_t *n);

/* Writes `p` for the target of that name. Returns 0, RAPPORT_NOTFOUND for an unknown target,
 * RAPPORT_LIMIT or RAPPORT_NOMEM; then *out is left alone. Free with post_files_clear. */
int post_write(const struct post *p, const char *target, struct post_files *out);
/* Frees what post_write made; *f is empty afterwards. */
void post_files_clear(struct post_files *f);

#endif
