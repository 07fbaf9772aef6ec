/*
 * preset - what the systems that take files have published about them.
 *
 * The rules are of the descriptions that anyone can read; only the system
 * itself can say that it takes a file.
 */
#ifndef SEPMLOG_PRESET_H
#define SEPMLOG_PRESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "encode.h"

/* What is looked for in a record. */
enum preset_shape { PRESET_SYSLOG, PRESET_CSV, PRESET_CEF, PRESET_ECS };

/* A bit set: how a file may be packed. */
enum preset_packing {
	PRESET_PLAIN = 1,
	PRESET_GZIP = 2,
	PRESET_ZIP = 4, /* with one file in it */
};

struct preset {
	const char *name; /* `cloudsoc-csv` */
	enum preset_shape shape;
	enum encode_format format; /* of the stream */
	unsigned packing;          /* enum preset_packing */
	uint64_t most; /* bytes of the file as it is; 0: not known */
	unsigned days; /* older events are left out there; 0: not known */
	bool user;     /* a user name is required */
};

enum { PRESETS = 9 };

extern const struct preset presets[PRESETS];

/* NULL: there is none of this name. */
const struct preset *preset_find(struct span name);

#endif
