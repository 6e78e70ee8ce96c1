/* ticket.c - tickets, invites and the spoken code (see ticket.h for the layout). */
#include "crypto/ticket.h"

#include <assert.h>
#include <sodium/crypto_sign.h>
#include <sodium/utils.h>

#include "base/hex.h"
#include "base/reader.h"
#include "rapport/error.h"

enum {
    CHECKSUM_BYTES = 4,
    LEAST_BODY_BYTES = 91, /* what the length byte says of a ticket without addresses */
    FIRST_GROUP = 8,       /* base32 digits that make 5 whole bytes, the length byte first */
    FLAG_ONE_USE = 1,
    NAME_CHARS = 7 /* "rapport" */
};
static const char ticket_name[] = "rapport";
static const char ticket_version = '1';

static bool addr_valid(const struct ticket_addr *a)
{
    static const uint8_t zero[16];
    if (a->port == 0 || (a->family != 4 && a->family != 6))
        return false;
    return a->family == 6 || memcmp(a->addr + 4, zero, 12) == 0;
}

static bool ticket_valid(const struct ticket *t)
{
    bool valid = t->n_uses > 0 && (!t->one_use || t->n_uses == 1) &&
                 t->expires_s <= TICKET_MOST_EXPIRY && t->n_addrs <= TICKET_MOST_ADDRS;
    for (size_t i = 0; valid && i < t->n_addrs; i++)
        valid = addr_valid(&t->addrs[i]);
    return valid;
}

static void put_checksum(struct buf *b)
{
    uint8_t sum[CHECKSUM_BYTES];
    hash_of(sum, sizeof sum, "rapport ticket", slice_of(&ticket_version, 1), buf_slice(b));
    buf_append(b, sum, sizeof sum);
}

static void put_body(const struct ticket *t, struct buf *b)
{
    size_t len = LEAST_BODY_BYTES;
    for (size_t i = 0; i < t->n_addrs; i++)
        len += t->addrs[i].family == 4 ? 7 : 19;
    buf_u8(b, (uint8_t)len);
    buf_u8(b, t->one_use ? FLAG_ONE_USE : 0);
    buf_u8(b, t->n_uses);
    buf_append(b, t->report_check, sizeof t->report_check);
    buf_append(b, t->invite_seed, sizeof t->invite_seed);
    buf_append(b, t->inviter_noise, sizeof t->inviter_noise);
    buf_u64be(b, t->expires_s);
    buf_u8(b, (uint8_t)t->n_addrs);
    for (size_t i = 0; i < t->n_addrs; i++) {
        buf_u8(b, t->addrs[i].family);
        buf_append(b, t->addrs[i].addr, t->addrs[i].family == 4 ? 4 : 16);
        buf_u16be(b, t->addrs[i].port);
    }
    assert(b->error || b->len == len + 1);
}

int ticket_encode(const struct ticket *t, struct buf *text)
{
    if (!ticket_valid(t))
        return RAPPORT_INVALID;
    struct buf bytes = BUF_INIT, out = BUF_INIT;
    buf_reserve(&bytes, TICKET_MOST_TEXT); /* at once: growing would leave copies of the seed */
    buf_reserve(&out, TICKET_MOST_TEXT);
    put_body(t, &bytes);
    put_checksum(&bytes);
    buf_append_str(&out, ticket_name);
    buf_u8(&out, (uint8_t)ticket_version);
    base32_encode(&out, buf_slice(&bytes));
    int error = buf_error(&bytes) ? buf_error(&bytes) : buf_error(&out);
    if (!error) {
        buf_append_slice(text, buf_slice(&out));
        error = buf_error(text);
    }
    buf_wipe(&bytes);
    buf_wipe(&out);
    return error;
}

