/*
 * Splitting. A field with a comma is quoted whole, label included; sometimes
 * only its value is. Quotes inside are doubled, but not reliably; a backslash
 * is no escape; a quote that is never closed is a plain character (formats:
 * quoting, as really done).
 */
#include "sepm.h"

enum {
	MAX_LABEL = 64,     /* bytes before the colon that are looked at */
	MAX_CANDIDATE = 40, /* characters of an unknown label */
};

/* Blanks and U+00A0 at the start. */
static size_t
leading_blanks(struct span s)
{
	size_t n = 0;

	for (;;) {
		if (span_isblank(span_at(s, n)))
			n++;
		else if (span_at(s, n) == 0xc2 && span_at(s, n + 1) == 0xa0)
			n += 2;
		else
			return n;
	}
}

/*
 * The quote that closes the one before `i`: the last of an odd run of quotes
 * with a comma or the end behind it. s.n: there is none. A `strict` quote does
 * not reach over a single quote inside, which shows that it was a character.
 */
static size_t
closing_quote(struct span s, size_t i, bool strict)
{
	while ((i += span_find(span_skip(s, i), '"')) < s.n) {
		size_t run = 1, next;

		while (span_at(s, i + run) == '"')
			run++;
		next = i + run + leading_blanks(span_skip(s, i + run));
		if (run % 2 == 1 && (next >= s.n || s.p[next] == ','))
			return i + run - 1;
		if (run % 2 == 1 && strict)
			break;
		i += run;
	}
	return s.n;
}

/*
 * The text in quotes that opens at text[open], unescaped, with *end past the
 * closing quote and the blanks behind it. False: it is never closed.
 */
static bool
read_quoted(struct sepm_body *body, struct span text, size_t open, bool strict,
    struct span *inner, size_t *end)
{
	size_t close, n = 0;
	char *out;

	if (body->unclosed)
		return false;
	close = closing_quote(text, open + 1, strict);
	if (close >= text.n) {
		body->unclosed = !strict;
		return false;
	}
	*inner = span_between(text.p + open + 1, text.p + close);
	*end = close + 1;
	*end += leading_blanks(span_skip(text, *end));
	if (memmem(inner->p, inner->n, "\"\"", 2) == NULL)
		return true;
	out = arena_take(body->context->arena, inner->n);
	if (out == NULL)
		return true; /* the doubled quotes stay */
	for (size_t i = 0; i < inner->n; i++) {
		out[n++] = inner->p[i];
		if (inner->p[i] == '"' && span_at(*inner, i + 1) == '"')
			i++;
	}
	*inner = span_of(out, n);
	return true;
}

static bool
is_candidate_byte(int c)
{
	return c >= 0x80 || span_isalpha(c) || span_isdigit(c) ||
	       (c > 0 && strchr(" -_()/.'", c) != NULL);
}

/* Did the last label have no blank behind its colon? */
static bool
is_tight(const struct sepm_body *body)
{
	const struct sepm_piece *last;

	if (body->last == SIZE_MAX)
		return false;
	last = &body->piece[body->last];
	return span_end(last->label) + 1 == last->value.p;
}

/* Could it be a label that nobody has told us about? */
static bool
is_candidate(const struct sepm_body *body, struct span label, int next)
{
	int first = span_at(label, 0);
	size_t characters = 0;

	if (label.n < 2 || !(first >= 0x80 || (first >= 'A' && first <= 'Z')))
		return false;
	if (next != -1 && next != ',' && next != '\r' && !span_isblank(next) &&
	    (!is_tight(body) || next == '/' || next == '\\'))
		return false;
	for (size_t i = 0; i < label.n; i++) {
		unsigned char c = (unsigned char)label.p[i];

		if (!is_candidate_byte(c))
			return false;
		characters += (c & 0xc0) != 0x80; /* UTF-8 begins one */
	}
	return characters <= MAX_CANDIDATE;
}

