#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "disk.h"
#include "internal.h"

/* --- reports --- */

void
spool_say(struct spool *spool, enum spool_level level, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (!spool->report)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	spool->report(spool->arg, level, text);
}

bool
spool_may_tell(const struct spool *spool, uint64_t *told)
{
	if (*told && spool->now - *told < SPOOL_TELL)
		return false;
	*told = spool->now ? spool->now : 1;
	return true;
}

static void __attribute__((format(printf, 3, 4)))
spool_why(char *why, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, size, fmt, ap);
	va_end(ap);
}

/* --- record side --- */

struct spool_stream *
spool_stream(struct spool *spool, size_t index)
{
	return index < spool->count ? spool->active[index] : NULL;
}

struct span
spool_instance(const struct spool *spool)
{
	return span_of(spool->instance, SPOOL_INSTANCE);
}

static bool
stream_marks_full(const struct spool_stream *stream)
{
	const struct marks *marks = &stream->marks;

	return atomic_load_explicit(&marks->head, memory_order_relaxed) -
		   atomic_load_explicit(&marks->tail, memory_order_acquire) ==
	       MARKS;
}

/* The next line goes to a new segment. Not yet if the disk side is too far
 * behind. */
static void
stream_end_segment(struct spool_stream *stream)
{
	struct marks *marks = &stream->marks;
	unsigned head =
	    atomic_load_explicit(&marks->head, memory_order_relaxed);
	struct mark *mark = &marks->mark[head % MARKS];

	if (stream_marks_full(stream))
		return;
	mark->end = stream->ring.head;
	mark->first_us = stream->first_us;
	mark->last_us = stream->last_us;
	if (stream->ring.size > SPOOL_DIRECT)
		ring_align(&stream->ring, SPOOL_PAGE);
	stream->number = atomic_fetch_add(&stream->next_number, 1);
	stream->start = stream->ring.head;
	stream->line = 1;
	stream->marked = true;
	mark->position = stream->start;
	mark->number = stream->number;
	mark->header = stream->header_n > 0;
	memcpy(mark->extension, stream->extension, sizeof(mark->extension));
	atomic_store_explicit(&marks->head, head + 1, memory_order_release);
}

static bool
stream_is_long(const struct spool_stream *stream)
{
	return stream->ring.head - stream->start >= stream->rotate_size;
}

/* A segment is not to become longer than its size: one that alone filled the
 * quota could not be ended, and so not be taken away. */
static bool
stream_must_wait(const struct spool_stream *stream)
{
	return stream_is_long(stream) && stream_marks_full(stream);
}

/* The header goes before the first line: a segment without lines is empty. */
static size_t
stream_header(const struct spool_stream *stream)
{
	return stream->line == 1 ? stream->header_n : 0;
}

char *
spool_reserve(struct spool_stream *stream, size_t n)
{
	size_t header;
	char *room;

	if (stream_must_wait(stream))
		return NULL;
	if (stream_is_long(stream))
		stream_end_segment(stream);
	header = stream_header(stream);
	if (n > stream->ring.size || header > stream->ring.size - n)
		return NULL;
	room = ring_reserve(&stream->ring, header + n);
	if (room && header) {
		memcpy(room, stream->header, header);
		room += header;
	}
	return room;
}

void
spool_position(
    const struct spool_stream *stream, uint64_t *segment, uint64_t *line)
{
	*segment = stream->number;
	*line = stream->line;
}

void
spool_append(struct spool_stream *stream, size_t n, uint64_t now)
{
	if (stream->line == 1) {
		n += stream->header_n;
		stream->born = now;
		stream->first_us = stream->spool->received_us;
	}
	stream->last_us = stream->spool->received_us;
	stream->ring.head += n;
	stream->line++;
	if (stream_is_long(stream))
		stream_end_segment(stream);
}

