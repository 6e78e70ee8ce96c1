/*
 * test_seal.c - epoch keys, sealed payloads, sealed boxes. Frozen bytes, but the box's, are those
 * of a second implementation in another language.
 */
#include <sodium.h>

#include "base/hex.h"
#include "crypto/seal.h"
#include "rapport/error.h"
#include "test.h"

static struct epoch_keys epoch_of(int byte)
{
    struct epoch_keys e;
    uint8_t secret[32];
    memset(secret, byte, sizeof secret);
    epoch_from_secret(&e, secret);
    return e;
}

static struct device_keys keys_of(int byte)
{
    struct device_keys k;
    uint8_t seed[32];
    memset(seed, byte, sizeof seed);
    device_keys_from_seed(&k, seed);
    return k;
}

TEST(epoch_frozen, "an epoch secret gives the frozen id and keys")
{
    struct epoch_keys e = epoch_of(0x41);
    char hex[65];
    hex_encode(hex, e.id, sizeof e.id);
    CHECK_STR(hex, "135516a48bf57ac9");
    hex_encode(hex, e.content, 32);
    CHECK_STR(hex, "714a98f6c63524d3c927eb7aca9740a61332e6f0f07e969c48f8eb583c54174c");
    hex_encode(hex, e.psk, 32);
    CHECK_STR(hex, "c1a7f12b38faec1da57f0f3480a63fc4cd8803841731d53d8e547efb90dfcc01");
    hex_encode(hex, e.discovery, 32);
    CHECK_STR(hex, "74e7cd453c052dfed664832714b182823882cb921b95496589c1698ddafd6a46");
    hex_encode(hex, e.blob, 32);
    CHECK_STR(hex, "f81c83bcb659803c224255c5ce7bd3e7a92b619bfbe8bf0475dc17e1a1063bf8");
    static const struct epoch_keys none;
    epoch_wipe(&e);
    CHECK_BYTES(&e, sizeof e, &none, sizeof none);
}

TEST(payload_frozen, "a sealed payload has the frozen bytes, and the same each time")
{
    struct epoch_keys e = epoch_of(0x41);
    struct buf b = BUF_INIT;
    char hex[128];
    CHECK_EQ(payload_seal(&e, slice_str("header"), slice_str("note"), &b), 0);
    hex_encode(hex, b.ptr, b.len);
    CHECK_STR(hex, "de4d4a5086ff47e711d00f85141a704b258d03c75465b66137292a9f90f70244"
                   "a5c85e34a5be21a7714e2933");
    size_t len = b.len;
    CHECK_EQ(payload_seal(&e, slice_str("header"), slice_str("note"), &b), 0);
    CHECK_BYTES(b.ptr, len, b.ptr + len, len);
    buf_clear(&b);
}

TEST(nonces_differ, "another header, text, split of both or epoch gives another nonce")
{
    struct epoch_keys e = epoch_of(1), f = epoch_of(2);
    struct buf b = BUF_INIT;
    CHECK_EQ(payload_seal(&e, slice_str("ab"), slice_str("c"), &b), 0);
    CHECK_EQ(payload_seal(&e, slice_str("a"), slice_str("bc"), &b), 0);
    CHECK_EQ(payload_seal(&e, slice_str("ab"), slice_str("d"), &b), 0);
    CHECK_EQ(payload_seal(&f, slice_str("ab"), slice_str("c"), &b), 0);
    const uint8_t *at[] = {b.ptr, b.ptr + 41, b.ptr + 83, b.ptr + 124};
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < i; j++)
            CHECK(memcmp(at[i], at[j], 24) != 0);
    buf_clear(&b);
}

TEST(payload_round_trip, "texts of 0 bytes to some blocks come back, behind what the buffer held")
{
    struct epoch_keys e = epoch_of(1);
    uint8_t text[300];
    memset(text, 'x', sizeof text);
    for (size_t n = 0; n <= sizeof text; n++) {
        struct buf sealed = BUF_INIT, plain = BUF_INIT;
        buf_append_str(&plain, ">");
        CHECK_EQ(payload_seal(&e, slice_str("h"), slice_of(text, n), &sealed), 0);
        CHECK_EQ(sealed.len, n + PAYLOAD_OVERHEAD);
        CHECK_EQ(payload_open(&e, slice_str("h"), buf_slice(&sealed), &plain), 0);
        CHECK_EQ(plain.len, n + 1);
        CHECK(n == 0 || memcmp(plain.ptr + 1, text, n) == 0);
        buf_clear(&sealed);
        buf_clear(&plain);
    }
}

