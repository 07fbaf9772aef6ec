/*
 * The ledger's files: written to the end, synced after each batch of lines,
 * never changed otherwise, and begun anew with each life, each day and each
 * mebibyte.
 *
 * Lines wait in memory until they are durable. After a failed write or sync
 * nothing of the file is trusted but the whole pages that an earlier sync
 * confirmed: it is left as it is, and the lines behind them go to a new file,
 * which says in its first line where the chain goes on. Only when its line is
 * durable does a file get its name in ready/.
 *
 * A full disk must not keep files from ready/, from where alone room can come:
 * so some room for lines is reserved in advance, where the file system can.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../calendar.h"
#include "disk.h"
#include "internal.h"
#include "lines.h"

#define FILE_SIZE ((uint64_t)1 << 20)
#define FILE_LEAST ((uint64_t)64 << 10)
#define RESERVE ((uint64_t)64 << 10) /* at once */
#define RESERVE_LOW ((uint64_t)16 << 10)
#define REMOVALS 16 /* at most, at once */
#define ID_TAIL 512 /* of a line: holds its id and the time of receipt */

bool
ledger_init(struct spool *spool)
{
	spool->ledger.sha = sha256_new();
	spool->sha = sha256_new();
	return spool->ledger.sha && spool->sha;
}

/* --- names --- */

static void
ledger_name(char name[SPOOL_PATH], const struct spool *spool, uint64_t number)
{
	snprintf(name, SPOOL_PATH, "ledger-%s-%016" PRIu64 ".jsonl",
	    spool->instance, number);
}

struct ledger_finding {
	const struct spool *spool;
	uint64_t below; /* only lower numbers are looked for */
	uint64_t highest;
	uint64_t lowest; /* of all */
	uint64_t bytes;
	/* of both; not all may have the instance of today */
	char highest_name[SPOOL_PATH], lowest_name[SPOOL_PATH];
};

static void
finding_name(void *arg, const char *name)
{
	struct ledger_finding *finding = arg;
	struct span stream;
	struct stat st;
	uint64_t number;

	if (!name_parse_ready(name, &stream, &number) ||
	    !span_eq(stream, SPAN("ledger")))
		return;
	if (strlen(name) >= SPOOL_PATH)
		return;
	if (number < finding->below && number > finding->highest) {
		finding->highest = number;
		memcpy(finding->highest_name, name, strlen(name) + 1);
	}
	if (number < finding->lowest) {
		finding->lowest = number;
		memcpy(finding->lowest_name, name, strlen(name) + 1);
	}
	if (fstatat(finding->spool->dirs.ledger, name, &st,
		AT_SYMLINK_NOFOLLOW) == 0)
		finding->bytes += (uint64_t)st.st_size;
}

static bool
ledger_find_files(struct spool *spool, struct ledger_finding *finding)
{
	finding->spool = spool;
	finding->highest = 0;
	finding->lowest = UINT64_MAX;
	finding->bytes = 0;
	return disk_list(spool->dirs.ledger, finding_name, finding);
}

/* --- what an earlier life left --- */

/* How much of the file is whole lines, and the chain value after them. */
struct ledger_end {
	uint64_t size;
	uint8_t chain[SHA256_SIZE];
	bool any;
};

/* The lines at the start of `in`; answers how many bytes they have. */
static size_t
end_of_lines(struct span in, struct ledger_entry *entry, struct ledger_end *end)
{
	struct span rest = in;
	size_t n;

	for (; (n = span_find(rest, '\n')) < rest.n;
	     rest = span_skip(rest, n + 1)) {
		if (!ledger_parse(span_take(rest, n), entry))
			break;
		memcpy(end->chain, entry->chain, sizeof(end->chain));
		end->any = true;
	}
	return in.n - rest.n;
}

/* Reads it from the start up to what is no line. */
static bool
ledger_read_end(struct spool *spool, int fd, struct ledger_end *end)
{
	struct ledger_entry *entry = malloc(sizeof(*entry));
	size_t n, used;
	bool ok;

	*end = (struct ledger_end){0};
	if (!entry)
		return false;
	do {
		ok = disk_read(
		    fd, end->size, spool->scratch, sizeof(spool->scratch), &n);
		used = ok ? end_of_lines(span_of(spool->scratch, n), entry, end)
			  : 0;
		end->size += used;
	} while (used > 0);
	free(entry);
	return ok;
}

