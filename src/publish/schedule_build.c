/*
 * schedule_build.c - times, days and links of a schedule (see schedule_build.h).
 *
 * Local time comes from `start` where there is one: `date` has an offset and is local in frab's and
 * pretalx's files, but UTC in wafer's, and FOSDEM's had none until 2024. The conference day is the
 * one of the `day` element, since 31C3 has 00:15 on the 28th in the day of the 27th; but where no
 * talk of that element is on its date (wafer writes the day's start in UTC) it is the day of its
 * first talk.
 */
#include "publish/schedule_build.h"

#include <assert.h>
#include <stdlib.h>

#include "publish/dates.h"
#include "rapport/error.h"

enum {
    MINUTES_PER_DAY = 1440,
    LATEST_NIGHT_MIN =
        360 /* a start before 06:00 and before day_change belongs to the night of its day */
};

void schedule_builder_init(struct schedule_builder *b)
{
    *b = (struct schedule_builder){.room = "", .base_url = "", .day = NO_DAY, .first_day = NO_DAY};
    b->schedule.title = b->schedule.acronym = b->schedule.start = b->schedule.zone = "";
}

void schedule_builder_clear(struct schedule_builder *b)
{
    free(b->talks);
    b->talks = NULL;
    schedule_clear(&b->schedule);
}

int schedule_builder_problem(struct schedule_builder *b, const char *text)
{
    struct schedule *s = &b->schedule;
    s->n_problems_seen++;
    if (s->n_problems == SCHEDULE_MOST_PROBLEMS)
        return 0;
    b->problems[s->n_problems++] = (struct schedule_problem){b->line, text};
    return 0;
}

void schedule_builder_open_day(struct schedule_builder *b, const char *date)
{
    b->day = NO_DAY;
    if (date && !date_parse(slice_str(date), &b->day))
        b->day = NO_DAY;
    b->day_first = b->n_talks;
    b->n_days++;
}

void schedule_builder_open_event(struct schedule_builder *b)
{
    struct schedule_event *e = &b->event;
    e->guid = e->id = e->code = e->date = e->start = e->duration = e->room = e->slug = "";
    e->title = e->subtitle = e->track = e->url = "";
    e->optout = false;
    e->n_persons = e->n_links = 0;
    e->line = b->line;
}

int schedule_builder_person(struct schedule_builder *b, const char *name)
{
    struct schedule_event *e = &b->event;
    if (*name == 0)
        return 0;
    for (size_t i = 0; i < e->n_persons; i++) {
        if (strcmp(e->persons[i], name) == 0)
            return 0;
    }
    if (e->n_persons == SCHEDULE_MOST_PERSONS)
        return schedule_builder_problem(b, "more persons than the limit allows; one was left out");
    e->persons[e->n_persons++] = name;
    return 0;
}

static bool is_web(struct slice s)
{
    return slice_starts_nocase(s, "http://") || slice_starts_nocase(s, "https://");
}

/* Puts what a relative address is relative to (frab's attachments). False when nothing is known. */
static bool put_base(const struct schedule_builder *b, struct slice href, struct buf *url)
{
    struct slice base = slice_str(b->base_url);
    if (!is_web(base) || href.len == 0 || href.ptr[0] == '#' || memchr(href.ptr, ':', href.len) ||
        slice_starts(href, "//"))
        return false;
    size_t end = slice_find(base, "://") + 3;
    while (end < base.len && base.ptr[end] != '/')
        end++;
    bool rooted = href.ptr[0] == '/';
    buf_append_slice(url, rooted ? slice_part(base, 0, end) : base);
    if (!rooted && base.ptr[base.len - 1] != '/')
        buf_u8(url, '/');
    return true;
}

/* Copies an address so that it can stand in Markdown and HTML as it is. NULL when out of memory, ""
 * when it is not one of http or https. */
