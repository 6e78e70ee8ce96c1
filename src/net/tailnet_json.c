/*
 * tailnet_json.c - see tailnet_json.h. jansson bounds the depth (2048) and refuses invalid UTF-8;
 * how long a document may be is bounded by who fetched it. A NUL is let through: host names are
 * what other people's machines say, and one of them must not make the whole list unreadable.
 */
#include "net/tailnet_json.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/utf8.h"

int tailnet_json_open(struct slice json, json_t **out)
{
    json_error_t why;
    json_t *root = json_loadb((const char *)json.ptr, json.len, JSON_ALLOW_NUL, &why);
    if (!root) /* jansson has no text for want of memory; within a string it calls it bad syntax */
        return why.text[0] ? RAPPORT_MALFORMED : RAPPORT_NOMEM;
    if (!json_is_object(root)) {
        json_decref(root);
        return RAPPORT_MALFORMED;
    }
    *out = root;
    return 0;
}

static size_t cut(const char *s, size_t len)
{
    if (len <= TAILNET_MOST_TEXT)
        return len;
    len = TAILNET_MOST_TEXT;
    while (len && ((uint8_t)s[len] & 0xc0) == 0x80)
        len--;
    return len;
}

char *tailnet_json_string(const json_t *value, int *error)
{
    const char *s = json_is_string(value) ? json_string_value(value) : "";
    struct buf b = BUF_INIT;
    size_t len = json_is_string(value) ? json_string_length(value) : 0;
    if (*error)
        return NULL;
    utf8_printable(&b, slice_of(s, cut(s, len)), true);
    if (!buf_cstr(&b)) {
        *error = RAPPORT_NOMEM;
        buf_clear(&b);
        return NULL;
    }
    return (char *)buf_detach(&b, &len);
}

char *tailnet_json_text(const json_t *object, const char *key, int *error)
{
    return tailnet_json_string(json_object_get(object, key), error);
}

size_t tailnet_json_tags(const json_t *object, char **tags, int *error)
{
    const json_t *list = json_object_get(object, "Tags");
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(list) && n < TAILNET_MOST_TAGS; i++) {
        char *tag = tailnet_json_string(json_array_get(list, i), error);
        if (!tag)
            break;
        tags[n++] = tag;
    }
    return n;
}
