#include <check.h>
#include <stdlib.h>

#include "input.h"
#include "parser.h"
#include "run.h"
#include "sepm_sql.h"
#include "testing.h"

enum { LIMIT = 2048, MOST_CELLS = 12 };

static struct parser *parser;
static struct message_source source;
static struct record record;

static void
setup(void)
{
	parser = parser_new(LIMIT);
	ck_assert_ptr_nonnull(parser);
	source = (struct message_source){
	    .zone = zone_utc(), .codepage = &text_windows_1252};
}

static void
teardown(void)
{
	parser_free(parser);
}

struct cell {
	const char *column, *text; /* text NULL: NULL */
};

static void
parse(const struct cell *cell)
{
	struct message row = {.bytes = SPAN("as it came"), .length = 10};
	struct span columns[MOST_CELLS], cells[MOST_CELLS];
	size_t n = 0;

	for (; n < MOST_CELLS && cell[n].column != NULL; n++) {
		columns[n] = span_str(cell[n].column);
		cells[n] = cell[n].text != NULL ? span_str(cell[n].text)
						: (struct span){NULL, 0};
	}
	parser_parse_row(parser, &row, columns, cells, n, &source, &record);
}

/* --- values --- */

static const struct {
	struct cell cells[MOST_CELLS];
	const char *expected;
} rows[] = {
    {{{"USN", "9007199254740993"}, {"DOMAIN_ID", "A1"}, {"SITE_ID", "B2 "},
	 {"SERVER_ID", "C3"}, {"GROUP_ID", "D4"}, {"COMPUTER_ID", "E5"},
	 {"AGENT_ID", "F6"}, {"RULE_ID", "07"}, {"LOG_IDX", "18"},
	 {"HARDWARE_KEY", "29"}, {"HOST_NAME", "pc"}},
	"type=traffic\nusn=9007199254740993\ndomain_id=A1\nsite_id=B2\n"
	"server_id=C3\ngroup_id=D4\ncomputer_id=E5\nagent_id=F6\nrule_id=07\n"
	"log_idx=18\nhardware_key=29\nhost=pc\n!extra\n!flags\n!reason"},
    {{{"TIME_STAMP", "1468939613123"}, {"EVENT_TIME", "1468939347999"},
	 {"BEGIN_TIME", "1468939403000"}, {"END_TIME", "0"},
	 {"REPETITION", "12"}},
	"time=2016-07-19T14:46:53Z\nevent_time=2016-07-19T14:42:27Z\n"
	"begin=2016-07-19T14:43:23Z\n!end\noccurrences=12\n!extra"},
    {{{"TIME_STAMP", "253402300799999"}, {"EVENT_TIME", "253402300800000"},
	 {"BEGIN_TIME", "-1"}, {"END_TIME", "9223372036854775807"},
	 {"USN", "-3"}},
	"time=9999-12-31T23:59:59Z\n!event_time\n!begin\n!end\n!usn\n"
	"extra=EVENT_TIME=253402300800000|BEGIN_TIME=-1|"
	"END_TIME=9223372036854775807|USN=-3"},
    {{{"TIME_STAMP", "2016-07-19 14:46:53.123"},
	 {"BEGIN_TIME", "07/19/2016 14:43:23"}, {"END_TIME", "soon"}},
	"time=2016-07-19T14:46:53Z\nbegin=2016-07-19T14:43:23Z\n"
	"extra=END_TIME=soon"},
    {{{"APP_NAME", "a, b"}, {"RULE_NAME", "b"}, {"LOCATION_NAME", "c"},
	 {"USER_NAME", "d"}, {"DOMAIN_NAME", "BIRCH"}, {"ALERT", "1"},
	 {"SEND_SNMP_TRAP", "0"}, {"REMOTE_HOST_NAME", "r"},
	 {"LOCAL_HOST_MAC", "00005E005301"},
	 {"REMOTE_HOST_MAC", "00-00-00-00-00-00"}},
	"application=a, b\nrule=b\nlocation=c\nuser=d\ndomain=BIRCH\n"
	"!domain_name\nalert=1\nsend_snmp_trap=0\nremote_name=r\n"
	"local_mac=00:00:5e:00:53:01\n!remote_mac\n!extra"},
    {{{"TIME_STAMP", NULL}, {"HOST_NAME", "pc"}, {"LOCAL_PORT", NULL},
	 {"NETWORK_PROTOCOL", NULL}, {"LOCAL_HOST_IP", NULL}},
	"type=traffic\nhost=pc\n!time\n!local_port\n!protocol\n!local_ip\n"
	"!extra"},
    {{{"TIME_STAMP", NULL}, {"USN", NULL}, {"HOST_NAME", NULL}},
	"type=unparsed\nreason=a row of empty cells\nraw=as it came"},
    /* ports and ICMP */
    {{{"USN", "1"}, {"NETWORK_PROTOCOL", "2"}, {"LOCAL_PORT", "50282"},
	 {"REMOTE_PORT", "0"}},
	"protocol=tcp\nlocal_port=50282\n!remote_port\n!icmp"},
    {{{"USN", "1"}, {"LOCAL_PORT", "8"}, {"REMOTE_PORT", "0"},
	 {"NETWORK_PROTOCOL", "4"}},
	"protocol=icmp\nicmp=8,0\n!local_port\n!remote_port\n!extra"},
    {{{"USN", "1"}, {"LOCAL_PORT", "70000"}, {"REMOTE_PORT", "-1"}},
	"!local_port\n!remote_port\nextra=LOCAL_PORT=70000|REMOTE_PORT=-1"},
    /* addresses */
    {{{"LOCAL_HOST_IP", "3221225985"}, {"REMOTE_HOST_IP", "-1073741311"}},
	"local_ip=192.0.2.1\nremote_ip=192.0.2.1\n!extra"},
    {{{"LOCAL_HOST_IP", "-1"}, {"REMOTE_HOST_IP", "-2147483648"}},
	"local_ip=255.255.255.255\nremote_ip=128.0.0.0"},
    {{{"LOCAL_HOST_IP", "4294967296"}, {"REMOTE_HOST_IP", "-2147483649"}},
	"!local_ip\n!remote_ip\n"
	"extra=LOCAL_HOST_IP=4294967296|REMOTE_HOST_IP=-2147483649"},
    {{{"LOCAL_HOST_IP", "0"}, {"REMOTE_HOST_IP", "-"}},
	"!local_ip\n!remote_ip\nextra=REMOTE_HOST_IP=-"},
    {{{"LOCAL_HOST_IP", "1"}, {"LOCAL_HOST_IP_TEXT", "2001:DB8::0:1"}},
	"local_ip=2001:db8::1\n!extra"},
    {{{"LOCAL_HOST_IP_TEXT", "192.0.2.9"}, {"LOCAL_HOST_IP", "1"},
	 {"LOCAL_HOST_IPV6", "20010DB8000000000000000000000001"}},
	"local_ip=192.0.2.9\n!extra"},
    {{{"REMOTE_HOST_IP", "0"},
	 {"REMOTE_HOST_IPV6", "20010DB8000000000000000000000001"},
	 {"REMOTE_HOST_IP_TEXT", ""}},
	"remote_ip=2001:db8::1\n!extra"},
    {{{"REMOTE_HOST_IPV6", "0x20010db8000000000000000000000002"},
	 {"LOCAL_HOST_IPV6", "2001:db8:0::3"}},
	"remote_ip=2001:db8::2\nlocal_ip=2001:db8::3\n!extra"},
    {{{"LOCAL_HOST_IPV6", "00000000000000000000000000000000"},
	 {"REMOTE_HOST_IPV6", "20010DB800000000000000000000000g"}},
	"!local_ip\n!remote_ip\n"
	"extra=REMOTE_HOST_IPV6=20010DB800000000000000000000000g"},
    {{{"LOCAL_HOST_IP_TEXT", "masked"}, {"LOCAL_HOST_IP", "16909060"}},
	"local_ip=1.2.3.4\nextra=LOCAL_HOST_IP_TEXT=masked"},
    {{{"LOCAL_HOST_IP_TEXT", "192.0.2.9"}, {"LOCAL_HOST_IP", "x"}},
	"local_ip=192.0.2.9\nextra=LOCAL_HOST_IP=x"},
    /* what nobody knows */
    {{{"USN", "1"}, {"RESERVED_INT1", "7"}, {"RESERVED_BINARY", "00ff"},
	 {"NESTED_PROTOCOL_TYPE", "5"}, {"TENANT", "east"}, {"EMPTY", ""}},
	"usn=1\nextra=NESTED_PROTOCOL_TYPE=5|TENANT=east"},
    {{{"USN", "1"}, {"RESERVED_INT1", "7"}, {"USN", "2"}},
	"usn=1\nextra=USN=2"},
    {{{"usn", "1"}, {"Rule_Name", "caf\xe9"}},
	"usn=1\nrule=caf\u00e9\nflags=recoded"},
    /* codes that are words already */
    {{{"USN", "1"}, {"SEVERITY", "Major"}, {"NETWORK_PROTOCOL", "TCP"},
	 {"TRAFFIC_DIRECTION", "Inbound"}, {"BLOCKED", "Not blocked"},
	 {"EVENT_ID", "TCP initiated"}},
	"severity=err\nprotocol=tcp\ndirection=inbound\naction=allowed\n"
	"event_type=TCP initiated"},
};

