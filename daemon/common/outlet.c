#include "outlet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "decimal.h"
#include "encode.h"
#include "keyfile.h"
#include "rollup.h"
#include "vault.h"

enum {
	PREFIX = 48, /* `3fa94c1e-`, a name of at most 32 bytes, `-` */
	ID = PREFIX + 2 * 20 + 1,
	/* of each stream that rolls up: some 12 MB */
	GROUPS = 32768,
	GROUP_BYTES = 8 << 20,
};

_Static_assert((int)CONFIG_STREAMS <= 32, "a bit each in `taken`");

struct stream {
	const struct config_stream *config;
	struct spool_stream *spool;
	/* the first one whose lines have the same body */
	size_t body_of;
	char *room;      /* for the next line; NULL: to be reserved */
	uint64_t stored; /* records, and their bytes */
	uint64_t written;
	size_t prefix_n;
	char prefix[PREFIX]; /* of its ids */

	struct rollup *rollup; /* NULL: each record by itself */
	bool closing;          /* its groups go out */
	uint64_t since;        /* when its first group began */
};

struct outlet {
	struct stream *streams;
	struct privacy *privacy;   /* NULL: all streams see all of a record */
	struct vault_notes *notes; /* NULL: there is no vault */
	size_t count;
	size_t line;    /* bytes of the longest */
	uint64_t bytes; /* of all so far */
	uint32_t taken; /* by which streams, the last record */
	uint64_t now;   /* ms, the spool's */
	size_t rolling; /* streams that roll up */
	struct outlet_rolled rolled;
	struct record *group; /* as it goes out; NULL: nothing rolls up */

	/* of the record in work */
	const struct record *record;
	const struct message_source *source;
	struct timestamp_days days; /* written of late */
	/* of each format and policy, once one stream has it: at the index of
	 * the first of these */
	struct span body[CONFIG_STREAMS];
};

size_t
outlet_line(const struct config *config, size_t n)
{
	size_t line = encode_bound(n, &config->fallback);

	for (size_t i = 0; i < config->source_count; i++) {
		size_t other = encode_bound(n, &config->sources[i].read);

		if (other > line)
			line = other;
	}
	return line + ID;
}

static bool
open_rollups(struct outlet *o)
{
	struct hash_key key;

	for (size_t i = 0; i < o->count; i++) {
		struct stream *s = &o->streams[i];

		if (s->config->roll_up == 0)
			continue;
		if (getrandom(&key, sizeof key, 0) != (ssize_t)sizeof key)
			return false;
		s->rollup =
		    rollup_new(GROUPS, GROUP_BYTES, key, s->config->overflow);
		if (s->rollup == NULL)
			return false;
		o->rolling++;
	}
	if (o->rolling > 0)
		o->group = malloc(sizeof *o->group);
	return o->rolling == 0 || o->group != NULL;
}

/* The first stream whose lines begin as those of the stream at `i` do. */
static size_t
same_body(const struct config *config, size_t i)
{
	const struct config_stream *s = config->streams;
	size_t first = 0;

	while (s[first].format != s[i].format || s[first].policy != s[i].policy)
		first++;
	return first;
}

struct outlet *
outlet_new(const struct config *config, size_t n, char *why, size_t size)
{
	struct outlet *o = calloc(1, sizeof *o);

	snprintf(why, size, "no memory");
	if (o == NULL)
		return NULL;
	o->line = outlet_line(config, n);
	o->count = config->stream_count;
	o->streams = calloc(o->count + 1, sizeof *o->streams);
	if (o->streams == NULL)
		goto fail;
	for (size_t i = 0; i < o->count; i++) {
		o->streams[i].config = &config->streams[i];
		o->streams[i].body_of = same_body(config, i);
	}
	if (!open_rollups(o)) {
		snprintf(why, size, "no memory for streams that roll up");
		goto fail;
	}
	if (!config_is_private(config))
		return o;
	o->privacy = keyfile_privacy(config, n, why, size);
	if (o->privacy != NULL)
		return o;
fail:
	outlet_free(o);
	return NULL;
}

void
outlet_free(struct outlet *o)
{
	if (o == NULL)
		return;
	for (size_t i = 0; o->streams != NULL && i < o->count; i++)
		rollup_free(o->streams[i].rollup);
	free(o->group);
	privacy_free(o->privacy);
	free(o->streams);
	free(o);
}

void
outlet_seal(struct outlet *o, struct vault_notes *notes)
{
	if (o->privacy == NULL)
		return;
	o->notes = notes;
	privacy_seal(o->privacy, notes);
}

/* The one of that name; NULL: none. */
static const struct stream *
find_stream(const struct outlet *o, const char *name)
{
	for (size_t i = 0; o != NULL && i < o->count; i++)
		if (strcmp(o->streams[i].config->name, name) == 0)
			return &o->streams[i];
	return NULL;
}

void
outlet_attach(
    struct outlet *o, struct spool *spool, const struct outlet *before)
{
	struct span instance = spool_instance(spool);

	for (size_t i = 0; i < o->count; i++) {
		struct stream *s = &o->streams[i];
		const struct stream *was = find_stream(before, s->config->name);

		s->spool = spool_stream(spool, i);
		s->stored = was != NULL ? was->stored : 0;
		s->written = was != NULL ? was->written : 0;
		s->prefix_n = (size_t)snprintf(s->prefix, sizeof s->prefix,
		    "%.*s-%s-", (int)instance.n, instance.p, s->config->name);
	}
}

void
outlet_forget(struct outlet *o)
{
	for (size_t i = 0; i < o->count; i++)
		o->streams[i].room = NULL;
}

