#include "encode.h"

#include <string.h>

#include "calendar.h"
#include "decimal.h"
#include "encode_json.h"
#include "encode_value.h"
#include "event.h"
#include "timestamp.h"

/* clang-format off */
#define LITERAL(text) {text, sizeof(text) - 1}

const struct span encode_format_name[ENCODE_FORMAT_COUNT] = {
	[ENCODE_JSONL] = LITERAL("jsonl"),
	[ENCODE_CSV] = LITERAL("csv"),
	[ENCODE_RAW] = LITERAL("raw"),
	[ENCODE_ECS] = LITERAL("ecs"),
	[ENCODE_OCSF] = LITERAL("ocsf"),
	[ENCODE_CEF] = LITERAL("cef"),
	[ENCODE_LEEF] = LITERAL("leef"),
};
/* clang-format on */

enum encode_format
encode_format_find(struct span name)
{
	size_t f = 0;

	while (f < ENCODE_FORMAT_COUNT && !span_eq(encode_format_name[f], name))
		f++;
	return (enum encode_format)f;
}

bool
encode_is_json(enum encode_format format)
{
	return format == ENCODE_JSONL || format == ENCODE_ECS ||
	       format == ENCODE_OCSF;
}

/*
 * Why encode_bound is enough.
 *
 * Text of the message. A byte of it is at most: in JSON 6 bytes (an escape, of
 * one ASCII byte or of the one code point that a byte of a code page became);
 * in a CSV cell 3 (one code point, or a doubled quote); in raw 4 (`#012`); in
 * CEF and LEEF 3. A byte stands in at most one field of a record, and once more
 * in `raw` of an unparsed one; and in at most two cells of a row (Host Name and
 * Computer Name). So JSON's 2 * 6 covers all. Where a format writes a value
 * once more, it is cut to EVENT_COPY bytes, at most COPIES times in a line,
 * addresses aside.
 *
 * Text not of the message is ASCII that needs no escape and at most REWRITTEN
 * bytes a value: canonical addresses and MACs, words of the parser, its labels
 * for what is in `extra`, peer, and the id. Numbers and times are shorter than
 * that. A CSV column has at most a rewritten value of its own, or a default.
 * Each address is written up to four times, in a group and in lists. Around the
 * fields stand at most WORDS bytes of a format's own words and empty values.
 */
enum {
	PER_BYTE = ENCODE_PER_BYTE,
	REWRITTEN = ENCODE_REWRITTEN,
	/* a key longer than the record's own, `,"":""` around a pair, and the
	 * objects that it opens and closes */
	KEY_SYNTAX = 80,
	EXTRA_SYNTAX = 8,
	EXTRA_SUFFIX = 6, /* ` (264)` */
	EXTRA_ROOM = EXTRA_SUFFIX + DECIMAL_ROOM,
	ADDRESS_SYNTAX = 40, /* {"ip":"","mac":"","gateway":""}, */
#define ROW(constant, key, kind) +(int)sizeof(key) - 1 + KEY_SYNTAX + REWRITTEN
	FIELDS = 0 RECORD_FIELD_TABLE(ROW),
#undef ROW
	EXTRAS = RECORD_MAX_EXTRA * (EXTRA_SYNTAX + EXTRA_SUFFIX + REWRITTEN),
	ADDRESSES = RECORD_MAX_ADDRESSES * (ADDRESS_SYNTAX + 4 * REWRITTEN),
	FLAGS = RECORD_FLAG_COUNT * (EXTRA_SYNTAX + REWRITTEN),
	ID = KEY_SYNTAX + REWRITTEN,
	COPIES = 24 * (6 * EVENT_COPY + KEY_SYNTAX),
	WORDS = 4096,
	COPIED = 32, /* what copies of keys and words write too much */
	FIXED =
	    FIELDS + EXTRAS + ADDRESSES + FLAGS + ID + COPIES + WORDS + COPIED,
};

/* Each label is passed over at most twice, see name_extra. */
_Static_assert(2 + 2 * RECORD_MAX_EXTRA <= 999, "three digits of EXTRA_SUFFIX");

