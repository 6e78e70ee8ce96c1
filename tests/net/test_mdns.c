/*
 * test_mdns.c - finding each other on a LAN, in virtual time: the expected traces are the text of
 * the tests (mdns_rig.h says how to read them).
 */
#include "mdns_rig.h"

TEST(mdns_two, "two machines that come up at one moment find each other with the first probe")
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
