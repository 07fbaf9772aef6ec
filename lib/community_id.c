#include "community_id.h"

#include <arpa/inet.h>

#include "sha1.h"

enum { ADDRESS_MAX = 16 };

/* As they are hashed: in the order of the network. */
struct end {
	unsigned char ip[ADDRESS_MAX];
	size_t n; /* 4 or 16 */
	unsigned char port[2];
};

static bool
read_end(const struct community_end *from, struct end *to)
{
	char text[INET6_ADDRSTRLEN];
	bool v6 = span_find(from->ip, ':') < from->ip.n;

	if (from->ip.n == 0 || from->ip.n >= sizeof(text))
		return false;
	memcpy(text, from->ip.p, from->ip.n);
	text[from->ip.n] = '\0';
	to->n = v6 ? 16 : 4;
	to->port[0] = (unsigned char)(from->port >> 8);
	to->port[1] = (unsigned char)from->port;
	return inet_pton(v6 ? AF_INET6 : AF_INET, text, to->ip) == 1;
}

/* The smaller end comes first. */
static bool
is_swapped(const struct end *a, const struct end *b)
{
	int order = memcmp(a->ip, b->ip, a->n);

	return order > 0 || (order == 0 && memcmp(a->port, b->port, 2) > 0);
}

static unsigned char *
put_bytes(const void *bytes, size_t n, unsigned char *out)
{
	memcpy(out, bytes, n);
	return out + n;
}

/* 20 bytes are six groups of three and two more. */
static void
put_base64(const unsigned char digest[SHA1_SIZE], char out[28])
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";

	for (int i = 0; i < SHA1_SIZE; i += 3) {
		unsigned more = i + 2 < SHA1_SIZE ? digest[i + 2] : 0;
		unsigned group = (unsigned)digest[i] << 16 |
				 (unsigned)digest[i + 1] << 8 | more;

		for (int shift = 18; shift >= 0; shift -= 6)
			*out++ = digits[group >> shift & 63];
	}
	out[-1] = '=';
}

bool
community_id(const struct community_end *a, const struct community_end *b,
    int protocol, char out[COMMUNITY_ID])
{
	static const unsigned char seed[2];
	unsigned char text[2 + 2 * ADDRESS_MAX + 2 + 4], *p = text;
	unsigned char number[2] = {(unsigned char)protocol, 0};
	unsigned char digest[SHA1_SIZE];
	struct end first, second;

	if ((protocol != 6 && protocol != 17 && protocol != 132) ||
	    !read_end(a, &first) || !read_end(b, &second) ||
	    first.n != second.n)
		return false;
	if (is_swapped(&first, &second)) {
		struct end smaller = second;

		second = first;
		first = smaller;
	}
	p = put_bytes(seed, sizeof(seed), p);
	p = put_bytes(first.ip, first.n, p);
	p = put_bytes(second.ip, second.n, p);
	p = put_bytes(number, sizeof(number), p);
	p = put_bytes(first.port, 2, p);
	p = put_bytes(second.port, 2, p);
	sha1(span_of((const char *)text, (size_t)(p - text)), digest);
	out[0] = '1';
	out[1] = ':';
	put_base64(digest, out + 2);
	return true;
}
