/*
 * localapi_head.c - the head of tailscaled's HTTP answers, and where its socket is. Only a handful
 * of fields are looked at; values of others are skipped unread.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "net/localapi.h"

int localapi_path(const char *setting, struct buf *out)
{
    /* None below /tmp: there anybody can pose as the daemon. */
    static const char *const places[] = {
        "/var/run/tailscale/tailscaled.sock",
        "/var/packages/Tailscale/var/tailscaled.sock",
        "/var/packages/Tailscale/etc/tailscaled.sock",
        "/perm/tailscaled/tailscaled.sock",
        "/var/run/tailscaled.socket",
    };
    const char *given = setting && setting[0] ? setting : getenv("TS_SOCKET");
    const char *path = given && given[0] ? given : NULL;
    for (size_t i = 0; i < sizeof places / sizeof places[0] && !path; i++)
        if (access(places[i], F_OK) == 0)
            path = places[i];
    buf_append_str(out, path ? path : places[0]);
    return buf_error(out);
}

/* The end of the head, behind its empty line; 0: not there yet. */
static size_t find_end(struct slice bytes)
{
    for (size_t i = 0; i + 1 < bytes.len; i++) {
        if (bytes.ptr[i] != '\n')
            continue;
        if (bytes.ptr[i + 1] == '\n')
            return i + 2;
        if (i + 2 < bytes.len && bytes.ptr[i + 1] == '\r' && bytes.ptr[i + 2] == '\n')
            return i + 3;
    }
    return 0;
}

/* Takes a line off `rest`, without its end. */
static struct slice next_line(struct slice *rest)
{
    const uint8_t *end = memchr(rest->ptr, '\n', rest->len);
    size_t len = end ? (size_t)(end - rest->ptr) : rest->len;
    struct slice line = slice_of(rest->ptr, len);
    size_t used = end ? len + 1 : len;
    *rest = slice_of(rest->ptr + used, rest->len - used);
    if (line.len && line.ptr[line.len - 1] == '\r')
        line.len--;
    return line;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* "HTTP/1.1 200 OK" */
static int read_status_line(struct slice line, unsigned *status)
{
    enum {
        CODE = 9 /* where the three digits stand */
    };
    if (line.len < CODE + 3 || memcmp(line.ptr, "HTTP/1.", 7) != 0 || line.ptr[8] != ' ')
        return RAPPORT_MALFORMED;
    *status = 0;
    for (size_t i = CODE; i < CODE + 3; i++) {
        if (!is_digit(line.ptr[i]))
            return RAPPORT_MALFORMED;
        *status = *status * 10 + (unsigned)(line.ptr[i] - '0');
    }
    return line.len > CODE + 3 && line.ptr[CODE + 3] != ' ' ? RAPPORT_MALFORMED : 0;
}

/* The value of the field `name`, without blanks around it; false when the line is another one. */
static bool field(struct slice line, const char *name, struct slice *value)
{
    size_t len = strlen(name);
    if (line.len <= len || line.ptr[len] != ':' ||
        strncasecmp((const char *)line.ptr, name, len) != 0)
        return false;
    struct slice v = slice_of(line.ptr + len + 1, line.len - len - 1);
    while (v.len && (v.ptr[0] == ' ' || v.ptr[0] == '\t'))
        v = slice_of(v.ptr + 1, v.len - 1);
    while (v.len && (v.ptr[v.len - 1] == ' ' || v.ptr[v.len - 1] == '\t'))
        v.len--;
    *value = v;
    return true;
}

/* Copies the printable ASCII of it, as much as fits. */
static void copy_text(char *out, size_t size, struct slice value)
{
    size_t n = 0;
    for (size_t i = 0; i < value.len && n + 1 < size; i++)
        if (value.ptr[i] >= ' ' && value.ptr[i] <= '~')
            out[n++] = (char)value.ptr[i];
    out[n] = 0;
}

static unsigned read_number(struct slice value)
{
    unsigned n = 0;
    for (size_t i = 0; i < value.len && i < 6 && is_digit(value.ptr[i]); i++)
        n = n * 10 + (unsigned)(value.ptr[i] - '0');
    return n;
}

static void read_field(struct slice line, struct localapi_head *h)
{
    struct slice v;
    if (field(line, "Tailscale-Cap", &v))
        h->cap = read_number(v);
    else if (field(line, "Tailscale-Version", &v))
        copy_text(h->version, sizeof h->version, v);
    else if (field(line, "Dial-Self", &v))
        h->dial_self = slice_equal(v, slice_str("true"));
    else if (field(line, "Dial-Addr", &v))
        copy_text(h->dial_addr, sizeof h->dial_addr, v);
}

int localapi_read_head(struct slice bytes, struct localapi_head *out)
{
    struct localapi_head h = {0};
    struct slice window =
        slice_of(bytes.ptr, bytes.len < LOCALAPI_MOST_HEAD ? bytes.len : LOCALAPI_MOST_HEAD);
    size_t end = find_end(window);
    if (end == 0)
        return bytes.len >= LOCALAPI_MOST_HEAD ? RAPPORT_LIMIT : 0;
    struct slice rest = slice_of(bytes.ptr, end);
    int error = read_status_line(next_line(&rest), &h.status);
    if (error)
        return error;
    while (rest.len)
        read_field(next_line(&rest), &h);
    *out = h;
    return (int)end;
}
