#include "sepm_value.h"

#include <arpa/inet.h>
#include <netinet/in.h>

/* --- addresses --- */

/* Where in the block are bytes of this range? A bit for each, the lowest for
 * the first. */
static unsigned
where(block16 b, unsigned char low, unsigned char high)
{
	return block_mask(block_between(b, low, high));
}

/* Is one of the numbers of three digits over 255? `digits` as of `where`. */
static bool
is_over_255(block16 b, unsigned digits)
{
	unsigned three = digits & digits >> 1 & digits >> 2;
	unsigned over_5 = where(b, '6', '9');
	unsigned over_55 =
	    over_5 >> 1 | (where(b, '5', '5') >> 1 & over_5 >> 2);

	return (three &
		   (where(b, '3', '9') | (where(b, '2', '2') & over_55))) != 0;
}

/*
 * A plain dotted quad in canonical form, the common case; *zero: 0.0.0.0. Its
 * parts have one, two or three digits as chance has it, so that loops over them
 * would be guessed wrong: all bytes are looked at together.
 */
static bool
is_canonical_ipv4(struct span text, bool *zero)
{
	unsigned all, dots, digits, zeros, starts, dot2, dot3;
	block16 b;

	if (text.n < sizeof("0.0.0.0") - 1 ||
	    text.n > sizeof("255.255.255.255") - 1)
		return false;
	all = block_until(text.n);
	b = block_load_part(text.p, text.n);
	dots = where(b, '.', '.') & all;
	digits = where(b, '0', '9') & all;
	zeros = where(b, '0', '0') & all;
	dot2 = dots & (dots - 1);
	dot3 = dot2 & (dot2 - 1);
	if ((dots | digits) != all || dot3 == 0 || (dot3 & (dot3 - 1)) != 0)
		return false;
	/* an empty part, four digits, a zero in front of others */
	starts = dots << 1 | 1;
	if ((starts & (dots | (all + 1))) != 0 ||
	    (digits & digits >> 1 & digits >> 2 & digits >> 3) != 0 ||
	    (starts & zeros & digits >> 1) != 0 || is_over_255(b, digits))
		return false;
	*zero = zeros == digits;
	return true;
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

enum { MAC_DIGITS = 12, MAC_SIZE = 17 };

static bool
is_hex_digit(int c)
{
	c = span_lower(c);
	return span_isdigit(c) || (c >= 'a' && c <= 'f');
}

/* Are the first n bytes hex digits? Then *b has them in lower case. */
static bool
lower_hex(block16 *b, size_t n)
{
	block16 low = block_or(*b, block_fill(0x20));
	block16 hex =
	    block_or(block_between(*b, '0', '9'), block_between(low, 'a', 'f'));

	*b = low;
	return (~block_mask(hex) & block_until(n)) == 0;
}

static bool
all_zeros(block16 b, size_t n)
{
	return (~block_mask(block_equal(b, '0')) & block_until(n)) == 0;
}

/* Leaves out separators between pairs of digits. False: no MAC. */
static bool
mac_digits(struct span text, char digits[BLOCK])
{
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		int c = (unsigned char)text.p[i];

		if (n > 0 && n < MAC_DIGITS && n % 2 == 0 &&
		    (c == ':' || c == '.' || c == '-') &&
		    is_hex_digit((unsigned char)text.p[i - 1]))
			continue;
		if (n == MAC_DIGITS)
			return false;
		digits[n++] = (char)c;
	}
	return n == MAC_DIGITS;
}

enum sepm_value
sepm_read_mac(struct span text, struct arena *arena, struct span *mac)
{
	char digits[BLOCK] = {0}, *out;
	block16 b;

	if (text.n == 0)
		return SEPM_ABSENT;
	if (text.n == MAC_DIGITS)
		b = block_load_part(text.p, text.n);
	else if (mac_digits(text, digits))
		b = block_load(digits);
	else
		return SEPM_WRONG;
	if (!lower_hex(&b, MAC_DIGITS))
		return SEPM_WRONG;
	if (all_zeros(b, MAC_DIGITS))
		return SEPM_ABSENT;
	out = arena_take(arena, MAC_SIZE + 1);
	if (out == NULL)
		return SEPM_WRONG;
	block_store(digits, b);
	for (size_t i = 0; i < MAC_DIGITS / 2; i++) {
		memcpy(out + i * 3, digits + i * 2, 2);
		out[i * 3 + 2] = ':';
	}
	*mac = span_of(out, MAC_SIZE);
	return SEPM_VALUE;
}

enum sepm_value
sepm_read_hash(
    struct span text, size_t digits, struct arena *arena, struct span *hash)
{
	bool zero = true, hex = true;
	char *out;

	if (text.n == 0)
		return SEPM_ABSENT;
	if (text.n != digits)
		return SEPM_WRONG;
	out = arena_take(arena, digits + BLOCK);
	if (out == NULL)
		return SEPM_WRONG;
	for (size_t i = 0; i < digits; i += BLOCK) {
		size_t n = digits - i < BLOCK ? digits - i : BLOCK;
		block16 b = block_load_part(text.p + i, n);

		hex = hex && lower_hex(&b, n);
		zero = zero && all_zeros(b, n);
		block_store(out + i, b);
	}
	*hash = span_of(out, digits);
	return !hex ? SEPM_WRONG : zero ? SEPM_ABSENT : SEPM_VALUE;
}

enum { SAFE_DIGITS = 18 }; /* so many cannot overflow */

enum sepm_value
sepm_read_number(struct span text, uint64_t max, uint64_t *number)
{
	uint64_t value = 0;

	if (text.n == 0)
		return SEPM_ABSENT;
	for (size_t i = 0; i < text.n; i++) {
		unsigned digit = (unsigned char)text.p[i] - (unsigned)'0';

		if (digit > 9)
			return SEPM_WRONG;
		if (text.n > SAFE_DIGITS && value > (UINT64_MAX - digit) / 10)
			return SEPM_WRONG;
		value = value * 10 + digit;
	}
	if (value > max)
		return SEPM_WRONG;
	*number = value;
	return SEPM_VALUE;
}

enum sepm_value
sepm_read_time(struct span text, unsigned kinds, const struct sepm_clock *clock,
    int64_t *time, bool *twice)
{
	struct timestamp stamp;
	int64_t local;

	if (text.n == 0)
		return SEPM_ABSENT;
	if ((kinds & TIMESTAMP_ISO) != 0 &&
	    timestamp_read_plain(text, clock->date, &local)) {
		if (zone_to_utc(clock->zone, clock->cache, local,
			clock->reference, time) == ZONE_TWICE)
			*twice = true;
		return SEPM_VALUE;
	}
	if (timestamp_scan(text, kinds, &stamp) != text.n ||
	    !timestamp_resolve(&stamp, clock->zone, clock->cache,
		clock->reference, time, twice))
		return SEPM_WRONG;
	return SEPM_VALUE;
}
