#include "sepm_field.h"

enum { SHA256_DIGITS = 64, MD5_DIGITS = 32, MAX_PORT = 65535 };

static const enum record_field port_field[2] = {
    RECORD_F_LOCAL_PORT, RECORD_F_REMOTE_PORT};

/*
 * A function for each reader, so that a short one does not pay for the others.
 */
typedef enum sepm_value read_fn(const struct sepm_context *context,
    unsigned times, struct span text, enum record_field f, struct record *r);

static enum sepm_value
set_text(enum sepm_value answer, struct span text, enum record_field f,
    struct record *r)
{
	if (answer == SEPM_VALUE)
		record_set_text(r, f, text);
	return answer;
}

static enum sepm_value
read_nothing(const struct sepm_context *context, unsigned times,
    struct span text, enum record_field f, struct record *r)
{
	(void)context;
	(void)times;
	(void)text;
	(void)f;
	(void)r;
	return SEPM_WRONG;
}

static enum sepm_value
read_text(const struct sepm_context *context, unsigned times, struct span text,
    enum record_field f, struct record *r)
{
	(void)context;
	(void)times;
	return set_text(SEPM_VALUE, text, f, r);
}

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
read_port(const struct sepm_context *context, unsigned times, struct span text,
    enum record_field f, struct record *r)
{
	(void)context;
	(void)times;
	return read_number(text, MAX_PORT, f, r);
}

static enum sepm_value
read_count(const struct sepm_context *context, unsigned times, struct span text,
    enum record_field f, struct record *r)
{
	(void)context;
	(void)times;
	return read_number(text, INT64_MAX, f, r);
}

static enum sepm_value
read_time(const struct sepm_context *context, unsigned times, struct span text,
    enum record_field f, struct record *r)
{
	bool twice = false;
	int64_t time;
	enum sepm_value answer =
	    sepm_read_time(text, times, &context->clock, &time, &twice);

	if (answer == SEPM_VALUE)
		record_set_time(r, f, time);
	if (twice)
		r->flags |= RECORD_TIME_AMBIGUOUS;
	return answer;
}

static enum sepm_value
read_ip(const struct sepm_context *context, unsigned times, struct span text,
    enum record_field f, struct record *r)
{
	struct span ip = {"", 0};

	(void)times;
	return set_text(sepm_read_ip(text, context->arena, &ip), ip, f, r);
}

static enum sepm_value
read_mac(const struct sepm_context *context, unsigned times, struct span text,
    enum record_field f, struct record *r)
{
	struct span mac = {"", 0};

	(void)times;
	return set_text(sepm_read_mac(text, context->arena, &mac), mac, f, r);
}

static enum sepm_value
read_sha256(const struct sepm_context *context, unsigned times,
    struct span text, enum record_field f, struct record *r)
{
	struct span hash = {"", 0};

	(void)times;
	return set_text(
	    sepm_read_hash(text, SHA256_DIGITS, context->arena, &hash), hash, f,
	    r);
}

static enum sepm_value
read_md5(const struct sepm_context *context, unsigned times, struct span text,
    enum record_field f, struct record *r)
{
	struct span hash = {"", 0};

	(void)times;
	return set_text(sepm_read_hash(text, MD5_DIGITS, context->arena, &hash),
	    hash, f, r);
}

static enum sepm_value
read_action(const struct sepm_context *context, unsigned times,
    struct span text, enum record_field f, struct record *r)
{
	(void)times;
	return set_text(SEPM_VALUE, sepm_action(text, context->arena), f, r);
}

static enum sepm_value
read_protocol(const struct sepm_context *context, unsigned times,
    struct span text, enum record_field f, struct record *r)
{
	(void)times;
	return set_text(SEPM_VALUE, sepm_protocol(text, context->arena), f, r);
}

static enum sepm_value
read_direction(const struct sepm_context *context, unsigned times,
    struct span text, enum record_field f, struct record *r)
{
	(void)times;
	return set_text(SEPM_VALUE, sepm_direction(text, context->arena), f, r);
}

static enum sepm_value
read_severity(const struct sepm_context *context, unsigned times,
    struct span text, enum record_field f, struct record *r)
{
	struct span word = sepm_severity(text);

	(void)context;
	(void)times;
	return set_text(
	    word.n > 0 || text.n == 0 ? SEPM_VALUE : SEPM_WRONG, word, f, r);
}

static read_fn *const readers[] = {
    [SEPM_READ_NOTHING] = read_nothing,
    [SEPM_READ_TEXT] = read_text,
    [SEPM_READ_IP] = read_ip,
    [SEPM_READ_MAC] = read_mac,
    [SEPM_READ_PORT] = read_port,
    [SEPM_READ_COUNT] = read_count,
    [SEPM_READ_TIME] = read_time,
    [SEPM_READ_SHA256] = read_sha256,
    [SEPM_READ_MD5] = read_md5,
    [SEPM_READ_ACTION] = read_action,
    [SEPM_READ_PROTOCOL] = read_protocol,
    [SEPM_READ_DIRECTION] = read_direction,
    [SEPM_READ_SEVERITY] = read_severity,
};

enum sepm_value
sepm_field_read(const struct sepm_context *context,
    const struct sepm_field *field, unsigned times, struct span text,
    struct record *r)
{
	return readers[field->reader](context, times, text, field->field, r);
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
