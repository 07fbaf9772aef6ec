/*
 * known - the events that have come another way.
 *
 * Reads the event_key of every record in files of JSON lines (also packed, see
 * reader.h) and counts them: two events can have the same key, so a source has
 * a new event only where it has a key more often. Records that themselves came
 * from a file are not counted.
 */
#ifndef SEPMLOG_KNOWN_H
#define SEPMLOG_KNOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "span.h"

enum { KNOWN_MAX = 20000000 }; /* different keys, of 24 to 64 bytes each */

struct known;

/* NULL: no memory. */
struct known *known_new(void);
void known_free(struct known *known);

/* Adds the records of a file, or of all files below a directory whose names
 * have `.jsonl` in them. False: `why` says why, and what to do. */
bool known_add(struct known *known, const char *path, char *why, size_t size);

/* Was there one more event with this key? It is there no more. */
bool known_take(struct known *known, struct span key);

uint64_t known_count(const struct known *known);

#endif
