/*
 * html.c - the tree of cmark-gfm to HTML (see html.h).
 *
 * One walk, without recursion. A text without markup is collected for an image's alternative. Tags
 * are opened and closed by the same table, so they always match.
 */
#include "publish/html.h"

#include <cmark-gfm-core-extensions.h>

#include "base/utf8.h"
#include "publish/markdown.h"
#include "publish/strings.h"
#include "rapport/error.h"

struct walk {
    struct buf *out;
    const char *prefix;
    size_t image_depth; /* inside of so many images: only text is written */
    size_t n_notes;     /* footnote definitions begun */
    bool in_notes;      /* the section of footnotes is open */
    bool in_body;       /* of a table */
};

void html_put_text(struct buf *out, struct slice text)
{
    for (size_t i = 0, from = 0; i <= text.len; i++) {
        uint8_t c = i < text.len ? text.ptr[i] : 0;
        const char *entity = c == '&'    ? "&amp;"
                             : c == '<'  ? "&lt;"
                             : c == '>'  ? "&gt;"
                             : c == '"'  ? "&quot;"
                             : c == '\'' ? "&#39;"
                                         : NULL;
        if (!entity && i < text.len)
            continue;
        buf_append_slice(out, slice_part(text, from, i));
        if (entity)
            buf_append_str(out, entity);
        from = i + 1;
    }
}

void html_put_address(struct buf *out, struct slice url)
{
    for (size_t i = 0; i < url.len; i++) {
        uint8_t c = url.ptr[i];
        if (c == '&')
            buf_append_str(out, "&amp;");
        else if (c <= ' ' || c >= 0x7f || strchr("\"'<>\\^`{|}", c))
            buf_printf(out, "%%%02X", c);
        else
            buf_u8(out, c);
    }
}

static void put_str(struct walk *w, const char *str)
{
    buf_append_str(w->out, str);
}

static struct slice text_of(const char *str)
{
    return slice_str(str ? str : "");
}

/* A line of its own for each block. */
static void fresh_line(struct walk *w)
{
    if (w->out->len && w->out->ptr[w->out->len - 1] != '\n')
        buf_u8(w->out, '\n');
}

static void put_code_block(struct walk *w, cmark_node *node)
{
    struct slice info = text_of(cmark_node_get_fence_info(node));
    size_t n = 0;
    while (n < info.len &&
           (is_alpha(info.ptr[n]) || is_digit(info.ptr[n]) || strchr("+-#_", info.ptr[n])))
        n++;
    fresh_line(w);
    put_str(w, "<pre><code");
    if (n) {
        put_str(w, " class=\"language-");
        html_put_text(w->out, slice_part(info, 0, n));
        put_str(w, "\"");
    }
    put_str(w, ">");
    html_put_text(w->out, text_of(cmark_node_get_literal(node)));
    put_str(w, "</code></pre>\n");
}

static void put_reference(struct walk *w, cmark_node *node)
{
    const char *n = cmark_node_get_literal(node);
    buf_printf(w->out, "<sup><a href=\"#%s-note-%s\">%s</a></sup>", w->prefix, n, n);
}

/* Nodes without children. False when it is none of them. */
static bool put_leaf(struct walk *w, cmark_node *node)
{
    cmark_node_type type = cmark_node_get_type(node);
    if (type == CMARK_NODE_TEXT || type == CMARK_NODE_HTML_INLINE)
        html_put_text(w->out, text_of(cmark_node_get_literal(node)));
    else if (type == CMARK_NODE_CODE) {
        put_str(w, w->image_depth ? "" : "<code>");
        html_put_text(w->out, text_of(cmark_node_get_literal(node)));
        put_str(w, w->image_depth ? "" : "</code>");
    } else if (type == CMARK_NODE_SOFTBREAK)
        put_str(w, "\n");
    else if (type == CMARK_NODE_LINEBREAK)
        put_str(w, w->image_depth ? " " : "<br>\n");
    else if (type == CMARK_NODE_FOOTNOTE_REFERENCE)
        put_reference(w, node);
    else if (type == CMARK_NODE_CODE_BLOCK)
        put_code_block(w, node);
    else if (type == CMARK_NODE_HTML_BLOCK) {
        fresh_line(w);
        put_str(w, "<pre>");
        html_put_text(w->out, text_of(cmark_node_get_literal(node)));
        put_str(w, "</pre>\n");
    } else if (type == CMARK_NODE_THEMATIC_BREAK) {
        fresh_line(w);
        put_str(w, "<hr>\n");
    } else
        return false;
    return true;
}

