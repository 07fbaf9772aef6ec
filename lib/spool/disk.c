#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "disk.h"

#define DISK_PIECE ((size_t)64 << 10)

bool
disk_is_full(int error)
{
	return error == ENOSPC || error == EDQUOT || error == EFBIG;
}

bool
disk_write(int fd, struct span bytes, size_t *done)
{
	size_t at = 0;
	ssize_t n = 1;

	while (at < bytes.n && n > 0) {
		n = write(fd, bytes.p + at, bytes.n - at);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n == 0)
			errno = ENOSPC;
		else if (n > 0)
			at += (size_t)n;
	}
	if (done)
		*done = at;
	return at == bytes.n;
}

bool
disk_write_direct(int fd, struct span bytes, size_t *done)
{
	int flags = fcntl(fd, F_GETFL), error;
	bool ok;

	*done = 0;
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_DIRECT) < 0)
		return false;
	ok = disk_write(fd, bytes, done);
	error = errno;
	fcntl(fd, F_SETFL, flags);
	errno = error;
	return ok;
}

bool
disk_read(int fd, uint64_t at, char *buffer, size_t size, size_t *n)
{
	ssize_t got;

	*n = 0;
	while (*n < size) {
		got = pread(fd, buffer + *n, size - *n, (off_t)(at + *n));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return false;
		if (got == 0)
			break;
		*n += (size_t)got;
	}
	return true;
}

bool
disk_copy(int from, int to, uint64_t start, uint64_t end)
{
	char piece[DISK_PIECE];
	size_t n;

	for (; start < end; start += n) {
		n = end - start < sizeof(piece) ? (size_t)(end - start)
						: sizeof(piece);
		if (!disk_read(from, start, piece, n, &n))
			return false;
		if (n == 0) {
			errno = EIO; /* shorter than it was */
			return false;
		}
		if (!disk_write(to, span_of(piece, n), NULL))
			return false;
	}
	return true;
}

int
disk_open(int dir, const char *name, struct stat *st)
{
	/* not blocking: it may be a FIFO that someone put there */
	int fd =
	    openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0) {
		if (errno == ENXIO)
			errno = ELOOP; /* a socket */
		return -1;
	}
	if (fstat(fd, st) < 0) {
		disk_close(&fd);
	} else if (!S_ISREG(st->st_mode)) {
		errno = ELOOP;
		disk_close(&fd);
	}
	return fd;
}

int
disk_temporary(int dir, const char *name)
{
	if (!disk_remove(dir, name))
		return -1;
	return openat(dir, name,
	    O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC,
	    0640);
}

/* Where the file system cannot rename without overwriting. */
static bool
disk_move_by_link(int from_dir, const char *from, int to_dir, const char *to)
{
	return linkat(from_dir, from, to_dir, to, 0) == 0 &&
	       unlinkat(from_dir, from, 0) == 0;
}

bool
disk_move(int from_dir, const char *from, int to_dir, const char *to)
{
	if (renameat2(from_dir, from, to_dir, to, RENAME_NOREPLACE) == 0)
		return true;
	if (errno != EINVAL && errno != ENOSYS)
		return false;
	return disk_move_by_link(from_dir, from, to_dir, to);
}

bool
disk_remove(int dir, const char *name)
{
	return unlinkat(dir, name, 0) == 0 || errno == ENOENT;
}

void
disk_discard(int dir, const char *name)
{
	int error = errno;

	unlinkat(dir, name, 0);
	errno = error;
}

void
disk_close(int *fd)
{
	int error = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = error;
}

static bool
disk_is_dots(const char *name)
{
	return name[0] == '.' &&
	       (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

bool
disk_list(int dir, disk_name_cb *cb, void *arg)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int error;

	if (!list) {
		disk_close(&fd);
		return false;
	}
	for (errno = 0; (entry = readdir(list)); errno = 0)
		if (!disk_is_dots(entry->d_name))
			cb(arg, entry->d_name);
	error = errno;
	closedir(list);
	errno = error;
	return error == 0;
}
