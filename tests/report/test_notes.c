/* test_notes.c - what each content event does, at its author and at the others; the trash. */
#include "world.h"

static struct note *next_changed(struct peer *p, uint8_t n)
{
    struct note *note;
    do
        note = report_next_changed(p->report);
    while (note && memcmp(note->id, note_id(n), NOTE_ID_BYTES) != 0);
    return note;
}

TEST(create_and_type, "a note made and typed by one device is the same at the other")
{
    struct world w;
    world_start(&w, 2);
    CHECK_EQ(peer_new(&w, &w.peers[0], 1, "notes/a.md"), 0);
    CHECK_EQ(peer_type(&w, &w.peers[0], 1, 0, 0, "# Héllo\nworld\n"), 0);
    CHECK_EQ(peer_type(&w, &w.peers[0], 1, 8, 5, "there"), 0);
    world_sync(&w);
    check_text_is(&w.peers[1], 1, "# Héllo\nthere\n");
    struct note *note = next_changed(&w.peers[1], 1);
    CHECK(note);
    CHECK_EQ(report_refresh_note(note), 0);
    CHECK_STR(note->path, "notes/a.md");
    CHECK_STR(note->title, "Héllo");
    CHECK_EQ(note->n_bytes, strlen("# Héllo\nthere\n"));
    CHECK_EQ(note->n_authors, 1);
    CHECK_BYTES(note->authors[0], LOG_ID_BYTES, w.peers[0].log, LOG_ID_BYTES);
    CHECK(note->changed_ms == w.wall_ms);
    CHECK(!next_changed(&w.peers[1], 1));
    check_same(&w);
    world_end(&w);
}

TEST(concurrent_typing, "what two devices type at once is all there at both")
{
    struct world w;
    world_start(&w, 2);
    CHECK_EQ(peer_new(&w, &w.peers[0], 1, "a.md"), 0);
    CHECK_EQ(peer_type(&w, &w.peers[0], 1, 0, 0, "one two"), 0);
    world_sync(&w);
    CHECK_EQ(peer_type(&w, &w.peers[0], 1, 0, 3, "1"), 0);
    CHECK_EQ(peer_type(&w, &w.peers[1], 1, 7, 0, " three"), 0);
    world_sync(&w);
    check_text_is(&w.peers[0], 1, "1 two three");
    check_text_is(&w.peers[1], 1, "1 two three");
    CHECK_EQ(note_of(&w.peers[0], 1)->n_authors, 2);
    check_same(&w);
    world_end(&w);
}

TEST(edit_against_version, "a text saved against an older version keeps what came since")
{
    struct world w;
    struct rapport_text_id version[4];
    uint8_t agent[LOG_ID_BYTES];
    world_start(&w, 2);
    struct peer *a = &w.peers[0], *b = &w.peers[1];
    CHECK_EQ(peer_new(&w, a, 1, "a.md"), 0);
    CHECK_EQ(peer_type(&w, a, 1, 0, 0, "first\nsecond\nthird\n"), 0);
    world_sync(&w);
    CHECK_EQ(rapport_text_version(note_of(a, 1)->text, version, 4), 1);
    memcpy(agent, version[0].agent, LOG_ID_BYTES);
    version[0].agent = agent;
    CHECK_EQ(peer_type(&w, b, 1, 6, 6, "2nd"), 0);
    world_sync(&w);
    struct edit_context e = context_of(&w, a);
    CHECK_EQ(report_edit_text(a->report, &e, note_of(a, 1), version, 1,
                              slice_str("FIRST\nsecond\nthird\nfourth\n")),
             0);
    check_text_is(a, 1, "FIRST\n2nd\nthird\nfourth\n");
    world_sync(&w);
    check_text_is(b, 1, "FIRST\n2nd\nthird\nfourth\n");
    check_same(&w);
    e = context_of(&w, a);
    CHECK_EQ(report_edit_text(a->report, &e, note_of(a, 1), NULL, 0, slice_str("all new")), 0);
    check_text_is(a, 1, "all new");
    version[0].seq = 1 << 20;
    CHECK_EQ(report_edit_text(a->report, &e, note_of(a, 1), version, 1, slice_str("x")),
             RAPPORT_NOTFOUND);
    CHECK_EQ(report_edit_text(a->report, &e, note_of(a, 1), version, 0, slice_str("x")), 0);
    check_text_is(a, 1, "all newx");
    world_sync(&w);
    check_same(&w);
    world_end(&w);
}

