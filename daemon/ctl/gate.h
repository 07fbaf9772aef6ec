/*
 * gate - lets only what is committed out of a writer's own spool.
 *
 *   <spool.directory>/           the daemon's spool
 *     ready/                     where uploaders look
 *     <name>/                    the writer's spool, and in it
 *       writer                   lock: one writer at a time
 *       state                    what was committed last
 *       live/ ready/ ...         as of any spool
 *
 * A segment is committed when the state file says so: it holds the highest
 * number of each stream that is, and a text of the caller's. All of it is
 * replaced in one step. Committed files go on from <name>/ready/ into ready/;
 * others are thrown away when the gate is opened, as their source will be read
 * again.
 */
#ifndef SEPMLOG_GATE_H
#define SEPMLOG_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger.h"
#include "span.h"
#include "spool/names.h"

struct gate;

/*
 * Makes the directories that are missing, locks, reads the state and throws
 * away what it does not hold. NULL: `why` (of `size` bytes) says why and what
 * to do.
 */
struct gate *gate_open(
    const char *spool, const char *name, char *why, size_t size);
void gate_close(struct gate *gate);

/* `<spool>/<name>`. */
const char *gate_directory(const struct gate *gate);
/* The caller's text as last committed; empty: never. Until the next commit. */
struct span gate_state(const struct gate *gate);

/* Up to this number the stream's segments are to be committed. False: no
 * memory. */
bool gate_mark(struct gate *gate, const char *stream, uint64_t number);
/* Puts what is committed into a line of the ledger: the last segment of each
 * stream. */
void gate_put_marks(const struct gate *gate, struct ledger_text *line);
/* Commits what is marked, and the text. Everything marked is durable in
 * <name>/ready/. False: errno, and nothing has changed. */
bool gate_commit(struct gate *gate, struct span state);
/* Moves committed files on and adds their number to *moved. False: errno; what
 * is left is moved next time. EEXIST: others have files of our names in ready/.
 */
bool gate_release(struct gate *gate, uint64_t *moved);

/* Bytes in ready/ and <name>/ready/ and in the live segments of both, counted
 * now. */
uint64_t gate_usage(const struct gate *gate);

#endif
