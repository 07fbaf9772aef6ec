/*
 * The header is peeled, not matched. Each round takes one piece off the left:
 * a PRI, a stamp, an IETF header, a viewer's wrapper, a bracketed address, or
 * the words of a relay that stand before another header. When a round finds
 * nothing, what is left begins with SEPM's tag, with another program's, or
 * with the body.
 */
#include "syslog_header.h"

#include "sepm_value.h"
#include "sepm_word.h"

enum {
	MAX_ROUNDS = 16,     /* pieces in front of the tag */
	MAX_RELAY_WORDS = 3, /* host, tag and one more before a header or tag */
	MAX_TAG_OFFSET = 128, /* of the tag behind words nobody knows */
	MAX_PLAIN_NAME = 64,  /* and shorter than that */
};

#define TAG SPAN("SymantecServer")

struct peeler {
	struct span rest;
	struct syslog_header *header;
	const struct sepm_labels *labels;
	bool after_stamp; /* a stamp was taken: host and tag may follow */
	bool ietf_tag;    /* APP-NAME was SEPM's tag */
	bool dump_comma;  /* the stamp was followed by a comma */
	parser_explain_cb *explain;
	void *arg;
};

static void
explain(
    const struct peeler *p, struct span piece, struct span key, const char *why)
{
	if (p->explain != NULL && piece.n > 0)
		p->explain(p->arg, piece, key, why);
}

static void
skip_blanks(struct peeler *p)
{
	while (span_isblank(span_at(p->rest, 0)))
		p->rest = span_skip(p->rest, 1);
}

/* Bytes up to the next blank. */
static size_t
word_length(struct span s)
{
	size_t i = 0;

	while (i < s.n) {
		size_t n = s.n - i < BLOCK ? s.n - i : BLOCK;
		block16 b = block_load_part(s.p + i, n);
		unsigned blanks = block_mask(block_or(block_equal(b, ' '),
				      block_equal(b, '\t'))) &
				  block_until(n);

		if (blanks != 0)
			return i + block_first(blanks);
		i += n;
	}
	return i;
}

/* --- the pieces; each takes itself off and answers whether it was there --- */

/* Bytes of `<PRI>` at the start, 0 if there is none; RFC 3164 4.1.1. */
static size_t
pri_length(struct span s, unsigned *pri)
{
	unsigned value = 0;
	size_t n = 1;

	if (span_at(s, 0) != '<')
		return 0;
	while (n < 4 && span_isdigit(span_at(s, n)))
		value = value * 10 + (unsigned)(s.p[n++] - '0');
	if (n == 1 || span_at(s, n) != '>' || value > 191)
		return 0;
	*pri = value;
	return n + 1;
}

static bool
take_pri(struct peeler *p)
{
	unsigned pri;
	size_t n = pri_length(p->rest, &pri);

	if (n == 0)
		return false;
	p->header->facility = (int)(pri / 8);
	p->header->severity = (int)(pri % 8);
	explain(p, span_take(p->rest, n), SPAN("facility, severity"),
	    "PRI: facility * 8 + severity");
	p->rest = span_skip(p->rest, n);
	return true;
}

static void
note_stamp(struct peeler *p, const struct timestamp *stamp)
{
	struct syslog_header *h = p->header;

	if (h->has_stamp && h->stamp.civil.year != 0) {
		h->dated = h->stamp;
		h->has_dated = true;
	}
	h->stamp = *stamp;
	h->has_stamp = true;
	p->after_stamp = true;
}

static bool
take_stamp(struct peeler *p)
{
	struct timestamp stamp;
	size_t n = timestamp_scan(
	    p->rest, TIMESTAMP_BSD | TIMESTAMP_ISO | TIMESTAMP_CLOCK, &stamp);
	int next = span_at(p->rest, n);

	if (n == 0 || (next != -1 && next != ',' && !span_isblank(next)))
		return false;
	note_stamp(p, &stamp);
	explain(p, span_take(p->rest, n), SPAN("time"),
	    "stamp; the innermost one counts");
	p->rest = span_skip(p->rest, n);
	p->dump_comma = next == ',' && stamp.kind == TIMESTAMP_ISO;
	if (next == ',')
		p->rest = span_skip(p->rest, 1);
	return true;
}

static bool
take_literal(struct span *s, struct span literal)
{
	if (!span_starts(*s, literal))
		return false;
	*s = span_skip(*s, literal.n);
	return true;
}

/* A small decimal number up to `max`. */
static bool
take_number(struct span *s, unsigned max, unsigned *number)
{
	uint64_t value;
	size_t n = 0;

	while (n < 9 && span_isdigit(span_at(*s, n)))
		n++;
	if (sepm_read_number(span_take(*s, n), max, &value) != SEPM_VALUE)
		return false;
	*number = (unsigned)value;
	*s = span_skip(*s, n);
	return true;
}

