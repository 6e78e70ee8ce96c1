/*
 * roster.c - who is in, computed from the set of control events (roster.h).
 *
 * The events are kept in order of their stamps, which is an order that every device computes alike
 * and in which a cause stands before its effects; the roster is what they come to when each is held
 * against the roster of those before it. So it depends on the set alone, never on arrival. A new
 * event means computing all of it again: they are few.
 *
 * What a device wrote counts as content once it was added by somebody who was once admin or owner,
 * even if a removal with an earlier stamp turns up later: text that others may have built on is
 * never taken back here. Whose logs are closed is the log layer's business.
 */
#include "report/roster.h"

#include <stdlib.h>

#include "crypto/ticket.h"
#include "rapport/error.h"
#include "report/state.h"

static void view_init(struct roster_view *v, uint64_t seed)
{
    *v = (struct roster_view){.arena = ARENA_INIT};
    map_init(&v->by_device, ID_BYTES, seed);
    map_init(&v->by_sign, SIGN_PUBLIC_BYTES, seed);
    map_init(&v->by_noise, DEVICE_KEY_BYTES, seed);
    map_init(&v->invites, ID_BYTES, seed);
    map_init(&v->invites_by_key, SIGN_PUBLIC_BYTES, seed);
    map_init(&v->settings, ID_BYTES, seed);
}

static void view_clear(struct roster_view *v)
{
    map_clear(&v->by_device);
    map_clear(&v->by_sign);
    map_clear(&v->by_noise);
    map_clear(&v->invites);
    map_clear(&v->invites_by_key);
    map_clear(&v->settings);
    arena_clear(&v->arena);
}

void roster_init(struct roster *roster, uint64_t map_seed)
{
    *roster = (struct roster){.map_seed = map_seed};
    view_init(&roster->view, map_seed);
}

static void control_destroy(struct control *c)
{
    buf_clear(&c->bytes);
    free(c);
}

void roster_clear(struct roster *roster)
{
    for (size_t i = 0; i < roster->n; i++)
        control_destroy(roster->controls[i]);
    free(roster->controls);
    view_clear(&roster->view);
}

/* ---- rules ---- */

static bool is_in(const struct member_entry *e, enum role least)
{
    return e && !e->member.removed && e->member.role <= least;
}

/* Acts on owners, and acts that make one, need an owner. */
static enum role needed_role(const struct roster_view *v, const struct control *c)
{
    const struct member_entry *target = map_get(&v->by_device, c->id);
    switch (c->type) {
    case CONTROL_ADD:
        target = map_get(&v->by_sign, c->card.sign_public);
        return c->role == ROLE_OWNER || is_in(target, ROLE_OWNER) ? ROLE_OWNER : ROLE_ADMIN;
    case CONTROL_ROLE:
        return c->role == ROLE_OWNER || is_in(target, ROLE_OWNER) ? ROLE_OWNER : ROLE_ADMIN;
    case CONTROL_REMOVE:
        if (memcmp(c->author, c->id, ID_BYTES) == 0)
            return ROLE_MEMBER;
        return is_in(target, ROLE_OWNER) ? ROLE_OWNER : ROLE_ADMIN;
    case CONTROL_INVITE:
    case CONTROL_REVOKE:
        return ROLE_ADMIN;
    case CONTROL_GENESIS:
    case CONTROL_SETTING:
        break;
    }
    return ROLE_MEMBER;
}

/* An invite for one is redeemed where it was made. */
static bool invite_fits(const struct roster_view *v, const struct control *c)
{
    const struct invite *invite = map_get(&v->invites, c->id);
    return !invite || invite->n_uses > 1 || memcmp(invite->issuer, c->author, ID_BYTES) == 0;
}

static bool counts(const struct roster_view *v, const struct control *c)
{
    if (c->type == CONTROL_GENESIS)
        return v->genesis.len == 0;
    if (!is_in(map_get(&v->by_device, c->author), needed_role(v, c)))
        return false;
    return c->type != CONTROL_ADD || invite_fits(v, c);
}

/* ---- effects: each returns 0 or RAPPORT_NOMEM ---- */

static int set_card(struct roster_view *v, struct member_entry *e, const struct device_card *card)
{
    if (map_get(&v->by_noise, e->member.card.noise_public) == e)
        map_remove(&v->by_noise, e->member.card.noise_public);
    e->member.card = *card;
    if (map_get(&v->by_noise, card->noise_public))
        return 0; /* another device was first with this key; it is not to be taken over */
    return map_put(&v->by_noise, card->noise_public, e);
}

