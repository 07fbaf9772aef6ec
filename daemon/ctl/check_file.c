/*
 * sepmlogctl check-file - does a file look as its target has published that it
 * wants it, and is it free of names?
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clear_names.h"
#include "ctl.h"
#include "encode.h"
#include "input.h"
#include "reader.h"
#include "text.h"

#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

enum {
	LONGEST = 1 << 20, /* bytes of a line */
	COLUMNS = 31,      /* of SEPM's CSV export */
	TOLD = 20,         /* findings that are printed, of a file */
	HEAD = 2048,
	DAY = 24 * 60 * 60,
};

enum shape { SHAPE_SYSLOG, SHAPE_CSV, SHAPE_CEF, SHAPE_ECS };
enum packing { PLAIN = 1, GZIP = 2, ZIP = 4 };

struct preset {
	const char *name;
	enum shape shape;
	const char *format; /* of the stream in sepmlogd.yaml(5) */
	unsigned packing;   /* that is taken */
	uint64_t most;      /* bytes of the file as it is; 0: not known */
	unsigned days;      /* how old events may be; 0: not known */
	bool user;          /* a user name is required */
};

/* clang-format off */
static const struct preset presets[] = {
	/* name, shape, format, packing, most, days, user */
	{ "cloudsoc-syslog", SHAPE_SYSLOG, "raw", PLAIN | GZIP | ZIP, 0, 0, false },
	{ "cloudsoc-csv",    SHAPE_CSV,    "csv", PLAIN | GZIP | ZIP, 0, 0, false },
	{ "defender-cef",    SHAPE_CEF,    "cef", PLAIN | GZIP | ZIP, 5 * GIB, 90, false },
	{ "defender-csv",    SHAPE_CSV,    "csv", PLAIN | GZIP | ZIP, 5 * GIB, 90, false },
	{ "netskope-csv",    SHAPE_CSV,    "csv", GZIP | ZIP,         0, 90, false },
	{ "skyhigh-csv",     SHAPE_CSV,    "csv", PLAIN | GZIP | ZIP, 5 * GIB, 0, true },
	{ "splunk",          SHAPE_SYSLOG, "raw", PLAIN | GZIP,       0, 0, false },
	{ "elastic",         SHAPE_ECS,    "ecs", PLAIN | GZIP,       0, 0, false },
};
/* clang-format on */

enum { PRESETS = sizeof presets / sizeof presets[0] };

struct check {
	const struct preset *preset;
	const char *file;
	struct input *input;
	int64_t now; /* s since 1970 */
	size_t texts;
	uint64_t records, findings;
	/* of the text */
	char head[HEAD]; /* its start: a header row is no record */
	size_t head_n;
	bool header_checked;
};

