#include "importer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "event_key.h"
#include "input.h"
#include "item.h"
#include "parser.h"
#include "reader.h"
#include "shown.h"
#include "spool/disk.h"
#include "survey.h"

enum {
	WHY = 512,
	PIECE = 64 * 1024,
	PATIENCE = 10000,      /* ms */
	PATIENCE_LONG = 60000, /* ms; then it is said, and goes on */
	FIRST_LINE = INPUT_MAX_HEADER + 2,
	HEAD_MIN = 256, /* enough to tell a copy of a growing file */
};

struct importer {
	const struct config *config;
	struct importer_options options;
	const struct gaps *gaps; /* NULL: all times */
	struct intake *intake;
	struct imported *imported;
	struct parser *parser;
	struct event_key *event_key;
	struct importer_counts counts;
	struct intake_counts before; /* of intakes that are closed */
	struct record record;
	char why[WHY];
	uint64_t finished; /* bytes of the files before this one */

	/* the regular file in work */
	bool inside;
	unsigned char digest[SURVEY_DIGEST];
	uint64_t messages, skip;
	struct sha256 *plain;   /* of a pipe */
	struct message message; /* its times and transport */
};

static void __attribute__((format(printf, 2, 3)))
say(struct importer *im, const char *fmt, ...)
{
	va_list ap;

	progress_hide(im->options.progress);
	va_start(ap, fmt);
	complain_list("sepmlogctl import: ", fmt, ap);
	va_end(ap);
}

const char *
importer_why(const struct importer *im)
{
	return im->why;
}

static enum importer_answer
because(struct importer *im, enum importer_answer answer, const char *why)
{
	snprintf(im->why, sizeof im->why, "%s", why);
	return answer;
}

static bool
stopped(const struct importer *im)
{
	return im->options.stop != NULL && *im->options.stop;
}

/* --- records --- */

bool
importer_pending(const struct importer *im)
{
	return intake_pending(im->intake) > 0;
}

bool
importer_due(struct importer *im)
{
	return intake_due(im->intake);
}

static void
set_part(struct importer *im)
{
	if (im->messages > im->skip && im->gaps == NULL)
		imported_set_part(im->imported, im->digest, im->messages);
}

/* Its content was taken before, and is not to be taken again. */
static bool
is_known(const struct importer *im, const unsigned char *digest)
{
	return !im->options.again && im->gaps == NULL &&
	       imported_has(im->imported, digest);
}

static bool
remember(struct importer *im)
{
	return im->gaps != NULL || imported_add(im->imported, im->digest);
}

bool
importer_commit(struct importer *im)
{
	struct span text;

	if (im->inside)
		set_part(im);
	text = imported_text(im->imported);
	if (text.p == NULL) {
		say(im, "no memory");
		return false;
	}
	if (intake_commit(im->intake, text))
		return true;
	say(im, "%s", intake_why(im->intake));
	return false;
}

static void
parse(struct importer *im, const struct input_item *item)
{
	im->message.received_us = intake_received(im->intake);
	item_parse(
	    im->parser, item, &im->message, im->options.source, &im->record);
	event_key_set(im->event_key, &im->record);
}

/* Each time takes one of the events with this key. */
static bool
came_another_way(struct importer *im)
{
	return im->options.known != NULL &&
	       known_take(im->options.known,
		   record_text(&im->record, RECORD_F_EVENT_KEY));
}

static bool
is_of_gaps(struct importer *im)
{
	enum gaps_answer answer =
	    im->gaps != NULL ? gaps_hold(im->gaps, &im->record) : GAPS_INSIDE;

	im->counts.outside += answer == GAPS_OUTSIDE;
	im->counts.timeless += answer == GAPS_NO_TIME;
	return answer == GAPS_INSIDE;
}

static enum importer_answer
put(struct importer *im, const struct input_item *item)
{
	parse(im, item);
	if (!is_of_gaps(im))
		return IMPORTER_TAKEN;
	if (came_another_way(im)) {
		im->counts.events++;
		return IMPORTER_TAKEN;
	}
	if (im->options.only_count) {
		im->counts.counted++;
		return IMPORTER_TAKEN;
	}
	while (!intake_put(im->intake, &im->record, im->options.source)) {
		if (stopped(im))
			return IMPORTER_STOPPED;
		if (!im->options.patient)
			return because(
			    im, IMPORTER_LATER, intake_why(im->intake));
		say(im, "%s; it is tried again until there is",
		    intake_why(im->intake));
	}
	return IMPORTER_TAKEN;
}

