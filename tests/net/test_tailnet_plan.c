/*
 * Whom to probe when, in virtual time: statuses and outcomes in, candidates out. Who is skipped at
 * all is the status reader's matter: here it is decided by the few rules below.
 */
#include <stdlib.h>

#include "net/tailnet_plan.h"
#include "test.h"

enum {
    MOST_MACHINES = 1000,
    MOST_SEEN = 20000,
    HOUR = 3600 * 1000,
    DAY = 24 * HOUR,
};

/* Weak, so that the reader's own are taken where it is linked in. */
__attribute__((weak)) enum tailnet_skip tailnet_skip(const struct tailnet_status *s,
                                                     const struct tailnet_peer *p, bool own,
                                                     const char *tag, bool spoke)
{
    (void)s;
    (void)own;
    (void)tag;
    if (p->expired)
        return TAILNET_SKIP_EXPIRED;
    if (p->n_ips == 0)
        return TAILNET_SKIP_NO_ADDRESS;
    return p->online || spoke ? TAILNET_KEEP : TAILNET_SKIP_OFFLINE;
}

__attribute__((weak)) bool tailnet_is_address(const struct rapport_address *a)
{
    return a->bytes[0] == (a->family == 4 ? 100 : 0xfd);
}

/* A tailnet of machines 100.64.x.y and fd7a:...:x:y, number 1 to n, and what the plan did. */
struct scene {
    struct tailnet_plan *plan;
    struct tailnet_status status;
    struct tailnet_peer peers[MOST_MACHINES];
    char ids[MOST_MACHINES][24];
    struct plan_filter filter;
    rapport_time_ms now;
    struct seen {
        rapport_time_ms at;
        size_t machine;
        bool lost;
        size_t n;
    } seen[MOST_SEEN];
    size_t n_seen;
    int answer; /* error that each probe is answered with; 1: not at all */
};

static struct scene *S;

static struct rapport_address four_of(size_t machine)
{
    return (struct rapport_address){.family = 4,
                                    .bytes = {100, 64, (uint8_t)(machine >> 8), (uint8_t)machine}};
}

static struct rapport_address six_of(size_t machine)
{
    return (struct rapport_address){
        .family = 6,
        .bytes = {0xfd, 0x7a, 0x11, 0x5c, 0xa1,
                  0xe0, [14] = (uint8_t)(machine >> 8), [15] = (uint8_t)machine}};
}

static size_t machine_of(const struct rapport_address *a)
{
    return a->family == 4 ? (size_t)a->bytes[2] << 8 | a->bytes[3]
                          : (size_t)a->bytes[14] << 8 | a->bytes[15];
}

static void set_up(size_t n)
{
    S = calloc(1, sizeof *S);
    CHECK(S);
    S->now = 1000;
    S->answer = RAPPORT_UNREACHABLE;
    CHECK_EQ(tailnet_plan_create(7, &S->plan), 0);
    S->status = (struct tailnet_status){.version = (char *)"1.98.1",
                                        .backend = TAILNET_RUNNING,
                                        .tailnet = (char *)"example.org",
                                        .peers = S->peers,
                                        .n_peers = n,
                                        .has_self = true};
    S->status.self = (struct tailnet_peer){.id = (char *)"self", .user = 1, .online = true};
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(S->ids[i], sizeof S->ids[i], "n%zu", i + 1);
        S->peers[i] = (struct tailnet_peer){.id = S->ids[i],
                                            .name = S->ids[i],
                                            .os = (char *)"linux",
                                            .relay = (char *)"",
                                            .user = 2,
                                            .online = true,
                                            .ips = {six_of(i + 1), four_of(i + 1)},
                                            .n_ips = 2};
    }
    tailnet_plan_want(S->plan, true);
}

static void tear_down(void)
{
    tailnet_plan_destroy(S->plan);
    free(S);
    S = NULL;
}

static void fetch(void)
{
    CHECK_EQ(tailnet_plan_status(S->plan, S->now, &S->status, &S->filter), 0);
}

static void tried(size_t machine, int error)
{
    struct rapport_address a[2] = {six_of(machine), four_of(machine)};
    tailnet_plan_tried(S->plan, S->now, &a[0], error);
    tailnet_plan_tried(S->plan, S->now, &a[1], error);
}

static void connected(size_t machine, bool is)
{
    struct rapport_address a = six_of(machine);
    a.port = 40000;
    tailnet_plan_connected(S->plan, S->now, &a, is);
}

