/*
 * The report as one page to be sent on: style and charts are in it, there is
 * no script, and its own policy forbids to load or run anything.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "escaped.h"
#include "page.h"
#include "report.h"

enum {
	CHART_WIDTH = 960, /* of the drawing's own units */
	CHART_HEIGHT = 220,
	LEFT = 70, /* for the numbers */
	BOTTOM = 24,
	LINES = 4,
};

static const char more_style[] =
    "main>p{color:var(--dim)}"
    ".bar{display:block;width:9rem;height:.75rem}"
    ".bar .a{fill:var(--a)}.bar .c{fill:var(--c)}"
    "td.name{white-space:normal;overflow-wrap:anywhere;min-width:12rem}"
    "td.k{width:9rem;padding-left:.6rem}"
    "small.plus{display:inline}"
    ".chart{margin:.8rem 0;overflow-x:auto}.chart svg{min-width:36rem}"
    "section>small{display:block;margin-top:.5rem}"
    "@media (max-width:40rem){td.k,th.k{display:none}"
    "td.name{min-width:8rem}}"
    "@media print{:root{--back:#fff;--card:#fff;--text:#000;--dim:#444;"
    "--line:#bbb;--a:#2563c9;--c:#c2271b;color-scheme:light}"
    "body{font-size:11px;max-width:none;padding:0}"
    "section,.chart,.tile{border-radius:0;break-inside:avoid-page}"
    "*{print-color-adjust:exact;-webkit-print-color-adjust:exact}"
    "thead{display:table-header-group}tr{break-inside:avoid}}";

static void
put_name(FILE *out, struct span text)
{
	char room[ESCAPED_ROOM];
	struct span piece;

	while (text.n > 0) {
		piece = escaped_next(&text, ESCAPED_HTML, room);
		fwrite(piece.p, 1, piece.n, out);
	}
}

/* --- the head --- */

static void
put_head(const struct report *r, FILE *out)
{
	const struct summary_totals *sum = summary_totals(r->summary);
	char from[REPORT_NUMBER], to[REPORT_NUMBER];

	fputs("<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8>\n"
	      "<meta http-equiv=Content-Security-Policy content=\"default-src "
	      "'none'; style-src 'unsafe-inline'\">\n"
	      "<meta name=viewport content=\"width=device-width, "
	      "initial-scale=1\">\n<meta name=color-scheme content=\"light "
	      "dark\">\n<meta name=referrer content=no-referrer>\n"
	      "<title>Traffic report</title>\n<style>\n",
	    out);
	fputs(page_style, out);
	fputs(more_style, out);
	fputs(
	    "</style></head>\n<body>\n<header><h1>Traffic report</h1><p>", out);
	if (sum->timed)
		fprintf(out, "%s to %s UTC", report_time(sum->first, from),
		    report_time(sum->last, to));
	else
		fputs("no traffic with a time", out);
	fputs("</p></header>\n<main>\n", out);
}

static void
put_tile(FILE *out, const char *name, const char *value, const char *more)
{
	fprintf(out,
	    "<div class=tile><span>%s</span><b>%s</b><small>%s</small></div>",
	    name, value, more);
}

static void
put_share_tile(
    FILE *out, const char *name, uint64_t part, uint64_t all, const char *of)
{
	char share[REPORT_NUMBER], number[REPORT_NUMBER],
	    more[2 * REPORT_NUMBER];

	snprintf(more, sizeof more, "%s %s", report_grouped(part, number), of);
	put_tile(out, name, report_share(part, all, share), more);
}

static void
put_tiles(const struct report *r, FILE *out)
{
	const struct summary_totals *sum = summary_totals(r->summary);
	uint64_t traffic = sum->by_type[RECORD_TRAFFIC];
	char value[REPORT_NUMBER], number[REPORT_NUMBER],
	    more[2 * REPORT_NUMBER];

	fputs("<div class=tiles>", out);
	snprintf(more, sizeof more, "in %s records",
	    report_grouped(traffic, number));
	put_tile(
	    out, "Occurrences", report_grouped(sum->occurrences, value), more);
	put_share_tile(
	    out, "Blocked", sum->blocked, sum->occurrences, "occurrences");
	put_share_tile(
	    out, "Outbound", sum->outbound, sum->occurrences, "occurrences");
	put_share_tile(
	    out, "With a remote name", sum->named_records, traffic, "records");
	snprintf(
	    more, sizeof more, "in %s files", report_grouped(r->files, number));
	put_tile(out, "All records", report_grouped(sum->records, value), more);
	fputs("</div>\n", out);
}

