/*
 * parts.h - what the files of this folder offer each other. Nothing here is for other layers.
 *
 * Functions that return void report running out of memory and damaged data through node_fail, which
 * sticks.
 */
#ifndef NODE_PARTS_H
#define NODE_PARTS_H

#include "node/node.h"

/* node.c */

/* Memory ran out or the database is damaged. The first failure sticks: the node takes no more edits
   and serves nothing more. */
void node_fail(struct rapport_node *n, int error);

/* A batch could not be stored: no more edits, nothing new is taken or stored, but all that is here
   can be read, by people and by peers. */
void node_store_failed(struct rapport_node *n, uint64_t store, int error);

/* The report is loaded and this device is in its roster; a joiner has to receive that first. */
bool node_is_member(const struct rapport_node *n);

/* Something that the digest covers is other than before: it is told when things are quiet, the
   cache is saved in time. */
void node_changed(struct rapport_node *n);

/* effects.c */

/* Appends an effect of this kind; NULL when out of memory (the node has failed then). */
struct node_effect *effect_push(struct rapport_node *n, enum rapport_effect_kind kind);
/* Frees all that is queued. */
void effects_clear(struct rapport_node *n);
/* Asks the driver to load; returns the load's number, 0 when out of memory. */
uint64_t load_push(struct rapport_node *n, const struct load *request);
/* Each adds to the batch of this step. job_add_delta returns the batch's number, 0 when out of
 * memory. */
uint64_t job_add_delta(struct rapport_node *n, const struct delta *d);
/* Adds a record. */
void job_add_record(struct rapport_node *n, const char *key, struct slice value);
/* Adds a note's cache; stored with ptr NULL leaves that column as it is. */
void job_add_note(struct rapport_node *n, const uint8_t id[NOTE_ID_BYTES], struct slice meta,
                  struct slice stored);
/* Declares that cache and deltas agree with this batch. */
void job_mark_applied(struct rapport_node *n);
/* Sends the batch of this step on its way, if there is one. */
void job_close(struct rapport_node *n);
/* Takes STORE effects back that the driver has not seen. */
void stores_drop(struct rapport_node *n);
/* Frees all batches. */
void jobs_clear(struct rapport_node *n);
/* The driver's answers. */
void job_written(struct rapport_node *n, uint64_t id);
/* The driver says STORED: the batches up to `id` are durable; peers are told. */
void job_stored(struct rapport_node *n, uint64_t id);

/* start.c */

/* Asks for what the current phase needs. */
void start_phase(struct rapport_node *n, enum node_phase phase);
/* Rows and end of a load of start-up, replay or index. */
void start_row(struct rapport_node *n, const struct load_row *row);
/* The end of such a load: the next phase, or the end of start-up. */
void start_end(struct rapport_node *n, int error);
/* The report's identity becomes known: sets up the log set. */
void node_set_report(struct rapport_node *n, const uint8_t report_id[REPORT_ID_BYTES]);
/* The epoch with this id, or NULL. */
const struct epoch_keys *node_epoch(const struct rapport_node *n, const uint8_t id[EPOCH_ID_BYTES]);
/* Adds an epoch (a repeated one is ignored). Returns 0, RAPPORT_NOMEM or RAPPORT_LIMIT. */
int node_add_epoch(struct rapport_node *n, const uint8_t secret[EPOCH_SECRET_BYTES]);
/* Writes epochs, report id and peers as records of this step's batch. */
void node_save_identity(struct rapport_node *n);
/* Asks for the index of deltas once; runs that come before it is here wait. */
void start_index(struct rapport_node *n);
/* Makes a new report with this title: genesis, first epoch, settings. Returns 0 or an error. */
int start_init(struct rapport_node *n, const char *title);

/* edits.c */

/* Carries out a local edit. Returns 0, RAPPORT_AGAIN or why it was refused. */
int node_edit(struct rapport_node *n, const struct rapport_edit *edit);
/* Admits a device by an invite: an event of our log, sealed at once; returns the store job that
 * brings it, or 0. */
uint64_t node_admit(struct rapport_node *n, const struct device_card *card,
                    const uint8_t invite_public[32]);
/* Applies and seals the genesis record, the first event of a report. Returns 0 or an error. */
int node_genesis(struct rapport_node *n, struct slice genesis);
/* Reads what rapport_node_note_version wrote. Returns 0 or RAPPORT_MALFORMED. */
int version_read(struct rapport_version version, struct rapport_text_id *ids, size_t max,
                 size_t *n_ids);
/* Turns the draft into deltas. */
void node_seal(struct rapport_node *n);
/* Somebody holds our log up to `next`. Where that is more than we wrote, our database is an old
   copy: the next edit begins another log. */
void node_doubt_log(struct rapport_node *n, uint64_t next);
/* When the draft is due; UINT64_MAX without one. */
rapport_time_ms draft_deadline(const struct rapport_node *n);

/* ingest.c */

