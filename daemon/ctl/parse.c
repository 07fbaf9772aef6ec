/*
 * sepmlogctl parse - SEPM text to records on standard output: one record per
 * message, in order, nothing skipped.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "codepage.h"
#include "ctl.h"
#include "encode.h"
#include "event_key.h"
#include "explain.h"
#include "input.h"
#include "item.h"
#include "parser.h"
#include "shown.h"
#include "timestamp.h"
#include "zonefile.h"

enum {
	READ_SIZE = 256 * 1024,
	WRITE_SIZE = 256 * 1024,
};

struct options {
	enum encode_format format;
	int64_t now;
	size_t max_message;
	bool explain;
	bool event_key;
	struct message_source source;
	struct zone *zone;              /* owned; NULL: UTC */
	struct text_codepage *codepage; /* owned; NULL: the built-in one */
};

struct parse {
	const struct options *options;
	struct parser *parser;
	struct explain *explain;     /* NULL: records */
	struct event_key *event_key; /* NULL: not wanted */
	struct record record;
	struct timestamp_days days; /* written of late */
	char *line;                 /* of the longest record */
	char *piece;                /* READ_SIZE bytes */
};

static const char usage_text[] =
    "usage: sepmlogctl parse [OPTION...] [FILE...]\n"
    "\n"
    "SEPM text (syslog lines, dump files, a viewer's copy, the CSV export, "
    "told\n"
    "apart by content) in FILEs or standard input to records on standard\n"
    "output: one record per message, in order, nothing skipped.\n"
    "\n"
    "  --format F       jsonl (default), csv (SEPM's 31 columns), raw, ecs, "
    "ocsf,\n"
    "                   cef or leef\n"
    "  --timezone Z     IANA zone of SEPM's clock (default UTC)\n"
    "  --code-page P    of text that is not UTF-8 (default windows-1252)\n"
    "  --now T          reference for a missing year, as 2024-06-30T00:00:00Z\n"
    "                   (default: the clock)\n"
    "  --max-message N  bytes kept of a message (default 65536)\n"
    "  --event-key      with each record's key, equal for equal events\n"
    "  --explain        show which bytes became which field, and why\n";

static void
encode(struct parse *p)
{
	const struct options *o = p->options;
	char *end;

	end = encode_body(o->format, &p->record, &o->source, &p->days, p->line);
	end = encode_end(o->format, span_of("", 0), end);
	fwrite(p->line, 1, (size_t)(end - p->line), stdout);
}

static void
parse_item(struct parse *p, const struct input_item *item)
{
	const struct message_source *source = &p->options->source;
	struct message m = {.reference = p->options->now};

	item_parse(p->parser, item, &m, source, &p->record);
	if (p->event_key != NULL)
		event_key_set(p->event_key, &p->record);
	if (p->explain != NULL)
		explain_print(p->explain, &p->record, item->line, stdout);
	else
		encode(p);
}

/* False: errno says why the input could not be read to its end. */
static bool
parse_fd(struct parse *p, int fd)
{
	struct input *input = input_new(p->options->max_message);
	struct input_item item;
	ssize_t n = 1;

	if (input == NULL)
		return false;
	while (n > 0) {
		n = read(fd, p->piece, READ_SIZE);
		if (n < 0 && errno == EINTR) {
			n = 1;
			continue;
		}
		if (n > 0)
			input_feed(input, span_of(p->piece, (size_t)n));
		else
			input_end(input);
		while (input_next(input, &item))
			parse_item(p, &item);
	}
	input_free(input);
	return n == 0;
}

static bool
parse_file(struct parse *p, const char *name)
{
	bool standard = strcmp(name, "-") == 0, good;
	int fd = standard ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);

	good = fd >= 0 && parse_fd(p, fd);
	if (!good)
		complain("sepmlogctl parse: %s: %s", name, strerror(errno));
	if (fd >= 0 && !standard)
		close(fd);
	return good;
}

static enum ctl_exit
run(struct parse *p, int count, char **names)
{
	enum ctl_exit answer = CTL_DONE;

	setvbuf(stdout, NULL, _IOFBF, WRITE_SIZE);
	if (p->options->format == ENCODE_CSV && p->explain == NULL)
		fwrite(encode_csv_header.p, 1, encode_csv_header.n, stdout);
	if (count == 0 && !parse_file(p, "-"))
		answer = CTL_FAILED;
	for (int i = 0; i < count; i++)
		if (!parse_file(p, names[i]))
			answer = CTL_FAILED;
	if (fflush(stdout) != 0 || ferror(stdout)) {
		complain(
		    "sepmlogctl parse: standard output: %s", strerror(errno));
		answer = CTL_FAILED;
	}
	return answer;
}