/* The device's entry, made as one that is not in. */
static struct member_entry *take_member(struct roster_view *v, const struct control *c)
{
    struct member_entry *e = map_get(&v->by_sign, c->card.sign_public);
    if (e)
        return e;
    e = arena_alloc(&v->arena, sizeof *e);
    if (!e)
        return NULL;
    e->member.removed = true;
    e->member.role = ROLE_MEMBER;
    e->member.added = c->stamp;
    device_id(e->member.device, c->card.sign_public);
    if (map_put(&v->by_sign, c->card.sign_public, e) != 0 ||
        map_put(&v->by_device, e->member.device, e) != 0 || set_card(v, e, &c->card) != 0)
        return NULL;
    return e;
}

static void count_use(struct roster_view *v, const struct member_entry *e, const struct control *c)
{
    struct invite *invite = map_get(&v->invites, c->id);
    if (invite && (e->member.removed || memcmp(e->member.invite, c->id, ID_BYTES) != 0))
        invite->n_used++;
}

static int apply_add(struct roster_view *v, const struct control *c)
{
    struct member_entry *e = take_member(v, c);
    if (!e)
        return RAPPORT_NOMEM;
    count_use(v, e, c);
    int error = set_card(v, e, &c->card);
    e->member.removed = false;
    e->member.role = c->role;
    e->member.role_set = c->stamp;
    memcpy(e->member.invite, c->id, ID_BYTES);
    return error;
}

static int apply_genesis(struct roster_view *v, const struct control *c)
{
    struct member_entry *e = take_member(v, c);
    if (!e)
        return RAPPORT_NOMEM;
    v->genesis = c->value;
    v->title = c->key;
    e->was_admin = true;
    e->member.removed = false;
    e->member.role = ROLE_OWNER;
    e->member.role_set = c->stamp;
    return 0;
}

static void apply_role(struct roster_view *v, const struct control *c)
{
    struct member_entry *e = map_get(&v->by_device, c->id);
    if (!e)
        return;
    e->member.role = c->role;
    e->member.role_set = c->stamp;
}

static void apply_remove(struct roster_view *v, const struct control *c)
{
    struct member_entry *e = map_get(&v->by_device, c->id);
    if (e)
        e->member.removed = true;
}

static int apply_invite(struct roster_view *v, const struct control *c)
{
    if (map_get(&v->invites_by_key, c->public_key))
        return 0;
    struct invite *invite = arena_alloc(&v->arena, sizeof *invite);
    if (!invite)
        return RAPPORT_NOMEM;
    memcpy(invite->public_key, c->public_key, sizeof invite->public_key);
    invite_id(invite->id, c->public_key);
    memcpy(invite->issuer, c->author, ID_BYTES);
    invite->n_uses = c->n_uses;
    invite->expires_s = c->expires_s;
    int error = map_put(&v->invites, invite->id, invite);
    return error ? error : map_put(&v->invites_by_key, c->public_key, invite);
}

static void apply_revoke(struct roster_view *v, const struct control *c)
{
    struct invite *invite = map_get(&v->invites, c->id);
    if (invite)
        invite->revoked = true;
}

static void setting_key(uint8_t out[ID_BYTES], struct slice key)
{
    hash_of(out, ID_BYTES, "rapport setting", key, slice_of(NULL, 0));
}

static int apply_setting(struct roster_view *v, const struct control *c)
{
    uint8_t hashed[ID_BYTES];
    setting_key(hashed, c->key);
    struct setting *s = map_get(&v->settings, hashed);
    if (!s) {
        s = arena_alloc(&v->arena, sizeof *s);
        if (!s || map_put(&v->settings, hashed, s) != 0)
            return RAPPORT_NOMEM;
        s->key = c->key;
    }
    s->value = c->value;
    return 0;
}

static int apply_control(struct roster_view *v, const struct control *c)
{
    switch (c->type) {
    case CONTROL_GENESIS:
        return apply_genesis(v, c);
    case CONTROL_ADD:
        return apply_add(v, c);
    case CONTROL_REMOVE:
        apply_remove(v, c);
        return 0;
    case CONTROL_ROLE:
        apply_role(v, c);
        return 0;
    case CONTROL_INVITE:
        return apply_invite(v, c);
    case CONTROL_REVOKE:
        apply_revoke(v, c);
        return 0;
    case CONTROL_SETTING:
        return apply_setting(v, c);
    }
    return 0;
}

