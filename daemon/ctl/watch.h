/*
 * watch - files that appear in a directory, into an importer.
 *
 * A file is complete when it is closed after writing or moved in, or has not
 * changed for a while; it is taken, and moved to done/ or failed/ once that is
 * committed. Files with a name to be followed are taken line by line while they
 * grow, and completed under the name that they get in the end. The directory is
 * looked through now and then as well: events can be lost, and remote file
 * systems have none. Names that begin with a dot are left alone.
 */
#ifndef SEPMLOG_WATCH_H
#define SEPMLOG_WATCH_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "importer.h"

enum { WATCH_GLOBS = 16 };

struct watch_options {
	const char *directory;
	uint64_t settle; /* ms without a change until a file is complete */
	uint64_t rescan; /* ms */
	const char *follow[WATCH_GLOBS + 1]; /* NULL at the end */
	const volatile sig_atomic_t *stop;
};

/* Until *stop is set, by SIGTERM or SIGINT. False: it has been said why. */
bool watch_run(struct importer *importer, const struct config *config,
    const struct watch_options *options);

#endif
