/* check.c - what must hold: equal digests, equal texts, nothing saved is lost, nothing stands
 * twice; and the figures. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/utf8.h"
#include "sim/world.h"

bool all_equal(struct world *w)
{
    uint8_t first[RAPPORT_DIGEST_BYTES], other[RAPPORT_DIGEST_BYTES];
    for (uint32_t i = 0; i < w->config.peers; i++) {
        struct rapport_node *n = w->peers[i].node;
        if (!w->peers[i].up || !rapport_node_ready(n) || rapport_node_unsaved(n))
            return false;
        if (rapport_node_digest(n, i ? other : first) ||
            (i && memcmp(first, other, sizeof first) != 0))
            return false;
    }
    return true;
}

static char *text_of(struct world *w, uint32_t peer, const uint8_t id[16], size_t *len)
{
    char *text = peer_text(w, peer, id, len);
    if (!text)
        broken(w, "peer %u cannot show a note", peer);
    return text;
}

static void count_chars(struct world *w, struct slice text, uint8_t *seen)
{
    for (size_t at = 0; at < text.len;) {
        size_t index = char_index((uint32_t)utf8_next(text, &at));
        if (index < w->n_chars && seen[index] < 2)
            seen[index]++;
    }
}

/* The texts of one note at all peers, character by character. */
static void check_note(struct world *w, const struct rapport_note_info *note, uint8_t *seen)
{
    size_t len = 0, other_len = 0;
    char *text = text_of(w, 0, note->id, &len);
    for (uint32_t i = 1; text && i < w->config.peers && !w->result->broken[0]; i++) {
        char *other = text_of(w, i, note->id, &other_len);
        struct rapport_note_info info;
        if (other && (len != other_len || memcmp(text, other, len) != 0))
            broken(w, "peers 0 and %u show other texts in %s", i, note->path);
        if (rapport_node_note(w->peers[i].node, note->id, &info) ||
            strcmp(info.path, note->path) != 0 || info.trashed != note->trashed)
            broken(w, "peers 0 and %u have other paths or trash states", i);
        free(other);
    }
    if (text)
        count_chars(w, slice_of(text, len), seen);
    free(text);
}

void check_texts(struct world *w)
{
    uint8_t *seen = need(w, calloc(w->n_chars + 1, 1));
    size_t at = 0, n_notes = 0;
    struct rapport_note_info note;
    char path[1024];
    while (seen && !w->result->broken[0] && rapport_node_next_note(w->peers[0].node, &at, &note)) {
        snprintf(path, sizeof path, "%s", note.path); /* the other calls end its life */
        note.path = path;
        check_note(w, &note, seen);
        n_notes++;
    }
    for (uint32_t i = 1; i < w->config.peers && !w->result->broken[0]; i++) {
        size_t other = 0;
        for (at = 0; rapport_node_next_note(w->peers[i].node, &at, &note);)
            other++;
        if (other != n_notes)
            broken(w, "peer 0 has %zu notes, peer %u %zu", n_notes, i, other);
    }
    for (size_t i = 0; seen && i < w->n_chars; i++) {
        w->result->lost += w->chars[i] == CHAR_SAVED && seen[i] == 0;
        if (seen[i] > 1)
            broken(w, "character %zu stands twice", i);
    }
    free(seen);
    if (w->result->lost)
        broken(w, "%" PRIu64 " saved characters are lost", w->result->lost);
}

static void add_latency(struct world *w, uint64_t ms)
{
    if (w->n_latencies == w->cap_latencies) {
        size_t cap = w->cap_latencies ? 2 * w->cap_latencies : 1024;
        uint32_t *latencies = need(w, realloc(w->latencies, cap * sizeof *latencies));
        if (!latencies)
            return;
        w->latencies = latencies;
        w->cap_latencies = cap;
    }
    w->latencies[w->n_latencies++] = (uint32_t)(ms > UINT32_MAX ? UINT32_MAX : ms);
}

void check_seen(struct world *w, uint32_t peer)
{
    if (peer >= SIM_OBSERVERS)
        return;
    for (size_t i = 0; i < w->n_samples; i++) {
        struct sample *s = &w->samples[i];
        if (s->missing >> peer & 1 && rapport_node_height(w->peers[peer].node, s->log) >= s->end) {
            s->missing &= ~(1u << peer);
            add_latency(w, w->now - s->at);
        }
        if (!s->missing)
            w->samples[i--] = w->samples[--w->n_samples];
    }
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

void check_figures(struct world *w)
{
    struct rapport_counters sum = {0};
    for (uint32_t i = 0; i < w->config.peers; i++) {
        struct rapport_counters c;
        rapport_node_counters(w->peers[i].node, &c);
        sum.received += c.received;
        sum.taken += c.taken;
        sum.received_late += c.received_late;
        sum.taken_late += c.taken_late;
    }
    w->result->copies_all = sum.taken ? (double)sum.received / (double)sum.taken : 0;
    w->result->copies_per_delta =
        sum.taken_late ? (double)sum.received_late / (double)sum.taken_late : 0;
    if (!w->n_latencies)
        return;
    qsort(w->latencies, w->n_latencies, sizeof *w->latencies, by_value);
    w->result->p50_ms = w->latencies[w->n_latencies / 2];
    w->result->p99_ms = w->latencies[w->n_latencies * 99 / 100];
}