/* Before the lines can be seen: then so can this. */
static void
stream_stamp(struct spool_stream *stream)
{
	if (ring_is_new(&stream->ring) &&
	    atomic_load_explicit(&stream->flushed, memory_order_relaxed) == 0)
		atomic_store_explicit(&stream->flushed, stream->spool->stamp,
		    memory_order_relaxed);
}

static bool
stream_flush(struct spool_stream *stream)
{
	bool marked = stream->marked;

	stream->marked = false;
	stream_stamp(stream);
	return ring_flush(&stream->ring) || marked;
}

bool
spool_flush(struct spool *spool)
{
	bool any = false;
	size_t i;

	for (i = 0; i < spool->count; i++)
		any |= stream_flush(spool->active[i]);
	return any;
}

bool
spool_rotate(struct spool *spool, uint64_t now, bool all)
{
	uint64_t age = spool->options.rotate_age;
	struct spool_stream *stream;
	size_t i;

	for (i = 0; i < spool->count; i++) {
		stream = spool->active[i];
		if (stream->line > 1 &&
		    (all || (age && now - stream->born >= age)))
			stream_end_segment(stream);
	}
	return spool_flush(spool);
}

unsigned
spool_fill(const struct spool *spool)
{
	const struct ring *ring;
	uint64_t used, percent, most = 0;
	size_t i;

	for (i = 0; i < spool->count; i++) {
		ring = &spool->active[i]->ring;
		used = ring->head -
		       atomic_load_explicit(&ring->tail, memory_order_relaxed);
		percent = stream_must_wait(spool->active[i])
			      ? 100
			      : used * 100 / ring->size;
		if (percent > most)
			most = percent;
	}
	return (unsigned)most;
}

void
spool_set_received(struct spool *spool, int64_t us)
{
	spool->received_us = us;
}

void
spool_stamp(struct spool *spool, uint64_t us)
{
	spool->stamp = us;
}

static uint64_t
counter(const _Atomic uint64_t *value)
{
	return atomic_load_explicit(value, memory_order_relaxed);
}

void
spool_status(const struct spool *spool, struct spool_status *status)
{
	status->state = (enum spool_state)atomic_load(&spool->state);
	status->error = atomic_load(&spool->error);
	/* the later ones first, so that none seems to be ahead */
	status->published = counter(&spool->published);
	status->committed = counter(&spool->committed);
	status->accepted = counter(&spool->accepted);
	status->files_published = counter(&spool->files_published);
	status->files_dropped = counter(&spool->files_dropped);
	status->bytes_used = counter(&spool->bytes_used);
}

/* --- state --- */

struct trouble {
	enum spool_state state;
	int error;
	char text[256];
};

static void
trouble_of_fault(
    struct trouble *trouble, const struct fault *fault, const char *whose)
{
	if (!fault->error || disk_is_full(fault->error))
		return;
	trouble->state = SPOOL_DISK_ERROR;
	trouble->error = fault->error;
	snprintf(trouble->text, sizeof(trouble->text),
	    "disk error: %s: %s: %s; tried again every %d s", whose,
	    fault->doing, strerror(fault->error), SPOOL_RETRY / 1000);
}

static void
spool_trouble(const struct spool *spool, struct trouble *trouble)
{
	const struct usage *usage = &spool->usage;
	const struct spool_stream *stream;

	*trouble = (struct trouble){.state = SPOOL_OK};
	if (usage->full) {
		trouble->state = SPOOL_FULL;
		trouble->error = usage->error ? usage->error : ENOSPC;
		snprintf(trouble->text, sizeof(trouble->text),
		    "full: %s; nothing is written until there is room",
		    usage->reason);
	}
	if (spool->stuck)
		trouble_of_fault(trouble, &spool->publish_fault, "publishing");
	for (stream = spool->streams; stream; stream = stream->next)
		trouble_of_fault(trouble, &stream->fault, stream->name);
	trouble_of_fault(trouble, &spool->ledger.fault, "ledger");
}

