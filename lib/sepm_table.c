#include "sepm_table.h"

const struct sepm_column *
sepm_table_find(const struct sepm_table *table, struct span name, size_t guess)
{
	if (guess < table->count &&
	    span_caseeq(table->columns[guess].name, name))
		return &table->columns[guess];
	for (size_t i = 0; i < table->count; i++)
		if (span_caseeq(table->columns[i].name, name))
			return &table->columns[i];
	return NULL;
}

bool
sepm_table_is_header(
    const struct sepm_table *table, const struct span *columns, size_t count)
{
	size_t known = 0;

	for (size_t i = 0; i < count; i++)
		known +=
		    sepm_table_find(table, span_trim(columns[i]), i) != NULL;
	return known >= 8 && known * 2 > count;
}

const char *
sepm_table_row(const struct sepm_table *table, const struct span *columns,
    const struct span *cells, size_t count, const struct sepm_context *context,
    struct record *r)
{
	struct sepm_cells state = {.rank = {0}};
	bool any = false;

	r->type = RECORD_TRAFFIC;
	for (size_t i = 0; i < count; i++) {
		struct span name = span_trim(columns[i]);
		struct span text = span_trim(cells[i]);
		const struct sepm_column *column =
		    sepm_table_find(table, name, i);
		bool known =
		    column != NULL &&
		    table->read(context, column, text, &state, r) != SEPM_WRONG;

		any = any || text.n > 0;
		if (known)
			sepm_ports_note(
			    &state.ports, column->field, name, text);
		else
			record_add_extra(r, name, text);
		sepm_explain(context, text.n > 0 ? cells[i] : text,
		    known ? record_field_info[column->field].key
			  : SPAN("extra"),
		    known ? "by the name of its column"
			  : "an unknown column, or no value of its kind");
	}
	sepm_settle_ports(context, &state.ports, r);
	return any ? NULL : "a row of empty cells";
}
