/*
 * ids.h - which event has which local version.
 *
 * Every event has a local version (LV): its index in the order in which events came to this
 * replica, 32 bits. Two run-length tables map between LVs and (agent, seq): `runs` by LV, and for
 * each agent its runs by seq, which need not rise in LV, as one agent may have written on two
 * branches. Agents are sorted once by their bytes; comparing two of them compares ranks.
 */
#ifndef TEXT_IDS_H
#define TEXT_IDS_H

#include "base/slice.h"
#include "rapport/text.h"

/* No LV: the version before all events, or the ends of a text in the tracker. */
#define LV_NONE UINT32_MAX

/* A run of LVs or of other numbers: [start, end). */
struct span {
    uint32_t start, end;
};

struct agent_run {
    uint64_t seq;
    uint32_t lv, n;
};

struct agent {
    uint8_t name[RAPPORT_TEXT_MOST_AGENT_BYTES];
    size_t name_len;
    uint32_t rank;          /* among all agents, by bytes */
    struct agent_run *runs; /* by seq, disjoint */
    size_t n_runs, cap_runs;
};

struct id_run {
    uint64_t seq;
    uint32_t lv; /* the run ends where the next one begins */
    uint32_t agent;
};

struct ids {
    struct agent **agents; /* in the order in which they came */
    size_t n_agents, cap_agents;
    uint32_t *by_rank; /* indices into agents */
    size_t cap_by_rank;
    struct id_run *runs;
    size_t n_runs, cap_runs;
    uint32_t n_events;
    uint32_t last_agent; /* that find_agent gave, a hint */
};

#define IDS_INIT ((struct ids){0})

/* Frees the tables; they are empty and usable again. */
void ids_clear(struct ids *ids);
/* Index of the agent with these bytes, or LV_NONE. */
uint32_t ids_find_agent(const struct ids *ids, struct slice name);
/* As ids_find_agent, and adds it when it is new. Returns 0, RAPPORT_LIMIT or RAPPORT_NOMEM. */
int ids_add_agent(struct ids *ids, struct slice name, uint32_t *agent);
/* Forgets the agent that was added last. */
void ids_drop_agent(struct ids *ids);
/* Room for n more runs of this agent. Returns 0 or RAPPORT_NOMEM. */
int ids_reserve(struct ids *ids, uint32_t agent, size_t n);
/* Gives the next n LVs to seq, seq + 1, ... of the agent; none of them may have one. Room for a run
 * must be there. */
void ids_push(struct ids *ids, uint32_t agent, uint64_t seq, uint32_t n);
/* The LV of an event, or LV_NONE; *n (may be NULL) is how many seqs from here on are known in one
 * run, or, for an unknown one, how many are not known (UINT64_MAX: all). */
uint32_t ids_lv(const struct ids *ids, uint32_t agent, uint64_t seq, uint64_t *n);
/* The LV of a public id, or LV_NONE. */
uint32_t ids_find(const struct ids *ids, const struct rapport_text_id *id);
/* The run that holds LV lv, and its id there. */
struct id_run ids_at(const struct ids *ids, uint32_t lv);
/* The public id of an LV; the agent is borrowed. */
struct rapport_text_id ids_public(const struct ids *ids, uint32_t lv);
/* Orders two events by (agent bytes, seq): < 0, 0 or > 0. */
int ids_compare(const struct ids *ids, uint32_t a, uint32_t b);

#endif
