/*
 * sepm_sql - a row of SEPM's database view V_AGENT_TRAFFIC_LOG to a record.
 *
 * The rows come from the view itself or from a file that has the names of its
 * columns as header. Cells are text: numbers in decimal, binary values in hex.
 *
 *   times           milliseconds since 1970 UTC; 0 is absent. A stamp as in
 *                   the CSV export is read, too
 *   codes           of event, severity, protocol and direction become the
 *                   record's words; words are read as well. An unknown code of
 *                   a protocol stays as it is, any other goes to extra
 *   BLOCKED         0 `allowed`, 1 `blocked`, else to extra
 *   addresses       of the three columns of a side, the best one that has a
 *                   value: ..._IP_TEXT, then ..._IP, an IPv4 address as number
 *                   of either sign, then ..._IPV6 in hex
 *   RESERVED_...    left out
 */
#ifndef SEPMLOG_SEPM_SQL_H
#define SEPMLOG_SEPM_SQL_H

#include "sepm.h"

enum { SEPM_SQL_COLUMNS = 49 };

/* The name of a column of the view, in its order; n == 0 past the last. */
struct span sepm_sql_column(size_t index);

/* As sepm_row and sepm_row_is_header. */
const char *sepm_sql(const struct span *columns, const struct span *cells,
    size_t count, const struct sepm_context *context, struct record *record);
bool sepm_sql_is_header(const struct span *columns, size_t count);

/* Are these the columns of the view, and not of the CSV export? For rows that
 * are known to be of one of them; the first name that tells does. */
bool sepm_sql_is_row(const struct span *columns, size_t count);

#endif
