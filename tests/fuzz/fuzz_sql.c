/*
 * A row of the database view: cells with NUL between them, where the single
 * byte 1 is a NULL. The first byte turns the order of the columns, and from
 * 128 on they have the names of no view.
 */
#include <stdint.h>

#include "receive.h"
#include "sepm_sql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NAMES_MAX = 2048, STRANGE = 128 };

static size_t
split(struct span text, struct span *cells)
{
	size_t count = 0;

	while (count < SEPM_SQL_COLUMNS) {
		size_t n = span_find(text, '\0');

		cells[count++] = n == 1 && text.p[0] == 1 ? (struct span){0}
							  : span_take(text, n);
		if (n == text.n)
			break;
		text = span_skip(text, n + 1);
	}
	return count;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct parser *parser;
	static struct record record;
	struct span columns[SEPM_SQL_COLUMNS], cells[SEPM_SQL_COLUMNS];
	struct message_source source = receive_source();
	struct message row = {.reference = 1719705600};
	size_t count;

	if (size == 0 || size > RECEIVE_MAX)
		return 0;
	if (parser == NULL)
		parser = parser_new(RECEIVE_MAX);
	if (parser == NULL)
		abort();
	row.bytes = span_of((const char *)data + 1, size - 1);
	row.length = row.bytes.n;
	count = split(row.bytes, cells);
	for (size_t i = 0; i < count; i++) {
		columns[i] = sepm_sql_column((i + data[0]) % SEPM_SQL_COLUMNS);
		if (data[0] >= STRANGE)
			columns[i] = span_skip(columns[i], 1);
	}
	parser_parse_row(parser, &row, columns, cells, count, &source, &record);
	receive_check(&record);
	receive_encode(&record, row.bytes.n + NAMES_MAX);
	return 0;
}
