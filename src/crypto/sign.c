/* sign.c - Ed25519 over context, zero byte, message (see sign.h). */
#include "crypto/sign.h"

#include <sodium/crypto_sign.h>

#include "rapport/error.h"

/* Ed25519 wants its message in one piece, twice; a bounded copy on the stack saves an allocation.
 */
struct signed_text {
    uint8_t bytes[SIGN_MOST_BYTES];
    size_t len;
};

static int compose(struct signed_text *t, const char *context, struct slice message)
{
    size_t context_len = strlen(context) + 1; /* the zero byte ends it: no context is a prefix */
    if (context_len > sizeof t->bytes || message.len > sizeof t->bytes - context_len)
        return RAPPORT_LIMIT;
    memcpy(t->bytes, context, context_len);
    if (message.len)
        memcpy(t->bytes + context_len, message.ptr, message.len);
    t->len = context_len + message.len;
    return 0;
}

int sign_with(uint8_t out[SIGN_BYTES], const uint8_t secret[SIGN_SECRET_BYTES], const char *context,
              struct slice message)
{
    struct signed_text t;
    int error = compose(&t, context, message);
    if (error)
        return error;
    crypto_sign_detached(out, NULL, t.bytes, t.len, secret);
    return 0;
}

int sign_verify(const uint8_t sign_public[SIGN_PUBLIC_BYTES], const char *context,
                struct slice message, const uint8_t signature[SIGN_BYTES])
{
    struct signed_text t;
    if (compose(&t, context, message) != 0)
        return RAPPORT_AUTH;
    return crypto_sign_verify_detached(signature, t.bytes, t.len, sign_public) ? RAPPORT_AUTH : 0;
}
