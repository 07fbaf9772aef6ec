#include "sepm_row.h"

enum reader {
	READ_TEXT,
	READ_IP,
	READ_PORT,
	READ_MAC,
	READ_TIME,
	READ_COUNT,
	READ_ACTION,
	READ_PROTOCOL,
	READ_DIRECTION,
	READ_SEVERITY,
};

struct column {
	struct span name;
	enum record_field field;
	enum reader reader;
};

#define NAME(literal)                                                          \
	{                                                                      \
		literal, sizeof(literal) - 1                                   \
	}

/* clang-format off */
static const struct column columns_known[] = {
	{ NAME("Time Stamp"),		 RECORD_F_TIME,		      READ_TIME },
	{ NAME("Event Type"),		 RECORD_F_EVENT_TYPE,	      READ_TEXT },
	{ NAME("Event Time"),		 RECORD_F_EVENT_TIME,	      READ_TIME },
	{ NAME("Severity"),		 RECORD_F_SEVERITY,	      READ_SEVERITY },
	{ NAME("Host Name"),		 RECORD_F_HOST,		      READ_TEXT },
	{ NAME("Current IP Address"),	 RECORD_F_CURRENT_IP_ADDRESS, READ_IP },
	{ NAME("Historical IP Address"), RECORD_F_LOCAL_IP,	      READ_IP },
	{ NAME("Remote Host IP"),	 RECORD_F_REMOTE_IP,	      READ_IP },
	{ NAME("Remote Host Name"),	 RECORD_F_REMOTE_NAME,	      READ_TEXT },
	{ NAME("Network Protocol"),	 RECORD_F_PROTOCOL,	      READ_PROTOCOL },
	{ NAME("Local Port"),		 RECORD_F_LOCAL_PORT,	      READ_PORT },
	{ NAME("Remote Port"),		 RECORD_F_REMOTE_PORT,	      READ_PORT },
	{ NAME("Traffic Direction"),	 RECORD_F_DIRECTION,	      READ_DIRECTION },
	{ NAME("Application Name"),	 RECORD_F_APPLICATION,	      READ_TEXT },
	{ NAME("Begin Time"),		 RECORD_F_BEGIN,	      READ_TIME },
	{ NAME("End Time"),		 RECORD_F_END,		      READ_TIME },
	{ NAME("Repetition"),		 RECORD_F_OCCURRENCES,	      READ_COUNT },
	{ NAME("ACTION"),		 RECORD_F_ACTION,	      READ_ACTION },
	{ NAME("Rule Name"),		 RECORD_F_RULE,		      READ_TEXT },
	{ NAME("Alert"),		 RECORD_F_ALERT,	      READ_TEXT },
	{ NAME("Send Snmp Trap"),	 RECORD_F_SEND_SNMP_TRAP,     READ_TEXT },
	{ NAME("Local Host Mac"),	 RECORD_F_LOCAL_MAC,	      READ_MAC },
	{ NAME("Remote Host Mac"),	 RECORD_F_REMOTE_MAC,	      READ_MAC },
	{ NAME("Hardware Key"),		 RECORD_F_HARDWARE_KEY,	      READ_TEXT },
	{ NAME("Location Name"),	 RECORD_F_LOCATION,	      READ_TEXT },
	{ NAME("User Name"),		 RECORD_F_USER,		      READ_TEXT },
	{ NAME("Domain Name"),		 RECORD_F_DOMAIN_NAME,	      READ_TEXT },
	{ NAME("Site Name"),		 RECORD_F_SITE_NAME,	      READ_TEXT },
	{ NAME("Server Name"),		 RECORD_F_SERVER_NAME,	      READ_TEXT },
	{ NAME("Group Name"),		 RECORD_F_GROUP_NAME,	      READ_TEXT },
	{ NAME("Computer Name"),	 RECORD_F_COMPUTER_NAME,      READ_TEXT },
};
/* clang-format on */

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const struct column *
find_column(struct span name)
{
	for (size_t i = 0; i < COUNT(columns_known); i++)
		if (span_caseeq(columns_known[i].name, name))
			return &columns_known[i];
	return NULL;
}

bool
sepm_row_is_header(const struct span *columns, size_t count)
{
	size_t known = 0;

	for (size_t i = 0; i < count; i++)
		known += find_column(span_trim(columns[i])) != NULL;
	return known >= 8 && known * 2 > count;
}

static enum sepm_value
set_span(struct record *r, enum record_field f, enum sepm_value answer,
    struct span text)
{
	if (answer == SEPM_VALUE)
		record_set_text(r, f, text);
	return answer;
}

static enum sepm_value
read_time(const struct sepm_context *context, struct record *r,
    enum record_field f, struct span text)
{
	bool twice = false;
	int64_t time;
	enum sepm_value answer = sepm_read_time(text,
	    TIMESTAMP_US24 | TIMESTAMP_US12 | TIMESTAMP_ISO, &context->clock,
	    &time, &twice);

