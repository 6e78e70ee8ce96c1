/*
 * mirror_base.c - which text had the editor read whose save was found?
 *
 * Editors do not say. But the texts that stood at the path since the last save are remembered,
 * and a text that a person changed carries the changes of the text that was read: so it is the
 * newest whose difference from the one before it shows. Taking the save as a change against
 * anything newer would delete what the person never saw.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/hex.h"
#include "host/merge.h"
#include "host/mirror_state.h"

static void kept_name(char out[5 + 2 * TEXT_HASH_BYTES + 1], const uint8_t hash[TEXT_HASH_BYTES])
{
    memcpy(out, "base/", 5);
    hex_encode(out + 5, hash, TEXT_HASH_BYTES);
}

static int read_kept(struct host *h, const uint8_t hash[TEXT_HASH_BYTES], struct buf *out)
{
    char name[5 + 2 * TEXT_HASH_BYTES + 1];
    struct file_text f;
    const char *why;
    kept_name(name, hash);
    int error = file_read(h->rapport_fd, name, &f, &why);
    if (!error && memcmp(f.hash, hash, TEXT_HASH_BYTES) != 0)
        error = RAPPORT_CORRUPT;
    if (!error)
        buf_append_slice(out, buf_slice(&f.text));
    file_text_clear(&f);
    return error ? error : buf_error(out);
}

int base_text(struct host *h, const struct entry *e, size_t i, struct buf *out)
{
    const struct base *b = &e->bases[i];
    if (!b->version)
        return read_kept(h, b->hash, out);
    char *text;
    size_t len;
    struct rapport_version version = {b->version, b->version_len};
    int error = host_note_at(h, e->note, version, &text, &len);
    if (error)
        return error;
    buf_append(out, text, len);
    free(text);
    return buf_error(out);
}

int base_keep(struct host *h, const uint8_t hash[TEXT_HASH_BYTES], struct slice text)
{
    char name[5 + 2 * TEXT_HASH_BYTES + 1], temporary[sizeof name + 5];
    kept_name(name, hash);
    if (!faccessat(h->rapport_fd, name, F_OK, AT_SYMLINK_NOFOLLOW))
        return 0;
    if (mkdirat(h->rapport_fd, "base", 0700) && errno != EEXIST)
        return host_errno(errno);
    (void)snprintf(temporary, sizeof temporary, "%s.new", name);
    (void)unlinkat(h->rapport_fd, temporary, 0);
    int error = file_write(h->rapport_fd, temporary, text, 0600);
    if (!error && renameat(h->rapport_fd, temporary, h->rapport_fd, name))
        error = host_errno(errno);
    return error;
}

size_t base_choose(struct host *h, const struct entry *e, struct slice text)
{
    size_t i = e->n_bases - 1;
    struct buf newer = BUF_INIT, older = BUF_INIT;
    if (i == 0)
        return 0;
    bool known = !base_text(h, e, i, &newer);
    while (i > 0) {
        bool older_known = !base_text(h, e, i - 1, &older);
        if (known && older_known && change_shows(buf_slice(&older), buf_slice(&newer), text))
            break;
        i--;
        known = older_known;
        struct buf swapped = newer;
        newer = older;
        older = swapped;
        buf_reset(&older);
    }
    buf_clear(&newer);
    buf_clear(&older);
    return i;
}