size_t
encode_bound(size_t n, const struct message_source *source)
{
	size_t given = source->site.n + source->group.n + source->domain.n;

	return PER_BYTE * n + 2 * given + FIXED;
}

/* JSON */

static char *
put_pair(const uint32_t pair[2], char *out)
{
	out = decimal_put(pair[0], put_char('[', out));
	out = decimal_put(pair[1], put_char(',', out));
	return put_char(']', out);
}

static char *
put_flags(unsigned flags, char *out)
{
	char separator = '[';

	for (unsigned i = 0; i < RECORD_FLAG_COUNT; i++) {
		if ((flags >> i & 1) == 0)
			continue;
		out = put_word(record_flag_name[i], put_char(separator, out));
		separator = ',';
	}
	return put_char(']', out);
}

static bool
address_empty(const struct record_address *a)
{
	return a->ip.n == 0 && a->mac.n == 0 && a->gateway.n == 0;
}

/* A member of an address group; `*separator` is `{` before the first. */
static char *
put_member(struct span key, struct span value, char *separator, char *out)
{
	if (value.n == 0)
		return out;
	out = put_word(key, put_char(*separator, out));
	*separator = ',';
	return put_string(value, put_char(':', out));
}

static char *
put_addresses(const struct record *r, char *out)
{
	char separator = '[';

	for (size_t i = 0; i < r->addresses; i++) {
		const struct record_address *a = &r->address[i];
		char inner = '{';

		if (address_empty(a))
			continue;
		*out++ = separator;
		separator = ',';
		out = put_member(SPAN("ip"), a->ip, &inner, out);
		out = put_member(SPAN("mac"), a->mac, &inner, out);
		out = put_member(SPAN("gateway"), a->gateway, &inner, out);
		*out++ = '}';
	}
	return put_char(']', out);
}

/*
 * Keys of `extra`. Equal labels become `X`, `X (2)`, `X (3)`, so that strict
 * readers keep all of them. A label can itself be `X (2)`, so a name counts as
 * taken whichever way it came about.
 */
struct extra_names {
	const struct record *record;
	unsigned short copy[RECORD_MAX_EXTRA]; /* 0: the label alone */
};

static size_t
put_copy(unsigned copy, char out[EXTRA_ROOM])
{
	char *p = out;

	if (copy == 0)
		return 0;
	p = decimal_put(copy, put(SPAN(" ("), p));
	return (size_t)(put_char(')', p) - out);
}

static bool
name_eq(struct span a, unsigned copy_a, struct span b, unsigned copy_b)
{
	char tail_a[EXTRA_ROOM], tail_b[EXTRA_ROOM];
	struct span ta = {tail_a, put_copy(copy_a, tail_a)};
	struct span tb = {tail_b, put_copy(copy_b, tail_b)};

	if (a.n + ta.n != b.n + tb.n)
		return false;
	if (a.n > b.n)
		return name_eq(b, copy_b, a, copy_a);
	/* `a` and the first part of its tail lie over `b`. */
	return span_eq(a, span_take(b, a.n)) &&
	       span_eq(span_take(ta, b.n - a.n), span_skip(b, a.n)) &&
	       span_eq(span_skip(ta, b.n - a.n), tb);
}

static bool
name_taken(const struct extra_names *names, size_t i, unsigned copy)
{
	const struct record_extra *extra = names->record->extra;

	for (size_t j = 0; j < i; j++)
		if (name_eq(
			extra[j].label, names->copy[j], extra[i].label, copy))
			return true;
	return false;
}

/* Numbers on from the last one with this label: many equal labels must not
 * cost a search each from the start. */
static void
name_extra(struct extra_names *names, size_t i)
{
	const struct record_extra *extra = names->record->extra;
	unsigned copy = 0;

	for (size_t j = i; j-- > 0;) {
		if (!span_eq(extra[j].label, extra[i].label))
			continue;
		copy = names->copy[j] > 0 ? names->copy[j] + 1U : 2;
		break;
	}
	while (name_taken(names, i, copy))
		copy = copy > 0 ? copy + 1 : 2;
	names->copy[i] = (unsigned short)copy;
}

