/*
 * make.c - writes a report of a given size on the disk, as one person's notes taken over days: for
 * measuring at scale with the program itself. Time is the person's: 40 ms an edit, so each typed
 * run becomes a delta as it would from a keyboard, and a minute's work passes in milliseconds.
 *
 * The device key goes to HOME (default DIR.home), in the form that the host layer keeps, so
 * RAPPORT_HOME=DIR.home rapport -C DIR works on it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/drive.h"
#include "bench/figures.h"
#include "bench/person.h"

enum {
    KEY_BYTES = 32
};

static void make_folder(const char *path, mode_t mode)
{
    if (mkdir(path, mode) && errno != EEXIST) {
        fprintf(stderr, "rapport-bench: %s: %s\n", path, strerror(errno));
        exit(1);
    }
}

/* The key of that home; drawn where there is none. */
static void home_key(const char *home, uint8_t key[KEY_BYTES])
{
    char path[4096];
    make_folder(home, 0700);
    snprintf(path, sizeof path, "%s/device.key", home);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool there = fd >= 0;
    ssize_t n = there ? read(fd, key, KEY_BYTES) : 0;
    if (!there && getrandom(key, KEY_BYTES, 0) == KEY_BYTES) {
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        n = fd < 0 ? -1 : write(fd, key, KEY_BYTES);
    }
    if (fd < 0 || n != KEY_BYTES || close(fd))
        must(RAPPORT_IO, path);
}

/* One more note that holds a text of nearly so many bytes, pasted at once. */
static void paste(struct drive *d, struct person *p, size_t n_bytes)
{
    struct buf text = BUF_INIT;
    uint8_t id[RAPPORT_NOTE_ID_BYTES];
    buf_append_str(&text, "# Pasted\n\n");
    while (text.len + 8192 < n_bytes && !buf_error(&text))
        person_words(p, 4096, &text);
    must(buf_error(&text), "paste");
    rapport_node_draw_note_id(d->node, id);
    struct rapport_edit note = {
        .kind = RAPPORT_EDIT_NEW, .note = id, .path = "notes/pasted.md", .text = ""};
    must(drive_edit(d, &note), "paste");
    struct rapport_edit edit = {.kind = RAPPORT_EDIT_APPEND, .note = id};
    edit.text = (const char *)text.ptr;
    edit.text_len = text.len;
    must(drive_edit(d, &edit), "paste");
    buf_clear(&text);
}

int bench_make(int argc, char **argv)
{
    if (argc < 2 || argv[1][0] == '-') {
        fputs("usage: rapport-bench make DIR [--notes N] [--events N] [--paste BYTES] [--seed S] "
              "[--home HOME]\n",
              stderr);
        return 2;
    }
    char path[4096], home[4096];
    uint8_t key[KEY_BYTES];
    uint64_t events = option_number(argc, argv, "--events", 100000);
    size_t notes = (size_t)option_number(argc, argv, "--notes", 100);
    struct drive d = {0};
    struct person p;
    double start = figure_ms();
    snprintf(home, sizeof home, "%s.home", argv[1]);
    home_key(option_word(argc, argv, "--home", home), key);
    make_folder(argv[1], 0777);
    snprintf(path, sizeof path, "%s/.rapport", argv[1]);
    make_folder(path, 0700);
    snprintf(path, sizeof path, "%s/.rapport/report.db", argv[1]);
    struct rapport_node_config config = {
        .start = RAPPORT_START_INIT, .device_seed = key, .name = "Bench", .title = "Scale"};
    must(drive_open(&d, path, &config), path);
    must(person_init(&p, option_number(argc, argv, "--seed", 1), notes, events), "person");
    drive_person(&d, &p, events);
    if (option_number(argc, argv, "--paste", 0))
        paste(&d, &p, (size_t)option_number(argc, argv, "--paste", 0));
    must(drive_flush(&d), "flush");
    printf("{\"notes\":%zu,\"events\":%llu,\"ms\":%.0f,\"rss_kb\":%ld}\n", p.n_notes,
           (unsigned long long)p.n_events, figure_ms() - start, figure_rss_kb(true));
    person_clear(&p);
    drive_close(&d);
    return 0;
}
