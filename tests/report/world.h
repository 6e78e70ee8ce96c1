/*
 * world.h - a few devices that share one report through real deltas, for the tests of this folder.
 * Device 0 founds the report and lets the others in; a delta is sealed, checked at the log's door
 * and opened as in life. The test decides who gets which delta when.
 */
#ifndef TESTS_REPORT_WORLD_H
#define TESTS_REPORT_WORLD_H

#include <stdlib.h>

#include "../test.h"
#include "base/hex.h"
#include "base/utf8.h"
#include "log/log.h"
#include "rapport/error.h"
#include "report/report.h"

enum {
    PEERS_MOST = 6,
    NOTES_MOST = 64,
};

struct peer {
    struct device_keys keys;
    struct device_card card;
    uint8_t origin[ORIGIN_BYTES], log[LOG_ID_BYTES];
    struct report *report;
    struct draft *draft;
    struct log_set logs;
    struct buf state, metas[NOTES_MOST], stored[NOTES_MOST]; /* what a database would hold */
    size_t *arrived, n_arrived,
        n_applied; /* deltas held, and how many of them the database knows */
};

struct world {
    uint8_t report_id[REPORT_ID_BYTES];
    struct epoch_keys epoch;
    struct buf genesis;
    struct peer peers[PEERS_MOST];
    size_t n_peers;
    struct buf *deltas; /* everything ever sealed */
    size_t n_deltas;
    uint64_t wall_ms;
};

static inline uint64_t lamport_of(const struct peer *p)
{
    uint64_t lamport = 0;
    const struct log *log;
    for (size_t at = 0; (log = log_next(&p->logs, &at));)
        lamport = log->lamport > lamport ? log->lamport : lamport;
    return lamport + 1;
}

static inline struct edit_context context_of(const struct world *w, const struct peer *p)
{
    return (struct edit_context){p->draft, p->keys.sign_public, lamport_of(p), w->wall_ms};
}

static inline void world_keep(struct world *w, struct buf *bytes)
{
    w->deltas = realloc(w->deltas, (w->n_deltas + 1) * sizeof *w->deltas);
    CHECK(w->deltas);
    w->deltas[w->n_deltas++] = *bytes;
}

static inline int by_log_id(const void *a, const void *b)
{
    return memcmp(((const struct delta_dep *)a)->log, ((const struct delta_dep *)b)->log,
                  LOG_ID_BYTES);
}

static inline void peer_holds(struct peer *p, size_t delta)
{
    p->arrived = realloc(p->arrived, (p->n_arrived + 1) * sizeof *p->arrived);
    CHECK(p->arrived);
    p->arrived[p->n_arrived++] = delta;
}

static inline size_t deps_of(const struct peer *p, struct delta_dep *deps)
{
    size_t n = 0;
    const struct log *log;
    for (size_t at = 0; (log = log_next(&p->logs, &at));) {
        if (memcmp(log->id, p->log, LOG_ID_BYTES) == 0)
            continue;
        deps[n].end = log->next;
        memcpy(deps[n].log, log->id, LOG_ID_BYTES);
        memcpy(deps[n++].hash, log->head, HASH_BYTES);
    }
    qsort(deps, n, sizeof *deps, by_log_id);
    return n;
}

/* Seals `plain` as the peer's next delta and puts it in its log set; opens nothing. */
static inline void seal_plain(struct world *w, struct peer *p, const struct draft_piece *piece,
                              bool with_deps, struct delta *out)
{
    struct delta_dep deps[PEERS_MOST];
    const struct log *own = log_find(&p->logs, p->log);
    struct delta_draft draft = {
        .kind = piece->kind,
        .report_id = w->report_id,
        .log = p->log,
        .epoch = &w->epoch,
        .keys = &p->keys,
        .first = piece->first,
        .count = piece->count,
        .lamport = with_deps ? lamport_of(p)
                   : own     ? own->lamport + 1
                             : 1,
        .wall_ms = w->wall_ms,
        .prev = own ? slice_of(own->head, HASH_BYTES) : slice_of(p->origin, ORIGIN_BYTES),
        .deps = deps,
        .n_deps = with_deps ? deps_of(p, deps) : 0,
        .plain = buf_slice(&piece->plain),
    };
    struct buf bytes = BUF_INIT;
    CHECK_EQ(delta_make(&draft, &bytes), 0);
    CHECK_EQ(delta_decode(buf_slice(&bytes), w->report_id, out), 0);
    CHECK_EQ(log_append_own(&p->logs, out), 0);
    world_keep(w, &bytes);
    peer_holds(p, w->n_deltas - 1);
}