/* Its whole lines in a new file: it may never have been synced. */
static bool
ledger_salvage(
    struct spool *spool, const char *name, int from, struct ledger_end *end)
{
	int dir = spool->dirs.ledger;
	int to = disk_temporary(dir, SPOOL_LEDGER);
	bool ok = to >= 0 && disk_copy(from, to, 0, end->size) &&
		  fchmod(to, 0440) == 0 && fdatasync(to) == 0 &&
		  renameat(dir, SPOOL_LEDGER, dir, name) == 0 &&
		  fsync(dir) == 0;

	disk_close(&to);
	if (!ok)
		disk_discard(dir, SPOOL_LEDGER);
	return ok;
}

/* One that holds no line at all was never of use. */
static bool
ledger_recover_file(struct spool *spool, const char *name, bool *found)
{
	struct ledger_end end;
	struct stat st;
	bool ok;
	int fd;

	fd = disk_open(spool->dirs.ledger, name, &st);
	if (fd < 0)
		return errno == ENOENT || errno == ELOOP;
	ok = ledger_read_end(spool, fd, &end);
	if (ok && end.any && (st.st_mode & 0222) != 0)
		ok = ledger_salvage(spool, name, fd, &end);
	else if (ok && !end.any && (st.st_mode & 0222) != 0)
		ok = disk_remove(spool->dirs.ledger, name);
	disk_close(&fd);
	*found = ok && end.any;
	if (*found)
		memcpy(spool->ledger.anchor, end.chain, SHA256_SIZE);
	return ok;
}

static bool
ledger_recover(struct spool *spool)
{
	struct ledger *ledger = &spool->ledger;
	struct ledger_finding finding = {.below = UINT64_MAX};
	bool found = false;

	if (ledger->recovered)
		return true;
	if (!disk_remove(spool->dirs.ledger, SPOOL_LEDGER) ||
	    !ledger_find_files(spool, &finding))
		return false;
	ledger->number = finding.highest;
	while (finding.highest > 0 && !found) {
		if (!ledger_recover_file(spool, finding.highest_name, &found))
			return false;
		finding.below = finding.highest;
		if (!found && !ledger_find_files(spool, &finding))
			return false;
	}
	ledger->recovered = true;
	return true;
}

/* --- the file that is written --- */

static uint64_t
ledger_file_size(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_FSIZE, &limit) == 0 &&
	    limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur / 2 < FILE_SIZE)
		return (uint64_t)limit.rlim_cur / 2;
	return FILE_SIZE;
}

static int64_t
day_of(const struct spool *spool)
{
	return calendar_floor(spool->time_us, (int64_t)CALENDAR_DAY * 1000000);
}

/* Best effort: without it a full disk takes no lines. */
static void
ledger_reserve(struct ledger *ledger)
{
	if (ledger->size + RESERVE_LOW < ledger->reserved)
		return;
	if (fallocate(ledger->fd, FALLOC_FL_KEEP_SIZE, (off_t)ledger->reserved,
		(off_t)RESERVE) == 0)
		ledger->reserved += RESERVE;
}

/* All lines that are kept go to the next file. */
static void
ledger_begin_again(struct ledger *ledger)
{
	disk_close(&ledger->fd);
	ledger->durable = 0;
	ledger->size = ledger->head_size = ledger->anchor_at = 0;
}

/* Its lines are not needed any more. What is read-only was closed. */
static void
ledger_seal(struct ledger *ledger)
{
	if (ledger->fd < 0)
		return;
	/* gives back what was reserved */
	if (ftruncate(ledger->fd, (off_t)ledger->size) == 0)
		fchmod(ledger->fd, 0440);
	memcpy(ledger->anchor, ledger->tip, SHA256_SIZE);
	ledger->n -= ledger->durable;
	memmove(ledger->lines, ledger->lines + ledger->durable, ledger->n);
	ledger_begin_again(ledger);
}

