#include "known.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "event_key.h"
#include "reader.h"

enum {
	SLOTS_MIN = 1 << 12,
	LINE_MAX_BYTES = 4 * 1024 * 1024, /* a longer line is passed over */
};

struct slot {
	uint64_t high, low;
	uint32_t count;
	bool used;
};

struct known {
	struct slot *slots;
	size_t size, used; /* a power of two; those in use */
	uint64_t records;
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
	free(k->slots);
	free(k->line);
	free(k);
}

uint64_t
known_count(const struct known *k)
{
	return k->records;
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

	while (slots[i].used && (slots[i].high != high || slots[i].low != low))
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
		if (k->slots[i].used)
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

	if (!slot->used && k->used == KNOWN_MAX) {
		*why = "too many events to compare with: give fewer files, of "
		       "the time that the import is of";
		return false;
	}
	if (!slot->used && k->used > k->size / 4 * 3) {
		if (!grow(k)) {
			*why = "no memory";
			return false;
		}
		slot = find(k->slots, k->size, high, low);
	}
	k->used += !slot->used;
	slot->high = high;
	slot->low = low;
	slot->used = true;
	slot->count += slot->count < UINT32_MAX;
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
	if (!slot->used || slot->count == 0)
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

	if (member(line, SPAN(",\"transport\":\""), &value) &&
	    span_eq(value, SPAN("file")))
		return true;
	if (!member(line, SPAN(",\"event_key\":\""), &value) ||
	    !read_key(value, &high, &low))
		return true;
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

/* Not one of the packings that are read here: nothing would be found in it. */
static bool
is_zstd(int fd)
{
	static const char magic[4] = {'\x28', '\xb5', '\x2f', '\xfd'};
	char start[sizeof(magic)];

	return pread(fd, start, sizeof(start), 0) == sizeof(start) &&
	       memcmp(start, magic, sizeof(magic)) == 0;
}

static bool
add_file(struct known *k, const char *path, char *why, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct reader *reader = NULL;
	const char *reason = NULL;
	struct stat st;
	bool ok = false;

	if (fd < 0 || fstat(fd, &st) < 0)
		reason = strerror(errno);
	else if (is_zstd(fd))
		reason = "zstd is not read here: unpack it first";
	else if ((reader = reader_new(fd, (uint64_t)st.st_size)) == NULL)
		reason = "no memory";
	else
		ok = add_reader(k, reader, &reason);
	if (!ok)
		snprintf(why, size, "%s: %s", path, reason);
	reader_free(reader);
	if (fd >= 0)
		close(fd);
	return ok;
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
	while (ok && (entry = fts_read(tree)) != NULL) {
		if (entry->fts_info == FTS_F &&
		    (entry->fts_level == 0 ||
			strstr(entry->fts_name, ".jsonl") != NULL))
			ok = add_file(k, entry->fts_path, why, size);
		if (entry->fts_info == FTS_ERR || entry->fts_info == FTS_NS ||
		    entry->fts_info == FTS_DNR) {
			snprintf(why, size, "%s: %s", entry->fts_path,
			    strerror(entry->fts_errno));
			ok = false;
		}
	}
	if (tree != NULL)
		fts_close(tree);
	free(root);
	return ok;
}
