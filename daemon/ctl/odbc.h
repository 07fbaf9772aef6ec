/*
 * odbc - the rows of one query, in constant memory.
 *
 * All values come as text in UTF-8: numbers in decimal, binary ones in hex.
 * Texts that the driver has as Unicode are fetched so and recoded here, as
 * what drivers do themselves depends on the locale.
 *
 * A driver may wait for ever on a server that does not answer. So a timer runs
 * while it is called; when it expires the *process* ends with CTL_FAILED and a
 * message. Who uses this must be able to be killed at any time.
 */
#ifndef SEPMLOG_ODBC_H
#define SEPMLOG_ODBC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "span.h"

enum {
	ODBC_COLUMNS = 64,
	ODBC_CELL = 8192, /* bytes that are fetched of a value, about */
};

struct odbc;

struct odbc_row {
	const struct span *cell; /* one per column; p NULL: NULL */
	bool cut;                /* a value was longer than ODBC_CELL */
	bool broken;             /* the driver could not read it: no cells */
};

enum odbc_status { ODBC_ROW, ODBC_END, ODBC_FAILED };

/* Connects. `timeout` in seconds is for every answer of the server. NULL: no
 * memory. Else ask odbc_failed. Wipe the connection string yourself; nothing
 * of it is kept. */
struct odbc *odbc_open(const char *connection, unsigned timeout);
void odbc_close(struct odbc *odbc);

/* Did the last call fail? Then why, from the driver, with its SQLSTATE, and
 * what to do about it. */
bool odbc_failed(const struct odbc *odbc);
const char *odbc_why(const struct odbc *odbc);
const char *odbc_advice(const struct odbc *odbc);

/* Runs a query; an earlier one ends. */
bool odbc_query(struct odbc *odbc, const char *sql);
size_t odbc_columns(const struct odbc *odbc);
struct span odbc_column(const struct odbc *odbc, size_t index);
/* The next row, good until the next call. */
enum odbc_status odbc_next(struct odbc *odbc, struct odbc_row *row);

#endif