static char *
put_extra(const struct record *r, char *out)
{
	struct extra_names names;
	char separator = '{', tail[EXTRA_ROOM];

	names.record = r;
	for (size_t i = 0; i < r->extras; i++) {
		const struct record_extra *extra = &r->extra[i];

		name_extra(&names, i);
		if (extra->value.n == 0)
			continue;
		out = put_char('"', put_char(separator, out));
		separator = ',';
		out = put_escaped(extra->label, out);
		out = put(span_of(tail, put_copy(names.copy[i], tail)), out);
		out = put_string(extra->value, put(SPAN("\":"), out));
	}
	return put_char('}', out);
}

static bool
has_addresses(const struct record *r)
{
	for (size_t i = 0; i < r->addresses; i++)
		if (!address_empty(&r->address[i]))
			return true;
	return false;
}

static bool
has_extra(const struct record *r)
{
	for (size_t i = 0; i < r->extras; i++)
		if (r->extra[i].value.n > 0)
			return true;
	return false;
}

/* `,"key":`, copied with room to spare: it is short. */
static inline char *
put_key(enum record_field f, char *out)
{
	/* clang-format off */
	static const struct {
		char text[31];
		unsigned char n;
	} keys[RECORD_FIELD_COUNT] = {
#define ROW(constant, key, kind) \
		[RECORD_F_##constant] = {",\"" key "\":", sizeof(key) - 1 + 4},
		RECORD_FIELD_TABLE(ROW)
#undef ROW
	};
	/* clang-format on */

	memcpy(out, keys[f].text, sizeof(keys[f].text));
	return out + keys[f].n;
}

static inline char *
put_no_key(enum record_field f, char *out)
{
	(void)f;
	return out;
}

/* Empty values leave no key. Inlined, so that `key` is no call. */
static inline __attribute__((always_inline)) char *
put_field_with(const struct record *r, enum record_field f,
    struct timestamp_days *days, char *out,
    char *(*key)(enum record_field f, char *out))
{
	const union record_value *value = &r->value[f];

	switch (record_field_info[f].kind) {
	case RECORD_TEXT:
		if (value->text.n == 0)
			return out;
		return put_string(value->text, key(f, out));
	case RECORD_WORD:
		if (value->text.n == 0)
			return out;
		return put_word(value->text, key(f, out));
	case RECORD_UINT:
		return decimal_put(value->number, key(f, out));
	case RECORD_TIME:
		return put_time(value->time, days, key(f, out));
	case RECORD_TIME_US:
		return put_time_us(value->time, days, key(f, out));
	case RECORD_PAIR:
		return put_pair(value->pair, key(f, out));
	case RECORD_ADDRESSES:
		if (!has_addresses(r))
			return out;
		return put_addresses(r, key(f, out));
	case RECORD_EXTRA:
		return has_extra(r) ? put_extra(r, key(f, out)) : out;
	case RECORD_FLAGS:
		break;
	}
	return r->flags != 0 ? put_flags(r->flags, key(f, out)) : out;
}

static char *
put_field(const struct record *r, enum record_field f,
    struct timestamp_days *days, char *out)
{
	return put_field_with(r, f, days, out, put_key);
}

char *
encode_value(const struct record *r, enum record_field f,
    struct timestamp_days *days, char *out)
{
	return put_field_with(r, f, days, out, put_no_key);
}

bool
encode_has(const struct record *r, enum record_field f)
{
	return record_has(r, f) || f == RECORD_F_ADDRESSES ||
	       f == RECORD_F_EXTRA || f == RECORD_F_FLAGS;
}

/* What is in arrays and flags of the record counts with or without its bit;
 * `type` is written from the record's own. */
static uint64_t
fields_of(const struct record *r, unsigned word)
{
	uint64_t fields = r->present[word];

	if (word == RECORD_F_ADDRESSES / 64)
		fields |= UINT64_C(1) << RECORD_F_ADDRESSES % 64;
	if (word == RECORD_F_EXTRA / 64)
		fields |= UINT64_C(1) << RECORD_F_EXTRA % 64;
	if (word == RECORD_F_FLAGS / 64)
		fields |= UINT64_C(1) << RECORD_F_FLAGS % 64;
	if (word == RECORD_F_TYPE / 64)
		fields &= ~(UINT64_C(1) << RECORD_F_TYPE % 64);
	return fields;
}

char *
encode_jsonl(
    const struct record *record, struct timestamp_days *days, char *out)
{
	out = put(SPAN("{\"type\":"), out);
	out = put_word(record_type_name[record->type], out);
	for (unsigned word = 0; word < RECORD_WORDS; word++)
		for (uint64_t fields = fields_of(record, word); fields != 0;
		     fields &= fields - 1)
			out = put_field(record,
			    (enum record_field)(
				word * 64 + block_first(fields)),
			    days, out);
	return out;
}

char *
encode_jsonl_end(struct span id, char *out)
{
	if (id.n > 0)
		out = put_word(id, put(SPAN(",\"id\":"), out));
	return put(SPAN("}\n"), out);
}

/* CSV */

/* A row being written, as its columns see it. */
struct csv_row {
	const struct record *record;
	const struct message_source *source;
};

struct csv_column;
typedef char *csv_put(
    const struct csv_row *row, const struct csv_column *column, char *out);

enum csv_given { GIVEN_NONE, GIVEN_DOMAIN, GIVEN_SITE, GIVEN_GROUP };

enum { CSV_SOURCES = 4 };

struct csv_column {
	csv_put *put;
	/* The first of these that is present is the cell; NO_FIELD ends. */
	unsigned char from[CSV_SOURCES];
	enum csv_given given;  /* else this of the source */
	struct span otherwise; /* else this */
};

#define NO_FIELD RECORD_FIELD_COUNT

/* The field that a cell is taken from, or NO_FIELD. */
static enum record_field
csv_field(const struct csv_row *row, const struct csv_column *column)
{
	for (size_t i = 0; i < CSV_SOURCES; i++) {
		unsigned f = column->from[i];

		if (f == NO_FIELD)
			break;
		if (record_has(row->record, (enum record_field)f))
			return (enum record_field)f;
	}
	return NO_FIELD;
}

static struct span
csv_text(const struct csv_row *row, const struct csv_column *column)
{
	enum record_field f = csv_field(row, column);
	struct span given = {"", 0};

	if (f != NO_FIELD)
		return row->record->value[f].text;
	if (column->given == GIVEN_DOMAIN)
		given = row->source->domain;
	else if (column->given == GIVEN_SITE)
		given = row->source->site;
	else if (column->given == GIVEN_GROUP)
		given = row->source->group;
	return given.n > 0 ? given : column->otherwise;
}

static bool
csv_is_control(unsigned char c)
{
	return c < 0x20 || c == 0x7f;
}

/* Most cells go out as they are. */
static bool
csv_is_plain(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == ',' || c == '"' || csv_is_control(c))
			return false;
	}
	return true;
}

