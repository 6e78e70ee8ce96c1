/*
 * Reading what tailscaled says: heads, status, whois and the bus; what is hostile in them is cut,
 * skipped or refused, and never trusted.
 */
#include <jansson.h>
#include <stdlib.h>

#include "net/localapi.h"
#include "net/tailnet_status.h"
#include "test.h"

static const char usual[] =
    "{\"Version\":\"1.98.10\",\"TUN\":true,\"BackendState\":\"Running\",\"AuthURL\":\"\","
    "\"TailscaleIPs\":[\"100.64.0.1\",\"fd7a:115c:a1e0::1\"],"
    "\"Self\":{\"ID\":\"1\",\"HostName\":\"ada\",\"DNSName\":\"ada.example.net.\",\"OS\":\"linux\","
    "\"UserID\":7,\"TailscaleIPs\":[\"100.64.0.1\",\"fd7a:115c:a1e0::1\"],\"Online\":true},"
    "\"Health\":[\"clock\\u001b[31m off\",5],"
    "\"CurrentTailnet\":{\"Name\":\"friends\",\"MagicDNSSuffix\":\"example.net\"},"
    "\"Peer\":{\"nodekey:aa\":{\"ID\":\"2\",\"HostName\":\"bram\",\"DNSName\":\"bram.example.net."
    "\","
    "\"OS\":\"linux\",\"UserID\":9223372036854775807,"
    "\"TailscaleIPs\":[\"100.64.0.2\",\"fd7a:115c:a1e0::2\",\"10.0.0.1\"],"
    "\"AllowedIPs\":[\"0.0.0.0/0\"],\"Tags\":[\"tag:notes\"],\"CurAddr\":\"192.0.2.7:41641\","
    "\"Relay\":\"ams\",\"Online\":true,\"Future\":{\"x\":[1,2]}},"
    "\"nodekey:bb\":null}}";

static struct slice text(const char *s)
{
    return slice_str(s);
}

TEST(usual,
     "a running tailnet: state, self, machines with IPv6 first, nothing but tailnet addresses")
{
    struct tailnet_status s;
    CHECK_EQ(tailnet_status_read(text(usual), &s), 0);
    CHECK_EQ(s.backend, TAILNET_RUNNING);
    CHECK(s.tun && s.has_self);
    CHECK_STR(s.version, "1.98.10");
    CHECK_STR(s.tailnet, "friends");
    CHECK_STR(s.self.name, "ada.example.net");
    CHECK_EQ(s.n_peers, 1);
    CHECK_EQ(s.n_dropped, 1);
    const struct tailnet_peer *p = &s.peers[0];
    CHECK_STR(p->name, "bram.example.net");
    CHECK_EQ(p->user, INT64_MAX);
    CHECK_EQ(p->n_ips, 2);
    CHECK_EQ(p->ips[0].family, 6);
    CHECK_EQ(p->ips[1].family, 4);
    CHECK_EQ(p->n_tags, 1);
    CHECK(p->direct && p->online && !p->expired);
    CHECK_EQ(s.n_health, 2);
    CHECK(strchr(s.health[0], '\033') == NULL);
    CHECK_STR(s.health[1], "");
    tailnet_status_clear(&s);
}

