/*
 * recent - the last messages that could not be parsed, for people to see.
 */
#ifndef SEPMLOGD_RECENT_H
#define SEPMLOGD_RECENT_H

#include <stddef.h>
#include <stdint.h>

#include "message.h"

enum {
	RECENT = 16,
	RECENT_BYTES = 240, /* of a message; the spool has all of it */
	RECENT_PEER = 48,
	RECENT_REASON = 80,
};

struct recent_message {
	int64_t received_us;
	char peer[RECENT_PEER];
	char reason[RECENT_REASON];
	size_t n, length; /* kept, and what the message had */
	char bytes[RECENT_BYTES];
};

/* Zero it before first use. */
struct recent {
	uint64_t count; /* ever added */
	struct recent_message list[RECENT];
};

/* `bytes` are those that may be shown. */
void recent_add(struct recent *recent, const struct message *message,
    struct span bytes, struct span reason);
/* Forgets the bytes of all. */
void recent_blank(struct recent *recent);

/* The newest is 0; NULL: there are no more. */
const struct recent_message *recent_get(
    const struct recent *recent, size_t index);

#endif
