/*
 * links.c - watching; see links.h.
 *
 * An address that came or went is acted on at once: a session is to be back within moments of the
 * link. Word of a link itself waits LINKS_SETTLE_MS, as it comes several times in a row and its
 * addresses follow. Sources: rtnetlink(7), timerfd_create(2) TFD_TIMER_CANCEL_ON_SET.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/timerfd.h>
#endif

#include "net/links.h"

enum {
    NETLINK_BYTES = 16 * 1024,
};

struct links {
    struct links_config config;
    struct links_list now;
    uv_timer_t look, settle;
    uv_signal_t resumed;
    uv_poll_t netlink, clock;
    int netlink_fd, clock_fd; /* -1: not to be had */
    unsigned n_handles;
    rapport_time_ms due; /* when the next look is */
    int64_t asleep_ms;   /* by how much the two clocks differed at the last look */
    void (*closed)(void *user);
    void *closed_user;
};

static int64_t time_asleep(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)rapport_uv_now() - ((int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000);
}

static void on_look(uv_timer_t *timer);

static void arm(struct links *l)
{
    uint64_t after = l->netlink_fd >= 0 ? LINKS_NET_MS : LINKS_POLL_MS;
    l->due = rapport_uv_now() + after;
    (void)uv_timer_start(&l->look, on_look, after, 0);
}

/* Both clocks are read here, one after the other: a moment between them is no sleep. */
static bool slept(struct links *l)
{
    int64_t asleep = time_asleep();
    bool jumped = asleep - l->asleep_ms >= LINKS_SLEPT_MS;
    bool late = rapport_uv_now() > l->due + LINKS_SLEPT_MS;
    l->asleep_ms = asleep;
    return jumped || late;
}

static void look(struct links *l, bool woke)
{
    struct links_list fresh;
    (void)uv_timer_stop(&l->settle);
    woke = slept(l) || woke;
    arm(l);
    links_read(&fresh);
    bool differ = links_differ(&l->now, &fresh);
    l->now = fresh;
    if (differ || woke)
        l->config.changed(l->config.user, woke);
}

static void on_look(uv_timer_t *timer)
{
    look(timer->data, false);
}

static void on_resumed(uv_signal_t *handle, int number)
{
    (void)number;
    look(handle->data, true);
}

/* ---- the kernel's word ---- */

#ifdef __linux__

enum word {
    WORD_NONE,
    WORD_SOON,
    WORD_NOW,
};

/* An address that is still being checked for duplicates is told again once it is not. */
static bool is_tentative(struct nlmsghdr *h)
{
    const struct ifaddrmsg *m = NLMSG_DATA(h);
    return (m->ifa_flags & (IFA_F_TENTATIVE | IFA_F_OPTIMISTIC)) == IFA_F_TENTATIVE;
}

static enum word read_word(struct nlmsghdr *h)
{
    if (h->nlmsg_type == RTM_NEWLINK || h->nlmsg_type == RTM_DELLINK)
        return WORD_SOON;
    if (h->nlmsg_type == RTM_DELADDR)
        return WORD_NOW;
    if (h->nlmsg_type != RTM_NEWADDR || h->nlmsg_len < NLMSG_LENGTH(sizeof(struct ifaddrmsg)))
        return WORD_NONE;
    return is_tentative(h) ? WORD_SOON : WORD_NOW;
}

