/* The report for programs: one JSON object. */
#include <inttypes.h>
#include <stdlib.h>

#include "escaped.h"
#include "report.h"
#include "timestamp.h"

static void
put_text(FILE *out, struct span text)
{
	char room[ESCAPED_ROOM];
	struct span piece;

	fputc('"', out);
	while (text.n > 0) {
		piece = escaped_next(&text, ESCAPED_QUOTED, room);
		fwrite(piece.p, 1, piece.n, out);
	}
	fputc('"', out);
}

static void
put_number(FILE *out, const char *key, uint64_t n)
{
	fprintf(out, ",\"%s\":%" PRIu64, key, n);
}

static void
put_time(FILE *out, const char *key, int64_t seconds)
{
	struct timestamp_days days = {0};
	char text[TIMESTAMP_RFC3339];

	timestamp_format(seconds, &days, text);
	fprintf(out, ",\"%s\":\"%.*s\"", key, (int)TIMESTAMP_RFC3339, text);
}

static void
put_totals(const struct report *r, FILE *out)
{
	const struct summary_totals *sum = summary_totals(r->summary);

	put_number(out, "files", r->files);
	put_number(out, "bytes_read", r->bytes);
	put_number(out, "lines_not_understood", r->not_ours);
	put_number(out, "lines_unfinished", r->unterminated);
	put_number(out, "records_outside", sum->outside);
	put_number(out, "records", sum->records);
	fputs(",\"records_by_type\":{", out);
	for (size_t i = 0, n = 0; i < RECORD_TYPE_COUNT; i++) {
		if (sum->by_type[i] == 0)
			continue;
		fprintf(out, "%s\"%.*s\":%" PRIu64, n++ > 0 ? "," : "",
		    (int)record_type_name[i].n, record_type_name[i].p,
		    sum->by_type[i]);
	}
	fputc('}', out);
	put_number(out, "records_with_remote_name", sum->named_records);
	put_number(out, "occurrences", sum->occurrences);
	put_number(out, "allowed", sum->allowed);
	put_number(out, "blocked", sum->blocked);
	put_number(out, "outbound", sum->outbound);
	put_number(out, "inbound", sum->inbound);
	put_number(out, "with_remote_name", sum->named);
	if (sum->timed) {
		put_time(out, "first", sum->first);
		put_time(out, "last", sum->last);
	}
}

static void
put_bars(const struct report *r, FILE *out)
{
	fprintf(out, ",\"over_time\":{\"seconds\":%" PRId64 ",\"bars\":[",
	    r->bars.width);
	for (size_t i = 0; i < r->bars.count; i++) {
		fprintf(out, "%s{\"occurrences\":%" PRIu64, i > 0 ? "," : "",
		    r->bars.bar[i].occurrences);
		put_number(out, "blocked", r->bars.bar[i].blocked);
		put_time(
		    out, "time", r->bars.from + (int64_t)i * r->bars.width);
		fputc('}', out);
	}
	fputs("]}", out);
}

static void
put_row(FILE *out, const struct top_entry *e)
{
	fputs("{\"name\":", out);
	put_text(out, top_key(e));
	if (e->length > TOP_KEY)
		fputs(",\"name_cut\":true", out);
	put_number(out, "occurrences", e->count);
	put_number(out, "error", e->error);
	put_number(out, "blocked", e->sum[SUMMARY_OF_BLOCKED]);
	put_number(out, "records", e->sum[SUMMARY_OF_RECORDS]);
	fputc('}', out);
}

static void
put_table(const struct report *r, enum summary_table which, FILE *out)
{
	struct top *table = summary_table(r->summary, which);
	const struct top_entry **list =
	    calloc(r->top, sizeof(const struct top_entry *));
	size_t n = list != NULL ? top_list(table, list, r->top) : 0;

	fprintf(out, "%s\"%s\":{\"exact\":%s", which > 0 ? "," : "",
	    report_tables[which].key, top_floor(table) == 0 ? "true" : "false");
	put_number(out, "unlisted_at_most", top_floor(table));
	put_number(out, "occurrences", top_weight(table));
	fputs(",\"rows\":[", out);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			fputc(',', out);
		put_row(out, list[i]);
	}
	fputs("]}", out);
	free(list);
}

void
report_json(const struct report *r, FILE *out)
{
	fputs("{\"program\":\"sepmlogctl " SEPMLOG_VERSION "\"", out);
	put_time(out, "made", r->now);
	put_totals(r, out);
	put_bars(r, out);
	fputs(",\"tables\":{", out);
	for (size_t i = 0; i < SUMMARY_TABLES; i++)
		put_table(r, (enum summary_table)i, out);
	fputs("}}\n", out);
}
