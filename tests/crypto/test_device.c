/* test_device.c - device keys, signatures and cards. */
#include <sodium.h>

#include "base/hex.h"
#include "base/mp.h"
#include "crypto/device.h"
#include "rapport/error.h"
#include "test.h"

static struct device_keys keys_of(int byte)
{
    struct device_keys k;
    uint8_t seed[32];
    memset(seed, byte, sizeof seed);
    device_keys_from_seed(&k, seed);
    return k;
}

static struct device_card card_of(const struct device_keys *k, const char *name)
{
    struct device_card c;
    CHECK_EQ(card_make(&c, k, slice_str(name), UINT64_C(1675418400000)), 0);
    return c;
}

/* Six fields as given, signed with the right key whatever they are. */
static void encode_signed(struct buf *out, const struct device_keys *k, uint64_t format,
                          struct slice name, uint64_t made_at_ms)
{
    struct buf fields = BUF_INIT;
    uint8_t signature[64];
    mp_put_u64(&fields, format);
    mp_put_bin(&fields, k->sign_public, 32);
    mp_put_bin(&fields, k->noise_public, 32);
    mp_put_bin(&fields, k->seal_public, 32);
    mp_put_str(&fields, name);
    mp_put_u64(&fields, made_at_ms);
    struct buf whole = BUF_INIT;
    mp_put_array(&whole, 6);
    buf_append_slice(&whole, buf_slice(&fields));
    CHECK_EQ(sign_make(signature, k, SIGN_CARD, buf_slice(&whole)), 0);
    mp_put_array(out, 7);
    buf_append_slice(out, buf_slice(&fields));
    mp_put_bin(out, signature, 64);
    buf_clear(&fields);
    buf_clear(&whole);
}

TEST(keys_frozen, "a seed gives the frozen keys, and each pair belongs together")
{
    struct device_keys k = keys_of(0x41);
    uint8_t public[32];
    char hex[65];
    hex_encode(hex, k.noise_secret, 32);
    CHECK_STR(hex, "9180373972dbdd2943f5d6bf4f5005ce390a08422fd648894c52013c154fbda3");
    hex_encode(hex, k.sign_public, 32);
    CHECK_STR(hex, "e07bbe55feb898b9cc7a9ea818a51139f519583b5b8197f65e81df4276dc0227");
    hex_encode(hex, k.seal_public, 32);
    CHECK_STR(hex, "288e190f604428fc7a596e8e957fbc3796151a9806f46c59cff503664c76fe26");
    crypto_scalarmult_base(public, k.noise_secret);
    CHECK_BYTES(public, 32, k.noise_public, 32);
    CHECK(memcmp(k.noise_secret, k.seal_secret, 32) != 0);
    uint8_t id[ID_BYTES];
    device_id(id, k.sign_public);
    hex_encode(hex, id, sizeof id);
    CHECK_STR(hex, "76e5778281ed25e67a25a67e0c7ccc0e");
    static const struct device_keys none;
    device_keys_wipe(&k);
    CHECK_BYTES(&k, sizeof k, &none, sizeof none);
}

