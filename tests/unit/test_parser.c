#include <check.h>
#include <stdlib.h>

#include "encode.h"
#include "guard.h"
#include "input.h"
#include "memory.h"
#include "parser.h"
#include "run.h"
#include "testing.h"

/* --- a parser and what goes in --- */

enum { LIMIT = 2048 };

static struct parser *parser;
static struct message_source source;
static struct message message;
static struct record record;

static void
setup(void)
{
	parser = parser_new(LIMIT);
	ck_assert_ptr_nonnull(parser);
	source = (struct message_source){
	    .zone = zone_utc(), .codepage = &text_windows_1252};
	message = (struct message){.reference = 1719705600}; /* 2024-06-30 */
}

static void
teardown(void)
{
	parser_free(parser);
}

static void
parse(struct span text)
{
	message.bytes = text;
	message.length = text.n;
	parser_parse(parser, &message, &source, &record);
}

static int64_t
seconds(const char *rfc3339)
{
	struct timestamp stamp;
	int64_t utc;
	bool twice;

	ck_assert_uint_gt(
	    timestamp_scan(span_str(rfc3339), TIMESTAMP_ISO, &stamp), 0);
	ck_assert(timestamp_resolve(&stamp, zone_utc(), NULL, 0, &utc, &twice));
	return utc;
}

static struct zone *
zone_read(const char *name)
{
	static char bytes[65536];
	char path[128];
	struct zone *zone;
	FILE *file;
	size_t n;

	snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", name);
	file = fopen(path, "rb");
	ck_assert_msg(file != NULL, "%s", path);
	n = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	zone = zone_new(span_of(bytes, n));
	ck_assert_ptr_nonnull(zone);
	return zone;
}

/* The record as a line of JSON; good until the next call. */
static struct span
json(void)
{
	static char *out;
	char *end;

	free(out);
	out = malloc(encode_bound(message.bytes.n + INPUT_MAX_HEADER, &source));
	if (!out)
		ck_abort_msg("no memory");
	end = encode_jsonl_end(
	    SPAN(""), encode_jsonl(&record, &(struct timestamp_days){0}, out));
	return span_between(out, end);
}

/* --- the time of the header --- */

#define VIEWER(stamp) stamp " [7] From:oak (192.0.2.5) Fac:6 Sev:6 Msg >>> "

static const struct {
	const char *header, *reference, *expected;
} times[] = {
    /* the year that puts it nearest */
    {"May 14 08:30:11", "2024-06-30T00:00:00Z", "2024-05-14T08:30:11Z"},
    {"Dec 30 12:00:00", "2024-01-02T00:00:00Z", "2023-12-30T12:00:00Z"},
    {"Jan 1 00:00:05", "2023-12-31T23:59:00Z", "2024-01-01T00:00:05Z"},
    {"Dec 31 23:59:59", "2024-01-01T00:00:01Z", "2023-12-31T23:59:59Z"},
    {"Jan  1 00:00:00", "2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z"},
    {"Jun 30 00:00:00", "2024-01-01T00:00:00Z", "2024-06-30T00:00:00Z"},
    {"Jul 1 00:00:00", "2024-01-01T00:00:00Z", "2024-07-01T00:00:00Z"},
    {"Jul 3 00:00:00", "2024-01-01T00:00:00Z", "2023-07-03T00:00:00Z"},
    {"Jul 2 00:00:01", "2023-12-31T23:59:59Z", "2023-07-02T00:00:01Z"},
    /* Feb 29 is in leap years only */
    {"Feb 29 12:00:00", "2024-06-30T00:00:00Z", "2024-02-29T12:00:00Z"},
    {"Feb 29 12:00:00", "2025-03-01T00:00:00Z", "2024-02-29T12:00:00Z"},
    {"Feb 29 12:00:00", "2026-12-01T00:00:00Z", "2028-02-29T12:00:00Z"},
    {"Feb 29 12:00:00", "2098-01-01T00:00:00Z", "2096-02-29T12:00:00Z"},
    {"Feb 29 12:00:00", "2100-06-01T00:00:00Z", "2104-02-29T12:00:00Z"},
    {"Feb 28 12:00:00", "2100-03-01T00:00:00Z", "2100-02-28T12:00:00Z"},
    /* a time alone: the day that puts it nearest */
    {"08:36:00", "2024-06-30T00:00:00Z", "2024-06-30T08:36:00Z"},
    {"23:59:00", "2024-06-30T00:01:00Z", "2024-06-29T23:59:00Z"},
    {"00:01:00", "2024-12-31T23:59:00Z", "2025-01-01T00:01:00Z"},
    /* a full date needs no reference */
    {"2024-05-14T10:30:11+02:00", "1999-01-01T00:00:00Z",
	"2024-05-14T08:30:11Z"},
    {"2024-05-14 10:30:11", "1999-01-01T00:00:00Z", "2024-05-14T10:30:11Z"},
    /* and is one itself for what is inside */
    {VIEWER("12/1/2023 12:00:01 AM") "Nov 30 23:59:58", "2026-06-30T00:00:00Z",
	"2023-11-30T23:59:58Z"},
    {VIEWER("1/1/2024 12:00:01 AM") "Dec 31 23:59:58", "2026-06-30T00:00:00Z",
	"2023-12-31T23:59:58Z"},
    {"2020-03-01T00:00:05Z relay1 Feb 29 23:59:58", "2026-06-30T00:00:00Z",
	"2020-02-29T23:59:58Z"},
    {"<13>1 2020-12-31T23:59:59Z relay1 - - - - Jan 1 00:00:01",
	"2026-06-30T00:00:00Z", "2021-01-01T00:00:01Z"},
    {VIEWER("5/14/2024 1:10:09 PM") "2020-01-01T00:00:00Z",
	"2026-06-30T00:00:00Z", "2020-01-01T00:00:00Z"},
};

