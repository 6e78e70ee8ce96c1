/* LAN sockets where there is no LAN: a network of our own with a loopback, and nothing else. */
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/lan.h"
#include "test.h"

struct heard {
    size_t n_found, n_closed;
};

static size_t no_tags(void *user, uint64_t wall_ms, struct rapport_beacon *beacon)
{
    (void)user;
    (void)wall_ms;
    (void)beacon;
    return 0;
}

static bool knows_none(void *user, uint64_t wall_ms, const struct rapport_beacon *beacon)
{
    (void)user;
    (void)wall_ms;
    (void)beacon;
    return false;
}

static void on_found(void *user, const struct mdns_found *found)
{
    (void)found;
    ((struct heard *)user)->n_found++;
}

static void on_closed(void *user)
{
    ((struct heard *)user)->n_closed++;
}

static struct lan_config config_of(uv_loop_t *loop, struct heard *heard)
{
    return (struct lan_config){.loop = loop,
                               .mode = MDNS_ACTIVE,
                               .user = heard,
                               .tags = no_tags,
                               .knows = knows_none,
                               .found = on_found};
}

static bool says(const struct findings *f, const char *words)
{
    for (size_t i = 0; i < f->n; i++)
        if (strstr(f->list[i].text, words))
            return true;
    return false;
}

/* In a process that has no network. */
static void without_links(void)
{
    uv_loop_t loop;
    struct heard heard = {0};
    struct findings f = {0};
    struct mdns_stats stats;
    struct lan *l;
    CHECK_EQ(uv_loop_init(&loop), 0);
    struct lan_config config = config_of(&loop, &heard);
    CHECK_EQ(lan_open(&config, &l), 0);
    lan_set_port(l, 7171);
    lan_set_tags(l);
    lan_set_peers(l, 1);
    lan_look(l);
    lan_restart(l);
    (void)uv_run(&loop, UV_RUN_NOWAIT);
    lan_stats(l, &stats);
    CHECK_EQ(stats.n_links, 0);
    CHECK_EQ(stats.sent, 0);
    lan_findings(l, &f);
    CHECK_EQ(f.error, 0);
    CHECK(says(&f, "no network"));
    findings_clear(&f);
    lan_close(l, on_closed, &heard);
    CHECK_EQ(uv_run(&loop, UV_RUN_DEFAULT), 0);
    CHECK_EQ(heard.n_closed, 1);
    CHECK_EQ(heard.n_found, 0);
    CHECK_EQ(uv_loop_close(&loop), 0);
}

TEST(lan_none, "no link at all is no failure: nothing is sent, it is said, and closing ends it")
{
    int status;
    (void)fflush(NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET))
            _exit(77);
        without_links();
        _exit(0);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        SKIP("no network of one's own can be made here");
    CHECK_EQ(WEXITSTATUS(status), 0);
}
