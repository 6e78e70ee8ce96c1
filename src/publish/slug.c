/* slug.c - slugs (see slug.h). Lower-casing covers Latin, Greek and Cyrillic by ranges; what other
 * scripts have as case is kept as it is, so two such titles may differ by case alone: paths must be
 * compared by whoever folds them. */
#include "publish/slug.h"

#include "base/utf8.h"
#include "publish/strings.h"
#include "rapport/error.h"

static uint32_t lower(uint32_t cp)
{
    if (cp < 0x80)
        return to_lower((uint8_t)cp);
    if ((cp >= 0xc0 && cp <= 0xde && cp != 0xd7) || (cp >= 0x391 && cp <= 0x3a9) ||
        (cp >= 0x410 && cp <= 0x42f))
        return cp + 32;
    if (cp >= 0x400 && cp <= 0x40f)
        return cp + 80;
    if (cp == 0x130)
        return 'i';
    if (cp == 0x178)
        return 0xff;
    bool even_is_capital = (cp >= 0x100 && cp <= 0x137) || (cp >= 0x14a && cp <= 0x177) ||
                           (cp >= 0x460 && cp <= 0x481) || (cp >= 0x48a && cp <= 0x4bf) ||
                           (cp >= 0x1e00 && cp <= 0x1eff);
    bool odd_is_capital = (cp >= 0x139 && cp <= 0x148) || (cp >= 0x179 && cp <= 0x17e);
    if ((even_is_capital && cp % 2 == 0) || (odd_is_capital && cp % 2 == 1))
        return cp + 1;
    return cp;
}

/* Letters, digits and marks; outside of ASCII: all but the blocks of controls, punctuation and
 * symbols. */
static bool kept(uint32_t cp)
{
    static const struct {
        uint32_t first, last;
    } other[] = {{0x80, 0xa9},     {0xab, 0xb4},       {0xb6, 0xb9},       {0xbb, 0xbf},
                 {0xd7, 0xd7},     {0xf7, 0xf7},       {0x2b0, 0x2ff},     {0x37e, 0x37e},
                 {0x55a, 0x55f},   {0x589, 0x58f},     {0x600, 0x60f},     {0x61b, 0x61f},
                 {0x66a, 0x66d},   {0x6d4, 0x6d4},     {0x964, 0x965},     {0x115f, 0x1160},
                 {0x1680, 0x1680}, {0x17b4, 0x17b5},   {0x180b, 0x180e},   {0x2000, 0x2bff},
                 {0x2e00, 0x2e7f}, {0x3000, 0x3004},   {0x3008, 0x3020},   {0x3030, 0x3030},
                 {0x3164, 0x3164}, {0xd800, 0xf8ff},   {0xfe00, 0xfe6f},   {0xfeff, 0xff0f},
                 {0xff1a, 0xff20}, {0xff3b, 0xff40},   {0xff5b, 0xff65},   {0xffa0, 0xffa0},
                 {0xffe0, 0xffff}, {0x1d000, 0x1d3ff}, {0x1f000, 0x1faff}, {0xe0000, 0x10ffff}};
    if (cp < 0x80)
        return is_alpha((uint8_t)cp) || is_digit((uint8_t)cp);
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
        if (cp >= other[i].first && cp <= other[i].last)
            return false;
    }
    return true;
}

/* Cuts at SLUG_MOST_BYTES, back to the last '-' when that loses less than a third. */
static void cut(struct buf *slug)
{
    if (slug->len <= SLUG_MOST_BYTES)
        return;
    bool at_dash = slug->ptr[SLUG_MOST_BYTES] == '-';
    slug->len = utf8_prefix(buf_slice(slug), SLUG_MOST_BYTES);
    size_t dash = slug->len;
    while (!at_dash && dash > SLUG_MOST_BYTES * 2 / 3 && slug->ptr[dash - 1] != '-')
        dash--;
    if (!at_dash && slug->ptr[dash - 1] == '-')
        slug->len = dash - 1;
}

/* Names that a file system of Windows takes for devices. */
static bool reserved(struct slice s)
{
    static const char *const names[] = {"con", "prn", "aux", "nul"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (slice_equal(s, slice_str(names[i])))
            return true;
    }
    return s.len == 4 && is_digit(s.ptr[3]) && (slice_starts(s, "com") || slice_starts(s, "lpt"));
}

int slug_make(struct slice title, struct buf *out)
{
    struct buf slug = BUF_INIT;
    bool gap = false;
    for (size_t at = 0; at < title.len && slug.len <= SLUG_MOST_BYTES;) {
        int32_t cp = utf8_next(title, &at);
        if (cp < 0 || !kept((uint32_t)cp)) {
            gap = true;
            continue;
        }
        if (gap && slug.len)
            buf_u8(&slug, '-');
        gap = false;
        utf8_put(&slug, lower((uint32_t)cp));
    }
    cut(&slug);
    if (slug.len == 0)
        buf_append_str(&slug, "untitled");
    else if (slice_equal(buf_slice(&slug), slice_str("index")) || reserved(buf_slice(&slug)))
        buf_append_str(&slug, "-1");
    buf_append_slice(out, buf_slice(&slug));
    int error = buf_error(&slug) ? buf_error(&slug) : buf_error(out);
    buf_clear(&slug);
    return error;
}
