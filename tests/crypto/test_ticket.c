/* test_ticket.c - tickets, invites and the spoken code. */
#include <ctype.h>
#include <stdlib.h>

#include "base/hex.h"
#include "crypto/ticket.h"
#include "rapport/error.h"
#include "test.h"

static struct ticket ticket_of(size_t n_addrs)
{
    struct ticket t = {.expires_s = 1675418400, .n_uses = 1, .one_use = true, .n_addrs = n_addrs};
    memset(t.report_check, 0xa1, sizeof t.report_check);
    memset(t.invite_seed, 0xa2, sizeof t.invite_seed);
    memset(t.inviter_noise, 0xa3, sizeof t.inviter_noise);
    for (size_t i = 0; i < n_addrs; i++) {
        t.addrs[i].family = i % 2 ? 4 : 6;
        memset(t.addrs[i].addr, 0xb0 + (int)i, i % 2 ? 4 : 16);
        t.addrs[i].port = (uint16_t)(4000 + i);
    }
    return t;
}

static void encode(const struct ticket *t, struct buf *text)
{
    CHECK_EQ(ticket_encode(t, text), 0);
}

static void check_same(const struct ticket *a, const struct ticket *b)
{
    CHECK_BYTES(a->report_check, 16, b->report_check, 16);
    CHECK_BYTES(a->invite_seed, 32, b->invite_seed, 32);
    CHECK_BYTES(a->inviter_noise, 32, b->inviter_noise, 32);
    CHECK(a->expires_s == b->expires_s);
    CHECK_EQ(a->n_uses, b->n_uses);
    CHECK_EQ(a->one_use, b->one_use);
    CHECK_EQ(a->n_addrs, b->n_addrs);
    for (size_t i = 0; i < a->n_addrs; i++) {
        CHECK_EQ(a->addrs[i].family, b->addrs[i].family);
        CHECK_BYTES(a->addrs[i].addr, 16, b->addrs[i].addr, 16);
        CHECK_EQ(a->addrs[i].port, b->addrs[i].port);
    }
}

/* "rapport1" and the base32 of `bytes` with its right checksum: for bodies no encoder makes. */
static void encode_bytes(struct slice bytes, struct buf *text)
{
    struct buf b = BUF_INIT;
    uint8_t sum[4];
    hash_of(sum, 4, "rapport ticket", slice_str("1"), bytes);
    buf_append_slice(&b, bytes);
    buf_append(&b, sum, 4);
    buf_append_str(text, "rapport1");
    base32_encode(text, buf_slice(&b));
    buf_clear(&b);
}

TEST(round_trip, "tickets with 0 to 6 addresses come back, 344 characters at most")
{
    for (size_t n = 0; n <= TICKET_MOST_ADDRS; n++) {
        struct ticket t = ticket_of(n), back;
        struct buf text = BUF_INIT;
        encode(&t, &text);
        CHECK_EQ(ticket_decode(buf_slice(&text), &back), 0);
        check_same(&back, &t);
        buf_clear(&text);
    }
    struct ticket t = ticket_of(TICKET_MOST_ADDRS), back;
    struct buf text = BUF_INIT;
    for (size_t i = 0; i < TICKET_MOST_ADDRS; i++) {
        t.addrs[i].family = 6;
        memset(t.addrs[i].addr, 0xff, 16);
    }
    t.one_use = false;
    t.n_uses = 255;
    t.expires_s = TICKET_MOST_EXPIRY;
    encode(&t, &text);
    CHECK_EQ(text.len, 344);
    CHECK_EQ(ticket_decode(buf_slice(&text), &back), 0);
    check_same(&back, &t);
    buf_clear(&text);
}

TEST(frozen, "a ticket has the frozen text")
{
    struct ticket t = ticket_of(2);
    struct buf text = BUF_INIT;
    encode(&t, &text);
    CHECK_SLICE(buf_slice(&text),
                slice_str("rapport1ouaqdinbugq2dinbugq2dinbugq2dincukrkfivcukrkfivcukrkfivc"
                          "ukrkfivcukrkfivcukrkfivcukr2hi5duor2hi5duor2hi5duor2hi5duor2hi5d"
                          "uor2hi5duor2gaaaaaaghxg3eabanmfqwcylbmfqwcylbmfqwcylbmapuacldmnr"
                          "weh2d5oqgpua"));
    buf_clear(&text);
}

TEST(forms, "blanks around, a URI prefix and upper case are the same ticket")
{
    struct ticket t = ticket_of(1), back;
    struct buf plain = BUF_INIT, text = BUF_INIT;
    encode(&t, &plain);
    buf_append_str(&text, " \r\n\tRapport:");
    for (size_t i = 0; i < plain.len; i++)
        buf_u8(&text, (uint8_t)toupper(plain.ptr[i]));
    buf_append_str(&text, "\n \t\r\n");
    CHECK_EQ(ticket_decode(buf_slice(&text), &back), 0);
    check_same(&back, &t);
    buf_clear(&plain);
    buf_clear(&text);
}

