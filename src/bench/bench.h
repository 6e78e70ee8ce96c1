/*
 * bench.h - the sub-commands of rapport-bench. Each takes its own arguments (argv[0] is its name)
 * and returns the exit status: 0 done, 1 failed, 2 usage.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

int bench_text(int argc, char **argv);
int bench_text_open(int argc, char **argv);
int bench_conform(int argc, char **argv);
int bench_fuzz_text(int argc, char **argv);

#endif
