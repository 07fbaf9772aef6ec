#include "target.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "spool/disk.h"

static bool
is_still_that(const struct target_file *file)
{
	struct stat st;

	return fstat(file->fd, &st) == 0 && digest_is_of(&file->digest, &st);
}

size_t
target_read(const struct target_file *file, uint64_t at, void *bytes, size_t n)
{
	if (!disk_read(file->fd, at, bytes, n, &n))
		return 0;
	if (n == 0)
		errno = EIO; /* shorter than it was */
	if (at + n < file->size || is_still_that(file))
		return n;
	errno = ESTALE;
	return 0;
}

const char *
target_read_why(int error)
{
	return error == ESTALE
		   ? "it was changed in ready/, where files never change, or "
		     "is not what the ledger or a receipt says; move it away"
		   : strerrordesc_np(error);
}
