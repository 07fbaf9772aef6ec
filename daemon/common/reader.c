#include "reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gunzip.h"
#include "spool/disk.h"
#include "unzstd.h"
#include "zip.h"

enum {
	PIECE = 64 * 1024,
	MAGIC = 4, /* bytes that tell the kind */
};

struct reader {
	int fd;
	bool pipe;
	uint64_t size, done;
	enum reader_kind kind;
	bool begun;
	struct span first; /* read to tell the kind, and not given yet */
	struct gunzip *gunzip;
	struct unzstd *unzstd;
	struct zip *zip;
	bool inside; /* a member of it */
	struct zip_member member;
	const char *why;
	char piece[PIECE];
	char plain[PIECE];
};

enum reader_kind
reader_kind(struct span start)
{
	if (gunzip_is(start))
		return READER_GZIP;
	if (unzstd_is(start))
		return READER_ZSTD;
	return zip_is(start) ? READER_ZIP : READER_PLAIN;
}

struct reader *
reader_new(int fd, uint64_t size)
{
	struct reader *r = calloc(1, sizeof *r);

	if (r == NULL)
		return NULL;
	r->fd = fd;
	r->size = size;
	r->pipe = size == UINT64_MAX;
	r->first = SPAN("");
	return r;
}

void
reader_free(struct reader *r)
{
	if (r == NULL)
		return;
	gunzip_free(r->gunzip);
	unzstd_free(r->unzstd);
	zip_free(r->zip);
	free(r);
}

uint64_t
reader_done(const struct reader *r)
{
	return r->zip != NULL ? zip_done(r->zip) : r->done;
}

int64_t
reader_modified(const struct reader *r)
{
	return r->inside ? r->member.modified : 0;
}

const char *
reader_why(const struct reader *r)
{
	return r->why;
}

static enum reader_status
broken(struct reader *r, const char *why)
{
	r->why = why;
	return READER_BROKEN;
}

/* --- bytes as they lie in the file --- */

static ssize_t
read_some(struct reader *r, char *to, size_t size)
{
	ssize_t n;

	if (!r->pipe && size > r->size - r->done)
		size = (size_t)(r->size - r->done);
	do
		n = r->pipe ? read(r->fd, to, size)
			    : pread(r->fd, to, size, (off_t)r->done);
	while (n < 0 && errno == EINTR && !r->pipe);
	if (n <= 0)
		return n;
	r->done += (uint64_t)n;
	return n;
}

/* The next piece; empty at the end. */
static bool
raw(struct reader *r, struct span *bytes)
{
	ssize_t n;

	*bytes = r->first;
	r->first = SPAN("");
	if (bytes->n > 0)
		return true;
	n = read_some(r, r->piece, PIECE);
	*bytes = span_of(r->piece, n > 0 ? (size_t)n : 0);
	if (n < 0)
		r->why = strerror(errno);
	return n >= 0;
}

static bool
zip_bytes(void *arg, uint64_t at, char *to, size_t n)
{
	struct reader *r = arg;
	size_t got;

	return disk_read(r->fd, at, to, n, &got) && got == n;
}

static enum reader_status
begin(struct reader *r)
{
	size_t n = 0;
	ssize_t got = 1;

	while (n < MAGIC && got > 0) {
		got = read_some(r, r->piece + n, PIECE - n);
		if (got > 0)
			n += (size_t)got;
	}
	if (got < 0)
		return broken(r, strerror(errno));
	r->begun = true;
	r->first = span_of(r->piece, n);
	r->kind = reader_kind(r->first);
	if (r->kind == READER_ZIP && r->pipe)
		return broken(r, "a zip archive can only be read from a file");
	if (r->kind == READER_GZIP)
		r->gunzip = gunzip_new();
	if (r->kind == READER_ZSTD)
		r->unzstd = unzstd_new();
	if (r->kind == READER_ZIP)
		r->zip = zip_new(zip_bytes, r, r->size);
	if ((r->kind == READER_GZIP && r->gunzip == NULL) ||
	    (r->kind == READER_ZSTD && r->unzstd == NULL) ||
	    (r->kind == READER_ZIP && r->zip == NULL))
		return broken(r, "no memory");
	return READER_TEXT;
}

/* --- each kind --- */

static enum reader_status
next_plain(struct reader *r, struct span *bytes)
{
	if (!raw(r, bytes))
		return READER_BROKEN;
	return bytes->n > 0 ? READER_BYTES : READER_END;
}

static enum reader_status
next_gzip(struct reader *r, struct span *bytes)
{
	struct span packed;
	size_t n;

	for (;;) {
		switch (gunzip_next(r->gunzip, r->plain, PIECE, &n)) {
		case GUNZIP_BYTES:
			*bytes = span_of(r->plain, n);
			return READER_BYTES;
		case GUNZIP_BROKEN:
			return broken(r, gunzip_why(r->gunzip));
		case GUNZIP_MORE:
			break;
		}
		if (!raw(r, &packed))
			return READER_BROKEN;
		if (packed.n == 0)
			return gunzip_ends(r->gunzip)
				   ? READER_END
				   : broken(r, gunzip_why(r->gunzip));
		gunzip_feed(r->gunzip, packed);
	}
}

static enum reader_status
next_zstd(struct reader *r, struct span *bytes)
{
	struct span packed;
	size_t n;

	for (;;) {
		switch (unzstd_next(r->unzstd, r->plain, PIECE, &n)) {
		case UNZSTD_BYTES:
			*bytes = span_of(r->plain, n);
			return READER_BYTES;
		case UNZSTD_BROKEN:
			return broken(r, unzstd_why(r->unzstd));
		case UNZSTD_MORE:
			break;
		}
		if (!raw(r, &packed))
			return READER_BROKEN;
		if (packed.n == 0)
			return unzstd_ends(r->unzstd)
				   ? READER_END
				   : broken(r, unzstd_why(r->unzstd));
		unzstd_feed(r->unzstd, packed);
	}
}

static enum reader_status
next_zip(struct reader *r, struct span *bytes)
{
	size_t n = 0;

	if (r->inside && !zip_data(r->zip, r->plain, PIECE, &n))
		return broken(r, zip_why(r->zip));
	*bytes = span_of(r->plain, n);
	if (n > 0)
		return READER_BYTES;
	switch (zip_next(r->zip, &r->member)) {
	case ZIP_MEMBER:
		r->inside = true;
		return READER_TEXT;
	case ZIP_END:
		return READER_END;
	default:
		return broken(r, zip_why(r->zip));
	}
}

enum reader_status
reader_next(struct reader *r, struct span *bytes)
{
	if (!r->begun) {
		enum reader_status status = begin(r);

		if (status != READER_TEXT || r->kind != READER_ZIP)
			return status;
	}
	switch (r->kind) {
	case READER_GZIP:
		return next_gzip(r, bytes);
	case READER_ZSTD:
		return next_zstd(r, bytes);
	case READER_ZIP:
		return next_zip(r, bytes);
	default:
		return next_plain(r, bytes);
	}
}