static enum word read_words(int fd)
{
    _Alignas(struct nlmsghdr) char bytes[NETLINK_BYTES];
    enum word strongest = WORD_NONE;
    ssize_t n;
    while ((n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0) {
        unsigned left = (unsigned)n;
        for (struct nlmsghdr *h = (void *)bytes; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
            enum word word = read_word(h);
            strongest = word > strongest ? word : strongest;
        }
    }
    /* ENOBUFS: words were lost. */
    return n < 0 && errno != EAGAIN && errno != EINTR ? WORD_NOW : strongest;
}

static void on_netlink(uv_poll_t *poll, int status, int events)
{
    struct links *l = poll->data;
    (void)events;
    enum word word = read_words(l->netlink_fd);
    if (status < 0) /* libuv has stopped it: an error was pending, and is read now */
        (void)uv_poll_start(poll, UV_READABLE, on_netlink);
    if (word == WORD_NOW)
        look(l, false);
    else if (word == WORD_SOON && !uv_is_active((uv_handle_t *)&l->settle))
        (void)uv_timer_start(&l->settle, on_look, LINKS_SETTLE_MS, 0);
}

static int open_netlink(void)
{
    const struct sockaddr_nl at = {.nl_family = AF_NETLINK,
                                   .nl_groups =
                                       RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    if (fd >= 0 && bind(fd, (const struct sockaddr *)&at, sizeof at)) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

/* Never comes by itself: it is there to be cancelled by a clock that is set. */
static bool arm_clock(int fd)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    const struct itimerspec far = {.it_value = {.tv_sec = now.tv_sec + 10L * 365 * 86400}};
    return !timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far, NULL);
}

static void on_clock(uv_poll_t *poll, int status, int events)
{
    struct links *l = poll->data;
    uint64_t times;
    (void)status;
    (void)events;
    (void)!read(l->clock_fd, &times, sizeof times);
    if (!arm_clock(l->clock_fd))
        (void)uv_poll_stop(poll);
    look(l, true);
}

static int open_clock(void)
{
    int fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (fd >= 0 && !arm_clock(fd)) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static void watch_kernel(struct links *l)
{
    l->netlink_fd = open_netlink();
    l->clock_fd = open_clock();
    if (l->netlink_fd >= 0 && !uv_poll_init(l->config.loop, &l->netlink, l->netlink_fd)) {
        l->netlink.data = l;
        l->n_handles++;
        (void)uv_poll_start(&l->netlink, UV_READABLE, on_netlink);
    }
    if (l->clock_fd >= 0 && !uv_poll_init(l->config.loop, &l->clock, l->clock_fd)) {
        l->clock.data = l;
        l->n_handles++;
        (void)uv_poll_start(&l->clock, UV_READABLE, on_clock);
    }
}

#else

static void watch_kernel(struct links *l)
{
    l->netlink_fd = l->clock_fd = -1;
}

#endif

/* ---- life ---- */

int links_open(const struct links_config *config, struct links **out)
{
    struct links *l = calloc(1, sizeof *l);
    if (!l)
        return RAPPORT_NOMEM;
    l->config = *config;
    l->asleep_ms = time_asleep();
    if (uv_signal_init(config->loop, &l->resumed)) {
        free(l);
        return RAPPORT_IO;
    }
    (void)uv_timer_init(config->loop, &l->look);
    (void)uv_timer_init(config->loop, &l->settle);
    l->n_handles = 3;
    l->look.data = l->settle.data = l->resumed.data = l;
    watch_kernel(l);
    links_read(&l->now); /* after the watch has begun: what changes from here on is told */
    (void)uv_signal_start(&l->resumed, on_resumed, SIGCONT);
    arm(l);
    *out = l;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct links *l = handle->data;
    if (--l->n_handles)
        return;
    void (*closed)(void *user) = l->closed;
    void *user = l->closed_user;
    if (l->netlink_fd >= 0)
        (void)close(l->netlink_fd);
    if (l->clock_fd >= 0)
        (void)close(l->clock_fd);
    free(l);
    closed(user);
}

void links_close(struct links *l, void (*closed)(void *user), void *user)
{
    l->closed = closed;
    l->closed_user = user;
    uv_close((uv_handle_t *)&l->look, on_closed);
    uv_close((uv_handle_t *)&l->settle, on_closed);
    uv_close((uv_handle_t *)&l->resumed, on_closed);
    if (l->netlink.data)
        uv_close((uv_handle_t *)&l->netlink, on_closed);
    if (l->clock.data)
        uv_close((uv_handle_t *)&l->clock, on_closed);
}

const struct links_list *links_now(const struct links *l)
{
    return &l->now;
}
