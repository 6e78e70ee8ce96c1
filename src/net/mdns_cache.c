/*
 * mdns_cache.c - the instances that were heard, and what is told of them (see mdns_parts.h).
 *
 * An instance whose SRV and TXT are here is judged: are its tags ours? Only then are its addresses
 * told. What a recognised instance says counts until something else with a tag of ours is said in
 * its name: the tags cover label, salt and port, so nobody else can change those. Addresses are not
 * covered; they are hints, and the first few hold until they expire.
 *
 * While there is a session with an instance it needs not be heard to be kept. A goodbye counts all
 * the same: it ends no session.
 */
#include "net/mdns_parts.h"

static void count(struct mdns *m)
{
    m->n_live = m->n_known = m->n_unconnected = 0;
    for (size_t i = 0; i < m->n_slots; i++) {
        const struct instance *in = &m->instances[i];
        bool live = in->used && !in->gone;
        m->n_live += live;
        m->n_known += live && in->known;
        m->n_unconnected += live && in->known && !in->connected;
    }
}

/* ---- slots ---- */

static struct instance *find(struct mdns *m, const uint8_t *label)
{
    for (size_t i = 0; i < m->n_slots; i++) {
        struct instance *in = &m->instances[i];
        if (in->used && !in->gone && memcmp(in->beacon.label, label, RAPPORT_LABEL_BYTES) == 0)
            return in;
    }
    return NULL;
}

/* It was told and is unknown now: that is still to be told. */
static bool has_news(const struct instance *in)
{
    for (size_t i = 0; i < in->n_addresses; i++)
        if (in->addresses[i].gone)
            return true;
    return false;
}

/* A free slot, else that of the stranger who was heard least recently; NULL when all are known. */
static struct instance *slot(struct mdns *m)
{
    struct instance *oldest = NULL;
    for (size_t i = 0; i < m->n_slots; i++) {
        struct instance *in = &m->instances[i];
        if (!in->used)
            return in;
        if (!in->known && (!oldest || in->heard < oldest->heard) && !has_news(in))
            oldest = in;
    }
    if (m->n_slots < MDNS_MOST_INSTANCES)
        return &m->instances[m->n_slots++];
    return oldest;
}

static struct instance *open_instance(struct mdns *m, const uint8_t *label)
{
    struct instance *in = slot(m);
    if (!in)
        return NULL;
    *in = (struct instance){.used = true,
                            .refresh_due = MDNS_NEVER,
                            .gathered_due = m->now + GATHER_MS,
                            .who = mdns_hash(m, label, RAPPORT_LABEL_BYTES)};
    in->who += in->who == 0; /* 0 means unknown */
    memcpy(in->beacon.label, label, RAPPORT_LABEL_BYTES);
    return in;
}

/* The address is not there any more; it stays in its slot while that is still to be told. */
static void drop_address(struct mdns *m, struct instance *in, size_t at)
{
    struct heard_address *a = &in->addresses[at];
    a->report = false;
    if (a->told) {
        a->gone = m->tell = true;
        return;
    }
    in->n_addresses--;
    memmove(a, a + 1, (in->n_addresses - at) * sizeof *a);
}

static void retire(struct mdns *m, struct instance *in)
{
    for (size_t i = in->n_addresses; i-- > 0;)
        drop_address(m, in, i);
    in->gone = true;
    in->used = in->n_addresses > 0;
}

/* ---- judging ---- */

static bool is_complete(const struct instance *in)
{
    return in->has_srv && in->has_txt && in->n_addresses > 0;
}

static bool knows(struct mdns *m, const struct rapport_beacon *beacon)
{
    return m->config.knows(m->config.user, m->wall_ms, beacon);
}

static void set_known(struct mdns *m, struct instance *in, bool known)
{
    if (known == in->known)
        return;
    in->known = known;
    for (size_t i = in->n_addresses; i-- > 0;) {
        if (known)
            in->addresses[i].report = m->tell = true;
        else if (in->addresses[i].told)
            drop_address(m, in, i);
    }
}

