/*
 * links.h - the machine's links: which interfaces and addresses there are, and word of it when they
 * change or when the machine has slept.
 *
 * On Linux the kernel tells: netlink for links and addresses, a timerfd that ends when the clock is
 * set (also by waking up), SIGCONT. So an idle machine is looked at every LINKS_NET_MS only, in
 * case a word was missed. Elsewhere every LINKS_POLL_MS.
 *
 * An address is used once duplicate address detection is over (RFC 4862 5.4) and until it is
 * removed. Interfaces of container and virtual machine programs are left out, unless the default
 * route goes there: nobody reaches them from outside, and their addresses are the same on every
 * machine.
 */
#ifndef NET_LINKS_H
#define NET_LINKS_H

#include <net/if.h>

#include "rapport/uv.h"

enum {
    LINKS_MOST_INTERFACES = 32, /* further ones are not seen */
    LINKS_MOST_ADDRESSES = 16,  /* of one interface */
    LINKS_SETTLE_MS = 500,      /* a link flaps; what it comes to is looked at once */
    LINKS_NET_MS = 60000,
    LINKS_POLL_MS = 5000,
    LINKS_SLEPT_MS = 2000, /* a timer so late, or clocks so far apart: the machine slept */
};

struct links_address {
    struct rapport_address address; /* port 0 */
    uint8_t prefix;                 /* bits */
    bool tentative;                 /* not ours yet, or a duplicate of somebody else's */
    bool temporary;                 /* RFC 8981: changes, so it says less about the machine */
    bool deprecated;                /* not for new connections */
};

struct links_interface {
    char name[IF_NAMESIZE];
    uint32_t index;
    unsigned flags; /* IFF_ of net/if.h */
    bool routes;    /* the default route goes there */
    struct links_address list[LINKS_MOST_ADDRESSES];
    size_t n;
};

struct links_list {
    struct links_interface list[LINKS_MOST_INTERFACES];
    size_t n;
};

/* Reads them all. Where the system does not answer the list is empty. */
void links_read(struct links_list *out);
/* True for docker*, br-*, veth* and the like that carry no default route. */
bool links_is_virtual(const struct links_interface *i);
/* NULL where friends can be looked for on this interface by multicast, else why not, for people. */
const char *links_unsuitable(const struct links_interface *i);
/* True where the two differ in an interface that is not virtual: up or down, or in its addresses
   that can be used. */
bool links_differ(const struct links_list *a, const struct links_list *b);
/* The interface that has this address (port ignored) and is past detection, or NULL. */
const struct links_interface *links_holder(const struct links_list *l,
                                           const struct rapport_address *address);
/* True when the address is within a prefix of this interface. */
bool links_on(const struct links_interface *i, const struct rapport_address *address);

struct links;

struct links_config {
    uv_loop_t *loop;
    void *user;
    /* The links differ from before, or (`woke`) the machine slept, was stopped or its clock was
       set. From the loop. */
    void (*changed)(void *user, bool woke);
};

/* Begins to watch. What the system refuses is made up for by looking more often. Returns 0,
   RAPPORT_NOMEM or RAPPORT_IO. */
int links_open(const struct links_config *config, struct links **out);
/* Ends it; then `closed` from the loop. */
void links_close(struct links *l, void (*closed)(void *user), void *user);
/* What was seen last; valid until the next turn of the loop. */
const struct links_list *links_now(const struct links *l);

#endif
