#include "records.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gunzip.h"
#include "spool/disk.h"
#include "timestamp.h"
#include "unzstd.h"

enum { PIECE = 64 * 1024 };

/* --- names --- */

static bool
take_end(struct span *name, struct span end)
{
	if (name->n <= end.n ||
	    !span_eq(span_skip(*name, name->n - end.n), end))
		return false;
	name->n -= end.n;
	return true;
}

bool
records_name(const char *name, struct records_name *out)
{
	struct span stream, rest = span_str(name);

	if (!name_parse_ready(name, &stream, &out->segment) ||
	    stream.n > SPOOL_NAME_MAX || rest.n >= SPOOL_PATH)
		return false;
	snprintf(
	    out->stream, sizeof out->stream, "%.*s", (int)stream.n, stream.p);
	snprintf(out->instance, sizeof out->instance, "%.*s", SPOOL_INSTANCE,
	    stream.p + stream.n + 1);
	out->packed = RECORDS_PLAIN;
	if (take_end(&rest, SPAN(".gz")))
		out->packed = RECORDS_GZIP;
	else if (take_end(&rest, SPAN(".zst")))
		out->packed = RECORDS_ZSTD;
	out->format =
	    encode_format_find(span_skip(rest, span_find(rest, '.') + 1));
	return true;
}

/* --- lines --- */

struct records {
	int fd;
	struct records_name name;
	uint64_t at;     /* of the file: the next byte to read */
	uint64_t plain;  /* of its content: where `rest` begins */
	uint64_t number; /* of the last record */
	bool header_seen, ended;
	struct gunzip *gunzip;
	struct unzstd *unzstd;
	struct span rest; /* plain bytes that are no line yet */
	size_t max, kept; /* of a line that goes over pieces */
	uint64_t length;
	const char *why;
	char *line;
	char in[PIECE], out[PIECE];
};

struct records *
records_new(int fd, const struct records_name *name, size_t max)
{
	struct records *r = calloc(1, sizeof *r);

	if (r == NULL)
		return NULL;
	r->fd = fd;
	r->name = *name;
	r->max = max;
	r->rest = SPAN("");
	r->line = malloc(max);
	if (name->packed == RECORDS_GZIP)
		r->gunzip = gunzip_new();
	if (name->packed == RECORDS_ZSTD)
		r->unzstd = unzstd_new();
	if (r->line != NULL &&
	    (r->gunzip != NULL) == (name->packed == RECORDS_GZIP) &&
	    (r->unzstd != NULL) == (name->packed == RECORDS_ZSTD))
		return r;
	records_free(r);
	return NULL;
}

void
records_free(struct records *r)
{
	if (r == NULL)
		return;
	gunzip_free(r->gunzip);
	unzstd_free(r->unzstd);
	free(r->line);
	free(r);
}

uint64_t
records_done(const struct records *r)
{
	return r->at;
}

const char *
records_why(const struct records *r)
{
	return r->why;
}

static enum records_status
stop(struct records *r, enum records_status status, const char *why)
{
	r->why = why;
	return status;
}

/* The next bytes as they lie in the file; none at its end. */
static enum records_status
read_piece(struct records *r, struct span *piece)
{
	size_t n;

	if (!disk_read(r->fd, r->at, r->in, PIECE, &n))
		return stop(r, RECORDS_FAILED, strerrordesc_np(errno));
	r->at += n;
	*piece = span_of(r->in, n);
	return n > 0 ? RECORDS_LINE : RECORDS_END;
}

static enum records_status
fill_gzip(struct records *r)
{
	enum gunzip_status got;
	enum records_status status;
	struct span piece;
	size_t n;

	while (
	    (got = gunzip_next(r->gunzip, r->out, PIECE, &n)) == GUNZIP_MORE) {
		status = read_piece(r, &piece);
		if (status == RECORDS_END && !gunzip_ends(r->gunzip))
			return stop(r, RECORDS_BROKEN, gunzip_why(r->gunzip));
		if (status != RECORDS_LINE)
			return status;
		gunzip_feed(r->gunzip, piece);
	}
	if (got == GUNZIP_BROKEN)
		return stop(r, RECORDS_BROKEN, gunzip_why(r->gunzip));
	r->rest = span_of(r->out, n);
	return RECORDS_LINE;
}

