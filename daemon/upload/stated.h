/*
 * stated - what sepmlogd's ledger says of the files that it publishes.
 *
 * The lines of type `file` (ledger.h), which are durable before the file has
 * its name in ready/: whoever has seen the name of one that sepmlogd published
 * finds its line. They are read as they are, without the chain, which is for
 * `sepmlogctl verify`. Where a line is cannot be told from a file, which may
 * not be what it was: all are read, once.
 */
#ifndef SEPMLOG_UPLOAD_STATED_H
#define SEPMLOG_UPLOAD_STATED_H

#include <stdbool.h>

#include "ledger.h"

struct stated;

/* NULL: no memory. */
struct stated *stated_new(void);
void stated_free(struct stated *stated);

/*
 * Calls back with each line of the directory of the ledger that was not read
 * before, and once more with those of the last time (of the first time, with
 * those at its end): the file of one of them may not have had its name yet.
 * False: errno; a file that cannot be read is passed over, but for the last
 * one, which is read the next time.
 */
bool stated_read(struct stated *stated, int dir,
    void (*file)(void *arg, const struct ledger_entry *entry), void *arg);

#endif
