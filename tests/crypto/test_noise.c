/*
 * test_noise.c - the handshake that rapport speaks, and Noise's rules around it.
 *
 * Published vectors are replayed by test_noise_vectors.sh. The frozen bytes here were made by two
 * implementations, this one and one in another language, which agree.
 */
#include <sodium.h>

#include "base/hex.h"
#include "crypto/hkdf.h"
#include "crypto/noise.h"
#include "crypto/pattern.h"
#include "rapport/error.h"
#include "test.h"

/* Keys of both sides: each is 32 times one byte, so that the frozen bytes can be made again. */
struct pair {
    struct noise initiator, responder;
    uint8_t psk[2][32], other_psk[1][32]; /* NOISE_RAPPORT takes the first psk alone */
    uint8_t s[2][32], s_public[2][32], e[2][32];
};

static void pair_keys(struct pair *p)
{
    memset(p, 0, sizeof *p);
    memset(p->psk[0], 0x11, 32);
    memset(p->psk[1], 0x13, 32);
    memset(p->other_psk, 0x12, 32);
    for (size_t i = 0; i < 2; i++) {
        memset(p->s[i], 0x21 + (int)i, 32);
        memset(p->e[i], 0x31 + (int)i, 32);
        crypto_scalarmult_base(p->s_public[i], p->s[i]);
    }
}

static struct noise_config config_of(const struct pair *p, bool initiator)
{
    size_t i = initiator ? 0 : 1;
    return (struct noise_config){.protocol = NOISE_RAPPORT,
                                 .initiator = initiator,
                                 .prologue = slice_str("rapport 1"),
                                 .s_private = p->s[i],
                                 .s_public = p->s_public[i],
                                 .e_private = p->e[i],
                                 .psks = (const uint8_t(*)[32])p->psk,
                                 .n_psks = 1};
}

static void pair_start(struct pair *p)
{
    pair_keys(p);
    struct noise_config a = config_of(p, true), b = config_of(p, false);
    CHECK_EQ(noise_init(&p->initiator, &a), 0);
    CHECK_EQ(noise_init(&p->responder, &b), 0);
}

static struct noise *side(struct pair *p, size_t message, bool writer)
{
    return (message % 2 == 0) == writer ? &p->initiator : &p->responder;
}

static const char *const payloads[] = {"", "hello", "and back"};

/* Passes messages 0 to n - 1; the last stays in `wire`. */
static void pair_run(struct pair *p, size_t n, struct buf *wire)
{
    struct buf read = BUF_INIT;
    for (size_t i = 0; i < n; i++) {
        buf_reset(wire);
        buf_reset(&read);
        CHECK_EQ(noise_write(side(p, i, true), slice_str(payloads[i]), wire), 0);
        CHECK_EQ(noise_read(side(p, i, false), buf_slice(wire), &read), 0);
        CHECK_SLICE(buf_slice(&read), slice_str(payloads[i]));
    }
    buf_clear(&read);
}

static bool all_zero(const void *p, size_t n)
{
    const uint8_t *b = p;
    size_t i = 0;
    while (i < n && b[i] == 0)
        i++;
    return i == n;
}

TEST(hmac_known_answer, "HMAC-BLAKE2b-512 and HKDF give the known answers")
{
    uint8_t key[64], out[64], two[2][64];
    char hex[129];
    for (size_t i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)i;
    hkdf_hmac(out, key, slice_str("ab"), slice_str("c"));
    hex_encode(hex, out, sizeof out);
    CHECK_STR(hex, "cfb7fadba5986a2320ddff615fe9386cf3927144d40c77320914b152bb06ab8e"
                   "04e835035bab5ff0f4518528fe5ce4a190d75b7b4cc03337b78f8c9d8a0761e5");
    hkdf(two, 2, key, (struct slice){0});
    hex_encode(hex, two[1], 32);
    CHECK_STR(hex, "8481b385940ea1ddc1e37243d34e6a00d9e35fe86844b75be2f9d084efcbf4a9");
}

