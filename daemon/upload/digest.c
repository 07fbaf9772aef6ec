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
digest_file(int fd, const atomic_bool *stop, struct digest *digest)
{
	struct sha256 *sha = sha256_new();
	char *piece = malloc(PIECE);
	bool ok = sha != NULL && piece != NULL;
	struct stat st;

	if (!ok) {
		errno = ENOMEM;
	} else if (fstat(fd, &st) < 0) {
		ok = false;
	} else {
		*digest =
		    (struct digest){.inode = st.st_ino, .written = st.st_mtim};
		sha256_begin(sha);
		ok = add_all(fd, stop, sha, piece, &digest->size);
		sha256_end(sha, digest->sum);
	}
	free(piece);
	sha256_free(sha);
	return ok;
}

bool
digest_is_of(const struct digest *digest, const struct stat *st)
{
	return digest->inode == st->st_ino &&
	       digest->size == (uint64_t)st->st_size &&
	       digest->written.tv_sec == st->st_mtim.tv_sec &&
	       digest->written.tv_nsec == st->st_mtim.tv_nsec;
}
