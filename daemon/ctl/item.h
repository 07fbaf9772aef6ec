/*
 * item - an item of an input to a record.
 */
#ifndef SEPMLOG_ITEM_H
#define SEPMLOG_ITEM_H

#include "input.h"
#include "parser.h"

/* Lines, rows and what is broken, each in its way. `message` has the times and
 * the transport; its bytes are set here. */
void item_parse(struct parser *parser, const struct input_item *item,
    struct message *message, const struct message_source *source,
    struct record *record);

#endif
