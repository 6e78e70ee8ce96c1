/*
 * discovery.c - where friends are looked for: what the command line says, else the environment,
 * else everywhere.
 */
#include <stdlib.h>

#include "daemon/daemon.h"

static const char *const lan_words[] = {
    [RAPPORT_UV_LAN_OFF] = "off", [RAPPORT_UV_LAN_PASSIVE] = "passive", [RAPPORT_UV_LAN_ON] = "on"};
static const char *const tailnet_words[] = {[RAPPORT_UV_TAILNET_OFF] = "off",
                                            [RAPPORT_UV_TAILNET_OWN] = "own",
                                            [RAPPORT_UV_TAILNET_ON] = "on"};

const char *daemon_lan_word(enum rapport_uv_lan lan)
{
    return lan_words[lan];
}

const char *daemon_tailnet_word(enum rapport_uv_tailnet tailnet)
{
    return tailnet_words[tailnet];
}

static int find_word(const char *const *words, size_t n, const char *word)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(words[i], word) == 0)
            return (int)i;
    return -1;
}

int daemon_read_lan(const char *word, enum daemon_lan *out)
{
    static const enum daemon_lan values[] = {[RAPPORT_UV_LAN_OFF] = DAEMON_LAN_OFF,
                                             [RAPPORT_UV_LAN_PASSIVE] = DAEMON_LAN_PASSIVE,
                                             [RAPPORT_UV_LAN_ON] = DAEMON_LAN_ON};
    int at = find_word(lan_words, sizeof lan_words / sizeof lan_words[0], word);
    if (at < 0)
        return RAPPORT_INVALID;
    *out = values[at];
    return 0;
}

int daemon_read_tailnet(const char *word, enum daemon_tailnet *out)
{
    static const enum daemon_tailnet values[] = {[RAPPORT_UV_TAILNET_OFF] = DAEMON_TAILNET_OFF,
                                                 [RAPPORT_UV_TAILNET_OWN] = DAEMON_TAILNET_OWN,
                                                 [RAPPORT_UV_TAILNET_ON] = DAEMON_TAILNET_ON};
    int at = find_word(tailnet_words, sizeof tailnet_words / sizeof tailnet_words[0], word);
    if (at < 0)
        return RAPPORT_INVALID;
    *out = values[at];
    return 0;
}

/* NULL where it is not set, or to nothing. */
static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static const char *setting(const char *option, const char *name)
{
    if (!option)
        return environment(name);
    return *option ? option : NULL;
}

static int bad_word(const char *name, const char *value, const char *words, struct buf *why)
{
    if (why)
        buf_printf(why, "%s is \"%s\"; it takes %s", name, value, words);
    return RAPPORT_INVALID;
}

static enum rapport_uv_lan lan_of(enum daemon_lan lan)
{
    switch (lan) {
    case DAEMON_LAN_OFF:
        return RAPPORT_UV_LAN_OFF;
    case DAEMON_LAN_PASSIVE:
        return RAPPORT_UV_LAN_PASSIVE;
    case DAEMON_LAN_DEFAULT:
    case DAEMON_LAN_ON:
        break;
    }
    return RAPPORT_UV_LAN_ON;
}

static enum rapport_uv_tailnet tailnet_of(enum daemon_tailnet tailnet)
{
    switch (tailnet) {
    case DAEMON_TAILNET_OFF:
        return RAPPORT_UV_TAILNET_OFF;
    case DAEMON_TAILNET_OWN:
        return RAPPORT_UV_TAILNET_OWN;
    case DAEMON_TAILNET_DEFAULT:
    case DAEMON_TAILNET_ON:
        break;
    }
    return RAPPORT_UV_TAILNET_ON;
}

int daemon_discovery(const struct daemon_config *c, struct rapport_uv_discovery *out,
                     struct buf *why)
{
    enum daemon_lan lan = c->lan;
    enum daemon_tailnet tailnet = c->tailnet;
    const char *word = environment("RAPPORT_LAN");
    if (lan == DAEMON_LAN_DEFAULT && word && daemon_read_lan(word, &lan))
        return bad_word("RAPPORT_LAN", word, "on, off or passive", why);
    word = environment("RAPPORT_TAILNET");
    if (tailnet == DAEMON_TAILNET_DEFAULT && word && daemon_read_tailnet(word, &tailnet))
        return bad_word("RAPPORT_TAILNET", word, "on, own or off", why);
    *out = (struct rapport_uv_discovery){
        .lan = lan_of(lan),
        .tailnet = tailnet_of(tailnet),
        .tailscaled = setting(c->tailscaled, "RAPPORT_TAILSCALED"),
        .tailnet_tag = setting(c->tailnet_tag, "RAPPORT_TAILNET_TAG"),
    };
    return 0;
}
