/* CEF and LEEF. */
#include <check.h>
#include <stdio.h>

#include "encoded.h"
#include "run.h"

static const char *
cef(void)
{
	return encoded(ENCODE_CEF, "");
}

static const char *
leef(void)
{
	return encoded(ENCODE_LEEF, "");
}

START_TEST(cef_of_an_outbound_connection)
{
	start_traffic("outbound");
	ck_assert_str_eq(encoded(ENCODE_CEF, "a-traffic-1-2"),
	    "CEF:0|Symantec|Endpoint Protection Manager||traffic|"
	    "Firewall traffic|7|rt=1468939613000 start=1468939397000 "
	    "end=1468939398000 cat=traffic deviceDirection=1 proto=TCP "
	    "src=192.0.2.47 spt=51514 smac=00:00:5e:00:53:1f "
	    "dst=198.51.100.30 dpt=80 dmac=00:00:5e:00:53:fe "
	    "dhost=www.birch.example shost=pc-0147 suser=mwhite "
	    "sntdom=BIRCH sproc=C:/Tools/sync/syncd.exe act=allowed cnt=3 "
	    "deviceFacility=lpr dvchost=sepm-north cs1=Permit branch web "
	    "cs1Label=Rule cs2=Default cs2Label=Location "
	    "SymantecSEPMSeverity=err externalId=a-traffic-1-2");
}
END_TEST

START_TEST(cef_inbound_is_swapped)
{
	start_traffic("inbound");
	has(cef(), " deviceDirection=0 ");
	has(line, " src=198.51.100.30 spt=80 ");
	has(line, " shost=www.birch.example ");
	has(line, " dst=192.0.2.47 dpt=51514 ");
	has(line, " dhost=pc-0147 duser=mwhite dntdom=BIRCH dproc=");
}
END_TEST

START_TEST(cef_of_an_unknown_direction)
{
	start_traffic("unknown");
	has_not(cef(), " src=");
	has_not(line, " dst=");
	has(line, " SymantecSEPMLocalIp=192.0.2.47 ");
	has(line, " SymantecSEPMRemotePort=80 ");
}
END_TEST

START_TEST(cef_has_other_keys_for_ipv6)
{
	start_traffic("outbound");
	set(RECORD_F_LOCAL_IP, "2001:db8::1");
	set(RECORD_F_REMOTE_IP, "2001:db8::2");
	has_not(cef(), " src=");
	has(line, " c6a2=2001:db8::1 c6a2Label=Source IPv6 Address ");
	has(line, " c6a3=2001:db8::2 c6a3Label=Destination IPv6 Address ");
}
END_TEST

static const struct {
	const char *text, *cef, *leef;
} escapes[] = {
    {"a|b", "a|b", "a|b"},
    {"a=b", "a\\=b", "a=b"},
    {"C:\\dir", "C:\\\\dir", "C:\\dir"},
    {"\\=", "\\\\\\=", "\\="},
    {"two\nlines", "two\\nlines", "two lines"},
    {"two\r\nlines", "two\\r\\nlines", "two  lines"},
    {"a\tb\x01"
     "c\x7f",
	"a b c ", "a b c "},
    {"a\xc2\x85"
     "b\xe2\x80\xa8"
     "c",
	"a b c", "a b c"},
    {"\xc3\xa9t\xc3\xa9", "\xc3\xa9t\xc3\xa9", "\xc3\xa9t\xc3\xa9"},
    {"a src=1.2.3.4", "a src\\=1.2.3.4", "a src=1.2.3.4"},
};

START_TEST(values_are_escaped)
{
	char want[64];

	start(RECORD_TRAFFIC);
	set(RECORD_F_RULE, escapes[_i].text);
	snprintf(want, sizeof(want), " cs1=%s cs1Label=Rule", escapes[_i].cef);
	has(cef(), want);
	snprintf(want, sizeof(want), "\tpolicy=%s", escapes[_i].leef);
	has(leef(), want);
}
END_TEST