void
outlet_clock(struct outlet *o, uint64_t now)
{
	o->now = now;
}

/* The place that the next line of the stream will have. */
static struct span
next_id(const struct stream *s, char out[ID])
{
	uint64_t segment, line;
	char *end = out + s->prefix_n;

	spool_position(s->spool, &segment, &line);
	memcpy(out, s->prefix, s->prefix_n);
	end = decimal_put(segment, end);
	*end++ = '-';
	return span_between(out, decimal_put(line, end));
}

/* Up to the place of the id. */
static char *
put_body(struct outlet *o, const struct stream *s, char *out)
{
	const struct record *record = o->record;

	if (s->config->policy != NULL)
		record = privacy_apply(
		    o->privacy, &s->config->policy->rules, record);
	return encode_body(s->config->format, record, o->source, &o->days, out);
}

/* The line of a stream, the body of which it shares with others. */
static char *
put_line(struct outlet *o, const struct stream *s)
{
	struct span *body = &o->body[s->body_of];
	char id[ID], *end = s->room;

	if (body->n == 0) {
		end = put_body(o, s, end);
		*body = span_between(s->room, end);
	} else {
		memcpy(end, body->p, body->n);
		end += body->n;
	}
	return encode_end(s->config->format, next_id(s, id), end);
}

static void
append(struct outlet *o, struct stream *s, const char *end)
{
	size_t n = (size_t)(end - s->room);

	spool_append(s->spool, n, o->now);
	o->bytes += n;
	s->room = NULL;
	s->stored++;
	s->written += n;
}

/* --- what is rolled up --- */

/* The next group, into room that is there. */
static void
put_group(struct outlet *o, struct stream *s)
{
	struct rollup_group group;

	if (!rollup_peek(s->rollup, o->group, &group))
		return;
	o->record = o->group;
	o->source = group.source;
	memset(o->body, 0, sizeof o->body);
	append(o, s, put_line(o, s));
	o->rolled.records_out++;
	o->rolled.occurrences_out += group.occurrences;
	o->rolled.represented += group.records;
	rollup_drop(s->rollup);
}

static bool
is_over(const struct outlet *o, const struct stream *s)
{
	return s->closing || !rollup_has_room(s->rollup) ||
	       (rollup_count(s->rollup) > 0 &&
		   o->now - s->since >= s->config->roll_up);
}

/* False: there are groups that have no room yet. */
static bool
let_out(struct outlet *o, struct stream *s)
{
	if (!is_over(o, s))
		return true;
	s->closing = true;
	while (rollup_count(s->rollup) > 0) {
		if (s->room == NULL)
			s->room = spool_reserve(s->spool, o->line);
		if (s->room == NULL)
			return false;
		put_group(o, s);
	}
	s->closing = false;
	return true;
}

static void
roll_up(struct outlet *o, struct stream *s)
{
	if (rollup_count(s->rollup) == 0)
		s->since = o->now;
	rollup_add(s->rollup, o->record, o->source);
	o->rolled.records_in++;
	o->rolled.occurrences_in += rollup_weight(o->record);
	o->bytes++;
}

void
outlet_close(struct outlet *o)
{
	for (size_t i = 0; i < o->count; i++)
		if (o->streams[i].rollup != NULL)
			o->streams[i].closing = true;
}

uint64_t
outlet_waiting(const struct outlet *o)
{
	return o->rolled.records_in - o->rolled.represented;
}

const struct outlet_rolled *
outlet_rolled(const struct outlet *o)
{
	return &o->rolled;
}

bool
outlet_rolls(const struct outlet *o, size_t index)
{
	return o->streams[index].rollup != NULL;
}

/* --- records --- */

bool
outlet_room(struct outlet *o)
{
	if (o->notes != NULL && !vault_has_room(o->notes))
		return false;
	for (size_t i = 0; i < o->count; i++) {
		struct stream *s = &o->streams[i];

		if (s->rollup != NULL) {
			if (!let_out(o, s))
				return false;
			continue;
		}
		if (s->room == NULL)
			s->room = spool_reserve(s->spool, o->line);
		if (s->room == NULL)
			return false;
	}
	return true;
}

size_t
outlet_put(struct outlet *o, const struct record *record,
    const struct message_source *source)
{
	size_t taken = 0;

	o->record = record;
	o->source = source;
	o->taken = 0;
	memset(o->body, 0, o->count * sizeof o->body[0]);
	for (size_t i = 0; i < o->count; i++) {
		struct stream *s = &o->streams[i];

		if (!config_stream_takes(s->config, record))
			continue;
		taken++;
		if (s->rollup != NULL) {
			roll_up(o, s);
			continue;
		}
		append(o, s, put_line(o, s));
		o->taken |= UINT32_C(1) << i;
	}
	return taken;
}

uint32_t
outlet_taken(const struct outlet *o)
{
	return o->taken;
}

uint64_t
outlet_bytes(const struct outlet *o)
{
	return o->bytes;
}

uint64_t
outlet_stored(const struct outlet *o, size_t index)
{
	return o->streams[index].stored;
}

uint64_t
outlet_written(const struct outlet *o, size_t index)
{
	return o->streams[index].written;
}

void
outlet_text(const struct outlet *o, char *out, size_t size)
{
	size_t n = 0;

	if (size > 0)
		out[0] = '\0';
	for (size_t i = 0; i < o->count && n < size; i++)
		n += (size_t)snprintf(out + n, size - n, "%s%s %llu",
		    i == 0 ? "" : ", ", o->streams[i].config->name,
		    (unsigned long long)o->streams[i].stored);
}