/* Seals what the peer's draft holds, and applies it again as the report asks for. */
static inline void peer_seal(struct world *w, struct peer *p)
{
    static struct delta d;
    const struct draft_piece *piece;
    bool with_deps = draft_builds_on_others(p->draft);
    CHECK_EQ(draft_finish(p->draft), 0);
    for (size_t i = 0; (piece = draft_piece_at(p->draft, i)); i++) {
        seal_plain(w, p, piece, with_deps, &d);
        struct report_change rows[NOTES_MOST];
        CHECK(report_describe(p->report, &d, buf_slice(&piece->plain), rows, NOTES_MOST) > 0);
        CHECK_EQ(report_apply(p->report, &d, p->keys.sign_public, buf_slice(&piece->plain)), 0);
    }
    draft_reset(p->draft);
}

static inline void peer_apply(struct world *w, struct peer *p, const struct delta *d)
{
    struct buf plain = BUF_INIT;
    CHECK_EQ(delta_open(d, &w->epoch, &plain), 0);
    CHECK_EQ(report_apply(p->report, d, log_find(&p->logs, d->log)->origin, buf_slice(&plain)), 0);
    buf_clear(&plain);
}

/* Hands one delta to a peer. True when it was new and all it builds on was there. */
static inline bool peer_receive(struct world *w, struct peer *p, size_t delta)
{
    static struct delta d;
    struct log_outcome outcome;
    CHECK_EQ(delta_decode(buf_slice(&w->deltas[delta]), w->report_id, &d), 0);
    CHECK_EQ(log_accept(&p->logs, &d, 1, &outcome), 0);
    if (outcome.n_accepted == 0)
        return false;
    peer_holds(p, delta);
    peer_apply(w, p, &d);
    return true;
}

/* Everything that was sealed, to one peer, in the order of sealing. */
static inline void peer_catch_up(struct world *w, struct peer *p)
{
    for (size_t i = 0; i < w->n_deltas; i++)
        peer_receive(w, p, i);
}

static inline void world_sync(struct world *w)
{
    for (size_t i = 0; i < w->n_peers; i++)
        peer_seal(w, &w->peers[i]);
    for (size_t i = 0; i < w->n_peers; i++)
        peer_catch_up(w, &w->peers[i]);
}

static inline void peer_init(struct peer *p, uint8_t n)
{
    uint8_t seed[32];
    char name[] = "device 0";
    memset(seed, n + 1, sizeof seed);
    name[7] = (char)('0' + n);
    device_keys_from_seed(&p->keys, seed);
    CHECK_EQ(card_make(&p->card, &p->keys, slice_str(name), 1), 0);
    CHECK_EQ(report_create(99, &p->report), 0);
    memcpy(p->origin, p->keys.sign_public, 32);
    memset(p->origin + 32, n, 16);
}

static inline void peer_open_log(struct world *w, struct peer *p)
{
    log_id_of(p->log, w->report_id, p->origin);
    log_set_init(&p->logs, w->report_id, 5);
    CHECK_EQ(draft_create(p->log, 0, &p->draft), 0);
}

/* Founds a report with n devices, all of them in and in step. */
static inline void world_start(struct world *w, size_t n)
{
    uint8_t secret[EPOCH_SECRET_BYTES] = {7}, random[32] = {1, 2, 3};
    *w = (struct world){.n_peers = n, .wall_ms = 1675500000000};
    epoch_from_secret(&w->epoch, secret);
    for (size_t i = 0; i < n; i++)
        peer_init(&w->peers[i], (uint8_t)i);
    CHECK_EQ(genesis_make(&w->peers[0].card, random, slice_str("FOSDEM"), &w->genesis), 0);
    report_id_of(w->report_id, buf_slice(&w->genesis));
    for (size_t i = 0; i < n; i++)
        peer_open_log(w, &w->peers[i]);
    struct edit_context e = context_of(w, &w->peers[0]);
    CHECK_EQ(report_genesis(w->peers[0].report, &e, buf_slice(&w->genesis)), 0);
    for (size_t i = 1; i < n; i++)
        CHECK_EQ(report_add_member(w->peers[0].report, &e, &w->peers[i].card, ROLE_MEMBER, NULL),
                 0);
    world_sync(w);
}

