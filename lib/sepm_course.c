#include "sepm_course.h"

#include "sepm_read.h"

/* --- learning --- */

/* The field that a bare piece fills; false: none, or not one of its own. */
static bool
step_of_bare(
    const struct sepm_reading *reading, size_t i, struct sepm_step *step)
{
	static const struct sepm_field host = {RECORD_F_HOST, SEPM_READ_TEXT};
	static const struct sepm_field sepm = {RECORD_F_SEPM, SEPM_READ_TEXT};
	const struct sepm_place *place = sepm_place_of(reading, i);

	*step = (struct sepm_step){.guess = NULL};
	if (i == reading->body->client)
		step->read = host;
	else if (i == reading->body->sepm)
		step->read = sepm;
	else if (place != NULL && place->piece == i && place->last == i)
		step->read = place->read;
	else
		return false;
	return true;
}

/* The same of a labelled one. `locals` and `remotes` count the repeated. */
static bool
step_of_label(const struct sepm_reading *reading,
    const struct sepm_piece *piece, size_t *locals, size_t *remotes,
    struct sepm_step *step)
{
	const struct sepm_shape *shape = reading->shape;
	const struct sepm_labels *labels = reading->body->context->labels;
	enum sepm_label label = piece->id;
	size_t *nth = label == SEPM_LOCAL ? locals : remotes;

	*step =
	    (struct sepm_step){.guess = sepm_label_guess(labels, piece->label)};
	if (label == SEPM_LOCAL || label == SEPM_REMOTE) {
		if (*nth == SEPM_REPEATED)
			return false;
		label = (label == SEPM_LOCAL ? shape->local
					     : shape->remote)[(*nth)++];
		step->modern = sepm_label_modern(label);
	}
	step->read = sepm_label_field[label];
	if (label == SEPM_DOMAIN)
		step->read.field = shape->domain;
	return step->guess != NULL && piece->number == 0 &&
	       step->guess->label == piece->id &&
	       step->read.reader != SEPM_READ_NOTHING;
}

/* The place of a piece: false when it is not the same in every record. */
static bool
take_steps(const struct sepm_reading *reading, struct sepm_course *course)
{
	const struct sepm_body *body = reading->body;
	uint64_t fields[RECORD_WORDS] = {0};
	size_t locals = 0, remotes = 0;

	for (size_t i = 0; i < body->count; i++) {
		const struct sepm_piece *piece = &body->piece[i];
		struct sepm_step *step = &course->step[i];
		enum record_field f;

		if (piece->quoted || (piece->id == SEPM_NO_LABEL
					     ? !step_of_bare(reading, i, step)
					     : !step_of_label(reading, piece,
						   &locals, &remotes, step)))
			return false;
		f = step->read.field;
		if (fields[f / 64] >> f % 64 & 1)
			return false; /* of two, the first one stays */
		fields[f / 64] |= UINT64_C(1) << f % 64;
	}
	course->steps = body->count;
	return true;
}

/*
 * Do labels and places alone say that it is traffic, where its client is, and
 * that nothing was cut? Two bare fields before `Begin` are no security log,
 * whatever they say; see is_traffic and client_piece. That it was not cut is
 * known; with one of these labels at its end the next one is not, either, but
 * for half an action of the new style.
 */
static bool
is_plain_traffic(const struct sepm_reading *reading)
{
	const struct sepm_body *body = reading->body;
	enum sepm_label last = body->piece[body->count - 1].id;

	return reading->record->type == RECORD_TRAFFIC && !body->ordered &&
	       body->count <= SEPM_STEPS && sepm_has(body, SEPM_RULE) &&
	       reading->places == 2 && body->first >= 1 && body->first <= 2 &&
	       body->begin < body->count && body->begin >= body->first + 3 &&
	       body->piece[body->begin - 3].id != SEPM_NO_LABEL &&
	       !sepm_has(body, SEPM_CATEGORY) &&
	       (last == SEPM_MD5 || last == SEPM_ACTION);
}

static bool
same_course(const struct sepm_course *a, const struct sepm_course *b)
{
	if (a->steps != b->steps || a->sepm != b->sepm)
		return false;
	for (size_t i = 0; i < a->steps; i++)
		if (a->step[i].guess != b->step[i].guess ||
		    a->step[i].read.field != b->step[i].read.field)
			return false;
	return true;
}

void
sepm_course_learn(
    struct sepm_courses *courses, const struct sepm_reading *reading)
{
	size_t next = (courses->last + 1) % SEPM_COURSES;
	struct sepm_course *course = &courses->course[next];
	struct sepm_course found;

	if (!is_plain_traffic(reading) || !take_steps(reading, &found))
		return;
	found.release = reading->record->release;
	found.sepm = reading->body->first == 2;
	found.action = sepm_is_new_style(reading->body) &&
		       reading->body->piece[found.steps - 1].id == SEPM_ACTION;
	for (size_t i = 0; i < SEPM_COURSES; i++)
		if (same_course(&courses->course[i], &found))
			return;
	*course = found;
	courses->last = next;
}

/* --- reading --- */

enum {
	LONGEST = 4096, /* bytes of a text that is read on its course */
	WINDOW = 64,    /* that are searched for commas in one go */
};

/* What a record is being read into, and from where. */
struct run {
	const struct sepm_context *context;
	struct record *record;
	struct sepm_ports ports;
	size_t fields;
	/* Where each of them ends: at its comma, or with the text. */
	uint16_t end[SEPM_STEPS + WINDOW];
};

