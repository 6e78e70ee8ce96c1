/*
 * address.h - addresses between text, sockaddr and struct rapport_address; what kind they are.
 *
 * An IPv4-mapped IPv6 address (a dual-stack socket gives those) becomes an IPv4 address here and
 * nowhere else. Text in and out is public: rapport/uv.h.
 */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/slice.h"
#include "rapport/uv.h"

enum {
    ADDRESS_MOST_NAME = 253, /* bytes of a host name */
    ADDRESS_PREFIX_BYTES = 9 /* family and 8 bytes */
};

/* A host and a port out of "host:7171", "[::1]:7171", "host", "::1". */
struct address_parts {
    char host[ADDRESS_MOST_NAME + 1]; /* without brackets; numeric or a name */
    uint16_t port;
};

/* Splits text. Returns 0 or RAPPORT_MALFORMED (empty, too long, letters that no name or address
   has, a port that is none). */
int address_split(const char *text, uint16_t default_port, struct address_parts *out);

/* Reads a numeric host. Returns 0, RAPPORT_MALFORMED or RAPPORT_NOTFOUND (no such interface). */
int address_of_host(const char *host, uint16_t port, struct rapport_address *out);

/* Returns 0, or RAPPORT_INVALID for a family that is neither IPv4 nor IPv6. */
int address_of_sockaddr(const struct sockaddr *from, struct rapport_address *out);

/* Fills in a sockaddr; the family must be 4 or 6. */
void address_to_sockaddr(const struct rapport_address *from, struct sockaddr_storage *out);

/* True for :: and 0.0.0.0. */
bool address_is_unspecified(const struct rapport_address *a);
/* True for ::1 and 127.0.0.0/8, also mapped into IPv6. */
bool address_is_loopback(const struct rapport_address *a);
/* fe80::/10, 169.254.0.0/16 */
bool address_is_link_local(const struct rapport_address *a);
/* Same family, bytes, port and scope. */
bool address_equal(const struct rapport_address *a, const struct rapport_address *b);

/* What limits count as one source: the IPv4 address, or the /64 of an IPv6 one. */
void address_prefix(const struct rapport_address *a, uint8_t out[ADDRESS_PREFIX_BYTES]);

/* The error code for a negative libuv error; 0 for 0. */
int address_error(int uv_error);

#endif
