/*
 * community_id - a name for a flow that other tools give it, too.
 *
 * Community ID version 1 with seed 0, as network sensors and SIEMs compute it,
 * for TCP, UDP and SCTP. It is the same for both directions. ICMP has none
 * here: it needs to be known which of its two numbers is the type, which SEPM
 * does not tell.
 */
#ifndef SEPMLOG_COMMUNITY_ID_H
#define SEPMLOG_COMMUNITY_ID_H

#include <stdbool.h>
#include <stdint.h>

#include "span.h"

enum { COMMUNITY_ID = 30 }; /* `1:` and 28 digits of base64 */

struct community_end {
	struct span ip;
	uint16_t port;
};

/* False: another protocol (a number of the IANA), or no two addresses of one
 * family; out is not written. */
bool community_id(const struct community_end *a, const struct community_end *b,
    int protocol, char out[COMMUNITY_ID]);

#endif
