#include <check.h>
#include <stdio.h>

#include "encoded.h"
#include "run.h"

static const char *
ecs(void)
{
	return encoded(ENCODE_ECS, "");
}

START_TEST(an_outbound_connection)
{
	start_traffic("outbound");
	ck_assert_str_eq(encoded(ENCODE_ECS, "a-traffic-1-2"),
	    "{\"@timestamp\":\"2016-07-19T14:43:17Z\","
	    "\"ecs\":{\"version\":\"8.11.0\"},"
	    "\"log\":{\"level\":\"err\","
	    "\"syslog\":{\"facility\":{\"name\":\"lpr\"}}},"
	    "\"observer\":{\"vendor\":\"Symantec\","
	    "\"product\":\"Endpoint Protection Manager\","
	    "\"hostname\":\"sepm-north\"},"
	    "\"host\":{\"name\":\"pc-0147\",\"hostname\":\"pc-0147\","
	    "\"ip\":[\"192.0.2.47\"],\"mac\":[\"00-00-5E-00-53-1F\"]},"
	    "\"source\":{\"address\":\"192.0.2.47\",\"ip\":\"192.0.2.47\","
	    "\"port\":51514,\"mac\":\"00-00-5E-00-53-1F\"},"
	    "\"destination\":{\"address\":\"198.51.100.30\","
	    "\"ip\":\"198.51.100.30\",\"port\":80,"
	    "\"mac\":\"00-00-5E-00-53-FE\",\"domain\":\"www.birch.example\"},"
	    "\"network\":{\"type\":\"ipv4\",\"transport\":\"tcp\","
	    "\"iana_number\":\"6\",\"direction\":\"egress\","
	    "\"community_id\":\"1:u6gZSFnqM1MQURu54TAwhB9P6ys=\"},"
	    "\"rule\":{\"name\":\"Permit branch web\"},"
	    "\"user\":{\"name\":\"mwhite\",\"domain\":\"BIRCH\"},"
	    "\"process\":{\"name\":\"syncd.exe\","
	    "\"executable\":\"C:/Tools/sync/syncd.exe\"},"
	    "\"related\":{\"ip\":[\"192.0.2.47\",\"198.51.100.30\"],"
	    "\"hosts\":[\"pc-0147\",\"www.birch.example\",\"sepm-north\"],"
	    "\"user\":[\"mwhite\"]},"
	    "\"symantec\":{\"endpoint\":{\"time\":\"2016-07-19T14:46:53Z\","
	    "\"occurrences\":3,\"location\":\"Default\"}},"
	    "\"event\":{\"start\":\"2016-07-19T14:43:17Z\","
	    "\"end\":\"2016-07-19T14:43:18Z\",\"action\":\"allowed\","
	    "\"outcome\":\"success\",\"category\":[\"network\"],"
	    "\"type\":[\"connection\",\"allowed\"],\"severity\":3,"
	    "\"module\":\"symantec_endpoint\",\"provider\":\"sepm\","
	    "\"dataset\":\"symantec_endpoint.traffic\",\"kind\":\"event\","
	    "\"id\":\"a-traffic-1-2\"}}");
}
END_TEST

START_TEST(inbound_the_other_side_is_the_source)
{
	start_traffic("inbound");
	set(RECORD_F_ACTION, "blocked");
	has(ecs(), "\"source\":{\"address\":\"198.51.100.30\"");
	has(line, "\"domain\":\"www.birch.example\"},\"destination\"");
	has(line, "\"destination\":{\"address\":\"192.0.2.47\"");
	has(line, "\"direction\":\"ingress\"");
	has(line, "1:u6gZSFnqM1MQURu54TAwhB9P6ys=");
	has(line, "\"outcome\":\"failure\"");
	has(line, "\"type\":[\"connection\",\"denied\"]");
}
END_TEST

START_TEST(an_unknown_direction_has_no_source)
{
	start_traffic("unknown");
	has_not(ecs(), "\"source\"");
	has_not(line, "\"destination\"");
	has(line, "\"host\":{\"name\":\"pc-0147\",\"hostname\":\"pc-0147\","
		  "\"ip\":[\"192.0.2.47\"]");
	has(line, "\"related\":{\"ip\":[\"192.0.2.47\",\"198.51.100.30\"]");
	has(line, "\"remote_ip\":\"198.51.100.30\"");
	has(line, "\"remote_port\":80");
	has(line, "\"direction\":\"unknown\"");
}
END_TEST

START_TEST(icmp_has_no_ports)
{
	start_traffic("outbound");
	record_unset(&record, RECORD_F_LOCAL_PORT);
	record_unset(&record, RECORD_F_REMOTE_PORT);
	set(RECORD_F_PROTOCOL, "icmp");
	record.value[RECORD_F_ICMP].pair[0] = 8;
	record.value[RECORD_F_ICMP].pair[1] = 0;
	record_mark(&record, RECORD_F_ICMP);
	has(ecs(), "\"transport\":\"icmp\",\"iana_number\":\"1\"");
	has_not(line, "\"port\"");
	has_not(line, "community_id");
	has(line, "\"icmp\":[8,0]");
	set(RECORD_F_LOCAL_IP, "2001:db8::1");
	set(RECORD_F_REMOTE_IP, "2001:db8::2");
	has(ecs(), "\"type\":\"ipv6\",\"transport\":\"ipv6-icmp\"");
}
END_TEST

