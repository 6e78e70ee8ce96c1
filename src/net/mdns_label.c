/*
 * mdns_label.c - who we are to the others on a LAN, and chance (see mdns_parts.h).
 *
 * Label and salt are random, tags hide behind the salt, and unused tag slots hold random bytes, so
 * an outsider can neither link two labels nor count groups. Whenever the tags change within an
 * epoch the salt changes too: otherwise the slots that stay would tell which ones are real.
 *
 * Randomness is the ChaCha20 stream of the configured seed, a nonce for each draw.
 */
#include <sodium/crypto_shorthash.h>
#include <sodium/crypto_stream_chacha20.h>

#include "net/mdns_parts.h"

enum {
    LABEL_SEED_BYTES = RAPPORT_LABEL_BYTES * 5 / 8
};

/* ---- chance ---- */

static void draw(struct mdns *m, void *out, size_t n)
{
    uint8_t nonce[crypto_stream_chacha20_NONCEBYTES];
    for (size_t i = 0; i < sizeof nonce; i++)
        nonce[i] = (uint8_t)(m->n_draws >> (8 * i));
    m->n_draws++;
    crypto_stream_chacha20(out, n, nonce, m->config.seed);
}

void mdns_hash_start(struct mdns *m)
{
    _Static_assert(sizeof m->hash_key == crypto_shorthash_KEYBYTES, "one key");
    draw(m, m->hash_key, sizeof m->hash_key);
}

uint32_t mdns_random(struct mdns *m, uint32_t n)
{
    uint8_t bytes[8];
    uint64_t v = 0;
    draw(m, bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        v = v << 8 | bytes[i];
    return (uint32_t)(v % n); /* 64 bits over a small n: even enough for waiting times */
}

uint64_t mdns_hash(const struct mdns *m, const void *bytes, size_t len)
{
    uint64_t hash;
    _Static_assert(sizeof hash == crypto_shorthash_BYTES, "one word");
    crypto_shorthash((uint8_t *)&hash, bytes, len, m->hash_key);
    return hash;
}

/* ---- label ---- */

/* 16 letters and digits of base32, each from 5 bits of its own. */
static void draw_label(struct mdns *m, uint8_t out[RAPPORT_LABEL_BYTES])
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
    uint8_t bytes[LABEL_SEED_BYTES];
    draw(m, bytes, sizeof bytes);
    for (size_t i = 0, bit = 0; i < RAPPORT_LABEL_BYTES; i++, bit += 5) {
        unsigned two = (unsigned)bytes[bit / 8] << 8;
        two |= bit / 8 + 1 < sizeof bytes ? bytes[bit / 8 + 1] : 0;
        out[i] = (uint8_t)letters[two >> (11 - bit % 8) & 31];
    }
}

/* The label was seen on these lines and is given up. */
static void owe_goodbye(struct mdns *m)
{
    bool pending = false, shown = false;
    for (size_t i = 0; i < MDNS_MOST_LINKS; i++) {
        pending = pending || (m->lines[i].owes & OWES_BYE_OLD);
        shown = shown || m->lines[i].shown;
    }
    if (pending || !shown)
        return; /* the one before has not had its own yet: this one was hardly seen */
    m->old = m->beacon;
    for (size_t i = 0; i < MDNS_MOST_LINKS; i++)
        if (m->lines[i].used && m->lines[i].shown)
            m->lines[i].owes |= OWES_BYE_OLD;
}

void mdns_relabel(struct mdns *m)
{
    owe_goodbye(m);
    draw_label(m, m->beacon.label);
    draw(m, m->beacon.salt, sizeof m->beacon.salt);
    m->spread = mdns_random(m, EPOCH_SPREAD_MS);
    m->born = m->now;
    m->stale = STALE_LABEL;
    for (size_t i = 0; i < MDNS_MOST_LINKS; i++) {
        m->lines[i].shown = false;
        m->lines[i].said = 0;
        plan_announcing(m, &m->lines[i]);
    }
}

rapport_time_ms mdns_rotation_due(const struct mdns *m)
{
    rapport_time_ms due = m->born + MDNS_LABEL_MS - EPOCH_MS;
    for (size_t i = 0; i < MDNS_MOST_LINKS; i++) {
        const struct line *line = &m->lines[i];
        if (line->used && line->unsolicited && line->unsolicited + EPOCH_MS > due &&
            plan_is_quiet(m, line))
            due = line->unsolicited + EPOCH_MS;
    }
    return m->announcing ? due : MDNS_NEVER;
}

/* ---- tags ---- */

/* Asks for the tags of the present label, salt and port. True when they are not what they were. */
static bool compute_tags(struct mdns *m)
{
    struct rapport_beacon b = m->beacon;
    size_t n = m->beacon.port ? m->config.tags(m->config.user, m->wall_ms, &b) : 0;
    n = n < RAPPORT_TAGS ? n : RAPPORT_TAGS;
    bool changed = n != m->n_tags || memcmp(b.tags, m->beacon.tags, n * sizeof b.tags[0]) != 0;
    if (changed)
        memcpy(m->beacon.tags, b.tags, n * sizeof b.tags[0]);
    m->n_tags = n;
    return changed;
}

static void fill_tags(struct mdns *m)
{
    compute_tags(m);
    if (m->n_tags < RAPPORT_TAGS)
        draw(m, m->beacon.tags[m->n_tags], (RAPPORT_TAGS - m->n_tags) * sizeof m->beacon.tags[0]);
}

/* There is nothing to be found by any more. */
static void stop_announcing(struct mdns *m)
{
    m->announcing = false;
    for (size_t i = 0; i < MDNS_MOST_LINKS; i++) {
        struct line *line = &m->lines[i];
        line->owes &= ~(unsigned)(OWES_PROBE | OWES_ANNOUNCE | OWES_ANSWER);
        if (line->used && line->shown)
            line->owes |= OWES_BYE;
        line->shown = false;
    }
}

static void announce_tags(struct mdns *m, rapport_time_ms wait_ms)
{
    for (size_t i = 0; i < MDNS_MOST_LINKS; i++)
        if (m->lines[i].used)
            plan_announcement(m, &m->lines[i], wait_ms);
}

void mdns_freshen(struct mdns *m)
{
    enum stale why = m->stale;
    if (why == FRESH || m->config.mode != MDNS_ACTIVE || m->leaving)
        return;
    m->stale = FRESH;
    if (why == STALE_TAGS && !compute_tags(m))
        return;
    if (why == STALE_TAGS)
        draw(m, m->beacon.salt, sizeof m->beacon.salt);
    fill_tags(m);
    if (m->n_tags == 0) {
        if (m->announcing)
            stop_announcing(m);
    } else if (!m->announcing) {
        m->announcing = true;
        mdns_relabel(m);
        m->stale = FRESH;
        fill_tags(m);
    } else if (why != STALE_LABEL) {
        announce_tags(m, why == STALE_EPOCH ? m->spread : 0);
    }
}
