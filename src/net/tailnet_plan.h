/*
 * tailnet_plan.h - whom to probe on a tailnet, and when: no sockets, no clock, no JSON. A status
 * goes in whenever one was fetched; candidates, one machine at a time, come out.
 *
 * A probe wakes the radio of whoever is asked, so most of this is about not asking: a sweep at the
 * start, PLAN_GAP_MS between machines, PLAN_IN_FLIGHT at once, in random order, who is likely a
 * friend first; then long waits that grow with each failure. Only machines that the status lists
 * are asked, at their own addresses, never at routes that they serve.
 *
 * Identity is our own key, elsewhere. A StableID is a hint that a control server may give away
 * again: with other addresses it counts as another machine.
 */
#ifndef NET_TAILNET_PLAN_H
#define NET_TAILNET_PLAN_H

#include "net/tailnet_status.h"

enum {
    PLAN_GAP_MS = 200, /* between two machines: 5 a second */
    PLAN_IN_FLIGHT = 16,
    PLAN_ANSWER_MS = 30000, /* the node answers a candidate within; else it counts as not tried */

    PLAN_MEMBER_LEAST_MS = 1000, /* after a member was lost or came on line, drawn between */
    PLAN_MEMBER_MOST_MS = 10000,
    PLAN_STRANGER_LEAST_MS = 30 * 1000, /* after a stranger came on line */
    PLAN_STRANGER_MOST_MS = 300 * 1000,
    PLAN_SPREAD_MS = 600 * 1000, /* strangers, when many came on line at once */
    PLAN_FLIP_LEAST = 3,         /* many: more than this, and more than 10 % */

    PLAN_REFUSED_MS = 3600 * 1000, /* doubles; also the least time between probes of a stranger */
    PLAN_REFUSED_MOST_MS = 24 * 3600 * 1000,
    PLAN_SILENT_MS = 6 * 3600 * 1000, /* doubles */
    PLAN_SILENT_MOST_MS = 7 * 24 * 3600 * 1000,
    PLAN_RECHECK_MS = 24 * 3600 * 1000, /* somebody else answered, or a member that went unseen */
    PLAN_SPOKE_MS = 3600 * 1000,        /* so long the control server's "offline" is not believed */
};

enum plan_outcome {
    PLAN_UNTRIED,
    PLAN_REFUSED, /* alive, nobody listens */
    PLAN_SILENT,  /* no answer: dropped, or gone */
    PLAN_OTHER,   /* somebody answered who is not of this report */
    PLAN_MEMBER,
};

/* Machines by what came of them. */
struct plan_counts {
    size_t listed;
    size_t skipped[TAILNET_SKIP_FILTER + 1]; /* by enum tailnet_skip; [TAILNET_KEEP]: asked */
    size_t outcomes[PLAN_MEMBER + 1];        /* by enum plan_outcome, of those that are asked */
    size_t n_connected, n_in_flight;
    uint64_t n_probes; /* candidates given since the start */
};

struct plan_filter {
    bool own;        /* only the same user's machines, and tagged ones */
    const char *tag; /* only machines with it; NULL all */
};

/* One machine to try, or one that is not there any more. */
struct plan_action {
    bool lost;
    uint64_t who;
    struct rapport_address addresses[TAILNET_MOST_IPS]; /* IPv6 first; port 0 */
    size_t n;
};

struct tailnet_plan;

/* An empty plan. Same seed and calls, same actions. Returns 0 or RAPPORT_NOMEM; free with
   tailnet_plan_destroy. */
int tailnet_plan_create(uint64_t seed, struct tailnet_plan **out);
/* Frees; NULL is allowed. */
void tailnet_plan_destroy(struct tailnet_plan *p);

/* A status of a daemon that is running. Another machine of ours or another tailnet than before
   forgets everything. Returns 0, or RAPPORT_NOMEM: then some machines are not known yet; the next
   status makes up for it. */
int tailnet_plan_status(struct tailnet_plan *p, rapport_time_ms now,
                        const struct tailnet_status *status, const struct plan_filter *filter);
/* The tailnet is not there (stopped, logged out, no daemon): nobody is probed, who was given is
   lost. */
void tailnet_plan_pause(struct tailnet_plan *p);
/* Whether anybody is wanted at all; not so at first. */
void tailnet_plan_want(struct tailnet_plan *p, bool wanted);
/* After sleep or roaming: members that are not connected are due soon. */
void tailnet_plan_wake(struct tailnet_plan *p, rapport_time_ms now);

/* What became of a candidate at this address (port ignored), as RAPPORT_EFFECT_TRIED says. */
void tailnet_plan_tried(struct tailnet_plan *p, rapport_time_ms now,
                        const struct rapport_address *address, int error);
/* A session with a member there began or, once for each beginning, ended. */
void tailnet_plan_connected(struct tailnet_plan *p, rapport_time_ms now,
                            const struct rapport_address *address, bool connected);
/* A session was made there in an earlier run: to be asked first. */
void tailnet_plan_remember(struct tailnet_plan *p, const struct rapport_address *address);

/* The next action that is due; false when none is. */
bool tailnet_plan_next(struct tailnet_plan *p, rapport_time_ms now, struct plan_action *out);
/* When tailnet_plan_next has something at the earliest; UINT64_MAX never. */
rapport_time_ms tailnet_plan_deadline(const struct tailnet_plan *p);

/* Counts by reason and outcome. */
void tailnet_plan_counts(const struct tailnet_plan *p, struct plan_counts *out);
/* What came of the machine with this address. */
enum plan_outcome tailnet_plan_outcome(const struct tailnet_plan *p,
                                       const struct rapport_address *address);

#endif
