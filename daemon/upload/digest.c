#include "digest.h"

#include <errno.h>
#include <stdlib.h>

#include "spool/disk.h"

enum { PIECE = 256 * 1024 };

static bool
add_all(int fd, const atomic_bool *stop, struct sha256 *sha, char *piece,
    uint64_t *size)
{
	size_t n;

	*size = 0;
	do {
		if (atomic_load(stop)) {
			errno = ECANCELED;
			return false;
		}
		if (!disk_read(fd, *size, piece, PIECE, &n))
			return false;
		sha256_add(sha, span_of(piece, n));
		*size += n;
	} while (n == PIECE);
	return true;
}

bool
digest_file(
    int fd, const atomic_bool *stop, uint8_t sum[SHA256_SIZE], uint64_t *size)
{
	struct sha256 *sha = sha256_new();
	char *piece = malloc(PIECE);
	bool ok = sha != NULL && piece != NULL;

	if (ok) {
		sha256_begin(sha);
		ok = add_all(fd, stop, sha, piece, size);
		sha256_end(sha, sum);
	} else {
		errno = ENOMEM;
	}
	free(piece);
	sha256_free(sha);
	return ok;
}
