/*
 * shim - lets the Nth call of the C library that a running daemon makes fail,
 * or ends the daemon there. For LD_PRELOAD, and only in tests.
 *
 * A page that is shared with the test (the file named in FAULTS_PAGE; its
 * layout is in shim.py, too) says which call, when and how, and takes what was
 * seen: calls, hits, and for each file how far a sync has confirmed it. That
 * survives a kill. A sync that fails, by injection or by the kernel, marks its
 * file as poisoned: to write to it or to sync it again is counted as misuse,
 * since the kernel calls the lost pages clean and a second sync would lie.
 *
 * Standard input, output and error are left alone, and of reads and writes all
 * but those of regular files.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* In the order of shim.py. The first DISK_CALLS are calls of the spool. */
enum call {
	CALL_WRITE,
	CALL_READ,
	CALL_OPENAT,
	CALL_FDATASYNC,
	CALL_FSYNC,
	CALL_FTRUNCATE,
	CALL_LINKAT,
	CALL_RENAMEAT,
	CALL_RENAMEAT2,
	CALL_UNLINKAT,
	CALL_MKDIRAT,
	CALL_FCHMOD,
	CALL_FSTATAT,
	CALL_FSTATVFS,
	CALL_READDIR,
	DISK_CALLS,
	CALL_MEMORY = DISK_CALLS,
	CALL_EVENTFD,
	CALL_ACCEPT4,
	CALL_RECVMMSG,
	CALL_RECV,
	CALL_EPOLL_CTL,
	CALL_SOCKET,
	CALLS,
	CALL_ANY_DISK = 100,
	CALL_CHANGES, /* what a read-only file system refuses */
};

enum action { FAIL, KILL, SHORT };

enum { FILES = 1024, MAGIC = 0x46415554 };

struct file {
	_Atomic uint64_t inode;
	_Atomic uint64_t confirmed; /* bytes that a sync has confirmed */
	_Atomic uint64_t poisoned;
};

struct page {
	_Atomic uint32_t armed; /* MAGIC; set last */
	uint32_t call, action, for_good;
	int32_t error;
	uint32_t part; /* bytes of a short write that are done */
	uint64_t nth;  /* from 1 */
	_Atomic uint64_t seen, hits, misuse, failed_syncs;
	_Atomic uint64_t calls[32];
	struct file files[FILES];
};

static struct page *page;

/* What glibc calls itself: dlsym needs memory before it can find any. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);

/* The next definition of a function: the C library's. */
#define REAL(name)                                                             \
	static __typeof__(name) *real;                                         \
	if (real == NULL)                                                      \
	real = (__typeof__(name) *)(uintptr_t)dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void
shim_init(void)
{
	const char *path = getenv("FAULTS_PAGE");
	void *shared;
	int fd;

	if (path == NULL || (fd = open(path, O_RDWR | O_CLOEXEC)) < 0)
		return;
	shared =
	    mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (shared != MAP_FAILED)
		page = shared;
}

/* An openat that changes nothing is told from others where it is called. */
static bool
is_change(enum call call)
{
	switch (call) {
	case CALL_WRITE:
	case CALL_OPENAT:
	case CALL_FTRUNCATE:
	case CALL_LINKAT:
	case CALL_RENAMEAT:
	case CALL_RENAMEAT2:
	case CALL_UNLINKAT:
	case CALL_MKDIRAT:
	case CALL_FCHMOD:
		return true;
	default:
		return false;
	}
}

static bool
is_chosen(enum call call)
{
	return page->call == call ||
	       (page->call == CALL_ANY_DISK && call < DISK_CALLS) ||
	       (page->call == CALL_CHANGES && is_change(call));
}

/* Whether this call is to fail; errno is set then. */
static bool
is_hit(enum call call)
{
	uint64_t n;

	if (page == NULL)
		return false;
	atomic_fetch_add(&page->calls[call], 1);
	if (atomic_load(&page->armed) != MAGIC || !is_chosen(call))
		return false;
	n = atomic_fetch_add(&page->seen, 1) + 1;
	if (n < page->nth || (n > page->nth && !page->for_good))
		return false;
	atomic_fetch_add(&page->hits, 1);
	if (page->action == KILL) {
		kill(getpid(), SIGKILL);
		for (;;)
			pause();
	}
	errno = page->error;
	return true;
}

