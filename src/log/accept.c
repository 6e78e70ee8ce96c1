/*
 * accept.c - the door for deltas: validity of a run by links and cover (see log.h).
 *
 * Order of work: known deltas are skipped by hash; the links of the others (number, prev, deps,
 * lamport) are checked as far as they hold; of those the last with a good signature ends what is
 * accepted. Cover comes only from deltas that are accepted themselves: what lies behind it can be
 * sent on with its proof, so every peer comes to the same result. A contradiction counts as a fork
 * only when it is signed: otherwise any relay could accuse an author.
 */
#include <assert.h>
#include <stdlib.h>

#include "log/internal.h"
#include "rapport/error.h"

/* Where the next delta of a log must fit. */
struct tip {
    const uint8_t *id;
    const uint8_t *head; /* hash, or NULL before a log's first delta */
    uint64_t next, lamport;
};

static struct tip tip_behind(const struct delta *d)
{
    return (struct tip){d->log, d->hash, d->end, d->lamport};
}

static struct tip tip_of(const struct log *log, const struct delta *first)
{
    return log ? (struct tip){log->id, log->head, log->next, log->lamport}
               : (struct tip){first->log, NULL, 0, 0};
}

/* True when d names the tip as the delta before it. A first delta's origin was checked when it was
 * decoded. */
static bool continues(const struct delta *d, const struct tip *tip)
{
    if (memcmp(d->log, tip->id, LOG_ID_BYTES) != 0 || d->first != tip->next)
        return false;
    return tip->head ? memcmp(d->prev.ptr, tip->head, HASH_BYTES) == 0 : d->first == 0;
}

/* Checks one delta against the tip and the set; writes only the stop, the error and the dep. */
static enum log_stop check_link(const struct log_set *set, const struct delta *d,
                                const struct tip *tip, struct log_outcome *out)
{
    out->error = RAPPORT_CHAIN;
    if (!continues(d, tip))
        return LOG_INVALID;
    uint64_t greatest = tip->lamport;
    for (size_t i = 0; i < d->n_deps; i++) {
        uint64_t lamport = 0;
        if (!log_has_dep(set, &d->deps[i], &lamport)) {
            out->error = RAPPORT_PARENT;
            out->missing = d->deps[i];
            return LOG_MISSING;
        }
        greatest = lamport > greatest ? lamport : greatest;
    }
    if (d->lamport == greatest + 1) {
        out->error = 0;
        return LOG_ALL;
    }
    out->error = RAPPORT_MALFORMED;
    return LOG_INVALID;
}

/* Number of deltas in front that are in the log already. */
static size_t count_known(const struct log *log, const struct delta *run, size_t n)
{
    size_t known = 0;
    uint64_t lamport = 0;
    while (known < n && memcmp(run[known].log, log->id, LOG_ID_BYTES) == 0 &&
           run[known].first < log->next &&
           log_holds(log, run[known].end, run[known].hash, &lamport))
        known++;
    return known;
}

/* Number of deltas in front whose signature, or that of one further on in these n, verifies. */
static size_t count_covered(const struct log_set *set, const uint8_t *sign_public,
                            const struct delta *run, size_t n)
{
    while (n > 0 && !delta_signed_by(&run[n - 1], sign_public, set->report_id))
        n--;
    return n;
}

/* Number of deltas in front that are chained to each other. */
static size_t count_chained(const struct delta *run, size_t n)
{
    size_t chained = n > 0;
    while (chained < n) {
        struct tip tip = tip_behind(&run[chained - 1]);
        if (!continues(&run[chained], &tip))
            break;
        chained++;
    }
    return chained;
}

/* run[0] does not fit behind what we hold of its log: a gap, a signed second history, or rubbish.
 */
