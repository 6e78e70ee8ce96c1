/* ids.c - agents and the two tables between LVs and ids (see ids.h). */
#include "text/ids.h"

#include <assert.h>

#include "text/vec.h"

void ids_clear(struct ids *ids)
{
    for (size_t i = 0; i < ids->n_agents; i++) {
        free(ids->agents[i]->runs);
        free(ids->agents[i]);
    }
    free(ids->agents);
    free(ids->by_rank);
    free(ids->runs);
    *ids = IDS_INIT;
}

static struct slice name_of(const struct agent *a)
{
    return slice_of(a->name, a->name_len);
}

/* Rank at which an agent of this name stands or would stand. */
static size_t rank_of(const struct ids *ids, struct slice name)
{
    size_t low = 0, high = ids->n_agents;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (slice_compare(name_of(ids->agents[ids->by_rank[mid]]), name) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

uint32_t ids_find_agent(const struct ids *ids, struct slice name)
{
    if (ids->last_agent < ids->n_agents && slice_equal(name_of(ids->agents[ids->last_agent]), name))
        return ids->last_agent;
    size_t rank = rank_of(ids, name);
    if (rank == ids->n_agents || !slice_equal(name_of(ids->agents[ids->by_rank[rank]]), name))
        return LV_NONE;
    return ids->by_rank[rank];
}

static void renumber(struct ids *ids, size_t from)
{
    for (size_t i = from; i < ids->n_agents; i++)
        ids->agents[ids->by_rank[i]]->rank = (uint32_t)i;
}

int ids_add_agent(struct ids *ids, struct slice name, uint32_t *agent)
{
    assert(name.len >= 1 && name.len <= RAPPORT_TEXT_MOST_AGENT_BYTES);
    uint32_t found = ids_find_agent(ids, name);
    if (found != LV_NONE) {
        ids->last_agent = *agent = found;
        return 0;
    }
    if (ids->n_agents == RAPPORT_TEXT_MOST_AGENTS)
        return RAPPORT_LIMIT;
    if (VEC_RESERVE(ids->agents, ids->cap_agents, ids->n_agents + 1) ||
        VEC_RESERVE(ids->by_rank, ids->cap_by_rank, ids->n_agents + 1))
        return RAPPORT_NOMEM;
    struct agent *a = calloc(1, sizeof *a);
    if (!a)
        return RAPPORT_NOMEM;
    memcpy(a->name, name.ptr, name.len);
    a->name_len = name.len;
    size_t rank = rank_of(ids, name);
    memmove(ids->by_rank + rank + 1, ids->by_rank + rank,
            (ids->n_agents - rank) * sizeof *ids->by_rank);
    ids->by_rank[rank] = (uint32_t)ids->n_agents;
    ids->agents[ids->n_agents] = a;
    ids->last_agent = *agent = (uint32_t)ids->n_agents++;
    renumber(ids, rank);
    return 0;
}

void ids_drop_agent(struct ids *ids)
{
    struct agent *a = ids->agents[--ids->n_agents];
    assert(a->n_runs == 0);
    memmove(ids->by_rank + a->rank, ids->by_rank + a->rank + 1,
            (ids->n_agents - a->rank) * sizeof *ids->by_rank);
    renumber(ids, a->rank);
    free(a->runs);
    free(a);
}

int ids_reserve(struct ids *ids, uint32_t agent, size_t n)
{
    struct agent *a = ids->agents[agent];
    if (VEC_RESERVE(a->runs, a->cap_runs, a->n_runs + n))
        return RAPPORT_NOMEM;
    return VEC_RESERVE(ids->runs, ids->cap_runs, ids->n_runs + n);
}

/* Index of the agent's first run that ends after seq. */
static size_t run_after(const struct agent *a, uint64_t seq)
{
    size_t low = 0, high = a->n_runs;
    if (high && a->runs[high - 1].seq + a->runs[high - 1].n <= seq)
        return high;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (a->runs[mid].seq + a->runs[mid].n <= seq)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static void push_agent_run(struct agent *a, uint64_t seq, uint32_t lv, uint32_t n)
{
    size_t at = run_after(a, seq);
    struct agent_run *before = at ? &a->runs[at - 1] : NULL;
    assert(at == a->n_runs || a->runs[at].seq >= seq + n);
    if (before && before->seq + before->n == seq && before->lv + before->n == lv) {
        before->n += n;
        return;
    }
    memmove(a->runs + at + 1, a->runs + at, (a->n_runs - at) * sizeof *a->runs);
    a->runs[at] = (struct agent_run){seq, lv, n};
    a->n_runs++;
}

void ids_push(struct ids *ids, uint32_t agent, uint64_t seq, uint32_t n)
{
    uint32_t lv = ids->n_events;
    push_agent_run(ids->agents[agent], seq, lv, n);
    struct id_run *last = ids->n_runs ? &ids->runs[ids->n_runs - 1] : NULL;
    if (!last || last->agent != agent || last->seq + (lv - last->lv) != seq)
        ids->runs[ids->n_runs++] = (struct id_run){seq, lv, agent};
    ids->n_events += n;
}

uint32_t ids_lv(const struct ids *ids, uint32_t agent, uint64_t seq, uint64_t *n)
{
    const struct agent *a = ids->agents[agent];
    size_t at = run_after(a, seq);
    uint64_t ignored;
    n = n ? n : &ignored;
    if (at == a->n_runs) {
        *n = UINT64_MAX;
        return LV_NONE;
    }
    const struct agent_run *r = &a->runs[at];
    if (seq < r->seq) {
        *n = r->seq - seq;
        return LV_NONE;
    }
    *n = r->n - (seq - r->seq);
    return r->lv + (uint32_t)(seq - r->seq);
}

uint32_t ids_find(const struct ids *ids, const struct rapport_text_id *id)
{
    uint32_t agent = ids_find_agent(ids, slice_of(id->agent, id->agent_len));
    return agent == LV_NONE ? LV_NONE : ids_lv(ids, agent, id->seq, NULL);
}

struct id_run ids_at(const struct ids *ids, uint32_t lv)
{
    assert(lv < ids->n_events);
    size_t low = 0, high = ids->n_runs;
    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;
        if (ids->runs[mid].lv <= lv)
            low = mid;
        else
            high = mid;
    }
    struct id_run r = ids->runs[low];
    r.seq += lv - r.lv;
    r.lv = lv;
    return r;
}

struct rapport_text_id ids_public(const struct ids *ids, uint32_t lv)
{
    struct id_run r = ids_at(ids, lv);
    const struct agent *a = ids->agents[r.agent];
    return (struct rapport_text_id){a->name, a->name_len, r.seq};
}

int ids_compare(const struct ids *ids, uint32_t a, uint32_t b)
{
    struct id_run x = ids_at(ids, a), y = ids_at(ids, b);
    uint32_t x_rank = ids->agents[x.agent]->rank, y_rank = ids->agents[y.agent]->rank;
    if (x_rank != y_rank)
        return x_rank < y_rank ? -1 : 1;
    return (x.seq > y.seq) - (x.seq < y.seq);
}
