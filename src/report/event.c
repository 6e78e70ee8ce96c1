/*
 * event.c - reading and writing single events (tables in payload.h). Reading is strict: what
 * payload_put_event would not write does not parse. One function for each kind of event.
 */
#include "report/event.h"

#include "base/utf8.h"
#include "rapport/error.h"
#include "report/report.h"

/* A string without NUL: text goes through C strings in places. */
static struct slice read_str(struct mp_array *a, size_t min, size_t max)
{
    struct slice s = mp_str(a, max);
    if (s.len < min || (s.len && memchr(s.ptr, 0, s.len)))
        mp_fail(a, RAPPORT_MALFORMED);
    return s;
}

/* ---- content ---- */

static void read_insert(struct mp_array *a, struct payload_event *out)
{
    out->text.pos = mp_u64(a, POS_MOST);
    out->text.text = read_str(a, 1, DELTA_MOST_PAYLOAD);
    out->text.n = *a->error ? 0 : utf8_count(out->text.text);
    out->n_numbers = (uint32_t)out->text.n;
}

static void read_delete(struct mp_array *a, bool backward, struct payload_event *out)
{
    out->text.pos = mp_u64(a, POS_MOST);
    out->text.n = mp_u64(a, DELTA_MOST_EVENTS);
    if (out->text.n == 0 || (backward && out->text.pos < out->text.n - 1))
        mp_fail(a, RAPPORT_MALFORMED);
    out->n_numbers = (uint32_t)out->text.n;
}

static int id_compare(const struct payload_id *a, const struct payload_id *b)
{
    int order = memcmp(a->agent, b->agent, sizeof a->agent);
    return order ? order : (a->seq > b->seq) - (a->seq < b->seq);
}

static void read_ids(struct mp_array *a, struct payload_event *out)
{
    struct mp_array ids = mp_sub(a, 0, PARENTS_MOST);
    size_t n = 0;
    while (mp_more(&ids)) {
        struct mp_array pair = mp_sub(&ids, 2, 2);
        mp_bin_copy(&pair, out->ids[n].agent, LOG_ID_BYTES);
        out->ids[n].seq = mp_u64(&pair, RAPPORT_TEXT_MOST_SEQ);
        if (n > 0 && id_compare(&out->ids[n - 1], &out->ids[n]) >= 0)
            mp_fail(&ids, RAPPORT_MALFORMED);
        n++;
    }
    out->n_ids = n;
}

static void read_path(struct mp_array *a, struct payload_event *out)
{
    out->value = mp_str(a, PATH_MOST_BYTES);
    if (!*a->error && !path_valid(out->value))
        mp_fail(a, RAPPORT_MALFORMED);
}

static void read_talk(struct mp_array *a, struct payload_event *out)
{
    bool removed = a->at < a->n && a->items[a->at].type == MSGPACK_OBJECT_ARRAY &&
                   a->items[a->at].via.array.size == 0;
    out->has_talk = !removed;
    if (removed)
        mp_skip(a);
    else
        event_read_talk(a, &out->talk);
}

static void read_template(struct mp_array *a, struct payload_event *out)
{
    out->text.text = read_str(a, 1, TEMPLATE_MOST_BYTES);
    out->text.n = *a->error ? 0 : utf8_count(out->text.text);
}

/* The body of an event whose code was taken; parents (code 3) are the caller's business. */
static void read_content_body(struct mp_array *a, enum content_event type,
                              struct payload_event *out)
{
    out->type.content = type;
    out->n_numbers = 1;
    switch (type) {
    case EVENT_INSERT:
        read_insert(a, out);
        return;
    case EVENT_DELETE:
    case EVENT_DELETE_BACKWARD:
        read_delete(a, type == EVENT_DELETE_BACKWARD, out);
        return;
    case EVENT_CREATE:
    case EVENT_RENAME:
        read_path(a, out);
        return;
    case EVENT_TRASH:
        read_ids(a, out);
        return;
    case EVENT_TALK:
        read_talk(a, out);
        return;
    case EVENT_TEMPLATE:
        read_template(a, out);
        return;
    case EVENT_PARENTS:
        break;
    }
    mp_fail(a, RAPPORT_MALFORMED);
}

void event_read_content(struct mp_array *events, struct payload_event *out)
{
    struct mp_array a = mp_sub(events, 2, 3);
    uint64_t code = mp_u64(&a, EVENT_TEMPLATE);
    if (!*a.error && code == EVENT_PARENTS) {
        read_ids(&a, out);
        out->text.has_parents = true;
        mp_end(&a);
        a = mp_sub(events, 3, 3);
        code = mp_u64(&a, EVENT_DELETE_BACKWARD);
    }
    if (*a.error)
        return;
    read_content_body(&a, (enum content_event)code, out);
    mp_end(&a);
}

