/*
 * syslog_header - peel what stands in front of a SEPM body.
 *
 * BSD (RFC 3164) and IETF (RFC 5424) headers, ISO stamps, a viewer's wrapper,
 * a dump file's stamp and severity word, and any stack of these that relays
 * have piled up; then SEPM's tag in its forms. Nothing has to be there: what
 * cannot be read stays in the body.
 */
#ifndef SEPMLOG_SYSLOG_HEADER_H
#define SEPMLOG_SYSLOG_HEADER_H

#include <stdbool.h>

#include "parser.h"
#include "sepm_label.h"
#include "span.h"
#include "timestamp.h"

struct syslog_header {
	int facility;              /* 0-23 of the innermost PRI; -1: none */
	int severity;              /* 0-7; -1: none */
	struct span severity_word; /* `Major` of a dump line; n == 0: none */
	bool has_stamp;
	struct timestamp stamp; /* the innermost */
	bool has_dated;
	struct timestamp dated; /* the innermost outer one with a full date */
	bool tagged;            /* SEPM's tag was there, or it is a dump line */
	struct span name_after_tag;  /* n == 0: none */
	struct span name_before_tag; /* the last word before it, or HOSTNAME */
	struct span body;            /* trimmed */
};

/*
 * Peels `text`. `explain` (may be NULL) is told of each piece.
 */
void syslog_header_peel(struct span text, const struct sepm_labels *labels,
    struct syslog_header *header, parser_explain_cb *explain, void *arg);

#endif
