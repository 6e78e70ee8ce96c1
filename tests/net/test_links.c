/* What the links are judged by: which are used, what counts as a change, who is on one. */
#include "net/address.h"
#include "net/links.h"
#include "test.h"

static struct links_interface interface(const char *name, unsigned flags)
{
    struct links_interface i = {.index = 7, .flags = flags};
    (void)snprintf(i.name, sizeof i.name, "%s", name);
    return i;
}

static struct links_address own(const char *text, uint8_t prefix)
{
    struct links_address a = {.prefix = prefix};
    CHECK_EQ(rapport_address_parse(text, 0, &a.address), 0);
    return a;
}

static const unsigned good = IFF_UP | IFF_RUNNING | IFF_MULTICAST | IFF_BROADCAST;

TEST(links_suitable,
     "a LAN is used; loopback, tunnels, what is down and containers' bridges are not")
{
    static const struct {
        const char *name;
        unsigned flags;
        bool routes, used;
    } cases[] = {
        {"eth0", good, false, true},
        {"wlan0", good, true, true},
        {"lo", good | IFF_LOOPBACK, false, false},
        {"tailscale0", good | IFF_POINTOPOINT, true, false},
        {"eth0", good & ~(unsigned)IFF_UP, false, false},
        {"eth0", good & ~(unsigned)IFF_RUNNING, false, false},
        {"eth0", good & ~(unsigned)IFF_MULTICAST, false, false},
        {"docker0", good, false, false},
        {"br-12ab", good, false, false},
        {"br-lan", good, true, true}, /* the machine's own way out */
        {"veth1", good, false, false},
        {"virbr0", good, false, false},
        {"brother", good, false, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct links_interface link = interface(cases[i].name, cases[i].flags);
        link.routes = cases[i].routes;
        if (cases[i].used != !links_unsuitable(&link))
            test_fail(__FILE__, __LINE__, "%s: %s", cases[i].name, links_unsuitable(&link));
    }
}

TEST(links_change, "up, down and an address past detection are changes; a tentative one is none")
{
    struct links_list a = {.n = 1}, b;
    a.list[0] = interface("eth0", good);
    a.list[0].list[a.list[0].n++] = own("192.0.2.5", 24);
    b = a;
    CHECK(!links_differ(&a, &b));
    b.list[0].list[b.list[0].n] = own("2001:db8::5", 64);
    b.list[0].list[b.list[0].n++].tentative = true;
    CHECK(!links_differ(&a, &b));
    b.list[0].list[1].tentative = false;
    CHECK(links_differ(&a, &b));
    CHECK(links_differ(&b, &a));
    b = a;
    b.list[0].flags &= ~(unsigned)IFF_RUNNING;
    CHECK(links_differ(&a, &b));
    b.n = 0;
    CHECK(links_differ(&a, &b));
    b = a;
    b.list[b.n] = interface("veth9", good);
    b.list[b.n++].index = 9;
    CHECK(!links_differ(&a, &b));
}

TEST(links_width, "who is on a link is within a prefix of it, to the bit; link-local by its scope")
{
    struct links_interface i = interface("eth0", good);
    struct rapport_address a;
    i.list[i.n++] = own("192.0.2.130", 25);
    i.list[i.n++] = own("2001:db8::1", 60);
    static const struct {
        const char *text;
        bool on;
    } cases[] = {{"192.0.2.129", true},     {"192.0.2.127", false},      {"192.0.3.130", false},
                 {"2001:db8:0:f::9", true}, {"2001:db8:0:10::9", false}, {"2001:db9::1", false}};
    for (size_t n = 0; n < sizeof cases / sizeof cases[0]; n++) {
        CHECK_EQ(rapport_address_parse(cases[n].text, 1, &a), 0);
        CHECK_EQ(links_on(&i, &a), cases[n].on);
    }
    CHECK_EQ(rapport_address_parse("fe80::9", 1, &a), 0);
    a.scope = 7;
    CHECK(links_on(&i, &a));
    a.scope = 8;
    CHECK(!links_on(&i, &a));
}

TEST(links_holder, "an address is held by an interface that has it, past detection, at any port")
{
    struct links_list l = {.n = 1};
    l.list[0] = interface("eth0", good);
    l.list[0].list[l.list[0].n++] = own("192.0.2.5", 24);
    struct rapport_address a;
    CHECK_EQ(rapport_address_parse("192.0.2.5:7171", 0, &a), 0);
    CHECK(links_holder(&l, &a) == &l.list[0]);
    l.list[0].list[0].tentative = true;
    CHECK(links_holder(&l, &a) == NULL);
}

TEST(links_here, "this machine has a loopback with its address")
{
    struct links_list l;
    struct rapport_address a;
    links_read(&l);
    CHECK_EQ(rapport_address_parse("127.0.0.1:1", 0, &a), 0);
    CHECK(l.n > 0);
    const struct links_interface *lo = links_holder(&l, &a);
    CHECK(lo && (lo->flags & IFF_LOOPBACK));
    CHECK(links_on(lo, &a));
}
