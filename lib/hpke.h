/*
 * hpke - seal for whoever has a private key (RFC 9180, base mode).
 *
 * One suite: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305; ids
 * 0x0020, 0x0001, 0x0003. A context seals any number of messages in order
 * (RFC 9180 5.2): each has the next nonce, so none can be left out, repeated or
 * put elsewhere without that being seen. Who has sealed them cannot open them
 * once the context is freed.
 *
 * libcrypto has this from 3.2 on only; it is made here of its X25519, HMAC and
 * AEAD.
 */
#ifndef SEPMLOG_HPKE_H
#define SEPMLOG_HPKE_H

#include <stdbool.h>
#include <stdint.h>

#include "span.h"

enum {
	HPKE_KEY = 32, /* bytes of a key, private or public, and of `enc` */
	HPKE_TAG = 16, /* bytes that a sealed message is longer */
	HPKE_INFO_MAX = 64,
};

struct hpke;

/*
 * For the holder of the private key that belongs to `recipient`. `enc`, which
 * he needs, is the public half of a key made for this context alone. NULL: no
 * memory, no random bytes, or a public key that is none.
 */
struct hpke *hpke_sealer(
    const uint8_t recipient[HPKE_KEY], struct span info, uint8_t enc[HPKE_KEY]);
/* The same with that key given: for the vectors of the RFC. */
struct hpke *hpke_sealer_with(const uint8_t recipient[HPKE_KEY],
    struct span info, const uint8_t ephemeral[HPKE_KEY], uint8_t enc[HPKE_KEY]);
/* NULL: as above. Whether the key is the right one, the first hpke_open says.
 */
struct hpke *hpke_opener(
    const uint8_t key[HPKE_KEY], struct span info, const uint8_t enc[HPKE_KEY]);
void hpke_free(struct hpke *hpke);

/* The next message, plain.n + HPKE_TAG bytes to `out`, which may be where
 * `plain` is. `aad` is not in it, and has to be the same when it is opened.
 * False: libcrypto refuses, and the context is of no use any more. */
bool hpke_seal(
    struct hpke *hpke, struct span aad, struct span plain, char *out);
/* The other way round: sealed.n - HPKE_TAG bytes. False: not what was sealed
 * next, for this key and with this `aad`; nothing of `out` is to be used. */
bool hpke_open(
    struct hpke *hpke, struct span aad, struct span sealed, char *out);

/* The public half. False: libcrypto refuses. */
bool hpke_public(const uint8_t key[HPKE_KEY], uint8_t public[HPKE_KEY]);

enum hpke_read {
	HPKE_READ,
	HPKE_NO_PEM,     /* nothing in PEM (RFC 7468), or not to be decrypted */
	HPKE_OTHER_KIND, /* a key of another algorithm */
	HPKE_PRIVATE,    /* a private key where a public one is wanted */
};

/* Answers the length of the pass phrase that it has put into `text`; 0: there
 * is none. */
typedef int hpke_phrase_cb(char *text, int size, int writing, void *arg);

/* Keys as `openssl genpkey` and `openssl pkey -pubout` write them. A private
 * key under a pass phrase is HPKE_NO_PEM without a callback. */
enum hpke_read hpke_read_public(struct span pem, uint8_t key[HPKE_KEY]);
enum hpke_read hpke_read_private(
    struct span pem, hpke_phrase_cb *phrase, void *arg, uint8_t key[HPKE_KEY]);

#endif