/*
 * RFC 4180. Control characters become blanks, so that a row stays a line.
 * A cell that begins like a formula (`=`, `+`, `-`, `@`) is left alone: the
 * readers are programs that compare it with what SEPM itself exports, and a
 * quote put before it would be one more value that is not SEPM's.
 */
static char *
csv_cell(struct span s, char *out)
{
	bool quote;

	if (csv_is_plain(s))
		return put(s, out);
	quote = span_find(s, ',') < s.n || span_find(s, '"') < s.n;
	if (quote)
		*out++ = '"';
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '"')
			*out++ = '"';
		*out++ = csv_is_control((unsigned char)c) ? ' ' : c;
	}
	if (quote)
		*out++ = '"';
	return out;
}

static char *
csv_put_text(
    const struct csv_row *row, const struct csv_column *column, char *out)
{
	return csv_cell(csv_text(row, column), out);
}

static char *
csv_put_time(
    const struct csv_row *row, const struct csv_column *column, char *out)
{
	enum record_field f = csv_field(row, column);
	struct civil c;
	int64_t time;

	if (f == NO_FIELD)
		return out;
	time = row->record->value[f].time;
	if (record_field_info[f].kind == RECORD_TIME_US)
		time = calendar_floor(time, 1000000);
	civil_of(zone_to_local(row->source->zone, time), &c);
	out = put_char('/', decimal_put2((unsigned)c.month, out));
	out = put_char('/', decimal_put2((unsigned)c.day, out));
	out = put_char(' ', decimal_put4((unsigned)c.year, out));
	out = put_char(':', decimal_put2((unsigned)c.hour, out));
	out = put_char(':', decimal_put2((unsigned)c.minute, out));
	return decimal_put2((unsigned)c.second, out);
}

