#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>

#include "config_internal.h"

#define KIB ((uint64_t)1024)

/* clang-format off */
const struct value_unit value_size_units[VALUE_SIZE_UNITS] = {
	{ {"GiB", 3}, KIB * KIB * KIB },
	{ {"MiB", 3}, KIB * KIB },
	{ {"KiB", 3}, KIB },
	{ {"", 0},    1 },
};

const struct value_unit value_time_units[VALUE_TIME_UNITS] = {
	{ {"d", 1},  24 * 60 * 60 * 1000 },
	{ {"h", 1},  60 * 60 * 1000 },
	{ {"m", 1},  60 * 1000 },
	{ {"s", 1},  1000 },
	{ {"ms", 2}, 1 },
};
/* clang-format on */

static size_t
digits(struct span text)
{
	size_t n = 0;

	while (span_isdigit(span_at(text, n)))
		n++;
	return n;
}

bool
value_number(struct span text, uint64_t *number)
{
	uint64_t sum = 0;

	if (text.n == 0 || digits(text) != text.n)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		if (__builtin_mul_overflow(sum, (uint64_t)10, &sum) ||
		    __builtin_add_overflow(
			sum, (uint64_t)(text.p[i] - '0'), &sum))
			return false;
	}
	*number = sum;
	return true;
}

bool
value_quantity(struct span text, const struct value_unit *units, size_t count,
    uint64_t *number)
{
	size_t n = digits(text);
	struct span unit = span_trim(span_skip(text, n));

	if (!value_number(span_take(text, n), number))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (span_eq(unit, units[i].name))
			return !__builtin_mul_overflow(
			    *number, units[i].worth, number);
	}
	return false;
}

void
value_spell(uint64_t number, const struct value_unit *units, size_t count,
    char out[VALUE_SPELLED])
{
	const struct value_unit *unit = &units[count - 1];

	for (size_t i = count; number != 0 && i-- > 0;) {
		if (number % units[i].worth == 0)
			unit = &units[i];
	}
	snprintf(out, VALUE_SPELLED, "%" PRIu64 "%s", number / unit->worth,
	    unit->name.p);
}

/* inet_pton wants a NUL behind the text. */
static bool
address(int family, struct span text, void *out)
{
	char copy[INET6_ADDRSTRLEN];

	if (text.n >= sizeof(copy))
		return false;
	memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	return inet_pton(family, copy, out) == 1;
}

static bool
port(struct span text, in_port_t *out)
{
	uint64_t number;

	if (!value_number(text, &number) || number < 1 || number > 65535)
		return false;
	*out = htons((uint16_t)number);
	return true;
}

static const char *
endpoint_v6(struct span text, struct sockaddr_storage *addr, socklen_t *len)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	size_t close = span_find(text, ']');
	struct span host = span_skip(span_take(text, close), 1);

	if (!address(AF_INET6, host, &in6.sin6_addr))
		return "is not an IPv6 address and port such as [::]:514";
	if (span_at(text, close + 1) != ':' ||
	    !port(span_skip(text, close + 2), &in6.sin6_port))
		return "needs a port from 1 to 65535, as in [::]:514";
	memcpy(addr, &in6, sizeof(in6));
	*len = sizeof(in6);
	return NULL;
}

static const char *
endpoint_v4(struct span text, struct sockaddr_storage *addr, socklen_t *len)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct in6_addr bare;
	size_t colon = span_find(text, ':');

	if (address(AF_INET6, text, &bare))
		return "needs brackets and a port, as in [::]:514";
	if (!address(AF_INET, span_take(text, colon), &in.sin_addr))
		return "is not an address and port such as 192.0.2.1:514 or "
		       "[::]:514; names are not looked up";
	if (!port(span_skip(text, colon + 1), &in.sin_port))
		return "needs a port from 1 to 65535, as in 192.0.2.1:514";
	memcpy(addr, &in, sizeof(in));
	*len = sizeof(in);
	return NULL;
}

const char *
value_endpoint(struct span text, struct sockaddr_storage *addr, socklen_t *len)
{
	if (span_at(text, 0) == '[')
		return endpoint_v6(text, addr, len);
	return endpoint_v4(text, addr, len);
}

/* Is any bit of the address set behind the first `bits`? */
static bool
holds_host_bits(const struct in6_addr *net, unsigned bits)
{
	for (unsigned i = bits; i < 128; i++) {
		if (net->s6_addr[i / 8] & (0x80 >> i % 8))
			return true;
	}
	return false;
}

