#include "imported.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC "import 1\n"

enum {
	HEX = SHA256_HEX,
	CONTENT = 8 + HEX + 1, /* bytes of its line, and of others at most */
	LINE = HEX + 128,
	ROOM = 64, /* contents at first */
};

struct content {
	unsigned char digest[SURVEY_DIGEST];
	uint32_t next; /* with the same hash: index + 1 */
};

struct part {
	unsigned char digest[SURVEY_DIGEST];
	uint64_t messages;
};

struct imported {
	struct content *contents; /* a ring once `keep` are there */
	size_t keep, count, room;
	size_t oldest;
	uint32_t *buckets; /* as many as there is room: index + 1 */

	struct part part[IMPORTED_PARTS]; /* oldest first */
	size_t parts;
	struct growing growing[IMPORTED_GROWING];
	size_t growings;
	uint64_t uses;

	char *text;
	size_t text_room;
};

struct imported *
imported_new(size_t keep)
{
	struct imported *im = calloc(1, sizeof *im);

	if (im != NULL)
		im->keep = keep > 0 ? keep : 1;
	return im;
}

void
imported_free(struct imported *im)
{
	if (im == NULL)
		return;
	free(im->contents);
	free(im->buckets);
	free(im->text);
	free(im);
}

/* --- contents --- */

static uint32_t *
bucket(const struct imported *im, const unsigned char *digest)
{
	uint32_t hash;

	memcpy(&hash, digest, sizeof hash);
	return &im->buckets[hash % im->room];
}

static void
link_content(struct imported *im, size_t i)
{
	uint32_t *first = bucket(im, im->contents[i].digest);

	im->contents[i].next = *first;
	*first = (uint32_t)i + 1;
}

static void
unlink_content(struct imported *im, size_t i)
{
	uint32_t *at = bucket(im, im->contents[i].digest);

	while (*at != i + 1)
		at = &im->contents[*at - 1].next;
	*at = im->contents[i].next;
}

static bool
more_room(struct imported *im)
{
	size_t room = im->room > 0 ? 2 * im->room : ROOM;
	struct content *contents;
	uint32_t *buckets;

	if (room > im->keep)
		room = im->keep;
	buckets = calloc(room, sizeof *buckets);
	contents = reallocarray(im->contents, room, sizeof *contents);
	if (contents != NULL)
		im->contents = contents;
	if (buckets == NULL || contents == NULL) {
		free(buckets);
		return false;
	}
	free(im->buckets);
	im->buckets = buckets;
	im->room = room;
	for (size_t i = 0; i < im->count; i++)
		link_content(im, i);
	return true;
}

bool
imported_has(
    const struct imported *im, const unsigned char digest[SURVEY_DIGEST])
{
	uint32_t i = im->count > 0 ? *bucket(im, digest) : 0;

	while (i != 0 &&
	       memcmp(im->contents[i - 1].digest, digest, SURVEY_DIGEST) != 0)
		i = im->contents[i - 1].next;
	return i != 0;
}

static struct part *
find_part(const struct imported *im, const unsigned char *digest)
{
	for (size_t i = 0; i < im->parts; i++)
		if (memcmp(im->part[i].digest, digest, SURVEY_DIGEST) == 0)
			return (struct part *)&im->part[i];
	return NULL;
}

static void
remove_part(struct imported *im, struct part *part)
{
	size_t behind = (size_t)(im->part + im->parts - (part + 1));

	memmove(part, part + 1, behind * sizeof *part);
	im->parts--;
}

bool
imported_add(struct imported *im, const unsigned char digest[SURVEY_DIGEST])
{
	struct part *part = find_part(im, digest);
	size_t i;

	if (im->count == im->room && im->room < im->keep && !more_room(im))
		return false;
	if (part != NULL)
		remove_part(im, part);
	if (imported_has(im, digest))
		return true;
	if (im->count < im->room) {
		i = im->count++;
	} else {
		i = im->oldest;
		im->oldest = (im->oldest + 1) % im->count;
		unlink_content(im, i);
	}
	memcpy(im->contents[i].digest, digest, SURVEY_DIGEST);
	link_content(im, i);
	return true;
}

/* --- parts --- */

uint64_t
imported_part(
    const struct imported *im, const unsigned char digest[SURVEY_DIGEST])
{
	const struct part *part = find_part(im, digest);

	return part != NULL ? part->messages : 0;
}

bool
imported_set_part(struct imported *im,
    const unsigned char digest[SURVEY_DIGEST], uint64_t messages)
{
	struct part *part = find_part(im, digest);

	if (part == NULL) {
		if (im->parts == IMPORTED_PARTS)
			remove_part(im, im->part);
		part = &im->part[im->parts++];
		memcpy(part->digest, digest, SURVEY_DIGEST);
	}
	part->messages = messages;
	return true;
}

/* --- growing files --- */

