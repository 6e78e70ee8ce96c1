/*
 * handover.c - a second `up`: the folders go to the daemon that runs.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "daemon/client.h"
#include "daemon/daemon.h"
#include "daemon/pack.h"

enum {
    END_MS = 10000 /* for a daemon that is about to end */
};

static void put_texts(struct buf *b, const char *key, const char *const *texts, size_t n)
{
    mp_put_cstr(b, key);
    mp_put_array(b, n);
    for (size_t i = 0; i < n; i++)
        mp_put_cstr(b, texts[i]);
}

static void put_open(struct buf *b, const struct daemon_config *c,
                     const struct rapport_uv_discovery *d, const char *dir)
{
    mp_put_array(b, 2);
    mp_put_cstr(b, "daemon.open");
    mp_put_map(b, 7);
    mp_put_cstr(b, "dir");
    mp_put_bin(b, dir, strlen(dir));
    put_texts(b, "listen", c->listen, c->n_listen);
    put_texts(b, "peers", c->peers, c->n_peers);
    pack_put_str(b, "lan", daemon_lan_word(d->lan));
    pack_put_str(b, "tailnet", daemon_tailnet_word(d->tailnet));
    pack_put_str(b, "tailscaled", d->tailscaled ? d->tailscaled : "");
    pack_put_str(b, "tailnet_tag", d->tailnet_tag ? d->tailnet_tag : "");
}

static void say(const char *dir, const char *text, uint64_t pid)
{
    struct buf line = BUF_INIT;
    const char *slash = strrchr(dir, '/');
    utf8_printable(&line, slice_str(slash ? slash + 1 : dir), true);
    if (buf_cstr(&line))
        (void)fprintf(stderr, "%s: %s (pid %llu)\n", (const char *)line.ptr, text,
                      (unsigned long long)pid);
    buf_clear(&line);
}

/* Says what a reply says. Returns the exit code; *ends when the daemon is about to end. */
static int say_reply(const struct daemon_config *c, const char *dir, struct slice bytes, bool *ends)
{
    struct pack_request reply, error;
    if (pack_open_reply(&reply, bytes)) {
        (void)fprintf(stderr, "rapport: %s: the daemon answers in another language\n", dir);
        return 1;
    }
    uint64_t pid = 0, code = 0;
    (void)pack_u64(&reply, "pid", &pid);
    if (pack_bool(&reply, "ok")) {
        if (!c->quiet)
            say(dir,
                pack_bool(&reply, "already") ? "the daemon serves this folder already"
                                             : "handed to the daemon that runs",
                pid);
    } else if (pack_map(&reply, "error", &error)) {
        char *name = NULL, *message = NULL;
        code = 1;
        (void)pack_u64(&error, "exit", &code);
        *ends = pack_text(&error, "code", &name) && strcmp(name, "STATE") == 0;
        if (!*ends && pack_text(&error, "message", &message))
            (void)fprintf(stderr, "rapport: %s\n", message);
        free(name);
        free(message);
    }
    pack_close(&reply);
    return (int)(code > 255 ? 1 : code);
}

/* One folder. Returns the exit code. */
static int hand_one(const struct daemon_config *c, struct client *client, const char *dir,
                    bool *ends)
{
    struct buf request = BUF_INIT, reply = BUF_INIT;
    struct rapport_uv_discovery discovery;
    int error = daemon_discovery(c, &discovery, NULL);
    if (!error) {
        put_open(&request, c, &discovery, dir);
        error = buf_error(&request);
    }
    if (!error)
        error = client_call(client, NULL, buf_slice(&request), 0, &reply);
    int code = error ? 1 : say_reply(c, dir, buf_slice(&reply), ends);
    *ends = *ends || error == RAPPORT_CLOSED;
    if (error && !*ends)
        (void)fprintf(stderr, "rapport: %s: the daemon does not answer: %s\n", dir,
                      rapport_strerror(error));
    buf_clear(&request);
    buf_clear(&reply);
    return code;
}

bool daemon_hand_over(const struct daemon_config *c, int *code)
{
    struct client *client;
    bool ends = false;
    if (client_connect_home(c->home, &client, NULL))
        return false;
    for (size_t i = 0; i < c->n_dirs && !ends; i++) {
        int one = hand_one(c, client, c->dirs[i], &ends);
        if (i == 0)
            *code = one;
    }
    if (ends)
        (void)client_wait_end(client, END_MS);
    client_close(client);
    return !ends;
}
