/*
 * figures.h - what the sub-commands share: options, clocks, memory, percentiles.
 */
#ifndef BENCH_FIGURES_H
#define BENCH_FIGURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The number behind option `name`, else `fallback`. */
uint64_t option_number(int argc, char **argv, const char *name, uint64_t fallback);
/* The word behind option `name`, else `fallback`. */
const char *option_word(int argc, char **argv, const char *name, const char *fallback);

/* Milliseconds of CLOCK_MONOTONIC, the same in every process of this machine. */
double figure_ms(void);
/* Memory of this process in KiB: now, or the most it ever was; -1 where /proc does not tell. */
long figure_rss_kb(bool peak);
/* The value below which `part` (0 to 1) of the n values lie; sorts them. 0 for none. */
double figure_percentile(double *values, size_t n, double part);

/* Ends the program with status 1 and a sentence when `error` is not 0. */
void must(int error, const char *what);

#endif
