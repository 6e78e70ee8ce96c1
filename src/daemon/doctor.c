/* doctor.c - see doctor.h. */
#include "daemon/doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/span.h"
#include "daemon/firewall.h"
#include "daemon/pack.h"
#include "daemon/service_state.h"
#include "daemon/trouble.h"
#include "host/mirror.h"
#include "host/people.h"
#include "net/address.h"

/* ---- the daemon ---- */

static void look_daemon(const struct service *r, const struct doctor_about *a, struct findings *f)
{
    char span[SPAN_TEXT];
    uint64_t now = host_wall(), since = r->opened_wall_ms;
    if (!a->daemon) {
        finding_add(f, FINDING_NOTE, "daemon", "rapport up --detach",
                    "nothing runs that carries notes to friends; this was a short look");
        return;
    }
    finding_add(f, FINDING_FINE, "daemon", NULL,
                "process %ld, version %s, serves this report for %s", (long)getpid(),
                a->version ? a->version : "unknown",
                span_text(now > since ? now - since : 0, span));
    if (a->version && a->asker && strcmp(a->version, a->asker) != 0)
        finding_add(f, FINDING_NOTE, "daemon", "rapport down --all, then rapport up --detach",
                    "the daemon is version %s, this program is %s", a->version, a->asker);
}

/* ---- store and files ---- */

static void look_store(struct service *r, struct findings *f)
{
    int error;
    const char *failure = host_failure(r->host, &error);
    uint64_t unsaved = rapport_node_unsaved(host_node(r->host));
    if (failure)
        finding_add(f, FINDING_PROBLEM, "store",
                    error == RAPPORT_FULL
                        ? "make room on the disk, then rapport down and rapport up"
                        : "see that the disk is well, then rapport down and "
                          "rapport up",
                    "this report takes no more edits: %s", failure);
    else if (unsaved)
        finding_add(f, FINDING_NOTE, "store", NULL, "%llu events are on the way to the disk",
                    (unsigned long long)unsaved);
    else
        finding_add(f, FINDING_FINE, "store", NULL, "everything is on this device's disk");
}

static void look_files(struct service *r, struct findings *f)
{
    struct mirror_problem p;
    size_t at = 0, n = 0;
    for (; mirror_next_problem(r->host, &at, &p); n++)
        finding_add(f, p.waiting ? FINDING_NOTE : FINDING_PROBLEM, "files",
                    p.waiting ? NULL : "see what the file holds, and move, rename or fix it",
                    "%s: %s", p.path, p.line);
    if (r->said_blind)
        finding_add(f, FINDING_NOTE, "files", "sudo sysctl fs.inotify.max_user_watches=524288",
                    "the system has no file watches left: files are looked at every %d s only",
                    WATCH_RESCAN_BLIND_MS / 1000);
    if (n == 0 && !r->said_blind)
        finding_add(f, FINDING_FINE, "files", NULL, "notes and files agree");
}

/* ---- disk ---- */

struct file_system {
    unsigned long magic;
    const char *name;
    const char *trouble; /* NULL none */
};