const char *
value_cidr(struct span text, struct config_cidr *cidr)
{
	size_t slash = span_find(text, '/');
	struct span host = span_take(text, slash);
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_storage from = {0};
	unsigned most = 128;
	uint64_t bits;

	if (address(AF_INET, host, &in.sin_addr)) {
		memcpy(&from, &in, sizeof(in));
		cidr->net = config_address((const struct sockaddr *)&from);
		most = 32;
	} else if (!address(AF_INET6, host, &cidr->net)) {
		return "is not an address or range such as 192.0.2.7, "
		       "192.0.2.0/24 or 2001:db8::/32";
	}
	bits = most;
	if (slash < text.n &&
	    (!value_number(span_skip(text, slash + 1), &bits) || bits > most))
		return most == 32 ? "needs a prefix length from /0 to /32"
				  : "needs a prefix length from /0 to /128";
	cidr->bits = (unsigned)bits + (128 - most);
	if (holds_host_bits(&cidr->net, cidr->bits))
		return "is an address inside a range: either leave the prefix "
		       "length out or set the bits behind it to 0";
	return NULL;
}

static int
hex_digit(int c)
{
	c = span_lower(c);
	if (span_isdigit(c))
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 32 pairs of digits, with or without colons between them. */
static bool
fingerprint(struct span text, unsigned char out[CONFIG_FINGERPRINT])
{
	for (size_t i = 0; i < CONFIG_FINGERPRINT; i++) {
		int high, low;

		if (i > 0 && span_at(text, 0) == ':')
			text = span_skip(text, 1);
		high = hex_digit(span_at(text, 0));
		low = hex_digit(span_at(text, 1));
		if (high < 0 || low < 0)
			return false;
		out[i] = (unsigned char)(high * 16 + low);
		text = span_skip(text, 2);
	}
	return text.n == 0;
}

/* Labels of letters, digits and hyphens with dots between them. */
static bool
is_dns_name(struct span text)
{
	for (size_t i = 0; i < text.n; i++) {
		int c = (unsigned char)text.p[i];

		if (c == '.' ? i == 0 || text.p[i - 1] == '.'
			     : !span_isalpha(c) && !span_isdigit(c) &&
				   c != '-' && c != '_')
			return false;
	}
	return text.n > 0 && text.p[text.n - 1] != '.';
}

/* What stands behind `sha256:` or, as RFC 5425 4.2.2 writes it, `SHA-256:`. */
static struct span
behind_hash_name(struct span text)
{
	static const struct span names[] = {{"sha256:", 7}, {"sha-256:", 8}};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (span_caseeq(span_take(text, names[i].n), names[i]))
			return span_skip(text, names[i].n);
	return span_of("", 0);
}

const char *
value_peer(struct span text, struct config_peer *peer)
{
	struct span digits = behind_hash_name(text);
	struct in6_addr v6;
	struct in_addr v4;

	if (digits.n > 0) {
		peer->kind = CONFIG_PEER_FINGERPRINT;
		return fingerprint(digits, peer->fingerprint)
			   ? NULL
			   : "needs 64 hex digits behind 'sha256:', as "
			     "`openssl "
			     "x509 -noout -fingerprint -sha256` shows them";
	}
	peer->kind = CONFIG_PEER_ADDRESS;
	if (address(AF_INET, text, &v4) || address(AF_INET6, text, &v6))
		return NULL;
	peer->kind = CONFIG_PEER_NAME;
	if (span_at(text, 0) == '*' && span_at(text, 1) == '.') {
		peer->kind = CONFIG_PEER_SUBDOMAIN;
		text = span_skip(text, 2);
	}
	return is_dns_name(text)
		   ? NULL
		   : "is no name such as sepm1.example.com or *.example.com, "
		     "no "
		     "address, and no fingerprint such as sha256:5F...";
}

enum { GUESS_MAX = 32 };

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * How many letters were added, left out, replaced or swapped with the next
 * one: row by row, with the two rows before kept for the swaps.
 */
static size_t
distance(struct span a, struct span b)
{
	size_t rows[3][GUESS_MAX + 1] = {{0}};
	size_t *before = rows[0], *last = rows[1], *row = rows[2], *spare;

	for (size_t j = 0; j <= b.n; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.n; i++) {
		spare = before;
		before = last;
		last = row;
		row = spare;
		row[0] = i;
		for (size_t j = 1; j <= b.n; j++) {
			row[j] = least(least(last[j], row[j - 1]) + 1,
			    last[j - 1] + (a.p[i - 1] != b.p[j - 1]));
			if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] &&
			    a.p[i - 2] == b.p[j - 1])
				row[j] = least(row[j], before[j - 2] + 1);
		}
	}
	return row[b.n];
}

void
value_guess(struct value_guess *guess, struct span offered)
{
	struct span written = guess->written;
	size_t d;

	if (written.n > GUESS_MAX || offered.n > GUESS_MAX)
		return;
	d = distance(written, offered);
	/* Near is at most every third letter wrong. */
	if (d * 3 > offered.n || (guess->nearest.n > 0 && d >= guess->distance))
		return;
	guess->nearest = offered;
	guess->distance = d;
}
