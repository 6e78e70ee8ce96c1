/* test_title.c - the title that a note shows. */
#include "world.h"

static const struct {
    const char *text, *title;
} titles[] = {
    {"", "stem"},
    {"\n  \n\t\n", "stem"},
    {"# One\n# Two\n", "One"},
    {"text\n\n## Later ##\n", "Later"},
    {"#no heading\n", "#no heading"},
    {"####### seven\n", "####### seven"},
    {"plain first\nsecond\n", "plain first"},
    {"Setext\n===\n", "Setext"},
    {"above\n\nSetext\n---\n", "Setext"},
    {"- item\n---\n# Real\n", "Real"},
    {"```\n# code\n```\n# Real\n", "Real"},
    {"~~~~\n# code\n```\n~~~\n~~~~\n# Real\n", "Real"},
    {"    # indented\n# Real\n", "Real"},
    {"---\ntitle: x\n---\n# Real\n", "Real"},
    {"+++\ntitle = 'x'\n+++\nplain\n", "plain"},
    {"---\nnever closed\n# Real\n", "Real"},
    {"# *Very* `nice` [link](http://x)\n", "Very nice link"},
    {"# **\n", "**"},
    {"# a\tb\x1b[31m\r\n", "a\xe2\x90\x89"
                           "b\xe2\x90\x9b"
                           "31m"},
    {"#\n\n# x\n", "x"},
};

TEST(titles, "a title is the first heading, else the first line, else the path's stem")
{
    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++) {
        struct world w;
        world_start(&w, 1);
        CHECK_EQ(peer_new(&w, &w.peers[0], 1, "notes/stem.md"), 0);
        CHECK_EQ(peer_type(&w, &w.peers[0], 1, 0, 0, titles[i].text), 0);
        CHECK_EQ(report_refresh_note(note_of(&w.peers[0], 1)), 0);
        CHECK_STR(note_of(&w.peers[0], 1)->title, titles[i].title);
        world_end(&w);
    }
}

TEST(long_title, "a title is cut at 256 bytes, between characters")
{
    struct world w;
    char text[512];
    world_start(&w, 1);
    CHECK_EQ(peer_new(&w, &w.peers[0], 1, "a.md"), 0);
    for (size_t i = 0; i < 510; i += 3)
        memcpy(text + i, "日", 3);
    text[510] = 0;
    CHECK_EQ(peer_type(&w, &w.peers[0], 1, 0, 0, text), 0);
    CHECK_EQ(report_refresh_note(note_of(&w.peers[0], 1)), 0);
    CHECK_EQ(strlen(note_of(&w.peers[0], 1)->title), 255);
    world_end(&w);
}

TEST(title_of_unloaded,
     "a rename of an unloaded note without text changes its title, and of one with text not")
{
    struct world w;
    world_start(&w, 1);
    struct peer *p = &w.peers[0];
    CHECK_EQ(peer_new(&w, p, 1, "a.md"), 0);
    CHECK_EQ(peer_new(&w, p, 2, "b.md"), 0);
    CHECK_EQ(peer_type(&w, p, 2, 0, 0, "text"), 0);
    peer_save(&w, p);
    peer_restart(&w, p);
    CHECK_EQ(peer_rename(&w, p, 1, "new.md"), 0);
    CHECK_EQ(peer_rename(&w, p, 2, "new-2.md"), 0);
    CHECK_EQ(report_refresh_note(note_of(p, 1)), 0);
    CHECK_EQ(report_refresh_note(note_of(p, 2)), 0);
    CHECK(!note_of(p, 1)->text && !note_of(p, 2)->text);
    CHECK_STR(note_of(p, 1)->title, "new");
    CHECK_STR(note_of(p, 2)->title, "text");
    world_end(&w);
}
