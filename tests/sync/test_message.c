/* test_message.c - messages: frozen bytes, round trips, limits, and what is refused. */
#include "sync/message.h"

#include <stdlib.h>

#include "base/hex.h"
#include "rapport/error.h"
#include "test.h"

static uint8_t bytes[64]; /* 00 01 02 ... */

__attribute__((constructor)) static void fill(void)
{
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)i;
}

static void set(uint8_t *out, size_t n, uint8_t v)
{
    memset(out, v, n);
}

static struct message_ping ping_example(void)
{
    struct message_ping m;
    memcpy(m.cookie, bytes, sizeof m.cookie);
    set(m.state, sizeof m.state, 0xaa);
    set(m.have, sizeof m.have, 0xbb);
    return m;
}

static void put_hello(struct buf *b)
{
    struct message_hello m = {.version = 1,
                              .n_capabilities = 2,
                              .wall_ms = 1700000000000,
                              .n_addresses = 2,
                              .n_heads = 3};
    m.capabilities[0] = slice_str("blob");
    m.capabilities[1] = slice_str("ephemeral");
    set(m.state, sizeof m.state, 0xaa);
    set(m.have, sizeof m.have, 0xbb);
    m.addresses[0] = (struct message_address){6, {0xfd, 0x7a, [15] = 1}, 4647};
    m.addresses[1] = (struct message_address){4, {192, 168, 1, 2}, 4647};
    message_put_hello(b, &m);
}

static void put_ping(struct buf *b)
{
    struct message_ping m = ping_example();
    message_put_ping(b, &m);
}

static void put_have(struct buf *b)
{
    struct message_have m = {.n = 2, .more = true};
    memcpy(m.rows[0].log, bytes, LOG_ID_BYTES);
    m.rows[0].next = 7;
    memcpy(m.rows[1].log, bytes + 16, LOG_ID_BYTES);
    m.rows[1].next = 70000;
    m.rows[1].muted = true;
    message_put_have(b, &m);
}

static void put_peers(struct buf *b)
{
    struct message_peers m = {.n = 1};
    memcpy(m.peers[0].device, bytes, ID_BYTES);
    m.peers[0].issued_ms = 60;
    memcpy(m.peers[0].signature, bytes, SIGN_BYTES);
    m.peers[0].n_addresses = 1;
    m.peers[0].addresses[0] = (struct message_address){4, {10, 0, 0, 1}, 80};
    message_put_peers(b, &m);
}

static void put_deltas(struct buf *b)
{
    struct message_deltas m = {.n = 2, .prev = slice_of(bytes, HASH_BYTES)};
    set(m.log, sizeof m.log, 0xcc);
    m.deltas[0] = slice_str("first");
    m.deltas[1] = slice_str("second");
    message_put_deltas(b, &m);
}

static void put_pong(struct buf *b)
{
    struct message_ping m = ping_example();
    message_put_pong(b, &m);
}

static void put_need(struct buf *b)
{
    struct message_need m = {.from = 300};
    set(m.log, sizeof m.log, 0xcc);
    message_put_need(b, &m);
}

static void put_join(struct buf *b)
{
    struct message_join m = {.card = slice_str("card")};
    memcpy(m.invite_public, bytes, sizeof m.invite_public);
    memcpy(m.proof, bytes, sizeof m.proof);
    message_put_join(b, &m);
}

static void put_welcome(struct buf *b)
{
    struct message_welcome m = {
        .genesis = slice_str("genesis"), .n_secrets = 2, .card = slice_str("card")};
    m.secrets[0] = bytes;
    m.secrets[1] = bytes + 32;
    message_put_welcome(b, &m);
}

static void put_bye(struct buf *b)
{
    struct message_bye m = {.code = BYE_EPOCH, .text = slice_str("new epoch")};
    message_put_bye(b, &m);
}

#define N0_15  "000102030405060708090a0b0c0d0e0f"
#define N16_31 "101112131415161718191a1b1c1d1e1f"
#define N32_47 "202122232425262728292a2b2c2d2e2f"
#define N48_63 "303132333435363738393a3b3c3d3e3f"
#define AA     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define BB     "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define CC     "cccccccccccccccccccccccccccccccc"
#define ZEROS  "00000000000000000000000000000000"

