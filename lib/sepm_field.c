#include "sepm_field.h"

enum { SHA256_DIGITS = 64, MD5_DIGITS = 32, MAX_PORT = 65535 };

static const enum record_field port_field[2] = {
    RECORD_F_LOCAL_PORT, RECORD_F_REMOTE_PORT};

static enum sepm_value
read_number(
    struct span text, uint64_t max, enum record_field f, struct record *r)
{
	uint64_t number = 0;
	enum sepm_value answer = sepm_read_number(text, max, &number);

	if (answer == SEPM_VALUE)
		record_set_number(r, f, number);
	return answer;
}

static enum sepm_value
read_time(const struct sepm_context *context, unsigned kinds, struct span text,
    enum record_field f, struct record *r)
{
	bool twice = false;
	int64_t time;
	enum sepm_value answer =
	    sepm_read_time(text, kinds, &context->clock, &time, &twice);

	if (answer == SEPM_VALUE)
		record_set_time(r, f, time);
	if (twice)
		r->flags |= RECORD_TIME_AMBIGUOUS;
	return answer;
}

static enum sepm_value
set_text(enum sepm_value answer, struct span text, enum record_field f,
    struct record *r)
{
	if (answer == SEPM_VALUE)
		record_set_text(r, f, text);
	return answer;
}

static enum sepm_value
read_severity(struct span text, enum record_field f, struct record *r)
{
	struct span word = sepm_severity(text);

	return set_text(
	    word.n > 0 || text.n == 0 ? SEPM_VALUE : SEPM_WRONG, word, f, r);
}

enum sepm_value
sepm_field_read(const struct sepm_context *context,
    const struct sepm_field *field, unsigned times, struct span text,
    struct record *r)
{
	struct arena *arena = context->arena;
	enum record_field f = field->field;
	enum sepm_value answer = SEPM_VALUE;
	struct span out = text;

	switch (field->reader) {
	case SEPM_READ_NOTHING:
		return SEPM_WRONG;
	case SEPM_READ_TEXT:
		break;
	case SEPM_READ_PORT:
		return read_number(text, MAX_PORT, f, r);
	case SEPM_READ_COUNT:
		return read_number(text, INT64_MAX, f, r);
	case SEPM_READ_TIME:
		return read_time(context, times, text, f, r);
	case SEPM_READ_IP:
		answer = sepm_read_ip(text, arena, &out);
		break;
	case SEPM_READ_MAC:
		answer = sepm_read_mac(text, arena, &out);
		break;
	case SEPM_READ_SHA256:
		answer = sepm_read_hash(text, SHA256_DIGITS, arena, &out);
		break;
	case SEPM_READ_MD5:
		answer = sepm_read_hash(text, MD5_DIGITS, arena, &out);
		break;
	case SEPM_READ_ACTION:
		out = sepm_action(text, arena);
		break;
	case SEPM_READ_PROTOCOL:
		out = sepm_protocol(text, arena);
		break;
	case SEPM_READ_DIRECTION:
		out = sepm_direction(text, arena);
		break;
	case SEPM_READ_SEVERITY:
		return read_severity(text, f, r);
	}
	return set_text(answer, out, f, r);
}

void
sepm_ports_note(struct sepm_ports *ports, enum record_field field,
    struct span label, struct span text)
{
	for (size_t side = 0; side < 2; side++)
		if (field == port_field[side]) {
			ports->label[side] = label;
			ports->text[side] = text;
		}
}

static void
set_icmp(struct record *r)
{
	for (size_t side = 0; side < 2; side++) {
		r->value[RECORD_F_ICMP].pair[side] =
		    (uint32_t)r->value[port_field[side]].number;
		record_unset(r, port_field[side]);
	}
	record_mark(r, RECORD_F_ICMP);
}

void
sepm_settle_ports(const struct sepm_context *context,
    const struct sepm_ports *ports, struct record *r)
{
	bool icmp = span_eq(record_text(r, RECORD_F_PROTOCOL), SPAN("icmp"));

	if (icmp && record_has(r, RECORD_F_LOCAL_PORT) &&
	    record_has(r, RECORD_F_REMOTE_PORT)) {
		set_icmp(r);
		return;
	}
	for (size_t side = 0; side < 2; side++) {
		if (!record_has(r, port_field[side]))
			continue;
		if (icmp || r->value[port_field[side]].number == 0)
			record_unset(r, port_field[side]);
		if (!icmp)
			continue;
		record_add_extra(r, ports->label[side], ports->text[side]);
		sepm_explain(context, ports->text[side], SPAN("extra"),
		    "one number of ICMP alone is no port and no pair");
	}
}
