/*
 * tailnet_bus.c - the bus as a doorbell: one JSON object a line, some of them of many megabytes, of
 * which only the names of the outermost fields matter, and whether their value is null. Nothing is
 * built and nothing is kept but the name at hand.
 *
 * Which names ring: State, NetMap (up to 1.98 each change repeats it), SelfChange, PeerChanges
 * (1.98), PeersChanged and PeersRemoved (from 1.100), and inside PeerChangedPatch (an array of
 * objects) Online, Key and KeyExpiry: endpoints and regions change all the time and tell us
 * nothing.
 *
 * The bytes need not be JSON: what they cannot do is make this read or write past its state, and
 * the worst ring is one status fetched for nothing.
 */
#include <string.h>

#include "net/tailnet_status.h"

enum {
    VALUE_NONE,   /* no value begins now */
    VALUE_BEGINS, /* behind the colon of an interesting key */
};

enum {
    DEPTH_FIELDS = 1, /* inside the outermost object */
    DEPTH_PATCH = 3,  /* inside an object of the array of patches */
    DEPTH_MOST = 1000000,
};

static bool is_one_of(const struct tailnet_bus *b, const char *const *words)
{
    for (; *words; words++)
        if (strlen(*words) == b->key_len && memcmp(b->key, *words, b->key_len) == 0)
            return true;
    return false;
}

static bool key_rings(const struct tailnet_bus *b)
{
    static const char *const fields[] = {
        "State",        "NetMap",       "SelfChange", "PeerChanges",
        "PeersChanged", "PeersRemoved", "ErrMessage", NULL};
    static const char *const patches[] = {"Online", "Key", "KeyExpiry", NULL};
    if (b->depth == DEPTH_FIELDS)
        return is_one_of(b, fields);
    return b->depth == DEPTH_PATCH && b->in_patch && is_one_of(b, patches);
}

static void end_key(struct tailnet_bus *b)
{
    static const char *const patch[] = {"PeerChangedPatch", NULL}, *const ends[] = {"ErrMessage",
                                                                                    NULL};
    if (b->depth == DEPTH_FIELDS) {
        b->in_patch = is_one_of(b, patch);
        b->is_end = is_one_of(b, ends);
    }
    b->state = key_rings(b) ? VALUE_BEGINS : VALUE_NONE;
}

/* A byte inside of a string. */
static void feed_string(struct tailnet_bus *b, uint8_t c)
{
    if (b->escaped) {
        b->escaped = false;
    } else if (c == '\\') {
        b->escaped = true;
    } else if (c == '"') {
        b->in_string = false;
        return;
    }
    if (b->key_len < sizeof b->key)
        b->key[b->key_len++] = (char)c;
}

static void begin_value(struct tailnet_bus *b, uint8_t c)
{
    if (c == ' ' || c == '\t')
        return;
    b->state = VALUE_NONE;
    if (c == 'n')
        return; /* null: the field is not set */
    b->ring = true;
    b->ends = b->ends || (b->is_end && b->depth == DEPTH_FIELDS);
}

static void feed_plain(struct tailnet_bus *b, uint8_t c)
{
    if (c == ':') {
        end_key(b);
        return;
    }
    if (b->state == VALUE_BEGINS)
        begin_value(b, c);
    if (c == '"') {
        b->in_string = true;
        b->key_len = 0;
    } else if ((c == '{' || c == '[') && b->depth < DEPTH_MOST) {
        b->depth++;
    } else if ((c == '}' || c == ']') && b->depth > 0) {
        b->depth--;
    }
}

enum tailnet_ring tailnet_bus_feed(struct tailnet_bus *b, struct slice bytes)
{
    enum tailnet_ring out = TAILNET_SILENT;
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t c = bytes.ptr[i];
        if (b->in_string && c != '\n') { /* a line end never stands inside of a JSON string */
            feed_string(b, c);
            continue;
        }
        if (c != '\n') {
            feed_plain(b, c);
            continue;
        }
        if (b->ends)
            out = TAILNET_BUS_ENDS;
        else if (b->ring && out == TAILNET_SILENT)
            out = TAILNET_RING;
        *b = (struct tailnet_bus){0};
    }
    return out;
}

unsigned tailnet_bus_mask(unsigned cap)
{
    enum {
        INITIAL_STATE = 2,
        NO_PRIVATE_KEYS = 16, /* wanted of others than root up to 1.90 */
        RATE_LIMIT = 256,     /* refused together with the newer bits from 1.102 on */
        PEER_CHANGES = 4096,
        PEER_PATCHES = 32768,
        CAP_PATCHES = 141, /* 1.100 */
    };
    return INITIAL_STATE | NO_PRIVATE_KEYS |
           (cap >= CAP_PATCHES ? PEER_CHANGES | PEER_PATCHES : RATE_LIMIT);
}
