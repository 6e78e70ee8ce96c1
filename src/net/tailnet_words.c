/*
 * tailnet_words.c - what is said about the tailnet: one line of trouble, and findings for doctor.
 *
 * That a probe got no answer has two reasons which look the same from here: nobody listens on a
 * machine whose firewall drops, or the tailnet's policy drops our port at the far end. Both are
 * named, with the rule to add.
 */
#include <stdio.h>

#include "base/utf8.h"
#include "net/tailnet_state.h"

enum {
    WORDS_MOST_NAMES = 8 /* of machines in one line */
};

/* A sentence and what to do, either "". */
struct words {
    char text[256];
    char todo[256];
};

/* ---- trouble ---- */

static const char *path_of(const struct tailnet *t)
{
    return (const char *)t->path.ptr;
}

static void contact_words(const struct tailnet *t, struct words *w)
{
    switch (t->contact) {
    case TAILNET_UNASKED:
    case TAILNET_ANSWERS:
        break;
    case TAILNET_NO_SOCKET:
        if (t->met || t->path_given)
            (void)snprintf(w->text, sizeof w->text, "Tailscale is not running: no socket at %.120s",
                           path_of(t));
        break;
    case TAILNET_STALE_SOCKET:
        (void)snprintf(w->text, sizeof w->text,
                       "Tailscale is not running: nobody answers at %.120s", path_of(t));
        break;
    case TAILNET_FORBIDDEN:
        (void)snprintf(w->text, sizeof w->text, "tailscaled does not let this user ask at %.120s",
                       path_of(t));
        break;
    case TAILNET_HANGS:
        (void)snprintf(w->text, sizeof w->text, "tailscaled does not answer (waited %d s)",
                       LOCALAPI_REQUEST_MS / 1000);
        break;
    case TAILNET_BROKEN:
        (void)snprintf(w->text, sizeof w->text, "tailscaled's answer makes no sense: %s",
                       t->contact_error ? rapport_strerror(t->contact_error) : "HTTP error");
        break;
    }
}

static const char *contact_todo(const struct tailnet *t)
{
    switch (t->contact) {
    case TAILNET_UNASKED:
    case TAILNET_ANSWERS:
    case TAILNET_BROKEN:
        break;
    case TAILNET_NO_SOCKET:
    case TAILNET_STALE_SOCKET:
        return "start tailscaled";
    case TAILNET_FORBIDDEN:
        return "let this user read tailscaled's socket, or run: sudo tailscale set "
               "--operator=$USER";
    case TAILNET_HANGS:
        return "look at tailscale status; restart tailscaled if it hangs too";
    }
    return "";
}

static void starting_words(const struct tailnet *t, struct words *w)
{
    rapport_time_ms now = tailnet_now(t);
    uint64_t seconds = t->starting && now > t->starting ? (now - t->starting) / 1000 : 0;
    if (seconds * 1000 < TAILNET_STARTING_MS) {
        (void)snprintf(w->text, sizeof w->text, "Tailscale is starting");
        return;
    }
    (void)snprintf(w->text, sizeof w->text,
                   "Tailscale has been starting for %u min: no relay reachable",
                   (unsigned)(seconds / 60));
    (void)snprintf(w->todo, sizeof w->todo, "see whether this machine reaches the internet");
}

static void login_words(const struct tailnet *t, struct words *w)
{
    (void)snprintf(w->text, sizeof w->text, "Tailscale is logged out");
    if (t->status.auth_url[0])
        (void)snprintf(w->todo, sizeof w->todo, "open %.200s", t->status.auth_url);
    else
        (void)snprintf(w->todo, sizeof w->todo, "run tailscale up");
}

static void running_words(const struct tailnet *t, struct words *w)
{
    if (t->status.has_self && !t->status.self.online)
        (void)snprintf(w->text, sizeof w->text,
                       "the tailnet's control server is not reachable: who is on line may be "
                       "outdated, connections stay");
    else if (t->status.has_self && t->status.self.n_ips == 0)
        (void)snprintf(w->text, sizeof w->text, "this machine has no address on the tailnet");
}

static void backend_words(const struct tailnet *t, struct words *w)
{
    switch (t->status.backend) {
    case TAILNET_NO_STATE:
    case TAILNET_STARTING:
        starting_words(t, w);
        break;
    case TAILNET_NEEDS_LOGIN:
        login_words(t, w);
        break;
    case TAILNET_NEEDS_MACHINE_AUTH:
        (void)snprintf(w->text, sizeof w->text, "this machine waits to be let into the tailnet");
        (void)snprintf(w->todo, sizeof w->todo,
                       "ask an administrator of the tailnet to approve it");
        break;
    case TAILNET_STOPPED:
        (void)snprintf(w->text, sizeof w->text, "Tailscale is stopped");
        (void)snprintf(w->todo, sizeof w->todo, "run tailscale up");
        break;
    case TAILNET_RUNNING:
        running_words(t, w);
        break;
    case TAILNET_OTHER_USER:
        (void)snprintf(w->text, sizeof w->text, "another user of this machine holds Tailscale");
        break;
    case TAILNET_UNKNOWN:
        (void)snprintf(w->text, sizeof w->text, "Tailscale is in a state unknown to rapport: %.40s",
                       t->status.backend_word);
        break;
    }
}

static void trouble_words(const struct tailnet *t, struct words *w)
{
    *w = (struct words){.text = ""};
    contact_words(t, w);
    if (w->text[0])
        (void)snprintf(w->todo, sizeof w->todo, "%s", contact_todo(t));
    else if (t->has_status)
        backend_words(t, w);
}

