/* test_firewall.c - what can be told of a firewall from files, and the command that helps. */
#include "daemon/firewall.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

static char root[] = "/tmp/rapport-firewall-XXXXXX";

static void put(const char *path, const char *text)
{
    char whole[256];
    (void)snprintf(whole, sizeof whole, "%s%s", root, path);
    for (char *slash = whole + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        (void)mkdir(whole, 0700);
        *slash = '/';
    }
    FILE *file = fopen(whole, "w");
    CHECK(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

/* An empty root. */
static void start(void)
{
    memcpy(root + sizeof root - 7, "XXXXXX", 6);
    CHECK(mkdtemp(root) != NULL);
}

static void end(void)
{
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf %s", root);
    CHECK_EQ(system(command), 0);
}

static struct finding only(bool blamed)
{
    static struct findings f;
    findings_clear(&f);
    firewall_findings(root, 7171, blamed, &f);
    CHECK_EQ(f.error, 0);
    CHECK_EQ(f.n, 1);
    return f.list[0];
}

TEST(firewall_none, "without a firewall nothing is in the way")
{
    start();
    CHECK_EQ(only(true).state, FINDING_FINE);
    put("/etc/ufw/ufw.conf", "# x\nENABLED=no\nLOGLEVEL=low\n");
    CHECK_EQ(only(true).state, FINDING_FINE);
    end();
}

TEST(firewall_ufw, "ufw: closed is worth knowing, and a problem where somebody cannot be reached")
{
    start();
    put("/etc/ufw/ufw.conf", "# x\nENABLED=yes\n");
    put("/etc/ufw/user.rules", "-A ufw-user-input -p tcp --dport 71710 -j ACCEPT\n"
                               "-A ufw-user-input -p tcp --dport 7171 -j DROP\n");
    CHECK_EQ(only(false).state, FINDING_NOTE);
    CHECK_EQ(only(true).state, FINDING_PROBLEM);
    CHECK_STR(only(true).todo, "sudo ufw allow 7171/tcp");
    put("/etc/ufw/user.rules", "*filter\n-A ufw-user-input -p tcp --dport 7171 -j ACCEPT");
    CHECK_EQ(only(true).state, FINDING_FINE);
    put("/etc/ufw/user.rules", "");
    put("/etc/default/ufw", "IPV6=yes\nDEFAULT_INPUT_POLICY=\"ACCEPT\"\n");
    CHECK_EQ(only(true).state, FINDING_FINE);
    end();
}

TEST(firewall_firewalld, "firewalld: seen to run; its zones cannot tell for sure")
{
    start();
    put("/run/firewalld/x", "");
    CHECK_EQ(only(false).state, FINDING_NOTE);
    CHECK(strncmp(only(false).todo, "sudo firewall-cmd --permanent --add-port=7171/tcp", 49) == 0);
    put("/etc/firewalld/zones/public.xml", "<zone>\n  <port protocol=\"tcp\" port=\"7171\"/>\n");
    CHECK_EQ(only(true).state, FINDING_FINE);
    end();
}

TEST(firewall_nftables, "nftables: only a ruleset that is loaded and drops counts")
{
    start();
    put("/etc/nftables.conf", "  type filter hook input priority 0; policy drop;\n");
    CHECK_EQ(only(true).state, FINDING_FINE);
    put("/etc/systemd/system/sysinit.target.wants/nftables.service", "");
    CHECK_EQ(only(true).state, FINDING_PROBLEM);
    put("/etc/nftables.conf",
        "hook input priority 0; policy drop;\n tcp dport { 22, 7171 } accept\n");
    CHECK_EQ(only(true).state, FINDING_FINE);
    put("/etc/nftables.conf", "hook input priority 0; policy accept;\n");
    CHECK_EQ(only(true).state, FINDING_FINE);
    end();
}

TEST(firewall_memory, "out of memory sticks in the list and nothing leaks")
{
    start();
    put("/etc/ufw/ufw.conf", "ENABLED=yes\n");
    put("/etc/ufw/user.rules", "-A x\n");
    for (long n = 0;; n++) {
        struct findings f = {0};
        test_fail_allocation(n);
        firewall_findings(root, 7171, true, &f);
        bool failed = test_allocation_failed();
        test_fail_allocation(-1);
        findings_clear(&f);
        if (!failed)
            break;
    }
    end();
}
