/* hint.c - kinds of addresses: which are tried first, and which may be told to others. */
#include "node/parts.h"

static const uint8_t tailnet6[6] = {0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0};
static const uint8_t zeros[16];

bool hint_same(const struct rapport_address *a, const struct rapport_address *b)
{
    size_t len = a->family == 4 ? 4 : 16;
    return a->family == b->family && a->port == b->port && a->scope == b->scope &&
           memcmp(a->bytes, b->bytes, len) == 0;
}

bool hint_is_link_local(const struct rapport_address *a)
{
    if (a->family == 4)
        return a->bytes[0] == 169 && a->bytes[1] == 254;
    return a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80;
}

static bool is_loopback(const struct rapport_address *a)
{
    return a->family == 4 ? a->bytes[0] == 127
                          : memcmp(a->bytes, zeros, 15) == 0 && a->bytes[15] == 1;
}

/* 0.0.0.0/8; ::, and the IPv4 addresses that IPv6 can write */
static bool is_nowhere(const struct rapport_address *a)
{
    return a->family == 4 ? a->bytes[0] == 0 : memcmp(a->bytes, zeros, 10) == 0;
}

static bool is_group(const struct rapport_address *a)
{
    return a->family == 4 ? a->bytes[0] >= 224 : a->bytes[0] == 0xff;
}

bool hint_is_public(const struct rapport_address *a)
{
    return (a->family == 4 || a->family == 6) && a->port && !hint_is_link_local(a) &&
           !is_loopback(a) && !is_nowhere(a) && !is_group(a);
}

static bool is_tailnet(const struct rapport_address *a)
{
    return a->family == 4 ? a->bytes[0] == 100 && (a->bytes[1] & 0xc0) == 64
                          : memcmp(a->bytes, tailnet6, sizeof tailnet6) == 0;
}

static bool is_private4(const struct rapport_address *a)
{
    const uint8_t *b = a->bytes;
    return b[0] == 10 || (b[0] == 172 && (b[1] & 0xf0) == 16) || (b[0] == 192 && b[1] == 168);
}

unsigned hint_rank(const struct rapport_address *a)
{
    if (is_tailnet(a))
        return 4;
    if (a->family == 6)
        return hint_is_link_local(a) ? 0 : 1;
    return is_private4(a) ? 2 : 3;
}
