/*
 * keyfile - the key that pseudonyms are made with, and those of the vault, from
 * their files.
 */
#ifndef SEPMLOG_KEYFILE_H
#define SEPMLOG_KEYFILE_H

#include "config.h"
#include "hpke.h"
#include "privacy.h"
#include "vaulter.h"

/*
 * What makes the records of private streams, for messages of at most `n`
 * bytes. The file is a regular one that others can neither read nor change;
 * line ends at its end do not count. NULL: `why` (of `size` bytes) says why,
 * without a byte of the key.
 */
struct privacy *keyfile_privacy(
    const struct config *config, size_t n, char *why, size_t size);

/* The key of the same form for whoever reads addresses back. NULL: as above,
 * with the path in place of the key's name. */
struct pseudonym *keyfile_pseudonym(
    const char *path, const char *id, char *why, size_t size);

/* The public key that values are sealed for, from a file that others cannot
 * change; none where no stream is private. False: `why` says why. */
bool keyfile_vault(const struct config *config, struct vaulter_key *key,
    char *why, size_t size);

/* The private key that belongs to it, from a file that its owner alone may
 * read; `phrase` as in hpke.h. False: `why` says why. */
bool keyfile_private(const char *path, hpke_phrase_cb *phrase, void *arg,
    uint8_t key[HPKE_KEY], char *why, size_t size);

#endif