TEST(rename, "the rename with the greatest stamp names the note everywhere")
{
    struct world w;
    world_start(&w, 3);
    CHECK_EQ(peer_new(&w, &w.peers[0], 1, "a.md"), 0);
    world_sync(&w);
    CHECK_EQ(peer_set(&w, &w.peers[1], "k", "so that its lamport is greater"), 0);
    peer_seal(&w, &w.peers[1]);
    CHECK_EQ(peer_rename(&w, &w.peers[1], 1, "later.md"), 0);
    CHECK_EQ(peer_rename(&w, &w.peers[0], 1, "sooner.md"), 0);
    world_sync(&w);
    for (size_t i = 0; i < 3; i++)
        CHECK_STR(note_of(&w.peers[i], 1)->path, "later.md");
    check_same(&w);
    world_end(&w);
}

TEST(restamp, "an edit whose delta got a greater lamport than it was made with counts with that")
{
    struct world w;
    world_start(&w, 3);
    CHECK_EQ(peer_new(&w, &w.peers[0], 1, "a.md"), 0);
    world_sync(&w);
    struct peer *a = &w.peers[0], *b = &w.peers[1];
    CHECK_EQ(peer_rename(&w, a, 1, "mine.md"), 0);
    CHECK_EQ(peer_new(&w, a, 2, "mine-2.md"), 0);
    CHECK_EQ(peer_set(&w, a, "k", "mine"), 0);
    for (size_t i = 0; i < 5; i++) {
        CHECK_EQ(peer_set(&w, b, "k", "theirs"), 0);
        CHECK_EQ(peer_rename(&w, b, 1, i % 2 ? "x.md" : "theirs.md"), 0);
        peer_seal(&w, b);
    }
    CHECK_EQ(peer_new(&w, b, 2, "theirs-2.md"), 0);
    peer_seal(&w, b);
    peer_catch_up(&w, a);
    CHECK_STR(note_of(a, 1)->path, "theirs.md");
    peer_seal(&w, a);
    CHECK_STR(note_of(a, 1)->path, "mine.md");
    CHECK_SLICE(report_setting(a->report, "k"), slice_str("mine"));
    world_sync(&w);
    CHECK_STR(note_of(b, 1)->path, "mine.md");
    CHECK(memcmp(note_of(a, 2)->created.log, b->log, LOG_ID_BYTES) == 0);
    check_same(&w);
    world_end(&w);
}

static void new_talk_note(struct world *w, struct peer *p, const char *key)
{
    uint8_t id[NOTE_ID_BYTES];
    struct buf talk = BUF_INIT;
    struct note_talk fields = {.key = slice_str(key), .title = slice_str("Headscale")};
    struct edit_context e = context_of(w, p);
    note_talk_encode(&fields, &talk);
    note_id_of_talk(id, slice_str(key));
    CHECK_EQ(report_new_note(p->report, &e, id, slice_str("notes/headscale.md"), buf_slice(&talk),
                             slice_str("# Headscale\n")),
             0);
    CHECK_EQ(report_new_note(p->report, &e, id, slice_str("x.md"), slice_str(""), slice_str("")),
             RAPPORT_EXISTS);
    buf_clear(&talk);
}