#define BODY " oak SymantecServer: Site: Oak,Server: s,Backup done."

START_TEST(what_a_stamp_leaves_out_is_the_nearest)
{
	char text[512];

	message.reference = seconds(times[_i].reference);
	snprintf(text, sizeof(text), "%s" BODY, times[_i].header);
	parse(span_str(text));
	testing_expect(&record, "type=server_system\nsepm=oak\n!flags");
	ck_assert(record_has(&record, RECORD_F_TIME));
	ck_assert_int_eq(
	    record.value[RECORD_F_TIME].time, seconds(times[_i].expected));
}
END_TEST

START_TEST(an_impossible_stamp_gives_no_time)
{
	static const char *const stamps[] = {"Feb 30 08:00:00",
	    "May 14 24:00:00", "May 32 08:00:00", "14 May 08:00:00", "08:61:00",
	    "2023-02-29T08:00:00Z"};
	char text[512];

	snprintf(text, sizeof(text), "%s" BODY, stamps[_i]);
	parse(span_str(text));
	testing_expect(&record, "type=server_system\nsepm=oak\n!time\n!flags");
}
END_TEST

/* --- zones: the clock repeats an hour in autumn, and skips one in spring ---
 */

static const struct {
	const char *zone, *wall, *reference, *expected;
	bool twice;
} clocks[] = {
    {"Europe/Paris", "2024-05-14 08:30:11", "2024-05-14T06:31:00Z",
	"2024-05-14T06:30:11Z", false},
    {"Europe/Paris", "2024-01-14 08:30:11", "2024-05-14T06:31:00Z",
	"2024-01-14T07:30:11Z", false},
    {"Europe/Paris", "2024-10-27 01:59:59", "2024-10-27T01:00:00Z",
	"2024-10-26T23:59:59Z", false},
    {"Europe/Paris", "2024-10-27 02:00:00", "2024-10-27T00:00:30Z",
	"2024-10-27T00:00:00Z", true},
    {"Europe/Paris", "2024-10-27 02:30:00", "2024-10-27T00:31:00Z",
	"2024-10-27T00:30:00Z", true},
    {"Europe/Paris", "2024-10-27 02:30:00", "2024-10-27T01:31:00Z",
	"2024-10-27T01:30:00Z", true},
    {"Europe/Paris", "2024-10-27 02:59:59", "2024-10-27T05:00:00Z",
	"2024-10-27T01:59:59Z", true},
    {"Europe/Paris", "2024-10-27 03:00:00", "2024-10-27T02:00:30Z",
	"2024-10-27T02:00:00Z", false},
    {"Europe/Paris", "2024-03-31 01:59:59", "2024-03-31T01:00:00Z",
	"2024-03-31T00:59:59Z", false},
    {"Europe/Paris", "2024-03-31 02:30:00", "2024-03-31T01:30:00Z",
	"2024-03-31T01:30:00Z", false},
    {"Europe/Paris", "2024-03-31 03:00:00", "2024-03-31T01:00:00Z",
	"2024-03-31T01:00:00Z", false},
    {"America/New_York", "2024-05-14 08:30:11", "2024-05-14T12:31:00Z",
	"2024-05-14T12:30:11Z", false},
    {"America/New_York", "2024-11-03 01:30:00", "2024-11-03T05:31:00Z",
	"2024-11-03T05:30:00Z", true},
    {"America/New_York", "2024-11-03 01:30:00", "2024-11-03T06:31:00Z",
	"2024-11-03T06:30:00Z", true},
    {"America/New_York", "2024-11-03 02:00:00", "2024-11-03T05:31:00Z",
	"2024-11-03T07:00:00Z", false},
    {"America/New_York", "2024-03-10 02:30:00", "2024-03-10T07:00:00Z",
	"2024-03-10T07:30:00Z", false},
    {"America/New_York", "2040-07-01 00:00:00", "2040-07-01T00:00:00Z",
	"2040-07-01T04:00:00Z", false},
    {"UTC", "2024-10-27 02:30:00", "2024-10-27T00:31:00Z",
	"2024-10-27T02:30:00Z", false},
    /* an offset of its own needs no zone */
    {"Europe/Paris", "2024-10-27 02:30:00 +02:00", "2024-10-27T05:00:00Z",
	"2024-10-27T00:30:00Z", false},
};

