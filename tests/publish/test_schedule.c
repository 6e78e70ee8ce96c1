/* test_schedule.c - reading conference schedules, whole, foreign, cut and hostile. */
#include <stdlib.h>

#include "files.h"
#include "publish/schedule.h"
#include "rapport/error.h"

static const char small[] =
    "<?xml version='1.0'?>\n"
    "<schedule><conference><title> Small\n Conf </title><start>2023-02-04</start>"
    "<time_zone_name>Europe/Brussels</time_zone_name></conference>\n"
    "<day date='2023-02-04'><room name='Aula'>\n"
    "<event id='2'><start>9:05</start><duration>00:30</duration>"
    "<title>Second</title></event>\n"
    "<event id='1' guid='g-1'><start>08:00</start><duration>1:00:00</duration>"
    "<title>First &amp; foremost</title>"
    "<persons><person>Ada</person><person/><person>Ada</person></persons>"
    "<links><link href=' https://x.example/a b(c).webm'>Video recording</link>"
    "<link href='javascript:alert(1)'>bad</link>"
    "<link href='https://y.example/z'>[1]</link>"
    "<link href='https://c.example'>Chat room (web)</link></links></event>\n"
    "</room></day></schedule>\n";

static struct schedule parse_ok(struct slice bytes)
{
    struct schedule s = SCHEDULE_INIT;
    struct buf why = BUF_INIT;
    int error = schedule_parse_xml(bytes, &s, &why);
    if (error)
        test_fail(__FILE__, __LINE__, "%s: %s", rapport_strerror(error), buf_cstr(&why));
    buf_clear(&why);
    return s;
}

/* Parses what must fail; returns the code, and the sentence in `why`. */
static int parse_bad(struct slice bytes, struct buf *why)
{
    struct schedule s;
    memset(&s, 0x5a, sizeof s);
    struct schedule untouched = s;
    buf_reset(why);
    int error = schedule_parse_xml(bytes, &s, why);
    CHECK(error != 0);
    CHECK(memcmp(&s, &untouched, sizeof s) == 0);
    return error;
}

TEST(small_schedule, "fields are trimmed, talks sorted by start, links cleaned")
{
    struct schedule s = parse_ok(slice_str(small));
    CHECK_STR(s.title, "Small Conf");
    CHECK_STR(s.start, "2023-02-04");
    CHECK_STR(s.zone, "Europe/Brussels");
    CHECK_EQ(s.n_talks, 2);
    const struct talk *t = &s.talks[0];
    CHECK_STR(t->title, "First & foremost");
    CHECK_STR(t->guid, "g-1");
    CHECK_STR(t->room, "Aula");
    CHECK_STR(t->start, "2023-02-04T08:00");
    CHECK_STR(t->day, "2023-02-04");
    CHECK_EQ(t->start_min, (INT64_C(19392) * 24 + 8) * 60);
    CHECK_EQ(t->duration_min, 60);
    CHECK_EQ(t->n_persons, 1);
    CHECK_EQ(t->n_links, 2);
    CHECK_STR(t->links[0].href, "https://x.example/a%20b%28c%29.webm");
    CHECK_EQ(t->links[0].kind, TALK_LINK_VIDEO);
    CHECK_STR(t->links[1].title, "y.example");
    CHECK_EQ(s.n_problems, 1);
    CHECK_EQ(s.problems[0].line, 6);
    CHECK_STR(s.talks[1].start, "2023-02-04T09:05");
    schedule_clear(&s);
}

struct counts {
    size_t days, rooms, tracks, talks, persons, with_video, with_slides;
};

static bool is_new(const char **seen, size_t *n, const char *str)
{
    for (size_t i = 0; i < *n; i++) {
        if (strcmp(seen[i], str) == 0)
            return false;
    }
    seen[(*n)++] = str;
    return true;
}