/* `Local Port 50403`: the security log leaves these colons out, in Japanese
 * too, and the proactive one that of `Detection Submissions No`. See
 * sepm_is_plainly_bare, too. */
static size_t
label_without_colon(struct span field, enum sepm_label *id)
{
#define ROW(literal, label)                                                    \
	{                                                                      \
		{literal, sizeof(literal) - 1}, label                          \
	}
	static const struct {
		struct span text;
		enum sepm_label id;
	} rows[] = {
	    ROW("Local Port ", SEPM_LOCAL_PORT),
	    ROW("Remote Port ", SEPM_REMOTE_PORT),
	    ROW("Detection Submissions ", SEPM_DETECTION_SUBMISSIONS),
	    ROW("ローカルポート ", SEPM_LOCAL_PORT),
	    ROW("リモートポート ", SEPM_REMOTE_PORT),
	};
#undef ROW

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n = rows[i].text.n;

		if (span_starts(field, rows[i].text) &&
		    (rows[i].id == SEPM_DETECTION_SUBMISSIONS ||
			span_isdigit(span_at(field, n)))) {
			*id = rows[i].id;
			return n;
		}
	}
	return 0;
}

/* What the next body is expected to have here. */
static void
learn(struct sepm_body *body, const struct sepm_guess *guess)
{
	struct sepm_layout *layout = body->layout;

	layout->other[body->count] = layout->guess[body->count];
	layout->guess[body->count] = guess;
}

/*
 * The label at the start of `field`: sets label, id and number of *piece and
 * answers the bytes up to the value; 0: the field has none. The next body is
 * expected to have the same here.
 */
static size_t
read_label(struct sepm_body *body, struct span field, struct sepm_piece *piece)
{
	const struct sepm_labels *labels = body->context->labels;
	size_t blanks = leading_blanks(field), colon, used;
	struct span text = span_skip(field, blanks), label;

	colon = span_find(span_take(text, MAX_LABEL + 1), ':');
	if (colon < text.n && span_at(text, colon) == ':') {
		int next = span_at(text, colon + 1);

		label = span_trim(span_take(text, colon));
		piece->id = sepm_label_find(labels, label, &piece->number);
		if (piece->id == SEPM_NO_LABEL &&
		    is_candidate(body, label, next))
			piece->id = SEPM_CANDIDATE;
		if (piece->id != SEPM_NO_LABEL) {
			piece->label = label;
			learn(body, sepm_label_guess(labels, label));
			return blanks + colon + 1;
		}
	}
	used = label_without_colon(text, &piece->id);
	if (used == 0)
		return 0;
	piece->label = span_trim(span_take(text, used));
	return blanks + used;
}

/*
 * Reads the field at the start of `text` into *piece; answers its length, the
 * comma not included.
 */
static size_t
read_any(struct sepm_body *body, struct span text, struct sepm_piece *piece)
{
	size_t open = leading_blanks(text), end, used;
	struct span inner;

	*piece = (struct sepm_piece){.label = {"", 0}};
	if (span_at(text, open) == '"' &&
	    read_quoted(body, text, open, false, &inner, &end)) {
		used = read_label(body, inner, piece);
		piece->value = span_trim(span_skip(inner, used));
		piece->quoted = true;
		piece->raw = span_take(text, end);
		return end;
	}
	piece->raw = span_take(text, span_find(text, ','));
	used = read_label(body, piece->raw, piece);
	piece->value = span_trim(span_skip(piece->raw, used));
	if (used == 0)
		return piece->raw.n;
	open = used + leading_blanks(span_skip(text, used));
	if (open < piece->raw.n && text.p[open] == '"' &&
	    read_quoted(body, text, open, true, &inner, &end)) {
		piece->value = span_trim(inner);
		piece->quoted = true;
		piece->raw = span_take(text, end);
		return end;
	}
	return piece->raw.n;
}

