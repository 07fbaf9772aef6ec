/*
 * counters - what came in and what did not, by cause, since start.
 *
 * Plain numbers of the loop's thread. A row of COUNTERS_TABLE is all that a
 * new one needs.
 */
#ifndef SEPMLOGD_COUNTERS_H
#define SEPMLOGD_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record.h"

/* clang-format off */
#define COUNTERS_TABLE(ROW)                                                   \
	/*  name              words in the summary               a loss? */     \
	ROW(udp,              "received by udp",                 false)        \
	ROW(tcp,              "received by tcp",                 false)        \
	ROW(stored,           "lines stored",                    false)        \
	ROW(tls,              "received by tls",                 false)        \
	ROW(unparsed,         "unparsed",                        false)        \
	ROW(filtered,         "wanted by no stream",             false)        \
	ROW(truncated,        "truncated",                       false)        \
	ROW(unterminated,     "unterminated",                    false)        \
	ROW(frame_timeouts,   "unfinished for too long",         false)        \
	ROW(kernel_drops,     "dropped by the kernel",           true)         \
	ROW(udp_refused,      "datagrams refused",               true)         \
	ROW(tcp_refused,      "connections refused",             true)         \
	ROW(over_limit,       "connections over the limit",      true)         \
	ROW(over_source,      "connections over the source's",    true)         \
	ROW(over_handshakes,  "connections over max_handshakes", true)         \
	ROW(handshake_failures, "TLS handshakes failed",         true)         \
	ROW(not_permitted,    "TLS peers not permitted",         true)         \
	ROW(handshake_timeouts, "TLS handshakes not finished",   true)         \
	ROW(accept_pauses,    "pauses for want of descriptors",  false)         \
	ROW(taken_over,       "connections taken over",          false)        \
	ROW(begun_anew,       "taken over without their place",  true)         \
	ROW(abandoned,        "not stored at stop",              true)
/* clang-format on */

struct counters {
#define ROW(name, words, loss) uint64_t name;
	COUNTERS_TABLE(ROW)
#undef ROW
	/* what came, by type */
	struct counters_type {
		uint64_t messages, bytes;
	} types[RECORD_TYPE_COUNT];
};

/* Sum of everything that stands for a loss: rises when there is a new one. */
uint64_t counters_losses(const struct counters *c);

/* A row of the table. */
struct counters_row {
	const char *name, *words;
	bool loss;
	uint64_t value;
};

/* The rows from 0 on; false: there are no more. */
bool counters_row(
    const struct counters *c, size_t index, struct counters_row *row);

/* `received by udp 12, received by tcp 0, lines stored 12, unparsed 1`: the
 * three first, and whatever is not zero. Cut to fit. */
void counters_text(const struct counters *c, char *out, size_t size);

#endif
