/* map.c - insertion-ordered hash index (see map.h). At most half of the slots are used; probing is
 * linear. */
#include "base/map.h"

#include <assert.h>
#include <sodium/crypto_shorthash.h>
#include <stdlib.h>

#include "rapport/error.h"

enum {
    MAP_FIRST_SLOTS = 16
};

/* SipHash, because a keyed sum of multiplications has collisions that do not depend on most of its
 * seed. */
static size_t slot_of(const struct map *m, const void *key)
{
    uint8_t secret[crypto_shorthash_KEYBYTES] = {0};
    uint64_t h;
    _Static_assert(sizeof h == crypto_shorthash_BYTES, "one word");
    memcpy(secret, &m->seed, sizeof m->seed);
    crypto_shorthash((uint8_t *)&h, key, m->key_len, secret);
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
    *m = (struct map){.key_len = m->key_len, .seed = m->seed};
}

/* The slot of this key's entry, live or removed, or the empty slot where it would go. */
static uint32_t *slot_for(const struct map *m, const void *key)
{
    size_t s = slot_of(m, key);
    while (m->slots[s] && memcmp(m->entries[m->slots[s] - 1].key, key, m->key_len) != 0)
        s = (s + 1) & (m->n_slots - 1);
    return &m->slots[s];
}

/* The live entry with this key, or NULL. */
static struct map_entry *find(const struct map *m, const void *key)
{
    uint32_t index = m->n_slots ? *slot_for(m, key) : 0;
    return index && m->entries[index - 1].value ? &m->entries[index - 1] : NULL;
}

void *map_get(const struct map *m, const void *key)
{
    struct map_entry *e = find(m, key);
    return e ? e->value : NULL;
}

static int map_grow(struct map *m)
{
    if (m->n >= UINT32_MAX / 8)
        return RAPPORT_NOMEM;
    size_t n_slots = MAP_FIRST_SLOTS;
    while (n_slots / 4 <= m->n)
        n_slots *= 2;
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
        *slot_for(m, entries[i].key) = (uint32_t)(i + 1);
    return 0;
}

int map_put(struct map *m, const void *key, void *value)
{
    assert(value);
    struct map_entry *e = find(m, key);
    if (e) {
        e->value = value;
        return 0;
    }
    if (m->n_used == m->cap) {
        int error = map_grow(m);
        if (error)
            return error;
    }
    /* A removed entry with this key gives up its slot, so putting and removing stays cheap. */
    uint32_t *slot = slot_for(m, key);
    e = &m->entries[m->n_used++];
    memcpy(e->key, key, m->key_len);
    e->value = value;
    *slot = (uint32_t)m->n_used;
    m->n++;
    return 0;
}

void *map_remove(struct map *m, const void *key)
{
    struct map_entry *e = find(m, key);
    if (!e)
        return NULL;
    void *value = e->value;
    e->value = NULL;
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
