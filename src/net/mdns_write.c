/*
 * mdns_write.c - the writer (see mdns_packet.h).
 *
 * Names are compressed: each suffix is written once and pointed at afterwards. In an answer to an
 * ordinary resolver the target of SRV is written out (RFC 6762 §18.14). The cache-flush bit stands
 * on the records that are ours alone (SRV, TXT, addresses), not on PTR, and on none for an ordinary
 * resolver.
 */
#include <assert.h>
#include <sodium/utils.h>

#include "net/mdns_packet.h"

enum {
    FLAGS_QUERY = 0,
    FLAGS_RESPONSE = 0x8400, /* response, authoritative */
    CLASS_IN = 1,
    CLASS_FLUSH = 0x8001,
    POINTER = 0xc000,
    SALT_TEXT = 11, /* base64url without padding */
    TAGS_TEXT = 43,
};

struct writer {
    struct buf *out;
    uint16_t service, local; /* where these names stand already; 0: nowhere */
    uint16_t instance, host; /* of `label` */
    uint8_t label[RAPPORT_LABEL_BYTES];
    bool plain; /* no cache-flush bits, the target of SRV written out */
};

/* ---- names ---- */

static void put_part(struct buf *out, const char *text, size_t len)
{
    buf_u8(out, (uint8_t)len);
    buf_append(out, text, len);
}

/* Points at what stands at *at; true when it does. Otherwise notes down that it will stand here. */
static bool put_pointer(struct writer *w, uint16_t *at)
{
    if (*at) {
        buf_u16be(w->out, (uint16_t)(POINTER | *at));
        return true;
    }
    *at = (uint16_t)w->out->len;
    return false;
}

static void put_local(struct writer *w)
{
    if (put_pointer(w, &w->local))
        return;
    put_part(w->out, "local", 5);
    buf_u8(w->out, 0);
}

static void put_service(struct writer *w)
{
    if (put_pointer(w, &w->service))
        return;
    put_part(w->out, "_rapport", 8);
    put_part(w->out, "_tcp", 4);
    put_local(w);
}

static void put_all_services(struct writer *w)
{
    put_part(w->out, "_services", 9);
    put_part(w->out, "_dns-sd", 7);
    put_part(w->out, "_udp", 4);
    put_local(w);
}

/* Names of another label than the one before are written out again. */
static void use_label(struct writer *w, const uint8_t *label)
{
    if (memcmp(w->label, label, sizeof w->label) == 0)
        return;
    memcpy(w->label, label, sizeof w->label);
    w->instance = w->host = 0;
}

static void put_instance(struct writer *w, const uint8_t *label)
{
    use_label(w, label);
    if (put_pointer(w, &w->instance))
        return;
    put_part(w->out, (const char *)label, RAPPORT_LABEL_BYTES);
    put_service(w);
}

static void put_host(struct writer *w, const uint8_t *label)
{
    use_label(w, label);
    if (put_pointer(w, &w->host))
        return;
    put_part(w->out, (const char *)label, RAPPORT_LABEL_BYTES);
    put_local(w);
}

static void put_name(struct writer *w, enum mdns_name name, const uint8_t *label)
{
    switch (name) {
    case MDNS_NAME_SERVICE:
        put_service(w);
        break;
    case MDNS_NAME_INSTANCE:
        put_instance(w, label);
        break;
    case MDNS_NAME_HOST:
        put_host(w, label);
        break;
    case MDNS_NAME_ALL_SERVICES:
        put_all_services(w);
        break;
    case MDNS_NAME_OTHER:
        assert(name != MDNS_NAME_OTHER);
    }
}

/* ---- questions and records ---- */

static struct writer writer_of(struct buf *out, bool plain)
{
    assert(out->len == 0);
    return (struct writer){.out = out, .plain = plain};
}

struct counts {
    size_t questions, answers, authority, additional;
};

static void put_header(struct writer *w, uint16_t id, uint16_t flags, struct counts n)
{
    buf_u16be(w->out, id);
    buf_u16be(w->out, flags);
    buf_u16be(w->out, (uint16_t)n.questions);
    buf_u16be(w->out, (uint16_t)n.answers);
    buf_u16be(w->out, (uint16_t)n.authority);
    buf_u16be(w->out, (uint16_t)n.additional);
}

static void put_question(struct writer *w, const struct mdns_question *q)
{
    put_name(w, q->name, q->label);
    buf_u16be(w->out, q->type);
    buf_u16be(w->out, CLASS_IN);
}

static void put_head(struct writer *w, enum mdns_type type, uint32_t ttl_s)
{
    bool is_shared = type == MDNS_PTR || w->plain;
    buf_u16be(w->out, (uint16_t)type);
    buf_u16be(w->out, is_shared ? CLASS_IN : CLASS_FLUSH);
    buf_u32be(w->out, ttl_s);
}

/* How long the data of a record is is known once it is written: the length goes in front then. */
static size_t begin_data(struct writer *w)
{
    buf_u16be(w->out, 0);
    return w->out->len;
}

static void end_data(struct writer *w, size_t start)
{
    if (buf_error(w->out))
        return;
    size_t len = w->out->len - start;
    w->out->ptr[start - 2] = (uint8_t)(len >> 8);
    w->out->ptr[start - 1] = (uint8_t)len;
}

static void put_ptr(struct writer *w, const uint8_t *label, uint32_t ttl_s)
{
    put_service(w);
    put_head(w, MDNS_PTR, ttl_s);
    size_t start = begin_data(w);
    put_instance(w, label);
    end_data(w, start);
}

