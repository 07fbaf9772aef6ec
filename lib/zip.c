#include "zip.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "calendar.h"

enum {
	END_SIZE = 22,       /* end of central directory, without comment */
	END64_SIZE = 56,     /* the same of zip64, and ... */
	LOCATOR_SIZE = 20,   /* ... what says where that is */
	ENTRY_SIZE = 46,     /* of the central directory, without its texts */
	LOCAL_SIZE = 30,     /* in front of a member */
	COMMENT_MAX = 65535, /* the longest comment at the end */
	EXTRA_MAX = 65535,
	NAME_KEPT = 200,
	PIECE = 65536,
	WHY = 120,
};

enum { STORED = 0, DEFLATED = 8 };
enum { ENCRYPTED = 1 << 0, STRONGLY = 1 << 6, MASKED = 1 << 13 };

struct zip {
	zip_read_cb *read;
	void *arg;
	uint64_t size;
	char why[WHY];
	bool opened, broken;

	/* central directory */
	uint64_t entry; /* where the next one is */
	uint64_t entries_end;
	uint64_t base; /* what stands in front of the archive proper */
	uint64_t room; /* bytes that members may still take */

	/* the member in work */
	unsigned method;
	uint32_t crc, expected_crc;
	uint64_t at, left;       /* its packed bytes */
	uint64_t plain, size_is; /* its plain bytes: so far, and to be */
	bool ended;
	uint64_t done;
	bool inflating; /* the stream is set up */
	z_stream stream;

	char name[NAME_KEPT];
	char piece[PIECE];
	char extra[EXTRA_MAX];
};

static unsigned
u16(const char *p)
{
	const unsigned char *b = (const unsigned char *)p;

	return (unsigned)b[0] | (unsigned)b[1] << 8;
}

static uint32_t
u32(const char *p)
{
	return u16(p) | (uint32_t)u16(p + 2) << 16;
}

static uint64_t
u64(const char *p)
{
	return u32(p) | (uint64_t)u32(p + 4) << 32;
}

static bool
fails(struct zip *z, const char *why)
{
	if (!z->broken)
		snprintf(z->why, sizeof(z->why), "%s", why);
	z->broken = true;
	return false;
}

static bool
take(struct zip *z, uint64_t at, char *to, size_t n)
{
	if (at > z->size || n > z->size - at)
		return fails(z, "it ends before what its directory names");
	return z->read(z->arg, at, to, n) || fails(z, "it cannot be read");
}

bool
zip_is(struct span start)
{
	return span_starts(start, SPAN("PK\3\4")) ||
	       span_starts(start, SPAN("PK\5\6"));
}

struct zip *
zip_new(zip_read_cb *read, void *arg, uint64_t size)
{
	struct zip *z = calloc(1, sizeof(*z));

	if (z == NULL)
		return NULL;
	z->read = read;
	z->arg = arg;
	z->size = size;
	return z;
}

void
zip_free(struct zip *z)
{
	if (z == NULL)
		return;
	if (z->inflating)
		inflateEnd(&z->stream);
	free(z);
}

const char *
zip_why(const struct zip *z)
{
	return z->why;
}

uint64_t
zip_done(const struct zip *z)
{
	return z->done;
}

/* --- the central directory --- */

/* What the end of the archive says about its directory. */
struct end {
	uint64_t at; /* of the record itself: the directory ends before it */
	uint64_t size, offset;
};

/* The last place from which an end record and its comment fill the file. */
static bool
find_end(struct zip *z, struct end *end, char record[END_SIZE])
{
	uint64_t lowest = z->size > END_SIZE + COMMENT_MAX
			      ? z->size - END_SIZE - COMMENT_MAX
			      : 0;
	uint64_t high = z->size;

	while (high >= lowest + END_SIZE) {
		uint64_t low = high - lowest > PIECE ? high - PIECE : lowest;
		size_t n = (size_t)(high - low);

		if (!take(z, low, z->piece, n))
			return false;
		for (size_t i = n - END_SIZE + 1; i-- > 0;) {
			const char *p = z->piece + i;

			if (u32(p) != 0x06054b50 ||
			    low + i + END_SIZE + u16(p + 20) != z->size)
				continue;
			memcpy(record, p, END_SIZE);
			end->at = low + i;
			return true;
		}
		high = low + END_SIZE - 1;
		if (low == lowest)
			break;
	}
	return fails(z, "the directory at its end is missing: it was cut off");
}

