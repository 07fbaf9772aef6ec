/*
 * What the status is made of: points that keep time, messages that are kept,
 * and text of anybody that stays text.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "busiest.h"
#include "fill.h"
#include "flow.h"
#include "history.h"
#include "netstat.h"
#include "recent.h"
#include "run.h"
#include "show_put.h"

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

/* --- history --- */

static struct history history;

static void
add(uint64_t messages, uint64_t ms)
{
	struct history_point sums = {.messages = messages};

	history_add(&history, &sums, ms);
}

static uint64_t
at(const struct history_series *series, size_t index)
{
	return history_get(series, index)->messages;
}

START_TEST(points_hold_what_was_added)
{
	history_init(&history);
	ck_assert_uint_eq(history_count(&history.fine), 0);
	add(5, 10000);
	add(7, 10900); /* the same second */
	add(17, 11000);
	ck_assert_uint_eq(history_count(&history.fine), 2);
	ck_assert_uint_eq(at(&history.fine, 0), 7);
	ck_assert_uint_eq(at(&history.fine, 1), 10);
	ck_assert_uint_eq(history_count(&history.coarse), 1);
	ck_assert_uint_eq(at(&history.coarse, 0), 17);
}
END_TEST

START_TEST(time_without_a_sample_is_empty)
{
	history_init(&history);
	add(1, 1000);
	add(3, 5000);
	ck_assert_uint_eq(history_count(&history.fine), 5);
	for (size_t i = 1; i < 4; i++)
		ck_assert_uint_eq(at(&history.fine, i), 0);
	ck_assert_uint_eq(at(&history.fine, 4), 2);
}
END_TEST

START_TEST(the_oldest_points_go)
{
	uint64_t n = 0;

	history_init(&history);
	for (uint64_t s = 0; s < 2 * 24 * 60 * 60; s++)
		add(n += s, s * 1000);
	ck_assert_uint_eq(history_count(&history.fine), HISTORY_SECONDS);
	ck_assert_uint_eq(history_count(&history.coarse), HISTORY_MINUTES);
	for (size_t i = 0; i < HISTORY_SECONDS; i++)
		ck_assert_uint_eq(at(&history.fine, i),
		    2 * 24 * 60 * 60 - HISTORY_SECONDS + i);
	/* the first minute of the second day: 60 numbers from 86400 on */
	ck_assert_uint_eq(
	    at(&history.coarse, 0), 60 * UINT64_C(86400) + 59 * 60 / 2);
}
END_TEST

START_TEST(a_long_pause_begins_anew)
{
	history_init(&history);
	add(1, 1000);
	add(9, UINT64_C(1000) * 60 * 60 * 24 * 365);
	ck_assert_uint_eq(history_count(&history.fine), 1);
	ck_assert_uint_eq(at(&history.fine, 0), 8);
	ck_assert_uint_eq(history_count(&history.coarse), 1);
}
END_TEST

START_TEST(the_last_points_add_up)
{
	struct history_point sums = {.messages = 0}, sum;
	struct latency_counts c;

	history_init(&history);
	sums.commits[3] = UINT32_MAX - 1; /* and over its wrap */
	history_add(&history, &sums, 1000);
	for (uint64_t s = 2; s <= 5; s++) {
		sums.messages += s;
		sums.commits[3] += 2;
		history_add(&history, &sums, s * 1000);
	}
	sum = history_sum(&history.fine, 2);
	ck_assert_uint_eq(sum.messages, 9);
	c = history_commits(&sum);
	ck_assert_uint_eq(c.count[3], 4);
	ck_assert_uint_eq(latency_total(&c), 4);
	ck_assert_uint_eq(history_sum(&history.fine, 100).messages, 14);
}
END_TEST

/* --- latency --- */