static bool
is_inode(void *arg, const struct growing *g)
{
	const struct growing *wanted = arg;

	return g->device == wanted->device && g->inode == wanted->inode;
}

struct growing *
imported_find_growing(struct imported *im, imported_growing_cb *cb, void *arg)
{
	for (size_t i = 0; i < im->growings; i++)
		if (cb(arg, &im->growing[i])) {
			im->growing[i].seen = ++im->uses;
			return &im->growing[i];
		}
	return NULL;
}

struct growing *
imported_growing(struct imported *im, uint64_t device, uint64_t inode)
{
	struct growing wanted = {.device = device, .inode = inode};

	return imported_find_growing(im, is_inode, &wanted);
}

struct growing *
imported_grow(struct imported *im, uint64_t device, uint64_t inode)
{
	struct growing *g = im->growing;

	if (im->growings < IMPORTED_GROWING)
		g = &im->growing[im->growings++];
	else
		for (size_t i = 0; i < im->growings; i++)
			if (im->growing[i].seen < g->seen)
				g = &im->growing[i];
	*g = (struct growing){
	    .device = device, .inode = inode, .seen = ++im->uses};
	return g;
}

void
imported_grown(struct imported *im, struct growing *g)
{
	*g = im->growing[--im->growings];
}

/* --- as text --- */

static bool
text_room(struct imported *im)
{
	size_t room = sizeof(MAGIC) + im->count * CONTENT +
		      (im->parts + im->growings) * LINE;

	if (im->text != NULL && room <= im->text_room)
		return true;
	room += room / 4;
	free(im->text);
	im->text = malloc(room);
	im->text_room = im->text != NULL ? room : 0;
	return im->text != NULL;
}

struct span
imported_text(struct imported *im)
{
	char hex[HEX], *at;

	if (!text_room(im))
		return span_of(NULL, 0);
	at = stpcpy(im->text, MAGIC);
	for (size_t i = 0; i < im->count; i++) {
		size_t k = (im->oldest + i) % im->count;

		at = stpcpy(at, "content ");
		sha256_hex(im->contents[k].digest, at);
		at += HEX;
		*at++ = '\n';
	}
	for (size_t i = 0; i < im->parts; i++) {
		sha256_hex(im->part[i].digest, hex);
		at += sprintf(at, "part %.*s %" PRIu64 "\n", HEX, hex,
		    im->part[i].messages);
	}
	for (size_t i = 0; i < im->growings; i++) {
		const struct growing *g = &im->growing[i];

		sha256_hex(g->head, hex);
		at += sprintf(at,
		    "growing %" PRIu64 " %" PRIu64 " %" PRIu64 " %zu %.*s\n",
		    g->device, g->inode, g->offset, g->head_n, HEX, hex);
	}
	return span_between(im->text, at);
}

/* --- from text --- */

/* The word at the start of *line, which moves behind it and a blank. */
static struct span
word(struct span *line)
{
	struct span w = span_take(*line, span_find(*line, ' '));

	*line = span_skip(*line, w.n + 1);
	return w;
}

static bool
number(struct span *line, uint64_t *value)
{
	struct span w = word(line);

	*value = 0;
	for (size_t i = 0; i < w.n; i++) {
		unsigned digit = (unsigned)(w.p[i] - '0');

		if (!span_isdigit(w.p[i]) || *value > (UINT64_MAX - digit) / 10)
			return false;
		*value = *value * 10 + digit;
	}
	return w.n > 0;
}

static bool
read_growing(struct imported *im, struct span *line)
{
	uint64_t device, inode, offset, head_n;
	struct growing *g;

	if (!number(line, &device) || !number(line, &inode) ||
	    !number(line, &offset) || !number(line, &head_n) ||
	    head_n > IMPORTED_HEAD || head_n > offset)
		return false;
	g = imported_grow(im, device, inode);
	g->offset = offset;
	g->head_n = (size_t)head_n;
	return sha256_read(word(line), g->head);
}

static bool
read_line(struct imported *im, struct span line)
{
	unsigned char digest[SURVEY_DIGEST];
	struct span kind = word(&line);
	uint64_t n;

	if (span_eq(kind, SPAN("content")))
		return sha256_read(word(&line), digest) &&
		       imported_add(im, digest);
	if (span_eq(kind, SPAN("part")))
		return sha256_read(word(&line), digest) && number(&line, &n) &&
		       imported_set_part(im, digest, n);
	return span_eq(kind, SPAN("growing")) && read_growing(im, &line);
}

bool
imported_read(struct imported *im, struct span text)
{
	if (text.n == 0)
		return true;
	if (!span_starts(text, SPAN(MAGIC)))
		return false;
	text = span_skip(text, sizeof(MAGIC) - 1);
	while (text.n > 0) {
		size_t n = span_find(text, '\n');

		if (n == text.n || !read_line(im, span_take(text, n)))
			return false;
		text = span_skip(text, n + 1);
	}
	return true;
}
