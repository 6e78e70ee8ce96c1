/*
 * people.c - what people do: type, paste, delete, rename, begin notes; a third of it in a note that
 * all others edit too.
 *
 * Every inserted character has a code point of its own, so the checker can say of each what became
 * of it without knowing anything of CRDTs: it was saved, and then it is in the text or somebody
 * deleted it.
 */
#include <stdlib.h>

#include "base/utf8.h"
#include "sim/world.h"

/* CJK and the higher planes: no controls, no marks, no surrogates. */
uint32_t char_code(size_t index)
{
    size_t first = 0xd7ff - 0x3400 + 1;
    return (uint32_t)(index < first ? 0x3400 + index : 0x10000 + (index - first));
}

size_t char_index(uint32_t code)
{
    if (code >= 0x3400 && code <= 0xd7ff)
        return code - 0x3400;
    size_t first = 0xd7ff - 0x3400 + 1;
    return code >= 0x10000 ? code - 0x10000 + first : SIZE_MAX;
}

static void remember_typed(struct world *w, struct peer *p, size_t index)
{
    if (p->n_typed == p->cap_typed) {
        size_t cap = p->cap_typed ? 2 * p->cap_typed : 64;
        uint32_t *typed = need(w, realloc(p->typed, cap * sizeof *typed));
        if (!typed)
            return;
        p->typed = typed;
        p->cap_typed = cap;
    }
    p->typed[p->n_typed++] = (uint32_t)index;
}

void person_saved(struct world *w, uint32_t peer)
{
    struct peer *p = &w->peers[peer];
    if (rapport_node_unsaved(p->node) || rapport_node_failure(p->node))
        return;
    for (size_t i = 0; i < p->n_typed; i++)
        if (w->chars[p->typed[i]] == CHAR_TYPED)
            w->chars[p->typed[i]] = CHAR_SAVED;
    p->n_typed = 0;
}

void person_forgets(struct world *w, uint32_t peer)
{
    w->peers[peer].n_typed = 0;
}

static int edit(struct world *w, uint32_t peer, const struct rapport_edit *edit)
{
    struct rapport_event e = {.kind = RAPPORT_EVENT_EDIT, .edit = edit};
    int error = RAPPORT_AGAIN;
    for (int tries = 0; error == RAPPORT_AGAIN && tries < 3; tries++)
        error = peer_step(w, peer, &e);
    if (error && error != RAPPORT_FULL && error != RAPPORT_NOTFOUND && error != RAPPORT_STATE)
        broken(w, "peer %u: edit %d: %s", peer, (int)edit->kind, rapport_strerror(error));
    if (!error)
        w->result->edits++;
    return error;
}

static void begin_note(struct world *w, uint32_t peer)
{
    struct peer *p = &w->peers[peer];
    if (!p->notes)
        p->notes = need(w, calloc(SIM_NOTES_EACH, sizeof *p->notes));
    if (!p->notes || p->n_notes == SIM_NOTES_EACH)
        return;
    uint8_t id[16];
    char path[64];
    draw_bytes(w, id, sizeof id);
    snprintf(path, sizeof path, "notes/talk-%u.md",
             (unsigned)draw(w, 4 * w->config.peers)); /* some clash */
    struct rapport_edit e = {.kind = RAPPORT_EDIT_NEW, .note = id, .path = path, .text = ""};
    if (!edit(w, peer, &e))
        memcpy(p->notes[p->n_notes++], id, sizeof id);
}

static void mark_deleted(struct world *w, struct slice gone)
{
    for (size_t at = 0; at < gone.len;) {
        size_t index = char_index((uint32_t)utf8_next(gone, &at));
        if (index < w->n_chars)
            w->chars[index] = CHAR_DELETED;
    }
}

static void take_away(struct world *w, uint32_t peer, const uint8_t *note, struct slice text)
{
    size_t length = utf8_count(text);
    if (!length)
        return;
    size_t pos = draw(w, length), n = 1 + draw(w, 20);
    if (n > length - pos)
        n = length - pos;
    struct rapport_edit e = {
        .kind = RAPPORT_EDIT_SPLICE, .note = note, .pos = pos, .n_deleted = n, .text = ""};
    if (edit(w, peer, &e))
        return;
    size_t from = utf8_offset(text, pos), to = utf8_offset(text, pos + n);
    mark_deleted(w, slice_of(text.ptr + from, to - from));
}

