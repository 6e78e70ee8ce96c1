/* fuzz_outline.c - any bytes as report.md: items cover it all, and a draft of a draft changes
 * nothing. */
#include <stdlib.h>

#include "publish/outline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct outline_note notes[] = {
    {"notes/a.md", "A", "a", "2023-02-04", 10},
    {"notes/b.md", "B", "b", "2023-02-05", 2000},
    {"notes/c.md", "C", "c", "", INT64_MAX},
};

static void check(bool good)
{
    if (!good)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of(data, size);
    struct outline o;
    struct buf once = BUF_INIT, twice = BUF_INIT;
    check(outline_parse(text, &o) == 0);
    size_t covered = o.front.len;
    for (size_t i = 0; i < o.n_items; i++)
        covered += o.items[i].whole.len;
    check(covered == size);
    check(outline_draft(notes, 3, text, &once, NULL) == 0);
    check(outline_draft(notes, 3, buf_slice(&once), &twice, NULL) == 0);
    check(slice_equal(buf_slice(&once), buf_slice(&twice)));
    buf_clear(&once);
    buf_clear(&twice);
    outline_clear(&o);
    return 0;
}
