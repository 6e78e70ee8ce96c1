/* spans.c - one pass over inline marks (see spans.h). */
#include "publish/spans.h"

#include "publish/lines.h"
#include "publish/markdown.h"
#include "rapport/error.h"

enum {
    LABEL_MOST_BYTES = 200
};

struct scan {
    const struct spans_input *in;
    struct slice s; /* consecutive lines that are neither blank nor code */
    size_t at;
    struct buf *out;
    struct spans_found *found;
};

static uint8_t peek(const struct scan *c, size_t ahead)
{
    return c->at + ahead < c->s.len ? c->s.ptr[c->at + ahead] : 0;
}

static void copy(struct scan *c, size_t n)
{
    buf_append_slice(c->out, slice_part(c->s, c->at, c->at + n));
    c->at += n;
}

static bool is_punct(uint8_t c)
{
    return c > ' ' && c < 0x7f && !is_alpha(c) && !is_digit(c);
}

/* Copies a code span, or a run of backticks that opens none. */
static void take_backticks(struct scan *c)
{
    size_t n = 0;
    while (peek(c, n) == '`')
        n++;
    for (size_t i = c->at + n; i < c->s.len;) {
        size_t run = 0;
        while (i + run < c->s.len && c->s.ptr[i + run] == '`')
            run++;
        if (run == n) {
            copy(c, i + run - c->at);
            return;
        }
        i += run ? run : 1;
    }
    copy(c, n);
}

/* Length of "<https://…>" or "<name@host>" at the cursor; 0 when it is none that may stay. */
static size_t autolink_len(const struct scan *c)
{
    size_t n = 1;
    bool at_sign = false, colon = false;
    while (peek(c, n) > ' ' && peek(c, n) != '<' && peek(c, n) != '>') {
        at_sign |= peek(c, n) == '@';
        colon |= peek(c, n) == ':';
        n++;
    }
    if (peek(c, n) != '>')
        return 0;
    struct slice inside = slice_part(c->s, c->at + 1, c->at + n);
    bool good = colon ? address_is_safe(inside) : at_sign;
    return good ? n + 1 : 0;
}

static void take_angle(struct scan *c)
{
    uint8_t next = peek(c, 1);
    size_t n = autolink_len(c);
    if (n) {
        copy(c, n);
    } else if (is_alpha(next) || next == '/' || next == '!' || next == '?') {
        c->found->html = true;
        buf_append_str(c->out, "&lt;");
        c->at++;
    } else {
        copy(c, 1);
    }
}

/* Judges a destination as it stands in the source. Escapes and entities in front of the path
 * could hide a scheme, so there they are refused rather than decoded. */
static bool raw_is_safe(struct slice raw)
{
    for (size_t i = 0; i < raw.len && !strchr("/?#:", raw.ptr[i]); i++) {
        if (raw.ptr[i] == '&' || raw.ptr[i] == '\\')
            return false;
    }
    for (size_t i = 0; i + 1 < raw.len; i++) {
        if (raw.ptr[i] == '\\' && (raw.ptr[i + 1] == '\\' || !is_punct(raw.ptr[i + 1])))
            return false;
    }
    size_t plain = slice_find(raw, "\\");
    return address_is_safe(slice_part(raw, 0, plain)) && (plain == raw.len || plain > 1);
}

/* "../media/x.jpg" and "./media/x.jpg" as "media/x.jpg"; empty when it is no such path. */
static struct slice media_path(struct slice raw)
{
    while (slice_starts(raw, "../") || slice_starts(raw, "./"))
        raw = slice_skip(raw, slice_starts(raw, "./") ? 2 : 3);
    if (!slice_starts(raw, "media/") || slice_find(raw, "..") != raw.len ||
        slice_find(raw, "\\") != raw.len || slice_find(raw, "&") != raw.len)
        return slice_of(NULL, 0);
    return raw;
}

static int hex_value(uint8_t c)
{
    return is_digit(c)                                ? c - '0'
           : to_lower(c) >= 'a' && to_lower(c) <= 'f' ? to_lower(c) - 'a' + 10
                                                      : -1;
}

/* Notes a media file's path on disk: percent-decoded, without "?…" and "#…". */
static void note_media(struct scan *c, struct slice path)
{
    struct buf plain = BUF_INIT;
    for (size_t i = 0; i < path.len && path.ptr[i] != '?' && path.ptr[i] != '#'; i++) {
        bool escape = path.ptr[i] == '%' && i + 2 < path.len && hex_value(path.ptr[i + 1]) >= 0 &&
                      hex_value(path.ptr[i + 2]) >= 0;
        uint8_t byte = escape
                           ? (uint8_t)(hex_value(path.ptr[i + 1]) * 16 + hex_value(path.ptr[i + 2]))
                           : path.ptr[i];
        buf_u8(&plain, byte);
        i += escape ? 2 : 0;
    }
    bool inside = slice_find(buf_slice(&plain), "..") == plain.len &&
                  !(plain.len && memchr(plain.ptr, 0, plain.len));
    const char *copied = inside ? arena_buf(c->found->arena, &plain) : "";
    if (!copied)
        c->found->error = RAPPORT_NOMEM;
    else if (*copied && !str_list_has(c->found->media, copied) &&
             str_list_add(c->found->media, copied))
        c->found->error = RAPPORT_NOMEM;
    buf_clear(&plain);
}

