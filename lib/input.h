/*
 * input - messages in files and on standard input, told apart by content.
 *
 * Takes any SEPM text in pieces of any size: syslog or dump-file lines, copies
 * from a viewer, rows under the header of the CSV export or of the database view
 * (quoted cells, line breaks in them), in UTF-8 with or without BOM, UTF-16 of either byte order, or a code page. Memory is
 * bounded by the longest message.
 */
#ifndef SEPMLOG_INPUT_H
#define SEPMLOG_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "span.h"

enum {
	INPUT_MAX_COLUMNS = 64,
	INPUT_MAX_HEADER = 8192, /* bytes of a CSV header row: a record of a row
				  * may hold these names besides the row */
};

/* One message: a line, or a CSV row with its cells. Good until the next call.
 */
struct input_item {
	struct span bytes; /* as it came (UTF-16 as UTF-8), no line end */
	uint64_t length;   /* > bytes.n when longer than max_message */
	uint64_t line;     /* of its first byte, from 1 */
	uint64_t end;      /* offset in the input behind it and its line end;
			    * UTF-16: 0 */
	bool unterminated; /* the input ended without a line end */
	size_t cells;      /* 0: a line, not a row */
	const struct span *columns; /* names from the header row */
	const struct span *cell;    /* unquoted; `cells` of each */
	const char *broken;         /* a row that is not one: why; else NULL */
};

struct input;

struct input *input_new(size_t max_message);
void input_free(struct input *input);

/* Gives the next piece, which must stay until input_next answers false. */
void input_feed(struct input *input, struct span piece);
/* No more pieces: the last, unterminated message can come out. */
void input_end(struct input *input);
/* The next message; false: feed more. The header row of a CSV gives none. */
bool input_next(struct input *input, struct input_item *item);
/* Rows below a header, which has been seen. */
bool input_is_table(const struct input *input);

#endif
