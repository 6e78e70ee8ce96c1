/*
 * test_bundle.c - reports that meet by file alone: bundles of rig's nodes, read whole, in any
 * order, twice, damaged, and while the process dies.
 */
#include "rig.h"

#include "sync/bundle.h"

enum {
    FILE_BYTES = 1 << 20
};

struct file {
    uint8_t bytes[FILE_BYTES];
    size_t len;
};

static struct file files[8];

/* Writes a bundle of everything, or (to >= 0) of what that side was not known to have. */
static struct rapport_bundle_counts write_to(int side, int to, struct file *f)
{
    struct rapport_bundle *b = NULL;
    struct rapport_bundle_counts counts;
    const uint8_t *bytes;
    size_t len;
    struct device_keys keys;
    uint8_t device[ID_BYTES];
    rig_event(side, RAPPORT_EVENT_FLUSH);
    rig_sync(side);
    CHECK_EQ(rapport_bundle_create(rig.side[side].node, &b), 0);
    if (to >= 0) {
        device_keys_from_seed(&keys, rig.side[to].device_seed);
        device_id(device, keys.sign_public);
        CHECK_EQ(rapport_bundle_for(b, device), 0);
    }
    const struct db *db = &rig.side[side].db;
    for (size_t i = 0; i < db->n_deltas; i++)
        CHECK_EQ(rapport_bundle_put(b, db->deltas[i].bytes.ptr, db->deltas[i].bytes.len), 0);
    CHECK_EQ(rapport_bundle_end(b), 0);
    rapport_bundle_take(b, &bytes, &len);
    CHECK(len <= sizeof f->bytes);
    memcpy(f->bytes, bytes, len);
    f->len = len;
    rapport_bundle_counts(b, &counts);
    rapport_bundle_destroy(b);
    return counts;
}

static int give(int side, const uint8_t *bytes, size_t len)
{
    struct rapport_event e = {.kind = RAPPORT_EVENT_BUNDLE, .bytes = bytes, .len = len};
    int error = rig_step(side, &e);
    return error == RAPPORT_AGAIN ? rig_step(side, &e) : error;
}

/* Reads the first `len` bytes, in pieces; the pieces' size is a prime. */
static int read_part(int side, const struct file *f, size_t len)
{
    int error = 0;
    for (size_t at = 0; at < len && !error; at += 7919)
        error = give(side, f->bytes + at, len - at < 7919 ? len - at : 7919);
    return error ? error : give(side, NULL, 0);
}

static int read_by(int side, const struct file *f)
{
    return read_part(side, f, f->len);
}

static struct rapport_bundle_info info_of(int side)
{
    struct rapport_bundle_info info;
    rapport_node_bundle(rig.side[side].node, &info);
    return info;
}

/* A, B and C of one report; from then on nobody reaches anybody. */
static void three(void)
{
    rig_two(0);
    char *ticket = rig_ticket(0, 200, 0);
    CHECK(ticket != NULL);
    rig_run(200);
    CHECK_EQ(rig_join(2, ticket), 0);
    free(ticket);
    rig_run(5000);
    CHECK(rig_equal(0, 2));
    for (int side = 0; side < 3; side++) {
        rig_stop(side);
        CHECK_EQ(rig_open(side), 0);
        rig_event(side, RAPPORT_EVENT_OFFLINE);
        rig_run(10);
    }
    rig.cut = true;
}

static void type(int side, const char *text)
{
    CHECK_EQ(rig_append(side, 'n', text), 0);
    rig_run(2000);
}

