/* test_ops.c - the verbs: requests, finding notes, history, schedule, outline, publish. */
#include "folders.h"

static const char schedule[] =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    "<schedule><conference><title>FOSDEM 2023</title><start>2023-02-04</start>"
    "<end>2023-02-05</end><days>2</days><timeslot_duration>00:05</timeslot_duration></conference>\n"
    "<day index=\"1\" date=\"2023-02-04\"><room name=\"Janson\">"
    "<event id=\"1001\"><start>10:30</start><duration>00:50</duration><room>Janson</room>"
    "<slug>headscale</slug><title>Headscale: your own tailnet</title><subtitle></subtitle>"
    "<track>Network</track><type>devroom</type><language>en</language><abstract></abstract>"
    "<description></description><persons><person id=\"1\">Kristoffer Dalby</person></persons>"
    "<attachments></attachments><links></links></event>"
    "<event id=\"1002\"><start>11:30</start><duration>00:25</duration><room>Janson</room>"
    "<slug>other</slug><title>Another talk</title><subtitle></subtitle><track>Main</track>"
    "<type>devroom</type><language>en</language><abstract></abstract><description></description>"
    "<persons></persons><attachments></attachments><links></links></event>"
    "</room></day></schedule>\n";

static uint64_t exit_of(const struct reply *r)
{
    const msgpack_object *exit = at(at(&r->doc.root, "error"), "exit");
    return exit ? exit->via.u64 : 0;
}

#define CHECK_EXIT(h, code, ...)                                                                   \
    do {                                                                                           \
        struct reply exit_reply = call(h, __VA_ARGS__, (char *)NULL);                              \
        CHECK_EQ(exit_of(&exit_reply), code);                                                      \
        reply_clear(&exit_reply);                                                                  \
    } while (0)

static size_t n_rows(const struct reply *r, const char *key)
{
    const msgpack_object *rows = at(&r->doc.root, key);
    return rows && rows->type == MSGPACK_OBJECT_ARRAY ? rows->via.array.size : 0;
}

static const msgpack_object *row(const struct reply *r, const char *key, size_t i)
{
    const msgpack_object *rows = at(&r->doc.root, key);
    CHECK(rows && rows->type == MSGPACK_OBJECT_ARRAY && i < rows->via.array.size);
    return &rows->via.array.ptr[i];
}

static void import(struct host *h)
{
    DO(h, "schedule_import", "bytes", schedule, "zone", "Europe/Brussels");
}

TEST(ops_bad_requests, "what is no request is answered with exit 2 and breaks nothing")
{
    struct box b;
    box_start(&b);
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {{"", 0},
               {"\xc0", 1},
               {"\x90", 1},
               {"\x92\xa2ls", 4},
               {"\x92\xa2ls\x80\x80", 6},
               {"\x92\x01\x80", 3},
               {"\xdd\xff\xff\xff\xff", 5},
               {"\x92\xa2xx\x80", 5}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct reply r = {.bytes = BUF_INIT};
        CHECK_EQ(host_call(b.host, slice_of(bad[i].bytes, bad[i].len), &r.bytes), 0);
        CHECK_EQ(mp_open(&r.doc, buf_slice(&r.bytes), 100), 0);
        CHECK_EQ(exit_of(&r), 2);
        reply_clear(&r);
    }
    CHECK_EXIT(b.host, 2, "jot");
    CHECK_EXIT(b.host, 2, "new");
    CHECK_EXIT(b.host, 2, "show");
    box_close(&b);
}

