/*
 * sepmlogctl report - who talked to whom: records in files, added up.
 *
 * Files are read once, by one thread, and nothing is allocated for a record.
 * Lines of our jsonl are read as they are; any other text is taken for SEPM's,
 * CSV export included, and parsed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ctl.h"
#include "decode.h"
#include "input.h"
#include "item.h"
#include "parser.h"
#include "reader.h"
#include "report.h"
#include "shown.h"
#include "site.h"
#include "zonefile.h"

enum {
	LONGEST = 1 << 20, /* bytes of a line */
	ENTRIES = 8192,    /* of each table: an error of 1 in 4096 at most */
	TOP = 20,
	TEXT_BARS = 48,
	COLUMNS = 100, /* where there is no terminal */
};

enum shape { SHAPE_TEXT, SHAPE_JSON, SHAPE_HTML };

struct options {
	enum shape shape;
	size_t top;
	struct summary_options summary;
	struct message_source source;
	struct zone *zone; /* owned; NULL: UTC */
};

/* What is being read. */
struct reading {
	const struct options *options;
	struct report *report;
	struct decoder *decoder;
	struct parser *parser;
	struct input *input; /* NULL: a text of jsonl, or not known yet */
	bool begun;          /* its kind is known */
	bool no_memory;
	size_t carried; /* of a line that goes on in the next piece */
	bool too_long;  /* that line */
	char *carry;    /* LONGEST bytes */
	struct record record;
};

static const char usage_text[] =
    "usage: sepmlogctl report [OPTION...] FILE|DIR...\n"
    "\n"
    "Who talked to whom: adds up the records in FILEs (jsonl and csv as "
    "sepmlogd\n"
    "writes them, any SEPM text; plain, gzip, zstd or zip) by remote domain,\n"
    "application, user, host, rule and port. Of a DIR, its files; of a spool,\n"
    "those of ready/ and live/.\n"
    "\n"
    "  --html         a page to be sent on, for a browser or a printer\n"
    "  --json         for programs\n"
    "  --top N        rows of each table (default 20, at most 1000)\n"
    "  --exact        count every name, in memory that grows with them\n"
    "  --since T      only from this time on, as 2024-06-30T00:00:00Z\n"
    "  --until T      only before this time\n"
    "  --timezone Z   IANA zone of SEPM's clock, for SEPM text and csv "
    "(default\n"
    "                 UTC)\n"
    "\n"
    "Exit: 0 done, 1 some lines were not understood, 2 wrong use, 3 could not "
    "run.\n";

/* --- lines --- */

static void
add(struct reading *r, const struct record *record)
{
	if (!summary_add(r->report->summary, record))
		r->no_memory = true;
}

static void
take_line(struct reading *r, struct span line)
{
	if (span_at(line, line.n - 1) == '\r')
		line.n--;
	if (line.n == 0)
		return;
	if (decoder_read(r->decoder, line, &r->record))
		add(r, &r->record);
	else
		r->report->not_ours++;
}

static void
carry(struct reading *r, struct span part)
{
	if (r->carried + part.n > LONGEST) {
		r->too_long = true;
		r->carried = 0;
	}
	if (r->too_long)
		return;
	memcpy(r->carry + r->carried, part.p, part.n);
	r->carried += part.n;
}

static void
end_carried(struct reading *r)
{
	if (r->too_long)
		r->report->not_ours++;
	else
		take_line(r, span_of(r->carry, r->carried));
	r->carried = 0;
	r->too_long = false;
}

static void
take_lines(struct reading *r, struct span bytes)
{
	const char *end;
	struct span line;

	while ((end = memchr(bytes.p, '\n', bytes.n)) != NULL) {
		line = span_between(bytes.p, end);
		bytes = span_skip(bytes, line.n + 1);
		if (r->carried > 0 || r->too_long) {
			carry(r, line);
			end_carried(r);
		} else {
			take_line(r, line);
		}
	}
	if (bytes.n > 0)
		carry(r, bytes);
}

static void
take_items(struct reading *r)
{
	struct input_item item;
	struct message m;

	while (input_next(r->input, &item)) {
		m = (struct message){.reference = r->report->now};
		item_parse(
		    r->parser, &item, &m, &r->options->source, &r->record);
		if (r->record.type == RECORD_UNPARSED)
			r->report->not_ours++;
		else
			add(r, &r->record);
	}
}

/* --- texts --- */

/* Ours begins with a brace; so does nothing of SEPM's. False: no memory. */
static bool
begin(struct reading *r, struct span bytes)
{
	r->begun = true;
	if (span_at(bytes, 0) == '{')
		return true;
	r->input = input_new(LONGEST);
	return r->input != NULL;
}

static bool
take_bytes(struct reading *r, struct span bytes)
{
	r->report->bytes += bytes.n;
	if (bytes.n > 0 && !r->begun && !begin(r, bytes))
		return false;
	if (r->input == NULL) {
		take_lines(r, bytes);
	} else {
		input_feed(r->input, bytes);
		take_items(r);
	}
	return !r->no_memory;
}

