/*
 * post.c - report.md and its notes, put together (see post.h).
 *
 * Everything is read, checked and copied into the post's arena; nothing of the input is kept. The
 * title of the post and the heading of a note are taken out of the text they stand in, so that a
 * writer decides where they go.
 */
#include "publish/post.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "publish/dates.h"
#include "publish/front_matter.h"
#include "publish/lines.h"
#include "publish/outline.h"
#include "publish/safe.h"
#include "publish/slug.h"
#include "publish/spans.h"
#include "rapport/error.h"

struct builder {
    struct post post;
    const struct post_input *in;
    struct front_matter front;
    struct outline outline;
    struct outline_note *names; /* in->notes as outline_resolve wants them */
    bool *used;
    struct str_list problems, media, tags, contributors, labels;
    size_t n_bytes; /* of all bodies */
    int error;
};

static void fail(struct builder *b, int error)
{
    if (error && !b->error)
        b->error = error;
}

/* Copies a string; NULL and the error after a failure. */
static const char *keep(struct builder *b, struct slice s)
{
    const char *copy = b->error ? NULL : arena_str(&b->post.arena, s);
    if (!copy)
        fail(b, RAPPORT_NOMEM);
    return copy;
}

static const char *keep_str(struct builder *b, const char *str)
{
    return keep(b, slice_str(str_or_empty(str)));
}

/* Copies a string as one line without anything that acts. */
static const char *keep_line(struct builder *b, struct slice s)
{
    struct buf line = BUF_INIT;
    put_one_line(&line, s);
    fail(b, buf_error(&line));
    const char *copy = keep(b, buf_slice(&line));
    buf_clear(&line);
    return copy;
}

static void add(struct builder *b, struct str_list *list, const char *str)
{
    if (!b->error)
        fail(b, str_list_add(list, str));
}

static void problem(struct builder *b, const char *format, const char *name)
{
    struct buf text = BUF_INIT, line = BUF_INIT;
    const char *place = strstr(format, "%s");
    buf_append(&text, format, (size_t)(place - format));
    buf_append_str(&text, name);
    buf_append_str(&text, place + 2);
    utf8_printable(&line, buf_slice(&text), true);
    fail(b, buf_error(&text));
    fail(b, buf_error(&line));
    const char *copy = keep(b, buf_slice(&line));
    if (copy)
        add(b, &b->problems, copy);
    buf_clear(&text);
    buf_clear(&line);
}

/* A heading taken out of a text. */
struct cut_heading {
    struct slice before, after; /* what is left */
    struct slice text;
    int level; /* 0: there was none */
};

static bool is_underline(struct slice line, int *level)
{
    struct slice s = slice_trim(line);
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] != s.ptr[0])
            return false;
    }
    *level = s.len && s.ptr[0] == '=' ? 1 : 2;
    return s.len && (s.ptr[0] == '=' || s.ptr[0] == '-');
}

/* Finds the first heading, when it is of level 1 or nothing stands before it. */
static struct cut_heading cut_first_heading(struct slice text)
{
    struct cut_heading cut = {.before = text, .after = slice_of(NULL, 0)};
    struct line_reader r = line_reader_of(text);
    struct line l, last = {0};
    bool any_before = false;
    while (line_next(&r, &l)) {
        size_t from = text.len - r.rest.len - l.whole.len;
        bool atx = !l.is_code && line_heading(l.text, &cut.level, &cut.text) && cut.text.len;
        bool setext = !atx && !l.is_code && last.whole.len && is_underline(l.text, &cut.level);
        if (setext) {
            cut.text = slice_trim(last.text);
            from -= last.whole.len;
            any_before = line_is_blank(slice_part(text, 0, from)) ? false : any_before;
        }
        if ((atx || setext) && (cut.level == 1 || !any_before)) {
            cut.before = slice_part(text, 0, from);
            cut.after = r.rest;
            return cut;
        }
        if (atx || setext)
            break;
        any_before |= !line_is_blank(l.text);
        last = l.is_code || line_is_blank(l.text) ? (struct line){0} : l;
    }
    cut.level = 0;
    cut.text = slice_of(NULL, 0);
    return cut;
}

/* Front matter. */

