/*
 * The fields of every log: by label, and by place where there is none.
 */
#include "sepm_read.h"

static void
explain(const struct sepm_reading *reading, struct span piece, struct span key,
    const char *why)
{
	sepm_explain(reading->body->context, piece, key, why);
}

static void
add_extra(struct sepm_reading *reading, struct span label, struct span value)
{
	record_add_extra(reading->record, label, value);
	explain(reading, value, SPAN("extra"),
	    "an unknown label, a label come twice, or no value of its kind");
}

/* --- the agent-info block --- */

/* The group of a number, made when it is new; NULL: too many. */
static struct record_address *
agent_group(struct sepm_reading *reading, unsigned number)
{
	struct record *r = reading->record;

	if (reading->group[number] == 0) {
		if (r->addresses == RECORD_MAX_ADDRESSES)
			return NULL;
		r->address[r->addresses++] =
		    (struct record_address){{"", 0}, {"", 0}, {"", 0}};
		reading->group[number] = (unsigned char)r->addresses;
	}
	return &r->address[reading->group[number] - 1];
}

static bool
read_agent(struct sepm_reading *reading, const struct sepm_piece *piece)
{
	struct arena *arena = reading->body->context->arena;
	struct record_address *group;
	struct span out, *member;
	enum sepm_value answer;

	answer = piece->id == SEPM_AGENT_MAC
		     ? sepm_read_mac(piece->value, arena, &out)
		     : sepm_read_ip(piece->value, arena, &out);
	if (answer != SEPM_VALUE)
		return answer == SEPM_ABSENT;
	group = agent_group(reading, piece->number);
	if (group == NULL)
		return false;
	member = piece->id == SEPM_AGENT_MAC  ? &group->mac
		 : piece->id == SEPM_AGENT_IP ? &group->ip
					      : &group->gateway;
	if (member->n > 0)
		return false;
	*member = out;
	record_mark(reading->record, RECORD_F_ADDRESSES);
	explain(reading, piece->raw, SPAN("addresses"), "the agent-info block");
	return true;
}

/* --- labels --- */

/* What a piece means here: the modern label for a repeated one. */
static enum sepm_label
meaning(struct sepm_reading *reading, const struct sepm_piece *piece)
{
	const struct sepm_shape *shape = reading->shape;
	enum sepm_label label = SEPM_NO_LABEL;

	if (piece->id == SEPM_LOCAL && reading->locals < SEPM_REPEATED)
		label = shape->local[reading->locals++];
	else if (piece->id == SEPM_REMOTE && reading->remotes < SEPM_REPEATED)
		label = shape->remote[reading->remotes++];
	return label != SEPM_NO_LABEL ? label : piece->id;
}

static bool
is_repeated(const struct sepm_piece *piece)
{
	return piece->id == SEPM_LOCAL || piece->id == SEPM_REMOTE;
}

/* The label as `extra` has it: a repeated one by its modern name. */
static struct span
name_of(const struct sepm_piece *piece, enum sepm_label label)
{
	struct span name = sepm_label_modern(label);

	return is_repeated(piece) && name.n > 0 ? name : piece->label;
}

static void
read_labelled(struct sepm_reading *reading, const struct sepm_piece *piece)
{
	enum sepm_label label = meaning(reading, piece);
	struct sepm_field field = sepm_label_field[label];
	enum sepm_value answer = SEPM_WRONG;

	if (piece->number > 0 && read_agent(reading, piece))
		return;
	if (label == SEPM_DOMAIN)
		field.field = reading->shape->domain;
	/* of two, the first one stays */
	if (field.reader != SEPM_READ_NOTHING &&
	    !record_has(reading->record, field.field))
		answer = sepm_field_read(reading->body->context, &field,
		    TIMESTAMP_ISO, piece->value, reading->record);
	if (answer == SEPM_WRONG) {
		add_extra(reading, name_of(piece, label), piece->value);
		return;
	}
	if (answer == SEPM_VALUE && field.reader == SEPM_READ_PORT)
		sepm_ports_note(&reading->ports, field.field,
		    name_of(piece, label), piece->value);
	if (reading->body->context->explain != NULL)
		explain(reading, piece->raw, record_field_info[field.field].key,
		    is_repeated(piece)
			? "by label and by its place among its like"
		    : reading->body->ordered
			? "by its place: the label is in an unknown language"
			: "by its label");
}

/* --- places --- */

static bool
is_bare(const struct sepm_body *body, size_t i)
{
	return body->piece[i].id == SEPM_NO_LABEL;
}

static void
add_place(struct sepm_reading *reading, size_t piece, size_t last,
    const struct sepm_field *read, const char *why)
{
	reading->place[reading->places++] =
	    (struct sepm_place){piece, last, *read, why};
}

