#include "stated.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "spool/disk.h"

enum { PIECE = 128 * 1024 };

_Static_assert((int)PIECE > (int)LEDGER_LINE, "a line fits");

/* Where a line begins. */
struct place {
	uint64_t number; /* of the file */
	uint64_t at;
};

struct stated {
	struct place place;  /* of the next line */
	struct place end[2]; /* of the last time, and the one before */
	struct ledger_entry entry;
	char piece[PIECE];
};

struct stated *
stated_new(void)
{
	return calloc(1, sizeof(struct stated));
}

void
stated_free(struct stated *s)
{
	free(s);
}

struct reading {
	struct stated *stated;
	void (*file)(void *arg, const struct ledger_entry *entry);
	void *arg;
};

/* Most lines are others. */
static void
take_line(const struct reading *r, struct span line)
{
	static const struct span start = SPAN("{\"type\":\"file\",");
	struct ledger_entry *entry = &r->stated->entry;

	if (line.n > start.n && memcmp(line.p, start.p, start.n) == 0 &&
	    ledger_parse(line, entry))
		r->file(r->arg, entry);
}

/* Whole lines; answers their bytes. */
static size_t
take_lines(const struct reading *r, struct span in)
{
	size_t n, all = in.n;

	while ((n = span_find(in, '\n')) < in.n) {
		take_line(r, span_take(in, n));
		in = span_skip(in, n + 1);
	}
	return all - in.n;
}

/* Up to its last whole line; more may follow. */
static bool
read_file(const struct reading *r, int dir, const char *name)
{
	struct stated *s = r->stated;
	struct stat st;
	size_t n = 0, taken;
	int fd = disk_open(dir, name, &st);
	bool ok = fd >= 0;

	if (!ok)
		return errno == ENOENT; /* its time had come */
	do {
		ok = disk_read(fd, s->place.at, s->piece, PIECE, &n);
		taken = ok ? take_lines(r, span_of(s->piece, n)) : 0;
		/* Longer than any line: it is none. */
		if (taken == 0 && n == PIECE)
			taken = n;
		s->place.at += taken;
	} while (ok && taken > 0);
	disk_close(&fd);
	return ok;
}

static bool
read_files(const struct reading *r, int dir, const struct chain_list *list)
{
	struct place *place = &r->stated->place;
	int error = 0;

	for (size_t i = 0; i < list->n; i++) {
		uint64_t number = chain_number(list->name[i]);

		if (number < place->number)
			continue;
		if (number > place->number)
			*place = (struct place){number, 0};
		if (!read_file(r, dir, list->name[i]))
			error = errno;
	}
	errno = error;
	return error == 0;
}

bool
stated_read(struct stated *s, int dir,
    void (*file)(void *arg, const struct ledger_entry *entry), void *arg)
{
	const struct reading reading = {s, file, arg};
	struct chain_list list;
	bool ok = chain_list(&list, dir, "ledger");
	int error;

	s->place = s->end[1];
	if (ok) {
		ok = read_files(&reading, dir, &list);
		/* The first time is long; but its last lines will do. */
		s->end[1] = s->end[0].number > 0
				? s->end[0]
				: (struct place){.number = s->place.number};
		s->end[0] = s->place;
	}
	error = errno;
	chain_list_clear(&list);
	errno = error;
	return ok;
}