static const char *clean_href(struct schedule_builder *b, const char *href)
{
    static const char encoded[] = "\"'()<>[\\]^`{|}";
    struct slice s = slice_trim(slice_str(href));
    struct buf url = BUF_INIT;
    if (!is_web(s) && !put_base(b, s, &url))
        return "";
    for (size_t i = 0, from = 0; i <= s.len; i++) {
        bool as_it_is =
            i < s.len && s.ptr[i] > ' ' && s.ptr[i] < 0x7f && !strchr(encoded, s.ptr[i]);
        if (as_it_is)
            continue;
        buf_append_slice(&url, slice_part(s, from, i));
        if (i < s.len)
            buf_printf(&url, "%%%02X", s.ptr[i]);
        from = i + 1;
    }
    const char *copy = arena_buf(&b->schedule.arena, &url);
    buf_clear(&url);
    return copy;
}

/* Feedback forms and chat rooms: on every talk of FOSDEM, of no use in a post. */
static bool is_noise(struct slice title)
{
    return slice_starts_nocase(title, "Submit feedback") ||
           slice_starts_nocase(title, "Chat room") ||
           slice_starts_nocase(title, "Hallway chat room") ||
           slice_starts_nocase(title, "Video recording subtitle");
}

static bool is_video(struct slice href, struct slice title)
{
    return slice_starts_nocase(title, "Video recording") || slice_starts_nocase(title, "Video (") ||
           slice_starts(href, "https://video.fosdem.org/") ||
           slice_starts(href, "https://media.ccc.de/v/");
}

static enum talk_link_kind link_kind(struct slice href, struct slice title, struct slice type)
{
    if (slice_equal(type, slice_str("video")) || is_video(href, title))
        return TALK_LINK_VIDEO;
    if (slice_equal(type, slice_str("slides")) || slice_equal(type, slice_str("paper")) ||
        slice_starts_nocase(title, "slides"))
        return TALK_LINK_SLIDES;
    return TALK_LINK_OTHER;
}

/* A title that says something, else the host: "[1]" and "https://" are real titles. */
static const char *link_title(struct schedule_builder *b, const char *href, const char *title)
{
    struct slice t = slice_str(title), host = slice_str(href);
    bool poor = t.len == 0 || slice_starts_nocase(t, "http://") ||
                slice_starts_nocase(t, "https://") || (t.ptr[0] == '[' && t.len <= 4);
    if (!poor)
        return title;
    host = slice_skip(host, slice_find(host, "://") + 3);
    const uint8_t *slash = memchr(host.ptr, '/', host.len);
    if (slash)
        host.len = (size_t)(slash - host.ptr);
    return arena_str(&b->schedule.arena, host);
}

int schedule_builder_link(struct schedule_builder *b, const char *href, const char *title,
                          const char *type)
{
    struct schedule_event *e = &b->event;
    if (is_noise(slice_str(title)))
        return 0;
    href = clean_href(b, href);
    if (!href)
        return RAPPORT_NOMEM;
    if (*href == 0)
        return schedule_builder_problem(b, "a link that is neither http nor https was left out");
    if (e->n_links == SCHEDULE_MOST_LINKS)
        return schedule_builder_problem(b, "more links than the limit allows; one was left out");
    enum talk_link_kind kind = link_kind(slice_str(href), slice_str(title), slice_str(type));
    title = link_title(b, href, title);
    if (!title)
        return RAPPORT_NOMEM;
    e->links[e->n_links++] = (struct talk_link){href, title, kind};
    return 0;
}

/* The local day of a start that is given as clock time and as an instant: the one that puts the
 * zone's offset nearest to 0. */
static int64_t nearest_day(const struct date_time *date, int clock_min)
{
    int64_t utc = date->minutes - date->offset_min, best = 0, best_distance = INT64_MAX;
    int64_t day = utc / MINUTES_PER_DAY;
    for (int64_t d = day - 1; d <= day + 1; d++) {
        int64_t distance = llabs(d * MINUTES_PER_DAY + clock_min - utc);
        if (distance < best_distance) {
            best = d;
            best_distance = distance;
        }
    }
    return best;
}

