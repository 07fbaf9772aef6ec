#include "sepm_sql.h"

#include "decimal.h"
#include "sepm_row.h"
#include "sepm_table.h"

/* What a file may hold that was written by hand, not by the database. */
#define TIMES (TIMESTAMP_US24 | TIMESTAMP_US12 | TIMESTAMP_ISO)

/* Behind the readers that both tables have, those of the view's codes. */
enum {
	READ_MS = SEPM_READ_SEVERITY + 1,
	READ_EVENT,
	READ_SEVERITY,
	READ_PROTOCOL,
	READ_DIRECTION,
	READ_BLOCKED,
	READ_IP_TEXT, /* the readers of addresses are in order of rank */
	READ_IP_NUMBER,
	READ_IP_HEX,
	READ_RESERVED,
};

#define NAME(literal)                                                          \
	{                                                                      \
		literal, sizeof(literal) - 1                                   \
	}

/* clang-format off */
static const struct sepm_column columns[SEPM_SQL_COLUMNS] = {
	{ NAME("USN"),			RECORD_F_USN, SEPM_READ_COUNT },
	{ NAME("DOMAIN_ID"),		RECORD_F_DOMAIN_ID, SEPM_READ_TEXT },
	{ NAME("SITE_ID"),		RECORD_F_SITE_ID, SEPM_READ_TEXT },
	{ NAME("SERVER_ID"),		RECORD_F_SERVER_ID, SEPM_READ_TEXT },
	{ NAME("GROUP_ID"),		RECORD_F_GROUP_ID, SEPM_READ_TEXT },
	{ NAME("COMPUTER_ID"),		RECORD_F_COMPUTER_ID, SEPM_READ_TEXT },
	{ NAME("TIME_STAMP"),		RECORD_F_TIME, READ_MS },
	{ NAME("EVENT_ID"),		RECORD_F_EVENT_TYPE, READ_EVENT },
	{ NAME("EVENT_TIME"),		RECORD_F_EVENT_TIME, READ_MS },
	{ NAME("SEVERITY"),		RECORD_F_SEVERITY, READ_SEVERITY },
	{ NAME("AGENT_ID"),		RECORD_F_AGENT_ID, SEPM_READ_TEXT },
	{ NAME("HARDWARE_KEY"),		RECORD_F_HARDWARE_KEY, SEPM_READ_TEXT },
	{ NAME("HOST_NAME"),		RECORD_F_HOST, SEPM_READ_TEXT },
	{ NAME("LOCAL_HOST_IP"),	RECORD_F_LOCAL_IP, READ_IP_NUMBER },
	{ NAME("REMOTE_HOST_IP"),	RECORD_F_REMOTE_IP, READ_IP_NUMBER },
	{ NAME("REMOTE_HOST_NAME"),	RECORD_F_REMOTE_NAME, SEPM_READ_TEXT },
	{ NAME("NETWORK_PROTOCOL"),	RECORD_F_PROTOCOL, READ_PROTOCOL },
	{ NAME("LOCAL_PORT"),		RECORD_F_LOCAL_PORT, SEPM_READ_PORT },
	{ NAME("REMOTE_PORT"),		RECORD_F_REMOTE_PORT, SEPM_READ_PORT },
	{ NAME("TRAFFIC_DIRECTION"),	RECORD_F_DIRECTION, READ_DIRECTION },
	{ NAME("BEGIN_TIME"),		RECORD_F_BEGIN, READ_MS },
	{ NAME("END_TIME"),		RECORD_F_END, READ_MS },
	{ NAME("REPETITION"),		RECORD_F_OCCURRENCES, SEPM_READ_COUNT },
	{ NAME("APP_NAME"),		RECORD_F_APPLICATION, SEPM_READ_TEXT },
	{ NAME("BLOCKED"),		RECORD_F_ACTION, READ_BLOCKED },
	{ NAME("RULE_ID"),		RECORD_F_RULE_ID, SEPM_READ_TEXT },
	{ NAME("RULE_NAME"),		RECORD_F_RULE, SEPM_READ_TEXT },
	{ NAME("ALERT"),		RECORD_F_ALERT, SEPM_READ_TEXT },
	{ NAME("SEND_SNMP_TRAP"),	RECORD_F_SEND_SNMP_TRAP, SEPM_READ_TEXT },
	{ NAME("LOCAL_HOST_MAC"),	RECORD_F_LOCAL_MAC, SEPM_READ_MAC },
	{ NAME("REMOTE_HOST_MAC"),	RECORD_F_REMOTE_MAC, SEPM_READ_MAC },
	{ NAME("LOCATION_NAME"),	RECORD_F_LOCATION, SEPM_READ_TEXT },
	{ NAME("USER_NAME"),		RECORD_F_USER, SEPM_READ_TEXT },
	/* the Windows domain, unlike the column of the CSV export */
	{ NAME("DOMAIN_NAME"),		RECORD_F_DOMAIN, SEPM_READ_TEXT },
	{ NAME("RESERVED_INT1"),	RECORD_F_EXTRA, READ_RESERVED },
	{ NAME("RESERVED_INT2"),	RECORD_F_EXTRA, READ_RESERVED },
	{ NAME("RESERVED_BIGINT1"),	RECORD_F_EXTRA, READ_RESERVED },
	{ NAME("RESERVED_BIGINT2"),	RECORD_F_EXTRA, READ_RESERVED },
	{ NAME("RESERVED_CHAR1"),	RECORD_F_EXTRA, READ_RESERVED },
	{ NAME("RESERVED_CHAR2"),	RECORD_F_EXTRA, READ_RESERVED },
	{ NAME("RESERVED_VARCHAR1"),	RECORD_F_EXTRA, READ_RESERVED },
	{ NAME("RESERVED_BINARY"),	RECORD_F_EXTRA, READ_RESERVED },
	{ NAME("LOG_IDX"),		RECORD_F_LOG_IDX, SEPM_READ_TEXT },
	{ NAME("LOCAL_HOST_IPV6"),	RECORD_F_LOCAL_IP, READ_IP_HEX },
	{ NAME("REMOTE_HOST_IPV6"),	RECORD_F_REMOTE_IP, READ_IP_HEX },
	/* not described anywhere: as it came */
	{ NAME("NESTED_PROTOCOL_TYPE"),	RECORD_F_EXTRA, SEPM_READ_NOTHING },
	{ NAME("NESTED_PROTOCOL_SUB_TYPE"), RECORD_F_EXTRA, SEPM_READ_NOTHING },
	{ NAME("LOCAL_HOST_IP_TEXT"),	RECORD_F_LOCAL_IP, READ_IP_TEXT },
	{ NAME("REMOTE_HOST_IP_TEXT"),	RECORD_F_REMOTE_IP, READ_IP_TEXT },
};