static void put_in(struct world *w, uint32_t peer, const uint8_t *note, struct slice text, size_t n)
{
    struct buf b = BUF_INIT;
    size_t first = w->n_chars;
    if (first + n > SIM_MOST_CHARS)
        return;
    for (size_t i = 0; i < n; i++)
        utf8_put(&b, char_code(first + i));
    if (draw(w, 4) == 0)
        buf_u8(&b, '\n');
    if (buf_error(&b)) {
        w->error = RAPPORT_NOMEM;
        return;
    }
    struct rapport_edit e = {
        .kind = RAPPORT_EDIT_SPLICE, .note = note, .pos = draw(w, utf8_count(text) + 1)};
    e.text = (const char *)b.ptr;
    e.text_len = b.len;
    w->n_chars += n;
    if (!edit(w, peer, &e))
        for (size_t i = 0; i < n; i++)
            remember_typed(w, &w->peers[peer], first + i);
    buf_clear(&b);
}

/* Remembers when it was typed, for the latency of a few observers. */
static void sample(struct world *w, uint32_t peer)
{
    struct peer *p = &w->peers[peer];
    if (w->n_samples == w->cap_samples) {
        size_t cap = w->cap_samples ? 2 * w->cap_samples : 256;
        struct sample *samples = need(w, realloc(w->samples, cap * sizeof *samples));
        if (!samples)
            return;
        w->samples = samples;
        w->cap_samples = cap;
    }
    struct sample *s = &w->samples[w->n_samples];
    *s = (struct sample){.peer = peer, .at = w->now};
    if (!rapport_node_own_log(p->node, s->log))
        return;
    s->end = rapport_node_height(p->node, s->log) + 1; /* at least its first event */
    for (uint32_t i = 0; i < SIM_OBSERVERS && i < w->config.peers; i++)
        s->missing |= i == peer ? 0 : 1u << i;
    w->n_samples++;
}

static void edit_text(struct world *w, uint32_t peer, const uint8_t *note)
{
    size_t len = 0;
    char *text = peer_text(w, peer, note, &len);
    if (!text)
        return; /* not here yet */
    uint64_t what = draw(w, 20);
    if (what < 14)
        sample(w, peer);
    if (what < 13)
        put_in(w, peer, note, slice_of(text, len), 1 + draw(w, 8));
    else if (what == 13)
        put_in(w, peer, note, slice_of(text, len), 50 + draw(w, 200));
    else
        take_away(w, peer, note, slice_of(text, len));
    free(text);
}

static void rename_note(struct world *w, uint32_t peer, const uint8_t *note)
{
    char path[64];
    snprintf(path, sizeof path, "notes/renamed-%u.md", (unsigned)draw(w, 4 * w->config.peers));
    struct rapport_edit e = {.kind = RAPPORT_EDIT_RENAME, .note = note, .path = path};
    edit(w, peer, &e);
}

void person_edits(struct world *w, uint32_t peer)
{
    struct peer *p = &w->peers[peer];
    if (w->now >= w->calm_at)
        return;
    schedule(w, draw_delay(w, SIM_EDIT_MS),
             (struct action){.kind = ACTION_EDIT, .peer = peer, .life = p->life});
    if (p->asleep || !rapport_node_ready(p->node) || rapport_node_failure(p->node))
        return;
    uint64_t what = draw(w, 100);
    if (p->n_notes == 0 || (what < 2 && p->n_notes < SIM_NOTES_EACH)) {
        begin_note(w, peer);
        return;
    }
    const uint8_t *note = draw(w, 3) == 0 ? w->shared_note : p->notes[draw(w, p->n_notes)];
    if (what < 4 && note != w->shared_note)
        rename_note(w, peer, note);
    else
        edit_text(w, peer, note);
}
