#include "ledgers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "spool/disk.h"
#include "spool/lines.h"
#include "spool/names.h"

enum {
	PIECE = 128 * 1024,
	PATH = 2 * LEDGERS_PATH,
};

/* --- names, in order --- */

struct list {
	char (*name)[SPOOL_PATH];
	size_t n, room;
	bool failed;
	const char *stream; /* NULL: ledger files */
};

static bool
is_wanted(const char *name)
{
	struct span stream;
	uint64_t number;

	return strlen(name) < SPOOL_PATH &&
	       name_parse_ready(name, &stream, &number) &&
	       span_eq(stream, SPAN("ledger"));
}

static void
list_cb(void *arg, const char *name)
{
	struct list *list = arg;
	size_t room = list->room > 0 ? 2 * list->room : 64;
	void *names;

	if (!is_wanted(name))
		return;
	if (list->n == list->room) {
		names = reallocarray(list->name, room, SPOOL_PATH);
		if (names == NULL) {
			list->failed = true;
			return;
		}
		list->name = names;
		list->room = room;
	}
	snprintf(list->name[list->n++], SPOOL_PATH, "%s", name);
}

/* By number: the instance in a name may have been made anew. */
static int
compare(const void *a, const void *b)
{
	struct span stream;
	uint64_t x = 0, y = 0;

	name_parse_ready(a, &stream, &x);
	name_parse_ready(b, &stream, &y);
	return x < y ? -1 : x > y;
}

static bool
list_files(int dir, struct list *list)
{
	if (!disk_list(dir, list_cb, list))
		return false;
	if (list->failed) {
		errno = ENOMEM;
		return false;
	}
	if (list->n > 0)
		qsort(list->name, list->n, SPOOL_PATH, compare);
	return true;
}