static void put_link(struct walk *w, cmark_node *node, bool enter)
{
    struct slice url = text_of(cmark_node_get_url(node)),
                 title = text_of(cmark_node_get_title(node));
    if (!address_is_safe(url))
        return; /* its text stands without a link */
    if (!enter) {
        put_str(w, "</a>");
        return;
    }
    put_str(w, "<a href=\"");
    html_put_address(w->out, url);
    if (title.len) {
        put_str(w, "\" title=\"");
        html_put_text(w->out, title);
    }
    put_str(w, "\">");
}

static void put_image(struct walk *w, cmark_node *node, bool enter)
{
    struct slice url = text_of(cmark_node_get_url(node)),
                 title = text_of(cmark_node_get_title(node));
    bool shown = address_is_safe(url) && !slice_starts_nocase(url, "mailto:");
    w->image_depth += enter ? 1 : (size_t)-1;
    if (!shown || w->image_depth != enter)
        return; /* inside of another one, or only its text */
    if (!enter) {
        put_str(w, "\"");
        if (title.len) {
            put_str(w, " title=\"");
            html_put_text(w->out, title);
            put_str(w, "\"");
        }
        put_str(w, ">");
        return;
    }
    put_str(w, "<img src=\"");
    html_put_address(w->out, url);
    put_str(w, "\" loading=\"lazy\" alt=\"");
}

static bool is_tight(cmark_node *paragraph)
{
    cmark_node *item = cmark_node_parent(paragraph), *list = item ? cmark_node_parent(item) : NULL;
    return list && cmark_node_get_type(list) == CMARK_NODE_LIST && cmark_node_get_list_tight(list);
}

static void put_paragraph(struct walk *w, cmark_node *node, bool enter)
{
    if (is_tight(node))
        return;
    if (enter)
        fresh_line(w);
    put_str(w, enter ? "<p>" : "</p>\n");
}

static void put_list(struct walk *w, cmark_node *node, bool enter)
{
    bool ordered = cmark_node_get_list_type(node) == CMARK_ORDERED_LIST;
    int start = cmark_node_get_list_start(node);
    fresh_line(w);
    if (enter && ordered && start != 1)
        buf_printf(w->out, "<ol start=\"%d\">\n", start);
    else
        put_str(w, enter ? (ordered ? "<ol>\n" : "<ul>\n") : (ordered ? "</ol>\n" : "</ul>\n"));
}

static void put_item(struct walk *w, cmark_node *node, bool enter)
{
    if (enter)
        fresh_line(w);
    put_str(w, enter ? "<li>" : "</li>\n");
    if (enter && strcmp(cmark_node_get_type_string(node), "tasklist") == 0)
        put_str(w, cmark_gfm_extensions_get_tasklist_item_checked(node) ? "&#9745; " : "&#9744; ");
}

static void put_heading(struct walk *w, cmark_node *node, bool enter)
{
    int level = cmark_node_get_heading_level(node);
    if (enter)
        fresh_line(w);
    buf_printf(w->out, enter ? "<h%d>" : "</h%d>\n", level < 2 ? 2 : level);
}

/* Footnotes come last in the tree, in the order of their numbers. */
static void put_footnote(struct walk *w, bool enter)
{
    fresh_line(w);
    if (enter && !w->in_notes) {
        put_str(w, "<section class=\"footnotes\">\n<ol>\n");
        w->in_notes = true;
    }
    if (enter)
        buf_printf(w->out, "<li id=\"%s-note-%zu\">", w->prefix, ++w->n_notes);
    else
        put_str(w, "</li>\n");
}

static const char *cell_align(cmark_node *cell)
{
    cmark_node *row = cmark_node_parent(cell), *table = row ? cmark_node_parent(row) : NULL;
    const uint8_t *aligns = table ? cmark_gfm_extensions_get_table_alignments(table) : NULL;
    size_t n = table ? cmark_gfm_extensions_get_table_columns(table) : 0, column = 0;
    while ((cell = cmark_node_previous(cell)))
        column++;
    uint8_t align = aligns && column < n ? aligns[column] : 0;
    return align == 'c'   ? " style=\"text-align:center\""
           : align == 'r' ? " style=\"text-align:right\""
                          : "";
}

