/*
 * event.h - one event of a payload between msgpack and struct payload_event; for payload.c alone
 * and for those who read parts of events elsewhere (the cache).
 */
#ifndef REPORT_EVENT_H
#define REPORT_EVENT_H

#include "report/payload.h"

/* Takes the next event of a section (two items where parents stand in front). What is wrong sticks
   in the cursor's error. *out is zeroed but kind, number and note before. */
void event_read_content(struct mp_array *events, struct payload_event *out);
/* Takes the next event of a control payload. */
void event_read_control(struct mp_array *events, struct payload_event *out);
/* Takes the next item as a talk; see note_talk_decode. */
void event_read_talk(struct mp_array *a, struct note_talk *out);

#endif
