/*
 * A writer's spool and the daemon's: what is committed arrives once, what is
 * not never does, wherever the writer ends.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gate.h"
#include "intake.h"
#include "parser.h"
#include "run.h"
#include "settings.h"

static char root[64];
static struct settings *settings;
static struct parser *parser;
static char why[512];

static void
make_settings(const char *more)
{
	char text[1024];

	snprintf(text, sizeof text,
	    "spool:\n  directory: %s/spool\n  compress: none\n"
	    "  min_free: 0\n%s",
	    root, more);
	settings = settings_from_text("test", span_str(text), stderr);
	ck_assert_ptr_nonnull(settings);
}

static void
setup(void)
{
	/* not a disk, where there is memory: syncs are many */
	snprintf(root, sizeof root, "%s/intake-XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(root));
	make_settings("");
	parser = parser_new(65536);
}

static void
teardown(void)
{
	char command[128];

	settings_free(settings);
	parser_free(parser);
	snprintf(command, sizeof command, "rm -rf %s", root);
	ck_assert_int_eq(system(command), 0);
}

static struct intake *
open_intake(void)
{
	struct intake *in = intake_open(
	    settings_config(settings), "import", "file", why, sizeof why);

	ck_assert_msg(in != NULL, "%s", why);
	return in;
}

/* Records `from` up to, not including, `to`. */
static void
put(struct intake *in, int from, int to)
{
	struct record record;
	char text[64];

	for (int i = from; i < to; i++) {
		struct message m = {.bytes = span_of(text, 0)};

		snprintf(text, sizeof text, "number %d.", i);
		m.bytes = span_str(text);
		m.length = m.bytes.n;
		parser_reject(parser, &m, "a test", &record);
		ck_assert_msg(intake_put(in, &record,
				  &settings_config(settings)->fallback),
		    "%s", intake_why(in));
	}
}

static void
commit(struct intake *in, const char *state)
{
	ck_assert_msg(intake_commit(in, span_str(state)), "%s", intake_why(in));
}

/* Counts the numbered records in a directory's files. */
static void
count_in(const char *sub, int *counts, int n)
{
	char path[512], line[4096];
	DIR *dir;
	struct dirent *entry;

	snprintf(path, sizeof path, "%s/spool/%s", root, sub);
	dir = opendir(path);
	for (; dir != NULL && (entry = readdir(dir)) != NULL;) {
		FILE *file;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "%s/spool/%s/%s", root, sub,
		    entry->d_name);
		file = fopen(path, "r");
		ck_assert_ptr_nonnull(file);
		while (fgets(line, sizeof line, file) != NULL) {
			char *at = strstr(line, "number ");
			int i = at != NULL ? atoi(at + 7) : n;

			ck_assert_int_lt(i, n);
			counts[i]++;
		}
		fclose(file);
	}
	if (dir != NULL)
		closedir(dir);
}

/* Exactly the records 0 to to - 1, once. */
static void
check_ready(int to)
{
	int counts[2000] = {0};

	count_in("ready", counts, 2000);
	for (int i = 0; i < 2000; i++)
		ck_assert_msg(counts[i] == (i < to), "%d is there %d times", i,
		    counts[i]);
}

static void
check_state(struct intake *in, const char *state)
{
	ck_assert(span_eq(intake_state(in), span_str(state)));
}

START_TEST(commit_reaches_ready)
{
	struct intake *in = open_intake();
	struct intake_counts counts;

	check_state(in, "");
	put(in, 0, 10);
	check_ready(0);
	commit(in, "ten\nlines");
	check_ready(10);
	check_state(in, "ten\nlines");
	put(in, 10, 15);
	commit(in, "");
	check_ready(15);
	intake_counts(in, &counts);
	ck_assert_uint_eq(counts.records, 15);
	ck_assert_uint_eq(counts.by_type[RECORD_UNPARSED], 15);
	ck_assert_uint_eq(counts.files, 2);
	intake_close(in);
	in = open_intake();
	check_state(in, "");
	intake_close(in);
	check_ready(15);
}
END_TEST

START_TEST(uncommitted_is_forgotten)
{
	struct intake *in = open_intake();

	put(in, 0, 5);
	commit(in, "5");
	put(in, 5, 100);
	intake_close(in);
	check_ready(5);
	in = open_intake();
	check_state(in, "5");
	check_ready(5);
	put(in, 5, 7);
	commit(in, "7");
	intake_close(in);
	check_ready(7);
}
END_TEST

START_TEST(commit_without_records)
{
	struct intake *in = open_intake();

	commit(in, "nothing yet");
	intake_close(in);
	in = open_intake();
	check_state(in, "nothing yet");
	check_ready(0);
	intake_close(in);
}
END_TEST

/* A process that ends at every disk call in turn, again and again. */
START_TEST(killed_anywhere)
{
	struct intake *in = open_intake();
	int done = 0, idle = 0;

	intake_close(in);
	for (int i = 0; done < 1500; i++) {
		pid_t child = fork();
		int status, before = done;

		ck_assert_int_ge(child, 0);
		if (child == 0) {
			in = open_intake();
			done =
			    atoi(intake_state(in).n ? intake_state(in).p : "0");
			for (; done < 1500; done += 50) {
				char state[16];

				put(in, done, done + 50);
				snprintf(state, sizeof state, "%d ", done + 50);
				commit(in, state);
			}
			_exit(0);
		}
		/* longer where nothing comes of it: what is slow gets through,
		 * too */
		usleep((useconds_t)(2000 + i % 40 * 700 + idle * 500));
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
		in = open_intake();
		done = atoi(intake_state(in).n ? intake_state(in).p : "0");
		check_ready(done);
		intake_close(in);
		idle += done == before;
		ck_assert_int_lt(i, 2000);
	}
	check_ready(1500);
}
END_TEST