TEST(xxpsk0_frozen, "XXpsk0 gives the frozen messages, handshake hash and transport bytes")
{
    static const char *const frozen[] = {
        "04f5f29162c31a8defa18e6e742224ee806fc1718a278be859ba5620402b8f3a"
        "40695aa2e37a499bd8e07359edc46137",
        "59d9225473451efffe6b36dbcaefdbf7b1895de62084509a7f5b58bf01d06418"
        "557bef8b67acc5958842458618cba4c6261c5585be37102d856e75c86a0695d8"
        "eb69cafb133566d386a69ff5787c4122523a972d69f437cb3fa15399e4b47089"
        "63134c7256",
        "cb2240b82206e4ca928f506803387e3ff0fabca0528779d719d1e5c12688fb97"
        "a85a787aa2d01382ff453d7221f4d0fe61efd31e016c8140db549d6c6f9e484e"
        "a71f271f1feb969b",
    };
    struct pair p;
    struct buf wire = BUF_INIT;
    char hex[512];
    pair_start(&p);
    for (size_t i = 0; i < 3; i++) {
        struct buf read = BUF_INIT;
        buf_reset(&wire);
        CHECK_EQ(noise_write(side(&p, i, true), slice_str(payloads[i]), &wire), 0);
        hex_encode(hex, wire.ptr, wire.len);
        CHECK_STR(hex, frozen[i]);
        CHECK_EQ(noise_read(side(&p, i, false), buf_slice(&wire), &read), 0);
        buf_clear(&read);
    }
    struct cipher send[2], recv[2];
    uint8_t h[2][64];
    CHECK_EQ(noise_split(&p.initiator, &send[0], &recv[0], h[0]), 0);
    CHECK_EQ(noise_split(&p.responder, &send[1], &recv[1], h[1]), 0);
    CHECK_BYTES(h[0], 64, h[1], 64);
    hex_encode(hex, h[0], 64);
    CHECK_STR(hex, "cf26806b338d56f08c52f9e26eeec85fb133bbded42d551af54e8ab48a87996a"
                   "67fcee76e1f5ac9edc822c880fcc872cff0269ac9b5cc5179dc22f20964f19a2");
    buf_reset(&wire);
    CHECK_EQ(cipher_encrypt(&send[0], (struct slice){0}, slice_str("note"), &wire), 0);
    CHECK_EQ(cipher_encrypt(&send[1], (struct slice){0}, slice_str("note"), &wire), 0);
    hex_encode(hex, wire.ptr, wire.len);
    CHECK_STR(hex, "db74feeecd8a5870f54b46403e752e1d87de968f3031ea81e1d117af8bb17d11"
                   "981f2ee1754763a9");
    buf_clear(&wire);
}

TEST(overheads, "the three messages are longer than their payloads by the named constants")
{
    static const size_t more[] = {NOISE_OVERHEAD_1, NOISE_OVERHEAD_2, NOISE_OVERHEAD_3};
    for (size_t i = 0; i < 3; i++) {
        struct pair p;
        struct buf wire = BUF_INIT;
        pair_start(&p);
        pair_run(&p, i + 1, &wire);
        CHECK_EQ(wire.len, more[i] + strlen(payloads[i]));
        buf_clear(&wire);
    }
}

TEST(remote_static,
     "each side learns the other's static key, the initiator before it sends its own")
{
    struct pair p;
    struct buf wire = BUF_INIT;
    pair_start(&p);
    CHECK(noise_remote_static(&p.initiator) == NULL);
    pair_run(&p, 2, &wire);
    CHECK_BYTES(noise_remote_static(&p.initiator), 32, p.s_public[1], 32);
    CHECK(noise_remote_static(&p.responder) == NULL);
    pair_start(&p);
    pair_run(&p, 3, &wire);
    struct cipher send, recv;
    uint8_t h[64];
    CHECK_EQ(noise_split(&p.responder, &send, &recv, h), 0);
    CHECK_BYTES(noise_remote_static(&p.responder), 32, p.s_public[0], 32);
    buf_clear(&wire);
}

TEST(split_wipes, "after the split the handshake holds nothing but the remote static key")
{
    struct pair p;
    struct buf wire = BUF_INIT;
    pair_start(&p);
    pair_run(&p, 3, &wire);
    struct cipher send, recv;
    uint8_t h[64];
    CHECK_EQ(noise_split(&p.initiator, &send, &recv, h), 0);
    memset(p.initiator.rs, 0, 32);
    p.initiator.has_rs = false;
    CHECK(all_zero(&p.initiator, sizeof p.initiator));
    CHECK_EQ(noise_split(&p.initiator, &send, &recv, h), RAPPORT_STATE);
    buf_clear(&wire);
}