TEST(same_talk_twice,
     "two devices that start a talk's note offline end in one note, its template once")
{
    struct world w;
    uint8_t id[NOTE_ID_BYTES];
    world_start(&w, 2);
    new_talk_note(&w, &w.peers[0], "guid-1");
    new_talk_note(&w, &w.peers[1], "guid-1");
    note_id_of_talk(id, slice_str("guid-1"));
    struct note *note = report_note(w.peers[1].report, id);
    struct edit_context e = context_of(&w, &w.peers[1]);
    CHECK_EQ(report_splice(w.peers[1].report, &e, note, 12, 0, slice_str("mine\n")), 0);
    world_sync(&w);
    for (size_t i = 0; i < 2; i++) {
        char *text;
        size_t len;
        note = report_note(w.peers[i].report, id);
        CHECK_EQ(rapport_text_copy(note->text, 0, SIZE_MAX, &text, &len), 0);
        CHECK_STR(text, "# Headscale\nmine\n");
        free(text);
        struct note_talk talk;
        CHECK_EQ(note_talk_decode(note->talk, &talk), 0);
        CHECK_SLICE(talk.title, slice_str("Headscale"));
        CHECK_EQ(note->n_authors, 1);
    }
    check_same(&w);
    world_end(&w);
}

TEST(talk_removed, "an empty talk removes the talk of a note")
{
    struct world w;
    uint8_t id[NOTE_ID_BYTES];
    struct buf plain = BUF_INIT;
    world_start(&w, 2);
    new_talk_note(&w, &w.peers[0], "guid-1");
    world_sync(&w);
    note_id_of_talk(id, slice_str("guid-1"));
    CHECK(report_note(w.peers[1].report, id)->talk.len > 0);
    buf_append(&plain, "\x91\x92\x00\x91\x92\x07\x90", 7);
    peer_send_plain(&w, &w.peers[0], DELTA_CONTENT, 1, &plain);
    peer_catch_up(&w, &w.peers[1]);
    CHECK_EQ(report_note(w.peers[1].report, id)->talk.len, 0);
    buf_clear(&plain);
    world_end(&w);
}

/* ---- trash ---- */

struct two {
    struct world w;
    struct peer *a, *b;
};

static void two_start(struct two *t)
{
    world_start(&t->w, 2);
    t->a = &t->w.peers[0];
    t->b = &t->w.peers[1];
    CHECK_EQ(peer_new(&t->w, t->a, 1, "a.md"), 0);
    CHECK_EQ(peer_type(&t->w, t->a, 1, 0, 0, "text"), 0);
    world_sync(&t->w);
}

static void two_end(struct two *t, bool trashed, const char *text)
{
    world_sync(&t->w);
    CHECK_EQ(note_of(t->a, 1)->trashed, trashed);
    CHECK_EQ(note_of(t->b, 1)->trashed, trashed);
    check_text_is(t->b, 1, text);
    check_same(&t->w);
    world_end(&t->w);
}

TEST(delete_alone, "a deleted note is in the trash at both, its text is kept")
{
    struct two t;
    two_start(&t);
    CHECK_EQ(peer_trash(&t.w, t.b, 1), 0);
    CHECK(note_of(t.b, 1)->trashed);
    two_end(&t, true, "text");
}

TEST(delete_against_edit, "an edit made while another deletes brings the note back")
{
    struct two t;
    two_start(&t);
    CHECK_EQ(peer_trash(&t.w, t.b, 1), 0);
    CHECK_EQ(peer_type(&t.w, t.a, 1, 4, 0, "!"), 0);
    two_end(&t, false, "text!");
}

TEST(delete_after_edit, "a delete whose author saw the edit counts")
{
    struct two t;
    two_start(&t);
    CHECK_EQ(peer_type(&t.w, t.a, 1, 4, 0, "!"), 0);
    world_sync(&t.w);
    CHECK_EQ(peer_trash(&t.w, t.b, 1), 0);
    two_end(&t, true, "text!");
}

TEST(delete_twice, "two deletes at once are one, and an edit that only one saw does not undo it")
{
    struct two t;
    two_start(&t);
    CHECK_EQ(peer_trash(&t.w, t.b, 1), 0);
    CHECK_EQ(peer_type(&t.w, t.a, 1, 4, 0, "!"), 0);
    CHECK_EQ(peer_trash(&t.w, t.a, 1), 0);
    CHECK_EQ(peer_trash(&t.w, t.a, 1), 0);
    two_end(&t, true, "text!");
}

