/* test_stored.c - the stored form: round trip, frozen bytes, cut and changed bytes. */
#include <stdlib.h>

#include "base/buf.h"
#include "base/hex.h"
#include "rapport/text.h"
#include "test.h"

static struct rapport_text_id id(const char *agent, uint64_t seq)
{
    return (struct rapport_text_id){(const uint8_t *)agent, strlen(agent), seq};
}

/* Two branches, a gap in the numbers, a Backspace run, a wide character, a place past the end. */
static struct rapport_text *sample(void)
{
    struct rapport_text *t;
    struct rapport_text_id base = id("anna", 4), both[] = {id("bert", 12), id("anna", 5)};
    CHECK_EQ(rapport_text_create(&t), 0);
    CHECK_EQ(rapport_text_insert(t, id("anna", 0), 0, "h\xc3\xa9llo", 6), 0);
    struct rapport_text_run runs[] = {
        {.id = id("bert", 10),
         .parents = &base,
         .n_parents = 1,
         .kind = RAPPORT_TEXT_DELETE,
         .backward = true,
         .pos = 3,
         .n_events = 3},
        {.id = id("anna", 5),
         .parents = &base,
         .n_parents = 1,
         .kind = RAPPORT_TEXT_INSERT,
         .pos = 9,
         .n_events = 1,
         .text = "!",
         .text_len = 1},
        {.id = id("c", 7),
         .parents = both,
         .n_parents = 2,
         .kind = RAPPORT_TEXT_INSERT,
         .pos = 1,
         .n_events = 2,
         .text = "ey",
         .text_len = 2},
    };
    for (int i = 0; i < 3; i++)
        CHECK_EQ(rapport_text_add(t, &runs[i]), 0);
    CHECK_EQ(rapport_text_merge(t), 0);
    return t;
}

/* What a save of `sample` is, as the table in stored.c says. */
static const char frozen_hex[] = "7270747801"
                                 "056865796f21"
                                 "0b"                         /* mark, version; text; events */
                                 "0304616e6e6104626572740163" /* agents */
                                 "000500"
                                 "010314"
                                 "000100"
                                 "02020e" /* ids */
                                 "0800"
                                 "010104"
                                 "02020201" /* graph */
                                 "1400"
                                 "0e03"
                                 "0410"
                                 "0811"                 /* ops */
                                 "0968c3a96c6c6f216579" /* inserts */
                                 "0200000903";          /* lengths */

static void check_text(const struct rapport_text *t, const char *want)
{
    char *text;
    size_t len;
    CHECK_EQ(rapport_text_copy(t, 0, SIZE_MAX, &text, &len), 0);
    CHECK_BYTES(text, len, want, strlen(want));
    free(text);
}

TEST(frozen, "a save is the frozen bytes")
{
    struct rapport_text *t = sample();
    uint8_t *bytes;
    size_t len;
    char hex[1024];
    check_text(t, "heyo!");
    CHECK_EQ(rapport_text_save(t, &bytes, &len), 0);
    CHECK(2 * len < sizeof hex);
    hex_encode(hex, bytes, len);
    CHECK_STR(hex, frozen_hex);
    free(bytes);
    rapport_text_destroy(t);
}

TEST(round_trip, "a loaded text is the one saved, saves the same bytes, and merges what comes")
{
    struct rapport_text *t = sample(), *loaded;
    uint8_t *bytes, *again;
    size_t len, again_len, peeked_len;
    const char *peeked;
    CHECK_EQ(rapport_text_save(t, &bytes, &len), 0);
    CHECK_EQ(rapport_text_peek(bytes, len, &peeked, &peeked_len), 0);
    CHECK_BYTES(peeked, peeked_len, "heyo!", 5);
    CHECK_EQ(rapport_text_load(bytes, len, &loaded), 0);
    check_text(loaded, "heyo!");
    CHECK_EQ(rapport_text_n_events(loaded), rapport_text_n_events(t));
    CHECK_EQ(rapport_text_save(loaded, &again, &again_len), 0);
    CHECK_BYTES(again, again_len, bytes, len);
    struct rapport_text_id parent = id("anna", 2);
    struct rapport_text_run late = {.id = id("d", 0),
                                    .parents = &parent,
                                    .n_parents = 1,
                                    .kind = RAPPORT_TEXT_INSERT,
                                    .pos = 3,
                                    .n_events = 1,
                                    .text = "L",
                                    .text_len = 1};
    struct rapport_text *both[] = {t, loaded};
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(rapport_text_add(both[i], &late), 0);
        CHECK_EQ(rapport_text_save(both[i], &again, &again_len), RAPPORT_STATE);
        CHECK_EQ(rapport_text_merge(both[i]), 0);
        check_text(both[i], "heyo!L");
    }
    free(bytes);
    free(again);
    rapport_text_destroy(t);
    rapport_text_destroy(loaded);
}

