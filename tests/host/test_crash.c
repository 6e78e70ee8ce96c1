/* test_crash.c - kill -9 at random points: nothing is lost, nothing is taken twice. */
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "folders.h"

enum {
    ROUNDS = 60,
    MOST_US = 20000, /* within which a child is killed, from a kept jot or from its start on */
    MOST_KEPT = 4,   /* jots before that */
};

/* SIGKILL after `us` microseconds: a timer whose signal is not handled ends the process as hard. */
static void die_after(size_t us)
{
    struct itimerval when = {.it_value = {(time_t)(us / 1000000), (suseconds_t)(us % 1000000)}};
    when.it_value.tv_usec += us == 0;
    (void)setitimer(ITIMER_REAL, &when, NULL);
}

/* Jots lines until it is killed; each number goes to `fd` when the verb said that it is kept. */
static _Noreturn void child(struct box *b, int fd, int round, size_t n_before, size_t us)
{
    char text[64];
    size_t n = 0;
    (void)signal(SIGALRM, SIG_DFL);
    if (n_before == 0)
        die_after(us);
    struct host_config config = {.dir = b->dir, .home = b->home, .start = RAPPORT_START_OPEN};
    for (int i = 0; i < 100; i++) {
        struct host *h;
        if (host_open(&config, &h, NULL))
            _exit(1);
        for (int k = 0; k < 3; k++) {
            int number = round * 1000 + i * 3 + k;
            (void)snprintf(text, sizeof text, "<jot %d>", number);
            struct reply r = call(h, "jot", "note", "a", "text", text, (char *)NULL);
            bool kept = reply_ok(&r);
            reply_clear(&r);
            if (kept && write(fd, &number, sizeof number) != sizeof number)
                _exit(1);
            if (kept && ++n == n_before)
                die_after(us);
        }
        (void)host_close(h);
    }
    _exit(0);
}

static size_t count(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *p = text; (p = strstr(p, what)); p++)
        n++;
    return n;
}

/* Appends in place, as a shell would. */
static void append_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "a");
    CHECK(f != NULL);
    CHECK(fputs(text, f) >= 0);
    CHECK_EQ(fclose(f), 0);
}

struct kept {
    int numbers[20000];
    size_t n;
};

static void check_round(struct box *b, const struct kept *kept, int round)
{
    char what[64];
    box_open(b, RAPPORT_START_OPEN);
    settle(b->host);
    char *text = note_text(b->host, "notes/a.md");
    CHECK_FILE(in(b, "notes/a.md"), text);
    CHECK_EQ(count_notes(b->host), 1);
    for (size_t i = 0; i < kept->n; i++) {
        (void)snprintf(what, sizeof what, "<jot %d>", kept->numbers[i]);
        if (count(text, what) != 1)
            test_fail(__FILE__, __LINE__, "round %d: %s is there %zu times", round, what,
                      count(text, what));
    }
    for (int i = 0; i <= round; i++) {
        (void)snprintf(what, sizeof what, "<edit %d>", i);
        if (count(text, what) != 1)
            test_fail(__FILE__, __LINE__, "round %d: %s is there %zu times", round, what,
                      count(text, what));
    }
    free(text);
    CHECK_EQ(host_close(b->host), 0);
    b->host = NULL;
}

TEST(crash_anywhere, "kept jots and saved edits are there exactly once after each kill")
{
    struct box b;
    struct test_rng rng = test_rng_start(42);
    struct kept *kept = calloc(1, sizeof *kept);
    CHECK(kept != NULL);
    box_start(&b);
    put_file(in(&b, "notes/a.md"), "# A\n\n");
    settle(b.host);
    CHECK_EQ(host_close(b.host), 0);
    b.host = NULL;
    for (int round = 0; round < ROUNDS; round++) {
        char line[64];
        int pipes[2], number;
        (void)snprintf(line, sizeof line, "<edit %d>\n", round);
        append_file(in(&b, "notes/a.md"), line);
        size_t n_before = test_rng_below(&rng, MOST_KEPT), us = test_rng_below(&rng, MOST_US);
        CHECK_EQ(pipe(pipes), 0);
        (void)fflush(NULL);
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0)
            child(&b, pipes[1], round, n_before, us);
        close(pipes[1]);
        while (read(pipes[0], &number, sizeof number) == sizeof number && kept->n < 20000)
            kept->numbers[kept->n++] = number;
        close(pipes[0]);
        CHECK(waitpid(pid, NULL, 0) == pid);
        check_round(&b, kept, round);
    }
    printf("%zu jots were kept in %d rounds\n", kept->n, ROUNDS);
    CHECK(kept->n > 0);
    free(kept);
    box_close(&b);
}
