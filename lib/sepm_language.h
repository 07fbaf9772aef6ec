/*
 * sepm_language - the labels of SEPM's logs as each language writes them.
 *
 * SEPM writes labels in the language that it was installed in, and names such
 * as `SHA-256` in none. To add a language is to add a table to sepm_language.c.
 */
#ifndef SEPMLOG_SEPM_LANGUAGE_H
#define SEPMLOG_SEPM_LANGUAGE_H

#include "sepm_label.h"

struct sepm_label_row {
	struct span text; /* as SEPM writes it, without its colon */
	enum sepm_label label;
};

struct sepm_language {
	const char *tag; /* BCP 47: `en`, `fr`, `zh-Hans`, `ja` */
	const struct sepm_label_row *rows;
	size_t count;
};

enum { SEPM_LANGUAGES = 4 };

extern const struct sepm_language sepm_languages[SEPM_LANGUAGES];

#endif