/* --- the chart --- */

/* A number that is not less, round, and so is a fourth of it. */
static uint64_t
round_up(uint64_t n)
{
	static const unsigned steps[] = {
	    4, 8, 12, 16, 20, 24, 32, 40, 60, 80, 100};
	uint64_t unit = 1;

	while (n / unit > 100)
		unit *= 10;
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
		if (n <= steps[i] * unit)
			return steps[i] * unit;
	return n;
}

static uint64_t
highest(const struct summary_bars *bars)
{
	uint64_t most = LINES;

	for (size_t i = 0; i < bars->count; i++)
		if (bars->bar[i].occurrences > most)
			most = bars->bar[i].occurrences;
	return round_up(most);
}

static void
put_grid(FILE *out, uint64_t most)
{
	char number[REPORT_NUMBER];

	for (unsigned i = 0; i <= LINES; i++) {
		double y = 8 + (CHART_HEIGHT - 8.0) * (LINES - i) / LINES;

		fprintf(out,
		    "<line class=grid x1=%d x2=%d y1=%.1f y2=%.1f />"
		    "<text x=%d y=%.1f text-anchor=end>%s</text>",
		    LEFT, CHART_WIDTH, y, y, LEFT - 6, y + 4,
		    report_grouped(most / LINES * i, number));
	}
}

static void
put_rect(FILE *out, const char *class, double x, double y, double width,
    double height)
{
	if (height > 0)
		fprintf(out,
		    "<rect class=%s x=%.1f y=%.1f width=%.1f height=%.1f />",
		    class, x, y, width, height);
}

static void
put_column(FILE *out, const struct summary_bars *bars, size_t i, uint64_t most)
{
	const struct summary_bar *bar = &bars->bar[i];
	double step = (double)(CHART_WIDTH - LEFT) / (double)bars->count,
	       scale = (CHART_HEIGHT - 8.0) / (double)most,
	       gap = step > 6 ? 2 : step / 4,
	       x = LEFT + (double)i * step + gap / 2,
	       all = (double)bar->occurrences * scale,
	       blocked = (double)bar->blocked * scale;
	char time[REPORT_NUMBER], number[REPORT_NUMBER], part[REPORT_NUMBER];

	fprintf(out, "<g><title>%s: %s, %s blocked</title>",
	    report_time(bars->from + (int64_t)i * bars->width, time),
	    report_grouped(bar->occurrences, number),
	    report_grouped(bar->blocked, part));
	put_rect(out, "c", x, CHART_HEIGHT - blocked, step - gap, blocked);
	put_rect(out, "a", x, CHART_HEIGHT - all, step - gap, all - blocked);
	fputs("</g>", out);
}

static void
put_times(FILE *out, const struct summary_bars *bars)
{
	size_t every = (bars->count + 5) / 6;
	double step = (double)(CHART_WIDTH - LEFT) / (double)bars->count;
	char time[REPORT_NUMBER];

	for (size_t i = 0; i < bars->count; i += every)
		fprintf(out, "<text x=%.1f y=%d>%s</text>",
		    LEFT + (double)i * step, CHART_HEIGHT + 17,
		    report_time(bars->from + (int64_t)i * bars->width, time));
}

static void
put_chart(const struct report *r, FILE *out)
{
	const struct summary_bars *bars = &r->bars;
	uint64_t most = highest(bars);
	char width[REPORT_NUMBER];

	if (bars->count == 0)
		return;
	fprintf(out,
	    "<section class=chart><h2>Occurrences per %s"
	    "<span class=key><i class=a></i>not blocked</span>"
	    "<span class=key><i class=c></i>blocked</span></h2>"
	    "<svg viewBox=\"0 0 %d %d\" role=img "
	    "aria-label=\"Occurrences over time\">",
	    report_width(bars->width, width), CHART_WIDTH,
	    CHART_HEIGHT + BOTTOM);
	put_grid(out, most);
	for (size_t i = 0; i < bars->count; i++)
		put_column(out, bars, i, most);
	put_times(out, bars);
	fputs("</svg></section>\n", out);
}

/* --- tables --- */

static void
put_number(FILE *out, uint64_t n)
{
	char number[REPORT_NUMBER];

	fprintf(out, "<td class=n>%s</td>", report_grouped(n, number));
}

