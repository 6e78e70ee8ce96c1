/*
 * mdns_parts.h - the inside of struct mdns, shared by mdns*.c.
 *
 *     mdns.c        links, settings, the clock
 *     mdns_label.c  who we are to others: label, salt, tags; chance
 *     mdns_hear.c   packets in
 *     mdns_cache.c  instances that were heard, what is told of them
 *     mdns_plan.c   what is due on a link: probes, announcements, questions
 *     mdns_say.c    packets out
 *
 * Everything stands in one block of fixed size: after mdns_create nothing is allocated, so nothing
 * that comes from a LAN can make memory grow or run out. What is due is marked (line.owes, the
 * marks of instances) and turned into packets and candidates when the caller asks for them.
 */
#ifndef NET_MDNS_PARTS_H
#define NET_MDNS_PARTS_H

#include "net/address.h"
#include "net/mdns_packet.h"

#define MDNS_NEVER UINT64_MAX

enum {
    EPOCH_MS = RAPPORT_TAG_EPOCH_S * 1000,
    PROBES = 3,
    STEPS = 6, /* three probes, three announcements */
    PROBE_MS = 250,
    ANNOUNCE_AGAIN_MS = 1000, /* then twice that */
    HASTE_MIN_MS = 20,        /* of the random wait before a first word or an answer */
    HASTE_MAX_MS = 120,
    ANSWER_PER_INSTANCE_MS = 2, /* the wait grows with the room */
    ANSWER_MOST_MS = 2000,
    ANSWER_TRUNCATED_MS = 400,  /* a question whose known answers go on in the next packet */
    SAID_PER_INSTANCE_MS = 100, /* what was multicast is not said again for so long... */
    SAID_LEAST_MS = 1000,       /* ...but at least */
    SAID_MOST_MS = MDNS_TTL_S * 1000 / 4,
    UNICAST_PER_S = 10,
    ASK_FIRST_MS = 400,
    ASK_GAP_MS = 1000, /* times three each time */
    ASK_MOST_MS = 3600 * 1000,
    ASK_AT_LEAST_MS = 5000, /* on a new link, whoever is connected by other ways */
    EPOCH_SPREAD_MS = 60 * 1000,
    GATHER_MS = 200, /* for the rest of an instance's records */
    DETAILS_BURST = 8,
    DETAILS_EACH_MS = 60 * 1000,
    DETAILS_MOST = 8, /* instances in one packet */
    GOODBYE_MS = 1000,
    GRACE_MS =
        10 * 1000, /* after a session or a sleep: until a friend must have been heard again */
    REFRESHES = 4,
    CONFLICT_MS = 60 * 1000, /* between two labels given up because somebody claimed them */
    ECHO_MS = 3000,          /* so late our own multicast may come back */
    MOST_ECHOES = 16,
    MOST_SIGHTINGS = 16, /* instances taken from one packet */
    MOST_REPLIES = 8,    /* unicast answers that wait */
    MOST_REPEATED = 4,   /* questions that one of them repeats */
    MOST_CONNECTED = RAPPORT_MOST_LINKS,
    SOURCES = 256,          /* buckets of sources on a link */
    RESERVED_BURST = 4,     /* packets of each that are read whatever the others send... */
    RESERVED_EACH_MS = 500, /* ...and then one in so long */
    OUT_BYTES = 1400,
};

/* So many at once, then one each interval (GCRA). Zeros: nothing was used yet. */
struct pace {
    uint64_t at_us;
};

/* What is to be sent on a link. */
enum owed {
    OWES_ONE_SHOT = 1,
    OWES_BYE_OLD = 2, /* for the label before */
    OWES_BYE = 4,
    OWES_PROBE = 8,
    OWES_ANNOUNCE = 16,
    OWES_ANSWER = 32,
    OWES_QUERY = 64,
    OWES_DETAILS = 128,
};

/* A link and where we stand on it. */
struct line {
    bool used;
    struct mdns_link link;
    unsigned owes; /* enum owed */

