/* writer.c - the table of targets, the parts that writers share, and plain Markdown (see
 * writer.h). */
#include "publish/writer.h"

#include "base/utf8.h"
#include "publish/strings.h"
#include "publish/writer_parts.h"
#include "rapport/error.h"

enum {
    MOST_FILES = 4 /* of one post */
};

static const struct post_target targets[] = {
    {"markdown", "one Markdown file", write_markdown},
    {"hugo", "a leaf bundle for Hugo, content/posts/SLUG/index.md", write_hugo},
    {"html", "one web page that needs nothing else", write_html},
};

const struct post_target *post_targets(size_t *n)
{
    *n = sizeof targets / sizeof targets[0];
    return targets;
}

int post_write(const struct post *p, const char *target, struct post_files *out)
{
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        if (strcmp(targets[i].name, target) != 0)
            continue;
        struct post_files files = {.media_dir = ""};
        int error = targets[i].write(p, &files);
        if (error)
            post_files_clear(&files);
        else
            *out = files;
        return error;
    }
    return RAPPORT_NOTFOUND;
}

void post_files_clear(struct post_files *f)
{
    arena_clear(&f->arena);
    *f = (struct post_files){0};
}

int add_file(struct post_files *f, const char *path, const struct buf *text)
{
    if (buf_error(text))
        return buf_error(text);
    if (!f->files)
        f->files = arena_alloc(&f->arena, MOST_FILES * sizeof *f->files);
    const char *path_copy = arena_str(&f->arena, slice_str(path));
    const char *bytes = arena_buf(&f->arena, text);
    if (!f->files || !path_copy || !bytes)
        return RAPPORT_NOMEM;
    if (f->n_files == MOST_FILES)
        return RAPPORT_LIMIT;
    f->files[f->n_files++] = (struct post_file){path_copy, slice_of(bytes, text->len)};
    return 0;
}

void put_quoted(struct buf *out, const char *text)
{
    struct slice s = slice_str(text);
    buf_u8(out, '"');
    for (size_t at = 0; at < s.len;) {
        int32_t cp = utf8_next(s, &at);
        if (cp == '"' || cp == '\\')
            buf_printf(out, "\\%c", (int)cp);
        else if (cp == '\n' || cp == '\t')
            buf_append_str(out, cp == '\n' ? "\\n" : "\\t");
        else if (cp < 0)
            buf_append_str(out, "\\uFFFD");
        else if (is_unwanted((uint32_t)cp) || cp == 0x2028 || cp == 0x2029 ||
                 (cp & 0xfffe) == 0xfffe)
            buf_printf(out, cp > 0xffff ? "\\U%08X" : "\\u%04X", (unsigned)cp);
        else
            utf8_put(out, (uint32_t)cp);
    }
    buf_u8(out, '"');
}

void put_quoted_list(struct buf *out, const char *const *strings, size_t n)
{
    buf_u8(out, '[');
    for (size_t i = 0; i < n; i++) {
        buf_append_str(out, i ? ", " : "");
        put_quoted(out, strings[i]);
    }
    buf_u8(out, ']');
}

void put_plain_list(struct buf *out, const char *const *strings, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        buf_append_str(out, i ? ", " : "");
        put_markdown_plain(out, strings[i]);
    }
}

void put_talk_time(struct buf *out, const struct post *p, const struct post_section *s)
{
    if (strlen(s->start) < 16)
        return;
    bool english = slice_equal_nocase(slice_str(p->lang), slice_str("en")) ||
                   slice_starts_nocase(slice_str(p->lang), "en-");
    struct slice start = slice_str(s->start);
    int hour = (start.ptr[11] - '0') * 10 + start.ptr[12] - '0';
    int minute = (start.ptr[14] - '0') * 10 + start.ptr[15] - '0';
    int end = (hour * 60 + minute + s->duration_min) % 1440;
    if (english)
        schedule_day_name(s->start, out);
    else
        buf_append_slice(out, slice_part(start, 0, 10));
    buf_printf(out, "%s%02d:%02d", english ? ", " : " ", hour, minute);
    if (s->duration_min)
        buf_printf(out, "–%02d:%02d", end / 60, end % 60);
}

const char *link_word(const struct talk_link *l)
{
    switch (l->kind) {
    case TALK_LINK_PAGE:
        return "talk page";
    case TALK_LINK_VIDEO:
        return "video";
    case TALK_LINK_SLIDES:
        return "slides";
    case TALK_LINK_OTHER:
        break;
    }
    return l->title;
}

/* "*Saturday 4 February, 10:30–11:00, Room: Speakers* · [video](…)" */
static void put_talk_line(struct buf *out, const struct post *p, const struct post_section *s)
{
    size_t before = out->len;
    buf_u8(out, '*');
    put_talk_time(out, p, s);
    if (*s->room) {
        buf_append_str(out, *s->start ? ", " : "");
        put_markdown_plain(out, s->room);
    }
    if (s->n_persons) {
        buf_append_str(out, out->len > before + 1 ? ": " : "");
        put_plain_list(out, s->persons, s->n_persons);
    }
    if (out->len == before + 1)
        out->len = before; /* nothing is known */
    else
        buf_u8(out, '*');
    for (size_t i = 0; i < s->n_links; i++) {
        buf_append_str(out, out->len > before ? " · [" : "[");
        put_markdown_plain(out, link_word(&s->links[i]));
        buf_printf(out, "](%s)", s->links[i].href);
    }
    buf_append_str(out, out->len > before ? "\n\n" : "");
}

void put_markdown_sections(struct buf *out, const struct post *p, const struct body_style *style)
{
    for (size_t i = 0; i < p->n_sections; i++) {
        const struct post_section *s = &p->sections[i];
        if (s->kind == POST_NOTE) {
            style->put_heading(out, s);
            buf_u8(out, '\n');
        }
        if (s->has_talk)
            put_talk_line(out, p, s);
        struct slice body = slice_str(s->body);
        style->put_body(out, body);
        if (body.len)
            buf_u8(out, '\n');
    }
}

static void put_heading(struct buf *out, const struct post_section *s)
{
    buf_append_str(out, "## ");
    put_markdown_plain(out, s->heading);
    buf_u8(out, '\n');
}

int write_markdown(const struct post *p, struct post_files *out)
{
    static const struct body_style style = {put_heading, buf_append_slice};
    struct buf text = BUF_INIT, path = BUF_INIT;
    buf_append_str(&text, "# ");
    put_markdown_plain(&text, p->title);
    buf_append_str(&text, "\n\n");
    if (*p->date)
        buf_printf(&text, "%.10s\n\n", p->date);
    if (p->n_tags) {
        buf_append_str(&text, "Tags: ");
        put_plain_list(&text, p->tags, p->n_tags);
        buf_append_str(&text, "\n\n");
    }
    if (p->n_authors) {
        buf_append_str(&text, "By ");
        put_plain_list(&text, p->authors, p->n_authors);
        buf_append_str(&text, "\n\n");
    }
    put_markdown_sections(&text, p, &style);
    if (text.len && !buf_error(&text))
        text.len--; /* one newline at the end, not two */
    buf_printf(&path, "%s.md", p->slug);
    const char *name = buf_cstr(&path);
    int error = name ? add_file(out, name, &text) : RAPPORT_NOMEM;
    buf_clear(&text);
    buf_clear(&path);
    return error;
}
