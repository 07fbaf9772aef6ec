/*
 * sepmlogctl pull - SEPM's traffic log from its database into the spool, each
 * row once.
 *
 * Being killed at any time does no harm: what was not committed is read again.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl.h"
#include "pull.h"
#include "sepm_sql.h"
#include "settings.h"
#include "shown.h"
#include "timestamp.h"

enum {
	WHY = 1024,
	SQL = 4096,
	DAY_MS = 24 * 60 * 60 * 1000,
	PATIENCE = 60 * 1000, /* ms to wait for room in the spool */
};

struct options {
	const char *config;
	struct pull_range range;
	bool dry_run, forget;
};

struct pull {
	const struct options *options;
	const struct config *config;
	struct intake *intake;
	struct taken *taken;
	struct pull_rows *rows;
	struct odbc *odbc;
	struct pull_range range;
	int64_t now; /* ms since 1970 UTC */
	char name[300];
};

static volatile sig_atomic_t stopped;

static const char usage_text[] =
    "usage: sepmlogctl pull [OPTION...]\n"
    "\n"
    "SEPM's traffic log from its database into the spool, each row once. The\n"
    "database is that of `pull` in the configuration.\n"
    "\n"
    "  -c FILE        configuration (default " CTL_CONFIG ")\n"
    "  --from T       rows entered at this time or later, and ...\n"
    "  --to T         ... before this one, as 2024-06-30T00:00:00Z; what was\n"
    "                 taken before is not taken again\n"
    "  --once         pull once and end, as it does anyway\n"
    "  --forget       the database was built anew and counts from the start\n"
    "                 again: forget which rows were taken\n"
    "  -n, --dry-run  only count the rows that would be taken\n";

static void
stop_cb(int signal)
{
	(void)signal;
	stopped = 1;
}

static enum ctl_exit
failed(const struct pull *p, const char *why, const char *advice)
{
	complain("sepmlogctl pull: %s: %s", p->name, why);
	if (advice != NULL)
		complain(
		    "sepmlogctl pull: %s; nothing is lost, the next run goes "
		    "on",
		    advice);
	return CTL_FAILED;
}

static enum ctl_exit
odbc_failure(const struct pull *p)
{
	return failed(p, odbc_why(p->odbc), odbc_advice(p->odbc));
}

/* --- what to read --- */

/* `2024-06-30T00:00:00Z`, clamped to what a calendar has. */
static void
time_text(int64_t ms, char out[TIMESTAMP_RFC3339 + 1])
{
	timestamp_format(ms / 1000, &(struct timestamp_days){0}, out);
	out[TIMESTAMP_RFC3339] = '\0';
}

static void
set_range(struct pull *p)
{
	const struct config_pull *c = &p->config->pull;
	const struct taken_marker *marker = taken_marker(p->taken);
	int64_t overlap = (int64_t)c->overlap;

	p->range = p->options->range;
	if (p->range.from == 0 && marker->set && !p->range.on_demand)
		p->range.from =
		    marker->time > overlap ? marker->time - overlap : 0;
	else if (p->range.from == 0)
		p->range.from =
		    p->now - (int64_t)c->maximum_history_days * DAY_MS;
}

/* The names of the view's columns that we know and it has, with commas. */
static void
put_columns(const struct odbc *odbc, char *sql, size_t size)
{
	size_t n = strlen(sql);
	bool any = false;

	for (size_t i = 0; i < SEPM_SQL_COLUMNS; i++) {
		struct span name = sepm_sql_column(i);

		for (size_t k = 0; k < odbc_columns(odbc); k++) {
			if (!span_caseeq(odbc_column(odbc, k), name))
				continue;
			n += (size_t)snprintf(sql + n, size - n, "%s%.*s",
			    any ? ", " : "", (int)name.n, name.p);
			any = true;
			break;
		}
	}
}

