/*
 * noise.c - `rapport-bench noise FILE...`: replays Noise vectors.
 *
 * The format is that of the published vector files: one object with the list `vectors`, every value
 * but `protocol_name` in hex. A case passes when both sides, played by our own code, write the very
 * bytes, read the very payloads, come to one handshake hash (the given one, if any), and when a
 * flipped bit in any one message is noticed before the last message is through. Failing cases are
 * printed with file and number; the last line is "N passed, N failed".
 */
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "bench/noise.h"
#include "crypto/noise.h"
#include "crypto/pattern.h"
#include "rapport/error.h"

enum {
    NO_FLIP = -1,
    DIFFERS = 1 /* bytes that are not the vector's; errors are negative */
};

struct side {
    struct noise noise;
    struct cipher send, recv;
    uint8_t h[NOISE_HASH_BYTES];
    bool split;
};

struct replay {
    const json_t *vector;
    struct pattern pattern;
    struct side sides[2]; /* initiator, responder */
    long flip;            /* index of the message that gets a flipped bit, or NO_FLIP */
};

/* Appends the bytes of a hex string; none when there is no such string. */
static int add_hex(const json_t *string, struct buf *out)
{
    const char *text = json_string_value(string);
    size_t n = text ? strlen(text) / 2 : 0;
    if (!text || n == 0)
        return 0;
    uint8_t *room = buf_reserve(out, n);
    if (!room)
        return buf_error(out);
    int error = hex_decode(room, n, slice_str(text));
    if (!error)
        out->len += n;
    return error;
}

/* Copies the key "init_NAME" or "resp_NAME" to `room`; NULL when the vector has none. */
static const uint8_t *side_key(const json_t *vector, bool initiator, const char *name,
                               uint8_t *room)
{
    char field[32];
    snprintf(field, sizeof field, "%s_%s", initiator ? "init" : "resp", name);
    const char *text = json_string_value(json_object_get(vector, field));
    if (!text || hex_decode(room, NOISE_KEY_BYTES, slice_str(text)) != 0)
        return NULL;
    return room;
}

static int take_psks(const struct replay *r, bool initiator, uint8_t (*psks)[NOISE_KEY_BYTES])
{
    const json_t *list = json_object_get(r->vector, initiator ? "init_psks" : "resp_psks");
    for (size_t i = 0; i < r->pattern.n_psks; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (!text || hex_decode(psks[i], NOISE_KEY_BYTES, slice_str(text)) != 0)
            return RAPPORT_MALFORMED;
    }
    return 0;
}

static int start_side(struct replay *r, bool initiator)
{
    struct side *side = &r->sides[initiator ? 0 : 1];
    struct pattern_keys need = pattern_keys(&r->pattern, initiator);
    uint8_t s[NOISE_KEY_BYTES], s_public[NOISE_KEY_BYTES], e[NOISE_KEY_BYTES], rs[NOISE_KEY_BYTES];
    uint8_t psks[NOISE_MOST_PSKS][NOISE_KEY_BYTES];
    struct buf prologue = BUF_INIT;
    struct noise_config config = {
        .protocol = json_string_value(json_object_get(r->vector, "protocol_name")),
        .initiator = initiator,
        .s_private = need.s ? side_key(r->vector, initiator, "static", s) : NULL,
        .e_private = need.e ? side_key(r->vector, initiator, "ephemeral", e) : NULL,
        .rs = need.rs ? side_key(r->vector, initiator, "remote_static", rs) : NULL,
        .psks = (const uint8_t(*)[NOISE_KEY_BYTES])psks,
        .n_psks = r->pattern.n_psks,
    };
    if (config.s_private && crypto_scalarmult_base(s_public, s) == 0)
        config.s_public = s_public;
    int error = take_psks(r, initiator, psks);
    if (!error)
        error = add_hex(json_object_get(r->vector, initiator ? "init_prologue" : "resp_prologue"),
                        &prologue);
    config.prologue = buf_slice(&prologue);
    if (!error)
        error = noise_init(&side->noise, &config);
    buf_clear(&prologue);
    return error;
}

static int send_one(struct side *side, struct slice payload, struct buf *wire)
{
    return side->split ? cipher_encrypt(&side->send, (struct slice){0}, payload, wire)
                       : noise_write(&side->noise, payload, wire);
}

static int recv_one(struct side *side, struct slice message, struct buf *payload)
{
    return side->split ? cipher_decrypt(&side->recv, (struct slice){0}, message, payload)
                       : noise_read(&side->noise, message, payload);
}