static const struct file_system *file_system(unsigned long magic)
{
    static const char network[] = "a network file system: the database may be damaged when the "
                                  "connection breaks, and saves on other machines are not noticed";
    static const char memory[] = "in memory only: everything is gone after a restart";
    static const struct file_system known[] = {
        {0x6969, "nfs", network},      {0xff534d42, "cifs", network}, {0xfe534d42, "smb", network},
        {0x517b, "smb", network},      {0x01021997, "9p", network},   {0x5346414f, "afs", network},
        {0x00c36400, "ceph", network}, {0x01021994, "tmpfs", memory}, {0x858458f6, "ramfs", memory},
        {0xef53, "ext4", NULL},        {0x9123683e, "btrfs", NULL},   {0x58465342, "xfs", NULL},
        {0x2fc12fc1, "zfs", NULL},     {0x65735546, "fuse", NULL},    {0x794c7630, "overlay", NULL},
        {0xf2f52010, "f2fs", NULL},    {0x4d44, "fat", NULL},         {0x2011bab0, "exfat", NULL},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (known[i].magic == magic)
            return &known[i];
    return NULL;
}

static void look_database(const char *dir, char size[SPAN_TEXT])
{
    struct buf path = BUF_INIT;
    struct stat st;
    buf_printf(&path, "%s/.rapport/report.db", dir);
    bool found = buf_cstr(&path) && stat((const char *)path.ptr, &st) == 0;
    (void)size_text(found ? (uint64_t)st.st_size : 0, size);
    buf_clear(&path);
}

void doctor_disk(const char *dir, struct findings *f)
{
    struct statfs fs;
    char room[SPAN_TEXT], size[SPAN_TEXT];
    if (statfs(dir, &fs)) {
        finding_add(f, FINDING_PROBLEM, "disk", "see that the folder is there",
                    "%s cannot be looked at", dir);
        return;
    }
    const struct file_system *kind = file_system((unsigned long)fs.f_type & 0xffffffff);
    uint64_t left = (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize;
    bool full = left < DOCTOR_LEAST_FREE || (fs.f_files && fs.f_ffree == 0);
    bool read_only = fs.f_flags & ST_RDONLY;
    look_database(dir, size);
    finding_add(f, full || read_only ? FINDING_PROBLEM : FINDING_FINE, "disk",
                read_only ? "make the file system of the report's folder writable"
                : full    ? "make room on the disk"
                          : NULL,
                "%s free%s, the database has %s%s%s", size_text(left, room),
                read_only ? " on a read-only file system" : "", size, kind ? ", on " : "",
                kind ? kind->name : "");
    if (kind && kind->trouble)
        finding_add(f, FINDING_NOTE, "disk", "move the report to this machine's own disk",
                    "the folder is on %s, %s", kind->name, kind->trouble);
}

/* ---- clock ---- */

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* Friends' clocks may be wrong too: what most of them say is taken for true. */
void doctor_clock(const int64_t *ahead_ms, size_t n, struct findings *f)
{
    int64_t sorted[RAPPORT_MOST_LINKS];
    char span[SPAN_TEXT];
    if (n == 0) {
        finding_add(f, FINDING_FINE, "clock", NULL, "nobody is connected to compare it with");
        return;
    }
    n = n < RAPPORT_MOST_LINKS ? n : RAPPORT_MOST_LINKS;
    memcpy(sorted, ahead_ms, n * sizeof sorted[0]);
    qsort(sorted, n, sizeof sorted[0], compare);
    int64_t median = sorted[n / 2];
    uint64_t off = median < 0 ? (uint64_t)-median : (uint64_t)median;
    (void)span_text(off, span);
    if (off > DOCTOR_CLOCK_OFF_MS)
        finding_add(f, FINDING_PROBLEM, "clock",
                    "set the clock on the machine where it is wrong: timedatectl",
                    "this machine's clock is %s %s %s, so friends on a LAN do not recognise each "
                    "other",
                    span, median < 0 ? "ahead of" : "behind",
                    n == 1 ? "a friend's" : "those of most friends");
    else
        finding_add(f, FINDING_FINE, "clock", NULL, "within %s of %s",
                    off < 1000 ? "a second" : span,
                    n == 1 ? "a friend's" : "those of the friends who are connected");
}

static void look_clock(struct service *r, struct findings *f)
{
    int64_t ahead_ms[RAPPORT_MOST_LINKS];
    struct rapport_peer_info p;
    struct rapport_note_info note;
    uint64_t newest = 0, now = host_wall();
    char span[SPAN_TEXT];
    size_t n = 0, at = 0;
    while (rapport_node_next_peer(host_node(r->host), &at, &p))
        if (p.state == RAPPORT_LINK_CONNECTED && p.clock_known && n < RAPPORT_MOST_LINKS)
            ahead_ms[n++] = p.clock_ahead_ms;
    doctor_clock(ahead_ms, n, f);
    for (at = 0; rapport_node_next_note(host_node(r->host), &at, &note);)
        newest = note.changed_ms > newest ? note.changed_ms : newest;
    if (newest > now + DOCTOR_CLOCK_OFF_MS)
        finding_add(f, FINDING_NOTE, "clock", "compare this machine's clock with a phone's",
                    "a note claims to be changed %s in the future: its author's clock is wrong, or "
                    "this one",
                    span_text(newest - now, span));
}

/* ---- sockets ---- */

static void look_own(struct service *r, struct findings *f)
{
    struct rapport_address own[HOST_MOST_ADDRESSES];
    char one[RAPPORT_ADDRESS_TEXT];
    struct buf list = BUF_INIT;
    size_t n = host_addresses(r->host, own, HOST_MOST_ADDRESSES);
    for (size_t i = 0; i < n; i++)
        buf_printf(&list, "%s%s", i ? ", " : "", rapport_address_print(&own[i], one));
    if (n && address_is_loopback(&own[0]))
        finding_add(f, FINDING_NOTE, "listen",
                    r->listen_named ? "rapport up without --listen" : NULL,
                    "only programs on this machine itself can connect to it");
    else if (n && buf_cstr(&list))
        finding_add(f, FINDING_FINE, "listen", NULL, "friends reach this machine at %s",
                    (const char *)list.ptr);
    buf_clear(&list);
}

static void look_port(const struct service *r, uint16_t port, bool tailnet, struct findings *f)
{
    char todo[96];
    (void)snprintf(todo, sizeof todo,
                   "friends on the tailnet type once: rapport up --peer THIS-MACHINE:%u", port);
    finding_add(f, FINDING_NOTE, "listen", tailnet ? todo : NULL,
                "the port is %u instead of %d%s%s", port, RAPPORT_UV_PORT,
                r->listen_named ? "" : ", which was taken when it was chosen",
                tailnet ? "; on a tailnet friends try that one only" : "");
}

static void look_listen(struct service *r, bool tailnet, struct findings *f)
{
    struct rapport_address at[RAPPORT_UV_MOST_LISTEN];
    size_t n = rapport_uv_listening(r->uv, at, RAPPORT_UV_MOST_LISTEN);
    char text[RAPPORT_ADDRESS_TEXT];
    for (size_t i = 0; i < n && r->listen_named; i++)
        finding_add(f, FINDING_FINE, "listen", NULL, "at %s, as --listen says",
                    rapport_address_print(&at[i], text));
    if (n && !r->listen_named)
        finding_add(f, FINDING_FINE, "listen", NULL, "at port %u of every address, %s", at[0].port,
                    at[0].family == 6 ? "IPv6 and IPv4" : "IPv4 alone: this machine has no IPv6");
    look_own(r, f);
    if (n && at[0].port != RAPPORT_UV_PORT)
        look_port(r, at[0].port, tailnet, f);
}

/* ---- friends ---- */

static void look_friend(const struct people_friend *friend, bool alone, struct findings *f)
{
    uint64_t now = host_wall(), since = friend->best.since_wall_ms;
    char span[SPAN_TEXT], rtt[32] = "", heard[64] = "";
    if (friend->connected && friend->best.rtt_ms)
        (void)snprintf(rtt, sizeof rtt, ", %u ms", friend->best.rtt_ms);
    if (friend->connected) {
        finding_add(f, FINDING_FINE, "friends", NULL, "%s is connected for %s: %s%s, %s",
                    friend->member.name, span_text(now > since ? now - since : 0, span),
                    friend->path.words, rtt, friend->address);
        return;
    }
    if (friend->last_heard)
        (void)snprintf(heard, sizeof heard, ", last heard %s ago",
                       span_text(now > friend->last_heard ? now - friend->last_heard : 0, span));
    finding_add(f, FINDING_NOTE, "friends",
                alone ? "see that a friend has typed: rapport up" : NULL,
                "%s is not connected%s: %s%s%s%s", friend->member.name, heard, friend->why,
                friend->n_addresses ? " (" : "", friend->address, friend->n_addresses ? ")" : "");
}

static void look_friends(struct service *r, bool alone, struct findings *f)
{
    struct people_friend friend;
    size_t at = 0, n = 0;
    for (; people_next_friend(r->host, &at, &friend); n++)
        look_friend(&friend, alone && n == 0, f);
    if (n == 0)
        finding_add(f, FINDING_NOTE, "friends", "rapport invite",
                    "nobody else is in this report yet");
}

/* ---- ways to friends ---- */

static bool is_area(const struct finding *one, const char *area)
{
    return strcmp(one->area, area) == 0;
}

static bool has_problem(const struct findings *f, const char *area)
{
    for (size_t i = 0; i < f->n; i++)
        if (f->list[i].state == FINDING_PROBLEM && is_area(&f->list[i], area))
            return true;
    return false;
}

static void copy_finding(const struct finding *one, struct findings *f)
{
    finding_add(f, one->state, one->area, one->todo, "%s", one->text);
}

/* What LAN and tailnet say of themselves, after what is wrong with them; not the tailnet's trouble
   twice. */
static void look_ways(struct service *r, const struct trouble_facts *facts, struct findings *f)
{
    struct findings troubles = {0}, ways = {0};
    trouble_find(facts, &troubles);
    if (!facts->on_network && troubles.n == 0)
        finding_add(&troubles, FINDING_NOTE, "network", NULL, "this machine is on no network");
    discover_findings(r->uv, &ways);
    bool said = has_problem(&ways, "tailnet");
    for (size_t i = 0; i < troubles.n; i++)
        if (!said || !is_area(&troubles.list[i], "tailnet"))
            copy_finding(&troubles.list[i], f);
    for (size_t i = 0; i < ways.n; i++)
        copy_finding(&ways.list[i], f);
    f->error = f->error ? f->error : troubles.error ? troubles.error : ways.error;
    findings_clear(&troubles);
    findings_clear(&ways);
}

static void look_sleep(const struct service *r, struct findings *f)
{
    int64_t slept = service_asleep_ms() - r->opened_asleep_ms;
    char span[SPAN_TEXT];
    if (slept >= 1000)
        finding_add(f, FINDING_FINE, "sleep", NULL,
                    "this machine slept %s since the report was opened; friends are dialled again "
                    "when it wakes up",
                    span_text((uint64_t)slept, span));
    else
        finding_add(f, FINDING_FINE, "sleep", NULL,
                    "this machine has not slept since the report was opened");
}

/* ---- the reply ---- */

const char *doctor_next(const struct findings *f)
{
    const char *next = "";
    for (size_t i = f->n; i-- > 0;)
        if (f->list[i].state == FINDING_NOTE && f->list[i].todo[0])
            next = f->list[i].todo;
    for (size_t i = f->n; i-- > 0;)
        if (f->list[i].state == FINDING_PROBLEM && f->list[i].todo[0])
            next = f->list[i].todo;
    return next;
}

static void put_findings(const struct findings *f, struct buf *reply)
{
    static const char *const states[] = {
        [FINDING_FINE] = "fine", [FINDING_NOTE] = "note", [FINDING_PROBLEM] = "problem"};
    size_t n_problems = 0;
    for (size_t i = 0; i < f->n; i++)
        n_problems += f->list[i].state == FINDING_PROBLEM;
    mp_put_map(reply, 4);
    pack_put_bool(reply, "ok", true);
    pack_put_u64(reply, "problems", n_problems);
    pack_put_str(reply, "next", doctor_next(f));
    mp_put_cstr(reply, "findings");
    mp_put_array(reply, f->n);
    for (size_t i = 0; i < f->n; i++) {
        mp_put_map(reply, 4);
        pack_put_str(reply, "state", states[f->list[i].state]);
        pack_put_str(reply, "area", f->list[i].area);
        pack_put_str(reply, "text", f->list[i].text);
        pack_put_str(reply, "todo", f->list[i].todo);
    }
}

static void reply_with(struct findings *f, struct buf *reply)
{
    if (f->error)
        pack_failure(reply, f->error, 1, rapport_strerror(f->error));
    else
        put_findings(f, reply);
    findings_clear(f);
}

void doctor_reply(struct service *r, const struct doctor_about *about, struct buf *reply)
{
    struct findings f = {0};
    struct trouble_facts facts;
    ways_facts(r, &facts);
    look_daemon(r, about, &f);
    look_store(r, &f);
    doctor_disk(host_dir(r->host), &f);
    look_files(r, &f);
    look_clock(r, &f);
    look_ways(r, &facts, &f);
    look_listen(r, facts.view.tailnet_running, &f);
    firewall_findings("", facts.port, facts.n_unreached > 0 && !facts.lan_connected, &f);
    look_friends(r, facts.n_connected == 0 && !has_problem(&f, "network"), &f);
    look_sleep(r, &f);
    reply_with(&f, reply);
}

void doctor_reply_closed(const char *dir, int error, const char *why, struct buf *reply)
{
    struct findings f = {0};
    static const char other[] = "end the process that has it, or wait until it is done";
    finding_add(&f, FINDING_PROBLEM, "store",
                error == RAPPORT_LOCKED    ? other
                : error == RAPPORT_CORRUPT ? "move the folder .rapport away and join again with a "
                                             "friend's ticket: the files that are there are merged"
                                           : NULL,
                "the report cannot be opened: %s", why && *why ? why : rapport_strerror(error));
    doctor_disk(dir, &f);
    firewall_findings("", RAPPORT_UV_PORT, false, &f);
    reply_with(&f, reply);
}
