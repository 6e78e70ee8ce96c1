/*
 * standalone.c - runs a fuzz target without libFuzzer, so that every test run covers it.
 *
 *     build/tests/fuzz/mp           its corpus, tests/fuzz/corpus/mp: each file as it is, cut off
 *                                   at every length, and with each byte changed; one test a file
 *     build/tests/fuzz/mp FILE...   just these files, for a reproducer
 *
 * The copy given to the target is exactly as long as the input, so a sanitizer sees a read past it.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOST_INPUT_BYTES = 1 << 20,
    MOST_CUTS = 512 /* of one file, evenly spread when it is longer */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run_copy(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        abort();
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void run_variants(uint8_t *data, size_t size)
{
    static const uint8_t flips[] = {0x01, 0x80, 0xff};
    size_t step = size / MOST_CUTS + 1;
    for (size_t i = 0; i < size; i += step) {
        run_copy(data, i);
        for (size_t f = 0; f < sizeof flips; f++) {
            data[i] ^= flips[f];
            run_copy(data, size);
            data[i] ^= flips[f];
        }
    }
}

static int run_file(const char *path, int variants)
{
    static uint8_t data[MOST_INPUT_BYTES];
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        return -1;
    }
    size_t size = fread(data, 1, sizeof data, f);
    fclose(f);
    run_copy(data, size);
    if (variants)
        run_variants(data, size);
    return 0;
}

/* The target's name is what follows "fuzz_" or the last slash of the program's. */
static int run_corpus(const char *program)
{
    const char *name = strrchr(program, '/') ? strrchr(program, '/') + 1 : program;
    if (strncmp(name, "fuzz_", 5) == 0)
        name += 5;
    char folder[512], path[1024];
    snprintf(folder, sizeof folder, "tests/fuzz/corpus/%s", name);
    struct dirent **entries = NULL;
    int n = scandir(folder, &entries, NULL, alphasort), failed = 0, passed = 1;
    run_copy((const uint8_t *)"", 0);
    for (int i = 0; i < n; i++) {
        if (entries[i]->d_name[0] != '.') {
            snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
            fprintf(stderr, "%s\n", path);
            if (run_file(path, 1))
                failed++;
            else
                passed++;
        }
        free(entries[i]);
    }
    free(entries);
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}

int main(int argc, char **argv)
{
    if (argc == 1)
        return run_corpus(argv[0]);
    int failed = 0;
    for (int i = 1; i < argc; i++)
        if (run_file(argv[i], 0))
            failed++;
    printf("%d passed, %d failed\n", argc - 1 - failed, failed);
    return failed != 0;
}
