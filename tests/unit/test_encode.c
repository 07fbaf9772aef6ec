#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "encode.h"
#include "guard.h"
#include "run.h"
#include "strict_json.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* A record's room is big. */
static struct record record;
static char line[1 << 18];

static const struct message_source *
plain_source(void)
{
	static struct message_source source;

	source = (struct message_source){.zone = zone_utc(),
	    .codepage = &text_windows_1252,
	    .site = {"", 0},
	    .group = {"", 0},
	    .domain = {"", 0}};
	return &source;
}

static void
set(enum record_field f, const char *text)
{
	record_set_text(&record, f, span_str(text));
}

static void
add_extra(const char *label, const char *value)
{
	record.extra[record.extras++] =
	    (struct record_extra){span_str(label), span_str(value)};
	record_mark(&record, RECORD_F_EXTRA);
}

/* The line as a string, once strict readers have taken it. */
static const char *
jsonl(const char *id)
{
	char *end = encode_jsonl(&record, &(struct timestamp_days){0}, line);

	end = encode_jsonl_end(span_str(id), end);
	ck_assert_msg(strict_json_line(span_between(line, end)), "%.*s",
	    (int)(end - line), line);
	*end = '\0';
	return line;
}

static const char *
csv(const struct message_source *source)
{
	*encode_csv(&record, source, line) = '\0';
	return line;
}

/* A record with the usual fields of traffic. */
static void
fill_traffic(void)
{
	record_reset(&record);
	record.type = RECORD_TRAFFIC;
	set(RECORD_F_TYPE, "traffic");
	record_set_time(&record, RECORD_F_TIME, 1468939613);
	set(RECORD_F_SEPM, "sepm-north");
	set(RECORD_F_FACILITY, "syslog");
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
	set(RECORD_F_DIRECTION, "outbound");
	record_set_time(&record, RECORD_F_BEGIN, 1468939397);
	record_set_time(&record, RECORD_F_END, 1468939397);
	record_set_number(&record, RECORD_F_OCCURRENCES, 1);
	set(RECORD_F_APPLICATION, "C:/Tools/sync/syncd.exe");
	set(RECORD_F_RULE, "Permit branch web");
	set(RECORD_F_LOCATION, "Default");
	set(RECORD_F_USER, "mwhite");
	set(RECORD_F_DOMAIN, "BIRCH");
	set(RECORD_F_ACTION, "allowed");
}

/* JSON */

START_TEST(a_record_is_its_keys_in_order)
{
	fill_traffic();
	ck_assert_str_eq(jsonl(""),
	    "{\"type\":\"traffic\",\"time\":\"2016-07-19T14:46:53Z\","
	    "\"sepm\":\"sepm-north\",\"facility\":\"syslog\","
	    "\"severity\":\"err\",\"host\":\"pc-0147\","
	    "\"local_ip\":\"192.0.2.47\",\"local_port\":51514,"
	    "\"local_mac\":\"00:00:5e:00:53:1f\","
	    "\"remote_ip\":\"198.51.100.30\",\"remote_name\":\"www.birch."
	    "example\","
	    "\"remote_port\":80,\"remote_mac\":\"00:00:5e:00:53:fe\","
	    "\"protocol\":\"tcp\",\"direction\":\"outbound\","
	    "\"begin\":\"2016-07-19T14:43:17Z\","
	    "\"end\":\"2016-07-19T14:43:17Z\",\"occurrences\":1,"
	    "\"application\":\"C:/Tools/sync/syncd.exe\",\"rule\":\"Permit "
	    "branch web\","
	    "\"location\":\"Default\",\"user\":\"mwhite\","
	    "\"domain\":\"BIRCH\",\"action\":\"allowed\"}\n");
}
END_TEST

START_TEST(what_is_absent_has_no_key)
{
	record_reset(&record);
	ck_assert_str_eq(jsonl(""), "{\"type\":\"unparsed\"}\n");
	/* Marked as present, but with nothing in it. */
	record_mark(&record, RECORD_F_EXTRA);
	record_mark(&record, RECORD_F_ADDRESSES);
	record_mark(&record, RECORD_F_FLAGS);
	record_mark(&record, RECORD_F_HOST);
	record.value[RECORD_F_HOST].text = SPAN("");
	record_mark(&record, RECORD_F_FACILITY);
	record.value[RECORD_F_FACILITY].text = SPAN("");
	record.addresses = 2;
	memset(record.address, 0, sizeof(record.address));
	add_extra("Label", "");
	ck_assert_str_eq(jsonl(""), "{\"type\":\"unparsed\"}\n");
}
END_TEST

