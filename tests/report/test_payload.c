/* test_payload.c - the payload's bytes: frozen forms, round trips, cuts and limits. */
#include "frozen.h"
#include "world.h"

enum {
    CONTENT_NUMBERS = 3 + 2 + 2 + 1 + 1 + 1 + 1 + 1 + 1 + 1,
    CONTROL_NUMBERS = 6,
};

static struct payload_event content(enum content_event type)
{
    struct payload_event event = {.kind = DELTA_CONTENT, .n_numbers = 1};
    event.type.content = type;
    return event;
}

static struct payload_event text_event(enum content_event type, size_t pos, size_t n,
                                       const char *text)
{
    struct payload_event event = content(type);
    event.text = (struct payload_text){.pos = pos, .n = n, .text = slice_str(text)};
    return event;
}

static void put_note_one(struct buf *out)
{
    struct payload_event event = content(EVENT_CREATE);
    event.value = slice_str("notes/a.md");
    mp_put_array(out, 2);
    mp_put_bin(out, note_id(0xa1), NOTE_ID_BYTES);
    mp_put_array(out, 9);
    payload_put_event(out, &event);
    event = text_event(EVENT_TEMPLATE, 0, 0, "# A\n");
    payload_put_event(out, &event);
    event = text_event(EVENT_INSERT, 4, 3, "h\xc3\xa9.");
    event.text.has_parents = true;
    event.n_ids = 1;
    memset(event.ids[0].agent, 0x77, LOG_ID_BYTES);
    event.ids[0].seq = 3;
    payload_put_event(out, &event);
    event = text_event(EVENT_DELETE, 0, 2, "");
    payload_put_event(out, &event);
    event = text_event(EVENT_DELETE_BACKWARD, 300, 2, "");
    payload_put_event(out, &event);
    event = content(EVENT_RENAME);
    event.value = slice_str("b.md");
    payload_put_event(out, &event);
    event = content(EVENT_TRASH);
    event.n_ids = 2;
    memset(event.ids[0].agent, 0x77, LOG_ID_BYTES);
    memset(event.ids[1].agent, 0x77, LOG_ID_BYTES);
    event.ids[1].seq = 1000;
    payload_put_event(out, &event);
    event = content(EVENT_TALK);
    event.has_talk = true;
    event.talk = (struct note_talk){.key = slice_str("k"),
                                    .title = slice_str("Talk"),
                                    .day = slice_str("2023-02-04"),
                                    .start = slice_str("10:30"),
                                    .room = slice_str("Janson"),
                                    .track = slice_str("Keynotes"),
                                    .url = slice_str("https://x"),
                                    .speakers = slice_str("A; B"),
                                    .duration_min = 50};
    payload_put_event(out, &event);
}

/* Every content event: one note named, a second one, the first again by its number. */
static void put_content_payload(struct buf *out)
{
    mp_put_array(out, 3);
    put_note_one(out);
    struct payload_event event = content(EVENT_TALK);
    mp_put_array(out, 2);
    mp_put_bin(out, note_id(0xb2), NOTE_ID_BYTES);
    mp_put_array(out, 1);
    payload_put_event(out, &event);
    event = text_event(EVENT_INSERT, 0, 1, "x");
    mp_put_array(out, 2);
    mp_put_u64(out, 0);
    mp_put_array(out, 1);
    payload_put_event(out, &event);
}

static struct payload_event control(enum control_event type, uint8_t id)
{
    struct payload_event event = {.kind = DELTA_CONTROL, .n_numbers = 1};
    event.type.control = type;
    memset(event.id, id, sizeof event.id);
    return event;
}