START_TEST(rows_are_read_by_the_names_of_their_columns)
{
	parse(rows[_i].cells);
	testing_expect(&record, rows[_i].expected);
}
END_TEST

static const struct {
	const char *column, *code, *expected;
} codes[] = {
    {"EVENT_ID", "300", "!event_type\nextra=EVENT_ID=300"},
    {"EVENT_ID", "301", "event_type=TCP initiated"},
    {"EVENT_ID", "302", "event_type=UDP datagram"},
    {"EVENT_ID", "303", "event_type=Ping request"},
    {"EVENT_ID", "304", "event_type=TCP completed"},
    {"EVENT_ID", "305", "event_type=Traffic (other)"},
    {"EVENT_ID", "306", "event_type=ICMP packet"},
    {"EVENT_ID", "307", "event_type=Ethernet packet"},
    {"EVENT_ID", "308", "event_type=IP packet"},
    {"EVENT_ID", "309", "event_type=ICMPv6 packet"},
    {"EVENT_ID", "310", "!event_type\nextra=EVENT_ID=310"},
    {"EVENT_ID", "401", "event_type=Raw Ethernet"},
    {"SEVERITY", "0", "severity=crit"},
    {"SEVERITY", "3", "severity=crit"},
    {"SEVERITY", "4", "severity=err"},
    {"SEVERITY", "7", "severity=err"},
    {"SEVERITY", "8", "severity=warning"},
    {"SEVERITY", "11", "severity=warning"},
    {"SEVERITY", "12", "severity=info"},
    {"SEVERITY", "15", "severity=info"},
    {"SEVERITY", "16", "!severity\nextra=SEVERITY=16"},
    {"SEVERITY", "-1", "!severity\nextra=SEVERITY=-1"},
    {"NETWORK_PROTOCOL", "0", "protocol=0\n!extra"},
    {"NETWORK_PROTOCOL", "1", "protocol=others"},
    {"NETWORK_PROTOCOL", "2", "protocol=tcp"},
    {"NETWORK_PROTOCOL", "3", "protocol=udp"},
    {"NETWORK_PROTOCOL", "4", "protocol=icmp"},
    {"NETWORK_PROTOCOL", "7", "protocol=7\n!extra"},
    {"TRAFFIC_DIRECTION", "0", "direction=unknown"},
    {"TRAFFIC_DIRECTION", "1", "direction=inbound"},
    {"TRAFFIC_DIRECTION", "2", "direction=outbound"},
    {"TRAFFIC_DIRECTION", "3", "!direction\nextra=TRAFFIC_DIRECTION=3"},
    {"BLOCKED", "0", "action=allowed"},
    {"BLOCKED", "1", "action=blocked"},
    {"BLOCKED", "2", "!action\nextra=BLOCKED=2"},
    {"BLOCKED", NULL, "!action\n!extra"},
};

