/*
 * mdns_hear.c - packets in (see mdns_parts.h). A packet is read twice: once to its end, to see that
 * it keeps the rules, then again to take from it; so half of a bad packet never counts.
 *
 * Records count where they are announced: in responses, and in the authority section of probes,
 * where somebody says what he is about to announce. So two machines that come up at one moment find
 * each other with their first probes. Known answers in questions are what somebody else heard, and
 * only keep us from repeating it.
 *
 * The cache-flush bit is not looked at: who changes addresses here changes his label too.
 */
#include "net/mdns_parts.h"

/* What is read out of one packet. */
struct hearing {
    const struct rapport_address *source;
    bool unicast;
    bool is_ours; /* it names our label, or is the echo of what we sent */
    struct sighting sightings[MOST_SIGHTINGS];
    size_t n_sightings;
    unsigned wanted; /* enum mdns_records: the questions */
    bool unicast_wanted;
    bool knows_us; /* our PTR record is among the known answers */
    struct mdns_question questions[MOST_REPEATED];
    size_t n_questions;
};

/* ---- who sent it ---- */

static bool in_network(const struct rapport_address *a, const struct rapport_address *own,
                       unsigned bits)
{
    unsigned most = a->family == 4 ? 32 : 128;
    if (a->family != own->family || bits == 0 || bits > most)
        return false;
    unsigned whole = bits / 8, rest = bits % 8;
    if (memcmp(a->bytes, own->bytes, whole) != 0)
        return false;
    return rest == 0 || (a->bytes[whole] ^ own->bytes[whole]) >> (8 - rest) == 0;
}

bool mdns_on_link(const struct line *line, const struct rapport_address *a)
{
    if (address_is_link_local(a))
        return true;
    for (size_t i = 0; i < line->link.n_own; i++)
        if (mdns_same_host(a, &line->link.own[i]) ||
            in_network(a, &line->link.own[i], line->link.prefix[i]))
            return true;
    return false;
}

static bool is_own_host(const struct mdns *m, const struct rapport_address *a)
{
    for (size_t i = 0; i < MDNS_MOST_LINKS; i++)
        for (size_t k = 0; m->lines[i].used && k < m->lines[i].link.n_own; k++)
            if (mdns_same_host(a, &m->lines[i].link.own[k]))
                return true;
    return false;
}

/* What we sent within the last seconds, coming from this machine. */
static bool is_echo(const struct mdns *m, const struct rapport_address *source, struct slice bytes)
{
    uint64_t hash = mdns_hash(m, bytes.ptr, bytes.len);
    for (size_t i = 0; i < MOST_ECHOES; i++)
        if (m->echoes[i].hash == hash && m->now <= m->echoes[i].until)
            return is_own_host(m, source);
    return false;
}

/* A machine that floods uses up its own share. Many of them use up that of the link, and a few
   packets of each other machine are read all the same. */
static bool is_admitted(struct mdns *m, struct line *line, const struct mdns_arrival *arrival)
{
    enum {
        US_PER_S = 1000000
    };
    const struct rapport_address *source = &arrival->source;
    size_t bucket = mdns_hash(m, source->bytes, source->family == 4 ? 4 : 16) % SOURCES;
    if (!pace_take(&line->sources[bucket], m->now, US_PER_S / MDNS_MOST_SOURCE_PER_S,
                   MDNS_MOST_SOURCE_PER_S))
        return false;
    return pace_take(&line->packets[arrival->unicast], m->now, US_PER_S / MDNS_MOST_PACKETS_PER_S,
                     MDNS_MOST_PACKETS_PER_S) ||
           pace_take(&line->reserved[bucket], m->now, RESERVED_EACH_MS * 1000, RESERVED_BURST);
}

/* ---- gathering ---- */

static struct sighting *sighting_of(struct hearing *h, const uint8_t *label)
{
    for (size_t i = 0; i < h->n_sightings; i++)
        if (memcmp(h->sightings[i].label, label, RAPPORT_LABEL_BYTES) == 0)
            return &h->sightings[i];
    if (h->n_sightings == MOST_SIGHTINGS)
        return NULL;
    struct sighting *s = &h->sightings[h->n_sightings++];
    *s = (struct sighting){0};
    memcpy(s->label, label, RAPPORT_LABEL_BYTES);
    return s;
}

static void gather_address(struct sighting *s, const struct mdns_item *item, uint32_t ttl_s)
{
    for (size_t i = 0; i < s->n_addresses; i++)
        if (mdns_same_host(&s->addresses[i], &item->address))
            return;
    if (s->n_addresses == MDNS_MOST_ADDRESSES)
        return;
    s->addresses[s->n_addresses] = item->address;
    s->address_ttl_s[s->n_addresses++] = ttl_s;
}

/* A record counts for at most MDNS_TTL_S. An answer to our one-shot question is given for a few
   seconds because of what other resolvers do with it; we know better. */
