/*
 * A message, header and body, to a record in every format. The first byte says
 * whether it was cut; SEPM's tag is put in front where it says so, so that
 * most inputs get as far as the body.
 */
#include <stdint.h>
#include <string.h>

#include "receive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char tag[] = "<54>May 14 08:30:11 sepm-north SymantecServer: ";

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct parser *parser;
	static struct record record;
	struct message_source source = receive_source();
	struct message message = {.reference = 1719705600};
	size_t n = 0, head;
	char *text;

	if (size == 0 || size > RECEIVE_MAX)
		return 0;
	if (parser == NULL)
		parser = parser_new(2 * RECEIVE_MAX);
	head = data[0] & 1 ? sizeof(tag) - 1 : 0;
	n = head + size - 1;
	text = malloc(n + 1);
	if (parser == NULL || text == NULL)
		abort();
	memcpy(text, tag, head);
	memcpy(text + head, data + 1, size - 1);
	message.bytes = span_of(text, n);
	message.length = n + (data[0] & 2 ? 2 * RECEIVE_MAX : 0);
	message.unterminated = data[0] & 4;
	parser_parse(parser, &message, &source, &record);
	receive_check(&record);
	receive_encode(&record, n);
	free(text);
	return 0;
}