TEST(ops_request_limits, "a request of too many values or bytes is refused")
{
    struct box b;
    struct buf request = BUF_INIT;
    box_start(&b);
    mp_put_array(&request, 2);
    mp_put_cstr(&request, "ls");
    mp_put_map(&request, OPS_MOST_ITEMS);
    for (int i = 0; i < OPS_MOST_ITEMS; i++) {
        mp_put_u64(&request, (uint64_t)i);
        mp_put_bool(&request, true);
    }
    struct reply r = {.bytes = BUF_INIT};
    CHECK_EQ(host_call(b.host, buf_slice(&request), &r.bytes), 0);
    CHECK_EQ(mp_open(&r.doc, buf_slice(&r.bytes), 100), 0);
    CHECK_SLICE(str_of(at(at(&r.doc.root, "error"), "code")), slice_str("LIMIT"));
    reply_clear(&r);
    buf_reset(&request);
    uint8_t *room = buf_reserve(&request, OPS_MOST_REQUEST_BYTES + 1);
    CHECK(room != NULL);
    memset(room, 0, OPS_MOST_REQUEST_BYTES + 1);
    request.len = OPS_MOST_REQUEST_BYTES + 1;
    r = (struct reply){.bytes = BUF_INIT};
    CHECK_EQ(host_call(b.host, buf_slice(&request), &r.bytes), 0);
    CHECK_EQ(mp_open(&r.doc, buf_slice(&r.bytes), 100), 0);
    CHECK_SLICE(str_of(at(at(&r.doc.root, "error"), "code")), slice_str("LIMIT"));
    reply_clear(&r);
    buf_clear(&request);
    box_close(&b);
}

