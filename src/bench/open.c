/*
 * open.c - time and memory to open a report and to show one note. The report's database is opened
 * as the program opens it, and closed without a write.
 *
 * open_ms: from nothing to the list of notes. show_ms: the text of the largest note after that.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"
#include "bench/drive.h"
#include "bench/figures.h"

struct found {
    size_t n_notes, n_bytes, largest;
    uint8_t note[RAPPORT_NOTE_ID_BYTES];
};

static struct found look(struct rapport_node *node)
{
    struct rapport_note_info info;
    struct found found = {0};
    for (size_t at = 0; rapport_node_next_note(node, &at, &info);) {
        found.n_notes++;
        found.n_bytes += info.n_bytes;
        if (info.n_bytes < found.largest)
            continue;
        found.largest = info.n_bytes;
        memcpy(found.note, info.id, sizeof found.note);
    }
    return found;
}

static void show(struct drive *d, const uint8_t note[RAPPORT_NOTE_ID_BYTES])
{
    struct rapport_event nothing = {.kind = RAPPORT_EVENT_TIMEOUT};
    char *text;
    size_t len;
    int error;
    while ((error = rapport_node_note_text(d->node, note, &text, &len)) == RAPPORT_AGAIN)
        must(drive_step(d, &nothing), "show");
    must(error, "show");
    free(text);
}

int bench_open(int argc, char **argv)
{
    if (argc != 2) {
        fputs("usage: rapport-bench open DIR\n", stderr);
        return 2;
    }
    char path[4096];
    uint8_t seed[32] = {1}; /* reads only, so any device will do */
    struct drive d = {0};
    struct rapport_node_config config = {
        .start = RAPPORT_START_OPEN, .device_seed = seed, .name = "Bench"};
    snprintf(path, sizeof path, "%s/.rapport/report.db", argv[1]);
    long rss_start = figure_rss_kb(false);
    double start = figure_ms();
    must(drive_open(&d, path, &config), path);
    must(rapport_node_failure(d.node), path);
    struct found found = look(d.node);
    double opened = figure_ms();
    long rss_open = figure_rss_kb(false);
    if (found.n_notes)
        show(&d, found.note);
    double shown = figure_ms();
    printf("{\"notes\":%zu,\"bytes\":%zu,\"open_ms\":%.1f,\"show_ms\":%.1f,\"shown_bytes\":%zu,"
           "\"rss_start_kb\":%ld,\"rss_open_kb\":%ld,\"rss_kb\":%ld,\"peak_kb\":%ld}\n",
           found.n_notes, found.n_bytes, opened - start, shown - opened, found.largest, rss_start,
           rss_open, figure_rss_kb(false), figure_rss_kb(true));
    drive_close(&d);
    return 0;
}
