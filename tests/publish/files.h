/*
 * files.h - reading samples for the tests of this layer: from the repository, or from the folder of
 * real data beside it ($RAPPORT_SHARED, else ../shared), which may not be there.
 */
#ifndef TESTS_PUBLISH_FILES_H
#define TESTS_PUBLISH_FILES_H

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "test.h"

static bool read_path(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return false;
    uint8_t chunk[4096];
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, f)) > 0;)
        buf_append(out, chunk, n);
    fclose(f);
    return buf_error(out) == 0;
}

/* Reads a file of the repository; the test fails without it. */
static inline struct buf read_sample(const char *path)
{
    struct buf b = BUF_INIT;
    if (!read_path(path, &b))
        test_fail(__FILE__, __LINE__, "cannot read %s (run tests from the top of the repository)",
                  path);
    return b;
}

/* Reads a file of the real data; the test is skipped without it. */
static inline struct buf read_shared(const char *path)
{
    struct buf b = BUF_INIT;
    char whole[512];
    const char *folder = getenv("RAPPORT_SHARED");
    snprintf(whole, sizeof whole, "%s/%s", folder ? folder : "../shared", path);
    if (!read_path(whole, &b))
        SKIP("no real data there (RAPPORT_SHARED or ../shared)");
    return b;
}

#endif
