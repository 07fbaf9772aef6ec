/*
 * sepm_value - the values of SEPM's fields, checked and in canonical form.
 *
 * A reader answers SEPM_VALUE when the text is a value of its kind,
 * SEPM_ABSENT when it stands for none (empty, port 0, a zero MAC), and
 * SEPM_WRONG when it cannot be one. Only with SEPM_VALUE is the result set.
 */
#ifndef SEPMLOG_SEPM_VALUE_H
#define SEPMLOG_SEPM_VALUE_H

#include <stdint.h>

#include "arena.h"
#include "record.h"
#include "span.h"
#include "timestamp.h"

/* How the value of a field is read. */
enum sepm_reader {
	SEPM_READ_NOTHING,
	SEPM_READ_TEXT,
	SEPM_READ_IP,
	SEPM_READ_MAC,
	SEPM_READ_PORT, /* 0 is kept: see sepm_field.h */
	SEPM_READ_COUNT,
	SEPM_READ_TIME,
	SEPM_READ_SHA256,
	SEPM_READ_MD5,
	SEPM_READ_ACTION,
	SEPM_READ_PROTOCOL,
	SEPM_READ_DIRECTION,
	SEPM_READ_SEVERITY,
};

struct sepm_field {
	enum record_field field;
	enum sepm_reader reader;
};

enum sepm_value { SEPM_VALUE, SEPM_ABSENT, SEPM_WRONG };

/* What turns the wall clock times of one message into instants. */
struct sepm_clock {
	const struct zone *zone;
	struct zone_cache *cache; /* of that zone */
	struct timestamp_date *date;
	int64_t reference; /* UTC seconds */
};

/* IPv4 or IPv6, canonical (RFC 5952); a dot at the end is dropped; `0.0.0.0`
 * and `::` are absent. */
enum sepm_value sepm_read_ip(
    struct span text, struct arena *arena, struct span *ip);
/* 12 hex digits, `:` `.` or `-` between; zeros are absent. */
enum sepm_value sepm_read_mac(
    struct span text, struct arena *arena, struct span *mac);
/* `digits` hex digits, lower case in the result; zeros are absent. */
enum sepm_value sepm_read_hash(
    struct span text, size_t digits, struct arena *arena, struct span *hash);
/* Decimal, 0 to `max`; no special meaning of 0 here. */
enum sepm_value sepm_read_number(
    struct span text, uint64_t max, uint64_t *number);
/* A stamp of one of `kinds` (timestamp.h) and nothing else; *twice as in
 * timestamp_resolve. */
enum sepm_value sepm_read_time(struct span text, unsigned kinds,
    const struct sepm_clock *clock, int64_t *time, bool *twice);

#endif
