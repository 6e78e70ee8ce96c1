/*
 * fuzz_text.c - the text layer on bytes from outside.
 *
 * First byte even: the rest is a stored text. What loads must take edits, merge, give older
 * versions, and be stored again. First byte odd: the rest is a program of runs and merges over a
 * few agents. Held: two ways of taking the same events end in one text.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/reader.h"
#include "rapport/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    MOST_STEPS = 200,
    MOST_RUN = 8
};

static const uint8_t agents[4][1] = {{'a'}, {'b'}, {0}, {0xff}};

static struct rapport_text_id read_id(struct reader *r)
{
    uint8_t byte = reader_u8(r);
    return (struct rapport_text_id){agents[byte & 3], 1, byte >> 2};
}

/* A run with up to two parents from the bytes; `parents` is room for them. */
static struct rapport_text_run read_run(struct reader *r, struct rapport_text_id *parents)
{
    static const char text[] = "ab\xc3\xa9"
                               "cd\xf0\x9f\x98\x80";
    static const size_t lens[] = {0, 1, 2, 4, 5, 6, 10};
    uint8_t head = reader_u8(r);
    struct rapport_text_run run = {.id = read_id(r), .parents = parents, .n_parents = head >> 6};
    run.n_parents = run.n_parents > 2 ? 1 : run.n_parents;
    for (size_t i = 0; i < run.n_parents; i++)
        parents[i] = read_id(r);
    run.pos = reader_u8(r) % 32;
    run.n_events = 1 + head % 6;
    run.kind = head & 8 ? RAPPORT_TEXT_DELETE : RAPPORT_TEXT_INSERT;
    run.backward = (head & 24) == 24 && run.pos + 1 >= run.n_events;
    run.text = text;
    run.text_len = run.kind == RAPPORT_TEXT_INSERT ? lens[run.n_events] : 0;
    return run;
}

static void check_same(const struct rapport_text *a, const struct rapport_text *b)
{
    char *x = NULL, *y = NULL;
    size_t x_len = 0, y_len = 0;
    if (rapport_text_copy(a, 0, SIZE_MAX, &x, &x_len) == 0 &&
        rapport_text_copy(b, 0, SIZE_MAX, &y, &y_len) == 0)
        assert(x_len == y_len && memcmp(x, y, x_len) == 0);
    free(x);
    free(y);
}

/* One note merges at the end, the other whenever the program says so. */
static void run_program(struct reader *r, struct rapport_text *late, struct rapport_text *live)
{
    for (int i = 0; i < MOST_STEPS && r->rest.len && !r->error; i++) {
        struct rapport_text_id parents[3];
        struct rapport_text_run run = read_run(r, parents);
        int error = rapport_text_add(late, &run);
        assert(rapport_text_add(live, &run) == error);
        if (i % 3 == 0 || error)
            assert(rapport_text_merge(live) == 0);
    }
    assert(rapport_text_merge(late) == 0 && rapport_text_merge(live) == 0);
    check_same(late, live);
}

static void use(struct rapport_text *t)
{
    struct rapport_text_id heads[8], parents[3];
    static const uint8_t bytes[] = {0x41, 0xfc, 0x00, 0x03, 0x08, 0xf8, 0x02, 0x0b, 0x85, 0xf1};
    struct reader r = reader_of(slice_of(bytes, sizeof bytes));
    char *text;
    size_t len, n = rapport_text_version(t, heads, 8);
    if (n <= 8 && rapport_text_n_events(t) < 100000 &&
        rapport_text_at(t, heads, n, &text, &len) == 0)
        free(text);
    while (r.rest.len && !r.error) {
        struct rapport_text_run run = read_run(&r, parents);
        run.n_parents = 0;
        rapport_text_add(t, &run);
    }
    assert(rapport_text_merge(t) == 0);
    uint8_t *stored;
    struct rapport_text *again;
    assert(rapport_text_save(t, &stored, &len) == 0);
    assert(rapport_text_load(stored, len, &again) == 0);
    check_same(t, again);
    rapport_text_destroy(again);
    free(stored);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader r = reader_of(slice_of(data, size));
    struct rapport_text *t, *live;
    if (reader_u8(&r) % 2 == 0) {
        if (rapport_text_load(r.rest.ptr, r.rest.len, &t) == 0) {
            use(t);
            rapport_text_destroy(t);
        }
        return 0;
    }
    if (rapport_text_create(&t) == 0) {
        if (rapport_text_create(&live) == 0) {
            run_program(&r, t, live);
            rapport_text_destroy(live);
        }
        rapport_text_destroy(t);
    }
    return 0;
}
