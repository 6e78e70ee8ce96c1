/* small_post.h - one small report with three notes, from which the golden files are made. */
#ifndef TESTS_PUBLISH_SMALL_POST_H
#define TESTS_PUBLISH_SMALL_POST_H

#include "files.h"
#include "publish/post.h"

static const char small_report[] = "---\n"
                                   "title: \"Two days: a \\\"report\\\"\"\n"
                                   "date: 2023-02-06T09:00:00+01:00\n"
                                   "tags: [fosdem, C++]\n"
                                   "authors: [Zoé]\n"
                                   "summary: Trains & talks\n"
                                   "---\n"
                                   "\n"
                                   "It was cold, see [the site](https://fosdem.org/2023/).\n"
                                   "\n"
                                   "## Saturday\n"
                                   "\n"
                                   "![[chowns]]\n"
                                   "\n"
                                   "![[Headscale, tested]]\n"
                                   "\n"
                                   "![[booths]]\n"
                                   "That was all.\n";

static const char chowns_note[] = "Send in the chown()s\n"
                                  "====================\n"
                                  "\n"
                                  "Mapping users, see [docs][1].\n"
                                  "\n"
                                  "```sh\n"
                                  "# no heading\n"
                                  "unshare --user <cmd>\n"
                                  "```\n"
                                  "\n"
                                  "### Questions\n"
                                  "\n"
                                  "1. Why?\n"
                                  "2. Why *not*?\n"
                                  "\n"
                                  "[1]: https://example.org/a\n";

static const char headscale_note[] =
    "---\n"
    "tags: [vpn]\n"
    "---\n"
    "# Headscale, tested\n"
    "\n"
    "*Saturday 4 February, 15:30, UD2.218A: Kristoffer Dalby, Juan Font Alonso*\n"
    "\n"
    "Own server[^1], see [1] and ![slide](../media/slide one.jpg).\n"
    "\n"
    "| what | how many |\n"
    "|------|---------:|\n"
    "| node | 2 |\n"
    "\n"
    "- [x] tried\n"
    "- [ ] ~~deployed~~\n"
    "\n"
    "[1]: <https://example.org/b> \"B\"\n"
    "[^1]: In Go.\n";

static const char booths_note[] =
    "# Booths {#x}\n\nStickers {{< figure src=\"x\" >}} & <b>beer</b>.\n";

/* Fills `notes` (3) for the small report; `s` must live as long. */
static inline struct post_input small_input(const struct schedule *s, struct post_note *notes)
{
    static const char *const ada[] = {"Ada"}, *const both[] = {"Bob", "Ada"};
    const struct talk *talk = NULL;
    notes[0] = (struct post_note){
        .path = "notes/chowns.md", .text = slice_str(chowns_note), .authors = ada};
    notes[1] = (struct post_note){.path = "notes/headscale.md",
                                  .title = "Headscale, tested",
                                  .text = slice_str(headscale_note),
                                  .authors = both};
    notes[2] = (struct post_note){.path = "notes/booths.md", .text = slice_str(booths_note)};
    notes[0].n_authors = 1;
    notes[1].n_authors = 2;
    if (schedule_find(s, "14048", &talk) == 0)
        notes[0].talk = talk;
    if (schedule_find(s, "14550", &talk) == 0)
        notes[1].talk = talk;
    return (struct post_input){.report = slice_str(small_report), .notes = notes, .n_notes = 3};
}

static inline struct schedule sample_schedule(void)
{
    struct schedule s = SCHEDULE_INIT;
    struct buf bytes = read_sample("tests/samples/fosdem-2023-sample.xml"), why = BUF_INIT;
    if (schedule_parse_xml(buf_slice(&bytes), &s, &why))
        test_fail(__FILE__, __LINE__, "%s", buf_cstr(&why));
    buf_clear(&bytes);
    buf_clear(&why);
    return s;
}

#endif
