/* test_race.c - saves that come between looking and writing, and what interrupted writes leave. */
#include <sys/mount.h>

#include "base/hex.h"
#include "pair.h"

static struct host *ada(struct pair *p)
{
    return p->a.box.host;
}

static struct host *bob(struct pair *p)
{
    return p->b.box.host;
}

static void share(struct pair *p, const char *text)
{
    pair_start(p);
    put_file(in(&p->a.box, "a.md"), text);
    settle(ada(p));
    pair_run(p);
    settle(bob(p));
}

/* The name of the temporary file beside the only note. */
static const char *temporary(struct box *b)
{
    static char name[64];
    struct rapport_note_info info;
    size_t at_note = 0;
    char hex[17];
    CHECK(rapport_node_next_note(host_node(b->host), &at_note, &info));
    hex_encode(hex, info.id, 8);
    (void)snprintf(name, sizeof name, ".rapport-%s.new", hex);
    return name;
}

TEST(race_save_before_exchange,
     "a save between the look and the exchange comes out of it and is merged")
{
    struct pair p;
    static void (*const saves[])(const char *, const char *) = {put_file, replace};
    for (size_t i = 0; i < 2; i++) {
        share(&p, "# A\n\none\ntwo\n");
        DO(bob(&p), "jot", "note", "a", "text", "Bob was here");
        pair_run(&p);
        CHECK_EQ(mirror_take(ada(&p)), 0);
        saves[i](in(&p.a.box, "a.md"), "# A\n\none by Ada\ntwo\n");
        CHECK_EQ(mirror_put(ada(&p)), 0);
        settle(ada(&p));
        CHECK_FILE(in(&p.a.box, "a.md"), "# A\n\none by Ada\ntwo\nBob was here\n");
        CHECK_NOTE(ada(&p), "a", "# A\n\none by Ada\ntwo\nBob was here\n");
        CHECK(!exists(in(&p.a.box, temporary(&p.a.box))));
        pair_stop(&p);
    }
}

TEST(race_deleted_before_exchange,
     "a file that is deleted between the look and the exchange stays deleted")
{
    struct pair p;
    share(&p, "# A\n");
    DO(bob(&p), "jot", "note", "a", "text", "Bob was here");
    pair_run(&p);
    CHECK_EQ(mirror_take(ada(&p)), 0);
    CHECK(!unlink(in(&p.a.box, "a.md")));
    age(p.a.box.dir, 10);
    CHECK_EQ(mirror_put(ada(&p)), 0);
    CHECK(!exists(in(&p.a.box, "a.md")));
    pair_stop(&p);
}

TEST(race_deleted_before_newer_text,
     "a file that is deleted while a friend's text is on its way comes back with that text")
{
    struct pair p;
    share(&p, "# A\n");
    CHECK(!unlink(in(&p.a.box, "a.md")));
    DO(bob(&p), "jot", "note", "a", "text", "Bob was here");
    pair_run(&p);
    CHECK_EQ(mirror_put(ada(&p)), 0);
    CHECK(!exists(in(&p.a.box, temporary(&p.a.box))));
    age(p.a.box.dir, 10);
    settle(ada(&p));
    CHECK_FILE(in(&p.a.box, "a.md"), "# A\nBob was here\n");
    CHECK_NOTE(bob(&p), "a", "# A\nBob was here\n");
    pair_stop(&p);
}

TEST(race_slow_writer, "a file that is open for writing is not replaced before it is closed")
{
    struct pair p;
    share(&p, "# A\n\none\n");
    FILE *slow = fopen(in(&p.a.box, "a.md"), "ae");
    CHECK(slow != NULL);
    DO(bob(&p), "jot", "note", "a", "text", "Bob was here");
    pair_run(&p);
    settle(ada(&p));
    CHECK_FILE(in(&p.a.box, "a.md"), "# A\n\none\n");
    CHECK(!exists(in(&p.a.box, temporary(&p.a.box))));
    CHECK(fputs("two\n", slow) >= 0 && !fclose(slow));
    settle(ada(&p));
    char *text = get_file(in(&p.a.box, "a.md"));
    CHECK(strstr(text, "two\n") && strstr(text, "Bob was here\n"));
    free(text);
    pair_stop(&p);
}

