/*
 * digest - the SHA-256 of a file that is read to its end.
 */
#ifndef SEPMLOG_UPLOAD_DIGEST_H
#define SEPMLOG_UPLOAD_DIGEST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "sha256.h"

/* False: errno; ECANCELED if *stop was set. */
bool digest_file(
    int fd, const atomic_bool *stop, uint8_t sum[SHA256_SIZE], uint64_t *size);

#endif
