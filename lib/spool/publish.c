/*
 * Closed segments on their way into ready/, one at a time and in small steps,
 * so that writes and syncs of the live segments go first.
 *
 *   plain        read it, ledger, rename into ready/, sync ready/, sync live/
 *   compressed   read it, publish.tmp, sync it, ledger, rename it into ready/,
 *                sync ready/, remove the plain one, sync live/
 *
 * A crash at any point leaves the plain segment or the finished file or both;
 * with both, the same steps find the same bytes in ready/ and go on from
 * there. A segment leaves live/ only once a higher number is durable there
 * (see segment.c). A file of other bytes under our name is left alone: the
 * segment gets a new number.
 *
 * Its line in the ledger is durable before a name appears in ready/, so no file
 * there is ever without one; a crash between the two brings the same line
 * again.
 *
 * A failed sync of ready/ is not repeated but begun again, since the second
 * one may lie: the plain segment stays until a rename was confirmed.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "disk.h"
#include "internal.h"

/* --- the queue; in work is always its first --- */

void
publish_add(struct spool *spool, struct segment *segment)
{
	segment->next = NULL;
	*spool->queue_end = segment;
	spool->queue_end = &segment->next;
}

static struct segment *
publish_take(struct spool *spool)
{
	struct segment *segment = spool->queue;

	spool->queue = segment->next;
	if (!spool->queue)
		spool->queue_end = &spool->queue;
	return segment;
}

/* Files and state of the one in work. */
static void
publish_stop(struct spool *spool)
{
	disk_close(&spool->source);
	if (spool->packed >= 0) {
		disk_close(&spool->packed);
		disk_discard(spool->queue->stream->dir, SPOOL_PACKED);
	}
	pack_free(spool->pack);
	spool->pack = NULL;
}

void
publish_clear(struct spool *spool)
{
	if (!spool->queue)
		return;
	publish_stop(spool);
	while (spool->queue)
		segment_free(publish_take(spool));
}

static void
publish_finished(struct spool *spool)
{
	struct segment *segment;

	publish_stop(spool);
	segment = publish_take(spool);
	if (segment->fault.error)
		spool->stuck--;
	segment_free(segment);
}

static bool
publish_eligible(const struct segment *segment)
{
	const struct segment *live = segment->stream->live;

	return live && segment->number < live->number &&
	       !fault_waits(&segment->fault, segment->stream->spool->now);
}

/* Brings one that can be worked on to the front. */
static bool
publish_pick(struct spool *spool)
{
	struct segment *first = spool->queue;

	if (!first || spool->source >= 0)
		return first != NULL; /* stays in work */
	do {
		if (publish_eligible(spool->queue))
			return true;
		publish_add(spool, publish_take(spool));
	} while (spool->queue != first);
	return false;
}

/* --- steps: each answers false with errno set --- */

typedef bool publish_fn(struct segment *segment);

