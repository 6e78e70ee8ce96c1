/* test_session_attack.c - sessions against altered, cut, replayed and reflected bytes, full frames
 * and no memory. */
#include <stdlib.h>

#include "rapport/error.h"
#include "sync/pair.h"

/* A whole session as it went over the wire, each way. The dialler says three pings, a, b, c, and
 * BYE; the listener x, y, z. */
struct recording {
    struct buf d, l;
};

static void pass(struct session *from, struct session *to, struct buf *record)
{
    struct slice bytes = session_output(from);
    buf_append_slice(record, bytes);
    CHECK_EQ(session_receive(to, bytes, 0), 0);
    session_output_taken(from, bytes.len);
}

static void say(struct session *s, struct session *to, const char *cookies, struct buf *record)
{
    for (const char *c = cookies; *c; c++) {
        CHECK_EQ(pair_send_ping(s, *c), 0);
        pass(s, to, record);
        pair_expect(to, SESSION_MESSAGE);
    }
}

static void record(struct recording *r)
{
    struct session *d, *l;
    *r = (struct recording){BUF_INIT, BUF_INIT};
    CHECK_EQ(pair_create(true, PAIR_DIALLER, "1", &d), 0);
    CHECK_EQ(pair_create(false, PAIR_LISTENER, "1", &l), 0);
    pass(d, l, &r->d);
    pass(l, d, &r->l);
    pair_expect(d, SESSION_KEY);
    CHECK_EQ(session_accept(d, 0), 0);
    pair_expect(d, SESSION_READY);
    pass(d, l, &r->d);
    pair_expect(l, SESSION_KEY);
    CHECK_EQ(session_accept(l, 0), 0);
    pair_expect(l, SESSION_READY);
    say(d, l, "abc", &r->d);
    say(l, d, "xyz", &r->l);
    session_bye(d, BYE_DONE, "end");
    pass(d, l, &r->d);
    session_destroy(d);
    session_destroy(l);
}

/* Plays bytes into a fresh session that accepts whatever key it sees. Returns what it heard: the
 * first letter of each ping's cookie, "." for BYE. */
static int replay(bool dialler, struct slice bytes, char heard[8])
{
    struct session *s;
    struct session_event event;
    size_t n = 0;
    CHECK_EQ(pair_create(dialler, dialler ? PAIR_DIALLER : PAIR_LISTENER, "1", &s), 0);
    int error = session_receive(s, bytes, 0);
    while (session_next(s, &event) && n < 7) {
        if (event.kind == SESSION_KEY)
            error = session_accept(s, 0);
        if (event.kind == SESSION_MESSAGE)
            heard[n++] =
                event.message.type == MESSAGE_BYE ? '.' : (char)event.message.ping.cookie[0];
        if (event.kind == SESSION_CLOSED)
            error = event.error;
    }
    heard[n] = 0;
    session_destroy(s);
    return error;
}

/* One listener's answer to a recorded dialler (or the other way round) for every single flipped
 * bit: it hears at most what was said before the frame with that bit. */
