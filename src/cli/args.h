/*
 * args.h - the words of a command line against the table of commands: long and short options in any
 * order, `--option=value`, bundled letters, `--` before operands that begin with a dash.
 *
 * Strings are borrowed from argv. What a person typed wrongly is a sentence in `why`, never more.
 */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include "base/buf.h"
#include "cli/command.h"

struct args {
    const struct command *command; /* NULL: none was named */
    const char *word;              /* that named it as typed, for messages; NULL: none */
    const char **operands;
    size_t n_operands;
    struct given {
        const struct option *option; /* NULL: unused */
        const char *values[COMMAND_MOST_VALUES];
        size_t n; /* flags too */
    } given[COMMAND_MOST_OPTIONS];
};

/*
 * Parses argv[1] and on. Returns 0 or RAPPORT_INVALID with a sentence in `why`; then what was
 * understood so far stands in *out (whether --help was asked for, the command). RAPPORT_NOMEM.
 * Free with args_clear in any case.
 */
int args_parse(int argc, char **argv, struct args *out, struct buf *why);
/* Frees what args_parse made; it may be called again. */
void args_clear(struct args *a);

/* True when the option was given. `name` must be one of the command or a common one. */
bool args_has(const struct args *a, const char *name);

/* The value given last, or NULL. */
const char *args_value(const struct args *a, const char *name);

/* All values of an option, *n of them. */
const char *const *args_values(const struct args *a, const char *name, size_t *n);

/* The number or the seconds of an option; `fallback` when it was not given. */
uint64_t args_number(const struct args *a, const char *name, uint64_t fallback);

/* The i-th operand, or NULL. */
const char *args_operand(const struct args *a, size_t i);

/* Reads "90", "90s", "15m", "12h", "2d" or "1w" as seconds. Returns 0 or RAPPORT_INVALID. */
int args_duration(const char *text, uint64_t *seconds);

#endif
