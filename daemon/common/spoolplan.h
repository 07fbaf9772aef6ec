/*
 * spoolplan - what the configuration says, as the spool wants to hear it.
 */
#ifndef SEPMLOG_SPOOLPLAN_H
#define SEPMLOG_SPOOLPLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"
#include "spool/spool.h"

/* Owns all that `options` and `streams` point to. */
struct spoolplan {
	struct spool_options options;
	struct spool_stream_options *streams;
	size_t count;
	char *names;
};

/* For lines of at most `line` bytes (outlet_line). NULL: no memory. */
struct spoolplan *spoolplan_new(const struct config *config, size_t line);
void spoolplan_free(struct spoolplan *plan);

/* The options alone, without the directory. */
struct spool_options spoolplan_options(
    const struct config *config, size_t line);

#endif