/* Against the first row, which is the longest. */
static void
put_row_bar(FILE *out, const struct top_entry *e, uint64_t longest)
{
	double scale = 100.0 / (double)(longest > 0 ? longest : 1),
	       blocked = (double)e->sum[SUMMARY_OF_BLOCKED] * scale,
	       all = (double)e->count * scale;

	fputs("<td class=k><svg class=bar viewBox=\"0 0 100 8\" "
	      "preserveAspectRatio=none aria-hidden=true>",
	    out);
	put_rect(out, "a", 0, 0, all, all > 0 ? 8 : 0);
	put_rect(out, "c", 0, 0, blocked, blocked > 0 ? 8 : 0);
	fputs("</svg></td>", out);
}

static void
put_row(FILE *out, const struct top_entry *e, uint64_t longest, uint64_t all)
{
	char number[REPORT_NUMBER], share[REPORT_NUMBER];

	fputs("<tr><td class=name>", out);
	put_name(out, top_key(e));
	fprintf(out, "%s</td><td class=n>%s", e->length > TOP_KEY ? "…" : "",
	    report_grouped(e->count, number));
	if (e->error > 0)
		fprintf(out, " <small class=plus>+%s</small>",
		    report_grouped(e->error, number));
	fprintf(out, "</td><td class=n>%s</td>",
	    report_share(e->count, all, share));
	put_number(out, e->sum[SUMMARY_OF_BLOCKED]);
	put_number(out, e->sum[SUMMARY_OF_RECORDS]);
	put_row_bar(out, e, longest);
	fputs("</tr>\n", out);
}

static void
put_table(const struct report *r, enum summary_table which, FILE *out)
{
	struct top *table = summary_table(r->summary, which);
	const struct top_entry **list =
	    calloc(r->top, sizeof(const struct top_entry *));
	size_t n = list != NULL ? top_list(table, list, r->top) : 0;
	char sentence[REPORT_SENTENCE];

	fprintf(out,
	    "<section><h2>%s</h2><div class=wide><table><thead><tr><th>%s"
	    "<th class=n>Occurrences<th class=n>Share<th class=n>Blocked"
	    "<th class=n>Records<th class=k></tr></thead><tbody>\n",
	    report_tables[which].title, report_tables[which].column);
	for (size_t i = 0; i < n; i++)
		put_row(out, list[i], list[0]->count, top_weight(table));
	if (n == 0)
		fputs("<tr><td colspan=6>none</td></tr>", out);
	fprintf(out, "</tbody></table></div><small>%s</small></section>\n",
	    n > 0 ? report_error(r, which, sentence) : "");
	free(list);
}

/* --- how it was made --- */

static void
put_fact(FILE *out, const char *name, uint64_t n)
{
	fprintf(out, "<tr><td>%s</td>", name);
	put_number(out, n);
	fputs("</tr>", out);
}

static void
put_facts(const struct report *r, FILE *out)
{
	const struct summary_totals *sum = summary_totals(r->summary);
	char time[REPORT_NUMBER];

	fputs("<section><h2>What was read</h2><div class=wide><table><tbody>",
	    out);
	for (size_t i = 0; i < RECORD_TYPE_COUNT; i++)
		if (sum->by_type[i] > 0)
			fprintf(out,
			    "<tr><td>records of type %.*s</td>"
			    "<td class=n>%" PRIu64 "</td></tr>",
			    (int)record_type_name[i].n, record_type_name[i].p,
			    sum->by_type[i]);
	put_fact(out, "records outside of the time wanted", sum->outside);
	put_fact(out, "lines not understood", r->not_ours);
	put_fact(out, "last lines still being written", r->unterminated);
	put_fact(out, "files", r->files);
	put_fact(out, "bytes of plain text", r->bytes);
	fprintf(out,
	    "</tbody></table></div></section>\n<p>A record stands for as many "
	    "connections or packets as SEPM has put into it: its occurrences, "
	    "by which all figures are weighed but those of records. Domains "
	    "are the registrable ones, by the Public Suffix List%s%s. SEPM's "
	    "logs do not say how many bytes went where. Times are UTC.</p>\n",
	    r->list_day != NULL ? " of " : "",
	    r->list_day != NULL ? r->list_day : "");
	fprintf(out,
	    "</main>\n<footer><p>Made by sepmlogctl " SEPMLOG_VERSION
	    " on %s UTC.</p></footer>\n</body></html>\n",
	    report_time(r->now, time));
}

void
report_html(const struct report *r, FILE *out)
{
	put_head(r, out);
	put_tiles(r, out);
	put_chart(r, out);
	for (size_t i = 0; i < SUMMARY_TABLES; i++)
		put_table(r, (enum summary_table)i, out);
	put_facts(r, out);
}
