#include "sepm_row.h"

#include "sepm_field.h"

/* The export's own, and what other versions and spreadsheets make of it. */
#define TIMES (TIMESTAMP_US24 | TIMESTAMP_US12 | TIMESTAMP_ISO)

struct column {
	struct span name;
	struct sepm_field read;
};

#define NAME(literal)                                                          \
	{                                                                      \
		literal, sizeof(literal) - 1                                   \
	}

/* clang-format off */
static const struct column columns_known[] = {
	{ NAME("Time Stamp"),		 { RECORD_F_TIME, SEPM_READ_TIME } },
	{ NAME("Event Type"),		 { RECORD_F_EVENT_TYPE, SEPM_READ_TEXT } },
	{ NAME("Event Time"),		 { RECORD_F_EVENT_TIME, SEPM_READ_TIME } },
	{ NAME("Severity"),		 { RECORD_F_SEVERITY, SEPM_READ_SEVERITY } },
	{ NAME("Host Name"),		 { RECORD_F_HOST, SEPM_READ_TEXT } },
	{ NAME("Current IP Address"),	 { RECORD_F_CURRENT_IP_ADDRESS, SEPM_READ_IP } },
	{ NAME("Historical IP Address"), { RECORD_F_LOCAL_IP, SEPM_READ_IP } },
	{ NAME("Remote Host IP"),	 { RECORD_F_REMOTE_IP, SEPM_READ_IP } },
	{ NAME("Remote Host Name"),	 { RECORD_F_REMOTE_NAME, SEPM_READ_TEXT } },
	{ NAME("Network Protocol"),	 { RECORD_F_PROTOCOL, SEPM_READ_PROTOCOL } },
	{ NAME("Local Port"),		 { RECORD_F_LOCAL_PORT, SEPM_READ_PORT } },
	{ NAME("Remote Port"),		 { RECORD_F_REMOTE_PORT, SEPM_READ_PORT } },
	{ NAME("Traffic Direction"),	 { RECORD_F_DIRECTION, SEPM_READ_DIRECTION } },
	{ NAME("Application Name"),	 { RECORD_F_APPLICATION, SEPM_READ_TEXT } },
	{ NAME("Begin Time"),		 { RECORD_F_BEGIN, SEPM_READ_TIME } },
	{ NAME("End Time"),		 { RECORD_F_END, SEPM_READ_TIME } },
	{ NAME("Repetition"),		 { RECORD_F_OCCURRENCES, SEPM_READ_COUNT } },
	{ NAME("ACTION"),		 { RECORD_F_ACTION, SEPM_READ_ACTION } },
	{ NAME("Rule Name"),		 { RECORD_F_RULE, SEPM_READ_TEXT } },
	{ NAME("Alert"),		 { RECORD_F_ALERT, SEPM_READ_TEXT } },
	{ NAME("Send Snmp Trap"),	 { RECORD_F_SEND_SNMP_TRAP, SEPM_READ_TEXT } },
	{ NAME("Local Host Mac"),	 { RECORD_F_LOCAL_MAC, SEPM_READ_MAC } },
	{ NAME("Remote Host Mac"),	 { RECORD_F_REMOTE_MAC, SEPM_READ_MAC } },
	{ NAME("Hardware Key"),		 { RECORD_F_HARDWARE_KEY, SEPM_READ_TEXT } },
	{ NAME("Location Name"),	 { RECORD_F_LOCATION, SEPM_READ_TEXT } },
	{ NAME("User Name"),		 { RECORD_F_USER, SEPM_READ_TEXT } },
	{ NAME("Domain Name"),		 { RECORD_F_DOMAIN_NAME, SEPM_READ_TEXT } },
	{ NAME("Site Name"),		 { RECORD_F_SITE_NAME, SEPM_READ_TEXT } },
	{ NAME("Server Name"),		 { RECORD_F_SERVER_NAME, SEPM_READ_TEXT } },
	{ NAME("Group Name"),		 { RECORD_F_GROUP_NAME, SEPM_READ_TEXT } },
	{ NAME("Computer Name"),	 { RECORD_F_COMPUTER_NAME, SEPM_READ_TEXT } },
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

static bool
read_cell(const struct sepm_context *context, const struct column *column,
    struct span name, struct span text, struct sepm_ports *ports,
    struct record *r)
{
	enum record_field f = column->read.field;

	if (record_has(r, f) || sepm_field_read(context, &column->read, TIMES,
				    text, r) == SEPM_WRONG)
		return false;
	sepm_ports_note(ports, f, name, text);
	return true;
}

const char *
sepm_row(const struct span *columns, const struct span *cells, size_t count,
    const struct sepm_context *context, struct record *r)
{
	struct sepm_ports ports;
	bool any = false;

	r->type = RECORD_TRAFFIC;
	for (size_t i = 0; i < count; i++) {
		struct span name = span_trim(columns[i]);
		struct span text = span_trim(cells[i]);
		const struct column *column = find_column(name);
		bool known = column != NULL &&
			     read_cell(context, column, name, text, &ports, r);

		any = any || text.n > 0;
		if (!known)
			record_add_extra(r, name, text);
		if (text.n > 0)
			sepm_explain(context, cells[i],
			    known ? record_field_info[column->read.field].key
				  : SPAN("extra"),
			    known
				? "by the name of its column"
				: "an unknown column, or no value of its kind");
	}
	sepm_settle_ports(context, &ports, r);
	return any ? NULL : "a row of empty cells";
}
