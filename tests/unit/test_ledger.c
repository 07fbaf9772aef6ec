/*
 * Lines of the ledger: what is written reads the same, and nothing else is
 * taken for one. And accounts: what adds up, and what must be found.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "account.h"
#include "run.h"

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

static struct ledger_text line;
static struct ledger_entry entry;
static struct sha256 *sha;

static void
setup(void)
{
	sha = sha256_new();
	ck_assert_ptr_nonnull(sha);
}

static void
teardown(void)
{
	sha256_free(sha);
}

/* --- lines --- */

static char text[LEDGER_LINE + 1];

/* The line as it would stand in a file, without LF. */
static struct span
finish(uint8_t chain[SHA256_SIZE])
{
	struct span body = ledger_body(&line);

	memcpy(text, body.p, body.n);
	ledger_chain(sha, chain, body);
	ledger_tail(chain, text + body.n);
	return span_of(text, body.n + LEDGER_TAIL - 1);
}

START_TEST(what_is_written_reads_the_same)
{
	uint8_t chain[SHA256_SIZE] = {0};

	ledger_begin(&line, "minute", 0);
	ledger_put_text(&line, "source", SPAN("a\"b\\c\n\xff"));
	ledger_open(&line, "nothing");
	ledger_close(&line);
	ledger_open(&line, "received");
	ledger_put_number(&line, "udp", UINT64_MAX);
	ledger_put_number(&line, "tcp", 1);
	ledger_close(&line);
	ledger_put_number(&line, "stored", 7);
	ck_assert(ledger_parse(finish(chain), &entry));
	ck_assert(span_eq(entry.type, SPAN("minute")));
	ck_assert(span_eq(
	    ledger_text(&entry, "time"), SPAN("1970-01-01T00:00:00.000000Z")));
	ck_assert(span_eq(ledger_text(&entry, "source"), SPAN("a?b?c??")));
	ck_assert_uint_eq(ledger_sum(&entry, "received"), 0); /* it wraps */
	ck_assert_uint_eq(ledger_number(&entry, "stored"), 7);
	ck_assert_uint_eq(ledger_number(&entry, "udp"), 0); /* is inside */
	ck_assert_ptr_null(ledger_find(&entry, "nothing"));
	ck_assert_int_eq(memcmp(chain, entry.chain, sizeof(chain)), 0);
}
END_TEST

START_TEST(what_does_not_fit_is_left_out_as_a_whole)
{
	static char long_text[LEDGER_LINE];
	uint8_t chain[SHA256_SIZE] = {0};
	size_t i;

	memset(long_text, 'x', sizeof(long_text));
	ledger_begin(&line, "file", 0);
	ledger_put_text(&line, "a", span_of(long_text, 7900));
	ledger_put_text(&line, "b", span_of(long_text, 500));
	ledger_open(&line, "inner");
	for (i = 0; i < 100; i++)
		ledger_put_number(&line, "key", i);
	ledger_close(&line);
	ck_assert(ledger_parse(finish(chain), &entry));
	ck_assert_uint_eq(ledger_text(&entry, "a").n, 7900);
	ck_assert_ptr_null(ledger_find(&entry, "b"));
}
END_TEST

START_TEST(a_changed_byte_is_no_line_or_another_chain)
{
	uint8_t chain[SHA256_SIZE] = {0}, again[SHA256_SIZE];
	struct span whole;
	size_t i;
	char was;

	ledger_begin(&line, "stop", 1);
	ledger_put_number(&line, "n", 12);
	whole = finish(chain);
	for (i = 0; i < whole.n; i++) {
		was = text[i];
		text[i] ^= 1;
		if (ledger_parse(whole, &entry)) {
			memset(again, 0, sizeof(again));
			ledger_chain(sha, again, entry.body);
			ck_assert_int_ne(
			    memcmp(again, entry.chain, sizeof(again)), 0);
		}
		text[i] = was;
		ck_assert(!ledger_parse(span_take(whole, i), &entry));
	}
}
END_TEST

START_TEST(ids_are_found_from_the_end)
{
	struct ledger_id id = {0, 0};
	struct span prefix = SPAN("3fa94c1e-traffic-");

	ck_assert(
	    ledger_find_id(SPAN("{\"user\":\"3fa94c1e-traffic-1-1\",\"id\":"
				"\"3fa94c1e-traffic-41-1187\"}"),
		prefix, &id));
	ck_assert_uint_eq(id.segment, 41);
	ck_assert_uint_eq(id.line, 1187);
	ck_assert(!ledger_find_id(SPAN("3fa94c1e-traffic-41"), prefix, &id));
	ck_assert(!ledger_find_id(SPAN(""), prefix, &id));
}
END_TEST

/* --- accounts --- */

static struct account *account;
static uint8_t chain[SHA256_SIZE];
static char found[4096];
static size_t remarks;

