/*
 * The first two bytes choose how much of a frame is kept and where the stream
 * is cut; whole or in pieces, the same frames must come out.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "framing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct digest {
	uint64_t frames, bytes, lengths, hash;
};

static void
digest_add(struct digest *d, const struct framing *f,
    const struct framing_frame *frame)
{
	if (frame->bytes.n > f->max || frame->bytes.n > frame->length)
		abort();
	if (frame->length == 0)
		abort();
	if (frame->bytes.n < f->max && frame->bytes.n != frame->length)
		abort();
	d->frames++;
	d->bytes += frame->bytes.n;
	d->lengths += frame->length;
	for (size_t i = 0; i < frame->bytes.n; i++)
		d->hash = (d->hash ^ (unsigned char)frame->bytes.p[i]) *
			  UINT64_C(1099511628211);
	d->hash += frame->unterminated;
}

static struct digest
read_all(struct span stream, size_t max, size_t step)
{
	struct digest d = {0};
	struct framing f;
	struct framing_frame frame;
	char *buffer = malloc(max + 16 + step);
	size_t kept = 0, used, keep;

	if (buffer == NULL)
		abort();
	framing_init(&f, max);
	while (stream.n > 0) {
		struct span piece = span_take(stream, step), in;

		memcpy(buffer + kept, piece.p, piece.n);
		in = span_of(buffer, kept + piece.n);
		while (framing_next(&f, in, &frame, &used, &keep) ==
		       FRAMING_FRAME) {
			if (used == 0 || used > in.n)
				abort();
			digest_add(&d, &f, &frame);
			in = span_skip(in, used);
		}
		if (keep > max + 16 || used + keep > in.n)
			abort();
		memmove(buffer, in.p + used, keep);
		kept = keep;
		stream = span_skip(stream, step);
	}
	if (framing_finish(&f, span_of(buffer, kept), &frame) == FRAMING_FRAME)
		digest_add(&d, &f, &frame);
	free(buffer);
	return d;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span stream;
	struct digest whole, pieces;
	size_t max, step;

	if (size < 3)
		return 0;
	max = (size_t)data[0] + 1;
	step = (size_t)data[1] + 1;
	stream = span_of((const char *)data + 2, size - 2);
	whole = read_all(stream, max, stream.n);
	pieces = read_all(stream, max, step);
	if (memcmp(&whole, &pieces, sizeof whole) != 0)
		abort();
	return 0;
}