static void put_services(struct writer *w, uint32_t ttl_s)
{
    put_all_services(w);
    put_head(w, MDNS_PTR, ttl_s);
    size_t start = begin_data(w);
    put_service(w);
    end_data(w, start);
}

static void put_srv(struct writer *w, const struct rapport_beacon *beacon, uint32_t ttl_s)
{
    put_instance(w, beacon->label);
    put_head(w, MDNS_SRV, ttl_s);
    size_t start = begin_data(w);
    buf_u32be(w->out, 0); /* priority, weight */
    buf_u16be(w->out, beacon->port);
    if (w->plain) {
        put_part(w->out, (const char *)beacon->label, RAPPORT_LABEL_BYTES);
        put_part(w->out, "local", 5);
        buf_u8(w->out, 0);
    } else {
        put_host(w, beacon->label);
    }
    end_data(w, start);
}

static void put_txt(struct writer *w, const struct rapport_beacon *beacon, uint32_t ttl_s)
{
    char salt[SALT_TEXT + 1], tags[TAGS_TEXT + 1];
    sodium_bin2base64(salt, sizeof salt, beacon->salt, sizeof beacon->salt,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_bin2base64(tags, sizeof tags, beacon->tags[0], sizeof beacon->tags,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    put_instance(w, beacon->label);
    put_head(w, MDNS_TXT, ttl_s);
    size_t start = begin_data(w);
    put_part(w->out, "v=1", 3);
    buf_u8(w->out, 2 + SALT_TEXT);
    buf_append_str(w->out, "s=");
    buf_append_str(w->out, salt);
    buf_u8(w->out, 2 + TAGS_TEXT);
    buf_append_str(w->out, "t=");
    buf_append_str(w->out, tags);
    end_data(w, start);
}

static void put_address(struct writer *w, const uint8_t *label, const struct rapport_address *a,
                        uint32_t ttl_s)
{
    put_host(w, label);
    put_head(w, a->family == 4 ? MDNS_A : MDNS_AAAA, ttl_s);
    size_t start = begin_data(w);
    buf_append(w->out, a->bytes, a->family == 4 ? 4 : 16);
    end_data(w, start);
}

static void put_records(struct writer *w, const struct mdns_own *own, unsigned which,
                        uint32_t ttl_s)
{
    if (which & MDNS_HAS_SERVICES)
        put_services(w, ttl_s);
    if (which & MDNS_HAS_PTR)
        put_ptr(w, own->beacon->label, ttl_s);
    if (which & MDNS_HAS_SRV)
        put_srv(w, own->beacon, ttl_s);
    if (which & MDNS_HAS_TXT)
        put_txt(w, own->beacon, ttl_s);
    for (size_t i = 0; (which & MDNS_HAS_ADDRESSES) && i < own->n_addresses; i++)
        put_address(w, own->beacon->label, &own->addresses[i], ttl_s);
}

static size_t count_records(const struct mdns_own *own, unsigned which)
{
    size_t n = which & MDNS_HAS_ADDRESSES ? own->n_addresses : 0;
    for (unsigned one = MDNS_HAS_PTR; one <= MDNS_HAS_SERVICES; one <<= 1)
        n += one != MDNS_HAS_ADDRESSES && (which & one);
    return n;
}

/* ---- packets ---- */

void mdns_put_response(struct buf *out, const struct mdns_own *own,
                       const struct mdns_response *response)
{
    struct writer w = writer_of(out, response->one_shot);
    size_t n_questions = response->one_shot ? response->n_questions : 0;
    put_header(&w, response->id, FLAGS_RESPONSE,
               (struct counts){.questions = n_questions,
                               .answers = count_records(own, response->answers),
                               .additional = count_records(own, response->additional)});
    for (size_t i = 0; i < n_questions; i++)
        put_question(&w, &response->questions[i]);
    put_records(&w, own, response->answers, response->ttl_s);
    put_records(&w, own, response->additional, response->ttl_s);
}

void mdns_put_query(struct buf *out, const struct mdns_query *query)
{
    assert(query->n_questions <= MDNS_MOST_ASKED && query->n_heard <= MDNS_MOST_HEARD);
    struct writer w = writer_of(out, false);
    put_header(&w, 0, FLAGS_QUERY,
               (struct counts){.questions = query->n_questions, .answers = query->n_heard});
    for (size_t i = 0; i < query->n_questions; i++)
        put_question(&w, &query->questions[i]);
    for (size_t i = 0; i < query->n_heard; i++)
        put_ptr(&w, query->heard[i].label, query->heard[i].ttl_s);
}

void mdns_put_probe(struct buf *out, const struct mdns_own *own)
{
    struct writer w = writer_of(out, true); /* no cache-flush bit in a probe: RFC 6762 §10.2 */
    struct mdns_question q[2] = {{.name = MDNS_NAME_INSTANCE, .type = MDNS_ANY},
                                 {.name = MDNS_NAME_HOST, .type = MDNS_ANY}};
    unsigned which = MDNS_HAS_SRV | MDNS_HAS_TXT | MDNS_HAS_ADDRESSES;
    put_header(&w, 0, FLAGS_QUERY,
               (struct counts){.questions = 2, .authority = count_records(own, which)});
    for (size_t i = 0; i < 2; i++) {
        memcpy(q[i].label, own->beacon->label, sizeof q[i].label);
        put_question(&w, &q[i]);
    }
    put_records(&w, own, which, MDNS_TTL_S);
}
