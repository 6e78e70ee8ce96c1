/*
 * rig.h - the rig's people: they begin reports, join, write, meet, and end. The machine below them
 * is rig_core.h.
 */
#ifndef TESTS_NODE_RIG_H
#define TESTS_NODE_RIG_H

#include "rig_core.h"

/* ---- life ---- */

/* Forgets everything. Databases are empty, the clock stands at 1 s. */
static inline void rig_start(unsigned show)
{
    CHECK(sodium_init() >= 0);
    for (int i = 0; i < RIG_SIDES; i++) {
        rapport_node_destroy(rig.side[i].node);
        rig.side[i] = (struct rig_side){0};
        memset(rig.side[i].device_seed, 'A' + i, sizeof rig.side[i].device_seed);
    }
    rig.n_wires = rig.n_actions = rig.used = 0;
    memset(rig.n_dialling, 0, sizeof rig.n_dialling);
    rig.now = 1000;
    rig.seed = 0;
    rig.show = show;
    rig.cut = false;
    rig_forget();
}

static inline struct rapport_address rig_address(int side)
{
    return (struct rapport_address){
        .family = 4, .bytes = {10, 0, 0, 1}, .port = (uint16_t)(RIG_PORT + side)};
}

static inline int rig_event(int side, enum rapport_event_kind kind)
{
    struct rapport_event e = {.kind = kind};
    return rig_step(side, &e);
}

/* The process ends here: what is not in the database is lost. */
static inline void rig_stop(int side)
{
    struct rig_side *s = &rig.side[side];
    for (uint32_t w = 0; w < rig.n_wires; w++)
        for (uint32_t k = 0; k < 2; k++)
            if (rig.wires[w].side[k] == side && rig.wires[w].open[k])
                rig_close(2 * w + k + 1);
    rapport_node_destroy(s->node);
    s->node = NULL;
    s->n_held = s->n_loads = 0;
    s->store_error = 0;
    s->hold_written = s->hold_stored = s->hold_loads = false;
}

static inline int rig_make(int side, struct rapport_node_config *config)
{
    static const char *const names[RIG_SIDES] = {"Ada", "Ben", "Cleo", "Dov"};
    struct rig_side *s = &rig.side[side];
    config->device_seed = s->device_seed;
    config->name = names[side];
    config->wall_ms = rig_wall(side);
    memset(config->seed, ++rig.seed, sizeof config->seed);
    int error = rapport_node_create(config, &s->node);
    s->life++;
    s->refused = 0;
    return error;
}

static inline int rig_init(int side)
{
    struct rapport_node_config config = {.start = RAPPORT_START_INIT, .title = "A report"};
    int error = rig_make(side, &config);
    return error ? error : rig_event(side, RAPPORT_EVENT_ONLINE);
}

static inline int rig_join(int side, const char *ticket)
{
    struct rapport_node_config config = {.start = RAPPORT_START_JOIN, .ticket = ticket};
    int error = rig_make(side, &config);
    return error ? error : rig_event(side, RAPPORT_EVENT_ONLINE);
}

static inline int rig_open(int side)
{
    struct rapport_node_config config = {.start = RAPPORT_START_OPEN};
    int error = rig_make(side, &config);
    return error ? error : rig_event(side, RAPPORT_EVENT_ONLINE);
}

/* A ticket by this side; free() it. */
static inline char *rig_ticket(int side, uint32_t n_uses, uint64_t expires_s)
{
    struct rapport_address address = rig_address(side);
    struct rapport_invite invite = {
        .n_uses = n_uses, .expires_s = expires_s, .addresses = &address, .n_addresses = 1};
    uint8_t public_key[32];
    rapport_node_draw_invite(rig.side[side].node, invite.seed, public_key);
    struct rapport_edit edit = {.kind = RAPPORT_EDIT_INVITE,
                                .public_key = public_key,
                                .n_uses = n_uses,
                                .expires_s = expires_s};
    struct rapport_event e = {.kind = RAPPORT_EVENT_EDIT, .edit = &edit};
    char *ticket = NULL;
    if (rig_step(side, &e) == 0)
        (void)rapport_node_ticket(rig.side[side].node, &invite, &ticket);
    return ticket;
}

