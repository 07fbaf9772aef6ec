#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "guard.h"
#include "run.h"
#include "syslog_header.h"
#include "testing.h"

static struct sepm_labels labels;

static void
setup(void)
{
	sepm_labels_init(&labels);
}

static struct syslog_header
peel(struct span text)
{
	struct syslog_header h;

	syslog_header_peel(text, &labels, &h, NULL, NULL);
	return h;
}

/* `2024-05-14 08:30:11 +7200`, with zeros for what the stamp leaves out. */
static const char *
stamp_text(bool there, const struct timestamp *t, char out[64])
{
	const struct civil *c = &t->civil;
	int n;

	out[0] = '\0';
	if (!there)
		return out;
	n = snprintf(out, 64, "%04d-%02d-%02d %02d:%02d:%02d", c->year,
	    c->month, c->day, c->hour, c->minute, c->second);
	if (t->has_offset)
		snprintf(out + n, 64 - (size_t)n, " %+d", (int)t->offset);
	return out;
}

/* An empty string: it must not be there. */
struct peeled {
	const char *text;
	const char *pri; /* facility.severity */
	const char *stamp;
	const char *dated;
	const char *before, *after; /* names at the tag */
	const char *body;
	bool tagged;
};

#define SITE "Site: Oak Site,Server Name: oak,Event Description: Done."
#define HEAD "pc-0147,Local Host IP: 192.0.2.47,Local Port: 443"
#define MAY "0000-05-14 08:30:11"