static void
say(void *arg, enum account_level level, const char *what)
{
	size_t n = strlen(found);

	(void)arg;
	remarks += level == ACCOUNT_REMARK;
	if (level == ACCOUNT_FINDING)
		snprintf(found + n, sizeof(found) - n, "%s\n", what);
}

static void
begin(void)
{
	struct account_options options = {.say = say};

	setup();
	account = account_new(&options);
	ck_assert_ptr_nonnull(account);
	memset(chain, 0, sizeof(chain));
	found[0] = '\0';
	remarks = 0;
}

static void
end(void)
{
	account_free(account);
	teardown();
}

/* A line given as the members behind its type and time. */
static void
feed(const char *type, const char *members)
{
	int n;

	ledger_begin(&line, type, 0);
	n = snprintf(line.bytes + line.n, LEDGER_LINE - line.n, "%s%s",
	    members[0] ? "," : "", members);
	line.n += (size_t)n;
	account_line(account, finish(chain), true);
}

static void
feed_head(void)
{
	char hex[SHA256_HEX + 1] = "", members[128];

	sha256_hex(chain, hex);
	snprintf(members, sizeof(members), "\"before\":\"%s\"", hex);
	feed("ledger", members);
}

#define START "start|\"segments\":{\"a\":1}"
#define FILE_OF(segment, records)                                              \
	"file|\"name\":\"x\",\"stream\":\"a\",\"segment\":" #segment           \
	",\"records\":" #records
#define STORED(n)                                                              \
	"minute|\"from\":\"1\",\"to\":\"2\",\"received\":{\"udp\":" #n         \
	"},\"stored\":" #n ",\"streams\":{\"a\":" #n "}"

#define ROLLED(way, n)                                                         \
	"minute|\"from\":\"1\",\"to\":\"2\",\"rolled_" way                     \
	"\":{\"records\":" #n ",\"occurrences\":" #n "}"

static const struct {
	const char *lines[8];
	const char *finding; /* NULL: it adds up */
	size_t remarks;
} cases[] = {
    {{START, STORED(5), FILE_OF(1, 5), "stop|"}, NULL, 0},
    {{START, STORED(5), FILE_OF(1, 2), FILE_OF(2, 3), "stop|"}, NULL, 0},
    /* a line that is there again after a crash counts once */
    {{START, STORED(5), FILE_OF(1, 5), FILE_OF(1, 5), "stop|"}, NULL, 0},
    {{START, STORED(5), FILE_OF(1, 5), FILE_OF(1, 4), "stop|"},
	"with other content", 0},
    {{START, STORED(5), FILE_OF(1, 4), "stop|"}, "1 of 5 records", 0},
    {{START, STORED(5), FILE_OF(1, 6), "stop|"}, "no minute counted", 0},
    {{START, STORED(5), FILE_OF(1, 2), FILE_OF(3, 3), "stop|"},
	"nothing is known of segment 2", 0},
    {{START, STORED(5), FILE_OF(2, 5), "stop|"},
	"nothing is known of segment 1", 0},
    {{START, STORED(5), FILE_OF(1, 2), "skipped|\"stream\":\"a\",\"segment\":2",
	 FILE_OF(3, 3), "stop|"},
	NULL, 1},
    /* killed: its files may have more, and not less */
    {{START, STORED(5), "start|\"segments\":{\"a\":2}", FILE_OF(1, 7), "stop|"},
	NULL, 2},
    {{START, STORED(5), "start|\"segments\":{\"a\":2}", FILE_OF(1, 3), "stop|"},
	"2 of 5 records", 1},
    /* what is lost at the stop is told once */
    {{START, STORED(5), FILE_OF(1, 3), "stop|\"lost\":{\"lines\":2}"},
	"2 lines were lost", 0},
    {{START, "minute|\"received\":{\"tcp\":3},\"stored\":1,\"filtered\":1",
	 "stop|"},
	"3 received, but 1 stored and 1 filtered", 0},
    {{START, STORED(0), "minute|\"from\":\"3\",\"to\":\"4\"", "stop|"},
	"no minutes from 2 to 3", 0},
    {{START, "minute|\"listener\":\"udp\",\"kernel_drops\":9", "stop|"},
	"9 datagrams were dropped", 0},
    {{START, STORED(5), FILE_OF(1, 5),
	 "renumbered|\"stream\":\"a\",\"segment\":1,\"to\":2,\"records\":5",
	 "file|\"name\":\"x\",\"stream\":\"a\",\"segment\":2,\"origin\":1,"
	 "\"records\":5",
	 "stop|"},
	NULL, 1},
    /* what is rolled up comes later, and at the stop at the latest */
    {{START, ROLLED("in", 5), ROLLED("out", 2), ROLLED("out", 3), "stop|"},
	NULL, 0},
    {{START, ROLLED("in", 5), ROLLED("out", 2)}, NULL, 0},
    {{START, ROLLED("in", 5), ROLLED("out", 2), "stop|"}, "3 of 5 records", 0},
    {{START, ROLLED("in", 5), "start|\"segments\":{\"a\":1}", "stop|"},
	"5 of 5 records that were rolled up", 1},
    {{START, "dropped|\"name\":\"a-1\"", "stop|"}, "a-1 was deleted", 0},
};

