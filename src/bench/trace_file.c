/* trace_file.c - reading editing traces (see trace_file.h); trusts the files no further than
 * jansson and the text layer check. */
#include "bench/trace_file.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/utf8.h"

/* What is known of a transaction, for those that have it as a parent. */
struct txn {
    struct rapport_text_id first;
    size_t n_events;
    size_t lv; /* raw form: of its first event */
};

struct builder {
    struct trace *trace;
    struct slice *names; /* of the raw form, in byte order */
    size_t n_names;
    bool rename; /* one is too long for an agent: ranks stand for them, which sort alike */
    struct txn *txns;
    size_t n_txns;
    size_t cap_runs, cap_edits;
};

static void *must(void *p)
{
    if (p)
        return p;
    fprintf(stderr, "rapport-bench: out of memory\n");
    exit(1);
}

static struct slice copy_string(struct arena *a, const json_t *string)
{
    size_t len = json_string_length(string);
    return slice_of(must(arena_copy(a, json_string_value(string), len)), len);
}

static void add_run(struct builder *b, const struct rapport_text_run *run)
{
    struct trace *t = b->trace;
    if (t->n_runs == b->cap_runs) {
        b->cap_runs = b->cap_runs ? b->cap_runs * 2 : 64;
        t->runs = must(realloc(t->runs, b->cap_runs * sizeof *t->runs));
    }
    t->runs[t->n_runs++] = *run;
    t->n_events += run->n_events;
}

static void add_edit(struct builder *b, struct rapport_text_edit edit)
{
    struct trace *t = b->trace;
    if (t->n_edits == b->cap_edits) {
        b->cap_edits = b->cap_edits ? b->cap_edits * 2 : 64;
        t->edits = must(realloc(t->edits, b->cap_edits * sizeof *t->edits));
    }
    t->edits[t->n_edits++] = edit;
}

/* The run that follows `run` in its transaction. */
static void next_run(struct builder *b, struct rapport_text_run *run)
{
    struct rapport_text_id *last = must(arena_alloc(&b->trace->arena, sizeof *last));
    *last = run->id;
    last->seq += run->n_events - 1;
    run->id.seq += run->n_events;
    run->parents = last;
    run->n_parents = 1;
}

/* One [pos, deleted, inserted] as a delete and an insert; `run` has id and parents and goes on to
 * what follows. */
static void add_patch(struct builder *b, const json_t *patch, struct rapport_text_run *run)
{
    struct slice text = copy_string(&b->trace->arena, json_array_get(patch, 2));
    run->pos = (size_t)json_integer_value(json_array_get(patch, 0));
    run->n_events = (size_t)json_integer_value(json_array_get(patch, 1));
    struct rapport_text_edit edit = {run->pos, run->n_events, (const char *)text.ptr, text.len};
    add_edit(b, edit);
    if (run->n_events) {
        run->kind = RAPPORT_TEXT_DELETE;
        add_run(b, run);
        next_run(b, run);
    }
    if (text.len) {
        run->kind = RAPPORT_TEXT_INSERT;
        run->text = (const char *)text.ptr;
        run->text_len = text.len;
        run->n_events = utf8_count(text);
        add_run(b, run);
        next_run(b, run);
    }
}

/* The txn of the raw form that holds an LV. */
static const struct txn *txn_at(const struct builder *b, size_t lv)
{
    size_t low = 0, high = b->n_txns;
    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;
        if (b->txns[mid].lv <= lv)
            low = mid;
        else
            high = mid;
    }
    return &b->txns[low];
}

static void set_parents(struct builder *b, const json_t *parents, bool raw,
                        struct rapport_text_run *run)
{
    size_t n = json_array_size(parents);
    struct rapport_text_id *ids = must(arena_alloc(&b->trace->arena, (n + 1) * sizeof *ids));
    for (size_t i = 0; i < n; i++) {
        size_t number = (size_t)json_integer_value(json_array_get(parents, i));
        const struct txn *txn = raw ? txn_at(b, number) : &b->txns[number];
        ids[i] = txn->first;
        ids[i].seq += raw ? number - txn->lv : txn->n_events - 1;
    }
    run->parents = ids;
    run->n_parents = n;
}

