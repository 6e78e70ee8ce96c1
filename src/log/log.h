/*
 * log.h - the heads and the delta index of every log of a report, and the one door through which
 * deltas come in.
 *
 * A delta is valid when its encoding, number, prev, deps and lamport are right and its own
 * signature, or that of a later delta chained to it, verifies (cover). So ingest takes runs: it
 * checks the links of all and the signature of the last; where that fails, the longest prefix that
 * ends in a good signature is kept. Nobody needs keys for this. The index keeps (end, lamport,
 * hash) of every delta, so deps and repeated deltas are recognised without the database. A log
 * whose first delta is not here yet does not exist here.
 */
#ifndef LOG_LOG_H
#define LOG_LOG_H

#include "base/map.h"
#include "log/delta.h"

enum {
    LOGS_MOST = 4096,        /* logs of one report */
    LOG_RUN_MOST = 256,      /* deltas in one run */
    LOG_DEP_EVERY_MS = 10000 /* other heads newly seen are named at most this often */
};

/* One delta in the index. */
struct log_entry {
    uint64_t end, lamport;
    uint8_t hash[HASH_BYTES];
};

struct log {
    uint8_t id[LOG_ID_BYTES];
    uint8_t origin[ORIGIN_BYTES]; /* sign key ‖ random */
    uint64_t next;                /* number of the next event = end of the head */
    uint64_t lamport;             /* of the head */
    uint8_t head[HASH_BYTES];
    struct log_entry *entries; /* ascending end; complete once the index was loaded */
    size_t n_entries, cap_entries;
};

struct log_set {
    struct map by_id; /* struct log *, owned */
    uint8_t report_id[REPORT_ID_BYTES];
};

/* An empty set. `map_seed`: one that peers cannot know, since they choose log ids. */
void log_set_init(struct log_set *set, const uint8_t report_id[REPORT_ID_BYTES], uint64_t map_seed);
/* Frees every log; init it again before use. */
void log_set_clear(struct log_set *set);

/* The log with this id, or NULL. Valid until log_set_clear. */
struct log *log_find(const struct log_set *set, const uint8_t id[LOG_ID_BYTES]);

/* Iterates in order of arrival: start with *at = 0; NULL at the end. */
struct log *log_next(const struct log_set *set, size_t *at);

/* The entry of `log` that ends at `end`, or NULL. */
const struct log_entry *log_entry_at(const struct log *log, uint64_t end);

/* Restores a head (from the database); its entries follow by log_restore_entry. Until all are here
   log_accept must not be called for this log: it would take a known delta for a contradiction.
   Returns 0, RAPPORT_NOMEM, or RAPPORT_CORRUPT when the origin does not give the id or the log is
   there already. */
int log_restore_head(struct log_set *set, const struct log *head);
/* Restores an entry, best in ascending order of end; deltas may be appended in between, and an
   entry that is there already is left alone. Returns 0, RAPPORT_NOMEM, or RAPPORT_CORRUPT when it
   is past the head or differs from what is there. */
int log_restore_entry(struct log_set *set, const uint8_t id[LOG_ID_BYTES],
                      const struct log_entry *entry);

/* What log_accept found behind the last accepted delta. */
enum log_stop {
    LOG_ALL,     /* nothing is left */
    LOG_MISSING, /* a dep is not here: see missing */
    LOG_GAP,     /* starts behind our head */
    LOG_FORKED,  /* contradicts a delta that we hold */
    LOG_INVALID, /* malformed, wrong number, prev, lamport, or a signature that does not verify */
};

struct log_outcome {
    size_t n_known;    /* leading deltas that we hold already */
    size_t n_accepted; /* deltas after those that are now part of the log */
    enum log_stop stop;
    int error;                /* for LOG_INVALID: the error code */
    struct delta_dep missing; /* for LOG_MISSING */
};

/* Takes a run of deltas of one log, in order, decoded. Advances the log by the longest valid prefix
   (creating it when the first delta is in the run) and says where and why it stopped. Returns 0 or
   RAPPORT_NOMEM, RAPPORT_LIMIT (too many logs or deltas); then nothing changed. */
int log_accept(struct log_set *set, const struct delta *run, size_t n, struct log_outcome *out);

/* Appends a delta that this device made itself (no signature check; everything else holds or it is
 * a bug). */
int log_append_own(struct log_set *set, const struct delta *d);

/* True when the delta that `dep` names is here with that hash; *lamport is then its lamport. */
bool log_has_dep(const struct log_set *set, const struct delta_dep *dep, uint64_t *lamport);

#endif
