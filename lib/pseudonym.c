#include "pseudonym.h"

#include <arpa/inet.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "vault.h"

enum {
	HASH_BLOCK = 64, /* FIPS 180-4: of SHA-256 */
	AES_BLOCK = 16,
	BITS_MAX = 128,
	ANYWHERE = 6, /* bytes of a name that no other word holds by chance */
	SLOTS = 4096, /* tokens that are remembered */
	SLOT_VALUE = 61,
	SLOT_OUT = 48,
	/* of slots, beside those of enum pseudonym_kind */
	SLOT_MAC = PSEUDONYM_KINDS,
	SLOT_ADDRESS,
};

/* clang-format off */
static const struct span kind_name[PSEUDONYM_KINDS] = {
	[PSEUDONYM_USER] = {"user", 5},
	[PSEUDONYM_HOST] = {"host", 5},
	[PSEUDONYM_NAME] = {"name", 5},
	[PSEUDONYM_ADDRESS] = {"address", 8},
	[PSEUDONYM_MAC] = {"mac", 4},
	[PSEUDONYM_ID] = {"id", 3},
	[PSEUDONYM_PATH] = {"path", 5},
	[PSEUDONYM_TEXT] = {"text", 5},
	[PSEUDONYM_EVENT] = {"event", 6},
};
/* clang-format on */

/* The NULs of the names count: no kind is the start of another. */
static const struct span pan_name = {"crypto-pan", 11};
static const struct span digest_name = {"message", 8};

struct slot {
	uint8_t kind; /* 0: empty; else one more */
	uint8_t n, out_n;
	uint32_t noted;         /* vault_generation when it was; 0: not */
	char value[SLOT_VALUE]; /* folded */
	char out[SLOT_OUT];
};

struct pseudonym {
	struct sha256 *sha;
	struct pseudonym_pan *pan;
	struct vault_notes *notes; /* NULL: no vault */
	uint8_t key[HASH_BLOCK];   /* as long as HMAC wants it */
	size_t id_n;
	char id[PSEUDONYM_ID_MAX + 1]; /* its colon behind it */
	struct slot slots[SLOTS];
};

/* --- HMAC --- */

/* RFC 2104 2: padded, or hashed first. */
static void
set_key(struct sha256 *sha, struct span key, uint8_t out[HASH_BLOCK])
{
	memset(out, 0, HASH_BLOCK);
	if (key.n <= HASH_BLOCK) {
		memcpy(out, key.p, key.n);
		return;
	}
	sha256_begin(sha);
	sha256_add(sha, key);
	sha256_end(sha, out);
}

static void
begin_padded(struct sha256 *sha, const uint8_t key[HASH_BLOCK], uint8_t pad)
{
	char block[HASH_BLOCK];

	for (size_t i = 0; i < HASH_BLOCK; i++)
		block[i] = (char)(key[i] ^ pad);
	sha256_begin(sha);
	sha256_add(sha, span_of(block, HASH_BLOCK));
}

static void
hmac(struct sha256 *sha, const uint8_t key[HASH_BLOCK], struct span a,
    struct span b, uint8_t mac[SHA256_SIZE])
{
	begin_padded(sha, key, 0x36);
	sha256_add(sha, a);
	sha256_add(sha, b);
	sha256_end(sha, mac);
	begin_padded(sha, key, 0x5c);
	sha256_add(sha, span_of((const char *)mac, SHA256_SIZE));
	sha256_end(sha, mac);
}

void
pseudonym_hmac(struct sha256 *sha, struct span key, struct span a,
    struct span b, uint8_t mac[SHA256_SIZE])
{
	uint8_t block[HASH_BLOCK];

	set_key(sha, key, block);
	hmac(sha, block, a, b, mac);
	OPENSSL_cleanse(block, sizeof(block));
}

/* --- Crypto-PAn --- */

struct pseudonym_pan {
	EVP_CIPHER *kind;
	EVP_CIPHER_CTX *aes;
	uint8_t pad[AES_BLOCK];
	uint8_t in[BITS_MAX * AES_BLOCK];
	/* room that OpenSSL may want behind the last block */
	uint8_t out[BITS_MAX * AES_BLOCK + AES_BLOCK];
};

static void
encrypt(struct pseudonym_pan *pan, const uint8_t *in, size_t n, uint8_t *out)
{
	int got;

	/* Whole blocks through a cipher that is set up cannot fail. */
	if (EVP_EncryptUpdate(pan->aes, out, &got, in, (int)n) != 1)
		abort();
}

