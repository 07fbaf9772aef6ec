/*
 * decode - a line of our own jsonl back to a record.
 *
 * For programs that look at what has been stored. Texts, words, numbers and
 * times come back; the addresses, pairs, flags and what is in `extra` are
 * passed over, and so are keys that are none of a record's.
 */
#ifndef SEPMLOG_DECODE_H
#define SEPMLOG_DECODE_H

#include <stdbool.h>
#include <stddef.h>

#include "record.h"
#include "span.h"

struct decoder;

/* For lines of at most `longest` bytes. NULL: no memory. One per thread. */
struct decoder *decoder_new(size_t longest);
void decoder_free(struct decoder *decoder);

/*
 * Fills *record, which borrows from the line and the decoder until the next
 * call; `line` is without its line end. False: it is no line of ours, which is
 * one JSON object in valid UTF-8 that begins with the type of a record and has
 * no value of another kind than its key wants; or it is too long.
 */
bool decoder_read(
    struct decoder *decoder, struct span line, struct record *record);

#endif
