/*
 * test_lying_disk.c - does the simulator bite? Its disk, in a copy of its own, says that it synced
 * and has not: power cuts must then be seen to lose what was reported as saved.
 */
#include <sodium.h>
#include <sqlite3.h>

#include "test.h"

static enum {
    HONEST,
    ALWAYS,
    WHEN_ASKED
} lies; /* WHEN_ASKED: in store_sync, not in checkpoints */

static unsigned n_asked;
enum {
    HONEST_SYNCS = 100 /* while everybody joins */
};

static int honest_sync(sqlite3_file *base, int flags);

/* In the table of methods stands this one, since a macro with arguments is not meant there. */
static int(disk_sync)(sqlite3_file *base, int flags)
{
    bool asked = flags & SQLITE_SYNC_DATAONLY && ++n_asked > HONEST_SYNCS;
    return lies == ALWAYS || (lies == WHEN_ASKED && asked) ? SQLITE_OK : honest_sync(base, flags);
}
#define disk_sync(base, flags) honest_sync(base, flags)
#include "store/disk.c"
#undef disk_sync

#include "sim/sim.h"

enum {
    SEEDS = 8,
    FAULTS = 1u << SIM_POWER | 1u << SIM_PARTITION
};

/* Runs that the simulator calls broken, and in how many of them it names lost characters. */
static size_t count_broken(size_t *n_lost)
{
    size_t n = 0;
    *n_lost = 0;
    CHECK(sodium_init() >= 0);
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct sim_config config = {.peers = 4, .seed = seed, .minutes = 3, .faults = FAULTS};
        struct sim_result result;
        n_asked = 0;
        CHECK_EQ(sim_run(&config, &result), 0);
        n += result.broken[0] != 0;
        *n_lost += result.lost > 0;
        if (result.broken[0])
            printf("seed %" PRIu64 ": %s\n", seed, result.broken);
    }
    return n;
}

TEST(honest_disk, "a disk that syncs is not accused")
{
    size_t n_lost;
    lies = HONEST;
    CHECK_EQ(count_broken(&n_lost), 0);
    CHECK_EQ(n_lost, 0);
}

TEST(lying_disk, "a disk that never syncs is found out: its files are damaged")
{
    size_t n_lost;
    lies = ALWAYS;
    CHECK_EQ(count_broken(&n_lost), SEEDS);
}

TEST(lying_sync, "a sync of the store that does nothing is found out: saved characters are lost")
{
    size_t n_lost;
    lies = WHEN_ASKED;
    CHECK(count_broken(&n_lost) >= SEEDS / 2);
    CHECK(n_lost > 0);
}
