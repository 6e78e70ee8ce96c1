/*
 * links_read.c - one look at the machine's interfaces: getifaddrs, and on Linux what it does not
 * tell (detection, temporary addresses, default routes) from /proc/net (proc(5), if_inet6: the low
 * byte of the flags of linux/if_addr.h).
 */
#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/address.h"
#include "net/links.h"

enum {
    FLAG_TEMPORARY = 0x01,
    FLAG_OPTIMISTIC = 0x04, /* may be used while detection runs (RFC 4429) */
    FLAG_DUPLICATE = 0x08,
    FLAG_DEPRECATED = 0x20,
    FLAG_TENTATIVE = 0x40,
    LINE_BYTES = 512,
};

static struct links_interface *find(struct links_list *l, const char *name)
{
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->list[i].name, name) == 0)
            return &l->list[i];
    return NULL;
}

static struct links_interface *find_or_add(struct links_list *l, const char *name)
{
    struct links_interface *i = find(l, name);
    uint32_t index = i ? 0 : if_nametoindex(name);
    if (i || l->n == LINKS_MOST_INTERFACES || !index || strlen(name) >= IF_NAMESIZE)
        return i;
    i = &l->list[l->n++];
    *i = (struct links_interface){.index = index};
    memcpy(i->name, name, strlen(name) + 1);
    return i;
}

static uint8_t prefix_of(const struct sockaddr *mask, uint8_t family)
{
    const uint8_t *bytes =
        family == 4
            ? (const uint8_t *)&((const struct sockaddr_in *)(const void *)mask)->sin_addr
            : (const uint8_t *)&((const struct sockaddr_in6 *)(const void *)mask)->sin6_addr;
    uint8_t bits = 0;
    for (unsigned b = 0; b < (family == 4 ? 32u : 128u); b++)
        bits = (uint8_t)(bits + (bytes[b / 8] >> (7 - b % 8) & 1));
    return bits;
}

static void add_address(struct links_interface *i, const struct ifaddrs *a)
{
    struct rapport_address address;
    if (!a->ifa_addr || !a->ifa_netmask || i->n == LINKS_MOST_ADDRESSES ||
        address_of_sockaddr(a->ifa_addr, &address))
        return;
    address.port = 0;
    i->list[i->n++] = (struct links_address){.address = address,
                                             .prefix = prefix_of(a->ifa_netmask, address.family)};
}

/* ---- what getifaddrs does not tell ---- */

static bool read_hex(const char *text, uint8_t out[16])
{
    for (size_t i = 0; i < 16; i++) {
        unsigned byte;
        if (sscanf(text + 2 * i, "%2x", &byte) != 1)
            return false;
        out[i] = (uint8_t)byte;
    }
    return true;
}

/* "fe80000000000000...01 02 40 20 80     eth0": address, index, prefix, scope, flags, name. */
static void take_flags(struct links_list *l, const char *line)
{
    char hex[33];
    unsigned index, prefix, scope, flags;
    uint8_t bytes[16];
    if (sscanf(line, "%32s %x %x %x %x", hex, &index, &prefix, &scope, &flags) != 5 ||
        strlen(hex) != 32 || !read_hex(hex, bytes))
        return;
    for (size_t i = 0; i < l->n; i++)
        for (size_t k = 0; l->list[i].index == index && k < l->list[i].n; k++) {
            struct links_address *a = &l->list[i].list[k];
            if (a->address.family != 6 || memcmp(a->address.bytes, bytes, 16) != 0)
                continue;
            a->tentative = (flags & FLAG_DUPLICATE) ||
                           (flags & (FLAG_TENTATIVE | FLAG_OPTIMISTIC)) == FLAG_TENTATIVE;
            a->temporary = flags & FLAG_TEMPORARY;
            a->deprecated = flags & FLAG_DEPRECATED;
        }
}

/* "eth0 00000000 ...": interface, destination. */
static void take_route4(struct links_list *l, const char *line)
{
    char name[IF_NAMESIZE];
    unsigned to;
    struct links_interface *i;
    if (sscanf(line, "%15s %x", name, &to) == 2 && to == 0 && (i = find(l, name)) != NULL)
        i->routes = true;
}

/* "00000000000000000000000000000000 00 ... eth0": destination, its prefix, ..., interface. The
   unreachable default of every machine goes to lo. */
