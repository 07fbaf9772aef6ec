#include "known.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "event_key.h"
#include "file.h"
#include "published.h"
#include "reader.h"
#include "spool/disk.h"
#include "spool/names.h"

enum {
	SLOTS_MIN = 1 << 12,
	LINE_MAX_BYTES = 4 * 1024 * 1024, /* a longer line is passed over */
};

struct slot {
	uint64_t high, low;
	uint32_t count;  /* of the stream that has it most often */
	uint32_t here;   /* of the stream ... */
	uint32_t stream; /* ... that has it last, from 1; 0: free */
};

struct file {
	char *path;
	size_t name, plain; /* where it begins in the path; without `.gz` */
	char stream[SPOOL_NAME_MAX + 1]; /* empty: none */
	uint64_t segment;
	int fd; /* of a live segment; -1: to be opened */
	bool twice;
};

struct known {
	struct slot *slots;
	size_t size, used; /* a power of two; those in use */
	uint64_t records, keyless;
	bool imported;

	struct file *files;
	size_t n_files, room;
	bool sorted;
	uint32_t stream; /* being read */

	/* a line that is not complete yet */
	char *line;
	size_t n;
	bool skipping;
};

struct known *
known_new(void)
{
	struct known *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return NULL;
	k->size = SLOTS_MIN;
	k->slots = calloc(k->size, sizeof(*k->slots));
	k->line = malloc(LINE_MAX_BYTES);
	if (k->slots != NULL && k->line != NULL)
		return k;
	known_free(k);
	return NULL;
}

void
known_free(struct known *k)
{
	if (k == NULL)
		return;
	for (size_t i = 0; i < k->n_files; i++) {
		free(k->files[i].path);
		disk_close(&k->files[i].fd);
	}
	free(k->files);
	free(k->slots);
	free(k->line);
	free(k);
}

uint64_t
known_count(const struct known *k)
{
	return k->records;
}

uint64_t
known_without_key(const struct known *k)
{
	return k->keyless;
}

/* --- the table --- */

static bool
read_hex(struct span digits, uint64_t *value)
{
	*value = 0;
	for (size_t i = 0; i < digits.n; i++) {
		int c = span_at(digits, i);

		if (!span_isdigit(c) && (c < 'a' || c > 'f'))
			return false;
		*value = *value << 4 |
			 (uint64_t)(span_isdigit(c) ? c - '0' : c - 'a' + 10);
	}
	return true;
}

static bool
read_key(struct span key, uint64_t *high, uint64_t *low)
{
	return key.n == EVENT_KEY_DIGITS &&
	       read_hex(span_take(key, 16), high) &&
	       read_hex(span_skip(key, 16), low);
}

/* The slot of a key, or the free one where it belongs. A key is a hash. */
static struct slot *
find(struct slot *slots, size_t size, uint64_t high, uint64_t low)
{
	size_t i = low & (size - 1);

	while (slots[i].stream != 0 &&
	       (slots[i].high != high || slots[i].low != low))
		i = (i + 1) & (size - 1);
	return &slots[i];
}

static bool
grow(struct known *k)
{
	size_t size = k->size * 2;
	struct slot *slots = calloc(size, sizeof(*slots));

	if (slots == NULL)
		return false;
	for (size_t i = 0; i < k->size; i++)
		if (k->slots[i].stream != 0)
			*find(slots, size, k->slots[i].high, k->slots[i].low) =
			    k->slots[i];
	free(k->slots);
	k->slots = slots;
	k->size = size;
	return true;
}

static bool
add_key(struct known *k, uint64_t high, uint64_t low, const char **why)
{
	struct slot *slot = find(k->slots, k->size, high, low);

	if (slot->stream == 0 && k->used == KNOWN_MAX) {
		*why = "too many events to compare with: give fewer files, of "
		       "the time that the import is of";
		return false;
	}
	if (slot->stream == 0 && k->used > k->size / 4 * 3) {
		if (!grow(k)) {
			*why = "no memory";
			return false;
		}
		slot = find(k->slots, k->size, high, low);
	}
	k->used += slot->stream == 0;
	slot->high = high;
	slot->low = low;
	if (slot->stream != k->stream)
		slot->here = 0;
	slot->stream = k->stream;
	slot->here += slot->here < UINT32_MAX;
	if (slot->here > slot->count)
		slot->count = slot->here;
	k->records++;
	return true;
}

