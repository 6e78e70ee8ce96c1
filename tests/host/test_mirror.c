/* test_mirror.c - the folder as a mirror: editors' ways of saving, renames, deletions, odd files.
   */
#include <sys/mount.h>
#include <sys/un.h>

#include "folders.h"

/* A report with one note at notes/a.md that says `text`. */
static void start_with(struct box *b, const char *text)
{
    box_start(b);
    put_file(in(b, "notes/a.md"), text);
    settle(b->host);
    CHECK_NOTE(b->host, "notes/a.md", text);
}

static size_t n_trashed(struct host *h)
{
    size_t at = 0, n = 0;
    struct rapport_note_info info;
    while (rapport_node_next_note(host_node(h), &at, &info))
        n += info.trashed;
    return n;
}

/* The line of the problem of a path, or NULL. */
static const char *problem_of(struct host *h, const char *path)
{
    struct mirror_problem p;
    size_t i = 0;
    while (mirror_next_problem(h, &i, &p))
        if (strcmp(p.path, path) == 0)
            return p.line;
    return NULL;
}

TEST(mirror_new_file, "a file that was put into the folder is a note, and is so after a restart")
{
    struct box b;
    start_with(&b, "# A\n\nfirst\n");
    box_reopen(&b);
    settle(b.host);
    CHECK_EQ(count_notes(b.host), 1);
    CHECK_NOTE(b.host, "a", "# A\n\nfirst\n");
    CHECK_FILE(in(&b, "notes/a.md"), "# A\n\nfirst\n");
    box_close(&b);
}

TEST(mirror_write_in_place, "a file that is written in place is taken as a change")
{
    struct box b;
    start_with(&b, "# A\n\nfirst\n");
    put_file(in(&b, "notes/a.md"), "# A\n\nfirst\nsecond\n");
    settle(b.host);
    CHECK_NOTE(b.host, "a", "# A\n\nfirst\nsecond\n");
    CHECK_FILE(in(&b, "notes/a.md"), "# A\n\nfirst\nsecond\n");
    box_close(&b);
}

TEST(mirror_atomic_rename, "a file that is renamed over is taken as a change, not as another note")
{
    struct box b;
    start_with(&b, "# A\n\nfirst\n");
    replace(in(&b, "notes/a.md"), "# A\n\nfirst, renamed over\n");
    settle(b.host);
    CHECK_EQ(count_notes(b.host), 1);
    CHECK_NOTE(b.host, "a", "# A\n\nfirst, renamed over\n");
    box_close(&b);
}

TEST(mirror_backup_and_probe,
     "Vim's 4913 probe and its backup by renaming make one change of one note")
{
    struct box b;
    start_with(&b, "# A\n\nfirst\n");
    put_file(in(&b, "notes/4913"), "");
    settle(b.host);
    CHECK_EQ(unlink(in(&b, "notes/4913")), 0);
    CHECK_EQ(rename(in(&b, "notes/a.md"), in(&b, "notes/a.md~")), 0);
    put_file(in(&b, "notes/a.md"), "# A\n\nfirst and more\n");
    settle(b.host);
    CHECK_EQ(unlink(in(&b, "notes/a.md~")), 0);
    settle(b.host);
    CHECK_EQ(count_notes(b.host), 1);
    CHECK_EQ(n_trashed(b.host), 0);
    CHECK_NOTE(b.host, "a", "# A\n\nfirst and more\n");
    box_close(&b);
}

