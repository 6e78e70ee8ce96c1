/*
 * tailnet_status.c - the answer to GET status, and whom to leave out.
 *
 * Everything in it comes from other people's machines: names are made printable, lists are cut at
 * their limits, a field of the wrong type is as if it were not there. Addresses outside of the
 * tailnet's ranges are dropped: what is probed is a machine of the tailnet, never a route.
 */
#include "net/tailnet_status.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "net/address.h"
#include "net/tailnet_json.h"

/* ---- addresses ---- */

bool tailnet_is_address(const struct rapport_address *a)
{
    static const uint8_t prefix6[] = {0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0};
    if (a->family == 4)
        return a->bytes[0] == 100 && (a->bytes[1] & 0xc0) == 64;
    return a->family == 6 && memcmp(a->bytes, prefix6, sizeof prefix6) == 0;
}

static bool read_ip(const json_t *text, uint8_t family, struct rapport_address *out)
{
    struct rapport_address a = {.family = family};
    const char *s = json_string_value(text);
    if (!s || inet_pton(family == 4 ? AF_INET : AF_INET6, s, a.bytes) != 1)
        return false;
    *out = a;
    return tailnet_is_address(out);
}

static void read_ips(const json_t *list, struct tailnet_peer *p)
{
    for (uint8_t family = 6; family >= 4; family -= 2)
        for (size_t i = 0; i < json_array_size(list) && p->n_ips < TAILNET_MOST_IPS; i++)
            if (read_ip(json_array_get(list, i), family, &p->ips[p->n_ips]))
                p->n_ips++;
}

/* ---- one machine ---- */

static bool ends_with(const char *s, const char *end)
{
    size_t len = strlen(s), tail = strlen(end);
    return len >= tail && strcmp(s + len - tail, end) == 0;
}

static bool is_set(const json_t *o, const char *key)
{
    return json_is_true(json_object_get(o, key));
}

static void clear_peer(struct tailnet_peer *p)
{
    free(p->id);
    free(p->name);
    free(p->os);
    free(p->relay);
    for (size_t i = 0; i < p->n_tags; i++)
        free(p->tags[i]);
    *p = (struct tailnet_peer){0};
}

/* Left empty by an error, which sticks. */
static void read_peer(const json_t *o, struct tailnet_peer *p, int *error)
{
    *p = (struct tailnet_peer){
        .user = json_integer_value(json_object_get(o, "UserID")),
        .online = is_set(o, "Online"),
        .expired = is_set(o, "Expired"),
        .sharee = is_set(o, "ShareeNode"),
        .active = is_set(o, "Active"),
        .shared_in = json_integer_value(json_object_get(o, "AltSharerUserID")) != 0,
    };
    p->id = tailnet_json_text(o, "ID", error);
    p->name = tailnet_json_text(o, "DNSName", error);
    p->os = tailnet_json_text(o, "OS", error);
    p->relay = tailnet_json_text(o, "Relay", error);
    p->n_tags = tailnet_json_tags(o, p->tags, error);
    read_ips(json_object_get(o, "TailscaleIPs"), p);
    const char *direct = json_string_value(json_object_get(o, "CurAddr"));
    p->direct = direct && direct[0];
    if (!*error && p->name[0] == 0) {
        free(p->name);
        p->name = tailnet_json_text(o, "HostName", error);
    }
    if (*error) {
        clear_peer(p);
        return;
    }
    if (ends_with(p->name, "."))
        p->name[strlen(p->name) - 1] = 0;
    p->mullvad = ends_with(p->name, ".mullvad.ts.net");
}

/* ---- the whole ---- */

static enum tailnet_backend read_backend(const char *word)
{
    static const struct {
        const char *word;
        enum tailnet_backend backend;
    } words[] = {
        {"NoState", TAILNET_NO_STATE},       {"InUseOtherUser", TAILNET_OTHER_USER},
        {"NeedsLogin", TAILNET_NEEDS_LOGIN}, {"NeedsMachineAuth", TAILNET_NEEDS_MACHINE_AUTH},
        {"Stopped", TAILNET_STOPPED},        {"Starting", TAILNET_STARTING},
        {"Running", TAILNET_RUNNING},
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(word, words[i].word) == 0)
            return words[i].backend;
    return TAILNET_UNKNOWN;
}

static void read_peers(json_t *map, struct tailnet_status *s, int *error)
{
    size_t n = json_object_size(map);
    const char *key;
    json_t *o;
    if (n == 0)
        return;
    s->peers = calloc(n < TAILNET_MOST_PEERS ? n : TAILNET_MOST_PEERS, sizeof *s->peers);
    if (!s->peers) {
        *error = RAPPORT_NOMEM;
        return;
    }
    json_object_foreach(map, key, o)
    {
        if (!json_is_object(o) || s->n_peers == TAILNET_MOST_PEERS) {
            s->n_dropped++;
            continue;
        }
        read_peer(o, &s->peers[s->n_peers], error);
        if (*error)
            return;
        s->n_peers++;
    }
}

