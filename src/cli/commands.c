/*
 * commands.c - the table itself, and finding in it (see command.h). Rows stand in the order in
 * which a person meets them.
 */
#include <string.h>

#include "cli/command.h"
#include "cli/verbs.h"

enum {
    DAYS_S = 86400,
    MOST_WAIT_S = 7 * DAYS_S,
    MOST_EXPIRY_S = 366 * DAYS_S,
    MOST_USES = 255,
    MOST_LINES = 100000,
};

#define ANY_NUMBER SIZE_MAX
#define END_OPTION                                                                                 \
    {                                                                                              \
        .name = NULL                                                                               \
    }
#define END_EXAMPLE                                                                                \
    {                                                                                              \
        .line = NULL                                                                               \
    }

static const struct option common[] = {
    {.name = "directory",
     .letter = 'C',
     .kind = OPTION_TEXT,
     .value = "DIR",
     .help = "as if started in DIR"},
    {.name = "json",
     .kind = OPTION_FLAG,
     .help = "one JSON object on stdout, or a line each for lists"},
    {.name = "quiet", .letter = 'q', .kind = OPTION_FLAG, .help = "say only what failed"},
    {.name = "verbose", .letter = 'v', .kind = OPTION_FLAG, .help = "say more, also connections"},
    {.name = "no-color", .kind = OPTION_FLAG, .help = "no colours; so does NO_COLOR"},
    {.name = "no-input", .kind = OPTION_FLAG, .help = "never ask, never open an editor"},
    {.name = "help", .letter = 'h', .kind = OPTION_FLAG, .help = "show help of the verb"},
    {.name = "version", .kind = OPTION_FLAG, .help = "show the version"},
    END_OPTION,
};

/* ---- options and examples, a pair for each verb ---- */

#define LISTEN_OPTION                                                                              \
    {                                                                                              \
        .name = "listen", .kind = OPTION_TEXT, .many = true, .value = "ADDR",                      \
        .help = "listen there alone: 192.0.2.1:7171, [::]:7171; port 0 is a free one"              \
    }
#define PEER_OPTION                                                                                \
    {                                                                                              \
        .name = "peer", .kind = OPTION_TEXT, .many = true, .value = "ADDR",                        \
        .help = "also dial this address or host name"                                              \
    }

static const struct option init_options[] = {
    {.name = "dir", .kind = OPTION_TEXT, .value = "DIR", .help = "the folder to make or use"},
    {.name = "name", .kind = OPTION_TEXT, .value = "NAME", .help = "your name as friends see it"},
    END_OPTION,
};
static const struct example init_examples[] = {
    {"rapport init \"FOSDEM 2023\"", "makes the folder fosdem-2023"},
    {"rapport init \"FOSDEM 2023\" --dir talks --name Ada", "in the folder talks, as Ada"},
    END_EXAMPLE,
};

static const struct option invite_options[] = {
    {.name = "uses",
     .kind = OPTION_NUMBER,
     .value = "N",
     .help = "how many friends may use the ticket (1)",
     .least = 1,
     .most = MOST_USES},
    {.name = "expires",
     .kind = OPTION_DURATION,
     .value = "TIME",
     .help = "how long it is valid: 90m, 12h, 2d (2d)",
     .least = 1,
     .most = MOST_EXPIRY_S},
    {.name = "no-wait", .kind = OPTION_FLAG, .help = "print the ticket and end"},
    LISTEN_OPTION,
    PEER_OPTION,
    END_OPTION,
};
static const struct example invite_examples[] = {
    {"rapport invite", "a ticket for one friend, valid for two days"},
    {"rapport invite --uses 5 --expires 12h", "one ticket for a table of five"},
    {"rapport invite | ssh bram 'rapport join -'", "on a pipe: the ticket alone"},
    END_EXAMPLE,
};

static const struct option join_options[] = {
    {.name = "name", .kind = OPTION_TEXT, .value = "NAME", .help = "your name as friends see it"},
    {.name = "wait",
     .kind = OPTION_DURATION,
     .value = "SECONDS",
     .help = "how long to try (60)",
     .least = 1,
     .most = MOST_WAIT_S},
    {.name = "dry-run", .letter = 'n', .kind = OPTION_FLAG, .help = "say what the ticket says"},
    LISTEN_OPTION,
    END_OPTION,
};
static const struct example join_examples[] = {
    {"rapport join rapport1aj2k...", "into a new folder named by the report's title"},
    {"rapport join - notes < ticket.txt", "ticket from stdin, into the folder notes"},
    {"rapport join --dry-run rapport1aj2k...", "what the ticket says, without joining"},
    END_EXAMPLE,
};

