#include "sepm_value.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#define WORD(literal)                                                          \
	{                                                                      \
		literal, sizeof(literal) - 1                                   \
	}

struct word_row {
	struct span from; /* ASCII letters compared without case */
	struct span to;
};

/* clang-format off */
static const struct word_row direction_words[] = {
	{ WORD("Inbound"),		WORD("inbound") },
	{ WORD("Outbound"),		WORD("outbound") },
	{ WORD("Unknown"),		WORD("unknown") },
	{ WORD("\u5165\u7ad9"),		WORD("inbound") },	/* zh */
	{ WORD("\u51fa\u7ad9"),		WORD("outbound") },
	{ WORD("Entrant"),		WORD("inbound") },	/* fr */
	{ WORD("Sortant"),		WORD("outbound") },
	{ WORD("Inconnu"),		WORD("unknown") },
};

static const struct word_row action_words[] = {
	{ WORD("Allowed"),		WORD("allowed") },
	{ WORD("Blocked"),		WORD("blocked") },
	{ WORD("Not blocked"),		WORD("allowed") },	/* CSV export */
	{ WORD("Bloqu\u00e9"),		WORD("blocked") },	/* fr */
	{ WORD("Bloqu\u00e9e"),		WORD("blocked") },
	{ WORD("Bloqu\u00e9s"),		WORD("blocked") },
	{ WORD("Bloqu\u00e9es"),	WORD("blocked") },
	{ WORD("Autoris\u00e9"),	WORD("allowed") },
	{ WORD("Autoris\u00e9e"),	WORD("allowed") },
	{ WORD("Autoris\u00e9s"),	WORD("allowed") },
	{ WORD("Autoris\u00e9es"),	WORD("allowed") },
};

static const struct word_row protocol_words[] = {
	{ WORD("TCP"),			WORD("tcp") },
	{ WORD("UDP"),			WORD("udp") },
	{ WORD("ICMP"),			WORD("icmp") },
	{ WORD("OTHERS"),		WORD("others") },
	{ WORD("ETHERNET"),		WORD("ethernet") },
	{ WORD("Unknown"),		WORD("unknown") },
	{ WORD("ipv6-icmp"),		WORD("ipv6-icmp") },
};

static const struct word_row severity_words[] = {
	{ WORD("Critical"),		WORD("crit") },
	{ WORD("Major"),		WORD("err") },
	{ WORD("Minor"),		WORD("warning") },
	{ WORD("Info"),			WORD("info") },
};
/* clang-format on */

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const struct word_row *
word_find(const struct word_row *rows, size_t count, struct span word)
{
	for (size_t i = 0; i < count; i++)
		if (span_caseeq(rows[i].from, word))
			return &rows[i];
	return NULL;
}

