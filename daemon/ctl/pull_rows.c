/*
 * A row is known by site and serial number (taken.h), so the order in which
 * rows show up does not matter. The marker only spares reading all of them
 * again: it follows the rows' times, but never past the present, so that a
 * clock that is ahead cannot hide what comes later.
 *
 * Records and what is known of them are committed together (intake.h).
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "event_key.h"
#include "parser.h"
#include "pull.h"
#include "sepm_sql.h"

enum { PEER = 128, WHY = 512 };

struct pull_rows {
	const struct config *config;
	const struct message_source *source;
	struct intake *intake;
	struct taken *taken;
	struct pull_range range;
	int64_t now;
	struct taken_marker begun; /* the marker before this run */
	struct parser *parser;
	struct event_key *event_key;
	struct record record;
	struct pull_counts counts;
	bool dirty; /* there is something to commit */

	char names[INPUT_MAX_HEADER];
	struct span columns[ODBC_COLUMNS];
	size_t count;
	size_t site, usn, time; /* columns; `count`: there is none */
	struct span cells[ODBC_COLUMNS];
	char *line; /* the row as a puller's file would have it */
	size_t max;
	char why[WHY];
};

static bool
fails(struct pull_rows *p, const char *why)
{
	snprintf(p->why, sizeof(p->why), "%s", why);
	return false;
}

/* An address may have a site, group and domain of its own in `sources`. */
static const struct message_source *
source_of(const struct config *config)
{
	const char *host = config->pull.host;
	struct in6_addr addr;
	char mapped[INET6_ADDRSTRLEN + 8];

	if (host == NULL)
		return &config->fallback;
	snprintf(mapped, sizeof(mapped), "::ffff:%s", host);
	if (inet_pton(AF_INET6, host, &addr) != 1 &&
	    inet_pton(AF_INET6, mapped, &addr) != 1)
		return &config->fallback;
	return config_source_of(config, &addr);
}

struct pull_rows *
pull_rows_new(const struct config *config, struct intake *intake,
    struct taken *taken, const struct pull_range *range, int64_t now)
{
	struct pull_rows *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->config = config;
	p->source = source_of(config);
	p->intake = intake;
	p->taken = taken;
	p->range = *range;
	p->now = now;
	p->begun = *taken_marker(taken);
	p->max = (size_t)config->max_message;
	p->parser = parser_new(p->max);
	p->event_key = event_key_new();
	p->line = malloc(p->max);
	if (p->parser == NULL || p->event_key == NULL || p->line == NULL) {
		pull_rows_free(p);
		return NULL;
	}
	return p;
}

void
pull_rows_free(struct pull_rows *p)
{
	if (p == NULL)
		return;
	parser_free(p->parser);
	event_key_free(p->event_key);
	free(p->line);
	free(p);
}

const char *
pull_rows_why(const struct pull_rows *p)
{
	return p->why;
}

const struct pull_counts *
pull_rows_counts(const struct pull_rows *p)
{
	return &p->counts;
}

/* --- columns --- */

static size_t
column_find(const struct pull_rows *p, struct span name)
{
	size_t i = 0;

	while (i < p->count && !span_caseeq(p->columns[i], name))
		i++;
	return i;
}

/* As SEPM spells it: databases differ in what they make of letters. */
static struct span
spelling(struct span name)
{
	for (size_t i = 0; i < SEPM_SQL_COLUMNS; i++)
		if (span_caseeq(sepm_sql_column(i), name))
			return sepm_sql_column(i);
	return name;
}

bool
pull_rows_columns(struct pull_rows *p, const struct odbc *odbc)
{
	size_t used = 0;

	for (p->count = 0; p->count < odbc_columns(odbc); p->count++) {
		struct span name = spelling(odbc_column(odbc, p->count));

		if (name.n > sizeof(p->names) - used)
			return fails(p, "names of columns are too long");
		memcpy(p->names + used, name.p, name.n);
		p->columns[p->count] = span_of(p->names + used, name.n);
		used += name.n;
	}
	p->site = column_find(p, SPAN("SITE_ID"));
	p->usn = column_find(p, SPAN("USN"));
	p->time = column_find(p, SPAN("TIME_STAMP"));
	return (p->usn < p->count && p->time < p->count) ||
	       fails(p, "the view has no column USN or TIME_STAMP");
}

/* --- the row as a message --- */

struct line {
	char *p;
	size_t n, max;
	uint64_t length; /* with what did not fit */
};

static void
put(struct line *line, struct span bytes)
{
	struct span fit = span_take(bytes, line->max - line->n);

	if (fit.n > 0)
		memcpy(line->p + line->n, fit.p, fit.n);
	line->n += fit.n;
	line->length += bytes.n;
}

/* RFC 4180: quoted where it has to be. */
static void
put_cell(struct line *line, struct span cell)
{
	if (span_find(cell, ',') == cell.n && span_find(cell, '"') == cell.n &&
	    span_find(cell, '\n') == cell.n &&
	    span_find(cell, '\r') == cell.n) {
		put(line, cell);
		return;
	}
	put(line, SPAN("\""));
	while (cell.n > 0) {
		size_t n = span_find(cell, '"');

		put(line, span_take(cell, n));
		if (n < cell.n)
			put(line, SPAN("\"\""));
		cell = span_skip(cell, n + 1);
	}
	put(line, SPAN("\""));
}

