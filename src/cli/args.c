/*
 * args.c - parsing of the command line (see args.h).
 *
 * Common options may stand anywhere, those of a command behind its name. The command is looked up
 * as soon as its word or words are complete, so an option is always read with one table.
 */
#include "cli/args.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rapport/error.h"

enum {
    ARGS_MOST_NAME = 64 /* bytes of a command's two words */
};

struct parser {
    struct args *out;
    struct buf *why;
    char **argv;
    int argc, at;
    bool only_operands; /* behind "--" */
    const char *group;  /* the first of two words */
};

/* ---- numbers ---- */

static int parse_digits(const char *text, const char **end, uint64_t *out)
{
    uint64_t n = 0;
    const char *p = text;
    for (; *p >= '0' && *p <= '9'; p++) {
        if (n > (UINT64_MAX - 9) / 10)
            return RAPPORT_INVALID;
        n = n * 10 + (uint64_t)(*p - '0');
    }
    if (p == text)
        return RAPPORT_INVALID;
    *end = p;
    *out = n;
    return 0;
}

int args_duration(const char *text, uint64_t *seconds)
{
    static const struct {
        const char *unit;
        uint64_t seconds;
    } units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}, {"w", 604800}};
    const char *end;
    uint64_t n;
    if (parse_digits(text, &end, &n))
        return RAPPORT_INVALID;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(end, units[i].unit) != 0)
            continue;
        if (n > UINT64_MAX / units[i].seconds)
            return RAPPORT_INVALID;
        *seconds = n * units[i].seconds;
        return 0;
    }
    return RAPPORT_INVALID;
}

static int option_number(const struct option *o, const char *text, uint64_t *out)
{
    const char *end = "";
    uint64_t n = 0;
    int error = o->kind == OPTION_DURATION ? args_duration(text, &n) : parse_digits(text, &end, &n);
    if (error || *end || n < o->least || n > o->most)
        return RAPPORT_INVALID;
    *out = n;
    return 0;
}

/* ---- options ---- */

/* The i-th option that may be given: those of the command, then the common ones. */
static const struct option *option_at(const struct command *command, size_t i)
{
    const struct option *lists[] = {command ? command->options : NULL, command_common()};
    for (size_t list = 0; list < 2; list++)
        for (const struct option *o = lists[list]; o && o->name; o++)
            if (i-- == 0)
                return o;
    return NULL;
}

static const struct option *find_long(const struct command *command, const char *name, size_t len)
{
    const struct option *o;
    for (size_t i = 0; (o = option_at(command, i)); i++)
        if (strlen(o->name) == len && memcmp(o->name, name, len) == 0)
            return o;
    return NULL;
}

static const struct option *find_short(const struct command *command, char letter)
{
    const struct option *o;
    for (size_t i = 0; (o = option_at(command, i)); i++)
        if (o->letter == letter)
            return o;
    return NULL;
}

static const char *guess_long(const struct command *command, const char *name)
{
    const char *best = NULL;
    size_t least = 3;
    const struct option *o;
    for (size_t i = 0; (o = option_at(command, i)); i++) {
        size_t d = command_distance(name, o->name, least - 1);
        if (d < least && d * 2 <= strlen(o->name)) {
            least = d;
            best = o->name;
        }
    }
    return best;
}

static int refuse_value(struct parser *p, const struct option *o, const char *value)
{
    const char *wants = "a value that is not empty";
    switch (o->kind) {
    case OPTION_FLAG:
    case OPTION_TEXT:
        break;
    case OPTION_NUMBER:
        buf_printf(p->why, "--%s takes a number from %llu to %llu, not \"%s\"", o->name,
                   (unsigned long long)o->least, (unsigned long long)o->most, value);
        return RAPPORT_INVALID;
    case OPTION_DURATION:
        wants = "a time such as 90s, 15m, 12h or 2d";
        break;
    case OPTION_CHOICE:
        wants = o->value;
        break;
    }
    buf_printf(p->why, "--%s takes %s, not \"%s\"", o->name, wants, value);
    return RAPPORT_INVALID;
}

static bool is_choice(const char *words, const char *value)
{
    size_t len = strlen(value);
    for (const char *w = words; w; w = strchr(w, '|') ? strchr(w, '|') + 1 : NULL)
        if (len && strncmp(w, value, len) == 0 && (w[len] == '|' || w[len] == '\0'))
            return true;
    return false;
}

static int give(struct parser *p, const struct option *o, const char *value)
{
    uint64_t n;
    bool is_number = o->kind == OPTION_NUMBER || o->kind == OPTION_DURATION;
    if ((is_number && option_number(o, value, &n)) || (o->kind == OPTION_TEXT && !*value) ||
        (o->kind == OPTION_CHOICE && !is_choice(o->value, value)))
        return refuse_value(p, o, value);
    struct given *g = p->out->given;
    while (g->option && g->option != o)
        g++;
    if (g->n == COMMAND_MOST_VALUES || (o->kind != OPTION_FLAG && !o->many && g->n == 1)) {
        buf_printf(p->why, "--%s is given too often", o->name);
        return RAPPORT_INVALID;
    }
    g->option = o;
    if (o->kind == OPTION_FLAG)
        g->n = 1;
    else
        g->values[g->n++] = value;
    return 0;
}

/* The next word as the value of an option that wants one. */
static int give_next(struct parser *p, const struct option *o)
{
    if (o->kind == OPTION_FLAG)
        return give(p, o, NULL);
    if (p->at >= p->argc) {
        buf_printf(p->why, "--%s wants a value: --%s %s", o->name, o->name, o->value);
        return RAPPORT_INVALID;
    }
    return give(p, o, p->argv[p->at++]);
}