struct pseudonym_pan *
pseudonym_pan_new(const uint8_t key[PSEUDONYM_PAN_KEY])
{
	struct pseudonym_pan *pan = calloc(1, sizeof(*pan));

	if (!pan)
		return NULL;
	if (OSSL_LIB_CTX_get0_global_default())
		pan->kind = EVP_CIPHER_fetch(NULL, "AES-128-ECB", NULL);
	pan->aes = EVP_CIPHER_CTX_new();
	if (!pan->kind || !pan->aes ||
	    EVP_EncryptInit_ex2(pan->aes, pan->kind, key, NULL, NULL) != 1 ||
	    EVP_CIPHER_CTX_set_padding(pan->aes, 0) != 1) {
		pseudonym_pan_free(pan);
		return NULL;
	}
	encrypt(pan, key + AES_BLOCK, AES_BLOCK, pan->out);
	memcpy(pan->pad, pan->out, AES_BLOCK);
	return pan;
}

void
pseudonym_pan_free(struct pseudonym_pan *pan)
{
	if (!pan)
		return;
	EVP_CIPHER_CTX_free(pan->aes);
	EVP_CIPHER_free(pan->kind);
	OPENSSL_cleanse(pan, sizeof(*pan));
	free(pan);
}

/* The first `bits` bits of the address, and the pad's behind them. */
static void
put_block(const struct pseudonym_pan *pan, const uint8_t *address, size_t bits,
    uint8_t block[AES_BLOCK])
{
	size_t at = bits / 8;
	uint8_t mask = (uint8_t)(0xff00 >> bits % 8);

	memcpy(block, address, at);
	memcpy(block + at, pan->pad + at, AES_BLOCK - at);
	block[at] = (uint8_t)((address[at] & mask) | (pan->pad[at] & ~mask));
}

/*
 * A bit is flipped or not by the bits before it alone: the first bit of what
 * the cipher makes of them, with the pad's bits in place of the others. All of
 * these go through the cipher at once.
 */
void
pseudonym_pan(struct pseudonym_pan *pan, uint8_t *address, size_t n)
{
	size_t bits = 8 * n;
	uint8_t *block = pan->in;

	for (size_t i = 0; i < bits; i++, block += AES_BLOCK)
		put_block(pan, address, i, block);
	encrypt(pan, pan->in, bits * AES_BLOCK, pan->out);
	for (size_t i = 0; i < bits; i++)
		address[i / 8] ^=
		    (uint8_t)(pan->out[i * AES_BLOCK] >> 7 << (7 - i % 8));
}

/* The bits before it have to be known first: one after the other. */
void
pseudonym_unpan(struct pseudonym_pan *pan, uint8_t *address, size_t n)
{
	for (size_t i = 0; i < 8 * n; i++) {
		put_block(pan, address, i, pan->in);
		encrypt(pan, pan->in, AES_BLOCK, pan->out);
		address[i / 8] ^= (uint8_t)(pan->out[0] >> 7 << (7 - i % 8));
	}
}

/* --- tokens --- */

void
pseudonym_seal(struct pseudonym *p, struct vault_notes *notes)
{
	p->notes = notes;
	for (size_t i = 0; i < SLOTS; i++)
		p->slots[i].noted = 0;
}

struct pseudonym *
pseudonym_new(struct span key, struct span id)
{
	struct pseudonym *p;
	uint8_t pan[SHA256_SIZE];

	if (key.n < PSEUDONYM_KEY_MIN || id.n == 0 || id.n > PSEUDONYM_ID_MAX)
		return NULL;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->sha = sha256_new();
	if (!p->sha)
		goto fail;
	set_key(p->sha, key, p->key);
	hmac(p->sha, p->key, pan_name, SPAN(""), pan);
	p->pan = pseudonym_pan_new(pan);
	OPENSSL_cleanse(pan, sizeof(pan));
	if (!p->pan)
		goto fail;
	memcpy(p->id, id.p, id.n);
	p->id[id.n] = ':';
	p->id_n = id.n + 1;
	return p;
fail:
	pseudonym_free(p);
	return NULL;
}

void
pseudonym_free(struct pseudonym *p)
{
	if (!p)
		return;
	sha256_free(p->sha);
	pseudonym_pan_free(p->pan);
	OPENSSL_cleanse(p, sizeof(*p));
	free(p);
}

/* RFC 4648 6, in lower case, of the first 80 bits. */
static void
base32(const uint8_t *bytes, char out[PSEUDONYM_LETTERS])
{
	static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";

	for (size_t i = 0; i < PSEUDONYM_LETTERS; i++) {
		size_t at = 5 * i;
		unsigned two = (unsigned)bytes[at / 8] << 8 | bytes[at / 8 + 1];

		out[i] = digits[two >> (11 - at % 8) & 31];
	}
}

