/*
 * conform - does a file look as its target has published that it wants it?
 *
 * Packing, size, encoding, and every record. Reads all of the file, with
 * memory that does not depend on it.
 */
#ifndef SEPMLOG_CONFORM_H
#define SEPMLOG_CONFORM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preset.h"

struct conform_job {
	int fd; /* a regular file, at its start */
	const struct preset *preset;
	int64_t now;             /* s since 1970 */
	const atomic_bool *stop; /* may be NULL */
	/* Each thing that is wrong, and its line; 0: of the whole file. May be
	 * NULL. */
	void (*finding)(void *arg, uint64_t line, const char *text);
	void *arg;
};

struct conform_result {
	uint64_t records, findings;
	uint64_t wrong_records; /* that have findings: they would be left out */
	size_t texts;           /* files in the archive; else 1 */
	bool is_wrong;          /* a finding is about the file as a whole */
};

/* False: it cannot be read, errno; ECANCELED: *stop was set. */
bool conform_check(
    const struct conform_job *job, struct conform_result *result);

#endif