/* The numbers are those of the shapes in the samples' README. */
static const struct peeled shapes[] = {
    /* 1 */
    {"<54>May 14 08:30:11 oak SymantecServer: " HEAD, "6.6", MAY, "", "oak", "",
	HEAD, true},
    {"<54>May 14 08:30:11 2001:db8:: SymantecServer: " HEAD, "6.6", MAY, "",
	"2001:db8::", "", HEAD, true},
    {"<54>May 14 08:30:11 2001:db8::7 SymantecServer: " HEAD, "6.6", MAY, "",
	"2001:db8::7", "", HEAD, true},
    {"<54>May 14 08:30:11 oak: SymantecServer: " HEAD, "6.6", MAY, "", "oak",
	"", HEAD, true},
    /* 2 */
    {"<51>May 4 08:30:11 oak SymantecServer: " SITE, "6.3",
	"0000-05-04 08:30:11", "", "oak", "", SITE, true},
    {"<51>May  4 08:30:11 oak SymantecServer: " SITE, "6.3",
	"0000-05-04 08:30:11", "", "oak", "", SITE, true},
    /* 3 */
    {"<142> May 14 08:30:11 198.51.100.9 SymantecServer SEPM-A1: " HEAD, "17.6",
	MAY, "", "198.51.100.9", "SEPM-A1", HEAD, true},
    /* 4 */
    {"May 14 08:30:11 oak SymantecServer " HEAD, "", MAY, "", "oak", "", HEAD,
	true},
    {"May 14 08:30:11 oak SymantecServer pc-0147,SHA-256: ,MD-5: ", "", MAY, "",
	"oak", "", "pc-0147,SHA-256: ,MD-5:", true},
    /* 5 */
    {"May 14 08:30:11 198.51.100.9 SymantecServer: SEPM-A1: " SITE, "", MAY, "",
	"198.51.100.9", "SEPM-A1", SITE, true},
    /* 6 */
    {"<54>May 14 08:30:11 SymantecServer: " HEAD, "6.6", MAY, "", "", "", HEAD,
	true},
    /* 7 */
    {"<50>May 14 08:30:11 SymantecServer: SEPM-A1," HEAD, "6.2", MAY, "", "",
	"", "SEPM-A1," HEAD, true},
    {"<50>May 14 08:30:11 SymantecServer: SEPM-A1,Scan ID: 7", "6.2", MAY, "",
	"", "", "SEPM-A1,Scan ID: 7", true},
    /* 8 */
    {"<54>May 14 08:30:11 oak  SymantecServer:  " HEAD "\t\t \r", "6.6", MAY,
	"", "oak", "", HEAD, true},
    /* 9 */
    {"May 14 08:30:00 [198.51.100.9] May 14 08:30:11 SymantecServer "
     "SEPM-A1:,Category: 1,Updater,Up.",
	"", MAY, "", "", "SEPM-A1", ",Category: 1,Updater,Up.", true},
    /* 10 */
    {"<54>May 14 08:30:11 198.51.100.9 oak SymantecServer: " SITE, "6.6", MAY,
	"", "oak", "", SITE, true},
    {"June 14 08:30:11 oak SymantecServer: " SITE, "", "0000-06-14 08:30:11",
	"", "oak", "", SITE, true},
    {"08:30:11 SymantecServer SEPM-A1: " SITE, "", "0000-00-00 08:30:11", "",
	"", "SEPM-A1", SITE, true},
    /* 11 */
    {"2024-05-14T10:30:11+02:00 oak SymantecServer: " SITE, "",
	"2024-05-14 10:30:11 +7200", "", "oak", "", SITE, true},
    {"2024-05-14T10:30:11+02:00,oak SymantecServer: " SITE, "",
	"2024-05-14 10:30:11 +7200", "", "oak", "", SITE, true},
    {"2024-05-14T10:30:11Z, oak SymantecServer: " SITE, "",
	"2024-05-14 10:30:11 +0", "", "oak", "", SITE, true},
    {"2024-05-14 08:30:11 oak SymantecServer: " SITE, "", "2024-05-14 08:30:11",
	"", "oak", "", SITE, true},
    /* 12 */
    {"5/14/2024 1:10:09 PM [7] From:oak (192.0.2.5) Fac:6 Sev:3 Msg >>> "
     "May 14 08:30:11 oak SymantecServer: " HEAD,
	"6.3", MAY, "2024-05-14 13:10:09", "oak", "", HEAD, true},
    {"12/1/2023 12:00:01 AM [22] From:198.51.100.9 (198.51.100.9) Fac:16 "
     "Sev:4 Msg >>> " SITE,
	"16.4", "2023-12-01 00:00:01", "", "", "", SITE, false},
    /* 13 */
    {"<54>1 2024-05-14T08:30:11Z oak SymantecServer - - - " HEAD, "6.6",
	"2024-05-14 08:30:11 +0", "", "oak", "", HEAD, true},
    {"<54>1 2024-05-14T08:30:11.5Z oak SymantecServer: 47 - - " HEAD, "6.6",
	"2024-05-14 08:30:11 +0", "", "oak", "", HEAD, true},
    {"<150>1 2024-05-14T08:30:11Z 198.51.100.9 relay 4711 - [a@1 b=\"c "
     "\\\"]\\] d\"][e f=\"g\"] \xef\xbb\xbf" HEAD,
	"18.6", "2024-05-14 08:30:11 +0", "", "", "", HEAD, false},
    {"<54>1 - - SymantecServer - - - " HEAD, "6.6", "", "", "", "", HEAD, true},
    {"<54>1 2024-05-14T08:30:11Z relay1 relay - - - SymantecServer: " HEAD,
	"6.6", "2024-05-14 08:30:11 +0", "", "", "", HEAD, true},
    /* 14 */
    {"oak SymantecServer: " HEAD, "", "", "", "oak", "", HEAD, true},
    {"SymantecServer: " HEAD, "", "", "", "", "", HEAD, true},
    {HEAD, "", "", "", "", "", HEAD, false},
    {SITE, "", "", "", "", "", SITE, false},
    {"  \t" HEAD " ", "", "", "", "", "", HEAD, false},
    /* 15: the stamp of a dump file's line stands for the tag */
    {"2024-05-14 11:00:00," HEAD, "", "2024-05-14 11:00:00", "", "", "", HEAD,
	true},
    {"2024-05-14 11:00:00," SITE, "", "2024-05-14 11:00:00", "", "", "", SITE,
	true},
};