#define ENDS                                                                   \
	"Local: 192.0.2.31,Local: 50120,Local: 00005E00531F,"                  \
	"Remote: 198.51.100.30,Remote: www.example,Remote: 80,"                \
	"Remote: 00005E0053FE,TCP,Outbound,"
#define REST                                                                   \
	"Occurrences: 1,Application: a,Rule: b,Location: c,User: d,"           \
	"Domain: e,Action: Allowed"

START_TEST(wall_clocks_are_read_in_the_zone_of_the_source)
{
	struct zone *zone = zone_read(clocks[_i].zone);
	char text[512];

	source.zone = zone;
	message.reference = seconds(clocks[_i].reference);
	/* in a field of the body, twice so that the cache is used, too */
	for (int round = 0; round < 2; round++) {
		snprintf(text, sizeof(text),
		    "SymantecServer: pc," ENDS "Begin: %s,End: ," REST,
		    clocks[_i].wall);
		parse(span_str(text));
		ck_assert_int_eq(record.value[RECORD_F_BEGIN].time,
		    seconds(clocks[_i].expected));
		testing_expect(&record, clocks[_i].twice
					    ? "flags=time_ambiguous\n!time"
					    : "!flags\n!time");
	}
	/* and in the header */
	snprintf(text, sizeof(text), "%s,pc," ENDS "Begin: ,End: ," REST,
	    clocks[_i].wall);
	parse(span_str(text));
	ck_assert_int_eq(
	    record.value[RECORD_F_TIME].time, seconds(clocks[_i].expected));
	testing_expect(&record, clocks[_i].twice
				    ? "flags=time_ambiguous\n!begin"
				    : "!flags\n!begin");
	parser_free(parser);
	zone_free(zone);
	parser = parser_new(LIMIT);
}
END_TEST

START_TEST(the_year_is_that_of_the_zone)
{
	struct zone *paris = zone_read("Europe/Paris");

	source.zone = paris;
	message.reference = seconds("2023-12-31T23:00:00Z");
	parse(SPAN("Jan 1 00:30:00" BODY));
	testing_expect(&record, "time=2023-12-31T23:30:00Z");
	message.reference = seconds("2024-10-27T00:31:00Z");
	parse(SPAN("Oct 27 02:30:00" BODY));
	testing_expect(
	    &record, "time=2024-10-27T00:30:00Z\nflags=time_ambiguous");
	parser_free(parser);
	zone_free(paris);
	parser = parser_new(LIMIT);
}
END_TEST

/* Two senders with one parser: neither sees the other's zone. */
START_TEST(zones_do_not_mix)
{
	struct zone *zones[] = {
	    zone_read("Europe/Paris"), zone_read("America/New_York")};
	static const char *const expected[] = {
	    "time=2024-05-14T06:30:11Z", "time=2024-05-14T12:30:11Z"};

	for (size_t i = 0; i < 8; i++) {
		source.zone = zones[i % 2];
		parse(SPAN("May 14 08:30:11" BODY));
		testing_expect(&record, expected[i % 2]);
	}
	parser_free(parser);
	zone_free(zones[0]);
	zone_free(zones[1]);
	parser = parser_new(LIMIT);
}
END_TEST

/* --- envelope and flags --- */

START_TEST(what_the_daemon_knows_is_in_the_record)
{
	message.peer = SPAN("192.0.2.5");
	message.transport = SPAN("udp");
	message.received_us = INT64_C(1719705600000001);
	parse(SPAN("<54>May 14 08:30:11" BODY));
	testing_expect(&record,
	    "peer=192.0.2.5\ntransport=udp\n"
	    "received=2024-06-30T00:00:00.000001Z\nfacility=lpr\n"
	    "severity=info\n!flags\n!original_length");
	parser_reject(parser, &message, "it is no good", &record);
	testing_expect(&record,
	    "type=unparsed\nreason=it is no good\npeer=192.0.2.5\n"
	    "transport=udp\n!facility");
	message = (struct message){.reference = 0};
	parse(SPAN("x"));
	testing_expect(&record, "!peer\n!transport\n!received");
}
END_TEST

static const struct {
	const char *pri, *expected;
} pris[] = {
    {"<50>", "facility=lpr\nseverity=crit"},
    {"<51>", "facility=lpr\nseverity=err"},
    {"<52>", "facility=lpr\nseverity=warning"},
    {"<54>", "facility=lpr\nseverity=info"},
    {"<0>", "facility=kern\nseverity=emerg"},
    {"<142> ", "facility=local1\nseverity=info"},
    {"<191>", "facility=local7\nseverity=debug"},
    {"<97>", "facility=ntp\nseverity=alert"},
    {"<192>", "!facility\n!severity"},
    {"", "!facility\n!severity"},
};

