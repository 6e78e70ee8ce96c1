/*
 * ops_publish.c - outline and publish: from notes to report.md, from both to files of a site.
 *
 * A file that was written here and changed since is a person's: it is kept and named. What was
 * written is remembered in .rapport/published, one line "HASH PATH" for each file.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "host/mirror_state.h"
#include "host/ops_parts.h"
#include "publish/dates.h"
#include "publish/outline.h"
#include "publish/schedule.h"
#include "publish/writer.h"

enum {
    PUBLISHED_MOST_BYTES = 4 << 20,
    PUBLISH_MOST_MEDIA_BYTES = 256 << 20,
};

static const char report_path[] = "report.md";

static const struct listed *report_note(struct call *c)
{
    if (call_notes(c))
        return NULL;
    for (size_t i = 0; i < c->n_notes; i++)
        if (!c->notes[i].trashed && strcmp(c->notes[i].path, report_path) == 0)
            return &c->notes[i];
    return NULL;
}

/* ---- the notes as publish wants them ---- */

static int64_t start_of(const char *start)
{
    struct date_time t;
    return date_time_parse(slice_str(start), &t) ? t.minutes : INT64_MAX;
}

/* A copy of one string of a decoded talk that outlives it. */
static const char *kept(struct call *c, const char *text)
{
    const char *copy = arena_copy(&c->arena, text, strlen(text));
    return copy ? copy : "";
}

/* "A; B" as a list. */
static void split_persons(struct call *c, const char *speakers, struct talk *t)
{
    size_t n = 1;
    for (const char *p = speakers; *p; p++)
        n += *p == ';';
    t->persons = arena_alloc(&c->arena, n * sizeof(const char *));
    while (t->persons && *speakers && t->n_persons < n) {
        size_t len = strcspn(speakers, ";");
        t->persons[t->n_persons++] = arena_copy(&c->arena, speakers, len);
        speakers += len;
        speakers += strspn(speakers, "; ");
    }
}

/* What the note itself knows of its talk; the schedule's own entry, where it is here, has links
   too. */
static const struct talk *talk_of(struct call *c, const struct listed *note)
{
    struct rapport_talk r;
    struct talk *t = arena_alloc(&c->arena, sizeof *t);
    if (!t || !note->talk.len || rapport_talk_decode(note->talk.ptr, note->talk.len, &r))
        return NULL;
    *t = (struct talk){
        .guid = "",
        .event_id = "",
        .code = "",
        .slug = "",
        .title = kept(c, r.title),
        .subtitle = "",
        .track = kept(c, r.track),
        .room = kept(c, r.room),
        .day = kept(c, r.day),
        .start = kept(c, r.start),
        .url = kept(c, r.url),
        .start_min = start_of(r.start),
        .duration_min = (int)r.duration_min,
    };
    split_persons(c, r.speakers, t);
    if (t->url[0] && (t->links = arena_alloc(&c->arena, sizeof *t->links))) {
        t->links[0] = (struct talk_link){t->url, "", TALK_LINK_PAGE};
        t->n_links = 1;
    }
    rapport_talk_clear(&r);
    return t;
}

/* The schedule's entries by the ids of their notes. */
static void use_schedule(struct call *c, const struct schedule *s, const struct talk **talks)
{
    for (size_t i = 0; i < s->n_talks; i++) {
        uint8_t id[RAPPORT_NOTE_ID_BYTES];
        struct buf key = BUF_INIT;
        bool known = !talk_key(s, &s->talks[i], &key) && buf_cstr(&key);
        if (known)
            rapport_talk_note_id((const char *)key.ptr, id);
        buf_clear(&key);
        const struct listed *note = known ? call_note_of(c, id) : NULL;
        if (note && !talks[note - c->notes])
            talks[note - c->notes] = &s->talks[i];
    }
}

/* ---- outline ---- */

static int draft(struct call *c, struct slice existing, struct buf *out, struct buf *lines)
{
    struct outline_note *notes = arena_alloc(&c->arena, (c->n_notes + 1) * sizeof *notes);
    size_t n = 0;
    if (!notes)
        return RAPPORT_NOMEM;
    for (size_t i = 0; i < c->n_notes; i++) {
        const struct listed *note = &c->notes[i];
        if (note->trashed || strcmp(note->path, report_path) == 0)
            continue;
        const struct talk *t = talk_of(c, note);
        notes[n++] = (struct outline_note){.path = note->path,
                                           .title = note->title,
                                           .slug = "",
                                           .day = t ? t->day : "",
                                           .start_min = t ? t->start_min : INT64_MAX};
    }
    return outline_draft(notes, n, existing, out, lines);
}