START_TEST(codes_become_words)
{
	struct cell cells[MOST_CELLS] = {
	    {"USN", "1"}, {codes[_i].column, codes[_i].code}};

	parse(cells);
	testing_expect(&record, codes[_i].expected);
}
END_TEST

/* --- telling tables apart --- */

START_TEST(without_room_an_address_stays_as_it_came)
{
	static struct sepm_labels labels;
	static struct timestamp_date date;
	const struct span columns[] = {SPAN("LOCAL_HOST_IP"), SPAN("USN")};
	const struct span cells[] = {SPAN("16909060"), SPAN("7")};
	struct arena none = {NULL, 0, 0};
	struct sepm_context context = {
	    .arena = &none,
	    .labels = &labels,
	    .clock = {zone_utc(), NULL, &date, 0},
	};

	sepm_labels_init(&labels);
	record_reset(&record);
	ck_assert_ptr_null(sepm_sql(columns, cells, 2, &context, &record));
	testing_expect(
	    &record, "usn=7\n!local_ip\nextra=LOCAL_HOST_IP=16909060");
}
END_TEST

START_TEST(the_view_has_its_49_columns)
{
	struct span names[SEPM_SQL_COLUMNS + 1];

	for (size_t i = 0; i < COUNT(names); i++)
		names[i] = sepm_sql_column(i);
	ck_assert(span_eq(names[0], SPAN("USN")));
	ck_assert(span_eq(names[48], SPAN("REMOTE_HOST_IP_TEXT")));
	ck_assert_uint_eq(names[49].n, 0);
	ck_assert(sepm_sql_is_header(names, SEPM_SQL_COLUMNS));
	ck_assert(sepm_sql_is_row(names, SEPM_SQL_COLUMNS));
	ck_assert(!sepm_sql_is_header(names, 7));
}
END_TEST

