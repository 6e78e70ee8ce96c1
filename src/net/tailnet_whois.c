/*
 * tailnet_whois.c - the answer to GET whois: which machine and whose a connection is. For labels
 * only: who somebody is, is his key's word alone.
 */
#include <stdlib.h>
#include <string.h>

#include "net/tailnet_json.h"

static int read_whois(const json_t *root, struct tailnet_whois *w)
{
    const json_t *node = json_object_get(root, "Node");
    int error = 0;
    if (!json_is_object(node))
        return RAPPORT_MALFORMED;
    w->user = json_integer_value(json_object_get(node, "User"));
    w->id = tailnet_json_text(node, "StableID", &error);
    w->name = tailnet_json_text(node, "Name", &error);
    w->login = tailnet_json_text(json_object_get(root, "UserProfile"), "LoginName", &error);
    w->n_tags = tailnet_json_tags(node, w->tags, &error);
    size_t len = error ? 0 : strlen(w->name);
    if (len && w->name[len - 1] == '.')
        w->name[len - 1] = 0;
    return error;
}

int tailnet_whois_read(struct slice json, struct tailnet_whois *out)
{
    struct tailnet_whois w = {0};
    json_t *root;
    int error = tailnet_json_open(json, &root);
    if (error)
        return error;
    error = read_whois(root, &w);
    json_decref(root);
    if (error)
        tailnet_whois_clear(&w);
    else
        *out = w;
    return error;
}

void tailnet_whois_clear(struct tailnet_whois *w)
{
    free(w->id);
    free(w->name);
    free(w->login);
    for (size_t i = 0; i < w->n_tags; i++)
        free(w->tags[i]);
    *w = (struct tailnet_whois){0};
}
