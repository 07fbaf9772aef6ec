/*
 * What an earlier life left in live/.
 *
 * A file that was closed is read-only: it was synced before it became so, and
 * is only read to make sure. Any other is never trusted as it is, not even if
 * all its lines are whole: what the page cache shows may have failed to reach
 * the disk under a process that did not live to rewrite it. Its whole lines go
 * to a new file, which is synced and takes the name. The original is kept in
 * quarantine/ if there was anything else in it.
 *
 * Nothing here removes a segment's name, so all of it can be cut short and
 * done again.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "disk.h"
#include "internal.h"
#include "lines.h"

/* --- one file --- */

struct salvage {
	int from, to; /* to: -1 if nothing is to be copied */
	uint64_t kept;
};

static bool
salvage_keep(void *arg, uint64_t from, uint64_t to)
{
	struct salvage *salvage = arg;

	salvage->kept += to - from;
	return salvage->to < 0 ||
	       disk_copy(salvage->from, salvage->to, from, to);
}

/* Reads all of it; false: errno is set. */
static bool
salvage_read(
    struct segment *segment, struct salvage *salvage, struct lines *lines)
{
	struct spool *spool = segment->stream->spool;
	uint64_t at = 0;
	size_t n;

	lines_init(
	    lines, lines_kind(segment->extension), salvage_keep, salvage);
	do {
		if (!disk_read(salvage->from, at, spool->scratch,
			sizeof(spool->scratch), &n) ||
		    !lines_feed(lines, span_of(spool->scratch, n)))
			return false;
		at += n;
	} while (n > 0);
	return lines_end(lines);
}

/* A header alone is no record. */
static bool
salvage_finish(struct salvage *salvage, const struct lines *lines)
{
	if (lines->records == 0) {
		salvage->kept = 0;
		if (ftruncate(salvage->to, 0) < 0)
			return false;
	}
	return fchmod(salvage->to, 0440) == 0 && fdatasync(salvage->to) == 0;
}

static bool
recover_keep_original(
    struct segment *segment, const char *name, const struct lines *lines)
{
	struct spool_stream *stream = segment->stream;

	if (lines->dropped == 0)
		return true;
	if (!dirs_keep_original(stream, name, segment))
		return false;
	spool_say(stream->spool, SPOOL_WARNING,
	    "live/%s/%s: %" PRIu64 " bytes are no whole records, %" PRIu64
	    " records are; the original is kept in quarantine/",
	    stream->name, name, lines->dropped, lines->records);
	ledger_tell_quarantined(segment, lines->dropped, lines->records);
	return true;
}

static bool
recover_salvage(
    struct segment *segment, const char *name, struct salvage *salvage)
{
	int dir = segment->stream->dir;
	struct lines lines;
	bool ok;

	salvage->to = disk_temporary(dir, SPOOL_SALVAGE);
	ok = salvage->to >= 0 && salvage_read(segment, salvage, &lines) &&
	     salvage_finish(salvage, &lines) &&
	     recover_keep_original(segment, name, &lines) &&
	     renameat(dir, SPOOL_SALVAGE, dir, name) == 0 && fsync(dir) == 0;
	disk_close(&salvage->to);
	if (!ok)
		disk_discard(dir, SPOOL_SALVAGE);
	return ok;
}

/* Whether it was closed and holds nothing but records. */
static bool
recover_closed(
    struct segment *segment, struct salvage *salvage, const struct stat *st)
{
	struct lines lines;
	bool closed = (st->st_mode & 0222) == 0 &&
		      salvage_read(segment, salvage, &lines) &&
		      lines.dropped == 0 && lines.records > 0;

	if (!closed)
		salvage->kept = 0;
	return closed;
}

static void
recover_proven(struct segment *segment, uint64_t size)
{
	struct spool *spool = segment->stream->spool;

	spool->usage.live += size - segment->size; /* may wrap, and back */
	segment->size = size;
	segment->step = PUBLISH_BEGIN;
}

