#include "depot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "spool/disk.h"

enum {
	MODE = 0750,
	KEPT = 65536, /* files that are looked at, at once */
	JOURNAL = SPOOL_PATH + SPOOL_NAME_MAX + 8,
	KEPT_NAME = JOURNAL + 16,
};

static const char rejects[] = ".rejects";
static const char none[] = "00000000"; /* where the spool has no instance */

static bool __attribute__((format(printf, 3, 4)))
refuse(char *why, size_t size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, size, format, args);
	va_end(args);
	return false;
}

/* --- opening --- */

static int
open_dir(int at, const char *name)
{
	return openat(
	    at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* A directory of ours, made if it is missing. */
static int
make_dir(int at, const char *name)
{
	bool made = mkdirat(at, name, MODE) == 0;
	int fd;

	if (!made && errno != EEXIST)
		return -1;
	fd = open_dir(at, name);
	if (fd >= 0 && made && fsync(at) < 0)
		disk_close(&fd);
	return fd;
}

static bool
lock(struct depot *d, const char *spool, char *why, size_t size)
{
	d->lock = openat(
	    d->upload, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (d->lock < 0)
		return refuse(
		    why, size, "%s/upload/lock: %s", spool, strerror(errno));
	if (flock(d->lock, LOCK_EX | LOCK_NB) == 0)
		return true;
	if (errno == EWOULDBLOCK)
		return refuse(why, size,
		    "%s: another sepmlog-upload delivers from it: stop that "
		    "one first",
		    spool);
	return refuse(why, size, "%s/upload/lock: %s", spool, strerror(errno));
}

static void
read_instance(struct depot *d)
{
	struct stat st;
	size_t n = 0;
	int fd = disk_open(d->spool, "instance", &st);

	memcpy(d->instance, none, sizeof none);
	if (fd >= 0 && disk_read(fd, 0, d->instance, SPOOL_INSTANCE, &n) &&
	    n == SPOOL_INSTANCE &&
	    strspn(d->instance, "0123456789abcdef") == SPOOL_INSTANCE) {
		disk_close(&fd);
		return;
	}
	memcpy(d->instance, none, sizeof none);
	disk_close(&fd);
}

static bool
open_ours(struct depot *d, const char *spool, char *why, size_t size)
{
	struct {
		int *fd, *at;
		const char *name;
	} const ours[] = {
	    {&d->upload, &d->spool, "upload"},
	    {&d->receipts, &d->upload, "receipts"},
	    {&d->state, &d->upload, "state"},
	    {&d->quarantine, &d->upload, "quarantine"},
	};

	for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
		*ours[i].fd = make_dir(*ours[i].at, ours[i].name);
		if (*ours[i].fd < 0)
			return refuse(why, size,
			    "%s%s/%s: %s: it has to be a directory that this "
			    "user can write",
			    spool, i > 0 ? "/upload" : "", ours[i].name,
			    strerror(errno));
	}
	return true;
}

bool
depot_open(struct depot *d, const char *spool, char *why, size_t size)
{
	int ready;

	*d = (struct depot){-1, -1, -1, -1, -1, -1, ""};
	d->spool = open(spool, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->spool < 0)
		return refuse(why, size,
		    "%s: %s: set `spool` to the directory of sepmlogd", spool,
		    strerror(errno));
	ready = depot_ready(d);
	if (ready < 0) {
		refuse(why, size,
		    "%s/ready: %s: start sepmlogd first, which makes it", spool,
		    strerror(errno));
		goto fail;
	}
	disk_close(&ready);
	if (!open_ours(d, spool, why, size) || !lock(d, spool, why, size))
		goto fail;
	read_instance(d);
	return true;
fail:
	depot_close(d);
	return false;
}

void
depot_close(struct depot *d)
{
	disk_close(&d->quarantine);
	disk_close(&d->state);
	disk_close(&d->receipts);
	disk_close(&d->lock);
	disk_close(&d->upload);
	disk_close(&d->spool);
}

int
depot_ready(const struct depot *d)
{
	return open_dir(d->spool, "ready");
}

int
depot_ledger(const struct depot *d)
{
	return open_dir(d->spool, "ledger");
}

int
depot_take(const struct depot *d, const char *name, struct stat *st)
{
	int ready = depot_ready(d), fd;

	if (ready < 0)
		return -1;
	fd = disk_open(ready, name, st);
	disk_close(&ready);
	return fd;
}

/* --- away from ready/ --- */

bool
depot_delete(const struct depot *d, const char *name)
{
	int ready = depot_ready(d);
	bool ok = ready >= 0 && disk_remove(ready, name);

	disk_close(&ready);
	return ok;
}

/* Someone else may have taken it: that is as good. */
static bool
move(const struct depot *d, const char *name, int to)
{
	int ready = depot_ready(d);
	bool ok = ready >= 0 &&
		  (renameat(ready, name, to, name) == 0 || errno == ENOENT) &&
		  fsync(to) == 0 && fsync(ready) == 0;

	disk_close(&ready);
	return ok;
}

bool
depot_keep(const struct depot *d, const char *name)
{
	int sent = make_dir(d->spool, "sent");
	bool ok = sent >= 0 && move(d, name, sent);

	disk_close(&sent);
	return ok;
}

/* Whole or not at all, under its name. */
static bool
write_text(int dir, const char *temporary, const char *name, const char *text,
    mode_t mode)
{
	int fd = disk_temporary(dir, temporary);
	bool ok = fd >= 0 && fchmod(fd, mode) == 0 &&
		  disk_write(fd, span_str(text), NULL) && fsync(fd) == 0 &&
		  renameat(dir, temporary, dir, name) == 0 && fsync(dir) == 0;

	disk_close(&fd);
	if (!ok)
		disk_discard(dir, temporary);
	return ok;
}

bool
depot_quarantine(const struct depot *d, const char *name, const char *reason)
{
	char beside[SPOOL_PATH + 16];

	snprintf(beside, sizeof beside, "%s.reason", name);
	/* The receipts have it, too; a full disk must not keep the file. */
	if (!write_text(d->quarantine, ".reason", beside, reason, 0640) &&
	    !disk_is_full(errno))
		return false;
	return move(d, name, d->quarantine);
}

/* A write that was cut off leaves half a line: it ends there. */
static bool
end_line(int fd, uint64_t size)
{
	char last;
	size_t n;

	if (size == 0)
		return true;
	if (!disk_read(fd, size - 1, &last, 1, &n))
		return false;
	return (n == 1 && last == '\n') || disk_write(fd, SPAN("\n"), NULL);
}

bool
depot_reject(const struct depot *d, const char *name, const char *target,
    struct span lines)
{
	char path[KEPT_NAME];
	struct stat st;
	bool ok;
	int fd;

	snprintf(path, sizeof path, "%s@%s%s", name, target, rejects);
	fd = openat(d->quarantine, path,
	    O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
	ok = fd >= 0 && fstat(fd, &st) == 0 &&
	     end_line(fd, (uint64_t)st.st_size) &&
	     disk_write(fd, lines, NULL) && fsync(fd) == 0 &&
	     (st.st_size > 0 || fsync(d->quarantine) == 0);
	disk_close(&fd);
	return ok;
}

/* --- what is kept for a while --- */

struct kept_file {
	int64_t time;
	uint64_t size;
	char name[KEPT_NAME];
};

struct kept {
	int dir;
	const char *end; /* of the names */
	size_t n;
	uint64_t bytes;
	struct kept_file *file;
};

static void
kept_cb(void *arg, const char *name)
{
	struct kept *kept = arg;
	struct kept_file *file = &kept->file[kept->n];
	size_t n = strlen(name), end = strlen(kept->end);
	struct stat st;

	if (kept->n == KEPT || n >= sizeof file->name || n < end ||
	    strcmp(name + n - end, kept->end) != 0 ||
	    fstatat(kept->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISREG(st.st_mode))
		return;
	/* moves to sent/ change that time, too */
	file->time = (int64_t)st.st_ctime;
	file->size = (uint64_t)st.st_size;
	snprintf(file->name, sizeof file->name, "%s", name);
	kept->bytes += file->size;
	kept->n++;
}

static int
compare_age(const void *a, const void *b)
{
	const struct kept_file *x = a, *y = b;

	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	return strcmp(x->name, y->name);
}

static size_t
prune(struct kept *kept, uint64_t age, uint64_t size)
{
	int64_t oldest = (int64_t)time(NULL) - (int64_t)(age / 1000);
	size_t i;

	for (i = 0; i < kept->n; i++) {
		const struct kept_file *file = &kept->file[i];

		if (kept->bytes <= size && file->time >= oldest)
			break;
		disk_remove(kept->dir, file->name);
		kept->bytes -= file->size;
	}
	return i;
}

size_t
depot_prune(
    const struct depot *d, enum depot_kept kind, uint64_t age, uint64_t size)
{
	struct kept kept = {
	    .dir = kind == DEPOT_SENT ? open_dir(d->spool, "sent")
				      : open_dir(d->upload, "quarantine"),
	    .end = kind == DEPOT_SENT ? "" : rejects,
	};
	size_t removed = 0;

	if (kept.dir >= 0)
		kept.file = calloc(KEPT, sizeof *kept.file);
	if (kept.file != NULL && disk_list(kept.dir, kept_cb, &kept)) {
		qsort(kept.file, kept.n, sizeof *kept.file, compare_age);
		removed = prune(&kept, age, size);
	}
	free(kept.file);
	disk_close(&kept.dir);
	return removed;
}

/* --- how far a delivery got --- */

static void
journal_name(char out[JOURNAL], const char *name, const char *target)
{
	snprintf(out, JOURNAL, "%s@%s", name, target);
}

void
depot_journal_read(const struct depot *d, const char *name, const char *target,
    char *text, size_t size)
{
	char path[JOURNAL];
	struct stat st;
	size_t n = 0;
	int fd;

	journal_name(path, name, target);
	fd = disk_open(d->state, path, &st);
	if (fd < 0 || !disk_read(fd, 0, text, size - 1, &n))
		n = 0;
	text[n] = '\0';
	disk_close(&fd);
}

bool
depot_journal_write(const struct depot *d, const char *name, const char *target,
    const char *text)
{
	char path[JOURNAL], temporary[JOURNAL + 8];

	journal_name(path, name, target);
	snprintf(temporary, sizeof temporary, ".%s", path);
	/* It may have URLs in it that let others write there. */
	return write_text(d->state, temporary, path, text, 0600);
}

void
depot_journal_remove(
    const struct depot *d, const char *name, const char *target)
{
	char path[JOURNAL];

	journal_name(path, name, target);
	disk_remove(d->state, path);
}

struct walk {
	const struct depot *depot;
	void (*cb)(void *arg, const char *name, const char *target);
	void *arg;
};

static void
walk_cb(void *arg, const char *path)
{
	struct walk *w = arg;
	const char *at = strchr(path, '@');
	char name[SPOOL_PATH];

	if (path[0] == '.' || at == NULL || at - path >= SPOOL_PATH) {
		disk_remove(w->depot->state, path);
		return;
	}
	snprintf(name, sizeof name, "%.*s", (int)(at - path), path);
	w->cb(w->arg, name, at + 1);
}

bool
depot_journal_each(const struct depot *d,
    void (*cb)(void *arg, const char *name, const char *target), void *arg)
{
	struct walk walk = {d, cb, arg};

	return disk_list(d->state, walk_cb, &walk);
}
