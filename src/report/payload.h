/*
 * payload.h - what stands inside a delta: the msgpack form of events, and the one walk over it.
 *
 * A content payload is an array of sections [note, [event…]]; note is a bin 16 (its id) where this
 * log names the note for the first time, which gives it the log's next small number, or that number
 * as uint. A control payload is an array of events. Event numbers run on through the payload; each
 * event array uses as many as its row says.
 *
 *   content event          numbers  meaning
 *   [0, pos, text]         chars    insert text at pos (code points in the text at its parents)
 *   [1, pos, n]            n        delete n code points at pos, forward
 *   [2, pos, n]            n        delete backward: pos, pos-1, … (Backspace)
 *   [3, [[agent, seq]…]]   0        parents of the next text event; without it: this log's last
 * text event in the note, or none where it has none yet. agent: bin 16 [4, path]              1
 * create: the note exists from here on, at this path [5, path]              1        rename [6,
 * [[agent, seq]…]]   1        delete: the version its author saw [7, talk]              1 talk: an
 * array as talk_encode makes it; [] removes it [8, text]              1        template: text by
 * the pseudo-agent hash(note id ‖ text), numbers from 0, no parents
 *
 *   control event          numbers  meaning
 *   [0, genesis]           1        the genesis record as bin; only event 0 of the creator's first
 * log [1, card, role, invite] 1       add a device (card as bin); invite: bin 16 of its id, or
 * empty [2, device]            1        remove a device (bin 16) [3, device, role]      1 role [5,
 * public, uses, expires_s]  1 invite: public key, redemptions allowed (1: only at its issuer), 0 =
 * never expires [6, invite]            1        revoke an invite (bin 16) [7, key, value]        1
 * setting, both strings
 *
 * A payload that does not parse in whole has no effect and still uses its numbers.
 */
#ifndef REPORT_PAYLOAD_H
#define REPORT_PAYLOAD_H

#include "base/mp.h"
#include "log/batch.h"

enum {
    PATH_MOST_BYTES = 512,
    SETTING_MOST_KEY = 64,
    SETTING_MOST_VALUE = 4096,
    TALK_MOST_BYTES = 4096,
    PARENTS_MOST = 64,
    NOTE_MOST_BYTES = 16 << 20, /* text of one note */
};

enum content_event {
    EVENT_INSERT = 0,
    EVENT_DELETE = 1,
    EVENT_DELETE_BACKWARD = 2,
    EVENT_PARENTS = 3,
    EVENT_CREATE = 4,
    EVENT_RENAME = 5,
    EVENT_TRASH = 6,
    EVENT_TALK = 7,
    EVENT_TEMPLATE = 8,
};

enum control_event {
    CONTROL_GENESIS = 0,
    CONTROL_ADD = 1,
    CONTROL_REMOVE = 2,
    CONTROL_ROLE = 3,
    CONTROL_INVITE = 5,
    CONTROL_REVOKE = 6,
    CONTROL_SETTING = 7,
};

#endif
