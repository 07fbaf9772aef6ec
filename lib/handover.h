/*
 * handover - connections from one life of the daemon to the next: where each
 * stands in its stream, as bytes that the service manager keeps meanwhile.
 *
 * A file is a header and one record per connection, all numbers little-endian:
 *
 *   magic 8, version 4, records 4, bytes of the whole file 8
 *   kept 4, CRC-32 of the rest of the record 4, cookie 8, address 16, port 2,
 *   flags 1, framing: header 1, max 4, scanned 4, announced 4, skipped 8,
 *   then the `kept` bytes
 *
 * Any bytes may be read: what is not of this version, cut off, altered or no
 * state that framing can be in is refused, so a newer or older daemon at
 * worst begins the streams anew.
 */
#ifndef SEPMLOG_HANDOVER_H
#define SEPMLOG_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "framing.h"
#include "span.h"

enum {
	HANDOVER_HEADER = 24,
	HANDOVER_RECORD = 56,
	/* The longest message kept that any configuration may ask for. */
	HANDOVER_MAX_MESSAGE = 1024 * 1024,
	/* Bytes of one connection: that, and what was read behind it. */
	HANDOVER_MAX_KEPT = 4 * HANDOVER_MAX_MESSAGE,
};

struct handover_conn {
	uint64_t cookie;     /* SO_COOKIE, by which its socket is known again */
	uint8_t address[16]; /* of the peer; IPv4 mapped, network order */
	uint16_t port;       /* in host order */
	struct framing framing;
	struct span kept; /* what framing_next said to keep, or more */
};

/* The header of a file with so many records, `bytes` long with it. */
void handover_put_header(
    char out[HANDOVER_HEADER], uint32_t records, uint64_t bytes);
/* A record without its kept bytes, which are to follow. Those must not be more
 * than HANDOVER_MAX_KEPT. */
void handover_put_conn(
    char out[HANDOVER_RECORD], const struct handover_conn *conn);

/* Is it a whole file of this version? Then `*in` is left at its records. */
bool handover_open(struct span *in, uint32_t *records);
/*
 * Takes a record off the start of `*in`; `kept` points into it. False: it does
 * not hold, and nothing behind it can be trusted, either.
 */
bool handover_next(struct span *in, struct handover_conn *conn);

#endif
