/* test_bundle.c - bundles: what was put in comes out, whatever is wrong with the file does not. */
#include "sync/bundle.h"

#include <stdlib.h>

#include "base/hex.h"
#include "rapport/error.h"
#include "test.h"

enum {
    MANY = 40 /* deltas of the largest size: some chunks */
};

/* Secret 32 x 07, salt 32 x 5b, device seed 32 x 01, report id 32 x 09, one row, two deltas. */
static const char frozen[] = "726170706f7274015b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b"
                             "5b5b5b5b5b5b5b5ba47d3f208ba40f8baea5881457a76cf01915e82c8b76b558"
                             "10ccbf168ec0d1db7650e285a5f88c37db5c895084e3befdad9df8426e6b2b40"
                             "cc276c7b4cdb79c05fa4480e8455d8017bb850cc7678454d111f18ffc7164c9f"
                             "77e3d58b325c75d700691922f77053a2f1fdcf9fb1667575473481ddec058819"
                             "8901d3e4904c3057216b82261f6bcc739121af361a2ddc223dc12f35fec4bad0"
                             "8e1d8c668260b0ed82913fb257105e6afb3969d2";

static struct epoch_keys epochs[2];
static uint8_t report_id[REPORT_ID_BYTES], big[DELTA_MOST_BYTES + MANY];

struct found {
    size_t n_heads, n_deltas, n_bytes;
    int error;
};

static void set_up(void)
{
    uint8_t secret[32];
    memset(secret, 7, sizeof secret);
    epoch_from_secret(&epochs[0], secret);
    memset(secret, 8, sizeof secret);
    epoch_from_secret(&epochs[1], secret);
    memset(report_id, 9, sizeof report_id);
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (uint8_t)(i * 7);
}

static void put_head(struct bundle_writer *w, size_t n_rows)
{
    struct bundle_head head = {.wall_ms = 1675501200000};
    struct device_keys keys;
    struct have have = HAVE_INIT;
    uint8_t seed[32], salt[BUNDLE_SALT_BYTES];
    memset(seed, 1, sizeof seed);
    memset(salt, 0x5b, sizeof salt);
    device_keys_from_seed(&keys, seed);
    device_id(head.device, keys.sign_public);
    for (size_t i = 0; i < n_rows; i++) {
        uint8_t log[LOG_ID_BYTES] = {(uint8_t)(i >> 8), (uint8_t)i};
        CHECK_EQ(have_raise(&have, log, i + 5), 0);
    }
    have_digest(&have, head.have_digest);
    bundle_sign(&head, &keys, report_id, salt);
    bundle_write_start(w, &epochs[0], salt);
    bundle_write_head(w, &head, &have);
    have_clear(&have);
}

/* A file of n deltas of `len` bytes each; free it. */
static struct buf make(size_t n_rows, size_t n, size_t len)
{
    struct bundle_writer w;
    put_head(&w, n_rows);
    for (size_t i = 0; i < n; i++)
        bundle_write_delta(&w, slice_of(big + i, len - i % 2));
    bundle_write_end(&w);
    CHECK_EQ(buf_error(&w.out), 0);
    struct buf file = w.out;
    w.out = BUF_INIT;
    bundle_writer_clear(&w);
    return file;
}

static struct buf make_small(void)
{
    struct bundle_writer w;
    put_head(&w, 1);
    bundle_write_delta(&w, slice_str("first"));
    bundle_write_delta(&w, slice_str("second"));
    bundle_write_end(&w);
    struct buf file = w.out;
    w.out = BUF_INIT;
    bundle_writer_clear(&w);
    return file;
}

static int count_items(struct bundle_reader *r, struct found *f)
{
    enum bundle_kind kind;
    int error;
    while (!(error = bundle_next(r, &kind)) && kind != BUNDLE_NONE) {
        f->n_heads += kind == BUNDLE_HEAD;
        f->n_deltas += kind == BUNDLE_DELTA;
        if (kind == BUNDLE_DELTA)
            CHECK_BYTES(r->delta.ptr, 1, big + f->n_bytes, 1);
        f->n_bytes += kind == BUNDLE_DELTA;
        CHECK(r->sealed.cap <= 4 * BUNDLE_CHUNK_BYTES && r->plain.cap <= 8 * BUNDLE_CHUNK_BYTES);
    }
    return error;
}

