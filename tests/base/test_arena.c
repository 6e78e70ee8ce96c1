/* test_arena.c - bump allocation. */
#include <stdalign.h>
#include <stdlib.h>

#include "base/arena.h"
#include "test.h"

TEST(arena_aligned_zeroed, "pieces of random sizes are zeroed, aligned and do not overlap")
{
    struct test_rng r = test_rng_start(1);
    struct arena a = ARENA_INIT;
    uint8_t *piece[2000];
    size_t size[2000];
    for (int i = 0; i < 2000; i++) {
        size[i] = test_rng_below(&r, i % 100 ? 300 : 9000);
        piece[i] = arena_alloc(&a, size[i]);
        CHECK(piece[i] != NULL);
        CHECK_EQ((uintptr_t)piece[i] % alignof(max_align_t), 0);
        for (size_t k = 0; k < size[i]; k++)
            CHECK_EQ(piece[i][k], 0);
        memset(piece[i], i & 0xff, size[i]);
    }
    for (int i = 0; i < 2000; i++)
        for (size_t k = 0; k < size[i]; k++)
            CHECK_EQ(piece[i][k], i & 0xff);
    CHECK(a.total >= 250000);
    arena_clear(&a);
    CHECK(a.block == NULL && a.total == 0);
}

TEST(arena_copies, "a copy ends in a NUL, an empty one too")
{
    struct arena a = ARENA_INIT;
    CHECK_STR(arena_copy(&a, "hello world", 5), "hello");
    CHECK_STR(arena_copy(&a, NULL, 0), "");
    arena_clear(&a);
}

TEST(arena_large, "a request beyond the largest block gets its own, and the arena goes on")
{
    struct arena a = ARENA_INIT;
    uint8_t *large = arena_alloc(&a, 3 << 20);
    CHECK(large != NULL);
    large[(3 << 20) - 1] = 1;
    uint8_t *small = arena_alloc(&a, 16);
    CHECK(small != NULL && small != large);
    CHECK(a.total < (5 << 20));
    arena_clear(&a);
}

TEST(arena_absurd, "a size that no address space holds is refused and changes nothing")
{
    struct arena a = ARENA_INIT;
    CHECK(arena_alloc(&a, SIZE_MAX) == NULL);
    CHECK(arena_alloc(&a, SIZE_MAX - 8) == NULL);
    CHECK(arena_copy(&a, "x", SIZE_MAX) == NULL);
    CHECK_EQ(a.total, 0);
    arena_clear(&a);
}

TEST(arena_out_of_memory, "whichever block fails: NULL, what was there stays, and a retry works")
{
    bool failed = true;
    for (long n = 0; failed; n++) {
        struct arena a = ARENA_INIT;
        char *first = arena_copy(&a, "first", 5);
        test_fail_allocation(n);
        int refused = 0;
        for (int i = 0; i < 200; i++)
            if (!arena_alloc(&a, 100))
                refused++;
        failed = test_allocation_failed();
        test_fail_allocation(-1);
        CHECK_EQ(refused, failed ? 1 : 0);
        CHECK_STR(first, "first");
        arena_clear(&a);
    }
}