static int split_both(struct replay *r)
{
    struct buf expected = BUF_INIT;
    for (size_t i = 0; i < 2; i++) {
        struct side *side = &r->sides[i];
        int error = noise_split(&side->noise, &side->send, &side->recv, side->h);
        if (error)
            return error;
        side->split = true;
    }
    int error = add_hex(json_object_get(r->vector, "handshake_hash"), &expected);
    struct slice h = slice_of(r->sides[0].h, NOISE_HASH_BYTES);
    if (!error && !slice_equal(h, slice_of(r->sides[1].h, NOISE_HASH_BYTES)))
        error = DIFFERS;
    if (!error && expected.len && !slice_equal(h, buf_slice(&expected)))
        error = DIFFERS;
    buf_clear(&expected);
    return error;
}

/* Message i: even ones are the initiator's, and all of a one-way pattern. */
static int pass_message(struct replay *r, size_t i)
{
    bool one_way = r->pattern.n_messages == 1;
    struct side *from = &r->sides[one_way ? 0 : i % 2], *to = &r->sides[one_way ? 1 : 1 - i % 2];
    const json_t *message = json_array_get(json_object_get(r->vector, "messages"), i);
    struct buf payload = BUF_INIT, expected = BUF_INIT, wire = BUF_INIT, read = BUF_INIT;
    bool exact = r->flip == NO_FLIP;
    int error = add_hex(json_object_get(message, "payload"), &payload);
    if (!error)
        error = add_hex(json_object_get(message, "ciphertext"), &expected);
    if (!error)
        error = send_one(from, buf_slice(&payload), &wire);
    if (!error && exact && !slice_equal(buf_slice(&wire), buf_slice(&expected)))
        error = DIFFERS;
    if (!error && r->flip == (long)i)
        wire.ptr[i * 37 % wire.len] ^= (uint8_t)(1u << i % 8);
    if (!error)
        error = recv_one(to, buf_slice(&wire), &read);
    if (!error && exact && !slice_equal(buf_slice(&read), buf_slice(&payload)))
        error = DIFFERS;
    if (!error && noise_done(&from->noise) && noise_done(&to->noise))
        error = exact ? split_both(r) : split_both(r) < 0;
    buf_clear(&payload);
    buf_clear(&expected);
    buf_clear(&wire);
    buf_clear(&read);
    return error;
}

/* Returns 0 when every message went through, DIFFERS, or the error of the first that did not. */
static int replay(const json_t *vector, long flip)
{
    struct replay r = {.vector = vector, .flip = flip};
    const char *name = json_string_value(json_object_get(vector, "protocol_name"));
    int error = name ? pattern_parse(name, &r.pattern) : RAPPORT_MALFORMED;
    for (size_t i = 0; i < 2 && !error; i++)
        error = start_side(&r, i == 0);
    size_t n = json_array_size(json_object_get(vector, "messages"));
    for (size_t i = 0; i < n && !error; i++)
        error = pass_message(&r, i);
    return error;
}

/* NULL when the case passes, else why not. */
static const char *fault(const json_t *vector)
{
    size_t n = json_array_size(json_object_get(vector, "messages"));
    int error = n ? replay(vector, NO_FLIP) : RAPPORT_MALFORMED;
    if (error)
        return error == DIFFERS ? "other bytes than the vector's" : rapport_strerror(error);
    for (size_t i = 0; i < n; i++)
        if (replay(vector, (long)i) == 0)
            return "accepts a flipped bit";
    return NULL;
}

static int replay_file(const char *path, size_t *passed, size_t *failed)
{
    json_error_t where;
    json_t *root = json_load_file(path, 0, &where);
    const json_t *vectors = json_object_get(root, "vectors");
    if (!json_is_array(vectors)) {
        fprintf(stderr, "%s: %s\n", path, root ? "has no list `vectors`" : where.text);
        json_decref(root);
        return RAPPORT_MALFORMED;
    }
    for (size_t i = 0; i < json_array_size(vectors); i++) {
        const json_t *vector = json_array_get(vectors, i);
        const char *why = fault(vector);
        *(why ? failed : passed) += 1;
        const char *name = json_string_value(json_object_get(vector, "protocol_name"));
        if (why)
            printf("%s: case %zu (%s): %s\n", path, i + 1, name ? name : "no name", why);
    }
    json_decref(root);
    return 0;
}

int bench_noise(int argc, char **argv)
{
    size_t passed = 0, failed = 0;
    if (argc < 2) {
        fputs("usage: rapport-bench noise FILE...\n", stderr);
        return 2;
    }
    for (int i = 1; i < argc; i++)
        if (replay_file(argv[i], &passed, &failed) != 0)
            failed++;
    printf("%zu passed, %zu failed\n", passed, failed);
    return failed ? 1 : 0;
}