/* Finds a destination at the cursor (behind blanks): *raw without angle brackets. Returns its
 * length with them, 0 when there is none. */
static size_t destination_len(const struct scan *c, struct slice *raw)
{
    size_t n = 0, depth = 0;
    if (peek(c, 0) == '<') {
        for (n = 1; peek(c, n) && peek(c, n) != '>' && peek(c, n) != '<' && peek(c, n) != '\n'; n++)
            n += peek(c, n) == '\\' && is_punct(peek(c, n + 1));
        if (peek(c, n) != '>')
            return 0;
        *raw = slice_part(c->s, c->at + 1, c->at + n);
        return n + 1;
    }
    for (; peek(c, n) > ' '; n++) {
        uint8_t byte = peek(c, n);
        if (byte == ')' && depth-- == 0)
            break;
        depth += byte == '(';
        n += byte == '\\' && is_punct(peek(c, n + 1));
    }
    *raw = slice_part(c->s, c->at, c->at + n);
    return n;
}

/* Copies the destination at the cursor, made safe. */
static void take_destination(struct scan *c, struct slice raw, size_t len)
{
    struct slice media = media_path(raw);
    if (media.len) {
        bool angle = c->s.ptr[c->at] == '<';
        buf_append_str(c->out, angle ? "<" : "");
        buf_append_slice(c->out, media);
        buf_append_str(c->out, angle ? ">" : "");
        note_media(c, media);
    } else if (raw_is_safe(raw)) {
        buf_append_slice(c->out, slice_part(c->s, c->at, c->at + len));
    } else {
        c->found->bad_link = true;
        buf_u8(c->out, '#');
    }
    c->at += len;
}

static void copy_blanks(struct scan *c)
{
    while (c->at < c->s.len && is_blank(c->s.ptr[c->at]))
        copy(c, 1);
}

/* A media path with blanks in it ("![](photo one.jpg)") is no link by the rules, yet plainly
 * meant: returns its length up to the bracket that closes it, or 0. */
static size_t blank_path_len(const struct scan *c, size_t len)
{
    size_t end = len;
    if (peek(c, 0) == '<' || peek(c, len) != ' ')
        return 0;
    while (peek(c, end) && !strchr(")(<>\"'\\`\n", peek(c, end)))
        end++;
    return peek(c, end) == ')' ? end : 0;
}

static void take_blank_path(struct scan *c, size_t len)
{
    struct slice media = slice_trim(media_path(slice_part(c->s, c->at, c->at + len)));
    for (size_t i = 0; i < media.len; i++) {
        if (media.ptr[i] == ' ')
            buf_append_str(c->out, "%20");
        else
            buf_u8(c->out, media.ptr[i]);
    }
    note_media(c, media);
    c->at += len;
}

/* "](" */
static void take_inline_link(struct scan *c)
{
    struct slice raw;
    copy(c, 2);
    copy_blanks(c);
    size_t len = destination_len(c, &raw);
    size_t blank_len = len && media_path(raw).len ? blank_path_len(c, len) : 0;
    if (blank_len)
        take_blank_path(c, blank_len);
    else if (len)
        take_destination(c, raw, len);
}

/* True when behind a destination that ends at `at` stands the end of the line or a title. */
static bool ends_definition(struct slice s, size_t at)
{
    while (at < s.len && (s.ptr[at] == ' ' || s.ptr[at] == '\t'))
        at++;
    return at == s.len || s.ptr[at] == '\n' || s.ptr[at] == '"' || s.ptr[at] == '\'' ||
           s.ptr[at] == '(';
}

/* True when the cursor stands on the closing bracket of "[^label]". */
static bool closes_footnote(const struct scan *c)
{
    size_t i = c->at;
    while (i > 0 && c->at - i <= LABEL_MOST_BYTES && c->s.ptr[i - 1] != '[' &&
           c->s.ptr[i - 1] != '\n')
        i--;
    return i > 0 && c->s.ptr[i - 1] == '[' && c->s.ptr[i] == '^';
}

/* "]:" of a definition. A footnote's first word is no destination, but where footnotes are not
 * known it would be one: "why:" stays, "javascript:x" does not. */
static void take_definition(struct scan *c)
{
    struct slice raw;
    bool footnote = closes_footnote(c);
    copy(c, 2);
    copy_blanks(c);
    size_t len = destination_len(c, &raw);
    bool word = footnote && len && raw.len && raw.ptr[raw.len - 1] == ':';
    if (len && !word && ends_definition(c->s, c->at + len))
        take_destination(c, raw, len);
}