TEST(edit_after_delete, "typing into a note in the trash brings it back")
{
    struct two t;
    two_start(&t);
    CHECK_EQ(peer_trash(&t.w, t.b, 1), 0);
    world_sync(&t.w);
    CHECK_EQ(peer_type(&t.w, t.a, 1, 0, 0, "a "), 0);
    CHECK(!note_of(t.a, 1)->trashed);
    two_end(&t, false, "a text");
}

TEST(create_after_delete, "creating a note again brings it back, at the new path")
{
    struct two t;
    two_start(&t);
    CHECK_EQ(peer_trash(&t.w, t.b, 1), 0);
    world_sync(&t.w);
    CHECK_EQ(peer_new(&t.w, t.a, 1, "again.md"), 0);
    CHECK_STR(shown_path(t.a, 1), "again.md");
    two_end(&t, false, "text");
}

TEST(rename_after_delete,
     "a rename later than the delete brings the note back, and it can go again")
{
    struct two t;
    two_start(&t);
    CHECK_EQ(peer_trash(&t.w, t.b, 1), 0);
    world_sync(&t.w);
    CHECK_EQ(peer_rename(&t.w, t.a, 1, "a.md"), 0);
    CHECK(!note_of(t.a, 1)->trashed);
    world_sync(&t.w);
    CHECK_EQ(peer_trash(&t.w, t.a, 1), 0);
    two_end(&t, true, "text");
}

TEST(delete_unloaded,
     "a delete and an edit that meet an unloaded note wait, and are judged when it is loaded")
{
    struct two t;
    uint8_t digest[16];
    two_start(&t);
    peer_save(&t.w, t.a);
    report_unload_note(t.a->report, note_of(t.a, 1));
    CHECK(!note_of(t.a, 1)->text);
    CHECK_EQ(peer_type(&t.w, t.a, 1, 0, 0, "x"), RAPPORT_STATE);
    CHECK_EQ(peer_trash(&t.w, t.a, 1), RAPPORT_STATE);
    CHECK_EQ(peer_trash(&t.w, t.b, 1), 0);
    peer_seal(&t.w, t.b);
    peer_catch_up(&t.w, t.a);
    CHECK(report_next_unloaded(t.a->report) == note_of(t.a, 1));
    CHECK_EQ(report_digest(t.a->report, NULL, digest), RAPPORT_AGAIN);
    CHECK_EQ(report_load_note(t.a->report, note_of(t.a, 1), slice_str("nonsense")),
             RAPPORT_CORRUPT);
    CHECK(!note_of(t.a, 1)->text);
    peer_load_waiting(t.a);
    CHECK(note_of(t.a, 1)->trashed);
    CHECK(!report_next_unloaded(t.a->report));
    two_end(&t, true, "text");
}

/* ---- what must not count ---- */

TEST(local_refusals, "an edit that cannot be is refused and changes nothing")
{
    struct two t;
    static char huge[NOTE_MOST_BYTES + 1];
    two_start(&t);
    struct edit_context e = context_of(&t.w, t.a);
    struct note *note = note_of(t.a, 1);
    memset(huge, 'x', sizeof huge);
    uint64_t next = draft_next_event(t.a->draft);
    CHECK_EQ(peer_type(&t.w, t.a, 1, 0, 0, "\xff"), RAPPORT_INVALID);
    CHECK_EQ(report_splice(t.a->report, &e, note, 0, 0, slice_of("a\0b", 3)), RAPPORT_INVALID);
    CHECK_EQ(report_splice(t.a->report, &e, note, 0, 0, slice_of(huge, NOTE_MOST_BYTES)),
             RAPPORT_LIMIT);
    CHECK_EQ(report_edit_text(t.a->report, &e, note, NULL, 0, slice_of(huge, sizeof huge)),
             RAPPORT_LIMIT);
    CHECK_EQ(report_edit_text(t.a->report, &e, note, NULL, 0, slice_str("\xc0\x80")),
             RAPPORT_INVALID);
    struct rapport_text_id odd = {(const uint8_t *)"abc", 3, 0};
    CHECK_EQ(report_edit_text(t.a->report, &e, note, &odd, 1, slice_str("x")), RAPPORT_INVALID);
    CHECK_EQ(peer_new(&t.w, t.a, 2, "../x.md"), RAPPORT_INVALID);
    CHECK_EQ(peer_rename(&t.w, t.a, 1, "/x.md"), RAPPORT_INVALID);
    CHECK_EQ(report_new_note(t.a->report, &e, note_id(2), slice_str("x.md"), slice_str("?"),
                             slice_str("")),
             RAPPORT_INVALID);
    CHECK_EQ(report_new_note(t.a->report, &e, note_id(2), slice_str("x.md"), slice_str(""),
                             slice_of(huge, TEMPLATE_MOST_BYTES + 1)),
             RAPPORT_LIMIT);
    CHECK(draft_next_event(t.a->draft) == next);
    CHECK_EQ(peer_type(&t.w, t.a, 1, 99, 99, ""), 0);
    CHECK(draft_next_event(t.a->draft) == next);
    two_end(&t, false, "text");
}