/* One report when a state is entered, one when it is left, and one a minute
 * in between. */
static void
spool_tell_state(struct spool *spool, const struct trouble *trouble)
{
	enum spool_state before = (enum spool_state)atomic_load_explicit(
	    &spool->state, memory_order_relaxed);

	if (trouble->state != before) {
		spool->told = 0;
		if (before == SPOOL_OK)
			spool->since = spool->now;
		if (trouble->state == SPOOL_OK)
			spool_say(spool, SPOOL_NOTE,
			    "writing again after %" PRIu64 " s; %" PRIu64
			    " bytes in use",
			    (spool->now - spool->since) / 1000,
			    spool->usage.live + spool->usage.ready);
	}
	if (trouble->state != SPOOL_OK && spool_may_tell(spool, &spool->told))
		spool_say(spool, SPOOL_WARNING, "%s (for %" PRIu64 " s)",
		    trouble->text, (spool->now - spool->since) / 1000);
}

static void
spool_update(struct spool *spool)
{
	struct trouble trouble;

	spool_trouble(spool, &trouble);
	spool_tell_state(spool, &trouble);
	atomic_store(&spool->error, trouble.error);
	atomic_store(&spool->state, (int)trouble.state);
	atomic_store_explicit(&spool->bytes_used,
	    spool->usage.live + spool->usage.ready, memory_order_relaxed);
}

/* --- disk side --- */

static void
spool_tick(struct spool *spool)
{
	struct spool_stream *stream;

	dirs_check(spool);
	for (stream = spool->streams; stream; stream = stream->next)
		stream_check(stream);
	ledger_check(spool);
	usage_check(spool);
	spool->tick = spool->now + SPOOL_TICK;
}

static void
spool_work_streams(struct spool *spool, bool all)
{
	struct spool_stream *stream;

	for (stream = spool->streams; stream; stream = stream->next)
		stream_work(stream, all);
	if (spool->usage.probing) /* and nothing failed: there is room */
		spool->usage.full = spool->usage.probing = false;
}

static uint64_t
spool_deadline(const struct spool *spool)
{
	const struct spool_stream *stream;
	uint64_t deadline = spool->tick, at;

	for (stream = spool->streams; stream; stream = stream->next) {
		at = stream_deadline(stream);
		if (at < deadline)
			deadline = at;
	}
	return deadline;
}

uint64_t
spool_work(struct spool *spool, uint64_t now)
{
	bool more;

	spool->drained = false;
	spool->now = now;
	if (now >= spool->tick)
		spool_tick(spool);
	spool_work_streams(spool, false);
	more = publish_work(spool);
	ledger_flush(spool);
	spool_update(spool);
	return more ? now : spool_deadline(spool);
}

void
spool_set_before(struct spool *spool, spool_before_cb *before, void *arg)
{
	spool->before = before;
	spool->before_arg = arg;
}

void
spool_set_time(struct spool *spool, int64_t us)
{
	spool->time_us = us;
}

void
spool_on_commit(struct spool *spool, spool_commit_cb *commit, void *arg)
{
	spool->commit = commit;
	spool->commit_arg = arg;
}

uint64_t
spool_backlog(struct spool *spool)
{
	struct spool_stream *stream;
	uint64_t most = 0, n;

	for (stream = spool->streams; stream; stream = stream->next) {
		n = stream_backlog(stream);
		if (n > most)
			most = n;
	}
	return most;
}

static bool
stream_drained(const struct spool_stream *stream)
{
	const struct segment *live = stream->live;

	return live && !stream->old && live->size == 0 &&
	       live->start == stream->ring.head;
}

static bool
spool_drained(const struct spool *spool)
{
	const struct spool_stream *stream;

	for (stream = spool->streams; stream; stream = stream->next)
		if (!stream_drained(stream))
			return false;
	return spool->queue == NULL;
}