/* Older SEPM lack some of the columns: the view says which it has. */
static bool
query(struct pull *p)
{
	char sql[SQL] = "SELECT ";
	const char *view = p->config->pull.view;
	size_t n;

	snprintf(sql, sizeof(sql), "SELECT * FROM %s WHERE 1 = 0", view);
	if (!odbc_query(p->odbc, sql) || !pull_rows_columns(p->rows, p->odbc))
		return false;
	snprintf(sql, sizeof(sql), "SELECT ");
	put_columns(p->odbc, sql, sizeof(sql));
	n = strlen(sql);
	n += (size_t)snprintf(sql + n, sizeof(sql) - n,
	    " FROM %s WHERE TIME_STAMP >= %" PRId64, view, p->range.from);
	if (p->range.to != 0)
		n += (size_t)snprintf(sql + n, sizeof(sql) - n,
		    " AND TIME_STAMP < %" PRId64, p->range.to);
	snprintf(sql + n, sizeof(sql) - n, " ORDER BY TIME_STAMP, USN");
	return odbc_query(p->odbc, sql) && pull_rows_columns(p->rows, p->odbc);
}

/* --- reading --- */

static void
report(const struct pull *p)
{
	const struct pull_counts *c = pull_rows_counts(p->rows);
	char from[TIMESTAMP_RFC3339 + 1], last[TIMESTAMP_RFC3339 + 1] = "-";

	time_text(p->range.from, from);
	if (c->last > 0)
		time_text(c->last, last);
	printf("%s: from %s to %s: %" PRIu64 " rows, %" PRIu64 " new, %" PRIu64
	       " known, %" PRIu64 " unparsed, %" PRIu64
	       " with a time to come%s%s\n",
	    p->name, from, last, c->rows, c->taken,
	    c->rows - c->taken - c->passed, c->unparsed, c->future,
	    p->intake == NULL ? " (dry run)" : "", stopped ? " (stopped)" : "");
	if (taken_forgets(p->taken) || c->passed > 0)
		complain(
		    "sepmlogctl pull: the serial numbers have too many gaps to "
		    "remember them all: late rows that are %" PRIu64
		    " or more gaps back are passed over, as were %" PRIu64
		    " rows that were probably taken; --from and --to take "
		    "them, and may take some twice",
		    (uint64_t)TAKEN_INTERVALS, c->passed);
}

static enum ctl_exit
read_rows(struct pull *p)
{
	enum odbc_status status = ODBC_ROW;
	struct odbc_row row;

	while (!stopped && (status = odbc_next(p->odbc, &row)) == ODBC_ROW)
		if (!pull_rows_put(p->rows, &row))
			return failed(p, pull_rows_why(p->rows),
			    "free what is said there, or wait");
	/* what came is whole, however it ended */
	if (!pull_rows_commit(p->rows))
		return failed(
		    p, pull_rows_why(p->rows), "free what is said there");
	report(p);
	if (status == ODBC_FAILED)
		return odbc_failure(p);
	return pull_rows_counts(p->rows)->unparsed > 0 ? CTL_FINDINGS
						       : CTL_DONE;
}

static enum ctl_exit
connect_and_read(struct pull *p)
{
	char why[WHY];
	char *connection = pull_connection(&p->config->pull, why, sizeof(why));

	if (connection == NULL)
		return failed(p, why, NULL);
	p->odbc =
	    odbc_open(connection, (unsigned)(p->config->pull.timeout / 1000));
	pull_connection_free(connection);
	if (p->odbc == NULL)
		return failed(p, "out of memory", NULL);
	if (odbc_failed(p->odbc))
		return odbc_failure(p);
	if (query(p))
		return read_rows(p);
	if (odbc_failed(p->odbc))
		return odbc_failure(p);
	return failed(p, pull_rows_why(p->rows),
	    "check pull.view: it must be SEPM's V_AGENT_TRAFFIC_LOG");
}

/* --- state --- */

static bool
open_state(struct pull *p)
{
	uint64_t source = pull_source(&p->config->pull);

	p->taken = taken_new(p->config->pull.batch + 1, TAKEN_INTERVALS);
	if (p->taken == NULL ||
	    (!p->options->forget &&
		!taken_read(p->taken, intake_state(p->intake))))
		return false;
	if (taken_marker(p->taken)->set && *taken_source(p->taken) != source) {
		complain(
		    "sepmlogctl pull: %s: another database than before: its "
		    "rows are read from the beginning of "
		    "pull.maximum_history_days",
		    p->name);
		taken_marker(p->taken)->set = false;
	}
	*taken_source(p->taken) = source;
	return true;
}