/* The examples of docs/protocol.md. */
static const struct example {
    enum message_type type;
    void (*put)(struct buf *b);
    const char *hex;
} examples[] = {
    {MESSAGE_HELLO, put_hello,
     "98000192a4626c6f62a9657068656d6572616cc410" AA "c410" BB
     "cf0000018bcfe5680092c412fd7a00000000000000000000000000011227c406c0a80102122703"},
    {MESSAGE_PING, put_ping, "9401c4080001020304050607c410" AA "c410" BB},
    {MESSAGE_HAVE, put_have, "93029293c410" N0_15 "070093c410" N16_31 "ce0001117001c3"},
    {MESSAGE_PEERS, put_peers,
     "92039194c410" N0_15 "3c91c4060a0000010050c440" N0_15 N16_31 N32_47 N48_63},
    {MESSAGE_DELTAS, put_deltas,
     "9404c410" CC "c420" N0_15 N16_31 "92c4056669727374c4067365636f6e64"},
    {MESSAGE_PONG, put_pong, "9405c4080001020304050607c410" AA "c410" BB},
    {MESSAGE_NEED, put_need, "9406c410" CC "cd012cc420" ZEROS ZEROS},
    {MESSAGE_JOIN, put_join, "9408c40463617264c420" N0_15 N16_31 "c440" N0_15 N16_31 N32_47 N48_63},
    {MESSAGE_WELCOME, put_welcome,
     "940ac40767656e6573697392c420" N0_15 N16_31 "c420" N32_47 N48_63 "c40463617264"},
    {MESSAGE_BYE, put_bye, "930d04a96e65772065706f6368"},
};

enum {
    N_EXAMPLES = sizeof examples / sizeof *examples
};

static void put_again(struct buf *b, const struct message *m)
{
    switch (m->type) {
    case MESSAGE_HELLO:
        message_put_hello(b, &m->hello);
        break;
    case MESSAGE_PING:
        message_put_ping(b, &m->ping);
        break;
    case MESSAGE_HAVE:
        message_put_have(b, &m->have);
        break;
    case MESSAGE_PEERS:
        message_put_peers(b, &m->peers);
        break;
    case MESSAGE_DELTAS:
        message_put_deltas(b, &m->deltas);
        break;
    case MESSAGE_PONG:
        message_put_pong(b, &m->ping);
        break;
    case MESSAGE_NEED:
        message_put_need(b, &m->need);
        break;
    case MESSAGE_JOIN:
        message_put_join(b, &m->join);
        break;
    case MESSAGE_WELCOME:
        message_put_welcome(b, &m->welcome);
        break;
    case MESSAGE_BYE:
        message_put_bye(b, &m->bye);
        break;
    case MESSAGE_UNKNOWN:
        break;
    }
}

static int decode_hex(const char *hex, struct message *out)
{
    uint8_t raw[512];
    size_t n = strlen(hex) / 2;
    CHECK(n <= sizeof raw);
    CHECK_EQ(hex_decode(raw, n, slice_str(hex)), 0);
    return message_decode(slice_of(raw, n), out);
}

TEST(message_frozen, "each message has the bytes that the protocol page shows")
{
    for (size_t i = 0; i < N_EXAMPLES; i++) {
        struct buf b = BUF_INIT;
        char hex[1024];
        examples[i].put(&b);
        CHECK_EQ(buf_error(&b), 0);
        hex_encode(hex, b.ptr, b.len);
        buf_clear(&b);
        CHECK_STR(hex, examples[i].hex);
    }
}

TEST(message_round_trip, "what is decoded encodes to the same bytes again")
{
    for (size_t i = 0; i < N_EXAMPLES; i++) {
        struct buf b = BUF_INIT, again = BUF_INIT;
        struct message m;
        examples[i].put(&b);
        CHECK_EQ(message_decode(buf_slice(&b), &m), 0);
        CHECK_EQ(m.type, examples[i].type);
        put_again(&again, &m);
        CHECK_BYTES(again.ptr, again.len, b.ptr, b.len);
        buf_clear(&b);
        buf_clear(&again);
    }
}

TEST(message_truncated, "no message decodes when its end is missing, and its length is not found")
{
    struct message m = {.type = MESSAGE_UNKNOWN};
    for (size_t i = 0; i < N_EXAMPLES; i++) {
        struct buf b = BUF_INIT;
        examples[i].put(&b);
        for (size_t n = 0; n < b.len; n++) {
            size_t len = 0;
            uint8_t *copy = malloc(n ? n : 1); /* its end is where a sanitizer sees it */
            memcpy(copy, b.ptr, n);
            CHECK_EQ(message_decode(slice_of(copy, n), &m), RAPPORT_TRUNCATED);
            CHECK_EQ(message_length(slice_of(copy, n), &len), RAPPORT_TRUNCATED);
            free(copy);
        }
        buf_clear(&b);
    }
    CHECK_EQ(m.type, MESSAGE_UNKNOWN);
}