bool
known_take(struct known *k, struct span key)
{
	uint64_t high, low;
	struct slot *slot;

	if (!read_key(key, &high, &low))
		return false;
	slot = find(k->slots, k->size, high, low);
	if (slot->count == 0)
		return false;
	slot->count--;
	return true;
}

/* --- lines --- */

/* The text behind `"name":"` up to its quote, where nothing is escaped. */
static bool
member(struct span line, struct span name, struct span *value)
{
	const char *at = memmem(line.p, line.n, name.p, name.n);
	struct span rest;

	if (at == NULL)
		return false;
	rest = span_between(at + name.n, span_end(line));
	*value = span_take(rest, span_find(rest, '"'));
	return true;
}

/* A quote inside a value is always escaped, so these are keys. */
static bool
add_line(struct known *k, struct span line, const char **why)
{
	struct span value;
	uint64_t high, low;

	if (!k->imported && member(line, SPAN(",\"transport\":\""), &value) &&
	    span_eq(value, SPAN("file")))
		return true;
	if (!member(line, SPAN(",\"event_key\":\""), &value) ||
	    !read_key(value, &high, &low)) {
		k->keyless++;
		return true;
	}
	return add_key(k, high, low, why);
}

static bool
add_bytes(struct known *k, struct span bytes, const char **why)
{
	while (bytes.n > 0) {
		size_t n = span_find(bytes, '\n');
		struct span part = span_take(bytes, n);
		bool whole = n < bytes.n;

		bytes = span_skip(bytes, n + whole);
		if (part.n > LINE_MAX_BYTES - k->n)
			k->skipping = true;
		if (!k->skipping && part.n > 0) {
			memcpy(k->line + k->n, part.p, part.n);
			k->n += part.n;
		}
		if (!whole)
			break;
		if (!k->skipping && !add_line(k, span_of(k->line, k->n), why))
			return false;
		k->n = 0;
		k->skipping = false;
	}
	return true;
}

/* --- files --- */

static bool
add_reader(struct known *k, struct reader *reader, const char **why)
{
	struct span bytes;

	for (;;) {
		switch (reader_next(reader, &bytes)) {
		case READER_TEXT:
			k->n = 0;
			k->skipping = false;
			break;
		case READER_BYTES:
			if (!add_bytes(k, bytes, why))
				return false;
			break;
		case READER_END:
			return true;
		case READER_BROKEN:
			*why = reader_why(reader);
			return false;
		}
	}
}

static bool
read_file(struct known *k, const struct file *f, char *why, size_t size)
{
	int fd = f->fd >= 0 ? f->fd : open(f->path, O_RDONLY | O_CLOEXEC);
	struct reader *reader = NULL;
	const char *reason = NULL;
	struct stat st;
	bool ok = false;

	if (fd < 0 || fstat(fd, &st) < 0)
		reason = fd < 0 && errno == ENOENT
			     ? "it was taken meanwhile: run this again, with "
			       "--dedup and the place that it was taken to"
			     : strerror(errno);
	else if (f->fd >= 0 && fdatasync(fd) < 0)
		reason = strerror(errno);
	else if ((reader = reader_new(fd, (uint64_t)st.st_size)) == NULL)
		reason = "no memory";
	else
		ok = add_reader(k, reader, &reason);
	if (!ok)
		snprintf(why, size, "%s: %s", f->path, reason);
	reader_free(reader);
	if (fd >= 0 && fd != f->fd)
		close(fd);
	return ok;
}

/* --- which files --- */

static struct file *
new_file(struct known *k, const char *path, char *why, size_t size)
{
	size_t room = k->room > 0 ? 2 * k->room : 64;
	struct file *files, *f;

	if (k->n_files == KNOWN_FILES) {
		snprintf(why, size,
		    "%s: too many files to compare with: give fewer, of the "
		    "time that the import is of",
		    path);
		return NULL;
	}
	snprintf(why, size, "no memory");
	if (k->n_files == k->room) {
		files = reallocarray(k->files, room, sizeof(*files));
		if (files == NULL)
			return NULL;
		k->files = files;
		k->room = room;
	}
	f = &k->files[k->n_files];
	*f = (struct file){.path = strdup(path), .fd = -1};
	if (f->path == NULL)
		return NULL;
	k->n_files++;
	k->sorted = false;
	return f;
}

