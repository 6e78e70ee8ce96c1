/* talk.c - the public face of report/report.h's note_talk: strings in place of slices. */
#include <stdlib.h>

#include "rapport/rapport.h"
#include "report/report.h"

static struct slice text_of(const char *s)
{
    return slice_str(s ? s : "");
}

int rapport_talk_encode(const struct rapport_talk *talk, uint8_t **out, size_t *len)
{
    struct note_talk t = {
        .key = text_of(talk->key),
        .title = text_of(talk->title),
        .day = text_of(talk->day),
        .start = text_of(talk->start),
        .room = text_of(talk->room),
        .track = text_of(talk->track),
        .url = text_of(talk->url),
        .speakers = text_of(talk->speakers),
        .duration_min = talk->duration_min,
    };
    struct buf b = BUF_INIT;
    note_talk_encode(&t, &b);
    if (buf_error(&b) || b.len > TALK_MOST_BYTES) {
        int error = buf_error(&b) ? buf_error(&b) : RAPPORT_LIMIT;
        buf_clear(&b);
        return error;
    }
    *out = buf_detach(&b, len);
    return 0;
}

static char *copy_of(struct slice s, int *error)
{
    char *copy = malloc(s.len + 1);
    if (!copy) {
        *error = RAPPORT_NOMEM;
        return NULL;
    }
    if (s.len)
        memcpy(copy, s.ptr, s.len);
    copy[s.len] = 0;
    return copy;
}

int rapport_talk_decode(const uint8_t *bytes, size_t len, struct rapport_talk *out)
{
    struct note_talk t;
    int error = note_talk_decode(slice_of(bytes, len), &t);
    if (error)
        return error;
    struct rapport_talk talk = {
        .key = copy_of(t.key, &error),
        .title = copy_of(t.title, &error),
        .day = copy_of(t.day, &error),
        .start = copy_of(t.start, &error),
        .room = copy_of(t.room, &error),
        .track = copy_of(t.track, &error),
        .url = copy_of(t.url, &error),
        .speakers = copy_of(t.speakers, &error),
        .duration_min = t.duration_min,
    };
    if (error)
        rapport_talk_clear(&talk);
    else
        *out = talk;
    return error;
}

void rapport_talk_clear(struct rapport_talk *talk)
{
    const char **strings[] = {&talk->key,  &talk->title, &talk->day, &talk->start,
                              &talk->room, &talk->track, &talk->url, &talk->speakers};
    for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++) {
        free((void *)(uintptr_t)*strings[i]);
        *strings[i] = NULL;
    }
}

void rapport_talk_note_id(const char *key, uint8_t out[RAPPORT_NOTE_ID_BYTES])
{
    note_id_of_talk(out, slice_str(key));
}
