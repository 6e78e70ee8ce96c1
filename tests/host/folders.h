/*
 * folders.h - for the tests of the host: folders under a temporary one, files in them, calls of
 * verbs, and two hosts that are connected without sockets.
 */
#ifndef FOLDERS_H
#define FOLDERS_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mp.h"
#include "host/mirror.h"
#include "host/ops.h"
#include "test.h"

/* A folder for one test, with HOME and reports below it; removed by box_close. */
struct box {
    char top[64], home[128], dir[128];
    struct host *host;
};

__attribute__((unused)) static int box_remove_one(const char *path, const struct stat *st, int flag,
                                                  struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

__attribute__((unused)) static void box_make(struct box *b)
{
    *b = (struct box){.top = "/tmp/rapport-host-XXXXXX"};
    CHECK(mkdtemp(b->top) != NULL);
    (void)snprintf(b->home, sizeof b->home, "%s/home", b->top);
    (void)snprintf(b->dir, sizeof b->dir, "%s/report", b->top);
}

/* Opens b->dir; fails the test with the reason when that fails. */
__attribute__((unused)) static void box_open(struct box *b, enum rapport_start start)
{
    struct host_config config = {
        .dir = b->dir, .home = b->home, .start = start, .title = "FOSDEM 2023", .name = "Ada"};
    struct buf why = BUF_INIT;
    int error = host_open(&config, &b->host, &why);
    if (error)
        test_fail(__FILE__, __LINE__, "host_open: %s: %s", rapport_strerror(error),
                  buf_cstr(&why) ? (char *)why.ptr : "");
    buf_clear(&why);
}

__attribute__((unused)) static void box_reopen(struct box *b)
{
    CHECK_EQ(host_close(b->host), 0);
    b->host = NULL;
    box_open(b, RAPPORT_START_OPEN);
}

__attribute__((unused)) static void box_start(struct box *b)
{
    box_make(b);
    box_open(b, RAPPORT_START_INIT);
}

__attribute__((unused)) static void box_close(struct box *b)
{
    (void)host_close(b->host);
    (void)nftw(b->top, box_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* "DIR/name" in a static ring. */
__attribute__((unused)) static const char *in(const struct box *b, const char *name)
{
    static char paths[8][512];
    static int next;
    char *path = paths[next++ % 8];
    (void)snprintf(path, sizeof paths[0], "%s/%s", b->dir, name);
    return path;
}

/* Sets the times of a file or folder `seconds` back, so that nothing has to wait for it to
   settle. */
__attribute__((unused)) static void age(const char *path, int seconds)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    now.tv_sec -= seconds;
    struct timespec times[2] = {now, now};
    CHECK_EQ(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW), 0);
}

/* Writes in place, as a shell does. */
__attribute__((unused)) static void put_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    CHECK(f != NULL);
    CHECK(fwrite(text, 1, strlen(text), f) == strlen(text));
    CHECK_EQ(fclose(f), 0);
}

/* Beside and renamed over, as most editors do. */
__attribute__((unused)) static void replace(const char *path, const char *text)
{
    char beside[600];
    (void)snprintf(beside, sizeof beside, "%s.tmp", path);
    put_file(beside, text);
    CHECK_EQ(rename(beside, path), 0);
}

/* The file's text (free() it), or NULL. */
__attribute__((unused)) static char *get_file(const char *path)
{
    FILE *f = fopen(path, "r");
    if (!f)
        return NULL;
    char *text = calloc(1, 1 << 16);
    CHECK(text != NULL);
    size_t n = fread(text, 1, (1 << 16) - 1, f);
    text[n] = '\0';
    (void)fclose(f);
    return text;
}

__attribute__((unused)) static bool exists(const char *path)
{
    struct stat st;
    return !lstat(path, &st);
}

#define CHECK_FILE(path, text)                                                                     \
    do {                                                                                           \
        char *check_text = get_file(path);                                                         \
        if (!check_text)                                                                           \
            test_fail(__FILE__, __LINE__, "%s is not there", path);                                \
        CHECK_STR(check_text, text);                                                               \
        free(check_text);                                                                          \
    } while (0)

/* As the verbs do it. */
__attribute__((unused)) static void settle(struct host *h)
{
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(mirror_take(h), 0);
        CHECK_EQ(mirror_put(h), 0);
        if (!mirror_is_dirty(h))
            return;
    }
}