TEST(wrong_psk, "message 1 under another psk is AUTH; started afresh with the right one it is read")
{
    struct pair p;
    struct buf wire = BUF_INIT, read = BUF_INIT;
    pair_start(&p);
    CHECK_EQ(noise_write(&p.initiator, slice_str("x"), &wire), 0);
    struct noise_config config = config_of(&p, false);
    config.psks = (const uint8_t(*)[32])p.other_psk;
    CHECK_EQ(noise_init(&p.responder, &config), 0);
    CHECK_EQ(noise_read(&p.responder, buf_slice(&wire), &read), RAPPORT_AUTH);
    CHECK(all_zero(&p.responder, sizeof p.responder));
    CHECK_EQ(noise_read(&p.responder, buf_slice(&wire), &read), RAPPORT_STATE);
    config.psks = (const uint8_t(*)[32])p.psk;
    CHECK_EQ(noise_init(&p.responder, &config), 0);
    CHECK_EQ(noise_read(&p.responder, buf_slice(&wire), &read), 0);
    CHECK_SLICE(buf_slice(&read), slice_str("x"));
    buf_clear(&wire);
    buf_clear(&read);
}

TEST(prologue_differs, "message 1 made with another prologue is AUTH")
{
    struct pair p;
    struct buf wire = BUF_INIT, read = BUF_INIT;
    pair_start(&p);
    struct noise_config config = config_of(&p, true);
    config.prologue = slice_str("rapport 2");
    CHECK_EQ(noise_init(&p.initiator, &config), 0);
    CHECK_EQ(noise_write(&p.initiator, (struct slice){0}, &wire), 0);
    CHECK_EQ(noise_read(&p.responder, buf_slice(&wire), &read), RAPPORT_AUTH);
    buf_clear(&wire);
    buf_clear(&read);
}

/* Reads a copy of message `at` after the change that `bit` (flip) or `cut` (length) makes. */
static int read_changed(size_t at, size_t bit, size_t cut, size_t *len)
{
    struct pair p;
    struct buf wire = BUF_INIT, read = BUF_INIT;
    pair_start(&p);
    pair_run(&p, at, &wire);
    buf_reset(&wire);
    CHECK_EQ(noise_write(side(&p, at, true), slice_str(payloads[at]), &wire), 0);
    *len = wire.len;
    if (bit < 8 * wire.len)
        wire.ptr[bit / 8] ^= (uint8_t)(1u << bit % 8);
    buf_append_str(&read, "kept");
    struct slice message = slice_of(wire.ptr, cut < wire.len ? cut : wire.len);
    int error = noise_read(side(&p, at, false), message, &read);
    if (error) {
        CHECK(all_zero(side(&p, at, false), sizeof(struct noise)));
        CHECK_SLICE(buf_slice(&read), slice_str("kept"));
    }
    buf_clear(&wire);
    buf_clear(&read);
    return error;
}

TEST(every_bit, "each flipped bit of each message is AUTH, and the reader is dead and wiped")
{
    for (size_t at = 0; at < 3; at++) {
        size_t len = 1;
        for (size_t bit = 0; bit < 8 * len; bit++)
            CHECK_EQ(read_changed(at, bit, SIZE_MAX, &len), RAPPORT_AUTH);
        CHECK(len >= 48);
    }
}

TEST(every_cut, "each message cut at each length is refused")
{
    for (size_t at = 0; at < 3; at++) {
        size_t len = 1;
        for (size_t cut = 0; cut < len; cut++) {
            int error = read_changed(at, SIZE_MAX, cut, &len);
            CHECK(error == RAPPORT_TRUNCATED || error == RAPPORT_AUTH);
        }
    }
}

