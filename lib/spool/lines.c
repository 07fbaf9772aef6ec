#include "lines.h"

enum lines_kind
lines_kind(const char *extension)
{
	static const struct {
		const char *extension;
		enum lines_kind kind;
	} kinds[] = {
	    {"jsonl", LINES_JSON},
	    {"ecs", LINES_JSON},
	    {"ocsf", LINES_JSON},
	    {"csv", LINES_CSV},
	};
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (strcmp(extension, kinds[i].extension) == 0)
			return kinds[i].kind;
	return LINES_RAW;
}

void
lines_init(
    struct lines *lines, enum lines_kind kind, lines_keep_cb *keep, void *arg)
{
	*lines = (struct lines){
	    .kind = kind, .keep = keep, .arg = arg, .first = -1, .last = -1};
}

/* Whether the line without its LF, which has come, is a record (or header). */
static bool
lines_whole(const struct lines *lines)
{
	if (lines->nul)
		return false;
	switch (lines->kind) {
	case LINES_JSON:
		return lines->first == '{' && lines->last == '}';
	case LINES_CSV:
		return lines->last == '\r' &&
		       (lines->header || lines->line == 0);
	case LINES_RAW:
		break;
	}
	return true;
}

/* The run of whole lines ends where the present line began. */
static void
lines_close_run(struct lines *lines)
{
	if (lines->line > lines->run && !lines->stopped)
		lines->stopped =
		    !lines->keep(lines->arg, lines->run, lines->line);
}

static void
lines_start(struct lines *lines)
{
	lines->line = lines->at;
	lines->first = lines->last = -1;
	lines->nul = false;
}

static void
lines_judge(struct lines *lines)
{
	if (!lines_whole(lines)) {
		lines_close_run(lines);
		lines->dropped += lines->at - lines->line;
		lines->run = lines->at;
	} else if (lines->kind == LINES_CSV && !lines->header) {
		lines->header = true;
	} else {
		lines->records++;
	}
	lines_start(lines);
}

/* A part of one line, without its LF. */
static void
lines_part(struct lines *lines, struct span part)
{
	if (!part.n)
		return;
	if (lines->first < 0)
		lines->first = (unsigned char)part.p[0];
	lines->last = (unsigned char)part.p[part.n - 1];
	lines->nul = lines->nul || memchr(part.p, '\0', part.n);
	lines->at += part.n;
}

bool
lines_feed(struct lines *lines, struct span piece)
{
	size_t n;

	while (piece.n && !lines->stopped) {
		n = span_find(piece, '\n');
		lines_part(lines, span_take(piece, n));
		if (n < piece.n) {
			lines->at++;
			lines_judge(lines);
		}
		piece = span_skip(piece, n + 1);
	}
	return !lines->stopped;
}

bool
lines_end(struct lines *lines)
{
	lines_close_run(lines);
	lines->dropped += lines->at - lines->line;
	lines->run = lines->at;
	lines_start(lines);
	return !lines->stopped;
}