TEST(empty, "an empty text is saved and loaded")
{
    struct rapport_text *t, *loaded;
    uint8_t *bytes;
    size_t len;
    CHECK_EQ(rapport_text_create(&t), 0);
    CHECK_EQ(rapport_text_save(t, &bytes, &len), 0);
    CHECK_EQ(rapport_text_load(bytes, len, &loaded), 0);
    CHECK_EQ(rapport_text_n_events(loaded), 0);
    CHECK_EQ(rapport_text_insert(loaded, id("a", 0), 0, "x", 1), 0);
    check_text(loaded, "x");
    free(bytes);
    rapport_text_destroy(t);
    rapport_text_destroy(loaded);
}

/* Loads a copy of exactly these bytes; what loads must go on working. */
static int load_and_use(const uint8_t *bytes, size_t len)
{
    struct rapport_text *t;
    uint8_t *copy = malloc(len ? len : 1);
    CHECK(copy);
    memcpy(copy, bytes, len);
    int error = rapport_text_load(copy, len, &t);
    free(copy);
    if (error)
        return error;
    struct rapport_text_run run = {.id = id("new", 0),
                                   .kind = RAPPORT_TEXT_INSERT,
                                   .pos = 1,
                                   .n_events = 2,
                                   .text = "uv",
                                   .text_len = 2};
    char *text;
    size_t text_len;
    int added = rapport_text_add(t, &run);
    CHECK(added == 0 || added == RAPPORT_LIMIT);
    CHECK_EQ(rapport_text_merge(t), 0);
    CHECK_EQ(rapport_text_copy(t, 0, SIZE_MAX, &text, &text_len), 0);
    free(text);
    rapport_text_destroy(t);
    return 0;
}

TEST(truncation, "cut at any length, a stored text is refused")
{
    struct rapport_text *t = sample();
    uint8_t *bytes;
    size_t len;
    CHECK_EQ(rapport_text_save(t, &bytes, &len), 0);
    for (size_t n = 0; n < len; n++)
        CHECK(load_and_use(bytes, n) < 0);
    free(bytes);
    rapport_text_destroy(t);
}

TEST(changed_bytes, "whatever bytes are changed, loading refuses them or gives a sound text")
{
    struct rapport_text *t = sample();
    struct test_rng rng = test_rng_start(11);
    uint8_t *bytes;
    size_t len;
    int n_loaded = 0;
    CHECK_EQ(rapport_text_save(t, &bytes, &len), 0);
    for (size_t i = 0; i < len; i++) {
        for (unsigned value = 0; value < 256; value++) {
            uint8_t was = bytes[i];
            bytes[i] = (uint8_t)value;
            n_loaded += load_and_use(bytes, len) == 0;
            bytes[i] = was;
        }
    }
    for (int i = 0; i < 20000; i++) {
        uint8_t was[4];
        size_t at = test_rng_below(&rng, len - 4);
        memcpy(was, bytes + at, 4);
        for (size_t k = 0; k < 4; k++)
            bytes[at + k] = (uint8_t)test_rng_below(&rng, test_rng_below(&rng, 2) ? 8 : 256);
        n_loaded += load_and_use(bytes, len) == 0;
        memcpy(bytes + at, was, 4);
    }
    CHECK(n_loaded > (int)len);
    free(bytes);
    rapport_text_destroy(t);
}

/* Header and text, then `columns` in hex. */
static int load_columns(const char *columns)
{
    uint8_t bytes[256];
    char hex[520];
    snprintf(hex, sizeof hex, "727074780100%s", columns);
    CHECK_EQ(hex_decode(bytes, strlen(hex) / 2, slice_str(hex)), 0);
    return load_and_use(bytes, strlen(hex) / 2);
}