START_TEST(latencies_are_told_by_their_buckets)
{
	static struct latency latency;
	struct latency_counts c = latency_read(&latency);

	ck_assert_uint_eq(latency_quantile(&c, 0.5), 0);
	for (int i = 0; i < 98; i++)
		latency_note(&latency, 1500); /* up to 2 ms */
	latency_note(&latency, 2000);
	latency_note(&latency, 60 * 1000 * 1000); /* over all bounds */
	c = latency_read(&latency);
	ck_assert_uint_eq(latency_total(&c), 100);
	ck_assert_uint_eq(c.count[1], 99);
	ck_assert_uint_eq(c.count[LATENCY_BUCKETS - 1], 1);
	ck_assert_uint_eq(c.sum, 98 * 1500 + 2000 + 60 * 1000 * 1000);
	/* 50 of the 99 that are spread over one to two milliseconds */
	ck_assert_uint_eq(latency_quantile(&c, 0.5), 1000 + 1000 * 50 / 99);
	ck_assert_uint_eq(latency_quantile(&c, 0.99), 2000);
	ck_assert_uint_eq(latency_quantile(&c, 1), 10 * 1000 * 1000);
}
END_TEST

/* --- fill --- */

enum { MINUTE = 60 * 1000 };

static unsigned
highest(const struct fill *fill, uint64_t now)
{
	struct fill_mark mark = fill_highest(fill, now);

	return fill_percent(&mark);
}

START_TEST(the_fullest_of_an_hour_is_known)
{
	static struct fill fill;
	const uint64_t begin = 1000 * (uint64_t)MINUTE;
	struct fill_mark marks[] = {
	    {300, 1000, begin},
	    {700, 1000, begin + 1},
	    {500, 1000, begin + 2},
	    {400, 1000, begin + 10 * MINUTE},
	};

	ck_assert_uint_eq(fill_highest(&fill, begin).size, 0);
	fill_calm(&fill);
	for (int i = 0; i < 3; i++)
		fill_burst(&fill, &marks[i]); /* one that goes on */
	ck_assert_uint_eq(fill.bursts, 1);
	ck_assert_uint_eq(highest(&fill, begin + 3), 70);
	fill_calm(&fill);
	fill_burst(&fill, &marks[3]);
	fill_calm(&fill);
	ck_assert_uint_eq(fill.bursts, 2);
	ck_assert_uint_eq(highest(&fill, begin + 59 * MINUTE), 70);
	ck_assert_uint_eq(
	    fill_highest(&fill, begin + 59 * MINUTE).at, begin + 1);
	ck_assert_uint_eq(highest(&fill, begin + 60 * MINUTE), 40);
	ck_assert_uint_eq(highest(&fill, begin + 70 * MINUTE), 0);
	/* a burst that never ended is of its own hour, too */
	fill_burst(&fill, &marks[3]);
	ck_assert_uint_eq(highest(&fill, begin + 70 * MINUTE), 0);
}
END_TEST

START_TEST(what_was_dropped_had_no_room)
{
	static struct fill fill;
	const struct fill_mark over = {1100, 1000, 5}, none = {.size = 0};

	fill_burst(&fill, &none); /* the kernel did not say */
	ck_assert_uint_eq(fill.bursts, 0);
	fill_burst(&fill, &over);
	ck_assert_uint_eq(highest(&fill, 5), 100);
	fill_calm(&fill);
	fill_over(&fill, 1000, 2 * MINUTE);
	ck_assert_uint_eq(highest(&fill, 2 * MINUTE + 1), 100);
	ck_assert_uint_eq(highest(&fill, 61 * MINUTE), 100);
	ck_assert_uint_eq(highest(&fill, 62 * MINUTE), 0);
}
END_TEST

/* --- netstat --- */

static void
write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

