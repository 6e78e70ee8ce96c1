/* sim_main.c - rapport-sim: one simulated run, one JSON line; exit 1 when an invariant broke. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crypto/crypto.h"
#include "sim/sim.h"

static int usage(void)
{
    fputs("usage: rapport-sim --peers N --seed S --minutes M [--faults none|all|LIST] [--trace "
          "FILE]\n"
          "LIST: names with commas:",
          stderr);
    for (int i = 0; i < SIM_N_FAULTS; i++)
        fprintf(stderr, " %s", sim_fault_name((enum sim_fault)i));
    fputc('\n', stderr);
    return 2;
}

static int read_faults(const char *list, uint32_t *out)
{
    if (strcmp(list, "none") == 0 || strcmp(list, "all") == 0) {
        *out = strcmp(list, "all") == 0 ? (1u << SIM_N_FAULTS) - 1 : 0;
        return 0;
    }
    for (*out = 0; *list; list += strcspn(list, ",")) {
        list += *list == ',';
        size_t len = strcspn(list, ",");
        int i = 0;
        while (i < SIM_N_FAULTS && (strlen(sim_fault_name((enum sim_fault)i)) != len ||
                                    strncmp(list, sim_fault_name((enum sim_fault)i), len) != 0))
            i++;
        if (i == SIM_N_FAULTS)
            return -1;
        *out |= 1u << i;
    }
    return 0;
}

static int read_arguments(int argc, char **argv, struct sim_config *config)
{
    *config = (struct sim_config){.peers = 5, .seed = 1, .minutes = 5};
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *value = argv[i + 1];
        if (strcmp(argv[i], "--peers") == 0)
            config->peers = (uint32_t)strtoul(value, NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0)
            config->seed = strtoull(value, NULL, 10);
        else if (strcmp(argv[i], "--minutes") == 0)
            config->minutes = (uint32_t)strtoul(value, NULL, 10);
        else if (strcmp(argv[i], "--faults") == 0 && read_faults(value, &config->faults) == 0)
            continue;
        else if (strcmp(argv[i], "--trace") == 0 && (config->trace = fopen(value, "w")))
            continue;
        else
            return -1;
    }
    return argc % 2 == 1 && config->peers >= 1 && config->peers <= SIM_MOST_PEERS ? 0 : -1;
}

static void print_result(const struct sim_config *config, const struct sim_result *r, double wall_s)
{
    printf("{\"peers\": %u, \"seed\": %llu, \"virtual_s\": %llu, \"wall_s\": %.2f, \"events\": "
           "%llu, \"edits\": %llu, ",
           config->peers, (unsigned long long)config->seed,
           (unsigned long long)(r->virtual_ms / 1000), wall_s, (unsigned long long)r->events,
           (unsigned long long)r->edits);
    printf("\"converged\": %s, \"lost\": %llu, \"copies_per_delta\": %.3f, \"copies_all\": %.3f, ",
           r->converged ? "true" : "false", (unsigned long long)r->lost, r->copies_per_delta,
           r->copies_all);
    printf("\"p50_ms\": %llu, \"p99_ms\": %llu, \"faults\": {", (unsigned long long)r->p50_ms,
           (unsigned long long)r->p99_ms);
    for (int i = 0; i < SIM_N_FAULTS; i++)
        printf("%s\"%s\": %llu", i ? ", " : "", sim_fault_name((enum sim_fault)i),
               (unsigned long long)r->faults[i]);
    printf("}, \"trace_hash\": \"");
    for (size_t i = 0; i < sizeof r->trace_hash; i++)
        printf("%02x", r->trace_hash[i]);
    printf("\"}\n");
}

int main(int argc, char **argv)
{
    struct sim_config config;
    struct sim_result result;
    struct timespec start, end;
    if (read_arguments(argc, argv, &config))
        return usage();
    if (crypto_start())
        return 1;
    clock_gettime(CLOCK_MONOTONIC, &start);
    int error = sim_run(&config, &result);
    clock_gettime(CLOCK_MONOTONIC, &end);
    if (config.trace)
        fclose(config.trace);
    if (error) {
        fprintf(stderr, "rapport-sim: %s\n", rapport_strerror(error));
        return 1;
    }
    print_result(&config, &result,
                 (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9);
    if (!result.broken[0])
        return 0;
    fprintf(stderr, "seed %llu: %s\n", (unsigned long long)config.seed, result.broken);
    return 1;
}