void cache_judge(struct mdns *m)
{
    for (size_t i = 0; i < m->n_slots; i++) {
        struct instance *in = &m->instances[i];
        if (!in->used || in->gone || !in->has_srv || !in->has_txt)
            continue;
        if (!in->connected) /* with a session it is proven better than by tags */
            set_known(m, in, knows(m, &in->beacon));
    }
    count(m);
}

/* ---- sessions ---- */

static bool has_host(const struct instance *in, const struct rapport_address *host)
{
    for (size_t i = 0; i < in->n_addresses; i++)
        if (!in->addresses[i].gone && mdns_same_host(&in->addresses[i].address, host))
            return true;
    return false;
}

/* Somebody listens at this very address and port. */
static bool is_announced(const struct mdns *m, const struct rapport_address *a)
{
    for (size_t i = 0; i < m->n_slots; i++) {
        const struct instance *in = &m->instances[i];
        if (in->used && !in->gone && in->has_srv && in->beacon.port == a->port && has_host(in, a))
            return true;
    }
    return false;
}

/* A session to where it listens; or from its machine and a port at which nobody listens, since who
   connects to us comes from any port. */
static bool has_session(const struct mdns *m, const struct instance *in)
{
    for (size_t i = 0; i < m->n_connected; i++) {
        const struct rapport_address *a = &m->connected[i];
        if (has_host(in, a) && (a->port == in->beacon.port || !is_announced(m, a)))
            return true;
    }
    return false;
}

static void extend(struct instance *in, rapport_time_ms until)
{
    if (in->expires < until)
        in->expires = until;
    for (size_t i = 0; i < in->n_addresses; i++)
        if (in->addresses[i].expires < until)
            in->addresses[i].expires = until;
}

void cache_connections(struct mdns *m)
{
    bool ended = false;
    for (size_t i = 0; i < m->n_slots; i++) {
        struct instance *in = &m->instances[i];
        if (!in->used || in->gone || !in->known)
            continue;
        bool was = in->connected;
        in->connected = has_session(m, in);
        if (!was || in->connected)
            continue;
        in->again = ended = true;
        in->refreshes = 0;
        if (!in->bye)
            extend(in, m->now + GRACE_MS);
    }
    count(m);
    if (ended)
        plan_ask_again(m);
}

/* ---- hearing ---- */

static bool is_possible(const struct rapport_address *a)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (address_is_unspecified(a) || address_is_loopback(a))
        return false;
    if (a->family == 4)
        return a->bytes[0] != 0 && a->bytes[0] < 224;
    return a->bytes[0] != 0xff && memcmp(a->bytes, mapped, sizeof mapped) != 0;
}

/* True when the sender is among the addresses that he announces; a reflector of another link's
   packets is not. */
static bool is_first_hand(const struct sighting *s, const struct rapport_address *source)
{
    for (size_t i = 0; i < s->n_addresses; i++)
        if (mdns_same_host(&s->addresses[i], source))
            return true;
    return false;
}

static struct heard_address *find_address(struct instance *in, const struct rapport_address *a)
{
    for (size_t i = 0; i < in->n_addresses; i++)
        if (!in->addresses[i].gone && mdns_same_host(&in->addresses[i].address, a) &&
            in->addresses[i].address.scope == a->scope)
            return &in->addresses[i];
    return NULL;
}

static void take_address(struct mdns *m, struct line *line, struct instance *in,
                         struct rapport_address address, uint32_t ttl_s)
{
    if (address.family == 6 && address_is_link_local(&address))
        address.scope = line->link.ifindex;
    struct heard_address *a = find_address(in, &address);
    if (ttl_s == 0) {
        if (a && a->expires > m->now + GOODBYE_MS)
            a->expires = m->now + GOODBYE_MS;
        return;
    }
    if (!a) {
        if (in->n_addresses == MDNS_MOST_ADDRESSES)
            return;
        a = &in->addresses[in->n_addresses++];
        *a = (struct heard_address){.address = address, .report = true};
    }
    a->lines |= (uint32_t)1 << (line - m->lines);
    a->expires = m->now + (rapport_time_ms)ttl_s * 1000;
    a->report = a->report || in->again;
    m->tell = m->tell || a->report;
}

