/*
 * ledgers - the ledgers of a spool, found and fed to their accounts.
 *
 * The daemon has one in <spool>/ledger/, each command that writes (import,
 * pull) one in <spool>/<name>/ledger/.
 */
#ifndef SEPMLOG_LEDGERS_H
#define SEPMLOG_LEDGERS_H

#include <stdbool.h>
#include <stddef.h>

#include "account.h"

enum { LEDGERS = 16, LEDGERS_PATH = 512 };

struct ledgers_one {
	char path[LEDGERS_PATH]; /* of its directory */
	char root[LEDGERS_PATH]; /* of live/ and ready/ beside; empty: none */
};

struct ledgers {
	size_t count;
	struct ledgers_one one[LEDGERS];
};

/* In a spool, or a directory of a ledger's files. False: `why` (of `size`
 * bytes) says that there is none. */
bool ledgers_find(
    struct ledgers *ledgers, const char *path, char *why, size_t size);

/* Feeds all files of one. False: they cannot be read, errno. */
bool ledgers_read(const struct ledgers_one *one, struct account *account);
/* Tells what its live segments hold, if it has any. False: errno. */
bool ledgers_read_live(const struct ledgers_one *one, struct account *account);
/* Bytes of all its files. */
uint64_t ledgers_size(const struct ledgers_one *one);

#endif
