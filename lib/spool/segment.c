/*
 * The disk side of a stream. It is always in one of three states, told by two
 * pointers, and each is retried until it succeeds:
 *
 *   live == NULL         create the segment `wanted`, durably
 *   old != NULL          sync and close the predecessor of `live`
 *   neither              write to `live` up to the next mark
 *
 * The order keeps the promises. The next segment is durable in live/ before
 * the last one may leave it, so the highest number ever used is always found
 * at the next start and no number is used twice. Nothing is handed on for
 * publishing before it was synced.
 *
 * After a failed sync the kernel calls the lost pages clean, and trying again
 * succeeds and keeps nothing. So such a file is poisoned: never written or
 * synced again, but replaced by a new one, made of the pages that an earlier
 * sync confirmed and, for the rest, the bytes that are still in the ring.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "disk.h"
#include "internal.h"

static uint64_t
page_floor(uint64_t n)
{
	return n - n % SPOOL_PAGE;
}

/* Records the failure in errno; false, to be returned. */
static bool
stream_fails(struct spool_stream *stream, const char *doing)
{
	struct spool *spool = stream->spool;

	if (disk_is_full(errno))
		usage_full(spool, errno);
	stream->fault = (struct fault){errno, doing, spool->now + SPOOL_RETRY};
	return false;
}

/* Full is no fault of the stream: the space check starts it again. */
static bool
stream_waits(struct spool_stream *stream, const char *doing)
{
	if (!disk_is_full(errno))
		return stream_fails(stream, doing);
	usage_full(stream->spool, errno);
	return false;
}

static void
segment_poison(struct segment *segment, const char *doing)
{
	struct spool_stream *stream = segment->stream;
	struct spool *spool = stream->spool;
	int error = errno;

	if (!segment->poison && spool_may_tell(spool, &spool->poison_told))
		spool_say(spool, SPOOL_WARNING,
		    "%s %" PRIu64 ": %s: %s; written again to a new file",
		    stream->name, segment->number, doing, strerror(errno));
	segment->poison = error;
}

/* See spool_set_before. */
static void
segment_before(const struct segment *segment, bool commit)
{
	const struct spool *spool = segment->stream->spool;

	if (spool->before)
		spool->before(spool->before_arg, commit);
}

static uint64_t
segment_records(const struct segment *segment)
{
	uint64_t lines = segment->content.lines;

	return lines - (segment->header && lines > 0);
}

/* All that was written is durable. */
static void
segment_committed(struct segment *segment)
{
	struct spool_stream *stream = segment->stream;
	uint64_t records = segment_records(segment);

	spool_count(&stream->spool->committed, records - segment->counted);
	segment->counted = records;
	segment->committed = segment->size;
	if (segment->stamp > 0 && stream->spool->commit != NULL)
		stream->spool->commit(
		    stream->spool->commit_arg, segment->stamp);
	segment->stamp = 0;
	/* the last page will be written again and may be torn then */
	ring_free_to(
	    &stream->ring, segment->start + page_floor(segment->committed));
}

static bool
segment_commit(struct segment *segment)
{
	if (segment->committed == segment->size)
		return true;
	segment_before(segment, true);
	if (fdatasync(segment->fd) < 0) {
		segment_poison(segment, "fdatasync");
		return false;
	}
	segment_committed(segment);
	return true;
}

static bool
segment_commit_due(const struct segment *segment, bool all)
{
	const struct spool_stream *stream = segment->stream;
	const struct spool_options *options = &stream->spool->options;
	uint64_t unsynced = segment->size - segment->committed;

	return unsynced > 0 &&
	       (all || unsynced >= options->commit_bytes ||
		   unsynced >= stream->ring.size / 4 ||
		   stream->spool->now - segment->unsynced_since >=
		       options->commit_interval);
}

/* The whole segment into `fd`, from sources that can be trusted. */
static bool
segment_copy(const struct segment *segment, int fd)
{
	uint64_t kept = page_floor(segment->committed);
	struct span rest = {NULL, segment->size - kept};

	if (rest.n > 0)
		rest.p = ring_at(&segment->stream->ring, segment->start + kept);
	return disk_copy(segment->fd, fd, 0, kept) &&
	       disk_write(fd, rest, NULL) && fdatasync(fd) == 0;
}

