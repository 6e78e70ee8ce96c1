/*
 * test_mdns.c - finding each other on a LAN, in virtual time: the expected traces are the text of
 * the tests (mdns_rig.h says how to read them).
 */
#include "mdns_rig.h"

TEST(mdns_two, "two machines that come up at one moment find each other at once")
{
    rig_start();
    rig_add('a', "x");
    rig_add('b', "x");
    rig_up('a', NULL);
    rig_up('b', NULL);
    rig_run(10000);
    rig_expect("  1000 a! ask ptr, one-shot\n"
               "  1000 b! ask ptr, one-shot\n"
               "  1001 b  tell b1 10: ptr srv txt 1 to fe80::a\n"
               "  1001 a  tell a1 10: ptr srv txt 1 to fe80::b\n"
               "  1002 a  found b1 fe80::b\n"
               "  1002 b  found a1 fe80::a\n"
               "  1024 a! probe a1: srv txt 1\n"
               "  1037 b! probe b1: srv txt 1\n"
               "  1274 a! probe a1: srv txt 1\n"
               "  1287 b! probe b1: srv txt 1\n"
               "  1400 a! ask ptr, knows b1\n"
               "  1400 b! ask ptr, knows a1\n"
               "  1524 a! probe a1: srv txt 1\n"
               "  1537 b! probe b1: srv txt 1\n"
               "  1774 a! tell a1 120: ptr srv txt 1\n"
               "  1787 b! tell b1 120: ptr srv txt 1\n"
               "  2458 a! ask ptr, knows b1\n"
               "  2481 b! ask ptr, knows a1\n"
               "  2774 a! tell a1 120: ptr srv txt 1\n"
               "  2787 b! tell b1 120: ptr srv txt 1\n"
               "  4774 a! tell a1 120: ptr srv txt 1\n"
               "  4787 b! tell b1 120: ptr srv txt 1\n"
               "  5516 a! ask ptr, knows b1\n"
               "  5596 b! ask ptr, knows a1\n");
}

TEST(mdns_probes, "where one-shot questions are lost, the first probes do within 150 ms")
{
    rig_start();
    rig_add('a', "x");
    rig_add('b', "x");
    rig_host('a')->walled = rig_host('b')->walled = true;
    rig_up('a', NULL);
    rig_up('b', NULL);
    rig_run(150);
    rig_expect("  1000 a! ask ptr, one-shot\n"
               "  1000 b! ask ptr, one-shot\n"
               "  1001 b  tell b1 10: ptr srv txt 1 to fe80::a\n"
               "  1001 a  tell a1 10: ptr srv txt 1 to fe80::b\n"
               "  1024 a! probe a1: srv txt 1\n"
               "  1025 b  found a1 fe80::a\n"
               "  1037 b! probe b1: srv txt 1\n"
               "  1038 a  found b1 fe80::b\n");
}

TEST(mdns_later, "who comes later finds who is there by a one-shot question, and is found by it")
{
    rig_start();
    rig_add('b', "x");
    rig_up('b', NULL);
    rig_run(59000);
    rig_expect("  1000 b! ask ptr, one-shot\n"
               "  1037 b! probe b1: srv txt 1\n"
               "  1287 b! probe b1: srv txt 1\n"
               "  1400 b! ask ptr\n"
               "  1537 b! probe b1: srv txt 1\n"
               "  1787 b! tell b1 120: ptr srv txt 1\n"
               "  2494 b! ask ptr\n"
               "  2787 b! tell b1 120: ptr srv txt 1\n"
               "  4787 b! tell b1 120: ptr srv txt 1\n"
               "  5630 b! ask ptr\n"
               " 15469 b! ask ptr\n"
               " 44450 b! ask ptr\n");
    rig_add('a', "x");
    rig_up('a', "192.0.2.10");
    rig_run(2000);
    rig_expect(" 60000 a! ask ptr, one-shot\n"
               " 60001 b  tell b1 10: ptr srv txt 1 to fe80::a\n"
               " 60002 a  found b1 fe80::b\n"
               " 60024 a! probe a1: srv txt 2\n"
               " 60025 b  found a1 fe80::a\n"
               " 60025 b  found a1 192.0.2.10\n"
               " 60274 a! probe a1: srv txt 2\n"
               " 60400 a! ask ptr, knows b1\n"
               " 60524 a! probe a1: srv txt 2\n"
               " 60774 a! tell a1 120: ptr srv txt 2\n"
               " 61444 a! ask ptr, knows b1\n"
               " 61774 a! tell a1 120: ptr srv txt 2\n");
}

