/* schedule.c - what can be asked of a schedule, and the texts made from a talk (see schedule.h). */
#include "publish/schedule.h"

#include "publish/dates.h"
#include "publish/strings.h"
#include "rapport/error.h"

void schedule_clear(struct schedule *s)
{
    arena_clear(&s->arena);
    *s = SCHEDULE_INIT;
}

static void put_field(struct buf *out, const char *field)
{
    buf_printf(out, "%zu:%s,", strlen(field), field);
}

int talk_key(const struct schedule *s, const struct talk *t, struct buf *out)
{
    put_field(out, s->title);
    put_field(out, s->start);
    if (*t->guid) {
        put_field(out, "guid");
        put_field(out, t->guid);
    } else if (*t->event_id) {
        put_field(out, "id");
        put_field(out, t->event_id);
    } else {
        put_field(out, "place");
        put_field(out, t->start);
        put_field(out, t->room);
        put_field(out, t->title);
    }
    return buf_error(out);
}

static bool field_is(const char *field, struct slice what)
{
    return *field && slice_equal_nocase(slice_str(field), what);
}

static bool by_id(const struct talk *t, struct slice what)
{
    return field_is(t->event_id, what);
}

static bool by_guid(const struct talk *t, struct slice what)
{
    return field_is(t->guid, what);
}

static bool by_code(const struct talk *t, struct slice what)
{
    return field_is(t->code, what);
}

static bool by_slug(const struct talk *t, struct slice what)
{
    return field_is(t->slug, what);
}

static bool by_title(const struct talk *t, struct slice what)
{
    return field_is(t->title, what);
}

static bool by_title_part(const struct talk *t, struct slice what)
{
    return slice_contains_nocase(slice_str(t->title), what);
}

/* Two slots of one talk have one key. */
static bool same_talk(const struct talk *a, const struct talk *b)
{
    if (*a->guid || *b->guid)
        return strcmp(a->guid, b->guid) == 0;
    if (*a->event_id || *b->event_id)
        return strcmp(a->event_id, b->event_id) == 0;
    return strcmp(a->start, b->start) == 0 && strcmp(a->room, b->room) == 0 &&
           strcmp(a->title, b->title) == 0;
}

static int find_by(const struct schedule *s, bool (*matches)(const struct talk *, struct slice),
                   struct slice what, const struct talk **out)
{
    const struct talk *found = NULL;
    for (size_t i = 0; i < s->n_talks; i++) {
        if (!matches(&s->talks[i], what))
            continue;
        if (found && !same_talk(found, &s->talks[i]))
            return RAPPORT_AMBIGUOUS;
        if (!found)
            found = &s->talks[i];
    }
    if (!found)
        return RAPPORT_NOTFOUND;
    *out = found;
    return 0;
}

int schedule_find(const struct schedule *s, const char *what, const struct talk **out)
{
    bool (*const ways[])(const struct talk *, struct slice) = {by_id,   by_guid,  by_code,
                                                               by_slug, by_title, by_title_part};
    struct slice trimmed = slice_trim(slice_str(what));
    if (trimmed.len == 0)
        return RAPPORT_NOTFOUND;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        int error = find_by(s, ways[i], trimmed, out);
        if (error != RAPPORT_NOTFOUND)
            return error;
    }
    return RAPPORT_NOTFOUND;
}

void schedule_day_name(const char *date, struct buf *out)
{
    struct slice s = slice_str(date);
    int64_t days;
    int year, month, day;
    if (s.len > 10)
        s.len = 10;
    if (!date_parse(s, &days)) {
        buf_append_str(out, date);
        return;
    }
    date_split(days, &year, &month, &day);
    buf_printf(out, "%s %d %s", weekday_name(weekday_of(days)), day, month_name(month));
}

int talk_note_text(const struct talk *t, struct buf *out)
{
    buf_append_str(out, "# ");
    put_markdown_plain(out, *t->title ? t->title : "Untitled");
    buf_append_str(out, "\n\n*");
    if (*t->start) {
        schedule_day_name(t->start, out);
        buf_printf(out, ", %s", t->start + 11);
    } else {
        buf_append_str(out, "Time unknown");
    }
    if (*t->room) {
        buf_append_str(out, ", ");
        put_markdown_plain(out, t->room);
    }
    for (size_t i = 0; i < t->n_persons; i++) {
        buf_append_str(out, i ? ", " : ": ");
        put_markdown_plain(out, t->persons[i]);
    }
    buf_append_str(out, "*\n\n");
    return buf_error(out);
}
