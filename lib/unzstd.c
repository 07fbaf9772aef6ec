#include "unzstd.h"

#include <stdlib.h>
#include <zstd.h>

struct unzstd {
	ZSTD_DCtx *context;
	ZSTD_inBuffer in;
	bool between; /* frames */
	const char *why;
};

bool
unzstd_is(struct span start)
{
	return span_starts(start, SPAN("\x28\xb5\x2f\xfd"));
}

struct unzstd *
unzstd_new(void)
{
	struct unzstd *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	u->context = ZSTD_createDCtx();
	if (!u->context) {
		free(u);
		return NULL;
	}
	return u;
}

void
unzstd_free(struct unzstd *u)
{
	if (!u)
		return;
	ZSTD_freeDCtx(u->context);
	free(u);
}

void
unzstd_feed(struct unzstd *u, struct span piece)
{
	u->in = (ZSTD_inBuffer){piece.p, piece.n, 0};
}

enum unzstd_status
unzstd_next(struct unzstd *u, char *out, size_t size, size_t *n)
{
	ZSTD_outBuffer output = {out, size, 0};
	size_t left, at;

	*n = 0;
	if (u->why)
		return UNZSTD_BROKEN;
	/* What it holds back comes without more input, too. */
	do {
		at = u->in.pos;
		left = ZSTD_decompressStream(u->context, &output, &u->in);
		if (ZSTD_isError(left)) {
			u->why = ZSTD_getErrorName(left);
			return UNZSTD_BROKEN;
		}
		if (u->in.pos > at || output.pos > 0)
			u->between = left == 0;
	} while (output.pos == 0 && u->in.pos < u->in.size);
	*n = output.pos;
	return output.pos > 0 ? UNZSTD_BYTES : UNZSTD_MORE;
}

bool
unzstd_ends(const struct unzstd *u)
{
	return u->between;
}

const char *
unzstd_why(const struct unzstd *u)
{
	return u->why ? u->why : "it ends inside the compressed bytes";
}
