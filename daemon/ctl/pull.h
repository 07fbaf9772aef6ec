/*
 * pull - what the files of `sepmlogctl pull` share.
 *
 *   pull.c          the command: options, what to read, the outcome
 *   pull_connect.c  the configuration as a connection string
 *   pull_rows.c     rows to records, each once, and commits
 *   odbc.c          rows from a database
 */
#ifndef SEPMLOG_PULL_H
#define SEPMLOG_PULL_H

#include <signal.h>
#include <stdio.h>

#include "config.h"
#include "intake.h"
#include "odbc.h"
#include "taken.h"

/* --- pull_connect.c --- */

/*
 * The ODBC connection string, with the password in it: free it with
 * pull_connection_free, which wipes it. NULL: it cannot be made, `why` says why
 * and what to do.
 */
char *pull_connection(const struct config_pull *pull, char *why, size_t size);
void pull_connection_free(char *connection);

/* The database as messages name it: `192.0.2.9:1433/sem5`. */
void pull_name(const struct config_pull *pull, char *out, size_t size);
/* A number for that database and view. */
uint64_t pull_source(const struct config_pull *pull);

/* --- pull_rows.c --- */

struct pull_range {
	int64_t from, to; /* ms since 1970 UTC; `to` 0: no end */
	bool on_demand;   /* --from or --to: the marker stays where it is */
};

struct pull_counts {
	uint64_t rows;     /* read */
	uint64_t taken;    /* of them new */
	uint64_t unparsed; /* of these */
	uint64_t passed;   /* too far back to tell whether they are new */
	uint64_t future;   /* new, with a time to come */
	int64_t last;      /* the greatest time up to now; 0: none */
};

struct pull_rows;

/*
 * What becomes of rows. `intake` NULL: they are only counted (--dry-run). All
 * arguments are borrowed. `now` in ms, the time that decides what is to come.
 * NULL: no memory.
 */
struct pull_rows *pull_rows_new(const struct config *config,
    struct intake *intake, struct taken *taken, const struct pull_range *range,
    int64_t now);
void pull_rows_free(struct pull_rows *rows);

/* The names of the columns of the rows to come. False: one is missing that is
 * needed, pull_rows_why says which. */
bool pull_rows_columns(struct pull_rows *rows, const struct odbc *odbc);
/* Takes a row, and commits when it is time. False: pull_rows_why. */
bool pull_rows_put(struct pull_rows *rows, const struct odbc_row *row);
/* Commits what was taken so far. False: pull_rows_why. */
bool pull_rows_commit(struct pull_rows *rows);

const char *pull_rows_why(const struct pull_rows *rows);
const struct pull_counts *pull_rows_counts(const struct pull_rows *rows);

#endif