/* Takes a DELTAS message of a link. */
void ingest_run(struct rapport_node *n, struct link *l, const struct message_deltas *m);
/* A decoded run of one log, in memory of its own. */
struct decoded {
    struct delta *deltas;
    struct buf *bytes; /* of each; empty where they belong to somebody else */
    size_t n;
};
/* Makes room for n deltas. Returns 0 or RAPPORT_NOMEM; clear it in any case. */
int decoded_reserve(struct decoded *run, size_t n);
/* Frees it. */
void decoded_clear(struct decoded *run);
/* Takes a run that came by no link, and what was parked for it; *out says how far it went. What
   lacks a dep, or the delta in front of it, is parked. The index must be here. */
void ingest_decoded(struct rapport_node *n, const struct decoded *run, struct log_outcome *out);

/* A delta is now part of its log: into the batch, the recent ones, the books and (not for own ones)
 * the report. */
void delta_taken(struct rapport_node *n, const struct delta *d, uint32_t from_link);
/* Opens and applies a delta. */
void delta_apply(struct rapport_node *n, const struct delta *d);
/* The newest deltas of a log from `from` on that are still in memory, or NULL. */
const struct recent *recent_find(const struct rapport_node *n, const uint8_t log[LOG_ID_BYTES],
                                 uint64_t from);
/* Frees what is parked and the newest deltas. */
void ingest_clear(struct rapport_node *n);

/* notes.c: texts in memory */

/* Makes sure that the note's text is there. Returns 0, or RAPPORT_AGAIN after asking for it. */
int note_need(struct rapport_node *n, struct note *note);
/* The stored form of the note under load. */
void note_row(struct rapport_node *n, const struct load_row *row);
/* The end of that load: its text is in memory, waiting events are applied. */
void note_end(struct rapport_node *n, int error);
/* Asks for the next text that somebody waits for. */
void notes_load_wanted(struct rapport_node *n);
/* Saves changed notes and the state into this step's batch. */
void cache_save(struct rapport_node *n);
/* Emits CHANGED for each note that changed. */
void notes_tell_changed(struct rapport_node *n);

/* links.c */

/* MOVED: every session is asked for a sign of life, everybody else is dialled at once. */
void links_moved(struct rapport_node *n);
/* In the books, and not doubted since the machine last moved. */
bool link_is_proven(const struct link *l);
/* CONNECTED: a session begins. */
void link_open(struct rapport_node *n, const struct rapport_event *e);
/* RECEIVED: bytes for a session. */
void link_receive(struct rapport_node *n, const struct rapport_event *e);
/* CLOSED by the other side or the network. */
void link_closed(struct rapport_node *n, const struct rapport_event *e);
/* The link of this connection, or NULL. */
struct link *link_find(const struct rapport_node *n, uint32_t conn);
/* Ends a connection from our side: BYE when it was up, CLOSE, and the candidate's backoff. */
void link_end(struct rapport_node *n, struct link *l, enum bye_code code, int error);
/* Hands the session's bytes to the driver. */
void link_send(struct rapport_node *n, struct link *l);
/* Ends every link with BYE. */
void links_end_all(struct rapport_node *n);
/* Bytes that sessions want to send become SEND effects. */
void links_send(struct rapport_node *n);
/* Does what is due by time in sessions and books. */
void links_tick(struct rapport_node *n);
/* When links_tick has something to do. */
rapport_time_ms links_deadline(const struct rapport_node *n);
/* A batch is on the disk: welcomes that waited for it go out. */
void links_stored(struct rapport_node *n, uint64_t store);
/* Queues one encoded message; the error that stuck in it is the node's. */
void link_message(struct rapport_node *n, struct link *l, const struct buf *message);

/* receive.c */

/* What a session said. Returns false when the link is gone. */
bool link_event(struct rapport_node *n, struct link *l, const struct session_event *e);
/* Says HELLO and enters the books: both sides are members now. */
void link_greet(struct rapport_node *n, struct link *l);
/* Admitted: sends the genesis record and the epochs, then greets. Returns false when the link is
   gone, because the device was removed meanwhile. */
bool link_welcome(struct rapport_node *n, struct link *l);
/* Ends links with devices that are no members any more. */
void links_end_removed(struct rapport_node *n);
/* Tells digests that changed. */
void link_tell_digest(struct rapport_node *n, struct link *l);

/* serve.c */

/* True when links_serve may send: until the index of deltas is here no rows go out, so that no peer
   sends deltas that could not be taken. */
bool links_may_serve(const struct rapport_node *n);
/* Sends what the books say: rows, needs, runs. */
void links_serve(struct rapport_node *n);
/* A delta that a load for this link has brought. */
void serve_row(struct rapport_node *n, struct link *l, const struct load_row *row);
/* The end of that load: what it brought is sent. */
void serve_end(struct rapport_node *n, struct link *l);
/* Frees what a link's load has brought so far. */
void serve_forget(struct link *l);

/* bundle.c */

/* BUNDLE: the next bytes of a bundle, or its end. Returns 0, RAPPORT_AGAIN or why it ended. */
int bundle_receive(struct rapport_node *n, const struct rapport_event *e);
/* What this device said to have on its disk, for bundles to it. */
void held_learn(struct rapport_node *n, const uint8_t device[ID_BYTES], const uint8_t *log,
                uint64_t next);
