/*
 * person.h - somebody who takes notes, drawn from a seed: notes one after another, typed in short
 * runs at a cursor, with slips taken back, pastes, cuts and returns to older notes.
 */
#ifndef BENCH_PERSON_H
#define BENCH_PERSON_H

#include "base/buf.h"
#include "rapport/rapport.h"

struct person_note {
    uint8_t id[RAPPORT_NOTE_ID_BYTES];
    size_t length, cursor; /* code points */
};

struct person {
    uint64_t state; /* of the generator */
    struct person_note *notes;
    size_t n_notes, most_notes, at; /* at: the note under the hand */
    uint64_t per_note;              /* events until the hand moves on */
    uint64_t in_note, n_events;
    struct buf text;
    char path[40];
    struct rapport_edit edit;
};

/* Somebody who makes `most_notes` notes while making `events` events. Returns 0 or
   RAPPORT_NOMEM. */
int person_init(struct person *p, uint64_t seed, size_t most_notes, uint64_t events);
/* Frees what it holds. */
void person_clear(struct person *p);

/* A number below `n`. */
uint64_t person_draw(struct person *p, uint64_t n);

/* The next edit; valid until the next call, which takes it as carried out. NULL when out of
   memory. */
const struct rapport_edit *person_next(struct person *p);

/* Words, `n` code points or a few more, into `out`. Returns their number. */
size_t person_words(struct person *p, size_t n, struct buf *out);

#endif
