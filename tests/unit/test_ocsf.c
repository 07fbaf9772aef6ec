#include <check.h>
#include <stdio.h>

#include "encoded.h"
#include "run.h"

static const char *
ocsf(void)
{
	return encoded(ENCODE_OCSF, "");
}

START_TEST(an_outbound_connection)
{
	start_traffic("outbound");
	ck_assert_str_eq(encoded(ENCODE_OCSF, "a-traffic-1-2"),
	    "{\"activity_id\":6,\"category_uid\":4,\"class_uid\":4001,"
	    "\"type_uid\":400106,\"severity_id\":4,\"time\":1468939397000,"
	    "\"start_time\":1468939397000,\"end_time\":1468939398000,"
	    "\"count\":3,\"action_id\":1,\"disposition_id\":1,"
	    "\"device\":{\"hostname\":\"pc-0147\",\"ip\":\"192.0.2.47\","
	    "\"mac\":\"00:00:5e:00:53:1f\",\"type_id\":0},"
	    "\"actor\":{\"user\":{\"name\":\"mwhite\",\"domain\":\"BIRCH\"},"
	    "\"process\":{\"name\":\"syncd.exe\","
	    "\"file\":{\"name\":\"syncd.exe\","
	    "\"path\":\"C:/Tools/sync/syncd.exe\",\"type_id\":1}}},"
	    "\"src_endpoint\":{\"ip\":\"192.0.2.47\",\"port\":51514,"
	    "\"mac\":\"00:00:5e:00:53:1f\",\"hostname\":\"pc-0147\"},"
	    "\"dst_endpoint\":{\"ip\":\"198.51.100.30\",\"port\":80,"
	    "\"mac\":\"00:00:5e:00:53:fe\","
	    "\"hostname\":\"www.birch.example\"},"
	    "\"connection_info\":{\"direction_id\":2,"
	    "\"protocol_name\":\"tcp\",\"protocol_num\":6,"
	    "\"protocol_ver_id\":4},"
	    "\"firewall_rule\":{\"name\":\"Permit branch web\"},"
	    "\"unmapped\":{\"facility\":\"lpr\",\"severity\":\"err\","
	    "\"location\":\"Default\"},"
	    "\"metadata\":{\"product\":{"
	    "\"name\":\"Endpoint Protection Manager\","
	    "\"vendor_name\":\"Symantec\"},\"log_name\":\"traffic\","
	    "\"log_provider\":\"sepm-north\",\"logged_time\":1468939613000,"
	    "\"profiles\":[\"host\",\"security_control\"],"
	    "\"version\":\"1.3.0\",\"uid\":\"a-traffic-1-2\"}}");
}
END_TEST

START_TEST(inbound_the_other_side_is_the_source)
{
	start_traffic("inbound");
	set(RECORD_F_ACTION, "blocked");
	has(ocsf(), "\"src_endpoint\":{\"ip\":\"198.51.100.30\",\"port\":80");
	has(line, "\"dst_endpoint\":{\"ip\":\"192.0.2.47\",\"port\":51514");
	has(line, "\"direction_id\":1");
	has(line, "\"activity_id\":5");
	has(line, "\"type_uid\":400105");
	has(line, "\"action_id\":2,\"disposition_id\":2");
}
END_TEST

START_TEST(a_destination_is_always_there)
{
	start_traffic("unknown");
	has(ocsf(), "\"dst_endpoint\":{\"ip\":\"198.51.100.30\"");
	has(line, "\"direction_id\":0");
	start(RECORD_TRAFFIC);
	has(ocsf(), "\"dst_endpoint\":{\"name\":\"unknown\"}");
	has(line, "\"time\":0,");
	has(line, "\"action_id\":0,\"disposition_id\":0");
}
END_TEST

START_TEST(other_actions_keep_their_word)
{
	start_traffic("outbound");
	set(RECORD_F_ACTION, "ask");
	has(ocsf(), "\"action_id\":0,\"disposition_id\":99,"
		    "\"disposition\":\"ask\"");
}
END_TEST

static const struct {
	const char *action, *want;
} actions[] = {
    {"Deleted", "\"action_id\":2,\"disposition_id\":5,"},
    {"Quarantined", "\"action_id\":2,\"disposition_id\":3,"},
    {"Cleaned", "\"action_id\":2,\"disposition_id\":11,"},
    {"Left alone", "\"action_id\":1,\"disposition_id\":16,"},
    {"Mis en quarantaine", "\"action_id\":0,\"disposition_id\":99,"
			   "\"disposition\":\"Mis en quarantaine\","},
};