/* Lets time pass, from deadline to deadline. */
static void run(rapport_time_ms ms)
{
    rapport_time_ms end = S->now + ms;
    for (rapport_time_ms at = tailnet_plan_deadline(S->plan); at <= end;
         at = tailnet_plan_deadline(S->plan)) {
        struct plan_action a;
        S->now = at > S->now ? at : S->now;
        while (tailnet_plan_next(S->plan, S->now, &a)) {
            CHECK(S->n_seen < MOST_SEEN);
            size_t machine = machine_of(&a.addresses[0]);
            S->seen[S->n_seen++] = (struct seen){S->now, machine, a.lost, a.n};
            if (!a.lost && S->answer != 1)
                tried(machine, S->answer);
        }
    }
    S->now = end;
}

static size_t count(size_t machine, bool lost)
{
    size_t n = 0;
    for (size_t i = 0; i < S->n_seen; i++)
        n += S->seen[i].lost == lost && (!machine || S->seen[i].machine == machine);
    return n;
}

static const struct seen *last_of(size_t machine)
{
    for (size_t i = S->n_seen; i-- > 0;)
        if (S->seen[i].machine == machine)
            return &S->seen[i];
    return NULL;
}

TEST(plan_sweep, "at the start every machine once, five a second, both addresses as one, by chance")
{
    set_up(1000);
    fetch();
    run(HOUR / 2);
    CHECK_EQ(count(0, false), 1000);
    size_t in_order = 0;
    for (size_t i = 1; i < S->n_seen; i++) {
        CHECK(S->seen[i].at - S->seen[i - 1].at >= PLAN_GAP_MS);
        in_order += S->seen[i].machine > S->seen[i - 1].machine;
        CHECK_EQ(count(S->seen[i].machine, false), 1);
        CHECK_EQ(S->seen[i].n, 2);
    }
    CHECK(in_order > 400 && in_order < 600);
    CHECK(S->seen[999].at - S->seen[0].at <= 200 * 1000);
    tear_down();
}

TEST(plan_in_flight, "sixteen at once; who is not answered for in 30 s makes room")
{
    set_up(40);
    S->answer = 1;
    fetch();
    run(PLAN_ANSWER_MS - 1);
    CHECK_EQ(count(0, false), PLAN_IN_FLIGHT);
    run(PLAN_ANSWER_MS);
    CHECK_EQ(count(0, false), 2 * PLAN_IN_FLIGHT);
    tear_down();
}

TEST(plan_company, "before anybody is wanted nobody is probed; then everybody")
{
    set_up(5);
    tailnet_plan_want(S->plan, false);
    fetch();
    run(DAY);
    CHECK_EQ(S->n_seen, 0);
    tailnet_plan_want(S->plan, true);
    run(10000);
    CHECK_EQ(count(0, false), 5);
    tear_down();
}

TEST(plan_first, "remembered machines come first, then those of the same user")
{
    set_up(50);
    struct rapport_address a = four_of(33);
    S->peers[20].user = 1;
    tailnet_plan_remember(S->plan, &a);
    fetch();
    run(60000);
    CHECK_EQ(S->seen[0].machine, 33);
    CHECK_EQ(S->seen[1].machine, 21);
    tear_down();
}

/* Times between probes of machine 1, whose every probe ends so. */
static void check_waits(int error, const int64_t *hours, size_t n)
{
    set_up(1);
    S->answer = error;
    fetch();
    run((rapport_time_ms)40 * DAY);
    CHECK(S->n_seen > n);
    for (size_t i = 0; i < n; i++) {
        int64_t wait = (int64_t)(S->seen[i + 1].at - S->seen[i].at);
        CHECK(wait >= hours[i] * HOUR);
        CHECK(wait <= hours[i] * HOUR * 11 / 10);
    }
    tear_down();
}

TEST(plan_refused, "refused: again after 1 h, doubling to 24 h")
{
    static const int64_t hours[] = {1, 2, 4, 8, 16, 24, 24};
    check_waits(RAPPORT_UNREACHABLE, hours, 7);
}

TEST(plan_silent, "timed out: again after 6 h, doubling to 7 days")
{
    static const int64_t hours[] = {6, 12, 24, 48, 96, 168, 168};
    check_waits(RAPPORT_TIMEOUT, hours, 7);
}

TEST(plan_other, "somebody else answers there: again after 24 h, always")
{
    static const int64_t hours[] = {24, 24, 24, 24};
    check_waits(RAPPORT_AUTH, hours, 4);
}

TEST(plan_ours, "our own troubles say nothing about the machine: 1 h, not doubling")
{
    static const int64_t hours[] = {1, 1, 1, 1};
    set_up(1);
    struct plan_counts c;
    S->answer = RAPPORT_NOMEM;
    fetch();
    run(DAY);
    tailnet_plan_counts(S->plan, &c);
    CHECK_EQ(c.outcomes[PLAN_UNTRIED], 1);
    tear_down();
    check_waits(RAPPORT_NOMEM, hours, 4);
}