void tailnet_words(struct tailnet *t)
{
    struct words w;
    trouble_words(t, &w);
    (void)snprintf(t->trouble, sizeof t->trouble, "%s%s%s", w.text, w.todo[0] ? ": " : "", w.todo);
}

const char *tailnet_trouble(const struct tailnet *t)
{
    return t->trouble;
}

/* ---- findings ---- */

static void find_daemon(const struct tailnet *t, struct findings *f)
{
    struct words w;
    trouble_words(t, &w);
    if (w.text[0])
        finding_add(f, FINDING_PROBLEM, "tailnet", w.todo, "%s", w.text);
    else if (!t->has_status)
        finding_add(f, FINDING_NOTE, "tailnet", NULL,
                    t->contact == TAILNET_UNASKED ? "tailscaled was not asked yet at %s"
                                                  : "there is no tailscaled at %s",
                    path_of(t));
    if (!t->has_status)
        return;
    finding_add(f, FINDING_FINE, "tailnet", NULL, "tailscaled %s at %s: %s, %s, changes are %s",
                t->version, path_of(t), t->status.backend_word,
                t->status.tun ? "with an interface (TUN)" : "without one (userspace)",
                t->bus && t->bus_http == 200 ? "heard at once" : "polled");
}

static void find_own(const struct tailnet *t, struct findings *f)
{
    struct buf text = BUF_INIT;
    char one[RAPPORT_ADDRESS_TEXT];
    for (size_t i = 0; i < t->n_own; i++)
        buf_printf(&text, "%s%s", i ? ", " : "", rapport_address_print(&t->own[i], one));
    if (t->n_own && buf_cstr(&text))
        finding_add(f, FINDING_FINE, "tailnet", NULL, "this machine is %s on the tailnet %s: %s",
                    t->status.self.name, t->status.tailnet, (const char *)text.ptr);
    buf_clear(&text);
    if (t->n_own && !t->own_tun)
        finding_add(f, FINDING_NOTE, "tailnet", NULL, "connections go through %s",
                    t->has_proxy ? "the SOCKS5 proxy that ALL_PROXY names" : "tailscaled's dial");
    if (t->bad_proxy && !t->own_tun)
        finding_add(f, FINDING_NOTE, "tailnet", NULL,
                    "ALL_PROXY names no SOCKS5 proxy by its address, so it is not used");
}

static void find_machines(const struct plan_counts *c, struct findings *f)
{
    struct buf text = BUF_INIT;
    for (int i = TAILNET_KEEP + 1; i <= TAILNET_SKIP_FILTER; i++)
        if (c->skipped[i])
            buf_printf(&text, "; %zu %s", c->skipped[i], tailnet_skip_text((enum tailnet_skip)i));
    if (buf_cstr(&text))
        finding_add(f, FINDING_FINE, "tailnet", NULL, "%zu machines: %zu may be asked%s", c->listed,
                    c->skipped[TAILNET_KEEP], (const char *)text.ptr);
    buf_clear(&text);
}

static void find_probes(const struct plan_counts *c, struct findings *f)
{
    const size_t *n = c->outcomes;
    size_t probed = n[PLAN_REFUSED] + n[PLAN_SILENT] + n[PLAN_OTHER] + n[PLAN_MEMBER];
    finding_add(f, FINDING_FINE, "tailnet", NULL,
                "probed %zu, refused %zu, timed out %zu, somebody else %zu, of this report %zu "
                "(connected %zu); not asked yet %zu",
                probed, n[PLAN_REFUSED], n[PLAN_SILENT], n[PLAN_OTHER], n[PLAN_MEMBER],
                c->n_connected, n[PLAN_UNTRIED]);
}

static bool is_silent(const struct tailnet *t, const struct tailnet_peer *p)
{
    return p->n_ips && tailnet_plan_outcome(t->plan, &p->ips[0]) == PLAN_SILENT;
}

static void find_silent(const struct tailnet *t, struct findings *f)
{
    struct buf names = BUF_INIT;
    char todo[256];
    size_t n = 0;
    for (size_t i = 0; i < t->status.n_peers; i++)
        if (is_silent(t, &t->status.peers[i]) && n++ < WORDS_MOST_NAMES)
            buf_printf(&names, "%s%s", n > 1 ? ", " : "", t->status.peers[i].name);
    if (n > WORDS_MOST_NAMES)
        buf_printf(&names, " and %zu more", n - WORDS_MOST_NAMES);
    (void)snprintf(todo, sizeof todo,
                   "if rapport runs there, add to the tailnet's policy: {\"grants\": [{\"src\": "
                   "[\"autogroup:member\"], \"dst\": [\"autogroup:member\"], \"ip\": "
                   "[\"tcp:%u\"]}]}",
                   t->config.port);
    if (n && buf_cstr(&names))
        finding_add(f, FINDING_NOTE, "tailnet", todo,
                    "no answer from %s: not running there, or the tailnet policy blocks port %u",
                    (const char *)names.ptr, t->config.port);
    buf_clear(&names);
}

void tailnet_findings(const struct tailnet *t, struct findings *f)
{
    struct plan_counts counts;
    find_daemon(t, f);
    if (!t->has_status)
        return;
    find_own(t, f);
    for (size_t i = 0; i < t->status.n_health; i++)
        finding_add(f, FINDING_NOTE, "tailnet", NULL, "tailscaled says: %s", t->status.health[i]);
    if (!t->wanted) {
        finding_add(f, FINDING_NOTE, "tailnet", NULL,
                    "nobody is looked for: this report has no other member and no open invite");
        return;
    }
    tailnet_plan_counts(t->plan, &counts);
    find_machines(&counts, f);
    find_probes(&counts, f);
    find_silent(t, f);
}
