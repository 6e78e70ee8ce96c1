/* test_text.c - the public interface, rule by rule. */
#include <stdlib.h>

#include "rapport/text.h"
#include "test.h"

static struct rapport_text_id id(const char *agent, uint64_t seq)
{
    return (struct rapport_text_id){(const uint8_t *)agent, strlen(agent), seq};
}

static struct rapport_text *new_text(void)
{
    struct rapport_text *t;
    CHECK_EQ(rapport_text_create(&t), 0);
    return t;
}

/* A run of inserts after n parents. */
static struct rapport_text_run inserts(struct rapport_text_id first, size_t pos, const char *text,
                                       const struct rapport_text_id *parents, size_t n)
{
    size_t count = 0;
    for (const char *p = text; *p; p++)
        count += (*p & 0xc0) != 0x80;
    return (struct rapport_text_run){.id = first,
                                     .parents = parents,
                                     .n_parents = n,
                                     .kind = RAPPORT_TEXT_INSERT,
                                     .pos = pos,
                                     .n_events = count,
                                     .text = text,
                                     .text_len = strlen(text)};
}

static struct rapport_text_run deletes(struct rapport_text_id first, size_t pos, size_t n_events,
                                       const struct rapport_text_id *parents, size_t n)
{
    return (struct rapport_text_run){.id = first,
                                     .parents = parents,
                                     .n_parents = n,
                                     .kind = RAPPORT_TEXT_DELETE,
                                     .pos = pos,
                                     .n_events = n_events};
}

static void check_text(const struct rapport_text *t, const char *want)
{
    char *text;
    size_t len;
    CHECK_EQ(rapport_text_copy(t, 0, SIZE_MAX, &text, &len), 0);
    CHECK_BYTES(text, len, want, strlen(want));
    CHECK_EQ(text[len], 0);
    CHECK_EQ(rapport_text_size(t), len);
    free(text);
}

static void add(struct rapport_text *t, struct rapport_text_run run)
{
    CHECK_EQ(rapport_text_add(t, &run), 0);
}

static void check_change(struct rapport_text *t, size_t pos, size_t n_deleted, const char *text)
{
    struct rapport_text_edit e;
    CHECK(rapport_text_next_change(t, &e));
    CHECK_EQ(e.pos, pos);
    CHECK_EQ(e.n_deleted, n_deleted);
    CHECK_BYTES(e.text, e.text_len, text, strlen(text));
}

TEST(typing, "what is typed is in the text at once and in the graph")
{
    struct rapport_text *t = new_text();
    CHECK_EQ(rapport_text_insert(t, id("a", 0), 0, "h\xc3\xa9llo", 6), 0);
    CHECK_EQ(rapport_text_delete(t, id("a", 5), 1, 3), 0);
    CHECK_EQ(rapport_text_insert(t, id("a", 100), 1, "\xe2\x82\xac", 3), 0);
    check_text(t, "h\xe2\x82\xaco");
    CHECK_EQ(rapport_text_length(t), 3);
    CHECK_EQ(rapport_text_n_events(t), 9);
    CHECK(rapport_text_has(t, id("a", 7)) && rapport_text_has(t, id("a", 100)));
    CHECK(!rapport_text_has(t, id("a", 8)) && !rapport_text_has(t, id("b", 0)));
    rapport_text_destroy(t);
}

