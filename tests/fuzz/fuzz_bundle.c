/*
 * fuzz_bundle.c - a bundle file: the input as it is, and (when it begins with 'P') what stands
 * behind as the plaintext that a member sealed, cut into pieces by its second byte.
 *
 * Held: no error goes away, memory stays below some chunks, a delta is never longer than allowed.
 */
#include <assert.h>
#include <sodium.h>

#include "rapport/error.h"
#include "sync/bundle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take(struct bundle_reader *r)
{
    enum bundle_kind kind = BUNDLE_HEAD;
    while (kind != BUNDLE_NONE && bundle_next(r, &kind) == 0)
        if (kind == BUNDLE_DELTA)
            assert(r->delta.len >= 1 && r->delta.len <= DELTA_MOST_BYTES);
    assert(r->rows.n <= LOGS_MOST);
    assert(r->plain.cap <= 8 * BUNDLE_CHUNK_BYTES && r->sealed.cap <= 4 * BUNDLE_CHUNK_BYTES);
}

static void read_file(const struct epoch_keys *epoch, struct slice file, size_t piece)
{
    struct bundle_reader r;
    int error = 0;
    bundle_read_start(&r);
    while (file.len && !error) {
        struct slice in = slice_of(file.ptr, file.len < piece ? file.len : piece);
        file = slice_skip(file, in.len);
        while (in.len && !error) {
            error = bundle_read(&r, epoch, 1, &in);
            take(&r);
            error = error ? error : r.error;
        }
    }
    if (!error)
        (void)bundle_read_end(&r, epoch, 1);
    else
        assert(r.error == error);
    take(&r);
    bundle_reader_clear(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t secret[32] = {7}, salt[BUNDLE_SALT_BYTES] = {1};
    struct epoch_keys epoch;
    struct bundle_writer w;
    if (sodium_init() < 0)
        return 0;
    epoch_from_secret(&epoch, secret);
    read_file(&epoch, slice_of(data, size), 100);
    if (size < 2 || data[0] != 'P')
        return 0;
    bundle_write_start(&w, &epoch, salt);
    buf_append(&w.plain, data + 2, size - 2);
    bundle_write_end(&w);
    if (!buf_error(&w.out))
        read_file(&epoch, buf_slice(&w.out), 1 + (size_t)data[1] * 300);
    bundle_writer_clear(&w);
    return 0;
}