static void __attribute__((format(printf, 3, 4)))
finding(struct check *c, uint64_t line, const char *format, ...)
{
	va_list args;

	if (c->findings++ >= TOLD)
		return;
	printf("%s", c->file);
	if (line > 0)
		printf(":%" PRIu64, line);
	fputs(": ", stdout);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

/* --- lines of a message as it came --- */

/* Does it begin so, `9` standing for a digit, `_` for a digit or blank, `A` for
 * a letter? */
static bool
is_like(struct span text, const char *pattern)
{
	int c;

	for (size_t i = 0; pattern[i] != '\0'; i++) {
		c = span_at(text, i);
		if (pattern[i] == '9'   ? !span_isdigit(c)
		    : pattern[i] == '_' ? !span_isdigit(c) && c != ' '
		    : pattern[i] == 'A' ? !span_isalpha(c)
					: c != pattern[i])
			return false;
	}
	return true;
}

static bool
contains(struct span text, struct span part)
{
	for (; text.n >= part.n; text = span_skip(text, 1))
		if (span_starts(text, part))
			return true;
	return false;
}

static void
check_syslog(struct check *c, const struct input_item *item)
{
	struct span text = item->bytes;

	if (span_at(text, 0) == '<')
		text = span_skip(text, span_find(text, '>') + 1);
	if (!is_like(text, "AAA _9 99:99:99 ") &&
	    !is_like(text, "9 9999-99-99T99:99:99") &&
	    !is_like(text, "9999-99-99T99:99:99"))
		finding(c, item->line,
		    "no syslog header such as `Jul 19 14:46:53 HOST "
		    "SymantecServer: `; use format: raw");
	else if (!contains(text, SPAN("SymantecServer")))
		finding(c, item->line, "no tag `SymantecServer`");
}

/* --- CSV --- */

/* Days since 1970 of `MM/DD/YYYY HH:MM:SS`; -1: it is none. */
static int64_t
day_of(struct span text)
{
	struct tm tm = {0};

	if (text.n != 19 || !is_like(text, "99/99/9999 99:99:99"))
		return -1;
	tm.tm_mon = (text.p[0] - '0') * 10 + text.p[1] - '0' - 1;
	tm.tm_mday = (text.p[3] - '0') * 10 + text.p[4] - '0';
	tm.tm_year = (text.p[6] - '0') * 1000 + (text.p[7] - '0') * 100 +
		     (text.p[8] - '0') * 10 + text.p[9] - '0' - 1900;
	return tm.tm_mon > 11 || tm.tm_mday < 1 || tm.tm_mday > 31
		   ? -1
		   : (int64_t)timegm(&tm) / DAY;
}

static struct span
cell(const struct input_item *item, const char *column)
{
	for (size_t i = 0; i < item->cells; i++)
		if (span_eq(item->columns[i], span_str(column)))
			return item->cell[i];
	return span_of("", 0);
}

static void
check_times(struct check *c, const struct input_item *item)
{
	static const char *const columns[] = {
	    "Time Stamp", "Event Time", "Begin Time", "End Time"};
	struct span text;
	int64_t day;

	for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
		text = cell(item, columns[i]);
		if (text.n == 0 && i > 0)
			continue;
		day = day_of(text);
		if (day < 0)
			finding(c, item->line,
			    "%s: '%.*s' is not MM/DD/YYYY HH:MM:SS", columns[i],
			    (int)span_take(text, 40).n, text.p);
		else if (i == 0 && c->preset->days > 0 &&
			 day < c->now / DAY - c->preset->days)
			finding(c, item->line,
			    "is older than %u days: it would be left out",
			    c->preset->days);
	}
}

static void
check_row(struct check *c, const struct input_item *item)
{
	struct span action;

	if (item->broken != NULL || item->cells != COLUMNS) {
		finding(c, item->line, "%s",
		    item->broken != NULL ? item->broken
					 : "does not have 31 cells");
		return;
	}
	check_times(c, item);
	action = cell(item, "ACTION");
	if (!span_eq(action, SPAN("Blocked")) &&
	    !span_eq(action, SPAN("Not blocked")))
		finding(c, item->line,
		    "ACTION: '%.*s' is not Blocked or Not blocked",
		    (int)span_take(action, 40).n, action.p);
	if (cell(item, "Current IP Address").n == 0)
		finding(c, item->line, "Current IP Address is empty");
	if (cell(item, "Remote Host IP").n == 0 &&
	    cell(item, "Remote Host Name").n == 0)
		finding(c, item->line, "no remote host, by IP or name");
	if (c->preset->user && cell(item, "User Name").n == 0)
		finding(c, item->line, "User Name is empty; it is required");
}

/* Exact, order and all. */
static void
check_header(struct check *c)
{
	struct span want = span_take(
			encode_csv_header, span_find(encode_csv_header, '\r')),
		    head = span_of(c->head, c->head_n);

	if (c->preset->shape != SHAPE_CSV || c->header_checked)
		return;
	c->header_checked = true;
	if (!span_starts(head, want) ||
	    (span_at(head, want.n) != '\r' && span_at(head, want.n) != '\n'))
		finding(c, 1,
		    "the first line is not SEPM's header of 31 columns; use "
		    "format: csv");
}

/* --- others --- */

static void
check_cef(struct check *c, const struct input_item *item)
{
	struct span text = item->bytes;
	size_t pipes = 0;

	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\\')
			i++;
		else
			pipes += text.p[i] == '|';
	}
	if (!span_starts(text, SPAN("CEF:0|")) &&
	    !span_starts(text, SPAN("CEF:1|")))
		finding(c, item->line,
		    "does not begin with CEF:0|; use "
		    "format: cef");
	else if (pipes < 7)
		finding(
		    c, item->line, "has %zu of 7 bars of a CEF header", pipes);
	else if (!contains(text, SPAN("src=")) && !contains(text, SPAN("dst=")))
		finding(c, item->line, "has neither src nor dst");
}

