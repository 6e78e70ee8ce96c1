/*
 * interfaces.c - the machine's own addresses, to tell peers and to know who is on-link.
 */
#include "net/links.h"
#include "net/net.h"

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

static void add_family(struct list *l, const struct links_list *links, uint8_t family,
                       bool loopback)
{
    for (size_t i = 0; i < links->n; i++) {
        const struct links_interface *on = &links->list[i];
        for (size_t k = 0; k < on->n && !links_is_virtual(on); k++) {
            const struct rapport_address *a = &on->list[k].address;
            if (a->family == family && !on->list[k].tentative && (on->flags & IFF_UP) &&
                !address_is_link_local(a) && address_is_loopback(a) == loopback)
                add(l, a);
        }
    }
}

size_t interfaces_list(const struct links_list *links, struct rapport_address *out, size_t most)
{
    struct list l = {out, 0, most};
    add_family(&l, links, 6, false);
    /* Leave room for IPv4 beside many temporary IPv6 addresses. */
    if (l.n > most - most / 3)
        l.n = most - most / 3;
    add_family(&l, links, 4, false);
    if (l.n == 0) {
        add_family(&l, links, 6, true);
        add_family(&l, links, 4, true);
    }
    return l.n;
}

bool interfaces_near(const struct links_list *links, const struct rapport_address *address)
{
    if (address_is_loopback(address) || address_is_link_local(address))
        return true;
    for (size_t i = 0; i < links->n; i++)
        if (links_on(&links->list[i], address))
            return true;
    return false;
}