    unsigned step; /* of STEPS: probes and first announcements */
    rapport_time_ms step_due, announce_due;
    rapport_time_ms ask_due, ask_gap, asked; /* asked: last time, 0 never */
    rapport_time_ms asking;                  /* since when: the link came up, or we moved */
    bool refresh;                            /* some record wants to be asked for again */
    bool shown;                              /* our label was seen here */

    rapport_time_ms answer_due;
    unsigned answers;                      /* enum mdns_records */
    struct rapport_address truncated_from; /* family 0: nobody's known answers go on */
    rapport_time_ms said;                  /* our records, last multicast here; 0 never */
    rapport_time_ms unsolicited;           /* last; 0 never */

    struct pace packets[2]; /* multicast, unicast: neither crowds out the other */
    struct pace replies, details;
    struct pace sources[SOURCES], reserved[SOURCES];
};

/* An address of an instance. */
struct heard_address {
    struct rapport_address address;
    uint32_t lines; /* one bit for each that it was heard on */
    rapport_time_ms expires;
    bool report; /* to be told of */
    bool told;   /* was, and is not lost yet */
    bool gone;   /* lost is still to be told */
};

/* Somebody's announcement. */
struct instance {
    bool used;
    bool gone; /* stays only until its addresses are told to be lost */
    struct rapport_beacon beacon;
    uint64_t who;
    uint32_t lines;
    bool has_srv, has_txt;
    bool known;     /* a tag is one of ours */
    bool connected; /* there is a session with it: kept without being heard */
    bool bye;       /* it said goodbye */
    bool again;     /* when it is heard again, it is told again */
    bool asked;     /* for what was missing */
    unsigned refreshes;
    rapport_time_ms heard, expires, refresh_due, gathered_due;
    struct heard_address addresses[MDNS_MOST_ADDRESSES];
    size_t n_addresses;
};

/* What one packet says of one instance. */
struct sighting {
    uint8_t label[RAPPORT_LABEL_BYTES];
    bool alive, bye; /* some record with a TTL; PTR, SRV or TXT with TTL 0 */
    bool has_srv, has_txt;
    uint16_t port;
    uint8_t salt[RAPPORT_SALT_BYTES];
    uint8_t tags[RAPPORT_TAGS][RAPPORT_TAG_BYTES];
    uint32_t ttl_s;
    struct rapport_address addresses[MDNS_MOST_ADDRESSES];
    uint32_t address_ttl_s[MDNS_MOST_ADDRESSES];
    size_t n_addresses;
};

/* An answer to one asker. */
struct reply {
    size_t line;
    struct rapport_address to;
    uint16_t id;
    bool one_shot;
    unsigned answers;
    struct mdns_question questions[MOST_REPEATED];
    size_t n_questions;
};

/* A packet of ours that may come back. */
struct echo {
    uint64_t hash;
    rapport_time_ms until;
};

/* Why the tags have to be computed again. */
enum stale {
    FRESH,
    STALE_EPOCH,
    STALE_TAGS,
    STALE_LABEL,
};

struct mdns {
    struct mdns_config config;
    uint64_t n_draws;
    uint8_t hash_key[16];
    rapport_time_ms now;
    uint64_t wall_ms;
    rapport_time_ms due;

    struct line lines[MDNS_MOST_LINKS];
    bool leaving;

    bool announcing;              /* there is something to be found by, and somewhere to find it */
    struct rapport_beacon beacon; /* of ours */
    size_t n_tags;
    enum stale stale;
    uint64_t epoch;
    rapport_time_ms born; /* of the label */
    rapport_time_ms spread;
    rapport_time_ms conflict; /* last; 0 never */
    struct rapport_beacon old;

    struct instance instances[MDNS_MOST_INSTANCES];
    size_t n_slots;                        /* of instances ever used */
    size_t n_live, n_known, n_unconnected; /* unconnected: known and without a session */
    bool judge;                            /* all tags are to be looked at again */
    bool tell;                             /* some instance has something to tell */
    struct rapport_address connected[MOST_CONNECTED];
    size_t n_connected;
    size_t n_peers;

