/*
 * call.h - one report, wherever it is open: through the socket of the daemon that has it, else
 * opened in this process. The verbs do not see the difference.
 */
#ifndef CLI_CALL_H
#define CLI_CALL_H

#include "cli/message.h"
#include "daemon/client.h"
#include "daemon/client_run.h"
#include "host/ops.h"

struct caller {
    struct buf dir;    /* the report's folder, absolute */
    struct host *host; /* one of these two is set */
    struct client *client;
};

enum {
    CALLER_LOCK_MS = 2000, /* how long to wait for another verb that has the report */
    CALLER_POLL_MS = 20,
};

/* Finds the report from the folder that the process is in. Returns 0 or the exit code, having said
   why. */
int report_dir(const struct cli *cli, struct buf *dir);

/* Finds and opens the report. Returns 0 or the exit code, having said why; close it in any case. */
int caller_open(const struct cli *cli, struct caller *s);

/* Makes the call and frees the request; notices are said, an error too. `wait_ms` as in
   client_call. Returns 0 or the exit code. The reply is the caller's to close in any case. */
int caller_call_for(const struct cli *cli, struct caller *s, struct request *r, uint64_t wait_ms,
                    struct reply *reply);
/* The same with the usual limit. */
int caller_call(const struct cli *cli, struct caller *s, struct request *r, struct reply *reply);

/* Closes it; what was not on the disk yet is said. Returns 0 or the exit code. */
int caller_close(const struct cli *cli, struct caller *s);

/* Opens, calls, closes. Returns 0 or the exit code. */
int call_once(const struct cli *cli, struct request *r, struct reply *reply);

/* As call_once, for a verb that changes notes: adds that nothing is running to carry it to
   friends. */
int call_change(const struct cli *cli, struct request *r, struct reply *reply);

/* Calls an opened host. Returns 0 or the exit code, having said why. */
int call_host(const struct cli *cli, struct host *h, struct request *r, struct reply *reply);

/* Fills in the addresses of --listen and --peer, borrowed. */
void addresses_of(const struct cli *cli, struct daemon_config *config);

/* Says why a call failed that has no reply: `why` if there is something in it, else the error's
   sentence. Returns the exit code. */
int call_failed(const struct cli *cli, int error, struct buf *why);

#endif
