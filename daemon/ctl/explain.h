/*
 * explain - draws a message with its fields marked, for people.
 */
#ifndef SEPMLOG_EXPLAIN_H
#define SEPMLOG_EXPLAIN_H

#include <stdint.h>
#include <stdio.h>

#include "parser.h"

struct explain;

/* Listens to what `parser` finds. NULL: no memory. */
struct explain *explain_new(struct parser *parser);
void explain_free(struct explain *explain);

/* Prints the message that was parsed into *record, which came from line
 * `line`, and forgets it. */
void explain_print(struct explain *explain, const struct record *record,
    uint64_t line, FILE *to);

#endif
