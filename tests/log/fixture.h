/* fixture.h - devices with fixed keys that write logs, for the tests of this folder. */
#ifndef TESTS_LOG_FIXTURE_H
#define TESTS_LOG_FIXTURE_H

#include <stdlib.h>

#include "../test.h"
#include "log/log.h"
#include "rapport/error.h"

static const uint8_t report_id[REPORT_ID_BYTES] = {1, 2, 3, 4, 5, 6, 7, 8};

/* A device, its log and what its next delta has to say. */
struct author {
    struct device_keys keys;
    uint8_t origin[ORIGIN_BYTES], id[LOG_ID_BYTES], head[HASH_BYTES];
    uint64_t next, lamport;
};

/* A delta with the bytes that it points into. */
struct made {
    struct buf bytes;
    struct delta d;
};

static inline struct epoch_keys fixture_epoch(void)
{
    struct epoch_keys e;
    uint8_t secret[EPOCH_SECRET_BYTES];
    memset(secret, 7, sizeof secret);
    epoch_from_secret(&e, secret);
    return e;
}

static inline struct author author_of(uint8_t n)
{
    struct author a = {.next = 0};
    uint8_t seed[32];
    memset(seed, n, sizeof seed);
    device_keys_from_seed(&a.keys, seed);
    memcpy(a.origin, a.keys.sign_public, 32);
    memset(a.origin + 32, n ^ 0x5a, 16);
    log_id_of(a.id, report_id, a.origin);
    return a;
}

/* What the author would write next; change it at will, then made_of. */
static inline struct delta_draft draft_of(const struct author *a, const struct epoch_keys *epoch)
{
    return (struct delta_draft){
        .kind = DELTA_CONTENT,
        .report_id = report_id,
        .log = a->id,
        .epoch = epoch,
        .keys = &a->keys,
        .first = a->next,
        .count = 1,
        .lamport = a->lamport + 1,
        .wall_ms = 1675500000000,
        .prev = a->next ? slice_of(a->head, HASH_BYTES) : slice_of(a->origin, ORIGIN_BYTES),
        .plain = slice_str("x"),
    };
}

static inline struct made made_of(const struct delta_draft *draft)
{
    struct made m = {.bytes = BUF_INIT};
    CHECK_EQ(delta_make(draft, &m.bytes), 0);
    CHECK_EQ(delta_decode(buf_slice(&m.bytes), report_id, &m.d), 0);
    return m;
}

static inline void author_moves(struct author *a, const struct delta *d)
{
    a->next = d->end;
    a->lamport = d->lamport;
    memcpy(a->head, d->hash, HASH_BYTES);
}

/* The author's next delta: `count` events on top of deps. */
static inline struct made author_writes(struct author *a, uint32_t count,
                                        const struct delta_dep *deps, size_t n_deps,
                                        uint64_t deps_lamport)
{
    struct epoch_keys epoch = fixture_epoch();
    struct delta_draft draft = draft_of(a, &epoch);
    draft.count = count;
    draft.deps = deps;
    draft.n_deps = n_deps;
    if (deps_lamport >= draft.lamport)
        draft.lamport = deps_lamport + 1;
    struct made m = made_of(&draft);
    author_moves(a, &m.d);
    return m;
}

static inline struct delta_dep dep_on(const struct author *a)
{
    struct delta_dep dep = {.end = a->next};
    memcpy(dep.log, a->id, LOG_ID_BYTES);
    memcpy(dep.hash, a->head, HASH_BYTES);
    return dep;
}

static inline void made_clear(struct made *m)
{
    buf_clear(&m->bytes);
}

/* Breaks the signature and nothing else: the hash stays. */
static inline void made_spoil_signature(struct made *m)
{
    m->bytes.ptr[m->bytes.len - 1] ^= 1;
    CHECK_EQ(delta_decode(buf_slice(&m->bytes), report_id, &m->d), 0);
}

#endif
