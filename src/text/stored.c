/*
 * stored.c - the stored form of a text. Opening a note reads the text alone; the history follows,
 * each table as a run-length column of unsigned LEB128 numbers.
 *
 *   4 bytes  "rptx"
 *   1        format version, 1
 *   number   bytes of the text, then these
 *   number   events; the columns end when they have made up so many
 *   agents   how many, then for each: length, bytes
 *   ids      a run: agent, events, number (zigzag, against the end of the agent's run before)
 *   graph    a run: events, parents, for each of them how far it is back from the run's start
 *   ops      a run: events << 2 | kind, position (zigzag, against the end of the run before: after
 * an insert its end, after a delete its place) inserts  bytes of all inserted text, then these
 *   lengths  how many milestones, for each: start (against the one before), length of the text
 *
 * Loading trusts nothing: what it builds is as sound as what events built, whatever the bytes say.
 * Only that the text is the one that the history makes is not checked, as that would be a replay.
 */
#include "base/reader.h"
#include "base/utf8.h"
#include "text/object.h"
#include "text/vec.h"

static const uint8_t magic[4] = {'r', 'p', 't', 'x'};

enum {
    STORED_VERSION = 1
};

static uint64_t zigzag(uint64_t difference)
{
    return difference >> 63 ? ~(difference << 1) : difference << 1;
}

static uint64_t unzigzag(uint64_t v)
{
    return v & 1 ? ~(v >> 1) : v >> 1;
}

static void save_ids(struct buf *b, const struct ids *ids, uint64_t *ends)
{
    buf_varint(b, ids->n_agents);
    for (size_t i = 0; i < ids->n_agents; i++) {
        buf_varint(b, ids->agents[i]->name_len);
        buf_append(b, ids->agents[i]->name, ids->agents[i]->name_len);
        ends[i] = 0;
    }
    for (size_t i = 0; i < ids->n_runs; i++) {
        const struct id_run *r = &ids->runs[i];
        uint32_t end = i + 1 < ids->n_runs ? r[1].lv : ids->n_events;
        buf_varint(b, r->agent);
        buf_varint(b, end - r->lv);
        buf_varint(b, zigzag(r->seq - ends[r->agent]));
        ends[r->agent] = r->seq + (end - r->lv);
    }
}

static void save_graph(struct buf *b, const struct graph *g)
{
    for (size_t i = 0; i < g->n_entries; i++) {
        const struct graph_entry *e = &g->entries[i];
        const uint32_t *parents = graph_parents(g, i);
        buf_varint(b, graph_end(g, i) - e->start);
        buf_varint(b, e->n_parents);
        for (size_t k = 0; k < e->n_parents; k++)
            buf_varint(b, e->start - parents[k]);
    }
}

/* Where the next run is expected to begin. */
static uint64_t place_after(struct op_piece piece)
{
    switch (piece.kind) {
    case OP_INSERT:
        return (uint64_t)piece.pos + piece.n;
    case OP_DELETE:
        return piece.pos;
    case OP_BACKSPACE:
        return piece.pos - (piece.n - 1);
    }
    return 0;
}

static void save_ops(struct buf *b, const struct ops *o)
{
    uint64_t expected = 0;
    for (size_t i = 0; i < o->n_runs; i++) {
        size_t hint = i;
        struct op_piece piece = ops_piece(o, o->runs[i].lv, o->n_events, &hint);
        buf_varint(b, (uint64_t)piece.n << 2 | (uint64_t)piece.kind);
        buf_varint(b, zigzag(piece.pos - expected));
        expected = place_after(piece);
    }
    buf_varint(b, o->text_len);
    buf_append(b, o->text, o->text_len);
}

static void save_milestones(struct buf *b, const struct milestones *m)
{
    uint32_t before = 0;
    buf_varint(b, m->n);
    for (size_t i = 0; i < m->n; i++) {
        buf_varint(b, m->items[i].start - before);
        buf_varint(b, m->items[i].length);
        before = m->items[i].start;
    }
}

static void save_text(struct buf *b, const struct rope *rope)
{
    size_t len = rope_size(rope);
    buf_varint(b, len);
    uint8_t *room = buf_reserve(b, len);
    if (!room)
        return;
    rope_read(rope, 0, len, (char *)room);
    b->len += len;
}

int rapport_text_save(const struct rapport_text *t, uint8_t **out, size_t *len)
{
    const struct history *h = &t->history;
    if (t->n_merged < history_n_events(h))
        return RAPPORT_STATE;
    uint64_t *ends = malloc((h->ids.n_agents + 1) * sizeof *ends);
    if (!ends)
        return RAPPORT_NOMEM;
    struct buf b = BUF_INIT;
    buf_append(&b, magic, sizeof magic);
    buf_u8(&b, STORED_VERSION);
    save_text(&b, &t->rope);
    buf_varint(&b, history_n_events(h));
    save_ids(&b, &h->ids, ends);
    save_graph(&b, &h->graph);
    save_ops(&b, &h->ops);
    save_milestones(&b, &h->milestones);
    free(ends);
    int error = buf_error(&b);
    if (error)
        buf_clear(&b);
    else
        *out = buf_detach(&b, len);
    return error;
}

