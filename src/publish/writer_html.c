/*
 * writer_html.c - one web page: no script, nothing fetched but the post's own images.
 *
 * Marked up as an h-entry (microformats2), so that readers and other sites find title, date, tags
 * and authors. The policy in its head forbids scripts even if something should have slipped
 * through.
 */
#include <stdio.h>

#include "publish/html.h"
#include "publish/strings.h"
#include "publish/writer_parts.h"
#include "rapport/error.h"

static const char style[] =
    ":root{color-scheme:light dark;--line:#8885;--soft:#8881;--dim:#667}\n"
    "body{font:1.05rem/1.6 system-ui,sans-serif;max-width:42rem;margin:0 auto;padding:1.5rem}\n"
    "h1{line-height:1.2;margin-bottom:.3rem}\n"
    "h2{margin-top:2.2rem;line-height:1.3}\n"
    ".meta,.talk{color:var(--dim);font-size:.92rem}\n"
    ".talk{margin-top:-.6rem}\n"
    "img{max-width:100%;height:auto}\n"
    "pre{overflow-x:auto;padding:.8rem;background:var(--soft);border-radius:.3rem}\n"
    "code{font-size:.92em}\n"
    "blockquote{margin-left:0;padding-left:1rem;border-left:.25rem solid var(--line)}\n"
    "table{border-collapse:collapse;display:block;overflow-x:auto}\n"
    "th,td{border:1px solid var(--line);padding:.25rem .6rem}\n"
    ".footnotes{font-size:.9rem;border-top:1px solid var(--line)}\n"
    "@media(prefers-color-scheme:dark){:root{--dim:#99a}}\n";

static void put_text(struct buf *out, const char *text)
{
    html_put_text(out, slice_str(text));
}

/* before + text + after */
static void put_wrapped(struct buf *out, const char *before, const char *text, const char *after)
{
    buf_append_str(out, before);
    put_text(out, text);
    buf_append_str(out, after);
}

static void put_head(struct buf *out, const struct post *p)
{
    put_wrapped(out, "<!DOCTYPE html>\n<html lang=\"", p->lang,
                "\">\n<head>\n<meta charset=\"utf-8\">\n");
    buf_append_str(out,
                   "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                   "img-src * data:; style-src 'unsafe-inline'\">\n"
                   "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    put_wrapped(out, "<title>", p->title, "</title>\n");
    for (size_t i = 0; i < p->n_authors; i++)
        put_wrapped(out, "<meta name=\"author\" content=\"", p->authors[i], "\">\n");
    if (*p->summary)
        put_wrapped(out, "<meta name=\"description\" content=\"", p->summary, "\">\n");
    if (*p->date)
        put_wrapped(out, "<meta property=\"article:published_time\" content=\"", p->date, "\">\n");
    put_wrapped(out, "<style>\n", "", style);
    buf_append_str(out, "</style>\n</head>\n<body>\n<article class=\"h-entry\">\n");
}

static void put_meta(struct buf *out, const struct post *p)
{
    put_wrapped(out, "<h1 class=\"p-name\">", p->title, "</h1>\n");
    if (!*p->date && !p->n_authors && !p->n_tags)
        return;
    buf_append_str(out, "<p class=\"meta\">");
    if (*p->date) {
        put_wrapped(out, "<time class=\"dt-published\" datetime=\"", p->date, "\">");
        buf_printf(out, "%.10s</time>", p->date);
    }
    for (size_t i = 0; i < p->n_authors; i++)
        put_wrapped(out,
                    i          ? ", <span class=\"p-author h-card\">"
                    : *p->date ? " by <span class=\"p-author h-card\">"
                               : "By <span class=\"p-author h-card\">",
                    p->authors[i], "</span>");
    buf_append_str(out, p->n_tags && (*p->date || p->n_authors) ? "<br>\n" : "");
    for (size_t i = 0; i < p->n_tags; i++)
        put_wrapped(out, i ? " · <span class=\"p-category\">" : "<span class=\"p-category\">",
                    p->tags[i], "</span>");
    buf_append_str(out, "</p>\n");
}

static void put_talk(struct buf *out, const struct post *p, const struct post_section *s)
{
    struct buf time = BUF_INIT;
    size_t before;
    buf_append_str(out, "<p class=\"talk\">");
    before = out->len;
    put_talk_time(&time, p, s);
    if (time.len) {
        put_wrapped(out, "<time datetime=\"", s->start, "\">");
        html_put_text(out, buf_slice(&time));
        buf_append_str(out, "</time>");
    }
    if (*s->room)
        put_wrapped(out, out->len > before ? ", " : "", s->room, "");
    for (size_t i = 0; i < s->n_persons; i++)
        put_wrapped(out, i || out->len == before ? (i ? ", " : "") : ": ", s->persons[i], "");
    for (size_t i = 0; i < s->n_links; i++) {
        buf_append_str(out, out->len > before ? " · <a href=\"" : "<a href=\"");
        html_put_address(out, slice_str(s->links[i].href));
        put_wrapped(out, "\">", link_word(&s->links[i]), "</a>");
    }
    buf_append_str(out, "</p>\n");
    if (buf_error(&time))
        out->error = buf_error(&time);
    buf_clear(&time);
}

static int put_section(struct buf *out, const struct post *p, size_t index)
{
    const struct post_section *s = &p->sections[index];
    char prefix[32];
    int n = snprintf(prefix, sizeof prefix, "s%zu", index + 1);
    if (n < 0)
        return RAPPORT_INVALID;
    if (s->kind == POST_NOTE) {
        put_wrapped(out, "<section>\n<h2 id=\"", s->anchor, "\">");
        put_wrapped(out, "", s->heading, "</h2>\n");
    }
    if (s->has_talk)
        put_talk(out, p, s);
    int error = html_put_markdown(out, slice_str(s->body), prefix);
    if (s->kind == POST_NOTE)
        buf_append_str(out, "</section>\n");
    return error;
}

int write_html(const struct post *p, struct post_files *out)
{
    struct buf text = BUF_INIT, path = BUF_INIT;
    int error = 0;
    put_head(&text, p);
    put_meta(&text, p);
    if (*p->summary)
        put_wrapped(&text, "<p class=\"p-summary\">", p->summary, "</p>\n");
    buf_append_str(&text, "<div class=\"e-content\">\n");
    for (size_t i = 0; i < p->n_sections && !error; i++)
        error = put_section(&text, p, i);
    buf_append_str(&text, "</div>\n</article>\n</body>\n</html>\n");
    buf_printf(&path, "%s.html", p->slug);
    const char *name = buf_cstr(&path);
    if (!error)
        error = name ? add_file(out, name, &text) : RAPPORT_NOMEM;
    buf_clear(&text);
    buf_clear(&path);
    return error;
}
