/*
 * plan - the configuration of sepmlog-upload.
 */
#ifndef SEPMLOG_PLAN_H
#define SEPMLOG_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "preset.h"
#include "receipts.h"
#include "span.h"
#include "target.h"

enum {
	PLAN_TARGETS = 16,
	PLAN_PARALLEL = 32, /* of one target */
};

/* A part of the day, in minutes of local time; it may go over midnight. */
struct plan_window {
	bool set;
	unsigned from, to; /* `to` is not in it */
};

struct plan_target {
	char *name; /* [a-z][a-z0-9_]* */
	const struct target_kind *kind;
	const void *options; /* of the kind */
	struct span *files;  /* patterns of streams (glob(7)) */
	size_t file_count;
	const struct preset *preset; /* whose rules its files must keep; NULL */
	unsigned parallel;
	uint64_t bandwidth; /* bytes/s; 0: any */
	struct plan_window window;
	unsigned line, column;
};

/* How much is kept. */
struct plan_keep {
	uint64_t age;  /* ms */
	uint64_t size; /* bytes */
};

enum plan_after { PLAN_DELETE, PLAN_KEEP };

struct plan {
	char *spool;
	enum plan_after after;
	struct plan_keep sent, rejects;
	struct receipts_limits receipts;
	struct plan_target *targets;
	size_t target_count;
	void *memory; /* owner of everything above */
};

/* Reads and checks a file. NULL: see what was printed to `errors`, as
 * `file:line:column: key: what is wrong`. */
struct plan *plan_load(const char *path, FILE *errors);
void plan_free(struct plan *plan);

/* Does the target want files of this stream? */
bool plan_wants(const struct plan_target *target, struct span stream);
/* Is this minute of the day in it? Any is, if none is set. */
bool plan_window_open(const struct plan_window *window, unsigned minute);

#endif
