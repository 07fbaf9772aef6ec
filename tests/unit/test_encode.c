#include <check.h>
#include <stdlib.h>

#include "../fuzz/strict.h"
#include "encode.h"

static struct record record;
static char line[65536];

static struct message_source
source(void)
{
	return (struct message_source){.zone = zone_utc(),
	    .codepage = &text_windows_1252,
	    .site = SPAN("HQ"),
	    .group = SPAN("My Company"),
	    .domain = SPAN("Default")};
}

static void
begin(void)
{
	record_reset(&record);
	record.type = RECORD_TRAFFIC;
	record_set_text(&record, RECORD_F_TYPE, SPAN("traffic"));
}

static const char *
jsonl(void)
{
	char *end = encode_jsonl_end(
	    SPAN("a-traffic-1-2"), encode_jsonl(&record, line));

	ck_assert(strict_line(line, (size_t)(end - line)));
	*end = '\0';
	return line;
}

START_TEST(what_no_line_may_hold_is_escaped)
{
	begin();
	record_set_text(&record, RECORD_F_RULE,
	    SPAN("q\" b\\ n\n t\t e\x1b z\0 d\x7f c\xc2\x85 l\xe2\x80\xa8 "
		 "\xc3\xa9"));
	ck_assert_str_eq(jsonl(),
	    "{\"type\":\"traffic\",\"rule\":\"q\\\" b\\\\ n\\n t\\t e\\u001b "
	    "z\\u0000 d\\u007f c\\u0085 l\\u2028 \xc3\xa9\","
	    "\"id\":\"a-traffic-1-2\"}\n");
}
END_TEST

START_TEST(every_kind_of_value_has_its_form)
{
	begin();
	record_set_time(&record, RECORD_F_TIME, 1468939613);
	record_set_number(&record, RECORD_F_LOCAL_PORT, 443);
	record.value[RECORD_F_ICMP].pair[0] = 8;
	record.value[RECORD_F_ICMP].pair[1] = 0;
	record.present |=
	    (uint64_t)1 << RECORD_F_ICMP | (uint64_t)1 << RECORD_F_FLAGS |
	    (uint64_t)1 << RECORD_F_ADDRESSES | (uint64_t)1 << RECORD_F_EXTRA;
	record.flags = RECORD_TRUNCATED | RECORD_RECODED;
	record.addresses = 1;
	record.address[0] =
	    (struct record_address){SPAN("192.0.2.1"), {"", 0}, {"", 0}};
	record.extras = 2;
	record.extra[0] = (struct record_extra){SPAN("X"), SPAN("1")};
	record.extra[1] = (struct record_extra){SPAN("X"), SPAN("2")};
	ck_assert_str_eq(jsonl(),
	    "{\"type\":\"traffic\",\"time\":\"2016-07-19T14:46:53Z\","
	    "\"local_port\":443,\"icmp\":[8,0],"
	    "\"addresses\":[{\"ip\":\"192.0.2.1\"}],"
	    "\"extra\":{\"X\":\"1\",\"X (2)\":\"2\"},"
	    "\"flags\":[\"truncated\",\"recoded\"],"
	    "\"id\":\"a-traffic-1-2\"}\n");
}
END_TEST

START_TEST(csv_fills_what_syslog_does_not_carry)
{
	struct message_source s = source();
	char *end;

	begin();
	record_set_time(&record, RECORD_F_TIME, 1468939613);
	record_set_text(&record, RECORD_F_HOST, SPAN("pc"));
	record_set_text(&record, RECORD_F_SEPM, SPAN("sepm"));
	record_set_text(&record, RECORD_F_SEVERITY, SPAN("err"));
	record_set_text(&record, RECORD_F_PROTOCOL, SPAN("tcp"));
	record_set_text(&record, RECORD_F_DIRECTION, SPAN("outbound"));
	record_set_text(&record, RECORD_F_ACTION, SPAN("allowed"));
	record_set_text(&record, RECORD_F_RULE, SPAN("a, \"b\"\nc"));
	record_set_text(&record, RECORD_F_LOCAL_MAC, SPAN("08:00:27:85:c5:cd"));
	end = encode_csv(&record, &s, line);
	*end = '\0';
	ck_assert_str_eq(line,
	    "07/19/2016 14:46:53,TCP initiated,07/19/2016 14:46:53,Major,pc,"
	    "0.0.0.0,0.0.0.0,0.0.0.0,,TCP,0,0,Outbound,,,,1,Not blocked,"
	    "\"a, \"\"b\"\" c\",0,0,08002785C5CD,000000000000,,,,Default,HQ,"
	    "sepm,My Company,pc\r\n");
}
END_TEST

START_TEST(raw_is_the_message_and_one_line)
{
	char *end;

	begin();
	record.original = SPAN("<54>a\x01 \xff\nb\r\n");
	end = encode_raw(&record, line);
	*end = '\0';
	ck_assert_str_eq(line, "<54>a\x01 \xff#012b\n");
}
END_TEST

/* Any bytes in any text field: a strict line within the bound. */
START_TEST(hostile_text_stays_one_strict_line)
{
	struct message_source s = source();
	char text[256];

	srand(1);
	for (int i = 0; i < 20000; i++) {
		size_t n = 0, room;
		char *out, *end;

		while (n < sizeof(text) - 4)
			n += text_put_utf8((uint32_t)rand() % 5
					       ? (uint32_t)rand() % 0x300
					       : (uint32_t)rand() % 0x110000,
			    text + n);
		begin();
		record_set_text(&record, RECORD_F_USER, span_of(text, n));
		room = encode_bound(n, &s);
		out = malloc(room);
		ck_assert_ptr_nonnull(out);
		end = encode_jsonl_end(SPAN("i"), encode_jsonl(&record, out));
		ck_assert_uint_le((size_t)(end - out), room);
		ck_assert(strict_line(out, (size_t)(end - out)));
		free(out);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("encode");
	TCase *t = tcase_create("encode");
	SRunner *runner;
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_test(t, what_no_line_may_hold_is_escaped);
	tcase_add_test(t, every_kind_of_value_has_its_form);
	tcase_add_test(t, csv_fills_what_syslog_does_not_carry);
	tcase_add_test(t, raw_is_the_message_and_one_line);
	tcase_add_test(t, hostile_text_stays_one_strict_line);
	suite_add_tcase(s, t);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
