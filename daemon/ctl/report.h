/*
 * report - a summary in the shapes that `sepmlogctl report` writes.
 */
#ifndef SEPMLOG_CTL_REPORT_H
#define SEPMLOG_CTL_REPORT_H

#include <stdint.h>
#include <stdio.h>

#include "summary.h"

enum { REPORT_TOP = 1000 }; /* rows of a table, at most */

struct report {
	struct summary *summary;
	size_t top; /* rows of each table */
	bool exact;
	int64_t now; /* UTC seconds */
	/* what was read */
	uint64_t files, bytes; /* as plain text */
	uint64_t not_ours;     /* lines that are no record */
	uint64_t unterminated; /* last lines that are still being written */
	const char *list_day;  /* of public suffixes; NULL: not known */
	struct summary_bars bars;
};

struct report_table {
	const char *key; /* in JSON */
	const char *title;
	const char *column;
};

/* By enum summary_table. */
extern const struct report_table report_tables[SUMMARY_TABLES];

enum { REPORT_NUMBER = 40 };
/* Each writes to `out` and answers it: `1,234,567`; `12.3 %`, or a dash where
 * there is nothing to divide; `2024-05-14 10:30`. */
const char *report_grouped(uint64_t n, char out[REPORT_NUMBER]);
const char *report_share(uint64_t part, uint64_t all, char out[REPORT_NUMBER]);
const char *report_time(int64_t seconds, char out[REPORT_NUMBER]);
/* The length of a bar: `hour`, `3 hours`, `day`, `7 days`. */
const char *report_width(int64_t seconds, char out[REPORT_NUMBER]);

/* In a sentence, how exact the figures of a table are. */
enum { REPORT_SENTENCE = 320 };
const char *report_error(const struct report *report, enum summary_table table,
    char out[REPORT_SENTENCE]);

/* `columns` of the terminal. */
void report_text(const struct report *report, unsigned columns, FILE *out);
void report_json(const struct report *report, FILE *out);
void report_html(const struct report *report, FILE *out);

#endif
