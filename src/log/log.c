/*
 * log.c - the set of logs: finding, restoring from the database, the index (see log.h). What comes
 * from peers enters through log/accept.c.
 *
 * Invariants: a log has at least one event; its id is that of its origin; entries ascend by end,
 * the last one is the head once the index was loaded.
 */
#include "log/log.h"

#include <stdlib.h>

#include "log/internal.h"
#include "rapport/error.h"

enum {
    FIRST_ENTRIES = 16
};

void log_set_init(struct log_set *set, const uint8_t report_id[REPORT_ID_BYTES], uint64_t map_seed)
{
    map_init(&set->by_id, LOG_ID_BYTES, map_seed);
    memcpy(set->report_id, report_id, REPORT_ID_BYTES);
}

void log_free(struct log *log)
{
    if (log)
        free(log->entries);
    free(log);
}

void log_set_clear(struct log_set *set)
{
    size_t at = 0;
    for (struct log *log; (log = log_next(set, &at));)
        log_free(log);
    map_clear(&set->by_id);
}

struct log *log_find(const struct log_set *set, const uint8_t id[LOG_ID_BYTES])
{
    return map_get(&set->by_id, id);
}

struct log *log_next(const struct log_set *set, size_t *at)
{
    return map_next(&set->by_id, at);
}

const struct log_entry *log_entry_at(const struct log *log, uint64_t end)
{
    size_t low = 0, high = log->n_entries;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (log->entries[middle].end < end)
            low = middle + 1;
        else
            high = middle;
    }
    return low < log->n_entries && log->entries[low].end == end ? &log->entries[low] : NULL;
}

bool log_holds(const struct log *log, uint64_t end, const uint8_t hash[HASH_BYTES],
               uint64_t *lamport)
{
    if (end == log->next) {
        *lamport = log->lamport;
        return memcmp(log->head, hash, HASH_BYTES) == 0;
    }
    const struct log_entry *entry = log_entry_at(log, end);
    if (!entry || memcmp(entry->hash, hash, HASH_BYTES) != 0)
        return false;
    *lamport = entry->lamport;
    return true;
}

bool log_has_dep(const struct log_set *set, const struct delta_dep *dep, uint64_t *lamport)
{
    uint64_t found = 0;
    const struct log *log = log_find(set, dep->log);
    if (!log || !log_holds(log, dep->end, dep->hash, &found))
        return false;
    *lamport = found;
    return true;
}

int log_room(struct log *log, size_t n)
{
    if (n <= log->cap_entries - log->n_entries)
        return 0;
    size_t cap = log->cap_entries + log->cap_entries / 2;
    if (cap < log->n_entries + n)
        cap = log->n_entries + n;
    if (cap < FIRST_ENTRIES)
        cap = FIRST_ENTRIES;
    struct log_entry *entries = realloc(log->entries, cap * sizeof *entries);
    if (!entries)
        return RAPPORT_NOMEM;
    log->entries = entries;
    log->cap_entries = cap;
    return 0;
}

void log_push(struct log *log, const struct log_entry *entry)
{
    log->entries[log->n_entries++] = *entry;
    log->next = entry->end;
    log->lamport = entry->lamport;
    memcpy(log->head, entry->hash, HASH_BYTES);
}

int log_restore_head(struct log_set *set, const struct log *head)
{
    uint8_t id[LOG_ID_BYTES];
    log_id_of(id, set->report_id, head->origin);
    if (memcmp(id, head->id, LOG_ID_BYTES) != 0 || log_find(set, id) || head->next == 0)
        return RAPPORT_CORRUPT;
    struct log *log = malloc(sizeof *log);
    if (!log)
        return RAPPORT_NOMEM;
    *log = *head;
    log->entries = NULL;
    log->n_entries = log->cap_entries = 0;
    int error = map_put(&set->by_id, id, log);
    if (error)
        free(log);
    return error;
}

int log_restore_entry(struct log_set *set, const uint8_t id[LOG_ID_BYTES],
                      const struct log_entry *entry)
{
    struct log *log = log_find(set, id);
    if (!log || entry->end == 0 || entry->end > log->next)
        return RAPPORT_CORRUPT;
    if (entry->end == log->next &&
        (entry->lamport != log->lamport || memcmp(entry->hash, log->head, HASH_BYTES) != 0))
        return RAPPORT_CORRUPT;
    /* Deltas that were made or taken since the head was restored stand at the end already. */
    size_t at = log->n_entries;
    while (at > 0 && log->entries[at - 1].end > entry->end)
        at--;
    if (at > 0 && log->entries[at - 1].end == entry->end)
        return memcmp(log->entries[at - 1].hash, entry->hash, HASH_BYTES) ? RAPPORT_CORRUPT : 0;
    int error = log_room(log, 1);
    if (error)
        return error;
    memmove(log->entries + at + 1, log->entries + at, (log->n_entries - at) * sizeof *entry);
    log->entries[at] = *entry;
    log->n_entries++;
    return 0;
}