TEST(nulls, "every field null, absent or of another type is as if it were not there")
{
    static const char *const docs[] = {
        "{}",
        "{\"Version\":null,\"TUN\":null,\"BackendState\":null,\"AuthURL\":null,\"Self\":null,"
        "\"Health\":null,\"CurrentTailnet\":null,\"Peer\":null,\"User\":null}",
        "{\"Version\":5,\"TUN\":\"x\",\"BackendState\":[],\"AuthURL\":{},\"Self\":[1],"
        "\"Health\":\"x\",\"CurrentTailnet\":3,\"Peer\":[1,2]}",
        "{\"Peer\":{\"k\":{\"ID\":1,\"DNSName\":{},\"TailscaleIPs\":null,\"Tags\":\"x\","
        "\"Online\":\"true\",\"UserID\":\"7\",\"OS\":null}}}",
    };
    for (size_t i = 0; i < sizeof docs / sizeof docs[0]; i++) {
        struct tailnet_status s;
        CHECK_EQ(tailnet_status_read(text(docs[i]), &s), 0);
        CHECK_EQ(s.backend, TAILNET_UNKNOWN);
        CHECK(s.tun && !s.has_self);
        CHECK_EQ(s.n_peers, i == 3);
        if (s.n_peers)
            CHECK_EQ(tailnet_skip(&s, &s.peers[0], false, NULL, false), TAILNET_SKIP_NO_ADDRESS);
        tailnet_status_clear(&s);
    }
}

