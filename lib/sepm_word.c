#include "sepm_word.h"

#include "sepm_value.h"

#define WORD(literal)                                                          \
	{                                                                      \
		literal, sizeof(literal) - 1                                   \
	}
#define FROM(literal) literal, sizeof(literal) - 1

enum { WORD_MAX = 2 * BLOCK }; /* bytes of the longest known word */

/* ASCII letters are compared without case: here they are small. */
struct word_row {
	char from[WORD_MAX];
	size_t n;
	struct span to;
};

/*
 * How sure a word is: `seen` in a log or in a pattern that others publish for
 * one; `told` by the product's guide in that language, for what the word means
 * here; `derived` from a word that was seen, or the plain word of the language.
 */
/* clang-format off */
static const struct word_row direction_words[] = {
	{ FROM("inbound"),		WORD("inbound") },
	{ FROM("outbound"),		WORD("outbound") },
	{ FROM("unknown"),		WORD("unknown") },
	/* zh-Hans, seen */
	{ FROM("入站"),			WORD("inbound") },
	{ FROM("出站"),			WORD("outbound") },
	/* fr, derived */
	{ FROM("entrant"),		WORD("inbound") },
	{ FROM("sortant"),		WORD("outbound") },
	{ FROM("inconnu"),		WORD("unknown") },
	/* ja, told: the first two of the intrusion log, the others of traffic */
	{ FROM("受信"),			WORD("inbound") },
	{ FROM("送信"),			WORD("outbound") },
	{ FROM("インバウンド"),		WORD("inbound") },
	{ FROM("アウトバウンド"),	WORD("outbound") },
};

static const struct word_row action_words[] = {
	{ FROM("allowed"),		WORD("allowed") },
	{ FROM("blocked"),		WORD("blocked") },
	{ FROM("not blocked"),		WORD("allowed") },	/* CSV export */
	/* fr, `bloqués` seen, the others derived */
	{ FROM("bloqué"),		WORD("blocked") },
	{ FROM("bloquée"),		WORD("blocked") },
	{ FROM("bloqués"),		WORD("blocked") },
	{ FROM("bloquées"),		WORD("blocked") },
	{ FROM("autorisé"),		WORD("allowed") },
	{ FROM("autorisée"),		WORD("allowed") },
	{ FROM("autorisés"),		WORD("allowed") },
	{ FROM("autorisées"),		WORD("allowed") },
	/* ja, told: what the firewall does with traffic */
	{ FROM("許可"),			WORD("allowed") },
	{ FROM("遮断"),			WORD("blocked") },
};

static const struct word_row protocol_words[] = {
	{ FROM("tcp"),			WORD("tcp") },
	{ FROM("udp"),			WORD("udp") },
	{ FROM("icmp"),			WORD("icmp") },
	{ FROM("others"),		WORD("others") },
	{ FROM("ethernet"),		WORD("ethernet") },
	{ FROM("unknown"),		WORD("unknown") },
	{ FROM("ipv6-icmp"),		WORD("ipv6-icmp") },
};

/* In dump lines and exports; no translation of them was found. */
static const struct word_row severity_words[] = {
	{ FROM("critical"),		WORD("crit") },
	{ FROM("major"),		WORD("err") },
	{ FROM("minor"),		WORD("warning") },
	{ FROM("info"),			WORD("info") },
};
/* clang-format on */

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* What is behind the first block of a long word. */
static bool
same_rest(const struct word_row *row, struct span word)
{
	size_t n = word.n - BLOCK;
	block16 rest = block_lower(block_load_part(word.p + BLOCK, n));
	block16 same = block_same(rest, block_load(row->from + BLOCK));

	return (~block_mask(same) & block_until(n)) == 0;
}

static const struct word_row *
word_find(const struct word_row *rows, size_t count, struct span word)
{
	size_t n = word.n < BLOCK ? word.n : BLOCK;
	block16 lower;

	if (word.n == 0 || word.n > WORD_MAX)
		return NULL;
	lower = block_lower(block_load_part(word.p, n));
	for (size_t i = 0; i < count; i++) {
		block16 same = block_same(lower, block_load(rows[i].from));

		if (rows[i].n == word.n &&
		    (~block_mask(same) & block_until(n)) == 0 &&
		    (word.n <= BLOCK || same_rest(&rows[i], word)))
			return &rows[i];
	}
	return NULL;
}

static struct span
lower_case(struct span word, struct arena *arena)
{
	char *out = arena_take(arena, word.n + BLOCK);

	if (out == NULL)
		return (struct span){"", 0};
	for (size_t i = 0; i < word.n; i += BLOCK) {
		size_t n = word.n - i < BLOCK ? word.n - i : BLOCK;

		block_store(
		    out + i, block_lower(block_load_part(word.p + i, n)));
	}
	return span_of(out, word.n);
}

static struct span
word_map(const struct word_row *rows, size_t count, struct span word,
    struct arena *arena)
{
	const struct word_row *row = word_find(rows, count, word);

	return row != NULL ? row->to : lower_case(word, arena);
}

struct span
sepm_direction(struct span word, struct arena *arena)
{
	return word_map(direction_words, COUNT(direction_words), word, arena);
}

struct span
sepm_action(struct span word, struct arena *arena)
{
	return word_map(action_words, COUNT(action_words), word, arena);
}

struct span
sepm_protocol(struct span word, struct arena *arena)
{
	return word_map(protocol_words, COUNT(protocol_words), word, arena);
}

bool
sepm_is_direction(struct span word)
{
	return word_find(direction_words, COUNT(direction_words), word) != NULL;
}

bool
sepm_is_action(struct span word)
{
	return word_find(action_words, COUNT(action_words), word) != NULL;
}

bool
sepm_is_protocol(struct span word)
{
	uint64_t number;

	return word_find(protocol_words, COUNT(protocol_words), word) != NULL ||
	       sepm_read_number(word, 255, &number) == SEPM_VALUE;
}

struct span
sepm_severity(struct span word)
{
	const struct word_row *row =
	    word_find(severity_words, COUNT(severity_words), word);

	return row != NULL ? row->to : (struct span){"", 0};
}