/* ---- verbs ---- */

struct reply {
    struct buf bytes;
    struct mp_doc doc;
};

__attribute__((unused)) static void reply_clear(struct reply *r)
{
    mp_close(&r->doc);
    buf_clear(&r->bytes);
}

/* Calls op with pairs of strings up to NULL. */
__attribute__((unused)) static struct reply call(struct host *h, const char *op, ...)
{
    struct buf args = BUF_INIT, request = BUF_INIT;
    struct reply r = {.bytes = BUF_INIT};
    size_t n = 0;
    va_list list;
    va_start(list, op);
    for (const char *key; (key = va_arg(list, const char *)); n++) {
        mp_put_cstr(&args, key);
        mp_put_cstr(&args, va_arg(list, const char *));
    }
    va_end(list);
    mp_put_array(&request, 2);
    mp_put_cstr(&request, op);
    mp_put_map(&request, n);
    buf_append_slice(&request, buf_slice(&args));
    CHECK_EQ(host_call(h, buf_slice(&request), &r.bytes), 0);
    CHECK_EQ(mp_open(&r.doc, buf_slice(&r.bytes), 1 << 20), 0);
    CHECK_EQ(r.doc.root.type, MSGPACK_OBJECT_MAP);
    buf_clear(&args);
    buf_clear(&request);
    return r;
}

/* The value at a key of a map; NULL when there is none. */
__attribute__((unused)) static const msgpack_object *at(const msgpack_object *map, const char *key)
{
    for (uint32_t i = 0; map && map->type == MSGPACK_OBJECT_MAP && i < map->via.map.size; i++) {
        const msgpack_object_kv *kv = &map->via.map.ptr[i];
        if (kv->key.via.str.size == strlen(key) &&
            memcmp(kv->key.via.str.ptr, key, strlen(key)) == 0)
            return &kv->val;
    }
    return NULL;
}

__attribute__((unused)) static struct slice str_of(const msgpack_object *o)
{
    return o && o->type == MSGPACK_OBJECT_STR ? slice_of(o->via.str.ptr, o->via.str.size)
                                              : slice_of(NULL, 0);
}

__attribute__((unused)) static bool reply_ok(const struct reply *r)
{
    const msgpack_object *ok = at(&r->doc.root, "ok");
    return ok && ok->type == MSGPACK_OBJECT_BOOLEAN && ok->via.boolean;
}

#define CHECK_REPLY(r)                                                                             \
    do {                                                                                           \
        if (!reply_ok(r)) {                                                                        \
            struct slice why = str_of(at(at(&(r)->doc.root, "error"), "message"));                 \
            test_fail(__FILE__, __LINE__, "the verb failed: %.*s", (int)why.len,                   \
                      (const char *)why.ptr);                                                      \
        }                                                                                          \
    } while (0)

/* Calls a verb that must work and whose reply does not matter. */
#define DO(h, ...)                                                                                 \
    do {                                                                                           \
        struct reply do_reply = call(h, __VA_ARGS__, (char *)NULL);                                \
        CHECK_REPLY(&do_reply);                                                                    \
        reply_clear(&do_reply);                                                                    \
    } while (0)

/* The text that show gives for a note (free() it). */
__attribute__((unused)) static char *note_text(struct host *h, const char *note)
{
    struct reply r = call(h, "show", "note", note, (char *)NULL);
    CHECK_REPLY(&r);
    struct slice text = str_of(at(&r.doc.root, "text"));
    char *out = strndup(text.ptr ? (const char *)text.ptr : "", text.len);
    reply_clear(&r);
    return out;
}

#define CHECK_NOTE(h, note, text)                                                                  \
    do {                                                                                           \
        char *check_note = note_text(h, note);                                                     \
        CHECK_STR(check_note, text);                                                               \
        free(check_note);                                                                          \
    } while (0)

/* The number of notes that are listed. */
__attribute__((unused)) static size_t count_notes(struct host *h)
{
    struct reply r = call(h, "ls", (char *)NULL);
    CHECK_REPLY(&r);
    size_t n = at(&r.doc.root, "notes")->via.array.size;
    reply_clear(&r);
    return n;
}

#endif