static bool
segment_rewrite(struct segment *segment)
{
	struct spool_stream *stream = segment->stream;
	char name[SPOOL_PATH];
	int fd = disk_temporary(stream->dir, SPOOL_REWRITE);

	name_live(name, segment->number, segment->extension);
	segment_before(segment, true);
	/* fails as a whole: then all of it is done again, to a newer file */
	if (fd < 0 || !segment_copy(segment, fd) ||
	    renameat(stream->dir, SPOOL_REWRITE, stream->dir, name) < 0 ||
	    fsync(stream->dir) < 0) {
		stream_fails(stream, "writing again");
		disk_close(&fd);
		disk_discard(stream->dir, SPOOL_REWRITE);
		return false;
	}
	disk_close(&segment->fd);
	segment->fd = fd;
	segment->poison = 0;
	segment->linked = false;
	segment_committed(segment);
	return true;
}

/* --- create --- */

struct segment *
segment_new(struct spool_stream *stream, uint64_t number, const char *extension)
{
	struct segment *segment = calloc(1, sizeof(*segment));

	if (!segment)
		return NULL;
	segment->stream = stream;
	segment->number = number;
	segment->fd = -1;
	snprintf(
	    segment->extension, sizeof(segment->extension), "%s", extension);
	return segment;
}

void
segment_free(struct segment *segment)
{
	if (!segment)
		return;
	disk_close(&segment->fd);
	sha256_free(segment->sha);
	free(segment);
}

static int
create_exclusive(int dir, const char *name)
{
	return openat(dir, name,
	    O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC,
	    0640);
}

