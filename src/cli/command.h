/*
 * command.h - the table of commands: everything that is known about a verb before it runs. Parsing
 * and help come from it, and completion and manual pages can; a verb is added by one row and one
 * function.
 *
 * Texts are ASCII, without line breaks but where `more` begins a paragraph, and are wrapped by the
 * help. A command of two words ("schedule import") is found by both.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cli;

enum option_kind {
    OPTION_FLAG,     /* takes no value */
    OPTION_TEXT,     /* any value but an empty one */
    OPTION_NUMBER,   /* least to most */
    OPTION_DURATION, /* "90", "90s", "15m", "12h", "2d", "1w": seconds, least to most */
    OPTION_CHOICE,   /* one of the words of `value`, which are joined by '|' */
};

struct option {
    const char *name; /* without the dashes */
    char letter;      /* 0: none */
    enum option_kind kind;
    bool many;         /* may be given more than once */
    const char *value; /* what stands for the value in help; NULL for a flag */
    const char *help;
    uint64_t least, most;
};

struct example {
    const char *line; /* as typed */
    const char *what;
};

struct command {
    const char *name;
    const char *operands; /* "TICKET [DIR]"; "" for none */
    size_t least, most;   /* how many of them */
    const char *summary;
    const struct option *options;   /* up to the one without a name; NULL: none of its own */
    const struct example *examples; /* up to the one without a line; at least one */
    const char *more;               /* paragraphs; NULL: none */
    int (*run)(struct cli *cli);    /* returns the exit code */
};

enum {
    COMMAND_MOST_OPTIONS = 16, /* of a command and the common ones together */
    COMMAND_MOST_VALUES = 8,   /* of one option that may be given more than once */
};

/* The commands in the order of the help, *n rows. */
const struct command *command_table(size_t *n);

/* The options that every command takes, up to the one without a name. */
const struct option *command_common(void);

/* The command of that name ("ls", "schedule import"), or NULL. */
const struct command *command_find(const char *name);

/* True when commands of two words begin with this one ("schedule"). */
bool command_is_group(const char *word);

/* True for the name of a command that a later version brings. */
bool command_is_later(const char *name);

/* The name of a command (or its first word) that was probably meant, or NULL. */
const char *command_guess(const char *word);

/* How many letters must be typed, dropped, changed or swapped to get from one word to the other; at
   least `most` + 1 where it is more than `most`. */
size_t command_distance(const char *a, const char *b, size_t most);

#endif
