/* test_draft.c - how local events become pieces: typing is joined, nothing is too long for a
   delta. */
#include "world.h"

static void check_piece(const struct peer *p, size_t n, const char *hex)
{
    char *digits;
    const struct draft_piece *piece = draft_piece_at(p->draft, n);
    CHECK(piece);
    digits = malloc(2 * piece->plain.len + 1);
    CHECK(digits);
    hex_encode(digits, piece->plain.ptr, piece->plain.len);
    CHECK_STR(digits, hex);
    free(digits);
}

TEST(typing_is_joined, "letters typed one by one, Backspace and Delete are three events")
{
    struct world w;
    world_start(&w, 1);
    struct peer *p = &w.peers[0];
    CHECK_EQ(peer_new(&w, p, 1, "a.md"), 0);
    peer_seal(&w, p);
    CHECK(draft_is_empty(p->draft));
    uint64_t first = draft_next_event(p->draft);
    for (size_t i = 0; i < 6; i++)
        CHECK_EQ(peer_type(&w, p, 1, i, 0, "x"), 0);
    for (size_t i = 0; i < 2; i++)
        CHECK_EQ(peer_type(&w, p, 1, 5 - i, 1, ""), 0);
    CHECK_EQ(peer_type(&w, p, 1, 0, 1, ""), 0);
    CHECK_EQ(peer_type(&w, p, 1, 0, 2, ""), 0);
    CHECK(!draft_builds_on_others(p->draft));
    CHECK_EQ(draft_finish(p->draft), 0);
    check_piece(p, 0,
                "91920093930000a6787878787878"
                "93020502"
                "93010003");
    CHECK_EQ(draft_piece_at(p->draft, 0)->count, 11);
    CHECK(draft_piece_at(p->draft, 0)->first == first);
    CHECK(!draft_piece_at(p->draft, 1));
    check_text_is(p, 1, "x");
    world_end(&w);
}

TEST(sections,
     "a note is named by its id once, then by its number, and control has pieces of its own")
{
    struct world w;
    world_start(&w, 1);
    struct peer *p = &w.peers[0];
    CHECK_EQ(peer_new(&w, p, 1, "a.md"), 0);
    CHECK_EQ(peer_new(&w, p, 2, "b.md"), 0);
    CHECK_EQ(peer_type(&w, p, 1, 0, 0, "x"), 0);
    CHECK_EQ(peer_set(&w, p, "k", "v"), 0);
    CHECK_EQ(peer_type(&w, p, 2, 0, 0, "y"), 0);
    CHECK(draft_builds_on_others(p->draft));
    CHECK_EQ(draft_finish(p->draft), 0);
    check_piece(p, 0,
                "93"
                "92c41001010101010101010101010101010101"
                "919204a4612e6d64"
                "92c41002020202020202020202020202020202"
                "919204a4622e6d64"
                "9200"
                "91930000a178");
    check_piece(p, 1, "919307a16ba176");
    check_piece(p, 2, "91920191930000a179");
    CHECK_EQ(draft_piece_at(p->draft, 1)->kind, DELTA_CONTROL);
    CHECK_EQ(draft_piece_at(p->draft, 2)->kind, DELTA_CONTENT);
    world_end(&w);
}

TEST(long_paste, "a paste of a megabyte and its deletion are cut into deltas that others can read")
{
    struct world w;
    enum {
        N = 350000
    };
    char *text = malloc(3 * N + 1);
    CHECK(text);
    for (size_t i = 0; i < N; i++)
        memcpy(text + 3 * i, "日", 3);
    text[3 * N] = 0;
    world_start(&w, 2);
    CHECK_EQ(peer_new(&w, &w.peers[0], 1, "a.md"), 0);
    CHECK_EQ(peer_type(&w, &w.peers[0], 1, 0, 0, text), 0);
    size_t before = w.n_deltas;
    world_sync(&w);
    CHECK(w.n_deltas - before >= 3 * N / DELTA_MOST_PAYLOAD);
    check_text_is(&w.peers[1], 1, text);
    CHECK_EQ(peer_type(&w, &w.peers[1], 1, 1, N - 2, ""), 0);
    before = w.n_deltas;
    world_sync(&w);
    CHECK(w.n_deltas - before >= N / DELTA_MOST_EVENTS);
    check_text_is(&w.peers[0], 1, "日日");
    check_same(&w);
    free(text);
    world_end(&w);
}

TEST(many_small_events, "thousands of renames in one draft go out in several deltas, none lost")
{
    struct world w;
    char path[64];
    world_start(&w, 2);
    for (uint8_t n = 1; n <= 20; n++)
        CHECK_EQ(peer_new(&w, &w.peers[0], n, "a.md"), 0);
    for (int i = 0; i < 4000; i++) {
        snprintf(path, sizeof path, "notes/a-name-that-is-not-short-%d.md", i);
        CHECK_EQ(peer_rename(&w, &w.peers[0], (uint8_t)(1 + i % 20), path), 0);
    }
    world_sync(&w);
    CHECK_STR(note_of(&w.peers[1], 20)->path, path);
    check_same(&w);
    world_end(&w);
}

TEST(many_heads, "a version of more heads than one event may name is joined first")
{
    struct world w;
    world_start(&w, 3);
    struct peer *a = &w.peers[0], *b = &w.peers[1];
    CHECK_EQ(peer_new(&w, a, 1, "a.md"), 0);
    CHECK_EQ(peer_type(&w, a, 1, 0, 0, "."), 0);
    world_sync(&w);
    struct rapport_text_id root = {a->log, LOG_ID_BYTES, 0};
    CHECK_EQ(rapport_text_version(note_of(b, 1)->text, &root, 1), 1);
    root.agent = a->log;
    for (size_t i = 0; i < 2 * PARENTS_MOST + 10; i++) {
        struct edit_context e = context_of(&w, b);
        CHECK_EQ(report_edit_text(b->report, &e, note_of(b, 1), &root, 1, slice_str(".x")), 0);
    }
    struct rapport_text_id heads[4];
    CHECK(rapport_text_version(note_of(b, 1)->text, heads, 4) > 2 * PARENTS_MOST);
    world_sync(&w);
    CHECK_EQ(peer_type(&w, a, 1, 0, 0, "joined"), 0);
    CHECK_EQ(rapport_text_version(note_of(a, 1)->text, heads, 4), 1);
    CHECK_EQ(peer_trash(&w, a, 1), 0);
    world_sync(&w);
    CHECK(note_of(b, 1)->trashed);
    check_same(&w);
    world_end(&w);
}