/* ---- control ---- */

static void read_genesis(struct mp_array *a, struct payload_event *out)
{
    out->value = mp_bin(a, 1, GENESIS_MOST_BYTES);
    int error = *a->error ? 0 : genesis_check(out->value, &out->card);
    if (error)
        mp_fail(a, error);
    if (out->number != 0)
        mp_fail(a, RAPPORT_MALFORMED);
}

static void read_add(struct mp_array *a, struct payload_event *out)
{
    out->value = mp_bin(a, 1, DEVICE_MOST_CARD);
    int error = *a->error ? 0 : card_decode(out->value, &out->card);
    if (error)
        mp_fail(a, error);
    out->role = (uint32_t)mp_u64(a, ROLE_MEMBER);
    struct slice invite = mp_bin(a, 0, ID_BYTES);
    if (invite.len == ID_BYTES)
        memcpy(out->id, invite.ptr, ID_BYTES);
    else if (invite.len != 0)
        mp_fail(a, RAPPORT_MALFORMED);
}

static void read_invite(struct mp_array *a, struct payload_event *out)
{
    mp_bin_copy(a, out->public_key, sizeof out->public_key);
    out->n_uses = (uint32_t)mp_u64(a, INVITE_MOST_USES);
    out->expires_s = mp_u64(a, INT64_MAX);
    if (out->n_uses == 0)
        mp_fail(a, RAPPORT_MALFORMED);
}

static void read_setting(struct mp_array *a, struct payload_event *out)
{
    out->key = read_str(a, 1, SETTING_MOST_KEY);
    out->value = read_str(a, 0, SETTING_MOST_VALUE);
}

static void read_control_body(struct mp_array *a, enum control_event type,
                              struct payload_event *out)
{
    out->type.control = type;
    switch (type) {
    case CONTROL_GENESIS:
        read_genesis(a, out);
        return;
    case CONTROL_ADD:
        read_add(a, out);
        return;
    case CONTROL_REMOVE:
    case CONTROL_REVOKE:
        mp_bin_copy(a, out->id, ID_BYTES);
        return;
    case CONTROL_ROLE:
        mp_bin_copy(a, out->id, ID_BYTES);
        out->role = (uint32_t)mp_u64(a, ROLE_MEMBER);
        return;
    case CONTROL_INVITE:
        read_invite(a, out);
        return;
    case CONTROL_SETTING:
        read_setting(a, out);
        return;
    }
    mp_fail(a, RAPPORT_MALFORMED);
}

void event_read_control(struct mp_array *events, struct payload_event *out)
{
    struct mp_array a = mp_sub(events, 2, 4);
    uint64_t code = mp_u64(&a, CONTROL_SETTING);
    if (*a.error)
        return;
    out->n_numbers = 1;
    read_control_body(&a, (enum control_event)code, out);
    mp_end(&a);
}

int payload_take_control(struct slice bytes, struct payload_event *out)
{
    struct mp_doc doc;
    int error = mp_open(&doc, bytes, 16);
    if (error)
        return error;
    struct mp_array one = {&doc.root, 1, 0, &error};
    struct payload_event event = {.kind = DELTA_CONTROL};
    event_read_control(&one, &event);
    mp_close(&doc);
    if (!error)
        *out = event;
    return error;
}

/* ---- writing ---- */

static void put_ids(struct buf *out, const struct payload_event *event)
{
    mp_put_array(out, event->n_ids);
    for (size_t i = 0; i < event->n_ids; i++) {
        mp_put_array(out, 2);
        mp_put_bin(out, event->ids[i].agent, LOG_ID_BYTES);
        mp_put_u64(out, event->ids[i].seq);
    }
}

static void put_text_event(struct buf *out, const struct payload_event *event)
{
    if (event->text.has_parents) {
        mp_put_array(out, 2);
        mp_put_u64(out, EVENT_PARENTS);
        put_ids(out, event);
    }
    mp_put_array(out, 3);
    mp_put_u64(out, event->type.content);
    mp_put_u64(out, event->text.pos);
    if (event->type.content == EVENT_INSERT)
        mp_put_str(out, event->text.text);
    else
        mp_put_u64(out, event->text.n);
}

