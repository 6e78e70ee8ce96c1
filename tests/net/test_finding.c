/* test_finding.c - what doctor found: kept in order, safe for a terminal, bounded. */
#include "net/finding.h"
#include "rapport/error.h"
#include "test.h"

TEST(finding_keeps_what_is_added, "findings keep order, state and all three texts")
{
    struct findings f = {0};
    finding_add(&f, FINDING_FINE, "lan", NULL, "%s is used", "eth0");
    finding_add(&f, FINDING_PROBLEM, "tailnet", "run: tailscale up", "logged out");
    CHECK_EQ(f.error, 0);
    CHECK_EQ(f.n, 2);
    CHECK_EQ(f.list[0].state, FINDING_FINE);
    CHECK_STR(f.list[0].area, "lan");
    CHECK_STR(f.list[0].text, "eth0 is used");
    CHECK_STR(f.list[0].todo, "");
    CHECK_EQ(f.list[1].state, FINDING_PROBLEM);
    CHECK_STR(f.list[1].text, "logged out");
    CHECK_STR(f.list[1].todo, "run: tailscale up");
    findings_clear(&f);
    CHECK_EQ(f.n, 0);
}

TEST(finding_escapes, "what a stranger's machine is called does not reach the terminal as it is")
{
    struct findings f = {0};
    finding_add(&f, FINDING_NOTE, "tailnet", "see \033]0;x\007", "%s\nis here", "\033[31mlaptop");
    CHECK_STR(f.list[0].text, "␛[31mlaptop␊is here");
    CHECK_STR(f.list[0].todo, "see ␛]0;x␇");
    findings_clear(&f);
}

TEST(finding_cuts_long_texts, "a text of any length is cut between two characters")
{
    char text[4000];
    struct findings f = {0};
    for (size_t i = 0; i + 2 < sizeof text; i += 2)
        memcpy(text + i, "é", 3);
    finding_add(&f, FINDING_NOTE, "tailnet", text, "x%s", text);
    CHECK_EQ(strlen(f.list[0].text), 1023);
    CHECK_EQ(strlen(f.list[0].todo), 1024);
    CHECK(!strstr(f.list[0].text, "\xef\xbf\xbd"));
    findings_clear(&f);
}

TEST(finding_limit, "further findings than the limit are dropped")
{
    struct findings f = {0};
    for (int i = 0; i < FINDINGS_MOST + 5; i++)
        finding_add(&f, FINDING_FINE, "lan", NULL, "number %d", i);
    CHECK_EQ(f.error, 0);
    CHECK_EQ(f.n, FINDINGS_MOST);
    CHECK_STR(f.list[FINDINGS_MOST - 1].text, "number 127");
    findings_clear(&f);
}

TEST(finding_out_of_memory, "out of memory sticks, and what was found before stays")
{
    for (long n = 0;; n++) {
        struct findings f = {0};
        finding_add(&f, FINDING_FINE, "lan", NULL, "first");
        test_fail_allocation(n);
        finding_add(&f, FINDING_FINE, "lan", "do", "second");
        for (int i = 0; i < 20; i++)
            finding_add(&f, FINDING_FINE, "lan", NULL, "more");
        bool failed = test_allocation_failed();
        test_fail_allocation(-1);
        CHECK_EQ(f.error, failed ? RAPPORT_NOMEM : 0);
        CHECK_STR(f.list[0].text, "first");
        CHECK(failed || f.n == 22);
        findings_clear(&f);
        if (!failed)
            break;
    }
}
