#include "conform.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "input.h"
#include "reader.h"
#include "text.h"

#define MIB ((uint64_t)1 << 20)

enum {
	LONGEST = 1 << 20, /* bytes of a line */
	COLUMNS = 31,      /* of SEPM's CSV export */
	HEAD = 2048,
	TEXT = 256,
	DAY = 24 * 60 * 60,
	MS_DIGITS = 15, /* of a time in milliseconds, at most */
};

struct check {
	const struct conform_job *job;
	const struct preset *preset;
	struct conform_result *result;
	struct input *input;
	uint64_t told_record; /* the last that had a finding */
	/* of the text */
	char head[HEAD]; /* its start: a header row is no record */
	size_t head_n;
	bool header_checked;
};

static void __attribute__((format(printf, 3, 0)))
tell(struct check *c, uint64_t line, const char *format, va_list args)
{
	char text[TEXT];

	c->result->findings++;
	vsnprintf(text, sizeof text, format, args);
	if (c->job->finding != NULL)
		c->job->finding(c->job->arg, line, text);
}

/* Of a record: others of the file are of use. */
static void __attribute__((format(printf, 3, 4)))
finding(struct check *c, uint64_t line, const char *format, ...)
{
	va_list args;

	if (c->told_record != c->result->records)
		c->result->wrong_records++;
	c->told_record = c->result->records;
	va_start(args, format);
	tell(c, line, format, args);
	va_end(args);
}