static void read_health(const json_t *list, struct tailnet_status *s, int *error)
{
    for (size_t i = 0; i < json_array_size(list) && s->n_health < TAILNET_MOST_HEALTH; i++) {
        char *text = tailnet_json_string(json_array_get(list, i), error);
        if (*error)
            return;
        s->health[s->n_health++] = text;
    }
}

static int read_status(json_t *root, struct tailnet_status *s)
{
    const json_t *tailnet = json_object_get(root, "CurrentTailnet");
    json_t *self = json_object_get(root, "Self");
    int error = 0;
    s->version = tailnet_json_text(root, "Version", &error);
    s->backend_word = tailnet_json_text(root, "BackendState", &error);
    s->auth_url = tailnet_json_text(root, "AuthURL", &error);
    s->tailnet = tailnet_json_text(tailnet, "Name", &error);
    s->suffix = tailnet_json_text(tailnet, "MagicDNSSuffix", &error);
    if (error)
        return error;
    s->backend = read_backend(s->backend_word);
    /* Not said: the usual kind. */
    s->tun = !json_is_false(json_object_get(root, "TUN"));
    s->has_self = json_is_object(self);
    if (s->has_self)
        read_peer(self, &s->self, &error);
    if (!error)
        read_health(json_object_get(root, "Health"), s, &error);
    if (!error)
        read_peers(json_object_get(root, "Peer"), s, &error);
    return error;
}

int tailnet_status_read(struct slice json, struct tailnet_status *out)
{
    struct tailnet_status s = {0};
    json_t *root;
    int error = tailnet_json_open(json, &root);
    if (error)
        return error;
    error = read_status(root, &s);
    json_decref(root);
    if (error)
        tailnet_status_clear(&s);
    else
        *out = s;
    return error;
}

void tailnet_status_clear(struct tailnet_status *s)
{
    free(s->version);
    free(s->backend_word);
    free(s->auth_url);
    free(s->tailnet);
    free(s->suffix);
    clear_peer(&s->self);
    for (size_t i = 0; i < s->n_peers; i++)
        clear_peer(&s->peers[i]);
    free(s->peers);
    for (size_t i = 0; i < s->n_health; i++)
        free(s->health[i]);
    *s = (struct tailnet_status){0};
}

/* ---- whom to leave out ---- */

static bool is_self(const struct tailnet_status *s, const struct tailnet_peer *p)
{
    for (size_t i = 0; s->has_self && i < s->self.n_ips; i++)
        for (size_t k = 0; k < p->n_ips; k++)
            if (address_equal(&s->self.ips[i], &p->ips[k]))
                return true;
    return s->has_self && p->id[0] && strcmp(p->id, s->self.id) == 0;
}

static bool has_tag(const struct tailnet_peer *p, const char *tag)
{
    for (size_t i = 0; i < p->n_tags; i++)
        if (strcmp(p->tags[i], tag) == 0)
            return true;
    return false;
}

static bool is_phone(const char *os)
{
    return strcmp(os, "android") == 0 || strcmp(os, "iOS") == 0 || strcmp(os, "tvOS") == 0;
}

enum tailnet_skip tailnet_skip(const struct tailnet_status *s, const struct tailnet_peer *p,
                               bool own, const char *tag, bool spoke)
{
    if (is_self(s, p))
        return TAILNET_SKIP_SELF;
    if (p->mullvad)
        return TAILNET_SKIP_MULLVAD;
    if (p->n_ips == 0)
        return TAILNET_SKIP_NO_ADDRESS;
    if (p->sharee)
        return TAILNET_SKIP_SHAREE;
    if (p->expired)
        return TAILNET_SKIP_EXPIRED;
    if (is_phone(p->os))
        return TAILNET_SKIP_PHONE;
    /* A tagged machine's user is one pseudo-user for all of them: it is no stranger's, and nobody's
       in particular. */
    if (own && p->n_tags == 0 && (!s->has_self || p->user != s->self.user))
        return TAILNET_SKIP_NOT_OWN;
    if (tag && !has_tag(p, tag))
        return TAILNET_SKIP_FILTER;
    return p->online || spoke ? TAILNET_KEEP : TAILNET_SKIP_OFFLINE;
}

const char *tailnet_skip_text(enum tailnet_skip skip)
{
    switch (skip) {
    case TAILNET_KEEP:
        return "may be a friend's";
    case TAILNET_SKIP_SELF:
        return "this machine";
    case TAILNET_SKIP_OFFLINE:
        return "offline";
    case TAILNET_SKIP_EXPIRED:
        return "key expired";
    case TAILNET_SKIP_SHAREE:
        return "of people to whom a machine was shared";
    case TAILNET_SKIP_MULLVAD:
        return "Mullvad exit nodes";
    case TAILNET_SKIP_NO_ADDRESS:
        return "without an address";
    case TAILNET_SKIP_PHONE:
        return "phones and televisions";
    case TAILNET_SKIP_NOT_OWN:
        return "other people's (--tailnet own)";
    case TAILNET_SKIP_FILTER:
        return "without the tag that was asked for";
    }
    return "";
}