/* The texts of the CSV export; 301 is the first. */
enum { EVENT_FIRST = 301, EVENT_RAW = 401 };
static const struct span events[] = {
	NAME("TCP initiated"), NAME("UDP datagram"), NAME("Ping request"),
	NAME("TCP completed"), NAME("Traffic (other)"), NAME("ICMP packet"),
	NAME("Ethernet packet"), NAME("IP packet"), NAME("ICMPv6 packet"),
};
static const struct span event_raw = NAME("Raw Ethernet");

static const struct span severities[] = { /* four codes for each */
	NAME("crit"), NAME("err"), NAME("warning"), NAME("info"),
};
static const struct span protocols[] = {
	{ NULL, 0 }, NAME("others"), NAME("tcp"), NAME("udp"), NAME("icmp"),
};
static const struct span directions[] = {
	NAME("unknown"), NAME("inbound"), NAME("outbound"),
};
static const struct span actions[] = { NAME("allowed"), NAME("blocked") };
/* clang-format on */

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* --- codes --- */

static bool
is_code(struct span text, uint64_t *code)
{
	return sepm_read_number(text, UINT64_MAX, code) == SEPM_VALUE;
}

/* The word at `code`; n == 0: there is none. */
static struct span
word_at(const struct span *words, size_t count, uint64_t code)
{
	return code < count ? words[code] : (struct span){NULL, 0};
}

static struct span
event_text(uint64_t code)
{
	if (code == EVENT_RAW)
		return event_raw;
	return code < EVENT_FIRST
		   ? (struct span){NULL, 0}
		   : word_at(events, COUNT(events), code - EVENT_FIRST);
}

/* The word of the record for a code; n == 0: an unknown one. */
static struct span
code_word(unsigned reader, uint64_t code, struct span text)
{
	struct span word;

	switch (reader) {
	case READ_EVENT:
		return event_text(code);
	case READ_SEVERITY:
		return word_at(severities, COUNT(severities), code / 4);
	case READ_PROTOCOL:
		word = word_at(protocols, COUNT(protocols), code);
		return word.n > 0 ? word : text;
	case READ_DIRECTION:
		return word_at(directions, COUNT(directions), code);
	default:
		return word_at(actions, COUNT(actions), code);
	}
}

/* The same where the file has a word for the code. */
static struct span
plain_word(
    const struct sepm_context *context, unsigned reader, struct span text)
{
	switch (reader) {
	case READ_SEVERITY:
		return sepm_severity(text);
	case READ_PROTOCOL:
		return sepm_protocol(text, context->arena);
	case READ_DIRECTION:
		return sepm_direction(text, context->arena);
	case READ_BLOCKED:
		return sepm_action(text, context->arena);
	default:
		return text;
	}
}

static enum sepm_value
read_code(const struct sepm_context *context, const struct sepm_column *column,
    struct span text, struct record *r)
{
	struct span word;
	uint64_t code;

	if (text.n == 0)
		return SEPM_ABSENT;
	word = is_code(text, &code) ? code_word(column->reader, code, text)
				    : plain_word(context, column->reader, text);
	record_set_text(r, column->field, word);
	return word.n > 0 ? SEPM_VALUE : SEPM_WRONG;
}

/* --- times --- */

/* The last second that a record can have: the end of the year 9999. */
static const uint64_t LAST_MS = UINT64_C(253402300799999);

