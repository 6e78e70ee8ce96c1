/* test_roster.c - what each control event does, who may do it, and that the order of arrival does
 * not matter. */
#include "crypto/ticket.h"
#include "world.h"

static struct edit_context ctx(struct world *w, size_t peer)
{
    return context_of(w, &w->peers[peer]);
}

static const struct member *member(struct world *w, size_t at, size_t who)
{
    return report_member_by_sign(w->peers[at].report, w->peers[who].keys.sign_public);
}

static int set_role(struct world *w, size_t by, size_t who, enum role role)
{
    struct edit_context e = ctx(w, by);
    return report_set_role(w->peers[by].report, &e, member(w, by, who)->device, role);
}

static int remove_member(struct world *w, size_t by, size_t who)
{
    struct edit_context e = ctx(w, by);
    return report_remove_member(w->peers[by].report, &e, member(w, by, who)->device);
}

/* A world of 4 in which 1 is an admin. */
static void start_with_admin(struct world *w)
{
    world_start(w, 4);
    CHECK_EQ(set_role(w, 0, 1, ROLE_ADMIN), 0);
    world_sync(w);
}

TEST(founder, "genesis makes its author owner, and the record, its title and id are known to all")
{
    struct world w;
    uint8_t id[REPORT_ID_BYTES];
    world_start(&w, 2);
    CHECK_EQ(member(&w, 1, 0)->role, ROLE_OWNER);
    CHECK_EQ(member(&w, 1, 1)->role, ROLE_MEMBER);
    CHECK(!member(&w, 1, 1)->removed);
    CHECK_STR(member(&w, 0, 1)->card.name, "device 1");
    CHECK_SLICE(report_setting(w.peers[1].report, "title"), slice_str("FOSDEM"));
    report_id_of(id, report_genesis_record(w.peers[1].report));
    CHECK_BYTES(id, sizeof id, w.report_id, sizeof w.report_id);
    CHECK(report_member_by_noise(w.peers[1].report, w.peers[0].keys.noise_public) ==
          member(&w, 1, 0));
    CHECK(report_member_of_log(w.peers[1].report, w.peers[0].log) == member(&w, 1, 0));
    CHECK(!report_member_of_log(w.peers[1].report, note_id(9)));
    size_t at = 0;
    CHECK(report_next_member(w.peers[1].report, &at) == member(&w, 1, 0));
    CHECK(report_next_member(w.peers[1].report, &at) == member(&w, 1, 1));
    CHECK(!report_next_member(w.peers[1].report, &at));
    world_end(&w);
}

TEST(foreign_genesis, "a genesis record that is not this report's founds nothing in it")
{
    struct world w;
    static struct peer other;
    struct buf record = BUF_INIT, plain = BUF_INIT;
    uint8_t random[32] = {9};
    world_start(&w, 2);
    peer_init(&other, 5);
    peer_open_log(&w, &other);
    CHECK_EQ(genesis_make(&other.card, random, slice_str("Mine"), &record), 0);
    struct payload_event event = {.kind = DELTA_CONTROL, .value = buf_slice(&record)};
    event.type.control = CONTROL_GENESIS;
    mp_put_array(&plain, 1);
    payload_put_event(&plain, &event);
    peer_send_plain(&w, &other, DELTA_CONTROL, 1, &plain);
    report_destroy(w.peers[1].report);
    CHECK_EQ(report_create(4, &w.peers[1].report), 0);
    log_set_clear(&w.peers[1].logs);
    log_set_init(&w.peers[1].logs, w.report_id, 5);
    CHECK(peer_receive(&w, &w.peers[1], w.n_deltas - 1));
    CHECK_EQ(report_genesis_record(w.peers[1].report).len, 0);
    peer_catch_up(&w, &w.peers[1]);
    CHECK(!report_member_by_sign(w.peers[1].report, other.keys.sign_public));
    CHECK_SLICE(report_setting(w.peers[1].report, "title"), slice_str("FOSDEM"));
    buf_clear(&plain);
    buf_clear(&record);
    report_destroy(other.report);
    draft_destroy(other.draft);
    log_set_clear(&other.logs);
    free(other.arrived);
    world_end(&w);
}

