/*
 * mdns_packet.c - the reader (see mdns_packet.h).
 *
 *     at  bytes  header (RFC 6762 §18)     a question:  name, type 2, class 2
 *      0    2    id                        a record:    name, type 2, class 2, TTL 4, length 2,
 *      2    2    flags                                    data
 *      4    2    questions                 a name:      length byte and so many bytes, repeated; 0
 *      6    2    answers                                ends it, and so does 11...... (a pointer)
 *      8    2    authority                 The top bit of a class says "unicast is welcome" in a
 *     10    2    additional                question, "flush what you had" in a record.
 *
 * Past RFC 1035 a name is read only where a type of ours makes it matter; elsewhere its bytes in
 * place are stepped over and pointers stay unread.
 */
#include "net/mdns_packet.h"

#include <sodium/utils.h>

enum {
    HEADER_BYTES = 12,
    FLAG_RESPONSE = 0x8000,
    FLAG_TRUNCATED = 0x0200,
    FLAGS_OPCODE_RCODE = 0x780f,
    CLASS_IN = 1,
    CLASS_ANY = 255,
    CLASS_TOP = 0x8000,
    LABEL_MOST = 63,
    POINTER = 0xc0,
};

/* ---- names ---- */

/* A name as it stands uncompressed, in lower case. */
struct plain_name {
    uint8_t bytes[MDNS_MOST_NAME];
    size_t len;
};

