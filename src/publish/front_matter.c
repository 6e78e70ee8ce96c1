/*
 * front_matter.c - the subset of YAML that people write between `---` fences (see front_matter.h).
 *
 * Line by line, without look-ahead: a key opens, lines `- item` below it belong to it. Whatever a
 * line is that is not understood becomes one problem, and the next line is read as if nothing had
 * been.
 */
#include "publish/front_matter.h"

#include "base/utf8.h"
#include "publish/dates.h"
#include "publish/lines.h"
#include "rapport/error.h"

enum key {
    KEY_NONE, /* no key is open, or the open one takes no lines */
    KEY_TITLE,
    KEY_DATE,
    KEY_SLUG,
    KEY_LANG,
    KEY_SUMMARY,
    KEY_DRAFT,
    KEY_TAGS,
    KEY_AUTHORS,
    KEY_UNKNOWN
};

struct parser {
    struct front_matter m;
    struct str_list tags, authors;
    struct buf unknown;
    struct text_problem problems[FRONT_MATTER_MOST_PROBLEMS];
    enum key open;
    size_t line;
    int error;
};

static void problem(struct parser *p, const char *text)
{
    if (p->m.n_problems < FRONT_MATTER_MOST_PROBLEMS)
        p->problems[p->m.n_problems++] = (struct text_problem){p->line, text};
}

static enum key key_of(struct slice name)
{
    static const struct {
        const char *name;
        enum key key;
    } keys[] = {{"title", KEY_TITLE},   {"date", KEY_DATE},     {"slug", KEY_SLUG},
                {"lang", KEY_LANG},     {"language", KEY_LANG}, {"summary", KEY_SUMMARY},
                {"draft", KEY_DRAFT},   {"tags", KEY_TAGS},     {"authors", KEY_AUTHORS},
                {"author", KEY_AUTHORS}};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (slice_equal_nocase(name, slice_str(keys[i].name)))
            return keys[i].key;
    }
    return KEY_UNKNOWN;
}

/* Value of 1 to 8 hex digits at `at`, or -1. */
static int64_t hex_at(struct slice s, size_t at, size_t n)
{
    int64_t value = 0;
    if (at > s.len || n > s.len - at)
        return -1;
    for (size_t i = at; i < at + n; i++) {
        uint8_t c = to_lower(s.ptr[i]);
        if (!is_digit(c) && !(c >= 'a' && c <= 'f'))
            return -1;
        value = value * 16 + (is_digit(c) ? c - '0' : c - 'a' + 10);
    }
    return value;
}

/* Puts one escape of a double-quoted string; *at stands behind the backslash. False when it is
 * none. */