bool
spool_drain(struct spool *spool, uint64_t now)
{
	int i;

	spool->now = now;
	spool_tick(spool);
	/* twice, in case there was no place for a last mark */
	for (i = 0; i < 2; i++) {
		spool_rotate(spool, now, true);
		spool_work_streams(spool, true);
	}
	publish_hurry(spool);
	spool->ledger.fault.retry = 0;
	while (publish_work(spool))
		continue;
	spool_ledger_flush(spool);
	spool_update(spool);
	spool->drained = spool_drained(spool);
	return spool->drained;
}

/* --- streams --- */

struct spool_stream *
stream_find(struct spool *spool, const char *name)
{
	struct spool_stream *stream = spool->streams;

	while (stream && strcmp(stream->name, name) != 0)
		stream = stream->next;
	return stream;
}

struct spool_stream *
stream_new(struct spool *spool, const char *name, char *why, size_t size)
{
	struct spool_stream *stream = calloc(1, sizeof(*stream));

	if (!stream) {
		spool_why(why, size, "no memory");
		return NULL;
	}
	stream->dir = dirs_stream(&spool->dirs, name, why, size);
	if (stream->dir < 0) {
		free(stream);
		return NULL;
	}
	snprintf(stream->name, sizeof(stream->name), "%s", name);
	stream->spool = spool;
	stream->retired = true;
	stream->line = 1;
	stream->next = spool->streams;
	spool->streams = stream;
	return stream;
}

/* Always the last one that was made. */
void
stream_free(struct spool_stream *stream)
{
	stream->spool->streams = stream->next;
	segment_free(stream->live);
	segment_free(stream->old);
	ring_clear(&stream->ring);
	disk_close(&stream->dir);
	free(stream->header);
	free(stream);
}

/* --- configuration: a plan that can fail, then what cannot --- */

struct plan {
	const struct spool_stream_options *options;
	struct spool_stream *stream;
	struct ring ring; /* if it has none */
	char *header;
};

static bool
stream_options_ok(const struct spool_stream_options *streams, size_t count,
    char *why, size_t size)
{
	size_t i, k;

	for (i = 0; i < count; i++) {
		if (!name_stream_ok(streams[i].name) ||
		    !name_extension_ok(streams[i].extension)) {
			spool_why(why, size,
			    "stream %zu: a name is a-z, 0-9 and _, at most %d "
			    "of them",
			    i + 1, SPOOL_NAME_MAX);
			return false;
		}
		for (k = 0; k < i; k++)
			if (strcmp(streams[i].name, streams[k].name) == 0) {
				spool_why(why, size, "stream %s is there twice",
				    streams[i].name);
				return false;
			}
	}
	return true;
}

static bool
plan_copy_header(struct plan *plan)
{
	struct span header = plan->options->header;

	plan->header = malloc(header.n + 1); /* never of size 0 */
	if (plan->header && header.n)
		memcpy(plan->header, header.p, header.n);
	return plan->header != NULL;
}

/* What the segment in work is made for does not hold any more. */
static bool
plan_ends_segment(const struct plan *plan)
{
	const struct spool_stream *stream = plan->stream;
	struct span before = {stream->header, stream->header_n};
	struct span after = plan->options->header;

	return strcmp(stream->extension, plan->options->extension) != 0 ||
	       (before.n > 0) != (after.n > 0) ||
	       (stream->line > 1 && !span_eq(before, after));
}

/* A stream that was never seen: its directory may have been used before. */
static bool
plan_new_stream(struct spool *spool, struct plan *plan, char *why, size_t size)
{
	const struct spool_stream_options *options = plan->options;
	struct spool_stream *stream =
	    stream_new(spool, options->name, why, size);

	if (!stream)
		return false;
	snprintf(stream->extension, sizeof(stream->extension), "%s",
	    options->extension);
	/* for whoever creates the first segment; the header itself later */
	stream->header_n = options->header.n;
	plan->stream = stream;
	if (recover_stream(stream))
		return true;
	spool_why(why, size, "live/%s: %s", options->name, strerror(errno));
	stream_free(stream);
	return false;
}