static bool
add_file(struct known *k, const char *path, char *why, size_t size)
{
	const char *slash = strrchr(path, '/');
	struct file *f = new_file(k, path, why, size);
	struct published_name name;

	if (f == NULL)
		return false;
	f->name = slash != NULL ? (size_t)(slash + 1 - path) : 0;
	f->plain = strlen(path + f->name);
	if (published_name(path + f->name, &name)) {
		memcpy(f->stream, name.stream, sizeof(f->stream));
		f->segment = name.segment;
		f->plain = name.plain;
	}
	return true;
}

static struct span
plain_name(const struct file *f)
{
	return span_of(f->path + f->name, f->plain);
}

static int
order(const void *a, const void *b)
{
	const struct file *x = a, *y = b;
	struct span p = plain_name(x), q = plain_name(y);
	int streams = strcmp(x->stream, y->stream), names;

	if (streams != 0)
		return streams;
	names = memcmp(p.p, q.p, p.n < q.n ? p.n : q.n);
	return names != 0 ? names : (p.n > q.n) - (p.n < q.n);
}

static void
sort(struct known *k)
{
	if (k->n_files > 0 && !k->sorted)
		qsort(k->files, k->n_files, sizeof(*k->files), order);
	k->sorted = true;
	for (size_t i = 1; i < k->n_files; i++)
		if (k->files[i].stream[0] != '\0' &&
		    order(&k->files[i - 1], &k->files[i]) == 0)
			k->files[i].twice = true;
}

bool
known_has_file(struct known *k, struct span name)
{
	char text[SPOOL_PATH];
	struct published_name parts;
	struct file wanted = {.path = text};

	if (name.n >= sizeof(text))
		return false;
	memcpy(text, name.p, name.n);
	text[name.n] = '\0';
	if (!published_name(text, &parts))
		return false;
	memcpy(wanted.stream, parts.stream, sizeof(wanted.stream));
	wanted.plain = parts.plain;
	sort(k);
	return bsearch(&wanted, k->files, k->n_files, sizeof(*k->files),
		   order) != NULL;
}

bool
known_read(struct known *k, bool imported, char *why, size_t size)
{
	const struct file *f;

	k->imported = imported;
	sort(k);
	k->stream = 1;
	for (size_t i = 0; i < k->n_files; i++) {
		f = &k->files[i];
		if (i > 0 && strcmp(f[-1].stream, f->stream) != 0)
			k->stream++;
		if (!f->twice && !read_file(k, f, why, size))
			return false;
	}
	return true;
}

/* --- trees --- */

static bool
ends_in_open(const char *name)
{
	size_t n = strlen(name);

	return n > 5 && strcmp(name + n - 5, ".open") == 0;
}

/* What is there may still be thrown away, and read again from its source. */
static bool
is_passing(const FTSENT *entry)
{
	char path[4096];

	if (entry->fts_level == 0)
		return false;
	snprintf(path, sizeof(path), "%s/writer", entry->fts_path);
	return strcmp(entry->fts_name, "quarantine") == 0 ||
	       access(path, F_OK) == 0;
}

static bool
walk_entry(struct known *k, FTS *tree, FTSENT *entry, char *why, size_t size)
{
	switch (entry->fts_info) {
	case FTS_D:
		if (is_passing(entry))
			fts_set(tree, entry, FTS_SKIP);
		return true;
	case FTS_F:
		if (entry->fts_level > 0 &&
		    (strstr(entry->fts_name, ".jsonl") == NULL ||
			ends_in_open(entry->fts_name)))
			return true;
		return add_file(k, entry->fts_path, why, size);
	case FTS_ERR:
	case FTS_NS:
	case FTS_DNR:
		snprintf(why, size, "%s: %s", entry->fts_path,
		    strerror(entry->fts_errno));
		return false;
	default:
		return true;
	}
}

