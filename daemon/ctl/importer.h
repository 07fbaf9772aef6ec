/*
 * importer - files into an intake, each content once.
 *
 * What `sepmlogctl import` does with one file, whether it was named or found in
 * a directory that is watched. Everything here says on standard error what a
 * person has to know.
 */
#ifndef SEPMLOG_IMPORTER_H
#define SEPMLOG_IMPORTER_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "config.h"
#include "gaps.h"
#include "imported.h"
#include "intake.h"
#include "known.h"
#include "progress.h"

struct importer_options {
	const struct message_source *source; /* how files are read */
	int64_t now;  /* reference for a missing year; 0: a file's own time */
	size_t keep;  /* contents remembered */
	bool again;   /* take known contents, too */
	bool patient; /* wait for room for as long as it takes */
	const volatile sig_atomic_t *stop;
	struct progress *progress; /* may be NULL */
	struct known *known;       /* events not to take again; NULL: none */
	bool only_count;           /* put nothing */
};

enum importer_answer {
	IMPORTER_TAKEN,
	IMPORTER_KNOWN,    /* its content was taken before */
	IMPORTER_HOPELESS, /* nothing of it was taken: see importer_why */
	IMPORTER_BROKEN,   /* part of it was taken: see importer_why */
	IMPORTER_LATER,    /* no fault of the file: try again; importer_why */
	IMPORTER_STOPPED,  /* *stop was set: goes on with the next run */
};

struct importer_counts {
	uint64_t files, known, failed;
	uint64_t events;            /* that had come another way */
	uint64_t outside, timeless; /* not of the gaps; without a time */
	uint64_t counted;           /* only counted */
};

struct importer;

/* NULL: it has been said why. Borrows both. */
struct importer *importer_open(
    const struct config *config, const struct importer_options *options);
/*
 * From now on only events of these gaps are taken; NULL: of all times. With
 * gaps no content is known, or remembered: what is in the spool already, the
 * `known` of the options says. Borrows them.
 */
void importer_fill(struct importer *importer, const struct gaps *gaps);
/* What was not committed is not there. */
void importer_close(struct importer *importer);

/* An open file of this name, regular or a pipe. */
enum importer_answer importer_file(
    struct importer *importer, int fd, const char *name, const struct stat *st);
/*
 * The whole lines at the end of a file that grows. With `last` it has stopped
 * growing: its last line counts without a line end, too, and it is known by
 * its content from then on.
 */
enum importer_answer importer_follow(struct importer *importer, int fd,
    const char *name, const struct stat *st, bool last);
/* Has some of it been taken by following? */
bool importer_follows(struct importer *importer, int fd, const struct stat *st);

/* Is there anything to commit? Is it time to? */
bool importer_pending(const struct importer *importer);
bool importer_due(struct importer *importer);
/* False: nothing was committed, and it has been said why. */
bool importer_commit(struct importer *importer);

const char *importer_why(const struct importer *importer);
void importer_counts(const struct importer *importer,
    struct importer_counts *files, struct intake_counts *records);

#endif
