/* socks.c - see socks.h. A message is collected until its length is known and reached. */
#include "net/socks.h"

#include <strings.h>

#include "net/address.h"

enum {
    VERSION = 5,
    NO_AUTHENTICATION = 0,
    CONNECT = 1,
    TYPE_IPV4 = 1,
    TYPE_NAME = 3,
    TYPE_IPV6 = 4,
    DEFAULT_PORT = 1080,
    MOST_URL = 300,
};

void socks_init(struct socks *s, const struct rapport_address *to)
{
    *s = (struct socks){.state = SOCKS_METHOD, .to = *to};
}

size_t socks_output(const struct socks *s, uint8_t out[SOCKS_MOST_REQUEST])
{
    static const uint8_t greeting[] = {VERSION, 1, NO_AUTHENTICATION};
    if (s->state == SOCKS_METHOD) {
        memcpy(out, greeting, sizeof greeting);
        return sizeof greeting;
    }
    if (s->state == SOCKS_OPEN)
        return 0;
    size_t n = s->to.family == 4 ? 4 : 16;
    out[0] = VERSION;
    out[1] = CONNECT;
    out[2] = 0;
    out[3] = s->to.family == 4 ? TYPE_IPV4 : TYPE_IPV6;
    memcpy(out + 4, s->to.bytes, n);
    out[4 + n] = (uint8_t)(s->to.port >> 8);
    out[5 + n] = (uint8_t)s->to.port;
    return n + 6;
}

/* How long the awaited message is, as far as its first bytes tell; 0: of no known kind. */
static size_t length(const struct socks *s)
{
    if (s->state == SOCKS_METHOD)
        return 2;
    if (s->n_have < 5)
        return 5;
    switch (s->have[3]) {
    case TYPE_IPV4:
        return 4 + 4 + 2;
    case TYPE_IPV6:
        return 4 + 16 + 2;
    case TYPE_NAME:
        return 4 + 1 + (size_t)s->have[4] + 2;
    default:
        return 0;
    }
}

static int code_error(uint8_t code)
{
    switch (code) {
    case 0:
        return 0;
    case 2: /* not allowed by ruleset */
        return RAPPORT_PERMISSION;
    case 7: /* command not supported */
    case 8: /* address type not supported */
        return RAPPORT_IO;
    case 1: /* general failure: what tailscaled says whatever went wrong */
    case 3: /* network, */
    case 4: /* host unreachable, */
    case 5: /* connection refused, */
    case 6: /* TTL expired */
        return RAPPORT_UNREACHABLE;
    default:
        return RAPPORT_MALFORMED;
    }
}

static int take_message(struct socks *s)
{
    s->n_have = 0;
    if (s->state == SOCKS_REPLY) {
        s->state = SOCKS_OPEN;
        return 0;
    }
    if (s->have[1] != NO_AUTHENTICATION)
        return RAPPORT_PERMISSION;
    s->state = SOCKS_REPLY;
    return RAPPORT_AGAIN;
}

int socks_input(struct socks *s, struct slice bytes, size_t *used)
{
    int error = s->state == SOCKS_OPEN ? 0 : RAPPORT_AGAIN;
    for (*used = 0; error == RAPPORT_AGAIN && *used < bytes.len;) {
        s->have[s->n_have++] = bytes.ptr[(*used)++];
        if (s->have[0] != VERSION || length(s) == 0)
            return RAPPORT_MALFORMED;
        /* Code first: some send nothing sensible behind a refusal. */
        if (s->state == SOCKS_REPLY && s->n_have == 2 && s->have[1])
            return code_error(s->have[1]);
        if (s->n_have == length(s))
            error = take_message(s);
    }
    return error;
}

int socks_proxy(const char *text, struct rapport_address *out)
{
    static const char *const schemes[] = {"socks5://", "socks5h://"};
    struct address_parts parts;
    char host[MOST_URL];
    const char *rest = NULL;
    for (size_t i = 0; i < 2; i++)
        if (strncasecmp(text, schemes[i], strlen(schemes[i])) == 0)
            rest = text + strlen(schemes[i]);
    size_t len = rest ? strlen(rest) : 0;
    if (len > 0 && rest[len - 1] == '/')
        len--;
    if (len == 0 || len >= sizeof host)
        return RAPPORT_INVALID;
    memcpy(host, rest, len);
    host[len] = '\0';
    if (address_split(host, DEFAULT_PORT, &parts) || parts.port == 0)
        return RAPPORT_INVALID;
    const char *name = strcasecmp(parts.host, "localhost") ? parts.host : "127.0.0.1";
    return address_of_host(name, parts.port, out) ? RAPPORT_INVALID : 0;
}
