/* test_cache.c - the cached form of the state and of notes; genesis records. */
#include "frozen.h"
#include "world.h"

/* A report with something of everything, saved. */
static void start_full(struct world *w)
{
    struct buf talk = BUF_INIT;
    struct note_talk fields = {.title = slice_str("Talk")};
    world_start(w, 2);
    struct peer *a = &w->peers[0];
    struct edit_context e = context_of(w, a);
    note_talk_encode(&fields, &talk);
    CHECK_EQ(report_new_note(a->report, &e, note_id(1), slice_str("a.md"), buf_slice(&talk),
                             slice_str("# Talk\n")),
             0);
    CHECK_EQ(peer_new(w, a, 2, "a.md"), 0);
    CHECK_EQ(peer_type(w, a, 2, 0, 0, "two"), 0);
    CHECK_EQ(peer_trash(w, a, 1), 0);
    CHECK_EQ(peer_set(w, a, "zone", "UTC"), 0);
    world_sync(w);
    peer_save(w, &w->peers[1]);
    buf_clear(&talk);
}

TEST(restore, "a report from the cache is the one that was saved, and nothing in it is dirty")
{
    struct world w;
    uint8_t before[16], after[16];
    size_t at = 0;
    start_full(&w);
    struct peer *p = &w.peers[1];
    CHECK_EQ(report_digest(p->report, NULL, before), 0);
    peer_restart(&w, p);
    CHECK(!note_of(p, 2)->text);
    CHECK(!report_next_dirty(p->report, &at));
    CHECK(!report_state_dirty(p->report));
    CHECK_STR(note_of(p, 2)->title, "two");
    CHECK_EQ(note_of(p, 2)->n_bytes, 3);
    CHECK(note_of(p, 1)->trashed);
    CHECK_EQ(report_digest(p->report, NULL, after), 0);
    CHECK_BYTES(after, sizeof after, before, sizeof before);
    CHECK(!report_next_changed(p->report));
    peer_load(p, note_of(p, 2));
    check_text_is(p, 2, "two");
    CHECK_EQ(report_restore_note(p->report, note_id(2), buf_slice(&p->metas[2])), RAPPORT_EXISTS);
    world_end(&w);
}

TEST(same_bytes, "what is restored encodes to the same bytes")
{
    struct world w;
    struct buf again = BUF_INIT;
    start_full(&w);
    struct peer *p = &w.peers[1];
    peer_restart(&w, p);
    CHECK_EQ(report_encode_state(p->report, &again), 0);
    CHECK_SLICE(buf_slice(&again), buf_slice(&p->state));
    buf_reset(&again);
    CHECK_EQ(report_encode_note(note_of(p, 1), &again), 0);
    CHECK_SLICE(buf_slice(&again), buf_slice(&p->metas[1]));
    buf_clear(&again);
    world_end(&w);
}

TEST(damage,
     "a record that is cut, or has a byte changed, is taken whole or is refused without a trace")
{
    struct world w;
    struct report *r;
    start_full(&w);
    struct peer *p = &w.peers[1];
    for (size_t len = 0; len < p->state.len; len++) {
        CHECK_EQ(report_create(3, &r), 0);
        CHECK_EQ(report_restore_state(r, slice_of(p->state.ptr, len)), RAPPORT_CORRUPT);
        CHECK_EQ(report_genesis_record(r).len, 0);
        report_destroy(r);
    }
    CHECK_EQ(report_create(3, &r), 0);
    for (size_t len = 0; len < p->metas[1].len; len++)
        CHECK_EQ(report_restore_note(r, note_id(1), slice_of(p->metas[1].ptr, len)),
                 RAPPORT_CORRUPT);
    for (size_t i = 0; i < p->metas[1].len; i++) {
        p->metas[1].ptr[i] ^= 0x21;
        int error = report_restore_note(r, note_id((uint8_t)(i % 200)), buf_slice(&p->metas[1]));
        CHECK(error == 0 || error == RAPPORT_CORRUPT || error == RAPPORT_EXISTS);
        p->metas[1].ptr[i] ^= 0x21;
    }
    CHECK_EQ(report_settle_paths(r), 0);
    report_destroy(r);
    world_end(&w);
}

