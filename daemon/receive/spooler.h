/*
 * spooler - the thread that makes every disk call of the spool.
 *
 * The loop's thread uses the record side of spooler_spool() and wakes the
 * thread when there is something new; the thread tells the loop through a
 * descriptor to watch. Neither ever waits for the other.
 */
#ifndef SEPMLOGD_SPOOLER_H
#define SEPMLOGD_SPOOLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audit.h"
#include "config.h"
#include "latency.h"
#include "spool/spool.h"
#include "vaulter.h"

struct spooler;

/* Opens the spool and recovers what an earlier life left; there is no thread
 * yet. NULL: `why` (of `size` bytes) says why. `line` is the longest line. */
struct spooler *spooler_open(const struct config *config, size_t line,
    uint64_t now, char *why, size_t size);
/* Starts the thread, all signals blocked in it. False: errno. */
bool spooler_start(struct spooler *spooler);

struct spool *spooler_spool(struct spooler *spooler);
/* The vault beside it, which the thread writes, too. */
struct vaulter *spooler_vaulter(struct spooler *spooler);

/* How long records waited for their commit, since the start. */
struct latency_counts spooler_latency(const struct spooler *spooler);

/* Readable when the loop should call spooler_heard. */
int spooler_fd(const struct spooler *spooler);

/* There is something new in the buffers. */
void spooler_wake(struct spooler *spooler);
/* Tell me, from now on, whenever the disk side has done some work; or stop. */
void spooler_want_room(struct spooler *spooler, bool want);

/* Why the new configuration cannot be had without a restart, or NULL. */
const char *spooler_objection(
    const struct spooler *spooler, const struct config *config);
/* Would the spool be another one with this configuration? */
bool spooler_differs(
    const struct spooler *spooler, const struct config *config, size_t line);

/*
 * A reload of the spool, done by the thread: between _begin and the answer
 * the loop leaves the record side alone. False: no memory.
 */
bool spooler_reload_begin(struct spooler *spooler, const struct config *config,
    size_t line, uint64_t now);

enum spooler_news {
	SPOOLER_WORKED,   /* there may be room */
	SPOOLER_RELOADED, /* the reload is done, or ... */
	SPOOLER_REFUSED,  /* ... nothing has changed, see `why` */
};

enum spooler_news spooler_heard(
    struct spooler *spooler, char *why, size_t size);

/*
 * Takes a minute for the ledger, where it is written once all that was flushed
 * before is committed. False: the one before is still waiting.
 */
bool spooler_offer(struct spooler *spooler, struct audit_minute *minute);

/* What is known at the end, for the ledger. */
struct spooler_end {
	uint64_t stored;    /* records that were handed over since the start */
	uint64_t datagrams; /* that were read, and then had no place */
	uint64_t bytes;     /* the same of connections */
	struct audit_minute *last; /* taken over; NULL: none */
};

/*
 * Stops the thread, writes and publishes everything that can be, and frees.
 * True when nothing is left in the buffers and in live/. *accepted is how many
 * records reached the disk since the start.
 */
bool spooler_close(struct spooler *spooler, uint64_t now,
    const struct spooler_end *end, uint64_t *accepted);

#endif
