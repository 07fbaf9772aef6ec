/*
 * sepm_row - a row of SEPM's CSV export of the traffic log to a record.
 *
 * Columns are found by their name; a name that nobody knows goes to extra.
 */
#ifndef SEPMLOG_SEPM_ROW_H
#define SEPMLOG_SEPM_ROW_H

#include "sepm.h"

/*
 * Fills *record (reset before) from cells[i] of columns[i]. NULL: done. Else
 * the reason why the row is unparsed.
 */
const char *sepm_row(const struct span *columns, const struct span *cells,
    size_t count, const struct sepm_context *context, struct record *record);

/* Do these names look like the header of that export? */
bool sepm_row_is_header(const struct span *columns, size_t count);
/* Is it the name of a column of that export? `guess` as in sepm_table_find. */
bool sepm_row_knows(struct span name, size_t guess);

#endif
