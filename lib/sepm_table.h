/*
 * sepm_table - rows of a table with a name for each column to records.
 *
 * What SEPM's CSV export (sepm_row.h) and its database view (sepm_sql.h) have
 * in common: columns are found by their names, in any order, and what nobody
 * knows goes to extra.
 */
#ifndef SEPMLOG_SEPM_TABLE_H
#define SEPMLOG_SEPM_TABLE_H

#include "sepm_field.h"

/* One known column. What `reader` means is up to the table's `read`. */
struct sepm_column {
	struct span name;
	enum record_field field;
	unsigned reader;
};

/* What one row needs to know of its earlier cells. */
struct sepm_cells {
	struct sepm_ports ports;
	unsigned rank[2]; /* of the address that was taken; local, remote */
};

struct sepm_table {
	const struct sepm_column *columns;
	size_t count;
	/* As sepm_field_read, for a trimmed cell. */
	enum sepm_value (*read)(const struct sepm_context *context,
	    const struct sepm_column *column, struct span text,
	    struct sepm_cells *cells, struct record *record);
};

/* The column with this name, ASCII letters without case, or NULL. `guess`, any
 * number, is the index that is tried first. */
const struct sepm_column *sepm_table_find(
    const struct sepm_table *table, struct span name, size_t guess);

/* Do these names look like the header of that table? */
bool sepm_table_is_header(
    const struct sepm_table *table, const struct span *columns, size_t count);

/*
 * Fills *record (reset before) from cells[i] of columns[i]; an empty cell and
 * a NULL of a database (p and n 0) are absent. NULL: done. Else the reason why
 * the row is unparsed.
 */
const char *sepm_table_row(const struct sepm_table *table,
    const struct span *columns, const struct span *cells, size_t count,
    const struct sepm_context *context, struct record *record);

#endif