TEST(message_one_after_another, "messages that stand one behind the other are found one by one")
{
    struct buf b = BUF_INIT;
    for (size_t i = 0; i < N_EXAMPLES; i++)
        examples[i].put(&b);
    struct slice rest = buf_slice(&b);
    for (size_t i = 0; i < N_EXAMPLES; i++) {
        size_t len = 0;
        struct message m;
        CHECK_EQ(message_length(rest, &len), 0);
        CHECK_EQ(message_decode(slice_of(rest.ptr, len), &m), 0);
        CHECK_EQ(m.type, examples[i].type);
        rest = slice_skip(rest, len);
    }
    CHECK_EQ(rest.len, 0);
    buf_clear(&b);
}

TEST(message_unknown_types, "an unknown odd type decodes as UNKNOWN, an even one as VERSION")
{
    struct message m;
    CHECK_EQ(decode_hex("920f05", &m), 0);
    CHECK_EQ(m.type, MESSAGE_UNKNOWN);
    CHECK_EQ(decode_hex("917f", &m), 0);
    CHECK_EQ(m.type, MESSAGE_UNKNOWN);
    CHECK_EQ(decode_hex("92cfffffffffffffffff05", &m), 0);
    CHECK_EQ(m.type, MESSAGE_UNKNOWN);
    CHECK_EQ(decode_hex("920c05", &m), RAPPORT_VERSION);
    CHECK_EQ(decode_hex("91cffffffffffffffffe", &m), RAPPORT_VERSION);
}

TEST(message_more_items, "items behind the known ones are ignored, missing ones are not")
{
    struct message m;
    CHECK_EQ(decode_hex("940d04"
                        "a0"
                        "c3",
                        &m),
             0);
    CHECK_EQ(m.type, MESSAGE_BYE);
    CHECK_EQ(m.bye.code, 4);
    CHECK_EQ(decode_hex("920d04", &m), RAPPORT_MALFORMED);
    CHECK_EQ(decode_hex("910d", &m), RAPPORT_MALFORMED);
    CHECK_EQ(decode_hex("90", &m), RAPPORT_MALFORMED);
}

TEST(message_malformed, "wrong shapes are refused")
{
    struct message m;
    CHECK_EQ(decode_hex("0d", &m), RAPPORT_MALFORMED);         /* no array */
    CHECK_EQ(decode_hex("93a10d04a0", &m), RAPPORT_MALFORMED); /* type is text */
    CHECK_EQ(decode_hex("930d04a0"
                        "00",
                        &m),
             RAPPORT_MALFORMED);                               /* trailing byte */
    CHECK_EQ(decode_hex("930dcc04a0", &m), RAPPORT_MALFORMED); /* integer not minimal */
    CHECK_EQ(decode_hex("930d04c400", &m), RAPPORT_MALFORMED); /* bin for str */
    CHECK_EQ(decode_hex("930d04a1ff", &m), RAPPORT_MALFORMED); /* not UTF-8 */
    CHECK_EQ(decode_hex("930dc0a0", &m), RAPPORT_MALFORMED);   /* nil */
    CHECK_EQ(decode_hex("dd0fffffff", &m), RAPPORT_TRUNCATED); /* a claim without bytes */
    CHECK_EQ(decode_hex("930291"
                        "92"
                        "c410" CC "00"
                        "c2",
                        &m),
             RAPPORT_LIMIT); /* short row */
    CHECK_EQ(decode_hex("930291"
                        "93"
                        "c410" CC "00"
                        "02"
                        "c2",
                        &m),
             RAPPORT_LIMIT); /* mode */
    CHECK_EQ(decode_hex("9203"
                        "91"
                        "94"
                        "c410" CC "00"
                        "91"
                        "c407"
                        "01020304050607"
                        "c440" CC CC CC CC,
                        &m),
             RAPPORT_MALFORMED); /* an address of 7 bytes */
    CHECK_EQ(decode_hex("9404"
                        "c410" CC "c421" CC CC "00"
                        "91"
                        "c40100",
                        &m),
             RAPPORT_MALFORMED); /* prev of 33 bytes */
}

/* What an encoder wrote decodes; what it refused left nothing. Frees the buffer. */
static void check_put(struct buf *b, int error)
{
    struct message m;
    CHECK_EQ(buf_error(b), error);
    if (!error)
        CHECK_EQ(message_decode(buf_slice(b), &m), 0);
    else
        CHECK_EQ(b->len, 0);
    buf_clear(b);
}