START_TEST(the_pri_gives_two_words)
{
	char text[512];

	snprintf(text, sizeof(text), "%sMay 14 08:30:11" BODY, pris[_i].pri);
	parse(span_str(text));
	testing_expect(&record, pris[_i].expected);
	testing_expect(&record, "type=server_system");
}
END_TEST

#define LINE                                                                   \
	"SymantecServer: pc," ENDS                                             \
	"Begin: 2024-05-14 08:00:00,End: 2024-05-14 08:00:00,"
#define OLD_TAIL ",Location: c,User: d,Domain: e,Action: Allowed"
#define RULE_LINE LINE "Occurrences: 1,Application: a,Rule: "

static const struct {
	const char *text;
	uint64_t more; /* bytes that were not kept */
	bool unterminated;
	const char *expected;
} flags[] = {
    {RULE_LINE "b" OLD_TAIL, 0, false, "rule=b\naction=allowed\n!flags"},
    /* UTF-8 stays; else each byte of the code page is a character */
    {RULE_LINE "caf\u00e9 \u20ac" OLD_TAIL, 0, false,
	"rule=caf\u00e9 \u20ac\n!flags"},
    {RULE_LINE "caf\xe9 \x80\xae" OLD_TAIL, 0, false,
	"rule=caf\u00e9 \u20ac\u00ae\nflags=recoded"},
    {RULE_LINE "\u00e9 \xe9" OLD_TAIL, 0, false,
	"rule=\u00e9 \u00e9\nflags=recoded"},
    {RULE_LINE "\x81\xff\xc3" OLD_TAIL, 0, false,
	"rule=\xc2\x81\u00ff\u00c3\nflags=recoded"},
    {RULE_LINE "\\xAE ???" OLD_TAIL, 0, false, "rule=\\xAE ???\n!flags"},
    /* longer than is kept: the last field is incomplete */
    {RULE_LINE "b" OLD_TAIL, 7, false,
	"rule=b\ncut=Action: Allowed\n!action\nflags=truncated"},
    {RULE_LINE "b" OLD_TAIL, 0, true,
	"rule=b\naction=allowed\n!cut\nflags=unterminated"},
    {RULE_LINE "b,Loc", 0, true,
	"rule=b\ncut=Loc\nflags=truncated unterminated"},
    /* cut inside a character, which makes it no other encoding */
    {RULE_LINE "caf\u00e9,Location: \u00e9\xc3", 9, false,
	"rule=caf\u00e9\ncut=Location: \u00e9\nflags=truncated"},
    {RULE_LINE "caf\u00e9,Location: \xe2\x82", 9, false,
	"rule=caf\u00e9\ncut=Location:\nflags=truncated"},
    {RULE_LINE "caf\u00e9,Location: \xf0\x9f\x98", 0, true,
	"rule=caf\u00e9\nflags=truncated unterminated"},
    {RULE_LINE "caf\xe9,Location: \xc3", 9, false,
	"rule=caf\u00e9\nflags=truncated recoded"},
    {RULE_LINE "caf\u00e9,Location: \xc3", 0, false,
	"rule=caf\u00e9\nflags=truncated recoded"},
};

START_TEST(what_happened_on_the_way_is_flagged)
{
	message.bytes = span_str(flags[_i].text);
	message.length = message.bytes.n + flags[_i].more;
	message.unterminated = flags[_i].unterminated;
	parser_parse(parser, &message, &source, &record);
	testing_expect(&record, flags[_i].expected);
	testing_expect(&record, "type=traffic\nhost=pc");
	ck_assert(span_eq(record.original, message.bytes));
	ck_assert_int_eq(
	    record_has(&record, RECORD_F_ORIGINAL_LENGTH), flags[_i].more > 0);
	if (flags[_i].more > 0)
		ck_assert_uint_eq(record.value[RECORD_F_ORIGINAL_LENGTH].number,
		    message.length);
}
END_TEST

START_TEST(only_so_much_of_a_message_is_read)
{
	static char text[LIMIT + 100];
	struct guard guard;

	memset(text, 'x', sizeof(text));
	memcpy(text, RULE_LINE, sizeof(RULE_LINE) - 1);
	guard_open(&guard, LIMIT);
	/* what is behind the limit cannot even be read */
	message.bytes = guard_place(&guard, span_of(text, LIMIT));
	message.bytes.n = sizeof(text);
	message.length = sizeof(text);
	parser_parse(parser, &message, &source, &record);
	testing_expect(&record,
	    "type=traffic\napplication=a\n!rule\nflags=truncated\n"
	    "original_length=2148");
	ck_assert_uint_eq(record.original.n, LIMIT);
	guard_close(&guard);
}
END_TEST