    struct reply replies[MOST_REPLIES];
    size_t n_replies;
    struct echo echoes[MOST_ECHOES];
    size_t n_echoes;
    struct buf out;
    struct mdns_stats stats;
};

/* ---- mdns.c ---- */

/* Sets the clocks; a new tag epoch makes tags stale. Then computes stale tags. */
void mdns_clock(struct mdns *m, rapport_time_ms now, uint64_t wall_ms);
/* Computes when mdns_tick is due: at the end of each call that changes something. */
void mdns_settle(struct mdns *m);
/* The used line with this id, or NULL. */
struct line *mdns_line(struct mdns *m, uint32_t id);
/* True when one more is allowed. */
bool pace_take(struct pace *p, rapport_time_ms now, uint64_t interval_us, unsigned burst);
/* Same family and bytes; port and scope do not matter. */
bool mdns_same_host(const struct rapport_address *a, const struct rapport_address *b);

/* ---- mdns_label.c ---- */

/* The key of mdns_hash. */
void mdns_hash_start(struct mdns *m);
/* Uniform in 0 to n - 1. */
uint32_t mdns_random(struct mdns *m, uint32_t n);
/* A keyed hash: nobody outside can aim at a value. */
uint64_t mdns_hash(const struct mdns *m, const void *bytes, size_t len);
/* Draws label and salt; the old label gets its goodbye, announcing begins again on every link. */
void mdns_relabel(struct mdns *m);
/* Computes the tags if they are stale, and plans what follows. */
void mdns_freshen(struct mdns *m);
/* When the label is to be drawn again: at most MDNS_LABEL_MS old, and while everybody is connected
   so that its goodbye keeps to the rate of unsolicited packets. */
rapport_time_ms mdns_rotation_due(const struct mdns *m);

/* ---- mdns_hear.c ---- */

/* True when the address is in a network of this link. */
bool mdns_on_link(const struct line *line, const struct rapport_address *a);

/* ---- mdns_cache.c ---- */

/* Takes what a packet from `source` on this line said of an instance. */
void cache_take(struct mdns *m, struct line *line, const struct rapport_address *source,
                const struct sighting *s);
/* Drops what expired, marks what is to be asked for. */
void cache_tick(struct mdns *m);
/* When cache_tick has something to do. */
rapport_time_ms cache_due(const struct mdns *m);
/* Looks at all tags again. */
void cache_judge(struct mdns *m);
/* Forgets what was heard on this line only. */
void cache_drop_line(struct mdns *m, const struct line *line);
/* We slept or moved: who is not heard again soon is lost. */
void cache_doubt(struct mdns *m);
/* The set of connections changed. */
void cache_connections(struct mdns *m);
/* Instances heard on this line that a question of ours need not be answered with. */
size_t cache_heard(const struct mdns *m, const struct line *line, struct mdns_heard *out);
/* Takes up to DETAILS_MOST instances whose missing records have not been asked for. */
size_t cache_missing(struct mdns *m, const struct line *line, struct mdns_question *out);

/* ---- mdns_plan.c ---- */

/* Probes and announcements begin. */
void plan_announcing(struct mdns *m, struct line *line);
/* Questions begin, with or without the one-shot one. */
void plan_asking(struct mdns *m, struct line *line, bool one_shot);
/* Questions begin again on every link, but not faster than they already come. */
void plan_ask_again(struct mdns *m);
/* One announcement after so long, paced while everybody is connected. */
void plan_announcement(struct mdns *m, struct line *line, rapport_time_ms wait_ms);
/* Marks what is due on the line. */
void plan_tick(struct mdns *m, struct line *line);
/* When plan_tick has something to do. */
rapport_time_ms plan_due(const struct mdns *m, const struct line *line);
/* Nobody needs to be asked for or told any more. */
bool plan_is_quiet(const struct mdns *m, const struct line *line);

#endif
