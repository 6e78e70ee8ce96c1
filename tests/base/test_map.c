/* test_map.c - the insertion-ordered index, against a naive model. */
#include "base/map.h"
#include "rapport/error.h"
#include "test.h"

enum {
    KEY_BYTES = 6,
    N_KEYS = 300
};

/* Keys in insertion order with their values: what the map must look like. */
struct model {
    unsigned key[N_KEYS];
    void *value[N_KEYS];
    size_t n;
};

static size_t model_find(const struct model *m, unsigned key)
{
    for (size_t i = 0; i < m->n; i++)
        if (m->key[i] == key)
            return i;
    return m->n;
}

static void model_put(struct model *m, unsigned key, void *value)
{
    size_t i = model_find(m, key);
    m->key[i] = key;
    m->value[i] = value;
    m->n += i == m->n;
}

static void *model_remove(struct model *m, unsigned key)
{
    size_t i = model_find(m, key);
    if (i == m->n)
        return NULL;
    void *value = m->value[i];
    m->n--;
    for (; i < m->n; i++) {
        m->key[i] = m->key[i + 1];
        m->value[i] = m->value[i + 1];
    }
    return value;
}

static const uint8_t *key_of(unsigned key)
{
    static uint8_t bytes[KEY_BYTES];
    memset(bytes, 0, sizeof bytes);
    bytes[1] = (uint8_t)key;
    bytes[4] = (uint8_t)(key >> 8);
    return bytes;
}

static void check_same(const struct map *m, const struct model *model)
{
    size_t at = 0;
    CHECK_EQ(m->n, model->n);
    for (size_t i = 0; i < model->n; i++)
        CHECK(map_next(m, &at) == model->value[i]);
    CHECK(map_next(m, &at) == NULL);
    CHECK(map_next(m, &at) == NULL);
}

TEST(map_like_model,
     "random puts, replacements and removals leave the same content in the same order")
{
    struct test_rng r = test_rng_start(1);
    static int values[1000];
    for (int round = 0; round < 40; round++) {
        struct map m;
        static struct model model;
        model.n = 0;
        map_init(&m, KEY_BYTES, test_rng_next(&r));
        size_t n_keys = 1 + test_rng_below(&r, N_KEYS);
        size_t removals = test_rng_below(&r, 4);
        for (int step = 0; step < 2000; step++) {
            unsigned key = (unsigned)test_rng_below(&r, n_keys);
            if (test_rng_below(&r, 4) < removals) {
                CHECK(map_remove(&m, key_of(key)) == model_remove(&model, key));
            } else {
                void *value = &values[test_rng_below(&r, 1000)];
                CHECK_EQ(map_put(&m, key_of(key), value), 0);
                model_put(&model, key, value);
            }
            unsigned other = (unsigned)test_rng_below(&r, n_keys);
            size_t i = model_find(&model, other);
            CHECK(map_get(&m, key_of(other)) == (i < model.n ? model.value[i] : NULL));
            if (step % 50 == 0)
                check_same(&m, &model);
        }
        check_same(&m, &model);
        map_clear(&m);
    }
}

TEST(map_order_without_seed, "the seed changes nothing that a caller can see")
{
    int values[200];
    struct map a, b;
    map_init(&a, KEY_BYTES, 1);
    map_init(&b, KEY_BYTES, UINT64_MAX);
    for (unsigned i = 0; i < 200; i++) {
        CHECK_EQ(map_put(&a, key_of(i * 7919 % 65536), &values[i]), 0);
        CHECK_EQ(map_put(&b, key_of(i * 7919 % 65536), &values[i]), 0);
    }
    size_t at_a = 0, at_b = 0;
    for (unsigned i = 0; i < 201; i++)
        CHECK(map_next(&a, &at_a) == map_next(&b, &at_b));
    map_clear(&a);
    map_clear(&b);
}

TEST(map_remove_while_iterating, "removing each value as it comes visits all and empties the map")
{
    int values[100];
    struct map m;
    map_init(&m, KEY_BYTES, 3);
    for (unsigned i = 0; i < 100; i++)
        CHECK_EQ(map_put(&m, key_of(i), &values[i]), 0);
    size_t at = 0;
    int *value;
    unsigned n = 0;
    while ((value = map_next(&m, &at)) != NULL) {
        CHECK(value == &values[n]);
        CHECK(map_remove(&m, key_of(n)) == value);
        n++;
    }
    CHECK_EQ(n, 100);
    CHECK_EQ(m.n, 0);
    CHECK(map_get(&m, key_of(5)) == NULL);
    map_clear(&m);
}

TEST(map_churn_is_bounded, "one key put and removed a hundred thousand times needs no more room")
{
    int value;
    struct map m;
    map_init(&m, KEY_BYTES, 3);
    for (int i = 0; i < 100000; i++) {
        CHECK_EQ(map_put(&m, key_of((unsigned)i % 3), &value), 0);
        CHECK(map_remove(&m, key_of((unsigned)i % 3)) == &value);
    }
    CHECK(m.n_slots <= 64);
    map_clear(&m);
}

TEST(map_key_lengths, "keys of 1 to the most bytes work, and the last byte counts")
{
    int one, two;
    for (size_t len = 1; len <= MAP_MOST_KEY_BYTES; len++) {
        uint8_t a[MAP_MOST_KEY_BYTES] = {0}, b[MAP_MOST_KEY_BYTES] = {0};
        struct map m;
        b[len - 1] = 1;
        map_init(&m, len, len);
        CHECK_EQ(map_put(&m, a, &one), 0);
        CHECK_EQ(map_put(&m, b, &two), 0);
        CHECK(map_get(&m, a) == &one && map_get(&m, b) == &two);
        map_clear(&m);
        CHECK(map_get(&m, a) == NULL && map_remove(&m, a) == NULL);
        CHECK_EQ(map_put(&m, a, &two), 0);
        map_clear(&m);
    }
}

TEST(map_out_of_memory, "a put that fails says NOMEM and leaves every entry in its place")
{
    static int values[200];
    bool failed = true;
    for (long n = 0; failed; n++) {
        static struct model model;
        struct map m;
        model.n = 0;
        map_init(&m, KEY_BYTES, 1);
        test_fail_allocation(n);
        for (unsigned i = 0; i < 200; i++) {
            int error = map_put(&m, key_of(i), &values[i]);
            if (error == 0)
                model_put(&model, i, &values[i]);
            else
                CHECK_EQ(error, RAPPORT_NOMEM);
        }
        failed = test_allocation_failed();
        test_fail_allocation(-1);
        CHECK_EQ(model.n, failed ? 199 : 200);
        check_same(&m, &model);
        map_clear(&m);
    }
}
