/*
 * mdns.h - being found and finding on one or more LANs: the schedule and the cache of multicast DNS
 * service discovery, without sockets and clocks. Bytes and times in, bytes and candidates out.
 *
 * One instance is announced, at a random label with blinded tags (struct rapport_beacon): no name,
 * no key, no report id; label and salt are drawn again every MDNS_LABEL_MS and whenever the set of
 * links or addresses changes, tags every RAPPORT_TAG_EPOCH_S. Instances whose tags `knows` does not
 * recognise are counted and not dialled.
 *
 * A link is one interface and one family: "eth0, IPv6" and "eth0, IPv4" are two. Everything that a
 * hostile LAN can make grow is bounded by the enum below; a full cache gives up what was used least
 * recently and is not known to be a friend.
 *
 * Sources: RFC 6762 (§5.2 queries, §5.4 unicast answers, §6 timing, §6.7 one-shot, §7.1 known
 * answers, §8 probing and announcing, §10.1 goodbye), RFC 6763 (§4 to 6), RFC 8882 (privacy).
 */
#ifndef NET_MDNS_H
#define NET_MDNS_H

#include "base/slice.h"
#include "rapport/rapport.h"

enum {
    MDNS_PORT = 5353,
    MDNS_MOST_PACKET = 9000,
    MDNS_MOST_LINKS = 32,
    MDNS_MOST_OWN = 4,       /* addresses announced on a link: link-local and three others */
    MDNS_MOST_ADDRESSES = 6, /* of an instance */
    MDNS_MOST_INSTANCES = 1024,
    /* Read on one link, and from one source of those; above: dropped unread, but for a few of each
       source. A room of 500 that answers one question fits, machines that flood leave room for the
       others. */
    MDNS_MOST_PACKETS_PER_S = 512,
    MDNS_MOST_SOURCE_PER_S = 32,
    MDNS_TTL_S = 120,
    MDNS_LABEL_MS = 24 * 3600 * 1000,
    MDNS_ENOUGH_PEERS = 8, /* connected: queries stop */
    MDNS_SEED_BYTES = 32,
};

enum mdns_mode {
    MDNS_OFF,
    MDNS_PASSIVE, /* listens and asks, never answers or announces */
    MDNS_ACTIVE,
};

struct mdns_config {
    enum mdns_mode mode;
    uint8_t seed[MDNS_SEED_BYTES]; /* the only randomness: same seed and inputs, same packets */
    void *user;
    /* rapport_node_tags and rapport_node_knows_beacon, or a test's. */
    size_t (*tags)(void *user, uint64_t wall_ms, struct rapport_beacon *beacon);
    bool (*knows)(void *user, uint64_t wall_ms, const struct rapport_beacon *beacon);
};

/* One interface and family that is up, and what is announced on it. */
struct mdns_link {
    uint32_t id; /* the caller's, not 0 */
    uint32_t ifindex;
    uint8_t family; /* 4 or 6 */
    /* Of this interface, of both families, the link-local one first; port ignored. */
    struct rapport_address own[MDNS_MOST_OWN];
    uint8_t prefix[MDNS_MOST_OWN]; /* bits of each one's network: who is on the link is in one */
    size_t n_own;
};

/* One packet to send. */
struct mdns_packet {
    uint32_t link;
    bool one_shot; /* from the link's ephemeral socket to the group: answers come back unicast */
    bool unicast;  /* from 5353 to `to`; else from 5353 to the group */
    struct rapport_address to;
    const uint8_t *bytes; /* valid until the next call */
    size_t len;
};

/* One packet that came. */
struct mdns_arrival {
    uint32_t link;
    bool unicast; /* to the link's ephemeral socket; else to the group */
    struct rapport_address source;
    struct slice bytes;
};

/* A candidate that appeared (again), or is gone. */
struct mdns_found {
    struct rapport_address address; /* with port; scope set for link-local ones */
    uint64_t who;                   /* of the instance */
    bool lost;
};

/* For status and doctor. */
struct mdns_stats {
    size_t n_links;
    size_t n_instances, n_known;  /* in the cache; with a tag of ours */
    uint64_t sent, unsolicited;   /* packets; those of them that answered nobody */
    uint64_t received, malformed; /* packets read; those against the rules */
    uint64_t dropped;             /* above MDNS_MOST_PACKETS_PER_S, or from off-link */
    uint64_t heard_own;           /* our own multicast came back: multicast leaves this machine's
                                     socket at least */
    rapport_time_ms last_foreign; /* when another machine's packet came last; 0 never */
    rapport_time_ms last_known;   /* when a friend's announcement or answer came last; 0 never */
};

struct mdns;

/* Makes an engine without links. Returns 0 or RAPPORT_NOMEM. Free with mdns_destroy. */
int mdns_create(const struct mdns_config *config, struct mdns **out);
/* Frees; sends nothing (mdns_goodbye does). NULL is allowed. */
void mdns_destroy(struct mdns *m);

/* The link is up, or its addresses changed: asking begins (again) on it, and announcing, at a new
   label, on all. Nothing happens when nothing changed.
   RAPPORT_LIMIT past MDNS_MOST_LINKS. */
int mdns_link_up(struct mdns *m, rapport_time_ms now, const struct mdns_link *link);
/* The link is gone: its instances are lost at once. */
void mdns_link_down(struct mdns *m, rapport_time_ms now, uint32_t id);
/* Where we listen; 0: nowhere, nothing is announced. Another port is announced at a new label. */
void mdns_set_port(struct mdns *m, rapport_time_ms now, uint16_t port);
/* What the report is found by may have changed (joined, invited, another epoch): new tags are
   announced, and every cached instance is looked at again. */
void mdns_set_tags(struct mdns *m, rapport_time_ms now);
/* Number of friends connected; from MDNS_ENOUGH_PEERS on, or when every known instance is
   connected (mdns_connected), nothing is asked any more. */
void mdns_set_peers(struct mdns *m, rapport_time_ms now, size_t n_connected);
/* Whether there is a session with the machine at this address: its records are not refreshed while
   there is. */
void mdns_connected(struct mdns *m, rapport_time_ms now, const struct rapport_address *address,
                    bool connected);
/* The machine slept or moved: new label, everything from the start on every link. */
void mdns_restart(struct mdns *m, rapport_time_ms now);

/* A packet came. Bad ones are counted and dropped. */
void mdns_receive(struct mdns *m, rapport_time_ms now, uint64_t wall_ms,
                  const struct mdns_arrival *arrival);
/* Does what is due. */
void mdns_tick(struct mdns *m, rapport_time_ms now, uint64_t wall_ms);
/* When mdns_tick has something to do; UINT64_MAX: never. */
rapport_time_ms mdns_deadline(const struct mdns *m);
/* Says goodbye on every link (once; call it a second time 250 ms later where there is time). */
void mdns_goodbye(struct mdns *m, rapport_time_ms now);

/* The next packet to send, the next candidate; false when there is none. Drain both after each
   call above. */
bool mdns_next_packet(struct mdns *m, struct mdns_packet *out);
/* As above. */
bool mdns_next_found(struct mdns *m, struct mdns_found *out);
/* Figures. */
void mdns_stats(const struct mdns *m, struct mdns_stats *out);

#endif