static void put_cell(struct walk *w, cmark_node *node, bool enter)
{
    bool head = cmark_gfm_extensions_get_table_row_is_header(cmark_node_parent(node)) != 0;
    if (enter)
        buf_printf(w->out, "<%s%s>", head ? "th" : "td", cell_align(node));
    else
        put_str(w, head ? "</th>" : "</td>");
}

static void put_table(struct walk *w, bool enter)
{
    fresh_line(w);
    if (enter)
        put_str(w, "<table>\n");
    else
        put_str(w, w->in_body ? "</tbody>\n</table>\n" : "</table>\n");
    w->in_body = false;
}

static void put_row(struct walk *w, bool head, bool enter)
{
    if (enter && !head && !w->in_body) {
        put_str(w, "<tbody>\n");
        w->in_body = true;
    }
    if (head)
        put_str(w, enter ? "<thead>\n<tr>" : "</tr>\n</thead>\n");
    else
        put_str(w, enter ? "<tr>" : "</tr>\n");
}

/* Nodes of the extensions have types that are known by name alone. */
static void put_extension(struct walk *w, cmark_node *node, bool enter)
{
    const char *name = cmark_node_get_type_string(node);
    if (strcmp(name, "strikethrough") == 0)
        put_str(w, enter ? "<del>" : "</del>");
    else if (strcmp(name, "table") == 0)
        put_table(w, enter);
    else if (strcmp(name, "table_header") == 0 || strcmp(name, "table_row") == 0)
        put_row(w, cmark_gfm_extensions_get_table_row_is_header(node) != 0, enter);
    else if (strcmp(name, "table_cell") == 0)
        put_cell(w, node, enter);
}

static void put_container(struct walk *w, cmark_node *node, bool enter)
{
    cmark_node_type type = cmark_node_get_type(node);
    if (type == CMARK_NODE_PARAGRAPH)
        put_paragraph(w, node, enter);
    else if (type == CMARK_NODE_HEADING)
        put_heading(w, node, enter);
    else if (type == CMARK_NODE_LIST)
        put_list(w, node, enter);
    else if (type == CMARK_NODE_ITEM)
        put_item(w, node, enter);
    else if (type == CMARK_NODE_BLOCK_QUOTE) {
        fresh_line(w);
        put_str(w, enter ? "<blockquote>\n" : "</blockquote>\n");
    } else if (type == CMARK_NODE_EMPH)
        put_str(w, enter ? "<em>" : "</em>");
    else if (type == CMARK_NODE_STRONG)
        put_str(w, enter ? "<strong>" : "</strong>");
    else if (type == CMARK_NODE_LINK)
        put_link(w, node, enter);
    else if (type == CMARK_NODE_FOOTNOTE_DEFINITION)
        put_footnote(w, enter);
    else if (type != CMARK_NODE_DOCUMENT)
        put_extension(w, node, enter);
}

static void put_node(struct walk *w, cmark_node *node, bool enter)
{
    cmark_node_type type = cmark_node_get_type(node);
    if (type == CMARK_NODE_FOOTNOTE_REFERENCE && !enter)
        return; /* this version visits it as a container */
    if (type == CMARK_NODE_IMAGE)
        put_image(w, node, enter);
    else if (!put_leaf(w, node) && w->image_depth == 0)
        put_container(w, node, enter);
}

int html_put_markdown(struct buf *out, struct slice markdown, const char *prefix)
{
    struct buf tame = BUF_INIT;
    cmark_node *root;
    markdown_tame_tables(markdown, &tame);
    int error = buf_error(&tame) ? buf_error(&tame) : markdown_parse(buf_slice(&tame), &root);
    buf_clear(&tame);
    if (error)
        return error;
    struct walk w = {.out = out, .prefix = prefix};
    cmark_iter *iter = cmark_iter_new(root);
    for (cmark_event_type event; (event = cmark_iter_next(iter)) != CMARK_EVENT_DONE;)
        put_node(&w, cmark_iter_get_node(iter), event == CMARK_EVENT_ENTER);
    cmark_iter_free(iter);
    cmark_node_free(root);
    if (w.in_notes)
        put_str(&w, "</ol>\n</section>\n");
    return buf_error(out);
}
