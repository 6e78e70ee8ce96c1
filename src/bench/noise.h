/*
 * noise.h - the noise sub-command of rapport-bench.
 */
#ifndef BENCH_NOISE_H
#define BENCH_NOISE_H

/* `noise FILE...` (argv[0] is "noise"): replays vector files, prints failing cases and the count.
 * Returns the exit status: 0 all passed, 1 some failed, 2 usage. */
int bench_noise(int argc, char **argv);

#endif
