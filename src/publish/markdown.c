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

static size_t count_byte(struct slice s, uint8_t byte)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += s.ptr[i] == byte;
    return n;
}

/* A node for each byte is the worst that inline marks alone can do. */
static bool memory_is_there(size_t text_len)
{
    void *probe = malloc(text_len * NODE_BYTES + LEAST_PARSE_BYTES);
    free(probe);
    return probe != NULL;
}

int markdown_parse(struct slice text, cmark_node **out)
{
    static const char *const extensions[] = {"table", "strikethrough", "tasklist", "autolink"};
    if (text.len > MARKDOWN_MOST_BYTES)
        return RAPPORT_LIMIT;
    if (!memory_is_there(text.len))
        return RAPPORT_NOMEM;
    cmark_gfm_core_extensions_ensure_registered();
    cmark_parser *parser = cmark_parser_new(CMARK_OPT_FOOTNOTES | CMARK_OPT_VALIDATE_UTF8);
    size_t n = sizeof extensions / sizeof extensions[0];
    if (count_byte(text, '@') > MARKDOWN_MOST_AT_SIGNS)
        n--; /* the last looks for mail addresses in quadratic time */
    for (size_t i = 0; i < n; i++)
        cmark_parser_attach_syntax_extension(parser, cmark_find_syntax_extension(extensions[i]));
    cmark_parser_feed(parser, (const char *)text.ptr, text.len);
    cmark_node *root = cmark_parser_finish(parser);
    cmark_parser_free(parser);
    if (!root)
        return RAPPORT_NOMEM;
    *out = root;
    return 0;
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

/* The lines up to the next blank one. */
struct block {
    struct slice text;
    size_t n_lines, most_pipes;
};

static bool put_tame(const struct block *b, struct buf *out)
{
    bool too_large = b->n_lines && b->most_pipes > MARKDOWN_MOST_TABLE / b->n_lines;
    if (too_large)
        put_without_pipes(out, b->text);
    else
        buf_append_slice(out, b->text);
    return too_large;
}

bool markdown_tame_tables(struct slice text, struct buf *out)
{
    struct line_reader r = line_reader_of(text);
    struct block b = {.text = slice_part(text, 0, 0)};
    bool found = false;
    for (struct line l; line_next(&r, &l);) {
        size_t n = count_byte(l.text, '|');
        b.text.len += l.whole.len;
        b.n_lines++;
        b.most_pipes = n > b.most_pipes ? n : b.most_pipes;
        if (line_is_blank(l.text) || r.rest.len == 0) {
            found |= put_tame(&b, out);
            b = (struct block){.text = slice_part(r.rest, 0, 0)};
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
