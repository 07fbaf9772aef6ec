#include "vault.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "hash.h"
#include "spool/ring.h"

enum {
	RING = 4 << 20, /* bytes */
	/* what one message is given; more than it almost always needs */
	MESSAGE_ROOM = 256 << 10,
	WAYS = 4,
	SETS = VAULT_REMEMBERED / WAYS,
	ENTRY_MAX = VAULT_ENTRY + VAULT_TOKEN_MAX + VAULT_VALUE_MAX,
};

_Static_assert((int)ENTRY_MAX <= (int)VAULT_MESSAGE, "an entry is a message");

/* The latest first. 0 is no token. */
struct set {
	uint64_t hash[WAYS];
};

struct vault_notes {
	struct ring ring;
	_Atomic uint32_t generation;
	_Atomic int cause;
	/* of who notes */
	uint32_t seen; /* the generation that the table is of */
	uint64_t noted, unnoted[VAULT_CAUSES];
	struct set *table;
};

/* --- the table --- */

/* Tokens are made of a keyed hash: nobody chooses them, and any key will do. */
static uint64_t
hash_of(struct span token)
{
	static const struct hash_key key = {
	    UINT64_C(0x243f6a8885a308d3), UINT64_C(0x13198a2e03707345)};
	uint64_t hash = hash_span(&key, token);

	return hash != 0 ? hash : 1;
}

static struct set *
set_of(struct vault_notes *notes, uint64_t hash)
{
	return &notes->table[(hash ^ hash >> 32) % SETS];
}

/* Moves it to the front. */
static bool
is_known(struct set *set, uint64_t hash)
{
	for (size_t i = 0; i < WAYS; i++) {
		if (set->hash[i] != hash)
			continue;
		memmove(&set->hash[1], &set->hash[0], i * sizeof(hash));
		set->hash[0] = hash;
		return true;
	}
	return false;
}

/* The one that was not asked for the longest goes. */
static void
remember(struct set *set, uint64_t hash)
{
	memmove(&set->hash[1], &set->hash[0], (WAYS - 1) * sizeof(hash));
	set->hash[0] = hash;
}

/* --- notes --- */

struct vault_notes *
vault_notes_new(void)
{
	struct vault_notes *notes = calloc(1, sizeof(*notes));

	if (!notes)
		return NULL;
	notes->table = calloc(SETS, sizeof(*notes->table));
	notes->seen = vault_generation(notes);
	if (!notes->table || !ring_init(&notes->ring, RING)) {
		free(notes->table);
		free(notes);
		return NULL;
	}
	return notes;
}

void
vault_notes_free(struct vault_notes *notes)
{
	if (!notes)
		return;
	ring_clear(&notes->ring);
	free(notes->table);
	free(notes);
}

static char *
put(char *out, struct span s)
{
	memcpy(out, s.p, s.n);
	return out + s.n;
}

/* At a character's start. */
static struct span
cut(struct span value)
{
	size_t n = VAULT_VALUE_MAX;

	while (n > VAULT_VALUE_MAX - 4 && (value.p[n] & 0xc0) == 0x80)
		n--;
	return span_take(value, n);
}

static bool
put_entry(struct vault_notes *notes, unsigned kind, struct span token,
    struct span value)
{
	struct ring *ring = &notes->ring;
	size_t n;
	char *out;

	if (value.n > VAULT_VALUE_MAX) {
		value = cut(value);
		kind |= VAULT_CUT;
	}
	n = VAULT_ENTRY + token.n + value.n;
	out = ring_reserve(ring, n);
	if (!out)
		return false;
	*out++ = (char)kind;
	*out++ = (char)token.n;
	*out++ = (char)(value.n >> 8);
	*out++ = (char)value.n;
	put(put(out, token), value);
	ring->head += n;
	ring_flush(ring);
	return true;
}

uint32_t
vault_generation(const struct vault_notes *notes)
{
	/* in 2^31 days there is no 0 */
	return atomic_load_explicit(&notes->generation, memory_order_relaxed) |
	       1u << 31;
}

bool
vault_note(struct vault_notes *notes, unsigned kind, struct span token,
    struct span value)
{
	uint32_t now = vault_generation(notes);
	uint64_t hash = hash_of(token);
	struct set *set = set_of(notes, hash);

	if (token.n > VAULT_TOKEN_MAX || value.n == 0)
		return true; /* no token that there is */
	if (notes->seen != now) {
		memset(notes->table, 0, SETS * sizeof(*notes->table));
		notes->seen = now;
	}
	if (is_known(set, hash))
		return true;
	if (!put_entry(notes, kind, token, value)) {
		notes->unnoted[atomic_load_explicit(
		    &notes->cause, memory_order_relaxed)]++;
		return false;
	}
	remember(set, hash);
	notes->noted++;
	return true;
}

bool
vault_has_room(const struct vault_notes *notes)
{
	const struct ring *ring = &notes->ring;
	uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);

	return ring->size - (ring->head - tail) >= MESSAGE_ROOM ||
	       atomic_load_explicit(&notes->cause, memory_order_relaxed) !=
		   VAULT_BUSY;
}

uint64_t
vault_noted(const struct vault_notes *notes)
{
	return notes->noted;
}

uint64_t
vault_unnoted(const struct vault_notes *notes, enum vault_cause cause)
{
	return notes->unnoted[cause];
}

