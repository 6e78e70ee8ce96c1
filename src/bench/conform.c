/* conform.c - replays conformance cases: every case must end in the text that it names. */
#include <stdio.h>
#include <stdlib.h>

#include "bench/bench.h"
#include "bench/trace_file.h"

struct count {
    long passed, failed;
};

/* Replays a trace's runs. Returns an error of the text layer; then *out is not set. */
static int replay(const struct trace *trace, char **out, size_t *len)
{
    struct rapport_text *t;
    int error = rapport_text_create(&t);
    if (error)
        return error;
    for (size_t i = 0; i < trace->n_runs && !error; i++)
        error = rapport_text_add(t, &trace->runs[i]);
    if (!error)
        error = rapport_text_merge(t);
    if (!error)
        error = rapport_text_copy(t, 0, SIZE_MAX, out, len);
    rapport_text_destroy(t);
    return error;
}

static int check(const struct trace *trace, void *user)
{
    struct count *count = user;
    char *text = NULL;
    size_t len = 0;
    int error = replay(trace, &text, &len);
    if (!error && slice_equal(slice_of(text, len), trace->end)) {
        count->passed++;
    } else {
        count->failed++;
        printf("%ld\n", trace->number);
        fprintf(stderr, "case %ld: %s: \"%.*s\" instead of \"%.*s\"\n", trace->number,
                error ? rapport_strerror(error) : "another text", (int)len, text ? text : "",
                (int)trace->end.len, (const char *)trace->end.ptr);
    }
    free(text);
    return 0;
}

int bench_conform(int argc, char **argv)
{
    struct count count = {0};
    if (argc < 2) {
        fprintf(stderr, "usage: rapport-bench conform FILE...\n");
        return 2;
    }
    for (int i = 1; i < argc; i++)
        if (trace_read(argv[i], check, &count))
            return 1;
    printf("%ld passed, %ld failed\n", count.passed, count.failed);
    return count.failed ? 1 : 0;
}
