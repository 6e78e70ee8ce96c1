/*
 * schedule_xml.c - schedule_parse_xml: expat's events to a struct schedule (see schedule.h).
 *
 * One table says which element means what below which parent; all others are skipped with what is
 * in them, so that `title` in `conference` and in `event` differ and a dialect's extras do no harm.
 * What is read goes into a draft that becomes the caller's only when the whole file was read.
 * Entity declarations and internal DTD subsets are refused (billion laughs, files named by a file),
 * so no entity expands but the five of XML. The hash salt is made from the input, not drawn: the
 * same file gives the same work.
 */
#include <assert.h>
#include <expat.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "publish/dates.h"
#include "publish/schedule_build.h"
#include "publish/strings.h"
#include "rapport/error.h"

enum element {
    OUTSIDE,
    SKIPPED,
    SCHEDULE,
    CONFERENCE,
    CONFERENCE_TITLE,
    CONFERENCE_ACRONYM,
    CONFERENCE_START,
    CONFERENCE_ZONE,
    CONFERENCE_BASE_URL,
    CONFERENCE_DAY_CHANGE,
    DAY,
    ROOM,
    EVENT,
    EVENT_DATE,
    EVENT_START,
    EVENT_DURATION,
    EVENT_ROOM,
    EVENT_SLUG,
    EVENT_TITLE,
    EVENT_SUBTITLE,
    EVENT_TRACK,
    EVENT_URL,
    PERSONS,
    PERSON,
    LINKS,
    LINK,
    ATTACHMENTS,
    ATTACHMENT,
    RECORDING,
    OPTOUT,
};

static const struct rule {
    enum element parent;
    const char *name;
    enum element element;
    bool has_text;
} rules[] = {
    {OUTSIDE, "schedule", SCHEDULE, false},
    {SCHEDULE, "conference", CONFERENCE, false},
    {SCHEDULE, "day", DAY, false},
    {CONFERENCE, "title", CONFERENCE_TITLE, true},
    {CONFERENCE, "acronym", CONFERENCE_ACRONYM, true},
    {CONFERENCE, "start", CONFERENCE_START, true},
    {CONFERENCE, "time_zone_name", CONFERENCE_ZONE, true},
    {CONFERENCE, "base_url", CONFERENCE_BASE_URL, true},
    {CONFERENCE, "day_change", CONFERENCE_DAY_CHANGE, true},
    {DAY, "room", ROOM, false},
    {DAY, "event", EVENT, false},
    {ROOM, "event", EVENT, false},
    {EVENT, "date", EVENT_DATE, true},
    {EVENT, "start", EVENT_START, true},
    {EVENT, "duration", EVENT_DURATION, true},
    {EVENT, "room", EVENT_ROOM, true},
    {EVENT, "slug", EVENT_SLUG, true},
    {EVENT, "title", EVENT_TITLE, true},
    {EVENT, "subtitle", EVENT_SUBTITLE, true},
    {EVENT, "track", EVENT_TRACK, true},
    {EVENT, "url", EVENT_URL, true},
    {EVENT, "persons", PERSONS, false},
    {EVENT, "links", LINKS, false},
    {EVENT, "attachments", ATTACHMENTS, false},
    {EVENT, "recording", RECORDING, false},
    {PERSONS, "person", PERSON, true},
    {LINKS, "link", LINK, true},
    {ATTACHMENTS, "attachment", ATTACHMENT, true},
    {RECORDING, "optout", OPTOUT, true},
};

struct xml_reader {
    XML_Parser parser;
    struct schedule_builder builder;
    enum element stack[SCHEDULE_MOST_DEPTH + 1];
    size_t depth;    /* of stack; stack[0] is OUTSIDE */
    bool wants_text; /* the innermost element's text is kept */
    bool text_cut;
    struct buf text, line;   /* as it comes, and folded to one line */
    const char *href, *type; /* of the link or attachment that is open, in the builder's arena */
    int error;
    struct buf *why;
};

