/*
 * Any bytes as a file of an earlier life: what is kept is whole records, in
 * order, the same however the file is read, and reading it again keeps all.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "spool/lines.h"

#define MUST(what)                                                             \
	do {                                                                   \
		if (!(what))                                                   \
			abort();                                               \
	} while (0)

struct kept {
	const char *file;
	char *bytes;
	size_t n;
	uint64_t end; /* of the last run */
};

static bool
keep(void *arg, uint64_t from, uint64_t to)
{
	struct kept *kept = arg;

	MUST(from < to && from >= kept->end);
	memcpy(kept->bytes + kept->n, kept->file + from, (size_t)(to - from));
	kept->n += (size_t)(to - from);
	kept->end = to;
	return true;
}

/* In pieces of `piece` bytes; `bytes` has room for all. */
static struct lines
read_file(struct span file, enum lines_kind kind, size_t piece,
    struct kept *kept, char *bytes)
{
	struct lines lines;

	*kept = (struct kept){.file = file.p, .bytes = bytes};
	lines_init(&lines, kind, keep, kept);
	for (; file.n; file = span_skip(file, piece))
		MUST(lines_feed(&lines, span_take(file, piece)));
	MUST(lines_end(&lines));
	return lines;
}

static void
check_line(struct span line, enum lines_kind kind)
{
	MUST(span_find(line, '\0') == line.n);
	if (kind == LINES_JSON)
		MUST(line.n >= 2 && line.p[0] == '{' &&
		     line.p[line.n - 1] == '}');
	if (kind == LINES_CSV)
		MUST(line.n >= 1 && line.p[line.n - 1] == '\r');
}

static void
check_kept(const struct kept *kept, const struct lines *lines)
{
	struct span in = span_of(kept->bytes, kept->n);
	uint64_t n = 0;
	size_t at;

	for (; in.n; in = span_skip(in, at + 1), n++) {
		at = span_find(in, '\n');
		MUST(at < in.n);
		check_line(span_take(in, at), lines->kind);
	}
	MUST(n == lines->records + (lines->kind == LINES_CSV && n > 0));
}

static void
check_kind(struct span file, enum lines_kind kind, char *a, char *b)
{
	struct kept once, again;
	struct lines lines = read_file(file, kind, file.n, &once, a);
	size_t piece;

	MUST(once.n + lines.dropped == file.n);
	check_kept(&once, &lines);
	for (piece = 1; piece < 4; piece++) {
		read_file(file, kind, piece, &again, b);
		MUST(again.n == once.n && memcmp(a, b, once.n) == 0);
	}
	lines = read_file(span_of(a, once.n), kind, once.n, &again, b);
	MUST(lines.dropped == 0 && again.n == once.n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* with room for one more: nothing is of size 0 */
	char *file = malloc(size + 1), *a = malloc(size + 1),
	     *b = malloc(size + 1);
	struct span in = {file, size};

	MUST(file && a && b);
	if (size)
		memcpy(file, data, size);
	check_kind(in, LINES_JSON, a, b);
	check_kind(in, LINES_CSV, a, b);
	check_kind(in, LINES_RAW, a, b);
	free(file);
	free(a);
	free(b);
	return 0;
}
