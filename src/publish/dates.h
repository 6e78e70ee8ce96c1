/*
 * dates.h - calendar days and clock times as the files of a conference write them.
 *
 * Proleptic Gregorian, years 1 to 9999, days counted from 1970-01-01. No zone is known here: an
 * offset is read where one stands, nothing is looked up.
 */
#ifndef PUBLISH_DATES_H
#define PUBLISH_DATES_H

#include "base/buf.h"

/* Reads "YYYY-MM-DD" at the start of `s`, whatever follows but a digit. False when there is no such
 * day. */
bool date_parse(struct slice s, int64_t *days);

/* Appends "YYYY-MM-DD". */
void date_put(struct buf *b, int64_t days);

/* Reads "H:MM", "HH:MM" or "HH:MM:SS" (all of `s`), hours up to 999, as minutes; seconds are
 * dropped. */
bool clock_parse(struct slice s, int *minutes);

/* A date with a clock time, and an offset from UTC where the text has one. */
struct date_time {
    int64_t minutes; /* since 1970-01-01T00:00 by the clock as written */
    int second;
    bool has_offset;
    int offset_min; /* east of Greenwich is positive */
};

/* Reads RFC 3339 ("2014-12-28T00:15:00+01:00", "…Z", "+0100"), also without seconds, without an
 * offset and with a blank for the T; fractions are dropped. */
bool date_time_parse(struct slice s, struct date_time *out);

/* "Monday" for 0 to "Sunday" for 6, and "January" for 1 to "December" for 12. */
const char *weekday_name(int weekday);
/* English, static. */
const char *month_name(int month);
/* 0 for a Monday. */
int weekday_of(int64_t days);
/* Day of the month and month of a day, from 1. */
void date_split(int64_t days, int *year, int *month, int *day);

#endif
