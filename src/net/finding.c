/* finding.c - see finding.h. */
#include "net/finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "rapport/error.h"

enum {
    FINDING_MOST_TEXT = 1024, /* bytes of one text; longer ones are cut */
    FINDINGS_FIRST = 16
};

/* Safe for a terminal, on one line; NULL when memory is out. */
static char *safe_copy(const char *text)
{
    struct buf out = BUF_INIT;
    size_t len;
    struct slice raw = slice_str(text);
    raw.len = utf8_prefix(raw, FINDING_MOST_TEXT);
    utf8_printable(&out, raw, true);
    if (!buf_cstr(&out)) {
        buf_clear(&out);
        return NULL;
    }
    return (char *)buf_detach(&out, &len);
}

static void finding_free(struct finding *one)
{
    free(one->area);
    free(one->text);
    free(one->todo);
}

/* Room for one more: FINDINGS_FIRST places, then twice as many each time. */
static bool make_room(struct findings *f)
{
    bool full = f->n == 0 || (f->n >= FINDINGS_FIRST && (f->n & (f->n - 1)) == 0);
    size_t cap = f->n == 0 ? FINDINGS_FIRST : 2 * f->n;
    struct finding *list = full ? realloc(f->list, cap * sizeof *list) : f->list;
    if (list)
        f->list = list;
    return list != NULL;
}

void finding_add(struct findings *f, enum finding_state state, const char *area, const char *todo,
                 const char *format, ...)
{
    char raw[FINDING_MOST_TEXT + 8]; /* so that a cut one is seen to be longer */
    va_list args;
    if (f->error || f->n == FINDINGS_MOST)
        return;
    va_start(args, format);
    int n = vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    struct finding one = {.state = state,
                          .area = safe_copy(area),
                          .text = safe_copy(n < 0 ? "" : raw),
                          .todo = safe_copy(todo ? todo : "")};
    if (one.area && one.text && one.todo && make_room(f)) {
        f->list[f->n++] = one;
        return;
    }
    finding_free(&one);
    f->error = RAPPORT_NOMEM;
}

void findings_clear(struct findings *f)
{
    for (size_t i = 0; i < f->n; i++)
        finding_free(&f->list[i]);
    free(f->list);
    *f = (struct findings){0};
}