TEST(mdns_walled, "who gets no unicast finds the other by the answer to a question from 5353")
{
    rig_start();
    rig_add('b', "x");
    rig_up('b', NULL);
    rig_run(9000);
    buf_reset(&rig.trace);
    rig_add('a', "x");
    rig_host('a')->walled = true;
    rig_up('a', NULL);
    rig_run(600);
    rig_expect(" 10000 a! ask ptr, one-shot\n"
               " 10001 b  tell b1 10: ptr srv txt 1 to fe80::a\n"
               " 10024 a! probe a1: srv txt 1\n"
               " 10025 b  found a1 fe80::a\n"
               " 10274 a! probe a1: srv txt 1\n"
               " 10400 a! ask ptr\n"
               " 10450 b  tell b1 120: ptr srv txt 1\n"
               " 10451 a  found b1 fe80::b\n"
               " 10524 a! probe a1: srv txt 1\n");
}

TEST(mdns_deaf, "who does not have 5353 finds the other by one-shot questions alone")
{
    rig_start();
    rig_add('b', "x");
    rig_up('b', NULL);
    rig_run(9000);
    buf_reset(&rig.trace);
    rig_add('a', "x");
    rig_host('a')->deaf = true;
    rig_up('a', NULL);
    rig_run(5);
    rig_expect(" 10000 a! ask ptr, one-shot\n"
               " 10001 b  tell b1 10: ptr srv txt 1 to fe80::a\n"
               " 10002 a  found b1 fe80::b\n");
}

TEST(mdns_strangers, "who has no tag of ours is counted, not told, and told once he has one")
{
    rig_start();
    rig_add('a', "x");
    rig_add('b', "y");
    rig_up('a', NULL);
    rig_up('b', NULL);
    rig_run(5000);
    struct mdns_stats s;
    mdns_stats(rig_host('a')->m, &s);
    CHECK_EQ(s.n_instances, 1);
    CHECK_EQ(s.n_known, 0);
    CHECK(s.last_foreign > 0);
    CHECK_EQ(s.heard_own, s.sent - 1); /* but the unicast one */
    buf_reset(&rig.trace);
    rig_host('a')->groups = "xy"; /* a joins b's report: only a's tags change */
    mdns_set_tags(rig_host('a')->m, rig.now);
    rig_run(100);
    rig_expect("  6000 a! tell a1 120: ptr srv txt 1\n"
               "  6000 a  found b1 fe80::b\n"
               "  6001 b  found a1 fe80::a\n");
}

TEST(mdns_goodbye, "a goodbye takes the candidate away after a second; the second one is harmless")
{
    rig_start();
    rig_add('a', "x");
    rig_add('b', "x");
    rig_up('a', NULL);
    rig_up('b', NULL);
    rig_run(8000);
    buf_reset(&rig.trace);
    mdns_goodbye(rig_host('b')->m, rig.now);
    rig_drain('b');
    rig_run(250);
    mdns_goodbye(rig_host('b')->m, rig.now);
    rig_drain('b');
    rig_run(60000);
    rig_expect("  9000 b! tell b1 0: ptr srv txt 1\n"
               "  9250 b! tell b1 0: ptr srv txt 1\n"
               " 10001 a  lost b1 fe80::b\n"
               " 14542 a! ask ptr\n"
               " 42757 a! ask ptr\n");
}

TEST(mdns_silent,
     "who falls silent is asked for at 80 %, lost after 120 s, then asked for a few times")
{
    rig_start();
    rig_add('a', "x");
    rig_add('b', "x");
    rig_up('a', NULL);
    rig_up('b', NULL);
    rig_run(6000);
    buf_reset(&rig.trace);
    rig_remove('b');
    rig_run(2 * 3600 * 1000);
    rig_expect(" 14542 a! ask ptr, knows b1\n"
               " 42757 a! ask ptr, knows b1\n"
               "101425 a! ask ptr\n"
               "124788 a  lost b1 fe80::b\n"
               "125788 a! ask ptr\n"
               "129081 a! ask ptr\n"
               "138894 a! ask ptr\n"
               "166826 a! ask ptr\n"
               "251967 a! ask ptr\n"
               "339357 a! tell a1 120: ptr srv txt 1\n"
               "512344 a! ask ptr\n"
               "1239357 a! tell a1 120: ptr srv txt 1\n"
               "1252099 a! ask ptr\n"
               "2139357 a! tell a1 120: ptr srv txt 1\n"
               "3039357 a! tell a1 120: ptr srv txt 1\n"
               "3581936 a! ask ptr\n"
               "3939357 a! tell a1 120: ptr srv txt 1\n"
               "4839357 a! tell a1 120: ptr srv txt 1\n"
               "5739357 a! tell a1 120: ptr srv txt 1\n"
               "6639357 a! tell a1 120: ptr srv txt 1\n");
}

