/*
 * sepm - a SEPM body to a record (SEPM 11 to 14.3 RU9).
 *
 * A body is one row of comma-separated fields, most of them `Label: value`.
 * It is split with SEPM's own idea of quoting, its type is told by the shape
 * of its labels and bare fields, never by translated text, and its fields are
 * read by label and by place.
 */
#ifndef SEPMLOG_SEPM_H
#define SEPMLOG_SEPM_H

#include "arena.h"
#include "parser.h"
#include "record.h"
#include "sepm_course.h"
#include "sepm_label.h"
#include "sepm_value.h"
#include "sepm_word.h"

enum {
	SEPM_MAX_PIECES = 256, /* fields of a body; the last takes the rest */
	SEPM_LAYOUTS = 8,
	SEPM_NO_PIECE = SEPM_MAX_PIECES,
	SEPM_LABEL_WORDS = (SEPM_LABEL_COUNT + 63) / 64,
};

/* One field of a body. */
struct sepm_piece {
	struct span raw;   /* between the commas, quotes included */
	struct span label; /* as it came, without the colon; n == 0: none */
	struct span value; /* trimmed and unquoted */
	enum sepm_label id;
	unsigned number; /* of an agent-info label */
	bool quoted;     /* value is not the bytes of raw */
};

/* What is known about the message besides its body. */
struct sepm_context {
	struct arena *arena;
	const struct sepm_labels *labels;
	struct sepm_clock clock;
	struct span name_after_tag, name_before_tag;
	bool tagged; /* SEPM's tag or a dump file's stamp stood before it */
	bool cut;    /* the message was longer than max_message */
	parser_explain_cb *explain; /* may be NULL */
	void *arg;
};

static inline void
sepm_explain(const struct sepm_context *context, struct span piece,
    struct span key, const char *why)
{
	if (context->explain != NULL && piece.n > 0)
		context->explain(context->arg, piece, key, why);
}

/*
 * The labels of the last bodies that began with the same one, in their order:
 * guesses for the next body, and the guesses before those.
 */
struct sepm_layout {
	const struct sepm_guess *guess[SEPM_MAX_PIECES];
	const struct sepm_guess *other[SEPM_MAX_PIECES];
};

/* Working memory for one body; what is guessed stays from one to the next. */
struct sepm_body {
	const struct sepm_context *context;
	struct record *record;
	struct sepm_piece piece[SEPM_MAX_PIECES];
	size_t count;
	uint64_t labels[SEPM_LABEL_WORDS]; /* bit set of those seen */
	size_t labelled;                   /* fields that have one */
	size_t locals, remotes;            /* repeated `Local:`, `Remote:` */
	size_t first;        /* first label, known or not; count: none */
	size_t begin;        /* `Begin`; count: none */
	size_t application;  /* `Application`; count: none */
	size_t client, sepm; /* their bare fields; SEPM_NO_PIECE: none */
	struct sepm_layout layouts[SEPM_LAYOUTS];
	struct sepm_layout *layout; /* of this body, as it begins */
	struct sepm_courses courses;
	bool unclosed; /* no later quote can close either */
	bool ordered;  /* by sepm_order */
	size_t last;   /* the last known label with a value; count: none */
};

/*
 * Reads `text` into *record, which is reset but for what the header gave.
 * NULL: done, record->type is set. Else the reason why it is unparsed.
 */
const char *sepm_parse(struct sepm_body *body, struct span text,
    const struct sepm_context *context, struct record *record);

/* --- shared by sepm.c and its parts --- */

/* sepm_split.c: fills piece, count and the summary. */
void sepm_split(struct sepm_body *body, struct span text);

/*
 * Can it be seen at a glance that there is neither quote nor label in what
 * stands between two commas? L, R and D begin the labels that come without
 * their colon, as `Local Port 50403`, in English.
 */
static inline bool
sepm_is_plainly_bare(struct span field)
{
	int first = span_at(field, 0);

	return first > ' ' && first < 0x80 && first != '"' &&
	       span_find(field, ':') == field.n &&
	       ((first != 'L' && first != 'R' && first != 'D') ||
		   span_find(field, ' ') == field.n);
}

/* sepm_split.c: the inside of a body that is in quotes as a whole; any other
 * body as it is. */
struct span sepm_unquote(struct sepm_body *body, struct span text);

/* sepm_order.c: is it traffic in a language that is not known? Then its labels
 * get the meaning that their places have; else nothing changes. */
bool sepm_order(struct sepm_body *body);

/* sepm_read.c: all fields, once type, client and SEPM are known. */
void sepm_read(struct sepm_body *body);

static inline bool
sepm_has(const struct sepm_body *body, enum sepm_label label)
{
	return body->labels[label / 64] >> label % 64 & 1;
}

#endif
