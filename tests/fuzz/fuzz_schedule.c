/* fuzz_schedule.c - any bytes as a schedule: read or refused; what is read can be asked and
 * printed. */
#include <stdlib.h>

#include "base/utf8.h"
#include "publish/schedule.h"
#include "rapport/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const struct schedule *s, const struct talk *t)
{
    struct buf text = BUF_INIT;
    const struct talk *found;
    if (talk_key(s, t, &text) || talk_note_text(t, &text) || !utf8_valid(buf_slice(&text)))
        abort();
    if (*t->title && schedule_find(s, t->title, &found) == RAPPORT_NOTFOUND)
        abort();
    buf_clear(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct schedule s;
    struct buf why = BUF_INIT;
    int error = schedule_parse_xml(slice_of(data, size), &s, &why);
    if (error && why.len == 0 && error != RAPPORT_NOMEM)
        abort();
    if (!error) {
        for (size_t i = 0; i < s.n_talks && i < 64; i++)
            use(&s, &s.talks[i]);
        schedule_clear(&s);
    }
    buf_clear(&why);
    return 0;
}