TEST(who_may, "members set settings, admins let in and out, only owners touch owners")
{
    struct world w;
    uint8_t key[32] = {1}, id[ID_BYTES];
    start_with_admin(&w);
    struct edit_context owner = ctx(&w, 0), admin = ctx(&w, 1), plain = ctx(&w, 2);
    struct report *o = w.peers[0].report, *a = w.peers[1].report, *m = w.peers[2].report;
    CHECK_EQ(report_set(m, &plain, slice_str("zone"), slice_str("UTC")), 0);
    CHECK_EQ(report_add_invite(m, &plain, key, 1, 0), RAPPORT_PERMISSION);
    CHECK_EQ(set_role(&w, 2, 3, ROLE_ADMIN), RAPPORT_PERMISSION);
    CHECK_EQ(remove_member(&w, 2, 3), RAPPORT_PERMISSION);
    CHECK_EQ(report_add_member(m, &plain, &w.peers[3].card, ROLE_MEMBER, NULL), RAPPORT_PERMISSION);
    CHECK_EQ(set_role(&w, 1, 3, ROLE_OWNER), RAPPORT_PERMISSION);
    CHECK_EQ(set_role(&w, 1, 0, ROLE_MEMBER), RAPPORT_PERMISSION);
    CHECK_EQ(remove_member(&w, 1, 0), RAPPORT_PERMISSION);
    CHECK_EQ(report_add_member(a, &admin, &w.peers[0].card, ROLE_MEMBER, NULL), RAPPORT_PERMISSION);
    CHECK_EQ(report_add_member(a, &admin, &w.peers[3].card, ROLE_OWNER, NULL), RAPPORT_PERMISSION);
    CHECK_EQ(report_add_invite(a, &admin, key, 1, 0), 0);
    invite_id(id, key);
    CHECK_EQ(report_revoke_invite(a, &admin, id), 0);
    CHECK_EQ(set_role(&w, 1, 3, ROLE_ADMIN), 0);
    CHECK_EQ(remove_member(&w, 1, 3), 0);
    CHECK_EQ(remove_member(&w, 2, 2), 0);
    CHECK_EQ(set_role(&w, 0, 1, ROLE_OWNER), 0);
    CHECK_EQ(report_genesis(o, &owner, buf_slice(&w.genesis)), RAPPORT_STATE);
    world_sync(&w);
    CHECK_EQ(member(&w, 3, 1)->role, ROLE_OWNER);
    CHECK(member(&w, 3, 3)->removed && member(&w, 3, 2)->removed);
    CHECK(report_invite(w.peers[3].report, key)->revoked);
    CHECK_SLICE(report_setting(w.peers[3].report, "zone"), slice_str("UTC"));
    check_same(&w);
    world_end(&w);
}

/* Sends a control event that the author's own report would refuse. */
static void send_control(struct world *w, size_t by, enum control_event type, size_t who,
                         enum role role)
{
    struct buf plain = BUF_INIT;
    struct payload_event event = {.kind = DELTA_CONTROL, .role = role};
    event.type.control = type;
    memcpy(event.id, member(w, 0, who)->device, ID_BYTES);
    mp_put_array(&plain, 1);
    payload_put_event(&plain, &event);
    peer_send_plain(w, &w->peers[by], DELTA_CONTROL, 1, &plain);
    buf_clear(&plain);
}

TEST(usurper, "an act without the role counts nowhere")
{
    struct world w;
    start_with_admin(&w);
    send_control(&w, 2, CONTROL_ROLE, 2, ROLE_OWNER);
    send_control(&w, 2, CONTROL_REMOVE, 0, 0);
    send_control(&w, 1, CONTROL_REMOVE, 0, 0);
    peer_catch_up(&w, &w.peers[3]);
    CHECK_EQ(member(&w, 3, 2)->role, ROLE_MEMBER);
    CHECK(!member(&w, 3, 0)->removed);
    world_end(&w);
}

TEST(invites, "adds by an invite are counted, an invite for one only works at its issuer")
{
    struct world w;
    static struct peer guests[3];
    uint8_t one[32] = {1}, many[32] = {2}, one_id[ID_BYTES], many_id[ID_BYTES];
    start_with_admin(&w);
    for (uint8_t i = 0; i < 3; i++)
        peer_init(&guests[i], (uint8_t)(10 + i));
    invite_id(one_id, one);
    invite_id(many_id, many);
    struct edit_context owner = ctx(&w, 0);
    CHECK_EQ(report_add_invite(w.peers[0].report, &owner, one, 1, 1000), 0);
    CHECK_EQ(report_add_invite(w.peers[0].report, &owner, many, 5, 0), 0);
    world_sync(&w);
    struct edit_context admin = ctx(&w, 1);
    struct report *r = w.peers[1].report;
    CHECK_EQ(report_add_member(r, &admin, &guests[0].card, ROLE_MEMBER, one_id),
             RAPPORT_PERMISSION);
    CHECK_EQ(report_add_member(r, &admin, &guests[1].card, ROLE_MEMBER, many_id), 0);
    CHECK_EQ(report_add_member(r, &admin, &guests[2].card, ROLE_MEMBER, many_id), 0);
    CHECK_EQ(report_add_member(r, &admin, &guests[2].card, ROLE_MEMBER, many_id), 0);
    owner = ctx(&w, 0);
    CHECK_EQ(report_add_member(w.peers[0].report, &owner, &guests[0].card, ROLE_MEMBER, one_id), 0);
    world_sync(&w);
    const struct invite *invite = report_invite(w.peers[2].report, one);
    CHECK(invite->n_used == 1 && invite->n_uses == 1 && invite->expires_s == 1000);
    CHECK_BYTES(invite->issuer, ID_BYTES, member(&w, 2, 0)->device, ID_BYTES);
    CHECK_EQ(report_invite(w.peers[2].report, many)->n_used, 2);
    size_t at = 0;
    CHECK(report_next_invite(w.peers[2].report, &at) && report_next_invite(w.peers[2].report, &at));
    CHECK(!report_next_invite(w.peers[2].report, &at));
    check_same(&w);
    for (size_t i = 0; i < 3; i++)
        report_destroy(guests[i].report);
    world_end(&w);
}