static void put_control_payload(struct buf *out)
{
    struct peer p;
    struct buf card = BUF_INIT;
    peer_init(&p, 1);
    card_encode(&p.card, &card);
    report_destroy(p.report);
    mp_put_array(out, CONTROL_NUMBERS);
    struct payload_event event = control(CONTROL_ADD, 0x1d);
    event.value = buf_slice(&card);
    event.role = ROLE_MEMBER;
    payload_put_event(out, &event);
    event = control(CONTROL_REMOVE, 0x2d);
    payload_put_event(out, &event);
    event = control(CONTROL_ROLE, 0x3d);
    event.role = ROLE_ADMIN;
    payload_put_event(out, &event);
    event = control(CONTROL_INVITE, 0);
    memset(event.public_key, 0x4d, sizeof event.public_key);
    event.n_uses = 5;
    event.expires_s = 1675600000;
    payload_put_event(out, &event);
    event = control(CONTROL_REVOKE, 0x5d);
    payload_put_event(out, &event);
    event = control(CONTROL_SETTING, 0);
    event.key = slice_str("zone");
    event.value = slice_str("Europe/Brussels");
    payload_put_event(out, &event);
    buf_clear(&card);
}

static int parse(enum delta_kind kind, uint64_t count, struct slice plain)
{
    struct payload_walk w;
    struct note_names none = {0};
    int error = payload_begin(&w, kind, 0, count, &none, plain);
    if (!error)
        payload_end(&w);
    return error;
}

static void check_hex(const struct buf *bytes, const char *frozen)
{
    char *hex = malloc(2 * bytes->len + 1);
    CHECK(hex);
    hex_encode(hex, bytes->ptr, bytes->len);
    CHECK_STR(hex, frozen);
    free(hex);
}

TEST(frozen_content, "a payload with every content event has the bytes of docs/protocol.md")
{
    struct buf b = BUF_INIT;
    put_content_payload(&b);
    check_hex(&b, FROZEN_CONTENT);
    CHECK_EQ(parse(DELTA_CONTENT, CONTENT_NUMBERS, buf_slice(&b)), 0);
    buf_clear(&b);
}

TEST(frozen_control, "a payload with every control event but genesis has its frozen bytes")
{
    struct buf b = BUF_INIT;
    put_control_payload(&b);
    check_hex(&b, FROZEN_CONTROL);
    CHECK_EQ(parse(DELTA_CONTROL, CONTROL_NUMBERS, buf_slice(&b)), 0);
    buf_clear(&b);
}

/* Writes again what a walk gives. */
static void rewrite(struct payload_walk *w, struct buf *out)
{
    struct payload_event event;
    while (payload_next(w, &event))
        payload_put_event(out, &event);
    CHECK_EQ(w->error, 0);
}

TEST(round_trip, "what a walk gives is what was written, note by note and number by number")
{
    struct buf b = BUF_INIT, again = BUF_INIT;
    struct note_names none = {0};
    struct payload_walk w;
    struct payload_event event;
    put_control_payload(&b);
    CHECK_EQ(payload_begin(&w, DELTA_CONTROL, 10, 10 + CONTROL_NUMBERS, &none, buf_slice(&b)), 0);
    mp_put_array(&again, CONTROL_NUMBERS);
    rewrite(&w, &again);
    CHECK_SLICE(buf_slice(&again), buf_slice(&b));
    payload_end(&w);
    buf_reset(&b);
    put_content_payload(&b);
    CHECK_EQ(payload_begin(&w, DELTA_CONTENT, 100, 100 + CONTENT_NUMBERS, &none, buf_slice(&b)), 0);
    CHECK_EQ(w.n_new, 2);
    uint64_t next = 100;
    size_t n = 0;
    for (; payload_next(&w, &event); n++) {
        CHECK(event.number == next);
        next += event.n_numbers;
        CHECK_EQ(event.note[0], n == 8 ? 0xb2 : 0xa1);
    }
    CHECK_EQ(n, 10);
    CHECK(next == 100 + CONTENT_NUMBERS);
    payload_end(&w);
    buf_clear(&b);
    buf_clear(&again);
}

