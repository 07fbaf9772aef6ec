#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "file.h"

enum { FILE_FIRST_READ = 16 * 1024 };

/* Until the end of the file or `size` bytes; the count, or -1. */
static ssize_t
read_up_to(int fd, char *bytes, size_t size)
{
	size_t n = 0;
	ssize_t got;

	while (n < size) {
		got = read(fd, bytes + n, size - n);
		if (got == 0)
			break;
		if (got > 0)
			n += (size_t)got;
		else if (errno != EINTR)
			return -1;
	}
	return (ssize_t)n;
}

/* The size of a pipe is not known before its end: the room doubles. */
static char *
read_all(int fd, size_t max, size_t *n)
{
	size_t size = 0;
	char *bytes = NULL, *more;
	ssize_t got;

	*n = 0;
	do {
		size = size == 0 ? FILE_FIRST_READ : 2 * size;
		more = realloc(bytes, size);
		if (!more)
			goto fail;
		bytes = more;
		got = read_up_to(fd, bytes + *n, size - *n);
		if (got < 0)
			goto fail;
		*n += (size_t)got;
	} while (*n == size && *n <= max);
	if (*n <= max)
		return bytes;
	errno = EFBIG;
fail:
	free(bytes);
	return NULL;
}

char *
file_read(const char *path, size_t max, size_t *n)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char *bytes;
	int error;

	if (fd < 0)
		return NULL;
	bytes = read_all(fd, max, n);
	error = errno;
	close(fd);
	errno = error;
	return bytes;
}
