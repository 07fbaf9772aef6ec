/*
 * intake - records from sources that can be read again, each exactly once.
 *
 * Commands that bring records from files or databases write them through an
 * intake: a spool of their own (gate.h) with the streams and settings of the
 * configuration, whose finished files end in the daemon's ready/. Records and
 * the caller's position in its source, the *state*, are committed in one step:
 * after a crash at any point both are as last committed, so the caller goes on
 * from there, and nothing is lost or there twice.
 *
 *   in = intake_open(config, "import", "file", why, sizeof why);
 *   ... find the place to go on from in intake_state(in) ...
 *   while there are records:
 *           intake_put(in, &record, &source)
 *           if intake_due(in):  intake_commit(in, state so far)
 *   intake_commit(in, state)
 *   intake_close(in)
 *
 * Nothing reaches ready/ before a commit. All disk work is done in these calls,
 * on the caller's thread.
 */
#ifndef SEPMLOG_INTAKE_H
#define SEPMLOG_INTAKE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "input.h"
#include "record.h"

struct intake;

/* Of all records put since the intake was opened. */
struct intake_counts {
	uint64_t records;
	uint64_t by_type[RECORD_TYPE_COUNT]; /* unparsed ones among them */
	uint64_t filtered;                   /* no stream wanted them */
	uint64_t files;                      /* moved into ready/ */
};

/*
 * Opens the writer's spool `<spool.directory>/<name>`; `name` is a word of a-z.
 * `source` says in its ledger what the records come from (`file`).
 * Borrows the configuration. What an earlier run committed and did not bring
 * to ready/ goes there now; what it did not commit is thrown away. Messages
 * may have max_message + INPUT_MAX_HEADER bytes, names of columns included.
 * NULL: `why` (of `size` bytes) says why and what to do.
 */
struct intake *intake_open(const struct config *config, const char *name,
    const char *source, char *why, size_t size);
/* What was not committed is thrown away at the next start. */
void intake_close(struct intake *intake);

/*
 * How long intake_put and intake_commit wait for room when the disk or the
 * quota is full (ms; default 0), and a flag that ends all waiting (may be
 * NULL).
 */
void intake_patience(
    struct intake *intake, uint64_t ms, const volatile sig_atomic_t *stop);

/* As last committed, empty if never; good until the next commit. */
struct span intake_state(const struct intake *intake);

/*
 * Takes one record. False: there is no room or the disk fails, intake_why says
 * it; the record was not taken and may be put again.
 */
bool intake_put(struct intake *intake, const struct record *record,
    const struct message_source *source);

/* Bytes put and not committed. */
uint64_t intake_pending(const struct intake *intake);
/* Is it time to commit? When spool.rotate's size or age is reached, or room is
 * getting short. Cheap. */
bool intake_due(struct intake *intake);

/*
 * Makes all records durable, then replaces the state, then moves the files
 * into ready/. False: nothing was committed, intake_why says it; may be called
 * again. After a true answer records may be put again.
 */
bool intake_commit(struct intake *intake, struct span state);

/* Why the last call failed, and what to do. */
const char *intake_why(const struct intake *intake);

void intake_counts(const struct intake *intake, struct intake_counts *counts);
/* UTC microseconds for message.received_us, taken anew from time to time. */
int64_t intake_received(const struct intake *intake);

#endif
