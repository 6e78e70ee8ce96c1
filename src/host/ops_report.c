/* ops_report.c - verbs on the whole report: log, status, invite, settings, flush. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "host/ops_parts.h"

enum {
    INVITE_MOST_USES = 255,
    INVITE_DEFAULT_S = 2 * 24 * 3600,
    LOG_MOST_LINES = 100000,
};

/* ---- log ---- */

struct log_line {
    uint8_t note[RAPPORT_NOTE_ID_BYTES], log[16];
    const char *author;
    uint64_t end, wall_ms, n_inserted, n_deleted;
    bool created, renamed, trashed, control;
};

/* The newest `limit` lines, as a ring. */
struct log_walk {
    struct call *c;
    const uint8_t *note; /* NULL: all */
    struct log_line *lines;
    size_t limit, n;
    uint64_t arrival;
    size_t n_rows;
};

static void keep_line(void *user, const struct rapport_history *line)
{
    struct log_walk *w = user;
    if (w->note && memcmp(line->note, w->note, RAPPORT_NOTE_ID_BYTES) != 0)
        return;
    struct log_line *l = &w->lines[w->n++ % w->limit];
    *l = (struct log_line){
        .author = arena_copy(&w->c->arena, line->author, strlen(line->author)),
        .end = line->end,
        .wall_ms = line->wall_ms,
        .n_inserted = line->n_inserted,
        .n_deleted = line->n_deleted,
        .created = line->created,
        .renamed = line->renamed,
        .trashed = line->trashed,
        .control = line->control,
    };
    memcpy(l->note, line->note, sizeof l->note);
    memcpy(l->log, line->log, sizeof l->log);
}

static int keep_delta(void *user, const struct load_row *row)
{
    struct log_walk *w = user;
    w->arrival = row->arrival;
    w->n_rows++;
    (void)rapport_node_describe(w->c->h->node, row->value.ptr, row->value.len, keep_line, w);
    return 0;
}

static int walk_log(struct log_walk *w)
{
    int error = 0;
    do {
        struct load load = {.kind = LOAD_ARRIVED, .from = w->arrival, .max_bytes = LOAD_MOST_BYTES};
        w->n_rows = 0;
        error = store_load(w->c->h->store, &load, keep_delta, w);
    } while (!error && w->n_rows > 0);
    return error;
}

static void put_line(struct call *c, struct buf *b, const struct log_line *l)
{
    char hex[2 * 16 + 1], version[64];
    const struct listed *note = l->control ? NULL : call_note_of(c, l->note);
    hex_encode(hex, l->log, sizeof l->log);
    (void)snprintf(version, sizeof version, "%.8s@%llu", hex, (unsigned long long)l->end);
    mp_put_map(b, 12);
    put_id(b, "note", l->note, sizeof l->note);
    put_str(b, "path", note ? note->path : "");
    put_str(b, "title", note ? note->title : "");
    put_str(b, "version", version);
    put_str(b, "author", l->author);
    put_u64(b, "time", l->wall_ms);
    put_u64(b, "inserted", l->n_inserted);
    put_u64(b, "deleted", l->n_deleted);
    put_bool(b, "created", l->created);
    put_bool(b, "renamed", l->renamed);
    put_bool(b, "trashed", l->trashed);
    put_bool(b, "control", l->control);
}

int op_log(struct call *c)
{
    struct slice name;
    uint64_t limit = LOG_MOST_LINES;
    const struct listed *note = NULL;
    int error = arg_str(c, "note", &name) && name.len ? call_note_named(c, name, &note) : 0;
    if (error)
        return error;
    (void)arg_u64(c, "limit", &limit);
    if (limit == 0 || limit > LOG_MOST_LINES)
        limit = LOG_MOST_LINES;
    struct log_walk w = {.c = c, .note = note ? note->id : NULL, .limit = (size_t)limit};
    w.lines = calloc(w.limit, sizeof *w.lines);
    error = w.lines ? walk_log(&w) : RAPPORT_NOMEM;
    struct rows rows = {.buf = BUF_INIT};
    for (size_t i = w.n; !error && i > 0 && rows.n < w.limit; i--) {
        put_line(c, &rows.buf, &w.lines[(i - 1) % w.limit]);
        rows.n++;
    }
    free(w.lines);
    field_rows(c, "lines", &rows);
    return error;
}

/* ---- status ---- */

static void field_problems(struct call *c, const char *key, bool waiting)
{
    struct rows rows = {.buf = BUF_INIT};
    struct mirror_problem p;
    size_t at = 0;
    while (mirror_next_problem(c->h, &at, &p))
        if (p.waiting == waiting) {
            mp_put_map(&rows.buf, 2);
            put_str(&rows.buf, "path", p.path);
            put_str(&rows.buf, "why", p.line);
            rows.n++;
        }
    field_rows(c, key, &rows);
}

static void field_digest(struct call *c)
{
    uint8_t digest[RAPPORT_DIGEST_BYTES];
    char hex[2 * RAPPORT_DIGEST_BYTES + 1] = "";
    int error = rapport_node_digest(c->h->node, digest);
    if (error == RAPPORT_AGAIN) {
        host_drain(c->h);
        error = rapport_node_digest(c->h->node, digest);
    }
    if (!error)
        hex_encode(hex, digest, sizeof digest);
    field_str(c, "digest", hex);
}