static void take_addresses(struct mdns *m, struct line *line, struct instance *in,
                           const struct rapport_address *source, const struct sighting *s)
{
    bool first_hand = is_first_hand(s, source);
    for (size_t i = 0; i < s->n_addresses; i++) {
        const struct rapport_address *a = &s->addresses[i];
        if (is_possible(a) && (first_hand || !address_is_link_local(a)))
            take_address(m, line, in, *a, s->address_ttl_s[i]);
    }
}

static void take_bye(struct mdns *m, struct instance *in)
{
    in->bye = true;
    in->refresh_due = MDNS_NEVER;
    if (in->expires > m->now + GOODBYE_MS)
        in->expires = m->now + GOODBYE_MS;
}

static struct rapport_beacon merged(const struct instance *in, const struct sighting *s)
{
    struct rapport_beacon b = in->beacon;
    if (s->has_srv)
        b.port = s->port;
    if (s->has_txt) {
        memcpy(b.salt, s->salt, sizeof b.salt);
        memcpy(b.tags, s->tags, sizeof b.tags);
    }
    return b;
}

static bool same_beacon(const struct rapport_beacon *a, const struct rapport_beacon *b)
{
    return a->port == b->port && memcmp(a->salt, b->salt, sizeof a->salt) == 0 &&
           memcmp(a->tags, b->tags, sizeof a->tags) == 0;
}

/* Takes SRV and TXT. False when they contradict a recognised instance without being recognised:
   then nothing of the packet counts. */
static bool take_beacon(struct mdns *m, struct instance *in, const struct sighting *s)
{
    struct rapport_beacon b = merged(in, s);
    bool whole = (in->has_srv || s->has_srv) && (in->has_txt || s->has_txt);
    bool was_whole = in->has_srv && in->has_txt;
    bool known = in->known;
    if (whole && !(was_whole && same_beacon(&b, &in->beacon)))
        known = knows(m, &b);
    if (in->known && !known)
        return false;
    in->beacon = b;
    in->has_srv = in->has_srv || s->has_srv;
    in->has_txt = in->has_txt || s->has_txt;
    set_known(m, in, known);
    return true;
}

static void take_life(struct mdns *m, struct line *line, struct instance *in,
                      const struct sighting *s)
{
    rapport_time_ms life = (rapport_time_ms)s->ttl_s * 1000;
    in->lines |= (uint32_t)1 << (line - m->lines);
    in->bye = false;
    if (in->expires < m->now + life)
        in->expires = m->now + life;
    in->refresh_due = m->now + life * 8 / 10 + mdns_random(m, (uint32_t)life / 50 + 1);
}

void cache_take(struct mdns *m, struct line *line, const struct rapport_address *source,
                const struct sighting *s)
{
    struct instance *in = find(m, s->label);
    if (in && s->bye && !s->alive) {
        take_bye(m, in);
        return;
    }
    if (s->bye && !s->alive)
        return;
    if (in && in->known && s->has_srv && s->port != in->beacon.port) {
        struct rapport_beacon b = merged(in, s);
        if (!knows(m, &b))
            return;
        retire(m, in); /* it moved to another port: all its addresses are others */
        in = NULL;
    }
    if (!in)
        in = open_instance(m, s->label);
    if (!in || !take_beacon(m, in, s))
        return;
    in->heard = m->now;
    if (in->known)
        m->stats.last_known = m->now;
    if (s->alive)
        take_life(m, line, in, s);
    else if (in->expires == 0)
        in->expires = m->now + GOODBYE_MS; /* addresses alone: for as long as the rest may take */
    take_addresses(m, line, in, source, s);
    in->again = false;
    in->connected = in->known && has_session(m, in);
    count(m);
}

/* ---- time ---- */

static bool is_held(const struct instance *in)
{
    return in->connected && !in->bye;
}

static void expire(struct mdns *m, struct instance *in)
{
    if (is_held(in))
        return;
    for (size_t i = in->n_addresses; i-- > 0;)
        if (!in->addresses[i].gone && in->addresses[i].expires <= m->now)
            drop_address(m, in, i);
    if (in->expires > m->now)
        return;
    bool missed = in->known && !in->bye && !in->connected;
    retire(m, in);
    if (missed)
        plan_ask_again(m);
}