TEST(out_of_range,
     "past the end an insert goes to the end and a delete does nothing, on every path")
{
    struct rapport_text_id base = id("a", 2), far = id("a", 3);
    struct rapport_text *typed = new_text(), *added = new_text(), *merged = new_text();
    CHECK_EQ(rapport_text_insert(typed, id("a", 0), 7, "abc", 3), 0);
    CHECK_EQ(rapport_text_delete(typed, far, 3, 2), 0);
    CHECK_EQ(rapport_text_delete(typed, id("a", 5), 2, 4), 0);
    CHECK_EQ(rapport_text_insert(typed, id("a", 9), 99, "de", 2), 0);
    check_text(typed, "abde");
    struct rapport_text_id before_de = id("a", 8), before = id("a", 4);
    struct rapport_text *both[] = {added, merged};
    for (int i = 0; i < 2; i++) {
        add(both[i], inserts(id("a", 0), 7, "abc", NULL, 0));
        /* A concurrent event, so that `merged` replays all of it in the tracker. */
        if (i)
            add(both[i], inserts(id("b", 0), 50, "Z", &base, 1));
        add(both[i], deletes(far, 3, 2, &base, 1));
        add(both[i], deletes(id("a", 5), 2, 4, &before, 1));
        add(both[i], inserts(id("a", 9), 99, "de", &before_de, 1));
        CHECK_EQ(rapport_text_merge(both[i]), 0);
    }
    check_text(added, "abde");
    check_text(merged, "abdeZ");
    CHECK_EQ(rapport_text_n_events(typed), rapport_text_n_events(added));
    rapport_text_destroy(typed);
    rapport_text_destroy(added);
    rapport_text_destroy(merged);
}

TEST(backspace, "a backward run deletes downwards; above the end it first deletes nothing")
{
    struct rapport_text *t = new_text();
    struct rapport_text_id last = id("a", 3);
    add(t, inserts(id("a", 0), 0, "abcd", NULL, 0));
    struct rapport_text_run run = deletes(id("a", 4), 5, 4, &last, 1);
    run.backward = true;
    add(t, run);
    CHECK_EQ(rapport_text_merge(t), 0);
    check_text(t, "ab");
    run.pos = 2;
    CHECK_EQ(rapport_text_add(t, &run), RAPPORT_INVALID);
    rapport_text_destroy(t);
}

TEST(ties, "concurrent inserts at one place stand by agent bytes, then by number")
{
    struct rapport_text *t = new_text();
    add(t, inserts(id("b", 0), 0, "b", NULL, 0));
    add(t, inserts(id("a\xff", 5), 0, "2", NULL, 0));
    add(t, inserts(id("a", 9), 0, "9", NULL, 0));
    add(t, inserts(id("a", 8), 0, "8", NULL, 0));
    CHECK_EQ(rapport_text_merge(t), 0);
    check_text(t, "892b");
    rapport_text_destroy(t);
}

TEST(changes, "the changes of a merge are given in order, and once")
{
    struct rapport_text *t = new_text();
    struct rapport_text_id base = id("a", 4);
    struct rapport_text_edit e;
    CHECK_EQ(rapport_text_insert(t, id("a", 0), 0, "hello", 5), 0);
    CHECK(!rapport_text_next_change(t, &e));
    add(t, inserts(id("b", 0), 5, "!", &base, 1));
    add(t, deletes(id("c", 0), 0, 2, &base, 1));
    check_text(t, "hello");
    CHECK_EQ(rapport_text_merge(t), 0);
    check_text(t, "llo!");
    check_change(t, 5, 0, "!");
    check_change(t, 0, 2, "");
    CHECK(!rapport_text_next_change(t, &e));
    CHECK_EQ(rapport_text_merge(t), 0);
    CHECK(!rapport_text_next_change(t, &e));
    rapport_text_destroy(t);
}

TEST(known_events, "events that are known are skipped, also in part; the first copy wins")
{
    struct rapport_text *t = new_text();
    struct rapport_text_id first = id("a", 2);
    add(t, inserts(id("a", 2), 0, "cd", NULL, 0));
    add(t, inserts(id("a", 2), 0, "XY", NULL, 0));
    add(t, inserts(id("a", 2), 0, "cdef", NULL, 0));
    add(t, inserts(id("a", 3), 1, "def", &first, 1));
    CHECK_EQ(rapport_text_n_events(t), 4);
    CHECK_EQ(rapport_text_merge(t), 0);
    check_text(t, "cdef");
    /* 0 and 1 come late: they are a branch of their own, and 2 to 5 stay as they are. */
    add(t, inserts(id("a", 0), 0, "ab????", NULL, 0));
    CHECK_EQ(rapport_text_n_events(t), 6);
    CHECK_EQ(rapport_text_merge(t), 0);
    check_text(t, "abcdef");
    struct rapport_text_run contradiction = deletes(id("a", 0), 7, 9, NULL, 0);
    add(t, contradiction);
    CHECK_EQ(rapport_text_n_events(t), 9);
    CHECK_EQ(rapport_text_merge(t), 0);
    check_text(t, "abcdef");
    rapport_text_destroy(t);
}

