/*
 * tailnet_status.h - what tailscaled says, read strictly and without trust: `status`, `whois`, and
 * rings on the bus. JSON by jansson; unknown fields are skipped, wrong types are as if absent.
 *
 * Sources: tailscale ipn/ipnstate (Status, PeerStatus), ipn/backend.go (State, Notify),
 * client/tailscale/apitype (WhoIsResponse), as of 1.80 to 1.102; the field names are theirs.
 */
#ifndef NET_TAILNET_STATUS_H
#define NET_TAILNET_STATUS_H

#include "base/slice.h"
#include "rapport/rapport.h"

enum {
    TAILNET_MOST_PEERS = 20000, /* further ones are skipped and counted */
    TAILNET_MOST_IPS = 4,       /* of one machine */
    TAILNET_MOST_NAME = 255,
    TAILNET_MOST_TAGS = 16,
    TAILNET_MOST_HEALTH = 8,
};

enum tailnet_backend {
    TAILNET_NO_STATE,
    TAILNET_NEEDS_LOGIN,
    TAILNET_NEEDS_MACHINE_AUTH,
    TAILNET_STOPPED,
    TAILNET_STARTING,
    TAILNET_RUNNING,
    TAILNET_OTHER_USER, /* InUseOtherUser */
    TAILNET_UNKNOWN,    /* a word we do not know */
};

/* Why a machine of the tailnet is not probed. */
enum tailnet_skip {
    TAILNET_KEEP,
    TAILNET_SKIP_SELF,
    TAILNET_SKIP_OFFLINE,
    TAILNET_SKIP_EXPIRED,
    TAILNET_SKIP_SHAREE, /* somebody we shared a machine to */
    TAILNET_SKIP_MULLVAD,
    TAILNET_SKIP_NO_ADDRESS,
    TAILNET_SKIP_PHONE,   /* android, iOS, tvOS: there is no rapport there */
    TAILNET_SKIP_NOT_OWN, /* --tailnet own: another person's */
    TAILNET_SKIP_FILTER,  /* has not the tag that was asked for */
};

struct tailnet_peer {
    char *id;   /* StableID: a hint, may be reused */
    char *name; /* DNSName without its dot, else HostName; printable */
    char *os;
    char *relay; /* DERP region; "" */
    int64_t user;
    bool online, expired, sharee, shared_in, mullvad, direct, active;
    struct rapport_address ips[TAILNET_MOST_IPS]; /* IPv6 first; port 0 */
    size_t n_ips;
    char *tags[TAILNET_MOST_TAGS];
    size_t n_tags;
};

struct tailnet_status {
    char *version;
    enum tailnet_backend backend;
    char *backend_word; /* as it stands there, printable */
    bool tun;           /* false: userspace networking */
    char *auth_url;     /* "" */
    char *tailnet;      /* CurrentTailnet.Name; "" */
    char *suffix;       /* MagicDNSSuffix; "" */
    struct tailnet_peer self;
    bool has_self;
    struct tailnet_peer *peers;
    size_t n_peers, n_dropped; /* n_dropped: past TAILNET_MOST_PEERS, or no object */
    char *health[TAILNET_MOST_HEALTH];
    size_t n_health;
};

/* Reads the body of GET status. Returns 0, RAPPORT_MALFORMED (no JSON, too deep, no object),
   RAPPORT_LIMIT or RAPPORT_NOMEM. Free with tailnet_status_clear. */
int tailnet_status_read(struct slice json, struct tailnet_status *out);
/* Frees everything. */
void tailnet_status_clear(struct tailnet_status *s);
/* Whether to probe this machine; `own`: only the same user's and tagged ones of ours; `tag` NULL or
   a tag that it must have. `spoke`: we had a session with it within the hour, so that an `offline`
   is not believed. */
enum tailnet_skip tailnet_skip(const struct tailnet_status *s, const struct tailnet_peer *p,
                               bool own, const char *tag, bool spoke);
/* "is offline" and so on, for people. */
const char *tailnet_skip_text(enum tailnet_skip skip);
/* 100.64.0.0/10 and fd7a:115c:a1e0::/48. */
bool tailnet_is_address(const struct rapport_address *a);

struct tailnet_whois {
    char *id, *name, *login;
    int64_t user;
    char *tags[TAILNET_MOST_TAGS];
    size_t n_tags;
};

/* Reads the body of GET whois. As above; RAPPORT_MALFORMED without a Node. */
int tailnet_whois_read(struct slice json, struct tailnet_whois *out);
/* Frees everything. */
void tailnet_whois_clear(struct tailnet_whois *w);

/* The mask for watch-ipn-bus that suits a daemon of this capability. */
unsigned tailnet_bus_mask(unsigned cap);

/* A scanner of the bus: one JSON object a line, of any length, without building it. */
struct tailnet_bus {
    unsigned depth, state;
    size_t key_len;
    bool in_string, escaped, in_patch, is_end, ring, ends;
    char key[24]; /* the last string's first bytes */
};

enum tailnet_ring {
    TAILNET_SILENT,
    TAILNET_RING,     /* something changed: fetch the status */
    TAILNET_BUS_ENDS, /* ErrMessage: the daemon gave up on us */
};

/* Takes bytes of the bus; returns the strongest ring among the objects that ended in them. */
enum tailnet_ring tailnet_bus_feed(struct tailnet_bus *b, struct slice bytes);

#endif