static const char *date_of(struct builder *b, const char *date)
{
    struct slice s = slice_str(date);
    struct date_time t;
    int64_t day;
    struct buf text = BUF_INIT;
    if (s.len == 10 && date_parse(s, &day)) {
        date_put(&text, day);
        buf_append_str(&text, "T00:00:00+00:00");
    } else if (date_time_parse(s, &t)) {
        int minute = (int)(t.minutes % 1440), offset = abs(t.offset_min);
        date_put(&text, t.minutes / 1440);
        buf_printf(&text, "T%02d:%02d:%02d%c%02d:%02d", minute / 60, minute % 60, t.second,
                   t.offset_min < 0 ? '-' : '+', offset / 60, offset % 60);
        if (!t.has_offset)
            problem(b, "the date %s has no offset from UTC; it is taken to be UTC", date);
    } else if (s.len) {
        problem(b, "the date %s is not understood and left out", date);
    }
    fail(b, buf_error(&text));
    const char *copy = keep(b, buf_slice(&text));
    buf_clear(&text);
    return copy;
}

static const char *lang_of(struct builder *b)
{
    struct slice s = slice_str(b->front.lang);
    bool good = s.len >= 2 && s.len <= 35;
    for (size_t i = 0; i < s.len && good; i++)
        good = is_alpha(s.ptr[i]) || is_digit(s.ptr[i]) || s.ptr[i] == '-';
    return good ? keep(b, s) : "en";
}

/* The title, and the heading that gave it or repeats it taken out of the first own text. */
static void take_title(struct builder *b)
{
    struct slice title = slice_str(b->front.title), own = {0};
    struct buf plain = BUF_INIT;
    struct outline_item *first = b->outline.n_items ? &b->outline.items[0] : NULL;
    struct cut_heading cut = {0};
    if (first && first->kind == OUTLINE_TEXT)
        cut = cut_first_heading(first->text);
    if (cut.level == 1 && line_is_blank(cut.before)) {
        fail(b, note_title(first->text, &plain));
        own = buf_slice(&plain);
        if (!title.len || slice_equal_nocase(title, own))
            first->text = cut.after;
    }
    if (!title.len)
        title = own.len ? own : slice_str(str_or_empty(b->in->title));
    const char *line = keep_line(b, title);
    b->post.title = line && *line ? line : "Report";
    buf_clear(&plain);
}

static void take_slug(struct builder *b)
{
    struct buf slug = BUF_INIT;
    fail(b, slug_make(slice_str(*b->front.slug ? b->front.slug : b->post.title), &slug));
    b->post.slug = keep(b, buf_slice(&slug));
    buf_clear(&slug);
}

static void add_tag(struct builder *b, const char *tag)
{
    const char *line = keep_line(b, slice_str(tag));
    for (size_t i = 0; line && i < b->tags.n; i++) {
        if (slice_equal_nocase(slice_str(b->tags.items[i]), slice_str(line)))
            return;
    }
    if (line && *line)
        add(b, &b->tags, line);
}

static void take_front_matter(struct builder *b)
{
    struct arena tags_arena = ARENA_INIT;
    const char **tags = NULL;
    size_t n_tags = 0;
    take_title(b);
    take_slug(b);
    b->post.date = date_of(b, *b->front.date ? b->front.date : str_or_empty(b->in->date));
    b->post.lang = lang_of(b);
    b->post.summary = keep_line(b, slice_str(b->front.summary));
    b->post.draft = b->front.draft || b->in->draft;
    fail(b, note_tags(b->in->report, &tags_arena, &tags, &n_tags));
    for (size_t i = 0; i < n_tags && !b->error; i++)
        add_tag(b, tags[i]);
    arena_clear(&tags_arena);
    for (size_t i = 0; i < b->front.n_problems; i++) {
        struct buf text = BUF_INIT;
        buf_printf(&text, "report.md line %zu: ", b->front.problems[i].line);
        buf_append_str(&text, "%s");
        const char *format = buf_cstr(&text);
        if (format)
            problem(b, format, b->front.problems[i].text);
        fail(b, buf_error(&text));
        buf_clear(&text);
    }
}

/* Bodies. */