static const struct option up_options[] = {
    LISTEN_OPTION,
    PEER_OPTION,
    {.name = "lan",
     .kind = OPTION_CHOICE,
     .value = "on|off|passive",
     .help = "look for friends on the local network, and be found there; passive: only look"},
    {.name = "tailnet",
     .kind = OPTION_CHOICE,
     .value = "on|own|off",
     .help = "look for friends on the tailnet; own: only machines of the same user"},
    {.name = "detach", .kind = OPTION_FLAG, .help = "go to the background once it listens"},
    END_OPTION,
};
static const struct example up_examples[] = {
    {"rapport up", "carries notes until Ctrl-C"},
    {"rapport up --detach", "the same in the background; end it with rapport down"},
    {"rapport up --listen 127.0.0.1:0 --peer laptop:7171", "addresses by hand"},
    END_EXAMPLE,
};

static const struct option down_options[] = {
    {.name = "all", .kind = OPTION_FLAG, .help = "end the daemon with all its reports"},
    END_OPTION,
};
static const struct example down_examples[] = {
    {"rapport down", "takes this report from the daemon; with the last one it ends"},
    {"rapport down --all", "ends the daemon"},
    END_EXAMPLE,
};

static const struct example status_examples[] = {
    {"rapport status", "who is connected, what is not saved or not sent, what to do next"},
    {"rapport --json status | jq -r .digest", "equal digests mean equal reports"},
    END_EXAMPLE,
};

static const struct example peers_examples[] = {
    {"rapport peers", "each peer: state, address, how far it is"},
    END_EXAMPLE,
};

static const struct example doctor_examples[] = {
    {"rapport doctor", "what works, what does not, and the one next thing to do"},
    {"rapport --json doctor | jq -r .next", "that thing alone"},
    END_EXAMPLE,
};

static const struct option sync_options[] = {
    {.name = "wait",
     .kind = OPTION_DURATION,
     .value = "SECONDS",
     .help = "how long to try (10)",
     .most = MOST_WAIT_S},
    LISTEN_OPTION,
    PEER_OPTION,
    END_OPTION,
};
static const struct example sync_examples[] = {
    {"rapport sync", "until all who can be reached have what you have"},
    {"rapport sync --wait 60", "the same with more patience"},
    END_EXAMPLE,
};

static const struct option new_options[] = {
    {.name = "talk",
     .kind = OPTION_TEXT,
     .value = "ID",
     .help = "about a talk of the schedule: its id, or a part of its title"},
    {.name = "no-edit", .kind = OPTION_FLAG, .help = "do not open an editor"},
    END_OPTION,
};
static const struct example new_examples[] = {
    {"rapport new Headscale", "makes notes/headscale.md and opens it"},
    {"rapport new --talk 14550", "the note of that talk; made twice, it is one"},
    {"$EDITOR \"$(rapport new --no-edit Dinner)\"", "prints the path of the file"},
    END_EXAMPLE,
};

static const struct example edit_examples[] = {
    {"rapport edit headscale", "by path, slug, part of the title, or id"},
    END_EXAMPLE,
};

static const struct option jot_options[] = {
    {.name = "note", .kind = OPTION_TEXT, .value = "NOTE", .help = "to this note instead"},
    END_OPTION,
};
static const struct example jot_examples[] = {
    {"rapport jot ask Ana about the slides", "a line in your jots"},
    {"rapport jot --note headscale \"see their docs\"", "a line at the end of that note"},
    {"date | rapport jot -", "from stdin"},
    END_EXAMPLE,
};

static const struct option ls_options[] = {
    {.name = "trash", .kind = OPTION_FLAG, .help = "what is in the trash instead"},
    END_OPTION,
};
static const struct example ls_examples[] = {
    {"rapport ls", "path, title, authors and last change of each note"},
    {"rapport ls --trash", "what was removed"},
    END_EXAMPLE,
};

static const struct option show_options[] = {
    {.name = "at",
     .kind = OPTION_TEXT,
     .value = "VERSION",
     .help = "as it was: a version that log prints, a time, or @2 (two versions back)"},
    END_OPTION,
};
static const struct example show_examples[] = {
    {"rapport show headscale", "prints the note"},
    {"rapport show headscale --at @1", "before its last change"},
    END_EXAMPLE,
};

static const struct example rm_examples[] = {
    {"rapport rm headscale", "to the trash, for everybody"},
    END_EXAMPLE,
};

static const struct example mv_examples[] = {
    {"rapport mv headscale notes/tailnets.md", "renames, for everybody"},
    END_EXAMPLE,
};

static const struct option log_options[] = {
    {.name = "limit",
     .kind = OPTION_NUMBER,
     .value = "N",
     .help = "the newest N lines",
     .least = 1,
     .most = MOST_LINES},
    END_OPTION,
};
static const struct example log_examples[] = {
    {"rapport log headscale", "who changed it, when, by how much"},
    {"rapport log --limit 20", "the newest changes of all notes"},
    END_EXAMPLE,
};