/* What holds whether the event counts or not: that a device was ever let in, or ever was admin. */
static int keep_for_good(struct roster_view *v, const struct control *c)
{
    const struct member_entry *author = map_get(&v->by_device, c->author);
    if (!author || !author->was_admin || (c->type != CONTROL_ADD && c->type != CONTROL_ROLE))
        return 0;
    struct member_entry *e =
        c->type == CONTROL_ADD ? take_member(v, c) : map_get(&v->by_device, c->id);
    if (!e)
        return c->type == CONTROL_ADD ? RAPPORT_NOMEM : 0;
    e->was_admin |= c->role <= ROLE_ADMIN;
    return 0;
}

static int compute(const struct roster *roster, struct roster_view *out)
{
    struct roster_view v;
    view_init(&v, roster->map_seed);
    int error = 0;
    for (size_t i = 0; i < roster->n && !error; i++) {
        const struct control *c = roster->controls[i];
        bool effective = counts(&v, c);
        error = keep_for_good(&v, c);
        if (!error && effective)
            error = apply_control(&v, c);
    }
    if (error)
        view_clear(&v);
    else
        *out = v;
    return error;
}

/* ---- intake ---- */

/* Everything of it but stamp and author; the slices point into its own bytes. */
static int control_fill(struct control *c)
{
    struct payload_event event;
    int error = payload_take_control(buf_slice(&c->bytes), &event);
    if (error)
        return error;
    c->type = event.type.control;
    c->role = (enum role)event.role;
    c->n_uses = event.n_uses;
    c->expires_s = event.expires_s;
    c->card = event.card;
    c->key = event.key;
    c->value = event.value;
    memcpy(c->id, event.id, ID_BYTES);
    memcpy(c->public_key, event.public_key, sizeof c->public_key);
    return c->type == CONTROL_GENESIS ? genesis_title(c->value, &c->key) : 0;
}

/* Takes the bytes over, also when it fails. */
static int control_create(const struct stamp *stamp, const uint8_t sign[SIGN_PUBLIC_BYTES],
                          struct buf *bytes, struct control **out)
{
    struct control *c = calloc(1, sizeof *c);
    if (!c) {
        buf_clear(bytes);
        return RAPPORT_NOMEM;
    }
    c->stamp = *stamp;
    c->bytes = *bytes;
    memcpy(c->sign, sign, SIGN_PUBLIC_BYTES);
    device_id(c->author, sign);
    int error = buf_error(bytes) ? buf_error(bytes) : control_fill(c);
    if (error)
        control_destroy(c);
    else
        *out = c;
    return error;
}

static size_t find(const struct roster *roster, const struct origin *from, uint64_t event)
{
    for (size_t i = roster->n; i-- > 0;) {
        const struct stamp *s = &roster->controls[i]->stamp;
        if (s->event == event && memcmp(s->log, from->log->id, LOG_ID_BYTES) == 0)
            return i;
    }
    return SIZE_MAX;
}

static void insert(struct roster *roster, struct control *c)
{
    size_t i = roster->n++;
    for (; i > 0 && stamp_compare(&roster->controls[i - 1]->stamp, &c->stamp) > 0; i--)
        roster->controls[i] = roster->controls[i - 1];
    roster->controls[i] = c;
}

static struct control *take_out(struct roster *roster, size_t i)
{
    struct control *c = roster->controls[i];
    roster->n--;
    memmove(&roster->controls[i], &roster->controls[i + 1],
            (roster->n - i) * sizeof(struct control *));
    return c;
}

static int reserve(struct roster *roster)
{
    if (roster->n < roster->cap)
        return 0;
    size_t cap = roster->cap ? 2 * roster->cap : 16;
    void *controls = realloc(roster->controls, cap * sizeof(struct control *));
    if (!controls)
        return RAPPORT_NOMEM;
    roster->controls = controls;
    roster->cap = cap;
    return 0;
}

int roster_compute(struct roster *roster)
{
    struct roster_view v;
    int error = compute(roster, &v);
    if (error)
        return error;
    view_clear(&roster->view);
    roster->view = v;
    return 0;
}

