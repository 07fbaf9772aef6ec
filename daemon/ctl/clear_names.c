/*
 * The names are chained by their first two bytes; a line is looked through once
 * as it is, and once for each way to write that something in it hints at.
 */
#include "clear_names.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "pseudonym.h"
#include "reader.h"
#include "text.h"

enum {
	LIST_MAX = 64 << 20,
	LONGEST = 4 << 20, /* bytes of a line; more are looked at in parts */
	SHARED = 4096,     /* of one part and the next */
	NAME_MAX_BYTES = 1024,
	STARTS = 1 << 16,
	TOLD = 20, /* findings that are printed, of a file */
};

struct name {
	struct span text;   /* as listed */
	struct span folded; /* of the same bytes */
	bool address;
	size_t next; /* with the same start, plus one; 0: none */
};

struct clear_names {
	char *list, *folded;
	size_t count;
	struct name *names;
	size_t starts[STARTS]; /* the first name, plus one */

	/* of a file */
	const char *file;
	uint64_t line, findings;
	size_t n;
	char text[LONGEST];
	char plain[LONGEST], more[LONGEST], small[LONGEST];
};

/* --- the list --- */

static size_t
start_of(const char *p)
{
	return (size_t)(unsigned char)p[0] << 8 | (unsigned char)p[1];
}

static bool
is_address(struct span text)
{
	size_t marks = 0;

	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '.' || text.p[i] == ':')
			marks++;
		else if (strchr("0123456789abcdef", text.p[i]) == NULL)
			return false;
	}
	return marks > 1;
}

static bool
add_name(struct clear_names *c, const char *path, size_t line, struct span text)
{
	struct name *name = &c->names[c->count];
	size_t *start;

	text = span_trim(text);
	if (text.n == 0)
		return true;
	if (text.n < 2 || text.n > NAME_MAX_BYTES) {
		fprintf(stderr,
		    "sepmlogctl check-file: %s:%zu: a name has 2 to %d bytes\n",
		    path, line, NAME_MAX_BYTES);
		return false;
	}
	name->text = text;
	name->folded = span_of(c->folded + (text.p - c->list), text.n);
	name->address = is_address(name->folded);
	start = &c->starts[start_of(name->folded.p)];
	name->next = *start;
	*start = ++c->count;
	return true;
}

static bool
read_list(struct clear_names *c, const char *path)
{
	size_t n, lines = 1;
	struct span rest;

	c->list = file_read(path, LIST_MAX, &n);
	if (c->list == NULL) {
		fprintf(stderr, "sepmlogctl check-file: %s: %s\n", path,
		    strerror(errno));
		return false;
	}
	for (size_t i = 0; i < n; i++)
		lines += c->list[i] == '\n';
	c->folded = malloc(n + 1);
	c->names = calloc(lines, sizeof *c->names);
	if (c->folded == NULL || c->names == NULL) {
		fprintf(stderr, "sepmlogctl check-file: no memory\n");
		return false;
	}
	pseudonym_fold(span_of(c->list, n), c->folded);
	rest = span_of(c->list, n);
	for (size_t line = 1; rest.n > 0; line++) {
		size_t end = span_find(rest, '\n');

		if (!add_name(c, path, line, span_take(rest, end)))
			return false;
		rest = span_skip(rest, end + 1);
	}
	if (c->count == 0)
		fprintf(stderr,
		    "sepmlogctl check-file: %s: no names: one a line is "
		    "wanted\n",
		    path);
	return c->count > 0;
}

struct clear_names *
clear_names_load(const char *path)
{
	struct clear_names *c = calloc(1, sizeof *c);

	if (c == NULL) {
		fprintf(stderr, "sepmlogctl check-file: no memory\n");
		return NULL;
	}
	if (read_list(c, path))
		return c;
	clear_names_free(c);
	return NULL;
}

void
clear_names_free(struct clear_names *c)
{
	if (c == NULL)
		return;
	free(c->list);
	free(c->folded);
	free(c->names);
	free(c);
}

/* --- ways to write a text; none makes it longer --- */