static void report_safety(struct builder *b, const struct safe_report *r, const char *path)
{
    if (r->was_cut)
        problem(b, "%s is too long for a post and was cut", path);
    if (r->had_large_table)
        problem(b, "%s has a table that is too large; it is shown as text", path);
    if (r->had_html)
        problem(b, "%s has HTML; it is shown as text", path);
    if (r->had_bad_link)
        problem(b, "%s has a link of a kind that a post cannot have; it leads nowhere now", path);
}

/* True when a label that `text` defines was defined by an earlier section; notes the new ones. */
static bool labels_clash(struct builder *b, struct slice text)
{
    struct str_list own = {0};
    bool clash = false;
    fail(b, spans_labels(text, &b->post.arena, &own));
    for (size_t i = 0; i < own.n; i++) {
        bool known = str_list_has(&b->labels, own.items[i]);
        clash |= known;
        if (!known)
            add(b, &b->labels, own.items[i]);
    }
    str_list_clear(&own);
    return clash;
}

/* Without blank lines at both ends; the last line keeps its LF. */
static struct slice trim_lines(struct slice text)
{
    size_t from = 0, to = text.len;
    for (size_t i = 0; i < text.len && is_blank(text.ptr[i]); i++) {
        if (text.ptr[i] == '\n')
            from = i + 1;
    }
    while (to > from && is_blank(text.ptr[to - 1]))
        to--;
    return slice_part(text, from, to < text.len && to > from ? to + 1 : to);
}

static const char *safe_body(struct builder *b, struct slice text, int shift, const char *path)
{
    struct buf body = BUF_INIT;
    struct safe_report report = {0};
    char suffix[32];
    snprintf(suffix, sizeof suffix, "%zu", b->post.n_sections + 1);
    struct safe_input in = {text, POST_MOST_NOTE_BYTES, shift,
                            labels_clash(b, text) ? suffix : NULL};
    if (!b->error)
        fail(b, safe_markdown(&in, &body, &b->post.arena, &b->media, &report));
    b->n_bytes += body.len;
    if (b->n_bytes > POST_MOST_BYTES)
        fail(b, RAPPORT_LIMIT);
    const char *copy = keep(b, trim_lines(buf_slice(&body)));
    buf_clear(&body);
    if (copy)
        report_safety(b, &report, path);
    return copy;
}

/* Without the line of day, room and speakers that talk_note_text wrote: writers print it afresh. */
static struct slice without_talk_line(struct builder *b, struct slice text, const struct talk *talk)
{
    struct buf made = BUF_INIT;
    fail(b, talk_note_text(talk, &made));
    struct line_reader lines = line_reader_of(buf_slice(&made)), r = line_reader_of(text);
    struct line wanted = {0}, l = {0};
    while (line_next(&lines, &wanted) && !slice_starts(wanted.text, "*"))
        ;
    while (line_next(&r, &l) && line_is_blank(l.text))
        ;
    bool same = wanted.text.len && slice_equal(slice_trim(l.text), slice_trim(wanted.text));
    buf_clear(&made);
    return text.len && same ? r.rest : text;
}

static const char **keep_list(struct builder *b, const char *const *strings, size_t n)
{
    const char **copy = b->error ? NULL : arena_alloc(&b->post.arena, (n + 1) * sizeof *copy);
    if (!copy)
        fail(b, RAPPORT_NOMEM);
    for (size_t i = 0; copy && i < n; i++)
        copy[i] = keep_line(b, slice_str(str_or_empty(strings[i])));
    return copy;
}

/* The page, one video, one set of slides, and all others. */
static void take_links(struct builder *b, struct post_section *s, const struct talk *talk)
{
    bool seen[TALK_LINK_OTHER + 1] = {false};
    s->links =
        b->error ? NULL : arena_alloc(&b->post.arena, (talk->n_links + 1) * sizeof *s->links);
    if (!s->links) {
        fail(b, RAPPORT_NOMEM);
        return;
    }
    for (int kind = TALK_LINK_PAGE; kind <= TALK_LINK_OTHER; kind++) {
        for (size_t i = 0; i < talk->n_links; i++) {
            const struct talk_link *l = &talk->links[i];
            if ((int)l->kind != kind || (seen[kind] && kind != TALK_LINK_OTHER))
                continue;
            seen[kind] = true;
            s->links[s->n_links++] = (struct talk_link){keep_line(b, slice_str(l->href)),
                                                        keep_line(b, slice_str(l->title)), l->kind};
        }
    }
}

