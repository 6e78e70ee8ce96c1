/* test_join.c - beginning a report, inviting, joining: who gets in, and what is refused how. */
#include "script.h"

TEST(node_init, "a new report is stored before anything else, and ready at once")
{
    rig_start(SHOW_ALL);
    CHECK_EQ(rig_init(0), 0);
    CHECK(rapport_node_ready(rig.side[0].node));
    rig_run(1000);
    CHECK_TRACE("1000 A store 1: 1 deltas\n"
                "1000 A written 1\n"
                "1005 A stored 1\n");
    CHECK_EQ(rapport_node_unsaved(rig.side[0].node), 0);
}

/* A report of A's, and a ticket for it. */
static char *report_and_ticket(uint32_t n_uses, uint64_t expires_s)
{
    rig_start(0);
    CHECK_EQ(rig_init(0), 0);
    char *ticket = rig_ticket(0, n_uses, expires_s);
    CHECK(ticket != NULL);
    rig_run(100);
    rig.show = SHOW_ALL;
    rig_forget();
    return ticket;
}

TEST(node_join, "a friend with a ticket gets the report in one connection, welcomed when stored")
{
    char *ticket = report_and_ticket(1, 0);
    CHECK_EQ(rig_join(1, ticket), 0);
    rig_run(1000);
    CHECK_TRACE("1100 B dials A\n"
                "1130 B>A noise\n"
                "1140 A>B noise\n"
                "1150 B>A noise\n"
                "1150 B>A JOIN\n"
                "1150 A store 3: 1 deltas\n"
                "1150 A written 3\n"
                "1155 A stored 3\n"
                "1155 A joined\n"
                "1165 A>B WELCOME HELLO HAVE(1)\n"
                "1165 B joined\n"
                "1165 B store 1: 0 deltas\n"
                "1165 B written 1\n"
                "1170 B stored 1\n"
                "1175 B>A HELLO HAVE(0)\n"
                "1185 A>B DELTAS(3)\n"
                "1185 B store 2: 3 deltas\n"
                "1185 B written 2\n"
                "1190 B stored 2\n"
                "1200 B>A HAVE(1)\n"
                "1695 B>A PONG\n");
    CHECK(rig_equal(0, 1));
    free(ticket);
}

TEST(node_join_edit, "a joiner edits when the report came that he is a member of, not before")
{
    char *ticket = report_and_ticket(1, 0);
    CHECK_EQ(rig_join(1, ticket), 0);
    rig_run(70);
    CHECK_EQ(rig.side[1].n_joined, 1);
    CHECK(!rapport_node_ready(rig.side[1].node));
    CHECK_EQ(rig_new(1, 'n'), RAPPORT_STATE);
    rig_run(30);
    CHECK(rapport_node_ready(rig.side[1].node));
    CHECK_EQ(rig_new(1, 'n'), 0);
    free(ticket);
}

TEST(node_join_stored, "nobody is welcomed by an admission that is not on the disk")
{
    char *ticket = report_and_ticket(1, 0);
    rig.show = SHOW_WIRE;
    rig.side[0].hold_stored = true;
    CHECK_EQ(rig_join(1, ticket), 0);
    rig_run(100);
    rig_forget();
    struct rapport_address other = rig_address(0);
    other.port += 100; /* the same device comes by a second address */
    struct rapport_event e = {.kind = RAPPORT_EVENT_CANDIDATE, .address = other};
    CHECK_EQ(rig_step(1, &e), 0);
    rig_run(1000);
    CHECK_TRACE("1230 B>A noise\n"
                "1240 A>B noise\n"
                "1250 B>A noise\n"
                "1250 B>A JOIN\n");
    rig.side[0].hold_stored = false;
    rig_sync(0);
    rig_run(5000);
    CHECK_EQ(rig.side[1].n_joined, 1);
    CHECK(rig_equal(0, 1));
    free(ticket);
}

TEST(node_join_lost_welcome, "whose WELCOME was lost comes again with the same one-use ticket")
{
    char *ticket = report_and_ticket(1, 0);
    rig.show = 0;
    CHECK_EQ(rig_join(1, ticket), 0);
    rig_run(60); /* JOIN is stored, WELCOME under way */
    CHECK_EQ(rig.side[0].n_joined, 1);
    rig_stop(1);
    rig_run(100);
    CHECK_EQ(rig_join(1, ticket), 0);
    rig_run(1000);
    CHECK_EQ(rig.side[1].n_joined, 1);
    CHECK(rig_equal(0, 1));
    CHECK_EQ(rig_join(2, ticket), 0);
    rig_run(1000);
    CHECK_EQ(rig.side[2].n_joined, 0);
    CHECK_EQ(rig.side[2].refused, RAPPORT_USED);
    free(ticket);
}

TEST(node_join_crash, "who crashes right behind WELCOME finds the way back without the ticket")
{
    char *ticket = report_and_ticket(1, 0);
    rig.show = 0;
    CHECK_EQ(rig_join(1, ticket), 0);
    rig_run(70);
    CHECK_EQ(rig.side[1].n_joined, 1);
    CHECK_EQ(rig.side[1].db.n_deltas, 0);
    rig_stop(1);
    CHECK_EQ(rig_open(1), 0);
    rig_run(1000);
    CHECK(rapport_node_ready(rig.side[1].node));
    CHECK(rig_equal(0, 1));
    free(ticket);
}

TEST(node_join_uses, "a ticket for two lets two in, not a third")
{
    char *ticket = report_and_ticket(2, 0);
    rig.show = 0;
    for (int i = 1; i < 4; i++) {
        CHECK_EQ(rig_join(i, ticket), 0);
        rig_run(2000);
        CHECK_EQ(rig.side[i].n_joined, i < 3);
        CHECK_EQ(rig.side[i].refused, i < 3 ? 0 : RAPPORT_USED);
    }
    CHECK(rig_equal(0, 1) && rig_equal(0, 2));
    free(ticket);
}

