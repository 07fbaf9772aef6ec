#include "published.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gunzip.h"
#include "ledger.h"
#include "spool/disk.h"
#include "spool/lines.h"
#include "unzstd.h"

enum {
	PIECE = 128 * 1024,
	TAIL = 512, /* of a line: its id is there */
};

/* --- names --- */

static bool
ends_with(struct span name, struct span end)
{
	return name.n > end.n && span_eq(span_skip(name, name.n - end.n), end);
}

static size_t
plain_length(struct span name)
{
	static const struct span packed[] = {SPAN(".gz"), SPAN(".zst")};

	for (size_t i = 0; i < sizeof packed / sizeof packed[0]; i++)
		if (ends_with(name, packed[i]))
			return name.n - packed[i].n;
	return name.n;
}

bool
published_name(const char *name, struct published_name *out)
{
	struct span stream, whole = span_str(name);
	char extension[SPOOL_EXTENSION_MAX + 1];
	size_t at, n;

	if (!name_parse_ready(name, &stream, &out->segment) ||
	    stream.n > SPOOL_NAME_MAX || whole.n >= SPOOL_PATH)
		return false;
	snprintf(
	    out->stream, sizeof out->stream, "%.*s", (int)stream.n, stream.p);
	snprintf(out->prefix, sizeof out->prefix, "%.*s-%.*s-", SPOOL_INSTANCE,
	    stream.p + stream.n + 1, (int)stream.n, stream.p);
	out->plain = plain_length(whole);
	at = span_find(whole, '.') + 1;
	n = out->plain > at ? out->plain - at : 0;
	if (n == 0 || n > SPOOL_EXTENSION_MAX)
		return false;
	memcpy(extension, name + at, n);
	extension[n] = '\0';
	out->header = lines_kind(extension) == LINES_CSV;
	return true;
}

/* --- lines --- */

struct scan {
	struct published *out;
	struct published_name name;
	struct sha256 *sha;
	struct ledger_id before; /* line 0: none yet */
	bool no_ids;
	size_t kept; /* of an unfinished line */
	char tail[TAIL];
};

static void
check_id(struct scan *s, struct ledger_id id)
{
	struct published *p = s->out;
	uint64_t expected = s->before.line + 1;

	if (s->before.line == 0 || id.segment == s->before.segment) {
		if (id.line != expected && p->gaps++ < PUBLISHED_GAPS)
			p->gap[p->gaps - 1] = (struct published_gap){
			    p->lines, expected, id.segment, id.line};
	} else if (p->gaps++ < PUBLISHED_GAPS) {
		p->gap[p->gaps - 1] = (struct published_gap){
		    p->lines, expected, id.segment, id.line};
	}
	s->before = id;
}

/* A line, or as much of its end as was kept. */
static void
take_line(struct scan *s, struct span line)
{
	struct ledger_id id;

	s->out->lines++;
	if (s->name.header && s->out->lines == 1)
		return;
	s->out->records++;
	if (s->no_ids)
		return;
	if (line.n > TAIL)
		line = span_skip(line, line.n - TAIL);
	if (ledger_find_id(line, span_str(s->name.prefix), &id))
		check_id(s, id);
	else if (s->before.line == 0)
		s->no_ids = true; /* a format that has none */
	else
		check_id(s, (struct ledger_id){s->before.segment, 0});
}

/* The last TAIL bytes of what is kept and `more`. */
static void
keep(struct scan *s, struct span more)
{
	size_t drop;

	if (more.n >= TAIL) {
		more = span_skip(more, more.n - TAIL);
		s->kept = 0;
	}
	drop = s->kept + more.n > TAIL ? s->kept + more.n - TAIL : 0;
	memmove(s->tail, s->tail + drop, s->kept - drop);
	s->kept -= drop;
	if (more.n > 0)
		memcpy(s->tail + s->kept, more.p, more.n);
	s->kept += more.n;
}