/* Reads a file in pieces. The first byte of each delta is checked where `big` made them. */
static struct found read_all(struct slice file, size_t piece, bool check)
{
    struct found f = {0};
    struct bundle_reader r;
    bundle_read_start(&r);
    while (!f.error && file.len) {
        struct slice in = slice_of(file.ptr, file.len < piece ? file.len : piece);
        file = slice_skip(file, in.len);
        while (!f.error && in.len) {
            f.error = bundle_read(&r, epochs, 2, &in);
            enum bundle_kind kind = BUNDLE_HEAD;
            if (check && !f.error)
                f.error = count_items(&r, &f);
            while (!check && !f.error && !(f.error = bundle_next(&r, &kind)) && kind) {
                f.n_heads += kind == BUNDLE_HEAD;
                f.n_deltas += kind == BUNDLE_DELTA;
            }
        }
    }
    if (!f.error) {
        enum bundle_kind kind = BUNDLE_HEAD;
        f.error = bundle_read_end(&r, epochs, 2);
        int last = 0;
        while (!last && !(last = bundle_next(&r, &kind)) && kind) {
            f.n_heads += kind == BUNDLE_HEAD;
            f.n_deltas += kind == BUNDLE_DELTA;
        }
        f.error = f.error ? f.error : last;
    }
    bundle_reader_clear(&r);
    return f;
}

TEST(bundle_round_trip, "what was put in comes out, however the file is cut into pieces")
{
    static const size_t pieces[] = {1, 1000, BUNDLE_CHUNK_BYTES, SIZE_MAX};
    set_up();
    struct buf file = make(600, MANY, DELTA_MOST_BYTES - MANY);
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        struct found f = read_all(buf_slice(&file), pieces[i], true);
        CHECK_EQ(f.error, 0);
        CHECK_EQ(f.n_heads, 1);
        CHECK_EQ(f.n_deltas, MANY);
    }
    buf_clear(&file);
}

TEST(bundle_frozen, "the format is what docs/protocol.md says, byte by byte")
{
    char hex[2048];
    set_up();
    struct buf file = make_small();
    CHECK(file.len < sizeof hex / 2);
    hex_encode(hex, file.ptr, file.len);
    CHECK_STR(hex, frozen);
    buf_clear(&file);
}

TEST(bundle_signature, "the head is its device's own, of this report and this file")
{
    set_up();
    struct buf file = make_small();
    struct bundle_reader r;
    enum bundle_kind kind = BUNDLE_NONE;
    struct device_keys keys;
    uint8_t seed[32], salt[BUNDLE_SALT_BYTES], other[32] = {1};
    struct slice in = buf_slice(&file);
    memset(seed, 1, sizeof seed);
    memset(salt, 0x5b, sizeof salt);
    device_keys_from_seed(&keys, seed);
    bundle_read_start(&r);
    CHECK_EQ(bundle_read(&r, epochs, 2, &in), 0);
    CHECK_EQ(bundle_read_end(&r, epochs, 2), 0);
    CHECK_EQ(bundle_next(&r, &kind), 0);
    CHECK_EQ(kind, BUNDLE_HEAD);
    CHECK(bundle_signed_by(&r.head, keys.sign_public, report_id, salt));
    CHECK(!bundle_signed_by(&r.head, keys.sign_public, other, salt));
    CHECK(!bundle_signed_by(&r.head, keys.sign_public, report_id, other));
    r.head.wall_ms++;
    CHECK(!bundle_signed_by(&r.head, keys.sign_public, report_id, salt));
    bundle_reader_clear(&r);
    buf_clear(&file);
}