static void
ledger_abandon(struct spool *spool)
{
	struct ledger *ledger = &spool->ledger;
	char name[SPOOL_PATH];

	ledger_name(name, spool, ledger->number);
	if (ledger->size == 0)
		disk_discard(spool->dirs.ledger, name);
	ledger_begin_again(ledger);
}

static bool
ledger_create(struct spool *spool)
{
	struct ledger *ledger = &spool->ledger;
	char name[SPOOL_PATH];

	ledger_name(name, spool, ++ledger->number);
	ledger->fd = openat(spool->dirs.ledger, name,
	    O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC,
	    0640);
	if (ledger->fd < 0)
		return false;
	ledger->reserved = 0;
	ledger->day = day_of(spool);
	ledger_reserve(ledger);
	return true;
}

static bool
ledger_is_due(const struct spool *spool)
{
	const struct ledger *ledger = &spool->ledger;

	return ledger->fd >= 0 && ledger->size > 0 &&
	       (ledger->size >= ledger_file_size() ||
		   ledger->day != day_of(spool));
}

/* --- writing --- */

/* Lines that get their ends and go to the file in pieces. */
struct ledger_batch {
	struct spool *spool;
	uint8_t chain[SHA256_SIZE];
	uint64_t written;
	size_t n; /* in the spool's scratch */
};

static bool
batch_write(struct ledger_batch *batch)
{
	struct spool *spool = batch->spool;

	if (!disk_write(
		spool->ledger.fd, span_of(spool->scratch, batch->n), NULL))
		return false;
	batch->written += batch->n;
	batch->n = 0;
	return true;
}

/* There is room. */
static void
batch_put(struct ledger_batch *batch, struct span body)
{
	struct spool *spool = batch->spool;
	char *at = spool->scratch + batch->n;

	memcpy(at, body.p, body.n);
	ledger_chain(spool->ledger.sha, batch->chain, body);
	ledger_tail(batch->chain, at + body.n);
	batch->n += body.n + LEDGER_TAIL;
}

static bool
batch_add(struct ledger_batch *batch, struct span body)
{
	if (batch->n + body.n + LEDGER_TAIL > sizeof(batch->spool->scratch) &&
	    !batch_write(batch))
		return false;
	batch_put(batch, body);
	return true;
}

static void
batch_begin_file(struct ledger_batch *batch)
{
	struct spool *spool = batch->spool;
	struct ledger *ledger = &spool->ledger;
	struct ledger_text line; /* another may wait in ledger->line */
	char hex[SHA256_HEX];

	memcpy(batch->chain, ledger->anchor, sizeof(batch->chain));
	sha256_hex(batch->chain, hex);
	ledger_begin(&line, "ledger", spool->time_us);
	ledger_put_text(&line, "instance", spool_instance(spool));
	ledger_put_number(&line, "number", ledger->number);
	ledger_put_text(&line, "before", span_of(hex, sizeof(hex)));
	batch_put(batch, ledger_body(&line)); /* the first one */
	ledger->head_size = ledger_body(&line).n + LEDGER_TAIL;
	memcpy(ledger->head, batch->chain, sizeof(ledger->head));
}

static bool
ledger_write(struct ledger_batch *batch)
{
	struct ledger *ledger = &batch->spool->ledger;
	struct span rest =
	    span_skip(span_of(ledger->lines, ledger->n), ledger->durable);
	size_t n;

	if (ledger->size == 0)
		batch_begin_file(batch);
	for (; rest.n > 0; rest = span_skip(rest, n + 1)) {
		n = span_find(rest, '\n');
		if (!batch_add(batch, span_take(rest, n)))
			return false;
	}
	return batch_write(batch);
}

static bool
ledger_sync(const struct spool *spool)
{
	const struct ledger *ledger = &spool->ledger;

	return fdatasync(ledger->fd) == 0 &&
	       (ledger->size > 0 || fsync(spool->dirs.ledger) == 0);
}

/* A full disk has cut a batch short: what is there of it goes again. */
static bool
ledger_take_back(struct ledger *ledger)
{
	int error = errno;
	bool ok = ledger->size > 0 && disk_is_full(error) &&
		  ftruncate(ledger->fd, (off_t)ledger->size) == 0;

	errno = error;
	return ok;
}

