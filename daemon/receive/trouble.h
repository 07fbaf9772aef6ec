/*
 * trouble - what is wrong, how that is known, and what to do about it.
 */
#ifndef SEPMLOGD_TROUBLE_H
#define SEPMLOGD_TROUBLE_H

#include <stdbool.h>

#include "show.h"

enum { TROUBLES = 20, TROUBLE_TEXT = 320 };

struct trouble {
	bool stops; /* nothing is taken or stored right now */
	char what[TROUBLE_TEXT], cure[TROUBLE_TEXT];
};

struct troubles {
	size_t count;
	struct trouble list[TROUBLES];
};

/* The gravest first. */
void trouble_find(const struct show *show, struct troubles *found);

#endif
