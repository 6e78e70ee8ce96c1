/* firewall.c - see firewall.h. */
#include "daemon/firewall.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "rapport/error.h"

enum {
    MOST_FILE_BYTES = 1 << 20,
    MOST_PATH = 4096
};

enum port_rule {
    RULE_OPEN,
    RULE_CLOSED,
    RULE_UNKNOWN, /* the rules are not ours to read */
};

static bool path_of(const char *root, const char *path, char out[MOST_PATH])
{
    return snprintf(out, MOST_PATH, "%s%s", root, path) < MOST_PATH;
}

static bool is_there(const char *root, const char *path)
{
    char whole[MOST_PATH];
    return path_of(root, path, whole) && access(whole, F_OK) == 0;
}

/* The text of a file, with a NUL behind it. RAPPORT_PERMISSION where it may not be read; what is
   above MOST_FILE_BYTES is not looked at. */
static int read_file(const char *root, const char *path, struct buf *out)
{
    char whole[MOST_PATH];
    if (!path_of(root, path, whole))
        return RAPPORT_LIMIT;
    int fd = open(whole, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno == EACCES || errno == EPERM ? RAPPORT_PERMISSION : RAPPORT_NOTFOUND;
    ssize_t n = 1;
    while (n > 0 && out->len < MOST_FILE_BYTES) {
        uint8_t *room = buf_reserve(out, 16384);
        n = room ? read(fd, room, 16384) : -1;
        out->len += n > 0 ? (size_t)n : 0;
    }
    close(fd);
    return n < 0 ? RAPPORT_IO : buf_cstr(out) ? 0 : RAPPORT_NOMEM;
}

/* Calls `is` for each line until it says yes. */
static bool any_line(struct buf *text, uint16_t port, bool (*is)(const char *line, uint16_t port))
{
    char *line = (char *)text->ptr;
    while (line && *line) {
        char *end = strchr(line, '\n');
        if (end)
            *end = '\0';
        bool yes = is(line, port);
        if (end)
            *end = '\n';
        if (yes)
            return true;
        line = end ? end + 1 : NULL;
    }
    return false;
}

/* True when the number stands in the line by itself. */
static bool has_number(const char *line, unsigned number)
{
    char digits[8];
    int len = snprintf(digits, sizeof digits, "%u", number);
    for (const char *at = line; (at = strstr(at, digits)); at++) {
        bool before = at == line || at[-1] < '0' || at[-1] > '9';
        if (before && (at[len] < '0' || at[len] > '9'))
            return true;
    }
    return false;
}

/* ---- ufw ---- */

static bool is_enabled(const char *line, uint16_t port)
{
    (void)port;
    return strncmp(line, "ENABLED=yes", 11) == 0 || strncmp(line, "ENABLED=\"yes", 12) == 0;
}

static bool lets_in_by_default(const char *line, uint16_t port)
{
    (void)port;
    return strncmp(line, "DEFAULT_INPUT_POLICY", 20) == 0 && strstr(line, "ACCEPT");
}

/* "-A ufw-user-input -p tcp --dport 7171 -j ACCEPT" */
static bool ufw_allows(const char *line, uint16_t port)
{
    return strncmp(line, "-A ", 3) == 0 && strstr(line, "user-input") && strstr(line, "ACCEPT") &&
           strstr(line, "dport") && has_number(line, port);
}

static enum port_rule ufw_rule(const char *root, uint16_t port)
{
    struct buf rules = BUF_INIT, defaults = BUF_INIT;
    int error = read_file(root, "/etc/ufw/user.rules", &rules);
    bool open = !error && any_line(&rules, port, ufw_allows);
    if (!open && !read_file(root, "/etc/default/ufw", &defaults))
        open = any_line(&defaults, port, lets_in_by_default);
    buf_clear(&rules);
    buf_clear(&defaults);
    if (open)
        return RULE_OPEN;
    return error == RAPPORT_PERMISSION ? RULE_UNKNOWN : RULE_CLOSED;
}

static bool has_ufw(const char *root)
{
    struct buf conf = BUF_INIT;
    bool on = !read_file(root, "/etc/ufw/ufw.conf", &conf) && any_line(&conf, 0, is_enabled);
    buf_clear(&conf);
    return on;
}

/* ---- firewalld ---- */

static bool has_firewalld(const char *root)
{
    return is_there(root, "/run/firewalld") || is_there(root, "/run/firewalld.pid") ||
           is_there(root, "/var/run/firewalld.pid");
}

static bool zone_opens(const char *line, uint16_t port)
{
    return strstr(line, "<port") && strstr(line, "tcp") && has_number(line, port);
}

static enum port_rule firewalld_rule(const char *root, uint16_t port)
{
    static const char *const zones[] = {"/etc/firewalld/zones/public.xml",
                                        "/etc/firewalld/zones/home.xml",
                                        "/etc/firewalld/zones/FedoraWorkstation.xml"};
    for (size_t i = 0; i < sizeof zones / sizeof zones[0]; i++) {
        struct buf zone = BUF_INIT;
        bool open = !read_file(root, zones[i], &zone) && any_line(&zone, port, zone_opens);
        buf_clear(&zone);
        if (open)
            return RULE_OPEN;
    }
    return RULE_UNKNOWN; /* which zone an interface is in is not in files */
}

/* ---- nftables ---- */

static bool drops(const char *line, uint16_t port)
{
    (void)port;
    return strstr(line, "hook input") && strstr(line, "policy drop");
}

static bool nft_accepts(const char *line, uint16_t port)
{
    return strstr(line, "dport") && strstr(line, "accept") && has_number(line, port);
}

/* True when a ruleset is loaded at boot that drops what comes in. */
static bool has_nftables(const char *root, uint16_t port, enum port_rule *rule)
{
    struct buf conf = BUF_INIT;
    bool on = is_there(root, "/etc/systemd/system/sysinit.target.wants/nftables.service") ||
              is_there(root, "/etc/systemd/system/multi-user.target.wants/nftables.service");
    int error = on ? read_file(root, "/etc/nftables.conf", &conf) : 0;
    bool closes = on && (error || any_line(&conf, 0, drops));
    *rule = error                                      ? RULE_UNKNOWN
            : on && any_line(&conf, port, nft_accepts) ? RULE_OPEN
                                                       : RULE_CLOSED;
    buf_clear(&conf);
    return closes;
}

/* ---- words ---- */

static void say(struct findings *f, const char *name, enum port_rule rule, bool blamed,
                const char *todo, uint16_t port)
{
    if (rule == RULE_OPEN)
        finding_add(f, FINDING_FINE, "firewall", NULL, "%s is on and lets port %u in", name, port);
    else if (rule == RULE_CLOSED)
        finding_add(f, blamed ? FINDING_PROBLEM : FINDING_NOTE, "firewall", todo,
                    "%s is on and has no rule for port %u: friends cannot connect to this machine, "
                    "only be connected to",
                    name, port);
    else
        finding_add(f, blamed ? FINDING_PROBLEM : FINDING_NOTE, "firewall", todo,
                    "%s is on; only root can read whether it lets port %u in", name, port);
}

void firewall_findings(const char *root, uint16_t port, bool blamed, struct findings *f)
{
    char todo[160];
    enum port_rule rule;
    size_t before = f->n;
    if (has_ufw(root)) {
        (void)snprintf(todo, sizeof todo, "sudo ufw allow %u/tcp", port);
        say(f, "ufw", ufw_rule(root, port), blamed, todo, port);
    }
    if (has_firewalld(root)) {
        (void)snprintf(todo, sizeof todo,
                       "sudo firewall-cmd --permanent --add-port=%u/tcp && sudo firewall-cmd "
                       "--reload",
                       port);
        say(f, "firewalld", firewalld_rule(root, port), blamed, todo, port);
    }
    if (has_nftables(root, port, &rule)) {
        (void)snprintf(todo, sizeof todo,
                       "in /etc/nftables.conf, chain input: tcp dport %u accept; then sudo "
                       "systemctl reload nftables",
                       port);
        say(f, "nftables", rule, blamed, todo, port);
    }
    if (f->n == before && !f->error)
        finding_add(f, FINDING_FINE, "firewall", NULL,
                    "no ufw, firewalld or nftables is set up to keep port %u closed, as far as can "
                    "be seen without root",
                    port);
}