bool
known_add(struct known *k, const char *path, char *why, size_t size)
{
	char *root = strdup(path), *roots[] = {root, NULL};
	FTS *tree = root != NULL
			? fts_open(roots,
			      FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, NULL)
			: NULL;
	FTSENT *entry;
	bool ok = tree != NULL;

	snprintf(why, size, "%s: no memory", path);
	while (ok && (entry = fts_read(tree)) != NULL)
		ok = walk_entry(k, tree, entry, why, size);
	if (tree != NULL)
		fts_close(tree);
	free(root);
	return ok;
}

/* --- a spool --- */

static bool
add_live(struct known *k, const FTSENT *entry, char *why, size_t size)
{
	char extension[SPOOL_EXTENSION_MAX + 1];
	const char *stream = entry->fts_parent->fts_name;
	uint64_t segment;
	struct file *f;
	int fd;

	if (entry->fts_level != 2 || !name_stream_ok(stream) ||
	    strlen(stream) > SPOOL_NAME_MAX ||
	    !name_parse_live(entry->fts_name, &segment, extension) ||
	    strstr(extension, "jsonl") == NULL)
		return true;
	fd = open(entry->fts_path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return true; /* published: seen in ready/ */
	f = fd >= 0 ? new_file(k, entry->fts_path, why, size) : NULL;
	if (f == NULL) {
		if (fd < 0)
			snprintf(why, size, "%s: %s", entry->fts_path,
			    strerror(errno));
		else
			close(fd);
		return false;
	}
	f->fd = fd;
	f->segment = segment;
	f->plain = strlen(f->path);
	snprintf(f->stream, sizeof(f->stream), "%s", stream);
	return true;
}

static bool
add_all_live(struct known *k, const char *spool, char *why, size_t size)
{
	char path[4096], *roots[] = {path, NULL};
	FTSENT *entry;
	FTS *tree;
	bool ok = true;

	snprintf(path, sizeof(path), "%s/live", spool);
	if (access(path, F_OK) < 0 && errno == ENOENT)
		return true;
	tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	snprintf(why, size, "%s: %s", path, strerror(errno));
	while (ok && tree != NULL && (entry = fts_read(tree)) != NULL)
		if (entry->fts_info == FTS_F)
			ok = add_live(k, entry, why, size);
	ok = ok && tree != NULL;
	if (tree != NULL)
		fts_close(tree);
	return ok;
}

/* Is the live segment among the files of ready/, which begin at `first`? What
 * imports and pulls have written has another instance, and its own numbers. */
static bool
is_published(const struct known *k, const struct file *live, size_t first,
    struct span instance)
{
	char name[SPOOL_PATH];
	int n = snprintf(name, sizeof(name), "%s-%.*s-%016" PRIu64 ".",
	    live->stream, (int)instance.n, instance.p, live->segment);

	for (size_t i = first; i < k->n_files; i++)
		if (strncmp(k->files[i].path + k->files[i].name, name,
			(size_t)n) == 0)
			return true;
	return false;
}

/* 8 hex digits, to be freed. NULL: `why`. */
static char *
read_instance(const char *spool, size_t *n, char *why, size_t size)
{
	char path[4096], *text;

	snprintf(path, sizeof(path), "%s/instance", spool);
	text = file_read(path, sizeof(path), n);
	if (text == NULL)
		snprintf(why, size, "%s: %s", path, strerror(errno));
	else if (*n > SPOOL_INSTANCE)
		*n = SPOOL_INSTANCE;
	return text;
}

/* Live segments first: those that have been published meanwhile are in ready/,
 * and those that are published afterwards are open here. */
bool
known_add_spool(struct known *k, const char *spool, char *why, size_t size)
{
	size_t first = k->n_files, ready, n;
	char path[4096], *instance;

	if (!add_all_live(k, spool, why, size))
		return false;
	ready = k->n_files;
	snprintf(path, sizeof(path), "%s/ready", spool);
	if (!known_add(k, path, why, size))
		return false;
	if (ready == first)
		return true;
	instance = read_instance(spool, &n, why, size);
	if (instance == NULL)
		return false;
	for (size_t i = first; i < ready; i++)
		if (is_published(k, &k->files[i], ready, span_of(instance, n)))
			k->files[i].twice = true;
	free(instance);
	return true;
}
