/*
 * handed - which files of ready/ the uploader has dealt with, by its receipts.
 */
#ifndef SEPMLOG_HANDED_H
#define SEPMLOG_HANDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sha256.h"
#include "span.h"

enum handed_fate {
	HANDED_UNKNOWN,     /* no receipt */
	HANDED_PARTLY,      /* some of its targets have it */
	HANDED_DELIVERED,   /* all have; it was taken out of ready/ */
	HANDED_QUARANTINED, /* some refuse it: moved to upload/quarantine/ */
};

struct handed;

/* Of this spool. NULL: it has none, or errno says why not. */
struct handed *handed_open(const char *spool);
void handed_free(struct handed *handed);

/* Reads all receipts, again if they were read before. `say` gets what is wrong
 * with them, without newline. False: errno. */
bool handed_read(
    struct handed *handed, void (*say)(void *arg, const char *text), void *arg);

/* Two names may be taken for one another, once in 2^64. */
enum handed_fate handed_find(const struct handed *handed, struct span name);
/* Does a receipt say that another file than the one of this digest was
 * delivered? */
bool handed_differs(const struct handed *handed, struct span name,
    const uint8_t sum[SHA256_SIZE]);
/* When the first receipt that is kept was written, as a ledger writes times;
 * empty: there is none. */
struct span handed_since(const struct handed *handed);
uint64_t handed_lines(const struct handed *handed);

#endif