TEST(contexts, "a signature holds for its context, message and key alone")
{
    struct device_keys k = keys_of(1), other = keys_of(2);
    uint8_t sig[64];
    struct slice m = slice_str("message");
    CHECK_EQ(sign_make(sig, &k, SIGN_CARD, m), 0);
    CHECK_EQ(sign_verify(k.sign_public, SIGN_CARD, m, sig), 0);
    CHECK_EQ(sign_verify(k.sign_public, SIGN_DELTA, m, sig), RAPPORT_AUTH);
    CHECK_EQ(sign_verify(k.sign_public, SIGN_CARD, slice_str("messag"), sig), RAPPORT_AUTH);
    CHECK_EQ(sign_verify(other.sign_public, SIGN_CARD, m, sig), RAPPORT_AUTH);
    CHECK_EQ(sign_make(sig, &k, "ab", slice_str("c")), 0);
    CHECK_EQ(sign_verify(k.sign_public, "a", slice_str("bc"), sig), RAPPORT_AUTH);
    for (size_t bit = 0; bit < 512; bit++) {
        sig[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHECK_EQ(sign_verify(k.sign_public, "ab", slice_str("c"), sig), RAPPORT_AUTH);
        sig[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

TEST(sign_limit, "context, zero byte and message of 1,024 bytes are signed, one more is LIMIT")
{
    static uint8_t big[SIGN_MOST_BYTES];
    struct device_keys k = keys_of(1);
    uint8_t sig[64];
    size_t most = SIGN_MOST_BYTES - strlen(SIGN_CARD) - 1;
    CHECK_EQ(sign_make(sig, &k, SIGN_CARD, slice_of(big, most)), 0);
    CHECK_EQ(sign_verify(k.sign_public, SIGN_CARD, slice_of(big, most), sig), 0);
    CHECK_EQ(sign_make(sig, &k, SIGN_CARD, slice_of(big, most + 1)), RAPPORT_LIMIT);
    CHECK_EQ(sign_verify(k.sign_public, SIGN_CARD, slice_of(big, most + 1), sig), RAPPORT_AUTH);
}

TEST(small_order_key, "nothing verifies under a signing key of small order")
{
    uint8_t public[32] = {1}, sig[64] = {1};
    CHECK_EQ(sign_verify(public, SIGN_CARD, slice_str("x"), sig), RAPPORT_AUTH);
}

TEST(card_round_trip, "a card comes back from its bytes, the longest of 245 bytes too")
{
    struct device_keys k = keys_of(1);
    struct buf b = BUF_INIT;
    char longest[DEVICE_MOST_NAME + 1] = "";
    memset(longest, 'n', DEVICE_MOST_NAME);
    struct device_card card, back;
    CHECK_EQ(card_make(&card, &k, slice_str(longest), DEVICE_MOST_TIME_MS), 0);
    card_encode(&card, &b);
    CHECK_EQ(b.len, 245);
    memset(&back, 0, sizeof back);
    CHECK_EQ(card_decode(buf_slice(&b), &back), 0);
    CHECK_STR(back.name, longest);
    CHECK(back.made_at_ms == DEVICE_MOST_TIME_MS);
    CHECK_BYTES(back.sign_public, 32, k.sign_public, 32);
    CHECK_BYTES(back.noise_public, 32, k.noise_public, 32);
    CHECK_BYTES(back.seal_public, 32, k.seal_public, 32);
    CHECK_BYTES(back.signature, 64, card.signature, 64);
    buf_clear(&b);
}

TEST(card_frozen, "the bytes of a card stay as they are")
{
    struct device_keys k = keys_of(0x41);
    struct device_card card = card_of(&k, "Zoë’s laptop");
    struct buf b = BUF_INIT;
    uint8_t sum[32];
    char hex[65];
    card_encode(&card, &b);
    CHECK_EQ(b.len, 195);
    crypto_generichash(sum, sizeof sum, b.ptr, b.len, NULL, 0);
    hex_encode(hex, sum, sizeof sum);
    CHECK_STR(hex, "6c08dabdff34f25135686521e480e640bb1ef0ad35418b2fe4bb5b0497527229");
    buf_clear(&b);
}

TEST(card_cut, "a card cut at any length is refused and writes nothing")
{
    struct device_keys k = keys_of(1);
    struct device_card card = card_of(&k, "laptop"), out = {.made_at_ms = 99};
    struct buf b = BUF_INIT;
    card_encode(&card, &b);
    for (size_t n = 0; n < b.len; n++)
        CHECK_EQ(card_decode(slice_of(b.ptr, n), &out), RAPPORT_TRUNCATED);
    CHECK_EQ(out.made_at_ms, 99);
    buf_u8(&b, 0);
    CHECK_EQ(card_decode(buf_slice(&b), &out), RAPPORT_MALFORMED);
    buf_clear(&b);
}

TEST(card_bits, "no bit of a card can be flipped")
{
    struct device_keys k = keys_of(1);
    struct device_card card = card_of(&k, "laptop"), out = {.made_at_ms = 99};
    struct buf b = BUF_INIT;
    card_encode(&card, &b);
    for (size_t bit = 0; bit < 8 * b.len; bit++) {
        b.ptr[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHECK(card_decode(buf_slice(&b), &out) < 0);
        b.ptr[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    CHECK_EQ(out.made_at_ms, 99);
    buf_clear(&b);
}

TEST(card_errors,
     "newer format, foreign signature, bad name, late time and length have their errors")
{
    struct device_keys k = keys_of(1), other = keys_of(2);
    struct device_card card = card_of(&k, "laptop"), out;
    struct buf b = BUF_INIT;
    encode_signed(&b, &k, 1, slice_str("ok"), 0);
    CHECK_EQ(card_decode(buf_slice(&b), &out), 0);
    buf_reset(&b);
    encode_signed(&b, &k, 2, slice_str("ok"), 0);
    CHECK_EQ(card_decode(buf_slice(&b), &out), RAPPORT_VERSION);
    buf_reset(&b);
    encode_signed(&b, &k, 0, slice_str("ok"), 0);
    CHECK_EQ(card_decode(buf_slice(&b), &out), RAPPORT_MALFORMED);
    buf_reset(&b);
    encode_signed(&b, &k, 1, slice_str("\x1b[2J"), 0);
    CHECK_EQ(card_decode(buf_slice(&b), &out), RAPPORT_MALFORMED);
    buf_reset(&b);
    encode_signed(&b, &k, 1, slice_str("ok"), DEVICE_MOST_TIME_MS + 1);
    CHECK_EQ(card_decode(buf_slice(&b), &out), RAPPORT_LIMIT);
    buf_reset(&b);
    memcpy(card.sign_public, other.sign_public, 32);
    card_encode(&card, &b);
    CHECK_EQ(card_decode(buf_slice(&b), &out), RAPPORT_AUTH);
    buf_reset(&b);
    memset(buf_reserve(&b, DEVICE_MOST_CARD + 1), 0xc2, DEVICE_MOST_CARD + 1);
    CHECK_EQ(card_decode(slice_of(b.ptr, DEVICE_MOST_CARD + 1), &out), RAPPORT_LIMIT);
    CHECK_EQ(card_decode(slice_of(b.ptr, DEVICE_MOST_CARD), &out), RAPPORT_MALFORMED);
    buf_clear(&b);
}

TEST(names, "names with control, bidirectional or invisible characters, or too long, are refused")
{
    static const char *const good[] = {"a", "Zoë", "宏", "a b", "👩‍💻", "e\u0301"};
    static const char *const bad[] = {
        "",
        " a",
        "a ",
        "a\nb",
        "a\tb",
        "\x7f",
        "\xc2\x9b"
        "31m",
        "a\xe2\x80\xae"
        "b",
        "\xe2\x81\xa6x",
        "\xe2\x80\x8f",
        "\xd8\x9c",
        "\xe2\x80\xa8",
        "\xef\xbb\xbfx",
        "\xff",
        "a\xc3",
        "\xed\xa0\x80",
        "\xef\xbf\xbe",
        "\xf3\xa0\x81\x81",
        "\xef\xbf\xb9x",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        CHECK(name_valid(slice_str(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(!name_valid(slice_str(bad[i])));
    CHECK(!name_valid(slice_of("a\0b", 3)));
    char longest[DEVICE_MOST_NAME + 1];
    memset(longest, 'x', sizeof longest);
    CHECK(name_valid(slice_of(longest, DEVICE_MOST_NAME)));
    CHECK(!name_valid(slice_of(longest, DEVICE_MOST_NAME + 1)));
    struct device_keys k = keys_of(1);
    struct device_card card;
    CHECK_EQ(card_make(&card, &k, slice_str("a\nb"), 0), RAPPORT_INVALID);
    CHECK_EQ(card_make(&card, &k, slice_str("a"), DEVICE_MOST_TIME_MS + 1), RAPPORT_INVALID);
}

TEST(no_memory, "each allocation that fails in making and decoding a card is NOMEM")
{
    struct device_keys k = keys_of(1);
    struct device_card card = card_of(&k, "laptop"), out;
    struct buf b = BUF_INIT;
    card_encode(&card, &b);
    long n = 0;
    for (bool reached = true; reached; n++) {
        test_fail_allocation(n);
        int error = card_decode(buf_slice(&b), &out);
        reached = test_allocation_failed();
        test_fail_allocation(-1);
        CHECK_EQ(error, reached ? RAPPORT_NOMEM : 0);
    }
    CHECK(n > 2);
    n = 0;
    for (bool reached = true; reached; n++) {
        test_fail_allocation(n);
        int error = card_make(&out, &k, slice_str("laptop"), 0);
        reached = test_allocation_failed();
        test_fail_allocation(-1);
        CHECK_EQ(error, reached ? RAPPORT_NOMEM : 0);
    }
    CHECK(n > 1);
    buf_clear(&b);
}
