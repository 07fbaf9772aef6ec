#include "parser.h"

#include <stdlib.h>

#include "sepm.h"
#include "sepm_row.h"
#include "sepm_sql.h"
#include "syslog_header.h"

enum {
	ZONE_SLOTS = 64, /* zones whose last stretch is remembered */
	MAX_CELLS = 64,
	/*
	 * What the arena has room for besides the text: canonical addresses,
	 * MACs, hashes and words, none longer than ARENA_VALUE.
	 */
	ARENA_VALUE = 128,
};

struct zone_slot {
	const struct zone *zone;
	struct zone_cache cache;
};

struct parser {
	size_t max_message;
	struct sepm_labels labels;
	struct zone_slot zones[ZONE_SLOTS];
	struct timestamp_date date;
	struct arena arena;
	struct sepm_body body;
	struct span text; /* of the last message, decoded */
	parser_explain_cb *explain;
	void *arg;
};

/*
 * The arena holds the decoded text (a byte of a code page becomes at most
 * three), then at most once more each: its unquoted fields, its joined fields,
 * its words in lower case; and base64 of the original.
 */
static size_t
arena_size(size_t max_message)
{
	return max_message * 14 + (size_t)SEPM_MAX_PIECES * ARENA_VALUE;
}

struct parser *
parser_new(size_t max_message)
{
	struct parser *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	if (!arena_init(&p->arena, arena_size(max_message))) {
		free(p);
		return NULL;
	}
	p->max_message = max_message;
	sepm_labels_init(&p->labels);
	return p;
}

void
parser_free(struct parser *p)
{
	if (p == NULL)
		return;
	arena_clear(&p->arena);
	free(p);
}

void
parser_explain(struct parser *p, parser_explain_cb *cb, void *arg)
{
	p->explain = cb;
	p->arg = arg;
}

struct span
parser_text(const struct parser *p)
{
	return p->text;
}

/* The cache of a zone. Zones share slots; the last one to come has it. */
static struct zone_cache *
cache_of(struct parser *p, const struct zone *zone)
{
	struct zone_slot *slot = &p->zones[((uintptr_t)zone >> 4) % ZONE_SLOTS];

	if (slot->zone != zone)
		*slot = (struct zone_slot){.zone = zone};
	return &slot->cache;
}

static void
start(struct parser *p, const struct message *m, struct record *r)
{
	record_reset(r);
	arena_reset(&p->arena);
	r->original = span_take(m->bytes, p->max_message);
	record_set_text(r, RECORD_F_PEER, m->peer);
	record_set_text(r, RECORD_F_TRANSPORT, m->transport);
	if (m->received_us != 0)
		record_set_time(r, RECORD_F_RECEIVED, m->received_us);
	if (m->unterminated)
		r->flags |= RECORD_UNTERMINATED;
	if (m->length > r->original.n) {
		r->flags |= RECORD_TRUNCATED;
		record_set_number(r, RECORD_F_ORIGINAL_LENGTH, m->length);
	}
}

/* Is it the beginning of a UTF-8 character? */
static bool
is_half_character(struct span s)
{
	size_t n = 1;

	if (s.n > 3 || span_at(s, 0) < 0xc2)
		return false;
	while (n < s.n && (span_at(s, n) & 0xc0) == 0x80)
		n++;
	return n == s.n;
}

/*
 * Valid UTF-8 stays; anything else is read as the source's code page. A
 * message that was cut inside a character is not for that another encoding;
 * the half one goes.
 */
static struct span
decode(struct parser *p, struct span bytes, const struct message_source *source,
    struct record *r)
{
	size_t valid = text_valid_utf8(bytes);
	struct span text;

	if (valid == bytes.n)
		return bytes;
	if ((r->flags & (RECORD_TRUNCATED | RECORD_UNTERMINATED)) != 0 &&
	    is_half_character(span_skip(bytes, valid)))
		return span_take(bytes, valid);
	if (!text_decode(bytes, source->codepage, &p->arena, &text))
		return bytes;
	r->flags |= RECORD_RECODED;
	return text;
}

