/* test_cipher.c - Noise's cipher state: nonces, rekeying, limits. */
#include "base/hex.h"
#include "crypto/noise.h"
#include "rapport/error.h"
#include "test.h"

static struct cipher cipher_of(int byte)
{
    struct cipher c = {.has_key = true};
    memset(c.key, byte, sizeof c.key);
    return c;
}

/* Sends one text from a to b and checks that it arrives. */
static void pass(struct cipher *a, struct cipher *b, const char *text)
{
    struct buf wire = BUF_INIT, read = BUF_INIT;
    CHECK_EQ(cipher_encrypt(a, slice_str("ad"), slice_str(text), &wire), 0);
    CHECK_EQ(wire.len, strlen(text) + NOISE_TAG_BYTES);
    CHECK_EQ(cipher_decrypt(b, slice_str("ad"), buf_slice(&wire), &read), 0);
    CHECK_SLICE(buf_slice(&read), slice_str(text));
    buf_clear(&wire);
    buf_clear(&read);
}

TEST(passes, "texts of every small length arrive, each under the next nonce")
{
    struct cipher a = cipher_of(1), b = cipher_of(1);
    char text[40] = "";
    for (uint64_t i = 0; i < 39; i++) {
        CHECK_EQ(a.n, i);
        pass(&a, &b, text);
        text[i] = 'x';
    }
    CHECK_EQ(b.n, 39);
}

TEST(nonce_is_little_endian, "the frozen bytes of one message under nonce 258 come out")
{
    struct cipher a = cipher_of(1);
    struct buf wire = BUF_INIT;
    char hex[64];
    a.n = 258;
    CHECK_EQ(cipher_encrypt(&a, (struct slice){0}, slice_str("note"), &wire), 0);
    hex_encode(hex, wire.ptr, wire.len);
    CHECK_STR(hex, "bf8825b3bdd2f34da0e0238c659b941dda42b70b");
    buf_clear(&wire);
}

