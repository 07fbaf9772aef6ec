#include "chain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger.h"
#include "spool/disk.h"

enum { PIECE = 128 * 1024 };

/* --- names, in order --- */

static bool
is_wanted(const char *name, const char *kind)
{
	struct span stream;
	uint64_t number;

	return strlen(name) < SPOOL_PATH &&
	       name_parse_ready(name, &stream, &number) &&
	       span_eq(stream, span_str(kind));
}

static void
list_cb(void *arg, const char *name)
{
	struct chain_list *list = arg;
	size_t room = list->room > 0 ? 2 * list->room : 64;
	void *names;

	if (!is_wanted(name, list->kind))
		return;
	if (list->n == list->room) {
		names = reallocarray(list->name, room, SPOOL_PATH);
		if (names == NULL) {
			list->failed = true;
			return;
		}
		list->name = names;
		list->room = room;
	}
	snprintf(list->name[list->n++], SPOOL_PATH, "%s", name);
}

uint64_t
chain_number(const char *name)
{
	struct span stream;
	uint64_t number = 0;

	name_parse_ready(name, &stream, &number);
	return number;
}

static int
compare(const void *a, const void *b)
{
	uint64_t x = chain_number(a), y = chain_number(b);

	return x < y ? -1 : x > y;
}

bool
chain_list(struct chain_list *list, int dir, const char *kind)
{
	*list = (struct chain_list){.kind = kind};
	if (!disk_list(dir, list_cb, list))
		return false;
	if (list->failed) {
		errno = ENOMEM;
		return false;
	}
	if (list->n > 0)
		qsort(list->name, list->n, SPOOL_PATH, compare);
	return true;
}

void
chain_list_clear(struct chain_list *list)
{
	free(list->name);
	*list = (struct chain_list){0};
}

/* --- reading --- */

struct feed {
	int dir;
	char *piece;
	struct ledger_entry *entry;
	const struct chain_reader *to;
};

/* What a file's first line says that it goes on from. */
static bool
read_before(struct feed *f, const char *name, uint8_t before[SHA256_SIZE])
{
	struct stat st;
	struct span in;
	size_t n = 0;
	int fd = disk_open(f->dir, name, &st);
	bool ok = fd >= 0 && disk_read(fd, 0, f->piece, LEDGER_LINE, &n);

	disk_close(&fd);
	in = span_of(f->piece, n);
	return ok &&
	       ledger_parse(span_take(in, span_find(in, '\n')), f->entry) &&
	       sha256_read(ledger_text(f->entry, "before"), before);
}

/* The lines of a piece; answers what is left behind the last. */
static size_t
feed_lines(struct feed *f, struct span in)
{
	size_t n;

	while ((n = span_find(in, '\n')) < in.n) {
		f->to->line(f->to->arg, span_take(in, n), true);
		in = span_skip(in, n + 1);
	}
	/* longer than any line: the rest of it will not be one either */
	if (in.n == PIECE) {
		f->to->line(f->to->arg, in, true);
		return 0;
	}
	memmove(f->piece, in.p, in.n);
	return in.n;
}

static bool
feed_file(struct feed *f, const char *name, const uint8_t *next)
{
	struct stat st;
	uint64_t at = 0;
	size_t kept = 0, n;
	int fd = disk_open(f->dir, name, &st);
	bool ok = fd >= 0;

	if (!ok)
		return errno == ENOENT; /* its time had come */
	f->to->begin(f->to->arg, name, next);
	do {
		ok = disk_read(fd, at, f->piece + kept, PIECE - kept, &n);
		at += n;
		if (ok)
			kept = feed_lines(f, span_of(f->piece, kept + n));
	} while (ok && n > 0);
	if (ok && kept > 0)
		f->to->line(f->to->arg, span_of(f->piece, kept), false);
	f->to->end(f->to->arg);
	disk_close(&fd);
	return ok;
}

bool
chain_read(int dir, const char *kind, const struct chain_reader *reader)
{
	struct feed feed = {
	    dir, malloc(PIECE), malloc(sizeof(struct ledger_entry)), reader};
	uint8_t next[SHA256_SIZE];
	struct chain_list list;
	bool ok = chain_list(&list, dir, kind) && feed.piece != NULL &&
		  feed.entry != NULL;

	for (size_t i = 0; ok && i < list.n; i++) {
		size_t k = i + 1;

		/* one that has no line says nothing */
		while (k < list.n && !read_before(&feed, list.name[k], next))
			k++;
		ok = feed_file(&feed, list.name[i], k < list.n ? next : NULL);
	}
	free(feed.piece);
	free(feed.entry);
	chain_list_clear(&list);
	return ok;
}