TEST(add_again, "a device that was removed and is added again is in, with its new card")
{
    struct world w;
    struct device_card renamed;
    start_with_admin(&w);
    CHECK_EQ(remove_member(&w, 1, 3), 0);
    CHECK_EQ(card_make(&renamed, &w.peers[3].keys, slice_str("new name"), 2), 0);
    struct edit_context admin = ctx(&w, 1);
    CHECK_EQ(report_add_member(w.peers[1].report, &admin, &renamed, ROLE_MEMBER, NULL), 0);
    world_sync(&w);
    CHECK(!member(&w, 0, 3)->removed);
    CHECK_STR(member(&w, 0, 3)->card.name, "new name");
    check_same(&w);
    world_end(&w);
}

TEST(removed_author, "what a removed device wrote counts the same, whichever comes first")
{
    struct world w;
    start_with_admin(&w);
    CHECK_EQ(peer_new(&w, &w.peers[3], 1, "a.md"), 0);
    CHECK_EQ(peer_type(&w, &w.peers[3], 1, 0, 0, "text"), 0);
    peer_seal(&w, &w.peers[3]);
    CHECK_EQ(remove_member(&w, 1, 3), 0);
    peer_seal(&w, &w.peers[1]);
    CHECK(peer_receive(&w, &w.peers[0], w.n_deltas - 1));
    CHECK(peer_receive(&w, &w.peers[0], w.n_deltas - 2));
    world_sync(&w);
    check_text_is(&w.peers[0], 1, "text");
    check_same(&w);
    world_end(&w);
}

TEST(concurrent_acts,
     "admins who act on each other at once come to one roster in any order of arrival")
{
    struct test_rng rng = test_rng_start(3);
    for (size_t round = 0; round < 50; round++) {
        struct world w;
        start_with_admin(&w);
        CHECK_EQ(set_role(&w, 0, 2, ROLE_ADMIN), 0);
        world_sync(&w);
        for (size_t i = 0; i < 12; i++) {
            size_t by = test_rng_below(&rng, 3), who = test_rng_below(&rng, 4);
            int error = test_rng_below(&rng, 2)
                            ? remove_member(&w, by, who)
                            : set_role(&w, by, who, (enum role)(1 + test_rng_below(&rng, 2)));
            CHECK(error == 0 || error == RAPPORT_PERMISSION);
            peer_seal(&w, &w.peers[by]);
            peer_receive(&w, &w.peers[test_rng_below(&rng, 4)], test_rng_below(&rng, w.n_deltas));
        }
        for (size_t i = 0; i < 4; i++)
            while (w.peers[i].n_arrived < w.n_deltas)
                peer_receive(&w, &w.peers[i], test_rng_below(&rng, w.n_deltas));
        check_same(&w);
        world_end(&w);
    }
}

TEST(noise_key_is_not_taken_over, "a card with another's Noise key does not answer for it")
{
    struct world w;
    static struct peer thief;
    start_with_admin(&w);
    peer_init(&thief, 20);
    memcpy(thief.keys.noise_public, w.peers[2].keys.noise_public, DEVICE_KEY_BYTES);
    CHECK_EQ(card_make(&thief.card, &thief.keys, slice_str("thief"), 1), 0);
    struct edit_context admin = ctx(&w, 1);
    CHECK_EQ(report_add_member(w.peers[1].report, &admin, &thief.card, ROLE_MEMBER, NULL), 0);
    CHECK(report_member_by_noise(w.peers[1].report, w.peers[2].keys.noise_public) ==
          member(&w, 1, 2));
    report_destroy(thief.report);
    world_end(&w);
}