static struct counts count(const struct schedule *s)
{
    struct counts c = {.talks = s->n_talks};
    const char *days[64], *rooms[256], *tracks[256];
    const char **persons = calloc(SCHEDULE_MOST_TALKS, sizeof *persons);
    for (size_t i = 0; i < s->n_talks; i++) {
        const struct talk *t = &s->talks[i];
        bool kinds[4] = {false};
        is_new(days, &c.days, t->day);
        if (*t->room)
            is_new(rooms, &c.rooms, t->room);
        if (*t->track)
            is_new(tracks, &c.tracks, t->track);
        for (size_t k = 0; k < t->n_persons; k++)
            is_new(persons, &c.persons, t->persons[k]);
        for (size_t k = 0; k < t->n_links; k++)
            kinds[t->links[k].kind] = true;
        c.with_video += kinds[TALK_LINK_VIDEO];
        c.with_slides += kinds[TALK_LINK_SLIDES];
    }
    free(persons);
    return c;
}

static struct counts count_file(const char *path, struct schedule *s)
{
    struct buf b = read_shared(path);
    *s = parse_ok(buf_slice(&b));
    buf_clear(&b);
    return count(s);
}

TEST(fosdem_2023, "FOSDEM 2023: 780 talks, 646 with video, no zone in the file")
{
    struct schedule s;
    struct counts c = count_file("schedules/fosdem-2023.xml", &s);
    CHECK_EQ(c.days, 2);
    CHECK_EQ(c.rooms, 35);
    CHECK_EQ(c.tracks, 61);
    CHECK_EQ(c.talks, 780);
    CHECK_EQ(c.persons, 787);
    CHECK_EQ(c.with_video, 648); /* 646 as links, two more as attachments */
    CHECK_STR(s.zone, "");
    CHECK_EQ(s.n_problems_seen, 2); /* two addresses without http */
    const struct talk *t;
    CHECK_EQ(schedule_find(&s, "goheadscale", &t), 0);
    CHECK_STR(t->start, "2023-02-04T15:30");
    CHECK_STR(t->persons[1], "Juan Font Alonso");
    CHECK_EQ(schedule_find(&s, "14309", &t), 0);
    CHECK_STR(t->room, "H.2214");
    CHECK_EQ(schedule_find(&s, "headscale", &t), 0);
    CHECK_EQ(schedule_find(&s, "nix", &t), RAPPORT_AMBIGUOUS);
    CHECK_EQ(schedule_find(&s, "no such talk at all", &t), RAPPORT_NOTFOUND);
    schedule_clear(&s);
}

TEST(fosdem_2025, "FOSDEM 2025: guids, zone, pages; the list of tracks is not counted")
{
    struct schedule s;
    struct counts c = count_file("schedules/fosdem-2025-cut.xml", &s);
    CHECK_EQ(c.days, 2);
    CHECK_EQ(c.rooms, 3); /* the fourth is empty */
    CHECK_EQ(c.tracks, 7);
    CHECK_EQ(c.talks, 120);
    CHECK_EQ(c.persons, 136);
    CHECK_STR(s.zone, "Europe/Brussels");
    CHECK_EQ(s.talks[0].links[0].kind, TALK_LINK_PAGE);
    schedule_clear(&s);
}

TEST(fosdem_2007, "FOSDEM 2007: events straight under the day, rooms from the events")
{
    struct schedule s;
    struct counts c = count_file("schedules/fosdem-2007.xml", &s);
    CHECK_EQ(c.days, 2);
    CHECK_EQ(c.tracks, 25);
    CHECK_EQ(c.talks, 215);
    CHECK_EQ(c.persons, 204); /* by name; 244 ids */
    schedule_clear(&s);
}

TEST(frab_31c3, "31C3: what runs past midnight stays in its conference day; optout hides no talk")
{
    struct schedule s;
    struct counts c = count_file("schedules/31c3.xml", &s);
    CHECK_EQ(c.days, 4);
    CHECK_EQ(c.rooms, 4);
    CHECK_EQ(c.tracks, 8);
    CHECK_EQ(c.talks, 138);
    CHECK_EQ(c.persons, 197); /* by name; 198 ids */
    size_t past_midnight = 0;
    for (size_t i = 0; i < s.n_talks; i++)
        past_midnight += strncmp(s.talks[i].start, s.talks[i].day, 10) != 0;
    CHECK(past_midnight > 0);
    schedule_clear(&s);
}

