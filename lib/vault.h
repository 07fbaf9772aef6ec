/*
 * vault - what tokens stand for, sealed for the holder of a private key.
 *
 * Who makes tokens (pseudonym.h) notes each one with its value, once for as
 * long as the table of those noted remembers it. Notes wait in a ring of
 * bounded size, without locks: one thread notes, another one takes them out,
 * seals them and writes them. It cannot read what it has written: there is only
 * the public key.
 *
 * A file of the vault:
 *
 *   8 bytes    VAULT_MAGIC, the last byte the version of the format
 *   32 bytes   the recipient's public key
 *   32 bytes   enc of RFC 9180 (hpke.h), whose `info` are the 8 bytes
 *   frames     4 bytes, the length of the rest of the frame, big-endian, which
 *              are the `aad`; and the sealed message
 *
 * A message is entries:
 *
 *   1 byte     enum pseudonym_kind, and VAULT_CUT
 *   1 byte     length of the token
 *   2 bytes    length of the value, big-endian
 *              the token, the value
 *
 * A file is only ever appended to, by who has begun it. One that ends within a
 * frame was left by a process that was killed.
 */
#ifndef SEPMLOG_VAULT_H
#define SEPMLOG_VAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "hpke.h"
#include "span.h"

#define VAULT_MAGIC "sepmVLT\x01"

enum {
	VAULT_MAGIC_SIZE = 8,
	VAULT_HEADER = VAULT_MAGIC_SIZE + 2 * HPKE_KEY,
	VAULT_LENGTH = 4,         /* of a frame, in front of it */
	VAULT_MESSAGE = 64 << 10, /* bytes, at most */
	VAULT_FRAME = VAULT_LENGTH + VAULT_MESSAGE + HPKE_TAG,
	VAULT_ENTRY = 4,        /* in front of token and value */
	VAULT_TOKEN_MAX = 64,   /* bytes of a token */
	VAULT_VALUE_MAX = 4096, /* of a value; what is longer is cut */
	VAULT_CUT = 0x80,
	VAULT_REMEMBERED = 256 << 10, /* tokens in the table */
};

/* --- notes --- */

/* What became of those that had no place, and why. */
enum vault_cause {
	VAULT_BUSY,   /* the other side was not fast enough */
	VAULT_FULL,   /* the disk is full */
	VAULT_BROKEN, /* the disk refuses */
	VAULT_CAUSES
};

struct vault_notes;

/* NULL: no memory. */
struct vault_notes *vault_notes_new(void);
void vault_notes_free(struct vault_notes *notes);

/* Who makes tokens: one thread. False: it had no place, is counted and not
 * remembered, and may be noted when it comes again. */
bool vault_note(struct vault_notes *notes, unsigned kind, struct span token,
    struct span value);
/* Changes when all that was noted has to be noted again; never 0. */
uint32_t vault_generation(const struct vault_notes *notes);
/* Is there room for what a message can have, or none to be waited for? */
bool vault_has_room(const struct vault_notes *notes);
/* Where the next note will stand. */
uint64_t vault_notes_end(const struct vault_notes *notes);
/* Since the start: noted, and not, by cause. */
uint64_t vault_noted(const struct vault_notes *notes);
uint64_t vault_unnoted(const struct vault_notes *notes, enum vault_cause cause);

/* Who writes them: another thread, or the same. */

/* The entries from `at` on (0: of the start), those before `end`, as one
 * message; empty: there are no more. They stay until they are freed. */
struct span vault_notes_from(
    struct vault_notes *notes, uint64_t at, uint64_t end);
void vault_notes_free_to(struct vault_notes *notes, uint64_t at);
/* Bytes that are used, in percent. */
unsigned vault_notes_fill(const struct vault_notes *notes);
/* A file has ended: the next one is to stand for itself. Either side. */
void vault_notes_again(struct vault_notes *notes);
/* What is counted from now on where there is no place. With another cause than
 * VAULT_BUSY nobody waits for room. */
void vault_notes_because(struct vault_notes *notes, enum vault_cause cause);

/* --- files --- */

/* Begins one; see hpke_sealer. */
struct hpke *vault_begin(
    const uint8_t recipient[HPKE_KEY], char header[VAULT_HEADER]);
/* A frame of a message of at most VAULT_MESSAGE bytes; its length. 0: see
 * hpke_seal. */
size_t vault_seal(
    struct hpke *hpke, struct span message, char frame[VAULT_FRAME]);

enum vault_opened {
	VAULT_OPENED,
	VAULT_OTHER_KEY, /* sealed for another one */
	VAULT_NO_VAULT,  /* no file of this kind, or of another version */
	VAULT_NO_MEMORY,
};

/* From its first VAULT_HEADER bytes, or fewer if there are no more. */
enum vault_opened vault_open(
    struct span header, const uint8_t key[HPKE_KEY], struct hpke **hpke);
/* How many bytes of sealed message come behind these; 0: none that there can
 * be. */
size_t vault_frame_size(const char length[VAULT_LENGTH]);
/* The message in a frame, all of it, made in `out`. False: not what was sealed
 * there. */
bool vault_unseal(struct hpke *hpke, struct span frame, char out[VAULT_MESSAGE],
    struct span *message);

struct vault_entry {
	unsigned kind; /* enum pseudonym_kind */
	bool cut;      /* the value was longer */
	struct span token, value;
};

/* The next entry of a message, which goes behind it. False: there is none, and
 * the message is empty, or it is not made of entries. */
bool vault_next(struct span *message, struct vault_entry *entry);

#endif