TEST(truncation, "a payload that is cut anywhere, or followed by anything, does not parse")
{
    struct buf b = BUF_INIT;
    for (int kind = 0; kind < 2; kind++) {
        uint64_t count = kind ? CONTROL_NUMBERS : CONTENT_NUMBERS;
        buf_reset(&b);
        if (kind)
            put_control_payload(&b);
        else
            put_content_payload(&b);
        for (size_t len = 0; len < b.len; len++)
            CHECK(parse((enum delta_kind)kind, count, slice_of(b.ptr, len)) < 0);
        CHECK(parse((enum delta_kind)kind, count - 1, buf_slice(&b)) < 0);
        CHECK(parse((enum delta_kind)kind, count + 1, buf_slice(&b)) < 0);
        CHECK(parse((enum delta_kind) !kind, count, buf_slice(&b)) < 0);
        buf_u8(&b, 0);
        CHECK(parse((enum delta_kind)kind, count, buf_slice(&b)) < 0);
    }
    buf_clear(&b);
}

/* One content event alone in a payload. */
static int parse_event(const struct payload_event *event, uint64_t count)
{
    struct buf b = BUF_INIT;
    mp_put_array(&b, 1);
    mp_put_array(&b, 2);
    mp_put_bin(&b, note_id(1), NOTE_ID_BYTES);
    mp_put_array(&b, event->text.has_parents ? 2 : 1);
    payload_put_event(&b, event);
    CHECK_EQ(buf_error(&b), 0);
    int error = parse(DELTA_CONTENT, count, buf_slice(&b));
    buf_clear(&b);
    return error;
}

static char long_text[DELTA_MOST_PAYLOAD + 1];

static struct slice text_of(size_t len)
{
    memset(long_text, 'x', sizeof long_text);
    return slice_of(long_text, len);
}

TEST(text_limits, "text events reach their limits and not past them")
{
    struct payload_event event = text_event(EVENT_INSERT, POS_MOST, 1, "x");
    CHECK_EQ(parse_event(&event, 1), 0);
    event.text.pos++;
    CHECK(parse_event(&event, 1) < 0);
    event = text_event(EVENT_INSERT, 0, 0, "");
    CHECK(parse_event(&event, 0) < 0);
    event.text.text = slice_of("a\0b", 3);
    CHECK(parse_event(&event, 3) < 0);
    event.text.text = text_of(DELTA_MOST_PAYLOAD - 40);
    CHECK_EQ(parse_event(&event, DELTA_MOST_PAYLOAD - 40), 0);
    event.text.text = text_of(DELTA_MOST_PAYLOAD);
    CHECK(parse_event(&event, DELTA_MOST_PAYLOAD) < 0);
    event = text_event(EVENT_DELETE, 0, DELTA_MOST_EVENTS, "");
    CHECK_EQ(parse_event(&event, DELTA_MOST_EVENTS), 0);
    event.text.n++;
    CHECK(parse_event(&event, DELTA_MOST_EVENTS + 1) < 0);
    event.text.n = 0;
    CHECK(parse_event(&event, 0) < 0);
    event = text_event(EVENT_DELETE_BACKWARD, 4, 5, "");
    CHECK_EQ(parse_event(&event, 5), 0);
    event.text.pos = 3;
    CHECK(parse_event(&event, 5) < 0);
    event = text_event(EVENT_TEMPLATE, 0, 0, "");
    event.text.text = text_of(TEMPLATE_MOST_BYTES);
    CHECK_EQ(parse_event(&event, 1), 0);
    event.text.text = text_of(TEMPLATE_MOST_BYTES + 1);
    CHECK(parse_event(&event, 1) < 0);
}

static void set_ids(struct payload_event *event, size_t n)
{
    event->n_ids = n;
    for (size_t i = 0; i < n && i < PARENTS_MOST; i++)
        event->ids[i].seq = i;
}