static const struct {
	struct span text;
	const char *expected;
} strangers[] = {
    {{"hello", 5}, "raw=hello\n!raw_base64\n!flags"},
    {{"", 0}, "!raw\n!raw_base64"},
    {{" a\tb ", 5}, "raw= a\tb "},
    {{"a\0b", 3}, "!raw_base64"},
    {{"caf\xe9", 4}, "raw_base64=Y2Fm6Q==\n!raw\nflags=recoded"},
    {{"\xff\xfe\xfd", 3}, "raw_base64=//79\n!raw"},
    {{"<54>May 14 08:30:11 oak SymantecServer: ", 40},
	"raw=<54>May 14 08:30:11 oak SymantecServer: \nsepm=oak\n"
	"time=2024-05-14T08:30:11Z\nfacility=lpr"},
};

START_TEST(the_unparsed_keep_their_bytes)
{
	parse(strangers[_i].text);
	ck_assert_int_eq(record.type, RECORD_UNPARSED);
	ck_assert(record_has(&record, RECORD_F_REASON));
	testing_expect(&record, strangers[_i].expected);
	ck_assert(span_eq(record.original, strangers[_i].text));
}
END_TEST

/* --- rows of the CSV export --- */

struct cell {
	const char *column, *text;
};

enum { MOST_CELLS = 40 };

static const struct {
	struct cell cells[MOST_CELLS];
	const char *expected;
} rows[] = {
    {{{"Time Stamp", "07/19/2016 14:46:53"}, {"Event Type", "TCP initiated"},
	 {"Event Time", "07/19/2016 14:42:27"}, {"Severity", "Major"},
	 {"Host Name", "pc"}, {"Current IP Address", "192.0.2.2"},
	 {"Historical IP Address", "192.0.2.1"},
	 {"Remote Host IP", "2001:DB8::0:1"}, {"Remote Host Name", "r"},
	 {"Network Protocol", "TCP"}, {"Local Port", "50282"},
	 {"Remote Port", "443"}, {"Traffic Direction", "Outbound"},
	 {"Application Name", "a, b"}, {"Begin Time", "07/19/2016 14:43:23"},
	 {"End Time", "7/9/2016 1:43:23 PM"}, {"Repetition", "12"},
	 {"ACTION", "Not blocked"}, {"Rule Name", "b"}, {"Alert", "0"},
	 {"Send Snmp Trap", "1"}, {"Local Host Mac", "00005E005301"},
	 {"Remote Host Mac", "000000000000"}, {"Hardware Key", "909A"},
	 {"Location Name", "c"}, {"User Name", "d"}, {"Domain Name", "e"},
	 {"Site Name", "f"}, {"Server Name", "g"}, {"Group Name", "h\\i"},
	 {"Computer Name", "j"}},
	"type=traffic\ntime=2016-07-19T14:46:53Z\nevent_type=TCP initiated\n"
	"event_time=2016-07-19T14:42:27Z\nseverity=err\nhost=pc\n"
	"current_ip_address=192.0.2.2\nlocal_ip=192.0.2.1\n"
	"remote_ip=2001:db8::1\nremote_name=r\nprotocol=tcp\n"
	"local_port=50282\nremote_port=443\ndirection=outbound\n"
	"application=a, b\nbegin=2016-07-19T14:43:23Z\n"
	"end=2016-07-09T13:43:23Z\noccurrences=12\naction=allowed\nrule=b\n"
	"alert=0\nsend_snmp_trap=1\nlocal_mac=00:00:5e:00:53:01\n"
	"!remote_mac\nhardware_key=909A\nlocation=c\nuser=d\ndomain_name=e\n"
	"!domain\nsite_name=f\nserver_name=g\ngroup_name=h\\i\n"
	"computer_name=j\n!extra\n!flags"},
    {{{" host name ", " pc\u00a0"}, {"REPETITION", " 3 "},
	 {"Action", "Blocked"}},
	"host=pc\noccurrences=3\naction=blocked\n!extra"},
    {{{"Local Port", "8"}, {"Remote Port", "0"}, {"Network Protocol", "ICMP"}},
	"icmp=8,0\n!local_port\n!remote_port\n!extra"},
    {{{"Local Port", "0"}, {"Remote Port", "53"}, {"Network Protocol", "udp"}},
	"!icmp\n!local_port\nremote_port=53"},
    {{{"Local Port", "8"}, {"Remote Port", ""}, {"Network Protocol", "ICMP"}},
	"!icmp\n!local_port\n!remote_port\nextra=Local Port=8"},
    {{{"Local Port", "many"}, {"Historical IP Address", "masked"},
	 {"Local Host Mac", "x"}, {"Begin Time", "yesterday"},
	 {"Repetition", "-1"}, {"Severity", "Fatal"}, {"Tenant", "east"},
	 {"Empty", " "}},
	"extra=Local Port=many|Historical IP Address=masked|Local Host Mac=x|"
	"Begin Time=yesterday|Repetition=-1|Severity=Fatal|Tenant=east\n"
	"!local_port\n!local_ip\n!severity\n!time"},
    {{{"Host Name", "pc"}, {"Host Name", "other"}, {"User Name", ""},
	 {"User Name", "m"}},
	"host=pc\nuser=m\nextra=Host Name=other"},
    {{{"Rule Name", "caf\xe9"}, {"Tenant\xe9", "x\xe9"}},
	"rule=caf\u00e9\nextra=Tenant\u00e9=x\u00e9\nflags=recoded"},
    {{{"Host Name", ""}, {"Rule Name", " "}},
	"type=unparsed\nreason=a row of empty cells"},
};

