/* span.c - see span.h. */
#include "base/span.h"

#include <stdio.h>

const char *span_text(uint64_t ms, char out[SPAN_TEXT])
{
    static const struct {
        uint64_t seconds, until; /* one of the unit; from two of the next one on, that one */
        const char *name;
    } units[] = {
        {1, 120, "s"}, {60, 2 * 3600, "min"}, {3600, 2 * 86400, "h"}, {86400, UINT64_MAX, "days"}};
    uint64_t s = ms / 1000;
    size_t i = 0;
    while (s >= units[i].until)
        i++;
    (void)snprintf(out, SPAN_TEXT, "%llu %s", (unsigned long long)(s / units[i].seconds),
                   units[i].name);
    return out;
}

const char *size_text(uint64_t bytes, char out[SPAN_TEXT])
{
    static const char *const names[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    uint64_t unit = 1000;
    size_t i = 0;
    while (bytes / unit >= 1000 && i + 1 < sizeof names / sizeof names[0]) {
        unit *= 1000;
        i++;
    }
    if (i > 0 && bytes / unit < 10)
        (void)snprintf(out, SPAN_TEXT, "%llu.%llu %s", (unsigned long long)(bytes / unit),
                       (unsigned long long)(bytes % unit / (unit / 10)), names[i]);
    else
        (void)snprintf(out, SPAN_TEXT, "%llu %s", (unsigned long long)(bytes / unit), names[i]);
    return out;
}
