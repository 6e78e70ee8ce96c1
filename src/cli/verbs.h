/*
 * verbs.h - the functions behind the rows of the table of commands. Each returns the exit code,
 * having said on stderr why it is not 0; what it has to print is in cli->out.
 */
#ifndef CLI_VERBS_H
#define CLI_VERBS_H

#include "cli/cli.h"

/* ---- verb_report.c: making and joining reports ---- */
/* init TITLE */
int verb_init(struct cli *cli);
/* invite */
int verb_invite(struct cli *cli);
/* join TICKET [DIR] */
int verb_join(struct cli *cli);

/* ---- verb_daemon.c: the daemon, and syncing ---- */
/* up */
int verb_up(struct cli *cli);
/* down */
int verb_down(struct cli *cli);
/* sync */
int verb_sync(struct cli *cli);

/* ---- verb_status.c: how things stand ---- */
/* status */
int verb_status(struct cli *cli);
/* peers */
int verb_peers(struct cli *cli);
/* member ls */
int verb_member_ls(struct cli *cli);

/* ---- verb_doctor.c: what works and what does not ---- */
/* doctor */
int verb_doctor(struct cli *cli);

/* ---- verb_note.c: notes ---- */
/* new [TITLE] */
int verb_new(struct cli *cli);
/* edit NOTE */
int verb_edit(struct cli *cli);
/* jot [TEXT] */
int verb_jot(struct cli *cli);
/* ls */
int verb_ls(struct cli *cli);
/* show NOTE */
int verb_show(struct cli *cli);
/* rm NOTE */
int verb_rm(struct cli *cli);
/* mv NOTE PATH */
int verb_mv(struct cli *cli);
/* log [NOTE] */
int verb_log(struct cli *cli);

/* ---- verb_post.c: the conference and the post ---- */
/* schedule import FILE */
int verb_schedule_import(struct cli *cli);
/* schedule ls */
int verb_schedule_ls(struct cli *cli);
/* outline */
int verb_outline(struct cli *cli);
/* publish --to TARGET */
int verb_publish(struct cli *cli);

/* ---- verb_bundle.c: sync by file ---- */
/* bundle write FILE */
int verb_bundle_write(struct cli *cli);
/* bundle read FILE */
int verb_bundle_read(struct cli *cli);

/* ---- help.c ---- */
/* help [VERB] */
int verb_help(struct cli *cli);
/* version */
int verb_version(struct cli *cli);

/* Appends the help of one command to stdout's. */
void help_command(struct cli *cli, const struct command *command);
/* Appends the list of commands. */
void help_all(struct cli *cli);

#endif
