#include "uploads.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "escaped.h"
#include "progress.h"

enum {
	MINUTE = 60,
	HOUR = 60 * MINUTE,
	DAY = 24 * HOUR,
	SHORT = 32,
	NAME = 32
};

static void
put_text(const char *text, enum escaped_for where, FILE *out)
{
	struct span rest = span_str(text);
	char room[ESCAPED_ROOM];

	while (rest.n > 0) {
		struct span piece = escaped_next(&rest, where, room);

		fwrite(piece.p, 1, piece.n, out);
	}
}

bool
uploads_is_fresh(const struct deliveries *d)
{
	return (int64_t)time(NULL) - d->written <= DELIVERIES_STALE;
}

void
uploads_since(int64_t then, char *out, size_t size)
{
	int64_t s = (int64_t)time(NULL) - then;

	if (s < 0)
		s = 0;
	if (s < 2 * MINUTE)
		snprintf(out, size, "%" PRId64 " s", s);
	else if (s < 2 * HOUR)
		snprintf(out, size, "%" PRId64 " min", s / MINUTE);
	else if (s < 2 * DAY)
		snprintf(out, size, "%" PRId64 " h", s / HOUR);
	else
		snprintf(out, size, "%" PRId64 " days", s / DAY);
}

static void
target_text(const struct delivery *t, FILE *out)
{
	char bytes[SHORT], last[SHORT] = "-", oldest[SHORT] = "-", since[SHORT];
	int name = (int)strlen(t->name);

	progress_size(t->bytes, bytes, sizeof bytes);
	if (t->last != 0)
		uploads_since(t->last, last, sizeof last);
	if (t->oldest != 0)
		uploads_since(t->oldest, oldest, sizeof oldest);
	put_text(t->name, ESCAPED_TERMINAL, out);
	fprintf(out,
	    "%*s %-7s %8" PRIu64 " %12s %10s %10" PRIu64 " %11" PRIu64
	    " %10s\n",
	    NAME - name, "", t->fails ? "fails" : "works", t->waiting, bytes,
	    oldest, t->delivered, t->refused, last);
	if (!t->fails)
		return;
	uploads_since(t->since, since, sizeof since);
	fprintf(out, "   fails for %s: ", since);
	put_text(t->reason, ESCAPED_TERMINAL, out);
	putc('\n', out);
}

void
uploads_text(const struct deliveries *d, FILE *out)
{
	char ago[SHORT];

	fprintf(out, "\n%-*s %-7s %8s %12s %10s %10s %11s %10s\n", NAME,
	    "TARGET", "STATE", "WAITING", "BYTES", "OLDEST", "DELIVERED",
	    "QUARANTINED", "LAST");
	for (size_t i = 0; i < d->count; i++)
		target_text(&d->target[i], out);
	uploads_since(d->written, ago, sizeof ago);
	if (!uploads_is_fresh(d))
		fprintf(out, "as sepmlog-upload said %s ago: it does not run\n",
		    ago);
}

static void
target_json(const struct delivery *t, FILE *out)
{
	fputs("{\"name\":\"", out);
	put_text(t->name, ESCAPED_QUOTED, out);
	fprintf(out,
	    "\",\"works\":%s,\"waiting\":%" PRIu64 ",\"waiting_bytes\":%" PRIu64
	    ",\"delivered\":%" PRIu64 ",\"refused\":%" PRIu64,
	    t->fails ? "false" : "true", t->waiting, t->bytes, t->delivered,
	    t->refused);
	if (t->oldest != 0)
		fprintf(out, ",\"oldest\":%" PRId64, t->oldest);
	if (t->last != 0)
		fprintf(out, ",\"last\":%" PRId64, t->last);
	if (t->fails) {
		fprintf(out, ",\"since\":%" PRId64 ",\"reason\":\"", t->since);
		put_text(t->reason, ESCAPED_QUOTED, out);
		putc('"', out);
	}
	putc('}', out);
}

void
uploads_json(const struct deliveries *d, FILE *out)
{
	fprintf(out,
	    "\"uploads\":{\"written\":%" PRId64 ",\"runs\":%s,"
	    "\"targets\":[",
	    d->written, uploads_is_fresh(d) ? "true" : "false");
	for (size_t i = 0; i < d->count; i++) {
		if (i > 0)
			putc(',', out);
		target_json(&d->target[i], out);
	}
	fputs("]}", out);
}