TEST(mdns_refreshed,
     "who is there but not connected answers, and stays a candidate for some minutes")
{
    rig_start();
    rig_add('a', "x");
    rig_add('b', "x");
    rig_up('a', NULL);
    rig_up('b', NULL);
    rig_run(6000);
    buf_reset(&rig.trace);
    rig_run(400 * 1000);
    rig_expect(" 14542 a! ask ptr, knows b1\n"
               " 15472 b! ask ptr, knows a1\n"
               " 42757 a! ask ptr, knows b1\n"
               " 44680 b! ask ptr, knows a1\n"
               "101425 a! ask ptr\n"
               "101498 b  tell b1 120: ptr srv txt 1\n"
               "102421 b! ask ptr\n"
               "102486 a  tell a1 120: ptr srv txt 1\n"
               "128402 a! ask ptr, knows b1\n"
               "130951 b! ask ptr, knows a1\n"
               "198930 b! ask ptr\n"
               "199006 a  tell a1 120: ptr srv txt 1\n"
               "199570 a! ask ptr\n"
               "199620 b  tell b1 120: ptr srv txt 1\n"
               "296150 b! ask ptr\n"
               "296215 a  tell a1 120: ptr srv txt 1\n"
               "297702 a! ask ptr\n"
               "297752 b  tell b1 120: ptr srv txt 1\n"
               "328099 b! tell b1 120: ptr srv txt 1\n"
               "339357 a! tell a1 120: ptr srv txt 1\n"
               "382442 b! ask ptr, knows a1\n"
               "393934 a! ask ptr\n"
               "394002 b  tell b1 120: ptr srv txt 1\n");
}

TEST(mdns_session,
     "with a session nobody is asked for or lost; when it ends he must be heard again")
{
    rig_start();
    rig_add('a', "x");
    rig_add('b', "x");
    rig_up('a', NULL);
    rig_up('b', NULL);
    rig_run(10);
    rig_session('a', 'b', true);
    rig_session('b', 'a', true);
    rig_run(600 * 1000);
    rig_expect("  1000 a! ask ptr, one-shot\n"
               "  1000 b! ask ptr, one-shot\n"
               "  1001 b  tell b1 10: ptr srv txt 1 to fe80::a\n"
               "  1001 a  tell a1 10: ptr srv txt 1 to fe80::b\n"
               "  1002 a  found b1 fe80::b\n"
               "  1002 b  found a1 fe80::a\n"
               "  1024 a! tell a1 120: ptr srv txt 1\n"
               "  1037 b! tell b1 120: ptr srv txt 1\n");
    rig_session('a', 'b', false);
    rig_session('b', 'a', false);
    rig_run(2500);
    rig_expect("601010 a! tell a1 120: ptr srv txt 1\n"
               "601010 b! tell b1 120: ptr srv txt 1\n"
               "601011 b  found a1 fe80::a\n"
               "601011 a  found b1 fe80::b\n"
               "602010 a! ask ptr, knows b1\n"
               "602010 b! ask ptr, knows a1\n");
}

TEST(mdns_lost_with_session, "who is gone when his session ends is lost 10 s later")
{
    rig_start();
    rig_add('a', "x");
    rig_add('b', "x");
    rig_up('a', NULL);
    rig_up('b', NULL);
    rig_run(10);
    rig_session('a', 'b', true);
    rig_run(600 * 1000);
    buf_reset(&rig.trace);
    rig_remove('b');
    rig_session('a', 'b', false);
    rig_run(20000);
    rig_expect("601010 a! tell a1 120: ptr srv txt 1\n"
               "602010 a! ask ptr\n"
               "605042 a! ask ptr\n"
               "611010 a  lost b1 fe80::b\n"
               "612010 a! ask ptr\n"
               "615287 a! ask ptr\n");
}