static uint64_t
commas_in(const char *p)
{
	uint64_t mask = 0;

	for (unsigned i = 0; i < WINDOW; i += BLOCK)
		mask |=
		    (uint64_t)block_mask(block_equal(block_load(p + i), ','))
		    << i;
	return mask;
}

/* Of fewer than WINDOW bytes. */
static uint64_t
commas_in_part(const char *p, size_t n)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < n; i += BLOCK) {
		size_t part = n - i < BLOCK ? n - i : BLOCK;
		block16 b = block_load_part(p + i, part);

		mask |= (uint64_t)(block_mask(block_equal(b, ',')) &
				   block_until(part))
			<< i;
	}
	return mask;
}

/* False: there are more fields than in any course. */
static bool
find_ends(struct run *run, struct span text)
{
	size_t at = 0, n = 0;
	uint64_t ends;

	for (; text.n - at >= WINDOW && n <= SEPM_STEPS; at += WINDOW)
		for (ends = commas_in(text.p + at); ends != 0; ends &= ends - 1)
			run->end[n++] = (uint16_t)(at + block_first(ends));
	if (n > SEPM_STEPS)
		return false;
	ends = commas_in_part(text.p + at, text.n - at) | UINT64_C(1)
							      << (text.n - at);
	for (; ends != 0; ends &= ends - 1)
		run->end[n++] = (uint16_t)(at + block_first(ends));
	run->fields = n;
	return n <= SEPM_STEPS;
}

/* Reads what is no text. */
static void
read_other(struct run *run, const struct sepm_step *step, const char *label,
    struct span value)
{
	enum sepm_value answer = sepm_field_read(
	    run->context, &step->read, TIMESTAMP_ISO, value, run->record);
	struct span name;

	if (answer != SEPM_WRONG && step->read.reader != SEPM_READ_PORT)
		return;
	name = step->modern.n > 0 || step->guess == NULL
		   ? step->modern
		   : span_of(label, step->guess->n - 1);
	if (answer == SEPM_VALUE)
		sepm_ports_note(&run->ports, step->read.field, name, value);
	else if (answer == SEPM_WRONG)
		record_add_extra(run->record, name, value);
}

/* Quotes that nothing opened, and half a hash or action, are for others to
 * judge. */
static bool
ends_well(const struct sepm_course *course, struct span value)
{
	const struct sepm_step *last = &course->step[course->steps - 1];

	return (value.n == 0 || value.p[value.n - 1] != '"') &&
	       (last->read.reader != SEPM_READ_MD5 || value.n == 0 ||
		   value.n >= 32) &&
	       (!course->action || sepm_is_action(value));
}

/* The value of the field from `p` to `end`, of a text that ends at `rest`. */
static inline bool
match(const struct sepm_step *step, const char *p, const char *end,
    const char *rest, struct span *value)
{
	if (step->guess == NULL) {
		*value = span_trim(span_between(p, end));
		return sepm_is_plainly_bare(span_between(p, end));
	}
	if (!sepm_label_try(step->guess, span_between(p, rest)))
		return false;
	*value = span_trim(span_between(p + step->guess->n, end));
	return value->n == 0 || value->p[0] != '"';
}

static bool
follow(const struct sepm_course *course, struct span text, struct run *run)
{
	const struct sepm_step *step = course->step;
	const struct sepm_step *done = step + course->steps;
	const uint16_t *at = run->end;
	const char *p = text.p;
	struct span value = {"", 0};

	for (; step < done; step++) {
		const char *end = text.p + *at++;

		if (!match(step, p, end, span_end(text), &value))
			return false;
		if (step->read.reader != SEPM_READ_TEXT)
			read_other(run, step, p, value);
		else
			record_set_text(run->record, step->read.field, value);
		p = end + 1;
	}
	return ends_well(course, value);
}

/* What the header says of the SEPM's name goes first or last. */
static void
set_sepm(const struct sepm_course *course, const struct sepm_context *context,
    struct record *r)
{
	if (context->name_after_tag.n > 0)
		record_set_text(r, RECORD_F_SEPM, context->name_after_tag);
	else if (!course->sepm)
		record_set_text(r, RECORD_F_SEPM, context->name_before_tag);
}

static bool
try_course(const struct sepm_course *course, struct span text, struct run *run)
{
	struct record *r = run->record;
	uint64_t present[RECORD_WORDS];
	size_t used = run->context->arena->used;
	unsigned flags = r->flags;

	if (course->steps != run->fields)
		return false;
	memcpy(present, r->present, sizeof(present));
	if (!follow(course, text, run)) {
		memcpy(r->present, present, sizeof(present));
		r->flags = flags;
		r->extras = 0;
		run->context->arena->used = used;
		return false;
	}
	r->type = RECORD_TRAFFIC;
	r->release = course->release;
	set_sepm(course, run->context, r);
	sepm_settle_ports(run->context, &run->ports, r);
	return true;
}

bool
sepm_course_read(struct sepm_courses *courses, struct span text,
    const struct sepm_context *context, struct record *record)
{
	struct run run;

	/* whoever wants an explanation gets the general one */
	if (context->explain != NULL || context->cut || text.n >= LONGEST)
		return false;
	run.context = context;
	run.record = record;
	if (!find_ends(&run, text))
		return false;
	for (size_t i = 0; i < SEPM_COURSES; i++) {
		size_t at = (courses->last + i) % SEPM_COURSES;

		if (try_course(&courses->course[at], text, &run)) {
			courses->last = at;
			return true;
		}
	}
	return false;
}
