/*
 * people.h - friends and the way to them, in words for people who know nothing of sockets. For the
 * verbs of this layer and for whoever tells how things stand.
 *
 * A friend is a member of the report other than this device, however many addresses he has. Names
 * are as written and must be escaped by whoever prints them; all other texts here are safe.
 */
#ifndef HOST_PEOPLE_H
#define HOST_PEOPLE_H

#include "host/host.h"

enum {
    PEOPLE_ADDRESS_TEXT = 80,
    PEOPLE_WHY_TEXT = 160,
};

struct people_friend {
    struct rapport_member_info member;
    bool connected;
    size_t n_addresses;            /* that are known of him; 0: `best` means nothing */
    struct rapport_peer_info best; /* the connection, or what says most about why there is none */
    struct host_path path;         /* to best.address */
    char address[PEOPLE_ADDRESS_TEXT];
    char why[PEOPLE_WHY_TEXT]; /* why not connected; "" when connected */
    uint64_t last_heard;       /* wall clock, ms; 0 never */
    uint64_t next_try;         /* wall clock, ms, the first of all his addresses; 0 none */
};

/* Iterates over friends: start with *at = 0; false at the end. Strings as rapport_node_next_member
   has them. */
bool people_next_friend(struct host *h, size_t *at, struct people_friend *out);

/* An address as text, with its port. */
void people_address(const struct rapport_address *a, char out[PEOPLE_ADDRESS_TEXT]);
/* By which path a peer is or would be reached; kind "" without a driver. */
void people_path(struct host *h, const struct rapport_peer_info *p, struct host_path *out);
/* Why a peer is not connected, without a full stop. */
void people_why(const struct rapport_peer_info *p, const struct host_path *path,
                char out[PEOPLE_WHY_TEXT]);
/* When a peer is dialled next, wall clock in ms; 0: not planned, or just now. */
uint64_t people_next_try(const struct rapport_peer_info *p);

#endif