static enum ctl_exit
run(struct pull *p)
{
	struct intake *into = p->options->dry_run ? NULL : p->intake;

	if (!open_state(p))
		return failed(p, "what was taken before cannot be read",
		    "restore <spool>/pull/state, or start anew with --forget: "
		    "then rows are taken again");
	set_range(p);
	p->rows = pull_rows_new(p->config, into, p->taken, &p->range, p->now);
	if (p->rows == NULL)
		return failed(p, "out of memory", NULL);
	return connect_and_read(p);
}

static int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static enum ctl_exit
pull(const struct options *o, const struct config *config)
{
	struct pull p = {.options = o, .config = config, .now = now_ms()};
	enum ctl_exit answer = CTL_FAILED;
	char why[WHY];

	pull_name(&config->pull, p.name, sizeof(p.name));
	p.intake = intake_open(config, "pull", "database", why, sizeof(why));
	if (p.intake != NULL) {
		intake_patience(p.intake, PATIENCE, &stopped);
		answer = run(&p);
	} else {
		complain("sepmlogctl pull: %s", why);
	}
	odbc_close(p.odbc);
	pull_rows_free(p.rows);
	taken_free(p.taken);
	intake_close(p.intake);
	return answer;
}

/* --- options --- */

static bool
set_time(const char *option, const char *value, struct pull_range *range,
    int64_t *ms)
{
	unsigned microsecond;
	int64_t utc;

	range->on_demand = true;
	if (ctl_time(value, &utc, &microsecond) && utc > 0) {
		*ms = utc * 1000 + microsecond / 1000;
		return true;
	}
	complain("sepmlogctl pull: --%s %s: " CTL_TIME "", option, value);
	return false;
}

static bool
set_option(struct options *o, int option, const char *value)
{
	switch (option) {
	case 'c':
		o->config = value;
		return true;
	case 'f':
		return set_time("from", value, &o->range, &o->range.from);
	case 't':
		return set_time("to", value, &o->range, &o->range.to);
	case 'n':
		o->dry_run = true;
		return true;
	case 'g':
		o->forget = true;
		return true;
	case 'o':
		return true;
	default:
		fputs(usage_text, stderr);
		return false;
	}
}

/* False: *answer is the exit code. */
static bool
read_options(struct options *o, int argc, char **argv, enum ctl_exit *answer)
{
	static const struct option long_options[] = {
	    {"from", required_argument, NULL, 'f'},
	    {"to", required_argument, NULL, 't'},
	    {"once", no_argument, NULL, 'o'},
	    {"forget", no_argument, NULL, 'g'},
	    {"dry-run", no_argument, NULL, 'n'},
	    {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0},
	};
	int option;

	*answer = CTL_USAGE;
	while ((option = getopt_long(argc, argv, "hnc:", long_options, NULL)) !=
	       -1) {
		if (option == 'h') {
			fputs(usage_text, stdout);
			*answer = CTL_DONE;
			return false;
		}
		if (!set_option(o, option, optarg))
			return false;
	}
	if (optind < argc) {
		complain("sepmlogctl pull: %s: not an option", argv[optind]);
		return false;
	}
	if (o->range.to != 0 && o->range.to <= o->range.from) {
		fputs("sepmlogctl pull: --to must be later than --from\n",
		    stderr);
		return false;
	}
	return true;
}

/* The first one ends after a commit, a second one at once. */
static void
catch_signals(void)
{
	struct sigaction stop = {
	    .sa_handler = stop_cb, .sa_flags = (int)SA_RESETHAND};

	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
}

enum ctl_exit
ctl_pull(int argc, char **argv)
{
	struct options o = {.config = CTL_CONFIG};
	struct settings *settings;
	enum ctl_exit answer;

	if (!read_options(&o, argc, argv, &answer))
		return answer;
	settings = settings_load(o.config, stderr);
	if (settings == NULL)
		return CTL_FAILED;
	catch_signals();
	if (settings_config(settings)->pull.set) {
		answer = pull(&o, settings_config(settings));
	} else {
		complain(
		    "sepmlogctl pull: %s: no `pull` in it: say there where "
		    "SEPM's database is (sepmlogd.yaml(5))",
		    o.config);
		answer = CTL_FAILED;
	}
	settings_free(settings);
	return answer;
}
