/*
 * The traffic log, every version: by label, and by place for the protocol and
 * the direction, which stand before `Begin` without one.
 */
#include "sepm_field.h"

struct traffic_field {
	struct sepm_field read;
	struct span modern; /* label for extra when the wire's is `Local` */
};

/* clang-format off */
#define LITERAL(text) { text, sizeof(text) - 1 }

static const struct traffic_field fields[SEPM_LABEL_COUNT] = {
	[SEPM_LOCAL_IP]    = { { RECORD_F_LOCAL_IP,    SEPM_READ_IP },     LITERAL("Local Host IP") },
	[SEPM_LOCAL_PORT]  = { { RECORD_F_LOCAL_PORT,  SEPM_READ_PORT },   LITERAL("Local Port") },
	[SEPM_LOCAL_MAC]   = { { RECORD_F_LOCAL_MAC,   SEPM_READ_MAC },    LITERAL("Local Host MAC") },
	[SEPM_REMOTE_IP]   = { { RECORD_F_REMOTE_IP,   SEPM_READ_IP },     LITERAL("Remote Host IP") },
	[SEPM_REMOTE_NAME] = { { RECORD_F_REMOTE_NAME, SEPM_READ_TEXT },   LITERAL("Remote Host Name") },
	[SEPM_REMOTE_PORT] = { { RECORD_F_REMOTE_PORT, SEPM_READ_PORT },   LITERAL("Remote Port") },
	[SEPM_REMOTE_MAC]  = { { RECORD_F_REMOTE_MAC,  SEPM_READ_MAC },    LITERAL("Remote Host MAC") },
	[SEPM_BEGIN]       = { { RECORD_F_BEGIN,       SEPM_READ_TIME },   { "", 0 } },
	[SEPM_END]         = { { RECORD_F_END,         SEPM_READ_TIME },   { "", 0 } },
	[SEPM_OCCURRENCES] = { { RECORD_F_OCCURRENCES, SEPM_READ_COUNT },  { "", 0 } },
	[SEPM_APPLICATION] = { { RECORD_F_APPLICATION, SEPM_READ_TEXT },   { "", 0 } },
	[SEPM_RULE]        = { { RECORD_F_RULE,        SEPM_READ_TEXT },   { "", 0 } },
	[SEPM_LOCATION]    = { { RECORD_F_LOCATION,    SEPM_READ_TEXT },   { "", 0 } },
	[SEPM_USER]        = { { RECORD_F_USER,        SEPM_READ_TEXT },   { "", 0 } },
	[SEPM_DOMAIN]      = { { RECORD_F_DOMAIN,      SEPM_READ_TEXT },   { "", 0 } },
	[SEPM_ACTION]      = { { RECORD_F_ACTION,      SEPM_READ_ACTION }, { "", 0 } },
	[SEPM_SHA256]      = { { RECORD_F_SHA256,      SEPM_READ_SHA256 }, { "", 0 } },
	[SEPM_MD5]         = { { RECORD_F_MD5,         SEPM_READ_MD5 },    { "", 0 } },
};

/* Repeated `Local:` and `Remote:` count (formats: labels). */
static const enum sepm_label local_order[] = {
	SEPM_LOCAL_IP, SEPM_LOCAL_PORT, SEPM_LOCAL_MAC,
};
static const enum sepm_label remote_order[] = {
	SEPM_REMOTE_IP, SEPM_REMOTE_NAME, SEPM_REMOTE_PORT, SEPM_REMOTE_MAC,
};
/* clang-format on */

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

struct traffic {
	struct sepm_body *body;
	struct record *record;
	struct arena *arena;
	size_t protocol, direction; /* their pieces; count: none */
	size_t locals, remotes;     /* seen so far */
	struct sepm_ports ports;
	/* Slot + 1 of each numbered group of the agent-info block. */
	unsigned char group[100];
};

static void
explain(const struct traffic *t, struct span piece, struct span key,
    const char *why)
{
	sepm_explain(t->body->context, piece, key, why);
}

static void
add_extra(struct traffic *t, struct span label, struct span value)
{
	record_add_extra(t->record, label, value);
	explain(t, value, SPAN("extra"),
	    "an unknown label, a label come twice, or no value of its kind");
}

/* --- the agent-info block --- */

/* The group of a number, made when it is new; NULL: too many. */
static struct record_address *
agent_group(struct traffic *t, unsigned number)
{
	struct record *r = t->record;

	if (t->group[number] == 0) {
		if (r->addresses == RECORD_MAX_ADDRESSES)
			return NULL;
		r->address[r->addresses++] =
		    (struct record_address){{"", 0}, {"", 0}, {"", 0}};
		t->group[number] = (unsigned char)r->addresses;
	}
	return &r->address[t->group[number] - 1];
}