TEST(message_put_limits, "each limit can be reached in an encoder and not be passed")
{
    static uint8_t big[FRAME_MOST_SEALED];
    struct buf b = BUF_INIT;
    for (size_t over = 0; over < 2; over++) {
        int error = over ? RAPPORT_LIMIT : 0;
        struct message_hello hello = {.n_capabilities = HELLO_MOST_CAPABILITIES + over};
        message_put_hello(&b, &hello);
        check_put(&b, error);
        hello = (struct message_hello){.n_capabilities = 1};
        hello.capabilities[0] = slice_of(big, HELLO_MOST_CAPABILITY + over);
        message_put_hello(&b, &hello);
        check_put(&b, error);
        hello = (struct message_hello){.n_addresses = HELLO_MOST_ADDRESSES + over};
        message_put_hello(&b, &hello);
        check_put(&b, error);
        struct message_have have = {.n = HAVE_MOST_ROWS + over};
        message_put_have(&b, &have);
        check_put(&b, error);
        struct message_peers peers = {.n = PEERS_MOST + over};
        message_put_peers(&b, &peers);
        check_put(&b, error);
        peers = (struct message_peers){.n = 1};
        peers.peers[0].n_addresses = PEERS_MOST_ADDRESSES + over;
        message_put_peers(&b, &peers);
        check_put(&b, error);
        struct message_deltas deltas = {.n = DELTAS_MOST + over, .prev = slice_of(big, 48)};
        for (size_t i = 0; i < DELTAS_MOST; i++)
            deltas.deltas[i] = slice_of(big, 1);
        message_put_deltas(&b, &deltas);
        check_put(&b, error);
        deltas.n = 2;
        deltas.deltas[0] = slice_of(big, DELTAS_MOST_BYTES - 1);
        deltas.deltas[1] = slice_of(big, 1 + over);
        message_put_deltas(&b, &deltas);
        check_put(&b, error);
        deltas = (struct message_deltas){.n = 1, .prev = slice_of(big, 32)};
        deltas.deltas[0] = slice_of(big, DELTA_MOST_BYTES + over);
        message_put_deltas(&b, &deltas);
        check_put(&b, error);
        struct message_join join = {.card = slice_of(big, DEVICE_MOST_CARD + over)};
        message_put_join(&b, &join);
        check_put(&b, error);
        struct message_bye bye = {.text = slice_of(big, BYE_MOST_TEXT + over)};
        message_put_bye(&b, &bye);
        check_put(&b, error);
    }
}

TEST(message_welcome_limits, "a welcome is refused past its limits, and at them fits a frame")
{
    static uint8_t big[WELCOME_MOST_GENESIS + 1];
    struct message_welcome m = {.genesis = slice_of(big, WELCOME_MOST_GENESIS),
                                .card = slice_of(big, DEVICE_MOST_CARD),
                                .n_secrets = WELCOME_MOST_SECRETS};
    for (size_t i = 0; i < WELCOME_MOST_SECRETS; i++)
        m.secrets[i] = big;
    struct buf b = BUF_INIT;
    message_put_welcome(&b, &m);
    CHECK(b.len <= FRAME_MOST_PLAIN);
    check_put(&b, 0);
    struct message_welcome over = m;
    over.n_secrets++;
    message_put_welcome(&b, &over);
    check_put(&b, RAPPORT_LIMIT);
    over = m;
    over.genesis.len++;
    message_put_welcome(&b, &over);
    check_put(&b, RAPPORT_LIMIT);
    over = m;
    over.card.len++;
    message_put_welcome(&b, &over);
    check_put(&b, RAPPORT_LIMIT);
    over = m;
    over.n_secrets = 0;
    message_put_welcome(&b, &over);
    check_put(&b, RAPPORT_LIMIT);
}

/* The decoder says `error` to bytes that the encoders would not write. Empties the buffer. */
#define CHECK_REFUSED(b, error)                                                                    \
    do {                                                                                           \
        struct message m;                                                                          \
        CHECK_EQ(message_decode(buf_slice(b), &m), error);                                         \
        buf_reset(b);                                                                              \
    } while (0)

static void put_head(struct buf *b, size_t n_items, enum message_type type)
{
    mp_put_array(b, n_items);
    mp_put_u64(b, type);
}

static void put_rows(struct buf *b, size_t n)
{
    put_head(b, 3, MESSAGE_HAVE);
    mp_put_array(b, n);
    for (size_t i = 0; i < n; i++) {
        mp_put_array(b, 3);
        mp_put_bin(b, bytes, LOG_ID_BYTES);
        mp_put_u64(b, 0);
        mp_put_u64(b, 0);
    }
    mp_put_bool(b, false);
}

