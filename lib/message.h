/*
 * message - one message as it arrived, and how to read its sender.
 */
#ifndef SEPMLOG_MESSAGE_H
#define SEPMLOG_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "span.h"
#include "text.h"
#include "zone.h"

/* What the configuration says about a sender. Constant once loaded. */
struct message_source {
	const struct zone *zone;	      /* of its wall clock */
	const struct text_codepage *codepage; /* of what is not UTF-8 */
	struct span site, group, domain; /* for CSV columns; n == 0: unknown */
};

struct message {
	struct span bytes;
	uint64_t length;      /* before it was cut to max_message */
	bool unterminated;    /* the peer closed inside it */
	int64_t reference;    /* UTC seconds: time of arrival, or --now */
	int64_t received_us;  /* UTC microseconds; 0: not set by a daemon */
	struct span peer;     /* address as text; n == 0: none */
	struct span transport; /* `udp`, `tcp`; n == 0: none */
};

#endif
