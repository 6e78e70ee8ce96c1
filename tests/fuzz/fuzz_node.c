/*
 * fuzz_node.c - a whole node with a database in memory, fed with what may happen: bytes of
 * strangers, messages of a member and of a ticket holder, edits, time, disks that fail, connections
 * that come and go, all by the input. It must not crash, must not ask to be woken for nothing, and
 * what it stored must open again.
 */
#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/reader.h"
#include "node/parts.h"
#include "store/store.h"
#include "sync/session_state.h"

enum {
    CONNS = 4,
    MOST_OPS = 64,
    MOST_WAITING = 64,
    MOST_TIMEOUTS = 200,
};

struct conn {
    bool open;
    struct session *session; /* of the other side; NULL: raw bytes */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct fuzz {
    struct rapport_node *node;
    struct store *store;
    uint64_t now;
    struct conn conns[CONNS];
    uint8_t member_seed[32], invite_seed[32], invite_public[32], serial;
    struct {
        uint64_t id;
        const struct batch *batch;
    } waiting[MOST_WAITING]; /* stores not carried out yet */
    size_t n_waiting;
    bool store_waits, store_fails, sync_waits;
    uint64_t written;
    uint32_t dials[16];
    size_t n_dials;
} fuzz;

static void drain(void);

static int give(struct rapport_event *e)
{
    e->wall_ms = 1675501200000 + fuzz.now;
    int error = rapport_node_step(fuzz.node, fuzz.now, e);
    drain();
    return error;
}

/* ---- effects ---- */

static int give_row(void *user, const struct load_row *row)
{
    struct rapport_event e = {.kind = RAPPORT_EVENT_LOADED_ROW, .row = row};
    e.load = *(const uint64_t *)user;
    (void)rapport_node_step(fuzz.node, fuzz.now, &e);
    return 0;
}

static void load(const struct load *request)
{
    struct load copy = *request;
    struct rapport_event e = {.kind = RAPPORT_EVENT_LOADED_END, .load = copy.id};
    e.error = store_load(fuzz.store, &copy, give_row, &copy.id);
    (void)rapport_node_step(fuzz.node, fuzz.now, &e);
}

static void write_batch(uint64_t id, const struct batch *batch)
{
    struct rapport_event e = {.kind = RAPPORT_EVENT_WRITTEN, .store = id};
    e.error = fuzz.store_fails ? RAPPORT_FULL : store_commit(fuzz.store, batch);
    if (e.error)
        e.kind = RAPPORT_EVENT_STORE_FAILED;
    else
        fuzz.written = id;
    (void)rapport_node_step(fuzz.node, fuzz.now, &e);
    e.kind = RAPPORT_EVENT_STORED;
    if (!e.error && !fuzz.sync_waits)
        (void)rapport_node_step(fuzz.node, fuzz.now, &e);
}

static void answer(struct conn *c)
{
    static struct session_event e;
    while (session_next(c->session, &e))
        if (e.kind == SESSION_KEY)
            (void)session_accept(c->session, fuzz.now);
}

static void hand_over(struct conn *c, uint32_t conn)
{
    if (!c->session)
        return;
    struct slice out = session_output(c->session);
    if (!out.len)
        return;
    uint8_t *copy = malloc(out.len);
    if (!copy)
        return;
    memcpy(copy, out.ptr, out.len);
    session_output_taken(c->session, out.len);
    struct rapport_event e = {
        .kind = RAPPORT_EVENT_RECEIVED, .conn = conn, .bytes = copy, .len = out.len};
    (void)give(&e);
    free(copy);
}

static void receive(const struct rapport_effect *e)
{
    struct conn *c = &fuzz.conns[e->conn % CONNS];
    if (!c->session || !c->open)
        return;
    (void)session_receive(c->session, slice_of(e->bytes, e->len), fuzz.now);
    answer(c);
}

static void carry_out(const struct rapport_effect *e)
{
    switch (e->kind) {
    case RAPPORT_EFFECT_SEND:
        receive(e);
        return;
    case RAPPORT_EFFECT_CLOSE:
        fuzz.conns[e->conn % CONNS].open = false;
        return;
    case RAPPORT_EFFECT_DIAL:
        fuzz.dials[fuzz.n_dials++ % 16] = e->dial;
        return;
    case RAPPORT_EFFECT_CANCEL:
    case RAPPORT_EFFECT_TRIED:
        return;
    case RAPPORT_EFFECT_STORE:
        if (fuzz.store_waits && fuzz.n_waiting < MOST_WAITING) {
            fuzz.waiting[fuzz.n_waiting].id = e->store;
            fuzz.waiting[fuzz.n_waiting++].batch = e->batch;
        } else {
            assert(fuzz.n_waiting == 0 || fuzz.store_waits);
            write_batch(e->store, e->batch);
        }
        return;
    case RAPPORT_EFFECT_LOAD:
        load(e->request);
        return;
    case RAPPORT_EFFECT_CHANGED:
    case RAPPORT_EFFECT_JOINED:
    case RAPPORT_EFFECT_REFUSED:
        return;
    }
}

static void drain(void)
{
    struct rapport_effect e;
    while (rapport_node_next_effect(fuzz.node, &e))
        carry_out(&e);
}

/* ---- what may happen ---- */

static void drop_conn(uint32_t i)
{
    session_destroy(fuzz.conns[i].session);
    fuzz.conns[i] = (struct conn){0};
}

static void close_conn(uint32_t i)
{
    struct rapport_event e = {.kind = RAPPORT_EVENT_CLOSED, .conn = i + CONNS};
    bool open = fuzz.conns[i].open;
    drop_conn(i);
    if (open)
        (void)give(&e);
}

static void open_conn(uint32_t i, uint32_t dial)
{
    close_conn(i);
    fuzz.conns[i].open = true;
    struct rapport_event e = {.kind = RAPPORT_EVENT_CONNECTED, .conn = i + CONNS, .dial = dial};
    e.address = (struct rapport_address){.family = 4, .bytes = {10, 0, 0, 1}, .port = 9};
    (void)give(&e);
}

/* Somebody connects: 0 a member, 1 a ticket holder, else a stranger with a psk of his own. */
static void connect_session(uint32_t i, uint8_t who)
{
    struct device_keys keys;
    uint8_t psk[1][32] = {{7}}, seed[32] = {9};
    open_conn(i, 0);
    device_keys_from_seed(&keys, who == 0 ? fuzz.member_seed : seed);
    if (who == 0)
        memcpy(psk[0], fuzz.node->epochs[0].psk, 32);
    if (who == 1)
        invite_psk(psk[0], fuzz.invite_public);
    struct session_config config = {.dialler = true,
                                    .keys = &keys,
                                    .psks = (const uint8_t(*)[32])psk,
                                    .n_psks = 1,
                                    .now_ms = fuzz.now};
    memset(config.ephemeral, ++fuzz.serial, sizeof config.ephemeral);
    if (session_create(&config, &fuzz.conns[i].session))
        return;
    for (int k = 0; k < 3; k++)
        hand_over(&fuzz.conns[i], i + CONNS);
}

static void say(uint32_t i, struct slice message)
{
    struct conn *c = &fuzz.conns[i];
    if (c->session && c->open && session_send(c->session, message) == 0)
        hand_over(c, i + CONNS);
}

/* A message that fits, so that the input need not invent one: HELLO and HAVE, then rows and needs
   of logs that exist, and deltas that are here. */
static void say_known(uint32_t i, uint8_t what, uint64_t number)
{
    static struct message_have have;
    struct message_hello *hello = calloc(1, sizeof *hello);
    struct message_need need = {.from = number};
    struct buf out = BUF_INIT;
    if (!hello)
        return;
    hello->version = 1;
    (void)rapport_node_own_log(fuzz.node, need.log);
    have.n = what & 1;
    have.more = false;
    have.rows[0].next = number;
    have.rows[0].muted = what & 4;
    memcpy(have.rows[0].log, need.log, sizeof need.log);
    if (what % 3 == 0)
        message_put_hello(&out, hello);
    if (what % 3 != 2)
        message_put_have(&out, &have);
    else
        message_put_need(&out, &need);
    if (!buf_error(&out))
        say(i, buf_slice(&out));
    buf_clear(&out);
    free(hello);
}

static void join(uint32_t i, uint8_t flip)
{
    struct device_keys keys;
    struct device_card card;
    struct message_join m;
    uint8_t seed[32] = {9}, secret[SIGN_SECRET_BYTES];
    struct buf encoded = BUF_INIT, out = BUF_INIT;
    struct conn *c = &fuzz.conns[i];
    if (!c->session || !c->open)
        return;
    device_keys_from_seed(&keys, seed);
    if (card_make(&card, &keys, slice_str("Eve"), 1))
        return;
    card_encode(&card, &encoded);
    invite_keys(fuzz.invite_seed, m.invite_public, secret);
    invite_prove(m.proof, secret, buf_slice(&encoded), c->session->handshake_hash);
    m.proof[flip % SIGN_BYTES] ^= flip < SIGN_BYTES;
    m.card = buf_slice(&encoded);
    message_put_join(&out, &m);
    if (!buf_error(&out))
        say(i, buf_slice(&out));
    buf_clear(&encoded);
    buf_clear(&out);
}

/* PEERS with a record by this device, signed or not: addresses by the input. */
static void say_peers(uint32_t i, uint8_t what, uint64_t number, struct slice bytes)
{
    static struct message_peers m;
    struct message_peer *p = &m.peers[0];
    struct device_keys keys;
    struct buf words = BUF_INIT, out = BUF_INIT;
    m = (struct message_peers){.n = 1};
    device_keys_from_seed(&keys, fuzz.member_seed);
    device_id(p->device, keys.sign_public);
    p->issued_ms = 1675501200000 + number;
    for (size_t at = 0; at + 4 <= bytes.len && p->n_addresses < PEERS_MOST_ADDRESSES; at += 4) {
        struct message_address *a = &p->addresses[p->n_addresses++];
        a->family = what & 2 ? 4 : 6;
        a->port = (uint16_t)(7171 + bytes.ptr[at]);
        memcpy(a->addr, bytes.ptr + at, 4);
    }
    buf_append(&words, fuzz.node->report_id, 32);
    message_put_peer_body(&words, p);
    (void)sign_make(p->signature, &keys, SIGN_ADDRESSES, buf_slice(&words));
    p->signature[0] ^= what & 1;
    message_put_peers(&out, &m);
    if (!buf_error(&out))
        say(i, buf_slice(&out));
    buf_clear(&words);
    buf_clear(&out);
}

/* A source says that somebody is at an address, or is there no more. */
static void hint(enum rapport_event_kind kind, uint8_t what, uint64_t number, struct slice bytes)
{
    struct rapport_event e = {.kind = kind, .who = number & 3};
    e.source = (enum rapport_source)(what % (RAPPORT_SOURCE_TAILNET + 1));
    e.address.family = number & 4 ? 4 : 6;
    e.address.port = (uint16_t)(7168 + number % 16);
    memcpy(e.address.bytes, bytes.ptr, bytes.len < 16 ? bytes.len : 16);
    (void)give(&e);
}

static void pass_time(uint64_t ms)
{
    struct rapport_event e = {.kind = RAPPORT_EVENT_TIMEOUT};
    fuzz.now += ms;
    (void)give(&e);
    for (int i = 0; rapport_node_deadline(fuzz.node) <= fuzz.now; i++) {
        assert(i < MOST_TIMEOUTS);
        (void)give(&e);
    }
}

static void disk(uint8_t what, uint64_t n)
{
    struct rapport_event e = {.kind = RAPPORT_EVENT_STORED, .store = fuzz.written};
    fuzz.store_waits = what & 1;
    fuzz.sync_waits = what & 2;
    fuzz.store_fails = fuzz.store_fails || (what & 12) == 12;
    for (size_t i = 0; i < fuzz.n_waiting && (i < n || !fuzz.store_waits); i++) {
        write_batch(fuzz.waiting[0].id, fuzz.waiting[0].batch);
        memmove(fuzz.waiting, fuzz.waiting + 1, --fuzz.n_waiting * sizeof fuzz.waiting[0]);
        i--;
        n -= n > 0;
    }
    if (fuzz.written && !fuzz.sync_waits)
        (void)give(&e);
    drain();
}

static void edit(uint8_t what, uint64_t pos, struct slice text)
{
    uint8_t note[RAPPORT_NOTE_ID_BYTES];
    char path[] = "notes/a.md";
    memset(note, 1 + (what >> 4) % 3, sizeof note);
    path[6] = (char)('a' + what % 3);
    struct rapport_edit edit = {.kind = (enum rapport_edit_kind)(what % 7), /* no invites */
                                .note = note,
                                .path = path,
                                .key = "title",
                                .text = (const char *)text.ptr,
                                .text_len = text.len,
                                .pos = pos,
                                .n_deleted = what >> 5};
    if (!text.ptr)
        edit.text = "";
    struct rapport_event e = {.kind = RAPPORT_EVENT_EDIT, .edit = &edit};
    (void)give(&e);
}

static void dialled(uint32_t i, uint8_t how)
{
    struct rapport_event e = {.kind = RAPPORT_EVENT_CANDIDATE};
    e.address = (struct rapport_address){.family = 4, .bytes = {10, how}, .port = 1};
    if (how & 1) {
        (void)give(&e);
        return;
    }
    uint32_t dial = fuzz.n_dials ? fuzz.dials[how % 16] : 0;
    if (how & 2) {
        open_conn(i, dial);
        return;
    }
    e = (struct rapport_event){
        .kind = RAPPORT_EVENT_DIAL_FAILED, .dial = dial, .error = RAPPORT_UNREACHABLE};
    (void)give(&e);
}

static void go_online(bool online, uint64_t number)
{
    struct rapport_address a = {.family = 4, .bytes = {10, 0, 0, 2}, .port = (uint16_t)number};
    struct rapport_event e = {.kind = online ? RAPPORT_EVENT_ONLINE : RAPPORT_EVENT_OFFLINE};
    e.listen = &a;
    e.n_listen = number != 0;
    (void)give(&e);
}

static void happen(struct reader *in)
{
    uint8_t op = reader_u8(in), arg = reader_u8(in);
    uint32_t i = arg % CONNS;
    uint64_t number = reader_varint(in, UINT16_MAX);
    struct slice bytes = reader_bytes(in, reader_varint(in, 255));
    struct rapport_event e = {.conn = i + CONNS, .bytes = bytes.ptr, .len = bytes.len};
    if (in->error)
        return;
    switch (op % 17) {
    case 0:
        open_conn(i, 0);
        return;
    case 1:
        e.kind = RAPPORT_EVENT_RECEIVED;
        if (fuzz.conns[i].open && bytes.len)
            (void)give(&e);
        return;
    case 2:
        connect_session(i, arg / CONNS % 3);
        return;
    case 3:
        say(i, bytes);
        return;
    case 4:
        say_known(i, arg / CONNS, number);
        return;
    case 5:
        pass_time(number);
        return;
    case 6:
        close_conn(i);
        return;
    case 7:
        disk(arg, number);
        return;
    case 8:
        edit(arg, number, bytes);
        return;
    case 9:
        go_online(arg & 1, number);
        return;
    case 10:
        dialled(i, (uint8_t)number);
        return;
    case 11:
        join(i, (uint8_t)number);
        return;
    case 12:
        e.kind = arg & 1 ? RAPPORT_EVENT_FLUSH : RAPPORT_EVENT_DRAINED;
        (void)give(&e);
        return;
    case 13:
        hint(RAPPORT_EVENT_CANDIDATE, arg, number, bytes);
        return;
    case 14:
        hint(RAPPORT_EVENT_CANDIDATE_LOST, arg, number, bytes);
        return;
    case 15:
        e.kind = RAPPORT_EVENT_MOVED;
        (void)give(&e);
        return;
    case 16:
        say_peers(i, arg / CONNS, number, bytes);
        return;
    }
}

/* ---- the frame ---- */

static int create(enum rapport_start start)
{
    static const uint8_t device_seed[32] = {1};
    struct rapport_node_config config = {
        .start = start, .device_seed = device_seed, .name = "Ada", .title = "Fuzz"};
    config.seed[0] = (uint8_t)start;
    config.wall_ms = 1675501200000 + fuzz.now;
    return rapport_node_create(&config, &fuzz.node);
}

/* A report with a member and an open invite. */
static bool begin(void)
{
    struct device_keys keys;
    struct device_card card;
    struct buf why = BUF_INIT;
    fuzz = (struct fuzz){.now = 1000, .member_seed = {2}};
    if (store_open(":memory:", STORE_CREATE, NULL, &fuzz.store, &why) ||
        create(RAPPORT_START_INIT)) {
        store_close(fuzz.store);
        return false;
    }
    device_keys_from_seed(&keys, fuzz.member_seed);
    struct rapport_event online = {.kind = RAPPORT_EVENT_ONLINE};
    (void)give(&online);
    rapport_node_draw_invite(fuzz.node, fuzz.invite_seed, fuzz.invite_public);
    struct rapport_edit edit = {
        .kind = RAPPORT_EDIT_INVITE, .public_key = fuzz.invite_public, .n_uses = 2};
    struct rapport_event e = {.kind = RAPPORT_EVENT_EDIT, .edit = &edit};
    (void)give(&e);
    if (card_make(&card, &keys, slice_str("Ben"), 1) == 0)
        (void)node_admit(fuzz.node, &card, fuzz.invite_public);
    (void)give(&online);
    return true;
}

static void finish(bool *well)
{
    struct rapport_event flush = {.kind = RAPPORT_EVENT_FLUSH};
    disk(0, MOST_WAITING);
    pass_time(100);
    (void)give(&flush);
    *well = rapport_node_failure(fuzz.node) == 0;
    for (uint32_t i = 0; i < CONNS; i++)
        drop_conn(i);
}

/* What is in the database gives the same report. */
static void open_again(void)
{
    uint8_t before[RAPPORT_DIGEST_BYTES], after[RAPPORT_DIGEST_BYTES];
    int error = rapport_node_digest(fuzz.node, before);
    rapport_node_destroy(fuzz.node);
    fuzz.node = NULL;
    assert(create(RAPPORT_START_OPEN) == 0);
    drain();
    for (int i = 0; i < 8 && !rapport_node_ready(fuzz.node); i++)
        pass_time(1);
    assert(rapport_node_failure(fuzz.node) == 0);
    if (!error && rapport_node_digest(fuzz.node, after) == 0)
        assert(memcmp(before, after, sizeof before) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader in = reader_of(slice_of(data, size));
    bool well = false;
    if (sodium_init() < 0 || !begin())
        return 0;
    for (int i = 0; i < MOST_OPS && in.rest.len && !in.error; i++)
        happen(&in);
    finish(&well);
    if (well)
        open_again();
    rapport_node_destroy(fuzz.node);
    store_close(fuzz.store);
    return 0;
}