/* Length of "[label]" at `at`, with both brackets; 0 when it is none. */
static size_t label_len(struct slice s, size_t at)
{
    for (size_t i = at + 1; i < s.len && i - at <= LABEL_MOST_BYTES; i++) {
        if (s.ptr[i] == ']')
            return i + 1 - at;
        if (s.ptr[i] == '[' || s.ptr[i] == '\n' || s.ptr[i] == '\\' || s.ptr[i] == '`')
            return 0;
    }
    return 0;
}

static void put_label(struct buf *out, struct slice label)
{
    struct buf line = BUF_INIT;
    put_one_line(&line, label);
    for (size_t i = 0; i < line.len; i++)
        line.ptr[i] = to_lower(line.ptr[i]);
    buf_append_slice(out, buf_slice(&line));
    if (buf_error(&line))
        out->error = buf_error(&line);
    buf_clear(&line);
}

static bool is_own_label(struct scan *c, struct slice label)
{
    struct buf b = BUF_INIT;
    put_label(&b, label);
    const char *str = buf_cstr(&b);
    bool own = str && str_list_has(c->in->labels, str);
    if (!str)
        c->found->error = RAPPORT_NOMEM;
    buf_clear(&b);
    return own;
}

/*
 * "[" that opens a label of this text: "[a]: …", "[^a]" and "][a]" get the suffix; "[a][]" and
 * "[a]" become "[a][a-suffix]". Images' "![a]" likewise. False when it is something else.
 */
static bool take_label(struct scan *c)
{
    size_t n = c->in->label_suffix ? label_len(c->s, c->at) : 0;
    if (n <= 2 || !is_own_label(c, slice_part(c->s, c->at + 1, c->at + n - 1)))
        return false;
    uint8_t next = peek(c, n);
    bool in_place = next == ':' || peek(c, 1) == '^' || (c->at && c->s.ptr[c->at - 1] == ']');
    if (!in_place && (next == '(' || (next == '[' && peek(c, n + 1) != ']')))
        return false;
    struct slice label = slice_part(c->s, c->at, c->at + n - 1);
    if (!in_place) {
        buf_append_slice(c->out, label);
        buf_u8(c->out, ']');
    }
    buf_append_slice(c->out, label);
    buf_printf(c->out, "-%s]", c->in->label_suffix);
    c->at += n + (!in_place && next == '[' ? 2 : 0);
    if (next == ':') {
        c->at--; /* take_definition starts at the bracket */
        c->out->len -= buf_error(c->out) ? 0 : 1;
        take_definition(c);
    }
    return true;
}

static void rewrite_segment(struct scan *c)
{
    while (c->at < c->s.len) {
        uint8_t byte = peek(c, 0), next = peek(c, 1);
        if (byte == '\\' && is_punct(next))
            copy(c, 2);
        else if (byte == '`')
            take_backticks(c);
        else if (byte == '<')
            take_angle(c);
        else if (byte == ']' && next == '(')
            take_inline_link(c);
        else if (byte == ']' && next == ':')
            take_definition(c);
        else if (byte != '[' || !take_label(c))
            copy(c, 1);
    }
}

void spans_rewrite(const struct spans_input *in, struct buf *out, struct spans_found *found)
{
    struct slice rest = in->text, segment = slice_part(in->text, 0, 0);
    for (size_t line = 0; rest.len; line++) {
        const uint8_t *end = memchr(rest.ptr, '\n', rest.len);
        size_t len = end ? (size_t)(end - rest.ptr) + 1 : rest.len;
        struct slice whole = slice_part(rest, 0, len);
        rest = slice_skip(rest, len);
        bool apart = in->is_code[line] || line_is_blank(whole);
        if (!apart)
            segment.len += len;
        if (apart || rest.len == 0) {
            rewrite_segment(&(struct scan){.in = in, .s = segment, .out = out, .found = found});
            segment = slice_part(rest, 0, 0);
        }
        if (apart)
            buf_append_slice(out, whole);
    }
}

int spans_labels(struct slice text, struct arena *arena, struct str_list *labels)
{
    struct line_reader r = line_reader_of(text);
    for (struct line l; line_next(&r, &l);) {
        struct slice s = slice_trim(l.text);
        size_t n = s.len && s.ptr[0] == '[' && !l.is_code ? label_len(s, 0) : 0;
        if (n <= 2 || n >= s.len || s.ptr[n] != ':')
            continue;
        struct buf label = BUF_INIT;
        put_label(&label, slice_part(s, 1, n - 1));
        const char *copied = arena_buf(arena, &label);
        buf_clear(&label);
        if (!copied || (!str_list_has(labels, copied) && str_list_add(labels, copied)))
            return RAPPORT_NOMEM;
    }
    return 0;
}
