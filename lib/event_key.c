#include "event_key.h"

#include <stdlib.h>

#include "decimal.h"
#include "sha256.h"

enum {
	CHUNK = 512, /* bytes gathered for one update of the hash */
	END_OF_KEY = 0x1f,
	END_OF_VALUE = 0x1e,
};

struct event_key {
	struct sha256 *hash;
	size_t n;
	char chunk[CHUNK];
	char digits[EVENT_KEY_DIGITS];
};

/* What only says how and when a record came. */
static const enum record_field envelope[] = {
    RECORD_F_TYPE,
    RECORD_F_TIME,
    RECORD_F_SEPM,
    RECORD_F_FACILITY,
    RECORD_F_SEVERITY,
    RECORD_F_FLAGS,
    RECORD_F_ORIGINAL_LENGTH,
    RECORD_F_RECEIVED,
    RECORD_F_PEER,
    RECORD_F_TRANSPORT,
    RECORD_F_EVENT_KEY,
};

/* Those of a traffic record that every source has; ports are apart. */
static const enum record_field traffic[] = {
    RECORD_F_HOST,
    RECORD_F_LOCAL_IP,
    RECORD_F_REMOTE_IP,
    RECORD_F_DIRECTION,
    RECORD_F_BEGIN,
    RECORD_F_OCCURRENCES,
    RECORD_F_APPLICATION,
    RECORD_F_RULE,
    RECORD_F_ACTION,
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

struct event_key *
event_key_new(void)
{
	struct event_key *key = calloc(1, sizeof(*key));

	if (key == NULL)
		return NULL;
	key->hash = sha256_new();
	if (key->hash == NULL) {
		event_key_free(key);
		return NULL;
	}
	return key;
}

void
event_key_free(struct event_key *key)
{
	if (key == NULL)
		return;
	sha256_free(key->hash);
	free(key);
}

static void
flush(struct event_key *key)
{
	sha256_add(key->hash, span_of(key->chunk, key->n));
	key->n = 0;
}

static void
put(struct event_key *key, struct span text)
{
	while (text.n > 0) {
		struct span part = span_take(text, CHUNK - key->n);

		memcpy(key->chunk + key->n, part.p, part.n);
		key->n += part.n;
		text = span_skip(text, part.n);
		if (key->n == CHUNK)
			flush(key);
	}
}

static void
put_byte(struct event_key *key, char c)
{
	put(key, span_of(&c, 1));
}

static void
put_number(struct event_key *key, uint64_t number)
{
	char digits[DECIMAL_MAX + DECIMAL_ROOM];

	put(key, span_between(digits, decimal_put(number, digits)));
}

/* A name that one source may write in other letters than another. */
static void
put_folded(struct event_key *key, struct span text)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = (char)span_lower((unsigned char)text.p[i]);

		put_byte(key, c == '\\' ? '/' : c);
	}
}

static void
put_extra(struct event_key *key, const struct record *r)
{
	for (size_t i = 0; i < r->extras; i++) {
		put(key, r->extra[i].label);
		put_byte(key, END_OF_KEY);
		put(key, r->extra[i].value);
		put_byte(key, END_OF_KEY);
	}
}

static void
put_addresses(struct event_key *key, const struct record *r)
{
	for (size_t i = 0; i < r->addresses; i++) {
		put(key, r->address[i].ip);
		put_byte(key, END_OF_KEY);
		put(key, r->address[i].mac);
		put_byte(key, END_OF_KEY);
		put(key, r->address[i].gateway);
		put_byte(key, END_OF_KEY);
	}
}

static void
put_value(struct event_key *key, const struct record *r, enum record_field f)
{
	const union record_value *value = &r->value[f];

	switch (record_field_info[f].kind) {
	case RECORD_TEXT:
	case RECORD_WORD:
		if (f == RECORD_F_HOST || f == RECORD_F_APPLICATION)
			put_folded(key, value->text);
		else
			put(key, value->text);
		break;
	case RECORD_UINT:
		put_number(key, value->number);
		break;
	case RECORD_TIME:
	case RECORD_TIME_US:
		put_number(key, (uint64_t)value->time);
		break;
	case RECORD_PAIR:
		put_number(key, value->pair[0]);
		put_byte(key, END_OF_KEY);
		put_number(key, value->pair[1]);
		break;
	case RECORD_ADDRESSES:
		put_addresses(key, r);
		break;
	case RECORD_EXTRA:
		put_extra(key, r);
		break;
	case RECORD_FLAGS:
		break;
	}
}

static void
put_field(struct event_key *key, const struct record *r, enum record_field f)
{
	if (!record_has(r, f))
		return;
	put(key, record_field_info[f].key);
	put_byte(key, END_OF_KEY);
	put_value(key, r, f);
	put_byte(key, END_OF_VALUE);
}

/* The database knows four protocols, and ports for two of them. */
static void
put_traffic(struct event_key *key, const struct record *r)
{
	struct span protocol = record_text(r, RECORD_F_PROTOCOL);
	bool ports =
	    span_eq(protocol, SPAN("tcp")) || span_eq(protocol, SPAN("udp"));

	for (size_t i = 0; i < COUNT(traffic); i++)
		put_field(key, r, traffic[i]);
	if (ports) {
		put_field(key, r, RECORD_F_PROTOCOL);
		put_field(key, r, RECORD_F_LOCAL_PORT);
		put_field(key, r, RECORD_F_REMOTE_PORT);
	} else if (span_eq(protocol, SPAN("icmp"))) {
		put_field(key, r, RECORD_F_PROTOCOL);
		put_field(key, r, RECORD_F_ICMP);
	}
}

static bool
is_envelope(enum record_field f)
{
	for (size_t i = 0; i < COUNT(envelope); i++)
		if (envelope[i] == f)
			return true;
	return false;
}

static void
put_others(struct event_key *key, const struct record *r)
{
	for (unsigned f = 0; f < RECORD_FIELD_COUNT; f++)
		if (!is_envelope((enum record_field)f))
			put_field(key, r, (enum record_field)f);
}

static void
finish(struct event_key *key)
{
	uint8_t sum[SHA256_SIZE];
	char hex[SHA256_HEX];

	flush(key);
	sha256_end(key->hash, sum);
	sha256_hex(sum, hex);
	memcpy(key->digits, hex, EVENT_KEY_DIGITS);
}

void
event_key_set(struct event_key *key, struct record *r)
{
	if (r->type == RECORD_UNPARSED)
		return;
	key->n = 0;
	sha256_begin(key->hash);
	put(key, record_type_name[r->type]);
	put_byte(key, END_OF_VALUE);
	if (r->type == RECORD_TRAFFIC)
		put_traffic(key, r);
	else
		put_others(key, r);
	finish(key);
	record_set_text(
	    r, RECORD_F_EVENT_KEY, span_of(key->digits, EVENT_KEY_DIGITS));
}
