/*
 * corpus - messages as a SEPM server sends them, invented, and the same ones
 * for the same count.
 *
 * Of 40 messages 19 are traffic of 12.1 (`Local: ` three times), 19 traffic
 * of 14.3 (`Local Host IP: `, hashes), and 2 of another log. Some values hold
 * quotes, backslashes and UTF-8; none holds a comma, which the parsers of other
 * programs could not tell from a separator.
 *
 * Each message carries a number of ten digits behind CORPUS_MARK, in a value
 * that every receiver keeps. At first it is the place in the corpus; a sender
 * counts on, so that what arrived shows what was lost and what came twice.
 */
#ifndef SEPMLOG_BENCH_CORPUS_H
#define SEPMLOG_BENCH_CORPUS_H

#include <stddef.h>
#include <stdint.h>

#define CORPUS_MARK "-N"
#define CORPUS_DIGITS 10

enum corpus_framing {
	CORPUS_LF,      /* each ends with a line feed */
	CORPUS_COUNTED, /* each begins with its length (RFC 6587) */
	CORPUS_BARE,    /* datagrams */
};

struct corpus_message {
	char *frame; /* the next message's frame follows without a gap */
	size_t size;
	char *number; /* its digits, within the frame */
};

struct corpus {
	struct corpus_message *message;
	size_t count;
	char *bytes;
};

/* Ends the program when there is no memory. */
void corpus_init(
    struct corpus *corpus, size_t count, enum corpus_framing framing);
void corpus_clear(struct corpus *corpus);

/* Writes the number over the one that the message has. */
void corpus_number(struct corpus_message *message, uint64_t number);

#endif
