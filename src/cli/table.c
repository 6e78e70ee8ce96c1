/*
 * table.c - aligned columns (see cli.h). Widths are those of a terminal: two for wide letters, none
 * for marks that stand on the letter before.
 */
#include <stdarg.h>
#include <stdio.h>
#include <utf8proc.h>

#include "base/utf8.h"
#include "cli/cli.h"

enum {
    TABLE_MOST_CELL = 512, /* bytes of a cell of our own text */
    TABLE_GAP = 2
};

static size_t width_of(struct slice text)
{
    size_t width = 0, at = 0;
    while (at < text.len) {
        int32_t cp = utf8_next(text, &at);
        int cells = cp < 0 ? 1 : utf8proc_charwidth(cp);
        width += cells > 0 ? (size_t)cells : 0;
    }
    return width;
}

/* The longest front of `text` that is at most `most` wide. */
static struct slice fit(struct slice text, size_t most)
{
    size_t width = 0, at = 0, end = 0;
    while (at < text.len) {
        int32_t cp = utf8_next(text, &at);
        int cells = cp < 0 ? 1 : utf8proc_charwidth(cp);
        width += cells > 0 ? (size_t)cells : 0;
        if (width > most)
            break;
        end = at;
    }
    return slice_of(text.ptr, end);
}

void table_put(struct table *t, struct slice text)
{
    utf8_printable(&t->cells, text, true);
    buf_u8(&t->cells, 0);
    t->n_cells++;
}

void table_print(struct table *t, const char *format, ...)
{
    char raw[TABLE_MOST_CELL];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    table_put(t, slice_of(raw, n < 0 ? 0 : strlen(raw)));
}

static struct slice next_cell(const struct table *t, size_t *at)
{
    const char *cell = (const char *)t->cells.ptr + *at;
    struct slice s = slice_str(cell);
    *at += s.len + 1;
    return s;
}

static void measure(const struct table *t, size_t widths[TABLE_MOST_COLUMNS])
{
    size_t at = 0;
    for (size_t i = 0; i < t->n_cells; i++) {
        size_t width = width_of(next_cell(t, &at));
        size_t column = i % t->n_columns;
        if (width > widths[column])
            widths[column] = width;
    }
}

static void put_cell(struct cli *cli, struct slice cell, size_t width, bool last)
{
    buf_append_slice(&cli->out, cell);
    for (size_t w = width_of(cell); !last && w < width + TABLE_GAP; w++)
        buf_u8(&cli->out, ' ');
}

static void end_row(struct cli *cli)
{
    while (cli->out.len && cli->out.ptr[cli->out.len - 1] == ' ')
        cli->out.len--;
    buf_u8(&cli->out, '\n');
}

void table_end(struct table *t, struct cli *cli)
{
    size_t widths[TABLE_MOST_COLUMNS] = {0}, columns = cli_columns(cli), before = 0, at = 0;
    if (buf_error(&t->cells))
        cli->out.error = buf_error(&t->cells);
    else
        measure(t, widths);
    for (size_t i = 0; i + 1 < t->n_columns; i++)
        before += widths[i] + TABLE_GAP;
    for (size_t i = 0; i < t->n_cells && !buf_error(&t->cells); i++) {
        size_t column = i % t->n_columns;
        bool last = column + 1 == t->n_columns;
        struct slice cell = next_cell(t, &at);
        if (i == 0 && cli->colour)
            buf_append_str(&cli->out, "\033[2m");
        put_cell(cli, last && columns > before ? fit(cell, columns - before) : cell, widths[column],
                 last);
        if (last && i < t->n_columns && cli->colour)
            buf_append_str(&cli->out, "\033[0m");
        if (last)
            end_row(cli);
    }
    buf_clear(&t->cells);
    *t = (struct table){0};
}