/* FNV-1a: who chooses values so that they meet costs us HMACs, no more. */
static size_t
slot_index(unsigned kind, struct span value)
{
	uint32_t hash = UINT32_C(2166136261) ^ kind;

	for (size_t i = 0; i < value.n; i++)
		hash = (hash ^ (unsigned char)value.p[i]) * UINT32_C(16777619);
	return (hash ^ hash >> 16) % SLOTS;
}

static void
letters(struct pseudonym *p, enum pseudonym_kind kind, struct span value,
    char out[PSEUDONYM_LETTERS])
{
	uint8_t mac[SHA256_SIZE];

	hmac(p->sha, p->key, kind_name[kind], value, mac);
	base32(mac, out);
}

/* The slot that has the value, or has been given it and no output yet. */
static struct slot *
slot_of(struct pseudonym *p, unsigned kind, struct span value)
{
	struct slot *slot = &p->slots[slot_index(kind, value)];

	if (slot->kind == kind + 1 &&
	    span_eq(span_of(slot->value, slot->n), value))
		return slot;
	slot->kind = (uint8_t)(kind + 1);
	slot->n = (uint8_t)value.n;
	slot->out_n = 0;
	slot->noted = 0;
	memcpy(slot->value, value.p, value.n);
	return slot;
}

static char *
put_slot(const struct slot *slot, char *out)
{
	memcpy(out, slot->out, slot->out_n);
	return out + slot->out_n;
}

/* Once for each generation of the vault, for as long as the slot remembers. */
static void
note_slot(struct pseudonym *p, struct slot *slot, enum pseudonym_kind kind,
    struct span token, struct span value)
{
	uint32_t now;

	if (!p->notes)
		return;
	now = vault_generation(p->notes);
	if (slot->noted != now &&
	    vault_note(p->notes, (unsigned)kind, token, value))
		slot->noted = now;
}

/* The HMAC of a long value, folded piece by piece: pieces end between
 * characters, as every folded one is of two bytes at most. */
static void
long_letters(struct pseudonym *p, enum pseudonym_kind kind, struct span value,
    char out[PSEUDONYM_LETTERS])
{
	uint8_t mac[SHA256_SIZE];
	char piece[512];

	begin_padded(p->sha, p->key, 0x36);
	sha256_add(p->sha, kind_name[kind]);
	while (value.n > 0) {
		size_t n = value.n < sizeof(piece) ? value.n : sizeof(piece);

		if (n < value.n && (value.p[n] & 0xc0) == 0x80)
			n--;
		pseudonym_fold(span_take(value, n), piece);
		sha256_add(p->sha, span_of(piece, n));
		value = span_skip(value, n);
	}
	sha256_end(p->sha, mac);
	begin_padded(p->sha, p->key, 0x5c);
	sha256_add(p->sha, span_of((const char *)mac, SHA256_SIZE));
	sha256_end(p->sha, mac);
	base32(mac, out);
}

char *
pseudonym_token(
    struct pseudonym *p, enum pseudonym_kind kind, struct span value, char *out)
{
	char folded[SLOT_VALUE];
	struct slot *slot;
	char *token = out;

	memcpy(out, p->id, p->id_n);
	out += p->id_n;
	if (value.n <= SLOT_VALUE) {
		pseudonym_fold(value, folded);
		slot = slot_of(p, kind, span_of(folded, value.n));
		if (slot->out_n == 0) {
			letters(p, kind, span_of(folded, value.n), slot->out);
			slot->out_n = PSEUDONYM_LETTERS;
		}
		out = put_slot(slot, out);
		note_slot(p, slot, kind, span_between(token, out), value);
		return out;
	}
	long_letters(p, kind, value, out);
	out += PSEUDONYM_LETTERS;
	if (p->notes)
		vault_note(
		    p->notes, (unsigned)kind, span_between(token, out), value);
	return out;
}

static char *
put_hex(const uint8_t *bytes, size_t n, bool colons, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		if (colons && i > 0)
			*out++ = ':';
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 15];
	}
	return out;
}

char *
pseudonym_mac(struct pseudonym *p, struct span mac, char *out)
{
	struct slot *slot = slot_of(p, SLOT_MAC, mac);
	uint8_t sum[SHA256_SIZE];

	if (slot->out_n == 0) {
		hmac(p->sha, p->key, kind_name[PSEUDONYM_MAC], mac, sum);
		sum[0] = (uint8_t)((sum[0] & 0xfc) | 0x02);
		put_hex(sum, 6, true, slot->out);
		slot->out_n = PSEUDONYM_MAC_SIZE;
	}
	note_slot(p, slot, PSEUDONYM_MAC, span_of(slot->out, slot->out_n), mac);
	return put_slot(slot, out);
}

