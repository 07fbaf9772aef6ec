#include "pipeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "decimal.h"
#include "encode.h"
#include "parser.h"
#include "record.h"

enum {
	PREFIX = 48, /* `3fa94c1e-`, a name of at most 32 bytes, `-` */
	ID = PREFIX + 2 * 20 + 1,
	/*
	 * Reading goes on only when the fullest buffer has this much room: a
	 * stop and go for every line would cost more than the lines.
	 */
	RESUME_PERCENT = 75,
};

struct stream {
	const struct config_stream *config;
	struct spool_stream *spool;
	char *room;      /* for the next line; NULL: to be reserved */
	uint64_t stored; /* records */
	size_t prefix_n;
	char prefix[PREFIX]; /* of its ids */
};

struct pipeline {
	const struct config *config;
	struct counters *counters;
	struct spooler *spooler;
	struct parser *parser;
	size_t line;
	struct stream *streams;
	size_t count;

	uint64_t now;        /* monotonic ms */
	int64_t received_us; /* UTC */
	bool resting;
	uint64_t full_since;

	struct record record;
	struct timestamp_days days; /* written of late */
	/* of each format, once one stream has it */
	struct span body[ENCODE_FORMAT_COUNT];
};

size_t
pipeline_line(const struct config *config)
{
	size_t max = (size_t)config->max_message;
	size_t line = encode_bound(max, &config->fallback);

	for (size_t i = 0; i < config->source_count; i++) {
		size_t n = encode_bound(max, &config->sources[i].read);

		if (n > line)
			line = n;
	}
	return line + ID;
}

struct pipeline *
pipeline_new(const struct config *config, struct counters *counters)
{
	struct pipeline *p = calloc(1, sizeof *p);

	if (p == NULL)
		return NULL;
	p->config = config;
	p->counters = counters;
	p->line = pipeline_line(config);
	p->count = config->stream_count;
	p->streams = calloc(p->count + 1, sizeof *p->streams);
	p->parser = parser_new((size_t)config->max_message);
	if (p->streams == NULL || p->parser == NULL) {
		pipeline_free(p);
		return NULL;
	}
	for (size_t i = 0; i < p->count; i++)
		p->streams[i].config = &config->streams[i];
	return p;
}

void
pipeline_free(struct pipeline *p)
{
	if (p == NULL)
		return;
	parser_free(p->parser);
	free(p->streams);
	free(p);
}

static uint64_t
stored_by(const struct pipeline *p, const char *name)
{
	for (size_t i = 0; p != NULL && i < p->count; i++)
		if (strcmp(p->streams[i].config->name, name) == 0)
			return p->streams[i].stored;
	return 0;
}

void
pipeline_attach(
    struct pipeline *p, struct spooler *spooler, const struct pipeline *before)
{
	struct spool *spool = spooler_spool(spooler);
	struct span instance = spool_instance(spool);

	p->spooler = spooler;
	for (size_t i = 0; i < p->count; i++) {
		struct stream *s = &p->streams[i];

		s->spool = spool_stream(spool, i);
		s->stored = stored_by(before, s->config->name);
		s->prefix_n = (size_t)snprintf(s->prefix, sizeof s->prefix,
		    "%.*s-%s-", (int)instance.n, instance.p, s->config->name);
	}
}

/* --- one wake-up --- */

static void
take_time(struct pipeline *p)
{
	struct timespec real;

	clock_gettime(CLOCK_REALTIME, &real);
	p->now = clock_ms();
	p->received_us = (int64_t)real.tv_sec * 1000000 + real.tv_nsec / 1000;
}

static void
note_full(struct pipeline *p)
{
	p->full_since = p->now;
	spooler_want_room(p->spooler, true);
}

bool
pipeline_begin(struct pipeline *p)
{
	take_time(p);
	/* Others may have used the spool since. */
	for (size_t i = 0; i < p->count; i++)
		p->streams[i].room = NULL;
	return pipeline_room(p);
}

bool
pipeline_room(struct pipeline *p)
{
	if (p->resting || p->full_since != 0)
		return false;
	for (size_t i = 0; i < p->count; i++) {
		struct stream *s = &p->streams[i];

		if (s->room == NULL)
			s->room = spool_reserve(s->spool, p->line);
		if (s->room == NULL) {
			note_full(p);
			return false;
		}
	}
	return true;
}

void
pipeline_end(struct pipeline *p)
{
	if (spool_flush(spooler_spool(p->spooler)))
		spooler_wake(p->spooler);
}

uint64_t
pipeline_now(const struct pipeline *p)
{
	return p->now;
}

void
pipeline_rest(struct pipeline *p, bool rest)
{
	p->resting = rest;
}

uint64_t
pipeline_full_since(const struct pipeline *p)
{
	return p->full_since;
}

bool
pipeline_retry(struct pipeline *p)
{
	take_time(p);
	if (p->resting)
		return false;
	if (p->full_since == 0)
		return true;
	if (spool_fill(spooler_spool(p->spooler)) > RESUME_PERCENT)
		return false;
	for (size_t i = 0; i < p->count; i++)
		if (spool_reserve(p->streams[i].spool, p->line) == NULL)
			return false;
	p->full_since = 0;
	spooler_want_room(p->spooler, false);
	return true;
}

/* --- one message --- */

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

/* The line of a stream, the body of which the streams of its format share. */
static char *
put_line(struct pipeline *p, const struct stream *s,
    const struct message_source *source)
{
	enum encode_format format = s->config->format;
	struct span *body = &p->body[format];
	char id[ID], *end = s->room;

	if (body->n == 0) {
		end = encode_body(format, &p->record, source, &p->days, end);
		*body = span_between(s->room, end);
	} else {
		memcpy(end, body->p, body->n);
		end += body->n;
	}
	return encode_end(format, next_id(s, id), end);
}

static void
count(struct pipeline *p, size_t taken)
{
	struct counters *c = p->counters;
	const struct record *r = &p->record;

	c->unparsed += r->type == RECORD_UNPARSED;
	c->truncated += (r->flags & RECORD_TRUNCATED) != 0;
	c->unterminated += (r->flags & RECORD_UNTERMINATED) != 0;
	c->filtered += taken == 0;
	c->stored += taken;
}

void
pipeline_put(struct pipeline *p, struct message *message,
    const struct message_source *source)
{
	size_t taken = 0;

	/* Framed, perhaps, when max_message was larger. */
	message->bytes =
	    span_take(message->bytes, (size_t)p->config->max_message);
	message->received_us = p->received_us;
	message->reference = p->received_us / 1000000;
	parser_parse(p->parser, message, source, &p->record);

	memset(p->body, 0, sizeof p->body);
	for (size_t i = 0; i < p->count; i++) {
		struct stream *s = &p->streams[i];
		char *end;

		if (!config_stream_takes(s->config, &p->record))
			continue;
		end = put_line(p, s, source);
		spool_append(s->spool, (size_t)(end - s->room), p->now);
		s->room = NULL;
		s->stored++;
		taken++;
	}
	count(p, taken);
}

void
pipeline_text(const struct pipeline *p, char *out, size_t size)
{
	size_t n = 0;

	if (size > 0)
		out[0] = '\0';
	for (size_t i = 0; i < p->count && n < size; i++)
		n += (size_t)snprintf(out + n, size - n, "%s%s %llu",
		    i == 0 ? "" : ", ", p->streams[i].config->name,
		    (unsigned long long)p->streams[i].stored);
}