START_TEST(datagrams_to_nobody_are_counted)
{
	char directory[] = "/tmp/netstat-XXXXXX", v4[64], v6[64];
	struct netstat netstat;
	struct netstat_udp udp;

	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(v4, sizeof v4, "%s/snmp", directory);
	snprintf(v6, sizeof v6, "%s/snmp6", directory);
	netstat_open(&netstat, directory);
	ck_assert(!netstat_read(&netstat, &udp));
	write_file(v4, "Ip: Forwarding DefaultTTL\nIp: 1 64\n"
		       "Udp: InDatagrams NoPorts InErrors OutDatagrams "
		       "RcvbufErrors SndbufErrors InCsumErrors MemErrors\n"
		       "Udp: 10 7 3 4 5 0 0 6\n"
		       "UdpLite: InDatagrams NoPorts\nUdpLite: 100 200\n");
	netstat_open(&netstat, directory);
	ck_assert(netstat_read(&netstat, &udp));
	ck_assert_uint_eq(udp.no_ports, 7);
	ck_assert_uint_eq(udp.buffer, 5);
	ck_assert_uint_eq(udp.memory, 6);
	netstat_close(&netstat);
	write_file(v6, "Ip6InReceives\t1\nUdp6InDatagrams  \t5\n"
		       "Udp6NoPorts                     \t30\n"
		       "Udp6RcvbufErrors\t40\n");
	netstat_open(&netstat, directory);
	ck_assert(netstat_read(&netstat, &udp));
	ck_assert_uint_eq(udp.no_ports, 37);
	ck_assert_uint_eq(udp.buffer, 45);
	ck_assert_uint_eq(udp.memory, 6);
	netstat_close(&netstat);
	/* nothing of what was expected */
	write_file(v4, "Udp: NoPorts\n");
	write_file(v6, "");
	netstat_open(&netstat, directory);
	ck_assert(netstat_read(&netstat, &udp));
	ck_assert_uint_eq(udp.no_ports, 0);
	netstat_close(&netstat);
	unlink(v4);
	unlink(v6);
	rmdir(directory);
}
END_TEST

/* --- recent --- */

START_TEST(the_last_messages_are_kept)
{
	static struct recent recent;
	char text[RECENT_BYTES + 50];

	memset(&recent, 0, sizeof recent);
	ck_assert_ptr_null(recent_get(&recent, 0));
	for (size_t i = 0; i < RECENT + 3; i++) {
		struct message m = {.received_us = (int64_t)i};

		memset(text, 'a' + (int)i, sizeof text);
		m.bytes = span_of(text, sizeof text);
		m.length = 1000;
		m.peer = span_str("192.0.2.1");
		recent_add(&recent, &m, m.bytes, span_str("no reason"));
	}
	for (size_t i = 0; i < RECENT; i++) {
		const struct recent_message *m = recent_get(&recent, i);

		ck_assert_int_eq(m->received_us, (int64_t)(RECENT + 2 - i));
		ck_assert_uint_eq(m->n, RECENT_BYTES);
		ck_assert_uint_eq(m->length, 1000);
		ck_assert_int_eq(
		    m->bytes[RECENT_BYTES - 1], (char)('a' + RECENT + 2 - i));
		ck_assert_str_eq(m->peer, "192.0.2.1");
		ck_assert_str_eq(m->reason, "no reason");
	}
	ck_assert_ptr_null(recent_get(&recent, RECENT));
}
END_TEST

/* --- text --- */

static const struct {
	const char *in, *html, *quoted;
} texts[] = {
    {"", "", "\"\""},
    {"plain", "plain", "\"plain\""},
    {"<a b=\"c\">&'", "&lt;a b=&quot;c&quot;&gt;&amp;&#39;",
	"\"<a b=\\\"c\\\">&'\""},
    {"\\", "\\", "\"\\\\\""},
    {"\x01\x1b[2J\x7f\t\n", "\\x01\\x1b[2J\\x7f\\x09\\x0a",
	"\"\\\\x01\\\\x1b[2J\\\\x7f\\\\x09\\\\x0a\""},
    {"\xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x98\x80",
	"\xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x98\x80",
	"\"\xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x98\x80\""},
    /* C1, overrides of direction, separators, isolates, byte order mark */
    {"\xc2\x9b", "\\xc2\\x9b", "\"\\\\xc2\\\\x9b\""},
    {"\xe2\x80\xae", "\\xe2\\x80\\xae", "\"\\\\xe2\\\\x80\\\\xae\""},
    {"\xe2\x80\xa8", "\\xe2\\x80\\xa8", "\"\\\\xe2\\\\x80\\\\xa8\""},
    {"\xd8\x9c\xd8\xa7", "\\xd8\\x9c\xd8\xa7", "\"\\\\xd8\\\\x9c\xd8\xa7\""},
    {"\xe2\x81\xa6", "\\xe2\\x81\\xa6", "\"\\\\xe2\\\\x81\\\\xa6\""},
    {"\xef\xbb\xbf", "\\xef\\xbb\\xbf", "\"\\\\xef\\\\xbb\\\\xbf\""},
    /* their neighbours are as good as any */
    {"\xe2\x80\x93\xe2\x80\xaf", "\xe2\x80\x93\xe2\x80\xaf",
	"\"\xe2\x80\x93\xe2\x80\xaf\""},
    /* cut, overlong, half of a pair, beyond the last */
    {"\xe6\x97", "\\xe6\\x97", "\"\\\\xe6\\\\x97\""},
    {"\xc0\xbc", "\\xc0\\xbc", "\"\\\\xc0\\\\xbc\""},
    {"\xed\xa0\x80", "\\xed\\xa0\\x80", "\"\\\\xed\\\\xa0\\\\x80\""},
    {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80",
	"\"\\\\xf4\\\\x90\\\\x80\\\\x80\""},
    {"\x80\xff", "\\x80\\xff", "\"\\\\x80\\\\xff\""},
};