static inline int rig_edit(int side, const struct rapport_edit *edit)
{
    struct rapport_event e = {.kind = RAPPORT_EVENT_EDIT, .edit = edit};
    int error = RAPPORT_AGAIN;
    for (int i = 0; error == RAPPORT_AGAIN && i < 3; i++)
        error = rig_step(side, &e);
    return error;
}

/* A note whose id is 16 times this letter. */
static inline const uint8_t *rig_note(char letter)
{
    static uint8_t ids[256][RAPPORT_NOTE_ID_BYTES];
    memset(ids[(uint8_t)letter], letter, sizeof ids[0]);
    return ids[(uint8_t)letter];
}

static inline int rig_new(int side, char letter)
{
    char path[] = "notes/x.md";
    path[6] = letter;
    struct rapport_edit e = {
        .kind = RAPPORT_EDIT_NEW, .note = rig_note(letter), .path = path, .text = ""};
    return rig_edit(side, &e);
}

static inline int rig_append(int side, char letter, const char *text)
{
    struct rapport_edit e = {.kind = RAPPORT_EDIT_APPEND,
                             .note = rig_note(letter),
                             .text = text,
                             .text_len = strlen(text)};
    return rig_edit(side, &e);
}

/* The note's text (static, the newest of each side), "" when there is none. */
static inline const char *rig_text(int side, char letter)
{
    static char texts[RIG_SIDES][4096];
    char *text = NULL;
    size_t len = 0;
    int error = RAPPORT_AGAIN;
    for (int i = 0; error == RAPPORT_AGAIN && i < 3; i++) {
        error = rapport_node_note_text(rig.side[side].node, rig_note(letter), &text, &len);
        rig_drain(side);
    }
    snprintf(texts[side], sizeof texts[side], "%s", error ? "" : text);
    if (!error)
        free(text);
    return texts[side];
}

static inline void rig_meet(int side, int other)
{
    struct rapport_event e = {.kind = RAPPORT_EVENT_CANDIDATE,
                              .address = rig_address(other),
                              .source = RAPPORT_SOURCE_STATIC};
    CHECK_EQ(rig_step(side, &e), 0);
}

static inline bool rig_equal(int a, int b)
{
    uint8_t x[RAPPORT_DIGEST_BYTES], y[RAPPORT_DIGEST_BYTES];
    return rig.side[a].node && rig.side[b].node && rapport_node_digest(rig.side[a].node, x) == 0 &&
           rapport_node_digest(rig.side[b].node, y) == 0 && memcmp(x, y, sizeof x) == 0;
}

/* A and B of one report with the note 'n' ("one "), connected and even. */
static inline void rig_two(unsigned show)
{
    rig_start(0);
    CHECK_EQ(rig_init(0), 0);
    CHECK_EQ(rig_new(0, 'n'), 0);
    CHECK_EQ(rig_append(0, 'n', "one "), 0);
    char *ticket = rig_ticket(0, 200, 0);
    CHECK(ticket != NULL);
    rig_run(100);
    CHECK_EQ(rig_join(1, ticket), 0);
    free(ticket);
    rig_run(5000);
    CHECK(rig_equal(0, 1));
    rig.show = show;
    rig_forget();
}

#define CHECK_TRACE(expected)                                                                      \
    do {                                                                                           \
        if (strcmp(rig.trace, expected) != 0) {                                                    \
            fprintf(stderr, "the trace is\n%s", rig.trace);                                        \
            test_fail(__FILE__, __LINE__, "not what was expected");                                \
        }                                                                                          \
    } while (0)

#endif