START_TEST(rows_are_read_by_the_names_of_their_columns)
{
	struct span columns[MOST_CELLS], cells[MOST_CELLS];
	size_t n = 0;

	for (; n < MOST_CELLS && rows[_i].cells[n].column != NULL; n++) {
		columns[n] = span_str(rows[_i].cells[n].column);
		cells[n] = span_str(rows[_i].cells[n].text);
	}
	message.bytes = SPAN("the row as it came");
	message.length = message.bytes.n;
	parser_parse_row(parser, &message, columns, cells, n, &source, &record);
	testing_expect(&record, rows[_i].expected);
	ck_assert(span_eq(record.original, message.bytes));
}
END_TEST

/* --- the two public samples, of one and the same lab computer --- */

/* The first message of a file. The record borrows from *input. */
static void
parse_file(const char *name, struct input *input)
{
	struct span file = testing_file(name);
	struct input_item item;

	message.reference = seconds("2016-08-01T00:00:00Z");
	input_feed(input, file);
	input_end(input);
	ck_assert(input_next(input, &item));
	message.bytes = item.bytes;
	message.length = item.length;
	if (item.cells > 0)
		parser_parse_row(parser, &message, item.columns, item.cell,
		    item.cells, &source, &record);
	else
		parser_parse(parser, &message, &source, &record);
	free((char *)file.p);
}

START_TEST(the_public_samples_give_exactly_this)
{
	static const char *const names[][2] = {
	    {"public/viewer.log", "golden/public-viewer.log.out"},
	    {"public/export.csv", "golden/public-export.csv.out"},
	};
	struct span golden = testing_file(names[_i][1]), line;
	struct input *input = input_new(LIMIT);

	parse_file(names[_i][0], input);
	line = json();
	ck_assert_msg(span_eq(line, golden), "%.*s", (int)line.n, line.p);
	free((char *)golden.p);
	input_free(input);
}
END_TEST

START_TEST(a_row_and_a_line_give_one_schema)
{
	static const char same[] =
	    "type=traffic\ntime=2016-07-19T14:46:53Z\nseverity=err\n"
	    "host=IE11Win7\nlocal_ip=10.0.2.15\nlocal_mac=08:00:27:85:c5:cd\n"
	    "remote_mac=52:54:00:12:35:02\nprotocol=tcp\ndirection=outbound\n"
	    "occurrences=1\n"
	    "application=C:/Program Files/Internet Explorer/iexplore.exe\n"
	    "rule=log_web_traffic\nlocation=Default\nuser=IEUser\n"
	    "action=allowed\n!extra\n!flags";

	struct input *log = input_new(LIMIT), *csv = input_new(LIMIT);

	parse_file("public/viewer.log", log);
	testing_expect(&record, same);
	testing_expect(&record, "domain=IE11WIN7\n!domain_name");
	parse_file("public/export.csv", csv);
	testing_expect(&record, same);
	testing_expect(&record, "domain_name=Default\n!domain");
	input_free(log);
	input_free(csv);
}
END_TEST

/* --- what holds for any message --- */

/* No ck_assert where it is passed often: each writes to a file. */
#define MUST(holds)                                                            \
	do {                                                                   \
		if (!(holds))                                                  \
			ck_abort_msg("%s: %.*s", #holds, (int)message.bytes.n, \
			    message.bytes.p);                                  \
	} while (0)

struct places {
	struct span text;
	size_t pieces;
};

static void
piece_cb(void *arg, struct span piece, struct span key, const char *why)
{
	struct places *places = arg;
	struct span text = parser_text(parser);

	MUST(key.n > 0);
	MUST(why);
	/* where quotes were taken off, they are not in the text any more */
	if (piece.p >= text.p && piece.p < span_end(text))
		MUST(span_end(piece) <= span_end(text));
	places->pieces++;
}

/* What a record of one type may become when the line ends too early; the
 * texts of the server's logs have nothing behind them that could tell. */
static bool
plausible(enum record_type whole, enum record_type part)
{
	if (part == RECORD_UNPARSED || part == whole)
		return true;
	if (whole == RECORD_POLICY)
		return part == RECORD_ADMIN || part == RECORD_SERVER_SYSTEM;
	return (whole == RECORD_ADMIN || whole == RECORD_AGENT_ACTIVITY) &&
	       part == RECORD_SERVER_SYSTEM;
}

