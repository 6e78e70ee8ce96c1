/*
 * schedule.h - a conference's schedule, read from the Pentabarf family of XML.
 *
 * One reader for all dialects seen: FOSDEM 2007 (events straight under `day`), FOSDEM 2013-2024,
 * FOSDEM since 2025, frab (31C3), pretalx and wafer (DebConf). Strict on structure, lenient on
 * content: a file that is no schedule or is cut gives an error and nothing at all; a field that
 * cannot be used is left out and named in `problems`. All strings are valid UTF-8, trimmed, on one
 * line, and never NULL ("" for what the file does not say). Links have only http and https
 * addresses, blanks and parentheses encoded. There is no second format: whoever keeps a schedule
 * keeps the file and parses it again (2 MB: some 15 ms). Must not know how note ids are made: it
 * gives the text that they are derived from.
 */
#ifndef PUBLISH_SCHEDULE_H
#define PUBLISH_SCHEDULE_H

#include "base/arena.h"
#include "base/buf.h"

enum {
    SCHEDULE_MOST_BYTES = 32 << 20, /* of one file */
    SCHEDULE_MOST_TALKS = 20000,    /* of one file */
    SCHEDULE_MOST_DEPTH = 32,       /* of nested elements */
    SCHEDULE_MOST_FIELD_BYTES =
        4096,                     /* of one kept text; longer ones are cut and named in problems */
    SCHEDULE_MOST_PERSONS = 128,  /* of one talk; further ones are left out */
    SCHEDULE_MOST_LINKS = 128,    /* of one talk; further ones are left out */
    SCHEDULE_MOST_PROBLEMS = 100, /* kept; n_problems_seen counts all */
    SCHEDULE_MOST_DURATION_MIN = 43200, /* 30 days */
};

enum talk_link_kind {
    TALK_LINK_PAGE,   /* the conference's page of this talk */
    TALK_LINK_VIDEO,  /* a recording; none when the speaker opted out */
    TALK_LINK_SLIDES, /* slides or paper */
    TALK_LINK_OTHER,  /* projects and so on; feedback forms and chat rooms are left out */
};

struct talk_link {
    const char *href, *title;
    enum talk_link_kind kind;
};

struct talk {
    const char *guid, *event_id, *code, *slug; /* as in the file */
    const char *title, *subtitle, *track, *room;
    const char *day;   /* "2023-02-04": the conference day, also for what runs past midnight */
    const char *start; /* "2023-02-04T10:30", local; "" when the file has no usable time */
    const char *url;   /* page of the talk, or "" */
    int64_t start_min; /* minutes since 1970-01-01T00:00 local, for ordering; INT64_MAX without a
                          time */
    int duration_min;  /* 0 when unknown */
    const char **persons;
    size_t n_persons;
    struct talk_link *links; /* as in the file, the page first */
    size_t n_links;
};

struct schedule_problem {
    size_t line; /* of the file, from 1 */
    const char *text;
};

struct schedule {
    struct arena arena; /* owns everything below */
    const char *title;
    const char *acronym;
    const char *start; /* the first day, "2023-02-04" */
    const char
        *zone; /* IANA name, or "" when the file has none (FOSDEM until 2024): the caller asks */
    struct talk *talks; /* by start, then room, then place in the file */
    size_t n_talks;
    struct schedule_problem *problems;
    size_t n_problems, n_problems_seen;
};

#define SCHEDULE_INIT ((struct schedule){0})

/*
 * Parses a schedule. On success *out (not initialised before) is to be freed with schedule_clear;
 * on failure it is left alone and `why` gets one sentence for a person, with the line where there
 * is one. Returns 0; RAPPORT_MALFORMED (no schedule, or broken XML, or entity declarations, which
 * are refused); RAPPORT_TRUNCATED (the file ends too early); RAPPORT_LIMIT; RAPPORT_NOMEM.
 */
int schedule_parse_xml(struct slice bytes, struct schedule *out, struct buf *why);

/* Frees a parsed schedule; it is empty afterwards. Talks borrowed from it are gone. */
void schedule_clear(struct schedule *s);

/*
 * Finds one talk by event id, guid, code, slug, whole title or unique part of a title (letter case
 * of ASCII does not matter), tried in this order. A talk that stands in two slots (same key) is
 * one: the first. *out is borrowed from `s`. Returns 0, RAPPORT_NOTFOUND or RAPPORT_AMBIGUOUS.
 */
int schedule_find(const struct schedule *s, const char *what, const struct talk **out);

/*
 * Appends the text that a talk's note id is derived from (the caller hashes it): the conference's
 * title and first day, and the event's guid, else its id, else start, room and title. Each field is
 * written as "length:bytes,", so no two lists of fields give the same text. Returns 0 or
 * RAPPORT_NOMEM.
 */
int talk_key(const struct schedule *s, const struct talk *t, struct buf *out);

/*
 * Appends the text of a new note for a talk: "# Title", and one line in italics with day, time,
 * room and speakers. The same talk gives the same bytes everywhere, so two people who start it
 * offline made one text. post_build knows this line and does not print it twice. Returns 0 or
 * RAPPORT_NOMEM.
 */
int talk_note_text(const struct talk *t, struct buf *out);

/* Appends "Saturday 4 February" for "2023-02-04" (or a longer text that begins with a date);
 * appends `date` itself where it is none. */
void schedule_day_name(const char *date, struct buf *out);

#endif
