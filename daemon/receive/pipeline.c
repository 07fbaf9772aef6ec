#include "pipeline.h"

#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "event_key.h"
#include "outlet.h"
#include "parser.h"
#include "record.h"

enum {
	/*
	 * Reading goes on only when the fullest buffer has this much room: a
	 * stop and go for every line would cost more than the lines.
	 */
	RESUME_PERCENT = 75,
};

struct pipeline {
	const struct config *config;
	struct counters *counters;
	struct audit *audit;
	struct spooler *spooler;
	struct parser *parser;
	struct event_key *event_key; /* NULL: not wanted */
	struct outlet *outlet;
	struct recent *recent;   /* NULL: nobody looks */
	struct busiest *busiest; /* the same */
	/* of streams that roll up: what audit and counters know already */
	struct outlet_rolled told;
	uint64_t stored[CONFIG_STREAMS];
	bool private; /* a stream is: who looks sees no bytes either */

	uint64_t now;        /* monotonic ms */
	int64_t received_us; /* UTC */
	bool resting;
	uint64_t full_since;

	struct record record;
};

size_t
pipeline_line(const struct config *config)
{
	return outlet_line(config, (size_t)config->max_message);
}

struct pipeline *
pipeline_new(const struct config *config, struct counters *counters,
    struct audit *audit, char *why, size_t size)
{
	struct pipeline *p = calloc(1, sizeof *p);

	snprintf(why, size, "no memory");
	if (p == NULL)
		return NULL;
	p->config = config;
	p->counters = counters;
	p->audit = audit;
	p->private = config_is_private(config);
	p->outlet = outlet_new(config, (size_t)config->max_message, why, size);
	p->parser = parser_new((size_t)config->max_message);
	if (config->event_key)
		p->event_key = event_key_new();
	if (p->outlet == NULL || p->parser == NULL ||
	    (config->event_key && p->event_key == NULL)) {
		pipeline_free(p);
		return NULL;
	}
	return p;
}

void
pipeline_free(struct pipeline *p)
{
	if (p == NULL)
		return;
	parser_free(p->parser);
	event_key_free(p->event_key);
	outlet_free(p->outlet);
	free(p);
}

void
pipeline_attach(
    struct pipeline *p, struct spooler *spooler, const struct pipeline *before)
{
	p->spooler = spooler;
	outlet_attach(p->outlet, spooler_spool(spooler),
	    before != NULL ? before->outlet : NULL);
	if (p->config->privacy.vault.public_key != NULL)
		outlet_seal(p->outlet, vaulter_notes(spooler_vaulter(spooler)));
	for (size_t i = 0; i < p->config->stream_count; i++)
		p->stored[i] = outlet_stored(p->outlet, i);
}

void
pipeline_show(
    struct pipeline *p, struct recent *recent, struct busiest *busiest)
{
	p->recent = recent;
	p->busiest = p->private ? NULL : busiest;
	if (p->private)
		recent_blank(recent);
}

/* --- one wake-up --- */

static void
take_time(struct pipeline *p)
{
	uint64_t us = clock_us();

	p->now = us / 1000;
	p->received_us = clock_utc();
	outlet_clock(p->outlet, p->now);
	audit_clock(p->audit, p->received_us);
	spool_set_received(spooler_spool(p->spooler), p->received_us);
	spool_stamp(spooler_spool(p->spooler), us);
}

static void
note_full(struct pipeline *p)
{
	p->full_since = p->now;
	spooler_want_room(p->spooler, true);
}

/* Records that went out of streams that roll up since the last look: they are
 * of no source. */
static void
tell_rolled(struct pipeline *p)
{
	const struct outlet_rolled *rolled = outlet_rolled(p->outlet);
	struct audit_row *row;
	uint64_t n;

	if (rolled->records_out == p->told.records_out)
		return;
	row = audit_other(p->audit);
	row->rolled_out += rolled->represented - p->told.represented;
	row->occurrences_out +=
	    rolled->occurrences_out - p->told.occurrences_out;
	p->told = *rolled;
	for (size_t i = 0; i < p->config->stream_count; i++) {
		if (!outlet_rolls(p->outlet, i))
			continue;
		n = outlet_stored(p->outlet, i) - p->stored[i];
		p->stored[i] += n;
		p->counters->stored += n;
		row->streams[audit_stream(p->audit, i)] += n;
	}
}

static bool
find_room(struct pipeline *p)
{
	bool room = outlet_room(p->outlet);

	tell_rolled(p);
	return room;
}

bool
pipeline_begin(struct pipeline *p)
{
	take_time(p);
	outlet_forget(p->outlet);
	return pipeline_room(p);
}

