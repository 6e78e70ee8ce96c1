/*
 * doctor.h - `rapport doctor`: what works, what does not, and what to do, composed of what the
 * files below know. Looks at what is there and changes nothing; waits for nobody.
 *
 * Order of the areas: what must be right for anything else stands first, and the first problem
 * names the one next thing to do.
 */
#ifndef DAEMON_DOCTOR_H
#define DAEMON_DOCTOR_H

#include "daemon/service.h"
#include "net/finding.h"

enum {
    DOCTOR_CLOCK_OFF_MS = 600000,      /* tags of a LAN hold for a quarter of an hour */
    DOCTOR_LEAST_FREE = 100 * 1000000, /* bytes on the disk; below: a problem */
};

struct doctor_about {
    bool daemon;         /* a daemon serves the report; else it was opened to be looked at */
    const char *version; /* of this process; NULL unknown */
    const char *asker;   /* version of who asks; NULL unknown */
};

/* Appends the reply to the op "doctor" about a report that is served. */
void doctor_reply(struct service *r, const struct doctor_about *about, struct buf *reply);

/* Appends the same where the report at `dir` cannot be opened: why not, and what can be seen
   without it. */
void doctor_reply_closed(const char *dir, int error, const char *why, struct buf *reply);

/* ---- parts of it, for tests ---- */

/* Adds the finding of the area "clock": `ahead_ms` are n friends' clocks less ours. */
void doctor_clock(const int64_t *ahead_ms, size_t n, struct findings *f);
/* Adds findings of the area "disk" about the file system of the report at `dir`. */
void doctor_disk(const char *dir, struct findings *f);
/* What to do next: of the first problem, else of the first note; "" when there is nothing. */
const char *doctor_next(const struct findings *f);

#endif
