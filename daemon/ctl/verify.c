/*
 * sepmlogctl verify - the ledger against the files.
 *
 * First all ledgers are added up (account.h). Then the names in the directory
 * are taken, a bounded number at a time, and the ledgers are gone through
 * again: each name has to have its line, and what is in the file has to be
 * what the line says. What is not there has to have its receipt, where an
 * uploader (handed.h) writes them. Memory depends on neither files nor lines,
 * but for 24 bytes for each file that has a receipt.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "account.h"
#include "ctl.h"
#include "handed.h"
#include "ledgers.h"
#include "progress.h"
#include "published.h"
#include "shown.h"
#include "spool/disk.h"

enum {
	CHUNK = 65536, /* names at a time */
	SET_MAX = 1 << 20,
	RANGES = 4096,
	OTHERS = 64, /* names that are kept for the end */
	TOLD = 1000, /* findings and remarks that are printed */
	TRIES = 5,   /* while the daemon writes */
	TRIES_HANDED = 16,
	NAP = 300, /* ms */
	PATH = 2 * LEDGERS_PATH,
	TEXT = 1024,
};

static const char usage_text[] =
    "usage: sepmlogctl verify [OPTION...] DIR\n"
    "\n"
    "Adds up the ledger of a spool and compares it with its files: is "
    "anything\n"
    "missing? DIR is the spool, or a directory of files that were taken from\n"
    "its ready/. Where sepmlog-upload delivers, what is not there needs its\n"
    "receipt. The daemons may run meanwhile.\n"
    "\n"
    "  --ledger DIR   where the ledger is, or its spool, if that is not DIR\n"
    "  --expect-all   files of the ledger that are not there are missing "
    "(they\n"
    "                 were taken otherwise); receipts imply it\n"
    "  --json         for programs: one JSON object\n"
    "\n"
    "Exit: 0 nothing is missing, 1 there are findings, 2 wrong use, 3 it "
    "could\n"
    "not run.\n";

/* Findings and remarks, in the order in which they came. */
struct notes {
	size_t count, room, left_out;
	struct note {
		enum account_level level;
		char *text;
	} * note;
};

/* A name in the directory. */
struct item {
	char *name;
	size_t plain; /* its length without `.gz` or `.zst` */
	bool seen;
	bool stray; /* not named as a file of ready/ */
};

struct range {
	size_t ledger;
	char stream[ACCOUNT_NAME];
	uint64_t from, to;
};

struct per_stream {
	char name[ACCOUNT_NAME];
	uint64_t here, taken;
};

struct verify {
	const char *directory; /* as given */
	char files[PATH];      /* where the files are */
	int dir;
	struct ledgers ledgers;
	bool expect_all, json;
	struct progress *progress;
	uint64_t done, records; /* of files that were read */

	struct account *account[LEDGERS];
	bool live[LEDGERS];
	size_t current;

	/* names in the directory: this chunk of them */
	size_t items, skip, seen;
	struct item item[CHUNK];
	bool more;
	bool first; /* chunk */

	size_t streams;
	struct per_stream stream[ACCOUNT_STREAMS];

	/* of the ledger's names: those that were deleted to make room */
	size_t dropped, dropped_room;
	uint64_t *drop;
	size_t ranges;
	struct range range[RANGES];

	struct handed *handed; /* NULL: there is no uploader */
	unsigned handed_again; /* how often they were read again, to be sure */
	uint64_t delivered, refused, waiting, unknown; /* files */
	size_t others; /* files whose receipts say other digests than lines */
	char other[OTHERS][SPOOL_PATH];

	struct notes notes;
	uint64_t findings;
	const char *failed;
};

/* --- notes --- */

static void
notes_add(struct notes *n, enum account_level level, const char *text)
{
	struct note *note;
	size_t room = n->room > 0 ? 2 * n->room : 16;
	char safe[SHOWN_BYTE * TEXT];

	if (n->count == TOLD) {
		n->left_out++;
		return;
	}
	if (n->count == n->room) {
		note = reallocarray(n->note, room, sizeof *note);
		if (note == NULL) {
			n->left_out++;
			return;
		}
		n->note = note;
		n->room = room;
	}
	n->note[n->count].level = level;
	shown(text, safe, sizeof safe); /* names of files are in it */
	n->note[n->count].text = strdup(safe);
	n->count += n->note[n->count].text != NULL;
}

