/* fuzz_front_matter.c - any bytes as a note: front matter, title and tags come out as UTF-8. */
#include <stdlib.h>

#include "base/utf8.h"
#include "publish/front_matter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
    if (!good)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of(data, size);
    struct front_matter m;
    struct arena arena = ARENA_INIT;
    struct buf title = BUF_INIT;
    const char **tags;
    size_t n;
    check(front_matter_parse(text, &m) == 0);
    check(slice_equal(m.body, front_matter_body(text)));
    check(utf8_valid(slice_str(m.title)) && utf8_valid(slice_str(m.summary)));
    check(note_title(text, &title) == 0 && utf8_valid(buf_slice(&title)));
    check(note_tags(text, &arena, &tags, &n) == 0);
    for (size_t i = 0; i < n; i++)
        check(*tags[i] && utf8_valid(slice_str(tags[i])));
    buf_clear(&title);
    arena_clear(&arena);
    front_matter_clear(&m);
    return 0;
}