static enum records_status
fill_zstd(struct records *r)
{
	enum unzstd_status got;
	enum records_status status;
	struct span piece;
	size_t n;

	while (
	    (got = unzstd_next(r->unzstd, r->out, PIECE, &n)) == UNZSTD_MORE) {
		status = read_piece(r, &piece);
		if (status == RECORDS_END && !unzstd_ends(r->unzstd))
			return stop(r, RECORDS_BROKEN, unzstd_why(r->unzstd));
		if (status != RECORDS_LINE)
			return status;
		unzstd_feed(r->unzstd, piece);
	}
	if (got == UNZSTD_BROKEN)
		return stop(r, RECORDS_BROKEN, unzstd_why(r->unzstd));
	r->rest = span_of(r->out, n);
	return RECORDS_LINE;
}

/* More plain bytes to `rest`. */
static enum records_status
fill(struct records *r)
{
	if (r->gunzip != NULL)
		return fill_gzip(r);
	if (r->unzstd != NULL)
		return fill_zstd(r);
	return read_piece(r, &r->rest);
}

static void
keep(struct records *r, struct span part)
{
	struct span fits = span_take(part, r->max - r->kept);

	if (fits.n > 0)
		memcpy(r->line + r->kept, fits.p, fits.n);
	r->kept += fits.n;
	r->length += part.n;
}

static void
consume(struct records *r, size_t n)
{
	r->rest = span_skip(r->rest, n);
	r->plain += n;
}

/* A line: where it lies, or in r->line if it came in parts. */
static enum records_status
next_line(struct records *r, struct span *text)
{
	enum records_status status;
	bool whole;
	size_t n;

	r->kept = 0;
	r->length = 0;
	for (;;) {
		n = span_find(r->rest, '\n');
		whole = n < r->rest.n;
		if (whole && r->length == 0) {
			r->length = n;
			*text = span_take(r->rest, n < r->max ? n : r->max);
			consume(r, n + 1);
			return RECORDS_LINE;
		}
		keep(r, span_take(r->rest, n));
		consume(r, n + whole);
		if (whole)
			break;
		status = fill(r);
		if (status == RECORDS_END && r->length > 0)
			break;
		if (status != RECORDS_LINE)
			return status;
	}
	*text = span_of(r->line, r->kept);
	return RECORDS_LINE;
}

enum records_status
records_next(struct records *r, struct record_line *line)
{
	enum records_status status;

	do {
		status = next_line(r, &line->text);
		if (status != RECORDS_LINE)
			return status;
		if (r->name.format == ENCODE_CSV && !r->header_seen) {
			r->header_seen = true;
			r->length = 0;
			continue;
		}
		r->number++;
	} while (r->length == 0);
	line->length = r->length;
	line->number = r->number;
	line->end = r->plain;
	if (r->name.format == ENCODE_CSV && line->text.n == line->length &&
	    span_at(line->text, line->text.n - 1) == '\r')
		line->length = --line->text.n;
	return RECORDS_LINE;
}

/* --- what a record says --- */

/* Behind the first `mark`; n == 0: it is not there, or at the end. */
static struct span
after(struct span text, struct span mark)
{
	const char *at = memmem(text.p, text.n, mark.p, mark.n);

	return at != NULL ? span_between(at + mark.n, span_end(text))
			  : span_of(span_end(text), 0);
}

/* Up to the quote that ends the string which begins here. */
static struct span
string_here(struct span text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '"')
			return span_take(text, i);
		if (text.p[i] == '\\')
			i++;
	}
	return SPAN("");
}

/* The last member of the text, if it is this one: `mark` and a word. What
 * comes behind the word is `end`. No message can imitate it, since quotes and
 * separators in values are escaped. */
static struct span
last_word(struct span text, struct span mark, struct span end)
{
	size_t from;

	if (!take_end(&text, end))
		return SPAN("");
	from = text.n > RECORDS_ID + mark.n ? text.n - RECORDS_ID - mark.n : 0;
	for (size_t i = text.n; i-- > from + mark.n;) {
		if (text.p[i] == '"' || text.p[i] == '\\' || text.p[i] == '=' ||
		    text.p[i] == '\t')
			return SPAN("");
		if (i >= mark.n &&
		    span_eq(span_of(text.p + i - mark.n, mark.n), mark))
			return span_skip(text, i);
	}
	return SPAN("");
}

