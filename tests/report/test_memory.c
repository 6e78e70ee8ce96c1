/* test_memory.c - out of memory at every single allocation: an error, nothing lost, nothing
   apart. */
#include "world.h"

/* Does everything once: several notes, a talk, typing, a paste, trash, settings, an invite. */
static int edit_step(struct world *w, struct peer *p, size_t step)
{
    struct edit_context e = context_of(w, p);
    struct note *note = note_of(p, 1);
    uint8_t key[32] = {5};
    static const uint8_t talk[] = "\x99\xa1k\xa1t\xa0\xa0\xa0\xa0\xa0\xa0\x05";
    switch (step) {
    case 0:
        return report_new_note(p->report, &e, note_id(1), slice_str("a.md"),
                               slice_of(talk, sizeof talk - 1), slice_str("# t\n"));
    case 1:
        return report_splice(p->report, &e, note, 4, 0, slice_str("typed"));
    case 2:
        return report_splice(p->report, &e, note, 9, 0, slice_str("!"));
    case 3:
        return report_splice(p->report, &e, note, 8, 1, slice_str(""));
    case 4:
        return report_set(p->report, &e, slice_str("zone"), slice_str("UTC"));
    case 5:
        return report_add_invite(p->report, &e, key, 3, 0);
    case 6:
        return report_new_note(p->report, &e, note_id(2), slice_str("A.md"), slice_str(""),
                               slice_str(""));
    case 7:
        return report_rename(p->report, &e, note_of(p, 2), slice_str("b.md"));
    case 8:
        return report_trash(p->report, &e, note);
    case 9:
        return report_edit_text(p->report, &e, note, NULL, 0, slice_str("# other\ntext\n"));
    default:
        return report_settle_paths(p->report);
    }
}

enum {
    N_STEPS = 11
};

TEST(edits,
     "an edit that runs out of memory can be made again, and others see what its author sees")
{
    size_t n_failed = 0;
    for (size_t step = 0; step < N_STEPS; step++) {
        for (long n = 0;; n++) {
            struct world w;
            world_start(&w, 2);
            struct peer *p = &w.peers[0];
            for (size_t before = 0; before < step; before++)
                CHECK_EQ(edit_step(&w, p, before), 0);
            test_fail_allocation(n);
            int error = edit_step(&w, p, step);
            bool failed = test_allocation_failed();
            test_fail_allocation(-1);
            CHECK(error == 0 || (failed && error == RAPPORT_NOMEM));
            if (error)
                CHECK_EQ(edit_step(&w, p, step), 0);
            n_failed += error != 0;
            world_sync(&w);
            check_same(&w);
            world_end(&w);
            if (!failed)
                break;
        }
    }
    CHECK(n_failed > N_STEPS);
}

/* Applies the n-th delta that exists to a fresh report that holds those before, with a failure. */
static bool apply_failing(struct world *w, size_t delta, long n)
{
    static struct delta d;
    struct report *r;
    struct buf plain = BUF_INIT;
    uint8_t expected[16], digest[16];
    CHECK_EQ(report_create(7, &r), 0);
    bool failed = false;
    for (size_t i = 0; i < w->n_deltas; i++) {
        CHECK_EQ(delta_decode(buf_slice(&w->deltas[i]), w->report_id, &d), 0);
        const uint8_t *sign = log_find(&w->peers[0].logs, d.log)->origin;
        buf_reset(&plain);
        CHECK_EQ(delta_open(&d, &w->epoch, &plain), 0);
        test_fail_allocation(i == delta ? n : -1);
        int error = report_apply(r, &d, sign, buf_slice(&plain));
        if (i == delta)
            failed = test_allocation_failed();
        test_fail_allocation(-1);
        CHECK(error == 0 || (i == delta && failed && error == RAPPORT_NOMEM));
        if (error)
            CHECK_EQ(report_apply(r, &d, sign, buf_slice(&plain)), 0);
    }
    CHECK_EQ(report_digest(w->peers[0].report, NULL, expected), 0);
    CHECK_EQ(report_digest(r, NULL, digest), 0);
    CHECK_BYTES(digest, sizeof digest, expected, sizeof expected);
    buf_clear(&plain);
    report_destroy(r);
    return failed;
}

TEST(apply, "a delta that ran out of memory is applied again and then has had its effect once")
{
    struct world w;
    world_start(&w, 2);
    for (size_t step = 0; step < N_STEPS; step++) {
        CHECK_EQ(edit_step(&w, &w.peers[0], step), 0);
        if (step % 3 == 2)
            world_sync(&w);
    }
    CHECK_EQ(peer_type(&w, &w.peers[1], 1, 0, 2, "from the other"), 0);
    CHECK_EQ(peer_type(&w, &w.peers[0], 1, 3, 1, "meanwhile"), 0);
    world_sync(&w);
    size_t n_failed = 0;
    for (size_t delta = 0; delta < w.n_deltas; delta++)
        for (long n = 0; apply_failing(&w, delta, n); n++)
            n_failed++;
    CHECK(n_failed > w.n_deltas);
    world_end(&w);
}

TEST(cache, "saving, restoring, loading and digests that run out of memory can be done again")
{
    struct world w;
    struct buf out = BUF_INIT;
    uint8_t digest[16], again[16];
    world_start(&w, 2);
    struct peer *p = &w.peers[0];
    for (size_t step = 0; step < N_STEPS; step++)
        CHECK_EQ(edit_step(&w, p, step), 0);
    world_sync(&w);
    CHECK_EQ(report_digest(p->report, &p->logs, digest), 0);
    peer_save(&w, p);
    for (long n = 0;; n++) {
        struct report *r;
        CHECK_EQ(report_create(8, &r), 0);
        test_fail_allocation(n);
        int state = report_restore_state(r, buf_slice(&p->state));
        int one = report_restore_note(r, note_id(1), buf_slice(&p->metas[1]));
        struct note *note = report_note(r, note_id(1));
        int load = note ? report_load_note(r, note, buf_slice(&p->stored[1])) : RAPPORT_NOMEM;
        bool failed = test_allocation_failed();
        test_fail_allocation(-1);
        CHECK(!failed || state || one || load);
        if (state)
            CHECK_EQ(report_restore_state(r, buf_slice(&p->state)), 0);
        if (one)
            CHECK_EQ(report_restore_note(r, note_id(1), buf_slice(&p->metas[1])), 0);
        CHECK_EQ(report_restore_note(r, note_id(2), buf_slice(&p->metas[2])), 0);
        note = report_note(r, note_id(1));
        CHECK_EQ(report_load_note(r, note, buf_slice(&p->stored[1])), 0);
        test_fail_allocation(n);
        int error = report_digest(r, &p->logs, again);
        test_fail_allocation(-1);
        CHECK(error == 0 || error == RAPPORT_NOMEM);
        CHECK_EQ(report_digest(r, &p->logs, again), 0);
        CHECK_BYTES(again, sizeof again, digest, sizeof digest);
        test_fail_allocation(n);
        error = report_encode_state(r, &out);
        test_fail_allocation(-1);
        CHECK(error == 0 || (error == RAPPORT_NOMEM && out.len == 0));
        buf_clear(&out);
        report_destroy(r);
        if (!failed)
            break;
    }
    world_end(&w);
}
