/*
 * Files: the same messages come out whole or in pieces, whose size the first
 * byte says, and each gives a record.
 */
#include <stdint.h>

#include "input.h"
#include "receive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { KEPT = 512 };

struct reader {
	struct parser *parser;
	struct record record;
	uint64_t hash, items;
	bool whole; /* not in pieces, which are but compared with that */
};

static void
hash(struct reader *reader, struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		reader->hash = (reader->hash ^ (unsigned char)s.p[i]) *
			       UINT64_C(1099511628211);
	reader->hash = (reader->hash ^ 0x100) * UINT64_C(1099511628211);
}

static void
hash_number(struct reader *reader, uint64_t number)
{
	hash(reader, span_of((const char *)&number, sizeof(number)));
}

static void
take(struct reader *reader, const struct input_item *item)
{
	struct message_source source = receive_source();
	struct message m = {
	    .bytes = item->bytes,
	    .length = item->length,
	    .unterminated = item->unterminated,
	    .reference = 1719705600,
	};

	if (item->line == 0 || item->bytes.n > item->length ||
	    item->bytes.n > KEPT)
		abort();
	reader->items++;
	hash(reader, item->bytes);
	hash_number(reader, item->length);
	hash_number(reader, item->line);
	hash_number(reader, item->unterminated);
	hash_number(reader, item->cells);
	if (item->broken != NULL)
		hash(reader, span_str(item->broken));
	for (size_t i = 0; item->broken == NULL && i < item->cells; i++)
		hash(reader, item->cell[i]);
	if (item->broken != NULL)
		parser_reject(
		    reader->parser, &m, item->broken, &reader->record);
	else if (item->cells > 0)
		parser_parse_row(reader->parser, &m, item->columns, item->cell,
		    item->cells, &source, &reader->record);
	else
		parser_parse(reader->parser, &m, &source, &reader->record);
	if (!reader->whole)
		return;
	receive_check(&reader->record);
	receive_encode(&reader->record, item->bytes.n + INPUT_MAX_HEADER);
}

static void
read_all(struct reader *reader, struct span text, size_t piece)
{
	struct input *input = input_new(KEPT);
	struct input_item item;

	if (input == NULL)
		abort();
	reader->hash = UINT64_C(14695981039346656037);
	reader->items = 0;
	reader->whole = piece == SIZE_MAX;
	while (text.n > 0) {
		input_feed(input, span_take(text, piece));
		while (input_next(input, &item))
			take(reader, &item);
		text = span_skip(text, piece);
	}
	input_end(input);
	while (input_next(input, &item))
		take(reader, &item);
	input_free(input);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct reader reader;
	struct span text;
	uint64_t hashed, items;

	if (size == 0 || size > 4 * RECEIVE_MAX)
		return 0;
	if (reader.parser == NULL)
		reader.parser = parser_new(KEPT);
	if (reader.parser == NULL)
		abort();
	text = span_of((const char *)data + 1, size - 1);
	read_all(&reader, text, SIZE_MAX);
	hashed = reader.hash;
	items = reader.items;
	read_all(&reader, text, (size_t)data[0] % 64 + 1);
	if (reader.hash != hashed || reader.items != items)
		abort();
	return 0;
}