static bool
read_end64(struct zip *z, struct end *end)
{
	char locator[LOCATOR_SIZE], record[END64_SIZE];
	uint64_t at;

	if (end->at < LOCATOR_SIZE ||
	    !take(z, end->at - LOCATOR_SIZE, locator, sizeof(locator)) ||
	    u32(locator) != 0x07064b50)
		return !z->broken;
	at = u64(locator + 8);
	if (!take(z, at, record, sizeof(record)))
		return false;
	if (u32(record) != 0x06064b50 || u32(record + 16) != 0 ||
	    u32(record + 20) != 0)
		return fails(z, "its zip64 directory is damaged");
	end->at = at;
	end->size = u64(record + 40);
	end->offset = u64(record + 48);
	return true;
}

static bool
open_directory(struct zip *z)
{
	char record[END_SIZE];
	struct end end;

	z->opened = true;
	if (!find_end(z, &end, record))
		return false;
	if (u16(record + 4) != u16(record + 6) ||
	    (u16(record + 4) != 0 && u16(record + 4) != 0xffff))
		return fails(z, "it is one part of several");
	end.size = u32(record + 12);
	end.offset = u32(record + 16);
	if (!read_end64(z, &end))
		return false;
	if (end.size > end.at || end.offset > end.at - end.size)
		return fails(z, "its directory is damaged");
	z->entry = end.at - end.size;
	z->entries_end = end.at;
	z->base = z->entry - end.offset;
	z->room = z->entry;
	return true;
}

/* A 64-bit field of the zip64 extra, in place of one that is all ones. */
static bool
wide(struct zip *z, struct span *extra, uint64_t *value)
{
	if (*value != 0xffffffff)
		return true;
	if (extra->n < 8)
		return fails(z, "a size or place in its directory is missing");
	*value = u64(extra->p);
	*extra = span_skip(*extra, 8);
	return true;
}

static struct span
extra_zip64(struct span in)
{
	while (in.n >= 4) {
		unsigned id = u16(in.p);
		size_t n = u16(in.p + 2);

		in = span_skip(in, 4);
		if (id == 1)
			return span_take(in, n);
		in = span_skip(in, n);
	}
	return span_of("", 0);
}

/* DOS date and time; 0 where they are none. */
static int64_t
modified(uint32_t dos)
{
	int64_t year = 1980 + (dos >> 25);
	int month = (int)(dos >> 21 & 15), day = (int)(dos >> 16 & 31);
	int hour = (int)(dos >> 11 & 31), minute = (int)(dos >> 5 & 63);

	if (month < 1 || month > 12 || day < 1 ||
	    day > calendar_month_days(year, month) || hour > 23 || minute > 59)
		return 0;
	return calendar_day(year, month, day) * CALENDAR_DAY + hour * 3600 +
	       minute * 60 + (int)(dos & 31) * 2;
}

struct entry {
	unsigned flags, method;
	uint32_t crc;
	uint64_t packed, size, local;
	struct zip_member member;
};

static bool
read_entry(struct zip *z, struct entry *e)
{
	char fixed[ENTRY_SIZE];
	struct span extra;
	size_t name_n, extra_n, comment_n;

	if (z->entry >= z->entries_end ||
	    z->entries_end - z->entry < ENTRY_SIZE)
		return fails(z, "its directory ends too early");
	if (!take(z, z->entry, fixed, sizeof(fixed)))
		return false;
	if (u32(fixed) != 0x02014b50)
		return fails(z, "its directory is damaged");
	name_n = u16(fixed + 28);
	extra_n = u16(fixed + 30);
	comment_n = u16(fixed + 32);
	e->flags = u16(fixed + 8);
	e->method = u16(fixed + 10);
	e->crc = u32(fixed + 16);
	e->packed = u32(fixed + 20);
	e->size = u32(fixed + 24);
	e->local = u32(fixed + 42);
	e->member.modified = modified(u32(fixed + 12));
	z->entry += ENTRY_SIZE;
	if (!take(z, z->entry, z->name,
		name_n < NAME_KEPT ? name_n : NAME_KEPT) ||
	    !take(z, z->entry + name_n, z->extra, extra_n))
		return false;
	e->member.name =
	    span_of(z->name, name_n < NAME_KEPT ? name_n : NAME_KEPT);
	extra = extra_zip64(span_of(z->extra, extra_n));
	if (!wide(z, &extra, &e->size) || !wide(z, &extra, &e->packed) ||
	    !wide(z, &extra, &e->local))
		return false;
	e->member.size = e->size;
	z->entry += name_n + extra_n + comment_n;
	if (z->entry > z->entries_end)
		return fails(z, "its directory ends too early");
	return true;
}

/* --- members --- */

static bool
begin_inflate(struct zip *z)
{
	int status;

	if (z->inflating)
		status = inflateReset(&z->stream);
	else
		status = inflateInit2(&z->stream, -MAX_WBITS);
	z->inflating = z->inflating || status == Z_OK;
	z->stream.avail_in = 0;
	return status == Z_OK || fails(z, "no memory");
}

