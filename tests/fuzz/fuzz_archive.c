/*
 * Archives: gzip files in pieces, whose size the first byte says, and zip
 * archives. Nothing comes out that is more than deflate can hold, and the same
 * bytes give the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gunzip.h"
#include "zip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 1032, ROOM = 4096 };

static char out[ROOM];

static size_t
gunzip_all(struct span text, size_t piece)
{
	struct gunzip *g = gunzip_new();
	enum gunzip_status status = GUNZIP_MORE;
	size_t total = 0, n, whole = text.n;

	while (status != GUNZIP_BROKEN) {
		status = gunzip_next(g, out, ROOM, &n);
		if (n > ROOM || (status == GUNZIP_BYTES && n == 0))
			abort();
		if (status == GUNZIP_BYTES)
			total += n;
		if (status == GUNZIP_MORE && text.n == 0)
			break;
		if (status == GUNZIP_MORE) {
			gunzip_feed(g, span_take(text, piece));
			text = span_skip(text, piece);
		}
	}
	if (*gunzip_why(g) == '\0' || total > MOST * (whole + 1))
		abort();
	gunzip_free(g);
	return status == GUNZIP_BROKEN ? SIZE_MAX : total;
}

static bool
read_cb(void *arg, uint64_t at, char *to, size_t n)
{
	const struct span *text = arg;

	if (at > text->n || n > text->n - at)
		abort();
	memcpy(to, text->p + at, n);
	return true;
}

static void
unzip_all(struct span text)
{
	struct zip *z = zip_new(read_cb, &text, text.n);
	struct zip_member m;
	size_t n, total = 0;
	bool good = true;

	while (good && zip_next(z, &m) == ZIP_MEMBER)
		do {
			good = zip_data(z, out, ROOM, &n);
			if (n > ROOM || total > MOST * (text.n + 1))
				abort();
			total += n;
		} while (good && n > 0);
	if (!good && *zip_why(z) == '\0')
		abort();
	zip_free(z);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text;

	if (size == 0)
		return 0;
	text = span_of((const char *)data + 1, size - 1);
	unzip_all(text);
	if (gunzip_all(text, SIZE_MAX) !=
	    gunzip_all(text, (size_t)data[0] % 64 + 1))
		abort();
	return 0;
}