/* Minutes since 1970 by the clock on the wall, or INT64_MAX. */
static int64_t local_start(const struct schedule_builder *b)
{
    const struct schedule_event *e = &b->event;
    struct date_time date;
    int clock_min;
    bool has_date = date_time_parse(slice_str(e->date), &date);
    bool has_clock = clock_parse(slice_str(e->start), &clock_min) && clock_min < MINUTES_PER_DAY;
    if (has_date && !has_clock)
        return date.minutes;
    if (!has_clock)
        return INT64_MAX;
    if (has_date) {
        int64_t day = date.minutes / MINUTES_PER_DAY;
        bool agree = date.minutes % MINUTES_PER_DAY == clock_min || !date.has_offset;
        return (agree ? day : nearest_day(&date, clock_min)) * MINUTES_PER_DAY + clock_min;
    }
    if (b->day == NO_DAY)
        return INT64_MAX;
    bool night = clock_min < b->day_change_min && clock_min < LATEST_NIGHT_MIN;
    return (b->day + night) * MINUTES_PER_DAY + clock_min;
}

static const char *date_str(struct arena *a, int64_t day)
{
    struct buf text = BUF_INIT;
    date_put(&text, day);
    const char *copy = arena_buf(a, &text);
    buf_clear(&text);
    return copy;
}

static const char *start_str(struct arena *a, int64_t start_min)
{
    struct buf text = BUF_INIT;
    if (start_min != INT64_MAX) {
        int64_t day = start_min / MINUTES_PER_DAY, minute = start_min % MINUTES_PER_DAY;
        date_put(&text, day);
        buf_printf(&text, "T%02d:%02d", (int)(minute / 60), (int)(minute % 60));
    }
    const char *copy = arena_buf(a, &text);
    buf_clear(&text);
    return copy;
}

static int grow(struct schedule_builder *b)
{
    if (b->n_talks < b->cap)
        return 0;
    if (b->n_talks == SCHEDULE_MOST_TALKS)
        return RAPPORT_LIMIT;
    size_t cap = b->cap ? b->cap * 2 : 64;
    if (cap > SCHEDULE_MOST_TALKS)
        cap = SCHEDULE_MOST_TALKS;
    struct talk *talks = realloc(b->talks, cap * sizeof *talks);
    if (!talks)
        return RAPPORT_NOMEM;
    b->talks = talks;
    b->cap = cap;
    return 0;
}

/* Copies persons and links; the talk's page goes first, recordings out when the speaker opted out.
 */
static int save_lists(struct schedule_builder *b, struct talk *t)
{
    const struct schedule_event *e = &b->event;
    struct arena *a = &b->schedule.arena;
    t->persons = arena_alloc(a, (e->n_persons + 1) * sizeof *t->persons);
    t->links = arena_alloc(a, (e->n_links + 1) * sizeof *t->links);
    if (!t->persons || !t->links)
        return RAPPORT_NOMEM;
    for (size_t i = 0; i < e->n_persons; i++)
        t->persons[t->n_persons++] = e->persons[i];
    if (*t->url)
        t->links[t->n_links++] = (struct talk_link){t->url, "talk page", TALK_LINK_PAGE};
    for (size_t i = 0; i < e->n_links; i++) {
        if (e->links[i].kind != TALK_LINK_VIDEO || !e->optout)
            t->links[t->n_links++] = e->links[i];
    }
    return 0;
}

