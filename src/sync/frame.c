/*
 * frame.c - frames out of a stream of bytes (see frame.h).
 *
 * A frame that lies whole in the bytes given is returned where it lies; only the front of an
 * unfinished one is copied, and of it only what came.
 */
#include "sync/frame.h"

#include "rapport/error.h"

static size_t length_at(const uint8_t *header)
{
    return (size_t)header[0] << 8 | header[1];
}

static bool length_allowed(enum frame_phase phase, size_t len)
{
    switch (phase) {
    case FRAME_HANDSHAKE:
        return len == HANDSHAKE_BYTES;
    case FRAME_TRANSPORT:
        return len >= FRAME_LEAST_SEALED && len <= FRAME_MOST_SEALED;
    }
    return false;
}

void frame_reader_clear(struct frame_reader *r)
{
    buf_clear(&r->partial);
    r->given = false;
}

/* How many bytes the frame that starts with partial ‖ bytes has in all: FRAME_HEADER_BYTES while
 * its length is not known. Returns 0 or RAPPORT_MALFORMED. */
static int frame_size(const struct frame_reader *r, enum frame_phase phase, struct slice bytes,
                      size_t *size)
{
    uint8_t header[FRAME_HEADER_BYTES];
    size_t n = 0;
    for (size_t i = 0; i < r->partial.len && n < sizeof header; i++)
        header[n++] = r->partial.ptr[i];
    for (size_t i = 0; i < bytes.len && n < sizeof header; i++)
        header[n++] = bytes.ptr[i];
    *size = FRAME_HEADER_BYTES;
    if (n < sizeof header)
        return 0;
    if (!length_allowed(phase, length_at(header)))
        return RAPPORT_MALFORMED;
    *size += length_at(header);
    return 0;
}

/* Moves up to `most` of *bytes behind the partial frame. */
static int keep(struct frame_reader *r, size_t most, struct slice *bytes)
{
    size_t n = bytes->len < most ? bytes->len : most;
    buf_append(&r->partial, bytes->ptr, n);
    if (buf_error(&r->partial)) {
        r->partial.error = 0;
        return RAPPORT_NOMEM;
    }
    *bytes = slice_skip(*bytes, n);
    return 0;
}

int frame_next(struct frame_reader *r, enum frame_phase phase, struct slice *bytes,
               struct slice *sealed)
{
    if (r->given) {
        buf_reset(&r->partial);
        r->given = false;
    }
    size_t size = 0;
    int error = frame_size(r, phase, *bytes, &size);
    if (error)
        return error;
    if (r->partial.len == 0 && size > FRAME_HEADER_BYTES && bytes->len >= size) {
        *sealed = slice_of(bytes->ptr + FRAME_HEADER_BYTES, size - FRAME_HEADER_BYTES);
        *bytes = slice_skip(*bytes, size);
        return 1;
    }
    error = keep(r, size - r->partial.len, bytes);
    if (error || size == FRAME_HEADER_BYTES || r->partial.len < size)
        return error;
    r->given = true;
    *sealed = slice_skip(buf_slice(&r->partial), FRAME_HEADER_BYTES);
    return 1;
}

void frame_put_header(struct buf *out, size_t len)
{
    buf_u16be(out, (uint16_t)len);
}
