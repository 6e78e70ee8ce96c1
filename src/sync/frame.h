/*
 * frame.h - where one message of Noise ends on a stream: a big-endian length and that many bytes.
 *
 * The reader never allocates from a claimed length: it keeps only bytes that came, at most one
 * frame, and a length that is not allowed is refused as soon as its second byte is there. While the
 * handshake runs exactly one length is allowed, so a stranger can make us keep 258 bytes and no
 * more.
 *
 *     offset  bytes  field
 *          0      2  length of what follows, big-endian: HANDSHAKE_BYTES, later 17 to 65,535
 *          2         one Noise message; in transport: ciphertext ‖ tag (16)
 *
 * Sources: Noise rev. 34 section 13; security limits in docs/protocol.md, "Wire".
 */
#ifndef SYNC_FRAME_H
#define SYNC_FRAME_H

#include "base/buf.h"

enum {
    FRAME_HEADER_BYTES = 2,
    FRAME_TAG_BYTES = 16,
    FRAME_MOST_SEALED = 65535,
    FRAME_MOST_PLAIN = FRAME_MOST_SEALED - FRAME_TAG_BYTES,
    FRAME_LEAST_SEALED = FRAME_TAG_BYTES + 1, /* an empty frame says nothing and is refused */
    HANDSHAKE_BYTES = 256,                    /* each handshake message, padded */
};

/* What lengths are allowed now. */
enum frame_phase {
    FRAME_HANDSHAKE, /* HANDSHAKE_BYTES alone */
    FRAME_TRANSPORT, /* FRAME_LEAST_SEALED to FRAME_MOST_SEALED */
};

/* The front of a frame that has not come in whole. */
struct frame_reader {
    struct buf partial; /* at most one frame, header included */
    bool given;         /* partial was given out whole by the last call */
};

#define FRAME_READER_INIT ((struct frame_reader){0})

/* Frees the memory; empty and usable again. */
void frame_reader_clear(struct frame_reader *r);

/* Takes the next frame out of *bytes, which moves behind what was used. Returns 1 with the frame's
   content (without header) in *sealed, valid until the next call and as long as the bytes; 0 when
   more bytes are needed: then all of *bytes was used; or RAPPORT_MALFORMED (a length that the phase
   does not allow: close) or RAPPORT_NOMEM (nothing was used). */
int frame_next(struct frame_reader *r, enum frame_phase phase, struct slice *bytes,
               struct slice *sealed);

/* Appends the header for a Noise message of `len` bytes. */
void frame_put_header(struct buf *out, size_t len);

#endif