static void field_lines(struct call *c, const char *key, struct slice text)
{
    struct rows rows = {.buf = BUF_INIT};
    while (text.len) {
        const uint8_t *end = memchr(text.ptr, '\n', text.len);
        size_t len = end ? (size_t)(end - text.ptr) : text.len;
        if (len) {
            mp_put_str(&rows.buf, slice_of(text.ptr, len));
            rows.n++;
        }
        text = slice_skip(text, end ? len + 1 : len);
    }
    field_rows(c, key, &rows);
}

static int write_report(struct call *c, const uint8_t *id, bool exists, struct slice text)
{
    struct rapport_edit make = {
        .kind = RAPPORT_EDIT_NEW, .note = id, .path = report_path, .text = ""};
    struct rapport_edit edit = {.kind = RAPPORT_EDIT_TEXT,
                                .note = id,
                                .text = text.len ? (const char *)text.ptr : "",
                                .text_len = text.len};
    int error = exists ? 0 : host_edit(c->h, &make);
    if (!error)
        error = host_edit(c->h, &edit);
    return error ? call_fail_edit(c, error, report_path) : 0;
}

int op_outline(struct call *c)
{
    uint8_t id[RAPPORT_NOTE_ID_BYTES];
    struct slice existing = {0};
    struct buf out = BUF_INIT, lines = BUF_INIT;
    const struct listed *report = report_note(c);
    report_note_id(id);
    if (report)
        memcpy(id, report->id, sizeof id);
    int error = c->error;
    if (!error && report)
        error = call_text(c, id, &existing);
    if (!error)
        error = draft(c, existing, &out, &lines);
    bool changed = !report || !slice_equal(existing, buf_slice(&out));
    if (!error && changed)
        error = write_report(c, id, report != NULL, buf_slice(&out));
    if (!error) {
        field_file(c, id);
        field_bool(c, "changed", changed);
        field_lines(c, "lines", buf_slice(&lines));
    }
    buf_clear(&out);
    buf_clear(&lines);
    return error;
}

/* ---- publish: the post ---- */

static int authors_of(struct call *c, const struct listed *note, struct post_note *out)
{
    const char **names = arena_alloc(&c->arena, (note->n_authors + 1) * sizeof(const char *));
    if (!names)
        return RAPPORT_NOMEM;
    for (size_t i = 0; i < note->n_authors; i++) {
        const char *name = kept(c, rapport_node_note_author(c->h->node, note->id, i));
        size_t k = 0;
        while (k < out->n_authors && strcmp(names[k], name) != 0)
            k++;
        if (k == out->n_authors)
            names[out->n_authors++] = name;
    }
    out->authors = names;
    return 0;
}

static int gather_post(struct call *c, const struct talk **talks, struct post_input *in)
{
    struct post_note *notes = arena_alloc(&c->arena, (c->n_notes + 1) * sizeof *notes);
    if (!notes)
        return RAPPORT_NOMEM;
    size_t n = 0;
    for (size_t i = 0; i < c->n_notes; i++) {
        const struct listed *note = &c->notes[i];
        struct slice text;
        if (note->trashed)
            continue;
        int error = call_text(c, note->id, &text);
        if (error)
            return error;
        if (strcmp(note->path, report_path) == 0) {
            in->report = text;
            continue;
        }
        struct post_note *p = &notes[n++];
        *p = (struct post_note){.path = note->path,
                                .title = note->title,
                                .text = text,
                                .talk = talks[i] ? talks[i] : talk_of(c, note)};
        error = authors_of(c, note, p);
        if (error)
            return error;
    }
    in->notes = notes;
    in->n_notes = n;
    return 0;
}

/* ---- publish: the files ---- */

struct publishing {
    struct call *c;
    int out_fd;
    const char *out;
    struct buf known; /* .rapport/published as it was */
    struct buf now;   /* and as it will be */
    struct rows files, kept;
};

static void hash_hex(char out[2 * TEXT_HASH_BYTES + 1], struct slice bytes)
{
    uint8_t hash[TEXT_HASH_BYTES];
    text_hash(hash, bytes);
    hex_encode(out, hash, sizeof hash);
}

/* The hash that was written at a path, "" when none was. */
static void known_hash(const struct publishing *p, const char *path,
                       char out[2 * TEXT_HASH_BYTES + 1])
{
    struct buf end = BUF_INIT;
    buf_printf(&end, " %s/%s\n", p->out, path);
    out[0] = '\0';
    const uint8_t *found =
        end.len && p->known.len ? memmem(p->known.ptr, p->known.len, end.ptr, end.len) : NULL;
    if (found && found - p->known.ptr >= 2 * TEXT_HASH_BYTES) {
        memcpy(out, found - 2 * TEXT_HASH_BYTES, 2 * TEXT_HASH_BYTES);
        out[2 * TEXT_HASH_BYTES] = '\0';
    }
    buf_clear(&end);
}

