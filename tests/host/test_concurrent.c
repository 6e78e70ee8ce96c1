/* test_concurrent.c - text of friends that comes while a file is being edited. */
#include "pair.h"

static struct host *ada(struct pair *p)
{
    return p->a.box.host;
}

static struct host *bob(struct pair *p)
{
    return p->b.box.host;
}

/* Both have notes/a.md with `text`, in their folders too. */
static void share(struct pair *p, const char *text)
{
    pair_start(p);
    put_file(in(&p->a.box, "notes/a.md"), text);
    settle(ada(p));
    pair_run(p);
    settle(bob(p));
    CHECK_FILE(in(&p->b.box, "notes/a.md"), text);
}

/* Ada's file, notes and Bob's are equal to `text`. */
static void check_both(struct pair *p, const char *text)
{
    settle(ada(p));
    pair_run(p);
    settle(bob(p));
    pair_run(p);
    settle(ada(p));
    CHECK_FILE(in(&p->a.box, "notes/a.md"), text);
    CHECK_FILE(in(&p->b.box, "notes/a.md"), text);
    CHECK_NOTE(ada(p), "notes/a.md", text);
    CHECK_NOTE(bob(p), "notes/a.md", text);
}

TEST(concurrent_two_files, "two people change one file each; both changes are in both files")
{
    struct pair p;
    share(&p, "# A\n\none\ntwo\n");
    put_file(in(&p.a.box, "notes/a.md"), "# A\n\none by Ada\ntwo\n");
    put_file(in(&p.b.box, "notes/a.md"), "# A\n\none\ntwo by Bob\n");
    settle(ada(&p));
    settle(bob(&p));
    pair_run(&p);
    check_both(&p, "# A\n\none by Ada\ntwo by Bob\n");
    pair_stop(&p);
}

TEST(concurrent_old_buffer, "a save from before a friend's text came does not delete that text")
{
    struct pair p;
    share(&p, "# A\n\none\ntwo\n");
    DO(bob(&p), "jot", "note", "a", "text", "Bob was here");
    pair_run(&p);
    settle(ada(&p));
    CHECK_FILE(in(&p.a.box, "notes/a.md"), "# A\n\none\ntwo\nBob was here\n");
    put_file(in(&p.a.box, "notes/a.md"), "# A\n\none more\ntwo\n");
    check_both(&p, "# A\n\none more\ntwo\nBob was here\n");
    pair_stop(&p);
}

TEST(concurrent_buffer_never_reloads,
     "an editor that never reloads saves three times and nothing is lost")
{
    struct pair p;
    share(&p, "# A\n\none\n");
    DO(bob(&p), "jot", "note", "a", "text", "Bob 1");
    pair_run(&p);
    settle(ada(&p));
    put_file(in(&p.a.box, "notes/a.md"), "# A\n\none, Ada 1\n");
    settle(ada(&p));
    CHECK_FILE(in(&p.a.box, "notes/a.md"), "# A\n\none, Ada 1\nBob 1\n");
    pair_run(&p);
    DO(bob(&p), "jot", "note", "a", "text", "Bob 2");
    pair_run(&p);
    settle(ada(&p));
    put_file(in(&p.a.box, "notes/a.md"), "# A\n\none, Ada 1, Ada 2\n");
    settle(ada(&p));
    put_file(in(&p.a.box, "notes/a.md"), "# A, renamed\n\none, Ada 1, Ada 2\n");
    check_both(&p, "# A, renamed\n\none, Ada 1, Ada 2\nBob 1\nBob 2\n");
    pair_stop(&p);
}

TEST(concurrent_deletes_read_text, "who read a friend's text and deletes it, deletes it")
{
    struct pair p;
    share(&p, "# A\n\none\n");
    DO(bob(&p), "jot", "note", "a", "text", "Bob 1");
    pair_run(&p);
    DO(bob(&p), "jot", "note", "a", "text", "Bob 2");
    pair_run(&p);
    settle(ada(&p));
    put_file(in(&p.a.box, "notes/a.md"), "# A\n\none\nBob 2\n");
    check_both(&p, "# A\n\none\nBob 2\n");
    pair_stop(&p);
}

TEST(concurrent_stale_save, "a save of the old text takes nothing; saved so again, it is meant")
{
    struct pair p;
    share(&p, "# A\n\none and a long line\n");
    DO(bob(&p), "jot", "note", "a", "text", "Bob was here");
    pair_run(&p);
    settle(ada(&p));
    put_file(in(&p.a.box, "notes/a.md"), "# A\n\none and a long line\n");
    settle(ada(&p));
    CHECK_FILE(in(&p.a.box, "notes/a.md"), "# A\n\none and a long line\nBob was here\n");
    put_file(in(&p.a.box, "notes/a.md"), "# A\n\none and a long line\n");
    check_both(&p, "# A\n\none and a long line\n");
    pair_stop(&p);
}

