#include "ledger.h"

#include <stdio.h>

#include "decimal.h"
#include "timestamp.h"

/* --- writing --- */

/* What must always find room behind everything else. */
enum { RESERVED = LEDGER_TAIL + 1 };

static bool
has_room(const struct ledger_text *t, size_t n)
{
	return t->n + n <= sizeof(t->bytes) - RESERVED && !t->left_out;
}

static void
put(struct ledger_text *t, const char *bytes, size_t n)
{
	memcpy(t->bytes + t->n, bytes, n);
	t->n += n;
}

/* `,"key":` */
static void
put_key(struct ledger_text *t, const char *key)
{
	if (!t->empty)
		put(t, ",", 1);
	t->empty = false;
	put(t, "\"", 1);
	put(t, key, strlen(key));
	put(t, "\":", 2);
}

static size_t
key_size(const char *key)
{
	return strlen(key) + sizeof(",\"\":") - 1;
}

void
ledger_begin(struct ledger_text *t, const char *type, int64_t us)
{
	t->n = 0;
	t->inner = t->left_out = false;
	t->empty = true;
	put(t, "{", 1);
	ledger_put_text(t, "type", span_str(type));
	ledger_put_time(t, "time", us);
}

static bool
is_plain(char c)
{
	return c >= ' ' && c < 0x7f && c != '"' && c != '\\';
}

void
ledger_put_text(struct ledger_text *t, const char *key, struct span value)
{
	size_t i;

	if (!has_room(t, key_size(key) + value.n + 2))
		return;
	put_key(t, key);
	put(t, "\"", 1);
	for (i = 0; i < value.n; i++)
		t->bytes[t->n++] = is_plain(value.p[i]) ? value.p[i] : '?';
	put(t, "\"", 1);
}

void
ledger_put_number(struct ledger_text *t, const char *key, uint64_t value)
{
	char *at;

	/* one more for the end of an inner object */
	if (!has_room(t, key_size(key) + DECIMAL_MAX + DECIMAL_ROOM + 1))
		return;
	put_key(t, key);
	at = t->bytes + t->n;
	t->n += (size_t)(decimal_put(value, at) - at);
}

void
ledger_put_time(struct ledger_text *t, const char *key, int64_t us)
{
	struct timestamp_days days = {0};
	char text[TIMESTAMP_RFC3339_US];

	timestamp_format_us(us, &days, text);
	ledger_put_text(t, key, span_of(text, sizeof(text)));
}

void
ledger_open(struct ledger_text *t, const char *key)
{
	t->left_out = !has_room(t, key_size(key) + 2);
	if (t->left_out)
		return;
	put_key(t, key);
	put(t, "{", 1);
	t->inner = t->empty = true;
}

/* Back over `,"key":{`, keys having no quotes. */
static void
take_back(struct ledger_text *t)
{
	t->n -= 3;
	while (t->bytes[t->n - 1] != '"')
		t->n--;
	t->n--;
	if (t->bytes[t->n - 1] == ',')
		t->n--;
	else
		t->empty = true;
}

void
ledger_close(struct ledger_text *t)
{
	bool nothing = t->empty;

	t->left_out = false;
	if (!t->inner)
		return;
	t->inner = t->empty = false;
	if (nothing)
		take_back(t);
	else
		put(t, "}", 1);
}

struct span
ledger_body(const struct ledger_text *t)
{
	return span_of(t->bytes, t->n);
}

void
ledger_chain(struct sha256 *sha, uint8_t chain[SHA256_SIZE], struct span body)
{
	sha256_begin(sha);
	sha256_add(sha, span_of((const char *)chain, SHA256_SIZE));
	sha256_add(sha, body);
	sha256_end(sha, chain);
}

void
ledger_tail(const uint8_t chain[SHA256_SIZE], char out[LEDGER_TAIL])
{
	static const struct span head = SPAN(",\"chain\":\""),
				 end = SPAN("\"}\n");

	memcpy(out, head.p, head.n);
	sha256_hex(chain, out + head.n);
	memcpy(out + head.n + SHA256_HEX, end.p, end.n);
}

/* --- reading --- */

/* The byte at the start of *in, which moves behind it. */
static bool
skip_byte(struct span *in, char byte)
{
	if (span_at(*in, 0) != byte)
		return false;
	*in = span_skip(*in, 1);
	return true;
}

/* A string without its quotes. */
static bool
read_text(struct span *in, struct span *text)
{
	size_t i, n;

	if (!skip_byte(in, '"'))
		return false;
	n = span_find(*in, '"');
	if (n == in->n)
		return false;
	*text = span_take(*in, n);
	for (i = 0; i < n; i++)
		if (!is_plain(text->p[i]))
			return false;
	*in = span_skip(*in, n + 1);
	return true;
}