static void put_run(struct buf *b, size_t n, size_t len)
{
    static uint8_t big[FRAME_MOST_SEALED];
    put_head(b, 4, MESSAGE_DELTAS);
    mp_put_bin(b, bytes, LOG_ID_BYTES);
    mp_put_bin(b, bytes, HASH_BYTES);
    mp_put_array(b, n);
    for (size_t i = 0; i < n; i++)
        mp_put_bin(b, big, len);
}

TEST(message_decode_limits, "the decoder refuses one more than each limit")
{
    struct buf b = BUF_INIT;
    put_rows(&b, HAVE_MOST_ROWS + 1);
    CHECK_REFUSED(&b, RAPPORT_LIMIT);
    put_run(&b, DELTAS_MOST + 1, 1);
    CHECK_REFUSED(&b, RAPPORT_LIMIT);
    put_run(&b, 1, DELTA_MOST_BYTES + 1);
    CHECK_REFUSED(&b, RAPPORT_LIMIT);
    put_run(&b, 0, 0);
    CHECK_REFUSED(&b, RAPPORT_LIMIT);
    put_run(&b, 1, 0);
    CHECK_REFUSED(&b, RAPPORT_LIMIT);
    put_head(&b, 3, MESSAGE_BYE);
    mp_put_u64(&b, 0);
    mp_put_str(&b, slice_of((uint8_t[BYE_MOST_TEXT + 1]){0}, BYE_MOST_TEXT + 1));
    CHECK_REFUSED(&b, RAPPORT_LIMIT);
    put_head(&b, 2, MESSAGE_PEERS);
    mp_put_array(&b, PEERS_MOST + 1);
    for (size_t i = 0; i <= PEERS_MOST; i++)
        mp_put_array(&b, 0);
    CHECK_REFUSED(&b, RAPPORT_LIMIT);
    put_head(&b, 2, MESSAGE_JOIN);
    mp_put_bin(&b, (uint8_t[DEVICE_MOST_CARD + 1]){0}, DEVICE_MOST_CARD + 1);
    CHECK_REFUSED(&b, RAPPORT_LIMIT);
    put_head(&b, 2, MESSAGE_HELLO);
    mp_put_u64(&b, UINT64_C(1) << 32);
    CHECK_REFUSED(&b, RAPPORT_LIMIT);
    put_head(&b, 3, MESSAGE_HELLO);
    mp_put_u64(&b, 1);
    mp_put_array(&b, HELLO_MOST_CAPABILITIES + 1);
    for (size_t i = 0; i <= HELLO_MOST_CAPABILITIES; i++)
        mp_put_cstr(&b, "x");
    CHECK_REFUSED(&b, RAPPORT_LIMIT);
    buf_clear(&b);
}

TEST(message_most_items,
     "more values than MESSAGE_MOST_ITEMS are refused before they are looked at")
{
    struct buf b = BUF_INIT;
    for (size_t over = 0; over < 2; over++) {
        put_head(&b, 2, (enum message_type)15);
        mp_put_array(&b, MESSAGE_MOST_ITEMS - 3 + over);
        for (size_t i = 0; i < MESSAGE_MOST_ITEMS - 3 + over; i++)
            mp_put_u64(&b, 0);
        CHECK_REFUSED(&b, over ? RAPPORT_LIMIT : 0);
    }
    buf_clear(&b);
}

TEST(message_deltas_fit, "a run takes deltas up to its count and bytes")
{
    static uint8_t big[DELTAS_MOST_BYTES];
    struct message_deltas m = {.n = 1, .deltas = {slice_of(big, 1000)}};
    CHECK(message_deltas_fit(&m, DELTAS_MOST_BYTES - 1000));
    CHECK(!message_deltas_fit(&m, DELTAS_MOST_BYTES - 999));
    m.n = DELTAS_MOST;
    CHECK(!message_deltas_fit(&m, 1));
    m.n = 0;
    CHECK(message_deltas_fit(&m, DELTA_MOST_BYTES));
}

TEST(message_memory, "an encoder without memory leaves NOMEM in the buffer and nothing else")
{
    for (size_t i = 0; i < N_EXAMPLES; i++) {
        struct buf b = BUF_INIT;
        test_fail_allocation(0);
        examples[i].put(&b);
        test_fail_allocation(-1);
        CHECK_EQ(buf_error(&b), RAPPORT_NOMEM);
        CHECK_EQ(b.len, 0);
        buf_clear(&b);
    }
}
