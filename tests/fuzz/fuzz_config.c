/*
 * Any text is a configuration or has errors, in the order of their places,
 * and a configuration holds what its reader relies on.
 */
#include <stdlib.h>
#include <string.h>

#include "config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool holds)
{
	if (!holds)
		abort();
}

static void
check_errors(const struct config_errors *errors)
{
	const struct config_error *e = errors->list;

	require(errors->count > 0 && !errors->incomplete);
	for (size_t i = 0; i < errors->count; i++) {
		require(e[i].text[0] != '\0');
		require((e[i].line == 0) == (e[i].column == 0));
		require(strpbrk(e[i].text, "\r\n") == NULL);
		require(i == 0 || e[i - 1].line < e[i].line ||
			(e[i - 1].line == e[i].line &&
			    e[i - 1].column <= e[i].column));
	}
}

static void
check_source(const struct message_source *read)
{
	require(read->zone != NULL && read->codepage != NULL);
	require(read->site.n <= 255 && read->group.n <= 255 &&
		read->domain.n <= 255);
}

static void
check_stream(const struct config_stream *stream)
{
	static struct record record;
	bool taken = false;

	require(stream->name != NULL && strlen(stream->name) <= 32);
	require(stream->name[0] >= 'a' && stream->name[0] <= 'z');
	require(stream->types != 0);
	require(stream->format < ENCODE_FORMAT_COUNT);
	for (size_t i = 0; i < stream->conditions; i++) {
		const struct config_condition *c = &stream->where[i];

		require(c->count > 0);
		require((c->texts == NULL) != (c->numbers == NULL));
		/* The record that each condition was made for. */
		if (c->numbers)
			record_set_number(&record, c->field, c->numbers[0]);
		else
			record_set_text(&record, c->field, c->texts[0]);
	}
	for (unsigned type = 0; type < RECORD_TYPE_COUNT; type++) {
		record.type = (enum record_type)type;
		taken |= config_stream_takes(stream, &record);
	}
	require(taken);
	record_reset(&record);
}

static void
check_config(const struct config *c)
{
	const struct in6_addr any = IN6ADDR_ANY_INIT;

	require(c->listens >= 1 && c->stream_count >= 1);
	for (size_t i = 0; i < c->listens; i++)
		require(c->listen[i].addr_len > 0 && c->listen[i].text);
	require(c->max_message >= 480 && c->max_message <= 1 << 20);
	require(c->spool.buffer >= 8 * c->max_message + (64 << 10));
	require(c->spool.directory[0] == '/');
	require(c->spool.rotate_size > 0 && c->spool.rotate_age > 0);
	require(c->max_connections > 0 && c->max_connections_per_source > 0);
	for (size_t i = 0; i < c->allows; i++)
		require(config_cidr_holds(&c->allow[i], &c->allow[i].net));
	require(c->pull.view && c->pull.batch > 0 && c->pull.timeout > 0);
	require(!c->pull.set || c->pull.host || c->pull.connection);
	require(!c->pull.user == !c->pull.password_file);
	check_source(&c->fallback);
	for (size_t i = 0; i < c->source_count; i++)
		check_source(&c->sources[i].read);
	check_source(config_source_of(c, &any));
	for (size_t i = 0; i < c->stream_count; i++)
		check_stream(&c->streams[i]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_errors errors;
	struct config *config =
	    config_parse(span_of((const char *)data, size), NULL, &errors);

	if (config) {
		require(errors.count == 0 && !errors.incomplete);
		check_config(config);
	} else {
		check_errors(&errors);
	}
	config_free(config);
	config_errors_clear(&errors);
	return 0;
}