static const struct sepm_field field_protocol = {
    RECORD_F_PROTOCOL, SEPM_READ_PROTOCOL};
static const struct sepm_field field_direction = {
    RECORD_F_DIRECTION, SEPM_READ_DIRECTION};

static void
add_protocol(struct sepm_reading *reading, size_t piece)
{
	add_place(reading, piece, piece, &field_protocol,
	    "the protocol: by its place before Begin");
}

static void
add_direction(struct sepm_reading *reading, size_t piece)
{
	add_place(reading, piece, piece, &field_direction,
	    "the direction: by its place before Begin");
}

/*
 * Traffic. The two bare fields before `Begin` are protocol and direction. With
 * only one, its word tells. In a cut record without `Begin` they are the first
 * two bare ones behind the labels.
 */
static void
find_traffic_places(struct sepm_reading *reading)
{
	struct sepm_body *body = reading->body;
	size_t run = 0, at = body->begin;

	if (at == body->count) {
		at = body->first;
		while (at < body->count && !is_bare(body, at))
			at++;
		if (at < body->count)
			add_protocol(reading, at);
		if (at + 1 < body->count)
			add_direction(reading, at + 1);
		return;
	}
	while (run < at - body->first && is_bare(body, at - run - 1))
		run++;
	if (run >= 2) {
		add_protocol(reading, at - 2);
		add_direction(reading, at - 1);
	} else if (run == 1 && sepm_is_direction(body->piece[at - 1].value)) {
		add_direction(reading, at - 1);
	} else if (run == 1) {
		add_protocol(reading, at - 1);
	}
}

/* The first piece with the anchor's label; count: there is none. */
static size_t
find_anchor(const struct sepm_body *body, enum sepm_label label)
{
	size_t i = 0;

	while (i < body->count && body->piece[i].id != label)
		i++;
	return i;
}

/* Is the piece text of this run? What only reads like a label becomes it. */
static bool
is_text(const struct sepm_body *body, size_t i, const struct sepm_run *run)
{
	const struct sepm_piece *piece = &body->piece[i];

	if (run->texts == SEPM_ANYTHING)
		return piece->id != SEPM_EVENT_DESCRIPTION;
	return piece->id == SEPM_NO_LABEL ||
	       (piece->id == SEPM_CANDIDATE && run->texts == SEPM_CANDIDATES);
}

/* A label that is none: it and its value are one text. */
static void
unlabel(struct sepm_body *body, size_t i)
{
	struct sepm_piece *piece = &body->piece[i];
	const char *end = piece->value.n > 0 ? span_end(piece->value)
					     : span_end(piece->label) + 1;

	if (piece->id == SEPM_NO_LABEL)
		return;
	piece->value = span_trim(span_between(piece->label.p, end));
	piece->label = span_of("", 0);
	piece->id = SEPM_NO_LABEL;
	piece->number = 0;
	body->labelled--;
}

/* `n` pieces from `from` are the run: those that are too much are `rest`'s,
 * or of the value before it. */
static void
fill_run(struct sepm_reading *reading, const struct sepm_run *run, size_t from,
    size_t n)
{
	size_t surplus = n > run->count ? n - run->count : 0;
	size_t i = from;

	for (size_t k = 0; k < n; k++)
		unlabel(reading->body, from + k);
	if (run->rest == SEPM_NO_REST)
		i += surplus;
	for (size_t k = 0; k < run->count && i < from + n; k++) {
		size_t last = (int)k == run->rest ? i + surplus : i;

		add_place(reading, i, last, &run->field[k], run->why);
		i = last + 1;
	}
}

static void
find_run(struct sepm_reading *reading, const struct sepm_run *run)
{
	struct sepm_body *body = reading->body;
	size_t at = run->side == SEPM_FRONT ? body->first
					    : find_anchor(body, run->anchor);
	size_t n = 0, count = run->count;

	if (at == body->count)
		return;
	if (run->side == SEPM_AFTER) {
		while (
		    at + 1 + n < body->count && is_text(body, at + 1 + n, run))
			n++;
		fill_run(reading, run, at + 1, n);
		return;
	}
	/* backwards: the client and the SEPM stand in front */
	while (n < at && is_text(body, at - n - 1, run) &&
	       at - n - 1 != body->client && at - n - 1 != body->sepm)
		n++;
	if (run->rest == SEPM_NO_REST && n > count)
		n = count;
	if (n < count) {
		/* what is missing is missing at the left */
		for (size_t k = 0; k < n; k++)
			add_place(reading, at - n + k, at - n + k,
			    &run->field[count - n + k], run->why);
		return;
	}
	fill_run(reading, run, at - n, n);
}

