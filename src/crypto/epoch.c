/* epoch.c - key derivation of an epoch (see epoch.h). */
#include "crypto/epoch.h"

#include <sodium/utils.h>
#include <string.h>

#include "crypto/hash.h"

static void derive(uint8_t out[32], const char *personal, const uint8_t *secret)
{
    hash_keyed(out, 32, personal, secret, (struct slice){0}, (struct slice){0});
}

void epoch_id(uint8_t out[EPOCH_ID_BYTES], const uint8_t secret[EPOCH_SECRET_BYTES])
{
    uint8_t whole[HASH_BYTES];
    hash_of(whole, sizeof whole, "rapport epoch-id", slice_of(secret, EPOCH_SECRET_BYTES),
            (struct slice){0});
    memcpy(out, whole, EPOCH_ID_BYTES);
}

void epoch_from_secret(struct epoch_keys *e, const uint8_t secret[EPOCH_SECRET_BYTES])
{
    memcpy(e->secret, secret, sizeof e->secret);
    epoch_id(e->id, secret);
    derive(e->content, "rapport content", secret);
    derive(e->psk, "rapport psk", secret);
    derive(e->discovery, "rapport discover", secret);
    derive(e->blob, "rapport blob", secret);
}

void epoch_wipe(struct epoch_keys *e)
{
    sodium_memzero(e, sizeof *e);
}