static bool
read_agent(struct traffic *t, const struct sepm_piece *piece)
{
	struct record_address *group;
	struct span out, *member;
	enum sepm_value answer;

	answer = piece->id == SEPM_AGENT_MAC
		     ? sepm_read_mac(piece->value, t->arena, &out)
		     : sepm_read_ip(piece->value, t->arena, &out);
	if (answer != SEPM_VALUE)
		return answer == SEPM_ABSENT;
	group = agent_group(t, piece->number);
	if (group == NULL)
		return false;
	member = piece->id == SEPM_AGENT_MAC  ? &group->mac
		 : piece->id == SEPM_AGENT_IP ? &group->ip
					      : &group->gateway;
	if (member->n > 0)
		return false;
	*member = out;
	t->record->present |= (uint64_t)1 << RECORD_F_ADDRESSES;
	explain(t, piece->raw, SPAN("addresses"), "the agent-info block");
	return true;
}

/* --- labels and places --- */

/* What a piece means here: the modern label for a repeated one. */
static enum sepm_label
meaning(struct traffic *t, const struct sepm_piece *piece)
{
	if (piece->id == SEPM_LOCAL && t->locals < COUNT(local_order))
		return local_order[t->locals++];
	if (piece->id == SEPM_REMOTE && t->remotes < COUNT(remote_order))
		return remote_order[t->remotes++];
	return piece->id;
}

/* The label as `extra` has it: a repeated one by its modern name. */
static struct span
name_of(const struct sepm_piece *piece, const struct traffic_field *field)
{
	bool repeated = piece->id == SEPM_LOCAL || piece->id == SEPM_REMOTE;

	return repeated && field->modern.n > 0 ? field->modern : piece->label;
}

static void
explain_labelled(const struct traffic *t, const struct sepm_piece *piece,
    enum record_field f)
{
	bool repeated = piece->id == SEPM_LOCAL || piece->id == SEPM_REMOTE;

	explain(t, piece->raw, record_field_info[f].key,
	    repeated ? "by label and by its place among its like"
		     : "by its label");
}

static void
read_labelled(struct traffic *t, const struct sepm_piece *piece)
{
	const struct traffic_field *field = &fields[meaning(t, piece)];
	enum sepm_value answer = SEPM_WRONG;

	if (piece->number > 0 && read_agent(t, piece))
		return;
	/* of two, the first one stays */
	if (field->read.reader != SEPM_READ_NOTHING &&
	    !record_has(t->record, field->read.field))
		answer = sepm_field_read(t->body->context, &field->read,
		    TIMESTAMP_ISO, piece->value, t->record);
	if (answer == SEPM_WRONG) {
		add_extra(t, name_of(piece, field), piece->value);
		return;
	}
	if (answer == SEPM_VALUE && field->read.reader == SEPM_READ_PORT)
		sepm_ports_note(&t->ports, field->read.field,
		    name_of(piece, field), piece->value);
	if (t->body->context->explain != NULL)
		explain_labelled(t, piece, field->read.field);
}

static void
read_place(struct traffic *t, size_t i, enum record_field f,
    struct span (*map)(struct span, struct arena *), const char *why)
{
	const struct sepm_piece *piece;

	if (i >= t->body->count)
		return;
	piece = &t->body->piece[i];
	explain(t, piece->raw, record_field_info[f].key, why);
	record_set_text(t->record, f, map(piece->value, t->arena));
}

/*
 * The two bare fields before `Begin` are protocol and direction. With only
 * one, its word tells. In a cut record without `Begin` they are the first two
 * bare ones behind the labels.
 */
static void
find_places(struct traffic *t)
{
	struct sepm_body *body = t->body;
	size_t run = 0, at = body->begin;

	t->protocol = t->direction = body->count;
	if (body->begin == body->count) {
		for (size_t i = body->first; i < body->count; i++)
			if (body->piece[i].id == SEPM_NO_LABEL &&
			    at == body->count)
				at = i;
		if (at < body->count)
			t->protocol = at;
		if (at + 1 < body->count)
			t->direction = at + 1;
		return;
	}
	while (run < at - body->first &&
	       body->piece[at - run - 1].id == SEPM_NO_LABEL)
		run++;
	if (run >= 2) {
		t->protocol = at - 2;
		t->direction = at - 1;
	} else if (run == 1 && sepm_is_direction(body->piece[at - 1].value)) {
		t->direction = at - 1;
	} else if (run == 1) {
		t->protocol = at - 1;
	}
}

/*
 * The value of `label` goes on through the bare fields up to `last`: the
 * commas between them were its own. Contiguous bytes are simply a longer span;
 * where quotes were taken off, the parts are put together.
 */
static void
join(struct traffic *t, size_t label, size_t last)
{
	struct sepm_piece *piece = t->body->piece;
	struct span *value = &piece[label].value;
	bool quoted = false;
	size_t n = 0;
	char *out;

	for (size_t i = label; i <= last; i++) {
		quoted = quoted || piece[i].quoted;
		n += piece[i].value.n + 1;
	}
	if (!quoted) {
		const char *from =
		    value->n > 0 ? value->p : span_end(piece[label].raw);

		*value =
		    span_trim(span_between(from, span_end(piece[last].raw)));
		return;
	}
	out = arena_take(t->arena, n);
	if (out == NULL)
		return;
	n = 0;
	for (size_t i = label; i <= last; i++) {
		if (i > label)
			out[n++] = ',';
		memcpy(out + n, piece[i].value.p, piece[i].value.n);
		n += piece[i].value.n;
	}
	*value = span_of(out, n);
}

