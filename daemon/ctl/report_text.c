/* The report for a terminal. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "escaped.h"
#include "report.h"

enum {
	NARROWEST = 66,
};

struct text {
	const struct report *report;
	FILE *out;
	unsigned columns;
};

/* --- text of others --- */

/* Columns of a character, by its locale's tables; 1 where they do not know. */
static unsigned
columns_of(struct span piece)
{
	wchar_t c;
	mbstate_t state = {0};
	size_t n = mbrtowc(&c, piece.p, piece.n, &state);
	int columns = n == piece.n ? wcwidth(c) : -1;

	return columns < 0 ? 1 : (unsigned)columns;
}

/* As much as fits, with an ellipsis for the rest, or for what the table did
 * not keep. */
static void
put_name(FILE *out, struct span name, bool cut, unsigned columns)
{
	char room[ESCAPED_ROOM];
	struct span piece;
	unsigned used = 0, n;

	while (name.n > 0) {
		piece = escaped_next(&name, ESCAPED_TERMINAL, room);
		n = piece.p == room ? (unsigned)piece.n : columns_of(piece);
		if (used + n + (name.n > 0 || cut ? 3 : 0) > columns) {
			cut = true;
			break;
		}
		fwrite(piece.p, 1, piece.n, out);
		used += n;
	}
	if (cut)
		fputs("...", out);
	fputc('\n', out);
}

/* --- the head --- */

static void
put_line(const struct text *t, const char *name, const char *value)
{
	fprintf(t->out, "  %-22s %s\n", name, value);
}

static void
put_count(const struct text *t, const char *name, uint64_t n, uint64_t all)
{
	char number[REPORT_NUMBER], share[REPORT_NUMBER];

	fprintf(t->out, "  %-22s %15s%s%s\n", name, report_grouped(n, number),
	    all > 0 ? "  " : "", all > 0 ? report_share(n, all, share) : "");
}

static void
put_head(const struct text *t)
{
	const struct summary_totals *sum = summary_totals(t->report->summary);
	uint64_t traffic = sum->by_type[RECORD_TRAFFIC];
	char from[REPORT_NUMBER], to[REPORT_NUMBER],
	    range[2 * REPORT_NUMBER + 16] = "unknown";

	if (sum->timed)
		snprintf(range, sizeof range, "%s to %s UTC",
		    report_time(sum->first, from), report_time(sum->last, to));
	fputs("Traffic report\n\n", t->out);
	put_line(t, "Traffic from", range);
	put_count(t, "Records", sum->records, 0);
	put_count(t, "  of traffic", traffic, sum->records);
	put_count(t, "  with a remote name", sum->named_records, traffic);
	put_count(t, "Occurrences", sum->occurrences, 0);
	put_count(t, "  allowed", sum->allowed, sum->occurrences);
	put_count(t, "  blocked", sum->blocked, sum->occurrences);
	put_count(t, "  outbound", sum->outbound, sum->occurrences);
	put_count(t, "  inbound", sum->inbound, sum->occurrences);
	put_count(t, "Files", t->report->files, 0);
	if (sum->outside > 0)
		put_count(t, "Outside of the time", sum->outside, 0);
	if (t->report->not_ours > 0)
		put_count(t, "Lines not understood", t->report->not_ours, 0);
	fputs(
	    "\n  SEPM's logs do not say how many bytes went where.\n", t->out);
}

/* --- over time --- */

static uint64_t
highest(const struct summary_bars *bars)
{
	uint64_t most = 1;

	for (size_t i = 0; i < bars->count; i++)
		if (bars->bar[i].occurrences > most)
			most = bars->bar[i].occurrences;
	return most;
}

/* `#` for what was allowed, `x` for what was blocked. */
static void
put_bar(const struct text *t, const struct summary_bar *bar, uint64_t most,
    unsigned columns)
{
	double scale = (double)columns / (double)most;
	unsigned all = (unsigned)((double)bar->occurrences * scale + 0.5),
		 blocked = (unsigned)((double)bar->blocked * scale + 0.5);

	for (unsigned i = 0; i < all; i++)
		fputc(i < all - blocked ? '#' : 'x', t->out);
	fputc('\n', t->out);
}

