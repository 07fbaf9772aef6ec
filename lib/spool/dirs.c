/*
 * The directories of the spool: made with tight modes, checked to be ours, and
 * opened once; every later call is relative to these descriptors. They are
 * found again when someone removed them while we run.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "disk.h"
#include "internal.h"

#define INSTANCE_FILE "instance"
#define INSTANCE_TEMPORARY "instance.tmp"
#define COPIES_MAX 100 /* of one name in quarantine/ */

static bool __attribute__((format(printf, 3, 4)))
refuse(char *why, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, size, fmt, ap);
	va_end(ap);
	return false;
}

static bool
dir_trusted(
    int fd, const char *path, const struct stat *root, char *why, size_t size)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return refuse(why, size, "%s: %s", path, strerror(errno));
	if (st.st_uid != geteuid() && st.st_uid != 0)
		return refuse(why, size,
		    "%s belongs to user %u, not to us (%u): change its owner",
		    path, (unsigned)st.st_uid, (unsigned)geteuid());
	if (st.st_mode & S_IWOTH)
		return refuse(why, size,
		    "%s is writable by everyone: chmod o-w it", path);
	if (root && st.st_dev != root->st_dev)
		return refuse(why, size,
		    "%s is on another file system than the spool: files "
		    "could not be moved in one step",
		    path);
	return true;
}

/* The umask took bits away, and the new name has to last. */
static bool
dir_finish(int fd, mode_t mode)
{
	int parent = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = parent >= 0 && fchmod(fd, mode) == 0 && fsync(parent) == 0;

	disk_close(&parent);
	return ok;
}

/* Opens `name` in `at`, made if missing; `path` is for the report. */
static int
dir_open(int at, const char *name, mode_t mode, const char *path,
    const struct stat *root, char *why, size_t size)
{
	int fd;
	bool made = mkdirat(at, name, mode) == 0;

	if (!made && errno != EEXIST) {
		refuse(why, size, "cannot make %s: %s", path, strerror(errno));
		return -1;
	}
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		refuse(why, size, "%s: %s", path,
		    errno == ELOOP || errno == ENOTDIR
			? "is not a directory; symbolic links are not followed"
			: strerror(errno));
		return -1;
	}
	if (made && !dir_finish(fd, mode)) {
		refuse(why, size, "%s: %s", path, strerror(errno));
		disk_close(&fd);
		return -1;
	}
	if (!dir_trusted(fd, path, root, why, size))
		disk_close(&fd);
	return fd;
}

