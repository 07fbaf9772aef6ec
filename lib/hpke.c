#include "hpke.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <stdlib.h>

enum {
	HASH = 32,  /* Nh of SHA-256; so many bytes have all keys and secrets */
	NONCE = 12, /* Nn */
	/* of one input to HMAC: labels, and the longest thing labelled */
	INPUT = 32 + 1 + 2 * HASH + HPKE_INFO_MAX,
};

struct hpke {
	EVP_CIPHER_CTX *cipher;
	uint64_t sequence;
	uint8_t key[HASH];
	uint8_t nonce[NONCE];
};

/* RFC 9180 4.1, 5.1: suite_id of the KEM, and of the whole. */
static const struct span kem_suite = {"KEM\x00\x20", 5};
static const struct span hpke_suite = {"HPKE\x00\x20\x00\x01\x00\x03", 10};

static struct span
span_of_bytes(const uint8_t *bytes, size_t n)
{
	return span_of((const char *)bytes, n);
}

/* --- the key schedule --- */

struct input {
	size_t n;
	uint8_t bytes[INPUT];
};

static void
add(struct input *in, struct span s)
{
	if (s.n > sizeof(in->bytes) - in->n)
		abort(); /* all lengths are known: see INPUT */
	if (s.n > 0)
		memcpy(in->bytes + in->n, s.p, s.n);
	in->n += s.n;
}

static bool
hmac(struct span key, const struct input *in, uint8_t out[HASH])
{
	/* no key at all is one of no bytes (RFC 2104 2) */
	return HMAC(EVP_sha256(), key.n > 0 ? key.p : "", (int)key.n, in->bytes,
		   in->n, out, NULL) != NULL;
}

/* RFC 9180 4: LabeledExtract. */
static bool
extract(struct span suite, struct span salt, const char *label, struct span ikm,
    uint8_t out[HASH])
{
	struct input in = {.n = 0};
	bool done;

	add(&in, SPAN("HPKE-v1"));
	add(&in, suite);
	add(&in, span_str(label));
	add(&in, ikm);
	done = hmac(salt, &in, out);
	OPENSSL_cleanse(&in, sizeof(in));
	return done;
}

/* RFC 9180 4: LabeledExpand, of at most HASH bytes: the first block of
 * HKDF-Expand (RFC 5869 2.3). */
static bool
expand(struct span suite, const uint8_t prk[HASH], const char *label,
    struct span info, uint8_t *out, size_t n)
{
	const char length[2] = {0, (char)n};
	struct input in = {.n = 0};
	uint8_t block[HASH];
	bool done;

	add(&in, span_of(length, sizeof(length)));
	add(&in, SPAN("HPKE-v1"));
	add(&in, suite);
	add(&in, span_str(label));
	add(&in, info);
	add(&in, SPAN("\x01"));
	done = hmac(span_of_bytes(prk, HASH), &in, block);
	memcpy(out, block, n);
	OPENSSL_cleanse(block, sizeof(block));
	return done;
}

/* RFC 9180 4.1: ExtractAndExpand. */
static bool
shared_secret(const uint8_t dh[HASH], const uint8_t enc[HPKE_KEY],
    const uint8_t recipient[HPKE_KEY], uint8_t out[HASH])
{
	uint8_t prk[HASH], context[2 * HPKE_KEY];
	bool done;

	memcpy(context, enc, HPKE_KEY);
	memcpy(context + HPKE_KEY, recipient, HPKE_KEY);
	done = extract(kem_suite, SPAN(""), "eae_prk", span_of_bytes(dh, HASH),
		   prk) &&
	       expand(kem_suite, prk, "shared_secret",
		   span_of_bytes(context, sizeof(context)), out, HASH);
	OPENSSL_cleanse(prk, sizeof(prk));
	return done;
}

/* RFC 9180 5.1: KeySchedule of mode 0, without a PSK. */
static bool
schedule(struct hpke *x, const uint8_t shared[HASH], struct span info)
{
	uint8_t context[1 + 2 * HASH] = {0}, secret[HASH];
	struct span all = span_of_bytes(context, sizeof(context));
	bool done;

	if (info.n > HPKE_INFO_MAX)
		return false;
	done = extract(hpke_suite, SPAN(""), "psk_id_hash", SPAN(""),
		   context + 1) &&
	       extract(hpke_suite, SPAN(""), "info_hash", info,
		   context + 1 + HASH) &&
	       extract(hpke_suite, span_of_bytes(shared, HASH), "secret",
		   SPAN(""), secret) &&
	       expand(hpke_suite, secret, "key", all, x->key, HASH) &&
	       expand(hpke_suite, secret, "base_nonce", all, x->nonce, NONCE);
	OPENSSL_cleanse(secret, sizeof(secret));
	return done;
}