static bool blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct slice trim(struct slice s)
{
    while (s.len && blank(s.ptr[0]))
        s = slice_skip(s, 1);
    while (s.len && blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

/* True when the front of `s` is `word` (lower case) in either case; a shorter `s` as far as it
 * goes.
 */
static bool starts(struct slice s, const char *word)
{
    for (size_t i = 0; i < s.len && word[i]; i++)
        if ((s.ptr[i] | 0x20) != word[i])
            return false;
    return true;
}

/* Takes name and version digit off the front. */
static int skip_name(struct slice *s)
{
    if (s->len > NAME_CHARS && s->ptr[NAME_CHARS] == ':' && starts(*s, ticket_name))
        *s = slice_skip(*s, NAME_CHARS + 1);
    else if (s->len == 0)
        return RAPPORT_MALFORMED;
    if (!starts(*s, ticket_name))
        return RAPPORT_MALFORMED;
    if (s->len <= NAME_CHARS)
        return RAPPORT_TRUNCATED;
    uint8_t digit = s->ptr[NAME_CHARS];
    if (digit < ticket_version || digit > '9')
        return RAPPORT_MALFORMED;
    if (digit > ticket_version)
        return RAPPORT_VERSION;
    *s = slice_skip(*s, NAME_CHARS + 1);
    return 0;
}

/* Compares the text's length with what its first byte says, so that "cut" and "mistyped" differ. */
static int check_length(struct slice text)
{
    if (text.len < FIRST_GROUP)
        return RAPPORT_TRUNCATED;
    struct buf first = BUF_INIT;
    int error = base32_decode(&first, slice_of(text.ptr, FIRST_GROUP));
    size_t body = error ? 0 : first.ptr[0];
    buf_wipe(&first);
    if (error)
        return error;
    size_t expected = ((1 + body + CHECKSUM_BYTES) * 8 + 4) / 5;
    if (body < LEAST_BODY_BYTES || text.len > expected)
        return RAPPORT_MALFORMED;
    return text.len < expected ? RAPPORT_TRUNCATED : 0;
}

static int check_sum(struct slice bytes)
{
    uint8_t sum[CHECKSUM_BYTES];
    struct slice body = slice_of(bytes.ptr, bytes.len - CHECKSUM_BYTES);
    hash_of(sum, sizeof sum, "rapport ticket", slice_of(&ticket_version, 1), body);
    bool same = memcmp(sum, body.ptr + body.len, sizeof sum) == 0;
    return same ? 0 : RAPPORT_MALFORMED;
}

static void read_copy(struct reader *r, void *out, size_t n)
{
    struct slice s = reader_bytes(r, n);
    if (s.len == n)
        memcpy(out, s.ptr, n);
}

static void read_addr(struct reader *r, struct ticket_addr *a)
{
    a->family = reader_u8(r);
    read_copy(r, a->addr, a->family == 4 ? 4 : 16);
    a->port = reader_u16be(r);
}

static int read_body(struct slice body, struct ticket *t)
{
    struct reader r = reader_of(slice_skip(body, 1));
    uint8_t flags = reader_u8(&r);
    t->one_use = flags & FLAG_ONE_USE;
    t->n_uses = reader_u8(&r);
    read_copy(&r, t->report_check, sizeof t->report_check);
    read_copy(&r, t->invite_seed, sizeof t->invite_seed);
    read_copy(&r, t->inviter_noise, sizeof t->inviter_noise);
    t->expires_s = reader_u64be(&r);
    t->n_addrs = reader_u8(&r);
    for (size_t i = 0; i < t->n_addrs && i < TICKET_MOST_ADDRS; i++)
        read_addr(&r, &t->addrs[i]);
    bool good = reader_end(&r) == 0 && !(flags & ~FLAG_ONE_USE) && ticket_valid(t);
    return good ? 0 : RAPPORT_MALFORMED;
}

int ticket_decode(struct slice text, struct ticket *t)
{
    if (text.len > TICKET_MOST_TEXT)
        return RAPPORT_LIMIT;
    text = trim(text);
    int error = skip_name(&text);
    if (!error)
        error = check_length(text);
    if (error)
        return error;
    struct ticket read = {0};
    struct buf bytes = BUF_INIT;
    buf_reserve(&bytes, TICKET_MOST_TEXT);
    error = base32_decode(&bytes, text);
    if (!error)
        error = check_sum(buf_slice(&bytes));
    if (!error)
        error = read_body(slice_of(bytes.ptr, bytes.len - CHECKSUM_BYTES), &read);
    if (!error)
        *t = read;
    buf_wipe(&bytes);
    ticket_wipe(&read);
    return error;
}

void ticket_wipe(struct ticket *t)
{
    sodium_memzero(t, sizeof *t);
}

void ticket_report_check(uint8_t out[ID_BYTES], const uint8_t report_id[32])
{
    hash_of(out, ID_BYTES, "rapport rep-chk", slice_of(report_id, 32), (struct slice){0});
}

void invite_keys(const uint8_t seed[INVITE_SEED_BYTES], uint8_t public[SIGN_PUBLIC_BYTES],
                 uint8_t secret[SIGN_SECRET_BYTES])
{
    crypto_sign_seed_keypair(public, secret, seed);
}

void invite_id(uint8_t out[ID_BYTES], const uint8_t invite_public[SIGN_PUBLIC_BYTES])
{
    hash_of(out, ID_BYTES, "rapport invite", slice_of(invite_public, SIGN_PUBLIC_BYTES),
            (struct slice){0});
}

void invite_psk(uint8_t out[32], const uint8_t invite_public[SIGN_PUBLIC_BYTES])
{
    hash_of(out, 32, "rapport inv-psk", slice_of(invite_public, SIGN_PUBLIC_BYTES),
            (struct slice){0});
}

/* What an invite signs: 32 bytes that stand for the card and this one connection. */
static void proof_text(uint8_t out[HASH_BYTES], struct slice card, const uint8_t *handshake_hash)
{
    hash_of(out, HASH_BYTES, "rapport inv-join", card, slice_of(handshake_hash, 64));
}

void invite_prove(uint8_t out[SIGN_BYTES], const uint8_t invite_secret[SIGN_SECRET_BYTES],
                  struct slice card, const uint8_t handshake_hash[64])
{
    uint8_t text[HASH_BYTES];
    proof_text(text, card, handshake_hash);
    int error = sign_with(out, invite_secret, SIGN_INVITE, slice_of(text, sizeof text));
    assert(!error);
    (void)error;
}

int invite_verify(const uint8_t invite_public[SIGN_PUBLIC_BYTES], struct slice card,
                  const uint8_t handshake_hash[64], const uint8_t proof[SIGN_BYTES])
{
    uint8_t text[HASH_BYTES];
    proof_text(text, card, handshake_hash);
    return sign_verify(invite_public, SIGN_INVITE, slice_of(text, sizeof text), proof);
}

/* Six syllables of 4 + 2 + 4 bits. */
void spoken_code(char *out, size_t cap, const uint8_t handshake_hash[64])
{
    assert(cap >= TICKET_CODE_BYTES);
    (void)cap;
    uint8_t digest[8];
    hash_of(digest, sizeof digest, "rapport spoken", slice_of(handshake_hash, 64),
            (struct slice){0});
    uint64_t bits = 0;
    for (size_t i = 0; i < sizeof digest; i++)
        bits = bits << 8 | digest[i];
    for (size_t i = 0; i < 6; i++, bits >>= 10) {
        *out++ = "bdfghjklmnprstvz"[bits & 15];
        *out++ = "aiou"[bits >> 4 & 3];
        *out++ = "bdfghjklmnprstvz"[bits >> 6 & 15];
        *out++ = i < 5 ? '-' : 0;
    }
}