START_TEST(a_risk_is_a_finding)
{
	start(RECORD_RISK);
	set(RECORD_F_ACTUAL_ACTION, actions[_i].action);
	set(RECORD_F_EVENT_DESCRIPTION, "Virus found");
	set(RECORD_F_RISK_NAME, "Test.Sample");
	set(RECORD_F_CATEGORY_TYPE, "Virus");
	set(RECORD_F_FILE_PATH, "D:\\toy.exe");
	set(RECORD_F_APPLICATION_HASH, "0123456789ABCDEF0123456789ABCDEF");
	record.original = SPAN("abc");
	has(ocsf(), actions[_i].want);
	has(line, "\"finding_info\":{\"title\":\"Virus found\","
		  "\"uid\":\"a9993e364706816aba3e25717850c26c9cd0d89d\","
		  "\"types\":[\"risk\"]}");
	has(line, "\"malware\":[{\"name\":\"Test.Sample\","
		  "\"classification_ids\":[19]}]");
	has(line, "\"evidences\":[{\"file\":{\"name\":\"toy.exe\","
		  "\"path\":\"D:\\\\toy.exe\",\"hashes\":[{"
		  "\"algorithm_id\":1,"
		  "\"value\":\"0123456789abcdef0123456789abcdef\"}],"
		  "\"type_id\":1}}]");
}
END_TEST

START_TEST(an_attack_has_its_ends_as_evidence)
{
	start_traffic("inbound");
	record.type = RECORD_SECURITY;
	set(RECORD_F_CIDS_SIGNATURE_ID, "30001");
	set(RECORD_F_CIDS_SIGNATURE_STRING, "Test attack");
	set(RECORD_F_INTRUSION_URL, "birch.example/x");
	set(RECORD_F_CORRELATION_ID, "c-1");
	record_unset(&record, RECORD_F_RULE);
	has(ocsf(), "\"evidences\":[{\"src_endpoint\":{");
	has(line, "},\"dst_endpoint\":{\"ip\":\"192.0.2.47\"");
	has(line, "\"url\":{\"url_string\":\"birch.example/x\"}}]");
	has(line, "\"analytic\":{\"name\":\"Test attack\","
		  "\"uid\":\"30001\",\"type_id\":1}");
	has(line, "\"uid\":\"c-1\"");
	has(line, "\"correlation_uid\":\"c-1\"");
	set(RECORD_F_CIDS_SIGNATURE_ID, "0");
	has(ocsf(), "\"cids_signature_id\":\"0\"");
}
END_TEST

START_TEST(a_scan_has_its_state)
{
	start(RECORD_SCAN);
	set(RECORD_F_STATUS, "Completed");
	set(RECORD_F_SCAN_ID, "17");
	set(RECORD_F_HOST, "pc \"1\"");
	record_set_number(&record, RECORD_F_DURATION_SECONDS, 2);
	has(ocsf(), "\"activity_id\":2,");
	has(line, "\"type_uid\":600702");
	has(line, "\"duration\":2000");
	has(line, "\"scan\":{\"uid\":\"17\",\"type_id\":0}");
	has(line, "\"observables\":[{\"name\":\"unmapped.host\","
		  "\"type_id\":1,\"value\":\"pc \\\"1\\\"\"}]");
}
END_TEST

START_TEST(a_client_has_an_interface_for_each_address)
{
	start(RECORD_RISK);
	set(RECORD_F_IP_ADDRESS, "192.0.2.31");
	record.addresses = 4;
	record.address[0] = (struct record_address){
	    SPAN("192.0.2.31"), SPAN("00:00:5e:00:53:1f"), SPAN("192.0.2.1")};
	record.address[1] =
	    (struct record_address){{"", 0}, {"", 0}, SPAN("192.0.2.1")};
	record.address[2] = (struct record_address){
	    {"", 0}, SPAN("00:00:5e:00:53:20"), {"", 0}};
	record.address[3] =
	    (struct record_address){SPAN("2001:db8::1"), {"", 0}, {"", 0}};
	record_mark(&record, RECORD_F_ADDRESSES);
	has(ocsf(), "\"device\":{\"ip\":\"192.0.2.31\","
		    "\"network_interfaces\":[{\"type_id\":0,"
		    "\"ip\":\"192.0.2.31\",\"mac\":\"00:00:5e:00:53:1f\"},"
		    "{\"type_id\":0,\"mac\":\"00:00:5e:00:53:20\"},"
		    "{\"type_id\":0,\"ip\":\"2001:db8::1\"}],"
		    "\"type_id\":0}");
	record.address[0] = record.address[2] = record.address[3] =
	    record.address[1];
	has_not(ocsf(), "network_interfaces");
	record_unset(&record, RECORD_F_IP_ADDRESS);
	set(RECORD_F_CURRENT_IP_ADDRESS, "192.0.2.32");
	has(ocsf(), "\"device\":{\"ip\":\"192.0.2.32\",\"type_id\":0}");
}
END_TEST

