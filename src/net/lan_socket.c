/*
 * lan_socket.c - the two sockets of a link (docs/decisions/0013).
 *
 * The first is bound to the group address, so it gets the group's packets of this one interface and
 * nothing else, and leaves unicast to port 5353 to the mDNS program of the machine. The second has
 * a port of its own: what is asked from there is answered by unicast (RFC 6762 6.7), which Wi-Fi
 * carries faster and more surely than multicast. Whatever fails here makes us deaf or mute on one
 * link, and ends nothing.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/address.h"
#include "net/lan_state.h"

enum {
    HOPS = 255, /* RFC 6762 11: tells that a packet was not forwarded */
};

static const struct rapport_address group4 = {
    .family = 4, .bytes = {224, 0, 0, 251}, .port = MDNS_PORT};
static const struct rapport_address group6 = {
    .family = 6, .bytes = {0xff, 0x02, [15] = 0xfb}, .port = MDNS_PORT};

static struct rapport_address group_of(const struct lan_link *k)
{
    struct rapport_address group = k->at.family == 4 ? group4 : group6;
    group.scope = k->at.family == 4 ? 0 : k->at.ifindex;
    return group;
}

/* ---- options ---- */

static int set_int(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value) ? -errno : 0;
}

static int set_sending4(int fd, uint32_t ifindex)
{
    const struct ip_mreqn on = {.imr_ifindex = (int)ifindex};
    int error = set_int(fd, IPPROTO_IP, IP_MULTICAST_TTL, HOPS);
    error = error ? error : set_int(fd, IPPROTO_IP, IP_TTL, HOPS);
    error = error ? error : set_int(fd, IPPROTO_IP, IP_MULTICAST_LOOP, 1);
    if (!error && setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &on, sizeof on))
        error = -errno;
    return error;
}

static int set_sending6(int fd, uint32_t ifindex)
{
    int error = set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    error = error ? error : set_int(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, HOPS);
    error = error ? error : set_int(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, HOPS);
    error = error ? error : set_int(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 1);
    return error ? error : set_int(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, (int)ifindex);
}

static int set_sending(int fd, const struct lan_link *k)
{
    return k->at.family == 4 ? set_sending4(fd, k->at.ifindex) : set_sending6(fd, k->at.ifindex);
}

/* Packets of the group from this interface only: by default a socket gets what any socket of the
   machine has asked for. A kernel without these options does without. */
static int join(int fd, const struct lan_link *k)
{
    const struct ip_mreqn four = {.imr_multiaddr = {htonl(0xe00000fb)},
                                  .imr_ifindex = (int)k->at.ifindex};
    struct ipv6_mreq six = {.ipv6mr_interface = k->at.ifindex};
    memcpy(&six.ipv6mr_multiaddr, group6.bytes, sizeof group6.bytes);
    bool is4 = k->at.family == 4;
#ifdef IP_MULTICAST_ALL
    if (is4)
        (void)set_int(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0);
#endif
#ifdef IPV6_MULTICAST_ALL
    if (!is4)
        (void)set_int(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0);
#endif
    int failed = is4 ? setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &four, sizeof four)
                     : setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &six, sizeof six);
    return failed ? -errno : 0;
}

static int bind_to(int fd, const struct rapport_address *address)
{
    struct sockaddr_storage at;
    address_to_sockaddr(address, &at);
    socklen_t len = address->family == 4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    return bind(fd, (struct sockaddr *)&at, len) ? -errno : 0;
}

/* ---- opening ---- */

static int prepare(int fd, const struct lan_link *k, bool group)
{
    struct rapport_address at = {.family = k->at.family};
    int error = set_sending(fd, k);
    if (group) {
        /* REUSEADDR, not REUSEPORT: beside a program of another user the latter is refused. */
        error = error ? error : set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
        at = group_of(k);
    }
    error = error ? error : bind_to(fd, &at);
    return error || !group ? error : join(fd, k);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct lan_link *k = handle->data;
    (void)suggested;
    *buf = uv_buf_init(k->lan->buffer, sizeof k->lan->buffer);
}

static void on_packet(uv_udp_t *socket, ssize_t n, const uv_buf_t *buf, const struct sockaddr *from,
                      unsigned flags)
{
    struct lan_link *k = socket->data;
    struct rapport_address source;
    (void)flags; /* what was cut off is longer than the engine takes */
    if (n < 0 || !from || k->lan->closing || address_of_sockaddr(from, &source))
        return;
    if (source.family == 6 && address_is_link_local(&source) && source.scope != k->at.ifindex)
        return;
    lan_received(k, &source, socket == &k->one_shot,
                 slice_of((const uint8_t *)buf->base, (size_t)n));
}

static int open_socket(struct lan_link *k, uv_udp_t *socket_of, bool group)
{
    int fd = socket(k->at.family == 4 ? AF_INET : AF_INET6,
                    SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int error = fd < 0 ? -errno : prepare(fd, k, group);
    error = error ? error : uv_udp_open(socket_of, fd);
    if (error) {
        if (fd >= 0)
            (void)close(fd);
        return error;
    }
    return uv_udp_recv_start(socket_of, on_alloc, on_packet);
}

void lan_link_open(struct lan_link *k)
{
    (void)uv_udp_init(k->lan->config.loop, &k->group);
    (void)uv_udp_init(k->lan->config.loop, &k->one_shot);
    k->group.data = k->one_shot.data = k;
    k->n_handles = 2;
    k->group_error = open_socket(k, &k->group, true);
    k->one_shot_error = open_socket(k, &k->one_shot, false);
}

static void on_closed(uv_handle_t *handle)
{
    struct lan_link *k = handle->data;
    if (--k->n_handles == 0)
        lan_link_closed(k);
}

void lan_link_close(struct lan_link *k)
{
    uv_close((uv_handle_t *)&k->group, on_closed);
    uv_close((uv_handle_t *)&k->one_shot, on_closed);
}

/* ---- sending ---- */

void lan_link_send(struct lan_link *k, const struct mdns_packet *packet)
{
    struct rapport_address to = packet->unicast ? packet->to : group_of(k);
    struct sockaddr_storage name;
    if (packet->one_shot ? k->one_shot_error : k->group_error)
        return;
    address_to_sockaddr(&to, &name);
    uv_buf_t buf = uv_buf_init((char *)(uintptr_t)packet->bytes, (unsigned)packet->len);
    int n = uv_udp_try_send(packet->one_shot ? &k->one_shot : &k->group, &buf, 1,
                            (struct sockaddr *)&name);
    k->send_error = n < 0 ? n : 0;
}