char *
pseudonym_event(struct pseudonym *p, struct span key, char *out)
{
	uint8_t sum[SHA256_SIZE];

	hmac(p->sha, p->key, kind_name[PSEUDONYM_EVENT], key, sum);
	return put_hex(sum, PSEUDONYM_EVENT_SIZE / 2, false, out);
}

void
pseudonym_digest(
    struct pseudonym *p, struct span bytes, uint8_t sum[SHA256_SIZE])
{
	hmac(p->sha, p->key, digest_name, bytes, sum);
}

typedef void turn_fn(struct pseudonym_pan *pan, uint8_t *address, size_t n);

/* 0: it is no address. */
static size_t
put_address(
    struct pseudonym *p, turn_fn *turn, struct span text, char out[SLOT_OUT])
{
	static const uint8_t none[16];
	char copy[PSEUDONYM_ADDRESS_MAX + 1];
	uint8_t bytes[16];
	int family = AF_INET;
	size_t n = 4;

	memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	if (inet_pton(AF_INET, copy, bytes) != 1) {
		family = AF_INET6;
		n = 16;
		if (inet_pton(AF_INET6, copy, bytes) != 1)
			return 0;
	}
	if (memcmp(bytes, none, n) != 0)
		turn(p->pan, bytes, n);
	return inet_ntop(family, bytes, out, SLOT_OUT) ? strlen(out) : 0;
}

char *
pseudonym_address(struct pseudonym *p, struct span address, char *out)
{
	struct slot *slot;

	if (address.n == 0 || address.n > PSEUDONYM_ADDRESS_MAX)
		return NULL;
	slot = slot_of(p, SLOT_ADDRESS, address);
	if (slot->out_n == 0)
		slot->out_n =
		    (uint8_t)put_address(p, pseudonym_pan, address, slot->out);
	return slot->out_n > 0 ? put_slot(slot, out) : NULL;
}

char *
pseudonym_real_address(struct pseudonym *p, struct span address, char *out)
{
	char text[SLOT_OUT];
	size_t n;

	if (address.n == 0 || address.n > PSEUDONYM_ADDRESS_MAX)
		return NULL;
	n = put_address(p, pseudonym_unpan, address, text);
	memcpy(out, text, n);
	return n > 0 ? out + n : NULL;
}

/* --- letters --- */

/* The small letter of a two-byte character, also one of two bytes. */
static unsigned
fold_code(unsigned c)
{
	if ((c >= 0xc0 && c <= 0xde && c != 0xd7) ||
	    (c >= 0x391 && c <= 0x3a9 && c != 0x3a2) ||
	    (c >= 0x410 && c <= 0x42f))
		return c + 32;
	if (c >= 0x400 && c <= 0x40f)
		return c + 80;
	/* pairs, the capital first; not the dotted and dotless i */
	if ((c >= 0x100 && c <= 0x12f) || (c >= 0x132 && c <= 0x137) ||
	    (c >= 0x14a && c <= 0x177))
		return c | 1;
	if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17e))
		return c + (c & 1);
	return c;
}

void
pseudonym_fold(struct span in, char *out)
{
	for (size_t i = 0; i < in.n; i++) {
		unsigned c = (unsigned char)in.p[i], next;

		if (c < 0x80) {
			out[i] = (char)span_lower((int)c);
			continue;
		}
		next = i + 1 < in.n ? (unsigned char)in.p[i + 1] : 0;
		if (c < 0xc3 || c > 0xd1 || (next & 0xc0) != 0x80) {
			out[i] = (char)c;
			continue;
		}
		c = fold_code((c & 0x1f) << 6 | (next & 0x3f));
		out[i++] = (char)(0xc0 | c >> 6);
		out[i] = (char)(0x80 | (c & 0x3f));
	}
}

static bool
is_letter(int c)
{
	return span_isalpha(c) || c >= 0x80;
}

bool
pseudonym_found(struct span text, size_t at, struct span name)
{
	if (name.n == 0 || !span_starts(span_skip(text, at), name))
		return false;
	if (name.n >= ANYWHERE)
		return true;
	return (at == 0 || !is_letter((unsigned char)text.p[at - 1])) &&
	       !is_letter(span_at(text, at + name.n));
}
