/*
 * main.c - `rapport`: parse, look up, run, end. Nothing heavy happens here: a verb opens what it
 * needs.
 *
 * SIGPIPE is ignored, so that a socket that goes away is an error and not the end; a pipe on stdout
 * that goes away ends us as quietly (cli_flush). Ctrl-C ends at once with 130: what is
 * acknowledged is on the disk, and the lock goes with the process.
 */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/verbs.h"
#include "rapport/error.h"

static void on_interrupt(int number)
{
    (void)number;
    _exit(CLI_INTERRUPTED);
}

static int dispatch(struct cli *cli)
{
    if (args_has(&cli->args, "help")) {
        if (cli->args.command)
            help_command(cli, cli->args.command);
        else
            help_all(cli);
        return 0;
    }
    if (args_has(&cli->args, "version"))
        return verb_version(cli);
    if (cli->args.command)
        return cli->args.command->run(cli);
    help_all(cli);
    (void)!write(STDERR_FILENO, cli->out.ptr, cli->out.len);
    buf_reset(&cli->out);
    return CLI_USAGE;
}

int main(int argc, char **argv)
{
    struct cli cli = {0};
    struct buf why = BUF_INIT;
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGINT, on_interrupt);
    int code = 0, error = args_parse(argc, argv, &cli.args, &why);
    if (error && !args_has(&cli.args, "help")) {
        const char *sentence = error == RAPPORT_INVALID ? buf_cstr(&why) : NULL;
        code = cli_fail(&cli, error == RAPPORT_INVALID ? CLI_USAGE : CLI_FAILED, "%s",
                        sentence ? sentence : rapport_strerror(error));
    }
    buf_clear(&why);
    if (!code)
        code = cli_start(&cli);
    if (!code)
        code = dispatch(&cli);
    return cli_end(&cli, code);
}