START_TEST(a_process_has_its_number_and_the_hashes_of_its_file)
{
	start_traffic("outbound");
	set(RECORD_F_PROCESS_ID, "4711");
	set(RECORD_F_SHA256, "e3b0c44298fc1c149afbf4c8996fb924"
			     "27ae41e4649b934ca495991b7852b855");
	set(RECORD_F_MD5, "5c8e9264f1d03b7aa7d1c3f05b9e4826");
	has(ocsf(), "\"process\":{\"name\":\"syncd.exe\",\"pid\":4711,");
	has(line, "\"hashes\":[{\"algorithm_id\":3,"
		  "\"value\":\"e3b0c44298fc1c149afbf4c8996fb924"
		  "27ae41e4649b934ca495991b7852b855\"},"
		  "{\"algorithm_id\":1,"
		  "\"value\":\"5c8e9264f1d03b7aa7d1c3f05b9e4826\"}]");
	record_unset(&record, RECORD_F_SHA256);
	has(ocsf(), "\"hashes\":[{\"algorithm_id\":1,");
	/* more than the schema's number takes */
	set(RECORD_F_PROCESS_ID, "2147483648");
	has_not(ocsf(), "\"pid\"");
	has(line, "\"process_id\":\"2147483648\"");
}
END_TEST

START_TEST(another_kind_of_malware_keeps_its_word)
{
	start(RECORD_RISK);
	set(RECORD_F_RISK_NAME, "Test.Sample");
	set(RECORD_F_CATEGORY_TYPE, "Toy");
	has(ocsf(), "\"malware\":[{\"name\":\"Test.Sample\","
		    "\"classifications\":[\"Toy\"],"
		    "\"classification_ids\":[99]}]");
}
END_TEST

START_TEST(times_of_no_calendar_are_left_out)
{
	start_traffic("outbound");
	record_set_time(&record, RECORD_F_BEGIN, INT64_C(1000000000001));
	record_set_time(&record, RECORD_F_END, -INT64_C(1000000000001));
	has_not(ocsf(), "\"start_time\"");
	has_not(line, "\"end_time\"");
}
END_TEST

START_TEST(times_before_1970_are_times)
{
	start(RECORD_ADMIN);
	record_set_time(&record, RECORD_F_TIME, -1);
	has(ocsf(), "\"time\":-1000,");
}
END_TEST

START_TEST(an_empty_record_is_an_event)
{
	char want[64];

	start((enum record_type)_i);
	snprintf(
	    want, sizeof(want), "\"log_name\":\"%s\"", record_type_name[_i].p);
	has(ocsf(), want);
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
	has(ocsf(), "9871");
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
	TCase *c = tcase_create("ocsf");

	tcase_add_test(c, an_outbound_connection);
	tcase_add_test(c, inbound_the_other_side_is_the_source);
	tcase_add_test(c, a_destination_is_always_there);
	tcase_add_test(c, other_actions_keep_their_word);
	tcase_add_loop_test(c, a_risk_is_a_finding, 0, COUNT(actions));
	tcase_add_test(c, an_attack_has_its_ends_as_evidence);
	tcase_add_test(c, a_scan_has_its_state);
	tcase_add_test(c, a_client_has_an_interface_for_each_address);
	tcase_add_test(c, a_process_has_its_number_and_the_hashes_of_its_file);
	tcase_add_test(c, another_kind_of_malware_keeps_its_word);
	tcase_add_test(c, times_of_no_calendar_are_left_out);
	tcase_add_test(c, times_before_1970_are_times);
	tcase_add_loop_test(
	    c, an_empty_record_is_an_event, 0, RECORD_TYPE_COUNT);
	tcase_add_test(c, no_field_is_lost);
	suite_add_tcase(s, c);
}

int
main(void)
{
	Suite *s = suite_create("ocsf");

	add_tests(s);
	return run_suite(s);
}
