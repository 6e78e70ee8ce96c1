/*
 * trace_file.h - editing traces from files: JSON, plain or gzip'd.
 *
 * Three forms, told apart by their keys: sequential (startContent), concurrent (kind, numAgents)
 * and raw (txns with span), the last also one case a line. All become runs of events ready for
 * rapport_text_add, in file order, and, for sequential ones, edits ready for typing.
 */
#ifndef BENCH_TRACE_FILE_H
#define BENCH_TRACE_FILE_H

#include "base/arena.h"
#include "rapport/text.h"

struct trace {
    char name[128];
    long number; /* `case`, or the line in the file from 0 */
    struct rapport_text_run *runs;
    size_t n_runs;
    struct rapport_text_edit *edits; /* sequential form only, else NULL */
    size_t n_edits;
    size_t n_events;
    struct slice end; /* the text that it must end in */
    struct arena arena;
};

/* Reads every case of a file and calls `each` with it; stops at the first that returns not 0.
 * Returns that, or 1 after a message on stderr when the file cannot be read. */
int trace_read(const char *path, int (*each)(const struct trace *trace, void *user), void *user);

#endif