static bool
ledger_fails(struct spool *spool, const char *doing)
{
	uint64_t wait = disk_is_full(errno) ? SPOOL_TICK : SPOOL_RETRY;

	spool->ledger.fault = (struct fault){errno, doing, spool->now + wait};
	return false;
}

/* Forgets lines that lie in whole pages. */
static void
ledger_settle(struct ledger *ledger)
{
	uint64_t pages = ledger->size - ledger->size % SPOOL_PAGE;
	struct span rest = {ledger->lines, ledger->durable};
	size_t n;

	if (ledger->anchor_at == 0) {
		if (ledger->head_size > pages)
			return;
		memcpy(ledger->anchor, ledger->head, SHA256_SIZE);
		ledger->anchor_at = ledger->head_size;
	}
	for (; rest.n > 0; rest = span_skip(rest, n + 1)) {
		n = span_find(rest, '\n');
		if (ledger->anchor_at + n + LEDGER_TAIL > pages)
			break;
		ledger->anchor_at += n + LEDGER_TAIL;
		ledger_chain(ledger->sha, ledger->anchor, span_take(rest, n));
	}
	n = ledger->durable - rest.n;
	ledger->n -= n;
	ledger->durable -= n;
	memmove(ledger->lines, ledger->lines + n, ledger->n);
}

static bool
ledger_write_lines(struct spool *spool)
{
	struct ledger *ledger = &spool->ledger;
	struct ledger_batch batch = {.spool = spool};
	int error;

	memcpy(batch.chain, ledger->tip, sizeof(batch.chain));
	if (!ledger_write(&batch)) {
		if (!ledger_take_back(ledger)) {
			error = errno;
			ledger_abandon(spool);
			errno = error;
		}
		return ledger_fails(spool, "writing");
	}
	if (!ledger_sync(spool)) {
		ledger_fails(spool, "syncing");
		ledger_abandon(spool);
		return false;
	}
	memcpy(ledger->tip, batch.chain, sizeof(ledger->tip));
	ledger->size += batch.written;
	ledger->durable = ledger->n;
	ledger_settle(ledger);
	ledger_reserve(ledger);
	return true;
}

/* --- removing old files --- */

/* Is the oldest one over a limit? */
static bool
ledger_is_over(struct spool *spool, char oldest[SPOOL_PATH])
{
	const struct spool_ledger_options *options = &spool->options.ledger;
	struct ledger_finding finding = {.below = UINT64_MAX};
	int64_t age_us = (int64_t)options->age * 1000;
	struct stat st;

	if (!ledger_find_files(spool, &finding) ||
	    finding.lowest >= spool->ledger.number)
		return false;
	memcpy(oldest, finding.lowest_name, SPOOL_PATH);
	if (finding.bytes > options->size)
		return true;
	return options->age > 0 &&
	       fstatat(spool->dirs.ledger, oldest, &st, AT_SYMLINK_NOFOLLOW) ==
		   0 &&
	       (int64_t)st.st_mtim.tv_sec * 1000000 + age_us < spool->time_us;
}

/* A line that takes the chain on, then the file goes. */
static bool
ledger_remove(struct spool *spool, const char *name)
{
	struct ledger_text line;
	char hex[SHA256_HEX];
	struct ledger_end end;
	struct stat st;
	bool ok;
	int fd;

	fd = disk_open(spool->dirs.ledger, name, &st);
	ok = fd >= 0 && ledger_read_end(spool, fd, &end);
	disk_close(&fd);
	if (!ok)
		return false;
	sha256_hex(end.chain, hex);
	ledger_begin(&line, "removed", spool->time_us);
	ledger_put_text(&line, "name", span_str(name));
	ledger_put_text(&line, "last", span_of(hex, sizeof(hex)));
	return spool_ledger_add(spool, &line) && ledger_write_lines(spool) &&
	       disk_remove(spool->dirs.ledger, name);
}

static void
ledger_remove_old(struct spool *spool)
{
	char oldest[SPOOL_PATH];
	int i;

	for (i = 0; i < REMOVALS && ledger_is_over(spool, oldest); i++)
		if (!ledger_remove(spool, oldest))
			break; /* with the next file */
}

/* --- all of it --- */

