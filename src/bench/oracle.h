/*
 * oracle.h - FugueMax as its definition has it, for small graphs: the model that the text layer is
 * compared with, and nothing shared with it.
 *
 * Characters form a tree (Weidner & Kleppmann, "The Art of the Fugue", FugueMax): a new character
 * is a left child of its right origin if that descends from its left origin, else a right child of
 * its left origin. Left siblings stand by id, right siblings by right origin, the furthest first,
 * then by id. Each event's past is a whole set of bits, each text a walk over the whole tree.
 */
#ifndef BENCH_ORACLE_H
#define BENCH_ORACLE_H

#include "base/slice.h"

enum {
    ORACLE_EVENTS = 192
};

/* A set of events, by index. */
struct oracle_set {
    uint64_t words[ORACLE_EVENTS / 64];
};

struct oracle_event {
    struct slice agent;
    uint64_t seq;
    struct oracle_set past; /* without itself */
    bool insert;
    size_t pos;
    uint32_t character; /* code point of an insert */
};

struct oracle_item {
    struct oracle_set deleters;
    int parent, right; /* event indices; -1: the root, the end */
    bool is_left;
};

struct oracle {
    struct oracle_event events[ORACLE_EVENTS];
    struct oracle_item items[ORACLE_EVENTS];
    int n_events;
    int order[ORACLE_EVENTS], n_order; /* all characters, deleted ones too */
    int places[ORACLE_EVENTS];         /* of each character in order */
};

static inline bool oracle_in(const struct oracle_set *s, int event)
{
    return s->words[event / 64] >> (event % 64) & 1;
}

static inline void oracle_put(struct oracle_set *s, int event)
{
    s->words[event / 64] |= UINT64_C(1) << (event % 64);
}

/* Adds events[n_events], which the caller has filled in. */
void oracle_add(struct oracle *o);
/* The characters at a version given as the set of all its events; returns their number. */
size_t oracle_text(const struct oracle *o, const struct oracle_set *version,
                   uint32_t text[ORACLE_EVENTS]);

#endif
