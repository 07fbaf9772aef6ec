/*
 * escaped - text of anybody, piece by piece, as HTML, JSON or a terminal may
 * have it.
 *
 * What is neither printable nor a whole UTF-8 character, and what changes the
 * direction or the place of the text around it, becomes `\xNN`, a byte each.
 */
#ifndef SEPMLOG_ESCAPED_H
#define SEPMLOG_ESCAPED_H

#include "span.h"

enum escaped_for {
	ESCAPED_HTML,     /* text, and values in quotes of either kind */
	ESCAPED_QUOTED,   /* in the quotes of JSON or a label of Prometheus */
	ESCAPED_TERMINAL, /* the backslash itself stays as it is */
};

enum { ESCAPED_ROOM = 8 };

/* The next character of *text, which is not empty and goes behind it, as it
 * may stand there: in `room`, or in the text. */
struct span escaped_next(
    struct span *text, enum escaped_for where, char room[ESCAPED_ROOM]);

#endif