/* A line without its end is one that the daemon is still writing. */
static bool
end_text(struct reading *r)
{
	if (r->input != NULL) {
		input_end(r->input);
		take_items(r);
		input_free(r->input);
		r->input = NULL;
	} else if (r->carried > 0 || r->too_long) {
		r->report->unterminated++;
	}
	r->begun = false;
	r->carried = 0;
	r->too_long = false;
	return !r->no_memory;
}

/* False: errno says why. */
static bool
read_texts(struct reading *r, struct reader *reader, const char *name)
{
	struct span bytes;

	for (;;) {
		switch (reader_next(reader, &bytes)) {
		case READER_TEXT:
			if (!end_text(r))
				return false;
			break;
		case READER_BYTES:
			if (!take_bytes(r, bytes))
				return false;
			break;
		case READER_END:
			return end_text(r);
		case READER_BROKEN:
			complain("sepmlogctl report: %s: is broken: %s; "
				 "what is before that is in the report",
			    name, reader_why(reader));
			r->report->not_ours++;
			return end_text(r);
		}
	}
}

static bool
read_fd(struct reading *r, int fd, const char *name)
{
	struct stat st;
	struct reader *reader;
	bool good;

	if (fstat(fd, &st) < 0)
		return false;
	reader = reader_new(
	    fd, S_ISREG(st.st_mode) ? (uint64_t)st.st_size : UINT64_MAX);
	good = reader != NULL && read_texts(r, reader, name);
	reader_free(reader);
	r->report->files++;
	return good;
}

/* --- files and directories --- */

static bool read_directory(struct reading *r, const char *name, bool top);

static bool
read_file(struct reading *r, const char *name)
{
	bool standard = strcmp(name, "-") == 0, good = false;
	int fd = standard ? STDIN_FILENO
			  : open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	errno = fd < 0 ? errno : ENOMEM;
	good = fd >= 0 && read_fd(r, fd, name);
	if (!good)
		complain("sepmlogctl report: %s: %s", name, strerror(errno));
	if (fd >= 0 && !standard)
		close(fd);
	return good;
}

static bool
read_path(struct reading *r, const char *name, bool top)
{
	struct stat st;

	if (strcmp(name, "-") != 0 && stat(name, &st) == 0 &&
	    S_ISDIR(st.st_mode))
		return read_directory(r, name, top);
	return read_file(r, name);
}

static bool
is_there(const char *directory, const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof path, "%s/%s", directory, name);
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Regular files only, in the order of their names; in what belongs to a spool
 * also those of the directories below. */
static bool
read_entries(struct reading *r, const char *directory, bool deeper)
{
	struct dirent **list = NULL;
	int count = scandir(directory, &list, NULL, alphasort);
	char path[PATH_MAX];
	struct stat st;
	bool good = count >= 0;

	if (!good)
		complain(
		    "sepmlogctl report: %s: %s", directory, strerror(errno));
	for (int i = 0; i < count; i++) {
		const char *name = list[i]->d_name;

		snprintf(path, sizeof path, "%s/%s", directory, name);
		if (name[0] != '.' && lstat(path, &st) == 0) {
			if (S_ISREG(st.st_mode))
				good = read_file(r, path) && good;
			else if (deeper && S_ISDIR(st.st_mode))
				good = read_entries(r, path, false) && good;
		}
		free(list[i]);
	}
	free(list);
	return good;
}

static bool
read_directory(struct reading *r, const char *name, bool top)
{
	char path[PATH_MAX];
	bool good;

	if (!top || !is_there(name, "ready") || !is_there(name, "live"))
		return read_entries(r, name, false);
	snprintf(path, sizeof path, "%s/ready", name);
	good = read_entries(r, path, false);
	snprintf(path, sizeof path, "%s/live", name);
	return read_entries(r, path, true) && good;
}

/* --- the command --- */

static unsigned
terminal_columns(void)
{
	struct winsize size;
	const char *given = getenv("COLUMNS");
	unsigned long n = given != NULL ? strtoul(given, NULL, 10) : 0;

	if (n > 0 && n <= 1000)
		return (unsigned)n;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	return COLUMNS;
}

static void
write_report(const struct options *o, struct report *report)
{
	summary_bars(report->summary,
	    o->shape == SHAPE_TEXT ? TEXT_BARS : SUMMARY_BARS, &report->bars);
	switch (o->shape) {
	case SHAPE_TEXT:
		report_text(report, terminal_columns(), stdout);
		break;
	case SHAPE_JSON:
		report_json(report, stdout);
		break;
	case SHAPE_HTML:
		report_html(report, stdout);
		break;
	}
}

static bool
reading_init(struct reading *r, const struct options *o, struct report *report)
{
	*r = (struct reading){.options = o, .report = report};
	r->decoder = decoder_new(LONGEST);
	r->parser = parser_new(LONGEST);
	r->carry = malloc(LONGEST);
	report->summary = summary_new(&o->summary);
	return r->decoder != NULL && r->parser != NULL && r->carry != NULL &&
	       report->summary != NULL;
}

static void
reading_clear(struct reading *r)
{
	decoder_free(r->decoder);
	parser_free(r->parser);
	input_free(r->input);
	free(r->carry);
	summary_free(r->report->summary);
}