TEST(cut, "a ticket cut at any length is TRUNCATED; nothing at all is MALFORMED")
{
    struct ticket t = ticket_of(3), out = {.expires_s = 99};
    struct buf text = BUF_INIT;
    encode(&t, &text);
    CHECK_EQ(ticket_decode(slice_of(text.ptr, 0), &out), RAPPORT_MALFORMED);
    for (size_t n = 1; n < text.len; n++)
        CHECK_EQ(ticket_decode(slice_of(text.ptr, n), &out), RAPPORT_TRUNCATED);
    CHECK_EQ(ticket_decode(slice_str("rapport:"), &out), RAPPORT_TRUNCATED);
    CHECK_EQ(out.expires_s, 99);
    buf_clear(&text);
}

TEST(mistyped, "no single character of a ticket can be replaced, dropped or doubled")
{
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567 018-=\xff";
    struct ticket t = ticket_of(1), out = {.expires_s = 99};
    struct buf text = BUF_INIT;
    encode(&t, &text);
    for (size_t i = 0; i < text.len; i++) {
        uint8_t kept = text.ptr[i];
        for (const char *d = digits; *d; d++) {
            text.ptr[i] = (uint8_t)*d;
            CHECK_EQ(ticket_decode(buf_slice(&text), &out) < 0, (uint8_t)*d != kept);
        }
        text.ptr[i] = kept;
    }
    out.expires_s = 99;
    for (size_t i = 0; i < text.len; i++) {
        struct buf other = BUF_INIT;
        buf_append(&other, text.ptr, i);
        buf_append(&other, text.ptr + i + 1, text.len - i - 1);
        CHECK(ticket_decode(buf_slice(&other), &out) < 0);
        buf_reset(&other);
        buf_append(&other, text.ptr, i + 1);
        buf_append(&other, text.ptr + i, text.len - i);
        CHECK(ticket_decode(buf_slice(&other), &out) < 0);
        buf_clear(&other);
    }
    CHECK_EQ(out.expires_s, 99);
    buf_clear(&text);
}

TEST(not_tickets, "other words are MALFORMED, later versions VERSION")
{
    struct ticket out;
    static const char *const bad[] = {"hello",
                                      "rapporx1",
                                      "rapport0aaaaaaaa",
                                      "rapport!aaaa",
                                      " ",
                                      "https://example.org/",
                                      "rapport1!!!!!!!!",
                                      "rapport:x",
                                      "rapport:rapport:rapport1aaaaaaaaaaaa",
                                      "rapport1aaaaaaaa" /* says that it has no bytes */};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_EQ(ticket_decode(slice_str(bad[i]), &out), RAPPORT_MALFORMED);
    CHECK_EQ(ticket_decode(slice_str("rapport2whatever it is"), &out), RAPPORT_VERSION);
    CHECK_EQ(ticket_decode(slice_str("RAPPORT:RAPPORT9"), &out), RAPPORT_VERSION);
}

TEST(long_text, "512 bytes are looked at, one more or a megabyte is LIMIT")
{
    struct ticket t = ticket_of(1), out;
    struct buf text = BUF_INIT;
    encode(&t, &text);
    while (text.len < TICKET_MOST_TEXT)
        buf_u8(&text, ' ');
    CHECK_EQ(ticket_decode(buf_slice(&text), &out), 0);
    buf_u8(&text, ' ');
    CHECK_EQ(ticket_decode(buf_slice(&text), &out), RAPPORT_LIMIT);
    while (text.len < 1 << 20)
        buf_append_str(&text, "rapport1");
    CHECK_EQ(ticket_decode(buf_slice(&text), &out), RAPPORT_LIMIT);
    buf_clear(&text);
}

TEST(bad_fields, "fields out of bounds are INVALID to the encoder")
{
    struct ticket bad[8];
    struct buf text = BUF_INIT;
    for (size_t i = 0; i < 8; i++)
        bad[i] = ticket_of(2);
    bad[0].n_uses = 0;
    bad[1].n_uses = 2; /* with one_use */
    bad[2].expires_s = TICKET_MOST_EXPIRY + 1;
    bad[3].n_addrs = TICKET_MOST_ADDRS + 1;
    bad[4].addrs[0].port = 0;
    bad[5].addrs[0].family = 5;
    bad[6].addrs[1].addr[4] = 1; /* behind an IPv4 address */
    bad[7].addrs[1].addr[15] = 1;
    for (size_t i = 0; i < 8; i++)
        CHECK_EQ(ticket_encode(&bad[i], &text), RAPPORT_INVALID);
    CHECK_EQ(text.len, 0);
}