static bool
plan_stream(struct spool *spool, struct plan *plan, size_t buffer, char *why,
    size_t size)
{
	plan->stream = stream_find(spool, plan->options->name);
	if (!plan->stream && !plan_new_stream(spool, plan, why, size))
		return false;
	if (!plan_copy_header(plan) ||
	    (!plan->stream->ring.base && !ring_init(&plan->ring, buffer))) {
		spool_why(why, size, "stream %s: buffer of %zu bytes: %s",
		    plan->options->name, buffer, strerror(errno));
		return false;
	}
	if (plan_ends_segment(plan) && stream_marks_full(plan->stream)) {
		spool_why(why, size,
		    "stream %s: the disk is too far behind for a change",
		    plan->options->name);
		return false;
	}
	return true;
}

/* An empty ring begins at position 0, and so does the segment. */
static void
plan_apply_ring(struct plan *plan)
{
	struct spool_stream *stream = plan->stream;

	if (stream->ring.base)
		return;
	stream->ring = plan->ring;
	plan->ring.base = NULL;
	stream->start = 0;
	stream->line = 1;
	if (stream->live)
		stream->live->start = 0;
	stream->wanted.position = 0;
}

static void
plan_apply(struct plan *plan, const struct spool *spool)
{
	const struct spool_stream_options *options = plan->options;
	struct spool_stream *stream = plan->stream;
	bool ends = plan_ends_segment(plan);

	plan_apply_ring(plan);
	ring_resize(&stream->ring, spool->options.buffer);
	snprintf(stream->extension, sizeof(stream->extension), "%s",
	    options->extension);
	free(stream->header);
	stream->header = plan->header;
	stream->header_n = options->header.n;
	plan->header = NULL;
	stream->rotate_size = spool->rotate_size;
	if (ends)
		stream_end_segment(stream);
	if (stream->retired && stream->live)
		stream->live->linked = false;
	stream->retired = false;
}

static void
plan_free(struct plan *plans, size_t count)
{
	size_t i;

	for (i = 0; plans && i < count; i++) {
		ring_clear(&plans[i].ring);
		free(plans[i].header);
	}
	free(plans);
}

static struct plan *
plan_new(struct spool *spool, const struct spool_stream_options *streams,
    size_t count, size_t buffer, char *why, size_t size)
{
	struct plan *plans = calloc(count + 1, sizeof(*plans));
	size_t i;

	if (!plans) {
		spool_why(why, size, "no memory");
		return NULL;
	}
	for (i = 0; i < count; i++) {
		plans[i].options = &streams[i];
		if (!plan_stream(spool, &plans[i], buffer, why, size)) {
			plan_free(plans, count);
			return NULL;
		}
	}
	return plans;
}

static void
spool_apply_options(
    struct spool *spool, const struct spool_options *options, size_t count)
{
	spool->options = *options;
	spool->options.directory = spool->directory;
	spool->rotate_size = usage_rotate_size(options, count);
}

static void
spool_apply(struct spool *spool, struct plan *plans, size_t count,
    struct spool_stream **active)
{
	size_t i;

	for (i = 0; i < count; i++) {
		plan_apply(&plans[i], spool);
		active[i] = plans[i].stream;
	}
	free(spool->active);
	spool->active = active;
	spool->count = count;
	plan_free(plans, count);
}

/* --- open, reload, close --- */

static struct spool *
spool_new(const struct spool_options *options, spool_report_cb *report,
    void *arg, uint64_t now)
{
	struct spool *spool = calloc(1, sizeof(*spool));

	if (!spool)
		return NULL;
	spool->dirs = (struct dirs){-1, -1, -1, -1, -1, -1};
	spool->source = spool->packed = spool->ledger.fd = -1;
	spool->queue_end = &spool->queue;
	spool->report = report;
	spool->arg = arg;
	spool->now = now;
	spool->time_us = options->ledger.time;
	spool->directory = strdup(options->directory);
	if (!spool->directory || !ledger_init(spool)) {
		ledger_clear(spool);
		free(spool->directory);
		free(spool);
		return NULL;
	}
	return spool;
}

