#include "delivered.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"

enum { TEXT = 512 };

struct reading {
	const struct delivered_options *options;
	struct sha256 *sha;
	struct ledger_entry entry;
	struct delivered_end end;
	char name[SPOOL_PATH];
	uint64_t line; /* of the file, from 1 */
	uint8_t next[SHA256_SIZE];
	bool has_next;
	bool reached;    /* the place that the next file goes on from */
	bool off;        /* the chain is broken: the rest is not believed */
	bool torn;       /* a line that is none */
	bool any;        /* file before this one */
	bool unexpected; /* that one did not end where this one begins */
};

static void __attribute__((format(printf, 2, 3)))
say(struct reading *r, const char *format, ...)
{
	char text[TEXT];
	int n = snprintf(text, sizeof text, "%s:%" PRIu64 ": ", r->name,
	    r->line > 0 ? r->line : 1);
	va_list args;

	va_start(args, format);
	vsnprintf(text + n, sizeof text - (size_t)n, format, args);
	va_end(args);
	if (r->options->say != NULL)
		r->options->say(r->options->arg, text);
}

static void
note_reached(struct reading *r)
{
	if (r->has_next && memcmp(r->end.chain, r->next, sizeof r->next) == 0)
		r->reached = true;
}

static void
begin_cb(void *arg, const char *name, const uint8_t *next)
{
	struct reading *r = arg;

	snprintf(r->name, sizeof r->name, "%s", name);
	r->end.number = chain_number(name);
	r->line = 0;
	r->off = r->reached = r->torn = false;
	r->has_next = next != NULL;
	if (next != NULL)
		memcpy(r->next, next, sizeof r->next);
}

/* The first line: where the chain goes on. */
static bool
read_head(struct reading *r)
{
	uint8_t before[SHA256_SIZE];

	if (!span_eq(r->entry.type, SPAN("ledger")) ||
	    !sha256_read(ledger_text(&r->entry, "before"), before))
		return false;
	if (r->any && memcmp(before, r->end.chain, sizeof before) != 0 &&
	    !r->unexpected)
		say(r, "does not go on from the file before it");
	memcpy(r->end.chain, before, sizeof before);
	r->any = true;
	r->unexpected = false;
	return true;
}

static void
disbelieve(struct reading *r, const char *what)
{
	say(r, "%s: the lines from here on are not believed", what);
	r->off = true;
}

static bool
is_next_in_chain(struct reading *r)
{
	uint8_t chain[SHA256_SIZE];

	memcpy(chain, r->end.chain, sizeof chain);
	ledger_chain(r->sha, chain, r->entry.body);
	if (memcmp(chain, r->entry.chain, sizeof chain) != 0)
		return false;
	memcpy(r->end.chain, chain, sizeof chain);
	return true;
}

static void
line_cb(void *arg, struct span line, bool whole)
{
	struct reading *r = arg;

	r->line++;
	/* What is behind that place was written again in the next file. */
	if (r->off || r->reached)
		return;
	if (r->torn) {
		disbelieve(r, "follows what is no line of receipts");
		return;
	}
	/* A crash may leave anything, but only at the end. */
	r->torn = !whole || !ledger_parse(line, &r->entry);
	if (r->torn)
		return;
	if (r->line == 1 && !read_head(r)) {
		disbelieve(r, "is no first line of receipts");
		return;
	}
	note_reached(r);
	if (r->reached)
		return;
	if (!is_next_in_chain(r)) {
		disbelieve(r, "was changed, or one before it is missing");
		return;
	}
	note_reached(r);
	r->end.lines++;
	if (r->line > 1)
		r->options->entry(r->options->arg, &r->entry);
}

static void
end_cb(void *arg)
{
	struct reading *r = arg;

	if (!r->has_next || r->reached)
		return;
	r->unexpected = true;
	if (!r->off)
		say(r, "the next file does not go on from any of its lines");
}

bool
delivered_read(
    int dir, const struct delivered_options *options, struct delivered_end *end)
{
	struct reading *r = calloc(1, sizeof *r);
	const struct chain_reader reader = {begin_cb, line_cb, end_cb, r};
	bool ok;

	if (r != NULL)
		r->sha = sha256_new();
	if (r == NULL || r->sha == NULL) {
		free(r);
		errno = ENOMEM;
		return false;
	}
	r->options = options;
	ok = chain_read(dir, DELIVERED_KIND, &reader);
	if (ok && end != NULL)
		*end = r->end;
	sha256_free(r->sha);
	free(r);
	return ok;
}