TEST(unknown_parent, "a run with an unknown parent is refused and changes nothing")
{
    struct rapport_text *t = new_text();
    struct rapport_text_id parents[] = {id("a", 0), id("b", 0)};
    struct rapport_text_run run = inserts(id("b", 1), 0, "x", parents, 2);
    add(t, inserts(id("a", 0), 0, "a", NULL, 0));
    CHECK_EQ(rapport_text_add(t, &run), RAPPORT_PARENT);
    CHECK_EQ(rapport_text_n_events(t), 1);
    run.parents = &run.id;
    run.n_parents = 1;
    CHECK_EQ(rapport_text_add(t, &run), RAPPORT_INVALID);
    rapport_text_destroy(t);
}

TEST(refusals, "malformed and oversized runs are refused, each with its own error")
{
    struct rapport_text *t = new_text();
    uint8_t name[33] = {0};
    struct rapport_text_run run = inserts(id("a", 0), 0, "ab", NULL, 0);
    struct rapport_text_run bad = run;
    bad.n_events = 3;
    CHECK_EQ(rapport_text_add(t, &bad), RAPPORT_MALFORMED);
    bad = run;
    bad.text = "a\xff";
    CHECK_EQ(rapport_text_add(t, &bad), RAPPORT_MALFORMED);
    bad = run;
    bad.n_events = 0;
    bad.text_len = 0;
    CHECK_EQ(rapport_text_add(t, &bad), RAPPORT_INVALID);
    bad = run;
    bad.id.agent_len = 0;
    CHECK_EQ(rapport_text_add(t, &bad), RAPPORT_INVALID);
    bad.id = (struct rapport_text_id){name, sizeof name, 0};
    CHECK_EQ(rapport_text_add(t, &bad), RAPPORT_INVALID);
    bad = run;
    bad.kind = (enum rapport_text_kind)3;
    CHECK_EQ(rapport_text_add(t, &bad), RAPPORT_INVALID);
    bad = run;
    bad.backward = true;
    CHECK_EQ(rapport_text_add(t, &bad), RAPPORT_INVALID);
    bad = run;
    bad.pos = RAPPORT_TEXT_MOST_POS + 1;
    CHECK_EQ(rapport_text_add(t, &bad), RAPPORT_LIMIT);
    bad = run;
    bad.id.seq = RAPPORT_TEXT_MOST_SEQ;
    CHECK_EQ(rapport_text_add(t, &bad), RAPPORT_LIMIT);
    bad = deletes(id("a", 0), 0, (size_t)RAPPORT_TEXT_MOST_RUN + 1, NULL, 0);
    CHECK_EQ(rapport_text_add(t, &bad), RAPPORT_LIMIT);
    CHECK_EQ(rapport_text_insert(t, id("a", 0), 0, "", 0), RAPPORT_INVALID);
    CHECK_EQ(rapport_text_delete(t, id("a", 0), 0, 0), RAPPORT_INVALID);
    CHECK_EQ(rapport_text_n_events(t), 0);
    rapport_text_destroy(t);
}