static enum sepm_value
read_ms(const struct sepm_context *context, const struct sepm_column *column,
    struct span text, struct record *r)
{
	struct sepm_field stamp = {column->field, SEPM_READ_TIME};
	uint64_t ms;

	if (!is_code(text, &ms))
		return sepm_field_read(context, &stamp, TIMES, text, r);
	if (ms == 0)
		return SEPM_ABSENT;
	if (ms > LAST_MS)
		return SEPM_WRONG;
	record_set_time(r, column->field, (int64_t)(ms / 1000));
	return SEPM_VALUE;
}

/* --- addresses --- */

enum { DOTTED = 16, HEX_DIGITS = 32, COLONS = 7 };

static char *
put_octet(uint32_t ip, unsigned shift, char *out)
{
	return decimal_put(ip >> shift & 255, out);
}

/* The first part of the address is in the highest byte. */
static enum sepm_value
read_ip_number(struct span text, struct arena *arena, struct span *ip)
{
	bool negative = span_at(text, 0) == '-';
	uint64_t number;
	char *out, *end;

	if (text.n == 0)
		return SEPM_ABSENT;
	if (sepm_read_number(span_skip(text, negative),
		negative ? (uint64_t)1 << 31 : UINT32_MAX,
		&number) != SEPM_VALUE)
		return SEPM_WRONG;
	if (number == 0)
		return SEPM_ABSENT;
	if (negative)
		number = UINT32_MAX - number + 1;
	out = arena_take(arena, DOTTED + DECIMAL_ROOM);
	if (out == NULL)
		return SEPM_WRONG;
	end = out;
	for (unsigned shift = 32; shift > 0; shift -= 8) {
		end = put_octet((uint32_t)number, shift - 8, end);
		*end++ = '.';
	}
	*ip = span_of(out, (size_t)(end - out) - 1);
	return SEPM_VALUE;
}

/* 32 hex digits, with or without 0x, or an address with its colons. */
static enum sepm_value
read_ip_hex(struct span text, struct arena *arena, struct span *ip)
{
	char colons[HEX_DIGITS + COLONS];
	size_t n = 0;

	if (span_starts(text, SPAN("0x")) || span_starts(text, SPAN("0X")))
		text = span_skip(text, 2);
	if (text.n != HEX_DIGITS || span_find(text, ':') < text.n)
		return sepm_read_ip(text, arena, ip);
	for (size_t i = 0; i < HEX_DIGITS; i++) {
		if (i > 0 && i % 4 == 0)
			colons[n++] = ':';
		colons[n++] = text.p[i];
	}
	return sepm_read_ip(span_of(colons, n), arena, ip);
}

/* A worse column than the one that was taken is only looked at. */
static enum sepm_value
read_ip(const struct sepm_context *context, const struct sepm_column *column,
    struct span text, struct sepm_cells *cells, struct record *r)
{
	unsigned *taken = &cells->rank[column->field == RECORD_F_REMOTE_IP];
	enum sepm_value answer;
	struct span ip;

	if (column->reader == READ_IP_NUMBER)
		answer = read_ip_number(text, context->arena, &ip);
	else if (column->reader == READ_IP_HEX)
		answer = read_ip_hex(text, context->arena, &ip);
	else
		answer = sepm_read_ip(text, context->arena, &ip);
	if (answer != SEPM_VALUE || (*taken != 0 && *taken <= column->reader))
		return answer;
	record_set_text(r, column->field, ip);
	*taken = column->reader;
	return answer;
}

/* --- rows --- */

static enum sepm_value
read_cell(const struct sepm_context *context, const struct sepm_column *column,
    struct span text, struct sepm_cells *cells, struct record *r)
{
	struct sepm_field field = {
	    column->field, (enum sepm_reader)column->reader};

	if (column->reader == READ_RESERVED)
		return SEPM_ABSENT;
	if (column->reader >= READ_IP_TEXT)
		return read_ip(context, column, text, cells, r);
	if (record_has(r, column->field))
		return SEPM_WRONG;
	if (column->reader == READ_MS)
		return read_ms(context, column, text, r);
	if (column->reader > READ_MS)
		return read_code(context, column, text, r);
	return sepm_field_read(context, &field, TIMES, text, r);
}

static const struct sepm_table view = {columns, COUNT(columns), read_cell};

struct span
sepm_sql_column(size_t index)
{
	return index < COUNT(columns) ? columns[index].name
				      : (struct span){NULL, 0};
}

bool
sepm_sql_is_header(const struct span *names, size_t count)
{
	return sepm_table_is_header(&view, names, count);
}

bool
sepm_sql_is_row(const struct span *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct span name = span_trim(names[i]);
		bool ours = sepm_table_find(&view, name, i) != NULL;

		if (ours != sepm_row_knows(name, i))
			return ours;
	}
	return false;
}

const char *
sepm_sql(const struct span *names, const struct span *cells, size_t count,
    const struct sepm_context *context, struct record *r)
{
	return sepm_table_row(&view, names, cells, count, context, r);
}
