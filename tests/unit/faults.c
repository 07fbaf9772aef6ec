#include <dirent.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "faults.h"

struct faults faults;

/* Held open, so that their inode numbers are not used again. */
enum { POISONED_MAX = 4096 };
static int poisoned[POISONED_MAX];
static size_t poisoned_n;

/* How much of each file was synced. */
enum { SYNCED_MAX = 256, PAGE = 4096 };
static struct {
	ino_t inode;
	off_t size;
} synced[SYNCED_MAX];
static size_t synced_n;
static bool lossy, linkless;

static off_t *
synced_size(ino_t inode)
{
	size_t i;

	for (i = 0; i < synced_n; i++)
		if (synced[i].inode == inode)
			return &synced[i].size;
	i = synced_n < SYNCED_MAX ? synced_n++ : inode % SYNCED_MAX;
	synced[i].inode = inode;
	synced[i].size = 0;
	return &synced[i].size;
}

int __real_fstat(int fd, struct stat *st);

static void
remember_sync(int fd)
{
	struct stat st;

	if (__real_fstat(fd, &st) == 0)
		*synced_size(st.st_ino) = st.st_size;
}

static void
lose_pages(int fd)
{
	static const char zeros[PAGE];
	char path[64];
	struct stat st;
	off_t at;
	int again;

	/* opened again, since pwrite appends to what was opened to append */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_WRONLY | O_CLOEXEC);
	if (again < 0 || __real_fstat(fd, &st) < 0)
		abort();
	for (at = *synced_size(st.st_ino) / PAGE * PAGE; at < st.st_size;
	     at += PAGE)
		if (pwrite(again, zeros,
			(size_t)(st.st_size - at < PAGE ? st.st_size - at
							: PAGE),
			at) < 0)
			abort();
	close(again);
}

void
faults_lossy(void)
{
	lossy = true;
}

void
faults_linkless(void)
{
	linkless = true;
}

void
faults_arm(
    enum fault_call call, long nth, bool for_good, int error, size_t part)
{
	faults = (struct faults){.call = call,
	    .nth = nth,
	    .for_good = for_good,
	    .error = error,
	    .part = part,
	    .misuse = faults.misuse};
}

void
faults_disarm(void)
{
	faults.nth = 0;
}

void
faults_clear(void)
{
	while (poisoned_n > 0)
		close(poisoned[--poisoned_n]);
	memset(&faults, 0, sizeof(faults));
	lossy = linkless = false;
	synced_n = 0;
}

/* Of the calls under FAULTS_NONE. */
enum { WAYS_MAX = 8192, STACK_MAX = 32 };
static uint64_t ways[WAYS_MAX];

static void
note_way(enum fault_call call)
{
	void *stack[STACK_MAX];
	int n = backtrace(stack, STACK_MAX);
	uint64_t way = call;

	for (int i = 0; i < n; i++)
		way = (way ^ (uintptr_t)stack[i]) * UINT64_C(1099511628211);
	if (faults.calls > WAYS_MAX)
		abort();
	ways[faults.calls - 1] = way;
}

uint64_t
faults_way(long nth)
{
	return ways[nth - 1];
}

static bool
hit(enum fault_call call)
{
	if (faults.nth == 0 ||
	    (faults.call != call &&
		(faults.call != FAULT_ANY || call == FAULT_HEAP)))
		return false;
	faults.calls++;
	if (faults.nth == FAULTS_NONE)
		note_way(call);
	if (faults.calls != faults.nth &&
	    !(faults.for_good && faults.calls > faults.nth))
		return false;
	faults.hits++;
	errno = faults.error;
	return true;
}

bool
faults_poisoned(int fd)
{
	struct stat a, b;
	size_t i;

	if (__real_fstat(fd, &a) < 0)
		return false;
	for (i = 0; i < poisoned_n; i++)
		if (__real_fstat(poisoned[i], &b) == 0 &&
		    a.st_ino == b.st_ino && a.st_dev == b.st_dev)
			return true;
	return false;
}

/* clang-format off */
#define WRAP(type, name, parameters, arguments, call, failed)		\
type __real_##name parameters;						\
type __wrap_##name parameters;						\
type __wrap_##name parameters						\
{									\
	return hit(call) ? (failed) : __real_##name arguments;		\
}

WRAP(ssize_t, pread, (int fd, void *to, size_t n, off_t at),
    (fd, to, n, at), FAULT_READ, -1)
