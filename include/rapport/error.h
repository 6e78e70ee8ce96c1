/*
 * rapport/error.h - the one list of errors.
 *
 * Every function that can fail returns 0 or one of these negative codes. What only a bug can do is
 * an assertion, never a code. The sentence is for people and has no trailing full stop, so that a
 * caller can add what and where.
 */
#ifndef RAPPORT_ERROR_H
#define RAPPORT_ERROR_H

#define RAPPORT_ERRORS(X)                                                                          \
    X(NOMEM, 1, "out of memory")                                                                   \
    X(INVALID, 2, "invalid argument")                                                              \
    X(MALFORMED, 3, "malformed data")                                                              \
    X(TRUNCATED, 4, "data ends too early")                                                         \
    X(LIMIT, 5, "larger than the limit allows")                                                    \
    X(VERSION, 6, "made by a newer version of rapport")                                            \
    X(AUTH, 7, "signature or authentication tag does not verify")                                  \
    X(NOKEY, 8, "no key opens this")                                                               \
    X(EXISTS, 9, "exists already")                                                                 \
    X(NOTFOUND, 10, "not found")                                                                   \
    X(AMBIGUOUS, 11, "matches more than one")                                                      \
    X(EXPIRED, 12, "has expired")                                                                  \
    X(USED, 13, "was used already")                                                                \
    X(REFUSED, 14, "refused")                                                                      \
    X(PARENT, 15, "builds on events that are not here yet")                                        \
    X(CHAIN, 16, "does not continue its log")                                                      \
    X(FORK, 17, "contradicts a delta of the same log")                                             \
    X(STATE, 18, "not possible in this state")                                                     \
    X(IO, 19, "input/output error")                                                                \
    X(FULL, 20, "no space left")                                                                   \
    X(READONLY, 21, "read-only")                                                                   \
    X(LOCKED, 22, "in use by another process")                                                     \
    X(CORRUPT, 23, "the database is damaged")                                                      \
    X(OUTSIDE, 24, "outside of the report's folder")                                               \
    X(CLOSED, 25, "closed by the other side")                                                      \
    X(TIMEOUT, 26, "no answer in time")                                                            \
    X(UNREACHABLE, 27, "no peer reachable")                                                        \
    X(AGAIN, 28, "not yet")                                                                        \
    X(PERMISSION, 29, "permission denied")

enum rapport_error {
    RAPPORT_OK = 0,
#define X(name, value, text) RAPPORT_##name = -(value),
    RAPPORT_ERRORS(X)
#undef X
};

/* Returns the sentence for an error code, a static string; "unknown error" for a code not in the
 * list. */
const char *rapport_strerror(int error);

/* Returns the code's name ("NOMEM"), stable for --json and scripts; "OK" for 0. */
const char *rapport_errname(int error);

#endif