/* Not cut, but put where there is no limit. */
START_TEST(cef_keeps_its_lengths)
{
	char text[101 + 1] = {0}, want[160];

	memset(text, 'a', 100);
	start(RECORD_TRAFFIC);
	set(RECORD_F_SEPM, text);
	snprintf(want, sizeof(want), " dvchost=%s", text);
	has(cef(), want);
	text[100] = 'a';
	set(RECORD_F_SEPM, text);
	has_not(cef(), "dvchost");
	snprintf(want, sizeof(want), " SymantecSEPMSepm=%s", text);
	has(cef(), want);
}
END_TEST

START_TEST(a_process_has_its_number)
{
	start_traffic("outbound");
	set(RECORD_F_PROCESS_ID, "4711");
	has(cef(), " sproc=C:/Tools/sync/syncd.exe spid=4711 ");
	has_not(line, "SymantecSEPMProcessId");
}
END_TEST

START_TEST(icmp_of_ipv6_is_another_protocol)
{
	start_traffic("outbound");
	set(RECORD_F_PROTOCOL, "icmp");
	set(RECORD_F_LOCAL_IP, "2001:db8::1");
	set(RECORD_F_REMOTE_IP, "2001:db8::2");
	has(cef(), " proto=IPV6-ICMP ");
	has(leef(), "\tproto=IPV6-ICMP\t");
}
END_TEST

START_TEST(times_of_no_calendar_have_no_place)
{
	start_traffic("outbound");
	record_set_time(&record, RECORD_F_BEGIN, INT64_C(1000000000001));
	record_set_time(&record, RECORD_F_END, -INT64_C(1000000000001));
	has_not(cef(), " start=");
	has_not(line, " end=");
	has(line, "|rt=1468939613000 cat=");
}
END_TEST

START_TEST(a_client_of_another_address_is_identified)
{
	start(RECORD_RISK);
	set(RECORD_F_IP_ADDRESS, "192.0.2.31");
	set(RECORD_F_HOST, "pc-31");
	has(leef(), "\tidentSrc=192.0.2.31\tidentHostName=pc-31");
	has_not(line, "ip_address=");
}
END_TEST

START_TEST(lists_are_in_one_value)
{
	start(RECORD_TRAFFIC);
	record.flags = RECORD_TRUNCATED | RECORD_RECODED;
	record.addresses = 3;
	record.address[0] = (struct record_address){
	    SPAN("192.0.2.1"), SPAN("00:00:5e:00:53:01"), SPAN("192.0.2.9")};
	record.address[1] = (struct record_address){{"", 0}, {"", 0}, {"", 0}};
	record.address[2] =
	    (struct record_address){SPAN("192.0.2.2"), {"", 0}, {"", 0}};
	record_add_extra(&record, SPAN("A=b"), SPAN("1"));
	record.extra[record.extras++] =
	    (struct record_extra){SPAN("Empty"), {"", 0}};
	record_add_extra(&record, SPAN("C"), SPAN("2;3"));
	record.value[RECORD_F_ICMP].pair[0] = 8;
	record.value[RECORD_F_ICMP].pair[1] = 1;
	record_mark(&record, RECORD_F_ICMP);
	has(cef(), " SymantecSEPMFlags=truncated recoded");
	has(line, " SymantecSEPMAddresses=192.0.2.1 00:00:5e:00:53:01 "
		  "192.0.2.9; 192.0.2.2 ");
	has(line, " SymantecSEPMExtra=A\\=b: 1; C: 2;3 ");
	has(line, " SymantecSEPMIcmp=8 1 ");
	has(leef(), "\textra=A=b: 1; C: 2;3\t");
	has(line, "\ticmp=8 1\t");
}
END_TEST

START_TEST(a_risk_came_to_the_client)
{
	start(RECORD_RISK);
	set(RECORD_F_HOST, "pc-1");
	set(RECORD_F_USER, "a.larsen");
	set(RECORD_F_IP_ADDRESS, "192.0.2.1");
	set(RECORD_F_SOURCE_COMPUTER_NAME, "pc-2");
	set(RECORD_F_SOURCE_COMPUTER_IP, "192.0.2.2");
	has(cef(), " src=192.0.2.2 shost=pc-2 dst=192.0.2.1 dhost=pc-1 "
		   "duser=a.larsen");
}
END_TEST