static void flip_all(bool dialler, struct buf *bytes, const char *said)
{
    char heard[8];
    for (size_t bit = 0; bit < bytes->len * 8; bit++) {
        bytes->ptr[bit / 8] ^= (uint8_t)(1u << bit % 8);
        int error = replay(dialler, buf_slice(bytes), heard);
        bytes->ptr[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (strlen(heard) >= strlen(said) || strncmp(heard, said, strlen(heard)) != 0)
            test_fail(__FILE__, __LINE__, "bit %zu: heard %s", bit, heard);
        bool in_header = bit / 8 % 258 < 2 || bit / 8 >= 258;
        if (error == 0 && !in_header)
            test_fail(__FILE__, __LINE__, "bit %zu of the handshake went unnoticed", bit);
        if (bit / 8 < 258 && error != RAPPORT_AUTH)
            test_fail(__FILE__, __LINE__, "bit %zu: the error is %d", bit, error);
    }
}

TEST(attack_flipped_bits, "no flipped bit of a session is ever accepted, in either direction")
{
    struct recording r;
    char heard[8];
    record(&r);
    CHECK_EQ(replay(false, buf_slice(&r.d), heard), RAPPORT_CLOSED);
    CHECK_STR(heard, "abc.");
    CHECK_EQ(replay(true, buf_slice(&r.l), heard), 0);
    CHECK_STR(heard, "xyz");
    flip_all(false, &r.d, "abc.");
    flip_all(true, &r.l, "xyz");
    buf_clear(&r.d);
    buf_clear(&r.l);
}

static void cut_all(bool dialler, struct slice bytes, const char *said)
{
    char heard[8];
    size_t most = 0;
    for (size_t n = 0; n < bytes.len; n++) {
        uint8_t *copy = malloc(n ? n : 1); /* its end is where a sanitizer sees it */
        memcpy(copy, bytes.ptr, n);
        CHECK_EQ(replay(dialler, slice_of(copy, n), heard), 0);
        free(copy);
        CHECK(strncmp(heard, said, strlen(heard)) == 0);
        CHECK(strlen(heard) >= most && strlen(heard) < strlen(said));
        most = strlen(heard);
    }
}

TEST(attack_cut, "a session cut at any byte gives what was whole, and never looks finished")
{
    struct recording r;
    record(&r);
    cut_all(false, buf_slice(&r.d), "abc.");
    cut_all(true, buf_slice(&r.l), "xyz");
    buf_clear(&r.d);
    buf_clear(&r.l);
}

TEST(attack_byte_by_byte, "a session that comes byte by byte is the same session")
{
    struct recording r;
    struct session *s;
    struct session_event event;
    char heard[8] = "";
    record(&r);
    CHECK_EQ(pair_create(false, PAIR_LISTENER, "1", &s), 0);
    for (size_t i = 0; i < r.d.len; i++) {
        CHECK_EQ(session_receive(s, slice_of(r.d.ptr + i, 1), i), 0);
        while (session_next(s, &event)) {
            if (event.kind == SESSION_KEY)
                CHECK_EQ(session_accept(s, i), 0);
            if (event.kind == SESSION_MESSAGE && event.message.type == MESSAGE_PING)
                heard[strlen(heard)] = (char)event.message.ping.cookie[0];
        }
    }
    CHECK_STR(heard, "abc");
    CHECK_EQ(session_tick(s, 0), RAPPORT_CLOSED);
    session_destroy(s);
    buf_clear(&r.d);
    buf_clear(&r.l);
}

TEST(attack_replayed_frame, "a frame sent twice, dropped or swapped ends the session with AUTH")
{
    struct recording r;
    char heard[8];
    record(&r);
    enum {
        PING = 66,
        START = 2 * 258
    };
    uint8_t *frames = r.d.ptr + START;
    uint8_t first[PING];
    memcpy(first, frames, PING);
    memcpy(frames + PING, first, PING); /* a a c . */
    CHECK_EQ(replay(false, buf_slice(&r.d), heard), RAPPORT_AUTH);
    CHECK_STR(heard, "a");
    memcpy(frames, frames + 2 * PING, PING); /* c a c . */
    CHECK_EQ(replay(false, buf_slice(&r.d), heard), RAPPORT_AUTH);
    CHECK_STR(heard, "");
    buf_clear(&r.d);
    buf_clear(&r.l);
}

TEST(attack_reflected, "our own message 1 sent back to us is refused")
{
    struct session *d;
    CHECK_EQ(pair_create(true, PAIR_DIALLER, "1", &d), 0);
    struct buf copy = BUF_INIT;
    buf_append_slice(&copy, session_output(d));
    CHECK_EQ(session_receive(d, buf_slice(&copy), 0), RAPPORT_AUTH);
    pair_expect(d, SESSION_CLOSED);
    CHECK_EQ(session_output(d).len, 0);
    buf_clear(&copy);
    session_destroy(d);
}

TEST(attack_self, "a connection that ends at ourselves is told apart from a stranger")
{
    struct session *d, *l;
    CHECK_EQ(pair_create(true, PAIR_DIALLER, "1", &d), 0);
    CHECK_EQ(pair_create(false, PAIR_DIALLER, "1", &l), 0);
    CHECK_EQ(pair_pass(d, l, 0), 0);
    CHECK_EQ(pair_pass(l, d, 0), RAPPORT_REFUSED);
    session_destroy(d);
    session_destroy(l);
}

TEST(attack_other_length, "before authentication every length but one is refused at once")
{
    static const uint16_t lengths[] = {0, 15, 16, 48, 255, 257, 258, 512, UINT16_MAX};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct session *s;
        CHECK_EQ(pair_create(false, PAIR_LISTENER, "1", &s), 0);
        uint8_t header[2] = {(uint8_t)(lengths[i] >> 8), (uint8_t)lengths[i]};
        CHECK_EQ(session_receive(s, slice_of(header, 2), 0), RAPPORT_AUTH);
        CHECK_EQ(session_output(s).len, 0);
        session_destroy(s);
    }
}

