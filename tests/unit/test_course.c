/*
 * A record that is read on its course is the one that the general way gives;
 * what leaves the course is left as it was.
 */
#include <check.h>

#include "encode.h"
#include "parser.h"
#include "run.h"
#include "sepm.h"
#include "testing.h"

#define HEAD "<54>May 14 08:30:11 sepm-north SymantecServer: "
#define NEW_1                                                                  \
	"Local Host IP: 192.0.2.31,Local Port: 50300,"                         \
	"Local Host MAC: 00005E00531F,Remote Host IP: 198.51.100.31,"          \
	"Remote Host Name: shop.example,Remote Port: 443,"                     \
	"Remote Host MAC: 00005E0053FE,"
#define NEW_2                                                                  \
	"Begin: 2024-05-14 08:29:00,End Time: 2024-05-14 08:29:09,"            \
	"Occurrences: 3,Application: C:/t.exe,Rule: Permit web,"               \
	"Location: Default,User Name: u,Domain Name: W,Action: Blocked,"
#define NEW_3                                                                  \
	"Begin: 2024-05-14 08:29:00,End Time: 2024-05-14 08:29:09,"            \
	"Occurrences: 3,Application: C:/t.exe,Rule: Permit web,"               \
	"Location: Default,User Name: u,Domain Name: W,Action: Blocked"
#define SHA "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
#define MD5 "5C8E9264F1D03B7AA7D1C3F05B9E4826"
#define NEW "pc-31," NEW_1 "TCP,Outbound," NEW_2 "SHA-256: " SHA ",MD-5: " MD5
#define OLD                                                                    \
	"pc-31,Local: 192.0.2.31,Local: 50300,Local: 00005E00531F,"            \
	"Remote: 198.51.100.31,Remote: shop.example,Remote: 443,"              \
	"Remote: 00005E0053FE,UDP,Inbound,Begin: 2024-05-14 08:29:00,"         \
	"End: 2024-05-14 08:29:09,Occurrences: 1,Application: ,"               \
	"Rule: Permit,Location: Guest,User: u,Domain: W,Action: Allowed"

static struct sepm_labels labels;
static struct sepm_context context;
static struct sepm_body body;
static struct timestamp_date date;
static struct record record;
static struct arena arena;

static void
setup(void)
{
	ck_assert(arena_init(&arena, 1 << 20));
	sepm_labels_init(&labels);
	context = (struct sepm_context){
	    .arena = &arena,
	    .labels = &labels,
	    .clock = {zone_utc(), NULL, &date, 0},
	    .tagged = true,
	};
	body.courses = (struct sepm_courses){.last = 0};
}

static void
teardown(void)
{
	arena_clear(&arena);
}

static void
ignore_cb(void *arg, struct span piece, struct span key, const char *why)
{
	(void)arg;
	(void)piece;
	(void)key;
	(void)why;
}

static bool
on_course(const char *text)
{
	record_reset(&record);
	arena_reset(&arena);
	return sepm_course_read(
	    &body.courses, span_str(text), &context, &record);
}

/* In the general way; the course that it goes is remembered. */
static void
learn(const char *text)
{
	context.explain = ignore_cb;
	record_reset(&record);
	arena_reset(&arena);
	ck_assert_ptr_null(
	    sepm_parse(&body, span_str(text), &context, &record));
	context.explain = NULL;
}

static size_t
courses(void)
{
	size_t n = 0;

	for (size_t i = 0; i < SEPM_COURSES; i++)
		n += body.courses.course[i].steps > 0;
	return n;
}

/* --- which records have a course --- */

