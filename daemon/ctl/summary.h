/*
 * summary - who talked to whom, added up from records.
 *
 * Traffic is weighed by its occurrences: a record stands for as many
 * connections, or packets, as SEPM says it does. Memory does not depend on how
 * many records there are, unless it is to be exact.
 */
#ifndef SEPMLOG_SUMMARY_H
#define SEPMLOG_SUMMARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hash.h"
#include "record.h"
#include "top.h"

/* What is told apart in each table; see summary_table_of. */
enum summary_table {
	SUMMARY_SITES,        /* registrable domain of the remote name */
	SUMMARY_ADDRESSES,    /* remote address of what has no name */
	SUMMARY_APPLICATIONS, /* file name of the program */
	SUMMARY_USERS,
	SUMMARY_HOSTS,
	SUMMARY_RULES,
	SUMMARY_PORTS,   /* protocol and remote port */
	SUMMARY_BLOCKED, /* program and remote end of what was blocked */
	SUMMARY_TABLES
};

/* Places in top_entry.sum. */
enum { SUMMARY_OF_BLOCKED, SUMMARY_OF_RECORDS };

struct summary_options {
	size_t entries; /* of each table; 0: exact */
	struct hash_key key;
	bool has_since, has_until;
	int64_t since, until; /* UTC seconds; until is not included */
};

struct summary_totals {
	uint64_t records; /* those outside of the time not among them */
	uint64_t outside; /* of since and until, or of no known time */
	uint64_t by_type[RECORD_TYPE_COUNT];
	/* of traffic: */
	uint64_t occurrences, allowed, blocked;
	uint64_t inbound, outbound;
	uint64_t named, named_records; /* with a remote name */
	bool timed;
	int64_t first, last; /* UTC seconds */
	uint64_t no_hour;    /* occurrences that are in no bar */
};

struct summary_bar {
	uint64_t occurrences, blocked;
};

enum { SUMMARY_BARS = 170 }; /* a week of hours, and some */

struct summary_bars {
	int64_t from, width; /* of the first; of each: seconds */
	size_t count;
	struct summary_bar bar[SUMMARY_BARS];
};

struct summary;

/* NULL: no memory. */
struct summary *summary_new(const struct summary_options *options);
void summary_free(struct summary *summary);

/* False: no memory; of the exact kind only. */
bool summary_add(struct summary *summary, const struct record *record);

const struct summary_totals *summary_totals(const struct summary *summary);
struct top *summary_table(struct summary *summary, enum summary_table table);
/* Traffic over time, in at most `max` bars of an hour or more. */
void summary_bars(
    const struct summary *summary, size_t max, struct summary_bars *bars);

#endif