static struct span
lower_case(struct span word, struct arena *arena)
{
	char *out = arena_take(arena, word.n);

	if (out == NULL)
		return (struct span){"", 0};
	for (size_t i = 0; i < word.n; i++)
		out[i] = (char)span_lower((unsigned char)word.p[i]);
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

/* --- addresses --- */

/* A plain dotted quad in canonical form, the common case; *zero: 0.0.0.0. */
static bool
is_canonical_ipv4(struct span text, bool *zero)
{
	unsigned parts = 0;
	size_t i = 0;

	*zero = true;
	do {
		unsigned value = 0;
		size_t start = i;

		while (i < text.n && i - start < 3 &&
		       span_isdigit((unsigned char)text.p[i]))
			value = value * 10 + (unsigned)(text.p[i++] - '0');
		if (i == start || value > 255 ||
		    (text.p[start] == '0' && i - start > 1))
			return false;
		if (value != 0)
			*zero = false;
		parts++;
	} while (parts < 4 && i < text.n && text.p[i++] == '.');
	return parts == 4 && i == text.n;
}

static enum sepm_value
read_ipv6(struct span text, struct arena *arena, struct span *ip)
{
	char buf[INET6_ADDRSTRLEN];
	struct in6_addr addr;
	char *out;
	size_t n;

	if (text.n >= sizeof(buf) || memchr(text.p, '\0', text.n) != NULL)
		return SEPM_WRONG;
	memcpy(buf, text.p, text.n);
	buf[text.n] = '\0';
	if (inet_pton(AF_INET6, buf, &addr) != 1)
		return SEPM_WRONG;
	if (IN6_IS_ADDR_UNSPECIFIED(&addr))
		return SEPM_ABSENT;
	inet_ntop(AF_INET6, &addr, buf, sizeof(buf));
	n = strlen(buf);
	out = arena_take(arena, n);
	if (out == NULL)
		return SEPM_WRONG;
	memcpy(out, buf, n);
	*ip = span_of(out, n);
	return SEPM_VALUE;
}

enum sepm_value
sepm_read_ip(struct span text, struct arena *arena, struct span *ip)
{
	bool zero;

	if (text.n == 0)
		return SEPM_ABSENT;
	if (text.p[text.n - 1] == '.')
		text.n--;
	if (!is_canonical_ipv4(text, &zero))
		return read_ipv6(text, arena, ip);
	if (zero)
		return SEPM_ABSENT;
	*ip = text;
	return SEPM_VALUE;
}

/* --- hex --- */

/* The value of a hex digit, or -1. */
static int
hex_digit(int c)
{
	if (span_isdigit(c))
		return c - '0';
	c = span_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

enum sepm_value
sepm_read_mac(struct span text, struct arena *arena, struct span *mac)
{
	char digits[12];
	size_t n = 0;
	bool zero = true;
	char *out;

	if (text.n == 0)
		return SEPM_ABSENT;
	for (size_t i = 0; i < text.n; i++) {
		int c = (unsigned char)text.p[i];

		if (n > 0 && n < 12 && n % 2 == 0 &&
		    (c == ':' || c == '.' || c == '-') &&
		    hex_digit((unsigned char)text.p[i - 1]) >= 0)
			continue;
		if (hex_digit(c) < 0 || n == sizeof(digits))
			return SEPM_WRONG;
		zero = zero && c == '0';
		digits[n++] = (char)span_lower(c);
	}
	if (n != sizeof(digits))
		return SEPM_WRONG;
	if (zero)
		return SEPM_ABSENT;
	out = arena_take(arena, 17);
	if (out == NULL)
		return SEPM_WRONG;
	for (size_t i = 0; i < 6; i++) {
		out[i * 3] = digits[i * 2];
		out[i * 3 + 1] = digits[i * 2 + 1];
		if (i < 5)
			out[i * 3 + 2] = ':';
	}
	*mac = span_of(out, 17);
	return SEPM_VALUE;
}

enum sepm_value
sepm_read_hash(
    struct span text, size_t digits, struct arena *arena, struct span *hash)
{
	bool zero = true;

	if (text.n == 0)
		return SEPM_ABSENT;
	if (text.n != digits)
		return SEPM_WRONG;
	for (size_t i = 0; i < text.n; i++) {
		if (hex_digit((unsigned char)text.p[i]) < 0)
			return SEPM_WRONG;
		zero = zero && text.p[i] == '0';
	}
	if (zero)
		return SEPM_ABSENT;
	*hash = lower_case(text, arena);
	return hash->n > 0 ? SEPM_VALUE : SEPM_WRONG;
}

enum sepm_value
sepm_read_number(struct span text, uint64_t max, uint64_t *number)
{
	uint64_t value = 0;

	if (text.n == 0)
		return SEPM_ABSENT;
	for (size_t i = 0; i < text.n; i++) {
		uint64_t digit = (uint64_t)(unsigned char)text.p[i] - '0';

		if (digit > 9 || digit > max || value > (max - digit) / 10)
			return SEPM_WRONG;
		value = value * 10 + digit;
	}
	*number = value;
	return SEPM_VALUE;
}

enum sepm_value
sepm_read_time(struct span text, unsigned kinds, const struct sepm_clock *clock,
    int64_t *time, bool *twice)
{
	struct timestamp stamp;

	if (text.n == 0)
		return SEPM_ABSENT;
	if (timestamp_scan(text, kinds, &stamp) != text.n ||
	    !timestamp_resolve(&stamp, clock->zone, clock->cache,
		clock->reference, time, twice))
		return SEPM_WRONG;
	return SEPM_VALUE;
}