WRAP(int, fsync, (int fd), (fd), FAULT_DIRSYNC, -1)
WRAP(int, ftruncate, (int fd, off_t n), (fd, n), FAULT_TRUNCATE, -1)
WRAP(int, renameat, (int a, const char *from, int b, const char *to),
    (a, from, b, to), FAULT_RENAME, -1)
WRAP(int, renameat2,
    (int a, const char *from, int b, const char *to, unsigned flags),
    (a, from, b, to, flags), FAULT_RENAME, -1)
WRAP(ssize_t, getrandom, (void *to, size_t n, unsigned flags),
    (to, n, flags), FAULT_RANDOM, -1)
WRAP(int, unlinkat, (int dir, const char *name, int flags),
    (dir, name, flags), FAULT_UNLINK, -1)
WRAP(int, fchmod, (int fd, mode_t mode), (fd, mode), FAULT_CHMOD, -1)
WRAP(int, mkdirat, (int dir, const char *name, mode_t mode),
    (dir, name, mode), FAULT_MKDIR, -1)
WRAP(int, fstatat, (int dir, const char *name, struct stat *st, int flags),
    (dir, name, st, flags), FAULT_STAT, -1)
WRAP(int, fstat, (int fd, struct stat *st), (fd, st), FAULT_STAT, -1)
WRAP(int, fstatvfs, (int fd, struct statvfs *st), (fd, st), FAULT_STATVFS, -1)
WRAP(struct dirent *, readdir, (DIR *list), (list), FAULT_READDIR, NULL)
WRAP(void *, malloc, (size_t size), (size), FAULT_HEAP, NULL)
WRAP(void *, calloc, (size_t count, size_t size), (count, size),
    FAULT_MEMORY, NULL)
WRAP(void *, realloc, (void *old, size_t size), (old, size), FAULT_HEAP,
    NULL)
WRAP(void *, mmap,
    (void *at, size_t n, int protection, int flags, int fd, off_t from),
    (at, n, protection, flags, fd, from), FAULT_MEMORY, MAP_FAILED)
WRAP(char *, strdup, (const char *text), (text), FAULT_MEMORY, NULL)
/* clang-format on */

int __real_linkat(int a, const char *from, int b, const char *to, int flags);
int __wrap_linkat(int a, const char *from, int b, const char *to, int flags);

int
__wrap_linkat(int a, const char *from, int b, const char *to, int flags)
{
	if (hit(FAULT_LINK))
		return -1;
	if (linkless) {
		errno = EPERM;
		return -1;
	}
	return __real_linkat(a, from, b, to, flags);
}

ssize_t __real_write(int fd, const void *from, size_t n);
ssize_t __wrap_write(int fd, const void *from, size_t n);

/* A part goes out first, if wanted; the call after that fails. */
ssize_t
__wrap_write(int fd, const void *from, size_t n)
{
	size_t part = faults.part < n ? faults.part : n - 1;

	if (faults_poisoned(fd))
		faults.misuse++;
	if (!hit(FAULT_WRITE))
		return __real_write(fd, from, n);
	if (faults.part == 0 || part == 0)
		return faults.error ? -1 : 0;
	faults.part = 0;
	if (!faults.for_good)
		faults.nth = faults.calls + 1;
	return __real_write(fd, from, part);
}

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);

int
__wrap_fdatasync(int fd)
{
	int error;

	if (faults_poisoned(fd)) {
		faults.misuse++;
		return 0; /* a lie */
	}
	if (!hit(FAULT_DATASYNC)) {
		remember_sync(fd);
		return __real_fdatasync(fd);
	}
	error = errno;
	if (lossy)
		lose_pages(fd);
	if (poisoned_n < POISONED_MAX)
		poisoned[poisoned_n++] = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	errno = error;
	return -1;
}

int __real_openat(int dir, const char *name, int flags, ...);
int __wrap_openat(int dir, const char *name, int flags, ...);

int
__wrap_openat(int dir, const char *name, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return hit(FAULT_OPEN) ? -1 : __real_openat(dir, name, flags, mode);
}

int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);

int
__wrap_fcntl(int fd, int command, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, command);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (command == F_OFD_SETLK && hit(FAULT_LOCK))
		return -1;
	if (command == F_SETFL && ((intptr_t)arg & O_DIRECT) != 0) {
		faults.direct++;
		if (hit(FAULT_DIRECT))
			return -1;
	}
	return __real_fcntl(fd, command, arg);
}
