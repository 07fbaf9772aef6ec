/*
 * encoded - a record, its line in a format, and what the line holds.
 */
#ifndef SEPMLOG_TEST_ENCODED_H
#define SEPMLOG_TEST_ENCODED_H

#include <check.h>
#include <string.h>

#include "encode.h"
#include "strict_json.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* A record's room is big. */
static struct record record;
static char line[1 << 18];

static inline void
set(enum record_field f, const char *text)
{
	record_set_text(&record, f, span_str(text));
}

static inline void
start(enum record_type type)
{
	record_reset(&record);
	record.type = type;
	record_set_text(&record, RECORD_F_TYPE, record_type_name[type]);
}

/* A record with the usual fields of traffic. */
static inline void
start_traffic(const char *direction)
{
	start(RECORD_TRAFFIC);
	record_set_time(&record, RECORD_F_TIME, 1468939613);
	set(RECORD_F_SEPM, "sepm-north");
	set(RECORD_F_FACILITY, "lpr");
	set(RECORD_F_SEVERITY, "err");
	set(RECORD_F_HOST, "pc-0147");
	set(RECORD_F_LOCAL_IP, "192.0.2.47");
	record_set_number(&record, RECORD_F_LOCAL_PORT, 51514);
	set(RECORD_F_LOCAL_MAC, "00:00:5e:00:53:1f");
	set(RECORD_F_REMOTE_IP, "198.51.100.30");
	set(RECORD_F_REMOTE_NAME, "www.birch.example");
	record_set_number(&record, RECORD_F_REMOTE_PORT, 80);
	set(RECORD_F_REMOTE_MAC, "00:00:5e:00:53:fe");
	set(RECORD_F_PROTOCOL, "tcp");
	set(RECORD_F_DIRECTION, direction);
	record_set_time(&record, RECORD_F_BEGIN, 1468939397);
	record_set_time(&record, RECORD_F_END, 1468939398);
	record_set_number(&record, RECORD_F_OCCURRENCES, 3);
	set(RECORD_F_APPLICATION, "C:/Tools/sync/syncd.exe");
	set(RECORD_F_RULE, "Permit branch web");
	set(RECORD_F_LOCATION, "Default");
	set(RECORD_F_USER, "mwhite");
	set(RECORD_F_DOMAIN, "BIRCH");
	set(RECORD_F_ACTION, "allowed");
}

/* The line as a string, without its LF; strict readers have taken it. */
static inline const char *
encoded(enum encode_format format, const char *id)
{
	static const struct message_source source;
	struct timestamp_days days = {0};
	char *end = encode_body(format, &record, &source, &days, line);

	end = encode_end(format, span_str(id), end);
	if (encode_is_json(format))
		ck_assert_msg(strict_json_line(span_between(line, end)), "%.*s",
		    (int)(end - line), line);
	ck_assert_int_eq(end[-1], '\n');
	end[-1] = '\0';
	return line;
}

static inline void
has(const char *text, const char *part)
{
	ck_assert_msg(strstr(text, part) != NULL, "no %s in %s", part, text);
}

static inline void
has_not(const char *text, const char *part)
{
	ck_assert_msg(strstr(text, part) == NULL, "%s in %s", part, text);
}

#endif