TEST(payload_changed, "each flipped bit, each cut, another header or epoch is refused")
{
    struct epoch_keys e = epoch_of(1), f = epoch_of(2);
    struct buf b = BUF_INIT, out = BUF_INIT;
    struct slice h = slice_str("header");
    CHECK_EQ(payload_seal(&e, h, slice_str("some text"), &b), 0);
    for (size_t bit = 0; bit < 8 * b.len; bit++) {
        b.ptr[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHECK_EQ(payload_open(&e, h, buf_slice(&b), &out), RAPPORT_AUTH);
        b.ptr[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t n = 0; n < b.len; n++)
        CHECK_EQ(payload_open(&e, h, slice_of(b.ptr, n), &out),
                 n < PAYLOAD_OVERHEAD ? RAPPORT_TRUNCATED : RAPPORT_AUTH);
    CHECK_EQ(payload_open(&e, slice_str("Header"), buf_slice(&b), &out), RAPPORT_AUTH);
    CHECK_EQ(payload_open(&f, h, buf_slice(&b), &out), RAPPORT_AUTH);
    CHECK_EQ(out.len, 0);
    CHECK_EQ(payload_open(&e, h, buf_slice(&b), &out), 0);
    buf_clear(&b);
    buf_clear(&out);
}

TEST(chosen_nonce, "a payload sealed by a member under a nonce of his choice does not open")
{
    struct epoch_keys e = epoch_of(1);
    uint8_t sealed[24 + 4 + 16] = {9};
    struct buf out = BUF_INIT;
    crypto_aead_xchacha20poly1305_ietf_encrypt(sealed + 24, NULL, (const uint8_t *)"text", 4,
                                               (const uint8_t *)"h", 1, NULL, sealed, e.content);
    CHECK_EQ(payload_open(&e, slice_str("h"), slice_of(sealed, sizeof sealed), &out), RAPPORT_AUTH);
    CHECK_EQ(out.len, 0);
    buf_clear(&out);
}

TEST(box_is_libsodiums, "boxes open with libsodium's sealed boxes and the other way round")
{
    struct device_keys k = keys_of(1);
    uint8_t seed[32] = {7}, plain[32], sealed[32 + BOX_OVERHEAD];
    struct buf b = BUF_INIT, out = BUF_INIT;
    CHECK_EQ(box_seal(k.seal_public, slice_of(seed, 32), seed, &b), 0);
    CHECK_EQ(b.len, 32 + BOX_OVERHEAD);
    CHECK_EQ(crypto_box_seal_open(plain, b.ptr, b.len, k.seal_public, k.seal_secret), 0);
    CHECK_BYTES(plain, 32, seed, 32);
    CHECK_EQ(crypto_box_seal(sealed, seed, 32, k.seal_public), 0);
    CHECK_EQ(box_open(&k, slice_of(sealed, sizeof sealed), &out), 0);
    CHECK_BYTES(out.ptr, out.len, seed, 32);
    buf_clear(&b);
    buf_clear(&out);
}

TEST(box_frozen, "a box has the frozen bytes")
{
    struct device_keys k = keys_of(0x41);
    uint8_t seed[32] = {7};
    struct buf b = BUF_INIT;
    char hex[128];
    CHECK_EQ(box_seal(k.seal_public, slice_str("key"), seed, &b), 0);
    hex_encode(hex, b.ptr, b.len);
    CHECK_STR(hex, "5d5214d85b20a5686f1085e8b913fed08bd8b5267cda567142473b5c9ae6d76e"
                   "893db0ef47cbaa99be831e00832533cf6bf4d1");
    buf_clear(&b);
}

TEST(box_changed, "each flipped bit that counts, each cut and another device's key is refused")
{
    struct device_keys k = keys_of(1), other = keys_of(2);
    uint8_t seed[32] = {7};
    struct buf b = BUF_INIT, out = BUF_INIT;
    CHECK_EQ(box_seal(k.seal_public, slice_str("secret"), seed, &b), 0);
    for (size_t bit = 0; bit < 8 * b.len; bit++) {
        b.ptr[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHECK_EQ(box_open(&k, buf_slice(&b), &out), RAPPORT_AUTH);
        b.ptr[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t n = 0; n < b.len; n++)
        CHECK_EQ(box_open(&k, slice_of(b.ptr, n), &out),
                 n < BOX_OVERHEAD ? RAPPORT_TRUNCATED : RAPPORT_AUTH);
    CHECK_EQ(box_open(&other, buf_slice(&b), &out), RAPPORT_AUTH);
    CHECK_EQ(out.len, 0);
    CHECK_EQ(box_open(&k, buf_slice(&b), &out), 0);
    CHECK_SLICE(buf_slice(&out), slice_str("secret"));
    buf_clear(&b);
    buf_clear(&out);
}

TEST(box_low_order, "sealing to a low-order key is AUTH and writes nothing")
{
    uint8_t seed[32] = {7}, zero[32] = {0}, one[32] = {1};
    struct buf b = BUF_INIT;
    CHECK_EQ(box_seal(zero, slice_str("x"), seed, &b), RAPPORT_AUTH);
    CHECK_EQ(box_seal(one, slice_str("x"), seed, &b), RAPPORT_AUTH);
    CHECK_EQ(b.len, 0);
    buf_clear(&b);
}

TEST(limits, "more than SEAL_MOST_PLAIN bytes is LIMIT for all four, before a byte is read")
{
    struct epoch_keys e = epoch_of(1);
    struct device_keys k = keys_of(1);
    uint8_t seed[32] = {7};
    struct buf b = BUF_INIT;
    struct slice h = {0}, big = {seed, (size_t)SEAL_MOST_PLAIN + 1}; /* never read */
    CHECK_EQ(payload_seal(&e, h, big, &b), RAPPORT_LIMIT);
    CHECK_EQ(box_seal(k.seal_public, big, seed, &b), RAPPORT_LIMIT);
    big.len = (size_t)SEAL_MOST_PLAIN + PAYLOAD_OVERHEAD + 1;
    CHECK_EQ(payload_open(&e, h, big, &b), RAPPORT_LIMIT);
    big.len = (size_t)SEAL_MOST_PLAIN + BOX_OVERHEAD + 1;
    CHECK_EQ(box_open(&k, big, &b), RAPPORT_LIMIT);
    CHECK_EQ(b.cap, 0);
}

TEST(no_memory, "out of memory is NOMEM for all four, and the call can be repeated")
{
    struct epoch_keys e = epoch_of(1);
    struct device_keys k = keys_of(1);
    uint8_t seed[32] = {7};
    struct buf payload = BUF_INIT, box = BUF_INIT, out = BUF_INIT;
    struct slice h = slice_str("h"), text = slice_str("x");
    for (int round = 0; round < 2; round++) {
        int expected = round == 0 ? RAPPORT_NOMEM : 0;
        buf_reset(&payload);
        buf_reset(&box);
        test_fail_allocation(round == 0 ? 0 : -1);
        CHECK_EQ(payload_seal(&e, h, text, &payload), expected);
        test_fail_allocation(round == 0 ? 0 : -1);
        CHECK_EQ(box_seal(k.seal_public, text, seed, &box), expected);
        test_fail_allocation(-1);
    }
    test_fail_allocation(0);
    CHECK_EQ(payload_open(&e, h, buf_slice(&payload), &out), RAPPORT_NOMEM);
    buf_clear(&out);
    test_fail_allocation(0);
    CHECK_EQ(box_open(&k, buf_slice(&box), &out), RAPPORT_NOMEM);
    test_fail_allocation(-1);
    buf_clear(&out);
    buf_clear(&payload);
    buf_clear(&box);
}