TEST(turns, "writing or reading out of turn is STATE and harms nothing")
{
    struct pair p;
    struct buf wire = BUF_INIT, out = BUF_INIT;
    struct cipher send, recv;
    uint8_t h[64];
    pair_start(&p);
    CHECK(noise_my_turn(&p.initiator) && !noise_my_turn(&p.responder));
    CHECK_EQ(noise_write(&p.responder, (struct slice){0}, &out), RAPPORT_STATE);
    CHECK_EQ(noise_read(&p.initiator, slice_str("x"), &out), RAPPORT_STATE);
    CHECK_EQ(noise_split(&p.initiator, &send, &recv, h), RAPPORT_STATE);
    CHECK_EQ(out.len, 0);
    pair_run(&p, 3, &wire);
    CHECK(noise_done(&p.initiator) && noise_done(&p.responder));
    CHECK_EQ(noise_write(&p.initiator, (struct slice){0}, &out), RAPPORT_STATE);
    CHECK_EQ(noise_read(&p.initiator, buf_slice(&wire), &out), RAPPORT_STATE);
    CHECK_EQ(noise_split(&p.initiator, &send, &recv, h), 0);
    buf_clear(&wire);
}

TEST(message_limit, "a message of 65,535 bytes goes through, one more is LIMIT and harms nothing")
{
    struct pair p;
    static uint8_t big[NOISE_MOST_MESSAGE + 1];
    struct buf wire = BUF_INIT, read = BUF_INIT;
    size_t most = NOISE_MOST_MESSAGE - NOISE_OVERHEAD_1;
    pair_start(&p);
    CHECK_EQ(noise_write(&p.initiator, slice_of(big, most + 1), &wire), RAPPORT_LIMIT);
    CHECK_EQ(noise_read(&p.responder, slice_of(big, sizeof big), &read), RAPPORT_LIMIT);
    CHECK_EQ(wire.len + read.len, 0);
    CHECK_EQ(noise_write(&p.initiator, slice_of(big, most), &wire), 0);
    CHECK_EQ(wire.len, NOISE_MOST_MESSAGE);
    CHECK_EQ(noise_read(&p.responder, buf_slice(&wire), &read), 0);
    CHECK_EQ(read.len, most);
    buf_clear(&wire);
    buf_clear(&read);
}

/* Points of order 1, 2, 4 and 8 and some that are not reduced: all give the all-zero result. */
static const char *const low_order[] = {
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
};

/* A member holds the psk but sends a low-order ephemeral, authentic as far as message 1 goes. */
static void forge_message_1(const struct pair *p, const uint8_t e[32], struct buf *wire)
{
    struct noise n;
    struct noise_config config = config_of(p, true);
    CHECK_EQ(noise_init(&n, &config), 0);
    uint8_t three[3][64], two[2][64];
    hkdf(three, 3, n.ck, slice_of(p->psk[0], 32));
    hkdf_hash(n.h, slice_of(n.h, 64), slice_of(three[1], 64));
    hkdf_hash(n.h, slice_of(n.h, 64), slice_of(e, 32));
    hkdf(two, 2, three[0], slice_of(e, 32));
    struct cipher c = {.has_key = true};
    memcpy(c.key, two[1], 32);
    buf_append(wire, e, 32);
    CHECK_EQ(cipher_encrypt(&c, slice_of(n.h, 64), (struct slice){0}, wire), 0);
}

TEST(low_order_ephemeral, "a low-order ephemeral, even from a member, ends the handshake with AUTH")
{
    for (size_t i = 0; i < sizeof low_order / sizeof *low_order; i++) {
        struct pair p;
        uint8_t e[32];
        struct buf wire = BUF_INIT, out = BUF_INIT;
        pair_start(&p);
        CHECK_EQ(hex_decode(e, 32, slice_str(low_order[i])), 0);
        forge_message_1(&p, e, &wire);
        CHECK_EQ(noise_read(&p.responder, buf_slice(&wire), &out), 0);
        CHECK_EQ(noise_write(&p.responder, (struct slice){0}, &out), RAPPORT_AUTH);
        CHECK_EQ(out.len, 0);
        CHECK(all_zero(&p.responder, sizeof p.responder));
        buf_clear(&wire);
        buf_clear(&out);
    }
}

TEST(low_order_static, "a low-order static key known beforehand ends the handshake with AUTH")
{
    struct pair p;
    uint8_t rs[32];
    struct noise n;
    struct buf wire = BUF_INIT;
    pair_keys(&p);
    CHECK_EQ(hex_decode(rs, 32, slice_str(low_order[2])), 0);
    struct noise_config config = {.protocol = "Noise_NK_25519_ChaChaPoly_BLAKE2b",
                                  .initiator = true,
                                  .e_private = p.e[0],
                                  .rs = rs};
    CHECK_EQ(noise_init(&n, &config), 0);
    CHECK_EQ(noise_write(&n, (struct slice){0}, &wire), RAPPORT_AUTH);
    CHECK_EQ(noise_write(&n, (struct slice){0}, &wire), RAPPORT_STATE);
    buf_clear(&wire);
}