TEST(node_join_expired, "an expired ticket is refused here, and by the issuer's clock there")
{
    uint64_t expires_s = (RIG_WALL_MS + 3600000) / 1000;
    char *ticket = report_and_ticket(1, expires_s);
    rig_run(2 * 3600000);
    CHECK_EQ(rig_join(1, ticket), RAPPORT_EXPIRED);
    rig.side[2].clock_off_ms = -86400000;
    rig_forget();
    rig.show = SHOW_LIFE;
    CHECK_EQ(rig_join(2, ticket), 0);
    rig_run(500);
    CHECK_TRACE("7201100 C dials A\n"
                "7201150 A closes C\n"
                "7201160 C refused: has expired\n"
                "7201160 C closes A\n");
    CHECK_EQ(rig.side[2].refused, RAPPORT_EXPIRED);
    free(ticket);
}

TEST(node_join_far_expiry, "an expiry that no clock reaches does not wrap around")
{
    char *ticket = report_and_ticket(1, UINT64_C(253402300799));
    CHECK_EQ(rig_join(1, ticket), 0);
    rig_run(1000);
    CHECK_EQ(rig.side[1].n_joined, 1);
    free(ticket);
}

TEST(node_join_elsewhere, "a one-use ticket works at its issuer alone; the joiner finds out first")
{
    char *ticket = report_and_ticket(2, 0);
    rig.show = 0;
    CHECK_EQ(rig_join(1, ticket), 0);
    rig_run(2000);
    free(ticket);
    struct rapport_address at_b = rig_address(1);
    struct rapport_invite invite = {.n_uses = 1, .addresses = &at_b, .n_addresses = 1};
    uint8_t public_key[32], psk[32];
    rapport_node_draw_invite(rig.side[0].node, invite.seed, public_key);
    struct rapport_edit edit = {.kind = RAPPORT_EDIT_INVITE, .public_key = public_key, .n_uses = 1};
    CHECK_EQ(rig_edit(0, &edit), 0);
    CHECK_EQ(rapport_node_ticket(rig.side[0].node, &invite, &ticket), 0);
    rig_run(1000);
    rig.show = SHOW_ALL;
    CHECK_EQ(rig_join(2, ticket), 0);
    rig_run(100);
    CHECK_TRACE("4100 C dials B\n"
                "4130 C>B noise\n"
                "4140 B>C noise\n"
                "4140 C closes B\n");
    rig.show = 0;
    rig_stop(2);
    script_ticket_psk(ticket, psk);
    script_dial(1, 'E', psk);
    rig_run(100);
    CHECK(script.ready);
    script_join(ticket, true);
    rig_run(100);
    CHECK_STR(script.heard, "BYE(3,refused)");
    CHECK(script.closed);
    free(ticket);
}

TEST(node_join_false_proof, "a proof that is not of this connection lets nobody in")
{
    char *ticket = report_and_ticket(1, 0);
    uint8_t psk[32];
    script_ticket_psk(ticket, psk);
    script_dial(0, 'E', psk);
    rig_run(100);
    script_join(ticket, false);
    rig_run(100);
    CHECK_STR(script.heard, "BYE(3,refused)");
    CHECK(script.closed);
    free(ticket);
}

TEST(node_join_silent, "who holds a ticket and says nothing is sent nothing, and closed after 5 s")
{
    static const uint8_t zeros[16];
    char *ticket = report_and_ticket(1, 0);
    uint8_t psk[32];
    script_ticket_psk(ticket, psk);
    script_dial(0, 'E', psk);
    rig_run(100);
    CHECK(script.ready);
    script_ping();
    rig_run(1000);
    CHECK_STR(script.heard, "PONG");
    CHECK_BYTES(script.pong.state, 16, zeros, 16);
    CHECK_BYTES(script.pong.have, 16, zeros, 16);
    rig_run(3800);
    CHECK(!script.closed);
    rig_run(300);
    CHECK(script.closed);
    CHECK_STR(script.heard, "PONG");
    free(ticket);
}

TEST(node_join_no_memory_there, "an issuer in trouble says nothing about the ticket")
{
    char *ticket = report_and_ticket(1, 0);
    rig.side[0].store_error = RAPPORT_FULL;
    CHECK_EQ(rig_new(0, 'n'), 0);
    CHECK_EQ(rapport_node_failure(rig.side[0].node), RAPPORT_FULL);
    CHECK_EQ(rig_join(1, ticket), 0);
    rig_run(10000);
    CHECK_EQ(rig.side[1].refused, 0);
    CHECK_EQ(rig.side[1].n_joined, 0);
    rig_stop(0);
    CHECK_EQ(rig_open(0), 0);
    rig_run(60000);
    CHECK_EQ(rig.side[1].n_joined, 1);
    CHECK(rig_equal(0, 1));
    free(ticket);
}

TEST(node_second_device, "a second device of one person is a member of its own")
{
    char *ticket = report_and_ticket(1, 0), *second;
    rig.show = 0;
    CHECK_EQ(rig_join(1, ticket), 0);
    rig_run(2000);
    second = rig_ticket(0, 1, 0);
    CHECK_EQ(rig_join(2, second), 0);
    rig_run(5000);
    CHECK(rig_equal(0, 1) && rig_equal(0, 2));
    size_t at = 0, n = 0;
    for (struct rapport_member_info m; rapport_node_next_member(rig.side[1].node, &at, &m);)
        n++;
    CHECK_EQ(n, 3);
    free(ticket);
    free(second);
}