bool
pipeline_room(struct pipeline *p)
{
	if (p->resting || p->full_since != 0)
		return false;
	if (!find_room(p)) {
		note_full(p);
		return false;
	}
	return true;
}

void
pipeline_end(struct pipeline *p)
{
	if (spool_flush(spooler_spool(p->spooler)))
		spooler_wake(p->spooler);
}

bool
pipeline_finish(struct pipeline *p)
{
	take_time(p);
	outlet_forget(p->outlet);
	outlet_close(p->outlet);
	find_room(p);
	outlet_forget(p->outlet);
	pipeline_end(p);
	return outlet_waiting(p->outlet) == 0;
}

uint64_t
pipeline_waiting(const struct pipeline *p)
{
	return outlet_waiting(p->outlet);
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
	outlet_forget(p->outlet);
	if (!find_room(p))
		return false;
	p->full_since = 0;
	spooler_want_room(p->spooler, false);
	return true;
}

/* --- one message --- */

static void
count(struct pipeline *p, const struct message *message, size_t taken)
{
	struct counters *c = p->counters;
	const struct record *r = &p->record;

	c->types[r->type].messages++;
	c->types[r->type].bytes += message->length;
	c->unparsed += r->type == RECORD_UNPARSED;
	c->truncated += (r->flags & RECORD_TRUNCATED) != 0;
	c->unterminated += (r->flags & RECORD_UNTERMINATED) != 0;
	c->filtered += taken == 0;
	c->stored += (unsigned)__builtin_popcount(outlet_taken(p->outlet));
}

static void
note_lag(const struct record *r, int64_t received_us, struct audit_row *row)
{
	int64_t lag;

	if (!record_has(r, RECORD_F_TIME))
		return;
	lag = received_us / 1000000 - r->value[RECORD_F_TIME].time;
	if (row->timed++ == 0 || lag < row->lag)
		row->lag = lag;
}

static void
count_for_source(const struct pipeline *p, const struct message *message,
    size_t taken, struct audit_row *row)
{
	const struct record *r = &p->record;
	uint32_t rest = outlet_taken(p->outlet);

	row->bytes += message->length;
	row->unparsed += r->type == RECORD_UNPARSED;
	row->truncated += (r->flags & RECORD_TRUNCATED) != 0;
	row->oversize += message->length > message->bytes.n;
	row->unterminated += (r->flags & RECORD_UNTERMINATED) != 0;
	row->stored += taken > 0;
	row->filtered += taken == 0;
	note_lag(r, message->received_us, row);
	if (r->release != RECORD_RELEASE_UNTOLD)
		row->release = r->release;
	for (; rest != 0; rest &= rest - 1)
		row->streams[audit_stream(
		    p->audit, (size_t)__builtin_ctz(rest))]++;
}

/* A record that streams have rolled up. */
static void
count_rolled(struct pipeline *p, struct audit_row *row)
{
	const struct outlet_rolled *rolled = outlet_rolled(p->outlet);

	row->rolled_in += rolled->records_in - p->told.records_in;
	row->occurrences_in += rolled->occurrences_in - p->told.occurrences_in;
	p->told.records_in = rolled->records_in;
	p->told.occurrences_in = rolled->occurrences_in;
}

void
pipeline_put(struct pipeline *p, struct message *message,
    const struct message_source *source, struct audit_row *row)
{
	size_t taken;

	/* Framed, perhaps, when max_message was larger. */
	message->bytes =
	    span_take(message->bytes, (size_t)p->config->max_message);
	message->received_us = p->received_us;
	message->reference = p->received_us / 1000000;
	parser_parse(p->parser, message, source, &p->record);
	if (p->event_key != NULL)
		event_key_set(p->event_key, &p->record);
	taken = outlet_put(p->outlet, &p->record, source);
	count(p, message, taken);
	count_for_source(p, message, taken, row);
	count_rolled(p, row);
	if (p->busiest != NULL)
		busiest_note(p->busiest, &p->record, p->now);
	if (p->record.type == RECORD_UNPARSED && p->recent != NULL)
		recent_add(p->recent, message,
		    p->private ? SPAN("") : message->bytes,
		    record_text(&p->record, RECORD_F_REASON));
}

uint64_t
pipeline_stored(const struct pipeline *p, size_t index)
{
	return outlet_stored(p->outlet, index);
}

uint64_t
pipeline_written(const struct pipeline *p, size_t index)
{
	return outlet_written(p->outlet, index);
}

void
pipeline_text(const struct pipeline *p, char *out, size_t size)
{
	outlet_text(p->outlet, out, size);
}
