/*
 * bundle.c - writing and reading bundles (see bundle.h for the format).
 *
 * A full chunk is opened only when a byte behind it is here, because only then it is known not to
 * be the last one. No length stands in clear, so nothing is ever allocated from a claim.
 */
#include "sync/bundle.h"

#include <assert.h>
#include <sodium/crypto_aead_xchacha20poly1305.h>
#include <sodium/utils.h>

#include "rapport/error.h"

enum {
    MAGIC_BYTES = 7,
    NONCE_BYTES = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    ITEM_HEAD = 0,
    ITEM_ROWS = 1,
    ITEM_DELTA = 2,
    ITEM_MOST_VALUES = 4 * BUNDLE_ROWS,
    SIGNED_BYTES = REPORT_ID_BYTES + BUNDLE_SALT_BYTES + 8 + 16,
};
_Static_assert(BUNDLE_TAG_BYTES == crypto_aead_xchacha20poly1305_ietf_ABYTES, "chunk layout");

static const char magic[] = "rapport";

static void file_key(uint8_t key[32], const struct epoch_keys *epoch, const uint8_t *header)
{
    hash_keyed(key, 32, "rapport bundle", epoch->secret,
               slice_of(header + BUNDLE_HEADER_BYTES - BUNDLE_SALT_BYTES, BUNDLE_SALT_BYTES),
               (struct slice){0});
}

static void chunk_nonce(uint8_t nonce[NONCE_BYTES], uint64_t number, bool last)
{
    memset(nonce, 0, NONCE_BYTES);
    nonce[NONCE_BYTES - 9] = last;
    for (size_t i = 0; i < 8; i++)
        nonce[NONCE_BYTES - 1 - i] = (uint8_t)(number >> (8 * i));
}

static void signed_bytes(uint8_t out[SIGNED_BYTES], const struct bundle_head *head,
                         const uint8_t *report_id, const uint8_t *salt)
{
    memcpy(out, report_id, REPORT_ID_BYTES);
    out += REPORT_ID_BYTES;
    memcpy(out, salt, BUNDLE_SALT_BYTES);
    out += BUNDLE_SALT_BYTES;
    for (size_t i = 0; i < 8; i++)
        out[i] = (uint8_t)(head->wall_ms >> (56 - 8 * i));
    memcpy(out + 8, head->have_digest, sizeof head->have_digest);
}

void bundle_sign(struct bundle_head *head, const struct device_keys *keys,
                 const uint8_t report_id[REPORT_ID_BYTES], const uint8_t salt[BUNDLE_SALT_BYTES])
{
    uint8_t bytes[SIGNED_BYTES];
    signed_bytes(bytes, head, report_id, salt);
    int error = sign_make(head->signature, keys, SIGN_BUNDLE, slice_of(bytes, sizeof bytes));
    assert(error == 0);
    (void)error;
}

bool bundle_signed_by(const struct bundle_head *head, const uint8_t sign_public[SIGN_PUBLIC_BYTES],
                      const uint8_t report_id[REPORT_ID_BYTES],
                      const uint8_t salt[BUNDLE_SALT_BYTES])
{
    uint8_t bytes[SIGNED_BYTES];
    signed_bytes(bytes, head, report_id, salt);
    return sign_verify(sign_public, SIGN_BUNDLE, slice_of(bytes, sizeof bytes), head->signature) ==
           0;
}

/* ---- writing ---- */

void bundle_write_start(struct bundle_writer *w, const struct epoch_keys *epoch,
                        const uint8_t salt[BUNDLE_SALT_BYTES])
{
    *w = (struct bundle_writer){.plain = BUF_INIT, .out = BUF_INIT};
    memcpy(w->header, magic, MAGIC_BYTES);
    w->header[MAGIC_BYTES] = BUNDLE_VERSION;
    memcpy(w->header + MAGIC_BYTES + 1, salt, BUNDLE_SALT_BYTES);
    file_key(w->key, epoch, w->header);
    buf_append(&w->out, w->header, sizeof w->header);
}