static int read_any(int dir, const char *name, size_t most, struct buf *out)
{
    struct stat st;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
        return host_errno(errno);
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > most)
        return S_ISREG(st.st_mode) ? RAPPORT_LIMIT : RAPPORT_OUTSIDE;
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    uint8_t *room = fd < 0 ? NULL : buf_reserve(out, (size_t)st.st_size + 1);
    ssize_t n = room ? 0 : -1;
    while (room && (n = read(fd, out->ptr + out->len, out->cap - out->len)) > 0)
        out->len += (size_t)n;
    int number = errno;
    if (fd >= 0)
        close(fd);
    return n < 0 ? host_errno(number) : 0;
}

/* True when the file that stands there may be replaced. */
static bool may_replace(struct publishing *p, int dir, const char *name, const char *path,
                        const char *fresh)
{
    struct buf there = BUF_INIT;
    char hash[2 * TEXT_HASH_BYTES + 1], known[2 * TEXT_HASH_BYTES + 1];
    int error = read_any(dir, name, PUBLISH_MOST_MEDIA_BYTES, &there);
    hash_hex(hash, buf_slice(&there));
    buf_clear(&there);
    known_hash(p, path, known);
    return error == RAPPORT_NOTFOUND ||
           (!error && (strcmp(hash, known) == 0 || strcmp(hash, fresh) == 0));
}

static int publish_file(struct publishing *p, const char *path, struct slice bytes)
{
    int dir;
    const char *name;
    char fresh[2 * TEXT_HASH_BYTES + 1], temporary[64];
    int error = folder_open(p->out_fd, path, true, &dir, &name);
    if (error)
        return error;
    hash_hex(fresh, bytes);
    (void)snprintf(temporary, sizeof temporary, ".rapport-%.16s.new", fresh);
    if (!may_replace(p, dir, name, path, fresh)) {
        mp_put_cstr(&p->kept.buf, path);
        p->kept.n++;
    } else {
        (void)unlinkat(dir, temporary, 0);
        error = file_write(dir, temporary, bytes, 0644);
        if (!error && renameat(dir, temporary, dir, name))
            error = host_errno(errno);
        if (!error) {
            buf_printf(&p->now, "%s %s/%s\n", fresh, p->out, path);
            mp_put_cstr(&p->files.buf, path);
            p->files.n++;
        }
    }
    close(dir);
    return error;
}

/* "media/x.jpg" of the report, beside the post. One that is missing is a problem that the post
   names. */
static int publish_media(struct publishing *p, const char *media_dir, const char *path)
{
    int dir, error;
    const char *name;
    struct buf bytes = BUF_INIT, to = BUF_INIT;
    if (folder_open(p->c->h->dir_fd, path, false, &dir, &name))
        return 0;
    error = read_any(dir, name, PUBLISH_MOST_MEDIA_BYTES, &bytes);
    close(dir);
    buf_printf(&to, "%s%s", media_dir, path);
    if (!error && buf_cstr(&to))
        error = publish_file(p, (char *)to.ptr, buf_slice(&bytes));
    else
        host_say(p->c->h, "%s is missing here or cannot be read, so the post has no %s", path,
                 path);
    buf_clear(&bytes);
    buf_clear(&to);
    return error == RAPPORT_FULL ? error : 0;
}

/* Lines of other files stay, those of files written now are new. */
static int keep_published(struct publishing *p)
{
    int dir = p->c->h->rapport_fd;
    for (size_t at = 0; at < p->known.len;) {
        const uint8_t *line = p->known.ptr + at;
        const uint8_t *end = memchr(line, '\n', p->known.len - at);
        size_t len = end ? (size_t)(end - line) + 1 : p->known.len - at;
        at += len;
        if (len <= 2 * TEXT_HASH_BYTES || !p->now.len ||
            !memmem(p->now.ptr, p->now.len, line + 2 * TEXT_HASH_BYTES, len - 2 * TEXT_HASH_BYTES))
            buf_append(&p->now, line, len);
    }
    (void)unlinkat(dir, "published.new", 0);
    int error = buf_error(&p->now);
    if (!error)
        error = file_write(dir, "published.new", buf_slice(&p->now), 0600);
    if (!error && renameat(dir, "published.new", dir, "published"))
        error = host_errno(errno);
    return error;
}

