/*
 * mdns_plan.c - what is due on a link, and when (see mdns_parts.h).
 *
 *     a link comes up      one-shot question at once
 *                          probes after 20 to 120 ms, three, 250 ms apart
 *                          announcements 250 ms after the last probe, 1 s and 3 s after the first
 *                          questions after 0.4 s, then 1, 3, 9 s ... later, at most an hour
 *     new tags             one announcement; at a new epoch within the first minute of it
 *     quiet                no questions; one unsolicited packet each 15 minutes
 *
 * Quiet is a line when MDNS_ENOUGH_PEERS are connected, or everybody who was recognised is.
 */
#include "net/mdns_parts.h"

bool plan_is_quiet(const struct mdns *m, const struct line *line)
{
    if (m->n_peers >= MDNS_ENOUGH_PEERS)
        return true;
    if (m->n_unconnected > 0)
        return false;
    return m->n_known > 0 || (m->n_peers > 0 && m->now >= line->asking + ASK_AT_LEAST_MS);
}

static rapport_time_ms haste(struct mdns *m)
{
    return HASTE_MIN_MS + mdns_random(m, HASTE_MAX_MS - HASTE_MIN_MS + 1);
}

/* ---- announcing ---- */

void plan_announcing(struct mdns *m, struct line *line)
{
    line->step = 0;
    line->step_due = m->now + haste(m);
    line->announce_due = MDNS_NEVER;
}

void plan_announcement(struct mdns *m, struct line *line, rapport_time_ms wait_ms)
{
    if (line->step < STEPS)
        return; /* some are to come anyhow */
    if (m->now + wait_ms < line->announce_due)
        line->announce_due = m->now + wait_ms;
}

/* One of the first packets. When everybody is here already, one announcement is all that remains.
 */
static void take_step(struct mdns *m, struct line *line)
{
    bool quiet = plan_is_quiet(m, line);
    if (line->step < PROBES && !quiet) {
        line->owes |= OWES_PROBE;
        line->step_due = m->now + PROBE_MS;
        line->step++;
        return;
    }
    if (!quiet || line->step <= PROBES)
        line->owes |= OWES_ANNOUNCE;
    line->step_due = m->now + (line->step == PROBES ? 1u : 2u) * ANNOUNCE_AGAIN_MS;
    line->step = quiet ? STEPS : line->step + 1;
}

/* When the planned announcement may go out. */
static rapport_time_ms announce_due(const struct mdns *m, const struct line *line)
{
    rapport_time_ms due = line->announce_due;
    if (due == MDNS_NEVER || m->now >= m->born + MDNS_LABEL_MS - EPOCH_MS)
        return MDNS_NEVER; /* the next label comes first */
    if (line->unsolicited && due < line->unsolicited + EPOCH_MS && plan_is_quiet(m, line))
        due = line->unsolicited + EPOCH_MS;
    return due;
}

/* ---- asking ---- */

void plan_asking(struct mdns *m, struct line *line, bool one_shot)
{
    if (one_shot)
        line->owes |= OWES_ONE_SHOT;
    line->asking = m->now;
    line->ask_due = m->now + ASK_FIRST_MS;
    line->ask_gap = ASK_GAP_MS;
}

void plan_ask_again(struct mdns *m)
{
    for (size_t i = 0; i < MDNS_MOST_LINKS; i++) {
        struct line *line = &m->lines[i];
        if (!line->used || line->ask_due <= m->now + ASK_GAP_MS)
            continue;
        line->ask_due = m->now + ASK_GAP_MS;
        line->ask_gap = 3 * ASK_GAP_MS;
    }
}

static void ask(struct mdns *m, struct line *line)
{
    line->owes |= OWES_QUERY;
    line->ask_due = m->now + line->ask_gap + mdns_random(m, (uint32_t)line->ask_gap / 10);
    line->ask_gap = line->ask_gap * 3 < ASK_MOST_MS ? line->ask_gap * 3 : ASK_MOST_MS;
}

/* Records that run out are asked for as everything is, but not twice in a second. */
static rapport_time_ms refresh_due(const struct line *line)
{
    if (!line->refresh)
        return MDNS_NEVER;
    return line->asked ? line->asked + ASK_GAP_MS : 0;
}

static void tick_asking(struct mdns *m, struct line *line)
{
    if (line->ask_due <= m->now) {
        if (plan_is_quiet(m, line))
            line->ask_due = MDNS_NEVER;
        else
            ask(m, line);
    } else if (line->ask_due == MDNS_NEVER && !plan_is_quiet(m, line)) {
        line->ask_due = m->now + ASK_GAP_MS;
        line->ask_gap = 3 * ASK_GAP_MS;
    }
    if (refresh_due(line) <= m->now) {
        line->refresh = false;
        if (!plan_is_quiet(m, line))
            line->owes |= OWES_QUERY;
    }
}

/* ---- both ---- */

void plan_tick(struct mdns *m, struct line *line)
{
    tick_asking(m, line);
    if (!m->announcing)
        return;
    if (line->step < STEPS && line->step_due <= m->now)
        take_step(m, line);
    if (announce_due(m, line) <= m->now) {
        line->announce_due = MDNS_NEVER;
        line->owes |= OWES_ANNOUNCE;
    }
    if (line->answer_due <= m->now) {
        line->answer_due = MDNS_NEVER;
        line->owes |= OWES_ANSWER;
    }
}

static rapport_time_ms sooner(rapport_time_ms a, rapport_time_ms b)
{
    return a < b ? a : b;
}

rapport_time_ms plan_due(const struct mdns *m, const struct line *line)
{
    rapport_time_ms due = sooner(line->ask_due, refresh_due(line));
    if (line->ask_due == MDNS_NEVER && !plan_is_quiet(m, line))
        due = 0;
    if (!m->announcing)
        return due;
    if (line->step < STEPS)
        due = sooner(due, line->step_due);
    due = sooner(due, announce_due(m, line));
    return sooner(due, line->answer_due);
}