static void take_talk(struct builder *b, struct post_section *s, const struct talk *talk)
{
    s->has_talk = true;
    s->day = keep_line(b, slice_str(talk->day));
    s->start = keep_line(b, slice_str(talk->start));
    s->room = keep_line(b, slice_str(talk->room));
    s->duration_min = talk->duration_min;
    s->persons = keep_list(b, talk->persons, talk->n_persons);
    s->n_persons = talk->n_persons;
    take_links(b, s, talk);
}

static bool anchor_is_taken(const struct builder *b, const struct buf *anchor)
{
    for (size_t i = 0; i < b->post.n_sections; i++) {
        if (slice_equal(slice_str(b->post.sections[i].anchor), buf_slice(anchor)))
            return true;
    }
    return false;
}

static const char *anchor_of(struct builder *b, const char *heading)
{
    struct buf anchor = BUF_INIT;
    fail(b, slug_make(slice_str(heading), &anchor));
    size_t len = anchor.len;
    for (size_t n = 2; !b->error && anchor_is_taken(b, &anchor); n++) {
        anchor.len = len;
        buf_printf(&anchor, "-%zu", n);
        fail(b, buf_error(&anchor));
    }
    const char *copy = keep(b, buf_slice(&anchor));
    buf_clear(&anchor);
    return copy;
}

static void take_note_heading(struct builder *b, struct post_section *s,
                              const struct post_note *note, const struct cut_heading *cut)
{
    struct buf title = BUF_INIT;
    if (cut->level)
        fail(b, note_title(note->text, &title));
    struct slice heading = title.len ? buf_slice(&title) : slice_str(str_or_empty(note->title));
    if (!heading.len) {
        outline_embed_name(note->path, &title);
        fail(b, buf_error(&title));
        heading = buf_slice(&title);
    }
    s->heading = keep_line(b, heading);
    buf_clear(&title);
    if (s->heading)
        s->anchor = anchor_of(b, s->heading);
}

static struct post_section empty_section(enum post_section_kind kind)
{
    return (struct post_section){.kind = kind,
                                 .heading = "",
                                 .anchor = "",
                                 .level = 2,
                                 .body = "",
                                 .path = "",
                                 .day = "",
                                 .start = "",
                                 .room = ""};
}

static void take_note(struct builder *b, const struct post_note *note)
{
    struct post_section s = empty_section(POST_NOTE);
    struct front_matter front;
    struct buf rest = BUF_INIT;
    int error = front_matter_parse(note->text, &front);
    if (error) {
        fail(b, error);
        return;
    }
    for (size_t i = 0; i < front.n_tags && !b->error; i++)
        add_tag(b, front.tags[i]);
    struct cut_heading cut = cut_first_heading(front.body);
    s.path = keep_str(b, note->path);
    take_note_heading(b, &s, note, &cut);
    buf_append_slice(&rest, cut.before);
    buf_append_slice(&rest, cut.after);
    fail(b, buf_error(&rest));
    struct slice text = buf_slice(&rest);
    if (note->talk && !b->error) {
        take_talk(b, &s, note->talk);
        text = without_talk_line(b, text, note->talk);
    }
    if (!b->error)
        s.body = safe_body(b, text, cut.level ? 2 - cut.level : 1, note->path);
    s.authors = keep_list(b, note->authors, note->n_authors);
    s.n_authors = note->n_authors;
    for (size_t i = 0; i < note->n_authors && !b->error; i++) {
        if (!str_list_has(&b->contributors, s.authors[i]))
            add(b, &b->contributors, s.authors[i]);
    }
    buf_clear(&rest);
    front_matter_clear(&front);
    if (!b->error)
        b->post.sections[b->post.n_sections++] = s;
}

static void take_embed(struct builder *b, const struct outline_item *item)
{
    size_t index;
    const char *name = keep(b, item->text);
    if (!name)
        return;
    int error = outline_resolve(b->names, b->in->n_notes, item->text, &index);
    if (error == RAPPORT_AMBIGUOUS)
        problem(b, "![[%s]] fits more than one note and was left out: use its path", name);
    else if (error)
        problem(b, "![[%s]] names no note and was left out", name);
    else if (b->used[index])
        problem(b, "![[%s]] stands a second time and was left out", name);
    else {
        b->used[index] = true;
        take_note(b, &b->in->notes[index]);
    }
}