TEST(ops_find,
     "a note is found by path, slug, id and a part of its title; else 4, or 3 with candidates")
{
    struct box b;
    box_start(&b);
    DO(b.host, "new", "title", "Headscale in practice");
    DO(b.host, "new", "title", "Headscale for friends");
    static const char *const names[] = {"notes/headscale-in-practice.md",
                                        "notes/headscale-in-practice", "headscale-in-practice.md",
                                        "headscale-in-practice", "PRACTICE"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        CHECK_NOTE(b.host, names[i], "# Headscale in practice\n\n");
    struct reply ls = call(b.host, "ls", (char *)NULL);
    struct slice id = str_of(at(row(&ls, "notes", 0), "id"));
    char prefix[9] = "";
    memcpy(prefix, id.ptr, 8);
    CHECK_NOTE(b.host, prefix, "# Headscale for friends\n\n");
    reply_clear(&ls);
    CHECK_EXIT(b.host, 4, "show", "note", "no such thing");
    struct reply r = call(b.host, "show", "note", "headscale", (char *)NULL);
    CHECK_EQ(exit_of(&r), 3);
    CHECK_EQ(n_rows(&r, "candidates"), 2);
    reply_clear(&r);
    box_close(&b);
}

TEST(ops_jot, "a jot without a note goes to the person's own, line by line")
{
    struct box b;
    box_start(&b);
    DO(b.host, "jot", "text", "one");
    DO(b.host, "jot", "text", "two\n");
    CHECK_NOTE(b.host, "notes/jots-ada.md", "# Jots of Ada\n\none\ntwo\n");
    CHECK_FILE(in(&b, "notes/jots-ada.md"), "# Jots of Ada\n\none\ntwo\n");
    CHECK_EQ(count_notes(b.host), 1);
    box_close(&b);
}

TEST(ops_log_and_versions,
     "log is newest first, and show gives the text at a version that it printed")
{
    struct box b;
    box_start(&b);
    DO(b.host, "new", "title", "A");
    DO(b.host, "jot", "note", "a", "text", "one");
    DO(b.host, "jot", "note", "a", "text", "two");
    struct reply r = call(b.host, "log", "note", "a", (char *)NULL);
    CHECK_REPLY(&r);
    CHECK(n_rows(&r, "lines") >= 3);
    CHECK_EQ(at(row(&r, "lines", 0), "inserted")->via.u64, 4);
    CHECK_SLICE(str_of(at(row(&r, "lines", 0), "author")), slice_str("Ada"));
    struct slice version = str_of(at(row(&r, "lines", 1), "version"));
    char name[64] = "";
    memcpy(name, version.ptr, version.len);
    static const char *const wrong[] = {"x", "@99", "abcd1234@1", "@", "1999-01-01"};
    const char *const right[] = {name, "@1"};
    for (size_t i = 0; i < 2; i++) {
        struct reply shown = call(b.host, "show", "note", "a", "at", right[i], (char *)NULL);
        CHECK_REPLY(&shown);
        CHECK_SLICE(str_of(at(&shown.doc.root, "text")), slice_str("# A\n\none\n"));
        reply_clear(&shown);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct reply shown = call(b.host, "show", "note", "a", "at", wrong[i], (char *)NULL);
        CHECK(!reply_ok(&shown));
        reply_clear(&shown);
    }
    reply_clear(&r);
    box_close(&b);
}

TEST(ops_status, "status has the digest in 32 digits, counts, and problems of files")
{
    struct box b;
    box_start(&b);
    DO(b.host, "new", "title", "A");
    put_file(in(&b, "bad.md"), "\xff\n");
    struct reply r = call(b.host, "status", (char *)NULL);
    CHECK_REPLY(&r);
    CHECK_EQ(str_of(at(&r.doc.root, "digest")).len, 32);
    CHECK_EQ(at(&r.doc.root, "notes")->via.u64, 1);
    CHECK_EQ(at(&r.doc.root, "unsaved")->via.u64, 0);
    CHECK(!at(&r.doc.root, "daemon")->via.boolean);
    CHECK_SLICE(str_of(at(&r.doc.root, "title")), slice_str("FOSDEM 2023"));
    CHECK_EQ(n_rows(&r, "problems"), 1);
    CHECK_SLICE(str_of(at(row(&r, "problems", 0), "path")), slice_str("bad.md"));
    reply_clear(&r);
    box_close(&b);
}

TEST(ops_schedule, "a schedule is imported and listed; what is none ends with 65")
{
    struct box b;
    box_start(&b);
    CHECK_EXIT(b.host, 4, "schedule_ls");
    CHECK_EXIT(b.host, 65, "schedule_import", "bytes", "<html></html>");
    CHECK_EXIT(b.host, 2, "schedule_import", "bytes", schedule, "zone", "../etc");
    import(b.host);
    struct reply r = call(b.host, "schedule_ls", (char *)NULL);
    CHECK_REPLY(&r);
    CHECK_EQ(n_rows(&r, "talks"), 2);
    CHECK_SLICE(str_of(at(&r.doc.root, "zone")), slice_str("Europe/Brussels"));
    reply_clear(&r);
    r = call(b.host, "schedule_ls", "track", "network", "day", "saturday", (char *)NULL);
    CHECK_EQ(n_rows(&r, "talks"), 1);
    reply_clear(&r);
    r = call(b.host, "schedule_ls", "room", "k.1.105", (char *)NULL);
    CHECK_EQ(n_rows(&r, "talks"), 0);
    reply_clear(&r);
    box_close(&b);
}

TEST(ops_new_talk, "the note of a talk has the same id and text on every device, and is made once")
{
    struct box a, b;
    box_start(&a);
    box_start(&b);
    import(a.host);
    import(b.host);
    struct reply x = call(a.host, "new", "talk", "1001", (char *)NULL);
    struct reply y = call(b.host, "new", "talk", "headscale", (char *)NULL);
    CHECK_REPLY(&x);
    CHECK_REPLY(&y);
    CHECK_SLICE(str_of(at(at(&x.doc.root, "note"), "id")),
                str_of(at(at(&y.doc.root, "note"), "id")));
    char *one = note_text(a.host, "headscale"), *two = note_text(b.host, "headscale");
    CHECK_STR(one, two);
    CHECK(strncmp(one, "# Headscale: your own tailnet\n", 30) == 0);
    free(one);
    free(two);
    reply_clear(&y);
    y = call(b.host, "new", "talk", "1001", (char *)NULL);
    CHECK(at(&y.doc.root, "existed")->via.boolean);
    CHECK_EQ(count_notes(b.host), 1);
    CHECK_EXIT(b.host, 4, "new", "talk", "9999");
    reply_clear(&x);
    reply_clear(&y);
    box_close(&a);
    box_close(&b);
}

TEST(ops_outline, "outline drafts report.md and says so; a second time it has nothing to do")
{
    struct box b;
    box_start(&b);
    import(b.host);
    DO(b.host, "new", "talk", "1001");
    DO(b.host, "new", "title", "Hallway");
    struct reply r = call(b.host, "outline", (char *)NULL);
    CHECK_REPLY(&r);
    CHECK(at(&r.doc.root, "changed")->via.boolean);
    reply_clear(&r);
    char *report = get_file(in(&b, "report.md"));
    CHECK(report && strstr(report, "![[hallway]]") != NULL);
    free(report);
    r = call(b.host, "outline", (char *)NULL);
    CHECK(!at(&r.doc.root, "changed")->via.boolean);
    reply_clear(&r);
    box_close(&b);
}

TEST(ops_publish,
     "publish writes the post, keeps a file that a person changed, and refuses the notes' folder")
{
    struct box b;
    box_start(&b);
    DO(b.host, "new", "title", "Hallway");
    DO(b.host, "jot", "note", "hallway", "text", "met *everybody*");
    DO(b.host, "outline");
    struct reply r = call(b.host, "publish", "target", "markdown", (char *)NULL);
    CHECK_REPLY(&r);
    CHECK(n_rows(&r, "files") >= 1);
    char path[256];
    struct slice file = str_of(row(&r, "files", 0));
    (void)snprintf(path, sizeof path, "published/%.*s", (int)file.len, (const char *)file.ptr);
    reply_clear(&r);
    char *post = get_file(in(&b, path));
    CHECK(post && strstr(post, "met *everybody*") != NULL);
    free(post);
    DO(b.host, "jot", "note", "hallway", "text", "and more");
    r = call(b.host, "publish", "target", "markdown", (char *)NULL);
    CHECK_EQ(n_rows(&r, "kept"), 0);
    reply_clear(&r);
    put_file(in(&b, path), "my own words\n");
    r = call(b.host, "publish", "target", "markdown", (char *)NULL);
    CHECK_EQ(n_rows(&r, "kept"), 1);
    reply_clear(&r);
    CHECK_FILE(in(&b, path), "my own words\n");
    CHECK_EQ(count_notes(b.host), 2);
    CHECK_EXIT(b.host, 2, "publish", "target", "nonsense");
    CHECK_EXIT(b.host, 2, "publish", "target", "markdown", "out", "notes");
    box_close(&b);
}

TEST(ops_members_and_invite, "the maker is the owner; an invite gives a ticket that reads back")
{
    struct box b;
    struct rapport_ticket_info info;
    box_start(&b);
    struct reply r = call(b.host, "members", (char *)NULL);
    CHECK_EQ(n_rows(&r, "members"), 1);
    CHECK_SLICE(str_of(at(row(&r, "members", 0), "name")), slice_str("Ada"));
    CHECK_SLICE(str_of(at(row(&r, "members", 0), "role")), slice_str("owner"));
    reply_clear(&r);
    struct rapport_address address = {.family = 4, .bytes = {10, 0, 0, 1}, .port = 4000};
    host_set_addresses(b.host, &address, 1);
    r = call(b.host, "invite", (char *)NULL);
    CHECK_REPLY(&r);
    struct slice ticket = str_of(at(&r.doc.root, "ticket"));
    CHECK_EQ(rapport_ticket_read((const char *)ticket.ptr, ticket.len, &info), 0);
    CHECK_EQ(info.n_uses, 1);
    CHECK_EQ(info.n_addresses, 1);
    CHECK_EQ(info.addresses[0].port, 4000);
    reply_clear(&r);
    box_close(&b);
}

TEST(ops_messages_are_safe, "a name with an escape sequence is shown, not obeyed")
{
    struct box b;
    box_start(&b);
    struct reply r = call(b.host, "show", "note", "\x1b]0;owned\x07", (char *)NULL);
    struct slice message = str_of(at(at(&r.doc.root, "error"), "message"));
    CHECK(message.len > 0);
    CHECK(memchr(message.ptr, 0x1b, message.len) == NULL);
    CHECK(memchr(message.ptr, 0x07, message.len) == NULL);
    reply_clear(&r);
    box_close(&b);
}

TEST(ops_trash, "rm lists the note in the trash only")
{
    struct box b;
    box_start(&b);
    DO(b.host, "new", "title", "A");
    DO(b.host, "rm", "note", "a");
    CHECK_EQ(count_notes(b.host), 0);
    struct buf request = BUF_INIT, bytes = BUF_INIT;
    mp_put_array(&request, 2);
    mp_put_cstr(&request, "ls");
    mp_put_map(&request, 1);
    mp_put_cstr(&request, "trash");
    mp_put_bool(&request, true);
    struct reply r = {.bytes = BUF_INIT};
    CHECK_EQ(host_call(b.host, buf_slice(&request), &r.bytes), 0);
    CHECK_EQ(mp_open(&r.doc, buf_slice(&r.bytes), 1000), 0);
    CHECK_EQ(n_rows(&r, "notes"), 1);
    reply_clear(&r);
    buf_clear(&request);
    buf_clear(&bytes);
    box_close(&b);
}
