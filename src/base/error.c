/* error.c - texts and names of the error list in rapport/error.h. */
#include "rapport/error.h"

const char *rapport_strerror(int error)
{
    switch (error) {
    case RAPPORT_OK:
        return "no error";
#define X(name, value, text)                                                                       \
    case RAPPORT_##name:                                                                           \
        return text;
        RAPPORT_ERRORS(X)
#undef X
    }
    return "unknown error";
}

const char *rapport_errname(int error)
{
    switch (error) {
    case RAPPORT_OK:
        return "OK";
#define X(name, value, text)                                                                       \
    case RAPPORT_##name:                                                                           \
        return #name;
        RAPPORT_ERRORS(X)
#undef X
    }
    return "UNKNOWN";
}
