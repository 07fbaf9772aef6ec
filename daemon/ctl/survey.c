#include "survey.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "reader.h"
#include "spool/disk.h"
#include "text.h"

enum { PIECE = 64 * 1024 };

/* --- text or not --- */

static bool
is_control(unsigned char c)
{
	return (c < 0x20 && c != '\t' && c != '\r' && c != '\n' && c != '\0' &&
		   c != 0x1b && c != '\f') ||
	       c == 0x7f;
}

/*
 * A short line must be UTF-8, as few bytes of binary data are by chance; a long
 * one may be of a code page, but its labels are ASCII.
 */
static bool
is_text(struct span line)
{
	enum { SHORT = 12, LONG = 32 };
	size_t ascii = 0;

	for (size_t i = 0; i < line.n; i++) {
		unsigned char c = (unsigned char)line.p[i];

		if (is_control(c))
			return false;
		ascii += c < 0x80;
	}
	if (line.n >= LONG && ascii * 10 >= line.n * 7)
		return true;
	/* a character may be cut in two at the end */
	return line.n >= SHORT && text_valid_utf8(line) + 3 >= line.n;
}

static void
end_line(struct textcheck *c)
{
	c->found = c->found || is_text(span_of(c->line, c->n));
	c->n = 0;
}

/* UTF-16 has a NUL or a mark where no other text does. */
static bool
is_utf16(struct span s)
{
	return span_starts(s, SPAN("\xff\xfe")) ||
	       span_starts(s, SPAN("\xfe\xff")) ||
	       (s.n >= 4 && (s.p[0] == 0) != (s.p[1] == 0) &&
		   (s.p[0] == 0) == (s.p[2] == 0) &&
		   (s.p[1] == 0) == (s.p[3] == 0));
}

void
textcheck_feed(struct textcheck *c, struct span s)
{
	if (c->bytes == 0)
		c->found = c->found || is_utf16(s);
	c->bytes += s.n;
	for (size_t i = 0; i < s.n && !c->found; i++) {
		char byte = s.p[i];

		c->control = c->control || is_control((unsigned char)byte);
		if (byte == '\n' || byte == '\0')
			end_line(c);
		else if (c->n < sizeof c->line)
			c->line[c->n++] = byte;
	}
}

/* What is all text is, however short. */
void
textcheck_end(struct textcheck *c)
{
	end_line(c);
	c->found = c->found || (c->bytes > 0 && !c->control);
	c->bytes = 0;
	c->control = false;
}

/* --- files --- */

static enum survey_status
because(struct survey *s, enum survey_status status, const char *why)
{
	snprintf(s->why, sizeof s->why, "%s", why);
	return status;
}

static bool
stopped(const volatile sig_atomic_t *stop)
{
	return stop != NULL && *stop;
}

/* All bytes, as they are, to the digest. */
static enum survey_status
hash(int fd, uint64_t size, const volatile sig_atomic_t *stop,
    struct sha256 *digest, struct survey *s)
{
	char *piece = malloc(PIECE);
	enum survey_status status = SURVEY_TEXT;
	uint64_t at = 0;
	size_t n, want;

	if (piece == NULL)
		return because(s, SURVEY_FAILED, "no memory");
	while (status == SURVEY_TEXT && at < size) {
		want = size - at < PIECE ? (size_t)(size - at) : PIECE;
		if (!disk_read(fd, at, piece, want, &n))
			status = because(s, SURVEY_FAILED, strerror(errno));
		else if (n < want)
			status = because(
			    s, SURVEY_LATER, "it became shorter meanwhile");
		sha256_add(digest, span_of(piece, n));
		at += n;
		if (stopped(stop))
			status = SURVEY_STOPPED;
	}
	free(piece);
	return status;
}

/* Looks for text; all that is packed is unpacked, to `digest` if wanted. */
static enum survey_status
check(struct reader *reader, bool packed, const volatile sig_atomic_t *stop,
    struct sha256 *digest, struct survey *s)
{
	struct textcheck text = {0};
	enum reader_status status = READER_TEXT;
	struct span bytes;
	bool any = false;

	while (status != READER_END && (packed || !text.found)) {
		status = reader_next(reader, &bytes);
		if (status == READER_BROKEN)
			return because(s,
			    packed ? SURVEY_HOPELESS : SURVEY_FAILED,
			    reader_why(reader));
		if (status == READER_TEXT)
			textcheck_end(&text);
		if (status == READER_BYTES) {
			any = true;
			textcheck_feed(&text, bytes);
			if (digest != NULL)
				sha256_add(digest, bytes);
		}
		if (stopped(stop))
			return SURVEY_STOPPED;
	}
	textcheck_end(&text);
	if (!any)
		return SURVEY_EMPTY;
	return text.found
		   ? SURVEY_TEXT
		   : because(s, SURVEY_HOPELESS, "no line of it is text");
}

static enum survey_status
look(int fd, uint64_t size, const volatile sig_atomic_t *stop,
    struct reader *reader, struct sha256 *digest, struct survey *s)
{
	char start[4];
	enum reader_kind kind;
	enum survey_status status = SURVEY_TEXT;
	bool stream; /* known by its plain text */
	size_t n;

	if (!disk_read(fd, 0, start, sizeof start, &n))
		return because(s, SURVEY_FAILED, strerror(errno));
	kind = reader_kind(span_of(start, n));
	stream = kind == READER_GZIP || kind == READER_ZSTD;
	if (!stream)
		status = hash(fd, size, stop, digest, s);
	if (status != SURVEY_TEXT)
		return status;
	return check(
	    reader, kind != READER_PLAIN, stop, stream ? digest : NULL, s);
}

enum survey_status
survey_file(
    int fd, uint64_t size, const volatile sig_atomic_t *stop, struct survey *s)
{
	struct reader *reader = reader_new(fd, size);
	struct sha256 *digest = sha256_new();
	enum survey_status status;

	*s = (struct survey){0};
	if (reader != NULL && digest != NULL)
		status = look(fd, size, stop, reader, digest, s);
	else
		status = because(s, SURVEY_FAILED, "no memory");
	if (digest != NULL)
		sha256_end(digest, s->digest);
	sha256_free(digest);
	reader_free(reader);
	return status;
}