static int take_long(struct parser *p, const char *word)
{
    const char *name = word + 2, *equal = strchr(name, '=');
    size_t len = equal ? (size_t)(equal - name) : strlen(name);
    const struct command *command = p->out->command;
    const struct option *o = find_long(command, name, len);
    if (!o) {
        const char *guess = guess_long(command, name);
        buf_printf(p->why, "there is no option --%.*s%s%s", (int)len, name, command ? " of " : "",
                   command ? command->name : "");
        if (guess)
            buf_printf(p->why, "; did you mean --%s?", guess);
        else if (!command)
            buf_printf(p->why, " before the verb; options of a verb stand behind it");
        return RAPPORT_INVALID;
    }
    if (equal && o->kind == OPTION_FLAG) {
        buf_printf(p->why, "--%s takes no value", o->name);
        return RAPPORT_INVALID;
    }
    return equal ? give(p, o, equal + 1) : give_next(p, o);
}

/* "-qv", "-C DIR", "-CDIR" */
static int take_short(struct parser *p, const char *word)
{
    for (const char *letter = word + 1; *letter; letter++) {
        const struct option *o = find_short(p->out->command, *letter);
        if (!o) {
            buf_printf(p->why, "there is no option -%c%s%s", *letter, p->out->command ? " of " : "",
                       p->out->command ? p->out->command->name : "");
            return RAPPORT_INVALID;
        }
        if (o->kind != OPTION_FLAG && letter[1])
            return give(p, o, letter + 1);
        int error = give_next(p, o);
        if (error)
            return error;
    }
    return 0;
}

/* ---- verbs and operands ---- */

/* `name` is the whole name, `word` the last word of it. */
static int refuse_verb(struct parser *p, const char *name, const char *word)
{
    const char *guess = p->group ? NULL : command_guess(word);
    if (command_is_later(name))
        buf_printf(p->why, "this version of rapport has no \"%s\" yet; see: rapport help", name);
    else if (p->group)
        buf_printf(p->why, "%s has no verb \"%s\"; see: rapport help %s", p->group, word, p->group);
    else if (guess)
        buf_printf(p->why, "there is no verb \"%s\"; did you mean %s?", word, guess);
    else
        buf_printf(p->why, "there is no verb \"%s\"; see: rapport help", word);
    return RAPPORT_INVALID;
}

static int take_verb(struct parser *p, const char *word)
{
    char name[ARGS_MOST_NAME];
    p->out->word = word;
    if (!p->group && command_is_group(word)) {
        p->group = word;
        return 0;
    }
    int n =
        snprintf(name, sizeof name, "%s%s%s", p->group ? p->group : "", p->group ? " " : "", word);
    if (n < 0 || (size_t)n >= sizeof name)
        return refuse_verb(p, word, word);
    p->out->command = command_find(name);
    return p->out->command ? 0 : refuse_verb(p, name, word);
}

static int take_operand(struct parser *p, const char *word)
{
    struct args *a = p->out;
    if (!a->command)
        return take_verb(p, word);
    if (a->n_operands >= a->command->most) {
        buf_printf(p->why, "\"%s\" is one word too many: rapport %s%s%s", word, a->command->name,
                   *a->command->operands ? " " : "", a->command->operands);
        return RAPPORT_INVALID;
    }
    a->operands[a->n_operands++] = word;
    return 0;
}

static int take_word(struct parser *p, const char *word)
{
    if (p->only_operands || word[0] != '-' || word[1] == '\0')
        return take_operand(p, word);
    if (strcmp(word, "--") == 0) {
        p->only_operands = true;
        return 0;
    }
    return word[1] == '-' ? take_long(p, word) : take_short(p, word);
}

int args_parse(int argc, char **argv, struct args *out, struct buf *why)
{
    *out = (struct args){0};
    out->operands = calloc((size_t)(argc > 0 ? argc : 1), sizeof *out->operands);
    if (!out->operands)
        return RAPPORT_NOMEM;
    struct parser p = {.out = out, .why = why, .argv = argv, .argc = argc, .at = 1};
    while (p.at < argc) {
        int error = take_word(&p, argv[p.at++]);
        if (error)
            return error;
    }
    if (args_has(out, "help"))
        return 0;
    if (!out->command && p.group) {
        buf_printf(why, "%s what? See: rapport help %s", p.group, p.group);
        return RAPPORT_INVALID;
    }
    if (out->command && out->n_operands < out->command->least) {
        buf_printf(why, "too little: rapport %s %s", out->command->name, out->command->operands);
        return RAPPORT_INVALID;
    }
    return 0;
}

void args_clear(struct args *a)
{
    free(a->operands);
    *a = (struct args){0};
}

/* ---- asking ---- */

static const struct given *find_given(const struct args *a, const char *name)
{
    for (size_t i = 0; i < COMMAND_MOST_OPTIONS && a->given[i].option; i++)
        if (strcmp(a->given[i].option->name, name) == 0)
            return &a->given[i];
    return NULL;
}

bool args_has(const struct args *a, const char *name)
{
    return find_given(a, name) != NULL;
}

const char *args_value(const struct args *a, const char *name)
{
    const struct given *g = find_given(a, name);
    return g && g->option->kind != OPTION_FLAG ? g->values[g->n - 1] : NULL;
}

const char *const *args_values(const struct args *a, const char *name, size_t *n)
{
    const struct given *g = find_given(a, name);
    *n = g ? g->n : 0;
    return g ? g->values : NULL;
}

uint64_t args_number(const struct args *a, const char *name, uint64_t fallback)
{
    const struct given *g = find_given(a, name);
    uint64_t n = fallback;
    if (g)
        (void)option_number(g->option, g->values[0], &n);
    return n;
}

const char *args_operand(const struct args *a, size_t i)
{
    return i < a->n_operands ? a->operands[i] : NULL;
}