START_TEST(sums_and_what_is_missing_in_them)
{
	char type[16];
	const char *bar;
	size_t i;

	account_begin_file(account, "l", NULL);
	feed_head();
	for (i = 0; i < 8 && cases[_i].lines[i]; i++) {
		bar = strchr(cases[_i].lines[i], '|');
		snprintf(type, sizeof(type), "%.*s",
		    (int)(bar - cases[_i].lines[i]), cases[_i].lines[i]);
		feed(type, bar + 1);
	}
	account_end_file(account);
	account_end(account, true);
	if (!cases[_i].finding) {
		ck_assert_str_eq(found, "");
	} else {
		ck_assert_msg(strstr(found, cases[_i].finding), "%s", found);
		/* one finding, and no other that follows from it */
		ck_assert_msg(
		    account_totals(account)->findings == 1, "%s", found);
	}
	ck_assert_uint_eq(remarks, cases[_i].remarks);
}
END_TEST

START_TEST(a_line_of_the_chain_is_missing)
{
	account_begin_file(account, "l", NULL);
	feed_head();
	feed("start", "\"segments\":{\"a\":1}");
	ledger_begin(&line, "minute", 0); /* and is not fed */
	finish(chain);
	feed("stop", "");
	account_end_file(account);
	account_end(account, true);
	ck_assert_str_eq(found, "l:3: this line was altered, or a line before "
				"it was removed or added\n");
}
END_TEST

START_TEST(lines_that_were_written_again_count_once)
{
	uint8_t confirmed[SHA256_SIZE], next[SHA256_SIZE];

	account_begin_file(account, "1", NULL);
	feed_head();
	feed("start", "\"segments\":{\"a\":1}");
	memcpy(confirmed, chain, sizeof(chain));
	account_end_file(account);
	end();
	begin();
	memcpy(next, confirmed, sizeof(next));
	account_begin_file(account, "1", next);
	feed_head();
	feed("start", "\"segments\":{\"a\":1}");
	ck_assert_int_eq(memcmp(chain, confirmed, sizeof(chain)), 0);
	feed("minute", strchr(STORED(5), '|') + 1); /* its sync failed */
	account_end_file(account);
	memcpy(chain, confirmed, sizeof(chain));
	account_begin_file(account, "2", NULL);
	feed_head();
	feed("minute", strchr(STORED(5), '|') + 1);
	feed("file", strchr(FILE_OF(1, 5), '|') + 1);
	feed("stop", "");
	account_end_file(account);
	account_end(account, true);
	ck_assert_str_eq(found, "");
	ck_assert_uint_eq(account_totals(account)->stored, 5);
	ck_assert_uint_eq(remarks, 1);
}
END_TEST

START_TEST(it_begins_in_the_middle)
{
	char hex[SHA256_HEX + 1] = "", members[160];

	memset(chain, 7, sizeof(chain));
	sha256_hex(chain, hex);
	account_begin_file(account, "2", NULL);
	feed_head();
	if (_i == 1) { /* and says why */
		snprintf(members, sizeof(members),
		    "\"name\":\"1\",\"last\":\"%s\"", hex);
		feed("removed", members);
	}
	account_end_file(account);
	account_end(account, true);
	ck_assert_uint_eq(account_totals(account)->findings, _i == 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("ledger");
	TCase *lines = tcase_create("lines"), *sums = tcase_create("sums");

	tcase_add_checked_fixture(lines, setup, teardown);
	tcase_add_test(lines, what_is_written_reads_the_same);
	tcase_add_test(lines, what_does_not_fit_is_left_out_as_a_whole);
	tcase_add_test(lines, a_changed_byte_is_no_line_or_another_chain);
	tcase_add_test(lines, ids_are_found_from_the_end);
	suite_add_tcase(suite, lines);
	tcase_add_checked_fixture(sums, begin, end);
	tcase_add_loop_test(
	    sums, sums_and_what_is_missing_in_them, 0, (int)COUNT_OF(cases));
	tcase_add_test(sums, a_line_of_the_chain_is_missing);
	tcase_add_test(sums, lines_that_were_written_again_count_once);
	tcase_add_loop_test(sums, it_begins_in_the_middle, 0, 2);
	suite_add_tcase(suite, sums);
	return run_suite(suite);
}