static void seal_chunk(struct bundle_writer *w, size_t len, bool last)
{
    uint8_t nonce[NONCE_BYTES];
    uint8_t *room = buf_reserve(&w->out, len + BUNDLE_TAG_BYTES);
    if (!room)
        return;
    chunk_nonce(nonce, w->number++, last);
    crypto_aead_xchacha20poly1305_ietf_encrypt(room, NULL, w->plain.ptr, len, w->header,
                                               sizeof w->header, NULL, nonce, w->key);
    w->out.len += len + BUNDLE_TAG_BYTES;
    buf_consume(&w->plain, len);
}

/* One byte stays behind at least, so that there is a last chunk. */
static void seal_full(struct bundle_writer *w)
{
    if (buf_error(&w->plain) && !w->out.error)
        w->out.error = buf_error(&w->plain);
    while (!w->out.error && w->plain.len > BUNDLE_CHUNK_PLAIN)
        seal_chunk(w, BUNDLE_CHUNK_PLAIN, false);
}

static void put_rows(struct bundle_writer *w, const struct have_row *rows, size_t n)
{
    mp_put_array(&w->plain, 2);
    mp_put_u64(&w->plain, ITEM_ROWS);
    mp_put_array(&w->plain, n);
    for (size_t i = 0; i < n; i++) {
        mp_put_array(&w->plain, 2);
        mp_put_bin(&w->plain, rows[i].log, sizeof rows[i].log);
        mp_put_u64(&w->plain, rows[i].next);
    }
    seal_full(w);
}

void bundle_write_head(struct bundle_writer *w, const struct bundle_head *head,
                       const struct have *have)
{
    mp_put_array(&w->plain, 6);
    mp_put_u64(&w->plain, ITEM_HEAD);
    mp_put_bin(&w->plain, head->device, sizeof head->device);
    mp_put_u64(&w->plain, head->wall_ms);
    mp_put_u64(&w->plain, have->n);
    mp_put_bin(&w->plain, head->have_digest, sizeof head->have_digest);
    mp_put_bin(&w->plain, head->signature, sizeof head->signature);
    for (size_t at = 0; at < have->n; at += BUNDLE_ROWS)
        put_rows(w, have->rows + at, have->n - at < BUNDLE_ROWS ? have->n - at : BUNDLE_ROWS);
    seal_full(w);
}

void bundle_write_delta(struct bundle_writer *w, struct slice delta)
{
    if (delta.len > DELTA_MOST_BYTES && !w->out.error)
        w->out.error = RAPPORT_LIMIT;
    if (w->out.error)
        return;
    mp_put_array(&w->plain, 2);
    mp_put_u64(&w->plain, ITEM_DELTA);
    mp_put_bin(&w->plain, delta.ptr, delta.len);
    seal_full(w);
}

void bundle_write_end(struct bundle_writer *w)
{
    seal_full(w);
    if (!w->out.error)
        seal_chunk(w, w->plain.len, true);
}

void bundle_writer_clear(struct bundle_writer *w)
{
    buf_wipe(&w->plain);
    buf_clear(&w->out);
    sodium_memzero(w->key, sizeof w->key);
}

/* ---- reading: chunks ---- */

void bundle_read_start(struct bundle_reader *r)
{
    *r = (struct bundle_reader){.sealed = BUF_INIT, .plain = BUF_INIT, .rows = HAVE_INIT};
}

static int fail(struct bundle_reader *r, int error)
{
    if (!r->error)
        r->error = error;
    return r->error;
}

static int read_header(struct bundle_reader *r, struct slice *in)
{
    while (in->len && r->n_header < sizeof r->header) {
        uint8_t byte = in->ptr[0];
        if (r->n_header < MAGIC_BYTES && byte != (uint8_t)magic[r->n_header])
            return RAPPORT_MALFORMED;
        if (r->n_header == MAGIC_BYTES && byte != BUNDLE_VERSION)
            return byte > BUNDLE_VERSION ? RAPPORT_VERSION : RAPPORT_MALFORMED;
        r->header[r->n_header++] = byte;
        *in = slice_skip(*in, 1);
    }
    return 0;
}