/* Steps over a name in place. */
static void skip_name(struct reader *r)
{
    for (size_t n = 0; n < MDNS_MOST_NAME; n++) {
        uint8_t length = reader_u8(r);
        if (length == 0)
            return; /* the root, or an error that sticks */
        if (length >= POINTER) {
            reader_u8(r);
            return;
        }
        if (length > LABEL_MOST)
            break;
        n += reader_bytes(r, length).len;
    }
    reader_fail(r, RAPPORT_MALFORMED);
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

/* Appends one label with its length; room for the root must stay. */
static void add_label(struct plain_name *name, struct slice label, struct reader *r)
{
    if (name->len + 1 + label.len + 1 > MDNS_MOST_NAME) {
        reader_fail(r, RAPPORT_LIMIT);
        return;
    }
    name->bytes[name->len++] = (uint8_t)label.len;
    for (size_t i = 0; i < label.len; i++)
        name->bytes[name->len++] = lower(label.ptr[i]);
}

/* Reads the name at offset `at`. A pointer leads before the run of labels that it ends, so each hop
   goes strictly backwards and no loop can be built. */
static int read_name(struct slice packet, size_t at, struct plain_name *out)
{
    struct reader r = reader_of(slice_skip(packet, at));
    size_t run = at;
    unsigned hops = 0;
    out->len = 0;
    while (!r.error) {
        uint8_t length = reader_u8(&r);
        if (r.error)
            break;
        if (length == 0) {
            out->bytes[out->len++] = 0;
            return 0;
        }
        if (length <= LABEL_MOST) {
            add_label(out, reader_bytes(&r, length), &r);
            continue;
        }
        size_t target = (size_t)(length & 0x3f) << 8 | reader_u8(&r);
        if (r.error)
            break;
        if (length < POINTER || target < HEADER_BYTES || target >= run)
            return RAPPORT_MALFORMED;
        if (++hops > MDNS_MOST_HOPS)
            return RAPPORT_LIMIT;
        run = target;
        r = reader_of(slice_skip(packet, target));
    }
    return r.error;
}

static bool is_label(const uint8_t *p)
{
    for (size_t i = 0; i < RAPPORT_LABEL_BYTES; i++)
        if (!((p[i] >= 'a' && p[i] <= 'z') || (p[i] >= '2' && p[i] <= '7')))
            return false;
    return true;
}

/* What kind of name it is; the label of an instance or host goes to `label`. */
static enum mdns_name name_kind(const struct plain_name *name, uint8_t label[RAPPORT_LABEL_BYTES])
{
    static const char service[] = "\x08_rapport\x04_tcp\x05local";
    static const char host[] = "\x05local";
    static const char all[] = "\x09_services\x07_dns-sd\x04_udp\x05local";
    struct slice whole = slice_of(name->bytes, name->len);
    if (slice_equal(whole, slice_of(service, sizeof service)))
        return MDNS_NAME_SERVICE;
    if (slice_equal(whole, slice_of(all, sizeof all)))
        return MDNS_NAME_ALL_SERVICES;
    if (whole.len < 1 + RAPPORT_LABEL_BYTES || whole.ptr[0] != RAPPORT_LABEL_BYTES ||
        !is_label(whole.ptr + 1))
        return MDNS_NAME_OTHER;
    struct slice rest = slice_skip(whole, 1 + RAPPORT_LABEL_BYTES);
    bool is_instance = slice_equal(rest, slice_of(service, sizeof service));
    if (!is_instance && !slice_equal(rest, slice_of(host, sizeof host)))
        return MDNS_NAME_OTHER;
    memcpy(label, whole.ptr + 1, RAPPORT_LABEL_BYTES);
    return is_instance ? MDNS_NAME_INSTANCE : MDNS_NAME_HOST;
}

/* ---- records ---- */

static size_t offset_of(const struct mdns_parser *p)
{
    return p->packet.len - p->reader.rest.len;
}

static bool is_base64url(struct slice s, uint8_t *out, size_t n)
{
    size_t len = 0;
    return sodium_base642bin(out, n, (const char *)s.ptr, s.len, NULL, &len, NULL,
                             sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0 &&
           len == n;
}

static bool has_key(struct slice string, const char *key, struct slice *value)
{
    size_t n = strlen(key);
    if (string.len < n || memcmp(string.ptr, key, n) != 0)
        return false;
    *value = slice_skip(string, n);
    return true;
}

/* Strings "v=1", "s=" salt, "t=" tags; others behind the first are of a later version and skipped.
   True when it is a TXT record of ours. */
static bool read_txt(struct reader *r, struct mdns_item *item)
{
    bool has_salt = false, has_tags = false, ours = r->rest.len <= MDNS_MOST_TXT;
    for (size_t n = 0; r->rest.len > 0 && !r->error; n++) {
        struct slice string = reader_bytes(r, reader_u8(r)), value;
        if (n == 0)
            ours = ours && slice_equal(string, slice_str("v=1"));
        else if (!has_salt && has_key(string, "s=", &value))
            has_salt = is_base64url(value, item->salt, sizeof item->salt);
        else if (!has_tags && has_key(string, "t=", &value))
            has_tags = is_base64url(value, item->tags[0], sizeof item->tags);
    }
    return ours && has_salt && has_tags;
}

/* Reads the name at the reader's place; it must end where the reader's bytes do. */
static enum mdns_name read_target(struct mdns_parser *p, struct reader *r, uint8_t *label)
{
    struct plain_name name;
    size_t at = (size_t)(r->rest.ptr - p->packet.ptr);
    skip_name(r);
    if (reader_end(r) == 0)
        reader_fail(r, read_name(p->packet, at, &name));
    return r->error ? MDNS_NAME_OTHER : name_kind(&name, label);
}

static bool read_srv(struct mdns_parser *p, struct reader *r, struct mdns_item *item)
{
    uint8_t target[RAPPORT_LABEL_BYTES];
    reader_u32be(r); /* priority and weight: there is one machine to an instance */
    item->port = reader_u16be(r);
    return read_target(p, r, target) == MDNS_NAME_HOST && item->port != 0 &&
           memcmp(target, item->label, sizeof target) == 0;
}

static bool read_address(struct reader *r, struct mdns_item *item)
{
    size_t n = item->type == MDNS_A ? 4 : 16;
    struct slice bytes = reader_bytes(r, n);
    item->address = (struct rapport_address){.family = item->type == MDNS_A ? 4 : 6};
    if (reader_end(r) == 0)
        memcpy(item->address.bytes, bytes.ptr, n);
    return true;
}

/* The data of a record whose name and type are ours. */
static bool read_data(struct mdns_parser *p, struct reader *r, struct mdns_item *item)
{
    switch (item->type) {
    case MDNS_PTR:
        return item->name == MDNS_NAME_SERVICE &&
               read_target(p, r, item->label) == MDNS_NAME_INSTANCE;
    case MDNS_SRV:
        return item->name == MDNS_NAME_INSTANCE && read_srv(p, r, item);
    case MDNS_TXT:
        return item->name == MDNS_NAME_INSTANCE && read_txt(r, item);
    default:
        return item->name == MDNS_NAME_HOST && read_address(r, item);
    }
}

static bool is_our_type(uint16_t type)
{
    return type == MDNS_A || type == MDNS_PTR || type == MDNS_TXT || type == MDNS_AAAA ||
           type == MDNS_SRV;
}

/* Name, type and class; leaves name OTHER where it does not concern us. */
static void read_head(struct mdns_parser *p, struct mdns_item *item)
{
    size_t at = offset_of(p);
    bool is_question = item->section == MDNS_QUESTIONS;
    skip_name(&p->reader);
    item->type = reader_u16be(&p->reader);
    uint16_t class = reader_u16be(&p->reader);
    item->flag = class & CLASS_TOP;
    class &= (uint16_t)~CLASS_TOP;
    bool ours = class == CLASS_IN || (class == CLASS_ANY && is_question);
    ours = ours && (is_our_type(item->type) || (item->type == MDNS_ANY && is_question));
    struct plain_name name;
    if (p->reader.error || !ours)
        return;
    reader_fail(&p->reader, read_name(p->packet, at, &name));
    if (!p->reader.error)
        item->name = name_kind(&name, item->label);
}

/* One question or record. True when it concerns us. */
static bool read_item(struct mdns_parser *p, struct mdns_item *item)
{
    read_head(p, item);
    if (item->section == MDNS_QUESTIONS)
        return item->name != MDNS_NAME_OTHER;
    item->ttl_s = reader_u32be(&p->reader);
    struct reader data = reader_of(reader_bytes(&p->reader, reader_u16be(&p->reader)));
    if (p->reader.error || item->name == MDNS_NAME_OTHER)
        return false;
    bool ours = read_data(p, &data, item);
    reader_fail(&p->reader, data.error);
    return ours;
}

/* ---- packet ---- */

int mdns_parse_start(struct mdns_parser *p, struct slice packet)
{
    *p = (struct mdns_parser){.packet = packet, .reader = reader_of(packet)};
    if (packet.len > MDNS_MOST_PACKET)
        return p->error = RAPPORT_LIMIT;
    p->id = reader_u16be(&p->reader);
    uint16_t flags = reader_u16be(&p->reader);
    for (size_t i = 0; i < 4; i++)
        p->left[i] = reader_u16be(&p->reader);
    p->is_response = flags & FLAG_RESPONSE;
    p->is_truncated = flags & FLAG_TRUNCATED;
    if (flags & FLAGS_OPCODE_RCODE)
        reader_fail(&p->reader, RAPPORT_MALFORMED);
    return p->error = p->reader.error;
}

bool mdns_parse_next(struct mdns_parser *p, struct mdns_item *out)
{
    for (size_t section = 0; section < 4 && !p->error; section++) {
        while (p->left[section] > 0 && !p->error) {
            struct mdns_item item = {.section = (enum mdns_section)section};
            p->left[section]--;
            bool ours = read_item(p, &item);
            p->error = p->reader.error;
            if (ours && !p->error) {
                *out = item;
                return true;
            }
        }
    }
    if (!p->error)
        p->error = reader_end(&p->reader);
    return false;
}

int mdns_parse_check(struct slice packet)
{
    struct mdns_parser p;
    struct mdns_item item;
    mdns_parse_start(&p, packet);
    while (mdns_parse_next(&p, &item))
        continue;
    return p.error;
}