/* Cells and line; together they are at most max_message bytes each. */
static struct line
take_cells(struct pull_rows *p, const struct odbc_row *row)
{
	struct line line = {.p = p->line, .max = p->max};
	size_t left = p->max;

	for (size_t i = 0; i < p->count; i++) {
		struct span cell =
		    row->cell[i].p != NULL ? row->cell[i] : SPAN("");

		if (i > 0)
			put(&line, SPAN(","));
		put_cell(&line, cell);
		p->cells[i] = span_take(cell, left);
		left -= p->cells[i].n;
	}
	if (row->cut)
		line.length =
		    line.length > line.max ? line.length : line.max + 1;
	return line;
}

static void
parse(struct pull_rows *p, const struct odbc_row *row, const struct line *line)
{
	struct message m = {
	    .bytes = span_of(line->p, line->n),
	    .length = line->length,
	    .reference = p->now / 1000,
	    .transport = SPAN("sql"),
	};

	if (p->config->pull.host != NULL)
		m.peer = span_take(span_str(p->config->pull.host), PEER);
	if (p->intake != NULL)
		m.received_us = intake_received(p->intake);
	if (row->broken)
		parser_reject(p->parser, &m,
		    "a row that the database driver could not read",
		    &p->record);
	else
		parser_parse_row(p->parser, &m, p->columns, p->cells, p->count,
		    p->source, &p->record);
	event_key_set(p->event_key, &p->record);
}

/* --- which rows, and up to where --- */

/* False: it has none. One too large for a number is as late as can be. */
static bool
row_time(const struct pull_rows *p, int64_t *time)
{
	struct span digits = span_trim(p->cells[p->time]);
	uint64_t ms = 0;

	for (size_t i = 0; i < digits.n; i++) {
		if (!span_isdigit(span_at(digits, i)))
			return false;
		if (ms <= INT64_MAX / 100)
			ms = ms * 10 + (uint64_t)(digits.p[i] - '0');
		else
			ms = INT64_MAX;
	}
	*time = (int64_t)ms;
	return digits.n > 0;
}

static void
move_marker(struct pull_rows *p, int64_t time, struct taken_key key)
{
	struct taken_marker *marker = taken_marker(p->taken);

	if (time > p->counts.last)
		p->counts.last = time;
	if (p->range.on_demand || (marker->set && time < marker->time))
		return;
	p->dirty = p->dirty || !marker->set || marker->time < time;
	*marker =
	    (struct taken_marker){true, time, key.site == 0 ? 0 : key.number};
}

/*
 * Of a forgotten row nobody knows whether it was taken. One that this run is
 * the first to come by was not; of what each run reads again nearly all was;
 * and what is asked for is given, if need be twice.
 */
static bool
is_wanted(struct pull_rows *p, struct taken_key key, bool timed, int64_t time)
{
	switch (taken_look(p->taken, key)) {
	case TAKEN_NEW:
		return true;
	case TAKEN_YES:
		return false;
	case TAKEN_FORGOTTEN:
		break;
	}
	if (p->range.on_demand || !p->begun.set || !timed ||
	    time > p->begun.time)
		return true;
	p->counts.passed++;
	return false;
}

static bool
take(struct pull_rows *p, const struct odbc_row *row, const struct line *line,
    struct taken_key key)
{
	parse(p, row, line);
	if (p->intake != NULL && !intake_put(p->intake, &p->record, p->source))
		return fails(p, intake_why(p->intake));
	p->counts.taken++;
	p->counts.unparsed += p->record.type == RECORD_UNPARSED;
	p->dirty = true;
	return taken_add(p->taken, key) || fails(p, "out of memory");
}

static struct span
cell_at(const struct pull_rows *p, size_t i)
{
	return i < p->count ? span_trim(p->cells[i]) : SPAN("");
}

bool
pull_rows_put(struct pull_rows *p, const struct odbc_row *row)
{
	struct line line = take_cells(p, row);
	struct taken_key key = taken_key(p->taken, cell_at(p, p->site),
	    cell_at(p, p->usn), span_of(line.p, line.n));
	int64_t time = 0;
	bool timed = row_time(p, &time), wanted;

	p->counts.rows++;
	wanted = is_wanted(p, key, timed, time);
	if (wanted && timed && time > p->now)
		p->counts.future++;
	/* first the record: a commit must not be ahead of it */
	if (wanted && !take(p, row, &line, key))
		return false;
	if (timed && time <= p->now)
		move_marker(p, time, key);
	if (taken_pending(p->taken) >= p->config->pull.batch ||
	    (p->intake != NULL && intake_due(p->intake)))
		return pull_rows_commit(p);
	return true;
}

/* --- commits --- */

static bool
commit(struct pull_rows *p)
{
	char *text = malloc(taken_bound(p->taken));
	bool good;

	if (text == NULL)
		return fails(p, "out of memory");
	good = intake_commit(
	    p->intake, span_of(text, taken_write(p->taken, text)));
	free(text);
	p->dirty = !good;
	return good || fails(p, intake_why(p->intake));
}

bool
pull_rows_commit(struct pull_rows *p)
{
	if (!taken_settle(p->taken))
		return fails(p, "out of memory");
	return p->intake == NULL || !p->dirty || commit(p);
}