/* Marks the lines that it was heard on. */
static void refresh(struct mdns *m, struct instance *in)
{
    in->refresh_due = MDNS_NEVER;
    if (!in->known || in->connected || in->refreshes >= REFRESHES)
        return;
    in->refreshes++;
    for (size_t i = 0; i < MDNS_MOST_LINKS; i++)
        if (m->lines[i].used && in->lines >> i & 1)
            m->lines[i].refresh = true;
}

/* Something is still missing: asks once, where it was heard last, if the rate allows. */
static void ask_for_rest(struct mdns *m, struct instance *in)
{
    in->gathered_due = MDNS_NEVER;
    if (is_complete(in) || in->asked)
        return;
    for (size_t i = 0; i < MDNS_MOST_LINKS; i++) {
        struct line *line = &m->lines[i];
        if (!line->used || !(in->lines >> i & 1) || plan_is_quiet(m, line))
            continue;
        if ((line->owes & OWES_DETAILS) ||
            pace_take(&line->details, m->now, DETAILS_EACH_MS * 1000, DETAILS_BURST))
            line->owes |= OWES_DETAILS;
    }
}

void cache_tick(struct mdns *m)
{
    for (size_t i = 0; i < m->n_slots; i++) {
        struct instance *in = &m->instances[i];
        if (!in->used || in->gone)
            continue;
        if (in->gathered_due <= m->now)
            ask_for_rest(m, in);
        if (in->refresh_due <= m->now)
            refresh(m, in);
        expire(m, in);
    }
    count(m);
}

static rapport_time_ms sooner(rapport_time_ms a, rapport_time_ms b)
{
    return a < b ? a : b;
}

rapport_time_ms cache_due(const struct mdns *m)
{
    rapport_time_ms due = MDNS_NEVER;
    for (size_t i = 0; i < m->n_slots; i++) {
        const struct instance *in = &m->instances[i];
        if (!in->used || in->gone)
            continue;
        due = sooner(due, sooner(in->gathered_due, in->refresh_due));
        if (is_held(in))
            continue;
        due = sooner(due, in->expires);
        for (size_t k = 0; k < in->n_addresses; k++)
            if (!in->addresses[k].gone)
                due = sooner(due, in->addresses[k].expires);
    }
    return due;
}

void cache_drop_line(struct mdns *m, const struct line *line)
{
    uint32_t bit = (uint32_t)1 << (line - m->lines);
    for (size_t i = 0; i < m->n_slots; i++) {
        struct instance *in = &m->instances[i];
        if (!in->used || in->gone)
            continue;
        in->lines &= ~bit;
        for (size_t k = in->n_addresses; k-- > 0;) {
            struct heard_address *a = &in->addresses[k];
            a->lines &= ~bit;
            if (!a->lines && !a->gone)
                drop_address(m, in, k);
        }
        if (!in->lines)
            retire(m, in);
    }
    count(m);
}

void cache_doubt(struct mdns *m)
{
    rapport_time_ms until = m->now + GRACE_MS;
    for (size_t i = 0; i < m->n_slots; i++) {
        struct instance *in = &m->instances[i];
        in->again = true;
        in->expires = sooner(in->expires, until);
        for (size_t k = 0; k < in->n_addresses; k++)
            in->addresses[k].expires = sooner(in->addresses[k].expires, until);
    }
}

/* ---- what goes into questions ---- */

size_t cache_heard(const struct mdns *m, const struct line *line, struct mdns_heard *out)
{
    size_t n = 0;
    uint32_t half_s = MDNS_TTL_S / 2;
    for (size_t i = 0; i < m->n_slots && n < MDNS_MOST_HEARD; i++) {
        const struct instance *in = &m->instances[i];
        rapport_time_ms left_s = in->expires > m->now ? (in->expires - m->now) / 1000 : 0;
        if (!in->used || in->gone || !(in->lines >> (line - m->lines) & 1) || left_s <= half_s)
            continue;
        memcpy(out[n].label, in->beacon.label, RAPPORT_LABEL_BYTES);
        out[n++].ttl_s = (uint32_t)left_s;
    }
    return n;
}