TEST(bundle_truncated, "a small bundle that is cut at any length gives an error and no delta")
{
    set_up();
    struct buf file = make_small();
    for (size_t len = 0; len < file.len; len++) {
        struct found f = read_all(slice_of(file.ptr, len), SIZE_MAX, false);
        CHECK_EQ(f.error,
                 len <= BUNDLE_HEADER_BYTES + BUNDLE_TAG_BYTES ? RAPPORT_TRUNCATED : RAPPORT_NOKEY);
        CHECK_EQ(f.n_deltas, 0);
    }
    buf_clear(&file);
}

TEST(bundle_flipped, "a bit that flipped anywhere is noticed, also one byte more behind the end")
{
    set_up();
    struct buf file = make_small();
    for (size_t i = 0; i < file.len; i++) {
        file.ptr[i] ^= 0x10;
        struct found f = read_all(buf_slice(&file), SIZE_MAX, false);
        CHECK(f.error != 0);
        CHECK_EQ(f.n_deltas, 0);
        file.ptr[i] ^= 0x10;
    }
    CHECK_EQ(read_all(buf_slice(&file), SIZE_MAX, false).error, 0);
    buf_u8(&file, 0);
    CHECK_EQ(read_all(buf_slice(&file), SIZE_MAX, false).error, RAPPORT_NOKEY);
    buf_clear(&file);
}

TEST(bundle_chunks, "chunks that are cut off, swapped, repeated or damaged end it there")
{
    set_up();
    struct buf file = make(1, MANY, DELTA_MOST_BYTES - MANY);
    size_t second = BUNDLE_HEADER_BYTES + BUNDLE_CHUNK_BYTES, third = second + BUNDLE_CHUNK_BYTES;
    uint8_t *chunk = malloc(BUNDLE_CHUNK_BYTES);
    CHECK(chunk != NULL);
    for (size_t n = 1; n <= 3; n++) { /* at the end of a chunk, and one byte around it */
        size_t end = BUNDLE_HEADER_BYTES + n * BUNDLE_CHUNK_BYTES;
        CHECK_EQ(read_all(slice_of(file.ptr, end), SIZE_MAX, false).error, RAPPORT_TRUNCATED);
        CHECK_EQ(read_all(slice_of(file.ptr, end), SIZE_MAX, false).n_deltas, n);
        CHECK(read_all(slice_of(file.ptr, end + 1), SIZE_MAX, false).error != 0);
        CHECK(read_all(slice_of(file.ptr, end - 1), SIZE_MAX, false).error != 0);
    }
    memcpy(chunk, file.ptr + second, BUNDLE_CHUNK_BYTES);
    memcpy(file.ptr + second, file.ptr + third, BUNDLE_CHUNK_BYTES);
    memcpy(file.ptr + third, chunk, BUNDLE_CHUNK_BYTES);
    CHECK_EQ(read_all(buf_slice(&file), SIZE_MAX, false).error, RAPPORT_AUTH);
    CHECK_EQ(read_all(buf_slice(&file), SIZE_MAX, false).n_deltas, 1);
    memcpy(file.ptr + second, chunk, BUNDLE_CHUNK_BYTES);
    CHECK_EQ(read_all(buf_slice(&file), SIZE_MAX, false).n_deltas, 2);
    free(chunk);
    buf_clear(&file);
}

TEST(bundle_other_files, "what is no bundle, a newer one, and one of another epoch are told apart")
{
    set_up();
    struct buf file = make_small();
    CHECK_EQ(read_all(slice_str("# Notes\n"), SIZE_MAX, false).error, RAPPORT_MALFORMED);
    CHECK_EQ(read_all(slice_str(""), SIZE_MAX, false).error, RAPPORT_TRUNCATED);
    file.ptr[7] = 2;
    CHECK_EQ(read_all(buf_slice(&file), SIZE_MAX, false).error, RAPPORT_VERSION);
    file.ptr[7] = BUNDLE_VERSION;
    epochs[0] = epochs[1];
    CHECK_EQ(read_all(buf_slice(&file), SIZE_MAX, false).error, RAPPORT_NOKEY);
    buf_clear(&file);
}