static inline void world_end(struct world *w)
{
    for (size_t i = 0; i < w->n_peers; i++) {
        report_destroy(w->peers[i].report);
        draft_destroy(w->peers[i].draft);
        log_set_clear(&w->peers[i].logs);
        for (size_t k = 0; k < NOTES_MOST; k++) {
            buf_clear(&w->peers[i].stored[k]);
            buf_clear(&w->peers[i].metas[k]);
        }
        buf_clear(&w->peers[i].state);
        free(w->peers[i].arrived);
    }
    for (size_t i = 0; i < w->n_deltas; i++)
        buf_clear(&w->deltas[i]);
    free(w->deltas);
    buf_clear(&w->genesis);
}

/* ---- notes by a small number ---- */

static inline const uint8_t *note_id(uint8_t n)
{
    static uint8_t id[NOTE_ID_BYTES];
    memset(id, n, sizeof id);
    return id;
}

static inline struct note *note_of(const struct peer *p, uint8_t n)
{
    return report_note(p->report, note_id(n));
}

static inline int peer_new(struct world *w, struct peer *p, uint8_t n, const char *path)
{
    struct edit_context e = context_of(w, p);
    return report_new_note(p->report, &e, note_id(n), slice_str(path), slice_str(""),
                           slice_str(""));
}

/* The peer's next delta with a payload made by hand; the peer's own report does not hear of it. */
static inline void peer_send_plain(struct world *w, struct peer *p, enum delta_kind kind,
                                   uint32_t count, const struct buf *plain)
{
    static struct delta d;
    const struct log *own = log_find(&p->logs, p->log);
    struct draft_piece piece = {kind, own ? own->next : 0, count, *plain};
    CHECK(draft_is_empty(p->draft));
    seal_plain(w, p, &piece, true, &d);
}

static inline int peer_type(struct world *w, struct peer *p, uint8_t n, size_t pos, size_t deleted,
                            const char *text)
{
    struct edit_context e = context_of(w, p);
    return report_splice(p->report, &e, note_of(p, n), pos, deleted, slice_str(text));
}

static inline int peer_rename(struct world *w, struct peer *p, uint8_t n, const char *path)
{
    struct edit_context e = context_of(w, p);
    return report_rename(p->report, &e, note_of(p, n), slice_str(path));
}

static inline int peer_trash(struct world *w, struct peer *p, uint8_t n)
{
    struct edit_context e = context_of(w, p);
    return report_trash(p->report, &e, note_of(p, n));
}

static inline int peer_set(struct world *w, struct peer *p, const char *key, const char *value)
{
    struct edit_context e = context_of(w, p);
    return report_set(p->report, &e, slice_str(key), slice_str(value));
}

static inline void check_text_is(const struct peer *p, uint8_t n, const char *expected)
{
    char *text;
    size_t len;
    CHECK(note_of(p, n) && note_of(p, n)->text);
    CHECK_EQ(rapport_text_copy(note_of(p, n)->text, 0, SIZE_MAX, &text, &len), 0);
    test_check_bytes(__FILE__, __LINE__, "text", text, len, expected, strlen(expected));
    free(text);
}

static inline const char *shown_path(const struct peer *p, uint8_t n)
{
    CHECK_EQ(report_settle_paths(p->report), 0);
    return note_of(p, n)->shown_path;
}

/* ---- the database ---- */

