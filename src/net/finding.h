/*
 * finding.h - what `rapport doctor` found: lines in areas, each fine, worth knowing or a problem,
 * with what to do about it. Filled in by whoever knows (LAN, tailnet, sockets, host), shown by the
 * command line.
 *
 * Texts are for people: safe for a terminal, without a line end. What came from outside (names of
 * machines, texts of tailscaled) goes in through finding_add, which escapes.
 */
#ifndef NET_FINDING_H
#define NET_FINDING_H

#include "base/buf.h"

enum finding_state {
    FINDING_FINE,
    FINDING_NOTE,    /* worth knowing, nothing to do */
    FINDING_PROBLEM, /* something does not work; `todo` says what helps */
};

struct finding {
    enum finding_state state;
    char *area; /* "lan", "tailnet", "listen", "friends", "disk", "clock", "firewall" */
    char *text;
    char *todo; /* "" when there is nothing to do */
};

enum {
    FINDINGS_MOST = 128 /* further ones are dropped */
};

struct findings {
    struct finding *list;
    size_t n;
    int error; /* sticks: RAPPORT_NOMEM */
};

/* Adds one; `todo` may be NULL; texts are copied and made safe for a terminal. */
void finding_add(struct findings *f, enum finding_state state, const char *area, const char *todo,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));
/* Frees the list. */
void findings_clear(struct findings *f);

#endif
