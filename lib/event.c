#include "event.h"

#include <arpa/inet.h>

#include "calendar.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define LITERAL(text)                                                          \
	{                                                                      \
		text, sizeof(text) - 1                                         \
	}

/* clang-format off */
const struct event_end event_local = {
	RECORD_F_LOCAL_IP, RECORD_F_LOCAL_PORT, RECORD_F_LOCAL_MAC,
	EVENT_NO_FIELD,
};
const struct event_end event_remote = {
	RECORD_F_REMOTE_IP, RECORD_F_REMOTE_PORT, RECORD_F_REMOTE_MAC,
	RECORD_F_REMOTE_NAME,
};
static const struct event_end sender = {
	RECORD_F_SOURCE_COMPUTER_IP, EVENT_NO_FIELD, EVENT_NO_FIELD,
	RECORD_F_SOURCE_COMPUTER_NAME,
};

static const struct {
	struct span word;
	int number;
} protocols[] = {
	{ LITERAL("tcp"),	6 },
	{ LITERAL("udp"),	17 },
	{ LITERAL("icmp"),	1 },
	{ LITERAL("ipv6-icmp"),	58 },
	{ LITERAL("icmpv6"),	58 },
	{ LITERAL("igmp"),	2 },
	{ LITERAL("gre"),	47 },
	{ LITERAL("esp"),	50 },
	{ LITERAL("ah"),	51 },
	{ LITERAL("sctp"),	132 },
};
/* clang-format on */

static bool
direction_is(const struct record *r, struct span word)
{
	return span_eq(record_text(r, RECORD_F_DIRECTION), word);
}

static bool
is_struck(const struct record *r)
{
	return r->type == RECORD_RISK || r->type == RECORD_PROACTIVE;
}

const struct event_end *
event_source(const struct record *r)
{
	if (direction_is(r, SPAN("inbound")))
		return &event_remote;
	if (direction_is(r, SPAN("outbound")))
		return &event_local;
	return is_struck(r) ? &sender : NULL;
}

const struct event_end *
event_destination(const struct record *r)
{
	if (direction_is(r, SPAN("inbound")))
		return &event_local;
	return direction_is(r, SPAN("outbound")) ? &event_remote : NULL;
}

bool
event_is_target(const struct record *r)
{
	return is_struck(r) || direction_is(r, SPAN("inbound"));
}

bool
event_has_ports(const struct record *r)
{
	return !span_eq(record_text(r, RECORD_F_PROTOCOL), SPAN("ethernet"));
}

bool
event_time(const struct record *r, int64_t *seconds)
{
	static const enum record_field fields[] = {
	    RECORD_F_BEGIN, RECORD_F_EVENT_TIME, RECORD_F_TIME};

	for (size_t i = 0; i < COUNT(fields); i++)
		if (record_has(r, fields[i])) {
			*seconds = r->value[fields[i]].time;
			return true;
		}
	if (!record_has(r, RECORD_F_RECEIVED))
		return false;
	*seconds = calendar_floor(r->value[RECORD_F_RECEIVED].time, 1000000);
	return true;
}

/* SEPM has one word for ICMP of both kinds. */
int
event_protocol(const struct record *r)
{
	struct span word = record_text(r, RECORD_F_PROTOCOL);
	int number = -1;

	for (size_t i = 0; i < COUNT(protocols) && number < 0; i++)
		if (span_eq(protocols[i].word, word))
			number = protocols[i].number;
	return number == 1 && event_families(r) == 6 ? 58 : number;
}

struct span
event_protocol_word(int number)
{
	for (size_t i = 0; i < COUNT(protocols); i++)
		if (protocols[i].number == number)
			return protocols[i].word;
	return SPAN("");
}

unsigned
event_severity(const struct record *r)
{
	struct span word = record_text(r, RECORD_F_SEVERITY);
	unsigned code = 0;

	while (code < 8 && !span_eq(record_severity_word(code), word))
		code++;
	return code;
}

bool
event_has_signature(const struct record *r)
{
	struct span id = record_text(r, RECORD_F_CIDS_SIGNATURE_ID);

	return id.n > 0 && !span_eq(id, SPAN("0"));
}

int
event_family(struct span ip)
{
	if (ip.n == 0 || ip.n >= INET6_ADDRSTRLEN)
		return 0;
	if (span_find(ip, ':') < ip.n)
		return 6;
	return span_find(ip, '.') < ip.n ? 4 : 0;
}

int
event_families(const struct record *r)
{
	int local = event_family(record_text(r, RECORD_F_LOCAL_IP));
	int remote = event_family(record_text(r, RECORD_F_REMOTE_IP));

	if (local == 0 || remote == 0)
		return local + remote;
	return local == remote ? local : 0;
}

bool
event_is_unicast(struct span ip)
{
	char text[INET6_ADDRSTRLEN];
	unsigned char byte[16];
	int family = event_family(ip);

	if (family == 0)
		return false;
	memcpy(text, ip.p, ip.n);
	text[ip.n] = '\0';
	if (family == 6)
		return inet_pton(AF_INET6, text, byte) == 1 && byte[0] != 0xff;
	return inet_pton(AF_INET, text, byte) == 1 && byte[0] < 224;
}

bool
event_is_path(struct span text)
{
	return event_base_name(text).n < text.n;
}

struct span
event_base_name(struct span path)
{
	size_t i = path.n;

	while (i > 0 && path.p[i - 1] != '/' && path.p[i - 1] != '\\')
		i--;
	return span_skip(path, i);
}

struct span
event_cut(struct span text, size_t n)
{
	if (text.n <= n)
		return text;
	while (n > 0 && ((unsigned char)text.p[n] & 0xc0) == 0x80)
		n--;
	return span_take(text, n);
}

struct span
event_copy(struct span text)
{
	return event_cut(text, EVENT_COPY);
}

enum event_hash
event_hash(struct span text, char lower[EVENT_HASH_MAX])
{
	static const enum event_hash kinds[EVENT_HASH_MAX + 1] = {
	    [32] = EVENT_MD5, [40] = EVENT_SHA1, [64] = EVENT_SHA256};

	if (text.n > EVENT_HASH_MAX)
		return EVENT_NO_HASH;
	for (size_t i = 0; i < text.n; i++) {
		int c = span_lower((unsigned char)text.p[i]);

		if (!span_isdigit(c) && (c < 'a' || c > 'f'))
			return EVENT_NO_HASH;
		lower[i] = (char)c;
	}
	return kinds[text.n];
}

bool
event_number(struct span text, uint64_t *number)
{
	uint64_t n = 0;

	if (text.n == 0 || text.n > 18)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		if (!span_isdigit((unsigned char)text.p[i]))
			return false;
		n = n * 10 + (uint64_t)(text.p[i] - '0');
	}
	*number = n;
	return true;
}