TEST(event_limit, "a text takes up to its limit of events and not one more")
{
    struct rapport_text *t = new_text();
    uint64_t seq = 0, left = RAPPORT_TEXT_MOST_EVENTS;
    while (left) {
        size_t n = left < RAPPORT_TEXT_MOST_RUN ? (size_t)left : (size_t)RAPPORT_TEXT_MOST_RUN;
        CHECK_EQ(rapport_text_delete(t, id("a", seq), 0, n), 0);
        seq += n;
        left -= n;
    }
    CHECK_EQ(rapport_text_delete(t, id("a", seq), 0, 1), RAPPORT_LIMIT);
    CHECK_EQ(rapport_text_insert(t, id("b", 0), 0, "x", 1), RAPPORT_LIMIT);
    CHECK_EQ(rapport_text_n_events(t), RAPPORT_TEXT_MOST_EVENTS);
    rapport_text_destroy(t);
}

TEST(parent_limit, "typing over too many heads is refused until an event joins some of them")
{
    enum {
        N = RAPPORT_TEXT_MOST_PARENTS + 1
    };
    struct rapport_text *t = new_text();
    static struct rapport_text_id heads[N];
    for (uint64_t i = 0; i < N; i++)
        add(t, inserts(id("a", 2 * i), 0, "x", NULL, 0));
    CHECK_EQ(rapport_text_merge(t), 0);
    CHECK_EQ(rapport_text_version(t, heads, N), N);
    CHECK_EQ(rapport_text_insert(t, id("b", 9), 0, "y", 1), RAPPORT_LIMIT);
    struct rapport_text_run join = deletes(id("b", 0), N + 5, 1, heads, N);
    CHECK_EQ(rapport_text_add(t, &join), RAPPORT_LIMIT);
    join.n_parents = N - 1;
    add(t, join);
    CHECK_EQ(rapport_text_insert(t, id("b", 9), 0, "y", 1), RAPPORT_STATE);
    CHECK_EQ(rapport_text_merge(t), 0);
    CHECK_EQ(rapport_text_version(t, heads, 0), 2);
    CHECK_EQ(rapport_text_insert(t, id("b", 9), 0, "y", 1), 0);
    CHECK_EQ(rapport_text_length(t), N + 1);
    rapport_text_destroy(t);
}

