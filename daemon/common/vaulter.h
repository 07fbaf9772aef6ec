/*
 * vaulter - the files of the vault (vault.h), from what is noted for it.
 *
 *   <spool>/vault/20240630T000000Z-<8 hex digits>.vault     mode 0600
 *
 * A file is appended to until it is old or large enough, or the key changes;
 * then the next one stands for itself, so that files can be deleted by age. No
 * file is ever taken up again. Values are written before the records that have
 * their tokens, and are durable before those are (spool_set_before), unless
 * the disk does not take them: that is counted and told, and records go on.
 */
#ifndef SEPMLOG_VAULTER_H
#define SEPMLOG_VAULTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vault.h"

#define VAULTER_DIRECTORY "vault" /* in that of the spool */
#define VAULTER_SUFFIX ".vault"

struct vaulter_key {
	bool set; /* false: there is no vault */
	uint8_t public[HPKE_KEY];
	uint64_t rotate_age; /* ms */
};

struct vaulter;

/* In the directory of a spool; nothing is opened yet. NULL: no memory. */
struct vaulter *vaulter_new(const char *spool);
void vaulter_free(struct vaulter *vaulter);

/* --- who makes tokens --- */

struct vault_notes *vaulter_notes(struct vaulter *vaulter);
/* What the other side goes by from now on: what is noted later is for this key
 * alone, and all of it is noted again. */
void vaulter_use(struct vaulter *vaulter, const struct vaulter_key *key);

struct vaulter_status {
	enum vault_cause cause;          /* VAULT_BUSY: all is well */
	int error;                       /* behind it, 0 if none */
	uint64_t sealed;                 /* values in files */
	uint64_t unsealed[VAULT_CAUSES]; /* times that one had no place */
};
void vaulter_status(
    const struct vaulter *vaulter, struct vaulter_status *status);

/* --- who writes: the spool's disk side --- */

/* Writes what there is, and makes it durable when `commit`, or when little room
 * is left. */
void vaulter_work(struct vaulter *vaulter, bool commit);
/* The same, as spool_set_before wants it. */
void vaulter_before_cb(void *vaulter, bool commit);
/* As the last thing; what cannot be written is told. */
void vaulter_end(struct vaulter *vaulter);

#endif