static bool
is_place(const struct traffic *t, size_t i)
{
	return i == t->protocol || i == t->direction;
}

/* Bare fields behind a label, where a label is due, go on with its value;
 * empty ones at their end are doubled commas. */
static void
join_values(struct traffic *t)
{
	const struct sepm_body *body = t->body;
	size_t places = (t->protocol < body->count) +
			(t->direction < body->count);
	size_t i = body->first;

	/* no others: nothing goes on */
	if (body->count - body->first == body->labelled + places)
		return;
	while (i < body->count) {
		size_t label = i++, last = label;

		if (body->piece[label].id == SEPM_NO_LABEL)
			continue;
		for (; i < body->count && !is_place(t, i) &&
		       body->piece[i].id == SEPM_NO_LABEL;
		     i++)
			if (body->piece[i].value.n > 0)
				last = i;
		if (last > label)
			join(t, label, last);
	}
}

/* --- cut records --- */

/* The last piece with a known label. */
static size_t
last_known(const struct sepm_body *body)
{
	size_t i = body->count;

	while (i > 0 && body->piece[i - 1].id <= SEPM_CANDIDATE)
		i--;
	return i - 1;
}

static bool
is_new_style(const struct sepm_body *body)
{
	const uint64_t modern =
	    (uint64_t)1 << SEPM_LOCAL_IP | (uint64_t)1 << SEPM_LOCAL_PORT |
	    (uint64_t)1 << SEPM_LOCAL_MAC | (uint64_t)1 << SEPM_REMOTE_IP |
	    (uint64_t)1 << SEPM_REMOTE_PORT;

	return (body->labels & modern) != 0;
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

/*
 * Each style has labels that it may end with: the new one `MD-5`, the old one
 * `Action`, SEP 11 `Domain`.
 */
static bool
is_cut(const struct sepm_body *body)
{
	const struct sepm_piece *last = &body->piece[last_known(body)];

	if (body->context->cut)
		return true;
	if (last->id == SEPM_MD5 && last == &body->piece[body->count - 1] &&
	    is_part_of_hash(last->value))
		return true;
	if (is_new_style(body))
		return last->id != SEPM_MD5;
	return last->id != SEPM_ACTION && last->id != SEPM_MD5 &&
	       !ends_with_domain(body);
}

/*
 * Where the incomplete last field begins: at a half label, at a quote that was
 * cut before it closed, at a bare field of its own; else at the label whose
 * value the last bare fields go on with.
 */
static size_t
cut_from(const struct traffic *t)
{
	const struct sepm_body *body = t->body;
	size_t last = body->count - 1, label = last;
	const struct sepm_piece *piece = &body->piece[last];

	while (label > body->first && body->piece[label].id == SEPM_NO_LABEL)
		label--;
	if (label == last || last == t->protocol || last == t->direction)
		return last;
	for (size_t i = label + 1; i <= last; i++)
		if (span_at(span_trim(body->piece[i].raw), 0) == '"' &&
		    !body->piece[i].quoted)
			return i;
	if (piece->value.n == 0 || sepm_label_begins(piece->value))
		return last;
	return label;
}

/* Half a port is a wrong port: the last field of a cut record goes. */
static void
drop_cut_field(struct traffic *t)
{
	struct sepm_body *body = t->body;
	size_t from = cut_from(t);
	struct span cut;

	cut = span_trim(span_between(body->piece[from].raw.p,
	    span_end(body->piece[body->count - 1].raw)));
	t->record->flags |= RECORD_TRUNCATED;
	record_set_text(t->record, RECORD_F_CUT, cut);
	explain(t, cut, SPAN("cut"), "the record ends inside this field");
	for (size_t i = from; i < body->count; i++)
		body->labelled -= body->piece[i].id != SEPM_NO_LABEL;
	body->count = from;
	if (body->begin > from)
		body->begin = from;
	if (body->first > from)
		body->first = from;
	find_places(t);
}

void
sepm_traffic(struct sepm_body *body)
{
	struct traffic t = {
	    .body = body,
	    .record = body->record,
	    .arena = body->context->arena,
	};

	find_places(&t);
	if (is_cut(body))
		drop_cut_field(&t);
	join_values(&t);
	read_place(&t, t.protocol, RECORD_F_PROTOCOL, sepm_protocol,
	    "the protocol: by its place before Begin");
	read_place(&t, t.direction, RECORD_F_DIRECTION, sepm_direction,
	    "the direction: by its place before Begin");
	for (size_t i = body->first; i < body->count; i++)
		if (body->piece[i].id != SEPM_NO_LABEL)
			read_labelled(&t, &body->piece[i]);
	sepm_settle_ports(body->context, &t.ports, t.record);
}