/* Reads up to the end of the text, which is checked to be UTF-8. */
static struct slice read_text(struct reader *r)
{
    struct slice mark = reader_bytes(r, sizeof magic);
    uint8_t version = reader_u8(r);
    if (!r->error && !slice_equal(mark, slice_of(magic, sizeof magic)))
        reader_fail(r, RAPPORT_MALFORMED);
    if (!r->error && version != STORED_VERSION)
        reader_fail(r, version > STORED_VERSION ? RAPPORT_VERSION : RAPPORT_MALFORMED);
    struct slice text = reader_bytes(r, reader_varint(r, RAPPORT_TEXT_MOST_BYTES));
    if (!utf8_valid(text))
        reader_fail(r, RAPPORT_MALFORMED);
    return text;
}

int rapport_text_peek(const uint8_t *bytes, size_t len, const char **text, size_t *text_len)
{
    struct reader r = reader_of(slice_of(bytes, len));
    struct slice found = read_text(&r);
    if (r.error)
        return r.error;
    *text = (const char *)found.ptr;
    *text_len = found.len;
    return 0;
}

/* A number of events: at least one, at most what is left. */
static uint32_t read_count(struct reader *r, uint32_t left)
{
    uint64_t n = reader_varint(r, UINT32_MAX);
    if (!r->error && (n == 0 || n > left))
        reader_fail(r, RAPPORT_MALFORMED);
    return r->error ? 0 : (uint32_t)n;
}

static void load_agents(struct reader *r, struct ids *ids)
{
    uint64_t n = reader_varint(r, RAPPORT_TEXT_MOST_AGENTS);
    for (uint64_t i = 0; i < n && !r->error; i++) {
        struct slice name = reader_bytes(r, reader_varint(r, RAPPORT_TEXT_MOST_AGENT_BYTES));
        uint32_t agent = 0;
        if (!r->error && !name.len)
            reader_fail(r, RAPPORT_MALFORMED);
        int error = r->error ? 0 : ids_add_agent(ids, name, &agent);
        if (!error && !r->error && agent != i)
            error = RAPPORT_MALFORMED; /* twice */
        if (error)
            reader_fail(r, error);
    }
}

static int load_id_run(struct reader *r, struct ids *ids, uint64_t *ends, uint32_t left)
{
    uint32_t agent = (uint32_t)reader_varint(r, UINT32_MAX);
    uint32_t n = read_count(r, left);
    uint64_t difference = unzigzag(reader_varint(r, UINT64_MAX)), n_free = 0;
    if (r->error)
        return r->error;
    if (agent >= ids->n_agents)
        return RAPPORT_MALFORMED;
    uint64_t seq = ends[agent] + difference;
    if (seq > RAPPORT_TEXT_MOST_SEQ || n > RAPPORT_TEXT_MOST_SEQ - seq)
        return RAPPORT_LIMIT;
    if (ids_lv(ids, agent, seq, &n_free) != LV_NONE || n_free < n)
        return RAPPORT_MALFORMED;
    if (ids_reserve(ids, agent, 1))
        return RAPPORT_NOMEM;
    ids_push(ids, agent, seq, n);
    ends[agent] = seq + n;
    return 0;
}

static void load_ids(struct reader *r, struct ids *ids, uint32_t n_events)
{
    load_agents(r, ids);
    uint64_t *ends = calloc(ids->n_agents + 1, sizeof *ends);
    if (!ends)
        reader_fail(r, RAPPORT_NOMEM);
    while (!r->error && ids->n_events < n_events) {
        int error = load_id_run(r, ids, ends, n_events - ids->n_events);
        if (error)
            reader_fail(r, error);
    }
    free(ends);
}

/* Parents must be what adding events would have left: before the run, ascending and minimal. */
static int load_entry(struct reader *r, struct graph *g, struct heap *heap, uint32_t n_events)
{
    uint32_t parents[RAPPORT_TEXT_MOST_PARENTS], start = g->n_events;
    uint32_t n = read_count(r, n_events - start);
    size_t n_parents = (size_t)reader_varint(r, RAPPORT_TEXT_MOST_PARENTS), n_minimal = n_parents;
    uint32_t above = 0; /* the least that the next parent may be */
    for (size_t i = 0; i < n_parents && !r->error; i++) {
        uint64_t back = reader_varint(r, UINT32_MAX);
        if (back == 0 || back > start || start - back < above)
            reader_fail(r, RAPPORT_MALFORMED);
        else
            above = 1 + (parents[i] = start - (uint32_t)back);
    }
    if (r->error)
        return r->error;
    int error = graph_reduce(g, heap, parents, &n_minimal);
    if (!error && n_minimal != n_parents)
        error = RAPPORT_MALFORMED;
    if (!error)
        error = graph_reserve(g, 1, n_parents);
    if (!error)
        graph_push(g, parents, n_parents, n);
    return error;
}