TEST(lies, "counts, parents, positions and lengths that cannot be are refused")
{
    /* One event: agent "a", number 0, no parents, deletes at 0, no text, no milestones. */
    CHECK_EQ(load_columns("0101016100010001000500"
                          "00"
                          "00"),
             0);
    static const struct {
        const char *columns, *why;
        int error;
    } cases[] = {
        {"0000000000", "something behind the end", RAPPORT_MALFORMED},
        {"00000000", "nothing", 0},
        {"f1ffffff0f", "too many events", RAPPORT_LIMIT},
        {"01808004", "too many agents", RAPPORT_LIMIT},
        {"010121", "agent too long", RAPPORT_LIMIT},
        {"010100", "agent empty", RAPPORT_MALFORMED},
        {"010201610161", "agent twice", RAPPORT_MALFORMED},
        {"01010161010100", "no such agent", RAPPORT_MALFORMED},
        {"01010161000000", "no events in an id run", RAPPORT_MALFORMED},
        {"01010161000200", "more ids than events", RAPPORT_MALFORMED},
        {"0101016100010000", "no events in a graph run", RAPPORT_MALFORMED},
        {"010101610001000101"
         "01",
         "parent before the first event", RAPPORT_MALFORMED},
        {"010101610001000181"
         "02",
         "too many parents", RAPPORT_LIMIT},
        {"0101016100010001000700", "no such op", RAPPORT_MALFORMED},
        {"0101016100010001000900", "more ops than events", RAPPORT_MALFORMED},
        {"0101016100010001000501", "position below zero", RAPPORT_LIMIT},
        {"0101016100010001000400"
         "00"
         "00",
         "insert without text", RAPPORT_MALFORMED},
        {"0101016100010001000400"
         "01ff"
         "00",
         "text not UTF-8", RAPPORT_MALFORMED},
        {"0101016100010001000500"
         "00"
         "010100",
         "milestone past the events", RAPPORT_MALFORMED},
        {"0101016100010001000500"
         "00"
         "010001",
         "longer than its events", RAPPORT_MALFORMED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int error = load_columns(cases[i].columns);
        if (error != cases[i].error)
            printf("%s\n", cases[i].why);
        CHECK_EQ(error, cases[i].error);
    }
}

TEST(versions, "another mark or an older version is malformed, a newer one is said to be so")
{
    const char *text;
    size_t len;
    CHECK_EQ(rapport_text_peek((const uint8_t *)"rpty\1\0", 6, &text, &len), RAPPORT_MALFORMED);
    CHECK_EQ(rapport_text_peek((const uint8_t *)"rptx\2\0", 6, &text, &len), RAPPORT_VERSION);
    CHECK_EQ(rapport_text_peek((const uint8_t *)"rptx\0\0", 6, &text, &len), RAPPORT_MALFORMED);
    CHECK_EQ(rapport_text_peek((const uint8_t *)"rptx\1\1\xff", 7, &text, &len), RAPPORT_MALFORMED);
    CHECK_EQ(rapport_text_peek((const uint8_t *)"rptx\1\2x", 7, &text, &len), RAPPORT_TRUNCATED);
}

TEST(no_memory, "out of memory while saving or loading is an error")
{
    struct rapport_text *t = sample(), *loaded;
    uint8_t *bytes = NULL;
    size_t len;
    bool failed = true;
    for (long n = 0; failed; n++) {
        test_fail_allocation(n);
        int error = rapport_text_save(t, &bytes, &len);
        failed = test_allocation_failed();
        CHECK_EQ(error, failed ? RAPPORT_NOMEM : 0);
    }
    failed = true;
    for (long n = 0; failed; n++) {
        test_fail_allocation(n);
        int error = rapport_text_load(bytes, len, &loaded);
        failed = test_allocation_failed();
        CHECK_EQ(error, failed ? RAPPORT_NOMEM : 0);
    }
    test_fail_allocation(-1);
    free(bytes);
    rapport_text_destroy(loaded);
    rapport_text_destroy(t);
}