static struct sepm_context
context_of(struct parser *p, const struct message *m,
    const struct message_source *source)
{
	return (struct sepm_context){
	    .arena = &p->arena,
	    .labels = &p->labels,
	    .clock = {source->zone, cache_of(p, source->zone), &p->date,
		m->reference},
	    .cut = m->length > span_take(m->bytes, p->max_message).n,
	    .explain = p->explain,
	    .arg = p->arg,
	};
}

/*
 * The innermost stamp is the time of the message. One outside it that has a
 * full date is the reference for a year, or date, that it lacks.
 */
static void
set_time(const struct syslog_header *h, const struct sepm_clock *clock,
    struct record *r)
{
	int64_t reference = clock->reference, time;
	bool twice = false, ignored = false;

	if (!h->has_stamp)
		return;
	if (h->has_dated)
		timestamp_resolve(&h->dated, clock->zone, clock->cache,
		    clock->reference, &reference, &ignored);
	if (!timestamp_resolve(
		&h->stamp, clock->zone, clock->cache, reference, &time, &twice))
		return;
	record_set_time(r, RECORD_F_TIME, time);
	if (twice)
		r->flags |= RECORD_TIME_AMBIGUOUS;
}

static void
set_envelope(const struct syslog_header *h, struct sepm_context *context,
    struct record *r)
{
	set_time(h, &context->clock, r);
	if (h->facility >= 0)
		record_set_text(r, RECORD_F_FACILITY,
		    record_facility_word((unsigned)h->facility));
	if (h->severity >= 0)
		record_set_text(r, RECORD_F_SEVERITY,
		    record_severity_word((unsigned)h->severity));
	record_set_text(r, RECORD_F_SEVERITY, sepm_severity(h->severity_word));
	context->tagged = h->tagged;
	context->name_after_tag = h->name_after_tag;
	context->name_before_tag = h->name_before_tag;
}

/* What is not understood keeps its bytes: as text, or as base64. */
static void
set_unparsed(struct parser *p, struct record *r, const char *reason)
{
	struct span bytes = r->original;
	char *out;

	r->type = RECORD_UNPARSED;
	record_set_text(r, RECORD_F_REASON, span_str(reason));
	if (text_valid_utf8(bytes) == bytes.n) {
		record_set_text(r, RECORD_F_RAW, bytes);
		return;
	}
	out = arena_take(&p->arena, TEXT_BASE64_SIZE(bytes.n));
	if (out == NULL)
		return;
	text_base64(bytes, out);
	record_set_text(
	    r, RECORD_F_RAW_BASE64, span_of(out, TEXT_BASE64_SIZE(bytes.n)));
}

static void
finish(struct parser *p, struct record *r, const char *reason)
{
	if (reason != NULL)
		set_unparsed(p, r, reason);
	record_set_text(r, RECORD_F_TYPE, record_type_name[r->type]);
	if (r->flags != 0)
		record_mark(r, RECORD_F_FLAGS);
}

void
parser_parse(struct parser *p, const struct message *m,
    const struct message_source *source, struct record *r)
{
	struct sepm_context context;
	struct syslog_header header;

	start(p, m, r);
	p->text = decode(p, r->original, source, r);
	context = context_of(p, m, source);
	syslog_header_peel(p->text, &p->labels, &header, p->explain, p->arg);
	set_envelope(&header, &context, r);
	finish(p, r, sepm_parse(&p->body, header.body, &context, r));
}

void
parser_parse_row(struct parser *p, const struct message *row,
    const struct span *columns, const struct span *cells, size_t count,
    const struct message_source *source, struct record *r)
{
	struct span name[MAX_CELLS], text[MAX_CELLS];
	struct sepm_context context;

	start(p, row, r);
	p->text = r->original;
	context = context_of(p, row, source);
	if (count > MAX_CELLS)
		count = MAX_CELLS;
	for (size_t i = 0; i < count; i++) {
		name[i] = decode(p, columns[i], source, r);
		/* a NULL is as good as empty, but no place in memory */
		text[i] = cells[i].p == NULL ? SPAN("")
					     : decode(p, cells[i], source, r);
	}
	finish(p, r,
	    sepm_sql_is_row(name, count)
		? sepm_sql(name, text, count, &context, r)
		: sepm_row(name, text, count, &context, r));
}

void
parser_reject(struct parser *p, const struct message *m, const char *reason,
    struct record *r)
{
	start(p, m, r);
	p->text = r->original;
	finish(p, r, reason);
}
