/*
 * schedule_build.h - from the fields of events, as a file has them, to a struct schedule.
 *
 * Knows about times, links and days, nothing about XML; a reader of another form feeds the same
 * calls. Private to the layer. All strings passed in live in builder.schedule.arena already, or are
 * static. After an error only schedule_builder_clear makes sense.
 */
#ifndef PUBLISH_SCHEDULE_BUILD_H
#define PUBLISH_SCHEDULE_BUILD_H

#include "publish/schedule.h"
#include "publish/strings.h"

/* The event that is open. Strings are never NULL. */
struct schedule_event {
    const char *guid, *id, *code, *date, *start, *duration, *room, *slug, *title, *subtitle, *track,
        *url;
    bool optout;
    size_t line;
    size_t n_persons, n_links;
    const char *persons[SCHEDULE_MOST_PERSONS];
    struct talk_link links[SCHEDULE_MOST_LINKS];
};

struct schedule_builder {
    struct schedule schedule;
    struct schedule_event event;
    struct talk *talks; /* in the order of the file */
    size_t n_talks, cap;
    size_t line; /* where the reader is, for problems */
    const char *room;
    const char *base_url;
    int64_t day;       /* of the day that is open; NO_DAY when it has no date */
    int64_t first_day; /* the conference's, or NO_DAY */
    int day_change_min;
    size_t day_first; /* index of the open day's first talk */
    size_t n_days;
    struct schedule_problem problems[SCHEDULE_MOST_PROBLEMS];
};

#define NO_DAY INT64_MIN

/* Makes an empty builder. */
void schedule_builder_init(struct schedule_builder *b);
/* Frees everything that was not taken. */
void schedule_builder_clear(struct schedule_builder *b);
/* Opens a day; `date` as the file has it, or NULL. */
void schedule_builder_open_day(struct schedule_builder *b, const char *date);
/* Opens an event of that day, all its fields empty. */
void schedule_builder_open_event(struct schedule_builder *b);
/* Notes what was left out of the result, at the reader's line; `text` is static. Returns 0: not an
 * error. */
int schedule_builder_problem(struct schedule_builder *b, const char *text);
/* Adds a speaker to the open event, once. Returns 0. */
int schedule_builder_person(struct schedule_builder *b, const char *name);
/* Adds a link to the open event, cleaned and classed. Returns 0 (also when it was left out) or
 * RAPPORT_NOMEM. */
int schedule_builder_link(struct schedule_builder *b, const char *href, const char *title,
                          const char *type);
/* Makes a talk of the open event. Returns 0, RAPPORT_NOMEM or RAPPORT_LIMIT. */
int schedule_builder_close_event(struct schedule_builder *b);
/* Names the conference day of its talks. Returns 0 or RAPPORT_NOMEM. */
int schedule_builder_close_day(struct schedule_builder *b);
/* Sorts and completes. Returns 0 or RAPPORT_NOMEM. */
int schedule_builder_finish(struct schedule_builder *b);
/* Moves the finished schedule out; the builder keeps none. */
void schedule_builder_take(struct schedule_builder *b, struct schedule *out);

#endif
