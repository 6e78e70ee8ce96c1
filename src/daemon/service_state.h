/*
 * service_state.h - the inside of struct service, for service.c, service_wait.c and
 * service_people.c.
 */
#ifndef DAEMON_SERVICE_STATE_H
#define DAEMON_SERVICE_STATE_H

#include "daemon/service.h"

/* Somebody who is or was connected. */
struct person {
    uint8_t device[RAPPORT_DEVICE_ID_BYTES];
    char name[3 * HOST_MOST_NAME_BYTES + 1]; /* safe for a terminal */
    bool here, said;                         /* connected; that it was said */
    uint64_t heard_ms;                       /* his last word, wall clock */
};

struct service {
    uv_loop_t *loop;
    struct host *host;
    struct rapport_uv *uv;
    struct syncer syncer;
    struct watch watch;
    uv_timer_t after, tell;
    bool watching, after_armed, has_timers, closing;
    unsigned n_closing; /* timers that libuv still holds */
    bool is_online, said_online, is_joined;
    bool on_network;   /* the machine has an address besides loopback */
    bool listen_named; /* the person said where */
    uint64_t opened_wall_ms;
    int64_t opened_asleep_ms; /* service_asleep_ms then */
    bool said_failure, said_blind, verbose;
    struct person people[SERVICE_MOST_PEOPLE];
    size_t n_people;
    struct service_wait *waits;
    size_t n_waits;
    char *name;
    void *user;
    void (*line)(void *user, struct service *r, const char *line);
    void (*online)(void *user, struct service *r);
    void (*closed)(void *user, int error);
    void *closed_user;
};

/* ---- service.c ---- */

/* Takes the folder in and writes it out. */
void service_settle(struct service *r);
/* printf to the person, made safe for a terminal. */
void service_say(struct service *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* How long this machine has slept since it booted, ms. */
int64_t service_asleep_ms(void);

/* ---- service_people.c ---- */

/* Says who came and who went since the last call; who joined. */
void people_look(struct service *r);
/* When that friend was heard last, wall clock in ms; 0: not in the life of this process. */
uint64_t people_heard(const struct service *r, const uint8_t device[RAPPORT_DEVICE_ID_BYTES]);

/* ---- service_ways.c ---- */

/* The hooks of the host about ways to friends; `hooks->user` is the service. */
void ways_hooks(struct host_hooks *hooks);
/* Says where friends are looked for. */
void ways_say(struct service *r);
struct trouble_facts;
/* How the ways to friends stand now; only while the report has its sockets. */
void ways_facts(struct service *r, struct trouble_facts *t);

/* ---- service_wait.c ---- */

/* Answers the waits whose goal is reached or whose time is over. */
void waits_look(struct service *r);
/* A friend joined: for those who wait for one. */
void waits_joined(struct service *r, const uint8_t device[RAPPORT_DEVICE_ID_BYTES]);
/* Answers all. */
void waits_end(struct service *r);

#endif