static size_t put_missing(const struct instance *in, struct mdns_question *out)
{
    size_t n = 0;
    if (!in->has_srv)
        out[n++] = (struct mdns_question){.name = MDNS_NAME_INSTANCE, .type = MDNS_SRV};
    if (!in->has_txt)
        out[n++] = (struct mdns_question){.name = MDNS_NAME_INSTANCE, .type = MDNS_TXT};
    if (in->n_addresses == 0) {
        out[n++] = (struct mdns_question){.name = MDNS_NAME_HOST, .type = MDNS_AAAA};
        out[n++] = (struct mdns_question){.name = MDNS_NAME_HOST, .type = MDNS_A};
    }
    for (size_t i = 0; i < n; i++)
        memcpy(out[i].label, in->beacon.label, RAPPORT_LABEL_BYTES);
    return n;
}

size_t cache_missing(struct mdns *m, const struct line *line, struct mdns_question *out)
{
    size_t n = 0, n_instances = 0;
    for (size_t i = 0; i < m->n_slots && n_instances < DETAILS_MOST; i++) {
        struct instance *in = &m->instances[i];
        if (!in->used || in->gone || in->asked || is_complete(in) ||
            in->gathered_due != MDNS_NEVER || !(in->lines >> (line - m->lines) & 1))
            continue;
        in->asked = true;
        n += put_missing(in, out + n);
        n_instances++;
    }
    return n;
}

/* ---- what is told ---- */

static void fill_found(const struct instance *in, const struct heard_address *a, bool lost,
                       struct mdns_found *out)
{
    *out = (struct mdns_found){.address = a->address, .who = in->who, .lost = lost};
    out->address.port = in->beacon.port;
}

/* Some other instance was told to be at the same address and port: a friend under a new label. */
static bool is_elsewhere(const struct mdns *m, const struct instance *in,
                         const struct heard_address *a)
{
    for (size_t i = 0; i < m->n_slots; i++) {
        const struct instance *other = &m->instances[i];
        if (other == in || !other->used || other->gone || !other->known ||
            other->beacon.port != in->beacon.port)
            continue;
        for (size_t k = 0; k < other->n_addresses; k++) {
            const struct heard_address *b = &other->addresses[k];
            if (!b->gone && (b->told || b->report) && mdns_same_host(&a->address, &b->address) &&
                a->address.scope == b->address.scope)
                return true;
        }
    }
    return false;
}

/* The order in which addresses are tried: what surely is on this link, then IPv6, then IPv4. */
static unsigned rank(const struct heard_address *a)
{
    if (a->address.family == 4)
        return 2;
    return address_is_link_local(&a->address) ? 0 : 1;
}

static bool next_lost(struct mdns *m, struct instance *in, struct mdns_found *out)
{
    for (size_t i = 0; i < in->n_addresses;) {
        struct heard_address *a = &in->addresses[i];
        if (!a->gone) {
            i++;
            continue;
        }
        bool quietly = is_elsewhere(m, in, a);
        fill_found(in, a, true, out);
        a->told = a->gone = false;
        drop_address(m, in, i);
        in->used = !in->gone || in->n_addresses > 0;
        if (!quietly)
            return true;
    }
    return false;
}

static bool next_report(struct instance *in, struct mdns_found *out)
{
    struct heard_address *first = NULL;
    for (size_t i = 0; i < in->n_addresses; i++) {
        struct heard_address *a = &in->addresses[i];
        if (a->report && (!first || rank(a) < rank(first)))
            first = a;
    }
    if (!first)
        return false;
    first->report = false;
    first->told = true;
    fill_found(in, first, false, out);
    return true;
}

bool mdns_next_found(struct mdns *m, struct mdns_found *out)
{
    for (size_t i = 0; m->tell && i < m->n_slots; i++) {
        struct instance *in = &m->instances[i];
        if (in->used && next_lost(m, in, out))
            return true;
    }
    for (size_t i = 0; m->tell && i < m->n_slots; i++) {
        struct instance *in = &m->instances[i];
        if (in->used && !in->gone && in->known && next_report(in, out))
            return true;
    }
    m->tell = false;
    return false;
}
