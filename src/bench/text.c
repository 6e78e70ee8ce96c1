/*
 * text.c - times the text layer on editing traces; one JSON line each. Every figure is the median
 * of RUNS runs in this process; memory is measured in a fresh process that only opens the stored
 * text.
 *
 * local: the edits of a trace typed one by one (for concurrent traces, the changes that merging
 * reported). merge: all runs added and merged at once. load: stored bytes to text. edit_us: mean of
 * the first 1,000 edits after a load.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/utf8.h"
#include "bench/bench.h"
#include "bench/trace_file.h"

enum {
    RUNS = 5,
    FIRST_EDITS = 1000
};

struct edits {
    struct rapport_text_edit *items;
    size_t n, cap;
    struct arena arena;
};

static double now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values)
{
    qsort(values, RUNS, sizeof *values, compare_doubles);
    return values[RUNS / 2];
}

static void must(int error, const char *what)
{
    if (!error)
        return;
    fprintf(stderr, "rapport-bench: %s: %s\n", what, rapport_strerror(error));
    exit(1);
}

static void *have(void *p)
{
    must(p ? 0 : RAPPORT_NOMEM, "bench");
    return p;
}

static struct rapport_text *merge_all(const struct trace *trace)
{
    struct rapport_text *t;
    must(rapport_text_create(&t), "create");
    for (size_t i = 0; i < trace->n_runs; i++)
        must(rapport_text_add(t, &trace->runs[i]), "add");
    must(rapport_text_merge(t), "merge");
    return t;
}

static bool text_is(const struct rapport_text *t, struct slice want)
{
    char *text;
    size_t len;
    must(rapport_text_copy(t, 0, SIZE_MAX, &text, &len), "copy");
    bool same = slice_equal(slice_of(text, len), want);
    free(text);
    return same;
}

/* Types the edits from number `from` on, at most n; returns their number. */
static size_t type_edits(struct rapport_text *t, const struct edits *edits, size_t from, size_t n,
                         uint64_t seq)
{
    struct rapport_text_id id = {(const uint8_t *)"local typist", 12, seq};
    size_t end = n < edits->n - from ? from + n : edits->n;
    for (size_t i = from; i < end; i++) {
        const struct rapport_text_edit *e = &edits->items[i];
        if (e->n_deleted)
            must(rapport_text_delete(t, id, e->pos, e->n_deleted), "delete");
        id.seq += e->n_deleted;
        if (e->text_len)
            must(rapport_text_insert(t, id, e->pos, e->text, e->text_len), "insert");
        id.seq += utf8_count(slice_of(e->text, e->text_len));
    }
    return end - from;
}

/* What is typed: the trace's own edits, or what merging it changed. */
static void collect_edits(const struct trace *trace, struct edits *out)
{
    struct rapport_text_edit edit;
    if (trace->edits) {
        *out = (struct edits){.items = trace->edits, .n = trace->n_edits};
        return;
    }
    struct rapport_text *t = merge_all(trace);
    while (rapport_text_next_change(t, &edit)) {
        if (out->n == out->cap) {
            out->cap = out->cap ? out->cap * 2 : 1024;
            out->items = have(realloc(out->items, out->cap * sizeof *out->items));
        }
        edit.text = have(arena_copy(&out->arena, edit.text, edit.text_len));
        out->items[out->n++] = edit;
    }
    rapport_text_destroy(t);
}

static double time_local(const struct trace *trace, const struct edits *edits, bool *ok)
{
    double times[RUNS];
    for (int i = 0; i < RUNS; i++) {
        struct rapport_text *t;
        double start = now_ms();
        must(rapport_text_create(&t), "create");
        type_edits(t, edits, 0, SIZE_MAX, 0);
        times[i] = now_ms() - start;
        *ok = *ok && text_is(t, trace->end);
        rapport_text_destroy(t);
    }
    return median(times);
}

static double time_merge(const struct trace *trace, uint8_t **bytes, size_t *len, bool *ok)
{
    double times[RUNS];
    for (int i = 0; i < RUNS; i++) {
        double start = now_ms();
        struct rapport_text *t = merge_all(trace);
        times[i] = now_ms() - start;
        *ok = *ok && text_is(t, trace->end);
        if (i == 0)
            must(rapport_text_save(t, bytes, len), "save");
        rapport_text_destroy(t);
    }
    return median(times);
}