START_TEST(an_id_comes_last)
{
	record_reset(&record);
	ck_assert_str_eq(
	    jsonl("a-b-1"), "{\"type\":\"unparsed\",\"id\":\"a-b-1\"}\n");
}
END_TEST

START_TEST(every_type_has_its_name)
{
	char want[64];

	record_reset(&record);
	record.type = (enum record_type)_i;
	snprintf(
	    want, sizeof(want), "{\"type\":\"%s\"}\n", record_type_name[_i].p);
	ck_assert_str_eq(jsonl(""), want);
}
END_TEST

START_TEST(arrays_and_objects_are_written)
{
	record_reset(&record);
	record.type = RECORD_TRAFFIC;
	record.value[RECORD_F_ICMP].pair[0] = 8;
	record.value[RECORD_F_ICMP].pair[1] = 0;
	record_mark(&record, RECORD_F_ICMP);
	record.flags = RECORD_TRUNCATED | RECORD_RECODED;
	record.addresses = 4;
	record.address[0] = (struct record_address){
	    SPAN("192.0.2.1"), SPAN("00:00:5e:00:53:01"), SPAN("192.0.2.254")};
	record.address[1] = (struct record_address){{"", 0}, {"", 0}, {"", 0}};
	record.address[2] =
	    (struct record_address){{"", 0}, {"", 0}, SPAN("::1")};
	record.address[3] = (struct record_address){
	    {"", 0}, SPAN("00:00:5e:00:53:02"), {"", 0}};
	add_extra("New label", "a \"value\"");
	add_extra("Empty", "");
	add_extra("Tab\there", "b");
	record_set_time(&record, RECORD_F_RECEIVED, 1715675411000042);
	ck_assert_str_eq(jsonl(""),
	    "{\"type\":\"traffic\",\"icmp\":[8,0],\"addresses\":["
	    "{\"ip\":\"192.0.2.1\",\"mac\":\"00:00:5e:00:53:01\","
	    "\"gateway\":\"192.0.2.254\"},{\"gateway\":\"::1\"},"
	    "{\"mac\":\"00:00:5e:00:53:02\"}],"
	    "\"extra\":{\"New label\":\"a \\\"value\\\"\","
	    "\"Tab\\there\":\"b\"},"
	    "\"flags\":[\"truncated\",\"recoded\"],"
	    "\"received\":\"2024-05-14T08:30:11.000042Z\"}\n");
}
END_TEST

static const struct {
	uint64_t number;
	const char *text;
} numbers[] = {
    {0, "0"},
    {9, "9"},
    {10, "10"},
    {99, "99"},
    {100, "100"},
    {65535, "65535"},
    {1000000, "1000000"},
    {UINT64_MAX, "18446744073709551615"},
};

START_TEST(numbers_are_whole)
{
	char want[80];

	record_reset(&record);
	record_set_number(&record, RECORD_F_OCCURRENCES, numbers[_i].number);
	snprintf(want, sizeof(want),
	    "{\"type\":\"unparsed\",\"occurrences\":%s}\n", numbers[_i].text);
	ck_assert_str_eq(jsonl(""), want);
}
END_TEST