TEST(mdns_relabelled,
     "who moves to another network gets a new label; nobody at one address is lost")
{
    rig_start();
    rig_add('a', "x");
    rig_add('b', "x");
    rig_up('a', NULL);
    rig_up('b', NULL);
    rig_run(8000);
    buf_reset(&rig.trace);
    rig_up('b', "2001:db8::b");
    rig_run(3000);
    rig_expect("  9000 b! ask ptr, one-shot\n"
               "  9000 b! tell b1 0: ptr srv txt 2\n"
               "  9001 a  tell a1 10: ptr srv txt 1 to fe80::b\n"
               "  9108 b! probe b2: srv txt 2\n"
               "  9109 a  found b2 fe80::b\n"
               "  9109 a  found b2 2001:db8::b\n"
               "  9358 b! probe b2: srv txt 2\n"
               "  9400 b! ask ptr, knows a1\n"
               "  9608 b! probe b2: srv txt 2\n"
               "  9858 b! tell b2 120: ptr srv txt 2\n"
               " 10428 b! ask ptr, knows a1\n"
               " 10858 b! tell b2 120: ptr srv txt 2\n");
}

TEST(mdns_restart, "after sleep everything begins again, and who does not answer is lost in 10 s")
{
    rig_start();
    rig_add('a', "x");
    rig_add('b', "x");
    rig_add('c', "x");
    rig_up('a', NULL);
    rig_up('b', NULL);
    rig_up('c', NULL);
    rig_run(8000);
    buf_reset(&rig.trace);
    rig_remove('c');
    mdns_restart(rig_host('a')->m, rig.now);
    rig_drain('a');
    rig_run(1000);
    rig_expect("  9000 a! ask ptr, one-shot\n"
               "  9000 a! tell a1 0: ptr srv txt 1\n"
               "  9001 b  tell b1 10: ptr srv txt 1 to fe80::a\n"
               "  9002 a  found b1 fe80::b\n"
               "  9112 a! probe a2: srv txt 1\n"
               "  9113 b  found a2 fe80::a\n"
               "  9362 a! probe a2: srv txt 1\n"
               "  9400 a! ask ptr, knows b1\n"
               "  9612 a! probe a2: srv txt 1\n"
               "  9862 a! tell a2 120: ptr srv txt 1\n");
    rig_run(10000);
    rig_expect(" 10415 a! ask ptr, knows b1\n"
               " 10862 a! tell a2 120: ptr srv txt 1\n"
               " 12862 a! tell a2 120: ptr srv txt 1\n"
               " 13496 a! ask ptr, knows b1\n"
               " 14993 b! ask ptr, knows c1, knows a2\n"
               " 19000 a  lost c1 fe80::c\n"
               " 20000 a! ask ptr, knows b1\n");
}

TEST(mdns_ports, "another port is another label; no port, or nothing to be found by, is a goodbye")
{
    rig_start();
    rig_add('a', "x");
    rig_add('b', "x");
    rig_up('a', NULL);
    rig_up('b', NULL);
    rig_run(8000);
    buf_reset(&rig.trace);
    mdns_set_port(rig_host('b')->m, rig.now, 7172);
    rig_run(900);
    rig_expect("  9000 b! tell b1 0: ptr srv txt 1\n"
               "  9108 b! probe b2: srv txt 1\n"
               "  9109 a  found b2 fe80::b\n"
               "  9358 b! probe b2: srv txt 1\n"
               "  9608 b! probe b2: srv txt 1\n"
               "  9858 b! tell b2 120: ptr srv txt 1\n");
    mdns_set_port(rig_host('b')->m, rig.now, 0);
    rig_run(900);
    rig_expect("  9900 b! tell b2 0: ptr srv txt 1\n"
               " 10001 a  lost b1 fe80::b\n");
    mdns_set_port(rig_host('b')->m, rig.now, 7173);
    rig_run(900);
    buf_reset(&rig.trace);
    rig_host('b')->groups = "";
    mdns_set_tags(rig_host('b')->m, rig.now);
    rig_run(900);
    rig_expect(" 11700 b! tell b3 0: ptr srv txt 1\n"
               " 11700 b  lost a1 fe80::a\n");
}