static const struct {
	const char *text;
	bool has;
} records[] = {
    {NEW, true},
    {OLD, true},
    /* the SEPM in front of the client */
    {"sepm-1," NEW, true},
    {"pc-31," NEW_1 "TCP,Outbound," NEW_2 "SHA-256: ,MD-5: ", true},
    /* cut: what it ends with depends on values */
    {"pc-31," NEW_1 "TCP,Outbound," NEW_2 "SHA-256: " SHA ",MD-5: 5C8E", false},
    {"pc-31," NEW_1 "TCP,Outbound," NEW_2 "SHA-256: " SHA, false},
    /* new labels without hashes; half of their action: test_sepm.c */
    {"pc-31," NEW_1 "TCP,Outbound," NEW_3, true},
    /* SEP 11, which ends with Domain */
    {"pc-31,Local: 192.0.2.31,Local: 50300,Local: ,Remote: 198.51.100.31,"
     "Remote: ,Remote: 443,Remote: ,UDP,Inbound,Begin: 2024-05-14 08:29:00,"
     "End: 2024-05-14 08:29:09,Occurrences: 1,Application: ,Rule: Permit,"
     "Location: Guest,User: u,Domain: W",
	false},
    /* quotes, and commas without them */
    {"pc-31," NEW_1 "TCP,Outbound," NEW_2 "\"SHA-256: " SHA "\",MD-5: " MD5,
	false},
    {"pc-31," NEW_1 "TCP,Outbound,Begin: 2024-05-14 08:29:00,"
     "End Time: 2024-05-14 08:29:09,Rule: a,b,Action: Blocked,MD-5: " MD5,
	false},
    /* one bare field before Begin, or three: their words tell */
    {"pc-31," NEW_1 "TCP," NEW_2 "MD-5: " MD5, false},
    {"pc-31," NEW_1 "x,TCP,Outbound," NEW_2 "MD-5: " MD5, false},
    /* a label twice, one that nobody knows, one with a number */
    {"pc-31,Rule: a," NEW_1 "TCP,Outbound," NEW_2 "MD-5: " MD5, false},
    {"pc-31,Tenant: a," NEW_1 "TCP,Outbound," NEW_2 "MD-5: " MD5, false},
    {"pc-31,IP Address1: 192.0.2.31," NEW_1 "TCP,Outbound," NEW_2 "MD-5: " MD5,
	false},
    /* a label not written as SEPM does */
    {"pc-31,Local host ip: 192.0.2.31,Local Port: 1,Remote Host IP: 192.0.2.4,"
     "TCP,Outbound," NEW_2 "MD-5: " MD5,
	false},
    /* another log */
    {"pc-31,Local: 192.0.2.31,Local: 50300,Remote: 198.51.100.31,"
     "Remote: shop.example,Remote: 8443,Inbound,Application: C:/t.exe,"
     "Action: Blocked",
	false},
};

START_TEST(test_learn)
{
	learn(records[_i].text);
	ck_assert_uint_eq(courses(), records[_i].has);
	learn(records[_i].text);
	ck_assert_uint_eq(courses(), records[_i].has);
	ck_assert_int_eq(on_course(records[_i].text), records[_i].has);
}
END_TEST

/* The last ones are remembered, and all of them found. */
START_TEST(test_many)
{
	static const char *const texts[] = {NEW, OLD, "sepm-1," NEW,
	    "sepm-1," OLD, "pc-31," NEW_1 "TCP,Outbound," NEW_2 "MD-5: " MD5};

	for (size_t i = 0; i < COUNT(texts); i++)
		learn(texts[i]);
	ck_assert_uint_eq(courses(), SEPM_COURSES);
	for (size_t i = 0; i < COUNT(texts); i++)
		ck_assert_int_eq(on_course(texts[i]), i > 0);
}
END_TEST

/* --- which stay on it --- */

/* Values that are as good as any, and some that are none of their kind. */
static const char *const followers[] = {
    NEW,
    "x," NEW_1 "Others,Unknown," NEW_2 "SHA-256: ,MD-5: ",
    "LAPTOP-7," NEW_1 "17,Inbound ," NEW_2 "SHA-256: 12,MD-5: " MD5 "0",
    "pc-31," NEW_1 "ICMP,Outbound," NEW_2 "SHA-256: " SHA ",MD-5:" MD5 " ",
    "pc-31,Local Host IP: 300.0.2.1,Local Port: 65536,Local Host MAC: 1,"
    "Remote Host IP: 0.0.0.0,Remote Host Name: a:b,Remote Port: 0,"
    "Remote Host MAC: 000000000000,TCP,Outbound,Begin: x,End Time: ,"
    "Occurrences: -1,Application: Rule: x,Rule:  y ,Location: \xc2\xa0z,"
    "User Name: \"\"q\",Domain Name: p\"q,Action: what,SHA-256: ,MD-5: ",
    "pc-31,Local Host IP: 2001:DB8::1,Local Port: 8,Local Host MAC: ,"
    "Remote Host IP: ::,Remote Host Name: \xe2\x82\xac,Remote Port: ,"
    "Remote Host MAC: 00-00-5e-00-53-01,ICMP,Inbound,"
    "Begin: 02/29/2024 1:00:00 PM,End Time: 2024-02-29T13:00:00,"
    "Occurrences: 0,Application: ,Rule: ,Location: ,User Name: ,"
    "Domain Name: ,Action: ,SHA-256: ,MD-5: ",
};