/* --- files --- */

static bool
is_file(int fd, struct stat *st)
{
	int saved = errno;
	bool file = fd > 2 && fstat(fd, st) == 0 && S_ISREG(st->st_mode);

	errno = saved;
	return file;
}

static struct file *
file_of(uint64_t inode)
{
	struct file *file;
	uint64_t none;

	for (size_t i = 0; i < FILES; i++) {
		file = &page->files[(inode + i) % FILES];
		none = 0;
		if (atomic_load(&file->inode) == inode ||
		    atomic_compare_exchange_strong(&file->inode, &none, inode))
			return file;
		if (none == inode)
			return file;
	}
	return NULL;
}

static void
note_created(int fd)
{
	struct file *file;
	struct stat st;

	if (page == NULL || !is_file(fd, &st) || st.st_size > 0 ||
	    (file = file_of(st.st_ino)) == NULL)
		return;
	atomic_store(&file->confirmed, 0);
	atomic_store(&file->poisoned, 0);
}

static void
note_use(const struct stat *st)
{
	struct file *file = file_of(st->st_ino);

	if (file != NULL && atomic_load(&file->poisoned))
		atomic_fetch_add(&page->misuse, 1);
}

static void
note_sync(const struct stat *before, int result)
{
	struct file *file = file_of(before->st_ino);

	if (result < 0)
		atomic_fetch_add(&page->failed_syncs, 1);
	if (file == NULL)
		return;
	if (result < 0)
		atomic_store(&file->poisoned, 1);
	else if (!atomic_load(&file->poisoned))
		atomic_store(&file->confirmed, (uint64_t)before->st_size);
}

static int
sync_file(int fd, enum call call, int (*real)(int))
{
	struct stat st;
	bool file = page != NULL && is_file(fd, &st);
	int result, saved;

	if (file)
		note_use(&st);
	result = is_hit(call) ? -1 : real(fd);
	saved = errno;
	if (file)
		note_sync(&st, result);
	errno = saved;
	return result;
}

int
fdatasync(int fd)
{
	REAL(fdatasync);
	return sync_file(fd, CALL_FDATASYNC, real);
}

int
fsync(int fd)
{
	REAL(fsync);
	return sync_file(fd, CALL_FSYNC, real);
}

ssize_t
write(int fd, const void *data, size_t n)
{
	struct stat st;

	REAL(write);
	if (page == NULL || !is_file(fd, &st))
		return real(fd, data, n);
	note_use(&st);
	if (!is_hit(CALL_WRITE))
		return real(fd, data, n);
	if (page->action == SHORT)
		return real(fd, data, n < page->part ? n : page->part);
	return -1;
}

ssize_t
read(int fd, void *data, size_t n)
{
	struct stat st;

	REAL(read);
	if (page != NULL && is_file(fd, &st) && is_hit(CALL_READ))
		return -1;
	return real(fd, data, n);
}

ssize_t
pread(int fd, void *data, size_t n, off_t at)
{
	struct stat st;

	REAL(pread);
	if (page != NULL && is_file(fd, &st) && is_hit(CALL_READ))
		return -1;
	return real(fd, data, n, at);
}

ssize_t pread64(int fd, void *data, size_t n, off_t at);
ssize_t
pread64(int fd, void *data, size_t n, off_t at)
{
	return pread(fd, data, n, at);
}

int
openat(int dir, const char *name, int flags, ...)
{
	bool reads = (flags & (O_ACCMODE | O_CREAT)) == O_RDONLY;
	mode_t mode = 0;
	va_list args;
	int fd;

	REAL(openat);
	if (flags & (O_CREAT | O_TMPFILE)) {
		va_start(args, flags);
		mode = va_arg(args, mode_t);
		va_end(args);
	}
	if (!(page != NULL && page->call == CALL_CHANGES && reads) &&
	    is_hit(CALL_OPENAT))
		return -1;
	fd = real(dir, name, flags, mode);
	if (fd >= 0 && (flags & O_CREAT))
		note_created(fd);
	return fd;
}