/* --- taking them out --- */

/* Of the entry that the bytes begin with; 0: there is none, or not all of
 * it. */
static size_t
entry_size(struct span bytes)
{
	size_t n;

	if (bytes.n < VAULT_ENTRY)
		return 0;
	n = VAULT_ENTRY + (size_t)span_at(bytes, 1) +
	    (size_t)(span_at(bytes, 2) << 8 | span_at(bytes, 3));
	return n <= bytes.n ? n : 0;
}

uint64_t
vault_notes_end(const struct vault_notes *notes)
{
	return notes->ring.head;
}

struct span
vault_notes_from(struct vault_notes *notes, uint64_t at, uint64_t end)
{
	struct ring *ring = &notes->ring;
	uint64_t filled = ring_filled(ring);
	uint64_t last = end < filled ? end : filled;
	struct span all = {ring_at(ring, at), last > at ? last - at : 0};
	struct span rest = span_take(all, VAULT_MESSAGE);

	for (size_t n = 1; n > 0; rest = span_skip(rest, n))
		n = entry_size(rest);
	return span_between(all.p, rest.p);
}

void
vault_notes_free_to(struct vault_notes *notes, uint64_t at)
{
	ring_free_to(&notes->ring, at);
}

unsigned
vault_notes_fill(const struct vault_notes *notes)
{
	const struct ring *ring = &notes->ring;
	uint64_t filled =
	    atomic_load_explicit(&ring->filled, memory_order_acquire);
	uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

	return (unsigned)((filled - tail) * 100 / ring->size);
}

void
vault_notes_again(struct vault_notes *notes)
{
	atomic_fetch_add_explicit(&notes->generation, 1, memory_order_relaxed);
}

void
vault_notes_because(struct vault_notes *notes, enum vault_cause cause)
{
	atomic_store_explicit(&notes->cause, (int)cause, memory_order_relaxed);
}

/* --- files --- */

static struct span
magic(void)
{
	return span_of(VAULT_MAGIC, VAULT_MAGIC_SIZE);
}

struct hpke *
vault_begin(const uint8_t recipient[HPKE_KEY], char header[VAULT_HEADER])
{
	uint8_t enc[HPKE_KEY];
	struct hpke *hpke = hpke_sealer(recipient, magic(), enc);

	if (!hpke)
		return NULL;
	header = put(header, magic());
	memcpy(header, recipient, HPKE_KEY);
	memcpy(header + HPKE_KEY, enc, HPKE_KEY);
	return hpke;
}

size_t
vault_seal(struct hpke *hpke, struct span message, char frame[VAULT_FRAME])
{
	size_t n = message.n + HPKE_TAG;

	for (size_t i = 0; i < VAULT_LENGTH; i++)
		frame[i] = (char)(n >> 8 * (VAULT_LENGTH - 1 - i));
	return hpke_seal(hpke, span_of(frame, VAULT_LENGTH), message,
		   frame + VAULT_LENGTH)
		   ? VAULT_LENGTH + n
		   : 0;
}

enum vault_opened
vault_open(struct span header, const uint8_t key[HPKE_KEY], struct hpke **hpke)
{
	uint8_t public[HPKE_KEY], enc[HPKE_KEY];

	if (header.n < VAULT_HEADER || !span_starts(header, magic()))
		return VAULT_NO_VAULT;
	if (!hpke_public(key, public))
		return VAULT_NO_MEMORY;
	header = span_skip(header, VAULT_MAGIC_SIZE);
	if (memcmp(header.p, public, HPKE_KEY) != 0)
		return VAULT_OTHER_KEY;
	memcpy(enc, header.p + HPKE_KEY, HPKE_KEY);
	*hpke = hpke_opener(key, magic(), enc);
	/* a point that no key has, or no memory: which, libcrypto keeps to
	 * itself */
	return *hpke ? VAULT_OPENED : VAULT_NO_VAULT;
}

size_t
vault_frame_size(const char length[VAULT_LENGTH])
{
	size_t n = 0;

	for (size_t i = 0; i < VAULT_LENGTH; i++)
		n = n << 8 | (unsigned char)length[i];
	return n > HPKE_TAG && n <= VAULT_MESSAGE + HPKE_TAG ? n : 0;
}

bool
vault_unseal(struct hpke *hpke, struct span frame, char out[VAULT_MESSAGE],
    struct span *message)
{
	struct span length = span_take(frame, VAULT_LENGTH);
	struct span sealed = span_skip(frame, VAULT_LENGTH);

	if (length.n < VAULT_LENGTH || sealed.n == 0 ||
	    vault_frame_size(length.p) != sealed.n ||
	    !hpke_open(hpke, length, sealed, out))
		return false;
	*message = span_of(out, sealed.n - HPKE_TAG);
	return true;
}

bool
vault_next(struct span *message, struct vault_entry *entry)
{
	size_t n = entry_size(*message), token;
	int kind = span_at(*message, 0);

	if (n == 0)
		return false;
	token = (size_t)span_at(*message, 1);
	entry->kind = (unsigned)kind & (VAULT_CUT - 1);
	entry->cut = (kind & VAULT_CUT) != 0;
	entry->token = span_of(message->p + VAULT_ENTRY, token);
	entry->value = span_of(entry->token.p + token, n - VAULT_ENTRY - token);
	*message = span_skip(*message, n);
	return true;
}