TEST(attack_strangers, "what strangers say is refused without an answer")
{
    static const char *const said[] = {"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
                                       "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "SSH-2.0-x"};
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        struct session *s;
        CHECK_EQ(pair_create(false, PAIR_LISTENER, "1", &s), 0);
        CHECK_EQ(session_receive(s, slice_str(said[i]), 0), RAPPORT_AUTH);
        CHECK_EQ(session_output(s).len, 0);
        session_destroy(s);
    }
}

TEST(attack_transport_length, "a frame too short for a message is malformed")
{
    for (uint8_t len = 0; len < FRAME_LEAST_SEALED; len++) {
        struct session *d, *l;
        pair_open(&d, &l);
        CHECK_EQ(session_receive(l, slice_of((uint8_t[]){0, len}, 2), 0), RAPPORT_MALFORMED);
        session_destroy(d);
        session_destroy(l);
    }
}

TEST(attack_psk_limit,
     "a dialler has one psk, a listener 1 to SESSION_MOST_PSKS, and finds the last")
{
    struct session *d, *l;
    char many[SESSION_MOST_PSKS + 2];
    memset(many, 'x', sizeof many);
    many[SESSION_MOST_PSKS + 1] = 0;
    CHECK_EQ(pair_create(true, PAIR_DIALLER, "12", &d), RAPPORT_INVALID);
    CHECK_EQ(pair_create(false, PAIR_LISTENER, "", &l), RAPPORT_INVALID);
    CHECK_EQ(pair_create(false, PAIR_LISTENER, many, &l), RAPPORT_INVALID);
    many[SESSION_MOST_PSKS] = 0;
    many[SESSION_MOST_PSKS - 1] = '1';
    CHECK_EQ(pair_create(true, PAIR_DIALLER, "1", &d), 0);
    CHECK_EQ(pair_create(false, PAIR_LISTENER, many, &l), 0);
    CHECK_EQ(pair_pass(d, l, 0), 0);
    CHECK_EQ(pair_pass(l, d, 0), 0);
    pair_expect(d, SESSION_KEY);
    CHECK_EQ(session_accept(d, 0), 0);
    CHECK_EQ(pair_pass(d, l, 0), 0);
    CHECK_EQ(pair_expect(l, SESSION_KEY)->key.psk_index, SESSION_MOST_PSKS - 1);
    session_destroy(d);
    session_destroy(l);
}

static int replay_to_listener(struct session_seen *seen, uint8_t dialler, const char *epoch)
{
    struct session *d, *l;
    CHECK_EQ(pair_create(true, dialler, epoch, &d), 0);
    CHECK_EQ(pair_create_seen(PAIR_LISTENER, "1", seen, &l), 0);
    int error = pair_pass(d, l, 0);
    CHECK_EQ(session_output(l).len == 0, error != 0);
    session_destroy(d);
    session_destroy(l);
    return error;
}

TEST(attack_replayed_dial, "a message 1 that was answered once is refused without an answer")
{
    struct session_seen *seen = calloc(1, sizeof *seen);
    CHECK(seen != NULL);
    CHECK_EQ(replay_to_listener(seen, PAIR_DIALLER, "9"), RAPPORT_AUTH);
    CHECK_EQ(seen->n, 0);
    CHECK_EQ(replay_to_listener(seen, PAIR_DIALLER, "1"), 0);
    CHECK_EQ(replay_to_listener(seen, PAIR_DIALLER, "1"), RAPPORT_AUTH);
    CHECK_EQ(replay_to_listener(seen, 3, "1"), 0);
    CHECK_EQ(seen->n, 2);
    free(seen);
}