TEST(plan_two_answers, "silence on one address outweighs a refusal on the other")
{
    set_up(1);
    struct rapport_address four = four_of(1), six = six_of(1);
    S->answer = 1;
    fetch();
    run(1000);
    tailnet_plan_tried(S->plan, S->now, &six, RAPPORT_UNREACHABLE);
    CHECK_EQ(tailnet_plan_outcome(S->plan, &six), PLAN_UNTRIED);
    tailnet_plan_tried(S->plan, S->now, &four, RAPPORT_TIMEOUT);
    CHECK_EQ(tailnet_plan_outcome(S->plan, &six), PLAN_SILENT);
    tear_down();
}

TEST(plan_member, "no probe while a session lasts; 1 to 10 s after the last one ended, one")
{
    set_up(1);
    S->answer = 0;
    fetch();
    run(1000);
    connected(1, true);
    connected(1, true);
    run((rapport_time_ms)10 * DAY);
    connected(1, false);
    run(DAY);
    CHECK_EQ(count(1, false), 1);
    connected(1, false);
    rapport_time_ms lost = S->now;
    run(20000);
    CHECK_EQ(count(1, false), 2);
    CHECK(S->seen[1].at - lost >= PLAN_MEMBER_LEAST_MS);
    CHECK(S->seen[1].at - lost <= PLAN_MEMBER_MOST_MS);
    tear_down();
}

TEST(plan_flip, "coming on line: a member after 1 to 10 s, a stranger after 30 to 300 s")
{
    set_up(40);
    S->peers[0].online = S->peers[1].online = false;
    struct rapport_address a = four_of(1);
    tailnet_plan_remember(S->plan, &a);
    fetch();
    run(60000);
    CHECK(!last_of(1) && !last_of(2));
    S->peers[0].online = S->peers[1].online = true;
    rapport_time_ms at = S->now;
    fetch();
    run(400000);
    CHECK(last_of(1) && last_of(2));
    CHECK(last_of(1)->at - at >= 1000 && last_of(1)->at - at <= 10200);
    CHECK(last_of(2)->at - at >= 30000 && last_of(2)->at - at <= 300200);
    tear_down();
}

TEST(plan_flapping, "a stranger that comes and goes is asked once an hour at most")
{
    set_up(40);
    fetch();
    run(10000);
    for (int i = 0; i < 59; i++) {
        S->peers[4].online = i % 2 != 0;
        fetch();
        run(60000);
    }
    CHECK_EQ(count(5, false), 1);
    tear_down();
}

TEST(plan_mass_flip, "all on line again at once: strangers over ten minutes, members at once")
{
    set_up(100);
    S->answer = RAPPORT_TIMEOUT;
    fetch();
    run(60000);
    S->answer = 1;
    connected(1, true);
    connected(1, false);
    for (size_t i = 0; i < 100; i++)
        S->peers[i].online = false;
    fetch();
    run(2 * HOUR);
    for (size_t i = 0; i < 100; i++)
        S->peers[i].online = true;
    rapport_time_ms at = S->now;
    S->n_seen = 0;
    S->answer = RAPPORT_TIMEOUT;
    fetch();
    run(700000);
    CHECK(last_of(1) && last_of(1)->at - at <= 10200);
    CHECK_EQ(count(0, false), 100);
    size_t early = 0;
    for (size_t i = 0; i < S->n_seen; i++)
        early += S->seen[i].at - at < 300000;
    CHECK(early > 25 && early < 75);
    tear_down();
}

TEST(plan_lost, "who goes off line is lost, once, unless there is a session, then at its end")
{
    set_up(2);
    S->answer = 0;
    fetch();
    run(1000);
    connected(2, true);
    S->now += 2 * (rapport_time_ms)HOUR; /* so that "offline" is believed */
    S->peers[0].online = S->peers[1].online = false;
    fetch();
    run(1000);
    CHECK_EQ(count(1, true), 1);
    CHECK_EQ(count(2, true), 0);
    S->status.n_peers = 0;
    fetch();
    connected(2, false);
    run(1000);
    CHECK_EQ(count(1, true), 1);
    CHECK_EQ(count(2, true), 1);
    struct plan_counts c;
    tailnet_plan_counts(S->plan, &c);
    CHECK_EQ(c.listed, 0);
    tear_down();
}

TEST(plan_spoke, "within an hour of a session `offline` is not believed: it is dialled again")
{
    set_up(1);
    S->answer = RAPPORT_UNREACHABLE;
    fetch();
    run(1000);
    connected(1, true);
    S->peers[0].online = false;
    fetch();
    connected(1, false);
    fetch();
    run(20000);
    CHECK_EQ(count(1, false), 2);
    CHECK_EQ(count(1, true), 0);
    tear_down();
}