START_TEST(the_first_name_that_tells_decides)
{
	const struct span export[] = {
	    SPAN("Severity"), SPAN("Tenant"), SPAN("Host Name"), SPAN("USN")};
	const struct span view[] = {
	    SPAN("Severity"), SPAN("TENANT"), SPAN(" host_name")};

	ck_assert(!sepm_sql_is_row(export, COUNT(export)));
	ck_assert(sepm_sql_is_row(view, COUNT(view)));
	ck_assert(!sepm_sql_is_row(view, 2));
}
END_TEST

START_TEST(a_file_of_a_puller_gives_the_same)
{
	struct span file = testing_file("samples/pulled.csv");
	struct input *input = input_new(LIMIT);
	struct input_item item;
	size_t count = 0;

	input_feed(input, file);
	input_end(input);
	for (; input_next(input, &item); count++) {
		struct message m = {.bytes = item.bytes, .length = item.length};

		ck_assert_uint_eq(item.cells, SEPM_SQL_COLUMNS);
		parser_parse_row(parser, &m, item.columns, item.cell,
		    item.cells, &source, &record);
		ck_assert_int_eq(record.type, RECORD_TRAFFIC);
		ck_assert(record_has(&record, RECORD_F_USN));
	}
	ck_assert_uint_ge(count, 5);
	input_free(input);
	free((char *)file.p);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("sql");
	TCase *values = tcase_create("values"),
	      *tables = tcase_create("tables");

	tcase_add_checked_fixture(values, setup, teardown);
	tcase_add_loop_test(values, rows_are_read_by_the_names_of_their_columns,
	    0, COUNT(rows));
	tcase_add_loop_test(values, codes_become_words, 0, COUNT(codes));
	suite_add_tcase(s, values);
	tcase_add_checked_fixture(tables, setup, teardown);
	tcase_add_test(tables, without_room_an_address_stays_as_it_came);
	tcase_add_test(tables, the_view_has_its_49_columns);
	tcase_add_test(tables, the_first_name_that_tells_decides);
	tcase_add_test(tables, a_file_of_a_puller_gives_the_same);
	suite_add_tcase(s, tables);
	return run_suite(s);
}
