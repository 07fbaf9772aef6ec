#include "sepm_row.h"

#include "sepm_table.h"

/* The export's own, and what other versions and spreadsheets make of it. */
#define TIMES (TIMESTAMP_US24 | TIMESTAMP_US12 | TIMESTAMP_ISO)

#define NAME(literal)                                                          \
	{                                                                      \
		literal, sizeof(literal) - 1                                   \
	}

/* clang-format off */
static const struct sepm_column columns[] = {
	{ NAME("Time Stamp"),		 RECORD_F_TIME, SEPM_READ_TIME },
	{ NAME("Event Type"),		 RECORD_F_EVENT_TYPE, SEPM_READ_TEXT },
	{ NAME("Event Time"),		 RECORD_F_EVENT_TIME, SEPM_READ_TIME },
	{ NAME("Severity"),		 RECORD_F_SEVERITY, SEPM_READ_SEVERITY },
	{ NAME("Host Name"),		 RECORD_F_HOST, SEPM_READ_TEXT },
	{ NAME("Current IP Address"),	 RECORD_F_CURRENT_IP_ADDRESS, SEPM_READ_IP },
	{ NAME("Historical IP Address"), RECORD_F_LOCAL_IP, SEPM_READ_IP },
	{ NAME("Remote Host IP"),	 RECORD_F_REMOTE_IP, SEPM_READ_IP },
	{ NAME("Remote Host Name"),	 RECORD_F_REMOTE_NAME, SEPM_READ_TEXT },
	{ NAME("Network Protocol"),	 RECORD_F_PROTOCOL, SEPM_READ_PROTOCOL },
	{ NAME("Local Port"),		 RECORD_F_LOCAL_PORT, SEPM_READ_PORT },
	{ NAME("Remote Port"),		 RECORD_F_REMOTE_PORT, SEPM_READ_PORT },
	{ NAME("Traffic Direction"),	 RECORD_F_DIRECTION, SEPM_READ_DIRECTION },
	{ NAME("Application Name"),	 RECORD_F_APPLICATION, SEPM_READ_TEXT },
	{ NAME("Begin Time"),		 RECORD_F_BEGIN, SEPM_READ_TIME },
	{ NAME("End Time"),		 RECORD_F_END, SEPM_READ_TIME },
	{ NAME("Repetition"),		 RECORD_F_OCCURRENCES, SEPM_READ_COUNT },
	{ NAME("ACTION"),		 RECORD_F_ACTION, SEPM_READ_ACTION },
	{ NAME("Rule Name"),		 RECORD_F_RULE, SEPM_READ_TEXT },
	{ NAME("Alert"),		 RECORD_F_ALERT, SEPM_READ_TEXT },
	{ NAME("Send Snmp Trap"),	 RECORD_F_SEND_SNMP_TRAP, SEPM_READ_TEXT },
	{ NAME("Local Host Mac"),	 RECORD_F_LOCAL_MAC, SEPM_READ_MAC },
	{ NAME("Remote Host Mac"),	 RECORD_F_REMOTE_MAC, SEPM_READ_MAC },
	{ NAME("Hardware Key"),		 RECORD_F_HARDWARE_KEY, SEPM_READ_TEXT },
	{ NAME("Location Name"),	 RECORD_F_LOCATION, SEPM_READ_TEXT },
	{ NAME("User Name"),		 RECORD_F_USER, SEPM_READ_TEXT },
	{ NAME("Domain Name"),		 RECORD_F_DOMAIN_NAME, SEPM_READ_TEXT },
	{ NAME("Site Name"),		 RECORD_F_SITE_NAME, SEPM_READ_TEXT },
	{ NAME("Server Name"),		 RECORD_F_SERVER_NAME, SEPM_READ_TEXT },
	{ NAME("Group Name"),		 RECORD_F_GROUP_NAME, SEPM_READ_TEXT },
	{ NAME("Computer Name"),	 RECORD_F_COMPUTER_NAME, SEPM_READ_TEXT },
};
/* clang-format on */

/* Of columns with the same name the first one counts. */
static enum sepm_value
read_cell(const struct sepm_context *context, const struct sepm_column *column,
    struct span text, struct sepm_cells *cells, struct record *r)
{
	struct sepm_field field = {
	    column->field, (enum sepm_reader)column->reader};

	(void)cells;
	if (record_has(r, column->field))
		return SEPM_WRONG;
	return sepm_field_read(context, &field, TIMES, text, r);
}

static const struct sepm_table export = {
    columns, sizeof(columns) / sizeof(columns[0]), read_cell};

bool
sepm_row_is_header(const struct span *names, size_t count)
{
	return sepm_table_is_header(&export, names, count);
}

bool
sepm_row_knows(struct span name, size_t guess)
{
	return sepm_table_find(&export, name, guess) != NULL;
}

const char *
sepm_row(const struct span *names, const struct span *cells, size_t count,
    const struct sepm_context *context, struct record *r)
{
	return sepm_table_row(&export, names, cells, count, context, r);
}
