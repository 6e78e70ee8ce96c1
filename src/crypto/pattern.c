/*
 * pattern.c - the table of Noise patterns and the parser of protocol names (see pattern.h).
 *
 * The rows read as in the specification (rev. 34, sections 7.4, 7.5 and appendix 18.1): messages in
 * order, the initiator's first.
 */
#include "crypto/pattern.h"

#include "rapport/error.h"

#define E   TOKEN_E
#define S   TOKEN_S
#define EE  TOKEN_EE
#define ES  TOKEN_ES
#define SE  TOKEN_SE
#define SS  TOKEN_SS
#define PSK TOKEN_PSK

enum {
    PRE_NONE = 0,
    PRE_I = 1, /* -> s before the first message */
    PRE_R = 2, /* <- s */
    PRE_BOTH = PRE_I | PRE_R
};

struct row {
    char name[5];
    uint8_t pre;
    uint8_t messages[NOISE_MOST_MESSAGES][6];
};

static const struct row rows[] = {
    /* one-way */
    {"N", PRE_R, {{E, ES}}},
    {"K", PRE_BOTH, {{E, ES, SS}}},
    {"X", PRE_R, {{E, ES, S, SS}}},
    /* fundamental */
    {"NN", PRE_NONE, {{E}, {E, EE}}},
    {"NK", PRE_R, {{E, ES}, {E, EE}}},
    {"NX", PRE_NONE, {{E}, {E, EE, S, ES}}},
    {"XN", PRE_NONE, {{E}, {E, EE}, {S, SE}}},
    {"XK", PRE_R, {{E, ES}, {E, EE}, {S, SE}}},
    {"XX", PRE_NONE, {{E}, {E, EE, S, ES}, {S, SE}}},
    {"KN", PRE_I, {{E}, {E, EE, SE}}},
    {"KK", PRE_BOTH, {{E, ES, SS}, {E, EE, SE}}},
    {"KX", PRE_I, {{E}, {E, EE, SE, S, ES}}},
    {"IN", PRE_NONE, {{E, S}, {E, EE, SE}}},
    {"IK", PRE_R, {{E, ES, S, SS}, {E, EE, SE}}},
    {"IX", PRE_NONE, {{E, S}, {E, EE, SE, S, ES}}},
    /* deferred */
    {"NK1", PRE_R, {{E}, {E, EE, ES}}},
    {"NX1", PRE_NONE, {{E}, {E, EE, S}, {ES}}},
    {"X1N", PRE_NONE, {{E}, {E, EE}, {S}, {SE}}},
    {"X1K", PRE_R, {{E, ES}, {E, EE}, {S}, {SE}}},
    {"XK1", PRE_R, {{E}, {E, EE, ES}, {S, SE}}},
    {"X1K1", PRE_R, {{E}, {E, EE, ES}, {S}, {SE}}},
    {"X1X", PRE_NONE, {{E}, {E, EE, S, ES}, {S}, {SE}}},
    {"XX1", PRE_NONE, {{E}, {E, EE, S}, {ES, S, SE}}},
    {"X1X1", PRE_NONE, {{E}, {E, EE, S}, {ES, S}, {SE}}},
    {"K1N", PRE_I, {{E}, {E, EE}, {SE}}},
    {"K1K", PRE_BOTH, {{E, ES}, {E, EE}, {SE}}},
    {"KK1", PRE_BOTH, {{E}, {E, EE, SE, ES}}},
    {"K1K1", PRE_BOTH, {{E}, {E, EE, ES}, {SE}}},
    {"K1X", PRE_I, {{E}, {E, EE, S, ES}, {SE}}},
    {"KX1", PRE_I, {{E}, {E, EE, SE, S}, {ES}}},
    {"K1X1", PRE_I, {{E}, {E, EE, S}, {SE, ES}}},
    {"I1N", PRE_NONE, {{E, S}, {E, EE}, {SE}}},
    {"I1K", PRE_R, {{E, ES, S}, {E, EE}, {SE}}},
    {"IK1", PRE_R, {{E, S}, {E, EE, SE, ES}}},
    {"I1K1", PRE_R, {{E, S}, {E, EE, ES}, {SE}}},
    {"I1X", PRE_NONE, {{E, S}, {E, EE, S, ES}, {SE}}},
    {"IX1", PRE_NONE, {{E, S}, {E, EE, SE, S}, {ES}}},
    {"I1X1", PRE_NONE, {{E, S}, {E, EE, S}, {SE, ES}}},
};