static void
check_record(void)
{
	for (size_t i = 0; i < RECORD_FIELD_COUNT; i++) {
		enum record_field f = (enum record_field)i;
		enum record_kind kind = record_field_info[i].kind;
		struct span text = record.value[i].text;

		if (!record_has(&record, f) ||
		    (kind != RECORD_TEXT && kind != RECORD_WORD))
			continue;
		MUST(text.n > 0);
		MUST(text_valid_utf8(text) == text.n);
	}
	MUST(json().n <= encode_bound(message.bytes.n, &source));
}

/* Cut at every byte, with an unreadable page behind the end. */
START_TEST(every_prefix_of_a_sample_gives_one_record)
{
	const struct testing_samples *samples = testing_samples();
	struct places places = {.pieces = 0};
	struct guard guard;

	guard_open(&guard, LIMIT);
	parser_explain(parser, piece_cb, &places);
	for (size_t i = (size_t)_i; i < samples->count; i += 8) {
		struct span line = samples->line[i];
		enum record_type whole;

		parse(line);
		whole = record.type;
		for (size_t n = 0; n <= line.n; n++) {
			parse(guard_place(&guard, span_take(line, n)));
			MUST(plausible(whole, record.type));
			check_record();
		}
	}
	ck_assert_uint_gt(places.pieces, 0);
	guard_close(&guard);
}
END_TEST

/* A record owes nothing to the messages before it. */
START_TEST(messages_leave_nothing_behind)
{
	const struct testing_samples *samples = testing_samples();
	static struct testing_text fresh;

	for (size_t i = 0; i < samples->count; i++) {
		struct span line;

		teardown();
		setup();
		parse(samples->line[i]);
		fresh = (struct testing_text){.n = 0};
		testing_add(&fresh, json());
		for (size_t j = 0; j < 5; j++) {
			parse(samples->line[(i * 7 + j * 13) % samples->count]);
			parse(samples->line[i]);
			line = json();
			ck_assert_msg(span_eq(line, span_of(fresh.p, fresh.n)),
			    "%.*s", (int)line.n, line.p);
		}
	}
}
END_TEST

/* --- damaged messages --- */

enum { DAMAGED = 300, ALL_MAX = DAMAGED + TESTING_SAMPLES };

/* What sits between the parts of a message, or is not expected there; runs
 * around the sizes that are looked at in one go. */
static const struct span pieces[] = {
    {",", 1},
    {"\"", 1},
    {"\"\"", 2},
    {": ", 2},
    {" ", 1},
    {"\t", 1},
    {"\xc2\xa0", 2},
    {"\r\n", 2},
    {"\0", 1},
    {"\xff", 1},
    {"\xe2\x80\xa8", 3},
    {"Local: ", 7},
    {"Begin: ", 7},
    {"Local Port 7", 12},
    {"\"User Name: ", 12},
    {"2016-07-19 14:46:53", 19},
    {"xxxxxxxxxxxxxxx", 15},
    {"xxxxxxxxxxxxxxxx", 16},
    {"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", 64},
};

static uint64_t chance;

static size_t
below(size_t n)
{
	chance = chance * 6364136223846793005U + 1442695040888963407U;
	return (size_t)(chance >> 33) % n;
}

/* One to three changes: cut, a byte, something put in, another's rest. */
static struct span
damage(struct span line)
{
	const struct testing_samples *samples = testing_samples();
	static struct testing_text text, changed;

	text = (struct testing_text){.n = 0};
	testing_add(&text, line);
	for (size_t i = below(3) + 1; i > 0; i--) {
		struct span rest = span_of(text.p, text.n);
		size_t at = below(text.n + 1);

		changed = (struct testing_text){.n = 0};
		testing_add(&changed, span_take(rest, at));
		rest = span_skip(rest, at);
		switch (below(5)) {
		case 0:
			rest = span_skip(rest, below(20) + 1);
			break;
		case 1:
			if (rest.n > 0)
				text.p[at] = (char)below(256);
			break;
		case 2:
			testing_add(&changed, pieces[below(COUNT(pieces))]);
			break;
		case 3:
			for (size_t n = below(300); n > 0; n--)
				testing_add(&changed, SPAN(","));
			break;
		default:
			rest = samples->line[below(samples->count)];
			rest = span_skip(rest, below(rest.n));
		}
		testing_add(&changed, rest);
		text = changed;
	}
	return span_of(text.p, below(9) > 0 ? text.n : below(text.n + 1));
}

static struct span
copy(struct span s)
{
	char *p = malloc(s.n + 1);

	ck_assert_ptr_nonnull(p);
	memcpy(p, s.p, s.n);
	return span_of(p, s.n);
}