struct spool *
spool_open(const struct spool_options *options,
    const struct spool_stream_options *streams, size_t count, uint64_t now,
    spool_report_cb *report, void *arg, char *why, size_t size)
{
	struct spool *spool = NULL;
	struct spool_stream **active = NULL;
	struct plan *plans;

	if (!stream_options_ok(streams, count, why, size))
		return NULL;
	spool_why(why, size, "no memory");
	spool = spool_new(options, report, arg, now);
	active = calloc(count + 1, sizeof(struct spool_stream *));
	if (!spool || !active)
		goto fail;
	spool_apply_options(spool, options, count);
	if (!dirs_open(&spool->dirs, spool->directory, NULL, why, size) ||
	    !dirs_instance(spool, why, size))
		goto fail;
	plans = plan_new(spool, streams, count, options->buffer, why, size);
	if (!plans)
		goto fail;
	spool_apply(spool, plans, count, active);
	recover_guests(spool);
	disk_remove(spool->dirs.root, SPOOL_LINK);
	publish_prove_all(spool);
	spool_work_streams(spool, false);
	spool_tick(spool);
	spool_update(spool);
	return spool;
fail:
	free(active);
	spool_close(spool);
	return NULL;
}

static void
spool_retire_others(struct spool *spool, const struct plan *plans, size_t count)
{
	struct spool_stream *stream;
	size_t i, k;

	for (i = 0; i < spool->count; i++) {
		stream = spool->active[i];
		for (k = 0; k < count && plans[k].stream != stream; k++)
			continue;
		if (k < count)
			continue;
		if (stream->line > 1)
			stream_end_segment(stream);
		stream_flush(stream);
		stream->retired = true;
		if (stream->live)
			stream->live->linked = false;
	}
}

/* Whether each stream can be closed: those that go have to be. */
static bool
spool_may_retire(struct spool *spool, char *why, size_t size)
{
	size_t i;

	for (i = 0; i < spool->count; i++)
		if (stream_marks_full(spool->active[i])) {
			spool_why(why, size,
			    "stream %s: the disk is too far behind for a "
			    "change",
			    spool->active[i]->name);
			return false;
		}
	return true;
}

bool
spool_reload(struct spool *spool, const struct spool_options *options,
    const struct spool_stream_options *streams, size_t count, uint64_t now,
    char *why, size_t size)
{
	struct spool_stream **active;
	struct plan *plans;

	spool->now = now;
	spool_flush(spool);
	spool_work_streams(spool, false); /* makes place for marks */
	if (!stream_options_ok(streams, count, why, size) ||
	    !spool_may_retire(spool, why, size))
		return false;
	active = calloc(count + 1, sizeof(struct spool_stream *));
	if (!active) {
		spool_why(why, size, "no memory");
		return false;
	}
	plans = plan_new(spool, streams, count, options->buffer, why, size);
	if (!plans) {
		free(active);
		return false;
	}
	publish_restart(spool);
	spool_apply_options(spool, options, count);
	spool_retire_others(spool, plans, count);
	spool_apply(spool, plans, count, active);
	ledger_tell_streams(spool);
	spool_flush(spool);
	spool->tick = now;
	return true;
}

void
spool_close(struct spool *spool)
{
	if (!spool)
		return;
	publish_clear(spool);
	ledger_clear(spool);
	for (struct spool_stream *s = spool->streams, *next; s; s = next) {
		next = s->next;
		stream_free(s);
	}
	dirs_close(&spool->dirs);
	free(spool->active);
	free(spool->directory);
	free(spool);
}