/* One chunk of a member's own making. */
static int read_plain(struct slice plain)
{
    struct bundle_writer w;
    uint8_t salt[BUNDLE_SALT_BYTES] = {0};
    bundle_write_start(&w, &epochs[0], salt);
    buf_append_slice(&w.plain, plain);
    bundle_write_end(&w);
    int error = read_all(buf_slice(&w.out), SIZE_MAX, false).error;
    bundle_writer_clear(&w);
    return error;
}

TEST(bundle_hostile, "a member's own bytes: each limit holds, nothing is believed")
{
    static const char *const items[] = {
        "9202c40161",     /* a delta before the head */
        "9201919200",     /* rows before the head */
        "9107",           /* a kind of later */
        "9202c600ffffff", /* a length beyond what can come */
        "dd7fffffff",     /* an array of gigabytes */
        "c0",
        "00",
    };
    set_up();
    CHECK(read_plain(slice_str("")) != 0);
    for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
        uint8_t bytes[64];
        size_t n = strlen(items[i]) / 2;
        CHECK_EQ(hex_decode(bytes, n, slice_str(items[i])), 0);
        CHECK(read_plain(slice_of(bytes, n)) != 0);
    }
    struct bundle_writer w;
    put_head(&w, 1);
    bundle_write_delta(&w, slice_of(big, DELTA_MOST_BYTES));
    CHECK_EQ(buf_error(&w.out), 0);
    struct buf over = BUF_INIT;
    buf_reserve(&over, DELTA_MOST_BYTES + 1);
    memset(over.ptr, 1, DELTA_MOST_BYTES + 1);
    bundle_write_delta(&w, slice_of(over.ptr, DELTA_MOST_BYTES + 1));
    CHECK_EQ(buf_error(&w.out), RAPPORT_LIMIT);
    bundle_writer_clear(&w);
    buf_clear(&over);
}

TEST(bundle_rows,
     "rows that repeat, descend, are empty, or are more than the head says are refused")
{
    static const uint8_t orders[][2] = {{1, 1}, {2, 1}, {1, 2}};
    set_up();
    for (size_t i = 0; i < 3; i++) {
        struct bundle_writer w;
        struct bundle_head head = {.wall_ms = 1};
        struct have none = HAVE_INIT;
        uint8_t salt[BUNDLE_SALT_BYTES] = {0}, log[LOG_ID_BYTES] = {0};
        bundle_write_start(&w, &epochs[0], salt);
        bundle_write_head(&w, &head, &none);
        mp_put_array(&w.plain, 2);
        mp_put_u64(&w.plain, 1);
        mp_put_array(&w.plain, 2);
        for (size_t k = 0; k < 2; k++) {
            log[0] = orders[i][k];
            mp_put_array(&w.plain, 2);
            mp_put_bin(&w.plain, log, sizeof log);
            mp_put_u64(&w.plain, i < 2);
        }
        bundle_write_end(&w);
        CHECK_EQ(read_all(buf_slice(&w.out), SIZE_MAX, false).error, RAPPORT_MALFORMED);
        bundle_writer_clear(&w);
    }
}

TEST(bundle_limits, "4,096 rows and a delta of 61,440 bytes go through")
{
    set_up();
    struct buf file = make(LOGS_MOST, 2, DELTA_MOST_BYTES);
    struct found f = read_all(buf_slice(&file), 1000, false);
    CHECK_EQ(f.error, 0);
    CHECK_EQ(f.n_deltas, 2);
    buf_clear(&file);
}

TEST(bundle_memory, "memory that runs out at any moment is an error, and nothing leaks")
{
    bool reached = true;
    set_up();
    struct buf file = make(300, 3, DELTA_MOST_BYTES);
    for (long at = 0; reached; at++) {
        test_fail_allocation(at);
        struct found f = read_all(buf_slice(&file), SIZE_MAX, false);
        reached = test_allocation_failed();
        test_fail_allocation(-1);
        CHECK_EQ(f.error, reached ? RAPPORT_NOMEM : 0);
    }
    buf_clear(&file);
}
