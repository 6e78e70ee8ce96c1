/* discover.c - see discover.h. */
#include "net/discover.h"
#include "net/net.h"

void discover_path(const struct rapport_uv *uv, const struct rapport_address *address,
                   struct discover_path *out)
{
    *out = (struct discover_path){.kind = DISCOVER_ROUTED};
    for (size_t i = 0; i < uv->n_own; i++) {
        struct rapport_address own = uv->own[i];
        own.port = address->port;
        if (address_equal(&own, address))
            out->kind = DISCOVER_HERE;
    }
    if (address_is_loopback(address))
        out->kind = DISCOVER_HERE;
    else if (out->kind == DISCOVER_ROUTED && interfaces_near(address))
        out->kind = DISCOVER_LAN;
}

void discover_view(const struct rapport_uv *uv, struct discover_view *out)
{
    (void)uv;
    *out = (struct discover_view){.lan = RAPPORT_UV_LAN_OFF, .tailnet = RAPPORT_UV_TAILNET_OFF};
}

void discover_findings(const struct rapport_uv *uv, struct findings *f)
{
    (void)uv;
    finding_add(f, FINDING_NOTE, "lan", NULL, "friends are not looked for on the LAN");
    finding_add(f, FINDING_NOTE, "tailnet", NULL, "friends are not looked for on the tailnet");
}