TEST(refused_message, "a message that does not open leaves nonce and buffer alone")
{
    struct cipher a = cipher_of(1), b = cipher_of(1);
    struct buf wire = BUF_INIT, read = BUF_INIT;
    CHECK_EQ(cipher_encrypt(&a, slice_str("ad"), slice_str("text"), &wire), 0);
    buf_append_str(&read, "kept");
    for (size_t bit = 0; bit < 8 * wire.len; bit++) {
        wire.ptr[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHECK_EQ(cipher_decrypt(&b, slice_str("ad"), buf_slice(&wire), &read), RAPPORT_AUTH);
        wire.ptr[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    CHECK_EQ(cipher_decrypt(&b, slice_str("AD"), buf_slice(&wire), &read), RAPPORT_AUTH);
    for (size_t n = 0; n < wire.len; n++)
        CHECK_EQ(cipher_decrypt(&b, slice_str("ad"), slice_of(wire.ptr, n), &read),
                 n < NOISE_TAG_BYTES ? RAPPORT_TRUNCATED : RAPPORT_AUTH);
    CHECK_EQ(b.n, 0);
    CHECK_SLICE(buf_slice(&read), slice_str("kept"));
    CHECK_EQ(cipher_decrypt(&b, slice_str("ad"), buf_slice(&wire), &read), 0);
    CHECK_SLICE(buf_slice(&read), slice_str("kepttext"));
    CHECK_EQ(cipher_decrypt(&b, slice_str("ad"), buf_slice(&wire), &read),
             RAPPORT_AUTH); /* replay */
    buf_clear(&wire);
    buf_clear(&read);
}

TEST(limits, "65,519 bytes of text are the most; one more is LIMIT both ways")
{
    static uint8_t big[NOISE_MOST_MESSAGE + 1];
    struct cipher a = cipher_of(1), b = cipher_of(1);
    struct buf wire = BUF_INIT, read = BUF_INIT;
    struct slice ad = {0};
    CHECK_EQ(cipher_encrypt(&a, ad, slice_of(big, NOISE_MOST_PLAIN + 1), &wire), RAPPORT_LIMIT);
    CHECK_EQ(cipher_decrypt(&b, ad, slice_of(big, sizeof big), &read), RAPPORT_LIMIT);
    CHECK_EQ(cipher_encrypt(&a, ad, slice_of(big, NOISE_MOST_PLAIN), &wire), 0);
    CHECK_EQ(wire.len, NOISE_MOST_MESSAGE);
    CHECK_EQ(cipher_decrypt(&b, ad, buf_slice(&wire), &read), 0);
    CHECK_EQ(read.len, NOISE_MOST_PLAIN);
    buf_clear(&wire);
    buf_clear(&read);
}

TEST(nonces_run_out, "nonce 2^64 - 2 is the last; then both directions are LIMIT for good")
{
    struct cipher a = cipher_of(1), b = cipher_of(1);
    struct buf out = BUF_INIT;
    a.n = b.n = UINT64_MAX - 1;
    pass(&a, &b, "last");
    CHECK(a.n == UINT64_MAX && b.n == UINT64_MAX);
    CHECK_EQ(cipher_encrypt(&a, (struct slice){0}, slice_str("x"), &out), RAPPORT_LIMIT);
    CHECK_EQ(cipher_decrypt(&b, (struct slice){0}, slice_str("0123456789abcdefg"), &out),
             RAPPORT_LIMIT);
    CHECK(a.n == UINT64_MAX && b.n == UINT64_MAX);
    CHECK_EQ(out.len, 0);
}

TEST(rekey_frozen, "rekeying gives the frozen key and keeps the nonce")
{
    struct cipher a = cipher_of(1);
    char hex[65];
    a.n = 7;
    cipher_rekey(&a);
    hex_encode(hex, a.key, 32);
    CHECK_STR(hex, "6cfb2b964ed404cedd9051572bde20be5910d8de91207ef94b5ceb2fa67ad788");
    CHECK_EQ(a.n, 7);
}

TEST(rekey_edge, "both sides rekey behind message 2^16 - 1, not before, and go on")
{
    struct cipher a = cipher_of(1), b = cipher_of(1), before = cipher_of(1);
    a.n = b.n = CIPHER_REKEY_MESSAGES - 2;
    for (int i = 0; i < 4; i++) {
        pass(&a, &b, "x");
        cipher_rekey_when_due(&a);
        cipher_rekey_when_due(&b);
        CHECK_EQ(memcmp(a.key, before.key, 32) == 0, i < 1);
        CHECK_BYTES(a.key, 32, b.key, 32);
    }
    CHECK_EQ(a.n, CIPHER_REKEY_MESSAGES + 2);
}

TEST(one_side_rekeys, "when only one side rekeys, the next message does not open")
{
    struct cipher a = cipher_of(1), b = cipher_of(1);
    struct buf wire = BUF_INIT, read = BUF_INIT;
    cipher_rekey(&a);
    CHECK_EQ(cipher_encrypt(&a, (struct slice){0}, slice_str("x"), &wire), 0);
    CHECK_EQ(cipher_decrypt(&b, (struct slice){0}, buf_slice(&wire), &read), RAPPORT_AUTH);
    buf_clear(&wire);
    buf_clear(&read);
}

TEST(cleared, "a cleared cipher refuses with STATE and holds no key")
{
    static const struct cipher empty;
    struct cipher a = cipher_of(1);
    struct buf out = BUF_INIT;
    cipher_clear(&a);
    CHECK_BYTES(&a, sizeof a, &empty, sizeof empty);
    CHECK_EQ(cipher_encrypt(&a, (struct slice){0}, slice_str("x"), &out), RAPPORT_STATE);
    CHECK_EQ(cipher_decrypt(&a, (struct slice){0}, slice_str("0123456789abcdef"), &out),
             RAPPORT_STATE);
}

TEST(no_memory, "out of memory leaves the nonce, so the message can be sent or read again")
{
    struct cipher a = cipher_of(1), b = cipher_of(1);
    struct buf wire = BUF_INIT, read = BUF_INIT;
    test_fail_allocation(0);
    CHECK_EQ(cipher_encrypt(&a, (struct slice){0}, slice_str("x"), &wire), RAPPORT_NOMEM);
    test_fail_allocation(-1);
    CHECK_EQ(a.n, 0);
    buf_reset(&wire);
    CHECK_EQ(cipher_encrypt(&a, (struct slice){0}, slice_str("x"), &wire), 0);
    test_fail_allocation(0);
    CHECK_EQ(cipher_decrypt(&b, (struct slice){0}, buf_slice(&wire), &read), RAPPORT_NOMEM);
    test_fail_allocation(-1);
    CHECK_EQ(b.n, 0);
    buf_clear(&wire);
    buf_clear(&read);
}
