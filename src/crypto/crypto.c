/* crypto.c - starting libsodium (see crypto.h). */
#include "crypto/crypto.h"

#include <sodium/core.h>

#include "rapport/error.h"

int crypto_start(void)
{
    return sodium_init() < 0 ? RAPPORT_IO : 0;
}