static int
open_directory(const char *path)
{
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool
holds_ledger(const char *path)
{
	struct list list = {0};
	int dir = open_directory(path);
	bool any = dir >= 0 && list_files(dir, &list) && list.n > 0;

	disk_close(&dir);
	free(list.name);
	return any;
}

/* --- finding them --- */

static void
add(struct ledgers *l, const char *path, const char *root)
{
	struct ledgers_one *one = &l->one[l->count];

	if (l->count == LEDGERS || strlen(path) >= sizeof one->path ||
	    strlen(root) >= sizeof one->root || !holds_ledger(path))
		return;
	memcpy(one->path, path, strlen(path) + 1);
	memcpy(one->root, root, strlen(root) + 1);
	l->count++;
}

struct writers {
	struct ledgers *ledgers;
	const char *path;
};

static void
writer_cb(void *arg, const char *name)
{
	struct writers *w = arg;
	char path[PATH + SPOOL_PATH], root[PATH];

	if (strchr(name, '.') != NULL || strcmp(name, "ledger") == 0)
		return;
	snprintf(root, sizeof root, "%s/%s", w->path, name);
	snprintf(path, sizeof path, "%s/ledger", root);
	add(w->ledgers, path, root);
}

bool
ledgers_find(struct ledgers *l, const char *path, char *why, size_t size)
{
	struct writers writers = {l, path};
	char below[PATH + SPOOL_PATH];
	int dir = open_directory(path);

	l->count = 0;
	if (dir < 0) {
		snprintf(why, size, "%s: %s", path, strerror(errno));
		return false;
	}
	add(l, path, "");
	if (l->count == 0) {
		snprintf(below, sizeof below, "%s/ledger", path);
		add(l, below, path);
		disk_list(dir, writer_cb, &writers);
	}
	disk_close(&dir);
	if (l->count == 0)
		snprintf(why, size,
		    "%s: no ledger in it: give the spool's directory, or "
		    "--ledger its ledger/",
		    path);
	return l->count > 0;
}

/* --- reading one --- */

struct feed {
	int dir;
	char *piece;
	struct account *account;
};

/* What a file's first line says that it goes on from. */
static bool
read_before(struct feed *f, const char *name, uint8_t before[SHA256_SIZE])
{
	static struct ledger_entry entry;
	struct stat st;
	struct span in;
	size_t n = 0;
	int fd = disk_open(f->dir, name, &st);
	bool ok = fd >= 0 && disk_read(fd, 0, f->piece, LEDGER_LINE, &n);

	disk_close(&fd);
	in = span_of(f->piece, n);
	return ok && ledger_parse(span_take(in, span_find(in, '\n')), &entry) &&
	       sha256_read(ledger_text(&entry, "before"), before);
}

/* The lines of a piece; answers what is left behind the last. */
static size_t
feed_lines(struct feed *f, struct span in)
{
	size_t n;

	while ((n = span_find(in, '\n')) < in.n) {
		account_line(f->account, span_take(in, n), true);
		in = span_skip(in, n + 1);
	}
	/* longer than any line: the rest of it will not be one either */
	if (in.n == PIECE) {
		account_line(f->account, in, true);
		return 0;
	}
	memmove(f->piece, in.p, in.n);
	return in.n;
}

static bool
feed_file(struct feed *f, const char *name, const uint8_t *next)
{
	struct stat st;
	uint64_t at = 0;
	size_t kept = 0, n;
	int fd = disk_open(f->dir, name, &st);
	bool ok = fd >= 0;

	if (!ok)
		return errno == ENOENT; /* its time had come */
	account_begin_file(f->account, name, next);
	do {
		ok = disk_read(fd, at, f->piece + kept, PIECE - kept, &n);
		at += n;
		if (ok)
			kept = feed_lines(f, span_of(f->piece, kept + n));
	} while (ok && n > 0);
	if (ok && kept > 0)
		account_line(f->account, span_of(f->piece, kept), false);
	account_end_file(f->account);
	disk_close(&fd);
	return ok;
}

bool
ledgers_read(const struct ledgers_one *one, struct account *account)
{
	struct feed feed = {open_directory(one->path), malloc(PIECE), account};
	uint8_t next[SHA256_SIZE];
	struct list list = {0};
	bool ok =
	    feed.dir >= 0 && feed.piece != NULL && list_files(feed.dir, &list);

	for (size_t i = 0; ok && i < list.n; i++) {
		size_t k = i + 1;

		/* one that has no line says nothing */
		while (k < list.n && !read_before(&feed, list.name[k], next))
			k++;
		ok = feed_file(&feed, list.name[i], k < list.n ? next : NULL);
	}
	disk_close(&feed.dir);
	free(feed.piece);
	free(list.name);
	return ok;
}

static void
size_cb(void *arg, const char *name)
{
	struct {
		int dir;
		uint64_t bytes;
	} *sum = arg;
	struct stat st;

	if (is_wanted(name) &&
	    fstatat(sum->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		sum->bytes += (uint64_t)st.st_size;
}

uint64_t
ledgers_size(const struct ledgers_one *one)
{
	struct {
		int dir;
		uint64_t bytes;
	} sum = {open_directory(one->path), 0};

	if (sum.dir >= 0)
		disk_list(sum.dir, size_cb, &sum);
	disk_close(&sum.dir);
	return sum.bytes;
}

/* --- live segments --- */

struct live {
	struct account *account;
	int dir;
	const char *stream;
	char *piece;
	int error;
};

/* LFs, without that of a header. */
static bool
count_records(struct live *live, const char *name, const char *extension,
    uint64_t *records)
{
	struct stat st;
	struct span in;
	uint64_t at = 0, lines = 0;
	size_t n, lf;
	int fd = disk_open(live->dir, name, &st);
	bool ok = fd >= 0;

	while (ok && disk_read(fd, at, live->piece, PIECE, &n) && n > 0) {
		at += n;
		for (in = span_of(live->piece, n);
		     (lf = span_find(in, '\n')) < in.n;
		     in = span_skip(in, lf + 1))
			lines++;
	}
	disk_close(&fd);
	*records = lines - (lines > 0 && lines_kind(extension) == LINES_CSV);
	return ok;
}

static void
segment_cb(void *arg, const char *name)
{
	struct live *live = arg;
	char extension[SPOOL_EXTENSION_MAX + 1];
	uint64_t number, records;

	if (!name_parse_live(name, &number, extension))
		return;
	if (count_records(live, name, extension, &records))
		account_live(
		    live->account, span_str(live->stream), number, records);
	else if (errno != ENOENT)
		live->error = errno;
}

static void
stream_cb(void *arg, const char *name)
{
	struct live *live = arg, inner = *live;

	if (!name_stream_ok(name))
		return;
	inner.stream = name;
	inner.dir = openat(
	    live->dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (inner.dir < 0 || !disk_list(inner.dir, segment_cb, &inner))
		inner.error = errno;
	disk_close(&inner.dir);
	live->error = inner.error;
}

bool
ledgers_read_live(const struct ledgers_one *one, struct account *account)
{
	struct live live = {.account = account, .piece = malloc(PIECE)};
	char path[PATH];
	bool ok;

	snprintf(path, sizeof path, "%s/live", one->root);
	live.dir = open_directory(path);
	ok = live.piece != NULL && live.dir >= 0 &&
	     disk_list(live.dir, stream_cb, &live);
	disk_close(&live.dir);
	free(live.piece);
	if (ok && live.error != 0) {
		errno = live.error;
		return false;
	}
	return ok;
}