static void stop(struct xml_reader *r, int error, const char *sentence)
{
    if (r->error)
        return;
    r->error = error;
    if (sentence)
        buf_printf(r->why, "line %lu: %s", (unsigned long)XML_GetCurrentLineNumber(r->parser),
                   sentence);
    XML_StopParser(r->parser, XML_FALSE);
}

static void check(struct xml_reader *r, int error)
{
    if (error == RAPPORT_LIMIT)
        stop(r, error, "more talks than the limit allows");
    else if (error)
        stop(r, error, NULL);
}

static const char *attribute(const XML_Char **attributes, const char *name)
{
    for (; *attributes; attributes += 2) {
        if (strcmp(attributes[0], name) == 0)
            return attributes[1];
    }
    return "";
}

/* Copies text for keeping: on one line, cut at the limit. NULL stops the parse. */
static const char *keep(struct xml_reader *r, struct slice text, bool was_cut)
{
    struct buf *line = &r->line;
    if (text.len == 0)
        return "";
    buf_reset(line);
    put_one_line(line, text);
    if (line->len > SCHEDULE_MOST_FIELD_BYTES) {
        line->len = utf8_prefix(buf_slice(line), SCHEDULE_MOST_FIELD_BYTES);
        was_cut = true;
    }
    const char *copy = arena_buf(&r->builder.schedule.arena, line);
    if (!copy)
        stop(r, RAPPORT_NOMEM, NULL);
    else if (was_cut)
        check(r,
              schedule_builder_problem(&r->builder, "a text is longer than the limit and was cut"));
    return r->error ? NULL : copy;
}

static const char *keep_attribute(struct xml_reader *r, const XML_Char **attributes,
                                  const char *name)
{
    return keep(r, slice_str(attribute(attributes, name)), false);
}

static const struct rule *find_rule(enum element parent, const char *name)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (rules[i].parent == parent && strcmp(rules[i].name, name) == 0)
            return &rules[i];
    }
    return NULL;
}

static void open_event(struct xml_reader *r, const XML_Char **attributes)
{
    schedule_builder_open_event(&r->builder);
    r->builder.event.guid = keep_attribute(r, attributes, "guid");
    r->builder.event.id = keep_attribute(r, attributes, "id");
    r->builder.event.code = keep_attribute(r, attributes, "code");
}

static void open_element(struct xml_reader *r, enum element element, const XML_Char **attributes)
{
    if (element == DAY)
        schedule_builder_open_day(&r->builder, keep_attribute(r, attributes, "date"));
    else if (element == ROOM)
        r->builder.room = keep_attribute(r, attributes, "name");
    else if (element == EVENT)
        open_event(r, attributes);
    else if (element == LINK || element == ATTACHMENT) {
        r->href = keep_attribute(r, attributes, "href");
        r->type = keep_attribute(r, attributes, "type");
    }
}

static void XMLCALL on_start(void *user, const XML_Char *name, const XML_Char **attributes)
{
    struct xml_reader *r = user;
    if (r->error)
        return;
    if (r->depth == SCHEDULE_MOST_DEPTH) {
        stop(r, RAPPORT_LIMIT, "elements are nested deeper than the limit allows");
        return;
    }
    const struct rule *rule = find_rule(r->stack[r->depth], name);
    if (!rule && r->depth == 0) {
        stop(r, RAPPORT_MALFORMED,
             "this is XML, but no schedule: its outermost element is not <schedule>");
        return;
    }
    r->builder.line = XML_GetCurrentLineNumber(r->parser);
    r->stack[++r->depth] = rule ? rule->element : SKIPPED;
    r->wants_text = rule && rule->has_text;
    r->text_cut = false;
    buf_reset(&r->text);
    if (rule)
        open_element(r, rule->element, attributes);
}

