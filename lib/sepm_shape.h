/*
 * sepm_shape - what each log looks like between its labels.
 *
 * Some fields have no label in any version: their place among the labels says
 * what they are. One row of sepm_shape.c is one run of such fields; a new type
 * or place is a new row.
 */
#ifndef SEPMLOG_SEPM_SHAPE_H
#define SEPMLOG_SEPM_SHAPE_H

#include "sepm_field.h"

enum {
	SEPM_RUN = 5, /* fields without a label in a row, at most */
	SEPM_REPEATED = 4,
};

enum sepm_side {
	SEPM_BEFORE, /* the run ends before the anchor */
	SEPM_AFTER,  /* the run begins behind the anchor */
	SEPM_FRONT,  /* the run ends before the first label of all */
};

/* What is taken for text in the run, although it reads like a label. */
enum sepm_texts { SEPM_BARE, SEPM_CANDIDATES, SEPM_ANYTHING };

enum { SEPM_NO_REST = -1 };

struct sepm_run {
	enum record_type type;
	enum sepm_side side;
	enum sepm_label anchor; /* the first one with this label */
	enum sepm_texts texts;
	/* Which field takes what is too much, commas in its text; none: the
	 * value of the label before goes on with it. */
	int rest;
	size_t count;
	struct sepm_field field[SEPM_RUN];
	const char *why; /* for people */
};

struct sepm_shape {
	/* What repeated `Local:` and `Remote:` are, in this order. */
	enum sepm_label local[SEPM_REPEATED], remote[SEPM_REPEATED];
	enum record_field domain; /* that `Domain` means */
	bool events; /* its text is the event's, and reads like anything */
};

/* By type; RECORD_TRAFFIC to the last SEPM log. */
extern const struct sepm_shape sepm_shape[RECORD_TYPE_COUNT];

/* By label. */
extern const struct sepm_field sepm_label_field[SEPM_LABEL_COUNT];
/* The modern form of a label that was repeated, for `extra`; else empty. */
struct span sepm_label_modern(enum sepm_label label);

extern const struct sepm_run sepm_runs[];
extern const size_t sepm_run_count;

#endif
