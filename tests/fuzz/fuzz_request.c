/*
 * fuzz_request.c - whatever comes through the control socket: host_call on any bytes against one
 * report in a folder of its own. The reply must always be one msgpack map that says ok or not.
 */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mp.h"
#include "host/ops.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char top[] = "/tmp/rapport-fuzz-XXXXXX";
static struct host *host;

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static void end(void)
{
    (void)host_close(host);
    (void)nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void start(void)
{
    char dir[64], home[64];
    if (!mkdtemp(top))
        abort();
    (void)snprintf(dir, sizeof dir, "%s/report", top);
    (void)snprintf(home, sizeof home, "%s/home", top);
    struct host_config config = {
        .dir = dir, .home = home, .start = RAPPORT_START_INIT, .title = "Fuzz", .name = "Ada"};
    if (host_open(&config, &host, NULL) || atexit(end))
        abort();
}

/* A post is written where the request says: not into the folders of this machine. */
static bool names_a_folder(const uint8_t *data, size_t size)
{
    return size >= 3 && memmem(data, size, "out", 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf reply = BUF_INIT;
    struct mp_doc doc = {0};
    if (!host)
        start();
    if (names_a_folder(data, size))
        return 0;
    if (host_call(host, slice_of(data, size), &reply) ||
        mp_open(&doc, buf_slice(&reply), 1 << 20) || doc.root.type != MSGPACK_OBJECT_MAP)
        abort();
    mp_close(&doc);
    buf_clear(&reply);
    return 0;
}