static void put_content(struct buf *out, const struct payload_event *event)
{
    enum content_event type = event->type.content;
    if (type <= EVENT_DELETE_BACKWARD) {
        put_text_event(out, event);
        return;
    }
    mp_put_array(out, 2);
    mp_put_u64(out, type);
    if (type == EVENT_TRASH)
        put_ids(out, event);
    else if (type == EVENT_TALK && !event->has_talk)
        mp_put_array(out, 0);
    else if (type == EVENT_TALK)
        note_talk_encode(&event->talk, out);
    else
        mp_put_str(out, type == EVENT_TEMPLATE ? event->text.text : event->value);
}

static void put_add(struct buf *out, const struct payload_event *event)
{
    static const uint8_t none[ID_BYTES];
    mp_put_array(out, 4);
    mp_put_u64(out, CONTROL_ADD);
    mp_put_bin(out, event->value.ptr, event->value.len);
    mp_put_u64(out, event->role);
    mp_put_bin(out, event->id, memcmp(event->id, none, ID_BYTES) ? ID_BYTES : 0);
}

static void put_control(struct buf *out, const struct payload_event *event)
{
    static const uint8_t n_items[] = {
        [CONTROL_GENESIS] = 2, [CONTROL_REMOVE] = 2, [CONTROL_ROLE] = 3,
        [CONTROL_INVITE] = 4,  [CONTROL_REVOKE] = 2, [CONTROL_SETTING] = 3};
    enum control_event type = event->type.control;
    if (type == CONTROL_ADD) {
        put_add(out, event);
        return;
    }
    mp_put_array(out, n_items[type]);
    mp_put_u64(out, type);
    if (type == CONTROL_GENESIS) {
        mp_put_bin(out, event->value.ptr, event->value.len);
    } else if (type == CONTROL_SETTING) {
        mp_put_str(out, event->key);
        mp_put_str(out, event->value);
    } else if (type == CONTROL_INVITE) {
        mp_put_bin(out, event->public_key, sizeof event->public_key);
        mp_put_u64(out, event->n_uses);
        mp_put_u64(out, event->expires_s);
    } else {
        mp_put_bin(out, event->id, ID_BYTES);
        if (type == CONTROL_ROLE)
            mp_put_u64(out, event->role);
    }
}

void payload_put_event(struct buf *out, const struct payload_event *event)
{
    if (event->kind == DELTA_CONTROL)
        put_control(out, event);
    else
        put_content(out, event);
}

void payload_template_agent(uint8_t out[LOG_ID_BYTES], const uint8_t note[NOTE_ID_BYTES],
                            struct slice text)
{
    hash_of(out, LOG_ID_BYTES, "rapport templ", slice_of(note, NOTE_ID_BYTES), text);
}

/* ---- talks ---- */

static size_t talk_bytes(const struct note_talk *t)
{
    return t->key.len + t->title.len + t->day.len + t->start.len + t->room.len + t->track.len +
           t->url.len + t->speakers.len;
}

void event_read_talk(struct mp_array *a, struct note_talk *out)
{
    struct mp_array talk = mp_sub(a, 9, 9);
    struct note_talk t;
    t.key = read_str(&talk, 0, TALK_MOST_BYTES);
    t.title = read_str(&talk, 0, TALK_MOST_BYTES);
    t.day = read_str(&talk, 0, TALK_MOST_BYTES);
    t.start = read_str(&talk, 0, TALK_MOST_BYTES);
    t.room = read_str(&talk, 0, TALK_MOST_BYTES);
    t.track = read_str(&talk, 0, TALK_MOST_BYTES);
    t.url = read_str(&talk, 0, TALK_MOST_BYTES);
    t.speakers = read_str(&talk, 0, TALK_MOST_BYTES);
    t.duration_min = (uint32_t)mp_u64(&talk, UINT32_MAX);
    if (mp_end(&talk) == 0 && talk_bytes(&t) > TALK_MOST_BYTES)
        mp_fail(&talk, RAPPORT_LIMIT);
    if (!*talk.error)
        *out = t;
}

void note_talk_encode(const struct note_talk *talk, struct buf *out)
{
    mp_put_array(out, 9);
    mp_put_str(out, talk->key);
    mp_put_str(out, talk->title);
    mp_put_str(out, talk->day);
    mp_put_str(out, talk->start);
    mp_put_str(out, talk->room);
    mp_put_str(out, talk->track);
    mp_put_str(out, talk->url);
    mp_put_str(out, talk->speakers);
    mp_put_u64(out, talk->duration_min);
}

int note_talk_decode(struct slice bytes, struct note_talk *out)
{
    struct mp_doc doc;
    int error = mp_open(&doc, bytes, 16);
    if (error)
        return error;
    struct mp_array one = {&doc.root, 1, 0, &error};
    event_read_talk(&one, out);
    mp_close(&doc);
    return error;
}
