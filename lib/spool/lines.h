/*
 * lines - tells whole records from what a crash may leave in a file.
 *
 * A power cut leaves torn tails, holes of NUL bytes and stale blocks. What is
 * kept is what can be a record: a complete line without NUL, for JSON one that
 * opens and closes its object, for CSV one that ends in CR LF and stands under
 * an equally whole first line, the header.
 *
 * Fed with a file's bytes in order, in pieces of any size, it answers with the
 * runs of bytes to keep. What it keeps, it keeps whole when read again.
 */
#ifndef SEPMLOG_SPOOL_LINES_H
#define SEPMLOG_SPOOL_LINES_H

#include <stdint.h>

#include "../span.h"

enum lines_kind { LINES_JSON, LINES_CSV, LINES_RAW };

/* Keep the bytes of the file from `from` up to, not including, `to`. */
typedef bool lines_keep_cb(void *arg, uint64_t from, uint64_t to);

struct lines {
	enum lines_kind kind;
	lines_keep_cb *keep; /* answers false to stop */
	void *arg;

	uint64_t records; /* whole ones, without the header */
	uint64_t dropped; /* bytes */

	/* private */
	uint64_t at;   /* offset of the next byte */
	uint64_t line; /* where its line began */
	uint64_t run;  /* and the run of whole lines before that */
	int first;     /* first byte of the line, -1: none yet */
	int last;      /* and the last one */
	bool nul;      /* it has a NUL */
	bool header;   /* the header was seen, and is whole */
	bool stopped;
};

/* The kind for a file name's extension: what is not known is plain lines. */
enum lines_kind lines_kind(const char *extension);
void lines_init(
    struct lines *lines, enum lines_kind kind, lines_keep_cb *keep, void *arg);
/* Both answer false once `keep` did. */
bool lines_feed(struct lines *lines, struct span piece);
bool lines_end(struct lines *lines);

#endif