/* Not a file that we could have written, or could read. */
static bool
recover_stranger(struct segment *segment, const char *name, const char *reason)
{
	if (!dirs_set_aside(segment->stream, name, segment->number,
		segment->extension, reason))
		return false;
	ledger_tell_skipped(segment, reason);
	recover_proven(segment, 0);
	segment->step = PUBLISH_DONE;
	return true;
}

static bool
recover_unopened(struct segment *segment, const char *name)
{
	switch (errno) {
	case ENOENT:
		ledger_tell_skipped(segment, "removed before it was published");
		recover_proven(segment, 0);
		segment->step = PUBLISH_DONE;
		return true;
	case ELOOP:
		return recover_stranger(segment, name, "not a regular file");
	case EACCES:
		return recover_stranger(segment, name, "cannot be read");
	default:
		return false;
	}
}

bool
recover_prove(struct segment *segment)
{
	struct spool_stream *stream = segment->stream;
	struct salvage salvage = {-1, -1, 0};
	char name[SPOOL_PATH];
	struct stat st;
	bool ok = true;

	name_live(name, segment->number, segment->extension);
	salvage.from = disk_open(stream->dir, name, &st);
	if (salvage.from < 0)
		return recover_unopened(segment, name);
	if (st.st_uid != geteuid() && st.st_uid != 0) {
		disk_close(&salvage.from);
		return recover_stranger(
		    segment, name, "belongs to another user");
	}
	if (st.st_size > 0)
		ok = recover_closed(segment, &salvage, &st) ||
		     recover_salvage(segment, name, &salvage);
	disk_close(&salvage.from);
	if (ok)
		recover_proven(segment, salvage.kept);
	return ok;
}

/* --- one stream --- */

struct finding {
	struct spool_stream *stream;
	struct segment **found;
	size_t n, room;
	size_t others;
	uint64_t highest;
	bool no_memory;
};

static bool
finding_is_ours(const char *name)
{
	static const char *const temporary[] = {
	    SPOOL_REWRITE, SPOOL_SALVAGE, SPOOL_PACKED};
	size_t i;

	for (i = 0; i < sizeof(temporary) / sizeof(*temporary); i++)
		if (strcmp(name, temporary[i]) == 0)
			return true;
	return false;
}

static bool
finding_add(struct finding *finding, struct segment *segment)
{
	size_t room = finding->room ? 2 * finding->room : 16;
	struct segment **found = finding->found;

	if (finding->n == finding->room) {
		found = realloc(found, room * sizeof(struct segment *));
		if (!found)
			return false;
		finding->found = found;
		finding->room = room;
	}
	found[finding->n++] = segment;
	return true;
}

static void
finding_name(void *arg, const char *name)
{
	struct finding *finding = arg;
	struct spool_stream *stream = finding->stream;
	char extension[SPOOL_EXTENSION_MAX + 1];
	struct segment *segment;
	uint64_t number;

	if (finding_is_ours(name)) {
		disk_remove(stream->dir, name);
		return;
	}
	if (!name_parse_live(name, &number, extension)) {
		finding->others++;
		return;
	}
	if (number > finding->highest)
		finding->highest = number;
	segment = segment_new(stream, number, extension);
	if (!segment || !finding_add(finding, segment)) {
		segment_free(segment);
		finding->no_memory = true;
	}
}

static void
finding_ready(void *arg, const char *name)
{
	struct finding *finding = arg;
	struct span stream;
	uint64_t number;

	if (name_parse_ready(name, &stream, &number) &&
	    span_eq(stream, span_str(finding->stream->name)) &&
	    number > finding->highest)
		finding->highest = number;
}

static int
segment_order(const void *a, const void *b)
{
	const struct segment *x = *(struct segment *const *)a;
	const struct segment *y = *(struct segment *const *)b;

	return x->number < y->number ? -1 : x->number > y->number;
}