static bool
read_number(struct span *in, uint64_t *number)
{
	uint64_t digit;
	size_t i;

	*number = 0;
	for (i = 0; span_isdigit(span_at(*in, i)); i++) {
		digit = (uint64_t)(in->p[i] - '0');
		if (*number > (UINT64_MAX - digit) / 10)
			return false;
		*number = *number * 10 + digit;
	}
	*in = span_skip(*in, i);
	return i > 0;
}

static struct ledger_member *
add_member(struct ledger_entry *e)
{
	if (e->count == LEDGER_MEMBERS)
		return NULL;
	e->member[e->count] =
	    (struct ledger_member){{"", 0}, {"", 0}, {"", 0}, 0, false};
	return &e->member[e->count++];
}

static bool
read_key(struct span *in, struct span *key)
{
	return read_text(in, key) && key->n > 0 && skip_byte(in, ':');
}

/* The numbers of an inner object, behind its brace. */
static bool
read_inner(struct span *in, struct span name, struct ledger_entry *e)
{
	struct ledger_member *m;

	do {
		m = add_member(e);
		if (!m || !read_key(in, &m->key) ||
		    !read_number(in, &m->number))
			return false;
		m->in = name;
		m->is_number = true;
	} while (skip_byte(in, ','));
	return skip_byte(in, '}');
}

static bool
read_member(struct span *in, struct ledger_entry *e)
{
	struct ledger_member *m;
	struct span key;

	if (!read_key(in, &key))
		return false;
	if (skip_byte(in, '{'))
		return read_inner(in, key, e);
	m = add_member(e);
	if (!m)
		return false;
	m->key = key;
	m->is_number = span_at(*in, 0) != '"';
	return m->is_number ? read_number(in, &m->number)
			    : read_text(in, &m->text);
}

/* The end of a line is always as long as any other. */
static bool
read_end(struct span line, struct ledger_entry *e)
{
	static const struct span head = SPAN(",\"chain\":\""),
				 end = SPAN("\"}");
	struct span tail;

	if (line.n < LEDGER_TAIL)
		return false;
	e->body = span_take(line, line.n - (LEDGER_TAIL - 1));
	tail = span_skip(line, e->body.n);
	return span_starts(tail, head) &&
	       span_eq(span_skip(tail, head.n + SHA256_HEX), end) &&
	       sha256_read(
		   span_take(span_skip(tail, head.n), SHA256_HEX), e->chain);
}

bool
ledger_parse(struct span line, struct ledger_entry *e)
{
	struct span in;

	e->count = 0;
	if (line.n >= LEDGER_LINE || !read_end(line, e))
		return false;
	in = e->body;
	if (!skip_byte(&in, '{'))
		return false;
	do {
		if (!read_member(&in, e))
			return false;
	} while (skip_byte(&in, ','));
	e->type = ledger_text(e, "type");
	return in.n == 0 && e->type.n > 0;
}

const struct ledger_member *
ledger_find(const struct ledger_entry *e, const char *key)
{
	size_t i;

	for (i = 0; i < e->count; i++)
		if (e->member[i].in.n == 0 &&
		    span_eq(e->member[i].key, span_str(key)))
			return &e->member[i];
	return NULL;
}

struct span
ledger_text(const struct ledger_entry *e, const char *key)
{
	const struct ledger_member *m = ledger_find(e, key);

	return m ? m->text : SPAN("");
}

uint64_t
ledger_number(const struct ledger_entry *e, const char *key)
{
	const struct ledger_member *m = ledger_find(e, key);

	return m ? m->number : 0;
}

uint64_t
ledger_sum(const struct ledger_entry *e, const char *in)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < e->count; i++)
		if (span_eq(e->member[i].in, span_str(in)))
			sum += e->member[i].number;
	return sum;
}

bool
ledger_file(const struct ledger_entry *entry, struct ledger_file *file)
{
	bool plain = span_eq(ledger_text(entry, "compression"), SPAN("none"));
	struct span sum =
	    ledger_text(entry, plain ? "sha256" : "packed_sha256");

	file->size = ledger_number(entry, plain ? "bytes" : "packed_bytes");
	file->time = ledger_text(entry, "time");
	return file->time.n == TIMESTAMP_RFC3339_US &&
	       sha256_read(sum, file->sum);
}

/* --- ids --- */

static bool
read_id(struct span in, struct ledger_id *id)
{
	return read_number(&in, &id->segment) && skip_byte(&in, '-') &&
	       read_number(&in, &id->line);
}

bool
ledger_find_id(struct span line, struct span prefix, struct ledger_id *id)
{
	size_t at;

	/* From the end: it is there, and what a record says itself is not. */
	for (at = line.n; at-- > 0;) {
		struct span here = span_skip(line, at);

		if (here.p[0] == prefix.p[0] && span_starts(here, prefix) &&
		    read_id(span_skip(here, prefix.n), id))
			return true;
	}
	return false;
}