/* `7/20/2016 5:50:50 PM [22] From:NAME (ADDR) Fac:5 Sev:3 Msg >>> ` */
static bool
take_viewer(struct peeler *p)
{
	struct timestamp stamp;
	struct span s = p->rest;
	unsigned index, facility, severity;
	size_t n = timestamp_scan(s, TIMESTAMP_US12, &stamp), from;

	if (n == 0)
		return false;
	s = span_skip(s, n);
	if (!take_literal(&s, SPAN(" [")) ||
	    !take_number(&s, 999999999, &index) ||
	    !take_literal(&s, SPAN("] From:")))
		return false;
	from = span_find(s, ')');
	s = span_skip(s, from + 1);
	if (!take_literal(&s, SPAN(" Fac:")) ||
	    !take_number(&s, 23, &facility) ||
	    !take_literal(&s, SPAN(" Sev:")) ||
	    !take_number(&s, 7, &severity) ||
	    !take_literal(&s, SPAN(" Msg >>>")))
		return false;
	p->header->facility = (int)facility;
	p->header->severity = (int)severity;
	note_stamp(p, &stamp);
	explain(p, span_between(p->rest.p, s.p), SPAN("facility, severity"),
	    "a viewer's wrapper; its stamp is the time of receipt");
	p->rest = s;
	return true;
}

/* One word of an IETF header and the space behind it. */
static bool
take_ietf_word(struct span *s, struct span *word)
{
	size_t n = span_find(*s, ' ');

	if (n == 0 || n == s->n)
		return false;
	*word = span_take(*s, n);
	*s = span_skip(*s, n + 1);
	return true;
}

/* STRUCTURED-DATA: `-`, or elements in brackets whose quoted values escape
 * `"`, `\` and `]` (RFC 5424 6.3). */
static bool
take_structured_data(struct span *s)
{
	bool quoted = false;

	if (take_literal(s, SPAN("-")))
		return true;
	if (span_at(*s, 0) != '[')
		return false;
	for (size_t i = 1; i < s->n; i++) {
		char c = s->p[i];

		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && c == ']' && span_at(*s, i + 1) != '[') {
			*s = span_skip(*s, i + 1);
			return true;
		}
	}
	return false;
}

/*
 * Without a colon at its end, which some senders leave on APP-NAME. Two of them
 * end an address such as `2001:db8::` (RFC 5952 4.2).
 */
static struct span
without_colon(struct span word)
{
	size_t n = word.n;

	if (n > 0 && word.p[n - 1] == ':' && (n == 1 || word.p[n - 2] != ':'))
		word.n--;
	return word;
}

/* `1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID SD MSG` (RFC 5424 6). */
static bool
take_ietf(struct peeler *p)
{
	struct span s = p->rest, host, app, word;
	struct timestamp stamp;
	bool has_stamp;

	if (!take_literal(&s, SPAN("1 ")))
		return false;
	has_stamp = !take_literal(&s, SPAN("-"));
	if (has_stamp) {
		size_t n = timestamp_scan(s, TIMESTAMP_ISO, &stamp);

		if (n == 0)
			return false;
		s = span_skip(s, n);
	}
	if (!take_literal(&s, SPAN(" ")) || !take_ietf_word(&s, &host) ||
	    !take_ietf_word(&s, &app) || !take_ietf_word(&s, &word) ||
	    !take_ietf_word(&s, &word) || !take_structured_data(&s) ||
	    (s.n > 0 && span_at(s, 0) != ' '))
		return false;
	if (has_stamp)
		note_stamp(p, &stamp);
	explain(p, span_between(p->rest.p, s.p), SPAN("time"),
	    "IETF header (RFC 5424)");
	p->ietf_tag = span_eq(without_colon(app), TAG);
	if (p->ietf_tag) {
		p->header->tagged = true;
		if (!span_eq(host, SPAN("-")))
			p->header->name_before_tag = host;
	}
	p->after_stamp = false; /* no BSD host and tag behind it */
	p->rest = span_skip(s, 1);
	take_literal(&p->rest, SPAN("\xef\xbb\xbf"));
	return true;
}

/* `[198.51.100.9]`, put in by a relay. */
static bool
take_bracketed(struct peeler *p)
{
	size_t n = word_length(p->rest);

	if (span_at(p->rest, 0) != '[' || p->rest.p[n - 1] != ']')
		return false;
	explain(p, span_take(p->rest, n), SPAN("(relay)"),
	    "an address in brackets");
	p->rest = span_skip(p->rest, n);
	return true;
}