TEST(attack_replay_limit, "the newest SESSION_MOST_SEEN dials are remembered")
{
    struct session_seen *seen = calloc(1, sizeof *seen);
    CHECK(seen != NULL);
    CHECK_EQ(replay_to_listener(seen, PAIR_DIALLER, "1"), 0);
    seen->n = SESSION_MOST_SEEN;
    CHECK_EQ(replay_to_listener(seen, PAIR_DIALLER, "1"), RAPPORT_AUTH);
    CHECK_EQ(replay_to_listener(seen, 3, "1"), 0);
    CHECK_EQ(replay_to_listener(seen, 3, "1"), RAPPORT_AUTH);
    CHECK_EQ(replay_to_listener(seen, PAIR_DIALLER, "1"), 0);
    free(seen);
}

TEST(attack_held, "while a key waits for its answer only SESSION_MOST_HELD bytes are kept")
{
    static uint8_t zeros[SESSION_MOST_HELD];
    struct session *d, *l;
    CHECK_EQ(pair_create(true, PAIR_DIALLER, "1", &d), 0);
    CHECK_EQ(pair_create(false, PAIR_LISTENER, "1", &l), 0);
    CHECK_EQ(pair_pass(d, l, 0), 0);
    CHECK_EQ(pair_pass(l, d, 0), 0);
    CHECK_EQ(session_receive(d, slice_of(zeros, SESSION_MOST_HELD), 0), 0);
    CHECK_EQ(session_receive(d, slice_of(zeros, 1), 0), RAPPORT_AUTH);
    session_destroy(d);
    session_destroy(l);
}

TEST(attack_undrained, "bytes are not taken while messages wait, and that ends nothing")
{
    struct session *d, *l;
    pair_open(&d, &l);
    CHECK_EQ(pair_send_ping(d, 'a'), 0);
    CHECK_EQ(pair_pass(d, l, 0), 0);
    CHECK_EQ(pair_send_ping(d, 'b'), 0);
    struct slice bytes = session_output(d);
    CHECK_EQ(session_receive(l, bytes, 0), RAPPORT_STATE);
    pair_expect(l, SESSION_MESSAGE);
    CHECK_EQ(session_receive(l, bytes, 0), 0);
    pair_expect(l, SESSION_MESSAGE);
    session_destroy(d);
    session_destroy(l);
}

/* An odd message, to be ignored, of exactly `len` bytes (more than 300). */
static void put_sized(struct buf *b, size_t len)
{
    static uint8_t zeros[FRAME_MOST_SEALED];
    mp_put_array(b, 2);
    mp_put_u64(b, 15);
    mp_put_bin(b, zeros, len - 5);
    CHECK_EQ(b->len, len);
}

TEST(session_largest, "the largest message passes alone in a frame, one byte more is refused")
{
    struct session *d, *l;
    struct session_stats stats;
    struct buf b = BUF_INIT;
    pair_open(&d, &l);
    put_sized(&b, FRAME_MOST_PLAIN);
    CHECK_EQ(pair_send_ping(d, 'a'), 0);
    CHECK_EQ(session_send(d, buf_slice(&b)), 0);
    CHECK_EQ(pair_send_ping(d, 'b'), 0);
    buf_u8(&b, 0);
    CHECK_EQ(session_send(d, buf_slice(&b)), RAPPORT_LIMIT);
    CHECK_EQ(session_send(d, (struct slice){0}), RAPPORT_INVALID);
    CHECK_EQ(pair_pass(d, l, 0), 0);
    pair_expect(l, SESSION_MESSAGE);
    pair_expect(l, SESSION_MESSAGE);
    session_stats(l, &stats);
    CHECK_EQ(stats.frames_in, 2 + 3);
    buf_clear(&b);
    session_destroy(d);
    session_destroy(l);
}