static struct span
line_of(struct parser *parser, const char *text, char *room)
{
	struct message_source source = {
	    .zone = zone_utc(), .codepage = &text_windows_1252};
	struct message message = {.bytes = span_str(text),
	    .length = strlen(text),
	    .reference = 1715700000};
	static struct timestamp_days days;
	static char whole[2048];

	snprintf(whole, sizeof(whole), HEAD "%s", text);
	message.bytes = span_str(whole);
	message.length = message.bytes.n;
	parser_parse(parser, &message, &source, &record);
	return span_between(room, encode_jsonl(&record, &days, room));
}

START_TEST(test_same)
{
	static char room[2][65536];
	struct parser *parser = parser_new(4096);
	enum record_release release;
	struct span slow, fast;

	ck_assert_ptr_nonnull(parser);
	line_of(parser, NEW, room[0]);
	for (size_t i = 0; i < COUNT(followers); i++) {
		fast = line_of(parser, followers[i], room[0]);
		release = record.release;
		ck_assert_uint_eq(release, RECORD_RELEASE_14_3);
		parser_explain(parser, ignore_cb, NULL);
		slow = line_of(parser, followers[i], room[1]);
		parser_explain(parser, NULL, NULL);
		ck_assert_uint_eq(record.release, release);
		ck_assert_msg(span_eq(slow, fast), "%.*s\n%.*s", (int)slow.n,
		    slow.p, (int)fast.n, fast.p);
	}
	parser_free(parser);
}
END_TEST

START_TEST(test_follow)
{
	learn(NEW);
	/* the fifth has a quote, which only the general way judges */
	for (size_t i = 0; i < COUNT(followers); i++)
		ck_assert_int_eq(on_course(followers[i]), i != 4);
	ck_assert_uint_eq(record.type, RECORD_TRAFFIC);
}
END_TEST

/* The SEPM's name: behind the tag, in front of the client, before the tag. */
START_TEST(test_names)
{
	learn("sepm-1," NEW);
	context.name_before_tag = SPAN("relay");
	ck_assert(on_course("sepm-2," NEW));
	ck_assert(span_eq(record_text(&record, RECORD_F_SEPM), SPAN("sepm-2")));
	ck_assert(span_eq(record_text(&record, RECORD_F_HOST), SPAN("pc-31")));
	context.name_after_tag = SPAN("north");
	ck_assert(on_course("sepm-2," NEW));
	ck_assert(span_eq(record_text(&record, RECORD_F_SEPM), SPAN("north")));

	context.name_after_tag = SPAN("");
	learn(NEW);
	ck_assert(on_course(NEW));
	ck_assert(span_eq(record_text(&record, RECORD_F_SEPM), SPAN("relay")));
}
END_TEST

/* --- which leave it --- */

#define COMMAS_16 ",,,,,,,,,,,,,,,,"
#define COMMAS_64 COMMAS_16 COMMAS_16 COMMAS_16 COMMAS_16

static const char *const leavers[] = {
    "",
    ",",
    "pc-31",
    "," NEW_1 "TCP,Outbound," NEW_2 "SHA-256: ,MD-5: ",
    " pc-31," NEW_1 "TCP,Outbound," NEW_2 "SHA-256: ,MD-5: ",
    "a:b," NEW_1 "TCP,Outbound," NEW_2 "SHA-256: ,MD-5: ",
    "\xc3\xa9," NEW_1 "TCP,Outbound," NEW_2 "SHA-256: ,MD-5: ",
    "\"pc-31\"," NEW_1 "TCP,Outbound," NEW_2 "SHA-256: ,MD-5: ",
    "Local Port 5," NEW_1 "TCP,Outbound," NEW_2 "SHA-256: ,MD-5: ",
    "pc-31," NEW_1 "TCP," NEW_2 "SHA-256: ,MD-5: ",
    "pc-31," NEW_1 "TCP,Outbound,x," NEW_2 "SHA-256: ,MD-5: ",
    "pc-31," NEW_1 "TCP,Outbound," NEW_2 "SHA-256: ,MD-5: ,",
    "pc-31," NEW_1 "TCP,Outbound," NEW_2 "SHA-256: ,MD-5: ,x",
    "pc-31," NEW_1 "TCP,Outbound," NEW_2 "SHA-256: ",
    "pc-31," NEW_1 "TCP,Outbound," NEW_2 "SHA-256: ,MD-5: 5C",
    "pc-31," NEW_1 "TCP,Outbound," NEW_2 "SHA-256: ,MD-5: " MD5 "\"",
    "pc-31," NEW_1 "TCP,Outbound," NEW_2 "SHA-256: \"" SHA "\",MD-5: ",
    "pc-31," NEW_1 "TCP,Outbound," NEW_2 "SHA256: ,MD-5: ",
    "x-31," OLD,
    /* more fields than any course, at once and in the end */
    "pc-31," NEW_1 "TCP,Outbound," NEW_2 "SHA-256: ,MD-5: " COMMAS_64,
    COMMAS_64 COMMAS_64 COMMAS_64,
    COMMAS_64 "pc-31," NEW_1 "TCP,Outbound," NEW_2 "SHA-256: ,MD-5: ",
    "pc-31," NEW_1 "TCP,Outbound," NEW_2 "SHA-256: ,MD-5: " COMMAS_16 COMMAS_16,
};

