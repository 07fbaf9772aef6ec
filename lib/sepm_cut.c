/*
 * Records that were cut on their way. Each style of traffic has labels that it
 * may end with; in the other logs half a label at the end shows it. The last
 * field of such a record is incomplete: half a port is a wrong port.
 */
#include "sepm_read.h"

/* The last piece with a known label. */
static size_t
last_known(const struct sepm_body *body)
{
	size_t i = body->count;

	while (i > 0 && body->piece[i - 1].id <= SEPM_CANDIDATE)
		i--;
	return i - 1;
}

bool
sepm_is_new_style(const struct sepm_body *body)
{
	return sepm_has(body, SEPM_LOCAL_IP) ||
	       sepm_has(body, SEPM_LOCAL_PORT) ||
	       sepm_has(body, SEPM_LOCAL_MAC) ||
	       sepm_has(body, SEPM_REMOTE_IP) ||
	       sepm_has(body, SEPM_REMOTE_PORT);
}

static bool
is_part_of_hash(struct span value)
{
	if (value.n >= 32)
		return false;
	for (size_t i = 0; i < value.n; i++) {
		int c = span_lower((unsigned char)value.p[i]);

		if (!span_isdigit(c) && (c < 'a' || c > 'f'))
			return false;
	}
	return value.n > 0;
}

/* SEP 11, which has neither action nor hashes, ends with the domain. An empty
 * field behind it, or one that begins a label, is a cut `Action`. */
static bool
ends_with_domain(const struct sepm_body *body)
{
	const struct sepm_piece *end = &body->piece[body->count - 1];

	if (sepm_has(body, SEPM_ACTION) || sepm_has(body, SEPM_SHA256) ||
	    body->piece[last_known(body)].id != SEPM_DOMAIN)
		return false;
	return end->id != SEPM_NO_LABEL ||
	       (end->value.n > 0 && !sepm_label_begins(end->value));
}

/* A whole word of the action at the very end: of a record that has no hashes,
 * or had them in front. It could be one that was cut right there, too, but then
 * nothing is wrong with what is here. */
static bool
ends_with_action(const struct sepm_body *body)
{
	const struct sepm_piece *end = &body->piece[body->count - 1];

	return end->id == SEPM_ACTION && sepm_is_action(end->value);
}

/* The new style of traffic ends with `MD-5`, or a known action, the old one
 * with any `Action`, SEP 11 with `Domain`. */
static bool
is_cut_traffic(const struct sepm_body *body, enum sepm_label last)
{
	if (sepm_is_new_style(body))
		return last != SEPM_MD5 && !ends_with_action(body);
	return last != SEPM_ACTION && last != SEPM_MD5 &&
	       !ends_with_domain(body);
}

/* The URL of the payload is behind that of the intrusion, under a label that
 * need not be known: translated ones are not. */
static bool
ends_with_url(const struct sepm_body *body)
{
	size_t i = body->count;

	while (i > 0 && body->piece[i - 1].id == SEPM_NO_LABEL)
		i--;
	return i > 0 && body->piece[i - 1].id == SEPM_INTRUSION_URL;
}

/* Does it end inside a label? */
static bool
ends_in_label(const struct sepm_reading *reading)
{
	const struct sepm_body *body = reading->body;
	size_t last = body->count - 1;
	const struct sepm_piece *end = &body->piece[last];

	return last > body->first && end->id == SEPM_NO_LABEL && !end->quoted &&
	       end->value.n > 2 && sepm_place_of(reading, last) == NULL &&
	       sepm_label_begins(end->value);
}

bool
sepm_is_cut(const struct sepm_reading *reading)
{
	const struct sepm_body *body = reading->body;
	const struct sepm_piece *last;

	if (body->context->cut)
		return true;
	if (reading->shape->events)
		return false;
	last = &body->piece[last_known(body)];
	if (last->id == SEPM_MD5 && last == &body->piece[body->count - 1] &&
	    is_part_of_hash(last->value))
		return true;
	if (reading->record->type == RECORD_TRAFFIC)
		return is_cut_traffic(body, last->id);
	if (reading->record->type == RECORD_SECURITY && ends_with_url(body))
		return true;
	return ends_in_label(reading);
}

/*
 * An event's text can hold anything, so that a cut one does not tell what
 * stands behind it: all of it goes.
 */
static size_t
cut_event_from(const struct sepm_body *body)
{
	size_t i = body->first;

	while (i < body->count && (body->piece[i].id == SEPM_SITE ||
				      body->piece[i].id == SEPM_SERVER ||
				      body->piece[i].id == SEPM_DOMAIN ||
				      body->piece[i].id == SEPM_ADMIN))
		i++;
	return i < body->count ? i : body->count - 1;
}

/*
 * Where the incomplete last field begins: at a half label, at a quote that was
 * cut before it closed, at a bare field of its own; else at the label whose
 * value the last bare fields go on with.
 */
static size_t
cut_from(const struct sepm_reading *reading)
{
	const struct sepm_body *body = reading->body;
	size_t last = body->count - 1, label = last;
	const struct sepm_piece *piece = &body->piece[last];
	const struct sepm_place *place = sepm_place_of(reading, last);

	if (reading->shape->events)
		return cut_event_from(body);
	if (place != NULL)
		return place->piece;
	while (label > body->first && body->piece[label].id == SEPM_NO_LABEL)
		label--;
	if (label == last)
		return last;
	for (size_t i = label + 1; i <= last; i++)
		if (span_at(span_trim(body->piece[i].raw), 0) == '"' &&
		    !body->piece[i].quoted)
			return i;
	if (piece->value.n == 0 || sepm_label_begins(piece->value))
		return last;
	return label;
}

void
sepm_drop_cut_field(struct sepm_reading *reading)
{
	struct sepm_body *body = reading->body;
	size_t from = cut_from(reading);
	struct span cut;

	cut = span_trim(span_between(body->piece[from].raw.p,
	    span_end(body->piece[body->count - 1].raw)));
	reading->record->flags |= RECORD_TRUNCATED;
	record_set_text(reading->record, RECORD_F_CUT, cut);
	sepm_explain(body->context, cut, SPAN("cut"),
	    "the record ends inside this field");
	for (size_t i = from; i < body->count; i++)
		body->labelled -= body->piece[i].id != SEPM_NO_LABEL;
	body->count = from;
	if (body->begin > from)
		body->begin = from;
	sepm_find_places(reading);
}
