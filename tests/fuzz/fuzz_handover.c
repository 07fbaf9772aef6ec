/*
 * Any bytes are read without harm, and any state that is taken for possible
 * lets framing go on: with what it kept first, then with more.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "handover.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FIELDS = 16 };

static void
require(bool holds)
{
	if (!holds)
		abort();
}

/* An allocation of exactly that size, so that a read past it shows. */
static struct span
copy_of(struct span a, struct span b)
{
	char *p = malloc(a.n + b.n + 1);

	require(p != NULL);
	if (a.n > 0)
		memcpy(p, a.p, a.n);
	if (b.n > 0)
		memcpy(p + a.n, b.p, b.n);
	return span_of(realloc(p, a.n + b.n > 0 ? a.n + b.n : 1), a.n + b.n);
}

static void
go_on(struct framing f, struct span kept, struct span more)
{
	struct span all = copy_of(kept, more), in = all;
	struct framing_frame frame;
	size_t used, keep;

	while (framing_next(&f, in, &frame, &used, &keep) == FRAMING_FRAME) {
		require(used > 0 && used <= in.n && frame.bytes.n <= f.max);
		require(frame.length > 0);
		/* All of it can be read. */
		free((char *)copy_of(frame.bytes, SPAN("")).p);
		in = span_skip(in, used);
	}
	require(keep <= f.max + 16 && used + keep <= in.n);
	require(framing_is_possible(&f, keep));
	framing_finish(&f, span_of(in.p + used, keep), &frame);
	free((char *)all.p);
}

/* Written and read again it is the same. */
static void
check_again(const struct handover_conn *conn, struct span more)
{
	char head[HANDOVER_RECORD];
	struct handover_conn again = {0};
	struct span file, in;

	handover_put_conn(head, conn);
	file = copy_of(span_of(head, sizeof head), conn->kept);
	in = file;
	require(handover_next(&in, &again) && in.n == 0);
	require(again.cookie == conn->cookie && again.port == conn->port);
	require(memcmp(again.address, conn->address, 16) == 0);
	require(span_eq(again.kept, conn->kept));
	require(again.framing.max == conn->framing.max &&
		again.framing.scanned == conn->framing.scanned &&
		again.framing.header == conn->framing.header &&
		again.framing.announced == conn->framing.announced &&
		again.framing.skipped == conn->framing.skipped &&
		again.framing.skipped_cr == conn->framing.skipped_cr);
	go_on(again.framing, again.kept, more);
	free((char *)file.p);
}

static void
read_file(struct span in)
{
	struct handover_conn conn;
	uint32_t records;

	if (!handover_open(&in, &records))
		return;
	while (handover_next(&in, &conn))
		go_on(conn.framing, conn.kept, SPAN("<1>x\n"));
}

/* The first bytes are a state, the others what it kept and what comes then. */
static void
make_state(const uint8_t *data, struct span rest)
{
	struct handover_conn conn = {.cookie = data[0], .port = data[1]};
	struct framing *f = &conn.framing;

	memcpy(conn.address, data, sizeof conn.address);
	conn.kept = span_take(rest, (size_t)(data[2] | data[3] << 8));
	f->max = data[4];
	f->scanned = (size_t)(data[5] | data[6] << 8);
	f->header = data[7];
	f->announced =
	    data[8] | (uint64_t)data[9] << 8 | (uint64_t)data[10] << 16;
	f->skipped =
	    data[11] | (uint64_t)data[12] << 8 | (uint64_t)data[13] << 16;
	f->skipped_cr = data[14] & 1;
	if (framing_is_possible(f, conn.kept.n))
		check_again(&conn, span_skip(rest, conn.kept.n));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of((const char *)data, size);

	read_file(in);
	if (size >= FIELDS)
		make_state(data, span_skip(in, FIELDS));
	return 0;
}