static void close_conference_field(struct xml_reader *r, enum element element, const char *text)
{
    struct schedule *s = &r->builder.schedule;
    int64_t day;
    int minutes;
    if (element == CONFERENCE_TITLE)
        s->title = text;
    else if (element == CONFERENCE_ACRONYM)
        s->acronym = text;
    else if (element == CONFERENCE_ZONE)
        s->zone = text;
    else if (element == CONFERENCE_BASE_URL)
        r->builder.base_url = text;
    else if (element == CONFERENCE_START && date_parse(slice_str(text), &day))
        r->builder.first_day = day;
    else if (element == CONFERENCE_DAY_CHANGE && clock_parse(slice_str(text), &minutes))
        r->builder.day_change_min = minutes;
}

static void close_event_field(struct xml_reader *r, enum element element, const char *text)
{
    struct schedule_event *e = &r->builder.event;
    const struct {
        enum element element;
        const char **field;
    } fields[] = {
        {EVENT_DATE, &e->date},   {EVENT_START, &e->start}, {EVENT_DURATION, &e->duration},
        {EVENT_ROOM, &e->room},   {EVENT_SLUG, &e->slug},   {EVENT_TITLE, &e->title},
        {EVENT_TRACK, &e->track}, {EVENT_URL, &e->url},     {EVENT_SUBTITLE, &e->subtitle},
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (fields[i].element == element)
            *fields[i].field = text;
    }
    if (element == OPTOUT)
        e->optout = slice_equal_nocase(slice_str(text), slice_str("true"));
    else if (element == PERSON)
        check(r, schedule_builder_person(&r->builder, text));
    else if (element == LINK || element == ATTACHMENT)
        check(r, schedule_builder_link(&r->builder, r->href, text, r->type));
}

static void XMLCALL on_end(void *user, const XML_Char *name)
{
    struct xml_reader *r = user;
    (void)name;
    if (r->error)
        return;
    enum element element = r->stack[r->depth--];
    if (r->wants_text) {
        const char *text = keep(r, buf_slice(&r->text), r->text_cut);
        if (!text)
            return;
        close_conference_field(r, element, text);
        close_event_field(r, element, text);
    }
    r->wants_text = false;
    if (element == EVENT)
        check(r, schedule_builder_close_event(&r->builder));
    else if (element == DAY)
        check(r, schedule_builder_close_day(&r->builder));
    else if (element == ROOM)
        r->builder.room = "";
}

static void XMLCALL on_text(void *user, const XML_Char *text, int len)
{
    struct xml_reader *r = user;
    if (!r->wants_text)
        return;
    /* Blanks are folded later, so take somewhat more than is kept. */
    size_t room = 4 * SCHEDULE_MOST_FIELD_BYTES - r->text.len;
    r->text_cut |= (size_t)len > room;
    buf_append(&r->text, text, (size_t)len > room ? room : (size_t)len);
    if (buf_error(&r->text))
        stop(r, RAPPORT_NOMEM, NULL);
}

static void XMLCALL on_doctype(void *user, const XML_Char *name, const XML_Char *system,
                               const XML_Char *public, int has_subset)
{
    (void)name, (void)system, (void)public;
    if (has_subset)
        stop(user, RAPPORT_MALFORMED,
             "the file declares entities or elements of its own, which is refused");
}

/* Says what a file is that is not even XML. Returns NULL when it might be. */
static const char *guess_foreign(struct slice bytes)
{
    struct slice s = bytes;
    if (slice_starts(s, "\xef\xbb\xbf"))
        s = slice_skip(s, 3);
    s = slice_trim(s);
    if (s.len == 0)
        return "the file is empty";
    if (s.ptr[0] == '{' || s.ptr[0] == '[')
        return "this is JSON; only the XML form of a schedule can be read, look for schedule.xml";
    if (slice_starts_nocase(s, "BEGIN:VCALENDAR"))
        return "this is iCalendar; only the XML form of a schedule can be read, look for "
               "schedule.xml";
    if (slice_starts_nocase(s, "<!doctype html") || slice_starts_nocase(s, "<html"))
        return "this is a web page, not a schedule; look for the address of schedule.xml";
    return NULL;
}