TEST(id_limits, "parents and versions are strictly ascending and at most PARENTS_MOST")
{
    struct payload_event event = text_event(EVENT_INSERT, 0, 1, "x");
    event.text.has_parents = true;
    CHECK_EQ(parse_event(&event, 1), 0);
    set_ids(&event, PARENTS_MOST);
    CHECK_EQ(parse_event(&event, 1), 0);
    event.ids[0].seq = RAPPORT_TEXT_MOST_SEQ;
    event.n_ids = 1;
    CHECK_EQ(parse_event(&event, 1), 0);
    event.ids[0].seq++;
    CHECK(parse_event(&event, 1) < 0);
    event = content(EVENT_TRASH);
    set_ids(&event, 2);
    CHECK_EQ(parse_event(&event, 1), 0);
    event.ids[0].seq = 1;
    CHECK(parse_event(&event, 1) < 0);
    event.ids[0].seq = 2;
    CHECK(parse_event(&event, 1) < 0);
    struct buf b = BUF_INIT;
    mp_put_array(&b, 1);
    mp_put_array(&b, 2);
    mp_put_bin(&b, note_id(1), NOTE_ID_BYTES);
    mp_put_array(&b, 1);
    mp_put_array(&b, 2);
    mp_put_u64(&b, EVENT_TRASH);
    mp_put_array(&b, PARENTS_MOST + 1);
    for (size_t i = 0; i <= PARENTS_MOST; i++) {
        mp_put_array(&b, 2);
        mp_put_bin(&b, note_id(1), LOG_ID_BYTES);
        mp_put_u64(&b, i);
    }
    CHECK(parse(DELTA_CONTENT, 1, buf_slice(&b)) < 0);
    buf_clear(&b);
}

TEST(talk_limits, "a talk's strings have at most TALK_MOST_BYTES together")
{
    struct payload_event event = content(EVENT_TALK);
    event.has_talk = true;
    event.talk.title = text_of(TALK_MOST_BYTES - 1);
    event.talk.key = slice_str("k");
    CHECK_EQ(parse_event(&event, 1), 0);
    event.talk.room = slice_str("r");
    CHECK(parse_event(&event, 1) < 0);
    event.talk = (struct note_talk){.title = slice_of("\0", 1)};
    CHECK(parse_event(&event, 1) < 0);
}

