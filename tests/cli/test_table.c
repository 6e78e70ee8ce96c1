/* The table of commands: every row can be shown, parsed and told apart. */
#include <stdlib.h>

#include "cli/args.h"
#include "cli/verbs.h"
#include "rapport/error.h"
#include "test.h"

static int parse(struct args *a, struct buf *why, const char *const *words)
{
    char *argv[32] = {(char *)"rapport"};
    int argc = 1;
    for (; words[argc - 1]; argc++)
        argv[argc] = (char *)words[argc - 1];
    return args_parse(argc, argv, a, why);
}

#define PARSE(a, why, ...) parse(a, why, (const char *const[]){__VA_ARGS__, NULL})

static void check_refused(const char *want, const char *const *words)
{
    struct args a;
    struct buf why = BUF_INIT;
    CHECK_EQ(parse(&a, &why, words), RAPPORT_INVALID);
    CHECK_STR(buf_cstr(&why), want);
    args_clear(&a);
    buf_clear(&why);
}

#define CHECK_REFUSED(want, ...) check_refused(want, (const char *const[]){__VA_ARGS__, NULL})

static bool is_documented(const char *text)
{
    return text && *text && text[strlen(text) - 1] != '.' && !strchr(text, '\n');
}

TEST(rows_are_documented,
     "every verb has a summary, an example that names it, and documented options")
{
    size_t n;
    const struct command *table = command_table(&n);
    CHECK(n > 20);
    for (size_t i = 0; i < n; i++) {
        const struct command *c = &table[i];
        CHECK(is_documented(c->summary));
        CHECK(c->run != NULL);
        CHECK(c->least <= c->most);
        CHECK(c->most == 0 || *c->operands);
        CHECK(c->examples && c->examples->line);
        for (const struct example *e = c->examples; e->line; e++) {
            CHECK(strstr(e->line, "rapport") != NULL);
            CHECK(strstr(e->line, c->name) != NULL);
            CHECK(is_documented(e->what));
        }
        for (const struct option *o = c->options; o && o->name; o++) {
            CHECK(is_documented(o->help));
            CHECK((o->kind == OPTION_FLAG) == (o->value == NULL));
        }
    }
}

/* A value that the option takes. */
static void sample(const struct option *o, char out[64])
{
    if (o->kind == OPTION_CHOICE)
        snprintf(out, 64, "%.*s", (int)strcspn(o->value, "|"), o->value);
    else
        snprintf(out, 64, "%llu", (unsigned long long)(o->least ? o->least : 1));
}

static void check_option(const struct command *c, const struct option *o)
{
    struct args a;
    struct buf why = BUF_INIT;
    char value[64], joined[160], dashed[80], first[32];
    size_t len = strcspn(c->name, " ");
    snprintf(first, sizeof first, "%.*s", (int)len, c->name);
    snprintf(dashed, sizeof dashed, "--%s", o->name);
    sample(o, value);
    snprintf(joined, sizeof joined, "--%s=%s", o->name, value);
    bool flag = o->kind == OPTION_FLAG;
    const char *words[12] = {first};
    size_t n = 1;
    if (c->name[len])
        words[n++] = c->name + len + 1;
    words[n++] = flag ? dashed : joined;
    for (size_t i = 0; i < c->least; i++)
        words[n++] = "word";
    CHECK_EQ(parse(&a, &why, words), 0);
    CHECK(a.command == c);
    CHECK(args_has(&a, o->name));
    if (!flag)
        CHECK_STR(args_value(&a, o->name), value);
    args_clear(&a);
    buf_clear(&why);
}

TEST(options_parse,
     "every option of the table parses with its verb, and no two share name or letter")
{
    size_t n;
    const struct command *table = command_table(&n);
    for (size_t i = 0; i < n; i++) {
        const struct option *lists[] = {table[i].options, command_common()};
        const struct option *all[64];
        size_t n_all = 0;
        for (size_t l = 0; l < 2; l++)
            for (const struct option *o = lists[l]; o && o->name; o++) {
                check_option(&table[i], o);
                for (size_t k = 0; k < n_all; k++) {
                    CHECK(strcmp(all[k]->name, o->name) != 0);
                    CHECK(o->letter == 0 || all[k]->letter != o->letter);
                }
                all[n_all++] = o;
            }
        CHECK(n_all <= COMMAND_MOST_OPTIONS);
    }
}

TEST(help_fits, "help of every verb names its options and fits 80 columns")
{
    size_t n;
    const struct command *table = command_table(&n);
    for (size_t i = 0; i <= n; i++) {
        struct cli cli = {0};
        if (i < n)
            help_command(&cli, &table[i]);
        else
            help_all(&cli);
        const char *text = buf_cstr(&cli.out);
        for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
            size_t len = strcspn(line, "\n");
            CHECK(len <= 80);
            CHECK(len == 0 || line[len - 1] != ' ');
        }
        for (const struct option *o = i < n ? table[i].options : NULL; o && o->name; o++)
            CHECK(strstr(text, o->name) != NULL);
        for (size_t k = 0; i == n && k < n; k++)
            CHECK(strstr(text, table[k].name) != NULL);
        buf_clear(&cli.out);
    }
}

