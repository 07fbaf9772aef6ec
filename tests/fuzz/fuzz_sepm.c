/*
 * A message, header and body, to a record in every format. The first byte says
 * whether it was cut; SEPM's tag is put in front where it says so, so that
 * most inputs get as far as the body. What the parser remembers of earlier
 * messages, and of this one, makes no difference; nor does it whether someone
 * wants an explanation, although then nothing is read on its course.
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

static const char tag[] = "<54>May 14 08:30:11 sepm-north SymantecServer: ";

/* Its records have other labels in other places, on another day. */
static void
parse_another(struct parser *parser, const struct message_source *source)
{
	static struct record record;
	static const char text[] =
	    "<54>Jul 19 14:46:53 s SymantecServer: pc-1,Local: 192.0.2.1,"
	    "Local: 80,Local: 00005E005301,Remote: 192.0.2.2,Remote: ,"
	    "Remote: 443,Remote: 00005E005302,TCP,Inbound,"
	    "Begin: 2016-07-19 14:43:17,End: 2016-07-19 14:43:18,"
	    "Occurrences: 1,User: u,Domain: d,Rule: r,Action: Blocked";
	struct message message = {.bytes = span_of(text, sizeof(text) - 1),
	    .length = sizeof(text) - 1,
	    .reference = 1468939613};

	parser_parse(parser, &message, source, &record);
	if (record.type != RECORD_TRAFFIC)
		abort();
}

static void
ignore_cb(void *arg, struct span piece, struct span key, const char *why)
{
	(void)arg;
	(void)piece;
	(void)key;
	(void)why;
}

/* In the general way; once more, now that the message is known; and behind
 * another one. */
static void
check_again(struct parser *parser, const struct message *message,
    const struct message_source *source, struct record *r)
{
	size_t room = encode_bound(message->bytes.n, source);
	char *first = malloc(room), *again = malloc(room);
	struct span line;

	if (first == NULL || again == NULL)
		abort();
	line = line_of(r, first);
	for (int i = 0; i < 3; i++) {
		parser_explain(parser, i == 0 ? ignore_cb : NULL, NULL);
		parser_parse(parser, message, source, r);
		if (!span_eq(line, line_of(r, again)))
			abort();
		parse_another(parser, source);
	}
	free(first);
	free(again);
}

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