TEST(plan_stale, "while the control server is away nobody is taken to be off line")
{
    set_up(30);
    fetch();
    run(60000);
    S->status.self.online = false;
    for (size_t i = 0; i < 30; i++)
        S->peers[i].online = false;
    fetch();
    run(60000);
    CHECK_EQ(count(0, true), 0);
    S->status.self.online = true;
    fetch();
    run(60000);
    CHECK_EQ(count(0, true), 30);
    tear_down();
}

TEST(plan_switch, "another profile forgets everything: all are lost, the new ones swept at once")
{
    set_up(10);
    S->answer = RAPPORT_TIMEOUT;
    fetch();
    run(60000);
    S->status.self.id = (char *)"another";
    S->status.tailnet = (char *)"work.example";
    fetch();
    run(10000);
    CHECK_EQ(count(0, true), 10);
    CHECK_EQ(count(0, false), 20);
    tear_down();
}

TEST(plan_same_id, "an id with other addresses is another machine: the old ones are lost")
{
    set_up(1);
    fetch();
    run(1000);
    S->peers[0].ips[0] = six_of(77);
    S->peers[0].ips[1] = four_of(77);
    fetch();
    run(2 * 300 * 1000);
    CHECK_EQ(count(1, true), 1);
    CHECK_EQ(count(77, false), 1);
    tear_down();
}

TEST(plan_pause, "tailscaled away: who was given is lost; back again: members within 10 s")
{
    set_up(20);
    fetch();
    run(60000);
    connected(3, true);
    connected(3, false);
    tailnet_plan_pause(S->plan);
    run(60000);
    CHECK_EQ(count(0, true), 20);
    CHECK_EQ(count(0, false), 20);
    rapport_time_ms at = S->now;
    fetch();
    run(11000);
    CHECK_EQ(count(0, false), 21);
    CHECK_EQ(S->seen[S->n_seen - 1].machine, 3);
    CHECK(S->seen[S->n_seen - 1].at - at >= 1000);
    tear_down();
}

TEST(plan_wake, "after sleep members without a session are asked again within 10 s, nobody else")
{
    set_up(5);
    fetch();
    run(60000);
    connected(2, true);
    connected(2, false);
    run(20000);
    S->n_seen = 0;
    tailnet_plan_wake(S->plan, S->now);
    run(11000);
    CHECK_EQ(S->n_seen, 1);
    CHECK_EQ(S->seen[0].machine, 2);
    tear_down();
}

TEST(plan_counts, "machines are counted by the reason why not asked, and by what came of it")
{
    set_up(6);
    struct plan_counts c;
    S->peers[0].online = false;
    S->peers[1].expired = true;
    S->peers[2].n_ips = 0;
    fetch();
    fetch();
    S->answer = 1;
    run(1000);
    tried(4, RAPPORT_TIMEOUT);
    tried(5, RAPPORT_UNREACHABLE);
    tried(6, RAPPORT_REFUSED);
    tailnet_plan_counts(S->plan, &c);
    CHECK_EQ(c.listed, 6);
    CHECK_EQ(c.skipped[TAILNET_KEEP], 3);
    CHECK_EQ(c.skipped[TAILNET_SKIP_OFFLINE], 1);
    CHECK_EQ(c.skipped[TAILNET_SKIP_EXPIRED], 1);
    CHECK_EQ(c.skipped[TAILNET_SKIP_NO_ADDRESS], 1);
    CHECK_EQ(c.outcomes[PLAN_SILENT], 1);
    CHECK_EQ(c.outcomes[PLAN_REFUSED], 1);
    CHECK_EQ(c.outcomes[PLAN_OTHER], 1);
    CHECK_EQ(c.n_probes, 3);
    CHECK_EQ(c.n_in_flight, 0);
    tear_down();
}

TEST(plan_same_seed, "the same seed and statuses give the same actions at the same times")
{
    static struct seen first[300];
    for (int round = 0; round < 2; round++) {
        set_up(100);
        fetch();
        run(5 * HOUR);
        CHECK(S->n_seen >= 300);
        if (round == 0)
            memcpy(first, S->seen, sizeof first);
        for (size_t i = 0; i < 300; i++) {
            CHECK_EQ(S->seen[i].at, first[i].at);
            CHECK_EQ(S->seen[i].machine, first[i].machine);
        }
        tear_down();
    }
}

TEST(plan_no_memory,
     "without memory some machines are missing until the next status; none is twice")
{
    for (long n = 0;; n++) {
        set_up(40);
        test_fail_allocation(n);
        int error = tailnet_plan_status(S->plan, S->now, &S->status, &S->filter);
        bool reached = test_allocation_failed();
        test_fail_allocation(-1);
        CHECK_EQ(error, reached ? RAPPORT_NOMEM : 0);
        fetch();
        run(400000);
        for (size_t i = 1; i <= 40; i++)
            CHECK_EQ(count(i, false), 1);
        tear_down();
        if (!reached)
            break;
    }
}
