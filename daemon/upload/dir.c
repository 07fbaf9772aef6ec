#include "dir.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "digest.h"
#include "spool/disk.h"

enum { PIECE = 256 * 1024, PART = 320 };

struct dir {
	const struct dir_options *options;
	char piece[PIECE];
};

/* One delivery. */
struct work {
	struct dir *dir;
	int at; /* the directory */
	const struct target_file *file;
	struct target_watch *watch;
	struct target_result *result;
};

static void *
dir_open(const void *options, char *why, size_t size)
{
	const struct dir_options *o = options;
	struct stat st;
	struct dir *dir;

	if (stat(o->directory, &st) == 0 && !S_ISDIR(st.st_mode)) {
		snprintf(why, size, "%s: is no directory", o->directory);
		return NULL;
	}
	dir = calloc(1, sizeof *dir);
	if (dir == NULL)
		snprintf(why, size, "no memory");
	else
		dir->options = o;
	return dir;
}

static void
dir_close(void *target)
{
	free(target);
}

/* Any failure here is one of the directory, not of the file. */
static void __attribute__((format(printf, 2, 3)))
retry(struct work *w, const char *format, ...)
{
	int error = errno;
	struct target_result *r = w->result;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(r->reason, sizeof r->reason, format, args);
	va_end(args);
	if (error != 0 && n >= 0 && (size_t)n < sizeof r->reason)
		snprintf(r->reason + n, sizeof r->reason - (size_t)n, ": %s%s",
		    target_read_why(error),
		    disk_is_full(error) ? ": make room there" : "");
	r->outcome = error == ECANCELED ? TARGET_STOPPED : TARGET_RETRY;
	r->target_down = true;
}

static void
delivered(struct work *w)
{
	static const char head[] = "sha256:";
	struct target_result *r = w->result;

	memcpy(r->check, head, sizeof head);
	sha256_hex(w->file->digest.sum, r->check + sizeof head - 1);
	r->check[sizeof head - 1 + SHA256_HEX] = '\0';
	r->outcome = TARGET_DELIVERED;
}

enum there { THERE_NOT, THERE_SAME, THERE_OTHER, THERE_UNKNOWN };

/* Is there a file of that name, with the same bytes? */
static enum there
compare(struct work *w, const char *name)
{
	struct digest digest;
	enum there there = THERE_UNKNOWN;
	struct stat st;
	int fd = disk_open(w->at, name, &st);

	if (fd < 0)
		return errno == ENOENT  ? THERE_NOT
		       : errno == ELOOP ? THERE_OTHER
					: THERE_UNKNOWN;
	/* What the disk has, where the file system can tell. */
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	if ((uint64_t)st.st_size != w->file->size)
		there = THERE_OTHER;
	else if (digest_file(fd, w->watch->stop, &digest))
		there = memcmp(digest.sum, w->file->digest.sum,
			    sizeof digest.sum) == 0
			    ? THERE_SAME
			    : THERE_OTHER;
	if (there == THERE_SAME && fsync(fd) < 0)
		there = THERE_UNKNOWN;
	disk_close(&fd);
	return there;
}

static bool
write_piece(struct work *w, int to, uint64_t at, size_t n)
{
	struct target_watch *watch = w->watch;
	char *piece = w->dir->piece;

	if (watch->pace != NULL)
		watch->pace(watch->context, n);
	if (atomic_load(watch->stop)) {
		errno = ECANCELED;
		return false;
	}
	n = target_read(w->file, at, piece, n);
	if (n == 0 || !disk_write(to, span_of(piece, n), NULL))
		return false;
	atomic_fetch_add(&watch->sent, n);
	return true;
}

static bool
write_copy(struct work *w, const char *part)
{
	int to = disk_temporary(w->at, part);
	uint64_t at = 0;
	bool ok = to >= 0;
	size_t n;

	for (; ok && at < w->file->size; at += n) {
		n = w->file->size - at < PIECE ? (size_t)(w->file->size - at)
					       : PIECE;
		ok = write_piece(w, to, at, n);
	}
	ok = ok && fsync(to) == 0;
	disk_close(&to);
	return ok;
}

static void
copy(struct work *w, const char *part)
{
	const char *name = w->file->name;

	if (!write_copy(w, part)) {
		retry(w, "%s: cannot write", w->result->remote);
		disk_discard(w->at, part);
		return;
	}
	if (compare(w, part) != THERE_SAME) {
		errno = atomic_load(w->watch->stop) ? ECANCELED : 0;
		retry(w,
		    "%s: what was written is not what is there when read "
		    "again; check that disk",
		    w->result->remote);
		/* Else the file may be another than it has to be. */
		w->result->target_down = !w->file->digest.stated;
		disk_discard(w->at, part);
		return;
	}
	if (!disk_move(w->at, part, w->at, name) || fsync(w->at) < 0)
		retry(w, "%s: cannot rename", w->result->remote);
	else
		delivered(w);
}

/* What is linked is not written, so not read again there. */
static bool
is_read_the_same(struct work *w)
{
	struct digest digest;
	bool read = digest_file(w->file->fd, w->watch->stop, &digest);

	if (read &&
	    memcmp(digest.sum, w->file->digest.sum, sizeof digest.sum) == 0)
		return true;
	if (read)
		errno = ESTALE;
	retry(w, "cannot read it");
	w->result->target_down = false;
	return false;
}

/* By its descriptor: no name can come in between. */
static void
link_file(struct work *w)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/self/fd/%d", w->file->fd);
	if (w->file->digest.stated && !is_read_the_same(w))
		return;
	if (linkat(AT_FDCWD, path, w->at, w->file->name, AT_SYMLINK_FOLLOW) ==
		0 &&
	    fsync(w->at) == 0) {
		delivered(w);
		return;
	}
	retry(w, "%s: cannot make a hard link; `method: copy` can do without",
	    w->result->remote);
}

static void
deliver_new(struct work *w)
{
	char part[PART];

	if (w->dir->options->link) {
		link_file(w);
		return;
	}
	snprintf(part, sizeof part, ".%s.part", w->file->name);
	copy(w, part);
}

static void
dir_deliver(void *target, const struct target_file *file,
    struct target_watch *watch, struct target_result *result)
{
	struct dir *dir = target;
	struct work w = {dir, -1, file, watch, result};

	snprintf(result->remote, sizeof result->remote, "%s/%s",
	    dir->options->directory, file->name);
	w.at =
	    open(dir->options->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w.at < 0) {
		retry(&w, "%s: is it there, mounted, and ours to write?",
		    dir->options->directory);
		return;
	}
	errno = 0;
	switch (compare(&w, file->name)) {
	case THERE_NOT:
		deliver_new(&w);
		break;
	case THERE_SAME:
		/* An earlier try may not have got this far. */
		if (fsync(w.at) == 0)
			delivered(&w);
		else
			retry(&w, "%s: cannot sync", dir->options->directory);
		break;
	case THERE_OTHER:
		result->outcome = TARGET_REFUSED;
		snprintf(result->reason, sizeof result->reason,
		    "%.400s: is there with other content; move it away",
		    result->remote);
		break;
	case THERE_UNKNOWN:
		retry(&w, "%s: cannot be read", result->remote);
		break;
	}
	disk_close(&w.at);
}

const struct target_kind target_dir = {
    .name = "dir",
    .open = dir_open,
    .deliver = dir_deliver,
    .close = dir_close,
};