/* A whole file's next message, if it was not taken before. */
static enum importer_answer
put_next(struct importer *im, const struct input_item *item)
{
	enum importer_answer answer;

	if (im->messages < im->skip) {
		im->messages++;
		if (im->options.known != NULL) {
			/* as it was counted then: one may follow that is
			 * like it, and new */
			parse(im, item);
			came_another_way(im);
		}
		return IMPORTER_TAKEN;
	}
	answer = put(im, item);
	if (answer != IMPORTER_TAKEN)
		return answer;
	im->messages++;
	/* a pipe is taken as a whole: it cannot be read again */
	if (im->inside && intake_due(im->intake) && !importer_commit(im))
		return because(im, IMPORTER_LATER, intake_why(im->intake));
	return IMPORTER_TAKEN;
}

static enum importer_answer
put_all(struct importer *im, struct input *input)
{
	enum importer_answer answer = IMPORTER_TAKEN;
	struct input_item item;

	while (answer == IMPORTER_TAKEN && input_next(input, &item))
		answer = put_next(im, &item);
	return answer;
}

/* --- whole files --- */

static void
update(struct importer *im, uint64_t done)
{
	struct intake_counts counts;

	if (im->options.progress == NULL)
		return;
	intake_counts(im->intake, &counts);
	progress_update(
	    im->options.progress, im->finished + done, counts.records);
}

static void
set_reference(struct importer *im, const struct stat *st, int64_t modified)
{
	im->message = (struct message){
	    .reference = im->options.now != 0 ? im->options.now
			 : modified != 0      ? modified
					      : (int64_t)st->st_mtime,
	    .transport = SPAN("file"),
	};
}

static enum importer_answer
end_text(struct importer *im, struct input *input)
{
	enum importer_answer answer = IMPORTER_TAKEN;

	if (input != NULL) {
		input_end(input);
		answer = put_all(im, input);
	}
	input_free(input);
	return answer;
}

/* All texts of a file to records. */
static enum importer_answer
take_texts(struct importer *im, struct reader *reader, const struct stat *st)
{
	enum importer_answer answer = IMPORTER_TAKEN;
	enum reader_status status = READER_TEXT;
	struct input *input = NULL;
	struct span bytes;

	while (answer == IMPORTER_TAKEN && status != READER_END) {
		status = reader_next(reader, &bytes);
		if (status == READER_BROKEN)
			answer =
			    because(im, IMPORTER_BROKEN, reader_why(reader));
		if (status == READER_TEXT) {
			answer = end_text(im, input);
			input = input_new((size_t)im->config->max_message);
			set_reference(im, st, reader_modified(reader));
			if (input == NULL)
				answer =
				    because(im, IMPORTER_LATER, "no memory");
		}
		if (status == READER_BYTES) {
			if (im->plain != NULL)
				sha256_add(im->plain, bytes);
			input_feed(input, bytes);
			answer = put_all(im, input);
		}
		update(im, reader_done(reader));
		if (answer == IMPORTER_TAKEN && stopped(im))
			answer = IMPORTER_STOPPED;
	}
	if (answer == IMPORTER_TAKEN)
		return end_text(im, input);
	input_free(input);
	return answer;
}

static void
check_unchanged(
    struct importer *im, int fd, const char *name, const struct stat *before)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return;
	if (st.st_size > before->st_size)
		say(im,
		    "%s: it grew meanwhile: its first %" PRIu64
		    " bytes were taken; see --watch for files that grow",
		    name, (uint64_t)before->st_size);
	else if (st.st_size < before->st_size ||
		 st.st_mtim.tv_sec != before->st_mtim.tv_sec ||
		 st.st_mtim.tv_nsec != before->st_mtim.tv_nsec)
		say(im, "%s: it was changed while it was read", name);
}

static enum importer_answer
take_file(struct importer *im, int fd, const char *name, const struct stat *st)
{
	struct reader *reader = reader_new(fd, (uint64_t)st->st_size);
	enum importer_answer answer;

	if (reader == NULL)
		return because(im, IMPORTER_LATER, "no memory");
	im->inside = true;
	im->messages = 0;
	im->skip =
	    im->gaps != NULL ? 0 : imported_part(im->imported, im->digest);
	if (im->skip > 0)
		say(im, "%s: goes on behind message %" PRIu64, name, im->skip);
	answer = take_texts(im, reader, st);
	reader_free(reader);
	set_part(im);
	im->inside = false;
	if (answer == IMPORTER_TAKEN) {
		if (!remember(im))
			return because(im, IMPORTER_LATER, "no memory");
		check_unchanged(im, fd, name, st);
	}
	return answer;
}