static enum log_stop judge_misfit(const struct log_set *set, const struct log *log,
                                  const struct delta *run, size_t n, int *error)
{
    *error = RAPPORT_CHAIN;
    uint64_t next = log ? log->next : 0;
    if (log && memcmp(run[0].log, log->id, LOG_ID_BYTES) != 0)
        return LOG_INVALID;
    if (run[0].first > next)
        return LOG_GAP;
    uint64_t lamport = 0;
    if (!log || log_holds(log, run[0].end, run[0].hash, &lamport))
        return LOG_INVALID; /* the same delta twice in one run contradicts nothing */
    if (count_covered(set, log->origin, run, count_chained(run, n)) == 0) {
        *error = RAPPORT_AUTH;
        return LOG_INVALID;
    }
    *error = RAPPORT_FORK;
    return LOG_FORKED;
}

/* Adds n checked deltas to the log, or makes the log (`*log` NULL) of them. All or nothing. */
static int commit(struct log_set *set, struct log **log, const struct delta *run, size_t n)
{
    struct log *made = NULL, *to = *log;
    int error = 0;
    if (n == 0)
        return 0;
    if (!to) {
        to = made = calloc(1, sizeof *made);
        if (!made)
            return RAPPORT_NOMEM;
        memcpy(made->id, run[0].log, LOG_ID_BYTES);
        memcpy(made->origin, run[0].prev.ptr, ORIGIN_BYTES);
    }
    error = log_room(to, n);
    if (!error && made)
        error = map_put(&set->by_id, made->id, made);
    if (error) {
        log_free(made);
        return error;
    }
    for (size_t i = 0; i < n; i++) {
        struct log_entry entry = {.end = run[i].end, .lamport = run[i].lamport};
        memcpy(entry.hash, run[i].hash, HASH_BYTES);
        log_push(to, &entry);
    }
    *log = to;
    return 0;
}

/* Accepts from run, which is not empty and starts behind the known deltas. */
static int accept_new(struct log_set *set, struct log *log, const struct delta *run, size_t n,
                      struct log_outcome *out)
{
    struct tip tip = tip_of(log, run);
    size_t linked = 0;
    while (linked < n && (out->stop = check_link(set, &run[linked], &tip, out)) == LOG_ALL)
        tip = tip_behind(&run[linked++]);
    if (linked && !log && set->by_id.n >= LOGS_MOST)
        return RAPPORT_LIMIT;
    const uint8_t *key = log ? log->origin : run[0].prev.ptr;
    size_t covered = linked ? count_covered(set, key, run, linked) : 0;
    int error = commit(set, &log, run, covered);
    if (error)
        return error;
    out->n_accepted = covered;
    if (covered < linked && out->stop != LOG_MISSING) {
        out->stop = LOG_INVALID;
        out->error = RAPPORT_AUTH;
    } else if (out->stop == LOG_INVALID && out->error == RAPPORT_CHAIN) {
        out->stop = judge_misfit(set, log, run + linked, n - linked, &out->error);
    }
    return 0;
}

int log_accept(struct log_set *set, const struct delta *run, size_t n, struct log_outcome *out)
{
    struct log_outcome outcome = {.stop = LOG_ALL};
    if (n > LOG_RUN_MOST)
        return RAPPORT_LIMIT;
    if (n > 0) {
        struct log *log = log_find(set, run[0].log);
        outcome.n_known = log ? count_known(log, run, n) : 0;
        if (outcome.n_known < n) {
            int error = accept_new(set, log, run + outcome.n_known, n - outcome.n_known, &outcome);
            if (error)
                return error;
        }
    }
    *out = outcome;
    return 0;
}

int log_append_own(struct log_set *set, const struct delta *d)
{
    struct log *log = log_find(set, d->log);
    struct tip tip = tip_of(log, d);
    struct log_outcome outcome;
    enum log_stop stop = check_link(set, d, &tip, &outcome);
    assert(stop == LOG_ALL);
    (void)stop;
    if (!log && set->by_id.n >= LOGS_MOST)
        return RAPPORT_LIMIT;
    return commit(set, &log, d, 1);
}
