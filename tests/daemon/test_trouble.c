/* test_trouble.c - what is said to keep friends away, and when nothing is said. */
#include "daemon/trouble.h"
#include "test.h"

/* One friend, on a LAN and a tailnet that both work, just not here. */
static struct trouble_facts away(void)
{
    struct trouble_facts t = {.now = 1000000,
                              .view = {.lan = RAPPORT_UV_LAN_ON,
                                       .n_links = 2,
                                       .links = "eth0",
                                       .lan_since = 1000,
                                       .lan_heard = 990000,
                                       .tailnet = RAPPORT_UV_TAILNET_ON,
                                       .tailnet_running = true},
                              .n_friends = 1,
                              .port = 7171,
                              .on_network = true};
    return t;
}

/* The only finding; "" when there is none. */
static const char *said(const struct trouble_facts *t, const char **todo)
{
    static struct findings f;
    findings_clear(&f);
    trouble_find(t, &f);
    CHECK(f.n <= 1 && !f.error);
    if (todo)
        *todo = f.n ? f.list[0].todo : "";
    return f.n ? f.list[0].text : "";
}

TEST(trouble_away, "a friend who is simply away is no trouble")
{
    struct trouble_facts t = away();
    CHECK_STR(said(&t, NULL), "");
    t.n_friends = 0;
    t.on_network = false;
    CHECK_STR(said(&t, NULL), ""); /* nobody to be found */
}

TEST(trouble_isolation, "friends who are seen but not reached: what it is, and the ways around it")
{
    struct trouble_facts t = away();
    const char *todo;
    t.n_friends = 3;
    t.n_unreached = 2;
    CHECK_STR(said(&t, &todo),
              "2 friends are seen on this network, but it does not let devices connect (client "
              "isolation), or a firewall on one of the machines blocks port 7171");
    CHECK_STR(todo, "have your friends start Tailscale too (yours is up), or a phone's hotspot, or "
                    "carry a file: rapport bundle write FILE");
    t.view.tailnet_running = false;
    t.n_unreached = 1;
    CHECK(strncmp(said(&t, &todo), "1 friend is seen", 16) == 0);
    CHECK(strncmp(todo, "use a tailnet", 13) == 0);
    t.n_just_left = 1; /* he may have closed the lid */
    CHECK_STR(said(&t, NULL), "");
    t.n_unreached = 2;
    CHECK(strncmp(said(&t, NULL), "1 friend is seen", 16) == 0);
    t.lan_connected = true; /* so this LAN lets devices connect */
    t.n_connected = 1;
    CHECK_STR(said(&t, NULL), "");
    t.lan_connected = false;
    CHECK(*said(&t, NULL));
    t.n_connected = 3; /* by other ways: nobody is missing */
    CHECK_STR(said(&t, NULL), "");
}

TEST(trouble_multicast,
     "a LAN on which nobody is ever heard is said to filter, after half a minute")
{
    struct trouble_facts t = away();
    const char *todo;
    t.view.lan_heard = 0;
    t.view.lan_since = t.now - TROUBLE_DEAF_MS + 1;
    CHECK_STR(said(&t, NULL), "");
    t.view.lan_since--;
    CHECK_STR(said(&t, &todo), "no other machine is heard on this network (eth0): nobody is there, "
                               "or it filters multicast");
    CHECK_STR(todo, "give an address once: rapport up --peer ADDR; it is remembered afterwards");
    t.view.lan = RAPPORT_UV_LAN_OFF;
    CHECK_STR(said(&t, NULL), "");
    t.view.lan = RAPPORT_UV_LAN_PASSIVE;
    t.view.lan_since = 0; /* no link at all */
    CHECK_STR(said(&t, NULL), "");
}

TEST(trouble_tailnet, "what is wrong with the tailnet is passed on, unless it is not looked at")
{
    struct trouble_facts t = away();
    strcpy(t.view.trouble, "Tailscale is logged out: run tailscale up");
    CHECK_STR(said(&t, NULL), "Tailscale is logged out: run tailscale up");
    t.n_connected = 1; /* by other ways */
    CHECK_STR(said(&t, NULL), "");
    t.tailnet_connected = true;
    CHECK_STR(said(&t, NULL), "Tailscale is logged out: run tailscale up");
    t.view.tailnet = RAPPORT_UV_TAILNET_OFF;
    CHECK_STR(said(&t, NULL), "");
}

TEST(trouble_no_network, "a machine without any network is said to be so")
{
    struct trouble_facts t = away();
    t.on_network = false;
    CHECK_STR(said(&t, NULL), "this machine is on no network");
}