/* An event that is known came again, sealed under a greater lamport than it was made with. */
static int restamp(struct roster *roster, size_t i, uint64_t lamport)
{
    struct control *c = take_out(roster, i);
    uint64_t before = c->stamp.lamport;
    c->stamp.lamport = lamport;
    insert(roster, c);
    int error = roster_compute(roster);
    if (!error)
        return 0;
    i = 0;
    while (roster->controls[i] != c)
        i++;
    take_out(roster, i);
    c->stamp.lamport = before;
    insert(roster, c);
    return error;
}

int roster_take(struct roster *roster, const struct origin *from, const struct payload_event *event,
                bool *changed)
{
    size_t i = find(roster, from, event->number);
    *changed = i == SIZE_MAX || roster->controls[i]->stamp.lamport != from->lamport;
    if (!*changed)
        return 0;
    if (i != SIZE_MAX)
        return restamp(roster, i, from->lamport);
    int error = reserve(roster);
    if (error)
        return error;
    struct control *c;
    struct buf bytes = BUF_INIT;
    struct stamp stamp = {.lamport = from->lamport, .event = event->number};
    memcpy(stamp.log, from->log->id, LOG_ID_BYTES);
    payload_put_event(&bytes, event);
    error = control_create(&stamp, from->log->sign_public, &bytes, &c);
    if (error)
        return error;
    insert(roster, c);
    error = roster_compute(roster);
    if (!error)
        return 0;
    i = find(roster, from, event->number);
    control_destroy(take_out(roster, i));
    return error;
}

int roster_restore(struct roster *roster, const struct stamp *stamp,
                   const uint8_t sign_public[SIGN_PUBLIC_BYTES], struct slice bytes)
{
    if (roster->n && stamp_compare(&roster->controls[roster->n - 1]->stamp, stamp) >= 0)
        return RAPPORT_CORRUPT;
    int error = reserve(roster);
    if (error)
        return error;
    struct control *c;
    struct buf copy = BUF_INIT;
    buf_append_slice(&copy, bytes);
    error = control_create(stamp, sign_public, &copy, &c);
    if (error)
        return error == RAPPORT_NOMEM ? error : RAPPORT_CORRUPT;
    insert(roster, c);
    return 0;
}

bool roster_may_write(const struct roster *roster, const uint8_t sign_public[SIGN_PUBLIC_BYTES])
{
    return map_get(&roster->view.by_sign, sign_public) != NULL;
}

bool roster_allows(const struct roster *roster, const uint8_t sign_public[SIGN_PUBLIC_BYTES],
                   const struct payload_event *event)
{
    struct control c = {.type = event->type.control, .role = (enum role)event->role};
    device_id(c.author, sign_public);
    memcpy(c.id, event->id, ID_BYTES);
    c.card = event->card;
    return counts(&roster->view, &c);
}

/* ---- reading ---- */

const struct member *report_member_by_noise(const struct report *r, const uint8_t noise_public[32])
{
    const struct member_entry *e = map_get(&r->roster.view.by_noise, noise_public);
    return e ? &e->member : NULL;
}

const struct member *report_member_by_sign(const struct report *r, const uint8_t sign_public[32])
{
    const struct member_entry *e = map_get(&r->roster.view.by_sign, sign_public);
    return e ? &e->member : NULL;
}

const struct member *report_member_of_log(const struct report *r, const uint8_t log[LOG_ID_BYTES])
{
    const struct report_log *l = map_get(&r->logs, log);
    return l ? report_member_by_sign(r, l->sign_public) : NULL;
}

const struct member *report_next_member(const struct report *r, size_t *at)
{
    const struct member_entry *e = map_next(&r->roster.view.by_sign, at);
    return e ? &e->member : NULL;
}

const struct invite *report_invite(const struct report *r, const uint8_t public_key[32])
{
    return map_get(&r->roster.view.invites_by_key, public_key);
}

const struct invite *report_next_invite(const struct report *r, size_t *at)
{
    return map_next(&r->roster.view.invites, at);
}

struct slice report_setting(const struct report *r, const char *key)
{
    uint8_t hashed[ID_BYTES];
    setting_key(hashed, slice_str(key));
    const struct setting *s = map_get(&r->roster.view.settings, hashed);
    if (s)
        return s->value;
    return strcmp(key, "title") == 0 ? r->roster.view.title : slice_str("");
}

struct slice report_genesis_record(const struct report *r)
{
    return r->roster.view.genesis;
}