TEST(concurrent_swap_file,
     "while a live editor shows the file to be open, friends' text waits and is named")
{
    struct pair p;
    share(&p, "# A\n\none\n");
    char swap[64] = "b0VIM 9.0";
    uint32_t pid = (uint32_t)getpid();
    for (int i = 0; i < 4; i++)
        swap[24 + i] = (char)(pid >> (8 * i));
    int fd = open(in(&p.a.box, "notes/.a.md.swp"), O_WRONLY | O_CREAT, 0600);
    CHECK(write(fd, swap, sizeof swap) == sizeof swap);
    close(fd);
    DO(bob(&p), "jot", "note", "a", "text", "Bob was here");
    pair_run(&p);
    settle(ada(&p));
    CHECK_FILE(in(&p.a.box, "notes/a.md"), "# A\n\none\n");
    struct mirror_problem problem;
    size_t i = 0;
    CHECK(mirror_next_problem(ada(&p), &i, &problem));
    CHECK(problem.waiting);
    CHECK_STR(problem.path, "notes/a.md");
    put_file(in(&p.a.box, "notes/a.md"), "# A\n\none and a half\n");
    settle(ada(&p));
    CHECK_FILE(in(&p.a.box, "notes/a.md"), "# A\n\none and a half\n");
    CHECK_NOTE(ada(&p), "a", "# A\n\none and a half\nBob was here\n");
    put_file(in(&p.a.box, "notes/a.md"), "# A\n\none and a half, two\n");
    settle(ada(&p));
    CHECK(!unlink(in(&p.a.box, "notes/.a.md.swp")));
    check_both(&p, "# A\n\none and a half, two\nBob was here\n");
    pair_stop(&p);
}

TEST(concurrent_dead_swap_file, "a swap file whose editor is gone holds nothing up")
{
    struct pair p;
    share(&p, "# A\n");
    char swap[64] = "b0VIM 9.0";
    swap[24] = (char)0xff; /* a pid that is none: 0x7fffffff */
    swap[25] = (char)0xff;
    swap[26] = (char)0xff;
    swap[27] = 0x7f;
    int fd = open(in(&p.a.box, "notes/.a.md.swp"), O_WRONLY | O_CREAT, 0600);
    CHECK(write(fd, swap, sizeof swap) == sizeof swap);
    close(fd);
    DO(bob(&p), "jot", "note", "a", "text", "Bob was here");
    pair_run(&p);
    settle(ada(&p));
    CHECK_FILE(in(&p.a.box, "notes/a.md"), "# A\nBob was here\n");
    pair_stop(&p);
}

TEST(concurrent_rename_and_delete,
     "a friend's rename moves the file, a friend's rm trashes it, an edit brings it back")
{
    struct pair p;
    share(&p, "# A\n");
    DO(bob(&p), "mv", "note", "a", "path", "talks/b.md");
    pair_run(&p);
    settle(ada(&p));
    CHECK_FILE(in(&p.a.box, "talks/b.md"), "# A\n");
    CHECK(!exists(in(&p.a.box, "notes/a.md")));
    put_file(in(&p.a.box, "talks/b.md"), "# A\nAda\n");
    settle(ada(&p));
    DO(bob(&p), "rm", "note", "talks/b.md");
    CHECK(!exists(in(&p.b.box, "talks/b.md")));
    pair_run(&p);
    settle(ada(&p));
    settle(bob(&p));
    CHECK_FILE(in(&p.a.box, "talks/b.md"), "# A\nAda\n");
    CHECK_FILE(in(&p.b.box, "talks/b.md"), "# A\nAda\n");
    pair_stop(&p);
}

TEST(concurrent_foreign_file,
     "a file that stands where a friend's note belongs is kept as a note of its own")
{
    struct pair p;
    pair_start(&p);
    DO(ada(&p), "new", "title", "Same");
    pair_run(&p);
    put_file(in(&p.b.box, "notes/same.md"), "# Same\n\nBob's own\n");
    settle(bob(&p));
    pair_run(&p);
    settle(ada(&p));
    settle(bob(&p));
    CHECK_FILE(in(&p.b.box, "notes/same.md"), "# Same\n\n");
    CHECK_FILE(in(&p.b.box, "notes/same -2.md"), "# Same\n\nBob's own\n");
    CHECK_FILE(in(&p.a.box, "notes/same -2.md"), "# Same\n\nBob's own\n");
    pair_stop(&p);
}

TEST(concurrent_equal_digests, "after all that both have the same digest")
{
    struct pair p;
    uint8_t x[RAPPORT_DIGEST_BYTES], y[RAPPORT_DIGEST_BYTES];
    share(&p, "# A\n");
    DO(bob(&p), "jot", "text", "from Bob");
    DO(ada(&p), "jot", "text", "from Ada");
    check_both(&p, "# A\n");
    CHECK_EQ(rapport_node_digest(host_node(ada(&p)), x), 0);
    CHECK_EQ(rapport_node_digest(host_node(bob(&p)), y), 0);
    CHECK_BYTES(x, sizeof x, y, sizeof y);
    pair_stop(&p);
}