/* Something has the name: an empty file of ours, or not ours at all. */
static bool
create_make_way(struct spool_stream *stream, const char *name)
{
	struct stat st;

	if (fstatat(stream->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT;
	if (S_ISREG(st.st_mode) && st.st_size == 0)
		return disk_remove(stream->dir, name);
	return dirs_set_aside(stream, name, stream->wanted.number,
	    stream->wanted.extension, "in the way of a new segment");
}

static int
create_file(struct spool_stream *stream, const char *name)
{
	int fd = create_exclusive(stream->dir, name);

	if (fd < 0 && errno == EEXIST && create_make_way(stream, name))
		fd = create_exclusive(stream->dir, name);
	if (fd >= 0 && fsync(stream->dir) < 0) {
		/* a second fsync could lie: the name has to be made again */
		disk_close(&fd);
		disk_discard(stream->dir, name);
	}
	return fd;
}

bool
stream_create(struct spool_stream *stream)
{
	const struct mark *wanted = &stream->wanted;
	struct segment *segment =
	    segment_new(stream, wanted->number, wanted->extension);
	char name[SPOOL_PATH];

	if (!segment) {
		errno = ENOMEM;
		return stream_fails(stream, "new segment");
	}
	name_live(name, wanted->number, wanted->extension);
	segment->fd = create_file(stream, name);
	if (segment->fd < 0) {
		segment_free(segment);
		return stream_waits(stream, "new segment");
	}
	segment->start = wanted->position;
	segment->header = wanted->header;
	stream->live = segment;
	return true;
}

/* --- the name for tail -F --- */

static bool
link_make(struct spool_stream *stream, const char *name, const char *shown)
{
	int root = stream->spool->dirs.root;
	bool ok = disk_remove(root, SPOOL_LINK) &&
		  linkat(stream->dir, name, root, SPOOL_LINK, 0) == 0 &&
		  renameat(root, SPOOL_LINK, root, shown) == 0;

	/* left behind by a failure, or by a rename of two names of one file */
	disk_discard(root, SPOOL_LINK);
	return ok;
}

static void
link_name(char shown[SPOOL_PATH], const struct segment *segment)
{
	snprintf(shown, SPOOL_PATH, "%s.%s", segment->stream->name,
	    segment->extension);
}

/* Never stops the stream: without it only those who watch miss something. */
static void
stream_link(struct spool_stream *stream)
{
	struct spool *spool = stream->spool;
	struct segment *live = stream->live;
	char name[SPOOL_PATH], shown[SPOOL_PATH];

	name_live(name, live->number, live->extension);
	link_name(shown, live);
	live->linked = stream->retired ? disk_remove(spool->dirs.root, shown)
				       : link_make(stream, name, shown);
	if (!live->linked && !stream->link_told)
		spool_say(spool, SPOOL_WARNING,
		    "%s: no hard link to the live segment (%s): tail -F of it "
		    "shows nothing new, the records are safe",
		    shown, strerror(errno));
	stream->link_told = !live->linked;
}

/* --- rotate --- */

static const struct mark *
marks_first(struct marks *marks)
{
	unsigned tail =
	    atomic_load_explicit(&marks->tail, memory_order_relaxed);

	if (tail == atomic_load_explicit(&marks->head, memory_order_acquire))
		return NULL;
	return &marks->mark[tail % MARKS];
}

static void
marks_pop(struct marks *marks)
{
	atomic_store_explicit(&marks->tail,
	    atomic_load_explicit(&marks->tail, memory_order_relaxed) + 1,
	    memory_order_release);
}

static uint64_t
segment_end(const struct segment *segment)
{
	return segment->start + segment->size;
}

/* The live segment has all that belongs to it: a new one is wanted. */
static bool
stream_turn(struct spool_stream *stream)
{
	const struct mark *mark = marks_first(&stream->marks);
	char shown[SPOOL_PATH];

	if (!mark || mark->end != segment_end(stream->live))
		return false;
	stream->wanted = *mark;
	marks_pop(&stream->marks);
	if (strcmp(stream->live->extension, stream->wanted.extension) != 0) {
		link_name(shown, stream->live);
		disk_remove(stream->spool->dirs.root, shown);
	}
	stream->old = stream->live;
	stream->old->first_us = stream->wanted.first_us;
	stream->old->last_us = stream->wanted.last_us;
	stream->live = NULL;
	return true;
}

static bool
stream_close_old(struct spool_stream *stream)
{
	struct segment *old = stream->old;

	if (!segment_commit(old))
		return false;
	/* what is read-only in live/ was closed: recovery may trust it */
	fchmod(old->fd, 0440);
	disk_close(&old->fd);
	ring_free_to(&stream->ring, segment_end(old));
	stream->old = NULL;
	old->step = PUBLISH_BEGIN;
	publish_add(stream->spool, old);
	return true;
}

/* --- write --- */

/* The part of `in` up to its last LF. */
static struct span
whole_lines(struct span in)
{
	const char *last = in.n ? memrchr(in.p, '\n', in.n) : NULL;

	return span_take(in, last ? (size_t)(last + 1 - in.p) : 0);
}

static void
segment_wrote(struct segment *segment, struct span lines)
{
	struct spool *spool = segment->stream->spool;
	uint64_t before = segment_records(segment);

	if (segment->size == segment->committed)
		segment->unsynced_since = spool->now;
	if (segment->stamp == 0)
		segment->stamp = segment->stream->stamp;
	ledger_see(segment, lines);
	segment->size += lines.n;
	spool->usage.live += lines.n;
	spool_count(&spool->accepted, segment_records(segment) - before);
}

/* A write that failed after `done`: no part of a line stays to be seen. */
static void
segment_write_failed(struct segment *segment, struct span done, int error)
{
	struct span lines = whole_lines(done);

	if (lines.n < done.n &&
	    ftruncate(segment->fd, (off_t)(segment->size + lines.n)) < 0)
		segment_poison(segment, "ftruncate");
	segment_wrote(segment, lines);
	errno = error;
	if (disk_is_full(error))
		usage_full(segment->stream->spool, error);
	else
		segment_poison(segment, "write");
}

/* Whole pages of the ring to whole pages of the file, past the page cache. */
static bool
segment_write_pages(struct segment *segment, struct span pages, size_t *done)
{
	if (disk_write_direct(segment->fd, pages, done))
		return true;
	if (errno != EINVAL)
		return false;
	/* not here, or not from where a short write ended */
	segment->cached = true;
	return true;
}

/*
 * Appends. Of a large amount all but the ends, which are no whole pages, is
 * written as it lies in the ring. (To read it again for compression is nothing
 * beside that.)
 */
static bool
segment_append(struct segment *segment, struct span bytes, size_t *done)
{
	size_t head = (size_t)(page_floor(segment->size + SPOOL_PAGE - 1) -
			       segment->size);
	struct span rest = bytes;
	size_t n;
	bool ok;

	if (bytes.n < SPOOL_DIRECT || segment->cached ||
	    segment->start % SPOOL_PAGE != 0)
		return disk_write(segment->fd, bytes, done);
	ok = disk_write(segment->fd, span_take(rest, head), &n);
	rest = span_skip(rest, n);
	if (ok) {
		ok = segment_write_pages(
		    segment, span_take(rest, (size_t)page_floor(rest.n)), &n);
		rest = span_skip(rest, n);
	}
	if (ok) {
		ok = disk_write(segment->fd, rest, &n);
		rest = span_skip(rest, n);
	}
	*done = bytes.n - rest.n;
	return ok;
}

/* Up to `end`; answers whether anything happened. */
static bool
stream_write(struct spool_stream *stream, uint64_t end)
{
	struct segment *live = stream->live;
	const struct mark *mark = marks_first(&stream->marks);
	uint64_t at = segment_end(live);
	struct span all, some;
	size_t done;

	if (mark && mark->end < end)
		end = mark->end;
	if (end <= at)
		return false;
	all = span_of(ring_at(&stream->ring, at), (size_t)(end - at));
	some = whole_lines(span_take(all, usage_room(stream->spool, all.n)));
	if (some.n == 0) {
		usage_full(stream->spool, 0);
		return false;
	}
	segment_before(live, false);
	if (segment_append(live, some, &done))
		segment_wrote(live, some);
	else
		segment_write_failed(live, span_take(some, done), errno);
	return true;
}

/* --- all of it --- */

static bool
stream_may_write(const struct spool_stream *stream)
{
	const struct usage *usage = &stream->spool->usage;

	return !usage->full || usage->probing;
}

/* A retired stream's buffer is empty at last. */
static void
stream_rest(struct spool_stream *stream)
{
	if (stream->retired && stream->ring.base && !stream->old &&
	    stream->live && !marks_first(&stream->marks) &&
	    segment_end(stream->live) == ring_filled(&stream->ring))
		ring_clear(&stream->ring);
}

/* A file that is bad again right after it was made has to wait. */
static bool
stream_rewrite_once(struct spool_stream *stream, struct segment *segment)
{
	if (stream->rewritten) {
		errno = segment->poison;
		return stream_fails(stream, "writing");
	}
	stream->rewritten = true;
	return segment_rewrite(segment);
}

/* One step; answers whether there is another, false with a fault if not. */
static bool
stream_step(struct spool_stream *stream, uint64_t filled, bool all)
{
	struct segment *segment = stream->old ? stream->old : stream->live;

	if (segment && segment->poison)
		return stream_rewrite_once(stream, segment);
	if (segment && segment_commit_due(segment, all)) {
		segment_commit(segment);
		return true;
	}
	if (!stream->live)
		return stream_may_write(stream) && stream_create(stream);
	if (stream->old) {
		stream_close_old(stream);
		return true;
	}
	return (stream_may_write(stream) && stream_write(stream, filled)) ||
	       stream_turn(stream);
}

/* After ring_filled: what that has seen is stamped. */
static void
stream_take_stamp(struct spool_stream *stream)
{
	uint64_t stamp =
	    atomic_exchange_explicit(&stream->flushed, 0, memory_order_relaxed);

	if (stream->stamp == 0)
		stream->stamp = stamp;
}

/* All of it is written: what comes next has a stamp of its own. If there was
 * nothing to write, it is that of what comes next. */
static void
stream_drop_stamp(struct spool_stream *stream, uint64_t filled)
{
	if (filled == stream->seen || stream->live == NULL ||
	    segment_end(stream->live) < filled)
		return;
	stream->seen = filled;
	stream->stamp = 0;
}

void
stream_work(struct spool_stream *stream, bool all)
{
	uint64_t filled = ring_filled(&stream->ring);

	stream_take_stamp(stream);
	if (!all && fault_waits(&stream->fault, stream->spool->now))
		return;
	stream->fault.error = 0;
	stream->rewritten = false;
	while (stream_step(stream, filled, all))
		continue;
	stream_drop_stamp(stream, filled);
	if (stream->live && !stream->live->linked && !stream->link_told)
		stream_link(stream);
	stream_rest(stream);
}

/* Whether the file still has its name. */
static bool
segment_in_place(const struct segment *segment)
{
	char name[SPOOL_PATH];
	struct stat file, named;

	name_live(name, segment->number, segment->extension);
	if (fstat(segment->fd, &file) < 0)
		return true; /* cannot tell */
	if (fstatat(segment->stream->dir, name, &named, AT_SYMLINK_NOFOLLOW) <
	    0)
		return errno != ENOENT;
	errno = ENOENT;
	return file.st_dev == named.st_dev && file.st_ino == named.st_ino;
}

/* Once per tick: what others may have done. */
void
stream_check(struct spool_stream *stream)
{
	struct segment *segment = stream->old ? stream->old : stream->live;

	if (segment && !segment_in_place(segment))
		segment_poison(segment, "its name is gone");
	if (stream->live && !stream->live->linked)
		stream_link(stream);
}

uint64_t
stream_backlog(struct spool_stream *stream)
{
	if (!stream->live || !stream->ring.base)
		return 0;
	return ring_filled(&stream->ring) - segment_end(stream->live);
}

uint64_t
stream_deadline(const struct spool_stream *stream)
{
	const struct segment *segment =
	    stream->old ? stream->old : stream->live;

	if (stream->fault.error || !segment ||
	    segment->size == segment->committed)
		return UINT64_MAX;
	return segment->unsynced_since + stream->spool->options.commit_interval;
}
