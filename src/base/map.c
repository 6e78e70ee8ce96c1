/* map.c - insertion-ordered hash index (see map.h). At most half of the slots are used; probing is
 * linear. */
#include "base/map.h"

#include <assert.h>
#include <stdlib.h>

#include "rapport/error.h"

enum {
    MAP_FIRST_SLOTS = 16
};

static size_t slot_of(const struct map *m, const void *key)
{
    const uint8_t *p = key;
    uint64_t h = m->seed ^ 0x9e3779b97f4a7c15u;
    for (size_t i = 0; i < m->key_len; i++)
        h = (h ^ p[i]) * 0x100000001b3u;
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93u;
    h ^= h >> 32;
    return (size_t)h & (m->n_slots - 1);
}

void map_init(struct map *m, size_t key_len, uint64_t seed)
{
    assert(key_len >= 1 && key_len <= MAP_MOST_KEY_BYTES);
    *m = (struct map){.key_len = key_len, .seed = seed};
}

void map_clear(struct map *m)
{
    free(m->entries);
    free(m->slots);
    map_init(m, m->key_len, m->seed);
}

/* Index of the live or removed entry with this key, or SIZE_MAX. */
static size_t find(const struct map *m, const void *key)
{
    if (!m->n_slots)
        return SIZE_MAX;
    for (size_t s = slot_of(m, key); m->slots[s]; s = (s + 1) & (m->n_slots - 1))
        if (memcmp(m->entries[m->slots[s] - 1].key, key, m->key_len) == 0)
            return m->slots[s] - 1;
    return SIZE_MAX;
}

void *map_get(const struct map *m, const void *key)
{
    size_t i = find(m, key);
    return i == SIZE_MAX ? NULL : m->entries[i].value;
}

static void slot_add(struct map *m, size_t index)
{
    size_t s = slot_of(m, m->entries[index].key);
    while (m->slots[s])
        s = (s + 1) & (m->n_slots - 1);
    m->slots[s] = (uint32_t)(index + 1);
}

static int map_grow(struct map *m)
{
    size_t n_slots = MAP_FIRST_SLOTS;
    while (n_slots / 4 <= m->n)
        n_slots *= 2;
    if (n_slots > UINT32_MAX / 2)
        return RAPPORT_NOMEM;
    struct map_entry *entries = malloc(n_slots / 2 * sizeof *entries);
    uint32_t *slots = calloc(n_slots, sizeof *slots);
    if (!entries || !slots) {
        free(entries);
        free(slots);
        return RAPPORT_NOMEM;
    }
    size_t n = 0;
    for (size_t i = 0; i < m->n_used; i++)
        if (m->entries[i].value)
            entries[n++] = m->entries[i];
    free(m->entries);
    free(m->slots);
    m->entries = entries;
    m->slots = slots;
    m->n_used = n;
    m->cap = n_slots / 2;
    m->n_slots = n_slots;
    for (size_t i = 0; i < n; i++)
        slot_add(m, i);
    return 0;
}

int map_put(struct map *m, const void *key, void *value)
{
    assert(value);
    size_t i = find(m, key);
    if (i != SIZE_MAX && m->entries[i].value) {
        m->entries[i].value = value;
        return 0;
    }
    if (m->n_used == m->cap || i != SIZE_MAX) {
        int error = map_grow(m);
        if (error)
            return error;
    }
    i = m->n_used++;
    memcpy(m->entries[i].key, key, m->key_len);
    m->entries[i].value = value;
    slot_add(m, i);
    m->n++;
    return 0;
}

void *map_remove(struct map *m, const void *key)
{
    size_t i = find(m, key);
    if (i == SIZE_MAX || !m->entries[i].value)
        return NULL;
    void *value = m->entries[i].value;
    m->entries[i].value = NULL;
    m->n--;
    return value;
}

void *map_next(const struct map *m, size_t *at)
{
    while (*at < m->n_used) {
        void *value = m->entries[(*at)++].value;
        if (value)
            return value;
    }
    return NULL;
}
