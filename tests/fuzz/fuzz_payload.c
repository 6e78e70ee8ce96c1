/*
 * fuzz_payload.c - payloads of a hostile owner: whatever parses is taken, once, and survives the
 * cache.
 *
 * First byte: bit 0 the kind of delta; the next two: how many events it counts; the rest:
 * payload. Held: applying it again changes nothing; a report restored from the cache has the same
 * digest; what describe tells and apply takes is the same set of payloads; nothing leaves a note
 * without a title.
 */
#include <assert.h>
#include <stdlib.h>

#include "rapport/error.h"
#include "report/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t log_id[LOG_ID_BYTES] = {1};

static void must(int error)
{
    if (error) /* also where asserts are compiled out */
        abort();
}

/* A report of one owner with one note that has text. */
static struct report *start(const struct device_keys *keys)
{
    static const uint8_t random[32] = {1}, note[NOTE_ID_BYTES] = {7};
    struct report *r;
    struct draft *d;
    struct device_card card;
    struct buf record = BUF_INIT;
    must(report_create(1, &r));
    must(draft_create(log_id, 0, &d));
    must(card_make(&card, keys, slice_str("owner"), 1));
    must(genesis_make(&card, random, slice_str("report"), &record));
    struct edit_context e = {d, keys->sign_public, 1, 1};
    must(report_genesis(r, &e, buf_slice(&record)));
    must(report_new_note(r, &e, note, slice_str("a.md"), slice_str(""), slice_str("# t\n")));
    must(report_splice(r, &e, report_note(r, note), 4, 0, slice_str("hello")));
    assert(draft_next_event(d) == 8);
    draft_destroy(d);
    buf_clear(&record);
    return r;
}

static void digest_of(struct report *r, uint8_t out[16])
{
    must(report_digest(r, NULL, out));
}

static void restore(struct report *from, struct report *to)
{
    struct buf b = BUF_INIT;
    struct note *note;
    must(report_encode_state(from, &b));
    must(report_restore_state(to, buf_slice(&b)));
    for (size_t at = 0; (note = report_next_note(from, &at));) {
        uint8_t *stored;
        size_t len;
        buf_reset(&b);
        must(report_encode_note(note, &b));
        must(report_restore_note(to, note->id, buf_slice(&b)));
        must(rapport_text_save(note->text, &stored, &len));
        must(report_load_note(to, report_note(to, note->id), slice_of(stored, len)));
        free(stored);
        assert(*note->title);
    }
    buf_clear(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t seed[DEVICE_KEY_BYTES] = {1};
    struct device_keys keys;
    uint8_t once[16], twice[16], restored[16];
    struct report *r, *fresh;
    if (size < 3)
        return 0;
    struct delta d = {
        .kind = data[0] & 1 ? DELTA_CONTROL : DELTA_CONTENT, .first = 8, .lamport = 2};
    d.end = d.first + (uint64_t)(data[1] << 8 | data[2]);
    memcpy(d.log, log_id, LOG_ID_BYTES);
    struct slice plain = slice_of(data + 3, size - 3);
    device_keys_from_seed(&keys, seed);
    r = start(&keys);
    digest_of(r, twice);
    struct report_change rows[8];
    int described = report_describe(r, &d, plain, rows, 8);
    must(report_apply(r, &d, keys.sign_public, plain));
    digest_of(r, once);
    assert(described >= 0 || memcmp(once, twice, sizeof once) == 0);
    must(report_apply(r, &d, keys.sign_public, plain));
    digest_of(r, twice);
    assert(memcmp(once, twice, sizeof once) == 0);
    must(report_create(2, &fresh));
    restore(r, fresh);
    digest_of(fresh, restored);
    assert(memcmp(once, restored, sizeof once) == 0);
    report_destroy(fresh);
    report_destroy(r);
    return 0;
}