int schedule_builder_close_event(struct schedule_builder *b)
{
    const struct schedule_event *e = &b->event;
    struct talk t = {.guid = e->guid,
                     .event_id = e->id,
                     .code = e->code,
                     .slug = e->slug,
                     .title = e->title,
                     .subtitle = e->subtitle,
                     .track = e->track,
                     .day = ""};
    int error = grow(b);
    if (error)
        return error;
    b->line = e->line;
    t.room = *e->room ? e->room : b->room;
    t.url = *e->url ? clean_href(b, e->url) : "";
    t.start_min = local_start(b);
    t.start = start_str(&b->schedule.arena, t.start_min);
    if (!t.url || !t.start || !t.room || (error = save_lists(b, &t)))
        return RAPPORT_NOMEM;
    if (t.start_min == INT64_MAX)
        error = schedule_builder_problem(b, "an event without a usable start");
    if (!clock_parse(slice_str(e->duration), &t.duration_min) ||
        t.duration_min > SCHEDULE_MOST_DURATION_MIN) {
        t.duration_min = 0;
        error = schedule_builder_problem(b, "an event without a usable duration");
    }
    if (*t.title == 0)
        error = schedule_builder_problem(b, "an event without a title");
    b->talks[b->n_talks++] = t;
    return error;
}

int schedule_builder_close_day(struct schedule_builder *b)
{
    int64_t earliest = INT64_MAX;
    bool on_its_date = false;
    for (size_t i = b->day_first; i < b->n_talks; i++) {
        int64_t start_min = b->talks[i].start_min;
        if (start_min < earliest)
            earliest = start_min;
        on_its_date |= start_min != INT64_MAX && start_min / MINUTES_PER_DAY == b->day;
    }
    int64_t day = on_its_date || earliest == INT64_MAX ? b->day : earliest / MINUTES_PER_DAY;
    if (day == NO_DAY)
        return 0;
    const char *text = date_str(&b->schedule.arena, day);
    if (!text)
        return RAPPORT_NOMEM;
    for (size_t i = b->day_first; i < b->n_talks; i++)
        b->talks[i].day = text;
    if (b->n_talks > b->day_first &&
        (*b->schedule.start == 0 || strcmp(text, b->schedule.start) < 0))
        b->schedule.start = text;
    return 0;
}

struct place {
    const struct talk *talk;
};

static int compare_talks(const void *a, const void *b)
{
    const struct talk *x = ((const struct place *)a)->talk, *y = ((const struct place *)b)->talk;
    if (x->start_min != y->start_min)
        return x->start_min < y->start_min ? -1 : 1;
    int order = strcmp(x->room, y->room);
    return order ? order : (x > y) - (x < y); /* places in one array: the order of the file */
}

static int sort_talks(struct schedule_builder *b)
{
    struct schedule *s = &b->schedule;
    struct place *places = malloc((b->n_talks + 1) * sizeof *places);
    s->talks = arena_alloc(&s->arena, (b->n_talks + 1) * sizeof *s->talks);
    if (!places || !s->talks) {
        free(places);
        return RAPPORT_NOMEM;
    }
    for (size_t i = 0; i < b->n_talks; i++)
        places[i].talk = &b->talks[i];
    if (b->n_talks)
        qsort(places, b->n_talks, sizeof *places, compare_talks);
    for (size_t i = 0; i < b->n_talks; i++)
        s->talks[i] = *places[i].talk;
    s->n_talks = b->n_talks;
    free(places);
    return 0;
}

int schedule_builder_finish(struct schedule_builder *b)
{
    struct schedule *s = &b->schedule;
    if (b->first_day != NO_DAY)
        s->start = date_str(&s->arena, b->first_day);
    if (!s->start)
        return RAPPORT_NOMEM;
    if (s->n_problems) {
        s->problems = arena_alloc(&s->arena, s->n_problems * sizeof *s->problems);
        if (!s->problems)
            return RAPPORT_NOMEM;
        memcpy(s->problems, b->problems, s->n_problems * sizeof *s->problems);
    }
    return sort_talks(b);
}

void schedule_builder_take(struct schedule_builder *b, struct schedule *out)
{
    *out = b->schedule;
    b->schedule = SCHEDULE_INIT;
}