static inline void save_note(struct peer *p, struct note *note)
{
    uint8_t *bytes;
    size_t len;
    buf_reset(&p->metas[note->id[0]]);
    CHECK_EQ(report_encode_note(note, &p->metas[note->id[0]]), 0);
    if (note->dirty_text) {
        CHECK_EQ(rapport_text_save(note->text, &bytes, &len), 0);
        buf_reset(&p->stored[note->id[0]]);
        buf_append(&p->stored[note->id[0]], bytes, len);
        free(bytes);
    }
    report_clean(p->report, note);
}

/* Writes what changed, as the node does: everything is sealed first. Notes' ids are note_id(n). */
static inline void peer_save(struct world *w, struct peer *p)
{
    struct note *note;
    peer_seal(w, p);
    CHECK_EQ(report_settle_paths(p->report), 0);
    for (size_t at = 0; (note = report_next_dirty(p->report, &at));)
        save_note(p, note);
    if (report_state_dirty(p->report)) {
        buf_reset(&p->state);
        CHECK_EQ(report_encode_state(p->report, &p->state), 0);
        report_clean(p->report, NULL);
    }
    p->n_applied = p->n_arrived;
}

/* What was not saved is lost, but the deltas are held: a new report from the database, then the
   deltas since. */
static inline void peer_restart(struct world *w, struct peer *p)
{
    static struct delta d;
    const struct log *own = log_find(&p->logs, p->log);
    report_destroy(p->report);
    draft_destroy(p->draft);
    CHECK_EQ(report_create(98, &p->report), 0);
    CHECK_EQ(draft_create(p->log, own ? own->next : 0, &p->draft), 0);
    if (p->state.len)
        CHECK_EQ(report_restore_state(p->report, buf_slice(&p->state)), 0);
    for (uint8_t n = 0; n < NOTES_MOST; n++)
        if (p->metas[n].len)
            CHECK_EQ(report_restore_note(p->report, note_id(n), buf_slice(&p->metas[n])), 0);
    for (size_t i = p->n_applied; i < p->n_arrived; i++) {
        CHECK_EQ(delta_decode(buf_slice(&w->deltas[p->arrived[i]]), w->report_id, &d), 0);
        peer_apply(w, p, &d);
    }
}

static inline void peer_load(struct peer *p, struct note *note)
{
    CHECK_EQ(report_load_note(p->report, note, buf_slice(&p->stored[note->id[0]])), 0);
    CHECK(note->text);
}

static inline void peer_load_waiting(struct peer *p)
{
    struct note *note;
    while ((note = report_next_unloaded(p->report)))
        peer_load(p, note);
}

/* Names what differs, which a digest cannot. */
static inline void check_same_note(const struct note *a, const struct note *b)
{
    char *text;
    size_t len;
    CHECK(b);
    CHECK_STR(b->path, a->path);
    CHECK_STR(b->shown_path, a->shown_path);
    CHECK_SLICE(b->talk, a->talk);
    if (a->text && b->text) {
        CHECK_EQ(rapport_text_copy(a->text, 0, SIZE_MAX, &text, &len), 0);
        char *other;
        size_t other_len;
        CHECK_EQ(rapport_text_copy(b->text, 0, SIZE_MAX, &other, &other_len), 0);
        CHECK_BYTES(other, other_len, text, len);
        CHECK_EQ(rapport_text_n_events(b->text), rapport_text_n_events(a->text));
        free(text);
        free(other);
    }
    CHECK_BYTES(b->text_hash, 32, a->text_hash, 32);
    CHECK_EQ(b->trashed, a->trashed);
}

static inline void check_same_notes(const struct peer *a, const struct peer *b)
{
    const struct note *note;
    for (size_t at = 0; (note = report_next_note(a->report, &at));)
        if (note->exists)
            check_same_note(note, report_note(b->report, note->id));
}

/* All peers hold the same deltas and show the same. */
static inline void check_same(struct world *w)
{
    uint8_t first[16], other[16];
    CHECK_EQ(report_digest(w->peers[0].report, &w->peers[0].logs, first), 0);
    for (size_t i = 1; i < w->n_peers; i++) {
        CHECK_EQ(report_digest(w->peers[i].report, &w->peers[i].logs, other), 0);
        check_same_notes(&w->peers[0], &w->peers[i]);
        CHECK_BYTES(other, sizeof other, first, sizeof first);
    }
}

#endif
