/*
 * survey - a look at a whole file before anything of it is taken.
 *
 * Finds what it is known by, and whether it can be read to its end, so that of
 * a broken archive nothing is taken at all. A file is known by the SHA-256 of
 * its bytes; one that is packed by gzip or zstd by that of its text, as logs are
 * packed some time after they were written.
 */
#ifndef SEPMLOG_SURVEY_H
#define SEPMLOG_SURVEY_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "sha256.h"
#include "span.h"

enum { SURVEY_DIGEST = SHA256_SIZE };

enum survey_status {
	SURVEY_TEXT,
	SURVEY_EMPTY,    /* a text of no bytes at all */
	SURVEY_HOPELESS, /* broken, or no line of it can be text */
	SURVEY_FAILED,   /* it cannot be read */
	SURVEY_LATER,    /* it changes while it is read */
	SURVEY_STOPPED,
};

struct survey {
	unsigned char digest[SURVEY_DIGEST];
	char why[160]; /* HOPELESS, FAILED: in a few words */
};

/* The first `size` bytes of a regular file. Ends early when *stop is set. */
enum survey_status survey_file(int fd, uint64_t size,
    const volatile sig_atomic_t *stop, struct survey *survey);

/* --- for survey_file and its test --- */

/* Is there a line that can be text? Binary data has none, by any chance worth
 * counting. */
struct textcheck {
	char line[64]; /* how the present one begins */
	size_t n;
	uint64_t bytes;
	bool found;   /* one was */
	bool control; /* a byte that text has not, anywhere */
};

void textcheck_feed(struct textcheck *check, struct span bytes);
/* At the end of a text. */
void textcheck_end(struct textcheck *check);

#endif
