/* test_delta.c - one delta: its frozen bytes, what is refused, the wire form. */
#include "base/hex.h"
#include "base/mp.h"
#include "crypto/seal.h"
#include "fixture.h"
#include "frozen.h"

/* The draft behind frozen.h: a control delta with one dep, from keys of fixed seeds. */
static struct made make_frozen(void)
{
    struct epoch_keys epoch = fixture_epoch();
    struct author a = author_of(1), b = author_of(2);
    struct made dep = author_writes(&b, 300, NULL, 0, 0);
    struct delta_dep on_b = dep_on(&b);
    struct delta_draft draft = draft_of(&a, &epoch);
    draft.kind = DELTA_CONTROL;
    draft.count = 5;
    draft.lamport = 2;
    draft.deps = &on_b;
    draft.n_deps = 1;
    draft.plain = slice_str("hello");
    made_clear(&dep);
    return made_of(&draft);
}

static void check_hex(const char *what, struct slice bytes, const char *hex)
{
    char text[2 * 1024 + 1];
    CHECK(bytes.len <= 1024);
    hex_encode(text, bytes.ptr, bytes.len);
    if (strcmp(text, hex) != 0)
        test_fail(__FILE__, __LINE__, "%s is\n%s\nexpected\n%s", what, text, hex);
}

TEST(delta_frozen, "a delta has the bytes, hash and log id that docs/protocol.md shows")
{
    struct made m = make_frozen();
    check_hex("delta", m.d.bytes, FROZEN_DELTA);
    check_hex("hash", slice_of(m.d.hash, HASH_BYTES), FROZEN_HASH);
    check_hex("log id", slice_of(m.d.log, LOG_ID_BYTES), FROZEN_LOG);
    made_clear(&m);
}

TEST(delta_reads_frozen, "the frozen bytes decode to their fields, verify and open")
{
    uint8_t bytes[(sizeof FROZEN_DELTA - 1) / 2];
    CHECK_EQ(hex_decode(bytes, sizeof bytes, slice_str(FROZEN_DELTA)), 0);
    struct delta d;
    CHECK_EQ(delta_decode(slice_of(bytes, sizeof bytes), report_id, &d), 0);
    struct author a = author_of(1);
    struct epoch_keys epoch = fixture_epoch();
    CHECK_EQ(d.kind, DELTA_CONTROL);
    CHECK_BYTES(d.log, LOG_ID_BYTES, a.id, LOG_ID_BYTES);
    CHECK_BYTES(d.epoch, EPOCH_ID_BYTES, epoch.id, EPOCH_ID_BYTES);
    CHECK_EQ(d.first, 0);
    CHECK_EQ(d.end, 5);
    CHECK_EQ(d.lamport, 2);
    CHECK_EQ(d.wall_ms, 1675500000000);
    CHECK_BYTES(d.prev.ptr, d.prev.len, a.origin, ORIGIN_BYTES);
    CHECK_EQ(d.n_deps, 1);
    CHECK_EQ(d.deps[0].end, 300);
    CHECK(delta_signed_by(&d, a.keys.sign_public, report_id));
    struct buf plain = BUF_INIT;
    CHECK_EQ(delta_open(&d, &epoch, &plain), 0);
    CHECK_SLICE(buf_slice(&plain), slice_str("hello"));
    buf_clear(&plain);
}

TEST(delta_truncated, "a delta cut at any length is refused as truncated and writes nothing")
{
    struct made m = make_frozen();
    struct delta d = {.end = 77};
    for (size_t len = 0; len < m.bytes.len; len++) {
        CHECK_EQ(delta_decode(slice_of(m.bytes.ptr, len), report_id, &d), RAPPORT_TRUNCATED);
        CHECK_EQ(d.end, 77);
    }
    buf_u8(&m.bytes, 0);
    CHECK_EQ(delta_decode(buf_slice(&m.bytes), report_id, &d), RAPPORT_MALFORMED);
    made_clear(&m);
}

