/*
 * test_lying_people.c - does the checker bite? People, in a copy of their own, type something else
 * than they say: a character that was reported as saved is then missing, or stands twice.
 */
#include <sodium.h>

#include "base/utf8.h"
#include "test.h"

static enum {
    TRUTH,
    LEFT_OUT,
    TWICE
} lie;
static unsigned n_put;

static void liar_put(struct buf *b, uint32_t code)
{
    bool now = ++n_put % 100 == 0;
    if (!now || lie != LEFT_OUT)
        utf8_put(b, code);
    if (now && lie == TWICE)
        utf8_put(b, code);
    if (now && lie == LEFT_OUT)
        utf8_put(b, '.');
}
#define utf8_put(b, code) liar_put(b, code)
#include "sim/people.c"
#undef utf8_put

static struct sim_result run(void)
{
    struct sim_config config = {.peers = 3, .seed = 1, .minutes = 3};
    struct sim_result result;
    CHECK(sodium_init() >= 0);
    n_put = 0;
    CHECK_EQ(sim_run(&config, &result), 0);
    return result;
}

TEST(lying_people_truth, "people who type what they say are believed")
{
    lie = TRUTH;
    CHECK_STR(run().broken, "");
}

TEST(lying_people_lost, "a saved character that is in no text is reported as lost")
{
    lie = LEFT_OUT;
    struct sim_result r = run();
    CHECK(r.lost > 0);
    CHECK(strstr(r.broken, "saved characters are lost") != NULL);
}

TEST(lying_people_twice, "a character that stands twice is reported")
{
    lie = TWICE;
    CHECK(strstr(run().broken, "stands twice") != NULL);
}
