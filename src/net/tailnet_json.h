/*
 * tailnet_json.h - what the readers of tailscaled's JSON share: opening it within limits, and texts
 * that are safe to show. Errors stick in *error; after one nothing is allocated any more.
 */
#ifndef NET_TAILNET_JSON_H
#define NET_TAILNET_JSON_H

#include <jansson.h>

#include "net/tailnet_status.h"

enum {
    TAILNET_MOST_TEXT = 1024 /* bytes of a text that is kept; the rest is cut at a code point */
};

/* Parses a document whose root is an object. Returns 0, RAPPORT_MALFORMED or RAPPORT_NOMEM. Free
   with json_decref. */
int tailnet_json_open(struct slice json, json_t **out);

/* A copy of a string, printable and cut; "" for anything but a string. NULL after an error. free()
   it. */
char *tailnet_json_string(const json_t *value, int *error);

/* The string under `key`, as above; `object` may be NULL or no object. */
char *tailnet_json_text(const json_t *object, const char *key, int *error);

/* Copies the strings of the list "Tags", at most TAILNET_MOST_TAGS. Returns how many. */
size_t tailnet_json_tags(const json_t *object, char **tags, int *error);

#endif
