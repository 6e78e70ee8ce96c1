/*
 * help.c - help from the table of commands: examples first, at most 80 columns.
 */
#include <stdio.h>
#include <string.h>

#include "cli/message.h"
#include "cli/verbs.h"
#include "rapport/version.h"

enum {
    HELP_COLUMNS = 80,
    HELP_NAME_WIDTH = 17,   /* of the column of verbs */
    HELP_OPTION_WIDTH = 26, /* of the column of options */
};

/* Appends words from column `at`, on from column `indent` in further lines; ends the line. */
static void put_wrapped(struct cli *cli, const char *text, size_t at, size_t indent)
{
    size_t column = at;
    while (*text) {
        size_t len = strcspn(text, " ");
        if (column > indent && column + 1 + len > HELP_COLUMNS) {
            buf_printf(&cli->out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            buf_append_str(&cli->out, " ");
            column++;
        }
        buf_append(&cli->out, text, len);
        column += len;
        text += len + strspn(text + len, " ");
    }
    buf_append_str(&cli->out, "\n");
}

/* "  left   right", the right side wrapped; on a line of its own where the left one is too wide. */
static void put_pair(struct cli *cli, const char *left, size_t width, const char *right)
{
    size_t len = strlen(left);
    cli_print(cli, STYLE_STRONG, "  %s", left);
    if (len + 2 > width)
        buf_printf(&cli->out, "\n%*s", (int)width + 2, "");
    else
        buf_printf(&cli->out, "%*s", (int)(width - len), "");
    put_wrapped(cli, right, width + 2, width + 2);
}

/* Side by side where all of them fit, else each explanation below its line. */
static void put_examples(struct cli *cli, const struct example *examples)
{
    size_t width = 0, right = 0;
    for (const struct example *e = examples; e->line; e++) {
        width = strlen(e->line) > width ? strlen(e->line) : width;
        right = strlen(e->what) > right ? strlen(e->what) : right;
    }
    for (const struct example *e = examples; e->line; e++) {
        if (width + right + 4 <= HELP_COLUMNS) {
            put_pair(cli, e->line, width + 2, e->what);
            continue;
        }
        cli_print(cli, STYLE_STRONG, "  %s", e->line);
        buf_append_str(&cli->out, "\n      ");
        put_wrapped(cli, e->what, 6, 6);
    }
}

static void put_option(struct cli *cli, const struct option *o)
{
    char left[HELP_COLUMNS];
    char letter[8] = "    ";
    if (o->letter)
        (void)snprintf(letter, sizeof letter, "-%c, ", o->letter);
    (void)snprintf(left, sizeof left, "%s--%s%s%s", letter, o->name, o->value ? " " : "",
                   o->value ? o->value : "");
    put_pair(cli, left, HELP_OPTION_WIDTH, o->help);
}

static void put_options(struct cli *cli, const char *heading, const struct option *o)
{
    if (!o || !o->name)
        return;
    buf_printf(&cli->out, "\n%s\n", heading);
    for (; o->name; o++)
        put_option(cli, o);
}

void help_command(struct cli *cli, const struct command *command)
{
    cli_print(cli, STYLE_STRONG, "rapport %s", command->name);
    buf_printf(&cli->out, " - %s\n\n", command->summary);
    put_examples(cli, command->examples);
    buf_printf(&cli->out, "\nusage: rapport %s%s%s%s\n", command->name,
               command->options ? " [OPTION]..." : "", *command->operands ? " " : "",
               command->operands);
    put_options(cli, "options", command->options);
    put_options(cli, "options of every verb", command_common());
    if (command->more) {
        buf_append_str(&cli->out, "\n");
        put_wrapped(cli, command->more, 0, 0);
    }
}

static void put_verbs(struct cli *cli, const char *group)
{
    size_t n, len = strlen(group);
    const struct command *table = command_table(&n);
    for (size_t i = 0; i < n; i++)
        if (len == 0 || (strncmp(table[i].name, group, len) == 0 && table[i].name[len] == ' '))
            put_pair(cli, table[i].name, HELP_NAME_WIDTH, table[i].summary);
}

void help_all(struct cli *cli)
{
    static const struct example start[] = {
        {"rapport init \"FOSDEM 2023\" && cd fosdem-2023", "a new report, in a folder"},
        {"rapport invite", "a ticket for a friend"},
        {"rapport join TICKET", "what your friend types"},
        {"rapport up", "carries notes while you write"},
        {NULL, NULL},
    };
    buf_append_str(&cli->out, "rapport - notes of a conference, shared from peer to peer\n\n");
    put_examples(cli, start);
    buf_append_str(&cli->out, "\nusage: rapport [-C DIR] [--json] [-q] [-v] VERB ...\n\nverbs\n");
    put_verbs(cli, "");
    buf_append_str(&cli->out, "\nNotes are plain Markdown files in the report's folder: any editor "
                              "will do.\nMore about a verb: rapport help VERB\n");
}

static int help_named(struct cli *cli, const char *name, const char *second)
{
    char joined[HELP_COLUMNS];
    (void)snprintf(joined, sizeof joined, "%s%s%s", name, second ? " " : "", second ? second : "");
    const struct command *command = command_find(joined);
    if (command) {
        help_command(cli, command);
        return 0;
    }
    if (!second && command_is_group(name)) {
        buf_printf(&cli->out, "rapport %s ...\n\n", name);
        put_verbs(cli, name);
        buf_append_str(&cli->out, "\nMore about each: rapport help ");
        buf_printf(&cli->out, "%s VERB\n", name);
        return 0;
    }
    if (command_is_later(joined))
        return cli_fail(cli, CLI_USAGE, "this version of rapport has no \"%s\" yet", joined);
    const char *guess = command_guess(name);
    if (guess)
        return cli_fail(cli, CLI_USAGE, "there is no verb \"%s\"; did you mean %s?", joined, guess);
    return cli_fail(cli, CLI_USAGE, "there is no verb \"%s\"; see: rapport help", joined);
}

int verb_help(struct cli *cli)
{
    const char *name = args_operand(&cli->args, 0);
    if (name)
        return help_named(cli, name, args_operand(&cli->args, 1));
    help_all(cli);
    return 0;
}

int verb_version(struct cli *cli)
{
    if (cli->json)
        buf_append_str(&cli->out, "{\"version\":1,\"rapport\":\"" RAPPORT_VERSION "\"}\n");
    else
        buf_append_str(&cli->out, "rapport " RAPPORT_VERSION "\n");
    return 0;
}
