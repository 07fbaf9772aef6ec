/*
 * sepm_label - the labels of SEPM's logs, in every version and language known.
 *
 * Labels are data: one row each in sepm_language.c, told to one meaning. They
 * are compared without the case of ASCII letters, with U+00A0, U+202F and
 * U+3000 as blanks, U+2019 as an apostrophe and without blanks before the
 * colon (formats: localised forms).
 */
#ifndef SEPMLOG_SEPM_LABEL_H
#define SEPMLOG_SEPM_LABEL_H

#include <stdbool.h>
#include <stdint.h>

#include "span.h"

/*
 * What a label can mean: the field it fills and how its value is read (see
 * sepm_field.h). NOTHING: a repeated or numbered label, whose field depends on
 * its place, and a label whose value goes to extra.
 */
/* clang-format off */
#define SEPM_LABEL_TABLE(ROW)                                                 \
	/*  constant               field                   reader      */     \
	/* what tells the types apart, and traffic */                         \
	ROW(LOCAL,                 TYPE,                   NOTHING)           \
	ROW(REMOTE,                TYPE,                   NOTHING)           \
	ROW(LOCAL_IP,              LOCAL_IP,               IP)                \
	ROW(LOCAL_PORT,            LOCAL_PORT,             PORT)              \
	ROW(LOCAL_MAC,             LOCAL_MAC,              MAC)               \
	ROW(REMOTE_IP,             REMOTE_IP,              IP)                \
	ROW(REMOTE_NAME,           REMOTE_NAME,            TEXT)              \
	ROW(REMOTE_PORT,           REMOTE_PORT,            PORT)              \
	ROW(REMOTE_MAC,            REMOTE_MAC,             MAC)               \
	ROW(BEGIN,                 BEGIN,                  TIME)              \
	ROW(END,                   END,                    TIME)              \
	ROW(OCCURRENCES,           OCCURRENCES,            COUNT)             \
	ROW(APPLICATION,           APPLICATION,            TEXT)              \
	ROW(RULE,                  RULE,                   TEXT)              \
	ROW(LOCATION,              LOCATION,               TEXT)              \
	ROW(USER,                  USER,                   TEXT)              \
	ROW(DOMAIN,                DOMAIN,                 TEXT)              \
	ROW(ACTION,                ACTION,                 ACTION)            \
	ROW(SHA256,                SHA256,                 SHA256)            \
	ROW(MD5,                   MD5,                    MD5)               \
	/* numbered: `IP Address1` */                                         \
	ROW(AGENT_IP,              TYPE,                   NOTHING)           \
	ROW(AGENT_MAC,             TYPE,                   NOTHING)           \
	ROW(AGENT_GATEWAY,         TYPE,                   NOTHING)           \
	ROW(EVENT_DESCRIPTION,     EVENT_DESCRIPTION,      TEXT)              \
	ROW(INTRUSION_ID,          INTRUSION_ID,           TEXT)              \
	ROW(CIDS_ID,               CIDS_SIGNATURE_ID,      TEXT)              \
	ROW(CIDS_STRING,           CIDS_SIGNATURE_STRING,  TEXT)              \
	ROW(CIDS_SUBID,            CIDS_SIGNATURE_SUBID,   TEXT)              \
	ROW(INTRUSION_URL,         INTRUSION_URL,          TEXT)              \
	ROW(INTRUSION_PAYLOAD_URL, INTRUSION_PAYLOAD_URL,  TEXT)              \
	ROW(DETECTION_TYPE,        DETECTION_TYPE,         TEXT)              \
	ROW(RISK_NAME,             RISK_NAME,              TEXT)              \
	ROW(COMPUTER,              HOST,                   TEXT)              \
	ROW(IP_ADDRESS,            IP_ADDRESS,             IP)                \
	ROW(CATEGORY,              CATEGORY,               TEXT)              \
	ROW(SCAN_ID,               SCAN_ID,                TEXT)              \
	ROW(ACTION_TYPE,           ACTION_TYPE,            TEXT)              \
	ROW(DEVICE_ID,             DEVICE_ID,              TEXT)              \
	ROW(SITE,                  SITE,                   TEXT)              \
	ROW(SERVER,                SERVER_NAME,            TEXT)              \
	ROW(ADMIN,                 ADMIN,                  TEXT)              \
	ROW(EVENT_TIME,            EVENT_TIME,             TIME)              \
	ROW(GROUP,                 GROUP_NAME,             TEXT)              \
	/* the others */                                                      \
	ROW(ACTUAL_ACTION,         ACTUAL_ACTION,          TEXT)              \
	ROW(ALLOWED_REASON,        ALLOWED_REASON,         TEXT)              \
	ROW(APPLICATION_HASH,      APPLICATION_HASH,       TEXT)              \
	ROW(APPLICATION_NAME,      APPLICATION_NAME,       TEXT)              \
	ROW(APPLICATION_TYPE,      APPLICATION_TYPE,       TEXT)              \
	ROW(APPLICATION_VERSION,   APPLICATION_VERSION,    TEXT)              \
	ROW(CATEGORY_SET,          CATEGORY_SET,           TEXT)              \
	ROW(CATEGORY_TYPE,         CATEGORY_TYPE,          TEXT)              \
	ROW(CERTIFICATE_ISSUER,    CERTIFICATE_ISSUER,     TEXT)              \
	ROW(CERTIFICATE_SERIAL,    CERTIFICATE_SERIAL,     TEXT)              \
	ROW(CERTIFICATE_SIGNER,    CERTIFICATE_SIGNER,     TEXT)              \
	ROW(CERTIFICATE_THUMBPRINT, CERTIFICATE_THUMBPRINT, TEXT)             \
	ROW(COH_ENGINE_VERSION,    COH_ENGINE_VERSION,     TEXT)              \
	ROW(COMMAND,               COMMAND,                TEXT)              \
	ROW(COMPANY_NAME,          COMPANY_NAME,           TEXT)              \
	ROW(CONFIDENCE,            CONFIDENCE,             TEXT)              \
	ROW(CORRELATION_ID,        CORRELATION_ID,         TEXT)              \
	ROW(DESCRIPTION,           DESCRIPTION,            TEXT)              \
	ROW(DETECTION_SCORE,       DETECTION_SCORE,        TEXT)              \
	ROW(DETECTION_SOURCE,      DETECTION_SOURCE,       TEXT)              \
	ROW(DETECTION_SUBMISSIONS, DETECTION_SUBMISSIONS,  TEXT)              \
	ROW(DISPOSITION,           DISPOSITION,            TEXT)              \
	ROW(DOWNLOAD_SITE,         DOWNLOAD_SITE,          TEXT)              \
	ROW(DOWNLOADED_BY,         DOWNLOADED_BY,          TEXT)              \
	ROW(DURATION,              DURATION_SECONDS,       COUNT)             \
	ROW(EVENT_INSERT_TIME,     EVENT_INSERT_TIME,      TIME)              \
	ROW(EVENT_TYPE,            EVENT_TYPE,             TEXT)              \
	ROW(FILE_PATH,             FILE_PATH,              TEXT)              \
	ROW(FILE_SIZE,             FILE_SIZE_BYTES,        COUNT)             \
	ROW(FIRST_SEEN,            FIRST_SEEN,             TEXT)              \
	ROW(HASH_TYPE,             HASH_TYPE,              TEXT)              \
	ROW(INFECTED,              INFECTED,               COUNT)             \
	ROW(PROTECTION_LEVEL,      PROTECTION_LEVEL,       TEXT)              \
	ROW(LAST_UPDATE_TIME,      LAST_UPDATE_TIME,       TIME)              \
	ROW(OMITTED,               OMITTED,                COUNT)             \
	ROW(PREVALENCE,            PREVALENCE,             TEXT)              \
	ROW(REQUESTED_ACTION,      REQUESTED_ACTION,       TEXT)              \
	ROW(RISK_ACTION,           RISK_ACTION,            TEXT)              \
	ROW(RISK_LEVEL,            RISK_LEVEL,             TEXT)              \
	ROW(RISK_TYPE,             RISK_TYPE,              TEXT)              \
	ROW(SCAN_TYPE,             SCAN_TYPE,              TEXT)              \
	ROW(SECONDARY_ACTION,      SECONDARY_ACTION,       TEXT)              \
	ROW(SENSITIVITY,           SENSITIVITY,            TEXT)              \
	ROW(SIGNING_TIMESTAMP,     SIGNING_TIMESTAMP,      TEXT)              \
	ROW(SOURCE,                SOURCE,                 TEXT)              \
	ROW(SOURCE_COMPUTER_IP,    SOURCE_COMPUTER_IP,     IP)                \
	ROW(SOURCE_COMPUTER_NAME,  SOURCE_COMPUTER_NAME,   TEXT)              \
	ROW(THREATS,               THREATS,                COUNT)             \
	ROW(TOTAL_FILES,           TOTAL_FILES,            COUNT)             \
	ROW(URL_CATEGORY,          URL_CATEGORY,           TEXT)              \
	ROW(URL_RISK,              URL_RISK,               TEXT)              \
	ROW(URL_TRACKING_STATUS,   URL_TRACKING_STATUS,    TEXT)              \
	ROW(USER1,                 USER1,                  TEXT)              \
	ROW(USER2,                 USER2,                  TEXT)              \
	ROW(WEB_DOMAIN,            WEB_DOMAIN,             TEXT)
/* clang-format on */

enum sepm_label {
	SEPM_NO_LABEL,	/* bare text */
	SEPM_CANDIDATE, /* reads like a label, but nobody knows it */
#define ROW(constant, field, reader) SEPM_##constant,
	SEPM_LABEL_TABLE(ROW)
#undef ROW
	    SEPM_LABEL_COUNT
};

enum {
	SEPM_LABEL_SLOTS = 2048,
	SEPM_LABEL_ROWS = 768, /* and no more labels */
	SEPM_GUESS = 2 * BLOCK,
};

/* A label and its colon, laid out for a comparison in one go. */
struct sepm_guess {
	char text[SEPM_GUESS];
	uint32_t mask; /* of the bytes that count */
	unsigned n;    /* of them */
	enum sepm_label label;
};

struct sepm_label_row;

/* Where each label is found; built once, then constant. */
struct sepm_labels {
	const struct sepm_label_row *row[SEPM_LABEL_ROWS];
	unsigned rows; /* in use, of all languages */
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

	if (guess == NULL)
		return false;
	if (text.n >= SEPM_GUESS) { /* and no guess is longer */
		a = block_load(text.p);
		b = block_load(text.p + BLOCK);
	} else if (text.n < guess->n) {
		return false;
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
