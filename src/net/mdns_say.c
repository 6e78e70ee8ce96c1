/*
 * mdns_say.c - packets out: what is owed becomes bytes when the caller asks for the next one (see
 * mdns_parts.h). Each announcement and each answer holds all of our records, so that whoever hears
 * one packet of ours can connect.
 */
#include <assert.h>

#include "net/mdns_parts.h"

static struct mdns_own own_of(const struct line *line, const struct rapport_beacon *beacon)
{
    return (struct mdns_own){beacon, line->link.own, line->link.n_own};
}

/* What goes along with these answers. */
static unsigned additional_to(unsigned answers)
{
    if (answers & (MDNS_HAS_PTR | MDNS_HAS_SRV | MDNS_HAS_TXT))
        return MDNS_HAS_INSTANCE & ~MDNS_HAS_PTR & ~answers;
    return 0;
}

static void put_records(struct mdns *m, const struct line *line,
                        const struct rapport_beacon *beacon, struct mdns_response response)
{
    struct mdns_own own = own_of(line, beacon);
    mdns_put_response(&m->out, &own, &response);
}

static void put_query(struct mdns *m, const struct line *line, bool one_shot)
{
    struct mdns_question q = {.name = MDNS_NAME_SERVICE, .type = MDNS_PTR};
    struct mdns_heard heard[MDNS_MOST_HEARD];
    struct mdns_query query = {.questions = &q, .n_questions = 1, .heard = heard};
    if (!one_shot)
        query.n_heard = cache_heard(m, line, heard);
    mdns_put_query(&m->out, &query);
}

static void put_details(struct mdns *m, const struct line *line)
{
    struct mdns_question questions[DETAILS_MOST * 4];
    struct mdns_query query = {.questions = questions,
                               .n_questions = cache_missing(m, line, questions)};
    if (query.n_questions > 0)
        mdns_put_query(&m->out, &query);
}

static void put_answer(struct mdns *m, struct line *line)
{
    unsigned answers = line->answers;
    line->answers = 0;
    line->truncated_from.family = 0;
    if (line->said && m->now < line->said + SAID_LEAST_MS)
        return; /* an announcement went out meanwhile */
    put_records(m, line, &m->beacon,
                (struct mdns_response){
                    .answers = answers, .additional = additional_to(answers), .ttl_s = MDNS_TTL_S});
    if (answers & MDNS_HAS_INSTANCE)
        line->said = m->now;
    line->shown = true;
}

static void put_announcement(struct mdns *m, struct line *line)
{
    put_records(m, line, &m->beacon,
                (struct mdns_response){.answers = MDNS_HAS_INSTANCE, .ttl_s = MDNS_TTL_S});
    line->said = m->now;
    line->shown = true;
}

static void put_probe(struct mdns *m, struct line *line)
{
    struct mdns_own own = own_of(line, &m->beacon);
    mdns_put_probe(&m->out, &own);
    line->shown = true;
}

/* Writes one packet of what the line owes; the buffer stays empty when it turned out that there is
   nothing to say. */
static void put_owed(struct mdns *m, struct line *line, enum owed what)
{
    switch (what) {
    case OWES_ONE_SHOT:
    case OWES_QUERY:
        put_query(m, line, what == OWES_ONE_SHOT);
        line->asked = m->now;
        break;
    case OWES_DETAILS:
        put_details(m, line);
        break;
    case OWES_BYE_OLD:
    case OWES_BYE:
        put_records(m, line, what == OWES_BYE ? &m->beacon : &m->old,
                    (struct mdns_response){.answers = MDNS_HAS_INSTANCE});
        break;
    case OWES_PROBE:
        put_probe(m, line);
        break;
    case OWES_ANNOUNCE:
        put_announcement(m, line);
        break;
    case OWES_ANSWER:
        put_answer(m, line);
        break;
    }
}

/* Our multicasts come back to us: remembered, to be told from others'. */
static void remember(struct mdns *m)
{
    m->echoes[m->n_echoes++ % MOST_ECHOES] =
        (struct echo){mdns_hash(m, m->out.ptr, m->out.len), m->now + ECHO_MS};
}

static bool next_owed(struct mdns *m, struct line *line, struct mdns_packet *out)
{
    while (line->used && line->owes) {
        enum owed what = (enum owed)(line->owes & (0 - line->owes));
        line->owes &= ~(unsigned)what;
        buf_reset(&m->out);
        put_owed(m, line, what);
        assert(!buf_error(&m->out));
        if (m->out.len == 0)
            continue;
        if (what != OWES_ANSWER) {
            line->unsolicited = m->now ? m->now : 1;
            m->stats.unsolicited++;
        }
        remember(m);
        *out = (struct mdns_packet){.link = line->link.id,
                                    .one_shot = what == OWES_ONE_SHOT,
                                    .bytes = m->out.ptr,
                                    .len = m->out.len};
        return true;
    }
    return false;
}

static void next_reply(struct mdns *m, struct mdns_packet *out)
{
    struct reply reply = m->replies[0];
    struct line *line = &m->lines[reply.line];
    m->n_replies--;
    memmove(m->replies, m->replies + 1, m->n_replies * sizeof m->replies[0]);
    buf_reset(&m->out);
    put_records(m, line, &m->beacon,
                (struct mdns_response){.id = reply.id,
                                       .one_shot = reply.one_shot,
                                       .questions = reply.questions,
                                       .n_questions = reply.n_questions,
                                       .answers = reply.answers,
                                       .additional = additional_to(reply.answers),
                                       .ttl_s = reply.one_shot ? MDNS_ONE_SHOT_TTL_S : MDNS_TTL_S});
    assert(!buf_error(&m->out));
    line->shown = true;
    *out = (struct mdns_packet){.link = line->link.id,
                                .unicast = true,
                                .to = reply.to,
                                .bytes = m->out.ptr,
                                .len = m->out.len};
}

bool mdns_next_packet(struct mdns *m, struct mdns_packet *out)
{
    bool found = m->n_replies > 0;
    if (found)
        next_reply(m, out);
    for (size_t i = 0; i < MDNS_MOST_LINKS && !found; i++)
        found = next_owed(m, &m->lines[i], out);
    m->stats.sent += found;
    if (!found)
        mdns_settle(m);
    return found;
}