TEST(states, "each state word is known, and another one is kept to be shown")
{
    static const struct {
        const char *word;
        enum tailnet_backend backend;
    } rows[] = {
        {"NoState", TAILNET_NO_STATE},
        {"NeedsLogin", TAILNET_NEEDS_LOGIN},
        {"NeedsMachineAuth", TAILNET_NEEDS_MACHINE_AUTH},
        {"Stopped", TAILNET_STOPPED},
        {"Starting", TAILNET_STARTING},
        {"Running", TAILNET_RUNNING},
        {"InUseOtherUser", TAILNET_OTHER_USER},
        {"Dreaming", TAILNET_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char doc[80];
        struct tailnet_status s;
        (void)snprintf(doc, sizeof doc, "{\"BackendState\":\"%s\",\"TUN\":false}", rows[i].word);
        CHECK_EQ(tailnet_status_read(text(doc), &s), 0);
        CHECK_EQ(s.backend, rows[i].backend);
        CHECK_STR(s.backend_word, rows[i].word);
        CHECK(!s.tun);
        tailnet_status_clear(&s);
    }
}

TEST(bad_json, "garbage, half a document, another root and deep nesting are refused")
{
    char deep[10000];
    struct tailnet_status s;
    struct tailnet_whois w;
    memset(deep, '[', sizeof deep);
    CHECK_EQ(tailnet_status_read(slice_of(deep, sizeof deep), &s), RAPPORT_MALFORMED);
    CHECK_EQ(tailnet_status_read(text("[]"), &s), RAPPORT_MALFORMED);
    CHECK_EQ(tailnet_status_read(text("{} {}"), &s), RAPPORT_MALFORMED);
    CHECK_EQ(tailnet_status_read(text("{\"Version\":\"\xff\"}"), &s), RAPPORT_MALFORMED);
    CHECK_EQ(tailnet_whois_read(text("{}"), &w), RAPPORT_MALFORMED);
    for (size_t len = 0; len < sizeof usual - 1; len++)
        CHECK_EQ(tailnet_status_read(slice_of(usual, len), &s), RAPPORT_MALFORMED);
}

/* One peer with these fields, behind a Self of user 7 at 100.64.0.1. */
static enum tailnet_skip skip_of(const char *fields, bool own, const char *tag, bool spoke)
{
    char doc[600];
    struct tailnet_status s;
    (void)snprintf(doc, sizeof doc,
                   "{\"Self\":{\"ID\":\"1\",\"UserID\":7,\"TailscaleIPs\":[\"100.64.0.1\"]},"
                   "\"Peer\":{\"k\":{%s}}}",
                   fields);
    CHECK_EQ(tailnet_status_read(text(doc), &s), 0);
    CHECK_EQ(s.n_peers, 1);
    enum tailnet_skip skip = tailnet_skip(&s, &s.peers[0], own, tag, spoke);
    tailnet_status_clear(&s);
    return skip;
}

#define AT2 "\"ID\":\"2\",\"TailscaleIPs\":[\"100.64.0.2\"],"

TEST(skips, "who is left out, and why")
{
    CHECK_EQ(skip_of(AT2 "\"Online\":true", false, NULL, false), TAILNET_KEEP);
    CHECK_EQ(skip_of(AT2 "\"Online\":false", false, NULL, false), TAILNET_SKIP_OFFLINE);
    CHECK_EQ(skip_of(AT2 "\"Online\":false", false, NULL, true), TAILNET_KEEP);
    CHECK_EQ(skip_of(AT2 "\"Online\":true,\"Expired\":true", false, NULL, true),
             TAILNET_SKIP_EXPIRED);
    CHECK_EQ(skip_of(AT2 "\"Online\":true,\"ShareeNode\":true", false, NULL, false),
             TAILNET_SKIP_SHAREE);
    CHECK_EQ(skip_of(AT2 "\"Online\":true,\"AltSharerUserID\":9", false, NULL, false),
             TAILNET_KEEP);
    CHECK_EQ(
        skip_of(AT2 "\"Online\":true,\"DNSName\":\"se-got.mullvad.ts.net.\"", false, NULL, false),
        TAILNET_SKIP_MULLVAD);
    CHECK_EQ(skip_of(AT2 "\"Online\":true,\"OS\":\"iOS\"", false, NULL, false), TAILNET_SKIP_PHONE);
    CHECK_EQ(skip_of("\"ID\":\"2\",\"Online\":true", false, NULL, false), TAILNET_SKIP_NO_ADDRESS);
    CHECK_EQ(skip_of("\"ID\":\"9\",\"TailscaleIPs\":[\"100.64.0.1\"],\"Online\":true", false, NULL,
                     false),
             TAILNET_SKIP_SELF);
    CHECK_EQ(skip_of(AT2 "\"Online\":true,\"UserID\":8", true, NULL, false), TAILNET_SKIP_NOT_OWN);
    CHECK_EQ(skip_of(AT2 "\"Online\":true,\"UserID\":7", true, NULL, false), TAILNET_KEEP);
    CHECK_EQ(skip_of(AT2 "\"Online\":true,\"UserID\":8,\"Tags\":[\"tag:a\"]", true, NULL, false),
             TAILNET_KEEP);
    CHECK_EQ(skip_of(AT2 "\"Online\":true,\"Tags\":[\"tag:a\"]", false, "tag:notes", false),
             TAILNET_SKIP_FILTER);
    CHECK_EQ(skip_of(AT2 "\"Online\":true,\"Tags\":[\"tag:notes\"]", false, "tag:notes", false),
             TAILNET_KEEP);
}

TEST(limits, "lists are cut at their limits and what is too much is counted")
{
    struct buf doc = BUF_INIT;
    struct tailnet_status s;
    buf_append_str(&doc, "{\"Health\":[");
    for (int i = 0; i < 2 * TAILNET_MOST_HEALTH; i++)
        buf_printf(&doc, "%s\"h\"", i ? "," : "");
    buf_append_str(&doc, "],\"Self\":{\"Tags\":[");
    for (int i = 0; i < 2 * TAILNET_MOST_TAGS; i++)
        buf_printf(&doc, "%s\"tag:%d\"", i ? "," : "", i);
    buf_append_str(&doc, "],\"TailscaleIPs\":[");
    for (int i = 0; i < 2 * TAILNET_MOST_IPS; i++)
        buf_printf(&doc, "%s\"100.64.0.%d\"", i ? "," : "", i);
    buf_append_str(&doc, "]},\"Peer\":{");
    for (int i = 0; i < TAILNET_MOST_PEERS + 3; i++)
        buf_printf(&doc, "%s\"k%d\":{}", i ? "," : "", i);
    buf_append_str(&doc, "}}");
    CHECK_EQ(tailnet_status_read(buf_slice(&doc), &s), 0);
    CHECK_EQ(s.n_health, TAILNET_MOST_HEALTH);
    CHECK_EQ(s.self.n_tags, TAILNET_MOST_TAGS);
    CHECK_EQ(s.self.n_ips, TAILNET_MOST_IPS);
    CHECK_EQ(s.n_peers, TAILNET_MOST_PEERS);
    CHECK_EQ(s.n_dropped, 3);
    tailnet_status_clear(&s);
    buf_clear(&doc);
}

TEST(whois, "whois names the machine and its person")
{
    struct tailnet_whois w;
    CHECK_EQ(tailnet_whois_read(text("{\"Node\":{\"ID\":5,\"StableID\":\"5\",\"Name\":\"bram.x.\","
                                     "\"User\":8,\"Tags\":[\"tag:a\"]},"
                                     "\"UserProfile\":{\"LoginName\":\"bram@x\"},\"CapMap\":null}"),
                                &w),
             0);
    CHECK_STR(w.id, "5");
    CHECK_STR(w.name, "bram.x");
    CHECK_STR(w.login, "bram@x");
    CHECK_EQ(w.user, 8);
    CHECK_EQ(w.n_tags, 1);
    tailnet_whois_clear(&w);
}

TEST(bus, "the bus rings for states and machines, not for nulls and endpoints")
{
    static const struct {
        const char *line;
        enum tailnet_ring ring;
    } rows[] = {
        {"{\"Version\":\"1.98.10\",\"State\":6}\n", TAILNET_RING},
        {"{\"State\":null,\"NetMap\":null,\"ErrMessage\":null}\n", TAILNET_SILENT},
        {"{\"NetMap\": {\"Peers\":[{\"Online\":true}]}}\n", TAILNET_RING},
        {"{\"Engine\":{\"State\":3,\"RBytes\":1}}\n", TAILNET_SILENT},
        {"{\"PeersChanged\":[{\"ID\":1}]}\n", TAILNET_RING},
        {"{\"PeersRemoved\":[4]}\n", TAILNET_RING},
        {"{\"PeerChanges\":[{}]}\n", TAILNET_RING},
        {"{\"SelfChange\":{\"ID\":1}}\n", TAILNET_RING},
        {"{\"PeerChangedPatch\":[{\"NodeID\":3,\"Endpoints\":[\"1:2\"]}]}\n", TAILNET_SILENT},
        {"{\"PeerChangedPatch\":[{\"NodeID\":3,\"Online\":false}]}\n", TAILNET_RING},
        {"{\"Other\":[{\"Online\":false}]}\n", TAILNET_SILENT},
        {"{\"Text\":\"\\\"State\\\":6\"}\n", TAILNET_SILENT},
        {"{\"ErrMessage\":\"fell behind\"}\n", TAILNET_BUS_ENDS},
        {"\n\n", TAILNET_SILENT},
        {"}}}]]\"{{{\n", TAILNET_SILENT},
        {"{\"State\":6", TAILNET_SILENT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct tailnet_bus whole = {0}, bytes = {0};
        enum tailnet_ring ring = TAILNET_SILENT;
        CHECK_EQ(tailnet_bus_feed(&whole, text(rows[i].line)), rows[i].ring);
        for (size_t k = 0; rows[i].line[k]; k++) {
            enum tailnet_ring one = tailnet_bus_feed(&bytes, slice_of(rows[i].line + k, 1));
            if (one != TAILNET_SILENT)
                ring = one;
        }
        CHECK_EQ(ring, rows[i].ring);
    }
}

TEST(bus_long, "a line of megabytes is skipped through, and the next one rings")
{
    struct buf line = BUF_INIT;
    struct tailnet_bus b = {0};
    buf_append_str(&line, "{\"Engine\":\"");
    for (int i = 0; i < 300000; i++)
        buf_append_str(&line, "0123456789");
    buf_append_str(&line, "\"}\n{\"State\":4}\n");
    CHECK_EQ(tailnet_bus_feed(&b, buf_slice(&line)), TAILNET_RING);
    buf_clear(&line);
}

TEST(masks, "the mask suits the daemon's version")
{
    CHECK_EQ(tailnet_bus_mask(113), 274);
    CHECK_EQ(tailnet_bus_mask(138), 274);
    CHECK_EQ(tailnet_bus_mask(141), 36882);
    CHECK_EQ(tailnet_bus_mask(0), 274);
}

TEST(head, "the head of an answer: status, capability, version, dial fields; any line ends")
{
    static const char crlf[] =
        "HTTP/1.0 200 OK\r\nTailscale-Cap: 138\r\ntailscale-version:  1.98.10 \r\n"
        "Dial-Self: true\r\nDial-Addr: 100.64.0.1:7171\r\n\r\nbody";
    struct localapi_head h;
    CHECK_EQ(localapi_read_head(text(crlf), &h), (int)sizeof crlf - 5);
    CHECK_EQ(h.status, 200);
    CHECK_EQ(h.cap, 138);
    CHECK_STR(h.version, "1.98.10");
    CHECK(h.dial_self);
    CHECK_STR(h.dial_addr, "100.64.0.1:7171");
    CHECK_EQ(localapi_read_head(text("HTTP/1.1 404 Not Found\n\n"), &h), 24);
    CHECK_EQ(h.status, 404);
    CHECK_EQ(h.cap, 0);
    for (size_t len = 0; len < sizeof crlf - 5; len++)
        CHECK_EQ(localapi_read_head(slice_of(crlf, len), &h), 0);
}

TEST(bad_heads, "heads that are none are refused, endless ones at the limit")
{
    static const char *const bad[] = {"GET / HTTP/1.0\r\n\r\n", "HTTP/1.0 2x0 OK\r\n\r\n",
                                      "HTTP/1.0 20\r\n\r\n", "HTTP/2 200 OK\r\n\r\n",
                                      "HTTP/1.0 2000\r\n\r\n"};
    static char endless[LOCALAPI_MOST_HEAD] = "HTTP/1.0 200 OK\r\nX: ";
    struct localapi_head h;
    size_t begun = strlen(endless);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK_EQ(localapi_read_head(text(bad[i]), &h), RAPPORT_MALFORMED);
    memset(endless + begun, 'a', sizeof endless - begun);
    CHECK_EQ(localapi_read_head(slice_of(endless, sizeof endless - 1), &h), 0);
    CHECK_EQ(localapi_read_head(slice_of(endless, sizeof endless), &h), RAPPORT_LIMIT);
}

/* ---- what real ones say ---- */

static struct buf read_file(const char *name)
{
    char path[128];
    struct buf b = BUF_INIT;
    (void)snprintf(path, sizeof path, "tests/net/tailscaled/%s", name);
    FILE *f = fopen(path, "rb");
    CHECK(f);
    for (int c = fgetc(f); c != EOF; c = fgetc(f))
        buf_u8(&b, (uint8_t)c);
    CHECK_EQ(fclose(f), 0);
    CHECK_EQ(buf_error(&b), 0);
    return b;
}

static const struct tailnet_peer *find_peer(const struct tailnet_status *s, const char *name)
{
    for (size_t i = 0; i < s->n_peers; i++)
        if (strncmp(s->peers[i].name, name, strlen(name)) == 0)
            return &s->peers[i];
    return NULL;
}

TEST(recorded_status, "the status of each version from 1.80 to 1.102 is read in full")
{
    static const struct {
        const char *file;
        enum tailnet_backend backend;
        size_t n_peers;
        enum tailnet_skip chloe;
    } rows[] = {
        {"1.80.0-running.status.json", TAILNET_RUNNING, 2, TAILNET_SKIP_OFFLINE},
        {"1.90.0-running.status.json", TAILNET_RUNNING, 2, TAILNET_SKIP_OFFLINE},
        {"1.94.0-running.status.json", TAILNET_RUNNING, 2, TAILNET_SKIP_OFFLINE},
        {"1.102.3-running.status.json", TAILNET_RUNNING, 2, TAILNET_SKIP_OFFLINE},
        {"1.98.10-running.status.json", TAILNET_RUNNING, 3, TAILNET_KEEP},
        {"1.98.10-expired.status.json", TAILNET_RUNNING, 3, TAILNET_SKIP_EXPIRED},
        {"1.98.10-stopped.status.json", TAILNET_STOPPED, 3, TAILNET_KEEP},
        {"1.98.10-needs-login.status.json", TAILNET_NEEDS_LOGIN, 0, TAILNET_KEEP},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf doc = read_file(rows[i].file);
        struct tailnet_status s;
        CHECK_EQ(tailnet_status_read(buf_slice(&doc), &s), 0);
        CHECK_EQ(s.backend, rows[i].backend);
        CHECK_EQ(s.n_peers, rows[i].n_peers);
        CHECK(s.tun && s.has_self && strncmp(s.version, rows[i].file, strlen(s.version)) == 0);
        const struct tailnet_peer *chloe = find_peer(&s, "chloe.");
        CHECK_EQ(chloe != NULL, rows[i].n_peers > 0);
        if (chloe) {
            CHECK_EQ(tailnet_skip(&s, chloe, false, NULL, false), rows[i].chloe);
            CHECK_EQ(chloe->n_ips, 2);
            CHECK_EQ(s.self.n_ips, 2);
            CHECK_STR(chloe->relay, "lab");
        }
        tailnet_status_clear(&s);
        buf_clear(&doc);
    }
}

TEST(recorded_whois, "whois of each version names the machine, its tag and its person")
{
    static const struct {
        const char *file, *name, *login;
        size_t n_tags;
    } rows[] = {
        {"1.80.0-tagged.whois.json", "bram.friends.ts.example", "tagged-devices", 1},
        {"1.90.0-tagged.whois.json", "bram.friends.ts.example", "tagged-devices", 1},
        {"1.94.0-tagged.whois.json", "bram.friends.ts.example", "tagged-devices", 1},
        {"1.102.3-tagged.whois.json", "bram.friends.ts.example", "tagged-devices", 1},
        {"1.98.10-tagged.whois.json", "dirk.tailnet.test", "tagged-devices", 1},
        {"1.98.10-granted.whois.json", "bram.tailnet.test", "bram", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf doc = read_file(rows[i].file);
        struct tailnet_whois w;
        CHECK_EQ(tailnet_whois_read(buf_slice(&doc), &w), 0);
        CHECK_STR(w.name, rows[i].name);
        CHECK_STR(w.login, rows[i].login);
        CHECK_EQ(w.n_tags, rows[i].n_tags);
        tailnet_whois_clear(&w);
        buf_clear(&doc);
    }
}

/* Which lines ring: '!' and '.'. */
static void rings_of(const char *file, char *out, size_t size)
{
    struct buf doc = read_file(file);
    struct tailnet_bus b = {0};
    size_t n = 0;
    for (size_t at = 0; at < doc.len; n++) {
        const uint8_t *end = memchr(doc.ptr + at, '\n', doc.len - at);
        CHECK(end && n + 1 < size);
        size_t len = (size_t)(end - doc.ptr) + 1 - at;
        out[n] = tailnet_bus_feed(&b, slice_of(doc.ptr + at, len)) == TAILNET_RING ? '!' : '.';
        at += len;
    }
    out[n] = 0;
    buf_clear(&doc);
}

TEST(recorded_bus, "on the bus of each version states and machines ring, preferences do not")
{
    static const struct {
        const char *file, *rings;
    } rows[] = {
        {"1.80.0-changes.bus", "!!!!!"},         {"1.90.0-changes.bus", "!!!!!"},
        {"1.94.0-changes.bus", "!!!!!"},         {"1.102.3-changes.bus", "!!!!!"},
        {"1.98.10-down-18.bus", "!!...."},       /* state, state, preferences, health */
        {"1.98.10-peer-lost-274.bus", "!!!!!"},  /* the whole map each time */
        {"1.98.10-peer-lost-36882.bus", "!!!!"}, /* and PeerChanges */
        {"1.98.10-needs-login-18.bus", "!"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char rings[32];
        rings_of(rows[i].file, rings, sizeof rings);
        CHECK_STR(rings, rows[i].rings);
    }
}

/* ---- hostile names, memory, size ---- */

TEST(hostile_names, "a name with NUL or control characters is shown harmless, and hides nobody")
{
    static const char doc[] = "{\"Peer\":{\"a\":{\"HostName\":\"x\\u0000\\u001b[2J\\u202ey\"},"
                              "\"b\":{\"HostName\":\"bram\"}}}";
    struct tailnet_status s;
    CHECK_EQ(tailnet_status_read(text(doc), &s), 0);
    CHECK_EQ(s.n_peers, 2);
    CHECK(find_peer(&s, "bram") && find_peer(&s, "x"));
    for (const char *c = find_peer(&s, "x")->name; *c; c++)
        CHECK((uint8_t)*c >= ' ');
    CHECK_STR(find_peer(&s, "x")->name, "x\u2400\u241b[2J<U+202E>y");
    tailnet_status_clear(&s);
}

/* With the n-th allocation failing. Returns the first error. */
static int read_both(long n, bool *failed)
{
    static const char who[] =
        "{\"Node\":{\"StableID\":\"5\",\"Name\":\"b.\",\"Tags\":[\"tag:a\"]}}";
    struct tailnet_status s;
    struct tailnet_whois w;
    test_fail_allocation(n);
    int error = tailnet_status_read(text(usual), &s);
    if (!error) {
        tailnet_status_clear(&s);
        error = tailnet_whois_read(text(who), &w);
        if (!error)
            tailnet_whois_clear(&w);
    }
    *failed = test_allocation_failed();
    test_fail_allocation(-1);
    return error;
}

TEST(no_memory, "each allocation may fail: out of memory is said, and nothing leaks")
{
    bool failed = true;
    for (long n = 0; failed; n++) {
        int error = read_both(n, &failed);
        CHECK_EQ(error, failed ? RAPPORT_NOMEM : 0);
    }
}

static void *counted_malloc(size_t n)
{
    return malloc(n); /* in this program it can be made to fail; jansson's own calls cannot */
}

TEST(no_memory_json, "the library's allocations may fail: it does not always tell, nothing leaks")
{
    bool failed = true;
    json_set_alloc_funcs(counted_malloc, free);
    for (long n = 0; failed; n++) {
        int error = read_both(n, &failed);
        CHECK(failed ? error <= 0 : error == 0);
    }
    json_set_alloc_funcs(malloc, free);
}

TEST(large, "10,000 machines of a usual size, and a field of 5 MB, are read")
{
    struct buf doc = BUF_INIT;
    struct tailnet_status s;
    buf_append_str(&doc, "{\"Peer\":{");
    for (int i = 0; i < 10000; i++)
        buf_printf(&doc,
                   "%s\"nodekey:%064x\":{\"ID\":\"%d\",\"DNSName\":\"n%d.x.\",\"Online\":true,"
                   "\"TailscaleIPs\":[\"100.64.%d.%d\"],\"PeerAPIURL\":[\"http://x:1\"],"
                   "\"CapMap\":{\"a\":[],\"b\":[1]},\"Created\":\"0001-01-01T00:00:00Z\"}",
                   i ? "," : "", (unsigned)i, i, i, i >> 8, i & 255);
    buf_append_str(&doc, "},\"Future\":\"");
    for (int i = 0; i < 5 << 17; i++)
        buf_append_str(&doc, "aaaaaaaa");
    buf_append_str(&doc, "\"}");
    CHECK_EQ(tailnet_status_read(buf_slice(&doc), &s), 0);
    CHECK_EQ(s.n_peers, 10000);
    CHECK_EQ(s.n_dropped, 0);
    tailnet_status_clear(&s);
    buf_clear(&doc);
}
