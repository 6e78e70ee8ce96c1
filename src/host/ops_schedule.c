/*
 * ops_schedule.c - the conference's schedule: kept as the file it came as, parsed when it is
 * asked for (2 MB take some 15 ms), in .rapport/schedule.xml with its zone beside.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/folder.h"
#include "host/ops_parts.h"
#include "publish/schedule.h"

enum {
    ZONE_MOST_BYTES = 64
};

static int read_bytes(int dir, const char *name, size_t most, struct buf *out)
{
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return host_errno(errno);
    int error = 0;
    for (;;) {
        uint8_t *room = buf_reserve(out, 65536);
        ssize_t n = room ? read(fd, room, 65536) : -1;
        if (n <= 0) {
            error = n < 0 ? (room ? host_errno(errno) : RAPPORT_NOMEM) : 0;
            break;
        }
        out->len += (size_t)n;
        if (out->len > most) {
            error = RAPPORT_LIMIT;
            break;
        }
    }
    close(fd);
    return error;
}

static int keep_bytes(int dir, const char *name, struct slice bytes)
{
    char temporary[64];
    (void)snprintf(temporary, sizeof temporary, "%s.new", name);
    (void)unlinkat(dir, temporary, 0);
    int error = file_write(dir, temporary, bytes, 0600);
    if (!error && renameat(dir, temporary, dir, name))
        error = host_errno(errno);
    return error;
}

int call_schedule(struct call *c, struct schedule *out)
{
    struct buf bytes = BUF_INIT;
    int error = read_bytes(c->h->rapport_fd, "schedule.xml", SCHEDULE_MOST_BYTES, &bytes);
    if (!error)
        error = schedule_parse_xml(buf_slice(&bytes), out, NULL);
    buf_clear(&bytes);
    return error;
}

static void field_zone(struct call *c)
{
    struct buf zone = BUF_INIT;
    if (read_bytes(c->h->rapport_fd, "schedule.zone", ZONE_MOST_BYTES, &zone))
        buf_reset(&zone);
    mp_put_str(field(c, "zone"), buf_slice(&zone));
    buf_clear(&zone);
}

static void field_schedule_problems(struct call *c, const struct schedule *s)
{
    struct rows rows = {.buf = BUF_INIT};
    for (size_t i = 0; i < s->n_problems; i++) {
        struct buf line = BUF_INIT;
        buf_printf(&line, "line %zu: %s", s->problems[i].line, s->problems[i].text);
        mp_put_str(&rows.buf, buf_slice(&line));
        buf_clear(&line);
        rows.n++;
    }
    field_rows(c, "problems", &rows);
}

/* A zone that cannot be a name is left out rather than kept. */
static bool zone_ok(struct slice zone)
{
    for (size_t i = 0; i < zone.len; i++) {
        uint8_t ch = zone.ptr[i];
        bool letter = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z');
        if (!letter && !(ch >= '0' && ch <= '9') && ch != '/' && ch != '_' && ch != '-' &&
            ch != '+')
            return false;
    }
    return zone.len <= ZONE_MOST_BYTES;
}

int op_schedule_import(struct call *c)
{
    struct slice bytes, zone = {0};
    struct buf why = BUF_INIT;
    struct schedule s;
    if (!arg_bytes(c, "bytes", &bytes))
        return call_fail(c, RAPPORT_INVALID, 2, "import needs the schedule's bytes");
    (void)arg_str(c, "zone", &zone);
    if (!zone_ok(zone))
        return call_fail(c, RAPPORT_INVALID, 2,
                         "that is no time zone; write one like Europe/Brussels");
    int error = schedule_parse_xml(bytes, &s, &why);
    if (error) {
        (void)call_fail(c, error, 65, "not a schedule: %s",
                        buf_cstr(&why) ? (char *)why.ptr : rapport_strerror(error));
        buf_clear(&why);
        return error;
    }
    if (zone.len == 0)
        zone = slice_str(s.zone);
    error = keep_bytes(c->h->rapport_fd, "schedule.xml", bytes);
    if (!error)
        error = keep_bytes(c->h->rapport_fd, "schedule.zone", zone);
    field_str(c, "title", s.title);
    field_u64(c, "talks", s.n_talks);
    field_zone(c);
    field_schedule_problems(c, &s);
    schedule_clear(&s);
    buf_clear(&why);
    return error
               ? call_fail(c, error, 0, "the schedule cannot be kept: %s", rapport_strerror(error))
               : 0;
}

/* ---- ls ---- */

static uint8_t lower(uint8_t ch)
{
    return ch >= 'A' && ch <= 'Z' ? (uint8_t)(ch + 32) : ch;
}

static bool holds(struct slice text, struct slice part)
{
    for (size_t at = 0; at + part.len <= text.len; at++) {
        size_t i = 0;
        while (i < part.len && lower(text.ptr[at + i]) == lower(part.ptr[i]))
            i++;
        if (i == part.len)
            return true;
    }
    return false;
}

static bool on_day(const struct talk *t, struct slice day)
{
    struct buf name = BUF_INIT;
    schedule_day_name(t->day, &name);
    bool fits = slice_equal(slice_str(t->day), day) || holds(buf_slice(&name), day);
    buf_clear(&name);
    return fits;
}

static void put_talk(struct call *c, struct buf *b, const struct schedule *s, const struct talk *t)
{
    uint8_t id[RAPPORT_NOTE_ID_BYTES];
    struct buf key = BUF_INIT;
    const struct listed *note = NULL;
    if (!talk_key(s, t, &key) && buf_cstr(&key)) {
        rapport_talk_note_id((const char *)key.ptr, id);
        note = call_note_of(c, id);
    }
    buf_clear(&key);
    mp_put_map(b, 9 + (note ? 1U : 0U));
    put_str(b, "id", t->event_id[0] ? t->event_id : t->guid);
    put_str(b, "title", t->title);
    put_str(b, "day", t->day);
    put_str(b, "start", t->start);
    put_str(b, "room", t->room);
    put_str(b, "track", t->track);
    put_u64(b, "duration_min", t->duration_min > 0 ? (uint64_t)t->duration_min : 0);
    mp_put_cstr(b, "speakers");
    mp_put_array(b, t->n_persons);
    for (size_t i = 0; i < t->n_persons; i++)
        mp_put_cstr(b, t->persons[i]);
    put_str(b, "url", t->url);
    if (note)
        put_id(b, "note", note->id, sizeof note->id);
}

int op_schedule_ls(struct call *c)
{
    struct slice day = {0}, track = {0}, room = {0};
    struct schedule s;
    int error = call_schedule(c, &s);
    if (error == RAPPORT_NOTFOUND)
        return call_fail(
            c, error, 4,
            "there is no schedule here; get it with: curl URL | rapport schedule import -");
    if (error)
        return call_fail(c, error, 0, "the schedule cannot be read; import it again");
    (void)arg_str(c, "day", &day);
    (void)arg_str(c, "track", &track);
    (void)arg_str(c, "room", &room);
    struct rows rows = {.buf = BUF_INIT};
    for (size_t i = 0; i < s.n_talks; i++) {
        const struct talk *t = &s.talks[i];
        if ((day.len && !on_day(t, day)) || (track.len && !holds(slice_str(t->track), track)) ||
            (room.len && !holds(slice_str(t->room), room)))
            continue;
        put_talk(c, &rows.buf, &s, t);
        rows.n++;
    }
    field_str(c, "title", s.title);
    field_zone(c);
    field_rows(c, "talks", &rows);
    schedule_clear(&s);
    return 0;
}