bool
ledger_flush(struct spool *spool)
{
	struct ledger *ledger = &spool->ledger;
	bool fresh;

	if (ledger->n == ledger->durable)
		return true;
	if (fault_waits(&ledger->fault, spool->now)) {
		errno = ledger->fault.error;
		return false;
	}
	ledger->fault.error = 0;
	if (!ledger_recover(spool))
		return ledger_fails(spool, "reading it");
	if (ledger_is_due(spool))
		ledger_seal(ledger);
	fresh = ledger->fd < 0;
	if (fresh && !ledger_create(spool))
		return ledger_fails(spool, "a new file");
	if (!ledger_write_lines(spool))
		return false;
	if (fresh)
		ledger_remove_old(spool);
	return true;
}

bool
spool_ledger_flush(struct spool *spool)
{
	spool->ledger.fault.retry = 0;
	return ledger_flush(spool);
}

static bool
ledger_keep(struct ledger *ledger, struct span body)
{
	if (body.n + 1 > sizeof(ledger->lines) - ledger->n)
		return false;
	memcpy(ledger->lines + ledger->n, body.p, body.n);
	ledger->n += body.n;
	ledger->lines[ledger->n++] = '\n';
	return true;
}

bool
spool_ledger_add(struct spool *spool, const struct ledger_text *line)
{
	struct ledger *ledger = &spool->ledger;

	if (!ledger_is_on(spool) || ledger_keep(ledger, ledger_body(line)))
		return true;
	return ledger_flush(spool) && ledger_keep(ledger, ledger_body(line));
}

void
ledger_check(struct spool *spool)
{
	struct ledger *ledger = &spool->ledger;
	struct stat st;

	/* what was in it is gone: the chain shows that */
	if (ledger->fd >= 0 && fstat(ledger->fd, &st) == 0 && st.st_nlink == 0)
		ledger_begin_again(ledger);
}

void
ledger_clear(struct spool *spool)
{
	/* cut short, it is for the next life to look at */
	if (spool->drained)
		ledger_seal(&spool->ledger);
	disk_close(&spool->ledger.fd);
	sha256_free(spool->ledger.sha);
	sha256_free(spool->sha);
}

/* --- what is in a file --- */

static bool
segment_has_header(const struct segment *segment)
{
	return lines_kind(segment->extension) == LINES_CSV;
}

/* `piece` begins at the byte `at` of the file. */
static void
content_count(struct segment *segment, struct span piece, uint64_t at)
{
	struct content *content = &segment->content;
	uint64_t first = segment_has_header(segment) ? 2 : 1;
	struct span rest = piece;
	const char *lf;

	while (rest.n > 0 && (lf = memchr(rest.p, '\n', rest.n)) != NULL) {
		rest = span_between(lf + 1, span_end(rest));
		if (++content->lines == first)
			content->first_end = at + (piece.n - rest.n);
	}
}

/* What is there of the last line, which ends with `in`. */
static struct span
last_line(struct span in)
{
	const char *before = in.n > 1 ? memrchr(in.p, '\n', in.n - 1) : NULL;

	return before ? span_between(before + 1, span_end(in)) : in;
}

/* The id and the time in the line that ends at `end`. */
static bool
content_line(const struct segment *segment, uint64_t end, struct ledger_id *id,
    char time[TIMESTAMP_RFC3339_US])
{
	const struct spool *spool = segment->stream->spool;
	static const struct span key = SPAN("\"received\":\"");
	char bytes[ID_TAIL], prefix[SPOOL_PATH];
	uint64_t from = end > ID_TAIL ? end - ID_TAIL : 0;
	const char *found;
	struct span tail;
	size_t n;

	if (!disk_read(spool->source, from, bytes, (size_t)(end - from), &n))
		return false;
	tail = last_line(span_of(bytes, n));
	snprintf(prefix, sizeof(prefix), "%s-%s-", spool->instance,
	    segment->stream->name);
	found = memmem(tail.p, tail.n, key.p, key.n);
	if (found &&
	    (size_t)(span_end(tail) - found) > key.n + TIMESTAMP_RFC3339_US)
		memcpy(time, found + key.n, TIMESTAMP_RFC3339_US);
	return ledger_find_id(tail, span_str(prefix), id);
}