TEST(delta_bit_flips, "no delta with one bit turned is ever accepted")
{
    struct author a = author_of(1);
    struct made m = author_writes(&a, 3, NULL, 0, 0);
    size_t n_decoded = 0;
    for (size_t bit = 0; bit < 8 * m.bytes.len; bit++) {
        m.bytes.ptr[bit / 8] ^= (uint8_t)(1u << bit % 8);
        struct delta d;
        if (delta_decode(buf_slice(&m.bytes), report_id, &d) == 0) {
            n_decoded++;
            struct log_set set;
            struct log_outcome outcome;
            log_set_init(&set, report_id, 1);
            CHECK_EQ(log_accept(&set, &d, 1, &outcome), 0);
            CHECK_EQ(outcome.n_accepted, 0);
            CHECK_EQ(outcome.stop, LOG_INVALID);
            CHECK_EQ(set.by_id.n, 0);
            log_set_clear(&set);
        }
        m.bytes.ptr[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    CHECK(n_decoded > 8 * (SIGN_BYTES + PAYLOAD_OVERHEAD));
    made_clear(&m);
}

TEST(delta_other_report, "a delta of one report is refused in another (25)")
{
    struct author a = author_of(1);
    struct made first = author_writes(&a, 1, NULL, 0, 0);
    struct made second = author_writes(&a, 1, NULL, 0, 0);
    uint8_t other[REPORT_ID_BYTES] = {9};
    struct delta d;
    CHECK_EQ(delta_decode(buf_slice(&first.bytes), other, &d), RAPPORT_MALFORMED);
    CHECK_EQ(delta_decode(buf_slice(&second.bytes), other, &d), 0);
    CHECK(delta_signed_by(&d, a.keys.sign_public, report_id));
    CHECK(!delta_signed_by(&d, a.keys.sign_public, other));
    made_clear(&first);
    made_clear(&second);
}

/* Fills n deps on logs that nobody has, ascending. */
static void fill_deps(struct delta_dep *deps, size_t n)
{
    memset(deps, 0, n * sizeof *deps);
    for (size_t i = 0; i < n; i++) {
        deps[i].log[0] = (uint8_t)(i >> 8);
        deps[i].log[1] = (uint8_t)(i + 1);
        deps[i].end = DELTA_MOST_NUMBER;
    }
}

TEST(delta_limits_making, "each limit of a draft is reached and one more is refused")
{
    static uint8_t text[DELTA_MOST_PAYLOAD + 1];
    struct epoch_keys epoch = fixture_epoch();
    struct author a = author_of(1);
    struct delta_dep deps[DELTA_MOST_DEPS + 1];
    struct buf out = BUF_INIT;
    fill_deps(deps, DELTA_MOST_DEPS + 1);
    struct delta_draft most = draft_of(&a, &epoch);
    most.count = DELTA_MOST_EVENTS;
    most.first = DELTA_MOST_NUMBER - DELTA_MOST_EVENTS;
    most.prev = slice_of(a.head, HASH_BYTES);
    most.lamport = DELTA_MOST_NUMBER;
    most.wall_ms = UINT64_MAX;
    most.deps = deps;
    most.n_deps = DELTA_MOST_DEPS;
    most.plain = slice_of(text, DELTA_MOST_PAYLOAD);
    struct made m = made_of(&most);
    CHECK_EQ(m.d.end, DELTA_MOST_NUMBER);
    CHECK_EQ(m.d.n_deps, DELTA_MOST_DEPS);
    CHECK(m.bytes.len <= DELTA_MOST_BYTES);

    struct delta_draft over[7];
    for (size_t i = 0; i < 7; i++)
        over[i] = most;
    over[0].count = 0;
    over[1].count = DELTA_MOST_EVENTS + 1;
    over[2].first++;
    over[3].lamport++;
    over[4].n_deps++;
    over[5].plain.len++;
    over[6].lamport = 0;
    for (size_t i = 0; i < 7; i++) {
        CHECK_EQ(delta_make(&over[i], &out), RAPPORT_LIMIT);
        CHECK_EQ(out.len, 0);
    }
    buf_clear(&out);
    made_clear(&m);
}

/* An encoded delta with every field free, to say what delta_make would not. */
struct raw {
    uint64_t n_items, version, kind, first, count, lamport, wall;
    size_t log_len, epoch_len, prev_len, n_deps, dep_items, dep_hash_len, payload_len, sign_len;
    uint64_t dep_end;
    bool dep_on_itself, deps_descend;
};

static struct raw raw_good(void)
{
    return (struct raw){12, 1, 0, 7, 1, 9, 0, 16, 8, 32, 2, 3, 32, 41, 64, 5, false, false};
}

static int decode_raw(const struct raw *r)
{
    static uint8_t zeros[DELTA_MOST_BYTES];
    struct buf b = BUF_INIT;
    mp_put_array(&b, r->n_items);
    mp_put_u64(&b, r->version);
    mp_put_u64(&b, r->kind);
    mp_put_bin(&b, zeros, r->log_len);
    mp_put_bin(&b, zeros, r->epoch_len);
    mp_put_u64(&b, r->first);
    mp_put_u64(&b, r->count);
    mp_put_u64(&b, r->lamport);
    mp_put_u64(&b, r->wall);
    mp_put_bin(&b, zeros, r->prev_len);
    mp_put_array(&b, r->n_deps);
    for (size_t i = 0; i < r->n_deps; i++) {
        uint8_t log[16] = {0};
        size_t number = r->deps_descend ? r->n_deps - i : r->dep_on_itself ? i : i + 1;
        log[0] = (uint8_t)(number >> 8);
        log[1] = (uint8_t)number;
        mp_put_array(&b, r->dep_items);
        mp_put_bin(&b, log, 16);
        mp_put_u64(&b, r->dep_end);
        mp_put_bin(&b, zeros, r->dep_hash_len);
        if (r->dep_items == 4)
            mp_put_u64(&b, 0);
    }
    mp_put_bin(&b, zeros, r->payload_len);
    mp_put_bin(&b, zeros, r->sign_len);
    for (uint64_t i = 12; i < r->n_items; i++)
        mp_put_u64(&b, 0);
    struct delta d;
    int error = delta_decode(buf_slice(&b), report_id, &d);
    buf_clear(&b);
    return error;
}

#define RAW(expected, change)                                                                      \
    do {                                                                                           \
        struct raw r = raw_good();                                                                 \
        change;                                                                                    \
        CHECK_EQ(decode_raw(&r), expected);                                                        \
    } while (0)

TEST(delta_limits_reading, "each limit holds when reading, and one more is refused")
{
    RAW(0, r.count = 1);
    RAW(0, r.payload_len = DELTA_MOST_PAYLOAD + PAYLOAD_OVERHEAD);
    RAW(RAPPORT_LIMIT, r.payload_len = DELTA_MOST_PAYLOAD + PAYLOAD_OVERHEAD + 1);
    RAW(0, r.payload_len = PAYLOAD_OVERHEAD);
    RAW(RAPPORT_LIMIT, r.payload_len = PAYLOAD_OVERHEAD - 1);
    RAW(0, r.count = DELTA_MOST_EVENTS);
    RAW(RAPPORT_LIMIT, r.count = DELTA_MOST_EVENTS + 1);
    RAW(RAPPORT_MALFORMED, r.count = 0);
    RAW(0, r.n_deps = DELTA_MOST_DEPS);
    RAW(RAPPORT_LIMIT, r.n_deps = DELTA_MOST_DEPS + 1);
    RAW(0, r.first = DELTA_MOST_NUMBER - 1);
    RAW(RAPPORT_LIMIT, r.first = DELTA_MOST_NUMBER);
    RAW(RAPPORT_LIMIT, r.first = UINT64_MAX);
    RAW(0, r.lamport = DELTA_MOST_NUMBER);
    RAW(RAPPORT_LIMIT, r.lamport = DELTA_MOST_NUMBER + 1);
    RAW(RAPPORT_MALFORMED, r.lamport = 0);
    RAW(0, r.dep_end = DELTA_MOST_NUMBER);
    RAW(RAPPORT_LIMIT, r.dep_end = DELTA_MOST_NUMBER + 1);
    RAW(RAPPORT_MALFORMED, r.dep_end = 0);
    RAW(RAPPORT_LIMIT, r.payload_len = DELTA_MOST_BYTES);
}

TEST(delta_shapes, "a field of the wrong length, order or kind is refused; any wall time is not")
{
    RAW(0, r.kind = DELTA_CONTROL);
    RAW(RAPPORT_LIMIT, r.kind = 2);
    RAW(RAPPORT_VERSION, r.version = 2);
    RAW(RAPPORT_VERSION, (r.version = 2, r.n_items = 13));
    RAW(RAPPORT_MALFORMED, r.version = 0);
    RAW(RAPPORT_MALFORMED, r.n_items = 13);
    RAW(RAPPORT_LIMIT, r.log_len = 15);
    RAW(RAPPORT_LIMIT, r.epoch_len = 9);
    RAW(RAPPORT_LIMIT, r.prev_len = ORIGIN_BYTES);
    RAW(RAPPORT_LIMIT, r.first = 0);
    RAW(RAPPORT_MALFORMED, (r.first = 0, r.prev_len = ORIGIN_BYTES));
    RAW(RAPPORT_LIMIT, r.dep_items = 4);
    RAW(RAPPORT_LIMIT, r.dep_hash_len = 31);
    RAW(RAPPORT_LIMIT, r.sign_len = 63);
    RAW(RAPPORT_MALFORMED, r.dep_on_itself = true);
    RAW(RAPPORT_MALFORMED, r.deps_descend = true);
    RAW(0, r.wall = 0);
    RAW(0, r.wall = 253402300800000);
    RAW(0, r.wall = UINT64_MAX);
}

TEST(delta_wrong_keys, "another epoch gives NOKEY; a changed payload or header gives AUTH")
{
    struct author a = author_of(1);
    struct made m = author_writes(&a, 1, NULL, 0, 0);
    struct epoch_keys epoch = fixture_epoch(), other;
    uint8_t secret[EPOCH_SECRET_BYTES] = {1};
    struct buf plain = BUF_INIT;
    epoch_from_secret(&other, secret);
    CHECK_EQ(delta_open(&m.d, &other, &plain), RAPPORT_NOKEY);
    size_t last_of_payload = (size_t)(m.d.payload.ptr - m.bytes.ptr) + m.d.payload.len - 1;
    m.bytes.ptr[last_of_payload] ^= 1;
    CHECK_EQ(delta_open(&m.d, &epoch, &plain), RAPPORT_AUTH);
    m.bytes.ptr[last_of_payload] ^= 1;
    m.d.header.len--;
    CHECK_EQ(delta_open(&m.d, &epoch, &plain), RAPPORT_AUTH);
    CHECK_EQ(plain.len, 0);
    buf_clear(&plain);
    made_clear(&m);
}

/* A random draft whose author has written before or not. */
static struct made random_made(struct test_rng *rng)
{
    static uint8_t text[DELTA_MOST_PAYLOAD];
    struct epoch_keys epoch = fixture_epoch();
    struct author a = author_of((uint8_t)test_rng_below(rng, 200));
    struct delta_dep deps[DELTA_MOST_DEPS];
    a.next = test_rng_below(rng, 2) ? test_rng_next(rng) >> (1 + test_rng_below(rng, 62)) : 0;
    if (a.next > DELTA_MOST_NUMBER - DELTA_MOST_EVENTS)
        a.next = 1;
    struct delta_draft draft = draft_of(&a, &epoch);
    fill_deps(deps, DELTA_MOST_DEPS);
    draft.count = 1 + (uint32_t)test_rng_below(rng, DELTA_MOST_EVENTS);
    draft.lamport = 1 + (test_rng_next(rng) >> (2 + test_rng_below(rng, 61)));
    draft.wall_ms = test_rng_next(rng) >> test_rng_below(rng, 64);
    draft.deps = deps;
    draft.n_deps =
        test_rng_below(rng, 4) ? test_rng_below(rng, 3) : test_rng_below(rng, DELTA_MOST_DEPS + 1);
    draft.plain = slice_of(text, test_rng_below(rng, 4) ? test_rng_below(rng, 400)
                                                        : test_rng_below(rng, sizeof text + 1));
    return made_of(&draft);
}

TEST(delta_elide, "the wire form put back gives the author's bytes, for random deltas")
{
    struct test_rng rng = test_rng_start(11);
    for (int i = 0; i < 400; i++) {
        struct made m = random_made(&rng);
        struct buf wire = BUF_INIT, back = BUF_INIT;
        delta_elide(&m.d, &wire);
        CHECK_EQ(wire.len, m.bytes.len - 18 - 2 - m.d.prev.len);
        CHECK_EQ(delta_restore(buf_slice(&wire), m.d.log, m.d.prev, &back), 0);
        CHECK_SLICE(buf_slice(&back), buf_slice(&m.bytes));
        struct slice prev;
        CHECK_EQ(delta_prev(buf_slice(&back), &prev), 0);
        CHECK_SLICE(prev, m.d.prev);
        buf_clear(&wire);
        buf_clear(&back);
        made_clear(&m);
    }
}

TEST(delta_restore_bad,
     "a wire form that is cut, longer or no such array is refused, out unchanged")
{
    struct made m = make_frozen();
    struct buf wire = BUF_INIT, out = BUF_INIT;
    buf_append_str(&out, "kept");
    delta_elide(&m.d, &wire);
    for (size_t len = 0; len < wire.len; len++)
        CHECK_EQ(delta_restore(slice_of(wire.ptr, len), m.d.log, m.d.prev, &out),
                 RAPPORT_MALFORMED);
    buf_u8(&wire, 0);
    CHECK_EQ(delta_restore(buf_slice(&wire), m.d.log, m.d.prev, &out), RAPPORT_MALFORMED);
    wire.len--;
    CHECK_EQ(delta_restore(buf_slice(&wire), m.d.log, slice_str("short"), &out), RAPPORT_MALFORMED);
    CHECK_EQ(delta_restore(buf_slice(&m.bytes), m.d.log, m.d.prev, &out), RAPPORT_MALFORMED);
    CHECK_SLICE(buf_slice(&out), slice_str("kept"));
    buf_clear(&wire);
    buf_clear(&out);
    made_clear(&m);
}

TEST(delta_restore_limit, "a wire form that would pass the limit of the whole is refused")
{
    static uint8_t zeros[DELTA_MOST_BYTES];
    struct author a = author_of(1);
    struct buf wire = BUF_INIT, out = BUF_INIT;
    mp_put_array(&wire, 10);
    for (int i = 0; i < 9; i++)
        mp_put_u64(&wire, 0);
    size_t before = wire.len;
    size_t fits = DELTA_MOST_BYTES - before - 3 - 18 - 2 - HASH_BYTES;
    for (size_t more = 0; more < 2; more++) {
        wire.len = before;
        mp_put_bin(&wire, zeros, fits + more);
        CHECK_EQ(delta_restore(buf_slice(&wire), a.id, slice_of(zeros, HASH_BYTES), &out),
                 more ? RAPPORT_LIMIT : 0);
        CHECK_EQ(out.len, DELTA_MOST_BYTES);
    }
    buf_clear(&wire);
    buf_clear(&out);
}

TEST(delta_prev_cut, "prev is found only in what is long enough and has the shape")
{
    struct made m = make_frozen();
    struct slice prev = {0};
    size_t behind = (size_t)(m.d.prev.ptr - m.bytes.ptr) + m.d.prev.len;
    for (size_t len = 0; len < behind; len++)
        CHECK_EQ(delta_prev(slice_of(m.bytes.ptr, len), &prev), RAPPORT_TRUNCATED);
    CHECK_EQ(delta_prev(slice_of(m.bytes.ptr, behind), &prev), 0);
    m.bytes.ptr[0]--;
    CHECK_EQ(delta_prev(buf_slice(&m.bytes), &prev), RAPPORT_MALFORMED);
    made_clear(&m);
}

TEST(delta_no_memory, "each failed allocation is NOMEM and leaves the outputs alone")
{
    struct epoch_keys epoch = fixture_epoch();
    struct author a = author_of(1);
    struct delta_draft draft = draft_of(&a, &epoch);
    bool failed = true;
    for (long n = 0; failed; n++) {
        struct buf out = BUF_INIT, wire = BUF_INIT, back = BUF_INIT, plain = BUF_INIT;
        struct delta d = {.end = 0};
        test_fail_allocation(n);
        int error = delta_make(&draft, &out);
        if (!error)
            error = delta_decode(buf_slice(&out), report_id, &d);
        if (!error) {
            delta_elide(&d, &wire);
            error = buf_error(&wire);
        }
        if (!error)
            error = delta_restore(buf_slice(&wire), d.log, d.prev, &back);
        if (!error)
            error = delta_open(&d, &epoch, &plain);
        failed = test_allocation_failed();
        test_fail_allocation(-1);
        CHECK_EQ(error, failed ? RAPPORT_NOMEM : 0);
        CHECK(error == 0 || plain.len == 0);
        buf_clear(&out);
        buf_clear(&wire);
        buf_clear(&back);
        buf_clear(&plain);
    }
}