/* Does a header of its own begin here? */
static bool
is_header(struct span s)
{
	struct timestamp stamp;
	unsigned pri;

	return pri_length(s, &pri) > 0 ||
	       timestamp_scan(s, TIMESTAMP_BSD | TIMESTAMP_ISO, &stamp) > 0;
}

/* A relay's host and tag, when another header follows them. */
static bool
take_relay_words(struct peeler *p)
{
	struct span s = p->rest;

	for (unsigned words = 0; words < MAX_RELAY_WORDS; words++) {
		size_t n = word_length(s);

		if (span_find(span_take(s, n), ',') < n || span_starts(s, TAG))
			return false;
		s = span_skip(s, n);
		while (span_isblank(span_at(s, 0)))
			s = span_skip(s, 1);
		if (s.n == 0)
			return false;
		if (is_header(s)) {
			explain(p, span_between(p->rest.p, s.p),
			    SPAN("(relay)"), "a relay's host and tag");
			p->rest = s;
			return true;
		}
	}
	return false;
}

/* The first byte tells which of them it can be. */
static bool
take_piece(struct peeler *p)
{
	int first;

	skip_blanks(p);
	first = span_at(p->rest, 0);
	if (first == '<' && take_pri(p))
		return true;
	if (span_isdigit(first) &&
	    (take_viewer(p) || take_ietf(p) || take_stamp(p)))
		return true;
	if (span_isalpha(first) && take_stamp(p))
		return true;
	if (first == '[' && take_bracketed(p))
		return true;
	return take_relay_words(p);
}

/* --- the tag --- */

/*
 * Where SEPM's tag begins: behind at most some words without a comma, quote or
 * brace. s.n when there is none.
 */
static size_t
find_tag(struct span s)
{
	size_t i = 0, limit = s.n < MAX_TAG_OFFSET ? s.n : MAX_TAG_OFFSET;

	while (i < limit) {
		struct span word = span_skip(s, i);
		size_t n = word_length(word);
		int next;

		word = span_take(word, n);
		next = span_at(word, TAG.n);
		if (span_starts(word, TAG) &&
		    (next == -1 || next == ':' || next == ','))
			return i;
		for (size_t k = 0; k < n; k++)
			if (word.p[k] == ',' || word.p[k] == '"' ||
			    word.p[k] == '{' || word.p[k] == '\0')
				return s.n;
		i += n;
		while (i < s.n && span_isblank((unsigned char)s.p[i]))
			i++;
	}
	return s.n;
}

/* The last word of what stands before the tag: the name nearest to it. */
static struct span
last_word(struct span s)
{
	size_t i;

	while (s.n > 0 && span_isblank((unsigned char)s.p[s.n - 1]))
		s.n--;
	i = s.n;
	while (i > 0 && !span_isblank((unsigned char)s.p[i - 1]))
		i--;
	return without_colon(span_skip(s, i));
}

/* Letters, digits, `.`, `-` and `_` at the start. */
static size_t
name_length(struct span s)
{
	size_t i = 0;

	while (i < s.n) {
		size_t n = s.n - i < BLOCK ? s.n - i : BLOCK;
		block16 b = block_load_part(s.p + i, n);
		block16 letters =
		    block_between(block_or(b, block_fill(0x20)), 'a', 'z');
		block16 digits = block_between(b, '0', '9');
		block16 marks =
		    block_or(block_between(b, '-', '.'), block_equal(b, '_'));
		unsigned others =
		    ~block_mask(block_or(letters, block_or(digits, marks))) &
		    block_until(n);

		if (others != 0)
			return i + block_first(others);
		i += n;
	}
	return i;
}

/*
 * `NAME: ` or `NAME:,` with a name that is no known label: a SEPM's name
 * behind its tag. The comma stays, it belongs to an empty client.
 */
static void
take_name_after_tag(struct peeler *p)
{
	struct span name;
	unsigned number;
	size_t n = name_length(p->rest);
	int next;

	next = span_at(p->rest, n + 1);
	if (n == 0 || span_at(p->rest, n) != ':' ||
	    (next != -1 && next != ',' && !span_isblank(next)))
		return;
	name = span_take(p->rest, n);
	if (sepm_label_find(p->labels, name, &number) != SEPM_NO_LABEL)
		return;
	p->header->name_after_tag = name;
	explain(p, name, SPAN("sepm"), "the name after the tag");
	p->rest = span_skip(p->rest, n + 1);
}