/* Opens what is in `sealed`, behind what is left of the chunks before. */
static int open_chunk(struct bundle_reader *r, const uint8_t key[32], bool last)
{
    uint8_t nonce[NONCE_BYTES];
    buf_consume(&r->plain, r->used);
    r->used = 0;
    if (r->sealed.len <= BUNDLE_TAG_BYTES)
        return RAPPORT_TRUNCATED;
    uint8_t *room = buf_reserve(&r->plain, r->sealed.len);
    if (!room)
        return RAPPORT_NOMEM;
    chunk_nonce(nonce, r->number, last);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(room, NULL, NULL, r->sealed.ptr, r->sealed.len,
                                                   r->header, sizeof r->header, nonce, key) != 0)
        return RAPPORT_AUTH;
    r->plain.len += r->sealed.len - BUNDLE_TAG_BYTES;
    r->number++;
    buf_reset(&r->sealed);
    return 0;
}

/* The first chunk says by opening which epoch the file is sealed under. */
static int open_first(struct bundle_reader *r, const struct epoch_keys *epochs, size_t n_epochs,
                      bool last)
{
    int error = RAPPORT_NOKEY;
    for (size_t i = n_epochs; i > 0 && error == RAPPORT_NOKEY; i--) {
        file_key(r->key, &epochs[i - 1], r->header);
        error = open_chunk(r, r->key, last);
        if (error == RAPPORT_AUTH)
            error = RAPPORT_NOKEY;
    }
    r->has_key = error == 0;
    return error;
}

static int open_next(struct bundle_reader *r, const struct epoch_keys *epochs, size_t n_epochs,
                     bool last)
{
    return r->has_key ? open_chunk(r, r->key, last) : open_first(r, epochs, n_epochs, last);
}

int bundle_read(struct bundle_reader *r, const struct epoch_keys *epochs, size_t n_epochs,
                struct slice *in)
{
    int error = r->error ? r->error : read_header(r, in);
    while (!error && in->len) {
        size_t room = BUNDLE_CHUNK_BYTES - r->sealed.len;
        if (room == 0) {
            error = open_next(r, epochs, n_epochs, false);
            break;
        }
        size_t n = in->len < room ? in->len : room;
        buf_append(&r->sealed, in->ptr, n);
        error = buf_error(&r->sealed);
        *in = slice_skip(*in, n);
    }
    return error ? fail(r, error) : 0;
}

int bundle_read_end(struct bundle_reader *r, const struct epoch_keys *epochs, size_t n_epochs)
{
    if (r->error)
        return r->error;
    r->at_end = true;
    if (r->n_header < sizeof r->header || r->sealed.len == 0)
        return fail(r, RAPPORT_TRUNCATED);
    int error = open_next(r, epochs, n_epochs, true);
    if ((error == RAPPORT_AUTH || error == RAPPORT_NOKEY) && r->sealed.len == BUNDLE_CHUNK_BYTES &&
        open_next(r, epochs, n_epochs, false) == 0)
        error = RAPPORT_TRUNCATED; /* whole, but not meant to be the last */
    return error ? fail(r, error) : 0;
}

/* ---- reading: items ---- */

static int read_head(struct bundle_reader *r, struct mp_array *item)
{
    struct bundle_head head = {.wall_ms = 0};
    mp_bin_copy(item, head.device, sizeof head.device);
    head.wall_ms = mp_u64(item, UINT64_MAX);
    head.n_rows = mp_u64(item, LOGS_MOST);
    mp_bin_copy(item, head.have_digest, sizeof head.have_digest);
    mp_bin_copy(item, head.signature, sizeof head.signature);
    int error = mp_end(item);
    if (error || r->has_head)
        return error ? error : RAPPORT_MALFORMED;
    r->head = head;
    r->has_head = true;
    return 0;
}