static enum importer_answer
regular_file(
    struct importer *im, int fd, const char *name, const struct stat *st)
{
	struct survey survey;

	switch (
	    survey_file(fd, (uint64_t)st->st_size, im->options.stop, &survey)) {
	case SURVEY_EMPTY:
		return IMPORTER_TAKEN;
	case SURVEY_STOPPED:
		return IMPORTER_STOPPED;
	case SURVEY_LATER:
		return because(im, IMPORTER_LATER, survey.why);
	case SURVEY_TEXT:
		break;
	default:
		return because(im, IMPORTER_HOPELESS, survey.why);
	}
	if (is_known(im, survey.digest)) {
		say(im, "%s: its content was imported before: skipped", name);
		return IMPORTER_KNOWN;
	}
	memcpy(im->digest, survey.digest, sizeof im->digest);
	return take_file(im, fd, name, st);
}

/* --- pipes: all or nothing, as they cannot be read again --- */

static bool
reopen(struct importer *im)
{
	char why[WHY];

	if (im->intake != NULL)
		intake_close(im->intake);
	im->intake = intake_open(im->config, "import", "file", why, sizeof why);
	if (im->intake == NULL) {
		say(im, "%s", why);
		return false;
	}
	intake_patience(im->intake,
	    im->options.patient ? PATIENCE_LONG : PATIENCE, im->options.stop);
	return true;
}

static enum importer_answer
take_pipe(struct importer *im, struct reader *reader, const struct stat *st,
    const char *name)
{
	enum importer_answer answer;

	im->plain = sha256_new();
	if (im->plain == NULL)
		return because(im, IMPORTER_LATER, "no memory");
	im->messages = im->skip = 0;
	answer = take_texts(im, reader, st);
	sha256_end(im->plain, im->digest);
	sha256_free(im->plain);
	im->plain = NULL;
	if (answer != IMPORTER_TAKEN)
		return answer == IMPORTER_BROKEN ? IMPORTER_HOPELESS : answer;
	if (is_known(im, im->digest)) {
		say(im, "%s: its content was imported before: skipped", name);
		return IMPORTER_KNOWN;
	}
	return remember(im) ? IMPORTER_TAKEN
			    : because(im, IMPORTER_LATER, "no memory");
}

static enum importer_answer
pipe_file(struct importer *im, int fd, const char *name, const struct stat *st)
{
	struct reader *reader = reader_new(fd, UINT64_MAX);
	struct importer_counts files;
	struct intake_counts records;
	enum importer_answer answer;

	if (reader == NULL || !importer_commit(im)) {
		reader_free(reader);
		return because(im, IMPORTER_LATER, "no memory or no room");
	}
	importer_counts(im, &files, &records);
	answer = take_pipe(im, reader, st, name);
	reader_free(reader);
	if (answer == IMPORTER_TAKEN)
		return answer;
	/* what it gave so far is forgotten with the intake */
	im->before = records;
	return reopen(im) ? answer : IMPORTER_LATER;
}

enum importer_answer
importer_file(
    struct importer *im, int fd, const char *name, const struct stat *st)
{
	enum importer_answer answer = S_ISREG(st->st_mode)
					  ? regular_file(im, fd, name, st)
					  : pipe_file(im, fd, name, st);

	im->counts.files += answer == IMPORTER_TAKEN;
	im->counts.known += answer == IMPORTER_KNOWN;
	im->counts.failed +=
	    answer == IMPORTER_HOPELESS || answer == IMPORTER_BROKEN;
	im->finished += (uint64_t)st->st_size;
	return answer;
}

/* --- files that grow --- */

/* Digest of the first bytes; false: they cannot be read. */
static bool
head(int fd, size_t n, unsigned char out[SURVEY_DIGEST])
{
	struct sha256 *digest;
	char bytes[IMPORTED_HEAD];
	size_t got;

	if (!disk_read(fd, 0, bytes, n, &got) || got < n)
		return false;
	digest = sha256_new();
	if (digest == NULL)
		return false;
	sha256_add(digest, span_of(bytes, n));
	sha256_end(digest, out);
	sha256_free(digest);
	return true;
}

static bool
begins_as(int fd, const struct stat *st, const struct growing *g)
{
	unsigned char digest[SURVEY_DIGEST];

	return (uint64_t)st->st_size >= g->offset &&
	       (g->head_n == 0 ||
		   (head(fd, g->head_n, digest) &&
		       memcmp(digest, g->head, sizeof digest) == 0));
}