/* `sha` has taken all of it; NULL: none is wanted. */
static void
content_finish(struct segment *segment, struct sha256 *sha)
{
	struct content *content = &segment->content;
	struct timestamp_days days = {0};

	if (sha)
		sha256_end(sha, content->sum);
	content->known = true;
	content->first_time[0] = content->last_time[0] = '\0';
	content->has_ids = content_line(segment, content->first_end,
			       &content->first, content->first_time) &&
			   content_line(segment, segment->size, &content->last,
			       content->last_time);
	if (segment->first_us != 0) {
		timestamp_format_us(
		    segment->first_us, &days, content->first_time);
		timestamp_format_us(
		    segment->last_us, &days, content->last_time);
	}
	content->has_times =
	    content->first_time[0] != '\0' && content->last_time[0] != '\0';
}

void
ledger_see(struct segment *segment, struct span lines)
{
	const struct spool *spool = segment->stream->spool;

	content_count(segment, lines, segment->size);
	segment->seen += lines.n;
	if (!ledger_is_on(spool) || !spool->options.ledger.checksum)
		return;
	if (segment->size == 0 && !segment->sha)
		segment->sha = sha256_new();
	if (!segment->sha || segment->hashed != segment->size)
		return;
	sha256_add(segment->sha, lines);
	segment->hashed += lines.n;
}

/* All of it, as it was written? */
static bool
segment_was_seen(const struct segment *segment)
{
	const struct spool *spool = segment->stream->spool;

	return segment->seen == segment->size &&
	       (!spool->options.ledger.checksum ||
		   segment->hashed == segment->size);
}

bool
ledger_read(struct segment *segment, bool *done)
{
	struct spool *spool = segment->stream->spool;
	struct content *content = &segment->content;
	struct span piece;
	size_t n;

	*done = segment_was_seen(segment);
	if (*done) {
		content_finish(segment, segment->sha);
		return true;
	}
	if (spool->source_at == 0) {
		*content = (struct content){0};
		sha256_begin(spool->sha);
	}
	if (!disk_read(spool->source, spool->source_at, spool->scratch,
		sizeof(spool->scratch), &n))
		return false;
	if (n == 0 && spool->source_at < segment->size) {
		errno = EIO; /* shorter than it was */
		return false;
	}
	piece = span_of(spool->scratch, n);
	content_count(segment, piece, spool->source_at);
	if (spool->options.ledger.checksum)
		sha256_add(spool->sha, piece);
	spool->source_at += n;
	*done = spool->source_at >= segment->size;
	if (*done)
		content_finish(segment, spool->sha);
	return true;
}

/* --- lines --- */

static struct ledger_text *
ledger_line(struct spool *spool, const char *type)
{
	ledger_begin(&spool->ledger.line, type, spool->time_us);
	return &spool->ledger.line;
}

static struct ledger_text *
ledger_line_of(const struct segment *segment, const char *type)
{
	struct ledger_text *line = ledger_line(segment->stream->spool, type);

	ledger_put_text(line, "stream", span_str(segment->stream->name));
	ledger_put_number(line, "segment", segment->number);
	return line;
}

static bool
ledger_add(struct spool *spool, const struct ledger_text *line)
{
	if (spool_ledger_add(spool, line))
		return true;
	spool->ledger.left_out++;
	errno = ENOSPC;
	return false;
}

static void
put_id(struct ledger_text *line, const struct segment *segment, const char *key,
    struct ledger_id id)
{
	char text[SPOOL_PATH];

	snprintf(text, sizeof(text), "%s-%s-%" PRIu64 "-%" PRIu64,
	    segment->stream->spool->instance, segment->stream->name, id.segment,
	    id.line);
	ledger_put_text(line, key, span_str(text));
}

static void
put_content(struct ledger_text *line, const struct segment *segment)
{
	const struct content *content = &segment->content;
	bool header = segment_has_header(segment) && content->lines > 0;
	char hex[SHA256_HEX];

	ledger_put_number(line, "records", content->lines - header);
	ledger_put_number(line, "bytes", segment->size);
	if (segment->stream->spool->options.ledger.checksum) {
		sha256_hex(content->sum, hex);
		ledger_put_text(line, "sha256", span_of(hex, sizeof(hex)));
	}
	if (content->has_ids) {
		put_id(line, segment, "first_id", content->first);
		put_id(line, segment, "last_id", content->last);
	}
	if (content->has_times) {
		ledger_put_text(line, "first_time",
		    span_of(content->first_time, TIMESTAMP_RFC3339_US));
		ledger_put_text(line, "last_time",
		    span_of(content->last_time, TIMESTAMP_RFC3339_US));
	}
}