/* Adds the records "local/held/..." that changed to this step's batch. */
void held_save(struct rapport_node *n);
/* Reads one of those records; false when the key is another's. */
bool held_read(struct rapport_node *n, struct slice key, struct slice value, int *error);
/* Frees what is kept of bundles. */
void bundles_clear(struct rapport_node *n);

/* hint.c */

/* Same address, port and link. */
bool hint_same(const struct rapport_address *a, const struct rapport_address *b);
/* fe80::/10, 169.254/16 */
bool hint_is_link_local(const struct rapport_address *a);
/* May be told to others: a port, and neither link-local, loopback, unspecified nor a group. */
bool hint_is_public(const struct rapport_address *a);
/* The order to dial in, 0 first: IPv6 on the link, IPv6, private IPv4, IPv4, tailnet. */
unsigned hint_rank(const struct rapport_address *a);

/* candidates.c */

/* Adds an address, or finds it. NULL when it is unusable, there is no room, or out of memory. */
struct candidate *candidate_add(struct rapport_node *n, const struct rapport_address *address,
                                enum rapport_source source);
/* The candidate with this address, or NULL. */
struct candidate *candidate_find(const struct rapport_node *n,
                                 const struct rapport_address *address);
/* CANDIDATE. Returns 0, RAPPORT_LIMIT or RAPPORT_NOMEM. */
int candidate_event(struct rapport_node *n, const struct rapport_event *e);
/* CANDIDATE_LOST: a stranger goes. */
void candidate_lost(struct rapport_node *n, const struct rapport_event *e);
/* There is fresh reason to try it: now. */
void candidate_fresh(struct rapport_node *n, struct candidate *c);
/* This device is there. May give up its oldest other address. */
void candidate_name(struct rapport_node *n, struct candidate *c, const uint8_t device[ID_BYTES]);
/* A session was made there. */
void candidate_succeeded(struct rapport_node *n, struct candidate *c);
/* Says TRIED to who asked, once. */
void candidate_tried(struct rapport_node *n, struct candidate *c, int error);
/* Takes it out of the table and frees it. */
void candidate_remove(struct rapport_node *n, struct candidate *c);
/* Nothing but an unproven hint speaks for it. */
bool candidate_is_stranger(const struct candidate *c);
/* Both are of one device, or of what a source takes for one machine. */
bool candidate_same_group(const struct candidate *a, const struct candidate *b);
/* Addresses of removed members go; typed ones stay, nobody's. */
void candidates_drop_removed(struct rapport_node *n);
/* Adds the record "local/peers" to this step's batch when it changed. */
void peers_save(struct rapport_node *n);
/* Reads it. Returns 0 or an error. */
int candidates_decode(struct rapport_node *n, struct slice bytes);
/* Frees the table. */
void candidates_clear(struct rapport_node *n);

/* exchange.c */

/* Signs where we listen anew when that is due. */
void exchange_tick(struct rapport_node *n);
/* Takes PEERS: records that are newer than what is held. */
void exchange_take(struct rapport_node *n, const struct link *l, const struct message_peers *m);
/* Tells links the records that they were not told. */
void exchange_serve(struct rapport_node *n);
/* When exchange_serve has something to do. */
rapport_time_ms exchange_deadline(const struct rapport_node *n);
/* Records of removed members go. */
void exchange_drop_removed(struct rapport_node *n);
/* Adds the record "local/addresses" to this step's batch when it changed. */
void records_save(struct rapport_node *n);
/* Reads it. Returns 0 or an error. */
int records_decode(struct rapport_node *n, struct slice bytes);
/* Frees the records. */
void exchange_clear(struct rapport_node *n);

/* dial.c */

/* The candidate of a dial under way, or NULL. */
struct candidate *candidate_of_dial(const struct rapport_node *n, uint32_t dial);
/* A dial failed, or led to nobody of ours (`answered`). May remove the candidate. */
void candidate_failed(struct rapport_node *n, struct candidate *c, int error, bool answered);
/* A session with a friend ended. One that lasted is dialled again at once. */
void candidate_ended(struct rapport_node *n, struct candidate *c, int error, bool lasted);
/* Its device, or who its group led to, is connected. */
bool candidate_is_linked(const struct rapport_node *n, const struct candidate *c);
/* Takes a dial under way back. */
void candidate_cancel(struct rapport_node *n, struct candidate *c);
/* This link is with a friend: other dials to him are not wanted any more. */
void dials_cancel_to(struct rapport_node *n, const struct link *l);
/* Takes all dials back. */
void dials_cancel_all(struct rapport_node *n);
/* Another network: everybody is dialled anew, now. */
void dials_restart(struct rapport_node *n);
/* Dials who is due. */
void dial_due(struct rapport_node *n);
/* When dial_due has something to do. */
rapport_time_ms dial_deadline(const struct rapport_node *n);

#endif