TEST(agent_limit, "a text takes up to its limit of agents; a refused one leaves no trace")
{
    struct rapport_text *t = new_text();
    for (uint32_t i = 0; i <= RAPPORT_TEXT_MOST_AGENTS; i++) {
        uint8_t name[4] = {(uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i, 1};
        struct rapport_text_id who = {name, 4, 0};
        int error = rapport_text_insert(t, who, SIZE_MAX / 4, "x", 1);
        CHECK_EQ(error, RAPPORT_LIMIT); /* the position */
        error = rapport_text_delete(t, who, 0, 1);
        CHECK_EQ(error, i < RAPPORT_TEXT_MOST_AGENTS ? 0 : RAPPORT_LIMIT);
    }
    CHECK_EQ(rapport_text_n_events(t), RAPPORT_TEXT_MOST_AGENTS);
    rapport_text_destroy(t);
}

TEST(typing_twice, "typing an event that is known is refused, wherever it overlaps")
{
    struct rapport_text *t = new_text();
    CHECK_EQ(rapport_text_insert(t, id("a", 5), 0, "xyz", 3), 0);
    CHECK_EQ(rapport_text_insert(t, id("a", 7), 0, "q", 1), RAPPORT_EXISTS);
    CHECK_EQ(rapport_text_insert(t, id("a", 3), 0, "qqq", 3), RAPPORT_EXISTS);
    CHECK_EQ(rapport_text_insert(t, id("a", 7), 0, "qqq", 3), RAPPORT_EXISTS);
    CHECK_EQ(rapport_text_insert(t, id("a", 3), 0, "qq", 2), 0);
    check_text(t, "qqxyz");
    rapport_text_destroy(t);
}

/* a0 - a1 - m0, a0 - b0 - m0, and c0 alone. */
static struct rapport_text *diamond(void)
{
    struct rapport_text *t = new_text();
    struct rapport_text_id root = id("a", 0), both[] = {id("b", 0), id("a", 1)};
    add(t, inserts(id("a", 0), 0, "ac", NULL, 0));
    add(t, inserts(id("b", 0), 1, "b", &root, 1));
    add(t, inserts(id("m", 0), 3, "m", both, 2));
    add(t, inserts(id("c", 0), 0, "z", NULL, 0));
    CHECK_EQ(rapport_text_merge(t), 0);
    return t;
}

TEST(versions, "version, covers and is_before follow the graph")
{
    struct rapport_text *t = diamond();
    struct rapport_text_id v[4], a1 = id("a", 1), b0 = id("b", 0), m0 = id("m", 0);
    struct rapport_text_id unknown = id("q", 7), both[] = {id("m", 0), id("c", 0), id("q", 7)};
    bool before;
    CHECK_EQ(rapport_text_version(t, v, 4), 2);
    CHECK_BYTES(v[0].agent, v[0].agent_len, "c", 1);
    CHECK_BYTES(v[1].agent, v[1].agent_len, "m", 1);
    CHECK_EQ(rapport_text_version(t, v + 2, 1), 2);
    CHECK_BYTES(v[2].agent, v[2].agent_len, "c", 1);
    CHECK(rapport_text_covers(t, both, 3) && !rapport_text_covers(t, both, 1));
    const struct {
        struct rapport_text_id *a;
        size_t n_a;
        struct rapport_text_id *b;
        size_t n_b;
        bool before;
    } cases[] = {
        {&a1, 1, &m0, 1, true},       {&m0, 1, &a1, 1, false},       {&a1, 1, &b0, 1, false},
        {&a1, 1, &a1, 1, true},       {both, 2, &m0, 1, false},      {NULL, 0, NULL, 0, true},
        {&unknown, 1, both, 3, true}, {&unknown, 1, both, 2, false}, {both, 3, both, 3, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK_EQ(
            rapport_text_is_before(t, cases[i].a, cases[i].n_a, cases[i].b, cases[i].n_b, &before),
            0);
        CHECK_EQ(before, cases[i].before);
    }
    struct rapport_text *empty = new_text();
    CHECK(rapport_text_covers(empty, NULL, 0));
    CHECK_EQ(rapport_text_version(empty, v, 4), 0);
    rapport_text_destroy(empty);
    rapport_text_destroy(t);
}

TEST(older_versions, "the text at an older version is what its author saw")
{
    struct rapport_text *t = diamond();
    const struct {
        struct rapport_text_id version[2];
        size_t n;
        const char *want;
    } cases[] = {
        {{{0}}, 0, ""},
        {{id("a", 0)}, 1, "a"},
        {{id("a", 1)}, 1, "ac"},
        {{id("b", 0)}, 1, "ab"},
        {{id("a", 1), id("b", 0)}, 2, "acb"},
        {{id("m", 0)}, 1, "acbm"},
        {{id("c", 0), id("a", 0)}, 2, "az"},
    };
    char *text;
    size_t len;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK_EQ(rapport_text_at(t, cases[i].version, cases[i].n, &text, &len), 0);
        CHECK_BYTES(text, len, cases[i].want, strlen(cases[i].want));
        free(text);
    }
    struct rapport_text_id unknown = id("a", 2);
    CHECK_EQ(rapport_text_at(t, &unknown, 1, &text, &len), RAPPORT_NOTFOUND);
    rapport_text_destroy(t);
}

TEST(reading, "a part is copied by code points; the two pieces make the whole")
{
    struct rapport_text *t = new_text();
    struct rapport_text_pieces p;
    char *text, whole[16];
    size_t len;
    rapport_text_pieces(t, &p);
    CHECK_EQ(p.before_len + p.after_len, 0);
    CHECK_EQ(rapport_text_insert(t, id("a", 0), 0,
                                 "a\xc3\xa9\xe2\x82\xac"
                                 "d",
                                 7),
             0);
    CHECK_EQ(rapport_text_insert(t, id("a", 9), 1, "-", 1), 0);
    CHECK_EQ(rapport_text_copy(t, 2, 2, &text, &len), 0);
    CHECK_BYTES(text, len, "\xc3\xa9\xe2\x82\xac", 5);
    free(text);
    CHECK_EQ(rapport_text_copy(t, 9, 1, &text, &len), 0);
    CHECK_EQ(len, 0);
    free(text);
    rapport_text_pieces(t, &p);
    CHECK_EQ(p.before_len + p.after_len, 8);
    memcpy(whole, p.before, p.before_len);
    memcpy(whole + p.before_len, p.after, p.after_len);
    CHECK_BYTES(whole, 8,
                "a-\xc3\xa9\xe2\x82\xac"
                "d",
                8);
    rapport_text_destroy(t);
}

/* Without an allocation. */
static void check_pieces(const struct rapport_text *t, const char *want)
{
    struct rapport_text_pieces p;
    char text[32];
    rapport_text_pieces(t, &p);
    CHECK(p.before_len + p.after_len < sizeof text);
    if (p.before_len)
        memcpy(text, p.before, p.before_len);
    if (p.after_len)
        memcpy(text + p.before_len, p.after, p.after_len);
    CHECK_BYTES(text, p.before_len + p.after_len, want, strlen(want));
}

/* Does something; where an allocation fails, checks the text and does it again without failures. */
#define TWICE(call, t, unchanged)                                                                  \
    do {                                                                                           \
        size_t n_before = rapport_text_n_events(t);                                                \
        int error = (call);                                                                        \
        if (error) {                                                                               \
            CHECK_EQ(error, RAPPORT_NOMEM);                                                        \
            CHECK(test_allocation_failed());                                                       \
            CHECK_EQ(rapport_text_n_events(t), n_before);                                          \
            check_pieces(t, unchanged);                                                            \
            CHECK_EQ(call, 0);                                                                     \
        }                                                                                          \
    } while (0)

static void work(struct rapport_text *t)
{
    struct rapport_text_id base = id("a", 2), both[] = {id("b", 3), id("c", 1)};
    struct rapport_text_run runs[] = {inserts(id("b", 0), 1, "x\xc3\xa9yz", &base, 1),
                                      deletes(id("c", 0), 0, 2, &base, 1),
                                      inserts(id("a", 7), 2, "end", both, 2)};
    struct rapport_text_id now[4];
    char *text;
    size_t len;
    bool before = false;
    TWICE(rapport_text_insert(t, id("a", 0), 0, "abc", 3), t, "");
    for (size_t i = 0; i < 3; i++)
        TWICE(rapport_text_add(t, &runs[i]), t, "abc");
    TWICE(rapport_text_merge(t), t, "abc");
    check_pieces(t, "x\xc3\xa9"
                    "endyzc");
    TWICE(rapport_text_at(t, both, 2, &text, &len), t,
          "x\xc3\xa9"
          "endyzc");
    CHECK_BYTES(text, len, "x\xc3\xa9yzc", 6);
    free(text);
    size_t n = rapport_text_version(t, now, 4);
    TWICE(rapport_text_is_before(t, &base, 1, now, n, &before), t,
          "x\xc3\xa9"
          "endyzc");
    CHECK(before);
    TWICE(rapport_text_delete(t, id("d", 0), 0, 99), t,
          "x\xc3\xa9"
          "endyzc");
    check_pieces(t, "");
}

TEST(no_memory,
     "out of memory at any allocation is an error, changes nothing, and can be tried again")
{
    bool failed = true;
    for (long n = 0; failed; n++) {
        struct rapport_text *t = new_text();
        test_fail_allocation(n);
        work(t);
        failed = test_allocation_failed();
        test_fail_allocation(-1);
        rapport_text_destroy(t);
    }
}