int openat64(int dir, const char *name, int flags, ...);
int
openat64(int dir, const char *name, int flags, ...)
{
	mode_t mode = 0;
	va_list args;

	if (flags & (O_CREAT | O_TMPFILE)) {
		va_start(args, flags);
		mode = va_arg(args, mode_t);
		va_end(args);
	}
	return openat(dir, name, flags, mode);
}

/* What openat without a mode is with _FORTIFY_SOURCE. */
int __openat_2(int dir, const char *name, int flags);
int
__openat_2(int dir, const char *name, int flags)
{
	return openat(dir, name, flags);
}

int __openat64_2(int dir, const char *name, int flags);
int
__openat64_2(int dir, const char *name, int flags)
{
	return openat(dir, name, flags);
}

/* --- calls that just fail --- */

/* clang-format off */
#define PLAIN(type, name, call, failure, parameters, arguments)                \
	type name parameters                                                   \
	{                                                                      \
		REAL(name);                                                    \
		return is_hit(call) ? failure : real arguments;                \
	}

PLAIN(int, ftruncate, CALL_FTRUNCATE, -1, (int fd, off_t n), (fd, n))
PLAIN(int, ftruncate64, CALL_FTRUNCATE, -1, (int fd, off64_t n), (fd, n))
PLAIN(int, linkat, CALL_LINKAT, -1,
    (int a, const char *from, int b, const char *to, int flags),
    (a, from, b, to, flags))
PLAIN(int, renameat, CALL_RENAMEAT, -1,
    (int a, const char *from, int b, const char *to), (a, from, b, to))
PLAIN(int, renameat2, CALL_RENAMEAT2, -1,
    (int a, const char *from, int b, const char *to, unsigned int flags),
    (a, from, b, to, flags))
PLAIN(int, unlinkat, CALL_UNLINKAT, -1,
    (int dir, const char *name, int flags), (dir, name, flags))
PLAIN(int, mkdirat, CALL_MKDIRAT, -1,
    (int dir, const char *name, mode_t mode), (dir, name, mode))
PLAIN(int, fchmod, CALL_FCHMOD, -1, (int fd, mode_t mode), (fd, mode))
PLAIN(int, fstatat, CALL_FSTATAT, -1,
    (int dir, const char *restrict name, struct stat *restrict st, int flags),
    (dir, name, st, flags))
PLAIN(int, fstatat64, CALL_FSTATAT, -1,
    (int dir, const char *restrict name, struct stat64 *restrict st,
    int flags), (dir, name, st, flags))
PLAIN(int, fstatvfs, CALL_FSTATVFS, -1, (int fd, struct statvfs *st),
    (fd, st))
PLAIN(int, fstatvfs64, CALL_FSTATVFS, -1, (int fd, struct statvfs64 *st),
    (fd, st))
PLAIN(struct dirent *, readdir, CALL_READDIR, NULL, (DIR *dir), (dir))
PLAIN(struct dirent64 *, readdir64, CALL_READDIR, NULL, (DIR *dir), (dir))
PLAIN(int, eventfd, CALL_EVENTFD, -1, (unsigned int n, int flags), (n, flags))
PLAIN(int, accept4, CALL_ACCEPT4, -1,
    (int fd, struct sockaddr *restrict from, socklen_t *restrict n,
    int flags), (fd, from, n, flags))
PLAIN(int, recvmmsg, CALL_RECVMMSG, -1,
    (int fd, struct mmsghdr *messages, unsigned int n, int flags,
    struct timespec *until), (fd, messages, n, flags, until))
PLAIN(ssize_t, recv, CALL_RECV, -1, (int fd, void *data, size_t n, int flags),
    (fd, data, n, flags))
PLAIN(int, epoll_ctl, CALL_EPOLL_CTL, -1,
    (int set, int what, int fd, struct epoll_event *event),
    (set, what, fd, event))
PLAIN(int, socket, CALL_SOCKET, -1, (int domain, int type, int protocol),
    (domain, type, protocol))
/* clang-format on */

/* --- memory --- */

void *
malloc(size_t size)
{
	return is_hit(CALL_MEMORY) ? NULL : __libc_malloc(size);
}

void *
calloc(size_t n, size_t size)
{
	return is_hit(CALL_MEMORY) ? NULL : __libc_calloc(n, size);
}

void *
realloc(void *p, size_t size)
{
	return is_hit(CALL_MEMORY) ? NULL : __libc_realloc(p, size);
}
