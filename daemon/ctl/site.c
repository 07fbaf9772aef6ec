#include "site.h"

#include <libpsl.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

enum {
	NAME = 253, /* bytes of a name, RFC 1035 2.3.4 */
	PLACES = 1 << 13,
};

/* A registrable domain is an end of its name: where it begins is all there is
 * to remember. */
struct place {
	uint64_t hash; /* of the name; 0: free */
	uint32_t n, at;
};

struct sites {
	struct hash_key key;
	const psl_ctx_t *list; /* NULL: libpsl was built without one */
	char name[NAME + 1];
	struct place place[PLACES];
};

struct sites *
sites_new(struct hash_key key)
{
	struct sites *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	s->key = key;
	s->list = psl_builtin();
	return s;
}

void
sites_free(struct sites *s)
{
	free(s);
}

static size_t
look_up(const struct sites *s, size_t n)
{
	const char *domain =
	    s->list != NULL ? psl_registrable_domain(s->list, s->name) : NULL;

	/* It answers a place in the name that it was given. */
	if (domain == NULL || domain < s->name || domain > s->name + n)
		return 0;
	return (size_t)(domain - s->name);
}

struct span
sites_of(struct sites *s, struct span name)
{
	struct place *place;
	uint64_t hash;

	if (span_at(name, name.n - 1) == '.')
		name.n--;
	if (name.n == 0 || name.n > NAME)
		return name;
	for (size_t i = 0; i < name.n; i++)
		s->name[i] = (char)span_lower((unsigned char)name.p[i]);
	s->name[name.n] = '\0';
	name.p = s->name;
	hash = hash_span(&s->key, name);
	place = &s->place[hash % PLACES];
	if (place->hash != hash || place->n != name.n)
		*place = (struct place){
		    hash, (uint32_t)name.n, (uint32_t)look_up(s, name.n)};
	return span_skip(name, place->at);
}

bool
sites_day(char out[SITES_DAY])
{
	time_t when = psl_builtin_file_time();
	struct tm tm;

	return when > 0 && gmtime_r(&when, &tm) != NULL &&
	       strftime(out, SITES_DAY, "%Y-%m-%d", &tm) > 0;
}