TEST(bad_sections, "a section without events, with an unknown number or an odd code does not parse")
{
    static const struct {
        const char *bytes;
        size_t len;
        uint64_t count;
    } bad[] = {
        {"\x90", 1, 1}, /* nothing, but numbers */
        {"\x91\x92\x00\x91\x92\x04\xa4"
         "a.md",
         11, 1}, /* number 0 is not given yet */
        {"\x91\x92\xc4\x01"
         "a"
         "\x91\x92\x04\xa4"
         "a.md",
         13, 1}, /* an id of one byte */
        {"\x91\x92\xa1"
         "a"
         "\x91\x92\x04\xa4"
         "a.md",
         12, 1},                /* a string for an id */
        {"\x91\x91\x00", 3, 1}, /* no events */
        {"\xc0", 1, 1},
        {"\x01", 1, 1},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (parse(DELTA_CONTENT, bad[i].count, slice_of(bad[i].bytes, bad[i].len)) >= 0)
            test_fail(__FILE__, __LINE__, "row %zu parses", i);
    for (unsigned code = 9; code < 100; code++) {
        struct payload_event event = content((enum content_event)code);
        event.value = slice_str("a.md");
        CHECK(parse_event(&event, 1) < 0);
    }
    struct payload_event alone = content(EVENT_PARENTS);
    CHECK(parse_event(&alone, 0) < 0);
}

/* One control event alone. */
static int parse_control(const struct payload_event *event)
{
    struct buf b = BUF_INIT;
    mp_put_array(&b, 1);
    payload_put_event(&b, event);
    int error = parse(DELTA_CONTROL, 1, buf_slice(&b));
    buf_clear(&b);
    return error;
}

TEST(control_limits, "control events reach their limits and not past them")
{
    struct payload_event event = control(CONTROL_SETTING, 0);
    event.key = text_of(SETTING_MOST_KEY);
    event.value = slice_of(long_text, SETTING_MOST_VALUE);
    CHECK_EQ(parse_control(&event), 0);
    event.value.len++;
    CHECK(parse_control(&event) < 0);
    event.value.len = 0;
    event.key.len++;
    CHECK(parse_control(&event) < 0);
    event.key.len = 0;
    CHECK(parse_control(&event) < 0);
    event = control(CONTROL_ROLE, 1);
    event.role = ROLE_MEMBER;
    CHECK_EQ(parse_control(&event), 0);
    event.role++;
    CHECK(parse_control(&event) < 0);
    event = control(CONTROL_INVITE, 0);
    event.n_uses = INVITE_MOST_USES;
    event.expires_s = INT64_MAX;
    CHECK_EQ(parse_control(&event), 0);
    event.expires_s++;
    CHECK(parse_control(&event) < 0);
    event.expires_s = 0;
    event.n_uses++;
    CHECK(parse_control(&event) < 0);
    event.n_uses = 0;
    CHECK(parse_control(&event) < 0);
    event = control(CONTROL_ADD, 0);
    event.value = text_of(100);
    CHECK(parse_control(&event) < 0);
}

TEST(bad_payload_has_no_effect,
     "a payload that is wrong in its last event has no effect, and the next one counts")
{
    struct world w;
    struct buf b = BUF_INIT;
    world_start(&w, 2);
    put_content_payload(&b);
    peer_send_plain(&w, &w.peers[0], DELTA_CONTENT, CONTENT_NUMBERS + 1, &b);
    peer_catch_up(&w, &w.peers[1]);
    CHECK(!note_of(&w.peers[1], 0xa1));
    peer_send_plain(&w, &w.peers[0], DELTA_CONTENT, CONTENT_NUMBERS, &b);
    peer_catch_up(&w, &w.peers[1]);
    CHECK(note_of(&w.peers[1], 0xa1)->exists);
    buf_clear(&b);
    world_end(&w);
}

TEST(describe, "describe tells what a payload does to each note, and changes nothing")
{
    struct world w;
    struct buf b = BUF_INIT;
    struct report_change rows[4];
    world_start(&w, 1);
    put_content_payload(&b);
    struct delta d = {.kind = DELTA_CONTENT, .first = 50, .end = 50 + CONTENT_NUMBERS};
    CHECK_EQ(report_describe(w.peers[0].report, &d, buf_slice(&b), rows, 4), 2);
    CHECK_EQ(rows[0].note[0], 0xa1);
    CHECK(rows[0].first == 50 && rows[0].created && rows[0].renamed && rows[0].trashed);
    CHECK_EQ(rows[0].n_inserted, 4 + 3 + 1);
    CHECK_EQ(rows[0].n_deleted, 4);
    CHECK_EQ(rows[1].note[0], 0xb2);
    CHECK(!rows[1].created && !rows[1].control && rows[1].n_inserted == 0);
    CHECK_EQ(report_describe(w.peers[0].report, &d, buf_slice(&b), rows, 1), 1);
    CHECK(!note_of(&w.peers[0], 0xa1));
    buf_reset(&b);
    put_control_payload(&b);
    d = (struct delta){.kind = DELTA_CONTROL, .first = 7, .end = 7 + CONTROL_NUMBERS};
    CHECK_EQ(report_describe(w.peers[0].report, &d, buf_slice(&b), rows, 4), 1);
    CHECK(rows[0].control && rows[0].first == 7);
    d.end++;
    CHECK_EQ(report_describe(w.peers[0].report, &d, buf_slice(&b), rows, 4), RAPPORT_MALFORMED);
    buf_clear(&b);
    world_end(&w);
}
