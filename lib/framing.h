/*
 * framing - find syslog messages in a byte stream (RFC 6587).
 *
 * Told apart per frame: a frame that starts with a count (digits without a
 * leading zero, at most seven, one space, then a complete `<PRI>`) has that
 * many bytes; any other ends at LF, CR LF or NUL. Nothing is copied: a frame
 * points into the caller's bytes. The result does not depend on where the
 * stream was cut into reads.
 *
 * A frame longer than `max` keeps its first `max` bytes; the rest is skipped
 * and counted, and never becomes a message of its own.
 */
#ifndef SEPMLOG_FRAMING_H
#define SEPMLOG_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "span.h"

enum framing_status {
	FRAMING_FRAME, /* *frame and *used are set */
	FRAMING_MORE,  /* not yet: see framing_next */
};

struct framing_frame {
	struct span bytes;   /* without count and terminator */
	uint64_t length;     /* of all that came of it: > bytes.n when cut */
	bool unterminated;   /* the stream ended inside it */
};

/* The unfinished frame; all but `max` is zero between frames. `max` may change
 * only there, when nothing is kept. */
struct framing {
	size_t max;	    /* bytes kept of a frame */
	size_t scanned;	    /* bytes kept and known to hold no end */
	size_t header;	    /* of its count and space; 0: not counted */
	uint64_t announced; /* its count */
	uint64_t skipped;   /* bytes of it that were forgotten */
	bool skipped_cr;    /* the last of those is a CR */
};

/* For a new stream. `max` is the longest message kept, in bytes. */
void framing_init(struct framing *f, size_t max);

/*
 * Looks for a frame at the start of `in`, which begins with the bytes kept
 * from last time.
 *
 * FRAMING_FRAME: *frame is set; *used bytes are done with. Empty frames (blank
 * lines, a NUL after LF) are passed over silently.
 * FRAMING_MORE: no complete frame. The caller keeps the bytes
 * [*used, *used + *keep) of `in`, may forget the others, and calls again with
 * more behind them. *keep is never more than max + 16.
 */
enum framing_status framing_next(struct framing *f, struct span in,
    struct framing_frame *frame, size_t *used, size_t *keep);

/*
 * The stream has ended and `in` is what framing_next said to keep: the last,
 * unterminated frame if there is one. FRAMING_MORE: there is none.
 */
enum framing_status framing_finish(
    struct framing *f, struct span in, struct framing_frame *frame);

/*
 * For a state that comes from elsewhere: can it stand beside `kept` bytes, so
 * that framing_next may go on with both?
 */
bool framing_is_possible(const struct framing *f, size_t kept);

#endif