static bool
take_tag(struct peeler *p)
{
	size_t at = find_tag(p->rest);
	struct span name;

	if (at == p->rest.n)
		return false;
	name = last_word(span_take(p->rest, at));
	if (name.n > 0)
		p->header->name_before_tag = name;
	p->rest = span_skip(p->rest, at);
	explain(p, span_take(p->rest, TAG.n), SPAN("(tag)"), "SEPM's tag");
	p->rest = span_skip(p->rest, TAG.n);
	take_literal(&p->rest, SPAN(":"));
	skip_blanks(p);
	take_name_after_tag(p);
	if (p->header->name_after_tag.n == 0)
		explain(p, name, SPAN("sepm"), "the name nearest to the tag");
	else
		explain(p, name, SPAN("(relay)"), "a name before the tag");
	p->header->tagged = true;
	return true;
}

/* `Major,` of a dump file's line. */
static void
take_severity(struct peeler *p)
{
	size_t n = span_find(p->rest, ',');
	struct span word = span_take(p->rest, n);

	p->header->tagged = true;
	if (n == p->rest.n || sepm_severity(word).n == 0)
		return;
	p->header->severity_word = word;
	explain(p, word, SPAN("severity"), "a dump file's word");
	p->rest = span_skip(p->rest, n + 1);
}

/*
 * Another program's header in front of a body: `host tag: ` or `host tag[7]: `
 * or the host alone. Only behind a stamp, and never up to a known label.
 */
static void
take_other_tag(struct peeler *p)
{
	struct span s = p->rest, word;
	unsigned number, words = 0;
	size_t comma = span_find(s, ',');

	for (; words < MAX_RELAY_WORDS; words++) {
		size_t n = word_length(s);
		int last = span_at(s, n - 1);

		word = span_take(s, n);
		if (n == 0 || (size_t)(s.p - p->rest.p) + n >= comma)
			break;
		s = span_skip(s, n);
		if (last == ':') {
			if (sepm_label_find(p->labels, without_colon(word),
				&number) != SEPM_NO_LABEL)
				return;
			explain(p, span_between(p->rest.p, s.p),
			    SPAN("(relay)"), "another program's host and tag");
			p->rest = s;
			return;
		}
		while (span_isblank(span_at(s, 0)))
			s = span_skip(s, 1);
	}
	/* `host client,...`: the first word of two is the host */
	if (words == 1 && span_find(word, ':') == word.n) {
		explain(p, span_between(p->rest.p, s.p), SPAN("(relay)"),
		    "a host before the body");
		p->rest = s;
	}
}

/*
 * `<PRI>May 14 08:30:11 NAME SymantecServer: `, as a SEPM itself sends it: the
 * pieces above would find nothing else in it. False: look at it piece by piece;
 * nothing is taken.
 */
static bool
take_plain(struct peeler *p)
{
	struct span rest = p->rest, name;
	struct timestamp stamp;
	unsigned pri;
	size_t n = pri_length(rest, &pri);

	rest = span_skip(rest, n);
	if (n == 0 || !timestamp_scan_plain_bsd(rest, &stamp))
		return false;
	rest = span_skip(rest, TIMESTAMP_PLAIN_BSD);
	if (span_at(rest, 0) != ' ')
		return false;
	rest = span_skip(rest, 1);
	name = span_take(rest, name_length(rest));
	if (!span_isalpha(span_at(name, 0)) || name.n > MAX_PLAIN_NAME ||
	    span_starts(name, TAG))
		return false;
	rest = span_skip(rest, name.n);
	if (!take_literal(&rest, SPAN(" SymantecServer:")))
		return false;
	p->header->facility = (int)(pri / 8);
	p->header->severity = (int)(pri % 8);
	p->header->stamp = stamp;
	p->header->has_stamp = p->header->tagged = true;
	p->header->name_before_tag = name;
	p->rest = rest;
	skip_blanks(p);
	take_name_after_tag(p);
	return true;
}

static void
take_pieces(struct peeler *p)
{
	for (unsigned round = 0; round < MAX_ROUNDS; round++)
		if (!take_piece(p))
			break;
	skip_blanks(p);
	if (take_tag(p))
		return;
	if (p->dump_comma)
		take_severity(p);
	else if (p->after_stamp)
		take_other_tag(p);
}

void
syslog_header_peel(struct span text, const struct sepm_labels *labels,
    struct syslog_header *header, parser_explain_cb *explain_cb, void *arg)
{
	struct peeler p = {
	    .rest = text,
	    .header = header,
	    .labels = labels,
	    .explain = explain_cb,
	    .arg = arg,
	};

	/* stamps say nothing where there is none */
	header->facility = header->severity = -1;
	header->has_stamp = header->has_dated = header->tagged = false;
	header->severity_word = header->name_after_tag =
	    header->name_before_tag = (struct span){"", 0};
	/* whoever wants an explanation gets one for each piece */
	if (explain_cb != NULL || !take_plain(&p))
		take_pieces(&p);
	header->body = span_trim(p.rest);
}