static const struct option import_options[] = {
    {.name = "zone",
     .kind = OPTION_TEXT,
     .value = "ZONE",
     .help = "the conference's time zone, where the file has none: Europe/Brussels"},
    END_OPTION,
};
static const struct example import_examples[] = {
    {"rapport schedule import schedule.xml", "from a file"},
    {"curl -s https://fosdem.org/2023/schedule/xml | rapport schedule import -", "from the web"},
    END_EXAMPLE,
};

static const struct option schedule_ls_options[] = {
    {.name = "day", .kind = OPTION_TEXT, .value = "D", .help = "only that day: 2023-02-04, or 1"},
    {.name = "track", .kind = OPTION_TEXT, .value = "T", .help = "only that track"},
    {.name = "room", .kind = OPTION_TEXT, .value = "R", .help = "only that room"},
    END_OPTION,
};
static const struct example schedule_ls_examples[] = {
    {"rapport schedule ls --day 2023-02-04 --track Nix", "talks with id, time, room"},
    END_EXAMPLE,
};

static const struct example outline_examples[] = {
    {"rapport outline", "drafts report.md, or puts in what is new"},
    END_EXAMPLE,
};

static const struct option publish_options[] = {
    {.name = "to",
     .kind = OPTION_TEXT,
     .value = "TARGET",
     .help = "markdown, hugo or html (a later version has more)"},
    {.name = "out",
     .letter = 'o',
     .kind = OPTION_TEXT,
     .value = "DIR",
     .help = "where to write (published in the report's folder)"},
    {.name = "draft", .kind = OPTION_FLAG, .help = "marked as a draft where the target has that"},
    END_OPTION,
};
static const struct example publish_examples[] = {
    {"rapport publish --to markdown", "the post as one Markdown file"},
    {"rapport publish --to hugo --out ~/blog", "into the folder of a Hugo site"},
    END_EXAMPLE,
};

static const struct example member_examples[] = {
    {"rapport member ls", "who is in, with device and role"},
    END_EXAMPLE,
};

static const struct option bundle_write_options[] = {
    {.name = "for",
     .kind = OPTION_TEXT,
     .value = "NAME",
     .help = "leave out what that friend (or device) is known to have"},
    {.name = "reply-to",
     .kind = OPTION_TEXT,
     .value = "BUNDLE",
     .help = "leave out what the writer of that bundle had"},
    {.name = "force", .kind = OPTION_FLAG, .help = "write over a file that is there already"},
    END_OPTION,
};
static const struct example bundle_write_examples[] = {
    {"rapport bundle write /media/usb/report.bundle", "everything, for any friend"},
    {"rapport bundle write bram.bundle --for Bram", "what Bram did not have when last heard of"},
    {"rapport bundle write - | ssh bram 'cd notes; rapport bundle read -'", "through a pipe"},
    END_EXAMPLE,
};

static const struct example bundle_read_examples[] = {
    {"rapport bundle read /media/usb/report.bundle", "takes in what is new in it"},
    END_EXAMPLE,
};

static const struct example help_examples[] = {
    {"rapport help invite", "the same as rapport invite --help"},
    END_EXAMPLE,
};

static const struct example version_examples[] = {
    {"rapport version", "which version this is"},
    END_EXAMPLE,
};

/* ---- the table ---- */

#define NOTE_HELP                                                                                  \
    "NOTE is a path, a slug, a part of the title that only one note has, or an id (4 hex digits "  \
    "or more)."