static uint32_t ttl_of(const struct hearing *h, const struct mdns_item *item)
{
    if (item->ttl_s > MDNS_TTL_S || (h->unicast && item->ttl_s > 0))
        return MDNS_TTL_S;
    return item->ttl_s;
}

static void gather_record(struct hearing *h, const struct mdns_item *item)
{
    struct sighting *s = sighting_of(h, item->label);
    uint32_t ttl_s = ttl_of(h, item);
    if (!s)
        return;
    if (item->type == MDNS_A || item->type == MDNS_AAAA) {
        gather_address(s, item, ttl_s);
        return;
    }
    s->alive = s->alive || ttl_s > 0;
    s->bye = s->bye || ttl_s == 0;
    s->ttl_s = ttl_s > s->ttl_s ? ttl_s : s->ttl_s;
    if (item->type == MDNS_SRV && ttl_s > 0) {
        s->has_srv = true;
        s->port = item->port;
    } else if (item->type == MDNS_TXT && ttl_s > 0) {
        s->has_txt = true;
        memcpy(s->salt, item->salt, sizeof s->salt);
        memcpy(s->tags, item->tags, sizeof s->tags);
    }
}

static bool is_type(const struct mdns_item *item, enum mdns_type type)
{
    return item->type == type || item->type == MDNS_ANY;
}

/* Which of our records the question is for. */
static unsigned wanted_by(const struct mdns *m, const struct mdns_item *item)
{
    bool is_us = memcmp(item->label, m->beacon.label, sizeof m->beacon.label) == 0;
    unsigned wanted = 0;
    switch (item->name) {
    case MDNS_NAME_SERVICE:
        return is_type(item, MDNS_PTR) ? MDNS_HAS_PTR : 0;
    case MDNS_NAME_ALL_SERVICES:
        return is_type(item, MDNS_PTR) ? MDNS_HAS_SERVICES : 0;
    case MDNS_NAME_INSTANCE:
        wanted |= is_type(item, MDNS_SRV) ? MDNS_HAS_SRV : 0;
        wanted |= is_type(item, MDNS_TXT) ? MDNS_HAS_TXT : 0;
        return is_us ? wanted : 0;
    case MDNS_NAME_HOST:
        wanted |= is_type(item, MDNS_A) || is_type(item, MDNS_AAAA) ? MDNS_HAS_ADDRESSES : 0;
        return is_us ? wanted : 0;
    case MDNS_NAME_OTHER:
        break;
    }
    return 0;
}

static void gather_question(const struct mdns *m, struct hearing *h, const struct mdns_item *item)
{
    unsigned wanted = wanted_by(m, item);
    if (!wanted)
        return;
    h->wanted |= wanted;
    h->unicast_wanted = h->unicast_wanted || item->flag;
    if (h->n_questions == MOST_REPEATED)
        return;
    struct mdns_question *q = &h->questions[h->n_questions++];
    *q = (struct mdns_question){.name = item->name, .type = item->type};
    memcpy(q->label, item->label, sizeof q->label);
}

static void gather(const struct mdns *m, struct hearing *h, struct slice bytes)
{
    struct mdns_parser p;
    struct mdns_item item;
    mdns_parse_start(&p, bytes);
    while (mdns_parse_next(&p, &item)) {
        bool is_us = memcmp(item.label, m->beacon.label, sizeof item.label) == 0;
        if (item.section == MDNS_QUESTIONS)
            gather_question(m, h, &item);
        else if (p.is_response ? item.section != MDNS_AUTHORITY : item.section == MDNS_AUTHORITY)
            gather_record(h, &item);
        else if (item.section == MDNS_ANSWERS && item.type == MDNS_PTR && is_us)
            h->knows_us = h->knows_us || item.ttl_s >= MDNS_TTL_S / 2;
    }
}

/* ---- instances ---- */

/* Somebody claims our label. Chance does not do that in 80 bits: so it is rare to give way, or
   whoever wants to could keep us busy. */
static void contest(struct mdns *m, const struct sighting *s, const struct rapport_address *source)
{
    bool differs = (s->has_srv && s->port != m->beacon.port) ||
                   (s->has_txt && memcmp(s->salt, m->beacon.salt, sizeof s->salt) != 0);
    if (!m->announcing || !differs || is_own_host(m, source))
        return;
    if (m->conflict && m->now < m->conflict + CONFLICT_MS)
        return;
    m->conflict = m->now ? m->now : 1;
    mdns_relabel(m);
    mdns_freshen(m);
}

static void take_sightings(struct mdns *m, struct line *line, struct hearing *h)
{
    for (size_t i = 0; i < h->n_sightings; i++) {
        const struct sighting *s = &h->sightings[i];
        if (memcmp(s->label, m->old.label, sizeof s->label) == 0) {
            h->is_ours = true;
        } else if (memcmp(s->label, m->beacon.label, sizeof s->label) == 0) {
            h->is_ours = true;
            contest(m, s, h->source);
        } else {
            cache_take(m, line, h->source, s);
        }
    }
}

