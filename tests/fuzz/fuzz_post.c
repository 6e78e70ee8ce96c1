/* fuzz_post.c - any bytes as a note: what comes out has no HTML and no unsafe link, read as
 * Markdown, and every target takes it. */
#include <stdlib.h>

#include "base/utf8.h"
#include "publish/markdown.h"
#include "publish/strings.h"
#include "publish/writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
    if (!good)
        abort();
}

static void check_node(cmark_node *node)
{
    cmark_node_type type = cmark_node_get_type(node);
    check(type != CMARK_NODE_HTML_BLOCK && type != CMARK_NODE_HTML_INLINE);
    if (type != CMARK_NODE_LINK && type != CMARK_NODE_IMAGE)
        return;
    struct slice url = slice_str(cmark_node_get_url(node));
    check(address_is_safe(url) || slice_starts_nocase(url, "ftp://") ||
          slice_starts_nocase(url, "xmpp:"));
}

static void check_body(const char *body)
{
    cmark_node *root;
    check(utf8_valid(slice_str(body)));
    check(markdown_parse(slice_str(body), &root) == 0);
    cmark_iter *iter = cmark_iter_new(root);
    while (cmark_iter_next(iter) != CMARK_EVENT_DONE)
        check_node(cmark_iter_get_node(iter));
    cmark_iter_free(iter);
    cmark_node_free(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct post_note note = {.path = "notes/n.md", .text = slice_of(data, size)};
    struct post_input in = {
        .report = slice_str("[a]: b\n\n![[n]]\n\nEnd\n"), .notes = &note, .n_notes = 1};
    struct post p;
    size_t n_targets;
    const struct post_target *targets = post_targets(&n_targets);
    check(post_build(&in, &p) == 0);
    for (size_t i = 0; i < p.n_sections; i++)
        check_body(p.sections[i].body);
    for (size_t i = 0; i < n_targets; i++) {
        struct post_files files;
        check(post_write(&p, targets[i].name, &files) == 0 && files.n_files == 1);
        check(!slice_contains_nocase(files.files[0].bytes, slice_str("href=\"javascript:")));
        post_files_clear(&files);
    }
    post_clear(&p);
    return 0;
}
