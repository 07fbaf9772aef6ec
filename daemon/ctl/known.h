/*
 * known - the events that have come another way.
 *
 * Reads the event_key of every record in files of JSON lines (also packed, see
 * reader.h) and counts them: two events can have the same key, so a source has
 * a new event only where it has a key more often. Streams may hold the same
 * records: each is counted by itself, and the stream that has a key most often
 * counts; so do files that are none of a stream, all together. A file of
 * ready/ that is found twice is read once. Records that themselves came from a
 * file are not counted, but where the caller wants them.
 *
 *   known_add, known_add_spool: what is to be read; then known_read
 */
#ifndef SEPMLOG_KNOWN_H
#define SEPMLOG_KNOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "span.h"

enum {
	KNOWN_MAX = 20000000, /* different keys, of 32 to 86 bytes each */
	KNOWN_FILES = 1000000,
};

struct known;

/* NULL: no memory. */
struct known *known_new(void);
void known_free(struct known *known);

/* A file, or all files below a directory whose names have `.jsonl` in them;
 * there, nothing of what may be thrown away yet: files of live/, of
 * quarantine/ and of another writer's spool. False: `why` (of `size` bytes)
 * says why, and what to do. */
bool known_add(struct known *known, const char *path, char *why, size_t size);
/* The files of a spool's ready/ and its live segments, which are made durable
 * first; as of one moment, the daemon may run. False: as before. */
bool known_add_spool(
    struct known *known, const char *spool, char *why, size_t size);
/* Is this file of ready/ (packed or not) among what was added? In any order
 * with known_read. */
bool known_has_file(struct known *known, struct span name);

/* Reads all that was added, once; `imported` counts records from files, too.
 * False: as before. */
bool known_read(struct known *known, bool imported, char *why, size_t size);
/* Records without a key: nothing can be compared with them. */
uint64_t known_without_key(const struct known *known);

/* Was there one more event with this key? It is there no more. */
bool known_take(struct known *known, struct span key);

uint64_t known_count(const struct known *known);

#endif
