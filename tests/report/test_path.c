/* test_path.c - which paths are allowed, and the names under which clashing notes are shown. */
#include "world.h"

TEST(valid_paths, "a path is relative, harmless and ends in .md")
{
    static const char *const good[] = {"a.md",    "notes/a.md",    "notes/Ü b.md",   "a/b/c/d.md",
                                       "a..b.md", "privates/a.md", "x/private/a.md", "a -2.md",
                                       "日本.md", "a.md/b.md",     "a~.md"};
    static const char *const bad[] = {"",
                                      ".md",
                                      "a",
                                      "a.MD",
                                      "/a.md",
                                      "a//b.md",
                                      "./a.md",
                                      "../a.md",
                                      "a/../b.md",
                                      "a/./b.md",
                                      ".git/a.md",
                                      "a/.hidden.md",
                                      "a/",
                                      "a.md/",
                                      "private/a.md",
                                      "Private/a.md",
                                      "PRIVATE/a.md",
                                      ".rapport/a.md",
                                      "a\nb.md",
                                      "a\tb.md",
                                      "a\\b.md",
                                      "a\x7f.md",
                                      "a\xc2\x85.md",
                                      "a\xff.md",
                                      "a\xe2\x80\xae.md",
                                      "\xef\xbb\xbf"
                                      "a.md",
                                      "a\xe2\x80\xa8.md",
                                      "a/.md"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        if (!path_valid(slice_str(good[i])))
            test_fail(__FILE__, __LINE__, "%s is not valid", good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (path_valid(slice_str(bad[i])))
            test_fail(__FILE__, __LINE__, "row %zu, %s, is valid", i, bad[i]);
    CHECK(!path_valid(slice_of("a\0b.md", 6)));
}

TEST(path_limits, "a part has at most 240 bytes and a path at most PATH_MOST_BYTES")
{
    char path[PATH_MOST_BYTES + 8];
    memset(path, 'x', sizeof path);
    memcpy(path + 237, ".md", 3);
    CHECK(path_valid(slice_of(path, 240)));
    memcpy(path + 237, "xxx.md", 6);
    CHECK(!path_valid(slice_of(path, 243)));
    memset(path, 'x', sizeof path);
    path[200] = path[400] = '/';
    memcpy(path + PATH_MOST_BYTES - 3, ".md", 3);
    CHECK(path_valid(slice_of(path, PATH_MOST_BYTES)));
    memcpy(path + PATH_MOST_BYTES - 3, "x.md", 4);
    CHECK(!path_valid(slice_of(path, PATH_MOST_BYTES + 1)));
}

/* Up to four notes in order of creation, and what each is shown as. */
struct clash {
    const char *wanted[4], *shown[4];
};

static const struct clash clashes[] = {
    {{"a.md", "b.md"}, {"a.md", "b.md"}},
    {{"a.md", "a.md", "a.md"}, {"a.md", "a -2.md", "a -3.md"}},
    {{"a.md", "A.md"}, {"a.md", "A -2.md"}},
    {{"\xc3\xbc.md", "u\xcc\x88.md", "U\xcc\x88.md"},
     {"\xc3\xbc.md", "u\xcc\x88 -2.md", "U\xcc\x88 -3.md"}},
    {{"stra\xc3\x9f"
      "e.md",
      "STRASSE.md"},
     {"stra\xc3\x9f"
      "e.md",
      "STRASSE -2.md"}},
    {{"a.md", "a -2.md", "a.md"}, {"a.md", "a -2.md", "a -3.md"}},
    {{"a.md", "a.md", "a -2.md"}, {"a.md", "a -2.md", "a -2 -2.md"}},
    {{"a.md", "a.md/b.md"}, {"a.md", "a -2.md/b.md"}},
    {{"a.md/b.md", "a.md"}, {"a.md/b.md", "a -2.md"}},
    {{"a.md", "A.md/b.md", "a.md/b.md"}, {"a.md", "A -2.md/b.md", "A -2.md/b -2.md"}},
    {{"Notes/a.md", "notes/b.md", "NOTES/a.md"}, {"Notes/a.md", "Notes/b.md", "Notes/a -2.md"}},
    {{"x/a.md", "y/a.md"}, {"x/a.md", "y/a.md"}},
};

static void check_clash(struct world *w, const struct clash *c, size_t row)
{
    static const uint8_t ids[] = {40, 20, 30, 10};
    for (size_t i = 0; i < 4 && c->wanted[i]; i++) {
        CHECK_EQ(peer_new(w, &w->peers[0], ids[i], c->wanted[i]), 0);
        peer_seal(w, &w->peers[0]);
    }
    peer_catch_up(w, &w->peers[1]);
    for (size_t i = 0; i < 4 && c->wanted[i]; i++)
        if (strcmp(shown_path(&w->peers[1], ids[i]), c->shown[i]) != 0)
            test_fail(__FILE__, __LINE__, "row %zu, note %zu is %s, not %s", row, i,
                      shown_path(&w->peers[1], ids[i]), c->shown[i]);
    check_same(w);
}

TEST(clashes, "the note made first keeps its name, the others are moved aside")
{
    for (size_t i = 0; i < sizeof clashes / sizeof *clashes; i++) {
        struct world w;
        world_start(&w, 2);
        check_clash(&w, &clashes[i], i);
        world_end(&w);
    }
}

TEST(trash_frees_name,
     "a note in the trash takes no name, and asks for its own again when it is back")
{
    struct world w;
    world_start(&w, 2);
    CHECK_EQ(peer_new(&w, &w.peers[0], 1, "a.md"), 0);
    world_sync(&w);
    CHECK_EQ(peer_new(&w, &w.peers[1], 2, "a.md"), 0);
    CHECK_STR(shown_path(&w.peers[1], 2), "a -2.md");
    CHECK_EQ(peer_trash(&w, &w.peers[1], 1), 0);
    CHECK_STR(shown_path(&w.peers[1], 2), "a.md");
    CHECK_STR(shown_path(&w.peers[1], 1), "a.md");
    while (report_next_changed(w.peers[1].report)) {
    }
    CHECK_EQ(peer_type(&w, &w.peers[1], 1, 0, 0, "x"), 0);
    CHECK_STR(shown_path(&w.peers[1], 2), "a -2.md");
    CHECK(report_next_changed(w.peers[1].report) == note_of(&w.peers[1], 1));
    CHECK(report_next_changed(w.peers[1].report) == note_of(&w.peers[1], 2));
    CHECK(!report_next_changed(w.peers[1].report));
    world_end(&w);
}

TEST(arrival_does_not_matter,
     "clashing notes of five devices have the same names in any order of arrival")
{
    static const char *const wanted[] = {"a.md", "A.md", "a.md/a.md", "a -2.md", "A.md/a.md"};
    struct test_rng rng = test_rng_start(7);
    struct world w;
    world_start(&w, 5);
    for (uint8_t i = 0; i < 25; i++) {
        struct peer *p = &w.peers[i % 5];
        CHECK_EQ(peer_new(&w, p, i + 1, wanted[(i + i / 5) % 5]), 0);
        peer_seal(&w, p);
    }
    for (size_t i = 0; i < 5; i++) {
        while (w.peers[i].n_arrived < w.n_deltas)
            peer_receive(&w, &w.peers[i], test_rng_below(&rng, w.n_deltas));
        for (uint8_t n = 1; n <= 25; n++)
            CHECK_STR(shown_path(&w.peers[i], n), shown_path(&w.peers[0], n));
    }
    check_same(&w);
    world_end(&w);
}

TEST(many_notes_of_one_name, "ten thousand notes that want one name get one each")
{
    enum {
        N = 10000
    };
    struct world w;
    world_start(&w, 1);
    struct edit_context e = context_of(&w, &w.peers[0]);
    uint8_t id[NOTE_ID_BYTES] = {0}, last[NOTE_ID_BYTES];
    for (size_t i = 0; i < N; i++) {
        id[0] = (uint8_t)(i >> 8);
        id[1] = (uint8_t)i;
        CHECK_EQ(report_new_note(w.peers[0].report, &e, id, slice_str("notes/a.md"), slice_str(""),
                                 slice_str("")),
                 0);
        memcpy(last, id, sizeof last);
    }
    CHECK_EQ(report_settle_paths(w.peers[0].report), 0);
    CHECK_STR(report_note(w.peers[0].report, last)->shown_path, "notes/a -10000.md");
    world_end(&w);
}