/* The three steps of a commit, cut off after each. */
START_TEST(cut_after_each_step)
{
	char path[128];
	struct gate *gate;
	uint64_t moved = 0;
	struct intake *in = open_intake();

	put(in, 0, 3);
	commit(in, "3");
	intake_close(in);

	/* durable in import/ready, the state does not know it */
	snprintf(path, sizeof path, "%s/spool", root);
	gate = gate_open(path, "import", why, sizeof why);
	ck_assert_ptr_nonnull(gate);
	snprintf(path, sizeof path,
	    "%s/spool/import/ready/unparsed-01234567-0000000000000002.jsonl",
	    root);
	fclose(fopen(path, "w"));
	gate_close(gate);
	snprintf(path, sizeof path, "%s/spool", root);
	gate = gate_open(path, "import", why, sizeof why);
	snprintf(path, sizeof path,
	    "%s/spool/import/ready/unparsed-01234567-0000000000000002.jsonl",
	    root);
	ck_assert_int_lt(access(path, F_OK), 0);

	/* the state knows it, it is still in import/ready */
	fclose(fopen(path, "w"));
	ck_assert(gate_mark(gate, "unparsed", 2));
	ck_assert(gate_commit(gate, SPAN("4")));
	gate_close(gate);
	snprintf(path, sizeof path, "%s/spool", root);
	gate = gate_open(path, "import", why, sizeof why);
	ck_assert(span_eq(gate_state(gate), SPAN("4")));
	ck_assert(gate_release(gate, &moved));
	ck_assert_uint_eq(moved, 1);
	snprintf(path, sizeof path,
	    "%s/spool/ready/unparsed-01234567-0000000000000002.jsonl", root);
	ck_assert_int_eq(access(path, F_OK), 0);
	gate_close(gate);
}
END_TEST

START_TEST(one_writer)
{
	struct intake *in = open_intake();

	ck_assert_ptr_null(intake_open(
	    settings_config(settings), "import", "file", why, sizeof why));
	ck_assert_ptr_nonnull(strstr(why, "in use by another process"));
	intake_close(in);
}
END_TEST

START_TEST(damaged_state)
{
	static const char *const damaged[] = {"", "x\n", "sepmlog writer 1\n",
	    "sepmlog writer 1\nstate 5\nabc", "sepmlog writer 1\nstate x\n",
	    "sepmlog writer 1\nstream a\nstate 0\n",
	    "sepmlog writer 1\nstream a 1x\nstate 0\n",
	    "sepmlog writer 1\nstream "
	    "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz 1\n"
	    "state 0\n"};
	char path[128];
	FILE *file;

	intake_close(open_intake());
	snprintf(path, sizeof path, "%s/spool/import/state", root);
	for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
		file = fopen(path, "w");
		fputs(damaged[i], file);
		fclose(file);
		ck_assert_ptr_null(intake_open(settings_config(settings),
		    "import", "file", why, sizeof why));
		ck_assert_msg(strstr(why, "damaged") != NULL, "%s", why);
	}
}
END_TEST

START_TEST(quota_leaves_room)
{
	struct intake *in;
	char path[128];
	FILE *file;

	settings_free(settings);
	make_settings("  quota: 4MiB\n  rotate: { size: 64KiB }\n");
	in = open_intake();
	put(in, 0, 1);
	commit(in, "1");
	snprintf(path, sizeof path, "%s/spool/ready/other", root);
	file = fopen(path, "w");
	for (int i = 0; i < 3 << 20; i++)
		putc('x', file);
	fclose(file);
	intake_close(in);
	in = open_intake();
	{
		struct record record;
		struct message m = {.bytes = SPAN("number 1"), .length = 8};

		parser_reject(parser, &m, "a test", &record);
		ck_assert(!intake_put(
		    in, &record, &settings_config(settings)->fallback));
		ck_assert_msg(strstr(intake_why(in), "quota") != NULL, "%s",
		    intake_why(in));
		unlink(path);
		sleep(1);
		intake_patience(in, 8000, NULL);
		ck_assert(intake_put(
		    in, &record, &settings_config(settings)->fallback));
	}
	commit(in, "2");
	check_ready(2);
	intake_close(in);
}
END_TEST

START_TEST(due_by_size)
{
	struct intake *in;
	int n = 0;

	settings_free(settings);
	make_settings("  rotate: { size: 64KiB }\n");
	in = open_intake();
	ck_assert(!intake_due(in));
	while (!intake_due(in) && n < 1900) {
		put(in, n, n + 1);
		n++;
	}
	ck_assert_int_lt(n, 1900);
	ck_assert_int_gt(n, 100);
	commit(in, "");
	ck_assert(!intake_due(in));
	check_ready(n);
	intake_close(in);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("intake");
	TCase *tc = tcase_create("intake");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, commit_reaches_ready);
	tcase_add_test(tc, uncommitted_is_forgotten);
	tcase_add_test(tc, commit_without_records);
	tcase_add_test(tc, killed_anywhere);
	tcase_add_test(tc, cut_after_each_step);
	tcase_add_test(tc, one_writer);
	tcase_add_test(tc, damaged_state);
	tcase_add_test(tc, quota_leaves_room);
	tcase_add_test(tc, due_by_size);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return run_suite(suite());
}