static char *
csv_put_number(
    const struct csv_row *row, const struct csv_column *column, char *out)
{
	enum record_field f = csv_field(row, column);

	if (f == NO_FIELD)
		return put(column->otherwise, out);
	return decimal_put(row->record->value[f].number, out);
}

/* SEPM keeps ICMP's two numbers in the port columns. */
static char *
csv_put_port(
    const struct csv_row *row, const struct csv_column *column, char *out)
{
	int side = column->from[0] == RECORD_F_REMOTE_PORT;

	if (record_has(row->record, RECORD_F_ICMP))
		return decimal_put(
		    row->record->value[RECORD_F_ICMP].pair[side], out);
	return csv_put_number(row, column, out);
}

static char
upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - ('a' - 'A')) : c;
}

static char *
csv_put_mac(
    const struct csv_row *row, const struct csv_column *column, char *out)
{
	struct span mac = csv_text(row, column);

	for (size_t i = 0; i < mac.n; i++)
		if (mac.p[i] != ':')
			*out++ = upper(mac.p[i]);
	return out;
}

/* A word of the record, and what SEPM writes for it. */
struct csv_word {
	struct span record, sepm;
};

/* clang-format off */
static const struct csv_word csv_protocols[] = {
	{ LITERAL("tcp"),	LITERAL("TCP") },
	{ LITERAL("udp"),	LITERAL("UDP") },
	{ LITERAL("icmp"),	LITERAL("ICMP") },
	{ LITERAL("ethernet"),	LITERAL("ETHERNET") },
	{ LITERAL("others"),	LITERAL("OTHERS") },
	{ LITERAL("unknown"),	LITERAL("UNKNOWN") },
	{ LITERAL(""),		LITERAL("") },
};

static const struct csv_word csv_events[] = {
	{ LITERAL("tcp"),	LITERAL("TCP initiated") },
	{ LITERAL("udp"),	LITERAL("UDP datagram") },
	{ LITERAL("icmp"),	LITERAL("ICMP packet") },
	{ LITERAL("ethernet"),	LITERAL("Ethernet packet") },
	{ LITERAL(""),		LITERAL("Traffic (other)") },
};

static const struct csv_word csv_severities[] = {
	{ LITERAL("emerg"),	LITERAL("Critical") },
	{ LITERAL("alert"),	LITERAL("Critical") },
	{ LITERAL("crit"),	LITERAL("Critical") },
	{ LITERAL("err"),	LITERAL("Major") },
	{ LITERAL("warning"),	LITERAL("Minor") },
	{ LITERAL(""),		LITERAL("Info") },
};

static const struct csv_word csv_actions[] = {
	{ LITERAL("allowed"),	LITERAL("Not blocked") },
	{ LITERAL("blocked"),	LITERAL("Blocked") },
	{ LITERAL(""),		LITERAL("") },
};
/* clang-format on */

/* SEPM's word; the last of the table when there is none for it. */
static struct span
csv_word(const struct csv_word *table, struct span word)
{
	while (table->record.n > 0 && !span_eq(table->record, word))
		table++;
	return table->sepm;
}

static char *
csv_put_protocol(
    const struct csv_row *row, const struct csv_column *column, char *out)
{
	struct span text = csv_text(row, column);
	struct span word = csv_word(csv_protocols, text);

	return word.n > 0 ? put(word, out) : csv_cell(text, out);
}

/* The text of an event id, which syslog does not tell. */
static char *
csv_put_event(
    const struct csv_row *row, const struct csv_column *column, char *out)
{
	struct span text = csv_text(row, column);

	if (text.n > 0)
		return csv_cell(text, out);
	text = record_text(row->record, RECORD_F_PROTOCOL);
	return put(csv_word(csv_events, text), out);
}

