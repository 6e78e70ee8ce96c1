/*
 * person.c - see person.h. The mix is that of a talk's notes: nine edits in ten are typed runs of a
 * word to a sentence, then cuts of what was just written, pastes of a paragraph, and a jump of the
 * cursor now and then.
 */
#include "bench/person.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"

static const char *const words[] = {
    "the",      "kernel", "we",   "talk",   "sync",     "and",   "a",         "note",    "of",
    "speaker",  "says",   "that", "peers",  "merge",    "their", "text",      "café",    "Zürich",
    "slides",   "are",    "on",   "line",   "**bold**", "see",   "[[later]]", "#fosdem", "why",
    "100",      "ms",     "is",   "fast",   "enough",   "for",   "people",    "`code`",  "→",
    "question", "from",   "room", "H.1308", "answer",   "maybe", "next",      "year",    "naïve",
};

enum {
    N_WORDS = sizeof words / sizeof *words
};

static uint64_t next(struct person *p)
{
    uint64_t z = (p->state += UINT64_C(0x9e3779b97f4a7c15)); /* SplitMix64 */
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t person_draw(struct person *p, uint64_t n)
{
    return next(p) % n;
}

int person_init(struct person *p, uint64_t seed, size_t most_notes, uint64_t events)
{
    *p = (struct person){.state = seed, .most_notes = most_notes ? most_notes : 1};
    p->per_note = events * 3 / 5 / p->most_notes; /* the rest is for coming back */
    p->in_note = p->per_note;
    p->notes = calloc(p->most_notes, sizeof *p->notes);
    return p->notes ? 0 : RAPPORT_NOMEM;
}

void person_clear(struct person *p)
{
    free(p->notes);
    buf_clear(&p->text);
    *p = (struct person){0};
}

size_t person_words(struct person *p, size_t n, struct buf *out)
{
    size_t length = 0;
    while (length < n) {
        const char *word = words[person_draw(p, N_WORDS)];
        uint64_t end = person_draw(p, 60);
        buf_append_str(out, word);
        buf_append_str(out, end == 0 ? ".\n\n" : end < 4 ? "\n- " : " ");
        length += utf8_count(slice_str(word)) + (end < 4 ? 3 : 1);
    }
    return length;
}

static void new_note(struct person *p)
{
    struct person_note *n = &p->notes[p->n_notes];
    for (size_t i = 0; i < sizeof n->id; i += 8) {
        uint64_t r = next(p);
        memcpy(n->id + i, &r, 8);
    }
    snprintf(p->path, sizeof p->path, "notes/talk-%05zu.md", p->n_notes);
    buf_printf(&p->text, "# Talk number %zu\n\n", p->n_notes);
    n->length = n->cursor = p->text.len;
    p->edit.kind = RAPPORT_EDIT_NEW;
    p->edit.path = p->path;
    p->at = p->n_notes++;
    p->in_note = 0;
}

static void type(struct person *p, struct person_note *n, size_t length)
{
    length = person_words(p, length, &p->text);
    p->edit.pos = n->cursor;
    n->cursor += length;
    n->length += length;
    p->in_note += length;
}

static void cut(struct person *p, struct person_note *n, size_t length)
{
    if (length > n->cursor)
        length = n->cursor;
    n->cursor -= length;
    n->length -= length;
    p->edit.pos = n->cursor;
    p->edit.n_deleted = length;
    p->in_note += length;
}

static void splice(struct person *p)
{
    struct person_note *n = &p->notes[p->at];
    uint64_t what = person_draw(p, 100);
    p->edit.kind = RAPPORT_EDIT_SPLICE;
    if (what < 8)
        n->cursor = (size_t)person_draw(p, n->length + 1);
    else if (what < 20)
        n->cursor = n->length;
    if (what >= 92 && n->cursor)
        cut(p, n, (size_t)(1 + person_draw(p, what == 99 ? 200 : 12)));
    else
        type(p, n, (size_t)(what >= 90 ? 100 + person_draw(p, 400) : 1 + person_draw(p, 40)));
}

static void turn_to(struct person *p, size_t note)
{
    if (p->in_note >= p->per_note)
        p->in_note = 0;
    p->at = note;
}

const struct rapport_edit *person_next(struct person *p)
{
    buf_reset(&p->text);
    p->edit = (struct rapport_edit){0};
    if (p->in_note >= p->per_note && p->n_notes < p->most_notes) {
        new_note(p);
    } else {
        if (p->in_note >= p->per_note || person_draw(p, 200) == 0)
            turn_to(p, (size_t)person_draw(p, p->n_notes));
        uint64_t before = p->in_note;
        splice(p);
        p->n_events += p->in_note - before;
    }
    if (buf_error(&p->text))
        return NULL;
    p->edit.note = p->notes[p->at].id;
    p->edit.text = (const char *)p->text.ptr;
    p->edit.text_len = p->text.len;
    return &p->edit;
}
