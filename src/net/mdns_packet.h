/*
 * mdns_packet.h - packets of multicast DNS: a strict reader of what concerns our service, and the
 * writer of what we say.
 *
 * Read are PTR, SRV, TXT, A and AAAA records, and questions for them, at these names:
 *
 *     _rapport._tcp.local             the service
 *     LABEL._rapport._tcp.local       an instance; LABEL is 16 characters of a-z and 2-7
 *     LABEL.local                     its host: an SRV record must lead there
 *     _services._dns-sd._udp.local    all services (questions only)
 *
 * Every other type is skipped without reading more than its length, every other name is skipped
 * once it is read. Pointers in names go strictly backwards, a name has at most 255 bytes. Nothing
 * here allocates but the writer's buffer, nothing recurses, and there is no work that the size of
 * the packet does not bound.
 *
 * What breaks the rules of DNS makes the packet malformed (error); what keeps them and is no
 * record of ours (another TXT version, an SRV with a host name) is skipped.
 *
 * Sources: RFC 1035 §4.1, RFC 6762 §18, RFC 6763 §4 to 6.
 */
#ifndef NET_MDNS_PACKET_H
#define NET_MDNS_PACKET_H

#include "base/buf.h"
#include "base/reader.h"
#include "net/mdns.h"

enum {
    MDNS_MOST_NAME = 255, /* bytes of a name, lengths and the root included */
    MDNS_MOST_HOPS = 16,  /* pointers in one name */
    MDNS_MOST_TXT = 256,  /* bytes of a TXT record of ours; a longer one is skipped */
    MDNS_MOST_HEARD = 36, /* known answers in one question of ours */
    MDNS_MOST_ASKED = 32, /* questions in one packet of ours */
    MDNS_ONE_SHOT_TTL_S = 10,
};

enum mdns_type {
    MDNS_A = 1,
    MDNS_PTR = 12,
    MDNS_TXT = 16,
    MDNS_AAAA = 28,
    MDNS_SRV = 33,
    MDNS_ANY = 255, /* questions only */
};

enum mdns_section {
    MDNS_QUESTIONS,
    MDNS_ANSWERS,
    MDNS_AUTHORITY,
    MDNS_ADDITIONAL,
};

enum mdns_name {
    MDNS_NAME_OTHER,
    MDNS_NAME_SERVICE,
    MDNS_NAME_INSTANCE,
    MDNS_NAME_HOST,
    MDNS_NAME_ALL_SERVICES,
};

/* A question or a record that concerns our service. */
struct mdns_item {
    enum mdns_section section;
    enum mdns_name name;
    uint16_t type;                      /* enum mdns_type */
    bool flag;                          /* question: unicast is welcome; record: cache-flush */
    uint32_t ttl_s;                     /* as it stands there */
    uint8_t label[RAPPORT_LABEL_BYTES]; /* of the instance: of the name, or that PTR leads to */
    uint16_t port;                      /* SRV */
    uint8_t salt[RAPPORT_SALT_BYTES];   /* TXT */
    uint8_t tags[RAPPORT_TAGS][RAPPORT_TAG_BYTES]; /* TXT */
    struct rapport_address address;                /* A, AAAA; port and scope 0 */
};

struct mdns_parser {
    struct slice packet;
    struct reader reader;
    uint16_t id;
    bool is_response, is_truncated;
    uint16_t left[4]; /* of each section */
    int error;        /* 0, RAPPORT_TRUNCATED, MALFORMED or LIMIT */
};

/* Reads the header. Returns 0, RAPPORT_LIMIT past MDNS_MOST_PACKET, RAPPORT_TRUNCATED, or
   RAPPORT_MALFORMED for an opcode or response code that multicast DNS does not have. */
int mdns_parse_start(struct mdns_parser *p, struct slice packet);
/* The next item that concerns us; false at the end or on an error, which `error` then holds: the
   packet as a whole is to be dropped. */
bool mdns_parse_next(struct mdns_parser *p, struct mdns_item *out);
/* Reads the packet to its end. Returns 0 or what is wrong with it. */
int mdns_parse_check(struct slice packet);

/* Which of our records. */
enum mdns_records {
    MDNS_HAS_PTR = 1,
    MDNS_HAS_SRV = 2,
    MDNS_HAS_TXT = 4,
    MDNS_HAS_ADDRESSES = 8,
    MDNS_HAS_SERVICES = 16, /* that the service is one of all services */
    MDNS_HAS_INSTANCE = 15, /* the first four */
};

struct mdns_question {
    enum mdns_name name; /* not OTHER */
    uint16_t type;
    uint8_t label[RAPPORT_LABEL_BYTES]; /* INSTANCE, HOST */
};

/* What is announced: borrowed. */
struct mdns_own {
    const struct rapport_beacon *beacon;
    const struct rapport_address *addresses;
    size_t n_addresses; /* at most MDNS_MOST_OWN */
};

struct mdns_response {
    uint16_t id;
    bool one_shot;                         /* to an ordinary resolver: RFC 6762 §6.7 */
    const struct mdns_question *questions; /* repeated when one_shot */
    size_t n_questions;
    unsigned answers, additional; /* enum mdns_records */
    uint32_t ttl_s;
};

/* What we know already, in a question. */
struct mdns_heard {
    uint8_t label[RAPPORT_LABEL_BYTES];
    uint32_t ttl_s;
};

struct mdns_query {
    const struct mdns_question *questions;
    size_t n_questions; /* at most MDNS_MOST_ASKED */
    const struct mdns_heard *heard;
    size_t n_heard; /* at most MDNS_MOST_HEARD */
};

/* Each writes one packet into `out`, which must be empty; the buffer's error sticks. */
void mdns_put_response(struct buf *out, const struct mdns_own *own,
                       const struct mdns_response *response);
/* As above. */
void mdns_put_query(struct buf *out, const struct mdns_query *query);
/* A probe for our names (RFC 6762 §8.1); what we shall announce stands in its authority section. */
void mdns_put_probe(struct buf *out, const struct mdns_own *own);

#endif
