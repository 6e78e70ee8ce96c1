/*
 * genesis.c - the record that a report begins with; its hash is the report's id, so nothing in it
 * can be exchanged.
 *
 *   [1, card, random, title]   card: bin of card_encode; random: bin 32; title: 1 to
 *                              GENESIS_MOST_TITLE bytes of printable UTF-8 on one line
 */
#include "base/utf8.h"
#include "rapport/error.h"
#include "report/report.h"
#include "report/state.h"

enum {
    GENESIS_FORMAT = 1,
    GENESIS_ITEMS = 4,
    GENESIS_RANDOM_BYTES = 32,
    GENESIS_MOST_TITLE = 256,
};

/* Nothing in it that utf8_printable would have to change. */
static int title_check(struct slice title)
{
    if (title.len == 0 || title.len > GENESIS_MOST_TITLE || !utf8_valid(title))
        return RAPPORT_INVALID;
    struct buf shown = BUF_INIT;
    utf8_printable(&shown, title, true);
    int error = buf_error(&shown);
    if (!error && !slice_equal(buf_slice(&shown), title))
        error = RAPPORT_INVALID;
    buf_clear(&shown);
    return error;
}

int genesis_make(const struct device_card *card, const uint8_t random[32], struct slice title,
                 struct buf *out)
{
    struct buf encoded = BUF_INIT;
    int error = title_check(title);
    if (error)
        return error;
    card_encode(card, &encoded);
    size_t before = out->len;
    mp_put_array(out, GENESIS_ITEMS);
    mp_put_u64(out, GENESIS_FORMAT);
    mp_put_bin(out, encoded.ptr, encoded.len);
    mp_put_bin(out, random, GENESIS_RANDOM_BYTES);
    mp_put_str(out, title);
    error = buf_error(&encoded) ? buf_error(&encoded) : buf_error(out);
    if (error)
        out->len = before;
    buf_clear(&encoded);
    return error;
}

struct genesis {
    struct slice card, title;
};

static int genesis_read(struct slice record, struct genesis *out)
{
    if (record.len > GENESIS_MOST_BYTES)
        return RAPPORT_LIMIT;
    struct mp_doc doc;
    int error = mp_open(&doc, record, 1 + GENESIS_ITEMS);
    if (error)
        return error;
    struct mp_array a = mp_root(&doc, &error);
    uint64_t format = mp_u64(&a, UINT64_MAX);
    if (!error && format != GENESIS_FORMAT)
        mp_fail(&a, format > GENESIS_FORMAT ? RAPPORT_VERSION : RAPPORT_MALFORMED);
    struct genesis g;
    g.card = mp_bin(&a, 1, DEVICE_MOST_CARD);
    mp_bin(&a, GENESIS_RANDOM_BYTES, GENESIS_RANDOM_BYTES);
    g.title = mp_str(&a, GENESIS_MOST_TITLE);
    mp_end(&a);
    mp_close(&doc);
    if (!error)
        *out = g;
    return error;
}

int genesis_check(struct slice record, struct device_card *card)
{
    struct genesis g;
    int error = genesis_read(record, &g);
    if (!error)
        error = title_check(g.title);
    if (error == RAPPORT_INVALID)
        error = RAPPORT_MALFORMED;
    return error ? error : card_decode(g.card, card);
}

int genesis_title(struct slice record, struct slice *title)
{
    struct genesis g;
    int error = genesis_read(record, &g);
    if (!error)
        *title = g.title;
    return error;
}

void report_id_of(uint8_t out[REPORT_ID_BYTES], struct slice genesis)
{
    hash_of(out, REPORT_ID_BYTES, "rapport report", genesis, slice_of(NULL, 0));
}

void note_id_of_talk(uint8_t out[NOTE_ID_BYTES], struct slice talk_key)
{
    hash_of(out, NOTE_ID_BYTES, "rapport talk", talk_key, slice_of(NULL, 0));
}