static int
hex_digit(int c)
{
	c = span_lower(c);
	if (span_isdigit(c))
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* `n` digits at the start, or -1. */
static int
hex_number(struct span text, size_t n)
{
	int number = 0, digit;

	for (size_t i = 0; i < n; i++) {
		digit = hex_digit(span_at(text, i));
		if (digit < 0)
			return -1;
		number = number * 16 + digit;
	}
	return number;
}

/* `\u00fc`, or two of them for what is past U+FFFF; the bytes it takes. */
static size_t
unicode_escape(struct span text, char *out, size_t *put)
{
	int code = hex_number(span_skip(text, 2), 4), low = -1;

	if (code < 0)
		return 0;
	if (code >= 0xd800 && code < 0xdc00 && span_at(text, 6) == '\\' &&
	    span_at(text, 7) == 'u')
		low = hex_number(span_skip(text, 8), 4);
	if (low >= 0xdc00 && low < 0xe000)
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
	*put = text_put_utf8((uint32_t)code, out);
	return code > 0xffff ? 12 : 6;
}

static struct span
without_backslashes(struct span text, char *out)
{
	char *end = out;
	size_t taken, put;

	while (text.n > 0) {
		size_t n = span_find(text, '\\');

		memcpy(end, text.p, n);
		end += n;
		text = span_skip(text, n);
		if (text.n < 2)
			break;
		taken = text.p[1] == 'u' ? unicode_escape(text, end, &put) : 0;
		if (taken > 0) {
			end += put;
		} else {
			/* what stands for a control character is no letter */
			taken = 2;
			*end++ = strchr("nrtbf", text.p[1]) != NULL ? ' '
								    : text.p[1];
		}
		text = span_skip(text, taken);
	}
	return span_between(out, end);
}

static struct span
without_percent(struct span text, char *out)
{
	char *end = out;

	while (text.n > 0) {
		int code =
		    text.p[0] == '%' ? hex_number(span_skip(text, 1), 2) : -1;

		*end++ = code < 0 ? text.p[0] : (char)code;
		text = span_skip(text, code < 0 ? 1 : 3);
	}
	return span_between(out, end);
}

static struct span
without_doubled_quotes(struct span text, char *out)
{
	char *end = out;

	for (size_t i = 0; i < text.n; i++) {
		*end++ = text.p[i];
		i += text.p[i] == '"' && span_at(text, i + 1) == '"';
	}
	return span_between(out, end);
}

static int
base64_digit(int c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (span_isdigit(c))
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* From the first digit up to what is none. */
static struct span
from_base64(struct span text, char *out)
{
	char *end = out;
	unsigned bits = 0;
	size_t count = 0;
	int digit;

	for (size_t i = 0; (digit = base64_digit(span_at(text, i))) >= 0; i++) {
		bits = (bits & 0xfff) << 6 | (unsigned)digit;
		count += 6;
		if (count >= 8) {
			count -= 8;
			*end++ = (char)(bits >> count);
		}
	}
	return span_between(out, end);
}

/* --- looking --- */

static bool
is_alnum(int c)
{
	return span_isdigit(c) || span_isalpha(c);
}

static bool
found(const struct name *name, struct span text, size_t at)
{
	if (!name->address)
		return pseudonym_found(text, at, name->folded);
	return span_starts(span_skip(text, at), name->folded) &&
	       (at == 0 || !is_alnum((unsigned char)text.p[at - 1])) &&
	       !is_alnum(span_at(text, at + name->folded.n));
}

static void
report(struct clear_names *c, const struct name *name, const char *way)
{
	if (c->findings++ < TOLD)
		printf("%s:%" PRIu64 ": '%.*s' is in it%s\n", c->file, c->line,
		    (int)name->text.n, name->text.p, way);
}

static void
look(struct clear_names *c, struct span text, const char *way)
{
	struct span small;

	pseudonym_fold(text, c->small);
	small = span_of(c->small, text.n);
	for (size_t i = 0; i + 1 < small.n; i++) {
		size_t next = c->starts[start_of(small.p + i)];

		for (; next != 0; next = c->names[next - 1].next)
			if (found(&c->names[next - 1], small, i))
				report(c, &c->names[next - 1], way);
	}
}

static bool
has(struct span text, const char *part)
{
	return memmem(text.p, text.n, part, strlen(part)) != NULL;
}

static void
look_at_base64(struct clear_names *c, struct span text)
{
	static const char key[] = "raw_base64";
	const char *p;

	while ((p = memmem(text.p, text.n, key, sizeof key - 1)) != NULL) {
		text =
		    span_skip(span_between(p, span_end(text)), sizeof key - 1);
		while (text.n > 0 && base64_digit(text.p[0]) < 0)
			text = span_skip(text, 1);
		look(c, from_base64(text, c->more), ", as base64");
	}
}

static void
look_at_line(struct clear_names *c, struct span text)
{
	uint64_t before = c->findings;
	struct span plain = text;

	look(c, text, "");
	if (has(text, "\\")) {
		plain = without_backslashes(text, c->plain);
		if (c->findings == before)
			look(c, plain, ", with backslashes");
	}
	if (c->findings == before && has(plain, "%"))
		look(c, without_percent(plain, c->more), ", with percent");
	if (c->findings == before && has(text, "\"\""))
		look(c, without_doubled_quotes(text, c->more),
		    ", with doubled quotes");
	if (c->findings == before)
		look_at_base64(c, text);
}

/* --- a file --- */

static void
end_line(struct clear_names *c)
{
	c->line++;
	if (c->n > 0)
		look_at_line(c, span_of(c->text, c->n));
	c->n = 0;
}

/* No more than a part of a line fits: names across its end are in the next. */
static void
end_part(struct clear_names *c)
{
	look_at_line(c, span_of(c->text, c->n));
	memmove(c->text, c->text + c->n - SHARED, SHARED);
	c->n = SHARED;
}

static void
take_bytes(struct clear_names *c, struct span bytes)
{
	while (bytes.n > 0) {
		struct span part = span_take(bytes, span_find(bytes, '\n'));
		struct span fits = span_take(part, LONGEST - c->n);

		memcpy(c->text + c->n, fits.p, fits.n);
		c->n += fits.n;
		bytes = span_skip(bytes, fits.n);
		if (fits.n < part.n) {
			end_part(c);
		} else if (bytes.n > 0) {
			end_line(c);
			bytes = span_skip(bytes, 1);
		}
	}
}

/* False: it cannot be read. */
static bool
read_texts(struct clear_names *c, struct reader *reader)
{
	struct span bytes;

	for (;;) {
		switch (reader_next(reader, &bytes)) {
		case READER_TEXT:
			break;
		case READER_BYTES:
			take_bytes(c, bytes);
			break;
		case READER_END:
			if (c->n > 0)
				end_line(c);
			return true;
		case READER_BROKEN:
			fprintf(stderr,
			    "sepmlogctl check-file: %s: is broken: %s: get it "
			    "whole and check again\n",
			    c->file, reader_why(reader));
			return false;
		}
	}
}

enum ctl_exit
clear_names_check(struct clear_names *c, const char *file)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct reader *reader = NULL;
	struct stat st;
	bool ok = fd >= 0 && fstat(fd, &st) == 0;

	c->file = file;
	c->line = c->findings = 0;
	c->n = 0;
	if (ok && S_ISREG(st.st_mode))
		reader = reader_new(fd, (uint64_t)st.st_size);
	else if (ok)
		errno = EINVAL;
	if (reader == NULL)
		fprintf(stderr, "sepmlogctl check-file: %s: %s\n", file,
		    strerror(errno));
	ok = reader != NULL && read_texts(c, reader);
	reader_free(reader);
	if (fd >= 0)
		close(fd);
	if (!ok)
		return CTL_FAILED;
	if (c->findings > TOLD)
		printf(
		    "%s: ... and %" PRIu64 " more\n", file, c->findings - TOLD);
	printf("%s: %" PRIu64 " lines, %" PRIu64 " findings of %zu names\n",
	    file, c->line, c->findings, c->count);
	return c->findings > 0 ? CTL_FINDINGS : CTL_DONE;
}