TEST(bad_bodies, "bodies with a right checksum and wrong fields are MALFORMED")
{
    static const struct {
        size_t at;
        uint8_t value;
    } change[] = {{0, 118}, {0, 116}, {1, 3},  {1, 0x80}, {2, 0},  {2, 2},  {83, 1},
                  {91, 1},  {91, 3},  {91, 7}, {91, 255}, {92, 4}, {92, 5}, {92, 0}};
    struct ticket t = ticket_of(2), out;
    struct buf text = BUF_INIT, bytes = BUF_INIT;
    encode(&t, &text);
    CHECK_EQ(base32_decode(&bytes, slice_skip(buf_slice(&text), 8)), 0);
    CHECK_EQ(bytes.ptr[0], 117);
    struct slice body = slice_of(bytes.ptr, bytes.len - 4);
    for (size_t i = 0; i < sizeof change / sizeof *change; i++) {
        uint8_t kept = bytes.ptr[change[i].at];
        bytes.ptr[change[i].at] = change[i].value;
        buf_reset(&text);
        encode_bytes(body, &text);
        int error = ticket_decode(buf_slice(&text), &out);
        CHECK(error == RAPPORT_MALFORMED || (change[i].at == 0 && error == RAPPORT_TRUNCATED));
        bytes.ptr[change[i].at] = kept;
    }
    buf_clear(&text);
    buf_clear(&bytes);
}

TEST(invite, "a proof holds for its invite, card and handshake alone")
{
    uint8_t seed[32] = {1}, public[32], secret[64], other_public[32], other_secret[64];
    uint8_t h[64] = {2}, proof[64];
    struct slice card = slice_str("a card");
    invite_keys(seed, public, secret);
    seed[0] = 9;
    invite_keys(seed, other_public, other_secret);
    invite_prove(proof, secret, card, h);
    CHECK_EQ(invite_verify(public, card, h, proof), 0);
    CHECK_EQ(invite_verify(other_public, card, h, proof), RAPPORT_AUTH);
    CHECK_EQ(invite_verify(public, slice_str("a care"), h, proof), RAPPORT_AUTH);
    h[63] ^= 1;
    CHECK_EQ(invite_verify(public, card, h, proof), RAPPORT_AUTH);
    h[63] ^= 1;
    proof[10] ^= 1;
    CHECK_EQ(invite_verify(public, card, h, proof), RAPPORT_AUTH);
}

TEST(invite_frozen, "id, psk and report check are the frozen hashes, different from each other")
{
    uint8_t public[32], id[ID_BYTES], psk[32], check[ID_BYTES];
    char hex[65];
    memset(public, 0x41, sizeof public);
    invite_id(id, public);
    hex_encode(hex, id, sizeof id);
    CHECK_STR(hex, "d47e98dd9974017589357032305979f9");
    invite_psk(psk, public);
    hex_encode(hex, psk, sizeof psk);
    CHECK_STR(hex, "c38f9466a230e61d1b32206e5fee6956e7ed4d573b0436f2878167bd39097818");
    ticket_report_check(check, public);
    hex_encode(hex, check, sizeof check);
    CHECK_STR(hex, "cb77a013f2d6442f90a2c6eb7f09ff4d");
}

TEST(spoken, "the spoken code is frozen, six syllables, and another for another handshake")
{
    uint8_t h[64] = {0};
    char code[TICKET_CODE_BYTES], other[TICKET_CODE_BYTES];
    spoken_code(code, sizeof code, h);
    CHECK_STR(code, "tur-vad-lim-hin-huf-mob");
    for (size_t bit = 0; bit < 512; bit++) {
        h[bit / 8] ^= (uint8_t)(1u << bit % 8);
        spoken_code(other, sizeof other, h);
        CHECK(strcmp(code, other) != 0);
        CHECK_EQ(strlen(other), 23);
        h[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

TEST(no_memory, "each allocation that fails in encoding and decoding is NOMEM")
{
    struct ticket t = ticket_of(2), out;
    struct buf text = BUF_INIT;
    long n = 0;
    for (bool reached = true; reached; n++) {
        buf_clear(&text);
        test_fail_allocation(n);
        int error = ticket_encode(&t, &text);
        reached = test_allocation_failed();
        test_fail_allocation(-1);
        CHECK_EQ(error, reached ? RAPPORT_NOMEM : 0);
    }
    CHECK(n > 3);
    n = 0;
    for (bool reached = true; reached; n++) {
        test_fail_allocation(n);
        int error = ticket_decode(buf_slice(&text), &out);
        reached = test_allocation_failed();
        test_fail_allocation(-1);
        CHECK_EQ(error, reached ? RAPPORT_NOMEM : 0);
    }
    CHECK(n > 2);
    check_same(&out, &t);
    buf_clear(&text);
}
