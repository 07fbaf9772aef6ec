/*
 * sepm_label - the labels of SEPM's logs, in every version and language known.
 *
 * Labels are data: one row each in sepm_label.c, told to one meaning. They are
 * compared without case, with U+00A0 as a blank, U+2019 as an apostrophe and
 * without blanks before the colon (formats: localised forms).
 */
#ifndef SEPMLOG_SEPM_LABEL_H
#define SEPMLOG_SEPM_LABEL_H

#include <stdbool.h>
#include <stdint.h>

#include "span.h"

enum sepm_label {
	SEPM_NO_LABEL,  /* bare text */
	SEPM_CANDIDATE, /* reads like a label, but nobody knows it */
	/* traffic */
	SEPM_LOCAL,  /* repeated: address, port, MAC */
	SEPM_REMOTE, /* repeated: address, name, port, MAC */
	SEPM_LOCAL_IP,
	SEPM_LOCAL_PORT,
	SEPM_LOCAL_MAC,
	SEPM_REMOTE_IP,
	SEPM_REMOTE_NAME,
	SEPM_REMOTE_PORT,
	SEPM_REMOTE_MAC,
	SEPM_BEGIN,
	SEPM_END,
	SEPM_OCCURRENCES,
	SEPM_APPLICATION,
	SEPM_RULE,
	SEPM_LOCATION,
	SEPM_USER,
	SEPM_DOMAIN,
	SEPM_ACTION,
	SEPM_SHA256,
	SEPM_MD5,
	SEPM_AGENT_IP, /* numbered: `IP Address1` */
	SEPM_AGENT_MAC,
	SEPM_AGENT_GATEWAY,
	/* what tells the other types apart */
	SEPM_EVENT_DESCRIPTION,
	SEPM_INTRUSION_ID,
	SEPM_CIDS,
	SEPM_INTRUSION_URL,
	SEPM_INTRUSION_PAYLOAD_URL,
	SEPM_DETECTION_TYPE,
	SEPM_RISK_NAME,
	SEPM_COMPUTER,
	SEPM_IP_ADDRESS,
	SEPM_CATEGORY,
	SEPM_SCAN_ID,
	SEPM_ACTION_TYPE,
	SEPM_DEVICE_ID,
	SEPM_SITE,
	SEPM_SERVER,
	SEPM_ADMIN,
	SEPM_EVENT_TIME,
	SEPM_GROUP,
	SEPM_OTHER, /* a label of other types without a part in telling them */
	SEPM_LABEL_COUNT
};

enum {
	SEPM_LABEL_SLOTS = 512,
	SEPM_LABEL_ROWS = 192, /* and no more labels */
	SEPM_GUESS = 2 * BLOCK,
};

/* A label and its colon, laid out for a comparison in one go. */
struct sepm_guess {
	char text[SEPM_GUESS];
	uint32_t mask; /* of the bytes that count */
	unsigned n;    /* of them */
	enum sepm_label label;
};

/* Where each label is found; built once, then constant. */
struct sepm_labels {
	uint16_t exact[SEPM_LABEL_SLOTS]; /* row + 1; 0: empty */
	uint16_t folded[SEPM_LABEL_SLOTS];
	struct sepm_guess guess[SEPM_LABEL_ROWS]; /* n == 0: none */
};

void sepm_labels_init(struct sepm_labels *labels);

/*
 * The meaning of a label, given without its colon and trimmed. *number is the
 * number at the end of an agent-info label (1 for `IP Address1`), else 0.
 * SEPM_NO_LABEL: not known.
 */
enum sepm_label sepm_label_find(
    const struct sepm_labels *labels, struct span text, unsigned *number);

/*
 * The guess for a body that has here what the last one had, a label written
 * exactly like this one; NULL: it is too long for that, not known, or means
 * nothing without its number.
 */
const struct sepm_guess *sepm_label_guess(
    const struct sepm_labels *labels, struct span text);

/*
 * Is the label of `guess` (may be NULL) at the start of `text`, with its colon?
 * SEPM's records have their labels in the same order, so that a guess is right
 * as a rule. When it is not, nothing is said about which other one is there.
 */
static inline bool
sepm_label_try(const struct sepm_guess *guess, struct span text)
{
	block16 a, b;

	if (guess == NULL || text.n < guess->n)
		return false;
	if (text.n >= SEPM_GUESS) {
		a = block_load(text.p);
		b = block_load(text.p + BLOCK);
	} else if (text.n >= BLOCK) {
		a = block_load(text.p);
		b = block_load_part(text.p + BLOCK, text.n - BLOCK);
	} else {
		a = b = block_load_part(text.p, text.n);
	}
	a = block_same(a, block_load(guess->text));
	b = block_same(b, block_load(guess->text + BLOCK));
	return (guess->mask & ~(block_mask(a) | block_mask(b) << BLOCK)) == 0;
}

/* Is `text` the beginning of a known label, exactly as SEPM writes it? */
bool sepm_label_begins(struct span text);

#endif
