/*
 * gate.h - how often one source may open a connection: a token bucket for each IPv4 address or IPv6
 * /64, of RAPPORT_UV_ACCEPT_BURST and RAPPORT_UV_ACCEPTS_PER_S. Loopback is not limited.
 *
 * A fixed table. Two sources that fall on one slot take it over from each other with a full bucket:
 * that weakens the limit, but nobody can make it refuse somebody else. How many connections are
 * open at once is limited elsewhere (net/listen.c).
 */
#ifndef NET_GATE_H
#define NET_GATE_H

#include "net/address.h"

enum {
    GATE_SLOTS = 256
};

struct gate {
    struct gate_slot {
        uint8_t prefix[ADDRESS_PREFIX_BYTES];
        uint32_t tokens; /* thousandths of a connection */
        uint64_t at;     /* ms: when `tokens` was true; 0 unused */
    } slots[GATE_SLOTS];
};

/* Takes one connection from `source` at `now` (ms); false when it came too soon. */
bool gate_admit(struct gate *g, const struct rapport_address *source, uint64_t now);

#endif