static void take_route6(struct links_list *l, const char *line)
{
    char to[33], name[IF_NAMESIZE];
    unsigned prefix;
    struct links_interface *i;
    if (sscanf(line, "%32s %x %*s %*s %*s %*s %*s %*s %*s %15s", to, &prefix, name) == 3 &&
        prefix == 0 && strspn(to, "0") == 32 && (i = find(l, name)) != NULL)
        i->routes = true;
}

static void each_line(const char *path, struct links_list *l,
                      void (*take)(struct links_list *l, const char *line))
{
    char line[LINE_BYTES];
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        take(l, line);
    if (f)
        (void)fclose(f);
}

void links_read(struct links_list *out)
{
    struct ifaddrs *all = NULL;
    out->n = 0;
    if (getifaddrs(&all))
        return;
    for (const struct ifaddrs *a = all; a; a = a->ifa_next) {
        struct links_interface *i = find_or_add(out, a->ifa_name);
        if (!i)
            continue;
        i->flags = a->ifa_flags;
        add_address(i, a);
    }
    freeifaddrs(all);
    each_line("/proc/net/if_inet6", out, take_flags);
    each_line("/proc/net/route", out, take_route4);
    each_line("/proc/net/ipv6_route", out, take_route6);
}

/* ---- judging ---- */

bool links_is_virtual(const struct links_interface *i)
{
    static const char *const prefixes[] = {"docker", "br-",   "veth", "virbr",
                                           "vmnet",  "lxcbr", "awdl", "llw"};
    for (size_t k = 0; k < sizeof prefixes / sizeof prefixes[0] && !i->routes; k++)
        if (strncmp(i->name, prefixes[k], strlen(prefixes[k])) == 0)
            return true;
    return false;
}

const char *links_unsuitable(const struct links_interface *i)
{
    if (i->flags & IFF_LOOPBACK)
        return "this machine itself";
    if (i->flags & IFF_POINTOPOINT)
        return "a tunnel: nobody else is on it";
    if (!(i->flags & IFF_UP))
        return "switched off";
    if (!(i->flags & IFF_RUNNING))
        return "not connected";
    if (!(i->flags & IFF_MULTICAST))
        return "it carries no multicast";
    if (links_is_virtual(i))
        return "it belongs to containers or virtual machines";
    return NULL;
}

static bool has_address(const struct links_interface *i, const struct links_address *a)
{
    for (size_t k = 0; k < i->n; k++)
        if (i->list[k].tentative == a->tentative && address_equal(&i->list[k].address, &a->address))
            return true;
    return false;
}

static bool has_all(const struct links_interface *of, const struct links_interface *in)
{
    for (size_t k = 0; k < of->n; k++)
        if (!of->list[k].tentative && !has_address(in, &of->list[k]))
            return false;
    return true;
}

static bool has_links(const struct links_list *of, const struct links_list *in)
{
    const unsigned flags = IFF_UP | IFF_RUNNING;
    for (size_t i = 0; i < of->n; i++) {
        const struct links_interface *a = &of->list[i], *b = NULL;
        for (size_t k = 0; k < in->n && !b; k++)
            if (in->list[k].index == a->index)
                b = &in->list[k];
        if (links_is_virtual(a))
            continue;
        if (!b || (a->flags & flags) != (b->flags & flags) || !has_all(a, b))
            return false;
    }
    return true;
}

bool links_differ(const struct links_list *a, const struct links_list *b)
{
    return !has_links(a, b) || !has_links(b, a);
}

const struct links_interface *links_holder(const struct links_list *l,
                                           const struct rapport_address *address)
{
    struct links_address wanted = {.address = *address};
    wanted.address.port = 0;
    for (size_t i = 0; i < l->n; i++)
        if (has_address(&l->list[i], &wanted))
            return &l->list[i];
    return NULL;
}

static bool same_prefix(const struct links_address *own, const struct rapport_address *a)
{
    size_t whole = own->prefix / 8;
    unsigned rest = own->prefix % 8;
    if (own->address.family != a->family || memcmp(own->address.bytes, a->bytes, whole) != 0)
        return false;
    return !rest || ((own->address.bytes[whole] ^ a->bytes[whole]) >> (8 - rest)) == 0;
}

bool links_on(const struct links_interface *i, const struct rapport_address *address)
{
    if (address->family == 6 && address_is_link_local(address))
        return address->scope == i->index;
    for (size_t k = 0; k < i->n; k++)
        if (same_prefix(&i->list[k], address))
            return true;
    return false;
}
