/*
 * A message, header and body, to a record in every format. The first byte says
 * whether it was cut; SEPM's tag is put in front where it says so, so that
 * most inputs get as far as the body. What the parser remembers of earlier
 * messages, and of this one, makes no difference.
 */
#include <stdint.h>
#include <string.h>

#include "receive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct span
line_of(const struct record *r, char *room)
{
	struct timestamp_days days = {0};

	return span_between(room, encode_jsonl(r, &days, room));
}

/* Once more, now that the message is known. */
static void
check_again(struct parser *parser, const struct message *message,
    const struct message_source *source, struct record *r)
{
	size_t room = encode_bound(message->bytes.n, source);
	char *first = malloc(room), *second = malloc(room);
	struct span line;

	if (first == NULL || second == NULL)
		abort();
	line = line_of(r, first);
	parser_parse(parser, message, source, r);
	if (!span_eq(line, line_of(r, second)))
		abort();
	free(first);
	free(second);
}

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
	check_again(parser, &message, &source, &record);
	free(text);
	return 0;
}
