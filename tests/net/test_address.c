/* Addresses as text, and how often one source may come in. */
#include "net/gate.h"
#include "test.h"

static void check_round(const char *in, uint16_t port, const char *out)
{
    struct rapport_address a;
    char text[RAPPORT_ADDRESS_TEXT];
    CHECK_EQ(rapport_address_parse(in, port, &a), 0);
    CHECK_STR(rapport_address_print(&a, text), out);
}

TEST(address_text, "numeric addresses are read with and without a port and printed with it")
{
    check_round("192.0.2.1:7171", 1, "192.0.2.1:7171");
    check_round("192.0.2.1", 7171, "192.0.2.1:7171");
    check_round("[2001:db8::1]:80", 1, "[2001:db8::1]:80");
    check_round("[2001:db8::1]", 7171, "[2001:db8::1]:7171");
    check_round("2001:db8::1", 7171, "[2001:db8::1]:7171");
    check_round("::", 7171, "[::]:7171");
    check_round("[::]:0", 1, "[::]:0");
    check_round("0.0.0.0:65535", 1, "0.0.0.0:65535");
    check_round("fe80::1%lo", 9, "[fe80::1%lo]:9");
    check_round("[fe80::1%1]:9", 1, "[fe80::1%lo]:9");
}

TEST(address_refused, "what is no numeric address is refused and nothing is written")
{
    static const char *const bad[] = {
        "",          ":",         ":7171",        "192.0.2.1:",      "192.0.2.1:65536",
        "[::1",      "[::1]7171", "[]:1",         "[::1]:-1",        "192.0.2.1:7 ",
        "1.2.3.4.5", "host",      "192.0.2.1:0x", "[192.0.2.1%lo]:", "::1::2",
        "a\tb",      "-x",        "[::1]:1:2",    "192.0.2.256:1",   "192.0.2.1:000001",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct rapport_address a = {.port = 4711};
        if (rapport_address_parse(bad[i], 1, &a) != RAPPORT_MALFORMED || a.port != 4711)
            test_fail(__FILE__, __LINE__, "\"%s\" was taken", bad[i]);
    }
    struct rapport_address a;
    CHECK_EQ(rapport_address_parse("[fe80::1%no-such-if]:1", 1, &a), RAPPORT_NOTFOUND);
}

TEST(address_names, "a host name is split from its port, up to 253 bytes")
{
    struct address_parts p;
    CHECK_EQ(address_split("laptop.example:99", 7171, &p), 0);
    CHECK_STR(p.host, "laptop.example");
    CHECK_EQ(p.port, 99);
    CHECK_EQ(address_split("localhost", 7171, &p), 0);
    CHECK_EQ(p.port, 7171);
    char longest[ADDRESS_MOST_NAME + 2];
    memset(longest, 'a', sizeof longest);
    longest[ADDRESS_MOST_NAME] = '\0';
    CHECK_EQ(address_split(longest, 1, &p), 0);
    longest[ADDRESS_MOST_NAME] = 'a';
    longest[ADDRESS_MOST_NAME + 1] = '\0';
    CHECK_EQ(address_split(longest, 1, &p), RAPPORT_MALFORMED);
}

TEST(address_sockaddr, "an address survives the way through a sockaddr; mapped IPv4 is IPv4")
{
    static const char *const texts[] = {"192.0.2.1:7171", "[2001:db8::1]:80", "[fe80::1%lo]:9"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct rapport_address a, b;
        struct sockaddr_storage s;
        CHECK_EQ(rapport_address_parse(texts[i], 1, &a), 0);
        address_to_sockaddr(&a, &s);
        CHECK_EQ(address_of_sockaddr((struct sockaddr *)&s, &b), 0);
        CHECK(address_equal(&a, &b));
    }
    struct rapport_address mapped;
    struct sockaddr_storage s;
    CHECK_EQ(rapport_address_parse("[::ffff:192.0.2.7]:5", 1, &mapped), 0);
    address_to_sockaddr(&mapped, &s);
    CHECK_EQ(address_of_sockaddr((struct sockaddr *)&s, &mapped), 0);
    char text[RAPPORT_ADDRESS_TEXT];
    CHECK_STR(rapport_address_print(&mapped, text), "192.0.2.7:5");
    struct sockaddr other = {.sa_family = AF_UNIX};
    CHECK_EQ(address_of_sockaddr(&other, &mapped), RAPPORT_INVALID);
}

TEST(address_kinds, "loopback, link-local and unspecified addresses are told apart")
{
    struct rapport_address a;
    CHECK(!rapport_address_parse("127.1.2.3", 1, &a) && address_is_loopback(&a));
    CHECK(!rapport_address_parse("::1", 1, &a) && address_is_loopback(&a));
    CHECK(!rapport_address_parse("fe80::1", 1, &a) && address_is_link_local(&a));
    CHECK(!rapport_address_parse("febf::1", 1, &a) && address_is_link_local(&a));
    CHECK(!rapport_address_parse("fec0::1", 1, &a) && !address_is_link_local(&a));
    CHECK(!rapport_address_parse("169.254.1.1", 1, &a) && address_is_link_local(&a));
    CHECK(!rapport_address_parse("0.0.0.0", 1, &a) && address_is_unspecified(&a));
    CHECK(!rapport_address_parse("::", 1, &a) && address_is_unspecified(&a));
}

TEST(gate_rate, "one source gets its burst, then so many a second; another one is not touched")
{
    static struct gate g;
    struct rapport_address a, same_net, other;
    CHECK_EQ(rapport_address_parse("2001:db8::1", 1, &a), 0);
    CHECK_EQ(rapport_address_parse("2001:db8::ffff:2", 1, &same_net), 0);
    CHECK_EQ(rapport_address_parse("2001:db8:0:1::1", 1, &other), 0);
    for (int i = 0; i < RAPPORT_UV_ACCEPT_BURST; i++)
        CHECK(gate_admit(&g, &a, 1000));
    CHECK(!gate_admit(&g, &a, 1000));
    CHECK(!gate_admit(&g, &same_net, 1000));
    CHECK(gate_admit(&g, &other, 1000));
    for (int i = 0; i < RAPPORT_UV_ACCEPTS_PER_S; i++)
        CHECK(gate_admit(&g, &a, 2000));
    CHECK(!gate_admit(&g, &a, 2000));
    CHECK(!gate_admit(&g, &a, 1999)); /* a clock that went back gives nothing */
    for (int i = 0; i < RAPPORT_UV_ACCEPT_BURST; i++)
        CHECK(gate_admit(&g, &a, 2000 + 7200000));
    CHECK(!gate_admit(&g, &a, 2000 + 7200000));
}

TEST(gate_loopback, "loopback is not rated")
{
    static struct gate g;
    struct rapport_address a;
    CHECK_EQ(rapport_address_parse("::1", 1, &a), 0);
    for (int i = 0; i < 10000; i++)
        CHECK(gate_admit(&g, &a, 1));
}