static void load_graph(struct reader *r, struct graph *g, struct heap *heap, uint32_t n_events)
{
    while (!r->error && g->n_events < n_events) {
        int error = load_entry(r, g, heap, n_events);
        if (error)
            reader_fail(r, error);
    }
}

/* One run of ops into *piece; its position is `expected` plus what is read. */
static int load_piece(struct reader *r, uint64_t expected, uint32_t left, struct op_piece *piece)
{
    uint64_t head = reader_varint(r, (uint64_t)UINT32_MAX << 2 | 3);
    uint64_t pos = expected + unzigzag(reader_varint(r, UINT64_MAX));
    uint64_t n = head >> 2, kind = head & 3;
    if (r->error)
        return r->error;
    if (n == 0 || n > left || kind > OP_BACKSPACE || (kind == OP_BACKSPACE && pos < n - 1))
        return RAPPORT_MALFORMED;
    if (pos > RAPPORT_TEXT_MOST_EVENTS || (kind == OP_INSERT && pos > UINT32_MAX - n))
        return RAPPORT_LIMIT;
    *piece = (struct op_piece){(enum op_kind)kind, (uint32_t)n, (uint32_t)pos, 0};
    return 0;
}

/* The text comes after the runs, so that these are pushed without, and then it is split up. */
static void load_ops(struct reader *r, struct ops *o, uint32_t n_events)
{
    uint64_t expected = 0, n_inserted = 0;
    while (!r->error && o->n_events < n_events) {
        struct op_piece piece;
        int error = load_piece(r, expected, n_events - o->n_events, &piece);
        if (!error)
            error = ops_reserve(o, 1, 0);
        if (error) {
            reader_fail(r, error);
            return;
        }
        ops_push_run(o, piece, (uint32_t)n_inserted);
        n_inserted += piece.kind == OP_INSERT ? piece.n : 0;
        expected = place_after(piece);
    }
    struct slice text = reader_bytes(r, reader_varint(r, RAPPORT_TEXT_MOST_BYTES));
    if (r->error)
        return;
    if (!utf8_valid(text) || utf8_count(text) != n_inserted)
        reader_fail(r, RAPPORT_MALFORMED);
    else if (ops_reserve(o, 0, text.len))
        reader_fail(r, RAPPORT_NOMEM);
    else
        ops_push_text(o, text, (uint32_t)n_inserted);
}

static bool is_critical(const struct graph *g, uint32_t lv)
{
    size_t low = 0, high = g->critical.n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (g->critical.runs[mid].end <= lv)
            low = mid + 1;
        else
            high = mid;
    }
    return low < g->critical.n && g->critical.runs[low].start <= lv;
}

/* A text is never longer than the events before it: the tracker's ids depend on that. */
static void load_milestones(struct reader *r, struct history *h)
{
    uint64_t n = reader_varint(r, UINT32_MAX), start = 0;
    for (uint64_t i = 0; i < n && !r->error; i++) {
        uint64_t step = reader_varint(r, UINT32_MAX), length = reader_varint(r, UINT32_MAX);
        start += step;
        struct milestones *m = &h->milestones;
        if (r->error)
            return;
        if ((i && !step) || start >= history_n_events(h) || length > start ||
            !is_critical(&h->graph, (uint32_t)start))
            reader_fail(r, RAPPORT_MALFORMED);
        else if (VEC_RESERVE(m->items, m->cap, m->n + 1))
            reader_fail(r, RAPPORT_NOMEM);
        else
            m->items[m->n++] = (struct milestone){(uint32_t)start, (uint32_t)length};
    }
}

static int load(struct reader *r, struct rapport_text *t)
{
    struct history *h = &t->history;
    struct slice text = read_text(r);
    uint32_t n_events = (uint32_t)reader_varint(r, RAPPORT_TEXT_MOST_EVENTS);
    if (r->error)
        return r->error;
    load_ids(r, &h->ids, n_events);
    load_graph(r, &h->graph, &t->heap, n_events);
    load_ops(r, &h->ops, n_events);
    load_milestones(r, h);
    size_t length = utf8_count(text);
    if (!r->error && length > h->ops.n_text)
        return RAPPORT_MALFORMED;
    if (reader_end(r))
        return r->error;
    if (rope_reserve(&t->rope, text.len, length != text.len))
        return RAPPORT_NOMEM;
    rope_insert(&t->rope, 0, text, length);
    t->n_merged = n_events;
    return 0;
}

int rapport_text_load(const uint8_t *bytes, size_t len, struct rapport_text **out)
{
    struct reader r = reader_of(slice_of(bytes, len));
    struct rapport_text *t;
    int error = rapport_text_create(&t);
    if (error)
        return error;
    error = load(&r, t);
    if (error)
        rapport_text_destroy(t);
    else
        *out = t;
    return error;
}