/* clang-format off */
static const struct {
	const char *text;
	size_t n;
	const char *json;
} escapes[] = {
	{"plain", 5, "plain"},
	{"\"\\", 2, "\\\"\\\\"},
	{"\b\f\n\r\t", 5, "\\b\\f\\n\\r\\t"},
	{"\0\x01\x1f", 3, "\\u0000\\u0001\\u001f"},
	{"a\x7f", 2, "a\\u007f"},
	{"/<>&'", 5, "/<>&'"},
	{"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9,
	 "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
	{"\xc2\x80\xc2\x85\xc2\x9f\xc2\xa0", 8,
	 "\\u0080\\u0085\\u009f\xc2\xa0"},
	{"\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa", 12,
	 "\xe2\x80\xa7\\u2028\\u2029\xe2\x80\xaa"},
	{"C:\\Users\\a.larsen\\AppData\\x.exe", 31,
	 "C:\\\\Users\\\\a.larsen\\\\AppData\\\\x.exe"},
};
/* clang-format on */

/* At every place of a word of eight bytes. */
START_TEST(text_is_escaped)
{
	char text[128], want[512];

	for (size_t before = 0; before < 20; before++)
		for (size_t after = 0; after < 20; after++) {
			memset(text, '.', before);
			memcpy(text + before, escapes[_i].text, escapes[_i].n);
			memset(text + before + escapes[_i].n, '.', after);
			record_reset(&record);
			record_set_text(&record, RECORD_F_HOST,
			    span_of(text, before + escapes[_i].n + after));
			snprintf(want, sizeof(want),
			    "{\"type\":\"unparsed\",\"host\":\"%.*s%s%.*s\"}\n",
			    (int)before, "....................",
			    escapes[_i].json, (int)after,
			    "....................");
			ck_assert_str_eq(jsonl(""), want);
		}
}
END_TEST

START_TEST(every_byte_is_cared_for)
{
	char text[17], want[16];

	for (int c = 0; c < 0x80; c++)
		for (size_t at = 0; at < sizeof(text); at++) {
			const char *found;

			memset(text, 'a', sizeof(text));
			text[at] = (char)c;
			record_reset(&record);
			record_set_text(&record, RECORD_F_HOST,
			    span_of(text, sizeof(text)));
			/* jsonl() lets nothing through that has to be escaped;
			 * here that nothing is that need not be. */
			found = strchr(jsonl(""), '\\');
			snprintf(want, sizeof(want), "\\u%04x", (unsigned)c);
			if (c < 0x20 || c == 0x7f)
				ck_assert(found != NULL &&
					  (found[1] != 'u' ||
					      strncmp(found, want, 6) == 0));
			else
				ck_assert_int_eq(
				    found != NULL, c == '"' || c == '\\');
		}
}
END_TEST

START_TEST(equal_labels_get_numbers)
{
	record_reset(&record);
	add_extra("X (2)", "a");
	add_extra("X", "b");
	add_extra("X", "c");
	add_extra("X", "d");
	add_extra("X (3)", "e");
	add_extra("", "f");
	add_extra("", "g");
	add_extra("X (2)", "h");
	ck_assert_str_eq(jsonl(""),
	    "{\"type\":\"unparsed\",\"extra\":{\"X (2)\":\"a\",\"X\":\"b\","
	    "\"X (3)\":\"c\",\"X (4)\":\"d\",\"X (3) (2)\":\"e\","
	    "\"\":\"f\",\" (2)\":\"g\",\"X (2) (2)\":\"h\"}}\n");
}
END_TEST

/* All the labels that a record holds, and the worst order of them. */
START_TEST(many_equal_labels_stay_apart)
{
	static char label[RECORD_MAX_EXTRA][16];

	record_reset(&record);
	for (int i = 0; i < RECORD_MAX_EXTRA; i++) {
		if (i < RECORD_MAX_EXTRA / 2)
			snprintf(label[i], sizeof(label[i]), "X (%d)", i + 2);
		else
			snprintf(label[i], sizeof(label[i]), "X");
		add_extra(label[i], "v");
	}
	ck_assert_ptr_nonnull(strstr(jsonl(""), "\"X (264)\":\"v\"}}\n"));
}
END_TEST

/* CSV */

static const char names[] =
    "Time Stamp,Event Type,Event Time,Severity,Host Name,Current IP Address,"
    "Historical IP Address,Remote Host IP,Remote Host Name,Network Protocol,"
    "Local Port,Remote Port,Traffic Direction,Application Name,Begin Time,"
    "End Time,Repetition,ACTION,Rule Name,Alert,Send Snmp Trap,Local Host Mac,"
    "Remote Host Mac,Hardware Key,Location Name,User Name,Domain Name,"
    "Site Name,Server Name,Group Name,Computer Name\r\n";

START_TEST(the_header_is_sepms)
{
	ck_assert_uint_eq(encode_csv_header.n, strlen(names));
	ck_assert_mem_eq(encode_csv_header.p, names, strlen(names));
}
END_TEST

START_TEST(a_row_is_filled_from_syslog)
{
	struct message_source source = *plain_source();

	source.site = SPAN("Oak Site");
	source.group = SPAN("Our Company\\Branch");
	source.domain = SPAN("Default");
	fill_traffic();
	ck_assert_str_eq(csv(&source),
	    "07/19/2016 14:46:53,TCP initiated,07/19/2016 14:43:17,Major,"
	    "pc-0147,192.0.2.47,192.0.2.47,198.51.100.30,www.birch.example,TCP,"
	    "51514,"
	    "80,Outbound,C:/Tools/sync/syncd.exe,"
	    "07/19/2016 14:43:17,07/19/2016 14:43:17,1,Not blocked,"
	    "Permit branch web,0,0,00005E00531F,00005E0053FE,,Default,mwhite,"
	    "Default,Oak Site,sepm-north,Our Company\\Branch,pc-0147\r\n");
}
END_TEST

START_TEST(a_row_keeps_what_the_record_has)
{
	struct message_source source = *plain_source();

	source.site = source.group = source.domain = SPAN("of the source");
	fill_traffic();
	set(RECORD_F_EVENT_TYPE, "TCP completed");
	record_set_time(&record, RECORD_F_EVENT_TIME, 1468939347);
	record_set_time(&record, RECORD_F_END, 1468939403);
	set(RECORD_F_CURRENT_IP_ADDRESS, "192.0.2.48");
	set(RECORD_F_ALERT, "1");
	set(RECORD_F_SEND_SNMP_TRAP, "1");
	set(RECORD_F_HARDWARE_KEY, "4F0C9A77");
	set(RECORD_F_DOMAIN_NAME, "D");
	set(RECORD_F_SITE_NAME, "S");
	set(RECORD_F_SERVER_NAME, "Srv");
	set(RECORD_F_GROUP_NAME, "G");
	set(RECORD_F_COMPUTER_NAME, "C");
	ck_assert_str_eq(csv(&source),
	    "07/19/2016 14:46:53,TCP completed,07/19/2016 14:42:27,Major,"
	    "pc-0147,192.0.2.48,192.0.2.47,198.51.100.30,www.birch.example,TCP,"
	    "51514,"
	    "80,Outbound,C:/Tools/sync/syncd.exe,"
	    "07/19/2016 14:43:17,07/19/2016 14:43:23,1,Not blocked,"
	    "Permit branch web,1,1,00005E00531F,00005E0053FE,4F0C9A77,Default,"
	    "mwhite,D,S,Srv,G,C\r\n");
}
END_TEST

START_TEST(an_empty_record_is_a_row)
{
	record_reset(&record);
	ck_assert_str_eq(csv(plain_source()),
	    ",Traffic (other),,Info,,0.0.0.0,0.0.0.0,0.0.0.0,,,0,0,Unknown,,,,"
	    "1,,,0,0,000000000000,000000000000,,,,,,,,\r\n");
}
END_TEST

/* The cell of a column, which holds no comma. */
static const char *
cell(int column)
{
	static char text[256];
	const char *p = csv(plain_source());

	while (column-- > 0)
		p = strchr(p, ',') + 1;
	snprintf(text, sizeof(text), "%.*s", (int)strcspn(p, ",\r"), p);
	return text;
}

enum {
	TIME_STAMP,
	EVENT_TYPE,
	EVENT_TIME,
	SEVERITY,
	PROTOCOL = 9,
	LOCAL_PORT,
	REMOTE_PORT,
	DIRECTION,
	BEGIN = 14,
	END,
	ACTION = 17
};

static const struct {
	enum record_field field;
	const char *word;
	int column;
	const char *cell;
} words[] = {
    {RECORD_F_PROTOCOL, "udp", PROTOCOL, "UDP"},
    {RECORD_F_PROTOCOL, "icmp", PROTOCOL, "ICMP"},
    {RECORD_F_PROTOCOL, "ethernet", PROTOCOL, "ETHERNET"},
    {RECORD_F_PROTOCOL, "others", PROTOCOL, "OTHERS"},
    {RECORD_F_PROTOCOL, "unknown", PROTOCOL, "UNKNOWN"},
    {RECORD_F_PROTOCOL, "7", PROTOCOL, "7"},
    {RECORD_F_PROTOCOL, "autre", PROTOCOL, "autre"},
    {RECORD_F_PROTOCOL, "udp", EVENT_TYPE, "UDP datagram"},
    {RECORD_F_PROTOCOL, "icmp", EVENT_TYPE, "ICMP packet"},
    {RECORD_F_PROTOCOL, "ethernet", EVENT_TYPE, "Ethernet packet"},
    {RECORD_F_PROTOCOL, "7", EVENT_TYPE, "Traffic (other)"},
    {RECORD_F_SEVERITY, "emerg", SEVERITY, "Critical"},
    {RECORD_F_SEVERITY, "alert", SEVERITY, "Critical"},
    {RECORD_F_SEVERITY, "crit", SEVERITY, "Critical"},
    {RECORD_F_SEVERITY, "err", SEVERITY, "Major"},
    {RECORD_F_SEVERITY, "warning", SEVERITY, "Minor"},
    {RECORD_F_SEVERITY, "notice", SEVERITY, "Info"},
    {RECORD_F_SEVERITY, "debug", SEVERITY, "Info"},
    {RECORD_F_DIRECTION, "inbound", DIRECTION, "Inbound"},
    {RECORD_F_DIRECTION, "unknown", DIRECTION, "Unknown"},
    {RECORD_F_ACTION, "allowed", ACTION, "Not blocked"},
    {RECORD_F_ACTION, "blocked", ACTION, "Blocked"},
    {RECORD_F_ACTION, "ask", ACTION, "Ask"},
    {RECORD_F_ACTION, "\xc3\xa9t\xc3\xa9", ACTION, "\xc3\xa9t\xc3\xa9"},
};

START_TEST(words_become_sepms)
{
	record_reset(&record);
	set(words[_i].field, words[_i].word);
	ck_assert_str_eq(cell(words[_i].column), words[_i].cell);
}
END_TEST

/* Their first letter is a capital, within quotes as well. */
START_TEST(other_words_begin_with_a_capital)
{
	fill_traffic();
	set(RECORD_F_ACTION, "ask, then block");
	ck_assert_ptr_nonnull(
	    strstr(csv(plain_source()), ",\"Ask, then block\""));
	set(RECORD_F_ACTION, "\xc3\xa9t\xc3\xa9");
	ck_assert_ptr_nonnull(
	    strstr(csv(plain_source()), ",\xc3\xa9t\xc3\xa9"));
}
END_TEST

START_TEST(icmp_is_in_the_port_columns)
{
	record_reset(&record);
	record.value[RECORD_F_ICMP].pair[0] = 8;
	record.value[RECORD_F_ICMP].pair[1] = 3;
	record_mark(&record, RECORD_F_ICMP);
	ck_assert_str_eq(cell(LOCAL_PORT), "8");
	ck_assert_str_eq(cell(REMOTE_PORT), "3");
}
END_TEST

START_TEST(times_stand_in_for_each_other)
{
	record_reset(&record);
	record_set_time(&record, RECORD_F_BEGIN, 60);
	ck_assert_str_eq(cell(TIME_STAMP), "01/01/1970 00:01:00");
	ck_assert_str_eq(cell(EVENT_TIME), "01/01/1970 00:01:00");
	ck_assert_str_eq(cell(END), "01/01/1970 00:01:00");
	record_set_time(&record, RECORD_F_RECEIVED, -1);
	ck_assert_str_eq(cell(TIME_STAMP), "12/31/1969 23:59:59");
	record_set_time(&record, RECORD_F_TIME, 180);
	ck_assert_str_eq(cell(TIME_STAMP), "01/01/1970 00:03:00");
	record_unset(&record, RECORD_F_BEGIN);
	ck_assert_str_eq(cell(EVENT_TIME), "01/01/1970 00:03:00");
	ck_assert_str_eq(cell(BEGIN), "");
}
END_TEST

/* A version 1 zone of one type, two hours east. */
START_TEST(times_are_the_sources_wall_clock)
{
	static const char tzif[] =
	    "TZif\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
	    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\4"
	    "\0\0\x1c\x20\0\0ABC";
	struct message_source source = *plain_source();
	struct zone *zone = zone_new(span_of(tzif, sizeof(tzif)));

	ck_assert_ptr_nonnull(zone);
	source.zone = zone;
	record_reset(&record);
	record_set_time(&record, RECORD_F_TIME, 0);
	ck_assert_int_eq(strncmp(csv(&source), "01/01/1970 02:00:00,", 20), 0);
	zone_free(zone);
}
END_TEST

static const struct {
	const char *text, *cell;
} cells[] = {
    {"plain text", "plain text"},
    {"a,b", "\"a,b\""},
    {"Rule \"names\", all", "\"Rule \"\"names\"\", all\""},
    {"\"", "\"\"\"\""},
    {"two\r\nlines", "two  lines"},
    {"tab\tand\x01\x7f", "tab and  "},
    {"a,\n\"", "\"a, \"\"\""},
    {"=1+1", "=1+1"},
    {"Our Company\\Branch", "Our Company\\Branch"},
    {" blanks ", " blanks "},
};

START_TEST(cells_are_quoted_where_they_must)
{
	char want[64];

	record_reset(&record);
	set(RECORD_F_COMPUTER_NAME, cells[_i].text);
	snprintf(want, sizeof(want), ",%s\r\n", cells[_i].cell);
	ck_assert_ptr_nonnull(strstr(csv(plain_source()), want));
}
END_TEST

/* Raw, names, bounds */

static const struct {
	const char *message;
	size_t n;
	const char *line;
	size_t line_n;
} raws[] = {
    {"<54>May 14 body", 15, "<54>May 14 body\n", 16},
    {"body \t\r\n", 8, "body \t\n", 7},
    {"body\n\0\r\n\n", 9, "body\n", 5},
    {"two\nlines\n", 10, "two#012lines\n", 13},
    {"\n\na\n\nb", 6, "#012#012a#012#012b\n", 19},
    {"a\0\r\xff\x01", 5, "a\0\r\xff\x01\n", 6},
    {"\r\n", 2, "\n", 1},
    {"", 0, "\n", 1},
};

START_TEST(raw_is_the_message)
{
	char *end;

	record_reset(&record);
	record.original = span_of(raws[_i].message, raws[_i].n);
	end = encode_raw(&record, line);
	ck_assert_uint_eq((size_t)(end - line), raws[_i].line_n);
	ck_assert_mem_eq(line, raws[_i].line, raws[_i].line_n);
}
END_TEST

START_TEST(formats_are_found_by_name)
{
	for (int f = 0; f < ENCODE_FORMAT_COUNT; f++)
		ck_assert_int_eq(encode_format_find(encode_format_name[f]), f);
	ck_assert_int_eq(encode_format_find(SPAN("json")), ENCODE_FORMAT_COUNT);
	ck_assert_int_eq(encode_format_find(SPAN("")), ENCODE_FORMAT_COUNT);
}
END_TEST

/* Messages of nothing but what grows most, in the fields that are written
 * twice. What is written has to fit before an unreadable page. */
static const struct {
	const char *unit;
	bool unparsed;
} growing[] = {{"\x01", true}, {"\xc2\x80", true}, {"\xe2\x80\xa8", true},
    {"\"", false}, {"\\", true}, {"\n", true}, {",\"", false}};

START_TEST(the_bound_is_kept)
{
	struct message_source source = *plain_source();
	size_t unit = strlen(growing[_i].unit), n = 3000 / unit * unit, bound;
	struct guard guard;
	char text[3000], *out, *end;

	for (size_t i = 0; i < n; i += unit)
		memcpy(text + i, growing[_i].unit, unit);
	source.site = source.group = source.domain = span_of(text, n);
	record_reset(&record);
	record.type = RECORD_TRAFFIC;
	record.original = span_of(text, n);
	record_set_text(&record, RECORD_F_HOST, span_of(text, n));
	if (growing[_i].unparsed)
		record_set_text(&record, RECORD_F_RAW, span_of(text, n));
	bound = encode_bound(n, &source);
	guard_open(&guard, bound);
	out = guard.base + guard.room - bound;
	for (int f = 0; f < ENCODE_FORMAT_COUNT; f++) {
		enum encode_format format = (enum encode_format)f;

		end = encode_body(
		    format, &record, &source, &(struct timestamp_days){0}, out);
		end = encode_end(format, SPAN("id"), end);
		ck_assert(end <= out + bound);
		ck_assert(!encode_is_json(format) ||
			  strict_json_line(span_between(out, end)));
	}
	guard_close(&guard);
}
END_TEST

/* A record with all it can hold, and a message of no length. */
START_TEST(the_bound_covers_every_field)
{
	static const char word[] = "0123456789012345678901234567890123456789"
				   "01234567890123456789";
	size_t bound = encode_bound(0, plain_source());
	char *end;

	record_reset(&record);
	for (int f = 0; f < RECORD_FIELD_COUNT; f++) {
		enum record_kind kind = record_field_info[f].kind;

		record_mark(&record, (enum record_field)f);
		if (kind == RECORD_TEXT || kind == RECORD_WORD)
			record.value[f].text = SPAN(word);
		else if (kind == RECORD_PAIR)
			memset(record.value[f].pair, 0xff,
			    sizeof(record.value[f].pair));
		else
			record.value[f].number = UINT64_MAX;
	}
	record.flags = (1U << RECORD_FLAG_COUNT) - 1;
	record.addresses = RECORD_MAX_ADDRESSES;
	for (size_t i = 0; i < RECORD_MAX_ADDRESSES; i++)
		record.address[i] =
		    (struct record_address){SPAN(word), SPAN(word), SPAN(word)};
	for (int i = 0; i < RECORD_MAX_EXTRA; i++)
		add_extra("Local Host MAC", word);
	ck_assert_uint_lt(bound, sizeof(line));
	for (int f = 0; f < ENCODE_FORMAT_COUNT; f++) {
		enum encode_format format = (enum encode_format)f;

		end = encode_body(format, &record, plain_source(),
		    &(struct timestamp_days){0}, line);
		end = encode_end(format, SPAN(word), end);
		ck_assert(end <= line + bound);
		ck_assert(!encode_is_json(format) ||
			  strict_json_line(span_between(line, end)));
	}
}
END_TEST

static void
add_tests(Suite *s)
{
	TCase *json = tcase_create("jsonl"), *table = tcase_create("csv"),
	      *rest = tcase_create("others");

	tcase_add_test(json, a_record_is_its_keys_in_order);
	tcase_add_test(json, what_is_absent_has_no_key);
	tcase_add_test(json, an_id_comes_last);
	tcase_add_loop_test(
	    json, every_type_has_its_name, 0, RECORD_TYPE_COUNT);
	tcase_add_test(json, arrays_and_objects_are_written);
	tcase_add_loop_test(json, numbers_are_whole, 0, COUNT(numbers));
	tcase_add_loop_test(json, text_is_escaped, 0, COUNT(escapes));
	tcase_add_test(json, every_byte_is_cared_for);
	tcase_add_test(json, equal_labels_get_numbers);
	tcase_add_test(json, many_equal_labels_stay_apart);
	tcase_add_test(table, the_header_is_sepms);
	tcase_add_test(table, a_row_is_filled_from_syslog);
	tcase_add_test(table, a_row_keeps_what_the_record_has);
	tcase_add_test(table, an_empty_record_is_a_row);
	tcase_add_loop_test(table, words_become_sepms, 0, COUNT(words));
	tcase_add_test(table, other_words_begin_with_a_capital);
	tcase_add_test(table, icmp_is_in_the_port_columns);
	tcase_add_test(table, times_stand_in_for_each_other);
	tcase_add_test(table, times_are_the_sources_wall_clock);
	tcase_add_loop_test(
	    table, cells_are_quoted_where_they_must, 0, COUNT(cells));
	tcase_add_loop_test(rest, raw_is_the_message, 0, COUNT(raws));
	tcase_add_test(rest, formats_are_found_by_name);
	tcase_add_loop_test(rest, the_bound_is_kept, 0, COUNT(growing));
	tcase_add_test(rest, the_bound_covers_every_field);
	suite_add_tcase(s, json);
	suite_add_tcase(s, table);
	suite_add_tcase(s, rest);
}

int
main(void)
{
	Suite *s = suite_create("encode");

	add_tests(s);
	return run_suite(s);
}