/* Goes on with the last file if that is empty and of the right kind. */
static bool
recover_adopt(struct spool_stream *stream, struct segment *last)
{
	char name[SPOOL_PATH];
	struct stat st;

	if (strcmp(last->extension, stream->extension) != 0)
		return false;
	name_live(name, last->number, last->extension);
	if (fstatat(stream->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISREG(st.st_mode) || st.st_size > 0 || st.st_nlink > 2 ||
	    st.st_uid != geteuid() || (st.st_mode & 0222) == 0)
		return false;
	last->fd = openat(
	    stream->dir, name, O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
	if (last->fd >= 0 && fsync(stream->dir) < 0)
		disk_close(&last->fd);
	if (last->fd < 0)
		return false;
	last->header = stream->header_n > 0;
	stream->live = last;
	return true;
}

static void
recover_queue(struct segment *segment)
{
	struct spool_stream *stream = segment->stream;
	char name[SPOOL_PATH];
	struct stat st;

	name_live(name, segment->number, segment->extension);
	if (fstatat(stream->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(st.st_mode))
		segment->size = (uint64_t)st.st_size;
	stream->spool->usage.live += segment->size;
	publish_add(stream->spool, segment);
}

/* The first segment of this life: it holds the highest number. */
static void
recover_first(struct spool_stream *stream, struct finding *finding)
{
	struct segment *last =
	    finding->n ? finding->found[finding->n - 1] : NULL;

	if (last && last->number == finding->highest &&
	    recover_adopt(stream, last)) {
		finding->n--;
		stream->number = last->number;
	} else {
		stream->number = finding->highest + 1;
		stream->wanted = (struct mark){
		    .number = stream->number, .header = stream->header_n > 0};
		memcpy(stream->wanted.extension, stream->extension,
		    sizeof(stream->extension));
		stream_create(stream); /* if not now, then later */
	}
	atomic_store(&stream->next_number, stream->number + 1);
}

static void
recover_tell(const struct finding *finding)
{
	struct spool_stream *stream = finding->stream;

	if (finding->n > 0)
		spool_say(stream->spool, SPOOL_NOTE,
		    "live/%s: %zu segments of an earlier run", stream->name,
		    finding->n);
	if (finding->others > 0)
		spool_say(stream->spool, SPOOL_WARNING,
		    "live/%s: %zu files that are no segments, left alone",
		    stream->name, finding->others);
}

bool
recover_stream(struct spool_stream *stream)
{
	struct finding finding = {.stream = stream};
	/* a list that breaks off could hide the highest number */
	bool ok =
	    disk_list(stream->spool->dirs.ready, finding_ready, &finding) &&
	    disk_list(stream->dir, finding_name, &finding);
	int error = errno;
	size_t i;

	if (ok && finding.no_memory) {
		ok = false;
		error = ENOMEM;
	}
	if (finding.n > 0)
		qsort(finding.found, finding.n, sizeof(*finding.found),
		    segment_order);
	if (ok && !stream->extension[0] && finding.n > 0)
		memcpy(stream->extension,
		    finding.found[finding.n - 1]->extension,
		    sizeof(stream->extension));
	if (ok && stream->extension[0])
		recover_first(stream, &finding);
	if (ok)
		recover_tell(&finding);
	for (i = 0; i < finding.n; i++)
		if (ok)
			recover_queue(finding.found[i]);
		else
			free(finding.found[i]);
	free(finding.found);
	errno = error;
	return ok;
}

/* --- streams that are not configured --- */

static void
guest_name(void *arg, const char *name)
{
	struct spool *spool = arg;
	struct spool_stream *stream;
	char shown[SPOOL_PATH], why[256];

	if (!name_stream_ok(name)) {
		name_show(shown, sizeof(shown), name);
		spool_say(spool, SPOOL_WARNING,
		    "live/%s is no stream of ours: left alone", shown);
		return;
	}
	if (stream_find(spool, name))
		return;
	stream = stream_new(spool, name, why, sizeof(why));
	if (!stream)
		spool_say(spool, SPOOL_WARNING, "%s", why);
	else if (!recover_stream(stream))
		spool_say(
		    spool, SPOOL_WARNING, "live/%s: %s", name, strerror(errno));
	if (stream && !stream->extension[0])
		stream_free(stream); /* there was nothing */
}

void
recover_guests(struct spool *spool)
{
	disk_list(spool->dirs.live, guest_name, spool);
}
