/*
 * bench.h - the sub-commands of rapport-bench. Each takes its own arguments (argv[0] is its name)
 * and returns the exit status: 0 done, 1 failed, 2 usage.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

/* `text FILE...`: times editing traces, one JSON line each. */
int bench_text(int argc, char **argv);
/* `text-open FILE`: opens one stored text and prints memory and time as JSON. */
int bench_text_open(int argc, char **argv);
/* `conform FILE...`: replays conformance cases, prints failing ones and the count. */
int bench_conform(int argc, char **argv);
/* `fuzz-text [--graphs N] [--seed S]`: random graphs against the model, prints the count. */
/* sync.c */
int bench_sync(int argc, char **argv);
/* open.c */
int bench_open(int argc, char **argv);
/* make.c */
int bench_make(int argc, char **argv);
/* fuzz_text.c */
int bench_fuzz_text(int argc, char **argv);

#endif