static void
take_piece(struct scan *s, struct span piece)
{
	size_t n;

	sha256_add(s->sha, piece);
	s->out->bytes += piece.n;
	while ((n = span_find(piece, '\n')) < piece.n) {
		if (s->kept == 0) {
			take_line(s, span_take(piece, n));
		} else {
			keep(s, span_take(piece, n));
			take_line(s, span_of(s->tail, s->kept));
			s->kept = 0;
		}
		piece = span_skip(piece, n + 1);
	}
	keep(s, piece);
}

/* --- packed and plain --- */

struct source {
	int fd;
	uint64_t at;
	char in[PIECE], out[PIECE];
};

static const char *
read_plain(struct source *from, struct scan *s)
{
	size_t n;

	do {
		if (!disk_read(from->fd, from->at, from->in, PIECE, &n))
			return strerror(errno);
		from->at += n;
		take_piece(s, span_of(from->in, n));
	} while (n > 0);
	return NULL;
}

static const char *
read_gzip(struct source *from, struct scan *s, struct gunzip *g)
{
	enum gunzip_status status;
	size_t n;

	for (;;) {
		if (!disk_read(from->fd, from->at, from->in, PIECE, &n))
			return strerror(errno);
		if (n == 0)
			return gunzip_ends(g) ? NULL : gunzip_why(g);
		from->at += n;
		gunzip_feed(g, span_of(from->in, n));
		while ((status = gunzip_next(g, from->out, PIECE, &n)) ==
		       GUNZIP_BYTES)
			take_piece(s, span_of(from->out, n));
		if (status == GUNZIP_BROKEN)
			return gunzip_why(g);
	}
}

static const char *
read_zstd(struct source *from, struct scan *s, struct unzstd *u)
{
	enum unzstd_status status;
	size_t n;

	for (;;) {
		if (!disk_read(from->fd, from->at, from->in, PIECE, &n))
			return strerror(errno);
		if (n == 0)
			return unzstd_ends(u) ? NULL : unzstd_why(u);
		from->at += n;
		unzstd_feed(u, span_of(from->in, n));
		while ((status = unzstd_next(u, from->out, PIECE, &n)) ==
		       UNZSTD_BYTES)
			take_piece(s, span_of(from->out, n));
		if (status == UNZSTD_BROKEN)
			return unzstd_why(u);
	}
}

/* By its name: what it holds has to agree. */
static const char *
read_any(struct source *from, struct scan *s, struct span name)
{
	struct gunzip *g;
	struct unzstd *u;
	const char *why = "no memory";

	if (ends_with(name, SPAN(".gz"))) {
		g = gunzip_new();
		if (g != NULL)
			why = read_gzip(from, s, g);
		gunzip_free(g);
		return why;
	}
	if (ends_with(name, SPAN(".zst"))) {
		u = unzstd_new();
		if (u != NULL)
			why = read_zstd(from, s, u);
		unzstd_free(u);
		return why;
	}
	return read_plain(from, s);
}

bool
published_read(
    int dir, const char *name, struct published *out, char *why, size_t size)
{
	struct scan scan = {.out = out, .sha = sha256_new()};
	struct source *from = calloc(1, sizeof *from);
	const char *reason = "no memory";
	struct stat st;

	*out = (struct published){0};
	if (from != NULL && scan.sha != NULL &&
	    published_name(name, &scan.name)) {
		from->fd = disk_open(dir, name, &st);
		if (from->fd < 0) {
			reason = strerror(errno);
		} else {
			errno = 0;
			sha256_begin(scan.sha);
			reason = read_any(from, &scan, span_str(name));
			sha256_end(scan.sha, out->sum);
			disk_close(&from->fd);
		}
	}
	out->whole = scan.kept == 0;
	out->has_ids = out->records > 0 && !scan.no_ids;
	sha256_free(scan.sha);
	free(from);
	if (reason != NULL)
		snprintf(why, size, "%s", reason);
	return reason == NULL;
}
