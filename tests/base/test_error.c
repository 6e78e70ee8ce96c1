/* test_error.c - the list of errors: numbers, names and sentences. */
#include "rapport/error.h"
#include "test.h"

TEST(error_numbers, "numbers run from 1 without a gap, so none is used twice or was dropped")
{
    int next = 1;
#define X(name, value, text) CHECK_EQ(value, next++);
    RAPPORT_ERRORS(X)
#undef X
    CHECK_EQ(RAPPORT_NOMEM, -1);
    CHECK_EQ(RAPPORT_PERMISSION, -29);
}

TEST(error_sentences, "each code has a name and a sentence of its own, without a full stop")
{
    int n = 0;
#define X(name, value, text)                                                                       \
    CHECK_STR(rapport_errname(RAPPORT_##name), #name);                                             \
    CHECK_STR(rapport_strerror(RAPPORT_##name), text);                                             \
    CHECK(text[0] && text[sizeof text - 2] != '.');                                                \
    n++;
    RAPPORT_ERRORS(X)
#undef X
    for (int a = 0; a <= n; a++)
        for (int b = 0; b < a; b++)
            CHECK(strcmp(rapport_strerror(-a), rapport_strerror(-b)) != 0);
}

TEST(error_unknown, "0 is OK, and a code outside of the list is said to be unknown")
{
    CHECK_STR(rapport_errname(0), "OK");
    CHECK_STR(rapport_strerror(0), "no error");
    CHECK_STR(rapport_strerror(1), "unknown error");
    CHECK_STR(rapport_errname(-1000), "UNKNOWN");
}
