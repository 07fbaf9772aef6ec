/*
 * deliveries - how each target of the uploader does, as it last wrote it to
 * <spool>/upload/status for whoever wants to know: the daemon's status and
 * `sepmlogctl doctor`. Nothing is done by it; what counts are the receipts.
 *
 * The file is text: a line with the time of writing and the version, 2, then
 * one for each target,
 *
 *   NAME works|fails SINCE WAITING BYTES DELIVERED REFUSED LAST OLDEST REASON
 *
 * with times in seconds since 1970 (0: never).
 */
#ifndef SEPMLOG_DELIVERIES_H
#define SEPMLOG_DELIVERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	DELIVERIES = 16, /* targets */
	DELIVERY_NAME = 33,
	DELIVERY_REASON = 480,
	/* s after which there is none who writes it, or no more */
	DELIVERIES_STALE = 60,
};

struct delivery {
	char name[DELIVERY_NAME];
	bool fails;
	int64_t since;               /* when it failed first, without success */
	uint64_t waiting, bytes;     /* files, and theirs */
	uint64_t delivered, refused; /* files, since the uploader's start */
	int64_t last;                /* when a file was delivered */
	int64_t oldest; /* when the oldest that waits was finished */
	char reason[DELIVERY_REASON]; /* of the last failure, printable ASCII */
};

struct deliveries {
	int64_t written;
	size_t count;
	struct delivery target[DELIVERIES];
};

/* In the directory <spool>/upload; a reader sees all of it or what was before.
 * False: errno. */
bool deliveries_write(int dir, const struct deliveries *deliveries);
/* False: errno; ENOENT: no uploader was ever here. */
bool deliveries_read(const char *spool, struct deliveries *deliveries);

#endif
