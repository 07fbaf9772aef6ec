#include "ledgers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "chain.h"
#include "spool/disk.h"
#include "spool/lines.h"
#include "spool/names.h"

enum {
	PIECE = 128 * 1024,
	PATH = 2 * LEDGERS_PATH,
};

static int
open_directory(const char *path)
{
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool
holds_ledger(const char *path)
{
	struct chain_list list = {0};
	int dir = open_directory(path);
	bool any = dir >= 0 && chain_list(&list, dir, "ledger") && list.n > 0;

	disk_close(&dir);
	chain_list_clear(&list);
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

static void
begin_cb(void *arg, const char *name, const uint8_t *next)
{
	account_begin_file(arg, name, next);
}

static void
line_cb(void *arg, struct span line, bool whole)
{
	account_line(arg, line, whole);
}

static void
end_cb(void *arg)
{
	account_end_file(arg);
}

bool
ledgers_read(const struct ledgers_one *one, struct account *account)
{
	const struct chain_reader reader = {begin_cb, line_cb, end_cb, account};
	int dir = open_directory(one->path);
	bool ok = dir >= 0 && chain_read(dir, "ledger", &reader);

	disk_close(&dir);
	return ok;
}

uint64_t
ledgers_size(const struct ledgers_one *one)
{
	struct chain_list list = {0};
	struct stat st;
	uint64_t bytes = 0;
	int dir = open_directory(one->path);

	if (dir >= 0 && chain_list(&list, dir, "ledger"))
		for (size_t i = 0; i < list.n; i++)
			if (fstatat(dir, list.name[i], &st,
				AT_SYMLINK_NOFOLLOW) == 0)
				bytes += (uint64_t)st.st_size;
	disk_close(&dir);
	chain_list_clear(&list);
	return bytes;
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