/* Whatever came before, a message gives what it gives to a new parser. */
START_TEST(no_order_makes_a_difference)
{
	const struct testing_samples *samples = testing_samples();
	static struct span text[ALL_MAX], alone[ALL_MAX];
	size_t count = samples->count + DAMAGED, order[ALL_MAX];

	chance = 20240630;
	for (size_t i = 0; i < count; i++) {
		text[i] = i < samples->count
			      ? samples->line[i]
			      : damage(samples->line[below(samples->count)]);
		text[i] = copy(text[i]);
		order[i] = i;
		teardown();
		setup();
		parse(text[i]);
		alone[i] = copy(json());
	}
	for (int round = 0; round < 4; round++) {
		for (size_t i = 0; i < count; i++) {
			struct span line;

			parse(text[order[i]]);
			line = json();
			if (line.n != alone[order[i]].n ||
			    memcmp(line.p, alone[order[i]].p, line.n) != 0)
				ck_abort_msg("%.*s", (int)line.n - 1, line.p);
		}
		for (size_t i = count; i > 1; i--) {
			size_t other = below(i), last = order[i - 1];

			order[i - 1] = order[other];
			order[other] = last;
		}
	}
	for (size_t i = 0; i < count; i++) {
		free((char *)text[i].p);
		free((char *)alone[i].p);
	}
}
END_TEST

START_TEST(explaining_changes_nothing)
{
	const struct testing_samples *samples = testing_samples();
	static struct testing_text plain;
	struct places places = {.pieces = 0};

	for (size_t i = 0; i < samples->count; i++) {
		parse(samples->line[i]);
		plain = (struct testing_text){.n = 0};
		testing_add(&plain, json());
		parser_explain(parser, piece_cb, &places);
		parse(samples->line[i]);
		ck_assert(span_eq(json(), span_of(plain.p, plain.n)));
		parser_explain(parser, NULL, NULL);
	}
	ck_assert_uint_gt(places.pieces, samples->count);
}
END_TEST

START_TEST(without_memory_there_is_no_parser)
{
	struct parser *none;

	for (size_t n = 1; n <= 2; n++) {
		allocations = 0;
		failing = n;
		none = parser_new(LIMIT);
		failing = 0;
		ck_assert_ptr_null(none);
	}
	parser_free(NULL);
}
END_TEST

START_TEST(no_message_allocates)
{
	const struct testing_samples *samples = testing_samples();

	allocations = 0;
	for (size_t i = 0; i < samples->count; i++)
		parse(samples->line[i]);
	ck_assert_uint_eq(allocations, 0);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("parser");
	TCase *time = tcase_create("time"),
	      *envelope = tcase_create("envelope");
	TCase *row = tcase_create("rows"), *any = tcase_create("any");

	tcase_add_checked_fixture(time, setup, teardown);
	tcase_add_loop_test(
	    time, what_a_stamp_leaves_out_is_the_nearest, 0, COUNT(times));
	tcase_add_loop_test(time, an_impossible_stamp_gives_no_time, 0, 6);
	tcase_add_loop_test(time,
	    wall_clocks_are_read_in_the_zone_of_the_source, 0, COUNT(clocks));
	tcase_add_test(time, the_year_is_that_of_the_zone);
	tcase_add_test(time, zones_do_not_mix);
	suite_add_tcase(s, time);

	tcase_add_checked_fixture(envelope, setup, teardown);
	tcase_add_test(envelope, what_the_daemon_knows_is_in_the_record);
	tcase_add_loop_test(envelope, the_pri_gives_two_words, 0, COUNT(pris));
	tcase_add_loop_test(
	    envelope, what_happened_on_the_way_is_flagged, 0, COUNT(flags));
	tcase_add_test(envelope, only_so_much_of_a_message_is_read);
	tcase_add_loop_test(
	    envelope, the_unparsed_keep_their_bytes, 0, COUNT(strangers));
	suite_add_tcase(s, envelope);

	tcase_add_checked_fixture(row, setup, teardown);
	tcase_add_loop_test(
	    row, rows_are_read_by_the_names_of_their_columns, 0, COUNT(rows));
	tcase_add_loop_test(row, the_public_samples_give_exactly_this, 0, 2);
	tcase_add_test(row, a_row_and_a_line_give_one_schema);
	suite_add_tcase(s, row);

	tcase_set_timeout(any, 120);
	tcase_add_checked_fixture(any, setup, teardown);
	tcase_add_loop_test(
	    any, every_prefix_of_a_sample_gives_one_record, 0, 8);
	tcase_add_test(any, messages_leave_nothing_behind);
	tcase_add_test(any, no_order_makes_a_difference);
	tcase_add_test(any, explaining_changes_nothing);
	if (MEMORY_CAN_FAIL)
		tcase_add_test(any, without_memory_there_is_no_parser);
	tcase_add_test(any, no_message_allocates);
	suite_add_tcase(s, any);
	return s;
}

int
main(void)
{
	return run_suite(suite());
}