TEST(race_foreign_file, "a file that appears where a new note is to be written is not replaced")
{
    struct pair p;
    pair_start(&p);
    DO(ada(&p), "new", "title", "Same", "path", "same.md");
    pair_run(&p);
    CHECK_EQ(mirror_take(bob(&p)), 0);
    put_file(in(&p.b.box, "same.md"), "Bob's own\n");
    CHECK_EQ(mirror_put(bob(&p)), 0);
    CHECK_FILE(in(&p.b.box, "same.md"), "Bob's own\n");
    settle(bob(&p));
    CHECK_FILE(in(&p.b.box, "same.md"), "# Same\n\n");
    CHECK_FILE(in(&p.b.box, "same -2.md"), "Bob's own\n");
    pair_stop(&p);
}

TEST(race_leftover_save, "a save that was exchanged out before a crash is taken by the next run")
{
    struct pair p;
    share(&p, "# A\n\none\n");
    DO(bob(&p), "jot", "note", "a", "text", "Bob was here");
    pair_run(&p);
    settle(ada(&p));
    put_file(in(&p.a.box, temporary(&p.a.box)), "# A\n\none by Ada\n");
    settle(ada(&p));
    CHECK_FILE(in(&p.a.box, "a.md"), "# A\n\none by Ada\nBob was here\n");
    CHECK(!exists(in(&p.a.box, temporary(&p.a.box))));
    pair_stop(&p);
}

TEST(race_leftover_write, "a write that a crash cut off is thrown away")
{
    static const char *const cut[] = {"", "# A", "# A\n\none\n"};
    struct box b;
    for (size_t i = 0; i < sizeof cut / sizeof cut[0]; i++) {
        box_start(&b);
        put_file(in(&b, "a.md"), "# A\n\none\n");
        settle(b.host);
        put_file(in(&b, temporary(&b)), cut[i]);
        settle(b.host);
        CHECK_FILE(in(&b, "a.md"), "# A\n\none\n");
        CHECK_NOTE(b.host, "a", "# A\n\none\n");
        CHECK(!exists(in(&b, temporary(&b))));
        box_close(&b);
    }
}

TEST(race_read_only_folder,
     "what cannot be written stays in the database, is named, and is written later")
{
    struct box b;
    if (geteuid() != 0)
        SKIP("needs root to mount a read-only tmpfs");
    box_start(&b);
    if (mount("none", in(&b, "notes"), "tmpfs", 0, "size=1m"))
        SKIP("this machine does not let the test mount a tmpfs");
    put_file(in(&b, "notes/a.md"), "# A\n");
    settle(b.host);
    CHECK(!mount("none", in(&b, "notes"), NULL, MS_REMOUNT | MS_RDONLY, NULL));
    DO(b.host, "jot", "note", "a", "text", "more");
    CHECK_NOTE(b.host, "a", "# A\nmore\n");
    CHECK_FILE(in(&b, "notes/a.md"), "# A\n");
    struct mirror_problem problem;
    size_t i = 0;
    CHECK(mirror_next_problem(b.host, &i, &problem));
    CHECK_STR(problem.path, "notes/a.md");
    CHECK(!mount("none", in(&b, "notes"), NULL, MS_REMOUNT, NULL));
    settle(b.host);
    CHECK_FILE(in(&b, "notes/a.md"), "# A\nmore\n");
    CHECK_EQ(host_close(b.host), 0);
    b.host = NULL;
    CHECK(!umount(in(&b, "notes")));
    box_close(&b);
}

TEST(race_join_full_folder,
     "who joins in a folder with files keeps them: equal ones are one, others get a name")
{
    struct pair p;
    pair_start(&p);
    put_file(in(&p.b.box, "same.md"), "# Same\n");
    put_file(in(&p.b.box, "other.md"), "# Bob's\n");
    put_file(in(&p.a.box, "same.md"), "# Same\n");
    put_file(in(&p.a.box, "other.md"), "# Ada's\n");
    settle(ada(&p));
    pair_run(&p);
    settle(bob(&p));
    pair_run(&p);
    settle(ada(&p));
    CHECK_EQ(count_notes(bob(&p)), 3);
    CHECK_FILE(in(&p.b.box, "same.md"), "# Same\n");
    CHECK_FILE(in(&p.b.box, "other.md"), "# Ada's\n");
    CHECK_FILE(in(&p.b.box, "other -2.md"), "# Bob's\n");
    CHECK_FILE(in(&p.a.box, "other -2.md"), "# Bob's\n");
    pair_stop(&p);
}