static void
check_put(
    void put(struct evbuffer *, struct span), const char *in, const char *want)
{
	struct evbuffer *out = evbuffer_new();
	size_t n = strlen(want);

	put(out, span_str(in));
	ck_assert_uint_eq(evbuffer_get_length(out), n);
	ck_assert(n == 0 || memcmp(evbuffer_pullup(out, -1), want, n) == 0);
	evbuffer_free(out);
}

START_TEST(text_stays_text)
{
	check_put(show_put_html, texts[_i].in, texts[_i].html);
	check_put(show_put_quoted, texts[_i].in, texts[_i].quoted);
}
END_TEST

static const struct record *
traffic(const char *name, bool blocked)
{
	static struct record r;

	record_reset(&r);
	r.type = RECORD_TRAFFIC;
	if (*name != '\0')
		record_set_text(&r, RECORD_F_REMOTE_NAME, span_str(name));
	record_set_text(&r, RECORD_F_APPLICATION, SPAN("C:/x/a.exe"));
	record_set_text(&r, RECORD_F_USER, SPAN("mwhite"));
	record_set_text(&r, RECORD_F_HOST, SPAN("pc-1"));
	record_set_text(&r, RECORD_F_RULE, SPAN("Web"));
	record_set_number(&r, RECORD_F_OCCURRENCES, 3);
	if (blocked)
		record_set_text(&r, RECORD_F_ACTION, SPAN("blocked"));
	return &r;
}

START_TEST(the_busiest_of_an_hour_are_known)
{
	struct busiest *b = busiest_new();
	const struct top_entry *list[BUSIEST_ROWS];
	const uint64_t minute = 60000;

	ck_assert_ptr_nonnull(b);
	busiest_note(b, traffic("old", false), 0);
	busiest_note(b, traffic("a", false), 20 * minute);
	busiest_note(b, traffic("a", true), 40 * minute);
	busiest_note(b, traffic("b", true), 59 * minute);
	ck_assert_uint_eq(busiest_list(b, BUSIEST_NAMES, 59 * minute, list), 3);
	ck_assert(span_eq(top_key(list[0]), SPAN("a")));
	ck_assert_uint_eq(list[0]->count, 6);
	ck_assert_uint_eq(list[0]->sum[0], 3);
	ck_assert_uint_eq(list[0]->error, 0);
	ck_assert_uint_eq(
	    busiest_list(b, BUSIEST_APPLICATIONS, 59 * minute, list), 1);
	ck_assert(span_eq(top_key(list[0]), SPAN("a.exe")));
	ck_assert_uint_eq(list[0]->count, 12);
	ck_assert_uint_eq(
	    busiest_list(b, BUSIEST_BLOCKED, 59 * minute, list), 2);
	for (int i = BUSIEST_USERS; i <= BUSIEST_RULES; i++) {
		ck_assert_uint_eq(
		    busiest_list(b, (enum busiest_table)i, 59 * minute, list),
		    1);
		ck_assert(span_eq(
		    top_key(list[0]), i == BUSIEST_USERS   ? SPAN("mwhite")
				      : i == BUSIEST_HOSTS ? SPAN("pc-1")
							   : SPAN("Web")));
		ck_assert_uint_eq(list[0]->sum[0], 6);
	}
	/* what is older than an hour goes, with or without traffic */
	ck_assert_uint_eq(busiest_list(b, BUSIEST_NAMES, 61 * minute, list), 2);
	ck_assert_uint_eq(
	    busiest_list(b, BUSIEST_NAMES, 500 * minute, list), 0);
	busiest_note(b, traffic("c", true), 500 * minute);
	ck_assert_uint_eq(
	    busiest_list(b, BUSIEST_NAMES, 500 * minute, list), 1);
	ck_assert(!busiest_sampled(b));
	busiest_free(b);
}
END_TEST