TEST(keys_must_fit, "init refuses a missing or superfluous key and any name that it does not know")
{
    struct pair p;
    struct noise n;
    pair_keys(&p);
    const struct noise_config good = config_of(&p, true);
    struct noise_config bad[6] = {good, good, good, good, good, good};
    bad[0].s_private = NULL;
    bad[1].s_public = NULL;
    bad[2].e_private = NULL;
    bad[3].rs = p.s_public[1];
    bad[4].n_psks = 0;
    bad[5].n_psks = 2;
    for (size_t i = 0; i < 6; i++) {
        CHECK_EQ(noise_init(&n, &bad[i]), RAPPORT_INVALID);
        CHECK(all_zero(&n, sizeof n));
    }
    CHECK_EQ(noise_init(&n, &good), 0);
    noise_clear(&n);
}

TEST(names, "protocol names outside of the table, the suite or the order of psks are refused")
{
    static const char *const bad[] = {
        "",
        "Noise_",
        "noise_XX_25519_ChaChaPoly_BLAKE2b",
        "Noise_XX_25519_ChaChaPoly_BLAKE2s",
        "Noise_XX_25519_AESGCM_BLAKE2b",
        "Noise_XX_448_ChaChaPoly_BLAKE2b",
        "Noise_XY_25519_ChaChaPoly_BLAKE2b",
        "Noise_XXpsk4_25519_ChaChaPoly_BLAKE2b",
        "Noise_XXpsk_25519_ChaChaPoly_BLAKE2b",
        "Noise_XXpsk0+_25519_ChaChaPoly_BLAKE2b",
        "Noise_XXpsk0+psk0_25519_ChaChaPoly_BLAKE2b",
        "Noise_XXpsk3+psk0_25519_ChaChaPoly_BLAKE2b",
        "Noise_XXfallback_25519_ChaChaPoly_BLAKE2b",
        "Noise_XX_25519_ChaChaPoly_BLAKE2b_",
        "Noise_Xpsk2_25519_ChaChaPoly_BLAKE2b",
        "Noise_X1X1psk0+psk1+psk2+psk3+psk4_25519_ChaChaPoly_BLAKE2b",
        "Noise_XX_25519_ChaChaPoly_BLAKE2bNoise_XX_25519_ChaChaPoly_BLAKE2b",
    };
    struct pattern p = {.n_messages = 99};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_EQ(pattern_parse(bad[i], &p), RAPPORT_INVALID);
    CHECK_EQ(p.n_messages, 99);
    CHECK_EQ(pattern_parse("Noise_X1X1psk0+psk1+psk2+psk4_25519_ChaChaPoly_BLAKE2b", &p), 0);
    CHECK_EQ(p.n_messages, 4);
    CHECK_EQ(p.n_psks, 4);
}

/* All base names of the table; a psk at the front and one at the end of message 1 are tried too. */
static const char *const patterns[] = {
    "N",   "K",    "X",   "NN",  "NK",   "NX",  "XN",  "XK",   "XX",   "KN",  "KK",   "KX",  "IN",
    "IK",  "IX",   "NK1", "NX1", "X1N",  "X1K", "XK1", "X1K1", "X1X",  "XX1", "X1X1", "K1N", "K1K",
    "KK1", "K1K1", "K1X", "KX1", "K1X1", "I1N", "I1K", "IK1",  "I1K1", "I1X", "IX1",  "I1X1"};
static const char *const modifiers[] = {"", "psk0", "psk1", "psk0+psk1"};

static void start_pattern(struct pair *p, const char *protocol, const struct pattern *pattern)
{
    for (size_t i = 0; i < 2; i++) {
        struct pattern_keys need = pattern_keys(pattern, i == 0);
        struct noise_config config = config_of(p, i == 0);
        config.protocol = protocol;
        if (!need.s)
            config.s_private = config.s_public = NULL;
        if (!need.e)
            config.e_private = NULL;
        if (need.rs)
            config.rs = p->s_public[1 - i];
        config.n_psks = pattern->n_psks;
        CHECK_EQ(noise_init(i == 0 ? &p->initiator : &p->responder, &config), 0);
    }
}

