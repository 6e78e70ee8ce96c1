/*
 * sim.h - many nodes in one thread under a virtual clock: the very node that ships, with simulated
 * links, disks, people and faults. A run is a pure function of its configuration: same seed, same
 * trace hash.
 *
 * A run has three parts: everybody joins by one ticket; everybody edits for some minutes while
 * faults happen; all is healed and the group must converge within SIM_HEAL_MS, then stay silent.
 * After that all texts are compared, and every character that was reported saved must be in the
 * text unless somebody deleted it.
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include <stdio.h>

#include "rapport/rapport.h"

enum sim_fault {
    SIM_DELAY,     /* links with 1 to 200 ms and 50 KB/s to 5 MB/s in place of 1 ms and 100 MB/s */
    SIM_CUT,       /* a connection is reset in the middle of what is under way */
    SIM_STALL,     /* a connection delivers nothing for some seconds */
    SIM_PARTITION, /* the peers fall into two groups for a while */
    SIM_CORRUPT,   /* a bit flips on the way */
    SIM_HALF_OPEN, /* a connection dies and only one side hears of it */
    SIM_KILL,      /* the process ends: what was written survives */
    SIM_POWER,     /* the power goes: of what was not synced any 512-byte sectors survive */
    SIM_FULL,      /* the disk is full for a while */
    SIM_SLEEP,     /* the lid is closed for minutes */
    SIM_CLOCK,     /* the wall clock is off by up to a day, and steps */
    SIM_ROAM,      /* a machine comes up elsewhere: another address, its connections are dead */
    SIM_LAN,       /* a LAN announces somebody, rightly or not, and later takes it back */
    SIM_N_FAULTS,
};

enum {
    SIM_MOST_PEERS = 1000,
    SIM_HEAL_MS = 10 * 60 * 1000,
    SIM_QUIET_MS = 60 * 1000, /* after convergence no delta may travel for this long */
};

struct sim_config {
    uint32_t peers;
    uint64_t seed;
    uint32_t minutes;
    uint32_t faults; /* bit 1 << enum sim_fault */
    FILE *trace;     /* one line an event, or NULL */
};

struct sim_result {
    uint64_t virtual_ms, events, edits;
    bool converged;
    uint64_t lost;                       /* saved characters that are gone */
    double copies_per_delta, copies_all; /* received for each taken, all peers together */
    uint64_t p50_ms, p99_ms;             /* edit to the other peers' text, sampled */
    uint8_t trace_hash[16];
    uint64_t faults[SIM_N_FAULTS]; /* how often each occurred */
    char broken[256];              /* the first invariant that broke; "" when none */
};

/* The name of a fault as the command line has it ("cut"). */
const char *sim_fault_name(enum sim_fault fault);

/* Runs. Returns 0 (also when an invariant broke: result->broken) or RAPPORT_NOMEM, RAPPORT_INVALID.
 */
int sim_run(const struct sim_config *config, struct sim_result *result);

#endif
