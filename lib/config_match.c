/*
 * What a finished configuration says about an address or a record. No
 * allocation here: config_stream_takes runs for each record and stream.
 */
#include <string.h>

#include "config.h"

bool
config_cidr_holds(const struct config_cidr *cidr, const struct in6_addr *addr)
{
	unsigned bytes = cidr->bits / 8, rest = cidr->bits % 8;
	unsigned differ;

	if (memcmp(&cidr->net, addr, bytes) != 0)
		return false;
	if (rest == 0)
		return true;
	differ = cidr->net.s6_addr[bytes] ^ addr->s6_addr[bytes];
	return differ >> (8 - rest) == 0;
}

struct in6_addr
config_address(const struct sockaddr *addr)
{
	struct in6_addr mapped = {.s6_addr = {[10] = 0xff, [11] = 0xff}};
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (addr->sa_family == AF_INET) {
		memcpy(&in, addr, sizeof(in));
		memcpy(mapped.s6_addr + 12, &in.sin_addr, 4);
		return mapped;
	}
	if (addr->sa_family == AF_INET6) {
		memcpy(&in6, addr, sizeof(in6));
		return in6.sin6_addr;
	}
	return in6addr_any;
}

const struct message_source *
config_source_of(const struct config *config, const struct in6_addr *addr)
{
	for (size_t i = 0; i < config->source_count; i++) {
		if (config_cidr_holds(&config->sources[i].from, addr))
			return &config->sources[i].read;
	}
	return &config->fallback;
}

static bool
holds_number(const struct config_condition *c, uint64_t number)
{
	for (size_t i = 0; i < c->count; i++) {
		if (c->numbers[i] == number)
			return true;
	}
	return false;
}

static bool
holds_text(const struct config_condition *c, struct span text)
{
	for (size_t i = 0; i < c->count; i++) {
		if (span_caseeq(c->texts[i], text))
			return true;
	}
	return false;
}

static bool
condition_met(const struct config_condition *c, const struct record *record)
{
	if (!record_has(record, c->field))
		return false;
	if (c->numbers)
		return holds_number(c, record->value[c->field].number);
	return holds_text(c, record->value[c->field].text);
}

bool
config_is_private(const struct config *config)
{
	for (size_t i = 0; i < config->stream_count; i++)
		if (config->streams[i].policy)
			return true;
	return false;
}

bool
config_stream_takes(
    const struct config_stream *stream, const struct record *record)
{
	if (!(stream->types >> record->type & 1))
		return false;
	for (size_t i = 0; i < stream->conditions; i++) {
		if (!condition_met(&stream->where[i], record))
			return false;
	}
	return true;
}