TEST(every_pattern, "both sides of every pattern come to one handshake hash and opposite keys")
{
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns * 4; i++) {
        struct pair p;
        struct pattern pattern;
        struct buf wire = BUF_INIT, read = BUF_INIT;
        struct cipher send[2], recv[2];
        uint8_t h[2][64];
        char name[64];
        snprintf(name, sizeof name, "Noise_%s%s_25519_ChaChaPoly_BLAKE2b", patterns[i / 4],
                 modifiers[i % 4]);
        CHECK_EQ(pattern_parse(name, &pattern), 0);
        pair_keys(&p);
        start_pattern(&p, name, &pattern);
        for (size_t m = 0; m < pattern.n_messages; m++) {
            buf_reset(&wire);
            CHECK_EQ(noise_write(side(&p, m, true), (struct slice){0}, &wire), 0);
            CHECK_EQ(noise_read(side(&p, m, false), buf_slice(&wire), &read), 0);
        }
        CHECK_EQ(noise_split(&p.initiator, &send[0], &recv[0], h[0]), 0);
        CHECK_EQ(noise_split(&p.responder, &send[1], &recv[1], h[1]), 0);
        CHECK_BYTES(h[0], 64, h[1], 64);
        CHECK_BYTES(send[0].key, 32, recv[1].key, 32);
        CHECK_BYTES(send[1].key, 32, recv[0].key, 32);
        CHECK_EQ(read.len, 0);
        buf_clear(&wire);
        buf_clear(&read);
    }
}

TEST(one_way, "a one-way pattern gives only the direction that it has")
{
    struct pair p;
    struct noise a, b;
    struct buf wire = BUF_INIT, read = BUF_INIT;
    pair_keys(&p);
    struct noise_config from = {.protocol = "Noise_N_25519_ChaChaPoly_BLAKE2b",
                                .initiator = true,
                                .e_private = p.e[0],
                                .rs = p.s_public[1]};
    struct noise_config to = {
        .protocol = from.protocol, .s_private = p.s[1], .s_public = p.s_public[1]};
    CHECK_EQ(noise_init(&a, &from), 0);
    CHECK_EQ(noise_init(&b, &to), 0);
    CHECK_EQ(noise_write(&a, slice_str("x"), &wire), 0);
    CHECK_EQ(noise_read(&b, buf_slice(&wire), &read), 0);
    struct cipher send[2], recv[2];
    uint8_t h[64];
    CHECK_EQ(noise_split(&a, &send[0], &recv[0], h), 0);
    CHECK_EQ(noise_split(&b, &send[1], &recv[1], h), 0);
    CHECK_BYTES(send[0].key, 32, recv[1].key, 32);
    CHECK(send[0].has_key && recv[1].has_key && !send[1].has_key && !recv[0].has_key);
    CHECK_EQ(cipher_encrypt(&send[1], (struct slice){0}, (struct slice){0}, &wire), RAPPORT_STATE);
    buf_clear(&wire);
    buf_clear(&read);
}

TEST(no_memory, "out of memory changes nothing: the same call goes through afterwards")
{
    for (size_t at = 0; at < 3; at++) {
        struct pair p;
        struct buf wire = BUF_INIT, read = BUF_INIT;
        pair_start(&p);
        pair_run(&p, at, &wire);
        buf_clear(&wire);
        test_fail_allocation(0);
        CHECK_EQ(noise_write(side(&p, at, true), slice_str(payloads[at]), &wire), RAPPORT_NOMEM);
        CHECK(test_allocation_failed());
        test_fail_allocation(-1);
        buf_reset(&wire);
        CHECK_EQ(noise_write(side(&p, at, true), slice_str(payloads[at]), &wire), 0);
        test_fail_allocation(0);
        CHECK_EQ(noise_read(side(&p, at, false), buf_slice(&wire), &read), RAPPORT_NOMEM);
        test_fail_allocation(-1);
        buf_reset(&read);
        test_fail_allocation(1); /* one allocation is all that a message takes */
        CHECK_EQ(noise_read(side(&p, at, false), buf_slice(&wire), &read), 0);
        CHECK(!test_allocation_failed());
        test_fail_allocation(-1);
        CHECK_SLICE(buf_slice(&read), slice_str(payloads[at]));
        buf_clear(&wire);
        buf_clear(&read);
    }
}
