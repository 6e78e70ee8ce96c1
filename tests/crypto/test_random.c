/* test_random.c - the seeded generator and the hashes. Frozen hashes are those of another BLAKE2b
 * implementation. */
#include "base/hex.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "test.h"

TEST(chacha_stream, "under seed zero the first draw is the known ChaCha20 stream behind its key")
{
    static const uint8_t zero[32];
    struct rng r;
    uint8_t out[32];
    char hex[65];
    rng_init(&r, zero);
    rng_bytes(&r, out, sizeof out);
    hex_encode(hex, r.key, 32);
    CHECK_STR(hex, "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7");
    hex_encode(hex, out, 32);
    CHECK_STR(hex, "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586");
    CHECK_EQ(r.n, 1);
}

TEST(same_seed, "the same seed and calls give the same bytes, another seed others")
{
    uint8_t seed[32] = {1}, a[1500], b[1500];
    struct rng x, y;
    rng_init(&x, seed);
    rng_init(&y, seed);
    rng_bytes(&x, a, sizeof a);
    rng_bytes(&y, b, sizeof b);
    CHECK_BYTES(a, sizeof a, b, sizeof b);
    rng_bytes(&y, b, sizeof b);
    CHECK(memcmp(a, b, sizeof a) != 0);
    seed[0] = 2;
    rng_init(&y, seed);
    rng_bytes(&y, b, sizeof b);
    CHECK(memcmp(a, b, sizeof a) != 0);
}

TEST(no_bytes, "drawing no bytes changes nothing")
{
    struct rng r, before;
    uint8_t seed[32] = {1};
    rng_init(&r, seed);
    before = r;
    rng_bytes(&r, NULL, 0);
    CHECK_BYTES(&r, sizeof r, &before, sizeof before);
}

TEST(chunk_edges, "around the chunk of 480 bytes every byte is written and none behind")
{
    static const size_t lens[] = {1, 479, 480, 481, 960, 961};
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        uint8_t seed[32] = {3}, a[1000], b[1000];
        struct rng x, y;
        memset(a, 0, sizeof a);
        memset(b, 0xff, sizeof b);
        rng_init(&x, seed);
        rng_init(&y, seed);
        rng_bytes(&x, a, lens[i]);
        rng_bytes(&y, b, lens[i]);
        CHECK_BYTES(a, lens[i], b, lens[i]);
        CHECK_EQ(a[lens[i]], 0);
        CHECK_EQ(b[lens[i]], 0xff);
    }
}

TEST(below, "rng_below stays below, reaches every value, and is even within a fifth")
{
    uint8_t seed[32] = {4};
    struct rng r;
    size_t count[7] = {0};
    rng_init(&r, seed);
    for (int i = 0; i < 7000; i++) {
        uint64_t v = rng_below(&r, 7);
        CHECK(v < 7);
        count[v]++;
    }
    for (size_t i = 0; i < 7; i++)
        CHECK(count[i] > 800 && count[i] < 1200);
    CHECK_EQ(rng_below(&r, 1), 0);
    uint64_t high = (UINT64_C(1) << 63) + 1; /* nearly half of all draws are refused here */
    for (int i = 0; i < 100; i++)
        CHECK(rng_below(&r, high) < high);
}

TEST(fork, "a forked generator gives other bytes than its parent, and the same each time")
{
    uint8_t seed[32] = {5};
    struct rng parent, child, parent2, child2;
    rng_init(&parent, seed);
    rng_init(&parent2, seed);
    rng_fork(&parent, &child);
    rng_fork(&parent2, &child2);
    uint64_t a = rng_u64(&child);
    CHECK(a == rng_u64(&child2));
    CHECK(a != rng_u64(&parent));
    rng_wipe(&child);
    CHECK_EQ(child.n, 0);
    CHECK_EQ(child.key[0] | child.key[31], 0);
}

TEST(hash_frozen, "one-shot, keyed and streamed hashes give the frozen bytes")
{
    uint8_t out[32], key[32];
    char hex[65];
    struct hash h;
    memset(key, 0x41, sizeof key);
    hash_of(out, 32, "rapport test", slice_str("ab"), slice_str("c"));
    hex_encode(hex, out, 32);
    CHECK_STR(hex, "ba649a53c0dd8d9f0190efa124cf4a62b5f1ac85847391dfaff82a06cddda4d7");
    hash_keyed(out, 32, "rapport test", key, slice_str("ab"), slice_str("c"));
    hex_encode(hex, out, 32);
    CHECK_STR(hex, "8f626fe13950ec499b26a8090b0c3b0b10425e037efa71e4b38fe3bd36a9e4fe");
    hash_start(&h, "rapport test", NULL, 0, ID_BYTES);
    hash_add_u64(&h, 5);
    hash_add(&h, (struct slice){0});
    hash_add(&h, slice_str("a"));
    hash_add(&h, slice_str("bc"));
    hash_end(&h, out);
    hex_encode(hex, out, ID_BYTES);
    CHECK_STR(hex, "86d7b7f50c499812fab1779d7e074ae6");
}

TEST(hash_separates, "another personal string, split or output length is another hash")
{
    uint8_t a[32], b[32];
    hash_of(a, 32, "rapport test", slice_str("ab"), slice_str("c"));
    hash_of(b, 32, "rapport test", slice_str("a"), slice_str("bc"));
    CHECK(memcmp(a, b, 32) != 0);
    hash_of(b, 32, "rapport tes", slice_str("ab"), slice_str("c"));
    CHECK(memcmp(a, b, 32) != 0);
    hash_of(b, 16, "rapport test", slice_str("ab"), slice_str("c"));
    CHECK(memcmp(a, b, 16) != 0);
}
