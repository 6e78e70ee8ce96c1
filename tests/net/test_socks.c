/* The SOCKS5 handshake as transcripts. */
#include "net/address.h"
#include "net/socks.h"
#include "test.h"

static const struct rapport_address FOUR = {.family = 4, .bytes = {100, 64, 0, 7}, .port = 7171};
static const struct rapport_address SIX = {
    .family = 6, .bytes = {0xfd, 0x7a, [15] = 7}, .port = 7171};

static const uint8_t GREETING[] = {5, 1, 0};
static const uint8_t METHOD[] = {5, 0};
static const uint8_t REQUEST_FOUR[] = {5, 1, 0, 1, 100, 64, 0, 7, 0x1c, 0x03};
static const uint8_t REPLY_FOUR[] = {5, 0, 0, 1, 0, 0, 0, 0, 0, 0};

static void check_output(const struct socks *s, const uint8_t *bytes, size_t len)
{
    uint8_t out[SOCKS_MOST_REQUEST];
    size_t n = socks_output(s, out);
    CHECK_BYTES(out, n, bytes, len);
}

static void past_method(struct socks *s, const struct rapport_address *to)
{
    size_t used;
    socks_init(s, to);
    CHECK_EQ(socks_input(s, slice_of(METHOD, sizeof METHOD), &used), RAPPORT_AGAIN);
}

TEST(socks_frozen, "greeting, request and reply over IPv4; what follows is left to the connection")
{
    struct socks s;
    size_t used;
    socks_init(&s, &FOUR);
    check_output(&s, GREETING, sizeof GREETING);
    CHECK_EQ(socks_input(&s, slice_of(METHOD, sizeof METHOD), &used), RAPPORT_AGAIN);
    CHECK_EQ(used, 2);
    check_output(&s, REQUEST_FOUR, sizeof REQUEST_FOUR);
    uint8_t reply[sizeof REPLY_FOUR + 3] = {5, 0, 0, 1, [10] = 'r', 'a', 'p'};
    CHECK_EQ(socks_input(&s, slice_of(reply, sizeof reply), &used), 0);
    CHECK_EQ(used, sizeof REPLY_FOUR);
    check_output(&s, NULL, 0);
}

TEST(socks_six, "an IPv6 address goes as type 4")
{
    static const uint8_t request[] = {5, 1, 0, 4, 0xfd, 0x7a, 0, 0, 0, 0,    0,
                                      0, 0, 0, 0, 0,    0,    0, 0, 7, 0x1c, 0x03};
    struct socks s;
    past_method(&s, &SIX);
    check_output(&s, request, sizeof request);
}

TEST(socks_pieces, "byte by byte it is the same, and at every length before the end it wants more")
{
    uint8_t all[sizeof METHOD + SOCKS_MOST_REPLY] = {5, 0, 5, 0, 0, 3, 255};
    struct socks s;
    size_t used;
    socks_init(&s, &FOUR);
    for (size_t i = 0; i + 1 < sizeof all; i++) {
        CHECK_EQ(socks_input(&s, slice_of(all + i, 1), &used), RAPPORT_AGAIN);
        CHECK_EQ(used, 1);
    }
    CHECK_EQ(s.n_have, SOCKS_MOST_REPLY - 1); /* the longest name fills the buffer */
    CHECK_EQ(socks_input(&s, slice_of(all + sizeof all - 1, 1), &used), 0);
}

TEST(socks_refusals, "each code of the proxy has its error, also when nothing follows it")
{
    static const struct {
        uint8_t code;
        int error;
    } rows[] = {{1, RAPPORT_UNREACHABLE}, {2, RAPPORT_PERMISSION},  {3, RAPPORT_UNREACHABLE},
                {4, RAPPORT_UNREACHABLE}, {5, RAPPORT_UNREACHABLE}, {6, RAPPORT_UNREACHABLE},
                {7, RAPPORT_IO},          {8, RAPPORT_IO},          {9, RAPPORT_MALFORMED},
                {255, RAPPORT_MALFORMED}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const uint8_t reply[] = {5, rows[i].code};
        struct socks s;
        size_t used;
        past_method(&s, &FOUR);
        CHECK_EQ(socks_input(&s, slice_of(reply, sizeof reply), &used), rows[i].error);
    }
}

TEST(socks_foreign, "another version, a method we did not offer, an unknown type of address")
{
    static const struct {
        uint8_t bytes[8];
        size_t len;
        int error;
    } rows[] = {
        {{4, 0}, 2, RAPPORT_MALFORMED},       {{'H', 'T', 'T', 'P'}, 4, RAPPORT_MALFORMED},
        {{5, 2}, 2, RAPPORT_PERMISSION},      {{5, 0xff}, 2, RAPPORT_PERMISSION},
        {{5, 0, 4, 0}, 4, RAPPORT_MALFORMED}, {{5, 0, 5, 0, 0, 2, 0}, 7, RAPPORT_MALFORMED}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct socks s;
        size_t used;
        struct slice rest = slice_of(rows[i].bytes, rows[i].len);
        socks_init(&s, &FOUR);
        int error = socks_input(&s, rest, &used);
        if (error == RAPPORT_AGAIN)
            error = socks_input(&s, slice_of(rest.ptr + used, rest.len - used), &used);
        CHECK_EQ(error, rows[i].error);
    }
}

TEST(socks_urls, "a proxy is named by socks5 or socks5h and a numeric address or localhost")
{
    static const struct {
        const char *text, *address;
    } rows[] = {{"socks5://127.0.0.1:1055", "127.0.0.1:1055"},
                {"socks5h://localhost:1055/", "127.0.0.1:1055"},
                {"SOCKS5://[::1]:9", "[::1]:9"},
                {"socks5://127.0.0.1", "127.0.0.1:1080"},
                {"http://127.0.0.1:1055", NULL},
                {"socks5://user:secret@127.0.0.1:1", NULL},
                {"socks5://proxy.example:1055", NULL},
                {"socks5://", NULL},
                {"socks5:///", NULL},
                {"socks5://127.0.0.1:0", NULL},
                {"socks5://127.0.0.1:70000", NULL},
                {"127.0.0.1:1055", NULL},
                {"", NULL}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rapport_address a;
        char text[RAPPORT_ADDRESS_TEXT];
        CHECK_EQ(socks_proxy(rows[i].text, &a), rows[i].address ? 0 : RAPPORT_INVALID);
        if (rows[i].address)
            CHECK_STR(rapport_address_print(&a, text), rows[i].address);
    }
    char longest[400] = "socks5://";
    memset(longest + 9, 'a', 300);
    struct rapport_address a;
    CHECK_EQ(socks_proxy(longest, &a), RAPPORT_INVALID);
}