TEST(stranger, "a device that is not in the roster writes nothing, here or by its deltas")
{
    struct world w;
    static struct peer stranger;
    struct buf plain = BUF_INIT;
    world_start(&w, 2);
    peer_init(&stranger, 5);
    peer_open_log(&w, &stranger);
    CHECK_EQ(peer_new(&w, &stranger, 1, "a.md"), RAPPORT_PERMISSION);
    CHECK_EQ(peer_set(&w, &stranger, "k", "v"), RAPPORT_PERMISSION);
    mp_put_array(&plain, 1);
    mp_put_array(&plain, 2);
    mp_put_bin(&plain, note_id(1), NOTE_ID_BYTES);
    mp_put_array(&plain, 1);
    mp_put_array(&plain, 2);
    mp_put_u64(&plain, EVENT_CREATE);
    mp_put_cstr(&plain, "a.md");
    peer_send_plain(&w, &stranger, DELTA_CONTENT, 1, &plain);
    peer_catch_up(&w, &w.peers[0]);
    CHECK(log_find(&w.peers[0].logs, stranger.log));
    CHECK(!note_of(&w.peers[0], 1));
    buf_clear(&plain);
    report_destroy(stranger.report);
    draft_destroy(stranger.draft);
    log_set_clear(&stranger.logs);
    free(stranger.arrived);
    world_end(&w);
}

/* A text event of note 1 that hangs on (agent, seq). */
static void put_hanging(struct buf *plain, const uint8_t *agent, uint64_t seq)
{
    struct payload_event event = {.kind = DELTA_CONTENT, .n_ids = 1};
    event.type.content = EVENT_INSERT;
    event.text = (struct payload_text){.pos = 4, .n = 1, .text = slice_str("!")};
    event.text.has_parents = true;
    memcpy(event.ids[0].agent, agent, LOG_ID_BYTES);
    event.ids[0].seq = seq;
    mp_put_array(plain, 1);
    mp_put_array(plain, 2);
    mp_put_bin(plain, note_id(1), NOTE_ID_BYTES);
    mp_put_array(plain, 2);
    payload_put_event(plain, &event);
}

TEST(unknown_parent,
     "an event whose parent is not here shows once the parent comes, also over a restart")
{
    struct two t;
    struct buf plain = BUF_INIT;
    two_start(&t);
    const struct log *own = log_find(&t.a->logs, t.a->log);
    put_hanging(&plain, t.a->log, own->next);
    peer_send_plain(&t.w, t.b, DELTA_CONTENT, 1, &plain);
    peer_catch_up(&t.w, t.a);
    check_text_is(t.a, 1, "text");
    peer_save(&t.w, t.a);
    peer_restart(&t.w, t.a);
    peer_load_waiting(t.a);
    check_text_is(t.a, 1, "text");
    CHECK_EQ(peer_type(&t.w, t.a, 1, 0, 0, ">"), 0);
    check_text_is(t.a, 1, ">tex!t");
    buf_clear(&plain);
    world_end(&t.w);
}