/* The same for a field that begins with the label of `guess`. */
static inline size_t
read_guessed(struct sepm_body *body, struct span text,
    const struct sepm_guess *guess, struct sepm_piece *piece)
{
	size_t n = span_find(text, ',');
	struct span value =
	    span_trim(span_between(text.p + guess->n, text.p + n));

	if (span_at(value, 0) == '"')
		return read_any(body, text, piece);
	*piece = (struct sepm_piece){
	    .raw = span_of(text.p, n),
	    .label = span_of(text.p, guess->n - 1),
	    .value = value,
	    .id = guess->label,
	};
	return n;
}

/* A field as most are: with the label that the last body had here, or bare. */
static inline size_t
read_piece(struct sepm_body *body, struct span text, struct sepm_piece *piece)
{
	const struct sepm_layout *layout = body->layout;
	const struct sepm_guess *guess = layout->guess[body->count];
	struct span field;

	if (sepm_label_try(guess, text))
		return read_guessed(body, text, guess, piece);
	field = span_take(text, span_find(text, ','));
	if (sepm_is_plainly_bare(field)) {
		*piece = (struct sepm_piece){
		    .raw = field,
		    .label = {"", 0},
		    .value = span_trim(field),
		};
		return field.n;
	}
	guess = layout->other[body->count];
	if (sepm_label_try(guess, text))
		return read_guessed(body, text, guess, piece);
	return read_any(body, text, piece);
}

/* What telling the type wants to know, collected on the way. */
static inline void
summarize(struct sepm_body *body, size_t i)
{
	const struct sepm_piece *piece = &body->piece[i];
	enum sepm_label id = piece->id;

	body->labels[id / 64] |= (uint64_t)1 << id % 64;
	if (id == SEPM_NO_LABEL)
		return;
	if (body->labelled++ == 0) {
		body->first = i;
		body->layout = &body->layouts[id % SEPM_LAYOUTS];
	}
	if (id != SEPM_CANDIDATE && !piece->quoted && piece->value.n > 0)
		body->last = i;
	if (id == SEPM_LOCAL)
		body->locals++;
	else if (id == SEPM_REMOTE)
		body->remotes++;
	else if (id == SEPM_BEGIN && body->begin == SIZE_MAX)
		body->begin = i;
	else if (id == SEPM_APPLICATION && body->application == SIZE_MAX)
		body->application = i;
}

/* A quote at the very end that nothing opened is a relay's; it goes. */
static void
drop_stray_quote(struct sepm_piece *last)
{
	struct span value = last->value;

	if (!last->quoted && value.n > 0 &&
	    span_find(value, '"') == value.n - 1)
		last->value = span_trim(span_take(value, value.n - 1));
}

void
sepm_split(struct sepm_body *body, struct span text)
{
	size_t n;

	body->count = 0;
	memset(body->labels, 0, sizeof(body->labels));
	body->labelled = body->locals = body->remotes = 0;
	body->first = body->begin = body->application = body->last = SIZE_MAX;
	body->unclosed = body->ordered = false;
	body->layout = &body->layouts[0];
	for (;;) {
		n = read_piece(body, text, &body->piece[body->count]);
		if (body->count == SEPM_MAX_PIECES - 1 && n < text.n) {
			body->piece[body->count].raw = text;
			body->piece[body->count].value = span_trim(text);
			body->piece[body->count].id = SEPM_NO_LABEL;
			n = text.n;
		}
		summarize(body, body->count++);
		if (n >= text.n)
			break;
		text = span_skip(text, n + 1);
	}
	drop_stray_quote(&body->piece[body->count - 1]);
	if (body->first == SIZE_MAX)
		body->first = body->count;
	if (body->begin == SIZE_MAX)
		body->begin = body->count;
	if (body->application == SIZE_MAX)
		body->application = body->count;
}

struct span
sepm_unquote(struct sepm_body *body, struct span text)
{
	struct span inner;
	size_t end;

	body->unclosed = false;
	if (span_at(text, 0) == '"' &&
	    read_quoted(body, text, 0, false, &inner, &end) && end == text.n)
		return span_trim(inner);
	return text;
}