void
sepm_find_places(struct sepm_reading *reading)
{
	enum record_type type = reading->record->type;

	reading->places = 0;
	if (type == RECORD_TRAFFIC) {
		find_traffic_places(reading);
		return;
	}
	for (size_t i = 0; i < sepm_run_count; i++)
		if (sepm_runs[i].type == type)
			find_run(reading, &sepm_runs[i]);
}

const struct sepm_place *
sepm_place_of(const struct sepm_reading *reading, size_t piece)
{
	const struct sepm_place *place = reading->place;

	for (size_t i = 0; i < reading->places; i++, place++)
		if (piece >= place->piece && piece <= place->last)
			return place;
	return NULL;
}

/*
 * The value of `first` goes on through the fields up to `last`: the commas
 * between them were its own. Contiguous bytes are simply a longer span; where
 * quotes were taken off, the parts are put together.
 */
static void
join(struct sepm_reading *reading, size_t first, size_t last)
{
	struct sepm_piece *piece = reading->body->piece;
	struct span *value = &piece[first].value;
	bool quoted = false;
	size_t n = 0;
	char *out;

	for (size_t i = first; i <= last; i++) {
		quoted = quoted || piece[i].quoted;
		n += piece[i].value.n + 1;
	}
	if (!quoted) {
		const char *from = value->n > 0 ? value->p
				   : is_bare(reading->body, first)
				       ? piece[first].raw.p
				       : span_end(piece[first].raw);

		*value =
		    span_trim(span_between(from, span_end(piece[last].raw)));
		return;
	}
	out = arena_take(reading->body->context->arena, n);
	if (out == NULL)
		return;
	n = 0;
	for (size_t i = first; i <= last; i++) {
		if (i > first)
			out[n++] = ',';
		memcpy(out + n, piece[i].value.p, piece[i].value.n);
		n += piece[i].value.n;
	}
	*value = span_of(out, n);
}

/* Bare fields behind a label, where a label is due, go on with its value;
 * empty ones at their end are doubled commas. */
static void
join_values(struct sepm_reading *reading)
{
	const struct sepm_body *body = reading->body;
	size_t i = body->first;

	/* no others: nothing goes on */
	if (body->count - body->first == body->labelled + reading->places)
		return;
	while (i < body->count) {
		size_t label = i++, last = label;

		if (is_bare(body, label))
			continue;
		for (; i < body->count && sepm_place_of(reading, i) == NULL &&
		       is_bare(body, i);
		     i++)
			if (body->piece[i].value.n > 0)
				last = i;
		if (last > label)
			join(reading, label, last);
	}
}

static void
read_place(struct sepm_reading *reading, const struct sepm_place *place)
{
	struct sepm_piece *piece = &reading->body->piece[place->piece];
	struct span key = record_field_info[place->read.field].key;
	size_t last = place->last;

	while (last > place->piece && reading->body->piece[last].value.n == 0)
		last--;
	if (last > place->piece)
		join(reading, place->piece, last);
	if (record_has(reading->record, place->read.field) ||
	    sepm_field_read(reading->body->context, &place->read, TIMESTAMP_ISO,
		piece->value, reading->record) == SEPM_WRONG) {
		add_extra(reading, key, piece->value);
		return;
	}
	explain(reading, piece->raw, key, place->why);
}

/* Bare fields in front that nothing is known about. */
static void
keep_front(struct sepm_reading *reading)
{
	const struct sepm_body *body = reading->body;

	for (size_t i = 0; i < body->first && i < body->count; i++)
		if (i != body->client && i != body->sepm &&
		    sepm_place_of(reading, i) == NULL)
			add_extra(
			    reading, SPAN("unlabelled"), body->piece[i].value);
}

void
sepm_read(struct sepm_body *body)
{
	struct sepm_reading reading = {
	    .body = body,
	    .record = body->record,
	    .shape = &sepm_shape[body->record->type],
	};

	sepm_find_places(&reading);
	if (sepm_is_cut(&reading))
		sepm_drop_cut_field(&reading);
	body->record->release = sepm_release(body);
	if ((body->record->flags & RECORD_TRUNCATED) == 0)
		sepm_course_learn(&body->courses, &reading);
	join_values(&reading);
	if (body->first > 1)
		keep_front(&reading);
	for (size_t i = 0; i < reading.places; i++)
		read_place(&reading, &reading.place[i]);
	for (size_t i = body->first; i < body->count; i++)
		if (!is_bare(body, i))
			read_labelled(&reading, &body->piece[i]);
	sepm_settle_ports(body->context, &reading.ports, reading.record);
}