static void take_text(struct builder *b, const struct outline_item *item)
{
    struct post_section s = empty_section(POST_TEXT);
    if (line_is_blank(item->text))
        return;
    s.body = safe_body(b, item->text, 0, "report.md");
    if (!b->error)
        b->post.sections[b->post.n_sections++] = s;
}

static void take_sections(struct builder *b)
{
    size_t n = b->outline.n_items;
    b->post.sections =
        b->error ? NULL : arena_alloc(&b->post.arena, (n + 1) * sizeof *b->post.sections);
    if (!b->post.sections)
        fail(b, RAPPORT_NOMEM);
    for (size_t i = 0; i < n && !b->error; i++) {
        if (b->outline.items[i].kind == OUTLINE_EMBED)
            take_embed(b, &b->outline.items[i]);
        else
            take_text(b, &b->outline.items[i]);
    }
    struct str_list unused = {0};
    for (size_t i = 0; i < b->in->n_notes && !b->error; i++) {
        if (!b->used[i])
            add(b, &unused, b->in->notes[i].path);
    }
    sort_strings(unused.items, unused.n);
    for (size_t i = 0; i < unused.n && !b->error; i++)
        problem(b, "%s is not used: no embed names it", unused.items[i]);
    str_list_clear(&unused);
}

/* Authors that report.md names, in its order, then contributors by name. */
static void take_authors(struct builder *b)
{
    struct str_list all = {0};
    for (size_t i = 0; i < b->front.n_authors && !b->error; i++) {
        const char *name = keep_line(b, slice_str(b->front.authors[i]));
        if (name && !str_list_has(&all, name))
            add(b, &all, name);
    }
    sort_strings(b->contributors.items, b->contributors.n);
    for (size_t i = 0; i < b->contributors.n && !b->error; i++) {
        if (!str_list_has(&all, b->contributors.items[i]))
            add(b, &all, b->contributors.items[i]);
    }
    b->post.n_authors = all.n;
    fail(b, str_list_save(&all, &b->post.arena, &b->post.authors));
    str_list_clear(&all);
}

static void finish(struct builder *b)
{
    struct post *p = &b->post;
    take_authors(b);
    sort_strings(b->tags.items, b->tags.n);
    sort_strings(b->media.items, b->media.n);
    p->n_tags = b->tags.n;
    p->n_media = b->media.n;
    p->n_problems = b->problems.n;
    fail(b, str_list_save(&b->tags, &p->arena, &p->tags));
    fail(b, str_list_save(&b->media, &p->arena, &p->media));
    fail(b, str_list_save(&b->problems, &p->arena, &p->problems));
}

static void name_notes(struct builder *b)
{
    size_t n = b->in->n_notes;
    b->names = calloc(n + 1, sizeof *b->names);
    b->used = calloc(n + 1, sizeof *b->used);
    if (!b->names || !b->used) {
        fail(b, RAPPORT_NOMEM);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const struct post_note *note = &b->in->notes[i];
        b->names[i] = (struct outline_note){note->path, str_or_empty(note->title),
                                            str_or_empty(note->slug), "", INT64_MAX};
    }
}

int post_build(const struct post_input *in, struct post *out)
{
    struct builder b = {.in = in};
    if (in->n_notes > POST_MOST_NOTES)
        return RAPPORT_LIMIT;
    int error = front_matter_parse(in->report, &b.front);
    if (error)
        return error;
    fail(&b, outline_parse(in->report, &b.outline));
    name_notes(&b);
    if (!b.error) {
        take_front_matter(&b);
        take_sections(&b);
        finish(&b);
    }
    outline_clear(&b.outline);
    front_matter_clear(&b.front);
    str_list_clear(&b.problems);
    str_list_clear(&b.media);
    str_list_clear(&b.tags);
    str_list_clear(&b.contributors);
    str_list_clear(&b.labels);
    free(b.names);
    free(b.used);
    if (b.error)
        post_clear(&b.post);
    else
        *out = b.post;
    return b.error;
}

void post_clear(struct post *p)
{
    arena_clear(&p->arena);
    *p = (struct post){0};
}