TEST(dirty, "a text edit dirties the note and not the state; what is clean stays clean")
{
    struct world w;
    size_t at = 0;
    start_full(&w);
    struct peer *p = &w.peers[1];
    CHECK_EQ(peer_type(&w, p, 2, 0, 0, "x"), 0);
    CHECK(report_next_dirty(p->report, &at) == note_of(p, 2));
    CHECK(note_of(p, 2)->dirty_text && note_of(p, 2)->dirty_meta);
    CHECK(!report_next_dirty(p->report, &at));
    CHECK(report_state_dirty(p->report)); /* the log named the note for the first time */
    peer_save(&w, p);
    CHECK_EQ(peer_type(&w, p, 2, 0, 0, "x"), 0);
    CHECK(!report_state_dirty(p->report));
    report_unload_note(p->report, note_of(p, 2));
    CHECK(note_of(p, 2)->text);
    peer_save(&w, p);
    report_unload_note(p->report, note_of(p, 2));
    CHECK(!note_of(p, 2)->text);
    world_end(&w);
}

TEST(replay, "deltas since the save, applied again and again, change nothing more")
{
    struct world w;
    start_full(&w);
    struct peer *p = &w.peers[1];
    CHECK_EQ(peer_type(&w, &w.peers[0], 2, 3, 0, " three"), 0);
    CHECK_EQ(peer_rename(&w, &w.peers[0], 2, "x.md"), 0);
    world_sync(&w);
    for (size_t i = 0; i < 3; i++) {
        p->n_applied = i;
        peer_restart(&w, p);
        peer_load_waiting(p);
        peer_load(p, note_of(p, 2));
        check_text_is(p, 2, "two three");
        check_same(&w);
    }
    world_end(&w);
}

/* ---- genesis ---- */

TEST(genesis_bytes, "a genesis record has its frozen bytes, and is refused when it is cut anywhere")
{
    struct peer p;
    struct buf record = BUF_INIT;
    struct device_card card;
    uint8_t random[32];
    peer_init(&p, 1);
    memset(random, 0x3c, sizeof random);
    CHECK_EQ(genesis_make(&p.card, random, slice_str("FOSDEM 2023"), &record), 0);
    char *hex = malloc(2 * record.len + 1);
    CHECK(hex);
    hex_encode(hex, record.ptr, record.len);
    CHECK_STR(hex, FROZEN_GENESIS);
    CHECK_EQ(genesis_check(buf_slice(&record), &card), 0);
    CHECK_STR(card.name, "device 1");
    for (size_t len = 0; len < record.len; len++)
        CHECK(genesis_check(slice_of(record.ptr, len), &card) < 0);
    record.ptr[1] = 2;
    CHECK_EQ(genesis_check(buf_slice(&record), &card), RAPPORT_VERSION);
    record.ptr[1] = 1;
    record.ptr[record.len / 4] ^= 1;
    CHECK_EQ(genesis_check(buf_slice(&record), &card), RAPPORT_AUTH);
    free(hex);
    buf_clear(&record);
    report_destroy(p.report);
}

TEST(genesis_title, "a title is 1 to 256 bytes of printable UTF-8 on one line")
{
    struct peer p;
    struct buf record = BUF_INIT;
    char title[258];
    uint8_t random[32] = {0};
    peer_init(&p, 1);
    memset(title, 'x', sizeof title);
    CHECK_EQ(genesis_make(&p.card, random, slice_of(title, 256), &record), 0);
    CHECK_EQ(genesis_make(&p.card, random, slice_of(title, 257), &record), RAPPORT_INVALID);
    CHECK_EQ(genesis_make(&p.card, random, slice_str(""), &record), RAPPORT_INVALID);
    CHECK_EQ(genesis_make(&p.card, random, slice_str("a\nb"), &record), RAPPORT_INVALID);
    CHECK_EQ(genesis_make(&p.card, random, slice_str("\xff"), &record), RAPPORT_INVALID);
    buf_clear(&record);
    report_destroy(p.report);
}