/* The file as it is in ready/, if that is not the plain content. */
static void
put_packed(struct ledger_text *line, const struct segment *segment)
{
	char hex[SHA256_HEX];

	if (segment->compress == SPOOL_NONE)
		return;
	ledger_put_number(line, "packed_bytes", segment->published_size);
	if (!segment->stream->spool->options.ledger.checksum)
		return;
	sha256_hex(segment->published_sum, hex);
	ledger_put_text(line, "packed_sha256", span_of(hex, sizeof(hex)));
}

bool
ledger_tell_file(struct segment *segment)
{
	static const char *const compression[] = {
	    [SPOOL_NONE] = "none",
	    [SPOOL_GZIP] = "gzip",
	    [SPOOL_ZSTD] = "zstd",
	};
	struct spool *spool = segment->stream->spool;
	struct ledger_text *line;
	char name[SPOOL_PATH];

	if (segment->content.told)
		return true;
	name_ready(name, segment);
	line = ledger_line(spool, "file");
	ledger_put_text(line, "name", span_str(name));
	ledger_put_text(line, "stream", span_str(segment->stream->name));
	ledger_put_number(line, "segment", segment->number);
	if (segment->origin != 0)
		ledger_put_number(line, "origin", segment->origin);
	put_content(line, segment);
	ledger_put_text(
	    line, "compression", span_str(compression[segment->compress]));
	put_packed(line, segment);
	segment->content.told = ledger_add(spool, line);
	return segment->content.told;
}

bool
ledger_tell_skipped(const struct segment *segment, const char *reason)
{
	struct ledger_text *line = ledger_line_of(segment, "skipped");

	ledger_put_text(line, "reason", span_str(reason));
	return ledger_add(segment->stream->spool, line);
}

bool
ledger_tell_renumbered(const struct segment *segment, uint64_t to)
{
	struct ledger_text *line = ledger_line_of(segment, "renumbered");

	ledger_put_number(line, "to", to);
	ledger_put_number(line, "records", segment->content.lines);
	return ledger_add(segment->stream->spool, line);
}

bool
ledger_tell_quarantined(
    const struct segment *segment, uint64_t bytes, uint64_t records)
{
	struct ledger_text *line = ledger_line_of(segment, "quarantined");

	ledger_put_number(line, "bytes", bytes);
	ledger_put_number(line, "records", records);
	return ledger_add(segment->stream->spool, line);
}

bool
ledger_tell_dropped(struct spool *spool, const char *name)
{
	struct ledger_text *line = ledger_line(spool, "dropped");

	ledger_put_text(line, "name", span_str(name));
	return ledger_add(spool, line);
}

void
spool_ledger_segments(const struct spool *spool, struct ledger_text *line)
{
	size_t i;

	ledger_open(line, "segments");
	for (i = 0; i < spool->count; i++)
		ledger_put_number(
		    line, spool->active[i]->name, spool->active[i]->number);
	ledger_close(line);
}

bool
ledger_tell_streams(struct spool *spool)
{
	struct ledger_text *line = ledger_line(spool, "streams");

	spool_ledger_segments(spool, line);
	return ledger_add(spool, line);
}

/* --- how far the records are --- */

void
spool_ledger_mark(struct spool *spool)
{
	struct spool_stream *stream;

	for (stream = spool->streams; stream; stream = stream->next)
		stream->ledger_mark =
		    stream->ring.base ? ring_filled(&stream->ring) : 0;
}

bool
spool_ledger_reached(struct spool *spool)
{
	const struct spool_stream *stream;
	const struct segment *segment;

	for (stream = spool->streams; stream; stream = stream->next) {
		segment = stream->old ? stream->old : stream->live;
		if (stream->ring.base &&
		    (!segment || segment->start + segment->committed <
				     stream->ledger_mark))
			return false;
	}
	return true;
}
