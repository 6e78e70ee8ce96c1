/*
 * socks.h - asking a SOCKS5 proxy for a TCP connection (RFC 1928), without sockets: bytes in, bytes
 * out. No authentication: tailscaled asks for none on its own machine.
 *
 *   greeting  05 01 00                          one method: none
 *   method    05 00                             anything else: it wants a password
 *   request   05 01 00 type address port        type 1: 4 bytes, 4: 16 bytes; port big-endian
 *   reply     05 code 00 type address port      type 3: length (1 byte) and a name
 *
 * What follows the reply belongs to the connection.
 */
#ifndef NET_SOCKS_H
#define NET_SOCKS_H

#include "base/slice.h"
#include "rapport/rapport.h"

enum {
    SOCKS_MOST_REQUEST = 22,        /* bytes of greeting or request */
    SOCKS_MOST_REPLY = 4 + 256 + 2, /* with the longest name */
};

enum socks_state {
    SOCKS_METHOD, /* the greeting is out, the method is awaited */
    SOCKS_REPLY,
    SOCKS_OPEN,
};

struct socks {
    enum socks_state state;
    struct rapport_address to;
    uint8_t have[SOCKS_MOST_REPLY]; /* of the message that is awaited */
    size_t n_have;
};

/* Begins; `to` must have a family of 4 or 6. Then socks_output is to be sent. */
void socks_init(struct socks *s, const struct rapport_address *to);

/* What is to be sent in this state, into out; returns its length. */
size_t socks_output(const struct socks *s, uint8_t out[SOCKS_MOST_REQUEST]);

/* Takes bytes from the proxy; *used of them belonged to the handshake. Returns 0: the connection is
   open. RAPPORT_AGAIN: more is needed, and when the state went on socks_output is to be sent.
   RAPPORT_UNREACHABLE, RAPPORT_PERMISSION (by the proxy's rules, or it wants a password),
   RAPPORT_IO (it cannot do this at all), RAPPORT_MALFORMED. */
int socks_input(struct socks *s, struct slice bytes, size_t *used);

/* Reads "socks5://127.0.0.1:1055" (or socks5h, a closing slash, [::1], localhost; port 1080 where
   there is none). Returns 0, or RAPPORT_INVALID for other schemes, other names and passwords. */
int socks_proxy(const char *text, struct rapport_address *out);

#endif
