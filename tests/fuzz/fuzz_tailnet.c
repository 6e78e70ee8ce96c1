/*
 * What tailscaled says, by anybody: heads, status, whois, bus. The first byte chooses. Nothing read
 * may be longer than its limit, and every text is printable.
 */
#include <assert.h>
#include <string.h>

#include "base/utf8.h"
#include "net/localapi.h"
#include "net/tailnet_status.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void look_at_text(const char *s)
{
    assert(s);
    for (; *s; s++)
        assert((uint8_t)*s >= ' ' && *s != 0x7f);
}

static void look_at_peer(const struct tailnet_status *s, const struct tailnet_peer *p)
{
    look_at_text(p->id);
    look_at_text(p->name);
    look_at_text(p->os);
    look_at_text(p->relay);
    assert(p->n_ips <= TAILNET_MOST_IPS && p->n_tags <= TAILNET_MOST_TAGS);
    for (size_t i = 0; i < p->n_ips; i++)
        assert(tailnet_is_address(&p->ips[i]) && p->ips[i].port == 0);
    assert(tailnet_skip_text(tailnet_skip(s, p, true, "tag:a", false))[0]);
}

static void status(struct slice in)
{
    struct tailnet_status s;
    if (tailnet_status_read(in, &s))
        return;
    look_at_text(s.version);
    look_at_text(s.backend_word);
    look_at_text(s.auth_url);
    assert(s.n_health <= TAILNET_MOST_HEALTH && s.n_peers <= TAILNET_MOST_PEERS);
    for (size_t i = 0; i < s.n_health; i++)
        look_at_text(s.health[i]);
    for (size_t i = 0; i < s.n_peers; i++)
        look_at_peer(&s, &s.peers[i]);
    tailnet_status_clear(&s);
}

static void whois(struct slice in)
{
    struct tailnet_whois w;
    if (tailnet_whois_read(in, &w))
        return;
    look_at_text(w.name);
    look_at_text(w.login);
    tailnet_whois_clear(&w);
}

/* In one piece and byte by byte is the same. */
static void bus(struct slice in)
{
    struct tailnet_bus whole = {0}, pieces = {0};
    enum tailnet_ring a = tailnet_bus_feed(&whole, in), b = TAILNET_SILENT;
    for (size_t i = 0; i < in.len; i++) {
        enum tailnet_ring one = tailnet_bus_feed(&pieces, slice_of(in.ptr + i, 1));
        if (one > b)
            b = one;
    }
    assert((a == TAILNET_SILENT) == (b == TAILNET_SILENT));
    assert(whole.depth == pieces.depth);
}

static void head(struct slice in)
{
    struct localapi_head h;
    int n = localapi_read_head(in, &h);
    assert(n <= (int)in.len);
    if (n <= 0)
        return;
    assert(h.status <= 999);
    look_at_text(h.version);
    look_at_text(h.dial_addr);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len == 0)
        return 0;
    struct slice in = slice_of(bytes + 1, len - 1);
    switch (bytes[0] % 4) {
    case 0:
        head(in);
        break;
    case 1:
        status(in);
        break;
    case 2:
        whois(in);
        break;
    default:
        bus(in);
        break;
    }
    return 0;
}
