/*
 * life - the lines of the ledger that a process begins and ends with.
 */
#ifndef SEPMLOG_LIFE_H
#define SEPMLOG_LIFE_H

#include "span.h"
#include "spool/spool.h"

/*
 * Right after spool_open. `source` says what the records come from where that
 * is not the network (`file`, `database`); their minutes are not counted.
 */
void life_begin(struct spool *spool, const char *program, struct span source);
/* After spool_drain: all went well up to here but for what was lost: datagrams
 * and bytes of connections that were read, records that were handed over. */
void life_end(
    struct spool *spool, uint64_t datagrams, uint64_t bytes, uint64_t lines);

#endif
