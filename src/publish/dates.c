/* dates.c - days from civil dates and back (see dates.h). The two conversions count from 1 March,
 * so that the leap day is the last of its year and months follow the pattern 31 30 31 30 31. */
#include "publish/dates.h"

#include <assert.h>

enum {
    DAYS_TO_1970 = 719468, /* from 0000-03-01 */
    DAYS_PER_ERA = 146097, /* 400 years */
    MOST_HOURS = 999
};

static bool read_digits(struct slice s, size_t at, size_t n, int *out)
{
    if (at > s.len || n > s.len - at)
        return false;
    int value = 0;
    for (size_t i = at; i < at + n; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
        value = value * 10 + (s.ptr[i] - '0');
    }
    *out = value;
    return true;
}

static bool digit_at(struct slice s, size_t at)
{
    return at < s.len && s.ptr[at] >= '0' && s.ptr[at] <= '9';
}

static int64_t days_of(int year, int month, int day)
{
    int64_t y = year - (month <= 2);
    int64_t era = y / 400, year_of_era = y % 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * DAYS_PER_ERA + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
           day_of_year - DAYS_TO_1970;
}

void date_split(int64_t days, int *year, int *month, int *day)
{
    int64_t z = days + DAYS_TO_1970;
    int64_t era = (z >= 0 ? z : z - (DAYS_PER_ERA - 1)) / DAYS_PER_ERA;
    int64_t doe = z - era * DAYS_PER_ERA;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / (DAYS_PER_ERA - 1)) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    *day = (int)(doy - (153 * mp + 2) / 5 + 1);
    *month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *year = (int)(yoe + era * 400 + (*month <= 2));
}

bool date_parse(struct slice s, int64_t *days)
{
    int year, month, day;
    if (!read_digits(s, 0, 4, &year) || !read_digits(s, 5, 2, &month) ||
        !read_digits(s, 8, 2, &day))
        return false;
    if (s.ptr[4] != '-' || s.ptr[7] != '-' || digit_at(s, 10) || year < 1 || month < 1 ||
        month > 12 || day < 1)
        return false;
    int64_t found = days_of(year, month, day);
    int y, m, d;
    date_split(found, &y, &m, &d);
    if (d != day || m != month)
        return false; /* 30 February */
    *days = found;
    return true;
}

void date_put(struct buf *b, int64_t days)
{
    int year, month, day;
    date_split(days, &year, &month, &day);
    buf_printf(b, "%04d-%02d-%02d", year, month, day);
}

bool clock_parse(struct slice s, int *minutes)
{
    size_t n = 0;
    while (digit_at(s, n))
        n++;
    int hour, minute, second;
    if (n < 1 || n > 3 || !read_digits(s, 0, n, &hour) || !read_digits(s, n + 1, 2, &minute))
        return false;
    if (s.ptr[n] != ':' || minute > 59 || hour > MOST_HOURS)
        return false;
    if (s.len != n + 3 &&
        (s.len != n + 6 || s.ptr[n + 3] != ':' || !read_digits(s, n + 4, 2, &second)))
        return false;
    *minutes = hour * 60 + minute;
    return true;
}

/* Reads "", "Z", "+01:00" or "+0100" to the end of `s`. */
static bool read_offset(struct slice s, struct date_time *t)
{
    t->has_offset = s.len != 0;
    if (s.len == 0 || (s.len == 1 && (s.ptr[0] == 'Z' || s.ptr[0] == 'z')))
        return true;
    int hour, minute;
    size_t colon = s.len == 6 && s.ptr[3] == ':';
    if (s.len != 5 + colon || (s.ptr[0] != '+' && s.ptr[0] != '-') ||
        !read_digits(s, 1, 2, &hour) || !read_digits(s, 3 + colon, 2, &minute) || hour > 23 ||
        minute > 59)
        return false;
    t->offset_min = (hour * 60 + minute) * (s.ptr[0] == '-' ? -1 : 1);
    return true;
}

bool date_time_parse(struct slice s, struct date_time *out)
{
    int64_t days;
    int hour, minute;
    struct date_time t = {0};
    if (!date_parse(s, &days) || s.len < 16 || !read_digits(s, 11, 2, &hour) ||
        !read_digits(s, 14, 2, &minute))
        return false;
    if ((s.ptr[10] != 'T' && s.ptr[10] != 't' && s.ptr[10] != ' ') || s.ptr[13] != ':' ||
        hour > 23 || minute > 59)
        return false;
    t.minutes = days * 1440 + hour * 60 + minute;
    s = slice_skip(s, 16);
    if (s.len && s.ptr[0] == ':') {
        if (!read_digits(s, 1, 2, &t.second) || t.second > 60)
            return false;
        s = slice_skip(s, 3);
        if (s.len && s.ptr[0] == '.') {
            size_t n = 1;
            while (digit_at(s, n))
                n++;
            s = slice_skip(s, n);
        }
    }
    if (s.len && s.ptr[0] == ' ')
        s = slice_skip(s, 1); /* "2023-02-06 09:00:00 +0100" */
    if (!read_offset(s, &t))
        return false;
    *out = t;
    return true;
}

const char *weekday_name(int weekday)
{
    static const char *const names[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                        "Friday", "Saturday", "Sunday"};
    assert(weekday >= 0 && weekday < 7);
    return names[weekday];
}

const char *month_name(int month)
{
    static const char *const names[] = {"January",   "February", "March",    "April",
                                        "May",       "June",     "July",     "August",
                                        "September", "October",  "November", "December"};
    assert(month >= 1 && month <= 12);
    return names[month - 1];
}

int weekday_of(int64_t days)
{
    return (int)(((days + 3) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
}