static char *
csv_put_severity(
    const struct csv_row *row, const struct csv_column *column, char *out)
{
	return put(csv_word(csv_severities, csv_text(row, column)), out);
}

/* A word with a capital, as SEPM writes them. */
static char *
csv_put_capital(
    const struct csv_row *row, const struct csv_column *column, char *out)
{
	char *end = csv_cell(csv_text(row, column), out);

	if (end > out && *out == '"')
		out++;
	if (end > out)
		*out = upper(*out);
	return end;
}

static char *
csv_put_action(
    const struct csv_row *row, const struct csv_column *column, char *out)
{
	struct span word = csv_word(csv_actions, csv_text(row, column));

	return word.n > 0 ? put(word, out) : csv_put_capital(row, column, out);
}

/* clang-format off */
#define FROM1(a)	{ RECORD_F_##a, NO_FIELD, NO_FIELD, NO_FIELD }
#define FROM2(a, b)	{ RECORD_F_##a, RECORD_F_##b, NO_FIELD, NO_FIELD }
#define FROM3(a, b, c)	{ RECORD_F_##a, RECORD_F_##b, RECORD_F_##c, NO_FIELD }
#define FROM4(a, b, c, d) \
	{ RECORD_F_##a, RECORD_F_##b, RECORD_F_##c, RECORD_F_##d }

/* The columns of SEPM's export in its order: what writes the cell, from which
 * fields, else from what the configuration gives, else what. */
#define CSV_COLUMN_TABLE(ROW)						\
	ROW("Time Stamp", time, FROM3(TIME, RECEIVED, BEGIN), NONE, "")	\
	ROW("Event Type", event, FROM1(EVENT_TYPE), NONE, "")		\
	ROW("Event Time", time, FROM4(EVENT_TIME, END, BEGIN, TIME),	\
	    NONE, "")							\
	ROW("Severity", severity, FROM1(SEVERITY), NONE, "")		\
	ROW("Host Name", text, FROM1(HOST), NONE, "")			\
	ROW("Current IP Address", text, FROM2(CURRENT_IP_ADDRESS, LOCAL_IP),\
	    NONE, "0.0.0.0")						\
	ROW("Historical IP Address", text, FROM1(LOCAL_IP),		\
	    NONE, "0.0.0.0")						\
	ROW("Remote Host IP", text, FROM1(REMOTE_IP), NONE, "0.0.0.0")	\
	ROW("Remote Host Name", text, FROM1(REMOTE_NAME), NONE, "")	\
	ROW("Network Protocol", protocol, FROM1(PROTOCOL), NONE, "")	\
	ROW("Local Port", port, FROM1(LOCAL_PORT), NONE, "0")		\
	ROW("Remote Port", port, FROM1(REMOTE_PORT), NONE, "0")		\
	ROW("Traffic Direction", capital, FROM1(DIRECTION),		\
	    NONE, "Unknown")						\
	ROW("Application Name", text, FROM1(APPLICATION), NONE, "")	\
	ROW("Begin Time", time, FROM1(BEGIN), NONE, "")			\
	ROW("End Time", time, FROM2(END, BEGIN), NONE, "")		\
	ROW("Repetition", number, FROM1(OCCURRENCES), NONE, "1")	\
	ROW("ACTION", action, FROM1(ACTION), NONE, "")			\
	ROW("Rule Name", text, FROM1(RULE), NONE, "")			\
	ROW("Alert", text, FROM1(ALERT), NONE, "0")			\
	ROW("Send Snmp Trap", text, FROM1(SEND_SNMP_TRAP), NONE, "0")	\
	ROW("Local Host Mac", mac, FROM1(LOCAL_MAC),			\
	    NONE, "000000000000")					\
	ROW("Remote Host Mac", mac, FROM1(REMOTE_MAC),			\
	    NONE, "000000000000")					\
	ROW("Hardware Key", text, FROM1(HARDWARE_KEY), NONE, "")	\
	ROW("Location Name", text, FROM1(LOCATION), NONE, "")		\
	ROW("User Name", text, FROM1(USER), NONE, "")			\
	ROW("Domain Name", text, FROM1(DOMAIN_NAME), DOMAIN, "")	\
	ROW("Site Name", text, FROM1(SITE_NAME), SITE, "")		\
	ROW("Server Name", text, FROM2(SERVER_NAME, SEPM), NONE, "")	\
	ROW("Group Name", text, FROM1(GROUP_NAME), GROUP, "")		\
	ROW("Computer Name", text, FROM2(COMPUTER_NAME, HOST),		\
	    NONE, "")

static const struct csv_column csv_columns[] = {
#define ROW(name, writer, fields, what, otherwise) \
	{ csv_put_##writer, fields, GIVEN_##what, LITERAL(otherwise) },
	CSV_COLUMN_TABLE(ROW)
#undef ROW
};

/* Every name with a comma in front, the first of which is left out. */
static const char csv_header[] =
#define ROW(name, writer, fields, what, otherwise) "," name
	CSV_COLUMN_TABLE(ROW) "\r\n";
#undef ROW
/* clang-format on */

const struct span encode_csv_header = {csv_header + 1, sizeof(csv_header) - 2};

char *
encode_csv(
    const struct record *record, const struct message_source *source, char *out)
{
	const size_t columns = sizeof(csv_columns) / sizeof(csv_columns[0]);
	struct csv_row row = {record, source};

	for (size_t i = 0; i < columns; i++) {
		if (i > 0)
			*out++ = ',';
		out = csv_columns[i].put(&row, &csv_columns[i], out);
	}
	return put(SPAN("\r\n"), out);
}

/* Raw */

static bool
raw_is_end(char c)
{
	return c == '\r' || c == '\n' || c == '\0';
}

char *
encode_raw(const struct record *record, char *out)
{
	struct span s = record->original;

	while (s.n > 0 && raw_is_end(s.p[s.n - 1]))
		s.n--;
	for (;;) {
		size_t n = span_find(s, '\n');

		out = put(span_take(s, n), out);
		if (n == s.n)
			return put_char('\n', out);
		out = put(SPAN("#012"), out);
		s = span_skip(s, n + 1);
	}
}

/* All formats */

struct encoding {
	const struct record *record;
	const struct message_source *source;
	struct timestamp_days *days;
};

static char *
body_jsonl(const struct encoding *e, char *out)
{
	return encode_jsonl(e->record, e->days, out);
}

static char *
body_csv(const struct encoding *e, char *out)
{
	return encode_csv(e->record, e->source, out);
}

static char *
body_raw(const struct encoding *e, char *out)
{
	return encode_raw(e->record, out);
}

static char *
body_ecs(const struct encoding *e, char *out)
{
	return encode_ecs(e->record, e->days, out);
}

static char *
body_ocsf(const struct encoding *e, char *out)
{
	return encode_ocsf(e->record, e->days, out);
}

static char *
body_cef(const struct encoding *e, char *out)
{
	return encode_cef(e->record, e->days, out);
}

static char *
body_leef(const struct encoding *e, char *out)
{
	return encode_leef(e->record, e->days, out);
}

/* The body is the line. */
static char *
end_none(struct span id, char *out)
{
	(void)id;
	return out;
}

static const struct {
	char *(*body)(const struct encoding *e, char *out);
	char *(*end)(struct span id, char *out);
} encoders[ENCODE_FORMAT_COUNT] = {
    [ENCODE_JSONL] = {body_jsonl, encode_jsonl_end},
    [ENCODE_CSV] = {body_csv, end_none},
    [ENCODE_RAW] = {body_raw, end_none},
    [ENCODE_ECS] = {body_ecs, encode_ecs_end},
    [ENCODE_OCSF] = {body_ocsf, encode_ocsf_end},
    [ENCODE_CEF] = {body_cef, encode_cef_end},
    [ENCODE_LEEF] = {body_leef, encode_leef_end},
};

char *
encode_body(enum encode_format format, const struct record *record,
    const struct message_source *source, struct timestamp_days *days, char *out)
{
	const struct encoding e = {record, source, days};

	return encoders[format].body(&e, out);
}

char *
encode_end(enum encode_format format, struct span id, char *out)
{
	return encoders[format].end(id, out);
}
