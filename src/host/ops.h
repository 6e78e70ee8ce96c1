/*
 * ops.h - the verbs, once: used in-process by the command line when no daemon runs, and by the
 * daemon's control socket else.
 *
 * A request is the msgpack array [op, {argument: value}], a reply one msgpack map with string keys.
 * Every reply has "ok" (bool). With ok false it has
 *   "error": {"code": "NOTFOUND", "exit": 4, "message": "what, where, why, and what to do"}
 * and, for AMBIGUOUS, "candidates": [{"id","path","title"}]. Any reply may have "notices": [str],
 * lines for stderr. Messages and notices are safe for a terminal; texts, titles and names are as
 * written and must be escaped by whoever prints them (utf8_printable). Exit codes are CONTRACT's: 1
 * failed, 2 usage, 3 needs a person, 4 not found, 5 no peer, 65 bad data. Times are ms since 1970;
 * ids are lower-case hex. Keys are added, never renamed: those of a row are what --json prints.
 *
 * Ops that read or write notes first take in the folder and last write out to it.
 *
 *   op              arguments (? optional)            reply, besides "ok"
 *   ls              trash? bool                       notes: [NOTE]
 *   show            note, at?                         note: NOTE, text: str, at? str
 *   new             title?, path?, talk? (event id,   note: NOTE, file: str (absolute), existed:
 *                   guid or part of the title)        bool
 *   jot             text, note?                       note: NOTE (default: notes/jots-<name>.md,
 *                                                     made when it is missing)
 *   edit            note                              note: NOTE, file: str (absolute); then take
 *   take            -                                 (the folder was taken in and written out)
 *   rm              note                              note: NOTE
 *   mv              note, path                        note: NOTE
 *   log             note?, limit? uint                lines: [LINE], newest first
 *   status          -                                 see STATUS
 *   peers           -                                 peers: [PEER]
 *   members         -                                 members: [{device, name, role, self,
 *                                                     removed}]
 *   invite          uses? uint (1), expires_s? uint   ticket: str, uses: uint, expires_s: uint
 *                   (from now; 2 days)                (since 1970)
 *   settings        -                                 settings: {title}
 *   schedule_import bytes: bin, zone? str             title, talks: uint, zone: str, problems:
 *                                                     [str]
 *   schedule_ls     day?, track?, room?               title, zone, talks: [TALK]
 *   outline         -                                 file: str, changed: bool, lines: [str]
 *   publish         target, out?, draft? bool         out: str (absolute), files: [str], kept:
 *                                                     [str], problems: [str]
 *   flush           -                                 unsaved: uint
 *   bundle_write    file (absolute), force? bool,     file: str, notes, deltas, events, bytes:
 *                   for? (name or device), reply_to?  uint, for: str ("" everybody), whole: bool
 *                   (absolute path of a bundle)       (nothing was known of what they have)
 *   bundle_read     file (absolute)                   from: str ("" unknown), written: uint,
 *                                                     deltas, known, taken, events, waiting,
 *                                                     refused: uint, waits_for: str, problem: str
 *                                                     ("" none: why reading ended early)
 *
 *   NOTE    id, path, title, talk (bool), trashed, bytes, changed, authors: [str], file? (path on
 *           disk where it differs), day?, start?, room? (of its talk)
 *   LINE    note, path, title, version ("1f0a2b3c@57"), author, time, inserted, deleted, created,
 *           renamed, trashed, control
 *   STATUS  title, dir, report (hex), name, digest (32 hex digits, "" while unknown), daemon:
 *           bool, ready: bool, notes, trashed: uint, unsaved: uint, waiting: [{path, why}]
 *           (files with a live editor), problems: [{path, why}], failure: str ("" when well),
 *           peers: {known, connected, unacknowledged: uint, behind: uint}, members: uint;
 *           unacknowledged: what the connected peer that lacks most lacks of ours, and, where none
 *           is connected, what no peer ever said to have; friends: [FRIEND], network: [{text,
 *           todo}] (what keeps friends from being found or reached here)
 *   PEER    name, device (hex, "" unknown), state: waiting|dialling|handshake|connected, inbound,
 *           address: str, source: static|ticket|remembered|lan|peer|tailnet|inbound, error: str
 *           ("" none), last_heard (0 never), rtt_ms, unacknowledged, behind, converged,
 *           digest_equal, path: PATH, path_text (for people), why: str (not connected, in words;
 *           "" connected), next_try (0: not planned), since (connected since; 0)
 *   PATH    here|lan|tailnet-direct|tailnet-relayed|tailnet|static|internet, "" unknown
 *   FRIEND  a member but this device: name, device, connected: bool, path: PATH and path_text
 *           (connected), address (the best known, "" none), addresses: uint (how many are known),
 *           rtt_ms, since, last_heard (0 never), unacknowledged, behind, digest_equal, why,
 *           next_try
 *   TALK    id (event id, else guid), title, day, start, room, track, duration_min, speakers:
 *           [str], url, note? (id of its note, when there is one)
 *
 * NOTE arguments are resolved in this order: whole path (with or without .md, with or without
 * notes/), slug of path or title, id or a prefix of at least 4 hex digits, a part of the title
 * (ASCII case does not matter) that only one note has.
 */
#ifndef HOST_OPS_H
#define HOST_OPS_H

#include "host/host.h"

enum {
    OPS_MOST_REQUEST_BYTES = 40 << 20, /* a schedule is up to 32 MiB */
    OPS_MOST_ITEMS = 256,              /* values in a request */
};

/*
 * Carries out one request and appends the reply to `reply`. Returns 0 when there is a reply, also
 * one that says ok false; else RAPPORT_NOMEM, and nothing was appended. A request that is no
 * request is answered with exit 2.
 */
int host_call(struct host *h, struct slice request, struct buf *reply);

/* The exit code (CONTRACT) that belongs to an error code; 0 for 0. */
int host_exit_of(int error);

/* True when `op` is one of the table. */
bool host_has_op(struct slice op);

#endif
