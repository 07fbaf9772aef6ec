#include "handover.h"

#include <string.h>
#include <zlib.h>

enum {
	VERSION = 1,
	FLAG_CR = 1,
	CRC_AT = 4, /* in a record */
	CRC_FROM = 8,
};

static const char magic[8] = {'s', 'e', 'p', 'm', 'c', 'o', 'n', 'n'};

/* --- numbers, least byte first --- */

static char *
put(char *out, uint64_t value, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		out[i] = (char)(value >> 8 * i & 0xff);
	return out + bytes;
}

/* Of the `bytes` that *in begins with, for which the caller has looked. */
static uint64_t
get(struct span *in, size_t bytes)
{
	uint64_t value = 0;

	for (size_t i = bytes; i-- > 0;)
		value = value << 8 | (unsigned char)in->p[i];
	*in = span_skip(*in, bytes);
	return value;
}

static uint32_t
crc_of(const char *record, struct span kept)
{
	uLong crc = crc32(
	    0, (const Bytef *)record + CRC_FROM, HANDOVER_RECORD - CRC_FROM);

	if (kept.n > 0)
		crc = crc32(crc, (const Bytef *)kept.p, (uInt)kept.n);
	return (uint32_t)crc;
}

/* --- writing --- */

void
handover_put_header(char out[HANDOVER_HEADER], uint32_t records, uint64_t bytes)
{
	memcpy(out, magic, sizeof magic);
	out = put(out + sizeof magic, VERSION, 4);
	out = put(out, records, 4);
	put(out, bytes, 8);
}

void
handover_put_conn(char out[HANDOVER_RECORD], const struct handover_conn *conn)
{
	const struct framing *f = &conn->framing;
	char *p = put(out, conn->kept.n, 4);

	p = put(p, 0, 4);
	p = put(p, conn->cookie, 8);
	memcpy(p, conn->address, sizeof conn->address);
	p = put(p + sizeof conn->address, conn->port, 2);
	p = put(p, f->skipped_cr ? FLAG_CR : 0, 1);
	p = put(p, f->header, 1);
	p = put(p, f->max, 4);
	p = put(p, f->scanned, 4);
	p = put(p, f->announced, 4);
	put(p, f->skipped, 8);
	put(out + CRC_AT, crc_of(out, conn->kept), 4);
}

/* --- reading --- */

bool
handover_open(struct span *in, uint32_t *records)
{
	struct span rest = *in;

	if (rest.n < HANDOVER_HEADER ||
	    !span_starts(rest, span_of(magic, sizeof magic)))
		return false;
	rest = span_skip(rest, sizeof magic);
	if (get(&rest, 4) != VERSION)
		return false;
	*records = (uint32_t)get(&rest, 4);
	if (get(&rest, 8) != in->n)
		return false;
	*in = rest;
	return true;
}

static bool
is_possible(const struct handover_conn *conn)
{
	return conn->framing.max <= HANDOVER_MAX_MESSAGE &&
	       framing_is_possible(&conn->framing, conn->kept.n);
}

bool
handover_next(struct span *in, struct handover_conn *conn)
{
	struct framing *f = &conn->framing;
	const char *record = in->p;
	struct span rest = *in;
	uint32_t crc;
	uint64_t flags;

	if (rest.n < HANDOVER_RECORD)
		return false;
	conn->kept.n = (size_t)get(&rest, 4);
	crc = (uint32_t)get(&rest, 4);
	if (conn->kept.n > HANDOVER_MAX_KEPT ||
	    conn->kept.n > in->n - HANDOVER_RECORD)
		return false;
	conn->kept.p = record + HANDOVER_RECORD;
	if (crc_of(record, conn->kept) != crc)
		return false;

	conn->cookie = get(&rest, 8);
	memcpy(conn->address, rest.p, sizeof conn->address);
	rest = span_skip(rest, sizeof conn->address);
	conn->port = (uint16_t)get(&rest, 2);
	flags = get(&rest, 1);
	f->skipped_cr = (flags & FLAG_CR) != 0;
	f->header = (size_t)get(&rest, 1);
	f->max = (size_t)get(&rest, 4);
	f->scanned = (size_t)get(&rest, 4);
	f->announced = get(&rest, 4);
	f->skipped = get(&rest, 8);
	if (flags > FLAG_CR || !is_possible(conn))
		return false;
	*in = span_skip(rest, conn->kept.n);
	return true;
}