START_TEST(each_shape_is_peeled)
{
	const struct peeled *c = &shapes[_i];
	struct syslog_header h = peel(span_str(c->text));
	char pri[16] = "", stamp[64], dated[64];

	if (h.facility >= 0)
		snprintf(pri, sizeof(pri), "%d.%d", h.facility, h.severity);
	ck_assert_str_eq(pri, c->pri);
	ck_assert_int_eq(h.facility < 0, h.severity < 0);
	ck_assert_str_eq(stamp_text(h.has_stamp, &h.stamp, stamp), c->stamp);
	ck_assert_str_eq(stamp_text(h.has_dated, &h.dated, dated), c->dated);
	ck_assert_msg(span_eq(h.name_before_tag, span_str(c->before)),
	    "before the tag: %.*s", (int)h.name_before_tag.n,
	    h.name_before_tag.p);
	ck_assert_msg(span_eq(h.name_after_tag, span_str(c->after)),
	    "after the tag: %.*s", (int)h.name_after_tag.n, h.name_after_tag.p);
	ck_assert_msg(span_eq(h.body, span_str(c->body)), "body: %.*s",
	    (int)h.body.n, h.body.p);
	ck_assert_int_eq(h.tagged, c->tagged);
	ck_assert_uint_eq(h.severity_word.n, 0);
}
END_TEST

#define INNER "May 14 08:30:11 oak SymantecServer: " SITE

/* What relays and viewers pile up in front; the innermost stamp and PRI. */
static const struct {
	const char *text, *pri, *stamp, *dated;
} stacks[] = {
    {INNER, "", MAY, ""},
    {"<30>" INNER, "3.6", MAY, ""},
    {"<13><54>" INNER, "6.6", MAY, ""},
    {"<13>May 14 08:31:00 relay1 <54>" INNER, "6.6", MAY, ""},
    {"<13>May 14 08:31:00 relay1 sepm: <54>" INNER, "6.6", MAY, ""},
    {"<13>May 14 08:31:00 relay1 " INNER, "1.5", MAY, ""},
    {"<13>May 14 08:31:00 relay1 sepm[71]: " INNER, "1.5", MAY, ""},
    {"May 14 08:31:00 [192.0.2.9] <54>" INNER, "6.6", MAY, ""},
    {"<13>1 2024-05-14T08:31:00Z relay1 - - - - <54>" INNER, "6.6", MAY,
	"2024-05-14 08:31:00 +0"},
    {"2024-05-14T08:31:00Z relay1 <54>" INNER, "6.6", MAY,
	"2024-05-14 08:31:00 +0"},
    {"2023-01-01T00:00:00Z relay1 2024-05-14T08:31:00Z relay2 " INNER, "", MAY,
	"2024-05-14 08:31:00 +0"},
    {"08:31:00 " INNER, "", MAY, ""},
    {"5/14/2024 1:10:09 PM [7] From:oak (192.0.2.5) Fac:6 Sev:3 Msg >>> <54>"
     "1 2024-05-14T08:32:00Z relay1 - - - - " INNER,
	"6.6", MAY, "2024-05-14 08:32:00 +0"},
};

START_TEST(headers_in_front_of_headers_are_peeled)
{
	struct syslog_header h = peel(span_str(stacks[_i].text));
	char pri[16] = "", stamp[64], dated[64];

	if (h.facility >= 0)
		snprintf(pri, sizeof(pri), "%d.%d", h.facility, h.severity);
	ck_assert_str_eq(pri, stacks[_i].pri);
	ck_assert_str_eq(
	    stamp_text(h.has_stamp, &h.stamp, stamp), stacks[_i].stamp);
	ck_assert_str_eq(
	    stamp_text(h.has_dated, &h.dated, dated), stacks[_i].dated);
	ck_assert(span_eq(h.body, span_str(SITE)));
	ck_assert(span_eq(h.name_before_tag, SPAN("oak")));
	ck_assert(h.tagged);
}
END_TEST