static const struct command table[] = {
    {"init", "TITLE", 1, ANY_NUMBER, "make a new report in a folder", init_options, init_examples,
     "The folder is named by the title. One that has Markdown files in it already may be used: "
     "they "
     "become notes. Without --name your name is asked for, once.",
     verb_init},
    {"invite", "", 0, 0, "make a ticket that lets a friend in", invite_options, invite_examples,
     "Give the ticket to your friend by any way that you trust: who holds it can join. On a "
     "terminal, "
     "and where no daemon runs for the report, it then waits until the friend is in; Ctrl-C leaves "
     "the ticket valid.",
     verb_invite},
    {"join", "TICKET [DIR]", 1, 2, "join a friend's report", join_options, join_examples,
     "Your friend must be up, or be waiting in invite. A folder that has files in it is merged, "
     "never overwritten. "
     "TICKET - is read from stdin, so that it stays out of the shell's history.",
     verb_join},
    {"up", "", 0, 0, "run the daemon that carries notes to friends", up_options, up_examples,
     "One daemon for each user: in a second report, up hands that folder to the daemon that runs "
     "and "
     "ends.",
     verb_up},
    {"down", "", 0, 0, "end the daemon, or take a report from it", down_options, down_examples,
     NULL, verb_down},
    {"status", "", 0, 0, "how the report stands, and what to do next", NULL, status_examples, NULL,
     verb_status},
    {"peers", "", 0, 0, "list who is connected and how", NULL, peers_examples, NULL, verb_peers},
    {"doctor", "", 0, 0, "tell what works and what does not, and what to do", NULL, doctor_examples,
     "Looks at the daemon, disk, clock, network, LAN, tailnet, firewall and each friend; changes "
     "nothing and runs nothing as root. Without a daemon it looks around for a few seconds. Exit "
     "code 3: something needs you.",
     verb_doctor},
    {"sync", "", 0, 0, "wait until friends have what you have", sync_options, sync_examples,
     "Without a daemon it listens and dials by itself for as long as it takes. Exit code 5: nobody "
     "could be reached; 1: somebody could, but the time was over first.",
     verb_sync},
    {"new", "[TITLE]", 0, ANY_NUMBER, "make a note and open it in your editor", new_options,
     new_examples,
     "The path of the note's file goes to stdout. The editor is $VISUAL, else $EDITOR, else vi; "
     "where "
     "there is no terminal none is opened.",
     verb_new},
    {"edit", "NOTE", 1, 1, "open a note in your editor", NULL, edit_examples, NOTE_HELP, verb_edit},
    {"jot", "[TEXT]", 0, ANY_NUMBER, "add a line to a note without an editor", jot_options,
     jot_examples,
     "Without --note the text goes to notes/jots-YOU.md. Without TEXT, or with -, it is read from "
     "stdin.",
     verb_jot},
    {"ls", "", 0, 0, "list notes", ls_options, ls_examples, NULL, verb_ls},
    {"show", "NOTE", 1, 1, "print a note", show_options, show_examples, NOTE_HELP, verb_show},
    {"rm", "NOTE", 1, 1, "move a note to the trash", NULL, rm_examples,
     NOTE_HELP " What somebody writes into it meanwhile brings it back.", verb_rm},
    {"mv", "NOTE PATH", 2, 2, "rename a note", NULL, mv_examples, NOTE_HELP, verb_mv},
    {"log", "[NOTE]", 0, 1, "list changes, the newest first", log_options, log_examples, NOTE_HELP,
     verb_log},
    {"schedule import", "FILE", 1, 1, "read the conference's schedule", import_options,
     import_examples,
     "FILE is a schedule in pentabarf XML, - is stdin. It is kept in the report's folder on this "
     "device; importing again takes the changes.",
     verb_schedule_import},
    {"schedule ls", "", 0, 0, "list talks of the schedule", schedule_ls_options,
     schedule_ls_examples, NULL, verb_schedule_ls},
    {"outline", "", 0, 0, "draft or refresh report.md", NULL, outline_examples,
     "report.md is the order of the post: your own text, and a line ![[note]] for each note. What "
     "you "
     "ordered by hand stays as it is.",
     verb_outline},
    {"publish", "--to TARGET", 0, 0, "write the post", publish_options, publish_examples,
     "A file that was changed by hand since it was published is kept, and named; the exit code is "
     "3 "
     "then.",
     verb_publish},
    {"member ls", "", 0, 0, "list who is in the report", NULL, member_examples, NULL,
     verb_member_ls},
    {"bundle write", "FILE", 1, 1, "write a sealed file that carries the report",
     bundle_write_options, bundle_write_examples,
     "For a USB stick, Taildrop or mail, when a network keeps friends apart. Only members can open "
     "it. FILE - is stdout.",
     verb_bundle_write},
    {"bundle read", "FILE", 1, 1, "take in a file of bundle write", NULL, bundle_read_examples,
     "Reading it twice, or several in any order, is harmless. Exit code 65: it is of another "
     "report, or damaged (what came before the damage is kept); 3: it builds on a bundle that was "
     "not read yet. FILE - is stdin.",
     verb_bundle_read},
    {"help", "[VERB]", 0, 2, "show how a verb is used", NULL, help_examples, NULL, verb_help},
    {"version", "", 0, 0, "show the version", NULL, version_examples, NULL, verb_version},
};

/* Verbs that are promised for a later version. */
static const char *const later[] = {
    "blame",  "diff",   "undo", "restore",      "attach",    "search",      "absorb",
    "rotate", "client", "page", "schedule now", "member rm", "member role",
};

const struct command *command_table(size_t *n)
{
    *n = sizeof table / sizeof table[0];
    return table;
}

const struct option *command_common(void)
{
    return common;
}

const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}

bool command_is_group(const char *word)
{
    size_t len = strlen(word);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strncmp(table[i].name, word, len) == 0 && table[i].name[len] == ' ')
            return true;
    return false;
}

bool command_is_later(const char *name)
{
    for (size_t i = 0; i < sizeof later / sizeof later[0]; i++)
        if (strcmp(later[i], name) == 0)
            return true;
    return false;
}