static bool put_escape(struct slice s, size_t *at, struct buf *out)
{
    static const char plain[] = "\"\\/ nt";
    static const char meaning[] = "\"\\/ \n\t";
    uint8_t c = *at < s.len ? s.ptr[(*at)++] : 0;
    const char *found = c ? strchr(plain, c) : NULL;
    if (found) {
        buf_u8(out, (uint8_t)meaning[found - plain]);
        return true;
    }
    size_t n = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    int64_t cp = n ? hex_at(s, *at, n) : -1;
    if (cp < 0 || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
        return false;
    *at += n;
    utf8_put(out, (uint32_t)cp);
    return true;
}

/* Reads a quoted string at *at, which moves behind the closing quote. */
static bool read_quoted(struct slice s, size_t *at, struct buf *out)
{
    uint8_t quote = s.ptr[(*at)++];
    while (*at < s.len) {
        uint8_t c = s.ptr[(*at)++];
        if (c == quote && quote == '\'' && *at < s.len && s.ptr[*at] == '\'') {
            buf_u8(out, c);
            ++*at;
        } else if (c == quote) {
            return true;
        } else if (c == '\\' && quote == '"') {
            if (!put_escape(s, at, out))
                return false;
        } else {
            buf_u8(out, c);
        }
    }
    return false;
}

/* Reads a plain scalar up to one of `stops`, or a comment. */
static void read_plain(struct slice s, size_t *at, const char *stops, struct buf *out)
{
    size_t from = *at;
    while (*at < s.len && !(s.ptr[*at] && strchr(stops, s.ptr[*at])) &&
           !(s.ptr[*at] == '#' && (*at == from || is_blank(s.ptr[*at - 1]))))
        ++*at;
    buf_append_slice(out, slice_trim(slice_part(s, from, *at)));
}

static void skip_blanks(struct slice s, size_t *at)
{
    while (*at < s.len && is_blank(s.ptr[*at]))
        ++*at;
}

/* Reads one scalar, plain or quoted, as one line of text. False when a quote is wrong. */
static bool read_scalar(struct slice s, size_t *at, const char *stops, struct buf *out)
{
    struct buf raw = BUF_INIT;
    bool good = true;
    skip_blanks(s, at);
    if (*at < s.len && (s.ptr[*at] == '"' || s.ptr[*at] == '\''))
        good = read_quoted(s, at, &raw);
    else
        read_plain(s, at, stops, &raw);
    put_one_line(out, buf_slice(&raw));
    if (buf_error(&raw) && !out->error)
        out->error = buf_error(&raw);
    buf_clear(&raw);
    return good;
}

/* True when nothing but blanks and a comment is left. */
static bool at_end(struct slice s, size_t at)
{
    skip_blanks(s, &at);
    return at == s.len || s.ptr[at] == '#';
}

static const char *save(struct parser *p, const struct buf *text)
{
    const char *copy = arena_buf(&p->m.arena, text);
    if (!copy)
        p->error = RAPPORT_NOMEM;
    return copy;
}

static void add_item(struct parser *p, enum key key, struct buf *text)
{
    struct str_list *list = key == KEY_TAGS ? &p->tags : &p->authors;
    while (key == KEY_TAGS && text->len && text->ptr[0] == '#')
        buf_consume(text, 1);
    if (buf_error(text))
        p->error = buf_error(text);
    if (p->error || text->len == 0)
        return;
    if (text->len > FRONT_MATTER_MOST_SCALAR_BYTES) {
        problem(p, "this value is too long");
        return;
    }
    if (list->n == FRONT_MATTER_MOST_ITEMS) {
        problem(p, "more items than the limit allows");
        return;
    }
    const char *copy = save(p, text);
    if (copy && !str_list_has(list, copy))
        p->error = str_list_add(list, copy);
}

/* Reads "[a, 'b']" or "a, b" to the end of the line. */
static void read_list(struct parser *p, enum key key, struct slice value)
{
    bool bracket = value.ptr[0] == '[', good = true, more = true;
    struct buf item = BUF_INIT;
    for (size_t at = bracket; good && more && !p->error;) {
        buf_reset(&item);
        good = read_scalar(value, &at, bracket ? ",]" : ",", &item);
        if (good)
            add_item(p, key, &item);
        skip_blanks(value, &at);
        more = at < value.len && value.ptr[at] == ',';
        if (!more)
            good &= bracket ? at < value.len && value.ptr[at] == ']' && at_end(value, at + 1)
                            : at_end(value, at);
        at++;
    }
    buf_clear(&item);
    if (!good)
        problem(p, "this list is not understood: write [one, two] or one \"- item\" a line");
}

static bool is_true(struct slice s)
{
    return slice_equal_nocase(s, slice_str("true")) || slice_equal_nocase(s, slice_str("yes"));
}

static bool is_false(struct slice s)
{
    return slice_equal_nocase(s, slice_str("false")) || slice_equal_nocase(s, slice_str("no"));
}

static bool is_date(struct slice s)
{
    int64_t day;
    struct date_time time;
    return (s.len == 10 && date_parse(s, &day)) || date_time_parse(s, &time);
}

static void set_scalar(struct parser *p, enum key key, const struct buf *text)
{
    struct slice s = buf_slice(text);
    const char **const fields[] = {[KEY_TITLE] = &p->m.title,
                                   [KEY_DATE] = &p->m.date,
                                   [KEY_SLUG] = &p->m.slug,
                                   [KEY_LANG] = &p->m.lang,
                                   [KEY_SUMMARY] = &p->m.summary};
    if (s.len > FRONT_MATTER_MOST_SCALAR_BYTES)
        problem(p, "this value is too long");
    else if (key == KEY_DRAFT && !is_true(s) && !is_false(s))
        problem(p, "draft is true or false");
    else if (key == KEY_DATE && s.len && !is_date(s))
        problem(p, "this is no date: write 2023-02-06 or 2023-02-06T09:00:00+01:00");
    else if (key == KEY_DRAFT)
        p->m.draft = is_true(s);
    else {
        const char *copy = save(p, text);
        if (copy)
            *fields[key] = copy;
    }
}

static void read_value(struct parser *p, enum key key, struct slice value)
{
    value = slice_trim(value);
    bool is_list = key == KEY_TAGS || key == KEY_AUTHORS;
    p->open = is_list && at_end(value, 0) ? key : KEY_NONE;
    if (at_end(value, 0))
        return;
    if (value.ptr[0] == '|' || value.ptr[0] == '>') {
        problem(p, "text blocks are not understood here: write it on one line");
        return;
    }
    if (is_list) {
        read_list(p, key, value);
        return;
    }
    struct buf text = BUF_INIT;
    size_t at = 0;
    if (!read_scalar(value, &at, "", &text) || !at_end(value, at))
        problem(p, "this quoted value does not end as it should");
    else if (buf_error(&text))
        p->error = buf_error(&text);
    else
        set_scalar(p, key, &text);
    buf_clear(&text);
}

static void read_item(struct parser *p, struct slice text)
{
    struct buf item = BUF_INIT;
    size_t at = 1;
    if (!read_scalar(text, &at, "", &item) || !at_end(text, at))
        problem(p, "this quoted value does not end as it should");
    else
        add_item(p, p->open, &item);
    buf_clear(&item);
}

static size_t key_len(struct slice text)
{
    size_t n = 0;
    while (n < text.len && (is_alpha(text.ptr[n]) || is_digit(text.ptr[n]) || text.ptr[n] == '_' ||
                            text.ptr[n] == '-' || text.ptr[n] == '.'))
        n++;
    bool colon = n && n < text.len && text.ptr[n] == ':';
    return colon && (n + 1 == text.len || is_blank(text.ptr[n + 1])) ? n : 0;
}

static void read_line(struct parser *p, const struct line *l)
{
    struct slice text = slice_trim(l->text);
    bool indented = l->text.len && is_blank(l->text.ptr[0]);
    bool item = text.len && text.ptr[0] == '-' && (text.len == 1 || is_blank(text.ptr[1]));
    size_t n = indented || item ? 0 : key_len(text);
    p->line = l->number;
    if (p->open == KEY_UNKNOWN && (indented || item)) {
        buf_append_slice(&p->unknown, l->text);
        buf_u8(&p->unknown, '\n');
    } else if (text.len == 0 || text.ptr[0] == '#') {
        return;
    } else if (n) {
        enum key key = key_of(slice_part(text, 0, n));
        if (key != KEY_UNKNOWN) {
            read_value(p, key, slice_skip(text, n + 1));
            return;
        }
        p->open = KEY_UNKNOWN;
        buf_append_slice(&p->unknown, l->text);
        buf_u8(&p->unknown, '\n');
    } else if (item && (p->open == KEY_TAGS || p->open == KEY_AUTHORS)) {
        read_item(p, text);
    } else {
        problem(p, "this line is not understood: write \"key: value\"");
    }
}

static bool is_fence(struct slice text, bool closing)
{
    while (text.len && is_blank(text.ptr[text.len - 1]))
        text.len--;
    return slice_equal(text, slice_str("---")) || (closing && slice_equal(text, slice_str("...")));
}

/* Finds the lines between the fences; false when there is no front matter. */
static bool find_fences(struct slice text, struct slice *inside, struct slice *body,
                        size_t *body_line)
{
    struct line_reader r = line_reader_of(text);
    struct line l;
    if (!line_next(&r, &l) || !is_fence(l.text, false))
        return false;
    size_t from = l.whole.len;
    while (line_next(&r, &l)) {
        size_t to = text.len - r.rest.len - l.whole.len;
        if (to - from > FRONT_MATTER_MOST_BYTES)
            return false;
        if (!is_fence(l.text, true))
            continue;
        *inside = slice_part(text, from, to);
        *body = r.rest;
        *body_line = l.number + 1;
        return true;
    }
    return false;
}

struct slice front_matter_body(struct slice text)
{
    struct slice inside, body;
    size_t line;
    return find_fences(text, &inside, &body, &line) ? body : text;
}

static int finish(struct parser *p)
{
    struct front_matter *m = &p->m;
    m->n_tags = p->tags.n;
    m->n_authors = p->authors.n;
    int error = str_list_save(&p->tags, &m->arena, &m->tags);
    if (!error)
        error = str_list_save(&p->authors, &m->arena, &m->authors);
    m->unknown = save(p, &p->unknown);
    if (m->n_problems) {
        m->problems = arena_alloc(&m->arena, m->n_problems * sizeof *m->problems);
        if (!m->problems)
            return RAPPORT_NOMEM;
        memcpy(m->problems, p->problems, m->n_problems * sizeof *m->problems);
    }
    return error ? error : p->error;
}

static void parse_inside(struct parser *p, struct slice inside)
{
    struct line_reader r = line_reader_of(inside);
    struct line l;
    while (!p->error && line_next(&r, &l)) {
        l.number++; /* the opening fence is line 1 */
        read_line(p, &l);
    }
}

int front_matter_parse(struct slice text, struct front_matter *out)
{
    struct parser p = {.m = {.body = text, .body_line = 1}};
    struct slice inside;
    p.m.title = p.m.date = p.m.slug = p.m.lang = p.m.summary = "";
    struct line first;
    struct line_reader r = line_reader_of(text);
    if (find_fences(text, &inside, &p.m.body, &p.m.body_line)) {
        p.m.present = true;
        parse_inside(&p, inside);
    } else if (line_next(&r, &first) && is_fence(first.text, false)) {
        p.line = 1;
        problem(&p, "front matter is opened here and not closed by a line ---");
    }
    int error = finish(&p);
    str_list_clear(&p.tags);
    str_list_clear(&p.authors);
    buf_clear(&p.unknown);
    if (error)
        arena_clear(&p.m.arena);
    else
        *out = p.m;
    return error;
}

void front_matter_clear(struct front_matter *m)
{
    arena_clear(&m->arena);
    *m = (struct front_matter){0};
}