static void
notes_clear(struct notes *n)
{
	for (size_t i = 0; i < n->count; i++)
		free(n->note[i].text);
	free(n->note);
	*n = (struct notes){0};
}

static void
note(struct verify *v, enum account_level level, const char *text)
{
	v->findings += level == ACCOUNT_FINDING;
	notes_add(&v->notes, level, text);
}

static void __attribute__((format(printf, 2, 3)))
finding(struct verify *v, const char *fmt, ...)
{
	char text[TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	note(v, ACCOUNT_FINDING, text);
}

static void __attribute__((format(printf, 2, 3)))
remark(struct verify *v, const char *fmt, ...)
{
	char text[TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	note(v, ACCOUNT_REMARK, text);
}

/* --- the ledgers alone --- */

static void
say_cb(void *arg, enum account_level level, const char *text)
{
	struct verify *v = arg;
	const char *name = strrchr(v->ledgers.one[v->current].root, '/');
	char with[TEXT];

	if (v->ledgers.count == 1 || v->current == 0 || name == NULL) {
		note(v, level, text);
		return;
	}
	snprintf(with, sizeof with, "%s: %s", name + 1, text);
	note(v, level, with);
}

static void
dropped_cb(void *arg, struct span name)
{
	struct verify *v = arg;
	size_t room = v->dropped_room > 0 ? 2 * v->dropped_room : 256;
	uint64_t *drop;

	if (v->dropped == SET_MAX)
		return;
	if (v->dropped == v->dropped_room) {
		drop = reallocarray(v->drop, room, sizeof *drop);
		if (drop == NULL)
			return;
		v->drop = drop;
		v->dropped_room = room;
	}
	v->drop[v->dropped++] = ctl_hash(name);
}

static void
discarded_cb(void *arg, struct span stream, uint64_t from, uint64_t to)
{
	struct verify *v = arg;
	struct range *range = &v->range[v->ranges];

	if (v->ranges == RANGES)
		return;
	range->ledger = v->current;
	snprintf(range->stream, sizeof range->stream, "%.*s", (int)stream.n,
	    stream.p);
	range->from = from;
	range->to = to;
	v->ranges++;
}

static bool
fails(const char *path)
{
	complain("sepmlogctl verify: %s: %s", path, strerror(errno));
	return false;
}

/* Anew, from its first line. */
static bool
add_up_one(struct verify *v, size_t i)
{
	struct account_options options = {.say = say_cb,
	    .dropped = dropped_cb,
	    .discarded = discarded_cb,
	    .arg = v};
	const struct ledgers_one *one = &v->ledgers.one[i];

	v->current = i;
	account_free(v->account[i]);
	v->account[i] = account_new(&options);
	if (v->account[i] == NULL || !ledgers_read(one, v->account[i]))
		return fails(one->path);
	v->live[i] = one->root[0] != '\0';
	/* after the ledger: by then they hold at least what it speaks of */
	if (v->live[i] && !ledgers_read_live(one, v->account[i]))
		return fails(one->root);
	account_end(v->account[i], v->live[i]);
	return true;
}

static bool
add_up(struct verify *v)
{
	notes_clear(&v->notes);
	v->findings = 0;
	v->dropped = v->ranges = 0;
	for (size_t i = 0; i < v->ledgers.count; i++)
		if (!add_up_one(v, i))
			return false;
	return true;
}

static uint64_t
lines_of(const struct verify *v)
{
	uint64_t lines = 0;

	for (size_t i = 0; i < v->ledgers.count; i++)
		lines += account_totals(v->account[i])->lines;
	return lines;
}

/* A segment may have left live/ after its ledger was read, and before live/
 * was: then the ledger has grown, and it is read again. */
static bool
add_up_at_rest(struct verify *v)
{
	const struct timespec nap = {.tv_nsec = NAP * 1000000L};
	uint64_t lines = 0;

	for (int i = 0; i < TRIES; i++) {
		if (!add_up(v))
			return false;
		if (v->findings == 0 || (i > 0 && lines_of(v) == lines))
			return true;
		lines = lines_of(v);
		nanosleep(&nap, NULL);
	}
	return true;
}

/* --- names in the directory --- */

static int
compare_items(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	size_t n = x->plain < y->plain ? x->plain : y->plain;
	int order = memcmp(x->name, y->name, n);

	if (order != 0)
		return order;
	return x->plain < y->plain ? -1 : x->plain > y->plain;
}

static void
item_cb(void *arg, const char *name)
{
	struct verify *v = arg;
	struct published_name parts;
	struct item *item;
	struct stat st;

	if (name[0] == '.' ||
	    fstatat(v->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISREG(st.st_mode))
		return;
	if (v->skip > 0) {
		v->skip--;
		return;
	}
	if (v->items == CHUNK) {
		v->more = true;
		return;
	}
	item = &v->item[v->items];
	item->name = strdup(name);
	if (item->name == NULL) {
		v->failed = "no memory";
		return;
	}
	item->stray = !published_name(name, &parts);
	item->plain = item->stray ? strlen(name) : parts.plain;
	item->seen = false;
	v->items++;
}

static bool
list_items(struct verify *v)
{
	for (size_t i = 0; i < v->items; i++)
		free(v->item[i].name);
	v->items = 0;
	v->more = false;
	v->skip = v->seen;
	if (!disk_list(v->dir, item_cb, v))
		return fails(v->files);
	v->seen += v->items;
	if (v->items > 0)
		qsort(v->item, v->items, sizeof v->item[0], compare_items);
	return true;
}

static struct per_stream *
stream_of(struct verify *v, struct span name)
{
	for (size_t i = 0; i < v->streams; i++)
		if (span_eq(span_str(v->stream[i].name), name))
			return &v->stream[i];
	if (v->streams == ACCOUNT_STREAMS || name.n >= ACCOUNT_NAME)
		return NULL;
	snprintf(v->stream[v->streams].name, ACCOUNT_NAME, "%.*s", (int)name.n,
	    name.p);
	return &v->stream[v->streams++];
}

/* --- a file and its line --- */

static void
check_gaps(struct verify *v, const char *name, const struct published *p)
{
	for (size_t i = 0; i < p->gaps && i < PUBLISHED_GAPS; i++) {
		const struct published_gap *g = &p->gap[i];

		if (g->found > g->expected)
			finding(v,
			    "%s:%" PRIu64 ": records %" PRIu64 " to %" PRIu64
			    " of segment %" PRIu64 " are missing before it",
			    name, g->line, g->expected, g->found - 1,
			    g->segment);
		else
			finding(v,
			    "%s:%" PRIu64 ": its id is not the next one "
			    "(%" PRIu64 " where %" PRIu64 " was expected)",
			    name, g->line, g->found, g->expected);
	}
	if (p->gaps > PUBLISHED_GAPS)
		finding(v, "%s: %" PRIu64 " more such places", name,
		    p->gaps - PUBLISHED_GAPS);
}

static void
compare_file(struct verify *v, const char *name, const struct published *is,
    const struct account_file *said)
{
	uint64_t before = v->findings;

	if (!is->whole)
		finding(v, "%s: ends inside a record", name);
	if (is->records != said->records)
		finding(v, "%s: %" PRIu64 " records, the ledger says %" PRIu64,
		    name, is->records, said->records);
	if (is->bytes != said->bytes)
		finding(v, "%s: %" PRIu64 " bytes, the ledger says %" PRIu64,
		    name, is->bytes, said->bytes);
	if (said->has_sum && memcmp(is->sum, said->sum, sizeof is->sum) != 0 &&
	    v->findings == before)
		finding(v, "%s: its content was altered (SHA-256)", name);
	check_gaps(v, name, is);
}

static void
check_file(struct verify *v, struct item *item, const struct account_file *said)
{
	struct per_stream *stream = stream_of(v, said->stream);
	struct published is;
	char why[TEXT];

	item->seen = true;
	if (published_read(v->dir, item->name, &is, why, sizeof why))
		compare_file(v, item->name, &is, said);
	else if (errno == ENOENT)
		return; /* taken this very moment */
	else
		finding(v, "%s: cannot be read: %s", item->name, why);
	if (stream != NULL)
		stream->here++;
	v->waiting++;
	v->done += is.bytes;
	v->records += is.records;
	progress_update(v->progress, v->done, v->records);
}

/* The names of one file, however packed; `first` gets the first of them. */
static size_t
find_items(struct verify *v, struct span plain, struct item **first)
{
	size_t low = 0, high = v->items, n = 0;
	struct item key = {(char *)(uintptr_t)plain.p, plain.n, false, false};

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_items(&v->item[middle], &key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*first = &v->item[low];
	while (
	    low + n < v->items && compare_items(&v->item[low + n], &key) == 0)
		n++;
	return n;
}

/* Is it there, though not in this chunk? */
static bool
is_elsewhere(const struct verify *v, struct span plain)
{
	static const char *const packed[] = {"", ".gz", ".zst"};
	char name[SPOOL_PATH + 8];
	struct stat st;

	if (!v->more && v->seen == v->items)
		return false;
	for (size_t i = 0; i < sizeof packed / sizeof packed[0]; i++) {
		snprintf(name, sizeof name, "%.*s%s", (int)plain.n, plain.p,
		    packed[i]);
		if (fstatat(v->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			return true;
	}
	return false;
}

static int
compare_hashes(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Not taken yet, where a directory of taken files is looked at. */
static bool
is_still_ready(const struct verify *v, const struct account_file *said)
{
	char path[2 * PATH];
	struct stat st;

	for (size_t i = 0; i < v->ledgers.count; i++) {
		if (v->ledgers.one[i].root[0] == '\0')
			continue;
		snprintf(path, sizeof path, "%s/ready/%.*s",
		    v->ledgers.one[i].root, (int)said->name.n, said->name.p);
		if (stat(path, &st) == 0)
			return true;
	}
	return false;
}

/* Did its writer take it away itself? */
static bool
is_given_up(const struct verify *v, const struct account_file *said)
{
	uint64_t hash = ctl_hash(said->name);

	if (v->dropped > 0 && bsearch(&hash, v->drop, v->dropped,
				  sizeof v->drop[0], compare_hashes) != NULL)
		return true;
	for (size_t i = 0; i < v->ranges; i++)
		if (v->range[i].ledger == v->current &&
		    said->segment >= v->range[i].from &&
		    said->segment <= v->range[i].to &&
		    span_eq(span_str(v->range[i].stream), said->stream))
			return true;
	return false;
}

static void
handed_say_cb(void *arg, const char *text)
{
	finding(arg, "receipts: %s", text);
}

static bool
is_in_directory(const struct verify *v, struct span name)
{
	char path[SPOOL_PATH];
	struct stat st;

	snprintf(path, sizeof path, "%.*s", (int)name.n, name.p);
	return fstatat(v->dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Its line is written before it has its name in ready/. */
static bool
is_in_live(const struct verify *v, const struct account_file *said)
{
	const char *root = v->ledgers.one[v->current].root;
	char path[2 * PATH];
	struct stat st;
	struct span name = said->name;
	size_t dot = span_find(name, '.');
	struct span extension = span_skip(name, dot + 1);

	extension = span_take(extension, span_find(extension, '.'));
	snprintf(path, sizeof path, "%s/live/%.*s/%016" PRIu64 ".%.*s.open",
	    root, (int)said->stream.n, said->stream.p, said->segment,
	    (int)extension.n, extension.p);
	return root[0] != '\0' && stat(path, &st) == 0;
}

/* On its way, in the order that it goes: so it is seen at one place. */
static bool
is_on_its_way(const struct verify *v, const struct account_file *said)
{
	return is_in_live(v, said) || is_still_ready(v, said) ||
	       is_in_directory(v, said->name);
}

/* Neither in ready/ nor dealt with: it may have been since they were read. */
static enum handed_fate
fate_now(struct verify *v, struct span name)
{
	if (v->handed_again < TRIES_HANDED) {
		v->handed_again++;
		/* what is wrong with them was said */
		(void)handed_read(v->handed, NULL, NULL);
	}
	return handed_find(v->handed, name);
}

/* What is not in ready/ was delivered, or someone else took it: before there
 * was an uploader that was the way. */
static bool
is_before_receipts(const struct verify *v, const struct account_file *said)
{
	struct span since = handed_since(v->handed);

	return since.n == 0 || since.n != said->time.n ||
	       memcmp(said->time.p, since.p, since.n) < 0;
}

static void
count_handed(struct verify *v, const struct account_file *said)
{
	enum handed_fate fate = handed_find(v->handed, said->name);
	bool here = fate < HANDED_DELIVERED && is_on_its_way(v, said);

	if (fate < HANDED_DELIVERED && !here)
		fate = fate_now(v, said->name);
	v->delivered += fate == HANDED_DELIVERED;
	v->refused += fate == HANDED_QUARANTINED;
	v->waiting += here;
	if (fate >= HANDED_DELIVERED || here)
		return;
	if (fate == HANDED_UNKNOWN && is_before_receipts(v, said))
		return;
	v->unknown++;
	finding(v, "%.*s: %s", (int)said->name.n, said->name.p,
	    fate == HANDED_PARTLY
		? "was taken out of ready/ by someone else, "
		  "before all targets had it"
		: "is neither in ready/ nor has it a receipt");
}

static void
tell_other(struct verify *v, const char *name)
{
	finding(v,
	    "%s: what was delivered, by its receipt, is not what the ledger "
	    "has",
	    name);
}

static size_t
find_other(const struct verify *v, const char *name)
{
	size_t i = 0;

	while (i < v->others && strcmp(v->other[i], name) != 0)
		i++;
	return i;
}

/* After a crash a file may have been packed again, by another release of zlib
 * even to other bytes: then one of its lines is right. */
static void
compare_receipt(
    struct verify *v, const struct account_file *said, const char *name)
{
	bool differs = handed_differs(v->handed, said->name, said->file.sum);
	size_t i = find_other(v, name);

	if (!differs && i < v->others) {
		v->others--;
		memcpy(v->other[i], v->other[v->others], sizeof v->other[i]);
	} else if (differs && !said->repeated) {
		if (v->others == OTHERS)
			tell_other(v, v->other[--v->others]);
		snprintf(v->other[v->others++], SPOOL_PATH, "%s", name);
	}
}

/* It is in the ledger, and not here. */
static void
count_taken(
    struct verify *v, const struct account_file *said, struct span plain)
{
	struct per_stream *stream = stream_of(v, said->stream);

	if (!v->first || said->repeated || is_elsewhere(v, plain) ||
	    is_given_up(v, said))
		return;
	if (stream != NULL)
		stream->taken++;
	if (v->handed != NULL) {
		count_handed(v, said);
		return;
	}
	if (v->expect_all && !is_still_ready(v, said))
		finding(v, "%.*s: is missing (%" PRIu64 " records)",
		    (int)said->name.n, said->name.p, said->records);
}

static void
file_cb(void *arg, const struct account_file *said)
{
	struct verify *v = arg;
	struct published_name parts;
	char name[SPOOL_PATH];
	struct item *item;
	struct span plain;
	size_t n;

	snprintf(name, sizeof name, "%.*s", (int)said->name.n, said->name.p);
	if (!published_name(name, &parts)) {
		finding(v, "%s: no name of a file, in the ledger", name);
		return;
	}
	if (v->first && v->handed != NULL && said->has_file)
		compare_receipt(v, said, name);
	plain = span_of(name, parts.plain);
	n = find_items(v, plain, &item);
	if (n == 0)
		count_taken(v, said, plain);
	if (n > 1 && !item->seen)
		finding(v,
		    "%s and %s are the same records: ids are there twice",
		    item[0].name, item[1].name);
	for (size_t i = 0; i < n; i++)
		if (!item[i].seen)
			check_file(v, &item[i], said);
}

/* --- names without a line --- */

static bool
is_older(const struct verify *v, const struct published_name *name)
{
	return account_is_older(
	    v->account[0], span_str(name->stream), name->segment);
}

static void
tell_unknown(struct verify *v, const struct item *item)
{
	struct published_name name;

	if (item->stray || !published_name(item->name, &name))
		finding(v, "%s: is no file of the spool", item->name);
	else if (is_older(v, &name))
		remark(v, "%s: is from before the ledger began", item->name);
	else
		finding(v, "%s: has no line in the ledger", item->name);
}

static bool
check_chunk(struct verify *v)
{
	struct account_options options = {.file = file_cb, .arg = v};
	struct account *account;
	bool ok = true;

	for (size_t i = 0; ok && i < v->ledgers.count; i++) {
		v->current = i;
		account = account_new(&options);
		ok = account != NULL &&
		     ledgers_read(&v->ledgers.one[i], account);
		account_free(account);
		if (!ok)
			fails(v->ledgers.one[i].path);
	}
	for (size_t i = 0; ok && i < v->items; i++)
		if (!v->item[i].seen)
			tell_unknown(v, &v->item[i]);
	while (v->others > 0)
		tell_other(v, v->other[--v->others]);
	return ok;
}

static bool
check_files(struct verify *v)
{
	/* Before the names are listed: what leaves meanwhile is read again. */
	if (v->handed != NULL && !handed_read(v->handed, handed_say_cb, v))
		return fails("upload/receipts");
	if (v->dropped > 0)
		qsort(v->drop, v->dropped, sizeof v->drop[0], compare_hashes);
	v->first = true;
	do {
		if (!list_items(v) || !check_chunk(v))
			return false;
		v->first = false;
	} while (v->more);
	return true;
}

/* --- what people are told --- */

static uint64_t
sum_of(const struct verify *v, size_t offset)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < v->ledgers.count; i++)
		sum += *(const uint64_t *)(const void
			*)((const char *)account_totals(v->account[i]) +
			   offset);
	return sum;
}

#define SUM(v, member) sum_of(v, offsetof(struct account_totals, member))

/* The sum of all ledgers for a stream. */
static struct account_stream
stream_sums(const struct verify *v, const char *name)
{
	struct account_stream sum = {0};

	for (size_t i = 0; i < v->ledgers.count; i++) {
		const struct account_totals *t = account_totals(v->account[i]);

		for (size_t k = 0; k < t->streams; k++) {
			const struct account_stream *s = &t->stream[k];

			if (strcmp(s->name, name) != 0)
				continue;
			sum.minutes += s->minutes;
			sum.files += s->files;
			sum.records += s->records;
			sum.live += s->live;
		}
	}
	return sum;
}

/* Streams that have no file yet have their row, too. */
static void
name_streams(struct verify *v)
{
	for (size_t i = 0; i < v->ledgers.count; i++) {
		const struct account_totals *t = account_totals(v->account[i]);

		for (size_t k = 0; k < t->streams; k++)
			stream_of(v, span_str(t->stream[k].name));
	}
}

static void
print_streams(struct verify *v)
{
	printf("%-20s %14s %14s %14s %10s %10s\n", "stream", "stored",
	    "in files", "in live/", "files", "taken");
	for (size_t i = 0; i < v->streams; i++) {
		struct account_stream s = stream_sums(v, v->stream[i].name);

		printf("%-20s %14" PRIu64 " %14" PRIu64 " %14" PRIu64
		       " %10" PRIu64 " %10" PRIu64 "\n",
		    v->stream[i].name, s.minutes, s.records, s.live, s.files,
		    v->stream[i].taken);
	}
}

static void
print_causes(const struct verify *v, size_t ledger)
{
	const struct account_totals *t = account_totals(v->account[ledger]);

	for (size_t i = 0; i < t->causes; i++)
		printf("  %-28s %14" PRIu64 "\n", t->cause[i].name,
		    t->cause[i].value);
}

static void
print_notes(const struct verify *v, enum account_level level, const char *what)
{
	for (size_t i = 0; i < v->notes.count; i++)
		if (v->notes.note[i].level == level)
			printf("%s: %s\n", what, v->notes.note[i].text);
}

static void
print_ledgers(const struct verify *v)
{
	for (size_t i = 0; i < v->ledgers.count; i++) {
		const struct account_totals *t = account_totals(v->account[i]);

		printf("ledger %s: %" PRIu64 " lines, %.19s to %.19s, %" PRIu64
		       " starts, %" PRIu64 " of them after a crash\n"
		       "  chain ends with %s\n",
		    v->ledgers.one[i].path, t->lines, t->first_time,
		    t->last_time, t->starts, t->crashes, t->last);
	}
}

static void
print_text(struct verify *v)
{
	print_ledgers(v);
	putchar('\n');
	print_streams(v);
	printf("\n%" PRIu64 " messages received, %" PRIu64 " stored, %" PRIu64
	       " wanted by no stream\n",
	    SUM(v, received), SUM(v, stored), SUM(v, filtered));
	for (size_t i = 0; i < v->ledgers.count; i++)
		print_causes(v, i);
	if (v->handed != NULL)
		printf("receipts: %" PRIu64 " files delivered, %" PRIu64
		       " quarantined, %" PRIu64 " wait in ready/, %" PRIu64
		       " unaccounted for\n",
		    v->delivered, v->refused, v->waiting, v->unknown);
	putchar('\n');
	print_notes(v, ACCOUNT_REMARK, "remark");
	print_notes(v, ACCOUNT_FINDING, "finding");
	if (v->notes.left_out > 0)
		printf("... and %zu more\n", v->notes.left_out);
	if (v->findings == 0)
		puts("nothing is missing");
	else
		printf("%" PRIu64 " findings\n", v->findings);
}

/* --- the same for programs --- */

static void
put_string(const char *text)
{
	putchar('"');
	for (; *text; text++)
		if (*text == '"' || *text == '\\')
			printf("\\%c", *text);
		else if ((unsigned char)*text < ' ')
			printf("\\u%04x", *text);
		else
			putchar(*text);
	putchar('"');
}

static void
json_notes(const struct verify *v, enum account_level level, const char *key)
{
	bool any = false;

	printf(",\"%s\":[", key);
	for (size_t i = 0; i < v->notes.count; i++) {
		if (v->notes.note[i].level != level)
			continue;
		if (any)
			putchar(',');
		any = true;
		put_string(v->notes.note[i].text);
	}
	putchar(']');
}

static void
json_ledgers(const struct verify *v)
{
	fputs("\"ledgers\":[", stdout);
	for (size_t i = 0; i < v->ledgers.count; i++) {
		const struct account_totals *t = account_totals(v->account[i]);

		fputs(i > 0 ? ",{\"path\":" : "{\"path\":", stdout);
		put_string(v->ledgers.one[i].path);
		printf(",\"lines\":%" PRIu64 ",\"starts\":%" PRIu64
		       ",\"crashes\":%" PRIu64 ",\"chain\":\"%s\",\"causes\":{",
		    t->lines, t->starts, t->crashes, t->last);
		for (size_t k = 0; k < t->causes; k++)
			printf("%s\"%s\":%" PRIu64, k > 0 ? "," : "",
			    t->cause[k].name, t->cause[k].value);
		fputs("}}", stdout);
	}
	putchar(']');
}

static void
json_streams(const struct verify *v)
{
	fputs(",\"streams\":{", stdout);
	for (size_t i = 0; i < v->streams; i++) {
		struct account_stream s = stream_sums(v, v->stream[i].name);

		if (i > 0)
			putchar(',');
		put_string(v->stream[i].name);
		printf(":{\"stored\":%" PRIu64 ",\"in_files\":%" PRIu64
		       ",\"in_live\":%" PRIu64 ",\"files\":%" PRIu64
		       ",\"checked\":%" PRIu64 ",\"taken\":%" PRIu64 "}",
		    s.minutes, s.records, s.live, s.files, v->stream[i].here,
		    v->stream[i].taken);
	}
	putchar('}');
}

static void
print_json(const struct verify *v)
{
	putchar('{');
	json_ledgers(v);
	json_streams(v);
	printf(",\"received\":%" PRIu64 ",\"stored\":%" PRIu64
	       ",\"filtered\":%" PRIu64 ",\"dropped_files\":%" PRIu64
	       ",\"quarantined_bytes\":%" PRIu64,
	    SUM(v, received), SUM(v, stored), SUM(v, filtered), SUM(v, dropped),
	    SUM(v, quarantined));
	if (v->handed != NULL)
		printf(",\"receipts\":{\"delivered\":%" PRIu64
		       ",\"quarantined\":%" PRIu64 ",\"waiting\":%" PRIu64
		       ",\"unaccounted\":%" PRIu64 "}",
		    v->delivered, v->refused, v->waiting, v->unknown);
	json_notes(v, ACCOUNT_REMARK, "remarks");
	json_notes(v, ACCOUNT_FINDING, "findings");
	printf(",\"left_out\":%zu}\n", v->notes.left_out);
}

/* --- the command --- */

static bool
open_files(struct verify *v, const char *ledger)
{
	char why[TEXT];
	struct stat st;

	snprintf(v->files, sizeof v->files, "%s/ready", v->directory);
	if (stat(v->files, &st) == 0 && S_ISDIR(st.st_mode)) {
		v->handed = handed_open(v->directory);
		if (v->handed == NULL && errno != 0)
			return fails("upload/receipts");
	} else {
		snprintf(v->files, sizeof v->files, "%s", v->directory);
	}
	v->dir = open(v->files, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (v->dir < 0)
		return fails(v->files);
	if (strlen(ledger) >= LEDGERS_PATH / 2) {
		errno = ENAMETOOLONG;
		return fails(ledger);
	}
	if (ledgers_find(&v->ledgers, ledger, why, sizeof why))
		return true;
	complain("sepmlogctl verify: %s", why);
	return false;
}

static enum ctl_exit
run(struct verify *v, const char *ledger)
{
	if (!open_files(v, ledger) || !add_up_at_rest(v) || !check_files(v))
		return CTL_FAILED;
	if (v->failed != NULL) {
		complain("sepmlogctl verify: %s", v->failed);
		return CTL_FAILED;
	}
	progress_hide(v->progress);
	name_streams(v);
	if (v->json)
		print_json(v);
	else
		print_text(v);
	return v->findings == 0 ? CTL_DONE : CTL_FINDINGS;
}

static void
verify_free(struct verify *v)
{
	for (size_t i = 0; i < v->items; i++)
		free(v->item[i].name);
	for (size_t i = 0; i < LEDGERS; i++)
		account_free(v->account[i]);
	disk_close(&v->dir);
	handed_free(v->handed);
	free(v->drop);
	notes_clear(&v->notes);
	free(v);
}

enum ctl_exit
ctl_verify(int argc, char **argv)
{
	enum { LEDGER = 256, EXPECT_ALL, JSON };
	static const struct option longs[] = {
	    {"ledger", required_argument, NULL, LEDGER},
	    {"expect-all", no_argument, NULL, EXPECT_ALL},
	    {"json", no_argument, NULL, JSON},
	    {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0},
	};
	struct verify *v = calloc(1, sizeof *v);
	struct progress progress;
	const char *ledger = NULL;
	enum ctl_exit status = CTL_USAGE;
	int option;

	if (v == NULL) {
		fputs("sepmlogctl verify: no memory\n", stderr);
		return CTL_FAILED;
	}
	v->dir = -1;
	while ((option = getopt_long(argc, argv, "h", longs, NULL)) != -1)
		switch (option) {
		case LEDGER:
			ledger = optarg;
			break;
		case EXPECT_ALL:
			v->expect_all = true;
			break;
		case JSON:
			v->json = true;
			break;
		case 'h':
			fputs(usage_text, stdout);
			verify_free(v);
			return CTL_DONE;
		default:
			fputs(usage_text, stderr);
			verify_free(v);
			return CTL_USAGE;
		}
	if (optind + 1 != argc) {
		fputs(usage_text, stderr);
	} else {
		v->directory = argv[optind];
		if (isatty(STDERR_FILENO)) {
			progress_init(&progress, stderr, 0);
			v->progress = &progress;
		}
		status = run(v, ledger != NULL ? ledger : v->directory);
	}
	verify_free(v);
	return status;
}