/* FNV-1a over words: an attacker must grind whole files to make names collide in expat's tables.
 * Never 0, which would make expat draw a salt by itself. */
static unsigned long salt_of(struct slice bytes)
{
    uint64_t h = 0xcbf29ce484222325u, word;
    for (; bytes.len >= sizeof word; bytes = slice_skip(bytes, sizeof word)) {
        memcpy(&word, bytes.ptr, sizeof word);
        h = (h ^ word) * 0x100000001b3u;
    }
    for (size_t i = 0; i < bytes.len; i++)
        h = (h ^ bytes.ptr[i]) * 0x100000001b3u;
    return (unsigned long)(h ^ h >> 32) | 1;
}

static bool ends_early(enum XML_Error code)
{
    return code == XML_ERROR_NO_ELEMENTS || code == XML_ERROR_UNCLOSED_TOKEN ||
           code == XML_ERROR_PARTIAL_CHAR || code == XML_ERROR_UNCLOSED_CDATA_SECTION;
}

/* Names what expat found. */
static int explain(struct xml_reader *r)
{
    enum XML_Error code = XML_GetErrorCode(r->parser);
    unsigned long line = (unsigned long)XML_GetCurrentLineNumber(r->parser);
    if (code == XML_ERROR_NO_MEMORY)
        return RAPPORT_NOMEM;
    if (ends_early(code)) {
        buf_printf(r->why, "line %lu: the file ends in the middle of the schedule, fetch it again",
                   line);
        return RAPPORT_TRUNCATED;
    }
    buf_printf(r->why, "line %lu: not well-formed XML (%s)", line, XML_ErrorString(code));
    return RAPPORT_MALFORMED;
}

static int parse(struct xml_reader *r, struct slice bytes)
{
    XML_SetHashSalt(r->parser, salt_of(bytes));
    XML_SetUserData(r->parser, r);
    XML_SetElementHandler(r->parser, on_start, on_end);
    XML_SetCharacterDataHandler(r->parser, on_text);
    XML_SetStartDoctypeDeclHandler(r->parser, on_doctype);
    XML_SetParamEntityParsing(r->parser, XML_PARAM_ENTITY_PARSING_NEVER);
    enum XML_Status status =
        XML_Parse(r->parser, (const char *)bytes.ptr, (int)bytes.len, XML_TRUE);
    if (r->error)
        return r->error;
    if (status != XML_STATUS_OK)
        return explain(r);
    if (r->builder.n_days == 0) {
        buf_append_str(r->why, "the schedule has no <day>, so no talk");
        return RAPPORT_MALFORMED;
    }
    return schedule_builder_finish(&r->builder);
}

int schedule_parse_xml(struct slice bytes, struct schedule *out, struct buf *why)
{
    static const XML_Memory_Handling_Suite memory = {malloc, realloc, free};
    if (bytes.len > SCHEDULE_MOST_BYTES) {
        buf_append_str(why, "the file is larger than 32 MiB");
        return RAPPORT_LIMIT;
    }
    const char *foreign = guess_foreign(bytes);
    if (foreign) {
        buf_append_str(why, foreign);
        return RAPPORT_MALFORMED;
    }
    struct xml_reader *r = calloc(1, sizeof *r);
    if (!r)
        return RAPPORT_NOMEM;
    r->why = why;
    schedule_builder_init(&r->builder);
    r->parser = XML_ParserCreate_MM(NULL, &memory, NULL);
    int error = r->parser ? parse(r, bytes) : RAPPORT_NOMEM;
    if (r->parser)
        XML_ParserFree(r->parser);
    if (!error)
        schedule_builder_take(&r->builder, out);
    schedule_builder_clear(&r->builder);
    buf_clear(&r->text);
    buf_clear(&r->line);
    free(r);
    return error;
}
