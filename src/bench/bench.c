/*
 * bench.c - the main of rapport-bench: one table of sub-commands. Figures go to stdout, as JSON
 * lines or as a count in the last line; all else goes to stderr.
 */
#include "bench/bench.h"

#include <stdio.h>
#include <string.h>

#include "bench/noise.h"

struct command {
    const char *name, *help;
    int (*run)(int argc, char **argv);
};

static const struct command commands[] = {
    {"text", "FILE...: replay editing traces, one JSON line each", bench_text},
    {"text-open", "FILE: open one stored text and print memory and time", bench_text_open},
    {"conform", "FILE...: replay conformance cases", bench_conform},
    {"sync", "--events N [--edits N] [--idle S]: two processes over loopback", bench_sync},
    {"open", "DIR: open a report and show one note", bench_open},
    {"make", "DIR --notes N --events N: write a report of that size", bench_make},
    {"noise", "FILE...: replay Noise vectors", bench_noise},
    {"fuzz-text", "--graphs N --seed S: random graphs against a plain model", bench_fuzz_text},
};

enum {
    N_COMMANDS = sizeof commands / sizeof *commands
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < N_COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    fprintf(stderr, "usage: rapport-bench COMMAND ...\n");
    for (size_t i = 0; i < N_COMMANDS; i++)
        fprintf(stderr, "  %-10s %s\n", commands[i].name, commands[i].help);
    return 2;
}
