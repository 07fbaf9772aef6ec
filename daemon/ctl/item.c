#include "item.h"

void
item_parse(struct parser *parser, const struct input_item *item,
    struct message *m, const struct message_source *source,
    struct record *record)
{
	m->bytes = item->bytes;
	m->length = item->length;
	if (item->broken != NULL)
		parser_reject(parser, m, item->broken, record);
	else if (item->cells > 0)
		parser_parse_row(parser, m, item->columns, item->cell,
		    item->cells, source, record);
	else
		parser_parse(parser, m, source, record);
}