START_TEST(the_type_of_a_frame_is_no_port)
{
	start_traffic("inbound");
	set(RECORD_F_PROTOCOL, "ethernet");
	has_not(ecs(), "\"port\"");
	has_not(line, "\"transport\"");
	has(line, "\"local_port\":51514");
	has(line, "\"protocol\":\"ethernet\"");
}
END_TEST

START_TEST(an_address_of_many_is_not_the_hosts)
{
	start_traffic("inbound");
	set(RECORD_F_LOCAL_IP, "224.0.0.251");
	has_not(ecs(), "\"host\":{\"name\":\"pc-0147\","
		       "\"hostname\":\"pc-0147\",\"ip\"");
	has(line, "\"destination\":{\"address\":\"224.0.0.251\"");
}
END_TEST

START_TEST(a_program_without_a_path_is_a_name)
{
	start_traffic("outbound");
	set(RECORD_F_APPLICATION, "SYSTEM");
	has(ecs(), "\"process\":{\"name\":\"SYSTEM\"}");
}
END_TEST

START_TEST(a_process_has_its_number)
{
	start_traffic("outbound");
	set(RECORD_F_PROCESS_ID, "4711");
	has(ecs(), "\"process\":{\"name\":\"syncd.exe\","
		   "\"executable\":\"C:/Tools/sync/syncd.exe\","
		   "\"pid\":4711}");
	has_not(line, "process_id");
	set(RECORD_F_PROCESS_ID, "none");
	has_not(ecs(), "\"pid\"");
	has(line, "\"process_id\":\"none\"");
}
END_TEST

START_TEST(a_risk_has_a_file)
{
	start(RECORD_RISK);
	set(RECORD_F_FILE_PATH, "D:\\toy.exe");
	set(RECORD_F_APPLICATION_HASH, "0123456789ABCDEF0123456789ABCDEF");
	set(RECORD_F_HASH_TYPE, "MD5");
	set(RECORD_F_RISK_NAME, "Test.Sample");
	set(RECORD_F_SOURCE_COMPUTER_NAME, "pc-2");
	set(RECORD_F_SOURCE_COMPUTER_IP, "192.0.2.2");
	has(ecs(), "\"file\":{\"path\":\"D:\\\\toy.exe\",\"name\":\"toy.exe\","
		   "\"hash\":{\"md5\":\"0123456789abcdef0123456789abcdef\"}}");
	has(line, "\"threat\":{\"software\":{\"name\":\"Test.Sample\"}}");
	has(line, "\"source\":{\"address\":\"192.0.2.2\","
		  "\"ip\":\"192.0.2.2\",\"domain\":\"pc-2\"}");
	has(line, "\"kind\":\"alert\"");
	has_not(line, "hash_type");
}
END_TEST

START_TEST(what_was_not_understood_is_kept)
{
	start(RECORD_UNPARSED);
	set(RECORD_F_REASON, "why");
	set(RECORD_F_RAW, "a \"b\"");
	record_set_time(&record, RECORD_F_RECEIVED, 1500000);
	has(ecs(), "\"@timestamp\":\"1970-01-01T00:00:01Z\"");
	has(line, "\"error\":{\"message\":\"why\"}");
	has(line, "\"created\":\"1970-01-01T00:00:01.500000Z\"");
	has(line, "\"original\":\"a \\\"b\\\"\"");
	has(line, "\"kind\":\"pipeline_error\"");
}
END_TEST

START_TEST(an_empty_record_is_an_event)
{
	char want[64];

	start((enum record_type)_i);
	snprintf(want, sizeof(want), "\"dataset\":\"symantec_endpoint.%s\"",
	    record_type_name[_i].p);
	has(ecs(), want);
	has_not(line, "{}");
	has_not(line, "[]");
	has_not(line, "\"\"");
}
END_TEST

/* Each field, in each type, stands under its own key or another. */
static void
check_field(enum record_field f, enum record_type type)
{
	enum record_kind kind = record_field_info[f].kind;

	start(type);
	if (kind == RECORD_TEXT)
		set(f, "mark9871");
	else if (kind == RECORD_UINT)
		record_set_number(&record, f, 9871);
	else
		return;
	has(ecs(), "9871");
}

START_TEST(no_field_is_lost)
{
	for (int f = 0; f < RECORD_FIELD_COUNT; f++)
		for (int type = 0; type < RECORD_TYPE_COUNT; type++)
			check_field(
			    (enum record_field)f, (enum record_type)type);
}
END_TEST

static void
add_tests(Suite *s)
{
	TCase *c = tcase_create("ecs");

	tcase_add_test(c, an_outbound_connection);
	tcase_add_test(c, inbound_the_other_side_is_the_source);
	tcase_add_test(c, an_unknown_direction_has_no_source);
	tcase_add_test(c, icmp_has_no_ports);
	tcase_add_test(c, the_type_of_a_frame_is_no_port);
	tcase_add_test(c, an_address_of_many_is_not_the_hosts);
	tcase_add_test(c, a_program_without_a_path_is_a_name);
	tcase_add_test(c, a_process_has_its_number);
	tcase_add_test(c, a_risk_has_a_file);
	tcase_add_test(c, what_was_not_understood_is_kept);
	tcase_add_loop_test(
	    c, an_empty_record_is_an_event, 0, RECORD_TYPE_COUNT);
	tcase_add_test(c, no_field_is_lost);
	suite_add_tcase(s, c);
}

int
main(void)
{
	Suite *s = suite_create("ecs");

	add_tests(s);
	return run_suite(s);
}