static bool
same_file(int a, int b)
{
	struct stat sa, sb;

	return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 &&
	       sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

static bool
dir_gone(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_nlink == 0;
}

/* The lock belongs to the open file: it ends with the process, however. */
static bool
dirs_lock(struct dirs *dirs, struct dirs *held, char *why, size_t size)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (held && same_file(held->root, dirs->root) &&
	    !dir_gone(held->lock)) {
		dirs->lock = held->lock;
		held->lock = -1;
		return true;
	}
	dirs->lock = openat(dirs->root, "lock",
	    O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (dirs->lock < 0)
		return refuse(
		    why, size, "cannot open lock: %s", strerror(errno));
	if (fcntl(dirs->lock, F_OFD_SETLK, &lock) == 0)
		return true;
	if (errno == EAGAIN || errno == EACCES)
		return refuse(why, size,
		    "in use by another process: only one may write a spool");
	return refuse(why, size, "cannot lock: %s", strerror(errno));
}

static int
dirs_open_root(const char *path, char *why, size_t size)
{
	char *plain = strdup(path);
	size_t n = plain ? strlen(plain) : 0;
	int fd;

	if (!plain) {
		refuse(why, size, "no memory");
		return -1;
	}
	/* with a slash behind it a symbolic link would be followed */
	while (n > 1 && plain[n - 1] == '/')
		plain[--n] = '\0';
	fd = dir_open(AT_FDCWD, plain, 0750, path, NULL, why, size);
	free(plain);
	return fd;
}

bool
dirs_open(struct dirs *dirs, const char *path, struct dirs *held, char *why,
    size_t size)
{
	struct stat root;

	*dirs = (struct dirs){-1, -1, -1, -1, -1, -1};
	dirs->root = dirs_open_root(path, why, size);
	if (dirs->root < 0)
		return false;
	if (fstat(dirs->root, &root) < 0) {
		refuse(why, size, "%s: %s", path, strerror(errno));
		goto fail;
	}
	if (!dirs_lock(dirs, held, why, size))
		goto fail;
	dirs->live =
	    dir_open(dirs->root, "live", 0750, "live/", &root, why, size);
	if (dirs->live < 0)
		goto fail;
	/* No setgid bit: a sandbox forbids it, and files have our group anyhow.
	 */
	dirs->ready =
	    dir_open(dirs->root, "ready", 0770, "ready/", &root, why, size);
	if (dirs->ready < 0)
		goto fail;
	dirs->quarantine = dir_open(
	    dirs->root, "quarantine", 0700, "quarantine/", &root, why, size);
	if (dirs->quarantine < 0)
		goto fail;
	dirs->ledger =
	    dir_open(dirs->root, "ledger", 0750, "ledger/", &root, why, size);
	if (dirs->ledger < 0)
		goto fail;
	return true;
fail:
	if (held && held->lock < 0 && dirs->lock >= 0) {
		held->lock = dirs->lock;
		dirs->lock = -1;
	}
	dirs_close(dirs);
	return false;
}

void
dirs_close(struct dirs *dirs)
{
	disk_close(&dirs->ledger);
	disk_close(&dirs->quarantine);
	disk_close(&dirs->ready);
	disk_close(&dirs->live);
	disk_close(&dirs->root);
	disk_close(&dirs->lock); /* last: nothing of ours is open now */
}

int
dirs_stream(const struct dirs *dirs, const char *name, char *why, size_t size)
{
	char path[SPOOL_PATH];
	struct stat root;

	if (fstat(dirs->root, &root) < 0) {
		refuse(why, size, "%s", strerror(errno));
		return -1;
	}
	snprintf(path, sizeof(path), "live/%s/", name);
	return dir_open(dirs->live, name, 0750, path, &root, why, size);
}

/* --- the instance: 8 hex digits, made once --- */

static bool
instance_ok(struct span text)
{
	size_t i;

	if (text.n != SPOOL_INSTANCE + 1 || text.p[SPOOL_INSTANCE] != '\n')
		return false;
	for (i = 0; i < SPOOL_INSTANCE; i++)
		if (!strchr("0123456789abcdef", text.p[i]))
			return false;
	return true;
}

enum instance_state {
	INSTANCE_READ,
	INSTANCE_NONE,   /* none, or it is damaged */
	INSTANCE_FAILED, /* errno: what is in it cannot be told now */
};

/* Into `instance`, which is left alone if it is not read. */
static enum instance_state
instance_read(struct spool *spool, char instance[SPOOL_INSTANCE])
{
	char text[SPOOL_INSTANCE + 2];
	struct stat st;
	size_t n = 0;
	int fd = disk_open(spool->dirs.root, INSTANCE_FILE, &st);
	bool ok;

	if (fd < 0 && errno == ENOENT)
		return INSTANCE_NONE;
	/* others that cannot be opened are not ours */
	if (fd < 0 && errno != ELOOP && errno != EACCES)
		return INSTANCE_FAILED;
	ok = fd < 0 || disk_read(fd, 0, text, sizeof(text), &n);
	disk_close(&fd);
	if (!ok)
		return INSTANCE_FAILED;
	if (instance_ok(span_of(text, n))) {
		memcpy(instance, text, SPOOL_INSTANCE);
		return INSTANCE_READ;
	}
	spool_say(spool, SPOOL_WARNING,
	    "the file `instance` was damaged: it is made anew");
	return INSTANCE_NONE;
}

static bool
instance_write(struct spool *spool)
{
	int root = spool->dirs.root;
	int fd = disk_temporary(root, INSTANCE_TEMPORARY);
	char text[SPOOL_INSTANCE + 2];
	bool ok;

	if (fd < 0)
		return false;
	snprintf(text, sizeof(text), "%s\n", spool->instance);
	ok = disk_write(fd, span_str(text), NULL) && fsync(fd) == 0 &&
	     renameat(root, INSTANCE_TEMPORARY, root, INSTANCE_FILE) == 0 &&
	     fsync(root) == 0;
	disk_close(&fd);
	return ok;
}

bool
dirs_instance(struct spool *spool, char *why, size_t size)
{
	uint32_t random;

	switch (instance_read(spool, spool->instance)) {
	case INSTANCE_READ:
		return true;
	case INSTANCE_FAILED:
		/* with another one, what is in ready/ could come again */
		return refuse(why, size,
		    "cannot read the file `instance`: %s; start again when "
		    "the disk is in order",
		    strerror(errno));
	case INSTANCE_NONE:
		break;
	}
	if (getrandom(&random, sizeof(random), 0) < 0)
		return refuse(
		    why, size, "no random bytes: %s", strerror(errno));
	snprintf(
	    spool->instance, sizeof(spool->instance), "%08" PRIx32, random);
	if (!instance_write(spool))
		return refuse(why, size, "cannot make the file `instance`: %s",
		    strerror(errno));
	return true;
}

/* --- found again --- */

static bool
dirs_any_gone(const struct spool *spool)
{
	const struct dirs *dirs = &spool->dirs;
	const struct spool_stream *stream;

	if (dir_gone(dirs->root) || dir_gone(dirs->live) ||
	    dir_gone(dirs->ready) || dir_gone(dirs->quarantine) ||
	    dir_gone(dirs->ledger))
		return true;
	for (stream = spool->streams; stream; stream = stream->next)
		if (dir_gone(stream->dir))
			return true;
	return false;
}

static void
dirs_reopen_streams(struct spool *spool)
{
	struct spool_stream *stream;
	char why[SPOOL_PATH];
	int dir;

	for (stream = spool->streams; stream; stream = stream->next) {
		dir = dirs_stream(&spool->dirs, stream->name, why, sizeof(why));
		if (dir < 0)
			continue; /* the next look finds it missing again */
		disk_close(&stream->dir);
		stream->dir = dir;
	}
}

void
dirs_check(struct spool *spool)
{
	struct dirs again;
	char instance[SPOOL_INSTANCE];
	char why[256];

	if (!dirs_any_gone(spool))
		return;
	if (!dirs_open(
		&again, spool->directory, &spool->dirs, why, sizeof(why)))
		return; /* the streams fail and say so */
	dirs_close(&spool->dirs);
	spool->dirs = again;
	/* names and ids carry the old one: it stays */
	if (instance_read(spool, instance) != INSTANCE_READ ||
	    memcmp(instance, spool->instance, sizeof(instance)) != 0)
		instance_write(spool);
	dirs_reopen_streams(spool);
	spool_say(spool, SPOOL_WARNING,
	    "directories of the spool had been removed: made again");
}

/* --- quarantine --- */

static bool
keep_is(int dir, const char *name, int quarantine, const char *to)
{
	struct stat a, b;

	return fstatat(dir, name, &a, AT_SYMLINK_NOFOLLOW) == 0 &&
	       fstatat(quarantine, to, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static bool
keep_copy(int dir, const char *name, int quarantine, const char *to)
{
	struct stat st;
	int from = disk_open(dir, name, &st), fd;
	bool ok;

	if (from < 0)
		return false;
	fd = openat(quarantine, to,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	ok = fd >= 0 && disk_copy(from, fd, 0, (uint64_t)st.st_size) &&
	     fsync(fd) == 0;
	if (fd >= 0 && !ok)
		disk_discard(quarantine, to);
	disk_close(&fd);
	disk_close(&from);
	return ok;
}

/* By a link, which needs no space, or a copy. EEXIST: the name is taken. */
static bool
keep_either(int dir, const char *name, int quarantine, const char *to)
{
	if (linkat(dir, name, quarantine, to, 0) == 0)
		return true;
	if (errno != EEXIST)
		return keep_copy(dir, name, quarantine, to);
	if (keep_is(dir, name, quarantine, to))
		return true; /* an earlier attempt came as far as this */
	errno = EEXIST;
	return false;
}

typedef bool keep_fn(int dir, const char *name, int quarantine, const char *to);

/* Under the first free name, which is left in `to`. */
static bool
keep_as(struct spool_stream *stream, const char *name, uint64_t number,
    const char *extension, keep_fn *keep, char to[SPOOL_PATH])
{
	const struct spool *spool = stream->spool;
	int i, n;

	for (i = 0; i < COPIES_MAX; i++) {
		n = snprintf(to, SPOOL_PATH, "%s-%s-%016" PRIu64 ".%s",
		    stream->name, spool->instance, number, extension);
		if (i > 0)
			snprintf(to + n, SPOOL_PATH - (size_t)n, ".%d", i);
		if (keep(stream->dir, name, spool->dirs.quarantine, to))
			return fsync(spool->dirs.quarantine) == 0;
		if (errno != EEXIST)
			return false;
	}
	return false;
}

bool
dirs_set_aside(struct spool_stream *stream, const char *name, uint64_t number,
    const char *extension, const char *reason)
{
	char to[SPOOL_PATH];

	if (!keep_as(stream, name, number, extension, disk_move, to)) {
		spool_say(stream->spool, SPOOL_WARNING,
		    "live/%s/%s: %s; it cannot be moved to quarantine/: %s",
		    stream->name, name, reason, strerror(errno));
		return false;
	}
	spool_say(stream->spool, SPOOL_WARNING,
	    "live/%s/%s: %s; moved to quarantine/%s", stream->name, name,
	    reason, to);
	return true;
}

bool
dirs_keep_original(
    struct spool_stream *stream, const char *name, const struct segment *of)
{
	char to[SPOOL_PATH];

	return keep_as(
	    stream, name, of->number, of->extension, keep_either, to);
}