struct candidate {
	int fd;
	const struct stat *st;
};

static bool
is_copy(void *arg, const struct growing *g)
{
	const struct candidate *c = arg;

	return g->head_n >= HEAD_MIN && begins_as(c->fd, c->st, g);
}

/*
 * What is known of a growing file. A copy of one, under another inode, goes on
 * where the original was: that is how files are synced from elsewhere.
 */
static struct growing *
find_growing(struct importer *im, int fd, const struct stat *st)
{
	struct candidate candidate = {fd, st};
	struct growing *g = imported_growing(
	    im->imported, (uint64_t)st->st_dev, (uint64_t)st->st_ino);
	struct growing copy;

	if (g != NULL && begins_as(fd, st, g))
		return g;
	g = imported_find_growing(im->imported, is_copy, &candidate);
	if (g == NULL)
		return NULL;
	copy = *g;
	g = imported_growing(
	    im->imported, (uint64_t)st->st_dev, (uint64_t)st->st_ino);
	if (g == NULL)
		g = imported_grow(
		    im->imported, (uint64_t)st->st_dev, (uint64_t)st->st_ino);
	copy.device = g->device;
	copy.inode = g->inode;
	copy.seen = g->seen;
	*g = copy;
	return g;
}

bool
importer_follows(struct importer *im, int fd, const struct stat *st)
{
	const struct growing *g = find_growing(im, fd, st);

	return g != NULL && g->offset > 0;
}

/* Known, or new, or begun anew. */
static struct growing *
begin_growing(
    struct importer *im, int fd, const char *name, const struct stat *st)
{
	struct growing *g = find_growing(im, fd, st);
	uint64_t device = (uint64_t)st->st_dev, inode = (uint64_t)st->st_ino;

	if (g != NULL)
		return g;
	g = imported_growing(im->imported, device, inode);
	if (g == NULL)
		return imported_grow(im->imported, device, inode);
	say(im, "%s: truncated, or begun anew: read from its start", name);
	g->offset = 0;
	g->head_n = 0;
	return g;
}

/* The header of a table, which the rows behind `offset` need; else nothing. */
static size_t
table_header(struct importer *im, int fd, uint64_t offset, char *line)
{
	struct input *input = input_new((size_t)im->config->max_message);
	struct input_item item;
	bool table = false;
	size_t n = 0;

	if (input != NULL && disk_read(fd, 0, line, FIRST_LINE, &n)) {
		n = span_find(span_of(line, n), '\n') + 1;
		if (n <= FIRST_LINE && n <= offset) {
			input_feed(input, span_of(line, n));
			table =
			    !input_next(input, &item) && input_is_table(input);
		}
	}
	input_free(input);
	return table ? n : 0;
}

struct follow {
	struct importer *im;
	struct growing *growing;
	struct input *input;
	int fd;
	uint64_t from;   /* offset that the input began at */
	uint64_t header; /* bytes it was given before that */
};

static enum importer_answer
follow_items(struct follow *f)
{
	enum importer_answer answer = IMPORTER_TAKEN;
	struct importer *im = f->im;
	struct input_item item;

	while (answer == IMPORTER_TAKEN && input_next(f->input, &item)) {
		if (item.end == 0) /* UTF-16: when it is complete */
			return because(im, IMPORTER_HOPELESS, "UTF-16");
		answer = put(im, &item);
		if (answer != IMPORTER_TAKEN)
			break;
		f->growing->offset = f->from + item.end - f->header;
		if (intake_due(im->intake) && !importer_commit(im))
			answer =
			    because(im, IMPORTER_LATER, intake_why(im->intake));
	}
	return answer;
}

/* Someone writes to it still, although its name says that it is complete. */
static bool
has_grown(int fd, uint64_t size)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (uint64_t)st.st_size != size;
}

static enum importer_answer
grows_still(struct importer *im)
{
	return because(im, IMPORTER_LATER, "it grew while it was read");
}

