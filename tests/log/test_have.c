/* test_have.c - have vectors: order, limits, frozen bytes, what is refused. */
#include "base/hex.h"
#include "fixture.h"
#include "log/have.h"

static void id_of_number(uint8_t id[LOG_ID_BYTES], size_t number)
{
    memset(id, 0, LOG_ID_BYTES);
    for (size_t i = 0; i < 4; i++)
        id[i] = (uint8_t)(number >> (24 - 8 * i));
}

static struct have have_of_numbers(size_t n)
{
    struct have h = HAVE_INIT;
    uint8_t id[LOG_ID_BYTES];
    for (size_t i = 0; i < n; i++) {
        id_of_number(id, i);
        CHECK_EQ(have_raise(&h, id, i + 1), 0);
    }
    return h;
}

/* Decodes `bytes` as an array that holds one vector. */
static int decode(struct slice bytes, struct have *h)
{
    struct mp_doc doc;
    int error = mp_open(&doc, bytes, MP_MOST_ITEMS);
    if (error)
        return error;
    struct mp_array root = mp_root(&doc, &error);
    error = have_decode(&root, h);
    if (!error)
        error = mp_end(&root);
    mp_close(&doc);
    return error;
}

static void encode(const struct have *h, struct buf *out)
{
    mp_put_array(out, 1);
    have_encode(h, out);
}

TEST(have_frozen, "a vector has these bytes and this digest, whatever the order of its making")
{
    struct have h = HAVE_INIT;
    uint8_t a[LOG_ID_BYTES], b[LOG_ID_BYTES], digest[16];
    char text[200];
    struct buf out = BUF_INIT;
    id_of_number(a, 1);
    id_of_number(b, 2);
    CHECK_EQ(have_raise(&h, b, 300), 0);
    CHECK_EQ(have_raise(&h, a, 5), 0);
    have_encode(&h, &out);
    hex_encode(text, out.ptr, out.len);
    CHECK_STR(text, "9292c4100000000100000000000000000000000005"
                    "92c41000000002000000000000000000000000cd012c");
    have_digest(&h, digest);
    hex_encode(text, digest, sizeof digest);
    CHECK_STR(text, "02b34dbbee1c1196c3a885e804a0706d");
    buf_clear(&out);
    have_clear(&h);
}

TEST(have_raises, "a row is raised, never lowered; an unknown log has 0; 0 makes no row")
{
    struct have h = have_of_numbers(20);
    uint8_t id[LOG_ID_BYTES];
    id_of_number(id, 7);
    CHECK_EQ(have_get(&h, id), 8);
    CHECK_EQ(have_raise(&h, id, 100), 0);
    CHECK_EQ(have_raise(&h, id, 50), 0);
    CHECK_EQ(have_get(&h, id), 100);
    id_of_number(id, 99);
    CHECK_EQ(have_get(&h, id), 0);
    CHECK_EQ(have_raise(&h, id, 0), 0);
    CHECK_EQ(h.n, 20);
    have_clear(&h);
}

TEST(have_round_trip,
     "encoded and decoded it is the same, for 0 to many rows in any order of making")
{
    struct test_rng rng = test_rng_start(3);
    for (size_t n = 0; n < 70; n += 1 + n / 3) {
        struct have h = HAVE_INIT, back = have_of_numbers(2);
        for (size_t i = 0; i < n; i++) {
            uint8_t id[LOG_ID_BYTES];
            id_of_number(id, test_rng_below(&rng, 4000000000u));
            CHECK_EQ(have_raise(&h, id, 1 + (test_rng_next(&rng) >> (1 + i % 60)) / 2), 0);
        }
        struct buf out = BUF_INIT, again = BUF_INIT;
        encode(&h, &out);
        CHECK_EQ(decode(buf_slice(&out), &back), 0);
        encode(&back, &again);
        CHECK_SLICE(buf_slice(&again), buf_slice(&out));
        CHECK(have_includes(&h, &back) && have_includes(&back, &h));
        for (size_t len = 0; len < out.len; len++) {
            CHECK_EQ(decode(slice_of(out.ptr, len), &back), RAPPORT_TRUNCATED);
            CHECK_EQ(back.n, h.n);
        }
        buf_clear(&out);
        buf_clear(&again);
        have_clear(&h);
        have_clear(&back);
    }
}

TEST(have_limit, "LOGS_MOST rows fit, one more is refused when raising and when decoding")
{
    struct have h = have_of_numbers(LOGS_MOST), back = HAVE_INIT;
    uint8_t id[LOG_ID_BYTES];
    struct buf out = BUF_INIT;
    id_of_number(id, LOGS_MOST);
    CHECK_EQ(have_raise(&h, id, 1), RAPPORT_LIMIT);
    encode(&h, &out);
    CHECK_EQ(decode(buf_slice(&out), &back), 0);
    CHECK_EQ(back.n, LOGS_MOST);
    buf_reset(&out);
    mp_put_array(&out, 1);
    mp_put_array(&out, LOGS_MOST + 1);
    for (size_t i = 0; i <= LOGS_MOST; i++) {
        id_of_number(id, i);
        mp_put_array(&out, 2);
        mp_put_bin(&out, id, LOG_ID_BYTES);
        mp_put_u64(&out, 1);
    }
    CHECK_EQ(decode(buf_slice(&out), &back), RAPPORT_LIMIT);
    CHECK_EQ(back.n, LOGS_MOST);
    buf_clear(&out);
    have_clear(&h);
    have_clear(&back);
}

