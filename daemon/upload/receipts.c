#include "receipts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "chain.h"
#include "clock.h"
#include "spool/disk.h"

enum {
	FILE_LINES = 256 * 1024, /* bytes of the lines of one file */
	PIECE = 64 * 1024,
	/* On disk: each line has its end. So much is reserved, for a full disk
	 * must not keep files from being freed. */
	RESERVE = 2 * FILE_LINES,
};

/*
 * Who puts a line must not wait for the disk: `lock` is never held while
 * something is written, and `disk` is taken first where both are needed. The
 * lines before `n` change only with both.
 */
struct receipts {
	pthread_mutex_t disk; /* all but `n`, and the lines from there on */
	int dir, fd;
	char instance[SPOOL_INSTANCE + 1];
	struct receipts_limits limits;
	uint64_t number;             /* of the file */
	uint8_t anchor[SHA256_SIZE]; /* what the file goes on from */
	uint8_t tip[SHA256_SIZE];    /* the end of what is durable */
	struct sha256 *sha;
	size_t durable; /* bytes of `lines` */
	char piece[PIECE];
	pthread_mutex_t lock;
	size_t n; /* bytes of `lines` */
	char lines[FILE_LINES];
};

static size_t
bytes_put(struct receipts *r)
{
	size_t n;

	pthread_mutex_lock(&r->lock);
	n = r->n;
	pthread_mutex_unlock(&r->lock);
	return n;
}

/* The lines that are there are all that will be: gives back what was
 * reserved. What is read-only was closed. */
static void
seal(struct receipts *r)
{
	off_t end = lseek(r->fd, 0, SEEK_END);

	if (end >= 0 && ftruncate(r->fd, end) == 0)
		fchmod(r->fd, 0440);
	disk_close(&r->fd);
	memcpy(r->anchor, r->tip, sizeof r->anchor);
	r->n = r->durable = 0;
}

void
receipts_limit(struct receipts *r, const struct receipts_limits *limits)
{
	pthread_mutex_lock(&r->disk);
	r->limits = *limits;
	pthread_mutex_unlock(&r->disk);
}

/* --- old files --- */