static void field_peer_counts(struct call *c)
{
    struct rapport_peer_info p;
    uint64_t known = 0, connected = 0, unacknowledged = 0, behind = 0;
    size_t at = 0;
    while (rapport_node_next_peer(c->h->node, &at, &p)) {
        known++;
        connected += p.state == RAPPORT_LINK_CONNECTED;
        unacknowledged = p.n_unacknowledged > unacknowledged ? p.n_unacknowledged : unacknowledged;
        behind = p.n_behind > behind ? p.n_behind : behind;
    }
    if (connected == 0)
        unacknowledged = rapport_node_unsent(c->h->node);
    struct buf *b = field(c, "peers");
    mp_put_map(b, 4);
    put_u64(b, "known", known);
    put_u64(b, "connected", connected);
    put_u64(b, "unacknowledged", unacknowledged);
    put_u64(b, "behind", behind);
}

static uint64_t count_members(struct call *c)
{
    struct rapport_member_info m;
    uint64_t n = 0;
    size_t at = 0;
    while (rapport_node_next_member(c->h->node, &at, &m))
        n += !m.removed;
    return n;
}

int op_status(struct call *c)
{
    struct host *h = c->h;
    uint8_t id[RAPPORT_REPORT_ID_BYTES];
    char hex[2 * RAPPORT_REPORT_ID_BYTES + 1] = "";
    uint64_t n_trashed = 0;
    int error = call_notes(c);
    if (error)
        return error;
    for (size_t i = 0; i < c->n_notes; i++)
        n_trashed += c->notes[i].trashed;
    if (rapport_node_report_id(h->node, id))
        hex_encode(hex, id, sizeof id);
    const char *failure = host_failure(h, NULL);
    field_str(c, "title", rapport_node_setting(h->node, "title"));
    field_str(c, "dir", h->dir);
    field_str(c, "report", hex);
    field_str(c, "name", h->name);
    field_digest(c);
    field_bool(c, "daemon", h->hooked);
    field_bool(c, "ready", rapport_node_ready(h->node));
    field_u64(c, "notes", c->n_notes - n_trashed);
    field_u64(c, "trashed", n_trashed);
    field_u64(c, "unsaved", rapport_node_unsaved(h->node));
    field_u64(c, "members", count_members(c));
    field_str(c, "failure", failure ? failure : "");
    field_problems(c, "waiting", true);
    field_problems(c, "problems", false);
    field_peer_counts(c);
    field_people(c);
    return 0;
}

/* ---- invite, settings, flush ---- */

static int issue(struct call *c, struct rapport_invite *invite)
{
    uint8_t public_key[32];
    char *ticket = NULL;
    rapport_node_draw_invite(c->h->node, invite->seed, public_key);
    struct rapport_edit edit = {.kind = RAPPORT_EDIT_INVITE,
                                .public_key = public_key,
                                .n_uses = invite->n_uses,
                                .expires_s = invite->expires_s};
    int error = host_edit(c->h, &edit);
    if (!error)
        error = rapport_node_ticket(c->h->node, invite, &ticket);
    sodium_memzero(invite->seed, sizeof invite->seed);
    if (error == RAPPORT_PERMISSION)
        return call_fail(c, error, 3,
                         "only owners and admins can let friends in; rapport member ls says who");
    if (error)
        return call_fail_edit(c, error, "no ticket was made");
    field_str(c, "ticket", ticket);
    sodium_memzero(ticket, strlen(ticket));
    free(ticket);
    return 0;
}

int op_invite(struct call *c)
{
    uint64_t uses = 1, seconds = INVITE_DEFAULT_S;
    (void)arg_u64(c, "uses", &uses);
    (void)arg_u64(c, "expires_s", &seconds);
    if (uses < 1 || uses > INVITE_MOST_USES)
        return call_fail(c, RAPPORT_INVALID, 2, "a ticket can be used 1 to %d times",
                         INVITE_MOST_USES);
    uint64_t now_s = host_wall() / 1000;
    if (seconds > UINT32_MAX)
        return call_fail(c, RAPPORT_INVALID, 2, "a ticket cannot be valid for that long");
    struct rapport_invite invite = {
        .n_uses = (uint32_t)uses,
        .expires_s = seconds ? now_s + seconds : 0,
        .addresses = c->h->addresses,
        .n_addresses = c->h->n_addresses,
    };
    int error = issue(c, &invite);
    field_u64(c, "uses", uses);
    field_u64(c, "expires_s", invite.expires_s);
    return error;
}

int op_settings(struct call *c)
{
    struct buf *b = field(c, "settings");
    mp_put_map(b, 1);
    put_str(b, "title", rapport_node_setting(c->h->node, "title"));
    return 0;
}

int op_flush(struct call *c)
{
    int error = host_flush(c->h);
    field_u64(c, "unsaved", rapport_node_unsaved(c->h->node));
    return error ? call_fail_edit(c, error, "not everything was saved") : 0;
}
