/* test_sim.c - the simulator itself: the same run twice is the same run, and each fault alone, over
 * several seeds, ends in a group that agrees and has lost nothing. */
#include <sodium.h>

#include "sim/sim.h"
#include "test.h"

static struct sim_result run(uint32_t peers, uint64_t seed, uint32_t minutes, uint32_t faults)
{
    struct sim_config config = {.peers = peers, .seed = seed, .minutes = minutes, .faults = faults};
    struct sim_result result;
    CHECK(sodium_init() >= 0);
    CHECK_EQ(sim_run(&config, &result), 0);
    return result;
}

/* Runs, and wants convergence without a loss. */
static struct sim_result run_well(uint32_t peers, uint64_t seed, uint32_t minutes, uint32_t faults)
{
    struct sim_result r = run(peers, seed, minutes, faults);
    if (r.broken[0] || !r.converged || r.lost)
        test_fail(__FILE__, __LINE__, "%" PRIu32 " peers, seed %" PRIu64 ", faults %#x: %s", peers,
                  seed, (unsigned)faults, r.broken);
    CHECK(r.edits > 0);
    return r;
}

TEST(sim_same_seed, "the same seed gives the same trace, another seed another")
{
    uint32_t all = (1u << SIM_N_FAULTS) - 1;
    struct sim_result a = run_well(5, 7, 2, all), b = run_well(5, 7, 2, all);
    struct sim_result c = run_well(5, 8, 2, all);
    CHECK_BYTES(a.trace_hash, sizeof a.trace_hash, b.trace_hash, sizeof b.trace_hash);
    CHECK_EQ(a.events, b.events);
    CHECK_EQ(a.edits, b.edits);
    CHECK(memcmp(a.trace_hash, c.trace_hash, sizeof a.trace_hash) != 0);
}

TEST(sim_one, "a single peer agrees with itself")
{
    struct sim_result r = run_well(1, 1, 1, 0);
    CHECK_EQ(r.copies_all, 0);
}

TEST(sim_calm, "without faults every delta reaches everybody once, within a tenth of a second")
{
    struct sim_result r = run_well(8, 1, 3, 0);
    CHECK(r.copies_per_delta >= 1 && r.copies_per_delta < 1.5);
    CHECK(r.p99_ms < 100);
    for (int i = 0; i < SIM_N_FAULTS; i++)
        CHECK_EQ(r.faults[i], 0);
}

/* Each fault alone: enough seeds that it surely happened. */
static void alone(enum sim_fault fault)
{
    uint64_t n = 0;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct sim_result r = run_well(4, seed, 2, 1u << fault);
        n += r.faults[fault];
        for (int i = 0; i < SIM_N_FAULTS; i++)
            CHECK(i == (int)fault || r.faults[i] == 0);
    }
    CHECK(n > 4 || fault == SIM_DELAY);
}

TEST(sim_delay, "slow links: the group agrees")
{
    alone(SIM_DELAY);
}

TEST(sim_cut, "cut connections: the group agrees")
{
    alone(SIM_CUT);
}

TEST(sim_stall, "stalled connections: the group agrees")
{
    alone(SIM_STALL);
}

TEST(sim_partition, "partitions: the group agrees")
{
    alone(SIM_PARTITION);
}

TEST(sim_corrupt, "flipped bits: the group agrees")
{
    alone(SIM_CORRUPT);
}

TEST(sim_half_open, "half-open connections: the group agrees")
{
    alone(SIM_HALF_OPEN);
}

TEST(sim_kill, "killed processes: the group agrees, and nothing saved is lost")
{
    alone(SIM_KILL);
}

TEST(sim_power, "power cuts: the group agrees, and nothing saved is lost")
{
    alone(SIM_POWER);
}

TEST(sim_full, "full disks: the group agrees, and nothing saved is lost")
{
    alone(SIM_FULL);
}

TEST(sim_sleep, "closed lids: the group agrees")
{
    alone(SIM_SLEEP);
}

TEST(sim_roam, "machines that come up elsewhere: the group finds together and agrees")
{
    alone(SIM_ROAM);
}

TEST(sim_lan, "a LAN that announces friends and nobody: the group agrees")
{
    alone(SIM_LAN);
}

TEST(sim_clock, "clocks that are off and step: the group agrees")
{
    alone(SIM_CLOCK);
}

TEST(sim_limits, "a group of nobody or too many is refused")
{
    struct sim_config config = {.peers = 0};
    struct sim_result result;
    CHECK_EQ(sim_run(&config, &result), RAPPORT_INVALID);
    config.peers = SIM_MOST_PEERS + 1;
    CHECK_EQ(sim_run(&config, &result), RAPPORT_INVALID);
}