static bool
begin_member(struct zip *z, const struct entry *e)
{
	char local[LOCAL_SIZE];
	uint64_t at = z->base + e->local, behind;

	if (e->flags & (ENCRYPTED | STRONGLY | MASKED))
		return fails(z, "it is encrypted: unpack it with its password");
	if (e->method != STORED && e->method != DEFLATED) {
		char why[WHY];

		snprintf(why, sizeof(why),
		    "a member is packed in a way not known here (%u): unpack "
		    "it, or pack it as deflate",
		    e->method);
		return fails(z, why);
	}
	if (at < z->base || !take(z, at, local, sizeof(local)))
		return fails(z, "a member is not where its directory says");
	if (u32(local) != 0x04034b50)
		return fails(z, "a member is not where its directory says");
	behind = at + LOCAL_SIZE + u16(local + 26) + u16(local + 28);
	if (behind > z->size || e->packed > z->size - behind)
		return fails(z, "it ends inside a member");
	if (LOCAL_SIZE + e->packed > z->room)
		return fails(z, "members overlap");
	z->room -= LOCAL_SIZE + e->packed;
	if (e->method == STORED && e->packed != e->size)
		return fails(z, "its directory is damaged");
	z->method = e->method;
	z->expected_crc = e->crc;
	z->crc = (uint32_t)crc32(0, NULL, 0);
	z->at = behind;
	z->left = e->packed;
	z->plain = 0;
	z->size_is = e->size;
	z->ended = false;
	return e->method == STORED || begin_inflate(z);
}

static bool
is_directory(const struct entry *e)
{
	struct span name = e->member.name;

	return e->size == 0 && name.n > 0 && name.p[name.n - 1] == '/';
}

enum zip_status
zip_next(struct zip *z, struct zip_member *member)
{
	struct entry e;

	if (z->broken || (!z->opened && !open_directory(z)))
		return ZIP_BROKEN;
	z->ended = true;
	do {
		if (z->entry == z->entries_end)
			return ZIP_END;
		if (!read_entry(z, &e))
			return ZIP_BROKEN;
	} while (is_directory(&e));
	if (!begin_member(z, &e))
		return ZIP_BROKEN;
	*member = e.member;
	return ZIP_MEMBER;
}

static bool
fill(struct zip *z, size_t max, size_t *n)
{
	*n = z->left < max ? (size_t)z->left : max;
	if (!take(z, z->at, z->piece, *n))
		return false;
	z->at += *n;
	z->left -= *n;
	z->done += *n;
	return true;
}

static bool
stored_data(struct zip *z, char *out, size_t size, size_t *n)
{
	if (!fill(z, size < PIECE ? size : PIECE, n))
		return false;
	memcpy(out, z->piece, *n);
	z->ended = z->left == 0;
	return true;
}

static bool
inflate_data(struct zip *z, char *out, size_t size, size_t *n)
{
	z_stream *s = &z->stream;
	int status = Z_OK;
	size_t got;

	s->next_out = (Bytef *)out;
	s->avail_out = (uInt)size;
	while (s->avail_out == size && status == Z_OK) {
		if (s->avail_in == 0) {
			if (!fill(z, PIECE, &got))
				return false;
			s->next_in = (Bytef *)z->piece;
			s->avail_in = (uInt)got;
		}
		status = inflate(s, Z_NO_FLUSH);
	}
	*n = size - s->avail_out;
	if (status == Z_STREAM_END)
		z->ended = true;
	else if (status == Z_MEM_ERROR)
		return fails(z, "no memory");
	else if (status != Z_OK)
		return fails(z, "a member's compressed bytes are damaged");
	return true;
}

/* What came is what the directory promised? */
static bool
check_member(struct zip *z)
{
	if (z->plain > z->size_is || (z->ended && z->plain != z->size_is))
		return fails(z, "a member has not the size it should have");
	if (z->ended && z->crc != z->expected_crc)
		return fails(z, "a member is damaged: its checksum is wrong");
	return true;
}

bool
zip_data(struct zip *z, char *out, size_t size, size_t *n)
{
	bool ok;

	*n = 0;
	if (z->broken)
		return false;
	if (z->ended || size == 0)
		return true;
	if (size > PIECE)
		size = PIECE;
	ok = z->method == STORED ? stored_data(z, out, size, n)
				 : inflate_data(z, out, size, n);
	if (!ok)
		return false;
	z->crc = (uint32_t)crc32(z->crc, (const Bytef *)out, (uInt)*n);
	z->plain += *n;
	return check_member(z);
}