START_TEST(how_many_have_a_name_is_known)
{
	struct busiest *b = busiest_new();

	ck_assert_ptr_nonnull(b);
	ck_assert_double_lt(busiest_named(b, 0), 0);
	busiest_note(b, traffic("", false), 1000);
	ck_assert_double_eq(busiest_named(b, 1000), 0);
	for (int i = 0; i < 3; i++)
		busiest_note(b, traffic("a", false), 1000);
	ck_assert_double_eq(busiest_named(b, 2000), 75);
	ck_assert_double_lt(busiest_named(b, 7200000), 0);
	busiest_free(b);
}
END_TEST

START_TEST(rates_are_those_of_late)
{
	struct flow flow = {0};

	flow_look(&flow, 1000, 0);
	ck_assert_uint_eq(flow.sum, 1000);
	ck_assert_double_eq(flow.rate, 0);
	for (uint64_t i = 1; i <= 100; i++)
		flow_look(&flow, 1000 + i * 20, 2);
	ck_assert_double_eq_tol(flow.rate, 10, 0.01);
	for (int i = 0; i < 5; i++)
		flow_look(&flow, 3000, 2);
	ck_assert_double_eq_tol(flow.rate, 5, 0.1);
	for (int i = 0; i < 100; i++)
		flow_look(&flow, 3000, 2);
	ck_assert_double_eq(flow.rate, 0);
	/* begun anew */
	flow_look(&flow, 100, 1);
	ck_assert_double_eq_tol(flow.rate, 13, 0.01);
}
END_TEST

/* 100,000 records in a second: the sum of the samples is near. */
START_TEST(of_very_many_some_stand_for_all)
{
	struct busiest *b = busiest_new();
	const struct top_entry *list[BUSIEST_ROWS];

	ck_assert_ptr_nonnull(b);
	for (int i = 0; i < 100000; i++)
		busiest_note(b, traffic(i % 4 == 0 ? "a" : "b", false), 5);
	ck_assert(busiest_sampled(b));
	ck_assert_uint_eq(busiest_list(b, BUSIEST_NAMES, 5, list), 2);
	ck_assert(span_eq(top_key(list[0]), SPAN("b")));
	/* more than six standard deviations */
	ck_assert_uint_gt(list[0]->count, 225000 * 85 / 100);
	ck_assert_uint_lt(list[0]->count, 225000 * 115 / 100);
	ck_assert_uint_gt(list[1]->count, 75000 * 75 / 100);
	ck_assert_uint_lt(list[1]->count, 75000 * 125 / 100);
	busiest_free(b);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("status");
	TCase *tc = tcase_create("status");

	tcase_add_test(tc, points_hold_what_was_added);
	tcase_add_test(tc, time_without_a_sample_is_empty);
	tcase_add_test(tc, the_oldest_points_go);
	tcase_add_test(tc, a_long_pause_begins_anew);
	tcase_add_test(tc, the_last_points_add_up);
	tcase_add_test(tc, latencies_are_told_by_their_buckets);
	tcase_add_test(tc, the_fullest_of_an_hour_is_known);
	tcase_add_test(tc, what_was_dropped_had_no_room);
	tcase_add_test(tc, datagrams_to_nobody_are_counted);
	tcase_add_test(tc, the_last_messages_are_kept);
	tcase_add_loop_test(tc, text_stays_text, 0, (int)COUNT_OF(texts));
	tcase_add_test(tc, the_busiest_of_an_hour_are_known);
	tcase_add_test(tc, how_many_have_a_name_is_known);
	tcase_add_test(tc, rates_are_those_of_late);
	tcase_add_test(tc, of_very_many_some_stand_for_all);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