TEST(mirror_left_alone,
     "private, media, published, dot files, other names and reports inside are left alone")
{
    struct box b;
    static const char *const names[] = {
        "private/x.md", "media/x.md", "published/x.md",  ".hidden.md",     "#x.md#", "x.md~",
        "notes/x.tmp",  "x.txt",      "notes/.x.md.swp", ".obsidian/x.md", "~$x.md", "other/x.md"};
    box_start(&b);
    static const char *const folders[] = {"private",   "media", "published",
                                          ".obsidian", "other", "other/.rapport"};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
        CHECK_EQ(mkdir(in(&b, folders[i]), 0755), 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        put_file(in(&b, names[i]), "# X\n");
    settle(b.host);
    CHECK_EQ(count_notes(b.host), 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        CHECK_FILE(in(&b, names[i]), "# X\n");
    box_close(&b);
}

TEST(mirror_renamed,
     "a renamed file keeps its note, also when it was changed on the way or lost its inode")
{
    struct box b;
    start_with(&b, "# A\n\nfirst\n");
    CHECK_EQ(mkdir(in(&b, "talks"), 0755), 0);
    CHECK_EQ(rename(in(&b, "notes/a.md"), in(&b, "talks/b.md")), 0);
    put_file(in(&b, "talks/b.md"), "# A\n\nfirst\nmore\n");
    settle(b.host);
    CHECK_EQ(count_notes(b.host), 1);
    CHECK_EQ(n_trashed(b.host), 0);
    CHECK_NOTE(b.host, "talks/b.md", "# A\n\nfirst\nmore\n");
    put_file(in(&b, "c.md"), "# A\n\nfirst\nmore\n");
    CHECK_EQ(unlink(in(&b, "talks/b.md")), 0);
    age(in(&b, "talks"), 10);
    settle(b.host);
    CHECK_EQ(count_notes(b.host), 1);
    CHECK_NOTE(b.host, "c.md", "# A\n\nfirst\nmore\n");
    box_close(&b);
}

TEST(mirror_deleted, "a deleted file puts its note into the trash once its folder has settled")
{
    struct box b;
    start_with(&b, "# A\n");
    CHECK_EQ(unlink(in(&b, "notes/a.md")), 0);
    age(in(&b, "notes"), 10);
    settle(b.host);
    CHECK_EQ(count_notes(b.host), 0);
    CHECK_EQ(n_trashed(b.host), 1);
    settle(b.host);
    CHECK(!exists(in(&b, "notes/a.md")));
    box_close(&b);
}

TEST(mirror_folder_gone,
     "when a whole folder vanishes its notes are written out again and it is said")
{
    struct box b;
    start_with(&b, "# A\n");
    CHECK_EQ(unlink(in(&b, "notes/a.md")), 0);
    CHECK_EQ(rmdir(in(&b, "notes")), 0);
    settle(b.host);
    CHECK_EQ(n_trashed(b.host), 0);
    CHECK_FILE(in(&b, "notes/a.md"), "# A\n");
    struct buf line = BUF_INIT;
    CHECK(host_next_notice(b.host, &line));
    CHECK(strstr(buf_cstr(&line), "folder is gone") != NULL);
    buf_clear(&line);
    box_close(&b);
}

TEST(mirror_many_gone, "when most files vanish at once they are written out again")
{
    struct box b;
    start_with(&b, "# A\n");
    char name[32], text[32];
    for (int i = 0; i < 9; i++) {
        (void)snprintf(name, sizeof name, "notes/n%d.md", i);
        (void)snprintf(text, sizeof text, "# N%d\n", i);
        put_file(in(&b, name), text);
    }
    settle(b.host);
    for (int i = 0; i < 9; i++) {
        (void)snprintf(name, sizeof name, "notes/n%d.md", i);
        CHECK_EQ(unlink(in(&b, name)), 0);
    }
    age(in(&b, "notes"), 10);
    settle(b.host);
    CHECK_EQ(count_notes(b.host), 10);
    CHECK_FILE(in(&b, "notes/n8.md"), "# N8\n");
    box_close(&b);
}

TEST(mirror_crlf, "a CRLF file is LF in the note and CRLF again when it is written out")
{
    struct box b;
    box_start(&b);
    put_file(in(&b, "a.md"), "# A\r\n\r\nfirst\r\n");
    settle(b.host);
    CHECK_NOTE(b.host, "a.md", "# A\n\nfirst\n");
    CHECK_FILE(in(&b, "a.md"), "# A\r\n\r\nfirst\r\n");
    DO(b.host, "jot", "note", "a", "text", "second");
    CHECK_FILE(in(&b, "a.md"), "# A\r\n\r\nfirst\r\nsecond\r\n");
    box_close(&b);
}

TEST(mirror_refused_kept, "no UTF-8, a NUL, too large: named in one line, kept, not touched")
{
    struct box b;
    struct stat st;
    box_start(&b);
    put_file(in(&b, "latin.md"), "caf\xe9\n");
    put_file(in(&b, "good.md"), "# Good\n");
    int fd = open(in(&b, "large.md"), O_WRONLY | O_CREAT, 0644);
    CHECK(fd >= 0);
    CHECK_EQ(ftruncate(fd, 20 << 20), 0);
    close(fd);
    fd = open(in(&b, "nul.md"), O_WRONLY | O_CREAT, 0644);
    CHECK(fd >= 0);
    CHECK(write(fd, "a\0b\n", 4) == 4);
    close(fd);
    settle(b.host);
    CHECK_EQ(count_notes(b.host), 1);
    CHECK(strstr(problem_of(b.host, "latin.md"), "UTF-8") != NULL);
    CHECK(strstr(problem_of(b.host, "nul.md"), "UTF-8") != NULL);
    CHECK(strstr(problem_of(b.host, "large.md"), "16 MiB") != NULL);
    CHECK_FILE(in(&b, "latin.md"), "caf\xe9\n");
    CHECK_EQ(stat(in(&b, "large.md"), &st), 0);
    CHECK_EQ(st.st_size, 20 << 20);
    put_file(in(&b, "latin.md"), "caf\xc3\xa9\n");
    settle(b.host);
    CHECK(problem_of(b.host, "latin.md") == NULL);
    CHECK_EQ(count_notes(b.host), 2);
    box_close(&b);
}

TEST(mirror_odd_files,
     "symlinks, FIFOs, hard links and sockets are named and never followed or opened")
{
    struct box b;
    char outside[200];
    box_start(&b);
    (void)snprintf(outside, sizeof outside, "%s/outside.md", b.top);
    put_file(outside, "# Secret\n");
    CHECK_EQ(symlink(outside, in(&b, "link.md")), 0);
    CHECK_EQ(link(outside, in(&b, "hard.md")), 0);
    CHECK_EQ(mkfifo(in(&b, "pipe.md"), 0600), 0);
    CHECK_EQ(symlink(b.top, in(&b, "away")), 0);
    settle(b.host);
    CHECK_EQ(count_notes(b.host), 0);
    CHECK(strstr(problem_of(b.host, "link.md"), "symlink") != NULL);
    CHECK(strstr(problem_of(b.host, "hard.md"), "hard link") != NULL);
    CHECK(strstr(problem_of(b.host, "pipe.md"), "not a regular file") != NULL);
    CHECK_FILE(outside, "# Secret\n");
    box_close(&b);
}

TEST(mirror_note_becomes_symlink,
     "a symlink put in a note's place is neither read nor written through")
{
    struct box b;
    char outside[200];
    start_with(&b, "# A\n");
    (void)snprintf(outside, sizeof outside, "%s/outside.md", b.top);
    put_file(outside, "# Secret\n");
    CHECK_EQ(unlink(in(&b, "notes/a.md")), 0);
    CHECK_EQ(symlink(outside, in(&b, "notes/a.md")), 0);
    DO(b.host, "jot", "note", "a", "text", "more");
    CHECK_NOTE(b.host, "a", "# A\nmore\n");
    CHECK_FILE(outside, "# Secret\n");
    struct stat st;
    CHECK_EQ(lstat(in(&b, "notes/a.md"), &st), 0);
    CHECK(S_ISLNK(st.st_mode));
    box_close(&b);
}

TEST(mirror_folder_becomes_symlink,
     "a folder that turns into a symlink leads nothing out of the report")
{
    struct box b;
    char outside[200];
    start_with(&b, "# A\n");
    (void)snprintf(outside, sizeof outside, "%s/elsewhere", b.top);
    CHECK_EQ(rename(in(&b, "notes"), outside), 0);
    CHECK_EQ(symlink(outside, in(&b, "notes")), 0);
    struct reply r = call(b.host, "jot", "note", "a", "text", "more", (char *)NULL);
    reply_clear(&r);
    char *text = get_file(strcat(outside, "/a.md"));
    CHECK_STR(text, "# A\n");
    free(text);
    CHECK_NOTE(b.host, "a", "# A\nmore\n");
    box_close(&b);
}

TEST(mirror_path_outside, "a path that leads out of the folder is refused")
{
    struct box b;
    box_start(&b);
    static const char *const paths[] = {"../x.md",       "/etc/x.md",    "a/../../x.md",
                                        ".rapport/x.md", "private/x.md", "notes/.x.md"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct reply r = call(b.host, "new", "title", "X", "path", paths[i], (char *)NULL);
        CHECK(!reply_ok(&r));
        CHECK_EQ(at(at(&r.doc.root, "error"), "exit")->via.u64, 2);
        reply_clear(&r);
    }
    CHECK_EQ(count_notes(b.host), 0);
    box_close(&b);
}

TEST(mirror_shrunk_waits, "a file that shrank by more than half waits until it has stayed so")
{
    struct box b;
    start_with(&b, "# A\n\na long first line that will be gone in a moment\n");
    struct host_hooks hooks = {0}; /* as a daemon: it does not wait, it comes back */
    host_set_hooks(b.host, &hooks);
    put_file(in(&b, "notes/a.md"), "");
    CHECK_EQ(mirror_take(b.host), 0);
    CHECK_NOTE(b.host, "a", "# A\n\na long first line that will be gone in a moment\n");
    CHECK(mirror_deadline(b.host) != UINT64_MAX);
    put_file(in(&b, "notes/a.md"), "# A\n");
    age(in(&b, "notes/a.md"), 10);
    CHECK_EQ(mirror_take(b.host), 0);
    CHECK_NOTE(b.host, "a", "# A\n");
    host_set_hooks(b.host, NULL);
    box_close(&b);
}

TEST(mirror_mode_kept, "a file keeps its mode when it is written out, and no execute bit is set")
{
    struct box b;
    struct stat st;
    start_with(&b, "# A\n");
    CHECK_EQ(chmod(in(&b, "notes/a.md"), 0640), 0);
    DO(b.host, "jot", "note", "a", "text", "more");
    CHECK_EQ(stat(in(&b, "notes/a.md"), &st), 0);
    CHECK_EQ(st.st_mode & 0777, 0640);
    box_close(&b);
}

TEST(mirror_verbs_move_files, "mv moves the file, rm puts it into .rapport/trash")
{
    struct box b;
    start_with(&b, "# A\n");
    DO(b.host, "mv", "note", "a", "path", "talks/b");
    CHECK_FILE(in(&b, "talks/b.md"), "# A\n");
    CHECK(!exists(in(&b, "notes/a.md")));
    DO(b.host, "rm", "note", "talks/b.md");
    CHECK(!exists(in(&b, "talks/b.md")));
    CHECK_EQ(count_notes(b.host), 0);
    DIR *trash = opendir(in(&b, ".rapport/trash"));
    CHECK(trash != NULL);
    size_t n = 0;
    for (const struct dirent *d; (d = readdir(trash));)
        n += d->d_name[0] != '.';
    (void)closedir(trash);
    CHECK_EQ(n, 1);
    box_close(&b);
}

TEST(mirror_moves_in_a_circle, "two notes that swap their paths swap their files")
{
    struct box b;
    start_with(&b, "# A\n");
    put_file(in(&b, "notes/b.md"), "# B\n");
    settle(b.host);
    DO(b.host, "mv", "note", "notes/a.md", "path", "notes/c.md");
    DO(b.host, "mv", "note", "notes/b.md", "path", "notes/a.md");
    DO(b.host, "mv", "note", "notes/c.md", "path", "notes/b.md");
    CHECK_FILE(in(&b, "notes/a.md"), "# B\n");
    CHECK_FILE(in(&b, "notes/b.md"), "# A\n");
    box_close(&b);
}

TEST(mirror_full_disk, "on a full disk the file stays as it was, it is said, and written later")
{
    struct box b;
    if (geteuid() != 0)
        SKIP("needs root to mount a small tmpfs");
    box_make(&b);
    CHECK_EQ(mkdir(b.dir, 0755), 0);
    if (mount("none", b.dir, "tmpfs", 0, "size=2m"))
        SKIP("this machine does not let the test mount a tmpfs");
    box_open(&b, RAPPORT_START_INIT);
    DO(b.host, "new", "title", "Full");
    char text[4096];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    int fd = open(in(&b, "filler"), O_WRONLY | O_CREAT, 0600);
    while (write(fd, text, sizeof text) > 0)
        continue;
    close(fd);
    CHECK_EQ(truncate(in(&b, "filler"), 1), 0);
    fd = open(in(&b, "filler"), O_WRONLY | O_APPEND);
    for (int i = 0; write(fd, text, 512) > 0; i++)
        continue;
    close(fd);
    struct reply r = call(b.host, "jot", "note", "full", "text", text, (char *)NULL);
    CHECK(!reply_ok(&r) || problem_of(b.host, "notes/full.md"));
    reply_clear(&r);
    CHECK_FILE(in(&b, "notes/full.md"), "# Full\n\n");
    (void)host_close(b.host);
    CHECK_EQ(unlink(in(&b, "filler")), 0);
    box_open(&b, RAPPORT_START_OPEN);
    DO(b.host, "jot", "note", "full", "text", "later");
    char *now = get_file(in(&b, "notes/full.md"));
    CHECK(strstr(now, "later\n") != NULL);
    free(now);
    CHECK_EQ(host_close(b.host), 0);
    b.host = NULL;
    CHECK_EQ(umount(b.dir), 0);
    box_close(&b);
}

TEST(mirror_ten_thousand, "a folder of 10,000 files is one report")
{
    struct box b;
    char name[64], text[64];
    box_start(&b);
    for (int i = 0; i < 10000; i++) {
        (void)snprintf(name, sizeof name, "notes/n%d.md", i);
        (void)snprintf(text, sizeof text, "# Note %d\n\ntext\n", i);
        put_file(in(&b, name), text);
    }
    settle(b.host);
    CHECK_EQ(count_notes(b.host), 10000);
    box_reopen(&b);
    settle(b.host);
    CHECK_EQ(count_notes(b.host), 10000);
    CHECK_NOTE(b.host, "notes/n9999.md", "# Note 9999\n\ntext\n");
    box_close(&b);
}