/* --- X25519 (RFC 7748) --- */

static EVP_PKEY *
private_key(const uint8_t key[HPKE_KEY])
{
	return EVP_PKEY_new_raw_private_key(
	    EVP_PKEY_X25519, NULL, key, HPKE_KEY);
}

static bool
public_of(EVP_PKEY *key, uint8_t out[HPKE_KEY])
{
	size_t n = HPKE_KEY;

	return EVP_PKEY_get_raw_public_key(key, out, &n) == 1 && n == HPKE_KEY;
}

/* libcrypto refuses where all of it would be 0, as RFC 9180 7.1.4 wants. */
static bool
agree(EVP_PKEY *own, const uint8_t other[HPKE_KEY], uint8_t dh[HASH])
{
	EVP_PKEY *peer =
	    EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, other, HPKE_KEY);
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(own, NULL);
	size_t n = HASH;
	bool done = peer && context && EVP_PKEY_derive_init(context) == 1 &&
		    EVP_PKEY_derive_set_peer(context, peer) == 1 &&
		    EVP_PKEY_derive(context, dh, &n) == 1 && n == HASH;

	EVP_PKEY_CTX_free(context);
	EVP_PKEY_free(peer);
	return done;
}

bool
hpke_public(const uint8_t key[HPKE_KEY], uint8_t public[HPKE_KEY])
{
	EVP_PKEY *pair = private_key(key);
	bool done = pair && public_of(pair, public);

	EVP_PKEY_free(pair);
	return done;
}

/* --- contexts --- */

/* By a key of our own and the public one of the other side. */
static struct hpke *
hpke_new(EVP_PKEY *own, const uint8_t other[HPKE_KEY],
    const uint8_t enc[HPKE_KEY], const uint8_t recipient[HPKE_KEY],
    struct span info)
{
	struct hpke *x = calloc(1, sizeof(*x));
	uint8_t dh[HASH], shared[HASH];
	bool done;

	if (!x)
		return NULL;
	x->cipher = EVP_CIPHER_CTX_new();
	done = x->cipher && agree(own, other, dh) &&
	       shared_secret(dh, enc, recipient, shared) &&
	       schedule(x, shared, info);
	OPENSSL_cleanse(dh, sizeof(dh));
	OPENSSL_cleanse(shared, sizeof(shared));
	if (done)
		return x;
	hpke_free(x);
	return NULL;
}

static struct hpke *
sealer(EVP_PKEY *ephemeral, const uint8_t recipient[HPKE_KEY], struct span info,
    uint8_t enc[HPKE_KEY])
{
	struct hpke *x = NULL;

	if (ephemeral && public_of(ephemeral, enc))
		x = hpke_new(ephemeral, recipient, enc, recipient, info);
	EVP_PKEY_free(ephemeral);
	return x;
}

struct hpke *
hpke_sealer(
    const uint8_t recipient[HPKE_KEY], struct span info, uint8_t enc[HPKE_KEY])
{
	return sealer(
	    EVP_PKEY_Q_keygen(NULL, NULL, "X25519"), recipient, info, enc);
}

struct hpke *
hpke_sealer_with(const uint8_t recipient[HPKE_KEY], struct span info,
    const uint8_t ephemeral[HPKE_KEY], uint8_t enc[HPKE_KEY])
{
	return sealer(private_key(ephemeral), recipient, info, enc);
}

struct hpke *
hpke_opener(
    const uint8_t key[HPKE_KEY], struct span info, const uint8_t enc[HPKE_KEY])
{
	EVP_PKEY *own = private_key(key);
	uint8_t recipient[HPKE_KEY];
	struct hpke *x = NULL;

	if (own && public_of(own, recipient))
		x = hpke_new(own, enc, enc, recipient, info);
	EVP_PKEY_free(own);
	return x;
}

void
hpke_free(struct hpke *x)
{
	if (!x)
		return;
	EVP_CIPHER_CTX_free(x->cipher);
	OPENSSL_cleanse(x, sizeof(*x));
	free(x);
}

