/*
 * localapi_head.c - the head of tailscaled's HTTP answers, without I/O, and where its socket is.
 *
 * The grammar is that of RFC 9112 §4 and §5, read strictly: a status line of HTTP/1.x, fields of
 * "name: value", no folded lines, no control characters, CR LF or LF at each end. Only a handful of
 * fields are looked at; the values of others are skipped.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/localapi.h"

/* A socket of root's or of our own: anybody may put one below /tmp and pose as the daemon. */
static bool is_daemons(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISSOCK(st.st_mode) &&
           (st.st_uid == 0 || st.st_uid == geteuid());
}

int localapi_path(const char *setting, struct buf *out)
{
    static const char *const places[] = {
        "/var/run/tailscale/tailscaled.sock",
        "/var/packages/Tailscale/var/tailscaled.sock",
        "/var/packages/Tailscale/etc/tailscaled.sock",
        "/tmp/tailscale/tailscaled.sock",
        "/perm/tailscaled/tailscaled.sock",
        "/tmp/tailscaled.sock",
        "/var/run/tailscaled.socket",
    };
    const char *given = setting && setting[0] ? setting : getenv("TS_SOCKET");
    const char *path = given && given[0] ? given : NULL;
    for (size_t i = 0; i < sizeof places / sizeof places[0] && !path; i++)
        if (is_daemons(places[i]))
            path = places[i];
    buf_append_str(out, path ? path : places[0]);
    return buf_error(out);
}

/* ---- lines ---- */

/* The end of the head, behind its empty line; 0: not there yet. */
static size_t find_end(struct slice bytes)
{
    const uint8_t *at = bytes.ptr, *end = bytes.ptr + bytes.len;
    while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        at++;
        if (at < end && at[0] == '\n')
            return (size_t)(at - bytes.ptr) + 1;
        if (at + 1 < end && at[0] == '\r' && at[1] == '\n')
            return (size_t)(at - bytes.ptr) + 2;
    }
    return 0;
}

/* Takes a line off `rest`, without its end. */
static struct slice next_line(struct slice *rest)
{
    const uint8_t *end = memchr(rest->ptr, '\n', rest->len);
    size_t len = end ? (size_t)(end - rest->ptr) : rest->len;
    struct slice line = slice_of(rest->ptr, len);
    *rest = slice_skip(*rest, end ? len + 1 : len);
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
    unsigned n = 0;
    if (line.len < CODE + 3 || memcmp(line.ptr, "HTTP/1.", 7) != 0 || !is_digit(line.ptr[7]) ||
        line.ptr[8] != ' ')
        return RAPPORT_MALFORMED;
    for (size_t i = CODE; i < CODE + 3; i++) {
        if (!is_digit(line.ptr[i]))
            return RAPPORT_MALFORMED;
        n = n * 10 + (unsigned)(line.ptr[i] - '0');
    }
    if (n < 100 || (line.len > CODE + 3 && line.ptr[CODE + 3] != ' '))
        return RAPPORT_MALFORMED;
    *status = n;
    return 0;
}

/* ---- fields ---- */

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

/* Splits "name: value"; blanks around the value go. */
static int split_field(struct slice line, struct slice *name, struct slice *value)
{
    const uint8_t *colon = memchr(line.ptr, ':', line.len);
    if (!colon || colon == line.ptr)
        return RAPPORT_MALFORMED;
    *name = slice_of(line.ptr, (size_t)(colon - line.ptr));
    struct slice v = slice_skip(line, name->len + 1);
    for (size_t i = 0; i < name->len; i++)
        if (name->ptr[i] <= ' ' || name->ptr[i] >= 0x7f)
            return RAPPORT_MALFORMED;
    for (size_t i = 0; i < v.len; i++)
        if ((v.ptr[i] < ' ' && v.ptr[i] != '\t') || v.ptr[i] == 0x7f)
            return RAPPORT_MALFORMED;
    while (v.len && is_blank(v.ptr[0]))
        v = slice_skip(v, 1);
    while (v.len && is_blank(v.ptr[v.len - 1]))
        v.len--;
    *value = v;
    return 0;
}

static bool is_name(struct slice name, const char *what)
{
    return name.len == strlen(what) && strncasecmp((const char *)name.ptr, what, name.len) == 0;
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

/* Digits alone, of at most `most`; -1 for anything else. */
static int64_t read_number(struct slice value, int64_t most)
{
    int64_t n = 0;
    for (size_t i = 0; i < value.len; i++) {
        if (!is_digit(value.ptr[i]) || n > most / 10)
            return -1;
        n = n * 10 + (value.ptr[i] - '0');
    }
    return value.len == 0 || n > most ? -1 : n;
}

static int read_length(struct slice value, struct localapi_head *h)
{
    int64_t n = read_number(value, INT64_C(1) << 40);
    if (n < 0 || (h->length >= 0 && h->length != n))
        return RAPPORT_MALFORMED;
    h->length = n;
    return 0;
}

static int read_field(struct slice line, struct localapi_head *h)
{
    struct slice name, v;
    int error = split_field(line, &name, &v);
    if (error)
        return error;
    if (is_name(name, "Tailscale-Cap")) {
        int64_t cap = read_number(v, INT_MAX);
        h->cap = cap < 0 ? 0 : (unsigned)cap;
    } else if (is_name(name, "Tailscale-Version")) {
        copy_text(h->version, sizeof h->version, v);
    } else if (is_name(name, "Dial-Self")) {
        h->dial_self = slice_equal(v, slice_str("true"));
    } else if (is_name(name, "Dial-Addr")) {
        copy_text(h->dial_addr, sizeof h->dial_addr, v);
    } else if (is_name(name, "Content-Length")) {
        error = read_length(v, h);
    } else if (is_name(name, "Transfer-Encoding")) {
        h->encoded = true;
    }
    return error;
}

/* What no answer begins with is refused before its end comes, which may be never. */
static bool may_begin(struct slice bytes)
{
    struct slice begin = slice_str("HTTP/1.");
    size_t n = bytes.len < begin.len ? bytes.len : begin.len;
    return n == 0 || memcmp(bytes.ptr, begin.ptr, n) == 0;
}

int localapi_read_head(struct slice bytes, struct localapi_head *out)
{
    struct localapi_head h = {.length = -1};
    bool full = bytes.len >= LOCALAPI_MOST_HEAD;
    struct slice window = slice_of(bytes.ptr, full ? LOCALAPI_MOST_HEAD : bytes.len);
    if (!may_begin(window))
        return RAPPORT_MALFORMED;
    size_t end = window.len ? find_end(window) : 0;
    if (end == 0)
        return full ? RAPPORT_LIMIT : 0;
    struct slice rest = slice_of(bytes.ptr, end);
    int error = read_status_line(next_line(&rest), &h.status);
    for (struct slice line = next_line(&rest); !error && line.len; line = next_line(&rest))
        error = read_field(line, &h);
    if (error)
        return error;
    *out = h;
    return (int)end;
}
