/*
 * batch.h - the words in which the node asks for storage and a driver hands the work to the store:
 * what to write (struct batch, one transaction), what to load (struct load), what was found (struct
 * load_row).
 *
 * Deltas are the truth. Records and notes are a cache that can be rebuilt from them at any time;
 * the record "applied" is the arrival number up to which the cache is complete. Everything is
 * borrowed for the call.
 */
#ifndef LOG_BATCH_H
#define LOG_BATCH_H

#include "log/delta.h"

enum {
    NOTE_ID_BYTES = 16,
    LOAD_MOST_BYTES =
        1 << 20, /* the most that one load of deltas returns; at least one row always comes */
};

/* One delta to write; `bytes` as its author made it. */
struct batch_delta {
    uint8_t log[LOG_ID_BYTES];
    uint64_t first, end, lamport;
    uint8_t hash[HASH_BYTES];
    struct slice bytes;
};

/* A small piece of state by key (at most 64 bytes). A value with ptr NULL removes it. */
struct batch_record {
    struct slice key, value;
};

/* A note's cached state. A slice with ptr NULL leaves that column as it is. */
struct batch_note {
    uint8_t id[NOTE_ID_BYTES];
    struct slice meta;   /* report/note.h */
    struct slice stored; /* rapport_text_save */
};

struct batch {
    const struct batch_delta *deltas;
    size_t n_deltas;
    const struct batch_record *records;
    size_t n_records;
    const struct batch_note *notes;
    size_t n_notes;
    bool applied; /* the cache holds every delta up to and with this batch: set the record "applied"
                     (8 bytes, big-endian) to the newest arrival number */
};

/* What comes back, row by row. Of a forked log only the chain that its head stands on comes with
   HEADS, INDEX and DELTAS; ARRIVED gives every delta. */
enum load_kind {
    /* log, value = origin, end, lamport, hash: each log's head, in order of arrival of its first */
    LOAD_HEADS,
    /* log, end, lamport, hash of every delta: log after log as above, ascending by end */
    LOAD_INDEX,
    /* key, value; ascending by key */
    LOAD_RECORDS,
    /* note, value = meta; ascending by note id */
    LOAD_NOTES,
    /* one row: note, value = stored form; no row when there is none. Input: note */
    LOAD_NOTE,
    /* arrival, value = bytes of deltas of `log` that end after `from`, ascending by end. Input:
       log, from, max_bytes */
    LOAD_DELTAS,
    /* arrival, value = bytes of deltas with an arrival number > from, ascending. Input: from,
       max_bytes */
    LOAD_ARRIVED,
};

struct load {
    enum load_kind kind;
    uint64_t id; /* chosen by the node; comes back with the answer */
    uint8_t log[LOG_ID_BYTES];
    uint8_t note[NOTE_ID_BYTES];
    uint64_t from;
    size_t max_bytes;
};

/* One row; which fields are set stands at enum load_kind. */
struct load_row {
    uint8_t log[LOG_ID_BYTES];
    uint8_t note[NOTE_ID_BYTES];
    uint64_t end, lamport, arrival;
    uint8_t hash[HASH_BYTES];
    struct slice key, value; /* value: also the bytes of a delta, the origin of a head */
};

#endif
