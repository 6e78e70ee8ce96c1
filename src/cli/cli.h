/*
 * cli.h - what every verb has: the parsed command line, what kind of terminal is there, and output.
 *
 * Data is gathered in `out` and goes to stdout in one piece (cli_flush; cli_end does it too); all
 * else goes to stderr as it comes. Text of peers is shown through utf8_printable, but for a note
 * that goes to a pipe, which is its bytes.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "base/buf.h"
#include "base/span.h"
#include "cli/args.h"

/* Exit codes: docs of the command line, the same as in host/ops.h. */
enum cli_exit {
    CLI_DONE = 0,
    CLI_FAILED = 1,
    CLI_USAGE = 2,
    CLI_ATTENTION = 3,
    CLI_NOT_FOUND = 4,
    CLI_NO_PEER = 5,
    CLI_BAD_DATA = 65,
    CLI_INTERRUPTED = 130,
};

struct cli {
    struct args args;
    struct buf out;
    bool json, quiet, verbose;
    bool in_terminal, out_terminal, err_terminal;
    bool asks;   /* there is a person who can be asked, and may be */
    bool colour; /* on stdout */
};

enum cli_style {
    STYLE_PLAIN,
    STYLE_STRONG,
    STYLE_FAINT,
    STYLE_GOOD,
    STYLE_BAD,
};

/* Looks at the terminal, the environment and the common options, and goes to the folder of -C.
   Returns 0 or the exit code, having said why. */
int cli_start(struct cli *cli);

/* Writes out what is gathered and frees everything. Returns `code`, or CLI_FAILED when stdout
   could not take it; a reader that has gone ends the process quietly, as SIGPIPE does. */
int cli_end(struct cli *cli, int code);

/* Writes out what is gathered so far. Returns 0 or CLI_FAILED, having said why. */
int cli_flush(struct cli *cli);

/* Says one line on stderr, printf; not with -q. */
void cli_say(const struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Says on stderr what failed: "rapport VERB: ...". Returns `code`. Control characters of arguments
   are shown, not obeyed. */
int cli_fail(const struct cli *cli, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for a wrong use; adds where help is. Returns CLI_USAGE. */
int cli_misused(const struct cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Appends text of any origin to stdout's as one line that a terminal cannot be tricked with. */
void cli_put(struct cli *cli, struct slice text);

/* Appends printf text of our own, in a style where there are colours. */
void cli_print(struct cli *cli, enum cli_style style, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Columns of the terminal on stdout; SIZE_MAX when it is none. */
size_t cli_columns(const struct cli *cli);

/* ---- tables ---- */

enum {
    TABLE_MOST_COLUMNS = 8
};

/* Rows of text, shown in aligned columns; the last column of a row may be cut to the terminal. */
struct table {
    struct buf cells; /* each with a NUL behind it, made printable */
    size_t n_columns, n_cells;
};

/* Adds a cell; rows fill up from the left. */
void table_put(struct table *t, struct slice text);
/* Adds a cell of our own text. */
void table_print(struct table *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Appends the table to stdout's, the first row as its heading, and frees it. */
void table_end(struct table *t, struct cli *cli);

/* ---- words ---- */

/* Writes a time (ms since 1970) in the local zone, "2023-02-04 14:30", "-" for 0. */
const char *time_text(uint64_t wall_ms, char out[32]);

/* The wall clock, ms since 1970. */
uint64_t wall_now(void);

/* Writes how long ago a time was: "just now", "5 min ago"; "-" for 0. */
const char *age_text(uint64_t wall_ms, char out[32]);

/* "1 note", "2 notes" */
const char *plural(uint64_t n, const char *one, const char *many);

/* Appends `path` as an absolute one, without symlinks and dots as far as it exists but for its last
   name. Returns 0, RAPPORT_NOTFOUND (its folder is not there), RAPPORT_IO or RAPPORT_NOMEM. */
int absolute_path(const char *path, struct buf *out);

#endif
