/*
 * kinds - the kinds of targets, and the keys of each in the configuration.
 */
#ifndef SEPMLOG_KINDS_H
#define SEPMLOG_KINDS_H

#include "config_schema.h"
#include "target.h"

struct kind {
	const struct target_kind *target;
	size_t options; /* bytes of its struct */
	const struct schema_key *keys;
	size_t count;
	/* What no key can check alone; may be NULL. */
	void (*check)(struct schema_loader *l, const struct node *map,
	    const void *options);
};

enum { KINDS_MAX = 16 };

extern const struct kind kinds[];
extern const size_t kinds_count;

#endif