TEST(bundle_both_ways, "two who never connect become equal by a bundle each way")
{
    three();
    type(0, "by Ada ");
    type(1, "by Ben ");
    struct rapport_bundle_counts c = write_to(0, -1, &files[0]);
    CHECK_EQ(c.n_deltas, rig.side[0].db.n_deltas);
    CHECK_EQ(c.n_notes, 1);
    CHECK_EQ(read_by(1, &files[0]), 0);
    CHECK_EQ(info_of(1).n_taken, 1);
    CHECK(info_of(1).by_member);
    c = write_to(1, 0, &files[1]); /* Ada's rows came with her bundle */
    CHECK_EQ(c.n_deltas, 1);
    CHECK_EQ(read_by(0, &files[1]), 0);
    CHECK(rig_equal(0, 1));
    CHECK(strstr(rig_text(0, 'n'), "by Ben") && strstr(rig_text(1, 'n'), "by Ada"));
}

TEST(bundle_held, "what a friend had in the last session is left out, also after a new start")
{
    three();
    type(0, "more ");
    CHECK_EQ(write_to(0, 1, &files[0]).n_deltas, 1);
    CHECK_EQ(read_by(1, &files[0]), 0);
    CHECK(rig_equal(0, 1));
}

TEST(bundle_all_orders, "three people's bundles give the same in every order, and twice")
{
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                     {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    three();
    for (int side = 0; side < 3; side++)
        type(side, side == 0 ? "a " : side == 1 ? "b " : "c ");
    write_to(0, -1, &files[0]);
    CHECK_EQ(read_by(1, &files[0]), 0);
    type(1, "after a ");
    write_to(1, 0, &files[1]);
    CHECK_EQ(read_by(2, &files[1]), 0); /* builds on what he does not have, so it waits */
    CHECK(info_of(2).n_waiting > 0);
    write_to(2, -1, &files[2]);
    for (size_t o = 0; o < 6; o++) {
        for (size_t twice = 0; twice < 2; twice++)
            for (size_t i = 0; i < 3; i++)
                for (int side = 0; side < 3; side++)
                    CHECK_EQ(read_by(side, &files[orders[(o + (size_t)side) % 6][i]]), 0);
        rig_run(100);
        CHECK(rig_equal(0, 1) && rig_equal(0, 2));
    }
    CHECK_EQ(info_of(2).n_waiting, 0);
}

TEST(bundle_waits, "a bundle that builds on another one waits for it and says whose it lacks")
{
    three();
    type(0, "one ");
    write_to(0, 1, &files[0]);
    write_to(0, -1, &files[2]);
    CHECK_EQ(read_by(2, &files[2]), 0);
    write_to(2, -1, &files[3]); /* tells Ada what Cleo has */
    CHECK_EQ(read_by(0, &files[3]), 0);
    type(0, "two ");
    write_to(0, 2, &files[1]); /* only "two": Ben lacks "one" in front of it */
    CHECK_EQ(read_by(1, &files[1]), 0);
    CHECK_EQ(info_of(1).n_waiting, 1);
    CHECK_STR(info_of(1).waits_for_name, "Ada");
    CHECK(!strstr(rig_text(1, 'n'), "two"));
    CHECK_EQ(read_by(1, &files[0]), 0);
    CHECK(strstr(rig_text(1, 'n'), "two") != NULL);
    CHECK_EQ(info_of(1).n_waiting, 0);
    CHECK(rig_equal(0, 1));
}

TEST(bundle_damaged, "cut at any length or with any byte flipped it is harmless, then it goes in")
{
    uint8_t before[RAPPORT_DIGEST_BYTES], now[RAPPORT_DIGEST_BYTES];
    three();
    type(0, "new ");
    write_to(0, 1, &files[0]);
    CHECK_EQ(rapport_node_digest(rig.side[1].node, before), 0);
    for (size_t len = 0; len < files[0].len; len++)
        CHECK(read_part(1, &files[0], len) != 0);
    for (size_t i = 0; i < files[0].len; i++) {
        files[0].bytes[i] ^= 1;
        CHECK(read_by(1, &files[0]) != 0);
        files[0].bytes[i] ^= 1;
    }
    CHECK_EQ(rapport_node_digest(rig.side[1].node, now), 0);
    CHECK_BYTES(now, sizeof now, before, sizeof before);
    CHECK_EQ(read_by(1, &files[0]), 0);
    CHECK(rig_equal(0, 1));
}

TEST(bundle_stranger, "who is in another report takes nothing and is told why")
{
    three();
    write_to(0, -1, &files[0]);
    CHECK_EQ(rig_init(3), 0);
    CHECK_EQ(read_by(3, &files[0]), RAPPORT_NOKEY);
    CHECK_EQ(info_of(3).n_deltas, 0);
    CHECK_EQ(rapport_node_failure(rig.side[3].node), 0);
}

/* A bundle by a member who lies: sealed well, with these bytes as its deltas. */
static void forge(struct file *f, const struct slice *deltas, size_t n)
{
    struct bundle_writer w;
    struct bundle_head head = {.wall_ms = 1};
    struct have none = HAVE_INIT;
    uint8_t salt[BUNDLE_SALT_BYTES] = {1};
    have_digest(&none, head.have_digest);
    bundle_write_start(&w, &rig.side[0].node->epochs[0], salt);
    bundle_write_head(&w, &head, &none);
    for (size_t i = 0; i < n; i++)
        bundle_write_delta(&w, deltas[i]);
    bundle_write_end(&w);
    CHECK_EQ(buf_error(&w.out), 0);
    memcpy(f->bytes, w.out.ptr, w.out.len);
    f->len = w.out.len;
    bundle_writer_clear(&w);
}

TEST(bundle_lying, "deltas that are not their author's are left out, the others taken")
{
    struct slice deltas[3];
    static uint8_t bad[DELTA_MOST_BYTES];
    three();
    type(0, "mine ");
    const struct batch_delta *last = &rig.side[0].db.deltas[rig.side[0].db.n_deltas - 1];
    memcpy(bad, last->bytes.ptr, last->bytes.len);
    bad[last->bytes.len - 1] ^= 1; /* of the signature */
    deltas[0] = slice_str("no delta");
    deltas[1] = slice_of(bad, last->bytes.len);
    forge(&files[0], deltas, 2);
    CHECK_EQ(read_by(1, &files[0]), 0);
    CHECK_EQ(info_of(1).n_refused, 2);
    CHECK_EQ(info_of(1).n_taken, 0);
    CHECK(!info_of(1).by_member);
    deltas[2] = last->bytes;
    forge(&files[0], deltas + 2, 1);
    CHECK_EQ(read_by(1, &files[0]), 0);
    CHECK_EQ(info_of(1).n_taken, 1);
    CHECK(rig_equal(0, 1));
}

TEST(bundle_crash, "a process that dies at any write while it reads takes the rest the next time")
{
    three();
    for (int i = 0; i < 40; i++) {
        CHECK_EQ(rig_append(0, 'n', "line "), 0);
        rig_event(0, RAPPORT_EVENT_FLUSH);
    }
    rig_run(2000);
    write_to(0, -1, &files[0]);
    for (size_t at = 100; at < files[0].len; at += 997) {
        for (size_t k = 0; k < at; k += 500)
            if (give(1, files[0].bytes + k, at - k < 500 ? at - k : 500))
                break;
        rig_stop(1);
        CHECK_EQ(rig_open(1), 0);
    }
    CHECK_EQ(read_by(1, &files[0]), 0);
    rig_run(1000);
    CHECK(rig_equal(0, 1));
}

TEST(bundle_node_memory,
     "memory that runs out while reading costs nothing: read again, all is there")
{
    bool reached = true;
    three();
    type(0, "kept ");
    write_to(0, -1, &files[0]);
    for (long at = 0; reached; at++) {
        test_fail_allocation(at);
        (void)read_by(1, &files[0]);
        reached = test_allocation_failed();
        test_fail_allocation(-1);
        rig_stop(1);
        CHECK_EQ(rig_open(1), 0);
        CHECK_EQ(rapport_node_failure(rig.side[1].node), 0);
    }
    CHECK_EQ(read_by(1, &files[0]), 0);
    rig_run(1000);
    CHECK(rig_equal(0, 1));
}