static struct span
own_id(enum encode_format format, struct span text)
{
	switch (format) {
	case ENCODE_JSONL:
		return last_word(text, SPAN(",\"id\":\""), SPAN("\"}"));
	case ENCODE_ECS:
		return last_word(text, SPAN(",\"id\":\""), SPAN("\"}}"));
	case ENCODE_OCSF:
		return last_word(text, SPAN(",\"uid\":\""), SPAN("\"}}"));
	case ENCODE_CEF:
		return last_word(text, SPAN(" externalId="), SPAN(""));
	case ENCODE_LEEF:
		return last_word(text, SPAN("\tid="), SPAN(""));
	default:
		return SPAN("");
	}
}

size_t
record_id(const struct records_name *name, const struct record_line *line,
    char id[RECORDS_ID + 1])
{
	struct span own = line->length > line->text.n
			      ? SPAN("")
			      : own_id(name->format, line->text);

	if (own.n > 0)
		snprintf(id, RECORDS_ID + 1, "%.*s", (int)own.n, own.p);
	else
		snprintf(id, RECORDS_ID + 1, "%s-%s-%" PRIu64 "-%" PRIu64,
		    name->instance, name->stream, name->segment, line->number);
	return strlen(id);
}

static struct span
source_ecs(struct span text)
{
	struct span observer = after(text, SPAN("\"observer\":{"));

	observer = span_take(observer, span_find(observer, '}'));
	return string_here(after(observer, SPAN("\"hostname\":\"")));
}

struct span
record_source(enum encode_format format, struct span text)
{
	struct span found = SPAN("");

	switch (format) {
	case ENCODE_JSONL:
		found = string_here(after(text, SPAN("\"sepm\":\"")));
		if (found.n == 0)
			found = string_here(after(text, SPAN("\"peer\":\"")));
		break;
	case ENCODE_ECS:
		found = source_ecs(text);
		break;
	case ENCODE_OCSF:
		found = string_here(after(text, SPAN("\"log_provider\":\"")));
		break;
	case ENCODE_CEF:
		found = after(text, SPAN(" dvchost="));
		found = span_take(found, span_find(found, ' '));
		break;
	case ENCODE_LEEF:
		found = after(text, SPAN("\tsepm="));
		found = span_take(found, span_find(found, '\t'));
		break;
	default:
		break;
	}
	return found;
}

/* Milliseconds since 1970, in digits. */
static bool
millis_here(struct span text, int64_t *us)
{
	int64_t ms = 0;
	size_t i;

	for (i = 0; i < text.n && text.p[i] >= '0' && text.p[i] <= '9'; i++) {
		if (i == 15)
			return false;
		ms = 10 * ms + (text.p[i] - '0');
	}
	*us = ms * 1000;
	return i > 0;
}

static bool
stamp_here(struct span text, int64_t *us)
{
	struct timestamp stamp;
	struct span here = string_here(text);

	if (here.n == 0 || timestamp_scan(here, TIMESTAMP_ISO, &stamp) == 0)
		return false;
	*us = (civil_seconds(&stamp.civil) -
		  (stamp.has_offset ? stamp.offset : 0)) *
		  1000000 +
	      stamp.microsecond;
	return true;
}

bool
record_time(enum encode_format format, struct span text, int64_t *us)
{
	switch (format) {
	case ENCODE_JSONL:
		return stamp_here(after(text, SPAN("\"time\":\"")), us) ||
		       stamp_here(after(text, SPAN("\"received\":\"")), us);
	case ENCODE_ECS:
		return stamp_here(after(text, SPAN("\"@timestamp\":\"")), us);
	case ENCODE_OCSF:
		return millis_here(after(text, SPAN(",\"time\":")), us);
	case ENCODE_CEF:
		return millis_here(after(text, SPAN(" rt=")), us) ||
		       millis_here(after(text, SPAN("|rt=")), us);
	default:
		return false;
	}
}
