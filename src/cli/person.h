/*
 * person.h - what comes from the person at the keyboard: answers, text on stdin, files, the editor.
 */
#ifndef CLI_PERSON_H
#define CLI_PERSON_H

#include "cli/cli.h"

enum {
    PERSON_MOST_ANSWER = 256,
    PERSON_MOST_INPUT = 32 << 20, /* bytes of a schedule or a jot; larger ones are refused */
};

/* Asks for one line on the terminal, "question [fallback]: ". An empty answer is the fallback.
   Returns 0, RAPPORT_CLOSED at the end of input, or RAPPORT_NOMEM. */
int person_ask(const char *question, const char *fallback, struct buf *answer);

/* Reads a file, or stdin for "-", as a whole. Returns 0 or the exit code, having said why. */
int person_read(const struct cli *cli, const char *path, struct buf *out);

/* Runs $VISUAL, else $EDITOR (with arguments), else vi on a file and waits for its end. Returns 0
   or CLI_FAILED, having said why; the file stays as the editor left it. */
int person_edit(const struct cli *cli, const char *file);

/* The name of the person for a new device: that of --name, or NULL where this device has one
   already; else asked for, where there is somebody to ask. */
int person_name(const struct cli *cli, struct buf *out, const char **name);

#endif