TEST(mdns_passive, "a passive machine asks and finds, and nothing of it is ever seen")
{
    rig_start();
    rig_add('b', "x");
    rig_up('b', NULL);
    rig_run(9000);
    rig.mode = MDNS_PASSIVE;
    rig_add('a', "x");
    rig_up('a', NULL);
    buf_reset(&rig.trace);
    rig_run(2000);
    rig_expect(" 10001 b  tell b1 10: ptr srv txt 1 to fe80::a\n"
               " 10002 a  found b1 fe80::b\n"
               " 10400 a! ask ptr, knows b1\n"
               " 11420 a! ask ptr, knows b1\n");
    struct mdns_stats s;
    mdns_stats(rig_host('b')->m, &s);
    CHECK_EQ(s.n_instances, 0);
    mdns_goodbye(rig_host('a')->m, rig.now);
    rig_drain('a');
    rig_expect("");
}

TEST(mdns_off, "a machine that is off says, hears and finds nothing")
{
    rig_start();
    rig.mode = MDNS_OFF;
    rig_add('a', "x");
    rig.mode = MDNS_ACTIVE;
    rig_add('b', "x");
    rig_up('b', NULL);
    rig_up('a', NULL);
    buf_reset(&rig.trace);
    rig.quiet = true;
    rig_run(3000);
    struct mdns_stats s;
    mdns_stats(rig_host('a')->m, &s);
    CHECK_EQ(s.sent, 0);
    CHECK_EQ(s.received, 0);
    CHECK_EQ(s.n_links, 1);
    CHECK(mdns_deadline(rig_host('a')->m) == UINT64_MAX);
}

TEST(mdns_link_down, "a link that goes takes with it what was heard on it alone")
{
    rig_start();
    rig_add('a', "x");
    rig_add('b', "x");
    rig_up('a', NULL);
    rig_up('b', NULL);
    struct mdns_link second = {.id = 2, .ifindex = RIG_IFINDEX, .family = 4, .n_own = 1};
    second.own[0] = rig_address("192.0.2.10", 0);
    second.prefix[0] = 24;
    CHECK_EQ(mdns_link_up(rig_host('a')->m, rig.now, &second), 0);
    rig_drain('a');
    rig_run(1000);
    buf_reset(&rig.trace);
    mdns_link_down(rig_host('a')->m, rig.now, 2);
    rig_drain('a');
    rig_expect("");
    mdns_link_down(rig_host('a')->m, rig.now, 1);
    rig_drain('a');
    mdns_link_down(rig_host('a')->m, rig.now, 1);
    rig_drain('a');
    rig_expect("  2000 a  lost b1 fe80::b\n");
    CHECK(mdns_deadline(rig_host('a')->m) == UINT64_MAX);
}

TEST(mdns_links_most, "33 links are one too many, and one that comes again is no other")
{
    rig_start();
    struct mdns *m = rig_add('a', "x");
    struct mdns_link link = {.ifindex = 1, .family = 4};
    for (link.id = 1; link.id <= MDNS_MOST_LINKS; link.id++)
        CHECK_EQ(mdns_link_up(m, rig.now, &link), 0);
    CHECK_EQ(mdns_link_up(m, rig.now, &link), RAPPORT_LIMIT);
    link.id = 5;
    CHECK_EQ(mdns_link_up(m, rig.now, &link), 0);
    struct mdns_stats s;
    mdns_stats(m, &s);
    CHECK_EQ(s.n_links, MDNS_MOST_LINKS);
}

TEST(mdns_memory, "without memory there is no engine; once there is one it needs no more")
{
    struct mdns_config config = {.mode = MDNS_ACTIVE, .tags = rig_tags, .knows = rig_knows};
    struct mdns *m = NULL;
    for (long at = 0; at < 2; at++) {
        test_fail_allocation(at);
        CHECK_EQ(mdns_create(&config, &m), RAPPORT_NOMEM);
        CHECK(test_allocation_failed() && !m);
    }
    rig_start();
    rig.quiet = true;
    rig_add('a', "x");
    test_fail_allocation(0);
    rig_up('a', NULL);
    for (rapport_time_ms end = rig.now + 5000; rig.now < end; rig.now++) {
        struct mdns_packet p;
        mdns_tick(rig_host('a')->m, rig.now, rig_wall());
        while (mdns_next_packet(rig_host('a')->m, &p))
            continue;
    }
    test_fail_allocation(-1);
}