static int publish_files(struct publishing *p, const struct post *post,
                         const struct post_files *files)
{
    int error = 0;
    for (size_t i = 0; !error && i < files->n_files; i++)
        error = publish_file(p, files->files[i].path, files->files[i].bytes);
    for (size_t i = 0; !error && i < post->n_media; i++)
        error = publish_media(p, files->media_dir ? files->media_dir : "", post->media[i]);
    int remembered = keep_published(p);
    return error ? error : remembered;
}

/* The folder to write to: not among the notes, where files would become notes. */
static int out_folder(struct call *c, const char **out, int *fd)
{
    const char *given = arg_cstr(c, "out");
    struct buf path = BUF_INIT;
    if (given && given[0] == '/')
        buf_append_str(&path, given);
    else
        buf_printf(&path, "%s/%s", c->h->dir, given ? given : "published");
    while (path.len > 1 && path.ptr[path.len - 1] == '/')
        path.len--;
    *out = arena_copy(&c->arena, path.ptr, path.len);
    buf_clear(&path);
    if (!*out)
        return RAPPORT_NOMEM;
    if (mkdir(*out, 0777) && errno != EEXIST)
        return call_fail(c, host_errno(errno), 1, "%s: %s", *out, strerror(errno));
    char *real = realpath(*out, NULL);
    size_t len = strlen(c->h->dir);
    bool inside = real && strncmp(real, c->h->dir, len) == 0 && (real[len] == '/' || !real[len]);
    bool ours = inside && strncmp(real + len, "/published", 10) == 0 &&
                (real[len + 10] == '/' || !real[len + 10]);
    free(real);
    if (inside && !ours)
        return call_fail(
            c, RAPPORT_INVALID, 2,
            "%s stands among the notes, where a post would become notes; choose a folder "
            "outside, or published/",
            *out);
    *fd = open(*out, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *fd < 0 ? call_fail(c, host_errno(errno), 1, "%s: %s", *out, strerror(errno)) : 0;
}

static void field_post_problems(struct call *c, const struct post *post)
{
    struct rows rows = {.buf = BUF_INIT};
    for (; rows.n < post->n_problems; rows.n++)
        mp_put_cstr(&rows.buf, post->problems[rows.n]);
    field_rows(c, "problems", &rows);
}

static int publish_post(struct call *c, const struct post *post, const char *target)
{
    struct post_files files;
    struct publishing p = {.c = c, .out_fd = -1};
    int error = post_write(post, target, &files);
    if (error == RAPPORT_NOTFOUND)
        return call_fail(c, error, 2,
                         "there is no target \"%s\"; rapport publish --help lists them", target);
    if (error)
        return error;
    error = out_folder(c, &p.out, &p.out_fd);
    if (!error)
        error = read_any(c->h->rapport_fd, "published", PUBLISHED_MOST_BYTES, &p.known);
    error = error == RAPPORT_NOTFOUND && !c->error ? 0 : error;
    if (!error)
        error = publish_files(&p, post, &files);
    if (p.out_fd >= 0)
        close(p.out_fd);
    field_str(c, "out", p.out);
    field_rows(c, "files", &p.files);
    field_rows(c, "kept", &p.kept);
    field_post_problems(c, post);
    buf_clear(&p.known);
    buf_clear(&p.now);
    post_files_clear(&files);
    if (error && !c->error)
        return call_fail(c, error, 0, "the post cannot be written to %s: %s", p.out,
                         rapport_strerror(error));
    return error;
}

int op_publish(struct call *c)
{
    const char *target = arg_cstr(c, "target");
    struct schedule s = SCHEDULE_INIT;
    struct post post;
    if (!target)
        return call_fail(c, RAPPORT_INVALID, 2, "publish needs a target, like --to markdown");
    int error = call_notes(c);
    const struct talk **talks =
        error ? NULL : arena_alloc(&c->arena, (c->n_notes + 1) * sizeof(const struct talk *));
    if (!talks)
        return error ? error : RAPPORT_NOMEM;
    if (!call_schedule(c, &s))
        use_schedule(c, &s, talks);
    struct post_input in = {
        .title = kept(c, rapport_node_setting(c->h->node, "title")),
        .date = s.title && s.start ? s.start : "",
        .draft = arg_bool(c, "draft"),
    };
    error = gather_post(c, talks, &in);
    if (!error)
        error = post_build(&in, &post);
    if (!error) {
        error = publish_post(c, &post, target);
        post_clear(&post);
    }
    schedule_clear(&s);
    return error;
}
