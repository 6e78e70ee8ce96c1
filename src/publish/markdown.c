/* markdown.c - parsing through cmark-gfm (see markdown.h). */
#include "publish/markdown.h"

#include <cmark-gfm-core-extensions.h>
#include <stdlib.h>

#include "publish/lines.h"
#include "rapport/error.h"

enum {
    NODE_BYTES = 192, /* of one node, with its share of strings */
    LEAST_PARSE_BYTES = 65536
};

/* A node for each byte is the worst that inline marks alone can do. */
static bool memory_is_there(size_t text_len)
{
    void *probe = malloc(text_len * NODE_BYTES + LEAST_PARSE_BYTES);
    free(probe);
    return probe != NULL;
}

int markdown_parse(struct slice text, cmark_node **out)
{
    static const char *const extensions[] = {"table", "strikethrough", "autolink", "tasklist"};
    if (text.len > MARKDOWN_MOST_BYTES)
        return RAPPORT_LIMIT;
    if (!memory_is_there(text.len))
        return RAPPORT_NOMEM;
    cmark_gfm_core_extensions_ensure_registered();
    cmark_parser *parser = cmark_parser_new(CMARK_OPT_FOOTNOTES | CMARK_OPT_VALIDATE_UTF8);
    for (size_t i = 0; i < sizeof extensions / sizeof extensions[0]; i++)
        cmark_parser_attach_syntax_extension(parser, cmark_find_syntax_extension(extensions[i]));
    cmark_parser_feed(parser, (const char *)text.ptr, text.len);
    cmark_node *root = cmark_parser_finish(parser);
    cmark_parser_free(parser);
    if (!root)
        return RAPPORT_NOMEM;
    *out = root;
    return 0;
}

static size_t count_pipes(struct slice line)
{
    size_t n = 0;
    for (size_t i = 0; i < line.len; i++)
        n += line.ptr[i] == '|';
    return n;
}

static void put_without_pipes(struct buf *out, struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '|')
            buf_append_str(out, "&#124;");
        else
            buf_u8(out, s.ptr[i]);
    }
}

/* Takes the lines up to the next blank one. */
static bool tame_block(struct slice block, size_t n_lines, size_t most_pipes, struct buf *out)
{
    bool too_large = n_lines && most_pipes > MARKDOWN_MOST_TABLE / n_lines;
    if (too_large)
        put_without_pipes(out, block);
    else
        buf_append_slice(out, block);
    return too_large;
}

bool markdown_tame_tables(struct slice text, struct buf *out)
{
    struct line_reader r = line_reader_of(text);
    struct slice block = slice_part(text, 0, 0);
    size_t n_lines = 0, most_pipes = 0;
    bool found = false;
    for (struct line l; line_next(&r, &l);) {
        block.len += l.whole.len;
        n_lines++;
        size_t n = count_pipes(l.text);
        most_pipes = n > most_pipes ? n : most_pipes;
        if (line_is_blank(l.text) || r.rest.len == 0) {
            found |= tame_block(block, n_lines, most_pipes, out);
            block = slice_part(r.rest, 0, 0);
            n_lines = most_pipes = 0;
        }
    }
    return found;
}

static bool has_scheme(struct slice url)
{
    for (size_t i = 0; i < url.len && !strchr("/?#", url.ptr[i]); i++) {
        if (url.ptr[i] == ':')
            return true;
    }
    return false;
}

static bool has_safe_scheme(struct slice url)
{
    static const char *const schemes[] = {"http://", "https://", "mailto:", "gemini://"};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        if (slice_starts_nocase(url, schemes[i]))
            return true;
    }
    return false;
}

bool address_is_safe(struct slice url)
{
    bool backslash = false;
    for (size_t i = 0; i < url.len; i++) {
        if (url.ptr[i] < ' ' || url.ptr[i] == 0x7f)
            return false;
        backslash |= url.ptr[i] == '\\';
    }
    return has_safe_scheme(url) || (!backslash && !has_scheme(url) && !slice_starts(url, "//"));
}