START_TEST(leef_of_an_outbound_connection)
{
	start_traffic("outbound");
	ck_assert_str_eq(encoded(ENCODE_LEEF, "a-traffic-1-2"),
	    "LEEF:2.0|Symantec|Endpoint Protection Manager|unknown|traffic|"
	    "x09|devTime=Jul 19 2016 14:43:17 UTC\t"
	    "devTimeFormat=MMM dd yyyy HH:mm:ss zzz\tcat=allowed\tsev=7\t"
	    "proto=TCP\tsrc=192.0.2.47\tsrcPort=51514\t"
	    "srcMAC=00:00:5e:00:53:1f\tdst=198.51.100.30\tdstPort=80\t"
	    "dstMAC=00:00:5e:00:53:fe\tidentSrc=192.0.2.47\t"
	    "identHostName=pc-0147\tusrName=mwhite\t"
	    "policy=Permit branch web\tresource=pc-0147\t"
	    "time=2016-07-19T14:46:53Z\tsepm=sepm-north\tfacility=lpr\t"
	    "severity=err\tremote_name=www.birch.example\t"
	    "direction=outbound\tbegin=2016-07-19T14:43:17Z\t"
	    "end=2016-07-19T14:43:18Z\toccurrences=3\t"
	    "application=C:/Tools/sync/syncd.exe\tlocation=Default\t"
	    "domain=BIRCH\taction=allowed\tid=a-traffic-1-2");
}
END_TEST

START_TEST(leef_inbound_is_swapped)
{
	start_traffic("inbound");
	has(leef(), "\tsrc=198.51.100.30\tsrcPort=80\t");
	has(line, "\tdst=192.0.2.47\tdstPort=51514\t");
	has(line, "\tidentSrc=192.0.2.47\t");
	start_traffic("unknown");
	has_not(leef(), "\tsrc=");
	has(line, "\tremote_ip=198.51.100.30\t");
}
END_TEST

START_TEST(an_empty_record_is_a_line)
{
	char want[128];

	start((enum record_type)_i);
	snprintf(want, sizeof(want), "||%s|", record_type_name[_i].p);
	has(cef(), want);
	has(line, "|0|cat=");
	snprintf(want, sizeof(want), "|%s|x09|cat=%s\tsev=1",
	    record_type_name[_i].p, record_type_name[_i].p);
	has(leef(), want);
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
	has(cef(), "9871");
	has(leef(), "9871");
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
	TCase *c = tcase_create("cef"), *l = tcase_create("leef"),
	      *both = tcase_create("both");

	tcase_add_test(c, cef_of_an_outbound_connection);
	tcase_add_test(c, cef_inbound_is_swapped);
	tcase_add_test(c, cef_of_an_unknown_direction);
	tcase_add_test(c, cef_has_other_keys_for_ipv6);
	tcase_add_test(c, cef_keeps_its_lengths);
	tcase_add_test(c, a_risk_came_to_the_client);
	tcase_add_test(l, leef_of_an_outbound_connection);
	tcase_add_test(l, leef_inbound_is_swapped);
	tcase_add_loop_test(both, values_are_escaped, 0, COUNT(escapes));
	tcase_add_test(c, a_process_has_its_number);
	tcase_add_test(c, times_of_no_calendar_have_no_place);
	tcase_add_test(l, a_client_of_another_address_is_identified);
	tcase_add_test(both, icmp_of_ipv6_is_another_protocol);
	tcase_add_test(both, lists_are_in_one_value);
	tcase_add_loop_test(
	    both, an_empty_record_is_a_line, 0, RECORD_TYPE_COUNT);
	tcase_add_test(both, no_field_is_lost);
	suite_add_tcase(s, c);
	suite_add_tcase(s, l);
	suite_add_tcase(s, both);
}

int
main(void)
{
	Suite *s = suite_create("pairs");

	add_tests(s);
	return run_suite(s);
}