static void
put_bars(const struct text *t)
{
	const struct summary_bars *bars = &t->report->bars;
	char time[REPORT_NUMBER], number[REPORT_NUMBER];
	uint64_t most = highest(bars);

	if (bars->count == 0)
		return;
	fprintf(t->out, "\nOccurrences per %s, UTC (x: blocked)\n\n",
	    report_width(bars->width, time));
	for (size_t i = 0; i < bars->count; i++) {
		int64_t at = bars->from + (int64_t)i * bars->width;

		if (bars->bar[i].occurrences == 0) { /* once for them all */
			if (i > 0 && bars->bar[i - 1].occurrences > 0)
				fputs("  ...\n", t->out);
			continue;
		}
		fprintf(t->out, "  %s %15s ", report_time(at, time),
		    report_grouped(bars->bar[i].occurrences, number));
		put_bar(t, &bars->bar[i], most,
		    t->columns > 36 + 4 ? t->columns - 36 : 4);
	}
}

/* --- tables --- */

static const char *
error_of(const struct top_entry *e, char out[REPORT_NUMBER + 1])
{
	char number[REPORT_NUMBER];

	out[0] = '\0';
	if (e->error > 0)
		snprintf(out, REPORT_NUMBER + 1, "+%s",
		    report_grouped(e->error, number));
	return out;
}

struct widths {
	int count, error, blocked;
};

static void
widen(int *width, const char *text)
{
	int n = (int)strlen(text);

	if (n > *width)
		*width = n;
}

static struct widths
measure(const struct top_entry *const *list, size_t n)
{
	struct widths w = {
	    (int)strlen("Occurrences"), 0, (int)strlen("Blocked")};
	char text[REPORT_NUMBER + 1];

	for (size_t i = 0; i < n; i++) {
		widen(&w.count, report_grouped(list[i]->count, text));
		widen(&w.blocked,
		    report_grouped(list[i]->sum[SUMMARY_OF_BLOCKED], text));
		widen(&w.error, error_of(list[i], text));
	}
	return w;
}

static void
put_row(const struct text *t, const struct top_entry *e, const struct widths *w,
    uint64_t all)
{
	char count[REPORT_NUMBER], error[REPORT_NUMBER + 1],
	    share[REPORT_NUMBER], blocked[REPORT_NUMBER];
	int used;

	used = fprintf(t->out, "  %*s%-*s %8s %*s  ", w->count,
	    report_grouped(e->count, count), w->error, error_of(e, error),
	    report_share(e->count, all, share), w->blocked,
	    report_grouped(e->sum[SUMMARY_OF_BLOCKED], blocked));
	put_name(t->out, top_key(e), e->length > TOP_KEY,
	    used > 0 && (unsigned)used + 12 < t->columns
		? t->columns - (unsigned)used
		: 12);
}

/* A paragraph of our own words, broken at the width. */
static void
put_words(const struct text *t, const char *words)
{
	unsigned used = 0;

	while (*words != '\0') {
		size_t n = strcspn(words, " ");

		if (used > 0 && used + 1 + n > t->columns) {
			fputc('\n', t->out);
			used = 0;
		}
		used += (unsigned)fprintf(
		    t->out, "%s%.*s", used > 0 ? " " : "  ", (int)n, words);
		words += n + (words[n] == ' ');
	}
	fputc('\n', t->out);
}

static void
put_table(const struct text *t, enum summary_table which)
{
	struct top *table = summary_table(t->report->summary, which);
	const struct top_entry **list =
	    calloc(t->report->top, sizeof(const struct top_entry *));
	char sentence[REPORT_SENTENCE];
	struct widths w;
	size_t n;

	fprintf(t->out, "\n%s\n\n", report_tables[which].title);
	n = list != NULL ? top_list(table, list, t->report->top) : 0;
	if (n == 0) {
		fputs("  none\n", t->out);
		free(list);
		return;
	}
	w = measure(list, n);
	fprintf(t->out, "  %*s%*s %8s %*s  %s\n", w.count, "Occurrences",
	    w.error, "", "Share", w.blocked, "Blocked",
	    report_tables[which].column);
	for (size_t i = 0; i < n; i++)
		put_row(t, list[i], &w, top_weight(table));
	put_words(t, report_error(t->report, which, sentence));
	free(list);
}

void
report_text(const struct report *report, unsigned columns, FILE *out)
{
	struct text t = {.report = report, .out = out, .columns = columns};

	if (columns < NARROWEST)
		t.columns = NARROWEST;
	put_head(&t);
	put_bars(&t);
	for (size_t i = 0; i < SUMMARY_TABLES; i++)
		put_table(&t, (enum summary_table)i);
}
