#include "encode_pairs.h"

#include "encode_json.h"

void
pairs_start(struct pairs *p, const struct record *record,
    struct timestamp_days *days, char separator, bool escapes, char *out)
{
	*p = (struct pairs){
	    .record = record,
	    .days = days,
	    .out = out,
	    .separator = separator,
	    .escapes = escapes,
	    .fresh = true,
	};
	pairs_mark(p, RECORD_F_TYPE);
}

void
pairs_mark(struct pairs *p, enum record_field f)
{
	p->done[f / 64] |= (uint64_t)1 << f % 64;
}

bool
pairs_done(const struct pairs *p, enum record_field f)
{
	return p->done[f / 64] >> f % 64 & 1;
}

void
pairs_key(struct pairs *p, struct span key)
{
	if (!p->fresh)
		*p->out++ = p->separator;
	p->fresh = false;
	p->out = put_char('=', put(key, p->out));
}

/* Values */

static void
put_escaped_byte(struct pairs *p, char c)
{
	bool ends = c == '\n' || c == '\r';

	if (p->escapes && (c == '\\' || c == '=' || ends))
		*p->out++ = '\\';
	if (p->escapes && ends)
		*p->out++ = c == '\n' ? 'n' : 'r';
	else
		*p->out++ = (unsigned char)c < 0x20 || c == 0x7f ? ' ' : c;
}

static void
put_text(struct pairs *p, struct span text)
{
	while (text.n > 0) {
		size_t used = 1;

		if (hidden_character(text, &used) != 0)
			*p->out++ = ' ';
		else
			put_escaped_byte(p, text.p[0]);
		text = span_skip(text, used);
	}
}

void
pairs_text(struct pairs *p, struct span key, struct span text)
{
	if (text.n == 0)
		return;
	pairs_key(p, key);
	put_text(p, text);
}

void
pairs_number(struct pairs *p, struct span key, int64_t number)
{
	pairs_key(p, key);
	if (number < 0)
		*p->out++ = '-';
	p->out = decimal_put(
	    number < 0 ? 0 - (uint64_t)number : (uint64_t)number, p->out);
}

bool
pairs_ms(struct pairs *p, struct span key, enum record_field f)
{
	int64_t time;

	if (!record_has(p->record, f))
		return false;
	time = p->record->value[f].time;
	pairs_mark(p, f);
	if (record_field_info[f].kind == RECORD_TIME_US) {
		pairs_number(p, key, time / 1000);
		return true;
	}
	/* Times of no calendar, as only tests have them, have no place. */
	if (time < -INT64_C(1000000000000) || time > INT64_C(1000000000000))
		return false;
	pairs_number(p, key, time * 1000);
	return true;
}

static void
put_member(struct pairs *p, struct span text, struct span before, bool *first)
{
	if (text.n == 0)
		return;
	if (!*first)
		put_text(p, before);
	*first = false;
	put_text(p, text);
}

static void
put_addresses(struct pairs *p)
{
	bool first = true;

	for (size_t i = 0; i < p->record->addresses; i++) {
		const struct record_address *a = &p->record->address[i];
		bool start = true;

		if (a->ip.n + a->mac.n + a->gateway.n == 0)
			continue;
		if (!first)
			put_text(p, SPAN("; "));
		first = false;
		put_member(p, a->ip, SPAN(" "), &start);
		put_member(p, a->mac, SPAN(" "), &start);
		put_member(p, a->gateway, SPAN(" "), &start);
	}
}

static void
put_extra(struct pairs *p)
{
	bool first = true;

	for (size_t i = 0; i < p->record->extras; i++) {
		const struct record_extra *extra = &p->record->extra[i];

		if (extra->value.n == 0)
			continue;
		if (!first)
			put_text(p, SPAN("; "));
		first = false;
		put_text(p, extra->label);
		put_text(p, SPAN(": "));
		put_text(p, extra->value);
	}
}

static void
put_flags(struct pairs *p)
{
	bool first = true;

	for (unsigned i = 0; i < RECORD_FLAG_COUNT; i++)
		if ((p->record->flags >> i & 1) != 0)
			put_member(p, record_flag_name[i], SPAN(" "), &first);
}

bool
pairs_has(const struct pairs *p, enum record_field f)
{
	const struct record *r = p->record;

	switch (record_field_info[f].kind) {
	case RECORD_ADDRESSES:
		for (size_t i = 0; i < r->addresses; i++)
			if (r->address[i].ip.n + r->address[i].mac.n +
				r->address[i].gateway.n >
			    0)
				return true;
		return false;
	case RECORD_EXTRA:
		for (size_t i = 0; i < r->extras; i++)
			if (r->extra[i].value.n > 0)
				return true;
		return false;
	case RECORD_FLAGS:
		return r->flags != 0;
	case RECORD_TEXT:
	case RECORD_WORD:
		return record_text(r, f).n > 0;
	default:
		return record_has(r, f);
	}
}

void
pairs_value(struct pairs *p, enum record_field f)
{
	const union record_value *value = &p->record->value[f];

	switch (record_field_info[f].kind) {
	case RECORD_TEXT:
	case RECORD_WORD:
		put_text(p, value->text);
		break;
	case RECORD_UINT:
		p->out = decimal_put(value->number, p->out);
		break;
	case RECORD_TIME:
		timestamp_format(value->time, p->days, p->out);
		p->out += TIMESTAMP_RFC3339;
		break;
	case RECORD_TIME_US:
		timestamp_format_us(value->time, p->days, p->out);
		p->out += TIMESTAMP_RFC3339_US;
		break;
	case RECORD_PAIR:
		p->out = put_char(' ', decimal_put(value->pair[0], p->out));
		p->out = decimal_put(value->pair[1], p->out);
		break;
	case RECORD_ADDRESSES:
		put_addresses(p);
		break;
	case RECORD_EXTRA:
		put_extra(p);
		break;
	case RECORD_FLAGS:
		put_flags(p);
		break;
	}
}

bool
pairs_field(struct pairs *p, struct span key, enum record_field f, size_t max)
{
	enum record_kind kind = record_field_info[f].kind;

	if (!pairs_has(p, f) || ((kind == RECORD_TEXT || kind == RECORD_WORD) &&
				    p->record->value[f].text.n > max))
		return false;
	pairs_key(p, key);
	pairs_value(p, f);
	pairs_mark(p, f);
	return true;
}

/* What both formats have */

void
pairs_protocol(struct pairs *p, struct span key, size_t max)
{
	struct span word = event_protocol_word(event_protocol(p->record));

	if (word.n == 0) {
		pairs_field(p, key, RECORD_F_PROTOCOL, max);
		return;
	}
	pairs_key(p, key);
	for (size_t i = 0; i < word.n; i++)
		*p->out++ = (char)(span_isalpha((unsigned char)word.p[i])
				       ? word.p[i] - ('a' - 'A')
				       : word.p[i]);
	pairs_mark(p, RECORD_F_PROTOCOL);
}

enum record_field
pairs_own_ip(const struct record *r)
{
	if (record_has(r, RECORD_F_LOCAL_IP))
		return RECORD_F_LOCAL_IP;
	if (record_has(r, RECORD_F_IP_ADDRESS))
		return RECORD_F_IP_ADDRESS;
	return RECORD_F_CURRENT_IP_ADDRESS;
}