/* Compressed as it may stand in ready/ already, or as the options say. */
static bool
publish_form(struct segment *segment)
{
	const struct spool *spool = segment->stream->spool;
	static const enum spool_compress forms[] = {
	    SPOOL_NONE, SPOOL_GZIP, SPOOL_ZSTD};
	char name[SPOOL_PATH];
	struct stat st;
	size_t i;

	for (i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		segment->compress = forms[i];
		name_ready(name, segment);
		if (fstatat(
			spool->dirs.ready, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			return true;
		if (errno != ENOENT)
			return false;
	}
	segment->compress =
	    segment->plain ? SPOOL_NONE : spool->options.compress;
	return true;
}

/* The plain file is not in live/ any more. */
static bool
publish_absent(struct segment *segment)
{
	if (segment->doubtful) {
		segment->step = PUBLISH_SYNC_READY; /* renamed, or taken */
		return true;
	}
	spool_say(segment->stream->spool, SPOOL_WARNING,
	    "%s %" PRIu64 ": someone removed it before it was published",
	    segment->stream->name, segment->number);
	ledger_tell_skipped(segment, "removed before it was published");
	segment->step = PUBLISH_DONE;
	return true;
}

static bool
publish_begin(struct segment *segment)
{
	struct spool_stream *stream = segment->stream;
	struct spool *spool = stream->spool;
	char name[SPOOL_PATH];
	struct stat st;

	name_live(name, segment->number, segment->extension);
	spool->source = disk_open(stream->dir, name, &st);
	if (spool->source < 0)
		return errno == ENOENT && publish_absent(segment);
	spool->source_at = 0;
	if (segment->size == 0)
		segment->step = PUBLISH_ACCOUNT;
	else if (ledger_is_on(spool) && !segment->content.known)
		segment->step = PUBLISH_READ;
	else
		segment->step = PUBLISH_FORM;
	return true;
}

static bool
publish_read(struct segment *segment)
{
	bool done;

	if (!ledger_read(segment, &done))
		return false;
	if (done)
		segment->step = PUBLISH_FORM;
	return true;
}

static bool
publish_choose(struct segment *segment)
{
	struct spool_stream *stream = segment->stream;
	struct spool *spool = stream->spool;

	if (!publish_form(segment))
		return false;
	if (segment->compress == SPOOL_NONE) {
		segment->published_size = segment->size;
		segment->step = PUBLISH_ACCOUNT;
		return fchmod(spool->source, 0440) == 0;
	}
	spool->source_at = 0;
	spool->pack = pack_new(segment->compress);
	spool->packed =
	    spool->pack ? disk_temporary(stream->dir, SPOOL_PACKED) : -1;
	segment->step = PUBLISH_PACK;
	return spool->packed >= 0;
}

static bool
publish_pack(struct segment *segment)
{
	struct spool *spool = segment->stream->spool;
	size_t n;

	if (!disk_read(spool->source, spool->source_at, spool->scratch,
		sizeof(spool->scratch), &n))
		return false;
	spool->source_at += n;
	if (spool->source_at < segment->size && n == 0) {
		errno = EIO; /* shorter than it was */
		return false;
	}
	if (spool->source_at >= segment->size)
		segment->step = PUBLISH_SEAL;
	return pack_feed(spool->pack, span_of(spool->scratch, n),
	    segment->step == PUBLISH_SEAL, spool->packed);
}

static bool
publish_seal(struct segment *segment)
{
	struct spool *spool = segment->stream->spool;
	struct stat st;

	segment->step = PUBLISH_ACCOUNT;
	if (fchmod(spool->packed, 0440) < 0 || fdatasync(spool->packed) < 0 ||
	    fstat(spool->packed, &st) < 0)
		return false;
	segment->published_size = (uint64_t)st.st_size;
	pack_sum(spool->pack, segment->published_sum);
	return true;
}

/* Before it is to be seen in ready/, or not to be seen at all. */
static bool
publish_account(struct segment *segment)
{
	struct spool *spool = segment->stream->spool;
	bool empty = segment->size == 0;

	segment->step = empty ? PUBLISH_REMOVE : PUBLISH_ENTER;
	if (!ledger_is_on(spool))
		return true;
	if (empty && !segment->content.told)
		segment->content.told = ledger_tell_skipped(
		    segment, "no record of it was committed");
	return (empty ? segment->content.told : ledger_tell_file(segment)) &&
	       ledger_flush(spool);
}

enum rival { RIVAL_EQUAL, RIVAL_OTHER, RIVAL_GONE, RIVAL_UNKNOWN };

static enum rival
compare_bytes(int ours, int rival)
{
	char piece[2][(size_t)16 << 10];
	uint64_t at;
	size_t n, m;

	for (at = 0;; at += n) {
		if (!disk_read(ours, at, piece[0], sizeof(piece[0]), &n) ||
		    !disk_read(rival, at, piece[1], sizeof(piece[1]), &m))
			return RIVAL_UNKNOWN;
		if (n != m || memcmp(piece[0], piece[1], n) != 0)
			return RIVAL_OTHER;
		if (n == 0)
			return RIVAL_EQUAL;
	}
}

/* What stands under our name in ready/. It may be the segment itself: as long
 * as that cannot be told (errno), it must not get another number, or it would
 * be there twice. */
static enum rival
publish_rival(struct segment *segment, const char *ready)
{
	struct spool *spool = segment->stream->spool;
	int ours = spool->packed >= 0 ? spool->packed : spool->source;
	struct stat st;
	int fd = disk_open(spool->dirs.ready, ready, &st);
	enum rival rival;

	if (fd < 0 && errno == ENOENT)
		return RIVAL_GONE;
	if (fd < 0 && (errno == ELOOP || errno == EACCES))
		return RIVAL_OTHER; /* not made by us */
	if (fd < 0)
		return RIVAL_UNKNOWN;
	rival = compare_bytes(ours, fd);
	disk_close(&fd);
	return rival;
}

/* Under a new number, once the live segment is beyond that. */
static bool
publish_renumber(struct segment *segment, const char *ready)
{
	struct spool_stream *stream = segment->stream;
	struct spool *spool = stream->spool;
	uint64_t number = atomic_fetch_add(&stream->next_number, 1);
	char from[SPOOL_PATH], to[SPOOL_PATH];

	name_live(from, segment->number, segment->extension);
	name_live(to, number, segment->extension);
	if (!disk_move(stream->dir, from, stream->dir, to))
		return false;
	spool_say(spool, SPOOL_WARNING,
	    "ready/%s is there already and is not ours: left alone; the "
	    "segment is published as number %" PRIu64,
	    ready, number);
	publish_stop(spool);
	ledger_tell_renumbered(segment, number);
	if (segment->origin == 0)
		segment->origin = segment->number;
	segment->number = number;
	segment->content.told = false;
	segment->step = PUBLISH_BEGIN;
	segment->doubtful = false;
	return fsync(stream->dir) == 0;
}

static bool
publish_enter(struct segment *segment)
{
	struct spool_stream *stream = segment->stream;
	struct spool *spool = stream->spool;
	char live[SPOOL_PATH], ready[SPOOL_PATH];
	const char *from = spool->packed >= 0 ? SPOOL_PACKED : live;

	name_live(live, segment->number, segment->extension);
	name_ready(ready, segment);
	segment->step = PUBLISH_SYNC_READY;
	if (disk_move(stream->dir, from, spool->dirs.ready, ready))
		return true;
	if (errno != EEXIST)
		return false;
	switch (publish_rival(segment, ready)) {
	case RIVAL_OTHER:
		return publish_renumber(segment, ready);
	case RIVAL_GONE:
		segment->step = PUBLISH_ENTER; /* the uploader was quick */
		return true;
	case RIVAL_UNKNOWN:
		return false;
	case RIVAL_EQUAL:
		break;
	}
	/* a new sync confirms only what was renamed anew */
	return !segment->doubtful ||
	       renameat2(stream->dir, from, spool->dirs.ready, ready,
		   RENAME_EXCHANGE) == 0;
}

static bool
publish_sync_ready(struct segment *segment)
{
	struct spool *spool = segment->stream->spool;

	if (fsync(spool->dirs.ready) < 0) {
		segment->doubtful = true;
		return false;
	}
	segment->step = PUBLISH_REMOVE;
	spool->usage.ready += segment->published_size;
	return true;
}

static bool
publish_remove(struct segment *segment)
{
	char name[SPOOL_PATH];

	name_live(name, segment->number, segment->extension);
	if (!disk_remove(segment->stream->dir, name))
		return false;
	segment->step = PUBLISH_SYNC_LIVE;
	return true;
}

static bool
publish_sync_live(struct segment *segment)
{
	struct spool *spool = segment->stream->spool;

	if (fsync(segment->stream->dir) < 0)
		return false;
	segment->step = PUBLISH_DONE;
	if (segment->size == 0)
		return true;
	spool_count(&spool->published, segment->counted);
	spool_count(&spool->files_published, 1);
	return true;
}

/* --- */

/* Begins again from where nothing is assumed. */
static enum publish_step
publish_again(enum publish_step failed)
{
	switch (failed) {
	case PUBLISH_PROVE:
	case PUBLISH_REMOVE:
	case PUBLISH_SYNC_LIVE:
		return failed;
	default:
		return PUBLISH_BEGIN;
	}
}

static void
publish_failed(struct spool *spool, enum publish_step step)
{
	static const char *const doing[] = {
	    [PUBLISH_PROVE] = "recovering",
	    [PUBLISH_BEGIN] = "opening",
	    [PUBLISH_READ] = "reading",
	    [PUBLISH_FORM] = "opening",
	    [PUBLISH_PACK] = "compressing",
	    [PUBLISH_SEAL] = "syncing the compressed file",
	    [PUBLISH_ACCOUNT] = "writing its line in the ledger",
	    [PUBLISH_ENTER] = "moving into ready/",
	    [PUBLISH_SYNC_READY] = "syncing ready/",
	    [PUBLISH_REMOVE] = "removing from live/",
	    [PUBLISH_SYNC_LIVE] = "syncing live/",
	    [PUBLISH_DONE] = "",
	};
	struct segment *segment = spool->queue;

	if (!segment->fault.error)
		spool->stuck++;
	segment->fault =
	    (struct fault){errno, doing[step], spool->now + SPOOL_RETRY};
	spool->publish_fault = segment->fault;
	publish_stop(spool);
	segment->step = publish_again(step);
	publish_add(spool, publish_take(spool));
}

/* Without room to compress it goes as it is: only when the uploader has it
 * will there be room again. It was not seen compressed: publish_form looked. */
static bool
publish_gives_in(struct spool *spool, enum publish_step step)
{
	struct segment *segment = spool->queue;

	if (!disk_is_full(errno) || segment->doubtful || segment->plain ||
	    (step != PUBLISH_PACK && step != PUBLISH_SEAL))
		return false;
	publish_stop(spool);
	segment->plain = true;
	segment->content.told = false;
	segment->step = PUBLISH_BEGIN;
	return true;
}

void
publish_hurry(struct spool *spool)
{
	struct segment *segment;

	for (segment = spool->queue; segment; segment = segment->next)
		segment->fault.retry = 0;
}

void
publish_restart(struct spool *spool)
{
	struct segment *segment;

	/* their names may be others */
	for (segment = spool->queue; segment; segment = segment->next)
		segment->content.told = false;
	if (spool->source < 0)
		return;
	publish_stop(spool);
	spool->queue->step = publish_again(spool->queue->step);
}

void
publish_prove_all(struct spool *spool)
{
	size_t n = 0;
	struct segment *segment;

	for (segment = spool->queue; segment; segment = segment->next)
		n++;
	while (n-- > 0) {
		if (spool->queue->step != PUBLISH_PROVE ||
		    recover_prove(spool->queue))
			publish_add(spool, publish_take(spool));
		else
			publish_failed(spool, PUBLISH_PROVE);
	}
}

bool
publish_work(struct spool *spool)
{
	static publish_fn *const steps[] = {
	    [PUBLISH_PROVE] = recover_prove,
	    [PUBLISH_BEGIN] = publish_begin,
	    [PUBLISH_READ] = publish_read,
	    [PUBLISH_FORM] = publish_choose,
	    [PUBLISH_PACK] = publish_pack,
	    [PUBLISH_SEAL] = publish_seal,
	    [PUBLISH_ACCOUNT] = publish_account,
	    [PUBLISH_ENTER] = publish_enter,
	    [PUBLISH_SYNC_READY] = publish_sync_ready,
	    [PUBLISH_REMOVE] = publish_remove,
	    [PUBLISH_SYNC_LIVE] = publish_sync_live,
	};
	struct segment *segment;
	enum publish_step step;

	if (!publish_pick(spool))
		return false;
	segment = spool->queue;
	step = segment->step;
	if (step != PUBLISH_DONE && !steps[step](segment)) {
		if (!publish_gives_in(spool, step))
			publish_failed(spool, step);
		return true;
	}
	if (segment->step == PUBLISH_DONE) {
		spool->usage.live -= segment->size;
		publish_finished(spool);
	}
	return true;
}