/* Of the file: it is of no use as a whole. */
static void __attribute__((format(printf, 3, 4)))
file_finding(struct check *c, uint64_t line, const char *format, ...)
{
	va_list args;

	c->result->is_wrong = true;
	va_start(args, format);
	tell(c, line, format, args);
	va_end(args);
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

/* --- age --- */

static void
check_day(struct check *c, const struct input_item *item, int64_t day)
{
	if (c->preset->days > 0 && day < c->job->now / DAY - c->preset->days)
		finding(c, item->line,
		    "is older than %u days: it would be left out",
		    c->preset->days);
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
		else if (i == 0)
			check_day(c, item, day);
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

	if (c->preset->shape != PRESET_CSV || c->header_checked)
		return;
	c->header_checked = true;
	if (!span_starts(head, want) ||
	    (span_at(head, want.n) != '\r' && span_at(head, want.n) != '\n'))
		file_finding(c, 1,
		    "the first line is not SEPM's header of 31 columns; use "
		    "format: csv");
}

/* --- CEF --- */

/* What is behind the header, and its bars: 7 at most. */
static struct span
cef_extension(struct span text, unsigned *bars)
{
	size_t i;

	*bars = 0;
	for (i = 0; i < text.n && *bars < 7; i++) {
		if (text.p[i] == '\\')
			i++;
		else
			*bars += text.p[i] == '|';
	}
	return span_skip(text, i);
}

/* The value up to a blank; empty: there is none. In values, = is escaped. */
static struct span
cef_word(struct span extension, struct span key)
{
	struct span at = extension;

	while (at.n > 0 && !span_starts(at, key))
		at = span_skip(at, span_find(at, ' ') + 1);
	at = span_skip(at, key.n);
	return span_take(at, span_find(at, ' '));
}

/* Days since 1970 of milliseconds; -1: they are none. */
static int64_t
day_of_ms(struct span text)
{
	int64_t ms = 0;

	for (size_t i = 0; i < text.n; i++) {
		if (!span_isdigit(span_at(text, i)) || i == MS_DIGITS)
			return -1;
		ms = 10 * ms + (text.p[i] - '0');
	}
	return ms / 1000 / DAY;
}

static void
check_cef_time(
    struct check *c, const struct input_item *item, struct span extension)
{
	struct span text = cef_word(extension, SPAN("rt="));
	int64_t day;

	if (text.n == 0)
		text = cef_word(extension, SPAN("start="));
	if (text.n == 0) {
		finding(c, item->line, "has neither rt nor start");
		return;
	}
	day = day_of_ms(text);
	if (day < 0)
		finding(c, item->line,
		    "the time '%.*s' is not milliseconds since 1970",
		    (int)span_take(text, 40).n, text.p);
	else
		check_day(c, item, day);
}

static void
check_cef(struct check *c, const struct input_item *item)
{
	struct span text = item->bytes, extension;
	unsigned bars;

	extension = cef_extension(text, &bars);
	if (!span_starts(text, SPAN("CEF:0|")) &&
	    !span_starts(text, SPAN("CEF:1|"))) {
		finding(c, item->line,
		    "does not begin with CEF:0|; use "
		    "format: cef");
		return;
	}
	if (bars < 7) {
		finding(
		    c, item->line, "has %u of 7 bars of a CEF header", bars);
		return;
	}
	check_cef_time(c, item, extension);
	if (cef_word(extension, SPAN("src=")).n == 0 &&
	    cef_word(extension, SPAN("dst=")).n == 0)
		finding(c, item->line, "has neither src nor dst");
}

/* --- others --- */

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
	c->result->records++;
	if (item->unterminated)
		file_finding(c, item->line, "does not end with a line end");
	if (item->length > item->bytes.n) {
		finding(c, item->line, "is longer than 1 MiB");
		return;
	}
	if (text_valid_utf8(item->bytes) < item->bytes.n)
		file_finding(c, item->line, "is not UTF-8");
	switch (c->preset->shape) {
	case PRESET_SYSLOG:
		check_syslog(c, item);
		break;
	case PRESET_CSV:
		check_row(c, item);
		break;
	case PRESET_CEF:
		check_cef(c, item);
		break;
	case PRESET_ECS:
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
	c->result->texts++;
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

/* 0: another way. */
static unsigned
packing_of(enum reader_kind kind)
{
	switch (kind) {
	case READER_PLAIN:
		return PRESET_PLAIN;
	case READER_GZIP:
		return PRESET_GZIP;
	case READER_ZIP:
		return PRESET_ZIP;
	default:
		return 0;
	}
}

static const char *
packing_name(unsigned packing)
{
	switch (packing) {
	case PRESET_PLAIN:
		return "not packed";
	case PRESET_GZIP:
		return "gzip";
	case PRESET_ZIP:
		return "zip";
	default:
		return "zstd";
	}
}

static void
check_packing(struct check *c, int fd, const struct stat *st)
{
	char start[4];
	ssize_t n = pread(fd, start, sizeof start, 0);
	enum reader_kind kind =
	    reader_kind(span_of(start, n > 0 ? (size_t)n : 0));
	unsigned packing = packing_of(kind);

	if ((c->preset->packing & packing) == 0)
		file_finding(c, 0, "is %s: it has to be %s",
		    packing_name(packing),
		    (c->preset->packing & PRESET_PLAIN) != 0 ? "plain or gzip"
							     : "gzip or zip");
	if (c->preset->most > 0 && (uint64_t)st->st_size > c->preset->most)
		file_finding(c, 0, "has more than %" PRIu64 " MiB",
		    c->preset->most / MIB);
}

/* False: it cannot be read. */
static bool
read_texts(struct check *c, struct reader *reader)
{
	struct span bytes;

	for (;;) {
		if (c->job->stop != NULL && atomic_load(c->job->stop)) {
			errno = ECANCELED;
			return false;
		}
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
			file_finding(c, 0, "is broken: %s", reader_why(reader));
			end_text(c);
			return true;
		}
	}
}

bool
conform_check(const struct conform_job *job, struct conform_result *result)
{
	struct check c = {.job = job, .preset = job->preset, .result = result};
	struct reader *reader;
	struct stat st;
	bool ok;

	*result = (struct conform_result){0};
	if (fstat(job->fd, &st) < 0)
		return false;
	check_packing(&c, job->fd, &st);
	reader = reader_new(job->fd, (uint64_t)st.st_size);
	ok = reader != NULL && read_texts(&c, reader);
	if (ok && result->texts > 1)
		file_finding(
		    &c, 0, "has %zu files in it: one is wanted", result->texts);
	reader_free(reader);
	input_free(c.input);
	return ok;
}
