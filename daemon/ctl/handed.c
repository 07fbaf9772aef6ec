#include "handed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "delivered.h"
#include "spool/disk.h"

enum { FIRST_ROOM = 1024, TIME = 32, PATH = 1024 };

/* The names are not kept. */
struct file {
	uint64_t hash;
	uint64_t sum; /* the start of its digest, by receipts; 0: none says */
	enum handed_fate fate;
	bool differs; /* two receipts do not say the same */
};

struct handed {
	int dir;
	size_t n, room;
	struct file *file; /* by hash, each once, after handed_read */
	char since[TIME];
	uint64_t lines;
	bool failed;
	void (*say)(void *arg, const char *text);
	void *arg;
};

struct handed *
handed_open(const char *spool)
{
	struct handed *h = calloc(1, sizeof *h);
	char path[PATH];

	if (h == NULL)
		return NULL;
	snprintf(path, sizeof path, "%s/upload/receipts", spool);
	h->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (h->dir >= 0)
		return h;
	if (errno == ENOENT)
		errno = 0;
	free(h);
	return NULL;
}

void
handed_free(struct handed *h)
{
	if (h == NULL)
		return;
	disk_close(&h->dir);
	free(h->file);
	free(h);
}

/* Of equal ones, that which says most comes last. */
static int
compare(const void *a, const void *b)
{
	const struct file *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->fate < y->fate ? -1 : x->fate > y->fate;
}

/* `file` of the same name says more. */
static void
join(struct file *file, const struct file *less)
{
	file->differs |= less->differs || (file->sum != 0 && less->sum != 0 &&
					      file->sum != less->sum);
	if (file->sum == 0)
		file->sum = less->sum;
}

static void
put_in_order(struct handed *h)
{
	size_t n = 0;

	if (h->n > 0)
		qsort(h->file, h->n, sizeof *h->file, compare);
	for (size_t i = 0; i < h->n; i++) {
		struct file *file = &h->file[i];

		if (n > 0 && h->file[n - 1].hash == file->hash)
			join(file, &h->file[--n]);
		h->file[n++] = *file;
	}
	h->n = n;
}

/* Several lines are of one file: most of the room comes back by sorting. */
static bool
make_room(struct handed *h)
{
	size_t room;
	struct file *file;

	put_in_order(h);
	if (h->n < h->room / 2)
		return true;
	room = h->room > 0 ? 2 * h->room : FIRST_ROOM;
	file = reallocarray(h->file, room, sizeof *file);
	if (file == NULL)
		return false;
	h->file = file;
	h->room = room;
	return true;
}

static enum handed_fate
fate_of(const struct ledger_entry *entry)
{
	if (!span_eq(entry->type, SPAN("freed")))
		return HANDED_PARTLY;
	return span_eq(ledger_text(entry, "as"), SPAN("quarantined"))
		   ? HANDED_QUARANTINED
		   : HANDED_DELIVERED;
}

static uint64_t
start_of(const uint8_t sum[SHA256_SIZE])
{
	uint64_t start;

	memcpy(&start, sum, sizeof start);
	return start;
}

static uint64_t
sum_of(const struct ledger_entry *entry)
{
	uint8_t sum[SHA256_SIZE];

	return sha256_read(ledger_text(entry, "sha256"), sum) ? start_of(sum)
							      : 0;
}

static void
entry_cb(void *arg, const struct ledger_entry *entry)
{
	struct handed *h = arg;
	struct span name = ledger_text(entry, "file");
	struct span time = ledger_text(entry, "time");

	if (h->since[0] == '\0')
		snprintf(
		    h->since, sizeof h->since, "%.*s", (int)time.n, time.p);
	if (name.n == 0)
		return;
	if (h->n == h->room && !make_room(h)) {
		h->failed = true;
		return;
	}
	h->file[h->n++] = (struct file){
	    .hash = ctl_hash(name),
	    .sum = sum_of(entry),
	    .fate = fate_of(entry),
	};
}

static void
say_cb(void *arg, const char *text)
{
	const struct handed *h = arg;

	if (h->say != NULL)
		h->say(h->arg, text);
}

bool
handed_read(
    struct handed *h, void (*say)(void *arg, const char *text), void *arg)
{
	struct delivered_options options = {
	    .entry = entry_cb, .say = say_cb, .arg = h};
	struct delivered_end end = {0};

	h->say = say;
	h->arg = arg;
	h->n = 0;
	h->since[0] = '\0';
	h->failed = false;
	if (!delivered_read(h->dir, &options, &end))
		return false;
	put_in_order(h);
	h->lines = end.lines;
	if (h->failed)
		errno = ENOMEM;
	return !h->failed;
}

static const struct file *
find(const struct handed *h, struct span name)
{
	uint64_t hash = ctl_hash(name);
	size_t low = 0, high = h->n, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (h->file[middle].hash == hash)
			return &h->file[middle];
		if (h->file[middle].hash < hash)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

enum handed_fate
handed_find(const struct handed *h, struct span name)
{
	const struct file *file = find(h, name);

	return file != NULL ? file->fate : HANDED_UNKNOWN;
}

bool
handed_differs(
    const struct handed *h, struct span name, const uint8_t sum[SHA256_SIZE])
{
	const struct file *file = find(h, name);

	return file != NULL && file->sum != 0 &&
	       (file->differs || file->sum != start_of(sum));
}

struct span
handed_since(const struct handed *h)
{
	return span_str(h->since);
}

uint64_t
handed_lines(const struct handed *h)
{
	return h->lines;
}