/* A header that cannot be read never costs the body. */
static const struct {
	const char *header, *before;
} unreadable[] = {
    {"<192>May 14 08:30:11 oak SymantecServer: ", "oak"},
    {"<>May 14 08:30:11 oak SymantecServer: ", "oak"},
    {"<54May 14 08:30:11 oak SymantecServer: ", "oak"},
    {"Mai 14 08:30:11 oak SymantecServer: ", "oak"},
    {"May 32 08:30:11 oak SymantecServer: ", "oak"},
    {"Feb 30 08:30:11 oak SymantecServer: ", "oak"},
    {"14.05.2024 08:30:11 oak SymantecServer: ", "oak"},
    {"<54>1 yesterday oak app - - - oak SymantecServer: ", "oak"},
    {"? ? oak SymantecServer: ", "oak"},
    {"5/14/2024 1:10:09 PM [7] From:x (192.0.2.5) Fac:6 Sev:8 Msg >>> oak "
     "SymantecServer: ",
	"oak"},
};

START_TEST(an_unreadable_header_does_not_cost_the_body)
{
	char text[512];
	struct syslog_header h;

	snprintf(text, sizeof(text), "%s%s", unreadable[_i].header, SITE);
	h = peel(span_str(text));
	ck_assert_msg(span_eq(h.body, span_str(SITE)), "body: %.*s",
	    (int)h.body.n, h.body.p);
	ck_assert(span_eq(h.name_before_tag, span_str(unreadable[_i].before)));
	ck_assert(h.tagged);
	ck_assert_int_le(h.severity, 7);
}
END_TEST

/* What looks like the tag or a name, and is none. */
static const struct {
	const char *text, *body, *after;
	bool tagged;
} names[] = {
    /* a word with a colon is a name only if it is no label */
    {"oak SymantecServer Site: Oak Site", "Site: Oak Site", "", true},
    {"oak SymantecServer: site: Oak Site", "site: Oak Site", "", true},
    {"oak SymantecServer Admin: root2", "Admin: root2", "", true},
    {"oak SymantecServer: fe-01.oak_2: Site: x", "Site: x", "fe-01.oak_2",
	true},
    /* two words are no name */
    {"oak SymantecServer: Scan ID: 7", "Scan ID: 7", "", true},
    {"oak SymantecServer: Virus found,Risk name: x", "Virus found,Risk name: x",
	"", true},
    /* no blank and no comma behind the colon */
    {"oak SymantecServer: C:/x,y", "C:/x,y", "", true},
    /* the tag inside a value is text */
    {"pc,Rule: oak SymantecServer: x", "pc,Rule: oak SymantecServer: x", "",
	false},
    {"{\"x\":1} SymantecServer: x", "{\"x\":1} SymantecServer: x", "", false},
    {"oak SymantecServers: x", "oak SymantecServers: x", "", false},
    {"oak symantecserver: x", "oak symantecserver: x", "", false},
    /* nothing behind it */
    {"oak SymantecServer:", "", "", true},
    {"oak SymantecServer", "", "", true},
    {"oak SymantecServer: SEPM-A1:", "", "SEPM-A1", true},
    {"oak SymantecServer:,Category: 1", ",Category: 1", "", true},
};

START_TEST(tag_and_name_are_told_from_text)
{
	struct syslog_header h = peel(span_str(names[_i].text));

	ck_assert_msg(span_eq(h.body, span_str(names[_i].body)), "body: %.*s",
	    (int)h.body.n, h.body.p);
	ck_assert(span_eq(h.name_after_tag, span_str(names[_i].after)));
	ck_assert_int_eq(h.tagged, names[_i].tagged);
}
END_TEST

static const struct {
	const char *text, *word, *body;
} dumps[] = {
    {"2024-05-14 11:00:00,Critical,pc,Local: x", "Critical", "pc,Local: x"},
    {"2024-05-14 11:00:00,Major,pc,Local: x", "Major", "pc,Local: x"},
    {"2024-05-14 11:00:00,Minor,pc,Local: x", "Minor", "pc,Local: x"},
    {"2024-05-14 11:00:00,Info,pc,Local: x", "Info", "pc,Local: x"},
    /* a client, and a client named like one */
    {"2024-05-14 11:00:00,pc,Local: x", "", "pc,Local: x"},
    {"2024-05-14 11:00:00,majority,Local: x", "", "majority,Local: x"},
    {"2024-05-14 11:00:00,,Category: 1", "", ",Category: 1"},
    {"2024-05-14 11:00:00,Major", "", "Major"},
    /* only behind such a stamp */
    {"May 14 11:00:00 oak SymantecServer: Major,pc,Local: x", "",
	"Major,pc,Local: x"},
};

