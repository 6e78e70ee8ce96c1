/*
 * internal.h - what log.c shows to accept.c: growing a log. Nobody else includes it.
 */
#ifndef LOG_INTERNAL_H
#define LOG_INTERNAL_H

#include "log/log.h"

/* Frees a log with its index; NULL is allowed. */
void log_free(struct log *log);
/* Makes room for n more entries. Returns 0 or RAPPORT_NOMEM; what is in the log stays. */
int log_room(struct log *log, size_t n);
/* Appends an entry, which becomes the head; there must be room. */
void log_push(struct log *log, const struct log_entry *entry);
/* True when the delta with this end and hash is in the log; *lamport is then its lamport. Finds the
   head also while the index is not loaded. */
bool log_holds(const struct log *log, uint64_t end, const uint8_t hash[HASH_BYTES],
               uint64_t *lamport);

#endif
