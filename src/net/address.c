/*
 * address.c - text forms: IPv6 in brackets where a port follows (RFC 3986 3.2.2), zone after '%'
 * (RFC 4007 11).
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "net/address.h"

/* ---- text ---- */

static int parse_port(const char *text, uint16_t *out)
{
    unsigned value = 0;
    size_t n = 0;
    for (; text[n] >= '0' && text[n] <= '9' && n < 6; n++)
        value = value * 10 + (unsigned)(text[n] - '0');
    if (n == 0 || n > 5 || text[n] || value > UINT16_MAX)
        return RAPPORT_MALFORMED;
    *out = (uint16_t)value;
    return 0;
}

static bool is_host_letter(char c, bool numeric6)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
        return true;
    return c == '.' || c == '-' || c == '_' || (numeric6 && (c == ':' || c == '%'));
}

static int take_host(const char *from, size_t len, bool numeric6, struct address_parts *out)
{
    if (len == 0 || len > ADDRESS_MOST_NAME || from[0] == '-')
        return RAPPORT_MALFORMED;
    for (size_t i = 0; i < len; i++)
        if (!is_host_letter(from[i], numeric6))
            return RAPPORT_MALFORMED;
    memcpy(out->host, from, len);
    out->host[len] = '\0';
    return 0;
}

int address_split(const char *text, uint16_t default_port, struct address_parts *out)
{
    struct address_parts parts = {.port = default_port};
    const char *colon = strchr(text, ':'), *port = NULL, *close = NULL;
    int error;
    if (text[0] == '[') {
        close = strchr(text, ']');
        if (!close || (close[1] && close[1] != ':'))
            return RAPPORT_MALFORMED;
        error = take_host(text + 1, (size_t)(close - text - 1), true, &parts);
        port = close[1] ? close + 2 : NULL;
    } else if (colon && strchr(colon + 1, ':')) {
        error = take_host(text, strlen(text), true, &parts);
    } else {
        error = take_host(text, colon ? (size_t)(colon - text) : strlen(text), false, &parts);
        port = colon ? colon + 1 : NULL;
    }
    if (!error && port)
        error = parse_port(port, &parts.port);
    if (!error)
        *out = parts;
    return error;
}

static int parse_scope(const char *zone, uint32_t *out)
{
    unsigned index = if_nametoindex(zone);
    uint16_t number = 0;
    if (!index && !parse_port(zone, &number))
        index = number;
    if (!index)
        return RAPPORT_NOTFOUND;
    *out = index;
    return 0;
}

int address_of_host(const char *host, uint16_t port, struct rapport_address *out)
{
    struct rapport_address a = {.family = 4, .port = port};
    if (inet_pton(AF_INET, host, a.bytes) == 1) {
        *out = a;
        return 0;
    }
    char plain[INET6_ADDRSTRLEN];
    const char *zone = strchr(host, '%');
    size_t len = zone ? (size_t)(zone - host) : strlen(host);
    if (len >= sizeof plain)
        return RAPPORT_MALFORMED;
    memcpy(plain, host, len);
    plain[len] = '\0';
    a.family = 6;
    if (inet_pton(AF_INET6, plain, a.bytes) != 1)
        return RAPPORT_MALFORMED;
    int error = zone ? parse_scope(zone + 1, &a.scope) : 0;
    if (!error)
        *out = a;
    return error;
}

int rapport_address_parse(const char *text, uint16_t port, struct rapport_address *out)
{
    struct address_parts parts;
    int error = address_split(text, port, &parts);
    return error ? error : address_of_host(parts.host, parts.port, out);
}

const char *rapport_address_print(const struct rapport_address *a, char *out)
{
    char host[INET6_ADDRSTRLEN] = "?", zone[IF_NAMESIZE + 1] = "";
    (void)inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->bytes, host, sizeof host);
    if (a->family == 4) {
        (void)snprintf(out, RAPPORT_ADDRESS_TEXT, "%s:%u", host, a->port);
        return out;
    }
    if (a->scope && if_indextoname(a->scope, zone + 1))
        zone[0] = '%';
    (void)snprintf(out, RAPPORT_ADDRESS_TEXT, "[%s%s]:%u", host, zone, a->port);
    return out;
}