static enum importer_answer
follow_bytes(struct follow *f, uint64_t size, bool last)
{
	enum importer_answer answer = IMPORTER_TAKEN;
	char *piece = malloc(PIECE);
	uint64_t at = f->from;
	size_t n = 1, want;

	if (piece == NULL)
		return because(f->im, IMPORTER_LATER, "no memory");
	while (answer == IMPORTER_TAKEN && at < size && n > 0) {
		want = size - at < PIECE ? (size_t)(size - at) : PIECE;
		if (!disk_read(f->fd, at, piece, want, &n)) {
			answer =
			    because(f->im, IMPORTER_BROKEN, strerror(errno));
			break;
		}
		input_feed(f->input, span_of(piece, n));
		answer = follow_items(f);
		at += n;
		if (answer == IMPORTER_TAKEN && stopped(f->im))
			answer = IMPORTER_STOPPED;
	}
	if (answer == IMPORTER_TAKEN && last && has_grown(f->fd, size)) {
		answer = grows_still(f->im);
	} else if (answer == IMPORTER_TAKEN && last) {
		input_end(f->input);
		answer = follow_items(f);
	}
	free(piece);
	return answer;
}

static enum importer_answer
follow(struct follow *f, const struct stat *st, bool last)
{
	char line[FIRST_LINE];

	f->input = input_new((size_t)f->im->config->max_message);
	if (f->input == NULL)
		return because(f->im, IMPORTER_LATER, "no memory");
	f->from = f->growing->offset;
	if (f->from > 0)
		f->header = table_header(f->im, f->fd, f->from, line);
	input_feed(f->input, span_of(line, (size_t)f->header));
	if (f->header > 0)
		follow_items(f); /* none: it is the header */
	return follow_bytes(f, (uint64_t)st->st_size, last);
}

/* It is complete, and from now on known by its content. */
static enum importer_answer
end_growing(
    struct importer *im, int fd, const struct stat *st, struct growing *g)
{
	struct survey survey;
	enum survey_status status =
	    survey_file(fd, (uint64_t)st->st_size, im->options.stop, &survey);

	if (status == SURVEY_STOPPED)
		return IMPORTER_STOPPED;
	if (has_grown(fd, (uint64_t)st->st_size))
		return grows_still(im);
	if (status != SURVEY_FAILED)
		imported_add(im->imported, survey.digest);
	imported_grown(im->imported, g);
	im->counts.files++;
	return IMPORTER_TAKEN;
}

enum importer_answer
importer_follow(struct importer *im, int fd, const char *name,
    const struct stat *st, bool last)
{
	struct follow f = {.im = im, .fd = fd};
	enum importer_answer answer;

	f.growing = begin_growing(im, fd, name, st);
	set_reference(im, st, 0);
	answer = follow(&f, st, last);
	input_free(f.input);
	if (f.growing->head_n < IMPORTED_HEAD) {
		size_t n = f.growing->offset < IMPORTED_HEAD
			       ? (size_t)f.growing->offset
			       : IMPORTED_HEAD;

		if (head(fd, n, f.growing->head))
			f.growing->head_n = n;
	}
	if (answer == IMPORTER_HOPELESS)
		return IMPORTER_TAKEN;
	if (answer == IMPORTER_TAKEN && last)
		return end_growing(im, fd, st, f.growing);
	return answer;
}

/* --- opening --- */

void
importer_counts(const struct importer *im, struct importer_counts *files,
    struct intake_counts *records)
{
	struct intake_counts now;

	*files = im->counts;
	*records = im->before;
	if (im->intake == NULL)
		return;
	intake_counts(im->intake, &now);
	records->records += now.records;
	records->filtered += now.filtered;
	records->files += now.files;
	for (size_t i = 0; i < RECORD_TYPE_COUNT; i++)
		records->by_type[i] += now.by_type[i];
}

static bool
open_all(struct importer *im)
{
	im->imported = imported_new(im->options.keep);
	im->parser = parser_new((size_t)im->config->max_message);
	im->event_key = event_key_new();
	if (im->imported == NULL || im->parser == NULL ||
	    im->event_key == NULL) {
		say(im, "no memory");
		return false;
	}
	if (!reopen(im))
		return false;
	if (imported_read(im->imported, intake_state(im->intake)))
		return true;
	say(im,
	    "%s/import/state is damaged. It says what was imported already: "
	    "restore it, or remove it to import everything again",
	    im->config->spool.directory);
	return false;
}

struct importer *
importer_open(
    const struct config *config, const struct importer_options *options)
{
	struct importer *im = calloc(1, sizeof *im);

	if (im == NULL)
		return NULL;
	im->config = config;
	im->options = *options;
	if (open_all(im))
		return im;
	importer_close(im);
	return NULL;
}

void
importer_fill(struct importer *im, const struct gaps *gaps)
{
	im->gaps = gaps;
}

void
importer_close(struct importer *im)
{
	if (im == NULL)
		return;
	intake_close(im->intake);
	imported_free(im->imported);
	parser_free(im->parser);
	event_key_free(im->event_key);
	free(im);
}