static void
check_ecs(struct check *c, const struct input_item *item)
{
	struct span text = item->bytes;

	if (span_at(text, 0) != '{' || span_at(text, text.n - 1) != '}')
		finding(c, item->line, "is no JSON object; use format: ecs");
	else if (!contains(text, SPAN("\"@timestamp\":\"")) ||
		 !contains(text, SPAN("\"ecs\":{\"version\"")))
		finding(c, item->line,
		    "has no @timestamp or ecs.version; use format: ecs");
}

static void
check_item(struct check *c, const struct input_item *item)
{
	c->records++;
	if (item->unterminated)
		finding(c, item->line, "does not end with a line end");
	if (item->length > item->bytes.n) {
		finding(c, item->line, "is longer than 1 MiB");
		return;
	}
	if (text_valid_utf8(item->bytes) < item->bytes.n)
		finding(c, item->line, "is not UTF-8");
	switch (c->preset->shape) {
	case SHAPE_SYSLOG:
		check_syslog(c, item);
		break;
	case SHAPE_CSV:
		check_row(c, item);
		break;
	case SHAPE_CEF:
		check_cef(c, item);
		break;
	case SHAPE_ECS:
		check_ecs(c, item);
		break;
	}
}

/* --- a file --- */

static void
take_items(struct check *c)
{
	struct input_item item;

	while (input_next(c->input, &item))
		check_item(c, &item);
}

static void
end_text(struct check *c)
{
	if (c->input == NULL)
		return;
	check_header(c);
	input_end(c->input);
	take_items(c);
	input_free(c->input);
	c->input = NULL;
}

static bool
begin_text(struct check *c)
{
	end_text(c);
	c->head_n = 0;
	c->header_checked = false;
	c->texts++;
	c->input = input_new(LONGEST);
	return c->input != NULL;
}

static void
take_bytes(struct check *c, struct span bytes)
{
	struct span head = span_take(bytes, sizeof c->head - c->head_n);

	memcpy(c->head + c->head_n, head.p, head.n);
	c->head_n += head.n;
	if (c->head_n == sizeof c->head)
		check_header(c);
	input_feed(c->input, bytes);
	take_items(c);
}

static void
check_packing(struct check *c, int fd, const struct stat *st)
{
	char start[4];
	ssize_t n = pread(fd, start, sizeof start, 0);
	enum reader_kind kind =
	    reader_kind(span_of(start, n > 0 ? (size_t)n : 0));
	unsigned packing = kind == READER_GZIP  ? GZIP
			   : kind == READER_ZIP ? ZIP
						: PLAIN;

	if ((c->preset->packing & packing) == 0)
		finding(c, 0, "is %s: it has to be %s",
		    packing == PLAIN  ? "not packed"
		    : packing == GZIP ? "gzip"
				      : "zip",
		    (c->preset->packing & PLAIN) != 0 ? "plain or gzip"
						      : "gzip or zip");
	if (c->preset->most > 0 && (uint64_t)st->st_size > c->preset->most)
		finding(c, 0, "has more than %" PRIu64 " MiB",
		    c->preset->most / MIB);
}

/* False: it cannot be read. */
static bool
read_texts(struct check *c, struct reader *reader)
{
	struct span bytes;

	for (;;) {
		switch (reader_next(reader, &bytes)) {
		case READER_TEXT:
			if (!begin_text(c))
				return false;
			break;
		case READER_BYTES:
			take_bytes(c, bytes);
			break;
		case READER_END:
			end_text(c);
			return true;
		case READER_BROKEN:
			finding(c, 0, "is broken: %s", reader_why(reader));
			end_text(c);
			return true;
		}
	}
}

