/* test.c - the harness behind test.h. Allocation calls are wrapped by the linker (--wrap). */
#include "test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

static struct test *first, **last = &first;
static jmp_buf jump;
static long fail_after = -1;
static bool failed_one;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static bool fail_now(void)
{
    if (fail_after < 0 || fail_after-- > 0)
        return false;
    failed_one = true;
    return true;
}

void *__wrap_malloc(size_t n)
{
    return fail_now() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fail_now() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return fail_now() ? NULL : __real_realloc(p, n);
}

void test_fail_allocation(long n)
{
    fail_after = n;
    failed_one = false;
}

bool test_allocation_failed(void)
{
    return failed_one;
}

void test_register(struct test *t)
{
    *last = t;
    last = &t->next;
}

void test_fail(const char *file, int line, const char *format, ...)
{
    fail_after = -1;
    va_list ap;
    va_start(ap, format);
    fprintf(stderr, "%s:%d: ", file, line);
    vfprintf(stderr, format, ap);
    fputc('\n', stderr);
    va_end(ap);
    longjmp(jump, 1 /* FAILED */);
}

void test_skip(const char *why)
{
    fprintf(stderr, "skipped: %s\n", why);
    longjmp(jump, 2 /* SKIPPED */);
}

static void print_bytes(const char *what, const uint8_t *p, size_t n)
{
    fprintf(stderr, "  %s (%zu bytes):", what, n);
    for (size_t i = 0; i < n && i < 96; i++)
        fprintf(stderr, p[i] >= 32 && p[i] < 127 ? "%c" : "\\x%02x", p[i]);
    fputs(n > 96 ? "...\n" : "\n", stderr);
}

void test_check_bytes(const char *file, int line, const char *what, const void *a, size_t a_len,
                      const void *b, size_t b_len)
{
    if (a_len == b_len && (a_len == 0 || memcmp(a, b, a_len) == 0))
        return;
    print_bytes("is      ", a, a_len);
    print_bytes("expected", b, b_len);
    test_fail(file, line, "%s differs", what);
}

struct test_rng test_rng_start(uint64_t fallback)
{
    const char *seed = getenv("RAPPORT_SEED");
    struct test_rng r = {seed ? strtoull(seed, NULL, 10) : fallback};
    printf("seed %" PRIu64 "\n", r.state);
    fflush(stdout); /* shown even when the test crashes */
    return r;
}

uint64_t test_rng_next(struct test_rng *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

size_t test_rng_below(struct test_rng *r, size_t n)
{
    return (size_t)(test_rng_next(r) % n);
}

enum outcome {
    PASSED,
    FAILED,
    SKIPPED
};

static enum outcome run_one(struct test *t)
{
    int jumped = setjmp(jump);
    if (jumped == 0)
        t->run();
    fail_after = -1;
    return (enum outcome)jumped;
}

int main(int argc, char **argv)
{
    int count[3] = {0};
    for (struct test *t = first; t; t = t->next) {
        if (argc > 1 && strcmp(argv[1], t->name) != 0)
            continue;
        enum outcome outcome = run_one(t);
        count[outcome]++;
        if (outcome == FAILED)
            fprintf(stderr, "FAILED %s: %s\n", t->name, t->behaviour);
    }
    printf("%d passed, %d failed", count[PASSED], count[FAILED]);
    if (count[SKIPPED])
        printf(", %d skipped", count[SKIPPED]);
    putchar('\n');
    return count[FAILED] ? 1 : 0;
}