static enum ctl_exit
read_all(struct reading *r, int count, char **names)
{
	bool good = true;

	for (int i = 0; i < count && !r->no_memory; i++)
		good = read_path(r, names[i], true) && good;
	if (r->no_memory) {
		fputs("sepmlogctl report: out of memory; without --exact it "
		      "needs little\n",
		    stderr);
		return CTL_FAILED;
	}
	if (!good)
		return CTL_FAILED;
	return r->report->not_ours > 0 ? CTL_FINDINGS : CTL_DONE;
}

static enum ctl_exit
run(const struct options *o, int count, char **names)
{
	static struct reading r; /* with a record */
	struct report report = {.top = o->top,
	    .exact = o->summary.entries == 0,
	    .now = (int64_t)time(NULL)};
	char day[SITES_DAY];
	enum ctl_exit answer = CTL_FAILED;

	if (sites_day(day))
		report.list_day = day;
	if (!reading_init(&r, o, &report)) {
		fputs("sepmlogctl report: out of memory\n", stderr);
	} else {
		answer = read_all(&r, count, names);
		/* what could be read is worth to be seen */
		if (!r.no_memory && report.files > 0)
			write_report(o, &report);
		if (fflush(stdout) != 0 || ferror(stdout) != 0) {
			complain("sepmlogctl report: standard output: %s",
			    strerror(errno));
			answer = CTL_FAILED;
		}
		if (report.not_ours > 0)
			fprintf(stderr,
			    "sepmlogctl report: %llu lines are not "
			    "understood; give files of streams with format: "
			    "jsonl or csv, or SEPM's own text\n",
			    (unsigned long long)report.not_ours);
	}
	reading_clear(&r);
	return answer;
}

static bool
wrong(const char *option, const char *value, const char *why)
{
	complain("sepmlogctl report: --%s %s: %s", option, value, why);
	return false;
}

static bool
set_top(struct options *o, const char *value)
{
	char *end;
	unsigned long n = strtoul(value, &end, 10);

	o->top = n;
	return (*value != '\0' && *end == '\0' && n >= 1 && n <= REPORT_TOP) ||
	       wrong("top", value, "give 1 to 1000 rows");
}

static bool
set_zone(struct options *o, const char *value)
{
	zone_free(o->zone);
	o->zone = zonefile_load(value);
	o->source.zone = o->zone;
	return o->zone != NULL ||
	       wrong("timezone", value,
		   "no such zone; names are those below /usr/share/zoneinfo");
}

static bool
set_option(struct options *o, int option, const char *value)
{
	struct summary_options *s = &o->summary;

	switch (option) {
	case 'H':
		o->shape = SHAPE_HTML;
		return true;
	case 'j':
		o->shape = SHAPE_JSON;
		return true;
	case 'x':
		s->entries = 0;
		return true;
	case 't':
		return set_top(o, value);
	case 's':
		s->has_since = true;
		return ctl_time(value, &s->since, NULL) ||
		       wrong("since", value, CTL_TIME);
	case 'u':
		s->has_until = true;
		return ctl_time(value, &s->until, NULL) ||
		       wrong("until", value, CTL_TIME);
	case 'z':
		return set_zone(o, value);
	default:
		fputs(usage_text, stderr);
		return false;
	}
}

/* False: *answer is the exit code. */
static bool
read_options(struct options *o, int argc, char **argv, enum ctl_exit *answer)
{
	static const struct option names[] = {
	    {"html", no_argument, NULL, 'H'},
	    {"json", no_argument, NULL, 'j'},
	    {"exact", no_argument, NULL, 'x'},
	    {"top", required_argument, NULL, 't'},
	    {"since", required_argument, NULL, 's'},
	    {"until", required_argument, NULL, 'u'},
	    {"timezone", required_argument, NULL, 'z'},
	    {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0},
	};
	int option;

	*answer = CTL_USAGE;
	while ((option = getopt_long(argc, argv, "h", names, NULL)) != -1) {
		if (option == 'h') {
			fputs(usage_text, stdout);
			*answer = CTL_DONE;
			return false;
		}
		if (!set_option(o, option, optarg))
			return false;
	}
	if (optind < argc)
		return true;
	fputs(usage_text, stderr);
	return false;
}

enum ctl_exit
ctl_report(int argc, char **argv)
{
	struct options o = {
	    .top = TOP,
	    .summary = {.entries = ENTRIES},
	    .source = {.zone = zone_utc(), .codepage = &text_windows_1252},
	};
	enum ctl_exit answer;

	/* for the width of characters; without it each has one column */
	setlocale(LC_CTYPE, "C.UTF-8");
	if (getrandom(&o.summary.key, sizeof o.summary.key, 0) !=
	    (ssize_t)sizeof o.summary.key) {
		complain("sepmlogctl report: getrandom: %s", strerror(errno));
		return CTL_FAILED;
	}
	if (read_options(&o, argc, argv, &answer))
		answer = run(&o, argc - optind, argv + optind);
	zone_free(o.zone);
	return answer;
}
