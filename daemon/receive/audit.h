/*
 * audit - what came in and what became of it, by minute and source address,
 * for the ledger.
 *
 * Plain numbers of the loop's thread. Whoever takes messages keeps the row of
 * their source and adds to it; a number of sources is told apart, and the
 * others share a row. When a minute of the wall clock ends, at the first
 * wake-up after that, the rows are copied and handed on, and begin at zero.
 * While the disk cannot take them nothing is copied and the minute becomes a
 * longer one.
 */
#ifndef SEPMLOGD_AUDIT_H
#define SEPMLOGD_AUDIT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "ledger.h"
#include "record.h"

enum { AUDIT_STREAMS = 64 }; /* names that are ever told apart */

/* clang-format off */
/* What a row counts: member, object of the line that it goes to, key in it. */
#define AUDIT_TABLE(ROW)                                                      \
	ROW(udp,           "received", "udp")          /* messages */          \
	ROW(tcp,           "received", "tcp")                                  \
	ROW(tls,           "received", "tls")                                  \
	ROW(bytes,         NULL,       "bytes")        /* as they came */      \
	ROW(stored,        NULL,       "stored")       /* in a stream or more */\
	ROW(filtered,      NULL,       "filtered")     /* wanted by none */    \
	/* taken by streams that roll up, and what of that was written */      \
	ROW(rolled_in,     "rolled_in", "records")                             \
	ROW(occurrences_in, "rolled_in", "occurrences")                        \
	ROW(rolled_out,    "rolled_out", "records")                            \
	ROW(occurrences_out, "rolled_out", "occurrences")                      \
	ROW(unparsed,      NULL,       "unparsed")                             \
	ROW(truncated,     NULL,       "truncated")                            \
	ROW(oversize,      NULL,       "oversize")     /* than max_message */  \
	ROW(unterminated,  NULL,       "unterminated")                         \
	ROW(timeouts,      NULL,       "frame_timeouts")                       \
	ROW(abandoned,     NULL,       "abandoned")    /* for want of memory */\
	ROW(datagrams,     "refused",  "datagrams")    /* not in `allow` */    \
	ROW(connections,   "refused",  "connections")                          \
	ROW(over_limit,    "refused",  "over_limit")   /* max_connections */   \
	ROW(over_source,   "refused",  "over_source")                          \
	ROW(over_handshakes, "refused", "over_handshakes") /* max_handshakes */\
	ROW(not_permitted, "refused",  "not_permitted") /* permitted_peers */ \
	ROW(handshakes,    "refused",  "handshakes")   /* failed or too late */
/* clang-format on */

struct audit_row {
#define ROW(member, object, key) uint64_t member;
	AUDIT_TABLE(ROW)
#undef ROW
	uint64_t streams[AUDIT_STREAMS]; /* records; by audit_stream */
	/* For people, not for the ledger: messages that say their time, and how
	 * many seconds before its receipt the newest was sent, by its clock. */
	uint64_t timed;
	int64_t lag;
	uint64_t
	    release; /* enum record_release of the last that told; 0: none */
};

struct audit;
struct audit_minute;

struct audit_hooks {
	/* A minute ends: all that is counted elsewhere is to be added now, and
	 * rows that are not held may go. */
	void (*ending)(void *arg);
	/* Takes a finished minute over; false: not now. */
	bool (*offer)(void *arg, struct audit_minute *minute);
	void *arg;
};

/* The first minute begins now (UTC microseconds). NULL: no memory. */
struct audit *audit_new(const struct audit_hooks *hooks, int64_t now);
void audit_free(struct audit *audit);
/* This configuration is in force. */
void audit_configure(struct audit *audit, const struct config *config);

/* What time it is; before anything of this wake-up is counted. */
void audit_clock(struct audit *audit, int64_t now);

/* The row of an address, or that of all others. Good until a minute ends, or,
 * if it is held, until it is released. */
struct audit_row *audit_row(
    struct audit *audit, const struct in6_addr *address);
/* That of all others. */
struct audit_row *audit_other(struct audit *audit);
void audit_hold(struct audit_row *row);
void audit_release(struct audit_row *row);

/* Where the stream at an index of the configuration is counted. */
unsigned audit_stream(const struct audit *audit, size_t index);

/* At a listener, by its name: datagrams that the kernel dropped, times that
 * accepting had to stop. */
void audit_drops(struct audit *audit, const char *listener, uint64_t n);
void audit_pause(struct audit *audit, const char *listener);

/* --- what people are shown --- */

/* An address and what came from it since it is known. */
struct audit_source {
	bool other; /* all that are not told apart */
	struct in6_addr address;
	uint64_t messages, bytes, unparsed, refused;
	bool timed;   /* do messages say their time? Then ... */
	int64_t lag;  /* ... seconds that the newest is behind its receipt */
	double rate;  /* messages a second, of late */
	int64_t seen; /* UTC us; 0: not since the first look */
	enum record_release release; /* of the last message that told */
};

/* Sums of all sources. */
struct audit_sum {
	uint64_t bytes;
	size_t sources; /* that are known */
};

/* Looks at each source, about once a second. */
void audit_look(struct audit *audit, int64_t now, struct audit_sum *sum);

/* The busiest first, at most `max` of them; answers how many. */
size_t audit_sources(
    struct audit *audit, struct audit_source *list, size_t max);

/* --- minutes --- */

/* All up to now, at the end. NULL: no memory. */
struct audit_minute *audit_last(struct audit *audit, int64_t now);
void audit_minute_free(struct audit_minute *minute);
/* Its lines, from 0; false: there are no more. Any thread. */
bool audit_minute_line(const struct audit_minute *minute, size_t index,
    int64_t now, struct ledger_text *line);

#endif
