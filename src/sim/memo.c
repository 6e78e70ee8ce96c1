/*
 * memo.c - remembers signatures that verified, for the whole process: a thousand receivers check
 * the same delta, and a simulation is about everything else. Linked in by --wrap, into rapport-sim
 * only; the product verifies each time.
 */
#include <sodium.h>
#include <string.h>

enum {
    MEMO_SLOTS = 1 << 18
};

int __wrap_crypto_sign_verify_detached(const unsigned char *sig, const unsigned char *m,
                                       unsigned long long len, const unsigned char *pk);
int __real_crypto_sign_verify_detached(const unsigned char *sig, const unsigned char *m,
                                       unsigned long long len, const unsigned char *pk);

int __wrap_crypto_sign_verify_detached(const unsigned char *sig, const unsigned char *m,
                                       unsigned long long len, const unsigned char *pk)
{
    static unsigned char memo[MEMO_SLOTS][32];
    unsigned char hash[32];
    crypto_generichash_state state;
    crypto_generichash_init(&state, pk, crypto_sign_PUBLICKEYBYTES, sizeof hash);
    crypto_generichash_update(&state, sig, crypto_sign_BYTES);
    crypto_generichash_update(&state, m, len);
    crypto_generichash_final(&state, hash, sizeof hash);
    size_t slot = ((size_t)hash[0] | (size_t)hash[1] << 8 | (size_t)hash[2] << 16) % MEMO_SLOTS;
    if (memcmp(memo[slot], hash, sizeof hash) == 0)
        return 0;
    int error = __real_crypto_sign_verify_detached(sig, m, len, pk);
    if (!error)
        memcpy(memo[slot], hash, sizeof hash);
    return error;
}