/* ---- questions ---- */

/* Only to who is on the link, and few: nobody shall use us to flood somebody else. */
static void answer_one(struct mdns *m, struct line *line, const struct hearing *h,
                       const struct mdns_parser *p, bool one_shot)
{
    enum {
        INTERVAL_US = 1000000 / UNICAST_PER_S
    };
    if (!mdns_on_link(line, h->source)) {
        m->stats.dropped++;
        return;
    }
    if (m->n_replies == MOST_REPLIES ||
        !pace_take(&line->replies, m->now, INTERVAL_US, UNICAST_PER_S))
        return;
    struct reply *reply = &m->replies[m->n_replies++];
    *reply = (struct reply){.line = (size_t)(line - m->lines),
                            .to = *h->source,
                            .id = one_shot ? p->id : 0,
                            .one_shot = one_shot,
                            .answers = h->wanted,
                            .n_questions = h->n_questions};
    memcpy(reply->questions, h->questions, sizeof reply->questions);
}

/* How long what was multicast is not repeated. In a room of N each of us answers once in N/10 s, so
   all of us together ten times a second, however many newcomers ask. */
static rapport_time_ms said_window(const struct mdns *m)
{
    rapport_time_ms window = m->n_live * SAID_PER_INSTANCE_MS;
    if (window < SAID_LEAST_MS)
        return SAID_LEAST_MS;
    return window < SAID_MOST_MS ? window : SAID_MOST_MS;
}

static void answer_all(struct mdns *m, struct line *line, const struct hearing *h, bool truncated)
{
    rapport_time_ms window = m->n_live * ANSWER_PER_INSTANCE_MS;
    window = window < HASTE_MAX_MS ? HASTE_MAX_MS : window;
    window = window < ANSWER_MOST_MS ? window : ANSWER_MOST_MS;
    rapport_time_ms wait = HASTE_MIN_MS + mdns_random(m, (uint32_t)(window - HASTE_MIN_MS) + 1);
    if (truncated) {
        wait += ANSWER_TRUNCATED_MS;
        line->truncated_from = *h->source;
    }
    line->answers |= h->wanted;
    if (m->now + wait < line->answer_due)
        line->answer_due = m->now + wait;
}

static void hear_questions(struct mdns *m, struct line *line, const struct hearing *h,
                           const struct mdns_parser *p)
{
    bool goes_on = line->truncated_from.family && address_equal(&line->truncated_from, h->source);
    if (h->knows_us && goes_on) {
        line->answers &= ~(unsigned)MDNS_HAS_PTR;
        line->answer_due = line->answers ? line->answer_due : MDNS_NEVER;
    }
    bool one_shot = h->source->port != MDNS_PORT;
    bool said = line->said && m->now < line->said + said_window(m);
    if (!m->announcing || !h->wanted || (h->knows_us && h->wanted == MDNS_HAS_PTR))
        return;
    if (one_shot || (said && h->unicast_wanted))
        answer_one(m, line, h, p, one_shot);
    else if (!said)
        answer_all(m, line, h, p->is_truncated);
}

/* ---- in ---- */

static void hear(struct mdns *m, struct line *line, struct hearing *h, struct slice bytes)
{
    struct mdns_parser p;
    mdns_parse_start(&p, bytes);
    gather(m, h, bytes);
    take_sightings(m, line, h);
    if (!p.is_response && !h->is_ours && !h->unicast)
        hear_questions(m, line, h, &p);
}

/* RFC 6762 §6: a response from another port is none. */
static bool is_well_formed(const struct mdns_arrival *arrival)
{
    struct mdns_parser p;
    mdns_parse_start(&p, arrival->bytes);
    return mdns_parse_check(arrival->bytes) == 0 &&
           !(p.is_response && arrival->source.port != MDNS_PORT);
}

void mdns_receive(struct mdns *m, rapport_time_ms now, uint64_t wall_ms,
                  const struct mdns_arrival *arrival)
{
    const struct rapport_address *source = &arrival->source;
    struct line *line = mdns_line(m, arrival->link);
    if (!line || m->config.mode == MDNS_OFF || m->leaving)
        return;
    mdns_clock(m, now, wall_ms);
    if (!is_admitted(m, line, arrival) || (arrival->unicast && !mdns_on_link(line, source))) {
        m->stats.dropped++;
        mdns_settle(m);
        return;
    }
    struct hearing h = {.source = source, .unicast = arrival->unicast};
    m->stats.received++;
    if (!is_well_formed(arrival))
        m->stats.malformed++;
    else if (is_echo(m, source, arrival->bytes))
        h.is_ours = true;
    else
        hear(m, line, &h, arrival->bytes);
    m->stats.heard_own += h.is_ours;
    if (!h.is_ours && !is_own_host(m, source))
        m->stats.last_foreign = now;
    mdns_settle(m);
}
