/*
 * pseudonym - what stands for a value, under a key.
 *
 * A token is the key's id, a colon and 16 letters of RFC 4648 base32 in lower
 * case: the first 80 bits of HMAC-SHA-256 (RFC 2104) over the kind's name, a
 * NUL and the value, its letters folded (pseudonym_fold). Equal values of one
 * kind have equal tokens, those of two kinds have not. Among a million values
 * of a kind the odds that any two share a token are 4 in 10^13.
 *
 * An address becomes another address by Crypto-PAn (Xu, Fan, Ammar, Moon 2002)
 * with AES-128: two that have their first n bits in common keep that, and no
 * more. IPv6 addresses likewise, over 128 bits.
 */
#ifndef SEPMLOG_PSEUDONYM_H
#define SEPMLOG_PSEUDONYM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sha256.h"
#include "span.h"

enum pseudonym_kind {
	PSEUDONYM_USER,
	PSEUDONYM_HOST,
	PSEUDONYM_NAME, /* of a domain, site or group */
	PSEUDONYM_ADDRESS,
	PSEUDONYM_MAC,
	PSEUDONYM_ID,
	PSEUDONYM_PATH,
	PSEUDONYM_TEXT,
	PSEUDONYM_EVENT,
	PSEUDONYM_KINDS
};

enum {
	PSEUDONYM_KEY_MIN = 32, /* bytes of a key */
	PSEUDONYM_ID_MAX = 8,   /* of a key's id */
	PSEUDONYM_LETTERS = 16,
	PSEUDONYM_TOKEN = PSEUDONYM_ID_MAX + 1 + PSEUDONYM_LETTERS,
	PSEUDONYM_MAC_SIZE = 17,
	PSEUDONYM_ADDRESS_MAX = 45,
	PSEUDONYM_EVENT_SIZE = 32,
	PSEUDONYM_PAN_KEY = 32, /* AES-128 key, and what becomes the pad */
};

struct pseudonym;
struct vault_notes;

/* The key is used, not kept as it is; the id is letters and digits. NULL: no
 * memory, or a key or id of another length. One per thread. */
struct pseudonym *pseudonym_new(struct span key, struct span id);
void pseudonym_free(struct pseudonym *p);

/* Tokens, and those of MACs, are noted there with their values from now on
 * (vault.h); NULL: nowhere. Borrowed. */
void pseudonym_seal(struct pseudonym *p, struct vault_notes *notes);

/* Puts the token of a value; its end. Tokens of late are remembered. */
char *pseudonym_token(struct pseudonym *p, enum pseudonym_kind kind,
    struct span value, char *out);
/* Of PSEUDONYM_MAC_SIZE bytes, another one that is locally administered (IEEE
 * 802c): 46 bits. */
char *pseudonym_mac(struct pseudonym *p, struct span mac, char *out);
/* 32 hex digits for 32 hex digits: 128 bits. */
char *pseudonym_event(struct pseudonym *p, struct span key, char *out);
/* All of an HMAC, of bytes of any kind. */
void pseudonym_digest(
    struct pseudonym *p, struct span bytes, uint8_t sum[SHA256_SIZE]);
/* An address in its text form, at most PSEUDONYM_ADDRESS_MAX bytes of it, is
 * put as another one of its family; that of no machine, all zero, stays. NULL:
 * it is no address. Those of late are remembered. */
char *pseudonym_address(struct pseudonym *p, struct span address, char *out);
/* The other way: what address became this one? */
char *pseudonym_real_address(
    struct pseudonym *p, struct span address, char *out);

/* --- what these are made of --- */

void pseudonym_hmac(struct sha256 *sha, struct span key, struct span a,
    struct span b, uint8_t mac[SHA256_SIZE]); /* of a and b, one after other */

struct pseudonym_pan;

struct pseudonym_pan *pseudonym_pan_new(const uint8_t key[PSEUDONYM_PAN_KEY]);
void pseudonym_pan_free(struct pseudonym_pan *pan);
void pseudonym_pan(struct pseudonym_pan *pan, uint8_t *address, size_t n);
/* Undoes that. */
void pseudonym_unpan(struct pseudonym_pan *pan, uint8_t *address, size_t n);

/*
 * Small letters for capital ones: ASCII, Latin-1 and Extended-A, Greek,
 * Cyrillic. As many bytes go out as in; `out` may be where `in` is.
 */
void pseudonym_fold(struct span in, char *out);

/*
 * Is the folded name at `at` of the folded text, as a name? One of 6 bytes or
 * more is, wherever it stands; a shorter one unless a letter is next to it.
 */
bool pseudonym_found(struct span text, size_t at, struct span name);

#endif