TEST(session_shared_frames, "small messages share frames up to SESSION_SHARED_BYTES")
{
    struct session *d, *l;
    struct session_stats stats;
    struct session_event event;
    size_t n = 0;
    pair_open(&d, &l);
    for (int i = 0; i < 1000; i++)
        CHECK_EQ(pair_send_ping(d, 'a'), 0);
    CHECK_EQ(session_queued(d), 48000 + 2 * 18); /* two frames sealed, the third being filled */
    CHECK_EQ(pair_pass(d, l, 0), 0);
    CHECK_EQ(session_queued(d), 0);
    while (session_next(l, &event))
        n++;
    CHECK_EQ(n, 1000);
    session_stats(l, &stats);
    CHECK_EQ(stats.frames_in, 2 + 3);
    session_destroy(d);
    session_destroy(l);
}

TEST(session_partly_taken, "output that is taken in pieces arrives whole")
{
    struct session *d, *l;
    char heard = 'a';
    pair_open(&d, &l);
    CHECK_EQ(pair_send_ping(d, 'a'), 0);
    for (size_t taken = 0; taken < 2 * 66; taken++) {
        struct slice out = session_output(d);
        CHECK_EQ(session_receive(l, slice_of(out.ptr, 1), 0), 0);
        session_output_taken(d, 1);
        if (taken == 30)
            CHECK_EQ(pair_send_ping(d, 'b'), 0);
        struct session_event event;
        while (session_next(l, &event))
            CHECK_EQ(event.message.ping.cookie[0], heard++);
    }
    CHECK_EQ(heard, 'c');
    CHECK_EQ(session_queued(d), 0);
    session_destroy(d);
    session_destroy(l);
}

TEST(session_rekey, "the key changes after 2^16 frames on both sides, and the session goes on")
{
    struct session *d, *l;
    struct session_event event;
    pair_open(&d, &l);
    struct buf b = BUF_INIT;
    mp_put_array(&b, 1);
    mp_put_u64(&b, 15);
    for (size_t i = 0; i < CIPHER_REKEY_MESSAGES + 2; i++) {
        CHECK_EQ(session_send(d, buf_slice(&b)), 0);
        CHECK_EQ(pair_pass(d, l, 0), 0);
        CHECK(!session_next(l, &event));
    }
    CHECK_EQ(pair_send_ping(l, 'x'), 0);
    CHECK_EQ(pair_pass(l, d, 0), 0);
    pair_expect(d, SESSION_MESSAGE);
    buf_clear(&b);
    session_destroy(d);
    session_destroy(l);
}

/* Everything a session does, stopping at the first failure. */
static int whole_life(struct session **d, struct session **l)
{
    struct session_event event;
    int error = pair_create(true, PAIR_DIALLER, "1", d);
    error = error ? error : pair_create(false, PAIR_LISTENER, "21", l);
    error = error ? error : pair_pass(*d, *l, 0);
    error = error ? error : pair_pass(*l, *d, 0);
    error = error ? error : session_accept(*d, 0);
    error = error ? error : pair_pass(*d, *l, 0);
    error = error ? error : session_accept(*l, 0);
    error = error ? error : pair_send_ping(*d, 'a');
    if (error)
        return error;
    struct slice out = session_output(*d);
    error = session_receive(*l, slice_of(out.ptr, 5), 0);
    error = error ? error : session_receive(*l, slice_skip(out, 5), 0);
    if (error)
        return error;
    while (session_next(*l, &event))
        if (event.kind == SESSION_MESSAGE)
            return 0;
    return RAPPORT_NOMEM;
}

TEST(session_memory, "running out of memory anywhere is NOMEM and never a crash")
{
    int error = RAPPORT_NOMEM;
    long n = 0;
    for (; error && n < 1000; n++) {
        struct session *d = NULL, *l = NULL;
        test_fail_allocation(n);
        error = whole_life(&d, &l);
        bool failed = test_allocation_failed();
        test_fail_allocation(-1);
        CHECK_EQ(error, failed ? RAPPORT_NOMEM : 0);
        session_destroy(d);
        session_destroy(l);
    }
    CHECK(n > 8 && error == 0);
}
