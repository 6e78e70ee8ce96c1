/*
 * roster.h - who is in: devices with their cards and roles, invites, settings. Built from control
 * events only.
 *
 * An event counts when its author is in the roster with the role that it needs: owners and admins
 * add, remove, invite and set roles (acts on owners, or that make one, need an owner); every member
 * may change settings and remove itself. The roster that counts is the one made by the events with
 * lesser stamps, so the last writer wins, and the same set of events means the same roster.
 */
#ifndef REPORT_ROSTER_H
#define REPORT_ROSTER_H

#include "crypto/device.h"
#include "report/payload.h"

enum role {
    ROLE_OWNER = 0,
    ROLE_ADMIN = 1,
    ROLE_MEMBER = 2,
};

/* The order of last-writer-wins: lamport of the delta, log id, event number. */
struct stamp {
    uint64_t lamport;
    uint8_t log[LOG_ID_BYTES];
    uint64_t event;
};

struct member {
    struct device_card card;
    uint8_t device[16]; /* device_id of the card */
    enum role role;
    bool removed;
    uint8_t invite[16];           /* by which it came in; zeros for the creator */
    struct stamp added, role_set; /* the first add, the last change of role */
};

struct invite {
    uint8_t public_key[32];
    uint8_t id[16];
    uint8_t issuer[16]; /* device id */
    uint32_t n_uses;    /* allowed; 1: redeemed only at the issuer */
    uint32_t n_used;    /* devices added by it so far */
    uint64_t expires_s; /* seconds since 1970; 0 never */
    bool revoked;
};

/* < 0, 0, > 0 */
int stamp_compare(const struct stamp *a, const struct stamp *b);

#endif
