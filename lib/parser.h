/*
 * parser - a message to a record: text, header, SEPM body, in that order.
 *
 * Holds the working memory that messages are parsed in, so that no message
 * allocates. One parser per thread. Every message gives exactly one record;
 * what is not understood becomes RECORD_UNPARSED with a reason and its bytes.
 */
#ifndef SEPMLOG_PARSER_H
#define SEPMLOG_PARSER_H

#include "message.h"
#include "record.h"

struct parser;

/* Memory for messages of at most `max_message` bytes. NULL: no memory. It
 * remembers zones by their address: when zones are freed, so must it be. */
struct parser *parser_new(size_t max_message);
void parser_free(struct parser *parser);

/*
 * Fills *record, which borrows from message->bytes and the parser until the
 * next call. Only the first max_message bytes are looked at.
 */
void parser_parse(struct parser *parser, const struct message *message,
    const struct message_source *source, struct record *record);

/*
 * The same for one row of SEPM's CSV export of the traffic log or of its
 * database view, told apart by the names: cells[i] belongs to the column named
 * columns[i]; `row` is the row as it came.
 */
void parser_parse_row(struct parser *parser, const struct message *row,
    const struct span *columns, const struct span *cells, size_t count,
    const struct message_source *source, struct record *record);

/* An unparsed record of a message that its reader could not make sense of. */
void parser_reject(struct parser *parser, const struct message *message,
    const char *reason, struct record *record);

/*
 * For people (`parse --explain`): called for each piece of the message that
 * became something. `piece` points into the message (or its decoded copy);
 * `key` is a record key or a word in parentheses for what is peeled off; `why`
 * says by which rule.
 */
typedef void parser_explain_cb(
    void *arg, struct span piece, struct span key, const char *why);

/* NULL switches it off. `text` of the last message after decoding, which the
 * pieces point into, is what parser_text answers. */
void parser_explain(struct parser *parser, parser_explain_cb *cb, void *arg);
struct span parser_text(const struct parser *parser);

#endif