/* Best effort, oldest first. */
static void
remove_old(struct receipts *r)
{
	int64_t now = clock_utc() / 1000000;
	struct chain_list list;
	struct stat st;
	uint64_t bytes = 0;

	if (!chain_list(&list, r->dir, DELIVERED_KIND)) {
		chain_list_clear(&list);
		return;
	}
	for (size_t i = list.n; i-- > 0;) {
		if (fstatat(r->dir, list.name[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		bytes += (uint64_t)st.st_size;
		if (chain_number(list.name[i]) == r->number)
			continue;
		if (bytes > r->limits.size ||
		    st.st_mtime + (int64_t)(r->limits.keep / 1000) < now)
			disk_remove(r->dir, list.name[i]);
	}
	chain_list_clear(&list);
}

/* --- the file --- */

static void
file_name(const struct receipts *r, char name[SPOOL_PATH])
{
	snprintf(name, SPOOL_PATH, "%s-%s-%016" PRIu64 ".jsonl", DELIVERED_KIND,
	    r->instance, r->number);
}

/* Lines that get their ends and go to the file in pieces. */
struct batch {
	struct receipts *r;
	uint8_t chain[SHA256_SIZE];
	size_t n;
};

static bool
batch_write(struct batch *b)
{
	bool ok = disk_write(b->r->fd, span_of(b->r->piece, b->n), NULL);

	b->n = 0;
	return ok;
}

static bool
batch_add(struct batch *b, struct span body)
{
	char *at;

	if (b->n + body.n + LEDGER_TAIL > PIECE && !batch_write(b))
		return false;
	at = b->r->piece + b->n;
	memcpy(at, body.p, body.n);
	ledger_chain(b->r->sha, b->chain, body);
	ledger_tail(b->chain, at + body.n);
	b->n += body.n + LEDGER_TAIL;
	return true;
}

static bool
create(struct receipts *r)
{
	char name[SPOOL_PATH];

	r->number++;
	file_name(r, name);
	r->fd = openat(r->dir, name,
	    O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC,
	    0640);
	if (r->fd < 0)
		return false;
	/* best effort */
	(void)fallocate(r->fd, FALLOC_FL_KEEP_SIZE, 0, RESERVE);
	remove_old(r);
	return true;
}

static bool
batch_begin_file(struct batch *b)
{
	struct receipts *r = b->r;
	struct ledger_text line;
	char hex[SHA256_HEX];

	if (!create(r))
		return false;
	memcpy(b->chain, r->anchor, sizeof b->chain);
	sha256_hex(b->chain, hex);
	ledger_begin(&line, "ledger", clock_utc());
	ledger_put_text(&line, "instance", span_str(r->instance));
	ledger_put_number(&line, "number", r->number);
	ledger_put_text(&line, "before", span_of(hex, sizeof hex));
	return batch_add(b, ledger_body(&line));
}

/* Every line of the file goes to the next one. */
static void
abandon(struct receipts *r)
{
	char name[SPOOL_PATH];
	int error = errno;

	file_name(r, name);
	if (r->durable == 0 && r->fd >= 0)
		disk_discard(r->dir, name);
	disk_close(&r->fd);
	r->durable = 0;
	errno = error;
}

/* Those of the first `end` bytes. */
static bool
write_lines(struct receipts *r, size_t end)
{
	struct batch b = {.r = r};
	bool begins = r->fd < 0;
	struct span rest;
	size_t n;

	memcpy(b.chain, r->tip, sizeof b.chain);
	if (begins && !batch_begin_file(&b))
		return false;
	rest = span_skip(span_of(r->lines, end), r->durable);
	for (; rest.n > 0; rest = span_skip(rest, n + 1)) {
		n = span_find(rest, '\n');
		if (!batch_add(&b, span_take(rest, n)))
			return false;
	}
	if (!batch_write(&b) || fdatasync(r->fd) < 0 ||
	    (begins && fsync(r->dir) < 0))
		return false;
	memcpy(r->tip, b.chain, sizeof r->tip);
	r->durable = end;
	return true;
}

static bool
sync_lines(struct receipts *r)
{
	size_t end = bytes_put(r);
	bool ok = r->durable == end || write_lines(r, end);

	if (!ok)
		abandon(r);
	return ok;
}

static bool
has_room(const struct receipts *r, struct span body)
{
	return r->n + body.n + 1 <= sizeof r->lines;
}

static bool
append(struct receipts *r, struct span body)
{
	bool fits;

	pthread_mutex_lock(&r->lock);
	fits = has_room(r, body);
	if (fits) {
		memcpy(r->lines + r->n, body.p, body.n);
		r->lines[r->n + body.n] = '\n';
		r->n += body.n + 1;
	}
	pthread_mutex_unlock(&r->lock);
	return fits;
}

/* The file is full: all of it has to be durable for the next one, unless
 * another thread was here first. */
static bool
turn_over(struct receipts *r, struct span body)
{
	bool ok;

	pthread_mutex_lock(&r->disk);
	ok = sync_lines(r);
	pthread_mutex_lock(&r->lock);
	if (ok && r->durable == r->n && !has_room(r, body))
		seal(r);
	pthread_mutex_unlock(&r->lock);
	pthread_mutex_unlock(&r->disk);
	return ok;
}

bool
receipts_put(struct receipts *r, const struct ledger_text *line)
{
	struct span body = ledger_body(line);

	while (!append(r, body)) {
		if (turn_over(r, body))
			continue;
		errno = ENOBUFS;
		return false;
	}
	return true;
}

bool
receipts_sync(struct receipts *r)
{
	bool ok;
	int error;

	pthread_mutex_lock(&r->disk);
	ok = sync_lines(r);
	error = errno;
	pthread_mutex_unlock(&r->disk);
	errno = error;
	return ok;
}

/* --- all of it --- */

struct receipts *
receipts_open(int dir, const char *instance, const struct delivered_end *end,
    const struct receipts_limits *limits)
{
	struct receipts *r = calloc(1, sizeof *r);

	if (r == NULL)
		return NULL;
	r->sha = sha256_new();
	if (r->sha == NULL) {
		free(r);
		return NULL;
	}
	pthread_mutex_init(&r->disk, NULL);
	pthread_mutex_init(&r->lock, NULL);
	r->dir = dir;
	r->fd = -1;
	snprintf(r->instance, sizeof r->instance, "%s", instance);
	r->number = end->number;
	memcpy(r->anchor, end->chain, sizeof r->anchor);
	r->limits = *limits;
	/* Now, while there is room; if there is none now, there may be later.
	 */
	if (!write_lines(r, 0))
		abandon(r);
	return r;
}

void
receipts_close(struct receipts *r)
{
	if (r == NULL)
		return;
	if (r->fd >= 0 && r->durable == 0)
		abandon(r); /* it was of no use */
	if (r->fd >= 0)
		seal(r);
	pthread_mutex_destroy(&r->lock);
	pthread_mutex_destroy(&r->disk);
	sha256_free(r->sha);
	free(r);
}