	if (answer == SEPM_VALUE)
		record_set_time(r, f, time);
	if (twice)
		r->flags |= RECORD_TIME_AMBIGUOUS;
	return answer;
}

/* Ports keep a 0 until it is known whether they are ICMP's numbers. */
static enum sepm_value
read_number(
    struct record *r, enum record_field f, struct span text, uint64_t max)
{
	uint64_t number = 0;
	enum sepm_value answer = sepm_read_number(text, max, &number);

	if (answer == SEPM_VALUE)
		record_set_number(r, f, number);
	return answer;
}

static enum sepm_value
read_cell(const struct sepm_context *context, struct record *r,
    const struct column *column, struct span text)
{
	enum record_field f = column->field;
	struct arena *arena = context->arena;
	struct span out = {"", 0};
	enum sepm_value answer;

	switch (column->reader) {
	case READ_IP:
		answer = sepm_read_ip(text, arena, &out);
		return set_span(r, f, answer, out);
	case READ_MAC:
		answer = sepm_read_mac(text, arena, &out);
		return set_span(r, f, answer, out);
	case READ_PORT:
		return read_number(r, f, text, 65535);
	case READ_COUNT:
		return read_number(r, f, text, INT64_MAX);
	case READ_TIME:
		return read_time(context, r, f, text);
	case READ_ACTION:
		return set_span(r, f, SEPM_VALUE, sepm_action(text, arena));
	case READ_PROTOCOL:
		return set_span(r, f, SEPM_VALUE, sepm_protocol(text, arena));
	case READ_DIRECTION:
		return set_span(r, f, SEPM_VALUE, sepm_direction(text, arena));
	case READ_SEVERITY:
		out = sepm_severity(text);
		return set_span(r, f,
		    out.n > 0 || text.n == 0 ? SEPM_VALUE : SEPM_WRONG, out);
	case READ_TEXT:
		break;
	}
	return set_span(r, f, SEPM_VALUE, text);
}

static void
add_extra(struct record *r, struct span name, struct span text)
{
	if (text.n == 0 || r->extras == RECORD_MAX_EXTRA)
		return;
	r->extra[r->extras++] = (struct record_extra){name, text};
	r->present |= (uint64_t)1 << RECORD_F_EXTRA;
}

/* The two numbers of ICMP; one alone is no port, and no pair. */
static void
settle_icmp(struct record *r, const struct span *columns,
    const struct span *cells, size_t count)
{
	if (record_has(r, RECORD_F_LOCAL_PORT) &&
	    record_has(r, RECORD_F_REMOTE_PORT)) {
		r->value[RECORD_F_ICMP].pair[0] =
		    (uint32_t)r->value[RECORD_F_LOCAL_PORT].number;
		r->value[RECORD_F_ICMP].pair[1] =
		    (uint32_t)r->value[RECORD_F_REMOTE_PORT].number;
		r->present |= (uint64_t)1 << RECORD_F_ICMP;
		record_unset(r, RECORD_F_LOCAL_PORT);
		record_unset(r, RECORD_F_REMOTE_PORT);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		struct span name = span_trim(columns[i]);
		const struct column *column = find_column(name);

		if (column == NULL || column->reader != READ_PORT ||
		    !record_has(r, column->field))
			continue;
		record_unset(r, column->field);
		add_extra(r, name, span_trim(cells[i]));
	}
}

static void
drop_zero(struct record *r, enum record_field f)
{
	if (record_has(r, f) && r->value[f].number == 0)
		record_unset(r, f);
}

const char *
sepm_row(const struct span *columns, const struct span *cells, size_t count,
    const struct sepm_context *context, struct record *r)
{
	bool any = false;

	r->type = RECORD_TRAFFIC;
	for (size_t i = 0; i < count; i++) {
		struct span name = span_trim(columns[i]);
		struct span text = span_trim(cells[i]);
		const struct column *column = find_column(name);
		bool known = column != NULL && !record_has(r, column->field) &&
			     read_cell(context, r, column, text) != SEPM_WRONG;

		any = any || text.n > 0;
		if (context->explain != NULL && text.n > 0)
			context->explain(context->arg, cells[i],
			    known ? record_field_info[column->field].key
				  : SPAN("extra"),
			    known
				? "by the name of its column"
				: "an unknown column, or no value of its kind");
		if (!known)
			add_extra(r, name, text);
	}
	if (span_eq(record_text(r, RECORD_F_PROTOCOL), SPAN("icmp")))
		settle_icmp(r, columns, cells, count);
	drop_zero(r, RECORD_F_LOCAL_PORT);
	drop_zero(r, RECORD_F_REMOTE_PORT);
	return any ? NULL : "a row of empty cells";
}