/* ---- sockaddr ---- */

int address_of_sockaddr(const struct sockaddr *from, struct rapport_address *out)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    struct rapport_address a = {.family = 4};
    if (from->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, from, sizeof in);
        memcpy(a.bytes, &in.sin_addr, 4);
        a.port = ntohs(in.sin_port);
    } else if (from->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, from, sizeof in6);
        a.port = ntohs(in6.sin6_port);
        if (memcmp(&in6.sin6_addr, mapped, sizeof mapped) == 0) {
            memcpy(a.bytes, (const uint8_t *)&in6.sin6_addr + sizeof mapped, 4);
        } else {
            a.family = 6;
            memcpy(a.bytes, &in6.sin6_addr, 16);
            a.scope = address_is_link_local(&a) ? in6.sin6_scope_id : 0;
        }
    } else {
        return RAPPORT_INVALID;
    }
    *out = a;
    return 0;
}

void address_to_sockaddr(const struct rapport_address *from, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof *out);
    if (from->family == 4) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(from->port)};
        memcpy(&in.sin_addr, from->bytes, 4);
        memcpy(out, &in, sizeof in);
        return;
    }
    struct sockaddr_in6 in6 = {
        .sin6_family = AF_INET6, .sin6_port = htons(from->port), .sin6_scope_id = from->scope};
    memcpy(&in6.sin6_addr, from->bytes, 16);
    memcpy(out, &in6, sizeof in6);
}

/* ---- kinds ---- */

bool address_is_unspecified(const struct rapport_address *a)
{
    static const uint8_t zeros[16];
    return memcmp(a->bytes, zeros, a->family == 4 ? 4 : 16) == 0;
}

bool address_is_loopback(const struct rapport_address *a)
{
    static const uint8_t one[16] = {[15] = 1};
    return a->family == 4 ? a->bytes[0] == 127 : memcmp(a->bytes, one, 16) == 0;
}

bool address_is_link_local(const struct rapport_address *a)
{
    if (a->family == 4)
        return a->bytes[0] == 169 && a->bytes[1] == 254;
    return a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80;
}

bool address_equal(const struct rapport_address *a, const struct rapport_address *b)
{
    return a->family == b->family && a->port == b->port && a->scope == b->scope &&
           memcmp(a->bytes, b->bytes, a->family == 4 ? 4 : 16) == 0;
}

void address_prefix(const struct rapport_address *a, uint8_t out[ADDRESS_PREFIX_BYTES])
{
    memset(out, 0, ADDRESS_PREFIX_BYTES);
    out[0] = a->family;
    memcpy(out + 1, a->bytes, a->family == 4 ? 4 : 8);
}

/* ---- errors ---- */

int address_error(int uv_error)
{
    switch (uv_error) {
    case 0:
        return 0;
    case UV_ECONNREFUSED:
    case UV_EHOSTUNREACH:
    case UV_ENETUNREACH:
    case UV_EHOSTDOWN:
    case UV_ENETDOWN:
        return RAPPORT_UNREACHABLE;
    case UV_ETIMEDOUT:
        return RAPPORT_TIMEOUT;
    case UV_EOF:
    case UV_ECONNRESET:
    case UV_ECONNABORTED:
    case UV_EPIPE:
    case UV_ENOTCONN:
    case UV_ESHUTDOWN:
        return RAPPORT_CLOSED;
    case UV_EADDRINUSE:
        return RAPPORT_EXISTS;
    case UV_EADDRNOTAVAIL:
    case UV_EAFNOSUPPORT:
    case UV_ENODEV:
        return RAPPORT_NOTFOUND;
    case UV_EACCES:
    case UV_EPERM:
        return RAPPORT_PERMISSION;
    case UV_ENOMEM:
    case UV_ENOBUFS:
        return RAPPORT_NOMEM;
    case UV_EMFILE:
    case UV_ENFILE:
        return RAPPORT_LIMIT;
    default:
        return RAPPORT_IO;
    }
}
