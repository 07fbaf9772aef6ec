/*
 * keyfile - the key that pseudonyms are made with, from its file.
 */
#ifndef SEPMLOG_KEYFILE_H
#define SEPMLOG_KEYFILE_H

#include "config.h"
#include "privacy.h"

/*
 * What makes the records of private streams, for messages of at most `n`
 * bytes. The file is a regular one that others can neither read nor change;
 * line ends at its end do not count. NULL: `why` (of `size` bytes) says why,
 * without a byte of the key.
 */
struct privacy *keyfile_privacy(
    const struct config *config, size_t n, char *why, size_t size);

#endif