static int compare_names(const void *a, const void *b)
{
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

static struct slice agent_name(const json_t *txn)
{
    const json_t *name = json_object_get(txn, "agent");
    return slice_of(json_string_value(name), json_string_length(name));
}

static void collect_names(struct builder *b, const json_t *txns)
{
    const json_t *txn;
    size_t i, n = 0;
    b->names = must(calloc(json_array_size(txns) + 1, sizeof *b->names));
    json_array_foreach(txns, i, txn)
    {
        b->names[i] = agent_name(txn);
        b->rename = b->rename || b->names[i].len > RAPPORT_TEXT_MOST_AGENT_BYTES;
    }
    qsort(b->names, json_array_size(txns), sizeof *b->names, compare_names);
    for (i = 0; i < json_array_size(txns); i++)
        if (!n || !slice_equal(b->names[n - 1], b->names[i]))
            b->names[n++] = b->names[i];
    b->n_names = n;
}

static struct rapport_text_id named_id(struct builder *b, struct slice name, uint64_t seq)
{
    const char *copy = must(arena_copy(&b->trace->arena, name.ptr, name.len));
    return (struct rapport_text_id){(const uint8_t *)copy, name.len, seq};
}

static struct rapport_text_id ranked_id(struct builder *b, size_t rank, uint64_t seq)
{
    char name[16];
    snprintf(name, sizeof name, "agent%05zu", rank % 100000);
    return named_id(b, slice_str(name), seq);
}

static struct rapport_text_id raw_id(struct builder *b, const json_t *txn)
{
    struct slice name = agent_name(txn), *found;
    uint64_t seq = (uint64_t)json_integer_value(json_object_get(txn, "seqStart"));
    if (!b->rename)
        return named_id(b, name, seq);
    found = bsearch(&name, b->names, b->n_names, sizeof name, compare_names);
    return ranked_id(b, (size_t)(found - b->names), seq);
}

/* Numbered agents get names that sort as the numbers do; `seqs` holds what each has used up. */
static struct rapport_text_id numbered_id(struct builder *b, const json_t *txn, uint64_t *seqs,
                                          size_t n_events)
{
    size_t agent = (size_t)json_integer_value(json_object_get(txn, "agent"));
    struct rapport_text_id id = ranked_id(b, agent, seqs[agent]);
    seqs[agent] += n_events;
    return id;
}

static size_t count_events(const json_t *patches)
{
    size_t n = 0, i;
    const json_t *patch;
    json_array_foreach(patches, i, patch)
    {
        const json_t *text = json_array_get(patch, 2);
        n += (size_t)json_integer_value(json_array_get(patch, 1));
        n += utf8_count(slice_of(json_string_value(text), json_string_length(text)));
    }
    return n;
}

static void add_patches(struct builder *b, const json_t *patches, struct rapport_text_run *run)
{
    size_t i;
    const json_t *patch;
    json_array_foreach(patches, i, patch) add_patch(b, patch, run);
}

static void read_graph(struct builder *b, const json_t *root, bool raw)
{
    const json_t *txns = json_object_get(root, "txns"), *txn;
    size_t n_agents = (size_t)json_integer_value(json_object_get(root, "numAgents")), i;
    uint64_t *seqs = must(calloc(n_agents + 1, sizeof *seqs));
    b->txns = must(calloc(json_array_size(txns) + 1, sizeof *b->txns));
    size_t lv = 0;
    if (raw)
        collect_names(b, txns);
    json_array_foreach(txns, i, txn)
    {
        const json_t *patches = json_object_get(txn, raw ? "ops" : "patches");
        size_t n = count_events(patches);
        struct rapport_text_id id = raw ? raw_id(b, txn) : numbered_id(b, txn, seqs, n);
        struct rapport_text_run run = {.id = id};
        set_parents(b, json_object_get(txn, "parents"), raw, &run);
        b->txns[b->n_txns++] = (struct txn){id, n, lv};
        lv += n;
        add_patches(b, patches, &run);
    }
    free(seqs);
    free(b->txns);
    free(b->names);
    free(b->trace->edits); /* their positions hold only at their parents */
    b->trace->edits = NULL;
    b->trace->n_edits = 0;
}

static void read_sequential(struct builder *b, const json_t *root)
{
    const json_t *txn;
    size_t i;
    struct rapport_text_run run = {.id = {must(arena_copy(&b->trace->arena, "typist", 6)), 6, 0}};
    json_array_foreach(json_object_get(root, "txns"), i, txn)
        add_patches(b, json_object_get(txn, "patches"), &run);
}

static int read_case(const json_t *root, struct trace *t,
                     int (*each)(const struct trace *trace, void *user), void *user)
{
    struct builder b = {.trace = t};
    const json_t *number = json_object_get(root, "case");
    if (number)
        t->number = (long)json_integer_value(number);
    t->end = copy_string(&t->arena, json_object_get(root, "endContent"));
    if (json_object_get(root, "startContent"))
        read_sequential(&b, root);
    else
        read_graph(&b, root,
                   json_object_get(json_array_get(json_object_get(root, "txns"), 0), "span"));
    int result = each(t, user);
    free(t->runs);
    free(t->edits);
    arena_clear(&t->arena);
    return result;
}

static bool read_file(const char *path, struct buf *out)
{
    gzFile f = gzopen(path, "rb");
    int n = f ? 1 : -1;
    while (n > 0) {
        uint8_t *room = buf_reserve(out, 1 << 20);
        n = gzread(f, must(room), 1 << 20);
        out->len += n > 0 ? (size_t)n : 0;
    }
    if (f)
        gzclose(f);
    return n == 0;
}

static void name_trace(struct trace *t, const char *path)
{
    const char *name = strrchr(path, '/');
    snprintf(t->name, sizeof t->name, "%s", name ? name + 1 : path);
    char *json = strstr(t->name, ".json");
    if (json)
        *json = 0;
}

int trace_read(const char *path, int (*each)(const struct trace *trace, void *user), void *user)
{
    struct buf bytes = BUF_INIT;
    int result = 0;
    if (!read_file(path, &bytes)) {
        fprintf(stderr, "rapport-bench: cannot read %s\n", path);
        result = 1;
    }
    size_t at = 0;
    for (long line = 0; at < bytes.len && !result; line++) {
        json_error_t error;
        const char *text = (const char *)bytes.ptr + at;
        json_t *root =
            json_loadb(text, bytes.len - at, JSON_DISABLE_EOF_CHECK | JSON_ALLOW_NUL, &error);
        if (!root) {
            fprintf(stderr, "rapport-bench: %s: %s\n", path, error.text);
            result = 1;
            break;
        }
        struct trace t = {.number = line, .arena = ARENA_INIT};
        name_trace(&t, path);
        result = read_case(root, &t, each, user);
        json_decref(root);
        at += (size_t)error.position;
        while (at < bytes.len && (bytes.ptr[at] == '\n' || bytes.ptr[at] == ' '))
            at++;
    }
    buf_clear(&bytes);
    return result;
}