/* --- options --- */

static bool
wrong(const char *option, const char *value, const char *what)
{
	complain("sepmlogctl parse: --%s %s: %s", option, value, what);
	return false;
}

static bool
set_format(struct options *o, const char *value)
{
	o->format = encode_format_find(span_str(value));
	return o->format != ENCODE_FORMAT_COUNT ||
	       wrong("format", value,
		   "give jsonl, csv, raw, ecs, ocsf, cef or leef");
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
set_code_page(struct options *o, const char *value)
{
	codepage_free(o->codepage);
	o->codepage = codepage_load(value);
	o->source.codepage = o->codepage;
	return o->codepage != NULL ||
	       wrong("code-page", value, "no such code page");
}

static bool
set_now(struct options *o, const char *value)
{
	return ctl_time(value, &o->now, NULL) || wrong("now", value, CTL_TIME);
}

static bool
set_max_message(struct options *o, const char *value)
{
	char *end;
	unsigned long n = strtoul(value, &end, 10);

	o->max_message = n;
	return (*value != '\0' && *end == '\0' && n >= 480 && n <= 1 << 20) ||
	       wrong("max-message", value, "give 480 to 1048576 bytes");
}

static bool
set_option(struct options *o, int option, const char *value)
{
	switch (option) {
	case 'f':
		return set_format(o, value);
	case 'z':
		return set_zone(o, value);
	case 'p':
		return set_code_page(o, value);
	case 'n':
		return set_now(o, value);
	case 'm':
		return set_max_message(o, value);
	case 'e':
		o->explain = true;
		return true;
	case 'k':
		o->event_key = true;
		return true;
	default:
		fputs(usage_text, stderr);
		return false;
	}
}

static void
parse_clear(struct parse *p)
{
	explain_free(p->explain);
	event_key_free(p->event_key);
	parser_free(p->parser);
	free(p->line);
	free(p->piece);
}

static bool
parse_init(struct parse *p, const struct options *o)
{
	*p = (struct parse){.options = o};
	p->parser = parser_new(o->max_message);
	p->line =
	    malloc(encode_bound(o->max_message + INPUT_MAX_HEADER, &o->source));
	p->piece = malloc(READ_SIZE);
	if (p->parser != NULL && o->explain)
		p->explain = explain_new(p->parser);
	if (o->event_key)
		p->event_key = event_key_new();
	return p->parser != NULL && p->line != NULL && p->piece != NULL &&
	       (!o->explain || p->explain != NULL) &&
	       (!o->event_key || p->event_key != NULL);
}

static enum ctl_exit
parse(const struct options *o, int count, char **names)
{
	struct parse p;
	enum ctl_exit answer = CTL_FAILED;

	if (parse_init(&p, o))
		answer = run(&p, count, names);
	else
		fputs("sepmlogctl parse: out of memory\n", stderr);
	parse_clear(&p);
	return answer;
}

/* False: *answer is the exit code. */
static bool
read_options(struct options *o, int argc, char **argv, enum ctl_exit *answer)
{
	static const struct option long_options[] = {
	    {"format", required_argument, NULL, 'f'},
	    {"timezone", required_argument, NULL, 'z'},
	    {"code-page", required_argument, NULL, 'p'},
	    {"now", required_argument, NULL, 'n'},
	    {"max-message", required_argument, NULL, 'm'},
	    {"event-key", no_argument, NULL, 'k'},
	    {"explain", no_argument, NULL, 'e'},
	    {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0},
	};
	int option;

	while (
	    (option = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
		if (option == 'h') {
			fputs(usage_text, stdout);
			*answer = CTL_DONE;
			return false;
		}
		if (!set_option(o, option, optarg)) {
			*answer = CTL_USAGE;
			return false;
		}
	}
	return true;
}

enum ctl_exit
ctl_parse(int argc, char **argv)
{
	struct options o = {
	    .format = ENCODE_JSONL,
	    .now = time(NULL),
	    .max_message = 65536,
	    .source = {.zone = zone_utc(), .codepage = &text_windows_1252},
	};
	enum ctl_exit answer;

	if (read_options(&o, argc, argv, &answer))
		answer = parse(&o, argc - optind, argv + optind);
	zone_free(o.zone);
	codepage_free(o.codepage);
	return answer;
}