static int read_rows(struct bundle_reader *r, struct mp_array *item)
{
    struct mp_array rows = mp_sub(item, 1, BUNDLE_ROWS);
    int error = 0;
    while (mp_more(&rows) && !error) {
        struct have_row row = {.next = 0};
        struct mp_array cells = mp_sub(&rows, 2, 2);
        mp_bin_copy(&cells, row.log, sizeof row.log);
        row.next = mp_u64(&cells, DELTA_MOST_NUMBER);
        error = mp_end(&cells);
        bool ascending =
            r->rows.n == 0 || memcmp(r->rows.rows[r->rows.n - 1].log, row.log, LOG_ID_BYTES) < 0;
        if (!error && (!ascending || row.next == 0 || r->rows.n >= r->head.n_rows))
            error = RAPPORT_MALFORMED;
        if (!error)
            error = have_raise(&r->rows, row.log, row.next);
    }
    return error ? error : mp_end(item);
}

static bool head_is_whole(const struct bundle_reader *r)
{
    uint8_t digest[16];
    if (!r->has_head || r->rows.n != r->head.n_rows)
        return false;
    have_digest(&r->rows, digest);
    return memcmp(digest, r->head.have_digest, sizeof digest) == 0;
}

/* Reads one item; with `delta` empty it was part of the head. */
static int read_item(struct bundle_reader *r, struct slice bytes)
{
    struct mp_doc doc;
    int error = mp_open(&doc, bytes, ITEM_MOST_VALUES);
    if (error)
        return error;
    struct mp_array item = mp_root(&doc, &error);
    uint64_t kind = mp_u64(&item, UINT64_MAX);
    if (error == 0 && kind > ITEM_DELTA)
        error = RAPPORT_VERSION;
    else if (error == 0 && kind == ITEM_HEAD)
        error = read_head(r, &item);
    else if (error == 0 && (!r->has_head || (kind == ITEM_DELTA) != r->head_given))
        error = RAPPORT_MALFORMED;
    else if (error == 0 && kind == ITEM_ROWS)
        error = read_rows(r, &item);
    else if (error == 0) {
        r->delta = mp_bin(&item, 1, DELTA_MOST_BYTES);
        error = mp_end(&item);
    }
    mp_close(&doc);
    return error;
}

/* The bytes of the next item that is here in whole. Returns 1, 0 (not here yet) or an error. */
static int item_bytes(const struct bundle_reader *r, struct slice *out)
{
    struct slice rest = slice_skip(buf_slice(&r->plain), r->used);
    size_t len = 0;
    if (rest.len == 0)
        return 0;
    int error = mp_check_prefix(rest, ITEM_MOST_VALUES, &len);
    if (error == RAPPORT_TRUNCATED && rest.len <= BUNDLE_MOST_ITEM)
        return r->at_end ? RAPPORT_TRUNCATED : 0;
    if (error)
        return error == RAPPORT_TRUNCATED ? RAPPORT_LIMIT : error;
    if (len > BUNDLE_MOST_ITEM)
        return RAPPORT_LIMIT;
    *out = slice_of(rest.ptr, len);
    return 1;
}

int bundle_next(struct bundle_reader *r, enum bundle_kind *kind)
{
    struct slice bytes = {0};
    bool stuck = r->error && !r->at_end;
    *kind = BUNDLE_NONE;
    while (!stuck) {
        if (!r->head_given && head_is_whole(r)) {
            r->head_given = true;
            *kind = BUNDLE_HEAD;
            return 0;
        }
        int found = item_bytes(r, &bytes);
        if (found == 0 && r->at_end && !r->head_given && !r->error)
            found = RAPPORT_MALFORMED;
        if (found <= 0)
            return found ? fail(r, found) : 0;
        r->delta = (struct slice){0};
        int error = read_item(r, bytes);
        if (error)
            return fail(r, error);
        r->used += bytes.len;
        if (r->delta.len) {
            *kind = BUNDLE_DELTA;
            return 0;
        }
    }
    return 0;
}

void bundle_reader_clear(struct bundle_reader *r)
{
    buf_clear(&r->sealed);
    buf_wipe(&r->plain);
    have_clear(&r->rows);
    sodium_memzero(r->key, sizeof r->key);
}
