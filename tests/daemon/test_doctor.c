/* test_doctor.c - what doctor says of clock and disk, and which one thing it says to do next. */
#include "daemon/doctor.h"
#include "test.h"

static struct finding clock_of(const int64_t *ahead_ms, size_t n)
{
    static struct findings f;
    findings_clear(&f);
    doctor_clock(ahead_ms, n, &f);
    CHECK_EQ(f.n, 1);
    return f.list[0];
}

TEST(doctor_clock_fine, "a clock that agrees with friends, or cannot be compared, is fine")
{
    CHECK_STR(clock_of(NULL, 0).text, "nobody is connected to compare it with");
    CHECK_STR(clock_of((int64_t[]){-900}, 1).text, "within a second of a friend's");
    CHECK_STR(clock_of((int64_t[]){5000, -90000, 8000}, 3).text,
              "within 5 s of those of the friends who are connected");
    CHECK_EQ(clock_of((int64_t[]){DOCTOR_CLOCK_OFF_MS}, 1).state, FINDING_FINE);
}

TEST(doctor_clock_off, "ten minutes off is a problem; who is wrong is what most say")
{
    struct finding one = clock_of((int64_t[]){3600000}, 1);
    CHECK_EQ(one.state, FINDING_PROBLEM);
    CHECK_STR(one.text, "this machine's clock is 60 min behind a friend's, so friends on a LAN do "
                        "not recognise each other");
    CHECK(strstr(one.todo, "timedatectl") != NULL);
    one = clock_of((int64_t[]){-INT64_MAX, -86400000, 5}, 3);
    CHECK_STR(one.text,
              "this machine's clock is 24 h ahead of those of most friends, so friends on "
              "a LAN do not recognise each other");
    CHECK_EQ(clock_of((int64_t[]){INT64_MAX, 10, 20}, 3).state, FINDING_FINE);
}

TEST(doctor_disk_there, "the disk: room, size of the database; a folder that is gone is a problem")
{
    struct findings f = {0};
    doctor_disk("/", &f);
    CHECK(f.n >= 1);
    CHECK(strstr(f.list[0].text, " free") != NULL);
    CHECK(strstr(f.list[0].text, "the database has 0 kB") != NULL);
    findings_clear(&f);
    doctor_disk("/nowhere/at/all", &f);
    CHECK_EQ(f.n, 1);
    CHECK_EQ(f.list[0].state, FINDING_PROBLEM);
    findings_clear(&f);
}

TEST(doctor_next_thing, "the next thing to do is the first problem's, else the first note's")
{
    struct findings f = {0};
    CHECK_STR(doctor_next(&f), "");
    finding_add(&f, FINDING_FINE, "disk", "never said", "fine");
    CHECK_STR(doctor_next(&f), "");
    finding_add(&f, FINDING_NOTE, "daemon", "rapport up", "nothing runs");
    finding_add(&f, FINDING_NOTE, "friends", "rapport invite", "nobody");
    CHECK_STR(doctor_next(&f), "rapport up");
    finding_add(&f, FINDING_PROBLEM, "files", NULL, "no advice");
    finding_add(&f, FINDING_PROBLEM, "network", "use a hotspot", "isolated");
    finding_add(&f, FINDING_PROBLEM, "clock", "set it", "off");
    CHECK_STR(doctor_next(&f), "use a hotspot");
    findings_clear(&f);
}
