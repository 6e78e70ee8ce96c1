/*
 * test.h - the test harness: one file of tests, one behaviour each.
 *
 *     TEST(reader_stops_at_the_end, "a read past the end sets TRUNCATED and moves nothing") { ...
 * CHECK_EQ(a, b); }
 *
 * A failing check prints both values and ends that test; the others go on. Run one:
 * build/tests/base/test_x NAME. The last line of a program is "N passed, N failed" (", N skipped");
 * SKIP says why.
 */
#ifndef TEST_H
#define TEST_H

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct test {
    const char *name, *behaviour;
    void (*run)(void);
    struct test *next;
};

void test_register(struct test *t);
_Noreturn void test_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
_Noreturn void test_skip(const char *why);
void test_check_bytes(const char *file, int line, const char *what, const void *a, size_t a_len,
                      const void *b, size_t b_len);

#define TEST(id, text)                                                                             \
    static void test_##id(void);                                                                   \
    static struct test entry_##id = {#id, text, test_##id, NULL};                                  \
    __attribute__((constructor)) static void register_##id(void)                                   \
    {                                                                                              \
        test_register(&entry_##id);                                                                \
    }                                                                                              \
    static void test_##id(void)

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            test_fail(__FILE__, __LINE__, "%s does not hold", #condition);                         \
    } while (0)

/* Integers. Signed values compare as signed, pointers through CHECK(a == b). */
#define CHECK_EQ(a, b)                                                                             \
    do {                                                                                           \
        int64_t check_a = (int64_t)(a), check_b = (int64_t)(b);                                    \
        if (check_a != check_b)                                                                    \
            test_fail(__FILE__, __LINE__, "%s is %" PRId64 ", %s is %" PRId64, #a, check_a, #b,    \
                      check_b);                                                                    \
    } while (0)

#define CHECK_BYTES(a, a_len, b, b_len) test_check_bytes(__FILE__, __LINE__, #a, a, a_len, b, b_len)
#define CHECK_STR(a, b)                                                                            \
    do {                                                                                           \
        const char *check_a = (a), *check_b = (b);                                                 \
        test_check_bytes(__FILE__, __LINE__, #a, check_a, strlen(check_a), check_b,                \
                         strlen(check_b));                                                         \
    } while (0)
/* Two struct slice. */
#define CHECK_SLICE(a, b)                                                                          \
    do {                                                                                           \
        __typeof__(a) check_a = (a), check_b = (b);                                                \
        test_check_bytes(__FILE__, __LINE__, #a, check_a.ptr, check_a.len, check_b.ptr,            \
                         check_b.len);                                                             \
    } while (0)
#define SKIP(why) test_skip(why)

/* A seeded generator (splitmix64) for random tests; print the seed first. RAPPORT_SEED overrides
 * `fallback`. */
struct test_rng {
    uint64_t state;
};
struct test_rng test_rng_start(uint64_t fallback);
uint64_t test_rng_next(struct test_rng *r);
/* Uniform in 0 to n - 1. */
size_t test_rng_below(struct test_rng *r, size_t n);

/*
 * Allocation failures: after test_fail_allocation(n) the n-th allocation from now (0 = the next)
 * made by the code under test fails, once. Returns through test_allocation_failed() whether that
 * point was reached. Loop n upwards until it is not. test_fail_allocation(-1) switches it off.
 */
void test_fail_allocation(long n);
bool test_allocation_failed(void);

#endif
