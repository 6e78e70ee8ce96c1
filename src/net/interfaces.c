/*
 * interfaces.c - the machine's own addresses, to tell peers and to know who is on-link.
 *
 * Bridges of container and virtual machine programs are left out: nobody reaches them from outside,
 * and their addresses are the same on every machine.
 */
#include "net/net.h"

static bool is_virtual(const char *name)
{
    static const char *const prefixes[] = {"docker", "br-", "veth", "virbr", "vmnet", "lxcbr"};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return false;
}

static int of_interface(const uv_interface_address_t *i, struct rapport_address *out)
{
    return address_of_sockaddr((const struct sockaddr *)&i->address, out);
}

struct list {
    struct rapport_address *out;
    size_t n, most;
};

static void add(struct list *l, const struct rapport_address *a)
{
    for (size_t i = 0; i < l->n; i++)
        if (address_equal(&l->out[i], a))
            return;
    if (l->n < l->most)
        l->out[l->n++] = *a;
}

static void add_family(struct list *l, const uv_interface_address_t *all, int n, uint8_t family,
                       bool loopback)
{
    for (int i = 0; i < n; i++) {
        struct rapport_address a;
        if (is_virtual(all[i].name) || of_interface(&all[i], &a) || a.family != family)
            continue;
        if (!address_is_link_local(&a) && address_is_loopback(&a) == loopback)
            add(l, &a);
    }
}

size_t interfaces_list(struct rapport_address *out, size_t most)
{
    struct list l = {out, 0, most};
    uv_interface_address_t *all;
    int n;
    if (uv_interface_addresses(&all, &n))
        return 0;
    add_family(&l, all, n, 6, false);
    /* Leave room for IPv4 beside many temporary IPv6 addresses. */
    if (l.n > most - most / 3)
        l.n = most - most / 3;
    add_family(&l, all, n, 4, false);
    if (l.n == 0) {
        add_family(&l, all, n, 6, true);
        add_family(&l, all, n, 4, true);
    }
    uv_free_interface_addresses(all, n);
    return l.n;
}

static bool same_net(const uv_interface_address_t *i, const struct rapport_address *a)
{
    struct rapport_address own;
    const uint8_t *mask = a->family == 4 ? (const uint8_t *)&i->netmask.netmask4.sin_addr
                                         : (const uint8_t *)&i->netmask.netmask6.sin6_addr;
    if (of_interface(i, &own) || own.family != a->family)
        return false;
    for (size_t b = 0; b < (a->family == 4 ? 4u : 16u); b++)
        if ((own.bytes[b] ^ a->bytes[b]) & mask[b])
            return false;
    return true;
}

bool interfaces_near(const struct rapport_address *address)
{
    uv_interface_address_t *all;
    int n;
    if (address_is_loopback(address) || address_is_link_local(address))
        return true;
    if (uv_interface_addresses(&all, &n))
        return false;
    bool near = false;
    for (int i = 0; i < n && !near; i++)
        near = same_net(&all[i], address);
    uv_free_interface_addresses(all, n);
    return near;
}
