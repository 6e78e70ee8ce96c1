/* test_span.c - times and sizes for people. */
#include "base/span.h"
#include "test.h"

TEST(span_words, "spans in the unit that a person would use")
{
    char out[SPAN_TEXT];
    CHECK_STR(span_text(0, out), "0 s");
    CHECK_STR(span_text(999, out), "0 s");
    CHECK_STR(span_text(119999, out), "119 s");
    CHECK_STR(span_text(120000, out), "2 min");
    CHECK_STR(span_text(7199000, out), "119 min");
    CHECK_STR(span_text(7200000, out), "2 h");
    CHECK_STR(span_text(UINT64_C(172800000), out), "2 days");
    CHECK_STR(span_text(UINT64_MAX, out), "213503982334 days");
}

TEST(span_sizes, "sizes with two digits at least from a megabyte on")
{
    char out[SPAN_TEXT];
    CHECK_STR(size_text(0, out), "0 kB");
    CHECK_STR(size_text(999999, out), "999 kB");
    CHECK_STR(size_text(1000000, out), "1.0 MB");
    CHECK_STR(size_text(9999999, out), "9.9 MB");
    CHECK_STR(size_text(UINT64_C(12345678901), out), "12 GB");
    CHECK_STR(size_text(UINT64_MAX, out), "18 EB");
}
