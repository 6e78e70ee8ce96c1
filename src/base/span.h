/* span.h - spans of time and sizes as people say them, rounded down to two digits or so. */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdint.h>

enum {
    SPAN_TEXT = 24
};

/* "20 s", "5 min", "3 h", "2 days"; returns out. */
const char *span_text(uint64_t ms, char out[SPAN_TEXT]);

/* "0 kB", "12 kB", "3.4 MB", "120 GB"; returns out. */
const char *size_text(uint64_t bytes, char out[SPAN_TEXT]);

#endif
