/*
 * chain - files of chained lines (ledger.h), in the order of their numbers.
 *
 *   <kind>-<instance>-<number>.jsonl
 */
#ifndef SEPMLOG_CHAIN_H
#define SEPMLOG_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sha256.h"
#include "span.h"
#include "spool/names.h"

struct chain_list {
	char (*name)[SPOOL_PATH];
	size_t n;
	/* private */
	size_t room;
	bool failed;
	const char *kind;
};

/* The names of this kind, by number: the instance in a name may have been made
 * anew. False: errno. Clear it both ways. */
bool chain_list(struct chain_list *list, int dir, const char *kind);
void chain_list_clear(struct chain_list *list);
uint64_t chain_number(const char *name);

struct chain_reader {
	/* A file begins. `next` is what the first line behind it goes on from,
	 * 32 bytes; NULL: it is the last. */
	void (*begin)(void *arg, const char *name, const uint8_t *next);
	/* Without its LF; `whole` if it had one. */
	void (*line)(void *arg, struct span line, bool whole);
	void (*end)(void *arg);
	void *arg;
};

/* Feeds all files of the kind. False: they cannot be read, errno. */
bool chain_read(int dir, const char *kind, const struct chain_reader *reader);

#endif