START_TEST(a_dump_line_can_have_a_severity_word)
{
	struct syslog_header h = peel(span_str(dumps[_i].text));

	ck_assert(span_eq(h.severity_word, span_str(dumps[_i].word)));
	ck_assert_msg(span_eq(h.body, span_str(dumps[_i].body)), "body: %.*s",
	    (int)h.body.n, h.body.p);
	ck_assert(h.tagged);
	ck_assert_int_eq(h.severity, -1);
}
END_TEST

/* Lines of other programs keep a body that shows what they are. */
static const struct {
	const char *text, *body;
} foreign[] = {
    {"<38>May 14 11:30:00 gate1 sshd[811]: Accepted x", "Accepted x"},
    {"<190>May 14 11:30:02 fw1 policy: Action: Blocked", "Action: Blocked"},
    {"May 14 11:30:02 relay1 " HEAD, HEAD},
    {"", ""},
    {"   ", ""},
    {"<54>", ""},
    {"<54>May 14 08:30:11", ""},
    {"<54>May 14 08:30:11 oak", "oak"},
};

START_TEST(without_the_tag_the_body_is_what_is_left)
{
	struct syslog_header h = peel(span_str(foreign[_i].text));

	ck_assert_msg(span_eq(h.body, span_str(foreign[_i].body)), "body: %.*s",
	    (int)h.body.n, h.body.p);
	ck_assert(!h.tagged);
}
END_TEST

static void
check_inside(struct span text, struct span piece)
{
	if (piece.n > 0) {
		ck_assert(piece.p >= text.p);
		ck_assert(span_end(piece) <= span_end(text));
	}
}

static void
piece_cb(void *arg, struct span piece, struct span key, const char *why)
{
	const struct span *text = arg;

	check_inside(*text, piece);
	ck_assert_uint_gt(piece.n, 0);
	ck_assert_uint_gt(key.n, 0);
	ck_assert_ptr_nonnull(why);
}

/* Cut at every byte, with an unreadable page behind the end. */
START_TEST(every_prefix_is_peeled_within_its_bytes)
{
	const struct testing_samples *samples = testing_samples();
	struct syslog_header h;
	struct guard guard;

	guard_open(&guard, 4096);
	for (size_t i = 0; i < samples->count; i++) {
		for (size_t n = 0; n <= samples->line[i].n; n++) {
			struct span text =
			    guard_place(&guard, span_take(samples->line[i], n));

			syslog_header_peel(text, &labels, &h, piece_cb, &text);
			check_inside(text, h.body);
			check_inside(text, h.name_after_tag);
			check_inside(text, h.name_before_tag);
			check_inside(text, h.severity_word);
			ck_assert_int_le(h.facility, 23);
			ck_assert_int_le(h.severity, 7);
		}
	}
	guard_close(&guard);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("header");
	TCase *tc = tcase_create("shapes");
	TCase *cut = tcase_create("cut");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_loop_test(tc, each_shape_is_peeled, 0, COUNT(shapes));
	tcase_add_loop_test(
	    tc, headers_in_front_of_headers_are_peeled, 0, COUNT(stacks));
	tcase_add_loop_test(tc, an_unreadable_header_does_not_cost_the_body, 0,
	    COUNT(unreadable));
	tcase_add_loop_test(
	    tc, tag_and_name_are_told_from_text, 0, COUNT(names));
	tcase_add_loop_test(
	    tc, a_dump_line_can_have_a_severity_word, 0, COUNT(dumps));
	tcase_add_loop_test(
	    tc, without_the_tag_the_body_is_what_is_left, 0, COUNT(foreign));
	suite_add_tcase(s, tc);
	tcase_set_timeout(cut, 60);
	tcase_add_checked_fixture(cut, setup, NULL);
	tcase_add_test(cut, every_prefix_is_peeled_within_its_bytes);
	suite_add_tcase(s, cut);
	return s;
}

int
main(void)
{
	return run_suite(suite());
}