TEST(order_is_free, "options stand before or behind operands, joined or apart, letters bundled")
{
    struct args a;
    struct buf why = BUF_INIT;
    CHECK_EQ(PARSE(&a, &why, "-qv", "-Cdir", "jot", "one", "--note=x", "two", "--json"), 0);
    CHECK(args_has(&a, "quiet") && args_has(&a, "verbose") && args_has(&a, "json"));
    CHECK_STR(args_value(&a, "directory"), "dir");
    CHECK_STR(args_value(&a, "note"), "x");
    CHECK_EQ(a.n_operands, 2);
    args_clear(&a);
    CHECK_EQ(PARSE(&a, &why, "jot", "--", "--note", "-"), 0);
    CHECK_EQ(a.n_operands, 2);
    CHECK_STR(args_operand(&a, 0), "--note");
    args_clear(&a);
    CHECK_EQ(PARSE(&a, &why, "up", "--peer", "a", "--peer=b"), 0);
    size_t n;
    const char *const *peers = args_values(&a, "peer", &n);
    CHECK_EQ(n, 2);
    CHECK_STR(peers[1], "b");
    args_clear(&a);
    buf_clear(&why);
}

TEST(mistakes_are_named, "what was typed wrongly is said, with what was probably meant")
{
    CHECK_REFUSED("there is no verb \"statsu\"; did you mean status?", "statsu");
    CHECK_REFUSED("there is no verb \"frobnicate\"; see: rapport help", "frobnicate");
    CHECK_REFUSED("this version of rapport has no \"undo\" yet; see: rapport help", "undo");
    CHECK_REFUSED("this version of rapport has no \"member rm\" yet; see: rapport help", "member",
                  "rm");
    CHECK_REFUSED("schedule has no verb \"drop\"; see: rapport help schedule", "schedule", "drop");
    CHECK_REFUSED("schedule what? See: rapport help schedule", "schedule");
    CHECK_REFUSED("there is no option --expire of invite; did you mean --expires?", "invite",
                  "--expire", "2d");
    CHECK_REFUSED("there is no option -x of ls", "ls", "-x");
    CHECK_REFUSED("--uses takes a number from 1 to 255, not \"0\"", "invite", "--uses", "0");
    CHECK_REFUSED("--uses takes a number from 1 to 255, not \"256\"", "invite", "--uses=256");
    CHECK_REFUSED("--uses takes a number from 1 to 255, not \"99999999999999999999\"", "invite",
                  "--uses=99999999999999999999");
    CHECK_REFUSED("--expires takes a time such as 90s, 15m, 12h or 2d, not \"2 days\"", "invite",
                  "--expires", "2 days");
    CHECK_REFUSED("--lan takes on|off|passive, not \"o\"", "up", "--lan", "o");
    CHECK_REFUSED("--note wants a value: --note NOTE", "jot", "--note");
    CHECK_REFUSED("--json takes no value", "ls", "--json=yes");
    CHECK_REFUSED("--note is given too often", "jot", "--note=a", "--note=b", "x");
    CHECK_REFUSED("too little: rapport show NOTE", "show");
    CHECK_REFUSED("\"b\" is one word too many: rapport show NOTE", "show", "a", "b");
}

TEST(durations, "times are seconds, minutes, hours, days or weeks, and nothing that overflows")
{
    static const struct {
        const char *text;
        uint64_t seconds;
    } good[] = {{"0", 0},       {"90", 90},     {"90s", 90},   {"15m", 900},
                {"12h", 43200}, {"2d", 172800}, {"1w", 604800}};
    static const char *const bad[] = {
        "", "d", "-1", "1.5h", "2dd", "2 d", "99999999999999999999", "18446744073709551615w"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        uint64_t seconds = 7;
        CHECK_EQ(args_duration(good[i].text, &seconds), 0);
        CHECK_EQ(seconds, good[i].seconds);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint64_t seconds = 7;
        CHECK_EQ(args_duration(bad[i], &seconds), RAPPORT_INVALID);
        CHECK_EQ(seconds, 7);
    }
}

TEST(slips, "a swapped pair of letters is one slip; far words are further than asked for")
{
    CHECK_EQ(command_distance("status", "status", 2), 0);
    CHECK_EQ(command_distance("statsu", "status", 2), 1);
    CHECK_EQ(command_distance("satus", "status", 2), 1);
    CHECK(command_distance("abcdefghijabcdefghijabcdefghijabcdefghij", "status", 2) > 2);
    CHECK(command_guess("invtie") && strcmp(command_guess("invtie"), "invite") == 0);
    CHECK(command_guess("xx") == NULL);
}