/* --- messages --- */

/* RFC 9180 5.2: ComputeNonce. */
static void
next_nonce(struct hpke *x, uint8_t nonce[NONCE])
{
	uint64_t rest = x->sequence++;

	memcpy(nonce, x->nonce, NONCE);
	for (size_t i = NONCE; rest > 0; rest >>= 8)
		nonce[--i] ^= (uint8_t)rest;
}

/* The cipher's state begins anew; all lengths are far below INT_MAX. */
static bool
begin(struct hpke *x, bool seal, struct span aad)
{
	uint8_t nonce[NONCE];
	int n;

	next_nonce(x, nonce);
	return EVP_CipherInit_ex2(x->cipher, EVP_chacha20_poly1305(), x->key,
		   nonce, seal, NULL) == 1 &&
	       EVP_CipherUpdate(x->cipher, NULL, &n,
		   (const unsigned char *)aad.p, (int)aad.n) == 1;
}

bool
hpke_seal(struct hpke *x, struct span aad, struct span plain, char *out)
{
	unsigned char *to = (unsigned char *)out;
	int n, rest;

	return begin(x, true, aad) &&
	       EVP_CipherUpdate(x->cipher, to, &n,
		   (const unsigned char *)plain.p, (int)plain.n) == 1 &&
	       EVP_CipherFinal_ex(x->cipher, to + n, &rest) == 1 &&
	       EVP_CIPHER_CTX_ctrl(x->cipher, EVP_CTRL_AEAD_GET_TAG, HPKE_TAG,
		   to + plain.n) == 1;
}

bool
hpke_open(struct hpke *x, struct span aad, struct span sealed, char *out)
{
	unsigned char *to = (unsigned char *)out;
	unsigned char tag[HPKE_TAG];
	int n, rest;

	if (sealed.n < HPKE_TAG)
		return false;
	sealed.n -= HPKE_TAG;
	memcpy(tag, span_end(sealed), sizeof(tag));
	return begin(x, false, aad) &&
	       EVP_CIPHER_CTX_ctrl(
		   x->cipher, EVP_CTRL_AEAD_SET_TAG, HPKE_TAG, tag) == 1 &&
	       EVP_CipherUpdate(x->cipher, to, &n,
		   (const unsigned char *)sealed.p, (int)sealed.n) == 1 &&
	       EVP_CipherFinal_ex(x->cipher, to + n, &rest) == 1;
}

/* --- keys in files --- */

/* For PEM_read_bio_*, which else would ask at the terminal. */
static int
no_phrase(char *text, int size, int writing, void *arg)
{
	(void)text;
	(void)size;
	(void)writing;
	(void)arg;
	return 0;
}

enum hpke_read
hpke_read_private(
    struct span pem, hpke_phrase_cb *phrase, void *arg, uint8_t key[HPKE_KEY])
{
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	EVP_PKEY *pair = NULL;
	size_t n = HPKE_KEY;
	enum hpke_read result = HPKE_NO_PEM;

	if (bio)
		pair = PEM_read_bio_PrivateKey(
		    bio, NULL, phrase ? phrase : no_phrase, arg);
	if (pair)
		result =
		    EVP_PKEY_is_a(pair, "X25519") &&
			    EVP_PKEY_get_raw_private_key(pair, key, &n) == 1
			? HPKE_READ
			: HPKE_OTHER_KIND;
	EVP_PKEY_free(pair);
	BIO_free(bio);
	ERR_clear_error(); /* others of this thread look there */
	return result;
}

enum hpke_read
hpke_read_public(struct span pem, uint8_t key[HPKE_KEY])
{
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	EVP_PKEY *found = NULL;
	enum hpke_read result = HPKE_NO_PEM;
	uint8_t private[HPKE_KEY];

	if (bio)
		found = PEM_read_bio_PUBKEY(bio, NULL, no_phrase, NULL);
	if (found)
		result = EVP_PKEY_is_a(found, "X25519") && public_of(found, key)
			     ? HPKE_READ
			     : HPKE_OTHER_KIND;
	else if (hpke_read_private(pem, NULL, NULL, private) != HPKE_NO_PEM)
		result = HPKE_PRIVATE;
	OPENSSL_cleanse(private, sizeof(private));
	EVP_PKEY_free(found);
	BIO_free(bio);
	ERR_clear_error();
	return result;
}
