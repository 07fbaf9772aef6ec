/*
 * A frame's kind is decided once, from at most 13 bytes: until then nothing is
 * remembered and the few bytes are looked at again. From there on every byte
 * is looked at once, however the stream was cut: `scanned` says where to go
 * on, and of what lies past `max` only the number stays.
 */
#include "framing.h"

enum {
	COUNT_DIGITS =
	    7, /* ten megabytes: more is no count but a phone number */
	COUNT_MOST = 9999999,
	PRI_DIGITS = 3,
};

enum kind { KIND_TEXT, KIND_COUNTED, KIND_UNKNOWN };

void
framing_init(struct framing *f, size_t max)
{
	*f = (struct framing){.max = max};
}

static void
framing_reset(struct framing *f)
{
	framing_init(f, f->max);
}

static size_t
digits(struct span in, size_t from, size_t most)
{
	size_t n = 0;

	while (n < most && span_isdigit(span_at(in, from + n)))
		n++;
	return n;
}

/*
 * RFC 6587 tells the two apart by the first digit alone. A line of text may
 * begin with one, too, so the PRI that every counted message has must follow,
 * within the count.
 */
static enum kind
kind_of(struct span in, size_t *header, uint64_t *announced)
{
	size_t count = digits(in, 0, COUNT_DIGITS);
	size_t pri = count + 1, end;
	uint64_t n = 0;

	if (count == 0 || in.p[0] == '0')
		return KIND_TEXT;
	if (count == in.n)
		return KIND_UNKNOWN;
	if (in.p[count] != ' ')
		return KIND_TEXT;
	if (pri == in.n)
		return KIND_UNKNOWN;
	if (in.p[pri] != '<')
		return KIND_TEXT;
	end = pri + 1 + digits(in, pri + 1, PRI_DIGITS);
	if (end == in.n)
		return KIND_UNKNOWN;
	if (in.p[end] != '>' || end == pri + 1)
		return KIND_TEXT;

	for (size_t i = 0; i < count; i++)
		n = n * 10 + (uint64_t)(in.p[i] - '0');
	if (n < end + 1 - pri)
		return KIND_TEXT;
	*header = pri;
	*announced = n;
	return KIND_COUNTED;
}

/* LF or NUL */
static uint64_t
ends(block16 b)
{
	return block_mask(block_or(block_equal(b, '\n'), block_equal(b, '\0')));
}

/* The same among 4 * BLOCK bytes. */
static uint64_t
ends_wide(const char *p)
{
	return ends(block_load(p)) | ends(block_load(p + BLOCK)) << BLOCK |
	       ends(block_load(p + 2 * BLOCK)) << 2 * BLOCK |
	       ends(block_load(p + 3 * BLOCK)) << 3 * BLOCK;
}

/* Index of the first LF or NUL at or after `from`, or in.n. */
static size_t
find_end(struct span in, size_t from)
{
	uint64_t found = 0;

	while (found == 0 && from < in.n) {
		size_t n = in.n - from;

		if (n >= 4 * BLOCK) {
			n = 4 * BLOCK;
			found = ends_wide(in.p + from);
		} else {
			n = n < BLOCK ? n : BLOCK;
			found = ends(block_load_part(in.p + from, n)) &
				block_until(n);
		}
		from += found != 0 ? block_first(found) : n;
	}
	return from;
}

static size_t
min_size(uint64_t a, size_t b)
{
	return a < b ? (size_t)a : b;
}

/* All of the unfinished frame is in `in`: answers how much of it to keep. */
static size_t
forget(struct framing *f, struct span in)
{
	size_t keep = min_size(in.n, f->header + f->max);

	if (in.n > keep) {
		f->skipped += in.n - keep;
		f->skipped_cr = in.p[in.n - 1] == '\r';
	}
	f->scanned = keep;
	return keep;
}

static enum framing_status
counted_next(struct framing *f, struct span in, struct framing_frame *frame,
    size_t *used)
{
	uint64_t here = f->header + f->announced - f->skipped;

	if (in.n < here)
		return FRAMING_MORE;
	frame->bytes =
	    span_of(in.p + f->header, min_size(f->announced, f->max));
	frame->length = f->announced;
	*used = (size_t)here;
	return FRAMING_FRAME;
}

/* Does the text before the LF at `end` end in a CR? */
static bool
ends_in_cr(const struct framing *f, struct span in, size_t end)
{
	if (f->skipped > 0 && end == f->scanned)
		return f->skipped_cr;
	return end > 0 && in.p[end - 1] == '\r';
}

static enum framing_status
text_next(struct framing *f, struct span in, struct framing_frame *frame,
    size_t *used)
{
	size_t end = find_end(in, f->scanned);
	uint64_t length = end + f->skipped;

	if (end == in.n)
		return FRAMING_MORE;
	if (in.p[end] == '\n' && ends_in_cr(f, in, end))
		length--;
	frame->bytes = span_take(in, min_size(length, f->max));
	frame->length = length;
	*used = end + 1;
	return FRAMING_FRAME;
}

enum framing_status
framing_next(struct framing *f, struct span in, struct framing_frame *frame,
    size_t *used, size_t *keep)
{
	struct span rest = in;
	enum framing_status status;
	size_t n;

	frame->unterminated = false;
	while (rest.n > 0) {
		if (f->scanned == 0 &&
		    kind_of(rest, &f->header, &f->announced) == KIND_UNKNOWN)
			break;
		status = (f->header > 0 ? counted_next : text_next)(
		    f, rest, frame, &n);
		if (status == FRAMING_MORE) {
			*used = in.n - rest.n;
			*keep = forget(f, rest);
			return FRAMING_MORE;
		}
		framing_reset(f);
		rest = span_skip(rest, n);
		if (frame->length > 0) {
			*used = in.n - rest.n;
			return FRAMING_FRAME;
		}
	}
	*used = in.n - rest.n;
	*keep = rest.n;
	return FRAMING_MORE;
}

enum framing_status
framing_finish(struct framing *f, struct span in, struct framing_frame *frame)
{
	struct span body = span_skip(in, f->header);

	frame->length = body.n + f->skipped;
	frame->bytes = span_take(body, f->max);
	frame->unterminated = true;
	framing_reset(f);
	return frame->length > 0 ? FRAMING_FRAME : FRAMING_MORE;
}

static bool
is_possible_count(const struct framing *f)
{
	return f->header <= COUNT_DIGITS + 1 && f->header <= f->scanned &&
	       f->announced <= COUNT_MOST &&
	       (f->skipped == 0 || (f->announced > f->max &&
				       f->skipped <= f->announced - f->max));
}

bool
framing_is_possible(const struct framing *f, size_t kept)
{
	if (f->max == 0 || f->scanned > kept)
		return false;
	if (f->header > 0 ? !is_possible_count(f) : f->announced > 0)
		return false;
	/* Nothing is forgotten before all is kept that can be. */
	return f->skipped > 0 ? f->scanned == f->header + f->max &&
				    f->skipped < UINT64_MAX / 2
			      : !f->skipped_cr;
}