static bool take(struct slice *s, const char *word)
{
    size_t n = strlen(word);
    if (s->len < n || memcmp(s->ptr, word, n) != 0)
        return false;
    *s = slice_skip(*s, n);
    return true;
}

/* Capitals and digits make the base name; modifiers are lower case. */
static struct slice take_name(struct slice *s)
{
    size_t n = 0;
    while (n < s->len &&
           ((s->ptr[n] >= 'A' && s->ptr[n] <= 'Z') || (s->ptr[n] >= '0' && s->ptr[n] <= '9')))
        n++;
    struct slice name = slice_of(s->ptr, n);
    *s = slice_skip(*s, n);
    return name;
}

static const struct row *find_row(struct slice name)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (slice_equal(name, slice_str(rows[i].name)))
            return &rows[i];
    return NULL;
}

static void fill(struct pattern *p, const struct row *row)
{
    *p = (struct pattern){.initiator_pre_s = row->pre & PRE_I, .responder_pre_s = row->pre & PRE_R};
    while (p->n_messages < NOISE_MOST_MESSAGES && row->messages[p->n_messages][0]) {
        memcpy(p->tokens[p->n_messages], row->messages[p->n_messages],
               sizeof row->messages[p->n_messages]);
        p->n_messages++;
    }
}

/* psk0 goes to the front of the first message, pskN to the end of message N (spec section 9.4). */
static void insert_psk(struct pattern *p, size_t at)
{
    uint8_t *tokens = p->tokens[at ? at - 1 : 0];
    if (at == 0) {
        memmove(tokens + 1, tokens, NOISE_MOST_TOKENS - 1);
        tokens[0] = PSK;
    } else {
        size_t end = 0;
        while (tokens[end])
            end++;
        tokens[end] = PSK;
    }
    p->n_psks++;
}

/* Modifiers, if any: "psk0", "psk0+psk2". */
static int take_modifiers(struct slice *s, struct pattern *p)
{
    if (s->len && s->ptr[0] == '_')
        return 0;
    size_t least = 0;
    do {
        if (!take(s, "psk") || s->len == 0 || s->ptr[0] < '0' || p->n_psks == NOISE_MOST_PSKS)
            return RAPPORT_INVALID;
        size_t at = (size_t)(s->ptr[0] - '0');
        if (at < least || at > p->n_messages)
            return RAPPORT_INVALID;
        insert_psk(p, at);
        least = at + 1;
        *s = slice_skip(*s, 1);
    } while (take(s, "+"));
    return 0;
}

int pattern_parse(const char *protocol, struct pattern *out)
{
    struct slice s = slice_str(protocol);
    struct pattern p;
    if (s.len > NOISE_HASH_BYTES || !take(&s, "Noise_"))
        return RAPPORT_INVALID;
    const struct row *row = find_row(take_name(&s));
    if (!row)
        return RAPPORT_INVALID;
    fill(&p, row);
    if (take_modifiers(&s, &p) != 0 || !slice_equal(s, slice_str("_25519_ChaChaPoly_BLAKE2b")))
        return RAPPORT_INVALID;
    *out = p;
    return 0;
}

/* Whether a Diffie-Hellman token takes that side's static key. */
static bool uses_static(enum token token, bool initiator)
{
    return token == TOKEN_SS || token == (initiator ? TOKEN_SE : TOKEN_ES);
}

struct pattern_keys pattern_keys(const struct pattern *p, bool initiator)
{
    struct pattern_keys keys = {.s = initiator ? p->initiator_pre_s : p->responder_pre_s,
                                .rs = initiator ? p->responder_pre_s : p->initiator_pre_s};
    for (size_t i = 0; i < p->n_messages; i++)
        for (const uint8_t *t = p->tokens[i]; *t; t++) {
            bool ours = (i % 2 == 0) == initiator;
            keys.e = keys.e || (ours && *t == TOKEN_E);
            keys.s = keys.s || (ours && *t == TOKEN_S) || uses_static(*t, initiator);
        }
    return keys;
}
