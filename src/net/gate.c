/*
 * gate.c - token buckets in a direct-mapped table (FNV-1a over the prefix).
 */
#include <string.h>

#include "net/gate.h"

enum {
    ONE = 1000 /* a token, in thousandths */
};

static size_t slot_of(const uint8_t prefix[ADDRESS_PREFIX_BYTES])
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < ADDRESS_PREFIX_BYTES; i++)
        hash = (hash ^ prefix[i]) * 1099511628211u;
    /* The last byte has hardly reached the upper half yet. */
    hash = (hash ^ hash >> 32) * 0x9e3779b97f4a7c15u;
    return (size_t)(hash >> 32) % GATE_SLOTS;
}

bool gate_admit(struct gate *g, const struct rapport_address *source, uint64_t now)
{
    if (address_is_loopback(source))
        return true;
    uint8_t prefix[ADDRESS_PREFIX_BYTES];
    address_prefix(source, prefix);
    struct gate_slot *s = &g->slots[slot_of(prefix)];
    uint64_t full = (uint64_t)RAPPORT_UV_ACCEPT_BURST * ONE;
    uint64_t tokens = full;
    if (s->at && memcmp(s->prefix, prefix, sizeof prefix) == 0) {
        uint64_t passed = now > s->at ? now - s->at : 0;
        tokens = passed > 3600000 ? full : s->tokens + passed * RAPPORT_UV_ACCEPTS_PER_S;
    }
    if (tokens > full)
        tokens = full;
    bool admitted = tokens >= ONE;
    memcpy(s->prefix, prefix, sizeof prefix);
    s->tokens = (uint32_t)(admitted ? tokens - ONE : tokens);
    s->at = now ? now : 1;
    return admitted;
}
