#include "gunzip.h"

#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

enum { WITH_GZIP_HEADER = 16 + MAX_WBITS };

enum place {
	PLACE_MEMBER,  /* inside one, or before the first */
	PLACE_BETWEEN, /* behind one: another may follow, or nothing */
	PLACE_PADDING, /* zero bytes fill the file's last block */
	PLACE_BROKEN,
};

struct gunzip {
	z_stream stream;
	enum place place;
	const char *why;
};

bool
gunzip_is(struct span start)
{
	return span_starts(start, SPAN("\x1f\x8b\x08"));
}

struct gunzip *
gunzip_new(void)
{
	struct gunzip *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return NULL;
	if (inflateInit2(&g->stream, WITH_GZIP_HEADER) != Z_OK) {
		free(g);
		return NULL;
	}
	return g;
}

void
gunzip_free(struct gunzip *g)
{
	if (g == NULL)
		return;
	inflateEnd(&g->stream);
	free(g);
}

void
gunzip_feed(struct gunzip *g, struct span piece)
{
	/* zlib's own type lacks the const */
	g->stream.next_in = (z_const Bytef *)(uintptr_t)piece.p;
	g->stream.avail_in = (uInt)piece.n;
}

static enum gunzip_status
broken(struct gunzip *g, const char *why)
{
	g->place = PLACE_BROKEN;
	g->why = why;
	return GUNZIP_BROKEN;
}

/* What stands behind a member. False: it is no other one. */
static bool
begin_member(struct gunzip *g)
{
	z_stream *z = &g->stream;

	while (z->avail_in > 0 && *z->next_in == 0) {
		g->place = PLACE_PADDING;
		z->next_in++;
		z->avail_in--;
	}
	if (z->avail_in == 0)
		return true;
	if (g->place == PLACE_PADDING || *z->next_in != 0x1f)
		return false;
	g->place = PLACE_MEMBER;
	return inflateReset(z) == Z_OK;
}

static enum gunzip_status
step(struct gunzip *g, size_t size)
{
	switch (inflate(&g->stream, Z_NO_FLUSH)) {
	case Z_OK:
		break;
	case Z_STREAM_END:
		g->place = PLACE_BETWEEN;
		break;
	case Z_BUF_ERROR: /* it had nothing to read */
		break;
	case Z_MEM_ERROR:
		return broken(g, "no memory");
	default:
		return broken(g, "the compressed bytes are damaged");
	}
	return g->stream.avail_out < size ? GUNZIP_BYTES : GUNZIP_MORE;
}

enum gunzip_status
gunzip_next(struct gunzip *g, char *out, size_t size, size_t *n)
{
	enum gunzip_status status = GUNZIP_MORE;

	*n = 0;
	if (size > UINT_MAX)
		size = UINT_MAX;
	g->stream.next_out = (Bytef *)out;
	g->stream.avail_out = (uInt)size;
	if (g->place == PLACE_BROKEN)
		return GUNZIP_BROKEN;
	do {
		if (g->place != PLACE_MEMBER && !begin_member(g))
			return broken(
			    g, "what stands behind the last member is no gzip");
		if (g->place == PLACE_MEMBER)
			status = step(g, size);
	} while (status == GUNZIP_MORE && g->stream.avail_in > 0);
	*n = size - g->stream.avail_out;
	return status;
}

bool
gunzip_ends(const struct gunzip *g)
{
	return g->place == PLACE_BETWEEN || g->place == PLACE_PADDING;
}

const char *
gunzip_why(const struct gunzip *g)
{
	return g->why != NULL ? g->why : "it ends inside the compressed bytes";
}