/* One row or two: log numbers and nexts; the second log -1 means no second row. */
static int decode_rows(long log_a, uint64_t next_a, long log_b, uint64_t next_b)
{
    struct buf out = BUF_INIT;
    struct have h = HAVE_INIT;
    uint8_t id[LOG_ID_BYTES];
    mp_put_array(&out, 1);
    mp_put_array(&out, log_b < 0 ? 1 : 2);
    mp_put_array(&out, 2);
    id_of_number(id, (size_t)log_a);
    mp_put_bin(&out, id, LOG_ID_BYTES);
    mp_put_u64(&out, next_a);
    if (log_b >= 0) {
        mp_put_array(&out, 2);
        id_of_number(id, (size_t)log_b);
        mp_put_bin(&out, id, LOG_ID_BYTES);
        mp_put_u64(&out, next_b);
    }
    int error = decode(buf_slice(&out), &h);
    buf_clear(&out);
    have_clear(&h);
    return error;
}

TEST(have_refuses, "rows out of order, repeated, empty or past the greatest number are refused")
{
    CHECK_EQ(decode_rows(1, 1, 2, 1), 0);
    CHECK_EQ(decode_rows(1, DELTA_MOST_NUMBER, -1, 0), 0);
    CHECK_EQ(decode_rows(2, 1, 1, 1), RAPPORT_MALFORMED);
    CHECK_EQ(decode_rows(1, 1, 1, 2), RAPPORT_MALFORMED);
    CHECK_EQ(decode_rows(1, 0, -1, 0), RAPPORT_MALFORMED);
    CHECK_EQ(decode_rows(1, DELTA_MOST_NUMBER + 1, -1, 0), RAPPORT_LIMIT);
}

TEST(have_includes, "one vector includes another when no row of it is higher")
{
    struct have a = have_of_numbers(9), b = have_of_numbers(5), none = HAVE_INIT;
    uint8_t id[LOG_ID_BYTES];
    CHECK(have_includes(&a, &b) && !have_includes(&b, &a));
    CHECK(have_includes(&b, &none) && !have_includes(&none, &b));
    CHECK(have_includes(&none, &none));
    id_of_number(id, 3);
    CHECK_EQ(have_raise(&b, id, 1000), 0);
    CHECK(!have_includes(&a, &b));
    have_clear(&a);
    have_clear(&b);
}

TEST(have_of_set, "the vector of a log set has a row per log, equal sets equal digests")
{
    struct log_set set, turned;
    struct log_outcome outcome;
    struct author a = author_of(1), b = author_of(2);
    struct made m[2] = {author_writes(&a, 2, NULL, 0, 0), author_writes(&b, 3, NULL, 0, 0)};
    struct have h = have_of_numbers(3), other = HAVE_INIT;
    uint8_t digest[2][16];
    log_set_init(&set, report_id, 1);
    log_set_init(&turned, report_id, 2);
    for (size_t i = 0; i < 2; i++) {
        CHECK_EQ(log_accept(&set, &m[i].d, 1, &outcome), 0);
        CHECK_EQ(log_accept(&turned, &m[1 - i].d, 1, &outcome), 0);
    }
    CHECK_EQ(have_of(&set, &h), 0);
    CHECK_EQ(have_of(&turned, &other), 0);
    CHECK_EQ(h.n, 2);
    CHECK_EQ(have_get(&h, a.id), 2);
    CHECK_EQ(have_get(&h, b.id), 3);
    have_digest(&h, digest[0]);
    have_digest(&other, digest[1]);
    CHECK_BYTES(digest[0], 16, digest[1], 16);
    CHECK_EQ(have_raise(&other, a.id, 3), 0);
    have_digest(&other, digest[1]);
    CHECK(memcmp(digest[0], digest[1], 16) != 0);
    made_clear(&m[0]);
    made_clear(&m[1]);
    have_clear(&h);
    have_clear(&other);
    log_set_clear(&set);
    log_set_clear(&turned);
}

TEST(have_no_memory, "each failed allocation is NOMEM and leaves the vector as it was")
{
    struct have h = have_of_numbers(8), one = have_of_numbers(1);
    struct buf out = BUF_INIT;
    uint8_t id[LOG_ID_BYTES];
    bool failed = true;
    id_of_number(id, 100);
    test_fail_allocation(0);
    CHECK_EQ(have_raise(&h, id, 1), RAPPORT_NOMEM);
    test_fail_allocation(-1);
    CHECK_EQ(h.n, 8);
    CHECK_EQ(have_get(&h, id), 0);
    encode(&h, &out);
    for (long n = 0; failed; n++) {
        test_fail_allocation(n);
        int error = decode(buf_slice(&out), &one);
        failed = test_allocation_failed();
        test_fail_allocation(-1);
        CHECK_EQ(error, failed ? RAPPORT_NOMEM : 0);
        CHECK_EQ(one.n, failed ? 1 : 8);
    }
    buf_clear(&out);
    have_clear(&h);
    have_clear(&one);
}