TEST(debconf23, "DebConf23: dates in UTC, clock times local, days named by the local date")
{
    struct schedule s;
    struct counts c = count_file("schedules/debconf23.xml", &s);
    CHECK_EQ(c.days, 8);
    CHECK_EQ(c.rooms, 5);
    CHECK_EQ(c.tracks, 12);
    CHECK_EQ(c.talks, 117);
    CHECK_EQ(c.persons, 87);
    const struct talk *t;
    CHECK_EQ(schedule_find(&s, "debconf23-35-opening-ceremony", &t), 0);
    CHECK_STR(t->start, "2023-09-10T10:30");
    CHECK_STR(t->day, "2023-09-10");
    schedule_clear(&s);
}

TEST(own_sample, "the sample of 21 talks has two days and five rooms, and every talk a recording")
{
    struct buf b = read_sample("tests/samples/fosdem-2023-sample.xml");
    struct schedule s = parse_ok(buf_slice(&b));
    struct counts c = count(&s);
    CHECK_EQ(c.talks, 21);
    CHECK_EQ(c.days, 2);
    CHECK_EQ(c.rooms, 4);
    CHECK_EQ(s.n_problems_seen, 0);
    schedule_clear(&s);
    buf_clear(&b);
}

TEST(foreign_files, "what is no schedule is named for what it is")
{
    struct buf why = BUF_INIT;
    static const struct {
        const char *bytes, *sentence;
        int error;
    } cases[] = {
        {"", "the file is empty", RAPPORT_MALFORMED},
        {" \n", "the file is empty", RAPPORT_MALFORMED},
        {"{\"schedule\":{}}",
         "this is JSON; only the XML form of a schedule can be read, look for schedule.xml",
         RAPPORT_MALFORMED},
        {"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n",
         "this is iCalendar; only the XML form of a schedule can be read, look for schedule.xml",
         RAPPORT_MALFORMED},
        {"<!DOCTYPE html><title>404",
         "this is a web page, not a schedule; look for the address of schedule.xml",
         RAPPORT_MALFORMED},
        {"<rss/>", "line 1: this is XML, but no schedule: its outermost element is not <schedule>",
         RAPPORT_MALFORMED},
        {"<schedule>\n</schedule>", "the schedule has no <day>, so no talk", RAPPORT_MALFORMED},
        {"<schedule>\n<day>", "line 2: the file ends in the middle of the schedule, fetch it again",
         RAPPORT_TRUNCATED},
        {"<schedule>\n<day></room>", "line 2: not well-formed XML (mismatched tag)",
         RAPPORT_MALFORMED},
        {"<!DOCTYPE schedule [<!ENTITY a 'b'>]><schedule>&a;</schedule>",
         "line 1: the file declares entities or elements of its own, which is refused",
         RAPPORT_MALFORMED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CHECK_EQ(parse_bad(slice_str(cases[i].bytes), &why), cases[i].error);
        CHECK_STR(buf_cstr(&why), cases[i].sentence);
    }
    buf_clear(&why);
}

TEST(billion_laughs, "entities inside of entities are refused before they grow")
{
    struct buf b = BUF_INIT, why = BUF_INIT;
    buf_append_str(&b, "<?xml version='1.0'?><!DOCTYPE schedule [<!ENTITY a0 'ha'>");
    for (int i = 1; i < 30; i++)
        buf_printf(&b, "<!ENTITY a%d '&a%d;&a%d;'>", i, i - 1, i - 1);
    buf_append_str(&b, "]><schedule><conference><title>&a29;</title></conference></schedule>");
    CHECK_EQ(parse_bad(buf_slice(&b), &why), RAPPORT_MALFORMED);
    buf_clear(&b);
    buf_clear(&why);
}

static void put_talks(struct buf *b, size_t n)
{
    buf_append_str(b, "<schedule><day date='2023-02-04'>");
    for (size_t i = 0; i < n; i++)
        buf_append_str(
            b, "<event><start>10:00</start><duration>0:10</duration><title>x</title></event>");
    buf_append_str(b, "</day></schedule>");
}

TEST(most_talks, "as many talks as the limit are read, one more is refused")
{
    struct buf b = BUF_INIT, why = BUF_INIT;
    put_talks(&b, SCHEDULE_MOST_TALKS);
    struct schedule s = parse_ok(buf_slice(&b));
    CHECK_EQ(s.n_talks, SCHEDULE_MOST_TALKS);
    schedule_clear(&s);
    buf_reset(&b);
    put_talks(&b, SCHEDULE_MOST_TALKS + 1);
    CHECK_EQ(parse_bad(buf_slice(&b), &why), RAPPORT_LIMIT);
    buf_clear(&b);
    buf_clear(&why);
}

TEST(most_depth, "nesting up to the limit is skipped over, deeper is refused")
{
    struct buf b = BUF_INIT, why = BUF_INIT;
    for (size_t depth = SCHEDULE_MOST_DEPTH; depth <= SCHEDULE_MOST_DEPTH + 1; depth++) {
        buf_reset(&b);
        buf_append_str(&b, "<schedule><day/>");
        for (size_t i = 1; i < depth; i++)
            buf_append_str(&b, "<x>");
        for (size_t i = 1; i < depth; i++)
            buf_append_str(&b, "</x>");
        buf_append_str(&b, "</schedule>");
        if (depth == SCHEDULE_MOST_DEPTH) {
            struct schedule s = parse_ok(buf_slice(&b));
            schedule_clear(&s);
        } else {
            CHECK_EQ(parse_bad(buf_slice(&b), &why), RAPPORT_LIMIT);
        }
    }
    buf_clear(&b);
    buf_clear(&why);
}

TEST(most_of_one_talk,
     "persons, links, long texts and problems past their limits are left out and named")
{
    struct buf b = BUF_INIT;
    buf_append_str(&b, "<schedule><day date='2023-02-04'><event><start>10:00</start><title>");
    for (size_t i = 0; i < SCHEDULE_MOST_FIELD_BYTES; i++)
        buf_append_str(&b, "\xc3\xa9");
    buf_append_str(&b, "</title><duration>0:10</duration><persons>");
    for (size_t i = 0; i <= SCHEDULE_MOST_PERSONS; i++)
        buf_printf(&b, "<person>p%zu</person>", i);
    buf_append_str(&b, "</persons><links>");
    for (size_t i = 0; i <= SCHEDULE_MOST_LINKS; i++)
        buf_printf(&b, "<link href='https://x.example/%zu'>l</link>", i);
    for (size_t i = 0; i < SCHEDULE_MOST_PROBLEMS; i++)
        buf_append_str(&b, "<link href='ftp://x.example/'>l</link>");
    buf_append_str(&b, "</links></event></day></schedule>");
    struct schedule s = parse_ok(buf_slice(&b));
    CHECK_EQ(s.talks[0].n_persons, SCHEDULE_MOST_PERSONS);
    CHECK_EQ(s.talks[0].n_links, SCHEDULE_MOST_LINKS);
    CHECK_EQ(strlen(s.talks[0].title), SCHEDULE_MOST_FIELD_BYTES);
    CHECK_EQ(s.n_problems, SCHEDULE_MOST_PROBLEMS);
    CHECK_EQ(s.n_problems_seen, SCHEDULE_MOST_PROBLEMS + 3);
    schedule_clear(&s);
    buf_clear(&b);
}

TEST(most_bytes, "a file past 32 MiB is refused unread")
{
    struct buf why = BUF_INIT;
    uint8_t *bytes = calloc(1, SCHEDULE_MOST_BYTES + 1);
    CHECK(bytes != NULL);
    CHECK_EQ(parse_bad(slice_of(bytes, SCHEDULE_MOST_BYTES + 1), &why), RAPPORT_LIMIT);
    free(bytes);
    buf_clear(&why);
}

/* Where the text after </schedule> begins: cutting there leaves a whole schedule. */
static size_t end_of_schedule(struct slice s)
{
    size_t end = s.len;
    while (end && s.ptr[end - 1] != '>')
        end--;
    return end;
}

TEST(cut_anywhere,
     "a schedule cut at any byte is an error with a sentence, and nothing is given out")
{
    struct buf why = BUF_INIT;
    struct slice s = slice_str(small);
    size_t end = end_of_schedule(s);
    for (size_t n = 0; n < end; n++) {
        int error = parse_bad(slice_of(s.ptr, n), &why);
        CHECK(error == RAPPORT_TRUNCATED || error == RAPPORT_MALFORMED);
        CHECK(why.len > 0);
    }
    for (size_t n = end; n <= s.len; n++) {
        struct schedule parsed = parse_ok(slice_of(s.ptr, n));
        schedule_clear(&parsed);
    }
    buf_clear(&why);
}

TEST(cut_real_files, "real schedules cut at 1,000 random bytes: an error, and nothing is given out")
{
    static const char *const files[] = {"schedules/fosdem-2023.xml", "schedules/fosdem-2007.xml",
                                        "schedules/31c3.xml", "schedules/debconf23.xml",
                                        "schedules/fosdem-2025-cut.xml"};
    struct test_rng rng = test_rng_start(7);
    struct buf why = BUF_INIT;
    for (size_t i = 0; i < 5; i++) {
        struct buf b = read_shared(files[i]);
        size_t end = end_of_schedule(buf_slice(&b));
        for (int k = 0; k < 200; k++) {
            int error = parse_bad(slice_of(b.ptr, test_rng_below(&rng, end)), &why);
            CHECK(error == RAPPORT_TRUNCATED || error == RAPPORT_MALFORMED);
            CHECK(why.len > 0);
        }
        buf_clear(&b);
    }
    buf_clear(&why);
}

TEST(flipped_bits, "a schedule with flipped bits is read or refused, never worse")
{
    struct test_rng rng = test_rng_start(11);
    struct buf why = BUF_INIT;
    char copy[sizeof small];
    size_t read = 0;
    for (int i = 0; i < 3000; i++) {
        memcpy(copy, small, sizeof small);
        copy[test_rng_below(&rng, sizeof small - 1)] ^= (char)(1 << test_rng_below(&rng, 8));
        struct schedule s;
        buf_reset(&why);
        if (schedule_parse_xml(slice_of(copy, sizeof small - 1), &s, &why) == 0) {
            read++;
            schedule_clear(&s);
        }
    }
    CHECK(read > 0 && read < 3000);
    buf_clear(&why);
}

TEST(keys,
     "a talk's key uses guid, else id, else time, room and title, and no two field lists share one")
{
    struct schedule s = {.title = "C", .start = "2023-02-04"};
    struct talk t = {.guid = "g", .event_id = "7", .start = "s", .room = "r", .title = "t"};
    struct buf b = BUF_INIT;
    CHECK_EQ(talk_key(&s, &t, &b), 0);
    CHECK_STR(buf_cstr(&b), "1:C,10:2023-02-04,4:guid,1:g,");
    buf_reset(&b);
    t.guid = "";
    talk_key(&s, &t, &b);
    CHECK_STR(buf_cstr(&b), "1:C,10:2023-02-04,2:id,1:7,");
    buf_reset(&b);
    t.event_id = "";
    talk_key(&s, &t, &b);
    CHECK_STR(buf_cstr(&b), "1:C,10:2023-02-04,5:place,1:s,1:r,1:t,");
    buf_clear(&b);
}

TEST(repeated_talk, "a talk in two slots with one guid is one talk to find, the first")
{
    struct schedule s = parse_ok(
        slice_str("<schedule><day date='2023-02-04'>"
                  "<event guid='g' "
                  "id='1'><start>12:00</start><duration>1:00</duration><title>Twice</title></event>"
                  "<event guid='g' "
                  "id='2'><start>10:00</start><duration>1:00</duration><title>Twice</title></event>"
                  "</day></schedule>"));
    const struct talk *t;
    CHECK_EQ(schedule_find(&s, " twice ", &t), 0);
    CHECK_STR(t->event_id, "2");
    CHECK_EQ(schedule_find(&s, "1", &t), 0);
    CHECK_STR(t->start, "2023-02-04T12:00");
    CHECK_EQ(schedule_find(&s, "", &t), RAPPORT_NOTFOUND);
    schedule_clear(&s);
}

TEST(night, "without dates, what starts before the day changes belongs to the night of its day")
{
    struct schedule s = parse_ok(
        slice_str("<schedule><conference><day_change>09:00:00</day_change></conference><day "
                  "date='2023-02-04'>"
                  "<event><start>00:30</start><duration>1:00</duration><title>Late</title></event>"
                  "<event><start>08:30</start><duration>1:00</duration><title>Early</title></event>"
                  "</day></schedule>"));
    CHECK_STR(s.talks[0].title, "Early");
    CHECK_STR(s.talks[0].start, "2023-02-04T08:30");
    CHECK_STR(s.talks[1].start, "2023-02-05T00:30");
    CHECK_STR(s.talks[1].day, "2023-02-04");
    schedule_clear(&s);
}

TEST(useless_times, "events without start or duration are kept, last, and named")
{
    struct schedule s =
        parse_ok(slice_str("<schedule><day><event id='1'><start>25:61</start></event>"
                           "<event id='2'><date>2014-12-28T00:15:00+01:00</date>"
                           "<duration>999:00</duration><title>x</title></event></day></schedule>"));
    CHECK_STR(s.talks[0].start, "2014-12-28T00:15");
    CHECK_STR(s.talks[0].day, "2014-12-28");
    CHECK_EQ(s.talks[0].duration_min, 0);
    CHECK(s.talks[1].start_min == INT64_MAX);
    CHECK_EQ(s.n_problems_seen, 4);
    schedule_clear(&s);
}

TEST(optout, "recordings are left out where the speaker opted out")
{
    struct schedule s = parse_ok(slice_str(
        "<schedule><conference><base_url>https://c.example/fahrplan/</base_url></conference>"
        "<day "
        "date='2023-02-04'><event><start>10:00</start><duration>1:00</duration><title>x</title>"
        "<recording><optout>TRUE</optout></recording><attachments>"
        "<attachment type='video' href='/v.mp4'>v</attachment>"
        "<attachment type='slides' "
        "href='a/s.pdf'></attachment></attachments></event></day></schedule>"));
    CHECK_EQ(s.talks[0].n_links, 1);
    CHECK_STR(s.talks[0].links[0].href, "https://c.example/fahrplan/a/s.pdf");
    CHECK_STR(s.talks[0].links[0].title, "c.example");
    schedule_clear(&s);
}

TEST(note_text,
     "the text of a talk's new note is fixed, and the schedule's text cannot be markup in it")
{
    const char *persons[] = {"Ada *L*", "Bob"};
    struct talk t = {.title = "Send in the [chown]()s",
                     .start = "2023-02-04T10:55",
                     .room = "UB2.252A",
                     .persons = persons,
                     .n_persons = 2};
    struct buf b = BUF_INIT;
    CHECK_EQ(talk_note_text(&t, &b), 0);
    CHECK_STR(buf_cstr(&b), "# Send in the \\[chown\\]()s\n\n"
                            "*Saturday 4 February, 10:55, UB2.252A: Ada \\*L\\*, Bob*\n\n");
    buf_clear(&b);
}

TEST(schedule_memory, "each allocation that fails gives NOMEM and nothing else")
{
    struct buf why = BUF_INIT;
    long n = 0;
    for (bool reached = true; reached; n++) {
        struct schedule s;
        buf_clear(&why);
        test_fail_allocation(n);
        int error = schedule_parse_xml(slice_str(small), &s, &why);
        reached = test_allocation_failed();
        test_fail_allocation(-1);
        if (!error)
            schedule_clear(&s);
        CHECK_EQ(error, reached ? RAPPORT_NOMEM : 0);
    }
    CHECK(n > 10);
    buf_clear(&why);
}
