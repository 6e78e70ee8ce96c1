/*
 * digest.c - one value for all that a person would see, computed from the state and not from how it
 * came about: equal digests mean equal reports. Every list is in an order of its own content, every
 * field of varying length has its length in front.
 */
#include <stdlib.h>

#include "log/log.h"
#include "rapport/error.h"
#include "report/state.h"

enum {
    DIGEST_BYTES = 16
};

/* The values of a map as a sorted array; NULL when out of memory. */
static const void **sorted(const struct map *m, int (*compare)(const void *, const void *))
{
    const void **all = calloc(m->n + 1, sizeof *all);
    const void *value;
    size_t n = 0;
    if (!all)
        return NULL;
    for (size_t at = 0; (value = map_next(m, &at));)
        all[n++] = value;
    qsort(all, n, sizeof *all, compare);
    return all;
}

static void add_field(struct hash *h, struct slice field)
{
    hash_add_u64(h, field.len);
    hash_add(h, field);
}

static int by_log(const void *a, const void *b)
{
    const struct log *x = *(const struct log *const *)a, *y = *(const struct log *const *)b;
    return memcmp(x->id, y->id, LOG_ID_BYTES);
}

static int add_heads(struct hash *h, const struct log_set *logs)
{
    const void **all = sorted(&logs->by_id, by_log);
    if (!all)
        return RAPPORT_NOMEM;
    hash_add_u64(h, logs->by_id.n);
    for (size_t i = 0; all[i]; i++) {
        const struct log *log = all[i];
        hash_add(h, slice_of(log->id, LOG_ID_BYTES));
        hash_add_u64(h, log->next);
        hash_add(h, slice_of(log->head, HASH_BYTES));
    }
    free(all);
    return 0;
}

static int by_note(const void *a, const void *b)
{
    const struct note *x = *(struct note *const *)a, *y = *(struct note *const *)b;
    return memcmp(x->id, y->id, NOTE_ID_BYTES);
}

static int add_notes(struct hash *h, const struct report *r)
{
    const void **all = sorted(&r->notes, by_note);
    if (!all)
        return RAPPORT_NOMEM;
    for (size_t i = 0; all[i]; i++) {
        const struct note *note = all[i];
        if (!note->exists)
            continue;
        hash_add(h, slice_of(note->id, NOTE_ID_BYTES));
        add_field(h, slice_str(note->shown_path));
        hash_add_u64(h, note->trashed);
        hash_add(h, slice_of(note->text_hash, sizeof note->text_hash));
        add_field(h, note->talk);
    }
    free(all);
    return 0;
}

static int by_key(const void *a, const void *b)
{
    const struct setting *x = *(struct setting *const *)a, *y = *(struct setting *const *)b;
    return slice_compare(x->key, y->key);
}

static int add_settings(struct hash *h, const struct report *r)
{
    const void **all = sorted(&r->roster.view.settings, by_key);
    if (!all)
        return RAPPORT_NOMEM;
    add_field(h, r->roster.view.genesis);
    hash_add_u64(h, r->roster.view.settings.n);
    for (size_t i = 0; all[i]; i++) {
        const struct setting *s = all[i];
        add_field(h, s->key);
        add_field(h, s->value);
    }
    free(all);
    return 0;
}

static int by_device(const void *a, const void *b)
{
    const struct member_entry *x = *(struct member_entry *const *)a;
    const struct member_entry *y = *(struct member_entry *const *)b;
    return memcmp(x->member.device, y->member.device, ID_BYTES);
}

static int add_members(struct hash *h, const struct report *r)
{
    const void **all = sorted(&r->roster.view.by_sign, by_device);
    if (!all)
        return RAPPORT_NOMEM;
    hash_add_u64(h, r->roster.view.by_sign.n);
    for (size_t i = 0; all[i]; i++) {
        const struct member *m = &((const struct member_entry *)all[i])->member;
        hash_add(h, slice_of(m->device, ID_BYTES));
        hash_add(h, slice_of(m->card.noise_public, DEVICE_KEY_BYTES));
        add_field(h, slice_str(m->card.name));
        hash_add_u64(h, m->role);
        hash_add_u64(h, m->removed);
    }
    free(all);
    return 0;
}

static int by_invite(const void *a, const void *b)
{
    const struct invite *x = *(struct invite *const *)a, *y = *(struct invite *const *)b;
    return memcmp(x->id, y->id, ID_BYTES);
}

static int add_invites(struct hash *h, const struct report *r)
{
    const void **all = sorted(&r->roster.view.invites, by_invite);
    if (!all)
        return RAPPORT_NOMEM;
    hash_add_u64(h, r->roster.view.invites.n);
    for (size_t i = 0; all[i]; i++) {
        const struct invite *invite = all[i];
        hash_add(h, slice_of(invite->id, ID_BYTES));
        hash_add_u64(h, invite->n_used);
        hash_add_u64(h, invite->revoked);
    }
    free(all);
    return 0;
}

/* Everything that is computed late is computed now. */
static int bring_up_to_date(struct report *r)
{
    struct note *note;
    int error = report_finish_touched(r);
    if (!error)
        error = r->waiting ? RAPPORT_AGAIN : report_settle_paths(r);
    for (size_t at = 0; !error && (note = map_next(&r->notes, &at));)
        error = report_refresh_note(note);
    return error;
}

int report_digest(struct report *r, const struct log_set *logs, uint8_t out[DIGEST_BYTES])
{
    struct hash h;
    int error = bring_up_to_date(r);
    if (error)
        return error;
    hash_start(&h, "rapport digest", NULL, 0, DIGEST_BYTES);
    if (logs)
        error = add_heads(&h, logs);
    if (!error)
        error = add_notes(&h, r);
    if (!error)
        error = add_settings(&h, r);
    if (!error)
        error = add_members(&h, r);
    if (!error)
        error = add_invites(&h, r);
    if (!error)
        hash_end(&h, out);
    return error;
}
