/*
 * digest - the SHA-256 of a file that is read to its end, and what tells that
 * it is still that file.
 */
#ifndef SEPMLOG_UPLOAD_DIGEST_H
#define SEPMLOG_UPLOAD_DIGEST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "sha256.h"

struct digest {
	uint8_t sum[SHA256_SIZE];
	uint64_t size;
	/* Of the file before it was read. */
	ino_t inode;
	struct timespec written; /* st_mtim */
	bool stated; /* by the ledger: nobody has read the file for it */
};

/* False: errno; ECANCELED if *stop was set. */
bool digest_file(int fd, const atomic_bool *stop, struct digest *digest);
/* Is it that file, and has nobody written to it since? A hard link to it, as
 * targets make them, is no change. */
bool digest_is_of(const struct digest *digest, const struct stat *st);

#endif