static double time_load(const struct trace *trace, const uint8_t *bytes, size_t len,
                        const struct edits *edits, double *edit_us, bool *ok)
{
    double times[RUNS], edit_times[RUNS];
    for (int i = 0; i < RUNS; i++) {
        struct rapport_text *t;
        double start = now_ms();
        must(rapport_text_load(bytes, len, &t), "load");
        times[i] = now_ms() - start;
        *ok = *ok && text_is(t, trace->end);
        start = now_ms();
        size_t n = type_edits(t, edits, 0, FIRST_EDITS, UINT64_C(1) << 40);
        edit_times[i] = (now_ms() - start) * 1e3 / (double)(n ? n : 1);
        rapport_text_destroy(t);
    }
    *edit_us = median(edit_times);
    return median(times);
}

/* Runs this program's text-open on the stored bytes and reads the memory that it prints. */
static long measure_memory(const uint8_t *bytes, size_t len)
{
    char path[] = "/tmp/rapport-bench-XXXXXX", command[256];
    long rss_kb = -1;
    int fd = mkstemp(path);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "wb");
    if (!f)
        return -1;
    bool written = fwrite(bytes, 1, len, f) == len;
    written = fclose(f) == 0 && written;
    char self[128];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (written && n > 0) {
        self[n] = 0;
        snprintf(command, sizeof command, "'%s' text-open %s", self, path);
        FILE *child = popen(command, "r");
        if (child && fscanf(child, "{\"rss_kb\":%ld", &rss_kb) != 1)
            rss_kb = -1;
        if (child)
            pclose(child);
    }
    unlink(path);
    return rss_kb;
}

static int measure(const struct trace *trace, void *user)
{
    bool *all_ok = user, ok = true;
    struct edits edits = {.arena = ARENA_INIT};
    uint8_t *bytes = NULL;
    size_t len = 0;
    double edit_us;
    collect_edits(trace, &edits);
    double local_ms = time_local(trace, &edits, &ok);
    double merge_ms = time_merge(trace, &bytes, &len, &ok);
    double load_ms = time_load(trace, bytes, len, &edits, &edit_us, &ok);
    long rss_kb = measure_memory(bytes, len);
    printf("{\"trace\":\"%s\",\"events\":%zu,\"local_ms\":%.3f,\"merge_ms\":%.3f,"
           "\"load_ms\":%.3f,\"edit_us\":%.3f,\"bytes\":%zu,\"rss_kb\":%ld,\"text_ok\":%s}\n",
           trace->name, trace->n_events, local_ms, merge_ms, load_ms, edit_us, len, rss_kb,
           ok ? "true" : "false");
    fflush(stdout);
    *all_ok = *all_ok && ok;
    if (!trace->edits)
        free(edits.items);
    arena_clear(&edits.arena);
    free(bytes);
    return 0;
}

int bench_text(int argc, char **argv)
{
    bool all_ok = true;
    if (argc < 2) {
        fprintf(stderr, "usage: rapport-bench text FILE...\n");
        return 2;
    }
    for (int i = 1; i < argc; i++)
        if (trace_read(argv[i], measure, &all_ok))
            return 1;
    return all_ok ? 0 : 1;
}

static long peak_kb(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    long kb = -1;
    while (f && fgets(line, sizeof line, f))
        sscanf(line, "VmHWM: %ld kB", &kb);
    if (f)
        fclose(f);
    return kb;
}

/* Opens one stored text: the peak memory of the process, what of it opening added, and the time. */
int bench_text_open(int argc, char **argv)
{
    FILE *f = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (!f || fseek(f, 0, SEEK_END)) {
        fprintf(stderr, "usage: rapport-bench text-open FILE\n");
        return 2;
    }
    long size = ftell(f);
    rewind(f);
    long before = peak_kb();
    double start = now_ms();
    uint8_t *bytes = have(malloc((size_t)size + 1));
    if (fread(bytes, 1, (size_t)size, f) != (size_t)size)
        must(RAPPORT_IO, argv[1]);
    fclose(f);
    struct rapport_text *t;
    must(rapport_text_load(bytes, (size_t)size, &t), argv[1]);
    free(bytes);
    double ms = now_ms() - start;
    long after = peak_kb();
    printf("{\"rss_kb\":%ld,\"added_kb\":%ld,\"ms\":%.3f,\"length\":%zu}\n", after, after - before,
           ms, rapport_text_length(t));
    rapport_text_destroy(t);
    return 0;
}
