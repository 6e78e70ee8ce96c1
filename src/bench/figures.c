/*
 * figures.c - see figures.h.
 */
#include "bench/figures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rapport/error.h"

const char *option_word(int argc, char **argv, const char *name, const char *fallback)
{
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return argv[i + 1];
    return fallback;
}

uint64_t option_number(int argc, char **argv, const char *name, uint64_t fallback)
{
    const char *word = option_word(argc, argv, name, NULL);
    return word ? strtoull(word, NULL, 10) : fallback;
}

double figure_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

long figure_rss_kb(bool peak)
{
    const char *key = peak ? "VmHWM:" : "VmRSS:";
    char line[128];
    long kb = -1;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, key, strlen(key)) == 0)
            kb = strtol(line + strlen(key), NULL, 10);
    if (f)
        (void)fclose(f);
    return kb;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double figure_percentile(double *values, size_t n, double part)
{
    if (!n)
        return 0;
    qsort(values, n, sizeof *values, compare);
    size_t at = (size_t)((double)n * part);
    return values[at < n ? at : n - 1];
}

void must(int error, const char *what)
{
    if (!error)
        return;
    fprintf(stderr, "rapport-bench: %s: %s\n", what, rapport_strerror(error));
    exit(1);
}