START_TEST(test_leave)
{
	struct record before;

	learn(NEW);
	record_reset(&record);
	arena_reset(&arena);
	record_set_text(&record, RECORD_F_SEPM, SPAN("north"));
	record.flags = RECORD_RECODED;
	before = record;
	ck_assert(!sepm_course_read(
	    &body.courses, span_str(leavers[_i]), &context, &record));
	ck_assert_mem_eq(
	    record.present, before.present, sizeof(before.present));
	ck_assert_uint_eq(record.flags, before.flags);
	ck_assert_uint_eq(record.type, before.type);
	ck_assert_uint_eq(record.extras, 0);
	ck_assert_uint_eq(arena.used, 0);
}
END_TEST

/* A record that its last field takes off the course leaves nothing behind. */
START_TEST(test_leave_late)
{
	learn(NEW);
	ck_assert(!on_course(
	    "pc-31,Local Host IP: x,Local Port: 1,"
	    "Local Host MAC: 00005E00531F,"
	    "Remote Host IP: 198.51.100.31,"
	    "Remote Host Name: ,Remote Port: 443,"
	    "Remote Host MAC: y,TCP,Outbound," NEW_2 "SHA-256: ,MD-5: 5C"));
	ck_assert_uint_eq(record.extras, 0);
	ck_assert(!record_has(&record, RECORD_F_EXTRA));
}
END_TEST

/* Long texts, cut messages and explanations are for the general way. */
START_TEST(test_general)
{
	static char text[8192];
	size_t n;

	learn(NEW);
	n = (size_t)snprintf(text, sizeof(text),
	    "pc-31," NEW_1 "TCP,Outbound,Begin: 2024-05-14 08:29:00,"
	    "End Time: 2024-05-14 08:29:09,Occurrences: 3,Application: %03000d,"
	    "Rule: r,Location: Default,User Name: u,Domain Name: W,"
	    "Action: Blocked,SHA-256: ,MD-5: ",
	    1);
	ck_assert_uint_lt(n, 4096);
	ck_assert(on_course(text));
	n = (size_t)snprintf(text, sizeof(text),
	    "pc-31," NEW_1 "TCP,Outbound,Begin: 2024-05-14 08:29:00,"
	    "End Time: 2024-05-14 08:29:09,Occurrences: 3,Application: %04000d,"
	    "Rule: r,Location: Default,User Name: u,Domain Name: W,"
	    "Action: Blocked,SHA-256: ,MD-5: ",
	    1);
	ck_assert_uint_ge(n, 4096);
	ck_assert(!on_course(text));
	ck_assert(on_course(NEW));
	context.cut = true;
	ck_assert(!on_course(NEW));
	context.cut = false;
	context.explain = ignore_cb;
	ck_assert(!on_course(NEW));
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("course");
	TCase *tc = tcase_create("course");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, test_learn, 0, COUNT(records));
	tcase_add_test(tc, test_many);
	tcase_add_test(tc, test_same);
	tcase_add_test(tc, test_follow);
	tcase_add_test(tc, test_names);
	tcase_add_loop_test(tc, test_leave, 0, COUNT(leavers));
	tcase_add_test(tc, test_leave_late);
	tcase_add_test(tc, test_general);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return run_suite(suite());
}