static bool
check_file(struct check *c)
{
	int fd = open(c->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct reader *reader = NULL;
	struct stat st;
	bool ok = fd >= 0 && fstat(fd, &st) == 0;

	if (ok && !S_ISREG(st.st_mode)) {
		errno = EINVAL;
		ok = false;
	}
	if (ok) {
		check_packing(c, fd, &st);
		reader = reader_new(fd, (uint64_t)st.st_size);
		ok = reader != NULL && read_texts(c, reader);
	}
	if (!ok)
		fprintf(stderr, "sepmlogctl check-file: %s: %s\n", c->file,
		    strerror(errno));
	if (c->texts > 1)
		finding(c, 0, "has %zu files in it: one is wanted", c->texts);
	reader_free(reader);
	input_free(c->input);
	if (fd >= 0)
		close(fd);
	return ok;
}

static void
print_sum(const struct check *c)
{
	if (c->findings > TOLD)
		printf("%s: ... and %" PRIu64 " more\n", c->file,
		    c->findings - TOLD);
	printf("%s: %" PRIu64 " records, %" PRIu64
	       " findings, by what is published for %s\n",
	    c->file, c->records, c->findings, c->preset->name);
}

/* --- the command --- */

static void
usage(FILE *to)
{
	fputs("usage: sepmlogctl check-file [--target TARGET] "
	      "[--no-clear-names LIST] FILE...\n"
	      "\n"
	      "With LIST, a file of names, one a line: is none of them in any "
	      "FILE, in any\n"
	      "way that a format can write it?\n"
	      "\n"
	      "Does each FILE look as the target has published that it wants "
	      "it: packing,\n"
	      "size, encoding, and every record? Built to the published "
	      "descriptions; only\n"
	      "the target itself can say that it takes a file.\n"
	      "\n"
	      "Targets, and the format of the stream for each:\n",
	    to);
	for (size_t i = 0; i < PRESETS; i++)
		fprintf(to, "  %-16s format: %s\n", presets[i].name,
		    presets[i].format);
	fputs("\n"
	      "Exit: 0 it does, 1 there are findings, 2 wrong use, 3 it could "
	      "not run.\n",
	    to);
}

static const struct preset *
preset_of(const char *name)
{
	for (size_t i = 0; i < PRESETS; i++)
		if (strcmp(presets[i].name, name) == 0)
			return &presets[i];
	fprintf(stderr, "sepmlogctl check-file: %s: no such target\n", name);
	return NULL;
}

static enum ctl_exit
run_names(struct clear_names *names, int count, char **files)
{
	enum ctl_exit answer = CTL_DONE, one;

	for (int i = 0; names != NULL && i < count; i++) {
		one = clear_names_check(names, files[i]);
		if (one == CTL_FAILED)
			return one;
		if (one == CTL_FINDINGS)
			answer = one;
	}
	return answer;
}

static enum ctl_exit
run(const struct preset *preset, int count, char **files)
{
	enum ctl_exit answer = CTL_DONE;

	for (int i = 0; preset != NULL && i < count; i++) {
		struct check c = {.preset = preset,
		    .file = files[i],
		    .now = (int64_t)time(NULL)};

		if (!check_file(&c))
			return CTL_FAILED;
		print_sum(&c);
		if (c.findings > 0)
			answer = CTL_FINDINGS;
	}
	return answer;
}

enum ctl_exit
ctl_check_file(int argc, char **argv)
{
	static const struct option longs[] = {
	    {"target", required_argument, NULL, 't'},
	    {"no-clear-names", required_argument, NULL, 'n'},
	    {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0},
	};
	const struct preset *preset = NULL;
	struct clear_names *names;
	const char *list = NULL;
	enum ctl_exit answer, others;
	int option;

	while ((option = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		if (option == 'h') {
			usage(stdout);
			return CTL_DONE;
		}
		if (option == 'n') {
			list = optarg;
			continue;
		}
		preset = option == 't' ? preset_of(optarg) : NULL;
		if (preset == NULL)
			return CTL_USAGE;
	}
	if ((preset == NULL && list == NULL) || optind == argc) {
		usage(stderr);
		return CTL_USAGE;
	}
	names = list != NULL ? clear_names_load(list) : NULL;
	if (list != NULL && names == NULL)
		return CTL_FAILED;
	answer = run(preset, argc - optind, argv + optind);
	others = answer != CTL_FAILED
		     ? run_names(names, argc - optind, argv + optind)
		     : CTL_DONE;
	clear_names_free(names);
	return others > answer ? others : answer;
}
